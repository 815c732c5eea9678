/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "user/http/parse.h"

#include <string.h>

_Static_assert(DAWN_HTTP_HEAD_MAX <= UINT16_MAX, "spans are 16 bit");

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

bool dawn_http_is_token_char(uint8_t c)
{
	/* Bit c % 32 of word c / 32: DIGIT, ALPHA and !#$%&'*+-.^_`|~ */
	static const uint32_t set[8] = { 0, 0x03ff6cfa, 0xc7fffffe,
					 0x57ffffff };

	return set[c >> 5] >> (c & 31) & 1;
}

static bool is_control(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

/* Control characters among eight bytes: a high bit for each; only the lowest
 * is sure, since a borrow may run upwards from it. */
static uint64_t controls(uint64_t w)
{
	uint64_t del = w ^ (ONES * 0x7f);
	uint64_t low = (w - ONES * 0x20) & ~w;

	return (low | ((del - ONES) & ~del)) & HIGHS;
}

size_t dawn_http_find_control(const uint8_t *buf, size_t at, size_t len)
{
	uint64_t w, hit;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	for (; len - at >= sizeof(w); at += sizeof(w)) {
		memcpy(&w, buf + at, sizeof(w));
		hit = controls(w);
		if (hit)
			return at + (size_t)__builtin_ctzll(hit) / 8;
	}
#else
	(void)w;
	(void)hit;
#endif
	while (at < len && !is_control(buf[at]))
		at++;
	return at;
}

static struct dawn_span span(size_t from, size_t to)
{
	return (struct dawn_span){ (uint16_t)from, (uint16_t)(to - from) };
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/" DIGIT "." DIGIT, case-sensitive (RFC 9112, 2.3). */
static int parse_version(struct dawn_http_parser *p, const uint8_t *v,
			 size_t len)
{
	if (len != 8 || memcmp(v, "HTTP/", 5) != 0 || !is_digit(v[5]) ||
	    v[6] != '.' || !is_digit(v[7]))
		return 400;
	if (v[5] != '1')
		return 505;
	p->minor = (uint8_t)(v[7] - '0');
	return 0;
}

/* [at, end) is the line without CRLF. */
static int parse_request_line(struct dawn_http_parser *p, const uint8_t *buf,
			      size_t at, size_t end)
{
	size_t from = at;

	while (at < end && dawn_http_is_token_char(buf[at]))
		at++;
	if (at == from || at == end || buf[at] != ' ')
		return 400;
	p->method = span(from, at);
	from = ++at;
	/* Visible ASCII. Some of it (|, ^, {) is not allowed in a URI but sent
	 * by browsers; a fragment is never sent (RFC 9112, 3.2). */
	while (at < end && buf[at] > ' ' && buf[at] < 0x7f && buf[at] != '#')
		at++;
	if (at == from || at == end || buf[at] != ' ')
		return 400;
	p->target = span(from, at);
	at++;
	return parse_version(p, buf + at, end - at);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static int parse_field(struct dawn_http_parser *p, const uint8_t *buf,
		       size_t at, size_t end)
{
	struct dawn_http_field *f;
	size_t from = at;

	/* A blank first is obs-fold, or hides a field from a lenient peer. */
	while (at < end && dawn_http_is_token_char(buf[at]))
		at++;
	if (at == from || at == end || buf[at] != ':')
		return 400;
	if (p->field_count == DAWN_HTTP_FIELDS_MAX)
		return 431;
	f = &p->fields[p->field_count++];
	f->name = span(from, at);
	at++;
	while (at < end && is_blank(buf[at]))
		at++;
	while (end > at && is_blank(buf[end - 1]))
		end--;
	f->value = span(at, end);
	return 0;
}

/* One line without its CRLF. */
static int parse_line(struct dawn_http_parser *p, const uint8_t *buf,
		      size_t end)
{
	int status;

	if (p->in_fields)
		return parse_field(p, buf, p->line, end);
	if (end - p->line > DAWN_HTTP_LINE_MAX)
		return 414;
	status = parse_request_line(p, buf, p->line, end);
	p->in_fields = status == 0;
	return status;
}

/* The end of the bytes was reached within a line, whose text is known up to
 * `at`: is it too long already? */
static int check_limits(const struct dawn_http_parser *p, const uint8_t *buf,
			size_t at, size_t limit)
{
	if (!p->in_fields && at - p->line > DAWN_HTTP_LINE_MAX)
		return memchr(buf, ' ', DAWN_HTTP_LINE_MAX) ? 414 : 501;
	if (limit >= DAWN_HTTP_HEAD_MAX)
		return 431;
	return DAWN_HTTP_MORE;
}

int dawn_http_parse(struct dawn_http_parser *p, const uint8_t *buf, size_t len)
{
	size_t limit = len < DAWN_HTTP_HEAD_MAX ? len : DAWN_HTTP_HEAD_MAX;
	size_t at = p->scanned;
	int status;

	while ((at = dawn_http_find_control(buf, at, limit)) < limit) {
		if (buf[at] == '\t') {
			at++;
			continue;
		}
		if (buf[at] != '\r')
			return 400;
		if (at + 1 == limit)
			break; /* its LF is still to come */
		if (buf[at + 1] != '\n')
			return 400;
		if (p->in_fields && at == p->line) {
			p->head_len = (uint16_t)(at + 2);
			p->scanned = p->head_len;
			return DAWN_HTTP_COMPLETE;
		}
		status = parse_line(p, buf, at);
		if (status)
			return status;
		at += 2;
		p->line = (uint16_t)at;
	}
	p->scanned = (uint16_t)at;
	return check_limits(p, buf, at, limit);
}
