#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Files that change in every way while they are hammered through XDP: 100 ms
# after a change nobody gets what stood there before, and no answer is a mix.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

setup_pair
make_root
start_dawnd
for how in rename write truncate grow delete chmod dir; do
	before=$(counter http_hit)
	check "$how: nothing stale, nothing torn" in_cli "$here/bad_files.py" \
		"$SRV_IP" "$ROOT" "$how" 15 4 "$DAWND_PID"
	at_least "$how: answers from XDP" 200 $(($(counter http_hit) - before))
	rm -rf "$ROOT/moving"
done
stop_dawnd
check_eq "exit status" 0 "$STATUS"
finish
