#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Each event of a connection, met by each half of the server, over IPv4 and IPv6,
# in a VLAN and not; see halves.py.
# usage: halves.sh [CELL...]
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

setup_pair
make_root
start_dawnd
promote "$SRV_IP" hot0 hot1 hot2 hot3 ten.bin
mac=$(in_srv ip -br link show "$SRV_IF" | awk '{ print $3 }')
out=$(in_cli "$here/halves.py" "nsenter --net=/run/netns/$SRV -- $DAWN" \
	"$SRV_IF" "$(pin_dir)" "$CLI_IF" "$mac" "$SRV_IP" "$SRV_IP6" "$ROOT" \
	"$@" 2>&1)
printf '%s\n' "$out" | sed 's/^/     | /'
read -r p _ f _ <<<"$(tail -n 1 <<<"$out")"
at_least "cells that passed" $(($# ? 1 : 1000)) "${p:-0}"
check_eq "cells that failed" 0 "${f:-none ran}"
check_eq "flows left in the table" 0 \
	"$(dawn flows --dev "$SRV_IF" --json | grep -c '"peer"')"
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
