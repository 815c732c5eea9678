#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What comes late of a connection that is over: all that the client sent is
sent again, byte for byte, while its cookie is still good. Nothing may open the
connection again, nor answer its request once more. And what may follow a
connection in TIME_WAIT (RFC 6191).

usage: late.py IFNAME SERVER_MAC SERVER; prints `N passed, N failed`."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import rawtcp  # noqa: E402  (the path must be set first)
from rawtcp import ACK, FIN, RST, SYN  # noqa: E402

results = {True: 0, False: 0}


def check(text, good, conn):
    results[bool(good)] += 1
    print(("ok   " if good else "FAIL ") + text)
    if not good:
        print("\n".join("     " + x for x in conn.describe()))


class Tape(rawtcp.Wire):
    """A wire that remembers what was sent."""

    tape = []

    def send(self, segment):
        self.tape.append(segment)
        super().send(segment)


def request(name, more=""):
    return ("GET /%s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (name, more)).encode()


def ask(conn, name, more=""):
    start = conn.rcv
    conn.auto_ack = True
    conn.send_next(request(name, more))
    conn.until(lambda: conn.stream(start).count(b"\r\n\r\n"))
    conn.auto_ack = False
    check("%s is answered" % name, conn.stream(start), conn)


def finish(conn, flags=FIN | ACK):
    """Our FIN; the server's is acknowledged, before or after."""
    conn.auto_ack = True
    conn.send_next(flags=flags)
    conn.until(lambda: conn.fin_off is not None and conn.rcv > conn.fin_off)
    conn.auto_ack = False
    conn.ack_all()


def by_client(conn):
    """The server closes second, in the kernel half."""
    ask(conn, "hot0")
    finish(conn)


def by_client_big(conn):
    """The same, a request of the reactor's; it may have gone back by then."""
    ask(conn, "big")
    finish(conn)


def by_rst(conn):
    ask(conn, "hot0")
    conn.send(RST, options=b"")


def by_fin_data(conn):
    """The reactor closes: a request and FIN in one segment."""
    conn.auto_ack = True
    conn.send_next(request("hot0"), flags=FIN | ACK)
    conn.until(lambda: conn.fin_off is not None and conn.rcv > conn.fin_off)
    conn.auto_ack = False
    conn.ack_all()


def is_reset(conn):
    return conn.log and all(x.flags & RST for x in conn.log)


def over(wire, how):
    wire.tape = []
    conn = rawtcp.Connection(wire).open()
    how(conn)
    sent = [x for x in wire.tape if not x[13] & (SYN | RST)]
    # The server has it from us in order; a stray ACK tells when it is through.
    for _ in range(50):
        conn.log = []
        conn.send()
        if conn.until(lambda: is_reset(conn), 0.2):
            break
    check("%s: it is over" % how.__name__, is_reset(conn), conn)
    for segment in sent:
        conn.log = []
        wire.send(segment)
        check("%s: late %#x, %d bytes: reset" %
              (how.__name__, segment[13], len(segment) - 32),
              conn.until(lambda: conn.log) and is_reset(conn), conn)


def time_wait(wire):
    """The server closes first."""
    wire.tape = []
    old = rawtcp.Connection(wire).open()
    ask(old, "hot0", "Connection: close\r\n")
    finish(old)
    sent = [x for x in wire.tape if not x[13] & (SYN | RST)]
    end = (old.irs + old.rcv) & rawtcp.MASK
    for segment in sent:
        old.log = []
        wire.send(segment)
        old.until(lambda: old.log, 0.5)
        check("TIME_WAIT: late %#x, %d bytes: an ACK of the end or nothing" %
              (segment[13], len(segment) - 32),
              all(x.flags == ACK and x.seq == end and x.ack == old.snd and
                  not x.data for x in old.log), old)
    old.log = []
    wire.send(sent[0])
    check("TIME_WAIT: still answered for", old.until(lambda: old.log) and
          old.log[0].ack == old.snd, old)

    new = rawtcp.Connection(wire, port=old.port, isn=old.snd - 5000,
                            tsval=old.tsbase - 100000)
    new.send(SYN, options=new.syn_options())
    check("TIME_WAIT: an older SYN is challenged", new.until(lambda: new.log)
          and new.log[0].flags == ACK and new.log[0].ack == old.snd, new)
    new = rawtcp.Connection(wire, port=old.port, isn=old.snd - 5000,
                            tsval=old.tsbase + 1000000)
    check("TIME_WAIT: a newer one opens", new.syn(), new)
    new.send()
    ask(new, "hot0")
    for segment in sent:
        new.log = []
        wire.send(segment)
    ask(new, "hot0")
    finish(new)


def main():
    wire = Tape(sys.argv[1], sys.argv[2],
                "2001:db8::77" if ":" in sys.argv[3] else "198.18.0.77",
                sys.argv[3])
    for how in (by_client, by_client_big, by_rst, by_fin_data):
        over(wire, how)
    time_wait(wire)
    print("%d passed, %d failed" % (results[True], results[False]))
    return 1 if results[False] else 0


if __name__ == "__main__":
    sys.exit(main())
