// SPDX-License-Identifier: MIT OR Apache-2.0
/* Theory of operation
 *
 * A protocol's calls only queue bytes or set flags; all system calls and all
 * destruction happen in this file after its callback has returned. Each entry
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
 * wrote more than there was room for. It is then shown nothing and the socket is not read, until tx is at most half
 * full; then writable() comes, then what it left unread.
 *
 * Timers: one, every 500 ms, for all connections: protocol->tick(), stalls,
 * linger.
 *
 * Order by age: `conns` is a list, the connection that had input last at its
 * end; eviction looks at its first few.
 */
#include "user/io/epoll.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/io/socket.h"

#define TICK_US           500000
#define ACCEPT_PAUSE_US   100000
#define LISTENERS_MAX     8
#define ACCEPT_BATCH      64
#define DRAIN_ACCEPT_MAX  4096
#define RECV_BATCH        4  /* reads of rx_max for each readiness */
#define PUMP_ROUNDS       16 /* fairness: then the other connections */
#define EVICT_LOOK        64
#define BUFFER_MIN        4096
#define BUFFER_FREE       (16U << 10) /* granted beyond buffers_max, too */
#define NOTSENT_BYTES     (128 << 10) /* unsent bytes the kernel holds for us */
#define STALL_DEFAULT_MS  60000
#define LINGER_DEFAULT_MS 5000

struct buffer {
	uint8_t *mem;
	uint32_t size;
	uint32_t start; /* first byte in use */
	uint32_t len;   /* bytes in use, contiguous */
};

struct conn {
	struct dawn_stream stream; /* first: the protocol's handle */
	struct dawn_source src;
	struct dawn_epoll *t;
	TAILQ_ENTRY(conn) link;
	struct buffer rx;
	struct buffer tx;
	uint32_t events; /* what epoll watches */
	bool starved;
	bool eof;       /* peer's FIN read */
	bool eof_shown; /* protocol->eof() called */
	bool fin;       /* shutdown() called */
	bool fin_sent;
	bool again; /* pump() stopped for fairness */
	bool drained;
	bool dead; /* settle() destroys it */
	enum dawn_close_reason why;
	bool reset;           /* close with RST */
	int outq;             /* SIOCOUTQ at the last tick */
	uint64_t progress_ms; /* when the peer last took something of ours */
};

struct listener {
	struct dawn_source src;
	struct dawn_epoll *t;
	const struct dawn_epoll_service *service;
};

struct dawn_epoll {
	struct dawn_epoll_options o;
	struct dawn_epoll_counts counts;
	TAILQ_HEAD(conn_list, conn) conns;
	struct listener listener[LISTENERS_MAX];
	int listeners;
	bool paused; /* listeners are not watched */
	bool draining;
	struct dawn_timer tick;
	struct dawn_timer resume;
	uint8_t *scratch; /* rx_max bytes */
};

#define CONTAINER(ptr, type, member) \
	((type *)((char *)(ptr)-offsetof(type, member)))

static void settle(struct conn *c);

/* --- buffers ------------------------------------------------------------- */

static void buffer_free(struct dawn_epoll *t, struct buffer *b)
{
	t->counts.buffer_bytes -= b->size;
	free(b->mem);
	*b = (struct buffer){ 0 };
}

/* Largest capacity the buffer may have now: `max`, less when memory is short. */
static uint32_t buffer_limit(const struct dawn_epoll *t, const struct buffer *b,
			     uint32_t max)
{
	uint64_t others = t->counts.buffer_bytes - b->size;
	uint64_t left = others < t->o.buffers_max ? t->o.buffers_max - others
						  : 0;

	if (left < BUFFER_FREE)
		left = BUFFER_FREE;
	if (left < b->size)
		left = b->size;
	return left < max ? (uint32_t)left : max;
}

/* Move what is there into a bigger piece of memory, at its start. */
static int buffer_resize(struct dawn_epoll *t, struct buffer *b, uint32_t size)
{
	uint8_t *mem = malloc(size);

	if (!mem)
		return -ENOMEM;
	if (b->len)
		memcpy(mem, b->mem + b->start, b->len);
	free(b->mem);
	t->counts.buffer_bytes += size - b->size;
	b->mem = mem;
	b->size = size;
	b->start = 0;
	return 0;
}

/* Make room behind the bytes in use. Return: how much there is, at most
 * `want`; 0 if memory ran out. */
static uint32_t buffer_room(struct dawn_epoll *t, struct buffer *b,
			    uint32_t want, uint32_t max)
{
	uint32_t limit = buffer_limit(t, b, max);
	uint32_t size = b->size ? b->size : BUFFER_MIN;

	if (want > limit - b->len)
		want = limit - b->len;
	if (b->start && b->start + b->len + want > b->size) {
		memmove(b->mem, b->mem + b->start, b->len);
		b->start = 0;
	}
	if (b->len + want <= b->size)
		return want;
	while (size < b->len + want)
		size *= 2;
	if (size > limit)
		size = limit;
	return buffer_resize(t, b, size) ? b->size - b->len : want;
}

static void buffer_take(struct dawn_epoll *t, struct buffer *b, uint32_t len)
{
	b->start += len;
	b->len -= len;
	if (!b->len)
		buffer_free(t, b);
}

/* --- what protocols call ------------------------------------------------- */

static size_t conn_space(const struct dawn_stream *s)
{
	const struct conn *c = (const struct conn *)s;

	if (c->fin || c->dead)
		return 0;
	return buffer_limit(c->t, &c->tx, c->t->o.tx_max) - c->tx.len;
}

/* More than half of what tx may hold now is in use. */
static bool low_space(const struct conn *c)
{
	return c->tx.len > buffer_limit(c->t, &c->tx, c->t->o.tx_max) / 2;
}

static size_t conn_write(struct dawn_stream *s, const void *buf, size_t len)
{
	struct conn *c = (struct conn *)s;
	uint32_t max = c->t->o.tx_max;
	uint32_t n;

	if (c->fin || c->dead)
		return 0;
	n = buffer_room(c->t, &c->tx, len > max ? max : (uint32_t)len, max);
	if (n)
		memcpy(c->tx.mem + c->tx.start + c->tx.len, buf, n);
	c->tx.len += n;
	if (n < len)
		c->starved = true;
	return n;
}

static void conn_shutdown(struct dawn_stream *s)
{
	((struct conn *)s)->fin = true;
}

static void kill_conn(struct conn *c, enum dawn_close_reason why, bool reset)
{
	if (c->dead)
		return;
	c->dead = true;
	c->why = why;
	c->reset = reset;
}

static void conn_abort(struct dawn_stream *s)
{
	kill_conn((struct conn *)s, DAWN_CLOSE_ABORTED, true);
}

static const struct dawn_stream_ops conn_ops = {
	.space = conn_space,
	.write = conn_write,
	.shutdown = conn_shutdown,
	.abort = conn_abort,
};

/* --- moving bytes -------------------------------------------------------- */

static uint64_t now_ms(const struct dawn_epoll *t)
{
	return dawn_loop_now_us(t->o.loop) / 1000;
}

static const struct dawn_proto_ops *enter(struct conn *c)
{
	c->stream.now_ms = now_ms(c->t);
	return c->stream.protocol;
}

static void io_error(struct conn *c, int err)
{
	kill_conn(c, err == ETIMEDOUT ? DAWN_CLOSE_TIMEOUT : DAWN_CLOSE_RESET,
		  false);
}

/* tx -> kernel. Return: whether anything moved. */
static bool flush(struct conn *c)
{
	bool moved = false;

	while (c->tx.len && !c->dead) {
		ssize_t n = send(c->src.fd, c->tx.mem + c->tx.start, c->tx.len,
				 MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == ENOBUFS))
			break;
		if (n == -1) {
			io_error(c, errno);
			break;
		}
		buffer_take(c->t, &c->tx, (uint32_t)n);
		c->progress_ms = now_ms(c->t);
		moved = true;
	}
	if (c->fin && !c->tx.len && !c->fin_sent && !c->dead) {
		shutdown(c->src.fd, SHUT_WR);
		c->fin_sent = true;
		c->progress_ms = now_ms(c->t);
	}
	return moved;
}

/* Show bytes as long as the protocol takes some. Return: how many it took. */
static uint32_t show(struct conn *c, const uint8_t *buf, uint32_t len)
{
	uint32_t off = 0;

	while (off < len && !c->dead && !c->starved && !c->fin) {
		size_t n = enter(c)->data(&c->stream, buf + off, len - off);

		assert(n <= len - off);
		if (!n)
			break;
		off += (uint32_t)n;
		c->starved |= low_space(c);
	}
	return c->fin ? len : off;
}

/* Keep what the protocol left of a piece that was not in rx. */
static void keep(struct conn *c, const uint8_t *buf, uint32_t len)
{
	if (!len || c->dead)
		return;
	if (buffer_room(c->t, &c->rx, len, c->t->o.rx_max) < len) {
		kill_conn(c, DAWN_CLOSE_ABORTED, true);
		return;
	}
	memcpy(c->rx.mem + c->rx.start + c->rx.len, buf, len);
	c->rx.len += len;
}

static bool show_rx(struct conn *c)
{
	uint32_t n;

	if (!c->rx.len)
		return false;
	n = show(c, c->rx.mem + c->rx.start, c->rx.len);
	if (n)
		buffer_take(c->t, &c->rx, n);
	return n;
}

static bool may_read(const struct conn *c)
{
	if (c->eof || c->dead)
		return false;
	return c->fin || (!c->starved && c->rx.len < c->t->o.rx_max);
}

static ssize_t receive_some(struct conn *c, uint8_t *buf, uint32_t len)
{
	ssize_t n;

	do {
		n = recv(c->src.fd, buf, len, 0);
	} while (n == -1 && errno == EINTR);
	if (n == 0)
		c->eof = true;
	if (n == -1 && errno != EAGAIN)
		io_error(c, errno);
	return n;
}

/* Usually nothing is left over and the bytes never leave the scratch buffer.
 * Return: whether there may be more to read. */
static bool receive_once(struct conn *c)
{
	struct dawn_epoll *t = c->t;
	bool direct = !c->rx.len;
	uint32_t room = buffer_limit(t, &c->rx, t->o.rx_max);
	uint8_t *buf = t->scratch;
	ssize_t n;

	if (!direct) {
		room = buffer_room(t, &c->rx, c->rx.len + BUFFER_MIN,
				   t->o.rx_max);
		if (!room) {
			kill_conn(c, DAWN_CLOSE_ABORTED, true);
			return false;
		}
		buf = c->rx.mem + c->rx.start + c->rx.len;
	}
	n = receive_some(c, buf, room);
	if (n <= 0)
		return false;
	if (direct) {
		uint32_t used = show(c, buf, (uint32_t)n);

		keep(c, buf + used, (uint32_t)n - used);
	} else {
		c->rx.len += (uint32_t)n;
		show_rx(c);
	}
	return (uint32_t)n == room;
}

static void receive(struct conn *c)
{
	for (int i = 0; i < RECV_BATCH && may_read(c); i++) {
		if (!receive_once(c))
			break;
	}
	TAILQ_REMOVE(&c->t->conns, c, link);
	TAILQ_INSERT_TAIL(&c->t->conns, c, link);
}

/* tx has room again. Return: whether the protocol was told. */
static bool feed(struct conn *c)
{
	if (!c->starved || c->fin || c->dead || low_space(c))
		return false;
	c->starved = false;
	enter(c)->writable(&c->stream);
	c->starved |= low_space(c);
	return true;
}

static bool show_eof(struct conn *c)
{
	if (!c->eof || c->eof_shown || c->starved || c->fin || c->dead)
		return false;
	c->eof_shown = true;
	enter(c)->eof(&c->stream);
	return true;
}

static void pump(struct conn *c)
{
	bool moved = true;

	for (int i = 0; i < PUMP_ROUNDS && moved && !c->dead; i++) {
		moved = flush(c);
		moved |= feed(c);
		moved |= show_rx(c);
		moved |= show_eof(c);
	}
	c->again = moved && !c->dead;
	if (c->fin && c->rx.len)
		buffer_free(c->t, &c->rx);
	if (!c->fin && !c->starved && c->rx.len >= c->t->o.rx_max && !c->dead) {
		c->t->counts.overflow++;
		kill_conn(c, DAWN_CLOSE_ABORTED, true);
	}
	if (c->fin_sent && c->eof)
		kill_conn(c, DAWN_CLOSE_DONE, false);
}

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
	buffer_free(t, &c->rx);
	buffer_free(t, &c->tx);
	free(c);
	resume_accepting(t);
}

static void destroy_conn(struct conn *c)
{
	enter(c)->closed(&c->stream, c->why);
	free_conn(c);
}

static void settle(struct conn *c)
{
	uint32_t events = 0;

	if (c->dead) {
		destroy_conn(c);
		return;
	}
	if (may_read(c))
		events |= EPOLLIN;
	if (c->tx.len || c->again)
		events |= EPOLLOUT;
	if (events == c->events)
		return;
	if (dawn_loop_change(c->t->o.loop, &c->src, events)) {
		kill_conn(c, DAWN_CLOSE_ABORTED, true);
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
		io_error(c, err);
	else if (!c->fin_sent || !may_read(c))
		kill_conn(c, c->fin_sent ? DAWN_CLOSE_DONE : DAWN_CLOSE_RESET,
			  false);
}

static void conn_ready(struct dawn_source *src, uint32_t events)
{
	struct conn *c = CONTAINER(src, struct conn, src);

	if ((events & ~(uint32_t)EPOLLOUT) && may_read(c))
		receive(c);
	pump(c);
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
	c->stream.ops = &conn_ops;
	c->stream.protocol = l->service->protocol;
	c->stream.server = l->service->server;
	c->stream.group = l->service->group;
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
	if (enter(c)->open(&c->stream)) {
		c->reset = true;
		free_conn(c);
		return;
	}
	receive(c);
	pump(c);
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
		    !enter(c)->idle(&c->stream))
			continue;
		t->counts.evicted++;
		kill_conn(c, DAWN_CLOSE_ABORTED, false);
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
		kill_conn(c, DAWN_CLOSE_DONE, false);
	if (now - c->progress_ms >= c->t->o.stall_ms) {
		c->t->counts.stalled++;
		kill_conn(c, DAWN_CLOSE_TIMEOUT, true);
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
			enter(c)->tick(&c->stream, now_us / 1000);
		pump(c);
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
	struct conn *c;

	while ((c = TAILQ_FIRST(&t->conns))) {
		kill_conn(c, DAWN_CLOSE_ABORTED, true);
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
			continue; /* seen again: receive() moved it */
		c->drained = true;
		if (may_read(c))
			receive(c);
		if (!c->fin && !c->dead)
			enter(c)->drain(&c->stream);
		pump(c);
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
