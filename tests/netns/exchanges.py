#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Play an exchange with the kernel's TCP as client, and draw what was captured.

usage: exchanges.py play KIND SERVER STEPS DAWN DEV
       exchanges.py draw STEPS PCAP_SERVER PCAP_CLIENT

play writes a line for each step into the file STEPS: when it ended, how many
frames the reactor sent in it, which counters moved. From these, draw says whose a
frame of the server's is: a step hands the connection over once at most, from XDP
to the reactor, so the reactor's frames are the last ones of the step."""
import json
import os
import subprocess
import sys
import textwrap
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import cells  # noqa: E402  (the path must be set first)
import httpc  # noqa: E402

KINDS = {
    "hit": (("GET", "/hot0"),),
    "miss": (("GET", "/cold"), ("GET", "/hot0")),
    "loss": (("GET", "/ten.bin"), ("GET", "/hot0")),
}
SHOWN = ("syn_cookie", "flow_new", "http_hit", "http_hit_segments", "to_user",
         "cache_miss", "tcp_sack", "http_requests", "tcp_fast_retransmit",
         "tcp_retransmit", "tcp_tlp", "to_kernel", "fin_acked", "flow_closed")
WIDTH = 50


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            sys.exit("exchanges: waited in vain")
        time.sleep(0.02)


class Player:
    def __init__(self, steps, dawn, dev):
        self.stats = cells.Stats(dawn, dev)
        self.dawn, self.dev = dawn.split(), dev
        self.steps = open(steps, "w", encoding="ascii")
        self.last = self.stats.read()

    def flows(self):
        out = subprocess.run(self.dawn + ["flows", "--dev", self.dev,
                                          "--json"],
                             check=True, capture_output=True).stdout
        return [(x["owner"], x["unacked"]) for x in json.loads(out)]

    def settle(self, text, flows):
        """All is acknowledged, and XDP has the flow (or there is none)."""
        wait_for(lambda: self.flows() == flows)
        now = self.stats.read()
        moved = {x: now[x] - self.last[x] for x in now}
        self.last = now
        json.dump({"text": text, "end": time.time(),
                   "reactor": moved["tx_frames"],
                   "moved": {x: moved[x] for x in SHOWN if moved.get(x)}},
                  self.steps)
        self.steps.write("\n")


def play(kind, server, steps, dawn, dev):
    player = Player(steps, dawn, dev)
    conn = httpc.Connection(server)
    player.settle("connect", [("kernel", False)])
    for method, target in KINDS[kind]:
        answer = conn.request(method, target)
        if answer.status != 200:
            sys.exit("exchanges: status %d" % answer.status)
        player.settle("%s %s" % (method, target), [("kernel", False)])
    conn.close()
    player.settle("close", [])


FIELDS = ("frame.time_epoch", "tcp.dstport", "tcp.flags", "tcp.seq", "tcp.ack",
          "tcp.len", "tcp.options.sack_le", "tcp.options.sack_re",
          "tcp.payload", "tcp.seq_raw")


def capture(pcap):
    command = ["tshark", "-r", pcap, "-Y", "tcp", "-T", "fields",
               "-E", "separator=;"]
    for name in FIELDS:
        command += ["-e", name]
    out = subprocess.run(command, check=True, capture_output=True,
                         encoding="ascii").stdout
    return [line.split(";") for line in out.splitlines()]


def label(row):
    flags = int(row[2], 16)
    names = [n for bit, n in ((2, "SYN"), (1, "FIN"), (4, "RST"),
                              (16, "ACK")) if flags & bit]
    length = int(row[5])
    text = "%s seq %s" % ("+".join(names), row[3])
    if length:
        text += ":%d" % (int(row[3]) + length)
    if flags & 16:
        text += " ack %s" % row[4]
    if row[6]:
        text += " SACK " + " ".join("%s:%s" % x for x in zip(
            row[6].split(","), row[7].split(",")))
    return text


def first_line(row):
    data = bytes.fromhex(row[8]) if row[8] else b""
    if data[:4] in (b"GET ", b"HTTP"):
        return data.split(b"\r\n")[0].decode("ascii")
    return ""


def is_lost(at_server, at_client):
    """For each frame of the server's, where it left it: did it not come out at
    the client's end? Of the same segment twice, the last one did."""
    def key(row):
        return row[9], row[5], row[2]
    came = [key(x) for x in at_client]
    lost = []
    for row in reversed(at_server):
        lost.append(key(row) not in came)
        if key(row) in came:
            came.remove(key(row))
    return lost[::-1]


def draw_client(row):
    text = label(row)
    return text + " " + "-" * (WIDTH - len(text) - 2) + ">", first_line(row)


def draw_server(row, lost, whose):
    text = label(row)
    start = "X lost " if lost else "<"
    bar = "-" * (WIDTH - len(start) - len(text) - 1)
    return start + bar + " " + text, (whose + "  " + first_line(row)).strip()


def draw(steps, at_server, at_client):
    with open(steps, encoding="ascii") as f:
        steps = [json.loads(x) for x in f]
    rows = capture(at_server)
    lost = is_lost([x for x in rows if x[1] != "80"],
                   [x for x in capture(at_client) if x[1] != "80"])
    base = float(rows[0][0])
    print("%8s  %-*s  from" % ("ms", WIDTH, "client" + " " * (
        WIDTH - 12) + "server"))
    for step in steps:
        mine = [x for x in rows if float(x[0]) <= step["end"]]
        rows = rows[len(mine):]
        by_xdp = sum(x[1] != "80" for x in mine) - step["reactor"]
        print("%8s  -- %s" % ("", step["text"]))
        for row in mine:
            if row[1] == "80":
                arrow, note = draw_client(row)
            else:
                arrow, note = draw_server(row, lost.pop(0), "XDP" if by_xdp > 0
                                          else "reactor")
                by_xdp -= 1
            print(("%8.1f  %s  %s" % ((float(row[0]) - base) * 1000, arrow,
                                      note)).rstrip())
        print(textwrap.fill(", ".join("%s %d" % x for x in
                                      step["moved"].items()), 88,
                            initial_indent=" " * 10,
                            subsequent_indent=" " * 10))


if __name__ == "__main__":
    {"play": play, "draw": draw}[sys.argv[1]](*sys.argv[2:])
