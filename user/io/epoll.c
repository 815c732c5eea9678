// SPDX-License-Identifier: MIT OR Apache-2.0
/* Theory of operation
 *
 * A protocol's calls only queue bytes or set flags; all system calls and all
 * destruction happen in these files after its callback has returned. Each entry
 * from the loop (readiness, tick, drain) handles one connection in three steps:
 *
 *   receive()  kernel -> scratch or c->rx -> protocol->data()
 *   pump()     protocol <-> c->tx -> kernel, as long as something moves
 *   settle()   destroy it, or tell epoll what it waits for now
 *
 * Life of a connection:
 *
 *   OPEN ──shutdown()──► CLOSING (tx drains) ──FIN sent──► LINGER ──► gone
 *   any ──error, abort(), limits──► `dead` ──settle()──► gone
 *
 * Once shutdown() was called the protocol is shown nothing more: what arrives
 * is thrown away, because closing a socket with unread bytes sends a RST that
 * may overtake the response (RFC 9112, 9.6). LINGER ends with the peer's FIN,
 * or `linger_ms` after the last byte of ours was acknowledged.
 *
 * Back-pressure: `starved` means the protocol filled more than half of tx, or
 * wrote more than there was room for. It is then shown nothing and the socket
 * is not read, until tx is at most half full; then writable() comes, then what
 * it left unread.
 *
 * Timers: one, every 500 ms, for all connections: protocol->tick(), stalls,
 * linger.
 *
 * Order by age: `conns` is a list, the connection that had input last at its
 * end; eviction looks at its first few.
 */
#include "user/io/epoll.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/io/epoll_int.h"
#include "user/io/socket.h"

#define TICK_US           500000
#define ACCEPT_PAUSE_US   100000
#define ACCEPT_BATCH      64
#define DRAIN_ACCEPT_MAX  4096
#define EVICT_LOOK        64
#define NOTSENT_BYTES     (128 << 10) /* unsent bytes the kernel holds for us */
#define STALL_DEFAULT_MS  60000
#define LINGER_DEFAULT_MS 5000

#define CONTAINER(ptr, type, member) \
	((type *)((char *)(ptr)-offsetof(type, member)))

static void settle(struct conn *c);

/* --- life ---------------------------------------------------------------- */

static void resume_accepting(struct dawn_epoll *t)
{
	if (!t->paused || t->draining)
		return;
	t->paused = false;
	dawn_loop_timer_stop(t->o.loop, &t->resume);
	for (int i = 0; i < t->listeners; i++)
		dawn_loop_change(t->o.loop, &t->listener[i].src, EPOLLIN);
}

static void resume_fire(struct dawn_timer *timer, uint64_t now_us)
{
	(void)now_us;
	resume_accepting(CONTAINER(timer, struct dawn_epoll, resume));
}

static void pause_accepting(struct dawn_epoll *t)
{
	if (t->paused)
		return;
	t->paused = true;
	t->counts.accept_waits++;
	for (int i = 0; i < t->listeners; i++)
		dawn_loop_change(t->o.loop, &t->listener[i].src, 0);
	dawn_loop_timer(t->o.loop, &t->resume,
			dawn_loop_now_us(t->o.loop) + ACCEPT_PAUSE_US);
}

static void free_conn(struct conn *c)
{
	struct dawn_epoll *t = c->t;
	struct linger rst = { .l_onoff = 1, .l_linger = 0 };

	dawn_loop_remove(t->o.loop, &c->src);
	if (c->reset)
		setsockopt(c->src.fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	close(c->src.fd);
	TAILQ_REMOVE(&t->conns, c, link);
	t->counts.open--;
	dawn_epoll_free_buffers(c);
	free(c);
	resume_accepting(t);
}

static void destroy_conn(struct conn *c)
{
	dawn_epoll_enter(c)->closed(&c->stream, c->why);
	free_conn(c);
}

static void settle(struct conn *c)
{
	uint32_t events = 0;

	if (c->dead) {
		destroy_conn(c);
		return;
	}
	if (dawn_epoll_may_read(c))
		events |= EPOLLIN;
	if (c->tx.len || c->again)
		events |= EPOLLOUT;
	if (events == c->events)
		return;
	if (dawn_loop_change(c->t->o.loop, &c->src, events)) {
		dawn_epoll_kill(c, DAWN_CLOSE_ABORTED, true);
		destroy_conn(c);
		return;
	}
	c->events = events;
}

/* EPOLLERR and EPOLLHUP come whether asked for or not, and stay until the
 * descriptor is closed: they must end the connection or the loop would spin. */
static void conn_failed(struct conn *c)
{
	int err = 0;
	socklen_t len = sizeof(err);

	getsockopt(c->src.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err)
		dawn_epoll_io_error(c, err);
	else if (!c->fin_sent || !dawn_epoll_may_read(c))
		dawn_epoll_kill(
			c, c->fin_sent ? DAWN_CLOSE_DONE : DAWN_CLOSE_RESET,
			false);
}

static void conn_ready(struct dawn_source *src, uint32_t events)
{
	struct conn *c = CONTAINER(src, struct conn, src);

	if ((events & ~(uint32_t)EPOLLOUT) && dawn_epoll_may_read(c))
		dawn_epoll_receive(c);
	dawn_epoll_pump(c);
	if (events & (EPOLLERR | EPOLLHUP))
		conn_failed(c);
	settle(c);
}

static void tune(int fd)
{
	int one = 1;
	int notsent = NOTSENT_BYTES;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &notsent,
		   sizeof(notsent));
}

static struct conn *make_conn(struct listener *l, int fd,
			      const struct sockaddr_storage *ss)
{
	struct dawn_epoll *t = l->t;
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->t = t;
	c->src = (struct dawn_source){ .fd = fd, .ready = conn_ready };
	c->events = EPOLLIN;
	if (dawn_loop_add(t->o.loop, &c->src, c->events)) {
		free(c);
		return NULL;
	}
	c->stream.ops = &dawn_epoll_stream_ops;
	c->stream.protocol = l->service->protocol;
	c->stream.server = l->service->server;
	c->stream.group = l->service->group;
	c->stream.flags = l->service->flags;
	dawn_socket_address(ss, &c->stream.raddr, &c->stream.rport);
	c->progress_ms = now_ms(t);
	TAILQ_INSERT_TAIL(&t->conns, c, link);
	t->counts.open++;
	t->counts.accepted++;
	return c;
}

/* The request is often there already: read at once. */
static void start_conn(struct listener *l, int fd,
		       const struct sockaddr_storage *ss)
{
	struct conn *c = make_conn(l, fd, ss);

	if (!c) {
		close(fd);
		return;
	}
	tune(fd);
	if (dawn_epoll_enter(c)->open(&c->stream)) {
		c->reset = true;
		free_conn(c);
		return;
	}
	dawn_epoll_receive(c);
	dawn_epoll_pump(c);
	settle(c);
}

/* --- accepting ----------------------------------------------------------- */

static bool evict_idle(struct dawn_epoll *t)
{
	struct conn *c;
	int looked = 0;

	TAILQ_FOREACH(c, &t->conns, link)
	{
		if (looked++ == EVICT_LOOK)
			break;
		if (c->rx.len || c->tx.len || c->fin ||
		    !dawn_epoll_enter(c)->idle(&c->stream))
			continue;
		t->counts.evicted++;
		dawn_epoll_kill(c, DAWN_CLOSE_ABORTED, false);
		settle(c);
		return true;
	}
	return false;
}

/* Does somebody wait? accept() reports a lack of descriptors also if not. */
static bool pending(const struct listener *l)
{
	struct pollfd p = { .fd = l->src.fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

/* Nobody is evicted before there is somebody to take the place. */
static bool make_room(const struct listener *l)
{
	if (!pending(l))
		return false;
	if (evict_idle(l->t))
		return true;
	pause_accepting(l->t);
	return false;
}

/* Return: whether to go on accepting. */
static bool accept_failed(const struct listener *l, int err)
{
	switch (err) {
	case EINTR:
	case ECONNABORTED:
		return true;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return make_room(l);
	default: /* EAGAIN; pending errors of the new socket, accept(2) */
		return false;
	}
}

static void accept_some(struct listener *l, int max)
{
	struct sockaddr_storage ss;
	struct dawn_epoll *t = l->t;

	for (int i = 0; i < max; i++) {
		socklen_t len = sizeof(ss);
		int fd;

		if (t->counts.open >= t->o.conns_max && !make_room(l))
			break;
		fd = accept4(l->src.fd, (struct sockaddr *)&ss, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd == -1) {
			if (!accept_failed(l, errno))
				break;
			continue;
		}
		start_conn(l, fd, &ss);
	}
}

static void listener_ready(struct dawn_source *src, uint32_t events)
{
	(void)events;
	accept_some(CONTAINER(src, struct listener, src), ACCEPT_BATCH);
}

static int add_listener(struct dawn_epoll *t,
			const struct dawn_epoll_service *service, int family,
			uint16_t port)
{
	struct listener *l = &t->listener[t->listeners];
	int fd, err;

	if (t->listeners == LISTENERS_MAX)
		return -ENOSPC;
	fd = dawn_socket_bind(family, SOCK_STREAM, port);
	if (fd < 0)
		return fd;
	*l = (struct listener){
		.src = { .fd = fd, .ready = listener_ready },
		.t = t,
		.service = service,
	};
	err = dawn_socket_tune(fd, family, SOCK_STREAM, &t->o.tuning);
	if (!err)
		err = dawn_loop_add(t->o.loop, &l->src, EPOLLIN);
	if (err) {
		close(fd);
		return err;
	}
	t->listeners++;
	return dawn_socket_port(fd);
}

static void drop_listener(struct dawn_epoll *t)
{
	struct listener *l = &t->listener[--t->listeners];

	dawn_loop_remove(t->o.loop, &l->src);
	close(l->src.fd);
}

int dawn_epoll_listen(struct dawn_epoll *t,
		      const struct dawn_epoll_service *service)
{
	int port6, port4;

	port4 = add_listener(t, service, AF_INET, service->port);
	if (port4 < 0 && port4 != -EAFNOSUPPORT)
		return port4;
	port6 = add_listener(t, service, AF_INET6,
			     port4 > 0 ? (uint16_t)port4 : service->port);
	if (port6 == -EAFNOSUPPORT)
		return port4;
	if (port6 < 0 && port4 > 0)
		drop_listener(t);
	return port6;
}

/* --- time ---------------------------------------------------------------- */

/* The kernel's queue shrinks as the peer acknowledges, also while our own
 * buffer stands still. */
static void check_progress(struct conn *c, uint64_t now)
{
	int outq = 0;

	if (!c->tx.len && !c->fin_sent) {
		c->progress_ms = now;
		return;
	}
	ioctl(c->src.fd, SIOCOUTQ, &outq);
	if (outq < c->outq)
		c->progress_ms = now;
	c->outq = outq;
	if (c->fin_sent && outq == 0 &&
	    now - c->progress_ms >= c->t->o.linger_ms)
		dawn_epoll_kill(c, DAWN_CLOSE_DONE, false);
	if (now - c->progress_ms >= c->t->o.stall_ms) {
		c->t->counts.stalled++;
		dawn_epoll_kill(c, DAWN_CLOSE_TIMEOUT, true);
	}
}

/* No callback here moves a connection within the list or ends another one, so
 * the walk is safe. */
static void tick_fire(struct dawn_timer *timer, uint64_t now_us)
{
	struct dawn_epoll *t = CONTAINER(timer, struct dawn_epoll, tick);
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&t->conns); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!c->fin)
			dawn_epoll_enter(c)->tick(&c->stream, now_us / 1000);
		dawn_epoll_pump(c);
		if (!c->dead)
			check_progress(c, now_us / 1000);
		settle(c);
	}
	dawn_loop_timer(t->o.loop, &t->tick, now_us + TICK_US);
}

/* --- the object ---------------------------------------------------------- */

static void fill_defaults(struct dawn_epoll_options *o)
{
	if (!o->conns_max)
		o->conns_max = DAWN_EPOLL_CONNS_DEFAULT;
	if (!o->rx_max)
		o->rx_max = DAWN_EPOLL_RX_DEFAULT;
	if (!o->tx_max)
		o->tx_max = DAWN_EPOLL_TX_DEFAULT;
	if (!o->buffers_max)
		o->buffers_max = DAWN_EPOLL_BUFFERS_DEFAULT;
	if (!o->stall_ms)
		o->stall_ms = STALL_DEFAULT_MS;
	if (o->stall_ms < o->tuning.user_timeout_ms)
		o->stall_ms = o->tuning.user_timeout_ms;
	if (!o->linger_ms)
		o->linger_ms = LINGER_DEFAULT_MS;
}

int dawn_epoll_create(struct dawn_epoll **out,
		      const struct dawn_epoll_options *o)
{
	struct dawn_epoll *t = calloc(1, sizeof(*t));
	int err = -ENOMEM;

	if (!t)
		return err;
	t->o = *o;
	fill_defaults(&t->o);
	TAILQ_INIT(&t->conns);
	t->tick.fire = tick_fire;
	t->resume.fire = resume_fire;
	t->scratch = malloc(t->o.rx_max);
	if (t->scratch)
		err = dawn_loop_timer(o->loop, &t->tick,
				      dawn_loop_now_us(o->loop) + TICK_US);
	if (err) {
		free(t->scratch);
		free(t);
		return err;
	}
	*out = t;
	return 0;
}

void dawn_epoll_reset_all(struct dawn_epoll *t)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&t->conns); c; c = next) {
		next = TAILQ_NEXT(c, link);
		dawn_epoll_kill(c, DAWN_CLOSE_ABORTED, true);
		settle(c);
	}
}

/* Whoever stands in the backlog, or has a request in the socket that was not
 * read yet, came before the drain: it is served. */
void dawn_epoll_drain(struct dawn_epoll *t)
{
	struct conn *c, *next;

	if (t->draining)
		return;
	for (int i = 0; i < t->listeners; i++)
		accept_some(&t->listener[i], DRAIN_ACCEPT_MAX);
	t->draining = true;
	dawn_loop_timer_stop(t->o.loop, &t->resume);
	while (t->listeners)
		drop_listener(t);
	for (c = TAILQ_FIRST(&t->conns); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->drained)
			continue; /* seen again: dawn_epoll_receive() moved it */
		c->drained = true;
		if (dawn_epoll_may_read(c))
			dawn_epoll_receive(c);
		if (!c->fin && !c->dead)
			dawn_epoll_enter(c)->drain(&c->stream);
		dawn_epoll_pump(c);
		settle(c);
	}
}

void dawn_epoll_destroy(struct dawn_epoll *t)
{
	if (!t)
		return;
	dawn_epoll_reset_all(t);
	while (t->listeners)
		drop_listener(t);
	dawn_loop_timer_stop(t->o.loop, &t->tick);
	dawn_loop_timer_stop(t->o.loop, &t->resume);
	free(t->scratch);
	free(t);
}

const struct dawn_epoll_counts *dawn_epoll_counts(const struct dawn_epoll *t)
{
	return &t->counts;
}
