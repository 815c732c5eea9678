#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A path of 80 ms: buffers of the reactor's connections grow, in both directions,
# so that one connection is not held to 64 kB a round trip; and when the kernel
# half has the connection back, the window offered never moves left.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

SIZE=30000000

setup_lossy --delay-ms 40
make_root
head -c "$SIZE" /dev/urandom >"$ROOT/long.bin"
start_dawnd --memory 64
rate() { # bytes a second, from what curl says; 64 kB in 80 ms are 0.8 million
	in_cli curl -sSfg -m 60 -o "$TMP/got" -w '%{speed_download}\n' "$@"
}

speed=$(rate "http://$SRV_IP/long.bin")
check "a download is whole" cmp "$TMP/got" "$ROOT/long.bin"
echo "     | $speed bytes a second down, $(counter rings_grown) times grown"
check "the send buffer grew to the last size" \
	test "$(counter rings_grown)" -ge 6
before=$(counter rings_grown)
# Expect: 100-continue would wait for a second
in_cli curl -sSf -m 60 -H 'Expect:' -H 'Content-Type: text/plain' -o "$TMP/got" \
	-w '     | %{speed_upload} bytes a second up\n' \
	--data-binary "@$ROOT/long.bin" "http://$SRV_IP/echo"
check "an upload comes back whole" cmp "$TMP/got" "$ROOT/long.bin"
check "the receive buffer grew, too" \
	test "$(counter rings_grown)" -ge $((before + 7))
check_eq "nothing was refused" 0 "$(counter rings_refused)"

promote "$SRV_IP" hot0
mac=$(in_srv ip -br link show "$SRV_IF" | awk '{ print $3 }')
hits=$(counter http_hit)
check "in the kernel half its window stays, and is taken" in_cli \
	"$here/grow.py" "$CLI_IF" "$mac" "$SRV_IP"
at_least "answers from the kernel half meanwhile" 2 $(($(counter http_hit) - hits))
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
stop_link
finish
