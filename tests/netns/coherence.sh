#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A response that is replaced or purged while it is partly unacknowledged goes on
# with its old bytes, to the end: with a reactor, without, and after it was
# killed; see coherence.py.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

SLOTS=8 # few, so that whoever replaces would take one that is still needed

play() { # MODE
	local ip p f
	mac=$(in_srv ip -br link show "$SRV_IF" | awk '{ print $3 }')
	for ip in "$SRV_IP" "$SRV_IP6"; do
		echo "# $1, $ip"
		in_cli "$here/coherence.py" "$CLI_IF" "$mac" "$ip" "$TMP" "$1" \
			nsenter --net="/run/netns/$SRV" -- "$DAWN" cache \
			>"$TMP/out" 2>&1
		sed 's/^/     | /' "$TMP/out"
		read -r p _ f _ <<<"$(tail -n 1 "$TMP/out")"
		at_least "$1, $ip: checks that passed" 39 "${p:-0}"
		check_eq "$1, $ip: checks that failed" 0 "${f:-none ran}"
	done
}

setup_pair
make_root
dawn load --dev "$SRV_IF" --slots "$SLOTS" >/dev/null || exit 1
play alone
at_least "sent again by XDP" 12 "$(counter http_resend)"
dawn unload --dev "$SRV_IF" >/dev/null

start_dawnd --slots "$SLOTS"
play reactor
at_least "sent again by the reactor" 4 "$(counter kernel_retransmit)"
kill_dawnd
# XDP is on its own once the heartbeat is old.
silent() { dawn status --dev "$SRV_IF" | grep -q 'none alive'; }
check "dawnd is not there any more" wait_for 10 silent
play killed
finish
