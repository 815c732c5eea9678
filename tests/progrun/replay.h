/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What replay.bpf.c puts back before each run. */
#ifndef DAWN_TESTS_PROGRUN_REPLAY_H
#define DAWN_TESTS_PROGRUN_REPLAY_H

#include "maps/flow_table.h"

struct replay {
	__u32 len;
	__u32 restore_flow; /* 0 or 1 */
	__u32 set;
	__u32 way;
	struct dawn_flow flow;
	__u8 packet[2048];
};

#endif
