#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""One keep-alive connection, never reopened, on which hits, misses, POSTs, large
files and pipelined pairs take turns: each change of kind makes the connection
change its owner. Every answer is checked against the file.

usage: handoff.py HOST ROOT ROUNDS SEED
Expects in ROOT: hot0..hot9 (small), ten.bin (a ten-segment response),
big.bin (does not fit the kernel cache)."""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import httpc  # noqa: E402  (the path must be set first)


def read(root, name):
    with open(os.path.join(root, name), "rb") as f:
        return f.read()


def expect(answer, status, body, what):
    if answer.status != status or answer.body != body:
        sys.exit("%s: status %d, %d bytes; expected %d, %d bytes" %
                 (what, answer.status, len(answer.body), status, len(body)))


def main():
    host, root, rounds, seed = (sys.argv[1], sys.argv[2], int(sys.argv[3]),
                                int(sys.argv[4]))
    rng = random.Random(seed)
    files = {name: read(root, name) for name in os.listdir(root)}
    hot = sorted(name for name in files if name.startswith("hot"))
    conn = httpc.Connection(host)
    local = conn.sock.getsockname()
    for i in range(rounds):
        kind = rng.choices(("hit", "ten", "miss", "post", "large", "pair",
                            "head"), (60, 8, 12, 8, 2, 8, 2))[0]
        if kind == "hit":
            name = rng.choice(hot)
            expect(conn.request("GET", "/" + name), 200, files[name], name)
        elif kind == "ten":
            expect(conn.request("GET", "/ten.bin"), 200, files["ten.bin"],
                   kind)
        elif kind == "miss":
            answer = conn.request("GET", "/none-%d" % i)
            if answer.status != 404:
                sys.exit("miss: status %d" % answer.status)
        elif kind == "post":
            body = rng.randbytes(rng.randrange(0, 20000))
            expect(conn.request("POST", "/echo", body=body), 200, body, kind)
        elif kind == "large":
            expect(conn.request("GET", "/big.bin"), 200, files["big.bin"],
                   kind)
        elif kind == "head":
            answer = conn.request("HEAD", "/" + hot[0])
            if int(answer.fields["content-length"]) != len(files[hot[0]]):
                sys.exit("head: wrong length")
        else:
            a, b = rng.choice(hot), rng.choice(hot)
            conn.send(conn.head("GET", "/" + a) + conn.head("GET", "/" + b))
            expect(conn.receive(), 200, files[a], "pair, first")
            expect(conn.receive(), 200, files[b], "pair, second")
        if conn.buf:
            sys.exit("%s: %d bytes too many" % (kind, len(conn.buf)))
    if conn.sock.getsockname() != local:
        sys.exit("the connection changed")
    print("rounds=%d ok" % rounds)


try:
    main()
except httpc.Closed as e:
    sys.exit("the server closed the connection: %s" % e)
