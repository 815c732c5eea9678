/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The sketch: four rows of 8-bit counters; an object has one in each, named by
 * 32 bits of its hash, and the lowest is its estimate. Only counters that are
 * below the new estimate are raised ("conservative update"), which leaves
 * others' alone where that is possible.
 *
 * The window is counted in requests, not in time: with Zipf's law the object
 * that just deserves a slot has a share of some 1/15 of 1/slots, whatever the
 * load, so it has some WINDOW / 15 requests in a window and an estimate of
 * twice that. A longer window tells such objects apart better and forgets more
 * slowly; bench/heat.sh shows both.
 */
#include "user/cache/heat.h"

#include <errno.h>
#include <stdlib.h>

#define ROWS      4
#define WIDTH_MIN 1024
#define WINDOW    32 /* requests for each slot */

struct dawn_heat {
	uint64_t noted; /* requests of this window */
	uint64_t window;
	uint32_t width; /* counters of a row: a power of two */
	uint8_t *row[ROWS];
	uint64_t words[]; /* all rows; halved eight counters at once */
};

static uint8_t *counter(const struct dawn_heat *h, int row,
			const struct dawn_index_key *hash)
{
	uint32_t at = (uint32_t)(hash->h[row / 2] >> row % 2 * 32);

	return &h->row[row][at & (h->width - 1)];
}

static uint8_t get(const uint8_t *c)
{
	return __atomic_load_n(c, __ATOMIC_RELAXED);
}

static void set(uint8_t *c, uint32_t value)
{
	__atomic_store_n(c, (uint8_t)value, __ATOMIC_RELAXED);
}

uint32_t dawn_heat_estimate(const struct dawn_heat *h,
			    const struct dawn_index_key *hash)
{
	uint32_t least = DAWN_HEAT_MAX;
	uint32_t c;

	for (int i = 0; i < ROWS; i++) {
		c = get(counter(h, i, hash));
		if (c < least)
			least = c;
	}
	return least;
}

uint32_t dawn_heat_note(struct dawn_heat *h, const struct dawn_index_key *hash,
			uint64_t n)
{
	uint32_t was = dawn_heat_estimate(h, hash);
	uint32_t now = n < DAWN_HEAT_MAX - was ? was + (uint32_t)n
					       : DAWN_HEAT_MAX;
	uint8_t *c;

	__atomic_fetch_add(&h->noted, n, __ATOMIC_RELAXED);
	for (int i = 0; i < ROWS; i++) {
		c = counter(h, i, hash);
		if (get(c) < now)
			set(c, now);
	}
	return now;
}

void dawn_heat_forget(struct dawn_heat *h, const struct dawn_index_key *hash)
{
	uint32_t was = dawn_heat_estimate(h, hash);
	uint32_t value;
	uint8_t *c;

	for (int i = 0; i < ROWS; i++) {
		c = counter(h, i, hash);
		value = get(c);
		set(c, value > was ? value - was : 0);
	}
}

bool dawn_heat_due(const struct dawn_heat *h)
{
	return __atomic_load_n(&h->noted, __ATOMIC_RELAXED) >= h->window;
}

void dawn_heat_age(struct dawn_heat *h)
{
	const uint64_t low_bits = 0x7f7f7f7f7f7f7f7fULL;
	uint32_t words = h->width / 8 * ROWS;
	uint64_t eight;

	for (uint32_t i = 0; i < words; i++) {
		eight = __atomic_load_n(&h->words[i], __ATOMIC_RELAXED);
		if (eight)
			__atomic_store_n(&h->words[i], eight >> 1 & low_bits,
					 __ATOMIC_RELAXED);
	}
	__atomic_store_n(&h->noted, 0, __ATOMIC_RELAXED);
}

int dawn_heat_create(struct dawn_heat **out, uint32_t slots)
{
	uint32_t width = WIDTH_MIN;
	struct dawn_heat *h;

	if (!slots || slots > DAWN_SLOTS_MAX)
		return -EINVAL;
	while (width < slots * 4)
		width *= 2;
	h = calloc(1, sizeof(*h) + (size_t)width * ROWS);
	if (!h)
		return -ENOMEM;
	h->width = width;
	h->window = (uint64_t)slots * WINDOW;
	for (int i = 0; i < ROWS; i++)
		h->row[i] = (uint8_t *)h->words + (size_t)i * width;
	*out = h;
	return 0;
}

void dawn_heat_destroy(struct dawn_heat *h)
{
	free(h);
}
