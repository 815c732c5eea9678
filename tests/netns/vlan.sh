#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Tagged clients, offloads at their defaults: every answer leaves in the VLAN
# that the question came from, from XDP and from the reactor.
#
#   $CLI [$CLI_IF]--------veth--------[$SRV_IF 198.18.0.1] $SRV
#           │ VLAN 100                 $V1 [v100 198.18.0.3]
#           │ VLAN 200, in it VLAN 30  $V2 [v30  198.18.0.4]
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"
V1=dawn-v$$
V2=dawn-u$$

# give_vlan NAMESPACE IFNAME ADDRESS ADDRESS6: move it there and configure it
give_vlan() {
	local mac
	mac=$(in_srv ip -br link show "$SRV_IF" | awk '{print $3}')
	in_cli ip link set "$2" netns "$1"
	in_ns "$1" ip addr add "$3/24" dev "$2"
	in_ns "$1" ip addr add "$4/64" dev "$2" nodad
	in_ns "$1" ip link set "$2" up
	in_ns "$1" ip neigh replace "$SRV_IP" lladdr "$mac" dev "$2"
	in_ns "$1" ip neigh replace "$SRV_IP6" lladdr "$mac" dev "$2"
}

ask_from() { # NAMESPACE TEXT
	local n=$1 text=$2 address before
	check "$text: ping" in_ns "$n" ping -c 2 -i 0.05 -W 2 "$SRV_IP"
	check "$text: ping -6" in_ns "$n" ping -6 -c 2 -i 0.05 -W 2 "$SRV_IP6"
	check "$text: dawn ping" in_ns "$n" "$DAWN" ping -c 2 -i 0.05 \
		"$SRV_IP:4860"
	for address in "$SRV_IP" "[$SRV_IP6]"; do
		before=$(counter http_hit)
		check "$text: hit from $address" in_ns "$n" curl -sSfg -m 5 \
			-o "$TMP/got" "http://$address/hot0"
		check "$text: right bytes" cmp "$TMP/got" "$ROOT/hot0"
		check_eq "$text: it was XDP's" $((before + 1)) \
			"$(counter http_hit)"
		check "$text: ten segments from $address" in_ns "$n" curl \
			-sSfg -m 5 -o "$TMP/got" "http://$address/ten.bin"
		check "$text: right bytes" cmp "$TMP/got" "$ROOT/ten.bin"
		check "$text: 300 kB from $address" in_ns "$n" curl -sSfg \
			-m 20 -o "$TMP/got" "http://$address/big.bin"
		check "$text: right bytes" cmp "$TMP/got" "$ROOT/big.bin"
	done
}

setup_pair
make_root
make_ns "$V1"
make_ns "$V2"
in_cli ip link add link "$CLI_IF" name v100 type vlan id 100
in_cli ip link add link "$CLI_IF" name v200 type vlan id 200
in_cli ip link set v200 up
in_cli ip link add link v200 name v30 type vlan id 30
give_vlan "$V1" v100 198.18.0.3 2001:db8::3
give_vlan "$V2" v30 198.18.0.4 2001:db8::4

start_dawnd
promote "$SRV_IP" hot0 ten.bin
# Whatever reaches the client's end untagged for a tagged client is a leak.
nsenter --net="/run/netns/$CLI" -- tcpdump -nlpi "$CLI_IF" -Q in \
	'(dst 198.18.0.3 or dst 198.18.0.4 or dst 2001:db8::3 or
	  dst 2001:db8::4) and not vlan' \
	>"$TMP/leaks" 2>"$TMP/tcpdump.log" &
dump=$!
at_exit end_child "$dump"
check "capture runs" wait_for 10 grep -q 'listening on' "$TMP/tcpdump.log"
ask_from "$V1" "one tag"
ask_from "$V2" "two tags"
kill -TERM "$dump"
wait "$dump"
check_eq "nothing left untagged" 0 "$(wc -l <"$TMP/leaks")"
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
