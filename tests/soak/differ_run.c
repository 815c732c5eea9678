// SPDX-License-Identifier: MIT OR Apache-2.0
/* Run a stream on both sides: each step is made concrete (differ_pick.c),
 * injected, and compared. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/soak/differ_int.h"

__attribute__((format(printf, 2, 3))) static bool differ(struct run *r,
							 const char *fmt, ...)
{
	va_list ap;

	if (r->r->why[0])
		return false;
	va_start(ap, fmt);
	vsnprintf(r->r->why, sizeof(r->r->why), fmt, ap);
	va_end(ap);
	return false;
}

/* ---- comparing ---- */

/* D-SACK blocks first: not beyond the ACK, or inside of the second block. */
static int skip_dsack(const struct dseg *g)
{
	if (!g->sacks)
		return 0;
	if (g->sack[0].start < g->ack)
		return 1;
	return g->sacks > 1 && g->sack[0].start >= g->sack[1].start &&
	       g->sack[0].end <= g->sack[1].end;
}

static bool has_block(const struct dseg *g, int32_t start, int32_t end)
{
	for (int i = 0; i < g->sacks; i++)
		if (g->sack[i].start == start && g->sack[i].end == end)
			return true;
	return false;
}

/* The kernel counts a held FIN as a byte, and in the answer to what made
 * RCV.NXT pass a range that range still stands. D-SACK blocks go too. */
static void strip_blocks(const struct run *r, struct dseg *k)
{
	int n = 0;

	if (skip_dsack(k))
		k->sack[0].end = k->sack[0].start;
	for (int i = 0; i < k->sacks; i++) {
		if (r->fin_at >= 0 && k->sack[i].end == r->fin_at + 1)
			k->sack[i].end--;
		if (k->sack[i].start != k->sack[i].end &&
		    k->sack[i].end > k->ack)
			k->sack[n++] = k->sack[i];
	}
	k->sacks = (uint8_t)n;
}

static bool compare_sack(struct run *r, struct dseg *k, struct dseg *e)
{
	bool full = k->sacks >= 3 || e->sacks >= 3;

	if (r->many_ranges || full) {
		differ_rule(RULE_sack);
		return true;
	}
	strip_blocks(r, k);
	strip_blocks(r, e);
	if (k->sacks != e->sacks)
		return differ(r, "SACK blocks: kernel %d, engine %d", k->sacks,
			      e->sacks);
	for (int i = 0; i < e->sacks; i++)
		if (!has_block(k, e->sack[i].start, e->sack[i].end))
			return differ(r, "engine's SACK block %d-%d",
				      e->sack[i].start, e->sack[i].end);
	return true;
}

static bool sent_data(const struct dview *v)
{
	for (unsigned int i = 0; i < v->outs; i++)
		if (v->out[i].len || v->out[i].flags & DAWN_TCP_FIN)
			return true;
	return false;
}

static bool compare_answer(struct run *r, const struct pick *p)
{
	struct dseg *k, *e;

	if (!(p->g.flags & (DAWN_TCP_ACK | DAWN_TCP_SYN | DAWN_TCP_RST))) {
		differ_rule(RULE_no_ack);
		return true;
	}
	if (p->paws_old && seg_end(&p->g) == p->g.seq) {
		differ_rule(RULE_paws_ack);
		return true;
	}
	if (p->ack_bad && r->in.state == DAWN_TCP_ESTABLISHED) {
		differ_rule(RULE_future);
		return true;
	}
	if (!r->k.outs != !r->e.outs && !r->lossy && !r->wnd_apart &&
	    !r->k.cwnd_full && !r->sent_apart && r->k.snd_max == r->e.snd_max)
		return differ(r, "answered: kernel %u, engine %u", r->k.outs,
			      r->e.outs);
	if (!r->k.outs || !r->e.outs)
		return true;
	if (!sent_data(&r->k) && !sent_data(&r->e) && r->k.outs != r->e.outs)
		return differ(r, "answers: kernel %u, engine %u", r->k.outs,
			      r->e.outs);
	k = &r->k.out[r->k.outs - 1];
	e = &r->e.out[r->e.outs - 1];
	if (r->s->opts.ts + (uint32_t)r->in.ts_recent &&
	    (k->has_ts != e->has_ts || (k->has_ts && k->tsecr != e->tsecr)))
		return differ(r, "echo: kernel %d, engine %d", k->tsecr,
			      e->tsecr);
	return compare_sack(r, k, e);
}

/* Has everything that could be sent been sent? */
static bool compare_sent(struct run *r)
{
	int32_t all = r->written + r->shut;
	uint32_t wnd = r->k.snd_wnd < r->e.snd_wnd ? r->k.snd_wnd
						   : r->e.snd_wnd;

	if (r->lossy || r->k.cwnd_full) {
		differ_rule(RULE_cwnd);
		return true;
	}
	if (r->wnd_apart || (uint32_t)(all - r->e.snd_una) > wnd) {
		differ_rule(RULE_sws);
		return true;
	}
	if (r->k.snd_max != r->e.snd_max)
		return differ(r, "sent: kernel %d, engine %d", r->k.snd_max,
			      r->e.snd_max);
	return true;
}

static bool compare_views(struct run *r)
{
	const struct dview *k = &r->k, *e = &r->e;

	if (k->bad || e->bad)
		return differ(r, "%s", k->bad ? k->bad : e->bad);
	if (k->state != e->state)
		return differ(r, "state: kernel %u, engine %u", k->state,
			      e->state);
	if (k->readable != e->readable)
		return differ(r, "readable: kernel %u, engine %u", k->readable,
			      e->readable);
	if (e->state == DAWN_TCP_CLOSED) {
		bool told = r->in.state != DAWN_TCP_CLOSING &&
			    r->in.state != DAWN_TCP_LAST_ACK &&
			    r->in.state != DAWN_TCP_TIME_WAIT;

		if (told && k->reset != e->reset)
			return differ(r, "reset: kernel %d, engine %d",
				      k->reset, e->reset);
		return true;
	}
	if (k->rcv_nxt != e->rcv_nxt)
		return differ(r, "RCV.NXT: kernel %d, engine %d", k->rcv_nxt,
			      e->rcv_nxt);
	if (k->snd_una != e->snd_una)
		return differ(r, "SND.UNA: kernel %d, engine %d", k->snd_una,
			      e->snd_una);
	if (!r->wnd_apart && k->snd_wnd != e->snd_wnd)
		return differ(r, "SND.WND: kernel %u, engine %u", k->snd_wnd,
			      e->snd_wnd);
	return compare_sent(r);
}

/* ---- steps ---- */

static void look(struct run *r)
{
	engine_look(&r->in);
	r->n = r->e.rcv_nxt;
	r->near = max32(min32(r->k.edge, r->e.edge), r->n);
	/* The kernel's own idea of its window may be larger than the field
	 * can say: without scale, and before its first scaled ACK. */
	r->far = max32(r->k.edge, r->e.edge) + (1 << 21);
	r->sent_apart = r->k.snd_max != r->e.snd_max;
	if (!r->in.ranges)
		r->many_ranges = false;
	if (r->in.ranges > 3)
		r->many_ranges = true;
	r->done |= r->in.state == DAWN_TCP_CLOSED;
}

static void observe(struct run *r)
{
	kernel_observe(&r->k);
	engine_observe(&r->e);
}

static void trace_outs(FILE *f, const char *who, const struct dview *v)
{
	fprintf(f, "\t# %s:", who);
	for (unsigned int i = 0; i < v->outs; i++) {
		fputc(' ', f);
		seg_print(f, '>', &v->out[i]);
	}
	fprintf(f, " state %u\n", v->state);
}

static void trace(const struct run *r)
{
	if (!r->r->trace)
		return;
	trace_outs(r->r->trace, "kernel", &r->k);
	trace_outs(r->r->trace, "engine", &r->e);
}

static void trace_seg(const struct run *r, const struct dseg *g)
{
	if (!r->r->trace)
		return;
	seg_print(r->r->trace, '<', g);
	fputc('\n', r->r->trace);
}

static void inject(struct run *r, const struct dseg *g)
{
	trace_seg(r, g);
	kernel_inject(&r->k, g);
	engine_inject(&r->e, g);
}

static uint8_t seen[1 << 18];

/* What happened, coarsely; a pair of such in a row that is new is worth
 * keeping. */
static void note_novelty(struct run *r, const struct dstep *s,
			 const struct pick *p)
{
	uint32_t key = s->kind, at;

	key = key * 8 + r->in.state;
	key = key * 8 + r->e.state;
	if (p) {
		key = key * 4 + p->where;
		key = key * 64 + (p->g.flags & 0x37);
		key = key * 8 + s->ack;
		key = key * 2 + p->paws_old;
		key = key * 2 + (p->g.len != 0);
		key = key * 2 + (p->g.sacks != 0);
	}
	key = key * 4 + (r->in.ranges > 2 ? 3 : r->in.ranges);
	key = key * 2 + r->in.fin_held;
	key = key * 2 + (r->e.readable != 0);
	key = key * 2 + (r->near == r->n);
	key = key * 4 + (r->e.outs > 2 ? 3 : r->e.outs);
	key *= 0x9e3779b1;
	at = (key ^ (r->last_key * 0x85ebca6b)) >> 11;
	r->last_key = key;
	at &= sizeof(seen) * 8 - 1;
	if (!(seen[at / 8] & 1 << at % 8))
		r->r->novelty++;
	seen[at / 8] |= (uint8_t)(1 << at % 8);
}

static bool step_seg(struct run *r, const struct dstep *s)
{
	struct pick p;

	if (!differ_resolve(r, s, &p))
		return true;
	if (p.twin) {
		differ_rule(RULE_no_ts);
		p.g.has_ts = false;
		inject(r, &p.g);
		p.g.has_ts = true;
		r->k.outs = r->e.outs = 0;
	}
	inject(r, &p.g);
	if (p.taken)
		differ_note(r, &p);
	observe(r);
	trace(r);
	note_novelty(r, s, &p);
	return compare_views(r) &&
	       (p.twin || r->s->opts.slow || compare_answer(r, &p));
}

static bool step_write(struct run *r, const struct dstep *s)
{
	int32_t room = 4 * r->s->opts.mss - (r->written - r->e.snd_una);
	uint32_t len, k, e;

	if (r->shut || room <= 0)
		return true;
	len = (uint32_t)min32(min32(s->len, 8000), room);
	if (r->r->trace)
		fprintf(r->r->trace, "w %u;\n", len);
	k = kernel_write(&r->k, len);
	e = engine_write(&r->e, len);
	r->written += (int32_t)e;
	observe(r);
	trace(r);
	note_novelty(r, s, NULL);
	if (k != e)
		return differ(r, "wrote: kernel %u, engine %u", k, e);
	return compare_views(r);
}

static bool byte_ok(const struct run *r, int32_t at, uint8_t b)
{
	return (r->copies[at] & 1 && b == d_peer_byte(at, false)) ||
	       (r->copies[at] & 2 && b == d_peer_byte(at, true));
}

static bool read_both(struct run *r, uint32_t len)
{
	static uint8_t kb[1 << 18], eb[1 << 18];
	uint32_t k, e;

	if (len > sizeof(kb))
		len = sizeof(kb);
	k = kernel_read(&r->k, kb, len);
	e = engine_read(&r->e, eb, len);
	if (r->r->trace)
		fprintf(r->r->trace, "r %u;\n", e);
	if (k != e)
		return differ(r, "read: kernel %u, engine %u", k, e);
	for (uint32_t i = 0; i < e; i++, r->read++) {
		if (!byte_ok(r, r->read, kb[i]))
			return differ(r, "the kernel's byte %d", r->read);
		if (!byte_ok(r, r->read, eb[i]))
			return differ(r, "the engine's byte %d", r->read);
	}
	observe(r);
	trace(r);
	return true;
}

/* Whoever reads everything must open the window again. */
static bool compare_opened(struct run *r)
{
	if (r->e.readable || r->in.ranges || r->in.fin_rcvd)
		return true;
	if (r->k.edge - r->n >= 1460 && r->e.edge - r->n < 1460)
		return differ(r, "window: kernel %d, engine %d",
			      r->k.edge - r->n, r->e.edge - r->n);
	return true;
}

static bool step_read(struct run *r, const struct dstep *s)
{
	bool ok = read_both(r, s->len);

	note_novelty(r, s, NULL);
	return ok && compare_views(r) && compare_opened(r);
}

static bool step_shutdown(struct run *r, const struct dstep *s)
{
	if (r->shut)
		return true;
	if (r->r->trace)
		fprintf(r->r->trace, "fin;\n");
	r->shut = true;
	kernel_shutdown(&r->k);
	engine_shutdown(&r->e);
	observe(r);
	trace(r);
	note_novelty(r, s, NULL);
	return compare_views(r);
}

static const struct dseg *sent_rst(const struct dview *v)
{
	for (unsigned int i = 0; i < v->outs; i++)
		if (v->out[i].flags & DAWN_TCP_RST)
			return &v->out[i];
	return NULL;
}

/* The window went back over what is in flight: then the kernel's segments
 * without data begin at its edge. */
static bool shrunk(const struct run *r)
{
	return (uint32_t)(r->e.snd_max - r->e.snd_una) > r->e.snd_wnd;
}

static bool step_abort(struct run *r, const struct dstep *s)
{
	const struct dseg *k, *e;

	if (r->r->trace)
		fprintf(r->r->trace, "abort;\n");
	kernel_abort(&r->k);
	engine_abort(&r->e);
	trace(r);
	note_novelty(r, s, NULL);
	r->done = r->aborted = true;
	if (r->in.state == DAWN_TCP_CLOSING || r->in.state == DAWN_TCP_LAST_ACK)
		return true;
	k = sent_rst(&r->k);
	e = sent_rst(&r->e);
	if (!k != !e)
		return differ(r, "reset sent: kernel %d, engine %d", !!k, !!e);
	if (k && !r->sent_apart && !r->wnd_apart && !shrunk(r) &&
	    k->seq != e->seq)
		return differ(r, "reset at: kernel %d, engine %d", k->seq,
			      e->seq);
	return true;
}

/* How often was what is to be acknowledged next sent (again)? */
static int sent_first(const struct dview *v)
{
	int times = 0;

	for (unsigned int i = 0; i < v->outs; i++) {
		const struct dseg *g = &v->out[i];
		int32_t end =
			g->seq + (int32_t)g->len + !!(g->flags & DAWN_TCP_FIN);

		times += g->seq <= v->snd_una && end > v->snd_una;
	}
	return times;
}

static bool compare_again(struct run *r)
{
	int k = sent_first(&r->k), e = sent_first(&r->e);

	if (!k == !e)
		return true;
	if (r->late && !k && e <= 2) {
		differ_rule(RULE_rtt);
		return true;
	}
	return differ(r, "sent again: kernel %d, engine %d", k, e);
}

static bool compare_wait(struct run *r, int32_t all)
{
	const struct dview *k = &r->k, *e = &r->e;

	if (all == e->snd_una && (k->outs || e->outs))
		return differ(r, "sent while idle: kernel %u, engine %u",
			      k->outs, e->outs);
	if (all == e->snd_una || r->wnd_apart || r->sent_apart)
		return true;
	if (r->e.snd_max == e->snd_una && !e->snd_wnd && (!k->outs || !e->outs))
		return differ(r, "probes: kernel %u, engine %u", k->outs,
			      e->outs);
	if (e->snd_wnd && !shrunk(r) && k->snd_max > k->snd_una)
		return compare_again(r);
	return true;
}

static bool step_wait(struct run *r, const struct dstep *s)
{
	int32_t all = r->written + r->shut;
	bool ok;

	if (r->r->trace)
		fprintf(r->r->trace, "+%d;\n", D_WAIT_MS);
	kernel_wait(&r->k);
	engine_wait(&r->e);
	observe(r);
	trace(r);
	note_novelty(r, s, NULL);
	if (!compare_views(r))
		return false;
	ok = compare_wait(r, all);
	r->late |= all != r->e.snd_una;
	r->lossy |= r->late;
	return ok;
}

static bool run_step(struct run *r, const struct dstep *s)
{
	static bool (*const steps[])(struct run *, const struct dstep *) = {
		[D_SEG] = step_seg,     [D_WRITE] = step_write,
		[D_READ] = step_read,   [D_SHUT] = step_shutdown,
		[D_ABORT] = step_abort, [D_WAIT] = step_wait,
	};

	r->k.outs = r->e.outs = 0;
	/* In TIME_WAIT the kernel's socket is gone for its owner. */
	if (r->in.state == DAWN_TCP_TIME_WAIT && s->kind != D_SEG &&
	    s->kind != D_READ)
		return true;
	r->r->steps++;
	if (!steps[s->kind % D_KINDS](r, s))
		return false;
	look(r);
	return true;
}

static bool run_all(struct run *r)
{
	observe(r);
	if (!compare_views(r))
		return false;
	look(r);
	for (uint32_t i = 0; i < r->s->count && !r->done; i++)
		if (!run_step(r, &r->s->step[i]))
			return false;
	if (r->done && !r->e.readable)
		return true;
	return r->aborted || read_both(r, UINT32_MAX);
}

bool stream_run(const struct dstream *s, struct drun *dr)
{
	static struct dseg outs[2][D_OUTS];
	static struct run r;
	bool same;

	memset(&r, 0, sizeof(r));
	r.s = s;
	r.r = dr;
	r.k.out = outs[0];
	r.e.out = outs[1];
	r.fin_at = -1;
	r.wl1 = -1; /* whatever is in order updates the window */
	r.wnd = s->opts.wnd;
	r.first_wnd = (uint32_t)s->opts.wnd << wscale(&r);
	dr->why[0] = 0;
	dr->steps = dr->novelty = 0;
	if (!s->count)
		return true;
	if (dr->trace)
		opts_print(dr->trace, &s->opts);
	if (kernel_open(&r.k, &s->opts)) {
		same = differ(&r, "%s", r.k.bad);
	} else {
		r.k.edge = 0;
		kernel_observe(&r.k);
		engine_open(&r.e, &s->opts, r.k.edge);
		same = run_all(&r);
	}
	r.k.outs = 0;
	kernel_end(&r.k);
	return same;
}
