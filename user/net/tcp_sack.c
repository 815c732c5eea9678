// SPDX-License-Identifier: MIT OR Apache-2.0
/* Sorted lists of disjoint sequence ranges: what we hold out of order, and what
 * the peer said it holds (RFC 2018). The lists are short (8 and 32), so every
 * operation is a walk; while nothing is lost both are empty.
 *
 * What the peer says is a hint: a range it took back (RFC 2018, 8) is sent
 * again after a timeout, which forgets the list. Nothing is freed from the send
 * ring before it is acknowledged.
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

static bool range_covers(const struct dawn_tcp_sack *r, uint8_t n,
			 uint32_t start, uint32_t end)
{
	for (uint8_t i = 0; i < n; i++)
		if (dawn_seq_le(r[i].start, start) &&
		    dawn_seq_ge(r[i].end, end))
			return true;
	return false;
}

bool dawn_tcp_sack_input(struct dawn_tcp *c, const struct dawn_tcp_seg *seg)
{
	uint32_t una = tcp_seq_max(c->snd_una, seg->ack);
	uint8_t blocks = seg->sack_count;
	bool news = false;

	if (blocks > DAWN_TCP_SACK_MAX)
		blocks = DAWN_TCP_SACK_MAX;
	for (uint8_t i = 0; i < blocks; i++) {
		uint32_t start = seg->sack[i].start, end = seg->sack[i].end;

		/* A block at or below the ACK tells of a duplicate (RFC 2883);
		 * one beyond what was sent is a lie. */
		if (!dawn_seq_gt(start, una) || !dawn_seq_gt(end, start) ||
		    dawn_seq_gt(end, c->snd_max))
			continue;
		if (range_covers(c->sacked, c->sacked_count, start, end))
			continue;
		if (!dawn_tcp_range_fits(c->sacked, c->sacked_count,
					 TCP_SACKED_MAX, start, end))
			continue;
		dawn_tcp_range_add(c->sacked, &c->sacked_count, start, end);
		news = true;
	}
	return news;
}

void dawn_tcp_sack_prune(struct dawn_tcp *c)
{
	uint8_t gone = 0;

	while (gone < c->sacked_count &&
	       dawn_seq_le(c->sacked[gone].end, c->snd_una))
		gone++;
	c->sacked_count -= gone;
	memmove(c->sacked, &c->sacked[gone],
		c->sacked_count * sizeof(c->sacked[0]));
	if (c->sacked_count && dawn_seq_lt(c->sacked[0].start, c->snd_una))
		c->sacked[0].start = c->snd_una;
}

uint32_t dawn_tcp_sack_below(const struct dawn_tcp *c, uint32_t seq)
{
	uint32_t sum = 0;

	for (uint8_t i = 0; i < c->sacked_count; i++) {
		const struct dawn_tcp_sack *r = &c->sacked[i];

		if (dawn_seq_ge(r->start, seq))
			break;
		sum += tcp_seq_min(r->end, seq) - r->start;
	}
	return sum;
}

uint32_t dawn_tcp_sack_skip(const struct dawn_tcp *c, uint32_t seq)
{
	for (uint8_t i = 0; i < c->sacked_count; i++)
		if (dawn_seq_le(c->sacked[i].start, seq) &&
		    dawn_seq_lt(seq, c->sacked[i].end))
			return c->sacked[i].end;
	return seq;
}

uint32_t dawn_tcp_sack_gap(const struct dawn_tcp *c, uint32_t seq, uint32_t len)
{
	for (uint8_t i = 0; i < c->sacked_count; i++)
		if (dawn_seq_gt(c->sacked[i].start, seq))
			return tcp_min(len, c->sacked[i].start - seq);
	return len;
}
