/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* maps/siphash.h: its rounds against the published SipHash-2-4 (vectors made
 * with `openssl mac -macopt size:8 SIPHASH`, the 15-byte one also in the
 * paper's appendix A), and what our own word-wise hashes promise: every bit
 * counts, sets fill evenly, and keys that differ in length differ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "maps/cache.h"
#include "maps/flow_table.h"

static const struct dawn_sipkey paper_key = { { 0x0706050403020100ULL,
						0x0f0e0d0c0b0a0908ULL } };

/* SipHash-2-4 of the paper, over our rounds: little-endian words, the last one
 * padded and with the length in its top byte. */
static uint64_t siphash_2_4(const uint8_t *data, size_t len)
{
	struct dawn_sipstate s;
	uint64_t last = (uint64_t)len << 56, w;
	size_t i = 0;

	dawn_sip_init(&s, &paper_key);
	for (; i + 8 <= len; i += 8) {
		memcpy(&w, data + i, 8);
		dawn_sip_add(&s, w);
	}
	for (size_t j = 0; i + j < len; j++)
		last |= (uint64_t)data[i + j] << 8 * j;
	dawn_sip_add(&s, last);
	return dawn_sip_end(&s, 4);
}

static void published_vectors(void **state)
{
	uint8_t data[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		data[i] = (uint8_t)i;
	assert_int_equal(siphash_2_4(data, 0), 0x726fdb47dd0e0e31ULL);
	assert_int_equal(siphash_2_4(data, 8), 0x93f5f5799a932462ULL);
	assert_int_equal(siphash_2_4(data, 15), 0xa129ca6149be45e5ULL);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void random_flow(uint64_t *seed, struct dawn_addr *a, uint16_t *port)
{
	a->q[0] = next_random(seed);
	a->q[1] = next_random(seed);
	*port = (uint16_t)next_random(seed);
}

static uint64_t flow_bits(const struct dawn_addr *a, uint16_t port)
{
	struct dawn_flow_hash h;

	dawn_flow_hash(&h, &paper_key, a, port, 3);
	return (uint64_t)h.tag << 40 ^ (uint64_t)h.set[1] << 20 ^ h.set[0];
}

/* Flip each of the 144 bits of address and port: of the 63 hash bits kept,
 * about half must change. */
static void flow_avalanche(void **state)
{
	uint64_t seed = 42, changed, total;
	struct dawn_addr a, b;
	uint16_t port, p;

	(void)state;
	for (int bit = 0; bit < 144; bit++) {
		total = 0;
		for (int n = 0; n < 500; n++) {
			random_flow(&seed, &a, &port);
			b = a;
			p = port;
			if (bit < 128)
				b.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			else
				p ^= (uint16_t)(1 << (bit - 128));
			changed = flow_bits(&a, port) ^ flow_bits(&b, p);
			total += (uint64_t)__builtin_popcountll(changed);
		}
		/* mean 31.5 of 63, sigma of the sum about 89 */
		assert_in_range(total, 500 * 63 / 2 - 600, 500 * 63 / 2 + 600);
	}
}

/* The worst input there is in practice: one network, consecutive addresses and
 * ports. Chi-square of the fill of 2,048 sets must look like chance, for each
 * of the two choices, and the tags must not repeat more than chance would. */
static void flow_spread(void **state)
{
	enum { SETS = 2048, FLOWS = SETS * 64 };
	static uint32_t fill[2][SETS];
	struct dawn_flow_hash h;
	struct dawn_addr a;
	double chi, d;

	(void)state;
	for (uint32_t n = 0; n < FLOWS; n++) {
		dawn_addr_from_v4(&a, __builtin_bswap32(0xc6120000 + n / 256));
		dawn_flow_hash(&h, &paper_key, &a,
			       __builtin_bswap16((uint16_t)(32768 + n % 256)),
			       1);
		assert_int_not_equal(h.tag, 0);
		fill[0][h.set[0] % SETS]++;
		fill[1][h.set[1] % SETS]++;
	}
	for (int c = 0; c < 2; c++) {
		chi = 0;
		for (int i = 0; i < SETS; i++) {
			d = (double)fill[c][i] - 64;
			chi += d * d / 64;
		}
		/* 2,047 degrees of freedom: sigma 64; six of them either way */
		assert_true(chi > 2047 - 384 && chi < 2047 + 384);
	}
}

static void cache_key_of(struct dawn_cache_key *ck, const char *target)
{
	memset(ck, 0, sizeof(*ck));
	ck->group = 1;
	ck->target_len = (uint16_t)strlen(target);
	memcpy(ck->target, target, ck->target_len);
}

static bool same_hash(const struct dawn_cache_key *a,
		      const struct dawn_cache_key *b,
		      const struct dawn_sipkey *key)
{
	struct dawn_index_key x, y;

	dawn_cache_hash(&x, key, a);
	dawn_cache_hash(&y, key, b);
	return x.h[0] == y.h[0] || x.h[1] == y.h[1];
}

/* No length word is appended, so one key must never be another's beginning:
 * target_len stands in the first word. */
static void cache_key_lengths(void **state)
{
	struct dawn_cache_key a, b;
	char target[DAWN_TARGET_MAX + 1] = "";

	(void)state;
	cache_key_of(&a, "/");
	b = a;
	b.target_len = 2; /* "/" and a NUL: same padded words but the first */
	assert_false(same_hash(&a, &b, &paper_key));
	for (size_t len = 1; len < DAWN_TARGET_MAX; len++) {
		memset(target, '/', len);
		cache_key_of(&a, target);
		target[len] = '/';
		cache_key_of(&b, target);
		assert_false(same_hash(&a, &b, &paper_key));
	}
}

/* Every byte of the key counts, the secret too; what lies behind the padded
 * target does not (XDP leaves old bytes there). */
static void cache_key_bytes(void **state)
{
	struct dawn_sipkey other = paper_key;
	struct dawn_index_key x, y;
	struct dawn_cache_key a, b;
	uint8_t *p = (uint8_t *)&b;

	(void)state;
	cache_key_of(&a, "/index.html?a=0123456789");
	for (size_t i = 0; i < 8U + a.target_len; i++) {
		b = a;
		p[i] ^= 1;
		if (i == 4 || i == 5)
			continue; /* target_len: see above */
		assert_false(same_hash(&a, &b, &paper_key));
	}
	b = a;
	other.k[1] ^= 1ULL << 63;
	dawn_cache_hash(&x, &paper_key, &a);
	dawn_cache_hash(&y, &other, &a);
	assert_true(x.h[0] != y.h[0] && x.h[1] != y.h[1]);
	memset(b.target + 24, 0xff, DAWN_TARGET_MAX - 24);
	dawn_cache_hash(&y, &paper_key, &b);
	assert_true(x.h[0] == y.h[0] && x.h[1] == y.h[1]);
	assert_int_not_equal(x.h[0], x.h[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(flow_avalanche),
		cmocka_unit_test(flow_spread),
		cmocka_unit_test(cache_key_lengths),
		cmocka_unit_test(cache_key_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
