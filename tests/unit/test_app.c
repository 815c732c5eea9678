// SPDX-License-Identifier: MIT OR Apache-2.0
/* dawnd's command line, the Date for XDP, and who has a port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "user/app/date.h"
#include "user/app/memory.h"
#include "user/app/options.h"
#include "user/app/secret.h"
#include "user/io/socket.h"

#define ARGS_MAX 8
#define CHECK    (-1) /* "status": go on */

struct args_case {
	const char *args[ARGS_MAX];
	int status;
};

static const struct args_case bad[] = {
	{ { "--io", "afxdp" }, DAWN_EXIT_USAGE },
	{ { "--io", "fast" }, DAWN_EXIT_USAGE },
	{ { "--io" }, DAWN_EXIT_USAGE },
	{ { "--http", "65536" }, DAWN_EXIT_USAGE },
	{ { "--http", "-1" }, DAWN_EXIT_USAGE },
	{ { "--http", " 80" }, DAWN_EXIT_USAGE },
	{ { "--http", "80x" }, DAWN_EXIT_USAGE },
	{ { "--http", "" }, DAWN_EXIT_USAGE },
	{ { "--http", "99999999999999999999" }, DAWN_EXIT_USAGE },
	{ { "--http", "0", "--hbtp", "0" }, DAWN_EXIT_USAGE },
	{ { "--dev", "" }, DAWN_EXIT_USAGE },
	{ { "--dev", "0123456789abcdef" }, DAWN_EXIT_USAGE },
	{ { "--queues", "0" }, DAWN_EXIT_USAGE },
	{ { "--queues", "65" }, DAWN_EXIT_USAGE },
	{ { "--promote-after", "0" }, DAWN_EXIT_USAGE },
	{ { "--promote-after", "ever" }, DAWN_EXIT_USAGE },
	{ { "--zero-copy" }, DAWN_EXIT_USAGE },
	{ { "--memory", "0" }, DAWN_EXIT_USAGE },
	{ { "--keep-alive", "32768" }, DAWN_EXIT_USAGE },
	{ { "--keep-alive", "off" }, DAWN_EXIT_USAGE },
	{ { "--keep-alive", "-1" }, DAWN_EXIT_USAGE },
	{ { "--user-timeout", "0" }, DAWN_EXIT_USAGE },
	{ { "--user-timeout", "86401" }, DAWN_EXIT_USAGE },
	{ { "--user-timeout", "30s" }, DAWN_EXIT_USAGE },
	{ { "--ttl", "0" }, DAWN_EXIT_USAGE },
	{ { "--ttl", "256" }, DAWN_EXIT_USAGE },
	{ { "--dscp", "64" }, DAWN_EXIT_USAGE },
	{ { "--memory", "1G" }, DAWN_EXIT_USAGE },
	{ { "--ready-fd", "999" }, DAWN_EXIT_USAGE },
	{ { "--nonsense" }, DAWN_EXIT_USAGE },
	{ { "stray" }, DAWN_EXIT_USAGE },
	{ { "--version" }, DAWN_EXIT_OK },
	{ { "--help" }, DAWN_EXIT_OK },
};

static int parse(struct dawn_options *o, const char *const *args)
{
	char *argv[ARGS_MAX + 2] = { "dawnd" };
	int argc = 1, status = CHECK;

	while (argc <= ARGS_MAX && args[argc - 1]) {
		argv[argc] = (char *)args[argc - 1];
		argc++;
	}
	return dawn_options_parse(o, argc, argv, &status) ? CHECK : status;
}

static void wrong_usage_is_2(void **state)
{
	struct dawn_options o;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(&o, bad[i].args), bad[i].status);
}

static void defaults(void **state)
{
	struct dawn_options o;

	(void)state;
	assert_int_equal(parse(&o, (const char *[ARGS_MAX]){ NULL }), CHECK);
	assert_null(o.ifname);
	assert_int_equal(o.http_port, 80);
	assert_int_equal(o.hbtp_port, 4860);
	assert_int_equal(o.io, DAWN_IO_EPOLL);
	assert_int_equal(o.drain_s, 10);
	assert_int_equal(o.promote_after, 2);
	assert_int_equal(o.ready_fd, -1);
	assert_int_equal(o.keepalive_s, 0); /* RFC 9293, MUST-25 */
	assert_int_equal(o.user_timeout_s, 0);
	assert_int_equal(o.ttl, 0);
	assert_int_equal(o.dscp, 0);
}

static void values(void **state)
{
	struct dawn_options o;

	(void)state;
	assert_int_equal(
		parse(&o, (const char *[ARGS_MAX]){ "--dev", "lo",
						    "--http=8080", "--mode",
						    "generic", "--zero-copy" }),
		CHECK);
	assert_string_equal(o.ifname, "lo");
	assert_int_equal(o.http_port, 8080);
	assert_int_equal(o.mode, DAWN_XDP_GENERIC);
	assert_int_equal(o.io, DAWN_IO_AFXDP);
	assert_true(o.zero_copy);
	assert_int_equal(
		parse(&o, (const char *[ARGS_MAX]){ "--promote-after", "never",
						    "--drain", "0" }),
		CHECK);
	assert_int_equal(o.promote_after, UINT32_MAX);
	assert_int_equal(o.drain_s, 0);
	assert_int_equal(
		parse(&o, (const char *[ARGS_MAX]){ "--keep-alive", "32767",
						    "--user-timeout", "86400",
						    "--ttl", "255", "--dscp",
						    "63" }),
		CHECK);
	assert_int_equal(o.keepalive_s, 32767);
	assert_int_equal(o.user_timeout_s, 86400);
	assert_int_equal(o.ttl, 255);
	assert_int_equal(o.dscp, 63);
	assert_int_equal(dawn_options_service_flags(&o), 0);
	assert_int_equal(
		parse(&o, (const char *[ARGS_MAX]){ "--any-cookie",
						    "--any-cache-control" }),
		CHECK);
	assert_int_equal(dawn_options_service_flags(&o),
			 DAWN_SERVICE_ANY_COOKIE |
				 DAWN_SERVICE_ANY_CACHE_CONTROL);
	assert_int_equal(
		parse(&o, (const char *[ARGS_MAX]){ "--any-authorization" }),
		CHECK);
	assert_int_equal(dawn_options_service_flags(&o),
			 DAWN_SERVICE_ANY_AUTHORIZATION);
}

/* --- Date ---------------------------------------------------------------- */

static uint16_t slow_sum(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += *(const uint16_t *)(const void *)(p + i);
	return (uint16_t)(sum % 0xffff);
}

static void dates(void **state)
{
	static const struct {
		uint32_t s;
		const char *text;
	} known[] = {
		{ 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
		{ 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
		{ 4294967295, "Sun, 07 Feb 2106 06:28:15 GMT" },
	};
	static const uint8_t zeros[3];
	struct dawn_date d;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		dawn_date_fill(&d, known[i].s, 5);
		assert_memory_equal(d.text, known[i].text, DAWN_DATE_LEN);
		assert_memory_equal(d.text + DAWN_DATE_LEN, zeros, 3);
		assert_int_equal(d.sum % 0xffff,
				 slow_sum(d.text, sizeof(d.text)));
		assert_int_equal(d.unix_s, known[i].s);
		assert_int_equal(d.mono_s, 5);
	}
}

static void date_alternates(void **state)
{
	static struct dawn_config c;
	uint32_t before = (uint32_t)time(NULL);

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t us = dawn_date_update(&c);
		const struct dawn_date *d = &c.date[c.date_index];

		assert_int_equal(c.date_index, !(i & 1));
		assert_in_range(us, 1, 1000000);
		assert_in_range(d->unix_s, before, before + 5);
	}
}

/* --- cookie secrets --- */

/* One secret in each window, never one that cookies of this window, the last or
 * the next are made with; the clock's wrap is no exception. */
static void secrets_are_renewed(void **state)
{
	const uint32_t first =
		UINT32_MAX - 5 * (1U << DAWN_COOKIE_WINDOW_SHIFT);
	static struct dawn_config c;
	uint64_t was[DAWN_COOKIE_SECRETS];

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t now_ms = first + i * 100;
		uint32_t window = now_ms >> DAWN_COOKIE_WINDOW_SHIFT;
		uint32_t before = (now_ms - 100) >> DAWN_COOKIE_WINDOW_SHIFT;

		memcpy(was, c.cookie_secret, sizeof(was));
		assert_int_equal(dawn_secret_renew(&c, now_ms), 0);
		for (uint32_t j = 0; j < DAWN_COOKIE_SECRETS; j++) {
			bool renewed = was[j] != c.cookie_secret[j];

			assert_int_equal(renewed,
					 (!i || window != before) &&
						 ((window + 2) & 3) == j);
		}
	}
	for (uint32_t j = 0; j < DAWN_COOKIE_SECRETS; j++)
		for (uint32_t k = 0; k < j; k++)
			assert_true(c.cookie_secret[j] != c.cookie_secret[k]);
}

/* --- ports --------------------------------------------------------------- */

static void port_owner_is_named(void **state)
{
	char want[64], text[128];
	int types[2] = { SOCK_STREAM, SOCK_DGRAM };

	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd = dawn_socket_bind(AF_INET, types[i], 0);
		int port = dawn_socket_port(fd);

		assert_true(port > 0);
		dawn_port_owner(types[i], (uint16_t)port, text, sizeof(text));
		snprintf(want, sizeof(want), "pid %d (test_app)", getpid());
		assert_string_equal(text, want);
		close(fd);
		dawn_port_owner(types[i], (uint16_t)port, text, sizeof(text));
		assert_string_equal(text, "a socket that /proc does not show");
	}
}

/* However many queues, and within what the process may have. */
static void memory_is_bounded(void **state)
{
	(void)state;
	for (uint32_t queues = 1; queues <= DAWN_QUEUES_MAX; queues++) {
		uint32_t ring = dawn_memory_ring(queues);

		assert_int_equal(ring & (ring - 1), 0);
		assert_true(ring >= 64 && ring * queues <= 16384);
	}
	assert_int_equal(dawn_memory_ring(1), 4096);
	assert_true(dawn_memory_default() > 0);
	assert_true(dawn_memory_default() <= DAWN_MEMORY_DEFAULT);
}

#ifndef __SANITIZE_ADDRESS__ /* which needs terabytes of addresses */
static void memory_limit_counts(void **state)
{
	struct rlimit old, low;
	uint64_t got;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	low = old;
	low.rlim_cur = 100 << 20;
	assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
	got = dawn_memory_default();
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	assert_int_equal(got, 25 << 20);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_usage_is_2),
		cmocka_unit_test(defaults),
		cmocka_unit_test(values),
		cmocka_unit_test(dates),
		cmocka_unit_test(date_alternates),
		cmocka_unit_test(secrets_are_renewed),
		cmocka_unit_test(port_owner_is_named),
		cmocka_unit_test(memory_is_bounded),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(memory_limit_counts),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
