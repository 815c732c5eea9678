#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The emulated wire between two kernels: what it loses, doubles and breaks is
# what the receiver misses, gets twice and refuses, over IPv4 and IPv6, with the
# sender's checksums complete and left to the NIC. Its decisions alone are
# tested in tests/unit/test_wire.c.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"

DATAGRAMS=2000

# Counts what a UDP socket gets until it gets a datagram on its second port,
# which does not come by the wire; then says how many.
cat >"$TMP/receive.py" <<'EOT'
import select, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
s.bind((sys.argv[1], 5001))
end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end.bind(("127.0.0.1", 5002))
print("ready", flush=True)
n = 0
while True:
    ready = select.select([s, end], [], [])[0]
    if s in ready:
        s.recv(2000)
        n += 1
    elif end in ready:
        print("got", n)
        break
EOT
cat >"$TMP/send.py" <<'EOT'
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
for i in range(int(sys.argv[2])):
    s.sendto(bytes(1000), (sys.argv[1], 5001))
EOT

# What $SRV's kernel refused: wrong checksums, wrong lengths. Errors that poll()
# finds on an IPv6 socket are counted as IPv4's: both are added.
# shellcheck disable=SC2016 # awk's own
udp_errors() {
	in_srv awk '/^Udp6InErrors/ { n += $2 } /^Udp: [0-9]/ { n += $4 }
		END { print n }' /proc/net/snmp /proc/net/snmp6
}

all_passed() { # everything sent has gone through the wire
	kill -USR1 "$LINK_PID"
	[ "$(link_count ab received)" -ge "$DATAGRAMS" ] &&
		[ "$(link_count ab held)" = 0 ]
}

# about TEXT WANT GOT: but for the neighbour discovery that was under way
about() {
	local off=$(($2 - $3))
	if [ "${off#-}" -le "$other" ]; then
		ok "$1: $3"
	else
		fail "$1: $3 (want $2, give or take $other)"
	fi
}

one() { # TEXT 4|6 ADDRESS OPTIONS...
	local text="$1, IPv$2" address=$3 pid other wrong got
	shift 3
	: >"$TMP/received"
	nsenter --net="/run/netns/$SRV" -- python3 "$TMP/receive.py" \
		"$address" >"$TMP/received" &
	pid=$!
	at_exit end_child "$pid"
	wait_for 10 grep -q ready "$TMP/received"
	start_link
	wait_for 10 in_cli ping -c 1 -W 1 "$address"
	stop_link >/dev/null
	start_link --seed 11 "$@"
	wrong=$(udp_errors)
	check "$text: sent" in_cli python3 "$TMP/send.py" "$address" "$DATAGRAMS"
	check "$text: all went through" wait_for 10 all_passed
	stop_link >/dev/null
	tail -n 2 "$TMP/link.log" | sed 's/^/     | /'
	in_srv python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"end", ("127.0.0.1", 5002))'
	wait "$pid"
	got=$(sed -n 's/^got //p' "$TMP/received")
	wrong=$(($(udp_errors) - wrong))
	other=$(($(link_count ab received) - DATAGRAMS))
	check "$text: few other frames" [ "$other" -lt 20 ]
	about "$text: what is broken is refused" "$(link_count ab corrupt)" \
		"$wrong"
	about "$text: the rest arrives" "$(($(link_count ab sent) - \
		$(link_count ab corrupt)))" "$got"
	check_eq "$text: all frames have a fate" "$(link_count ab sent)" \
		"$(($(link_count ab received) + $(link_count ab dup) - \
			$(link_count ab lost)))"
}

both() { # TEXT OPTIONS...
	local text=$1
	shift
	one "$text" 4 "$SRV_IP" "$@"
	one "$text" 6 "$SRV_IP6" "$@"
}

setup_lossy
stop_link >/dev/null
both "nothing happens"
check_eq "nothing was lost" 0 "$(link_count ab lost)"
both "a bad wire" --loss 5 --dup 5 --corrupt 20 --reorder 5 --delay-ms 5
check "something was lost" [ "$(link_count ab lost)" -gt 0 ]
check "something was broken" [ "$(link_count ab corrupt)" -gt 0 ]
in_cli ethtool -K "$CLI_IF" tx on >/dev/null
both "checksums left to the NIC" --corrupt 20
check "they were completed" [ "$(link_count ab completed)" -ge "$DATAGRAMS" ]
both "a few at a time" --loss 5 --delay-ms 5 --moderate-us 2000
check "the report is JSON" python3 -c 'import json, sys
json.loads("".join(open(sys.argv[1]).readlines()[-2:]))' "$TMP/link.log"
finish
