// SPDX-License-Identifier: MIT OR Apache-2.0
/* Theory of operation
 *
 * Thread 0 is the caller's. Its loop carries everything there is one of:
 * signals, kernel-TCP listeners and their connections, UDP, the inotify of the
 * static files, the Date for XDP, the interface's notifications, and the drain.
 * With AF_XDP there is a thread for each rx queue (thread 0 has queue 0), each
 * with a loop, an HTTP server and a reactor of its own; nothing is shared but
 * `files`, which locks. Other threads are only ever spoken to by
 * dawn_loop_post().
 *
 * States: SERVING ──signal──► DRAINING ──finished, or time is over──►
 * RESETTING (RSTs get a moment to leave) ──► loops stop.
 */
#include "user/app/daemon.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "user/app/afxdp.h"
#include "user/app/counts.h"
#include "user/cache/files.h"
#include "user/http/server.h"
#include "user/io/epoll.h"
#include "user/io/loop.h"
#include "user/io/netwatch.h"
#include "user/io/socket.h"
#include "user/io/udp.h"
#include "user/net/tcp.h"

#define FILES_TICK_US 100000
#define DRAIN_POLL_US 20000
#define RESET_TIME_US 100000
/* Descriptors beside connections: listeners, maps, rings, inotify. */
#define FDS_OTHER 128
/* A connection may have its socket and an open file. */
#define FDS_PER_CONN      2
#define EPOLL_MAX_WAIT_US 1000000

enum state { SERVING, DRAINING, RESETTING };

struct worker {
	struct dawn_daemon *d;
	uint32_t index; /* thread, queue, XSKMAP index */
	struct dawn_loop *loop;
	struct dawn_http_server *http;
	struct dawn_counts counts;
	pthread_t thread;
	bool started;
	int err;
};

struct dawn_daemon {
	const struct dawn_options *o;
	enum state state;
	uint64_t deadline_us; /* of the present state */
	int err;              /* why it cannot go on; 0: a signal */
	char why[sizeof(((struct dawn_error *)0)->text)];

	struct worker worker[DAWN_QUEUES_MAX];
	uint32_t workers;
	struct dawn_files *files;
	struct dawn_epoll *tcp;
	struct dawn_epoll_service http_service;
	struct dawn_udp *udp;
	struct dawn_afxdp *afxdp; /* NULL: epoll alone */
	struct dawn_netwatch watch;

	struct dawn_source signals;
	struct dawn_source inotify;
	struct dawn_timer files_tick;
	struct dawn_timer second;
	struct dawn_timer drain;
};

#define CONTAINER(ptr, type, member) \
	((type *)((char *)(ptr)-offsetof(type, member)))

static struct dawn_loop *loop0(struct dawn_daemon *d)
{
	return d->worker[0].loop;
}

static int fail(struct dawn_error *e, int err, const char *what)
{
	snprintf(e->text, sizeof(e->text), "%s: %s", what, strerror(-err));
	return err;
}

/* --- ending -------------------------------------------------------------- */

static void stop_all(struct dawn_daemon *d)
{
	for (uint32_t i = 0; i < d->workers; i++)
		dawn_loop_stop(d->worker[i].loop);
}

static void drain_reactor(void *arg)
{
	struct worker *w = arg;

	dawn_reactor_drain(dawn_afxdp_reactor(w->d->afxdp, w->index));
}

static void reset_reactor(void *arg)
{
	struct worker *w = arg;

	dawn_reactor_reset(dawn_afxdp_reactor(w->d->afxdp, w->index));
}

static void tell_reactors(struct dawn_daemon *d, void (*fn)(void *arg))
{
	if (!d->afxdp)
		return;
	for (uint32_t i = 0; i < d->workers; i++)
		dawn_loop_post(d->worker[i].loop, fn, &d->worker[i]);
}

static uint32_t unfinished(struct dawn_daemon *d)
{
	uint32_t n = d->tcp ? dawn_epoll_counts(d->tcp)->open : 0;

	if (!d->afxdp)
		return n;
	for (uint32_t i = 0; i < d->workers; i++) {
		if (!dawn_reactor_drained(dawn_afxdp_reactor(d->afxdp, i)))
			n++;
	}
	return n;
}

static void enter_state(struct dawn_daemon *d, enum state state,
			uint64_t time_us)
{
	d->state = state;
	d->deadline_us = dawn_loop_now_us(loop0(d)) + time_us;
	dawn_loop_timer(loop0(d), &d->drain, dawn_loop_now_us(loop0(d)));
}

static void begin_reset(struct dawn_daemon *d)
{
	uint32_t n = unfinished(d);

	if (n)
		fprintf(stderr, "dawnd: connections not finished: reset\n");
	if (d->tcp)
		dawn_epoll_reset_all(d->tcp);
	tell_reactors(d, reset_reactor);
	enter_state(d, RESETTING, d->afxdp && n ? RESET_TIME_US : 0);
}

static void begin_drain(struct dawn_daemon *d)
{
	fprintf(stderr, "dawnd: draining, at most %u s\n", d->o->drain_s);
	if (d->afxdp)
		dawn_afxdp_refuse_new(d->afxdp);
	if (d->tcp)
		dawn_epoll_drain(d->tcp);
	tell_reactors(d, drain_reactor);
	enter_state(d, DRAINING, d->o->drain_s * 1000000ULL);
}

static void drain_fire(struct dawn_timer *t, uint64_t now_us)
{
	struct dawn_daemon *d = CONTAINER(t, struct dawn_daemon, drain);
	bool over = now_us >= d->deadline_us;

	if (d->state == RESETTING && over) {
		stop_all(d);
		return;
	}
	if (d->state == DRAINING && (over || !unfinished(d))) {
		begin_reset(d);
		return;
	}
	dawn_loop_timer(loop0(d), t, now_us + DRAIN_POLL_US);
}

static void signals_ready(struct dawn_source *src, uint32_t events)
{
	struct dawn_daemon *d = CONTAINER(src, struct dawn_daemon, signals);
	struct signalfd_siginfo si;

	(void)events;
	while (read(src->fd, &si, sizeof(si)) == sizeof(si)) {
		if (d->state == SERVING)
			begin_drain(d);
		else if (d->state == DRAINING)
			begin_reset(d);
	}
}

/* There is nobody left to say good-bye to on that wire. */
static void interface_gone(struct dawn_netwatch *w)
{
	struct dawn_daemon *d = CONTAINER(w, struct dawn_daemon, watch);

	snprintf(d->why, sizeof(d->why),
		 "interface %s has vanished (or moved to another network "
		 "namespace)",
		 d->o->ifname);
	d->err = -ENODEV;
	stop_all(d);
}

/* --- what thread 0 does from time to time -------------------------------- */

static void addresses_changed(struct dawn_netwatch *w)
{
	struct dawn_daemon *d = CONTAINER(w, struct dawn_daemon, watch);
	struct dawn_error e;

	if (dawn_afxdp_register(d->afxdp, &e))
		fprintf(stderr, "dawnd: %s\n", e.text);
}

static void mtu_changed(struct dawn_netwatch *w)
{
	struct dawn_daemon *d = CONTAINER(w, struct dawn_daemon, watch);

	dawn_afxdp_mtu(d->afxdp);
}

static void second_fire(struct dawn_timer *t, uint64_t now_us)
{
	struct dawn_daemon *d = CONTAINER(t, struct dawn_daemon, second);

	dawn_loop_timer(loop0(d), t, now_us + dawn_afxdp_second(d->afxdp));
}

static void inotify_ready(struct dawn_source *src, uint32_t events)
{
	(void)events;
	dawn_files_changed(CONTAINER(src, struct dawn_daemon, inotify)->files);
}

static void files_fire(struct dawn_timer *t, uint64_t now_us)
{
	struct dawn_daemon *d = CONTAINER(t, struct dawn_daemon, files_tick);

	dawn_files_tick(d->files);
	dawn_loop_timer(loop0(d), t, now_us + FILES_TICK_US);
}

/* --- starting ------------------------------------------------------------ */

static int open_signals(struct dawn_daemon *d, struct dawn_error *e)
{
	sigset_t set;
	int err;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	d->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	d->signals.ready = signals_ready;
	if (d->signals.fd == -1)
		return fail(e, -errno, "signalfd");
	err = dawn_loop_add(loop0(d), &d->signals, EPOLLIN);
	return err ? fail(e, err, "signalfd") : 0;
}

static uint32_t raise_fd_limit(const struct dawn_options *o)
{
	uint32_t conns = o->connections ? o->connections
					: DAWN_EPOLL_CONNS_DEFAULT;
	rlim_t want = FDS_OTHER + (rlim_t)conns * FDS_PER_CONN;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return conns;
	if (rl.rlim_cur < want) {
		rl.rlim_cur = rl.rlim_max < want ? rl.rlim_max : want;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
	if (rl.rlim_cur >= want)
		return conns;
	if (rl.rlim_cur <= FDS_OTHER + FDS_PER_CONN)
		return 1;
	conns = (uint32_t)(rl.rlim_cur - FDS_OTHER) / FDS_PER_CONN;
	fprintf(stderr,
		"dawnd: %llu descriptors are allowed (ulimit -n): at most %u "
		"connections over kernel TCP\n",
		(unsigned long long)rl.rlim_cur, conns);
	return conns;
}

static int port_error(struct dawn_error *e, int err, const char *what, int type,
		      uint32_t port)
{
	char owner[128];

	if (err == -EADDRINUSE) {
		dawn_port_owner(type, (uint16_t)port, owner, sizeof(owner));
		snprintf(e->text, sizeof(e->text),
			 "%s port %u is in use by %s: end it, or choose "
			 "another port",
			 what, port, owner);
	} else if (err == -EACCES) {
		snprintf(e->text, sizeof(e->text),
			 "%s port %u: not permitted: ports below 1024 need "
			 "root or CAP_NET_BIND_SERVICE",
			 what, port);
	} else {
		snprintf(e->text, sizeof(e->text), "%s port %u: %s", what, port,
			 strerror(-err));
	}
	return err;
}

/* Kernel TCP keeps to the same options. Without --user-timeout it has its own
 * time, net.ipv4.tcp_retries2. */
static struct dawn_socket_tuning tuning(const struct dawn_options *o)
{
	return (struct dawn_socket_tuning){
		.ttl = (uint8_t)o->ttl,
		.dscp = (uint8_t)o->dscp,
		.keepalive_s = o->keepalive_s,
		.keepalive_gap_s =
			dawn_tcp_keepalive_gap_ms(o->keepalive_s * 1000) / 1000,
		.keepalive_max = DAWN_TCP_KEEPALIVE_MAX,
		.user_timeout_ms = o->user_timeout_s * 1000,
	};
}

/* The ports first: it is the likeliest mistake, and nothing was changed yet.
 * The HTTP server is filled in before the loop runs. */
static int open_ports(struct dawn_daemon *d, struct dawn_error *e)
{
	const struct dawn_options *o = d->o;
	struct dawn_epoll_options eo = {
		.loop = loop0(d),
		.conns_max = raise_fd_limit(o),
		.tuning = tuning(o),
	};
	int err;

	err = dawn_epoll_create(&d->tcp, &eo);
	if (err)
		return fail(e, err, "kernel TCP");
	d->http_service = (struct dawn_epoll_service){
		.protocol = &dawn_http_protocol,
		.group = o->io == DAWN_IO_AFXDP ? DAWN_GROUP_HTTP : 0,
		.port = (uint16_t)o->http_port,
		.flags = dawn_options_service_flags(o),
	};
	if (o->http_port) {
		err = dawn_epoll_listen(d->tcp, &d->http_service);
		if (err < 0)
			return port_error(e, err, "HTTP", SOCK_STREAM,
					  o->http_port);
	}
	if (o->hbtp_port) {
		err = dawn_udp_create(&d->udp, loop0(d), (uint16_t)o->hbtp_port,
				      &eo.tuning);
		if (err)
			return port_error(e, err, "HBTP (UDP)", SOCK_DGRAM,
					  o->hbtp_port);
	}
	return 0;
}

static int open_files(struct dawn_daemon *d, struct dawn_error *e)
{
	struct dawn_files_options fo = {
		.root = d->o->root,
		.kcache = d->afxdp ? dawn_afxdp_kcache(d->afxdp) : NULL,
		.promote_after = d->o->promote_after,
	};
	int err;

	if (!d->o->root)
		return 0;
	err = dawn_files_create(&d->files, &fo);
	if (err) {
		snprintf(e->text, sizeof(e->text), "--root %s: %s", d->o->root,
			 strerror(-err));
		return err;
	}
	d->inotify = (struct dawn_source){
		.fd = dawn_files_fd(d->files),
		.ready = inotify_ready,
	};
	d->files_tick.fire = files_fire;
	if (d->inotify.fd >= 0)
		err = dawn_loop_add(loop0(d), &d->inotify, EPOLLIN);
	if (!err)
		err = dawn_loop_timer(loop0(d), &d->files_tick, 0);
	return err ? fail(e, err, "watching files") : 0;
}

static int make_worker(struct dawn_daemon *d, uint32_t index,
		       struct dawn_error *e)
{
	struct dawn_http_options ho = {
		.files = d->files,
		.idle_timeout_ms = d->o->idle_s * 1000ULL,
		.output_min_ms = d->o->user_timeout_s * 1000ULL,
	};
	struct worker *w = &d->worker[index];
	int err = 0;

	w->d = d;
	w->index = index;
	if (!w->loop)
		err = dawn_loop_create(&w->loop);
	if (err)
		return fail(e, err, "event loop");
	d->workers = index + 1;
	err = dawn_http_server_create(&w->http, &ho);
	return err ? fail(e, err, "HTTP server") : 0;
}

static int start_counts(struct dawn_daemon *d, uint32_t index)
{
	struct worker *w = &d->worker[index];

	w->counts.out = dawn_afxdp_stats(d->afxdp, index);
	w->counts.http = w->http;
	w->counts.files = index == 0 ? d->files : NULL;
	w->counts.udp = index == 0 ? d->udp : NULL;
	return dawn_counts_start(&w->counts, w->loop);
}

static int start_kernel_half(struct dawn_daemon *d, struct dawn_error *e)
{
	struct dawn_reactor_protocol http = { .ops = &dawn_http_protocol };
	/* Services first: a reactor reads them when it is made, and then not
	 * for a while. */
	int err = dawn_afxdp_register(d->afxdp, e);

	for (uint32_t i = 0; i < d->workers && !err; i++) {
		http.server = d->worker[i].http;
		err = dawn_afxdp_start(d->afxdp, i, d->worker[i].loop, &http,
				       e);
		if (!err && start_counts(d, i))
			err = fail(e, -ENOSPC, "event loop");
	}
	if (err)
		return err;
	d->watch.ifindex = dawn_afxdp_ifindex(d->afxdp);
	d->watch.gone = interface_gone;
	d->watch.addresses = addresses_changed;
	d->watch.mtu = mtu_changed;
	err = dawn_netwatch_start(&d->watch, loop0(d));
	if (err)
		return fail(e, err, "rtnetlink");
	mtu_changed(&d->watch); /* it may not be what it was at load */
	d->second.fire = second_fire;
	err = dawn_loop_timer(loop0(d), &d->second, 0);
	return err ? fail(e, err, "timer") : 0;
}

static int start(struct dawn_daemon *d, struct dawn_error *e)
{
	uint32_t workers = 1;
	int err = dawn_loop_create(&d->worker[0].loop);

	if (err)
		return fail(e, err, "event loop");
	d->workers = 1;
	err = open_signals(d, e);
	if (!err)
		err = open_ports(d, e);
	if (!err && d->o->io == DAWN_IO_AFXDP)
		err = dawn_afxdp_open(&d->afxdp, d->o, e);
	if (!err)
		err = open_files(d, e);
	if (err)
		return err;
	if (d->afxdp)
		workers = dawn_afxdp_queues(d->afxdp);
	else
		dawn_loop_max_wait_us(loop0(d), EPOLL_MAX_WAIT_US);
	for (uint32_t i = 0; i < workers; i++) {
		err = make_worker(d, i, e);
		if (err)
			return err;
	}
	d->http_service.server = d->worker[0].http;
	return d->afxdp ? start_kernel_half(d, e) : 0;
}

/* Streams before servers, servers before files, files before the kernel cache
 * that they use. */
static void free_all(struct dawn_daemon *d)
{
	dawn_netwatch_stop(&d->watch);
	if (d->afxdp)
		dawn_afxdp_stop(d->afxdp);
	dawn_epoll_destroy(d->tcp);
	dawn_udp_destroy(d->udp);
	for (uint32_t i = 0; i < d->workers; i++)
		dawn_http_server_destroy(d->worker[i].http);
	dawn_files_destroy(d->files);
	for (uint32_t i = 0; i < d->workers; i++)
		dawn_loop_destroy(d->worker[i].loop);
	if (d->signals.fd != -1)
		close(d->signals.fd);
}

int dawn_daemon_create(struct dawn_daemon **out, const struct dawn_options *o,
		       struct dawn_error *e)
{
	struct dawn_daemon *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return fail(e, -ENOMEM, "daemon");
	d->o = o;
	d->signals.fd = -1;
	d->drain.fire = drain_fire;
	err = start(d, e);
	if (err) {
		free_all(d);
		dawn_afxdp_cancel(d->afxdp);
		free(d);
		return err;
	}
	*out = d;
	return 0;
}

/* --- running ------------------------------------------------------------- */

/* To the index-th of the CPUs we may use. Failing is no harm. */
static void pin_thread(uint32_t index)
{
	cpu_set_t all, one;
	uint32_t n;

	if (sched_getaffinity(0, sizeof(all), &all) == -1)
		return;
	n = index % (uint32_t)CPU_COUNT(&all);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all) || n--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	pin_thread(w->index);
	w->err = dawn_loop_run(w->loop);
	if (w->err)
		stop_all(w->d);
	return NULL;
}

static int start_threads(struct dawn_daemon *d)
{
	for (uint32_t i = 1; i < d->workers; i++) {
		struct worker *w = &d->worker[i];
		int err = pthread_create(&w->thread, NULL, worker_main, w);

		if (err)
			return -err;
		w->started = true;
	}
	return 0;
}

static int join_threads(struct dawn_daemon *d)
{
	int err = 0;

	for (uint32_t i = 1; i < d->workers; i++) {
		struct worker *w = &d->worker[i];

		if (!w->started)
			continue;
		pthread_join(w->thread, NULL);
		w->started = false;
		if (w->err)
			err = w->err;
	}
	return err;
}

static void describe_ports(const struct dawn_daemon *d, char *text, size_t size)
{
	int n = 0;

	text[0] = '\0';
	if (d->o->http_port)
		n = snprintf(text, size, "HTTP port %u%s", d->o->http_port,
			     d->o->hbtp_port ? ", " : "");
	if (d->o->hbtp_port)
		snprintf(text + n, size - (size_t)n, "HBTP port %u",
			 d->o->hbtp_port);
}

static void announce(struct dawn_daemon *d)
{
	static const char ready[] = "ready\n";
	char line[4096], ports[64];

	describe_ports(d, ports, sizeof(ports));
	if (d->afxdp) {
		dawn_afxdp_describe(d->afxdp, line, sizeof(line));
		printf("dawnd: %s; %s\n", line, ports);
	} else {
		printf("dawnd: all interfaces: kernel TCP only (--io epoll), "
		       "%s, buffers at most %u MB\n",
		       ports, DAWN_EPOLL_BUFFERS_DEFAULT >> 20);
	}
	fputs(ready, stdout);
	fflush(stdout);
	if (d->o->ready_fd >= 0 &&
	    write(d->o->ready_fd, ready, sizeof(ready) - 1) == -1)
		fprintf(stderr, "dawnd: --ready-fd: %s\n", strerror(errno));
}

int dawn_daemon_run(struct dawn_daemon *d, struct dawn_error *e)
{
	int err = start_threads(d), joined;

	if (!err) {
		announce(d);
		if (d->afxdp)
			pin_thread(0);
		err = dawn_loop_run(loop0(d));
	}
	stop_all(d);
	joined = join_threads(d);
	if (d->err) {
		snprintf(e->text, sizeof(e->text), "%s", d->why);
		return d->err;
	}
	if (!err)
		err = joined;
	return err ? fail(e, err, "event loop") : 0;
}

int dawn_daemon_destroy(struct dawn_daemon *d, struct dawn_error *e)
{
	int err;

	free_all(d);
	err = dawn_afxdp_close(d->afxdp, e);
	free(d);
	return err;
}
