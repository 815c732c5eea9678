# SPDX-License-Identifier: MIT OR Apache-2.0
# The daemon on this kernel: both halves on the same connections, in both modes.
# shellcheck shell=bash
# shellcheck source=tests/kernels/guest/common.bash
. /t/common.bash
hits_of() { # FILE: three times on one connection, then compare
	in_cli curl -sSf -m 20 -o /tmp/1 -o /tmp/2 -o /tmp/3 \
		"http://198.18.0.1/$1" "http://198.18.0.1/$1" "http://198.18.0.1/$1" &&
		cmp /tmp/1 "/srv/$1" && cmp /tmp/2 "/srv/$1" && cmp /tmp/3 "/srv/$1"
}
ready() {
	n=0
	until grep -q '^ready' /tmp/dawnd.log; do
		{ kill -0 "$pid" && [ $n -lt 300 ]; } || return 1
		n=$((n + 1))
		usleep 100000
	done
}

ends() { # within its drain time and something
	n=0
	while kill -0 "$pid" 2>/dev/null; do
		[ $n -lt 300 ] || { kill -9 "$pid"; return 1; }
		n=$((n + 1))
		usleep 100000
	done
	wait "$pid"
}

mkdir -p /srv
head -c 60 /dev/urandom >/srv/tiny # generic mode: fits the request's buffer
head -c 600 /dev/urandom >/srv/small
head -c 13900 /dev/urandom >/srv/ten
head -c 300000 /dev/urandom >/srv/large

for mode in native generic; do
	dawnd --dev dawn0 --root /srv --mode $mode >/tmp/dawnd.log 2>&1 &
	pid=$!
	check "$mode: dawnd starts" ready
	check "$mode: tiny" hits_of tiny
	check "$mode: small" hits_of small
	check "$mode: ten segments" hits_of ten
	check "$mode: 300 kB" hits_of large
	check "$mode: some answers came from XDP" [ "$(counter http_hit)" -gt 0 ]
	check "$mode: dawn ping" in_cli dawn ping -c 1 -W 10 198.18.0.1:4860
	kill "$pid"
	check "$mode: dawnd ends well" ends
	cat /tmp/dawnd.log
done
