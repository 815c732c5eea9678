/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* What flood.c tells flood.bpf.c. */
#ifndef DAWN_BENCH_FLOOD_H
#define DAWN_BENCH_FLOOD_H

#include <linux/types.h>

/* What differs from packet to packet. */
#define FLOOD_SOURCE 0x01 /* the address's last 16 bits, and the port */
#define FLOOD_SEQ    0x02
#define FLOOD_ACK    0x04

#define FLOOD_FRAME_MAX 2048 /* as pkt_build() may write */

struct flood_config {
	/* The packet. Whoever received a frame may have written into it before
	 * it comes back, so each is made anew. */
	__u8 frame[FLOOD_FRAME_MAX];
	__u32 len;    /* even */
	__u32 random; /* FLOOD_* */
	__u32 step; /* FLOOD_SEQ: not random, but each so much further; 0: random */
	__u32 next;
	__u32 pad;
	/* The pace: a run before next_ns sends nothing. */
	__u64 interval_ns, next_ns, end_ns;
	__u64 sent;
};

#endif
