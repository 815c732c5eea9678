// SPDX-License-Identifier: MIT OR Apache-2.0
/* Records of the segments in flight: where each ends, when it was sent last,
 * what became of it. RFC 6675's scoreboard and RFC 8985's per-segment state.
 *
 * ## Theory of operation
 *
 * A ring of records in the order of sequence numbers covers [snd_una, snd_nxt)
 * without holes, so a number is found by halving. Each is one of
 *
 *   in flight   in the list by time of sending: what RACK looks at
 *   SACKED      the peer holds it
 *   LOST        to be sent again; then it is in flight again
 *
 * and in_flight is the sum of the first kind: RFC 6675's pipe, kept and never
 * counted. A segment that is SACKED in part is not SACKED (RFC 2018, 5).
 *
 * Times of sending are made unlike by a microsecond, so that their order is the
 * order of sending although the clock ticks every 4 ms: RFC 8985's comparison
 * by sequence number, for segments of one instant, would take a retransmission
 * for older than what was sent before it.
 *
 * Costs: an ACK costs what it takes off; a SACK block a search and what it adds;
 * a loss a step. Cutting a record in two (the MSS fell) moves those behind it
 * and walks all: rare, and for each segment at most once.
 */
#include <errno.h>
#include <string.h>

#include "user/net/tcp_conn.h"

static void list_del(struct dawn_tcp *c, uint16_t k)
{
	const struct dawn_tcp_rec *r = tcp_rec(c, k);

	if (k == c->rec_oldest)
		c->rec_oldest = r->newer;
	else
		tcp_rec(c, r->older)->newer = r->newer;
	if (k == c->rec_newest)
		c->rec_newest = r->older;
	else
		tcp_rec(c, r->newer)->older = r->older;
	c->flight_segs--;
}

/* Behind `at`; in front of all if there is none. */
static void list_put(struct dawn_tcp *c, uint16_t k, bool first, uint16_t at)
{
	struct dawn_tcp_rec *r = tcp_rec(c, k);

	if (!c->flight_segs) {
		c->rec_oldest = c->rec_newest = k;
	} else if (first) {
		r->newer = c->rec_oldest;
		tcp_rec(c, c->rec_oldest)->older = k;
		c->rec_oldest = k;
	} else {
		r->older = at;
		r->newer = tcp_rec(c, at)->newer;
		tcp_rec(c, at)->newer = k;
		if (at == c->rec_newest)
			c->rec_newest = k;
		else
			tcp_rec(c, r->newer)->older = k;
	}
	c->flight_segs++;
}

static uint32_t rec_len(const struct dawn_tcp *c, uint16_t k)
{
	return tcp_rec(c, k)->end - tcp_rec_start(c, k);
}

/* Take `len` bytes of k out of the sums, all of it if `whole`. */
static void uncount(struct dawn_tcp *c, uint16_t k, uint32_t len, bool whole)
{
	const struct dawn_tcp_rec *r = tcp_rec(c, k);

	if (r->flags & REC_SACKED) {
		c->sacked -= len;
		c->sacked_segs -= whole;
	} else if (r->flags & REC_LOST) {
		c->lost_segs -= whole;
	} else {
		c->in_flight -= len;
		if (whole)
			list_del(c, k);
	}
}

static void to_flight(struct dawn_tcp *c, uint16_t k, uint64_t now_us)
{
	struct dawn_tcp_rec *r = tcp_rec(c, k);

	c->stamp_us = tcp_max64(now_us, c->stamp_us + 1);
	r->sent_us = c->stamp_us;
	list_put(c, k, false, c->rec_newest);
	c->in_flight += rec_len(c, k);
}

void dawn_tcp_rec_add(struct dawn_tcp *c, uint32_t end, uint8_t flags,
		      uint64_t now_us)
{
	uint16_t k = c->rec_tail++;
	struct dawn_tcp_rec *r = tcp_rec(c, k);

	r->end = end;
	r->flags = flags;
	to_flight(c, k, now_us);
	c->snd_nxt = end;
}

void dawn_tcp_rec_again(struct dawn_tcp *c, uint16_t k, uint64_t now_us)
{
	struct dawn_tcp_rec *r = tcp_rec(c, k);

	uncount(c, k, rec_len(c, k), true);
	r->flags = REC_RETX;
	to_flight(c, k, now_us);
}

/* The end of the flight, which counts as unsent from here on. */
static void unsend(struct dawn_tcp *c)
{
	uint16_t k = c->rec_tail - 1;

	uncount(c, k, rec_len(c, k), true);
	c->snd_nxt = tcp_rec_start(c, k);
	c->rec_tail = k;
}

/* Make record k + 1 free: those from there on get the next number. */
static void shift_up(struct dawn_tcp *c, uint16_t k)
{
	uint16_t at = k - c->rec_head;

	for (uint16_t j = c->rec_tail; j != (uint16_t)(k + 1); j--)
		*tcp_rec(c, j) = *tcp_rec(c, j - 1);
	c->rec_tail++;
	for (uint16_t j = c->rec_head; j != c->rec_tail; j++) {
		struct dawn_tcp_rec *r = tcp_rec(c, j);

		r->older += (uint16_t)(r->older - c->rec_head) > at;
		r->newer += (uint16_t)(r->newer - c->rec_head) > at;
	}
	c->rec_oldest += (uint16_t)(c->rec_oldest - c->rec_head) > at;
	c->rec_newest += (uint16_t)(c->rec_newest - c->rec_head) > at;
}

void dawn_tcp_rec_split(struct dawn_tcp *c, uint16_t k, uint32_t seq)
{
	struct dawn_tcp_rec *r = tcp_rec(c, k), *rest;

	/* A block of before may hold the first part, or what is unsent. */
	memset(c->seen, 0, sizeof(c->seen));
	if (tcp_rec_full(c) && k == (uint16_t)(c->rec_tail - 1)) {
		uncount(c, k, r->end - seq, false);
		r->end = c->snd_nxt = seq;
		return;
	}
	if (tcp_rec_full(c))
		unsend(c);
	shift_up(c, k);
	rest = tcp_rec(c, k + 1);
	rest->end = r->end;
	rest->flags = r->flags;
	rest->sent_us = r->sent_us;
	r->end = seq;
	if (r->flags & REC_LOST)
		c->lost_segs++;
	else
		list_put(c, k + 1, false, k);
}

void dawn_tcp_rec_join_last(struct dawn_tcp *c, uint16_t k, uint32_t max)
{
	uint16_t last = c->rec_tail - 1;

	if ((uint16_t)(k + 1) != last ||
	    !(tcp_rec(c, last)->flags & REC_LOST) ||
	    tcp_rec(c, last)->end - tcp_rec_start(c, k) > max)
		return;
	c->lost_segs--;
	tcp_rec(c, k)->end = tcp_rec(c, last)->end;
	c->rec_tail = last;
}

uint16_t dawn_tcp_rec_find(const struct dawn_tcp *c, uint32_t seq)
{
	uint16_t low = 0, high = tcp_recs(c);

	while (low < high) {
		uint16_t mid = low + (high - low) / 2;

		if (dawn_seq_gt(tcp_rec(c, c->rec_head + mid)->end, seq))
			high = mid;
		else
			low = mid + 1;
	}
	return c->rec_head + low;
}

uint16_t dawn_tcp_rec_first_lost(struct dawn_tcp *c)
{
	while (!(tcp_rec(c, c->rec_lost)->flags & REC_LOST))
		c->rec_lost++;
	return c->rec_lost;
}

void dawn_tcp_rec_sack(struct dawn_tcp *c, uint16_t k)
{
	struct dawn_tcp_rec *r = tcp_rec(c, k);
	uint32_t len = rec_len(c, k);

	uncount(c, k, len, true);
	r->flags = (r->flags & ~REC_LOST) | REC_SACKED;
	c->sacked += len;
	c->sacked_segs++;
}

void dawn_tcp_rec_lose(struct dawn_tcp *c, uint16_t k)
{
	struct dawn_tcp_rec *r = tcp_rec(c, k);

	uncount(c, k, rec_len(c, k), true);
	r->flags = (r->flags & ~REC_SACKED) | REC_LOST;
	if (!c->lost_segs++ || (int16_t)(k - c->rec_lost) < 0)
		c->rec_lost = k;
}

void dawn_tcp_rec_lose_all(struct dawn_tcp *c, bool in_flight)
{
	for (uint16_t k = c->rec_head; k != c->rec_tail; k++)
		if (in_flight || tcp_rec(c, k)->flags & REC_SACKED)
			dawn_tcp_rec_lose(c, k);
}

/* Newest first, and most are older than all in the list: a step for each. */
void dawn_tcp_rec_regain(struct dawn_tcp *c)
{
	for (uint16_t k = c->rec_tail; k-- != c->rec_head;) {
		struct dawn_tcp_rec *r = tcp_rec(c, k);
		uint16_t at = c->rec_oldest, behind = at;
		bool first = true;

		if (!(r->flags & REC_LOST))
			continue;
		for (uint16_t n = c->flight_segs; n; n--) {
			if (tcp_rec(c, at)->sent_us > r->sent_us)
				break;
			first = false;
			behind = at;
			at = tcp_rec(c, at)->newer;
		}
		list_put(c, k, first, behind);
		r->flags &= ~REC_LOST;
		c->lost_segs--;
		c->in_flight += rec_len(c, k);
	}
}

void dawn_tcp_rec_ack(struct dawn_tcp *c, struct tcp_ack *a)
{
	uint32_t ack = a->seg->ack, len;

	while (tcp_recs(c) && dawn_seq_gt(ack, c->snd_una)) {
		const struct dawn_tcp_rec *r = tcp_rec(c, c->rec_head);
		bool whole = dawn_seq_le(r->end, ack);

		len = (whole ? r->end : ack) - c->snd_una;
		if (!(r->flags & REC_SACKED)) {
			a->delivered += len;
			dawn_tcp_rack_delivered(c, c->rec_head, true, a);
		}
		uncount(c, c->rec_head, len, whole);
		c->snd_una += len;
		c->rec_head += whole;
	}
	a->delivered += ack - c->snd_una; /* what had no record */
	c->snd_una = ack;
	c->snd_nxt = tcp_seq_max(c->snd_nxt, ack);
	if ((int16_t)(c->rec_lost - c->rec_head) < 0)
		c->rec_lost = c->rec_head; /* keep it comparable */
}

int dawn_tcp_recs_move(struct dawn_tcp *c, struct dawn_tcp_recs to)
{
	if (to.size < DAWN_TCP_RECS_MIN || to.size > DAWN_TCP_RECS_MAX ||
	    to.size & (to.size - 1) || to.size < tcp_recs(c))
		return -EINVAL;
	for (uint16_t k = c->rec_head; k != c->rec_tail; k++)
		to.mem[k & (to.size - 1)] = *tcp_rec(c, k);
	c->recs = to;
	return 0;
}
