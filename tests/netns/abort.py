#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Clients for abort.sh.

abort.py slow ADDRESS PATH     begin a download, read on when told (a line)
abort.py pipeline ADDRESS N    N connections: many requests in a row, then a RST
abort.py hold PATH SECONDS ADDRESS PER_SOURCE SOURCE...
                               downloads that work; prints how many were reset
"""
import selectors
import socket
import struct
import sys
import time


def connect(address, path, source=None):
    conn = socket.create_connection(
        (address, 80), 20, (source, 0) if source else None)
    conn.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return conn


def slow(address, path):
    conn = connect(address, path)
    conn.recv(1000)
    print("begun", flush=True)
    sys.stdin.readline()
    try:
        while conn.recv(1 << 20):
            pass
    except ConnectionResetError:
        print("reset", flush=True)
        return
    print("ended", flush=True)


def pipeline(address, n):
    requests = b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
    for _ in range(int(n)):
        conn = socket.create_connection((address, 80), 20)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
        conn.sendall(requests)
        conn.recv(1)
        conn.close()


def hold(path, seconds, address, per_source, *sources):
    selector = selectors.DefaultSelector()
    for _ in range(int(per_source)):
        for source in sources:
            conn = connect(address, path, source)
            conn.setblocking(False)
            selector.register(conn, selectors.EVENT_READ)
    print("open", flush=True)
    end = time.monotonic() + float(seconds)
    reset = 0
    buf = bytearray(1 << 20)
    while time.monotonic() < end:
        for key, _ in selector.select(0.1):
            try:
                if key.fileobj.recv_into(buf):
                    continue
            except ConnectionResetError:
                reset += 1
            selector.unregister(key.fileobj)
            key.fileobj.close()
    print(f"reset {reset}", flush=True)


{"slow": slow, "pipeline": pipeline, "hold": hold}[sys.argv[1]](*sys.argv[2:])
