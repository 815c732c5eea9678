#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Connections that end in the middle of something: a file that becomes shorter
# while it is sent; a RST behind more requests than a turn takes. Nothing of them
# is left. And for a newcomer, when all memory is lent to connections that work,
# not more of them are reset than it takes.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

all_closed() {
	[ "$(counter conn_open)" -gt "$1" ] &&
		[ "$(counter conn_open)" = "$(counter conn_closed)" ]
}

evicted() {
	echo $(($(counter evicted_closing) + $(counter evicted_window) + \
		$(counter evicted_reader) + $(counter evicted_writer)))
}

refused_some() {
	[ "$(counter conn_wait)" -gt 0 ]
}

setup_pair
make_root
for i in {10..24} 30; do
	in_cli ip addr add "198.18.0.$i/24" dev "$CLI_IF"
done
truncate -s 4G "$ROOT/huge"
truncate -s 30M "$ROOT/shrinks"
start_dawnd --memory 9

mkfifo "$TMP/go"
in_cli "$here/abort.py" slow "$SRV_IP" /shrinks <"$TMP/go" >"$TMP/slow.log" &
client=$!
exec {go}>"$TMP/go"
check "a download begins" wait_for 10 grep -q begun "$TMP/slow.log"
truncate -s 1000 "$ROOT/shrinks"
echo >&"$go"
wait "$client"
check "its file became shorter: reset" grep -q reset "$TMP/slow.log"
check "nothing is left of it" wait_for 5 all_closed 0

before=$(counter conn_open)
check "pipelines that end with a RST" in_cli "$here/abort.py" pipeline \
	"$SRV_IP" 100
check "nothing is left of them" wait_for 5 all_closed "$before"

# 66 connections fit: four of each source, and one more of some.
in_cli "$here/abort.py" hold /huge 6 "$SRV_IP" 5 198.18.0.{10..24} \
	>"$TMP/hold.log" &
client=$!
check "all memory is lent" wait_for 10 refused_some
check "to connections that work" wait_for 10 grep -q open "$TMP/hold.log"
before=$(evicted)
check "a newcomer of another address is answered" in_cli curl -s -m 5 \
	-o /dev/null --interface 198.18.0.30 "http://$SRV_IP/none"
at_least "connections reset for it, of 8 at most: left" 0 \
	$((8 - ($(evicted) - before)))
wait "$client"
sed 's/^/     | /' "$TMP/hold.log"
check "nothing is left" wait_for 10 all_closed 0
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
