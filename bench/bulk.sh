#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Question: how fast does the reactor's own TCP move bulk data through a bad
#           network, beside the kernel's TCP, and does it ever stall?
# Machine:  three namespaces a run: client, emulated wire (tests/link/link.c),
#           server. RATE Mbit/s, a queue of one bandwidth-delay product, RTT/2 of
#           delay each way; loss, reorder (held for RTT/8 longer), dup and
#           corrupt hit both directions, all by one seed. Frames come out at
#           multiples of MODERATE_US, as from a NIC with interrupt moderation: a
#           wake-up for each takes three times the CPU (0: as exact as it gets).
#           Wire, server and client run at a real-time priority: the kernel's
#           TCP runs in softirqs, before all other programs, ours should too.
# Servers:  dawnd with AF_XDP and `dawnd --io epoll`: the same HTTP code, only
#           the TCP differs. The kernel's congestion control is reno, at the
#           client as well; no metrics are kept between connections.
# Client:   tests/tools/bulk.c over kernel TCP.
#             get   downloads, SHA-256 of each
#             post  uploads in 128 kB requests that are dropped: goodput
#             echo  uploads that come back, SHA-256 of each
# Method:   RUNS pairs a cell. dawnd and kernel run at the same time, each with
#           a wire of its own: what else the machine does hits both. The seed is
#           the same within a pair and another one for each pair. Where reno is
#           slow by its own law (MSS / RTT * 1.22 / sqrt p) several connections
#           share the bytes, up to 64.
# Rule:     no connection may see nothing for longer than RTO backoff allows: a
#           segment lost k times in a row costs RTO * (2^k - 1), with RTO <=
#           RTT and queue + 200 ms; k so that a longer series is expected in
#           less than 1 of 100 runs; at least 3 s. A longer gap fails.
# Command:  sudo RUNS=1 JOBS=2 bench/bulk.sh     SIZE (1 GB) a run: 50 min
#           sudo QUICK=1 bench/bulk.sh           seconds a run, one pair: 4 min
#           sudo bench/bulk.sh CELL...           some cells
#           CELL is DIR:FATE:RTT_MS, such as get:loss1:100. JOBS=n runs n pairs
#           at once; the wire tells if it was too much: a run in which it missed
#           a frame, or brought more than 1 % of them 5 ms late, is marked `*`.
#           STACKS=dawnd leaves the kernel out: for the bytes, not the ratio.
#           KEEP=1 keeps what $BUILD/bench/results/bulk.json has.
# Output:   a line of JSON a run in $BUILD/bench/results/bulk.json, then a table.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

export BUILD=${BUILD:-build}
export RATE=${RATE:-100}
export MODERATE_US=${MODERATE_US:-500}
export QUICK=${QUICK:-}
export RUNS=${RUNS:-$([ -n "$QUICK" ] && echo 1 || echo 3)}
export SIZE=${SIZE:-1000000000}
export SECONDS_EACH=${SECONDS_EACH:-3} # QUICK: so long a run, roughly
export LIMIT_S=${LIMIT_S:-$([ -n "$QUICK" ] && echo 60 || echo 1800)} # a run
export STACKS=${STACKS:-dawnd kernel}
JOBS=${JOBS:-1}
export OUT=${OUT:-$BUILD/bench/results/bulk.json}

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
	# Uploads whose bytes are checked: they come back. Also where everything
	# goes wrong at once.
	for rtt in 20 100; do
		for fate in "${fates[@]}" all; do
			echo "echo:$fate:$rtt"
		done
	done
}

# wire_options FATE RTT_MS, and the probability that a frame is lost
wire_options() {
	local p=${1//[a-z]/} frames
	frames=$(awk "BEGIN { print int($RATE * 1e3 * $2 / 8 / 1514) + 1 }")
	echo "--rate-mbit $RATE --queue $frames --moderate-us $MODERATE_US" \
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
		if (n > 64)
			n = 64
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

### One run, in namespaces of its own #########################################
# Connections and bytes are those of the pair, the file is there.
all_closed() {
	[ "$(counter conn_closed)" -ge "$CONNS" ]
}

one_run() { # STACK SEED CELL
	local stack=$1 seed=$2 cell=$3 dir fate rtt options path=/bulk.bin
	local client status=0 retrans=null args=()
	IFS=: read -r dir fate rtt <<<"$cell"
	PRIORITY="chrt -f 10" # before whatever else this machine does
	# shellcheck source=tests/netns/lib.sh
	. "$here/../tests/netns/lib.sh"
	# shellcheck source=tests/netns/daemon.sh
	. "$here/../tests/netns/daemon.sh"
	ROOT=$FILES
	[ "$dir" != post ] || path=/none
	[ "$dir" != echo ] || path=/echo
	[ "$stack" != kernel ] || args=(--io epoll)
	options=$(wire_options "$fate" "$rtt" | tr '\n' ' ')
	# shellcheck disable=SC2086 # a list
	setup_lossy $options --seed "$seed"
	for ns in "$SRV" "$CLI"; do
		in_ns "$ns" sysctl -qw net.ipv4.tcp_congestion_control=reno \
			net.ipv4.tcp_no_metrics_save=1
	done
	start_dawnd "${args[@]}"
	client=$(in_cli "$BUILD/tests/bulk" --fifo 10 --conns "$CONNS" \
		--stall-ms "$STALL" --limit-s "$LIMIT_S" "$dir" "$SRV_IP" 80 "$path" \
		"$ROOT/bulk.bin" 2>"$TMP/bulk.log") || status=$?
	if [ "$stack" = dawnd ]; then
		# What a connection counted is told at its end.
		within 3 all_closed || :
		retrans=$(counter tcp_retransmit)
		dawn stats --dev "$SRV_IF" --json # for the log
	fi
	stop_dawnd
	stop_link >/dev/null
	printf '{"cell": "%s", "stack": "%s", "seed": %s, "status": %s, "allowed_ms": %s, "server_retrans": %s, "error": "%s", "client": %s, "wire": %s}\n' \
		"$cell" "$stack" "$seed" "$status" "$STALL" "$retrans" \
		"$(tr -d '"\n' <"$TMP/bulk.log")" "${client:-null}" \
		"$(sed -n '/^{/,$p' "$TMP/link.log" | tr -d '\n')" >>"$OUT"
	exit 0
}

### One cell: its pairs, one after the other ###################################
one_cell() { # CELL
	local fate rtt seed stack log
	IFS=: read -r _ fate rtt <<<"$1"
	FILES=$(mktemp -d /tmp/dawn-bulk.XXXXXX)
	# shellcheck disable=SC2064 # this directory
	trap "rm -rf '$FILES'" EXIT
	export FILES CONNS STALL
	read -r CONNS bytes STALL <<<"$(plan "$fate" "$rtt")"
	chmod 755 "$FILES"
	head -c "$bytes" /dev/urandom >"$FILES/bulk.bin"
	for seed in $(seq "$RUNS"); do
		for stack in $STACKS; do
			log=$OUT.${1//:/_}.$stack.$seed.log
			"$0" --run "$stack" "$seed" "$1" >"$log" 2>&1 &
		done
		wait
	done
	exit 0
}

case ${1:-} in
--run) one_run "$2" "$3" "$4" ;;
--cell) one_cell "$2" ;;
esac

### All #######################################################################
[ "$(id -u)" = 0 ] || {
	echo "bulk: needs root" >&2
	exit 1
}
[ $# -gt 0 ] || mapfile -t all < <(cells)
[ $# = 0 ] || all=("$@")
mkdir -p "$(dirname "$OUT")"
[ -n "${KEEP:-}" ] || : >"$OUT"
echo "# $(date -u +%F) $(uname -r), $(nproc) CPUs, $RATE Mbit/s, $RUNS pairs," \
	"${QUICK:+quick, }at most $SIZE bytes a run"
for cell in "${all[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
		wait -n || :
	done
	"$0" --cell "$cell" &
done
wait
exec python3 "$here/bulk_table.py" "$OUT"
