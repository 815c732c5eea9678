// SPDX-License-Identifier: MIT OR Apache-2.0
/* Reassembly against an oracle: a byte map that knows nothing of ranges, rings
 * or sequence arithmetic. Segments of a short stream, cut at random, with
 * overlaps that disagree, duplicates and a FIN, in every order, with numbers
 * that wrap and a ring that wraps. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "user/net/tcp_conn.h"

#define STREAM   64 /* bytes */
#define SEGS_MAX 6
#define RING     64 /* the stream just fits: every offset is used */

struct piece {
	int start, end;
	bool fin;
	uint8_t salt; /* its idea of the bytes */
};

/* The slow, obvious truth. */
struct oracle {
	bool have[STREAM + 1];
	uint8_t byte[STREAM + 1];
	int fin; /* where, -1: unknown */
	int nxt; /* first missing */
};

static uint64_t rng_state;

static uint32_t rnd(uint32_t below)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32_t)(rng_state >> 32) % below;
}

static uint8_t piece_byte(const struct piece *p, int at)
{
	return (uint8_t)(p->salt * 31 + at);
}

static int oracle_last(const struct oracle *o)
{
	int last = STREAM;

	while (last && !o->have[last - 1])
		last--;
	return last;
}

static void oracle_take(struct oracle *o, const struct piece *p)
{
	bool done = o->fin >= 0 && o->nxt == o->fin;

	if (done || p->end + p->fin <= o->nxt)
		return;
	if (p->fin && o->fin < 0 && oracle_last(o) <= p->end)
		o->fin = p->end;
	for (int i = p->start; i < p->end; i++) {
		if (o->have[i] || (o->fin >= 0 && i >= o->fin))
			continue;
		o->have[i] = true;
		o->byte[i] = piece_byte(p, i);
	}
	while (o->nxt < STREAM && o->have[o->nxt])
		o->nxt++;
}

struct engine {
	struct dawn_tcp c;
	uint8_t rcv[RING], snd[64];
	uint32_t base;
};

static void engine_open(struct engine *e, uint32_t base)
{
	struct dawn_flow f = {
		.state = DAWN_TCP_ESTABLISHED,
		.flags = DAWN_FLOW_SACK,
		.mss = 1460,
		.rcv_nxt = base,
		.rcv_adv = base + 65535,
		.snd_nxt = 5,
		.snd_una = 5,
	};
	struct dawn_tcp_open o = {
		.flow = &f,
		.rcv = { e->rcv, RING },
		.snd = { e->snd, sizeof(e->snd) },
		.now_us = 1000000,
	};

	e->base = base;
	dawn_tcp_open(&e->c, &o);
	/* Begin anywhere in the ring. */
	e->c.rcv_shift += base * 7;
}

static void engine_take(struct engine *e, const struct piece *p)
{
	uint8_t buf[STREAM];
	struct dawn_tcp_seg seg = {
		.seq = e->base + (uint32_t)p->start,
		.ack = 5,
		.wnd = 1000,
		.flags = DAWN_TCP_ACK | (p->fin ? DAWN_TCP_FIN : 0),
		.data = buf,
		.len = (uint32_t)(p->end - p->start),
	};

	for (int i = p->start; i < p->end; i++)
		buf[i - p->start] = piece_byte(p, i);
	dawn_tcp_input(&e->c, &seg, 1000000);
}

static void compare(struct engine *e, const struct oracle *o)
{
	bool done = o->fin >= 0 && o->nxt == o->fin;
	uint32_t len;
	const uint8_t *p;

	assert_int_equal(e->c.rcv_nxt - e->base, o->nxt + done);
	assert_int_equal(dawn_tcp_readable(&e->c), o->nxt);
	assert_int_equal(dawn_tcp_state(&e->c),
			 done ? DAWN_TCP_CLOSE_WAIT : DAWN_TCP_ESTABLISHED);
	for (int i = o->nxt + 1; i < STREAM; i++) {
		bool held = false;

		for (int r = 0; r < e->c.ooo_count; r++)
			held |= (uint32_t)i - (e->c.ooo[r].start - e->base) <
				e->c.ooo[r].end - e->c.ooo[r].start;
		assert_int_equal(held, o->have[i]);
	}
	p = dawn_tcp_linearize(&e->c, &len);
	assert_int_equal(len, o->nxt);
	assert_memory_equal(p, o->byte, len);
}

static const uint32_t bases[] = { 1000, 0xffffffe0, 0x7fffffe0, 0xffffffff };

static void run_order(const struct piece *set, const int *order, int n,
		      uint32_t base)
{
	struct oracle o = { .fin = -1 };
	struct engine e;

	engine_open(&e, base);
	for (int i = 0; i < n; i++) {
		oracle_take(&o, &set[order[i]]);
		engine_take(&e, &set[order[i]]);
		compare(&e, &o);
	}
}

/* Every permutation (Heap's algorithm). */
static long run_all_orders(const struct piece *set, int n, uint32_t base)
{
	int order[SEGS_MAX], count[SEGS_MAX] = { 0 };
	long runs = 1;

	for (int i = 0; i < n; i++)
		order[i] = i;
	run_order(set, order, n, base);
	for (int i = 0; i < n;) {
		if (count[i] < i) {
			int j = i % 2 ? count[i] : 0, tmp = order[j];

			order[j] = order[i];
			order[i] = tmp;
			run_order(set, order, n, base);
			runs++;
			count[i]++;
			i = 0;
		} else {
			count[i++] = 0;
		}
	}
	return runs;
}

/* Some pieces tile the stream, the others lie across or repeat one. */
static int make_set(struct piece *set)
{
	int total = 1 + (int)rnd(STREAM), n = 0, at = 0;

	while (at < total && n < SEGS_MAX) {
		int len = 1 + (int)rnd(total / 3 + 1);

		if (at + len > total || n == SEGS_MAX - 1)
			len = total - at;
		set[n] = (struct piece){ at, at + len, false, 0 };
		at += len;
		set[n++].fin = at == total && rnd(2);
	}
	while (n < SEGS_MAX && rnd(4)) {
		int start = (int)rnd(total + 1);
		int end = start + (int)rnd(total - start + 1);

		if (rnd(3)) {
			set[n] = (struct piece){ start, end, rnd(4) == 0,
						 (uint8_t)rnd(3) };
		} else {
			set[n] = set[rnd(n)];
		}
		n++;
	}
	return n;
}

static void every_order(void **state)
{
	long runs = 0;

	(void)state;
	rng_state = 0x9e3779b97f4a7c15;
	for (int i = 0; i < 400; i++) {
		struct piece set[SEGS_MAX];
		int n = make_set(set);

		runs += run_all_orders(set, n, bases[i % 4]);
	}
	print_message("%ld orders\n", runs);
	assert_true(runs > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order),
	};

	return cmocka_run_group_tests_name("tcp reassembly", tests, NULL, NULL);
}
