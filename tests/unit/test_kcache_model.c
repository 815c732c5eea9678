/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel cache's user side against a slow obvious model: a plain array by
 * key. Two processes put, replace, remove, sync and reap; XDP runs begin and
 * end between their calls, name slots in flows, and peers acknowledge; time
 * goes on, index updates fail. After each step the slots, the flows and what
 * find() and a run's own look-up say must be what the model says.
 *
 * Grace periods are the model's own: the functions of kcache_grace.c are made
 * here (so the archive's are not linked), without a thread. One ends in a step of
 * its own, once the runs that were under way when it began have ended. So every
 * run of a seed is the same.
 *
 *	test_kcache_model [SEED [SEEDS]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/fake_kcache.h"

#define SEEDS      30
#define STEPS      12000
#define KEYS       24 /* more than slots */
#define FLOWS      10
#define RUNS       3
#define HANDLES    2
#define CLOSED_NS  100000000ULL /* kcache.c: FULL_RETRY_NS */
#define BODY_SMALL 96

struct entry {
	uint32_t version;    /* 0: absent */
	uint64_t expires_ns; /* 0 never */
	struct dawn_index_value at;
};

/* What a run found, or a flow has not acknowledged. */
struct held {
	bool on;
	uint32_t key, version;
	uint64_t serial; /* of runs: when it began */
	struct dawn_index_value at;
};

static struct model {
	struct fake *f;
	struct dawn_kcache *kc[HANDLES];
	uint64_t closed_until_ns[HANDLES]; /* found no slot: see put() */
	struct entry entry[KEYS];
	struct held flow[FLOWS], run[RUNS];
	uint32_t flows; /* used by this seed: how much is held */
	uint64_t seed, serial;
	uint32_t version;
	uint64_t hits, full; /* of all seeds: did it test anything? */
} m;

static uint32_t chance(uint32_t below)
{
	m.seed = m.seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(m.seed >> 33) % below;
}

/* ---- what a version looks like ---- */

static size_t body_size(uint32_t version)
{
	uint32_t mix = version * 2654435761U;

	if (mix >> 28)
		return (mix >> 8) % BODY_SMALL;
	return DAWN_RESP_MAX - (sizeof(head_text) - 1) - (mix >> 8) % 5000;
}

static const uint8_t *make_body(uint32_t version)
{
	static uint8_t body[DAWN_RESP_MAX];
	size_t len = body_size(version);

	for (size_t i = 0; i < len; i++)
		body[i] = (uint8_t)((version * 31 + i * 7) >> i % 3);
	return body;
}

static struct dawn_cache_key key_of(uint32_t k)
{
	struct dawn_cache_key ck = {
		.group = (uint16_t)(1 + k % 2),
		.vhost = (uint16_t)(k / 2 % 2),
		.target_len = 2,
		.target = { '/', (uint8_t)('a' + k / 4) },
	};

	return ck;
}

/* All of the slot's response: head with an empty Date, body, zeros. */
static void check_bytes(const struct dawn_slot *s, uint32_t k, uint32_t version)
{
	static const uint8_t none[DAWN_SLOT_DATA];
	static const size_t head_len = sizeof(head_text) - 1;
	struct dawn_cache_key ck = key_of(k);
	size_t len = body_size(version);

	assert_memory_equal(&s->key, &ck, sizeof(ck));
	assert_int_equal(s->head_len, head_len);
	assert_int_equal(s->resp_len, head_len + len);
	assert_memory_equal(s->data, head_text, 44);
	assert_memory_equal(s->data + 44, none, DAWN_DATE_LEN);
	assert_memory_equal(s->data + 73, head_text + 73, head_len - 73);
	assert_memory_equal(s->data + head_len, make_body(version), len);
	assert_memory_equal(s->data + head_len + len, none,
			    DAWN_SLOT_DATA - head_len - len);
}

/* ---- XDP ---- */

static bool has(uint32_t k)
{
	const struct entry *e = &m.entry[k];

	return e->version && (!e->expires_ns || m.f->now_ns < e->expires_ns);
}

/* The look-up of bpf/cache.bpf.h. */
static bool xdp_finds(uint32_t k, struct dawn_index_value *v)
{
	struct dawn_cache_key ck = key_of(k);
	const struct dawn_slot *s;
	struct dawn_index_key ik;

	dawn_cache_hash(&ik, &m.f->config.cache_key, &ck);
	if (fake_index_get(m.f, &ik, v) || v->slot >= FAKE_SLOTS)
		return false;
	s = &m.f->slots[v->slot];
	return s->state == DAWN_SLOT_LIVE && s->gen == v->gen &&
	       !memcmp(&s->key, &ck, sizeof(ck)) &&
	       (!s->expires_ns || m.f->now_ns < s->expires_ns);
}

static void begin_run(uint32_t k)
{
	struct held *r = &m.run[chance(RUNS)];

	if (r->on)
		return;
	r->on = xdp_finds(k, &r->at);
	assert_int_equal(r->on, has(k));
	if (!r->on)
		return;
	assert_int_equal(r->at.slot, m.entry[k].at.slot);
	assert_int_equal(r->at.gen, m.entry[k].at.gen);
	r->key = k;
	r->version = m.entry[k].version;
	r->serial = ++m.serial;
	m.hits++;
}

static void check_held(const struct held *h)
{
	const struct dawn_slot *s = &m.f->slots[h->at.slot];

	assert_int_equal(s->gen, h->at.gen);
	assert_in_range(s->state, DAWN_SLOT_LIVE, DAWN_SLOT_RETIRED);
}

/* It has sent the response: its flow names the slot from here on. */
static void end_run(struct held *r)
{
	uint32_t flow = chance(m.flows);

	if (!r->on)
		return;
	check_held(r);
	check_bytes(&m.f->slots[r->at.slot], r->key, r->version);
	r->on = false;
	if (m.flow[flow].on)
		return;
	m.flow[flow] = *r;
	m.flow[flow].on = true;
	fake_flow(m.f, flow, true, r->at);
}

static void acknowledge(uint32_t flow)
{
	struct held *h = &m.flow[flow];

	if (!h->on)
		return;
	check_bytes(&m.f->slots[h->at.slot], h->key, h->version);
	h->on = false;
	fake_flow(m.f, flow, false, h->at);
}

/* ---- grace periods ---- */

struct dawn_grace {
	uint64_t asked, covered, done;
	uint64_t serial; /* runs up to this one are waited for */
	bool on;
};

int dawn_grace_create(struct dawn_grace **out, void (*wait)(void *ctx),
		      void *ctx)
{
	(void)wait;
	(void)ctx;
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void dawn_grace_destroy(struct dawn_grace *g)
{
	free(g);
}

uint64_t dawn_grace_ask(struct dawn_grace *g)
{
	return ++g->asked;
}

bool dawn_grace_done(struct dawn_grace *g, uint64_t ticket)
{
	return g->done >= ticket;
}

/* One step of it: begin, or end if nothing is waited for any more. */
static void grace_step(struct dawn_grace *g)
{
	if (!g->on) {
		g->on = g->done != g->asked;
		g->covered = g->asked;
		g->serial = m.serial;
		return;
	}
	for (int i = 0; i < RUNS; i++)
		if (m.run[i].on && m.run[i].serial <= g->serial)
			return;
	g->done = g->covered;
	g->on = false;
}

void dawn_grace_wait(struct dawn_grace *g)
{
	uint64_t ticket = dawn_grace_ask(g);

	while (g->done < ticket) {
		end_run(&m.run[chance(RUNS)]);
		grace_step(g);
	}
}

/* ---- the writers ---- */

static uint32_t count(enum dawn_slot_state state)
{
	return (uint32_t)count_state(m.f, state);
}

static void put_one(uint32_t h, uint32_t k)
{
	struct dawn_cache_key ck = key_of(k);
	struct dawn_kcache_put p = put_of("", NULL, 0);
	uint32_t version = ++m.version, had_free = count(DAWN_SLOT_FREE);
	bool index_fails = chance(32) == 0, closed, roomy;
	struct dawn_index_value v;
	int err;

	p.group = ck.group;
	p.vhost = ck.vhost;
	p.target = (const char *)ck.target;
	p.target_len = ck.target_len;
	p.body = make_body(version);
	p.body_len = body_size(version);
	p.ttl_ms = chance(3) ? 0 : 1 + chance(60);
	m.f->index_fails = index_fails ? -E2BIG : 0;
	closed = m.f->now_ns < m.closed_until_ns[h];
	err = dawn_kcache_put(m.kc[h], &p, &v);
	roomy = index_fails && !m.f->index_fails; /* it got that far */
	m.f->index_fails = 0;
	if (err) {
		assert_int_equal(err, -ENOSPC);
		m.full += !roomy;
		/* No free slot was left unused, but for a tenth of a second
		 * after this process had found none. */
		assert_true(roomy || !had_free || closed);
		if (!roomy && !closed)
			m.closed_until_ns[h] = m.f->now_ns + CLOSED_NS;
		return; /* what was there stays */
	}
	m.entry[k] = (struct entry){
		.version = version,
		.expires_ns = p.ttl_ms ? m.f->now_ns + p.ttl_ms * 1000000 : 0,
		.at = v,
	};
}

static void remove_one(uint32_t h, uint32_t k, bool async)
{
	struct dawn_cache_key ck = key_of(k);
	bool had = has(k), expired = m.entry[k].version && !had;
	int err;

	/* Before the call: runs in it may find the entry no more. */
	m.entry[k].version = 0;
	err = dawn_kcache_remove(m.kc[h], ck.group, ck.vhost,
				 (const char *)ck.target, ck.target_len, async);
	if (!expired) /* else: reaped or not */
		assert_int_equal(err, had ? 0 : -ENOENT);
}

static bool named(uint32_t slot, uint32_t gen)
{
	for (int i = 0; i < FLOWS; i++)
		if (m.flow[i].on && m.flow[i].at.slot == slot &&
		    m.flow[i].at.gen == gen)
			return true;
	return false;
}

/* One sync() frees all that nobody needs, whoever has retired it. */
static void sync_one(uint32_t h)
{
	const struct dawn_slot *s;

	if (dawn_kcache_sync(m.kc[h]) > 0)
		m.closed_until_ns[h] = 0;
	for (uint32_t i = 0; i < FAKE_SLOTS; i++) {
		s = &m.f->slots[i];
		if (s->state == DAWN_SLOT_RETIRED)
			assert_true(named(i, s->gen));
		if (s->state == DAWN_SLOT_LIVE)
			assert_false(s->expires_ns &&
				     m.f->now_ns >= s->expires_ns);
	}
}

static void reap_one(uint32_t h)
{
	if (dawn_kcache_reap(m.kc[h]) > 0)
		m.closed_until_ns[h] = 0;
}

/* ---- after each step ---- */

static void check_slots(void)
{
	uint32_t live = 0, entries = 0;

	for (uint32_t k = 0; k < KEYS; k++) {
		if (!has(k))
			continue;
		entries++;
		check_held(&(struct held){ .at = m.entry[k].at });
		assert_int_equal(m.f->slots[m.entry[k].at.slot].state,
				 DAWN_SLOT_LIVE);
	}
	for (uint32_t i = 0; i < FAKE_SLOTS; i++) {
		const struct dawn_slot *s = &m.f->slots[i];

		assert_int_equal(s->writer, 0);
		live += s->state == DAWN_SLOT_LIVE &&
			(!s->expires_ns || m.f->now_ns < s->expires_ns);
	}
	assert_int_equal(live, entries);
	assert_int_equal(count(DAWN_SLOT_FREE) + count(DAWN_SLOT_LIVE) +
				 count(DAWN_SLOT_RETIRED),
			 FAKE_SLOTS);
	assert_int_equal(m.f->config.cache_writer, 0);
	for (int i = 0; i < FLOWS; i++)
		if (m.flow[i].on)
			check_held(&m.flow[i]);
	for (int i = 0; i < RUNS; i++)
		if (m.run[i].on)
			check_held(&m.run[i]);
}

/* The index never names a slot that is free: the entry goes before. */
static void check_index(uint32_t k)
{
	struct dawn_cache_key ck = key_of(k);
	struct dawn_index_value v;
	struct dawn_index_key ik;

	dawn_cache_hash(&ik, &m.f->config.cache_key, &ck);
	if (!fake_index_get(m.f, &ik, &v))
		check_held(&(struct held){ .at = v });
}

static void check_find(uint32_t h, uint32_t k)
{
	struct dawn_cache_key ck = key_of(k);
	const struct dawn_slot *s;
	struct dawn_index_value v;
	int err = dawn_kcache_find(m.kc[h], ck.group, ck.vhost,
				   (const char *)ck.target, ck.target_len, &v);

	assert_int_equal(err, has(k) ? 0 : -ENOENT);
	if (err)
		return;
	assert_int_equal(v.slot, m.entry[k].at.slot);
	assert_int_equal(v.gen, m.entry[k].at.gen);
	s = dawn_kcache_slot(m.kc[h], v.slot);
	check_bytes(s, k, m.entry[k].version);
	assert_true(same_sum(s->psum[DAWN_PSUMS - 1],
			     slow_sum(s->data, DAWN_RESP_MAX)));
}

static void step(void)
{
	uint32_t h = chance(HANDLES), k = chance(KEYS);

	switch (chance(24)) {
	case 0 ... 3:
		put_one(h, k);
		break;
	case 4:
		remove_one(h, k, chance(4));
		break;
	case 5 ... 9:
		begin_run(k);
		break;
	case 10 ... 12:
		end_run(&m.run[chance(RUNS)]);
		break;
	case 13 ... 15:
		acknowledge(chance(m.flows));
		break;
	case 16:
		m.f->now_ns += chance(20) * 1000000ULL;
		break;
	case 17 ... 19:
		grace_step(m.kc[h]->grace);
		break;
	case 20:
		if (chance(8) == 0)
			sync_one(h);
		break;
	default:
		reap_one(h);
	}
}

/* Nothing is lost: with all runs and flows over, what is not an entry is free,
 * and can be had. */
static void settle(void)
{
	uint32_t entries = 0;

	for (uint32_t i = 0; i < RUNS; i++)
		end_run(&m.run[i]);
	for (uint32_t i = 0; i < FLOWS; i++)
		acknowledge(i);
	sync_one(0);
	for (uint32_t k = 0; k < KEYS; k++)
		entries += has(k);
	assert_int_equal(count(DAWN_SLOT_LIVE), entries);
	assert_int_equal(count(DAWN_SLOT_FREE), FAKE_SLOTS - entries);
}

static void run_seed(uint64_t seed)
{
	uint64_t hits = m.hits, full = m.full;

	m = (struct model){ .seed = seed, .hits = hits, .full = full };
	m.flows = 1 + (uint32_t)(seed % FLOWS);
	m.f = fake_new();
	m.kc[0] = fake_open(m.f, ME);
	m.kc[1] = fake_open(m.f, OTHER);
	for (uint32_t n = 1; n <= STEPS; n++) {
		step();
		check_slots();
		check_find(chance(HANDLES), chance(KEYS));
		check_index(chance(KEYS));
		if (n % (STEPS / 8) == 0)
			settle();
	}
	dawn_kcache_close(m.kc[0]);
	dawn_kcache_close(m.kc[1]);
	fake_free(m.f);
}

static void random_runs(void **state)
{
	const uint64_t *seed = *state;

	for (uint64_t i = 0; i < seed[1]; i++) {
		print_message("# seed %llu\n", (unsigned long long)seed[0] + i);
		run_seed(seed[0] + i);
	}
	print_message("# %llu steps, %llu answers of XDP, %llu times no slot\n",
		      (unsigned long long)seed[1] * STEPS,
		      (unsigned long long)m.hits, (unsigned long long)m.full);
	assert_in_range(m.hits, 1000, UINT64_MAX);
	assert_in_range(m.full, 1, UINT64_MAX);
}

int main(int argc, char **argv)
{
	uint64_t seed[2] = { 1, SEEDS };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(random_runs, seed),
	};

	if (argc > 1)
		seed[0] = strtoull(argv[1], NULL, 10);
	if (argc > 1)
		seed[1] = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
