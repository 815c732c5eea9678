#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# More requests at once than memory for connections holds: 9 MB hold 66, of one
# source 33. The others wait in the reactor (user/net/reactor_wait.c), and are
# served when there is room, not at their clients' next retransmission.
# CONNS=1000: of one source, at most 1,024.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

CONNS=${CONNS:-300}
SOURCES=()
ulimit -n 4096

setup_pair
make_root
head -c 30000 /dev/urandom >"$ROOT/mid.bin" # too large for the cache
truncate -s 4G "$ROOT/huge"
for ((i = 11; i <= 30; i++)); do
	in_cli ip addr add "198.18.0.$i/24" dev "$CLI_IF"
	SOURCES+=("198.18.0.$i")
done

reached() { [ "$(counter "$1")" -ge "$2" ]; } # COUNTER MINIMUM
held() { [ "$(($(counter conn_open) - $(counter conn_closed)))" -ge "$1" ]; }
all_closed() { [ "$(counter conn_open)" = "$(counter conn_closed)" ]; }

# begin WHAT PATH COUNT SOURCE...: wait.py, until `end`
begin() {
	local go
	mkfifo "$TMP/go.$1"
	nsenter --net="/run/netns/$CLI" -- "$here/wait.py" "$1" "$SRV_IP" \
		"${@:2}" <"$TMP/go.$1" >"$TMP/$1.log" 2>&1 &
	CLIENT[$1]=$!
	at_exit end_child "${CLIENT[$1]}"
	exec {go}>"$TMP/go.$1"
	GO[$1]=$go
	check "$1: $3 connections" wait_for 60 grep -q sent "$TMP/$1.log"
}

end() { # WHAT
	local go=${GO[$1]}
	echo >&"$go"
	exec {go}>&-
	wait "${CLIENT[$1]}"
	sed 's/^/     | /' "$TMP/$1.log"
	rm "$TMP/go.$1"
}

evicted() {
	local sum=0 reason
	for reason in closing window reader writer; do
		sum=$((sum + $(counter "evicted_$reason")))
	done
	echo "$sum"
}

# ask TEXT LEAST COUNT SOURCE...: all are answered, LEAST had to wait at least, and
# were served without doing anything for it (one in ten may have sent again just
# when there was room). A client that got no CPU for 3 s may have been evicted: so
# the books tell.
ask() {
	local waited called refused evicted answered
	evicted=$(evicted)
	waited=$(counter conn_wait)
	called=$(counter conn_called)
	refused=$(counter conn_refused)
	in_cli "$here/wait.py" ask "$SRV_IP" /mid.bin "${@:3}" >"$TMP/ask.log" 2>&1
	sed 's/^/     | /' "$TMP/ask.log"
	answered=$(sed -n 's/^answered=\([0-9]*\).*/\1/p' "$TMP/ask.log")
	at_least "$1: answered, or evicted for others" "$3" \
		$((answered + $(evicted) - evicted))
	waited=$(($(counter conn_wait) - waited))
	at_least "$1: had to wait" "$2" "$waited"
	at_least "$1: and were served when there was room" $((waited * 9 / 10)) \
		$(($(counter conn_called) - called))
	check_eq "$1: refused" 0 $(($(counter conn_refused) - refused))
}

declare -A GO CLIENT
start_dawnd --memory 9
ask "one source" 1 "$CONNS" "$CLI_IP"
ask "twenty sources" 1 "$CONNS" "${SOURCES[@]}"
check "nothing is left of them" wait_for 30 all_closed

# All memory is lent, to connections that stand still: they go after 3 s. (On a
# slow machine these are over by now, and nobody has to wait.)
begin hold /big.bin 66 "${SOURCES[@]}"
check "all memory is lent" wait_for 30 held 60
ask "behind who does nothing" 0 60 "${SOURCES[@]}"
end hold

# They left before there was room: more than fit, even if all others go for them.
begin hold /big.bin 66 "${SOURCES[@]}"
check "all memory is lent" wait_for 30 held 60
waited=$(counter conn_wait)
begin leave /huge 100 "${SOURCES[@]}"
check "some of them wait" wait_for 30 reached conn_wait $((waited + 1))
end leave
called=$(counter conn_called)
end hold
check "nothing is left of anybody" wait_for 30 all_closed
check_eq "who left is not served" "$called" "$(counter conn_called)"
fetch "and a client is" "$SRV_IP" big.bin
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
