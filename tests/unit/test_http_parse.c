/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Heads and chunks: tables over what is right, what is a near miss, and the
 * limits; each head also split at every place, byte by byte, and ending at a page
 * that faults.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/guard.h"
#include "user/http/chunked.h"
#include "user/http/request.h"

#define OK 0

/* ---- heads */

struct head_case {
	const char *name;
	const char *text;
	size_t len; /* 0: strlen */
	int status; /* of the parser, else of what it means; OK */
};

#define GET  "GET / HTTP/1.1\r\nHost: a\r\n"
#define LINE "GET / HTTP/1.1\r\n"

static const struct head_case heads[] = {
	{ "plain", GET "\r\n", 0, OK },
	{ "no-fields-1.0", "GET / HTTP/1.0\r\n\r\n", 0, OK },
	{ "minor-2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 0, OK },
	{ "value-blanks", GET "X: \t a b \t\r\n\r\n", 0, OK },
	{ "value-empty", GET "X:\r\nY: \r\n\r\n", 0, OK },
	{ "value-obs-text", GET "X: \xe4\xff\r\n\r\n", 0, OK },
	{ "value-tab-inside", GET "X: a\tb\r\n\r\n", 0, OK },
	{ "lone-lf", "GET / HTTP/1.1\nHost: a\n\n", 0, 400 },
	{ "lf-in-fields", GET "X: y\n\r\n", 0, 400 },
	{ "cr-in-value", GET "X: a\rb\r\n\r\n", 0, 400 },
	{ "cr-cr-lf", GET "X: a\r\r\n\r\n", 0, 400 },
	{ "nul-in-value", GET "X: a\0b\r\n\r\n", sizeof(GET) + 9, 400 },
	{ "nul-in-target", "GET /\0 HTTP/1.1\r\n\r\n", 20, 400 },
	{ "del-in-value", GET "X: \x7f\r\n\r\n", 0, 400 },
	{ "esc-in-value", GET "X: \x1b\r\n\r\n", 0, 400 },
	{ "obs-fold", GET "X: a\r\n b\r\n\r\n", 0, 400 },
	{ "fold-first", LINE " Host: a\r\n\r\n", 0, 400 },
	{ "blank-before-colon", GET "X : a\r\n\r\n", 0, 400 },
	{ "no-colon", GET "X\r\n\r\n", 0, 400 },
	{ "no-name", GET ": a\r\n\r\n", 0, 400 },
	{ "name-not-token", GET "X(y): a\r\n\r\n", 0, 400 },
	{ "two-spaces", "GET  / HTTP/1.1\r\n\r\n", 0, 400 },
	{ "two-spaces-later", "GET /  HTTP/1.1\r\n\r\n", 0, 400 },
	{ "tab-for-space", "GET\t/ HTTP/1.1\r\n\r\n", 0, 400 },
	{ "space-at-start", " GET / HTTP/1.1\r\n\r\n", 0, 400 },
	{ "space-at-end", "GET / HTTP/1.1 \r\n\r\n", 0, 400 },
	{ "no-version", "GET /\r\n\r\n", 0, 400 },
	{ "no-target", "GET HTTP/1.1\r\n\r\n", 0, 400 },
	{ "only-method", "GET\r\n\r\n", 0, 400 },
	{ "target-8bit", "GET /\xe4 HTTP/1.1\r\n\r\n", 0, 400 },
	{ "target-fragment", "GET /#a HTTP/1.1\r\n\r\n", 0, 400 },
	{ "version-lower", "GET / http/1.1\r\n\r\n", 0, 400 },
	{ "version-long", "GET / HTTP/1.10\r\n\r\n", 0, 400 },
	{ "version-short", "GET / HTTP/1.\r\n\r\n", 0, 400 },
	{ "version-2", "GET / HTTP/2.0\r\n\r\n", 0, 505 },
	{ "version-0.9", "GET / HTTP/0.9\r\n\r\n", 0, 505 },
	{ "h2-preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, 505 },
	{ "tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, 400 },

	{ "host-missing", LINE "\r\n", 0, 400 },
	{ "host-twice", GET "Host: a\r\n\r\n", 0, 400 },
	{ "host-empty", LINE "Host:\r\n\r\n", 0, 400 },
	{ "host-port", LINE "Host: a.b:80\r\n\r\n", 0, OK },
	{ "host-port-empty", LINE "Host: a:\r\n\r\n", 0, OK },
	{ "host-port-large", LINE "Host: a:65536\r\n\r\n", 0, 400 },
	{ "host-port-word", LINE "Host: a:b\r\n\r\n", 0, 400 },
	{ "host-v6", LINE "Host: [2001:db8::1]:80\r\n\r\n", 0, OK },
	{ "host-v6-open", LINE "Host: [2001:db8::1\r\n\r\n", 0, 400 },
	{ "host-v6-bare", LINE "Host: 2001:db8::1\r\n\r\n", 0, 400 },
	{ "host-slash", LINE "Host: a/b\r\n\r\n", 0, 400 },
	{ "host-user", LINE "Host: u@a\r\n\r\n", 0, 400 },
	{ "host-space", LINE "Host: a b\r\n\r\n", 0, 400 },
	{ "host-list", LINE "Host: a, b\r\n\r\n", 0, 400 },
	{ "host-escape", LINE "Host: a%41\r\n\r\n", 0, OK },
	{ "host-escape-bad", LINE "Host: a%4\r\n\r\n", 0, 400 },
	{ "host-two-in-1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 0,
	  400 },

	{ "length", GET "Content-Length: 5\r\n\r\n", 0, OK },
	{ "length-equal", GET "Content-Length: 5, 5\r\n\r\n", 0, OK },
	{ "length-twice-equal",
	  GET "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 0, OK },
	{ "length-differs",
	  GET "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 0, 400 },
	{ "length-list-differs", GET "Content-Length: 5,6\r\n\r\n", 0, 400 },
	{ "length-plus", GET "Content-Length: +5\r\n\r\n", 0, 400 },
	{ "length-minus", GET "Content-Length: -5\r\n\r\n", 0, 400 },
	{ "length-hex", GET "Content-Length: 0x5\r\n\r\n", 0, 400 },
	{ "length-empty", GET "Content-Length:\r\n\r\n", 0, 400 },
	{ "length-inner-space", GET "Content-Length: 1 2\r\n\r\n", 0, 400 },
	{ "length-huge",
	  GET "Content-Length: 99999999999999999999999999\r\n\r\n", 0, OK },

	{ "chunked", GET "Transfer-Encoding: Chunked\r\n\r\n", 0, OK },
	{ "chunked-and-length",
	  GET "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 0,
	  400 },
	{ "length-and-chunked",
	  GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 0,
	  400 },
	{ "chunked-twice", GET "Transfer-Encoding: chunked, chunked\r\n\r\n", 0,
	  400 },
	{ "chunked-two-lines",
	  GET "Transfer-Encoding: chunked\r\n"
	      "Transfer-Encoding: chunked\r\n\r\n",
	  0, 400 },
	{ "chunked-not-last", GET "Transfer-Encoding: chunked, gzip\r\n\r\n", 0,
	  400 },
	{ "coding-gzip", GET "Transfer-Encoding: gzip\r\n\r\n", 0, 400 },
	{ "coding-identity", GET "Transfer-Encoding: identity\r\n\r\n", 0,
	  400 },
	{ "coding-empty", GET "Transfer-Encoding:\r\n\r\n", 0, 400 },
	{ "coding-xchunked", GET "Transfer-Encoding: xchunked\r\n\r\n", 0,
	  400 },
	{ "coding-gzip-chunked", GET "Transfer-Encoding: gzip, chunked\r\n\r\n",
	  0, 501 },
	{ "chunked-1.0",
	  "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 0, 400 },

	{ "expect", GET "Expect: 100-Continue\r\n\r\n", 0, OK },
	{ "expect-other", GET "Expect: tea\r\n\r\n", 0, 417 },
	{ "expect-other-then-bad",
	  GET "Expect: tea\r\nContent-Length: x\r\n\r\n", 0, 400 },
	{ "method-unknown", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 0, 501 },
	{ "method-lower", "get / HTTP/1.1\r\nHost: a\r\n\r\n", 0, 501 },
	{ "method-longer", "GETS / HTTP/1.1\r\nHost: a\r\n\r\n", 0, 501 },

	{ "absolute", "GET http://b:8/c?d HTTP/1.1\r\nHost: a\r\n\r\n", 0, OK },
	{ "absolute-upper", "GET HTTP://b HTTP/1.1\r\nHost: a\r\n\r\n", 0, OK },
	{ "absolute-no-host-field", "GET http://b/ HTTP/1.1\r\n\r\n", 0, 400 },
	{ "absolute-empty", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 0,
	  400 },
	{ "absolute-user", "GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 0,
	  400 },
	{ "absolute-other", "GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 0,
	  400 },
	{ "relative", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 0, 400 },
	{ "asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0, OK },
	{ "asterisk-get", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 0, 400 },
	{ "asterisk-more", "OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n", 0, 400 },
	{ "authority", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 0, OK },
	{ "authority-get", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 0, 400 },
	{ "authority-path", "CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n", 0, 400 },
};

/* Feed it in pieces: first `split` bytes, then `step` at a time. Return: the
 * parser's last word. */
static int parse_split(struct dawn_http_parser *p, const char *text, size_t len,
		       size_t split, size_t step)
{
	size_t have = split;
	int what;

	memset(p, 0, sizeof(*p));
	for (;;) {
		what = dawn_http_parse(p, at_guard(text, have), have);
		if (what != DAWN_HTTP_MORE || have == len)
			return what;
		have = len - have < step ? len : have + step;
	}
}

static int meaning(const struct dawn_http_parser *p, const char *text, int what)
{
	struct dawn_http_request r;

	if (what != DAWN_HTTP_COMPLETE)
		return what;
	return dawn_http_request_read(&r, p, (const uint8_t *)text);
}

static void head_table(void **state)
{
	struct dawn_http_parser p, whole;

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		const struct head_case *c = &heads[i];
		size_t len = c->len ? c->len : strlen(c->text);
		int what = parse_split(&whole, c->text, len, len, 1);

		print_message("%s\n", c->name);
		assert_int_equal(meaning(&whole, c->text, what), c->status);
		for (size_t split = 0; split < len; split++) {
			assert_int_equal(
				parse_split(&p, c->text, len, split, len),
				what);
			if (what == DAWN_HTTP_COMPLETE)
				assert_memory_equal(&p, &whole, sizeof(p));
		}
		assert_int_equal(parse_split(&p, c->text, len, 0, 1), what);
	}
}

/* No prefix of a good head is complete, or wrong. */
static void head_prefixes(void **state)
{
	static const char text[] = GET "Accept: */*\r\nX: y z\r\n\r\n";
	struct dawn_http_parser p;

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(parse_split(&p, text, len, len, 1),
				 DAWN_HTTP_MORE);
}

static void spans(void **state)
{
	static const char text[] = "POST http://B:8/c/d?e=f HTTP/1.1\r\n"
				   "Host:  a \r\nContent-Type:\t x/y \r\n"
				   "Connection: foo , CLOSE\r\n"
				   "cookie: 1\r\nContent-Length: 7\r\n\r\n";
	const uint8_t *b = (const uint8_t *)text;
	struct dawn_http_parser p;
	struct dawn_http_request r;

	(void)state;
	parse_split(&p, text, sizeof(text) - 1, sizeof(text) - 1, 1);
	assert_int_equal(dawn_http_request_read(&r, &p, b), 0);
	assert_int_equal(r.method, DAWN_HTTP_POST);
	assert_int_equal(r.form, DAWN_HTTP_FORM_ABSOLUTE);
	assert_int_equal(r.path.len, 4);
	assert_memory_equal(b + r.path.off, "/c/d", 4);
	assert_int_equal(r.host.len, 3);
	assert_memory_equal(b + r.host.off, "B:8", 3);
	assert_int_equal(r.content_type.len, 3);
	assert_memory_equal(b + r.content_type.off, "x/y", 3);
	assert_false(r.keep_alive);
	assert_true(r.has_length);
	assert_int_equal(r.content_length, 7);
	assert_true(dawn_http_has(&r, DAWN_HTTP_FIELD_COOKIE));
	assert_false(dawn_http_has(&r, DAWN_HTTP_FIELD_AUTHORIZATION));
}

/* A head of `fields` fields and a target of `target` bytes; total length
 * `total` if that is not 0 (the last field is stretched). */
static char *build(size_t target, size_t fields, size_t total, size_t *len)
{
	char *text = malloc(target + fields * 8 + total + 256);
	size_t n = (size_t)sprintf(text, "GET /");

	memset(text + n, 'a', target - 1);
	n += target - 1;
	n += (size_t)sprintf(text + n, " HTTP/1.1\r\nHost: a\r\n");
	for (size_t i = 1; i < fields; i++)
		n += (size_t)sprintf(text + n, "X: y\r\n");
	if (total) {
		size_t fill = total - n - 3 - 4;

		n += (size_t)sprintf(text + n, "Z: ");
		memset(text + n, 'z', fill);
		n += fill;
		n += (size_t)sprintf(text + n, "\r\n");
	}
	n += (size_t)sprintf(text + n, "\r\n");
	*len = n;
	return text;
}

static void check_built(size_t target, size_t fields, size_t total, int status)
{
	struct dawn_http_parser p;
	size_t len;
	char *text = build(target, fields, total, &len);

	assert_int_equal(parse_split(&p, text, len, len, 1), status);
	assert_int_equal(parse_split(&p, text, len, 0, 1), status);
	assert_int_equal(parse_split(&p, text, len, 1, 4096), status);
	free(text);
}

static void limits(void **state)
{
	const size_t line = DAWN_HTTP_LINE_MAX - strlen("GET  HTTP/1.1");
	struct dawn_http_parser p;
	static char text[65536];

	(void)state;
	check_built(line, 1, 0, DAWN_HTTP_COMPLETE);
	check_built(line + 1, 1, 0, 414);
	check_built(65000, 1, 0, 414);
	check_built(1, 100, 0, DAWN_HTTP_COMPLETE);
	check_built(1, 101, 0, 431);
	check_built(1, 1, DAWN_HTTP_HEAD_MAX, DAWN_HTTP_COMPLETE);
	check_built(1, 1, DAWN_HTTP_HEAD_MAX + 1, 431);
	check_built(1, 1, 60000, 431);
	memset(text, 'A', sizeof(text));
	assert_int_equal(parse_split(&p, text, sizeof(text), 1, 1000), 501);
	memcpy(text, "GET /", 5);
	assert_int_equal(parse_split(&p, text, sizeof(text), 1, 1000), 414);
}

/* Against the obvious version, at every offset and for every byte value. */
static void find_control(void **state)
{
	uint8_t buf[40];

	(void)state;
	for (size_t len = 0; len <= sizeof(buf); len++) {
		for (size_t at = 0; at < len; at++) {
			for (int c = 0; c < 256; c++) {
				size_t expect = c < 32 || c == 127 ? at : len;

				memset(buf, c ^ 0x80, len);
				for (size_t i = 0; i < len; i++)
					if (buf[i] < 32 || buf[i] == 127)
						buf[i] = 'x';
				buf[at] = (uint8_t)c;
				assert_int_equal(
					dawn_http_find_control(
						at_guard(buf, len), 0, len),
					expect);
			}
		}
	}
}

static void token_chars(void **state)
{
	static const char extra[] = "!#$%&'*+-.^_`|~";

	(void)state;
	for (int c = 0; c < 256; c++) {
		bool expect = (c >= '0' && c <= '9') ||
			      (c >= 'a' && c <= 'z') ||
			      (c >= 'A' && c <= 'Z') || (c && strchr(extra, c));

		assert_int_equal(dawn_http_is_token_char((uint8_t)c), expect);
	}
}

/* ---- chunks */

struct chunk_case {
	const char *text;
	const char *data; /* NULL: refused */
	enum dawn_http_chunk end;
};

#define END  DAWN_HTTP_CHUNK_END
#define MORE DAWN_HTTP_CHUNK_MORE
#define BAD  DAWN_HTTP_CHUNK_BAD

static const struct chunk_case chunks[] = {
	{ "0\r\n\r\n", "", END },
	{ "5\r\nhello\r\n0\r\n\r\n", "hello", END },
	{ "5\r\nhel\r\n\r\n0\r\n\r\n", "hel\r\n", END },
	{ "1\r\na\r\n00A\r\n0123456789\r\n000\r\n\r\n", "a0123456789", END },
	{ "1;a=b\r\nx\r\n0\r\n\r\n", "x", END },
	{ "1 ; a = \"q\\\"\" ;b\r\nx\r\n0;z\r\n\r\n", "x", END },
	{ "1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", "x", END },
	{ "5\r\nhel", "hel", MORE },
	{ "5\r\nhello\r\n0\r\n\r", "hello", MORE },
	{ "", "", MORE },
	{ "\r\n", NULL, BAD },
	{ ";a\r\n", NULL, BAD },
	{ "g\r\n", NULL, BAD },
	{ "-1\r\n", NULL, BAD },
	{ "0x1\r\n", NULL, BAD },
	{ " 1\r\n", NULL, BAD },
	{ "1 \r\n", NULL, BAD },
	{ "1 x\r\n", NULL, BAD },
	{ "1\nx\r\n0\r\n\r\n", NULL, BAD },
	{ "1\rx", NULL, BAD },
	{ "1\r\nxy\r\n", NULL, BAD },
	{ "1\r\nx\n", NULL, BAD },
	{ "1;a\x01\r\nx", NULL, BAD },
	{ "1;a\nx\r\n", NULL, BAD },
	{ "10000000000000000\r\n", NULL, BAD },
	{ "00000000000000001\r\n", NULL, BAD },
	{ "0\r\n a: b\r\n\r\n", NULL, BAD },
	{ "0\r\na : b\r\n\r\n", NULL, BAD },
	{ "0\r\na\r\n\r\n", NULL, BAD },
	{ "0\r\na: b\n\r\n", NULL, BAD },
	{ "0\r\na: b\x7f\r\n\r\n", NULL, BAD },
	{ "0\r\n: b\r\n\r\n", NULL, BAD },
	{ "0\r\n\rx", NULL, BAD },
};

/* Decode in pieces of `step` bytes, taking at most `take` data bytes each. */
static enum dawn_http_chunk decode(const char *text, size_t len, size_t step,
				   size_t take, char *data, size_t *data_len)
{
	struct dawn_http_chunked c = { 0 };
	size_t at = 0, have = 0, used, n;
	enum dawn_http_chunk what;

	*data_len = 0;
	for (;;) {
		what = dawn_http_chunked_next(&c,
					      at_guard(text + at, have - at),
					      have - at, &used, &n);
		at += used;
		if (what == DAWN_HTTP_CHUNK_DATA) {
			n = n < take ? n : take;
			memcpy(data + *data_len, text + at, n);
			*data_len += n;
			dawn_http_chunked_take(&c, n);
			at += n;
		} else if (what != DAWN_HTTP_CHUNK_MORE || have == len) {
			return what;
		} else {
			have = len - have < step ? len : have + step;
		}
	}
}

static void chunk_table(void **state)
{
	char data[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		const struct chunk_case *c = &chunks[i];

		print_message("%s\n", c->text);
		for (size_t step = 1; step <= strlen(c->text) + 1; step++) {
			for (size_t take = 1; take < 4; take++) {
				assert_int_equal(decode(c->text,
							strlen(c->text), step,
							take, data, &n),
						 c->end);
				if (!c->data)
					continue;
				assert_int_equal(n, strlen(c->data));
				assert_memory_equal(data, c->data, n);
			}
		}
	}
}

static void chunk_limits(void **state)
{
	static char text[65536], data[16];
	size_t n;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "1;", 2);
	assert_int_equal(decode(text, sizeof(text), 1000, 9, data, &n),
			 DAWN_HTTP_CHUNK_LARGE);
	memcpy(text, "0\r\n", 3);
	assert_int_equal(decode(text, sizeof(text), 1000, 9, data, &n),
			 DAWN_HTTP_CHUNK_LARGE);
	/* The largest size is a number like any other. */
	assert_int_equal(decode("ffffffffffffffff\r\nx", 19, 1, 9, data, &n),
			 MORE);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_table),   cmocka_unit_test(head_prefixes),
		cmocka_unit_test(spans),        cmocka_unit_test(limits),
		cmocka_unit_test(find_control), cmocka_unit_test(token_chars),
		cmocka_unit_test(chunk_table),  cmocka_unit_test(chunk_limits),
	};

	return cmocka_run_group_tests(tests, guard_setup, NULL);
}
