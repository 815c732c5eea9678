#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Memory for connections is short: 9 MB hold 66. Peers that make no progress
# hold on to it; those that do must neither lose theirs nor be kept out.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

HONEST=198.18.0.99
SOURCES=()

setup_pair
make_root
head -c 900000 /dev/urandom >"$ROOT/slow.bin"
in_cli ip addr add "$HONEST/24" dev "$CLI_IF"
for ((i = 11; i <= 30; i++)); do
	in_cli ip addr add "198.18.0.$i/24" dev "$CLI_IF"
	SOURCES+=("198.18.0.$i")
done

holds() { [ "$(held)" -ge "$1" ]; } # CONNECTIONS
evicted() { # MINIMUM REASON...
	local sum=0 reason
	for reason in "${@:2}"; do
		sum=$((sum + $(counter "evicted_$reason")))
	done
	[ "$sum" -ge "$1" ]
}

# begin KIND COUNT SOURCE...: hold connections until `end`
begin() {
	mkfifo "$TMP/stop.$1"
	nsenter --net="/run/netns/$CLI" -- "$here/stall.py" "$1" "$2" \
		"$SRV_IP" "${@:3}" <"$TMP/stop.$1" >"$TMP/$1.log" 2>&1 &
	STALLED=$!
	at_exit end_child "$STALLED"
	exec {STOP}>"$TMP/stop.$1"
	check "$1: $2 connections" wait_for 60 grep -q ready "$TMP/$1.log"
}

end() { # KIND
	exec {STOP}>&-
	wait "$STALLED"
	grep -q 'reset=' "$TMP/$1.log" || fail "$1: client: $(cat "$TMP/$1.log")"
	rm "$TMP/stop.$1"
}

# honest TEXT: asks for the large file, from an address of its own
honest() {
	check "$1: an honest client is served" in_cli curl -sSf -m 60 \
		--interface "$HONEST" -o "$TMP/got" "http://$SRV_IP/big.bin"
	check "$1: whole" cmp "$TMP/got" "$ROOT/big.bin"
}

start_dawnd --memory 9
# One source: stopped at half of the memory, whatever it does.
nsenter --net="/run/netns/$CLI" -- "$here/steady.py" "$SRV_IP" "$HONEST" \
	/slow.bin "$TMP/slow" 90000 &
slow=$!
begun() { [ -s "$TMP/slow" ]; }
check "a slow download begins" wait_for 30 begun
begin window 90 "$CLI_IP"
shared() { [ "$(counter conn_share)" -ge 1 ]; }
check "one source gets no more than its share" wait_for 30 shared
# A client that is short of CPU may lose a segment instead of closing its window.
check "its own are evicted for it" wait_for 30 evicted 1 window reader
at_least "connections held, of 66: room left" 20 $((66 - $(held)))
honest "one source"
end window

# Twenty sources together take all; who stalls goes: at the latest for the next
# one that waits, if the honest client found the last free place.
before=$(($(counter evicted_window) + $(counter evicted_reader)))
begin reader 120 "${SOURCES[@]}"
check "all memory is held" wait_for 30 holds 55
honest "twenty sources read slowly"
check "who reads slowly is evicted" wait_for 30 \
	evicted $((before + 1)) window reader
end reader
begin writer 120 "${SOURCES[@]}"
check "all memory is held" wait_for 30 holds 55
honest "twenty sources write slowly"
check "who writes slowly is evicted" wait_for 30 evicted 1 writer
end writer
begin closer 160 "${SOURCES[@]}"
# One buffer each, the other went back: there are more of them.
check "more than 66 are held" wait_for 30 holds 110
honest "twenty sources do not close"
check "who only has to close goes first" wait_for 30 evicted 1 closing
end closer
wait "$slow"
check_eq "the slow download ends well" 0 $?
check "and is whole" cmp "$TMP/slow" "$ROOT/slow.bin"
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
