/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Answers are written over the request: its frame is resized, then headers
 * made in w->hdr and the payload are stored into it.
 *
 * Nothing of the request is needed any more then, so a frame may grow at
 * either end. Frames of a kernel socket that arrive through veth have no
 * tailroom, but nearly always headroom.
 */
#ifndef DAWN_BPF_FRAME_H
#define DAWN_BPF_FRAME_H

#include "bpf/checksum.bpf.h"

#define DAWN_IP_DF    0x4000
#define DAWN_HDR_FAST 88 /* 14 + 40 + 32 bytes, in whole words */

/* Offset of the network header in w->hdr, bounded for the verifier. */
static __always_inline __u32 reply_l3(const struct work *w)
{
	__u32 off = w->l3_off;

	OPAQUE(off);
	return off & 31;
}

static __always_inline __u32 ip_header_len(const struct work *w)
{
	return w->is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

/* Give the frame `want` bytes. Return: 0, or -1: it is as it was. */
static __always_inline int resize_frame(struct xdp_md *ctx, __u32 want)
{
	int delta = (int)want - (int)frame_length(ctx);

	if (!delta || !bpf_xdp_adjust_tail(ctx, delta))
		return 0;
	if (delta > 0 && !bpf_xdp_adjust_head(ctx, -delta))
		return 0;
	return -1;
}

/* Link header of the answer: as received, addresses exchanged, same tags. */
static __always_inline void put_link(struct work *w)
{
	copy_bytes(w->hdr, w->l2 + 6, 6);
	copy_bytes(w->hdr + 6, w->l2, 6);
	copy_bytes(w->hdr + 12, w->l2 + 12, DAWN_L2_MAX - 12);
}

static __always_inline __u8 reply_ttl(const struct work *w)
{
	return w->service.ttl ?: DAWN_TTL;
}

/* The TOS byte of what is ours to choose; not ECN-capable. */
static __always_inline __u8 reply_tos(const struct work *w)
{
	return w->service.dscp << 2;
}

static __always_inline void put_ipv4(struct work *w, __u32 l4_len, __u8 tos)
{
	struct iphdr *iph = (void *)(w->hdr + reply_l3(w));
	const word16 *half = (const void *)iph;
	__u64 sum = 0;

	iph->version = 4;
	iph->ihl = 5;
	iph->tos = tos;
	iph->tot_len = bpf_htons(sizeof(*iph) + l4_len);
	iph->id = 0;
	iph->frag_off = bpf_htons(DAWN_IP_DF);
	iph->ttl = reply_ttl(w);
	iph->protocol = w->proto;
	iph->check = 0;
	STORE32(&iph->saddr, w->laddr.w[3]);
	STORE32(&iph->daddr, w->raddr.w[3]);
#pragma unroll
	for (int i = 0; i < 6; i++)
		sum += half[i];
	sum += (__u64)w->laddr.w[3] + w->raddr.w[3];
	iph->check = ~csum_fold(sum);
}

static __always_inline void put_ipv6(struct work *w, __u32 l4_len, __u8 tos)
{
	struct ipv6hdr *ip6h = (void *)(w->hdr + reply_l3(w));

	STORE32(ip6h, bpf_htonl(6U << 28 | (__u32)tos << 20));
	ip6h->payload_len = bpf_htons(l4_len);
	ip6h->nexthdr = w->proto;
	ip6h->hop_limit = reply_ttl(w);
	copy_bytes(&ip6h->saddr, &w->laddr, sizeof(w->laddr));
	copy_bytes(&ip6h->daddr, &w->raddr, sizeof(w->raddr));
}

/* Link and IP header of the answer into w->hdr. `l4_len`: what follows them;
 * `tos`: DSCP and ECN. Return: their length. */
static __always_inline __u32 put_headers(struct work *w, __u32 l4_len, __u8 tos)
{
	put_link(w);
	if (w->is_v6)
		put_ipv6(w, l4_len, tos);
	else
		put_ipv4(w, l4_len, tos);
	return reply_l3(w) + ip_header_len(w);
}

/* The first `len` bytes of w->hdr onto the front of the frame. */

static __always_inline int store_headers(struct xdp_md *ctx, struct work *w,
					 __u32 len)
{
	len = BOUND_LEN(len, 0x7f);
	return bpf_xdp_store_bytes(ctx, 0, w->hdr, len);
}

/* The same where a payload is stored next: without a helper, whose call costs
 * more than the copy. What is written too far, the payload overwrites. */
static __always_inline int store_headers_first(struct xdp_md *ctx,
					       struct work *w, __u32 len)
{
	__u8 *front = packet_at(ctx, 0, DAWN_HDR_FAST);

	if (!front || len > DAWN_HDR_FAST)
		return store_headers(ctx, w, len);
	copy_bytes(front, w->hdr, DAWN_HDR_FAST);
	return 0;
}

#endif
