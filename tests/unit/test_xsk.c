// SPDX-License-Identifier: MIT OR Apache-2.0
/* No chunk of an AF_XDP socket is lost, whatever the order in which the kernel
 * publishes its two rings. The rings are memory of the test, which plays the
 * kernel; the file is included for its struct. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Its insides too. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "user/net/xsk.c"

#define RING 8

static struct {
	uint32_t rx_prod, rx_cons, fill_prod, fill_cons, flags;
	struct xdp_desc rx[RING];
	uint64_t fill[RING];
	uint8_t area[RING * DAWN_XSK_CHUNK];
	uint64_t refill[RING];
	uint32_t taken; /* by the kernel, off the fill ring */
} k;

static struct dawn_xsk make(void)
{
	struct dawn_xsk x = { .area = k.area,
			      .ring_size = RING,
			      .refill = k.refill };

	memset(&k, 0, sizeof(k));
	x.rx = (struct xsk_ring_cons){ .mask = RING - 1,
				       .size = RING,
				       .producer = &k.rx_prod,
				       .consumer = &k.rx_cons,
				       .ring = k.rx,
				       .flags = &k.flags };
	x.fill = (struct xsk_ring_prod){ .cached_prod = RING,
					 .cached_cons = RING,
					 .mask = RING - 1,
					 .size = RING,
					 .producer = &k.fill_prod,
					 .consumer = &k.fill_cons,
					 .ring = k.fill,
					 .flags = &k.flags };
	for (uint64_t i = 0; i < RING; i++)
		k.fill[i] = i * DAWN_XSK_CHUNK;
	k.fill_prod = RING;
	return x;
}

/* A frame into the next chunk. xsk_flush(): the frame shows first. */
static void kernel_receives(void)
{
	uint64_t addr = k.fill[k.taken++ % RING];

	assert_true(k.taken <= k.fill_prod);
	k.rx[k.rx_prod % RING] =
		(struct xdp_desc){ .addr = addr + 256, .len = 60 };
	k.rx_prod++;
}

static void kernel_is_done(void)
{
	k.fill_cons = k.taken;
}

static void check_whole(struct dawn_xsk *x)
{
	uint32_t seen = 0;

	kernel_is_done();
	assert_int_equal(dawn_xsk_rx(x, &(const struct dawn_xsk_frame *){ 0 }),
			 0);
	assert_int_equal(k.fill_prod - k.fill_cons, RING);
	for (uint32_t i = 0; i < RING; i++)
		seen |= 1U << k.fill[i] / DAWN_XSK_CHUNK;
	assert_int_equal(seen, (1U << RING) - 1);
}

static void test_frame_before_chunk(void **state)
{
	struct dawn_xsk x = make();
	const struct dawn_xsk_frame *frames;

	(void)state;
	for (uint32_t i = 0; i < 3 * RING; i++) {
		uint32_t n = i % 3 + 1;

		for (uint32_t j = 0; j < n; j++)
			kernel_receives();
		if (i % 2)
			kernel_is_done();
		assert_int_equal(dawn_xsk_rx(&x, &frames), n);
		assert_int_equal(frames[0].len, 60);
		dawn_xsk_rx_done(&x);
		if (i % 4 == 0)
			check_whole(&x);
	}
	check_whole(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame_before_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
