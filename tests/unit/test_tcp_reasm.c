// SPDX-License-Identifier: MIT OR Apache-2.0
/* Reassembly against an oracle: a byte map that knows nothing of ranges, rings
 * or sequence arithmetic.
 *
 *   every_sequence  every segment a short stream can have (each start and end,
 *                   with and without FIN), in every sequence of up to six, so
 *                   all orders, overlaps and repetitions. No two of a sequence
 *                   agree about a byte. Numbers wrap within the stream, and the
 *                   ring does.
 *   every_window    the same with less depth and a ring that the stream does
 *                   not fit, while an application reads
 *   every_order     longer streams cut at random, in every order
 *
 * The number of sequences is printed. With a sanitizer, or if DAWN_TEST_SHORT is
 * set, the depth is one less.
 */
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
	int read;
	int room; /* beyond what is read, 0: no bound */
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
	int end = p->end;
	bool fin = p->fin;

	if (done || p->end + p->fin <= o->nxt)
		return;
	if (o->room && end > o->read + o->room) { /* and so no FIN */
		end = o->read + o->room;
		fin = false;
	}
	if (fin && o->fin < 0 && oracle_last(o) <= p->end)
		o->fin = p->end;
	for (int i = p->start; i < end; i++) {
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

static void engine_open(struct engine *e, uint32_t base, uint32_t ring)
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
		.rcv = { e->rcv, ring },
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

static uint8_t ring_byte(const struct engine *e, int at)
{
	uint32_t pos = e->base + (uint32_t)at + e->c.rcv_shift;

	return e->rcv[pos & (e->c.rcv.size - 1)];
}

static bool engine_holds(const struct engine *e, int at)
{
	uint32_t seq = e->base + (uint32_t)at;

	for (int r = 0; r < e->c.ooo_count; r++)
		if (seq - e->c.ooo[r].start <
		    e->c.ooo[r].end - e->c.ooo[r].start)
			return true;
	return false;
}

/* Is the engine's list what it promises: sorted, disjoint, not touching, and
 * all of it beyond rcv_nxt? */
static bool list_in_order(const struct engine *e)
{
	uint32_t at = e->c.rcv_nxt;

	for (int r = 0; r < e->c.ooo_count; r++) {
		if (!dawn_seq_gt(e->c.ooo[r].start, at) ||
		    !dawn_seq_gt(e->c.ooo[r].end, e->c.ooo[r].start))
			return false;
		at = e->c.ooo[r].end;
	}
	return true;
}

static bool agree(const struct engine *e, const struct oracle *o, int stream)
{
	bool done = o->fin >= 0 && o->nxt == o->fin;

	if (e->c.rcv_nxt - e->base != (uint32_t)(o->nxt + done) ||
	    e->c.rcv_read - e->base != (uint32_t)o->read ||
	    e->c.state != (done ? DAWN_TCP_CLOSE_WAIT : DAWN_TCP_ESTABLISHED) ||
	    !list_in_order(e))
		return false;
	for (int i = o->read; i < stream; i++) {
		if (i > o->nxt && engine_holds(e, i) != o->have[i])
			return false;
		if (o->have[i] && ring_byte(e, i) != o->byte[i])
			return false;
	}
	return true;
}

static void compare(struct engine *e, const struct oracle *o)
{
	uint32_t len;
	const uint8_t *p;

	assert_true(agree(e, o, STREAM));
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

	engine_open(&e, base, RING);
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

/* ---- every sequence ---- */

#define KINDS_MAX 64

struct search {
	int stream, depth, reads;
	uint32_t base;
	struct piece kind[KINDS_MAX];
	int kinds;
	int path[SEGS_MAX];
	long runs;
};

struct both {
	struct engine e;
	struct oracle o;
};

static void add_kinds(struct search *s)
{
	for (int start = 0; start <= s->stream; start++)
		for (int end = start; end <= s->stream; end++)
			for (int fin = start == end; fin < 2; fin++)
				s->kind[s->kinds++] =
					(struct piece){ start, end, fin, 0 };
	assert_true(s->kinds + s->reads <= KINDS_MAX);
}

static void copy_both(struct both *to, const struct both *from)
{
	memcpy(to, from, sizeof(*to));
	to->e.c.rcv.mem = to->e.rcv;
	to->e.c.snd.mem = to->e.snd;
}

/* One byte, through the call that may turn the ring. */
static void read_byte(struct both *b)
{
	uint32_t len;
	const uint8_t *p = dawn_tcp_linearize(&b->e.c, &len);

	assert_int_equal(len, b->o.nxt - b->o.read);
	if (!len)
		return;
	assert_int_equal(*p, b->o.byte[b->o.read]);
	dawn_tcp_consume(&b->e.c, 1);
	b->o.read++;
}

static void tell(const struct search *s, int depth)
{
	for (int i = 0; i <= depth; i++) {
		const struct piece *p = &s->kind[s->path[i]];

		if (s->path[i] >= s->kinds)
			print_message("read\n");
		else
			print_message("[%d, %d)%s\n", p->start, p->end,
				      p->fin ? " FIN" : "");
	}
	fail_msg("base %#x", s->base);
}

static void search(struct search *s, const struct both *from, int depth)
{
	struct both b;

	for (int k = 0; k < s->kinds + s->reads; k++) {
		struct piece p = s->kind[k];

		s->path[depth] = k;
		copy_both(&b, from);
		if (k < s->kinds) {
			p.salt = (uint8_t)depth;
			oracle_take(&b.o, &p);
			engine_take(&b.e, &p);
		} else {
			read_byte(&b);
		}
		if (!agree(&b.e, &b.o, s->stream))
			tell(s, depth);
		if (depth + 1 < s->depth)
			search(s, &b, depth + 1);
		else
			s->runs++;
	}
}

static long search_all(int stream, int depth, int room, uint32_t base)
{
	struct search s = {
		.stream = stream,
		.depth = depth,
		.reads = room ? 1 : 0,
		.base = base,
	};
	static struct both b;

#ifdef __SANITIZE_ADDRESS__
	s.depth--;
#else
	if (getenv("DAWN_TEST_SHORT"))
		s.depth--;
#endif
	add_kinds(&s);
	memset(&b, 0, sizeof(b));
	b.o.fin = -1;
	b.o.room = room;
	engine_open(&b.e, base, room ? (uint32_t)room : 8);
	search(&s, &b, 0);
	return s.runs;
}

static void every_sequence(void **state)
{
	long runs = 0;

	(void)state;
	runs += search_all(3, 6, 0, 0xfffffffe); /* 15 kinds: 11 million */
	runs += search_all(3, 6, 0, 0x7ffffffe);
	runs += search_all(4, 5, 0, 0xfffffffd); /* 25 kinds: 10 million */
	runs += search_all(5, 4, 0, 0xfffffffc);
	runs += search_all(6, 4, 0, 0xffffffff); /* three ranges apart */
	print_message("%ld sequences\n", runs);
	assert_true(runs > 200000);
}

static void every_window(void **state)
{
	long runs = 0;

	(void)state;
	runs += search_all(5, 4, 4, 0xfffffffe);
	runs += search_all(4, 5, 2, 0xffffffff);
	runs += search_all(6, 4, 4, 0x7ffffffd);
	print_message("%ld sequences\n", runs);
	assert_true(runs > 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sequence),
		cmocka_unit_test(every_window),
		cmocka_unit_test(every_order),
	};

	return cmocka_run_group_tests_name("tcp reassembly", tests, NULL, NULL);
}
