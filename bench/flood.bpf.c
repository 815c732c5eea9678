// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* A flood: each run makes the next packet and sends it. It is driven by
 * bpf_prog_test_run with live frames (flood.c), never attached.
 *
 * IPv4, no IP options. The checksum is updated for what changed (RFC 1624).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench/flood.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flood_config);
} config SEC(".maps");

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum + (sum >> 16);
}

/* Set a 32-bit word and bring a checksum that covers it up to date. */
static __always_inline void change(__u8 *frame, __u32 csum_at, __u32 at,
				   __be32 to)
{
	__u16 *csum = (__u16 *)(frame + csum_at);
	__u16 *word = (__u16 *)(frame + at);

	*csum = ~fold((__u64)(__u16) ~*csum + (__u16)~word[0] +
		      (__u16)~word[1] + (to & 0xffff) + (to >> 16));
	word[0] = to & 0xffff;
	word[1] = to >> 16;
}

#define AT_IP_CSUM  (ETH_HLEN + 10)
#define AT_SOURCE   (ETH_HLEN + 12)
#define AT_TCP      (ETH_HLEN + 20)
#define AT_SEQ      (AT_TCP + 4)
#define AT_ACK      (AT_TCP + 8)
#define AT_TCP_CSUM (AT_TCP + 16)
#define AT_PORTS    AT_TCP

static __always_inline void vary(__u8 *frame, struct flood_config *c)
{
	__u32 r = bpf_get_prandom_u32();
	__u16 *half = (__u16 *)frame;

	if (c->random & FLOOD_SOURCE) {
		__be32 source = half[AT_SOURCE / 2] | r << 16;
		__be32 ports = half[AT_PORTS / 2 + 1] << 16 |
			       bpf_htons(1024 + (r >> 17));

		change(frame, AT_TCP_CSUM, AT_SOURCE, source);
		half[AT_IP_CSUM / 2] = 0;
		r = 0;
		for (int i = ETH_HLEN / 2; i < AT_TCP / 2; i++)
			r += half[i];
		half[AT_IP_CSUM / 2] = ~fold(r);
		change(frame, AT_TCP_CSUM, AT_PORTS, ports);
	}
	if (c->random & FLOOD_SEQ) {
		r = c->step ? c->next : bpf_get_prandom_u32();
		c->next += c->step;
		change(frame, AT_TCP_CSUM, AT_SEQ, bpf_htonl(r));
	}
	if (c->random & FLOOD_ACK)
		change(frame, AT_TCP_CSUM, AT_ACK, bpf_get_prandom_u32());
}

/* Is the next packet due? What was missed by more than 10 ms stays missed. */
static __always_inline int due(struct flood_config *c)
{
	__u64 now = bpf_ktime_get_ns();

	if (now < c->next_ns || now > c->end_ns)
		return 0;
	c->next_ns += c->interval_ns;
	if (c->next_ns + 10000000 < now)
		c->next_ns = now;
	return 1;
}

SEC("xdp")
int flood(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	__u8 *frame = (void *)(long)ctx->data;
	struct flood_config *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&config, &zero);
	if (!c || (void *)frame + AT_TCP + 20 > end)
		return XDP_DROP;
	if (!due(c))
		return XDP_DROP;
	for (__u32 i = 0; i < 256; i += 2) {
		if (i >= c->len || (void *)frame + i + 2 > end)
			break;
		*(__u16 *)(frame + i) = *(__u16 *)(c->frame + i);
	}
	vary(frame, c);
	c->sent++;
	return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
