#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Never different: each request is asked of one server until XDP answers it, and
of another one that promotes nothing, so that its reactor answers. Both must be
the same bytes, Date aside.

usage: differential.py PROMOTING_HOST REACTOR_HOST STATS_COMMAND NAME...
STATS_COMMAND prints the promoting server's `dawn stats --json`.
Prints `N passed, N failed`."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import httpc  # noqa: E402  (the path must be set first)

BROWSER = (
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
     "(KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,"
     "image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.9,de;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-User", "?1"),
)
FIELD_SETS = (
    (),
    (("User-Agent", "curl/8.5.0"), ("Accept", "*/*")),
    (("user-agent", "lower"), ("ACCEPT", "upper/*")),
    (("Connection", "keep-alive"),),
    (("Connection", "Keep-Alive"), ("Accept-Encoding", "identity")),
    (("Accept-Language", "de"), ("Referer", "http://example.test/a?b=c")),
    BROWSER,
    tuple(reversed(BROWSER)),
    # The servers are told that these change nothing.
    BROWSER + (("Cookie", "session=0123456789abcdef; theme=dark"),),
    (("Authorization", "Bearer abc"), ("Cache-Control", "max-age=0")),
    (("Pragma", "no-cache"), ("Cache-Control", "no-cache")),
)
TRIES = 20


def conditions(etag, modified):
    """Field sets that make it a 304."""
    return (
        (("If-None-Match", etag),),
        (("If-None-Match", "W/" + etag),),
        (("If-Modified-Since", modified),),
        BROWSER + (("If-None-Match", etag), ("If-Modified-Since", modified)),
    )


def http_hits(command):
    out = subprocess.run(command, shell=True, check=True,
                         stdout=subprocess.PIPE).stdout
    return json.loads(out)["http_hit"]


def ask(host, conn, method, target, fields):
    """On a given connection, or (None) on one of its own."""
    own = conn or httpc.Connection(host)
    answer = own.request(method, target, fields)
    if not conn:
        own.close()
    return answer


def ask_until_hit(host, conn, command, request):
    for _ in range(TRIES):
        before = http_hits(command)
        answer = ask(host, conn, *request)
        if http_hits(command) == before + 1:
            return answer
    return None


def compare(name, hit, plain):
    if hit is None:
        return "never answered by XDP"
    if hit.head_without_date() != plain.head_without_date():
        return "heads differ:\n%r\n%r" % (hit.raw_head, plain.raw_head)
    if hit.body != plain.body:
        return "bodies differ: %d and %d bytes" % (len(hit.body),
                                                   len(plain.body))
    return None


def main():
    fast, slow, command = sys.argv[1:4]
    passed = failed = 0
    validators = {}
    for file_name in sys.argv[4:]:
        head = ask(slow, None, "HEAD", "/" + file_name, ()).fields
        validators[file_name] = head["etag"], head["last-modified"]
    for reused in (False, True):
        conn_fast = httpc.Connection(fast) if reused else None
        conn_slow = httpc.Connection(slow) if reused else None
        for file_name in sys.argv[4:]:
            for i, fields in enumerate(FIELD_SETS +
                                       conditions(*validators[file_name])):
                for method in ("GET", "HEAD"):
                    # One Host for both: it is part of the request.
                    request = (method, "/" + file_name, fields)
                    hit = ask_until_hit(fast, conn_fast, command, request)
                    plain = ask(slow, conn_slow, *request)
                    name = "%s %s fields %d reused=%s" % (method, file_name,
                                                         i, reused)
                    why = compare(name, hit, plain)
                    if why:
                        failed += 1
                        print("FAIL %s: %s" % (name, why))
                    else:
                        passed += 1
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


sys.exit(main())
