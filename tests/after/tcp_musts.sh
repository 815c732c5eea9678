#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# docs/TCP.md against the code and the tests of this build: every number of RFC
# 9293's MUSTs has one row; few do not apply; every test named exists, ran and
# passed; every function named is there.
#
# A test ran if a log of run.sh says so that is newer than its program. Unit
# tests without one are run now. Of others only the name is looked up in the
# source, which is said; where CI=true it is an error.
set -uo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1

page=docs/TCP.md
build=${BUILD:-build}
logs=$build/test-logs
musts=69
exempt_max=15

passed=0 failed=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/dawn-musts.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

good() { passed=$((passed + 1)); }
bad() {
	failed=$((failed + 1))
	echo "$page: $*"
}

### Rows ######################################################################
# The rows of the MUST table, as NUMBER<tab>the rest.
rows() {
	sed -nE 's/^\| ([0-9]+) \| ([0-9.]+ \|.*)$/\1\t\2/p' "$page"
}

check_rows() {
	local n line exempt=0
	for n in $(seq "$musts"); do
		[ "$(rows | grep -c "^$n	")" = 1 ] ||
			bad "MUST-$n has $(rows | grep -c "^$n	") rows"
	done
	[ "$(rows | wc -l)" = "$musts" ] ||
		bad "$(rows | wc -l) rows, $musts wanted"
	while IFS=$'\t' read -r n line; do
		if [[ $line == *'| does not apply: '* ]]; then
			exempt=$((exempt + 1))
			good
		elif [[ $line =~ \|[^\|]*\`(unit|progrun|netns|epoll)/[^\|]*\|$ ]]; then
			good
		else
			bad "MUST-$n: no test and no reason"
		fi
	done < <(rows)
	echo "$exempt of $musts do not apply (at most $exempt_max)"
	[ "$exempt" -le "$exempt_max" ] || bad "too many do not apply"
}

### Names in code spans #######################################################
# shellcheck disable=SC2016 # backticks as such
spans() { # REGEX: the code spans that match it, once each
	grep -oE '`[^`]+`' "$page" | tr -d '`' | grep -E "$1" | sort -u
}

# `file:name`: a function defined there, or a field.
check_functions() {
	local span file name path
	while read -r span; do
		file=${span%%:*} name=${span#*:}
		path=$(find bpf maps user loader -name "$file" | head -n 1)
		if [ -n "$path" ] && grep -qE \
			"^[^ 	/*].*\b$name\(|^$name\(|\b$name;|#define $name\b" \
			"$path"; then
			good
		else
			bad "no $name in $file"
		fi
	done < <(spans '^[a-z0-9_]+(\.bpf)?\.[ch]:[a-zA-Z0-9_]+$')
}

# Names of the tests that passed, of a log.
passed_in() { # LOG
	sed -nE 's/^ok [0-9]+ - (.*)$/\1/p; s/^ok   (.*)$/\1/p' "$1"
	# Scenarios of a client, perhaps played several times: all checks between
	# two headings. Cells, EVENT/BEFORE/FAMILY: an event passed if all did.
	awk '{ sub(/^ +\| /, "") }
		/^(ok  |FAIL) [a-z0-9_]+\/[a-z0-9_\/]+(:| \()/ {
			sub(/\/.*/, "", $2)
			if ($1 == "ok") good[$2]++; else bad[$2]++
			next
		}
		/^-- [a-z0-9_]+: / { name = substr($2, 1, length($2) - 1) }
		/^ok / { good[name]++ }
		/^FAIL / { bad[name]++ }
		END { for (name in good) if (!bad[name]) print name }' "$1"
}

# Where a test's log is, if it is newer than what made it.
fresh_log() { # DIR PROGRAM
	local log=$logs/$1_$2.log made=$build/tests/$1/$2
	case $1 in
	unit) log=$logs/$2.log made=$build/tests/$2 ;;
	netns) log=$logs/$1_$2.sh.log made=tests/$1/$2.sh ;;
	epoll) [ -e "$made" ] || log=$logs/$1_$2.sh.log made=tests/$1/$2.sh ;;
	esac
	[ -e "$log" ] && [ -e "$made" ] && [ ! "$made" -nt "$log" ] &&
		echo "$log"
}

# The names of the tests of a program that are known to pass, or, with a note
# to the other file, those that the source has.
known() { # DIR PROGRAM
	local log out=$tmp/$1_$2
	[ ! -e "$out" ] || return 0
	if log=$(fresh_log "$1" "$2"); then
		passed_in "$log" >"$out"
		return
	fi
	if [ "$1" = unit ] && [ -x "$build/tests/$2" ]; then
		CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 "$build/tests/$2" \
			>"$tmp/log" 2>&1
		passed_in "$tmp/log" >"$out"
		return
	fi
	touch "$out.source"
	cat tests/"$1"/"$2".* 2>/dev/null | sed -nE \
		's/.*cmocka_unit_test[a-z_]*\(([a-z0-9_]+).*/\1/p
		s/^def ([a-z0-9_]+)\([bc]\):.*/\1/p
		s/.*check[a-z_]* "([^"]+)".*/\1/p' >"$out"
}

check_tests() {
	local span dir program name
	while read -r span; do
		dir=${span%%/*} program=${span#*/}
		program=${program%%:*}
		known "$dir" "$program"
		while read -r name; do
			if ! grep -qxF -- "$name" "$tmp/${dir}_$program"; then
				bad "$dir/$program: $name: no such test has passed"
			elif [ -e "$tmp/${dir}_$program.source" ] &&
				[ "${CI:-}" = true ]; then
				bad "$dir/$program: $name did not run"
			else
				good
			fi
		done < <(sed 's/^[^:]*: //; s/; /\n/g' <<<"$span")
	done < <(spans '^(unit|progrun|netns|epoll)/[a-z0-9_]+: ')
	for span in "$tmp"/*.source; do
		[ -e "$span" ] || continue
		span=${span##*/}
		echo "not run, looked up in the source only: ${span%.source}"
	done
}

check_rows
check_functions
check_tests
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt "$musts" ]
