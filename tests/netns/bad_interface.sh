#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Interfaces that misbehave: unknown, without the driver mode that was asked
# for, taken down, given another MTU or name, without IPv6, deleted while dawnd
# runs. Always a clear message, never a hang, and nothing is left behind.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

# dawnd_says TEXT STATUS PATTERN ARGUMENTS...: a start that fails by itself
dawnd_says() {
	local text=$1 want=$2 pattern=$3
	shift 3
	check_exit "$text" "$want" "$pattern" in_srv timeout 20 "$DAWND" "$@"
}
# ends TEXT STATUS PATTERN: the running dawnd ends by itself, saying so
ends() {
	local text=$1 want=$2 pattern=$3
	check "$text: dawnd ends by itself" wait_for 10 ended
	wait "$DAWND_PID"
	check_eq "$text: exit status" "$want" $?
	check "$text: says why" grep -Eq "$pattern" "$TMP/dawnd.log"
}
ended() { ! kill -0 "$DAWND_PID" || grep -q '^State:.*Z' "/proc/$DAWND_PID/status"; }
served() { in_cli curl -sfg -m 2 -o "$TMP/got" "http://$1/hot0" && cmp -s "$TMP/got" "$ROOT/hot0"; }
hit() {
	local before
	before=$(counter http_hit)
	served "$1" && [ "$(counter http_hit)" -gt "$before" ]
}
no_pins() { [ -z "$(compgen -G "/sys/fs/bpf/dawn/*@$(stat -Lc %i "/run/netns/$SRV")")" ]; }
again() { # the pair anew, after it was deleted
	ip link add "$SRV_IF" netns "$SRV" type veth peer name "$CLI_IF" netns "$CLI"
	put_addresses
}

setup_pair
make_root

echo "# interfaces that will not do"
dawnd_says "unknown interface" 1 "no interface 'nix0'.*ip link" --dev nix0
dawnd_says "an impossible name" 1 "no interface '../../etc'" --dev ../../etc
dawnd_says "a name that is too long" 2 "too long" --dev abcdefghijklmnop
dawnd_says "loopback, native" 1 "native mode refused by lo .*try --mode generic" \
	--dev lo --mode native
for type in dummy bridge; do # where the kernel has them
	in_srv ip link add odd0 type "$type" 2>/dev/null || continue
	in_srv ip link set odd0 up
	dawnd_says "$type, native" 1 "native mode refused by odd0 .*try --mode generic" \
		--dev odd0 --mode native
	in_srv ip link del odd0
done
check_eq "no program left on lo" "" "$(xdp_id lo)"
check "no pins left" no_pins
dawnd_says "more queues than there are" 1 "1 rx queues, not 3.*ethtool -L" \
	--dev "$SRV_IF" --queues 3
check "no pins left" no_pins
check_eq "no program left" "" "$(xdp_id "$SRV_IF")"
dawnd_says "zero-copy on veth" 1 "zero-copy" --dev "$SRV_IF" --zero-copy
check "no pins left" no_pins
check_eq "no program left" "" "$(xdp_id "$SRV_IF")"

echo "# down and up, MTU"
start_dawnd
check "hits" promote "$SRV_IP" hot0
for i in 1 2 3; do
	in_srv ip link set "$SRV_IF" down
	in_srv ip link set "$SRV_IF" up
	in_srv ip addr replace "$SRV_IP6/64" dev "$SRV_IF" nodad
	check "down and up $i: served again" wait_for 10 served "$SRV_IP"
done
check "hits again" wait_for 10 hit "$SRV_IP"
check "IPv6 too" wait_for 10 hit "[$SRV_IP6]"
in_srv ip link set "$SRV_IF" mtu 1280
in_cli ip link set "$CLI_IF" mtu 1280
check "MTU 1280: small file" wait_for 10 hit "$SRV_IP"
fetch "MTU 1280: large file" "$SRV_IP" big.bin
fetch "MTU 1280: ten segments" "$SRV_IP" ten.bin
in_srv ip link set "$SRV_IF" mtu 1500
in_cli ip link set "$CLI_IF" mtu 1500
fetch "MTU 1500: large file" "$SRV_IP" big.bin
check_not "MTU 9000: refused by the kernel while XDP is there" \
	in_srv ip link set "$SRV_IF" mtu 9000
check "still serves" hit "$SRV_IP"

echo "# another name"
in_srv ip link set "$SRV_IF" down
in_srv ip link set "$SRV_IF" name renamed0
in_srv ip link set renamed0 up
check "served under another name" wait_for 10 served "$SRV_IP"
stop_dawnd
check_eq "SIGTERM: exit status" 0 "$STATUS"
check_eq "no program left on it" "" "$(xdp_id renamed0)"
check "no pins left" no_pins
in_srv ip link set dev renamed0 xdp off # what a failure above would leave
in_srv ip link set renamed0 down
in_srv ip link set renamed0 name "$SRV_IF"
in_srv ip link set "$SRV_IF" up
in_srv ip addr replace "$SRV_IP6/64" dev "$SRV_IF" nodad

echo "# deleted"
start_dawnd
check "hits" promote "$SRV_IP" hot0
nsenter --net="/run/netns/$CLI" -- curl -s --limit-rate 20k -m 30 -o /dev/null \
	"http://$SRV_IP/big.bin" &
curl=$!
in_srv ip link del "$SRV_IF"
ends "deleted" 1 "interface $SRV_IF has vanished"
kill "$curl" 2>/dev/null
check "no pins left" no_pins
again
start_dawnd
check "a new one of that name serves" wait_for 10 hit "$SRV_IP"
in_cli ip link del "$CLI_IF"
ends "the peer deleted" 1 "has vanished"
check "no pins left" no_pins
again
start_dawnd
ip netns add "dawn-o$$"
at_exit ip netns del "dawn-o$$"
in_srv ip link set "$SRV_IF" netns "dawn-o$$"
ends "moved to another namespace" 1 "has vanished"
check "no pins left" no_pins
in_ns "dawn-o$$" ip link del "$SRV_IF"
again
start_dawnd
kill -STOP "$DAWND_PID"
in_srv ip link del "$SRV_IF"
kill -CONT "$DAWND_PID"
ends "deleted while stopped" 1 "has vanished"
check "no pins left" no_pins

echo "# no IPv6"
in_srv sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
again 2>/dev/null
start_dawnd
check "IPv4 hits without IPv6" wait_for 10 hit "$SRV_IP"
check "kernel TCP without IPv6" in_srv curl -sf -m 5 -o /dev/null http://127.0.0.1/hot0
stop_dawnd
check_eq "exit status" 0 "$STATUS"
in_srv sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0

echo "# one CPU"
in_srv ip link del "$SRV_IF"
ip link add "$SRV_IF" netns "$SRV" numrxqueues 4 numtxqueues 4 type veth \
	peer name "$CLI_IF" netns "$CLI" numrxqueues 4 numtxqueues 4
in_srv ip addr add "$SRV_IP/24" dev "$SRV_IF"
in_cli ip addr add "$CLI_IP/24" dev "$CLI_IF"
in_srv ip link set "$SRV_IF" up
in_cli ip link set "$CLI_IF" up
: >"$TMP/dawnd.log"
nsenter --net="/run/netns/$SRV" -- taskset -c 0 "$DAWND" --dev "$SRV_IF" --root "$ROOT" \
	>"$TMP/dawnd.log" 2>&1 &
DAWND_PID=$!
at_exit end_child "$DAWND_PID"
check "one CPU, 4 queues: starts" wait_for 20 grep -q '^ready' "$TMP/dawnd.log"
check "one CPU: hits" wait_for 10 hit "$SRV_IP"
fetch "one CPU: large file" "$SRV_IP" big.bin
memory=$(sed -n 's/.*maps \([0-9]*\) MB, reactors at most \([0-9]*\) MB.*/\1 + \2/p' "$TMP/dawnd.log")
check_not "the start line tells the memory" test -z "$memory"
at_least "default memory leaves a 1 GB machine room (MB of 600 left)" 0 \
	$((600 - (memory)))
stop_dawnd
check_eq "exit status" 0 "$STATUS"
check "no pins left" no_pins
finish
