/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* TIME_WAIT: the reactor has closed a connection, its last ACK is out, and it
 * has given the entry to us. We answer for it for 2 MSL (RFC 9293, 3.6.1).
 *
 *   FIN again                ACK, and 2 MSL begin anew (last_seen_ms)
 *   old data, probes         ACK
 *   RST, exact               closed (RFC 9293, 3.10.7.4). RFC 1337 would have
 *                            it ignored; but a client that has lost its state
 *                            gets rid of the old connection only by the RST
 *                            with which it answers our challenge ACK
 *   SYN that RFC 6191 allows SYN-ACK with a cookie. Nothing is changed: it may
 *                            be an old duplicate
 *   ACK that proves it       the entry begins anew, in place
 *   any other SYN            challenge ACK (RFC 9293, 3.10.7.4)
 *   older than 2 MSL         as if there were no entry; the sweeper frees those
 *                            for which nobody speaks
 */
#ifndef DAWN_BPF_TIMEWAIT_H
#define DAWN_BPF_TIMEWAIT_H

#include "bpf/syn.bpf.h"
#include "bpf/tcp_end.bpf.h"

/* May a handshake with these ISNs follow this connection (RFC 6191, 2)? Where
 * no timestamps tell old segments of ours from new ones, our own ISN must lie
 * beyond what we used too (RFC 9293, 3.6.1, MAY-2). */
static __always_inline bool may_reopen(const struct work *w,
				       const struct dawn_flow *f,
				       __u32 peer_isn, __u32 isn)
{
	bool ts = w->opts & DAWN_OPT_TS;
	bool newer = seq_diff(peer_isn, f->rcv_nxt) > 0;
	__s32 later = seq_diff(w->tsval, f->ts_recent);

	if (ts && !(f->flags & DAWN_FLOW_TS))
		return true;
	if (ts)
		return later > 0 || (!later && newer);
	return newer && seq_diff(isn, f->snd_nxt) > 0;
}

static __always_inline int syn_of_time_wait(struct xdp_md *ctx, struct work *w,
					    struct dawn_flow *f,
					    const struct dawn_config *cfg)
{
	__u32 isn;

	if (w->tcp_flags & DAWN_TCP_FLAG_ACK)
		return challenge(ctx, w, f);
	isn = cookie_make(w, cfg, syn_mss(w));
	if (!may_reopen(w, f, w->seq, isn))
		return challenge(ctx, w, f);
	return answer_syn(ctx, w);
}

/* Does the ACK at hand prove a cookie that a SYN of the new connection got?
 * Then the entry is the new connection's. */
static __always_inline bool reopen(struct work *w, struct dawn_flow *f,
				   const struct dawn_config *cfg)
{
	int options;

	if (!may_reopen(w, f, w->seq - 1, w->ack - 1))
		return false;
	options = cookie_check(w, cfg);
	if (options < 0)
		return false;
	if (proven_before(w))
		return false;
	flow_init(f, w, cfg, options);
	proven_note(w);
	COUNT(flow_new);
	COUNT(time_wait_reused);
	return true;
}

/* Of the old connection. Only what is new to it is bounded. */
static __always_inline int input_old(struct xdp_md *ctx, struct work *w,
				     struct dawn_flow *f)
{
	__s32 fin = w->tcp_flags & DAWN_TCP_FLAG_FIN;
	__s32 behind = seq_diff(f->rcv_nxt, w->seq);
	__s32 len = w->payload_len + fin;

	if (!behind && !len && w->ack == f->snd_nxt)
		return DONE(ack_seen);
	if (behind < len || (!len && behind != 1))
		return challenge(ctx, w, f);
	if (fin && behind == len)
		f->last_seen_ms = w->now_ms;
	return ack_again(ctx, w, f, len);
}

/* Return: a verdict; 0: the flow is a new one now, take the segment in; or
 * GONE: it is none any more. */
dawn_subprog int input_time_wait(struct xdp_md *ctx, struct work *w,
				 struct dawn_flow *f)
{
	struct dawn_config *cfg = config_get();

	if (!w || !f || !cfg)
		return DROP(map_missing);
	if (idle_ms(w, f) >= DAWN_TIME_WAIT_MS)
		return close_flow(w, GONE);
	if (w->tcp_flags & DAWN_TCP_FLAG_RST)
		return input_rst(ctx, w, f);
	if (w->tcp_flags & DAWN_TCP_FLAG_SYN)
		return syn_of_time_wait(ctx, w, f, cfg);
	if (reopen(w, f, cfg))
		return 0;
	return input_old(ctx, w, f);
}

#endif
