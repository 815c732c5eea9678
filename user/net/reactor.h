/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The AF_XDP transport: one reactor for each rx queue of an interface, living
 * in one thread's event loop. It owns the queue's AF_XDP socket, takes flows
 * from the kernel half, runs the TCP engine over them, feeds protocols through
 * struct dawn_stream, and gives flows back.
 *
 * A reactor belongs to the thread that runs its loop; except where a comment
 * says otherwise, every call here is made from that thread, or before the loop
 * runs. Thread number, queue number and XSKMAP index are one and the same.
 *
 * Life: dawn_reactor_incarnation() once; dawn_reactor_create() for every queue
 * (then packets start to be queued); run the loops; dawn_reactor_drain();
 * when all are dawn_reactor_drained() or the time is over,
 * dawn_reactor_reset(); stop and join all loops; dawn_reactor_destroy().
 */
#ifndef DAWN_NET_REACTOR_H
#define DAWN_NET_REACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/io/loop.h"
#include "user/io/stream.h"
#include "user/io/xdp_load.h"

struct dawn_reactor;

#define DAWN_REACTOR_RING_DEFAULT   4096
#define DAWN_REACTOR_MEMORY_DEFAULT (256ULL << 20)

/* Who serves a kind of service (index: enum dawn_service_kind). */
struct dawn_reactor_protocol {
	const struct dawn_proto_ops *ops; /* NULL: flows of it are reset */
	void *server; /* becomes stream.server; this thread's own */
};

struct dawn_reactor_options {
	struct dawn_xdp *xdp;   /* loaded and attached; outlives the reactor */
	struct dawn_loop *loop; /* likewise */
	uint32_t queue;
	uint32_t threads;    /* reactors in all: 0 <= queue < threads <= 64 */
	uint8_t incarnation; /* from dawn_reactor_incarnation() */
	/* `threads` pointers, shared by all reactors; create() stores itself at
	 * [queue]. Must be complete before any loop runs, and outlive them. */
	struct dawn_reactor **peers;
	struct dawn_reactor_protocol protocol[4];
	bool zero_copy;           /* else copy mode */
	uint32_t ring_size;       /* frames a ring, power of two; 0: default */
	uint64_t memory_bytes;    /* cap for connection buffers; 0: default */
	uint32_t idle_ms;         /* kernel-owned flows idle so long are closed;
				* 0: 75 s */
	uint32_t keepalive_ms;    /* silence before a probe, in both halves; 0:
				* never */
	uint32_t user_timeout_ms; /* see struct dawn_tcp_open */
};

/* Begin a new incarnation: the previous one's number + 1, in 1..255. Stored in
 * config, so that the kernel half gives flows to the new one. Return: it. */
uint8_t dawn_reactor_incarnation(struct dawn_xdp *x);

/* Make the socket, put it into `xsks`, join the loop. Return: 0 or negative
 * errno (-EBUSY: the queue has a socket of another process; -ENOMEM;
 * -EOPNOTSUPP: no zero-copy in this driver), with e->text filled. */
int dawn_reactor_create(struct dawn_reactor **out,
			const struct dawn_reactor_options *o,
			struct dawn_error *e);

/* Leave the loop, close the socket, stop the heartbeat. Connections still open
 * are forgotten (their streams are closed; call reset() first to tell the
 * peers). The loop must not run any more. NULL is fine. */
void dawn_reactor_destroy(struct dawn_reactor *r);

/* Finish: streams get drain(), idle flows of the kernel half are closed. The
 * caller has set DAWN_CONFIG_DRAIN. */
void dawn_reactor_drain(struct dawn_reactor *r);

/* Is there no connection left, here or in this thread's part of flow_table?
 * From any thread, after drain(). */
bool dawn_reactor_drained(const struct dawn_reactor *r);

/* The deadline: reset everything that is left. */
void dawn_reactor_reset(struct dawn_reactor *r);

/* Bytes that one reactor with these options takes at most (UMEM, rings,
 * connection buffers), for the start line. */
uint64_t dawn_reactor_memory(const struct dawn_reactor_options *o);

/* Connections that have a control block now. From any thread. */
uint32_t dawn_reactor_connections(const struct dawn_reactor *r);

#endif
