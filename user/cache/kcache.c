/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* User side of the kernel cache.
 *
 * ## Theory of operation
 *
 * Goals: XDP never sends a byte of a response that is being written; replacing
 * is atomic; any number of processes may write at once, and each may be killed
 * anywhere; nobody waits but who asked to. Not a goal: which response deserves
 * a slot (see user/cache/evict.c).
 *
 * Claim. `writer` of a slot is its lock: 0 -> this process, by compare-and-swap,
 * while the slot is FREE. Its holder alone goes FREE -> FILLING (gen + 1) ->
 * LIVE, puts it into the index, and lets go. Every change of {state, gen} is a
 * 64-bit compare-and-swap, so whoever acts on an old view loses.
 *
 * Index. Look up and change go under one lock for all processes
 * (config.cache_writer), so that two writers of one key never both believe
 * they replaced the same slot. BPF's own update is atomic for readers. The
 * lock is held for two system calls; a waiter gives up after 20 ms, a dead
 * holder loses it.
 *
 * Two keys of one hash (128 bits, keyed) have one place in the index: the last
 * one put has it, and retires the other. Who looks up or takes out compares the
 * slot's key in full, as XDP does.
 *
 * XDP may know a slot without the index (bpf/memo.bpf.h). So no call may return
 * while a slot that it took the index entry from, or found it taken from, is
 * LIVE: retiring belongs to the index change and stands under the lock, too,
 * and when an entry goes, before it. Who takes the lock from a dead holder, or
 * removes without it, retires what the holder may have left between the two.
 *
 * Retire. A slot goes LIVE -> RETIRED when it is replaced, removed, or expired.
 * XDP wants LIVE and the right gen, so this alone ends new answers from it; its
 * index entry goes before the slot is freed at the latest.
 *
 * Free. RETIRED -> FREE needs, in this order:
 *   1. the index does not name (slot, gen);
 *   2. a grace period that began after 1: XDP runs that found the entry ended;
 *   3. no flow with its `unacked` bit set names (slot, gen).
 * Why 3 misses none: XDP looks a slot up, stores resp_slot and resp_gen and
 * sets the bit, all in one run. Runs that found the slot ended in 2, with the
 * bit set; later runs cannot find it. So after 2 flows only ever stop naming
 * (slot, gen), XDP's way; a flow that is LOCKED, or torn, while we read it is
 * being changed into one that does not. The reactor's way to name a slot is
 * the hand-back: it sets the bit first and then, past a full barrier, wants to
 * see LIVE. We make it RETIRED first and, past the grace period (a full
 * barrier), look at the bits. One of the two sees the other.
 *
 * Cleaning up after the dead. reap() walks all slots, some at each call:
 *   - a dead writer's lock is taken over; FILLING becomes FREE at once (it was
 *     never indexed), other states are left for the next rules;
 *   - LIVE without a writer, and the index names another: RETIRED. While its
 *     writer lives the slot may be on its way into the index, so it stays;
 *   - LIVE and expired: RETIRED;
 *   - RETIRED by whomever: as above, with a grace period of our own.
 * A writer's name tells a dead one from a living one with the same pid, see
 * kcache_writer.c.
 *
 * Memory of a handle: 21 bytes a slot. Cost of reap(): one look at 256 slots
 * (or a 16th) and a map lookup for each LIVE one, about 0.1 ms.
 */
#include "user/cache/kcache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "user/cache/kcache_int.h"

#define FULL_RETRY_NS 100000000ULL
#define DATE_END_MAX  512 /* Date is in the first segment of any sane MSS */
#define NM_HEAD_MAX   1024
#define VHOST_ID_MAX  65535

static int make_key(struct dawn_cache_key *ck, uint16_t group, uint16_t vhost,
		    const char *target, size_t len)
{
	if (!len)
		return -EINVAL;
	if (len > DAWN_TARGET_MAX)
		return -E2BIG;
	memset(ck, 0, sizeof(*ck));
	ck->group = group;
	ck->vhost = vhost;
	ck->target_len = (uint16_t)len;
	memcpy(ck->target, target, len);
	return 0;
}

/* ---- claiming and filling ---- */

static bool claim_slot(struct dawn_kcache *kc, uint32_t i)
{
	struct dawn_slot *s = &kc->m.slots[i];
	union dawn_kc_word w = kc_word(s);

	kc_saw(kc, i, false); /* free or not, it will not be */
	if (w.state != DAWN_SLOT_FREE ||
	    !kc_swap_writer(&s->writer, 0, kc->m.writer))
		return false;
	w = kc_word(s);
	if (w.state == DAWN_SLOT_FREE &&
	    kc_change(s, w.gen, DAWN_SLOT_FREE, DAWN_SLOT_FILLING, w.gen + 1))
		return true;
	kc_drop_writer(&s->writer);
	return false;
}

static int claim_once(struct dawn_kcache *kc, uint32_t *out)
{
	while (kc->free_count) {
		*out = kc->free_list[--kc->free_count];
		if (claim_slot(kc, *out))
			return 0;
	}
	for (uint32_t n = 0; n < kc->m.slot_count; n++) {
		*out = kc->claim_next;
		kc->claim_next = (kc->claim_next + 1) % kc->m.slot_count;
		if (claim_slot(kc, *out))
			return 0;
	}
	return -ENOSPC;
}

static int claim(struct dawn_kcache *kc, uint32_t *out)
{
	uint64_t now = kc->m.ops->now_ns(kc->m.ctx);

	if (!kc->free_count && now < kc->full_until_ns)
		return -ENOSPC;
	if (!claim_once(kc, out))
		return 0;
	if (dawn_kcache_reap(kc) > 0 && !claim_once(kc, out))
		return 0;
	kc->full_until_ns = now + FULL_RETRY_NS;
	return -ENOSPC;
}

/* Give a slot back that no reader has ever been able to find. */
static void abandon(struct dawn_kcache *kc, uint32_t i,
		    enum dawn_slot_state state)
{
	struct dawn_slot *s = &kc->m.slots[i];
	uint32_t gen = kc_word(s).gen;

	kc_change(s, gen, state, DAWN_SLOT_FREE, gen);
	kc_drop_writer(&s->writer);
	kc_push_free(kc, i);
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

void dawn_slot_sums(struct dawn_slot *s)
{
	uint64_t sum = 0;
	uint32_t w[4];

	for (uint32_t i = 0; i < DAWN_PSUMS; i++) {
		s->psum[i] = fold(sum);
		memcpy(w, s->data + (size_t)i * DAWN_SEGMENT_ALIGN, sizeof(w));
		sum += (uint64_t)w[0] + w[1] + w[2] + w[3];
	}
}

static uint64_t expiry(struct dawn_kcache *kc, uint64_t ttl_ms)
{
	uint64_t now = kc->m.ops->now_ns(kc->m.ctx);

	if (!ttl_ms || ttl_ms > (UINT64_MAX - now) / 1000000)
		return 0;
	return now + ttl_ms * 1000000;
}

/* What XDP compares and sends when a request is conditional. */
static void fill_nm(struct dawn_slot *s, const struct dawn_kcache_put *p)
{
	bool fits = p->nm && p->nm_len <= DAWN_NM_MAX;
	uint64_t sum = 0;
	uint16_t word;

	memset(s->nm, 0, sizeof(s->nm));
	s->nm_len = fits ? (uint16_t)p->nm_len : 0;
	s->nm_date_off = fits ? (uint16_t)p->nm_date_off : 0;
	s->etag_off = p->etag_len <= DAWN_ETAG_MAX ? (uint16_t)p->etag_off : 0;
	s->etag_len = (uint16_t)p->etag_len;
	s->modified_off = (uint16_t)p->modified_off;
	if (fits)
		memcpy(s->nm, p->nm, p->nm_len);
	if (s->nm_date_off)
		memset(s->nm + s->nm_date_off, 0, DAWN_DATE_LEN);
	for (size_t i = 0; i < sizeof(s->nm); i += sizeof(word)) {
		memcpy(&word, s->nm + i, sizeof(word));
		sum += word;
	}
	s->nm_sum = fold(sum);
}

static void fill(struct dawn_kcache *kc, struct dawn_slot *s,
		 const struct dawn_kcache_put *p,
		 const struct dawn_cache_key *ck)
{
	size_t len = p->head_len + p->body_len;

	s->flags = p->flags;
	s->expires_ns = expiry(kc, p->ttl_ms);
	s->stored_s = (uint64_t)time(NULL);
	s->resp_len = (uint32_t)len;
	s->head_len = (uint16_t)p->head_len;
	s->date_off = (uint16_t)p->date_off;
	s->key = *ck;
	memcpy(s->data, p->head, p->head_len);
	if (p->body_len)
		memcpy(s->data + p->head_len, p->body, p->body_len);
	memset(s->data + len, 0, DAWN_SLOT_DATA - len);
	if (p->date_off)
		memset(s->data + p->date_off, 0, DAWN_DATE_LEN);
	dawn_slot_sums(s);
	fill_nm(s, p);
	memcpy(s->tags, p->tags, sizeof(s->tags));
}

/* Values of the header section that XDP compares with: it reads them where
 * they stand, in whole words, within the first kilobyte. */
static bool nm_ok(const struct dawn_kcache_put *p)
{
	const size_t end = p->head_len < NM_HEAD_MAX ? p->head_len
						     : NM_HEAD_MAX;

	if (p->etag_off && (p->etag_len < 2 || p->etag_off > end ||
			    p->etag_len > end - p->etag_off))
		return false;
	if (p->modified_off && p->modified_off + (size_t)DAWN_DATE_LEN > end)
		return false;
	return !p->nm || !p->nm_date_off ||
	       (p->nm_date_off % 2 == 0 &&
		p->nm_date_off + (size_t)DAWN_DATE_LEN <= p->nm_len);
}

static int check_put(const struct dawn_kcache_put *p)
{
	size_t date_end = (size_t)p->date_off + DAWN_DATE_LEN;

	if (p->head_len > DAWN_RESP_MAX ||
	    p->body_len > DAWN_RESP_MAX - p->head_len)
		return -E2BIG;
	if (!p->head_len || p->date_off % 4)
		return -EINVAL;
	if (p->date_off && (date_end > p->head_len || date_end > DATE_END_MAX))
		return -EINVAL;
	if (!nm_ok(p))
		return -EINVAL;
	return 0;
}

/* Into the index; whatever stood there is retired. */
static int publish(struct dawn_kcache *kc, const struct dawn_cache_key *ck,
		   struct dawn_index_value now)
{
	struct dawn_index_value old;
	struct dawn_index_key ik;
	bool had;
	int err;

	kc_hash(kc, ck, &ik);
	err = dawn_kc_lock(kc);
	if (err)
		return err;
	err = kc->m.ops->index_get(kc->m.ctx, &ik, &old);
	had = !err;
	if (!err || err == -ENOENT)
		err = kc->m.ops->index_set(kc->m.ctx, &ik, &now);
	if (!err && had)
		dawn_kc_retire(kc, old);
	dawn_kc_unlock(kc);
	return err == -E2BIG ? -ENOSPC : err; /* BPF's word for a full map */
}

int dawn_kcache_put(struct dawn_kcache *kc, const struct dawn_kcache_put *p,
		    struct dawn_index_value *where)
{
	struct dawn_index_value v;
	struct dawn_cache_key ck;
	struct dawn_slot *s;
	int err;

	err = make_key(&ck, p->group, p->vhost, p->target, p->target_len);
	if (!err)
		err = check_put(p);
	if (!err)
		err = claim(kc, &v.slot);
	if (err)
		return err;
	s = &kc->m.slots[v.slot];
	v.gen = kc_word(s).gen;
	fill(kc, s, p, &ck);
	err = kc->m.ops->hits_reset(kc->m.ctx, v.slot);
	if (err) {
		abandon(kc, v.slot, DAWN_SLOT_FILLING);
		return err;
	}
	kc_change(s, v.gen, DAWN_SLOT_FILLING, DAWN_SLOT_LIVE, v.gen);
	err = publish(kc, &ck, v);
	if (err) {
		abandon(kc, v.slot, DAWN_SLOT_LIVE);
		return err;
	}
	kc_drop_writer(&s->writer);
	if (where)
		*where = v;
	return 0;
}

/* ---- taking out ---- */

/* Does the index value stand for another key, of the same hash? Its slot says
 * so, as long as it has that gen: a writer changes gen before it changes key. */
static bool is_anothers(struct dawn_kcache *kc, struct dawn_index_value v,
			const struct dawn_cache_key *ck)
{
	struct dawn_slot *s;
	bool differs;

	if (v.slot >= kc->m.slot_count)
		return false;
	s = &kc->m.slots[v.slot];
	differs = memcmp(&s->key, ck, sizeof(*ck)) != 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return differs && kc_word(s).gen == v.gen;
}

int dawn_kcache_remove(struct dawn_kcache *kc, uint16_t group, uint16_t vhost,
		       const char *target, size_t target_len, bool async)
{
	struct dawn_index_value v;
	struct dawn_cache_key ck;
	struct dawn_index_key ik;
	bool locked, retired;
	int err;

	if (make_key(&ck, group, vhost, target, target_len))
		return -ENOENT; /* such a key never got in */
	kc_hash(kc, &ck, &ik);
	/* Not having the lock must not keep a stale response alive: retiring is
	 * enough, and reap() sees to the index entry. */
	locked = !dawn_kc_lock(kc);
	err = kc->m.ops->index_get(kc->m.ctx, &ik, &v);
	if (!err && is_anothers(kc, v, &ck))
		err = -ENOENT;
	retired = !err && dawn_kc_retire(kc, v);
	if (!err && locked)
		kc->m.ops->index_del(kc->m.ctx, &ik);
	if (locked)
		dawn_kc_unlock(kc);
	else
		dawn_kc_retire_strays(kc);
	if (err)
		return err;
	if (!retired)
		return -ENOENT;
	if (!async)
		dawn_grace_wait(kc->grace);
	return 0;
}

/* ---- tags ---- */

uint64_t dawn_kcache_tag(const struct dawn_kcache *kc, const char *name,
			 size_t len)
{
	struct dawn_sipstate s;
	uint64_t word, tag;

	dawn_sip_init(&s, &kc->m.config->cache_key);
	for (size_t i = 0; i < len; i += sizeof(word)) {
		word = 0;
		memcpy(&word, name + i,
		       len - i < sizeof(word) ? len - i : sizeof(word));
		dawn_sip_add(&s, word);
	}
	dawn_sip_add(&s, len);
	tag = dawn_sip_end(&s, 4);
	return tag ? tag : 1;
}

bool dawn_slot_has_tag(const struct dawn_slot *s, uint64_t tag)
{
	for (size_t i = 0; i < DAWN_TAGS_MAX; i++) {
		if (s->tags[i] == tag)
			return true;
	}
	return false;
}

/* ---- looking ---- */

int dawn_kcache_find(struct dawn_kcache *kc, uint16_t group, uint16_t vhost,
		     const char *target, size_t target_len,
		     struct dawn_index_value *where)
{
	struct dawn_index_value v;
	struct dawn_cache_key ck;
	struct dawn_index_key ik;
	struct dawn_slot *s;

	if (make_key(&ck, group, vhost, target, target_len))
		return -ENOENT;
	kc_hash(kc, &ck, &ik);
	if (kc->m.ops->index_get(kc->m.ctx, &ik, &v) ||
	    v.slot >= kc->m.slot_count)
		return -ENOENT;
	s = &kc->m.slots[v.slot];
	if (memcmp(&s->key, &ck, sizeof(ck)) || kc_expired(kc, s) ||
	    kc_word(s).v != kc_make_word(DAWN_SLOT_LIVE, v.gen).v)
		return -ENOENT;
	if (where)
		*where = v;
	return 0;
}

const struct dawn_slot *dawn_kcache_next(struct dawn_kcache *kc, uint32_t *next)
{
	struct dawn_slot *s;

	while (*next < kc->m.slot_count) {
		s = &kc->m.slots[(*next)++];
		if (kc_word(s).state == DAWN_SLOT_LIVE)
			return s;
	}
	return NULL;
}

const struct dawn_slot *dawn_kcache_slot(struct dawn_kcache *kc, uint32_t slot)
{
	return slot < kc->m.slot_count ? &kc->m.slots[slot] : NULL;
}

uint32_t dawn_kcache_slots(const struct dawn_kcache *kc)
{
	return kc->m.slot_count;
}

void dawn_kcache_room(const struct dawn_kcache *kc, uint32_t *free_slots,
		      uint32_t *leaving)
{
	*free_slots = kc->free_seen;
	*leaving = kc->pending;
}

uint64_t dawn_kcache_hits(struct dawn_kcache *kc, uint32_t slot)
{
	return slot < kc->m.slot_count ? kc->m.ops->hits_get(kc->m.ctx, slot)
				       : 0;
}

/* ---- virtual hosts ---- */

static int make_vhost_key(struct dawn_vhost_key *k, const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyz0123456789.-_:[]";
	size_t len = strlen(name);

	if (!len || len >= DAWN_VHOST_NAME_MAX || strspn(name, allowed) != len)
		return -EINVAL;
	memset(k, 0, sizeof(*k));
	memcpy(k->name, name, len);
	return 0;
}

/* Ids are given out under the index lock: two hosts of one id would be served
 * each other's pages. They are never reused. */
static int add_vhost(struct dawn_kcache *kc, const struct dawn_vhost_key *k)
{
	uint32_t id;
	int err;

	err = dawn_kc_lock(kc);
	if (err)
		return err;
	err = kc->m.ops->vhost_get(kc->m.ctx, k, &id);
	if (err == -ENOENT) {
		id = kc->m.ops->vhost_max(kc->m.ctx) + 1;
		err = id > VHOST_ID_MAX
			      ? -ENOSPC
			      : kc->m.ops->vhost_set(kc->m.ctx, k, id);
		if (!err)
			__atomic_fetch_add(&kc->m.config->vhosts, 1,
					   __ATOMIC_SEQ_CST);
	}
	dawn_kc_unlock(kc);
	if (err == -E2BIG)
		return -ENOSPC;
	return err ? err : (int)id;
}

int dawn_kcache_vhost(struct dawn_kcache *kc, const char *name, bool create)
{
	struct dawn_vhost_key k;
	uint32_t id;
	int err = make_vhost_key(&k, name);

	if (!err)
		err = kc->m.ops->vhost_get(kc->m.ctx, &k, &id);
	if (err == -ENOENT && create)
		return add_vhost(kc, &k);
	return err ? err : (int)id;
}

/* ---- handle ---- */

int dawn_kcache_open_mem(struct dawn_kcache **out,
			 const struct dawn_kcache_mem *mem)
{
	struct dawn_kcache *kc;

	if (!mem->slot_count || !mem->writer)
		return -EINVAL;
	kc = calloc(1, sizeof(*kc));
	if (!kc)
		return -ENOMEM;
	kc->m = *mem;
	kc->notes = calloc(mem->slot_count, sizeof(*kc->notes));
	kc->free_list = calloc(mem->slot_count, sizeof(*kc->free_list));
	kc->free_map =
		calloc((mem->slot_count + 63) / 64, sizeof(*kc->free_map));
	kc->named = calloc((mem->slot_count + 63) / 64, sizeof(*kc->named));
	if (!kc->notes || !kc->free_list || !kc->free_map || !kc->named ||
	    dawn_grace_create(&kc->grace, mem->ops->grace, mem->ctx)) {
		kc->m.ops = NULL; /* ctx stays the caller's */
		dawn_kcache_close(kc);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < mem->slot_count; i++)
		kc_saw(kc, i, kc_word(&mem->slots[i]).state == DAWN_SLOT_FREE);
	*out = kc;
	return 0;
}

void dawn_kcache_close(struct dawn_kcache *kc)
{
	if (!kc)
		return;
	dawn_grace_destroy(kc->grace);
	if (kc->m.ops && kc->m.ops->release)
		kc->m.ops->release(kc->m.ctx);
	free(kc->notes);
	free(kc->free_list);
	free(kc->free_map);
	free(kc->named);
	free(kc);
}
