/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* flow_table: finding, making, locking and releasing entries. The rules stand
 * in maps/owner.h.
 *
 * Making an entry takes the lock of the tuple's first set, so that two CPUs
 * never make one tuple twice, and claims a free way of either set by its owner
 * word, so that two tuples never get one way.
 */
#ifndef DAWN_BPF_FLOW_H
#define DAWN_BPF_FLOW_H

#include "bpf/evict.bpf.h"
#include "bpf/proven.bpf.h"
#include "maps/flow_table.bpf.h"

#define DAWN_FLOW_NONE     (-1)
#define DAWN_FLOW_BUSY     (-2) /* another CPU is making entries there */
#define DAWN_FLOW_FULL     (-3)
#define DAWN_FLOW_SPENT    (-4) /* the cookie has made a flow before */
#define DAWN_FLOW_DEFERRED (-5) /* full, but data may have a place */

static __always_inline struct dawn_flow_set *set_at(__u32 set)
{
	return bpf_map_lookup_elem(&flow_table, &set);
}

static __always_inline struct dawn_flow *flow_at(__u32 index)
{
	struct dawn_flow_set *set = set_at(index / DAWN_FLOW_WAYS);

	if (!set)
		return NULL;
	OPAQUE(set); /* else the addition is done before the check */
	return &set->flow[index & (DAWN_FLOW_WAYS - 1)];
}

/* Number of the tuple's first or second set. */
static __always_inline __u32 set_number(const struct work *w,
					const struct dawn_config *cfg, int i)
{
	return dawn_flow_set_number(&w->hash, i, cfg->flow_sets);
}

static __always_inline bool
way_matches(const struct work *w, const struct dawn_flow_set *set, int way)
{
	return set->tag[way] == w->hash.tag &&
	       dawn_flow_match(&set->flow[way], &w->raddr, w->rport,
			       w->service.id);
}

/* Look the tuple up; w->hash is set. Return: flow index or DAWN_FLOW_NONE. */
static __always_inline int lookup_flow(struct work *w)
{
	struct dawn_config *cfg = config_get();
	struct dawn_flow_set *set;
	__u32 number;

	if (!w || !cfg)
		return DAWN_FLOW_NONE;
	for (int i = 0; i < 2; i++) {
		number = set_number(w, cfg, i);
		set = set_at(number);
		if (!set)
			return DAWN_FLOW_NONE;
		for (int way = 0; way < DAWN_FLOW_WAYS; way++)
			if (way_matches(w, set, way))
				return number * DAWN_FLOW_WAYS + way;
	}
	return DAWN_FLOW_NONE;
}

static __always_inline int find_flow(struct work *w,
				     const struct dawn_config *cfg)
{
	dawn_flow_hash(&w->hash, &cfg->flow_key, &w->raddr, w->rport,
		       w->service.id);
	return lookup_flow(w);
}

/* --- the owner word --- */

static __always_inline bool owner_cas(struct dawn_flow *f, __u64 old, __u64 new)
{
	return __sync_val_compare_and_swap(&f->owner, old, new) == old;
}

/* Lock a flow whose owner word is `old`. */
static __always_inline bool flow_lock(struct dawn_flow *f, __u64 old)
{
	return owner_cas(f, old,
			 dawn_owner(DAWN_OWNER_LOCKED, 0, 0, 0,
				    dawn_owner_gen(old) + 1));
}

/* Unlock with an exchange: clang has no release store for BPF, and a plain one
 * may be seen before the entry is. */
static __always_inline void flow_unlock(struct dawn_flow *f, __u64 owner)
{
	__sync_lock_test_and_set(&f->owner, owner);
}

static __always_inline void flow_free(struct dawn_flow *f, __u32 index)
{
	struct dawn_flow_set *set = set_at(index / DAWN_FLOW_WAYS);

	if (set)
		set->tag[index & (DAWN_FLOW_WAYS - 1)] = 0;
	flow_unlock(f, dawn_owner(DAWN_OWNER_FREE, 0, 0, 0,
				  dawn_owner_gen(f->owner) + 1));
}

/* --- unacked --- */

static __always_inline void unacked_set(__u32 index, bool on)
{
	__u32 word = index / 64;
	__u64 bit = 1ULL << (index & 63);
	__u64 *bits = bpf_map_lookup_elem(&unacked, &word);

	if (!bits)
		return;
	if (on && !(*bits & bit))
		__sync_fetch_and_or(bits, bit);
	else if (!on && (*bits & bit))
		__sync_fetch_and_and(bits, ~bit);
}

/* --- making entries --- */

/* Claim a way whose tag is 0. Return: flow index, or DAWN_FLOW_NONE. */
dawn_subprog int claim_free(struct work *w, __u32 number)
{
	struct dawn_flow_set *set = set_at(number);
	__u64 owner;

	if (!w || !set)
		return DAWN_FLOW_NONE;
	for (int way = 0; way < DAWN_FLOW_WAYS; way++) {
		if (set->tag[way])
			continue;
		owner = set->flow[way].owner;
		if (dawn_owner_state(owner) == DAWN_OWNER_FREE &&
		    flow_lock(&set->flow[way], owner))
			return number * DAWN_FLOW_WAYS + way;
	}
	return DAWN_FLOW_NONE;
}

/* Claim the way of the flow that both sets can do without best. `useless_only`:
 * of one that nobody would miss. */
dawn_subprog int claim_victim(struct work *w, __u32 first, __u32 second,
			      __u32 useless_only)
{
	struct dawn_flow *f;
	__u32 index, score;
	__u64 owner;

	if (!w)
		return DAWN_FLOW_NONE;
	w->victim_score = 0;
	look_for_victim(w, first);
	look_for_victim(w, second);
	score = REREAD(w->victim_score);
	if (!score || (useless_only &&
		       score >> DAWN_EVICT_SHIFT < (__u32)DAWN_EVICT_USELESS))
		return useless_only ? DAWN_FLOW_DEFERRED : DAWN_FLOW_NONE;
	index = REREAD(w->victim);
	f = flow_at(index);
	if (!f)
		return DAWN_FLOW_NONE;
	owner = f->owner;
	if (evict_score(w, f) != score || !flow_lock(f, owner))
		return DAWN_FLOW_NONE;
	unacked_set(index, false);
	COUNT(flow_evicted);
	if (f->state != DAWN_TCP_TIME_WAIT)
		tell_evicted(f);
	return index & (DAWN_FLOW_SETS_MAX * DAWN_FLOW_WAYS - 1);
}

/* Ways in use: a tag's top bit is always set, and no branch per way keeps the
 * verifier's paths few. */
static __always_inline __u32 count_used(const struct dawn_flow_set *set)
{
	__u32 n = 0;

	for (int way = 0; way < DAWN_FLOW_WAYS; way++)
		n += set->tag[way] >> 31;
	return n;
}

/* Claim a way: of the emptier set; if both are full, of a flow that can go.
 * Return: flow index, DAWN_FLOW_FULL or DAWN_FLOW_DEFERRED. */
static __always_inline int claim_way(struct work *w,
				     const struct dawn_config *cfg)
{
	__u32 first = set_number(w, cfg, 0), second = set_number(w, cfg, 1);
	struct dawn_flow_set *a = set_at(first), *b = set_at(second);
	bool bare = !w->payload_len && !(w->tcp_flags & DAWN_TCP_FLAG_FIN);
	int index;

	if (!a || !b)
		return DAWN_FLOW_FULL;
	if (count_used(b) < count_used(a)) {
		__u32 emptier = second;

		second = first;
		first = emptier;
	}
	index = claim_free(w, first);
	if (index < 0)
		index = claim_free(w, second);
	if (index < 0)
		index = claim_victim(w, first, second, bare);
	return index == DAWN_FLOW_NONE ? DAWN_FLOW_FULL : index;
}

/* The SYN-ACK's timestamp, echoed, is the first sample of the round trip (RFC
 * 6298, 2.2; RFC 7323, 4.1): without it a first answer that is lost waits for
 * a second. More than that is no round trip, but a client that waited, or lies:
 * to its own harm. */
static __always_inline void take_handshake_rtt(struct dawn_flow *f,
					       const struct work *w)
{
	__u32 rtt_ms = w->tsnow - w->tsecr;

	if (!(w->opts & DAWN_OPT_TS) || rtt_ms > 1000)
		return;
	f->srtt_us = rtt_ms ? rtt_ms * 1000 : 1000;
	f->rttvar_us = f->srtt_us / 2;
}

/* Fill a claimed entry from the ACK that proved a cookie; its owner word is
 * LOCKED, by us, and must not be touched even for a moment: another CPU that
 * saw it as FREE would claim the way too. */
static __always_inline void flow_init(struct dawn_flow *f, const struct work *w,
				      const struct dawn_config *cfg,
				      __u32 options)
{
	__u32 mss = cookie_mss(w->is_v6, options);
	__u32 mss_max = local_mss(w->is_v6, cfg);
	__u32 wscale = options >> DAWN_COOKIE_WSCALE_SHIFT & 15;

	__builtin_memset(&f->raddr, 0,
			 sizeof(*f) - offsetof(struct dawn_flow, raddr));
	f->raddr = w->raddr;
	f->rport = w->rport;
	f->service = w->service.id;
	f->state = DAWN_TCP_ESTABLISHED;
	f->flags = (w->opts & DAWN_OPT_TS ? DAWN_FLOW_TS : 0) |
		   (options & DAWN_COOKIE_SACK ? DAWN_FLOW_SACK : 0) |
		   (wscale != DAWN_COOKIE_NO_WSCALE ? DAWN_FLOW_WSCALE : 0);
	f->rcv_nxt = w->seq;
	f->rcv_adv = w->seq + 0xffff; /* as the SYN-ACK said */
	f->snd_nxt = w->ack;
	f->snd_una = w->ack;
	f->snd_wscale = wscale != DAWN_COOKIE_NO_WSCALE ? wscale : 0;
	f->mss = mss < mss_max ? mss : mss_max;
	f->ts_recent = w->opts & DAWN_OPT_TS ? w->tsval : 0;
	f->ts_recent_ms = w->now_ms;
	f->last_sent_ms = w->now_ms; /* a connection begins to be idle here */
	f->cwnd = DAWN_SEGMENTS_MAX * f->mss;
	f->ssthresh = 0x7fffffff;
	take_handshake_rtt(f, w);
}

/* Make an entry for the tuple at hand.
 * Return: its index with the owner word LOCKED by us; the index of an entry
 * that stood there already, plus DAWN_FLOW_FOUND; or BUSY, FULL, DEFERRED or
 * SPENT.
 */
#define DAWN_FLOW_FOUND (1 << 30)

dawn_subprog int make_flow(struct work *w, __u32 options)
{
	struct dawn_config *cfg = config_get();
	struct dawn_flow_set *locked, *set;
	struct dawn_flow *f;
	int index;

	if (!w || !cfg)
		return DAWN_FLOW_FULL;
	locked = set_at(set_number(w, cfg, 0));
	if (!locked)
		return DAWN_FLOW_FULL;
	if (__sync_val_compare_and_swap(&locked->lock, 0, 1))
		return DAWN_FLOW_BUSY;
	index = lookup_flow(w);
	if (index >= 0) {
		index |= DAWN_FLOW_FOUND;
		goto unlock;
	}
	if (proven_before(w)) {
		index = DAWN_FLOW_SPENT;
		goto unlock;
	}
	index = claim_way(w, cfg);
	set = set_at((__u32)index / DAWN_FLOW_WAYS);
	if (index < 0 || !set)
		goto unlock;
	f = &set->flow[index & (DAWN_FLOW_WAYS - 1)];
	flow_init(f, w, cfg, options);
	set->tag[index & (DAWN_FLOW_WAYS - 1)] = w->hash.tag;
	proven_note(w);
unlock:
	__sync_lock_test_and_set(&locked->lock, 0);
	return index;
}

#endif
