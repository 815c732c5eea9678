// SPDX-License-Identifier: MIT OR Apache-2.0
/* Two engines back to back over a simulated link that loses, delays, reorders
 * and duplicates, seeded, in virtual time:
 *
 *     side 0  ──── heap of segments in flight ────►  side 1
 *             ◄───────────────────────────────────
 *
 * Both write and read all the time. Checked: the bytes, the ends, how long it
 * took, that nobody sends beyond what was offered, that no window shrinks, and
 * that dawn_tcp_would_progress() foretells progress.
 */
#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/tcp_invariants.h"

#define FLIGHT_MAX 8192
#define SEG_BYTES  1500
#define RECS       256

struct params {
	const char *name;
	uint32_t bytes[2]; /* to send, each way */
	uint8_t flags;     /* DAWN_FLOW_* */
	uint16_t mss;
	uint32_t rcv_ring, snd_ring;
	uint32_t delay_us, jitter_us;
	uint32_t loss_permille, dup_permille;
	uint32_t read_every_us;  /* 0: at once */
	uint32_t read_bytes;     /* at most, each time; 0: all */
	uint32_t ping;           /* > 0: side 0 asks with so many bytes, side 1
				 * answers with bytes[1] / bytes[0] as many */
	bool reopen;             /* through a flow entry, when it can */
	uint64_t limit_s;        /* virtual */
	uint32_t mathis_percent; /* goodput at least, of the model's; or 0 */
};

struct packet {
	uint64_t at_us;
	uint64_t order;
	int to;
	struct dawn_tcp_seg seg;
	uint8_t data[SEG_BYTES];
};

struct side {
	struct dawn_tcp c;
	struct dawn_ring rcv, snd;
	struct dawn_tcp_recs recs;
	uint32_t wrote, got;
	uint32_t may_write; /* in ping mode */
	bool eof;
	uint32_t snd_base;
	uint32_t edge; /* highest number the other may send */
	uint64_t read_at_us;
	uint8_t salt;
	long sent, reopened;
};

struct sim {
	const struct params *p;
	struct side side[2];
	struct packet *heap[FLIGHT_MAX];
	int count;
	uint64_t now_us, order, rng;
};

static uint32_t rnd(struct sim *s, uint32_t below)
{
	s->rng ^= s->rng << 13;
	s->rng ^= s->rng >> 7;
	s->rng ^= s->rng << 17;
	return (uint32_t)(s->rng >> 32) % below;
}

static uint8_t byte_at(uint8_t salt, uint32_t pos)
{
	uint32_t x = pos * 2654435761U;

	return (uint8_t)(x >> 24 ^ x >> 11 ^ salt);
}

static bool earlier(const struct packet *a, const struct packet *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void heap_push(struct sim *s, struct packet *p)
{
	int i = s->count++;

	assert_true(s->count < FLIGHT_MAX);
	while (i && earlier(p, s->heap[(i - 1) / 2])) {
		s->heap[i] = s->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->heap[i] = p;
}

static struct packet *heap_pop(struct sim *s)
{
	struct packet *top = s->heap[0], *last = s->heap[--s->count];
	int i = 0;

	for (;;) {
		int k = 2 * i + 1;

		if (k >= s->count)
			break;
		if (k + 1 < s->count && earlier(s->heap[k + 1], s->heap[k]))
			k++;
		if (!earlier(s->heap[k], last))
			break;
		s->heap[i] = s->heap[k];
		i = k;
	}
	s->heap[i] = last;
	return top;
}

static void link_put(struct sim *s, int to, const struct dawn_tcp_seg *seg)
{
	struct packet *p = malloc(sizeof(*p));

	assert_non_null(p);
	assert_true(seg->len + seg->len2 <= SEG_BYTES);
	p->seg = *seg;
	if (seg->len)
		memcpy(p->data, seg->data, seg->len);
	if (seg->len2)
		memcpy(p->data + seg->len, seg->data2, seg->len2);
	p->seg.len += seg->len2;
	p->seg.len2 = 0;
	p->seg.data2 = NULL;
	p->seg.data = p->data;
	p->to = to;
	p->order = s->order++;
	p->at_us = s->now_us + s->p->delay_us +
		   (s->p->jitter_us ? rnd(s, s->p->jitter_us) : 0);
	heap_push(s, p);
}

static uint8_t shift_of(const struct sim *s)
{
	return s->p->flags & DAWN_FLOW_WSCALE ? 7 : 0;
}

/* What the engine promises about each segment. */
static void check_sent(struct sim *s, int from, const struct dawn_tcp_seg *seg)
{
	struct side *me = &s->side[from], *other = &s->side[!from];
	uint32_t len = seg->len + seg->len2;
	uint32_t edge = seg->ack + ((uint32_t)seg->wnd << shift_of(s));
	uint32_t sack = seg->sack_count ? 4 + 8 * seg->sack_count : 0;

	assert_true(len + sack + (seg->has_ts ? 12 : 0) <= s->p->mss);
	/* One byte more: a probe. */
	assert_true(dawn_seq_le(seg->seq + len, other->edge + 1));
	/* The edge goes back by less than the scale's unit. */
	assert_true(dawn_seq_gt(edge + (1U << shift_of(s)), me->edge));
	if (dawn_seq_gt(edge, me->edge))
		me->edge = edge;
	me->sent++;
}

static void flush(struct sim *s, int from)
{
	struct dawn_tcp_seg seg;

	while (dawn_tcp_output(&s->side[from].c, s->now_us, &seg)) {
		assert_false(seg.flags & DAWN_TCP_RST);
		check_sent(s, from, &seg);
		if (rnd(s, 1000) >= s->p->loss_permille)
			link_put(s, !from, &seg);
		if (rnd(s, 1000) < s->p->dup_permille)
			link_put(s, !from, &seg);
	}
}

static void app_read(struct sim *s, struct side *me, const struct side *other)
{
	uint32_t len, take;
	const uint8_t *p;

	if (s->now_us < me->read_at_us)
		return;
	p = dawn_tcp_linearize(&me->c, &len);
	take = len;
	if (s->p->read_bytes && take > s->p->read_bytes)
		take = s->p->read_bytes;
	for (uint32_t i = 0; i < take; i++)
		if (p[i] != byte_at(other->salt, me->got + i))
			fail_msg("%s: wrong byte at %u", s->p->name,
				 me->got + i);
	if (take) {
		dawn_tcp_consume(&me->c, take);
		me->got += take;
		me->read_at_us = s->now_us + s->p->read_every_us;
	}
}

/* How far side i may write now. */
static uint32_t app_limit(const struct sim *s, int i)
{
	const struct params *p = s->p;
	const struct side *me = &s->side[i];
	uint64_t limit = p->bytes[i];

	if (p->ping && i == 0)
		limit = (me->got / (p->bytes[1] / p->bytes[0]) / p->ping + 1) *
			(uint64_t)p->ping;
	else if (p->ping)
		limit = (uint64_t)(me->got / p->ping * p->ping) *
			(p->bytes[1] / p->bytes[0]);
	return limit < p->bytes[i] ? (uint32_t)limit : p->bytes[i];
}

static void app_write(struct sim *s, int i)
{
	struct side *me = &s->side[i];
	uint32_t limit = app_limit(s, i);

	while (me->wrote < limit && dawn_tcp_space(&me->c)) {
		uint8_t buf[4096];
		uint32_t n = 1 + rnd(s, sizeof(buf));

		if (n > limit - me->wrote)
			n = limit - me->wrote;
		for (uint32_t k = 0; k < n; k++)
			buf[k] = byte_at(me->salt, me->wrote + k);
		n = dawn_tcp_write(&me->c, buf, n);
		me->wrote += n;
	}
	if (me->wrote == s->p->bytes[i])
		dawn_tcp_shutdown(&me->c);
}

static void side_open(struct sim *s, int i, const struct dawn_flow *f)
{
	struct side *me = &s->side[i];
	struct dawn_tcp_open o = {
		.flow = f,
		.rcv = me->rcv,
		.snd = me->snd,
		.recs = me->recs,
		.ts_offset = 0xfffffff0U + (uint32_t)i,
		.now_us = s->now_us,
		.user_timeout_ms = 100000000,
		.fin_wait_ms = 100000000,
	};

	dawn_tcp_open(&me->c, &o);
}

/* As if the kernel half had had it for a moment. */
static void maybe_reopen(struct sim *s, int i)
{
	struct side *me = &s->side[i];
	struct dawn_flow f = { 0 };
	uint32_t len;
	uint8_t *buf;

	if (!s->p->reopen || !dawn_tcp_settled(&me->c))
		return;
	dawn_tcp_export(&me->c, &f);
	side_open(s, i, &f);
	len = dawn_tcp_adopt_len(&me->c);
	buf = malloc(len + 1);
	assert_non_null(buf);
	for (uint32_t k = 0; k < len; k++)
		buf[k] = byte_at(me->salt, f.snd_una - me->snd_base + k);
	memset(me->snd.mem, 0xdd, me->snd.size);
	assert_int_equal(dawn_tcp_adopt_sent(&me->c, buf, len), 0);
	free(buf);
	me->reopened++;
}

static void turn(struct sim *s, int i, unsigned int events)
{
	struct side *me = &s->side[i];

	assert_false(events & (DAWN_TCP_EV_RESET | DAWN_TCP_EV_TIMEOUT));
	if (events & DAWN_TCP_EV_EOF)
		me->eof = true;
	app_read(s, me, &s->side[!i]);
	maybe_reopen(s, i);
	app_write(s, i);
	flush(s, i);
	maybe_reopen(s, i);
	if (tcp_broken(&me->c))
		fail_msg("%s: does not hold: not %s", s->p->name,
			 tcp_broken(&me->c));
}

/* Nobody is there any more: what the flow table's owner would answer. */
static void answer_closed(struct sim *s, int from,
			  const struct dawn_tcp_seg *seg)
{
	struct dawn_tcp_seg rst = { .seq = seg->ack, .flags = DAWN_TCP_RST };

	if (!(seg->flags & DAWN_TCP_RST))
		link_put(s, !from, &rst);
}

static void deliver(struct sim *s)
{
	struct packet *p = heap_pop(s);
	struct side *me = &s->side[p->to];
	unsigned int events;
	bool would;

	if (dawn_tcp_state(&me->c) == DAWN_TCP_CLOSED) {
		answer_closed(s, p->to, &p->seg);
		free(p);
		return;
	}
	would = dawn_tcp_would_progress(&me->c, &p->seg);
	events = dawn_tcp_input(&me->c, &p->seg, s->now_us);

	assert_true(would || !(events & DAWN_TCP_EV_PROGRESS));
	turn(s, p->to, events);
	free(p);
}

static bool side_done(const struct sim *s, int i)
{
	uint8_t state = dawn_tcp_state(&s->side[i].c);

	return s->side[i].got == s->p->bytes[!i] && s->side[i].eof &&
	       (state == DAWN_TCP_CLOSED || state == DAWN_TCP_TIME_WAIT);
}

static uint64_t side_next(const struct side *me)
{
	uint64_t at = dawn_tcp_deadline_us(&me->c);

	if (dawn_tcp_readable(&me->c) && me->read_at_us < at)
		at = me->read_at_us;
	return at;
}

static void step(struct sim *s)
{
	uint64_t at = s->count ? s->heap[0]->at_us : UINT64_MAX;

	for (int i = 0; i < 2; i++)
		if (side_next(&s->side[i]) < at)
			at = side_next(&s->side[i]);
	if (at == UINT64_MAX)
		fail_msg("%s: nothing will ever happen", s->p->name);
	if (at > s->now_us)
		s->now_us = at;
	while (s->count && s->heap[0]->at_us <= s->now_us)
		deliver(s);
	for (int i = 0; i < 2; i++)
		if (side_next(&s->side[i]) <= s->now_us)
			turn(s, i, dawn_tcp_timer(&s->side[i].c, s->now_us));
}

static void sim_open(struct sim *s)
{
	uint32_t base[2];

	/* Wraps on the way; both ways differ. */
	base[0] = 0U - rnd(s, s->p->bytes[0]);
	base[1] = 0U - rnd(s, s->p->bytes[1]);
	for (int i = 0; i < 2; i++) {
		struct side *me = &s->side[i];
		uint32_t wnd = s->p->flags & DAWN_FLOW_WSCALE ? DAWN_RCV_WND
							      : 65535;
		struct dawn_flow f = {
			.state = DAWN_TCP_ESTABLISHED,
			.flags = s->p->flags,
			.mss = s->p->mss,
			.snd_wscale = shift_of(s),
		};

		if (wnd > s->p->rcv_ring)
			wnd = s->p->rcv_ring;
		f.snd_una = f.snd_nxt = me->snd_base = base[i];
		f.rcv_nxt = base[!i];
		f.rcv_adv = me->edge = base[!i] + wnd;
		f.snd_wnd = wnd;
		f.ts_recent = 0xfffffff0U + (uint32_t)!i + tcp_ms(s->now_us);
		f.ts_recent_ms = f.last_sent_ms = tcp_ms(s->now_us);
		me->salt = (uint8_t)(17 + 90 * i);
		me->rcv = (struct dawn_ring){ malloc(s->p->rcv_ring),
					      s->p->rcv_ring };
		me->snd = (struct dawn_ring){ malloc(s->p->snd_ring),
					      s->p->snd_ring };
		me->recs = (struct dawn_tcp_recs){
			malloc(RECS * sizeof(*me->recs.mem)), RECS
		};
		assert_non_null(me->recs.mem);
		assert_non_null(me->rcv.mem);
		assert_non_null(me->snd.mem);
		side_open(s, i, &f);
	}
}

static void sim_close(struct sim *s)
{
	while (s->count)
		free(heap_pop(s));
	for (int i = 0; i < 2; i++) {
		free(s->side[i].rcv.mem);
		free(s->side[i].snd.mem);
		free(s->side[i].recs.mem);
	}
	free(s);
}

/* Round trips that NewReno needs by its law: a window of sqrt(3/2) / sqrt(p)
 * segments on average (Mathis et al.). Slow start before the first loss is
 * faster, a late repair slower. */
static double mathis_rtts(const struct params *p)
{
	double segments = p->bytes[0] / (p->mss - 12.0);

	return segments / sqrt(1.5 / (p->loss_permille / 1000.0));
}

static void check_goodput(const struct params *p, uint64_t took_ms)
{
	double rtts = took_ms * 1000.0 / (2.0 * p->delay_us);
	double percent = 100 * mathis_rtts(p) / rtts;

	print_message("%-28s %.0f round trips, %.0f %% of the model\n", p->name,
		      rtts, percent);
	assert_true(percent >= p->mathis_percent);
}

static void sim_run(const struct params *p, uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));
	uint64_t start, took;

	assert_non_null(s);
	s->p = p;
	s->rng = seed * 0x9e3779b97f4a7c15 + 1;
	s->now_us = start = 7000000;
	sim_open(s);
	turn(s, 0, 0);
	turn(s, 1, 0);
	while (!side_done(s, 0) || !side_done(s, 1)) {
		step(s);
		if (s->now_us - start > p->limit_s * 1000000)
			fail_msg("%s, seed %llu: at %u and %u bytes, states "
				 "%d %d, after %llu s",
				 p->name, (unsigned long long)seed,
				 s->side[0].got, s->side[1].got,
				 s->side[0].c.state, s->side[1].c.state,
				 (unsigned long long)p->limit_s);
	}
	took = (s->now_us - start) / 1000;
	assert_int_equal(s->side[0].got, p->bytes[1]);
	assert_int_equal(s->side[1].got, p->bytes[0]);
	assert_true(!p->reopen || s->side[0].reopened + s->side[1].reopened);
	print_message(
		"%-28s seed %llu: %llu ms, %ld+%ld segments, rto %u+%u, "
		"fast %u+%u, reopened %ld\n",
		p->name, (unsigned long long)seed, (unsigned long long)took,
		s->side[0].sent, s->side[1].sent, s->side[0].c.counts.rto,
		s->side[1].c.counts.rto, s->side[0].c.counts.fast_retransmit,
		s->side[1].c.counts.fast_retransmit,
		s->side[0].reopened + s->side[1].reopened);
	if (p->mathis_percent)
		check_goodput(p, took);
	sim_close(s);
}

#define ALL (DAWN_FLOW_TS | DAWN_FLOW_SACK | DAWN_FLOW_WSCALE)
#define MB  1048576U
#define BULK                                                          \
	.bytes = { 5 * MB, 5 * MB }, .mss = 1460, .rcv_ring = 262144, \
	.snd_ring = 262144, .delay_us = 5000

#define GOODPUT(n)                                                        \
	.bytes = { n, 1 }, .mss = 1460, .flags = ALL, .rcv_ring = 262144, \
	.snd_ring = 262144

static const struct params runs[] = {
	{ "bulk, no loss", BULK, .flags = ALL, .limit_s = 5 },
	{ "bulk, no options", BULK, .limit_s = 10 },
	{ "bulk, reorder", BULK, .flags = ALL, .jitter_us = 3000,
	  .limit_s = 60 },
	{ "bulk, duplicates", BULK, .flags = ALL, .dup_permille = 100,
	  .limit_s = 30 },
	{ "bulk, 1 %", BULK, .flags = ALL, .loss_permille = 10,
	  .limit_s = 120 },
	{ "bulk, 1 %, no options", BULK, .loss_permille = 10, .limit_s = 200 },
	{ "bulk, 5 %", BULK, .flags = ALL, .loss_permille = 50,
	  .dup_permille = 10, .jitter_us = 2000, .limit_s = 900 },
	{ "bulk, 5 %, no SACK", BULK, .flags = DAWN_FLOW_TS,
	  .loss_permille = 50, .jitter_us = 1000, .limit_s = 1200 },
	{ "bulk, 20 %", BULK, .flags = ALL, .loss_permille = 200,
	  .limit_s = 7200 },
	{ "bulk, 20 %, no options", BULK, .loss_permille = 200,
	  .dup_permille = 50, .limit_s = 7200 },
	{ "goodput, 1 %, 20 ms", GOODPUT(10 * MB), .delay_us = 10000,
	  .loss_permille = 10, .mathis_percent = 70, .limit_s = 60 },
	{ "goodput, 1 %, 100 ms", GOODPUT(10 * MB), .delay_us = 50000,
	  .loss_permille = 10, .mathis_percent = 70, .limit_s = 300 },
	{ "goodput, 0.1 %, 20 ms", GOODPUT(40 * MB), .delay_us = 10000,
	  .loss_permille = 1, .mathis_percent = 70, .limit_s = 60 },
	{ "slow reader", .bytes = { MB, MB / 4 }, .flags = ALL, .mss = 1460,
	  .rcv_ring = 16384, .snd_ring = 16384, .delay_us = 2000,
	  .read_every_us = 30000, .read_bytes = 5000, .limit_s = 60 },
	{ "slow reader, 5 %", .bytes = { MB, MB / 4 }, .mss = 1460,
	  .rcv_ring = 4096, .snd_ring = 16384, .delay_us = 2000,
	  .loss_permille = 50, .read_every_us = 5000, .read_bytes = 700,
	  .limit_s = 900 },
	{ "questions, reopened", .bytes = { 100000, 4000000 }, .flags = ALL,
	  .mss = 1460, .rcv_ring = 65536, .snd_ring = 65536, .delay_us = 1000,
	  .ping = 200, .reopen = true, .limit_s = 60 },
	{ "questions, reopened, 5 %", .bytes = { 100000, 4000000 },
	  .flags = ALL, .mss = 1460, .rcv_ring = 65536, .snd_ring = 65536,
	  .delay_us = 1000, .jitter_us = 500, .loss_permille = 50, .ping = 200,
	  .reopen = true, .limit_s = 1200 },
	{ "questions, reopened, 20 %", .bytes = { 20000, 800000 }, .mss = 1460,
	  .rcv_ring = 65536, .snd_ring = 65536, .delay_us = 1000,
	  .loss_permille = 200, .ping = 200, .reopen = true, .limit_s = 7200 },
};

static void run(void **state)
{
	for (uint64_t seed = 1; seed <= 2; seed++)
		sim_run(*state, seed);
}

int main(void)
{
	enum { N = sizeof(runs) / sizeof(runs[0]) };
	struct CMUnitTest tests[N];

	memset(tests, 0, sizeof(tests));
	for (int i = 0; i < N; i++) {
		tests[i].name = runs[i].name;
		tests[i].test_func = run;
		tests[i].initial_state = (void *)(uintptr_t)&runs[i];
	}
	return cmocka_run_group_tests_name("tcp link", tests, NULL, NULL);
}
