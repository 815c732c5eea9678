// SPDX-License-Identifier: MIT OR Apache-2.0
/* See rings.h. The smallest rings are carved from one mapping as large as the
 * cap; pages come when they are touched. Three kinds of free ones: fresh (above
 * a mark), warm (with pages), cold (without, after madvise()). A bigger ring is
 * a mapping of its own; a warm one begins with the address of the next. If what
 * is to be lent and the warm ones do not fit the cap together, warm ones become
 * cold, the biggest first.
 */
#include "user/net/rings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NONE UINT32_MAX

static void *map_memory(size_t bytes)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

int dawn_rings_create(struct dawn_rings *r, uint64_t cap)
{
	memset(r, 0, sizeof(*r));
	r->cap = cap;
	r->warm = r->cold = NONE;
	r->count = (uint32_t)(cap / dawn_ring_bytes(DAWN_RING_MIN));
	r->mem_bytes = r->count * dawn_ring_bytes(DAWN_RING_MIN);
	r->next = calloc(r->count + 1, sizeof(*r->next));
	if (r->mem_bytes)
		r->mem = map_memory(r->mem_bytes);
	return r->next && r->mem ? 0 : -ENOMEM;
}

/* Index in big[] of a size that is neither the smallest nor above
 * DAWN_RING_WARM. */
static int big_index(uint32_t size)
{
	return __builtin_ctz(size) - __builtin_ctz(DAWN_RING_MIN) - 1;
}

static uint64_t big_bytes(int k)
{
	return dawn_ring_bytes(DAWN_RING_MIN << (k + 1));
}

static uint8_t *big_pop(struct dawn_rings *r, int k)
{
	uint8_t *mem = r->big[k];

	memcpy(&r->big[k], mem, sizeof(r->big[k]));
	r->warm_bytes -= big_bytes(k);
	return mem;
}

static void big_push(struct dawn_rings *r, int k, uint8_t *mem)
{
	memcpy(mem, &r->big[k], sizeof(r->big[k]));
	r->big[k] = mem;
	r->warm_bytes += big_bytes(k);
}

void dawn_rings_destroy(struct dawn_rings *r)
{
	for (int k = 0; k < DAWN_RING_BIGS; k++)
		while (r->big[k])
			(void)munmap(big_pop(r, k), big_bytes(k));
	if (r->mem)
		munmap(r->mem, r->mem_bytes);
	free(r->next);
	memset(r, 0, sizeof(*r));
}

static uint32_t pop(const struct dawn_rings *r, uint32_t *head)
{
	uint32_t i = *head;

	*head = r->next[i];
	return i;
}

static void push(struct dawn_rings *r, uint32_t *head, uint32_t i)
{
	r->next[i] = *head;
	*head = i;
}

static uint8_t *ring_at(const struct dawn_rings *r, uint32_t i)
{
	return r->mem + i * dawn_ring_bytes(DAWN_RING_MIN);
}

static uint32_t ring_number(const struct dawn_rings *r, const uint8_t *mem)
{
	return (uint32_t)((size_t)(mem - r->mem) /
			  dawn_ring_bytes(DAWN_RING_MIN));
}

static uint8_t *warm_pop(struct dawn_rings *r)
{
	r->warm_bytes -= dawn_ring_bytes(DAWN_RING_MIN);
	return ring_at(r, pop(r, &r->warm));
}

static void cool_one(struct dawn_rings *r)
{
	uint8_t *mem;

	for (int k = DAWN_RING_BIGS; k-- > 0;) {
		if (!r->big[k])
			continue;
		(void)munmap(big_pop(r, k), big_bytes(k));
		return;
	}
	mem = warm_pop(r);
	(void)madvise(mem, dawn_ring_bytes(DAWN_RING_MIN), MADV_DONTNEED);
	push(r, &r->cold, ring_number(r, mem));
}

/* Until `bytes` more fit beside the warm ones. */
static void cool(struct dawn_rings *r, uint64_t bytes)
{
	while (r->warm_bytes && r->used + r->warm_bytes + bytes > r->cap)
		cool_one(r);
}

static uint8_t *get_small(struct dawn_rings *r)
{
	if (r->warm != NONE)
		return warm_pop(r);
	cool(r, dawn_ring_bytes(DAWN_RING_MIN));
	if (r->cold != NONE)
		return ring_at(r, pop(r, &r->cold));
	return r->fresh < r->count ? ring_at(r, r->fresh++) : NULL;
}

static uint8_t *get_big(struct dawn_rings *r, uint32_t size)
{
	int k = big_index(size);

	if (size <= DAWN_RING_WARM && r->big[k])
		return big_pop(r, k);
	cool(r, dawn_ring_bytes(size));
	return map_memory(dawn_ring_bytes(size));
}

uint8_t *dawn_rings_get(struct dawn_rings *r, uint32_t size)
{
	uint64_t bytes = dawn_ring_bytes(size);
	uint8_t *mem;

	if (r->used + bytes > r->cap)
		return NULL;
	mem = size == DAWN_RING_MIN ? get_small(r) : get_big(r, size);
	if (mem)
		r->used += bytes;
	return mem;
}

void dawn_rings_put(struct dawn_rings *r, uint8_t *mem, uint32_t size)
{
	uint64_t bytes = dawn_ring_bytes(size);

	if (!mem)
		return;
	r->used -= bytes;
	if (size == DAWN_RING_MIN) {
		push(r, &r->warm, ring_number(r, mem));
		r->warm_bytes += bytes;
	} else if (size <= DAWN_RING_WARM) {
		big_push(r, big_index(size), mem);
	} else {
		munmap(mem, bytes);
	}
}

uint32_t dawn_rings_rcv_max(uint32_t frames, uint32_t payload)
{
	uint64_t bytes = (uint64_t)frames / 2 * payload;
	uint32_t size = DAWN_RING_MIN;

	while (size < DAWN_RING_MAX && size * 2ULL <= bytes)
		size *= 2;
	return size;
}
