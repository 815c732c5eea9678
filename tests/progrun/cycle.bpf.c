// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* For timing: makes the next packet of the next flow, then runs the program
 * under test, so that bpf_prog_test_run's `repeat` goes through many flows. The
 * flows' numbers go on with each packet, so no entry has to be put back (and so
 * brought into the cache). With nothing to run it measures itself.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/progrun/cycle.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cycle);
} plan SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CYCLE_FLOWS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cycle_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum + (sum >> 16);
}

SEC("xdp")
int cycle(struct xdp_md *ctx)
{
	__u32 zero = 0, index, len;
	struct cycle *c = bpf_map_lookup_elem(&plan, &zero);
	struct cycle_flow *f;
	struct iphdr *ip;
	struct tcphdr *tcp;
	long have;

	if (!c || !c->flows)
		return XDP_ABORTED;
	index = c->turn++ % c->flows;
	f = bpf_map_lookup_elem(&flows, &index);
	if (!f)
		return XDP_ABORTED;
	len = c->len & (CYCLE_PACKET_MAX - 1);
	have = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
	asm volatile("" : "+r"(have)); /* subtract pointers first */
	bpf_xdp_adjust_tail(ctx, (int)(len - have));
	if (len < 54 || bpf_xdp_store_bytes(ctx, 0, c->packet, len))
		return XDP_ABORTED;
	ip = (void *)(long)ctx->data + ETH_HLEN;
	tcp = (void *)(ip + 1);
	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	ip->saddr = f->addr;
	ip->check = ~fold((__u64)(__u16)~ip->check + f->addr);
	tcp->source = f->port;
	tcp->seq = bpf_htonl(f->seq);
	tcp->ack_seq = bpf_htonl(f->ack);
	tcp->check = ~fold((__u64)c->sum + f->addr + f->port + tcp->seq +
			   tcp->ack_seq);
	f->seq += c->seq_step;
	f->ack += c->ack_step;
	bpf_tail_call(ctx, &next, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
