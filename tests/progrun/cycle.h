/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What cycle.bpf.c sends: one packet of each of many flows, again and again. */
#ifndef DAWN_TESTS_PROGRUN_CYCLE_H
#define DAWN_TESTS_PROGRUN_CYCLE_H

#include <linux/types.h>

#define CYCLE_FLOWS_MAX  (1U << 18)
#define CYCLE_PACKET_MAX 256

struct cycle {
	__u32 len;      /* of the packet; IPv4, TCP without options */
	__u32 flows;    /* to go through */
	__u32 seq_step; /* what a packet adds to its flow's SEQ and ACK */
	__u32 ack_step;
	__u32 sum; /* of pseudo-header, header and payload, all below zero */
	__u32 pad;
	__u64 turn;
	__u8 packet[CYCLE_PACKET_MAX];
};

struct cycle_flow {
	__be32 addr; /* peer */
	__be16 port;
	__u16 pad;
	__u32 seq, ack; /* of the next packet */
};

#endif
