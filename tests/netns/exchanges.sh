#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Captures the exchanges of docs/EXCHANGES.md and draws them: a kernel hit; a miss;
# a handoff with loss. The kernel's TCP is the client, the emulated wire delays by
# 10 ms in each direction. Captured on both sides of the wire, so that what it
# loses is seen.
# usage: sudo tests/netns/exchanges.sh [hit|miss|loss]...
#   KEEP=DIR leaves the captures there
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

start_capture() { # INTERFACE
	nsenter --net="/run/netns/$MID" -- tcpdump --immediate-mode -U -Z root \
		-i "$1" -w "$TMP/$1.pcap" 'tcp port 80' >"$TMP/$1.log" 2>&1 &
	CAPTURES+=($!)
	at_exit end_child $!
	wait_for 5 grep -q 'listening on' "$TMP/$1.log"
}

one() { # KIND
	local lose=() pid
	# Of the ten segments the third is lost.
	[ "$1" != loss ] || lose=(--drop ba:3)
	end_link
	start_link --delay-ms 10 "${lose[@]}"
	CAPTURES=()
	start_capture m0
	start_capture m1
	check "$1" in_cli "$here/exchanges.py" play "$1" "$SRV_IP" \
		"$TMP/steps" "nsenter --net=/run/netns/$SRV -- $DAWN" "$SRV_IF"
	for pid in "${CAPTURES[@]}"; do
		kill -TERM "$pid"
		wait "$pid"
	done
	"$here/exchanges.py" draw "$TMP/steps" "$TMP/m1.pcap" \
		"$TMP/m0.pcap" >"$TMP/$1.txt"
	cat "$TMP/$1.txt"
	if [ -n "${KEEP:-}" ]; then
		cp "$TMP/m1.pcap" "$KEEP/$1-server.pcap"
		cp "$TMP/m0.pcap" "$KEEP/$1-client.pcap"
	fi
}

# What the document says of it.
drawn_right() { # KIND
	case $1 in
	hit)
		check_not "the reactor sent nothing" grep reactor "$TMP/hit.txt"
		check "XDP did" grep -q 'XDP  HTTP/1.1 200' "$TMP/hit.txt"
		;;
	miss)
		check "the reactor answered, then XDP" grep -zq \
			'reactor  HTTP/1.1 200.*XDP  HTTP/1.1 200' "$TMP/miss.txt"
		;;
	loss)
		check "XDP's segment was lost" grep -Eq \
			'X lost -+ ACK seq 2881:4321 ack 44  XDP' "$TMP/loss.txt"
		check "the reactor sent it again, then XDP answered" \
			grep -zEq 'ACK seq 2881:4321 ack 44  reactor.*XDP  HTTP' \
			"$TMP/loss.txt"
		;;
	esac
}

[ $# -gt 0 ] || set -- hit miss loss
make_root
cp "$ROOT/hot5" "$ROOT/cold"
setup_lossy --delay-ms 10
start_dawnd
promote "$SRV_IP" hot0 ten.bin
no_flow() {
	[ "$(dawn flows --dev "$SRV_IF" --json | grep -c '"peer"')" = 0 ]
}
for kind; do
	wait_for 10 no_flow
	one "$kind"
	drawn_right "$kind"
done
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
