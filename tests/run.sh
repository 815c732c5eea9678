#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Run the built tests, one stage after the other, and count.
#
# usage: run.sh [STAGE|TEST]...   default: all stages but fuzz
#   unit asan build model epoll   as the caller
#   progrun netns soak      as root; soak for SOAK_S (15) seconds of SOAK_SEED (1)
#   kernels                 Debian's 6.1 in qemu
#   after                   what looks at the other tests: they come before
#   fuzz                    each target for FUZZ_S (10) seconds
# A TEST is a script or program; those under tests/progrun, tests/netns and
# tests/soak are run as root.
#
# What is a test: $BUILD/tests/test_* (unit), $BUILD/asan/tests/test_* (asan),
# and per folder $BUILD/tests/DIR/test_* and every executable script
# tests/DIR/*.sh. It tells its checks by TAP lines (cmocka does) or a
# last line "N passed, N failed", and leaves with 0, 77 (cannot run here; an
# error where CI=true) or anything else (failed). A test without a check has
# failed. A script may hold a line "# timeout: SECONDS".
#
# BUILD: build folder. JOBS: tests of a stage at once (1). The logs are in
# $BUILD/test-logs. The last line is "N passed, N failed".
set -uo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/.." || exit 1

build=${BUILD:-build}
BUILD=$(realpath -m "$build")
export BUILD
jobs_max=${JOBS:-1}
logs=$build/test-logs
export CMOCKA_MESSAGE_OUTPUT=TAP
# leaks are failures; so is everything UBSan says.
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# In somebody else's tree root leaves nothing of its own: what needs no root
# runs as the owner, and the logs are given back.
owner=$(stat -c '%u:%g' .)
as_owner=()
if [ "$(id -u)" = 0 ] && [ "${owner%:*}" != 0 ]; then
	as_owner=(setpriv "--reuid=${owner%:*}" "--regid=${owner#*:}"
		--clear-groups)
fi
mkdir -p "$logs"
results=$(mktemp -d "${TMPDIR:-/tmp}/dawn-run.XXXXXX")

# shellcheck disable=SC2317 # called by the trap
finish() {
	local pids
	pids=$(jobs -p)
	# shellcheck disable=SC2086 # a list
	[ -z "$pids" ] || { kill $pids && wait; } 2>/dev/null
	rm -rf "$results"
	[ ${#as_owner[@]} = 0 ] || chown -R "$owner" "$logs"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

### Which tests ###############################################################
programs() { # GLOB...: those that can be executed
	local f
	for f in "$@"; do
		[ -f "$f" ] && [ -x "$f" ] && echo "$f"
	done
}

stage_tests() {
	case $1 in
	unit) programs "$build"/tests/test_* ;;
	asan) programs "$build"/asan/tests/test_* ;;
	kernels) echo tests/kernels/run.sh ;;
	fuzz) programs "$build"/fuzz/fuzz_* ;;
	soak) programs "$build"/asan/tests/soak/test_* ;;
	*)
		programs "$build/tests/$1"/test_* "tests/$1"/*.sh
		# The sanitized build of programs that need no root.
		[ "$1" != epoll ] || programs "$build/asan/tests/$1"/test_*
		;;
	esac
}

needs_root() {
	case $1 in
	*/progrun/* | */netns/* | */soak/*) return 0 ;;
	*) return 1 ;;
	esac
}

timeout_s() {
	local t
	case $1 in
	*.sh) t=$(sed -n 's/^# timeout: \([0-9]*\).*/\1/p' "$1") ;;
	*/fuzz/*) t=$((${FUZZ_S:-10} + 60)) ;;
	*/soak/*) t=$((${SOAK_S:-15} + 300)) ;;
	esac
	echo "${t:-300}"
}

# The seeds of a fuzz target, by commas.
corpus() {
	local files=("tests/fuzz/corpus/${1##*/fuzz_}"/*)
	(IFS=,; echo "${files[*]}")
}

### One test ##################################################################
start() { # TEST LOG: leaves with its exit code
	local cmd=(timeout -k 20 "$(timeout_s "$1")")

	case $1 in
	*/fuzz/*)
		set -- "$1" "$2" -max_total_time="${FUZZ_S:-10}" \
			-seed_inputs="$(corpus "$1")"
		;;
	*/soak/*) set -- "$1" "$2" -s "${SOAK_SEED:-1}" ;; # the same each time
	*/*) set -- "$1" "$2" ;;
	esac
	cmd+=("$(realpath "$1")" "${@:3}")
	if needs_root "$1"; then
		tests/tools/as_root.sh "${cmd[@]}"
	else
		"${as_owner[@]}" "${cmd[@]}"
	fi >"$2" 2>&1 </dev/null
}

# The checks in a log, as "PASSED FAILED SKIPPED".
count() {
	awk '/^[0-9]+ passed, [0-9]+ failed$/ { p = $1; f = $3; said = 1 }
		/^(not )?ok .*# ?[Ss][Kk][Ii][Pp]/ { skip++; next }
		/^ok / { ok++ }
		/^not ok / { bad++ }
		END { if (!said) { p = ok + 0; f = bad + 0 }
			print p, f, skip + 0 }' "$1"
}

# What is said again at the end, where it is found even if only the last lines
# were kept: the checks that failed, and how the log ends.
remember() { # NAME VERDICT LOG
	{
		echo "$1: $2"
		{
			# Those of a program that a script ran, too.
			grep -E '^( +\| )?(not ok|FAIL)' "$3" | head -n 20
			echo '...'
			tail -n 10 "$3"
		} | cut -c -300 | sed 's/^/    | /'
	} >"$results/failed.$BASHPID"
}

run_one() { # TEST NAME
	local log=$logs/${2//\//_}.log rc passed failed skipped verdict=ok
	local since=$EPOCHREALTIME seconds

	start "$1" "$log"
	rc=$?
	read -r passed failed skipped < <(count "$log")
	case $1 in
	*/fuzz/*) [ "$rc" != 0 ] || passed=1 ;; # a run is the check
	esac
	if [ "$rc" = 77 ]; then
		verdict="skipped: $(tail -n 1 "$log")"
		passed=0 failed=0
		if [ "${CI:-}" = true ]; then
			verdict="FAILED: $verdict, which CI does not accept"
			failed=1
		fi
	elif [ "$rc" != 0 ]; then
		verdict="FAILED: left with $rc"
		[ "$rc" != 124 ] || verdict="FAILED: took longer than $(timeout_s "$1") s"
		[ "$failed" != 0 ] || failed=1
	elif [ "$failed" != 0 ]; then
		verdict="FAILED: checks failed, though it left with 0"
	elif [ "$passed" = 0 ]; then
		verdict="FAILED: it checked nothing"
		failed=1
	elif [ "$skipped" != 0 ] && [ "${CI:-}" = true ]; then
		verdict="FAILED: $skipped checks skipped, which CI does not accept"
		failed=$skipped
	fi
	seconds=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $since }")
	{
		# shellcheck disable=SC2094 # reads another file than it writes
		[[ $verdict != FAILED* ]] || { sed 's/^/    | /' "$log" | tail -n 200; }
		printf '%-36s %6s s %5d passed %3d failed  %s\n' "$2" "$seconds" \
			"$passed" "$failed" "$verdict"
	} >"$results/out.$BASHPID"
	cat "$results/out.$BASHPID"
	[[ $verdict != FAILED* ]] || remember "$2" "$verdict" "$log"
	echo "$passed $failed" >"$results/sum.$BASHPID"
}

run_stage() { # NAME TEST...
	local stage=$1 test name
	shift
	[ "$stage" != soak ] ||
		stage="soak (short form: SOAK_S=${SOAK_S:-15}; make soak: 1800)"
	echo "== $stage"
	for test in "$@"; do
		name=${test#"$build"/}
		name=${name#tests/}
		while [ "$(jobs -rp | wc -l)" -ge "$jobs_max" ]; do
			wait -n
		done
		run_one "$test" "${name#"$PWD"/}" &
	done
	wait
}

### All #######################################################################
if [ $# = 0 ]; then
	set -- unit asan build model epoll progrun netns soak kernels after
fi
for arg in "$@"; do
	if [ -f "$arg" ]; then
		run_stage "$arg" "$arg"
		continue
	fi
	mapfile -t tests < <(stage_tests "$arg")
	if [ ${#tests[@]} = 0 ]; then
		echo "== $arg"
		echo "FAILED: no test of stage $arg is there: 'make test' builds them" |
			tee "$results/failed.$arg"
		echo "0 1" >"$results/sum.$arg"
		continue
	fi
	run_stage "$arg" "${tests[@]}"
done

read -r passed failed < <(cat "$results"/sum.* 2>/dev/null |
	awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
if [ -n "$(compgen -G "$results/failed.*")" ]; then
	echo "== failed"
	cat "$results"/failed.*
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
