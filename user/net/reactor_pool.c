// SPDX-License-Identifier: MIT OR Apache-2.0
/* Memory of connections: control blocks and rings, under one cap.
 *
 * Control blocks are one mapping, touched when used; the free list is last-in
 * first-out, so that few pages are warm. A connection begins with the smallest
 * receive and send ring, or with a receive ring that holds what was offered to
 * the peer when it was here before. Rings grow while the engine says that they
 * are too small, up to DAWN_RING_MAX, a receive ring up to what the AF_XDP ring
 * can take; growing may use half of the cap, one peer a quarter, so that it never
 * keeps others out. What is refused stays as it is, and asks again after
 * REFUSED_US. A ring for which no use is left (half-closed connections) goes
 * back early.
 *
 * There are as many control blocks as smallest rings, for connections that wait
 * for the end with one ring or none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "user/net/reactor_int.h"

#define REFUSED_US 1000000
#define CONNS_MIN  8

static size_t conn_stride(void)
{
	return (sizeof(struct dawn_conn) + 63) / 64 * 64 +
	       (dawn_tcp_sizeof() + 63) / 64 * 64;
}

static int map_pool(struct dawn_reactor *r)
{
	r->pool_bytes = conn_stride() * r->conn_max;
	r->pool = mmap(NULL, r->pool_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r->pool == MAP_FAILED) {
		r->pool = NULL;
		return -ENOMEM;
	}
	for (uint32_t i = r->conn_max; i-- > 0;) {
		struct dawn_conn *c =
			(void *)(r->pool + (size_t)i * conn_stride());

		c->tcp = (void *)((uint8_t *)c + (sizeof(*c) + 63) / 64 * 64);
		TAILQ_INSERT_HEAD(&r->free, c, of_class);
	}
	return 0;
}

int dawn_conn_pool_create(struct dawn_reactor *r, uint64_t memory_bytes)
{
	uint64_t ring = dawn_ring_bytes(DAWN_RING_MIN);
	uint64_t n = memory_bytes / (ring + conn_stride());
	uint32_t buckets = 64;
	int err;

	TAILQ_INIT(&r->free);
	TAILQ_INIT(&r->active);
	TAILQ_INIT(&r->doubtful);
	for (int i = 0; i < DAWN_CONN_CLASSES; i++)
		TAILQ_INIT(&r->list[i]);
	r->conn_max = n < CONNS_MIN ? CONNS_MIN : (uint32_t)n;
	while (buckets < r->conn_max * 2)
		buckets *= 2;
	r->hash = calloc(buckets, sizeof(*r->hash));
	r->hash_mask = buckets - 1;
	if (!r->hash)
		return -ENOMEM;
	err = map_pool(r);
	if (!err)
		err = dawn_rings_create(&r->rings, r->conn_max * ring);
	if (!err)
		err = dawn_wait_create(r);
	return err ? err : dawn_peers_create(r);
}

void dawn_conn_pool_destroy(struct dawn_reactor *r)
{
	if (r->pool)
		munmap(r->pool, r->pool_bytes);
	dawn_rings_destroy(&r->rings);
	dawn_wait_destroy(r);
	dawn_peers_destroy(r);
	free(r->hash);
}

/* What was offered must be taken: a receive ring for the window that the entry
 * says, if it may be had. */
static uint32_t offered(const struct dawn_flow *f)
{
	uint32_t window = f->rcv_adv - f->rcv_nxt, size = DAWN_RING_MIN;

	if (window > DAWN_RING_MAX)
		return size; /* not noted */
	while (size < window)
		size *= 2;
	return size;
}

static bool may_grow(const struct dawn_reactor *r, const struct dawn_peer *p,
		     uint32_t from, uint32_t to)
{
	uint64_t more = dawn_ring_bytes(to) - dawn_ring_bytes(from);

	return r->rings.used + more <= r->rings.cap / 2 &&
	       p->grown + more <= r->rings.cap / 4;
}

static struct dawn_ring lend(struct dawn_reactor *r, struct dawn_peer *p,
			     uint32_t size)
{
	struct dawn_ring ring = { NULL, size };

	if (size != DAWN_RING_MIN) {
		if (may_grow(r, p, DAWN_RING_MIN, size))
			ring.mem = dawn_rings_get(&r->rings, size);
		if (!ring.mem)
			COUNT(r, rings_refused);
	}
	if (!ring.mem) {
		ring.size = DAWN_RING_MIN;
		ring.mem = dawn_rings_get(&r->rings, DAWN_RING_MIN);
	}
	p->grown += dawn_ring_bytes(ring.size) - dawn_ring_bytes(DAWN_RING_MIN);
	return ring;
}

static void put_ring(struct dawn_conn *c, struct dawn_ring *ring)
{
	struct dawn_reactor *r = c->r;

	if (ring->mem) {
		dawn_rings_put(&r->rings, ring->mem, ring->size);
		dawn_room_freed(r);
		c->peer->grown -= dawn_ring_bytes(ring->size) -
				  dawn_ring_bytes(DAWN_RING_MIN);
	}
	*ring = (struct dawn_ring){ NULL, 0 };
}

int dawn_conn_lend(struct dawn_conn **out, struct dawn_reactor *r,
		   const struct dawn_flow *f, bool evict)
{
	struct dawn_peer *peer;
	struct dawn_conn *c;
	struct dawn_tcp *tcp;
	int err;

	err = dawn_room_for(&peer, r, &f->raddr, evict);
	if (err)
		return err;
	/* Not before: one that was evicted stands there now. */
	c = TAILQ_FIRST(&r->free);
	TAILQ_REMOVE(&r->free, c, of_class);
	tcp = c->tcp;
	memset(c, 0, sizeof(*c));
	c->r = r;
	c->tcp = tcp;
	c->peer = peer;
	c->rcv = lend(r, peer, offered(f));
	c->snd = lend(r, peer, DAWN_RING_MIN);
	*out = c;
	return 0;
}

void dawn_conn_return(struct dawn_conn *c)
{
	put_ring(c, &c->rcv);
	put_ring(c, &c->snd);
	dawn_peer_put(c->r, c->peer);
	TAILQ_INSERT_HEAD(&c->r->free, c, of_class);
	dawn_room_freed(c->r);
}

static bool grow(struct dawn_conn *c, struct dawn_ring *ring,
		 struct dawn_ring (*move)(struct dawn_tcp *, struct dawn_ring))
{
	struct dawn_reactor *r = c->r;
	struct dawn_ring to = { NULL, ring->size * 2 };

	if (ring->size >= DAWN_RING_MAX ||
	    (c->refused_us && r->now_us - c->refused_us < REFUSED_US))
		return false;
	if (may_grow(r, c->peer, ring->size, to.size))
		to.mem = dawn_rings_get(&r->rings, to.size);
	if (!to.mem) {
		c->refused_us = r->now_us;
		COUNT(r, rings_refused);
		return false;
	}
	c->peer->grown +=
		dawn_ring_bytes(to.size) - dawn_ring_bytes(DAWN_RING_MIN);
	(void)move(c->tcp, to); /* gives back what *ring is */
	if (ring == &c->snd)
		(void)dawn_tcp_recs_move(c->tcp, dawn_conn_recs(&to));
	put_ring(c, ring);
	*ring = to;
	COUNT(r, rings_grown);
	return true;
}

/* Of frames as large as the MTU, less headers and timestamps. */
static uint32_t rcv_max(const struct dawn_reactor *r)
{
	return dawn_rings_rcv_max(r->o.ring_size, r->mtu - 52);
}

bool dawn_conn_grow(struct dawn_conn *c)
{
	bool grown = false;

	if (c->lost || c->aborted)
		return false;
	if (dawn_tcp_rcv_short(c->tcp) && c->rcv.size < rcv_max(c->r))
		grown = grow(c, &c->rcv, dawn_tcp_grow_rcv);
	if (c->want_space && dawn_tcp_snd_short(c->tcp))
		grown |= grow(c, &c->snd, dawn_tcp_grow_snd);
	return grown;
}

void dawn_conn_spare(struct dawn_conn *c)
{
	if (dawn_tcp_state(c->tcp) == DAWN_TCP_ESTABLISHED)
		return;
	if (dawn_tcp_spare_rcv(c->tcp).size)
		put_ring(c, &c->rcv);
	if (dawn_tcp_spare_snd(c->tcp).size)
		put_ring(c, &c->snd);
}
