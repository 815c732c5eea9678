/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* SYN cookies: our ISN is a proof that the peer got our SYN-ACK.
 *
 *    31 ......................... 8   7   6   5 4 3 2   1 0
 *   |  MAC of everything below     |  W | S | wscale | MSS |   low byte ^ mask
 *
 * W: parity of the 16 s window the cookie was made in; only that window and
 * the one before are tried, so a cookie lives 16 to 33 s. S: SACK permitted.
 * wscale 15: none. MSS: index into a table of the family. The mask is a
 * function of the tuple, so that ISNs show nothing. Timestamps need no bit:
 * they are in use if the ACK carries them.
 *
 * MAC: SipHash-2-4 over peer, service, the peer's ISN, window and option
 * byte, by a secret of the loader's. 24 bits: one in 2^24 blind guesses is
 * right. docs/COOKIES.md says what that is worth.
 */
#ifndef DAWN_BPF_COOKIE_H
#define DAWN_BPF_COOKIE_H

#include "bpf/work.bpf.h"

#define DAWN_COOKIE_WINDOW_SHIFT 14 /* of ms: 16.4 s */
#define DAWN_COOKIE_NO_WSCALE    15

/* Highest entry that does not exceed what the peer announced. The smallest is
 * also given to a peer that announced less: no IPv4 host takes less than 576
 * bytes, no IPv6 host less than 1280 (RFC 791, RFC 8200). */
static __always_inline __u16 cookie_mss(bool is_v6, __u32 index)
{
	switch (index & 3) {
	case 0:
		return 128;
	case 1:
		return is_v6 ? 1220 : 536;
	case 2:
		return is_v6 ? 1380 : 1360;
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
	if (mss >= cookie_mss(is_v6, 3))
		return 3;
	if (mss >= cookie_mss(is_v6, 2))
		return 2;
	return mss >= cookie_mss(is_v6, 1) ? 1 : 0;
}

/* State of the hash after tuple and ISN, common to mask and MAC. */
static __always_inline void cookie_start(struct dawn_sipstate *s,
					 const struct work *w,
					 const struct dawn_sipkey *key,
					 __u32 peer_isn)
{
	dawn_sip_init(s, key);
	dawn_sip_add(s, w->raddr.q[0]);
	dawn_sip_add(s, w->raddr.q[1]);
	dawn_sip_add(s, (__u64)peer_isn << 32 | (__u32)w->rport << 16 |
				w->service.id);
}

/* The mask is the low byte of this hash; the rest is for bpf/proven.bpf.h. */
static __always_inline __u64 cookie_proof(struct dawn_sipstate s)
{
	return dawn_sip_end(&s, 4);
}

static __always_inline __u32 cookie_mac(struct dawn_sipstate s, __u32 window,
					__u32 options)
{
	dawn_sip_add(&s, (__u64)window << 32 | options);
	return (__u32)(dawn_sip_end(&s, 4) >> 8) << 8;
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
					 const struct dawn_sipkey *key,
					 __u32 mss)
{
	__u32 window = cookie_window(w, 0);
	__u32 wscale = w->opts & DAWN_OPT_WSCALE ? w->wscale
						 : DAWN_COOKIE_NO_WSCALE;
	__u32 options = cookie_mss_index(w->is_v6, mss) | wscale << 2 |
			(w->opts & DAWN_OPT_SACKOK ? 1 << 6 : 0) |
			(window & 1) << 7;
	struct dawn_sipstate s;

	cookie_start(&s, w, key, w->seq);
	return cookie_mac(s, window, options) |
	       (options ^ (cookie_proof(s) & 0xff));
}

/* Does the ACK at hand prove a cookie? Return: its option byte, with w->proof
 * set; or -1. */
static __always_inline int cookie_check(struct work *w,
					const struct dawn_sipkey *key)
{
	__u32 cookie = w->ack - 1, options, window;
	struct dawn_sipstate s;

	cookie_start(&s, w, key, w->seq - 1);
	w->proof = cookie_proof(s);
	options = (cookie ^ w->proof) & 0xff;
	window = cookie_window(w, 0);
	if ((window ^ options >> 7) & 1)
		window = cookie_window(w, 1);
	if ((cookie_mac(s, window, options) ^ cookie) & ~0xffU)
		return -1;
	return options;
}

#endif
