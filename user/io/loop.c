// SPDX-License-Identifier: MIT OR Apache-2.0
/* Theory of operation
 *
 * One turn: run what other threads posted, wait for descriptors (no longer
 * than the next timer or `max_wait_us`), call the ready sources, fire the due
 * timers, call the each-turn hooks.
 *
 * A callback may remove any source, also one whose event stands further down
 * in the batch that is being worked off. Removing therefore clears the
 * source's events from the rest of the batch; the batch is small, so a walk is
 * cheaper than a generation count in every source.
 *
 * Timers are a binary heap of pointers, position 1 the earliest; each timer
 * knows its position, so stopping needs no search. Timers set while timers
 * fire are looked at in the next turn, so that a timer that sets itself to
 * "now" cannot starve the descriptors.
 *
 * Posting takes a mutex, held for a few instructions; nothing else is shared
 * but the stop flag. The eventfd wakes the waiting thread for both.
 */
#include "user/io/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "user/io/clock.h"

#define BATCH_MAX           64
#define TURNS_MAX           8
#define POSTS_MAX           1024
#define TIMERS_FIRST        64
#define MAX_WAIT_DEFAULT_US 20000

struct post {
	void (*fn)(void *arg);
	void *arg;
};

struct dawn_loop {
	int epoll_fd;
	int wake_fd;
	atomic_bool stop;
	uint64_t now_us;
	uint64_t max_wait_us;

	struct epoll_event batch[BATCH_MAX];
	int batch_len;
	int batch_pos; /* the event being worked on */

	struct dawn_timer **heap; /* [1..timers] */
	uint32_t timers;
	uint32_t heap_size;

	struct dawn_turn *turn[TURNS_MAX];
	int turns;

	pthread_mutex_t post_lock;
	struct post post[POSTS_MAX]; /* a ring */
	uint32_t post_head;          /* under post_lock; free running */
	uint32_t post_tail;          /* likewise */
};

static uint64_t clock_us(void)
{
	return dawn_clock_ns(CLOCK_MONOTONIC) / 1000;
}

/* The wake-up descriptor is the one source without an owner: data.ptr NULL. */
static int watch_wake_fd(struct dawn_loop *l)
{
	struct epoll_event ev = { .events = EPOLLIN };

	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &ev) == -1)
		return -errno;
	return 0;
}

int dawn_loop_create(struct dawn_loop **out)
{
	struct dawn_loop *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (!l)
		return err;
	pthread_mutex_init(&l->post_lock, NULL);
	l->wake_fd = -1;
	l->max_wait_us = MAX_WAIT_DEFAULT_US;
	l->now_us = clock_us();
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd == -1) {
		err = -errno;
		goto fail;
	}
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd == -1) {
		err = -errno;
		goto fail;
	}
	err = watch_wake_fd(l);
	if (err)
		goto fail;
	*out = l;
	return 0;
fail:
	dawn_loop_destroy(l);
	return err;
}

void dawn_loop_destroy(struct dawn_loop *l)
{
	if (!l)
		return;
	if (l->wake_fd != -1)
		close(l->wake_fd);
	if (l->epoll_fd != -1)
		close(l->epoll_fd);
	pthread_mutex_destroy(&l->post_lock);
	free(l->heap);
	free(l);
}

/* Only async-signal-safe calls: dawn_loop_stop() may run in a handler. A full
 * eventfd (EAGAIN) is as good as a write: the loop wakes up anyway. */
static void wake(struct dawn_loop *l)
{
	uint64_t one = 1;
	int saved = errno;
	ssize_t n;

	do {
		n = write(l->wake_fd, &one, sizeof(one));
	} while (n == -1 && errno == EINTR);
	errno = saved;
}

void dawn_loop_stop(struct dawn_loop *l)
{
	atomic_store(&l->stop, true);
	wake(l);
}

int dawn_loop_add(struct dawn_loop *l, struct dawn_source *src, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = src };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, src->fd, &ev) == -1
		       ? -errno
		       : 0;
}

int dawn_loop_change(struct dawn_loop *l, struct dawn_source *src,
		     uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = src };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, src->fd, &ev) == -1
		       ? -errno
		       : 0;
}

void dawn_loop_remove(struct dawn_loop *l, struct dawn_source *src)
{
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, src->fd, NULL);
	for (int i = l->batch_pos + 1; i < l->batch_len; i++) {
		if (l->batch[i].data.ptr == src)
			l->batch[i].events = 0;
	}
}

/* --- timers ------------------------------------------------------------ */

static void heap_place(struct dawn_loop *l, struct dawn_timer *t, uint32_t pos)
{
	l->heap[pos] = t;
	t->pos = pos;
}

static void sift_up(struct dawn_loop *l, struct dawn_timer *t, uint32_t pos)
{
	while (pos > 1 && l->heap[pos / 2]->due_us > t->due_us) {
		heap_place(l, l->heap[pos / 2], pos);
		pos /= 2;
	}
	heap_place(l, t, pos);
}

static void sift_down(struct dawn_loop *l, struct dawn_timer *t, uint32_t pos)
{
	for (;;) {
		uint32_t child = pos * 2;

		if (child > l->timers)
			break;
		if (child < l->timers &&
		    l->heap[child + 1]->due_us < l->heap[child]->due_us)
			child++;
		if (l->heap[child]->due_us >= t->due_us)
			break;
		heap_place(l, l->heap[child], pos);
		pos = child;
	}
	heap_place(l, t, pos);
}

static void heap_fix(struct dawn_loop *l, struct dawn_timer *t, uint32_t pos)
{
	if (pos > 1 && l->heap[pos / 2]->due_us > t->due_us)
		sift_up(l, t, pos);
	else
		sift_down(l, t, pos);
}

static int heap_grow(struct dawn_loop *l)
{
	uint32_t size = l->heap_size ? l->heap_size * 2 : TIMERS_FIRST;
	struct dawn_timer **heap = realloc(l->heap, size * sizeof(*heap));

	if (!heap)
		return -ENOMEM;
	l->heap = heap;
	l->heap_size = size;
	return 0;
}

int dawn_loop_timer(struct dawn_loop *l, struct dawn_timer *t, uint64_t due_us)
{
	int err;

	if (t->pos) {
		t->due_us = due_us;
		heap_fix(l, t, t->pos);
		return 0;
	}
	if (l->timers + 1 >= l->heap_size) {
		err = heap_grow(l);
		if (err)
			return err;
	}
	t->due_us = due_us;
	l->timers++;
	sift_up(l, t, l->timers);
	return 0;
}

void dawn_loop_timer_stop(struct dawn_loop *l, struct dawn_timer *t)
{
	struct dawn_timer *last;
	uint32_t pos = t->pos;

	if (!pos)
		return;
	t->pos = 0;
	last = l->heap[l->timers--];
	if (last != t)
		heap_fix(l, last, pos);
}

/* Timers set by the callbacks to a time already past wait for the next turn:
 * `now_us` does not move, and each timer fires at most `count` times. */
static void fire_timers(struct dawn_loop *l)
{
	uint32_t count = l->timers;

	while (count-- && l->timers && l->heap[1]->due_us <= l->now_us) {
		struct dawn_timer *t = l->heap[1];

		dawn_loop_timer_stop(l, t);
		t->fire(t, l->now_us);
	}
}

/* --- turns -------------------------------------------------------------- */

int dawn_loop_each_turn(struct dawn_loop *l, struct dawn_turn *t)
{
	if (l->turns == TURNS_MAX)
		return -ENOSPC;
	l->turn[l->turns++] = t;
	return 0;
}

void dawn_loop_max_wait_us(struct dawn_loop *l, uint64_t us)
{
	l->max_wait_us = us;
}

int dawn_loop_post(struct dawn_loop *l, void (*fn)(void *arg), void *arg)
{
	int err = 0;

	pthread_mutex_lock(&l->post_lock);
	if (l->post_head - l->post_tail == POSTS_MAX)
		err = -EAGAIN;
	else
		l->post[l->post_head++ % POSTS_MAX] = (struct post){ fn, arg };
	pthread_mutex_unlock(&l->post_lock);
	if (!err)
		wake(l);
	return err;
}

/* Those posted while these run wait for the next turn. */
static void run_posts(struct dawn_loop *l)
{
	uint32_t end;

	pthread_mutex_lock(&l->post_lock);
	end = l->post_head;
	while (l->post_tail != end) {
		struct post p = l->post[l->post_tail++ % POSTS_MAX];

		pthread_mutex_unlock(&l->post_lock);
		p.fn(p.arg);
		pthread_mutex_lock(&l->post_lock);
	}
	pthread_mutex_unlock(&l->post_lock);
}

static void call_ready(struct dawn_loop *l)
{
	for (l->batch_pos = 0; l->batch_pos < l->batch_len; l->batch_pos++) {
		struct epoll_event *ev = &l->batch[l->batch_pos];
		struct dawn_source *src = ev->data.ptr;

		if (src && ev->events)
			src->ready(src, ev->events);
		if (!src) {
			uint64_t n;

			/* Emptied before the posts are looked at, so a post
			 * made after that look wakes the next wait. */
			if (read(l->wake_fd, &n, sizeof(n)) > 0)
				run_posts(l);
		}
	}
	l->batch_len = 0;
}

static uint64_t wait_us(const struct dawn_loop *l, bool again)
{
	uint64_t us = l->max_wait_us;

	if (again || atomic_load(&l->stop))
		return 0;
	if (l->timers) {
		uint64_t now = clock_us();
		uint64_t due = l->heap[1]->due_us;

		if (due <= now)
			return 0;
		if (due - now < us)
			us = due - now;
	}
	return us;
}

static int wait_events(struct dawn_loop *l, bool again)
{
	uint64_t us = wait_us(l, again);
	struct timespec ts = {
		.tv_sec = (time_t)(us / 1000000),
		.tv_nsec = (long)(us % 1000000) * 1000,
	};
	int n = epoll_pwait2(l->epoll_fd, l->batch, BATCH_MAX, &ts, NULL);

	if (n == -1 && errno != EINTR)
		return -errno;
	l->batch_len = n == -1 ? 0 : n;
	return 0;
}

static bool call_turns(struct dawn_loop *l)
{
	bool again = false;

	for (int i = 0; i < l->turns; i++)
		again |= l->turn[i]->run(l->turn[i], l->now_us);
	return again;
}

int dawn_loop_run(struct dawn_loop *l)
{
	bool again = true; /* the hooks have not been asked yet */

	while (!atomic_load(&l->stop)) {
		int err = wait_events(l, again);

		if (err)
			return err;
		l->now_us = clock_us();
		call_ready(l);
		fire_timers(l);
		again = call_turns(l);
	}
	atomic_store(&l->stop, false);
	return 0;
}

uint64_t dawn_loop_now_us(const struct dawn_loop *l)
{
	return l->now_us;
}
