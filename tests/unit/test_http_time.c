/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The HTTP server when time passes and when it ends: time limits, drain,
 * half-close, and what it counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/test_http_rig.h"

/* ---- time limits */

static void header_timeout(void **state)
{
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	fs_tick(&f, 20000); /* idle time does not count */
	feed_text(&f, "GET / HT");
	assert_false(dawn_http_protocol.idle(&f.s));
	fs_tick(&f, 9000);
	feed_text(&f, "TP/1.1\r\nX: "); /* nor does progress help */
	assert_int_equal(f.out_len, 0);
	fs_tick(&f, 1500);
	mask(&f);
	assert_string_equal((char *)f.out,
			    TEXT("408 Request Timeout", "20", CLOSE));
	assert_true(f.shut);
	fs_close(&f);
}

static void idle_timeout(void **state)
{
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	fs_tick(&f, 74000);
	feed_text(&f, G("/a.txt") "\r\n");
	fs_tick(&f, 74000);
	feed_text(&f, "\r\n"); /* an empty line is no request */
	assert_false(f.shut);
	fs_tick(&f, 1500);
	assert_true(f.shut);
	assert_false(f.aborted);
	mask(&f);
	assert_string_equal((char *)f.out, A_TXT); /* nothing said: no 408 */
	fs_close(&f);
}

static void body_timeout(void **state)
{
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	feed_text(&f, P("/echo") "Content-Length: 9\r\n\r\n");
	fs_tick(&f, 29000);
	assert_int_equal(f.out_len, 0);
	fs_tick(&f, 1500);
	mask(&f);
	assert_string_equal((char *)f.out,
			    TEXT("408 Request Timeout", "20", CLOSE));
	fs_close(&f);

	/* The response began: it must stay visibly incomplete. */
	fs_open(&f, &dawn_http_protocol, server);
	feed_text(&f, P("/echo") "Content-Length: 9\r\n\r\nabc");
	fs_tick(&f, 29000);
	feed_text(&f, "d");
	fs_tick(&f, 29000);
	assert_false(f.shut);
	fs_tick(&f, 1500);
	mask(&f);
	assert_string_equal((char *)f.out, ECHO("9", "") "abcd");
	assert_true(f.shut);
	fs_close(&f);
}

static void output_timeout(void **state)
{
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	f.room = 5000;
	feed_text(&f, G("/big.png") "\r\n");
	fs_tick(&f, 119000);
	fs_room(&f, 1); /* slow, but it takes something */
	fs_tick(&f, 119000);
	assert_false(f.aborted);
	fs_tick(&f, 2000);
	assert_true(f.aborted);
	fs_close(&f);
}

static void linger_timeout(void **state)
{
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	feed_text(&f, "x\r\n");
	assert_true(f.shut);
	for (int i = 0; i < 4; i++) {
		fs_feed(&f, big, 50000); /* is dropped, not answered */
		assert_int_equal(f.in_len, 0);
		fs_tick(&f, 1000);
		assert_false(f.aborted);
	}
	fs_tick(&f, 2000);
	assert_true(f.aborted);
	fs_close(&f);

	/* What was written may need its time. */
	fs_open(&f, &dawn_http_protocol, server);
	feed_text(&f, G("/big.png") "Connection: close\r\n\r\n");
	assert_true(f.shut);
	fs_tick(&f, 5000 + BIG_SIZE / 16);
	assert_false(f.aborted);
	fs_tick(&f, 1000);
	assert_true(f.aborted);
	fs_close(&f);
}

/* ---- drain and half-close */

static void drain_idle(void **state)
{
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	dawn_http_protocol.drain(&f.s);
	assert_true(f.shut);
	assert_int_equal(f.out_len, 0);
	fs_close(&f);
}

static void drain_in_head(void **state)
{
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	feed_text(&f, "GET /a.txt HTTP/1.1\r\n");
	dawn_http_protocol.drain(&f.s);
	assert_false(f.shut);
	feed_text(&f, H "\r\n");
	assert_true(f.shut);
	mask(&f);
	assert_string_equal((char *)f.out, A_HEAD(CLOSE) "hello\n");
	fs_close(&f);
}

static void drain_in_file(void **state)
{
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	f.room = 5000;
	feed_text(&f, G("/big.png") "\r\n" G("/a.txt") "\r\n");
	dawn_http_protocol.drain(&f.s);
	assert_false(f.shut);
	drip(&f, 5000);
	assert_true(f.shut);
	assert_memory_equal(f.out + f.out_len - BIG_SIZE, big, BIG_SIZE);
	fs_close(&f);
}

static void drain_in_body(void **state)
{
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	feed_text(&f, P("/echo") "Content-Length: 4\r\n\r\nab");
	dawn_http_protocol.drain(&f.s);
	assert_false(f.shut);
	feed_text(&f, "cd");
	assert_true(f.shut);
	mask(&f);
	assert_string_equal((char *)f.out, ECHO("4", "") "abcd");
	fs_close(&f);
}

static void eof_cases(void **state)
{
	static const struct exchange cases[] = {
		{ "", "", true },
		{ "GET", "", true },
		{ G("/a.txt") "\r\n" G("/a.txt") "\r\n", A_TXT A_TXT, true },
		{ G("/a.txt") "\r\n"
			      "GET",
		  A_TXT, true },
		{ P("/echo") "Content-Length: 4\r\n\r\n", BAD, true },
		{ P("/echo") "Content-Length: 4\r\n\r\nab", ECHO("4", "") "ab",
		  true },
		{ P("/echo") TE "\r\n2\r\nab\r\n", ECHO_CHUNKED "2\r\nab\r\n",
		  true },
		{ P("/a.txt") "Content-Length: 4\r\n\r\nab",
		  TEXT("405 Method Not Allowed", "23", ALLOW_FILE), true },
	};
	static const size_t rooms[] = { SIZE_MAX, 7 };

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const struct exchange *x = &cases[i / 2];
		struct fake_stream f;

		fs_open(&f, &dawn_http_protocol, server);
		f.room = rooms[i % 2];
		feed_text(&f, x->request);
		fs_eof(&f);
		drip(&f, rooms[i % 2]);
		mask(&f);
		assert_string_equal((char *)f.out, x->response);
		assert_true(f.shut);
		assert_false(f.aborted);
		fs_close(&f);
	}
}

static void counts(void **state)
{
	const struct dawn_http_counts *c = dawn_http_server_counts(server);
	struct dawn_http_counts before = *c;
	struct fake_stream f;

	(void)state;
	fs_open(&f, &dawn_http_protocol, server);
	feed_text(&f, G("/a.txt") "\r\n" G("/none") "\r\n" P(
			      "/echo") "Content-Length: 1\r\n\r\nx"
				       "x\r\n");
	assert_int_equal(c->requests, before.requests + 4);
	assert_int_equal(c->errors, before.errors + 2);
	fs_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_timeout),
		cmocka_unit_test(idle_timeout),
		cmocka_unit_test(body_timeout),
		cmocka_unit_test(output_timeout),
		cmocka_unit_test(linger_timeout),
		cmocka_unit_test(drain_idle),
		cmocka_unit_test(drain_in_head),
		cmocka_unit_test(drain_in_file),
		cmocka_unit_test(drain_in_body),
		cmocka_unit_test(eof_cases),
		cmocka_unit_test(counts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
