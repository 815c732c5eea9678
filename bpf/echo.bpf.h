/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* ICMP and ICMPv6: echo requests to a service address are answered, errors
 * about a flow go to the reactor, the rest passes to the kernel.
 *
 * The answer's checksum is the request's, updated for the changed type (RFC
 * 1624), whatever the payload: a damaged request gets a damaged answer, which
 * its sender discards.
 */
#ifndef DAWN_BPF_ECHO_H
#define DAWN_BPF_ECHO_H

#include "bpf/access.bpf.h"
#include "bpf/frame.bpf.h"

#define DAWN_ICMP_ECHO_REPLY    0
#define DAWN_ICMP_UNREACHABLE   3
#define DAWN_ICMP_ECHO          8
#define DAWN_ICMP_TIME_EXCEEDED 11
#define DAWN_ICMP_PARAMETER     12
#define DAWN_ICMP6_ERROR_MAX    4 /* types 1 to 4 are the errors we know */
#define DAWN_ICMP6_ECHO         128
#define DAWN_ICMP6_ECHO_REPLY   129

struct icmp_head {
	__u8 type;
	__u8 code;
	__be16 csum;
	__be32 rest;
};

static __always_inline bool is_icmp_error(const struct work *w, __u8 type)
{
	if (w->is_v6)
		return type >= 1 && type <= DAWN_ICMP6_ERROR_MAX;
	return type == DAWN_ICMP_UNREACHABLE ||
	       type == DAWN_ICMP_TIME_EXCEEDED || type == DAWN_ICMP_PARAMETER;
}

dawn_subprog int answer_echo(struct xdp_md *ctx, struct work *w)
{
	struct icmp_head *icmp;
	__u8 type;
	__u32 len;

	if (!w)
		return DROP(map_missing);
	if (w->fragment || w->has_options)
		return PASS(pass_echo_unsuitable);
	icmp = packet_at(ctx, w->l4_off, sizeof(*icmp));
	if (!icmp || icmp->code)
		return PASS(pass_malformed);
	type = w->is_v6 ? DAWN_ICMP6_ECHO_REPLY : DAWN_ICMP_ECHO_REPLY;
	icmp->csum = ~csum_fold((__u64)(__u16)~icmp->csum +
				(__u16)~bpf_htons(icmp->type << 8) +
				bpf_htons(type << 8));
	icmp->type = type;
	if (resize_frame(ctx, w->l4_off + w->l4_len))
		return DROP(map_missing);
	len = put_headers(w, w->l4_len, w->tos & ~3);
	if (store_headers(ctx, w, len))
		return DROP(map_missing);
	return w->is_v6 ? TX(icmp6_echo) : TX(icmp_echo);
}

#endif
