#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# timeout: 1800
# Replacing is atomic and purging final, under a writer that does both as fast as
# it can: every byte of every hit belongs to one version, and to none that was
# gone when the request was sent. See tests/tools/tear.c.
#
#   TEAR_HITS=10000000 sudo -E tests/netns/tear.sh
#
# is the long form; without that it takes 20 s.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

TEAR_HITS=${TEAR_HITS:-0}
SECONDS_SHORT=20
TEAR=$BUILD/tests/tear

# value NAME FILE: of NAME=VALUE; 0 if it is not there
value() {
	local number
	number=$(sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" "$2")
	echo "${number:-0}"
}
# start_client I ADDRESS
start_client() {
	local how=(-s "$SECONDS_SHORT")
	[ "$TEAR_HITS" = 0 ] || how=(-n "$((TEAR_HITS / 2))")
	nsenter --net="/run/netns/$CLI" -- "$TEAR" ask "${how[@]}" "$2" /t \
		"$TMP/shared" >"$TMP/client$1" 2>&1 &
	clients[$1]=$!
	at_exit end_child $!
}
answers() { # STATUS
	[ "$(in_cli curl -s -m 5 -o /dev/null -w '%{http_code}' \
		"http://$SRV_IP/t")" = "$1" ]
}
all_free() {
	dawn cache ls --dev "$SRV_IF" --json | python3 -c '
import json, sys
sys.exit(json.load(sys.stdin)["entries"] != [])'
}

# Two queues, so two CPUs may answer at once.
setup_pair 2
make_root
start_dawnd
nsenter --net="/run/netns/$SRV" -- "$TEAR" write -p 5000 "$SRV_IF" /t \
	"$TMP/shared" >"$TMP/writer" 2>&1 &
writer=$!
at_exit end_child "$writer"
check "the first version is there" wait_for 10 answers 200

if [ "$TEAR_HITS" = 0 ]; then
	echo "# short form: $SECONDS_SHORT s; TEAR_HITS=10000000 is the long one"
else
	echo "# long form: $TEAR_HITS hits"
fi
hits=$(counter http_hit) errors=$(counter http_errors)
requests=$(counter http_requests)
clients=()
start_client 0 "$SRV_IP"
start_client 1 "$SRV_IP6"
seen=0 missed=0
for i in 0 1; do
	wait "${clients[$i]}"
	check_eq "client $i: whole versions only, and none too old" 0 $?
	sed 's/^/     | /' "$TMP/client$i"
	for name in one two ten not_modified missed; do
		at_least "client $i: $name" 1 "$(value $name "$TMP/client$i")"
	done
	at_least "client $i: hits" 1000 "$(value hits "$TMP/client$i")"
	seen=$((seen + $(value hits "$TMP/client$i")))
	missed=$((missed + $(value missed "$TMP/client$i")))
done
hits=$(($(counter http_hit) - hits))
# After a miss the connection is the reactor's for a while. It has no such file,
# but it too answers from the slot, and what it says is checked as well.
errors=$(($(counter http_errors) - errors))
slots=$(($(counter http_requests) - requests - errors))
echo "     | 200 by XDP: $hits, by the reactor: $slots; 404: $errors"
check_eq "200: what XDP and the reactor count is what came" \
	$((hits + slots)) "$seen"
check_eq "404: what the reactor counts is what came" "$errors" "$missed"
at_least "nearly all were XDP's: per thousand" 900 \
	$((hits * 1000 / (seen + 1)))
kill -TERM "$writer"
wait "$writer"
check_eq "the writer never failed" 0 $?
sed 's/^/     | /' "$TMP/writer"
at_least "versions" 1000 "$(value puts "$TMP/writer")"
at_least "purges" 1 "$(value purges "$TMP/writer")"

# Still answered or just purged: gone after this.
dawn cache purge --dev "$SRV_IF" --all >/dev/null
check "nothing is answered after the last purge" answers 404
check "no slot is lost" wait_for 10 all_free
check "dawnd is alive" kill -0 "$DAWND_PID"
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
