#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# SIGTERM: a 5 MB download under way is finished, new connections are not taken,
# and nothing is left on the interface or in bpffs.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

setup_pair
make_root
head -c 5000000 /dev/urandom >"$ROOT/five.bin"
start_dawnd --drain 10
check "promoted before" promote "$SRV_IP" hot0
nsenter --net="/run/netns/$CLI" -- curl -sSf --limit-rate 2M -o "$TMP/got" "http://$SRV_IP/five.bin" &
curl=$!
begun() { [ -s "$TMP/got" ]; }
check "the download began" wait_for 10 begun
stop_dawnd
check_eq "dawnd's exit status" 0 "$STATUS"
wait "$curl"
check_eq "curl's exit status" 0 $?
check "the download is whole" cmp "$TMP/got" "$ROOT/five.bin"
check_eq "no XDP program left" "" "$(xdp_id "$SRV_IF")"
check_not "no pins left" test -e "$(pin_dir)"
check_exit "nothing answers" 7 "" in_cli curl -s -m 2 "http://$SRV_IP/hot0"

rm -f "$TMP/got"
start_dawnd --drain 1
nsenter --net="/run/netns/$CLI" -- curl -sS --limit-rate 100k -o "$TMP/got" "http://$SRV_IP/five.bin" &
curl=$!
check "a download too slow for --drain 1 began" wait_for 10 begun
stop_dawnd
check_eq "dawnd's exit status" 0 "$STATUS"
wait "$curl"
check_eq "curl saw the reset" 56 $?
check_not "no pins left" test -e "$(pin_dir)"
finish
