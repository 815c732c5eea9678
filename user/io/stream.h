/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A byte stream between a transport and a protocol.
 *
 * Transports (epoll over kernel TCP, the TCP engine over AF_XDP) own the
 * stream; protocols (HTTP, HBTP) are fed from it and write to it, and know
 * nothing of where the bytes come from. One thread owns a stream for its
 * whole life; no call here may be made from another.
 *
 *          data(), eof(), writable(), tick(), closed()
 *   transport ───────────────────────────────────────► protocol
 *             ◄───────────────────────────────────────
 *          space(), write(), shutdown(), abort(), cached()
 *
 * Reentrancy: a protocol may call every operation from within its callbacks,
 * and a transport never calls back from within an operation.
 */
#ifndef DAWN_IO_STREAM_H
#define DAWN_IO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/abi.h"

struct dawn_stream;

enum dawn_close_reason {
	DAWN_CLOSE_DONE,    /* both directions finished in order */
	DAWN_CLOSE_RESET,   /* by the peer */
	DAWN_CLOSE_TIMEOUT, /* the transport gave up */
	DAWN_CLOSE_ABORTED, /* by us: abort(), drain, or out of memory */
};

/* A response that stands in a slot of the kernel cache, whole and alone: the
 * transport may note it instead of the bytes, so that a connection can go
 * back to the kernel half at once. */
struct dawn_cached_response {
	uint32_t slot;
	uint32_t gen;
	uint32_t date_s; /* Unix time its Date was made from */
	uint8_t kind;    /* enum dawn_resp_kind: GET, HEAD, NOT_MODIFIED */
};

struct dawn_stream_ops {
	/* Bytes that write() takes now. 0: wait for writable(). */
	size_t (*space)(const struct dawn_stream *s);

	/* Queue bytes; they are copied. Return: how many were taken, at most
	 * space(). */
	size_t (*write)(struct dawn_stream *s, const void *buf, size_t len);

	/* No more will be written: send what is queued, then FIN. */
	void (*shutdown)(struct dawn_stream *s);

	/* Drop everything and reset. closed() follows, later. */
	void (*abort)(struct dawn_stream *s);

	/* Optional. The bytes just written, and nothing else since the last
	 * request boundary, were this response. */
	void (*cached)(struct dawn_stream *s,
		       const struct dawn_cached_response *r);
};

struct dawn_proto_ops {
	const char *name;

	/* A connection opened. Sets s->proto. Return: 0, or -ENOMEM etc., and
	 * then the transport resets it. */
	int (*open)(struct dawn_stream *s);

	/* All unconsumed bytes received in order, contiguous. Return: how many
	 * were consumed; the rest is shown again, with more behind it, at the
	 * next call. If the transport's buffer is full and 0 is consumed, the
	 * transport aborts: a protocol bounds what it waits for. */
	size_t (*data)(struct dawn_stream *s, const uint8_t *buf, size_t len);

	/* The peer sent FIN; everything before it was shown (and is shown
	 * again after writable(), as long as it is not consumed). */
	void (*eof)(struct dawn_stream *s);

	/* space() rose after it was found to be 0 or a write was short. If
	 * received bytes are still unconsumed, data() follows at once, with or
	 * without new ones: that is how a protocol which stopped consuming for
	 * want of space goes on. */
	void (*writable)(struct dawn_stream *s);

	/* Called about every 500 ms: time limits live here. */
	void (*tick)(struct dawn_stream *s, uint64_t now_ms);

	/* At a request boundary: nothing half-read, nothing owed to the peer
	 * but what is queued. Only then may the kernel half have it. */
	bool (*idle)(const struct dawn_stream *s);

	/* The daemon drains: finish the request under way, then shutdown(). */
	void (*drain)(struct dawn_stream *s);

	/* The stream is gone; free s->proto. Called exactly once after a
	 * successful open(). */
	void (*closed)(struct dawn_stream *s, enum dawn_close_reason why);

	/* Optional, for a stream that goes back to the kernel half while idle():
	 * as closed(), but the connection lives on. NULL: closed() is called
	 * with DAWN_CLOSE_DONE. */
	void (*handed_back)(struct dawn_stream *s);
};

struct dawn_stream {
	const struct dawn_stream_ops *ops; /* the transport's */
	const struct dawn_proto_ops *protocol;
	void *proto;            /* the protocol's own */
	void *server;           /* shared by all streams of a service, e.g.
					 * struct dawn_http_server; set before open() */
	struct dawn_addr raddr; /* peer; IPv4-mapped; zero for Unix sockets */
	uint16_t rport;         /* host order */
	uint16_t service; /* struct dawn_service.id; 0 where XDP has none */
	uint16_t group;   /* struct dawn_service.group; 0 likewise */
	uint8_t flags;    /* struct dawn_service.flags */
	uint64_t now_ms;  /* monotonic; refreshed before each callback */
};

#endif
