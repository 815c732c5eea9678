// SPDX-License-Identifier: MIT OR Apache-2.0
/* Memory of connections: who goes for a newcomer, who waits, what is lent. 32
 * connections fit; an eighth of them is 4. */
#include <errno.h>

#include "tests/unit/test_room_rig.h"

/* --- who goes ------------------------------------------------------------ */

enum kind {
	QUIET,   /* has done nothing since it came */
	WORKS,   /* did real work, this long ago */
	DOUBTED, /* did, but with tiny segments */
	ENDS,    /* waits for the peer's last ACK */
	PUMPED,  /* has done nothing, but is in the pump's list */
};

struct group {
	uint32_t first, sources; /* numbers of the sources: first, first + 1 */
	uint32_t each;           /* connections of each */
	uint32_t age_ms;
	enum kind kind;
};

struct room_case {
	const char *name;
	struct group has[4]; /* oldest first */
	uint32_t newcomer;   /* its source */
	int want;
	uint32_t goes; /* of which source; 0: nobody */
};

#define NEW 99 /* a source of its own */

static const struct room_case cases[] = {
	{ "the last place is free", { { 1, 31, 1, 9000, QUIET } }, NEW, 0, 0 },
	{ "idle for 3 s", { { 1, 32, 1, 3000, QUIET } }, NEW, 0, 1 },
	{ "for less", { { 1, 32, 1, 2999, QUIET } }, NEW, -ENOMEM, 0 },
	{ "the oldest",
	  { { 5, 1, 1, 4000, QUIET }, { 10, 31, 1, 3500, QUIET } },
	  NEW,
	  0,
	  5 },
	{ "work long ago is none",
	  { { 1, 31, 1, 9000, WORKS }, { 40, 1, 1, 3500, QUIET } },
	  NEW,
	  0,
	  1 },
	{ "who only waits for the end goes first",
	  { { 1, 31, 1, 9000, QUIET }, { 40, 1, 1, 3000, ENDS } },
	  NEW,
	  0,
	  40 },
	{ "but not at once",
	  { { 1, 31, 1, 2900, QUIET }, { 40, 1, 1, 2000, ENDS } },
	  NEW,
	  -ENOMEM,
	  0 },
	{ "a source that has more", { { 1, 16, 2, 1000, QUIET } }, NEW, 0, 1 },
	{ "not more than the newcomer's would",
	  { { 1, 16, 2, 1000, QUIET } },
	  7,
	  -ENOMEM,
	  0 },
	{ "not just after it came",
	  { { 1, 16, 2, 199, QUIET } },
	  NEW,
	  -ENOMEM,
	  0 },
	{ "after that it does", { { 1, 16, 2, 200, QUIET } }, NEW, 0, 1 },
	{ "not while it works",
	  { { 1, 16, 2, 1000, WORKS } },
	  NEW,
	  -ENOMEM,
	  0 },
	{ "it works no more", { { 1, 16, 2, 3000, WORKS } }, NEW, 0, 1 },
	{ "unless it has more than twice as many",
	  { { 1, 1, 3, 1000, WORKS }, { 10, 29, 1, 900, WORKS } },
	  NEW,
	  0,
	  1 },
	{ "doubtful work is none",
	  { { 10, 15, 2, 2000, WORKS }, { 1, 1, 2, 1000, DOUBTED } },
	  NEW,
	  0,
	  1 },
	{ "share: half is lent", { { 1, 1, 16, 1000, WORKS } }, 1, 0, 0 },
	{ "share: more than half",
	  { { 1, 1, 4, 1000, WORKS }, { 10, 13, 1, 900, WORKS } },
	  1,
	  -EDQUOT,
	  0 },
	{ "share: one less",
	  { { 1, 1, 3, 1000, WORKS }, { 10, 14, 1, 900, WORKS } },
	  1,
	  0,
	  0 },
	{ "share: its own, not an older one",
	  { { 10, 13, 1, 5000, QUIET }, { 1, 1, 4, 3000, QUIET } },
	  1,
	  0,
	  1 },
	{ "marked for the pump: passed over",
	  { { 1, 1, 1, 5000, PUMPED }, { 10, 31, 1, 4000, QUIET } },
	  NEW,
	  0,
	  10 },
	{ "but if there is no other its end is near",
	  { { 1, 32, 1, 5000, PUMPED } },
	  NEW,
	  -ENOMEM,
	  1 },
};

static void add(struct rig *t, const struct group *g, uint32_t source)
{
	uint32_t flow = rig_flow(t, source);
	struct dawn_conn *c;

	if (g->kind == DOUBTED)
		dawn_flows_at(&t->r.flows, flow)->mss = 100;
	assert_int_equal(rig_make(t, flow, &c), 0);
	if (g->kind == WORKS || g->kind == DOUBTED)
		c->worked_us = t->r.now_us;
	if (g->kind == ENDS) {
		assert_true(dawn_conn_dirty(c));
		dawn_tcp_shutdown(c->tcp);
		(void)dawn_conn_output(c);
		dawn_conn_classify(c);
		assert_int_equal(c->class, DAWN_CONN_CLOSING);
	}
	if (g->kind == PUMPED)
		dawn_conn_activate(c);
}

static uint32_t count_of(const struct rig *t, uint32_t source, bool aborted)
{
	struct dawn_addr a = rig_addr(source);
	uint32_t n = 0;

	for (struct dawn_conn *c = dawn_conn_first(&t->r); c;
	     c = dawn_conn_after(c))
		n += dawn_addr_equal(&c->stream.raddr, &a) &&
		     c->aborted == aborted;
	return n;
}

static uint64_t evicted(const struct rig *t)
{
	return t->stats.evicted_closing + t->stats.evicted_window +
	       t->stats.evicted_reader + t->stats.evicted_writer;
}

static void play(const struct room_case *k)
{
	struct dawn_addr from = rig_addr(k->newcomer);
	bool aborted = k->want && k->goes; /* ends when it is pumped */
	uint32_t before, had;
	struct dawn_peer *p;
	struct rig *t;

	rig_setup((void **)&t);
	for (const struct group *g = k->has; g->sources; g++) {
		rig_time(t, START_US + 20 * SECOND - g->age_ms * 1000);
		for (uint32_t i = 0; i < g->sources * g->each; i++)
			add(t, g, g->first + i % g->sources);
	}
	rig_time(t, START_US + 20 * SECOND);
	before = t->r.conn_count;
	had = count_of(t, k->goes, false);
	assert_int_equal(dawn_room_for(&p, &t->r, &from, true), k->want);
	assert_int_equal(evicted(t), !!k->goes);
	assert_int_equal(t->r.conn_count, before - (k->goes && !aborted));
	assert_int_equal(count_of(t, k->goes, false), had - !!k->goes);
	assert_int_equal(count_of(t, k->goes, true), aborted);
	if (!k->want) {
		assert_true(dawn_addr_equal(&p->source, &from) ||
			    p->source.q[1] == 0);
		dawn_peer_put(&t->r, p);
	}
	rig_teardown((void **)&t);
}

static void who_goes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("  %s\n", cases[i].name);
		play(&cases[i]);
	}
}

/* Without leave to evict, nobody is, whatever there would be. */
static void without_eviction(void **state)
{
	static const struct group all = { 1, 32, 1, 0, QUIET };
	struct rig *t = *state;
	struct dawn_addr from = rig_addr(NEW);
	struct dawn_peer *p;

	for (uint32_t i = 0; i < CONNS; i++)
		add(t, &all, i + 1);
	rig_time(t, START_US + 10 * SECOND);
	assert_int_equal(dawn_room_for(&p, &t->r, &from, false), -ENOMEM);
	assert_int_equal(evicted(t), 0);
	assert_int_equal(dawn_room_for(&p, &t->r, &from, true), 0);
	assert_int_equal(evicted(t), 1);
}

/* An IPv4 address is a source, and an IPv6 /64. */
static void sources(void **state)
{
	struct rig *t = *state;
	struct dawn_addr a = rig_addr(1), b = a, c = a;
	struct dawn_peer *p, *q;

	b.b[15]++; /* the same /64 */
	c.b[7]++;
	assert_int_equal(dawn_room_for(&p, &t->r, &a, true), 0);
	assert_int_equal(dawn_room_for(&q, &t->r, &b, true), 0);
	assert_ptr_equal(p, q);
	assert_int_equal(p->count, 2);
	assert_ptr_equal(dawn_peer_of(&t->r, &b), p);
	assert_null(dawn_peer_of(&t->r, &c));
	assert_int_equal(t->r.peers.conns.most, 2);
	dawn_peer_put(&t->r, p);
	dawn_peer_put(&t->r, p);
	assert_null(dawn_peer_of(&t->r, &a));
	assert_int_equal(t->r.peers.conns.most, 0);
}

/* A refusal is remembered for 20 ms, for who has as many or more, and until
 * memory comes back. */
static void refusal_remembered(void **state)
{
	static const struct group two = { 1, 16, 2, 0, WORKS };
	struct rig *t = *state;
	struct dawn_addr from = rig_addr(NEW), other = rig_addr(3);
	struct dawn_peer *p;

	for (uint32_t i = 0; i < CONNS; i++)
		add(t, &two, i % 16 + 1);
	rig_time(t, START_US + 3 * SECOND - 5000);
	assert_false(dawn_room_refuses(&t->r, dawn_peer_of(&t->r, &other)));
	assert_int_equal(dawn_room_for(&p, &t->r, &other, true), -ENOMEM);
	assert_true(dawn_room_refuses(&t->r, dawn_peer_of(&t->r, &other)));
	assert_false(dawn_room_refuses(&t->r, NULL)); /* has fewer */
	assert_int_equal(dawn_room_for(&p, &t->r, &from, true), -ENOMEM);
	assert_true(dawn_room_refuses(&t->r, NULL));
	rig_time(t, START_US + 3 * SECOND); /* now all are stalled, but */
	assert_int_equal(dawn_room_for(&p, &t->r, &from, true), -ENOMEM);
	rig_time(t, START_US + 3 * SECOND + 15000);
	assert_false(dawn_room_refuses(&t->r, NULL));
	assert_int_equal(dawn_room_for(&p, &t->r, &from, true), 0);
	assert_int_equal(evicted(t), 1);
	assert_false(dawn_room_refuses(&t->r, NULL));
}

/* Memory came back, and another one has it: who goes is another question now. */
static void refusal_forgotten(void **state)
{
	static const struct group two = { 1, 16, 2, 0, WORKS };
	struct rig *t = *state;
	struct dawn_addr from = rig_addr(NEW);
	struct dawn_peer *p;

	for (uint32_t i = 0; i < CONNS; i++)
		add(t, &two, i % 16 + 1);
	assert_int_equal(dawn_room_for(&p, &t->r, &from, true), -ENOMEM);
	dawn_conn_release(
		TAILQ_LAST(&t->r.list[DAWN_CONN_WORKING], dawn_conn_list),
		DAWN_CLOSE_DONE);
	add(t, &two, 2); /* its third */
	assert_false(dawn_room_refuses(&t->r, NULL));
	assert_int_equal(dawn_room_for(&p, &t->r, &from, true), 0);
	assert_int_equal(count_of(t, 2, false), 2);
}

/* The same for a share. */
static void share_remembered(void **state)
{
	static const struct group one = { 1, 1, 1, 0, WORKS };
	struct rig *t = *state;
	struct dawn_addr from = rig_addr(1);
	struct dawn_peer *p;

	for (uint32_t i = 0; i < 13; i++)
		add(t, &one, 20 + i);
	for (uint32_t i = 0; i < SHARE; i++)
		add(t, &one, 1);
	rig_time(t, START_US + 3 * SECOND - 5000);
	assert_int_equal(dawn_room_for(&p, &t->r, &from, true), -EDQUOT);
	assert_true(dawn_room_refuses(&t->r, dawn_peer_of(&t->r, &from)));
	rig_time(t, START_US + 3 * SECOND + 15000);
	assert_false(dawn_room_refuses(&t->r, dawn_peer_of(&t->r, &from)));
	assert_int_equal(dawn_room_for(&p, &t->r, &from, true), 0);
	assert_int_equal(evicted(t), 1);
}

/* --- what is lent -------------------------------------------------------- */

static void lent_and_back(void **state)
{
	struct rig *t = *state;
	struct dawn_conn *c[CONNS];

	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < CONNS; i++)
			assert_int_equal(rig_make(t, rig_flow(t, i + 1), &c[i]),
					 0);
		assert_int_equal(t->r.rings.used, t->r.rings.cap);
		assert_false(dawn_room_free(&t->r));
		for (uint32_t i = 0; i < CONNS; i++)
			dawn_conn_release(c[i], DAWN_CLOSE_DONE);
		assert_int_equal(t->r.rings.used, 0);
		assert_int_equal(t->r.conn_count, 0);
	}
	assert_int_equal(t->stats.conn_open, 3 * CONNS);
	assert_int_equal(t->stats.conn_closed, 3 * CONNS);
}

/* What was offered to the peer is taken, within what growing may use: a quarter
 * of the memory for a source, half for all. */
static void offered_window(void **state)
{
	static const struct {
		uint32_t source, window, ring;
		uint64_t refused;
	} k[] = {
		{ 1, 0, DAWN_RING_MIN, 0 },
		{ 1, DAWN_RING_MIN, DAWN_RING_MIN, 0 },
		{ 1, DAWN_RING_MIN + 1, 2 * DAWN_RING_MIN, 0 },
		{ 1, DAWN_RING_MAX + 1, DAWN_RING_MIN, 0 }, /* not noted */
		{ 2, 16 * DAWN_RING_MIN, 16 * DAWN_RING_MIN, 0 },
		{ 2, 2 * DAWN_RING_MIN, 2 * DAWN_RING_MIN, 0 },
		{ 2, 2 * DAWN_RING_MIN, DAWN_RING_MIN, 1 },  /* a quarter */
		{ 3, 16 * DAWN_RING_MIN, DAWN_RING_MIN, 2 }, /* half of all */
	};
	struct rig *t = *state;
	struct dawn_conn *c;

	for (size_t i = 0; i < sizeof(k) / sizeof(k[0]); i++) {
		uint32_t flow = rig_flow(t, k[i].source);

		dawn_flows_at(&t->r.flows, flow)->rcv_adv =
			RCV_NXT + k[i].window;
		assert_int_equal(rig_make(t, flow, &c), 0);
		assert_int_equal(c->rcv.size, k[i].ring);
		assert_int_equal(c->snd.size, DAWN_RING_MIN);
		assert_int_equal(t->stats.rings_refused, k[i].refused);
	}
	while ((c = dawn_conn_first(&t->r)))
		dawn_conn_release(c, DAWN_CLOSE_DONE);
	assert_int_equal(t->r.rings.used, 0);
}

/* --- who waits ----------------------------------------------------------- */

/* All memory is lent, to connections that work; sources 1 to 16 have two. */
static void fill(struct rig *t)
{
	static const struct group two = { 1, 16, 2, 0, WORKS };

	for (uint32_t i = 0; i < CONNS; i++)
		add(t, &two, i % 16 + 1);
	rig_time(t, t->r.now_us + SECOND);
}

static void free_one(struct rig *t)
{
	dawn_conn_release(
		TAILQ_LAST(&t->r.list[DAWN_CONN_WORKING], dawn_conn_list),
		DAWN_CLOSE_DONE);
}

static uint32_t ask(struct rig *t, uint32_t source)
{
	uint32_t flow = rig_flow(t, source);

	rig_frame(t, flow, RCV_NXT, 100, 0);
	return flow;
}

static void served_when_there_is_room(void **state)
{
	struct rig *t = *state;
	uint32_t flow;

	fill(t);
	flow = ask(t, NEW);
	assert_null(dawn_conn_find(&t->r, flow));
	assert_int_equal(rig_owner(t, flow), DAWN_OWNER_KERNEL);
	assert_true(dawn_wait_has(&t->r, flow));
	/* not what evict.bpf.h calls useless */
	assert_int_not_equal(dawn_flows_at(&t->r.flows, flow)->req_len, 0);
	assert_false(dawn_wait_serve(&t->r));
	free_one(t);
	assert_true(dawn_wait_serve(&t->r));
	assert_non_null(dawn_conn_find(&t->r, flow));
	assert_int_equal(dawn_tcp_readable(dawn_conn_find(&t->r, flow)->tcp),
			 100);
	assert_false(dawn_wait_has(&t->r, flow));
	assert_int_equal(t->stats.conn_wait, 1);
	assert_int_equal(t->stats.conn_called, 1);
	assert_int_equal(t->stats.conn_refused, 0);
	assert_int_equal(evicted(t), 0);
}

/* Nothing came back, but one has stalled by now. */
static void served_for_a_stalled_one(void **state)
{
	struct rig *t = *state;
	uint32_t flow;

	fill(t);
	flow = ask(t, NEW);
	rig_time(t, t->r.now_us + SECOND);
	assert_false(dawn_wait_serve(&t->r));
	rig_time(t, t->r.now_us + 2 * SECOND);
	assert_true(dawn_wait_serve(&t->r));
	assert_non_null(dawn_conn_find(&t->r, flow));
	assert_int_equal(evicted(t), 1);
}

/* It comes again and has grown: one place, the newer copy. */
static void comes_again(void **state)
{
	struct rig *t = *state;
	uint32_t flow;

	fill(t);
	flow = ask(t, NEW);
	rig_frame(t, flow, RCV_NXT, 300, 0);
	assert_int_equal(t->r.waiting.count, 1);
	free_one(t);
	assert_true(dawn_wait_serve(&t->r));
	assert_int_equal(dawn_tcp_readable(dawn_conn_find(&t->r, flow)->tcp),
			 300);
	assert_int_equal(t->stats.conn_wait, 1);
}

/* It comes again just when there is room. */
static void comes_first(void **state)
{
	struct rig *t = *state;
	uint32_t flow;

	fill(t);
	flow = ask(t, NEW);
	free_one(t);
	rig_frame(t, flow, RCV_NXT, 100, 0);
	assert_non_null(dawn_conn_find(&t->r, flow));
	assert_int_equal(t->r.waiting.count, 0);
	assert_int_equal(t->stats.conn_called, 0);
	assert_false(dawn_wait_serve(&t->r));
}

static void what_does_not_wait(void **state)
{
	struct rig *t = *state;
	uint32_t flow;

	fill(t);
	flow = rig_flow(t, NEW);
	rig_frame(t, flow, RCV_NXT, 0, 0);
	rig_frame(t, flow, RCV_NXT, 0, DAWN_TCP_FIN);
	rig_frame(t, flow, RCV_NXT + 1, 100, 0);
	rig_frame(t, flow, RCV_NXT - 100, 100, 0);
	assert_int_equal(t->r.waiting.count, 0);
	assert_int_equal(t->stats.rx_refused, 4);
	rig_frame(t, flow, RCV_NXT, 2500, 0); /* beyond a place */
	assert_int_equal(t->r.waiting.count, 0);
	assert_int_equal(t->stats.conn_refused, 1);
	assert_int_equal(rig_owner(t, flow), DAWN_OWNER_KERNEL);
}

/* XDP answered it, or it ended: found at the next look, without any room. */
static void waits_no_more(void **state)
{
	struct rig *t = *state;
	uint32_t answered, ended, waits;

	fill(t);
	answered = ask(t, NEW);
	ended = ask(t, NEW);
	waits = ask(t, NEW);
	dawn_flows_at(&t->r.flows, answered)->rcv_nxt += 100;
	dawn_flows_at(&t->r.flows, ended)->owner =
		dawn_owner(DAWN_OWNER_FREE, 0, 0, 0, 9);
	assert_false(dawn_wait_has(&t->r, answered));
	assert_false(dawn_wait_has(&t->r, ended));
	rig_time(t, t->r.now_us + 100000);
	assert_false(dawn_wait_serve(&t->r));
	assert_int_equal(t->r.waiting.count, 1);
	free_one(t);
	assert_true(dawn_wait_serve(&t->r));
	assert_non_null(dawn_conn_find(&t->r, waits));
	assert_int_equal(rig_owner(t, answered), DAWN_OWNER_KERNEL);
	assert_int_equal(rig_owner(t, ended), DAWN_OWNER_FREE);
}

/* In the order of their coming; who has its share lets others pass. */
static void in_order(void **state)
{
	static const struct group share = { 50, 1, SHARE, 0, WORKS };
	struct rig *t = *state;
	uint32_t flow[3];

	for (uint32_t i = 0; i < SHARE; i++)
		add(t, &share, 50);
	for (uint32_t i = SHARE; i < CONNS; i++)
		add(t, &share, i);
	rig_time(t, t->r.now_us + SECOND);
	flow[0] = ask(t, 50);
	flow[1] = ask(t, 10);
	flow[2] = ask(t, 11);
	assert_int_equal(t->stats.conn_share, 1);
	for (int i = 1; i < 3; i++) {
		/* one of those that came last, not of source 50 */
		dawn_conn_release(TAILQ_FIRST(&t->r.list[DAWN_CONN_WORKING]),
				  DAWN_CLOSE_DONE);
		if (i == 2) /* was the one just served */
			assert_null(dawn_conn_find(&t->r, flow[1]));
		assert_true(dawn_wait_serve(&t->r));
		assert_non_null(dawn_conn_find(&t->r, flow[i]));
		assert_null(dawn_conn_find(&t->r, flow[0]));
	}
	dawn_conn_release(
		TAILQ_LAST(&t->r.list[DAWN_CONN_WORKING], dawn_conn_list),
		DAWN_CLOSE_DONE);
	assert_true(dawn_wait_serve(&t->r));
	assert_non_null(dawn_conn_find(&t->r, flow[0]));
	assert_int_equal(t->stats.conn_share, 1); /* not for each look */
}

/* At the cap a source with fewer takes the place of one that has most. */
static void at_the_cap(void **state)
{
	struct rig *t = *state;
	uint32_t last[2] = { 0, 0 }, flow, max = dawn_wait_max();

	fill(t);
	for (uint32_t i = 0; i < max; i++)
		last[i % 3 == 0] = ask(t, 70 + (i % 3 == 0));
	assert_int_equal(t->r.waiting.count, max);
	assert_int_equal(t->stats.conn_refused, 0);
	flow = ask(t, 70); /* has most: waits for its own */
	assert_false(dawn_wait_has(&t->r, flow));
	assert_int_equal(t->stats.conn_refused, 1);
	flow = ask(t, NEW);
	assert_true(dawn_wait_has(&t->r, flow));
	assert_false(dawn_wait_has(&t->r, last[0])); /* 70's last */
	assert_true(dawn_wait_has(&t->r, last[1]));
	assert_int_equal(t->stats.conn_refused, 2);
	assert_int_equal(t->r.waiting.count, max);
}

/* --- the sweeper --------------------------------------------------------- */

static void sweep(struct rig *t, uint64_t us)
{
	for (uint64_t end = t->r.now_us + us; t->r.now_us < end;) {
		rig_time(t, t->r.now_us + 20000);
		dawn_reactor_sweep(&t->r);
	}
}

/* Nobody goes so that an idle one may be closed: that waits for room. */
static void idle_waits_for_room(void **state)
{
	struct rig *t = *state;
	uint32_t idle = rig_flow(t, NEW);

	rig_time(t, t->r.now_us + 100 * SECOND);
	fill(t);
	sweep(t, 6 * SECOND); /* all have stalled by now, too */
	assert_int_equal(evicted(t), 0);
	assert_int_equal(t->r.conn_count, CONNS);
	assert_int_equal(rig_owner(t, idle), DAWN_OWNER_KERNEL);
	free_one(t);
	sweep(t, 6 * SECOND);
	assert_non_null(dawn_conn_find(&t->r, idle));
	assert_int_equal(evicted(t), 0);
}

/* A connection whose request waits is not idle. */
static void waiting_is_not_idle(void **state)
{
	struct rig *t = *state;
	uint32_t flow = rig_flow(t, NEW);

	rig_time(t, t->r.now_us + 100 * SECOND);
	fill(t);
	rig_frame(t, flow, RCV_NXT, 100, 0);
	free_one(t);
	sweep(t, 6 * SECOND);
	assert_int_equal(rig_owner(t, flow), DAWN_OWNER_KERNEL);
	assert_true(dawn_wait_serve(&t->r));
	assert_non_null(dawn_conn_find(&t->r, flow));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_goes),
		ROOM_TEST(without_eviction),
		ROOM_TEST(sources),
		ROOM_TEST(refusal_remembered),
		ROOM_TEST(refusal_forgotten),
		ROOM_TEST(share_remembered),
		ROOM_TEST(lent_and_back),
		ROOM_TEST(offered_window),
		ROOM_TEST(served_when_there_is_room),
		ROOM_TEST(served_for_a_stalled_one),
		ROOM_TEST(comes_again),
		ROOM_TEST(comes_first),
		ROOM_TEST(what_does_not_wait),
		ROOM_TEST(waits_no_more),
		ROOM_TEST(in_order),
		ROOM_TEST(at_the_cap),
		ROOM_TEST(idle_waits_for_room),
		ROOM_TEST(waiting_is_not_idle),
	};

	return cmocka_run_group_tests_name("room", tests, NULL, NULL);
}
