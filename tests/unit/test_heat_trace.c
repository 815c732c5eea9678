/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The cache's policy on a trace: Zipf(0.99), a million objects, room for 1 %. It
 * comes close to who knows the most popular 1 % beforehand, beats LRU, and comes
 * there again after all others have become the popular ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/trace.h"

#define EVERY    100000
#define REQUESTS 5000000
#define SHIFT    2500000
#define POINTS   (REQUESTS / EVERY)

static struct trace_point points[POINTS];

/* Means of points [from, to). */
static struct trace_point mean(int from, int to)
{
	struct trace_point m = { 0 };

	for (int i = from; i < to; i++) {
		m.heat += points[i].heat / (to - from);
		m.lru += points[i].lru / (to - from);
		m.best += points[i].best / (to - from);
	}
	return m;
}

/* Requests after `from` until no point is 5 points below the best any more. */
static int settled(int from, int to)
{
	int at = to;

	while (at > from && points[at - 1].best - points[at - 1].heat < 0.05)
		at--;
	return (at - from) * EVERY;
}

static void zipf(void **state)
{
	const struct trace_params p = {
		.objects = 1000000,
		.slots = 10000,
		.exponent = 0.99,
		.requests = REQUESTS,
		.shift_at = SHIFT,
		.tick_every = 10000,
		.free_after = 3,
		.point_every = EVERY,
		.promote_after = 2,
		.seed = 1,
	};
	struct trace_point before, after;
	int warm, again;

	(void)state;
	assert_int_equal(trace_run(&p, points), 0);
	before = mean(SHIFT / EVERY / 2, SHIFT / EVERY);
	after = mean(POINTS - 10, POINTS);
	warm = settled(0, SHIFT / EVERY);
	again = settled(SHIFT / EVERY, POINTS);
	print_message(
		"hit ratio %.4f, LRU %.4f, best %.4f; after the shift %.4f, "
		"%.4f, %.4f; within 5 points after %d requests, after the "
		"shift %d\n",
		before.heat, before.lru, before.best, after.heat, after.lru,
		after.best, warm, again);
	assert_true(before.best - before.heat < 0.02);
	assert_true(after.best - after.heat < 0.02);
	assert_true(before.heat > before.lru + 0.05);
	assert_true(after.heat > after.lru + 0.05);
	assert_in_range(warm, 1, 500000);
	assert_in_range(again, 1, 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zipf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
