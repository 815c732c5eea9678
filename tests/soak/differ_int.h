/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A stream that is being run: shared by differ_pick.c (which segment a step
 * means) and differ_run.c (run, compare). */
#ifndef DAWN_TESTS_SOAK_DIFFER_INT_H
#define DAWN_TESTS_SOAK_DIFFER_INT_H

#include "tests/soak/differ.h"

/* Names in differ.h. */
#define RULES(X)    \
	X(edge)     \
	X(overlap)  \
	X(fin)      \
	X(rst_ext)  \
	X(rst_edge) \
	X(no_ts)    \
	X(paws_ack) \
	X(old_ack)  \
	X(wnd) X(future) X(dup_ack) X(no_ack) X(sws) X(cwnd) X(rtt) X(sack)
#define RULE_ENUM(name) RULE_##name,
#define RULE_NAME(name) #name,
enum rule { RULES(RULE_ENUM) RULE_COUNT };
enum where { OLD, IN, BEYOND };

struct run {
	const struct dstream *s;
	struct drun *r;
	struct dview k, e;
	struct engine_inside in;
	int32_t n;          /* RCV.NXT of both */
	int32_t near, far;  /* right edges */
	int32_t hi, fin_at; /* the peer's: highest byte sent, FIN or -1 */
	int32_t ts_now, written, read;
	int32_t wl1, wl2;      /* SND.WL1, WL2 as RFC 9293 has them */
	int32_t kernel_wl1[2]; /* slow path only; fast path whenever it could */
	uint32_t first_wnd;
	uint16_t wnd;
	bool shut, done, aborted, wnd_apart, sent_apart, lossy, many_ranges;
	bool late; /* a wait ended with data unacknowledged */
	uint32_t last_key;
	uint8_t copies[D_REL_MAX + D_LEN_MAX]; /* 1: as it is, 2: odd, of a
						* byte sent in the window */
};

/* A segment with what was decided about it. */
struct pick {
	struct dseg g;
	enum where where;
	bool paws_old, ack_bad, twin, taken;
};

/* differ_pick.c */
void differ_rule(enum rule r);
/* Return: false if there is no such segment now. */
bool differ_resolve(struct run *r, const struct dstep *s, struct pick *p);
/* The segment was taken: what is known of both sides from now on. */
void differ_note(struct run *r, const struct pick *p);

static inline int32_t min32(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

static inline int32_t max32(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

static inline int wscale(const struct run *r)
{
	return r->s->opts.wscale <= 14 ? r->s->opts.wscale : 0;
}

static inline bool has_fin(const struct dseg *g)
{
	return g->flags & DAWN_TCP_FIN;
}

static inline int32_t seg_end(const struct dseg *g)
{
	return g->seq + (int32_t)g->len + has_fin(g);
}

#endif
