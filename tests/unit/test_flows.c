/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* user/net/flows.c: each transition by itself; random sequences against a
 * model; and threads that fight for the same flows, one of them doing what XDP
 * does, where every owner writes fields that must still be there when it looks
 * again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "maps/unacked.h"
#include "user/net/flows.h"

#define SETS   16
#define FLOWS  (SETS * DAWN_FLOW_WAYS)
#define OUR_ID 7

static struct dawn_flow_set sets[SETS];
static uint64_t unacked[DAWN_UNACKED_WORDS(SETS)];
static const struct dawn_sipkey key = { { 1, 2 } };

static struct dawn_flows view(uint8_t thread, uint8_t incarnation)
{
	return (struct dawn_flows){
		.sets = sets,
		.unacked = unacked,
		.key = &key,
		.set_count = SETS,
		.thread = thread,
		.incarnation = incarnation,
	};
}

static int clear(void **state)
{
	(void)state;
	memset(sets, 0, sizeof(sets));
	memset(unacked, 0, sizeof(unacked));
	return 0;
}

static struct dawn_tuple tuple_of(uint32_t n)
{
	struct dawn_tuple t = { .rport = (__be16)(n & 0xffff),
				.service = OUR_ID };

	dawn_addr_from_v4(&t.raddr, n >> 16 | 0x0a000000);
	return t;
}

/* As XDP does: win a word from FREE, fill the way, then let it go. */
static uint32_t find(const struct dawn_flows *t, const struct dawn_tuple *tuple)
{
	struct dawn_flow_hash h;

	dawn_flows_hash(t, tuple, &h);
	dawn_flows_fetch_sets(t, &h);
	(void)dawn_flows_fetch_entry(t, &h);
	return dawn_flows_find(t, tuple, &h);
}

static uint32_t insert(const struct dawn_tuple *t)
{
	struct dawn_flow_hash h;

	dawn_flow_hash(&h, &key, &t->raddr, t->rport, t->service);
	for (int i = 0; i < 2; i++) {
		uint32_t set = dawn_flow_set_number(&h, i, SETS);

		for (uint32_t way = 0; way < DAWN_FLOW_WAYS; way++) {
			struct dawn_flow *f = &sets[set].flow[way];
			__u64 w = __atomic_load_n(&f->owner, __ATOMIC_SEQ_CST);

			if (dawn_owner_state(w) != DAWN_OWNER_FREE ||
			    !__atomic_compare_exchange_n(
				    &f->owner, &w,
				    dawn_owner(DAWN_OWNER_LOCKED, 0, 0, 0,
					       dawn_owner_gen(w) + 1),
				    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
				continue;
			f->raddr = t->raddr;
			f->rport = t->rport;
			f->service = t->service;
			__atomic_store_n(&sets[set].tag[way], h.tag,
					 __ATOMIC_RELEASE);
			__atomic_exchange_n(&f->owner,
					    dawn_owner(DAWN_OWNER_KERNEL, 0, 0,
						       0,
						       dawn_owner_gen(w) + 2),
					    __ATOMIC_SEQ_CST);
			return set * DAWN_FLOW_WAYS + way;
		}
	}
	return DAWN_FLOW_NONE;
}

static void take_and_give(void **state)
{
	struct dawn_flows t = view(3, 9);
	struct dawn_tuple a = tuple_of(1), b = tuple_of(2);
	uint32_t flow = insert(&a);
	uint64_t word, before;

	(void)state;
	assert_int_equal(find(&t, &a), flow);
	assert_int_equal(find(&t, &b), DAWN_FLOW_NONE);
	before = dawn_flows_owner(&t, flow);

	assert_int_equal(dawn_flows_claim(&t, flow, &a, &word),
			 DAWN_CLAIM_TAKEN);
	assert_int_equal(word, dawn_owner(DAWN_OWNER_USER, DAWN_OWNER_CLEAN, 3,
					  9, dawn_owner_gen(before) + 1));
	assert_true(dawn_flows_held(&t, flow, word));
	assert_true(dawn_flows_ours(&t, word));
	assert_int_equal(dawn_flows_claim(&t, flow, &a, &word),
			 DAWN_CLAIM_OURS);
	assert_int_equal(dawn_flows_claim(&t, flow, &b, &before),
			 DAWN_CLAIM_GONE);

	assert_true(dawn_flows_dirty(&t, flow, &word));
	assert_false(dawn_owner_is_clean(word));
	assert_true(dawn_flows_give(&t, flow, &word));
	assert_int_equal(dawn_owner_state(dawn_flows_owner(&t, flow)),
			 DAWN_OWNER_KERNEL);
	assert_int_equal(word & ~DAWN_OWNER_GEN_MASK,
			 dawn_owner(DAWN_OWNER_KERNEL, 0, 0, 0, 0));
}

/* The tuple changed between find and claim: the stranger goes back. */
static void stranger(void **state)
{
	struct dawn_flows t = view(0, 1);
	struct dawn_tuple a = tuple_of(1), b = tuple_of(2);
	uint32_t flow = insert(&a);
	uint64_t word;

	(void)state;
	assert_int_equal(dawn_flows_claim(&t, flow, &b, &word),
			 DAWN_CLAIM_GONE);
	assert_int_equal(dawn_owner_state(dawn_flows_owner(&t, flow)),
			 DAWN_OWNER_KERNEL);
}

static void lost_while_clean(void **state)
{
	struct dawn_flows t = view(0, 1);
	struct dawn_tuple a = tuple_of(1);
	uint32_t flow = insert(&a);
	uint64_t word, mine;

	(void)state;
	assert_int_equal(dawn_flows_claim(&t, flow, &a, &mine),
			 DAWN_CLAIM_TAKEN);
	/* XDP: heartbeat stale, takes it, answers, lets go. */
	sets[flow / 8].flow[flow % 8].owner = dawn_owner(
		DAWN_OWNER_KERNEL, 0, 0, 0, dawn_owner_gen(mine) + 2);
	assert_false(dawn_flows_held(&t, flow, mine));
	word = mine;
	assert_false(dawn_flows_dirty(&t, flow, &word));
	word = mine;
	assert_false(dawn_flows_give(&t, flow, &word));
	word = mine;
	assert_false(dawn_flows_free(&t, flow, &word));
	assert_int_equal(find(&t, &a), flow);
	assert_int_equal(dawn_owner_state(dawn_flows_owner(&t, flow)),
			 DAWN_OWNER_KERNEL);
}

static void freed(void **state)
{
	struct dawn_flows t = view(0, 1);
	struct dawn_tuple a = tuple_of(1);
	uint32_t flow = insert(&a);
	uint64_t word, gen;

	(void)state;
	dawn_flows_set_unacked(&t, flow, true);
	assert_int_equal(dawn_flows_claim(&t, flow, &a, &word),
			 DAWN_CLAIM_TAKEN);
	gen = dawn_owner_gen(word);
	assert_true(dawn_flows_free(&t, flow, &word));
	assert_int_equal(dawn_flows_owner(&t, flow),
			 dawn_owner(DAWN_OWNER_FREE, 0, 0, 0, gen + 2));
	assert_int_equal(find(&t, &a), DAWN_FLOW_NONE);
	assert_int_equal(sets[flow / 8].tag[flow % 8], 0);
	assert_false(dawn_flows_unacked(&t, flow));
	assert_int_equal(dawn_flows_claim(&t, flow, &a, &word),
			 DAWN_CLAIM_GONE);
	assert_int_equal(insert(&a), flow);
}

static void threads_and_incarnations(void **state)
{
	struct dawn_flows t0 = view(0, 2), t1 = view(1, 2), old = view(1, 1);
	struct dawn_tuple a = tuple_of(1);
	uint32_t flow = insert(&a);
	uint64_t word;

	(void)state;
	assert_int_equal(dawn_flows_claim(&t0, flow, &a, &word),
			 DAWN_CLAIM_TAKEN);
	assert_int_equal(dawn_flows_claim(&t1, flow, &a, &word),
			 DAWN_CLAIM_OTHER);
	assert_int_equal(dawn_owner_thread(word), 0);
	assert_true(dawn_flows_give(&t0, flow, &word));

	/* CLEAN of a dead incarnation is taken over, */
	assert_int_equal(dawn_flows_claim(&old, flow, &a, &word),
			 DAWN_CLAIM_TAKEN);
	assert_int_equal(dawn_flows_claim(&t0, flow, &a, &word),
			 DAWN_CLAIM_TAKEN);
	assert_int_equal(dawn_owner_incarnation(word), 2);
	assert_false(dawn_flows_bury(&t1, flow, word));
	assert_true(dawn_flows_give(&t0, flow, &word));
	/* or goes to the kernel half; */
	assert_int_equal(dawn_flows_claim(&old, flow, &a, &word),
			 DAWN_CLAIM_TAKEN);
	assert_true(dawn_flows_bury(&t0, flow, word));
	assert_false(dawn_flows_bury(&t1, flow, word));
	assert_int_equal(dawn_owner_state(dawn_flows_owner(&t0, flow)),
			 DAWN_OWNER_KERNEL);
	/* a dirty one is dead. */
	assert_int_equal(dawn_flows_claim(&old, flow, &a, &word),
			 DAWN_CLAIM_TAKEN);
	assert_true(dawn_flows_dirty(&old, flow, &word));
	assert_int_equal(dawn_flows_claim(&t0, flow, &a, &word),
			 DAWN_CLAIM_DEAD);
	assert_true(dawn_flows_bury(&t0, flow, word));
	assert_int_equal(find(&t0, &a), DAWN_FLOW_NONE);
}

static void locked(void **state)
{
	struct dawn_flows t = view(0, 1);
	struct dawn_tuple a = tuple_of(1);
	uint32_t flow = insert(&a);
	uint64_t word;

	(void)state;
	sets[flow / 8].flow[flow % 8].owner =
		dawn_owner(DAWN_OWNER_LOCKED, 0, 0, 0, 5);
	assert_int_equal(dawn_flows_claim(&t, flow, &a, &word),
			 DAWN_CLAIM_BUSY);
}

static void generation_wraps(void **state)
{
	struct dawn_flows t = view(0, 1);
	struct dawn_tuple a = tuple_of(1);
	uint32_t flow = insert(&a);
	uint64_t word;

	(void)state;
	sets[flow / 8].flow[flow % 8].owner =
		dawn_owner(DAWN_OWNER_KERNEL, 0, 0, 0, DAWN_OWNER_GEN_MASK);
	assert_int_equal(dawn_flows_claim(&t, flow, &a, &word),
			 DAWN_CLAIM_TAKEN);
	assert_int_equal(
		word, dawn_owner(DAWN_OWNER_USER, DAWN_OWNER_CLEAN, 0, 1, 0));
}

static void note_bit(void *arg, uint32_t flow)
{
	((uint8_t *)arg)[flow]++;
}

static void bitmap(void **state)
{
	struct dawn_flows t = view(0, 1);
	uint8_t seen[FLOWS] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < FLOWS; i += 3)
		dawn_flows_set_unacked(&t, i, true);
	dawn_flows_set_unacked(&t, 3, true);
	dawn_flows_set_unacked(&t, 6, false);
	dawn_flows_each_unacked(&t, 0, DAWN_UNACKED_WORDS(SETS), note_bit,
				seen);
	for (uint32_t i = 0; i < FLOWS; i++) {
		assert_int_equal(seen[i], i % 3 == 0 && i != 6);
		assert_int_equal(dawn_flows_unacked(&t, i), seen[i]);
	}
}

/* --- random operations against a model ---------------------------------- */

enum { M_NONE, M_KERNEL, M_CLEAN, M_DIRTY };

struct model {
	int state;
	uint32_t flow;
	uint64_t word; /* what the holder thinks */
};

#define TUPLES 60

static void model_step(struct dawn_flows *t, struct model *m, uint32_t n)
{
	struct dawn_tuple tuple = tuple_of(n);
	uint32_t flow = find(t, &tuple);

	assert_int_equal(flow, m->state == M_NONE ? DAWN_FLOW_NONE : m->flow);
	switch (random() % 5) {
	case 0:
		if (m->state == M_NONE) {
			m->flow = insert(&tuple);
			m->state = m->flow == DAWN_FLOW_NONE ? M_NONE
							     : M_KERNEL;
		}
		break;
	case 1:
		if (m->state == M_NONE)
			break;
		assert_int_equal(dawn_flows_claim(t, flow, &tuple, &m->word),
				 m->state == M_KERNEL ? DAWN_CLAIM_TAKEN
						      : DAWN_CLAIM_OURS);
		if (m->state == M_KERNEL)
			m->state = M_CLEAN;
		break;
	case 2:
		if (m->state >= M_CLEAN) {
			assert_true(dawn_flows_dirty(t, flow, &m->word));
			m->state = M_DIRTY;
		}
		break;
	case 3:
		if (m->state >= M_CLEAN) {
			assert_true(dawn_flows_give(t, flow, &m->word));
			m->state = M_KERNEL;
		}
		break;
	default:
		if (m->state >= M_CLEAN) {
			assert_true(dawn_flows_free(t, flow, &m->word));
			m->state = M_NONE;
		}
	}
}

static void random_model(void **state)
{
	struct dawn_flows t = view(2, 4);
	struct model m[TUPLES] = { 0 };
	uint32_t used = 0;

	(void)state;
	srandom(5);
	for (int i = 0; i < 200000; i++) {
		uint32_t n = (uint32_t)random() % TUPLES;

		model_step(&t, &m[n], n);
	}
	for (uint32_t n = 0; n < TUPLES; n++)
		used += m[n].state != M_NONE;
	for (uint32_t i = 0; i < FLOWS; i++)
		used -= dawn_owner_state(dawn_flows_owner(&t, i)) !=
			DAWN_OWNER_FREE;
	assert_int_equal(used, 0);
}

/* --- threads ------------------------------------------------------------- */

/* Every owner of a flow adds one to two plain fields, with work in between. If
 * two ever owned it at once, or a release did not carry the stores with it, the
 * fields differ or additions are lost. */
#define FIGHT_ROUNDS 60000
#define FIGHT_FLOWS  2

static struct dawn_tuple fight[FIGHT_FLOWS];
static _Atomic uint64_t additions[FIGHT_FLOWS];
static atomic_bool broken;

static void add_one(uint32_t flow, uint32_t n)
{
	struct dawn_flow *f = &sets[flow / 8].flow[flow % 8];
	uint32_t a = f->snd_nxt;

	if (f->snd_una != a)
		broken = true;
	f->snd_nxt = a + 1;
	for (volatile int i = 0; i < 5; i++)
		;
	f->snd_una = a + 1;
	additions[n]++;
}

/* What XDP does: lock, work, unlock by an exchange to KERNEL or give it up. */
static void *xdp_thread(void *arg)
{
	struct dawn_flows t = view(0, 1);
	unsigned int seed = 11;

	(void)arg;
	for (int i = 0; i < FIGHT_ROUNDS; i++) {
		uint32_t n = (uint32_t)rand_r(&seed) % FIGHT_FLOWS;
		uint32_t flow = find(&t, &fight[n]);
		struct dawn_flow *f = dawn_flows_at(&t, flow);
		__u64 w = dawn_flows_owner(&t, flow), gen;
		bool stale = rand_r(&seed) % 4 == 0;

		if (dawn_owner_state(w) != DAWN_OWNER_KERNEL &&
		    !(stale && dawn_owner_is_clean(w)))
			continue;
		gen = dawn_owner_gen(w);
		if (!__atomic_compare_exchange_n(
			    &f->owner, &w,
			    dawn_owner(DAWN_OWNER_LOCKED, 0, 0, 0, gen + 1),
			    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			continue;
		add_one(flow, n);
		__atomic_exchange_n(
			&f->owner,
			rand_r(&seed) % 2
				? dawn_owner(DAWN_OWNER_KERNEL, 0, 0, 0,
					     gen + 2)
				: dawn_owner(DAWN_OWNER_USER, DAWN_OWNER_CLEAN,
					     (uint8_t)(rand_r(&seed) % 2), 1,
					     gen + 2),
			__ATOMIC_SEQ_CST);
	}
	return NULL;
}

static uint64_t user_rounds[2];

static void *user_thread(void *arg)
{
	uint8_t id = (uint8_t)(uintptr_t)arg;
	struct dawn_flows t = view(id, 1);
	unsigned int seed = id;

	for (int i = 0; i < FIGHT_ROUNDS; i++) {
		uint32_t n = (uint32_t)rand_r(&seed) % FIGHT_FLOWS;
		uint32_t flow = find(&t, &fight[n]);
		enum dawn_claim got;
		uint64_t word;

		got = dawn_flows_claim(&t, flow, &fight[n], &word);
		if (got != DAWN_CLAIM_TAKEN && got != DAWN_CLAIM_OURS)
			continue;
		if (rand_r(&seed) % 4 == 0) {
			dawn_flows_give(&t, flow, &word); /* untouched */
			continue;
		}
		if (!dawn_flows_dirty(&t, flow, &word))
			continue;
		add_one(flow, n);
		user_rounds[id]++;
		if (!dawn_flows_give(&t, flow, &word))
			broken = true;
	}
	return NULL;
}

static void fight_for_flows(void **state)
{
	pthread_t thread[3];

	(void)state;
	for (uint32_t n = 0; n < FIGHT_FLOWS; n++) {
		fight[n] = tuple_of(n + 100);
		assert_int_not_equal(insert(&fight[n]), DAWN_FLOW_NONE);
	}
	assert_int_equal(pthread_create(&thread[0], NULL, xdp_thread, NULL), 0);
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[1 + i], NULL,
						user_thread, (void *)i),
				 0);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	assert_false(broken);
	assert_true(user_rounds[0] + user_rounds[1] > 0);
	for (uint32_t n = 0; n < FIGHT_FLOWS; n++) {
		struct dawn_flows t = view(0, 1);
		const struct dawn_flow *f =
			dawn_flows_at(&t, find(&t, &fight[n]));

		assert_int_equal(f->snd_nxt, additions[n]);
		assert_int_equal(f->snd_una, additions[n]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(take_and_give, clear),
		cmocka_unit_test_setup(stranger, clear),
		cmocka_unit_test_setup(lost_while_clean, clear),
		cmocka_unit_test_setup(freed, clear),
		cmocka_unit_test_setup(threads_and_incarnations, clear),
		cmocka_unit_test_setup(locked, clear),
		cmocka_unit_test_setup(generation_wraps, clear),
		cmocka_unit_test_setup(bitmap, clear),
		cmocka_unit_test_setup(random_model, clear),
		cmocka_unit_test_setup(fight_for_flows, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
