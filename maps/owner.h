/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* Who owns a flow: XDP or the reactor, and how it changes hands.
 *
 * An entry's `owner` is {state, flags, thread, incarnation, generation}; it
 * changes only by a 64-bit compare-and-swap (or, by the holder of LOCKED, an
 * exchange), and each change raises the generation. After winning the word,
 * compare the tuple again: the way may have been reused in between.
 *
 *   FREE ──XDP──► LOCKED          a new connection (under the set lock)
 *   KERNEL ──XDP──► LOCKED ──XDP──► KERNEL | USER | FREE     one packet's time
 *   KERNEL ──reactor──► USER      the timer, or a packet that lost the lock
 *   USER ──reactor──► KERNEL      hand-back
 *   USER ──reactor──► FREE        closed
 *   USER+CLEAN ──XDP──► LOCKED    only while the reactor's heartbeat is stale
 *
 * Only XDP stores LOCKED and an XDP program always runs to its end, so a
 * killed reactor strands no lock.
 *
 * CLEAN: the entry alone describes the connection (nothing received beyond
 * rcv_nxt, nothing sent beyond snd_nxt, all unacknowledged bytes are the
 * response named in `resp_*`, or a FIN). XDP sets it when it gives a flow up.
 * The reactor drops it, by compare-and-swap, before it does anything that the
 * entry does not say; if that fails, XDP has taken the flow back and the
 * control block is forgotten: it held nothing more. So a reactor killed (or
 * stalled) with CLEAN flows loses none of them.
 *
 * A flow goes back to KERNEL when everything sent is acknowledged and nothing
 * is buffered, or when all that is unacknowledged is one cached response that
 * the entry can name (then with its `unacked` bit).
 *
 * While USER, the entry's fields from rcv_nxt on are stale unless CLEAN is set.
 */
#ifndef DAWN_MAPS_OWNER_H
#define DAWN_MAPS_OWNER_H

#include "abi.h"

enum dawn_owner_state {
	DAWN_OWNER_FREE = 0,
	DAWN_OWNER_KERNEL = 1,
	DAWN_OWNER_LOCKED = 2,
	DAWN_OWNER_USER = 3,
};

/* owner word, from the top: state 8 bits, flags 8, thread 8 (XSKMAP index,
 * USER only), zero 8, incarnation 8 (USER only; never 0 for a live reactor),
 * generation 24. */
#define DAWN_OWNER_CLEAN    0x01 /* flags bit, with USER only */
#define DAWN_OWNER_GEN_MASK 0xffffffULL

static __always_inline __u64 dawn_owner(__u8 state, __u8 flags, __u8 thread,
					__u8 incarnation, __u64 gen)
{
	return (__u64)state << 56 | (__u64)flags << 48 | (__u64)thread << 40 |
	       (__u64)incarnation << 24 | (gen & DAWN_OWNER_GEN_MASK);
}

static __always_inline __u8 dawn_owner_state(__u64 owner)
{
	return owner >> 56;
}

static __always_inline __u8 dawn_owner_flags(__u64 owner)
{
	return owner >> 48;
}

static __always_inline __u8 dawn_owner_thread(__u64 owner)
{
	return owner >> 40;
}

static __always_inline __u8 dawn_owner_incarnation(__u64 owner)
{
	return owner >> 24;
}

static __always_inline __u64 dawn_owner_gen(__u64 owner)
{
	return owner & DAWN_OWNER_GEN_MASK;
}

#endif
