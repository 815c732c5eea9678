#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A slow client that never stops: some bytes at a time, twenty times a second.

steady.py SERVER SOURCE PATH FILE RATE: writes the body to FILE. RATE: bytes a
second. (curl --limit-rate reads in bursts with up to 3 s between them, which for
the server is a client that stalls.)
"""
import socket
import sys
import time


def main():
    server, source, path, name, rate = sys.argv[1:]
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    s.settimeout(60)
    s.bind((source, 0))
    s.connect((server, 80))
    s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += s.recv(1)
    if not head.startswith(b"HTTP/1.1 200 "):
        sys.exit("steady: " + head.decode("latin1"))
    with open(name, "wb", buffering=0) as out:
        while data := s.recv(int(rate) // 20):
            out.write(data)
            time.sleep(0.05)


main()
