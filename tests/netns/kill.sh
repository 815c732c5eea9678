#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# kill -9 of dawnd during a load of cached GETs: established connections go on
# from XDP, without one failure, with and without loss; a new dawnd adopts them.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

FLOWS=24
AFTER=10000 # requests after the kill

mark() { # requests answered so far
	local before
	before=$(grep -c ^mark "$TMP/load.log")
	kill -USR1 "$load"
	wait_for 20 marked "$before" || return 1
	sed -n 's/^mark requests=//p' "$TMP/load.log" | tail -n 1
}
marked() { [ "$(grep -c ^mark "$TMP/load.log")" -gt "$1" ]; }
enough() {
	local now
	now=$(mark) && [ "$now" -ge $(($1 + AFTER)) ] && [ "$SECONDS" -ge "$2" ]
}

one_kill() { # TEXT
	start_dawnd
	promote "$SRV_IP" hot0 hot1 hot2
	: >"$TMP/load.log"
	nsenter --net="/run/netns/$CLI" -- "$here/load.py" "$SRV_IP" "$ROOT" "$FLOWS" hot0 hot1 hot2 \
		>"$TMP/load.log" 2>&1 &
	load=$!
	at_exit end_child "$load"
	check "$1: $FLOWS flows established" wait_for 30 \
		grep -q established "$TMP/load.log"
	kill_dawnd
	check "$1: $AFTER requests and 5 s without a daemon" wait_for 60 \
		enough "$(mark)" $((SECONDS + 5))
	start_dawnd
	local requests
	requests=$(mark)
	check "$1: the flows go on under a new dawnd" wait_for 30 \
		more_than $((requests + 5000))
	kill -TERM "$load"
	wait "$load"
	check_eq "$1: load ends well" 0 $?
	check "$1: none failed" grep 'failed=0' "$TMP/load.log"
	sed 's/^/     | /' "$TMP/load.log" | tail -n 3
	stop_dawnd
	check_eq "$1: dawnd ends well" 0 "$STATUS"
}
more_than() {
	local now
	now=$(mark) && [ "$now" -ge "$1" ]
}

setup_lossy
make_root
one_kill "no loss"
stop_link
start_link --loss 1 --seed 7
one_kill "1 % loss"
stop_link
finish
