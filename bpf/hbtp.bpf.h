/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* HBTP over UDP: a datagram that is exactly one Ping becomes its Pong.
 *
 *  opcode | flags | sequence (16, LE) | length (32, LE) | up to 64 bytes
 *
 * Everything else on the port passes to the daemon's UDP socket.
 */
#ifndef DAWN_BPF_HBTP_H
#define DAWN_BPF_HBTP_H

#include "bpf/access.bpf.h"
#include "bpf/frame.bpf.h"

#define DAWN_HBTP_PING             0x00
#define DAWN_HBTP_PONG             0x01
#define DAWN_HBTP_EXPECTS_RESPONSE 0x04
#define DAWN_HBTP_PING_MAX         64

struct hbtp_head {
	__u8 opcode;
	__u8 flags;
	__u16 sequence; /* little-endian, as the next */
	__u32 length;
};

struct hbtp_datagram {
	struct udphdr udp;
	struct hbtp_head hbtp;
};

static __always_inline __u32 le32(__u32 v)
{
	return __builtin_bswap32(bpf_htonl(v));
}

/* Is it a UDP datagram with one Ping and no more? */
static __always_inline bool is_ping(const struct work *w,
				    const struct hbtp_datagram *d)
{
	__u32 length = le32(d->hbtp.length);

	return d->hbtp.opcode == DAWN_HBTP_PING &&
	       !(d->hbtp.flags & ~DAWN_HBTP_EXPECTS_RESPONSE) &&
	       length <= DAWN_HBTP_PING_MAX && length + sizeof(*d) == w->l4_len;
}

/* Return: 0, or a verdict: the datagram is not a Ping, or lies. */
static __always_inline int check_ping(struct xdp_md *ctx, struct work *w)
{
	struct hbtp_datagram *d;
	__be16 csum;

	if (w->fragment || w->has_options)
		return PASS(pass_hbtp_other);
	d = packet_at(ctx, w->l4_off, sizeof(d->udp));
	if (!d || bpf_ntohs(d->udp.len) != w->l4_len)
		return PASS(pass_udp_bad);
	d = packet_at(ctx, w->l4_off, sizeof(*d));
	if (!d || w->l4_len < sizeof(*d) || !is_ping(w, d))
		return PASS(pass_hbtp_other);
	csum = d->udp.check;
	if (!csum) /* IPv4: not used; IPv6: not allowed (RFC 8200, 8.1) */
		return w->is_v6 ? PASS(pass_udp_bad) : 0;
	return csum_valid(ctx, w, csum) ? 0 : PASS(pass_udp_bad);
}

/* UDP and HBTP header of the Pong behind the first `off` bytes of w->hdr. The
 * datagram stands in w->seg. */
static __always_inline void put_pong(struct work *w, __u32 off)
{
	struct hbtp_datagram *in = (void *)w->seg;
	struct hbtp_datagram *out = (void *)(w->hdr + (off & 63));
	__u16 sum;

	out->udp.source = in->udp.dest;
	out->udp.dest = in->udp.source;
	out->udp.len = in->udp.len;
	out->hbtp = in->hbtp;
	out->hbtp.opcode = DAWN_HBTP_PONG;
	out->hbtp.flags = 0;
	out->udp.check = 0;
	__builtin_memcpy(in, out, sizeof(*out));
	sum = ~csum_fold(csum_pseudo(w, w->l4_len) + csum_segment(w));
	out->udp.check = sum ?: 0xffff;
}

dawn_subprog int answer_ping(struct xdp_md *ctx, struct work *w)
{
	__u32 len;
	int verdict;

	if (!w)
		return DROP(map_missing);
	verdict = check_ping(ctx, w);
	if (verdict)
		return verdict;
	if (load_segment(ctx, w) || resize_frame(ctx, w->l4_off + w->l4_len))
		return PASS(pass_hbtp_other);
	len = put_headers(w, w->l4_len, reply_tos(w));
	put_pong(w, len);
	if (store_headers(ctx, w, len + sizeof(struct hbtp_datagram)))
		return DROP(map_missing);
	return TX(hbtp_pong);
}

#endif
