#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Bursts: 64 clients ask for ten segments each at the same moment, again and
# again, with threaded NAPI on the server's side, so that one poll sees them all.
# veth's ring holds 256 frames: what XDP sends must stay within its budget, and
# what is lost all the same must be sent again. Every body is checked.
here=$(dirname "$0")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/daemon.sh
. "$here/daemon.sh"

setup_pair
make_root
start_dawnd
promote "$SRV_IP" ten.bin
threaded() { # /sys shows the namespace of the process that mounted it
	in_srv unshare -m sh -c "mount -t sysfs dawn /sys &&
		echo 1 >/sys/class/net/$SRV_IF/threaded"
}
check "threaded NAPI" threaded
check "64 clients, 50 bursts" in_cli "$here/burst.py" "$SRV_IP" \
	"$ROOT/ten.bin" 64 50
at_least "answers from XDP" 300 "$(counter http_hit)"
echo "     | segment_budget=$(counter segment_budget)" \
	"kernel_retransmit=$(counter kernel_retransmit)"
stop_dawnd
check_eq "dawnd ends well" 0 "$STATUS"
finish
