#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# What load does to the interface and to a veth's other end, in each mode, with
# one queue and with several; that VLAN tags are visible, that answers arrive,
# that all of it is turned back. Topology: lib.sh, and a client in VLAN 5: a
# program on the client's interface puts the tag on packets to 198.18.5.1 (as
# an 8021q interface does: beside the packet, for "hardware" to insert) and
# takes it off those that come, so that this runs without CONFIG_VLAN_8021Q.
. "$(dirname "$0")/lib.sh"

setup_pair 1
in_srv ip addr add 198.18.5.1/24 dev "$SRV_IF"
mac=$(in_srv ip -br link show "$SRV_IF" | awk '{ print $3 }')
in_cli ip route add 198.18.5.1 dev "$CLI_IF"
in_cli ip neigh add 198.18.5.1 dev "$CLI_IF" lladdr "$mac"

cat >"$TMP/tag.c" <<'C'
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int tag(struct __sk_buff *skb)
{
#ifdef PUSH
	__be32 daddr = 0;

	bpf_skb_load_bytes(skb, 30, &daddr, sizeof(daddr));
	if (skb->protocol == bpf_htons(0x0800) &&
	    daddr == bpf_htonl(0xc6120501))
		bpf_skb_vlan_push(skb, bpf_htons(0x8100), 5);
#else
	if (skb->vlan_present)
		bpf_skb_vlan_pop(skb);
#endif
	return 0;
}

char _license[] SEC("license") = "GPL";
C
clang=$(for v in 16 17 18 19; do command -v "clang-$v" && break; done)
for way in PUSH POP; do
	"$clang" -target bpf -O2 -g "-D$way" -c "$TMP/tag.c" -o "$TMP/$way.o" \
		-isystem "/usr/include/$(gcc -print-multiarch)" ||
		skip "cannot build the tagging program"
done
tagging() {
	in_cli tc qdisc add dev "$CLI_IF" clsact &&
		in_cli tc filter add dev "$CLI_IF" egress bpf da \
			obj "$TMP/PUSH.o" sec tc &&
		in_cli tc filter add dev "$CLI_IF" ingress bpf da \
			obj "$TMP/POP.o" sec tc
}
tagging || skip "no classifier programs in this kernel"

# All offloads of both ends, to compare before and after
offloads() {
	in_srv ethtool -k "$SRV_IF"
	in_cli ethtool -k "$CLI_IF"
}
programs() {
	xdp_id "$SRV_IF"
	xdp_id "$CLI_IF" "$CLI"
}
# the sum over CPUs of one counter, straight from the map
count() {
	bpftool -j map dump pinned "$(pin_dir)/stats" | python3 -c '
import json, sys
m = json.load(sys.stdin)[0]["formatted"]["values"]
print(sum(c["value"][sys.argv[1]] for c in m))' "$1"
}
pings() { # NS ADDRESS...: all four echo requests come back
	in_ns "$1" ping -q -c 4 -i 0.02 -W 1 "${@:2}" |
		grep -q " 4 received"
}
# tagged MODE, untagged MODE: echo replies in the capture, with tag 5, without
tagged() {
	tcpdump -nr "$TMP/$1.pcap" "vlan 5 and ip and icmp[0] = 0" 2>/dev/null |
		wc -l
}
untagged() {
	tcpdump -nr "$TMP/$1.pcap" "ip and icmp[0] = 0" 2>/dev/null | wc -l
}

# capture MODE: record four echo requests from the VLAN and their replies; how
# many came is in ANSWERED
capture() {
	local dump
	in_cli tcpdump -U -w "$TMP/$1.pcap" -i "$CLI_IF" 2>"$TMP/$1.err" &
	dump=$!
	wait_for 5 grep -q listening "$TMP/$1.err"
	ANSWERED=$(in_cli ping -c 4 -i 0.02 -W 1 198.18.5.1 |
		grep -c "bytes from")
	captured() { [ $(($(tagged "$1") + $(untagged "$1"))) -ge 4 ]; }
	wait_for 2 captured "$1"
	kill "$dump" && wait "$dump" 2>/dev/null
}

at_start=$(offloads)

one_mode() { # MODE
	local mode=$1 before after
	echo "# $mode mode"
	check_exit "$mode: load" 0 "loaded, $mode mode" \
		dawn load --dev "$SRV_IF" --mode "$mode"
	check_eq "$mode: the peer inserts no tags out of sight" off \
		"$(feature "$CLI" "$CLI_IF" tx-vlan-offload)"
	check_eq "$mode: no segmentation left to the wire" off \
		"$(feature "$CLI" "$CLI_IF" tcp-segmentation-offload)"
	before=$(count icmp_echo)
	check "$mode: answers arrive" pings "$CLI" "$SRV_IP"
	check_eq "$mode: XDP gave them" $((before + 4)) "$(count icmp_echo)"
	check "$mode: ping -6" pings "$CLI" "$SRV_IP6"
	check_not "$mode: XDP gave them" [ "$(count icmp6_echo)" = 0 ]
	before=$(count icmp_echo)
	capture "$mode"
	check "$mode: a tagged client is answered" [ "$ANSWERED" = 4 ]
	check_eq "$mode: by XDP" $((before + 4)) "$(count icmp_echo)"
	check_eq "$mode: in its VLAN" 4 "$(tagged "$mode")"
	check_eq "$mode: and in no other" 0 "$(untagged "$mode")"
	if [ "$mode" = native ]; then
		in_cli ethtool -K "$CLI_IF" txvlan on
		capture "$mode"
		check_eq "this test sees tags getting lost" "0 4" \
			"$(tagged "$mode") $(untagged "$mode")"
	fi
	check "$mode: unload" dawn unload --dev "$SRV_IF"
	after=$(offloads)
	check_eq "$mode: offloads as before" "$at_start" "$after"
	check_eq "$mode: no program left on either end" "" "$(programs)"
}
one_mode native
one_mode generic

echo "# an operator's own settings"
in_cli ethtool -K "$CLI_IF" txvlan off tso off
mine=$(offloads)
check "load" dawn load --dev "$SRV_IF"
check "unload" dawn unload --dev "$SRV_IF"
check_eq "what was off stays off" "$mine" "$(offloads)"
in_cli ethtool -K "$CLI_IF" txvlan on tso on

echo "# MTU"
in_srv ip link set "$SRV_IF" mtu 9000
in_cli ip link set "$CLI_IF" mtu 9000
big=$(offloads)
check "native mode takes jumbo frames" \
	dawn load --dev "$SRV_IF" --mode native
check_eq "the sender's segmentation is off, as by the kernel at 1500" off \
	"$(feature "$CLI" "$CLI_IF" tcp-segmentation-offload)"
check "answers arrive" pings "$CLI" "$SRV_IP"
check "unload" dawn unload --dev "$SRV_IF"
check_eq "unload turns it back" "$big" "$(offloads)"

echo "# native mode is refused: the other end has a larger MTU"
in_srv ip link set "$SRV_IF" mtu 1500
in_cli ip link set "$CLI_IF" mtu 9000
big=$(offloads)
check_exit "refused, with advice" 1 \
	"native mode refused.*MTU.*try --mode generic" \
	dawn load --dev "$SRV_IF" --mode native
check_eq "nothing changed by it" "$big" "$(offloads)"
check_eq "no program left" "" "$(programs)"
check "no pins left" [ ! -e "$(pin_dir)" ]
check_exit "auto: generic, and why" 0 "generic mode \(native mode refused" \
	dawn load --dev "$SRV_IF"
check "answers arrive" pings "$CLI" "$SRV_IP"
check_exit "status keeps the reason" 0 "native mode refused" dawn status
check_eq "no program on the peer in generic mode" "" "$(xdp_id "$CLI_IF" "$CLI")"
check "unload" dawn unload --dev "$SRV_IF"
in_cli ip link set "$CLI_IF" mtu 1500
check_eq "offloads as at the start" "$at_start" "$(offloads)"

echo "# the other end in the same namespace, and out of reach"
in_srv ip link add va type veth peer name vb
in_srv ip link set va up
in_srv ip link set vb up
check_exit "same namespace" 0 "loaded, native" dawn load --dev va
check_eq "its peer is prepared" off "$(feature "$SRV" vb tx-vlan-offload)"
check "unload" dawn unload --dev va
check_eq "and turned back" on "$(feature "$SRV" vb tx-vlan-offload)"
in_srv ip link del va
# A namespace held by nothing but an interface's name in another's process
# list would be found; hide /run/netns and /proc from the loader instead.
hidden() {
	in_srv unshare -m sh -c 'mount -t tmpfs none /run && mount --bind /run \
		/proc && exec "$@"' sh "$DAWN" load --dev "$SRV_IF" "$@"
}
check_exit "peer out of reach: refused" 1 "cannot be reached.*--assume-no-vlan" \
	hidden
check_eq "nothing changed by it" "$at_start" "$(offloads)"

echo "# queues"
in_srv ip link del "$SRV_IF"
queues() { # SRV_RX SRV_TX CLI_RX CLI_TX
	ip link add "$SRV_IF" netns "$SRV" numrxqueues "$1" numtxqueues "$2" \
		type veth peer name "$CLI_IF" netns "$CLI" \
		numrxqueues "$3" numtxqueues "$4"
	in_srv ip addr add "$SRV_IP/24" dev "$SRV_IF"
	in_cli ip addr add "$CLI_IP/24" dev "$CLI_IF"
	in_srv ip link set "$SRV_IF" up
	in_cli ip link set "$CLI_IF" up
}
queues 4 4 4 4
check_exit "4 and 4 queues" 0 "loaded, native" dawn load --dev "$SRV_IF"
check_exit "status" 0 "4 queues" dawn status
check "answers arrive" pings "$CLI" "$SRV_IP"
check "unload" dawn unload --dev "$SRV_IF"
in_srv ip link del "$SRV_IF"
queues 4 1 1 4
check_exit "4 receiving, 1 sending" 0 "loaded, native" dawn load --dev "$SRV_IF"
check "answers arrive" pings "$CLI" "$SRV_IP"
check "unload" dawn unload --dev "$SRV_IF"
in_srv ip link del "$SRV_IF"
# The kernel wants as many rx queues as the other end has tx queues.
queues 1 1 4 4
check_exit "peer sends on more queues than we receive: generic" 0 \
	"generic mode \(.*queues" dawn load --dev "$SRV_IF"
check "answers arrive" pings "$CLI" "$SRV_IP"
check "unload" dawn unload --dev "$SRV_IF"
check_eq "no program left" "" "$(programs)"
in_srv ip link del "$SRV_IF"
queues 4 4 1 1
check_exit "we send on more queues than the peer receives: generic" 0 \
	"generic mode \(.*XDP expects" dawn load --dev "$SRV_IF"
check "answers arrive" pings "$CLI" "$SRV_IP"
check "unload" dawn unload --dev "$SRV_IF"
check_eq "no program left" "" "$(programs)"
finish
