/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Request bodies: dropped, or sent back by /echo.
 *
 * Theory of operation: a body is consumed only as fast as the peer takes the
 * response, so an echo needs no buffer however long it is: with Content-Length
 * its bytes go from the received to the sent as they are, with chunks each
 * piece at hand becomes one chunk. The response's head is held back until the
 * body begins (or ends), so that a body malformed from the start, too large,
 * or never sent still gets its error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/http/conn.h"

/* A chunk of our own: the size line, the bytes, CRLF. */
#define CHUNK_OVERHEAD 12
#define CHUNK_DATA_MAX (16U << 10)
#define CHUNK_DATA_MIN 1024
/* More than this is not read only to be dropped: the connection is closed. */
#define DISCARD_MAX (256U << 10)

void dawn_http_echo_begin(const struct dawn_http_context *x)
{
	struct dawn_http_conn *c = x->c;
	struct dawn_http_head h = {
		.status = 200,
		.date_s = dawn_http_now_s(c->h),
		.content_type = "application/octet-stream",
		.has_length = !x->r->chunked,
		.chunked = x->r->chunked,
		.content_length = x->r->content_length,
		.mtime_s = DAWN_HTTP_NO_TIME,
		.connection = dawn_http_connection_of(c, x->r->minor),
	};
	size_t len;

	h.content_type_len = strlen(h.content_type);
	if (x->r->content_type.len) {
		h.content_type = (const char *)x->buf + x->r->content_type.off;
		h.content_type_len = x->r->content_type.len;
	}
	len = dawn_http_head((char *)c->h->scratch, DAWN_HTTP_SCRATCH, &h);
	c->held = malloc(len);
	if (!c->held) {
		c->close_after = true;
		c->body = DAWN_HTTP_BODY_DISCARD;
		dawn_http_respond_error(c, 503, x->r->minor, false, NULL);
		return;
	}
	memcpy(c->held, c->h->scratch, len);
	c->held_len = (uint32_t)len;
	c->body = DAWN_HTTP_BODY_ECHO;
}

static void release_head(struct dawn_http_conn *c)
{
	if (!c->held)
		return;
	c->h->counts.requests++;
	dawn_http_out(c, c->held, c->held_len);
	free(c->held);
	c->held = NULL;
}

void dawn_http_body_failed(struct dawn_http_conn *c, int status)
{
	bool unanswered = c->held != NULL;

	free(c->held);
	c->held = NULL;
	c->body = DAWN_HTTP_BODY_NONE;
	c->close_after = true;
	if (unanswered)
		dawn_http_respond_error(c, status, 1, false, NULL);
}

/* Room for body bytes in the output now. */
static size_t echo_room(const struct dawn_http_conn *c)
{
	size_t space;

	if (c->pending)
		return 0;
	space = c->s->ops->space(c->s);
	if (!space || !c->body_chunked)
		return space;
	if (space < CHUNK_DATA_MIN + CHUNK_OVERHEAD)
		return CHUNK_DATA_MIN; /* the rest of it stays pending */
	return space - CHUNK_OVERHEAD < CHUNK_DATA_MAX ? space - CHUNK_OVERHEAD
						       : CHUNK_DATA_MAX;
}

static void echo_chunk(struct dawn_http_conn *c, const uint8_t *buf, size_t n)
{
	char *out = (char *)c->h->scratch;
	int len = snprintf(out, CHUNK_OVERHEAD, "%zx\r\n", n);

	memcpy(out + len, buf, n);
	memcpy(out + len + n, "\r\n", 2);
	dawn_http_out(c, out, (size_t)len + n + 2);
}

/* Some of the body's bytes. Return: how many were used; 0: wait for room. */
static size_t use_data(struct dawn_http_conn *c, const uint8_t *buf, size_t n)
{
	if (c->body == DAWN_HTTP_BODY_ECHO) {
		size_t room;

		release_head(c);
		room = echo_room(c);
		if (n > room)
			n = room;
		if (!n)
			return 0;
		if (c->body_chunked)
			echo_chunk(c, buf, n);
		else
			dawn_http_out(c, buf, n);
	}
	c->body_total += n;
	return n;
}

static void body_done(struct dawn_http_conn *c)
{
	if (c->body == DAWN_HTTP_BODY_ECHO) {
		release_head(c);
		if (c->body_chunked)
			dawn_http_out(c, "0\r\n\r\n", 5);
	}
	c->body = DAWN_HTTP_BODY_NONE;
}

static bool too_much(struct dawn_http_conn *c, size_t more)
{
	uint64_t max = c->body == DAWN_HTTP_BODY_ECHO ? c->h->o.max_body
						      : DISCARD_MAX;

	if (c->body_total + more <= max)
		return false;
	dawn_http_body_failed(c, 413);
	return true;
}

static size_t chunked_data(struct dawn_http_conn *c, const uint8_t *buf,
			   size_t len)
{
	size_t at = 0, used, n;

	while (c->body != DAWN_HTTP_BODY_NONE && !c->lingering) {
		enum dawn_http_chunk what = dawn_http_chunked_next(
			&c->decoder, buf + at, len - at, &used, &n);

		at += used;
		switch (what) {
		case DAWN_HTTP_CHUNK_MORE:
			return at;
		case DAWN_HTTP_CHUNK_DATA:
			if (too_much(c, c->decoder.left))
				return at;
			n = use_data(c, buf + at, n);
			if (!n)
				return at;
			dawn_http_chunked_take(&c->decoder, n);
			at += n;
			break;
		case DAWN_HTTP_CHUNK_END:
			body_done(c);
			break;
		case DAWN_HTTP_CHUNK_BAD:
			dawn_http_body_failed(c, 400);
			break;
		case DAWN_HTTP_CHUNK_LARGE:
			dawn_http_body_failed(c, 431);
			break;
		}
	}
	return at;
}

size_t dawn_http_body_data(struct dawn_http_conn *c, const uint8_t *buf,
			   size_t len)
{
	size_t n;

	if (c->body_chunked)
		return chunked_data(c, buf, len);
	n = len < c->body_left ? len : (size_t)c->body_left;
	if (n) {
		n = use_data(c, buf, n);
		c->body_left -= n;
	}
	if (!c->body_left)
		body_done(c);
	return n;
}
