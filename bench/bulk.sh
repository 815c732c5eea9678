#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Question: how fast does the reactor's own TCP move bulk data through a bad
#           network, beside the kernel's TCP, and does it ever stall?
# Machine:  three namespaces: client, emulated wire (tests/link/link.c), server.
#           RATE Mbit/s, a queue of one bandwidth-delay product, RTT/2 of delay
#           each way; loss, reorder (held for RTT/8 longer), dup and corrupt hit
#           both directions, all by one seed.
#           Wire, server and client run at a real-time priority: the kernel's
#           TCP runs in softirqs, before all other programs, ours should too.
# Servers:  dawnd with AF_XDP and `dawnd --io epoll`: the same HTTP code, only
#           the TCP differs. The kernel's congestion control is reno, at the
#           client as well; no metrics are kept between connections.
# Client:   tests/tools/bulk.c over kernel TCP.
#             get   downloads, SHA-256 of each
#             post  uploads in 128 kB requests that are dropped: goodput
#             echo  uploads that come back, SHA-256 of each: correctness
# Method:   RUNS pairs a cell, dawnd and kernel in turns, the seed is the same
#           within a pair and another one for each pair. Where reno is slow by
#           its own law (MSS / RTT * 1.22 / sqrt p) several connections share
#           the bytes.
# Rule:     no connection may see nothing for longer than RTO backoff allows: a
#           segment lost k times in a row costs RTO * (2^k - 1), with RTO <=
#           RTT and queue + 200 ms; k so that a longer series is expected in
#           less than 1 of 100 runs; at least 3 s. A longer gap fails.
# Command:  sudo bench/bulk.sh [CELL...]         all cells, SIZE (1 GB) a run
#           sudo QUICK=1 bench/bulk.sh           seconds a run, one pair: 3 min
#           CELL is DIR:FATE:RTT_MS, such as get:loss1:100. JOBS=n runs n cells
#           at once; the wire tells if it was too much: a run in which it missed
#           a frame, or brought more than 1 % of them 5 ms late, is marked `*`.
#           STACKS=dawnd leaves the kernel out: for the bytes, not the ratio.
# Output:   a line of JSON a run in $BUILD/bench/results/bulk.json, then a table.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

export BUILD=${BUILD:-build}
export RATE=${RATE:-200}
export QUICK=${QUICK:-}
export RUNS=${RUNS:-$([ -n "$QUICK" ] && echo 1 || echo 3)}
export SIZE=${SIZE:-1000000000}
export SECONDS_EACH=${SECONDS_EACH:-3} # QUICK: so long a run, roughly
export LIMIT_S=${LIMIT_S:-$([ -n "$QUICK" ] && echo 60 || echo 1800)} # a run
export STACKS=${STACKS:-dawnd kernel}
JOBS=${JOBS:-1}
out=${OUT:-$BUILD/bench/results/bulk.json}

fates=(loss0 loss0.1 loss1 reorder5 dup5 corrupt5)
cells() {
	local dir fate rtt
	for dir in get post; do
		for rtt in 20 100; do
			for fate in "${fates[@]}"; do
				echo "$dir:$fate:$rtt"
			done
		done
	done
	# Bytes come back right, also where everything goes wrong at once.
	for fate in loss1 all; do
		echo "echo:$fate:20"
	done
}

# wire_options FATE RTT_MS, and the probability that a frame is lost
wire_options() {
	local p=${1//[a-z]/} frames
	frames=$(awk "BEGIN { print int($RATE * 1e3 * $2 / 8 / 1514) + 1 }")
	echo "--rate-mbit $RATE --queue $frames" \
		"--delay-ms $(awk "BEGIN { print $2 / 2 }")" \
		"--reorder-ms $(awk "BEGIN { print $2 / 8 }")"
	case $1 in
	loss0) ;;
	all) echo "--loss 1 --reorder 5 --dup 5 --corrupt 1" ;;
	*) echo "--${1%"$p"} $p" ;;
	esac
}
loss_of() {
	case $1 in
	loss* | corrupt*) awk "BEGIN { print ${1//[a-z]/} / 100 }" ;;
	all) echo 0.02 ;;
	*) echo 0 ;;
	esac
}

# plan FATE RTT_MS: CONNECTIONS BYTES_EACH STALL_MS
plan() {
	awk -v p="$(loss_of "$1")" -v rtt="$2" -v rate="$RATE" \
		-v size="$SIZE" -v quick="$QUICK" -v secs="$SECONDS_EACH" 'BEGIN {
		one = rate
		if (p > 0)
			one = 1448 * 8 / (rtt * 1e3) * 1.22 / sqrt(p)
		n = int(rate / 2 / one) + 1
		if (n > 32)
			n = 32
		total = one * n < rate ? one * n : rate
		bytes = quick ? total * 1e6 / 8 * secs : size
		if (bytes > size)
			bytes = size
		rto = 2 * rtt + 200
		expect = bytes / 1448
		for (k = 0; expect > 0.01; k++)
			expect *= p > 0.001 ? p : 0.001
		stall = 4 * rtt + 200 + rto * (2 ^ (k - 1) - 1)
		print n, int(bytes / n), int(stall > 3000 ? stall : 3000)
	}'
}

### One cell, in namespaces of its own ########################################
one_run() { # STACK SEED CELL DIR PATH OPTIONS
	local stack=$1 seed=$2 cell=$3 dir=$4 path=$5 client status=0
	local before=0 args=()
	[ "$stack" != kernel ] || args=(--io epoll)
	# shellcheck disable=SC2086 # a list
	start_link $6 --seed "$seed"
	start_dawnd "${args[@]}"
	[ "$stack" = kernel ] || before=$(counter tcp_retransmit)
	# shellcheck disable=SC2086
	client=$(in_cli $PRIORITY "$BUILD/tests/bulk" --conns "$conns" \
		--stall-ms "$stall" --limit-s "$LIMIT_S" "$dir" "$SRV_IP" 80 "$path" \
		"$ROOT/bulk.bin" 2>"$TMP/bulk.log") || status=$?
	local retrans=null
	[ "$stack" = kernel ] ||
		retrans=$(($(counter tcp_retransmit) - before))
	stop_dawnd
	stop_link >/dev/null
	printf '{"cell": "%s", "stack": "%s", "seed": %s, "status": %s, "allowed_ms": %s, "server_retrans": %s, "error": "%s", "client": %s, "wire": %s}\n' \
		"$cell" "$stack" "$seed" "$status" "$stall" "$retrans" \
		"$(tr -d '"\n' <"$TMP/bulk.log")" "${client:-null}" \
		"$(sed -n '/^{/,$p' "$TMP/link.log" | tr -d '\n')" >>"$out"
}

one_cell() {
	local dir fate rtt path options seed stack
	IFS=: read -r dir fate rtt <<<"$1"
	PRIORITY="chrt -f 10" # before whatever else this machine does
	# shellcheck source=tests/netns/lib.sh
	. "$here/../tests/netns/lib.sh"
	# shellcheck source=tests/netns/daemon.sh
	. "$here/../tests/netns/daemon.sh"
	read -r conns bytes stall <<<"$(plan "$fate" "$rtt")"
	options=$(wire_options "$fate" "$rtt" | tr '\n' ' ')
	setup_lossy
	stop_link >/dev/null
	for ns in "$SRV" "$CLI"; do
		in_ns "$ns" sysctl -qw net.ipv4.tcp_congestion_control=reno \
			net.ipv4.tcp_no_metrics_save=1
	done
	mkdir -p "$ROOT"
	chmod 755 "$TMP" "$ROOT"
	head -c "$bytes" /dev/urandom >"$ROOT/bulk.bin"
	path=/bulk.bin
	[ "$dir" != post ] || path=/none
	[ "$dir" != echo ] || path=/echo
	for seed in $(seq "$RUNS"); do
		for stack in $STACKS; do
			one_run "$stack" "$seed" "$1" "$dir" "$path" "$options"
		done
	done
	exit 0
}

if [ "${1:-}" = --cell ]; then
	one_cell "$2"
fi

### All #######################################################################
[ "$(id -u)" = 0 ] || {
	echo "bulk: needs root" >&2
	exit 1
}
[ $# -gt 0 ] || mapfile -t all < <(cells)
[ $# = 0 ] || all=("$@")
mkdir -p "$(dirname "$out")"
: >"$out"
export OUT=$out
echo "# $(date -u +%F) $(uname -r), $(nproc) CPUs, $RATE Mbit/s, $RUNS pairs," \
	"${QUICK:+quick, }at most $SIZE bytes a run"
for cell in "${all[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
		wait -n || :
	done
	"$0" --cell "$cell" >"$out.${cell//:/_}.log" 2>&1 &
done
wait
exec python3 "$here/bulk_table.py" "$out"
