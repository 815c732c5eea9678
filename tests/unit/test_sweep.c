// SPDX-License-Identifier: MIT OR Apache-2.0
/* The sweeper over a flow table in plain memory: when a TIME_WAIT that the
 * reactor left to the entry ends; when a silent peer is probed, and given up. No
 * socket, no loop: what needs one is in tests/netns/. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/net/reactor_int.h"

#define SETS     64
#define START_US 5000000000ULL
#define MSL2_US  60000000ULL
#define ROUND_US 5100000ULL

struct rig {
	struct dawn_reactor r;
	struct dawn_flow_set sets[SETS];
	uint64_t unacked[SETS];
	struct dawn_reactor_stats stats;
	struct dawn_sipkey key;
	struct dawn_conn *hash[1];
};

static int setup(void **state)
{
	struct rig *t = aligned_alloc(64, (sizeof(*t) + 63) / 64 * 64);

	assert_non_null(t);
	memset(t, 0, sizeof(*t));
	t->r.flows = (struct dawn_flows){
		.sets = t->sets,
		.unacked = t->unacked,
		.key = &t->key,
		.set_count = SETS,
		.incarnation = 7,
	};
	t->r.stats = &t->stats;
	t->r.hash = t->hash;
	t->r.o.threads = 1;
	t->r.o.idle_ms = 1000000;
	t->r.now_us = t->r.start_us = START_US;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void put(struct rig *t, uint32_t flow, uint8_t owner, uint8_t state)
{
	struct dawn_flow *f = dawn_flows_at(&t->r.flows, flow);

	f->owner = dawn_owner(owner, 0, 0, owner == DAWN_OWNER_USER ? 7 : 0, 5);
	f->state = state;
	f->last_seen_ms = f->last_sent_ms = dawn_ms(t->r.now_us);
	t->sets[flow / DAWN_FLOW_WAYS].tag[flow % DAWN_FLOW_WAYS] = 1U << 31;
}

/* The sweeper as the reactor's turns would run it. */
static void run_to(struct rig *t, uint64_t us)
{
	for (; t->r.now_us < us; t->r.now_us += 20000)
		dawn_reactor_sweep(&t->r);
}

static uint8_t owner_of(struct rig *t, uint32_t flow)
{
	return dawn_owner_state(dawn_flows_owner(&t->r.flows, flow));
}

/* RFC 9293, 3.6: 2 MSL, not less; then the way is free, tag and all. */
static void ends_after_two_msl(void **state)
{
	struct rig *t = *state;

	put(t, 19, DAWN_OWNER_KERNEL, DAWN_TCP_TIME_WAIT);
	run_to(t, START_US + MSL2_US - 20000);
	assert_int_equal(owner_of(t, 19), DAWN_OWNER_KERNEL);
	run_to(t, START_US + MSL2_US + ROUND_US);
	assert_int_equal(owner_of(t, 19), DAWN_OWNER_FREE);
	assert_int_equal(t->sets[2].tag[3], 0);
	assert_int_equal(t->stats.flow_freed, 1);
}

/* XDP takes in the peer's FIN once more: the wait begins anew. */
static void begins_anew(void **state)
{
	struct rig *t = *state;

	put(t, 19, DAWN_OWNER_KERNEL, DAWN_TCP_TIME_WAIT);
	run_to(t, START_US + MSL2_US / 2);
	dawn_flows_at(&t->r.flows, 19)->last_seen_ms = dawn_ms(t->r.now_us);
	run_to(t, START_US + MSL2_US + ROUND_US);
	assert_int_equal(owner_of(t, 19), DAWN_OWNER_KERNEL);
	run_to(t, START_US + 3 * MSL2_US / 2 + ROUND_US);
	assert_int_equal(owner_of(t, 19), DAWN_OWNER_FREE);
}

/* The clock's milliseconds wrap after 49 days. */
static void ends_over_the_wrap(void **state)
{
	struct rig *t = *state;
	uint64_t start = (1ULL << 32) * 1000 - 30000000;

	t->r.now_us = t->r.start_us = start;
	put(t, 3, DAWN_OWNER_KERNEL, DAWN_TCP_TIME_WAIT);
	run_to(t, start + MSL2_US - 20000);
	assert_int_equal(owner_of(t, 3), DAWN_OWNER_KERNEL);
	run_to(t, start + MSL2_US + ROUND_US);
	assert_int_equal(owner_of(t, 3), DAWN_OWNER_FREE);
}

static void drain_ends_it(void **state)
{
	struct rig *t = *state;

	put(t, 19, DAWN_OWNER_KERNEL, DAWN_TCP_TIME_WAIT);
	t->r.drain_us = t->r.now_us;
	run_to(t, START_US + 60000);
	assert_int_equal(owner_of(t, 19), DAWN_OWNER_FREE);
	assert_true(atomic_load(&t->r.swept));
}

/* Other states, other owners. */
static void others_stay(void **state)
{
	struct rig *t = *state;

	put(t, 1, DAWN_OWNER_KERNEL, DAWN_TCP_ESTABLISHED);
	put(t, 2, DAWN_OWNER_KERNEL, DAWN_TCP_LAST_ACK);
	put(t, 3, DAWN_OWNER_LOCKED, DAWN_TCP_TIME_WAIT);
	run_to(t, START_US + MSL2_US + ROUND_US);
	assert_int_equal(owner_of(t, 1), DAWN_OWNER_KERNEL);
	assert_int_equal(owner_of(t, 2), DAWN_OWNER_KERNEL);
	assert_int_equal(owner_of(t, 3), DAWN_OWNER_LOCKED);
	assert_int_equal(t->stats.flow_freed, 0);
}

/* One thread of two frees what is in its part, once. */
static void part_of_two(void **state)
{
	struct rig *t = *state;

	t->r.o.threads = 2;
	t->r.o.queue = 1;
	put(t, 0, DAWN_OWNER_KERNEL, DAWN_TCP_TIME_WAIT);
	put(t, DAWN_FLOW_WAYS, DAWN_OWNER_KERNEL, DAWN_TCP_TIME_WAIT);
	run_to(t, START_US + MSL2_US + ROUND_US);
	assert_int_equal(owner_of(t, 0), DAWN_OWNER_KERNEL);
	assert_int_equal(owner_of(t, DAWN_FLOW_WAYS), DAWN_OWNER_FREE);
}

/* ---- keep-alive of flows that the kernel half has ---- */

#define START_MS (START_US / 1000)

static enum dawn_keepalive at(struct rig *t, uint32_t flow, uint64_t ms)
{
	t->r.now_us = (START_MS + ms) * 1000;
	return dawn_keepalive_due(&t->r, flow,
				  dawn_flows_at(&t->r.flows, flow));
}

static void sent(struct rig *t, uint32_t flow)
{
	dawn_keepalive_sent(&t->r, flow, dawn_flows_at(&t->r.flows, flow));
}

/* RFC 9293, 3.8.4: after so much silence, then nine times, 75 s apart; the last
 * one has its time too. */
static void probes_after_silence(void **state)
{
	struct rig *t = *state;
	uint64_t when = 100000;

	t->r.o.keepalive_ms = 100000;
	assert_int_equal(dawn_keepalive_create(&t->r), 0);
	put(t, 19, DAWN_OWNER_KERNEL, DAWN_TCP_ESTABLISHED);
	put(t, 20, DAWN_OWNER_KERNEL, DAWN_TCP_ESTABLISHED);
	for (int i = 0; i < 9; i++, when += 75000) {
		assert_int_equal(at(t, 19, when - 1), DAWN_KEEPALIVE_WAIT);
		assert_int_equal(at(t, 19, when), DAWN_KEEPALIVE_PROBE);
		sent(t, 19);
		assert_int_equal(at(t, 19, when), DAWN_KEEPALIVE_WAIT);
	}
	assert_int_equal(at(t, 19, when - 1), DAWN_KEEPALIVE_WAIT);
	assert_int_equal(at(t, 19, when), DAWN_KEEPALIVE_DEAD);
	/* A thread that slept has not asked yet. */
	assert_int_equal(at(t, 20, when), DAWN_KEEPALIVE_PROBE);
	dawn_keepalive_destroy(&t->r);
}

/* An answer, or anything else: the count begins anew. */
static void answers_count(void **state)
{
	struct rig *t = *state;
	struct dawn_flow *f = dawn_flows_at(&t->r.flows, 19);

	t->r.o.keepalive_ms = 1000;
	assert_int_equal(dawn_keepalive_create(&t->r), 0);
	put(t, 19, DAWN_OWNER_KERNEL, DAWN_TCP_ESTABLISHED);
	for (uint64_t i = 1; i <= 9; i++) {
		assert_int_equal(at(t, 19, 1000 * i), DAWN_KEEPALIVE_PROBE);
		sent(t, 19);
	}
	f->last_seen_ms += 9900;
	assert_int_equal(at(t, 19, 10899), DAWN_KEEPALIVE_WAIT);
	for (uint64_t i = 1; i <= 9; i++) {
		assert_int_equal(at(t, 19, 9900 + 1000 * i),
				 DAWN_KEEPALIVE_PROBE);
		sent(t, 19);
	}
	assert_int_equal(at(t, 19, 9900 + 10000), DAWN_KEEPALIVE_DEAD);
	dawn_keepalive_destroy(&t->r);
}

/* By a clock that wraps, and one of XDP's that is ahead of ours. */
static void probes_over_the_wrap(void **state)
{
	struct rig *t = *state;
	struct dawn_flow *f = dawn_flows_at(&t->r.flows, 3);

	t->r.o.keepalive_ms = 5000;
	assert_int_equal(dawn_keepalive_create(&t->r), 0);
	put(t, 3, DAWN_OWNER_KERNEL, DAWN_TCP_ESTABLISHED);
	f->last_seen_ms = UINT32_MAX - 999;
	t->r.now_us = (1ULL << 32) * 1000 - 2000000;
	assert_int_equal(dawn_keepalive_due(&t->r, 3, f), DAWN_KEEPALIVE_WAIT);
	t->r.now_us = (1ULL << 32) * 1000 + 3999000;
	assert_int_equal(dawn_keepalive_due(&t->r, 3, f), DAWN_KEEPALIVE_WAIT);
	t->r.now_us += 1000;
	assert_int_equal(dawn_keepalive_due(&t->r, 3, f), DAWN_KEEPALIVE_PROBE);
	dawn_keepalive_destroy(&t->r);
}

/* Each thread has notes for its part: no two flows have one in common. */
static void notes_of_parts(void **state)
{
	struct rig *t = *state;

	t->r.o.keepalive_ms = 1000;
	t->r.o.threads = 3;
	t->r.o.queue = 2;
	assert_int_equal(dawn_keepalive_create(&t->r), 0);
	for (uint32_t i = 0; i < SETS * DAWN_FLOW_WAYS; i++) {
		put(t, i, DAWN_OWNER_KERNEL, DAWN_TCP_ESTABLISHED);
		if (i / DAWN_FLOW_WAYS % 3 != 2)
			continue;
		assert_int_equal(at(t, i, 1000), DAWN_KEEPALIVE_PROBE);
		sent(t, i);
		assert_int_equal(at(t, i, 1000), DAWN_KEEPALIVE_WAIT);
		t->r.now_us = START_US;
	}
	dawn_keepalive_destroy(&t->r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ends_after_two_msl, setup,
						teardown),
		cmocka_unit_test_setup_teardown(probes_after_silence, setup,
						teardown),
		cmocka_unit_test_setup_teardown(answers_count, setup, teardown),
		cmocka_unit_test_setup_teardown(probes_over_the_wrap, setup,
						teardown),
		cmocka_unit_test_setup_teardown(notes_of_parts, setup,
						teardown),
		cmocka_unit_test_setup_teardown(begins_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(ends_over_the_wrap, setup,
						teardown),
		cmocka_unit_test_setup_teardown(drain_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(others_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(part_of_two, setup, teardown),
	};

	return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
