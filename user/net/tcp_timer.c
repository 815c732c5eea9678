// SPDX-License-Identifier: MIT OR Apache-2.0
/* Time passed. Four timers a connection:
 *
 *   rtx     retransmission (RFC 6298) or window probe (RFC 9293, 3.8.6.1);
 *           rtx_mode says which. Both back off alike.
 *   early   before a retransmission: RACK's reordering timer or the probe
 *           timeout of TLP (RFC 8985); `early` says which
 *   delack  the acknowledgment that waits for a second segment
 *   life    keep-alive (RFC 9293, 3.8.4), the end of FIN_WAIT_2, 2 MSL
 *
 * Retransmission ends when nothing was acknowledged for user_timeout_ms;
 * probing goes on for as long as the peer answers (RFC 9293, MUST-37).
 */
#include "user/net/tcp_conn.h"

#define HARD_ERROR_TIMEOUTS 3 /* RFC 9293, 3.8.3: R1 */

void dawn_tcp_rtx_start(struct dawn_tcp *c, uint8_t mode, uint64_t now_us)
{
	if (mode == TCP_RTX_PERSIST || c->rtx_mode == TCP_RTX_PERSIST)
		c->backoff = 0;
	c->rtx_mode = mode;
	c->progress_us = now_us;
	c->rtx_at = now_us + dawn_tcp_rtt_timeout_us(c);
}

void dawn_tcp_rtx_restart(struct dawn_tcp *c, uint64_t now_us)
{
	c->rtx_at = now_us + dawn_tcp_rtt_timeout_us(c);
}

void dawn_tcp_rtx_stop(struct dawn_tcp *c)
{
	if (c->rtx_mode == TCP_RTX_PERSIST)
		c->backoff = 0;
	c->rtx_mode = TCP_RTX_NONE;
	c->early = TCP_EARLY_NONE;
	c->rtx_at = c->early_at = TCP_NEVER;
}

/* Start the timer that the state asks for. */
void dawn_tcp_life_start(struct dawn_tcp *c, uint64_t now_us)
{
	if (c->state == DAWN_TCP_TIME_WAIT)
		c->life_at = now_us + c->time_wait_ms * 1000ULL;
	else if (c->state == DAWN_TCP_FIN_WAIT_2)
		c->life_at = now_us + c->fin_wait_ms * 1000ULL;
	else if (c->keepalive_ms)
		c->life_at = now_us + c->keepalive_ms * 1000ULL;
	else
		c->life_at = TCP_NEVER;
}

/* No window: one byte, again and again. What was in flight the peer does not
 * take either: it goes again when there is a window. */
static void probe(struct dawn_tcp *c)
{
	c->rtx_mode = TCP_RTX_PERSIST;
	dawn_tcp_rec_lose_all(c, true);
	c->probe_due = true;
	c->timing = false;
}

/* RFC 8985, 7.3: the probe puts the retransmission off. */
static void early_fires(struct dawn_tcp *c, uint64_t now_us)
{
	uint8_t early = c->early;

	c->early = TCP_EARLY_NONE;
	c->early_at = TCP_NEVER;
	if (early == TCP_EARLY_REO) {
		dawn_tcp_recover_reo(c, now_us);
	} else if (dawn_tcp_tlp_allowed(c)) {
		c->tlp_due = true;
		dawn_tcp_rtx_restart(c, now_us);
	}
}

static unsigned int rtx_fires(struct dawn_tcp *c, uint64_t now_us)
{
	bool probing = c->rtx_mode == TCP_RTX_PERSIST || !c->snd_wnd;
	uint64_t since = c->progress_us;

	if (probing)
		since = tcp_max64(since, c->heard_us);
	if (now_us - since >= c->user_timeout_ms * 1000ULL)
		return dawn_tcp_give_up(c);
	if (c->unreachable && c->backoff >= HARD_ERROR_TIMEOUTS)
		return dawn_tcp_give_up(c);
	if (probing)
		probe(c);
	else
		dawn_tcp_recover_timeout(c, now_us);
	if (c->backoff < UINT8_MAX)
		c->backoff++;
	dawn_tcp_rtx_restart(c, now_us);
	return 0;
}

/* RFC 9293, 3.8.4. Silence is counted from the last segment; segments do not
 * move the timer, it looks again when it fires. With something in flight the
 * rtx timer finds out whether the peer lives. */
static unsigned int keepalive_fires(struct dawn_tcp *c, uint64_t now_us)
{
	uint64_t idle = c->keepalive_ms * 1000ULL;
	uint64_t gap = dawn_tcp_keepalive_gap_ms(c->keepalive_ms) * 1000ULL;

	if (now_us - c->heard_us < idle) {
		c->life_at = c->heard_us + idle;
		return 0;
	}
	c->life_at = now_us + gap;
	if (c->rtx_mode != TCP_RTX_NONE)
		return 0;
	if (c->keepalive_count >= DAWN_TCP_KEEPALIVE_MAX)
		return dawn_tcp_give_up(c);
	c->keepalive_count++;
	c->keepalive_due = true;
	return 0;
}

static unsigned int life_fires(struct dawn_tcp *c, uint64_t now_us)
{
	uint64_t quiet;

	switch (c->state) {
	case DAWN_TCP_TIME_WAIT:
		dawn_tcp_close(c);
		return DAWN_TCP_EV_CLOSED;
	case DAWN_TCP_FIN_WAIT_2:
		quiet = now_us - c->heard_us;
		if (quiet >= c->fin_wait_ms * 1000ULL)
			return dawn_tcp_give_up(c);
		c->life_at = c->heard_us + c->fin_wait_ms * 1000ULL;
		return 0;
	default:
		return keepalive_fires(c, now_us);
	}
}

unsigned int dawn_tcp_timer(struct dawn_tcp *c, uint64_t now_us)
{
	unsigned int events = 0;

	if (c->delack_at <= now_us) {
		c->delack_at = TCP_NEVER;
		c->ack_now = true;
	}
	if (c->early_at <= now_us)
		early_fires(c, now_us);
	if (c->rtx_at <= now_us)
		events |= rtx_fires(c, now_us);
	if (c->life_at <= now_us)
		events |= life_fires(c, now_us);
	return events;
}

uint64_t dawn_tcp_deadline_us(const struct dawn_tcp *c)
{
	return tcp_min64(tcp_min64(c->rtx_at, c->early_at),
			 tcp_min64(c->delack_at, c->life_at));
}
