// SPDX-License-Identifier: MIT OR Apache-2.0
/* RACK-TLP: which segment is lost, told by time (RFC 8985). For peers with
 * SACK; the others have three duplicate ACKs (tcp_recover.c).
 *
 * ## Theory of operation
 *
 * A segment is lost if one that was sent after it has arrived and it had an RTT
 * and a reordering window of time more to arrive, too. So a retransmission that
 * was lost is found like any other segment, and nothing is counted. What
 * arrived is told by tcp_rec.c through dawn_tcp_rack_delivered(), then
 * dawn_tcp_rack_detect() looks at the list of what is in flight, oldest first,
 * and ends at the first that is not lost yet: its time is the reordering
 * timer's. (RFC 8985, 6.2, step 5 walks on and takes the latest; then the timer
 * fires once, here perhaps again.) Each step but the last loses a segment, so an
 * ACK costs what it finds.
 *
 * The loss probe (7): nothing came for two RTTs and nothing is known to be
 * lost, so the end of the flight may be. One segment more, new data or the last
 * again, has an ACK come, from which RACK sees the rest.
 *
 * The clock ticks every TCP_CLOCK_US, so a time between two events is wrong by
 * as much, either way. The reordering window, if there is one, is a tick at
 * least; a retransmission's RTT may be a tick below the smallest seen. On a path
 * whose RTT is below the tick, what tells an early retransmission from a late
 * original is the number of SACKED segments, as it was before RACK.
 */
#include "user/net/tcp_conn.h"

static uint32_t since_us(uint64_t now_us, uint64_t then_us)
{
	uint64_t us = tcp_max64(now_us, then_us) - then_us;

	return (uint32_t)tcp_min64(us, TCP_RTO_MAX_US);
}

/* 6.2, step 1: the smallest of some minutes. */
static void update_min_rtt(struct dawn_tcp *c, uint32_t rtt, uint64_t now_us)
{
	if (rtt > c->min_rtt_us && now_us - c->min_rtt_at < TCP_MIN_RTT_US)
		return;
	c->min_rtt_us = rtt;
	c->min_rtt_at = now_us;
}

/* 6.2, step 2: was it perhaps an earlier copy that arrived? The echo of an ACK
 * that only SACKs is older than what it SACKs: it says nothing. */
static bool ambiguous(const struct dawn_tcp *c, const struct dawn_tcp_rec *r,
		      uint32_t rtt, bool cumulative, const struct tcp_ack *a)
{
	uint32_t sent_ts = tcp_ms(r->sent_us) + c->ts_offset;

	if (!(r->flags & REC_RETX))
		return false;
	/* A millisecond less: times of sending are made unlike. */
	if (cumulative && a->seg->has_ts &&
	    dawn_seq_lt(a->seg->tsecr, sent_ts - 1))
		return true;
	return c->min_rtt_us != UINT32_MAX &&
	       rtt + TCP_CLOCK_US < c->min_rtt_us;
}

/* Step 3 compares with what was delivered before this ACK: it may tell late,
 * and of many. */
void dawn_tcp_rack_delivered(struct dawn_tcp *c, uint16_t k, bool cumulative,
			     const struct tcp_ack *a)
{
	const struct dawn_tcp_rec *r = tcp_rec(c, k);
	uint32_t rtt = since_us(a->now_us, r->sent_us);

	if (!(r->flags & REC_RETX)) {
		update_min_rtt(c, rtt, a->now_us);
		if (dawn_seq_lt(r->end, a->fack))
			c->reord_seen = true;
	}
	c->rack_fack = tcp_seq_max(c->rack_fack, r->end);
	if (r->sent_us <= c->rack_us || ambiguous(c, r, rtt, cumulative, a))
		return;
	c->rack_us = r->sent_us;
	c->rack_at_us = a->now_us;
}

/* Step 4, as long as duplicates show that the window was too small. Those of
 * a loss probe do not show it. */
void dawn_tcp_rack_dsack(struct dawn_tcp *c, const struct tcp_ack *a)
{
	if (c->dsack_round && dawn_seq_ge(c->snd_una, c->rack_round))
		c->dsack_round = false;
	if (c->dsack_round || !a->dsack || a->dsack_tlp)
		return;
	c->dsack_round = true;
	c->rack_round = c->snd_max;
	if (c->reo_mult < UINT8_MAX)
		c->reo_mult++;
	c->reo_persist = TCP_REO_PERSIST;
}

void dawn_tcp_rack_done(struct dawn_tcp *c)
{
	if (c->reo_persist && --c->reo_persist == 0)
		c->reo_mult = 1;
}

/* Step 4. */
static uint32_t reo_wnd_us(const struct dawn_tcp *c)
{
	uint64_t wnd;

	if (!c->reord_seen &&
	    (c->phase != TCP_OPEN || c->sacked_segs >= TCP_DUPTHRESH))
		return 0;
	wnd = (uint64_t)c->reo_mult * c->min_rtt_us / 4;
	return tcp_max((uint32_t)tcp_min64(wnd, c->srtt_us), TCP_CLOCK_US);
}

/* RACK.rtt and the window: how long after it was sent a segment is lost. RTTs
 * below the tick come out as less than nothing, modulo 2^64. */
static uint64_t lost_after_us(const struct dawn_tcp *c)
{
	return c->rack_at_us - c->rack_us + reo_wnd_us(c);
}

/* Step 5. */
bool dawn_tcp_rack_detect(struct dawn_tcp *c, uint64_t now_us)
{
	uint64_t wait = lost_after_us(c);
	bool lost = false;

	if (c->early == TCP_EARLY_REO) {
		c->early = TCP_EARLY_NONE;
		c->early_at = TCP_NEVER;
	}
	while (c->flight_segs) {
		const struct dawn_tcp_rec *r = tcp_rec(c, c->rec_oldest);

		if (r->sent_us >= c->rack_us)
			break;
		if (r->sent_us + wait > now_us) {
			c->early = TCP_EARLY_REO;
			c->early_at = r->sent_us + wait;
			break;
		}
		if (dawn_seq_gt(r->end, c->recover))
			c->lost_again = true;
		dawn_tcp_rec_lose(c, c->rec_oldest);
		c->counts.rack_lost++;
		lost = true;
	}
	return lost;
}

/* 6.3. What was sent a moment ago is on its way. */
void dawn_tcp_rack_timeout(struct dawn_tcp *c, uint64_t now_us)
{
	uint64_t wait = lost_after_us(c);

	if (tcp_recs(c))
		dawn_tcp_rec_lose(c, c->rec_head);
	while (c->flight_segs &&
	       tcp_rec(c, c->rec_oldest)->sent_us + wait <= now_us)
		dawn_tcp_rec_lose(c, c->rec_oldest);
}

/* 7.3: one probe at a time, and not while a loss is known or likely. */
bool dawn_tcp_tlp_allowed(const struct dawn_tcp *c)
{
	return tcp_uses_sack(c) && c->phase == TCP_OPEN && !c->sacked_segs &&
	       !c->lost_segs && !c->tlp_out && tcp_recs(c) &&
	       c->rtx_mode == TCP_RTX_RTO && c->snd_wnd && !c->adopt_due;
}

uint32_t dawn_tcp_pto_us(uint32_t srtt_us, bool one)
{
	uint32_t pto = 2 * tcp_min(srtt_us, TCP_RTO_MAX_US);

	if (!srtt_us)
		return TCP_RTO_INIT_US;
	return tcp_max(pto + (one ? TCP_ACK_DELAY_US : 0), TCP_PTO_MIN_US);
}

/* 7.2. Never later than the retransmission timer. */
void dawn_tcp_tlp_start(struct dawn_tcp *c, uint64_t now_us)
{
	uint32_t pto = dawn_tcp_pto_us(c->srtt_us, tcp_recs(c) == 1);

	if (c->early == TCP_EARLY_REO)
		return;
	c->early = TCP_EARLY_NONE;
	c->early_at = TCP_NEVER;
	if (!dawn_tcp_tlp_allowed(c))
		return;
	c->early = TCP_EARLY_TLP;
	c->early_at = tcp_min64(now_us + pto, c->rtx_at);
}

/* 7.4.2. If the probe was the last segment again and nothing says that two
 * copies arrived, it has repaired a loss, which congestion control must see. */
void dawn_tcp_tlp_ack(struct dawn_tcp *c, const struct tcp_ack *a)
{
	uint32_t ack = a->seg->ack;
	bool dup = ack == c->tlp_end && a->dup && !a->seg->sack_count;
	bool needless = !c->tlp_retx || a->dsack_tlp || dup;

	if (!c->tlp_out || dawn_seq_lt(ack, c->tlp_end))
		return;
	if (!needless && ack == c->tlp_end)
		return; /* not told yet */
	c->tlp_out = false;
	if (needless || c->phase != TCP_OPEN)
		return; /* or congestion control has seen a loss */
	c->cc->loss(c, a->flight);
	c->cwnd = c->ssthresh;
}
