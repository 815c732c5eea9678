#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The way without the dawn command: bpftool loads, attaches, configures and
# looks. Pings and Pongs are answered, everything else passes to the kernel.
# Then `dawn load` with no daemon: an object put into the cache is served.
# Topology: lib.sh. The lines are those of docs/QUICKSTART.md.
. "$(dirname "$0")/lib.sh"

setup_pair 1
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
DIR=$(pin_dir)
mkdir -p "$(dirname "$DIR")"
at_exit rm -rf "$DIR"
# Answers from native XDP arrive at a veth only if it has a program itself.
# (On a real interface there is nothing to do at the other end.)
printf '%s\n' 'int p(void *c) __attribute__((section("xdp"), used));' \
	'int p(void *c) { (void)c; return 2; }' >"$TMP/pass.c"
clang=$(for v in 16 17 18 19; do command -v "clang-$v" && break; done)
"$clang" -target bpf -O2 -g -c "$TMP/pass.c" -o "$TMP/pass.o" ||
	skip "no clang for the passing program"
in_cli ip link set dev "$CLI_IF" xdpdrv obj "$TMP/pass.o" sec xdp

# bytes of an address in a services key: IPv4-mapped
v4_bytes() {
	echo "0 0 0 0 0 0 0 0 0 0 255 255 ${1//./ }"
}
v6_bytes() {
	python3 -c 'import ipaddress, sys
print(*ipaddress.ip_address(sys.argv[1]).packed)' "$1"
}
# service BYTES PORT PROTO ID KIND: port in wire order, values little-endian
service() {
	# shellcheck disable=SC2086 # the bytes are separate words
	in_srv bpftool map update pinned "$DIR/services" \
		key $1 $(($2 / 256)) $(($2 % 256)) "$3" 0 0 0 0 0 \
		value "$4" 0 "$5" 0 1 0 0 0
}
count() {
	bpftool -j map dump pinned "$DIR/stats" | python3 -c '
import json, sys
m = json.load(sys.stdin)[0]["formatted"]["values"]
print(sum(c["value"][sys.argv[1]] for c in m))' "$1"
}
# hbtp_ping ADDRESS HEX: send it to port 4860, print the answer in hex
hbtp_ping() {
	in_cli python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET,
                  socket.SOCK_DGRAM)
s.settimeout(2)
s.sendto(bytes.fromhex(sys.argv[2]), (sys.argv[1], 4860))
print(s.recv(100).hex())' "$1" "$2"
}

echo "# load and attach"
check "bpftool prog loadall" in_srv bpftool prog loadall "$OBJ" "$DIR" \
	pinmaps "$DIR"
check "bpftool net attach" in_srv bpftool net attach xdpdrv \
	pinned "$DIR/dawn_xdp" dev "$SRV_IF"
check "nothing configured: the kernel answers" in_cli ping -q -c 1 -W 1 "$SRV_IP"
check_eq "and XDP did not" 0 "$(count icmp_echo)"
check_not "it passed" [ "$(count pass_total)" = 0 ]

echo "# services"
check "echo" service "$(v4_bytes $SRV_IP)" 0 1 1 1
check "echo, IPv6" service "$(v6_bytes $SRV_IP6)" 0 58 2 1
check "HBTP" service "$(v4_bytes $SRV_IP)" 4860 17 3 3
check "HBTP, IPv6" service "$(v6_bytes $SRV_IP6)" 4860 17 4 3
check "HTTP" service "$(v4_bytes $SRV_IP)" 80 6 5 2
check "ping" in_cli ping -q -c 3 -i 0.02 -W 1 "$SRV_IP"
check_eq "answered by XDP" 3 "$(count icmp_echo)"
check "ping -6" in_cli ping -q -c 3 -i 0.02 -W 1 "$SRV_IP6"
check_eq "answered by XDP" 3 "$(count icmp6_echo)"
# Ping, EXPECTS_RESPONSE, sequence 0x1234, 3 bytes: Pong returns them
check_eq "HBTP Ping" 0100341203000000616263 \
	"$(hbtp_ping "$SRV_IP" 0004341203000000616263)"
check_eq "HBTP Ping, IPv6" 0100010000000000 \
	"$(hbtp_ping "$SRV_IP6" 0000010000000000)"
check_eq "answered by XDP" 2 "$(count hbtp_pong)"
check "TCP passes to the kernel: it refuses" not in_cli curl -sS -m 5 \
	"http://$SRV_IP/"
check_not "and that is counted" [ "$(count pass_tcp_off)" = 0 ]

echo "# looking"
for m in services config stats flow_table cache_index; do
	check "dump $m" bpftool map dump pinned "$DIR/$m"
done
check_exit "counters have names" 0 '"hbtp_pong": 2|"hbtp_pong": 1' \
	bpftool map dump pinned "$DIR/stats"
check_exit "services by field" 0 '"proto": 17' \
	bpftool map dump pinned "$DIR/services"
check_exit "dawn status sees it" 0 "loaded by bpftool" dawn status
check_exit "dawn load does not take it over" 1 "bpftool loaded" \
	dawn load --dev "$SRV_IF"
check "deny by bpftool" bpftool map update pinned "$DIR/access" \
	key 128 0 0 0 0 0 0 0 0 0 0 0 0 0 255 255 198 18 0 2 value 2 0 0 0
check_not "denied" in_cli ping -q -c 1 -W 1 "$SRV_IP"
check "bpftool net detach" in_srv bpftool net detach xdpdrv dev "$SRV_IF"
check "the kernel answers" in_cli ping -q -c 1 -W 1 "$SRV_IP"
check "attach again" in_srv bpftool net attach xdpdrv pinned "$DIR/dawn_xdp" \
	dev "$SRV_IF"
check_exit "dawn off takes down what bpftool made" 0 "off" dawn off
check "no pins" [ ! -e "$DIR" ]
check_eq "no program" "" "$(xdp_id "$SRV_IF")"

echo "# dawn load, no daemon"
check "dawn load" dawn load --dev "$SRV_IF"
if ! "$DAWN" cache --help >/dev/null 2>&1; then
	fail "dawn has no cache command"
	finish
fi
printf 'Hello, dawn\n' >"$TMP/hello.txt"
head -c 14000 /dev/urandom >"$TMP/large.bin"
check "cache put" dawn cache put --dev "$SRV_IF" /hello.txt "$TMP/hello.txt"
check "cache put, many segments" dawn cache put --dev "$SRV_IF" /large.bin \
	"$TMP/large.bin" --content-type application/x-dawn
for f in hello.txt large.bin; do
	for ip in "$SRV_IP" "[$SRV_IP6]"; do
		before=$(count http_hit)
		check "GET /$f from $ip" in_cli curl -sS -g -m 5 \
			-D "$TMP/head" -o "$TMP/got" "http://$ip/$f"
		check "the very bytes" cmp "$TMP/$f" "$TMP/got"
		check "a Date" grep -q "^Date: ..., .. ... .... ..:..:.. GMT" \
			"$TMP/head"
		check_eq "answered by XDP" $((before + 1)) "$(count http_hit)"
	done
done
check "the content type" grep -qi "^content-type: application/x-dawn" "$TMP/head"
check "unload" dawn unload --dev "$SRV_IF"
finish
