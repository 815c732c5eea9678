#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# dawnd's options --keep-alive, --user-timeout, --ttl and --dscp do what they say:
# for connections of XDP and of the reactor (options.py), and for those over the
# kernel's TCP. Answers to keep-alive probes do not put --idle-timeout off.
# timeout: 200
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

# play EVENT...: all at once
play() {
	local mac out p f
	mac=$(in_srv ip -br link show "$SRV_IF" | awk '{ print $3 }')
	out=$(in_cli "$here/options.py" 33 46 \
		"nsenter --net=/run/netns/$SRV -- $DAWN" "$SRV_IF" \
		"$(pin_dir)" "$CLI_IF" "$mac" "$SRV_IP" "$SRV_IP6" "$ROOT" \
		"$@" 2>&1)
	printf '%s\n' "$out" | sed 's/^/     | /'
	read -r p _ f _ <<<"$(tail -n 1 <<<"$out")"
	at_least "passed" $((4 * $#)) "${p:-0}"
	check_eq "failed" 0 "${f:-none ran}"
}

setup_pair
make_root
marks=(--ttl 33 --dscp 46)
# Of a small table a round of the sweeper takes a second.
start_dawnd --flows 300 --keep-alive 1 --user-timeout 4 --idle-timeout 600 \
	"${marks[@]}"
promote "$SRV_IP" hot0 hot1 ten.bin
play xdp_dead xdp_alive never_asked reactor_dead reactor_alive \
	xdp_unacknowledged reactor_unacknowledged marks
check_eq "flows left in the table" 0 \
	"$(dawn flows --dev "$SRV_IF" --json | grep -c '"peer"')"
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"

start_dawnd --flows 300 --keep-alive 1 --idle-timeout 4 "${marks[@]}"
promote "$SRV_IP" hot1
play idle_closes
stop_dawnd

### The kernel's TCP ##########################################################
: >"$TMP/dawnd.log"
nsenter --net="/run/netns/$SRV" -- "$DAWND" --io epoll --root "$ROOT" \
	--keep-alive 1 --user-timeout 4 "${marks[@]}" >"$TMP/dawnd.log" 2>&1 &
DAWND_PID=$!
at_exit end_child "$DAWND_PID"
check "dawnd --io epoll starts" wait_for 20 grep -q '^ready' "$TMP/dawnd.log"
mkfifo "$TMP/go"
in_cli "$here/options.py" sniff "$CLI_IF" <"$TMP/go" >"$TMP/marks" &
sniffer=$!
exec {go}>"$TMP/go"
wait_for 10 grep -q ready "$TMP/marks"
for ip in "$SRV_IP" "[$SRV_IP6]"; do
	check "a file from $ip" in_cli curl -sfg -m 10 -o /dev/null \
		"http://$ip/big.bin"
done
exec {go}>&-
wait "$sniffer"
check_eq "TTL and DSCP of all segments" "ready IPv4 33 46 IPv6 33 46 " \
	"$(tr '\n' ' ' <"$TMP/marks")"

open_now() { in_srv ss -Htn state established '( sport = :80 )' | wc -l; }
is_open() { [ "$(open_now)" = "$1" ]; }
mkfifo "$TMP/hold"
# One idle, one in the midst of a response, both over families; then the wire is
# cut. Idle ones would be closed after 75 s, the others kept for 15 minutes.
in_cli python3 -c '
import socket, sys
conns = []
for ip in sys.argv[1:]:
    for path in "hot0", "big.bin":
        c = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.connect((ip, 80))
        c.sendall(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        c.recv(1000)
        conns.append(c)
sys.stdin.read()' "$SRV_IP" "$SRV_IP6" <"$TMP/hold" &
client=$!
exec {hold}>"$TMP/hold"
check "connections over the kernel's TCP" wait_for 10 is_open 4
in_cli ip link set "$CLI_IF" down
check "their peer is gone: ended" wait_for 50 is_open 0
exec {hold}>&-
wait "$client"
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
