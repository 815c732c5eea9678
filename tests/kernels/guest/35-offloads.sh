# SPDX-License-Identifier: MIT OR Apache-2.0
# What load does to a veth's other end: a client in a VLAN (8021q's, which
# leaves the tag to "hardware") is answered by XDP in its VLAN, and unload
# turns all of it back.
#
#   namespace vcli                         this namespace
#   eth0   198.18.4.2  ──────── veth ────  dawn5 198.18.4.1, dawn load
#     v5   198.18.5.2  tag 5 to            198.18.5.1, an address of dawn5
# shellcheck shell=bash
check() { # TEXT COMMAND...
	text=$1
	shift
	if "$@"; then echo "ok $text"; else echo "not ok $text"; fi
}
not() { ! "$@"; }
in_cli() { nsenter --net=/run/netns/vcli "$@"; }
counter() {
	dawn stats --dev dawn5 --json | tr -d ' \n' |
		sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}
offloads() { ethtool -k dawn5 && in_cli ethtool -k eth0; }
programs() { { ip link show dawn5 && in_cli ip link show eth0; } | grep xdp; }
# -I: a reply that comes without its tag, and so on eth0, does not count.
answered() { in_cli ping -q -c 2 -i 0.2 -W 2 -I "$1" "$2" >/dev/null; }

ip netns add vcli
ip link add eth0 netns vcli type veth peer name dawn5
ip -n vcli addr add 198.18.4.2/24 dev eth0
ip addr add 198.18.4.1/24 dev dawn5
ip addr add 198.18.5.1/32 dev dawn5
ip -n vcli link set lo up
ip -n vcli link set eth0 up
ip link set dawn5 up
ip -n vcli link add link eth0 name v5 type vlan id 5
ip -n vcli addr add 198.18.5.2/24 dev v5
ip -n vcli link set v5 up
# Nobody here answers ARP in that VLAN.
ip -n vcli neigh add 198.18.5.1 dev v5 \
	lladdr "$(cat /sys/class/net/dawn5/address)"

before=$(offloads)
check "untagged, the kernel answers" answered eth0 198.18.4.1
check "tagged, the kernel does not" not answered v5 198.18.5.1
for mode in native generic; do
	check "$mode: load" dawn load --dev dawn5 --mode $mode
	check "$mode: pinned under the plain name" \
		[ -e /sys/fs/bpf/dawn/dawn5/config ]
	check "$mode: untagged" answered eth0 198.18.4.1
	check "$mode: tagged" answered v5 198.18.5.1
	check "$mode: all from XDP" [ "$(counter icmp_echo)" = 4 ]
	# Shows that this test sees a lost tag.
	in_cli ethtool -K eth0 txvlan on
	if [ $mode = native ]; then
		check "$mode: tags hidden again, no answer" not answered v5 198.18.5.1
	fi
	in_cli ethtool -K eth0 txvlan off
	check "$mode: unload" dawn unload --dev dawn5
	check "$mode: offloads as before" [ "$(offloads)" = "$before" ]
	check "$mode: no program left" [ -z "$(programs)" ]
done
# Jumbo frames: the programs are loaded for frames of several buffers.
ip link set dawn5 mtu 9000
ip -n vcli link set eth0 mtu 9000
check "jumbo: load" dawn load --dev dawn5 --mode native
check "jumbo: a ping of 8,900 bytes" in_cli ping -q -c 2 -i 0.2 -W 2 -M do \
	-s 8900 198.18.4.1
check "jumbo: from XDP" [ "$(counter icmp_echo)" = 2 ]
check "jumbo: unload" dawn unload --dev dawn5
ip link set dawn5 mtu 1500
ip -n vcli link set eth0 mtu 1500
check "load" dawn load --dev dawn5
check "off" dawn off
check "off: offloads as before" [ "$(offloads)" = "$before" ]
check "off: no program left" [ -z "$(programs)" ]
ip link del dawn5
ip netns del vcli
