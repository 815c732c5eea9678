/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A machine in plain memory for the kernel cache: slots, flows, a map, a clock,
 * processes that live or die at our word, and XDP runs (readers) for grace
 * periods to wait for.
 *
 * All of it lies in one shared mapping and is changed by atomics only, so
 * forked writers can share it and be killed anywhere, as with the real maps.
 */
#ifndef DAWN_TESTS_FAKE_KCACHE_H
#define DAWN_TESTS_FAKE_KCACHE_H

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "user/cache/kcache_int.h"

#define FAKE_SLOTS   16
#define FAKE_SETS    16
#define FAKE_INDEX   4096
#define FAKE_VHOSTS  8
#define FAKE_READERS 2

struct fake_entry {
	uint64_t h0;    /* 0: nobody has it; given once, then kept */
	uint64_t value; /* gen << 32 | slot; 0: no such key (gen >= 1) */
};

struct fake {
	struct dawn_config config;
	struct dawn_flow_set flows[FAKE_SETS];
	uint64_t unacked[FAKE_SETS * DAWN_FLOW_WAYS / 64];
	struct fake_entry index[FAKE_INDEX];
	struct dawn_vhost_key vhost_name[FAKE_VHOSTS];
	uint32_t vhost_id[FAKE_VHOSTS];
	uint32_t vhosts;
	uint64_t hits[FAKE_SLOTS];
	uint64_t run[FAKE_READERS]; /* odd: an XDP run is under way */
	uint64_t now_ns;
	uint64_t dead[4]; /* writers that are dead; 0 unused */
	uint32_t graces;
	int index_fails; /* errno of the next index_set, once */
	bool real_processes;
	bool stop; /* of the races */
	struct dawn_slot slots[FAKE_SLOTS];
};

static inline struct fake *fake_new(void)
{
	struct fake *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (f == MAP_FAILED)
		abort();
	f->config.abi = DAWN_ABI_VERSION;
	f->config.cache_key.k[0] = 0x0123456789abcdefULL;
	f->config.cache_key.k[1] = 0xfedcba9876543210ULL;
	f->now_ns = 1000000000;
	return f;
}

static inline void fake_free(struct fake *f)
{
	munmap(f, sizeof(*f));
}

static inline bool fake_stopped(struct fake *f)
{
	return __atomic_load_n(&f->stop, __ATOMIC_SEQ_CST);
}

/* The entry of a key; made if `make`. */
static inline struct fake_entry *fake_entry(struct fake *f, uint64_t h0,
					    bool make)
{
	struct fake_entry *e;
	uint64_t have;

	h0 |= 1;
	for (uint32_t i = 0; i < FAKE_INDEX; i++) {
		e = &f->index[(h0 + i) % FAKE_INDEX];
		have = __atomic_load_n(&e->h0, __ATOMIC_SEQ_CST);
		if (!have && !make)
			return NULL;
		if (!have && __atomic_compare_exchange_n(
				     &e->h0, &have, h0, false, __ATOMIC_SEQ_CST,
				     __ATOMIC_SEQ_CST))
			return e;
		if (have == h0)
			return e;
	}
	return NULL;
}

static inline int fake_index_get(void *ctx, const struct dawn_index_key *k,
				 struct dawn_index_value *v)
{
	struct fake_entry *e = fake_entry(ctx, k->h[0], false);
	uint64_t value = e ? __atomic_load_n(&e->value, __ATOMIC_SEQ_CST) : 0;

	v->slot = (uint32_t)value;
	v->gen = value >> 32;
	return value ? 0 : -ENOENT;
}

static inline int fake_index_set(void *ctx, const struct dawn_index_key *k,
				 const struct dawn_index_value *v)
{
	struct fake *f = ctx;
	struct fake_entry *e = fake_entry(f, k->h[0], true);
	int err = f->index_fails;

	f->index_fails = 0;
	if (err || !e)
		return err ? err : -E2BIG;
	__atomic_store_n(&e->value, (uint64_t)v->gen << 32 | v->slot,
			 __ATOMIC_SEQ_CST);
	return 0;
}

static inline int fake_index_del(void *ctx, const struct dawn_index_key *k)
{
	struct fake_entry *e = fake_entry(ctx, k->h[0], false);

	if (!e || !__atomic_exchange_n(&e->value, 0, __ATOMIC_SEQ_CST))
		return -ENOENT;
	return 0;
}

static inline int fake_vhost_get(void *ctx, const struct dawn_vhost_key *k,
				 uint32_t *id)
{
	struct fake *f = ctx;

	for (uint32_t i = 0; i < f->vhosts; i++)
		if (!memcmp(&f->vhost_name[i], k, sizeof(*k))) {
			*id = f->vhost_id[i];
			return 0;
		}
	return -ENOENT;
}

static inline int fake_vhost_set(void *ctx, const struct dawn_vhost_key *k,
				 uint32_t id)
{
	struct fake *f = ctx;

	if (f->vhosts == FAKE_VHOSTS)
		return -E2BIG;
	f->vhost_name[f->vhosts] = *k;
	f->vhost_id[f->vhosts++] = id;
	return 0;
}

static inline uint32_t fake_vhost_max(void *ctx)
{
	struct fake *f = ctx;
	uint32_t max = 0;

	for (uint32_t i = 0; i < f->vhosts; i++)
		max = f->vhost_id[i] > max ? f->vhost_id[i] : max;
	return max;
}

static inline int fake_hits_reset(void *ctx, uint32_t slot)
{
	__atomic_store_n(&((struct fake *)ctx)->hits[slot], 0,
			 __ATOMIC_SEQ_CST);
	return 0;
}

static inline uint64_t fake_hits_get(void *ctx, uint32_t slot)
{
	return __atomic_load_n(&((struct fake *)ctx)->hits[slot],
			       __ATOMIC_SEQ_CST);
}

static inline void fake_grace(void *ctx)
{
	struct fake *f = ctx;
	uint64_t was;

	__atomic_fetch_add(&f->graces, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < FAKE_READERS; i++) {
		was = __atomic_load_n(&f->run[i], __ATOMIC_SEQ_CST);
		while (was % 2 &&
		       __atomic_load_n(&f->run[i], __ATOMIC_SEQ_CST) == was)
			sched_yield();
	}
}

static inline bool fake_writer_alive(void *ctx, uint64_t writer)
{
	struct fake *f = ctx;

	if (f->real_processes)
		return dawn_writer_alive(writer);
	for (int i = 0; i < 4; i++)
		if (f->dead[i] == writer)
			return false;
	return true;
}

static inline uint64_t fake_now_ns(void *ctx)
{
	return __atomic_load_n(&((struct fake *)ctx)->now_ns, __ATOMIC_SEQ_CST);
}

static const struct dawn_kcache_ops fake_ops = {
	.index_get = fake_index_get,
	.index_set = fake_index_set,
	.index_del = fake_index_del,
	.vhost_get = fake_vhost_get,
	.vhost_set = fake_vhost_set,
	.vhost_max = fake_vhost_max,
	.hits_reset = fake_hits_reset,
	.hits_get = fake_hits_get,
	.grace = fake_grace,
	.writer_alive = fake_writer_alive,
	.now_ns = fake_now_ns,
};

static inline struct dawn_kcache *fake_open(struct fake *f, uint64_t writer)
{
	struct dawn_kcache_mem mem = {
		.ops = &fake_ops,
		.ctx = f,
		.writer = writer,
		.slots = f->slots,
		.slot_count = FAKE_SLOTS,
		.config = &f->config,
		.flow_table = f->flows,
		.unacked = f->unacked,
		.flow_sets = FAKE_SETS,
	};
	struct dawn_kcache *kc = NULL;

	if (dawn_kcache_open_mem(&kc, &mem))
		abort();
	return kc;
}

/* A flow whose unacknowledged response is (slot, gen), or none. */
static inline void fake_flow(struct fake *f, uint32_t flow, bool named,
			     struct dawn_index_value v)
{
	struct dawn_flow *e = &f->flows[flow / 8].flow[flow % 8];

	e->owner = dawn_owner(DAWN_OWNER_KERNEL, 0, 0, 0, 1);
	e->resp_slot = v.slot;
	e->resp_gen = v.gen;
	e->resp_kind = named ? DAWN_RESP_GET : DAWN_RESP_NONE;
	if (named)
		f->unacked[flow / 64] |= 1ULL << flow % 64;
	else
		f->unacked[flow / 64] &= ~(1ULL << flow % 64);
}

/* ---- what the tests share ---- */

#define ME    0x100000001ULL
#define OTHER 0x200000002ULL

static const char head_text[] = "HTTP/1.1 200 OK\r\n"
				"Server: binary-dawn\r\n"
				"Date: Sat, 21 Nov 2026 01:00:00 GMT\r\n"
				"Content-Length: 5\r\n\r\n";

static inline struct dawn_kcache_put put_of(const char *target,
					    const void *body, size_t len)
{
	return (struct dawn_kcache_put){
		.group = 1,
		.target = target,
		.target_len = strlen(target),
		.head = head_text,
		.head_len = sizeof(head_text) - 1,
		.date_off = 44,
		.body = body,
		.body_len = len,
	};
}

static inline struct dawn_index_value put(struct dawn_kcache *kc,
					  const char *target, const char *body)
{
	struct dawn_kcache_put p = put_of(target, body, strlen(body));
	struct dawn_index_value v = { ~0U, 0 };

	assert_int_equal(dawn_kcache_put(kc, &p, &v), 0);
	return v;
}

static inline int find(struct dawn_kcache *kc, const char *target,
		       struct dawn_index_value *v)
{
	return dawn_kcache_find(kc, 1, 0, target, strlen(target), v);
}

static inline int take_out(struct dawn_kcache *kc, const char *target,
			   bool async)
{
	return dawn_kcache_remove(kc, 1, 0, target, strlen(target), async);
}

/* Reap until nothing more can come of it: the grace thread needs its time. */
static inline int reap_all(struct dawn_kcache *kc)
{
	int freed = 0;

	for (int i = 0; i < 3; i++)
		freed += dawn_kcache_sync(kc);
	return freed;
}

static inline int count_state(const struct fake *f, enum dawn_slot_state state)
{
	int n = 0;

	for (int i = 0; i < FAKE_SLOTS; i++)
		n += f->slots[i].state == state;
	return n;
}

static inline uint16_t slow_sum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;
	uint16_t w;

	for (size_t i = 0; i < len; i += 2) {
		memcpy(&w, data + i, 2);
		sum += w;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)sum;
}

static inline bool same_sum(uint16_t a, uint16_t b)
{
	return a % 0xffff == b % 0xffff; /* two ways to write zero */
}

#endif
