/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The sketch of how often objects were asked for: never too low, rarely too
 * high, forgets; and several threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "user/cache/heat.h"

#define SLOTS   1024
#define OBJECTS 4096
#define THREADS 4

static struct dawn_index_key key(uint64_t n)
{
	struct dawn_index_key k;

	for (int i = 0; i < 2; i++) {
		uint64_t x = (2 * n + (uint64_t)i + 1) * 0x9e3779b97f4a7c15ULL;

		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
		x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
		k.h[i] = x ^ x >> 31;
	}
	return k;
}

static struct dawn_heat *create(void)
{
	struct dawn_heat *h = NULL;

	assert_int_equal(dawn_heat_create(&h, SLOTS), 0);
	return h;
}

static void sizes(void **state)
{
	struct dawn_heat *h = NULL;

	(void)state;
	assert_int_equal(dawn_heat_create(&h, 0), -EINVAL);
	assert_int_equal(dawn_heat_create(&h, DAWN_SLOTS_MAX + 1), -EINVAL);
	assert_null(h);
	assert_int_equal(dawn_heat_create(&h, 1), 0);
	dawn_heat_destroy(h);
	assert_int_equal(dawn_heat_create(&h, DAWN_SLOTS_MAX), 0);
	dawn_heat_destroy(h);
	dawn_heat_destroy(NULL);
}

/* As many objects as a row has counters, object n asked for n % 8 times. */
static void error_bounds(void **state)
{
	struct dawn_heat *h = create();
	uint32_t above = 0, much = 0;

	(void)state;
	for (uint32_t round = 1; round < 8; round++) {
		for (uint32_t n = 0; n < OBJECTS; n++) {
			struct dawn_index_key k = key(n);

			if (n % 8 >= round)
				dawn_heat_note(h, &k, 1);
		}
	}
	for (uint32_t n = 0; n < OBJECTS; n++) {
		struct dawn_index_key k = key(n);
		uint32_t estimate = dawn_heat_estimate(h, &k);

		assert_true(estimate >= n % 8);
		above += estimate > n % 8;
		much += estimate > n % 8 + 2;
	}
	assert_in_range(above, 0, OBJECTS / 5);
	assert_in_range(much, 0, OBJECTS / 20);
	dawn_heat_destroy(h);
}

static void saturates(void **state)
{
	const struct dawn_index_key k = key(1);
	struct dawn_heat *h = create();

	(void)state;
	assert_int_equal(dawn_heat_note(h, &k, 0), 0);
	assert_int_equal(dawn_heat_note(h, &k, 254), 254);
	assert_int_equal(dawn_heat_note(h, &k, 1), 255);
	assert_int_equal(dawn_heat_note(h, &k, 1), 255);
	assert_int_equal(dawn_heat_note(h, &k, UINT64_MAX), DAWN_HEAT_MAX);
	assert_int_equal(dawn_heat_estimate(h, &k), DAWN_HEAT_MAX);
	dawn_heat_destroy(h);
}

static void ages(void **state)
{
	const struct dawn_index_key a = key(1), b = key(2), c = key(3);
	struct dawn_heat *h = create();
	uint32_t n = 0;

	(void)state;
	dawn_heat_note(h, &a, 255);
	dawn_heat_note(h, &b, 7);
	while (!dawn_heat_due(h))
		n = dawn_heat_note(h, &c, 100);
	assert_int_equal(n, DAWN_HEAT_MAX);
	dawn_heat_age(h);
	assert_false(dawn_heat_due(h));
	assert_int_equal(dawn_heat_estimate(h, &a), 127);
	assert_int_equal(dawn_heat_estimate(h, &b), 3);
	for (int i = 0; i < 7; i++)
		dawn_heat_age(h);
	assert_int_equal(dawn_heat_estimate(h, &a), 0);
	dawn_heat_destroy(h);
}

static void forgets(void **state)
{
	const struct dawn_index_key a = key(1), b = key(2);
	struct dawn_heat *h = create();

	(void)state;
	dawn_heat_note(h, &a, 9);
	dawn_heat_note(h, &b, 5);
	dawn_heat_forget(h, &a);
	assert_int_equal(dawn_heat_estimate(h, &a), 0);
	assert_int_equal(dawn_heat_estimate(h, &b), 5);
	dawn_heat_destroy(h);
}

static void *note_many(void *arg)
{
	for (uint64_t n = 0; n < 64; n++) {
		struct dawn_index_key k = key(n);

		for (int i = 0; i < 100; i++)
			dawn_heat_note(arg, &k, 1);
		if (n % 8 == 7)
			dawn_heat_age(arg);
	}
	return NULL;
}

/* Updates may be lost; nothing else may happen. */
static void threads(void **state)
{
	struct dawn_heat *h = create();
	const struct dawn_index_key k = key(63), never = key(1000);
	pthread_t t[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, note_many, h), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	assert_in_range(dawn_heat_estimate(h, &k), 1, DAWN_HEAT_MAX);
	assert_int_equal(dawn_heat_estimate(h, &never), 0);
	dawn_heat_destroy(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),     cmocka_unit_test(error_bounds),
		cmocka_unit_test(saturates), cmocka_unit_test(ages),
		cmocka_unit_test(forgets),   cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
