#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Tests that know of no wire, with the emulated one between their two ends: 1 ms
# of delay, frames of wire size. What they promise must not hang on a veth pair.
# usage: sudo tests/netns/over_link.sh [TEST]...     LINK: other fates
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"

need_root
export LINK=${LINK:---delay-ms 1}
[ $# != 0 ] || set -- addresses burst cache drain evict hostile rawtcp timewait vlan
for test; do
	"$here/$test.sh" >"$TMP/$test.log" 2>&1
	check_eq "$test: ends well" 0 $?
	check "$test: has passed all it checks" \
		grep -Ex '[1-9][0-9]* passed, 0 failed' "$TMP/$test.log"
	grep -A 5 '^FAIL' "$TMP/$test.log" | sed 's/^/     | /'
done
finish
