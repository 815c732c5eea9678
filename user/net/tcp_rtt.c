// SPDX-License-Identifier: MIT OR Apache-2.0
/* Round-trip time and retransmission timeout: RFC 6298.
 *
 * One segment at a time is timed, with microseconds, and never one that was
 * sent twice (Karn). While a loss is repaired the peer's timestamp echoes give
 * the samples (RFC 7323, 4), with milliseconds; see tcp_ack.c.
 */
#include "user/net/tcp_conn.h"

/* 2.3, with a G that is not the clock's: on a path that never varies the peer's
 * delayed ACK would come after the timeout. */
uint32_t dawn_tcp_rto_us(uint32_t srtt_us, uint32_t rttvar_us)
{
	uint64_t rto = srtt_us + tcp_max64(4ULL * rttvar_us, TCP_RTTVAR_MIN_US);

	if (!srtt_us)
		return TCP_RTO_INIT_US; /* 2.1 */
	return (uint32_t)tcp_min64(tcp_max64(rto, TCP_RTO_MIN_US),
				   TCP_RTO_MAX_US);
}

void dawn_tcp_rtt_init(struct dawn_tcp *c, uint32_t srtt_us, uint32_t rttvar_us)
{
	c->srtt_us = tcp_min(srtt_us, TCP_RTO_MAX_US);
	c->rttvar_us = tcp_min(rttvar_us, TCP_RTO_MAX_US);
	c->rto_us = dawn_tcp_rto_us(c->srtt_us, c->rttvar_us);
}

void dawn_tcp_rtt_sample(struct dawn_tcp *c, uint64_t us)
{
	uint32_t rtt_us = (uint32_t)tcp_min64(us, TCP_RTO_MAX_US), delta;

	rtt_us = tcp_max(rtt_us, 1); /* 0 means "no sample yet" */
	if (!c->srtt_us) {           /* 2.2 */
		c->srtt_us = rtt_us;
		c->rttvar_us = rtt_us / 2;
	} else { /* 2.3: RTTVAR first, it uses the old SRTT */
		delta = tcp_max(rtt_us, c->srtt_us) -
			tcp_min(rtt_us, c->srtt_us);
		c->rttvar_us = c->rttvar_us - c->rttvar_us / 4 + delta / 4;
		c->srtt_us = c->srtt_us - c->srtt_us / 8 + rtt_us / 8;
	}
	c->rto_us = dawn_tcp_rto_us(c->srtt_us, c->rttvar_us);
}

/* The timeout with its backoff: RFC 6298, 5.5. */
uint64_t dawn_tcp_rtt_timeout_us(const struct dawn_tcp *c)
{
	uint64_t t = (uint64_t)c->rto_us << tcp_min(c->backoff, 16);

	return tcp_min64(t, TCP_RTO_MAX_US);
}
