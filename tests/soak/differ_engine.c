// SPDX-License-Identifier: MIT OR Apache-2.0
/* Our side of the comparison: one engine, driven as the reactor drives it, with
 * a clock that moves only as far as the challenge limit needs. */
#include <stdlib.h>
#include <string.h>

#include "maps/config.h"
#include "tests/soak/differ.h"

#define STEP_US   150000 /* so that ten challenge ACKs a second are enough */
#define TS_OFFSET 0x12345678

static struct {
	struct dawn_tcp c;
	uint8_t rcv[DAWN_RCV_WND], snd[1 << 17];
	struct dawn_tcp_rec recs[1024];
	uint32_t rcv_base, snd_base, ts_base;
	uint32_t last_tsval;
	int32_t written, sent;
	int32_t edge;
	bool reset, slow;
	uint64_t now_us;
	char bad[160];
} e;

static void complain(struct dview *v, const char *what)
{
	snprintf(e.bad, sizeof(e.bad), "%s", what);
	v->bad = e.bad;
}

static void check_bytes(struct dview *v, const struct dawn_tcp_seg *out,
			int32_t rel)
{
	for (uint32_t i = 0; i < out->len + out->len2; i++) {
		uint8_t got = i < out->len ? out->data[i]
					   : out->data2[i - out->len];

		if (got != d_our_byte(rel + (int32_t)i)) {
			complain(v, "engine sent a wrong byte");
			return;
		}
	}
}

static void note_out(struct dview *v, const struct dawn_tcp_seg *out)
{
	struct dseg *g = &v->out[v->outs];
	int shift = e.c.opt & DAWN_FLOW_WSCALE ? DAWN_RCV_WSCALE : 0;
	int32_t edge, end;

	if (v->outs == D_OUTS) {
		complain(v, "engine does not stop sending");
		return;
	}
	v->outs++;
	g->seq = (int32_t)(out->seq - e.snd_base);
	g->ack = (int32_t)(out->ack - e.rcv_base);
	g->len = out->len + out->len2;
	g->flags = out->flags;
	g->wnd = out->wnd;
	g->has_ts = out->has_ts;
	g->tsval = (int32_t)out->tsval;
	g->tsecr = (int32_t)(out->tsecr - e.ts_base);
	g->sacks = out->sack_count;
	for (int i = 0; i < out->sack_count; i++) {
		g->sack[i].start = (int32_t)(out->sack[i].start - e.rcv_base);
		g->sack[i].end = (int32_t)(out->sack[i].end - e.rcv_base);
	}
	e.last_tsval = out->tsval;
	check_bytes(v, out, g->seq);
	end = g->seq + (int32_t)g->len + (g->flags & DAWN_TCP_FIN ? 1 : 0);
	if (end > e.sent)
		e.sent = end;
	edge = g->ack + (out->wnd << shift);
	/* RFC 9293, 3.8.6: never shrink, but for what the scale cannot say. */
	if (!(out->flags & DAWN_TCP_RST) && edge + (1 << shift) <= e.edge)
		complain(v, "engine took window back");
	if (edge > e.edge)
		e.edge = edge;
}

static void drain(struct dview *v)
{
	struct dawn_tcp_seg out;

	while (!v->bad && dawn_tcp_output(&e.c, e.now_us, &out))
		note_out(v, &out);
}

void engine_open(struct dview *v, const struct dopts *o, int32_t edge)
{
	struct dawn_flow f = { .state = DAWN_TCP_ESTABLISHED };
	struct dawn_tcp_open open = { .flow = &f, .ts_offset = TS_OFFSET };

	memset(&e.c, 0, sizeof(e.c));
	e.rcv_base = o->isn + 1;
	e.snd_base = ~o->isn - 3000; /* wraps elsewhere */
	e.ts_base = o->ts;
	e.now_us = 1000000000;
	e.written = e.sent = 0;
	e.reset = false;
	e.last_tsval = tcp_ms(e.now_us) + TS_OFFSET;
	if (!o->v6)
		f.raddr.b[10] = f.raddr.b[11] = 0xff;
	f.flags = (o->ts_ok ? DAWN_FLOW_TS : 0) |
		  (o->sack_ok ? DAWN_FLOW_SACK : 0) |
		  (o->wscale <= 14 ? DAWN_FLOW_WSCALE : 0);
	f.snd_wscale = o->wscale <= 14 ? o->wscale : 0;
	f.rcv_nxt = e.rcv_base;
	f.snd_nxt = f.snd_una = e.snd_base;
	f.snd_wnd = (uint32_t)o->wnd << f.snd_wscale;
	f.mss = o->mss;
	f.ts_recent = o->ts;
	f.ts_recent_ms = f.last_seen_ms = f.last_sent_ms = tcp_ms(e.now_us);
	f.srtt_us = f.rttvar_us = o->slow ? 1000 : 8000000;
	e.slow = o->slow;
	open.rcv = (struct dawn_ring){ e.rcv, o->small ? 8192 : sizeof(e.rcv) };
	open.snd = (struct dawn_ring){ e.snd, sizeof(e.snd) };
	open.recs = (struct dawn_tcp_recs){ e.recs, 1024 };
	open.mss_max = o->v6 ? DAWN_MSS_IPV6 : DAWN_MSS_IPV4;
	open.now_us = e.now_us;
	if (edge > (int32_t)open.rcv.size)
		edge = (int32_t)open.rcv.size;
	f.rcv_adv = f.rcv_nxt + (uint32_t)edge;
	e.edge = edge;
	dawn_tcp_open(&e.c, &open);
	v->outs = 0;
	v->bad = NULL;
}

void engine_inject(struct dview *v, const struct dseg *g)
{
	struct dawn_tcp_seg seg = {
		.seq = e.rcv_base + (uint32_t)g->seq,
		.ack = e.snd_base + (uint32_t)g->ack,
		.wnd = g->wnd,
		.flags = g->flags,
		.has_ts = g->has_ts,
		.tsval = e.ts_base + (uint32_t)g->tsval,
		.tsecr = e.last_tsval,
		.sack_count = g->sacks,
		.data = g->len ? g->data : NULL,
		.len = g->len,
	};
	unsigned int ev;
	bool would;

	for (int i = 0; i < g->sacks; i++) {
		seg.sack[i].start = e.snd_base + (uint32_t)g->sack[i].start;
		seg.sack[i].end = e.snd_base + (uint32_t)g->sack[i].end;
	}
	e.now_us += e.slow ? 1000 : STEP_US;
	would = dawn_tcp_would_progress(&e.c, &seg);
	ev = dawn_tcp_input(&e.c, &seg, e.now_us);
	if (ev & DAWN_TCP_EV_PROGRESS && !would)
		complain(v, "engine made progress that it did not foretell");
	e.reset |= !!(ev & DAWN_TCP_EV_RESET);
	drain(v);
}

uint32_t engine_write(struct dview *v, uint32_t len)
{
	uint8_t buf[8192];

	for (uint32_t i = 0; i < len; i++)
		buf[i] = d_our_byte(e.written + (int32_t)i);
	len = dawn_tcp_write(&e.c, buf, len);
	e.written += (int32_t)len;
	drain(v);
	return len;
}

uint32_t engine_read(struct dview *v, uint8_t *buf, uint32_t len)
{
	uint32_t have;
	const uint8_t *p = dawn_tcp_linearize(&e.c, &have);

	if (len > have)
		len = have;
	if (len)
		memcpy(buf, p, len);
	dawn_tcp_consume(&e.c, len);
	drain(v);
	return len;
}

void engine_shutdown(struct dview *v)
{
	dawn_tcp_shutdown(&e.c);
	drain(v);
}

void engine_abort(struct dview *v)
{
	dawn_tcp_abort(&e.c);
	drain(v);
}

void engine_wait(struct dview *v)
{
	uint64_t end = e.now_us + D_WAIT_MS * 1000, at;

	while (!v->bad && (at = dawn_tcp_deadline_us(&e.c)) <= end) {
		if (at > e.now_us)
			e.now_us = at;
		dawn_tcp_timer(&e.c, e.now_us);
		drain(v);
	}
	e.now_us = end;
}

/* Also sends the ACK that would have waited. */
void engine_observe(struct dview *v)
{
	if (e.c.delack_at != TCP_NEVER) {
		e.c.delack_at = TCP_NEVER;
		e.c.ack_now = true;
	}
	drain(v);
	v->state = e.c.state == DAWN_TCP_TIME_WAIT ? DAWN_TCP_CLOSED
						   : e.c.state;
	v->reset = e.reset;
	v->cwnd_full = false;
	v->rcv_nxt = (int32_t)(e.c.rcv_nxt - e.rcv_base);
	v->snd_una = (int32_t)(e.c.snd_una - e.snd_base);
	v->snd_max = e.sent;
	v->edge = e.edge;
	v->readable = dawn_tcp_readable(&e.c);
	v->snd_wnd = e.c.snd_wnd;
}

void engine_look(struct engine_inside *in)
{
	in->state = e.c.state;
	in->ts_recent = (int32_t)(e.c.ts_recent - e.ts_base);
	in->fin_rcvd = e.c.fin_rcvd;
	in->fin_held = e.c.fin_held;
	in->ranges = e.c.ooo_count;
	for (int i = 0; i < in->ranges; i++) {
		in->range[i].start = (int32_t)(e.c.ooo[i].start - e.rcv_base);
		in->range[i].end = (int32_t)(e.c.ooo[i].end - e.rcv_base);
	}
}
