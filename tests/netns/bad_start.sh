#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Starting where something is missing or taken: rights, bpffs, memory,
# descriptors, ports, the interface itself. A clear message and nothing changed,
# or a daemon that serves.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

without() { # CAPABILITIES COMMAND...: without those
	local drop=$1
	shift
	in_srv setpriv --bounding-set "$drop" --inh-caps "$drop" \
		--ambient-caps "$drop" -- timeout 20 "$@"
}
clean() { [ -z "$(xdp_id "$SRV_IF")" ] && [ ! -e "$(pin_dir)" ]; }
served() { in_cli curl -sfg -m 2 -o "$TMP/got" "http://$1/hot0" && cmp -s "$TMP/got" "$ROOT/hot0"; }
hit() {
	local before
	before=$(counter http_hit)
	served "$1" && [ "$(counter http_hit)" -gt "$before" ]
}
ready() { grep -q '^ready' "$TMP/dawnd.log"; }
again() { # TEXT STATUS PATTERN ARGUMENTS...: a dawnd that must not start
	local text=$1 want=$2 pattern=$3
	shift 3
	check_exit "$text" "$want" "$pattern" in_srv timeout 20 "$DAWND" \
		--dev "$SRV_IF" --root "$ROOT" "$@"
}

setup_pair 4
make_root

echo "# rights"
check_exit "no CAP_NET_ADMIN" 1 "needs CAP_NET_ADMIN" \
	without -net_admin "$DAWND" --dev "$SRV_IF"
check_exit "no CAP_BPF" 1 "needs CAP_BPF" \
	without -bpf,-sys_admin "$DAWND" --dev "$SRV_IF"
check_exit "no CAP_NET_RAW: AF_XDP refused" 1 "CAP_NET_RAW" \
	without -net_raw "$DAWND" --dev "$SRV_IF"
check "nothing half-made" clean
check_exit "no CAP_NET_BIND_SERVICE" 1 "CAP_NET_BIND_SERVICE" \
	without -net_bind_service "$DAWND" --dev "$SRV_IF"
check_exit "--root does not exist" 1 "/nonexistent.*No such file" \
	in_srv timeout 20 "$DAWND" --dev "$SRV_IF" --root /nonexistent
check_exit "--root is a file" 1 "Not a directory" \
	in_srv timeout 20 "$DAWND" --dev "$SRV_IF" --root "$ROOT/hot0"
check_exit "bpffs not mounted, no right to" 1 "cannot mount it" \
	in_srv unshare -m sh -c "umount -t bpf -a;
	exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin -- \
	timeout 20 '$DAWND' --dev '$SRV_IF'"
check_exit "a container's root" 1 "user namespace|needs CAP|permi" \
	unshare -Urn sh -c "ip link add v0 type veth peer name v1 &&
	exec timeout 20 '$DAWND' --dev v0 --http 8080"
check "nothing half-made" clean

echo "# bpffs"
cat >"$TMP/nobpffs.sh" <<'SH'
umount -t bpf -a
"$@" &
pid=$!
trap 'kill -TERM $pid' TERM
wait $pid
wait $pid
status=$?
mountpoint -q /sys/fs/bpf || status=99
exit $status
SH
: >"$TMP/dawnd.log"
nsenter --net="/run/netns/$SRV" -- unshare -m sh "$TMP/nobpffs.sh" "$DAWND" \
	--dev "$SRV_IF" --root "$ROOT" >"$TMP/dawnd.log" 2>&1 &
DAWND_PID=$!
at_exit end_child "$DAWND_PID"
check "bpffs not mounted: starts" wait_for 20 ready
check "serves" wait_for 5 served "$SRV_IP"
stop_dawnd
check_eq "ends well, and bpffs is mounted there" 0 "$STATUS"
check "nothing left" clean

echo "# ports"
: >"$TMP/py.log"
nsenter --net="/run/netns/$SRV" -- python3 -c "
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('$SRV_IP', 80)); s.listen()
print('listening', flush=True); sys.stdin.read()" < <(sleep 60) >"$TMP/py.log" 2>&1 &
py=$!
at_exit end_child "$py"
wait_for 10 grep -q listening "$TMP/py.log"
again "HTTP port in use: by whom" 1 "port 80 is in use by pid $py \(python3"
kill "$py"
wait "$py" 2>/dev/null
: >"$TMP/py.log"
nsenter --net="/run/netns/$SRV" -- python3 -c "
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(('::', 4860))
print('listening', flush=True); sys.stdin.read()" < <(sleep 60) >"$TMP/py.log" 2>&1 &
py=$!
at_exit end_child "$py"
wait_for 10 grep -q listening "$TMP/py.log"
again "HBTP port in use: by whom" 1 "port 4860 is in use by pid $py \(python3"
kill "$py"
wait "$py" 2>/dev/null
check "nothing half-made" clean

echo "# a second one"
start_dawnd
check "hits" promote "$SRV_IP" hot0
again "the same ports" 1 "port 80 is in use by pid $DAWND_PID \(dawnd\)"
: >"$TMP/load.log"
nsenter --net="/run/netns/$CLI" -- "$here/load.py" "$SRV_IP" "$ROOT" 8 hot0 ten.bin \
	>"$TMP/load.log" 2>&1 &
load=$!
at_exit end_child "$load"
wait_for 20 grep -q established "$TMP/load.log"
first=$(bpftool map dump pinned "$(pin_dir)/config" | grep -o '"incarnation": *[0-9]*')
again "other ports" 1 "served by another dawnd" --http 81 --hbtp 4861
kill -STOP "$DAWND_PID"
stale() { dawn status | grep -q 'none alive'; }
check "it is seen to be late" wait_for 10 stale
again "other ports, the first one stopped" 1 "served by another dawnd" \
	--http 81 --hbtp 4861
kill -CONT "$DAWND_PID"
check_eq "its incarnation stands" "$first" \
	"$(bpftool map dump pinned "$(pin_dir)/config" | grep -o '"incarnation": *[0-9]*')"
check_exit "load on a served interface" 1 "loaded already" dawn load --dev "$SRV_IF"
check "the first still hits" wait_for 10 hit "$SRV_IP"
fetch "and sends large files" "$SRV_IP" big.bin
kill -TERM "$load"
wait "$load"
check_eq "none of its connections noticed" 0 $?
stop_dawnd
check_eq "exit status" 0 "$STATUS"
check "nothing left" clean
# Two at once: one serves, the other says why not.
for i in 1 2; do
	nsenter --net="/run/netns/$SRV" -- "$DAWND" --dev "$SRV_IF" --root "$ROOT" \
		--http "8$i" --hbtp "486$i" >"$TMP/two$i.log" 2>&1 &
	pids[i]=$!
	at_exit end_child "${pids[i]}"
done
one_ready() { grep -q '^ready' "$TMP"/two?.log; }
one_refused() { grep -q '(served by another dawnd|in use by)' -E "$TMP"/two?.log; }
check "two started at once: one serves" wait_for 20 one_ready
check "and one is refused" wait_for 20 one_refused
check_eq "only one serves" 1 "$(cat "$TMP"/two?.log | grep -c '^ready')"
kill -TERM "${pids[@]}" 2>/dev/null
wait "${pids[@]}"
check "nothing left" clean

echo "# little memory, few descriptors"
: >"$TMP/dawnd.log"
nsenter --net="/run/netns/$SRV" -- bash -c 'ulimit -v 1048576; exec "$@"' _ \
	"$DAWND" --dev "$SRV_IF" --root "$ROOT" >"$TMP/dawnd.log" 2>&1 &
DAWND_PID=$!
at_exit end_child "$DAWND_PID"
check "1 GB of address space, 4 queues: starts" wait_for 20 ready
sed 's/^/     | /' "$TMP/dawnd.log"
fetch "a large file" "$SRV_IP" big.bin
check "hits" promote "$SRV_IP" hot0
stop_dawnd
check_eq "exit status" 0 "$STATUS"
nsenter --net="/run/netns/$SRV" -- bash -c 'ulimit -v 60000; exec "$@"' _ \
	timeout 20 "$DAWND" --dev "$SRV_IF" --root "$ROOT" >"$TMP/dawnd.log" 2>&1
check_eq "60 MB: does not start" 1 $?
check "60 MB: says so" grep -Eiq 'memory' "$TMP/dawnd.log"
check "nothing half-made" clean
: >"$TMP/dawnd.log"
nsenter --net="/run/netns/$SRV" -- bash -c 'ulimit -n 64; exec "$@"' _ \
	"$DAWND" --dev "$SRV_IF" --root "$ROOT" >"$TMP/dawnd.log" 2>&1 &
DAWND_PID=$!
at_exit end_child "$DAWND_PID"
check "64 descriptors, 4 queues: starts, or says why not" wait_for 20 \
	grep -Eq '^ready|open files|ulimit' "$TMP/dawnd.log"
if ready; then
	check "hits" promote "$SRV_IP" hot0
	: >"$TMP/load.log"
	nsenter --net="/run/netns/$CLI" -- "$here/load.py" "$SRV_IP" "$ROOT" 60 big.bin \
		>"$TMP/load.log" 2>&1 &
	load=$!
	at_exit end_child "$load"
	check "60 connections ask for large files: answered, or 503" wait_for 20 \
		grep -Eq "established|503" "$TMP/load.log"
	kill -TERM "$load" 2>/dev/null
	wait "$load" 2>/dev/null
	fetch "afterwards, a large file" "$SRV_IP" big.bin
	check "afterwards, a hit" wait_for 10 hit "$SRV_IP"
	stop_dawnd
	check_eq "exit status" 0 "$STATUS"
fi
check "nothing left" clean
finish
