/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A trace of requests whose popularity follows Zipf's law, answered by the cache's
 * policy (user/cache/evict.c, with slots that hold nothing), by LRU, and by a
 * cache that knows the most popular objects beforehand.
 */
#ifndef DAWN_TEST_TRACE_H
#define DAWN_TEST_TRACE_H

#include <stdint.h>

struct trace_params {
	uint32_t objects;
	uint32_t slots;
	double exponent; /* 0.99 */
	uint32_t requests;
	uint32_t shift_at;    /* from this request on other objects are the
			      * popular ones; 0: never */
	uint32_t tick_every;  /* requests between two ticks */
	uint32_t free_after;  /* ticks until an evicted slot is free */
	uint32_t point_every; /* requests that a point sums up */
	uint32_t promote_after;
	uint64_t seed;
};

/* Shares of requests that were hits, 0..1. */
struct trace_point {
	double heat, lru, best;
};

/* Writes requests / point_every points. Return: 0 or -ENOMEM. */
int trace_run(const struct trace_params *p, struct trace_point *points);

#endif
