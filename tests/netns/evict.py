#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""More clients than flow_table has places: each connects, asks, and stays. All
must get an answer, the newest must still be served, and who lost its place must
be told without having to speak.

usage: evict.py ADDRESS COUNT PLACES; prints "N passed, N failed"."""
import select
import socket
import sys
import time

REQUEST = b"GET /hot0 HTTP/1.1\r\nHost: x\r\n\r\n"
results = {True: 0, False: 0}
COARSE = 6  # CLOCK_MONOTONIC_COARSE


def check(text, passed):
    results[bool(passed)] += 1
    print(("ok   " if passed else "FAIL ") + text)


def answered(sock):
    """One whole answer."""
    sock.sendall(REQUEST)
    got = b""
    while b"\r\n\r\n" not in got:
        part = sock.recv(65536)
        if not part:
            return False
        got += part
    head, _, body = got.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1)
                  for line in head.split(b"\r\n")[1:])
    length = int(fields[b"content-length"])
    while len(body) < length:
        body += sock.recv(65536)
    return head.startswith(b"HTTP/1.1 200") and len(body) == length


def is_reset(sock):
    if not select.select([sock], [], [], 0)[0]:
        return False
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except ConnectionResetError:
        return True


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        select.select([], [], [], 0.05)
    return True


def next_tick():
    """Who is older is told by the coarse clock: each connection has its own."""
    now = time.clock_gettime(COARSE)
    while time.clock_gettime(COARSE) == now:
        pass


def main():
    address, count, places = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    socks, served = [], 0
    for _ in range(count):
        next_tick()
        sock = socket.create_connection((address, 80), timeout=20)
        socks.append(sock)
        try:
            served += answered(sock)
        except OSError as error:
            print("     | %d: %s" % (len(socks), error))
    check("all %d connections were answered: %d" % (count, served),
          served == count)
    # Closed sockets are counted once; PEEK leaves the others alone.
    wait_for(lambda: sum(map(is_reset, socks)) >= count - places, 10)
    alive = [sock for sock in socks if not is_reset(sock)]
    gone = count - len(alive)
    check("told that they lost their place: %d" % gone,
          gone >= count - places)
    newest = socks[-places // 8:]
    again = [sock for sock in newest if not is_reset(sock)]
    check("most of the newest have theirs: %d of %d" % (len(again),
                                                        len(newest)),
          len(again) >= len(newest) * 3 // 4)
    oldest = [sock for sock in socks[:places // 8] if not is_reset(sock)]
    check("few of the oldest: %d" % len(oldest), len(oldest) <= places // 16)
    served = sum(answered(sock) for sock in alive)
    check("who has a place is served: %d of %d" % (served, len(alive)),
          served == len(alive))
    print("gone %d" % gone)
    print("%d passed, %d failed" % (results[True], results[False]))
    return 1 if results[False] else 0


if __name__ == "__main__":
    sys.exit(main())
