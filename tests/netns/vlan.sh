#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Tagged clients, offloads at their defaults: every answer leaves in the VLAN
# that the question came from, from XDP and from the reactor. The tags are set
# and taken off by vlan.bpf.c, as VLAN interfaces would do it; it also counts
# what comes back in a wrong VLAN.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

tag_counter() { # NAME
	bpftool map dump name vlan_counts 2>/dev/null |
		sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" | tail -n 1
}

ask_from() { # TEXT IPV4 IPV6
	local text=$1 source before i=0
	check "$text: ping" in_cli ping -I "$2" -c 2 -i 0.05 -W 2 "$SRV_IP"
	check "$text: ping -6" in_cli ping -6 -I "$3" -c 2 -i 0.05 -W 2 \
		"$SRV_IP6"
	for address in "$SRV_IP" "[$SRV_IP6]"; do
		i=$((i + 1))
		source=$2
		[ $i = 1 ] || source=$3
		before=$(counter http_hit)
		fetch "$text: hit from $address" "$address" hot0 \
			--interface "$source"
		check_eq "$text: it was XDP's" $((before + 1)) \
			"$(counter http_hit)"
		fetch "$text: ten segments from $address" "$address" ten.bin \
			--interface "$source"
		fetch "$text: 300 kB from $address" "$address" big.bin \
			--interface "$source"
	done
}

setup_pair
make_root
for host in 3 4; do
	in_cli ip addr add "198.18.0.$host/24" dev "$CLI_IF"
	in_cli ip addr add "2001:db8::$host/64" dev "$CLI_IF" nodad
done
start_dawnd
promote "$SRV_IP" hot0 ten.bin
# Neighbours are asked for untagged, so they are known before the tags begin.
for host in 3 4; do
	in_cli ping -I "198.18.0.$host" -c 1 -W 2 "$SRV_IP" >/dev/null
	in_cli ping -6 -I "2001:db8::$host" -c 1 -W 2 "$SRV_IP6" >/dev/null
done
mac=$(in_srv ip -br link show "$SRV_IF" | awk '{print $3}')
in_cli ip neigh replace "$SRV_IP" lladdr "$mac" nud permanent dev "$CLI_IF"
in_cli ip neigh replace "$SRV_IP6" lladdr "$mac" nud permanent dev "$CLI_IF"
rm -f /sys/fs/bpf/tc/globals/vlan_counts
at_exit rm -f /sys/fs/bpf/tc/globals/vlan_counts
in_cli tc qdisc add dev "$CLI_IF" clsact
check "tagging at the client's end" in_cli tc filter add dev "$CLI_IF" egress \
	bpf da obj "$BUILD/tests/netns/vlan.bpf.o" program push
check "checking at the client's end" in_cli tc filter add dev "$CLI_IF" \
	ingress bpf da obj "$BUILD/tests/netns/vlan.bpf.o" program pop
ask_from "one tag" 198.18.0.3 2001:db8::3
# Two tags leave 1496 bytes of a 1500 MTU, as on any such link.
in_cli ip route replace "$SRV_IP/32" dev "$CLI_IF" advmss 1456 mtu 1496
in_cli ip -6 route replace "$SRV_IP6/128" dev "$CLI_IF" advmss 1436 mtu 1496
ask_from "two tags" 198.18.0.4 2001:db8::4
at_least "packets that left tagged" 100 "$(tag_counter tagged)"
at_least "packets that came back in their VLAN" 100 "$(tag_counter right)"
check_eq "packets that came back in another" 0 "$(tag_counter wrong)"
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
