/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Sending a cached response: in the request's own frame if it is one segment
 * that fits there, else through clones (segment.bpf.h makes the segments).
 *
 * A segment's payload sum is one subtraction of the slot's prefix sums; only
 * an end that is no multiple of 16 costs two words more.
 */
#ifndef DAWN_BPF_RESPONSE_H
#define DAWN_BPF_RESPONSE_H

#include "bpf/cache.bpf.h"
#include "bpf/date.bpf.h"
#include "bpf/tcp_reply.bpf.h"

/* What dawn_xdp tells dawn_segment about a response, at the end of the frame
 * behind headers that are right but for what depends on the segment: lengths,
 * sequence number, PSH, checksums. */
struct segment_order {
	__u32 id; /* of the order, on this CPU */
	__u32 slot;
	__u32 gen;
	__u32 seq; /* of the response's first byte */
	__u32 date_s;
	__u16 resp_len;
	__u16 seg_len; /* payload of all segments but the last */
	__u16 tcp_sum; /* pseudo-header and TCP header without length, sequence
			* number, flags byte and checksum */
	__u16 ip_sum;  /* IPv4 header without length and checksum */
	__u8 l3_off;
	__u8 is_v6;
	__u16 kind; /* enum dawn_resp_kind */
};
_Static_assert(sizeof(struct segment_order) == 32, "no holes");

/* Private, one per CPU; lives on between packets. */
struct segment_state {
	__u32 order;     /* id of the latest order */
	__u32 egress;    /* id of the order whose frames pass egress */
	__u32 index;     /* frames of it seen */
	__u32 queued;    /* frames redirected, ever */
	__u32 seen;      /* frames that reached egress, ever */
	__u32 budget;    /* segments that may still be sent in this poll */
	__u32 queued_ms; /* when the last order was queued */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct segment_state);
} segment_states SEC(".maps");

static __always_inline struct segment_state *segment_state_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&segment_states, &zero);
}

/* Sum of data[start, end); start is a multiple of 16. Without the Date. */
static __always_inline __u64 slot_sum(const struct dawn_slot *slot, __u32 start,
				      __u32 end)
{
	__u32 rest = end & 15, words = end;
	__u64 a, b, sum;

	start = start / 16;
	end = end / 16;
	OPAQUE(start);
	OPAQUE(end);
	OPAQUE(words);
	words &= 0x3ff0;
	if (start >= DAWN_PSUMS || end >= DAWN_PSUMS)
		return 0;
	sum = slot->psum[end] + (__u16)~slot->psum[start];
	if (!rest)
		return sum;
	a = LOAD64(slot->data + words);
	b = LOAD64(slot->data + words + 8);
	if (rest < 8) {
		a &= (1ULL << rest * 8) - 1;
		b = 0;
	} else {
		b &= (1ULL << (rest - 8) * 8) - 1;
	}
	return sum + (__u32)a + (a >> 32) + (__u32)b + (b >> 32);
}

/* Payload [start, start + len) of an answer of that kind, Date not included:
 * into the frame, and its sum. start is a multiple of 16; 0 for a 304. */
static __always_inline int store_payload(struct xdp_md *ctx, __u32 off,
					 const struct dawn_slot *slot,
					 __u32 kind, __u32 start, __u32 len)
{
	if (kind == DAWN_RESP_NOT_MODIFIED) {
		len = BOUND_LEN(len, 0xff);
		return bpf_xdp_store_bytes(ctx, off, (void *)slot->nm, len);
	}
	len = BOUND_LEN(len, 0x7ff);
	OPAQUE(start);
	if (start > (DAWN_SEGMENTS_MAX - 1) * DAWN_SEGMENT_BYTES_MAX)
		return -1;
	return bpf_xdp_store_bytes(ctx, off, (void *)slot->data + start, len);
}

static __always_inline __u64 payload_sum(const struct dawn_slot *slot,
					 __u32 kind, __u32 start, __u32 len)
{
	if (kind == DAWN_RESP_NOT_MODIFIED)
		return slot->nm_sum;
	return slot_sum(slot, start, start + len);
}

/* Payload bytes of a full segment of this flow. */
static __always_inline __u32 segment_bytes(const struct dawn_flow *f)
{
	__u32 n = f->mss - (f->flags & DAWN_FLOW_TS ? DAWN_TS_LEN : 0);

	if (n > DAWN_SEGMENT_BYTES_MAX)
		n = DAWN_SEGMENT_BYTES_MAX;
	return n & ~(DAWN_SEGMENT_ALIGN - 1);
}

/* Put the Date into the frame's payload, which begins at `off`. */
static __always_inline int store_date(struct xdp_md *ctx, struct work *w,
				      __u32 off, __u32 date_off)
{
	__u8 *date = packet_at(ctx, off + date_off, DAWN_DATE_LEN);

	if (!date)
		return -1;
	copy_bytes(date, w->date_text, DAWN_DATE_LEN);
	return 0;
}

/* The whole response as one segment in the frame at hand.
 * Return: 0; or -1, and then the frame is as it was. */
static __always_inline int send_single(struct xdp_md *ctx, struct work *w,
				       struct dawn_flow *f)
{
	struct tcp_reply r = {};
	struct dawn_slot *slot;
	__u32 off, len, l4_off, date_off;
	__u64 sum;

	if (!w || !f)
		return -1;
	slot = slot_at(w->resp.slot);
	len = w->resp.len;
	if (!slot || len > DAWN_SEGMENT_BYTES_MAX)
		return -1;
	r.seq = w->resp.seq;
	r.ack = f->rcv_nxt;
	r.wnd = dawn_flow_window_field(f);
	r.flags = DAWN_TCP_FLAG_ACK | DAWN_TCP_FLAG_PSH;
	r.opt_len = put_flow_options(w, f);
	l4_off = reply_l3(w) + ip_header_len(w);
	off = l4_off + sizeof(struct tcphdr) + r.opt_len;
	if (resize_frame(ctx, off + len))
		return -1;
	sum = payload_sum(slot, w->resp.kind, 0, len);
	date_off = dawn_slot_date_off(slot, w->resp.kind);
	if (date_off)
		sum += w->date_sum;
	put_headers(w, off - l4_off + len, reply_tos(w));
	put_tcp(w, l4_off, &r, len, sum);
	if (store_headers_first(ctx, w, off) ||
	    store_payload(ctx, off, slot, w->resp.kind, 0, len))
		return -1;
	return date_off ? store_date(ctx, w, off, date_off) : 0;
}

/* Is there budget for n segments in this poll of the device?
 *
 * A device's transmit ring may be short, and what does not fit is lost without
 * a word. There is no hook at the end of a poll, but its frames leave the bulk
 * queue then at the latest, and within a poll the queue never gets empty once
 * it holds a frame (bq_enqueue() in the kernel's devmap.c flushes a full queue
 * before it adds a frame, not after). So an empty queue says: a new poll.
 * Frames lost on the way to egress are forgotten after 16 ms.
 */
static __always_inline bool take_segments(struct segment_state *s,
					  const struct work *w,
					  const struct dawn_config *cfg,
					  __u32 n)
{
	if (s->queued == s->seen || w->now_ms - s->queued_ms > 16) {
		s->seen = s->queued;
		s->budget = cfg->segment_budget ?: DAWN_SEGMENT_BUDGET;
	}
	if (s->budget < n)
		return false;
	s->budget -= n;
	s->queued += n + 1;
	s->queued_ms = w->now_ms;
	return true;
}

/* Headers as segment_order wants them, into w->hdr, and the sums of them. */
static __always_inline void put_order_headers(struct work *w,
					      const struct dawn_flow *f,
					      struct segment_order *o,
					      __u32 l4_off, __u32 opt_len)
{
	struct tcp_reply r = {};
	const word16 *half;
	__u64 sum = 0;

	r.ack = f->rcv_nxt;
	r.wnd = dawn_flow_window_field(f);
	r.flags = 0;
	r.opt_len = opt_len;
	put_headers(w, 0, reply_tos(w));
	put_tcp(w, l4_off, &r, 0, 0);
	half = (const void *)(w->hdr + (l4_off & 63));
	/* put_tcp() summed its own length too; take it out again. */
	o->tcp_sum =
		csum_fold((__u64)(__u16)~half[8] +
			  (__u16)~bpf_htons(sizeof(struct tcphdr) + opt_len));
	half = (const void *)(w->hdr + reply_l3(w));
	for (int i = 0; i < 10; i++)
		sum += i == 1 || i == 5 ? 0 : half[i];
	o->ip_sum = csum_fold(sum);
	o->l3_off = reply_l3(w);
	o->is_v6 = w->is_v6;
}

/* Make the frame an order for n segments. Return: 0, or a verdict. */
dawn_subprog int send_clones(struct xdp_md *ctx, struct work *w,
			     struct dawn_flow *f, __u32 n)
{
	struct segment_state *s = segment_state_get();
	struct dawn_config *cfg = config_get();
	struct segment_order o = {};
	__u32 l4_off, off, opt_len;

	if (!w || !f || !s || !cfg)
		return DROP(map_missing);
	if (!(w->flags & DAWN_CONFIG_CLONES))
		return PUNT(no_room);
	opt_len = put_flow_options(w, f);
	l4_off = reply_l3(w) + ip_header_len(w);
	off = l4_off + sizeof(struct tcphdr) + opt_len;
	if (!take_segments(s, w, cfg, n))
		return PUNT(segment_budget);
	if (resize_frame(ctx, off + sizeof(o)))
		return PUNT(no_room);
	o.id = ++s->order;
	o.slot = w->resp.slot;
	o.gen = w->resp.gen;
	o.seq = w->resp.seq;
	o.date_s = w->resp.date_s;
	o.resp_len = w->resp.len;
	o.seg_len = segment_bytes(f);
	o.kind = w->resp.kind;
	put_order_headers(w, f, &o, l4_off, opt_len);
	if (store_headers_first(ctx, w, off) ||
	    bpf_xdp_store_bytes(ctx, off, &o, sizeof(o)))
		return DROP(map_missing);
	return 0;
}

/* The interface's MTU may have become smaller since the handshake. */
static __always_inline void limit_mss(const struct work *w, struct dawn_flow *f)
{
	struct dawn_config *cfg = config_get();
	__u32 mss = cfg ? local_mss(w->is_v6, cfg) : f->mss;

	if (f->mss > mss)
		f->mss = mss;
}

/* Send w->resp on a flow. Return: TX(http_hit) or CLONE; or another verdict,
 * and then the frame is as it was. */
dawn_subprog int send_response(struct xdp_md *ctx, struct work *w,
			       struct dawn_flow *f)
{
	struct dawn_slot *slot;
	__u32 seg, n, date_off;
	int verdict;

	if (!w || !f)
		return DROP(map_missing);
	limit_mss(w, f);
	slot = slot_at(w->resp.slot);
	seg = segment_bytes(f);
	if (!slot || slot->gen != w->resp.gen || !w->resp.len || !seg)
		return PUNT(cache_gone);
	n = (w->resp.len + seg - 1) / seg;
	if (n > DAWN_SEGMENTS_MAX || w->resp.len > DAWN_RESP_MAX ||
	    (n > 1 && w->resp.kind == DAWN_RESP_NOT_MODIFIED))
		return PUNT(segments_many);
	date_off = dawn_slot_date_off(slot, w->resp.kind);
	if (date_off) {
		if (date_off + DAWN_DATE_LEN > seg ||
		    date_off + DAWN_DATE_LEN > w->resp.len)
			return PUNT(segments_many);
		if (date_of(w, w->resp.date_s))
			return DROP(map_missing);
	}
	if (n == 1 && !send_single(ctx, w, f))
		return TX(http_hit);
	verdict = send_clones(ctx, w, f, n);
	return verdict ? verdict : CLONE(n);
}

#endif
