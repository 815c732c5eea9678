/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Grace periods in the background.
 *
 * A grace period takes 8-16 ms and a reactor thread must not wait that long.
 * Each request takes a ticket; the thread notes the highest ticket given out,
 * waits for one grace period, and all tickets up to the noted one are over.
 * A request made meanwhile is covered by the next round, since its grace
 * period has to begin after it.
 *
 * Without a thread (pthread_create failed) the asker waits itself: slower, and
 * just as safe.
 */
#include "user/cache/kcache_int.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct dawn_grace {
	void (*wait)(void *ctx);
	void *ctx;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the thread: asked, stop */
	pthread_cond_t over; /* waiters: done */
	pthread_t thread;
	bool running;
	bool stop;
	uint64_t asked;
	uint64_t done;
};

int dawn_grace_create(struct dawn_grace **out, void (*wait)(void *ctx),
		      void *ctx)
{
	struct dawn_grace *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->wait = wait;
	g->ctx = ctx;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->wake, NULL);
	pthread_cond_init(&g->over, NULL);
	*out = g;
	return 0;
}

static void *grace_main(void *arg)
{
	struct dawn_grace *g = arg;
	uint64_t covered;

	pthread_mutex_lock(&g->lock);
	for (;;) {
		while (!g->stop && g->done == g->asked)
			pthread_cond_wait(&g->wake, &g->lock);
		if (g->stop)
			break;
		covered = g->asked;
		pthread_mutex_unlock(&g->lock);
		g->wait(g->ctx);
		pthread_mutex_lock(&g->lock);
		g->done = covered;
		pthread_cond_broadcast(&g->over);
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

/* The daemon's signals are the main thread's business: block all of them. */
static void start_thread(struct dawn_grace *g)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	g->running = pthread_create(&g->thread, NULL, grace_main, g) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

uint64_t dawn_grace_ask(struct dawn_grace *g)
{
	uint64_t ticket;

	pthread_mutex_lock(&g->lock);
	ticket = ++g->asked;
	if (!g->running)
		start_thread(g);
	if (!g->running) {
		g->wait(g->ctx);
		g->done = ticket;
	}
	pthread_cond_signal(&g->wake);
	pthread_mutex_unlock(&g->lock);
	return ticket;
}

bool dawn_grace_done(struct dawn_grace *g, uint64_t ticket)
{
	bool done;

	pthread_mutex_lock(&g->lock);
	done = g->done >= ticket;
	pthread_mutex_unlock(&g->lock);
	return done;
}

void dawn_grace_wait(struct dawn_grace *g)
{
	uint64_t ticket = dawn_grace_ask(g);

	pthread_mutex_lock(&g->lock);
	while (g->done < ticket)
		pthread_cond_wait(&g->over, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

void dawn_grace_destroy(struct dawn_grace *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	g->stop = true;
	pthread_cond_signal(&g->wake);
	pthread_mutex_unlock(&g->lock);
	if (g->running)
		pthread_join(g->thread, NULL);
	pthread_cond_destroy(&g->over);
	pthread_cond_destroy(&g->wake);
	pthread_mutex_destroy(&g->lock);
	free(g);
}
