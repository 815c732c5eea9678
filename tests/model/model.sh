#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The model of the ownership protocol, checked by spin; see docs/OWNERSHIP.md.
#
# usage: model.sh [NAME]...   those searches only
#        LONG=1 model.sh      the long ones, too
#
# Full searches (no bitstate, no compression that loses), which must find
# nothing; then the same with one seeded bug each, which must find it. And
# every C function that the model names must still be there.
# timeout: 600
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C

model=$PWD/tests/model/ownership.pml
root=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/dawn-model.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
only=" $* "

command -v spin >/dev/null || { echo "spin is missing: make deps"; exit 77; }

say() { # RESULT TEXT
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
		echo "ok: $2"
	else
		failed=$((failed + 1))
		echo "FAILED: $2"
	fi
}

# What `want`s: "none", or a search that ends with an error.
check() { # NAME WANT DEFINES [DEPTH]
	local name=$1 want=$2 errors states mode=(-DSAFETY) args=(-n)
	local defs

	[[ $only = "  " || $only = *" $name "* ]] || return 0
	read -ra defs <<<"$3"
	if [[ $3 = *-DLIVE* ]]; then
		mode=(-DNFAIR=3)
		args=(-n -a -f)
	fi
	mkdir "$work/$name"
	cd "$work/$name" || exit 1
	# -O0: what an optimizer takes is more than what it saves.
	if ! spin "${defs[@]}" -a "$model" >log 2>&1 ||
		! gcc -O0 -w -DMEMLIM=1900 "${mode[@]}" -o pan pan.c >>log 2>&1; then
		cat log
		say 1 "$name: the model does not compile"
		cd "$root" || exit 1
		return
	fi
	# -m: a search that is cut off at its depth has not seen all.
	./pan "-m${4:-200000}" -w22 "${args[@]}" >log 2>&1
	errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' log)
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' log)
	if [ "$want" = none ]; then
		[ "$errors" = 0 ] &&
			! grep -qE 'depth too small|not completed' log
		say $? "$name: ${states:-no} states, $3"
		[ "$errors" = 0 ] || explain "${defs[@]}"
	else
		[ "${errors:-0}" != 0 ] && [ -f ownership.pml.trail ] &&
			grep -q "$want" log
		say $? "$name is found: $(sed -n 's/^pan:1: //p' log | head -n 1)"
	fi
	cd "$root" || exit 1
	rm -rf "${work:?}/$name"
}

explain() { # DEFINES...: the way there, and how things stood
	grep -E '^pan|error' log
	spin "$@" -p -k ownership.pml.trail "$model" 2>/dev/null |
		grep -vE '\[(IF|DO|else)\]|\.\(goto\)' | tail -n 150
}

### The functions that it names are there #####################################
missing=0 named=0
while read -r file function; do
	named=$((named + 1))
	if ! grep -qE "^([a-z].*[ *])?$function\(" "$file" 2>/dev/null; then
		echo "$file has no $function(), which the model names"
		missing=1
	fi
done < <(sed -n 's/.*[*] = \([a-z_/.]*\): \([a-z0-9_]*\)().*/\1 \2/p' "$model" |
	sort -u)
[ "$missing" = 0 ] && [ "$named" -ge 40 ]
say $? "$named functions that the model names are in the sources"

### Searches that find nothing ################################################
one='-DCPUS=1 -DREQUESTS=1'
calm='-DKILLS=0 -DSTALLS=0'
kill='-DKILLS=1 -DSTALLS=0'
stall='-DKILLS=0 -DSTALLS=1'
loss="$calm -DLOSS=1"
long() { # as check
	[ -z "${LONG:-}" ] || check "$@"
}
check cpus none "-DREQUESTS=1 $calm -DRETRIES=1"
check kill none "$one -DKILLS=1 -DSTALLS=1 -DRETRIES=1"
long cpus-kill none "-DREQUESTS=1 $kill -DRETRIES=0"
long tuples none "$one $calm -DTUPLES=2 -DRETRIES=1"
long slots none "-DCPUS=1 -DREQUESTS=2 $calm -DREFILLS=1 -DRETRIES=1"
check slot none "$one $calm -DREFILLS=1 -DRETRIES=1"
long live none "$one $calm -DLIVE"
check live-kill none "$one $kill -DLIVE"
check live-stall none "$one $stall -DLIVE"
check live-loss none "$one $loss -DLIVE"

### Seeded bugs that they do find #############################################
unsafe='assertion violated'
stuck='acceptance cycle'
bug() { # NAME WANT DEFINES
	check "BUG_$1" "$2" "$3 -DBUG_$1"
}
long_bug() {
	[ -z "${LONG:-}" ] || bug "$@"
}
bug RECLAIM_DIRTY "$unsafe" "$one $stall"
bug ADOPT_DIRTY "$unsafe" "$one $kill"
bug TAKE_NO_COMPARE "$unsafe" "$one $calm -DTUPLES=2"
bug NO_GRACE "$unsafe" "$one $calm -DREFILLS=1"
bug NO_BURY "$stuck" "$one $kill -DLIVE"
bug NO_BEAT "$stuck" "$one $stall -DLIVE"
bug NO_SCAN "$stuck" "$one $loss -DLIVE"
long_bug COOKIE_TWICE "$unsafe" "-DREQUESTS=1 $calm -DRETRIES=1"
long_bug COOKIE_EARLY "$unsafe" "-DREQUESTS=1 $calm -DRETRIES=1"
long_bug XDP_NO_COMPARE "$unsafe" "-DTUPLES=2 -DREQUESTS=1 $calm -DRETRIES=0"
long_bug TAG_AFTER_FREE "$stuck" "$one $kill -DLIVE"
long_bug NO_LOST_WAIT "$stuck" "$one $calm -DLIVE"
long_bug NO_TIMER "$stuck" "$one $loss -DLIVE"
long_bug WRITE_CLEAN "$unsafe" "$one $calm"
long_bug REACTOR_LOCKS "$unsafe" "$one $kill"
long_bug GIVE_NO_BIT "$unsafe" "-DCPUS=1 -DREQUESTS=2 $calm -DREFILLS=1"
long NO_GENERATION "$unsafe" "$one -DKILLS=0 -DSTALLS=2 -DGENERATIONS=1"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
