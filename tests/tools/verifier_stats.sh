#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# What the verifier counted against what it counted before: tests/verifier.csv
# has a row per kernel (major.minor) and program.
#
# usage: verifier_stats.sh [--update] OBJ           load OBJ here; needs root
#        verifier_stats.sh [--update] KERNEL <CSV   numbers from elsewhere, as
#                                                   verifier_stats prints them
#
# A program that no longer loads fails; growth is printed for the review, and
# so is a kernel that has no rows yet. --update writes the numbers down.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
stored=tests/verifier.csv

update=
if [ "${1:-}" = --update ]; then
	update=1
	shift
fi
[ $# = 1 ] || { sed -n '3,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }

if [ -f "$1" ]; then
	kernel=$(uname -r | cut -d. -f1,2)
	if ! csv=$("$build/tests/verifier_stats" "$1"); then
		echo "not ok the verifier of $kernel accepts $1"
		exit 1
	fi
else
	kernel=$(cut -d. -f1,2 <<<"$1")
	csv=$(cat)
fi
rows=$(grep -v '^program,' <<<"$csv" | sed "s/^/$kernel,/")

awk -F, -v kernel="$kernel" '
	NR == FNR { if ($1 == kernel) { insns[$2] = $3; states[$2] = $4 } next }
	{
		text = $3 " insns, " $4 " states"
		if (!($2 in insns))
			change = "no numbers to compare with"
		else if ($3 == insns[$2] && $4 == states[$2])
			change = "as before"
		else
			change = sprintf("before: %d insns, %d states%s", insns[$2],
				states[$2], $4 > states[$2] ? " <-- GROWN" : "")
		print "ok verifier of " kernel ": " $2 ": " text " (" change ")"
		seen[$2] = 1
	}
	END {
		for (p in insns)
			if (!(p in seen)) {
				print "not ok verifier of " kernel ": " p " is gone"
				bad = 1
			}
		exit bad
	}' "$stored" - <<<"$rows" || [ -n "$update" ] || exit 1

if [ -n "$update" ]; then
	{
		echo "kernel,program,insns,total_states,peak_states,stack_bytes"
		{
			grep -vE "^(kernel|${kernel//./\\.})," "$stored" || true
			echo "$rows"
		} | sort -t, -k1,1V -k2,2
	} >"$stored.new"
	mv "$stored.new" "$stored"
fi
