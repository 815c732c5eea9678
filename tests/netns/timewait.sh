#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Connections that the server closes first end in TIME_WAIT. It costs an entry of
# the flow table and nothing of the reactor: no control block is left. The peer's
# FIN again is answered; draining does not wait. Idle connections are closed after
# --idle-timeout.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

setup_pair
make_root
start_dawnd --drain 10
for ip in "$SRV_IP" "[$SRV_IP6]"; do
	for _ in 1 2 3 4 5; do
		in_cli curl -sfg -m 10 -H 'Connection: close' -o "$TMP/got" \
			"http://$ip/big.bin" || fail "a download from $ip"
	done
done
left() { [ "$(counter time_wait)" -ge 10 ]; }
check "ten TIME_WAITs are left to their entries" wait_for 10 left
freed() { [ "$(counter conn_open)" = "$(counter conn_closed)" ]; }
check "no control block is left" wait_for 10 freed
waiting() { dawn flows --dev "$SRV_IF" | grep -c TIME-WAIT; }
at_least "flows in TIME-WAIT" 10 "$(waiting)"
check "the daemon still serves" in_cli curl -sf -m 10 -o /dev/null \
	"http://$SRV_IP/hot0"
begin=$EPOCHSECONDS
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
at_least "and does not wait for 2 MSL (seconds to spare)" 30 \
	$((60 - (EPOCHSECONDS - begin)))

start_dawnd --idle-timeout 2
# shellcheck disable=SC2016 # for the shell in there
ends() { # the end of the stream is the server's FIN; 75 s is the default
	timeout 40 nsenter --net="/run/netns/$CLI" -- bash -c '
		exec 3<>"/dev/tcp/$1/80"
		printf "GET /hot0 HTTP/1.1\r\nHost: x\r\n\r\n" >&3
		cat <&3' - "$SRV_IP" >"$TMP/got"
}
check "an idle connection is closed" ends
check "after its answer" grep -q '^HTTP/1.1 200' "$TMP/got"
stop_dawnd
finish
