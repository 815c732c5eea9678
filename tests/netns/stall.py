#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Connections that make no progress, from many addresses.

stall.py KIND COUNT SERVER SOURCE...: opens COUNT connections, from each SOURCE
in turn, prints "ready", and holds them until its stdin ends. Then prints how many
were reset. Ones that were not answered at once try on, as TCP does.

  window   asks for a large file, reads nothing: the window closes (Sockstress)
  reader   the same, but reads a byte a second
  writer   sends a request, a byte a second
  closer   asks for the end of the connection, and never ends its own side
"""
import selectors
import socket
import sys

GET = b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n"
FIRST = {
    "window": GET,
    "reader": GET,
    "writer": GET[:5],
    "closer": b"GET /hot0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
}


def connect(server, source, kind):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    if kind in ("window", "reader"):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(10)
    s.bind((source, 0))
    s.connect((server, 80))
    s.sendall(FIRST[kind])
    s.setblocking(False)
    return s


def step(kind, s, i):
    if kind == "reader":
        return bool(s.recv(1))
    if kind == "writer" and 5 + i < len(GET) - 2:
        s.send(GET[5 + i : 6 + i])
    return True


def main():
    kind, count, server = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    sources = sys.argv[4:]
    socks = [connect(server, sources[i % len(sources)], kind) for i in range(count)]
    reset = 0
    print("ready", flush=True)
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    i = 0
    while not selector.select(1):
        for s in list(socks):
            try:
                step(kind, s, i)
            except BlockingIOError:
                pass
            except OSError:
                reset += 1
                socks.remove(s)
        i += 1
    for s in socks:
        if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            reset += 1
    print(f"reset={reset}", flush=True)


main()
