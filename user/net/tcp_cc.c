// SPDX-License-Identifier: MIT OR Apache-2.0
/* Congestion control: how much may be in flight. NewReno's window rules (RFC
 * 5681, 3.1) with bytes counted (RFC 3465) and an initial window of ten (RFC
 * 6928). When a loss is found, what is resent and how fast is not decided here
 * but in tcp_recover.c; another algorithm is another struct tcp_cc_ops.
 */
#include "user/net/tcp_conn.h"

#define CWND_MAX (1U << 30)

/* Segments that one ACK may open the window by in slow start: 8 where nothing
 * paces (RFC 9406, 4.2; peers that join segments acknowledge many at a time),
 * 1 after a timeout, where an ACK may tell of old copies (RFC 3465, 2.3). */
#define SLOW_START_SEGS      8
#define SLOW_START_SEGS_LOSS 1

/* RFC 6928, 2: min(10 * MSS, max(2 * MSS, 14600)). */
uint32_t dawn_tcp_cc_initial(const struct dawn_tcp *c)
{
	return tcp_min(10U * c->smss, tcp_max(2U * c->smss, 14600));
}

static void newreno_acked(struct dawn_tcp *c, uint32_t bytes, uint64_t now_us)
{
	uint32_t segs = c->phase == TCP_LOSS ? SLOW_START_SEGS_LOSS
					     : SLOW_START_SEGS;

	(void)now_us;
	if (c->cwnd < c->ssthresh) { /* slow start */
		bytes = tcp_min(bytes, segs * c->smss);
		c->cwnd +=
			tcp_min(bytes, tcp_max(c->ssthresh - c->cwnd, c->smss));
	} else { /* avoidance: a segment for each window acknowledged */
		uint32_t window = c->cwnd - c->cwnd % c->smss;

		/* Whole segments only: of 2.5 no more than 2 are ever sent and
		 * acknowledged in a round trip. */
		c->cc_acked += bytes;
		if (c->cc_acked >= window) {
			c->cc_acked -= window;
			c->cwnd += c->smss;
		}
	}
	c->cwnd = tcp_min(c->cwnd, CWND_MAX);
}

/* RFC 5681, equation 4. */
static void newreno_loss(struct dawn_tcp *c, uint32_t flight)
{
	c->ssthresh = tcp_max(flight / 2, 2U * c->smss);
	/* What was counted towards the next segment stays, as far as it is one
	 * in the smaller window. */
	c->cc_acked = tcp_min(c->cc_acked, c->ssthresh);
}

static void newreno_timeout(struct dawn_tcp *c)
{
	c->cwnd = c->smss;
}

/* RFC 5681, 4.1: the acknowledgment clock has stopped. */
static void newreno_idle(struct dawn_tcp *c)
{
	c->cwnd = tcp_min(c->cwnd, dawn_tcp_cc_initial(c));
}

const struct tcp_cc_ops dawn_tcp_newreno = {
	.name = "newreno",
	.acked = newreno_acked,
	.loss = newreno_loss,
	.timeout = newreno_timeout,
	.idle = newreno_idle,
};
