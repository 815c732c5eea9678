#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Question: how near does the kernel cache's policy come to knowing the most
#           popular objects beforehand, and how fast is it there again when
#           others become popular? Beside LRU on the same trace.
# Machine:  any; nothing is timed, the same seed gives the same numbers.
# Method:   bench/heat.c: 12 M requests by Zipf(0.99) to 1 M objects, 10,000
#           slots; after half of them other objects are the popular ones. The
#           policy is the daemon's own code (user/cache/evict.c); slots hold
#           nothing, an evicted one is free three ticks later.
# Command:  bench/heat.sh [TICK_EVERY [PROMOTE_AFTER]]
#           TICK_EVERY=10000: requests between two ticks, as with 100,000 a
#           second.
# Output:   CSV: hit ratio of each 100,000 requests; with gnuplot also
#           $BUILD/bench/results/heat.svg.
set -euo pipefail

BUILD=${BUILD:-build}
out=$BUILD/bench/results
mkdir -p "$out"
"$BUILD/bench/heat" "$@" | tee "$out/heat.csv"
command -v gnuplot >/dev/null || exit 0
gnuplot -e "dir = '$out'" - <<-'END'
	set datafile separator ','
	set terminal svg size 800,400
	set output dir.'/heat.svg'
	set xlabel 'million requests'
	set ylabel 'hit ratio'
	set yrange [0:0.8]
	set key bottom right autotitle columnhead
	plot for [i=2:4] dir.'/heat.csv' using ($1 / 1e6):i with lines
END
