// SPDX-License-Identifier: MIT OR Apache-2.0
/* Flow ownership from user space.
 *
 * Theory of operation
 *
 * An entry's fields belong to whoever the owner word names. Every change of
 * the word is a 64-bit compare-and-swap here, and a compare-and-swap or an
 * exchange in XDP (both full barriers there); its generation rises each time,
 * so a word seen twice with the same bits is the same tenure (24 bits: the
 * flow would have to change hands 16 million times between two looks of one
 * packet). Hence:
 *
 *  - Winning is an acquire: what the last owner stored into the entry is
 *    visible. Giving is a release: what we stored is visible to who wins next.
 *    All swaps here are sequentially consistent, which is both.
 *  - The tuple was read before the word was won, so it is compared again
 *    after. If the way was reused in between, we hold a stranger: it goes back
 *    to KERNEL untouched (its entry describes it, it just came from there).
 *
 * The states as a packet or a timer of thread t finds them:
 *
 *  FREE          nothing here.
 *  KERNEL        ours for one swap, to USER|CLEAN.
 *  LOCKED        an XDP program is at it on some CPU. It runs to its end within
 *                microseconds, never preempted by us (softirq on our own CPU
 *                is over by the time we run), so we spin, bounded: the bound
 *                only matters on a virtual machine whose other CPU was taken
 *                away. Beyond it the packet is dropped, the peer sends again.
 *  USER, ours    already taken; a control block may exist (the reactor knows).
 *  USER, CLEAN   XDP may take it away at any time while our heartbeat is stale
 *                (we slept too long). So with CLEAN nothing is stored into the
 *                entry, ever: dirty() first. The swap that drops CLEAN either
 *                wins, and XDP keeps its hands off from then on, or fails, and
 *                then XDP has the flow and it goes on from what the entry says.
 *                Bytes that both sides may send meanwhile (a retransmission of
 *                the cached response) are the same bytes.
 *  USER, theirs  another thread's: the packet is handed to it.
 *  USER of another incarnation
 *                that process is gone (two never run at once on an interface).
 *                With CLEAN the entry is the connection, we take it. Without,
 *                sequence numbers are lost: the connection is reset when it
 *                speaks and freed when it does not.
 *
 * free(): the tag is cleared while we still own the way and the word is set to
 * FREE last. XDP inserts by winning a word from FREE, so it can not see the
 * way as free before our last store to it. Killed in between: the way has no
 * tag and a dead incarnation's word; the sweeper (bury()) ends the job.
 *
 * free() from CLEAN (a reset came in) takes two swaps, CLEAN -> dirty -> FREE,
 * because the tag may only be touched by an undisputed owner.
 *
 * `unacked` bits are set before a flow with unacknowledged data becomes KERNEL
 * and cleared after the flow is ours and dirty and its bytes were copied: who
 * reaps cache slots sees either the bit, or that nobody needs the slot.
 */
#include "user/net/flows.h"

#include <stddef.h>

/* About 20 us with the pause; XDP holds the lock for less than 5. */
#define SPIN_MAX 1000

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

/* Racy by design while the entry is not ours; atomics keep each word whole. */
static bool tuple_matches(const struct dawn_flow *f,
			  const struct dawn_tuple *tuple)
{
	return __atomic_load_n(&f->raddr.q[0], __ATOMIC_RELAXED) ==
		       tuple->raddr.q[0] &&
	       __atomic_load_n(&f->raddr.q[1], __ATOMIC_RELAXED) ==
		       tuple->raddr.q[1] &&
	       __atomic_load_n(&f->rport, __ATOMIC_RELAXED) == tuple->rport &&
	       __atomic_load_n(&f->service, __ATOMIC_RELAXED) == tuple->service;
}

uint32_t dawn_flows_find(const struct dawn_flows *t,
			 const struct dawn_tuple *tuple,
			 const struct dawn_flow_hash *h)
{
	for (int choice = 0; choice < 2; choice++) {
		uint32_t set = dawn_flow_set_number(h, choice, t->set_count);
		struct dawn_flow_set *s = &t->sets[set];

		for (uint32_t way = 0; way < DAWN_FLOW_WAYS; way++) {
			if (__atomic_load_n(&s->tag[way], __ATOMIC_ACQUIRE) ==
				    h->tag &&
			    (!tuple || tuple_matches(&s->flow[way], tuple)))
				return set * DAWN_FLOW_WAYS + way;
		}
	}
	return DAWN_FLOW_NONE;
}

void dawn_flows_fetch_sets(const struct dawn_flows *t,
			   const struct dawn_flow_hash *h)
{
	for (int choice = 0; choice < 2; choice++)
		__builtin_prefetch(&t->sets[dawn_flow_set_number(
			h, choice, t->set_count)]);
}

uint32_t dawn_flows_fetch_entry(const struct dawn_flows *t,
				const struct dawn_flow_hash *h)
{
	uint32_t flow = dawn_flows_find(t, NULL, h);

	if (flow != DAWN_FLOW_NONE)
		__builtin_prefetch(dawn_flows_at(t, flow));
	return flow;
}

static bool swap(const struct dawn_flows *t, uint32_t flow, uint64_t *word,
		 uint64_t next)
{
	__u64 seen = *word; /* not uint64_t to clang, where that is long */
	bool won = __atomic_compare_exchange_n(
		&dawn_flows_at(t, flow)->owner, &seen, next, false,
		__ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE);

	*word = won ? next : seen;
	return won;
}

/* The word that follows `word` when it becomes `state`. */
static uint64_t next_word(const struct dawn_flows *t, uint64_t word,
			  uint8_t state, uint8_t flags)
{
	bool user = state == DAWN_OWNER_USER;

	return dawn_owner(state, flags, user ? t->thread : 0,
			  user ? t->incarnation : 0, dawn_owner_gen(word) + 1);
}

/* Swap *word for USER|CLEAN of ours. Return: TAKEN, or GONE if it turns out to
 * be another connection, or BUSY: the word changed, look again. */
static enum dawn_claim take(const struct dawn_flows *t, uint32_t flow,
			    const struct dawn_tuple *tuple, uint64_t *word)
{
	if (!swap(t, flow, word,
		  next_word(t, *word, DAWN_OWNER_USER, DAWN_OWNER_CLEAN)))
		return DAWN_CLAIM_BUSY;
	if (!tuple || tuple_matches(dawn_flows_at(t, flow), tuple))
		return DAWN_CLAIM_TAKEN;
	dawn_flows_give(t, flow, word); /* lost it: then XDP has it */
	return DAWN_CLAIM_GONE;
}

static enum dawn_claim claim_user(const struct dawn_flows *t, uint32_t flow,
				  const struct dawn_tuple *tuple,
				  uint64_t *word)
{
	if (dawn_owner_incarnation(*word) != t->incarnation) {
		if (dawn_owner_is_clean(*word))
			return take(t, flow, tuple, word);
		return DAWN_CLAIM_DEAD;
	}
	if (tuple && !tuple_matches(dawn_flows_at(t, flow), tuple))
		return DAWN_CLAIM_GONE;
	return dawn_owner_thread(*word) == t->thread ? DAWN_CLAIM_OURS
						     : DAWN_CLAIM_OTHER;
}

enum dawn_claim dawn_flows_claim(const struct dawn_flows *t, uint32_t flow,
				 const struct dawn_tuple *tuple, uint64_t *word)
{
	enum dawn_claim got;

	for (int i = 0; i < SPIN_MAX; i++) {
		*word = dawn_flows_owner(t, flow);
		switch (dawn_owner_state(*word)) {
		case DAWN_OWNER_KERNEL:
			got = take(t, flow, tuple, word);
			break;
		case DAWN_OWNER_USER:
			got = claim_user(t, flow, tuple, word);
			break;
		case DAWN_OWNER_LOCKED:
			got = DAWN_CLAIM_BUSY;
			break;
		default:
			return DAWN_CLAIM_GONE;
		}
		if (got != DAWN_CLAIM_BUSY)
			return got;
		relax();
	}
	return DAWN_CLAIM_BUSY;
}

bool dawn_flows_dirty(const struct dawn_flows *t, uint32_t flow, uint64_t *word)
{
	if (!dawn_owner_is_clean(*word))
		return true;
	return swap(t, flow, word, next_word(t, *word, DAWN_OWNER_USER, 0));
}

bool dawn_flows_give(const struct dawn_flows *t, uint32_t flow, uint64_t *word)
{
	return swap(t, flow, word, next_word(t, *word, DAWN_OWNER_KERNEL, 0));
}

bool dawn_flows_free(const struct dawn_flows *t, uint32_t flow, uint64_t *word)
{
	struct dawn_flow_set *s = &t->sets[flow / DAWN_FLOW_WAYS];

	if (!dawn_flows_dirty(t, flow, word))
		return false;
	dawn_flows_set_unacked(t, flow, false);
	s->flow[flow % DAWN_FLOW_WAYS].resp_kind = DAWN_RESP_NONE;
	__atomic_store_n(&s->tag[flow % DAWN_FLOW_WAYS], 0, __ATOMIC_RELEASE);
	return swap(t, flow, word, next_word(t, *word, DAWN_OWNER_FREE, 0));
}

bool dawn_flows_bury(const struct dawn_flows *t, uint32_t flow, uint64_t word)
{
	if (dawn_owner_state(word) != DAWN_OWNER_USER ||
	    dawn_owner_incarnation(word) == t->incarnation)
		return false;
	if (dawn_owner_is_clean(word))
		return dawn_flows_give(t, flow, &word);
	/* First ours: two threads may find the same one. */
	if (!swap(t, flow, &word, next_word(t, word, DAWN_OWNER_USER, 0)))
		return false;
	return dawn_flows_free(t, flow, &word);
}

bool dawn_flows_unacked(const struct dawn_flows *t, uint32_t flow)
{
	return __atomic_load_n(&t->unacked[flow / 64], __ATOMIC_SEQ_CST) >>
		       flow % 64 &
	       1;
}

void dawn_flows_set_unacked(const struct dawn_flows *t, uint32_t flow, bool on)
{
	uint64_t bit = 1ULL << flow % 64;

	if (dawn_flows_unacked(t, flow) == on)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	else if (on)
		__atomic_fetch_or(&t->unacked[flow / 64], bit,
				  __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&t->unacked[flow / 64], ~bit,
				   __ATOMIC_SEQ_CST);
}

void dawn_flows_each_unacked(const struct dawn_flows *t, uint32_t first,
			     uint32_t last,
			     void (*fn)(void *arg, uint32_t flow), void *arg)
{
	for (uint32_t i = first; i < last; i++) {
		uint64_t word =
			__atomic_load_n(&t->unacked[i], __ATOMIC_ACQUIRE);

		for (; word; word &= word - 1)
			fn(arg, i * 64 + (uint32_t)__builtin_ctzll(word));
	}
}
