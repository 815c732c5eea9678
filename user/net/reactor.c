// SPDX-License-Identifier: MIT OR Apache-2.0
/* The AF_XDP reactor.
 *
 * Theory of operation
 *
 * One reactor serves one rx queue, in one thread. A turn of its loop:
 *
 *   timers ► rx ring ► frames from other threads ► pump ► who waits for memory
 *   ► tx ring ► heartbeat
 *
 * Frames and timers only mark connections; the pump runs each marked one once
 * (reactor_pump.c), the tx ring is flushed once. Nothing blocks.
 *
 * ## A connection's tenure here
 *
 * A flow comes to us because XDP gave it up (its packet is in our ring and the
 * word says USER|CLEAN), because its packet was redirected without the word
 * (lost lock; ring not yet empty when we gave it back), or because a timer
 * found it. We claim it (flows.c), read the entry, and build an engine on it.
 *
 *   USER|CLEAN, unopened     retransmits a response of XDP's, takes in ACKs,
 *        │                   and lets XDP have it back at any time
 *        │ a segment that the entry does not cover, a FIN of ours, a RST:
 *        ▼ first one swap, CLEAN off
 *   USER ────────────────►   a protocol is attached when data comes
 *        │ request boundary, everything acknowledged, or all that is not is
 *        ▼ one cached response that the entry can name
 *   KERNEL                   control block gone
 *
 * The engine is asked (dawn_tcp_would_progress()) before a segment goes in;
 * losing the swap means that XDP took the flow back because we slept for more
 * than 100 ms. Then the control block held nothing that the entry does not
 * say, it is forgotten, and the segment starts over with the entry as it is
 * now.
 *
 * What CLEAN covers, so that a kill at any instruction loses nothing: ACKs
 * that were taken in (the entry's snd_una is older, which XDP treats as not
 * yet acknowledged), retransmissions (the same bytes), pure ACKs that we sent
 * (rcv_nxt is the entry's). Giving such a flow back needs its entry written,
 * so it goes dirty for some hundred nanoseconds without a system call; a kill
 * just there costs that one connection (it is reset by the next incarnation).
 *
 * ## Races with XDP
 *
 *  - Stale frames. After a flow went back, frames of it may still be in our
 *    ring. They are looked up like any other: the flow is taken again, the
 *    engine sees old segments or the next request, and it goes back again.
 *  - XDP answers request N+1 while a frame of request N's tail waits in our
 *    ring: an old segment to the engine, an ACK at worst.
 *  - Two threads and one flow (it hops queues): the word names one of them;
 *    the others copy the frame into that thread's ring. If it was given back
 *    before the frame is looked at, the thread that has the frame takes it.
 *  - A frame arrives while the word is LOCKED: XDP is done in microseconds,
 *    claim() spins for it.
 *  - The heartbeat goes stale (we were stopped): XDP may take CLEAN flows; we
 *    notice at the next use, as every use compares the word: timers and
 *    segments at their start, giving back by its swap.
 *
 * ## Clock
 *
 * The engine gets the coarse monotonic clock, read again after each claim:
 * XDP's timestamps come from it too, and a TSval that went back would make the
 * peer drop our segment (RFC 7323, PAWS). It is up to a tick (1 to 10 ms)
 * behind the loop's clock; timers that fire in between are set once more.
 *
 * ## Backlog
 *
 * XDP counts frames it redirected, we count frames taken; the difference is
 * the backlog by which XDP stops before the ring is full. Frames lost on the
 * way (counted by the socket) count as taken. To be safe against drift: what
 * was counted BACKLOG_US ago and is not here although the ring was found empty
 * since never will be, so `taken` catches up with that.
 *
 * ## Limits
 *
 * Connections at once: memory_bytes / 140 kB a thread. Beyond it, one that makes
 * no progress is evicted (reactor_room.c); if there is none, the flow goes back
 * and its request waits (reactor_wait.c). Frames larger than a UMEM
 * chunk never arrive. RSTs outside of connections: 500 a second.
 */
#include "user/net/reactor.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/net/reactor_int.h"

#define BACKLOG_US     10000
#define SERVICES_US    1000000
#define TICK_US        500000
#define IDLE_MS        75000
#define HEARTBEAT_US   20000 /* longest wait of the loop */
#define TX_PATIENCE_US 5000  /* spin so long on a device that takes nothing */

uint8_t dawn_reactor_incarnation(struct dawn_xdp *x)
{
	uint32_t next = x->config->incarnation % 255 + 1;

	__atomic_store_n(&x->config->incarnation, next, __ATOMIC_SEQ_CST);
	return (uint8_t)next;
}

/* --- turns --------------------------------------------------------------- */

static uint64_t sent_by_xdp(const struct dawn_reactor *r)
{
	return __atomic_load_n(&r->o.xdp->queue_sent[r->o.queue],
			       __ATOMIC_ACQUIRE);
}

static void update_backlog(struct dawn_reactor *r, bool empty)
{
	uint64_t lost;

	if (r->now_us - r->backlog_us < BACKLOG_US)
		return;
	lost = dawn_xsk_lost(r->xsk);
	r->taken += lost - r->lost;
	r->lost = lost;
	if (empty && (int64_t)(r->sent_seen - r->taken) > 0)
		r->taken = r->sent_seen;
	r->sent_seen = sent_by_xdp(r);
	r->backlog_us = r->now_us;
}

static void heartbeat(struct dawn_reactor *r)
{
	struct dawn_queue *q = &r->config->queue[r->o.queue];
	uint64_t now_ns = dawn_coarse_us() * 1000;
	uint64_t sent = sent_by_xdp(r);

	/* Caught up with too early, see "Backlog": never ahead of XDP. */
	if ((int64_t)(r->taken - sent) > 0)
		r->taken = sent;
	__atomic_store_n(&q->taken, r->taken, __ATOMIC_RELEASE);
	__atomic_store_n(&q->heartbeat_ns, now_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&r->config->reactor_seen_ns, now_ns, __ATOMIC_RELEASE);
}

/* A device that is full for a while is worth a few turns at full speed, one
 * that is down is not. Return: whether to come back at once. */
static bool flush(struct dawn_reactor *r, bool more)
{
	bool backlog = dawn_xsk_flush(r->xsk);
	uint32_t room = dawn_xsk_tx_free(r->xsk);

	if (room != r->tx_room || (!backlog && room)) {
		r->tx_room = room;
		r->tx_moved_us = r->now_us;
	}
	if (r->now_us - r->tx_moved_us >= TX_PATIENCE_US)
		return false;
	return more || backlog;
}

static void housekeep(struct dawn_reactor *r)
{
	if (r->now_us - r->tick_us >= TICK_US) {
		r->tick_us = r->now_us;
		dawn_reactor_tick(r);
	}
	dawn_local_refresh(r, SERVICES_US);
	dawn_reactor_sweep(r);
}

static bool turn(struct dawn_turn *t, uint64_t now_us)
{
	struct dawn_reactor *r =
		(void *)((uint8_t *)t - offsetof(struct dawn_reactor, turn));
	bool more, rx_more;

	(void)now_us;
	r->now_us = dawn_coarse_us();
	rx_more = dawn_reactor_rx(r);
	more = dawn_pass_get(r);
	housekeep(r);
	more |= dawn_evicted_tell(r);
	more |= dawn_reactor_pump(r);
	more |= dawn_wait_serve(r);
	more = flush(r, more);
	update_backlog(r, !rx_more);
	heartbeat(r);
	return more || rx_more;
}

/* Waking up is all: the turn looks into the ring. */
static void ready(struct dawn_source *src, uint32_t events)
{
	(void)src;
	(void)events;
}

/* --- making and unmaking ------------------------------------------------- */

static int fail(struct dawn_error *e, int err, const char *what,
		const struct dawn_reactor_options *o, const char *hint)
{
	snprintf(e->text, sizeof(e->text), "%s: queue %u: %s: %s%s%s",
		 o->xdp->ifname, o->queue, what, strerror(-err),
		 *hint ? ": " : "", hint);
	return err;
}

static const char *socket_hint(int err)
{
	switch (-err) {
	case EBUSY:
		return "another process has an AF_XDP socket on this queue";
	case EOPNOTSUPP:
		return "the driver has no zero-copy; use copy mode";
	case EPERM:
		return "CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF are needed";
	case ENOBUFS:
		return "locked memory is limited; raise RLIMIT_MEMLOCK";
	default:
		return "";
	}
}

static int map_slots(struct dawn_reactor *r)
{
	void *mem;

	r->slot_count = r->config->slots;
	r->slots_bytes = (size_t)r->slot_count * DAWN_SLOT_SIZE;
	if (!r->slot_count)
		return 0;
	mem = mmap(NULL, r->slots_bytes, PROT_READ, MAP_SHARED,
		   r->o.xdp->map.cache_data, 0);
	if (mem == MAP_FAILED) {
		r->slots_bytes = 0;
		r->slot_count = 0;
		return -errno;
	}
	r->slots = mem;
	return 0;
}

static void init(struct dawn_reactor *r, const struct dawn_reactor_options *o)
{
	r->o = *o;
	r->loop = o->loop;
	r->config = o->xdp->config;
	r->stats = &o->xdp->reactor_stats[o->queue];
	r->source.fd = -1;
	r->source.ready = ready;
	r->turn.run = turn;
	if (!r->o.ring_size)
		r->o.ring_size = DAWN_REACTOR_RING_DEFAULT;
	if (!r->o.memory_bytes)
		r->o.memory_bytes = DAWN_REACTOR_MEMORY_DEFAULT;
	if (!r->o.idle_ms)
		r->o.idle_ms = IDLE_MS;
	r->flows = (struct dawn_flows){
		.sets = o->xdp->flow_table,
		.unacked = o->xdp->unacked,
		.key = &r->config->flow_key,
		.set_count = r->config->flow_sets,
		.thread = (uint8_t)o->queue,
		.incarnation = o->incarnation,
	};
	r->mtu = dawn_reactor_mtu(r);
	r->now_us = dawn_coarse_us();
	r->start_us = r->now_us;
}

static int make_socket(struct dawn_reactor *r)
{
	struct dawn_xsk_options o = {
		.ifname = r->o.xdp->ifname,
		.queue = r->o.queue,
		.ring_size = r->o.ring_size,
		.zero_copy = r->o.zero_copy,
		.xsks_fd = r->o.xdp->map.xsks,
	};
	struct dawn_queue *q = &r->config->queue[r->o.queue];
	int err;

	/* XDP redirects once the heartbeat is fresh, so that comes last. */
	__atomic_store_n(&q->heartbeat_ns, 0, __ATOMIC_SEQ_CST);
	r->taken = sent_by_xdp(r);
	r->sent_seen = r->taken;
	q->taken = r->taken;
	q->ring_size = r->o.ring_size;
	err = dawn_xsk_create(&r->xsk, &o);
	if (err)
		return err;
	r->source.fd = dawn_xsk_fd(r->xsk);
	err = dawn_loop_add(r->loop, &r->source, EPOLLIN);
	if (err)
		r->source.fd = -1;
	return err;
}

static bool options_ok(const struct dawn_reactor_options *o)
{
	return o->xdp && o->loop && o->peers && o->incarnation && o->threads &&
	       o->threads <= DAWN_QUEUES_MAX && o->queue < o->threads &&
	       o->xdp->config->flow_sets;
}

int dawn_reactor_create(struct dawn_reactor **out,
			const struct dawn_reactor_options *o,
			struct dawn_error *e)
{
	struct dawn_reactor *r;
	const char *what = "buffers";
	int err;

	if (!options_ok(o))
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return fail(e, -ENOMEM, what, o, "");
	init(r, o);
	err = dawn_conn_pool_create(r, r->o.memory_bytes);
	if (!err)
		err = dawn_keepalive_create(r);
	if (!err)
		err = dawn_pass_create(&r->inbox);
	if (!err) {
		what = "mapping cache_data";
		err = map_slots(r);
	}
	if (!err) {
		what = "ring of evicted flows";
		err = dawn_evicted_create(r);
	}
	if (!err) {
		what = "AF_XDP socket";
		err = make_socket(r);
	}
	if (!err) {
		what = "event loop";
		err = dawn_loop_each_turn(r->loop, &r->turn);
	}
	if (err) {
		fail(e, err, what, o, r->xsk ? "" : socket_hint(err));
		dawn_reactor_destroy(r);
		return err;
	}
	dawn_loop_max_wait_us(r->loop, HEARTBEAT_US);
	dawn_local_refresh(r, 0);
	o->peers[o->queue] = r;
	heartbeat(r);
	*out = r;
	return 0;
}

/* CLEAN flows can go on without us. */
static void forget_all(struct dawn_reactor *r)
{
	struct dawn_conn *c;

	while ((c = dawn_conn_first(r))) {
		if (!c->lost && dawn_owner_is_clean(c->word)) {
			dawn_flows_give(&r->flows, c->flow, &c->word);
			c->lost = true;
		}
		dawn_conn_release(c, DAWN_CLOSE_ABORTED);
	}
}

void dawn_reactor_destroy(struct dawn_reactor *r)
{
	if (!r)
		return;
	__atomic_store_n(&r->config->queue[r->o.queue].heartbeat_ns, 0,
			 __ATOMIC_SEQ_CST);
	forget_all(r);
	dawn_evicted_destroy(r);
	if (r->source.fd != -1)
		dawn_loop_remove(r->loop, &r->source);
	dawn_xsk_destroy(r->xsk);
	if (r->slots)
		munmap((void *)(uintptr_t)r->slots, r->slots_bytes);
	dawn_pass_destroy(r->inbox);
	dawn_conn_pool_destroy(r);
	dawn_keepalive_destroy(r);
	if (r->o.peers[r->o.queue] == r)
		r->o.peers[r->o.queue] = NULL;
	free(r);
}

/* --- drain --------------------------------------------------------------- */

void dawn_reactor_drain(struct dawn_reactor *r)
{
	r->now_us = dawn_coarse_us();
	if (!r->drain_us)
		r->drain_us = r->now_us;
	for (struct dawn_conn *c = dawn_conn_first(r); c;
	     c = dawn_conn_after(c)) {
		if (c->lost || c->aborted)
			continue;
		c->stream.now_ms = r->now_us / 1000;
		if (c->open)
			c->stream.protocol->drain(&c->stream);
		else if (dawn_conn_dirty(c))
			dawn_tcp_shutdown(c->tcp);
		dawn_conn_activate(c);
	}
}

bool dawn_reactor_drained(const struct dawn_reactor *r)
{
	return atomic_load(&r->swept) && !r->conn_count;
}

void dawn_reactor_reset(struct dawn_reactor *r)
{
	r->now_us = dawn_coarse_us();
	for (struct dawn_conn *c = dawn_conn_first(r); c;
	     c = dawn_conn_after(c))
		dawn_conn_abort(c);
	/* Twice: what the tx ring did not take at first. */
	for (int i = 0; i < 2; i++) {
		dawn_reactor_pump(r);
		dawn_xsk_flush(r->xsk);
	}
	dawn_reactor_reset_flows(r);
	dawn_xsk_flush(r->xsk);
}

/* --- numbers ------------------------------------------------------------- */

uint64_t dawn_reactor_memory(const struct dawn_reactor_options *o)
{
	uint64_t ring = o->ring_size ? o->ring_size : DAWN_REACTOR_RING_DEFAULT;
	uint64_t conns = o->memory_bytes ? o->memory_bytes
					 : DAWN_REACTOR_MEMORY_DEFAULT;

	return ring * (2 * DAWN_XSK_CHUNK + 2 * 16 + 2 * 8) + conns +
	       DAWN_WAIT_BYTES;
}

uint32_t dawn_reactor_connections(const struct dawn_reactor *r)
{
	return r->conn_count;
}
