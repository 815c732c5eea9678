/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* SYN -> SYN-ACK with a cookie: no memory is spent on a stranger.
 *
 * The options offered are those of the SYN, in Linux's order. Data on the SYN
 * is not taken: the peer sends it again.
 */
#ifndef DAWN_BPF_SYN_H
#define DAWN_BPF_SYN_H

#include "bpf/cookie.bpf.h"
#include "bpf/tcp_reply.bpf.h"

/* Without an MSS option: RFC 9293, 3.7.1. */
static __always_inline __u32 syn_mss(const struct work *w)
{
	if (w->opts & DAWN_OPT_MSS)
		return w->mss;
	return w->is_v6 ? 1220 : 536;
}

/* Options of the SYN-ACK into w->opt. Return: their length, 4 to 20. */
static __always_inline __u32 put_syn_options(struct work *w,
					     const struct dawn_config *cfg)
{
	__u32 mss = local_mss(w->is_v6, cfg);
	__u32 len = 4;

	put_no_options(w);
	STORE32(w->opt, bpf_htonl(DAWN_TCPOPT_MSS << 24 | 4 << 16 | mss));
	if (w->opts & DAWN_OPT_TS) {
		STORE32(w->opt + 4, bpf_htonl(w->opts & DAWN_OPT_SACKOK
						      ? 0x0402080a
						      : DAWN_TCPOPT_TS_WORD));
		STORE32(w->opt + 8, bpf_htonl(w->tsnow));
		STORE32(w->opt + 12, bpf_htonl(w->tsval));
		len = 16;
	} else if (w->opts & DAWN_OPT_SACKOK) {
		STORE32(w->opt + 4, bpf_htonl(0x01010402));
		len = 8;
	}
	if (w->opts & DAWN_OPT_WSCALE) {
		STORE32(w->opt + len, bpf_htonl(0x01030300 | DAWN_RCV_WSCALE));
		len += 4;
	}
	return len;
}

dawn_subprog int answer_syn(struct xdp_md *ctx, struct work *w)
{
	struct dawn_config *cfg = config_get();
	struct tcp_reply r = {};

	if (!w || !cfg)
		return DROP(map_missing);
	if (w->flags & DAWN_CONFIG_DRAIN)
		return DROP(draining);
	if (orphan_expired(w, cfg))
		return DROP(orphan_stop);
	r.seq = cookie_make(w, cfg, syn_mss(w));
	r.ack = w->seq + 1;
	r.wnd = 0xffff; /* never scaled in a SYN */
	r.flags = DAWN_TCP_FLAG_SYN | DAWN_TCP_FLAG_ACK;
	r.opt_len = put_syn_options(w, cfg);
	if (send_bare(ctx, w, &r))
		return DROP(map_missing);
	return TX(syn_cookie);
}

#endif
