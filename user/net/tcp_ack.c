// SPDX-License-Identifier: MIT OR Apache-2.0
/* What an acknowledgment means: RFC 9293, 3.10.7.4, fifth, with the loss
 * recovery of RFC 5681, 3.2, and 6582, limited transmit (RFC 3042; the room
 * for it is made in tcp_output.c), and the samples of RFC 6298 and 7323.
 *
 * With SACK, a duplicate ACK counts only if it says something new, bytes the
 * peer holds are not counted as in flight, and cwnd is not inflated: the two
 * would count the same departure twice.
 */
#include "user/net/tcp_conn.h"

static bool uses_sack(const struct dawn_tcp *c)
{
	return c->opt & DAWN_FLOW_SACK;
}

/* Timestamp echoes serve when nothing is timed, that is around a
 * retransmission: there the timed segment would be ambiguous. After a timeout
 * so is an echo from before it: was the first copy slow, or only its ACK lost?
 * Return: whether there was a sample. */
static bool take_rtt(struct dawn_tcp *c, const struct dawn_tcp_seg *seg,
		     uint64_t now_us)
{
	uint64_t us;

	if (c->timing) {
		if (dawn_seq_lt(seg->ack, c->rtt_seq))
			return false;
		c->timing = false;
		us = now_us - c->rtt_us;
	} else {
		if (!(c->opt & DAWN_FLOW_TS) || !seg->tsecr)
			return false;
		if (c->phase == TCP_LOSS &&
		    dawn_seq_lt(seg->tsecr, c->timeout_ts))
			return false;
		us = (tcp_ms(now_us) + c->ts_offset - seg->tsecr) * 1000ULL;
		if (us > TCP_RTO_MAX_US)
			return false;
	}
	if (us > TCP_RTO_MAX_US)
		us = TCP_RTO_MAX_US;
	dawn_tcp_rtt_sample(c, (uint32_t)us);
	return true;
}

static void end_recovery(struct dawn_tcp *c)
{
	uint32_t flight = tcp_max(tcp_flight(c), c->smss);

	c->phase = TCP_OPEN;
	/* RFC 6582, 3.2, step 3, option 1: no burst at the end. */
	c->cwnd = tcp_min(c->ssthresh, flight + c->smss);
}

/* RFC 6582, 3.2, step 3, partial acknowledgments: the next segment is lost
 * too. Only the first one restarts the timer. */
static bool partial_ack(struct dawn_tcp *c, uint32_t acked)
{
	bool first = !c->partial_seen;

	c->partial_seen = true;
	c->rtx_due = true;
	if (!uses_sack(c)) {
		c->cwnd -= tcp_min(acked, c->cwnd);
		if (acked >= c->smss)
			c->cwnd += c->smss;
		c->cwnd = tcp_max(c->cwnd, c->smss);
	}
	return first;
}

/* Congestion state after snd_una rose by `acked` from a flight of `before`.
 * Return: whether the retransmission timer starts anew. */
static bool on_progress(struct dawn_tcp *c, uint32_t acked, uint32_t before,
			uint64_t now_us)
{
	bool full = dawn_seq_ge(c->snd_una, c->recover);

	if (c->phase == TCP_RECOVERY && !full)
		return partial_ack(c, acked);
	if (c->phase == TCP_RECOVERY) {
		end_recovery(c);
		return true;
	}
	if (c->phase == TCP_LOSS && full)
		c->phase = TCP_OPEN;
	else if (c->phase == TCP_OPEN && dawn_seq_gt(c->snd_una, c->recover))
		c->recover = c->snd_una - 1; /* keep it comparable */
	/* A window that is not used proves nothing: it does not grow. */
	if (c->cwnd_limited || c->phase == TCP_LOSS ||
	    (c->cwnd < c->ssthresh && before > c->cwnd / 2))
		c->cc->acked(c, acked, now_us);
	return true;
}

static unsigned int new_ack(struct dawn_tcp *c, const struct dawn_tcp_seg *seg,
			    uint64_t now_us)
{
	uint32_t acked = seg->ack - c->snd_una, before = tcp_flight(c);
	bool restart;

	/* Karn: the backoff stays until a segment was measured. */
	if (take_rtt(c, seg, now_us))
		c->backoff = 0;
	c->snd_una = seg->ack;
	c->snd_wnd -= tcp_min(acked, c->snd_wnd); /* the edge stays */
	c->snd_nxt = tcp_seq_max(c->snd_nxt, c->snd_una);
	if (c->sacked_count)
		dawn_tcp_sack_prune(c);
	c->dupacks = 0;
	c->unreachable = false;
	c->rtx_due = false;
	c->progress_us = now_us;
	restart = on_progress(c, acked, before, now_us);
	if (!tcp_flight(c))
		dawn_tcp_rtx_stop(c); /* RFC 6298, 5.2 */
	else if (restart)
		dawn_tcp_rtx_restart(c, now_us); /* 5.3 */
	return DAWN_TCP_EV_SPACE;
}

/* RFC 5681, 2: data outstanding, no data, no FIN, same window. With SACK: RFC
 * 6675, 2. */
static bool is_duplicate(const struct dawn_tcp *c,
			 const struct dawn_tcp_seg *seg, uint32_t wnd,
			 bool sack_news)
{
	if (seg->ack != c->snd_una || !tcp_flight(c) ||
	    c->rtx_mode == TCP_RTX_PERSIST)
		return false;
	if (uses_sack(c))
		return sack_news;
	return !seg->len && !(seg->flags & DAWN_TCP_FIN) && wnd == c->snd_wnd;
}

/* RFC 6582, 3.2, step 2. What limited transmit added to the flight does not
 * count (RFC 5681, 3.2, step 2). */
static void enter_recovery(struct dawn_tcp *c)
{
	c->cc->loss(c, tcp_min(tcp_flight(c), c->cwnd));
	c->phase = TCP_RECOVERY;
	c->recover = c->snd_max;
	c->partial_seen = false;
	c->cwnd = c->ssthresh;
	if (!uses_sack(c))
		c->cwnd += TCP_DUPTHRESH * c->smss;
	c->rtx_due = true;
	c->counts.fast_retransmit++;
}

/* A burst may reach us as one ACK with a large block: RFC 6675, 4, IsLost. */
static bool loss_proven(const struct dawn_tcp *c)
{
	if (c->dupacks >= TCP_DUPTHRESH)
		return true;
	return c->sacked_count && dawn_tcp_sack_below(c, c->snd_max) >
					  (TCP_DUPTHRESH - 1U) * c->smss;
}

static void duplicate_ack(struct dawn_tcp *c)
{
	if (c->dupacks < UINT8_MAX)
		c->dupacks++;
	if (c->phase == TCP_RECOVERY) {
		if (!uses_sack(c)) /* RFC 5681, 3.2, step 4 */
			c->cwnd += c->smss;
		return;
	}
	/* RFC 6582, 3.2, step 1: not again for the window that was repaired
	 * last, whose needless copies make duplicates too. A SACK block shows
	 * which it is. */
	if (c->phase == TCP_OPEN && loss_proven(c) &&
	    (uses_sack(c) || dawn_seq_gt(c->snd_una, c->recover)))
		enter_recovery(c);
}

/* RFC 9293, 3.10.7.4: not from segments that are older than the last update. */
static void update_window(struct dawn_tcp *c, const struct dawn_tcp_seg *seg,
			  uint32_t wnd)
{
	if (dawn_seq_gt(c->snd_wl1, seg->seq))
		return;
	if (c->snd_wl1 == seg->seq && dawn_seq_gt(c->snd_wl2, seg->ack))
		return;
	c->snd_wnd = wnd;
	c->snd_wl1 = seg->seq;
	c->snd_wl2 = seg->ack;
	c->max_snd_wnd = tcp_max(c->max_snd_wnd, wnd);
}

/* The peer has our FIN. */
static unsigned int fin_acked(struct dawn_tcp *c, uint64_t now_us)
{
	switch (c->state) {
	case DAWN_TCP_FIN_WAIT_1:
		c->state = DAWN_TCP_FIN_WAIT_2;
		dawn_tcp_life_start(c, now_us);
		return DAWN_TCP_EV_PROGRESS;
	case DAWN_TCP_CLOSING:
		c->state = DAWN_TCP_TIME_WAIT;
		dawn_tcp_life_start(c, now_us);
		return DAWN_TCP_EV_PROGRESS;
	case DAWN_TCP_LAST_ACK:
		dawn_tcp_close(c);
		return DAWN_TCP_EV_CLOSED | DAWN_TCP_EV_PROGRESS;
	default:
		return 0;
	}
}

unsigned int dawn_tcp_ack_input(struct dawn_tcp *c,
				const struct dawn_tcp_seg *seg, uint64_t now_us)
{
	uint32_t wnd = (uint32_t)seg->wnd << c->snd_wscale;
	unsigned int events = 0;
	bool news = false;

	if (dawn_seq_lt(seg->ack, c->snd_una))
		return 0; /* old: it says nothing that is still true */
	if (seg->sack_count && uses_sack(c))
		news = dawn_tcp_sack_input(c, seg);
	if (dawn_seq_gt(seg->ack, c->snd_una))
		events = new_ack(c, seg, now_us);
	else if (is_duplicate(c, seg, wnd, news))
		duplicate_ack(c);
	update_window(c, seg, wnd);
	if (tcp_fin_acked(c))
		events |= fin_acked(c, now_us);
	return events;
}
