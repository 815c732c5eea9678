/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* XDP may know a slot without the index (bpf/memo.bpf.h), so no purge may return
 * while an old one is LIVE, wherever another process stands in its own call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_kcache.h"

static struct dawn_kcache *purger; /* comes in the middle of a call, once */
static jmp_buf killed;
static bool kill_now;

static void interrupt(struct fake *f)
{
	struct dawn_kcache *other = purger;

	purger = NULL;
	if (!other)
		return;
	if (kill_now) {
		f->dead[0] = ME;
		longjmp(killed, 1);
	}
	take_out(other, "/a", true);
	assert_int_equal(count_state(f, DAWN_SLOT_LIVE), 0);
}

static int set_then_interrupt(void *ctx, const struct dawn_index_key *k,
			      const struct dawn_index_value *v)
{
	int err = fake_index_set(ctx, k, v);

	interrupt(ctx);
	return err;
}

static int del_then_interrupt(void *ctx, const struct dawn_index_key *k)
{
	int err = fake_index_del(ctx, k);

	interrupt(ctx);
	return err;
}

static void call_until_killed(struct dawn_kcache *kc, bool is_put)
{
	if (setjmp(killed))
		return;
	if (is_put)
		put(kc, "/a", "new");
	else
		take_out(kc, "/a", true);
}

static void purge_meanwhile(void **state)
{
	struct dawn_kcache_ops ops = fake_ops;
	struct dawn_kcache *kc, *other;
	struct fake *f;

	(void)state;
	ops.index_set = set_then_interrupt;
	ops.index_del = del_then_interrupt;
	for (int i = 0; i < 4; i++) {
		f = fake_new();
		kc = fake_open(f, ME);
		other = fake_open(f, OTHER);
		kc->m.ops = &ops;
		put(kc, "/a", "old");
		purger = other;
		kill_now = i % 2;
		call_until_killed(kc, i / 2);
		if (kill_now) {
			take_out(other, "/a", true);
			assert_int_equal(count_state(f, DAWN_SLOT_LIVE), 0);
		}
		dawn_kcache_close(other);
		dawn_kcache_close(kc);
		fake_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(purge_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
