// SPDX-License-Identifier: MIT OR Apache-2.0
/* Keep-alive (RFC 9293, 3.8.4) of connections that the kernel half has: most of
 * those that are idle. XDP has no timer, so the sweeper sends the probes, out of
 * the entry, without taking the flow: the answer is an ACK as any other, XDP
 * takes it in, and last_seen_ms tells us that the peer lives. An idle connection
 * needs no control block for it. Those that the reactor has are the engine's
 * (tcp_timer.c); both count the same, so many probes, as far apart.
 *
 * What is noted of a flow, in 16 bits: low bits of the last_seen_ms that the
 * count belongs to, and the number of probes since. If the peer speaks, or the
 * way becomes another connection's, the note is void by itself.
 *
 * A probe is sent when the sweeper comes by, one for each visit: up to a round
 * late (5 s). The entry is read without holding it; if XDP answers the peer at
 * that moment the probe is an old ACK, which says nothing.
 *
 * Keep-alive does not prolong the idle time between requests: that is counted
 * from what we sent last.
 */
#include <errno.h>
#include <stdlib.h>

#include "user/net/reactor_int.h"

#define NOTE_COUNT_BITS 4
_Static_assert(DAWN_TCP_KEEPALIVE_MAX < 1 << NOTE_COUNT_BITS, "in a note");

int dawn_keepalive_create(struct dawn_reactor *r)
{
	size_t sets = r->flows.set_count / r->o.threads + 1;

	if (!r->o.keepalive_ms)
		return 0;
	r->notes = calloc(sets * DAWN_FLOW_WAYS, sizeof(*r->notes));
	return r->notes ? 0 : -ENOMEM;
}

void dawn_keepalive_destroy(struct dawn_reactor *r)
{
	free(r->notes);
}

static uint16_t *note_of(const struct dawn_reactor *r, uint32_t flow)
{
	uint32_t set = flow / DAWN_FLOW_WAYS / r->o.threads;

	return &r->notes[set * DAWN_FLOW_WAYS + flow % DAWN_FLOW_WAYS];
}

static uint16_t note_make(const struct dawn_flow *f, uint32_t count)
{
	return (uint16_t)(f->last_seen_ms << NOTE_COUNT_BITS | count);
}

/* Probes that this silence asks for. */
static uint32_t probes_due(const struct dawn_reactor *r,
			   const struct dawn_flow *f)
{
	int32_t idle = (int32_t)(dawn_ms(r->now_us) - f->last_seen_ms);
	int32_t first = (int32_t)r->o.keepalive_ms;

	if (idle < first)
		return 0;
	return 1 + (uint32_t)(idle - first) /
			   dawn_tcp_keepalive_gap_ms(r->o.keepalive_ms);
}

enum dawn_keepalive dawn_keepalive_due(const struct dawn_reactor *r,
				       uint32_t flow, const struct dawn_flow *f)
{
	uint32_t due = probes_due(r, f), sent = *note_of(r, flow);

	if ((sent ^ note_make(f, sent)) & 0xffff)
		sent = 0;
	sent &= (1 << NOTE_COUNT_BITS) - 1;
	if (due <= sent)
		return DAWN_KEEPALIVE_WAIT;
	return sent < DAWN_TCP_KEEPALIVE_MAX ? DAWN_KEEPALIVE_PROBE
					     : DAWN_KEEPALIVE_DEAD;
}

void dawn_keepalive_sent(struct dawn_reactor *r, uint32_t flow,
			 const struct dawn_flow *f)
{
	uint16_t *note = note_of(r, flow);
	uint32_t sent = *note & ((1 << NOTE_COUNT_BITS) - 1);

	if (*note != note_make(f, sent))
		sent = 0;
	*note = note_make(f, sent + 1);
}

/* Nobody is there any more. Looked at again, now that it is ours. */
static void end_dead(struct dawn_reactor *r, uint32_t flow)
{
	uint64_t word;

	if (dawn_flows_claim(&r->flows, flow, NULL, &word) != DAWN_CLAIM_TAKEN)
		return;
	if (dawn_keepalive_due(r, flow, dawn_flows_at(&r->flows, flow)) !=
	    DAWN_KEEPALIVE_DEAD) {
		dawn_flows_give(&r->flows, flow, &word);
		return;
	}
	COUNT(r, tcp_gave_up);
	dawn_conn_reset_flow(r, flow, word);
}

void dawn_keepalive_sweep(struct dawn_reactor *r, uint32_t flow, uint64_t word)
{
	struct dawn_flow f;

	if (!r->notes || dawn_flows_unacked(&r->flows, flow) ||
	    !dawn_flows_copy(&r->flows, flow, word, &f) ||
	    f.state != DAWN_TCP_ESTABLISHED)
		return;
	switch (dawn_keepalive_due(r, flow, &f)) {
	case DAWN_KEEPALIVE_WAIT:
		break;
	case DAWN_KEEPALIVE_PROBE:
		if (!dawn_conn_probe_peer(r, &f))
			break;
		COUNT(r, tcp_keepalive);
		dawn_keepalive_sent(r, flow, &f);
		break;
	case DAWN_KEEPALIVE_DEAD:
		end_dead(r, flow);
		break;
	}
}
