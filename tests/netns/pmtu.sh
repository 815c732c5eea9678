#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A router whose link to the client has a smaller MTU than both ends': its ICMP
# errors (fragmentation needed, packet too big) must reach the connection,
# whichever half has it, and every byte must arrive.
#
#   $SRV [$SRV_IF .1.1]--1500--[r0 .1.254 router .2.254 r1]--1300--[$CLI_IF .2.2] $CLI
#                                                    the client's end says 1500
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

MID=dawn-m$$
need_root
make_ns "$SRV"
make_ns "$CLI"
make_ns "$MID"
at_exit in_ns "$SRV" "$DAWN" off --dev "$SRV_IF"
SRV_IP=198.18.1.1 SRV_IP6=2001:db8:1::1
ip link add "$SRV_IF" netns "$SRV" type veth peer name r0 netns "$MID"
ip link add "$CLI_IF" netns "$CLI" type veth peer name r1 netns "$MID"
in_srv ip addr add "$SRV_IP/24" dev "$SRV_IF"
in_srv ip addr add "$SRV_IP6/64" dev "$SRV_IF" nodad
in_cli ip addr add 198.18.2.2/24 dev "$CLI_IF"
in_cli ip addr add 2001:db8:2::2/64 dev "$CLI_IF" nodad
for side in 0:1 1:2; do
	in_ns "$MID" ip addr add "198.18.${side#*:}.254/24" dev "r${side%:*}"
	in_ns "$MID" ip addr add "2001:db8:${side#*:}::254/64" \
		dev "r${side%:*}" nodad
	in_ns "$MID" ip link set "r${side%:*}" up
done
in_ns "$MID" ip link set r1 mtu 1300
# How often it may say so is not what is asked here.
in_ns "$MID" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
	net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
in_srv ip link set "$SRV_IF" up
in_cli ip link set "$CLI_IF" up
in_srv ip route add default via 198.18.1.254
in_srv ip -6 route add default via 2001:db8:1::254
in_cli ip route add default via 198.18.2.254
in_cli ip -6 route add default via 2001:db8:2::254

# Two connections, one after the other: what the first learned is its own.
cat >"$TMP/pmtu.py" <<'END'
import http.client
import sys

for name in sys.argv[3:]:
    want = open(sys.argv[2] + "/" + name, "rb").read()
    c = http.client.HTTPConnection(sys.argv[1].strip("[]"), 80, timeout=20)
    for i in range(3):
        c.request("GET", "/" + name)
        print(name, i, c.getresponse().read() == want)
    c.close()
END
same() { # ADDRESS NAME: three times on one connection
	in_cli python3 "$TMP/pmtu.py" "$1" "$ROOT" "$2" >"$TMP/out" &&
		[ "$(grep -c True "$TMP/out")" = 3 ]
}

make_root
start_dawnd --mode native
for address in "$SRV_IP" "[$SRV_IP6]"; do
	check "$address: reachable" wait_for 10 \
		in_cli curl -sfg -o /dev/null "http://$address/hot0"
	before=$(counter icmp_errors)
	check "$address: by the reactor" same "$address" big.bin
	at_least "$address: errors that the reactor took in" 1 \
		$(($(counter icmp_errors) - before))
	promote "$address" ten.bin
	before=$(counter icmp_errors)
	hits=$(counter http_hit)
	check "$address: from the cache" same "$address" ten.bin
	at_least "$address: XDP began" 1 $(($(counter http_hit) - hits))
	at_least "$address: its errors went to the reactor" 1 \
		$(($(counter icmp_errors) - before))
done
none_left() { [ "$(dawn flows --dev "$SRV_IF" --json | grep -c '"peer"')" = 0 ]; }
check "no flow is left" wait_for 20 none_left
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
