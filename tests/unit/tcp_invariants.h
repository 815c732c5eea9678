/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What holds of a control block between any two calls, found the slow way: sums
 * by adding, orders by walking (user/net/tcp_conn.h says what the fields mean).
 */
#ifndef DAWN_TEST_TCP_INVARIANTS_H
#define DAWN_TEST_TCP_INVARIANTS_H

#include "user/net/tcp_conn.h"

#define TCP_BROKEN_IF(condition)           \
	do {                               \
		if (condition)             \
			return #condition; \
	} while (0)

/* Records cover [snd_una, snd_nxt), and the sums are theirs. */
static inline const char *tcp_records_broken(const struct dawn_tcp *c)
{
	uint32_t flight = 0, sacked = 0, at = c->snd_una;
	uint16_t flying = 0, held = 0, lost = 0;

	TCP_BROKEN_IF(tcp_recs(c) > c->recs.size);
	for (uint16_t k = c->rec_head; k != c->rec_tail; k++) {
		const struct dawn_tcp_rec *r = tcp_rec(c, k);
		uint32_t len = r->end - at;

		TCP_BROKEN_IF(!dawn_seq_gt(r->end, at));
		TCP_BROKEN_IF(r->sent_us > c->stamp_us);
		at = r->end;
		switch (r->flags & (REC_SACKED | REC_LOST)) {
		case 0:
			flight += len;
			flying++;
			break;
		case REC_SACKED:
			TCP_BROKEN_IF(k == c->rec_head);
			sacked += len;
			held++;
			break;
		case REC_LOST:
			TCP_BROKEN_IF((int16_t)(k - c->rec_lost) < 0);
			lost++;
			break;
		default:
			return "SACKED and LOST";
		}
	}
	TCP_BROKEN_IF(at != c->snd_nxt);
	TCP_BROKEN_IF(flight != c->in_flight || flying != c->flight_segs);
	TCP_BROKEN_IF(sacked != c->sacked || held != c->sacked_segs);
	TCP_BROKEN_IF(lost != c->lost_segs);
	TCP_BROKEN_IF((uint16_t)(c->rec_lost - c->rec_head) > tcp_recs(c) &&
		      lost);
	return NULL;
}

/* The list by time: all in flight, each after the one before, both ways. */
static inline const char *tcp_list_broken(const struct dawn_tcp *c)
{
	uint16_t k = c->rec_oldest;

	for (uint16_t n = 0; n < c->flight_segs; n++) {
		const struct dawn_tcp_rec *r = tcp_rec(c, k);

		TCP_BROKEN_IF((uint16_t)(k - c->rec_head) >= tcp_recs(c));
		TCP_BROKEN_IF(r->flags & (REC_SACKED | REC_LOST));
		if (n + 1 == c->flight_segs) {
			TCP_BROKEN_IF(k != c->rec_newest);
			break;
		}
		TCP_BROKEN_IF(tcp_rec(c, r->newer)->older != k);
		TCP_BROKEN_IF(tcp_rec(c, r->newer)->sent_us < r->sent_us);
		k = r->newer;
	}
	return NULL;
}

static inline const char *tcp_receive_broken(const struct dawn_tcp *c)
{
	uint32_t at = c->rcv_nxt, end = c->rcv_read + c->rcv.size;

	TCP_BROKEN_IF(tcp_unread(c) > c->rcv.size);
	TCP_BROKEN_IF(dawn_seq_gt(c->rcv_nxt, c->rcv_adv));
	TCP_BROKEN_IF(dawn_seq_gt(c->rcv_acked, c->rcv_nxt));
	TCP_BROKEN_IF(c->fin_held && !c->fin_rcvd &&
		      dawn_seq_lt(c->rcv_fin, c->rcv_nxt));
	for (int i = 0; i < c->ooo_count; i++) {
		TCP_BROKEN_IF(!dawn_seq_gt(c->ooo[i].start, at));
		TCP_BROKEN_IF(!dawn_seq_gt(c->ooo[i].end, c->ooo[i].start));
		TCP_BROKEN_IF(dawn_seq_gt(c->ooo[i].end, end));
		at = c->ooo[i].end;
	}
	TCP_BROKEN_IF(c->recent_count > DAWN_TCP_SACK_MAX);
	return NULL;
}

static inline const char *tcp_timers_broken(const struct dawn_tcp *c)
{
	TCP_BROKEN_IF((c->rtx_mode == TCP_RTX_NONE) !=
		      (c->rtx_at == TCP_NEVER));
	TCP_BROKEN_IF((c->early == TCP_EARLY_NONE) !=
		      (c->early_at == TCP_NEVER));
	TCP_BROKEN_IF(tcp_flight(c) && c->rtx_mode == TCP_RTX_NONE);
	TCP_BROKEN_IF(c->lost_segs && c->rtx_mode == TCP_RTX_NONE);
	TCP_BROKEN_IF(c->early != TCP_EARLY_NONE && c->early_at > c->rtx_at);
	return NULL;
}

/* Return: what does not hold; NULL: all does. */
static inline const char *tcp_broken(const struct dawn_tcp *c)
{
	const char *what = tcp_receive_broken(c);

	if (c->state == DAWN_TCP_CLOSED)
		return NULL;
	TCP_BROKEN_IF(dawn_seq_gt(c->snd_una, c->snd_nxt));
	TCP_BROKEN_IF(dawn_seq_gt(c->snd_nxt, c->snd_max));
	TCP_BROKEN_IF(dawn_seq_gt(c->snd_max, c->snd_end + c->fin_queued));
	TCP_BROKEN_IF(c->snd_end - c->snd_una > c->snd.size && !c->adopt_due &&
		      !tcp_fin_acked(c));
	TCP_BROKEN_IF(!c->ssthresh || !c->cwnd);
	TCP_BROKEN_IF(c->undo && !(c->opt & DAWN_FLOW_TS));
	TCP_BROKEN_IF(c->undo && c->undo_sent &&
		      dawn_seq_gt(c->undo_end, c->snd_max));
	TCP_BROKEN_IF(c->timing && dawn_seq_gt(c->rtt_seq, c->snd_max));
	TCP_BROKEN_IF(c->phase != TCP_OPEN &&
		      dawn_seq_gt(c->recover, c->snd_max));
	TCP_BROKEN_IF(c->rack_us && dawn_seq_gt(c->rack_fack, c->snd_max));
	TCP_BROKEN_IF(c->tlp_out && dawn_seq_gt(c->tlp_end, c->snd_max));
	if (!what)
		what = tcp_records_broken(c);
	if (!what)
		what = tcp_list_broken(c);
	return what ? what : tcp_timers_broken(c);
}

#endif
