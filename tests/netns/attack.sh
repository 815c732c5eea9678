#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Under attack an honest client, of another address, gets every answer, and the
# right one; memory stays under its cap; who holds it for nothing loses it; and
# nothing is left when the attack is over. No claim about speed: bench/attack.sh.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

MEMORY_MB=9 # 66 connections
HONEST=198.18.0.99
PORT=5555
EVIL=198.19.0.1 # and 15 that follow; the kernel's own
RAW=198.19.1.1  # nobody's: answers to them go nowhere

holds() { [ "$(held)" -ge "$1" ]; }         # CONNECTIONS
holds_at_most() { [ "$(held)" -le "$1" ]; } # CONNECTIONS
sum() { # COUNTER...
	local n=0 name
	for name; do
		n=$((n + $(counter "$name")))
	done
	echo "$n"
}
grew() { [ "$(sum "${@:2}")" -gt "$1" ]; } # BEFORE COUNTER...
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$DAWND_PID/status"; }

attacker() { # COMMAND...: until stop_attack
	nsenter --net="/run/netns/$CLI" -- "$@" >"$TMP/attacker" 2>&1 &
	ATTACKER=$!
	at_exit end_child "$ATTACKER"
}
kernel_attack() { # KIND
	attacker "$BUILD/tests/attack" -n 400 -f "$EVIL" -a 16 -s 600 \
		"$SRV_IP" 80 /big.bin "$1"
}
raw_attack() { # KIND [OPTION]...
	attacker "$BUILD/tests/rawattack" -r 20000 -s 600 "${@:2}" "$CLI_IF" \
		"$MAC" "$SRV_IP" 80 /big.bin "$1"
}
stop_attack() {
	kill -TERM "$ATTACKER"
	wait "$ATTACKER" 2>/dev/null
}

# honest KIND: 48 connections for what XDP has, 16 for what the reactor has
honest() {
	local what
	for what in "/hot0 -n 48" "/hot0? -n 16"; do
		# shellcheck disable=SC2086
		in_cli "$BUILD/tests/conns" -w 8 -f "$HONEST" ${what#* } \
			"$SRV_IP" 80 "${what%% *}" "$ROOT/hot0" \
			<<<"ask" >"$TMP/conns" 2>&1
		grep -v ' failed=0 ' "$TMP/conns"
		check_eq "$1: ${what%% *}: each answer right, twice" 2 \
			"$(grep -c "done=${what##* } failed=0 " "$TMP/conns")"
	done
	check "$1: a large file" in_cli curl -sSf -m 20 --interface "$HONEST" \
		-o "$TMP/got" "http://$SRV_IP/big.bin"
	check "$1: right bytes" cmp "$TMP/got" "$ROOT/big.bin"
}

# bounded KIND: below the cap, and 8 MB for the rest
bounded() {
	local now
	now=$(resident)
	at_least "$1: memory, kB to the cap" 0 \
		$((before_kb + (MEMORY_MB + 8) * 1024 - now))
	check "$1: dawnd is there" kill -0 "$DAWND_PID"
}

setup_pair
make_root
head -c 900000 /dev/urandom >"$ROOT/slow.bin"
MAC=$(in_srv cat "/sys/class/net/$SRV_IF/address" 2>/dev/null)
MAC=$(in_srv ip -o link show "$SRV_IF" | sed 's/.*ether \([0-9a-f:]*\).*/\1/')
in_cli ip addr add "$HONEST/24" dev "$CLI_IF"
for ((i = 1; i <= 16; i++)); do
	echo "addr add 198.19.0.$i/32 dev $CLI_IF"
done | in_cli ip -batch -
in_srv ip route add 198.19.0.0/16 via "$CLI_IP"
start_dawnd --memory "$MEMORY_MB"
promote "$SRV_IP" hot0
before_kb=$(resident)

# Floods. What shows that it arrives: the counter behind its name.
for pair in syn:syn_cookie ack:cookie_bad; do
	kind=${pair%:*} n=$(sum "${pair#*:}")
	raw_attack "$kind"
	check "$kind: it arrives" wait_for 10 grew $((n + 1000)) "${pair#*:}"
	honest "$kind"
	stop_attack
	bounded "$kind"
done

# Into a live connection whose addresses and ports are known: 65,536 guesses
# and more while it loads a file. Which half looks at them depends on whose the
# flow is at the time; the download itself has some 600 ACKs.
for pair in "rst:challenge_ack rst_unproven tcp_challenge_ack user_owned" \
	"data:old_ack tcp_ooo challenge_ack tcp_challenge_ack rate_limited user_owned"; do
	kind=${pair%%:*}
	read -ra names <<<"${pair#*:}"
	n=$(sum "${names[@]}")
	PORT=$((PORT + 1))
	nsenter --net="/run/netns/$CLI" -- curl -sSf -m 60 --limit-rate 300k \
		--interface "$HONEST" --local-port "$PORT" -o "$TMP/slow" \
		"http://$SRV_IP/slow.bin" 2>"$TMP/slow.log" &
	slow=$!
	at_exit end_child "$slow"
	check "$kind: a download begins" wait_for 10 test -s "$TMP/slow"
	raw_attack "$kind" -f "$HONEST" -p "$PORT" -r 50000
	wait "$slow"
	check_eq "$kind: it ends well" 0 $?
	check "$kind: right bytes" cmp "$TMP/slow" "$ROOT/slow.bin"
	check "$kind: guesses were looked at" wait_for 10 grew $((n + 5000)) \
		"${names[@]}"
	stop_attack
	rm -f "$TMP/slow"
	bounded "$kind"
done

# Connections that hold memory for nothing, or make work.
evictions=(evicted_window evicted_reader evicted_writer evicted_closing)
for kind in stall slowread slowwrite idle tiny; do
	n=$(sum "${evictions[@]}")
	opened=$(counter flow_new)
	kernel_attack "$kind"
	check "$kind: 400 connections" wait_for 20 grew $((opened + 399)) \
		flow_new
	[ "$kind" = idle ] ||
		check "$kind: all memory is held" wait_for 20 holds 55
	honest "$kind"
	[ "$kind" = idle ] ||
		check "$kind: some are evicted" grew "$n" "${evictions[@]}"
	bounded "$kind"
	stop_attack
	check "$kind: nothing is left of it" wait_for 20 holds_at_most 2
done
for kind in optimistic sack mss1 zero; do
	n=$(sum "${evictions[@]}")
	PORT=$((PORT + 1000)) # nobody's of before
	raw_attack "$kind" -f "$RAW" -a 16 -n 256 -p "$PORT"
	check "$kind: all memory is held" wait_for 20 holds 55
	honest "$kind"
	check "$kind: some are evicted" wait_for 10 grew "$n" "${evictions[@]}"
	bounded "$kind"
	stop_attack
done
fetch "after it all: large file" "$SRV_IP" big.bin
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
