#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Question: how many cached GETs a second does one core answer, client included,
#           beside nginx asked by the same client in the same run?
# Machine:  two namespaces, one veth pair, native XDP at both ends; client,
#           server and softirqs pinned to CPU 0.
# Client:   closed loop, in XDP (client.bpf.c): FLOWS keep-alive flows, one
#           request under way on each.
# Method:   RUNS alternating runs of each server; a run is SECONDS long, sampled
#           every 250 ms, the first second left out.
# Command:  sudo bench/closed_loop.sh [BODY_BYTES]   (or: make bench)
# Output:   each run's line, then the medians and the ratio pair by pair.
set -euo pipefail

BUILD=${BUILD:-build}
RUNS=${RUNS:-5}
SECONDS_EACH=${SECONDS_EACH:-4}
FLOWS=${FLOWS:-64}
BODY=${1:-80}
PATH=$PATH:/usr/sbin:/sbin
cli=dawn-bcli-$$
srv=dawn-bsrv-$$
work=
pid=

# shellcheck source=tests/lib/network.sh
. "$(dirname "$0")/../tests/lib/network.sh"
in_srv() { nsenter --net="/run/netns/$srv" taskset -c 0 "$@"; }
in_cli() { nsenter --net="/run/netns/$cli" taskset -c 0 "$@"; }

stop_server() {
	[ -n "$pid" ] || return 0
	kill -TERM "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	in_srv ip link set dev dawn0 xdpdrv off 2>/dev/null || true
	pid=
}

cleanup() {
	trap - EXIT INT TERM
	stop_server
	remove_network "$BUILD/dawn"
	[ -z "$work" ] || rm -rf "$work"
}

answers() { in_cli curl -sf -m 2 -o /dev/null http://198.18.0.1/body; }

wait_until_up() {
	local end=$((SECONDS + 10))
	until answers; do
		[ $SECONDS -lt $end ] || {
			echo "closed_loop: $1 does not answer" >&2
			cat "$work"/*.log >&2
			exit 1
		}
		sleep 0.05
	done
}

start_dawnd() {
	nsenter --net="/run/netns/$srv" taskset -c 0 "$BUILD/dawnd" --dev dawn0 --root "$work/root" --hbtp 0 \
		>"$work/dawnd.log" 2>&1 &
	pid=$!
	wait_until_up dawnd
}

start_nginx() {
	sed -e "s|@WORK@|$work|; s|@ROOT@|$work/root|; s|@CPUS@|01|" \
		bench/peers/nginx.conf >"$work/nginx.conf"
	nsenter --net="/run/netns/$srv" taskset -c 0 nginx -c "$work/nginx.conf" -g 'daemon off;' \
		>"$work/nginx.log" 2>&1 &
	pid=$!
	wait_until_up nginx
	in_srv ip link set dev dawn0 xdpdrv obj "$BUILD/bench/pass.bpf.o" sec xdp
}

# measure NAME: one run; prints its line and keeps the median rate.
measure() {
	local line
	"start_$1"
	line=$(CLIENT_OBJECT=$BUILD/bench/client.bpf.o in_cli \
		"$BUILD/bench/client" eth0 198.18.0.1 80 /body "$FLOWS" \
		"$SECONDS_EACH")
	stop_server
	printf '%-6s %s\n' "$1" "$line"
	sed -n 's/.*rate_median=\([0-9]*\).*/\1/p' <<<"$line" >>"$work/$1.rates"
}

[ "$(id -u)" -eq 0 ] || {
	echo "closed_loop: needs root" >&2
	exit 1
}
trap cleanup EXIT
trap 'exit 130' INT TERM
work=$(mktemp -d "${TMPDIR:-/tmp}/dawn-bench.XXXXXX")
mkdir "$work/root"
chmod 755 "$work" "$work/root"
head -c "$BODY" /dev/zero | tr '\0' x >"$work/root/body"
make_network

echo "# $(uname -r), $(nproc) CPUs, $(nginx -v 2>&1), body $BODY bytes," \
	"$FLOWS flows, $RUNS runs of $SECONDS_EACH s each"
for _ in $(seq "$RUNS"); do
	measure dawnd
	measure nginx
done
# spread FILE: smallest, middle and largest
spread() {
	sort -n "$1" | awk '{ a[NR] = $1 }
		END { print a[1], a[int((NR + 1) / 2)], a[NR] }'
}
paste "$work/dawnd.rates" "$work/nginx.rates" |
	awk '{ printf "%.2f\n", $1 / $2 }' >"$work/ratios"
for name in dawnd nginx; do
	read -r low middle high <<<"$(spread "$work/$name.rates")"
	echo "$name answers/s over runs: min $low median $middle max $high"
done
read -r low middle high <<<"$(spread "$work/ratios")"
echo "ratio dawnd/nginx, pair by pair: min $low median $middle max $high"
