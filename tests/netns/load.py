#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Closed-loop GETs on many keep-alive connections; no connection is ever opened
again, every body is compared, and any failure is fatal.

usage: load.py HOST ROOT FLOWS NAME...
Prints `established` when each flow had one answer. Goes on until SIGTERM, or
until stdin closes; prints `requests=N failed=N longest_ms=N` then. SIGUSR1
prints `mark requests=N` (how many so far)."""
import os
import selectors
import signal
import socket
import sys
import time


class Flow:
    def __init__(self, host, request, body):
        self.sock = socket.create_connection((host, 80), 20)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.request = request
        self.body = body
        self.buf = b""
        self.sent = 0.0

    def ask(self):
        self.sent = time.monotonic()
        self.sock.sendall(self.request)

    def read(self):
        """Return True when one whole right answer was taken."""
        more = self.sock.recv(1 << 16)
        if not more:
            raise ConnectionError("closed by the server")
        self.buf += more
        head, sep, body = self.buf.partition(b"\r\n\r\n")
        if sep and not head.startswith(b"HTTP/1.1 200 "):
            raise ValueError("wrong answer: %r..." % head[:60])
        if not sep or len(body) < len(self.body):
            return False
        if body != self.body:
            raise ValueError("wrong body after %r..." % head[:60])
        self.buf = b""
        return True


def main():
    host, root, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    names = sys.argv[4:]
    flows = []
    shown = "[%s]" % host if ":" in host else host
    for i in range(count):
        name = names[i % len(names)]
        with open(os.path.join(root, name), "rb") as f:
            body = f.read()
        request = "GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n" % (name, shown)
        flows.append(Flow(host, request.encode(), body))
    stop = []
    total, longest, first = 0, 0.0, set()
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    signal.signal(signal.SIGUSR1,
                  lambda *_: print("mark requests=%d" % total, flush=True))
    sel = selectors.DefaultSelector()
    for flow in flows:
        sel.register(flow.sock, selectors.EVENT_READ, flow)
        flow.ask()
    while not stop:
        for key, _ in sel.select(0.1):
            flow = key.data
            if not flow.read():
                continue
            total += 1
            longest = max(longest, time.monotonic() - flow.sent)
            if len(first) < count:
                first.add(flow)
                if len(first) == count:
                    print("established", flush=True)
            flow.ask()
        late = [f for f in flows if time.monotonic() - f.sent > 15]
        if late:
            print("requests=%d failed=%d (no answer for 15 s) ports=%s" %
                  (total, len(late),
                   [f.sock.getsockname()[1] for f in late]), flush=True)
            sys.exit(1)
    print("requests=%d failed=0 longest_ms=%d" % (total, longest * 1000),
          flush=True)


try:
    main()
except (ConnectionError, ValueError, TimeoutError) as e:
    print("failed: %s" % e, flush=True)
    sys.exit(1)
