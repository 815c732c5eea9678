#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# New connections at a rate, and what they leave behind: nothing but what must
# stay, and the books of flow_table balance. The client is tests/tools/churn.c;
# bench/scale.sh is the long form.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"
# shellcheck source=tests/netns/books.sh
. "$here/books.sh"

RATE=${RATE:-10000}
CHURN_S=${CHURN_S:-2}
# What the client asks first by the kernel's TCP, to compare with.
LEARN_CONNS=3
LEARN_CLOSES=1

setup_pair
make_root
start_dawnd --flows $((RATE * 12))
promote "$SRV_IP" hot0
check "no flows at the start" wait_for 10 none_left
for round in 1 2; do
	echo "# $RATE new connections a second for $CHURN_S s, round $round"
	books_open
	churn -r "$RATE" -s "$CHURN_S"
	check_eq "each was begun, and all ended well" \
		"$((RATE * CHURN_S)) $((RATE * CHURN_S)) 0 0" \
		"$(value begun) $(value 'done') $(value failed) $(value skipped)"
	check_eq "each was asked and answered, but for those that went before" \
		"$(($(value hits) + $(value misses) + $(value closes)))" \
		"$(($(value 'done') - $(value early)))"
	check_eq "what stays: TIME_WAITs of ours, and those that vanished" \
		"$(($(value closes) + $(value vanished) + LEARN_CLOSES))" \
		"$(($(flows) - FLOWS_BEFORE))"
	books_balance
	check_eq "an entry for each" "$(($(value begun) + LEARN_CONNS))" \
		"$(since flow_new)"
	at_least "segments of no flow: only what was sent again" 0 \
		$(($(value resent) + $(value stray) - $(since cookie_bad) - \
			$(since cookie_replayed)))
	check_eq "no control block is left" "$(since conn_open)" \
		"$(since conn_closed)"
	check "all frames are in their rings" wait_for 5 frames_home
done
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
