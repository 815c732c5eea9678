/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the closed-loop client's two halves share: see client.bpf.c. */
#ifndef DAWN_BENCH_CLIENT_H
#define DAWN_BENCH_CLIENT_H

#include <linux/types.h>

#define CLIENT_FLOWS_MAX   4096
#define CLIENT_PORT_FIRST  20000
#define CLIENT_REQUEST_MAX 256

/* Written once by user space before the first SYN. */
struct client_config {
	__be32 server; /* IPv4 */
	__be32 client;
	__be16 port; /* of the server */
	__u16 request_len;
	__u32 response_len; /* head and body; equal for every answer */
	__u32 request_sum;  /* ones'-complement sum of request, not folded */
	__u32 flows;
	__u8 request[CLIENT_REQUEST_MAX];
};

enum client_state {
	CLIENT_CLOSED = 0,
	CLIENT_SYN_SENT = 1,
	CLIENT_WAITING = 2, /* a request is out */
};

/* Written by XDP, and by user space for a flow that stands still. */
struct client_flow {
	__u32 state;
	__u32 snd_nxt; /* after the request that is out */
	__u32 rcv_nxt;
	__u32 got; /* bytes of the present answer */
	__u64 answers;
	__u64 pad;
};

struct client_stats {
	__u64 answers;
	__u64 segments;
	__u64 wrong;        /* status line was not 200 */
	__u64 out_of_order; /* dropped; user space asks again */
	__u64 reset;
	__u64 pad[3];
};

#endif
