/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Inside of the kernel-TCP transport: shared by user/io/epoll*.c only.
 *
 * epoll.c (listeners, life of a connection, time), epoll_conn.c (bytes between
 * kernel, buffers and protocol). */
#ifndef DAWN_IO_EPOLL_INT_H
#define DAWN_IO_EPOLL_INT_H

#include <sys/queue.h>

#include "user/io/epoll.h"

#define LISTENERS_MAX 8

struct buffer {
	uint8_t *mem;
	uint32_t size;
	uint32_t start; /* first byte in use */
	uint32_t len;   /* bytes in use, contiguous */
};

struct conn {
	struct dawn_stream stream; /* first: the protocol's handle */
	struct dawn_source src;
	struct dawn_epoll *t;
	TAILQ_ENTRY(conn) link;
	struct buffer rx;
	struct buffer tx;
	uint32_t events; /* what epoll watches */
	bool starved;
	bool eof;       /* peer's FIN read */
	bool eof_shown; /* protocol->eof() called */
	bool fin;       /* shutdown() called */
	bool fin_sent;
	bool again; /* pump() stopped for fairness */
	bool drained;
	bool dead; /* settle() destroys it */
	enum dawn_close_reason why;
	bool reset;           /* close with RST */
	int outq;             /* SIOCOUTQ at the last tick */
	uint64_t progress_ms; /* when the peer last took something of ours */
};

struct listener {
	struct dawn_source src;
	struct dawn_epoll *t;
	const struct dawn_epoll_service *service;
};

struct dawn_epoll {
	struct dawn_epoll_options o;
	struct dawn_epoll_counts counts;
	TAILQ_HEAD(conn_list, conn) conns;
	struct listener listener[LISTENERS_MAX];
	int listeners;
	bool paused; /* listeners are not watched */
	bool draining;
	struct dawn_timer tick;
	struct dawn_timer resume;
	uint8_t *scratch; /* rx_max bytes */
};

static inline uint64_t now_ms(const struct dawn_epoll *t)
{
	return dawn_loop_now_us(t->o.loop) / 1000;
}

/* ---- epoll_conn.c: nothing here destroys a connection */

extern const struct dawn_stream_ops dawn_epoll_stream_ops;

/* Before each callback: refreshes now_ms. Return: whom to call. */
const struct dawn_proto_ops *dawn_epoll_enter(struct conn *c);

/* Mark it as over; the first reason stands. */
void dawn_epoll_kill(struct conn *c, enum dawn_close_reason why, bool reset);
void dawn_epoll_io_error(struct conn *c, int err);

bool dawn_epoll_may_read(const struct conn *c);

/* From the kernel to the protocol; the connection becomes the youngest. */
void dawn_epoll_receive(struct conn *c);

/* Between protocol, tx and kernel, as long as something moves. */
void dawn_epoll_pump(struct conn *c);

void dawn_epoll_free_buffers(struct conn *c);

#endif
