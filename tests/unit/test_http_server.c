/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The HTTP server over a transport in memory: each exchange whole, split at
 * every place, byte by byte, and with output room given out in drops; then bodies
 * and files that are long, back-pressure and memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/test_http_rig.h"

/* ---- the table */

static const struct exchange exchanges[] = {
	{ G("/a.txt") "\r\n", A_TXT, false },
	{ "HEAD /a.txt HTTP/1.1\r\n" H "\r\n", A_HEAD(""), false },
	{ G("/a.txt?q") "\r\n", A_TXT, false },
	{ G("/%61.txt") "\r\n", A_TXT, false },
	{ G("http://other/a.txt") "\r\n", A_TXT, false },
	{ G("/dir/../a.txt") "\r\n", A_TXT, false },
	{ "\r\n\r\n" G("/a.txt") "\r\n", A_TXT, false },
	{ "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", BAD, true },
	{ G("/a.txt") "Connection: close\r\n\r\n", A_HEAD(CLOSE) "hello\n",
	  true },
	{ G("/a.txt") "Connection: x, Close\r\n\r\n" G("/a.txt") "\r\n",
	  A_HEAD(CLOSE) "hello\n", true },
	{ "GET /a.txt HTTP/1.0\r\n\r\n", A_HEAD(CLOSE) "hello\n", true },
	{ "GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	  A_HEAD("Connection: keep-alive\r\n") "hello\n", false },
	{ "HEAD /a.txt HTTP/1.0\r\n\r\n", A_HEAD(CLOSE), true },
	{ G("/empty.css") "\r\n",
	  TOP("200 OK") "Content-Type: text/css\r\nContent-Length: 0\r\n" LAST
			"\r\n",
	  false },
	{ G("/dir/") "\r\n",
	  TOP("200 OK") "Content-Type: text/html\r\nContent-Length: 6\r\n" LAST
			"\r\n<p>dir",
	  false },
	{ G("/dir?x=/y") "\r\n",
	  TEXT("301 Moved Permanently", "22", "Location: /dir/?x=/y\r\n"),
	  false },
	{ G("//dir") "\r\n",
	  TEXT("301 Moved Permanently", "22", "Location: /dir/\r\n"), false },

	/* pipelining */
	{ G("/a.txt") "\r\n" G("/a.txt") "\r\n", A_TXT A_TXT, false },
	{ G("/a.txt") "\r\n\r\n" G("/none") "\r\n" P(
		  "/echo") "Content-Length: 2\r\n\r\nhi" G("/a.txt") "\r\n",
	  A_TXT TEXT("404 Not Found", "14", "") ECHO("2", "") "hi" A_TXT,
	  false },
	{ G("/a.txt") "\r\n" G("/a.txt") " x\r\n\r\n" G("/a.txt") "\r\n",
	  A_TXT BAD, true },

	/* errors */
	{ G("/none") "\r\n", TEXT("404 Not Found", "14", ""), false },
	{ "HEAD /none HTTP/1.1\r\n" H "\r\n",
	  TOP("404 Not Found") "Content-Type: text/plain\r\nContent-Length: 14\r\n\r\n",
	  false },
	{ G("/../a.txt") "\r\n", TEXT("400 Bad Request", "16", ""), false },
	{ G("/a.txt/") "\r\n", TEXT("404 Not Found", "14", ""), false },
	{ G("/a%2ftxt") "\r\n", TEXT("404 Not Found", "14", ""), false },
	{ "GET / HTTP/1.1\r\n\r\n", BAD, true },
	{ "GET / HTTP/2.0\r\n" H "\r\n",
	  TEXT("505 HTTP Version Not Supported", "31", CLOSE), true },
	{ "BREW / HTTP/1.1\r\n" H "\r\n" G("/a.txt") "\r\n",
	  TEXT("501 Not Implemented", "20", "") A_TXT, false },
	{ "DELETE /a.txt HTTP/1.1\r\n" H "\r\n",
	  TEXT("405 Method Not Allowed", "23", ALLOW_FILE), false },
	{ "TRACE / HTTP/1.1\r\n" H "\r\n",
	  TEXT("405 Method Not Allowed", "23", ALLOW_FILE), false },
	{ "CONNECT a:80 HTTP/1.1\r\n" H "\r\n",
	  TEXT("405 Method Not Allowed", "23", ALLOW_FILE CLOSE), true },
	{ G("/echo") "\r\n", TEXT("405 Method Not Allowed", "23", ALLOW_ECHO),
	  false },
	{ P("/a.txt") "Content-Length: 3\r\n\r\nabc" G("/a.txt") "\r\n",
	  TEXT("405 Method Not Allowed", "23", ALLOW_FILE) A_TXT, false },
	{ P("/a.txt") TE "\r\n3\r\nabc\r\n0\r\n\r\n" G("/a.txt") "\r\n",
	  TEXT("405 Method Not Allowed", "23", ALLOW_FILE) A_TXT, false },
	{ G("/a.txt") "Content-Length: 3\r\n\r\nGET" G("/a.txt") "\r\n",
	  A_TXT A_TXT, false },
	{ P("/a.txt") "Content-Length: 999999\r\n\r\nabc",
	  TEXT("405 Method Not Allowed", "23", ALLOW_FILE CLOSE), true },
	{ "OPTIONS * HTTP/1.1\r\n" H "\r\n",
	  TOP("200 OK") "Content-Length: 0\r\n" ALLOW(
		  "GET, HEAD, POST, OPTIONS") "\r\n",
	  false },
	{ "OPTIONS /echo HTTP/1.1\r\n" H "\r\n",
	  TOP("200 OK") "Content-Length: 0\r\n" ALLOW_ECHO "\r\n", false },
	{ "\x16\x03\x01\x02", BAD, true },

	/* echo */
	{ P("/echo") "Content-Length: 5\r\n\r\nhello", ECHO("5", "") "hello",
	  false },
	{ P("/echo?x") "Content-Length: 5\r\nContent-Type: x/y; z=1\r\n\r\n"
		       "he\0lo",
	  NULL, false }, /* see echo_bytes() */
	{ P("/echo") "Content-Length: 0\r\n\r\n" G("/a.txt") "\r\n",
	  ECHO("0", "") A_TXT, false },
	{ P("/echo") "Connection: close\r\nContent-Length: 1\r\n\r\nxy",
	  ECHO("1", CLOSE) "x", true },
	{ "POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nxy",
	  ECHO("2", CLOSE) "xy", true },
	{ P("/echo") TE "\r\n0\r\n\r\n" G("/a.txt") "\r\n",
	  ECHO_CHUNKED "0\r\n\r\n" A_TXT, false },
	{ P("/echo") TE
	  "\r\n1;e=\"f\"\r\nx\r\n0\r\nTrailer: y\r\n\r\n" G("/a.txt") "\r\n",
	  ECHO_CHUNKED "1\r\nx\r\n0\r\n\r\n" A_TXT, false },
	{ P("/echo") TE "\r\nz\r\n", BAD, true },
	{ P("/echo") TE "\r\n1\r\nxy", ECHO_CHUNKED "1\r\nx\r\n", true },
	{ P("/echo") TE "\r\nfffffffffffffffff\r\n", BAD, true },
	{ P("/echo") TE "\r\nffffffffffffffff\r\nx",
	  TEXT("413 Content Too Large", "22", CLOSE), true },
	{ P("/echo") "\r\n", TEXT("411 Length Required", "20", ""), false },
	{ P("/echo") "Content-Length: 1000001\r\n\r\n",
	  TEXT("413 Content Too Large", "22", CLOSE), true },
	{ P("/echo") "Content-Length: 99999999999999999999\r\n\r\n",
	  TEXT("413 Content Too Large", "22", CLOSE), true },
	{ P("/echo") "Content-Length: 1\r\n" TE "\r\n0\r\n\r\n", BAD, true },
	{ P("/echo") "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
	  "HTTP/1.1 100 Continue\r\n\r\n" ECHO("1", "") "x", false },
	{ P("/echo") "Expect: 100-continue\r\n" TE "\r\n1\r\nx\r\n0\r\n\r\n",
	  "HTTP/1.1 100 Continue\r\n\r\n" ECHO_CHUNKED "1\r\nx\r\n0\r\n\r\n",
	  false },
	{ P("/a.txt") "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
	  TEXT("405 Method Not Allowed", "23", ALLOW_FILE CLOSE), true },
	{ P("/echo") "Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n",
	  TEXT("413 Content Too Large", "22", CLOSE), true },
	{ P("/echo") "Expect: tea\r\nContent-Length: 1\r\n\r\nx" G(
		  "/a.txt") "\r\n",
	  TEXT("417 Expectation Failed", "23", "") A_TXT, false },
	{ "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\n"
	  "Content-Length: 1\r\n\r\nx",
	  ECHO("1", CLOSE) "x", true },

	/* conditions and ranges */
	{ G("/a.txt") "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
	  TOP("304 Not Modified") "ETag: E\r\n\r\n", false },
	{ G("/a.txt") "If-Match: \"x\"\r\n\r\n",
	  TEXT("412 Precondition Failed", "24", ""), false },
	{ G("/a.txt") "Range: bytes=1-2\r\n\r\n" G("/a.txt") "\r\n",
	  TOP("206 Partial Content") "Content-Type: text/plain\r\nContent-Length: 2\r\n"
				     "Content-Range: bytes 1-2/6\r\n" LAST
				     "\r\nel" A_TXT,
	  false },
	{ G("/a.txt") "Range: bytes=6-\r\n\r\n",
	  TEXT("416 Range Not Satisfiable", "26",
	       "Content-Range: bytes */6\r\n"),
	  false },
	{ "HEAD /a.txt HTTP/1.1\r\n" H "Range: bytes=1-2\r\n\r\n", A_HEAD(""),
	  false },
};

#define EXCHANGES (sizeof(exchanges) / sizeof(exchanges[0]))

static void run(const struct exchange *x, size_t split, size_t step,
		size_t room)
{
	struct fake_stream f;
	size_t len = strlen(x->request), at = 0, n = split;

	fs_open(&f, &dawn_http_protocol, server);
	f.room = room;
	while (at < len) {
		n = n < len - at ? n : len - at;
		fs_feed(&f, x->request + at, n);
		if (room != SIZE_MAX)
			drip(&f, room);
		at += n;
		n = step;
	}
	mask(&f);
	if (f.out_len != strlen(x->response) ||
	    memcmp(f.out, x->response, f.out_len) != 0)
		print_error("split %zu step %zu room %zu\n%s\n---\n%s\n---\n%s",
			    split, step, room, x->request, x->response, f.out);
	assert_string_equal(f.out, x->response);
	assert_int_equal(f.shut, x->shut);
	assert_false(f.aborted);
	assert_false(f.wrote_late);
	assert_int_equal(dawn_http_protocol.idle(&f.s), !x->shut);
	if (!x->shut)
		assert_int_equal(f.in_len, 0);
	fs_close(&f);
}

static void whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXCHANGES; i++)
		if (exchanges[i].response)
			run(&exchanges[i], SIZE_MAX, SIZE_MAX, SIZE_MAX);
}

static void split_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXCHANGES; i++)
		for (size_t at = 1;
		     exchanges[i].response && at < strlen(exchanges[i].request);
		     at++)
			run(&exchanges[i], at, SIZE_MAX, SIZE_MAX);
}

static void byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXCHANGES; i++)
		if (exchanges[i].response)
			run(&exchanges[i], 1, 1, SIZE_MAX);
}

static void output_in_drops(void **state)
{
	static const size_t rooms[] = { 1, 2, 7, 100 };

	(void)state;
	for (size_t i = 0; i < EXCHANGES; i++)
		for (size_t r = 0; exchanges[i].response && r < 4; r++)
			run(&exchanges[i], SIZE_MAX, SIZE_MAX, rooms[r]);
}

/* ---- bodies with any bytes */

static void echo_bytes(void **state)
{
	static const char request[] =
		P("/echo?x") "Content-Length: 5\r\nContent-Type: x/y; z=1\r\n"
			     "\r\nhe\0lo";
	static const char expect[] = TOP(
		"200 OK") "Content-Type: x/y; z=1\r\nContent-Length: 5\r\n\r\nhe\0lo";
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	fs_feed(&f, request, sizeof(request) - 1);
	mask(&f);
	assert_int_equal(f.out_len, sizeof(expect) - 1);
	assert_memory_equal(f.out, expect, f.out_len);
	fs_close(&f);
}

/* Bytes held for output never exceed one head and one chunk, however long the
 * body and however slow the peer. */
static void check_bounded(const struct fake_stream *f)
{
	const struct dawn_http_conn *c = f->s.proto;

	assert_true(c->pending_len < 20000);
	assert_true(f->in_len <= FAKE_IN);
}

/* The echoed body, from the end of the head on, unchunked. */
static size_t body_of(const struct fake_stream *f, uint8_t *body, bool chunked)
{
	struct dawn_http_chunked c = { 0 };
	const uint8_t *at = memmem(f->out, f->out_len, "\r\n\r\n", 4);
	size_t left, used, n, len = 0;

	assert_non_null(at);
	at += 4;
	left = f->out_len - (size_t)(at - f->out);
	if (!chunked) {
		memcpy(body, at, left);
		return left;
	}
	while (dawn_http_chunked_next(&c, at, left, &used, &n) ==
	       DAWN_HTTP_CHUNK_DATA) {
		memcpy(body + len, at + used, n);
		len += n;
		dawn_http_chunked_take(&c, n);
		at += used + n;
		left -= used + n;
	}
	assert_int_equal(left, used); /* the end, and nothing behind it */
	return len;
}

static void echo_long(bool chunked)
{
	const size_t total = 900000, piece = 3000;
	uint8_t *body = malloc(total + 10);
	struct fake_stream f;
	char text[128];
	size_t at = 0, seed = 1;
	const uint8_t *p;

	fs_open(&f, &dawn_http_protocol, server);
	f.room = 100;
	if (chunked)
		snprintf(text, sizeof(text), "%s", P("/echo") TE "\r\n");
	else
		snprintf(text, sizeof(text),
			 P("/echo") "Content-Length: %zu\r\n\r\n", total);
	fs_feed(&f, text, strlen(text));
	while (at < total) {
		if (f.in_len < FAKE_IN - 2 * piece) {
			p = big + at % (BIG_SIZE - piece);
			if (chunked) {
				snprintf(text, sizeof(text), "%zx\r\n", piece);
				fs_feed(&f, text, strlen(text));
			}
			fs_feed(&f, p, piece);
			if (chunked)
				fs_feed(&f, "\r\n", 2);
			at += piece;
		}
		check_bounded(&f);
		seed = seed * 6364136223846793005U + 1442695040888963407U;
		fs_room(&f, seed >> 33 & 4095);
	}
	if (chunked)
		fs_feed(&f, "0\r\n\r\n", 5);
	for (int i = 0; i < 100000 && f.want_room; i++)
		fs_room(&f, 1 + (size_t)i % 1500);
	assert_true(dawn_http_protocol.idle(&f.s));
	assert_int_equal(body_of(&f, body, chunked), total);
	for (at = 0; at < total; at += piece)
		assert_memory_equal(body + at, big + at % (BIG_SIZE - piece),
				    piece);
	fs_close(&f);
	free(body);
}

static void echo_long_length(void **state)
{
	(void)state;
	echo_long(false);
}

static void echo_long_chunked(void **state)
{
	(void)state;
	echo_long(true);
}

static void chunked_too_long(void **state)
{
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	fs_feed(&f, P("/echo") TE "\r\n", strlen(P("/echo") TE "\r\n"));
	for (int i = 0; i < 20 && !f.shut; i++) {
		fs_feed(&f, "10000\r\n", 7);
		fs_feed(&f, big, 65536);
		fs_feed(&f, "\r\n", 2);
	}
	assert_true(f.shut);
	assert_true(f.out_len < 1000000);
	/* No last chunk: the client sees that it is not all. */
	assert_memory_not_equal(f.out + f.out_len - 5, "0\r\n\r\n", 5);
	fs_close(&f);
}

/* ---- files that do not fit a slot */

static void large_file(void **state)
{
	static const char request[] = G("/big.png") "\r\n" G("/a.txt") "\r\n";
	static const size_t rooms[] = { SIZE_MAX, 1460, 100, 65537 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct fake_stream f;
		const uint8_t *body;

		fs_open(&f, &dawn_http_protocol, server);
		f.room = rooms[i];
		fs_feed(&f, request, sizeof(request) - 1);
		drip(&f, rooms[i]);
		body = memmem(f.out, f.out_len, "\r\n\r\n", 4);
		assert_non_null(body);
		assert_memory_equal(body + 4, big, BIG_SIZE);
		assert_memory_equal(f.out + f.out_len - 6, "hello\n", 6);
		assert_true(dawn_http_protocol.idle(&f.s));
		fs_close(&f);
	}
}

static void large_range(void **state)
{
	static const char request[] =
		G("/big.png") "Range: bytes=50000-99998\r\n\r\n";
	struct fake_stream f;
	const uint8_t *body;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	f.room = 1000;
	fs_feed(&f, request, sizeof(request) - 1);
	drip(&f, 1000);
	body = memmem(f.out, f.out_len, "\r\n\r\n", 4);
	assert_non_null(body);
	assert_int_equal(f.out_len - (size_t)(body + 4 - f.out), 49999);
	assert_memory_equal(body + 4, big + 50000, 49999);
	fs_close(&f);
}

/* A file that shrinks while it is sent: a reset, never a wrong length. */
static void shrinking_file(void **state)
{
	static const char request[] = G("/shrink") "\r\n";
	struct fake_stream f;
	char path[128];

	(void)state;
	write_file("shrink", big, BIG_SIZE);
	snprintf(path, sizeof(path), "%s/shrink", root);
	fs_open(&f, &dawn_http_protocol, server);
	f.room = 5000;
	fs_feed(&f, request, sizeof(request) - 1);
	assert_int_equal(truncate(path, 7000), 0);
	for (int i = 0; i < 100 && !f.aborted; i++)
		fs_room(&f, 1000);
	assert_true(f.aborted);
	assert_true(f.out_len < 8000);
	assert_false(f.wrote_late);
	fs_close(&f);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(split_everywhere),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(output_in_drops),
		cmocka_unit_test(echo_bytes),
		cmocka_unit_test(echo_long_length),
		cmocka_unit_test(echo_long_chunked),
		cmocka_unit_test(chunked_too_long),
		cmocka_unit_test(large_file),
		cmocka_unit_test(large_range),
		cmocka_unit_test(shrinking_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
