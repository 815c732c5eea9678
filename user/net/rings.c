// SPDX-License-Identifier: MIT OR Apache-2.0
/* See rings.h. The smallest rings are carved from one mapping as large as the
 * cap; pages come when they are touched. Three kinds of free ones: fresh (above
 * a mark), warm (with pages), cold (without, after madvise()). A bigger ring is
 * a mapping of its own; if it and the warm ones do not fit the cap together,
 * warm ones become cold.
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

void dawn_rings_destroy(struct dawn_rings *r)
{
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

/* Until `bytes` more fit beside the warm ones. */
static void cool(struct dawn_rings *r, uint64_t bytes)
{
	uint64_t each = dawn_ring_bytes(DAWN_RING_MIN);

	while (r->warm_count &&
	       r->used + r->warm_count * each + bytes > r->cap) {
		uint32_t i = pop(r, &r->warm);

		(void)madvise(ring_at(r, i), each, MADV_DONTNEED);
		r->warm_count--;
		push(r, &r->cold, i);
	}
}

static uint8_t *get_small(struct dawn_rings *r)
{
	if (r->warm != NONE) {
		r->warm_count--;
		return ring_at(r, pop(r, &r->warm));
	}
	if (r->cold != NONE)
		return ring_at(r, pop(r, &r->cold));
	return r->fresh < r->count ? ring_at(r, r->fresh++) : NULL;
}

uint8_t *dawn_rings_get(struct dawn_rings *r, uint32_t size)
{
	uint64_t bytes = dawn_ring_bytes(size);
	uint8_t *mem;

	if (r->used + bytes > r->cap)
		return NULL;
	if (size == DAWN_RING_MIN) {
		mem = get_small(r);
	} else {
		cool(r, bytes);
		mem = map_memory(bytes);
	}
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
		push(r, &r->warm, (uint32_t)((size_t)(mem - r->mem) / bytes));
		r->warm_count++;
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
