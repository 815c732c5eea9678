/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Transport over the kernel's TCP: serves struct dawn_stream protocols on
 * listening sockets, one object for each thread and loop.
 *
 * It is what local clients reach (lo never meets XDP), what `--io epoll` runs
 * on alone, and what the sanitizer tests run.
 *
 * Memory: a connection at rest holds no buffer. What the protocol left unread
 * is kept in a buffer of up to `rx_max`, what the peer has not taken in one of
 * up to `tx_max`; all of them together stay below `buffers_max`, beyond which
 * no buffer grows past 16 kB. Then the protocol sees a small space(), the peer
 * a closed window; nothing is dropped.
 *
 * Full (`conns_max`, or no descriptors left): the connection that has been
 * idle (protocol->idle()) for longest is closed; if none is idle, clients wait
 * in the listen backlog until a connection ends.
 */
#ifndef DAWN_IO_EPOLL_H
#define DAWN_IO_EPOLL_H

#include <stdbool.h>
#include <stdint.h>

#include "user/io/loop.h"
#include "user/io/socket.h"
#include "user/io/stream.h"

#define DAWN_EPOLL_CONNS_DEFAULT   4096
#define DAWN_EPOLL_RX_DEFAULT      (32U << 10)
#define DAWN_EPOLL_TX_DEFAULT      (256U << 10)
#define DAWN_EPOLL_BUFFERS_DEFAULT (64U << 20)

struct dawn_epoll;

struct dawn_epoll_options {
	struct dawn_loop *loop; /* borrowed */
	uint32_t conns_max;     /* 0: default; all of these */
	uint32_t rx_max;        /* bytes a protocol may leave unread */
	uint32_t tx_max;        /* bytes */
	uint64_t buffers_max;   /* bytes, of all connections */
	uint32_t stall_ms;      /* peer takes nothing for so long: reset; 60 s,
			     * or tuning.user_timeout_ms if that is more */
	uint32_t linger_ms;     /* wait for the peer's FIN after ours; 5 s */
	struct dawn_socket_tuning tuning; /* of all sockets */
};

int dawn_epoll_create(struct dawn_epoll **out,
		      const struct dawn_epoll_options *o);

/* Reset what is left and close the listeners. NULL is fine. */
void dawn_epoll_destroy(struct dawn_epoll *t);

struct dawn_epoll_service {
	const struct dawn_proto_ops *protocol;
	void *server;   /* for dawn_stream.server */
	uint16_t group; /* for dawn_stream.group; 0: nothing is promoted */
	uint16_t port;  /* host order; 0: any free one (tests) */
	uint8_t flags;  /* for dawn_stream.flags */
};

/* *service is borrowed, and read when a connection opens. Listen on 0.0.0.0 and
 * on [::], each if the kernel has the family.
 * Return: the port (> 0) or negative errno: -EADDRINUSE (see
 * dawn_port_owner()), -EACCES, -EAFNOSUPPORT (neither family). */
int dawn_epoll_listen(struct dawn_epoll *t,
		      const struct dawn_epoll_service *service);

/* Stop accepting, drain() every stream. Those that finish disappear. */
void dawn_epoll_drain(struct dawn_epoll *t);

/* Reset every connection at once. */
void dawn_epoll_reset_all(struct dawn_epoll *t);

struct dawn_epoll_counts {
	uint32_t open;         /* now */
	uint64_t buffer_bytes; /* now */
	uint64_t accepted;
	uint64_t evicted;      /* idle ones closed to make room */
	uint64_t accept_waits; /* times that accepting paused: no room */
	uint64_t stalled;      /* reset: the peer took nothing */
	uint64_t overflow;     /* reset: protocol left rx_max unread */
};

const struct dawn_epoll_counts *dawn_epoll_counts(const struct dawn_epoll *t);

#endif
