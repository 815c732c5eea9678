/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How often objects were asked for lately: a count-min sketch whose counters
 * are halved after each window of requests, so that it forgets.
 *
 * An estimate is in requests, of this window and, halved for each window since,
 * of those before. It is never too low (but see threads) and rarely too high:
 * an object that was not asked for shares all its counters with others.
 *
 * Memory: 16 to 32 bytes for each slot of the cache, 4 kB at least, 1 MB at most.
 *
 * Threads: all calls may run at once. Counters are changed without a lock and
 * an update may be lost to another, or to the halving: an estimate is then low
 * by what was lost, which costs an object a request more.
 *
 * The hash must be keyed with a secret: who could aim would raise others'
 * counters.
 */
#ifndef DAWN_CACHE_HEAT_H
#define DAWN_CACHE_HEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "maps/cache.h"

#define DAWN_HEAT_MAX 255 /* counters stay there */

struct dawn_heat;

/* For a cache of so many slots, 1..DAWN_SLOTS_MAX. Return: 0, -EINVAL or
 * -ENOMEM. */
int dawn_heat_create(struct dawn_heat **out, uint32_t slots);
void dawn_heat_destroy(struct dawn_heat *h); /* NULL is fine */

/* The object was asked for `n` times more. Return: its estimate. */
uint32_t dawn_heat_note(struct dawn_heat *h, const struct dawn_index_key *hash,
			uint64_t n);

/* 0..DAWN_HEAT_MAX */
uint32_t dawn_heat_estimate(const struct dawn_heat *h,
			    const struct dawn_index_key *hash);

/* Take the object for one never asked for. Others that share a counter with it
 * lose what they had there. */
void dawn_heat_forget(struct dawn_heat *h, const struct dawn_index_key *hash);

/* Is the window over? dawn_heat_age() halves all counters and begins another;
 * the caller says when, since it may have estimates of its own to halve. */
bool dawn_heat_due(const struct dawn_heat *h);
void dawn_heat_age(struct dawn_heat *h);

#endif
