/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel cache's user side on plain memory: what a slot holds, its life,
 * what the dead leave behind, random runs against a slow obvious model, and
 * several writers (threads; processes that get killed) under a reader that
 * does what XDP does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/fake_kcache.h"

#define ME    0x100000001ULL
#define OTHER 0x200000002ULL

static const char head_text[] = "HTTP/1.1 200 OK\r\n"
				"Server: binary-dawn\r\n"
				"Date: Sat, 21 Nov 2026 01:00:00 GMT\r\n"
				"Content-Length: 5\r\n\r\n";

static struct dawn_kcache_put put_of(const char *target, const void *body,
				     size_t len)
{
	return (struct dawn_kcache_put){
		.group = 1,
		.target = target,
		.target_len = strlen(target),
		.head = head_text,
		.head_len = sizeof(head_text) - 1,
		.date_off = 44,
		.body = body,
		.body_len = len,
	};
}

static struct dawn_index_value put(struct dawn_kcache *kc, const char *target,
				   const char *body)
{
	struct dawn_kcache_put p = put_of(target, body, strlen(body));
	struct dawn_index_value v = { ~0U, 0 };

	assert_int_equal(dawn_kcache_put(kc, &p, &v), 0);
	return v;
}

static int find(struct dawn_kcache *kc, const char *target,
		struct dawn_index_value *v)
{
	return dawn_kcache_find(kc, 1, 0, target, strlen(target), v);
}

static int take_out(struct dawn_kcache *kc, const char *target, bool async)
{
	return dawn_kcache_remove(kc, 1, 0, target, strlen(target), async);
}

/* Reap until nothing more can come of it: the grace thread needs its time. */
static int reap_all(struct dawn_kcache *kc)
{
	int freed = 0;

	for (int i = 0; i < 3; i++)
		freed += dawn_kcache_sync(kc);
	return freed;
}

static int count_state(const struct fake *f, enum dawn_slot_state state)
{
	int n = 0;

	for (int i = 0; i < FAKE_SLOTS; i++)
		n += f->slots[i].state == state;
	return n;
}

/* ---- what a slot holds ---- */

static uint16_t slow_sum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;
	uint16_t w;

	for (size_t i = 0; i < len; i += 2) {
		memcpy(&w, data + i, 2);
		sum += w;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)sum;
}

static bool same_sum(uint16_t a, uint16_t b)
{
	return a % 0xffff == b % 0xffff; /* two ways to write zero */
}

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

/* ---- random runs against a slow obvious model ---- */

#define MODEL_KEYS  24
#define MODEL_FLOWS 40

struct model {
	int version[MODEL_KEYS];      /* 0: absent */
	uint64_t expires[MODEL_KEYS]; /* ns; 0 never */
	struct dawn_index_value at[MODEL_KEYS];
	struct dawn_index_value flow[MODEL_FLOWS]; /* gen 0: names none */
};

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

static bool model_has(const struct model *m, const struct fake *f, int k)
{
	return m->version[k] && (!m->expires[k] || f->now_ns < m->expires[k]);
}

static void model_put(struct model *m, struct fake *f, struct dawn_kcache *kc,
		      int k, int version, uint32_t ttl_ms)
{
	char target[16], body[64];
	struct dawn_kcache_put p;
	int err;

	snprintf(target, sizeof(target), "/k%d", k);
	snprintf(body, sizeof(body), "%d:%d", k, version);
	p = put_of(target, body, strlen(body));
	p.ttl_ms = ttl_ms;
	err = dawn_kcache_put(kc, &p, &m->at[k]);
	if (err == -ENOSPC)
		return; /* the old one stays */
	assert_int_equal(err, 0);
	m->version[k] = version;
	m->expires[k] = ttl_ms ? f->now_ns + ttl_ms * 1000000ULL : 0;
}

static void model_remove(struct model *m, struct fake *f,
			 struct dawn_kcache *kc, int k, bool async)
{
	bool had = model_has(m, f, k);
	char target[16];
	int err;

	snprintf(target, sizeof(target), "/k%d", k);
	err = take_out(kc, target, async);
	if (had)
		assert_int_equal(err, 0); /* else: expired, reaped or not */
	m->version[k] = 0;
}

static void model_check(const struct model *m, struct fake *f,
			struct dawn_kcache *kc)
{
	struct dawn_index_value v;
	const struct dawn_slot *s;
	char target[16], body[64];
	int err;

	for (int k = 0; k < MODEL_KEYS; k++) {
		snprintf(target, sizeof(target), "/k%d", k);
		err = find(kc, target, &v);
		assert_int_equal(err, model_has(m, f, k) ? 0 : -ENOENT);
		if (err)
			continue;
		snprintf(body, sizeof(body), "%d:%d", k, m->version[k]);
		s = dawn_kcache_slot(kc, v.slot);
		assert_int_equal(v.slot, m->at[k].slot);
		assert_int_equal(s->resp_len,
				 sizeof(head_text) - 1 + strlen(body));
		assert_memory_equal(s->data + s->head_len, body, strlen(body));
	}
	for (int i = 0; i < MODEL_FLOWS; i++)
		if (m->flow[i].gen) {
			s = &f->slots[m->flow[i].slot];
			assert_int_equal(s->gen, m->flow[i].gen);
			assert_in_range(s->state, DAWN_SLOT_LIVE,
					DAWN_SLOT_RETIRED);
		}
}

static void model_step(struct model *m, struct fake *f, struct dawn_kcache *kc,
		       uint64_t *seed, int step)
{
	int k = (int)(next_random(seed) % MODEL_KEYS);
	uint32_t flow = next_random(seed) % MODEL_FLOWS;

	switch (next_random(seed) % 8) {
	case 0:
	case 1:
		model_put(m, f, kc, k, step + 1,
			  next_random(seed) % 2 ? next_random(seed) % 40 : 0);
		break;
	case 2:
		model_remove(m, f, kc, k, true);
		break;
	case 3:
		model_remove(m, f, kc, k, false);
		break;
	case 4: /* XDP answers a request */
		if (model_has(m, f, k) && !m->flow[flow].gen) {
			m->flow[flow] = m->at[k];
			fake_flow(f, flow, true, m->at[k]);
		}
		break;
	case 5: /* the peer acknowledges */
		m->flow[flow].gen = 0;
		fake_flow(f, flow, false, m->flow[flow]);
		break;
	case 6:
		dawn_kcache_reap(kc);
		break;
	case 7:
		f->now_ns += next_random(seed) % 20 * 1000000;
		break;
	}
}

static void model_run(uint64_t seed)
{
	struct fake *f = fake_new();
	/* Two processes, used in turn by chance. */
	struct dawn_kcache *kc[2] = { fake_open(f, ME), fake_open(f, OTHER) };
	struct model m = { 0 };
	int live = 0;

	for (int step = 0; step < 3000; step++) {
		model_step(&m, f, kc[next_random(&seed) % 2], &seed, step);
		model_check(&m, f, kc[step % 2]);
	}
	for (uint32_t i = 0; i < MODEL_FLOWS; i++)
		fake_flow(f, i, false, m.flow[i]);
	reap_all(kc[0]);
	for (int k = 0; k < MODEL_KEYS; k++)
		live += model_has(&m, f, k);
	assert_int_equal(count_state(f, DAWN_SLOT_LIVE), live);
	assert_int_equal(count_state(f, DAWN_SLOT_FREE), FAKE_SLOTS - live);
	dawn_kcache_close(kc[0]);
	dawn_kcache_close(kc[1]);
	fake_free(f);
}

static void random_runs(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		model_run(seed);
}

/* ---- many writers, a reader that does what XDP does ---- */

#define RACE_KEYS 6

/* A response that shows when it is torn: every word says which it is. */
static size_t race_body(uint32_t *body, uint32_t id)
{
	size_t words = 100 + id % 3000;

	for (size_t i = 0; i < words; i++)
		body[i] = id;
	return words * 4;
}

static void race_write(struct fake *f, uint64_t writer, uint32_t salt,
		       uint32_t rounds)
{
	static _Thread_local uint32_t body[4096];
	struct dawn_kcache *kc = fake_open(f, writer);
	struct dawn_kcache_put p;
	uint64_t seed = salt;
	char target[16];

	for (uint32_t n = 0; n < rounds && !fake_stopped(f); n++) {
		snprintf(target, sizeof(target), "/r%u",
			 next_random(&seed) % RACE_KEYS);
		p = put_of(target, body, race_body(body, salt * 100000 + n));
		if (next_random(&seed) % 4)
			dawn_kcache_put(kc, &p, NULL);
		else
			take_out(kc, target, true);
		dawn_kcache_reap(kc);
	}
	dawn_kcache_close(kc);
}

struct race_reader {
	struct fake *f;
	int number;
	bool stop;
	uint64_t hits, torn;
};

/* One XDP run: look up, check, copy, check. */
static void race_read(struct race_reader *r, const struct dawn_cache_key *ck)
{
	static _Thread_local uint8_t copy[DAWN_SLOT_DATA];
	struct dawn_index_value v;
	struct dawn_index_key ik;
	struct dawn_slot *s;
	uint32_t len, head, first, w;

	dawn_cache_hash(&ik, &r->f->config.cache_key, ck);
	if (fake_index_get(r->f, &ik, &v))
		return;
	s = &r->f->slots[v.slot];
	if (kc_word(s).v != kc_make_word(DAWN_SLOT_LIVE, v.gen).v ||
	    memcmp(&s->key, ck, sizeof(*ck)))
		return;
	len = s->resp_len;
	head = s->head_len;
	memcpy(copy, s->data, sizeof(copy));
	__atomic_fetch_add(&r->hits, 1, __ATOMIC_SEQ_CST);
	memcpy(&first, copy + head, 4);
	r->torn += len - head != (100 + first % 3000) * 4;
	for (uint32_t i = head; i < len; i += 4) {
		memcpy(&w, copy + i, 4);
		r->torn += w != first;
	}
	r->torn += !same_sum(s->psum[len / 16],
			     slow_sum(copy, (size_t)(len / 16) * 16));
}

static void *race_reader_main(void *arg)
{
	struct race_reader *r = arg;
	struct dawn_cache_key ck = { .group = 1, .target_len = 3 };
	uint64_t *run = &r->f->run[r->number];

	for (uint32_t n = 0; !__atomic_load_n(&r->stop, __ATOMIC_SEQ_CST);
	     n++) {
		memcpy(ck.target, "/r", 2);
		ck.target[2] = (uint8_t)('0' + n % RACE_KEYS);
		__atomic_fetch_add(run, 1, __ATOMIC_SEQ_CST);
		race_read(r, &ck);
		__atomic_fetch_add(run, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void readers_start(struct race_reader *r, pthread_t *t, struct fake *f)
{
	for (int i = 0; i < FAKE_READERS; i++) {
		r[i] = (struct race_reader){ .f = f, .number = i };
		assert_int_equal(
			pthread_create(&t[i], NULL, race_reader_main, &r[i]),
			0);
	}
}

static uint64_t readers_stop(struct race_reader *r, pthread_t *t)
{
	uint64_t hits = 0;

	for (int i = 0; i < FAKE_READERS; i++) {
		__atomic_store_n(&r[i].stop, true, __ATOMIC_SEQ_CST);
		pthread_join(t[i], NULL);
		assert_int_equal(r[i].torn, 0);
		hits += r[i].hits;
	}
	return hits;
}

/* Nothing may be lost: what is not in the index is free again. */
static void check_no_leak(struct fake *f)
{
	struct dawn_kcache *kc = fake_open(f, ME);
	char target[16];
	int live = 0;

	reap_all(kc);
	for (int k = 0; k < RACE_KEYS; k++) {
		snprintf(target, sizeof(target), "/r%d", k);
		live += !find(kc, target, NULL);
	}
	assert_int_equal(count_state(f, DAWN_SLOT_LIVE), live);
	assert_int_equal(count_state(f, DAWN_SLOT_FREE), FAKE_SLOTS - live);
	dawn_kcache_close(kc);
}

struct race_writer {
	struct fake *f;
	uint32_t number;
};

static void *race_writer_main(void *arg)
{
	struct race_writer *w = arg;

	race_write(w->f, ME + w->number, w->number, UINT32_MAX);
	return NULL;
}

static void writer_threads(void **state)
{
	struct fake *f = fake_new();
	struct race_reader r[FAKE_READERS];
	pthread_t rt[FAKE_READERS], wt[3];
	struct race_writer w[3];

	(void)state;
	readers_start(r, rt, f);
	for (uint32_t i = 0; i < 3; i++) {
		w[i] = (struct race_writer){ f, i + 1 };
		assert_int_equal(
			pthread_create(&wt[i], NULL, race_writer_main, &w[i]),
			0);
	}
	for (int i = 0; i < FAKE_READERS; i++)
		while (__atomic_load_n(&r[i].hits, __ATOMIC_SEQ_CST) < 1500)
			sched_yield();
	__atomic_store_n(&f->stop, true, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 3; i++)
		pthread_join(wt[i], NULL);
	readers_stop(r, rt);
	check_no_leak(f);
	fake_free(f);
}

/* Writers that are killed anywhere, and others that go on. */
static void writer_processes(void **state)
{
	struct fake *f = fake_new();
	struct race_reader r[FAKE_READERS];
	pthread_t rt[FAKE_READERS];
	uint64_t hits = 0;
	pid_t pid[3] = { 0 };

	(void)state;
	f->real_processes = true;
	for (uint32_t round = 0; round < 40; round++) {
		for (uint32_t i = 0; i < 3; i++) {
			pid[i] = fork();
			assert_true(pid[i] >= 0);
			if (pid[i])
				continue;
			race_write(f, dawn_writer_self(), round * 3 + i + 1,
				   i ? 40 : UINT32_MAX);
			_exit(0);
		}
		readers_start(r, rt, f);
		/* Two end by themselves, one is killed in the act. */
		for (int i = 1; i < 3; i++)
			waitpid(pid[i], NULL, 0);
		kill(pid[0], SIGKILL);
		waitpid(pid[0], NULL, 0);
		hits += readers_stop(r, rt);
	}
	assert_true(hits > 100);
	check_no_leak(f);
	assert_int_equal(f->config.cache_writer, 0);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slot_contents),
		cmocka_unit_test(sizes_and_bounds),
		cmocka_unit_test(keys_are_told_apart),
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
		cmocka_unit_test(random_runs),
		cmocka_unit_test(writer_threads),
		cmocka_unit_test(writer_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
