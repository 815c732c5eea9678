/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Egress of clone-and-index: frame i of an order becomes segment i.
 *
 *      frame in:   | headers | struct segment_order |
 *      frame out:  | headers | slot's bytes [i * seg_len, ...) |
 *
 * All frames of an order pass here in turn, on the CPU that made it, after
 * the ingress program has returned; counting them gives each its index. There
 * is one frame more than segments, the original: it comes last and is dropped,
 * because only clones are sure to have room.
 */
#ifndef DAWN_BPF_SEGMENT_H
#define DAWN_BPF_SEGMENT_H

#include "bpf/response.bpf.h"

/* Index of the frame at hand in its order. */
static __always_inline __u32 next_index(struct segment_state *s, __u32 id)
{
	if (s->egress != id) {
		s->egress = id;
		s->index = 0;
	}
	s->seen++;
	return s->index++;
}

/* Lengths, sequence number, flags and checksums of a segment. */
static __always_inline int finish_headers(struct xdp_md *ctx,
					  const struct segment_order *o,
					  __u32 hdr_len, __u32 seq, __u32 len,
					  __u64 payload_sum, bool last)
{
	__u32 l3_off = o->l3_off & 31;
	__u32 ip_len = o->is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__u32 l4_len = hdr_len - l3_off - ip_len + len;
	struct tcp_head *th;
	word16 *ip;

	ip = packet_at(ctx, l3_off, sizeof(struct iphdr));
	if (!ip)
		return -1;
	if (o->is_v6) {
		ip[2] = bpf_htons(l4_len);
	} else {
		ip[1] = bpf_htons(l4_len + sizeof(struct iphdr));
		ip[5] = ~csum_fold((__u64)o->ip_sum + ip[1]);
	}
	th = packet_at(ctx, l3_off + ip_len, sizeof(struct tcphdr));
	if (!th)
		return -1;
	STORE32(&th->seq, bpf_htonl(seq));
	th->flags = DAWN_TCP_FLAG_ACK | (last ? DAWN_TCP_FLAG_PSH : 0);
	th->csum = ~csum_fold(payload_sum + o->tcp_sum + bpf_htons(l4_len) +
			      bpf_htonl(seq) + bpf_htons(th->flags));
	return 0;
}

/* Make segment `index` of the order out of the frame. Return: 0 or -1. */
static __always_inline int build_segment(struct xdp_md *ctx, struct work *w,
					 const struct segment_order *o,
					 struct dawn_slot *slot, __u32 hdr_len,
					 __u32 index)
{
	__u32 start = index * o->seg_len, len = o->resp_len - start;
	__u32 date_off = dawn_slot_date_off(slot, o->kind);
	bool last = len <= o->seg_len;
	__u64 sum;

	if (!last)
		len = o->seg_len;
	if (start > (DAWN_SEGMENTS_MAX - 1) * DAWN_SEGMENT_BYTES_MAX ||
	    len > DAWN_SEGMENT_BYTES_MAX)
		return -1;
	sum = payload_sum(slot, o->kind, start, len);
	if (resize_frame(ctx, hdr_len + len))
		return -1;
	if (index == 0 && date_off) {
		if (date_of(w, o->date_s))
			return -1;
		sum += w->date_sum;
	}
	if (finish_headers(ctx, o, hdr_len, o->seq + start, len, sum, last))
		return -1;
	if (store_payload(ctx, hdr_len, slot, o->kind, start, len))
		return -1;
	if (index == 0 && date_off)
		return store_date(ctx, w, hdr_len, date_off);
	return 0;
}

/* Return: XDP_PASS, which at egress means: send; or XDP_DROP. */
static __always_inline int make_segment(struct xdp_md *ctx, struct work *w)
{
	struct segment_state *s = segment_state_get();
	__u32 hdr_len = frame_length(ctx) - sizeof(struct segment_order);
	struct segment_order o;
	struct dawn_slot *slot;
	__u32 index;

	if (!s || bpf_xdp_load_bytes(ctx, hdr_len, &o, sizeof(o)))
		return conclude_drop(STAT(map_missing));
	index = next_index(s, o.id);
	if (index * o.seg_len >= o.resp_len)
		return XDP_DROP; /* the surplus frame */
	slot = slot_at(o.slot);
	if (!slot || slot->gen != o.gen ||
	    build_segment(ctx, w, &o, slot, hdr_len, index))
		return conclude_drop(STAT(xmit_failed));
	return XDP_PASS;
}

#endif
