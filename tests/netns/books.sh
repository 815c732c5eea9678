# shellcheck shell=bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Many new connections, and the books of flow_table: source it after daemon.sh.

# run_churn ARGUMENT...: tests/tools/churn.c into $SRV_IF
run_churn() {
	local mac
	mac=$(in_srv ip -o link show "$SRV_IF" |
		sed 's/.*ether \([0-9a-f:]*\).*/\1/')
	# PRIORITY: see start_link
	# shellcheck disable=SC2086
	CHURN_OBJECT=$BUILD/tests/netns/churn.bpf.o in_cli \
		${PRIORITY:-} "$BUILD/tests/churn" "$@" \
		"$CLI_IF" "$mac" "$SRV_IP" 80 /hot0
}

# churn ARGUMENT...: its last line is in $line
churn() {
	line=$(run_churn "$@") || fail "churn runs"
	echo "     | $line"
}

# value NAME: of NAME=VALUE in $line
value() { sed -n "s/.* $1=\([0-9]*\).*/\1/p" <<<"$line"; }

resident() { # bytes of dawnd, but for the maps, which it shares
	awk '/^RssAnon/ { print $2 * 1024 }' "/proc/$DAWND_PID/status"
}

flows() { # in the table
	dawn flows --dev "$SRV_IF" --json | grep -c '"peer"'
}

none_left() { [ "$(flows)" = 0 ]; }

stats_to() { dawn stats --dev "$SRV_IF" --json >"$1"; }

# books_open: from now on
books_open() {
	stats_to "$TMP/stats.before"
	FLOWS_BEFORE=$(flows)
}

# books_close: and until now
books_close() {
	stats_to "$TMP/stats.after"
	FLOWS_AFTER=$(flows)
}

# stat_of FILE NAME
stat_of() {
	sed -n "s/^ *\"$2\": *\([0-9]*\),*$/\1/p" "$1"
}

# since NAME: how far a counter rose while the books were open
since() {
	echo $(($(stat_of "$TMP/stats.after" "$1") - $(stat_of "$TMP/stats.before" "$1")))
}

# books_balance: what was made is what ended and what is there (docs/COUNTERS.md)
books_balance() {
	local gone=0 name
	books_close
	for name in flow_closed flow_evicted time_wait_reused \
		stale_incarnation flow_freed; do
		gone=$((gone + $(since $name)))
	done
	check_eq "flow_new is all that ended, $gone, and what is there" \
		"$(since flow_new)" $((gone + FLOWS_AFTER - FLOWS_BEFORE))
}

# frames_home: no frame waits, or is missing, in dawnd's AF_XDP rings
frames_home() {
	local rings size
	rings=$(python3 "$(dirname "${BASH_SOURCE[0]}")/rings.py" "$DAWND_PID" | sort | tr '\n' ' ')
	size=$(sed -n 's/.*fill \([0-9]*\).*/\1/p' <<<"$rings")
	echo "$rings"
	[ "$rings" = "completion 0 fill ${size:-0} rx 0 tx 0 " ] &&
		[ "${size:-0}" -gt 0 ] && [ $((size & (size - 1))) = 0 ]
}
