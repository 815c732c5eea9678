#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The main job, shown on a network of its own:
#
#    namespace dawn-cli-PID                 namespace dawn-srv-PID
#    eth0 198.18.0.2  ───────── veth ─────── dawn0 198.18.0.1, dawnd
#         2001:db8::2                              2001:db8::1
#
# For each step it prints what answered: the kernel half (XDP) or the reactor,
# as the counters in the maps tell. Exit 1 if XDP left a step that is its own.
# KEEP=1 leaves everything up until Enter or Ctrl-C.
set -euo pipefail

BUILD=${BUILD:-build}
PATH=$PATH:/usr/sbin:/sbin
dawn=$BUILD/dawn
cli=dawn-cli-$$
srv=dawn-srv-$$
work=
daemon=
missed=0

# shellcheck source=tests/lib/network.sh
. "$(dirname "$0")/lib/network.sh"
in_srv() { nsenter --net="/run/netns/$srv" "$@"; }
in_cli() { nsenter --net="/run/netns/$cli" "$@"; }

cleanup() {
	trap - EXIT
	trap '' INT TERM HUP # a second Ctrl-C must not leave half of it
	if [ -n "$daemon" ] && kill -TERM "$daemon" 2>/dev/null; then
		wait "$daemon" 2>/dev/null || true
	fi
	remove_network "$dawn"
	[ -z "$work" ] || rm -rf "$work"
}

die() {
	echo "demo: $*" >&2
	exit 1
}

# wait_for SECONDS WHAT COMMAND...: poll until the command succeeds.
wait_for() {
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || die "waited in vain for $what"
		kill -0 "$daemon" 2>/dev/null || die "dawnd ended: $(cat "$work/log")"
		sleep 0.05
	done
}

make_files() {
	mkdir "$work/root"
	chmod 755 "$work" "$work/root"
	echo '{"feature": "dawn", "on": true}' >"$work/root/small.json"
	head -c 14000 /dev/urandom >"$work/root/ten.bin"
	head -c 5000000 /dev/urandom >"$work/root/large.bin"
	head -c 100000 /dev/urandom >"$work/post"
}

counter() { # counter NAME
	in_srv "$dawn" stats --dev dawn0 --json |
		tr ',{}' '\n' | sed -n "s/^ *\"$1\": *\([0-9]*\).*/\1/p"
}

# step WHO COUNTER TEXT COMMAND...: run; WHO is the half that should answer:
# kernel (then COUNTER must have moved), reactor, or any.
step() {
	local who=$1 name=$2 text=$3 before after got
	shift 3
	before=$(counter "$name")
	in_cli "$@" >"$work/out" 2>&1 ||
		die "$text: failed: $(cat "$work/out")"
	after=$(counter "$name")
	got=reactor
	[ "$after" -eq "$before" ] || got=kernel
	if [ "$who" = kernel ] && [ $got != kernel ]; then
		missed=$((missed + 1))
		got="reactor, though the kernel should have"
	fi
	printf '  %-36s answered by: %s\n' "$text" "$got"
}

fetch() { # fetch WHO TEXT FILE ADDRESS
	local url="http://$4/$3"
	step "$1" http_hit "$2" curl -sSfg -m 20 -o "$work/got" "$url"
	cmp -s "$work/got" "$work/root/$3" || die "$2: wrong bytes"
}

post() {
	step any http_hit "curl POST, 100 kB to /echo" \
		curl -sSf -m 20 -o "$work/got" --data-binary "@$work/post" \
		http://198.18.0.1/echo
	cmp -s "$work/got" "$work/post" || die "POST: wrong bytes came back"
}

pins() { echo "/sys/fs/bpf/dawn/dawn0@$(stat -Lc %i "/run/netns/$srv")"; }

hints() {
	local dir
	dir=$(pins)
	cat <<EOT

Look for yourself (while it runs: make demo KEEP=1):
  bpftool map dump pinned $dir/stats
  bpftool map dump pinned $dir/services
  $dawn stats --dev dawn0         inside: nsenter --net=/run/netns/$srv
  $dawn cache ls --dev dawn0      likewise
  curl http://198.18.0.1/small.json    inside: nsenter --net=/run/netns/$cli
EOT
}

start_daemon() {
	nsenter --net="/run/netns/$srv" "$BUILD/dawnd" --dev dawn0 --root "$work/root" \
		>"$work/log" 2>&1 &
	daemon=$!
	wait_for 10 "dawnd" grep -q '^ready' "$work/log"
	sed 's/^/  /' "$work/log"
}

[ "$(id -u)" -eq 0 ] || die "needs root: sudo make demo"
if [ ! -x "$dawn" ] || [ ! -x "$BUILD/dawnd" ]; then
	die "not built: run make"
fi
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
work=$(mktemp -d "${TMPDIR:-/tmp}/dawn-demo.XXXXXX")

echo "Two namespaces and a veth pair; dawnd on dawn0:"
make_network
make_files
start_daemon

echo
step kernel icmp_echo "ping 198.18.0.1" ping -c 3 -i 0.05 -W 2 198.18.0.1
step kernel icmp6_echo "ping -6 2001:db8::1" \
	ping -6 -c 3 -i 0.05 -W 2 2001:db8::1
step kernel hbtp_pong "dawn ping 198.18.0.1:4860" \
	"$dawn" ping -c 3 -i 0.05 198.18.0.1:4860
fetch any "curl small.json, first time" small.json 198.18.0.1
fetch any "curl small.json, second (promoted)" small.json 198.18.0.1
fetch kernel "curl small.json, third" small.json 198.18.0.1
fetch kernel "curl small.json over IPv6" small.json '[2001:db8::1]'
fetch any "curl ten.bin, 14 kB, first" ten.bin 198.18.0.1
fetch any "curl ten.bin, second (promoted)" ten.bin 198.18.0.1
fetch kernel "curl ten.bin, third (10 segments)" ten.bin 198.18.0.1
fetch any "curl large.bin, 5 MB" large.bin 198.18.0.1
post
hints
if [ "${KEEP:-0}" != 0 ]; then
	echo
	echo "Up until you press Enter."
	read -r _ || true
fi
[ $missed -eq 0 ] || die "$missed answers did not come from the kernel"
