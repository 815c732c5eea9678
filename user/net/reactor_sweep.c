// SPDX-License-Identifier: MIT OR Apache-2.0
/* Flows for which no packet speaks.
 *
 * `unacked` is walked every 10 ms: a response that XDP sent and nobody
 * acknowledged within the RTO is sent again by us; or earlier, if it has more
 * than one segment, its last as a loss probe. The flow is taken (CLEAN: the
 * entry still says all there is to know), the engine gets the response's bytes,
 * knows from the entry when they were sent, and its timer is due.
 *
 * flow_table is walked slowly, a round in SWEEP_ROUND_US: kernel-owned flows
 * that were idle for idle_ms are taken and closed by a FIN, earlier their peers
 * are probed if that is wanted (reactor_keepalive.c); those in TIME_WAIT
 * for 2 MSL are freed; what a dead incarnation left is buried (CLEAN flows go
 * to the kernel half as they are); flows that XDP gave to us but whose packet
 * was lost on the way go back.
 *
 * Every thread walks everything, but acts on kernel-owned and dead flows of
 * its own part only (set % threads), and on its own user-owned flows anywhere.
 *
 * While draining the table is walked in every step and idleness means
 * DRAIN_IDLE_MS, later any.
 */
#include <errno.h>

#include "user/net/reactor_int.h"

#define SCAN_US        10000
#define SWEEP_US       20000
#define SWEEP_ROUND_US 5000000
#define DRAIN_IDLE_MS  200
/* Then flows that never rest are closed between two requests. */
#define DRAIN_PATIENCE_US 1000000
/* A packet for a CLEAN flow that did not arrive in this time never will. */
#define LOST_PACKET_MS 1000
/* How long flows of a dead incarnation may stay without speaking: their peers
 * get a RST if they do speak, which is better than silence. */
#define BURY_US 60000000

static bool in_part(const struct dawn_reactor *r, uint32_t flow)
{
	return flow / DAWN_FLOW_WAYS % r->o.threads == r->o.queue;
}

/* Since when, in the entry's clock, which wraps; never in the future. */
static uint64_t ago_us(const struct dawn_reactor *r, uint32_t ms)
{
	int32_t ago = (int32_t)(dawn_ms(r->now_us) - ms);

	return ago > 0 ? (uint64_t)ago * 1000 : 0;
}

/* Would there be room for it? Looked at first, as the flow would be taken and
 * given back in vain every 10 ms. */
static bool room_for(const struct dawn_reactor *r, uint32_t flow, bool evict)
{
	const struct dawn_flow *f = dawn_flows_at(&r->flows, flow);

	if (dawn_room_free(r))
		return true;
	return evict && !dawn_room_refuses(r, dawn_peer_of(r, &f->raddr));
}

/* Own a flow that nobody speaks for; its control block in *c. evict: that is
 * worth another one's memory. Return: true. */
static bool take(struct dawn_reactor *r, uint32_t flow, bool evict,
		 struct dawn_conn **c)
{
	enum dawn_claim got;
	uint64_t word;
	int err;

	if (!room_for(r, flow, evict))
		return false;
	got = dawn_flows_claim(&r->flows, flow, NULL, &word);
	if (got == DAWN_CLAIM_TAKEN)
		COUNT(r, flow_taken);
	else if (got != DAWN_CLAIM_OURS || dawn_conn_find(r, flow) ||
		 !dawn_owner_is_clean(word))
		return false;
	*c = dawn_conn_find(r, flow);
	if (*c)
		dawn_conn_forget(*c);
	err = dawn_conn_make(c, r, flow, word, evict);
	if (!err)
		return true;
	if (err == -ENOMEM || err == -EDQUOT)
		dawn_flows_give(&r->flows, flow, &word);
	else if (err != -EAGAIN)
		dawn_conn_reset_flow(r, flow, word);
	return false;
}

/* Is there something to do about the unacknowledged response: send it again, or
 * its last segment, to hear what is missing? A single segment waits for the
 * timeout: it would for the probe's time. */
static bool overdue(const struct dawn_reactor *r, const struct dawn_flow *f)
{
	uint64_t sent = ago_us(r, f->last_sent_ms);
	uint64_t seen = ago_us(r, f->last_seen_ms);

	if (sent >= dawn_tcp_rto_us(f->srtt_us, f->rttvar_us))
		return true;
	return f->flags & DAWN_FLOW_SACK && f->srtt_us &&
	       f->snd_nxt - f->snd_una > f->mss &&
	       (seen < sent ? seen : sent) >=
		       dawn_tcp_pto_us(f->srtt_us, false);
}

static void scan_flow(void *arg, uint32_t flow)
{
	struct dawn_reactor *r = arg;
	const struct dawn_flow *f = dawn_flows_at(&r->flows, flow);
	uint64_t word = dawn_flows_owner(&r->flows, flow);
	struct dawn_conn *c;

	if (dawn_owner_state(word) == DAWN_OWNER_KERNEL) {
		if (!in_part(r, flow))
			return;
	} else if (!dawn_flows_ours(&r->flows, word)) {
		if (in_part(r, flow) && dawn_owner_is_clean(word))
			dawn_conn_bury(r, flow, word);
		return;
	} else if (dawn_conn_find(r, flow)) {
		return;
	}
	if (!overdue(r, f) || !take(r, flow, true, &c))
		return;
	/* It may have been acknowledged just before we won it. */
	if (dawn_tcp_deadline_us(c->tcp) <= r->now_us) {
		c->events |= dawn_tcp_timer(c->tcp, r->now_us);
		COUNT(r, kernel_retransmit);
	}
	dawn_conn_activate(c);
}

/* Idle between requests: since our last answer, or the handshake. ACKs, as those
 * of keep-alive probes, do not make it busy. */
static bool idle_enough(const struct dawn_reactor *r, uint32_t flow)
{
	const struct dawn_flow *f = dawn_flows_at(&r->flows, flow);
	uint64_t idle = ago_us(r, f->last_sent_ms);

	if (dawn_wait_has(r, flow))
		return false;
	if (!r->drain_us)
		return idle >= r->o.idle_ms * 1000ULL &&
		       !dawn_flows_unacked(&r->flows, flow);
	return idle >= DRAIN_IDLE_MS * 1000 ||
	       r->now_us - r->drain_us >= DRAIN_PATIENCE_US;
}

/* No other connection goes for that: while memory is short this one may as well
 * be idle for a round more. Return: whether it was idle for long enough. */
static bool close_idle(struct dawn_reactor *r, uint32_t flow)
{
	struct dawn_conn *c;

	if (!idle_enough(r, flow))
		return false;
	if (!take(r, flow, false, &c))
		return true;
	/* Looked again, now that nobody else writes to it. */
	if (idle_enough(r, flow) && dawn_conn_dirty(c))
		dawn_tcp_shutdown(c->tcp);
	dawn_conn_activate(c);
	return true;
}

static bool waited_enough(const struct dawn_reactor *r, uint32_t flow)
{
	const struct dawn_flow *f = dawn_flows_at(&r->flows, flow);

	return f->state == DAWN_TCP_TIME_WAIT &&
	       (r->drain_us ||
		ago_us(r, f->last_seen_ms) >= DAWN_TIME_WAIT_MS * 1000ULL);
}

/* RFC 9293, 3.6: 2 MSL are over; draining ends them at once. */
static void end_time_wait(struct dawn_reactor *r, uint32_t flow)
{
	uint64_t word;

	if (!waited_enough(r, flow) ||
	    dawn_flows_claim(&r->flows, flow, NULL, &word) != DAWN_CLAIM_TAKEN)
		return;
	/* Again, now that it is ours: the way may hold another one. */
	if (waited_enough(r, flow))
		dawn_conn_free_flow(r, flow, &word);
	else
		dawn_flows_give(&r->flows, flow, &word);
}

/* A flow of ours; with a control block everything is in order. */
static void sweep_ours(struct dawn_reactor *r, uint32_t flow, uint64_t word)
{
	const struct dawn_flow *f = dawn_flows_at(&r->flows, flow);
	const struct dawn_conn *c = dawn_conn_find(r, flow);

	if (c && c->word == word)
		return;
	if (!dawn_owner_is_clean(word)) {
		if (!c)
			dawn_conn_reset_flow(r, flow, word); /* never */
		return;
	}
	if (ago_us(r, f->last_seen_ms) >= LOST_PACKET_MS * 1000 &&
	    !dawn_flows_unacked(&r->flows, flow))
		dawn_flows_give(&r->flows, flow, &word);
}

static void sweep_flow(struct dawn_reactor *r, uint32_t flow)
{
	uint64_t word = dawn_flows_owner(&r->flows, flow);

	if (dawn_owner_state(word) == DAWN_OWNER_FREE)
		return;
	if (dawn_flows_ours(&r->flows, word)) {
		r->sweep_left++;
		sweep_ours(r, flow, word);
		return;
	}
	if (!in_part(r, flow))
		return;
	if (dawn_owner_state(word) == DAWN_OWNER_KERNEL) {
		r->sweep_left++;
		if (dawn_flows_at(&r->flows, flow)->state == DAWN_TCP_TIME_WAIT)
			end_time_wait(r, flow);
		else if (!close_idle(r, flow))
			dawn_keepalive_sweep(r, flow, word);
	} else if (dawn_owner_state(word) == DAWN_OWNER_USER &&
		   (dawn_owner_is_clean(word) ||
		    r->now_us - r->start_us >= BURY_US || r->drain_us)) {
		dawn_conn_bury(r, flow, word);
	}
}

/* FREE ways have no tag, so an empty set costs one cache line. */
static void sweep_set(struct dawn_reactor *r, uint32_t set)
{
	const struct dawn_flow_set *s = &r->flows.sets[set];

	for (uint32_t way = 0; way < DAWN_FLOW_WAYS; way++) {
		if (s->tag[way] || s->flow[way].owner)
			sweep_flow(r, set * DAWN_FLOW_WAYS + way);
	}
}

static void sweep_step(struct dawn_reactor *r)
{
	uint32_t sets = r->flows.set_count;
	uint32_t n = r->drain_us ? sets
				 : sets / (SWEEP_ROUND_US / SWEEP_US) + 1;

	for (uint32_t i = 0; i < n; i++) {
		if (r->sweep_set == 0)
			r->sweep_left = 0;
		sweep_set(r, r->sweep_set);
		r->sweep_set = r->sweep_set + 1 < sets ? r->sweep_set + 1 : 0;
	}
	if (r->drain_us && n == sets)
		atomic_store(&r->swept, r->sweep_left == 0);
}

void dawn_reactor_sweep(struct dawn_reactor *r)
{
	uint32_t words = DAWN_UNACKED_WORDS(r->flows.set_count);

	if (r->now_us - r->scan_us >= SCAN_US) {
		r->scan_us = r->now_us;
		dawn_flows_each_unacked(&r->flows, 0, words, scan_flow, r);
	}
	if (r->now_us - r->sweep_us >= SWEEP_US) {
		r->sweep_us = r->now_us;
		sweep_step(r);
	}
}

/* The deadline of a drain: whatever is left in our part is reset. */
void dawn_reactor_reset_flows(struct dawn_reactor *r)
{
	uint32_t flows = r->flows.set_count * DAWN_FLOW_WAYS;
	uint64_t word;

	for (uint32_t flow = 0; flow < flows; flow++) {
		word = dawn_flows_owner(&r->flows, flow);
		if (dawn_owner_state(word) == DAWN_OWNER_FREE ||
		    dawn_conn_find(r, flow))
			continue;
		if (!dawn_flows_ours(&r->flows, word) && !in_part(r, flow))
			continue;
		if (dawn_owner_state(word) == DAWN_OWNER_USER &&
		    dawn_owner_incarnation(word) != r->flows.incarnation)
			dawn_conn_bury(r, flow, word);
		switch (dawn_flows_claim(&r->flows, flow, NULL, &word)) {
		case DAWN_CLAIM_TAKEN:
		case DAWN_CLAIM_OURS:
			r->rst_tokens = 1; /* these are all due */
			dawn_conn_reset_flow(r, flow, word);
			(void)dawn_xsk_flush(r->xsk);
			break;
		default:
			break;
		}
	}
}
