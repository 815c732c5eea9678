# shellcheck shell=bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# For the tests that run dawnd: source it after lib.sh.
#
# What goes into the background is started by nsenter itself, not by a function
# around it: $! then is the program, not a shell between.

ROOT=$TMP/root
DAWND_PID=

# make_root: files of every kind; see handoff.py
make_root() {
	mkdir -p "$ROOT"
	chmod 755 "$TMP" "$ROOT"
	local i
	for i in 0 1 2 3 4 5 6 7 8 9; do
		head -c $((80 + i * 100)) /dev/urandom | base64 -w0 \
			>"$ROOT/hot$i"
	done
	head -c 13900 /dev/urandom >"$ROOT/ten.bin"
	head -c 300000 /dev/urandom >"$ROOT/big.bin"
}

# start_dawnd ARGUMENTS...: in $SRV on $SRV_IF; returns when it serves
start_dawnd() {
	: >"$TMP/dawnd.log" # an earlier one's "ready" is not this one's
	# PRIORITY: see start_link
	# shellcheck disable=SC2086
	nsenter --net="/run/netns/$SRV" -- ${PRIORITY:-} "$DAWND" \
		--dev "$SRV_IF" --root "$ROOT" "$@" \
		>"$TMP/dawnd.log" 2>&1 &
	DAWND_PID=$!
	at_exit end_child "$DAWND_PID"
	if ! wait_for 20 grep -q '^ready' "$TMP/dawnd.log"; then
		fail "dawnd starts"
		sed 's/^/     | /' "$TMP/dawnd.log"
		finish
	fi
}

# stop_dawnd: SIGTERM; leaves its exit status in $STATUS
stop_dawnd() {
	kill -TERM "$DAWND_PID"
	wait "$DAWND_PID"
	# shellcheck disable=SC2034 # read by the tests
	STATUS=$?
}

kill_dawnd() {
	kill -KILL "$DAWND_PID"
	wait "$DAWND_PID" 2>/dev/null
}

# at_least TEXT MINIMUM VALUE
at_least() {
	if [ -n "$3" ] && [ "$3" -ge "$2" ]; then
		ok "$1: $3 (at least $2)"
	else
		fail "$1: ${3:-nothing} (at least $2)"
	fi
}

# held: connections of the reactor. From one look at the counters: between two,
# many may have ended.
held() {
	dawn stats --dev "$SRV_IF" --json | tr -d '", ' | awk -F: '
		$1 == "conn_open" { n += $2 }
		$1 == "conn_closed" { n -= $2 }
		END { print n + 0 }'
}

# promote ADDRESS NAME...: ask until XDP answers, or fail
promote() {
	local address=$1 name before
	shift
	for name; do
		before=$(counter http_hit)
		wait_for 10 promoted_after "$address" "$name" "$before" ||
			{ fail "$name is promoted" && return 1; }
	done
}

promoted_after() { # ADDRESS NAME HITS_BEFORE
	in_cli curl -sfg -m 5 -o /dev/null "http://$1/$2"
	[ "$(counter http_hit)" -gt "$3" ]
}

# fetch TEXT ADDRESS NAME [CURL_OPTION...]: whole and right
fetch() {
	local text=$1 address=$2 name=$3
	shift 3
	check "$text" in_cli curl -sSfg -m 120 "$@" -o "$TMP/got" \
		"http://$address/$name"
	check "$text: right bytes" cmp "$TMP/got" "$ROOT/$name"
}
