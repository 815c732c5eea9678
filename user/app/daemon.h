/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A whole server: threads, transports, kernel half, and their life cycle.
 *
 *     dawn_daemon_create()   everything that can fail for want of rights,
 *                            ports, memory; nothing is served yet
 *     dawn_daemon_run()      serve until SIGTERM or SIGINT, then drain
 *     dawn_daemon_destroy()  detach, free
 */
#ifndef DAWN_APP_DAEMON_H
#define DAWN_APP_DAEMON_H

#include "user/app/options.h"

struct dawn_daemon;

/* *o is borrowed. Blocks SIGTERM, SIGINT and SIGHUP in the calling thread and
 * ignores SIGPIPE; call it before there are other threads.
 * Return: 0 or negative errno with e->text filled; nothing is left behind. */
int dawn_daemon_create(struct dawn_daemon **out, const struct dawn_options *o,
		       struct dawn_error *e);

/* Print the start lines and "ready", serve. Return: 0 after a signal; negative
 * errno with e->text filled if it cannot go on (the interface vanished). */
int dawn_daemon_run(struct dawn_daemon *d, struct dawn_error *e);

/* Reset what is still open, detach, free. Return: 0 or negative errno with
 * e->text filled (could not detach). */
int dawn_daemon_destroy(struct dawn_daemon *d, struct dawn_error *e);

#endif
