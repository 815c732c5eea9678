#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# dawn cache, stats, flows and ping on a loaded interface, no daemon: what was
# put is answered by XDP, replacing is atomic, purging final. Topology: lib.sh.
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/lib.sh

setup_pair
dawn load --dev "$SRV_IF" --any-cookie >/dev/null || exit 1

dc() { local sub=$1; shift; dawn cache "$sub" --dev "$SRV_IF" "$@"; }
get() { in_cli curl -s -m 2 -o "$TMP/out" "$@"; }
# fill LETTER BYTES: a file of one letter
fill() { head -c "$2" /dev/zero | tr '\0' "$1" >"$TMP/$1"; }
# field PATH NAME: of `cache ls --json`
field() {
	dc ls --json | python3 -c '
import json, sys
for e in json.load(sys.stdin)["entries"]:
    if e["path"] == sys.argv[1]:
        print(e[sys.argv[2]])' "$1" "$2"
}

### put, get ##################################################################
fill A 100
fill B 14000
check "put" dc put /a "$TMP/A"
check "GET of it" get "http://$SRV_IP/a"
check "same bytes" cmp "$TMP/out" "$TMP/A"
check "GET over IPv6" get "http://[$SRV_IP6]/a"
check "same bytes over IPv6" cmp "$TMP/out" "$TMP/A"
in_cli curl -s -m 2 -i "http://$SRV_IP/a" | sed '/^Date:/d' >"$TMP/wire"
dc get /a | sed '/^Date:/d' >"$TMP/slot"
check "cache get prints what is sent" cmp "$TMP/wire" "$TMP/slot"
check_eq "hits are counted" 3 "$(field /a hits)"
check_eq "hits are those of stats" 3 "$(counter http_hit)"
check "GET with a cookie" get -b session=1 "http://$SRV_IP/a"
check "same bytes" cmp "$TMP/out" "$TMP/A"
check_eq "answered by XDP" 4 "$(counter http_hit)"
check "put of ten segments" dc put /b "$TMP/B"
check "GET of it" get "http://$SRV_IP/b"
check "same bytes" cmp "$TMP/out" "$TMP/B"
check_exit "put from standard input" 0 '^/stdin: ' \
	dc put --content-type text/plain /stdin - <"$TMP/A"
check_eq "type as given" "Content-Type: text/plain" \
	"$(dc get /stdin | tr -d '\r' | grep Content-Type)"

### conditional requests #####################################################
etag=$(dc get /a | tr -d '\r' | sed -n 's/^ETag: //p')
modified=$(dc get /a | tr -d '\r' | sed -n 's/^Last-Modified: //p')
status() { in_cli curl -s -m 2 -o /dev/null -w '%{http_code}' "$@"; }
check_eq "its own tag: 304" 304 \
	"$(status -H "If-None-Match: $etag" "http://$SRV_IP/a")"
check_eq "its own date: 304" 304 \
	"$(status -H "If-Modified-Since: $modified" "http://[$SRV_IP6]/a")"
check_eq "counted" 2 "$(counter http_304)"
check_eq "without an ETag there is none: reset, since nobody else is there" 000 \
	"$(status -H 'If-None-Match: "x"' "http://$SRV_IP/stdin")"
uuid=/proc/sys/kernel/random/uuid # other bytes at each read, the same times
check "put of a file without a size" dc put /uuid "$uuid"
check_eq "nothing says when it is the same" "" \
	"$(dc get /uuid | grep -E '^(ETag|Last-Modified)')"

### tags ######################################################################
check "put with a tag" dc put --tags red /t1 "$TMP/A"
check "with two" dc put --tags red,big /t2 "$TMP/A"
check "with another" dc put --tags big /t3 "$TMP/A"
check_exit "purge by tag" 0 '^purged 2$' dc purge --tag red
check_exit "/t1 went" 1 'not in the kernel' dc get /t1
check_exit "/t2 went" 1 'not in the kernel' dc get /t2
check "/t3 did not" dc get /t3
check "nor did /a" dc get /a
check_exit "a tag of nothing" 0 '^purged 0$' dc purge --tag red
check_exit "the other tag" 0 '^purged 1$' dc purge --tag big
check_exit "an empty tag" 2 'empty' dc purge --tag ''
check_exit "too many tags" 2 'names with commas' \
	dc put --tags a,b,c,d,e /t1 "$TMP/A"
check_exit "empty names" 2 'names with commas' dc put --tags a,,b /t1 "$TMP/A"

### refusals ##################################################################
fill C 14561
check_exit "too large" 1 '14560 bytes at most' dc put /c "$TMP/C"
check_exit "no such file" 1 'cannot read' dc put /c "$TMP/none"
check_exit "a directory" 1 'no regular file' dc put /c "$TMP"
check_exit "path without slash" 2 "begin with '/'" dc put c "$TMP/A"
check_exit "blank in the path" 2 'visible ASCII' dc put '/a b' "$TMP/A"
check_exit "path too long" 2 'more than 240' \
	dc put "/$(printf '%0240d' 0)" "$TMP/A"
check_exit "line end in the type" 2 'no media type' \
	dc put --content-type $'a/b\r\nX: y' /c "$TMP/A"
check_exit "time without a unit" 2 'no time' dc put --ttl 5 /c "$TMP/A"
check_exit "purge of nothing in particular" 2 'give one of' dc purge
check_exit "purge of what is not there" 1 'not in the kernel' dc purge /nope
check_exit "no subcommand" 2 'put, get, ls or purge' dawn cache

### time to live ##############################################################
check "put with a time" dc put --ttl 300ms /ttl "$TMP/A"
check "GET in time" get "http://$SRV_IP/ttl"
is_expired() { [ "$(field /ttl state)" = expired ]; }
check "it expires" wait_for 5 is_expired
before=$(counter http_hit)
check_not "no answer any more" get -m 0.3 "http://$SRV_IP/ttl"
check_eq "and no hit" "$before" "$(counter http_hit)"
check_exit "get says so" 1 'not in the kernel' dc get /ttl

### replace and purge #########################################################
for i in 1 2 3 4 5 6 7 8 9 10; do
	fill D $((i * 1300))
	dc put /d "$TMP/D" >/dev/null
	get "http://$SRV_IP/d"
	cmp -s "$TMP/out" "$TMP/D" || break
done
check_eq "each replacement is seen at once" 10 "$i"
check "and the last body is right" cmp "$TMP/out" "$TMP/D"

fill E 600
fill F 13000
dc put /race "$TMP/E" >/dev/null
in_cli tests/netns/cache.py "$SRV_IP" /race "$TMP/stop" \
	>"$TMP/race" 2>&1 &
client=$!
for _ in {1..40}; do
	dc put /race "$TMP/F" >/dev/null || fail "put under load"
	dc put /race "$TMP/E" >/dev/null || fail "put under load"
done
touch "$TMP/stop"
wait "$client"
check_eq "replaced 80 times under load: no torn answer" 0 $?
cat "$TMP/race"
check_exit "both versions were seen" 0 'E=[1-9].* F=[1-9]' cat "$TMP/race"
check_exit "no slot is lost" 0 '^[0-9]+ of' python3 -c '
import json, sys
d = json.loads(sys.argv[1])
live = sum(e["state"] in ("live", "expired") for e in d["entries"])
print(live, "of", len(d["entries"]))
sys.exit(live != len(d["entries"]))' "$(dc ls --json)"

before=$(counter http_hit)
check "purge" dc purge /a
check_not "no answer any more" get -m 0.3 "http://$SRV_IP/a"
check_eq "and no hit" "$before" "$(counter http_hit)"
check_exit "purge by prefix" 0 'purged 1' dc purge --prefix /rac
check_exit "purge all" 0 'purged [1-9]' dc purge --all
check_eq "nothing is left" "" "$(dc ls)"

### virtual hosts #############################################################
check_exit "put for a host" 0 'from now on' \
	dc put --host A.Example:80 /v "$TMP/A"
check "GET with that Host" get -H 'Host: a.example' "http://$SRV_IP/v"
check "same bytes" cmp "$TMP/out" "$TMP/A"
check_not "another Host gets no answer" \
	get -m 0.3 -H 'Host: b.example' "http://$SRV_IP/v"
check_exit "put needs a host now" 2 'say which one' dc put /w "$TMP/A"
check_eq "ls names it" a.example "$(field /v host)"
check_exit "get of another host" 1 "no virtual host" \
	dc get --host c.example /v

### stats, flows, ping ########################################################
dawn stats --dev "$SRV_IF" --json >"$TMP/stats.json"
check "stats --json is one flat object of numbers" python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
assert all(isinstance(v, int) for v in d.values()), d
for name in ("icmp_echo icmp6_echo hbtp_pong syn_cookie flow_new http_hit "
             "http_hit_segments to_user to_kernel punt_total pass_total "
             "drop_total").split():
    assert name in d, name' "$TMP/stats.json"
check_exit "stats --watch ends" 0 'per second' \
	dawn stats --dev "$SRV_IF" --watch --count 1 --all
in_cli python3 -c '
import socket, sys
s = socket.create_connection((sys.argv[1], 80))
s.sendall(b"GET /v HTTP/1.1\r\nHost: a.example\r\n\r\n")
s.recv(1000)
print("%s:%d" % s.getsockname(), flush=True)
sys.stdin.read()' "$SRV_IP" <> <(:) >"$TMP/peer" &
peer=$!
check "a connection" wait_for 5 test -s "$TMP/peer"
check_exit "flows shows it" 0 \
	"^$(cat "$TMP/peer") .*$SRV_IP:80 .*ESTABLISHED +kernel" \
	dawn flows --dev "$SRV_IF"
check_exit "flows --json too" 0 "\"peer\": *\"$(cat "$TMP/peer")\"" \
	dawn flows --dev "$SRV_IF" --json
kill "$peer"
check_exit "ping" 0 '3 received, 0% packet loss.*' \
	in_cli "$DAWN" ping -c 3 -i 0.05 "$SRV_IP:4860"
check_exit "ping, IPv6, full payload" 0 'rtt min/avg/max/mdev' \
	in_cli "$DAWN" ping -c2 -i0.05 -s 64 "[$SRV_IP6]:4860"
check_exit "ping without payload" 0 '^8 bytes from' \
	in_cli "$DAWN" ping --count 1 -s 0 "$SRV_IP"
check_exit "ping: nobody there" 1 '100% packet loss' \
	in_cli "$DAWN" ping -c 1 -W 0.1 198.18.0.9
check_exit "ping: nobody listens" 1 'refused' \
	in_cli "$DAWN" ping -c 1 -W 0.5 "$SRV_IP:4861"
check_exit "ping: payload too large" 2 'from 0 to 64' \
	in_cli "$DAWN" ping -s 65 "$SRV_IP"
check_exit "ping: no port" 2 'no HOST:PORT' in_cli "$DAWN" ping "$SRV_IP:"
check_exit "ping: no such name" 1 'nowhere.invalid' \
	in_cli "$DAWN" ping nowhere.invalid
check_eq "Pongs were XDP's" 6 "$(counter hbtp_pong)"
finish
