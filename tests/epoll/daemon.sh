#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# dawnd --io epoll on loopback: no privilege, no BPF.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
here=tests/epoll
# Freed memory must not count as used by a sanitized daemon.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=8
passed=0 failed=0
pids=()
tmp=$(mktemp -d "${TMPDIR:-/tmp}/dawn-epoll.XXXXXX")

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[ ${#pids[@]} = 0 ] || kill -9 "${pids[@]}" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ok() { # NAME COMMAND...
	local name=$1
	shift
	if "$@"; then
		echo "ok - $name"
		passed=$((passed + 1))
	else
		echo "not ok - $name"
		failed=$((failed + 1))
	fi
}

client() { python3 "$here/clients.py" "$@"; }

# Root runs it as nobody, so that the daemon is what it claims to be; and
# clients that it may look into (or that limit it) as the same nobody.
drop=()
[ "$(id -u)" != 0 ] || drop=(setpriv --reuid=65534 --regid=65534 --clear-groups)
peer() { PATH=/usr/bin:/bin exec "${drop[@]}" python3 "$tmp/clients.py" "$@"; }

### What is served ############################################################
chmod 755 "$tmp"
mkdir "$tmp/root"
cp "$BUILD/dawnd" "$here/clients.py" "$tmp" || exit 1
echo "a small file" >"$tmp/root/small.txt"
head -c 5000000 /dev/urandom >"$tmp/root/big.bin"
head -c 10000000 /dev/urandom >"$tmp/post.bin"
chmod -R a+rX "$tmp"
dawnd=$tmp/dawnd
read -r http hbtp taken <<<"$(client free-ports 3)"
url=http://127.0.0.1:$http

pid=
# Start it and wait until it serves. Its stderr goes to $tmp/err.
start() {
	local line fd
	rm -f "$tmp/ready"
	mkfifo "$tmp/ready"
	"${drop[@]}" "$dawnd" --io epoll --http "$http" --hbtp "$hbtp" \
		--root "$tmp/root" --ready-fd 9 "$@" \
		>"$tmp/out" 2>"$tmp/err" 9<>"$tmp/ready" &
	pid=$!
	pids+=("$pid")
	exec {fd}<>"$tmp/ready"
	read -r -t 20 line <&"$fd"
	exec {fd}>&-
	[ "$line" = ready ] || { cat "$tmp/err"; return 1; }
}

# Exit status of a dawnd that is about to end.
status=
ended() { # EXPECTED
	wait "$pid"
	status=$?
	[ "$status" = "$1" ] || { echo "exit status $status"; cat "$tmp/err"; }
	[ "$status" = "$1" ]
}

# A dawnd that must not start: exit status and a pattern for its message.
refuses() { # STATUS PATTERN ARG...
	local want=$1 pattern=$2 got
	shift 2
	timeout 20 "${drop[@]}" "$dawnd" "$@" >"$tmp/out2" 2>&1
	got=$?
	[ "$got" = "$want" ] && grep -Eq "$pattern" "$tmp/out2" && return
	echo "exit status $got: $(cat "$tmp/out2")"
	return 1
}

grows() { # FILE PID: wait for its first bytes
	until [ -s "$1" ]; do
		kill -0 "$2" 2>/dev/null || return 1
		read -r -t 0.02 <> <(:)
	done
	return 0
}

fetch() { curl -sS --max-time 60 "$@"; }

same_file() { fetch "$1/big.bin" | cmp - "$tmp/root/big.bin"; }

echoes() { # CURL-ARG...
	fetch --data-binary "@$tmp/post.bin" "$@" "$url/echo" |
		cmp - "$tmp/post.bin"
}

code() { [ "$(fetch -o "$tmp/body" -w '%{http_code}' "${@:2}")" = "$1" ]; }

ok "starts unprivileged and says ready" start
ok "prints a start line" grep -q "kernel TCP only.*HTTP port $http" "$tmp/out"
ok "GET" test "$(fetch "$url/small.txt")" = "a small file"
ok "HEAD" code 200 -I "$url/small.txt"
ok "404" code 404 "$url/nothing"
ok "5 MB file" same_file "$url"
if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
	ok "5 MB file over IPv6" same_file "http://[::1]:$http"
fi
ok "POST 10 MB" echoes
ok "POST 10 MB, chunked" echoes -H "Transfer-Encoding: chunked"
ok "POST 10 MB, Expect" echoes -H "Expect: 100-continue"
ok "100 pipelined requests" client pipeline "$http" 100
ok "3,000 pipelined requests" client pipeline "$http" 3000
ok "a request byte by byte" client byte-by-byte "$http"
ok "half a header, then silence: 408" client half-head "$http"
ok "HBTP Ping over UDP" client ping "$hbtp"
ok "slow readers: bounded memory" \
	client slow-readers "$http" "$pid" 300 140

### Ports #####################################################################
ok "the other dawnd is named" refuses 1 "HTTP port $http .*pid $pid \(dawnd\)" \
	--io epoll --http "$http" --hbtp 0
ok "the other dawnd is named (UDP)" \
	refuses 1 "HBTP .*port $hbtp .*pid $pid \(dawnd\)" \
	--io epoll --http 0 --hbtp "$hbtp"

listener() { # KIND
	peer listen "$taken" "$1" >"$tmp/listening" &
	listener=$!
	pids+=("$listener")
	grows "$tmp/listening" "$listener"
}

ok "take a TCP port" listener tcp
ok "another listener is named" \
	refuses 1 "port $taken .*pid $listener \(python3" --io epoll \
	--http "$taken" --hbtp 0
kill "$listener"
wait "$listener" 2>/dev/null
: >"$tmp/listening"
ok "take a UDP port" listener udp
ok "another UDP socket is named" \
	refuses 1 "port $taken .*pid $listener \(python3" --io epoll \
	--http 0 --hbtp "$taken"
kill "$listener"

### Wrong use #################################################################
ok "missing root" refuses 1 "root /nonexistent: No such file" --io epoll \
	--http "$taken" --hbtp 0 --root /nonexistent
ok "afxdp without an interface" refuses 2 "needs --dev" --io afxdp
ok "nothing to serve" refuses 2 "nothing to serve" --http 0 --hbtp 0
if [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 1 ]; then
	ok "low port without root" refuses 1 "port 1: not permitted" --io epoll \
		--http 1 --hbtp 0
fi

### The end ###################################################################
refused() { # wait until it takes no connection
	while fetch -o /dev/null "$url/small.txt" 2>/dev/null; do :; done
	fetch -o /dev/null "$url/small.txt" 2>/dev/null
	[ $? = 7 ]
}

slow_download() {
	mkfifo "$tmp/go"
	: >"$tmp/started"
	client slow-download "$http" /big.bin "$tmp/slow" \
		<>"$tmp/go" >"$tmp/started" &
	slow=$!
	pids+=("$slow")
	grows "$tmp/started" "$slow"
}

ok "a slow download starts" slow_download
kill -TERM "$pid"
ok "draining: no new connection" refused
ok "draining: the daemon waits for the download" kill -0 "$pid"
echo go >"$tmp/go"
ok "draining: it ends in order" wait "$slow"
ok "draining: the file is whole" cmp "$tmp/slow" "$tmp/root/big.bin"
ok "exit 0" ended 0

stuck() { # begins a download that never goes on
	: >"$tmp/stuck"
	client stuck-download "$http" /big.bin >"$tmp/stuck" &
	stuck=$!
	pids+=("$stuck")
	grows "$tmp/stuck" "$stuck"
}

ok "restart at once on the same port" start --drain 1
ok "a stuck download starts" stuck
kill -TERM "$pid"
ok "drain time over: exit 0" ended 0
ok "drain time over: it was reset" wait "$stuck"

ok "start again" start --drain 3600
ok "a stuck download starts" stuck
kill -INT "$pid"
ok "draining for an hour" refused
kill -TERM "$pid"
ok "second signal: exit 0 at once" ended 0
ok "second signal: it was reset" wait "$stuck"

### Too many ##################################################################
ok "start with a cap of 300" start --connections 300
ok "5,000 connections beyond the cap" client flood "$http" "$pid" 5000 300
exhaust() { (peer exhaust "$http" "$pid"); }
ok "out of descriptors" exhaust
ok "and serves on" test "$(fetch "$url/small.txt")" = "a small file"
kill -TERM "$pid"
ok "exit 0" ended 0

few() { (ulimit -n 200 && start && grep -q "at most 36 connections" \
	"$tmp/err" && kill -TERM "$pid" && ended 0); }
ok "few descriptors allowed: fewer connections" few

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
