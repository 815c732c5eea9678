// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The smallest XDP program: veth delivers frames sent by XDP_TX only to an end
 * that has one. For peers of ours in benches, which bring none. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
