// SPDX-License-Identifier: MIT OR Apache-2.0
/* What goes out. dawn_tcp_output() makes one segment a call, in this order: a
 * RST; the duplicate ACKs owed; what is lost; a loss probe; a window probe; data
 * and FIN from snd_nxt on; a keep-alive; an ACK that no data carried.
 *
 * How much: RFC 9293, 3.8.6.2.1 without Nagle's delay (what the application
 * wrote is complete, so it goes), the peer's window, cwnd. The window we offer
 * grows in steps that are worth a segment (3.8.6.2.2), and its right edge goes
 * back only where the scale cannot say it otherwise (RFC 7323, 2.4).
 */
#include "maps/config.h"
#include "user/net/tcp_conn.h"

static uint8_t rcv_shift(const struct dawn_tcp *c)
{
	return c->opt & DAWN_FLOW_WSCALE ? DAWN_RCV_WSCALE : 0;
}

uint32_t dawn_tcp_window_max(const struct dawn_tcp *c)
{
	return tcp_min(c->rcv.size, (uint32_t)UINT16_MAX << rcv_shift(c));
}

/* Free bytes of the ring, as far as a window of ours may go. */
static uint32_t window_room(const struct dawn_tcp *c)
{
	return tcp_min(c->rcv.size - tcp_unread(c), dawn_tcp_window_max(c));
}

static uint16_t window_field(struct dawn_tcp *c)
{
	uint32_t unit = 1U << rcv_shift(c);
	uint32_t room = window_room(c), wnd = c->rcv_adv - c->rcv_nxt;
	uint32_t step = tcp_min(dawn_tcp_window_max(c) / 2, TCP_RCV_MSS);

	if (room >= wnd + step)
		wnd = room;
	else if (((wnd + unit - 1) & ~(unit - 1)) <= room)
		wnd += unit - 1;
	/* What the scale cannot say is dropped here. */
	wnd = tcp_min(wnd >> rcv_shift(c), UINT16_MAX);
	c->rcv_adv =
		tcp_seq_max(c->rcv_adv, c->rcv_nxt + (wnd << rcv_shift(c)));
	return (uint16_t)wnd;
}

/* The peer may be waiting for room: tell it once it is worth it, and only if
 * it has little left, else the next ACK says it. */
void dawn_tcp_window_check(struct dawn_tcp *c)
{
	uint32_t max = dawn_tcp_window_max(c), wnd = c->rcv_adv - c->rcv_nxt;
	uint32_t room = window_room(c);

	if (tcp_can_receive(c) && wnd < max / 2 &&
	    room >= wnd + tcp_min(max / 2, 2 * TCP_RCV_MSS))
		c->ack_now = true;
}

/* SACK blocks that fit beside a timestamp: 40 bytes of options. */
static uint8_t fill_sack(const struct dawn_tcp *c, struct dawn_tcp_seg *out)
{
	uint8_t max = c->opt & DAWN_FLOW_TS ? 3 : DAWN_TCP_SACK_MAX;

	if (!c->ooo_count || !(c->opt & DAWN_FLOW_SACK))
		return 0;
	return dawn_tcp_reasm_blocks(c, out->sack, max);
}

/* A segment that acknowledges everything; so nothing more is owed. */
static void fill(struct dawn_tcp *c, uint64_t now_us, uint32_t seq,
		 struct dawn_tcp_seg *out)
{
	out->seq = seq;
	out->ack = c->rcv_nxt;
	out->wnd = window_field(c);
	out->flags = DAWN_TCP_ACK;
	out->has_ts = c->opt & DAWN_FLOW_TS;
	out->tsval = tcp_ms(now_us) + c->ts_offset;
	out->tsecr = c->ts_recent;
	out->sack_count = fill_sack(c, out);
	out->data = out->data2 = NULL;
	out->len = out->len2 = 0;
	c->rcv_acked = c->rcv_nxt;
	c->ack_now = false;
	c->delack_at = TCP_NEVER;
}

static void fill_data(const struct dawn_tcp *c, struct dawn_tcp_seg *out,
		      uint32_t len)
{
	uint32_t at = out->seq & (c->snd.size - 1);

	out->len = tcp_min(len, c->snd.size - at);
	out->data = c->snd.mem + at;
	out->len2 = len - out->len;
	out->data2 = out->len2 ? c->snd.mem : NULL;
}

/* Payload that fits beside the SACK blocks we owe. */
static uint32_t payload_max(const struct dawn_tcp *c)
{
	uint8_t blocks = c->opt & DAWN_FLOW_TS ? 3 : DAWN_TCP_SACK_MAX;

	if (!c->ooo_count || !(c->opt & DAWN_FLOW_SACK))
		return c->smss;
	if (c->ooo_count < blocks)
		blocks = c->ooo_count;
	return c->smss - 4 - 8U * blocks;
}

/* Is our FIN the next thing after `len` bytes at `seq`? */
static bool fin_follows(const struct dawn_tcp *c, uint32_t seq, uint32_t len)
{
	return c->fin_queued && seq + len == c->snd_end;
}

static void build(struct dawn_tcp *c, uint64_t now_us, uint32_t seq,
		  uint32_t len, bool fin, struct dawn_tcp_seg *out)
{
	fill(c, now_us, seq, out);
	if (len)
		fill_data(c, out, len);
	if (len && seq + len == c->snd_end)
		out->flags |= DAWN_TCP_PSH; /* RFC 9293, MUST-61 */
	if (fin)
		out->flags |= DAWN_TCP_FIN;
}

/* What was sent before is not timed (Karn). While a loss is being repaired the
 * time would hold the repair too: then only if there are no timestamps, and a
 * backoff to be ended. */
static void note_new(struct dawn_tcp *c, uint32_t seq, uint32_t end,
		     uint64_t now_us)
{
	if (dawn_seq_lt(seq, c->snd_max)) {
		c->counts.retransmit++;
		c->timing = false;
	} else if (!c->timing &&
		   (c->phase == TCP_OPEN ||
		    (c->phase == TCP_LOSS && !(c->opt & DAWN_FLOW_TS)))) {
		c->timing = true;
		c->rtt_seq = end;
		c->rtt_us = now_us;
	}
	c->snd_max = tcp_seq_max(c->snd_max, end);
}

static void note_sent(struct dawn_tcp *c, uint32_t len, uint64_t now_us)
{
	c->prr_out += len;
	c->sent_us = now_us;
	if (c->rtx_mode != TCP_RTX_RTO) /* RFC 6298, 5.1 */
		dawn_tcp_rtx_start(c, TCP_RTX_RTO, now_us);
}

/* A segment from snd_nxt on, and its record: there is room for one. */
static void emit(struct dawn_tcp *c, uint64_t now_us, uint32_t len,
		 struct dawn_tcp_seg *out)
{
	uint32_t seq = c->snd_nxt;
	bool fin = fin_follows(c, seq, len);

	build(c, now_us, seq, len, fin, out);
	dawn_tcp_rec_add(c, seq + len + fin,
			 dawn_seq_lt(seq, c->snd_max) ? REC_RETX : 0, now_us);
	note_new(c, seq, seq + len + fin, now_us);
	note_sent(c, len, now_us);
	dawn_tcp_tlp_start(c, now_us); /* RFC 8985, 7.2 */
}

/* Bytes of record k, its FIN not counted. */
static uint32_t rec_bytes(const struct dawn_tcp *c, uint16_t k)
{
	return tcp_seq_min(tcp_rec(c, k)->end, c->snd_end) -
	       tcp_rec_start(c, k);
}

/* The first `len` bytes of record k again; a FIN goes with its last, and one
 * that was not sent yet may join. */
static void emit_again(struct dawn_tcp *c, uint64_t now_us, uint16_t k,
		       uint32_t len, struct dawn_tcp_seg *out)
{
	uint32_t seq = tcp_rec_start(c, k), end;
	bool joins;

	if (len < rec_bytes(c, k))
		dawn_tcp_rec_split(c, k, seq + len);
	end = tcp_rec(c, k)->end;
	joins = end == c->snd_nxt && fin_follows(c, seq, len);
	build(c, now_us, seq, len, joins || dawn_seq_gt(end, c->snd_end), out);
	dawn_tcp_rec_again(c, k, now_us);
	if (joins && end == c->snd_end) {
		tcp_rec(c, k)->end++;
		c->in_flight++;
		c->snd_nxt++;
		c->snd_max = tcp_seq_max(c->snd_max, c->snd_nxt);
	}
	c->counts.retransmit++;
	c->timing = false;
	dawn_tcp_undo_sent(c, tcp_rec(c, k)->end, now_us);
	note_sent(c, len, now_us);
	/* RFC 6675, 6: not while its repair is on the way. */
	if (k == c->rec_head && c->phase == TCP_RECOVERY && tcp_uses_sack(c))
		dawn_tcp_rtx_restart(c, now_us);
}

static bool send_rst(struct dawn_tcp *c, uint64_t now_us,
		     struct dawn_tcp_seg *out)
{
	if (!c->rst_due)
		return false;
	c->rst_due = false;
	c->counts.rst_sent++;
	fill(c, now_us, c->snd_max, out);
	out->flags |= DAWN_TCP_RST;
	out->sack_count = 0;
	return true;
}

static bool send_dupack(struct dawn_tcp *c, uint64_t now_us,
			struct dawn_tcp_seg *out)
{
	if (!c->dupacks_due)
		return false;
	c->dupacks_due--;
	fill(c, now_us, c->snd_max, out);
	return true;
}

static uint32_t window_left(const struct dawn_tcp *c, uint32_t seq)
{
	uint32_t edge = c->snd_una + c->snd_wnd;

	return dawn_seq_gt(edge, seq) ? edge - seq : 0;
}

/* What is lost goes before anything new; the first of a recovery whatever cwnd
 * says (RFC 5681, 3.2, step 3), but within the window. */
static bool send_lost(struct dawn_tcp *c, uint64_t now_us,
		      struct dawn_tcp_seg *out)
{
	uint32_t len, bytes;
	bool first = c->rtx_due;
	uint16_t k;

	if (!c->lost_segs || c->adopt_due || !c->snd_wnd)
		return false;
	k = dawn_tcp_rec_first_lost(c);
	dawn_tcp_rec_join_last(c, k, payload_max(c));
	bytes = rec_bytes(c, k);
	len = tcp_min(bytes, payload_max(c));
	len = tcp_min(len, window_left(c, tcp_rec_start(c, k)));
	if (bytes && !len)
		return false;
	if (!first && c->in_flight + len > c->cwnd) {
		c->cwnd_limited = true;
		return false;
	}
	c->rtx_due = c->tlp_due = false;
	emit_again(c, now_us, k, len, out);
	return true;
}

/* RFC 8985, 7.3: new data, whatever cwnd says, else the last segment again. */
static bool send_tlp(struct dawn_tcp *c, uint64_t now_us,
		     struct dawn_tcp_seg *out)
{
	uint32_t len = tcp_min(c->snd_end - c->snd_nxt, payload_max(c));
	bool fresh = dawn_seq_le(c->snd_nxt, c->snd_end) &&
		     (len || c->fin_queued) && !tcp_rec_full(c) &&
		     len <= window_left(c, c->snd_nxt);
	uint16_t k = c->rec_tail - 1;

	if (!c->tlp_due)
		return false;
	c->tlp_due = false;
	if (!dawn_tcp_tlp_allowed(c))
		return false;
	c->counts.tlp++;
	c->tlp_out = true;
	c->tlp_retx = !fresh;
	if (fresh) {
		emit(c, now_us, len, out);
	} else {
		len = rec_bytes(c, k);
		if (len > payload_max(c)) {
			dawn_tcp_rec_split(c, k,
					   tcp_rec_start(c, k) + len -
						   payload_max(c));
			k = c->rec_tail - 1;
			len = tcp_min(rec_bytes(c, k), payload_max(c));
		}
		emit_again(c, now_us, k, len, out);
	}
	c->tlp_end = c->snd_max;
	return true;
}

/* RFC 9293, 3.8.6.1: one byte more than the window allows, or what it allows
 * although it is little (3.8.6.2.1, (4)). The byte gets no record: sending goes
 * on from it, whatever becomes of it. A FIN alone is its own probe. */
static bool send_probe(struct dawn_tcp *c, uint64_t now_us,
		       struct dawn_tcp_seg *out)
{
	uint32_t len;

	if (!c->probe_due)
		return false;
	c->probe_due = false;
	if (c->adopt_due || dawn_seq_gt(c->snd_una, c->snd_end))
		return false;
	len = tcp_min(c->snd_end - c->snd_una, tcp_max(c->snd_wnd, 1));
	len = tcp_min(len, payload_max(c));
	if (!len && !c->fin_queued)
		return false;
	if (!c->snd_wnd && (len || tcp_recs(c))) {
		fill(c, now_us, c->snd_una, out);
		if (len)
			fill_data(c, out, 1);
		else
			out->flags |= DAWN_TCP_FIN;
		c->snd_max = tcp_seq_max(c->snd_max, c->snd_una + 1);
		c->sent_us = now_us;
	} else if (!tcp_recs(c)) {
		emit(c, now_us, len, out);
	} else {
		return false; /* it is LOST, and there is a window: sent again */
	}
	return true;
}

/* What cwnd leaves, with limited transmit (RFC 3042); with SACK the bytes that
 * arrived make that room. */
static uint32_t cwnd_room(const struct dawn_tcp *c)
{
	uint32_t cwnd = c->cwnd;

	if (c->phase == TCP_OPEN && !tcp_uses_sack(c))
		cwnd += tcp_min(c->dupacks, TCP_DUPTHRESH - 1) * c->smss;
	return tcp_minus(cwnd, c->in_flight);
}

/* How much of `len` (a segment's worth, or all there is) may go now. If only
 * the peer's window forbids it, probing begins. */
static uint32_t sendable(struct dawn_tcp *c, uint32_t len, uint64_t now_us)
{
	uint32_t wnd = window_left(c, c->snd_nxt);
	bool again = dawn_seq_lt(c->snd_nxt, c->snd_max);

	if (len > cwnd_room(c)) {
		c->cwnd_limited = true;
		return 0;
	}
	if (len <= wnd)
		return len;
	c->cwnd_limited = false;
	/* RFC 9293, 3.8.6.2.1, (3): half of the largest window seen. What was
	 * sent before may go in any size. */
	if (wnd && (again || wnd >= c->max_snd_wnd / 2))
		return wnd;
	/* The override timeout, (4), is no longer after probes of a closed one. */
	if (!tcp_flight(c) &&
	    (c->rtx_mode == TCP_RTX_NONE ||
	     (wnd && c->rtx_mode == TCP_RTX_PERSIST && c->backoff)))
		dawn_tcp_rtx_start(c, TCP_RTX_PERSIST, now_us);
	return 0;
}

static bool send_data(struct dawn_tcp *c, uint64_t now_us,
		      struct dawn_tcp_seg *out)
{
	uint32_t left, len;

	if (c->adopt_due || c->lost_segs || tcp_rec_full(c))
		return false;
	if (dawn_seq_gt(c->snd_nxt, c->snd_end))
		return false; /* the FIN is out */
	left = c->snd_end - c->snd_nxt;
	if (!left && !fin_follows(c, c->snd_nxt, 0)) {
		c->cwnd_limited = false;
		return false;
	}
	if (left && !tcp_flight(c) &&
	    now_us - c->sent_us > dawn_tcp_rtt_timeout_us(c))
		c->cc->idle(c);
	len = tcp_min(left, payload_max(c));
	if (len) {
		len = sendable(c, len, now_us);
		if (!len)
			return false;
	}
	emit(c, now_us, len, out);
	return true;
}

/* RFC 9293, 3.8.4: a number that was acknowledged before, no data. */
static bool send_keepalive(struct dawn_tcp *c, uint64_t now_us,
			   struct dawn_tcp_seg *out)
{
	if (!c->keepalive_due)
		return false;
	c->keepalive_due = false;
	c->counts.keepalive++;
	fill(c, now_us, c->snd_max - 1, out);
	return true;
}

static bool send_ack(struct dawn_tcp *c, uint64_t now_us,
		     struct dawn_tcp_seg *out)
{
	if (!c->ack_now)
		return false;
	fill(c, now_us, c->snd_max, out);
	return true;
}

bool dawn_tcp_output(struct dawn_tcp *c, uint64_t now_us,
		     struct dawn_tcp_seg *out)
{
	if (c->state == DAWN_TCP_CLOSED)
		return send_rst(c, now_us, out);
	return send_dupack(c, now_us, out) || send_lost(c, now_us, out) ||
	       send_tlp(c, now_us, out) || send_probe(c, now_us, out) ||
	       send_data(c, now_us, out) || send_keepalive(c, now_us, out) ||
	       send_ack(c, now_us, out);
}
