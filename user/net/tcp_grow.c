// SPDX-License-Identifier: MIT OR Apache-2.0
/* When a connection's rings are too small, and moving to bigger ones. The
 * engine only says so; the caller lends the memory, or does not, and then the
 * connection goes on with what it has.
 *
 * ## Receiving
 *
 * The window we offer is the ring, so a sender has at most a ring in flight. If
 * the application reads half of it or more within one round trip, the next size
 * is wanted: then a sender that is as fast as the application is not stopped by
 * the window. If the application is slow, bytes stay unread and nothing grows.
 *
 * A receiver knows the round trip from the echoes of its own timestamps (an
 * echo is as old as the round trip, or older if the sender paused: the smallest
 * counts), else from data it sent earlier, else it assumes RTT_GUESS_US. Reading
 * is measured over at least a round trip and scaled to one.
 *
 * ## Sending
 *
 * The ring holds what is in flight. It is too small when all of it is in flight
 * and both windows would allow more; or when the records of segments, which the
 * caller lends with it, run out before.
 */
#include <string.h>

#include "maps/config.h"
#include "user/net/tcp_conn.h"

#define RTT_GUESS_US 100000U
#define RTT_FLOOR_US 1000U /* our timestamps are milliseconds */

static uint32_t echo_age_us(const struct dawn_tcp *c,
			    const struct dawn_tcp_seg *seg, uint64_t now_us)
{
	uint32_t ms = tcp_ms(now_us) + c->ts_offset - seg->tsecr;

	if (ms > TCP_RTO_MAX_US / 1000) /* not an echo of ours */
		return UINT32_MAX;
	return tcp_max(ms * 1000, RTT_FLOOR_US);
}

static uint32_t rcv_rtt_us(const struct dawn_tcp *c)
{
	if (c->rcv_rtt_us != UINT32_MAX)
		return c->rcv_rtt_us;
	return c->srtt_us ? tcp_max(c->srtt_us, RTT_FLOOR_US) : RTT_GUESS_US;
}

void dawn_tcp_rcv_measure(struct dawn_tcp *c, const struct dawn_tcp_seg *seg,
			  uint64_t now_us)
{
	uint32_t rtt, window = dawn_tcp_window_max(c);
	uint64_t span = now_us - c->rate_us, took;

	if (c->opt & DAWN_FLOW_TS && seg->tsecr)
		c->rcv_rtt_us =
			tcp_min(c->rcv_rtt_us, echo_age_us(c, seg, now_us));
	rtt = rcv_rtt_us(c);
	if (span < rtt)
		return;
	took = (uint64_t)(c->rcv_read - c->rate_read) * rtt / span;
	c->rcv_short = took >= window / 2 && window == c->rcv.size;
	c->rate_us = now_us;
	c->rate_read = c->rcv_read;
	c->rcv_rtt_us = UINT32_MAX; /* paths change: anew */
}

bool dawn_tcp_rcv_short(const struct dawn_tcp *c)
{
	return c->rcv_short && tcp_can_receive(c);
}

bool dawn_tcp_snd_short(const struct dawn_tcp *c)
{
	uint32_t out = c->snd_nxt - c->snd_una;
	bool full = c->snd_nxt == c->snd_end && out + c->smss > c->snd.size;

	return (full || tcp_rec_full(c)) && !c->fin_queued && !c->adopt_due &&
	       c->state != DAWN_TCP_CLOSED && c->phase == TCP_OPEN &&
	       c->cwnd >= out + c->smss && c->snd_wnd >= out + c->smss;
}

/* Copy `len` bytes from offset `at` of a ring to offset `to` of another. */
static void copy(const struct dawn_ring *old, uint32_t at,
		 const struct dawn_ring *ring, uint32_t to, uint32_t len)
{
	uint32_t first;

	at &= old->size - 1;
	first = tcp_min(len, old->size - at);
	dawn_tcp_ring_put(ring, to, old->mem + at, first);
	dawn_tcp_ring_put(ring, to + first, old->mem, len - first);
}

struct dawn_ring dawn_tcp_grow_rcv(struct dawn_tcp *c, struct dawn_ring ring)
{
	struct dawn_ring old = c->rcv;
	uint32_t end = c->rcv_read + tcp_unread(c);

	if (c->ooo_count)
		end = c->ooo[c->ooo_count - 1].end;
	copy(&old, c->rcv_read + c->rcv_shift, &ring, 0, end - c->rcv_read);
	c->rcv = ring;
	c->rcv_shift = 0U - c->rcv_read;
	c->rcv_short = false;
	dawn_tcp_window_check(c);
	return old;
}

struct dawn_ring dawn_tcp_grow_snd(struct dawn_tcp *c, struct dawn_ring ring)
{
	struct dawn_ring old = c->snd;

	if (!c->adopt_due)
		copy(&old, c->snd_una, &ring, c->snd_una,
		     tcp_fin_acked(c) ? 0 : c->snd_end - c->snd_una);
	c->snd = ring;
	return old;
}

struct dawn_ring dawn_tcp_spare_rcv(struct dawn_tcp *c)
{
	struct dawn_ring old = c->rcv;

	if (!c->fin_rcvd || tcp_unread(c))
		return (struct dawn_ring){ NULL, 0 };
	c->rcv = (struct dawn_ring){ NULL, 0 };
	return old;
}

struct dawn_ring dawn_tcp_spare_snd(struct dawn_tcp *c)
{
	struct dawn_ring old = c->snd;

	if (!tcp_fin_acked(c))
		return (struct dawn_ring){ NULL, 0 };
	c->snd = (struct dawn_ring){ NULL, 0 };
	return old;
}
