/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The request's key, and the slot that answers it. */
#ifndef DAWN_BPF_CACHE_H
#define DAWN_BPF_CACHE_H

#include "bpf/http_parse.bpf.h"

static __always_inline struct dawn_slot *slot_at(__u32 slot)
{
	return bpf_map_lookup_elem(&cache_data, &slot);
}

/* w->key from the request in w->scan. Return: 0 or -1. */
static __always_inline int make_key(struct xdp_md *ctx, struct work *w)
{
	__u32 len = w->scan.target_len;

	if (len > DAWN_TARGET_MAX)
		return -1;
	w->key.group = w->service.group;
	w->key.vhost = w->scan.vhost;
	w->key.target_len = len;
	w->key.pad = 0;
	len = BOUND_LEN(len, 0xff);
	if (len > DAWN_TARGET_MAX)
		return -1;
	if (bpf_xdp_load_bytes(ctx, w->l4_off + w->scan.target, w->key.target,
			       len))
		return -1;
	*(word64 *)(w->key.target + len) = 0;
	return 0;
}

static __always_inline bool keys_equal(const struct dawn_cache_key *a,
				       const struct dawn_cache_key *b,
				       __u32 target_len)
{
	const word64 *x = (const void *)a, *y = (const void *)b;
	__u32 words = (8 + target_len + 7) / 8;

	for (__u32 i = 0; i < sizeof(*a) / 8; i++) {
		if (i >= words)
			return true;
		if (x[i] != y[i])
			return false;
	}
	return true;
}

/* Do the request's bytes equal `want`? `n` <= DAWN_ETAG_MAX; both may be read
 * in whole words. */
static __always_inline bool value_is(const struct work *w, __u32 off,
				     const __u8 *want, __u32 n)
{
	const __u8 *p = seg_at(w, off);
	__u64 differ;

	for (__u32 i = 0; i < DAWN_ETAG_MAX; i += 8) {
		if (i >= n)
			break;
		differ = LOAD64(p + i) ^ LOAD64(want + i);
		if (n - i < 8)
			differ &= (1ULL << (n - i) * 8) - 1;
		if (differ)
			return false;
	}
	return true;
}

/* Is the entity tag the slot's, by the weak comparison (RFC 9110, 8.8.3.2)? */
static __always_inline bool tag_matches(const struct work *w,
					const struct dawn_slot *slot)
{
	__u32 off = w->scan.none_match.off, len = w->scan.none_match.len;
	__u32 at = slot->etag_off;

	if (len > 2 && LOAD16(seg_at(w, off)) == (__u16)WORD4("W/\0\0", 0)) {
		off += 2;
		len -= 2;
	}
	OPAQUE(at);
	at &= 0x3ff;
	return slot->etag_off && len == slot->etag_len &&
	       len <= DAWN_ETAG_MAX && value_is(w, off, slot->data + at, len);
}

/* RFC 9110, 13.1.3. A later date than ours says the same, but reading dates is
 * left to the reactor: caches send back the one that they were given. */
static __always_inline bool date_matches(const struct work *w,
					 const struct dawn_slot *slot)
{
	__u32 at = slot->modified_off;

	OPAQUE(at);
	at &= 0x3ff;
	return slot->modified_off &&
	       w->scan.modified_since.len == DAWN_DATE_LEN &&
	       value_is(w, w->scan.modified_since.off, slot->data + at,
			DAWN_DATE_LEN);
}

/* Which answer the preconditions ask for (RFC 9110, 13.2.2): w->resp.kind. A
 * list of tags, or a tag that is not ours, may still be a 304 or a 200 to the
 * reactor's eyes. Return: 0, or a verdict. */
static __always_inline int choose_kind(struct work *w,
				       const struct dawn_slot *slot)
{
	bool same;

	w->resp.kind = w->scan.head ? DAWN_RESP_HEAD : DAWN_RESP_GET;
	if (w->scan.none_match.off)
		same = tag_matches(w, slot);
	else if (w->scan.modified_since.off)
		same = date_matches(w, slot);
	else
		return 0;
	if (!same || !slot->nm_len || slot->nm_len > DAWN_NM_MAX)
		return PUNT(http_condition);
	w->resp.kind = DAWN_RESP_NOT_MODIFIED;
	return 0;
}

/* Is it still that entry, and may it be sent? */
static __always_inline bool slot_holds(const struct dawn_slot *slot, __u32 gen)
{
	return slot->state == DAWN_SLOT_LIVE && slot->gen == gen;
}

static __always_inline bool slot_expired(const struct work *w,
					 const struct dawn_slot *slot)
{
	return slot->expires_ns && w->now_ns >= slot->expires_ns;
}

/* May the slot answer the request? Return: 0, or a verdict. */
static __always_inline int check_slot(const struct work *w,
				      const struct dawn_slot *slot, __u32 gen)
{
	if (!slot_holds(slot, gen))
		return PUNT(cache_gone);
	if (!keys_equal(&slot->key, &w->key, w->scan.target_len))
		return PUNT(cache_key_differs);
	if (slot_expired(w, slot))
		return PUNT(cache_expired);
	if (slot->flags & DAWN_ENTRY_VARIES && w->scan.has_accept_encoding)
		return PUNT(cache_varies);
	return 0;
}

/* Find the slot that answers the request in w->scan.
 * Return: 0 with slot, gen, len and kind of w->resp set, or PUNT(why not).
 */
static __always_inline int lookup_response(struct xdp_md *ctx, struct work *w)
{
	struct dawn_config *cfg = config_get();
	struct dawn_index_key key;
	struct dawn_index_value *where;
	struct dawn_slot *slot;
	int verdict;

	if (!w || !cfg)
		return DROP(map_missing);
	if (make_key(ctx, w))
		return PUNT(http_target);
	dawn_cache_hash(&key, &cfg->cache_key, &w->key);
	where = bpf_map_lookup_elem(&cache_index, &key);
	if (!where)
		return PUNT(cache_miss);
	w->resp.slot = where->slot;
	w->resp.gen = where->gen;
	slot = slot_at(where->slot);
	if (!slot)
		return PUNT(cache_gone);
	verdict = check_slot(w, slot, w->resp.gen);
	if (!verdict)
		verdict = choose_kind(w, slot);
	w->resp.len = dawn_slot_len(slot, w->resp.kind);
	return verdict;
}

static __always_inline void count_slot_hit(__u32 slot)
{
	__u64 *hits = bpf_map_lookup_elem(&cache_hits, &slot);

	if (hits)
		(*hits)++;
}

#endif
