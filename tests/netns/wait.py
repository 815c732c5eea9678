#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Many requests at once, for wait.sh.

wait.py ask ADDRESS PATH COUNT SOURCE...   COUNT connections, from each SOURCE in
        turn; each asks once, when all are open. Prints how many were answered,
        the most retransmissions that one needed, and the longest time.
wait.py leave ADDRESS PATH COUNT SOURCE... the same, but when told (a line), they
        are reset before they are answered
wait.py hold ADDRESS PATH COUNT SOURCE...  asks, reads nothing, until told; from then
        on reads all
"""
import selectors
import socket
import struct
import sys
import time

TOTAL_RETRANS = 100  # in struct tcp_info
BUFFER = bytearray(1 << 20)


def connect(address, source):
    conn = socket.create_connection((address, 80), 60, (source, 0))
    conn.setblocking(False)
    return conn


def retransmissions(conn):
    info = conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return struct.unpack_from("I", info, TOTAL_RETRANS)[0]


def read(conn, got):
    """Whether the answer is whole."""
    data = conn.recv(1 << 20)
    if not data:
        raise ConnectionResetError
    got += data
    head, end, body = got.partition(b"\r\n\r\n")
    if not end:
        return False
    length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
    return len(body) >= int(length)


def ask(conns):
    """Reads all answers; what ends otherwise is counted as not answered."""
    selector = selectors.DefaultSelector()
    for conn in conns:
        selector.register(conn, selectors.EVENT_READ, bytearray())
    begun = time.monotonic()
    left, answered, most, longest = len(conns), 0, 0, 0.0
    while left:
        for key, _ in selector.select():
            try:
                if not read(key.fileobj, key.data):
                    continue
                answered += 1
                most = max(most, retransmissions(key.fileobj))
                longest = time.monotonic() - begun
            except OSError:
                pass
            selector.unregister(key.fileobj)
            key.fileobj.close()
            left -= 1
    print(f"answered={answered} retransmissions={most} longest={longest:.1f}",
          flush=True)


def main():
    what, address, path, count = sys.argv[1:5]
    sources = sys.argv[5:]
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    conns = [connect(address, sources[i % len(sources)])
             for i in range(int(count))]
    for conn in conns:
        if what == "hold":
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        conn.send(request)
    print("sent", flush=True)
    if what in ("leave", "hold"):
        sys.stdin.readline()
    if what == "leave":
        for conn in conns:
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
            conn.close()
        print("left", flush=True)
        return
    ask(conns)


main()
