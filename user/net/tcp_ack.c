// SPDX-License-Identifier: MIT OR Apache-2.0
/* What an acknowledgment means: RFC 9293, 3.10.7.4, fifth, with the samples of
 * RFC 6298 and 7323. What it says of losses goes to tcp_recover.c; the room for
 * limited transmit (RFC 3042) is made in tcp_output.c.
 */
#include "user/net/tcp_conn.h"

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
	dawn_tcp_rtt_sample(c, us);
	return true;
}

/* The byte of a window probe, and nothing else. */
static bool probe_taken(const struct dawn_tcp *c, const struct tcp_ack *a)
{
	return c->rtx_mode == TCP_RTX_PERSIST && a->acked == 1;
}

static unsigned int new_ack(struct dawn_tcp *c, struct tcp_ack *a)
{
	const struct dawn_tcp_seg *seg = a->seg;

	a->acked = seg->ack - c->snd_una;
	/* If a timeout was none, the echo is a sample. */
	dawn_tcp_undo(c, a);
	/* Karn: the backoff stays until a segment was measured. */
	if (take_rtt(c, seg, a->now_us) && !probe_taken(c, a))
		c->backoff = 0;
	c->snd_wnd = tcp_minus(c->snd_wnd, a->acked); /* the edge stays */
	dawn_tcp_rec_ack(c, a);
	c->rtx_due = false; /* what is lost is clocked again */
	c->unreachable = false;
	c->progress_us = a->now_us;
	return DAWN_TCP_EV_SPACE;
}

/* RFC 5681, 2: data outstanding, no data, no FIN, same window. */
static bool is_duplicate(const struct dawn_tcp *c,
			 const struct dawn_tcp_seg *seg, uint32_t wnd)
{
	return seg->ack == c->snd_una && tcp_flight(c) &&
	       c->rtx_mode != TCP_RTX_PERSIST && !seg->len &&
	       !(seg->flags & DAWN_TCP_FIN) && wnd == c->snd_wnd;
}

/* Nothing is in flight any more: RFC 6298, 5.2. If it was the byte of a probe and
 * there are more, probing goes on as slowly as it was (RFC 9293, SHLD-30), else
 * one who takes a byte at a time has a probe each RTO for ever. If there is a
 * window now, sending ends it. */
static void all_acked(struct dawn_tcp *c, const struct tcp_ack *a)
{
	if (probe_taken(c, a) && dawn_seq_lt(c->snd_nxt, c->snd_end))
		dawn_tcp_rtx_restart(c, a->now_us);
	else
		dawn_tcp_rtx_stop(c);
}

static void set_timers(struct dawn_tcp *c, const struct tcp_ack *a)
{
	if (a->acked && !tcp_flight(c))
		all_acked(c, a);
	else if (a->restart)
		dawn_tcp_rtx_restart(c, a->now_us); /* RFC 6298, 5.3 */
	/* RFC 8985, 7.2: with progress anew, with SACKED segments never. */
	if (a->acked || (c->early == TCP_EARLY_TLP && !dawn_tcp_tlp_allowed(c)))
		dawn_tcp_tlp_start(c, a->now_us);
}

/* RFC 9293, 3.10.7.4: not from segments that are older than the last update. Its
 * SND.WL2 is never above SND.UNA, and ACKs below that do not come here. */
static void update_window(struct dawn_tcp *c, const struct dawn_tcp_seg *seg,
			  uint32_t wnd)
{
	if (dawn_seq_gt(c->snd_wl1, seg->seq))
		return;
	c->snd_wnd = wnd;
	c->snd_wl1 = seg->seq;
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
	struct tcp_ack a = {
		.seg = seg,
		.now_us = now_us,
		.fack = c->rack_fack,
		.flight = tcp_flight(c),
	};
	unsigned int events = 0;

	if (dawn_seq_lt(seg->ack, c->snd_una))
		return 0; /* old: it says nothing that is still true */
	a.dup = is_duplicate(c, seg, wnd);
	if (dawn_seq_gt(seg->ack, c->snd_una))
		events = new_ack(c, &a);
	if (tcp_uses_sack(c)) {
		if (seg->sack_count)
			dawn_tcp_sack_input(c, &a);
		dawn_tcp_recover_sack(c, &a);
	} else {
		dawn_tcp_recover_plain(c, &a);
	}
	set_timers(c, &a);
	update_window(c, seg, wnd);
	if (tcp_fin_acked(c))
		events |= fin_acked(c, now_us);
	return events;
}
