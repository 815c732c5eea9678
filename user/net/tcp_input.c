// SPDX-License-Identifier: MIT OR Apache-2.0
/* A segment arrived: RFC 9293, 3.10.7.4, as changed by RFC 5961 (blind attacks)
 * and RFC 7323 (timestamps).
 *
 * judge() makes the checks, in order, and changes nothing; what it lets through
 * goes to the acknowledgment (tcp_ack.c) and to the data (tcp_reasm.c). Security
 * and precedence are not checked, the urgent pointer is ignored: its data are
 * data like any other.
 *
 * Answers to segments that no correct peer of this connection sends are limited
 * (RFC 5961, 7), so that two confused sides do not talk forever. What a correct
 * peer may send is always answered: an old segment again (its ACK was lost), a
 * keep-alive, a window probe.
 */
#include "user/net/tcp_conn.h"

enum verdict {
	VERDICT_DROP,
	VERDICT_ACK,       /* not acceptable: say where we are */
	VERDICT_CHALLENGE, /* the same, limited */
	VERDICT_LIE,       /* the same: acknowledges what was never sent */
	VERDICT_RESET,
	VERDICT_ACCEPT,
};

static uint32_t seg_end(const struct dawn_tcp_seg *seg)
{
	return seg->seq + seg->len + (seg->flags & DAWN_TCP_FIN ? 1 : 0);
}

/* RFC 5961, 3.2. Never an answer to a RST outside of the window. */
static enum verdict judge_rst(const struct dawn_tcp *c,
			      const struct dawn_tcp_seg *seg)
{
	if (seg->seq == c->rcv_nxt)
		return VERDICT_RESET;
	if (dawn_seq_gt(seg->seq, c->rcv_nxt) &&
	    dawn_seq_lt(seg->seq, c->rcv_adv))
		return VERDICT_CHALLENGE;
	return VERDICT_DROP;
}

static bool ts_aged(const struct dawn_tcp *c, uint64_t now_us)
{
	return tcp_ms(now_us) - c->ts_recent_ms > TCP_PAWS_AGE_MS;
}

/* RFC 7323, 5.3, R1. */
static bool paws_fails(const struct dawn_tcp *c, const struct dawn_tcp_seg *seg,
		       uint64_t now_us)
{
	return dawn_seq_lt(seg->tsval, c->ts_recent) && !ts_aged(c, now_us);
}

/* Old, but a correct peer may well send it: its ACK was lost, or it asks
 * whether we live. */
static enum verdict judge_old(const struct dawn_tcp *c,
			      const struct dawn_tcp_seg *seg)
{
	if (seg_end(seg) != seg->seq || seg->seq == c->rcv_nxt - 1)
		return VERDICT_ACK;
	return VERDICT_CHALLENGE;
}

/* RFC 9293, 3.10.7.4, first. Wider by one place: a segment that begins at the
 * right edge is let in for its ACK, since that is where the peer's SEQ stands
 * when it has filled our window. Its data are cut off. */
static enum verdict judge_seq(const struct dawn_tcp *c,
			      const struct dawn_tcp_seg *seg)
{
	if (dawn_seq_gt(seg->seq, c->rcv_adv))
		return VERDICT_CHALLENGE;
	if (dawn_seq_ge(seg->seq, c->rcv_nxt) ||
	    dawn_seq_gt(seg_end(seg), c->rcv_nxt))
		return VERDICT_ACCEPT;
	return judge_old(c, seg);
}

/* RFC 5961, 5.2. What the window was before we had the connection is not known:
 * an unscaled one is assumed. */
static enum verdict judge_ack(const struct dawn_tcp *c,
			      const struct dawn_tcp_seg *seg)
{
	uint32_t wnd = tcp_max(c->max_snd_wnd, UINT16_MAX);

	if (dawn_seq_gt(seg->ack, c->snd_max))
		return VERDICT_LIE;
	if (dawn_seq_lt(seg->ack, c->snd_una - wnd))
		return VERDICT_CHALLENGE;
	return VERDICT_ACCEPT;
}

static enum verdict judge_after_paws(const struct dawn_tcp *c,
				     const struct dawn_tcp_seg *seg)
{
	enum verdict v = judge_seq(c, seg);

	if (v != VERDICT_ACCEPT)
		return v;
	if (!(seg->flags & DAWN_TCP_ACK))
		return VERDICT_DROP;
	return judge_ack(c, seg);
}

static enum verdict judge(const struct dawn_tcp *c,
			  const struct dawn_tcp_seg *seg, uint64_t now_us)
{
	if (seg->flags & DAWN_TCP_RST)
		return judge_rst(c, seg);
	if (seg->flags & DAWN_TCP_SYN)
		return VERDICT_CHALLENGE; /* RFC 5961, 4.2: wherever it is */
	if (c->opt & DAWN_FLOW_TS) {
		if (!seg->has_ts)
			return VERDICT_DROP; /* RFC 7323, 3.2 */
		if (paws_fails(c, seg, now_us))
			return seg_end(seg) != seg->seq ? VERDICT_ACK
							: VERDICT_CHALLENGE;
	}
	return judge_after_paws(c, seg);
}

static void challenge(struct dawn_tcp *c, uint64_t now_us)
{
	uint32_t now_ms = tcp_ms(now_us);

	if (now_ms - c->challenge_ms >= 1000) {
		c->challenge_ms = now_ms;
		c->challenge_count = 0;
	}
	if (c->challenge_count >= TCP_CHALLENGE_MAX)
		return;
	c->challenge_count++;
	c->counts.challenge_ack++;
	c->ack_now = true;
}

static unsigned int reset(struct dawn_tcp *c)
{
	/* RFC 9293: in these the user has closed already, and is not told. */
	bool closing = c->state == DAWN_TCP_CLOSING ||
		       c->state == DAWN_TCP_LAST_ACK ||
		       c->state == DAWN_TCP_TIME_WAIT;

	dawn_tcp_close(c);
	return (closing ? DAWN_TCP_EV_CLOSED : DAWN_TCP_EV_RESET) |
	       DAWN_TCP_EV_PROGRESS;
}

/* RFC 7323, 4.3. */
static void take_timestamp(struct dawn_tcp *c, const struct dawn_tcp_seg *seg,
			   uint64_t now_us)
{
	if (!dawn_seq_le(seg->seq, c->rcv_acked))
		return;
	if (dawn_seq_lt(seg->tsval, c->ts_recent) && !ts_aged(c, now_us))
		return;
	c->ts_recent = seg->tsval;
	c->ts_recent_ms = tcp_ms(now_us);
}

static unsigned int accept_segment(struct dawn_tcp *c,
				   const struct dawn_tcp_seg *seg,
				   uint64_t now_us)
{
	unsigned int events;

	c->heard_us = now_us;
	c->keepalive_count = 0;
	if (c->opt & DAWN_FLOW_TS)
		take_timestamp(c, seg, now_us);
	events = dawn_tcp_ack_input(c, seg, now_us);
	if (tcp_can_receive(c) && seg_end(seg) != seg->seq) {
		events |= dawn_tcp_reasm_input(c, seg, now_us);
		dawn_tcp_rcv_measure(c, seg, now_us);
	}
	return events;
}

unsigned int dawn_tcp_input(struct dawn_tcp *c, const struct dawn_tcp_seg *seg,
			    uint64_t now_us)
{
	if (c->state == DAWN_TCP_CLOSED)
		return 0;
	switch (judge(c, seg, now_us)) {
	case VERDICT_DROP:
		return 0;
	case VERDICT_ACK:
		c->ack_now = true;
		/* RFC 9293: the FIN again, so its ACK was lost. */
		if (c->state == DAWN_TCP_TIME_WAIT && seg->flags & DAWN_TCP_FIN)
			dawn_tcp_life_start(c, now_us);
		return 0;
	case VERDICT_LIE:
		tcp_note_lie(c);
		/* fall through */
	case VERDICT_CHALLENGE:
		challenge(c, now_us);
		return 0;
	case VERDICT_RESET:
		return reset(c);
	case VERDICT_ACCEPT:
		break;
	}
	return accept_segment(c, seg, now_us);
}

/* PAWS is left out: it needs the time, and only ever makes less of a segment. */
bool dawn_tcp_would_progress(const struct dawn_tcp *c,
			     const struct dawn_tcp_seg *seg)
{
	if (c->state == DAWN_TCP_CLOSED)
		return false;
	if (seg->flags & DAWN_TCP_RST)
		return judge_rst(c, seg) == VERDICT_RESET;
	if (seg->flags & DAWN_TCP_SYN ||
	    judge_after_paws(c, seg) != VERDICT_ACCEPT)
		return false;
	if (c->fin_queued && dawn_seq_gt(seg->ack, c->snd_end) &&
	    !tcp_fin_acked(c))
		return true;
	return tcp_can_receive(c) && seg_end(seg) != seg->seq;
}

/* The window of an ACK that is not the first of its numbers may be news, and
 * with something in flight it may be a duplicate that counts. The number before
 * rcv_nxt is a keep-alive's. That timestamps become incomparable after 24 days
 * is not for what lay in a ring. */
bool dawn_tcp_overtaken(const struct dawn_flow *f,
			const struct dawn_tcp_seg *seg)
{
	const uint8_t other = DAWN_TCP_SYN | DAWN_TCP_FIN | DAWN_TCP_RST;

	if (seg->flags & other || !(seg->flags & DAWN_TCP_ACK) || seg->len ||
	    dawn_seq_gt(seg->ack, f->snd_una) ||
	    dawn_seq_gt(seg->seq, f->rcv_nxt))
		return false;
	if (f->flags & DAWN_FLOW_TS && seg->has_ts &&
	    dawn_seq_lt(seg->tsval, f->ts_recent))
		return true;
	if (seg->sack_count && f->snd_una != f->snd_nxt)
		return false;
	return seg->ack != f->snd_una || dawn_seq_lt(seg->seq, f->rcv_nxt - 1);
}
