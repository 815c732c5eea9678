// SPDX-License-Identifier: MIT OR Apache-2.0
/* Requests in crumbs: which connections are doubtful for them, and what is not
 * done to them. */
#include "tests/unit/test_room_rig.h"

/* A request in many small segments: served after others, until it is over or
 * comes in larger ones. Up to 16 of them, or of the end of large writes, is
 * how many a lawful client may need. */
static void crumbs(void **state)
{
	struct rig *t = *state;
	uint32_t flow = rig_flow(t, 1), at = RCV_NXT;
	struct dawn_conn *c;

	for (int i = 0; i < 41; i++) {
		uint32_t len = i % 2 ? 63 : 64;

		rig_frame(t, flow, at, len, 0);
		at += len;
		c = dawn_conn_find(&t->r, flow);
		assert_non_null(c);
		assert_false(dawn_conn_doubtful(c));
	}
	for (int i = 0; i < 300; i++) {
		assert_int_equal(dawn_conn_doubtful(c), i > 16);
		rig_frame(t, flow, at, 0, 0); /* says nothing */
		rig_frame(t, flow, at++, 1, 0);
	}
	rig_frame(t, flow, at, 64, 0);
	assert_false(dawn_conn_doubtful(c));
}

/* They wait for a turn, and others may have used up all; they are not lost. */
static void crumbs_are_not_lost(void **state)
{
	struct rig *t = *state;
	uint32_t flow = rig_flow(t, 1), at = RCV_NXT;
	struct dawn_conn *c;

	for (int i = 0; i < 20; i++)
		rig_frame(t, flow, at++, 1, 0);
	c = dawn_conn_find(&t->r, flow);
	assert_non_null(c);
	TAILQ_REMOVE(&t->r.active, c, to_pump); /* as if it was pumped */
	c->active = false;
	for (int i = 0; i < 20; i++)
		rig_frame(t, flow, at++, 1, 0);
	assert_true(c->doubtful);
	assert_int_equal(t->r.doubtful_tokens, 0);
	assert_int_equal(dawn_tcp_readable(c->tcp), 40);
	assert_int_equal(t->stats.rx_doubtful, 0);
}

/* What brings nothing new is no crumb: old bytes, keep-alives with a byte, probes
 * of a full window, segments of somebody who does not know our numbers. */
static void no_crumbs(void **state)
{
	struct rig *t = *state;
	uint32_t flow = rig_flow(t, 1), at = RCV_NXT + 64;
	struct dawn_conn *c;

	rig_frame(t, flow, RCV_NXT, 64, 0);
	c = dawn_conn_find(&t->r, flow);
	assert_non_null(c);
	for (int i = 0; i < 30; i++) {
		rig_frame(t, flow, RCV_NXT, 1, 0);
		rig_frame(t, flow, at - 1, 1, 0);
		rig_frame(t, flow, at + (1U << 30), 1, 0);
		rig_frame(t, flow, at - (1U << 30), 1, 0);
		rig_frame(t, flow, RCV_NXT + 65535, 1, 0);
	}
	assert_false(dawn_conn_doubtful(c));
	/* Nor do such take back what is known. */
	for (int i = 0; i < 20; i++)
		rig_frame(t, flow, at++, 1, 0);
	assert_true(dawn_conn_doubtful(c));
	rig_frame(t, flow, RCV_NXT, 64, 0);
	assert_true(dawn_conn_doubtful(c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(crumbs),
		ROOM_TEST(crumbs_are_not_lost),
		ROOM_TEST(no_crumbs),
	};

	return cmocka_run_group_tests_name("crumbs", tests, NULL, NULL);
}
