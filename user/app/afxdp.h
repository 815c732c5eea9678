/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel half as the daemon sees it: the program on the interface, its
 * services, the kernel cache, and one reactor for each queue.
 *
 * All calls are made by thread 0. Privileges are needed by open(), start() and
 * close() only. */
#ifndef DAWN_APP_AFXDP_H
#define DAWN_APP_AFXDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/app/options.h"
#include "user/io/loop.h"
#include "user/net/reactor.h"

/* dawn_service.group: services of one group share cached content. */
#define DAWN_GROUP_HTTP 1
#define DAWN_GROUP_HBTP 2
#define DAWN_GROUP_ECHO 3

struct dawn_afxdp;
struct dawn_kcache;

/* Load or adopt the program, open the kernel cache. *o is borrowed.
 * Return: 0 or negative errno with e->text filled; nothing is left behind. */
int dawn_afxdp_open(struct dawn_afxdp **out, const struct dawn_options *o,
		    struct dawn_error *e);

/* Give up a start that failed: what open() loaded is removed, what it adopted
 * stays. After dawn_afxdp_start() use close(). */
void dawn_afxdp_cancel(struct dawn_afxdp *a);

/* Destroy the reactors (their loops run no more); everything that uses the
 * kernel cache is still there. */
void dawn_afxdp_stop(struct dawn_afxdp *a);

/* After stop(): detach, restore the interface, remove the pins, free. NULL is
 * fine. Return: 0 or negative errno with e->text filled. */
int dawn_afxdp_close(struct dawn_afxdp *a, struct dawn_error *e);

struct dawn_kcache *dawn_afxdp_kcache(struct dawn_afxdp *a);
unsigned int dawn_afxdp_ifindex(const struct dawn_afxdp *a);
uint32_t dawn_afxdp_queues(const struct dawn_afxdp *a);

/* Make the reactor of a queue. For queues 0, 1, ... in turn, all before a loop
 * runs. */
int dawn_afxdp_start(struct dawn_afxdp *a, uint32_t queue,
		     struct dawn_loop *loop,
		     const struct dawn_reactor_protocol *http,
		     struct dawn_error *e);

/* Register the services on all addresses the interface has now; again whenever
 * they change. Services of addresses that went away stay: nothing is sent
 * there. Return: 0 or negative errno with e->text filled. */
int dawn_afxdp_register(struct dawn_afxdp *a, struct dawn_error *e);

/* Tell both halves the interface's MTU; again whenever it may have changed. */
void dawn_afxdp_mtu(struct dawn_afxdp *a);

/* The counters shared with readers outside, of one thread. */
struct dawn_reactor_stats *dawn_afxdp_stats(struct dawn_afxdp *a,
					    uint32_t queue);

struct dawn_reactor *dawn_afxdp_reactor(struct dawn_afxdp *a, uint32_t queue);

/* Tell XDP to take no new connections. */
void dawn_afxdp_refuse_new(struct dawn_afxdp *a);

/* Refresh the Date. Return: microseconds until it must be called again. */
uint32_t dawn_afxdp_second(struct dawn_afxdp *a);

/* "veth0: native (...), 198.18.0.1 2001:db8::1, 1 queue, copy, 120 MB" */
void dawn_afxdp_describe(const struct dawn_afxdp *a, char *text, size_t size);

#endif
