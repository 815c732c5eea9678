/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Output of one connection and the responses that are not streamed through. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "maps/cache.h"
#include "maps/services.h"
#include "user/http/conditional.h"
#include "user/http/conn.h"

int64_t dawn_http_now_s(struct dawn_http_server *h)
{
	struct timespec now;

	/* Not the coarse clock: it may be a second behind the modification
	 * time of a file that was just written. */
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != h->date_s) {
		h->date_s = now.tv_sec;
		dawn_http_date(h->date, now.tv_sec);
	}
	return h->date_s;
}

static size_t stream_write(struct dawn_http_conn *c, const void *buf,
			   size_t len)
{
	size_t n = c->s->ops->write(c->s, buf, len);

	if (n) {
		c->out_ms = c->s->now_ms;
		c->out_bytes += n;
	}
	return n;
}

void dawn_http_give_up(struct dawn_http_conn *c)
{
	c->lingering = true;
	c->aborted = true;
	c->linger_ms = c->s->now_ms;
	c->s->ops->abort(c->s);
}

void dawn_http_out(struct dawn_http_conn *c, const void *buf, size_t len)
{
	const uint8_t *bytes = buf;
	size_t n = 0, have = c->pending_len - c->pending_off;
	uint8_t *grown;

	if (c->lingering)
		return;
	if (!c->pending) {
		c->out_ms = c->s->now_ms;
		n = stream_write(c, bytes, len);
		if (n == len)
			return;
	}
	grown = malloc(have + len - n);
	if (!grown) {
		dawn_http_give_up(c);
		return;
	}
	if (c->pending)
		memcpy(grown, c->pending + c->pending_off, have);
	memcpy(grown + have, bytes + n, len - n);
	free(c->pending);
	c->pending = grown;
	c->pending_off = 0;
	c->pending_len = (uint32_t)(have + len - n);
}

static bool pump_pending(struct dawn_http_conn *c)
{
	if (!c->pending)
		return true;
	c->pending_off +=
		(uint32_t)stream_write(c, c->pending + c->pending_off,
				       c->pending_len - c->pending_off);
	if (c->pending_off < c->pending_len)
		return false;
	free(c->pending);
	c->pending = NULL;
	c->pending_off = c->pending_len = 0;
	return true;
}

static void close_file(struct dawn_http_conn *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->file_left = 0;
}

/* One piece of the file. Return: false if it is to be tried later, or never.
 */
static bool pump_piece(struct dawn_http_conn *c)
{
	size_t space = c->s->ops->space(c->s);
	uint64_t want = c->file_left;
	ssize_t got;
	size_t n;

	if (!space)
		return false;
	if (want > space)
		want = space;
	if (want > DAWN_HTTP_SCRATCH)
		want = DAWN_HTTP_SCRATCH;
	do
		got = pread(c->fd, c->h->scratch, (size_t)want,
			    (off_t)c->file_off);
	while (got == -1 && errno == EINTR);
	if (got <= 0) {
		/* It shrank, or cannot be read: the length that was promised
		 * cannot be kept, and only a reset says so. */
		close_file(c);
		dawn_http_give_up(c);
		return false;
	}
	n = stream_write(c, c->h->scratch, (size_t)got);
	c->file_off += n;
	c->file_left -= n;
	return n == (size_t)got;
}

bool dawn_http_pump(struct dawn_http_conn *c)
{
	if (!pump_pending(c))
		return false;
	while (c->file_left)
		if (!pump_piece(c))
			return false;
	close_file(c);
	if (c->has_note && c->s->ops->cached)
		c->s->ops->cached(c->s, &c->note);
	c->has_note = false;
	return true;
}

void dawn_http_linger(struct dawn_http_conn *c)
{
	if (c->lingering)
		return;
	c->lingering = true;
	c->linger_ms = c->s->now_ms;
	c->s->ops->shutdown(c->s);
}

enum dawn_http_connection
dawn_http_connection_of(const struct dawn_http_conn *c, unsigned int minor)
{
	if (c->close_after)
		return DAWN_HTTP_CLOSE;
	return minor == 0 ? DAWN_HTTP_KEEP_10 : DAWN_HTTP_KEEP;
}

static void count(struct dawn_http_conn *c, int status)
{
	c->h->counts.requests++;
	if (status >= 400)
		c->h->counts.errors++;
}

/* A response with a text of a line, or none. */
static void respond_text(struct dawn_http_conn *c, struct dawn_http_head *h,
			 bool no_body)
{
	char out[1024 + DAWN_FILES_BUF];
	char text[64];
	int len = snprintf(text, sizeof(text), "%d %s\n", h->status,
			   dawn_http_reason(h->status));
	size_t n;

	h->date_s = dawn_http_now_s(c->h);
	h->mtime_s = DAWN_HTTP_NO_TIME;
	h->content_type = "text/plain";
	h->content_type_len = strlen(h->content_type);
	h->has_length = true;
	h->content_length = (uint64_t)len;
	n = dawn_http_head(out, sizeof(out) - sizeof(text), h);
	if (!no_body) {
		memcpy(out + n, text, (size_t)len);
		n += (size_t)len;
	}
	count(c, h->status);
	dawn_http_out(c, out, n);
}

void dawn_http_respond_error(struct dawn_http_conn *c, int status,
			     unsigned int minor, bool head, const char *allow)
{
	struct dawn_http_head h = {
		.status = status,
		.allow = allow,
		.connection = dawn_http_connection_of(c, minor),
	};

	respond_text(c, &h, head);
}

void dawn_http_respond_options(const struct dawn_http_context *x,
			       const char *allow)
{
	struct dawn_http_head h = {
		.status = 200,
		.date_s = dawn_http_now_s(x->c->h),
		.has_length = true,
		.mtime_s = DAWN_HTTP_NO_TIME,
		.allow = allow,
		.connection = dawn_http_connection_of(x->c, x->r->minor),
	};
	char out[512];

	count(x->c, h.status);
	dawn_http_out(x->c, out, dawn_http_head(out, sizeof(out), &h));
}

/* ---- files */

static void respond_redirect(const struct dawn_http_context *x,
			     const char *location)
{
	struct dawn_http_head h = {
		.status = 301,
		.location = location,
		.connection = dawn_http_connection_of(x->c, x->r->minor),
	};

	respond_text(x->c, &h, x->r->method == DAWN_HTTP_HEAD);
}

/* What was just written is an answer that stands in a slot, too. */
static void note_cached(struct dawn_http_conn *c, const struct dawn_file *f,
			uint8_t kind, enum dawn_http_connection how)
{
	c->has_note = f->in_kernel && how == DAWN_HTTP_KEEP;
	c->note = (struct dawn_cached_response){
		.slot = f->slot,
		.gen = f->gen,
		.date_s = (uint32_t)c->h->date_s,
		.kind = kind,
	};
}

/* A whole response that stands in h->image: as it is, but for its Date and,
 * where the connection will not go on as HTTP/1.1 does by default, a field
 * that says so. */
static void respond_image(const struct dawn_http_context *x,
			  const struct dawn_file *f)
{
	struct dawn_http_conn *c = x->c;
	struct dawn_http_server *h = c->h;
	bool head = x->r->method == DAWN_HTTP_HEAD;
	enum dawn_http_connection how = dawn_http_connection_of(c, x->r->minor);
	const char *field = how == DAWN_HTTP_CLOSE
				    ? "Connection: close\r\n\r\n"
				    : "Connection: keep-alive\r\n\r\n";
	uint32_t len = head ? f->head_len : f->resp_len;

	if (f->date_off)
		memcpy(h->image + f->date_off, h->date, sizeof(h->date));
	note_cached(c, f, head ? DAWN_RESP_HEAD : DAWN_RESP_GET, how);
	count(c, 200);
	if (how != DAWN_HTTP_KEEP) {
		uint32_t extra = (uint32_t)strlen(field) - 2;
		uint8_t *end = h->image + f->head_len - 2;

		/* It takes the place of the empty line. */
		memmove(end + 2 + extra, end + 2, f->resp_len - f->head_len);
		memcpy(end, field, extra + 2);
		len += extra;
	}
	dawn_http_out(c, h->image, len);
}

/* 200 or 206 of a file that is not in memory. Takes over f->fd. */
static void respond_stream(const struct dawn_http_context *x,
			   struct dawn_file *f, struct dawn_http_head *h,
			   uint64_t first)
{
	struct dawn_http_conn *c = x->c;
	char out[1024];

	h->content_type = f->type;
	h->content_type_len = strlen(f->type);
	h->has_length = true;
	h->mtime_s = f->mtime_s;
	dawn_http_out(c, out, dawn_http_head(out, sizeof(out), h));
	if (x->r->method == DAWN_HTTP_HEAD || f->fd == -1)
		return;
	c->fd = f->fd;
	f->fd = -1;
	c->file_off = first;
	c->file_left = h->content_length;
}

static void respond_range(const struct dawn_http_context *x,
			  struct dawn_file *f, struct dawn_http_head *h,
			  const struct dawn_http_range *range)
{
	char value[72];

	snprintf(value, sizeof(value), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
		 range->first, range->first + range->len - 1, f->size);
	h->content_range = value;
	h->content_length = range->len;
	respond_stream(x, f, h, range->first);
	if (f->whole)
		dawn_http_out(x->c, x->c->h->image + f->head_len + range->first,
			      range->len);
	h->content_range = NULL;
}

/* The same bytes as in the slot, if it has one (user/cache/files_promote.c). */
static void respond_not_modified(const struct dawn_http_context *x,
				 const struct dawn_file *f,
				 const struct dawn_http_head *h)
{
	char out[512];

	note_cached(x->c, f, DAWN_RESP_NOT_MODIFIED, h->connection);
	dawn_http_out(x->c, out, dawn_http_head(out, sizeof(out), h));
}

/* What preconditions and Range make of a 200. */
static void respond_selected(const struct dawn_http_context *x,
			     struct dawn_file *f)
{
	struct dawn_http_state st = { .etag = f->etag,
				      .mtime_s = f->mtime_s,
				      .size = f->size,
				      .now_s = x->c->h->date_s };
	struct dawn_http_range range = { 0 };
	struct dawn_http_head h = {
		.date_s = x->c->h->date_s,
		.mtime_s = DAWN_HTTP_NO_TIME,
		.etag = f->etag,
		.content_length = f->size,
		.connection = dawn_http_connection_of(x->c, x->r->minor),
	};
	char value[40];

	h.status = f->meta ? dawn_http_evaluate(x->r, x->p, x->buf, &st, &range)
			   : 200;
	if (h.status == 200 && f->whole) {
		respond_image(x, f);
	} else if (h.status == 412) {
		dawn_http_respond_error(x->c, 412, x->r->minor,
					x->r->method == DAWN_HTTP_HEAD, NULL);
	} else if (h.status == 416) {
		snprintf(value, sizeof(value), "bytes */%" PRIu64, f->size);
		h.content_range = value;
		h.etag = NULL;
		respond_text(x->c, &h, false);
	} else {
		count(x->c, h.status);
		if (h.status == 304)
			respond_not_modified(x, f, &h);
		else if (h.status == 206)
			respond_range(x, f, &h, &range);
		else
			respond_stream(x, f, &h, 0);
	}
}

/* A request that says who asks: nothing is cached because of it, unless the
 * service says that this changes nothing. */
static bool is_private(const struct dawn_stream *s,
		       const struct dawn_http_request *r)
{
	return (dawn_http_has(r, DAWN_HTTP_FIELD_AUTHORIZATION) &&
		!(s->flags & DAWN_SERVICE_ANY_AUTHORIZATION)) ||
	       (dawn_http_has(r, DAWN_HTTP_FIELD_COOKIE) &&
		!(s->flags & DAWN_SERVICE_ANY_COOKIE));
}

void dawn_http_respond_file(const struct dawn_http_context *x)
{
	const struct dawn_http_request *r = x->r;
	const char *t = (const char *)x->buf;
	struct dawn_http_conn *c = x->c;
	bool private = is_private(c->s, r);
	size_t path_end = (size_t)r->path.off + r->path.len;
	struct dawn_files_get g = {
		.target = t + r->target.off,
		.target_len = r->target.len,
		.path = t + r->path.off,
		.path_len = r->path.len,
		.query = t + path_end,
		.query_len = r->target.off + r->target.len - path_end,
		.host = t + r->host.off,
		.host_len = r->host.len,
		.group = c->s->group,
		.kernel = r->form == DAWN_HTTP_FORM_ORIGIN,
		.promote = r->method == DAWN_HTTP_GET && !private &&
			   !c->close_after && r->minor >= 1,
		.head = r->method == DAWN_HTTP_HEAD,
		.now_s = dawn_http_now_s(c->h),
		.buf = c->h->image,
	};
	struct dawn_file f = { .status = 404, .fd = -1 };

	if (c->h->o.files)
		dawn_files_get(c->h->o.files, &g, &f);
	if (f.status == 200)
		respond_selected(x, &f);
	else if (f.status == 301)
		respond_redirect(x, (const char *)c->h->image);
	else
		dawn_http_respond_error(c, f.status, r->minor, g.head, NULL);
	if (f.fd != -1)
		close(f.fd);
}
