/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Pressure: both sets of a tuple are full, so somebody has to go.
 *
 * The first rank that has one, and in it who was silent for longest:
 *
 *   TIME_WAIT           at once; nobody is there any more
 *   useless             LAST_ACK, or a connection that never asked for anything
 *   idle                nothing unacknowledged, both ways
 *   stuck               silent for 10 s with a response unacknowledged
 *
 * all but the first after a second of silence: within it a request is on its
 * way. That is a preference: if nobody was silent for so long, data take the
 * place of who was silent for longest with nothing unacknowledged. The reactor's
 * flows stay, it has its own cap. If all are its own, or have an answer on its
 * way, the data are dropped and come again (flow_full).
 *
 * A bare ACK gets a place of the first two ranks, else it makes no entry and
 * loses nothing: the data behind it prove the cookie again. So who only connects
 * can not drive out who is served.
 *
 * Who loses its place is sent a RST, by the reactor (maps/evicted.h).
 */
#ifndef DAWN_BPF_EVICT_H
#define DAWN_BPF_EVICT_H

#include "bpf/verdict.bpf.h"
#include "maps/evicted.bpf.h"
#include "maps/flow_table.bpf.h"

#define DAWN_EVICT_IDLE_MS  1000
#define DAWN_EVICT_STUCK_MS 10000

enum dawn_evict_rank {
	DAWN_EVICT_STUCK = 0,
	DAWN_EVICT_IDLE = 1,
	DAWN_EVICT_USELESS = 2,
	DAWN_EVICT_TIME_WAIT = 3,
};
#define DAWN_EVICT_SHIFT 28 /* rank above, idle milliseconds below */

/* Milliseconds since a flow was seen. Another CPU's clock may be a tick ahead
 * of the one read for this packet: that is now. */
static __always_inline __u32 idle_ms(const struct work *w,
				     const struct dawn_flow *f)
{
	__s32 idle = w->now_ms - f->last_seen_ms;

	return idle > 0 ? idle : 0;
}

static __always_inline __u32 evict_rank(const struct dawn_flow *f)
{
	if (f->state == DAWN_TCP_TIME_WAIT)
		return DAWN_EVICT_TIME_WAIT;
	if (f->state == DAWN_TCP_LAST_ACK || !f->req_len)
		return DAWN_EVICT_USELESS;
	return f->snd_una == f->snd_nxt ? DAWN_EVICT_IDLE : DAWN_EVICT_STUCK;
}

/* How gladly a flow is given up: rank and idle time, the time alone where it
 * spoke within a second; 0: not at all. */
static __always_inline __u32 evict_score(const struct work *w,
					 const struct dawn_flow *f)
{
	__u32 rank = evict_rank(f), idle = idle_ms(w, f);
	__u32 least = rank == DAWN_EVICT_TIME_WAIT ? 0
		      : rank == DAWN_EVICT_STUCK   ? DAWN_EVICT_STUCK_MS
						   : DAWN_EVICT_IDLE_MS;

	if (dawn_owner_state(f->owner) != DAWN_OWNER_KERNEL)
		return 0;
	if (idle < least)
		return rank == DAWN_EVICT_STUCK ? 0 : idle + 1;
	if (idle >= 1U << DAWN_EVICT_SHIFT)
		idle = (1U << DAWN_EVICT_SHIFT) - 1;
	return rank << DAWN_EVICT_SHIFT | idle;
}

/* Note the best of a set in w->victim if it is better than what stands there. */
dawn_subprog int look_for_victim(struct work *w, __u32 number)
{
	struct dawn_flow_set *set = bpf_map_lookup_elem(&flow_table, &number);
	__u32 score;

	if (!w || !set)
		return 0;
	for (int way = 0; way < DAWN_FLOW_WAYS; way++) {
		score = evict_score(w, &set->flow[way]);
		if (score > REREAD(w->victim_score)) {
			w->victim_score = score;
			w->victim = number * DAWN_FLOW_WAYS + way;
		}
	}
	return 0;
}

static __always_inline void tell_evicted(const struct dawn_flow *f)
{
	struct dawn_evicted e = {};

	e.raddr = f->raddr;
	e.rport = f->rport;
	e.service = f->service;
	copy_bytes(e.peer_mac, f->peer_mac, 6);
	e.vlan_outer = f->vlan_outer;
	e.vlan_inner = f->vlan_inner;
	e.flags = f->flags;
	e.snd_nxt = f->snd_nxt;
	if (bpf_ringbuf_output(&evicted, &e, sizeof(e), 0))
		COUNT(evict_untold);
}

#endif
