/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel cache, second half: the lock of the index, retiring slots and
 * freeing them. Theory of operation: kcache.c.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "user/cache/kcache_int.h"

#define SCAN_MIN     256
#define LOCK_TRIES   200
#define LOCK_WAIT_NS 100000

int dawn_kc_lock(struct dawn_kcache *kc)
{
	const struct timespec pause = { .tv_nsec = LOCK_WAIT_NS };
	__u64 *lock = &kc->m.config->cache_writer;
	uint64_t holder;

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (kc_swap_writer(lock, 0, kc->m.writer))
			return 0;
		holder = __atomic_load_n(lock, __ATOMIC_SEQ_CST);
		if (i % 16 == 15 && holder &&
		    !kc->m.ops->writer_alive(kc->m.ctx, holder) &&
		    kc_swap_writer(lock, holder, kc->m.writer)) {
			dawn_kc_retire_strays(kc);
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

void dawn_kc_unlock(struct dawn_kcache *kc)
{
	kc_drop_writer(&kc->m.config->cache_writer);
}

static void set_pending(struct dawn_kcache *kc, uint32_t i, uint32_t gen)
{
	struct dawn_kc_note *n = &kc->notes[i];

	if (n->pending && n->gen == gen)
		return;
	kc->pending += !n->pending;
	*n = (struct dawn_kc_note){ .gen = gen, .pending = true };
}

/* LIVE -> RETIRED, if it is still that one. Return: whether we did it. */
bool dawn_kc_retire(struct dawn_kcache *kc, struct dawn_index_value v)
{
	if (v.slot >= kc->m.slot_count)
		return false;
	if (!kc_change(&kc->m.slots[v.slot], v.gen, DAWN_SLOT_LIVE,
		       DAWN_SLOT_RETIRED, v.gen))
		return false;
	set_pending(kc, v.slot, v.gen);
	return true;
}

bool dawn_kcache_evict(struct dawn_kcache *kc, struct dawn_index_value where)
{
	const struct dawn_slot *s = dawn_kcache_slot(kc, where.slot);

	/* Flags of another filling do no harm: then the gen is another one. */
	return s && (s->flags & DAWN_ENTRY_FILE) && dawn_kc_retire(kc, where);
}

static bool is(struct dawn_index_value v, uint32_t slot, uint32_t gen)
{
	return v.slot == slot && v.gen == gen;
}

/* Hash of a slot's own key. Another process may refill the slot meanwhile, and
 * then the hash is of nothing: whoever acts on it does so by compare-and-swap
 * with the gen that was read before, or on an index entry that names that gen,
 * and both fail. */
static void hash_slot(const struct dawn_kcache *kc, uint32_t i,
		      struct dawn_index_key *ik)
{
	struct dawn_cache_key ck = kc->m.slots[i].key;

	if (ck.target_len > DAWN_TARGET_MAX)
		ck.target_len = DAWN_TARGET_MAX;
	kc_hash(kc, &ck, ik);
}

/* Return: 1 if the index names (slot, gen), 0 if not, or negative errno. */
static int is_indexed(struct dawn_kcache *kc, const struct dawn_index_key *ik,
		      uint32_t i, uint32_t gen)
{
	struct dawn_index_value v;
	int err = kc->m.ops->index_get(kc->m.ctx, ik, &v);

	if (err == -ENOENT)
		return 0;
	return err ? err : is(v, i, gen);
}

/* Make sure that the index does not name (slot, gen). */
static int drop_from_index(struct dawn_kcache *kc, uint32_t i, uint32_t gen)
{
	struct dawn_index_key ik;
	int err;

	hash_slot(kc, i, &ik);
	err = is_indexed(kc, &ik, i, gen);
	if (err <= 0)
		return err;
	err = dawn_kc_lock(kc);
	if (err)
		return err;
	err = is_indexed(kc, &ik, i, gen);
	if (err == 1)
		err = kc->m.ops->index_del(kc->m.ctx, &ik);
	dawn_kc_unlock(kc);
	return err == -ENOENT ? 0 : err;
}

/* Take over a dead writer's slot. Return: false if a living one has it. */
static bool settle_writer(struct dawn_kcache *kc, struct dawn_slot *s)
{
	uint64_t w = __atomic_load_n(&s->writer, __ATOMIC_SEQ_CST);
	uint32_t gen;

	if (!w)
		return true;
	if (w == kc->m.writer || kc->m.ops->writer_alive(kc->m.ctx, w))
		return false;
	if (!kc_swap_writer(&s->writer, w, kc->m.writer))
		return false;
	gen = kc_word(s).gen;
	if (kc_change(s, gen, DAWN_SLOT_FILLING, DAWN_SLOT_FREE, gen))
		kc->freed++;
	kc_drop_writer(&s->writer);
	return true;
}

static void inspect(struct dawn_kcache *kc, uint32_t i)
{
	struct dawn_slot *s = &kc->m.slots[i];
	struct dawn_index_key ik;
	/* Before the writer: a slot that is LIVE here and has no writer after
	 * has been through its writer's index update. */
	union dawn_kc_word w = kc_word(s);

	kc_saw(kc, i, w.state == DAWN_SLOT_FREE);
	if (!settle_writer(kc, s))
		return;
	if (w.state == DAWN_SLOT_RETIRED)
		set_pending(kc, i, w.gen);
	if (w.state != DAWN_SLOT_LIVE)
		return;
	hash_slot(kc, i, &ik);
	if (kc_expired(kc, s) || is_indexed(kc, &ik, i, w.gen) == 0)
		dawn_kc_retire(kc, (struct dawn_index_value){ i, w.gen });
}

void dawn_kc_retire_strays(struct dawn_kcache *kc)
{
	for (uint32_t i = 0; i < kc->m.slot_count; i++)
		inspect(kc, i);
}

/* Mark the slot that a flow's unacknowledged response names. */
static void mark_named(struct dawn_kcache *kc, const struct dawn_flow *f)
{
	uint32_t slot = __atomic_load_n(&f->resp_slot, __ATOMIC_RELAXED);
	uint32_t gen = __atomic_load_n(&f->resp_gen, __ATOMIC_RELAXED);
	uint64_t owner = __atomic_load_n(&f->owner, __ATOMIC_RELAXED);

	if (dawn_owner_state(owner) == DAWN_OWNER_FREE ||
	    __atomic_load_n(&f->resp_kind, __ATOMIC_RELAXED) == DAWN_RESP_NONE)
		return;
	if (slot < kc->m.slot_count && kc_word(&kc->m.slots[slot]).gen == gen)
		kc->named[slot / 64] |= 1ULL << slot % 64;
}

static void find_named(struct dawn_kcache *kc)
{
	uint32_t words = DAWN_UNACKED_WORDS(kc->m.flow_sets);
	uint64_t bits;
	uint32_t flow;

	memset(kc->named, 0, (kc->m.slot_count + 63) / 64 * 8);
	for (uint32_t i = 0; i < words; i++) {
		bits = __atomic_load_n(&kc->m.unacked[i], __ATOMIC_SEQ_CST);
		for (; bits; bits &= bits - 1) {
			flow = i * 64 + (uint32_t)__builtin_ctzll(bits);
			mark_named(kc, &kc->m.flow_table[flow / DAWN_FLOW_WAYS]
						.flow[flow % DAWN_FLOW_WAYS]);
		}
	}
}

static void clear_pending(struct dawn_kcache *kc, uint32_t i)
{
	kc->pending -= kc->notes[i].pending;
	kc->notes[i].pending = false;
}

/* One step of a pending slot's way to FREE. */
static void advance(struct dawn_kcache *kc, uint32_t i, bool *scanned)
{
	struct dawn_slot *s = &kc->m.slots[i];
	struct dawn_kc_note *n = &kc->notes[i];
	union dawn_kc_word w = kc_word(s);

	if (w.state != DAWN_SLOT_RETIRED || w.gen != n->gen) {
		clear_pending(kc, i); /* another process freed it */
		return;
	}
	if (!n->ticket) {
		if (!drop_from_index(kc, i, n->gen))
			n->ticket = dawn_grace_ask(kc->grace);
		return;
	}
	if (!dawn_grace_done(kc->grace, n->ticket))
		return;
	if (!*scanned)
		find_named(kc);
	*scanned = true;
	if (kc->named[i / 64] >> i % 64 & 1)
		return;
	clear_pending(kc, i);
	if (!kc_change(s, n->gen, DAWN_SLOT_RETIRED, DAWN_SLOT_FREE, n->gen))
		return;
	kc_push_free(kc, i);
	kc->freed++;
}

static int reap_some(struct dawn_kcache *kc, uint32_t count)
{
	bool scanned = false;

	kc->freed = 0;
	for (uint32_t n = 0; n < count; n++) {
		inspect(kc, kc->scan_next);
		kc->scan_next = (kc->scan_next + 1) % kc->m.slot_count;
	}
	for (uint32_t i = 0; i < kc->m.slot_count && kc->pending; i++)
		if (kc->notes[i].pending)
			advance(kc, i, &scanned);
	if (kc->freed)
		kc->full_until_ns = 0;
	return kc->freed;
}

int dawn_kcache_reap(struct dawn_kcache *kc)
{
	uint32_t count = kc->m.slot_count / 16;

	if (count < SCAN_MIN)
		count = SCAN_MIN;
	if (count > kc->m.slot_count)
		count = kc->m.slot_count;
	return reap_some(kc, count);
}

int dawn_kcache_sync(struct dawn_kcache *kc)
{
	int freed = reap_some(kc, kc->m.slot_count);

	dawn_grace_wait(kc->grace);
	return freed + reap_some(kc, 0);
}
