# SPDX-License-Identifier: MIT OR Apache-2.0
# The object as it is: loaded, pinned and attached by bpftool alone.
# shellcheck shell=bash
pins=/sys/fs/bpf/plain
verifier_stats /obj/dawn_xdp.bpf.o && echo "ok the verifier accepts it" ||
	echo "not ok the verifier accepts it"
mkdir -p $pins
bpftool prog loadall /obj/dawn_xdp.bpf.o $pins pinmaps $pins/maps &&
	echo "ok bpftool prog loadall" || echo "not ok bpftool prog loadall"
ip link add va type veth peer name vb
ip link set va up
for mode in xdpdrv xdpgeneric; do
	if bpftool net attach $mode pinned $pins/dawn_xdp dev va &&
		ip link show va | grep -q 'xdp'; then
		echo "ok bpftool net attach $mode"
	else
		echo "not ok bpftool net attach $mode"
	fi
	bpftool net detach $mode dev va
done
bpftool map dump pinned $pins/maps/stats >/tmp/stats &&
	grep -q icmp_echo /tmp/stats && echo "ok stats are readable by name" ||
	echo "not ok stats are readable by name"
ip link del va
rm -r $pins
