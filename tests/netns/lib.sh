# shellcheck shell=bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Shared by the namespace tests: source it, then setup_pair.
#
#   namespace $CLI                      namespace $SRV
#   [ $CLI_IF 198.18.0.2/24     ]------[ $SRV_IF 198.18.0.1/24     ]
#   [         2001:db8::2/64    ] veth [         2001:db8::1/64    ]
#   offloads at their defaults          `dawn load`, dawnd
#
# Names carry the test's pid. A trap removes what was made, whatever happens.
# A test ends with `finish`, which prints "N passed, N failed" and fails on no
# check at all. Exit: 0 ok, 1 failed, 77 skipped.
# ip netns exec would hide /sys/fs/bpf, so commands run under nsenter.

set -u
PATH=$PATH:/usr/sbin:/sbin

BUILD=${BUILD:-build}
DAWN=${DAWN:-$BUILD/dawn}
DAWND=${DAWND:-$BUILD/dawnd}
# shellcheck disable=SC2034 # for the tests
OBJ=${OBJ:-$BUILD/dawn_xdp.bpf.o}
SRV=dawn-s$$
CLI=dawn-c$$
SRV_IF=ds$$
CLI_IF=dc$$
# shellcheck disable=SC2034
SRV_IP=198.18.0.1 CLI_IP=198.18.0.2 SRV_IP6=2001:db8::1 CLI_IP6=2001:db8::2
TMP=$(mktemp -d "/tmp/dawn-test.$$.XXXXXX")
PASSED=0
FAILED=0
CLEANUP=()

# at_exit COMMAND...: run at the end, last one first
at_exit() {
	local line
	printf -v line '%q ' "$@"
	CLEANUP=("$line" "${CLEANUP[@]}")
}

run_cleanup() {
	local line
	set +e # one that fails must not keep the others from being run
	for line in "${CLEANUP[@]}"; do
		eval "$line" >/dev/null 2>&1
	done
	rm -rf "$TMP"
}
trap run_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

skip() {
	echo "SKIP: $*"
	exit 77
}

ok() {
	PASSED=$((PASSED + 1))
	echo "ok   $*"
}

fail() {
	FAILED=$((FAILED + 1))
	echo "FAIL $*"
}

# check TEXT COMMAND...: passes if the command does; its output is shown if not
check() {
	local text=$1 out
	shift
	if out=$("$@" 2>&1); then
		ok "$text"
	else
		fail "$text"
		printf '%s\n' "$out" | sed 's/^/     | /'
	fi
}

# check_not TEXT COMMAND...: passes if the command fails
check_not() {
	local text=$1
	shift
	check "$text" not "$@"
}

not() {
	! "$@"
}

# check_exit TEXT STATUS PATTERN COMMAND...: exit status, and stdout+stderr
# match the (extended, case-insensitive) pattern
check_exit() {
	local text=$1 want=$2 pattern=$3 out got
	shift 3
	out=$("$@" 2>&1)
	got=$?
	if [ "$got" = "$want" ] && grep -Eiq -- "$pattern" <<<"$out"; then
		ok "$text"
	else
		fail "$text (exit $got, want $want; want text: $pattern)"
		printf '%s\n' "$out" | sed 's/^/     | /'
	fi
}

# check_eq TEXT WANT GOT
check_eq() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		fail "$1 (want '$2', got '$3')"
	fi
}

finish() {
	echo "$PASSED passed, $FAILED failed"
	[ "$FAILED" = 0 ] && [ "$PASSED" -gt 0 ]
	exit
}

# wait_for SECONDS COMMAND...: try until it succeeds. SECONDS are of a machine
# that does nothing else; only a test that fails waits for all of what it gets.
wait_for() {
	within $(($1 * 4)) "${@:2}"
}

# within SECONDS COMMAND...: as wait_for, and no longer. There is no fixed sleep
# in any test; this is the one place that waits between tries.
within() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		read -rt 0.02 <> <(:) || :
	done
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# in_ns NAMESPACE COMMAND..., in_srv COMMAND..., in_cli COMMAND...
in_ns() {
	local ns=$1
	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}
in_srv() { in_ns "$SRV" "$@"; }
in_cli() { in_ns "$CLI" "$@"; }

dawn() { in_srv "$DAWN" "$@"; }

# make_ns NAME: a namespace with lo up and no duplicate address detection
make_ns() {
	ip netns add "$1" || skip "cannot make a network namespace"
	at_exit ip netns del "$1"
	in_ns "$1" sysctl -qw net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.all.accept_dad=0 2>/dev/null
	in_ns "$1" ip link set lo up
}

# put_addresses: on both ends, which it brings up
put_addresses() {
	in_srv ip addr add "$SRV_IP/24" dev "$SRV_IF"
	in_srv ip addr add "$SRV_IP6/64" dev "$SRV_IF" nodad
	in_cli ip addr add "$CLI_IP/24" dev "$CLI_IF"
	in_cli ip addr add "$CLI_IP6/64" dev "$CLI_IF" nodad
	in_srv ip link set "$SRV_IF" up
	in_cli ip link set "$CLI_IF" up
}

# setup_pair [QUEUES [SRV_IF]]: the picture above. LINK in the environment puts the
# emulated wire between, with these options, for every test of one queue:
#   sudo LINK='--delay-ms 2 --reorder 5' tests/netns/paths.sh
setup_pair() {
	local queues=${1:-1}
	SRV_IF=${2:-$SRV_IF}
	if [ -n "${LINK:-}" ] && [ "$queues" = 1 ]; then
		# shellcheck disable=SC2086
		setup_lossy $LINK
		at_exit end_link
		return
	fi
	need_root
	[ -x "$DAWN" ] || { echo "no $DAWN: run make first"; exit 1; }
	make_ns "$SRV"
	make_ns "$CLI"
	# Pins outlive the namespace: take them down while it is there.
	at_exit in_ns "$SRV" "$DAWN" off --dev "$SRV_IF"
	ip link add "$SRV_IF" netns "$SRV" numrxqueues "$queues" \
		numtxqueues "$queues" type veth peer name "$CLI_IF" \
		netns "$CLI" numrxqueues "$queues" numtxqueues "$queues" ||
		skip "cannot make a veth pair"
	put_addresses
	wait_for 5 in_cli ip -6 route get "$SRV_IP6"
}

# escape_if NAME: as it stands in the pin directory
escape_if() {
	local name=$1 out='' c i
	for ((i = 0; i < ${#name}; i++)); do
		c=${name:i:1}
		case $c in
		[A-Za-z0-9_-]) out+=$c ;;
		*) printf -v out '%s%%%02x' "$out" "'$c" ;;
		esac
	done
	printf '%s\n' "$out"
}

# pin_dir: where the maps of $SRV_IF are pinned
pin_dir() {
	printf '/sys/fs/bpf/dawn/%s@%s\n' "$(escape_if "$SRV_IF")" \
		"$(stat -Lc %i "/run/netns/$SRV")"
}

# stat NAME: a counter of XDP, summed over CPUs
counter() {
	dawn stats --dev "$SRV_IF" --json |
		sed -n "s/^ *\"$1\": *\([0-9]*\),*$/\1/p"
}

# xdp_id IFNAME [NS]: id of the attached program, nothing if none
xdp_id() {
	in_ns "${2:-$SRV}" ip -d link show "$1" |
		sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p'
}

# feature NS IFNAME NAME: on or off, by ethtool
feature() {
	in_ns "$1" ethtool -k "$2" | sed -n "s/^$3: \([a-z]*\).*/\1/p"
}

# end_child PID: kill it if it still is a child of this shell (a number may have
# been given to another process since)
end_child() {
	grep -qx "PPid:[[:space:]]*$$" "/proc/$1/status" 2>/dev/null &&
		kill -KILL "$1"
}

# setup_lossy EMULATOR_OPTION...: as setup_pair, but with the emulated wire
# (tests/link/link.c) between. Whatever test wants packets to be lost, late,
# reordered, doubled or broken, over IPv4 or IPv6, does it by this. Segments are
# of wire size, as a real NIC would see them.
#   $CLI [$CLI_IF]---[m0 $MID m1]---[$SRV_IF] $SRV      ab: from $CLI to $SRV
setup_lossy() {
	MID=dawn-m$$
	need_root
	make_ns "$SRV"
	make_ns "$CLI"
	make_ns "$MID"
	at_exit in_ns "$SRV" "$DAWN" off --dev "$SRV_IF"
	ip link add "$CLI_IF" netns "$CLI" type veth peer name m0 netns "$MID"
	ip link add "$SRV_IF" netns "$SRV" type veth peer name m1 netns "$MID"
	# Nothing but what the ends send: it would take part in the fates.
	in_ns "$MID" sysctl -qw net.ipv6.conf.m0.disable_ipv6=1 \
		net.ipv6.conf.m1.disable_ipv6=1
	put_addresses
	in_ns "$MID" ip link set m0 up
	in_ns "$MID" ip link set m1 up
	in_cli ethtool -K "$CLI_IF" tso off gso off tx off >/dev/null
	in_srv ethtool -K "$SRV_IF" tso off gso off tx off >/dev/null
	start_link "$@"
}

# start_link EMULATOR_OPTION...: with counters of its own, from 0
start_link() {
	: >"$TMP/link.log"
	# PRIORITY: words before the command, for a bench
	# shellcheck disable=SC2086
	nsenter --net="/run/netns/$MID" -- ${PRIORITY:-} \
		"$BUILD/tests/link" "$@" m0 m1 \
		>"$TMP/link.log" 2>&1 &
	LINK_PID=$!
	at_exit end_child "$LINK_PID"
	wait_for 5 grep -q ready "$TMP/link.log" || fail "link starts"
}

end_link() {
	kill -TERM "$LINK_PID" && wait "$LINK_PID"
}

# stop_link: leaves its counters, JSON, in $TMP/link.log, and shows them
stop_link() {
	end_link
	sed 's/^/     | /' "$TMP/link.log"
}

# link_count ab|ba NAME: after stop_link, or after `kill -USR1 $LINK_PID`, which
# has the counters printed once more; the last ones count
link_count() {
	sed -n "s/.*\"$1\": {.*\"$2\": \([0-9.]*\).*/\1/p" "$TMP/link.log" |
		tail -n 1
}
