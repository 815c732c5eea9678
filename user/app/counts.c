// SPDX-License-Identifier: MIT OR Apache-2.0
#include <stddef.h>

#include "user/app/counts.h"

/* The shared counters outlive a daemon, so what is new is added to them. One
 * writer each; readers in other processes see whole words. */
static void add(__u64 *shared, uint64_t now, uint64_t *seen)
{
	if (now == *seen)
		return;
	__atomic_store_n(shared, *shared + (now - *seen), __ATOMIC_RELAXED);
	*seen = now;
}

static void add_files(struct dawn_counts *c)
{
	struct dawn_files_counts now;

	dawn_files_counts(c->files, &now);
	add(&c->out->promoted, now.promoted, &c->files_seen.promoted);
	add(&c->out->promote_failed, now.promote_failed,
	    &c->files_seen.promote_failed);
	add(&c->out->demoted, now.demoted, &c->files_seen.demoted);
	add(&c->out->evicted_entries, now.evicted, &c->files_seen.evicted);
}

static void add_udp(struct dawn_counts *c)
{
	const struct dawn_udp_counts *udp = dawn_udp_counts(c->udp);

	add(&c->out->hbtp_messages, udp->pings + udp->errors, &c->hbtp_seen);
}

static bool publish(struct dawn_turn *t, uint64_t now_us)
{
	struct dawn_counts *c =
		(void *)((char *)t - offsetof(struct dawn_counts, turn));
	const struct dawn_http_counts *http = dawn_http_server_counts(c->http);

	(void)now_us;
	add(&c->out->http_requests, http->requests, &c->http_seen.requests);
	add(&c->out->http_errors, http->errors, &c->http_seen.errors);
	if (c->files)
		add_files(c);
	if (c->udp)
		add_udp(c);
	return false;
}

int dawn_counts_start(struct dawn_counts *c, struct dawn_loop *loop)
{
	c->turn.run = publish;
	return dawn_loop_each_turn(loop, &c->turn);
}
