/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Internet checksums (RFC 1071): ones'-complement sums in native order, kept
 * unfolded in 64 bits as long as possible.
 *
 * IPv4-mapped addresses are summed whole: their prefix adds 0xffff, which is
 * zero in ones' complement, so both families take the same path.
 */
#ifndef DAWN_BPF_CHECKSUM_H
#define DAWN_BPF_CHECKSUM_H

#include "bpf/verdict.bpf.h"

static __always_inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline __u64 csum_addr(const struct dawn_addr *a)
{
	return (__u64)a->w[0] + a->w[1] + a->w[2] + a->w[3];
}

/* Pseudo-header of the packet at hand, either direction. */
static __always_inline __u64 csum_pseudo(const struct work *w, __u32 l4_len)
{
	return csum_addr(&w->raddr) + csum_addr(&w->laddr) +
	       bpf_htons(w->proto) + bpf_htons(l4_len);
}

/* Copy the L4 segment into w->seg, zero padded to a word. Return: 0 or -1. */
static __always_inline int load_segment(struct xdp_md *ctx, struct work *w)
{
	__u32 len = w->l4_len;

	if (w->scanned)
		return 0;
	if (len == 0 || len > 2048)
		return -1;
	len = BOUND_LEN(len, 0x7ff);
	if (bpf_xdp_load_bytes(ctx, w->l4_off, w->seg, len))
		return -1;
	STORE32(w->seg + len, 0);
	w->scanned = 1;
	return 0;
}

/* Sum of w->seg, as load_segment() left it. In pieces: before 6.13
 * bpf_csum_diff() takes at most 512 bytes. */
static __always_inline __u64 csum_segment(const struct work *w)
{
	__u32 len = (w->l4_len + 3) & ~3U;
	__s64 sum = 0;

	for (__u32 off = 0; off < 2048; off += 512) {
		__u32 n = len - off;

		if (off >= len)
			break;
		if (n > 512)
			n = 512;
		OPAQUE(n);
		if (n > 512) /* never; for the verifier */
			break;
		sum = bpf_csum_diff(NULL, 0, (__be32 *)(w->seg + off), n,
				    (__u32)sum);
	}
	return (__u32)sum;
}

/* Is the L4 checksum of the packet right? `field` is as found in it.
 *
 * A local sender leaves the segment to its device to sum: then the field holds
 * only the folded pseudo-header (a partial checksum), and nothing was on a
 * wire that could have damaged it. Accepted unless the loader says that the
 * interface is a real one.
 */
static __always_inline int csum_valid(struct xdp_md *ctx, struct work *w,
				      __u32 field)
{
	__u64 pseudo;

	if (!w)
		return 0;
	pseudo = csum_pseudo(w, w->l4_len);
	if (!(w->flags & DAWN_CONFIG_CSUM_STRICT) &&
	    csum_fold(pseudo) == field) {
		COUNT(csum_partial);
		return 1;
	}
	if (load_segment(ctx, w))
		return 0;
	return csum_fold(pseudo + csum_segment(w)) == 0xffff;
}

#endif
