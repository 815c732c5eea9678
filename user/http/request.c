/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "user/http/request.h"

#include <string.h>
#include <strings.h>

static bool equal_nocase(const uint8_t *text, size_t len, const char *word)
{
	return len == strlen(word) &&
	       !strncasecmp((const char *)text, word, len);
}

static enum dawn_http_method find_method(const uint8_t *m, size_t len)
{
	static const char names[][8] = {
		[DAWN_HTTP_GET] = "GET",
		[DAWN_HTTP_HEAD] = "HEAD",
		[DAWN_HTTP_POST] = "POST",
		[DAWN_HTTP_PUT] = "PUT",
		[DAWN_HTTP_DELETE] = "DELETE",
		[DAWN_HTTP_OPTIONS] = "OPTIONS",
		[DAWN_HTTP_PATCH] = "PATCH",
		[DAWN_HTTP_TRACE] = "TRACE",
		[DAWN_HTTP_CONNECT] = "CONNECT",
	};

	for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
		if (len == strlen(names[i]) && !memcmp(m, names[i], len))
			return (enum dawn_http_method)i;
	return DAWN_HTTP_UNKNOWN;
}

static enum dawn_http_field_id find_field(const uint8_t *name, size_t len)
{
	static const char *const names[DAWN_HTTP_FIELD_COUNT_] = {
		[DAWN_HTTP_FIELD_HOST] = "host",
		[DAWN_HTTP_FIELD_CONNECTION] = "connection",
		[DAWN_HTTP_FIELD_CONTENT_LENGTH] = "content-length",
		[DAWN_HTTP_FIELD_TRANSFER_ENCODING] = "transfer-encoding",
		[DAWN_HTTP_FIELD_CONTENT_TYPE] = "content-type",
		[DAWN_HTTP_FIELD_EXPECT] = "expect",
		[DAWN_HTTP_FIELD_AUTHORIZATION] = "authorization",
		[DAWN_HTTP_FIELD_COOKIE] = "cookie",
		[DAWN_HTTP_FIELD_IF_MATCH] = "if-match",
		[DAWN_HTTP_FIELD_IF_NONE_MATCH] = "if-none-match",
		[DAWN_HTTP_FIELD_IF_MODIFIED_SINCE] = "if-modified-since",
		[DAWN_HTTP_FIELD_IF_UNMODIFIED_SINCE] = "if-unmodified-since",
		[DAWN_HTTP_FIELD_IF_RANGE] = "if-range",
		[DAWN_HTTP_FIELD_RANGE] = "range",
	};
	uint8_t first = name[0] | 0x20;

	for (int i = 1; i < DAWN_HTTP_FIELD_COUNT_; i++)
		if ((uint8_t)names[i][0] == first &&
		    equal_nocase(name, len, names[i]))
			return (enum dawn_http_field_id)i;
	return DAWN_HTTP_FIELD_OTHER;
}

/* The next element of a comma-separated list, white space trimmed; empty ones
 * are skipped (RFC 9110, 5.6.1.2). Return: false at the end. */
static bool next_element(const uint8_t **at, const uint8_t *end,
			 const uint8_t **elem, size_t *len)
{
	const uint8_t *p = *at, *from;

	while (p < end && (*p == ',' || *p == ' ' || *p == '\t'))
		p++;
	from = p;
	while (p < end && *p != ',')
		p++;
	*at = p;
	while (p > from && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	*elem = from;
	*len = (size_t)(p - from);
	return *len > 0;
}

bool dawn_http_list_has(const uint8_t *list, size_t len, const char *token)
{
	const uint8_t *end = list + len, *elem;
	size_t elem_len;

	while (next_element(&list, end, &elem, &elem_len))
		if (equal_nocase(elem, elem_len, token))
			return true;
	return false;
}

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') ||
	       ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* unreserved / sub-delims (RFC 3986, 2). */
static bool is_name_char(uint8_t c)
{
	return c && ((c >= '0' && c <= '9') ||
		     ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
		     strchr("-._~!$&'()*+,;=", c));
}

/* [ IPv6 address or IPvFuture ]: its characters, not its arithmetic; nobody
 * connects to it here. Return: bytes, or 0. */
static size_t literal_len(const uint8_t *host, size_t len)
{
	size_t i = 1;

	while (i < len && (is_name_char(host[i]) || host[i] == ':'))
		i++;
	return i > 1 && i < len && host[i] == ']' ? i + 1 : 0;
}

bool dawn_http_host_valid(const uint8_t *host, size_t len)
{
	size_t i = 0;
	uint32_t port = 0;

	if (len && host[0] == '[') {
		i = literal_len(host, len);
	} else {
		for (; i < len; i++) {
			if (host[i] == '%' && len - i > 2 &&
			    is_hex(host[i + 1]) && is_hex(host[i + 2]))
				i += 2;
			else if (!is_name_char(host[i]))
				break;
		}
	}
	if (i == 0)
		return false;
	if (i < len && host[i++] != ':')
		return false;
	for (; i < len; i++) {
		if (host[i] < '0' || host[i] > '9')
			return false;
		port = port * 10 + (host[i] - '0');
		if (port > 65535)
			return false;
	}
	return true;
}

static int read_host(struct dawn_http_request *r, struct dawn_span value,
		     const uint8_t *buf)
{
	if (dawn_http_has(r, DAWN_HTTP_FIELD_HOST) ||
	    !dawn_http_host_valid(buf + value.off, value.len))
		return 400;
	r->host = value;
	return 0;
}

/* A list of equal numbers is one number (RFC 9110, 8.6). */
static int read_length(struct dawn_http_request *r, struct dawn_span value,
		       const uint8_t *buf)
{
	const uint8_t *at = buf + value.off, *end = at + value.len, *elem;
	size_t len;
	bool any = false;

	while (next_element(&at, end, &elem, &len)) {
		uint64_t n = 0;

		for (size_t i = 0; i < len; i++) {
			if (elem[i] < '0' || elem[i] > '9')
				return 400;
			if (__builtin_mul_overflow(n, 10, &n) ||
			    __builtin_add_overflow(n, elem[i] - '0', &n))
				n = UINT64_MAX / 10;
		}
		if (r->has_length && n != r->content_length)
			return 400;
		r->has_length = true;
		r->content_length = n;
		any = true;
	}
	return any ? 0 : 400;
}

/* The final coding must be chunked, once, else the end is not known (RFC 9112,
 * 6.3); others before it are not implemented. */
static int read_coding(struct dawn_http_request *r, struct dawn_span value,
		       const uint8_t *buf, bool *other)
{
	const uint8_t *at = buf + value.off, *end = at + value.len, *elem;
	size_t len;

	while (next_element(&at, end, &elem, &len)) {
		if (r->chunked)
			return 400;
		if (equal_nocase(elem, len, "chunked"))
			r->chunked = true;
		else
			*other = true;
	}
	return 0;
}

struct options {
	bool close;
	bool keep_alive;
	bool coding_other; /* a transfer coding besides chunked */
};

static int read_field(struct dawn_http_request *r, enum dawn_http_field_id id,
		      struct dawn_span value, const uint8_t *buf,
		      struct options *o)
{
	const uint8_t *v = buf + value.off;

	switch (id) {
	case DAWN_HTTP_FIELD_HOST:
		return read_host(r, value, buf);
	case DAWN_HTTP_FIELD_CONNECTION:
		o->close |= dawn_http_list_has(v, value.len, "close");
		o->keep_alive |= dawn_http_list_has(v, value.len, "keep-alive");
		return 0;
	case DAWN_HTTP_FIELD_CONTENT_LENGTH:
		return read_length(r, value, buf);
	case DAWN_HTTP_FIELD_TRANSFER_ENCODING:
		return read_coding(r, value, buf, &o->coding_other);
	case DAWN_HTTP_FIELD_CONTENT_TYPE:
		r->content_type = value;
		return 0;
	case DAWN_HTTP_FIELD_EXPECT:
		if (!equal_nocase(v, value.len, "100-continue"))
			return 417;
		r->expect_continue = r->minor >= 1;
		return 0;
	default:
		return 0;
	}
}

/* Framing that two readers could understand differently is refused (RFC 9112,
 * 6.1, 6.3). */
static int check_framing(const struct dawn_http_request *r,
			 const struct options *o)
{
	if (!dawn_http_has(r, DAWN_HTTP_FIELD_TRANSFER_ENCODING))
		return 0;
	if (r->has_length || r->minor == 0 || !r->chunked)
		return 400;
	return o->coding_other ? 501 : 0;
}

static struct dawn_span sub(struct dawn_span s, size_t from, size_t to)
{
	return (struct dawn_span){ (uint16_t)(s.off + from),
				   (uint16_t)(to - from) };
}

/* From `from` on, up to the query. */
static void set_path(struct dawn_http_request *r, const uint8_t *t, size_t from)
{
	const uint8_t *query = memchr(t + from, '?', r->target.len - from);

	r->path = sub(r->target, from,
		      query ? (size_t)(query - t) : r->target.len);
}

/* http://authority[/path][?query]; its authority is the host, whatever Host
 * says (RFC 9112, 3.2.2). */
static int read_absolute(struct dawn_http_request *r, const uint8_t *t)
{
	const size_t scheme = strlen("http://");
	size_t at = scheme;

	if (r->target.len < scheme ||
	    strncasecmp((const char *)t, "http://", scheme) != 0)
		return 400;
	while (at < r->target.len && t[at] != '/' && t[at] != '?')
		at++;
	if (!dawn_http_host_valid(t + scheme, at - scheme))
		return 400;
	r->host = sub(r->target, scheme, at);
	r->form = DAWN_HTTP_FORM_ABSOLUTE;
	set_path(r, t, at);
	return 0;
}

static int read_target(struct dawn_http_request *r, const uint8_t *buf)
{
	const uint8_t *t = buf + r->target.off;

	if (r->method == DAWN_HTTP_CONNECT) {
		r->form = DAWN_HTTP_FORM_AUTHORITY;
		return dawn_http_host_valid(t, r->target.len) ? 0 : 400;
	}
	if (t[0] == '/') {
		r->form = DAWN_HTTP_FORM_ORIGIN;
		set_path(r, t, 0);
		return 0;
	}
	if (t[0] == '*') {
		r->form = DAWN_HTTP_FORM_ASTERISK;
		return r->target.len == 1 && r->method == DAWN_HTTP_OPTIONS
			       ? 0
			       : 400;
	}
	return read_absolute(r, t);
}

static int read_fields(struct dawn_http_request *r,
		       const struct dawn_http_parser *p, const uint8_t *buf,
		       struct options *o)
{
	int failed = 0;

	for (unsigned int i = 0; i < p->field_count; i++) {
		const struct dawn_http_field *f = &p->fields[i];
		enum dawn_http_field_id id =
			find_field(buf + f->name.off, f->name.len);
		int status = read_field(r, id, f->value, buf, o);

		r->ids[i] = (uint8_t)id;
		r->fields |= 1U << id;
		/* Errors of framing go before a failed expectation. */
		if (status && (!failed || failed == 417))
			failed = status;
	}
	return failed;
}

int dawn_http_request_read(struct dawn_http_request *r,
			   const struct dawn_http_parser *p, const uint8_t *buf)
{
	struct options o = { 0 };
	int status, expect = 0;

	memset(r, 0, sizeof(*r));
	r->method = find_method(buf + p->method.off, p->method.len);
	r->minor = p->minor;
	r->target = p->target;
	status = read_fields(r, p, buf, &o);
	r->keep_alive = !o.close && (r->minor >= 1 || o.keep_alive);
	if (status == 417)
		expect = r->minor >= 1 ? 417 : 0;
	else if (status)
		return status;
	if (r->minor >= 1 && !dawn_http_has(r, DAWN_HTTP_FIELD_HOST))
		return 400;
	status = check_framing(r, &o);
	if (status)
		return status;
	r->framed = true;
	if (r->method == DAWN_HTTP_UNKNOWN)
		return 501;
	status = read_target(r, buf);
	return status ? status : expect;
}
