/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* proven: which cookies have made a flow already, for as long as they live.
 *
 * A cookie is no secret once its handshake is done: the ACK that proved it, or
 * the first request, may come again after the connection has ended. So what
 * makes a flow leaves a mark, and what finds its mark makes none.
 *
 * A hash of lines, one lookup each. A mark is {window, fingerprint}: the window
 * of the cookie clock in which it was made, modulo 8, and bits of a keyed hash
 * of peer, port, service and the peer's ISN. A mark counts in its own window
 * and the next; cookies die by then too. Nothing is ever cleared: dead marks
 * are written over first. If a line is full of live ones, the older window's
 * go (counted as cookie_forgotten).
 *
 * Writer and reader: XDP. Memory: a line for each set of flow_table, 8 bytes a
 * flow. A mark lives for 16 to 33 s, so flow_sets / 4 new connections a second
 * fill a line to 8 on average: 0.2 % of marks are given up early. At twice that
 * 22 % are, still not before some seconds (simulated). A stranger's fingerprint
 * is found by chance at most once in 2^29 / 16 = 33 million connections; that
 * one is reset.
 */
#ifndef DAWN_MAPS_PROVEN_H
#define DAWN_MAPS_PROVEN_H

#include "abi.h"

#define DAWN_PROVEN_MARKS     16
#define DAWN_PROVEN_LINES_MIN 4096 /* 256 kB */

#define DAWN_PROVEN_TAG_SHIFT 29 /* window above, fingerprint below */

struct dawn_proven {
	__u32 mark[DAWN_PROVEN_MARKS]; /* 0: never used */
};
_Static_assert(sizeof(struct dawn_proven) == 64, "a line");

/* Lines for a flow_table of so many sets. */
static __always_inline __u32 dawn_proven_lines(__u32 flow_sets)
{
	return flow_sets < DAWN_PROVEN_LINES_MIN ? DAWN_PROVEN_LINES_MIN
						 : flow_sets;
}

#endif
