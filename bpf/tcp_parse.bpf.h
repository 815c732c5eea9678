/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* TCP header and options of a segment to one of our services. From here on
 * the kernel never sees the packet: it has no such socket and would reset.
 */
#ifndef DAWN_BPF_TCP_PARSE_H
#define DAWN_BPF_TCP_PARSE_H

#include "bpf/checksum.bpf.h"

#define DAWN_TCPOPT_END    0
#define DAWN_TCPOPT_NOP    1
#define DAWN_TCPOPT_MSS    2
#define DAWN_TCPOPT_WSCALE 3
#define DAWN_TCPOPT_SACKOK 4
#define DAWN_TCPOPT_SACK   5
#define DAWN_TCPOPT_TS     8
/* NOP NOP TS 10, the layout everybody uses (RFC 7323, appendix A) */
#define DAWN_TCPOPT_TS_WORD 0x0101080a

#define DAWN_WSCALE_MAX 14 /* RFC 7323, 2.3 */

struct tcp_head {
	__be16 sport;
	__be16 dport;
	__be32 seq;
	__be32 ack;
	__u8 doff; /* upper half: 32-bit words */
	__u8 flags;
	__be16 wnd;
	__be16 csum;
	__be16 urg;
	__be32 ts[3]; /* if the only option is a timestamp */
};

/* Note the option at w->opt[pos]. Return: 0, or -1 if its length lies. */
static __always_inline int note_option(struct work *w, __u32 pos, __u8 kind,
				       __u8 len)
{
	const __u8 *value = w->opt + (pos & 63) + 2;

	switch (kind) {
	case DAWN_TCPOPT_MSS:
		w->mss = bpf_ntohs(LOAD16(value));
		w->opts |= DAWN_OPT_MSS;
		return len == 4 ? 0 : -1;
	case DAWN_TCPOPT_WSCALE:
		w->wscale = *value > DAWN_WSCALE_MAX ? DAWN_WSCALE_MAX : *value;
		w->opts |= DAWN_OPT_WSCALE;
		return len == 3 ? 0 : -1;
	case DAWN_TCPOPT_SACKOK:
		w->opts |= DAWN_OPT_SACKOK;
		return len == 2 ? 0 : -1;
	case DAWN_TCPOPT_SACK:
		w->opts |= DAWN_OPT_SACK;
		return len >= 10 ? 0 : -1;
	case DAWN_TCPOPT_TS:
		w->tsval = bpf_ntohl(LOAD32(value));
		w->tsecr = bpf_ntohl(LOAD32(value + 4));
		w->opts |= DAWN_OPT_TS;
		return len == 10 ? 0 : -1;
	}
	w->opts |= DAWN_OPT_OTHER;
	return 0;
}

/* Walk the options. The position is kept in *w: the verifier then sees one
 * state per turn, not one per path. Return: 0, or -1 if they are malformed.
 */
dawn_subprog int parse_tcp_options(struct xdp_md *ctx, struct work *w)
{
	__u32 len, pos, kind, n;

	if (!w)
		return -1;
	len = w->doff - sizeof(struct tcphdr);
	if (len > 40)
		return -1;
	len = BOUND_LEN(len, 0x3f);
	if (bpf_xdp_load_bytes(ctx, w->l4_off + sizeof(struct tcphdr), w->opt,
			       len))
		return -1;
	w->opt_pos = 0;
	w->opt_end = len;
	for (int i = 0; i < 40; i++) {
		pos = REREAD(w->opt_pos);
		len = REREAD(w->opt_end);
		if (pos >= len)
			return 0;
		kind = w->opt[pos & 63];
		if (kind == DAWN_TCPOPT_END)
			return 0;
		if (kind == DAWN_TCPOPT_NOP) {
			w->opt_pos = pos + 1;
			continue;
		}
		n = w->opt[(pos & 63) + 1];
		if (pos + 1 >= len || n < 2 || pos + n > len ||
		    note_option(w, pos, kind, n))
			return -1;
		w->opt_pos = pos + n;
	}
	return 0;
}

/* Flags that no segment of any connection has. */
static __always_inline bool flags_illegal(__u32 flags)
{
	__u32 kind = flags & (DAWN_TCP_FLAG_SYN | DAWN_TCP_FLAG_FIN |
			      DAWN_TCP_FLAG_RST);

	if (kind & (kind - 1)) /* two of the three */
		return true;
	if (flags & DAWN_TCP_FLAG_ACK)
		return false;
	return kind != DAWN_TCP_FLAG_SYN && kind != DAWN_TCP_FLAG_RST;
}

/* Return: 0 with the TCP fields of *w set and the checksum verified, or a
 * verdict. */
static __always_inline int parse_tcp(struct xdp_md *ctx, struct work *w)
{
	struct tcp_head *th;
	__u32 csum;

	if (!w)
		return DROP(map_missing);
	th = packet_at(ctx, w->l4_off, sizeof(struct tcphdr));
	if (!th)
		return DROP(tcp_malformed);
	w->doff = (th->doff >> 4) * 4;
	if (w->doff < sizeof(struct tcphdr) || w->doff > w->l4_len)
		return DROP(tcp_malformed);
	w->seq = bpf_ntohl(th->seq);
	w->ack = bpf_ntohl(th->ack);
	w->tcp_flags = th->flags;
	w->wnd = bpf_ntohs(th->wnd);
	w->payload_len = w->l4_len - w->doff;
	w->opts = 0;
	csum = th->csum;
	if (flags_illegal(w->tcp_flags))
		return DROP(tcp_illegal);
	th = packet_at(ctx, w->l4_off, sizeof(*th));
	if (w->doff == sizeof(*th) && th &&
	    th->ts[0] == bpf_htonl(DAWN_TCPOPT_TS_WORD)) {
		w->tsval = bpf_ntohl(th->ts[1]);
		w->tsecr = bpf_ntohl(th->ts[2]);
		w->opts = DAWN_OPT_TS;
	} else if (w->doff > sizeof(struct tcphdr) &&
		   parse_tcp_options(ctx, w)) {
		return DROP(tcp_malformed);
	}
	return csum_valid(ctx, w, csum) ? 0 : DROP(csum_bad);
}

#endif
