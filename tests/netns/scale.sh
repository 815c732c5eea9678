#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# timeout: 900
# Many connections: what an idle one costs, whether each still answers, whether
# a packet costs more as the table fills, and whether new connections leave
# anything behind. All by the kernel's TCP; tests/netns/churn.sh makes more of
# them than it can.
#
#   CONNS=100000 sudo -E tests/netns/scale.sh
#
# is the long form; without that it is a short one. Needs about 6 kB of memory
# a connection, nearly all of it for the client's sockets.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"
# shellcheck source=tests/netns/books.sh
. "$here/books.sh"

CONNS=${CONNS:-16000}
CHURN_RATE=${CHURN_RATE:-2000}
CHURN_S=${CHURN_S:-4}
# A process may be allowed 20,000 open files only.
STEPS=4
while [ $((CONNS / STEPS)) -gt 16000 ]; do STEPS=$((STEPS * 2)); done
SOURCES=32
BYTES_MAX=200

# outcome: of that line, "ANSWERED FAILED"
outcome() { echo "$(value 'done') $(value failed)"; }

to=()
from=()
# start_held I N: a process with N connections; fds ${to[I]} and ${from[I]}
start_held() {
	mkfifo "$TMP/to$1" "$TMP/from$1"
	nsenter --net="/run/netns/$CLI" -- "$BUILD/tests/conns" -n "$2" \
		-f 198.18.1.1 -a "$SOURCES" "$SRV_IP" 80 /hot0 "$ROOT/hot0" \
		<"$TMP/to$1" >"$TMP/from$1" 2>"$TMP/err$1" &
	at_exit end_child $!
	exec {fd}>"$TMP/to$1"
	to[$1]=$fd
	exec {fd}<"$TMP/from$1"
	from[$1]=$fd
}

# tell I WORD: what it answers, in $line
tell() {
	[ -z "$2" ] || echo "$2" >&"${to[$1]}"
	line=
	read -rt 300 line <&"${from[$1]}" ||
		{ cat "$TMP/err$1" && fail "client $1 runs" && finish; }
	echo "     | $line"
}

map_bytes() { # NAME...
	local name sum=0
	for name; do
		sum=$((sum + $(bpftool -j map show pinned "$(pin_dir)/$name" |
			sed 's/.*"bytes_memlock":\([0-9]*\).*/\1/')))
	done
	echo "$sum"
}

program_ns() { # of all runs so far: "NS RUNS"
	in_srv bpftool -j prog show pinned "$(pin_dir)/dawn_xdp" |
		sed 's/.*"run_time_ns":\([0-9]*\),"run_cnt":\([0-9]*\).*/\1 \2/'
}

setup_pair
make_root
in_cli sysctl -qw net.ipv4.ip_local_port_range="1024 65535" \
	net.ipv4.tcp_max_tw_buckets=4096
in_srv ip addr add 198.18.1.254/24 dev "$SRV_IF"
for ((i = 1; i <= SOURCES; i++)); do
	in_cli ip addr add "198.18.1.$i/24" dev "$CLI_IF"
done
start_dawnd --flows $((CONNS * 103 / 100)) --idle-timeout 900
promote "$SRV_IP" hot0
check "no flows at the start" wait_for 10 none_left
stats_were=$(sysctl -n kernel.bpf_stats_enabled)
at_exit sysctl -qw kernel.bpf_stats_enabled="$stats_were"
sysctl -qw kernel.bpf_stats_enabled=1

echo "# $CONNS connections that mostly do nothing"
before=$(resident)
to_user=$(counter to_user)
for ((i = 0; i < STEPS; i++)); do
	start_held "$i" $((CONNS / STEPS))
	tell "$i" ""
	check_eq "all are answered, and stay" "$((CONNS / STEPS)) 0" \
		"$(outcome)"
	read -r ns runs <<<"$(program_ns)"
	tell 0 ask
	check_eq "the first ones answer again" "$((CONNS / STEPS)) 0" \
		"$(outcome)"
	read -r ns2 runs2 <<<"$(program_ns)"
	echo "     | $(((i + 1) * CONNS / STEPS)) connections:" \
		"$(((ns2 - ns) / (runs2 - runs))) ns a packet in XDP"
done
check_eq "each has its entry" "$CONNS" "$(flows)"
hits=$(counter http_hit)
for ((i = 0; i < STEPS; i++)); do
	tell "$i" ask
	check_eq "each answers again" "$((CONNS / STEPS)) 0" \
		"$(outcome)"
done
check_eq "from XDP" "$CONNS" $(($(counter http_hit) - hits))
check_eq "the reactor saw none of them" "$to_user" "$(counter to_user)"
# Marks of used cookies: 64 bytes for each set of 1,088; the map is not below 1 MB,
# which is not for connections that are idle.
marks=$(($(map_bytes flow_table) / 17))
grown=$(($(resident) - before))
echo "     | bytes: flow_table $(map_bytes flow_table)," \
	"unacked $(map_bytes unacked), marks $marks, dawnd $grown"
bytes=$((($(map_bytes flow_table unacked) + marks + grown) / CONNS))
if [ "$bytes" -le "$BYTES_MAX" ]; then
	ok "an idle connection costs $bytes bytes (at most $BYTES_MAX)"
else
	fail "an idle connection costs $bytes bytes (at most $BYTES_MAX)"
fi
for ((i = 0; i < STEPS; i++)); do
	echo close >&"${to[$i]}"
done
check "closed, none is left" wait_for 30 none_left

echo "# $CHURN_RATE new connections a second for $CHURN_S s"
before=$(resident)
books_open
in_cli "$BUILD/tests/conns" -c "$CHURN_RATE" -s "$CHURN_S" -n 8192 -w 4096 \
	-f 198.18.1.1 -a "$SOURCES" "$SRV_IP" 80 /hot0 "$ROOT/hot0" >"$TMP/churn"
line=$(cat "$TMP/churn")
echo "     | $line"
check_eq "all are answered" "$((CHURN_RATE * CHURN_S)) 0" \
	"$(outcome)"
check "none is left" wait_for 30 none_left
books_balance
check_eq "no control block is left" "$(since conn_open)" "$(since conn_closed)"
check "all frames are in their rings" wait_for 5 frames_home
at_least "dawnd's memory did not grow by 64 kB: what is left of them" 0 \
	$((before + 65536 - $(resident)))
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
