#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Each event of a connection, met by each half of the server.

A cell is an event (a duplicate, a loss, a FIN, ...) x what came before it x a
family. What came before says who owns the flow when the event comes:

    idle     XDP, everything is acknowledged
    xdp      XDP, its response is not acknowledged yet
    reactor  the reactor, its response is not acknowledged yet
    taken    the reactor took the flow over with XDP's response unacknowledged
    given    the reactor gave it back to XDP with its response unacknowledged
    new      nothing: the event is of the handshake

Families: v4, v6, and both tagged: vlan, vlan6. Of each cell: all answers byte for byte,
every request executed once (counters of both halves), no counter of drops or
resets moved but those it names, the flow back with XDP, one more hit, closed,
its entry free.

usage: halves.py DAWN DEV PIN_DIR IFNAME SERVER_MAC SERVER SERVER6 ROOT [CELL]...
DAWN: the command, as one word. CELL: EVENT[/BEFORE[/FAMILY]]. Prints `N passed, N failed`."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cells import (BEFORE, EVENTS, FAMILIES, KERNEL, NEW,  # noqa: E402
                   OUTSTANDING, Table, event, post, request)
from rawtcp import ACK, FIN, MASK, PSH, RST, SYN, diff  # noqa: E402

# --- loss of what was sent ---

@event(OUTSTANDING, slow=True)
def lost(c):
    """RFC 6298: the whole response is lost; the same bytes come again, so the
    Date of then. (A tail loss probe, RFC 8985, 7, may come before.)"""
    conn = c.begin("ten.bin")
    c.forget(c.start)
    conn.auto_ack = True
    c.await_answers("sent again", c.start, *c.first("ten.bin"))
    c.expect(kernel_retransmit=c.before in ("xdp", "given"))


@event(OUTSTANDING, slow=True)
def tail(c):
    """The last segment is lost, and nothing else is sent again."""
    conn = c.begin("ten.bin")
    last = c.bounds[-1]
    c.forget(last)
    conn.ack_all()
    c.await_answers("sent again", c.start, *c.first("ten.bin"))
    c.check("and nothing else", {x.off for x in conn.with_data()} == {last})


def hole(c, sack):
    """The second segment is lost, which the peer says by duplicate ACKs."""
    conn = c.begin("ten.bin", sack=sack)
    at = c.bounds[1]
    c.forget(at, c.bounds[2])
    conn.take()
    held = bytes(conn.held)
    for end in c.bounds[3:8]:  # what each ACK knew of
        conn.held[:] = held[:end] + bytes(len(held) - end)
        conn.send()
    conn.held[:] = held
    conn.auto_ack = True
    c.await_answers("sent again", c.start, *c.first("ten.bin"))
    c.check("from its first byte", at in [x.off for x in conn.with_data()])
    c.expect(tcp_fast_retransmit=1)


@event(OUTSTANDING)
def dup_acks(c):
    """RFC 5681, 3.2."""
    hole(c, False)


@event(OUTSTANDING)
def sack_blocks(c):
    """RFC 6675, RFC 8985."""
    hole(c, True)


# --- requests that come twice ---

@event(OUTSTANDING)
def again_unacked(c):
    """The request again, its answer not acknowledged: answered by an ACK or the
    same bytes, never executed."""
    conn = c.begin()
    data = c.requests[-1]
    conn.send(ACK | PSH, data, seq=conn.snd - len(data))
    c.check("answered", conn.until(lambda: conn.log))
    c.check("acknowledged", conn.log[0].ack == conn.snd)


@event(BEFORE)
def again_acked(c):
    """The request again, as it was, its answer acknowledged: one ACK."""
    conn = c.begin()
    conn.ack_all()
    c.await_owner(KERNEL, "acknowledged")
    data = c.requests[-1]
    c.silent("duplicate", lambda: conn.send(
        ACK | PSH, data, seq=conn.snd - len(data), ack=c.start), (ACK, False))


@event(BEFORE)
def again_after_later(c):
    """A request again after a later one was taken: one ACK."""
    conn = c.begin(warm=True)
    old, data = c.warm_seq, c.requests[0]
    c.silent("old duplicate", lambda: conn.send(
        ACK | PSH, data, seq=old, ack=c.warm_start), (ACK, False))


@event(BEFORE)
def again_post(c):
    """A POST again, its answer unacknowledged, then acknowledged."""
    conn = c.begin()
    conn.take()
    data, body = post(b"x" * 700), b"x" * 700
    start, seq = conn.end, conn.send_next(data)
    c.await_answers("POST", start, (200, body))
    c.expect(http_requests=1)
    for text in ("before its ACK", "after its ACK"):
        conn.log = []
        conn.send(ACK | PSH, data, seq=seq, ack=start)
        c.check("%s: answered" % text, conn.until(lambda: conn.log))
        conn.ack_all()
        c.await_owner(KERNEL, "acknowledged")
    c.silent("again", lambda: conn.send(ACK | PSH, data, seq=seq, ack=start),
             (ACK, False))


# --- requests in pieces ---

def pieces(c, at, order):
    """A GET, or a POST, cut in two; both from where they may not be cut, too."""
    conn = c.begin()
    conn.take()
    start, data = conn.end, request("hot2")
    cut = {"first_byte": 1, "mid_header": len(data) // 2,
           "before_end": len(data) - 4, "last_byte": len(data) - 1}[at]
    seq, conn.auto_ack = conn.snd, True
    parts = {"in_order": ((0, cut), (cut, len(data))),
             "backwards": ((cut, len(data)), (0, cut)),
             "overlapping": ((0, cut), (max(cut - 5, 0), len(data)), (0, cut)),
             "in_three": ((cut, len(data)), (0, 1), (0, cut),
                          (0, len(data)))}[order]
    for a, b in parts:
        conn.send(ACK, data[a:b], seq=seq + a)
    conn.snd = (seq + len(data)) & MASK
    c.await_answers("answered", start, "hot2")
    c.expect(http_requests=1)


for _at in ("first_byte", "mid_header", "before_end", "last_byte"):
    for _order in ("in_order", "backwards", "overlapping", "in_three"):
        event(name="pieces_%s_%s" % (_at, _order))(
            lambda c, at=_at, order=_order: pieces(c, at, order))


# --- requests while a response is not acknowledged ---

@event(OUTSTANDING)
def get_unacked(c):
    """A GET that acknowledges nothing of the response before it."""
    conn = c.begin()
    start = conn.end
    conn.send_next(request("hot2"))
    c.await_answers("answered", start, "hot2")
    c.expect(http_requests=1)


@event(BEFORE)
def get_acks(c):
    """A GET that acknowledges the response before it: of the half that holds
    the flow."""
    conn = c.begin()
    conn.take()
    start = conn.end
    conn.send_next(request("hot2"))
    c.await_answers("answered", start, "hot2")
    c.expect(http_requests=c.user, http_hit=not c.user)


@event(BEFORE)
def pair_in_one(c):
    """RFC 9112, 9.3.2."""
    conn = c.begin()
    conn.take()
    start = conn.end
    conn.send_next(request("hot2") + request("hot3"))
    c.await_answers("answered", start, "hot2", "hot3")
    c.expect(http_requests=2)


@event(BEFORE)
def pair_in_two(c):
    """XDP answers the first if it holds the flow."""
    conn = c.begin()
    conn.take()
    start = conn.end
    conn.send_next(request("hot2"))
    conn.send_next(request("hot3"))
    c.await_answers("answered", start, "hot2", "hot3")
    c.expect(http_requests=1 + c.user, http_hit=not c.user)


# --- the end ---

@event(BEFORE)
def get_with_fin(c):
    conn = c.begin()
    conn.take()
    start = conn.end
    conn.send_next(request("hot2"), ACK | PSH | FIN)
    c.await_answers("answered", start, "hot2")
    c.expect(http_requests=1)
    c.closes()


@event(BEFORE)
def fin_alone(c):
    """With the response before it unacknowledged."""
    conn = c.begin()
    conn.send_next(flags=ACK | FIN)
    c.check("FIN", conn.until(lambda: conn.flagged(FIN)))
    c.closes()


@event(BEFORE, slow=True)
def fin_lost(c):
    """Our FIN is lost: it comes again by itself, and again if asked for."""
    conn = c.begin()
    conn.take()
    conn.lose = lambda segment: segment.flags & FIN
    fin = conn.send_next(flags=ACK | FIN)
    c.check("FIN", conn.until(lambda: conn.flagged(FIN)))
    conn.log = []
    conn.send(ACK | FIN, seq=fin)
    c.check("the peer's again: answered", conn.until(lambda: conn.log))
    c.check("acknowledged", conn.log[0].ack == conn.snd)
    conn.log = []
    c.check("FIN by itself", conn.until(lambda: conn.flagged(FIN), 20))
    conn.lose = lambda segment: False
    conn.log = []
    c.check("and again", conn.until(lambda: conn.flagged(FIN), 20))
    conn.auto_ack = True
    conn.ack_all()
    c.await_owner(None, "at the end")
    c.over = True


@event(BEFORE)
def data_after_fin(c):
    """RFC 9293, 3.10.7.4: it is ignored."""
    conn = c.begin()
    conn.take()
    conn.send_next(flags=ACK | FIN)
    c.check("FIN", conn.until(lambda: conn.flagged(FIN)))
    conn.send(ACK | PSH, request("hot2"))
    conn.send(ACK | PSH, post(b"x"), seq=conn.snd - 1)
    end = conn.end
    c.closes()
    c.check("nothing is sent for it", conn.end == end)


@event(BEFORE)
def half_close(c):
    """The rest of a long response comes after the FIN."""
    conn = c.begin()
    conn.take()
    start, conn.auto_ack = conn.end, True
    conn.send_next(request("big.bin"))
    conn.send_next(flags=ACK | FIN)
    c.await_answers("whole", start, "big.bin")
    c.expect(http_requests=1)
    c.closes()


@event(BEFORE)
def rst_exact(c):
    """RFC 5961, 3: it closes, amidst a response."""
    conn = c.begin("ten.bin")
    conn.send(RST | ACK)
    c.await_owner(None, "after RST")
    c.expect(tcp_rst_received=c.user, rst_sent=1, cookie_bad=1)
    conn.log = []
    conn.ack_all()
    c.check("an ACK is answered by RST", conn.until(lambda: conn.log) and
            [x.flags & RST for x in conn.log] == [RST])
    c.over = True


@event(BEFORE)
def rst_in_window(c):
    """RFC 5961, 3.2: a challenge ACK."""
    conn = c.begin()
    c.silent("RST", lambda: conn.send(RST, seq=conn.snd + 10), (ACK, False))
    c.expect(tcp_challenge_ack=c.user, challenge_ack=not c.user)


@event(BEFORE)
def rst_outside(c):
    """Old and far: nothing is said. The next event marks the end of nothing."""
    conn = c.begin()
    for seq in (conn.snd - 1, conn.snd + 0x10000000):
        conn.send(RST, seq=seq)
    c.expect(rst_unproven=0 if c.user else 2)


@event(BEFORE)
def syn_established(c):
    """RFC 5961, 4: a challenge ACK, whatever its number."""
    conn = c.begin()
    for seq in (conn.snd - 1, conn.snd + 10, conn.snd + 0x10000000):
        c.silent("SYN", lambda s=seq: conn.send(
            SYN, seq=s, ack=-conn.irs, options=conn.syn_options()),
            (ACK, False))
    c.expect(tcp_challenge_ack=3 * c.user, challenge_ack=3 * (not c.user))


# --- the window ---

@event(OUTSTANDING, slow=True)
def window_shuts(c):
    """RFC 9293, 3.8.6.1: zero inside a response, probes, then it opens."""
    conn = c.begin("ten.bin")
    c.forget(c.bounds[1])
    conn.take()
    conn.send(wnd=0)
    c.check("a probe of a byte, of what is next", conn.until(
        conn.with_data, 20) and [(x.off, len(x.data)) for x in
                                 conn.with_data()] == [(c.bounds[1], 1)])
    c.forget(c.bounds[1])
    conn.auto_ack = True
    conn.ack_all()
    c.await_answers("whole", c.start, *c.first("ten.bin"))


@event(BEFORE)
def window_of_one_segment(c):
    """A response larger than the window is the reactor's."""
    conn = c.begin(wscale=None, wnd=4000)
    conn.take()
    start, conn.auto_ack = conn.end, True
    conn.send_next(request("ten.bin"))
    c.await_answers("whole", start, "ten.bin")
    c.expect(http_requests=1)


@event(BEFORE, slow=True)
def window_tiny(c):
    """RFC 9293, 3.8.6.2.1: no crumbs smaller than the window."""
    conn = c.begin()
    conn.take()
    conn.wnd = 1
    start, conn.auto_ack = conn.end, True
    conn.send_next(request("hot0"))
    c.await_answers("whole", start, "hot0")
    c.check("as few segments as the window allows", len(
        conn.with_data()) <= (conn.end - start) // 128 + 2)
    c.expect(http_requests=1)
    conn.wnd = 60000


def mss(c, size):
    """Ten segments at most are XDP's."""
    conn = c.begin(mss=size)
    conn.take()
    start, conn.auto_ack = conn.end, True
    conn.send_next(request("ten.bin"))
    c.await_answers("whole", start, "ten.bin")
    xdp = size >= 1440 and not c.user
    c.expect(http_requests=not xdp, http_hit=xdp)


for _size in (88, 536, 1220, 1460):
    event(name="mss_%d" % _size)(lambda c, size=_size: mss(c, size))


@event(BEFORE)
def no_options(c):
    """Neither timestamps nor SACK nor window scale."""
    conn = c.begin(timestamps=False, sack=False, wscale=None)
    conn.take()
    start, conn.auto_ack = conn.end, True
    conn.send_next(request("ten.bin"))
    c.await_answers("whole", start, "ten.bin")
    c.expect(http_requests=c.user, http_hit=not c.user)


# --- the beginning ---

@event(NEW)
def syn_again(c):
    """The SYN twice: two SYN-ACKs, one connection."""
    conn = c.connect()
    conn.syn()
    conn.send(SYN, seq=conn.snd - 1, ack=0, options=conn.syn_options())
    c.check("answered again", conn.until(
        lambda: len(conn.flagged(SYN | ACK)) == 2))
    conn.send()


@event(NEW)
def cookie_ack_get(c):
    """The handshake's ACK comes with a request: XDP answers."""
    c.connect().syn()
    c.hit("hot0")


@event(NEW)
def cookie_ack_post(c):
    """The same, of a request that is the reactor's."""
    conn = c.connect()
    conn.syn()
    conn.auto_ack = True
    conn.send_next(post(b"y" * 900))
    c.await_answers("POST", 0, (200, b"y" * 900))
    c.expect(http_requests=1, to_user=1)


@event(NEW)
def cookie_ack_fin(c):
    """The handshake's ACK is lost, the next is a FIN."""
    conn = c.connect()
    conn.syn()
    conn.send_next(flags=ACK | FIN)
    c.check("FIN", conn.until(lambda: conn.flagged(FIN)))
    c.closes()


@event(NEW)
def cookie_ack_get_fin(c):
    conn = c.connect()
    conn.syn()
    conn.send_next(request("hot0"), ACK | PSH | FIN)
    c.await_answers("answered", 0, "hot0")
    c.expect(http_requests=1)
    c.closes()


@event(NEW)
def cookie_forged(c):
    """An ACK that proves nothing: a RST, no flow, nothing executed."""
    conn = c.connect()
    conn.irs = 12345
    for data in (b"", request("hot0")):
        conn.log = []
        conn.send(ACK, data)
        c.check("RST", conn.until(lambda: conn.log) and
                [x.flags & RST for x in conn.log] == [RST])
    c.check("no flow", c.owner() is None)
    c.expect(rst_sent=2, cookie_bad=2)
    c.over = True


# --- after the end ---

def replays(c):
    """What once opened the connection comes again: within a cookie's life the
    cookie would still prove itself."""
    conn = c.conn
    c.await_owner(None, "closed")
    isn = min(conn.sent, key=lambda x: diff(x, conn.snd))
    for data in (b"", c.requests[0]):
        for _ in range(2):
            conn.log = []
            conn.send(ACK, data, seq=isn + 1, ack=0)
            c.check("RST", conn.until(lambda: conn.log) and
                    [x.flags & RST for x in conn.log] == [RST])
    c.check("no flow", c.owner() is None)
    c.expect(rst_sent=4, cookie_replayed=4)
    c.over = True


@event(BEFORE)
def replay_after_fin(c):
    conn = c.begin()
    conn.send_next(flags=ACK | FIN)
    c.check("FIN", conn.until(lambda: conn.flagged(FIN)))
    c.closes()
    replays(c)


@event(BEFORE)
def replay_after_rst(c):
    conn = c.begin()
    conn.send(RST | ACK)
    c.expect(tcp_rst_received=c.user)
    replays(c)


def close_by_server(c, **how):
    """To TIME_WAIT, which is the flow entry's, whoever had the connection.
    Return: number of our FIN."""
    conn = c.begin(**how)
    conn.take()
    start, conn.auto_ack = conn.end, True
    conn.send_next(request("hot2", "Connection: close\r\n"))
    c.await_answers("answered", start, "hot2")
    c.expect(http_requests=1, time_wait=1)
    c.check("FIN", conn.until(
        lambda: conn.fin_off is not None and conn.rcv > conn.fin_off))
    fin = conn.send_next(flags=ACK | FIN)
    c.check("acknowledged", conn.until(lambda: conn.log[-1].ack == conn.snd))
    c.check("TIME-WAIT", conn.until(
        lambda: c.table.flows.state(conn) == "TIME-WAIT"))
    c.await_owner(KERNEL, "TIME-WAIT")
    return fin


@event(BEFORE)
def time_wait(c):
    """RFC 9293, 3.6.1: our FIN again is acknowledged; RFC 6191: an older SYN is
    not taken, a newer one is."""
    fin, old = close_by_server(c), c.conn
    for _ in range(2):
        c.silent("FIN again", lambda: old.send(ACK | FIN, seq=fin),
                 (ACK, False))
    new = c.connect(port=old.port, isn=old.snd + 1000,
                    tsval=old.tsval() - 100000)
    c.silent("older SYN", lambda: new.send(
        SYN, ack=0, options=new.syn_options()), (ACK, False))
    c.check("of the old connection", new.log[0].ack == old.snd)
    c.expect(challenge_ack=1, time_wait_reused=1)
    new = c.connect(port=old.port, isn=old.snd + 1000,
                    tsval=old.tsval() + 1000)
    c.check("newer SYN", new.syn())
    new.send()
    c.check("a new connection", new.until(
        lambda: c.table.flows.state(new) == "ESTABLISHED"))


@event(BEFORE)
def time_wait_plain(c):
    """Without timestamps: a SYN whose number is not beyond the old ones is
    challenged (RFC 9293, 3.10.7.4)."""
    close_by_server(c, timestamps=False)
    old = c.conn
    new = c.connect(port=old.port, isn=old.snd - 50, timestamps=False)
    c.silent("older SYN", lambda: new.send(
        SYN, ack=0, options=new.syn_options()), (ACK, False))
    c.check("of the old connection", new.log[0].ack == old.snd)
    c.expect(challenge_ack=1)
    new.send(RST, seq=old.snd, ack=0)
    c.await_owner(None, "RST")
    c.over = True


@event(BEFORE)
def time_wait_rst(c):
    """The answer of a peer that has forgotten the connection ends it."""
    close_by_server(c)
    c.conn.send(RST)
    c.await_owner(None, "RST")
    c.over = True


def chosen(args):
    for name, (_, befores, slow) in EVENTS.items():
        for before in befores:
            families = [f for f in FAMILIES if not args or any(
                ("%s/%s/%s/" % (name, before, f)).startswith(a + "/")
                for a in args)]
            if families:
                yield slow, name, before, families


def main():
    table = Table(*sys.argv[1:9])
    slow = []
    for is_slow, name, before, families in chosen(sys.argv[9:]):
        batch = [table.make(name, before, f) for f in families]
        if is_slow:
            slow += batch
        else:
            table.run("%s/%s" % (name, before), batch)
    if slow:
        table.run("those that wait for timers", slow)
    print("%d passed, %d failed" % (table.passed, table.failed))
    return 1 if table.failed or not table.passed else 0


if __name__ == "__main__":
    sys.exit(main())
