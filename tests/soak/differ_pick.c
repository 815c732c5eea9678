// SPDX-License-Identifier: MIT OR Apache-2.0
/* From a symbolic step to a segment, bent by the rules of differ.h where the two
 * sides may rightly differ. */
#include <stdlib.h>
#include <string.h>

#include "tests/soak/differ_int.h"

static const char *const rule_names[] = { RULES(RULE_NAME) };
static uint64_t rule_count[RULE_COUNT];

void differ_rule(enum rule r)
{
	rule_count[r]++;
}

void rules_print(FILE *to)
{
	for (int i = 0; i < RULE_COUNT; i++)
		fprintf(to, "  %-9s %llu\n", rule_names[i],
			(unsigned long long)rule_count[i]);
}

static int32_t place(const struct run *r, const struct dstep *s)
{
	int i = r->in.ranges ? s->pick % r->in.ranges : 0;

	switch (s->pos) {
	case D_POS_HI:
		return r->hi + s->off;
	case D_POS_START:
		return (r->in.ranges ? r->in.range[i].start : r->n) + s->off;
	case D_POS_END:
		return (r->in.ranges ? r->in.range[i].end : r->n) + s->off;
	case D_POS_EDGE:
		return r->near - abs(s->off);
	case D_POS_BEYOND:
		return r->far + 1 + abs(s->off);
	case D_POS_FAR:
		return r->n + (s->pick & 1 ? 1 << 30 : -(1 << 30)) + s->off;
	case D_POS_FIN:
		return (r->fin_at >= 0 ? r->fin_at : r->hi) + s->off;
	default:
		return r->n + s->off;
	}
}

static void drop_flag(struct dseg *g, uint8_t flag)
{
	g->flags &= (uint8_t)~flag;
}

/* The peer's FIN stays where it is, and no data are past it. */
static void bend_fin(struct run *r, struct dseg *g)
{
	int32_t end = g->seq + (int32_t)g->len;
	int32_t limit = r->in.fin_rcvd ? r->n : r->fin_at;

	if (r->in.fin_rcvd ? g->seq < r->n && end > r->n
			   : r->fin_at >= 0 && end > r->fin_at) {
		differ_rule(RULE_fin);
		if (r->in.fin_rcvd)
			limit--; /* the FIN's own place */
		g->seq = min32(g->seq, limit);
		g->len = (uint32_t)(limit - g->seq);
		end = limit;
	}
	if (!has_fin(g))
		return;
	if (r->fin_at >= 0 ? end != r->fin_at : end < r->hi) {
		differ_rule(RULE_fin);
		drop_flag(g, DAWN_TCP_FIN);
	}
}

/* Nothing reaches over one edge and not over the other. */
static void bend_edge(struct run *r, struct dseg *g)
{
	if (g->seq > r->far || seg_end(g) <= r->near)
		return;
	differ_rule(RULE_edge);
	drop_flag(g, DAWN_TCP_FIN);
	g->seq = min32(g->seq, r->near);
	g->len = (uint32_t)min32((int32_t)g->len, r->near - g->seq);
}

static void bend_rst(struct run *r, struct dseg *g)
{
	bool again = true;

	g->len = 0;
	g->flags &= DAWN_TCP_RST | DAWN_TCP_ACK;
	/* Which ends the kernel still knows is not known. */
	if (r->many_ranges && g->seq > r->n + 1) {
		differ_rule(RULE_rst_ext);
		g->seq = r->n + 1;
	}
	if (g->seq >= r->near && g->seq <= r->far && g->seq != r->n) {
		differ_rule(RULE_rst_edge);
		g->seq = max32(r->near - 1, r->n);
	}
	while (again) {
		again = r->in.fin_rcvd
				? g->seq == r->n - 1
				: r->in.fin_held && g->seq == r->fin_at + 1;
		for (int i = 0; i < r->in.ranges; i++)
			again |= g->seq == r->in.range[i].end;
		g->seq -= again;
		if (again)
			differ_rule(RULE_rst_ext);
	}
}

static enum where where(const struct run *r, const struct dseg *g)
{
	if (g->seq > r->far)
		return BEYOND;
	if (g->seq >= r->n || seg_end(g) > r->n)
		return IN;
	return OLD;
}

static void resolve_ack(struct run *r, const struct dstep *s, struct pick *p)
{
	int32_t una = r->e.snd_una, sent = min32(r->k.snd_max, r->e.snd_max);
	int32_t back = min32(una, (int32_t)r->first_wnd);

	switch (s->ack) {
	case D_ACK_ALL:
		p->g.ack = sent;
		break;
	case D_ACK_PART:
		p->g.ack = una + s->ackoff % (sent - una + 1);
		break;
	case D_ACK_OLD:
		p->g.ack = back > 0 ? una - s->ackoff % back : una;
		break;
	case D_ACK_FUTURE:
		p->g.ack = max32(r->k.snd_max, r->e.snd_max) + 1 + s->ackoff;
		p->ack_bad = true;
		break;
	case D_ACK_FAR:
		p->g.ack = una - (1 << 30);
		p->ack_bad = true;
		break;
	default:
		p->g.ack = una;
	}
}

static void add_block(struct dseg *g, int32_t start, int32_t end)
{
	if (g->sacks == (g->has_ts ? 3 : DAWN_TCP_SACK_MAX))
		return;
	g->sack[g->sacks].start = start;
	g->sack[g->sacks++].end = end;
}

static void resolve_sack(const struct run *r, const struct dstep *s,
			 struct dseg *g)
{
	int32_t una = max32(r->e.snd_una, g->ack);
	int32_t sent = min32(r->k.snd_max, r->e.snd_max);
	int32_t room = sent - una;
	bool mixed = s->sack == D_SACK_MIXED;

	if (mixed || s->sack == D_SACK_DSACK)
		add_block(g, una - 20 - s->sackoff % 100, una - 10);
	if ((mixed || s->sack == D_SACK_VALID) && room > 2) {
		int32_t start = una + 1 + s->sackoff % (room - 1);
		int32_t len = 1 + s->sackoff / 7 % (sent - start);

		add_block(g, start, start + len);
	}
	if (mixed || s->sack == D_SACK_BEYOND)
		add_block(g, sent + s->sackoff % 50, sent + 60 + s->sackoff);
	if (mixed || s->sack == D_SACK_REVERSED)
		add_block(g, sent, una + 1);
}

static void resolve_ts(struct run *r, const struct dstep *s, struct pick *p)
{
	struct dseg *g = &p->g;
	int32_t recent = r->in.ts_recent;

	g->has_ts = r->s->opts.ts_ok;
	if (!g->has_ts)
		return;
	if (s->ts == D_TS_NEWER)
		r->ts_now += s->tsoff;
	g->tsval = r->ts_now;
	if (s->ts == D_TS_RECENT)
		g->tsval = recent;
	/* A recent one of 0 means none to the kernel. */
	if (s->ts == D_TS_OLD && r->s->opts.ts + (uint32_t)recent) {
		g->tsval = recent - 2 - s->tsoff;
		p->paws_old = true;
	}
	if (s->ts != D_TS_NONE)
		return;
	if (g->flags & (DAWN_TCP_RST | DAWN_TCP_SYN))
		g->has_ts = false;
	else
		p->twin = r->in.state != DAWN_TCP_TIME_WAIT;
	if (p->twin)
		g->tsval = recent;
}

static void resolve_window(struct run *r, const struct dstep *s, struct dseg *g)
{
	g->wnd = r->wnd;
	if (s->wnd == D_WND_SET)
		g->wnd = s->wndval;
	else if (s->wnd == D_WND_ZERO)
		g->wnd = 0;
}

/* The kernel's rule; its fast path also notes the number of data in order. */
static bool kernel_updates(struct run *r, const struct dseg *g, uint32_t wnd,
			   int fast)
{
	int32_t *wl1 = &r->kernel_wl1[fast];
	bool yes = g->ack > r->k.snd_una || g->seq > *wl1 ||
		   (g->seq == *wl1 && (wnd > r->k.snd_wnd || !wnd));

	if (yes || (fast && g->seq == r->n && g->len))
		*wl1 = g->seq;
	return yes;
}

/* Without news: what is said already. */
static void bend_duplicate(struct run *r, struct pick *p)
{
	int shift = wscale(r);

	differ_rule(RULE_dup_ack);
	p->g.ack = r->e.snd_una;
	p->g.wnd = (uint16_t)(r->k.snd_wnd >> shift);
	for (int i = 0; i < 2 && !p->paws_old; i++)
		kernel_updates(r, &p->g, r->k.snd_wnd, i);
	p->g.sacks = 0;
	p->ack_bad = false;
	if (!p->paws_old)
		p->g.tsval = r->in.ts_recent;
}

static void bend_old_ack(struct run *r, const struct dstep *s, struct pick *p)
{
	differ_rule(RULE_old_ack);
	if (!p->paws_old)
		p->g.tsval = r->in.ts_recent;
	if (s->ack == D_ACK_FAR && p->where == IN && p->g.seq <= r->n) {
		p->g.len = 0;
		p->g.seq = r->n;
		drop_flag(&p->g, DAWN_TCP_FIN);
	}
}

/* In TIME_WAIT only old segments, the bare ACK and the exact RST. */
static bool fits_time_wait(const struct run *r, const struct pick *p)
{
	if (p->g.flags & DAWN_TCP_RST)
		return p->g.seq <= r->n;
	if (p->g.flags & DAWN_TCP_SYN || !(p->g.flags & DAWN_TCP_ACK) ||
	    p->ack_bad)
		return false;
	return p->where == OLD ||
	       (p->g.seq == r->n && !p->g.len && !has_fin(&p->g));
}

static void fill_data(struct dseg *g)
{
	for (uint32_t i = 0; i < g->len; i++)
		g->data[i] = d_peer_byte(g->seq + (int32_t)i, g->odd);
}

bool differ_resolve(struct run *r, const struct dstep *s, struct pick *p)
{
	struct dseg *g = &p->g;

	memset(p, 0, sizeof(*p));
	g->flags = s->flags & 0x3f;
	g->odd = s->flags & D_FLAG_X;
	g->seq = place(r, s);
	g->len = s->len % (D_LEN_MAX + 1);
	if (g->flags & DAWN_TCP_RST) {
		bend_rst(r, g);
	} else {
		bend_fin(r, g);
		bend_edge(r, g);
		if (s->pos != D_POS_FAR && seg_end(g) > D_REL_MAX)
			return false;
	}
	p->where = where(r, g);
	resolve_ack(r, s, p);
	resolve_window(r, s, g);
	resolve_ts(r, s, p);
	resolve_sack(r, s, g);
	if (p->where == OLD && seg_end(g) == r->n)
		bend_duplicate(r, p);
	if (g->flags & DAWN_TCP_ACK && g->ack < r->e.snd_una)
		bend_old_ack(r, s, p);
	if (r->in.state == DAWN_TCP_TIME_WAIT && !fits_time_wait(r, p))
		return false;
	if (!(g->flags & DAWN_TCP_ACK))
		g->ack = 0;
	fill_data(g);
	p->taken = p->where == IN && !p->paws_old && !p->ack_bad &&
		   g->flags & DAWN_TCP_ACK &&
		   !(g->flags & (DAWN_TCP_RST | DAWN_TCP_SYN));
	return true;
}

/* ---- what a segment leaves behind ---- */

static void note_data(struct run *r, const struct pick *p)
{
	const struct dseg *g = &p->g;
	int32_t end = g->seq + (int32_t)g->len;
	bool apart = false;

	if (r->in.fin_rcvd)
		return;
	for (int32_t i = max32(g->seq, r->n); i < end; i++) {
		r->copies[i] |= g->odd ? 2 : 1;
		apart |= r->copies[i] == 3;
	}
	if (apart)
		differ_rule(RULE_overlap);
	r->hi = max32(r->hi, end);
	if (has_fin(g))
		r->fin_at = end;
}

/* Do the two rules agree about this window update? */
static void note_window(struct run *r, const struct pick *p)
{
	const struct dseg *g = &p->g;
	uint32_t wnd = (uint32_t)g->wnd << wscale(r);
	bool ours, slow, fast;

	if (g->ack < r->e.snd_una)
		return;
	ours = r->wl1 < g->seq || (r->wl1 == g->seq && r->wl2 <= g->ack);
	if (ours) {
		r->wl1 = g->seq;
		r->wl2 = g->ack;
	}
	slow = kernel_updates(r, g, wnd, 0);
	fast = kernel_updates(r, g, wnd, 1);
	if (ours && slow && fast) {
		r->wnd_apart = false;
	} else if (ours != slow || ours != fast) {
		differ_rule(RULE_wnd);
		r->wnd_apart = true;
	}
	r->wnd = g->wnd;
}

static void note_loss(struct run *r, const struct pick *p)
{
	const struct dseg *g = &p->g;

	if (r->k.snd_max <= g->ack && r->e.snd_max <= g->ack)
		return;
	if (g->sacks || (g->ack <= r->e.snd_una && !g->len))
		r->lossy = true;
}

void differ_note(struct run *r, const struct pick *p)
{
	note_data(r, p);
	note_window(r, p);
	note_loss(r, p);
}
