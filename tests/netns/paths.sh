#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The main job in native and generic mode, with one queue and four, over IPv4
# and IPv6, offloads at their defaults; with four queues, the flows of a running
# load are moved from queue to queue.
# usage: paths.sh [MODE QUEUES]   default: all four
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

if [ $# = 0 ]; then
	for mode in native generic; do
		for queues in 1 4; do
			echo "# $mode, $queues queues"
			out=$("$0" "$mode" "$queues")
			printf '%s\n' "$out" | grep -v ' passed, '
			read -r p _ f _ <<<"$(tail -n 1 <<<"$out")"
			PASSED=$((PASSED + ${p:-0}))
			FAILED=$((FAILED + ${f:-1}))
		done
	done
	finish
fi
MODE=$1
QUEUES=$2

hits_of() { # COMMAND...: how many kernel hits it made
	local before
	before=$(counter http_hit)
	"$@" >"$TMP/out" 2>&1 || echo "failed: $*"
	echo $(($(counter http_hit) - before))
}

# For four seconds, let everything the client sends leave by one tx queue, so
# arrive in one rx queue, then by the next. The kernel moves a flow when nothing
# of it is under way, which between two requests is always.
# (/sys shows the namespace of the process that mounted it.)
move_flows() {
	# shellcheck disable=SC2016 # $1 and so on are the inner shell's
	in_cli unshare -m bash -c 'mount -t sysfs dawn /sys &&
		cd "/sys/class/net/$1/queues" || exit 1
		end=$((SECONDS + 4))
		for ((i = 0; SECONDS < end; i++)); do
			echo 3 >"tx-$((i % $2))/xps_cpus" &&
			echo 0 >"tx-$(((i + 1) % $2))/xps_cpus" &&
			echo 0 >"tx-$(((i + 2) % $2))/xps_cpus" &&
			echo 0 >"tx-$(((i + 3) % $2))/xps_cpus" || exit 1
		done' - "$CLI_IF" "$QUEUES"
}

setup_pair "$QUEUES"
make_root
start_dawnd --mode "$MODE"
# In generic mode a frame grows by the 256 bytes before it and no more.
hit=hot1
[ "$MODE" = native ] || hit=hot0
sed 's/^/     | /' "$TMP/dawnd.log"
check "the start line names the mode" grep -q "$MODE" "$TMP/dawnd.log"
for address in "$SRV_IP" "[$SRV_IP6]"; do
	fetch "first GET, $address" "$address" hot0
	promote "$address" hot0 "$hit"
	fetch "hit, $address" "$address" "$hit"
	check_eq "it is a kernel hit, $address" 1 "$(hits_of \
		in_cli curl -sfg -o /dev/null "http://$address/$hit")"
	fetch "ten segments, first, $address" "$address" ten.bin
	fetch "ten segments, second, $address" "$address" ten.bin
	fetch "ten segments, third, $address" "$address" ten.bin
	fetch "300 kB, $address" "$address" big.bin
	check "POST, $address" in_cli curl -sSfg -o "$TMP/got" \
		--data-binary "@$ROOT/big.bin" "http://$address/echo"
	check "POST, right bytes, $address" cmp "$TMP/got" "$ROOT/big.bin"
done
if [ "$MODE" = native ]; then
	check_eq "ten segments are a kernel hit" 1 "$(hits_of \
		in_cli curl -sf -o /dev/null "http://$SRV_IP/ten.bin")"
fi
check "wrk, 64 connections" in_cli wrk -t2 -c64 -d3s "http://$SRV_IP/hot0"
in_cli wrk -t2 -c64 -d2s "http://$SRV_IP/hot0" >"$TMP/wrk"
check_not "wrk saw no error" grep -Eq 'Socket errors|Non-2xx' "$TMP/wrk"
if [ "$QUEUES" -gt 1 ]; then
	: >"$TMP/load.log"
	nsenter --net="/run/netns/$CLI" -- "$here/load.py" "$SRV_IP" "$ROOT" \
		20 hot0 hot1 ten.bin big.bin >"$TMP/load.log" 2>&1 &
	load=$!
	at_exit end_child "$load"
	check "load runs" wait_for 20 grep -q established "$TMP/load.log"
	check "flows are moved" move_flows
	kill -TERM "$load"
	wait "$load"
	at_least "packets that reached a thread of another queue" 1 \
		"$(counter passed_thread)"
	check "no request failed while flows changed their queue" \
		grep 'failed=0' "$TMP/load.log"
	sed 's/^/     | /' "$TMP/load.log" | tail -n 1
fi
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
