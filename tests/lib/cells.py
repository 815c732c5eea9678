# SPDX-License-Identifier: MIT OR Apache-2.0
"""A table of scenarios that each half of the server must meet: tests/netns/halves.py
has the events. Here is what a cell of the table is, and how is known who owns a
flow at a moment and which counters moved."""
import collections
import ctypes
import json
import mmap
import os
import re
import socket
import struct
import subprocess
import threading
import time
import traceback

import rawtcp
from rawtcp import ACK, FIN, RST

BPF_OBJ_GET, BPF_OBJ_GET_INFO_BY_FD = 7, 15
SYS_BPF = {"x86_64": 321, "aarch64": 280}
KERNEL, LOCKED, USER = 1, 2, 3  # enum dawn_owner_state
STATES = ("CLOSED", "ESTABLISHED", "LAST-ACK", "CLOSE-WAIT", "FIN-WAIT-1",
          "FIN-WAIT-2", "CLOSING", "TIME-WAIT")
STATE_OFFSET = 38               # of dawn_flow.state


def bpf(command, attr):
    libc = ctypes.CDLL(None, use_errno=True)
    buf = ctypes.create_string_buffer(attr, 128)
    fd = libc.syscall(SYS_BPF[os.uname().machine], command, buf, len(attr))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf(%d)" % command)
    return fd


class FlowTable:
    """flow_table, read in place: the entry of a connection is found by peer
    address and port, which stand behind its owner word."""

    def __init__(self, path):
        name = ctypes.create_string_buffer(path.encode())
        fd = bpf(BPF_OBJ_GET, struct.pack("QII", ctypes.addressof(name), 0, 0))
        info = ctypes.create_string_buffer(80)
        bpf(BPF_OBJ_GET_INFO_BY_FD,
            struct.pack("IIQ", fd, len(info), ctypes.addressof(info)))
        _, _, _, value_size, entries = struct.unpack("5I", info[:20])
        page = mmap.PAGESIZE
        self.bytes = (value_size * entries + page - 1) // page * page
        self.map = mmap.mmap(fd, self.bytes, mmap.MAP_SHARED, mmap.PROT_READ)

    def find(self, conn):
        """The entry's first bytes, or None."""
        addr = conn.wire.src
        if len(addr) == 4:
            addr = socket.inet_pton(socket.AF_INET6, "::ffff:0.0.0.0")[:12] + addr
        at = 0
        while True:
            at = self.map.find(addr + struct.pack("!H", conn.port), at)
            if at < 0:
                return None
            if self.map[at - 1]:  # state of the owner word; 0: FREE
                return self.map[at - 8:at + 56]
            at += 1

    def owner(self, conn):
        entry = self.find(conn)
        return entry[7] if entry else None

    def state(self, conn):
        entry = self.find(conn)
        return STATES[entry[STATE_OFFSET]] if entry else None


class Stats:
    """Counters of both halves by `dawn stats`."""

    def __init__(self, dawn, dev):
        self.command = dawn.split() + ["stats", "--dev", dev, "--json"]

    def read(self):
        out = subprocess.run(self.command, check=True, capture_output=True)
        return json.loads(out.stdout)


def drop_reasons():
    """Names of all reasons to drop, from maps/stats.h."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "..", "..", "maps", "stats.h"),
              encoding="ascii") as f:
        text = f.read()
    part = text.split("#define DAWN_STATS_DROP(X)")[1].split("\n\n")[0]
    return set(re.findall(r"X\((\w+),", part)) - {"drop_total"}


VLAN = 100
FAMILIES = collections.OrderedDict((  # name: (IPv6?, VLAN tags)
    ("v4", (False, [])), ("v6", (True, [])),
    ("vlan", (False, [(rawtcp.ETH_8021Q, VLAN)])),
    ("vlan6", (True, [(rawtcp.ETH_8021Q, VLAN)]))))
BEFORE = ("idle", "xdp", "reactor", "taken", "given")
OUTSTANDING = BEFORE[1:]  # a response is not acknowledged
NEW = ("new",)            # no connection yet
FAST_RTT_MS, SLOW_RTT_MS = 900, 400  # claimed: without and with timers

EVENTS = collections.OrderedDict()  # name: (function, BEFOREs, slow)

# Of these a cell names each that moves. Beside them: all reasons to drop. (Not
# retransmissions: a client that has no CPU for a while gets some.)
EXACT = {"http_hit", "http_requests", "http_errors", "http_resend", "rst_sent",
         "tcp_rst_sent", "tcp_rst_received", "challenge_ack",
         "tcp_challenge_ack", "cookie_bad", "conn_refused", "conn_wait",
         "flow_evicted",
         "rx_bad", "pass_full", "stale_incarnation", "time_wait",
         "time_wait_reused", "cookie_replayed", "tcp_keepalive",
         "tcp_gave_up"} | drop_reasons()


def event(before=BEFORE, slow=False, name=None):
    """slow: it waits for a timer of the server's; all such run at once."""
    def add(function):
        EVENTS[name or function.__name__] = (function, before, slow)
        return function
    return add


def request(name, fields=""):
    return ("GET /%s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (name, fields)).encode()


# The reactor answers: with 206, which is in no cache; with the cached response.
RANGE, ODD = "Range: bytes=0-\r\n", "X-Odd: 1\r\n"


def post(body):
    return (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" %
            len(body)) + body


class Cell:
    """One connection through one event; `wanted`: how counters are to move,
    name: [least, most]."""

    def __init__(self, table, name, before, family, number):
        self.table, self.before, self.family = table, before, family
        self.name = "%s/%s/%s" % (name, before, family)
        self.function, _, slow = EVENTS[name]
        self.rtt_ms = SLOW_RTT_MS if slow else FAST_RTT_MS
        is_v6, tags = FAMILIES[family]
        address = ("2001:db8::1:%x" % number if is_v6 else
                   "198.19.%d.%d" % (number >> 8, number & 255))
        self.wire = rawtcp.Wire(table.ifname, table.mac, address,
                                table.server[is_v6], tags)
        self.wanted = collections.defaultdict(lambda: [0, 0])
        self.conns, self.errors = [], []
        self.conn, self.start, self.over = None, 0, False
        self.requests = []  # all that were sent by ask()
        self.warm_seq = self.warm_start = 0
        self.bounds = []  # where the response's segments begin
        self.user = False  # does the reactor hold it when the event comes?

    # --- what is checked ---

    def check(self, text, good):
        if not good:
            self.errors.append(text)
            if self.conn:
                self.errors += ["    " + x for x in self.conn.describe()]
        return good

    def expect(self, most=None, **counters):
        for name, n in counters.items():
            self.wanted[name][0] += int(n)
            self.wanted[name][1] += int(n if most is None else most)

    def owner(self):
        return self.table.flows.owner(self.conn)

    def await_owner(self, owner, text):
        self.check(text + ": owner %s, not %s" % (self.owner(), owner),
                   self.conn.until(lambda: self.owner() == owner, 10))

    def answers(self, start, *wants):
        """Is what is held from `start` on exactly these (status, body)?"""
        stream = self.conn.stream(start)
        for status, body in wants:
            head, found, rest = stream.partition(b"\r\n\r\n")
            if not found or not head.startswith(b"HTTP/1.1 %d " % status) or \
               rest[:len(body)] != body:
                return False
            stream = rest[len(body):]
        return not stream

    def await_answers(self, text, start, *wants, timeout=20):
        """wants: names of files, or (status, body)."""
        wants = [(200, self.table.files[x]) if isinstance(x, str) else x
                 for x in wants]
        least = sum(len(body) for _, body in wants)
        self.check(text, self.conn.until(
            lambda: len(self.conn.stream(start)) > least and
            self.answers(start, *wants), timeout))

    def first(self, name):
        """What the response that came before is, for await_answers."""
        status = 206 if self.before == "reactor" else 200
        return ((status, self.table.files[name]),)

    # --- the course of a connection ---

    def connect(self, **how):
        """A connection that has not begun."""
        how.setdefault("sack", True)
        self.conn = rawtcp.Connection(self.wire, **how)
        self.conns.append(self.conn)
        return self.conn

    def open(self, **how):
        return self.connect(**how).open(self.rtt_ms)

    def ask(self, name, kind="plain", ack=True):
        """ack: acknowledge as it comes. Return: offset of the answer."""
        conn = self.conn
        start, conn.auto_ack = conn.end, ack
        fields = {"plain": "", "range": RANGE, "odd": ODD}[kind]
        self.requests.append(request(name, fields))
        conn.send_next(self.requests[-1])
        status = 206 if kind == "range" else 200
        self.await_answers("%s, %s" % (name, kind), start,
                           (status, self.table.files[name]))
        conn.auto_ack = False
        return start

    def hit(self, name="hot1"):
        self.expect(http_hit=1)
        self.ask(name)

    def begin(self, name="hot0", warm=False, **how):
        """What came before. The response begins at self.start; all of it is
        here, none of it acknowledged (idle: all of it)."""
        conn, before = self.open(**how), self.before
        if warm:
            self.warm_seq, self.warm_start = conn.snd, conn.end
            self.hit()
            conn.auto_ack = False
        if before in ("idle", "xdp", "taken"):
            self.expect(http_hit=1)
            self.start = self.ask(name, "plain", before == "idle")
        else:
            self.expect(http_requests=1)
            self.expect(to_user=1)
            self.start = self.ask(name, "range" if before == "reactor" else
                                  "odd", False)
        if before == "taken":
            self.expect(to_user=1)
            conn.send()  # a duplicate ACK
        self.user = before in ("reactor", "taken")
        self.await_owner(USER if self.user else KERNEL,
                         "before the event")
        self.bounds = sorted(x.off for x in conn.with_data()
                             if x.off >= self.start)
        conn.log = []
        return conn

    def end(self):
        """All is acknowledged: the flow is XDP's; it answers; it closes."""
        conn = self.conn
        conn.auto_ack = True
        conn.ack_all()
        self.await_owner(KERNEL, "after the event")
        self.hit()
        conn.auto_ack = True
        conn.send_next(flags=FIN | ACK)
        self.check("FIN is answered by FIN", conn.until(
            lambda: conn.fin_off is not None and conn.rcv > conn.fin_off))
        self.await_owner(None, "at the end")

    def closes(self):
        """The server's FIN comes; what is left of the flow goes."""
        conn = self.conn
        conn.auto_ack = True
        if conn.fin_off is None or conn.rcv <= conn.fin_off:
            conn.ack_all()
        self.check("FIN", conn.until(
            lambda: conn.fin_off is not None and conn.rcv > conn.fin_off))
        self.await_owner(None, "at the end")
        self.over = True

    def forget(self, start, end=None):
        """As if these bytes had been lost on the way."""
        conn = self.conn
        end = len(conn.held) if end is None else end
        conn.held[start:end] = bytes(end - start)
        conn.log = []

    def silent(self, text, send, *kinds):
        """send() is answered by segments of these (flags, has data), no more.
        A probe whose answer is known marks the end."""
        conn = self.conn
        conn.log = []
        send()
        self.check("%s: answered" % text,
                   conn.until(lambda: len(conn.log) >= len(kinds)))
        self.check("%s: by %s only" % (text, kinds), [
            (x.flags, bool(x.data)) for x in conn.log] == list(kinds))

    def run(self):
        begin = time.monotonic()
        try:
            self.function(self)
            if not self.over:
                self.end()
        except Exception:  # pylint: disable=broad-except
            self.errors.append(traceback.format_exc())
        for conn in self.conns:
            self.errors += conn.faults + conn.left_out()
            if self.table.flows.owner(conn) is not None and self.errors:
                conn.send(RST, options=b"")
        self.wire.sock.close()
        self.seconds = time.monotonic() - begin


class Table:
    """The server, and the count."""

    def __init__(self, dawn, dev, pins, ifname, mac, server, server6, root):
        self.stats = Stats(dawn, dev)
        self.flows = FlowTable(os.path.join(pins, "flow_table"))
        self.ifname, self.mac, self.server = ifname, mac, (server, server6)
        self.files = {}
        for name in os.listdir(root):
            with open(os.path.join(root, name), "rb") as f:
                self.files[name] = f.read()
        self.passed = self.failed = self.number = 0
        self.counters = self.stats.read()

    def make(self, name, before, family):
        self.number += 1
        return Cell(self, name, before, family, self.number)

    def moved(self):
        """How each counter moved since the last time."""
        old, self.counters = self.counters, self.stats.read()
        return {x: n - old.get(x, 0) for x, n in self.counters.items()}

    def count(self, text, problems):
        print(("FAIL " if problems else "ok   ") + text)
        for line in problems:
            print("     " + line.replace("\n", "\n     "))
        self.passed += not problems
        self.failed += bool(problems)

    def counters_wrong(self, batch):
        """What moved otherwise than the cells of the batch said."""
        least, most = collections.Counter(), collections.Counter()
        for cell in batch:
            for name, (low, high) in cell.wanted.items():
                least[name] += low
                most[name] += high
        for _ in range(50):  # threads of the reactor count as they get to it
            before, moved = self.counters, self.moved()
            wrong = ["%s moved by %d, not %d..%d" % (
                x, n, least[x], most[x]) for x, n in moved.items()
                     if n < least[x] or (x in EXACT and n > most[x])]
            if not wrong:
                break
            self.counters = before
            time.sleep(0.02)
        self.counters = {x: before[x] + n for x, n in moved.items()}
        return wrong

    def run(self, text, batch):
        """Cells at the same time; their counters are summed. A reactor that
        gets no CPU for 100 ms loses flows to XDP, which is right, but not what
        the cells are about: then once more."""
        for _ in range(4):
            reclaimed = self.counters["reclaimed"]
            threads = [threading.Thread(target=x.run) for x in batch]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            wrong = self.counters_wrong(batch)
            late = self.counters["reclaimed"] - reclaimed
            if not late or not (wrong or any(x.errors for x in batch)):
                break
            print("# %s: the reactor was late, once more" % text)
            batch = [self.make(*x.name.split("/")) for x in batch]
        for cell in batch:
            self.count("%s (%.2f s)" % (cell.name, cell.seconds), cell.errors)
        self.count("%s: counters" % text, wrong)
