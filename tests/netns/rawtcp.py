#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Scenarios of TCP that no kernel's client would play on demand, against a
running dawnd. Each is named by the rule it is about. Beside its own checks,
no segment of its connections may have broken a rule (see rawtcp.Connection).

usage: rawtcp.py IFNAME SERVER_MAC SERVER VLAN ROOT [SCENARIO]...
SERVER: IPv4 or IPv6. VLAN: of every frame; 0: untagged.
Expects in ROOT: hot0, hot1 (small), ten.bin (ten segments), all promoted, and
big.bin (more than the kernel cache takes). Prints `N passed, N failed`."""
import os
import sys
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import rawtcp  # noqa: E402  (the path must be set first)
from rawtcp import ACK, FIN, MASK, PSH, RST, SYN  # noqa: E402

ADDRESS, ADDRESS_V6 = "198.18.0.%d", "2001:db8::%d"


class Bench(rawtcp.Checks):
    """The wire, the files, the connections of a scenario, the count."""

    def __init__(self, ifname, mac, server, vlan, root):
        super().__init__()
        address = (ADDRESS_V6 if ":" in server else ADDRESS) % (
            100 + int(vlan))
        tags = [(rawtcp.ETH_8021Q, int(vlan))] if int(vlan) else []
        self.wire = rawtcp.Wire(ifname, mac, address, server, tags)
        # An Ethernet MTU, less timestamps, a multiple of 16.
        self.smss = 1424 if self.wire.is_v6 else 1440
        self.root = root
        self.conns = []

    def file(self, name):
        with open(os.path.join(self.root, name), "rb") as f:
            return f.read()

    def connection(self, **how):
        conn = rawtcp.Connection(self.wire, **how)
        self.conns.append(conn)
        return conn

    def open(self, rtt_ms=0, **how):
        return self.connection(**how).open(rtt_ms)

    def whole(self, conn, start, *names):
        """Are these files' responses what is held from an offset on? What
        follows them is not looked at."""
        stream = conn.stream(start)
        for name in names:
            head, found, rest = stream.partition(b"\r\n\r\n")
            body = self.file(name)
            if not found or not head.startswith(b"HTTP/1.1 200 ") or \
               not rest.startswith(body):
                return False
            stream = rest[len(body):]
        return True

    def await_whole(self, conn, start, *names):
        """Each new byte is looked at once the stream may be long enough."""
        need = start + sum(len(self.file(name)) for name in names)
        return conn.until(lambda: len(conn.stream(start)) + start > need and
                          self.whole(conn, start, *names))

    def get(self, conn, text, *names):
        """An ordinary exchange, acknowledged as it comes."""
        conn.auto_ack = True
        start = conn.rcv
        for name in names:
            conn.send_next(request(name))
        self.check(text, self.await_whole(conn, start, *names), conn)

    def closed(self, conn, text):
        """Nothing is left of the connection: an ACK is answered by RST."""
        conn.auto_ack = False
        for _ in range(20):
            conn.log = []
            conn.send()
            if conn.until(lambda: conn.flagged(RST), 0.5):
                break
        self.check(text, conn.flagged(RST), conn)

    def unacknowledged(self, name, warm=False, **how):
        """A connection that holds a whole response it has not acknowledged; its
        offset. warm: the server has taken an RTT sample before."""
        conn = self.open(**how)
        if warm:
            self.get(conn, "warm up", "hot0")
        conn.auto_ack = False
        start = conn.rcv
        conn.log = []
        conn.send_next(request(name))
        self.check("%s answered" % name, self.await_whole(conn, start, name),
                   conn)
        return conn, start


SCENARIOS = []


def scenario(rule):
    def add(function):
        SCENARIOS.append((rule, function))
        return function
    return add


def request(name):
    return ("GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % name).encode()


def forget(conn, start, end):
    """As if these bytes had been lost on the way."""
    conn.held[start:end] = bytes(end - start)


# --- loss of what XDP sent ---

@scenario("RFC 6298, 5.4-5.6: the only segment is lost")
def rto_single(b):
    conn, start = b.unacknowledged("hot0")
    end = len(conn.bytes)
    forget(conn, start, end)
    conn.log = []
    b.check("sent again", b.await_whole(conn, start, "hot0"), conn)
    b.check("once, from its first byte",
            [x.off for x in conn.with_data()] == [start], conn)
    conn.ack_all()
    b.get(conn, "the next", "hot1")


@scenario("RFC 6298, 5.4: the last segment is lost")
def rto_last(b):
    conn, start = b.unacknowledged("ten.bin", warm=True)
    last = conn.with_data()[-1].off
    forget(conn, last, len(conn.bytes))
    conn.log = []
    conn.ack_all()
    b.check("sent again", b.await_whole(conn, start, "ten.bin"), conn)
    b.check("and nothing else", {x.off for x in conn.with_data()} == {last},
            conn)
    conn.ack_all()
    b.get(conn, "the next", "hot1")


@scenario("RFC 6298, 5.4-5.6: all ten segments are lost")
def rto_all(b):
    conn, start = b.unacknowledged("ten.bin")
    forget(conn, start, len(conn.bytes))
    conn.log = []
    conn.auto_ack = True
    b.check("sent again", b.await_whole(conn, start, "ten.bin"), conn)
    b.check("the first one first", conn.with_data()[0].off == start, conn)
    b.get(conn, "the next", "hot1")


def lose_not_modified(b, fields):
    """A 304 of hot0 is lost, all of it: it comes again, with the same bytes."""
    conn = b.open()
    b.get(conn, "200", "hot0")
    head = conn.stream(0).partition(b"\r\n\r\n")[0]
    tag = [x for x in head.split(b"\r\n") if x.startswith(b"ETag: ")][0][6:]
    conn.auto_ack = False
    conn.log = []
    start = len(conn.bytes)
    conn.send_next(b"GET /hot0 HTTP/1.1\r\nHost: x\r\n" + fields +
                   b"If-None-Match: " + tag + b"\r\n\r\n")
    b.check("answered", conn.until(lambda: conn.stream(start).endswith(
        b"\r\n\r\n")), conn)
    first = conn.stream(start)
    b.check("304", first.startswith(b"HTTP/1.1 304 "), conn)
    forget(conn, start, len(conn.bytes))
    conn.log = []
    b.check("sent again", conn.until(lambda: conn.with_data()), conn)
    b.check("the same bytes", conn.with_data()[0].off == start and
            conn.with_data()[0].data == first, conn)
    conn.take()
    conn.ack_all()
    b.get(conn, "the next", "hot1")


@scenario("RFC 9110, 15.4.5 and 6298, 5.4: a 304 of XDP's is lost")
def not_modified_lost(b):
    lose_not_modified(b, b"")


@scenario("RFC 9110, 15.4.5 and 6298, 5.4: a 304 that an entry names is lost")
def not_modified_named(b):
    lose_not_modified(b, b"Cookie: a=b\r\n")


@scenario("RFC 6582: a partial ACK, then the rest")
def partial_ack(b):
    conn, start = b.unacknowledged("ten.bin")
    forget(conn, start + 3 * b.smss, len(conn.bytes))
    conn.log = []
    conn.auto_ack = True
    conn.ack_all()
    b.check("acknowledged three segments", conn.rcv == start + 3 * b.smss, conn)
    b.check("the rest is sent again", b.await_whole(conn, start, "ten.bin"),
            conn)
    b.check("from there", min(x.off for x in conn.with_data()) ==
            start + 3 * b.smss, conn)
    b.get(conn, "the next", "hot1")


def fast_retransmit(b, sack):
    # A loss probe sends the last segment; not before these ACKs.
    conn, start = b.unacknowledged("ten.bin", sack=sack, rtt_ms=900)
    forget(conn, start + b.smss, start + 2 * b.smss)
    conn.log = []
    conn.take()
    held = bytes(conn.held)
    for i in range(3, 8):  # what each ACK knew of
        conn.held[:] = held[:start + i * b.smss] + bytes(
            len(held) - start - i * b.smss)
        conn.send()  # the first is new, then four duplicates
    conn.held[:] = held
    b.check("the hole is sent again", b.await_whole(conn, start, "ten.bin"),
            conn)
    b.check("first of all", conn.with_data()[0].off == start + b.smss, conn)
    conn.ack_all()
    b.get(conn, "the next", "hot1")


@scenario("RFC 5681, 3.2: duplicate ACKs")
def duplicate_acks(b):
    fast_retransmit(b, False)


@scenario("RFC 2018: duplicate ACKs with SACK blocks")
def duplicate_acks_sack(b):
    fast_retransmit(b, True)


@scenario("RFC 5681: one segment acknowledged in many pieces")
def ack_splitting(b):
    conn, start = b.unacknowledged("ten.bin")
    for i in range(1, 200, 7):
        conn.send(ack=start + i)
    conn.ack_all()
    b.get(conn, "the next", "ten.bin", "hot1")


# --- the end ---

@scenario("RFC 9293, 3.6: our FIN+ACK is lost")
def fin_lost(b):
    conn = b.open()
    conn.lose = lambda segment: True
    conn.send_next(flags=FIN | ACK)
    b.check("FIN+ACK", conn.until(lambda: conn.flagged(FIN | ACK)), conn)
    b.check("sent again by itself",
            conn.until(lambda: len(conn.flagged(FIN | ACK)) >= 2), conn)
    conn.lose = lambda segment: False
    b.check("and again", conn.until(lambda: conn.rcv or conn.take()), conn)
    conn.send()
    b.closed(conn, "gone")


@scenario("RFC 9293, 3.10.7.4: the FIN twice, data behind it")
def fin_twice(b):
    conn = b.open()
    b.get(conn, "answered", "hot0")
    conn.auto_ack = False
    conn.log = []
    fin = conn.send_next(flags=FIN | ACK)
    b.check("FIN+ACK", conn.until(lambda: conn.flagged(FIN | ACK)), conn)
    conn.log = []
    conn.send(FIN | ACK, seq=fin)
    b.check("FIN+ACK again", conn.until(lambda: conn.flagged(FIN | ACK)), conn)
    conn.send(ACK | PSH, request("hot1"))
    conn.take()
    conn.send()
    b.closed(conn, "gone")
    b.check("data behind the FIN is not answered", not conn.with_data(), conn)


@scenario("RFC 9293, 3.6: half-close, FIN with the request")
def half_close(b):
    for name in ("hot0", "ten.bin", "big.bin"):
        conn = b.open()
        conn.auto_ack = True
        conn.send_next(request(name), ACK | PSH | FIN)
        b.check("%s whole" % name, b.await_whole(conn, 0, name), conn)
        b.check("and FIN",
                conn.until(lambda c=conn: c.fin_off == c.rcv - 1), conn)
        b.closed(conn, "gone")


@scenario("RFC 9293, 3.6: FIN right behind the request")
def fin_behind(b):
    conn = b.open()
    conn.send_next(request("ten.bin"))
    conn.send_next(flags=FIN | ACK)
    conn.auto_ack = True
    conn.ack_all()
    b.check("whole", b.await_whole(conn, 0, "ten.bin"), conn)
    b.check("and FIN", conn.until(lambda: conn.fin_off == conn.rcv - 1), conn)
    b.closed(conn, "gone")


# --- the window ---

@scenario("RFC 9293, 3.8.6.1: zero window, a probe, then an update")
def zero_window(b):
    for name in ("hot0", "ten.bin"):
        conn = b.open(wnd=0)
        conn.send_next(request(name))
        b.check("%s: something is sent" % name, conn.until(conn.with_data),
                conn)
        b.check("that is a probe of a byte",
                [len(x.data) for x in conn.with_data()] == [1], conn)
        conn.wnd = 60000
        conn.auto_ack = True
        conn.ack_all()
        b.check("window opens: whole", b.await_whole(conn, 0, name), conn)
        b.get(conn, "the next", "hot1")


@scenario("RFC 9293, 3.8.6: the window shuts inside a response")
def window_shuts(b):
    conn, start = b.unacknowledged("ten.bin")
    forget(conn, start + b.smss, len(conn.bytes))
    conn.log = []
    conn.take()
    conn.send(wnd=0)
    b.check("a probe", conn.until(conn.with_data), conn)
    b.check("of what is next", conn.with_data()[0].off == start + b.smss, conn)
    forget(conn, start + b.smss, len(conn.bytes))
    conn.auto_ack = True
    conn.ack_all()
    b.check("window opens: whole", b.await_whole(conn, start, "ten.bin"), conn)


@scenario("RFC 9293, 3.8.6.2: windows smaller than a segment")
def tiny_window(b):
    for wnd in (100, 700):
        conn = b.open(wscale=None, wnd=wnd)
        b.get(conn, "window of %d" % wnd, "ten.bin")
        b.check("needed many segments", len(conn.with_data()) >= 13900 // wnd,
                conn)
        conn.wnd = 60000
        conn.send()
        b.get(conn, "then a large one", "hot0")


@scenario("RFC 7323, 2.3: window scale")
def window_scale(b):
    for wscale, wnd in ((None, 60000), (0, 60000), (14, 4), (15, 4), (255, 4)):
        conn = b.open(wscale=wscale, wnd=wnd)
        b.get(conn, "shift %s" % wscale, "hot0", "big.bin")


# --- numbers ---

@scenario("RFC 9293, 3.4 and RFC 7323, 5.2: our numbers wrap")
def wraps(b):
    conn = b.open(isn=MASK - 30, tsval=MASK - 50)
    for names in (("hot0",), ("ten.bin", "big.bin"), ("hot0", "ten.bin")):
        b.get(conn, "right", *names)
        b.check("timestamps wrap", conn.until(lambda: conn.tsval() < 1 << 20))
    b.check("sequence numbers wrapped", conn.snd < 1 << 20)


@scenario("RFC 1122, 4.2.3.6: keep-alive probes")
def keep_alive(b):
    for name in (None, "hot0", "big.bin"):
        conn = b.open()
        if name:
            b.get(conn, "before: %s" % name, name)
        conn.auto_ack = False
        for garbage in (b"", b"\0"):
            conn.log = []
            conn.send(ACK, garbage, seq=conn.snd - 1)
            b.check("%d bytes: answered" % len(garbage),
                    conn.until(lambda c=conn: c.log), conn)
            b.check("by one ACK of what was there",
                    [(x.ack, x.flags) for x in conn.log] == [(conn.snd, ACK)],
                    conn)
        b.get(conn, "works after it", "hot0")


@scenario("RFC 1122, 4.2.3.6: a probe while a response is not acknowledged")
def keep_alive_unacked(b):
    conn, start = b.unacknowledged("hot0")
    conn.log = []
    conn.send(ACK, seq=conn.snd - 1)
    b.check("answered", conn.until(lambda: conn.flagged(ACK)), conn)
    b.check("with our number", conn.log[0].ack == conn.snd, conn)
    conn.ack_all()
    b.get(conn, "works after it", "hot1")


@scenario("RFC 9293, 3.10.7.4: an old duplicate of a request")
def old_request(b):
    conn, start = b.unacknowledged("hot0")
    seq = conn.snd - len(request("hot0"))
    conn.log = []
    conn.send(ACK | PSH, request("hot0"), seq=seq)
    b.check("before its ACK: answered", conn.until(lambda: conn.log), conn)
    conn.take()
    b.get(conn, "the next, which brings the ACK", "hot1")
    conn.auto_ack = False
    conn.log = []
    conn.send(ACK | PSH, request("hot0"), seq=seq, ack=start)
    b.check("after its ACK: answered", conn.until(lambda: conn.log), conn)
    b.check("by one ACK", [(x.ack, len(x.data)) for x in conn.log] ==
            [(conn.snd, 0)], conn)
    b.get(conn, "works after it", "hot1")


@scenario("RFC 5961, 3-5: numbers that prove nothing")
def blind(b):
    conn = b.open()
    for text, how in (
            ("ACK of what was never sent", {"ack": 5000}),
            ("RST inside the window", {"flags": RST, "seq": conn.snd + 10}),
            ("data beyond the window",
             {"flags": ACK | PSH, "data": b"x", "seq": conn.snd + 300000})):
        conn.log = []
        conn.send(**how)
        b.check("%s: answered" % text, conn.until(lambda: conn.log), conn)
        b.check("%s: by an ACK" % text, [(x.ack, x.flags) for x in conn.log] ==
                [(conn.snd, ACK)], conn)
    b.get(conn, "alive", "hot0")
    conn.send(RST)
    b.closed(conn, "RST of the exact number closes")


@scenario("RFC 5961, 4: SYN of a peer that has forgotten, same port")
def port_reuse(b):
    for name in (None, "hot0", "big.bin"):
        old = b.open()
        if name:
            b.get(old, "before: %s" % name, name)
        new = b.connection(port=old.port)
        new.send(SYN, options=new.syn_options())
        b.check("a challenge ACK", new.until(lambda n=new: n.log) and
                [x.flags for x in new.log] == [ACK], new)
        new.send(RST, seq=new.log[-1].ack, options=b"")
        b.check("after RST, SYN opens", new.syn(), new)
        new.send()
        b.get(new, "works", "hot0")


# --- requests ---

@scenario("RFC 9112, 9.3.2: requests while a response is not acknowledged")
def pipelined(b):
    conn = b.open()
    conn.send_next(request("ten.bin"))
    conn.send_next(request("hot1"))
    conn.auto_ack = True
    b.check("both, in order", b.await_whole(conn, 0, "ten.bin", "hot1"), conn)
    start = conn.rcv
    conn.send_next(request("hot0") + request("hot1"))
    b.check("a pair in one segment",
            b.await_whole(conn, start, "hot0", "hot1"), conn)
    b.get(conn, "three", "hot0", "big.bin", "hot1")


@scenario("RFC 9293, 3.10.7.4: a request in pieces")
def pieces(b):
    conn = b.open()
    conn.auto_ack = True
    for size in (1, 7, 20):
        start, data = conn.rcv, request("hot0")
        for i in range(0, len(data), size):
            conn.send_next(data[i:i + size])
        b.check("of %d bytes" % size, b.await_whole(conn, start, "hot0"), conn)
    start, data, seq = conn.rcv, request("hot1"), conn.snd
    for i in range(len(data) - 1, -1, -5):  # the last piece first
        at = max(i - 4, 0)
        conn.send(ACK, data[at:i + 1], seq=seq + at)
    conn.snd = (seq + len(data)) & MASK
    b.check("backwards", b.await_whole(conn, start, "hot1"), conn)
    b.get(conn, "the next", "hot0")


@scenario("RFC 9293, MUST-3: a sum that is partial by chance proves nothing")
def partial_sum(b):
    conn = b.open()
    conn.auto_ack = True
    start, data = conn.rcv, request("hot1")
    for i in range(10):  # the reactor's by now, and summed by us
        conn.send_next(data[i:i + 1])
    conn.send(ACK | PSH, b"#" * (len(data) - 10), partial=True)
    conn.send_next(data[10:])
    b.check("what it covers is not taken", b.await_whole(conn, start, "hot1"),
            conn)
    b.get(conn, "the next", "hot0")
    conn = b.open()
    conn.auto_ack = True
    for name in ("hot0", "hot1"):
        start, data = conn.rcv, request(name)
        for i in range(0, len(data), 5):
            conn.send(ACK | PSH, data[i:i + 5], partial=True)
            conn.snd = (conn.snd + len(data[i:i + 5])) & MASK
        b.check("of a sender whose sums are all partial, %s" % name,
                b.await_whole(conn, start, name), conn)


# --- the beginning ---

@scenario("RFC 9293, 3.10.7: what may come with the handshake's ACK")
def handshakes(b):
    conn = b.connection()
    b.check("SYN-ACK", conn.syn(), conn)
    b.get(conn, "ACK with data", "hot0")
    conn = b.connection()
    b.check("SYN-ACK", conn.syn(), conn)
    conn.send_next(flags=ACK | FIN)
    b.check("ACK with FIN", conn.until(lambda: conn.flagged(FIN | ACK)), conn)
    conn.ack_all()
    b.closed(conn, "gone")
    conn = b.connection()
    b.check("SYN with data", conn.syn(request("hot1")), conn)
    b.get(conn, "whose data is not taken", "hot0")


@scenario("RFC 9293, 3.7.1: MSS none, least, odd")
def mss(b):
    for size in (None, 0, 1, 63, 128, 129, 536, 1459, 65535):
        for timestamps in (True, False):
            conn = b.open(mss=size, timestamps=timestamps)
            b.get(conn, "MSS %s, timestamps %s" % (size, timestamps), "hot0",
                  "ten.bin")


BAD_OPTIONS = (
    ("of length 0", b"\x08\0" + b"\0" * 10),
    ("of length 1", b"\x08\1" + b"\0" * 10),
    ("over the end", b"\1\1\1\x08"),
    ("longer than the rest", b"\1\1\x08\x0b" + b"\0" * 8),
)


@scenario("RFC 9293, MUST-7: malformed options on SYN")
def syn_malformed(b):
    for text, options in BAD_OPTIONS:
        conn = b.connection()
        conn.send(SYN, seq=conn.snd - 1000, options=options)
        b.check("a good SYN after one %s" % text, conn.syn(), conn)
        b.check("the only one answered", len(conn.log) == 1, conn)


@scenario("RFC 9293, MUST-7: malformed options and header lengths on data")
def data_malformed(b):
    conn = b.open()
    cases = [(text, {"options": options}) for text, options in BAD_OPTIONS]
    cases += [("header of %d" % n, {"header": n}) for n in (0, 16)]
    for text, how in cases:
        conn.send(ACK | PSH, request("hot1"), **how)
        b.get(conn, "not taken: %s" % text, "hot0")


@scenario("RFC 9293, MUST-6: an option nobody knows")
def unknown_option(b):
    conn = b.open(timestamps=False)
    conn.send(ACK | PSH, request("hot1"), options=b"\xfe\4\0\0")
    conn.snd = (conn.snd + len(request("hot1"))) & MASK
    conn.auto_ack = True
    b.check("taken", b.await_whole(conn, 0, "hot1"), conn)
    b.get(conn, "the next", "hot0")


def run(b, rule, function):
    print("-- %s: %s" % (function.__name__, rule))
    b.conns = []
    try:
        function(b)
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc(file=sys.stdout)
        b.check("runs to its end", False)
    faults = [x for conn in b.conns for x in conn.faults + conn.left_out()]
    b.check("no segment broke a rule %s" % faults[:5], not faults)
    for conn in b.conns:  # leave no retransmissions to the next
        if conn.irs is not None:
            conn.send(RST, options=b"")


def main():
    b = Bench(*sys.argv[1:6])
    for rule, function in SCENARIOS:
        if not sys.argv[6:] or function.__name__ in sys.argv[6:]:
            run(b, rule, function)
    print("%d passed, %d failed" % (b.passed, b.failed))
    return 1 if b.failed or not b.passed else 0


sys.exit(main())
