#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Late segments of connections that are over open nothing: not the handshake's
# ACK, not the request; whichever half closed. See late.py.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

secrets() { # of cookies, one a line
	bpftool map dump pinned "$(pin_dir)/config" | tr -d ' \n' |
		sed 's/.*"cookie_secret":\[\([0-9,]*\)\].*/\1/' | tr , '\n'
}

renewed() { [ "$(secrets)" != "$was" ]; }

setup_pair
make_root
head -c 20000 /dev/urandom >"$ROOT/big"
start_dawnd
promote "$SRV_IP" hot0
mac=$(in_srv ip -br link show "$SRV_IF" | awk '{ print $3 }')
for ip in "$SRV_IP" "$SRV_IP6"; do
	in_cli "$here/late.py" "$CLI_IF" "$mac" "$ip" >"$TMP/out" 2>&1
	check_eq "late.py to $ip" 0 $?
	sed 's/^/     | /' "$TMP/out"
done
at_least "replayed cookies" 8 "$(counter cookie_replayed)"
check_eq "made anew out of TIME_WAIT" 2 "$(counter time_wait_reused)"
check_eq "cookies forgotten" 0 "$(counter cookie_forgotten)"
check_eq "cookies refused" 0 "$(counter cookie_refused)"
was=$(secrets)
check "another secret, once a window" wait_for 20 renewed
at_least "others stay" 1 "$(comm -12 <(sort <<<"$was") <(secrets | sort) |
	wc -l)"
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
