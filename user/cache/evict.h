/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Who gets a slot of the kernel cache, and who has to leave: the policy alone.
 * It knows of slots only what `ops` tell, so a test can give it slots that hold
 * nothing.
 *
 * While there is room everybody is admitted. Then who is hotter than the coldest
 * slots is, and a hand that goes round the slots evicts those. That is done ahead
 * of need, since an evicted slot is not free at once: some slots are kept free.
 *
 * Memory: 48 bytes a slot at most, the sketch included; 3 MB with DAWN_SLOTS_MAX.
 */
#ifndef DAWN_CACHE_EVICT_H
#define DAWN_CACHE_EVICT_H

#include "user/cache/heat.h"

struct dawn_evict;

/* A slot that holds an object. */
struct dawn_evict_slot {
	struct dawn_index_key hash; /* of the object, as for note() */
	uint64_t hits;              /* by XDP since it was filled */
	uint32_t gen;               /* another one for each filling */
	bool evictable;
};

/* Called by dawn_evict_tick() only; they must not wait. */
struct dawn_evict_ops {
	/* Return: false if the slot holds none. */
	bool (*look)(void *ctx, uint32_t slot, struct dawn_evict_slot *out);
	/* Take it out, if it is still that one. Return: false if not. */
	bool (*evict)(void *ctx, uint32_t slot, uint32_t gen);
	/* How many slots are free, and will be after a grace period. Guesses
	 * will do: a wrong one costs some ticks. */
	void (*room)(void *ctx, uint32_t *free, uint32_t *leaving);
};

/* Return: 0, -EINVAL (slots: 1..DAWN_SLOTS_MAX) or -ENOMEM. `ops` and `ctx` are
 * borrowed. */
int dawn_evict_create(struct dawn_evict **out, uint32_t slots,
		      const struct dawn_evict_ops *ops, void *ctx);
void dawn_evict_destroy(struct dawn_evict *ev); /* NULL is fine */

/* An object without a slot was asked for. Any thread. Return: estimate of how
 * often lately, up to DAWN_HEAT_MAX. */
uint32_t dawn_evict_note(struct dawn_evict *ev,
			 const struct dawn_index_key *hash);

/* May an object of that estimate have a slot now? Any thread. */
bool dawn_evict_admit(struct dawn_evict *ev, uint32_t estimate);

/* An object has got a slot. Any thread. */
void dawn_evict_filled(struct dawn_evict *ev);

/* Its past does not count any more. Any thread. */
void dawn_evict_forget(struct dawn_evict *ev,
		       const struct dawn_index_key *hash);

/* Every 100 ms, one thread at a time: the hand goes on. It looks at
 * a part of the slots, a sixteenth within 256..1,024, one hit counter each, and
 * at as many more at most if it must evict. Return: how many
 * were evicted. */
uint32_t dawn_evict_tick(struct dawn_evict *ev);

#endif
