#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Too much of everything: SYNs from random sources, more connections than the
# flow table holds, a thousand idle ones. Tables stay in bounds, and who is
# honest is served.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

hit() {
	local before
	before=$(counter http_hit)
	in_cli curl -sfg -m 5 -o "$TMP/got" "http://$1/hot0" &&
		cmp -s "$TMP/got" "$ROOT/hot0" &&
		[ "$(counter http_hit)" -gt "$before" ]
}

setup_pair
make_root
start_dawnd
check "hits" promote "$SRV_IP" hot0

echo "# 200,000 SYNs from random sources"
cat >"$TMP/flood.py" <<'PY'
"""usage: flood.py IF DST_MAC COUNT: SYNs, sources random, then ACKs that prove
nothing; sent as frames."""
import random, socket, struct, sys
def csum(b):
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
name, mac, count = sys.argv[1], bytes.fromhex(sys.argv[2].replace(":", "")), int(sys.argv[3])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((name, 0))
own = s.getsockname()[4]
rng = random.Random(7)
dst = socket.inet_aton("198.18.0.1")
def frame(flags):
    src = struct.pack("!I", 0xc6130000 | rng.getrandbits(16)) # 198.19/16
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 44, 0, 0, 64, 6, 0, src, dst)
    ip = ip[:10] + struct.pack("!H", csum(ip)) + ip[12:]
    tcp = struct.pack("!HHIIBBHHH", rng.randrange(1024, 65536), 80, rng.getrandbits(32),
        rng.getrandbits(32), 0x60, flags, 65535, 0, 0) + b"\2\4\5\xb4"
    pseudo = src + dst + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", csum(pseudo + tcp)) + tcp[18:]
    return mac + own + b"\x08\0" + ip + tcp
frames = [frame(2) for _ in range(20000)] + [frame(16) for _ in range(2000)]
print("flooding", flush=True)
for i in range(count):
    try:
        s.send(frames[i % len(frames)])
    except OSError:
        pass # the interface's queue is full: as lost as on a wire
print("sent", flush=True)
PY
# Answers go to the client's namespace, which has no route back and drops them.
in_cli sysctl -qw net.ipv4.conf.all.rp_filter=0
in_srv ip route add 198.19.0.0/16 via "$CLI_IP"
mac=$(in_srv cat "/proc/net/dev" >/dev/null; in_srv ip -o link show "$SRV_IF" |
	sed 's/.*link\/ether \([^ ]*\).*/\1/')
cookies=$(counter syn_cookie)
flows=$(counter flow_new)
nsenter --net="/run/netns/$CLI" -- python3 "$TMP/flood.py" "$CLI_IF" "$mac" 200000 \
	>"$TMP/flood.log" 2>&1 &
flood=$!
at_exit end_child "$flood"
check "flood begins" wait_for 10 grep -q flooding "$TMP/flood.log"
for i in 1 2 3 4 5; do
	check "during it: hit $i" hit "$SRV_IP"
	fetch "during it: large file $i" "$SRV_IP" big.bin
done
wait "$flood"
check_eq "flood: sent all" "sent" "$(tail -n 1 "$TMP/flood.log")"
at_least "cookies sent" 100000 $(($(counter syn_cookie) - cookies))
at_least "flows made by it, of 15 at most: left" 0 \
	$((15 - ($(counter flow_new) - flows)))
check "after it: hit" hit "$SRV_IP"
kill_dawnd
dawn off --dev "$SRV_IF" >/dev/null

echo "# a full flow table"
start_dawnd --flows 64
check "hits" promote "$SRV_IP" hot0
cat >"$TMP/many.py" <<'PY'
"""usage: many.py HOST COUNT BODY ROUNDS: COUNT connections idle at once, then a
request on each, ROUNDS times. Prints `idle`, `ok=N reset=N wrong=N late=N`
(no answer for 10 s)."""
import socket, sys
host, count, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[4])
body = open(sys.argv[3], "rb").read()
socks = []
for i in range(count):
    s = socket.create_connection((host, 80), 10)
    s.settimeout(10)
    socks.append(s)
print("idle", flush=True)
sys.stdin.readline()
ok = reset = wrong = late = 0
dead = set()
for r in range(rounds):
    for s in socks:
        if s in dead:
            continue
        try:
            s.sendall(b"GET /hot0 HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b""
            while b"\r\n\r\n" not in got or len(got.split(b"\r\n\r\n", 1)[1]) < len(body):
                more = s.recv(65536)
                if not more:
                    raise ConnectionError
                got += more
            if got.split(b"\r\n\r\n", 1)[1] == body: ok += 1
            else: wrong += 1
        except (ConnectionError, TimeoutError, socket.timeout) as e:
            dead.add(s)
            if isinstance(e, ConnectionError): reset += 1
            else: late += 1
print("ok=%d reset=%d wrong=%d late=%d" % (ok, reset, wrong, late), flush=True)
PY
in_cli python3 "$TMP/many.py" "$SRV_IP" 300 "$ROOT/hot0" 1 \
	< <(echo) >"$TMP/many.log" 2>&1
sed 's/^/     | /' "$TMP/many.log"
check "300 connections, room for 128: no answer wrong" \
	grep -q "wrong=0" "$TMP/many.log"
at_least "without any answer for 10 s, of 15 at most: left" 0 \
	$((15 - $(sed -n 's/.*late=//p' "$TMP/many.log")))
at_least "some of them answered" 64 "$(sed -n 's/^ok=\([0-9]*\).*/\1/p' "$TMP/many.log")"
for i in 1 2 3 4 5; do
	check "who comes then: hit $i" hit "$SRV_IP"
	fetch "who comes then: large file $i" "$SRV_IP" big.bin
done
stop_dawnd
check_eq "exit status" 0 "$STATUS"

echo "# 1000 idle connections"
start_dawnd
check "hits" promote "$SRV_IP" hot0
before=$(counter http_hit)
in_cli bash -c "ulimit -n 4096; exec python3 '$TMP/many.py' '$SRV_IP' 1000 '$ROOT/hot0' 3" \
	< <(echo) >"$TMP/many.log" 2>&1
check_eq "each answered, three times" "ok=3000 reset=0 wrong=0 late=0" \
	"$(tail -n 1 "$TMP/many.log")"
at_least "from XDP" 2990 $(($(counter http_hit) - before))
stop_dawnd
check_eq "exit status" 0 "$STATUS"
finish
