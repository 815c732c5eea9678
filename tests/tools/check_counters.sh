#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# docs/COUNTERS.md against the lists in maps/stats.h: each counter has one row,
# in the same order, with text in both columns; no name stands in two lists.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A list's definition names the other lists with an upper case X(...) only.
grep -oE '\bX\([a-z0-9_]+,' maps/stats.h | sed 's/X(//; s/,//' |
	grep -vx name >"$work/code"
# shellcheck disable=SC2016 # backquotes are the document's
sed -n 's/^| `\([a-z0-9_]*\)` | .*/\1/p' docs/COUNTERS.md >"$work/docs"

count=$(wc -l <"$work/code")
if [ "$count" -lt 50 ]; then
	echo "check_counters: found only $count counters in maps/stats.h" >&2
	exit 1
fi
if ! diff -u --label maps/stats.h --label docs/COUNTERS.md \
	"$work/code" "$work/docs"; then
	echo "check_counters: names or order differ" >&2
	exit 1
fi
if [ -n "$(sort "$work/code" | uniq -d)" ]; then
	echo "check_counters: a name stands twice:" >&2
	sort "$work/code" | uniq -d >&2
	exit 1
fi
# shellcheck disable=SC2016
if grep -nE '^\| `[a-z0-9_]+` \|' docs/COUNTERS.md |
	grep -vE '\| [^|]{3,} \| [^|]{3,} \|$'; then
	echo "check_counters: a row above says too little" >&2
	exit 1
fi
echo "check_counters: $count counters, all documented"
