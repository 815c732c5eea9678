#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# All benches, raw output kept in $BUILD/bench/results. Each script's header
# says its question and how it asks. (or: make bench)
set -euo pipefail

export BUILD=${BUILD:-build}
here=$(dirname "$0")
out=$BUILD/bench/results
mkdir -p "$out"

machine() {
	uname -srm
	sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | sort | uniq -c
	date -u +%FT%TZ
}

# What one packet costs in the program alone, by bpf_prog_test_run: lowest and
# middle of 100 runs of 2,000 packets each.
packet_cost() {
	echo "# ns a packet, program alone, warm caches"
	"$BUILD/tests/progrun/test_cost" 2>&1
	"$BUILD/tests/progrun/test_fill" 2>&1
}

machine | tee "$out/machine.txt"
packet_cost | tee "$out/packet_cost.txt"
for body in 80 1000; do
	"$here/closed_loop.sh" "$body" | tee "$out/closed_loop_$body.txt"
done
SECONDS_EACH=${SCALE_S:-60} "$here/scale.sh" | tee "$out/scale.txt"
# Seconds a run; hours without QUICK.
QUICK=${QUICK-1} "$here/bulk.sh" | tee "$out/bulk.txt"
