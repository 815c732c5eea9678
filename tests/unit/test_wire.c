// SPDX-License-Identifier: MIT OR Apache-2.0
/* tests/lib/wire.h, the emulated wire: every other test of loss and every bench
 * believes it. Its chances are held against binomial bounds of 5 sigma for
 * several seeds (which are fixed: a run cannot fail by bad luck), its order,
 * delay, rate and queue against the arithmetic, what it breaks against the
 * packet checker of tests/lib/pkt.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/pkt.h"
#include "tests/lib/wire.h"

#define MS    1000000ULL
#define COUNT 100000

static size_t segment(uint8_t *out, int family, int vlans, uint8_t proto,
		      size_t len, enum pkt_csum csum)
{
	static const uint8_t zeros[1400];
	struct pkt p = { .family = family,
			 .vlans = vlans,
			 .tpid = { 0x8100, 0x8100 },
			 .tci = { 5, 6 },
			 .ttl = 64,
			 .proto = proto,
			 .sport = 1000,
			 .dport = 80,
			 .flags = PKT_ACK,
			 .icmp_type = family == 4 ? 8 : 128,
			 .payload = zeros,
			 .len = len,
			 .csum = csum };

	memset(p.src, 0, 16);
	p.src[10] = p.src[11] = 0xff; /* IPv4-mapped, or what it is */
	p.src[12] = 198;
	memcpy(p.dst, p.src, 16);
	p.src[15] = 1;
	p.dst[15] = 2;
	return pkt_build(&p, out);
}

static void init(struct wire *w, struct wire_options o, uint64_t seed)
{
	if (!o.queue)
		o.queue = 1000;
	assert_int_equal(wire_init(w, &o, seed), 0);
}

/* Take out what is due. Return: how many. */
static uint32_t drain(struct wire *w, uint64_t now)
{
	struct wire_frame *f;
	uint32_t n = 0;

	for (; (f = wire_pop(w, now)); n++)
		wire_done(w, f, now);
	return n;
}

static void balanced(const struct wire *w)
{
	const struct wire_counts *n = &w->n;

	assert_int_equal(n->received + n->dup, n->sent + n->lost + n->dropped +
						       n->overflow +
						       n->oversize + w->held);
}

static void within(uint64_t got, double n, double p)
{
	double sigma = sqrt(n * p * (1 - p));

	if (fabs((double)got - n * p) > 5 * sigma)
		fail_msg("%llu of %.0f at %g", (unsigned long long)got, n, p);
}

/* Each chance alone, and that losses come independently of each other: pairs
 * are as frequent as they should be. */
static void chances(void **state)
{
	static const double p[] = { 0.001, 0.01, 0.05, 0.5 };
	uint8_t buf[PKT_FRAME_MAX];
	uint32_t len = (uint32_t)segment(buf, 4, 0, 6, 100, PKT_CSUM_FULL);
	struct wire w;

	(void)state;
	for (unsigned int i = 0; i < sizeof(p) / sizeof(*p) * 3; i++) {
		double q = p[i / 3];
		uint64_t pairs = 0, lost = 0, before;

		init(&w,
		     (struct wire_options){ .loss = q,
					    .dup = q / 2,
					    .corrupt = q / 3,
					    .reorder = q / 4 },
		     i * 1000 + 7);
		for (uint64_t t = 0; t < COUNT; t++) {
			before = w.n.lost;
			wire_push(&w, buf, len, false, t);
			pairs += lost && w.n.lost != before;
			lost = w.n.lost != before;
			drain(&w, t);
		}
		within(w.n.lost, COUNT, q);
		within(pairs, COUNT, q * q);
		within(w.n.dup, (double)(COUNT - w.n.lost), q / 2);
		within(w.n.corrupt, (double)(COUNT - w.n.lost + w.n.dup),
		       q / 3);
		within(w.n.reorder, (double)(COUNT - w.n.lost + w.n.dup),
		       q / 4);
		balanced(&w);
		wire_destroy(&w);
	}
}

/* Which of COUNT frames are lost, as a hash. */
static uint64_t losses(struct wire_options o, uint64_t seed, uint64_t gap_ns)
{
	uint8_t buf[100] = { 0 };
	uint64_t hash = 0, before;
	struct wire w;

	o.loss = 0.01;
	init(&w, o, seed);
	for (uint64_t i = 0; i < COUNT; i++) {
		before = w.n.lost;
		wire_push(&w, buf, sizeof(buf), false, i * gap_ns);
		hash = hash * 31 + (w.n.lost != before);
		drain(&w, i * gap_ns);
	}
	wire_destroy(&w);
	return hash;
}

static void seed_decides(void **state)
{
	uint64_t first = losses((struct wire_options){ 0 }, 1, 1000);

	(void)state;
	assert_true(losses((struct wire_options){ 0 }, 1, 77777) == first);
	assert_true(losses((struct wire_options){ .dup = 0.1,
						  .corrupt = 0.1,
						  .reorder = 0.1,
						  .jitter_ns = 10 },
			   1, 1000) == first);
	assert_true(losses((struct wire_options){ 0 }, 2, 1000) != first);
	assert_true(losses((struct wire_options){ 0 }, 3, 1000) != first);
}

static void push_number(struct wire *w, uint32_t n, uint64_t now)
{
	wire_push(w, (const uint8_t *)&n, sizeof(n), false, now);
}

static uint32_t pop_number(struct wire *w, uint64_t now)
{
	struct wire_frame *f = wire_pop(w, now);
	uint32_t n = UINT32_MAX;

	if (f) {
		memcpy(&n, f->data, sizeof(n));
		wire_done(w, f, now);
	}
	return n;
}

static void delay_is_exact_and_in_order(void **state)
{
	struct wire w;

	(void)state;
	init(&w, (struct wire_options){ .delay_ns = 10 * MS }, 1);
	for (uint32_t i = 0; i < 3000; i++)
		push_number(&w, i, i / 3 * 1000); /* three at a time */
	assert_int_equal(wire_next_ns(&w), 10 * MS);
	assert_null(wire_pop(&w, 10 * MS - 1));
	for (uint32_t i = 0; i < 3000; i++) {
		assert_int_equal(wire_next_ns(&w), 10 * MS + i / 3 * 1000);
		assert_int_equal(pop_number(&w, wire_next_ns(&w)), i);
	}
	assert_true(wire_next_ns(&w) == WIRE_NEVER);
	assert_int_equal(w.n.held_max, 3000);
	assert_int_equal(w.n.late_max_ns, 0);
	wire_destroy(&w);
}

static void jitter_stays_in_its_bounds(void **state)
{
	uint64_t min = UINT64_MAX, max = 0, t;
	struct wire_frame *f;
	struct wire w;

	(void)state;
	init(&w,
	     (struct wire_options){ .delay_ns = 5 * MS, .jitter_ns = 2 * MS },
	     1);
	for (uint32_t i = 0; i < COUNT; i++)
		push_number(&w, i, 0);
	while ((f = wire_pop(&w, 100 * MS))) {
		t = f->due_ns;
		min = t < min ? t : min;
		max = t > max ? t : max;
		wire_done(&w, f, 100 * MS);
	}
	assert_in_range(min, 5 * MS, 5 * MS + MS / 10);
	assert_in_range(max, 7 * MS - MS / 10, 7 * MS - 1);
	wire_destroy(&w);
}

/* The others keep their order; who is held comes out so much later. */
static void reordering_holds_some(void **state)
{
	uint32_t next = 0, n, late = 0;
	struct wire_frame *f;
	struct wire w;

	(void)state;
	init(&w,
	     (struct wire_options){
		     .delay_ns = MS, .reorder = 0.05, .reorder_ns = 3 * MS },
	     1);
	for (uint32_t i = 0; i < 10000; i++)
		push_number(&w, i, i * 10000ULL);
	while ((f = wire_pop(&w, UINT64_MAX - 1))) {
		memcpy(&n, f->data, sizeof(n));
		if (f->due_ns == n * 10000ULL + 4 * MS) {
			late++;
		} else {
			assert_int_equal(f->due_ns, n * 10000ULL + MS);
			assert_true(n >= next);
			next = n + 1;
		}
		wire_done(&w, f, f->due_ns);
	}
	assert_int_equal(late, w.n.reorder);
	within(late, 10000, 0.05);
	wire_destroy(&w);
}

/* 12 Mbit/s: a frame of 1500 bytes takes 1 ms. */
static void line_takes_its_time(void **state)
{
	uint8_t buf[1500] = { 0 };
	struct wire w;

	(void)state;
	init(&w,
	     (struct wire_options){ .delay_ns = 10 * MS, .rate_bps = 12000000 },
	     1);
	for (int i = 0; i < 100; i++)
		wire_push(&w, buf, sizeof(buf), false, 0);
	for (uint64_t i = 1; i <= 100; i++) {
		assert_int_equal(wire_next_ns(&w), (10 + i) * MS);
		assert_int_equal(drain(&w, (10 + i) * MS), 1);
	}
	/* An idle line has saved nothing up. */
	wire_push(&w, buf, sizeof(buf), false, 500 * MS);
	wire_push(&w, buf, sizeof(buf), false, 500 * MS);
	assert_int_equal(wire_next_ns(&w), 511 * MS);
	assert_int_equal(drain(&w, 511 * MS), 1);
	assert_int_equal(wire_next_ns(&w), 512 * MS);
	balanced(&w);
	wire_destroy(&w);
}

/* What waits for the line counts, what is on its way does not. */
static void full_queue_drops(void **state)
{
	uint8_t buf[1500] = { 0 };
	struct wire_options o = { .delay_ns = 1000 * MS,
				  .rate_bps = 12000000,
				  .queue = 10 };
	struct wire w;

	(void)state;
	init(&w, o, 1);
	for (int i = 0; i < 15; i++)
		wire_push(&w, buf, sizeof(buf), false, 0);
	assert_int_equal(w.n.overflow, 5);
	assert_int_equal(w.n.queue_max, 10);
	/* One leaves the line: one more has room. */
	wire_push(&w, buf, sizeof(buf), false, 1 * MS - 1);
	assert_int_equal(w.n.overflow, 6);
	wire_push(&w, buf, sizeof(buf), false, 1 * MS);
	wire_push(&w, buf, sizeof(buf), false, 1 * MS);
	assert_int_equal(w.n.overflow, 7);
	balanced(&w);
	wire_destroy(&w);

	init(&w, o, 1); /* at the line's pace nothing is lost */
	for (uint64_t i = 0; i < 900; i++)
		wire_push(&w, buf, sizeof(buf), false, i * MS);
	assert_int_equal(w.n.overflow, 0);
	assert_int_equal(w.n.queue_max, 1);
	assert_int_equal(w.held, 900);
	wire_destroy(&w);

	o.rate_bps = 0; /* without a rate nothing waits */
	init(&w, o, 1);
	for (int i = 0; i < 5000; i++)
		wire_push(&w, buf, sizeof(buf), false, 0);
	assert_int_equal(w.n.overflow, 0);
	wire_destroy(&w);
}

/* One bit of each frame, where a checksum sees it. */
static void corruption_is_seen(void **state)
{
	static const struct {
		int family, vlans;
		uint8_t proto;
	} kinds[] = { { 4, 0, 6 },  { 6, 0, 6 },  { 4, 1, 6 }, { 6, 2, 6 },
		      { 4, 0, 17 }, { 6, 0, 17 }, { 4, 0, 1 }, { 6, 0, 58 } };
	uint8_t buf[PKT_FRAME_MAX];
	struct wire_frame *f;
	struct wire w;
	struct pkt p;

	(void)state;
	init(&w, (struct wire_options){ .corrupt = 1 }, 1);
	for (unsigned int k = 0; k < 8 * 500; k++) {
		uint32_t len = (uint32_t)segment(
			buf, kinds[k / 500].family, kinds[k / 500].vlans,
			kinds[k / 500].proto, k % 500, PKT_CSUM_FULL);
		uint32_t bits = 0;
		struct wire_l4 l4;

		assert_null(pkt_parse(&p, buf, len));
		assert_true(wire_find_l4(buf, len, &l4));
		wire_push(&w, buf, len, false, k);
		f = wire_pop(&w, k);
		assert_non_null(f);
		assert_int_equal(f->len, len);
		assert_memory_equal(f->data, buf, l4.off);
		for (uint32_t i = 0; i < len; i++)
			bits += (uint32_t)__builtin_popcount(f->data[i] ^
							     buf[i]);
		assert_int_equal(bits, 1);
		assert_non_null(pkt_parse(&p, f->data, f->len));
		wire_done(&w, f, k);
	}
	assert_int_equal(w.n.corrupt, 8 * 500);
	wire_destroy(&w);
}

/* ARP has no checksum: broken, it would be believed. */
static void what_has_no_checksum_stays_whole(void **state)
{
	uint8_t arp[42] = { [12] = 8, [13] = 6 };
	struct wire_frame *f;
	struct wire w;

	(void)state;
	init(&w, (struct wire_options){ .corrupt = 1 }, 1);
	wire_push(&w, arp, sizeof(arp), false, 0);
	f = wire_pop(&w, 0);
	assert_non_null(f);
	assert_memory_equal(f->data, arp, sizeof(arp));
	assert_int_equal(w.n.corrupt, 0);
	wire_done(&w, f, 0);
	wire_destroy(&w);
}

static void checksums_are_completed(void **state)
{
	uint8_t buf[PKT_FRAME_MAX];
	struct wire_frame *f;
	struct wire w;
	struct pkt p;

	(void)state;
	init(&w, (struct wire_options){ 0 }, 1);
	for (unsigned int i = 0; i < 400; i++) {
		uint32_t len = (uint32_t)segment(buf, i & 1 ? 4 : 6, i >> 1 & 1,
						 i & 4 ? 6 : 17, i,
						 PKT_CSUM_PARTIAL);

		assert_non_null(pkt_parse(&p, buf, len));
		wire_push(&w, buf, len, true, i);
		f = wire_pop(&w, i);
		assert_non_null(f);
		assert_null(pkt_parse(&p, f->data, f->len));
		wire_done(&w, f, i);
	}
	assert_int_equal(w.n.completed, 400);
	wire_destroy(&w);
}

/* Frames with data count, others pass. */
static void named_frames_are_lost(void **state)
{
	struct wire_options o = { .drop = { 2, 5 }, .drop_count = 2 };
	uint8_t data[PKT_FRAME_MAX], ack[PKT_FRAME_MAX];
	struct wire w;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		uint32_t len =
			(uint32_t)segment(data, family, 0, 6, 1, PKT_CSUM_FULL);
		uint32_t ack_len =
			(uint32_t)segment(ack, family, 0, 6, 0, PKT_CSUM_FULL);

		init(&w, o, 1);
		for (uint32_t i = 1; i <= 6; i++) {
			wire_push(&w, ack, ack_len, false, 0);
			assert_int_equal(drain(&w, 0), 1);
			wire_push(&w, data, len, false, 0);
			assert_int_equal(drain(&w, 0), i != 2 && i != 5);
		}
		assert_int_equal(w.n.dropped, 2);
		balanced(&w);
		wire_destroy(&w);
	}
}

static void refused_frames_keep_their_place(void **state)
{
	struct wire_frame *f[3];
	struct wire w;

	(void)state;
	init(&w, (struct wire_options){ 0 }, 1);
	for (uint32_t i = 0; i < 5; i++)
		push_number(&w, i, 7);
	for (int i = 0; i < 3; i++)
		f[i] = wire_pop(&w, 7);
	for (int i = 0; i < 3; i++)
		wire_again(&w, f[i]);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(pop_number(&w, 9), i);
	assert_int_equal(w.n.sent, 5);
	assert_int_equal(w.n.late_max_ns, 2);
	assert_int_equal(w.n.late_ns, 10);
	wire_destroy(&w);
}

static void everything_is_accounted_for(void **state)
{
	struct wire_options o = { .loss = 0.1,
				  .dup = 0.1,
				  .corrupt = 0.1,
				  .reorder = 0.1,
				  .delay_ns = MS,
				  .jitter_ns = MS,
				  .reorder_ns = MS,
				  .rate_bps = 100000000,
				  .queue = 20 };
	static uint8_t large[WIRE_FRAME_MAX + 1];
	uint8_t buf[PKT_FRAME_MAX];
	uint32_t len = (uint32_t)segment(buf, 6, 0, 6, 1300, PKT_CSUM_FULL);
	struct wire w;

	(void)state;
	init(&w, o, 1);
	for (uint64_t i = 0; i < COUNT; i++) {
		if (i % 100)
			wire_push(&w, buf, len, false, i * 100000);
		else
			wire_push(&w, large, sizeof(large) - (i % 200 != 0),
				  false, i * 100000);
		drain(&w, i * 100000);
		balanced(&w);
	}
	assert_int_equal(w.n.oversize, COUNT / 200);
	assert_true(w.n.overflow > 0 && w.n.queue_max == 20);
	drain(&w, UINT64_MAX - 1);
	assert_int_equal(w.held, 0);
	balanced(&w);
	wire_destroy(&w);
}

/* No byte behind a frame's end is read (ASan sees it). */
static void cut_frames_are_safe(void **state)
{
	uint8_t buf[PKT_FRAME_MAX];

	(void)state;
	for (int k = 0; k < 12; k++) {
		uint32_t len = (uint32_t)segment(buf, k & 1 ? 4 : 6, k >> 1 & 1,
						 k < 4   ? 6
						 : k < 8 ? 17
							 : 58,
						 40, PKT_CSUM_FULL);

		for (uint32_t cut = 0; cut < len; cut++) {
			struct wire_l4 l4;
			uint8_t *exact = malloc(cut ? cut : 1);

			assert_non_null(exact);
			memcpy(exact, buf, cut);
			assert_false(wire_find_l4(exact, cut, &l4));
			free(exact);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chances),
		cmocka_unit_test(seed_decides),
		cmocka_unit_test(delay_is_exact_and_in_order),
		cmocka_unit_test(jitter_stays_in_its_bounds),
		cmocka_unit_test(reordering_holds_some),
		cmocka_unit_test(line_takes_its_time),
		cmocka_unit_test(full_queue_drops),
		cmocka_unit_test(corruption_is_seen),
		cmocka_unit_test(what_has_no_checksum_stays_whole),
		cmocka_unit_test(checksums_are_completed),
		cmocka_unit_test(named_frames_are_lost),
		cmocka_unit_test(refused_frames_keep_their_place),
		cmocka_unit_test(everything_is_accounted_for),
		cmocka_unit_test(cut_frames_are_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
