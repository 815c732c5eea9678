// SPDX-License-Identifier: MIT OR Apache-2.0
/* Memory for connection rings: sizes, the cap, and that pages go back. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/net/rings.h"

#define MIN   DAWN_RING_MIN
#define UNIT  dawn_ring_bytes(DAWN_RING_MIN)
#define COUNT 256

static int setup(void **state)
{
	struct dawn_rings *r = malloc(sizeof(*r));

	assert_non_null(r);
	assert_int_equal(dawn_rings_create(r, COUNT * UNIT), 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	dawn_rings_destroy(*state);
	free(*state);
	return 0;
}

/* Pages of this process in memory, bytes. */
static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	char line[128], *pages;

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	pages = strchr(line, ' '); /* after the size */
	assert_non_null(pages);
	return strtoul(pages, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static void touch(uint8_t *mem, uint32_t size)
{
	memset(mem, 0x5a, dawn_ring_bytes(size));
}

static void cap_is_kept(void **state)
{
	struct dawn_rings *r = *state;
	uint8_t *mem[COUNT];

	for (int i = 0; i < COUNT; i++) {
		assert_true(dawn_rings_room(r, 1));
		mem[i] = dawn_rings_get(r, MIN);
		assert_non_null(mem[i]);
		memset(mem[i], i, UNIT);
	}
	assert_false(dawn_rings_room(r, 1));
	assert_null(dawn_rings_get(r, MIN));
	assert_null(dawn_rings_get(r, 2 * MIN));
	for (int i = 0; i < COUNT; i++) { /* none overlaps another */
		assert_int_equal(mem[i][0], i);
		assert_int_equal(mem[i][UNIT - 1], i);
		dawn_rings_put(r, mem[i], MIN);
	}
	assert_int_equal(r->used, 0);
}

static void big_ones_count(void **state)
{
	struct dawn_rings *r = *state;
	uint8_t *a = dawn_rings_get(r, DAWN_RING_MAX);
	uint8_t *b = dawn_rings_get(r, DAWN_RING_MAX);
	uint32_t left =
		(uint32_t)(COUNT - (2 * dawn_ring_bytes(DAWN_RING_MAX) + UNIT -
				    1) / UNIT);

	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(r->used, 2 * dawn_ring_bytes(DAWN_RING_MAX));
	touch(a, DAWN_RING_MAX);
	touch(b, DAWN_RING_MAX);
	assert_true(dawn_rings_room(r, left));
	assert_false(dawn_rings_room(r, left + 1));
	dawn_rings_put(r, a, DAWN_RING_MAX);
	dawn_rings_put(r, b, DAWN_RING_MAX);
	assert_int_equal(r->used, 0);
	dawn_rings_put(r, NULL, DAWN_RING_MAX);
	assert_int_equal(r->used, 0);
}

static void big_ones_are_given_back(void **state)
{
	struct dawn_rings *r = *state;
	size_t before = resident(), during;
	uint8_t *mem = dawn_rings_get(r, DAWN_RING_MAX);

	assert_non_null(mem);
	touch(mem, DAWN_RING_MAX);
	during = resident();
	assert_true(during >= before + DAWN_RING_MAX);
	dawn_rings_put(r, mem, DAWN_RING_MAX);
	assert_true(resident() <= during - DAWN_RING_MAX / 2);
}

/* All small ones were used once and are warm; what a big one takes, they lose. */
static void warm_ones_make_room(void **state)
{
	struct dawn_rings *r = *state;
	uint64_t left =
		COUNT - (dawn_ring_bytes(DAWN_RING_MAX) + UNIT - 1) / UNIT;
	uint8_t *mem[COUNT], *big;
	size_t full;

	for (int i = 0; i < COUNT; i++) {
		mem[i] = dawn_rings_get(r, MIN);
		touch(mem[i], MIN);
	}
	for (int i = 0; i < COUNT; i++)
		dawn_rings_put(r, mem[i], MIN);
	full = resident();
	big = dawn_rings_get(r, DAWN_RING_MAX);
	assert_non_null(big);
	touch(big, DAWN_RING_MAX);
	assert_true(resident() <= full + UNIT);
	/* The cold ones serve again. */
	for (uint64_t i = 0; i < left; i++) {
		mem[i] = dawn_rings_get(r, MIN);
		assert_non_null(mem[i]);
		touch(mem[i], MIN);
	}
	assert_null(dawn_rings_get(r, MIN));
	assert_true(resident() <= full + UNIT);
	dawn_rings_put(r, big, DAWN_RING_MAX);
	assert_non_null(dawn_rings_get(r, MIN));
}

/* Sizes that connections come to in one answer cost no system call again. */
static void middle_ones_are_kept(void **state)
{
	struct dawn_rings *r = *state;

	for (uint32_t size = 2 * MIN; size <= DAWN_RING_WARM; size *= 2) {
		uint8_t *a = dawn_rings_get(r, size);
		uint8_t *b = dawn_rings_get(r, size);

		assert_non_null(a);
		assert_non_null(b);
		touch(a, size);
		touch(b, size);
		dawn_rings_put(r, a, size);
		dawn_rings_put(r, b, size);
		assert_ptr_equal(dawn_rings_get(r, size), b);
		assert_ptr_equal(dawn_rings_get(r, size), a);
		dawn_rings_put(r, a, size);
		dawn_rings_put(r, b, size);
	}
	assert_int_equal(r->used, 0);
}

/* They count: what others take, they lose, before the small ones do. */
static void middle_ones_make_room(void **state)
{
	struct dawn_rings *r = *state;
	uint8_t *big[COUNT * (MIN + DAWN_RING_EXTRA(MIN)) /
		     (DAWN_RING_WARM + DAWN_RING_EXTRA(DAWN_RING_WARM))];
	int count = sizeof(big) / sizeof(big[0]);
	uint8_t *small = dawn_rings_get(r, MIN);
	size_t full;

	touch(small, MIN);
	dawn_rings_put(r, small, MIN);
	for (int i = 0; i < count; i++) {
		big[i] = dawn_rings_get(r, DAWN_RING_WARM);
		assert_non_null(big[i]);
		touch(big[i], DAWN_RING_WARM);
	}
	assert_null(dawn_rings_get(r, DAWN_RING_WARM));
	full = resident();
	for (int i = 0; i < count; i++)
		dawn_rings_put(r, big[i], DAWN_RING_WARM);
	assert_true(resident() >= full - UNIT);
	for (int i = 0; i < COUNT; i++) {
		uint8_t *mem = dawn_rings_get(r, MIN);

		assert_non_null(mem);
		assert_true(i || mem == small);
		touch(mem, MIN);
	}
	assert_null(dawn_rings_get(r, MIN));
	assert_true(resident() <= full + DAWN_RING_WARM);
}

/* Last in, first out: the pages in use stay few. */
static void warm_first(void **state)
{
	struct dawn_rings *r = *state;
	uint8_t *a = dawn_rings_get(r, MIN), *b = dawn_rings_get(r, MIN);

	dawn_rings_put(r, a, MIN);
	assert_ptr_equal(dawn_rings_get(r, MIN), a);
	dawn_rings_put(r, b, MIN);
	dawn_rings_put(r, a, MIN);
	assert_ptr_equal(dawn_rings_get(r, MIN), a);
	assert_ptr_equal(dawn_rings_get(r, MIN), b);
}

/* Random gets and puts, against a plain sum. */
static void random_use(void **state)
{
	struct dawn_rings *r = *state;
	struct {
		uint8_t *mem;
		uint32_t size;
	} held[COUNT] = { { NULL, 0 } };
	uint64_t sum = 0;

	srandom(7);
	for (int i = 0; i < 20000; i++) {
		int k = (int)(random() % COUNT);
		uint32_t size = MIN << random() % 5;

		if (held[k].mem) {
			size = held[k].size;
			assert_int_equal(held[k].mem[0], k);
			assert_int_equal(held[k].mem[dawn_ring_bytes(size) - 1],
					 k);
			dawn_rings_put(r, held[k].mem, size);
			sum -= dawn_ring_bytes(size);
			assert_true(r->used + r->warm_bytes <= r->cap);
			held[k].mem = NULL;
			continue;
		}
		held[k].mem = dawn_rings_get(r, size);
		held[k].size = size;
		if (held[k].mem) {
			held[k].mem[0] = (uint8_t)k;
			held[k].mem[dawn_ring_bytes(size) - 1] = (uint8_t)k;
			sum += dawn_ring_bytes(size);
		} else {
			assert_true(sum + dawn_ring_bytes(size) > r->cap);
		}
		assert_int_equal(sum, r->used);
		assert_true(r->used + r->warm_bytes <= r->cap);
	}
	for (int k = 0; k < COUNT; k++)
		dawn_rings_put(r, held[k].mem, held[k].size);
	assert_int_equal(r->used, 0);
}

static void window_fits_rx_ring(void **state)
{
	static const struct {
		uint32_t frames, payload, size;
	} cases[] = {
		{ 4096, 1448, 2 << 20 },  { 2048, 1448, 1 << 20 },
		{ 8192, 1448, 4 << 20 },  { 32768, 1448, 4 << 20 },
		{ 512, 1448, 256 << 10 }, { 64, 1448, 64 << 10 },
		{ 2048, 524, 512 << 10 }, { 2048, 3600, 2 << 20 },
		{ 8192, 1024, 4 << 20 },  { 8192, 1023, 2 << 20 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(
			dawn_rings_rcv_max(cases[i].frames, cases[i].payload),
			cases[i].size);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(cap_is_kept),
		T(big_ones_count),
		T(big_ones_are_given_back),
		T(warm_ones_make_room),
		T(middle_ones_are_kept),
		T(middle_ones_make_room),
		T(warm_first),
		T(random_use),
		cmocka_unit_test(window_fits_rx_ring),
	};
#undef T

	return cmocka_run_group_tests_name("rings", tests, NULL, NULL);
}
