/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel cache's user side by force: several writers (threads; processes
 * that get killed) under readers that do what XDP does. By chance, step by step:
 * test_kcache_model.c.
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

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
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
	/* More rounds if no reader had a CPU when there was something to read. */
	for (uint32_t round = 0; round < 40 || !hits; round++) {
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
	check_no_leak(f);
	assert_int_equal(f->config.cache_writer, 0);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writer_threads),
		cmocka_unit_test(writer_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
