/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What tests of the kernel-TCP transport share: a protocol, a server whose loop
 * runs in a thread of its own, blocking clients on loopback. */
#ifndef DAWN_TEST_EPOLL_RIG_H
#define DAWN_TEST_EPOLL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "user/io/epoll.h"
#include "user/io/loop.h"

#define PATIENCE_MS 20000

/* --- the protocol: its first byte says what it does ----------------------- */

/* 'e' echo all that follows
 * 's' send `source_bytes` of a pattern, then shutdown
 * 'h' hold: consume nothing more
 * 'b' busy: consume, never be idle
 * 'a' abort
 * 'q' answer "bye" and shutdown at once, whatever else comes */
struct proto {
	char mode;
	uint64_t sent;
	bool draining;
};

static uint64_t source_bytes;
static atomic_int opened, closed_count, ticks;
static atomic_int last_reason;
static bool refuse_open;

static inline uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i * 31 + (i >> 11));
}

static inline int p_open(struct dawn_stream *s)
{
	if (refuse_open)
		return -ENOMEM;
	s->proto = calloc(1, sizeof(struct proto));
	atomic_fetch_add(&opened, 1);
	return s->proto ? 0 : -ENOMEM;
}

static inline void p_source(struct dawn_stream *s)
{
	struct proto *p = s->proto;
	uint8_t buf[5000];

	while (p->sent < source_bytes && s->ops->space(s)) {
		size_t n = sizeof(buf);

		if (n > source_bytes - p->sent)
			n = source_bytes - p->sent;
		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(p->sent + i);
		p->sent += s->ops->write(s, buf, n);
	}
	if (p->sent == source_bytes)
		s->ops->shutdown(s);
}

static inline size_t p_data(struct dawn_stream *s, const uint8_t *buf,
			    size_t len)
{
	struct proto *p = s->proto;
	size_t used = 0;

	if (!p->mode) {
		p->mode = (char)buf[0];
		used = 1;
	}
	switch (p->mode) {
	case 'e':
		return used + s->ops->write(s, buf + used, len - used);
	case 's':
		p_source(s);
		return len;
	case 'h':
		return used;
	case 'a':
		s->ops->abort(s);
		return len;
	case 'q':
		s->ops->write(s, "bye", 3);
		s->ops->shutdown(s);
		return used;
	default:
		return len;
	}
}

static inline void p_eof(struct dawn_stream *s)
{
	struct proto *p = s->proto;

	if (p->mode != 's')
		s->ops->shutdown(s);
}

static inline void p_writable(struct dawn_stream *s)
{
	struct proto *p = s->proto;

	if (p->mode == 's')
		p_source(s);
}

static inline void p_tick(struct dawn_stream *s, uint64_t now_ms)
{
	(void)s;
	(void)now_ms;
	atomic_fetch_add(&ticks, 1);
}

static inline bool p_idle(const struct dawn_stream *s)
{
	const struct proto *p = s->proto;

	return !p->mode || p->mode == 'e';
}

static inline void p_drain(struct dawn_stream *s)
{
	struct proto *p = s->proto;

	p->draining = true;
	if (p->mode != 's')
		s->ops->shutdown(s);
}

static inline void p_closed(struct dawn_stream *s, enum dawn_close_reason why)
{
	atomic_store(&last_reason, why);
	atomic_fetch_add(&closed_count, 1);
	free(s->proto);
}

static const struct dawn_proto_ops protocol = {
	.name = "test",
	.open = p_open,
	.data = p_data,
	.eof = p_eof,
	.writable = p_writable,
	.tick = p_tick,
	.idle = p_idle,
	.drain = p_drain,
	.closed = p_closed,
};

/* --- the server thread --------------------------------------------------- */

static struct dawn_loop *loop;
static struct dawn_epoll *tcp;
static struct dawn_epoll_service service;
static pthread_t thread;
static int port;

static inline void *serve(void *arg)
{
	(void)arg;
	dawn_loop_run(loop);
	return NULL;
}

static inline void start_server(struct dawn_epoll_options o)
{
	opened = closed_count = ticks = 0;
	last_reason = -1;
	refuse_open = false;
	assert_int_equal(dawn_loop_create(&loop), 0);
	o.loop = loop;
	assert_int_equal(dawn_epoll_create(&tcp, &o), 0);
	service = (struct dawn_epoll_service){ .protocol = &protocol };
	port = dawn_epoll_listen(tcp, &service);
	assert_true(port > 0);
	pthread_create(&thread, NULL, serve, NULL);
}

static inline void stop_server(void)
{
	dawn_loop_stop(loop);
	pthread_join(thread, NULL);
	dawn_epoll_destroy(tcp);
	dawn_loop_destroy(loop);
	assert_int_equal(opened, closed_count);
}

struct call {
	void (*fn)(void);
	sem_t done;
};

static inline void run_call(void *arg)
{
	struct call *c = arg;

	c->fn();
	sem_post(&c->done);
}

static inline void in_loop(void (*fn)(void))
{
	struct call c = { .fn = fn };

	sem_init(&c.done, 0, 0);
	assert_int_equal(dawn_loop_post(loop, run_call, &c), 0);
	while (sem_wait(&c.done) == -1)
		assert_int_equal(errno, EINTR);
}

static struct dawn_epoll_counts counts;

static inline void copy_counts(void)
{
	counts = *dawn_epoll_counts(tcp);
}

static inline uint64_t ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Wait until the expression, computed from fresh `counts`, is true. */
#define WAIT_FOR(expr)                                                    \
	do {                                                              \
		uint64_t limit_ms = ms() + PATIENCE_MS;                   \
		for (in_loop(copy_counts); !(expr); in_loop(copy_counts)) \
			assert_true(ms() < limit_ms);                     \
	} while (0)

/* --- the client ---------------------------------------------------------- */

static inline void set_patience(int fd)
{
	struct timeval tv = { .tv_sec = PATIENCE_MS / 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static inline int try_connect(int family, int rcvbuf)
{
	struct sockaddr_in in4 = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
		.sin6_addr = in6addr_loopback,
	};
	struct sockaddr *sa = family == AF_INET ? (struct sockaddr *)&in4
						: (struct sockaddr *)&in6;
	socklen_t len = family == AF_INET ? sizeof(in4) : sizeof(in6);
	int fd = socket(family, SOCK_STREAM, 0);
	int one = 1;

	assert_true(fd >= 0);
	if (rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	set_patience(fd);
	if (connect(fd, sa, len) == -1) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

static inline int open_client(void)
{
	int fd = try_connect(AF_INET, 0);

	assert_true(fd >= 0);
	return fd;
}

static inline void say(int fd, const void *buf, size_t len)
{
	assert_int_equal(send(fd, buf, len, MSG_NOSIGNAL), len);
}

/* Read to the end. Return: bytes, all of them the pattern; or -errno. */
static inline int64_t read_pattern(int fd)
{
	static uint8_t buf[65536];
	int64_t total = 0;

	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n == -1)
			return -errno;
		if (n == 0)
			return total;
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], pattern((uint64_t)total++));
	}
}

static inline ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = recv(fd, buf + len, size - len, 0);

		if (n == -1)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

struct upload {
	int fd;
	uint64_t bytes;
	bool half_close;
};

static inline void *upload(void *arg)
{
	struct upload *u = arg;
	uint8_t buf[30011];
	uint64_t sent = 0;

	while (sent < u->bytes) {
		size_t n = sizeof(buf);

		if (n > u->bytes - sent)
			n = u->bytes - sent;
		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(sent + i);
		for (size_t off = 0; off < n;) {
			ssize_t r =
				send(u->fd, buf + off, n - off, MSG_NOSIGNAL);

			if (r <= 0)
				return NULL;
			off += (size_t)r;
		}
		sent += n;
	}
	if (u->half_close)
		shutdown(u->fd, SHUT_WR);
	return NULL;
}

#endif
