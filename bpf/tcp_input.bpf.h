/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* One segment of a flow that XDP holds (its owner word is LOCKED, by us).
 *
 * XDP keeps a connection as long as it goes by the book: requests in order,
 * each a single segment, each response acknowledged before the next request,
 * then FIN. At anything else it gives the flow up: the reactor gets the entry
 * as it stands and the packet as it came, and finds the same connection. So
 * no branch here may change the entry and give up afterwards, unless the
 * change is true by itself (what was acknowledged, the window).
 *
 * While no reactor is alive there is nobody to give up to. Then XDP sends a
 * response again itself (on a repeated request or the third duplicate ACK),
 * and drops what it cannot treat, its state unchanged: the peer repeats it.
 */
#ifndef DAWN_BPF_TCP_INPUT_H
#define DAWN_BPF_TCP_INPUT_H

#include "bpf/memo.bpf.h"
#include "bpf/response.bpf.h"
#include "bpf/timewait.bpf.h"

#define DAWN_DUPACKS_MAX 3

/* Blocks in a bare ACK while nothing is on its way: a copy that came late, or a
 * lie. There is nothing to send again, so they say nothing. */
static __always_inline bool sack_is_idle(const struct work *w,
					 const struct dawn_flow *f)
{
	__u32 agreed = f->flags & DAWN_FLOW_TS ? DAWN_OPT_TS : 0;

	return w->opts == (DAWN_OPT_SACK | agreed) && !w->payload_len &&
	       f->snd_una == f->snd_nxt;
}

/* What the reactor must see. Return: 0, or PUNT(reason). */
static __always_inline int check_unusual(const struct work *w,
					 const struct dawn_flow *f)
{
	bool ts = f->flags & DAWN_FLOW_TS;

	if (w->tcp_flags &
	    (DAWN_TCP_FLAG_URG | DAWN_TCP_FLAG_ECE | DAWN_TCP_FLAG_CWR))
		return PUNT(tcp_flags);
	if ((w->tos & 3) == 3)
		return PUNT(tcp_ce);
	if (w->opts & DAWN_OPT_SACK) {
		if (!sack_is_idle(w, f))
			return PUNT(tcp_sack);
	} else if ((w->opts & ~DAWN_OPT_TS) ||
		   w->doff != sizeof(struct tcphdr) + (ts ? DAWN_TS_LEN : 0)) {
		return PUNT(tcp_options);
	}
	if (ts && seq_diff(w->tsval, f->ts_recent) < 0)
		return PUNT(tcp_paws);
	return 0;
}

/* Does any of the segment lie in the window (RFC 9293, 3.4)? */
static __always_inline bool in_window(const struct work *w,
				      const struct dawn_flow *f)
{
	__u32 window = dawn_flow_window(f), ahead = w->seq - f->rcv_nxt;

	return ahead < window ||
	       (w->payload_len && ahead + w->payload_len - 1 < window);
}

static __always_inline void set_unacked(struct work *w, bool on)
{
	unacked_set(w->flow_index, on);
}

/* A response is sent again (RFC 5681, 3.1 and 3.2): half of it at a time next,
 * but if it is the peer's timer that says so (`timeout`), a segment, and slow
 * start. The threshold falls once for a response. What is sent while no reactor
 * is alive is not held to it, see find_answer(). */
static __always_inline void take_loss(struct dawn_flow *f, bool timeout)
{
	__u32 half = (f->snd_nxt - f->snd_una) / 2, least = 2 * f->mss;
	bool first = !(f->flags & DAWN_FLOW_RESENT);

	if (first)
		f->ssthresh = half > least ? half : least;
	if (timeout)
		f->cwnd = f->mss;
	else if (first)
		f->cwnd = f->ssthresh;
	f->flags |= DAWN_FLOW_RESENT;
}

/* The response once more, the same bytes; only while no reactor is alive. */
static __always_inline int resend(struct xdp_md *ctx, struct work *w,
				  struct dawn_flow *f, int reason)
{
	struct dawn_config *cfg = config_get();
	int verdict;

	if (!cfg)
		return DROP(map_missing);
	if (!reactor_silent(w, cfg))
		return give_up(w, reason);
	if (orphan_expired(w, cfg))
		return DROP(orphan_stop);
	if (f->snd_nxt - f->snd_una > f->snd_wnd)
		return DROP(no_socket); /* the window shrank meanwhile */
	w->resp.slot = f->resp_slot;
	w->resp.gen = f->resp_gen;
	w->resp.seq = f->resp_seq;
	w->resp.len = f->resp_len;
	w->resp.date_s = f->resp_date_s;
	w->resp.kind = f->resp_kind;
	verdict = send_response(ctx, w, f);
	f->last_sent_ms = w->now_ms;
	take_loss(f, reason != PUNT(tcp_dup_ack));
	if (verdict == TX(http_hit))
		return TX(http_resend);
	if (verdict_kind(verdict) == DAWN_VERDICT_CLONE) {
		COUNT(http_resend);
		return verdict;
	}
	return verdict_kind(verdict) == DAWN_VERDICT_PUNT ? DROP(no_socket)
							  : verdict;
}

/* A segment that does not begin at rcv_nxt. */
static __always_inline int input_elsewhere(struct xdp_md *ctx, struct work *w,
					   struct dawn_flow *f)
{
	__u32 fin = w->tcp_flags & DAWN_TCP_FLAG_FIN;
	__s32 behind = seq_diff(f->rcv_nxt, w->seq);
	__s32 len = w->payload_len + fin;

	if (behind < 0 && w->seq - f->rcv_nxt >= dawn_flow_window(f))
		return challenge(ctx, w, f); /* RFC 9293, 3.10.7.4 */
	if (behind < 0)
		return give_up(w, PUNT(tcp_out_of_order));
	if (f->resp_kind != DAWN_RESP_NONE && w->payload_len &&
	    w->seq == f->req_seq && w->payload_len == f->req_len)
		return resend(ctx, w, f, PUNT(tcp_out_of_order));
	if (f->state == DAWN_TCP_LAST_ACK && fin && behind == len) {
		if (send_flow_bare(ctx, w, f, f->snd_nxt - 1,
				   DAWN_TCP_FLAG_FIN | DAWN_TCP_FLAG_ACK))
			return DROP(map_missing);
		return TX(fin_acked);
	}
	if (len > behind)
		return give_up(w, PUNT(tcp_out_of_order));
	if (!len && behind > 1)
		return challenge(ctx, w, f);
	return ack_again(ctx, w, f, len);
}

/* RFC 6298 with a clock of a few milliseconds. What was sent twice makes no
 * sample (Karn's rule). */
static __always_inline void take_rtt(const struct work *w, struct dawn_flow *f)
{
	__u32 rtt = w->now_ms - f->last_sent_ms, err;

	if (rtt > 60000 || f->flags & DAWN_FLOW_RESENT)
		return;
	rtt = rtt ? rtt * 1000 : 1000;
	if (!f->srtt_us) {
		f->srtt_us = rtt;
		f->rttvar_us = rtt / 2;
		return;
	}
	err = f->srtt_us > rtt ? f->srtt_us - rtt : rtt - f->srtt_us;
	f->rttvar_us = f->rttvar_us - f->rttvar_us / 4 + err / 4;
	f->srtt_us = f->srtt_us - f->srtt_us / 8 + rtt / 8;
}

/* New data is acknowledged. */
static __always_inline void take_acked(struct work *w, struct dawn_flow *f)
{
	__u32 acked = w->ack - f->snd_una;

	/* RFC 5681 slow start, only if the window was what held us back. */
	if (f->cwnd < f->ssthresh && f->snd_nxt - f->snd_una >= f->cwnd)
		f->cwnd += acked < f->mss ? acked : f->mss;
	f->snd_una = w->ack;
	f->dupacks = 0;
	if (f->snd_una != f->snd_nxt)
		return;
	take_rtt(w, f);
	f->resp_kind = DAWN_RESP_NONE;
	set_unacked(w, false);
}

static __always_inline __u32 peer_window(const struct work *w,
					 const struct dawn_flow *f)
{
	return w->wnd << (f->snd_wscale & 15);
}

/* The same ACK again, while something is outstanding (RFC 5681, 2). */
static __always_inline bool is_dup_ack(const struct work *w,
				       const struct dawn_flow *f)
{
	return w->ack == f->snd_una && f->snd_una != f->snd_nxt &&
	       !w->payload_len && !(w->tcp_flags & DAWN_TCP_FLAG_FIN) &&
	       peer_window(w, f) == f->snd_wnd;
}

/* The reactor gets the flow at the first; alone, XDP waits for the third. */
static __always_inline int input_dup_ack(struct xdp_md *ctx, struct work *w,
					 struct dawn_flow *f)
{
	int verdict = give_up(w, PUNT(tcp_dup_ack));

	if (verdict == PUNT(tcp_dup_ack))
		return verdict;
	if (++f->dupacks < DAWN_DUPACKS_MAX || f->resp_kind == DAWN_RESP_NONE)
		return DONE(ack_seen);
	f->dupacks = 0;
	return resend(ctx, w, f, PUNT(tcp_dup_ack));
}

/* What an in-order segment says whatever else it holds. */
static __always_inline void take_facts(struct work *w, struct dawn_flow *f)
{
	f->snd_wnd = peer_window(w, f);
	if (f->flags & DAWN_FLOW_TS) {
		f->ts_recent = w->tsval;
		f->ts_recent_ms = w->now_ms;
	}
	f->last_seen_ms = w->now_ms;
	copy_bytes(f->peer_mac, w->l2 + 6, 6);
	f->vlan_outer = w->vlan_outer;
	f->vlan_inner = w->vlan_inner;
	if (w->outer_ad)
		f->flags |= DAWN_FLOW_OUTER_AD;
	else
		f->flags &= ~DAWN_FLOW_OUTER_AD;
}

/* How far behind an ACK may be: the peer's window, as it is now. */
static __always_inline __u32 oldest_ack(const struct dawn_flow *f)
{
	return f->snd_wnd > 0xffff ? f->snd_wnd : 0xffff;
}

/* The ACK field. Return: 0, go on with the payload; or a verdict. */
static __always_inline int input_ack(struct xdp_md *ctx, struct work *w,
				     struct dawn_flow *f)
{
	__u32 acked = w->ack - f->snd_una;
	__u32 outstanding = f->snd_nxt - f->snd_una;

	if (acked > outstanding) {
		/* Never sent, or older than any window: RFC 5961, 5.2. */
		if ((__s32)acked > 0 || 0 - acked > oldest_ack(f))
			return challenge(ctx, w, f);
		return w->payload_len ? give_up(w, PUNT(tcp_ack_range))
				      : DROP(old_ack);
	}
	if (is_dup_ack(w, f))
		return input_dup_ack(ctx, w, f);
	take_facts(w, f);
	if (acked)
		take_acked(w, f);
	return 0;
}

static __always_inline int input_fin(struct xdp_md *ctx, struct work *w,
				     struct dawn_flow *f)
{
	if (w->payload_len || f->snd_una != f->snd_nxt)
		return give_up(w, PUNT(tcp_fin_data));
	f->rcv_nxt++;
	if (send_flow_bare(ctx, w, f, f->snd_nxt,
			   DAWN_TCP_FLAG_FIN | DAWN_TCP_FLAG_ACK)) {
		f->rcv_nxt--;
		return DROP(map_missing);
	}
	f->snd_nxt++;
	f->state = DAWN_TCP_LAST_ACK;
	f->last_sent_ms = w->now_ms;
	set_unacked(w, true);
	return TX(fin_acked);
}

/* Parse, look up, check what the peer can take. Return: 0 with w->resp filled,
 * or a verdict. */
static __always_inline int find_answer(struct xdp_md *ctx, struct work *w,
				       struct dawn_flow *f)
{
	struct dawn_config *cfg = config_get();
	int verdict;

	if (!cfg)
		return DROP(map_missing);
	if (w->service.kind != DAWN_SERVICE_HTTP)
		return PUNT(http_method);
	if (load_segment(ctx, w))
		return PUNT(http_incomplete);
	if (!memo_find(w)) {
		verdict = parse_request(ctx, w);
		if (!verdict)
			verdict = lookup_response(ctx, w);
		if (verdict)
			return verdict;
		memo_note(ctx, w);
	}
	if (orphan_expired(w, cfg))
		return DROP(orphan_stop);
	if (w->resp.len > f->snd_wnd)
		return PUNT(tcp_window);
	/* Without a reactor nobody could send the rest as ACKs come in: then
	 * the whole answer at once, which is never more than an initial window
	 * (RFC 6928), whatever was lost before. */
	if (w->resp.len > f->cwnd && !reactor_silent(w, cfg))
		return PUNT(tcp_window);
	w->resp.seq = f->snd_nxt;
	w->resp.date_s = date_now(w, cfg);
	return 0;
}

/* Note a response that was sent. */
static __always_inline void note_sent(struct work *w, struct dawn_flow *f,
				      __u32 segments)
{
	f->req_seq = w->seq;
	f->req_len = w->payload_len;
	f->snd_nxt += w->resp.len;
	f->resp_seq = w->resp.seq;
	f->resp_len = w->resp.len;
	f->resp_slot = w->resp.slot;
	f->resp_gen = w->resp.gen;
	f->resp_date_s = w->resp.date_s;
	f->resp_kind = w->resp.kind;
	f->flags &= ~DAWN_FLOW_RESENT;
	f->last_sent_ms = w->now_ms;
	f->rcv_adv = f->rcv_nxt + dawn_flow_window(f);
	set_unacked(w, true);
	count_slot_hit(w->resp.slot);
	if (w->resp.kind == DAWN_RESP_NOT_MODIFIED)
		COUNT(http_304);
	ADD(http_hit_segments, segments);
}

/* A request that is not ours to answer. Without a daemon, and none wanted,
 * nobody will: better told at once than left to time out. */
static __always_inline int give_up_request(struct xdp_md *ctx, struct work *w,
					   int reason)
{
	int verdict = give_up(w, reason);

	if (verdict != DROP(no_socket) || !(w->flags & DAWN_CONFIG_STANDALONE))
		return verdict;
	stats_add(reason & 0xffff, 1);
	return close_flow(w, answer_rst(ctx, w));
}

static __always_inline int input_data(struct xdp_md *ctx, struct work *w,
				      struct dawn_flow *f)
{
	int verdict;

	if (!w || !f)
		return DROP(map_missing);
	if (f->snd_una != f->snd_nxt)
		return give_up(w, PUNT(tcp_unacked));
	verdict = find_answer(ctx, w, f);
	if (!verdict) {
		f->rcv_nxt += w->payload_len; /* the answer's ACK */
		verdict = send_response(ctx, w, f);
		if (verdict == TX(http_hit)) {
			note_sent(w, f, 1);
			return verdict;
		}
		if (verdict_kind(verdict) == DAWN_VERDICT_CLONE) {
			note_sent(w, f, verdict & 0xffff);
			COUNT(http_hit);
			return verdict;
		}
		f->rcv_nxt -= w->payload_len;
	}
	if (verdict_kind(verdict) == DAWN_VERDICT_PUNT)
		return give_up_request(ctx, w, verdict);
	return verdict;
}

/* Return: a verdict, or GONE; w->release says what the flow becomes. */
dawn_subprog int tcp_input(struct xdp_md *ctx, struct work *w,
			   struct dawn_flow *f)
{
	int verdict;

	if (!w || !f)
		return DROP(map_missing);
	w->release = DAWN_OWNER_KERNEL;
	if (f->state == DAWN_TCP_TIME_WAIT) {
		verdict = input_time_wait(ctx, w, f);
		if (verdict)
			return verdict;
	}
	if (w->tcp_flags & DAWN_TCP_FLAG_RST)
		return input_rst(ctx, w, f);
	if (w->tcp_flags & DAWN_TCP_FLAG_SYN)
		return challenge(ctx, w, f);
	verdict = check_unusual(w, f);
	if (verdict) /* who guesses must not have the reactor work */
		return in_window(w, f) ? give_up(w, verdict)
				       : challenge(ctx, w, f);
	if (w->seq != f->rcv_nxt)
		return input_elsewhere(ctx, w, f);
	verdict = input_ack(ctx, w, f);
	if (verdict)
		return verdict;
	if (f->state == DAWN_TCP_LAST_ACK) {
		if (f->snd_una == f->snd_nxt)
			return close_flow(w, DONE(ack_seen));
		return DONE(ack_seen);
	}
	if (w->tcp_flags & DAWN_TCP_FLAG_FIN)
		return input_fin(ctx, w, f);
	if (w->payload_len)
		return input_data(ctx, w, f);
	return DONE(ack_seen);
}

#endif
