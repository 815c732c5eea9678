#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""All of COUNT keep-alive connections ask at the same moment, ROUNDS times.

usage: burst.py HOST FILE COUNT ROUNDS"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import httpc  # noqa: E402  (the path must be set first)


def main():
    host, path, count, rounds = (sys.argv[1], sys.argv[2], int(sys.argv[3]),
                                 int(sys.argv[4]))
    with open(path, "rb") as f:
        body = f.read()
    conns = [httpc.Connection(host) for _ in range(count)]
    request = conns[0].head("GET", "/" + os.path.basename(path))
    for i in range(rounds):
        for conn in conns:
            conn.send(request)
        for n, conn in enumerate(conns):
            answer = conn.receive()
            if answer.status != 200 or answer.body != body:
                sys.exit("round %d, connection %d: wrong answer" % (i, n))
    print("answers=%d" % (count * rounds))


main()
