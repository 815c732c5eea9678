#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# MTUs from 1280 to 9000, in native mode, over IPv4 and IPv6: jumbo frames need
# programs that take frames of several buffers; the MTU may change meanwhile.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

set_mtu() { # MTU: at both ends
	in_srv ip link set "$SRV_IF" mtu "$1" &&
		in_cli ip link set "$CLI_IF" mtu "$1"
}

# Each kind of answer, whole and right, from the half that should give it
serves() { # TEXT FILE_OF_MANY_SEGMENTS
	local text=$1 many=$2 address before
	for address in "$SRV_IP" "[$SRV_IP6]"; do
		promote "$address" hot0 "$many"
		before=$(counter http_hit)
		fetch "$text: $address: hit" "$address" hot0
		fetch "$text: $address: many segments" "$address" "$many"
		check_eq "$text: $address: both from the cache" 2 \
			$(($(counter http_hit) - before))
		fetch "$text: $address: 300 kB" "$address" big.bin
		check "$text: $address: upload" in_cli curl -sSfg \
			-o "$TMP/got" --data-binary "@$ROOT/big.bin" \
			"http://$address/echo"
		check "$text: $address: upload, right bytes" \
			cmp "$TMP/got" "$ROOT/big.bin"
	done
}

# The largest packet that the client gets for a file, without the IPv6 header
largest() { # NAME
	local pid
	: >"$TMP/dump"
	: >"$TMP/dump.err"
	nsenter --net="/run/netns/$CLI" -- tcpdump -U -lnnvi "$CLI_IF" \
		'ip6 and src port 80' >"$TMP/dump" 2>"$TMP/dump.err" &
	pid=$!
	at_exit end_child "$pid"
	wait_for 5 grep -q listening "$TMP/dump.err"
	in_cli curl -sfg -o /dev/null "http://[$SRV_IP6]/$1"
	wait_for 5 grep -q 'Flags \[F\|Flags \[P' "$TMP/dump"
	kill -INT "$pid"
	wait "$pid"
	sed -n 's/.*payload length: \([0-9]*\)).*/\1/p' "$TMP/dump" | sort -n | tail -n 1
}

largest_is() { # BYTES NAME
	[ "$(largest "$2")" = "$1" ]
}

setup_pair
make_root
# At MTU 1280 a client over IPv4 gets segments of 536 bytes, see docs/COOKIES.md
head -c 4000 /dev/urandom >"$ROOT/four.bin"

echo "# jumbo frames"
set_mtu 9000
start_dawnd --mode native
check "native mode at MTU 9000" grep -q 'native' "$TMP/dawnd.log"
serves "MTU 9000" ten.bin
for address in "$SRV_IP" "$SRV_IP6"; do
	before=$(($(counter icmp_echo) + $(counter icmp6_echo)))
	check "ping of 8,900 bytes, $address" \
		in_cli ping -c 3 -i 0.01 -W 2 -M "do" -s 8900 "$address"
	check_eq "answered by XDP, $address" 3 \
		$(($(counter icmp_echo) + $(counter icmp6_echo) - before))
done
# What is not for us: the kernel's TCP, with the MSS of that MTU and its own
# segmentation, both ways.
nsenter --net="/run/netns/$SRV" -- python3 -m http.server -d "$ROOT" 8080 \
	>/dev/null 2>&1 &
at_exit end_child $!
other() {
	in_cli curl -sSf -o "$TMP/got" "http://$SRV_IP:8080/big.bin" &&
		cmp "$TMP/got" "$ROOT/big.bin"
}
check "another server beside us, jumbo segments" wait_for 10 other
check_eq "nothing was too large for us" 0 "$(counter oversize)"

echo "# the MTU falls and rises while it serves"
# Two connections of before: one that XDP answers, one in the middle of a
# download, its window shut.
cat >"$TMP/keep.py" <<'END'
import http.client
import socket
import sys

def file(name):
    return open(sys.argv[2] + "/" + name, "rb").read()

def same(name):
    c.request("GET", "/" + name)
    return c.getresponse().read() == file(name)

c = http.client.HTTPConnection("[%s]" % sys.argv[1], timeout=20)
d = socket.socket(socket.AF_INET6)
d.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20000)
d.settimeout(20)
d.connect((sys.argv[1], 80))
d.send(b"GET /big.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
got = d.recv(1000)
print("before", same("four.bin"), flush=True)
sys.stdin.readline()
print("hit", same("four.bin"), flush=True)
sys.stdin.readline()
while True:
    some = d.recv(100000)
    if not some:
        break
    got += some
print("download", got.endswith(b"\r\n\r\n" + file("big.bin")), flush=True)
END
mkfifo "$TMP/go"
nsenter --net="/run/netns/$CLI" -- python3 "$TMP/keep.py" "$SRV_IP6" "$ROOT" \
	<"$TMP/go" >"$TMP/keep" 2>&1 &
at_exit end_child $!
promote "[$SRV_IP6]" four.bin
exec 7>"$TMP/go"
check "two connections at MTU 9000" wait_for 20 grep -q 'before True' "$TMP/keep"
set_mtu 1280
check "1280: noticed" wait_for 10 largest_is 1240 big.bin
before=$(counter http_hit)
again=$(counter tcp_retransmit)
echo >&7
check "1280: the old connection" wait_for 30 grep -q 'hit True' "$TMP/keep"
check_eq "1280: by XDP" 1 $(($(counter http_hit) - before))
check_eq "1280: in segments that fit, none sent again" \
	"$again" "$(counter tcp_retransmit)"
echo >&7
check "1280: the rest of the old download" \
	wait_for 30 grep -q 'download True' "$TMP/keep"
serves "MTU 1280" four.bin
# In XDP segments are a multiple of 16 bytes: 1,200 and 32 of headers.
check_eq "1280: those of the cache fit too" 1232 "$(largest four.bin)"
set_mtu 9000
serves "MTU 9000 again" ten.bin
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
check_eq "no program left on the client's end" "" "$(xdp_id "$CLI_IF" "$CLI")"
finish
