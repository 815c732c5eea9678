#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A response of XDP's of ten segments is held partly or not at all
acknowledged while its entry is replaced, again and again, or purged: what is
sent again must be the old bytes, Date included, to the end. Then its slot comes
free, and the next request gets what is there now.

usage: coherence.py IFNAME SERVER_MAC SERVER DIR MODE COMMAND...
MODE: reactor (a dawnd is there), alone (none, and none wanted), killed.
COMMAND: `dawn cache` with all that makes it run at the server's end. There must
be fewer than 20 slots: replacing takes all that are free. Prints
`N passed, N failed`."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import rawtcp  # noqa: E402  (the path must be set first)
from rawtcp import ACK, PSH, RST  # noqa: E402

TARGET = "/coherent"
SIZE = 14000      # ten segments
REPLACEMENTS = 20
REQUEST = ("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % TARGET).encode()


class Bench(rawtcp.Checks):
    def __init__(self, ifname, mac, server, folder, mode, *command):
        super().__init__()
        address = ("2001:db8::%d" if ":" in server else "198.18.0.%d") % 100
        self.wire = rawtcp.Wire(ifname, mac, address, server)
        self.file = os.path.join(folder, "body")
        self.mode = mode
        self.command = command
        self.serial = 0

    def cache(self, *arguments):
        return subprocess.run([*self.command, *arguments], check=True,
                              stdout=subprocess.PIPE).stdout

    def put(self):
        """A new version; its body."""
        self.serial += 1
        line = b"version %d of it\n" % self.serial
        body = (line * (SIZE // len(line) + 1))[:SIZE]
        with open(self.file, "wb") as f:
            f.write(body)
        self.cache("put", TARGET, self.file)
        return body

    def slots(self):
        """(slot, generation): state, of all that are not free."""
        return {(e["slot"], e["generation"]): e["state"]
                for e in json.loads(self.cache("ls", "--json"))["entries"]}

    def change(self, how):
        """Body of what is there then."""
        for _ in range(REPLACEMENTS if how == "replaced" else 0):
            body = self.put()
        if how == "replaced":
            return body
        self.cache("purge", TARGET)
        return None

    def again(self, conn, seq, turn):
        """Have the response sent again; the reactor's timer does it."""
        if self.mode == "reactor":
            return
        if turn:
            conn.send(ACK | PSH, REQUEST, seq=seq)
            return
        for _ in range(4):  # of which the first may be new
            conn.send()

    def whole(self, conn, start, body):
        stream = conn.stream(start)
        head, found, rest = stream.partition(b"\r\n\r\n")
        return found and head.startswith(b"HTTP/1.1 200 ") and rest == body

    def next_one(self, conn, body):
        """What the next request on the connection gets."""
        conn.auto_ack = True
        conn.log = []
        start = conn.rcv
        if body is None and self.mode == "killed":
            return  # nobody answers, until a dawnd is there again
        conn.send_next(REQUEST)
        if body is not None:
            self.check("the next request gets the new one", conn.until(
                lambda: self.whole(conn, start, body)), conn)
        elif self.mode == "reactor":
            self.check("the next request gets 404", conn.until(
                lambda: conn.stream(start).startswith(b"HTTP/1.1 404 ")),
                conn)
        else:
            self.check("the next request is refused", conn.until(
                lambda: conn.flagged(RST)), conn)

    def all_free(self):
        """Each put waits for a grace period and frees what can be."""
        def only_one():
            self.put()
            return list(self.slots().values()) == ["live"]
        self.check("the slot comes free", self.wire.until(only_one))

    def play(self, how, when, turn):
        print("-- %s %s, %s" % (how, when, self.mode))
        old = self.put()
        where = [k for k, v in self.slots().items() if v == "live"][0]
        conn = rawtcp.Connection(self.wire).open(900)
        seq, start = conn.snd, conn.rcv
        conn.send_next(REQUEST)
        self.check("ten segments", conn.until(
            lambda: self.whole(conn, start, old)) and
            len(conn.with_data()) == 10, conn)
        first = conn.stream(start)
        third = conn.with_data()[2]
        lost = third.off + len(third.data)
        if when == "before an ACK":
            lost = start
        conn.held[lost:] = bytes(len(conn.held) - lost)
        conn.take()
        if when == "after the ACK of three":
            conn.send()
        new = self.change(how)
        if when == "before the ACK of three":
            conn.send()
        self.check("its slot is kept", self.slots().get(where) == "retired")
        conn.log = []
        conn.auto_ack = self.mode == "reactor"  # else it is the whole, once
        self.again(conn, seq, turn)
        self.check("the rest comes again", conn.until(
            lambda: len(conn.stream(start)) == len(first)), conn)
        self.check("the old bytes", conn.stream(start) == first, conn)
        conn.take()
        conn.send()
        self.next_one(conn, new)
        faults = conn.faults + conn.left_out()
        self.check("no segment broke a rule %s" % faults[:5], not faults)
        if not conn.flagged(RST):
            conn.send(RST, options=b"")
        self.all_free()


def main():
    b = Bench(*sys.argv[1:])
    for turn, how in enumerate(("replaced", "purged")):
        for when in ("after the ACK of three", "before the ACK of three",
                     "before an ACK"):
            b.play(how, when, turn)
            turn = 1 - turn
    print("%d passed, %d failed" % (b.passed, b.failed))
    return 1 if b.failed or not b.passed else 0


sys.exit(main())
