/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Inside the kernel cache: what kcache.c needs of the machine. The real thing
 * (BPF maps, membarrier, /proc) is kcache_maps.c; unit tests give plain memory
 * and processes that live or die at their word.
 */
#ifndef DAWN_CACHE_KCACHE_INT_H
#define DAWN_CACHE_KCACHE_INT_H

#include "user/cache/kcache.h"

#include "maps/flow_table.h"
#include "maps/unacked.h"

/* All take `ctx` of the memory below. Map operations return 0 or negative
 * errno (-ENOENT: no such key). */
struct dawn_kcache_ops {
	int (*index_get)(void *ctx, const struct dawn_index_key *k,
			 struct dawn_index_value *v);
	int (*index_set)(void *ctx, const struct dawn_index_key *k,
			 const struct dawn_index_value *v);
	int (*index_del)(void *ctx, const struct dawn_index_key *k);
	int (*vhost_get)(void *ctx, const struct dawn_vhost_key *k,
			 uint32_t *id);
	int (*vhost_set)(void *ctx, const struct dawn_vhost_key *k,
			 uint32_t id);
	/* Largest id in use, 0 without any. */
	uint32_t (*vhost_max)(void *ctx);
	int (*hits_reset)(void *ctx, uint32_t slot);
	uint64_t (*hits_get)(void *ctx, uint32_t slot); /* sum over CPUs */

	/* Returns when every XDP run that was under way has ended. Called from
	 * any thread, by several at once. */
	void (*grace)(void *ctx);

	/* May this writer still be at work? Unsure: true. */
	bool (*writer_alive)(void *ctx, uint64_t writer);

	uint64_t (*now_ns)(void *ctx); /* coarse monotonic */
	void (*release)(void *ctx);    /* at close; may be NULL */
};

/* Memory shared with XDP and other writers, and how to reach the rest. */
struct dawn_kcache_mem {
	const struct dawn_kcache_ops *ops;
	void *ctx;
	uint64_t writer; /* this process's name; never 0 */
	struct dawn_slot *slots;
	uint32_t slot_count;
	struct dawn_config *config;
	const struct dawn_flow_set *flow_table;
	const uint64_t *unacked;
	uint32_t flow_sets;
};

/* As dawn_kcache_open(). On failure `release` is not called. */
int dawn_kcache_open_mem(struct dawn_kcache **out,
			 const struct dawn_kcache_mem *mem);

/* kcache_grace.c: grace periods waited for by a thread of their own, so that
 * no caller waits. One for each handle; started at the first request. */
struct dawn_grace;

int dawn_grace_create(struct dawn_grace **out, void (*wait)(void *ctx),
		      void *ctx);
void dawn_grace_destroy(struct dawn_grace *g); /* waits for one under way */

/* Ask for a grace period that begins after this call. Return: its ticket. */
uint64_t dawn_grace_ask(struct dawn_grace *g);

/* Is the grace period of this ticket over? */
bool dawn_grace_done(struct dawn_grace *g, uint64_t ticket);

/* Ask, and wait for it. */
void dawn_grace_wait(struct dawn_grace *g);

/* kcache_writer.c: a process's name in 64 bits, see there. */
uint64_t dawn_writer_self(void);
bool dawn_writer_alive(uint64_t writer);

/* ---- kcache.c and kcache_reap.c ---- */

/* What this handle knows of a retired slot. */
struct dawn_kc_note {
	uint64_t ticket; /* 0: index not yet seen without it */
	uint32_t gen;
	bool pending;
};

struct dawn_kcache {
	struct dawn_kcache_mem m;
	struct dawn_grace *grace;
	struct dawn_kc_note *notes;
	uint32_t pending;
	uint32_t scan_next;
	uint32_t claim_next;
	uint32_t *free_list; /* hints: slots that this handle freed */
	uint32_t free_count;
	uint64_t *free_map; /* bitmap: slots that were FREE when last seen */
	uint32_t free_seen; /* its bits */
	uint64_t full_until_ns; /* found no slot: do not search before */
	uint64_t *named;        /* bitmap of reap() */
	int freed;              /* by the reap() under way */
};

/* {state, gen} as one word, whatever the byte order. */
union dawn_kc_word {
	struct {
		uint32_t state, gen;
	};
	uint64_t v;
};

static inline union dawn_kc_word kc_make_word(enum dawn_slot_state state,
					      uint32_t gen)
{
	return (union dawn_kc_word){ { state, gen } };
}

static inline uint64_t *kc_word_of(struct dawn_slot *s)
{
	_Static_assert(offsetof(struct dawn_slot, state) == 0 &&
			       offsetof(struct dawn_slot, gen) == 4,
		       "state and gen are one word");
	return (uint64_t *)(void *)s;
}

static inline union dawn_kc_word kc_word(struct dawn_slot *s)
{
	union dawn_kc_word w = { .v = __atomic_load_n(kc_word_of(s),
						      __ATOMIC_SEQ_CST) };

	return w;
}

static inline bool kc_change(struct dawn_slot *s, uint32_t gen,
			     enum dawn_slot_state from, enum dawn_slot_state to,
			     uint32_t to_gen)
{
	uint64_t expected = kc_make_word(from, gen).v;

	return __atomic_compare_exchange_n(kc_word_of(s), &expected,
					   kc_make_word(to, to_gen).v, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline bool kc_swap_writer(__u64 *writer, uint64_t from, uint64_t to)
{
	__u64 expected = from; /* not uint64_t to clang, where that is long */

	return __atomic_compare_exchange_n(writer, &expected, to, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline void kc_drop_writer(__u64 *writer)
{
	__atomic_store_n(writer, 0, __ATOMIC_SEQ_CST);
}

static inline void kc_hash(const struct dawn_kcache *kc,
			   const struct dawn_cache_key *ck,
			   struct dawn_index_key *ik)
{
	dawn_cache_hash(ik, &kc->m.config->cache_key, ck);
}

static inline bool kc_expired(struct dawn_kcache *kc, const struct dawn_slot *s)
{
	return s->expires_ns && kc->m.ops->now_ns(kc->m.ctx) >= s->expires_ns;
}

/* Remember whether a slot is FREE. A hint: other processes take and free some. */
static inline void kc_saw(struct dawn_kcache *kc, uint32_t i, bool is_free)
{
	uint64_t bit = 1ULL << i % 64;
	bool was = kc->free_map[i / 64] & bit;

	if (was != is_free) {
		kc->free_map[i / 64] ^= bit;
		kc->free_seen += is_free ? 1U : -1U;
	}
}

static inline void kc_push_free(struct dawn_kcache *kc, uint32_t i)
{
	kc_saw(kc, i, true);
	if (kc->free_count < kc->m.slot_count)
		kc->free_list[kc->free_count++] = i;
}

/* The index lock of all processes. Return: 0 or -EBUSY after 20 ms. */
int dawn_kc_lock(struct dawn_kcache *kc);
void dawn_kc_unlock(struct dawn_kcache *kc);

/* LIVE -> RETIRED, if it is still that one, and remember to free it. Return:
 * whether we did it. */
bool dawn_kc_retire(struct dawn_kcache *kc, struct dawn_index_value v);

/* Retire all that is LIVE, nobody's, and not what the index names. */
void dawn_kc_retire_strays(struct dawn_kcache *kc);

#endif
