// SPDX-License-Identifier: MIT OR Apache-2.0
/* Streams: made from a seed, changed, written down. The grammar only says how
 * often; what a step means is decided when it is run. */
#include <stdlib.h>
#include <string.h>

#include "tests/soak/differ.h"

uint64_t d_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static uint32_t below(uint64_t *rng, uint32_t n)
{
	return (uint32_t)(d_random(rng) >> 32) % n;
}

static bool chance(uint64_t *rng, uint32_t percent)
{
	return below(rng, 100) < percent;
}

/* How wild a stream is, in percent. */
struct taste {
	uint8_t disorder, lies, closing, acks, app;
};

static void make_opts(struct dopts *o, uint64_t *rng)
{
	static const uint16_t sizes[] = { 300, 536, 1000, 1220, 1460, 1460 };
	static const uint16_t windows[] = { 500, 4096, 16384, 65535, 65535 };

	memset(o, 0, sizeof(*o));
	o->isn = (uint32_t)d_random(rng);
	if (chance(rng, 50)) /* wraps within the stream */
		o->isn = 0U - below(rng, 4000);
	o->ts = chance(rng, 40) ? 0U - 1 - below(rng, 300)
				: 1 + (uint32_t)d_random(rng) % 0x7fffffff;
	o->mss = sizes[below(rng, 6)];
	o->wnd = windows[below(rng, 5)];
	o->wscale = chance(rng, 60) ? (uint8_t)below(rng, 15) : 255;
	if (o->wscale <= 14 && o->wscale > 4)
		o->wnd = (uint16_t)(1 + o->wnd / 16);
	o->sack_ok = chance(rng, 60);
	o->ts_ok = chance(rng, 50);
	o->v6 = chance(rng, 40);
	o->small = chance(rng, 25);
}

static int16_t near(uint64_t *rng)
{
	static const int16_t some[] = { 0, 0, 1, -1, 2, 10, -10, 100, -100 };

	if (chance(rng, 70))
		return some[below(rng, sizeof(some) / sizeof(some[0]))];
	return (int16_t)((int)below(rng, 8000) - 2000);
}

static uint16_t length(uint64_t *rng)
{
	static const uint16_t some[] = { 0, 1, 1, 10, 100, 536, 1460, 1800 };

	if (chance(rng, 60))
		return some[below(rng, 8)];
	return (uint16_t)below(rng, D_LEN_MAX + 1);
}

static void make_place(struct dstep *s, const struct taste *t, uint64_t *rng)
{
	s->pos = D_POS_NXT;
	s->off = 0;
	s->len = length(rng);
	s->pick = (uint8_t)d_random(rng);
	if (!chance(rng, t->disorder))
		return;
	s->pos = (uint8_t)below(rng, D_POS_COUNT);
	if (s->pos >= D_POS_EDGE && chance(rng, 60))
		s->pos = (uint8_t)below(rng, D_POS_EDGE);
	s->off = near(rng);
}

static void make_flags(struct dstep *s, const struct taste *t, uint64_t *rng)
{
	s->flags = DAWN_TCP_ACK;
	if (chance(rng, 30))
		s->flags |= DAWN_TCP_PSH;
	if (chance(rng, t->closing))
		s->flags |= DAWN_TCP_FIN;
	if (!chance(rng, t->lies))
		return;
	switch (below(rng, 8)) {
	case 0:
		s->flags |= DAWN_TCP_RST;
		s->len = 0;
		s->flags &= (uint8_t)~DAWN_TCP_FIN;
		if (chance(rng, 50))
			s->flags = DAWN_TCP_RST;
		break;
	case 1:
		s->flags |= DAWN_TCP_SYN;
		break;
	case 2:
		s->flags &= (uint8_t)~DAWN_TCP_ACK;
		break;
	case 3:
		s->flags |= DAWN_TCP_URG;
		break;
	default:
		s->flags |= D_FLAG_X;
	}
}

static void make_rest(struct dstep *s, const struct taste *t, uint64_t *rng)
{
	s->ack = chance(rng, 50) ? D_ACK_ALL : (uint8_t)below(rng, 3);
	s->ackoff = (uint16_t)d_random(rng);
	s->ts = chance(rng, 50) ? D_TS_SAME : D_TS_NEWER;
	s->tsoff = (uint16_t)below(rng, 100);
	s->wndval = (uint16_t)d_random(rng);
	s->sackoff = (uint16_t)d_random(rng);
	if (chance(rng, 10))
		s->wnd = chance(rng, 30) ? D_WND_ZERO : D_WND_SET;
	if (chance(rng, t->acks))
		s->sack = (uint8_t)below(rng, D_SACK_COUNT);
	if (!chance(rng, t->lies))
		return;
	if (chance(rng, 40))
		s->ack = (uint8_t)below(rng, D_ACK_COUNT);
	if (chance(rng, 40))
		s->ts = (uint8_t)below(rng, D_TS_COUNT);
}

static void make_step(struct dstep *s, const struct taste *t, uint64_t *rng)
{
	memset(s, 0, sizeof(*s));
	if (chance(rng, t->app)) {
		s->kind = chance(rng, 50) ? D_WRITE : D_READ;
		s->len = chance(rng, 70) ? length(rng) : 65535;
		if (s->kind == D_WRITE && s->len > 3000)
			s->len = 3000;
		if (chance(rng, t->closing))
			s->kind = D_SHUT;
		else if (chance(rng, 1))
			s->kind = D_ABORT;
		return;
	}
	s->kind = D_SEG;
	make_place(s, t, rng);
	if (chance(rng, t->acks) && chance(rng, 50))
		s->len = 0;
	make_flags(s, t, rng);
	make_rest(s, t, rng);
}

/* Fill what is missing, acknowledge everything, close both ways. */
static void make_ending(struct dstream *s, uint64_t *rng)
{
	uint32_t fills = 1 + below(rng, 6);

	for (uint32_t i = 0; i < fills + 4; i++) {
		struct dstep *p = &s->step[s->count++];

		memset(p, 0, sizeof(*p));
		p->flags = DAWN_TCP_ACK;
		p->ack = D_ACK_ALL;
		p->ts = D_TS_NEWER;
		p->tsoff = 1;
		p->len = 1400;
		if (i == fills) {
			p->kind = D_READ;
			p->len = 65535;
		} else if (i == fills + 1) {
			p->flags |= DAWN_TCP_FIN;
			p->pos = D_POS_FIN;
			p->len = 0;
		} else if (i == fills + 2) {
			p->kind = D_SHUT;
		} else if (i == fills + 3) {
			p->len = 0;
		}
	}
}

void stream_generate(struct dstream *s, uint64_t seed)
{
	uint64_t rng = seed;
	struct taste t = {
		.disorder = (uint8_t)(10 + below(&rng, 80)),
		.lies = (uint8_t)below(&rng, 40),
		.closing = (uint8_t)below(&rng, 12),
		.acks = (uint8_t)below(&rng, 40),
		.app = (uint8_t)(10 + below(&rng, 50)),
	};
	uint32_t n;

	memset(s, 0, sizeof(*s));
	make_opts(&s->opts, &rng);
	n = 3 + below(&rng, chance(&rng, 70) ? 20 : D_STEPS - 14);
	while (s->count < n)
		make_step(&s->step[s->count++], &t, &rng);
	if (chance(&rng, 60))
		make_ending(s, &rng);
}

static void remove_step(struct dstream *s, uint32_t at)
{
	s->count--;
	memmove(&s->step[at], &s->step[at + 1],
		(s->count - at) * sizeof(s->step[0]));
}

static void insert_step(struct dstream *s, uint32_t at, const struct dstep *p)
{
	struct dstep copy = *p;

	if (s->count == D_STEPS)
		remove_step(s, s->count - 1);
	if (at > s->count)
		at = s->count;
	memmove(&s->step[at + 1], &s->step[at],
		(s->count - at) * sizeof(s->step[0]));
	s->step[at] = copy;
	s->count++;
}

/* One change; `other` gives steps to a crossing. */
void stream_mutate(struct dstream *s, const struct dstream *other,
		   uint64_t *rng)
{
	struct taste t = { 50, 30, 10, 30, 30 };
	uint32_t at = below(rng, s->count + 1), hit = at % (s->count + 1);
	struct dstep fresh, was;

	make_step(&fresh, &t, rng);
	if (hit == s->count && s->count)
		hit--;
	switch (s->count ? below(rng, 7) : 0) {
	case 0:
		insert_step(s, at, &fresh);
		break;
	case 1:
		remove_step(s, hit);
		break;
	case 2:
		insert_step(s, at, &s->step[hit]);
		break;
	case 3:
		was = s->step[hit];
		make_place(&s->step[hit], &t, rng);
		if (was.kind != D_SEG)
			s->step[hit].len = was.len;
		break;
	case 4:
		make_flags(&s->step[hit], &t, rng);
		make_rest(&s->step[hit], &t, rng);
		break;
	case 5:
		if (other->count)
			insert_step(s, at,
				    &other->step[below(rng, other->count)]);
		break;
	default:
		make_opts(&s->opts, rng);
	}
}

void stream_slow(struct dstream *s, uint64_t *rng)
{
	static const struct dstep wait = { .kind = D_WAIT };

	s->opts.slow = 1;
	for (int n = 1 + (int)below(rng, 2); n; n--)
		insert_step(s, below(rng, s->count + 1), &wait);
}

/* ---- text ---- */

/* As hex of the structures: options, then steps. Little-endian. */
void stream_print(FILE *to, const struct dstream *s)
{
	const uint8_t *b = (const uint8_t *)&s->opts;

	for (size_t i = 0; i < sizeof(s->opts); i++)
		fprintf(to, "%02x", b[i]);
	for (uint32_t n = 0; n < s->count; n++) {
		fputc(' ', to);
		b = (const uint8_t *)&s->step[n];
		for (size_t i = 0; i < sizeof(s->step[0]); i++)
			fprintf(to, "%02x", b[i]);
	}
	fputc('\n', to);
}

static bool parse_hex(const char *word, uint8_t *out, size_t len)
{
	if (strlen(word) != len * 2)
		return false;
	for (size_t i = 0; i < len; i++) {
		char two[3] = { word[2 * i], word[2 * i + 1] }, *end;

		out[i] = (uint8_t)strtoul(two, &end, 16);
		if (*end)
			return false;
	}
	return true;
}

/* Return: 0, or -1: not a stream. */
int stream_parse(struct dstream *s, const char *line)
{
	char *copy = strdup(line), *save, *word;
	int err = 0;

	memset(s, 0, sizeof(*s));
	word = copy ? strtok_r(copy, " \n", &save) : NULL;
	if (!word || !parse_hex(word, (uint8_t *)&s->opts, sizeof(s->opts)))
		err = -1;
	while (!err && (word = strtok_r(NULL, " \n", &save))) {
		if (s->count == D_STEPS ||
		    !parse_hex(word, (uint8_t *)&s->step[s->count],
			       sizeof(s->step[0])))
			err = -1;
		else
			s->count++;
	}
	free(copy);
	return err;
}

void opts_print(FILE *to, const struct dopts *o)
{
	fprintf(to, "%s mss=%u wnd=%u", o->v6 ? "v6" : "v4", o->mss, o->wnd);
	if (o->wscale <= 14)
		fprintf(to, " wscale=%u", o->wscale);
	fprintf(to, "%s%s%s isn=%#x ts=%#x\n", o->sack_ok ? " sack" : "",
		o->ts_ok ? " ts" : "", o->small ? " rcv=8192" : "", o->isn,
		o->ts);
}

void seg_print(FILE *to, char direction, const struct dseg *g)
{
	static const char letters[] = "FSRPAU";

	fprintf(to, "%c ", direction);
	for (int i = 0; i < 6; i++)
		if (g->flags & 1U << i)
			fputc(letters[i], to);
	if (g->odd)
		fputc('X', to);
	fprintf(to, " %d", g->seq);
	if (g->len)
		fprintf(to, "+%u", g->len);
	fprintf(to, " a%d w%u", g->ack, g->wnd);
	if (g->has_ts)
		fprintf(to, " t%d,%d", g->tsval, g->tsecr);
	for (int i = 0; i < g->sacks; i++)
		fprintf(to, " s%d-%d", g->sack[i].start, g->sack[i].end);
	fputc(';', to);
}
