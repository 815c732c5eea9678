#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The window of a connection whose receive buffer grew, then went back to the
kernel half: it never shrinks (rawtcp.Connection notes it), and all of it is taken.

usage: grow.py IFNAME SERVER_MAC SERVER. Expects hot0, promoted."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import rawtcp  # noqa: E402
from rawtcp import diff  # noqa: E402

PART = 131072  # a body that is read although nobody wants it
BASE = 65536  # what the kernel half offers of itself
MSS = 1400


def window(conn):
    return diff(conn.granted, conn.snd)


def send(conn, data):
    for at in range(0, len(data), MSS):
        piece = data[at:at + MSS]
        if not conn.until(lambda: window(conn) >= len(piece), 20):
            raise TimeoutError("window stays closed")
        conn.send_next(piece)
        if len(conn.sent) > 500:  # of no use any more
            conn.sent = {seq: end for seq, end in conn.sent.items()
                         if diff(end, conn.acked) > 0}


def posts(count):
    head = "POST /hot0 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % PART
    return (head.encode() + b"x" * PART) * count


def exchange(conn, data, length):
    """Return: was it acknowledged, and an answer of so many bytes received?"""
    start = conn.rcv
    send(conn, data)
    return conn.until(lambda: conn.acked == conn.snd and
                      len(conn.stream(start)) >= length, 20)


def main():
    ifname, mac, server = sys.argv[1:]
    wire = rawtcp.Wire(ifname, mac, "198.18.0.100", server)
    conn = rawtcp.Connection(wire)
    conn.auto_ack = True
    conn.open()
    get = b"GET /hot0 HTTP/1.1\r\nHost: x\r\n\r\n"
    steps = [("large uploads", posts(20), 20 * 50)]
    steps += [("a cached answer", get, 200)] * 3
    steps += [("what is offered is taken", posts(3), 3 * 50)]
    bad = 0
    for text, data, length in steps:
        good = exchange(conn, data, length)
        print("%s: %s, window %d" % (text, "ok" if good else "FAILED",
                                     window(conn)))
        good &= window(conn) > BASE + PART
        bad += not good
    print("faults:", conn.faults[:5])
    sys.exit(bool(bad or conn.faults))


main()
