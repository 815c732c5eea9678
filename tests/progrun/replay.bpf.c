// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* For timing: puts the packet and the flow back as they were, then runs the
 * program under test, so that bpf_prog_test_run's `repeat` repeats the same
 * work. With nothing to run it measures itself.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "maps/flow_table.bpf.h"
#include "tests/progrun/replay.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct replay);
} saved SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

SEC("xdp")
int replay(struct xdp_md *ctx)
{
	__u32 zero = 0, set, len;
	struct replay *r = bpf_map_lookup_elem(&saved, &zero);
	struct dawn_flow_set *flows;
	long have;

	if (!r)
		return XDP_ABORTED;
	set = r->set;
	flows = bpf_map_lookup_elem(&flow_table, &set);
	if (!flows)
		return XDP_ABORTED;
	if (r->restore_flow)
		flows->flow[r->way & 7] = r->flow;
	len = r->len & 2047;
	have = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
	asm volatile("" : "+r"(have)); /* subtract pointers first */
	bpf_xdp_adjust_tail(ctx, (int)(len - have));
	if (len < 14 || bpf_xdp_store_bytes(ctx, 0, r->packet, len))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &next, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
