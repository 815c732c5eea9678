/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel cache's user side on plain memory: what a slot holds, its life,
 * what the dead leave behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/fake_kcache.h"

/* ---- what a slot holds ---- */

static void check_sums(const struct dawn_slot *s)
{
	for (uint32_t i = 0; i < DAWN_PSUMS; i++)
		assert_true(same_sum(s->psum[i],
				     slow_sum(s->data, 16 * (size_t)i)));
}

static void slot_contents(void **state)
{
	static const uint8_t none[DAWN_SLOT_DATA];
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_index_value v;
	const struct dawn_slot *s;
	char expected[256];
	size_t len = sizeof(head_text) - 1 + 5;

	(void)state;
	memset(f->slots, 0xa5, sizeof(f->slots)); /* no zeros by chance */
	for (int i = 0; i < FAKE_SLOTS; i++) {
		f->slots[i].state = DAWN_SLOT_FREE;
		f->slots[i].writer = 0;
		f->slots[i].gen = 7;
		f->hits[i] = 99;
	}
	v = put(kc, "/a", "hello");
	s = dawn_kcache_slot(kc, v.slot);
	assert_int_equal(v.gen, 8);
	assert_int_equal(s->gen, 8);
	assert_int_equal(s->state, DAWN_SLOT_LIVE);
	assert_int_equal(s->writer, 0);
	assert_int_equal(s->resp_len, len);
	assert_int_equal(s->head_len, sizeof(head_text) - 1);
	assert_int_equal(s->date_off, 44);
	assert_int_equal(s->expires_ns, 0);
	memcpy(expected, head_text, sizeof(head_text) - 1);
	memset(expected + 44, 0, DAWN_DATE_LEN);
	memcpy(expected + sizeof(head_text) - 1, "hello", 5);
	assert_memory_equal(s->data, expected, len);
	assert_memory_equal(s->data + len, none, DAWN_SLOT_DATA - len);
	assert_int_equal(s->key.group, 1);
	assert_int_equal(s->key.target_len, 2);
	assert_memory_equal(s->key.target, "/a", 2);
	assert_memory_equal(s->key.target + 2, none, DAWN_TARGET_MAX - 2 + 8);
	check_sums(s);
	assert_int_equal(dawn_kcache_hits(kc, v.slot), 0);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void sizes_and_bounds(void **state)
{
	static uint8_t body[DAWN_RESP_MAX + 1];
	static char target[DAWN_TARGET_MAX + 2];
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_kcache_put p = put_of("/", body, 0);
	struct dawn_index_value v;

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 131 >> 3);
	p.body_len = DAWN_RESP_MAX - p.head_len;
	assert_int_equal(dawn_kcache_put(kc, &p, &v), 0);
	check_sums(dawn_kcache_slot(kc, v.slot));
	p.body_len++;
	assert_int_equal(dawn_kcache_put(kc, &p, &v), -E2BIG);
	p.body_len = SIZE_MAX; /* must not wrap */
	assert_int_equal(dawn_kcache_put(kc, &p, &v), -E2BIG);

	memset(target, '/', sizeof(target) - 1);
	p = put_of(target, body, 10);
	p.target_len = DAWN_TARGET_MAX;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), 0);
	assert_int_equal(
		dawn_kcache_find(kc, 1, 0, target, DAWN_TARGET_MAX, NULL), 0);
	p.target_len++;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -E2BIG);
	p.target_len = 0;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);

	p = put_of("/", body, 10);
	p.date_off = 45;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	p.date_off = (uint32_t)(p.head_len - 28) & ~3U;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	p.date_off = UINT32_MAX & ~3U;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	p.date_off = 0;
	p.head_len = 0;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EINVAL);
	assert_int_equal(count_state(f, DAWN_SLOT_FILLING), 0);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void keys_are_told_apart(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_kcache_put p = put_of("/x", "1", 1);

	(void)state;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), 0);
	assert_int_equal(find(kc, "/x", NULL), 0);
	assert_int_equal(find(kc, "/X", NULL), -ENOENT);
	assert_int_equal(find(kc, "/x ", NULL), -ENOENT);
	assert_int_equal(find(kc, "/", NULL), -ENOENT);
	assert_int_equal(dawn_kcache_find(kc, 2, 0, "/x", 2, NULL), -ENOENT);
	assert_int_equal(dawn_kcache_find(kc, 1, 1, "/x", 2, NULL), -ENOENT);
	assert_int_equal(dawn_kcache_find(kc, 1, 0, "/x", 0, NULL), -ENOENT);
	dawn_kcache_close(kc);
	fake_free(f);
}

/* An index in which all keys have the same hash. */
static const struct dawn_index_key same_hash = { { 1, 1 } };

static int same_get(void *ctx, const struct dawn_index_key *k,
		    struct dawn_index_value *v)
{
	(void)k;
	return fake_index_get(ctx, &same_hash, v);
}

static int same_set(void *ctx, const struct dawn_index_key *k,
		    const struct dawn_index_value *v)
{
	(void)k;
	return fake_index_set(ctx, &same_hash, v);
}

static int same_del(void *ctx, const struct dawn_index_key *k)
{
	(void)k;
	return fake_index_del(ctx, &same_hash);
}

/* As XDP sees it: progrun/test_http, cache_key_differs. */
static void forced_collision(void **state)
{
	struct dawn_kcache_ops ops = fake_ops;
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_index_value a, b, now;

	(void)state;
	ops.index_get = same_get;
	ops.index_set = same_set;
	ops.index_del = same_del;
	kc->m.ops = &ops;
	a = put(kc, "/a", "one");
	assert_int_equal(find(kc, "/b", NULL), -ENOENT);
	/* Whoever takes the one out leaves the other alone. */
	assert_int_equal(take_out(kc, "/b", false), -ENOENT);
	assert_int_equal(find(kc, "/a", NULL), 0);
	f->config.cache_writer = OTHER; /* without the lock as well */
	assert_int_equal(take_out(kc, "/b", false), -ENOENT);
	assert_int_equal(find(kc, "/a", NULL), 0);
	f->config.cache_writer = 0;
	assert_int_equal(reap_all(kc), 0);
	/* One of them at a time: the second takes the first one's place. */
	b = put(kc, "/b", "two");
	assert_int_equal(f->slots[a.slot].state, DAWN_SLOT_RETIRED);
	assert_int_equal(find(kc, "/a", NULL), -ENOENT);
	assert_int_equal(find(kc, "/b", &now), 0);
	assert_int_equal(now.slot, b.slot);
	assert_int_equal(take_out(kc, "/a", false), -ENOENT);
	/* Freeing the first does not drop the second from the index. */
	assert_int_equal(reap_all(kc), 1);
	assert_int_equal(f->slots[a.slot].state, DAWN_SLOT_FREE);
	assert_int_equal(find(kc, "/b", NULL), 0);
	assert_int_equal(take_out(kc, "/b", false), 0);
	assert_int_equal(reap_all(kc), 1);
	dawn_kcache_close(kc);
	fake_free(f);
}

/* ---- life ---- */

static void replace_retires_then_frees(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_index_value a = put(kc, "/a", "one"), b, now;

	(void)state;
	b = put(kc, "/a", "two");
	assert_int_not_equal(a.slot, b.slot);
	assert_int_equal(f->slots[a.slot].state, DAWN_SLOT_RETIRED);
	assert_int_equal(find(kc, "/a", &now), 0);
	assert_int_equal(now.slot, b.slot);
	assert_int_equal(now.gen, b.gen);
	assert_int_equal(reap_all(kc), 1);
	assert_int_equal(f->slots[a.slot].state, DAWN_SLOT_FREE);
	assert_int_equal(f->slots[b.slot].state, DAWN_SLOT_LIVE);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void removal(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	uint32_t graces;

	(void)state;
	put(kc, "/a", "one");
	put(kc, "/b", "two");
	assert_int_equal(take_out(kc, "/c", false), -ENOENT);
	graces = f->graces;
	assert_int_equal(take_out(kc, "/a", false), 0);
	assert_true(f->graces > graces);
	assert_int_equal(find(kc, "/a", NULL), -ENOENT);
	assert_int_equal(take_out(kc, "/a", false), -ENOENT);
	graces = f->graces;
	assert_int_equal(take_out(kc, "/b", true), 0);
	assert_int_equal(f->graces, graces);
	assert_int_equal(count_state(f, DAWN_SLOT_RETIRED), 2);
	assert_int_equal(reap_all(kc), 2);
	assert_int_equal(count_state(f, DAWN_SLOT_FREE), FAKE_SLOTS);
	dawn_kcache_close(kc);
	fake_free(f);
}

/* A run that began before the removal keeps the slot; reap() does not wait. */
static void grace_period_keeps_the_slot(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_index_value a = put(kc, "/a", "one");

	(void)state;
	f->run[0] = 1;
	assert_int_equal(take_out(kc, "/a", true), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(dawn_kcache_reap(kc), 0);
	assert_int_equal(f->slots[a.slot].state, DAWN_SLOT_RETIRED);
	__atomic_store_n(&f->run[0], 2, __ATOMIC_SEQ_CST);
	while (!dawn_kcache_reap(kc))
		sched_yield();
	assert_int_equal(f->slots[a.slot].state, DAWN_SLOT_FREE);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void unacked_response_keeps_the_slot(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_index_value a = put(kc, "/a", "one"), older = a;

	(void)state;
	older.gen--;
	fake_flow(f, 127, true, a);
	fake_flow(f, 3, true, older); /* another gen: no reason to keep it */
	fake_flow(f, 4, false, a);    /* acknowledged */
	assert_int_equal(take_out(kc, "/a", true), 0);
	assert_int_equal(reap_all(kc), 0);
	assert_int_equal(f->slots[a.slot].state, DAWN_SLOT_RETIRED);
	/* Locked by XDP, or the reactor's with CLEAN: still named. */
	f->flows[15].flow[7].owner = dawn_owner(DAWN_OWNER_LOCKED, 0, 0, 0, 2);
	assert_int_equal(reap_all(kc), 0);
	f->flows[15].flow[7].owner =
		dawn_owner(DAWN_OWNER_USER, DAWN_OWNER_CLEAN, 1, 1, 3);
	assert_int_equal(reap_all(kc), 0);
	fake_flow(f, 127, false, a);
	assert_int_equal(reap_all(kc), 1);
	assert_int_equal(f->slots[a.slot].state, DAWN_SLOT_FREE);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void full_then_expired(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_kcache_put p = put_of("/new", "x", 1);
	char target[16];

	(void)state;
	for (int i = 0; i < FAKE_SLOTS; i++) {
		snprintf(target, sizeof(target), "/%d", i);
		p = put_of(target, "x", 1);
		p.ttl_ms = i == 5 ? 50 : 0;
		assert_int_equal(dawn_kcache_put(kc, &p, NULL), 0);
	}
	p = put_of("/new", "x", 1);
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -ENOSPC);
	assert_int_equal(reap_all(kc), 0);
	f->now_ns += 49 * 1000000;
	assert_int_equal(find(kc, "/5", NULL), 0);
	f->now_ns += 1000000;
	assert_int_equal(find(kc, "/5", NULL), -ENOENT);
	assert_int_equal(reap_all(kc), 1);
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), 0);
	assert_int_equal(find(kc, "/new", NULL), 0);
	p.ttl_ms = UINT64_MAX; /* longer than the clock counts: for ever */
	p.target = "/0";
	p.target_len = 2;
	assert_int_equal(take_out(kc, "/1", false), 0);
	assert_int_equal(reap_all(kc), 1);
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), 0);
	f->now_ns = UINT64_MAX - 1;
	assert_int_equal(find(kc, "/0", NULL), 0);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void index_full(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_kcache_put p = put_of("/a", "x", 1);

	(void)state;
	put(kc, "/a", "old");
	f->index_fails = -E2BIG;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -ENOSPC);
	assert_int_equal(f->config.cache_writer, 0);
	assert_int_equal(count_state(f, DAWN_SLOT_LIVE), 1);
	assert_int_equal(count_state(f, DAWN_SLOT_FREE), FAKE_SLOTS - 1);
	assert_int_equal(find(kc, "/a", NULL), 0);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void walk_and_hits(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_index_value v;
	uint32_t next = 0;
	int live = 0;

	(void)state;
	put(kc, "/a", "1");
	v = put(kc, "/b", "2");
	put(kc, "/c", "3");
	take_out(kc, "/a", true);
	f->hits[v.slot] = 17;
	while (dawn_kcache_next(kc, &next))
		live++;
	assert_int_equal(live, 2);
	assert_null(dawn_kcache_slot(kc, FAKE_SLOTS));
	assert_int_equal(dawn_kcache_hits(kc, v.slot), 17);
	assert_int_equal(dawn_kcache_hits(kc, FAKE_SLOTS), 0);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void virtual_hosts(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	char name[DAWN_VHOST_NAME_MAX + 1];

	(void)state;
	assert_int_equal(dawn_kcache_vhost(kc, "a.example", false), -ENOENT);
	assert_int_equal(f->config.vhosts, 0);
	assert_int_equal(dawn_kcache_vhost(kc, "a.example", true), 1);
	assert_int_equal(dawn_kcache_vhost(kc, "b.example", true), 2);
	assert_int_equal(dawn_kcache_vhost(kc, "a.example", true), 1);
	assert_int_equal(dawn_kcache_vhost(kc, "b.example", false), 2);
	assert_int_equal(f->config.vhosts, 2);
	assert_int_equal(dawn_kcache_vhost(kc, "", true), -EINVAL);
	assert_int_equal(dawn_kcache_vhost(kc, "A.example", true), -EINVAL);
	assert_int_equal(dawn_kcache_vhost(kc, "a b", true), -EINVAL);
	memset(name, 'a', sizeof(name));
	name[DAWN_VHOST_NAME_MAX] = '\0';
	assert_int_equal(dawn_kcache_vhost(kc, name, true), -EINVAL);
	name[DAWN_VHOST_NAME_MAX - 1] = '\0';
	assert_int_equal(dawn_kcache_vhost(kc, name, true), 3);
	for (int i = 3; i < FAKE_VHOSTS; i++) {
		snprintf(name, sizeof(name), "h%d", i);
		assert_int_equal(dawn_kcache_vhost(kc, name, true), i + 1);
	}
	assert_int_equal(dawn_kcache_vhost(kc, "more", true), -ENOSPC);
	assert_int_equal(f->config.vhosts, FAKE_VHOSTS);
	dawn_kcache_close(kc);
	fake_free(f);
}

/* ---- what the dead leave ---- */

static void dead_filler(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);

	(void)state;
	for (int i = 0; i < FAKE_SLOTS; i++)
		f->slots[i] = (struct dawn_slot){ .state = DAWN_SLOT_FILLING,
						  .gen = 3,
						  .writer = OTHER };
	assert_int_equal(reap_all(kc), 0); /* it lives: hands off */
	assert_int_equal(count_state(f, DAWN_SLOT_FILLING), FAKE_SLOTS);
	f->dead[0] = OTHER;
	assert_int_equal(reap_all(kc), FAKE_SLOTS);
	assert_int_equal(count_state(f, DAWN_SLOT_FREE), FAKE_SLOTS);
	assert_int_equal(put(kc, "/a", "x").gen, 4);
	dawn_kcache_close(kc);
	fake_free(f);
}

/* Died between claiming the lock and FILLING: the slot must not be lost. */
static void dead_claimer(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	char target[16];

	(void)state;
	for (int i = 0; i < FAKE_SLOTS; i++)
		f->slots[i].writer = OTHER;
	f->dead[1] = OTHER;
	reap_all(kc);
	for (int i = 0; i < FAKE_SLOTS; i++) {
		snprintf(target, sizeof(target), "/%d", i);
		put(kc, target, "x");
	}
	dawn_kcache_close(kc);
	fake_free(f);
}

static void live_but_not_indexed(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_index_value a = put(kc, "/a", "x");

	(void)state;
	f->slots[9] = f->slots[a.slot]; /* a twin, on its way to the index */
	f->slots[9].writer = OTHER;
	assert_int_equal(reap_all(kc), 0);
	assert_int_equal(f->slots[9].state, DAWN_SLOT_LIVE);
	f->dead[0] = OTHER;
	assert_int_equal(reap_all(kc), 1);
	assert_int_equal(f->slots[9].state, DAWN_SLOT_FREE);
	assert_int_equal(f->slots[a.slot].state, DAWN_SLOT_LIVE);
	assert_int_equal(find(kc, "/a", NULL), 0);
	dawn_kcache_close(kc);
	fake_free(f);
}

/* Died right after the index update: the response is good and stays. */
static void dead_after_publishing(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_index_value a = put(kc, "/a", "x");

	(void)state;
	f->slots[a.slot].writer = OTHER;
	f->dead[0] = OTHER;
	assert_int_equal(reap_all(kc), 0);
	assert_int_equal(f->slots[a.slot].state, DAWN_SLOT_LIVE);
	assert_int_equal(f->slots[a.slot].writer, 0);
	assert_int_equal(find(kc, "/a", NULL), 0);
	dawn_kcache_close(kc);
	fake_free(f);
}

/* Retired by a process that then died: another frees it, index entry first. */
static void retired_by_another(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME), *other = fake_open(f, OTHER);
	struct dawn_index_value a = put(other, "/a", "x");
	struct dawn_kcache_put p = put_of("/a", "x", 1);

	(void)state;
	f->slots[a.slot].state = DAWN_SLOT_RETIRED;
	dawn_kcache_close(other);
	assert_int_equal(find(kc, "/a", NULL), -ENOENT);
	assert_int_equal(reap_all(kc), 1);
	assert_int_equal(take_out(kc, "/a", false), -ENOENT);
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), 0);
	assert_int_equal(find(kc, "/a", NULL), 0);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void index_lock(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_kcache_put p = put_of("/b", "x", 1);

	(void)state;
	put(kc, "/a", "x");
	f->config.cache_writer = OTHER; /* stopped while it held it */
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), -EBUSY);
	assert_int_equal(count_state(f, DAWN_SLOT_FREE), FAKE_SLOTS - 1);
	/* A stale response must go nevertheless. */
	assert_int_equal(take_out(kc, "/a", true), 0);
	assert_int_equal(find(kc, "/a", NULL), -ENOENT);
	assert_int_equal(reap_all(kc), 0);
	f->dead[0] = OTHER;
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), 0);
	assert_int_equal(f->config.cache_writer, 0);
	assert_int_equal(reap_all(kc), 1);
	dawn_kcache_close(kc);
	fake_free(f);
}

static void writer_names(void **state)
{
	uint64_t me = dawn_writer_self();
	int status, block[2];
	pid_t pid;

	(void)state;
	assert_int_not_equal(me, 0);
	assert_true(dawn_writer_alive(me));
	/* The pid lives, but started at another time: it was reused. */
	assert_false(dawn_writer_alive(me + (1ULL << 32)));
	/* Another pid namespace: cannot tell. */
	assert_true(dawn_writer_alive((me ^ 1U << 22) + (1ULL << 32)));
	assert_int_equal(pipe(block), 0);
	pid = fork();
	if (!pid) {
		me = dawn_writer_self();
		_exit(write(block[1], &me, sizeof(me)) != sizeof(me));
	}
	assert_true(pid > 0);
	assert_int_equal(read(block[0], &me, sizeof(me)), sizeof(me));
	/* A zombie, then nothing: dead both times. */
	assert_int_equal(
		waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT),
		0);
	assert_false(dawn_writer_alive(me));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(dawn_writer_alive(me));
	close(block[0]);
	close(block[1]);
}

/* Eviction takes what came from a file, that very filling of the slot only. */
static void evict_files_only(void **state)
{
	struct fake *f = fake_new();
	struct dawn_kcache *kc = fake_open(f, ME);
	struct dawn_kcache_put p = put_of("/file", "x", 1);
	struct dawn_index_value op = put(kc, "/op", "x");
	struct dawn_index_value v, old;
	uint32_t free_slots, leaving;

	(void)state;
	p.flags = DAWN_ENTRY_FILE;
	assert_int_equal(dawn_kcache_put(kc, &p, &v), 0);
	dawn_kcache_room(kc, &free_slots, &leaving);
	assert_int_equal(free_slots, FAKE_SLOTS - 2);
	old = (struct dawn_index_value){ v.slot, v.gen - 1 };
	assert_false(dawn_kcache_evict(kc, old));
	old.slot = dawn_kcache_slots(kc);
	assert_false(dawn_kcache_evict(kc, old));
	assert_false(dawn_kcache_evict(kc, op));
	assert_true(dawn_kcache_evict(kc, v));
	assert_false(dawn_kcache_evict(kc, v));
	assert_int_equal(find(kc, "/op", NULL), 0);
	assert_int_equal(find(kc, "/file", NULL), -ENOENT);
	dawn_kcache_room(kc, &free_slots, &leaving);
	assert_int_equal(free_slots, FAKE_SLOTS - 2);
	assert_int_equal(leaving, 1);
	assert_int_equal(reap_all(kc), 1);
	dawn_kcache_room(kc, &free_slots, &leaving);
	assert_int_equal(free_slots, FAKE_SLOTS - 1);
	assert_int_equal(leaving, 0);
	dawn_kcache_close(kc);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(evict_files_only),
		cmocka_unit_test(slot_contents),
		cmocka_unit_test(sizes_and_bounds),
		cmocka_unit_test(keys_are_told_apart),
		cmocka_unit_test(forced_collision),
		cmocka_unit_test(replace_retires_then_frees),
		cmocka_unit_test(removal),
		cmocka_unit_test(grace_period_keeps_the_slot),
		cmocka_unit_test(unacked_response_keeps_the_slot),
		cmocka_unit_test(full_then_expired),
		cmocka_unit_test(index_full),
		cmocka_unit_test(walk_and_hits),
		cmocka_unit_test(virtual_hosts),
		cmocka_unit_test(dead_filler),
		cmocka_unit_test(dead_claimer),
		cmocka_unit_test(live_but_not_indexed),
		cmocka_unit_test(dead_after_publishing),
		cmocka_unit_test(retired_by_another),
		cmocka_unit_test(index_lock),
		cmocka_unit_test(writer_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
