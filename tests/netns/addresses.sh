#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# An interface with several addresses, IPv4 and IPv6, some of them added while
# the daemon runs: each answers a ping, a miss and a hit; connections of one
# client port to all of them are separate.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

more=(198.18.0.11 2001:db8::11 198.18.7.1 2001:db8:7::1)
late=(198.18.0.12 2001:db8::12 198.18.8.1 2001:db8:8::1)

add_addresses() { # ADDRESS...
	local address
	for address; do
		case $address in
		*:*) in_srv ip addr add "$address/64" dev "$SRV_IF" nodad ;;
		*) in_srv ip addr add "$address/24" dev "$SRV_IF" ;;
		esac
	done
}

# The moment in which `ping` is XDP's and not the kernel's.
echoed_by_xdp() { # ADDRESS
	local name=icmp_echo before
	[[ $1 != *:* ]] || name=icmp6_echo
	before=$(counter "$name")
	in_cli ping -c 1 -W 2 "$1" && [ "$(counter "$name")" -gt "$before" ]
}

ask() { # ADDRESS
	local url=$1 before requests
	[[ $1 != *:* ]] || url="[$1]"
	check "$1: ping is answered by XDP" wait_for 10 echoed_by_xdp "$1"
	before=$(counter http_hit)
	requests=$(counter http_requests)
	fetch "$1: hit" "$url" hot0
	check_eq "$1: it was XDP's" $((before + 1)) "$(counter http_hit)"
	fetch "$1: ten segments" "$url" ten.bin
	check_eq "$1: XDP's too" $((before + 2)) "$(counter http_hit)"
	fetch "$1: 300 kB" "$url" big.bin
	check_eq "$1: a miss" 404 "$(in_cli curl -sg -m 5 -o /dev/null \
		-w '%{http_code}' "http://$url/none")"
	check_eq "$1: both were the reactor's" $((requests + 2)) \
		"$(counter http_requests)"
}

setup_pair
for net in 7 8; do
	in_cli ip addr add "198.18.$net.2/24" dev "$CLI_IF"
	in_cli ip addr add "2001:db8:$net::2/64" dev "$CLI_IF" nodad
done
make_root
add_addresses "${more[@]}"
start_dawnd
# One cache for all: asked for at one address, a hit at each.
promote "$SRV_IP" hot{0..9} ten.bin
for address in "$SRV_IP" "$SRV_IP6" "${more[@]}"; do
	ask "$address"
done
add_addresses "${late[@]}"
for address in "${late[@]}"; do
	ask "$address"
done
mac=$(in_srv ip -br link show "$SRV_IF" | awk '{ print $3 }')
out=$(in_cli "$here/addresses.py" "$CLI_IF" "$mac" "$ROOT" \
	"$SRV_IP" "$SRV_IP6" "${more[@]}" "${late[@]}" 2>&1)
printf '%s\n' "$out" | sed 's/^/     | /'
read -r p _ f _ <<<"$(tail -n 1 <<<"$out")"
at_least "checks of the raw client that passed" 120 "${p:-0}"
check_eq "checks of the raw client that failed" 0 "${f:-none ran}"
no_flow() {
	[ "$(dawn flows --dev "$SRV_IF" --json | grep -c '"peer"')" = 0 ]
}
check "no flow is left" wait_for 10 no_flow
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
