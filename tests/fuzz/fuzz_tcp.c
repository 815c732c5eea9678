// SPDX-License-Identifier: MIT OR Apache-2.0
/* The TCP engine alone: bytes become segments, calls and time. Whatever comes:
 *
 *   snd_una <= snd_nxt <= snd_max, and no more than was written plus a FIN;
 *   the window's right edge never goes back (but for what its scale cannot
 *   say), and rcv_nxt never passes it;
 *   output ends, and after the timer the deadline lies ahead;
 *   what is read are bytes that were sent for that place, all of them;
 *   what is sent are the bytes that were written, also when sent again;
 *   nothing but a RST comes after the end;
 *   progress is foretold; an entry written out and opened again goes on.
 *
 * Input: 8 bytes of options, then operations, see run_op().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/net/tcp_conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING     (1U << 16)
#define RING_MAX (1U << 18)
#define RECS_MAX 256U
#define SPAN     (1U << 19) /* the peer's numbers that are looked after */
#define OUT_MAX  4096

#define CHECK(what)                                                        \
	do {                                                               \
		if (!(what)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #what); \
			abort();                                           \
		}                                                          \
	} while (0)

static struct fuzz {
	const uint8_t *in, *end;
	struct dawn_tcp c;
	struct dawn_tcp_open open;
	struct dawn_flow flow;
	struct dawn_ring rcv, snd;
	struct dawn_tcp_recs recs;
	uint8_t sent[SPAN]; /* 1: a byte as it is, 2: a disagreeing one */
	uint32_t rcv_base, snd_base;
	uint32_t edge; /* right edge told, relative */
	uint32_t read, written;
	uint64_t now;
	bool shut, over;
} f;

static uint8_t byte(void)
{
	return f.in < f.end ? *f.in++ : 0;
}

static uint32_t word(void)
{
	uint32_t b = byte();

	return b << 8 | byte();
}

static uint8_t pattern(uint32_t rel, uint8_t salt)
{
	return (uint8_t)(rel * 7 + (rel >> 8) * 13 + salt);
}

static void check_numbers(void)
{
	const struct dawn_tcp *c = &f.c;
	uint32_t all = f.written + (c->fin_queued ? 1 : 0);

	CHECK(dawn_seq_le(c->snd_una, c->snd_nxt));
	CHECK(dawn_seq_le(c->snd_nxt, c->snd_max));
	CHECK(dawn_seq_le(c->snd_max, f.snd_base + all));
	CHECK(c->rcv_nxt - f.rcv_base <= f.edge + 1); /* a FIN at the edge */
	CHECK(!dawn_tcp_readable(c) || dawn_tcp_readable(c) <= c->rcv.size);
	/* In a recovery none may be left: RFC 9937, 6. */
	CHECK(c->cwnd || c->phase == TCP_RECOVERY);
	CHECK(c->ooo_count <= DAWN_TCP_OOO_MAX);
	for (int i = 0; i < c->ooo_count; i++) {
		CHECK(dawn_seq_lt(c->ooo[i].start, c->ooo[i].end));
		CHECK(dawn_seq_gt(c->ooo[i].start,
				  i ? c->ooo[i - 1].end : c->rcv_nxt));
	}
	if (c->state == DAWN_TCP_CLOSED)
		CHECK(dawn_tcp_deadline_us(c) == UINT64_MAX);
}

static void check_out(const struct dawn_tcp_seg *s)
{
	uint32_t unit = f.c.opt & DAWN_FLOW_WSCALE ? 128 : 1;
	uint32_t rel = s->seq - f.snd_base, len = s->len + s->len2;
	uint32_t edge = s->ack - f.rcv_base + s->wnd * unit;

	CHECK(!f.over);
	if (s->flags & DAWN_TCP_RST) {
		CHECK(f.c.state == DAWN_TCP_CLOSED);
		f.over = true;
		return;
	}
	CHECK(s->flags & DAWN_TCP_ACK && s->ack == f.c.rcv_nxt);
	CHECK(s->sack_count <= (s->has_ts ? 3 : DAWN_TCP_SACK_MAX));
	CHECK((int32_t)(edge + unit - f.edge) > 0);
	if ((int32_t)(edge - f.edge) > 0)
		f.edge = edge;
	for (uint32_t i = 0; i < len; i++) {
		uint8_t b = i < s->len ? s->data[i] : s->data2[i - s->len];

		CHECK(b == pattern(rel + i, 101));
	}
	if (len) /* a keep-alive may stand one before it */
		CHECK(rel + len <= f.written);
	if (s->flags & DAWN_TCP_FIN)
		CHECK(f.shut && rel + len == f.written);
}

static struct dawn_ring new_ring(uint32_t size)
{
	struct dawn_ring r = { malloc(size), size };

	CHECK(r.mem);
	return r;
}

static struct dawn_tcp_recs new_recs(uint32_t size)
{
	struct dawn_tcp_recs r = { malloc(size * sizeof(*r.mem)), size };

	CHECK(r.mem);
	return r;
}

/* All that could be sent was: what is left waits for an ACK or the window, and
 * a timer waits with it. */
static void check_waits(void)
{
	const struct dawn_tcp *c = &f.c;

	if (c->state != DAWN_TCP_CLOSED &&
	    (c->snd_una != c->snd_end + (c->fin_queued ? 1 : 0)))
		CHECK(dawn_tcp_deadline_us(c) != UINT64_MAX);
	if (c->delack_at == TCP_NEVER && c->state != DAWN_TCP_CLOSED)
		CHECK(c->rcv_acked == c->rcv_nxt);
}

static void drain(void)
{
	struct dawn_tcp_seg s;
	int n = 0;

	while (dawn_tcp_output(&f.c, f.now, &s)) {
		CHECK(++n < OUT_MAX);
		check_out(&s);
		check_numbers();
	}
	check_waits();
}

/* ---- operations ---- */

static uint32_t pick_seq(uint8_t how)
{
	const struct dawn_tcp *c = &f.c;
	uint32_t off = word();
	int32_t near = (int8_t)off;

	switch (how % 6) {
	case 0:
		return c->rcv_nxt;
	case 1:
		return c->rcv_nxt + (uint32_t)near;
	case 2:
		return c->rcv_nxt + off;
	case 3:
		return c->rcv_adv + (uint32_t)near;
	case 4:
		return c->ooo_count ? c->ooo[off % c->ooo_count].end +
					      (uint32_t)(near / 16)
				    : c->rcv_nxt + off % 3000;
	default:
		return off << 16 | off;
	}
}

static uint32_t pick_ack(uint8_t how)
{
	const struct dawn_tcp *c = &f.c;
	uint32_t off = word();

	switch (how % 5) {
	case 0:
		return c->snd_max;
	case 1:
		return c->snd_una;
	case 2:
		return c->snd_una + off % (c->snd_max - c->snd_una + 1);
	case 3:
		return c->snd_una + (uint32_t)(int8_t)off;
	default:
		return off << 16 | off;
	}
}

static void pick_sack(struct dawn_tcp_seg *s, uint8_t how)
{
	s->sack_count = how % (DAWN_TCP_SACK_MAX + 1);
	for (int i = 0; i < s->sack_count; i++) {
		uint32_t at = word();

		s->sack[i].start = f.c.snd_una + at % 20000 - 50;
		s->sack[i].end = s->sack[i].start + byte() * 16U - (at & 1);
	}
}

/* Note what was sent for each place, and check that a claim is kept. */
static void inject(struct dawn_tcp_seg *s, bool odd)
{
	static uint8_t buf[4096];
	uint32_t rel = s->seq - f.rcv_base;
	bool would = dawn_tcp_would_progress(&f.c, s);
	unsigned int ev;

	for (uint32_t i = 0; i < s->len; i++) {
		buf[i] = pattern(rel + i, 1) ^ (odd ? 0xff : 0);
		if (rel + i < SPAN)
			f.sent[rel + i] |= odd ? 2 : 1;
	}
	s->data = s->len ? buf : NULL;
	ev = dawn_tcp_input(&f.c, s, f.now);
	CHECK(would || !(ev & DAWN_TCP_EV_PROGRESS));
}

static void op_segment(bool quiet)
{
	uint8_t how = byte(), what = byte(), opts = byte();
	struct dawn_tcp_seg s = { .flags = DAWN_TCP_ACK };

	s.seq = pick_seq(how);
	s.ack = pick_ack(how / 6);
	s.wnd = what & 1 ? (uint16_t)word() : 0xffff;
	if (what & 2)
		s.len = word() % 3000;
	s.flags |= what & 4 ? DAWN_TCP_PSH : 0;
	s.flags |= (what >> 3 & 3) == 3 ? DAWN_TCP_FIN : 0;
	if (what >= 0xf0)
		s.flags = (uint8_t)word() & 0x3f;
	s.has_ts = f.c.opt & DAWN_FLOW_TS ? opts % 16 != 1 : opts % 16 == 1;
	s.tsval = f.c.ts_recent + (opts & 2 ? (uint32_t)(int8_t)byte() : 0);
	s.tsecr = opts & 4 ? word() : tcp_ms(f.now) + f.open.ts_offset;
	if (opts & 8)
		pick_sack(&s, opts >> 4);
	/* Beyond what the map holds nothing may be taken. */
	if (f.c.rcv_nxt - f.rcv_base + RING_MAX + 4096 > SPAN)
		return;
	inject(&s, opts & 64 && opts & 128);
	if (!quiet)
		drain();
}

static void op_time(void)
{
	uint32_t n = word();

	f.now += n & 0x8000 ? (n & 0x7fff) * 1000ULL * 50 : n * 10ULL;
	for (int i = 0; dawn_tcp_deadline_us(&f.c) <= f.now; i++) {
		CHECK(i < 100);
		dawn_tcp_timer(&f.c, f.now);
		drain();
	}
}

static void op_write(void)
{
	uint8_t buf[8192];
	uint32_t len = word() % sizeof(buf), took;

	for (uint32_t i = 0; i < len; i++)
		buf[i] = pattern(f.written + i, 101);
	took = dawn_tcp_write(&f.c, buf, len);
	CHECK(took <= len);
	CHECK(!took || !f.shut);
	f.written += took;
	drain();
}

static void op_read(void)
{
	uint32_t len = word(), have;
	const uint8_t *p = dawn_tcp_linearize(&f.c, &have);

	CHECK(have == dawn_tcp_readable(&f.c));
	if (len & 1 || len > have)
		len = have;
	for (uint32_t i = 0; i < len; i++) {
		uint8_t as = pattern(f.read + i, 1), odd = as ^ 0xff;
		uint8_t how = f.sent[f.read + i];

		CHECK((how & 1 && p[i] == as) || (how & 2 && p[i] == odd));
	}
	f.read += len;
	dawn_tcp_consume(&f.c, len);
	drain();
}

static void open_again(void)
{
	static uint8_t buf[RING_MAX];
	uint32_t len;

	f.open.now_us = f.now;
	f.open.rcv = f.rcv;
	f.open.snd = f.snd;
	f.open.recs = f.recs;
	dawn_tcp_open(&f.c, &f.open);
	len = dawn_tcp_adopt_len(&f.c);
	CHECK(len <= f.snd.size);
	for (uint32_t i = 0; i < len; i++)
		buf[i] = pattern(f.flow.snd_una - f.snd_base + i, 101);
	CHECK(dawn_tcp_adopt_sent(&f.c, buf, len) == 0);
}

/* Into the flow entry and back, where it can be said. */
static void op_hand_over(void)
{
	if (!dawn_tcp_settled(&f.c))
		return;
	dawn_tcp_export(&f.c, &f.flow);
	open_again();
	check_numbers();
}

/* Memory grows, or is given back. */
static void op_memory(uint8_t how)
{
	struct dawn_tcp_recs recs = f.recs;
	struct dawn_ring old = { NULL, 0 };

	if (how & 32 && f.snd.size && f.snd.size < RING_MAX) {
		f.snd = new_ring(f.snd.size * 2);
		old = dawn_tcp_grow_snd(&f.c, f.snd);
	} else if (how & 64 && f.rcv.size && f.rcv.size < RING_MAX) {
		f.rcv = new_ring(f.rcv.size * 2);
		old = dawn_tcp_grow_rcv(&f.c, f.rcv);
	} else if (how & 16 && recs.size < RECS_MAX) {
		f.recs = new_recs(recs.size * 2);
		CHECK(dawn_tcp_recs_move(&f.c, f.recs) == 0);
		free(recs.mem);
	} else if (f.rcv.size && f.snd.size) {
		old = dawn_tcp_spare_rcv(&f.c);
		if (old.size) {
			f.rcv = (struct dawn_ring){ NULL, 0 };
		} else {
			old = dawn_tcp_spare_snd(&f.c);
			if (old.size)
				f.snd = (struct dawn_ring){ NULL, 0 };
		}
	}
	free(old.mem);
	drain();
}

static void run_op(void)
{
	uint8_t op = byte();

	switch (op % 16) {
	case 0 ... 6:
		op_segment(false);
		break;
	case 7:
		op_segment(true); /* output comes later */
		break;
	case 8:
	case 9:
		op_write();
		break;
	case 10:
	case 11:
		op_read();
		break;
	case 12:
		op_time();
		break;
	case 13:
		op_hand_over();
		break;
	case 14:
		if (op & 32) {
			op_memory(byte());
			break;
		}
		dawn_tcp_icmp_error(&f.c, f.c.snd_una + byte(), word(), op & 16,
				    f.now);
		drain();
		break;
	default:
		if (op >= 0xe0) {
			dawn_tcp_abort(&f.c);
		} else if (op >= 0x80) {
			f.shut |= f.c.state == DAWN_TCP_ESTABLISHED ||
				  f.c.state == DAWN_TCP_CLOSE_WAIT;
			dawn_tcp_shutdown(&f.c);
		}
		drain();
	}
	check_numbers();
}

static void begin(void)
{
	uint8_t how = byte();
	struct dawn_flow *w = &f.flow;

	memset(&f.c, 0, sizeof(f.c));
	memset(w, 0, sizeof(*w));
	memset(f.sent, 0, sizeof(f.sent));
	f.open = (struct dawn_tcp_open){ .flow = w, .ts_offset = 77 };
	f.rcv = new_ring(RING);
	f.snd = new_ring(RING);
	f.recs = new_recs(16U << (word() & 3));
	f.open.keepalive_ms = how & 16 ? 20000 : 0;
	f.now = 5000000000;
	f.read = f.written = 0;
	f.shut = f.over = false;
	f.rcv_base = byte() & 1 ? 0U - word() : word() << 16;
	f.snd_base = byte() & 1 ? 0U - word() : word() << 16;
	w->state = DAWN_TCP_ESTABLISHED;
	w->flags = how & (DAWN_FLOW_TS | DAWN_FLOW_SACK | DAWN_FLOW_WSCALE);
	if (how & 8)
		w->raddr.b[10] = w->raddr.b[11] = 0xff;
	w->snd_wscale = how >> 5;
	w->rcv_nxt = f.rcv_base;
	w->snd_nxt = w->snd_una = f.snd_base;
	w->snd_wnd = 65535;
	w->mss = 1460;
	w->ts_recent = 100;
	w->rcv_adv = w->rcv_nxt + 30000;
	w->last_seen_ms = w->last_sent_ms = w->ts_recent_ms = tcp_ms(f.now);
	f.edge = 30000;
	open_again();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 4096)
		return 0;
	f.in = data;
	f.end = data + size;
	begin();
	while (f.in < f.end)
		run_op();
	free(f.rcv.mem);
	free(f.snd.mem);
	free(f.recs.mem);
	return 0;
}
