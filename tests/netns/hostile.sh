#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Hostile requests and frames against a running dawnd; see hostile.py.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

still_itself() { # TEXT
	check "$1: alive" kill -0 "$DAWND_PID"
	check "$1: ping" in_cli ping -c 1 -W 2 "$SRV_IP"
	fetch "$1: hit" "$SRV_IP" hot0
	fetch "$1: 300 kB" "$SRV_IP" big.bin
	check "$1: dawn ping" in_cli "$DAWN" ping -c 1 "$SRV_IP:4860"
}

setup_pair
make_root
start_dawnd
promote "$SRV_IP" hot0
still_itself "before"
out=$(in_cli "$here/hostile.py" "$SRV_IP")
printf '%s\n' "$out" | sed 's/^/     | /'
read -r p _ f _ <<<"$(tail -n 1 <<<"$out")"
at_least "hostile requests answered rightly" 20 "${p:-0}"
check_eq "hostile requests answered wrongly" 0 "${f:-none ran}"
still_itself "after hostile requests"
drops=$(counter drop_total)
check "20,000 mutated frames" in_cli "$here/hostile.py" "$SRV_IP" --frames \
	"$CLI_IF" 20000 1
at_least "dropped, counted" 500 $(($(counter drop_total) - drops))
still_itself "after mutated frames"
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
