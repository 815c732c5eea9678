# shellcheck shell=bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# For the tests that run dawnd: source it after lib.sh.
#
# What goes into the background is started by nsenter itself, not by a function
# around it: $! then is the program, not a shell between.

ROOT=$TMP/root
DAWND_PID=

# end_child PID: kill it if it still is a child of this shell (a number may have
# been given to another process since)
end_child() {
	grep -qx "PPid:[[:space:]]*$$" "/proc/$1/status" 2>/dev/null &&
		kill -KILL "$1"
}

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
	nsenter --net="/run/netns/$SRV" -- "$DAWND" --dev "$SRV_IF" --root "$ROOT" "$@" \
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

# setup_lossy EMULATOR_OPTION...: as setup_pair, but with the emulated link
# between; segments are of wire size, as a real NIC would see them.
#   $CLI [$CLI_IF]---[m0 $MID m1]---[$SRV_IF] $SRV
setup_lossy() {
	MID=dawn-m$$
	need_root
	make_ns "$SRV"
	make_ns "$CLI"
	make_ns "$MID"
	at_exit in_ns "$SRV" "$DAWN" off --dev "$SRV_IF"
	ip link add "$CLI_IF" netns "$CLI" type veth peer name m0 netns "$MID"
	ip link add "$SRV_IF" netns "$SRV" type veth peer name m1 netns "$MID"
	in_srv ip addr add "$SRV_IP/24" dev "$SRV_IF"
	in_srv ip addr add "$SRV_IP6/64" dev "$SRV_IF" nodad
	in_cli ip addr add "$CLI_IP/24" dev "$CLI_IF"
	in_cli ip addr add "$CLI_IP6/64" dev "$CLI_IF" nodad
	in_srv ip link set "$SRV_IF" up
	in_cli ip link set "$CLI_IF" up
	in_ns "$MID" ip link set m0 up
	in_ns "$MID" ip link set m1 up
	in_cli ethtool -K "$CLI_IF" tso off gso off tx off >/dev/null
	in_srv ethtool -K "$SRV_IF" tso off gso off tx off >/dev/null
	start_link "$@"
}

# start_link EMULATOR_OPTION...; stop_link: with its counters in link.log
start_link() {
	nsenter --net="/run/netns/$MID" -- "$BUILD/tests/link" "$@" m0 m1 \
		>"$TMP/link.log" 2>&1 &
	LINK_PID=$!
	at_exit end_child "$LINK_PID"
	wait_for 5 grep -q ready "$TMP/link.log" || fail "link starts"
}

stop_link() {
	kill -TERM "$LINK_PID"
	wait "$LINK_PID"
	sed 's/^/     | /' "$TMP/link.log"
}
