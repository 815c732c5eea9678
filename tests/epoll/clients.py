#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Clients that curl cannot be: half a request, many connections, no reading.

usage: clients.py CASE PORT [ARG]...
Prints what went wrong and leaves with 1, or with 0.
"""
import os
import resource
import select
import signal
import socket
import sys
import time

PATIENCE = 30


def connect(port, rcvbuf=0):
    s = socket.socket()
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    s.settimeout(PATIENCE)
    s.connect(("127.0.0.1", port))
    return s


def read_all(s):
    data = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            return data
        data += piece


def check(ok, text):
    if not ok:
        sys.exit(f"clients.py {' '.join(sys.argv[1:])}: {text}")


def get(port, path="/small.txt"):
    s = connect(port)
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
              .encode())
    return read_all(s)


def half_head(port):
    """Half a header, then silence: 408, and the end."""
    s = connect(port)
    s.sendall(b"GET /small.txt HTTP/1.1\r\nHost: ")
    answer = read_all(s)
    check(answer.startswith(b"HTTP/1.1 408 "), answer[:80])


def pipeline(port, count="100"):
    """All requests in one write: as many answers, in order."""
    n = int(count)
    s = connect(port)
    req = b"".join(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                   b"\r\n%04d" % i for i in range(n))
    req += b"GET /small.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    s.sendall(req)
    answer = read_all(s)
    at = 0
    for i in range(n):
        at = answer.find(b"\r\n\r\n%04d" % i, at)
        check(at >= 0, f"no answer {i}")
    check(answer.count(b"HTTP/1.1 200 OK") == n + 1, "number of answers")


def byte_by_byte(port):
    s = connect(port)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for c in (b"GET /small.txt HTTP/1.1\r\nHost: x\r\n"
              b"Connection: close\r\n\r\n"):
        s.send(bytes([c]))
    check(read_all(s).startswith(b"HTTP/1.1 200 "), "not 200")


def rss_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def slow_readers(port, pid, count, most_mb):
    """Nobody reads: the daemon's memory stays bounded, and then all get it."""
    size = len(get(int(port), "/big.bin"))
    socks = [connect(port, 4096) for _ in range(int(count))]
    for s in socks:
        s.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: close\r\n\r\n")
    last, most, same = 0, 0, 0
    while same < 20:
        get(port)  # it still serves others
        now = rss_kb(pid)
        most = max(most, now)
        same = same + 1 if now <= last else 0
        last = now
    check(most < int(most_mb) * 1024, f"{most} kB resident")
    for s in socks[:3]:
        check(len(read_all(s)) == size, "a slow reader was cut off")


def flood(port, pid, beyond, cap):
    """`beyond` connections more than the cap, all idle: the oldest go, the
    newest are served."""
    total = int(cap) + int(beyond)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    check(hard >= total + 50, f"needs {total + 50} descriptors, has {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    socks = [connect(port) for _ in range(total)]
    answer = get(port)
    check(answer.startswith(b"HTTP/1.1 200 "), "not served")
    fds = len(os.listdir(f"/proc/{pid}/fd"))
    check(fds <= int(cap) + 32, f"{fds} descriptors open")
    socks[-1].sendall(b"GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n")
    check(socks[-1].recv(15) == b"HTTP/1.1 200 OK", "the newest was cut off")
    check(socks[0].recv(1) == b"", "the oldest is still there")


def sockets_of(port):
    """How many connections of the daemon on this port still have a socket."""
    count = 0
    with open("/proc/net/tcp", encoding="ascii") as f:
        for line in list(f)[1:]:
            field = line.split()
            if (int(field[1].split(":")[1], 16) == port and
                    field[3] != "0A" and field[9] != "0"):
                count += 1
    return count


def exhaust(port, pid):
    """No descriptor left for a new connection: it waits, and is served when
    there is one. The ones there go on."""
    keep = connect(port)
    request = b"GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n"
    keep.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
                 b"\r\n1234")  # not idle: it cannot be evicted
    get(port)
    # Those of other tests are gone, or their descriptors would come free.
    end = time.monotonic() + PATIENCE
    while sockets_of(port) > 1:
        check(time.monotonic() < end, "old connections do not end")
    pid = int(pid)
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    fds = [int(n) for n in os.listdir(f"/proc/{pid}/fd")]
    free = min(set(range(max(fds) + 2)) - set(fds))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, old[1]))
    late = connect(port)
    late.sendall(request)
    readable, _, _ = select.select([late], [], [], 1)
    check(not readable, "accepted without a descriptor?")
    keep.sendall(b"5678")  # one is left: idle, it would be evicted for `late`
    echo = b""
    while not echo.endswith(b"12345678"):
        more = keep.recv(1000)
        check(more, "the old one is stuck")
        echo += more
    resource.prlimit(pid, resource.RLIMIT_NOFILE, old)
    got = late.recv(15)
    check(got == b"HTTP/1.1 200 OK", f"the late one was not served: {got}")
    keep.sendall(b"9")
    check(keep.recv(1) == b"9", "the old one does not go on")


def ping(port):
    """HBTP over UDP: Ping, Pong; a call nobody serves: RpcError 2."""
    for family, host in ((socket.AF_INET, "127.0.0.1"),
                         (socket.AF_INET6, "::1")):
        try:
            s = socket.socket(family, socket.SOCK_DGRAM)
            s.settimeout(PATIENCE)
            s.connect((host, port))
        except OSError:
            check(family == socket.AF_INET6, "no IPv4")
            continue
        s.send(b"\x00\x00\x39\x30\x02\0\0\0hi")
        check(s.recv(100) == b"\x01\x00\x39\x30\x02\0\0\0hi", "no Pong")
        s.send(b"\x30\x04\x01\x00\x01\0\0\0x")
        check(s.recv(100)[:1] == b"\x32", "no RpcError")


def listen(port, kind="tcp"):
    """Take a port, say so, and hold it until killed."""
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp"
                      else socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", port))
    if kind == "tcp":
        s.listen()
    print("listening", flush=True)
    signal.pause()


def stuck_download(port, path):
    """Start a download, do not go on: expect the reset that ends a drain."""
    s = connect(port, 4096)
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    check(s.recv(15) == b"HTTP/1.1 200 OK", "not served")
    print("started", flush=True)
    p = select.poll()
    p.register(s, select.POLLERR)
    check(p.poll(PATIENCE * 1000), "no reset")


def slow_download(port, path, out):
    """Start a download, read on only when told by a line on stdin. (curl's
    --limit-rate may take all there is at once.)"""
    s = connect(port, 4096)
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
              .encode())
    first = s.recv(15)
    check(first == b"HTTP/1.1 200 OK", "not served")
    print("started", flush=True)
    sys.stdin.readline()
    head, _, body = (first + read_all(s)).partition(b"\r\n\r\n")
    check(b"\r\nContent-Length: %d" % len(body) in head, "cut off")
    with open(out, "wb") as f:
        f.write(body)


def free_ports(count):
    """Print ports that are free now, TCP and UDP."""
    socks, ports = [], []
    while len(ports) < int(count):
        tcp = socket.socket()
        tcp.bind(("127.0.0.1", 0))
        port = tcp.getsockname()[1]
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        socks += [tcp, udp]
        try:
            udp.bind(("127.0.0.1", port))
        except OSError:
            continue
        ports.append(port)
    print(*ports)


CASES = {f.__name__.replace("_", "-"): f
         for f in (half_head, pipeline, byte_by_byte, slow_readers, flood,
                   exhaust, ping, listen, stuck_download, slow_download,
                   free_ports)}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in CASES:
        sys.exit(__doc__)
    CASES[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
