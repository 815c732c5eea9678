// SPDX-License-Identifier: MIT OR Apache-2.0
/* The engine's calls that a script cannot show, and runs long enough for
 * numbers to become incomparable: more than 2^31 bytes each way. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "tests/unit/tcp_invariants.h"

#define RING (1U << 20)
#define MSS  1460
#define RECS 1024
#define LONG ((1ULL << 31) + (1 << 24))

struct fixture {
	struct dawn_tcp c;
	struct dawn_flow flow;
	uint8_t *rcv, *snd;
	struct dawn_tcp_rec recs[RECS];
	uint64_t now_us;
};

static void open_again(struct fixture *f, uint32_t snd_size)
{
	struct dawn_tcp_open o = {
		.flow = &f->flow,
		.rcv = { f->rcv, RING },
		.snd = { f->snd, snd_size },
		.recs = { f->recs, RECS },
		.now_us = f->now_us,
	};

	dawn_tcp_open(&f->c, &o);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->rcv = calloc(1, RING);
	f->snd = calloc(1, RING);
	f->now_us = 1000000;
	f->flow = (struct dawn_flow){
		.state = DAWN_TCP_ESTABLISHED,
		.flags = DAWN_FLOW_WSCALE,
		.snd_wscale = 7,
		.mss = MSS,
		.snd_nxt = 77,
		.snd_una = 77,
		.snd_wnd = 1U << 22,
		.rcv_nxt = 99,
		.rcv_adv = 99 + DAWN_RCV_WND,
		.cwnd = 1U << 24,
		.last_sent_ms = 1000,
		.srtt_us = 1000,
	};
	open_again(f, RING);
	*state = f;
	return !f->rcv || !f->snd ? -1 : 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->rcv);
	free(f->snd);
	free(f);
	return 0;
}

static struct dawn_tcp_seg ack_of(const struct fixture *f, uint32_t ack)
{
	return (struct dawn_tcp_seg){ .seq = f->c.rcv_nxt,
				      .ack = ack,
				      .wnd = 32768,
				      .flags = DAWN_TCP_ACK };
}

static void adopt_refuses(void **state)
{
	struct fixture *f = *state;
	uint8_t *buf = calloc(1, RING);

	assert_non_null(buf);
	f->flow.snd_nxt += 20000;
	open_again(f, 16384);
	assert_int_equal(dawn_tcp_adopt_len(&f->c), 20000);
	assert_int_equal(dawn_tcp_adopt_sent(&f->c, buf, 19999), -EINVAL);
	assert_int_equal(dawn_tcp_adopt_sent(&f->c, buf, 20000), -ENOSPC);
	/* Nothing of it is sent, nothing can be written, until it is given. */
	assert_int_equal(dawn_tcp_write(&f->c, buf, 1), 0);
	assert_false(dawn_tcp_settled(&f->c));
	dawn_tcp_timer(&f->c, f->now_us + 1000000);
	{
		struct dawn_tcp_seg seg;

		assert_false(dawn_tcp_output(&f->c, f->now_us + 1000000, &seg));
	}
	/* Also if the records did not suffice. */
	f->flow.mss = 128;
	f->flow.snd_nxt += 400000;
	open_again(f, RING);
	assert_int_equal(dawn_tcp_adopt_len(&f->c), 420000);
	{
		struct dawn_tcp_seg seg;

		assert_int_equal(tcp_recs(&f->c), RECS);
		assert_true(dawn_seq_lt(f->c.snd_nxt, f->c.snd_max));
		seg = ack_of(f, f->c.snd_nxt);
		dawn_tcp_input(&f->c, &seg, f->now_us);
		assert_int_equal(tcp_recs(&f->c), 0);
		assert_false(dawn_tcp_output(&f->c, f->now_us, &seg));
	}
	f->flow.mss = MSS;
	f->flow.snd_nxt -= 400000;
	/* Nor is a window probed. */
	f->flow.snd_wnd = 0;
	open_again(f, 16384);
	dawn_tcp_timer(&f->c, f->now_us + 1000000);
	{
		struct dawn_tcp_seg seg;

		assert_false(dawn_tcp_output(&f->c, f->now_us + 1000000, &seg));
	}
	open_again(f, 32768);
	assert_int_equal(dawn_tcp_adopt_sent(&f->c, buf, 20000), 0);
	assert_int_equal(dawn_tcp_adopt_len(&f->c), 0);
	assert_int_equal(dawn_tcp_adopt_sent(&f->c, buf, 20000), -EINVAL);
	assert_int_equal(dawn_tcp_write_seq(&f->c), f->flow.snd_nxt);
	assert_int_equal(dawn_tcp_snd_una(&f->c), f->flow.snd_una);
	free(buf);
}

static void size_is_small(void **state)
{
	(void)state;
	assert_int_equal(dawn_tcp_sizeof(), sizeof(struct dawn_tcp));
	/* What a segment in order touches ends before the range lists. */
	assert_true(offsetof(struct dawn_tcp, recent) <= 512);
}

static void counts_can_be_cleared(void **state)
{
	struct fixture *f = *state;
	struct dawn_tcp_counts *n = dawn_tcp_counts(&f->c);
	struct dawn_tcp_seg seg = { .flags = DAWN_TCP_SYN };

	dawn_tcp_input(&f->c, &seg, f->now_us);
	assert_int_equal(n->challenge_ack, 1);
	memset(n, 0, sizeof(*n));
	assert_int_equal(dawn_tcp_counts(&f->c)->challenge_ack, 0);
}

/* Twice: a blind one may have guessed the window once. */
static void doubt_needs_two_lies(void **state)
{
	struct fixture *f = *state;
	struct dawn_tcp_seg seg = ack_of(f, f->c.snd_max + 1);

	dawn_tcp_input(&f->c, &seg, f->now_us);
	assert_false(dawn_tcp_doubtful(&f->c));
	seg = ack_of(f, f->c.snd_max);
	dawn_tcp_input(&f->c, &seg, f->now_us);
	assert_false(dawn_tcp_doubtful(&f->c));
	seg = ack_of(f, f->c.snd_max + (1 << 20));
	dawn_tcp_input(&f->c, &seg, f->now_us);
	assert_true(dawn_tcp_doubtful(&f->c));
	assert_int_equal(dawn_tcp_state(&f->c), DAWN_TCP_ESTABLISHED);
}

/* A segment with several blocks tells one; an old block is none. */
static void doubt_of_sack_lies(void **state)
{
	struct fixture *f = *state;
	struct dawn_tcp_seg seg;
	uint32_t una, max;

	f->flow.flags |= DAWN_FLOW_SACK;
	open_again(f, RING);
	una = f->c.snd_una;
	max = f->c.snd_max;
	for (int i = 0; i < 4; i++) {
		seg = ack_of(f, una);
		seg.sack_count = 2;
		seg.sack[0] = (struct dawn_tcp_sack){ una, max };
		seg.sack[1] = (struct dawn_tcp_sack){ una, max };
		dawn_tcp_input(&f->c, &seg, f->now_us);
	}
	assert_false(dawn_tcp_doubtful(&f->c));
	seg.sack[0].end = max + 1;
	seg.sack[1].end = max + 1000;
	dawn_tcp_input(&f->c, &seg, f->now_us);
	assert_false(dawn_tcp_doubtful(&f->c));
	dawn_tcp_input(&f->c, &seg, f->now_us);
	assert_true(dawn_tcp_doubtful(&f->c));
	assert_int_equal(dawn_tcp_state(&f->c), DAWN_TCP_ESTABLISHED);
}

static void doubt_of_a_tiny_mss(void **state)
{
	struct fixture *f = *state;

	f->flow.mss = 536;
	open_again(f, RING);
	assert_false(dawn_tcp_doubtful(&f->c));
	f->flow.mss = 128;
	open_again(f, RING);
	assert_true(dawn_tcp_doubtful(&f->c));
	f->flow.mss = TCP_MSS_TINY;
	open_again(f, RING);
	assert_false(dawn_tcp_doubtful(&f->c));
	f->flow.mss = TCP_MSS_TINY - 1;
	open_again(f, RING);
	assert_true(dawn_tcp_doubtful(&f->c));
}

/* Lies are not forgotten when there were many. */
static void doubt_stays(void **state)
{
	struct fixture *f = *state;
	struct dawn_tcp_seg seg = ack_of(f, f->c.snd_max + 1);

	for (int i = 0; i < 70000; i++) {
		dawn_tcp_input(&f->c, &seg, f->now_us);
		assert_int_equal(dawn_tcp_doubtful(&f->c), i > 0);
	}
}

/* A reader takes what there is, whatever it says. */
static void consume_has_an_end(void **state)
{
	struct fixture *f = *state;
	static uint8_t buf[100];
	struct dawn_tcp_seg seg = ack_of(f, f->c.snd_una);

	seg.data = buf;
	seg.len = sizeof(buf);
	dawn_tcp_input(&f->c, &seg, f->now_us);
	dawn_tcp_consume(&f->c, 99);
	assert_int_equal(dawn_tcp_readable(&f->c), 1);
	dawn_tcp_consume(&f->c, 2);
	assert_int_equal(dawn_tcp_readable(&f->c), 0);
	assert_int_equal(f->c.rcv_read, f->c.rcv_nxt);
}

/* RFC 6298, 2.5: whatever it is given. */
static void rtt_is_bounded(void **state)
{
	struct fixture *f = *state;

	dawn_tcp_rtt_init(&f->c, UINT32_MAX, UINT32_MAX);
	assert_int_equal(f->c.srtt_us, TCP_RTO_MAX_US);
	assert_int_equal(f->c.rttvar_us, TCP_RTO_MAX_US);
	dawn_tcp_rtt_init(&f->c, 0, 0);
	dawn_tcp_rtt_sample(&f->c, UINT32_MAX);
	assert_int_equal(f->c.srtt_us, TCP_RTO_MAX_US);
	assert_int_equal(dawn_tcp_rtt_timeout_us(&f->c), TCP_RTO_MAX_US);
	assert_int_equal(dawn_tcp_rto_us(TCP_RTO_MAX_US, TCP_RTO_MAX_US),
			 TCP_RTO_MAX_US);
}

/* An empty ring starts over, so that a ring of bytes is read without turning. */
static void empty_ring_starts_over(void **state)
{
	struct fixture *f = *state;
	static uint8_t buf[100] = { 42 };
	struct dawn_tcp_seg seg = { .ack = 77,
				    .wnd = 1000,
				    .flags = DAWN_TCP_ACK,
				    .data = buf,
				    .len = sizeof(buf) };
	uint32_t len;

	for (int i = 0; i < 3; i++) {
		seg.seq = f->c.rcv_nxt;
		dawn_tcp_input(&f->c, &seg, f->now_us);
		assert_int_equal(f->rcv[0], 42);
		assert_ptr_equal(dawn_tcp_linearize(&f->c, &len), f->rcv);
		assert_int_equal(len, sizeof(buf));
		dawn_tcp_consume(&f->c, len);
		f->rcv[0] = 0;
	}
}

/* The entry's third duplicate is ours to count: the entry that it goes back to
 * has two. */
static void adopted_dupacks_bounded(void **state)
{
	struct fixture *f = *state;
	struct dawn_flow out = { 0 };

	f->flow.dupacks = TCP_DUPTHRESH;
	open_again(f, RING);
	dawn_tcp_export(&f->c, &out);
	assert_int_equal(out.dupacks, TCP_DUPTHRESH - 1);
}

/* Samples taken here are those of the other half from then on. */
static void samples_are_exported(void **state)
{
	struct fixture *f = *state;
	struct dawn_flow out = { 0 };

	f->c.srtt_us = 80000;
	f->c.rttvar_us = 1234;
	dawn_tcp_export(&f->c, &out);
	assert_int_equal(out.srtt_us, 80000);
	assert_int_equal(out.rttvar_us, 1234);
}

/* What a caller says beyond the array is not looked at: the seventh "block"
 * is data2, which means nothing on the way in. */
static void sack_blocks_are_four(void **state)
{
	struct fixture *f = *state;
	static uint8_t buf[3 * MSS];
	struct dawn_tcp_seg seg;
	uint32_t una = f->c.snd_una;
	const struct dawn_tcp_sack block = { una + MSS, una + 2 * MSS };

	assert_int_equal(offsetof(struct dawn_tcp_seg, data2),
			 offsetof(struct dawn_tcp_seg, sack) +
				 6 * sizeof(block));
	f->flow.flags |= DAWN_FLOW_SACK;
	open_again(f, RING);
	dawn_tcp_write(&f->c, buf, sizeof(buf));
	while (dawn_tcp_output(&f->c, f->now_us, &seg))
		;
	seg = ack_of(f, f->c.snd_una);
	seg.sack_count = 7;
	memcpy(&seg.data2, &block, sizeof(block));
	dawn_tcp_input(&f->c, &seg, f->now_us);
	assert_int_equal(f->c.sacked, 0);
}

/* RFC 5681, 3.1: a segment for each window acknowledged, where a window is what
 * can be sent of it, whole segments. Bytes counted before a loss are worth one
 * segment after it at most. And the window has an end. */
static void newreno_counts(void **state)
{
	struct fixture *f = *state;
	struct dawn_tcp *c = &f->c;

	c->cwnd = c->ssthresh = 4 * MSS;
	dawn_tcp_newreno.acked(c, 3 * MSS, f->now_us);
	assert_int_equal(c->cwnd, 4 * MSS);
	dawn_tcp_newreno.loss(c, 8 * MSS);
	assert_int_equal(c->ssthresh, 4 * MSS);
	dawn_tcp_newreno.acked(c, MSS - 1, f->now_us);
	assert_int_equal(c->cwnd, 4 * MSS);
	dawn_tcp_newreno.acked(c, 1, f->now_us);
	assert_int_equal(c->cwnd, 5 * MSS);
	/* 19 segments of a window of 20, then it is 5/2. */
	c->cwnd = c->ssthresh = 20 * MSS;
	dawn_tcp_newreno.acked(c, 19 * MSS, f->now_us);
	dawn_tcp_newreno.loss(c, 5 * MSS);
	c->cwnd = c->ssthresh;
	assert_int_equal(c->cwnd, 5 * MSS / 2);
	dawn_tcp_newreno.acked(c, 1, f->now_us);
	assert_int_equal(c->cwnd, 7 * MSS / 2);
	dawn_tcp_newreno.acked(c, 2 * MSS, f->now_us); /* and MSS / 2 is left */
	assert_int_equal(c->cwnd, 7 * MSS / 2);
	dawn_tcp_newreno.acked(c, MSS / 2, f->now_us);
	assert_int_equal(c->cwnd, 9 * MSS / 2);
	c->cwnd = 1 << 30;
	c->ssthresh = INT32_MAX;
	dawn_tcp_newreno.acked(c, MSS, f->now_us);
	assert_int_equal(c->cwnd, 1 << 30);
}

/* Sizes of the records' ring: a power of two within the bounds, which holds what
 * is in use. */
static void records_move(void **state)
{
	static const uint32_t wrong[] = { 0, 8, 24, 1000, 65536 };
	struct fixture *f = *state;
	struct dawn_tcp_recs to = { calloc(32768, sizeof(*to.mem)), 0 };
	struct dawn_tcp_rec *mem = to.mem;
	static uint8_t buf[17 * MSS];
	struct dawn_tcp_seg seg;

	assert_non_null(to.mem);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		to.size = wrong[i];
		assert_int_equal(dawn_tcp_recs_move(&f->c, to), -EINVAL);
		assert_int_equal(f->c.recs.size, RECS);
	}
	dawn_tcp_write(&f->c, buf, sizeof(buf));
	while (dawn_tcp_output(&f->c, f->now_us, &seg))
		;
	to.size = 16;
	assert_int_equal(dawn_tcp_recs_move(&f->c, to), -EINVAL);
	seg = ack_of(f, f->c.snd_una + MSS);
	dawn_tcp_input(&f->c, &seg, f->now_us);
	assert_int_equal(dawn_tcp_recs_move(&f->c, to), 0);
	assert_null(tcp_broken(&f->c));
	to.mem = f->recs;
	to.size = 32;
	assert_int_equal(dawn_tcp_recs_move(&f->c, to), 0);
	to.mem = mem;
	to.size = 32768;
	assert_int_equal(dawn_tcp_recs_move(&f->c, to), 0);
	assert_null(tcp_broken(&f->c));
	free(mem);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Fast retransmit still works after half the number space: RFC 6582's
 * `recover` must not be left behind. */
static void long_send(void **state)
{
	struct fixture *f = *state;
	static uint8_t buf[65536];
	struct dawn_tcp_seg seg, ack;
	uint64_t sent = 0;
	long segments = 0;
	double start = seconds();

	while (sent < LONG) {
		while (dawn_tcp_write(&f->c, buf, sizeof(buf)))
			;
		while (dawn_tcp_output(&f->c, f->now_us, &seg)) {
			sent += seg.len + seg.len2;
			segments++;
			if (segments % 2)
				continue;
			ack = ack_of(f, seg.seq);
			dawn_tcp_input(&f->c, &ack, f->now_us);
		}
		ack = ack_of(f, f->c.snd_max);
		dawn_tcp_input(&f->c, &ack, f->now_us);
		f->now_us += 1000;
	}
	print_message("sent %ld segments, %.2f M/s\n", segments,
		      (double)segments / (seconds() - start) / 1e6);
	assert_int_equal(f->c.counts.retransmit, 0);
	dawn_tcp_write(&f->c, buf, 5 * MSS);
	while (dawn_tcp_output(&f->c, f->now_us, &seg))
		;
	for (int i = 0; i < TCP_DUPTHRESH; i++) {
		ack = ack_of(f, f->c.snd_una);
		dawn_tcp_input(&f->c, &ack, f->now_us);
	}
	assert_int_equal(f->c.counts.fast_retransmit, 1);
}

/* RFC 2018, 4: a block is remembered so that its repetitions cost nothing. After
 * 4 GB the same numbers are new ones. */
static void sack_after_4_gb(void **state)
{
	enum { SEG = 1024 };
	struct fixture *f = *state;
	static uint8_t buf[65536];
	struct dawn_tcp_seg seg, ack;
	uint32_t first;

	f->flow.flags |= DAWN_FLOW_SACK;
	f->flow.mss = SEG;
	open_again(f, RING);
	first = f->c.snd_una;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(f->c.snd_una, first);
		dawn_tcp_write(&f->c, buf, 4 * SEG);
		while (dawn_tcp_output(&f->c, f->now_us, &seg))
			;
		ack = ack_of(f, first);
		ack.sack_count = 1;
		ack.sack[0].start = first + SEG;
		ack.sack[0].end = first + 2 * SEG;
		dawn_tcp_input(&f->c, &ack, f->now_us);
		assert_int_equal(f->c.sacked, SEG);
		ack = ack_of(f, first + 4 * SEG);
		dawn_tcp_input(&f->c, &ack, f->now_us);
		assert_int_equal(f->c.sacked, 0);
		while (f->c.snd_una != first) {
			uint32_t left = first - f->c.snd_una;

			dawn_tcp_write(&f->c, buf,
				       left < sizeof(buf) ? left : sizeof(buf));
			while (dawn_tcp_output(&f->c, f->now_us, &seg))
				;
			ack = ack_of(f, f->c.snd_max);
			dawn_tcp_input(&f->c, &ack, f->now_us);
			f->now_us += 1000;
		}
	}
}

static void long_receive(void **state)
{
	struct fixture *f = *state;
	static uint8_t buf[MSS];
	struct dawn_tcp_seg seg = { .ack = 77,
				    .wnd = 1000,
				    .flags = DAWN_TCP_ACK,
				    .data = buf,
				    .len = MSS };
	struct dawn_tcp_seg out;
	uint64_t got = 0;
	long acks = 0, segments = 0;
	double start = seconds();

	while (got < LONG) {
		uint32_t len;

		seg.seq = f->c.rcv_nxt;
		assert_int_equal(dawn_tcp_input(&f->c, &seg, f->now_us),
				 DAWN_TCP_EV_DATA | DAWN_TCP_EV_PROGRESS);
		segments++;
		if (segments % 3) {
			dawn_tcp_linearize(&f->c, &len);
			dawn_tcp_consume(&f->c, len);
			got += len;
		}
		while (dawn_tcp_output(&f->c, f->now_us, &out))
			acks++;
	}
	print_message("received %ld segments, %.2f M/s\n", segments,
		      (double)segments / (seconds() - start) / 1e6);
	assert_true(acks >= segments / 2 - 1 && acks <= segments / 2 + 1);
}

/* RFC 8985, 6.2, step 4: a window that D-SACK made larger stays so for sixteen
 * recoveries, and does not grow for ever. */
static void reordering_window_lasts(void **state)
{
	struct fixture *f = *state;
	struct dawn_tcp *c = &f->c;
	const struct tcp_ack a = { .dsack = true };

	assert_int_equal(c->reo_mult, 1);
	dawn_tcp_rack_done(c);
	assert_int_equal(c->reo_mult, 1);
	dawn_tcp_rack_dsack(c, &a);
	for (int i = 0; i < 15; i++)
		dawn_tcp_rack_done(c);
	assert_int_equal(c->reo_mult, 2);
	dawn_tcp_rack_done(c);
	assert_int_equal(c->reo_mult, 1);
	for (int i = 0; i < 300; i++) /* nothing is out: each is a round */
		dawn_tcp_rack_dsack(c, &a);
	assert_int_equal(c->reo_mult, UINT8_MAX);
	dawn_tcp_rack_done(c);
	assert_int_equal(c->reo_mult, UINT8_MAX);
}

#define UNTIMED 0x80 /* the connection has no timestamps */

struct overtaken_case {
	const char *name;
	bool overtaken;
	struct dawn_tcp_seg seg; /* seq and ack: less what the entry says */
	uint8_t out;             /* unacknowledged bytes, or UNTIMED */
};

#define OLD(seq_, ack_) .flags = DAWN_TCP_ACK, .seq = (seq_), .ack = (ack_)
#define TS(val)         .has_ts = true, .tsval = (val)

static const struct overtaken_case overtaken_cases[] = {
	{ "old numbers", true, { OLD(-40U, -100U) }, 0 },
	{ "old ack", true, { OLD(0, -1U), TS(0) }, 0 },
	{ "old ack, data in flight", true, { OLD(0, -1U) }, 9 },
	{ "old seq", true, { OLD(-2U, 0) }, 0 },
	{ "old timestamp", true, { OLD(0, 0), TS(-1U) }, 0 },
	{ "old timestamp of a SACK",
	  true,
	  { OLD(0, 0), TS(-1U), .sack_count = 1 },
	  9 },
	{ "keep-alive with an old ack", true, { OLD(-1U, -1U) }, 0 },
	{ "window or duplicate", false, { OLD(0, 0), TS(0) }, 0 },
	{ "keep-alive", false, { OLD(-1U, 0), TS(0) }, 0 },
	{ "SACK", false, { OLD(-2U, -1U), .sack_count = 1 }, 9 },
	{ "new ack", false, { OLD(-2U, 1), TS(-1U) }, 9 },
	{ "new seq", false, { OLD(1, -1U), TS(-1U) }, 0 },
	{ "data", false, { OLD(-9U, -1U), TS(-1U), .len = 1 }, 0 },
	{ "FIN",
	  false,
	  { .flags = DAWN_TCP_ACK | DAWN_TCP_FIN, .seq = -2U },
	  0 },
	{ "RST",
	  false,
	  { .flags = DAWN_TCP_ACK | DAWN_TCP_RST, .seq = -2U },
	  0 },
	{ "SYN",
	  false,
	  { .flags = DAWN_TCP_ACK | DAWN_TCP_SYN, .seq = -2U },
	  0 },
	{ "no timestamp", false, { OLD(0, 0), .tsval = -1U }, 0 },
	{ "timestamps are not used", false, { OLD(0, 0), TS(-1U) }, UNTIMED },
	{ "the same timestamp, in flight", false, { OLD(0, 0), TS(0) }, 9 },
	{ "old SACK, nothing in flight",
	  true,
	  { OLD(-2U, 0), .sack_count = 1 },
	  0 },
	{ "no ACK", false, { .flags = 0, .seq = -2U }, 0 },
};

/* With numbers that wrap at the entry's, and elsewhere. */
static void overtaken(void **state)
{
	static const uint32_t bases[] = { 0, 1, 5, 1U << 31, -1U, 77 };

	(void)state;
	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		for (size_t k = 0;
		     k < sizeof(overtaken_cases) / sizeof(*overtaken_cases);
		     k++) {
			const struct overtaken_case *t = &overtaken_cases[k];
			struct dawn_tcp_seg seg = t->seg;
			struct dawn_flow f = {
				.flags = t->out == UNTIMED ? 0 : DAWN_FLOW_TS,
				.rcv_nxt = bases[i],
				.snd_una = bases[i] + 3,
				.snd_nxt = bases[i] + 3 + t->out,
				.ts_recent = bases[i] + 7,
			};

			seg.seq += f.rcv_nxt;
			seg.ack += f.snd_una;
			seg.tsval += f.ts_recent;
			if (dawn_tcp_overtaken(&f, &seg) != t->overtaken)
				fail_msg("%s, base %u", t->name, bases[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(adopt_refuses, setup, teardown),
		cmocka_unit_test(size_is_small),
		cmocka_unit_test(overtaken),
		cmocka_unit_test_setup_teardown(counts_can_be_cleared, setup,
						teardown),
		cmocka_unit_test_setup_teardown(doubt_of_sack_lies, setup,
						teardown),
		cmocka_unit_test_setup_teardown(doubt_needs_two_lies, setup,
						teardown),
		cmocka_unit_test_setup_teardown(doubt_of_a_tiny_mss, setup,
						teardown),
		cmocka_unit_test_setup_teardown(doubt_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(consume_has_an_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(rtt_is_bounded, setup,
						teardown),
		cmocka_unit_test_setup_teardown(empty_ring_starts_over, setup,
						teardown),
		cmocka_unit_test_setup_teardown(adopted_dupacks_bounded, setup,
						teardown),
		cmocka_unit_test_setup_teardown(samples_are_exported, setup,
						teardown),
		cmocka_unit_test_setup_teardown(sack_blocks_are_four, setup,
						teardown),
		cmocka_unit_test_setup_teardown(newreno_counts, setup,
						teardown),
		cmocka_unit_test_setup_teardown(long_send, setup, teardown),
		cmocka_unit_test_setup_teardown(long_receive, setup, teardown),
		cmocka_unit_test_setup_teardown(sack_after_4_gb, setup,
						teardown),
		cmocka_unit_test_setup_teardown(records_move, setup, teardown),
		cmocka_unit_test_setup_teardown(reordering_window_lasts, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("tcp api", tests, NULL, NULL);
}
