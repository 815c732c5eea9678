/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Admission and eviction.
 *
 * Theory of operation. Requests that reach the reactor are noted in the sketch
 * when they come. Those that XDP answers are seen by nobody but a counter of the
 * slot: the hand, where it passes, notes by how much it rose. So the sketch knows
 * of both, and an object that leaves keeps its past.
 *
 * For each slot we remember the estimate that the hand found, and how many slots
 * have which (a histogram; halved with the sketch). `floor` is the estimate that
 * the coldest `reserve` slots do not exceed. Who is admitted to a full cache is
 * above the floor; who is evicted is not. So none is displaced by a colder one,
 * as far as estimates go, and requests once in a blue moon displace nobody.
 *
 * Candidates above the floor are what the reserve is for: it follows their number,
 * between a 128th and an 8th of the slots. Hence after a shift of what is popular
 * the cache is exchanged by 8ths, and else hardly any slot is unused.
 *
 * What is on its way out counts as free, but not for ever: a client that does not
 * acknowledge holds its slot for minutes. After LEAVING_TICKS it counts no more.
 *
 * When windows are shorter than the hand's turn (XDP answers some 100,000 a
 * second from 1,024 slots), a slot's estimate has the hits of the whole turn, so
 * who is inside is favoured, by a factor of two to four.
 *
 * Slots that are evicted are searched for among all, by the estimates remembered,
 * and looked at once more before they go: they may have become hot.
 */
#include "user/cache/evict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS_MIN     256
#define LOOKS_MAX     1024
#define RESERVE_MIN   128 /* one slot in so many */
#define RESERVE_MAX   8
#define LEAVING_TICKS 8

/* What the hand found when it was there last. */
struct seen {
	uint64_t hits;
	uint32_t gen;
	uint8_t estimate;
	bool counted; /* in the histogram: may be evicted */
};

struct dawn_evict {
	const struct dawn_evict_ops *ops;
	void *ctx;
	struct dawn_heat *heat;
	uint32_t slots;
	uint32_t hand;   /* slot that is looked at next */
	uint32_t search; /* where the search for cold ones goes on */
	uint32_t ticks;
	uint32_t evicted[LEAVING_TICKS]; /* in the last ticks */
	uint32_t histogram[DAWN_HEAT_MAX + 1];
	/* Read by all threads, relaxed: each is a hint. */
	uint32_t floor;
	uint32_t reserve;
	uint32_t free;   /* slots */
	uint32_t wishes; /* since the last tick: admissions from the reserve,
			  * made or refused for want of a slot */
	struct seen seen[];
};

static uint32_t load(const uint32_t *v)
{
	return __atomic_load_n(v, __ATOMIC_RELAXED);
}

static void store(uint32_t *v, uint32_t value)
{
	__atomic_store_n(v, value, __ATOMIC_RELAXED);
}

/* ---- any thread */

uint32_t dawn_evict_note(struct dawn_evict *ev,
			 const struct dawn_index_key *hash)
{
	return dawn_heat_note(ev->heat, hash, 1);
}

void dawn_evict_forget(struct dawn_evict *ev, const struct dawn_index_key *hash)
{
	dawn_heat_forget(ev->heat, hash);
}

bool dawn_evict_admit(struct dawn_evict *ev, uint32_t estimate)
{
	uint32_t n = load(&ev->free);

	if (n > load(&ev->reserve))
		return true;
	if (estimate <= load(&ev->floor))
		return false;
	__atomic_fetch_add(&ev->wishes, 1, __ATOMIC_RELAXED);
	return n > 0;
}

void dawn_evict_filled(struct dawn_evict *ev)
{
	uint32_t n = load(&ev->free);

	/* A lost race is put right by the next tick. */
	if (n)
		store(&ev->free, n - 1);
}

/* ---- the hand */

static void uncount(struct dawn_evict *ev, struct seen *s)
{
	if (s->counted)
		ev->histogram[s->estimate]--;
	s->counted = false;
}

/* Return: whether the slot may be evicted. */
static bool pass(struct dawn_evict *ev, uint32_t i, struct dawn_evict_slot *v)
{
	struct seen *s = &ev->seen[i];
	uint64_t rise;

	uncount(ev, s);
	if (!ev->ops->look(ev->ctx, i, v))
		return false;
	/* Hits never fall but when the slot is filled again. */
	if (s->gen != v->gen || s->hits > v->hits)
		s->hits = 0;
	rise = v->hits - s->hits;
	s->hits = v->hits;
	s->gen = v->gen;
	s->estimate = (uint8_t)(rise ? dawn_heat_note(ev->heat, &v->hash, rise)
				     : dawn_heat_estimate(ev->heat, &v->hash));
	s->counted = v->evictable;
	if (s->counted)
		ev->histogram[s->estimate]++;
	return s->counted;
}

static void age(struct dawn_evict *ev)
{
	struct seen *s;

	dawn_heat_age(ev->heat);
	memset(ev->histogram, 0, sizeof(ev->histogram));
	for (uint32_t i = 0; i < ev->slots; i++) {
		s = &ev->seen[i];
		s->estimate /= 2;
		if (s->counted)
			ev->histogram[s->estimate]++;
	}
}

static uint32_t clamp(uint32_t v, uint32_t least, uint32_t most)
{
	return v < least ? least : v > most ? most : v;
}

static uint32_t reserve_min(const struct dawn_evict *ev)
{
	return clamp(ev->slots / RESERVE_MIN, 1, ev->slots);
}

static void set_reserve(struct dawn_evict *ev)
{
	uint32_t most = clamp(ev->slots / RESERVE_MAX, 1, ev->slots);
	uint32_t wishes = __atomic_exchange_n(&ev->wishes, 0, __ATOMIC_RELAXED);
	uint32_t next = (load(&ev->reserve) + clamp(wishes, 0, most)) / 2;

	store(&ev->reserve, clamp(next, reserve_min(ev), most));
}

/* Without that many slots to evict nobody may displace anybody. */
static uint32_t find_floor(const struct dawn_evict *ev)
{
	uint32_t count = 0;

	for (uint32_t v = 0; v < DAWN_HEAT_MAX; v++) {
		count += ev->histogram[v];
		if (count >= ev->reserve)
			return v;
	}
	return DAWN_HEAT_MAX;
}

/* How many slots to evict. */
static uint32_t find_need(struct dawn_evict *ev)
{
	uint32_t n = 0, leaving = 0, recent = 0;

	ev->ops->room(ev->ctx, &n, &leaving);
	store(&ev->free, n);
	for (int i = 0; i < LEAVING_TICKS; i++)
		recent += ev->evicted[i];
	if (leaving > recent)
		leaving = recent;
	return n + leaving < ev->reserve ? ev->reserve - n - leaving : 0;
}

static uint32_t step(const struct dawn_evict *ev, uint32_t *hand)
{
	uint32_t i = *hand;

	*hand = (i + 1) % ev->slots;
	return i;
}

/* Slots that were cold when the hand was there, from where the last search ended;
 * if they still are. Return: how many were evicted. */
static uint32_t evict_cold(struct dawn_evict *ev, uint32_t need, uint32_t looks)
{
	uint32_t floor = find_floor(ev), evicted = 0;
	struct dawn_evict_slot v;

	if (floor == DAWN_HEAT_MAX)
		return 0;
	for (uint32_t n = 0; n < ev->slots && looks && evicted < need; n++) {
		uint32_t i = step(ev, &ev->search);

		if (!ev->seen[i].counted || ev->seen[i].estimate > floor)
			continue;
		looks--;
		if (!pass(ev, i, &v) || ev->seen[i].estimate > floor ||
		    !ev->ops->evict(ev->ctx, i, v.gen))
			continue;
		uncount(ev, &ev->seen[i]);
		evicted++;
	}
	return evicted;
}

uint32_t dawn_evict_tick(struct dawn_evict *ev)
{
	uint32_t looks = clamp(ev->slots / 16, LOOKS_MIN, LOOKS_MAX);
	uint32_t *evicted = &ev->evicted[ev->ticks++ % LEAVING_TICKS];
	struct dawn_evict_slot v;

	looks = clamp(looks, 1, ev->slots);
	if (dawn_heat_due(ev->heat))
		age(ev);
	for (uint32_t n = 0; n < looks; n++)
		pass(ev, step(ev, &ev->hand), &v);
	set_reserve(ev);
	*evicted = 0;
	*evicted = evict_cold(ev, find_need(ev), looks);
	store(&ev->floor, find_floor(ev));
	return *evicted;
}

/* ---- life */

int dawn_evict_create(struct dawn_evict **out, uint32_t slots,
		      const struct dawn_evict_ops *ops, void *ctx)
{
	struct dawn_evict *ev;
	int err;

	if (!slots || slots > DAWN_SLOTS_MAX)
		return -EINVAL;
	ev = calloc(1, sizeof(*ev) + slots * sizeof(ev->seen[0]));
	if (!ev)
		return -ENOMEM;
	err = dawn_heat_create(&ev->heat, slots);
	if (err) {
		free(ev);
		return err;
	}
	ev->ops = ops;
	ev->ctx = ctx;
	ev->slots = slots;
	ev->floor = DAWN_HEAT_MAX;
	ev->reserve = reserve_min(ev);
	find_need(ev);
	*out = ev;
	return 0;
}

void dawn_evict_destroy(struct dawn_evict *ev)
{
	if (!ev)
		return;
	dawn_heat_destroy(ev->heat);
	free(ev);
}
