// SPDX-License-Identifier: MIT OR Apache-2.0
/* Loss recovery: how much to send once a loss is known, when it is over, and
 * what if there was none.
 *
 * ## Theory of operation
 *
 * A loss is found by RACK (tcp_rack.c) or, for peers without SACK, by the third
 * duplicate ACK (RFC 5681, 3.2; RFC 6582). It marks records LOST, and output
 * sends those first, as far as cwnd leaves room beside what is in flight.
 *
 *   OPEN ── loss ──► RECOVERY ── `recover` acknowledged ──► OPEN
 *   any ── timeout ──► LOSS ── `recover` acknowledged ──► OPEN
 *
 * With SACK cwnd is set by proportional rate reduction (RFC 9937), anew with
 * each ACK: what is in flight and what may be sent now. What is lost of the data
 * sent during a recovery is repaired in it, but is another congestion event: a
 * new recovery begins where the old ends. Without SACK, each duplicate ACK
 * inflates cwnd (RFC 6582).
 *
 * Undo: if the ACK for what was sent again echoes a timestamp from before, the
 * original has arrived (Eifel: RFC 3522), and cwnd and ssthresh go back to what
 * they were (RFC 4015). A timeout is judged by its first ACK, a recovery when
 * everything that was sent again is acknowledged.
 *
 * Reneging (RFC 2018, 8): an ACK that ends where a SACKED record begins says that
 * the peer threw it away. Then no SACK is believed that came before.
 */
#include "user/net/tcp_conn.h"

static void save_undo(struct dawn_tcp *c)
{
	c->undo = c->opt & DAWN_FLOW_TS;
	c->undo_sent = false;
	c->undo_cwnd = c->phase == TCP_RECOVERY ? c->ssthresh : c->cwnd;
	c->undo_ssthresh = c->ssthresh;
}

void dawn_tcp_undo_sent(struct dawn_tcp *c, uint32_t end, uint64_t now_us)
{
	if (!c->undo_sent) {
		c->undo_ts = tcp_ms(now_us) + c->ts_offset;
		c->undo_end = end;
	}
	c->undo_sent = true;
	c->undo_end = tcp_seq_max(c->undo_end, end);
}

void dawn_tcp_undo(struct dawn_tcp *c, const struct tcp_ack *a)
{
	const struct dawn_tcp_seg *seg = a->seg;

	if (!c->undo || !c->undo_sent || !seg->tsecr)
		return;
	if (!dawn_seq_lt(seg->tsecr, c->undo_ts)) {
		c->undo = false; /* it is the copy that arrived first */
		return;
	}
	if (c->phase == TCP_RECOVERY && dawn_seq_lt(seg->ack, c->undo_end))
		return;
	if (c->phase == TCP_RECOVERY)
		c->reord_seen = true;
	c->cwnd = c->undo_cwnd;
	c->ssthresh = tcp_max(c->ssthresh, c->undo_ssthresh);
	c->phase = TCP_OPEN;
	c->undo = c->cwnd_limited = false;
	dawn_tcp_rec_regain(c);
	dawn_tcp_rack_done(c);
	c->counts.spurious++;
}

/* RFC 5681, 3.2, steps 2 and 3; RFC 6675, 5, step 4. What limited transmit
 * added to the flight does not count. */
static void enter_recovery(struct dawn_tcp *c, uint32_t flight,
			   uint32_t delivered)
{
	save_undo(c);
	c->cc->loss(c, tcp_min(flight, c->cwnd));
	c->phase = TCP_RECOVERY;
	c->recover = c->snd_max;
	c->partial_seen = c->lost_again = c->tlp_out = false;
	c->cwnd = c->ssthresh;
	c->prr_delivered = c->prr_out = 0;
	c->prr_flight = c->snd_nxt - c->snd_una - c->sacked + delivered;
	c->counts.fast_retransmit++;
}

/* RFC 9937, 6.2. */
static void prr(struct dawn_tcp *c, uint32_t delivered, bool safe)
{
	uint64_t share;
	int64_t send;
	uint32_t now;

	c->prr_delivered += delivered;
	if (c->in_flight > c->ssthresh) {
		share = (uint64_t)c->prr_delivered * c->ssthresh;
		share = (share + c->prr_flight - 1) / tcp_max(c->prr_flight, 1);
		send = (int64_t)share - c->prr_out;
	} else {
		send = (int64_t)c->prr_delivered - c->prr_out;
		if (send < delivered)
			send = delivered;
		if (safe)
			send += c->smss;
		if (send > (int64_t)c->ssthresh - c->in_flight)
			send = (int64_t)c->ssthresh - c->in_flight;
	}
	/* The fast retransmit; and one segment where nothing else would ever
	 * bring an ACK, as a repair was lost of which nothing is left. */
	now = send > 0 ? (uint32_t)send : 0;
	if (!c->prr_out || !c->in_flight)
		now = tcp_max(now, c->smss);
	c->cwnd = c->in_flight + now;
}

/* A window that is not used proves nothing: it does not grow. */
static void grow(struct dawn_tcp *c, const struct tcp_ack *a)
{
	if (c->cwnd_limited || c->phase == TCP_LOSS ||
	    (c->cwnd < c->ssthresh && a->flight > c->cwnd / 2))
		c->cc->acked(c, a->acked, a->now_us);
}

/* The end of a phase, once `recover` is acknowledged. Return: whether what was
 * sent during a recovery is lost, too: the next begins. */
static bool end_phase(struct dawn_tcp *c)
{
	bool again = c->phase == TCP_RECOVERY && c->lost_again && tcp_recs(c);

	if (c->phase == TCP_RECOVERY)
		c->cwnd = c->ssthresh;
	c->phase = TCP_OPEN;
	c->undo = false;
	dawn_tcp_rack_done(c);
	return again;
}

static bool reneged(const struct dawn_tcp *c)
{
	return tcp_recs(c) && tcp_rec(c, c->rec_head)->flags & REC_SACKED;
}

void dawn_tcp_recover_sack(struct dawn_tcp *c, struct tcp_ack *a)
{
	bool grows = a->acked && c->phase != TCP_RECOVERY, lost;

	dawn_tcp_rack_dsack(c, a);
	dawn_tcp_tlp_ack(c, a);
	lost = dawn_tcp_rack_detect(c, a->now_us);
	if (reneged(c)) {
		dawn_tcp_rec_lose_all(c, false);
		lost = true;
	}
	if (c->phase != TCP_OPEN && a->acked &&
	    dawn_seq_ge(c->snd_una, c->recover))
		lost |= end_phase(c);
	if (c->phase == TCP_OPEN && lost)
		enter_recovery(c, a->flight, a->delivered);
	a->restart = a->acked;
	if (c->phase == TCP_RECOVERY) {
		/* As long as data arrive RACK finds what is lost, a repair too;
		 * it needs two round trips then (RFC 6675, 6). */
		a->restart = a->delivered;
		prr(c, a->delivered, a->acked && !lost);
	} else if (grows) {
		grow(c, a);
	}
}

void dawn_tcp_recover_reo(struct dawn_tcp *c, uint64_t now_us)
{
	if (!dawn_tcp_rack_detect(c, now_us))
		return;
	if (c->phase == TCP_OPEN)
		enter_recovery(c, tcp_flight(c), 0);
	if (c->phase == TCP_RECOVERY)
		prr(c, 0, false);
}

/* RFC 6298, 5.4 to 5.6; RFC 5681, 3.1; RFC 6675, 5.1: what the peer claimed to
 * hold is not sent again, unless it lied. A repeated timeout finds the same
 * flight, so ssthresh stays, as it must; a recovery has lowered it already. */
void dawn_tcp_recover_timeout(struct dawn_tcp *c, uint64_t now_us)
{
	if (c->phase != TCP_LOSS)
		save_undo(c);
	if (c->phase != TCP_RECOVERY)
		c->cc->loss(c, tcp_flight(c));
	c->cc->timeout(c);
	c->phase = TCP_LOSS;
	c->timeout_ts = tcp_ms(now_us) + c->ts_offset;
	c->recover = c->snd_max;
	c->tlp_out = false;
	c->rtx_due = true;
	c->counts.rto++;
	if (!tcp_uses_sack(c))
		dawn_tcp_rec_lose_all(c, true);
	else
		dawn_tcp_rack_timeout(c, now_us);
}

/* The rest is for peers without SACK: RFC 5681 and 6582. */

static void resend_first(struct dawn_tcp *c)
{
	if (!tcp_recs(c))
		return;
	dawn_tcp_rec_lose(c, c->rec_head);
	c->rtx_due = true;
}

/* RFC 6582, 3.2, step 3, partial acknowledgments: the next segment is lost
 * too. Only the first one restarts the timer. */
static bool partial_ack(struct dawn_tcp *c, uint32_t acked)
{
	bool first = !c->partial_seen;

	c->partial_seen = true;
	c->cwnd = tcp_minus(c->cwnd, acked);
	if (acked >= c->smss)
		c->cwnd += c->smss;
	c->cwnd = tcp_max(c->cwnd, c->smss);
	resend_first(c);
	return first;
}

static void duplicate_ack(struct dawn_tcp *c, const struct tcp_ack *a)
{
	if (c->dupacks < UINT8_MAX)
		c->dupacks++;
	if (c->phase == TCP_RECOVERY) /* RFC 5681, 3.2, step 4 */
		c->cwnd += c->smss;
	/* RFC 6582, 3.2, step 1: not again for the window that was repaired
	 * last, whose needless copies make duplicates too. */
	if (c->phase != TCP_OPEN || c->dupacks < TCP_DUPTHRESH ||
	    !dawn_seq_gt(c->snd_una, c->recover))
		return;
	enter_recovery(c, a->flight, 0);
	c->cwnd += TCP_DUPTHRESH * c->smss;
	resend_first(c);
}

void dawn_tcp_recover_plain(struct dawn_tcp *c, struct tcp_ack *a)
{
	bool full = dawn_seq_ge(c->snd_una, c->recover);

	if (!a->acked) {
		if (a->dup)
			duplicate_ack(c, a);
		return;
	}
	c->dupacks = 0;
	a->restart = true;
	if (c->phase == TCP_RECOVERY && !full) {
		a->restart = partial_ack(c, a->acked);
		return;
	}
	if (c->phase == TCP_RECOVERY) {
		end_phase(c);
		/* RFC 6582, 3.2, step 3, option 1: no burst at the end. */
		c->cwnd = tcp_min(c->ssthresh,
				  tcp_max(tcp_flight(c), c->smss) + c->smss);
		return;
	}
	if (c->phase == TCP_LOSS && full)
		end_phase(c);
	c->recover = tcp_seq_max(c->recover, c->snd_una - 1); /* comparable */
	grow(c, a);
}
