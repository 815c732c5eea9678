// SPDX-License-Identifier: MIT OR Apache-2.0
/* Sorted lists of disjoint sequence ranges: what we hold out of order, and what
 * the peer says it holds (RFC 2018), which goes into the records (tcp_rec.c). The
 * list is short (32), so every operation is a walk; mostly it is empty.
 */
#include <string.h>

#include "user/net/tcp_conn.h"

/* The ranges [*first, *last) touch or overlap [start, end). */
static void range_find(const struct dawn_tcp_sack *r, uint8_t n, uint32_t start,
		       uint32_t end, uint8_t *first, uint8_t *last)
{
	uint8_t i = 0, j;

	while (i < n && dawn_seq_lt(r[i].end, start))
		i++;
	j = i;
	while (j < n && dawn_seq_le(r[j].start, end))
		j++;
	*first = i;
	*last = j;
}

bool dawn_tcp_range_fits(const struct dawn_tcp_sack *r, uint8_t n, uint8_t max,
			 uint32_t start, uint32_t end)
{
	uint8_t i, j;

	range_find(r, n, start, end, &i, &j);
	return n < max || i != j;
}

/* The caller asked dawn_tcp_range_fits(). */
void dawn_tcp_range_add(struct dawn_tcp_sack *r, uint8_t *n, uint32_t start,
			uint32_t end)
{
	uint8_t i, j;

	range_find(r, *n, start, end, &i, &j);
	if (i == j) {
		memmove(&r[i + 1], &r[i], (*n - i) * sizeof(*r));
		r[i] = (struct dawn_tcp_sack){ start, end };
		(*n)++;
		return;
	}
	r[i].start = tcp_seq_min(r[i].start, start);
	r[i].end = tcp_seq_max(r[j - 1].end, end);
	memmove(&r[i + 1], &r[j], (*n - j) * sizeof(*r));
	*n -= j - i - 1;
}

/* RFC 2883, 4: the first block tells of a duplicate if it lies below the ACK, or
 * within the second block. */
static bool is_dsack(const struct dawn_tcp_seg *seg)
{
	const struct dawn_tcp_sack *b = seg->sack;

	if (dawn_seq_le(b[0].end, seg->ack))
		return true;
	return seg->sack_count > 1 && dawn_seq_ge(b[0].start, b[1].start) &&
	       dawn_seq_le(b[0].end, b[1].end);
}

/* Could the peer have received this twice? */
static bool dsack_possible(const struct dawn_tcp *c,
			   const struct dawn_tcp_sack *b)
{
	return dawn_seq_lt(b->start, b->end) &&
	       dawn_seq_le(b->end, c->snd_max) &&
	       dawn_seq_ge(b->start, c->snd_una - c->max_snd_wnd);
}

/* What a block says beyond the one seen before, `old`: peers repeat theirs, and
 * they grow at an end. */
static struct dawn_tcp_sack beyond(struct dawn_tcp_sack b,
				   const struct dawn_tcp_sack *old)
{
	if (dawn_seq_ge(b.start, old->start) && dawn_seq_lt(b.start, old->end))
		b.start = old->end;
	if (dawn_seq_le(b.end, old->end) && dawn_seq_gt(b.end, old->start))
		b.end = old->start;
	return b;
}

static void take_block(struct dawn_tcp *c, const struct dawn_tcp_sack *b,
		       struct tcp_ack *a)
{
	struct dawn_tcp_sack news = *b;

	for (int i = 0; i < DAWN_TCP_SACK_MAX; i++)
		news = beyond(news, &c->seen[i]);
	for (uint16_t k = dawn_tcp_rec_find(c, news.start); k != c->rec_tail;
	     k++) {
		uint32_t start = tcp_rec_start(c, k), end = tcp_rec(c, k)->end;

		if (dawn_seq_ge(start, news.end) || dawn_seq_gt(end, b->end))
			break;
		if (dawn_seq_lt(start, b->start) ||
		    tcp_rec(c, k)->flags & REC_SACKED)
			continue;
		dawn_tcp_rack_delivered(c, k, false, a);
		dawn_tcp_rec_sack(c, k);
		a->delivered += end - start;
	}
}

/* A block that ends beyond what was sent is a lie, one that begins at or below
 * the ACK is old. A right one is taken whole; that its bytes are held is a hint
 * all the same (RFC 2018, 8): nothing is freed before it is acknowledged. */
void dawn_tcp_sack_input(struct dawn_tcp *c, struct tcp_ack *a)
{
	struct dawn_tcp_sack taken[DAWN_TCP_SACK_MAX] = { 0 };
	const struct dawn_tcp_seg *seg = a->seg;
	uint8_t blocks = seg->sack_count, i = 0;
	bool lie = false;

	/* Blocks of before matter as long as what they said does: their numbers
	 * come again after 4 GB. */
	if (!c->sacked_segs)
		memset(c->seen, 0, sizeof(c->seen));
	if (blocks > DAWN_TCP_SACK_MAX)
		blocks = DAWN_TCP_SACK_MAX;
	if (is_dsack(seg)) {
		a->dsack = dsack_possible(c, &seg->sack[0]);
		a->dsack_tlp = a->dsack && c->tlp_out && c->tlp_retx &&
			       seg->sack[0].end == c->tlp_end;
		i = 1;
	}
	for (; i < blocks; i++) {
		const struct dawn_tcp_sack *b = &seg->sack[i];

		lie |= dawn_seq_gt(b->end, c->snd_max);
		if (!dawn_seq_gt(b->start, c->snd_una) ||
		    !dawn_seq_gt(b->end, b->start) ||
		    dawn_seq_gt(b->end, c->snd_max))
			continue;
		take_block(c, b, a);
		taken[i] = *b;
	}
	if (lie)
		tcp_note_lie(c);
	memcpy(c->seen, taken, sizeof(taken));
}
