# SPDX-License-Identifier: MIT OR Apache-2.0
"""A TCP client for tests that does exactly what it is told: lose a segment,
acknowledge a part, keep the window shut. It lives in an address that its host
does not have, so the kernel there sends no RST behind its back.

Sequence numbers of what is received are kept as offsets: 0 is the server's
first byte of data. What a server never may do is checked for every segment of
every connection, and noted in Connection.faults: a wrong checksum, another
byte at a number used before, data beyond the window, a segment larger than the
MSS allows."""
import random
import select
import socket
import struct
import time
from collections import namedtuple

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MASK = 0xffffffff
MSS_DEFAULT = 536  # RFC 9293, 3.7.1
MSS_LEAST = 128    # what the server takes any peer to hold, see cookie.bpf.h
PACKET_MAX = 1 << 16

# off: offset of the first byte; seq, ack: as on the wire
Segment = namedtuple("Segment", "time off seq ack flags wnd data")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def build_tcp(src, dst, sport, dport, seq, ack, flags, wnd, options=b"",
              data=b"", header=None):
    """A TCP segment; options are filled up to words with end-of-list.
    header: the length its header claims, if not the true one, in bytes."""
    options += b"\0" * (-len(options) % 4)
    doff = (20 + len(options) if header is None else header) // 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & MASK, ack & MASK,
                       doff << 4, flags, wnd, 0, 0)
    segment = head + options + data
    pseudo = src + dst + struct.pack("!BBH", 0, socket.IPPROTO_TCP,
                                     len(segment))
    return (segment[:16] + struct.pack("!H", checksum(pseudo + segment)) +
            segment[18:])


def build_ipv4(src, dst, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000,
                       64, socket.IPPROTO_TCP, 0, src, dst)
    return (head[:10] + struct.pack("!H", checksum(head)) + head[12:] +
            payload)


class Wire:
    """The interface; hands what arrives to the connections, by port."""

    def __init__(self, ifname, server_mac, address, server):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                  socket.htons(3))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.sock.bind((ifname, 0))
        self.src = socket.inet_aton(address)
        self.dst = socket.inet_aton(server)
        mac = bytes.fromhex(server_mac.replace(":", ""))
        self.ether = mac + b"\2\0" + self.src + b"\x08\0"
        self.port = random.randrange(10000, 20000)
        self.connections = {}

    def send(self, segment):
        self.sock.send(self.ether + build_ipv4(self.src, self.dst, segment))

    def deliver(self, frame):
        if frame[12:14] != b"\x08\0" or frame[23] != socket.IPPROTO_TCP or \
           frame[30:34] != self.src:
            return
        tcp = frame[14 + (frame[14] & 15) * 4:14 + struct.unpack(
            "!H", frame[16:18])[0]]
        conn = self.connections.get(struct.unpack("!H", tcp[2:4])[0])
        if not conn:
            return
        pseudo = frame[26:34] + struct.pack("!BBH", 0, socket.IPPROTO_TCP,
                                            len(tcp))
        if checksum(pseudo + tcp):
            conn.faults.append("checksum")
        conn.receive(tcp)

    def until(self, condition, timeout=10):
        """Take packets in until the condition holds; it may be one of time.
        Return: does it?"""
        end = time.monotonic() + timeout
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                return False
            if select.select([self.sock], [], [], min(left, 0.05))[0]:
                frame, where = self.sock.recvfrom(PACKET_MAX)
                if where[2] != socket.PACKET_OUTGOING:
                    self.deliver(frame)
        return True


class Connection:
    """One connection. mss, wscale: None sends no such option. wnd: the field of
    every segment from now on. lose(segment): True loses it. auto_ack: take what
    arrives in order and acknowledge it at once."""

    def __init__(self, wire, mss=1460, wscale=7, timestamps=True, sack=False,
                 wnd=60000, isn=None, tsval=None, port=None):
        wire.port += 1
        self.wire = wire
        self.port = port or wire.port
        self.mss, self.wscale, self.sack = mss, wscale, sack
        self.timestamps, self.wnd = timestamps, wnd
        self.snd = random.getrandbits(32) if isn is None else isn
        self.tsbase = random.getrandbits(32) if tsval is None else tsval
        self.born = time.monotonic()
        self.tsecr = 0
        self.irs = None       # number of the server's first byte
        self.rcv = 0          # offset of what we acknowledge
        self.edge = 0         # highest offset that we ever allowed
        self.fin_off = None
        self.bytes = bytearray()
        self.seen = bytearray()  # 1: was on the wire
        self.held = bytearray()  # 1: and not lost
        self.log = []
        self.faults = []
        self.lose = lambda segment: False
        self.auto_ack = False
        wire.connections[self.port] = self

    # --- sending ---

    def syn_options(self):
        options = b""
        if self.mss is not None:
            options += struct.pack("!BBH", 2, 4, self.mss)
        if self.sack:
            options += b"\4\2"
        if self.timestamps:
            options += b"\x08\x0a" + struct.pack("!II", self.tsval(), 0)
        if self.wscale is not None:
            options += bytes((3, 3, self.wscale))
        return options

    def tsval(self):
        age_ms = int((time.monotonic() - self.born) * 1000)
        return (self.tsbase + age_ms) & MASK

    def options(self):
        options = b""
        if self.timestamps:
            options += b"\1\1\x08\x0a" + struct.pack("!II", self.tsval(),
                                                     self.tsecr)
        blocks = self.sack_blocks() if self.sack else []
        if blocks:
            options += struct.pack("!BBBB", 1, 1, 5, 2 + 8 * len(blocks))
            for start, end in blocks:
                options += struct.pack("!II", (self.irs + start) & MASK,
                                       (self.irs + end) & MASK)
        return options

    def sack_blocks(self):
        """At most three of what is held beyond the acknowledged (RFC 2018)."""
        blocks, at = [], self.rcv
        while len(blocks) < 3:
            start = self.held.find(1, at)
            if start < 0:
                break
            end = self.held.find(0, start)
            at = end if end >= 0 else len(self.held)
            if start > self.rcv:
                blocks.append((start, at))
        return blocks

    def send(self, flags=ACK, data=b"", seq=None, ack=None, wnd=None,
             options=None, header=None):
        """ack: an offset. A segment as told; changes no state but the edge."""
        ack = self.rcv if ack is None else ack
        wnd = self.wnd if wnd is None else wnd
        if self.irs is not None:
            shift = min(self.wscale, 14) if self.wscale is not None else 0
            self.edge = max(self.edge, ack + (wnd << shift))
        self.wire.send(build_tcp(
            self.wire.src, self.wire.dst, self.port, 80,
            self.snd if seq is None else seq, (self.irs or 0) + ack, flags,
            wnd, self.options() if options is None else options, data, header))

    def send_next(self, data=b"", flags=ACK | PSH, wnd=None):
        """The next segment of our stream. Return: its number."""
        seq = self.snd
        self.send(flags, data, wnd=wnd)
        self.snd = (seq + len(data) + (flags & FIN)) & MASK
        return seq

    def take(self):
        """Count what is held in order as received. Return: was there more?"""
        before = self.rcv
        end = self.held.find(0, min(self.rcv, len(self.held)))
        self.rcv = max(self.rcv, end if end >= 0 else len(self.held))
        if self.fin_off == self.rcv:
            self.rcv += 1
        return self.rcv != before

    def ack_all(self):
        self.take()
        self.send()

    # --- receiving ---

    def receive(self, tcp):
        seq, ack, doff, flags, wnd = struct.unpack("!IIBBH", tcp[4:16])
        options, data = tcp[20:(doff >> 4) * 4], tcp[(doff >> 4) * 4:]
        if flags & SYN:
            self.irs = (seq + 1) & MASK
            self.edge = self.wnd  # never scaled in a SYN
        self.take_timestamp(options)
        off = 0 if self.irs is None else (seq - self.irs) & MASK
        segment = Segment(time.monotonic(), off, seq, ack, flags, wnd, data)
        self.log.append(segment)
        if self.irs is None or flags & (SYN | RST):
            return
        if data:
            self.check(segment)
        if not (data or flags & FIN) or self.lose(segment):
            return
        self.held[off:off + len(data)] = b"\1" * len(data)
        if flags & FIN:
            self.fin_off = off + len(data)
        if self.auto_ack:
            self.ack_all()

    def take_timestamp(self, options):
        at = 0
        while at + 1 < len(options) and options[at]:
            if options[at] == 8 and at + 10 <= len(options):
                self.tsecr = struct.unpack("!I", options[at + 2:at + 6])[0]
            at += max(options[at + 1], 2) if options[at] != 1 else 1

    def check(self, segment):
        off, end = segment.off, segment.off + len(segment.data)
        mss = max(MSS_DEFAULT if self.mss is None else self.mss, MSS_LEAST)
        if len(segment.data) > mss - (12 if self.timestamps else 0):
            self.faults.append("%d bytes, MSS %d" % (end - off, mss))
        if end > self.edge and len(segment.data) > 1:  # 1: a window probe
            self.faults.append("to %d, window to %d" % (end, self.edge))
        if end > PACKET_MAX * 16:
            self.faults.append("sequence number far away: %d" % off)
            return
        missing = end - len(self.bytes)
        if missing > 0:
            for buf in (self.bytes, self.seen, self.held):
                buf.extend(bytes(missing))
        for i in range(off, end):
            if self.seen[i] and self.bytes[i] != segment.data[i - off]:
                self.faults.append("another byte at %d" % i)
                break
        self.bytes[off:end] = segment.data
        self.seen[off:end] = b"\1" * (end - off)

    def stream(self, start):
        """What is held in order from an offset on."""
        end = self.held.find(0, min(start, len(self.held)))
        return bytes(self.bytes[start:end if end >= 0 else len(self.bytes)])

    # --- conditions, for Wire.until ---

    def until(self, condition, timeout=10):
        return self.wire.until(condition, timeout)

    def flagged(self, flags):
        """Segments of the log that have all of these flags."""
        return [x for x in self.log if x.flags & flags == flags]

    def with_data(self):
        return [x for x in self.log if x.data]

    def describe(self):
        return ["off=%d ack=%+d flags=%#x wnd=%d len=%d" %
                (x.off, (x.ack - self.snd + (1 << 31) & MASK) - (1 << 31),
                 x.flags, x.wnd, len(x.data)) for x in self.log[-20:]]

    # --- opening ---

    def syn(self, data=b"", timeout=10):
        self.irs = None
        self.log = []
        self.send(SYN, data, options=self.syn_options())
        want = (self.snd + 1) & MASK
        if not self.until(lambda: [x for x in self.flagged(SYN | ACK)
                                   if x.ack == want], timeout):
            return False
        self.snd = want
        return True

    def open(self):
        if not self.syn():
            raise TimeoutError("no SYN-ACK")
        self.send()
        return self
