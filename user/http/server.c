/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* HTTP/1.1 over a byte stream: from heads to responses, and time limits.
 *
 * Theory of operation. The transport shows all received bytes that were not
 * yet consumed; http_data() goes through them: a head, its body, the next
 * head, and stops where it needs more bytes, or more room for output. A whole
 * head is parsed by the thread's parser and consumed at once; an incomplete
 * one stays in the transport's buffer, and only then does the connection
 * allocate a parser of its own. States: see struct dawn_http_conn.
 *
 * After an error that leaves it unsure where the next request begins, after
 * `Connection: close`, and when draining, the connection is closed as RFC
 * 9112, 9.6 says: the response, FIN, then input is read and dropped until the
 * peer's FIN, so that no reset overtakes the response.
 *
 * Timers, all checked in tick(): see the functions tick_*().
 *
 * Not here: no trailers are kept, no upgrade, no compression.
 */
#include "user/http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/http/conn.h"

#define HEADER_TIMEOUT_MS 10000
#define IDLE_TIMEOUT_MS   75000
#define BODY_TIMEOUT_MS   30000
#define MAX_BODY          (UINT64_C(64) << 20)
/* A peer that takes nothing of its response for so many body timeouts. */
#define OUTPUT_TIMEOUTS 4
/* Closing: this long, and the time that what was written needs at the lowest
 * rate we serve (16 bytes/ms); no kernel queues more than LINGER_BYTES. */
#define LINGER_MS    5000
#define LINGER_RATE  16
#define LINGER_BYTES (UINT64_C(8) << 20)
/* Empty lines that a client may send before a request (RFC 9112, 2.2). */
#define BLANK_MAX 8
/* A body that is not wanted is read up to this size, to keep the connection. */
#define DISCARD_MAX (256U << 10)

#define ALLOW_FILE "GET, HEAD, OPTIONS"
#define ALLOW_ECHO "POST, OPTIONS"
#define ALLOW_ALL  "GET, HEAD, POST, OPTIONS"

int dawn_http_server_create(struct dawn_http_server **out,
			    const struct dawn_http_options *o)
{
	struct dawn_http_server *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->o = *o;
	if (!h->o.header_timeout_ms)
		h->o.header_timeout_ms = HEADER_TIMEOUT_MS;
	if (!h->o.idle_timeout_ms)
		h->o.idle_timeout_ms = IDLE_TIMEOUT_MS;
	if (!h->o.body_timeout_ms)
		h->o.body_timeout_ms = BODY_TIMEOUT_MS;
	if (h->o.output_min_ms < OUTPUT_TIMEOUTS * h->o.body_timeout_ms)
		h->o.output_min_ms = OUTPUT_TIMEOUTS * h->o.body_timeout_ms;
	if (!h->o.max_body)
		h->o.max_body = MAX_BODY;
	h->date_s = INT64_MIN;
	*out = h;
	return 0;
}

void dawn_http_server_destroy(struct dawn_http_server *h)
{
	free(h);
}

const struct dawn_http_counts *
dawn_http_server_counts(const struct dawn_http_server *h)
{
	return &h->counts;
}

/* ---- one request */

static bool is_echo(const struct dawn_http_context *x)
{
	static const char path[] = "/echo";

	return x->r->path.len == strlen(path) &&
	       !memcmp(x->buf + x->r->path.off, path, strlen(path));
}

/* A response that does not need the body: read and drop it if that is cheap
 * and sure to come, else close after the response (RFC 9110, 10.1.1). */
static void drop_body(const struct dawn_http_context *x)
{
	struct dawn_http_conn *c = x->c;

	if (!x->r->chunked && !x->r->content_length)
		return;
	c->body = DAWN_HTTP_BODY_DISCARD;
	if (x->r->expect_continue || x->r->content_length > DISCARD_MAX)
		c->close_after = true;
}

static void refuse(const struct dawn_http_context *x, int status,
		   const char *allow)
{
	dawn_http_respond_error(x->c, status, x->r->minor,
				x->r->method == DAWN_HTTP_HEAD, allow);
}

static void handle_echo(const struct dawn_http_context *x)
{
	if (!x->r->chunked && !x->r->has_length) {
		refuse(x, 411, NULL);
		return;
	}
	/* It may not be known to have sent any of the body: ask for it. */
	if (x->r->expect_continue)
		dawn_http_out(x->c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	dawn_http_echo_begin(x);
}

static void route(const struct dawn_http_context *x)
{
	enum dawn_http_method method = x->r->method;
	bool all = x->r->form == DAWN_HTTP_FORM_ASTERISK ||
		   (x->r->form == DAWN_HTTP_FORM_ABSOLUTE && !x->r->path.len &&
		    method == DAWN_HTTP_OPTIONS);
	bool echo = is_echo(x);

	if (method == DAWN_HTTP_POST && echo) {
		handle_echo(x);
		return;
	}
	drop_body(x);
	if (method == DAWN_HTTP_OPTIONS)
		dawn_http_respond_options(x, all    ? ALLOW_ALL
					     : echo ? ALLOW_ECHO
						    : ALLOW_FILE);
	else if (echo || (method != DAWN_HTTP_GET && method != DAWN_HTTP_HEAD))
		refuse(x, 405, echo ? ALLOW_ECHO : ALLOW_FILE);
	else
		dawn_http_respond_file(x);
}

static void handle_head(struct dawn_http_conn *c,
			const struct dawn_http_parser *p, const uint8_t *buf)
{
	struct dawn_http_request r;
	struct dawn_http_context x = { c, &r, p, buf };
	int status = dawn_http_request_read(&r, p, buf);

	c->close_after = !r.keep_alive || c->draining ||
			 r.method == DAWN_HTTP_CONNECT;
	c->body_chunked = r.chunked;
	c->body_left = r.content_length;
	c->body_total = 0;
	c->decoder = (struct dawn_http_chunked){ 0 };
	c->busy = true;
	if (status == 400 || !r.framed) {
		c->close_after = true;
	} else if (r.content_length > c->h->o.max_body) {
		status = 413;
		c->close_after = true;
	} else if (status) {
		drop_body(&x);
	}
	if (status)
		refuse(&x, status, NULL);
	else
		route(&x);
	/* A body of length 0 is complete without another byte. */
	if (c->body != DAWN_HTTP_BODY_NONE && !c->body_chunked)
		dawn_http_body_data(c, NULL, 0);
}

/* ---- the flow of bytes */

static void malformed(struct dawn_http_conn *c, int status)
{
	free(c->parser);
	c->parser = NULL;
	c->busy = true;
	c->close_after = true;
	dawn_http_respond_error(c, status, 1, false, NULL);
}

/* Keep an incomplete head's state. */
static void keep_parser(struct dawn_http_conn *c)
{
	if (c->parser)
		return;
	c->since_ms = c->s->now_ms;
	c->parser = malloc(sizeof(*c->parser));
	if (c->parser)
		*c->parser = c->h->parser;
	else
		malformed(c, 503);
}

/* At a boundary. Return: bytes consumed; 0 with an incomplete head. */
static size_t take_head(struct dawn_http_conn *c, const uint8_t *buf,
			size_t len)
{
	struct dawn_http_parser *p = c->parser;
	int what;

	if (!p) {
		p = &c->h->parser;
		/* The fields' table need not be cleared. */
		memset(p, 0, offsetof(struct dawn_http_parser, fields));
	}
	if (!p->scanned && len >= 2 && buf[0] == '\r' && buf[1] == '\n') {
		if (++c->blank > BLANK_MAX)
			malformed(c, 400);
		return 2;
	}
	what = dawn_http_parse(p, buf, len);
	if (what == DAWN_HTTP_MORE) {
		keep_parser(c);
		return 0;
	}
	if (what != DAWN_HTTP_COMPLETE) {
		malformed(c, what);
		return 0;
	}
	len = p->head_len;
	c->since_ms = c->s->now_ms;
	handle_head(c, p, buf);
	free(c->parser);
	c->parser = NULL;
	return len;
}

/* Write what is due, and find out whether that ended the response, or the
 * connection. */
static void settle(struct dawn_http_conn *c)
{
	if (c->lingering || !dawn_http_pump(c))
		return;
	if (c->busy) {
		if (c->body == DAWN_HTTP_BODY_ECHO)
			return;
		if (c->close_after) {
			c->body = DAWN_HTTP_BODY_NONE;
			dawn_http_linger(c);
			return;
		}
		if (c->body == DAWN_HTTP_BODY_DISCARD)
			return;
		c->busy = false;
		c->blank = 0;
		c->since_ms = c->s->now_ms;
	}
	if (c->draining && !c->parser)
		dawn_http_linger(c);
}

/* After the peer's FIN: is there anything left to answer? */
static void settle_eof(struct dawn_http_conn *c)
{
	if (!c->eof || c->lingering)
		return;
	if (c->body != DAWN_HTTP_BODY_NONE && !c->unconsumed) {
		dawn_http_body_failed(c, 400);
		settle(c);
	} else if (!c->busy && (c->parser || !c->unconsumed)) {
		dawn_http_linger(c);
	}
}

static size_t http_data(struct dawn_stream *s, const uint8_t *buf, size_t len)
{
	struct dawn_http_conn *c = s->proto;
	size_t at = 0, n;

	settle(c);
	while (at < len && !c->lingering) {
		if (c->body != DAWN_HTTP_BODY_NONE) {
			n = dawn_http_body_data(c, buf + at, len - at);
			if (n)
				c->since_ms = s->now_ms;
		} else if (!c->busy) {
			n = take_head(c, buf + at, len - at);
		} else {
			break;
		}
		at += n;
		settle(c);
		if (!n)
			break;
	}
	if (c->lingering)
		at = len;
	c->unconsumed = len - at;
	settle_eof(c);
	return at;
}

static void http_writable(struct dawn_stream *s)
{
	struct dawn_http_conn *c = s->proto;

	settle(c);
	settle_eof(c);
}

static void http_eof(struct dawn_stream *s)
{
	struct dawn_http_conn *c = s->proto;

	c->eof = true;
	settle_eof(c);
}

static bool http_idle(const struct dawn_stream *s)
{
	const struct dawn_http_conn *c = s->proto;

	return !c->busy && !c->parser && !c->pending && !c->lingering &&
	       !c->draining && !c->eof && !c->unconsumed;
}

static void http_drain(struct dawn_stream *s)
{
	struct dawn_http_conn *c = s->proto;

	c->draining = true;
	c->close_after = true;
	settle(c);
}

/* ---- time limits */

static bool past(uint64_t now_ms, uint64_t since_ms, uint64_t limit_ms)
{
	return now_ms > since_ms && now_ms - since_ms > limit_ms;
}

static void tick_lingering(struct dawn_http_conn *c, uint64_t now_ms)
{
	uint64_t bytes = c->out_bytes < LINGER_BYTES ? c->out_bytes
						     : LINGER_BYTES;

	if (!c->aborted &&
	    past(now_ms, c->linger_ms, LINGER_MS + bytes / LINGER_RATE)) {
		c->aborted = true;
		c->s->ops->abort(c->s);
	}
}

/* The peer takes nothing of its response. */
static void tick_output(struct dawn_http_conn *c, uint64_t now_ms)
{
	if (past(now_ms, c->out_ms, c->h->o.output_min_ms))
		dawn_http_give_up(c);
}

/* The peer sends nothing of its body, or takes nothing of the echo. */
static void tick_body(struct dawn_http_conn *c, uint64_t now_ms)
{
	uint64_t since_ms = c->since_ms > c->out_ms ? c->since_ms : c->out_ms;

	if (past(now_ms, since_ms, c->h->o.body_timeout_ms)) {
		dawn_http_body_failed(c, 408);
		settle(c);
	}
}

static void tick_input(struct dawn_http_conn *c, uint64_t now_ms)
{
	if (c->parser && past(now_ms, c->since_ms, c->h->o.header_timeout_ms)) {
		malformed(c, 408);
		settle(c);
	} else if (!c->parser &&
		   past(now_ms, c->since_ms, c->h->o.idle_timeout_ms)) {
		dawn_http_linger(c);
	}
}

static void http_tick(struct dawn_stream *s, uint64_t now_ms)
{
	struct dawn_http_conn *c = s->proto;

	if (c->lingering)
		tick_lingering(c, now_ms);
	else if (c->pending || c->file_left)
		tick_output(c, now_ms);
	else if (c->body != DAWN_HTTP_BODY_NONE)
		tick_body(c, now_ms);
	else if (!c->busy)
		tick_input(c, now_ms);
}

/* ---- a connection's life */

static int http_open(struct dawn_stream *s)
{
	struct dawn_http_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->h = s->server;
	c->s = s;
	c->fd = -1;
	c->since_ms = s->now_ms;
	s->proto = c;
	return 0;
}

static void http_closed(struct dawn_stream *s, enum dawn_close_reason why)
{
	struct dawn_http_conn *c = s->proto;

	(void)why;
	if (c->fd != -1)
		close(c->fd);
	free(c->parser);
	free(c->pending);
	free(c->held);
	free(c);
	s->proto = NULL;
}

const struct dawn_proto_ops dawn_http_protocol = {
	.name = "http",
	.open = http_open,
	.data = http_data,
	.eof = http_eof,
	.writable = http_writable,
	.tick = http_tick,
	.idle = http_idle,
	.drain = http_drain,
	.closed = http_closed,
};
