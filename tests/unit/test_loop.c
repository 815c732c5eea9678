// SPDX-License-Identifier: MIT OR Apache-2.0
/* The event loop: timers against a sorted list, sources that remove one
 * another, posts from other threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "user/io/loop.h"

#define TIMERS 500

static struct dawn_loop *loop;

static int setup(void **state)
{
	(void)state;
	return dawn_loop_create(&loop);
}

static int teardown(void **state)
{
	(void)state;
	dawn_loop_destroy(loop);
	loop = NULL;
	return 0;
}

/* --- timers -------------------------------------------------------------- */

struct item {
	struct dawn_timer timer;
	bool set;
	bool fired;
};

static struct item items[TIMERS];
static uint64_t last_due_us;
static int fired, expected;

static void item_fire(struct dawn_timer *t, uint64_t now_us)
{
	struct item *i = (struct item *)t;

	assert_true(i->set);
	assert_false(i->fired);
	assert_true(t->due_us <= now_us);
	assert_true(t->due_us >= last_due_us);
	assert_int_equal(t->pos, 0);
	last_due_us = t->due_us;
	i->fired = true;
	if (++fired == expected)
		dawn_loop_stop(loop);
}

static void set_item(struct item *i)
{
	uint64_t due = dawn_loop_now_us(loop) + (uint64_t)(rand() % 5000);

	i->timer.fire = item_fire;
	i->set = true;
	assert_int_equal(dawn_loop_timer(loop, &i->timer, due), 0);
}

/* Set, move and stop at random: those set fire once, in order. */
static void timers_fire_in_order(void **state)
{
	(void)state;
	srand(1);
	for (int n = 0; n < 20000; n++) {
		struct item *i = &items[rand() % TIMERS];

		if (rand() % 3) {
			set_item(i);
		} else {
			dawn_loop_timer_stop(loop, &i->timer);
			i->set = false;
		}
	}
	expected = 0;
	for (int n = 0; n < TIMERS; n++)
		expected += items[n].set;
	assert_true(expected > 100);
	fired = 0;
	last_due_us = 0;
	assert_int_equal(dawn_loop_run(loop), 0);
	for (int n = 0; n < TIMERS; n++)
		assert_int_equal(items[n].set, items[n].fired);
}

static struct dawn_timer greedy;
static struct dawn_source quiet;
static int greedy_count;

static void greedy_fire(struct dawn_timer *t, uint64_t now_us)
{
	greedy_count++;
	dawn_loop_timer(loop, t, now_us);
}

static void quiet_ready(struct dawn_source *src, uint32_t events)
{
	(void)src;
	assert_true(events & EPOLLIN);
	dawn_loop_stop(loop);
}

static void timer_set_to_now_starves_nothing(void **state)
{
	(void)state;
	quiet.fd = eventfd(1, EFD_NONBLOCK);
	quiet.ready = quiet_ready;
	greedy.fire = greedy_fire;
	assert_int_equal(dawn_loop_add(loop, &quiet, EPOLLIN), 0);
	assert_int_equal(dawn_loop_timer(loop, &greedy, 0), 0);
	assert_int_equal(dawn_loop_run(loop), 0);
	assert_true(greedy_count >= 1);
	dawn_loop_remove(loop, &quiet);
	close(quiet.fd);
}

/* --- sources ------------------------------------------------------------- */

#define PEERS 20
static struct dawn_source peers[PEERS];
static int peer_calls;

static void peer_ready(struct dawn_source *src, uint32_t events)
{
	(void)events;
	peer_calls++;
	/* All are ready in the same batch; remove every one, then poison. */
	for (int i = 0; i < PEERS; i++) {
		dawn_loop_remove(loop, &peers[i]);
		if (&peers[i] != src)
			peers[i].ready = NULL;
	}
	dawn_loop_stop(loop);
}

static void removed_source_is_not_called(void **state)
{
	(void)state;
	for (int i = 0; i < PEERS; i++) {
		peers[i].fd = eventfd(1, EFD_NONBLOCK);
		peers[i].ready = peer_ready;
		assert_int_equal(dawn_loop_add(loop, &peers[i], EPOLLIN), 0);
	}
	assert_int_equal(dawn_loop_run(loop), 0);
	assert_int_equal(peer_calls, 1);
	for (int i = 0; i < PEERS; i++)
		close(peers[i].fd);
}

static void bad_descriptor_is_an_error(void **state)
{
	struct dawn_source bad = { .fd = 1 << 20 };

	(void)state;
	assert_int_equal(dawn_loop_add(loop, &bad, EPOLLIN), -EBADF);
	assert_int_equal(dawn_loop_change(loop, &bad, EPOLLIN), -EBADF);
}

/* --- turns, posts -------------------------------------------------------- */

static int turns;

static bool count_turn(struct dawn_turn *t, uint64_t now_us)
{
	(void)t;
	assert_int_equal(now_us, dawn_loop_now_us(loop));
	if (++turns == 1000)
		dawn_loop_stop(loop);
	return true;
}

static void busy_turns_do_not_wait(void **state)
{
	static struct dawn_turn turn = { .run = count_turn };
	static struct dawn_turn more[8];
	uint64_t start = dawn_loop_now_us(loop);

	(void)state;
	dawn_loop_max_wait_us(loop, 200000000);
	assert_int_equal(dawn_loop_each_turn(loop, &turn), 0);
	assert_int_equal(dawn_loop_run(loop), 0);
	assert_int_equal(turns, 1000);
	assert_true(dawn_loop_now_us(loop) - start < 100000000);
	for (int i = 0; i < 7; i++)
		assert_int_equal(dawn_loop_each_turn(loop, &more[i]), 0);
	assert_int_equal(dawn_loop_each_turn(loop, &more[7]), -ENOSPC);
}

#define THREADS     4
#define POSTS_EACH  20000
#define POSTS_TOTAL (THREADS * POSTS_EACH)
static int posts_run;

static void post_run(void *arg)
{
	assert_ptr_equal(arg, &posts_run);
	if (++posts_run == POSTS_TOTAL)
		dawn_loop_stop(loop);
}

static void *poster(void *arg)
{
	for (int i = 0; i < POSTS_EACH; i++) {
		while (dawn_loop_post(loop, post_run, arg) == -EAGAIN)
			sched_yield();
	}
	return NULL;
}

static void every_post_runs_once(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	posts_run = 0;
	dawn_loop_max_wait_us(loop, 60000000); /* a lost wake-up would show */
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, poster, &posts_run);
	assert_int_equal(dawn_loop_run(loop), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(posts_run, POSTS_TOTAL);
}

static void full_post_queue_says_so(void **state)
{
	(void)state;
	for (int i = 0; i < 1024; i++)
		assert_int_equal(dawn_loop_post(loop, post_run, NULL), 0);
	assert_int_equal(dawn_loop_post(loop, post_run, NULL), -EAGAIN);
}

static void stop_before_run_counts(void **state)
{
	(void)state;
	dawn_loop_max_wait_us(loop, 60000000);
	dawn_loop_stop(loop);
	assert_int_equal(dawn_loop_run(loop), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(timers_fire_in_order),
		TEST(timer_set_to_now_starves_nothing),
		TEST(removed_source_is_not_called),
		TEST(bad_descriptor_is_an_error),
		TEST(busy_turns_do_not_wait),
		TEST(every_post_runs_once),
		TEST(full_post_queue_says_so),
		TEST(stop_before_run_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
