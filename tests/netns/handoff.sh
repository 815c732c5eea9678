#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# One connection, two owners: hits, misses, POSTs, large files and pipelined
# pairs take turns on one keep-alive connection; see handoff.py. ROUNDS=10000.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"
ROUNDS=${ROUNDS:-10000}

setup_pair
make_root
start_dawnd
promote "$SRV_IP" hot{0..9} ten.bin
hits=$(counter http_hit)
check "handoff over IPv4, $ROUNDS rounds" in_cli \
	"$here/handoff.py" "$SRV_IP" "$ROOT" "$ROUNDS" 1
at_least "answers from XDP" $((ROUNDS * 40 / 100)) \
	$(($(counter http_hit) - hits))
at_least "to_user" $((ROUNDS / 10)) "$(counter to_user)"
at_least "to_kernel" $((ROUNDS / 10)) "$(counter to_kernel)"
at_least "requests the reactor counted" $((ROUNDS / 10)) \
	"$(counter http_requests)"
at_least "errors among them, the misses" $((ROUNDS / 20)) \
	"$(counter http_errors)"
at_least "promotions it counted" 11 "$(counter promoted)"
check "handoff over IPv6, $((ROUNDS / 10)) rounds" in_cli \
	"$here/handoff.py" "$SRV_IP6" "$ROOT" $((ROUNDS / 10)) 2
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
