/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* TCP segments without payload: SYN-ACK, ACK, FIN, RST, and what bounds them.
 *
 * A stranger's packets share a CPU's budget of RSTs. What a connection gets is
 * bounded by the connection alone, so nobody learns from it what others were
 * sent, nor can take it from them (CVE-2016-5696), and nothing that a correct
 * peer may send goes unanswered:
 *
 *   old data, FIN again   an ACK, always
 *   nothing, at rcv_nxt-1 an ACK: a keep-alive or window probe. A peer sends
 *                         them by a timer; PROBE_RATE only ends the storm in
 *                         which two ends that disagree answer each other
 *   anything else         a challenge ACK, CHALLENGE_RATE times (RFC 5961, 7)
 */
#ifndef DAWN_BPF_TCP_REPLY_H
#define DAWN_BPF_TCP_REPLY_H

#include "bpf/flow.bpf.h"
#include "bpf/frame.bpf.h"
#include "bpf/tcp_parse.bpf.h"

/* A CPU's budget of RSTs to strangers, a second, on average. */
#define DAWN_RST_RATE 1000
/* Of one connection, in a period of 1,024 ms. */
#define DAWN_CHALLENGE_RATE 10
#define DAWN_PROBE_RATE     100

/* Private, one per CPU; lives on between packets. */
struct token_bucket {
	__u32 tokens;
	__u32 filled_ms;
};

struct buckets {
	struct token_bucket rst;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct buckets);
} budgets SEC(".maps");

/* Refilled whole each second: simple, and a burst of a second's worth is
 * harmless. By how much is random, half to one and a half of the rate: who
 * counts what is left for him must not learn what others have used, which shows
 * whether a guessed packet met a connection (CVE-2016-5696). */
static __always_inline bool take_token(struct token_bucket *b, __u32 now_ms,
				       __u32 rate)
{
	if (now_ms - b->filled_ms >= 1000) {
		b->filled_ms = now_ms;
		b->tokens = rate / 2 + bpf_get_prandom_u32() % rate;
	}
	if (!b->tokens)
		return false;
	b->tokens--;
	return true;
}

static __always_inline bool may_send_rst(const struct work *w)
{
	__u32 zero = 0;
	struct buckets *b = bpf_map_lookup_elem(&budgets, &zero);

	return b && take_token(&b->rst, w->now_ms, DAWN_RST_RATE);
}

/* Count an answer of a kind in the flow's `limits`: period (16 bits), then a
 * byte of probes, one of challenges. `shift`: of the byte. */
static __always_inline bool
may_answer(const struct work *w, struct dawn_flow *f, __u32 shift, __u32 max)
{
	__u32 period = w->now_ms >> 10 << 16;

	if ((f->limits ^ period) >> 16)
		f->limits = period;
	if ((f->limits >> shift & 0xff) >= max)
		return false;
	f->limits += 1U << shift;
	return true;
}

/* What varies in a reply. */
struct tcp_reply {
	__u32 seq;
	__u32 ack;
	__u16 wnd; /* field as on the wire, host order */
	__u8 flags;
	__u8 opt_len; /* of options put at w->opt; a multiple of 4, <= 20 */
};

static __always_inline __u64 sum_words(const void *p, int words)
{
	__u64 sum = 0;

	for (int i = 0; i < words; i++)
		sum += LOAD32((const __u8 *)p + 4 * i);
	return sum;
}

/* TCP header with its checksum behind `off` bytes of w->hdr. The 20 bytes of
 * w->opt behind the options must be zero: they are summed whole. */
static __always_inline void put_tcp(struct work *w, __u32 off,
				    const struct tcp_reply *r,
				    __u32 payload_len, __u64 payload_sum)
{
	struct tcp_head *th = (void *)(w->hdr + (off & 63));
	__u32 len = sizeof(struct tcphdr) + r->opt_len;

	th->sport = w->lport;
	th->dport = w->rport;
	STORE32(&th->seq, bpf_htonl(r->seq));
	STORE32(&th->ack, bpf_htonl(r->ack));
	th->doff = len << 2;
	th->flags = r->flags;
	th->wnd = bpf_htons(r->wnd);
	th->csum = 0;
	th->urg = 0;
	copy_bytes(w->hdr + (off & 63) + sizeof(struct tcphdr), w->opt, 20);
	th->csum = ~csum_fold(payload_sum + csum_pseudo(w, len + payload_len) +
			      sum_words(th, 5) + sum_words(w->opt, 5));
}

static __always_inline void put_no_options(struct work *w)
{
	__builtin_memset(w->opt, 0, 20);
}

static __always_inline void put_timestamps(struct work *w, __u32 tsecr)
{
	STORE32(w->opt, bpf_htonl(DAWN_TCPOPT_TS_WORD));
	STORE32(w->opt + 4, bpf_htonl(w->tsnow));
	STORE32(w->opt + 8, bpf_htonl(tsecr));
	STORE32(w->opt + 12, 0);
	STORE32(w->opt + 16, 0);
}

/* Turn the frame into a segment without payload. Return: 0 or -1, and then
 * the frame is as it was. */
static __always_inline int send_bare(struct xdp_md *ctx, struct work *w,
				     const struct tcp_reply *r)
{
	__u32 l4_len = sizeof(struct tcphdr) + r->opt_len;
	__u32 off = reply_l3(w) + ip_header_len(w);

	if (resize_frame(ctx, off + l4_len))
		return -1;
	put_headers(w, l4_len, reply_tos(w));
	put_tcp(w, off, r, 0, 0);
	return store_headers(ctx, w, off + l4_len);
}

/* Options of a segment of a flow, into w->opt. Return: their length. */
static __always_inline __u32 put_flow_options(struct work *w,
					      const struct dawn_flow *f)
{
	if (!(f->flags & DAWN_FLOW_TS)) {
		put_no_options(w);
		return 0;
	}
	put_timestamps(w, f->ts_recent);
	return DAWN_TS_LEN;
}

/* A segment without payload of a flow, out of its present state. */
dawn_subprog int send_flow_bare(struct xdp_md *ctx, struct work *w,
				struct dawn_flow *f, __u32 seq, __u32 flags)
{
	struct tcp_reply r = {};

	if (!w || !f)
		return -1;
	r.seq = seq;
	r.ack = f->rcv_nxt;
	r.wnd = dawn_flow_window_field(f);
	r.flags = flags;
	r.opt_len = put_flow_options(w, f);
	f->rcv_adv = f->rcv_nxt + dawn_flow_window(f);
	return send_bare(ctx, w, &r);
}

/* RST in answer to a segment of no connection (RFC 9293, 3.5.2). */
dawn_subprog int answer_rst(struct xdp_md *ctx, struct work *w)
{
	struct tcp_reply r = { .flags = DAWN_TCP_FLAG_RST };

	if (!w)
		return DROP(map_missing);
	if (!may_send_rst(w))
		return DROP(rate_limited);
	if (w->tcp_flags & DAWN_TCP_FLAG_ACK) {
		r.seq = w->ack;
	} else {
		r.flags |= DAWN_TCP_FLAG_ACK;
		r.ack = w->seq + w->payload_len + 1;
	}
	put_no_options(w);
	if (send_bare(ctx, w, &r))
		return DROP(map_missing);
	return TX(rst_sent);
}

/* An ACK that says where we are: to what may come from somebody who guesses
 * (RFC 5961). */
dawn_subprog int challenge(struct xdp_md *ctx, struct work *w,
			   struct dawn_flow *f)
{
	if (!w || !f)
		return DROP(map_missing);
	if (!may_answer(w, f, 0, DAWN_CHALLENGE_RATE))
		return DROP(rate_limited);
	if (send_flow_bare(ctx, w, f, f->snd_nxt, DAWN_TCP_FLAG_ACK))
		return DROP(map_missing);
	return TX(challenge_ack);
}

/* The same to what a correct peer sends: what we have already, `len` bytes of
 * it, FIN included (RFC 9293, 3.10.7.4). */
dawn_subprog int ack_again(struct xdp_md *ctx, struct work *w,
			   struct dawn_flow *f, __u32 len)
{
	if (!w || !f)
		return DROP(map_missing);
	if (!len && !may_answer(w, f, 8, DAWN_PROBE_RATE))
		return DROP(rate_limited);
	if (send_flow_bare(ctx, w, f, f->snd_nxt, DAWN_TCP_FLAG_ACK))
		return DROP(map_missing);
	return TX(acked_again);
}

#endif
