/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* How a flow that XDP holds leaves it: given to the reactor, closed, reset.
 */
#ifndef DAWN_BPF_TCP_END_H
#define DAWN_BPF_TCP_END_H

#include "bpf/tcp_reply.bpf.h"

/* Hand the flow to the reactor with this packet, if it can take it. */
static __always_inline int give_up(struct work *w, int reason)
{
	int refused = punt_refused(w);

	if (refused)
		return refused;
	w->release = DAWN_OWNER_USER;
	return reason;
}

static __always_inline int close_flow(struct work *w, int verdict)
{
	w->release = DAWN_OWNER_FREE;
	COUNT(flow_closed);
	return verdict;
}

static __always_inline __s32 seq_diff(__u32 a, __u32 b)
{
	return a - b; /* RFC 9293, 3.4: modulo 2^32 */
}

/* RST: exactly the next number closes, elsewhere in the window is answered
 * with a challenge ACK, the rest is noise (RFC 5961, 3.2). */
static __always_inline int input_rst(struct xdp_md *ctx, struct work *w,
				     struct dawn_flow *f)
{
	__u32 ahead = w->seq - f->rcv_nxt;

	if (!ahead)
		return close_flow(w, DONE(ack_seen));
	if (ahead < dawn_flow_window(f))
		return challenge(ctx, w, f);
	return DROP(rst_unproven);
}

#endif
