/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What servers and files count, added to the shared reactor_stats once a turn:
 * each thread writes its own struct, thread 0 also for what there is one of. */
#ifndef DAWN_APP_COUNTS_H
#define DAWN_APP_COUNTS_H

#include "maps/stats.h"
#include "user/cache/files.h"
#include "user/http/server.h"
#include "user/io/loop.h"
#include "user/io/udp.h"

struct dawn_counts {
	struct dawn_turn turn;          /* the loop's */
	struct dawn_reactor_stats *out; /* this thread's, shared */
	const struct dawn_http_server *http;
	const struct dawn_files *files; /* NULL but in thread 0 */
	const struct dawn_udp *udp;     /* likewise */
	/* What was added already. */
	struct dawn_http_counts http_seen;
	struct dawn_files_counts files_seen;
	uint64_t hbtp_seen;
};

/* Fields above `http_seen` but `turn` are set by the caller; all outlives the
 * loop. Return: 0 or negative errno. */
int dawn_counts_start(struct dawn_counts *c, struct dawn_loop *loop);

#endif
