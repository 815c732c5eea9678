# shellcheck shell=bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The network of the demo and of benches: source it. $cli and $srv are the names
# of its namespaces. (The namespace tests have tests/netns/lib.sh.)
#
#    namespace $cli                         namespace $srv
#    eth0 198.18.0.2  ───────── veth ─────── dawn0 198.18.0.1
#         2001:db8::2                              2001:db8::1

# shellcheck disable=SC2154 # cli, srv: the caller's
make_network() {
	ip netns add "$cli"
	ip netns add "$srv"
	ip link add eth0 netns "$cli" type veth peer name dawn0 netns "$srv"
	ip -n "$cli" link set lo up
	ip -n "$srv" link set lo up
	ip -n "$cli" addr add 198.18.0.2/24 dev eth0
	ip -n "$srv" addr add 198.18.0.1/24 dev dawn0
	ip -n "$cli" -6 addr add 2001:db8::2/64 dev eth0 nodad
	ip -n "$srv" -6 addr add 2001:db8::1/64 dev dawn0 nodad
	ip -n "$cli" link set eth0 up
	ip -n "$srv" link set dawn0 up
}

# remove_network DAWN: as much as there is; DAWN is the command
remove_network() {
	[ ! -e "/run/netns/$srv" ] || nsenter --net="/run/netns/$srv" \
		"$1" unload --dev dawn0 >/dev/null 2>&1 || true
	ip netns del "$cli" 2>/dev/null || true
	ip netns del "$srv" 2>/dev/null || true
}
