#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A daemon's life goes wrong under load: killed, killed twice, stopped, ended in
# a storm of handshakes, reverted, its cache purged. Connections go on or are
# ended as documented, and nothing is left behind.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

clean() { [ -z "$(xdp_id "$SRV_IF")" ] && [ -z "$(xdp_id "$CLI_IF" "$CLI")" ] && [ ! -e "$(pin_dir)" ]; }
served() { in_cli curl -sfg -m 2 -o "$TMP/got" "http://$1/hot0" && cmp -s "$TMP/got" "$ROOT/hot0"; }
hit() {
	local before
	before=$(counter http_hit)
	served "$1" && [ "$(counter http_hit)" -gt "$before" ]
}
moment() { read -rt 0.15 <> <(:) || :; } # nothing can be waited for
start_load() { # FLOWS NAME...
	local flows=$1
	shift
	: >"$TMP/load.log"
	nsenter --net="/run/netns/$CLI" -- "$here/load.py" "$SRV_IP" "$ROOT" "$flows" "$@" \
		>"$TMP/load.log" 2>&1 &
	load=$!
	at_exit end_child "$load"
	wait_for 20 grep -q established "$TMP/load.log" || fail "load starts"
}
mark() { # requests answered so far
	local before
	before=$(grep -c ^mark "$TMP/load.log")
	kill -USR1 "$load" || return 1
	wait_for 20 marked "$before" || return 1
	sed -n 's/^mark requests=//p' "$TMP/load.log" | tail -n 1
}
marked() { [ "$(grep -c ^mark "$TMP/load.log")" -gt "$1" ]; }
more_than() {
	local now
	now=$(mark) && [ "$now" -ge "$1" ]
}
end_load() { # TEXT
	kill -TERM "$load"
	wait "$load"
	check_eq "$1: no connection failed" 0 $?
	sed 's/^/     | /' "$TMP/load.log" | grep -v mark | tail -n 2
}

setup_pair
make_root

echo "# kill -9"
start_dawnd
check "hits" promote "$SRV_IP" hot0
kill_dawnd
check "killed: XDP goes on" hit "$SRV_IP"
check_exit "unload" 0 "unloaded" dawn unload --dev "$SRV_IF"
check "nothing left" clean
start_dawnd
check "hits" promote "$SRV_IP" hot0
kill_dawnd
check_exit "off" 0 "off" dawn off --dev "$SRV_IF"
check "nothing left" clean

start_dawnd
check "hits" promote "$SRV_IP" hot0 hot1
start_load 8 hot0 hot1
hits=$(counter http_hit)
for i in 1 2 3; do
	kill_dawnd
	start_dawnd
	check "start $i: adopted" grep -q adopted "$TMP/dawnd.log"
	check "start $i: requests go on" wait_for 20 more_than $(($(mark) + 500))
done
at_least "counters went on" $((hits + 500)) "$(counter http_hit)"
# A large file asked for while there is nobody: from the next daemon.
kill_dawnd
nsenter --net="/run/netns/$CLI" -- curl -sS -m 20 -o "$TMP/late" "http://$SRV_IP/big.bin" \
	2>"$TMP/curl.log" &
curl=$!
start_dawnd
wait "$curl"
check_eq "asked without a daemon: answered by the next" 0 $?
check "whole" cmp "$TMP/late" "$ROOT/big.bin"
end_load "three kills"

echo "# SIGSTOP"
start_load 12 hot0 hot1 big.bin ten.bin
kill -STOP "$DAWND_PID"
stopped_at=$SECONDS
before=$(counter http_hit)
two_seconds() { [ $((SECONDS - stopped_at)) -ge 3 ]; }
start_other() { in_cli curl -sf -m 1 -o /dev/null "http://$SRV_IP/hot0"; }
check "stopped: new connections hit" wait_for 5 start_other
check "stopped for 2 s and more" wait_for 5 two_seconds
at_least "stopped: hits meanwhile" 200 $(($(counter http_hit) - before))
kill -CONT "$DAWND_PID"
check "continued: all flows go on" wait_for 20 more_than $(($(mark) + 3000))
fetch "continued: a large file" "$SRV_IP" big.bin
for i in 1 2 3 4 5 6 7 8 9 10; do # for the length of some heartbeats
	kill -STOP "$DAWND_PID"
	moment
	kill -CONT "$DAWND_PID"
	moment
done
check "stopped ten times: all go on" wait_for 20 more_than $(($(mark) + 3000))
end_load "stopped"

echo "# purge"
start_load 8 hot0 hot1 ten.bin
for i in 1 2 3 4 5 6 7 8; do
	check "purge $i" dawn cache purge --dev "$SRV_IF" --all
	check "requests go on" wait_for 10 more_than $(($(mark) + 300))
done
check "hits again" wait_for 10 hit "$SRV_IP"
end_load "purged"

echo "# SIGTERM in a storm of handshakes"
cat >"$TMP/storm.py" <<'PY'
import socket, sys, signal
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
n = 0
print("storm", flush=True)
while not stop:
    s = socket.socket()
    s.settimeout(1)
    try:
        s.connect((sys.argv[1], 80))
        if n % 3:
            s.sendall(b"GET /hot0 HTTP/1.1\r\nHost: x\r\n\r\n")
            if n % 5 == 0:
                s.recv(10)
    except OSError:
        pass
    s.close()
    n += 1
print("connections=%d" % n)
PY
for i in 1 2; do
	nsenter --net="/run/netns/$CLI" -- python3 "$TMP/storm.py" "$SRV_IP" >"$TMP/storm$i.log" &
	storm[i]=$!
	at_exit end_child "${storm[i]}"
done
flows=$(counter flow_new)
flowing() { [ "$(counter flow_new)" -gt $((flows + 500)) ]; }
check "storm" wait_for 60 flowing
SECONDS=0
stop_dawnd
took=$SECONDS
check_eq "SIGTERM: exit status" 0 "$STATUS"
at_least "SIGTERM: seconds left of 30" 0 $((30 - took))
check "nothing left" clean
kill -TERM "${storm[@]}"
wait "${storm[@]}"

echo "# load first, then a daemon"
check "load" dawn load --dev "$SRV_IF" --slots 64
check "put" dawn cache put --dev "$SRV_IF" /put "$ROOT/hot1"
check "hit of what was put" in_cli curl -sf -m 5 -o "$TMP/got" "http://$SRV_IP/put"
start_dawnd
check "adopted" grep -q adopted "$TMP/dawnd.log"
check "what was put is there" in_cli curl -sf -m 5 -o "$TMP/got" "http://$SRV_IP/put"
check "whole" cmp "$TMP/got" "$ROOT/hot1"
check "and files" promote "$SRV_IP" hot0
fetch "a large file" "$SRV_IP" big.bin
kill_dawnd
check "killed: not standalone any more" not grep -q '"standalone": *true' \
	<<<"$(dawn status --json)"
start_dawnd
stop_dawnd
check_eq "exit status" 0 "$STATUS"
check "nothing left" clean

echo "# --confirm under load"
check "load --confirm 8" dawn load --dev "$SRV_IF" --confirm 8
start_dawnd
check "hits" promote "$SRV_IP" hot0
nsenter --net="/run/netns/$CLI" -- python3 "$TMP/storm.py" "$SRV_IP" >"$TMP/storm.log" &
last=$!
at_exit end_child "$last"
check "reverts in spite of a daemon under load" wait_for 30 clean
check "still served, by the kernel's TCP" wait_for 20 served "$SRV_IP"
kill -TERM "$last"
wait "$last"
stop_dawnd
check_eq "exit status" 0 "$STATUS"
check "nothing left" clean
finish
