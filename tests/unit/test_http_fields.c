/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What stands in a request's fields and in an answer's: paths, dates, conditions
 * and ranges, heads of files, types. Tables, as in test_http_parse.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/guard.h"
#include "user/http/conditional.h"
#include "user/http/mime.h"
#include "user/http/response.h"
#include "user/http/target.h"

/* ---- paths */

struct path_case {
	const char *path;
	int status;
	const char *text;
	bool directory;
	const char *again; /* encoded; NULL: equal to path */
};

static const struct path_case paths[] = {
	{ "/", 0, "", true, NULL },
	{ "", 0, "", true, "/" },
	{ "/a", 0, "a", false, NULL },
	{ "/a/", 0, "a/", true, NULL },
	{ "/a/b.c", 0, "a/b.c", false, NULL },
	{ "//a", 0, "a", false, "/a" },
	{ "/a//b", 0, "a/b", false, "/a/b" },
	{ "/./a/.", 0, "a", true, "/a/" },
	{ "/a/../b", 0, "b", false, "/b" },
	{ "/a/..", 0, "", true, "/" },
	{ "/a/b/../", 0, "a", true, "/a/" },
	{ "/..", 400, NULL, false, NULL },
	{ "/a/../..", 400, NULL, false, NULL },
	{ "/%2e%2e/x", 400, NULL, false, NULL },
	{ "/a/%2E%2e/x", 0, "x", false, "/x" },
	{ "/...", 0, "...", false, NULL },
	{ "/%61", 0, "a", false, "/a" },
	{ "/a%20b", 0, "a b", false, NULL },
	{ "/a%e4", 0, "a\xe4", false, "/a%E4" },
	{ "/~a_!$&'()*+,;=:@-.", 0, "~a_!$&'()*+,;=:@-.", false, NULL },
	{ "/a|b", 0, "a|b", false, "/a%7Cb" },
	{ "/a%25b", 0, "a%b", false, NULL },
	{ "/a%", 400, NULL, false, NULL },
	{ "/a%4", 400, NULL, false, NULL },
	{ "/a%4/b", 400, NULL, false, NULL },
	{ "/a%g1", 400, NULL, false, NULL },
	{ "/a%00", 400, NULL, false, NULL },
	{ "/a%2fb", 404, NULL, false, NULL },
	{ "/a%2F..%2f..%2fb", 404, NULL, false, NULL },
	{ "/a%2fb/%", 400, NULL, false, NULL },
	{ "/..%2f", 404, NULL, false, NULL },
	{ "/a\\..\\b", 0, "a\\..\\b", false, "/a%5C..%5Cb" },
};

static void path_table(void **state)
{
	static struct dawn_http_path p;
	char again[64];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct path_case *c = &paths[i];
		size_t len = strlen(c->path), n;

		print_message("%s\n", c->path);
		assert_int_equal(
			dawn_http_path_decode(
				&p, (const char *)at_guard(c->path, len), len),
			c->status);
		if (c->status)
			continue;
		n = strlen(c->text);
		if (n && c->text[n - 1] == '/')
			n--;
		assert_int_equal(p.len, n);
		assert_memory_equal(p.text, c->text, n);
		assert_int_equal(p.text[p.len], 0);
		assert_int_equal(p.directory, c->directory);
		n = dawn_http_path_encode(again, sizeof(again), &p);
		assert_string_equal(again, c->again ? c->again : c->path);
		assert_int_equal(n, strlen(again));
	}
}

static void path_limits(void **state)
{
	static struct dawn_http_path p;
	static char path[8192];
	char small[32];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	assert_int_equal(dawn_http_path_decode(&p, path, DAWN_HTTP_PATH_MAX),
			 0);
	assert_int_equal(p.len, DAWN_HTTP_PATH_MAX - 1);
	assert_int_equal(dawn_http_path_encode(small, sizeof(small), &p), 0);
	assert_int_equal(
		dawn_http_path_decode(&p, path, DAWN_HTTP_PATH_MAX + 1), 414);
	path[DAWN_HTTP_PATH_MAX] = '/';
	assert_int_equal(dawn_http_path_decode(&p, path, sizeof(path)), 414);
}

/* ---- dates */

static void dates(void **state)
{
	static const struct {
		const char *text;
		int64_t unix_s;
	} good[] = {
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
		{ "Sun Nov  6 08:49:37 1994", 784111777 },
		{ "Sun Nov 16 08:49:37 1994", 784975777 },
		{ "Tue, 29 Feb 2000 12:00:00 GMT", 951825600 },
		{ "Mon, 01 Mar 2100 00:00:00 GMT", 4107542400 },
	};
	static const char *const bad[] = {
		"",
		"x",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 CET",
		"Sun, 06 Foo 1994 08:49:37 GMT",
		"Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"784111777",
		"Sunday, 06-Nov-1994 08:49:37 GMT",
	};
	const int64_t now_s = 1795000000;
	char out[DAWN_HTTP_DATE_LEN];
	int64_t t;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		size_t n = strlen(good[i].text);

		assert_true(dawn_http_parse_date(at_guard(good[i].text, n), n,
						 now_s, &t));
		assert_int_equal(t, good[i].unix_s);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t n = strlen(bad[i]);

		assert_false(dawn_http_parse_date(at_guard(bad[i], n), n, now_s,
						  &t));
	}
	/* Formatting and reading agree, over 8,000 years. */
	for (int64_t s = -62135596800; s < 253402300799; s += 98765432) {
		dawn_http_date(out, s);
		assert_true(dawn_http_parse_date((uint8_t *)out, sizeof(out),
						 now_s, &t));
		assert_int_equal(t, s);
	}
	dawn_http_date(out, 784111777);
	assert_memory_equal(out, "Sun, 06 Nov 1994 08:49:37 GMT", 29);
	dawn_http_date(out, INT64_MAX);
	assert_memory_equal(out, "Fri, 31 Dec 9999 23:59:59 GMT", 29);
	dawn_http_date(out, INT64_MIN);
	assert_memory_equal(out, "Mon, 01 Jan 0001 00:00:00 GMT", 29);
}

/* ---- preconditions and ranges; the file: 10 bytes, "e", 784111777 */

#define THEN   "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct {
	const char *fields;
	int status;
	uint64_t first, len;
} conditions[] = {
	{ "", 200, 0, 0 },
	{ "If-None-Match: \"e\"\r\n", 304, 0, 0 },
	{ "If-None-Match: W/\"e\"\r\n", 304, 0, 0 },
	{ "If-None-Match: \"a,b\", \"e\"\r\n", 304, 0, 0 },
	{ "If-None-Match: \"x\"\r\nIf-None-Match: \"e\"\r\n", 304, 0, 0 },
	{ "If-None-Match: *\r\n", 304, 0, 0 },
	{ "If-None-Match: \"x\"\r\n", 200, 0, 0 },
	{ "If-None-Match: e\r\n", 200, 0, 0 },
	{ "If-None-Match: \"e\r\n", 200, 0, 0 },
	{ "If-None-Match: W/\r\n", 200, 0, 0 },
	{ "If-None-Match:\r\n", 200, 0, 0 },
	{ "If-Modified-Since: " THEN "\r\n", 304, 0, 0 },
	{ "If-Modified-Since: " AFTER "\r\n", 304, 0, 0 },
	{ "If-Modified-Since: " BEFORE "\r\n", 200, 0, 0 },
	{ "If-Modified-Since: x\r\n", 200, 0, 0 },
	{ "If-None-Match: \"x\"\r\nIf-Modified-Since: " THEN "\r\n", 200, 0,
	  0 },
	{ "If-Match: \"e\"\r\n", 200, 0, 0 },
	{ "If-Match: *\r\n", 200, 0, 0 },
	{ "If-Match: W/\"e\"\r\n", 412, 0, 0 },
	{ "If-Match: \"x\"\r\n", 412, 0, 0 },
	{ "If-Unmodified-Since: " THEN "\r\n", 200, 0, 0 },
	{ "If-Unmodified-Since: " BEFORE "\r\n", 412, 0, 0 },
	{ "Range: bytes=0-0\r\n", 206, 0, 1 },
	{ "Range: bytes=2-5\r\n", 206, 2, 4 },
	{ "Range: bytes=2-\r\n", 206, 2, 8 },
	{ "Range: bytes=2-99\r\n", 206, 2, 8 },
	{ "Range: bytes=-3\r\n", 206, 7, 3 },
	{ "Range: bytes=-99\r\n", 206, 0, 10 },
	{ "Range: bytes=2-99999999999999999999999\r\n", 206, 2, 8 },
	{ "Range: bytes=10-\r\n", 416, 0, 0 },
	{ "Range: bytes=99999999999999999999999-\r\n", 416, 0, 0 },
	{ "Range: bytes=-0\r\n", 416, 0, 0 },
	{ "Range: bytes=5-2\r\n", 200, 0, 0 },
	{ "Range: bytes=-\r\n", 200, 0, 0 },
	{ "Range: bytes=\r\n", 200, 0, 0 },
	{ "Range: bytes=a-b\r\n", 200, 0, 0 },
	{ "Range: bytes=0-1,3-4\r\n", 200, 0, 0 },
	{ "Range: lines=0-1\r\n", 200, 0, 0 },
	{ "Range: bytes=0-1\r\nRange: bytes=0-1\r\n", 200, 0, 0 },
	{ "Range: bytes=0-1\r\nIf-Range: \"e\"\r\n", 206, 0, 2 },
	{ "Range: bytes=0-1\r\nIf-Range: W/\"e\"\r\n", 200, 0, 0 },
	{ "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n", 200, 0, 0 },
	{ "Range: bytes=0-1\r\nIf-Range: " THEN "\r\n", 206, 0, 2 },
	{ "Range: bytes=0-1\r\nIf-Range: " AFTER "\r\n", 200, 0, 0 },
	{ "Range: bytes=0-1\r\nIf-None-Match: \"e\"\r\n", 304, 0, 0 },
};

static void condition_table(void **state)
{
	struct dawn_http_state st = { .etag = "\"e\"",
				      .mtime_s = 784111777,
				      .size = 10,
				      .now_s = 1795000000 };
	struct dawn_http_parser p;
	struct dawn_http_request r;
	struct dawn_http_range range;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]);
	     i++) {
		size_t n = (size_t)snprintf(text, sizeof(text),
					    "GET / HTTP/1.1\r\nHost: a\r\n"
					    "%s\r\n",
					    conditions[i].fields);

		print_message("%s\n", conditions[i].fields);
		p = (struct dawn_http_parser){ 0 };
		assert_int_equal(dawn_http_parse(&p, at_guard(text, n), n),
				 DAWN_HTTP_COMPLETE);
		assert_int_equal(
			dawn_http_request_read(&r, &p, (uint8_t *)text), 0);
		range = (struct dawn_http_range){ 0 };
		assert_int_equal(dawn_http_evaluate(&r, &p, at_guard(text, n),
						    &st, &range),
				 conditions[i].status);
		assert_int_equal(range.first, conditions[i].first);
		assert_int_equal(range.len, conditions[i].len);
	}
}

/* ---- responses and types */

static void heads_of_files(void **state)
{
	static const char expect[] =
		"HTTP/1.1 200 OK\r\n"
		"Server: binary-dawn\r\n"
		"Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"
		"Content-Type: text/html\r\n"
		"Content-Length: 18446744073709551615\r\n"
		"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		"ETag: \"e\"\r\n"
		"Connection: close\r\n\r\n";
	char buf[512];
	size_t n = dawn_http_head_file(buf, sizeof(buf), 784111778, "text/html",
				       UINT64_MAX, 784111777, "\"e\"",
				       DAWN_HTTP_CLOSE);

	(void)state;
	assert_int_equal(n, sizeof(expect) - 1);
	assert_memory_equal(buf, expect, n);
	assert_memory_equal(buf + DAWN_HTTP_DATE_OFFSET, "Sun, 06", 7);
	for (size_t cap = 0; cap < n; cap++)
		assert_int_equal(dawn_http_head_file(
					 (char *)guard + GUARD_BYTES - cap, cap,
					 0, "text/html", UINT64_MAX, 784111777,
					 "\"e\"", DAWN_HTTP_CLOSE),
				 0);
	n = dawn_http_head_file(buf, sizeof(buf), 0, NULL, 0, DAWN_HTTP_NO_TIME,
				NULL, DAWN_HTTP_KEEP);
	buf[n] = '\0';
	assert_string_equal(buf + DAWN_HTTP_DATE_OFFSET + 29,
			    "\r\nContent-Type: application/octet-stream\r\n"
			    "Content-Length: 0\r\n\r\n");
	assert_int_equal(buf[sizeof("HTTP/1.1 ") - 1], '2');
}

static void types(void **state)
{
	struct dawn_mime *m;

	(void)state;
	assert_int_equal(dawn_mime_open(&m, "/nonexistent/mime.types"), 0);
	assert_string_equal(dawn_mime_type(m, "a.html"), "text/html");
	assert_string_equal(dawn_mime_type(m, "b/a.HTML"), "text/html");
	assert_string_equal(dawn_mime_type(m, "a.min.js"), "text/javascript");
	assert_string_equal(dawn_mime_type(m, "a"), DAWN_MIME_DEFAULT);
	assert_string_equal(dawn_mime_type(m, ".html"), DAWN_MIME_DEFAULT);
	assert_string_equal(dawn_mime_type(m, "a.html/b"), DAWN_MIME_DEFAULT);
	assert_string_equal(dawn_mime_type(m, "a."), DAWN_MIME_DEFAULT);
	assert_string_equal(dawn_mime_type(m, ""), DAWN_MIME_DEFAULT);
	assert_string_equal(dawn_mime_type(m, "a.unheard-of"),
			    DAWN_MIME_DEFAULT);
	dawn_mime_close(m);
	dawn_mime_close(NULL);
}

static void types_from_file(void **state)
{
	char path[] = "/tmp/dawn_mime_XXXXXX";
	static const char text[] = "# comment\n"
				   "a/b\tone two.three # four\n"
				   "\n"
				   "c/d one html\r\n"
				   "bad\x01/type five\n"
				   "notype six\n"
				   "e/f three\n"
				   "g/h last";
	int fd = mkstemp(path);
	struct dawn_mime *m;

	(void)state;
	assert_true(fd != -1);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	assert_int_equal(dawn_mime_open(&m, path), 0);
	unlink(path);
	assert_string_equal(dawn_mime_type(m, "x.one"), "a/b");
	assert_string_equal(dawn_mime_type(m, "x.two.three"), "a/b");
	assert_string_equal(dawn_mime_type(m, "x.three"), "e/f");
	assert_string_equal(dawn_mime_type(m, "x.html"), "c/d");
	assert_string_equal(dawn_mime_type(m, "x.four"), DAWN_MIME_DEFAULT);
	assert_string_equal(dawn_mime_type(m, "x.five"), DAWN_MIME_DEFAULT);
	assert_string_equal(dawn_mime_type(m, "x.six"), DAWN_MIME_DEFAULT);
	assert_string_equal(dawn_mime_type(m, "x.last"), "g/h");
	assert_string_equal(dawn_mime_type(m, "x.png"), "image/png");
	dawn_mime_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_table),
		cmocka_unit_test(path_limits),
		cmocka_unit_test(dates),
		cmocka_unit_test(condition_table),
		cmocka_unit_test(heads_of_files),
		cmocka_unit_test(types),
		cmocka_unit_test(types_from_file),
	};

	return cmocka_run_group_tests(tests, guard_setup, NULL);
}
