/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* HTTP/1.1 over any stream: parser, dispatch, static files, /echo.
 * Sources: RFC 9110 (semantics), RFC 9112 (message syntax). */
#ifndef DAWN_HTTP_SERVER_H
#define DAWN_HTTP_SERVER_H

#include "user/io/stream.h"

struct dawn_files; /* user/cache/files.h */
struct dawn_http_server;

struct dawn_http_options {
	struct dawn_files *files;   /* may be NULL: everything is 404 */
	uint64_t header_timeout_ms; /* 0: 10 s for a whole head, then 408 */
	uint64_t idle_timeout_ms;   /* 0: 75 s between requests */
	uint64_t body_timeout_ms;   /* 0: 30 s without progress, then 408 */
	/* A peer that takes nothing of its response is given up after four
	 * times that, but has so long at least. */
	uint64_t output_min_ms;
	uint64_t max_body; /* 0: 64 MiB, beyond: 413 */
};

/* Counters a thread's server keeps; read by the transport's owner. */
struct dawn_http_counts {
	uint64_t requests;
	uint64_t errors; /* status >= 400 */
};

/* One for each thread. */
int dawn_http_server_create(struct dawn_http_server **out,
			    const struct dawn_http_options *o);
void dawn_http_server_destroy(struct dawn_http_server *h);
const struct dawn_http_counts *
dawn_http_server_counts(const struct dawn_http_server *h);

/* s->server is the struct dawn_http_server. */
extern const struct dawn_proto_ops dawn_http_protocol;

#endif
