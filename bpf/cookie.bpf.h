/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* SYN cookies: our ISN is a proof that the peer got our SYN-ACK.
 *
 *    31 ........................ 9   8   7   6 5 4 3   2 1 0
 *   |  MAC of everything below    |  W | S | wscale  |  MSS  |  9 bits ^ mask
 *
 * W: parity of the 8 s window the cookie was made in; only that window and
 * the one before are tried, so a cookie lives 8 to 16 s. S: SACK permitted.
 * wscale 15: none. MSS: index into a table of the family. The mask is a
 * function of the tuple, so that ISNs show nothing. Timestamps need no bit:
 * they are in use if the ACK carries them.
 *
 * MAC: SipHash-2-4 over peer, service, the peer's ISN, and window and options,
 * by a key of the loader's and a secret of the window, which dawnd renews. 23
 * bits: one in 2^23 blind guesses is right. docs/COOKIES.md says what that is
 * worth.
 */
#ifndef DAWN_BPF_COOKIE_H
#define DAWN_BPF_COOKIE_H

#include "bpf/work.bpf.h"

#define DAWN_COOKIE_MSS_BITS     3
#define DAWN_COOKIE_WSCALE_SHIFT 3
#define DAWN_COOKIE_NO_WSCALE    15
#define DAWN_COOKIE_SACK         (1 << 7)
#define DAWN_COOKIE_PARITY_SHIFT 8
#define DAWN_COOKIE_BITS         9 /* of options */
#define DAWN_COOKIE_MASK         ((1U << DAWN_COOKIE_BITS) - 1)

/* Highest entry that does not exceed what the peer announced; what peers do
 * announce stands in docs/COOKIES.md. The smallest is also given to a peer that
 * announced less: no IPv4 host takes less than 576 bytes, no IPv6 host less
 * than 1280 (RFC 791, RFC 8200). */
static __always_inline __u16 cookie_mss(bool is_v6, __u32 index)
{
	switch (index & ((1 << DAWN_COOKIE_MSS_BITS) - 1)) {
	case 0:
		return 128;
	case 1:
		return 536;
	case 2:
		return 1220;
	case 3:
		return 1300;
	case 4:
		return 1360;
	case 5:
		return 1400;
	case 6:
		return is_v6 ? 1420 : 1440;
	}
	return is_v6 ? DAWN_MSS_IPV6 : DAWN_MSS_IPV4;
}

/* What our side of the connection allows, as MSS: a UMEM frame, and the
 * interface's MTU, which no router tells us about. */
static __always_inline __u32 local_mss(bool is_v6,
				       const struct dawn_config *cfg)
{
	__u32 mss = is_v6 ? DAWN_MSS_IPV6 : DAWN_MSS_IPV4;
	__u32 mtu = cfg->mtu, headers = is_v6 ? 60 : 40;

	if (mtu < 576 || mtu - headers > mss) /* less is not IP */
		return mss;
	return mtu - headers;
}

static __always_inline __u32 cookie_mss_index(bool is_v6, __u32 mss)
{
	__u32 i;

#pragma unroll
	for (i = (1 << DAWN_COOKIE_MSS_BITS) - 1; i > 0; i--)
		if (mss >= cookie_mss(is_v6, i))
			break;
	return i;
}

/* State of the hash after tuple and ISN, common to mask and MAC. */
static __always_inline void cookie_start(struct dawn_sipstate *s,
					 const struct work *w,
					 const struct dawn_config *cfg,
					 __u32 peer_isn)
{
	dawn_sip_init(s, &cfg->cookie_key);
	dawn_sip_add(s, w->raddr.q[0]);
	dawn_sip_add(s, w->raddr.q[1]);
	dawn_sip_add(s, (__u64)peer_isn << 32 | (__u32)w->rport << 16 |
				w->service.id);
}

/* The mask is in the low bits of this hash; the rest is for bpf/proven.bpf.h.
 */
static __always_inline __u64 cookie_proof(struct dawn_sipstate s)
{
	return dawn_sip_end(&s, 4);
}

static __always_inline __u32 cookie_mac(struct dawn_sipstate s,
					const struct dawn_config *cfg,
					__u32 window, __u32 options)
{
	dawn_sip_add(
		&s,
		((__u64)window << 32 | options) ^
			cfg->cookie_secret[window & (DAWN_COOKIE_SECRETS - 1)]);
	return (__u32)dawn_sip_end(&s, 4) & ~DAWN_COOKIE_MASK;
}

/* Number of the window we are in, or of one before it. The clock of 32 bits is
 * turned back before it is cut, so that its wrap is no gap. */
static __always_inline __u32 cookie_window(const struct work *w, __u32 ago)
{
	return (w->now_ms - (ago << DAWN_COOKIE_WINDOW_SHIFT)) >>
	       DAWN_COOKIE_WINDOW_SHIFT;
}

/* Our ISN in answer to the SYN at hand. */
static __always_inline __u32 cookie_make(const struct work *w,
					 const struct dawn_config *cfg,
					 __u32 mss)
{
	__u32 window = cookie_window(w, 0);
	__u32 wscale = w->opts & DAWN_OPT_WSCALE ? w->wscale
						 : DAWN_COOKIE_NO_WSCALE;
	__u32 options = cookie_mss_index(w->is_v6, mss) |
			wscale << DAWN_COOKIE_WSCALE_SHIFT |
			(w->opts & DAWN_OPT_SACKOK ? DAWN_COOKIE_SACK : 0) |
			(window & 1) << DAWN_COOKIE_PARITY_SHIFT;
	struct dawn_sipstate s;

	cookie_start(&s, w, cfg, w->seq);
	return cookie_mac(s, cfg, window, options) |
	       (options ^ (cookie_proof(s) & DAWN_COOKIE_MASK));
}

/* Does the ACK at hand prove a cookie? Return: its options, with w->proof and
 * w->window set; or -1. */
static __always_inline int cookie_check(struct work *w,
					const struct dawn_config *cfg)
{
	__u32 cookie = w->ack - 1, options, window;
	struct dawn_sipstate s;

	cookie_start(&s, w, cfg, w->seq - 1);
	w->proof = cookie_proof(s);
	options = (cookie ^ w->proof) & DAWN_COOKIE_MASK;
	window = cookie_window(w, 0);
	if ((window ^ options >> DAWN_COOKIE_PARITY_SHIFT) & 1)
		window = cookie_window(w, 1);
	w->window = window;
	if ((cookie_mac(s, cfg, window, options) ^ cookie) & ~DAWN_COOKIE_MASK)
		return -1;
	return options;
}

#endif
