/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* flow_table: one entry for each TCP connection to one of our services.
 *
 * Writers: XDP and the reactor, whoever holds the entry's `owner` word.
 * Readers: both. Memory: DAWN_FLOW_SET_SIZE bytes a set of 8 entries, that is
 * 136 bytes a connection; sized at load time, charged at once.
 *
 * A hash of two choices: a keyed hash of the tuple names two sets of 8 ways,
 * an entry lives in one of them. Each set starts with a line of tags (part of
 * the hash; 0 is an empty way), so a miss touches two cache lines.
 *
 * Who may write an entry: owner.h.
 */
#ifndef DAWN_MAPS_FLOW_TABLE_H
#define DAWN_MAPS_FLOW_TABLE_H

#include "abi.h"
#include "config.h"
#include "owner.h"
#include "siphash.h"

#define DAWN_FLOW_WAYS         8
#define DAWN_FLOW_SETS_DEFAULT 2048 /* 16,384 flows, 2.2 MB */
#define DAWN_FLOW_SETS_MAX     (1U << 20)

/* Named as RFC 9293, 3.3.2. XDP keeps flows in ESTABLISHED and LAST_ACK, and
 * looks after those in TIME_WAIT, which the reactor leaves to it: entry only,
 * nothing unacknowledged, rcv_nxt and snd_nxt behind the FINs, last_seen_ms
 * when 2 MSL began. The others belong to the reactor and stand here for
 * `dawn flows`. */
enum dawn_tcp_state {
	DAWN_TCP_CLOSED = 0,
	DAWN_TCP_ESTABLISHED = 1,
	DAWN_TCP_LAST_ACK = 2,
	DAWN_TCP_CLOSE_WAIT = 3,
	DAWN_TCP_FIN_WAIT_1 = 4,
	DAWN_TCP_FIN_WAIT_2 = 5,
	DAWN_TCP_CLOSING = 6,
	DAWN_TCP_TIME_WAIT = 7,
};

/* 2 MSL. An entry in TIME_WAIT that is older is as good as free. */
#define DAWN_TIME_WAIT_MS 60000

#define DAWN_FLOW_TS       0x01 /* both sides sent timestamps (RFC 7323) */
#define DAWN_FLOW_SACK     0x02 /* peer sent SACK-permitted */
#define DAWN_FLOW_WSCALE   0x04 /* both sides sent window scale */
#define DAWN_FLOW_OUTER_AD 0x08 /* outer VLAN tag is 802.1ad */
#define DAWN_FLOW_RESENT   0x10 /* response sent twice: no RTT sample of it */

struct dawn_flow {
	__u64 owner;
	struct dawn_addr raddr; /* peer */
	__be16 rport;           /* peer */
	__u16 service;     /* struct dawn_service.id: local address, port */
	__u8 peer_mac[6];  /* from the latest packet in order */
	__be16 vlan_outer; /* TCI; 0 none */
	__be16 vlan_inner; /* TCI; 0 none */
	__u8 state;        /* enum dawn_tcp_state */
	__u8 flags;        /* DAWN_FLOW_* */

	__u32 rcv_nxt;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 snd_wnd;   /* bytes, scaled already */
	__u16 mss;       /* what we may send in a segment, options included */
	__u8 snd_wscale; /* shift of the peer's window field, 0..14 */
	__u8 dupacks;
	__u32 ts_recent; /* RFC 7323, 4.3 */

	/* The response XDP sent and the peer has not acknowledged whole. A
	 * retransmission must be the same bytes: same slot and generation, and
	 * the Date of that second. */
	__u32 resp_seq; /* sequence number of its first byte */
	__u32 resp_len; /* bytes */
	__u32 resp_slot;
	__u32 resp_gen;
	__u32 resp_date_s; /* Unix time, seconds */
	__u8 resp_kind;    /* enum dawn_resp_kind */
	__u8 pad0;
	__u16 req_len; /* of the request answered by it; */
	__u32 req_seq; /* with this, recognizes its duplicates */

	__u32 last_seen_ms; /* coarse monotonic clock, as the next; wraps */
	__u32 last_sent_ms;
	__u32 srtt_us; /* 0: no sample yet (RFC 6298) */
	__u32 rttvar_us;
	__u32 cwnd;         /* bytes */
	__u32 ssthresh;     /* bytes */
	__u32 ts_recent_ms; /* when ts_recent was taken; coarse clock, wraps */
	__u32 rcv_adv;      /* right edge of the window advertised last */
	__u32 limits;       /* XDP's: answers to oddities in this second */
};
_Static_assert(sizeof(struct dawn_flow) == 128, "dawn_flow is ABI");

struct dawn_flow_set {
	__u32 lock; /* 0 or 1; XDP only, held for one insertion */
	__u32 pad;
	__u32 tag[DAWN_FLOW_WAYS]; /* 0: empty */
	__u32 pad2[6];
	struct dawn_flow flow[DAWN_FLOW_WAYS];
};
#define DAWN_FLOW_SET_SIZE (64 + DAWN_FLOW_WAYS * 128)
_Static_assert(sizeof(struct dawn_flow_set) == DAWN_FLOW_SET_SIZE,
	       "dawn_flow_set is ABI");

/* Sets for so many flows: at most 3/4 of the ways in use, where two choices
 * of 8 ways lose next to none; and whole words of `unacked`. */
static __always_inline __u32 dawn_flow_sets_for(__u32 flows)
{
	__u32 sets = (flows / (DAWN_FLOW_WAYS * 3 / 4) + 8) / 8 * 8;

	return sets < DAWN_FLOW_SETS_MAX ? sets : DAWN_FLOW_SETS_MAX;
}

struct dawn_flow_hash {
	__u32 set[2]; /* uniform below DAWN_FLOW_SETS_MAX; see below */
	__u32 tag;    /* never 0 */
};

static __always_inline void dawn_flow_hash(struct dawn_flow_hash *h,
					   const struct dawn_sipkey *key,
					   const struct dawn_addr *raddr,
					   __be16 rport, __u16 service)
{
	struct dawn_sipstate s;
	__u64 v;

	dawn_sip_init(&s, key);
	dawn_sip1_add(&s, raddr->q[0]);
	dawn_sip1_add(&s, raddr->q[1]);
	dawn_sip1_add(&s, (__u64)rport << 16 | service);
	v = dawn_sip_end(&s, 3);
	h->set[0] = (__u32)v & (DAWN_FLOW_SETS_MAX - 1);
	h->set[1] = (__u32)(v >> 20) & (DAWN_FLOW_SETS_MAX - 1);
	h->tag = (__u32)(v >> 40) | 1U << 31;
}

/* The choice's set among `sets`: scaled, so that the table may have any size,
 * and a connection no more than the memory it needs. */
static __always_inline __u32
dawn_flow_set_number(const struct dawn_flow_hash *h, int choice, __u32 sets)
{
	return (__u64)h->set[choice] * sets / DAWN_FLOW_SETS_MAX;
}

static __always_inline int dawn_flow_match(const struct dawn_flow *f,
					   const struct dawn_addr *raddr,
					   __be16 rport, __u16 service)
{
	return f->rport == rport && f->service == service &&
	       dawn_addr_equal(&f->raddr, raddr);
}

static __always_inline __u32 dawn_flow_rcv_shift(const struct dawn_flow *f)
{
	return f->flags & DAWN_FLOW_WSCALE ? DAWN_RCV_WSCALE : 0;
}

/* The receive window as the field of a segment, host byte order: what both
 * halves advertise when idle, or more if the reactor did; its right edge does not
 * go back (RFC 9293, SHLD-14), so it is rounded up. */
static __always_inline __u16 dawn_flow_window_field(const struct dawn_flow *f)
{
	__u32 shift = dawn_flow_rcv_shift(f), field;
	__s32 window = shift ? DAWN_RCV_WND : 0xffff;
	__s32 left = (__s32)(f->rcv_adv - f->rcv_nxt);

	window = left > window ? left : window;
	field = ((__u32)window + (1U << shift) - 1) >> shift;
	return field < 0xffff ? (__u16)field : 0xffff;
}

/* The same, bytes: what a peer reads in that field. */
static __always_inline __u32 dawn_flow_window(const struct dawn_flow *f)
{
	return (__u32)dawn_flow_window_field(f) << dawn_flow_rcv_shift(f);
}

#endif
