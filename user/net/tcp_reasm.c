// SPDX-License-Identifier: MIT OR Apache-2.0
/* What arrived, put in order: RFC 9293, 3.10.7.4, seventh and eighth.
 *
 * Bytes out of order go to their final place in the receive ring at once; a
 * sorted list says which are there. Bytes that came first stay: a retransmission
 * that disagrees changes nothing. A FIN is believed if nothing is held beyond
 * it; after that nothing beyond it is taken.
 */
#include <string.h>

#include "user/net/tcp_conn.h"

static void put(struct dawn_tcp *c, uint32_t seq, const uint8_t *data,
		uint32_t len)
{
	dawn_tcp_ring_put(&c->rcv, seq + c->rcv_shift, data, len);
}

/* Store [start, end) except what is held already. */
static void put_missing(struct dawn_tcp *c, uint32_t start, uint32_t end,
			const uint8_t *data)
{
	uint32_t pos = start;

	for (uint8_t i = 0; i < c->ooo_count; i++) {
		const struct dawn_tcp_sack *r = &c->ooo[i];

		if (dawn_seq_le(r->end, pos))
			continue;
		if (dawn_seq_ge(r->start, end))
			break;
		if (dawn_seq_gt(r->start, pos))
			put(c, pos, data + (pos - start), r->start - pos);
		pos = r->end;
	}
	if (dawn_seq_lt(pos, end))
		put(c, pos, data + (pos - start), end - pos);
}

static const struct dawn_tcp_sack *find_held(const struct dawn_tcp *c,
					     uint32_t seq)
{
	for (uint8_t i = 0; i < c->ooo_count; i++)
		if (dawn_seq_le(c->ooo[i].start, seq) &&
		    dawn_seq_lt(seq, c->ooo[i].end))
			return &c->ooo[i];
	return NULL;
}

/* The range of `seq` is the newest: it goes first among the SACK blocks. */
static void note_recent(struct dawn_tcp *c, uint32_t seq)
{
	uint8_t n = c->recent_count;

	if (n && find_held(c, c->recent[0]) == find_held(c, seq)) {
		c->recent[0] = seq;
		return;
	}
	if (n == DAWN_TCP_SACK_MAX)
		n--;
	memmove(&c->recent[1], &c->recent[0], n * sizeof(c->recent[0]));
	c->recent[0] = seq;
	c->recent_count = n + 1;
}

static bool has_block(const struct dawn_tcp_sack *b, uint8_t n, uint32_t start)
{
	for (uint8_t i = 0; i < n; i++)
		if (b[i].start == start)
			return true;
	return false;
}

uint8_t dawn_tcp_reasm_blocks(const struct dawn_tcp *c,
			      struct dawn_tcp_sack *out, uint8_t max)
{
	uint8_t n = 0;

	for (uint8_t i = 0; i < c->recent_count && n < max; i++) {
		const struct dawn_tcp_sack *r = find_held(c, c->recent[i]);

		if (r && !has_block(out, n, r->start))
			out[n++] = *r;
	}
	for (uint8_t i = 0; i < c->ooo_count && n < max; i++)
		if (!has_block(out, n, c->ooo[i].start))
			out[n++] = c->ooo[i];
	return n;
}

/* Out of order: keep it, and tell the sender at once (RFC 5681, 4.2). Also a
 * segment that found no room is answered. */
static unsigned int hold(struct dawn_tcp *c, uint32_t start, uint32_t end,
			 const uint8_t *data)
{
	if (c->dupacks_due < UINT8_MAX)
		c->dupacks_due++;
	c->counts.ooo++;
	if (start == end || !dawn_tcp_range_fits(c->ooo, c->ooo_count,
						 DAWN_TCP_OOO_MAX, start, end))
		return 0;
	put_missing(c, start, end, data);
	dawn_tcp_range_add(c->ooo, &c->ooo_count, start, end);
	note_recent(c, start);
	return DAWN_TCP_EV_PROGRESS;
}

/* rcv_nxt moved to `end`; go on through what was held. */
static void advance(struct dawn_tcp *c, uint32_t end)
{
	uint8_t gone = 0;

	while (gone < c->ooo_count && dawn_seq_le(c->ooo[gone].start, end)) {
		end = tcp_seq_max(end, c->ooo[gone].end);
		gone++;
	}
	c->rcv_nxt = end;
	c->ooo_count -= gone;
	memmove(c->ooo, &c->ooo[gone], c->ooo_count * sizeof(c->ooo[0]));
	if (!c->ooo_count)
		c->recent_count = 0;
}

/* RFC 5681, 4.2: a full-sized segment may wait for a second one, 40 ms; what
 * closes a gap may not. */
static void schedule_ack(struct dawn_tcp *c, bool gap, uint64_t now_us)
{
	c->dupacks_due = 0; /* they would count as duplicates of this one */
	if (gap || c->rcv_nxt - c->rcv_acked >= 2U * c->rcv_mss)
		c->ack_now = true;
	else if (c->delack_at == TCP_NEVER)
		c->delack_at = now_us + TCP_DELACK_US;
}

static unsigned int in_order(struct dawn_tcp *c, uint32_t end,
			     const uint8_t *data, uint64_t now_us)
{
	bool gap = c->ooo_count;

	if (end == c->rcv_nxt)
		return 0;
	if (gap)
		put_missing(c, c->rcv_nxt, end, data);
	else
		put(c, c->rcv_nxt, data, end - c->rcv_nxt);
	advance(c, end);
	schedule_ack(c, gap, now_us);
	return DAWN_TCP_EV_DATA | DAWN_TCP_EV_PROGRESS;
}

/* The peer's FIN is next. */
static unsigned int take_fin(struct dawn_tcp *c, uint64_t now_us)
{
	c->rcv_nxt++;
	c->rcv_adv = tcp_seq_max(c->rcv_adv, c->rcv_nxt);
	c->fin_rcvd = true;
	c->ack_now = true;
	switch (c->state) {
	case DAWN_TCP_ESTABLISHED:
		c->state = DAWN_TCP_CLOSE_WAIT;
		break;
	case DAWN_TCP_FIN_WAIT_1: /* ours is not acknowledged, or it would
				   * have left this state */
		c->state = DAWN_TCP_CLOSING;
		break;
	default:
		c->state = DAWN_TCP_TIME_WAIT;
		dawn_tcp_life_start(c, now_us);
		break;
	}
	return DAWN_TCP_EV_EOF | DAWN_TCP_EV_PROGRESS;
}

/* Note a FIN at `seq`, if it does not contradict what came before. */
static unsigned int note_fin(struct dawn_tcp *c, uint32_t seq)
{
	if (c->fin_held)
		return 0;
	if (c->ooo_count && dawn_seq_gt(c->ooo[c->ooo_count - 1].end, seq))
		return 0;
	c->fin_held = true;
	c->rcv_fin = seq;
	return DAWN_TCP_EV_PROGRESS;
}

unsigned int dawn_tcp_reasm_input(struct dawn_tcp *c,
				  const struct dawn_tcp_seg *seg,
				  uint64_t now_us)
{
	uint32_t start = tcp_seq_max(seg->seq, c->rcv_nxt);
	uint32_t end = seg->seq + seg->len;
	uint32_t limit = tcp_seq_min(c->rcv_adv, c->rcv_read + c->rcv.size);
	const uint8_t *data = seg->data;
	bool fin = seg->flags & DAWN_TCP_FIN;
	unsigned int events = 0;

	if (seg->len > c->rcv_mss)
		c->rcv_mss = (uint16_t)tcp_min(seg->len, TCP_RCV_MSS);
	if (c->fin_held)
		limit = tcp_seq_min(limit, c->rcv_fin);
	if (dawn_seq_gt(end, limit)) { /* beyond the window: not taken */
		end = tcp_seq_max(limit, start);
		fin = false;
		c->ack_now = true;
	}
	if (seg->len)
		data += start - seg->seq;
	if (fin)
		events |= note_fin(c, end);
	if (start == c->rcv_nxt)
		events |= in_order(c, end, data, now_us);
	else
		events |= hold(c, start, end, data);
	if (c->fin_held && c->rcv_nxt == c->rcv_fin)
		events |= take_fin(c, now_us);
	return events;
}
