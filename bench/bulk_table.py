#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The table of bench/bulk.sh from its lines of JSON.

usage: bulk_table.py FILE...    a run in a later file counts instead of an earlier
Leaves with 1 if a run failed: a wrong byte, a stall beyond the rule, an end
too early. Ratios are goodput dawnd / kernel, pair by pair."""
import json
import statistics
import sys

FATES = ("loss0", "loss0.1", "loss1", "reorder5", "dup5", "corrupt5", "all")
LATE_SHARE = 0.01  # of frames 5 ms late or more: the run is marked


def load(names):
    cells = {}
    for name in names:
        with open(name) as f:
            for line in f:
                run = json.loads(line)
                cell = cells.setdefault(run["cell"], {})
                cell.setdefault(run["seed"], {})[run["stack"]] = run
    return cells


def order(name):
    direction, fate, rtt = name.split(":")
    return (("get", "post", "echo").index(direction), int(rtt),
            FATES.index(fate))


def late(run):
    wire = run["wire"]
    return any(wire[d]["late_5ms"] > LATE_SHARE * wire[d]["sent"] or
               wire[d]["missed"] or wire[d]["failed"] for d in ("ab", "ba"))


def spread(values, form):
    if not values:
        return "-"
    middle = form % statistics.median(values)
    if len(values) == 1:
        return middle
    return "%s / %s / %s" % (form % min(values), middle, form % max(values))


def good(run):
    return run and run["status"] == 0 and run["client"]


def goodputs(cell, stack):
    return [pair[stack]["client"]["goodput_mbit"] for pair in cell.values()
            if good(pair.get(stack))]


def gap(cell, stack):
    gaps = [pair[stack]["client"]["gap_max_ms"] for pair in cell.values()
            if pair.get(stack) and pair[stack]["client"]]
    return "%.0f" % max(gaps) if gaps else "-"


def row(name, cell):
    ratios, bad, marks, allowed, conns, size = [], [], 0, 0, 0, 0
    for seed, pair in sorted(cell.items()):
        for stack, run in sorted(pair.items()):
            marks += late(run)
            allowed = run["allowed_ms"]
            if not good(run):
                bad.append("%s seed %d %s: %s" % (name, seed, stack,
                                                  run["error"]))
            else:
                conns = run["client"]["conns"]
                size = run["client"]["bytes"]
        if good(pair.get("dawnd")) and good(pair.get("kernel")):
            ratios.append(pair["dawnd"]["client"]["goodput_mbit"] /
                          pair["kernel"]["client"]["goodput_mbit"])
    print("| %s | %d x %.1f MB | %s | %s | %s | %s%s | %s | %s | %d |" % (
        name.replace(":", " "), conns, size / max(conns, 1) / 1e6,
        "not seen" if name.startswith("post") else "no" if bad else "equal",
        spread(goodputs(cell, "dawnd"), "%.1f"),
        spread(goodputs(cell, "kernel"), "%.1f"), spread(ratios, "%.2f"),
        " " + "*" * marks if marks else "", gap(cell, "dawnd"),
        gap(cell, "kernel"), allowed))
    return bad


def main():
    cells = load(sys.argv[1:])
    print("| cell | connections | SHA-256 | dawnd, Mbit/s | kernel | ratio by "
          "pairs | longest gap dawnd, ms | kernel | allowed |")
    print("|---|---|---|---|---|---|---|---|---|")
    bad = []
    for name in sorted(cells, key=order):
        bad += row(name, cells[name])
    for line in bad:
        print("FAILED " + line)
    sys.exit(1 if bad or not cells else 0)


main()
