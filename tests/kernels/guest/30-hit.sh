# SPDX-License-Identifier: MIT OR Apache-2.0
# One namespace hit, of one segment and of ten, in both modes, answered from
# the cache that `dawn cache put` fills: no daemon runs here.
#
#   namespace cli                this namespace
#   eth0 198.18.0.2  ── veth ──  dawn0 198.18.0.1, dawn load
# shellcheck shell=bash
# shellcheck source=tests/kernels/guest/common.bash
. /t/common.bash
moved() { [ "$(counter "$1")" -gt "$2" ]; }

ip netns add cli
ip link add eth0 netns cli type veth peer name dawn0
ip -n cli addr add 198.18.0.2/24 dev eth0
ip -n cli -6 addr add 2001:db8::2/64 dev eth0 nodad
ip addr add 198.18.0.1/24 dev dawn0
ip -6 addr add 2001:db8::1/64 dev dawn0 nodad
ip -n cli link set lo up
ip -n cli link set eth0 up
ip link set dawn0 up

# In generic mode XDP answers only what fits into the request's buffer, and
# nobody else is here to answer.
head -c 60 /dev/urandom >/tmp/tiny
head -c 600 /dev/urandom >/tmp/small
head -c 13900 /dev/urandom >/tmp/ten

get() { # TEXT FILE ADDRESS
	hits=$(counter http_hit)
	check "$1" in_cli curl -sSfg -m 30 -o /tmp/got "http://$3/$2"
	check "$1: right bytes" cmp /tmp/got "/tmp/$2"
	check "$1: from XDP" moved http_hit "$hits"
}

for mode in native generic; do
	check "$mode: dawn load" dawn load --dev dawn0 --mode $mode
	dawn status
	for f in tiny small ten; do
		check "$mode: cache put $f" dawn cache put --dev dawn0 "/$f" "/tmp/$f"
	done
	echoes=$(counter icmp_echo)
	check "$mode: ping" in_cli ping -c 2 -i 0.2 -W 5 198.18.0.1
	check "$mode: ping from XDP" moved icmp_echo "${echoes:-0}"
	get "$mode: one segment" tiny 198.18.0.1
	get "$mode: one segment, IPv6" tiny '[2001:db8::1]'
	if [ $mode = native ]; then
		get "$mode: 600 bytes" small 198.18.0.1
		get "$mode: ten segments" ten 198.18.0.1
		get "$mode: ten segments, IPv6" ten '[2001:db8::1]'
	fi
	check "$mode: dawn unload" dawn unload --dev dawn0
	check "$mode: nothing stays pinned" [ ! -e /sys/fs/bpf/dawn/dawn0 ]
done
