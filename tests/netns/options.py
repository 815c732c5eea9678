#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What dawnd's options say of connections, seen from the other end: keep-alive,
user timeout, idle timeout, time to live and DSCP, of both halves and families,
tagged and not. Cells as in halves.py, all at once; EVENT names one of them.

The daemon: --keep-alive 1 --user-timeout 4, --ttl and --dscp as told. Each segment
that comes, from whichever half, must bear these two.

usage: options.py TTL DSCP DAWN DEV PIN_DIR IFNAME SERVER_MAC SERVER SERVER6 ROOT
                  EVENT...
       options.py sniff IFNAME    TTL and DSCP of segments from port 80, one line
                                  for each pair and family, until stdin ends
Prints `N passed, N failed`."""
import os
import select
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cells import (EVENTS, FAMILIES, KERNEL, NEW, USER, Table,  # noqa: E402
                   event, request)
import rawtcp  # noqa: E402
from rawtcp import ACK, MASK, PSH, RST, SYN  # noqa: E402

PROBES = 9  # without an answer
SO_RCVBUFFORCE = 33  # socket(7); Python has no name for it


def probes(conn):
    """All that came but RSTs, if they are keep-alive probes (RFC 9293, 3.8.4):
    the number before the next, no data, ACK."""
    got = [x for x in conn.log if not x.flags & RST]
    bad = [x for x in got if x.data or x.flags != ACK or
           x.off != (conn.end - 1) & MASK or x.ack != conn.snd]
    return -1 if bad else len(got)


def dies(c):
    """No answer to any probe: a RST ends it."""
    conn = c.conn
    conn.log = []
    c.check("RST", conn.until(lambda: conn.flagged(RST), 60))
    c.check("%d probes before" % PROBES, probes(conn) == PROBES)
    c.expect(tcp_keepalive=PROBES, tcp_gave_up=1, tcp_rst_sent=1)
    c.await_owner(None, "after the RST")
    c.over = True


def lives(c, n=PROBES + 2):
    """It answers more probes than may go without an answer."""
    conn = c.conn
    conn.log = []
    for i in range(n):
        c.check("probe %d" % i, conn.until(lambda: len(conn.log) > i, 20))
        conn.send()
    c.check("nothing but probes", probes(conn) >= n)
    c.expect(n + 5, tcp_keepalive=n)


def idle(c):
    c.open()
    c.hit()
    c.await_owner(KERNEL, "idle")


@event(NEW, slow=True)
def xdp_dead(c):
    """An idle connection is XDP's; for its probes it stays there."""
    idle(c)
    dies(c)


@event(NEW, slow=True)
def xdp_alive(c):
    idle(c)
    lives(c)


@event(NEW, slow=True)
def never_asked(c):
    c.open()
    dies(c)


def half_a_request(c):
    """The reactor waits for the rest of it."""
    conn = c.open()
    conn.auto_ack = True
    conn.send_next(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
    c.await_owner(USER, "half a request")
    c.check("acknowledged", conn.until(
        lambda: conn.log and conn.log[-1].ack == conn.snd))
    c.expect(to_user=1)


@event(NEW, slow=True)
def reactor_dead(c):
    half_a_request(c)
    dies(c)


@event(NEW, slow=True)
def reactor_alive(c):
    half_a_request(c)
    lives(c)
    start = c.conn.end
    c.conn.send_next(b"123456789")
    c.await_answers("the request goes on", 0, (200, b"123456789"))
    c.check("from there", start == 0)
    c.expect(http_requests=1)


def unacknowledged(c):
    """Nobody acknowledges: sent again, in the end a RST (RFC 9293, 3.8.3). The
    default of 100 s would be too late."""
    conn = c.conn
    conn.log = []
    c.check("RST", conn.until(lambda: conn.flagged(RST), 60))
    again = [x for x in conn.log if not x.flags & RST]
    c.check("before it data, sent again", again and
            all(x.data for x in again))
    c.expect(tcp_gave_up=1, tcp_rst_sent=1, tcp_rto=1)
    c.await_owner(None, "after the RST")
    c.over = True


@event(NEW, slow=True)
def xdp_unacknowledged(c):
    c.open()
    c.expect(http_hit=1, kernel_retransmit=1)
    c.ask("hot0", ack=False)
    unacknowledged(c)


@event(NEW, slow=True)
def reactor_unacknowledged(c):
    c.open()
    c.expect(http_requests=1)
    c.ask("hot0", "range", ack=False)
    unacknowledged(c)


@event(NEW, slow=True)
def marks(c):
    """Whatever kind of segment it is: SYN-ACK, RST of a stranger, answers of
    both halves, challenge ACKs, the ends."""
    conn = c.open()
    c.hit()
    c.hit("ten.bin")  # clones
    c.ask("hot0", "range")
    c.ask("big.bin")
    c.expect(http_requests=2)
    c.await_owner(KERNEL, "after them")
    conn.log = []
    conn.send(SYN, seq=conn.snd + 9, ack=-conn.irs, options=conn.syn_options())
    c.check("challenge ACK", conn.until(lambda: conn.log))
    c.expect(challenge_ack=1)
    stranger = c.connect()
    stranger.irs = 12345
    stranger.send(ACK | PSH, request("hot0"))
    c.check("RST", stranger.until(lambda: stranger.flagged(RST)))
    c.expect(rst_sent=1, cookie_bad=1)
    c.conn = conn


@event(NEW, slow=True)
def idle_closes(c):
    """Answers to probes do not make it busy: with --idle-timeout 4 it is closed."""
    idle(c)
    conn = c.conn
    conn.log = []
    seen = 0
    while conn.fin_off is None and seen < 60:
        c.check("probe or FIN", conn.until(
            lambda: len(conn.log) > seen or conn.fin_off is not None, 20))
        seen = len(conn.log)
        if conn.fin_off is None:
            conn.send()
    c.expect(60, tcp_keepalive=1)
    c.check("FIN", conn.fin_off is not None)
    conn.auto_ack = True
    conn.ack_all()
    conn.send_next(flags=ACK | rawtcp.FIN)
    c.check("acknowledged", conn.until(lambda: conn.log[-1].ack == conn.snd))
    c.expect(time_wait=1)
    c.over = True


def watched(function, want):
    """An event, and then: did all that came bear these marks?"""
    def run(c):
        function(c)
        if not c.over:
            c.end()
            c.over = True
        c.check("TTL and DSCP %s, not %s" % (want, c.wire.marks),
                c.wire.marks == {want})
    return run


def sniff(ifname):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    wire.bind((ifname, 0))
    print("ready", flush=True)
    seen = set()
    while True:
        ready = select.select([wire, sys.stdin], [], [])[0]
        if wire not in ready:  # the end, and all that came before is seen
            break
        frame, where = wire.recvfrom(65535)
        packet = frame[14:]
        v6 = packet[0] >> 4 == 6
        tcp = packet[40:] if v6 else packet[(packet[0] & 15) * 4:]
        if where[2] == socket.PACKET_OUTGOING or tcp[:2] != b"\0\x50":
            continue
        ttl, tos = rawtcp.marks(packet)
        seen.add("IPv%d %d %d" % (6 if v6 else 4, ttl, tos >> 2))
    print("\n".join(sorted(seen)))
    return 0


def main():
    if sys.argv[1] == "sniff":
        return sniff(sys.argv[2])
    want = int(sys.argv[1]), int(sys.argv[2]) << 2
    table = Table(*sys.argv[3:11])
    batch = []
    for name in sys.argv[11:]:
        function, before, slow = EVENTS[name]
        EVENTS[name] = watched(function, want), before, slow
        batch += [table.make(name, "new", f) for f in FAMILIES]
    table.run("all of them", batch)
    print("%d passed, %d failed" % (table.passed, table.failed))
    return 1 if table.failed or not table.passed else 0


if __name__ == "__main__":
    sys.exit(main())
