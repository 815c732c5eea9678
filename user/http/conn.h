/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Internal to user/http: one connection's state and the functions that write
 * responses. */
#ifndef DAWN_HTTP_CONN_H
#define DAWN_HTTP_CONN_H

#include "user/cache/files.h"
#include "user/http/chunked.h"
#include "user/http/request.h"
#include "user/http/server.h"

#define DAWN_HTTP_SCRATCH (64U << 10)

struct dawn_http_server {
	struct dawn_http_options o; /* defaults filled in */
	struct dawn_http_counts counts;
	struct dawn_http_parser parser; /* for heads that come whole */
	int64_t date_s;
	char date[DAWN_HTTP_DATE_LEN]; /* of date_s */
	uint8_t image[DAWN_FILES_BUF]; /* whole responses */
	uint8_t scratch[DAWN_HTTP_SCRATCH];
};

enum dawn_http_body {
	DAWN_HTTP_BODY_NONE,
	DAWN_HTTP_BODY_ECHO,    /* goes into the response */
	DAWN_HTTP_BODY_DISCARD, /* read and dropped */
};

/* States, by what is set:
 *
 *   boundary   !busy, no `parser`: the next byte begins a head
 *   head       `parser`: a head is incomplete
 *   busy       a request was taken and its response is not all written, or
 *              its `body` not all read; `pending` or `file_left`: output waits
 *              for room
 *   lingering  shutdown() or abort() was called; input is dropped
 *
 * A new head is parsed only when not busy, so pipelined requests are answered
 * in order and memory is bounded: `pending` holds at most one head and one
 * small body or chunk. */
struct dawn_http_conn {
	struct dawn_http_server *h;
	struct dawn_stream *s;
	struct dawn_http_parser *parser; /* owned */
	uint8_t *pending;                /* owned; bytes not yet written */
	uint32_t pending_off, pending_len;
	uint8_t *held; /* owned; echo's head, until its body begins */
	uint32_t held_len;
	int fd; /* owned; the file being sent; -1 none */
	uint64_t file_off, file_left;

	uint8_t body; /* enum dawn_http_body */
	bool body_chunked;
	struct dawn_http_chunked decoder;
	uint64_t body_left;  /* without chunks: to come */
	uint64_t body_total; /* read so far */

	bool busy;          /* */
	bool close_after;   /* close when this response is written */
	bool lingering;     /* */
	bool aborted;       /* abort() was called */
	bool draining;      /* */
	bool eof;           /* the peer sent FIN */
	bool has_note;      /* `note` is due when the response is written */
	uint8_t blank;      /* empty lines before this request */
	size_t unconsumed;  /* bytes that data() left */
	uint64_t since_ms;  /* begin of the head, else last progress of input */
	uint64_t out_ms;    /* last progress of output */
	uint64_t out_bytes; /* ever written */
	uint64_t linger_ms; /* since when */
	struct dawn_cached_response note;
};

/* What a response is built from. */
struct dawn_http_context {
	struct dawn_http_conn *c;
	const struct dawn_http_request *r;
	const struct dawn_http_parser *p;
	const uint8_t *buf; /* the head */
};

/* Write now or keep for later. Aborts the connection if out of memory. */
void dawn_http_out(struct dawn_http_conn *c, const void *buf, size_t len);

/* Go on with `pending` and the file. Return: is all of it written? */
bool dawn_http_pump(struct dawn_http_conn *c);

/* Reset the connection: what was promised cannot be kept. */
void dawn_http_give_up(struct dawn_http_conn *c);

/* Shut down, and drop what still comes. */
void dawn_http_linger(struct dawn_http_conn *c);

int64_t dawn_http_now_s(struct dawn_http_server *h);

enum dawn_http_connection
dawn_http_connection_of(const struct dawn_http_conn *c, unsigned int minor);

/* A short text with this status; `head` without it. `allow` for 405. */
void dawn_http_respond_error(struct dawn_http_conn *c, int status,
			     unsigned int minor, bool head, const char *allow);
void dawn_http_respond_options(const struct dawn_http_context *x,
			       const char *allow);
void dawn_http_respond_file(const struct dawn_http_context *x);

/* user/http/echo.c: a POST to /echo whose body is set up in c; then each piece
 * of it. Return: bytes used. */
void dawn_http_echo_begin(const struct dawn_http_context *x);
size_t dawn_http_body_data(struct dawn_http_conn *c, const uint8_t *buf,
			   size_t len);

/* The body cannot be read to its end: answer with `status` if nothing was
 * answered yet, else leave the response visibly incomplete. Either way the
 * connection ends with the response. */
void dawn_http_body_failed(struct dawn_http_conn *c, int status);

#endif
