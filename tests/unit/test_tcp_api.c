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

#include "user/net/tcp_conn.h"

#define RING (1U << 20)
#define MSS  1460
#define LONG ((1ULL << 31) + (1 << 24))

struct fixture {
	struct dawn_tcp c;
	struct dawn_flow flow;
	uint8_t *rcv, *snd;
	uint64_t now_us;
};

static void open_again(struct fixture *f, uint32_t snd_size)
{
	struct dawn_tcp_open o = {
		.flow = &f->flow,
		.rcv = { f->rcv, RING },
		.snd = { f->snd, snd_size },
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
		.rcv_adv = 99 + 262144,
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
	assert_true(offsetof(struct dawn_tcp, recent) <= 320);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(adopt_refuses, setup, teardown),
		cmocka_unit_test(size_is_small),
		cmocka_unit_test_setup_teardown(counts_can_be_cleared, setup,
						teardown),
		cmocka_unit_test_setup_teardown(long_send, setup, teardown),
		cmocka_unit_test_setup_teardown(long_receive, setup, teardown),
	};

	return cmocka_run_group_tests_name("tcp api", tests, NULL, NULL);
}
