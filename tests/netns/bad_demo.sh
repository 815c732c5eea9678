#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The demo leaves nothing behind: two at once, and interrupted by each signal at
# several moments, of itself alone and of its whole process group (Ctrl-C).
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
need_root

# What a demo makes: namespaces, pins, daemons, folders. TMPDIR is ours.
export TMPDIR=$TMP BUILD
left_by() { # PID
	ip netns list | grep -E "dawn-(cli|srv)-$1\b"
	compgen -G "/run/netns/dawn-*-$1"
	find "$TMP" -mindepth 1 -maxdepth 1 -type d
	while read -r inode; do
		compgen -G "/sys/fs/bpf/dawn/*@$inode"
	done <"$TMP/inodes.$1"
}
nothing_left() { [ -z "$(left_by "$1")" ]; }
daemons_of() { # its children, and theirs
	pgrep -g "$1"
}
no_process() { [ -z "$(daemons_of "$1")" ]; }
start_demo() { # LOG [WORD=VALUE]...
	# The shell ignores SIGINT for what runs in the background.
	env --default-signal=INT "${@:2}" setsid "$here/../demo.sh" >"$1" \
		2>&1 <&9 &
	demo=$!
	at_exit kill -KILL -- "-$demo"
}
note_inodes() {
	stat -Lc %i "/run/netns/dawn-srv-$1" "/run/netns/dawn-cli-$1" \
		>"$TMP/inodes.$1" 2>/dev/null
}
line_seen() { [ "$(wc -l <"$1")" -ge "$2" ]; }
namespace_seen() { note_inodes "$1"; }

mkfifo "$TMP/enter" # which nobody presses
exec 9<>"$TMP/enter"
start_demo "$TMP/one.log"
one=$demo
start_demo "$TMP/two.log"
two=$demo
wait_for 10 namespace_seen "$one"
wait_for 10 namespace_seen "$two"
wait "$one"
check_eq "two at once: the first's status" 0 $?
wait "$two"
check_eq "two at once: the second's status" 0 $?
check "the first left nothing" nothing_left "$one"
check "the second left nothing" nothing_left "$two"
sed 's/^/     | /' "$TMP/two.log" | tail -n 5

n=0
for when in 0 1 3 6 9 14; do
	for how in INT TERM HUP; do
		n=$((n + 1))
		start_demo "$TMP/log$n" KEEP=1 # it must not end by itself
		wait_for 10 namespace_seen "$demo"
		wait_for 20 line_seen "$TMP/log$n" "$when"
		note_inodes "$demo"
		if [ $((n % 2)) = 0 ]; then # the group, as a terminal does
			kill -"$how" -- "-$demo"
			kill -"$how" -- "-$demo"
		else
			kill -"$how" "$demo"
		fi
		wait "$demo"
		status=$?
		check_not "SIG$how at line $when: status is not 0" [ "$status" = 0 ]
		check "SIG$how at line $when: nothing left" nothing_left "$demo"
		check "SIG$how at line $when: no process left" wait_for 3 no_process "$demo"
	done
done
finish
