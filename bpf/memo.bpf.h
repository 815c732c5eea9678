/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The same request again: straight to its slot, without parsing.
 *
 * A client repeats its request byte by byte. What the parser and the index made
 * of one is remembered, per CPU: the whole bytes, the slot and its generation.
 * When equal bytes come for the same service group, under the same flags and
 * virtual hosts, they mean the same; whether the slot may still answer (LIVE, that
 * generation, not expired) is looked at each time. So a purge or replacement
 * needs to know nothing of this: it ends with the slot's LIVE.
 *
 *     hash of the bytes ─► place ─► equal hash ─► equal bytes ─► slot
 *
 * The hash only finds the place (it is keyed, so that nobody outside can make
 * two requests fight for one on purpose); bytes decide. A place is taken over by
 * the request that comes twice while it holds another: a single one costs the
 * memo nothing.
 *
 * After config.memo_ms a request is parsed again. Without that, the killing of a
 * writer between its two steps, new response into the index and old one
 * RETIRED, could leave the old one in a memo for as long as nobody reaps.
 */
#ifndef DAWN_BPF_MEMO_H
#define DAWN_BPF_MEMO_H

#include "bpf/cache.bpf.h"

#define MEMO_PLACES 512  /* a power of two */
#define MEMO_BYTES  1024 /* longer requests are parsed each time */
#define MEMO_BLOCK  32   /* bytes that are hashed at a time */
#define MEMO_K      0x9e3779b97f4a7c15ULL

struct memo {
	__u64 hash; /* 0: empty */
	__u64 next; /* of the other request that was here last */
	struct dawn_index_value where;
	__u32 made_ms;
	__u32 vhosts; /* config.vhosts then */
	__u16 group;
	__u16 len;
	__u8 kind;  /* enum dawn_resp_kind */
	__u8 flags; /* of the service */
	__u16 pad;
	__u8 bytes[MEMO_BYTES + MEMO_BLOCK]; /* zeros behind them */
};

/* Private; lives on between packets. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MEMO_PLACES);
	__type(key, __u32);
	__type(value, struct memo);
} memos SEC(".maps");

static __always_inline struct memo *memo_at(__u64 hash)
{
	__u32 place = hash >> 32 & (MEMO_PLACES - 1);

	return bpf_map_lookup_elem(&memos, &place);
}

static __always_inline const __u8 *memo_request(const struct work *w)
{
	__u32 off = w->doff;

	OPAQUE(off);
	return w->seg + (off & 63);
}

/* Four words at a time, each in a lane of its own: multiplications wait for
 * nothing but their lane. Zeros stand behind the request (pad_request()).
 * Return: never 0. */
static __always_inline __u64 memo_hash(const struct work *w,
				       const struct dawn_config *cfg)
{
	const __u8 *p = memo_request(w);
	__u64 a = cfg->cache_key.k[0], b = cfg->cache_key.k[1];
	__u64 c = ~a ^ w->payload_len, d = ~b ^ w->service.group;

	for (__u32 i = 0; i < MEMO_BYTES; i += MEMO_BLOCK) {
		if (i >= w->payload_len)
			break;
		a = (a ^ LOAD64(p + i)) * MEMO_K;
		b = (b ^ LOAD64(p + i + 8)) * MEMO_K;
		c = (c ^ LOAD64(p + i + 16)) * MEMO_K;
		d = (d ^ LOAD64(p + i + 24)) * MEMO_K;
		a ^= a >> 32;
		b ^= b >> 32;
		c ^= c >> 32;
		d ^= d >> 32;
	}
	a = (a ^ b * MEMO_K ^ (b >> 29)) * MEMO_K;
	a = (a ^ a >> 32 ^ c) * MEMO_K;
	a = (a ^ a >> 32 ^ d) * MEMO_K;
	return (a ^ a >> 32) | 1;
}

/* Zeros behind the request, as far as a block may reach. */
static __always_inline void pad_request(struct work *w)
{
	__u32 end = w->l4_len;

	OPAQUE(end);
	end &= 0x7ff;
	for (int i = 0; i < MEMO_BLOCK; i += 8)
		*(word64 *)(w->seg + end + i) = 0;
}

static __always_inline bool memo_equal(const struct work *w,
				       const struct memo *m)
{
	const __u8 *p = memo_request(w);
	__u64 differ;

	for (__u32 i = 0; i < MEMO_BYTES; i += MEMO_BLOCK) {
		if (i >= w->payload_len)
			break;
		differ = LOAD64(p + i) ^ LOAD64(m->bytes + i);
		differ |= LOAD64(p + i + 8) ^ LOAD64(m->bytes + i + 8);
		differ |= LOAD64(p + i + 16) ^ LOAD64(m->bytes + i + 16);
		differ |= LOAD64(p + i + 24) ^ LOAD64(m->bytes + i + 24);
		if (differ)
			return false;
	}
	return true;
}

static __always_inline bool memo_is_old(const struct work *w,
					const struct memo *m,
					const struct dawn_config *cfg)
{
	return w->now_ms - m->made_ms >= cfg->memo_ms;
}

/* Is the request at hand (in w->seg) one that was answered before? Return: 1,
 * with slot, gen, len and kind of w->resp set; 0: parse it. */
dawn_subprog int memo_find(struct work *w)
{
	struct dawn_config *cfg = config_get();
	struct dawn_slot *slot;
	struct memo *m;

	if (!w || !cfg)
		return 0;
	w->memo_hash = 0;
	if (!cfg->memo_ms || !w->payload_len || w->payload_len > MEMO_BYTES ||
	    w->doff > 60)
		return 0;
	pad_request(w);
	w->memo_hash = memo_hash(w, cfg);
	m = memo_at(w->memo_hash);
	if (!m || m->hash != w->memo_hash || m->len != w->payload_len ||
	    m->group != w->service.group || m->flags != w->service.flags ||
	    m->vhosts != cfg->vhosts || memo_is_old(w, m, cfg) ||
	    !memo_equal(w, m))
		return 0;
	slot = slot_at(m->where.slot);
	if (!slot || !slot_holds(slot, m->where.gen) || slot_expired(w, slot))
		return 0;
	w->resp.slot = m->where.slot;
	w->resp.gen = m->where.gen;
	w->resp.kind = m->kind;
	w->resp.len = dawn_slot_len(slot, m->kind);
	COUNT(memo_hit);
	return 1;
}

/* Remember what the request at hand was found to mean. */
dawn_subprog int memo_note(struct xdp_md *ctx, struct work *w)
{
	struct dawn_config *cfg = config_get();
	struct memo *m;
	__u32 len;

	if (!w || !cfg || !w->memo_hash)
		return 0;
	m = memo_at(w->memo_hash);
	if (!m)
		return 0;
	if (m->hash && m->hash != w->memo_hash && m->next != w->memo_hash &&
	    !memo_is_old(w, m, cfg)) {
		m->next = w->memo_hash;
		return 0;
	}
	len = w->payload_len;
	if (len > MEMO_BYTES)
		return 0;
	m->hash = 0;
	len = BOUND_LEN(len, MEMO_BYTES - 1);
	if (bpf_xdp_load_bytes(ctx, w->l4_off + w->doff, m->bytes, len))
		return 0;
	for (int i = 0; i < MEMO_BLOCK; i += 8)
		*(word64 *)(m->bytes + len + i) = 0;
	m->where.slot = w->resp.slot;
	m->where.gen = w->resp.gen;
	m->made_ms = w->now_ms;
	m->vhosts = cfg->vhosts;
	m->group = w->service.group;
	m->flags = w->service.flags;
	m->len = len;
	m->kind = w->resp.kind;
	m->hash = w->memo_hash;
	return 0;
}

#endif
