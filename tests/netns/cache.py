#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Keep-alive GETs of one path while it is being replaced.

usage: cache.py ADDRESS PATH STOPFILE [CONNECTIONS]

Each body must be one letter, all through, and as long as Content-Length says.
Ends when STOPFILE exists; prints how many answers of each letter came.
Exit: 1 if any was torn, or none came.
"""
import os
import socket
import sys
import threading


def read_response(sock, buf):
    while b"\r\n\r\n" not in buf:
        got = sock.recv(65536)
        if not got:
            raise EOFError("closed")
        buf += got
    head, _, body = buf.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        got = sock.recv(65536)
        if not got:
            raise EOFError("closed in a body")
        body += got
    return head, body[:length], body[length:]


def work(address, path, stop, counts, errors):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family)
    sock.settimeout(5)
    try:
        sock.connect((address, 80))
        rest = b""
        request = f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()
        while not os.path.exists(stop):
            sock.sendall(request)
            head, body, rest = read_response(sock, rest)
            if not head.startswith(b"HTTP/1.1 200 ") or len(set(body)) != 1:
                errors.append(f"torn: {head[:200]!r} {set(body)}")
                return
            letter = chr(body[0])
            counts[letter] = counts.get(letter, 0) + 1
    except (OSError, EOFError) as e:
        errors.append(repr(e))
    finally:
        sock.close()


def main():
    address, path, stop = sys.argv[1:4]
    counts, errors = [], []
    threads = []
    for _ in range(int(sys.argv[4]) if len(sys.argv) > 4 else 4):
        counts.append({})
        threads.append(threading.Thread(
            target=work, args=(address, path, stop, counts[-1], errors)))
        threads[-1].start()
    for t in threads:
        t.join()
    total = {}
    for c in counts:
        for letter, n in c.items():
            total[letter] = total.get(letter, 0) + n
    print(" ".join(f"{letter}={n}" for letter, n in sorted(total.items())))
    for e in errors:
        print(e, file=sys.stderr)
    return 1 if errors or not total else 0


sys.exit(main())
