#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A 100 MB download, a 10 MB POST and cached answers, whole and right through 1 %
# loss; then reordering and duplication.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

post() { # TEXT FILE
	check "$1" in_cli curl -sSf -m 300 -o "$TMP/got" \
		--data-binary "@$2" "http://$SRV_IP/echo"
	check "$1: right bytes" cmp "$TMP/got" "$2"
}

make_root
head -c 100000000 /dev/urandom >"$ROOT/huge.bin"
head -c 10000000 /dev/urandom >"$TMP/post"
setup_lossy --loss 1 --seed 1
start_dawnd
fetch "100 MB, 1 % loss" "$SRV_IP" huge.bin -m 300
fetch "300 kB over IPv6, 1 % loss" "[$SRV_IP6]" big.bin
post "POST of 10 MB, 1 % loss" "$TMP/post"
at_least "retransmitted" 100 "$(counter tcp_retransmit)"
check "1,000 rounds of handoff, 1 % loss" in_cli \
	"$here/handoff.py" "$SRV_IP" "$ROOT" 1000 3
stop_link
start_link --reorder 5 --reorder-ms 2 --dup 2 --corrupt 1 --delay-ms 2 --seed 2
fetch "300 kB, reordered, duplicated, corrupted" "$SRV_IP" big.bin
post "POST of 10 MB, reordered, duplicated, corrupted" "$TMP/post"
check "500 rounds of handoff, likewise" in_cli \
	"$here/handoff.py" "$SRV_IP" "$ROOT" 500 4
stop_link
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
