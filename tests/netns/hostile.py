#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Requests that no honest client sends, over a real connection: each must get
the status the RFCs want, or a clean close, and must not disturb the next.

usage: hostile.py HOST
       hostile.py HOST --frames IFNAME COUNT SEED
With --frames: sends COUNT frames, mutated by a seeded generator from good ones
(SYN, ACK, GET, echo, HBTP Ping), from IFNAME. The caller checks that the server
still is itself.
Prints `N passed, N failed`."""
import os
import random
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import httpc  # noqa: E402  (the path must be set first)

H = b"Host: x\r\n"
CASES = (
    # name, bytes, statuses that are right (0: closed without an answer)
    ("request line of 64 kB", b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\n" + H +
     b"\r\n", (414,)),
    ("a field of 64 kB", b"GET / HTTP/1.1\r\n" + H + b"X: " + b"a" * 65536 +
     b"\r\n\r\n", (431,)),
    ("5000 fields", b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n" * 5000 + b"\r\n",
     (431,)),
    ("NUL in the target", b"GET /\0 HTTP/1.1\r\n" + H + b"\r\n", (400,)),
    ("NUL in a value", b"GET / HTTP/1.1\r\n" + H + b"A: \0\r\n\r\n", (400,)),
    ("bare CR in a value", b"GET / HTTP/1.1\r\n" + H + b"A: b\rc\r\n\r\n",
     (400,)),
    ("Content-Length and Transfer-Encoding", b"POST /echo HTTP/1.1\r\n" + H +
     b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     (400,)),
    ("two Content-Lengths", b"POST /echo HTTP/1.1\r\n" + H +
     b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", (400,)),
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", (400,)),
    ("two Hosts", b"GET / HTTP/1.1\r\n" + H + H + b"\r\n", (400,)),
    ("space before the colon", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", (400,)),
    ("folded field", b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n c\r\n\r\n",
     (400,)),
    ("no length", b"POST /echo HTTP/1.1\r\n" + H + b"\r\n", (411, 200)),
    ("body far too large", b"POST /echo HTTP/1.1\r\n" + H +
     b"Content-Length: 99999999999999\r\n\r\n", (413,)),
    ("negative length", b"POST /echo HTTP/1.1\r\n" + H +
     b"Content-Length: -1\r\n\r\n", (400,)),
    ("unknown method", b"BREW / HTTP/1.1\r\n" + H + b"\r\n", (501,)),
    ("DELETE", b"DELETE /hot0 HTTP/1.1\r\n" + H + b"\r\n", (405,)),
    ("HTTP/3.0", b"GET / HTTP/3.0\r\n" + H + b"\r\n", (505,)),
    ("out of the root", b"GET /../../etc/passwd HTTP/1.1\r\n" + H + b"\r\n",
     (400, 403, 404)),
    ("out of the root, encoded", b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" +
     H + b"\r\n", (400, 403, 404)),
    ("garbage", bytes(range(256)) * 8, (400,)),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
     (400,)),
)


def one_case(host, name, data, statuses):
    conn = httpc.Connection(host)
    try:
        conn.send(data)
        answer = conn.receive()
        got = answer.status
    except (httpc.Closed, ConnectionError):
        got = 0
    conn.close()
    if got in statuses:
        return True
    print("FAIL %s: %d, not one of %s" % (name, got, statuses))
    return False


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(src, dst, proto, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0x4000,
                       64, proto, 0, src, dst)
    return (head[:10] + struct.pack("!H", checksum(head)) + head[12:] +
            payload)


def tcp(src, dst, port, flags, options=b"", data=b""):
    head = struct.pack("!HHIIBBHHH", port, 80, 1000, 2000,
                       (20 + len(options)) // 4 << 4, flags, 65535, 0, 0)
    pseudo = src + dst + struct.pack("!BBH", 0, 6,
                                     len(head) + len(options) + len(data))
    total = checksum(pseudo + head + options + data)
    return head[:16] + struct.pack("!H", total) + head[18:] + options + data


def good_frames(src, dst):
    syn_options = bytes.fromhex("020405b40402080a000003e800000000" "01030307")
    get = b"GET /hot0 HTTP/1.1\r\nHost: 198.18.0.1\r\n\r\n"
    echo = b"\x08\x00" + struct.pack("!H", checksum(
        b"\x08\x00\0\0\0\1\0\1" + b"x" * 48)) + b"\0\1\0\1" + b"x" * 48
    ping = struct.pack("!HHHH", 5000, 4860, 16, 0) + b"\0\4\1\0\0\0\0\0"
    return (
        ipv4(src, dst, 6, tcp(src, dst, 40000, 2, syn_options)),
        ipv4(src, dst, 6, tcp(src, dst, 40000, 16)),
        ipv4(src, dst, 6, tcp(src, dst, 40000, 24, b"", get)),
        ipv4(src, dst, 6, tcp(src, dst, 40000, 17)),
        ipv4(src, dst, 1, echo),
        ipv4(src, dst, 17, ping),
    )


def mutate(rng, frame):
    frame = bytearray(frame)
    for _ in range(rng.randrange(0, 4)):
        frame[rng.randrange(14, len(frame))] = rng.randrange(256)
    if rng.random() < 0.3:
        frame = frame[:rng.randrange(14, len(frame) + 1)]
    if rng.random() < 0.05:
        frame += rng.randbytes(rng.randrange(0, 1300))
    if rng.random() < 0.1:
        frame[12:14] = b"\x81\x00" + rng.randbytes(2) + bytes(frame[12:14])
    return bytes(frame)


def send_frames(host, ifname, count, seed):
    rng = random.Random(seed)
    with socket.create_connection((host, 80), 5) as probe:
        src = socket.inet_aton(probe.getsockname()[0])
    dst = socket.inet_aton(host)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((ifname, 0))
    mac = sock.getsockname()[4]
    with open("/proc/net/arp", encoding="ascii") as f:
        peer = [line.split()[3] for line in f if line.startswith(host + " ")]
    peer_mac = bytes.fromhex(peer[0].replace(":", ""))
    frames = [peer_mac + mac + b"\x08\x00" + x for x in good_frames(src, dst)]
    for _ in range(count):
        try:
            sock.send(mutate(rng, rng.choice(frames)))
        except OSError:
            pass  # too short for the interface, or no buffer
    print("%d passed, 0 failed" % count)


def main():
    host = sys.argv[1]
    if len(sys.argv) > 2:
        send_frames(host, sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
        return 0
    good = [one_case(host, *case) for case in CASES]
    print("%d passed, %d failed" % (sum(good), len(good) - sum(good)))
    return 0 if all(good) else 1


sys.exit(main())
