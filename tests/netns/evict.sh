#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# At the cap of the flow table nobody new is refused: who was silent for longest
# loses its place and gets a RST at once. See evict.py.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

setup_pair
make_root
start_dawnd --flows 32
promote "$SRV_IP" hot0
places=$(dawn status --dev "$SRV_IF" --json | grep -o '"flows": *[0-9]*' |
	tr -dc 0-9)
at_least "places in the table" 64 "$places"
for ip in "$SRV_IP" "$SRV_IP6"; do
	evicted=$(counter flow_evicted) rst=$(counter tcp_rst_sent)
	in_cli "$here/evict.py" "$ip" $((places * 2)) "$places" >"$TMP/out" 2>&1
	check_eq "evict.py to $ip" 0 $?
	sed 's/^/     | /' "$TMP/out"
	gone=$(sed -n 's/^gone //p' "$TMP/out")
	evicted=$(($(counter flow_evicted) - evicted))
	at_least "counted as evicted" "${gone:-1}" "$evicted"
	at_least "RSTs sent by the reactor" "${gone:-1}" \
		$(($(counter tcp_rst_sent) - rst))
done
check_eq "none was left untold" 0 "$(counter evict_untold)"
check "the daemon still serves" in_cli curl -sf -m 10 -o /dev/null \
	"http://$SRV_IP/hot0"
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
