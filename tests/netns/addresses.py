#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""One client address and port, a connection to each of the server's addresses at
the same time: they take turns, each asks for another file, some of XDP and some
of the reactor; one is reset, one closed, the others go on.

usage: addresses.py IFNAME SERVER_MAC ROOT SERVER...
Expects in ROOT hot0..hot9, promoted. Prints `N passed, N failed`."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import rawtcp  # noqa: E402  (the path must be set first)
from rawtcp import ACK, FIN, RST  # noqa: E402

PORT = 12345


def main():
    ifname, mac, root, servers = (sys.argv[1], sys.argv[2], sys.argv[3],
                                  sys.argv[4:])
    files = []
    for i in range(10):
        with open(os.path.join(root, "hot%d" % i), "rb") as f:
            files.append(f.read())
    wires = [rawtcp.Wire(ifname, mac, "2001:db8::99" if ":" in x else
                         "198.18.0.99", x) for x in servers]
    conns = [rawtcp.Connection(x, port=PORT) for x in wires]
    counts = [0, 0]

    def check(text, good):
        print(("ok   " if good else "FAIL ") + text)
        counts[not good] += 1

    def ask(some, turn):
        """All ask before any is answered."""
        starts = {}
        for i in some:
            conn = conns[i]
            conn.auto_ack, starts[i] = True, conn.rcv
            # Every other one is for the reactor, another one each turn.
            field = "X-Odd: 1\r\n" if (i + turn) % 2 else ""
            conn.send_next(("GET /hot%d HTTP/1.1\r\nHost: x\r\n%s\r\n" % (
                (i + turn) % 10, field)).encode())
        for i in some:
            conn, want = conns[i], files[(i + turn) % 10]
            check("turn %d: %s" % (turn, servers[i]), conn.until(
                lambda c=conn, w=want, s=starts[i]:
                c.stream(s).startswith(b"HTTP/1.1 200 ") and
                c.stream(s).partition(b"\r\n\r\n")[2] == w))

    for i, conn in enumerate(conns):
        check("connected to %s" % servers[i], conn.syn())
    for conn in conns:
        conn.send()
    for turn in range(6):
        ask(range(len(conns)), turn)
    conns[0].send(RST)
    conns[1].send_next(flags=FIN | ACK)
    check("one is closed", conns[1].until(lambda: conns[1].fin_off))
    for turn in range(6, 12):
        ask(range(2, len(conns)), turn)
    conns[0].auto_ack, conns[0].log = False, []
    conns[0].send()
    check("one is reset", conns[0].until(lambda: conns[0].flagged(RST)))
    for conn in conns[2:]:
        conn.send_next(flags=FIN | ACK)
        check("closed", conn.until(lambda c=conn: c.fin_off is not None))
    faults = [x for c in conns for x in c.faults + c.left_out()]
    check("no segment broke a rule %s" % faults[:5], not faults)
    print("%d passed, %d failed" % tuple(counts))
    return 1 if counts[1] else 0


sys.exit(main())
