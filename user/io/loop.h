/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One thread's event loop: file descriptors (epoll), timers, and work to do
 * in every turn. Everything here belongs to the thread that runs it, except
 * dawn_loop_post() and dawn_loop_stop().
 */
#ifndef DAWN_IO_LOOP_H
#define DAWN_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct dawn_loop;

int dawn_loop_create(struct dawn_loop **out);
void dawn_loop_destroy(struct dawn_loop *l); /* NULL is fine */

/* Run until dawn_loop_stop(). Return: 0 or negative errno. */
int dawn_loop_run(struct dawn_loop *l);

/* From any thread or a signal handler. */
void dawn_loop_stop(struct dawn_loop *l);

/* A watched descriptor; embedded in its owner. `ready` may remove any source,
 * its own included. events: EPOLLIN, EPOLLOUT, ... (level triggered). */
struct dawn_source {
	int fd;
	void (*ready)(struct dawn_source *src, uint32_t events);
};

int dawn_loop_add(struct dawn_loop *l, struct dawn_source *src,
		  uint32_t events);
int dawn_loop_change(struct dawn_loop *l, struct dawn_source *src,
		     uint32_t events);
void dawn_loop_remove(struct dawn_loop *l, struct dawn_source *src);

/* A timer; embedded in its owner, zero-initialized. One shot. Setting a set
 * timer moves it. O(log n). */
struct dawn_timer {
	uint64_t due_us; /* monotonic */
	uint32_t pos;    /* the loop's; 0: not set */
	void (*fire)(struct dawn_timer *t, uint64_t now_us);
};

int dawn_loop_timer(struct dawn_loop *l, struct dawn_timer *t, uint64_t due_us);
void dawn_loop_timer_stop(struct dawn_loop *l, struct dawn_timer *t);

/* Called once in every turn, after the ready sources and due timers: flush
 * batches, write heartbeats. Return from it: true to make the next turn at
 * once instead of waiting for an event (busy polling). At most 8. */
struct dawn_turn {
	bool (*run)(struct dawn_turn *t, uint64_t now_us);
};

int dawn_loop_each_turn(struct dawn_loop *l, struct dawn_turn *t);

/* Longest wait for an event; default 20 ms. */
void dawn_loop_max_wait_us(struct dawn_loop *l, uint64_t us);

/* From any thread: run `fn(arg)` in the loop's thread, soon. Return: 0 or
 * -ENOMEM/-EAGAIN (its queue of 1,024 is full). */
int dawn_loop_post(struct dawn_loop *l, void (*fn)(void *arg), void *arg);

/* Monotonic time, refreshed at the start of each turn. */
uint64_t dawn_loop_now_us(const struct dawn_loop *l);

#endif
