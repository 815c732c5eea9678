#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Question: what do honest clients keep while somebody attacks?
# Machine:  two namespaces, one veth pair with one queue, native XDP; attack and
#           clients come in by the same queue, from different addresses.
#           The attacker has CPU 1 for itself; dawnd and the clients share CPU 0,
#           attack or not. So what an attacker's own program costs (flood and
#           rawattack spin, the kernel-socket attackers do nothing when they
#           cannot connect) is not in the ratio. What XDP does with his frames
#           runs where veth's NAPI happens to, on both CPUs, in the baseline too.
#           All is in a scheduling group of its own that goes before others.
# Baseline: the same flood from addresses that `dawn deny` has in its list, so
#           that XDP drops it at the first look. flood and rawattack send at the
#           same rate then; the kernel-socket attackers (idle, stall, slowread,
#           slowwrite, tiny) cannot connect, so frames of flood come at the rate
#           that their segments had. Both rates are printed.
# Method:   RUNS pairs, SECONDS_EACH each, on one daemon; every second pair has
#           its baseline first. Goodput of the honest clients: hits (80 bytes,
#           64 connections) and downloads of 300 kB that the reactor serves (8
#           connections). rst and data go into one of these connections, whose
#           addresses and ports they know.
# Command:  sudo bench/attack.sh [KIND]...      (default: all)
#           SOURCES=1: an attacker of one address instead of 64
#           WARM=0.5: clients come so many seconds after the attack (2.5): in its
#           first one all that ask are a crowd, who lies is known later
# Output:   a line of JSON for each pair, at the end a table: median, lowest and
#           highest ratio.
set -euo pipefail
# A session is a scheduling group where sched_autogroup_enabled is set.
if [ -z "${ATTACK_SESSION:-}" ]; then
	ATTACK_SESSION=1 setsid "$0" "$@" &
	trap 'kill -TERM $!' INT TERM
	wait $!
	exit
fi
[ ! -w /proc/self/autogroup ] || echo -20 >/proc/self/autogroup || :
here=$(cd "$(dirname "$0")/../tests/netns" && pwd)
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"
set +e

RUNS=${RUNS:-5}
SECONDS_EACH=${SECONDS_EACH:-3}
PPS=${PPS:-100000}
RAW_PPS=${RAW_PPS:-20000}
CONNS=${CONNS:-2000}
WARM=${WARM:-2.5}
SOURCES=${SOURCES:-64}
MEMORY_MB=${MEMORY_MB:-256}
RESULTS=${RESULTS:-$BUILD/bench/results}
EVIL=198.19
export FLOOD_OBJECT=$BUILD/bench/flood.bpf.o

# resident: memory of dawnd, kB
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$DAWND_PID/status"; }
# seconds_of PID: CPU time so far
seconds_of() {
	awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, "")
		print ($12 + $13) / hz }' "/proc/$1/stat" 2>/dev/null || echo 0
}
pause() { read -rt "$1" <> <(:) || :; }

attacker() { # COMMAND...
	nsenter --net="/run/netns/$CLI" -- taskset -c 1 "$@" >"$TMP/flood" 2>&1 &
	ATTACKER=$!
	at_exit end_child "$ATTACKER"
}

# A port of a client's connection that is there; it outlives the run.
live_port() {
	in_cli ss -Htn state established dst "$SRV_IP" |
		awk '{ sub(".*:", "", $3); print $3; exit }'
}

attack() { # KIND SOURCE [PPS]: SOURCE may be a client's address
	local s=$((SECONDS_EACH + 2 + ${WARM%.*}))
	case $1 in
	syn | ack)
		attacker "$BUILD/bench/flood" -r "${3:-$PPS}" -s "$s" \
			"$CLI_IF" "$MAC" "$EVIL.0.1" "$SRV_IP" 80 "$1"
		;;
	rst | data) # 65,536 guesses, again and again
		attacker "$BUILD/bench/flood" -r "$PPS" -s "$s" -q 65536 \
			-p "$(live_port)" "$CLI_IF" "$MAC" "$2" "$SRV_IP" 80 "$1"
		;;
	optimistic | sack | mss1 | zero)
		RAW_PORT=$((RAW_PORT >= 60000 ? 10000 : RAW_PORT + 1000))
		attacker "$BUILD/tests/rawattack" -r "$RAW_PPS" -s "$s" \
			-n 1000 -p "$RAW_PORT" -f "$EVIL.1.1" -a "$SOURCES" \
			"$CLI_IF" "$MAC" "$SRV_IP" 80 /big.bin "$1"
		;;
	*)
		attacker "$BUILD/tests/attack" -n "$CONNS" -f "$EVIL.0.1" \
			-a "$SOURCES" -s "$s" "$SRV_IP" 80 /big.bin "$1"
		;;
	esac
}

clients() { # SECONDS: HITS DOWNLOADS go to $TMP/hits and $TMP/big
	in_cli taskset -c 0 wrk --latency -t1 -c64 -d"$1s" \
		"http://$SRV_IP/hot0" >"$TMP/hits" 2>&1 &
	WRK1=$!
	in_cli taskset -c 0 wrk --latency -t1 -c8 -d"$1s" \
		"http://$SRV_IP/big.bin?" >"$TMP/big" 2>&1 &
	WRK2=$!
}

# requests_of NAME FILE: what wrk says, as words NAME=VALUE; `late` took 2 s or
# more, times are ms
requests_of() {
	awk -v name="$1" 'function ms(t) {
			return t * (t ~ /us$/ ? 0.001 : t ~ /ms$/ ? 1 : 1000) }
		/Requests.sec/ { rate = $2 }
		/^ +50%/ { p50 = ms($2) }
		/^ +99%/ { p99 = ms($2) }
		/Socket errors/ { gsub(/[^0-9 ]/, "")
			failed += $1 + $2 + $3; late += $4 }
		/Non-2xx/ { failed += $NF }
		END { printf "%s=%.1f %s_p50=%.2f %s_p99=%.2f ", name, rate,
			name, p50, name, p99
			printf "%s_late=%d %s_failed=%d ", name, late, name,
			failed }' "$2"
}

# one KIND SOURCE [PPS]: prints its figures as NAME=VALUE
one() {
	local cpu refused
	cpu=$(seconds_of "$DAWND_PID")
	refused=$(counter conn_refused)
	# wrk says its figures at the end only: it runs while the attack does.
	case $1 in
	rst | data)
		clients "$SECONDS_EACH"
		pause 0.2
		attack "$1" "$2"
		;;
	*)
		attack "$1" "$2" "${3:-}"
		pause "$WARM" # it takes that long to begin
		clients "$SECONDS_EACH"
		;;
	esac
	wait "$WRK1" "$WRK2"
	echo "refused=$(($(counter conn_refused) - refused))"
	seconds_of "$DAWND_PID" | awk -v was="$cpu" '{ print "cpu=" $1 - was }'
	seconds_of "$ATTACKER" | awk '{ print "attacker_cpu=" $1 }'
	wait "$ATTACKER"
	requests_of hits "$TMP/hits"
	requests_of downloads "$TMP/big"
	sed -n 's/.*pps=\([0-9]*\).*/pps=\1/p' "$TMP/flood"
	[ -n "${3:-}" ] || sed -n 's/.*pps=\([0-9]*\).*/\1/p' "$TMP/flood" \
		>"$TMP/pps.$1"
}

dropped() { # KIND: after one with that attack
	dawn deny --dev "$SRV_IF" "$EVIL.0.0/16" >/dev/null
	case $1 in
	idle | stall | slowread | slowwrite | tiny)
		one ack "$EVIL.0.1" "$(cat "$TMP/pps.$1")"
		;;
	*) one "$1" "$EVIL.0.1" ;;
	esac
	dawn allow --dev "$SRV_IF" "$EVIL.0.0/16" >/dev/null
}

# words SUFFIX NAME=VALUE...: as members of a JSON object
words() {
	local suffix=$1 word
	shift
	for word; do
		printf ', "%s%s": %s' "${word%%=*}" "$suffix" "${word#*=}"
	done
}

pair() { # KIND RUN
	local before after with without
	before=$(resident)
	RAW_PORT=$((RAW_PORT + 1000))
	if [ $(($2 % 2)) = 0 ]; then
		with=$(one "$1" "$CLI_IP")
		after=$(resident)
		without=$(dropped "$1")
	else
		without=$(dropped "$1")
		with=$(one "$1" "$CLI_IP")
		after=$(resident)
	fi
	# shellcheck disable=SC2086
	{
		printf '{"kind": "%s"' "$1"
		words "" sources="$SOURCES" rss_before_kb="$before" \
			rss_after_kb="$after" \
			rss_cap_kb=$((MEMORY_MB * 1024 + base_kb)) \
			load="$(cut -d' ' -f1 /proc/loadavg)" $with
		words _dropped $without
		echo "}"
	} | tee -a "$LINES_FILE"
}

table() {
	python3 - "$LINES_FILE" <<'PY'
import json, statistics, sys
rows = {}
for line in open(sys.argv[1]):
    r = json.loads(line)
    rows.setdefault(r["kind"], []).append(r)
print("| attack | packets/s (dropped) | hits kept: median (lowest to highest) | downloads kept | requests of 2 s (dropped) | failed (dropped) | memory, MB of cap |")
print("|---|---|---|---|---|---|---|")
for kind, rs in rows.items():
    def kept(what):
        q = [r[what] / max(r[what + "_dropped"], 0.1) for r in rs]
        return "%.2f (%.2f to %.2f)" % (statistics.median(q), min(q), max(q))
    med = lambda k: statistics.median(r[k] for r in rs)
    pps = "%.0f (%.0f)" % (med("pps"), med("pps_dropped"))
    def both(what, suffix=""):
        return sum(r[w + what + suffix] for r in rs for w in ("hits", "downloads"))
    print("| %s | %s | %s | %s | %d (%d) | %d (%d) | %.0f of %.0f |" % (
        kind, pps, kept("hits"), kept("downloads"),
        both("_late"), both("_late", "_dropped"),
        both("_failed"), both("_failed", "_dropped"),
        max(r["rss_after_kb"] for r in rs) / 1024, rs[0]["rss_cap_kb"] / 1024))
over = [r for rs in rows.values() for r in rs if r["rss_after_kb"] > r["rss_cap_kb"]]
sys.exit("memory went over its cap" if over else 0)
PY
}

setup_pair
make_root
MAC=$(in_srv ip -o link show "$SRV_IF" |
	sed 's/.*ether \([0-9a-f:]*\).*/\1/')
in_srv sysctl -qw net.ipv4.tcp_max_tw_buckets=4096
PRIORITY="taskset -c 0" start_dawnd --memory "$MEMORY_MB"
promote "$SRV_IP" hot0
base_kb=$(($(resident) + 16384)) # and what is not connections
for ((i = 1; i <= 64; i++)); do
	echo "addr add $EVIL.0.$i/32 dev $CLI_IF"
done | in_cli ip -batch -
[ $# != 0 ] || set -- syn ack rst data idle stall slowread slowwrite tiny \
	optimistic sack mss1 zero
mkdir -p "$RESULTS"
LINES_FILE=$RESULTS/attack.$SOURCES.json
: >"$LINES_FILE"
RAW_PORT=9000
echo "# $(uname -r), $(nproc) CPUs, $(date -u +%FT%TZ), load $(cat /proc/loadavg)"
for kind; do
	for ((run = 0; run < RUNS; run++)); do
		pair "$kind" "$run"
	done
done
table
