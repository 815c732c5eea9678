#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Question: do 20,000 new connections a second for five minutes fail, or leave
#           anything behind?
# Machine:  two namespaces, one veth pair with one queue, native XDP; client and
#           dawnd where the scheduler likes, at a real-time priority, so that
#           whatever else runs is not measured.
# Client:   tests/tools/churn.c: SYN, ACK, GET, FIN of its own over AF_XDP, each
#           from a new pair of address and port. 10 % of the requests are the
#           reactor's, 1 % ask for "Connection: close" (TIME_WAIT here), 1 % end
#           by RST, 0.2 % vanish without a word; ARGUMENTS change that.
# Method:   a sample each STEP seconds of what is in flow_table, of dawnd's
#           memory (anonymous; the maps have their size from the start) and of
#           its control blocks. Then wait until nothing is left: 2 MSL, the idle
#           time, and 100 s for those that never acknowledge our FIN.
# Command:  sudo bench/scale.sh [ARGUMENT of churn]...
#           RATE=20000 SECONDS_EACH=300 STEP=60
# Output:   a row for each sample; the client's last line; checks: the books of
#           flow_table (docs/COUNTERS.md), when nothing moves any more.
here=$(cd "$(dirname "$0")/../tests/netns" && pwd)
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"
# shellcheck source=tests/netns/books.sh
. "$here/books.sh"

RATE=${RATE:-20000}
SECONDS_EACH=${SECONDS_EACH:-300}
STEP=${STEP:-60}
IDLE=${IDLE:-10}
PRIORITY=${PRIORITY-chrt -f 1}

pause() { read -rt "$1" <> <(:) || :; }

cpu_s() { # of dawnd, so far, in hundredths
	awk '{ print $14 + $15 }' "/proc/$DAWND_PID/stat"
}

row() { printf '| %s ' "$@" && echo '|'; }

sample() {
	line=$(tail -n 1 "$TMP/churn")
	books_close
	row "$(value seconds)" "$(value begun)" "$(value failed)" \
		"$(value resent)" "$FLOWS_AFTER" $(($(resident) / 1024)) \
		$(($(since conn_open) - $(since conn_closed))) \
		$(($(cpu_s) - cpu_before))
}

setup_pair
make_root
# Enough for the cookies of all to be remembered (docs/LIMITS.md).
start_dawnd --flows $((RATE * 4 * 6)) --idle-timeout "$IDLE"
promote "$SRV_IP" hot0
wait_for 10 none_left
books_open
cpu_before=$(cpu_s)
echo "# $(uname -r), $(nproc) CPUs, $(date -u +%FT%TZ), load $(cat /proc/loadavg)"
echo "# $RATE a second for $SECONDS_EACH s; dawnd has $(($(resident) / 1024)) kB"
row "seconds" "begun" "failed" "sent again" "entries" "dawnd, kB" \
	"control blocks" "dawnd's CPU, 10 ms"
row --- --- --- --- --- --- --- ---
run_churn -r "$RATE" -s "$SECONDS_EACH" -t 1 "$@" >"$TMP/churn" &
client=$!
until grep -q seconds= "$TMP/churn"; do pause 0.1; done
for ((s = STEP; s <= SECONDS_EACH; s += STEP)); do
	while kill -0 "$client" 2>/dev/null &&
		[ "$(line=$(tail -n 1 "$TMP/churn") && value seconds)" -lt "$s" ]; do
		pause 0.2
	done
	sample
done
wait "$client"
line=$(grep churned "$TMP/churn")
echo "$line"
check_eq "each was begun and ended well" "$((RATE * SECONDS_EACH)) 0 0" \
	"$(value begun) $(value failed) $(value skipped)"
check "after 2 MSL and the idle time nothing is left" \
	wait_for $((60 + IDLE + 130)) none_left
books_balance
check_eq "no control block is left" "$(since conn_open)" "$(since conn_closed)"
check "all frames are in their rings" wait_for 5 frames_home
frames_home
echo "# dawnd has $(($(resident) / 1024)) kB; what moved:"
for name in flow_new flow_closed flow_freed flow_evicted time_wait_reused \
	time_wait to_user to_kernel conn_open conn_refused evicted_closing \
	evicted_window evicted_reader evicted_writer cookie_bad \
	cookie_replayed cookie_forgotten cookie_refused queue_full flow_full rst_sent \
	reclaimed; do
	echo "$name $(since $name)"
done | grep -v ' 0$' | paste -sd ' '
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
