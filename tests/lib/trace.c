/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* See trace.h. An object's number is its popularity's rank; after the shift the
 * rank is that of the object half the way round.
 */
#include "tests/lib/trace.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "user/cache/evict.h"

#define NONE UINT32_MAX

struct slot {
	uint64_t hits;
	uint32_t object; /* NONE: nothing */
	uint32_t gen;
	uint32_t free_at; /* tick; 0: it is not on its way out */
};

struct lru {
	uint32_t *next, *prev; /* by object + 1; 0 is the ring's head */
	uint32_t used;
};

struct trace {
	const struct trace_params *p;
	uint64_t random;
	double *sum; /* of the first ranks' weights */
	struct dawn_evict *ev;
	struct slot *slots;
	uint32_t *where; /* object's slot */
	uint32_t *free_list;
	uint32_t free_count, leaving, ticks;
	struct lru lru;
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static struct dawn_index_key hash_of(uint32_t object)
{
	return (struct dawn_index_key){ { mix(2ULL * object + 1),
					  mix(~(2ULL * object)) } };
}

static uint32_t next_rank(struct trace *t)
{
	uint32_t low = 0, high = t->p->objects - 1;
	double want;

	t->random += 0x9e3779b97f4a7c15ULL;
	want = (double)(mix(t->random) >> 11) * 0x1p-53 * t->sum[high];
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (t->sum[mid] > want)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* ---- our policy */

static bool look(void *ctx, uint32_t slot, struct dawn_evict_slot *out)
{
	struct trace *t = ctx;
	struct slot *s = &t->slots[slot];

	if (s->object == NONE)
		return false;
	*out = (struct dawn_evict_slot){ .hash = hash_of(s->object),
					 .hits = s->hits,
					 .gen = s->gen,
					 .evictable = true };
	return true;
}

static bool evict(void *ctx, uint32_t slot, uint32_t gen)
{
	struct trace *t = ctx;
	struct slot *s = &t->slots[slot];

	if (s->object == NONE || s->gen != gen)
		return false;
	t->where[s->object] = NONE;
	s->object = NONE;
	s->free_at = t->ticks + t->p->free_after;
	t->leaving++;
	return true;
}

static void room(void *ctx, uint32_t *free_slots, uint32_t *leaving)
{
	struct trace *t = ctx;

	*free_slots = t->free_count;
	*leaving = t->leaving;
}

static const struct dawn_evict_ops ops = { look, evict, room };

static void tick(struct trace *t)
{
	t->ticks++;
	for (uint32_t i = 0; i < t->p->slots && t->leaving; i++) {
		if (!t->slots[i].free_at || t->slots[i].free_at > t->ticks)
			continue;
		t->slots[i].free_at = 0;
		t->free_list[t->free_count++] = i;
		t->leaving--;
	}
	dawn_evict_tick(t->ev);
}

static bool heat_hit(struct trace *t, uint32_t object)
{
	struct dawn_index_key hash = hash_of(object);
	uint32_t estimate;
	struct slot *s;

	if (t->where[object] != NONE) {
		t->slots[t->where[object]].hits++;
		return true;
	}
	estimate = dawn_evict_note(t->ev, &hash);
	if (estimate < t->p->promote_after ||
	    !dawn_evict_admit(t->ev, estimate) || !t->free_count)
		return false;
	t->where[object] = t->free_list[--t->free_count];
	s = &t->slots[t->where[object]];
	s->object = object;
	s->hits = 0;
	s->gen++;
	dawn_evict_filled(t->ev);
	return false;
}

/* ---- LRU */

static void lru_take(struct lru *l, uint32_t at)
{
	l->next[l->prev[at]] = l->next[at];
	l->prev[l->next[at]] = l->prev[at];
	l->next[at] = 0;
}

static void lru_give(struct lru *l, uint32_t at)
{
	l->next[at] = l->next[0];
	l->prev[at] = 0;
	l->prev[l->next[0]] = at;
	l->next[0] = at;
}

static bool lru_hit(struct trace *t, uint32_t object)
{
	struct lru *l = &t->lru;
	uint32_t at = object + 1;
	bool hit = l->next[at] || l->prev[0] == at;

	if (hit) {
		lru_take(l, at);
	} else if (l->used < t->p->slots) {
		l->used++;
	} else {
		lru_take(l, l->prev[0]);
	}
	lru_give(l, at);
	return hit;
}

/* ---- all of it */

static int start(struct trace *t, const struct trace_params *p)
{
	double sum = 0;

	*t = (struct trace){ .p = p, .random = p->seed };
	t->sum = calloc(p->objects, sizeof(*t->sum));
	t->slots = calloc(p->slots, sizeof(*t->slots));
	t->where = calloc(p->objects, sizeof(*t->where));
	t->free_list = calloc(p->slots, sizeof(*t->free_list));
	t->lru.next = calloc(p->objects + 1, sizeof(*t->lru.next));
	t->lru.prev = calloc(p->objects + 1, sizeof(*t->lru.prev));
	if (!t->sum || !t->slots || !t->where || !t->free_list ||
	    !t->lru.next || !t->lru.prev)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->objects; i++) {
		sum += pow(i + 1, -p->exponent);
		t->sum[i] = sum;
		t->where[i] = NONE;
	}
	for (uint32_t i = 0; i < p->slots; i++) {
		t->slots[i].object = NONE;
		t->free_list[t->free_count++] = i;
	}
	return dawn_evict_create(&t->ev, p->slots, &ops, t);
}

static void finish(struct trace *t)
{
	dawn_evict_destroy(t->ev);
	free(t->sum);
	free(t->slots);
	free(t->where);
	free(t->free_list);
	free(t->lru.next);
	free(t->lru.prev);
}

int trace_run(const struct trace_params *p, struct trace_point *points)
{
	const double share = 1.0 / p->point_every;
	struct trace_point *at;
	struct trace t;
	int err = start(&t, p);

	memset(points, 0, p->requests / p->point_every * sizeof(*points));
	for (uint32_t n = 0; !err && n < p->requests; n++) {
		uint32_t rank = next_rank(&t);
		uint32_t object = rank;

		if (p->shift_at && n >= p->shift_at)
			object = (rank + p->objects / 2) % p->objects;
		if (n % p->tick_every == p->tick_every - 1)
			tick(&t);
		at = &points[n / p->point_every];
		at->heat += heat_hit(&t, object) ? share : 0;
		at->lru += lru_hit(&t, object) ? share : 0;
		at->best += rank < p->slots ? share : 0;
	}
	finish(&t);
	return err;
}
