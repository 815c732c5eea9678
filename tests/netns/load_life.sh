#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The life of a load: on, again, off, after crashes, in bad company, without
# rights; nothing half-made is ever left. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"

# A name with a dot, which bpffs refuses, and an @, which means something.
setup_pair 1 "d.@$$"
PINS=$(pin_dir)
IN_USE="is loaded already, nothing changed"

attached() { [ -n "$(xdp_id "$SRV_IF")" ]; }
gone() { ! attached && [ ! -e "$PINS" ]; }
clean() { gone && [ -z "$(xdp_id "$CLI_IF" "$CLI")" ]; }
answered() { in_cli ping -q -c 1 -W 1 "$SRV_IP"; }
no_rights() { # CAPABILITIES COMMAND...: without those
	local drop=$1
	shift
	in_srv setpriv --bounding-set "$drop" --inh-caps "$drop" \
		--ambient-caps "$drop" -- "$@"
}

# A program of somebody else's
cat >"$TMP/foreign.c" <<'C'
int foreign(void *ctx) __attribute__((section("xdp"), used));
int foreign(void *ctx)
{
	(void)ctx;
	return 2;
}
char _license[] __attribute__((section("license"), used)) = "GPL";
C
clang=$(for v in 16 17 18 19; do command -v "clang-$v" && break; done)
"$clang" -target bpf -O2 -g -c "$TMP/foreign.c" -o "$TMP/foreign.o" ||
	skip "no clang for the foreign program"

echo "# usage"
check_exit "no command" 2 "Usage" "$DAWN"
check_exit "unknown command" 2 "unknown command 'frob'" "$DAWN" frob
check_exit "--version" 0 "dawn .*ABI" "$DAWN" --version
for c in load confirm off unload status allow deny; do
	check_exit "$c --help" 0 "Usage: dawn $c" "$DAWN" "$c" --help
done
check_exit "load without --dev" 2 "--dev IF is missing" dawn load
check_exit "load on unknown interface" 2 "no interface 'nix0'" \
	dawn load --dev nix0
check_exit "load, impossible name" 2 "no name of an interface" \
	dawn load --dev ../../etc
check_exit "unknown option" 2 "unknown option '--frob'" \
	dawn load --dev "$SRV_IF" --frob
check_exit "option twice" 2 "given twice" \
	dawn load --dev "$SRV_IF" --dev "$SRV_IF"
check_exit "option without value" 2 "needs a value" dawn load --dev
check_exit "trailing argument" 2 "too many" dawn load --dev "$SRV_IF" x
for bad in 65536 -1 80x '' ' 80' 0x50 99999999999999999999; do
	check_exit "--http '$bad'" 2 "is not a number from 0 to 65535" \
		dawn load --dev "$SRV_IF" --http "$bad"
done
check_exit "--mode fast" 2 "none of: auto, native, generic" \
	dawn load --dev "$SRV_IF" --mode fast
check_exit "--slots 0" 2 "not a number from 1" \
	dawn load --dev "$SRV_IF" --slots 0
check "nothing was attached by that" gone

echo "# load, look, unload"
check_exit "unload, nothing there" 1 "nothing is loaded on" \
	dawn unload --dev "$SRV_IF"
check_exit "off, nothing there" 1 "nothing is loaded on" \
	dawn off --dev "$SRV_IF"
check_exit "confirm, nothing there" 1 "nothing is loaded on" \
	dawn confirm --dev "$SRV_IF"
check_exit "deny, nothing there" 1 "nothing is loaded on" \
	dawn deny --dev "$SRV_IF" 198.18.0.2
check_exit "load" 0 "loaded, native mode .*3 addresses" \
	dawn load --dev "$SRV_IF" --flows 1000 --slots 16
check "attached" attached
for m in access services flow_table unacked cache_index cache_data cache_hits \
	vhosts stats reactor_stats config queue_sent xsks segments_2 \
	segments_11 record; do
	check "pinned: $m" bpftool map show pinned "$PINS/$m"
done
check_exit "sizes as asked" 0 "max_entries 168 " \
	bpftool map show pinned "$PINS/flow_table"
check_exit "slots as asked" 0 "max_entries 16 " \
	bpftool map show pinned "$PINS/cache_data"
check_eq "every entry of a DEVMAP has interface and program" 11 "$(
	bpftool map dump pinned "$PINS/segments_11" |
		grep -Ec 'value: +[0-9a-f]{2} .*( [0-9a-f]{2}){4}$' |
		sed 's/^/ /' | tr -d ' ')"
check_not "none without program" grep -q '00 00 00 00 *$' \
	<<<"$(bpftool map dump pinned "$PINS/segments_11")"
check "echo answered" answered
id=$(xdp_id "$SRV_IF")
check_exit "second load" 1 "$IN_USE" dawn load --dev "$SRV_IF"
check_eq "second load changed nothing" "$id" "$(xdp_id "$SRV_IF")"
check_exit "status" 0 "native mode.*" dawn status
check_exit "status names the service" 0 "http +tcp +80 +198.18.0.1" dawn status
check_exit "status --json" 0 '"state": *"loaded"' dawn status --json
check "status --json is JSON" \
	python3 -c 'import json,sys; json.loads(sys.argv[1])["interfaces"][0]["services"][8]' \
	"$(dawn status --json)"
check_exit "status --dev unknown" 1 "nothing is loaded on nix0" \
	dawn status --dev nix0
check_exit "status seen from another namespace" 0 \
	"in another network namespace" in_cli "$DAWN" status
check_exit "unload" 0 "unloaded" dawn unload --dev "$SRV_IF"
check "all gone" clean
check_exit "off is fine too" 0 "loaded" dawn load --dev "$SRV_IF"
check_exit "off without --dev" 0 "off" dawn off
check "all gone after off" clean
check "echo still answered, by the kernel" answered

echo "# access list"
check "load" dawn load --dev "$SRV_IF"
check_exit "deny needs a prefix" 2 "give a PREFIX" dawn deny
for bad in 198.18.0.0/33 198.18.0.1/24 2001:db8::/129 host.example 1.2.3 \
	198.18.0.0/ 198.18.0.0/8x '' ::/0x; do
	check_exit "deny '$bad'" 2 "no address or prefix" dawn deny "$bad"
done
check "deny the client's net" dawn deny 198.18.0.0/24
check_not "ping denied" answered
check "allow the client" dawn allow 198.18.0.2
check "ping allowed again" answered
check_exit "--list" 0 "deny +198.18.0.0/24" dawn deny --list
check_exit "--list" 0 "allow +198.18.0.2/32" dawn allow --list
check_exit "remove what is not there" 1 "no 'deny 198.18.0.2'" \
	dawn deny 198.18.0.2 --remove
check "remove" dawn allow --remove 198.18.0.2
check_not "ping denied again" answered
check "remove" dawn deny --remove 198.18.0.0/24
check "ping allowed" answered
check "deny IPv6" dawn deny 2001:db8::/32
check_not "ping -6 denied" in_cli ping -q -c 1 -W 1 "$SRV_IP6"
check "ping IPv4 goes on" answered
check "unload" dawn unload --dev "$SRV_IF"

echo "# --confirm"
check_exit "load --confirm" 0 "reverts in 3 s unless" \
	dawn load --dev "$SRV_IF" --confirm 3
check "attached meanwhile" attached
check_exit "status tells" 0 "reverts +in" dawn status
check "reverts by itself" wait_for 20 clean
check "load --confirm" dawn load --dev "$SRV_IF" --confirm 3
check_exit "confirm" 0 "confirmed" dawn confirm --dev "$SRV_IF"
check_exit "confirm again" 0 "already" dawn confirm
check_not "does not revert" within 4 gone
check "unload" dawn unload --dev "$SRV_IF"
check "load, no --confirm" dawn load --dev "$SRV_IF"
check_exit "confirm: nothing to" 1 "without --confirm" dawn confirm
check "unload" dawn unload --dev "$SRV_IF"
# The terminal dies: setsid + HUP to the whole session but the guard.
in_srv setsid bash -c "\"$DAWN\" load --dev '$SRV_IF' --confirm 3; kill -HUP 0"
check "attached" attached
check "reverts though the session is dead" wait_for 20 clean
check "load --confirm, then unload and load again" \
	dawn load --dev "$SRV_IF" --confirm 3
check "unload" dawn unload --dev "$SRV_IF"
check "load" dawn load --dev "$SRV_IF"
check_not "the old guard leaves the new load alone" within 4 gone
check "unload" dawn unload --dev "$SRV_IF"

echo "# foreign program"
in_srv ip link set dev "$SRV_IF" xdpdrv obj "$TMP/foreign.o" sec xdp
check "a foreign program is there" attached
id=$(xdp_id "$SRV_IF")
check_exit "load refuses, names it" 1 "id $id name 'foreign'" \
	dawn load --dev "$SRV_IF"
check_exit "unload: nothing of ours" 1 "nothing is loaded" \
	dawn unload --dev "$SRV_IF"
check_eq "the foreign program stays" "$id" "$(xdp_id "$SRV_IF")"
in_srv ip link set dev "$SRV_IF" xdpdrv off
check "load" dawn load --dev "$SRV_IF"
in_srv ip link set dev "$SRV_IF" xdpdrv off
in_srv ip link set dev "$SRV_IF" xdpdrv obj "$TMP/foreign.o" sec xdp
id=$(xdp_id "$SRV_IF")
check_exit "status: replaced behind our back" 0 "another XDP program" \
	dawn status
check "unload clears our left-overs" dawn unload --dev "$SRV_IF"
check_eq "the foreign program stays" "$id" "$(xdp_id "$SRV_IF")"
in_srv ip link set dev "$SRV_IF" xdpdrv off
check "nothing left" clean
in_cli ip link set dev "$CLI_IF" xdpdrv obj "$TMP/foreign.o" sec xdp
id=$(xdp_id "$CLI_IF" "$CLI")
check "a peer with its own program will do" dawn load --dev "$SRV_IF"
check "echo answered" answered
check "unload" dawn unload --dev "$SRV_IF"
check_eq "the peer's program stays" "$id" "$(xdp_id "$CLI_IF" "$CLI")"
in_cli ip link set dev "$CLI_IF" xdpdrv off

echo "# left-overs"
check "load" dawn load --dev "$SRV_IF"
in_srv ip link set dev "$SRV_IF" xdpdrv off
check_exit "status: only pins" 0 "left-overs" dawn status
check_exit "load sweeps and loads" 0 "loaded, native" dawn load --dev "$SRV_IF"
rm "$PINS/config"
check_exit "a pin is missing: unload still works" 0 "unloaded" \
	dawn unload --dev "$SRV_IF"
check "all gone" clean
check "load" dawn load --dev "$SRV_IF"
rm "$PINS"/[a-q]* "$PINS/record"
check_exit "half the pins and no record: off works" 0 "off" dawn off
check "gone" gone
in_cli ip link set dev "$CLI_IF" xdpdrv off # nobody knew of it any more
check "load" dawn load --dev "$SRV_IF"
printf -v abi '99 0 0 0'
bpftool map dump pinned "$PINS/config" -j >"$TMP/config.json"
python3 - "$TMP/config.json" "$abi" >"$TMP/config.hex" <<'PY'
import json, sys
v = json.load(open(sys.argv[1]))[0]["value"]
print(" ".join(sys.argv[2].split() + [str(int(b, 16)) for b in v[4:]]))
PY
# shellcheck disable=SC2046
bpftool map update pinned "$PINS/config" key 0 0 0 0 \
	value $(cat "$TMP/config.hex")
check_exit "another ABI: status says so" 0 "maps ABI 99" dawn status
check_exit "another ABI: load refuses" 1 "maps ABI 99" \
	dawn load --dev "$SRV_IF"
check "another ABI: off works" dawn off --dev "$SRV_IF"
check "gone" clean
check "load" dawn load --dev "$SRV_IF"
in_srv ip link del "$SRV_IF"
check_exit "interface gone: status" 0 "no interface .* any more" dawn status
ip link add "$SRV_IF" netns "$SRV" type veth peer name "$CLI_IF" netns "$CLI"
in_srv ip addr add "$SRV_IP/24" dev "$SRV_IF"
in_cli ip addr add "$CLI_IP/24" dev "$CLI_IF"
in_srv ip link set "$SRV_IF" up
in_cli ip link set "$CLI_IF" up
check_exit "a new interface of that name: load sweeps" 0 "loaded, native" \
	dawn load --dev "$SRV_IF"
check "echo answered" answered
in_srv ip link del "$SRV_IF"
check_exit "interface gone: unload works" 0 "unloaded" \
	dawn unload --dev "$SRV_IF"
check "no pins" [ ! -e "$PINS" ]
ip link add "$SRV_IF" netns "$SRV" type veth peer name "$CLI_IF" netns "$CLI"
check_exit "an interface without addresses: loaded, with a warning" 0 \
	"no addresses yet" dawn load --dev "$SRV_IF" --mode generic
check "unload" dawn unload --dev "$SRV_IF"

echo "# rights"
check_exit "no CAP_NET_ADMIN" 1 "needs CAP_NET_ADMIN" \
	no_rights -net_admin "$DAWN" load --dev "$SRV_IF"
check_exit "no CAP_BPF" 1 "needs CAP_BPF" \
	no_rights -bpf,-sys_admin "$DAWN" load --dev "$SRV_IF"
check_exit "not root" 1 "needs CAP_NET_ADMIN" \
	in_srv setpriv --reuid 65534 --regid 65534 --clear-groups \
	--bounding-set -all -- "$DAWN" load --dev "$SRV_IF"
check_exit "a container's root" 1 "user namespace|needs CAP|permission" \
	unshare -Urn sh -c "ip link add v0 type veth peer name v1 &&
	'$DAWN' load --dev v0"
check_exit "bpffs not mounted, no right to" 1 "cannot mount it" \
	in_srv unshare -m sh -c "umount -t bpf -a;
	setpriv --bounding-set -sys_admin --inh-caps -sys_admin -- \
	'$DAWN' load --dev '$SRV_IF'"
check "bpffs not mounted: mounted" \
	in_srv unshare -m sh -c "umount -t bpf -a;
	'$DAWN' load --dev '$SRV_IF' && mountpoint -q /sys/fs/bpf &&
	'$DAWN' unload --dev '$SRV_IF'"
check "nothing half-made" clean

echo "# firewall"
check_not "no rules, no warning" grep -q nftables \
	<<<"$(dawn load --dev "$SRV_IF" 2>&1)"
check "unload" dawn unload --dev "$SRV_IF"
in_srv nft add table inet t
in_srv nft add chain inet t c '{ type filter hook input priority 0; }'
in_srv nft add rule inet t c tcp dport 81 drop
check_exit "rules: a warning" 0 "warning: 1 nftables" \
	dawn load --dev "$SRV_IF"
check "unload" dawn unload --dev "$SRV_IF"
finish
