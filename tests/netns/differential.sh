#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Never different: the kernel half's answers and the reactor's are the same
# bytes; see differential.py. Two dawnds on one root, the second one promotes
# nothing:
#   $CLI [$CLI_IF]---[$SRV_IF 198.18.0.1] $SRV        dawnd
#        [dp]--------[ds 198.18.1.1] $SLOW            dawnd --promote-after never
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

setup_pair
make_root
SLOW=dawn-w$$
make_ns "$SLOW"
at_exit in_ns "$SLOW" "$DAWN" off --dev ds
ip link add ds netns "$SLOW" type veth peer name dp netns "$CLI"
in_ns "$SLOW" ip addr add 198.18.1.1/24 dev ds
in_ns "$SLOW" ip addr add 2001:db8:1::1/64 dev ds nodad
in_cli ip addr add 198.18.1.2/24 dev dp
in_cli ip addr add 2001:db8:1::2/64 dev dp nodad
in_ns "$SLOW" ip link set ds up
in_cli ip link set dp up
any="--any-cookie --any-authorization --any-cache-control"
# shellcheck disable=SC2086 # words
start_dawnd $any
# shellcheck disable=SC2086
nsenter --net="/run/netns/$SLOW" -- "$DAWND" --dev ds --root "$ROOT" \
	--promote-after never $any >"$TMP/slow.log" 2>&1 &
slow=$!
at_exit end_child "$slow"
wait_for 20 grep -q '^ready' "$TMP/slow.log" || fail "the second dawnd starts"

stats="nsenter --net=/run/netns/$SRV $DAWN stats --dev $SRV_IF --json"
compare() { # TEXT FAST SLOW
	local out
	out=$(in_cli "$here/differential.py" "$2" "$3" "$stats" \
		hot0 hot1 hot3 hot5 hot7 hot9 ten.bin)
	printf '%s\n' "$out" | grep -v ' passed, ' | sed 's/^/     | /'
	read -r p _ f _ <<<"$(tail -n 1 <<<"$out")"
	at_least "$1: requests compared" 100 "${p:-0}"
	check_eq "$1: requests that differ" 0 "${f:-none ran}"
}
compare IPv4 "$SRV_IP" 198.18.1.1
compare IPv6 "$SRV_IP6" 2001:db8:1::1
kill -TERM "$slow"
wait "$slow"
check_eq "the second dawnd ends well" 0 $?
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
