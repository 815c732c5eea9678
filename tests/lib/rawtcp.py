# SPDX-License-Identifier: MIT OR Apache-2.0
"""A TCP client for tests that does exactly what it is told: lose a segment,
acknowledge a part, keep the window shut. It lives in an address that its host
does not have, so the kernel there sends no RST behind its back. IPv4 or IPv6,
tagged or not.

Sequence numbers of what is received are kept as offsets: 0 is the server's
first byte of data. What a server never may do is checked for every segment of
every connection, and noted in Connection.faults: a wrong checksum or length,
another VLAN, an acknowledgment that goes back or is of what was not sent, a
window that shrinks, options that were not agreed upon, an echo of a timestamp
that was not sent, another byte at a number used before, a number left out, data
beyond the window or behind the FIN, a segment larger than the MSS allows."""
import ctypes
import random
import select
import socket
import struct
import time
from collections import namedtuple

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MASK = 0xffffffff
MSS_DEFAULT, MSS_DEFAULT_V6 = 536, 1220  # RFC 9293, 3.7.1
MSS_LEAST = 128    # what the server takes any peer to hold, see cookie.bpf.h
PACKET_MAX = 1 << 16

ETH_IPV4, ETH_IPV6, ETH_8021Q, ETH_8021AD = 0x0800, 0x86dd, 0x8100, 0x88a8
PACKET_AUXDATA, SOL_PACKET = 8, 263  # linux/if_packet.h
AUX_VLAN = 1 << 4                    # TP_STATUS_VLAN_VALID
SO_ATTACH_FILTER = 26
HALF = 1 << 31

# off: offset of the first byte; seq, ack: as on the wire; the last three are
# of the options: timestamp value and echo (None without), SACK blocks
Segment = namedtuple("Segment",
                     "time off seq ack flags wnd data tsval tsecr sack")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def diff(a, b):
    """a - b modulo 2^32, signed."""
    return ((a - b + HALF) & MASK) - HALF


def pseudo_header(src, dst, length):
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, socket.IPPROTO_TCP, length)
    return src + dst + struct.pack("!IxxxB", length, socket.IPPROTO_TCP)


def build_tcp(src, dst, sport, dport, seq, ack, flags, wnd, options=b"",
              data=b"", header=None, partial=False):
    """A TCP segment; options are filled up to words with end-of-list.
    header: the length its header claims, if not the true one, in bytes.
    partial: only the pseudo-header is summed, as for a NIC to go on."""
    options += b"\0" * (-len(options) % 4)
    doff = (20 + len(options) if header is None else header) // 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & MASK, ack & MASK,
                       doff << 4, flags, wnd, 0, 0)
    segment = head + options + data
    pseudo = pseudo_header(src, dst, len(segment))
    total = ~checksum(pseudo) & 0xffff if partial else checksum(
        pseudo + segment)
    return segment[:16] + struct.pack("!H", total) + segment[18:]


def build_ipv4(src, dst, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000,
                       64, socket.IPPROTO_TCP, 0, src, dst)
    return (head[:10] + struct.pack("!H", checksum(head)) + head[12:] +
            payload)


def build_ipv6(src, dst, payload):
    return struct.pack("!IHBB", 6 << 28, len(payload), socket.IPPROTO_TCP,
                       64) + src + dst + payload


def open_ipv4(packet):
    """Source, destination, protocol, payload, what is wrong."""
    length, total = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
    wrong = []
    if checksum(packet[:length]):
        wrong.append("header checksum")
    if total > len(packet):
        wrong.append("total length %d of %d" % (total, len(packet)))
    if packet[6:8] != b"\x40\0":
        wrong.append("not DF, or a fragment")
    return packet[12:16], packet[16:20], packet[9], packet[length:total], wrong


def open_ipv6(packet):
    length = struct.unpack("!H", packet[4:6])[0]
    wrong = []
    if length > len(packet) - 40:
        wrong.append("payload length %d of %d" % (length, len(packet) - 40))
    return (packet[8:24], packet[24:40], packet[6], packet[40:40 + length],
            wrong)


def marks(packet):
    """Time to live or hop limit, and TOS or traffic class."""
    if packet[0] >> 4 == 6:
        return packet[7], packet[0] << 4 & 0xf0 | packet[1] >> 4
    return packet[8], packet[1]


def parse_options(options):
    """Timestamp value and echo or None, SACK blocks, kinds of all options."""
    tsval = tsecr = None
    sack, kinds, at = [], [], 0
    while at < len(options) and options[at]:
        kind = options[at]
        if kind == 1:
            at += 1
            continue
        if at + 2 > len(options) or options[at + 1] < 2 or \
           at + options[at + 1] > len(options):
            return tsval, tsecr, sack, kinds + ["malformed"]
        kinds.append(kind)
        value = options[at + 2:at + options[at + 1]]
        if kind == 8:
            tsval, tsecr = struct.unpack("!II", value)
        elif kind == 5:
            sack = list(struct.iter_unpack("!II", value))
        at += options[at + 1]
    return tsval, tsecr, sack, kinds


class Wire:
    """The interface; hands what arrives to the connections, by port. tags: of
    each frame, (ethertype, TCI) from the outermost; answers must bear them too.
    (Receive offload of tags is off at the server's end, as `dawn load` leaves
    it; at this end the kernel takes the outer one off and tells us.)"""

    def __init__(self, ifname, server_mac, address, server, tags=()):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                  socket.htons(3))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.is_v6 = family == socket.AF_INET6
        self.src = socket.inet_pton(family, address)
        self.dst = socket.inet_pton(family, server)
        self.ethertype = ETH_IPV6 if self.is_v6 else ETH_IPV4
        self.tags = list(tags)
        self.mac = b"\2\0" + self.src[-4:]
        server_mac = bytes.fromhex(server_mac.replace(":", ""))
        self.ether = server_mac + self.mac + b"".join(
            struct.pack("!HH", *tag) for tag in self.tags) + struct.pack(
                "!H", self.ethertype)
        self.port = random.randrange(10000, 20000)
        self.connections = {}
        self.marks = set()  # of all packets for us
        self.listen(ifname)

    def listen(self, ifname):
        """Only what is for us, so that many of us do not wake each other. The
        kernel has taken the outer tag off before it filters."""
        if len(self.tags) < 2:
            code = struct.pack(
                "HBBIHBBIHBBIHBBI", 0x20, 0, 0, 50 if self.is_v6 else 30,
                0x15, 0, 1, struct.unpack("!I", self.src[-4:])[0],
                6, 0, 0, PACKET_MAX, 6, 0, 0, 0)
            where = ctypes.create_string_buffer(code)
            self.sock.setsockopt(
                socket.SOL_SOCKET, SO_ATTACH_FILTER,
                struct.pack("HxxxxxxP", 4, ctypes.addressof(where)))
        self.sock.bind((ifname, 0))

    def send(self, segment):
        build = build_ipv6 if self.is_v6 else build_ipv4
        self.sock.send(self.ether + build(self.src, self.dst, segment))

    def deliver(self, frame, outer):
        """outer: the tag the kernel took off, or None."""
        tags, at = [outer] if outer else [], 12
        while frame[at:at + 2] in (b"\x81\0", b"\x88\xa8"):
            tags.append(struct.unpack("!HH", frame[at:at + 4]))
            at += 4
        if struct.unpack("!H", frame[at:at + 2])[0] != self.ethertype:
            return
        packet = frame[at + 2:]
        src, dst, proto, tcp, wrong = (open_ipv6 if self.is_v6 else
                                       open_ipv4)(packet)
        if proto != socket.IPPROTO_TCP or (src, dst) != (self.dst, self.src):
            return
        conn = self.connections.get(struct.unpack("!H", tcp[2:4])[0])
        if not conn:
            return
        if frame[:6] != self.mac:
            wrong.append("to MAC %s" % frame[:6].hex())
        if tags != self.tags:
            wrong.append("tags %s, not %s" % (tags, self.tags))
        if checksum(pseudo_header(src, dst, len(tcp)) + tcp):
            wrong.append("checksum")
        conn.faults += wrong
        self.marks.add(marks(packet))
        conn.receive(tcp)

    def receive(self):
        frame, notes, _, where = self.sock.recvmsg(PACKET_MAX, 256)
        if where[2] == socket.PACKET_OUTGOING:
            return
        outer = None
        for level, kind, data in notes:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH",
                                                              data[:20])
                outer = (tpid, tci) if status & AUX_VLAN else None
        self.deliver(frame, outer)

    def until(self, condition, timeout=10):
        """Take packets in until the condition holds; it may be one of time.
        Return: does it?"""
        end = time.monotonic() + timeout
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                return False
            if select.select([self.sock], [], [], min(left, 0.01))[0]:
                self.receive()
        return True


class Checks:
    """The count of a client that says how each of its checks went."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, text, good, conn=None):
        print(("ok   " if good else "FAIL ") + text)
        self.passed += bool(good)
        self.failed += not good
        if not good and conn:
            print("\n".join("     " + x for x in conn.describe()))


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
        self.tsvals = set()   # that we sent
        self.sent = {}        # where what we sent ends, by where it begins
        self.acked = None     # highest acknowledgment of the server's
        self.granted = 0      # right edge of its window
        self.last_tsval = self.last_tsecr = None
        self.irs = None       # number of the server's first byte
        self.rcv = 0          # offset of what we acknowledge
        self.edge = 0         # highest offset that we ever allowed
        self.highest = 0      # offset of a segment seen
        self.end = 0          # offset behind the last byte or FIN seen
        self.fin_seen = None  # offset of the FIN, held or not
        self.fin_off = None
        self.bytes = bytearray()
        self.seen = bytearray()  # 1: was on the wire
        self.held = bytearray()  # 1: and not lost
        self.log = []
        self.faults = []
        self.scaled = False   # is its window field shifted?
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
        value = (self.tsbase + age_ms) & MASK
        self.tsvals.add(value)
        return value

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
             options=None, header=None, partial=False):
        """ack: an offset. A segment as told; changes no state but the edge."""
        ack = self.rcv if ack is None else ack
        wnd = self.wnd if wnd is None else wnd
        if self.irs is not None:
            shift = min(self.wscale, 14) if self.wscale is not None else 0
            self.edge = max(self.edge, ack + (wnd << shift))
        seq = (self.snd if seq is None else seq) & MASK
        end = (seq + len(data) + bool(flags & FIN) + bool(flags & SYN)) & MASK
        if diff(end, self.sent.get(seq, seq)) > 0:
            self.sent[seq] = end
        self.wire.send(build_tcp(
            self.wire.src, self.wire.dst, self.port, 80, seq, (self.irs or 0) + ack, flags,
            wnd, self.options() if options is None else options, data, header,
            partial))

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
        tsval, tsecr, sack, kinds = parse_options(options)
        if flags & SYN:
            self.irs = (seq + 1) & MASK
            self.edge = self.wnd  # never scaled in a SYN
            self.scaled = 3 in kinds
            self.end = self.highest = 0
            self.acked = None
        off = 0 if self.irs is None else (seq - self.irs) & MASK
        segment = Segment(time.monotonic(), off, seq, ack, flags, wnd, data,
                          tsval, tsecr, sack)
        self.log.append(segment)
        if self.irs is None:
            return
        if flags & RST:
            self.check_reset(segment)
            return
        if not self.overtaken(segment):
            self.check_ack(segment)
        self.check_options(segment, kinds)
        if flags & SYN:
            return
        self.check_numbers(segment, len(options))
        if data:
            self.check_bytes(segment)
        if not (data or flags & FIN) or self.lose(segment):
            return
        self.held[off:off + len(data)] = b"\1" * len(data)
        if flags & FIN:
            self.fin_off = off + len(data)
        if self.auto_ack:
            self.ack_all()

    # --- what a server never may do ---

    def fault(self, text, *values):
        self.faults.append(text % values)

    def overtaken(self, segment):
        """New data, but numbers beyond were used already: XDP answered while
        this lay in the reactor's tx ring. As if the network had done it."""
        off = segment.off
        return segment.data and off < self.highest and \
            not all(self.seen[off:off + len(segment.data)] or b"\0")

    def left_out(self):
        """At the end: has it used a number beyond what it has sent?"""
        if self.irs is not None and (self.highest > self.end or
                                     0 in self.seen):
            return ["%d were left out" % (self.highest - self.end)]
        return []

    def sent_until(self, start):
        """Number behind what we sent without a gap from a number on."""
        at = start
        for begin, end in sorted(self.sent.items(),
                                 key=lambda x: diff(x[0], start)):
            if diff(begin, at) <= 0 < diff(end, at):
                at = end
        return at

    def check_ack(self, segment):
        ack, wnd = segment.ack, segment.wnd
        if not segment.flags & ACK:
            return self.fault("no ACK flag")
        if self.acked is None:
            self.acked, self.granted = ack, ack
        if diff(ack, self.acked) < 0:
            return self.fault("acknowledgment goes back by %d",
                              diff(self.acked, ack))
        if diff(ack, self.sent_until(self.acked)) > 0:
            self.fault("acknowledges %d that were not sent",
                       diff(ack, self.sent_until(self.acked)))
        self.acked = ack
        unit = 128 if self.scaled and not segment.flags & SYN else 1
        edge = (ack + wnd * unit) & MASK
        if diff(self.granted, edge) >= unit:  # RFC 7323, 2.4: less is rounding
            self.fault("window shrinks by %d", diff(self.granted, edge))
        if diff(edge, self.granted) > 0:
            self.granted = edge
        return None

    def check_options(self, segment, kinds):
        syn = segment.flags & SYN
        if (segment.tsval is not None) != bool(self.timestamps):
            self.fault("timestamps: %s", kinds)
        elif self.timestamps:
            self.check_timestamp(segment)
        allowed = {8} | ({5} if self.sack and not syn else set()) | \
            ({2, 3, 4} if syn else set())
        if syn and (self.wscale is None) != (3 not in kinds):
            self.fault("window scale not as asked for: %s", kinds)
        if syn and bool(self.sack) != (4 in kinds):
            self.fault("SACK-permitted not as asked for: %s", kinds)
        if set(kinds) - allowed:
            self.fault("options %s", kinds)
        for start, end in segment.sack:
            if diff(end, start) <= 0 or end not in self.sent.values() and \
               diff(end, max(self.sent.values(), key=lambda x: diff(
                   x, segment.ack))) > 0:
                self.fault("SACK of what was not sent")

    def check_timestamp(self, segment):
        """RFC 7323, 3: an echo is of what we sent. Neither goes back."""
        tsval, tsecr = segment.tsval, segment.tsecr
        if tsecr not in self.tsvals:
            self.fault("echoes timestamp %d, never sent", tsecr)
        if not segment.flags & SYN and not self.overtaken(segment):
            if diff(tsval, self.last_tsval) < 0:
                self.fault("its time goes back by %d",
                           diff(self.last_tsval, tsval))
            if diff(tsecr, self.last_tsecr) < 0:
                self.fault("its echo goes back by %d",
                           diff(self.last_tsecr, tsecr))
        self.last_tsval, self.last_tsecr, self.tsecr = tsval, tsecr, tsval

    def check_reset(self, segment):
        """One that we would accept (RFC 9293, 3.5.2 and 3.5.3)."""
        if segment.data:
            self.fault("RST with data")
        if diff(segment.seq, self.irs + self.rcv) and segment.off > self.end:
            self.fault("RST of %d, expected %d to %d", segment.off, self.rcv,
                       self.end)

    def check_numbers(self, segment, options_len):
        off, end = segment.off, segment.off + len(segment.data)
        fin = bool(segment.flags & FIN)
        mss = max(MSS_DEFAULT if self.mss is None else self.mss, MSS_LEAST)
        if self.wire.is_v6 and self.mss is None:
            mss = MSS_DEFAULT_V6
        if len(segment.data) + options_len > mss and segment.data:
            self.fault("%d bytes and %d of options, MSS %d", end - off,
                       options_len, mss)
        if end > self.edge and len(segment.data) > 1:  # 1: a window probe
            self.fault("to %d, window to %d", end, self.edge)
        if self.fin_seen is not None and (end > self.fin_seen + 1 or segment.
                                          data and end > self.fin_seen):
            self.fault("to %d, behind the FIN at %d", end, self.fin_seen)
        if fin and self.fin_seen not in (None, end):
            self.fault("FIN at %d, it was at %d", end, self.fin_seen)
        if fin:
            self.fin_seen = end
        if off != MASK:
            self.highest = max(self.highest, off)
            self.end = max(self.end, end + fin)

    def check_bytes(self, segment):
        off, end = segment.off, segment.off + len(segment.data)
        if end > PACKET_MAX * 16:
            self.fault("sequence number far away: %d", off)
            return
        missing = end - len(self.bytes)
        if missing > 0:
            for buf in (self.bytes, self.seen, self.held):
                buf.extend(bytes(missing))
        for i in range(off, end):
            if self.seen[i] and self.bytes[i] != segment.data[i - off]:
                self.fault("another byte at %d", i)
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
                (x.off, diff(x.ack, self.snd), x.flags, x.wnd, len(x.data))
                for x in self.log[-20:]]

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

    def open(self, rtt_ms=0):
        """rtt_ms: the handshake's ACK echoes a timestamp older by this, so that
        the server takes the round trip for a long one: its timers give even a
        client that waits for the CPU the time to act before them."""
        if not self.syn():
            raise TimeoutError("no SYN-ACK")
        echo, self.tsecr = self.tsecr, (self.tsecr - rtt_ms) & MASK
        self.send()
        self.tsecr = echo
        return self
