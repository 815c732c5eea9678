#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Frames made by scapy, as C arrays, for test_frame.c.

    /usr/bin/python3 tests/unit/frame_vectors.py > tests/unit/frame_vectors.h
"""
import logging

logging.getLogger("scapy").setLevel(logging.CRITICAL)
from scapy.all import (  # noqa: E402
    ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6DestUnreach,
    ICMPv6PacketTooBig, ICMPv6EchoRequest, IPOption_NOP, IPOption_RR, IPv6,
    IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting, PadN, Padding, Raw,
)

ETH = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
V4 = IP(src="198.18.0.1", dst="198.18.0.2", ttl=64, id=7)
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=64)
SEG = TCP(sport=40000, dport=80, seq=0x01020304, ack=0x0A0B0C0D, flags="PA",
          window=501)
OPT = TCP(sport=40000, dport=80, seq=0x01020304, ack=0x0A0B0C0D, flags="A",
          window=502, options=[("NOP", None), ("NOP", None),
                               ("Timestamp", (1111, 2222)), ("NOP", None),
                               ("NOP", None), ("SAck", (100, 200, 300, 400))])
# What we send, as others will see it and quote it.
OUR4 = IP(src="198.18.0.2", dst="198.18.0.1", ttl=64, id=0, flags="DF")
OUR6 = IPv6(src="2001:db8::2", dst="2001:db8::1", hlim=64)
OURS = TCP(sport=80, dport=40000, seq=0x11223344, ack=5, flags="A", window=77)
PAY = Raw(b"hello, dawn")

VECTORS = [
    ("v4_plain", ETH / V4 / SEG / PAY),
    ("v4_odd_length", ETH / V4 / SEG / Raw(b"x")),
    ("v4_padded", ETH / V4 / SEG / Raw(b"y") / Padding(b"\xff" * 5)),
    ("v4_tcp_options", ETH / V4 / OPT / PAY),
    ("v4_ip_options",
     ETH / IP(src="198.18.0.1", dst="198.18.0.2", options=[
         IPOption_RR(length=11, routers=["0.0.0.0", "0.0.0.0"]),
         IPOption_NOP()]) / SEG / PAY),
    ("v4_vlan", ETH / Dot1Q(vlan=5, prio=3) / V4 / SEG / PAY),
    ("v4_fragment",
     ETH / IP(src="198.18.0.1", dst="198.18.0.2", flags="MF") / SEG / PAY),
    ("v4_udp", ETH / V4 / UDP(sport=1, dport=2) / PAY),
    ("v6_plain", ETH / V6 / SEG / PAY),
    ("v6_tcp_options", ETH / V6 / OPT / PAY),
    ("v6_ext",
     ETH / V6 / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)]) /
     IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 12)]) / SEG / PAY),
    ("v6_qinq",
     ETH / Dot1AD(vlan=100) / Dot1Q(vlan=200) / V6 / SEG / PAY),
    ("v6_atomic",
     ETH / V6 / IPv6ExtHdrFragment(offset=0, m=0, id=9) / SEG / PAY),
    ("v6_fragment",
     ETH / V6 / IPv6ExtHdrFragment(offset=0, m=1, id=9) / SEG / PAY),
    ("v6_routing_left",
     ETH / V6 / IPv6ExtHdrRouting(addresses=["2001:db8::9"], segleft=1) /
     SEG / PAY),
    ("v6_mapped_source",
     ETH / IPv6(src="::ffff:198.18.0.1", dst="2001:db8::2") / SEG / PAY),
    ("v4_too_big",
     ETH / IP(src="198.18.0.9", dst="198.18.0.2") /
     ICMP(type=3, code=4, nexthopmtu=1400) / OUR4 / OURS),
    ("v4_port_unreachable",
     ETH / IP(src="198.18.0.9", dst="198.18.0.2") / ICMP(type=3, code=3) /
     OUR4 / OURS),
    ("v4_echo", ETH / V4 / ICMP(type=8) / PAY),
    ("v6_too_big",
     ETH / IPv6(src="2001:db8::9", dst="2001:db8::2") /
     ICMPv6PacketTooBig(mtu=1300) / OUR6 / OURS),
    ("v6_unreachable",
     ETH / IPv6(src="2001:db8::9", dst="2001:db8::2") /
     ICMPv6DestUnreach(code=0) / OUR6 / OURS),
    ("v6_echo", ETH / V6 / ICMPv6EchoRequest()),
    # What build() is to produce.
    ("our_v4",
     Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / OUR4 / OURS /
     PAY),
    ("our_v6_sack",
     Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") /
     Dot1AD(vlan=100) / Dot1Q(vlan=200) / OUR6 /
     TCP(sport=80, dport=40000, seq=0x11223344, ack=5, flags="A", window=77,
         options=[("NOP", None), ("NOP", None), ("Timestamp", (9, 8)),
                  ("NOP", None), ("NOP", None),
                  ("SAck", (1, 2, 3, 4, 5, 6))])),
    ("our_rst",
     Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / OUR4 /
     TCP(sport=80, dport=40000, seq=0x0A0B0C0D, ack=0, flags="R", window=0)),
]


def main():
    """Print the header."""
    print("/* SPDX-License-Identifier: MIT OR Apache-2.0 */")
    print("/* Made by tests/unit/frame_vectors.py; do not edit. */")
    print("#ifndef DAWN_TESTS_FRAME_VECTORS_H")
    print("#define DAWN_TESTS_FRAME_VECTORS_H\n\n#include <stdint.h>")
    print("\n/* clang-format off */")
    for name, packet in VECTORS:
        data = bytes(packet)
        print(f"static const uint8_t {name}[{len(data)}] = {{")
        for i in range(0, len(data), 12):
            row = ", ".join(f"0x{b:02x}" for b in data[i:i + 12])
            print(f"\t{row},")
        print("};")
    print("/* clang-format on */\n\n#endif")


if __name__ == "__main__":
    main()
