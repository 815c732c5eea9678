#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A raw TCP client that loses, repeats, cuts up and holds back, over IPv4 and IPv6,
# tagged and not; see rawtcp.py.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

setup_pair
make_root
start_dawnd
promote "$SRV_IP" hot0 hot1 ten.bin
mac=$(in_srv ip -br link show "$SRV_IF" | awk '{ print $3 }')
# All at once: most of it is waiting.
i=0
for how in "$SRV_IP 0" "$SRV_IP6 0" "$SRV_IP 100" "$SRV_IP6 101"; do
	i=$((i + 1))
	# shellcheck disable=SC2086 # two words
	nsenter --net="/run/netns/$CLI" -- "$here/rawtcp.py" "$CLI_IF" "$mac" \
		$how "$ROOT" "$@" >"$TMP/out.$i" 2>&1 &
	clients[i]=$!
	names[i]=$how
done
for i in "${!clients[@]}"; do
	wait "${clients[i]}"
	echo "# server and VLAN: ${names[i]}"
	sed 's/^/     | /' "$TMP/out.$i"
	read -r p _ f _ <<<"$(tail -n 1 "$TMP/out.$i")"
	at_least "${names[i]}: checks of the client that passed" \
		$(($# ? 1 : 150)) "${p:-0}"
	check_eq "${names[i]}: checks of the client that failed" 0 \
		"${f:-none ran}"
done
if [ $# = 0 ]; then
	at_least "fast retransmits" 2 "$(counter tcp_fast_retransmit)"
	for name in kernel_retransmit http_304 tcp_rto tcp_dup_ack tcp_sack \
		tcp_unacked tcp_window tcp_fin_data tcp_options http_incomplete \
		http_pipelined to_kernel tcp_malformed challenge_ack; do
		at_least "met on the way, $name" 1 "$(counter "$name")"
	done
fi
check "dawnd is alive" kill -0 "$DAWND_PID"
fetch "an ordinary client after it" "$SRV_IP" big.bin
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
