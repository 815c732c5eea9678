#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Bulk data with a real round-trip time over a bad wire, both ways, IPv4 and
# IPv6: right bytes, nothing stalls, and what was lost is sent again. And single
# segments of an answer that XDP has sent: lost at its start, in its middle, at
# its end (no duplicate ACK tells), with their first repair, and all of them.
# bench/bulk.sh is the long form, with goodput; loss.sh has loss without delay.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

CONNS=16
# What RTO backoff allows for: 4 losses of one segment in a row, of 5,000 at 2 %
# 1 in 1,000 runs, cost (1 + 2 + 4 + 8) * RTO, with RTO <= 240 ms; see
# bench/bulk.sh. It is no measure of speed: a lost timer would be a minute.
STALL_MS=4000

# bulk TEXT MODE ADDRESS PATH: 20 MB in all, through CONNS connections
bulk() {
	check "$1" in_cli "$BUILD/tests/bulk" --conns "$CONNS" --stall-ms \
		"$STALL_MS" --limit-s 100 "$2" "$3" 80 "$4" "$ROOT/part.bin"
}

# bad_wire TEXT OPTIONS...: both ways, both families
bad_wire() {
	local text=$1 before
	shift
	before=$(counter tcp_retransmit)
	start_link "$@"
	bulk "$text: 20 MB down, IPv4" get "$SRV_IP" /part.bin
	bulk "$text: 20 MB up and back, IPv6" echo "$SRV_IP6" /echo
	stop_link >/dev/null
	at_least "$text: sent again by the reactor" 100 \
		$(($(counter tcp_retransmit) - before))
}

# lost_segment TEXT ADDRESS NAME SEGMENTS: these of XDP's answer, counted from 1,
# and from the 11th on of what is sent again. The next request on the connection
# is answered too, by the reactor.
lost_segment() {
	local text=$1 address=$2 name=$3 before
	before=$(counter http_hit)
	start_link --delay-ms 5 --drop "ba:$4"
	check "$text" in_cli curl -sSfg -m 60 \
		-o "$TMP/one" "http://$address/$name" \
		-o "$TMP/two" "http://$address/big.bin"
	stop_link >/dev/null
	check "$text: right bytes" cmp "$TMP/one" "$ROOT/$name"
	check "$text: and after it" cmp "$TMP/two" "$ROOT/big.bin"
	check_eq "$text: lost on the wire" "$(tr , '\n' <<<"$4" | wc -l)" \
		"$(link_count ba dropped)"
	check_eq "$text: sent by XDP" 1 $(($(counter http_hit) - before))
}

lost_segments() { # TEXT ADDRESS
	lost_segment "$1: first segment lost" "$2" ten.bin 1
	lost_segment "$1: last segment lost" "$2" ten.bin 10
	lost_segment "$1: all segments lost" "$2" ten.bin 1,2,3,4,5,6,7,8,9,10
}

make_root
head -c $((20000000 / CONNS)) /dev/urandom >"$ROOT/part.bin"
setup_lossy
# The last FIN of a connection may be lost with the wire: not waited for long.
start_dawnd --drain 1
for address in "$SRV_IP" "[$SRV_IP6]"; do
	promote "$address" ten.bin hot2
done
stop_link >/dev/null

bad_wire "1 % loss, 20 ms" --loss 1 --delay-ms 10 --seed 1
bad_wire "reordered, doubled, broken, 20 ms" --reorder 5 --reorder-ms 5 \
	--dup 5 --corrupt 1 --delay-ms 10 --seed 2
taken=$(counter flow_taken)
lost_segments IPv4 "$SRV_IP"
lost_segment "IPv4: middle segment lost" "$SRV_IP" ten.bin 5
lost_segment "IPv4: last one and its repair lost" "$SRV_IP" ten.bin 10,11
lost_segment "IPv4: first and last segment lost" "$SRV_IP" ten.bin 1,10
lost_segment "IPv4: an answer of one segment lost" "$SRV_IP" hot2 1
lost_segments IPv6 "[$SRV_IP6]"
in_cli sysctl -qw net.ipv4.tcp_sack=0
lost_segments "no SACK" "$SRV_IP"
in_cli sysctl -qw net.ipv4.tcp_timestamps=0
lost_segment "no options: last segment lost" "$SRV_IP" ten.bin 10
at_least "flows taken from XDP by the timer that watches what it has sent" 3 \
	$(($(counter flow_taken) - taken))
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
