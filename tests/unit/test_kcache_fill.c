/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What put() writes into a slot beside the response: tags, and what conditional
 * requests are answered with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/fake_kcache.h"

static void tags(void **state)
{
	static const char *const names[] = {
		"a",    "b",   "aaaaaaaa",        "aaaaaaaaa",
		"a\0b", "a\0", "tag of a product"
	};
	static const size_t lens[] = { 1, 1, 8, 9, 3, 2, 16 };
	uint64_t tag[7];
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_kcache_put p = put_of("/", "body", 4);
	struct dawn_index_value v;

	(void)state;
	for (int i = 0; i < 7; i++) {
		tag[i] = dawn_kcache_tag(kc, names[i], lens[i]);
		assert_true(tag[i] != 0);
		assert_true(tag[i] == dawn_kcache_tag(kc, names[i], lens[i]));
		for (int k = 0; k < i; k++)
			assert_true(tag[i] != tag[k]);
	}
	for (int i = 0; i < DAWN_TAGS_MAX; i++)
		p.tags[i] = tag[i];
	assert_int_equal(dawn_kcache_put(kc, &p, &v), 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(
			dawn_slot_has_tag(dawn_kcache_slot(kc, v.slot), tag[i]),
			i < DAWN_TAGS_MAX);
	p = put_of("/", "body", 4);
	assert_int_equal(dawn_kcache_put(kc, &p, &v), 0);
	assert_false(dawn_slot_has_tag(dawn_kcache_slot(kc, v.slot), tag[0]));
	f->config.cache_key.k[0]++; /* other maps, other hashes */
	assert_true(dawn_kcache_tag(kc, "a", 1) != tag[0]);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void not_modified(void **state)
{
	static const uint8_t none[DAWN_NM_MAX];
	static char nm[DAWN_NM_MAX + 1];
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_kcache_put p = put_of("/", "body", 4);
	struct dawn_index_value v;
	const struct dawn_slot *s;

	(void)state;
	memset(f->slots, 0xa5, sizeof(f->slots));
	for (int i = 0; i < FAKE_SLOTS; i++) {
		f->slots[i].state = DAWN_SLOT_FREE;
		f->slots[i].writer = 0;
	}
	memset(nm, 'n', sizeof(nm));
	assert_int_equal(dawn_kcache_put(kc, &p, &v), 0);
	s = dawn_kcache_slot(kc, v.slot);
	assert_int_equal(s->nm_len + s->etag_off + s->modified_off, 0);
	assert_memory_equal(s->nm, none, sizeof(none));

	p.nm = nm;
	p.nm_date_off = 54;
	p.etag_off = 10;
	p.modified_off = (uint32_t)p.head_len - DAWN_DATE_LEN;
	for (p.nm_len = 83; p.nm_len <= DAWN_NM_MAX; p.nm_len++) {
		p.etag_len = 2 + (uint32_t)p.nm_len % (DAWN_ETAG_MAX - 1);
		if (p.etag_len > p.head_len - p.etag_off)
			p.etag_len = 2;
		assert_int_equal(dawn_kcache_put(kc, &p, &v), 0);
		s = dawn_kcache_slot(kc, v.slot);
		assert_int_equal(s->nm_len, p.nm_len);
		assert_int_equal(s->nm_date_off, 54);
		assert_int_equal(s->etag_off, 10);
		assert_int_equal(s->etag_len, p.etag_len);
		assert_int_equal(s->modified_off, p.modified_off);
		assert_memory_equal(s->nm, nm, 54);
		assert_memory_equal(s->nm + 54, none, DAWN_DATE_LEN);
		assert_memory_equal(s->nm + 83, nm, p.nm_len - 83);
		assert_memory_equal(s->nm + p.nm_len, none,
				    DAWN_NM_MAX - p.nm_len);
		assert_true(same_sum(s->nm_sum, slow_sum(s->nm, DAWN_NM_MAX)));
		dawn_kcache_sync(kc);
	}
	/* Too long to be sent from there: the reactor's. */
	assert_int_equal(dawn_kcache_put(kc, &p, &v), 0);
	s = dawn_kcache_slot(kc, v.slot);
	assert_int_equal(s->nm_len + s->nm_date_off, 0);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void not_modified_bounds(void **state)
{
	static const char nm[100];
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_kcache_put p = put_of("/", "body", 4);

	(void)state;
	p.nm = nm;
	p.nm_len = sizeof(nm);
	p.etag_off = 10;
	p.etag_len = 2;
	p.modified_off = (uint32_t)p.head_len - DAWN_DATE_LEN;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), 0);
	p.nm_date_off = 53;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	p.nm_date_off = 72;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	p.nm_date_off = UINT32_MAX - 1;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	p.nm_date_off = 0;
	p.modified_off++;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	p.modified_off = UINT32_MAX;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	p.modified_off = 0;
	p.etag_len = (uint32_t)p.head_len - p.etag_off + 1;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	p.etag_len = UINT32_MAX;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	p.etag_len = 1;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	p.etag_len = 2;
	p.etag_off = UINT32_MAX - 1;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	dawn_kcache_close(kc);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags),
		cmocka_unit_test(not_modified),
		cmocka_unit_test(not_modified_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
