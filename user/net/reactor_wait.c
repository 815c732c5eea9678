// SPDX-License-Identifier: MIT OR Apache-2.0
/* Requests that wait for memory.
 *
 * Where there is no room for a newcomer (reactor_room.c) its flow goes back to
 * the kernel half as it was, nothing is acknowledged, and the segment is kept
 * here: a copy of its frame. When there is room the frame is looked at as if it
 * had just arrived, so whatever became of its flow meanwhile is found as for any
 * frame that lay in the rx ring (reactor_rx.c). Without this the peer would be
 * served only by its own next retransmission, each of which comes after twice
 * the time.
 *
 * ## What waits
 *
 * One segment of a flow, with data that begin where the entry expects them, in a
 * frame of at most FRAME_MAX bytes. Comes it again, the newer copy counts: it may
 * hold more, and its timestamp is the better one. All else is dropped
 * (rx_refused): bare ACKs and old duplicates say nothing that must be known, a
 * FIN is XDP's when it comes again, and what is behind a segment that waits is
 * sent again once that is acknowledged.
 *
 * Nothing here is a pointer into the table or to a connection. A flow's index
 * only says where to look; it still waits if RCV.NXT there is the SEQ kept here.
 * If XDP answered it, or it ended, or its way was given to another flow, that is
 * over.
 *
 * ## Who is next, and when
 *
 * After each pump, if memory came back since the last look, the others every
 * LOOK_US (a connection may have stalled by now, reactor_room.c): all in the
 * order of their coming, past those whose source would be refused. So who waits
 * comes before what the rx ring holds.
 *
 * ## Limits
 *
 * WAIT_MAX segments a thread. At the cap a source that has fewer here than
 * another takes a place of a source that has most, the last that came. If all
 * have as few, the newcomer is dropped (conn_refused) and comes again by itself.
 * SERVE_MAX are served in one turn.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "user/net/reactor_int.h"

#define WAIT_MAX  1024
#define FRAME_MAX 2048
#define SERVE_MAX 64
#define LOOK_US   50000

_Static_assert(DAWN_WAIT_BYTES >= WAIT_MAX * FRAME_MAX, "is what we say");

struct dawn_waiter {
	TAILQ_ENTRY(dawn_waiter) of_queue;
	struct dawn_waiter *hash_next;
	struct dawn_peer *peer;
	uint32_t flow;
	uint32_t seq;
	uint32_t len;
};

static struct dawn_waiter **bucket(const struct dawn_waiting *t, uint32_t flow)
{
	return &t->hash[(flow ^ flow >> 13) % WAIT_MAX];
}

static struct dawn_waiter *find(const struct dawn_waiting *t, uint32_t flow)
{
	struct dawn_waiter *w = t->count ? *bucket(t, flow) : NULL;

	while (w && w->flow != flow)
		w = w->hash_next;
	return w;
}

static uint8_t *frame_of(const struct dawn_waiting *t,
			 const struct dawn_waiter *w)
{
	return t->frames + (size_t)(w - t->mem) * FRAME_MAX;
}

uint32_t dawn_wait_max(void)
{
	return WAIT_MAX;
}

int dawn_wait_create(struct dawn_reactor *r)
{
	struct dawn_waiting *t = &r->waiting;

	TAILQ_INIT(&t->queue);
	TAILQ_INIT(&t->free);
	t->mem = calloc(WAIT_MAX, sizeof(*t->mem));
	t->hash = calloc(WAIT_MAX, sizeof(struct dawn_waiter *));
	t->frames = mmap(NULL, (size_t)WAIT_MAX * FRAME_MAX,
			 PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->frames == MAP_FAILED)
		t->frames = NULL;
	if (!t->mem || !t->hash || !t->frames)
		return -ENOMEM;
	for (uint32_t i = 0; i < WAIT_MAX; i++)
		TAILQ_INSERT_TAIL(&t->free, &t->mem[i], of_queue);
	return 0;
}

void dawn_wait_destroy(struct dawn_reactor *r)
{
	struct dawn_waiting *t = &r->waiting;

	free(t->mem);
	free(t->hash);
	if (t->frames)
		munmap(t->frames, (size_t)WAIT_MAX * FRAME_MAX);
}

static void add(struct dawn_reactor *r, uint32_t flow,
		const struct dawn_addr *raddr)
{
	struct dawn_waiting *t = &r->waiting;
	struct dawn_waiter *w = TAILQ_FIRST(&t->free), **b = bucket(t, flow);

	TAILQ_REMOVE(&t->free, w, of_queue);
	*w = (struct dawn_waiter){
		.flow = flow,
		.hash_next = *b,
		.peer = dawn_peer_wait(r, raddr),
	};
	*b = w;
	TAILQ_INSERT_TAIL(&t->queue, w, of_queue);
	t->count++;
}

static void drop(struct dawn_reactor *r, struct dawn_waiter *w)
{
	struct dawn_waiting *t = &r->waiting;
	struct dawn_waiter **b = bucket(t, w->flow);

	while (*b != w)
		b = &(*b)->hash_next;
	*b = w->hash_next;
	TAILQ_REMOVE(&t->queue, w, of_queue);
	dawn_peer_wait_end(r, w->peer);
	TAILQ_INSERT_HEAD(&t->free, w, of_queue);
	t->count--;
}

/* A place at the cap: of a source that has more here than the newcomer's would.
 * Return: whether there is one. */
static bool displace(struct dawn_reactor *r, const struct dawn_addr *raddr)
{
	const struct dawn_peer *p = dawn_peer_of(r, raddr);
	uint32_t count = p ? p->waiting : 0;
	struct dawn_waiter *w = TAILQ_LAST(&r->waiting.queue, dawn_waiters);

	if (r->peers.waits.most <= count + 1)
		return false;
	while (w && w->peer->waiting < r->peers.waits.most)
		w = TAILQ_PREV(w, dawn_waiters, of_queue);
	if (!w)
		return false; /* never */
	drop(r, w);
	COUNT(r, conn_refused);
	return true;
}

static bool keep(struct dawn_reactor *r, uint32_t flow,
		 const struct dawn_frame *f, const uint8_t *data, uint32_t len)
{
	struct dawn_waiting *t = &r->waiting;
	struct dawn_waiter *w = find(t, flow);

	if (!w) {
		if (TAILQ_EMPTY(&t->free) && !displace(r, &f->addr.raddr))
			return false;
		add(r, flow, &f->addr.raddr);
		w = TAILQ_LAST(&t->queue, dawn_waiters);
		COUNT(r, conn_wait);
	}
	memcpy(frame_of(t, w), data, len);
	w->len = len;
	w->seq = f->seg.seq;
	return true;
}

/* A flow that waits is not one that never asked (bpf/evict.bpf.h). */
static void note_asked(struct dawn_reactor *r, uint32_t flow, uint64_t *word)
{
	struct dawn_flow *e = dawn_flows_at(&r->flows, flow);

	if (!e->req_len && dawn_flows_dirty(&r->flows, flow, word))
		e->req_len = 1;
}

void dawn_wait_refused(struct dawn_reactor *r, uint32_t flow, uint64_t word,
		       int err, const struct dawn_frame *f, const uint8_t *data,
		       uint32_t len)
{
	const struct dawn_flow *e = dawn_flows_at(&r->flows, flow);

	if (r->waiting.calling)
		r->waiting.refused = flow == r->waiting.calling->flow;
	else if (!f->seg.len || f->seg.seq != e->rcv_nxt)
		COUNT(r, rx_refused);
	else if (len <= FRAME_MAX && keep(r, flow, f, data, len))
		note_asked(r, flow, &word);
	else
		COUNT(r, conn_refused);
	if (!r->waiting.calling && err == -EDQUOT)
		COUNT(r, conn_share);
	dawn_flows_give(&r->flows, flow, &word);
}

/* A hint, as the entry may be anybody's. What is not KERNEL is looked at by
 * somebody: let him. */
static bool still_waits(const struct dawn_reactor *r,
			const struct dawn_waiter *w)
{
	const struct dawn_flow *e = dawn_flows_at(&r->flows, w->flow);
	uint8_t state = dawn_owner_state(dawn_flows_owner(&r->flows, w->flow));

	if (state == DAWN_OWNER_KERNEL)
		return __atomic_load_n(&e->rcv_nxt, __ATOMIC_RELAXED) == w->seq;
	return state != DAWN_OWNER_FREE;
}

bool dawn_wait_has(const struct dawn_reactor *r, uint32_t flow)
{
	const struct dawn_waiter *w = find(&r->waiting, flow);

	return w && still_waits(r, w);
}

void dawn_wait_forget(struct dawn_reactor *r, uint32_t flow)
{
	struct dawn_waiter *w = find(&r->waiting, flow);

	if (w && w != r->waiting.calling)
		drop(r, w);
}

/* Return: whether it was served. */
static bool again(struct dawn_reactor *r, struct dawn_waiter *w)
{
	struct dawn_waiting *t = &r->waiting;
	bool served;

	t->calling = w;
	t->refused = false;
	dawn_reactor_frame(r, frame_of(t, w), w->len, 0);
	t->calling = NULL;
	if (t->refused)
		return false;
	served = dawn_conn_find(r, w->flow);
	if (served)
		COUNT(r, conn_called);
	drop(r, w);
	return served;
}

bool dawn_wait_serve(struct dawn_reactor *r)
{
	struct dawn_waiting *t = &r->waiting;
	bool look = r->now_us - t->look_us >= LOOK_US;
	struct dawn_waiter *w = TAILQ_FIRST(&t->queue), *next;
	uint32_t served = 0;

	if (!w || (!look && !t->freed))
		return false;
	t->freed = false;
	if (look)
		t->look_us = r->now_us;
	for (; w && served < SERVE_MAX; w = next) {
		bool refuses = dawn_room_refuses(r, w->peer);

		next = TAILQ_NEXT(w, of_queue);
		if (refuses && !look)
			continue;
		if (!still_waits(r, w))
			drop(r, w);
		else if (!refuses)
			served += again(r, w);
	}
	if (w)
		t->freed = true; /* the others in the next turn */
	return served;
}
