/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The user-space side of flow_table: finding flows, and taking, keeping and
 * giving back their ownership. See maps/owner.h for the states; the
 * reasoning about races stands in flows.c.
 *
 * A flow is named by its index, set * DAWN_FLOW_WAYS + way. What the caller
 * holds is an owner word, as it was when the flow became the caller's: every
 * transition compares it, so a flow that was lost in the meantime is noticed
 * and nothing is written to it.
 */
#ifndef DAWN_NET_FLOWS_H
#define DAWN_NET_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "maps/flow_table.h"

#define DAWN_FLOW_NONE UINT32_MAX

/* One thread's view. All pointers are into maps and borrowed. */
struct dawn_flows {
	struct dawn_flow_set *sets;
	uint64_t *unacked;
	const struct dawn_sipkey *key; /* config.flow_key */
	uint32_t set_count;            /* a multiple of 8 */
	uint8_t thread;
	uint8_t incarnation; /* never 0 */
};

struct dawn_tuple {
	struct dawn_addr raddr;
	__be16 rport;
	uint16_t service;
};

static inline struct dawn_flow *dawn_flows_at(const struct dawn_flows *t,
					      uint32_t flow)
{
	return &t->sets[flow / DAWN_FLOW_WAYS].flow[flow % DAWN_FLOW_WAYS];
}

/* Acquire: what the flow's last owner wrote is visible. */
static inline uint64_t dawn_flows_owner(const struct dawn_flows *t,
					uint32_t flow)
{
	return __atomic_load_n(&dawn_flows_at(t, flow)->owner,
			       __ATOMIC_ACQUIRE);
}

/* Which flow has the tuple? A hint: without ownership it may change at any
 * time. `h`: dawn_flows_hash() of it. tuple NULL: the first with its tag. Return:
 * index or DAWN_FLOW_NONE. */
uint32_t dawn_flows_find(const struct dawn_flows *t,
			 const struct dawn_tuple *tuple,
			 const struct dawn_flow_hash *h);

static inline void dawn_flows_hash(const struct dawn_flows *t,
				   const struct dawn_tuple *tuple,
				   struct dawn_flow_hash *h)
{
	dawn_flow_hash(h, t->key, &tuple->raddr, tuple->rport, tuple->service);
}

/* Have the cache fetch what find() will look at: first the sets' tags, then,
 * when these are there, the entry. Return: the flow it is by its tag, most
 * likely; DAWN_FLOW_NONE: there is none. */
void dawn_flows_fetch_sets(const struct dawn_flows *t,
			   const struct dawn_flow_hash *h);
uint32_t dawn_flows_fetch_entry(const struct dawn_flows *t,
				const struct dawn_flow_hash *h);

enum dawn_claim {
	DAWN_CLAIM_OURS,  /* it was this thread's before */
	DAWN_CLAIM_TAKEN, /* now it is, and CLEAN: the entry describes it */
	DAWN_CLAIM_OTHER, /* another thread's, see the word */
	DAWN_CLAIM_DEAD,  /* of a dead incarnation, its state is lost */
	DAWN_CLAIM_GONE,  /* free, or another connection's by now */
	DAWN_CLAIM_BUSY,  /* locked by XDP for longer than we wait */
};

/* Become the owner of a flow that a packet is for, if it may be had: from
 * KERNEL, or CLEAN of a dead incarnation. *word: the owner word as found or
 * made. tuple NULL: whichever connection it is. */
enum dawn_claim dawn_flows_claim(const struct dawn_flows *t, uint32_t flow,
				 const struct dawn_tuple *tuple,
				 uint64_t *word);

/* Is it still ours, with the word we hold? */
static inline bool dawn_flows_held(const struct dawn_flows *t, uint32_t flow,
				   uint64_t word)
{
	return dawn_flows_owner(t, flow) == word;
}

/* The entry as it was while the word stood: with CLEAN, and with KERNEL, XDP
 * might be writing to it meanwhile. Return: false: it did, *out is garbage. */
static inline bool dawn_flows_copy(const struct dawn_flows *t, uint32_t flow,
				   uint64_t word, struct dawn_flow *out)
{
	*out = *dawn_flows_at(t, flow);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return dawn_flows_held(t, flow, word);
}

/* The transitions of the holder of *word. Return: true, and *word is the new
 * one; false: the flow was lost (CLEAN only) and *word is what stands there.
 *
 * dirty: drop CLEAN, from then on the entry is ours to write.
 * give:  to the kernel half; the entry must describe the connection. From
 *        CLEAN nothing may have been written.
 * free:  end of the connection. From CLEAN too. */
bool dawn_flows_dirty(const struct dawn_flows *t, uint32_t flow,
		      uint64_t *word);
bool dawn_flows_give(const struct dawn_flows *t, uint32_t flow, uint64_t *word);
bool dawn_flows_free(const struct dawn_flows *t, uint32_t flow, uint64_t *word);

/* What a dead incarnation left: CLEAN goes to the kernel half as it is, the
 * others are freed. word: as seen. Return: whether it was done. */
bool dawn_flows_bury(const struct dawn_flows *t, uint32_t flow, uint64_t word);

static inline bool dawn_flows_ours(const struct dawn_flows *t, uint64_t word)
{
	return dawn_owner_state(word) == DAWN_OWNER_USER &&
	       dawn_owner_thread(word) == t->thread &&
	       dawn_owner_incarnation(word) == t->incarnation;
}

static inline bool dawn_owner_is_clean(uint64_t word)
{
	return dawn_owner_flags(word) & DAWN_OWNER_CLEAN;
}

/* The flow's bit in `unacked`. Changes are atomic and full barriers. */
bool dawn_flows_unacked(const struct dawn_flows *t, uint32_t flow);
void dawn_flows_set_unacked(const struct dawn_flows *t, uint32_t flow, bool on);

/* For every set bit in words [first, last) of `unacked`. */
void dawn_flows_each_unacked(const struct dawn_flows *t, uint32_t first,
			     uint32_t last,
			     void (*fn)(void *arg, uint32_t flow), void *arg);

#endif
