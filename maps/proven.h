/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* proven: which cookies have made a flow already, for as long as they live.
 *
 * A cookie is no secret once its handshake is done: the ACK that proved it, or
 * the first request, may come again after the connection has ended. So what
 * makes a flow leaves a mark, and what finds its mark makes none.
 *
 * A hash of lines of 15 marks. A mark is a fingerprint (30 bits of a keyed hash
 * of peer, port, service and the peer's ISN) and the parity of the window of
 * the cookie clock in which the cookie was made. It lives in the emptier of two
 * lines, and as long as its cookie: in that window and the next. A line knows
 * the window in which it was last written; its marks are of that one and the
 * one before, others are cleared when it is written in a new window. So an
 * old line needs no sweeper.
 *
 * In a full line the last window's marks give way to this one's. Whoever then
 * comes with a cookie of the last window and finds no mark in a full line is
 * refused: nobody knows whether it came before (cookie_refused). Only if all
 * 15 are of this window one is forgotten that may be used again
 * (cookie_forgotten).
 *
 * Writer and reader: XDP. Memory: a line for each set of flow_table, 8 bytes a
 * flow; at least 1 MB, for that many new connections a second do not depend on
 * how many there are at a time: at 20,000 a second a window's marks fill lines
 * to 10 on average, to 12 at most (docs/COOKIES.md). A stranger's fingerprint
 * is found by chance at most once in 2^30 / 30 = 36 million connections; that
 * one is reset.
 */
#ifndef DAWN_MAPS_PROVEN_H
#define DAWN_MAPS_PROVEN_H

#include "abi.h"

#define DAWN_PROVEN_MARKS     15
#define DAWN_PROVEN_LINES_MIN 16384 /* 1 MB */

#define DAWN_PROVEN_USED (1U << 31) /* fingerprint below, then the parity */

struct dawn_proven {
	__u32 window;                  /* in which it was last written */
	__u32 mark[DAWN_PROVEN_MARKS]; /* 0: free */
};
_Static_assert(sizeof(struct dawn_proven) == 64, "a line");

/* Lines for a flow_table of so many sets. */
static __always_inline __u32 dawn_proven_lines(__u32 flow_sets)
{
	return flow_sets < DAWN_PROVEN_LINES_MIN ? DAWN_PROVEN_LINES_MIN
						 : flow_sets;
}

#endif
