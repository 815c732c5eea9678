// SPDX-License-Identifier: MIT OR Apache-2.0
/* The TCP engine: a connection's beginning and end, and what the application
 * calls.
 *
 * ## Theory of operation
 *
 * A connection enters from a flow entry, in any state the entry can have, and
 * may go back into one (dawn_tcp_export) when the entry can say all of it. In
 * between three calls drive it: input, timer, output. The first two change
 * state and mark what is due; only output makes segments, and what is due stays
 * due until output is called. So a caller out of frames simply stops.
 *
 * Memory is the control block, two rings and the records, all lent by the
 * caller. The send ring holds what is not acknowledged, a record says of each
 * segment of it when it was sent; the receive ring holds what is not read, and
 * beyond it, in place, what came out of order.
 *
 * Not done: Nagle (a response is written whole), urgent data (delivered as
 * data), ECN, path MTU probing (RFC 4821), active open.
 */
#include <errno.h>
#include <string.h>

#include "maps/cache.h"
#include "maps/config.h"
#include "user/net/tcp_conn.h"

#define OPT_MASK (DAWN_FLOW_TS | DAWN_FLOW_SACK | DAWN_FLOW_WSCALE)

#define TS_OPTION_BYTES 12 /* two NOPs, RFC 7323, appendix A */

/* Headers and the smallest MTU that an ICMP error may lower us to: RFC 1191
 * would allow 68, but a forged one must not make us send crumbs; RFC 8200, 5. */
#define IPV4_HEADERS 40
#define IPV6_HEADERS 60
#define IPV4_MTU_MIN 552
#define IPV6_MTU_MIN 1280

#define WND_INIT_MAX (1U << 30) /* RFC 7323, 2.3 */

size_t dawn_tcp_sizeof(void)
{
	return sizeof(struct dawn_tcp);
}

void dawn_tcp_ring_put(const struct dawn_ring *r, uint32_t at, const void *buf,
		       uint32_t len)
{
	uint32_t first;

	at &= r->size - 1;
	first = tcp_min(len, r->size - at);
	memcpy(r->mem + at, buf, first);
	memcpy(r->mem, (const uint8_t *)buf + first, len - first);
}

void dawn_tcp_set_mss(struct dawn_tcp *c, uint32_t mss)
{
	c->mss = (uint16_t)tcp_max(mss, TCP_MSS_MIN);
	c->smss = c->mss - (c->opt & DAWN_FLOW_TS ? TS_OPTION_BYTES : 0);
}

static bool state_fin_sent(uint8_t state)
{
	return state == DAWN_TCP_LAST_ACK || state == DAWN_TCP_CLOSING ||
	       state == DAWN_TCP_FIN_WAIT_1 || state == DAWN_TCP_FIN_WAIT_2 ||
	       state == DAWN_TCP_TIME_WAIT;
}

static bool state_fin_rcvd(uint8_t state)
{
	return state == DAWN_TCP_LAST_ACK || state == DAWN_TCP_CLOSING ||
	       state == DAWN_TCP_CLOSE_WAIT || state == DAWN_TCP_TIME_WAIT;
}

/* Microseconds since a coarse clock's reading, which may lie a little ahead. */
static uint64_t age_us(uint32_t then_ms, uint64_t now_us)
{
	uint32_t age_ms = tcp_ms(now_us) - then_ms;
	uint64_t us = (age_ms >> 31 ? 0 : age_ms) * 1000ULL;

	return tcp_min64(us, now_us);
}

static void open_send(struct dawn_tcp *c, const struct dawn_flow *f,
		      uint64_t now_us)
{
	c->snd_una = c->snd_nxt = f->snd_una;
	c->snd_max = c->snd_end = f->snd_nxt;
	c->fin_queued = state_fin_sent(c->state);
	if (c->fin_queued)
		c->snd_end--;
	c->adopt_due = dawn_seq_lt(c->snd_una, c->snd_end);
	c->snd_wnd = tcp_min(f->snd_wnd, WND_INIT_MAX);
	c->max_snd_wnd = c->snd_wnd;
	c->snd_wl1 = f->rcv_nxt - 1; /* any segment in order updates it */
	c->recover = f->snd_una - 1;
	c->sent_us = now_us - age_us(f->last_sent_ms, now_us);
}

/* Records of what the kernel half sent, cut as it cuts (bpf/response.bpf.h). A
 * wrong guess costs that a SACK block's ends do not count. What finds no record
 * is sent again. */
static void open_records(struct dawn_tcp *c, const struct dawn_flow *f)
{
	uint32_t len = tcp_min(c->smss, DAWN_SEGMENT_BYTES_MAX);
	uint32_t seq = c->snd_una, end, off = 0;

	len &= ~(DAWN_SEGMENT_ALIGN - 1U);
	c->rec_head = c->rec_tail = c->rec_lost = (uint16_t)seq; /* any */
	c->rack_fack = seq;
	c->min_rtt_us = UINT32_MAX;
	c->reo_mult = 1;
	if (f->resp_kind != DAWN_RESP_NONE && dawn_seq_gt(seq, f->resp_seq))
		off = (seq - f->resp_seq) % len;
	for (; dawn_seq_lt(seq, c->snd_max) && !tcp_rec_full(c); seq = end) {
		end = tcp_seq_min(seq + len - off, c->snd_end);
		if (end == c->snd_end)
			end = c->snd_max; /* with the FIN */
		off = 0;
		dawn_tcp_rec_add(c, end,
				 f->flags & DAWN_FLOW_RESENT ? REC_RETX : 0,
				 c->sent_us);
	}
}

static void open_receive(struct dawn_tcp *c, const struct dawn_flow *f)
{
	uint32_t wnd = f->rcv_adv - f->rcv_nxt;

	c->fin_rcvd = c->fin_held = state_fin_rcvd(c->state);
	c->rcv_nxt = c->rcv_acked = f->rcv_nxt;
	c->rcv_read = f->rcv_nxt - (c->fin_rcvd ? 1 : 0);
	c->rcv_fin = c->rcv_read;
	c->rcv_shift = 0U - c->rcv_read;
	if (!wnd || wnd > WND_INIT_MAX) /* not noted: the idle window, then */
		wnd = c->opt & DAWN_FLOW_WSCALE ? DAWN_RCV_WND : UINT16_MAX;
	c->rcv_adv = f->rcv_nxt + wnd;
	c->rate_read = c->rcv_read;
	c->rcv_rtt_us = UINT32_MAX;
	c->rcv_mss = 536; /* RFC 9293, MUST-15: until we see better */
	c->ts_recent = f->ts_recent;
	c->ts_recent_ms = f->ts_recent_ms;
}

static void open_congestion(struct dawn_tcp *c, const struct dawn_flow *f)
{
	c->cc = &dawn_tcp_newreno;
	c->cwnd = f->cwnd ? tcp_max(f->cwnd, c->smss) : dawn_tcp_cc_initial(c);
	c->ssthresh = f->ssthresh ? f->ssthresh : INT32_MAX;
	c->dupacks = f->dupacks < TCP_DUPTHRESH ? f->dupacks
						: TCP_DUPTHRESH - 1;
	dawn_tcp_rtt_init(c, f->srtt_us, f->rttvar_us);
}

static void open_timers(struct dawn_tcp *c, const struct dawn_tcp_open *o)
{
	uint64_t sent = c->sent_us;
	uint64_t seen = o->now_us - age_us(o->flow->last_seen_ms, o->now_us);

	c->keepalive_ms = o->keepalive_ms;
	c->user_timeout_ms = o->user_timeout_ms ? o->user_timeout_ms
						: DAWN_TCP_USER_TIMEOUT_MS;
	c->time_wait_ms = o->time_wait_ms ? o->time_wait_ms
					  : DAWN_TCP_TIME_WAIT_MS;
	c->fin_wait_ms = o->fin_wait_ms ? o->fin_wait_ms : DAWN_TCP_FIN_WAIT_MS;
	c->heard_us = c->progress_us = o->now_us;
	c->rtx_at = c->early_at = c->delack_at = TCP_NEVER;
	/* An entry's TIME_WAIT began when it was seen last. */
	dawn_tcp_life_start(c,
			    c->state == DAWN_TCP_TIME_WAIT ? seen : o->now_us);
	if (!tcp_flight(c))
		return;
	/* What the kernel half sent waits since then. */
	dawn_tcp_rtx_start(c, TCP_RTX_RTO, sent);
	dawn_tcp_tlp_start(c, sent);
	c->progress_us = o->now_us;
}

void dawn_tcp_open(struct dawn_tcp *c, const struct dawn_tcp_open *o)
{
	const struct dawn_flow *f = o->flow;
	uint32_t mss = f->mss;

	memset(c, 0, sizeof(*c));
	c->state = f->state;
	c->opt = f->flags & OPT_MASK;
	c->v4 = dawn_addr_is_v4(&f->raddr);
	c->snd_wscale = c->opt & DAWN_FLOW_WSCALE ? tcp_min(f->snd_wscale, 14)
						  : 0;
	c->ts_offset = o->ts_offset;
	c->rcv = o->rcv;
	c->snd = o->snd;
	c->recs = o->recs;
	if (o->mss_max)
		mss = tcp_min(mss, o->mss_max);
	dawn_tcp_set_mss(c, mss);
	open_send(c, f, o->now_us);
	open_records(c, f);
	open_receive(c, f);
	c->rate_us = o->now_us;
	open_congestion(c, f);
	open_timers(c, o);
}

uint32_t dawn_tcp_adopt_len(const struct dawn_tcp *c)
{
	return c->adopt_due ? c->snd_end - c->snd_una : 0;
}

int dawn_tcp_adopt_sent(struct dawn_tcp *c, const void *buf, uint32_t len)
{
	if (len != dawn_tcp_adopt_len(c))
		return -EINVAL;
	if (len > c->snd.size)
		return -ENOSPC;
	if (len)
		dawn_tcp_ring_put(&c->snd, c->snd_una, buf, len);
	c->adopt_due = false;
	if (c->rtx_mode == TCP_RTX_RTO)
		dawn_tcp_tlp_start(c, c->sent_us);
	return 0;
}

/* Nothing more happens to it. A RST may still be due, bytes may be unread. */
void dawn_tcp_close(struct dawn_tcp *c)
{
	c->state = DAWN_TCP_CLOSED;
	dawn_tcp_rtx_stop(c);
	c->delack_at = c->life_at = TCP_NEVER;
}

unsigned int dawn_tcp_give_up(struct dawn_tcp *c)
{
	dawn_tcp_close(c);
	c->rst_due = true;
	c->counts.gave_up++;
	return DAWN_TCP_EV_TIMEOUT | DAWN_TCP_EV_PROGRESS;
}

uint32_t dawn_tcp_readable(const struct dawn_tcp *c)
{
	return tcp_unread(c);
}

/* Exchange two blocks that do not overlap. */
static void swap_blocks(uint8_t *a, uint8_t *b, uint32_t len)
{
	uint8_t tmp[256];

	while (len) {
		uint32_t n = tcp_min(len, sizeof(tmp));

		memcpy(tmp, a, n);
		memcpy(a, b, n);
		memcpy(b, tmp, n);
		a += n;
		b += n;
		len -= n;
	}
}

/* Turn a ring so that offset `by`, not 0, comes to 0, in place, by exchanging the
 * shorter part into its place until both are equal. */
static void rotate(uint8_t *mem, uint32_t size, uint32_t by)
{
	uint32_t left = by, right = size - by;

	while (left != right) {
		if (left > right) {
			swap_blocks(mem + by - left, mem + by, right);
			left -= right;
		} else {
			swap_blocks(mem + by - left, mem + by + right - left,
				    left);
			right -= left;
		}
	}
	swap_blocks(mem + by - left, mem + by, left);
}

/* Turning costs the whole ring, but then the unread bytes stand at its start:
 * it can be needed again only after a whole ring of bytes came in. */
const uint8_t *dawn_tcp_linearize(struct dawn_tcp *c, uint32_t *len)
{
	uint32_t at = (c->rcv_read + c->rcv_shift) & (c->rcv.size - 1);

	*len = tcp_unread(c);
	if (!*len)
		return c->rcv.mem;
	if (*len <= c->rcv.size - at)
		return c->rcv.mem + at;
	rotate(c->rcv.mem, c->rcv.size, at);
	c->rcv_shift -= at;
	return c->rcv.mem;
}

void dawn_tcp_consume(struct dawn_tcp *c, uint32_t len)
{
	c->rcv_read += tcp_min(len, tcp_unread(c));
	if (!tcp_unread(c) && !c->ooo_count)
		c->rcv_shift = 0U - c->rcv_read; /* empty: start over */
	dawn_tcp_window_check(c);
}

uint32_t dawn_tcp_space(const struct dawn_tcp *c)
{
	if (c->fin_queued || c->state == DAWN_TCP_CLOSED || c->adopt_due)
		return 0;
	return c->snd.size - (c->snd_end - c->snd_una);
}

uint32_t dawn_tcp_write(struct dawn_tcp *c, const void *buf, uint32_t len)
{
	len = tcp_min(len, dawn_tcp_space(c));
	if (len)
		dawn_tcp_ring_put(&c->snd, c->snd_end, buf, len);
	c->snd_end += len;
	return len;
}

void dawn_tcp_shutdown(struct dawn_tcp *c)
{
	if (c->state == DAWN_TCP_ESTABLISHED)
		c->state = DAWN_TCP_FIN_WAIT_1;
	else if (c->state == DAWN_TCP_CLOSE_WAIT)
		c->state = DAWN_TCP_LAST_ACK;
	else
		return;
	c->fin_queued = true;
}

void dawn_tcp_abort(struct dawn_tcp *c)
{
	/* RFC 9293, 3.10.5: these only wait, there is nothing to reset. */
	bool rst =
		c->state != DAWN_TCP_CLOSED && c->state != DAWN_TCP_CLOSING &&
		c->state != DAWN_TCP_LAST_ACK && c->state != DAWN_TCP_TIME_WAIT;

	dawn_tcp_close(c);
	c->rst_due |= rst;
}

/* What is in flight and too big did not arrive. It was not congestion, so cwnd
 * stays (RFC 1191, 6.5). */
void dawn_tcp_lower_mtu(struct dawn_tcp *c, uint32_t mtu)
{
	uint32_t headers = c->v4 ? IPV4_HEADERS : IPV6_HEADERS;

	mtu = tcp_max(mtu, c->v4 ? IPV4_MTU_MIN : IPV6_MTU_MIN);
	if (mtu - headers >= c->mss)
		return;
	dawn_tcp_set_mss(c, mtu - headers);
	for (uint16_t k = c->rec_head; k != c->rec_tail; k++)
		if (!(tcp_rec(c, k)->flags & REC_SACKED) &&
		    tcp_rec(c, k)->end - tcp_rec_start(c, k) > c->smss)
			dawn_tcp_rec_lose(c, k);
}

/* Whatever its size, the segment that is named did not arrive. */
static void too_big(struct dawn_tcp *c, uint32_t seq, uint32_t mtu)
{
	uint16_t mss = c->mss, k = dawn_tcp_rec_find(c, seq);

	dawn_tcp_lower_mtu(c, mtu);
	if (c->mss < mss && k != c->rec_tail &&
	    !(tcp_rec(c, k)->flags & REC_SACKED))
		dawn_tcp_rec_lose(c, k);
}

void dawn_tcp_icmp_error(struct dawn_tcp *c, uint32_t seq, uint32_t mtu,
			 bool hard, uint64_t now_us)
{
	(void)now_us;
	/* RFC 5927, 4.1: only about something that is in flight. */
	if (c->state == DAWN_TCP_CLOSED || dawn_seq_lt(seq, c->snd_una) ||
	    dawn_seq_ge(seq, c->snd_max))
		return;
	if (mtu)
		too_big(c, seq, mtu);
	else if (hard) /* RFC 5927, 5.2: not fatal, but less is waited for */
		c->unreachable = true;
}

enum dawn_tcp_state dawn_tcp_state(const struct dawn_tcp *c)
{
	return c->state;
}

enum dawn_tcp_wait dawn_tcp_waits(const struct dawn_tcp *c)
{
	bool all = dawn_seq_ge(c->snd_una, c->snd_end);

	if (all && (c->fin_queued || c->state == DAWN_TCP_CLOSED))
		return DAWN_TCP_WAITS_END;
	if (all)
		return DAWN_TCP_WAITS_DATA;
	return c->snd_wnd ? DAWN_TCP_WAITS_ACK : DAWN_TCP_WAITS_WINDOW;
}

bool dawn_tcp_doubtful(const struct dawn_tcp *c)
{
	return c->mss < TCP_MSS_TINY || c->lies >= TCP_LIES_MAX;
}

bool dawn_tcp_settled(const struct dawn_tcp *c)
{
	return c->state == DAWN_TCP_ESTABLISHED && c->phase == TCP_OPEN &&
	       c->snd_end == c->snd_max && c->snd_nxt == c->snd_max &&
	       !c->sacked_segs && !c->lost_segs &&
	       !(c->tlp_out && tcp_flight(c)) && !c->tlp_due &&
	       !tcp_unread(c) && !c->ooo_count && !c->fin_held &&
	       c->rcv_acked == c->rcv_nxt && !c->ack_now && !c->dupacks_due &&
	       !c->adopt_due;
}

bool dawn_tcp_quiescent(const struct dawn_tcp *c)
{
	return dawn_tcp_settled(c) && c->snd_una == c->snd_max;
}

uint32_t dawn_tcp_write_seq(const struct dawn_tcp *c)
{
	return c->snd_end;
}

uint32_t dawn_tcp_snd_una(const struct dawn_tcp *c)
{
	return c->snd_una;
}

void dawn_tcp_export(const struct dawn_tcp *c, struct dawn_flow *f)
{
	f->state = c->state;
	f->flags = (f->flags & ~OPT_MASK) | c->opt;
	f->rcv_nxt = c->rcv_nxt;
	f->snd_nxt = c->snd_max;
	f->snd_una = c->snd_una;
	f->snd_wnd = c->snd_wnd;
	f->mss = c->mss;
	f->snd_wscale = c->snd_wscale;
	f->dupacks = c->dupacks;
	f->ts_recent = c->ts_recent;
	f->ts_recent_ms = c->ts_recent_ms;
	f->last_seen_ms = tcp_ms(c->heard_us);
	if (c->state == DAWN_TCP_TIME_WAIT) /* when it began, see open */
		f->last_seen_ms = tcp_ms(c->life_at) - c->time_wait_ms;
	f->last_sent_ms = tcp_ms(c->sent_us);
	f->srtt_us = c->srtt_us;
	f->rttvar_us = c->rttvar_us;
	f->cwnd = c->cwnd;
	f->ssthresh = c->ssthresh;
	f->rcv_adv = c->rcv_adv;
}

struct dawn_tcp_counts *dawn_tcp_counts(struct dawn_tcp *c)
{
	return &c->counts;
}
