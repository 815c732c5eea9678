/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory for the byte rings of connections: sizes of powers of two from
 * DAWN_RING_MIN to DAWN_RING_MAX, under one cap. One thread's own.
 *
 * What is lent, and what was given back but is still warm, never exceeds the
 * cap together. Rings up to DAWN_RING_WARM are kept warm, last in, first out: a
 * connection that comes for one request costs no system call. Bigger ones are
 * rare; their pages go back to the system at once.
 */
#ifndef DAWN_NET_RINGS_H
#define DAWN_NET_RINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAWN_RING_MIN  (64U << 10)
#define DAWN_RING_WARM (512U << 10)
#define DAWN_RING_MAX  (4U << 20)
/* Sizes that are kept warm, beside the smallest. */
#define DAWN_RING_BIGS 3
_Static_assert(DAWN_RING_MIN << DAWN_RING_BIGS == DAWN_RING_WARM, "its log");

/* Behind a ring's bytes lies 1/64 of its size more, a page at least (so that
 * each ring has its own), for what the engine remembers of segments in flight:
 * 16 bytes for each 1024 of a big ring, for each 256 of the smallest. At an MSS
 * of 1460 it needs two thirds of them; with less than 1024, or many small
 * writes, they run out before a big ring is full, and an ACK is waited for. */
#define DAWN_RING_PAGE 4096U
#define DAWN_RING_EXTRA(size) \
	((size) / 64 < DAWN_RING_PAGE ? DAWN_RING_PAGE : (size) / 64)

static inline uint64_t dawn_ring_bytes(uint32_t size)
{
	return (uint64_t)size + DAWN_RING_EXTRA(size);
}

struct dawn_rings {
	uint64_t cap, used; /* bytes; used: lent */
	uint8_t *mem;       /* the smallest rings */
	size_t mem_bytes;
	uint32_t *next; /* free lists, by number of ring */
	uint32_t count;
	uint32_t fresh; /* from here on never used */
	uint32_t warm;  /* heads: have pages; have none */
	uint32_t cold;
	uint8_t *big[DAWN_RING_BIGS]; /* warm ones of twice the size, ... */
	uint64_t warm_bytes;          /* of all sizes */
};

/* Return: 0 or -ENOMEM; destroy is due in either case. */
int dawn_rings_create(struct dawn_rings *r, uint64_t cap);
void dawn_rings_destroy(struct dawn_rings *r);

/* A ring of `size`, its contents undefined. Return: NULL if the cap, or the
 * system, does not allow it. */
uint8_t *dawn_rings_get(struct dawn_rings *r, uint32_t size);

/* NULL is fine. */
void dawn_rings_put(struct dawn_rings *r, uint8_t *mem, uint32_t size);

/* The largest receive ring, hence window, where an AF_XDP rx ring holds `frames`
 * of `payload` bytes: XDP lets half of them wait (bpf/verdict.bpf.h), and what
 * one sender has in flight should fit in while our thread has no CPU. */
uint32_t dawn_rings_rcv_max(uint32_t frames, uint32_t payload);

/* Would n rings of the smallest size be had? */
static inline bool dawn_rings_room(const struct dawn_rings *r, uint32_t n)
{
	return r->used + n * dawn_ring_bytes(DAWN_RING_MIN) <= r->cap;
}

#endif
