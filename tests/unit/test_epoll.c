// SPDX-License-Identifier: MIT OR Apache-2.0
/* The kernel-TCP transport, served to real sockets on loopback. The loop runs
 * in a thread of its own; the tests are blocking clients. */
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

static uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i * 31 + (i >> 11));
}

static int p_open(struct dawn_stream *s)
{
	if (refuse_open)
		return -ENOMEM;
	s->proto = calloc(1, sizeof(struct proto));
	atomic_fetch_add(&opened, 1);
	return s->proto ? 0 : -ENOMEM;
}

static void p_source(struct dawn_stream *s)
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

static size_t p_data(struct dawn_stream *s, const uint8_t *buf, size_t len)
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

static void p_eof(struct dawn_stream *s)
{
	struct proto *p = s->proto;

	if (p->mode != 's')
		s->ops->shutdown(s);
}

static void p_writable(struct dawn_stream *s)
{
	struct proto *p = s->proto;

	if (p->mode == 's')
		p_source(s);
}

static void p_tick(struct dawn_stream *s, uint64_t now_ms)
{
	(void)s;
	(void)now_ms;
	atomic_fetch_add(&ticks, 1);
}

static bool p_idle(const struct dawn_stream *s)
{
	const struct proto *p = s->proto;

	return !p->mode || p->mode == 'e';
}

static void p_drain(struct dawn_stream *s)
{
	struct proto *p = s->proto;

	p->draining = true;
	if (p->mode != 's')
		s->ops->shutdown(s);
}

static void p_closed(struct dawn_stream *s, enum dawn_close_reason why)
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

static void *serve(void *arg)
{
	(void)arg;
	dawn_loop_run(loop);
	return NULL;
}

static void start_server(struct dawn_epoll_options o)
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

static void stop_server(void)
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

static void run_call(void *arg)
{
	struct call *c = arg;

	c->fn();
	sem_post(&c->done);
}

static void in_loop(void (*fn)(void))
{
	struct call c = { .fn = fn };

	sem_init(&c.done, 0, 0);
	assert_int_equal(dawn_loop_post(loop, run_call, &c), 0);
	while (sem_wait(&c.done) == -1)
		assert_int_equal(errno, EINTR);
}

static struct dawn_epoll_counts counts;

static void copy_counts(void)
{
	counts = *dawn_epoll_counts(tcp);
}

static uint64_t ms(void)
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

static void set_patience(int fd)
{
	struct timeval tv = { .tv_sec = PATIENCE_MS / 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static int try_connect(int family, int rcvbuf)
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

static int open_client(void)
{
	int fd = try_connect(AF_INET, 0);

	assert_true(fd >= 0);
	return fd;
}

static void say(int fd, const void *buf, size_t len)
{
	assert_int_equal(send(fd, buf, len, MSG_NOSIGNAL), len);
}

/* Read to the end. Return: bytes, all of them the pattern; or -errno. */
static int64_t read_pattern(int fd)
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

static ssize_t read_all(int fd, char *buf, size_t size)
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

static void *upload(void *arg)
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

/* --- tests --------------------------------------------------------------- */

static void echo_over(int family)
{
	struct upload u = { .bytes = 10 << 20, .half_close = true };
	pthread_t up;

	u.fd = try_connect(family, 0);
	if (u.fd == -EADDRNOTAVAIL || u.fd == -EAFNOSUPPORT)
		return; /* no IPv6 here; IPv4 never comes this way */
	assert_true(u.fd >= 0);
	say(u.fd, "e", 1);
	pthread_create(&up, NULL, upload, &u);
	assert_int_equal(read_pattern(u.fd), u.bytes);
	pthread_join(up, NULL);
	close(u.fd);
	WAIT_FOR(counts.open == 0);
	assert_int_equal(last_reason, DAWN_CLOSE_DONE);
	assert_int_equal(counts.buffer_bytes, 0);
}

static void echoes_10_mb_and_half_close(void **state)
{
	(void)state;
	start_server((struct dawn_epoll_options){ 0 });
	echo_over(AF_INET);
	echo_over(AF_INET6);
	assert_int_equal(counts.overflow, 0);
	stop_server();
}

/* Buffers that are never large enough: everything goes in pieces. */
static void echoes_through_small_buffers(void **state)
{
	(void)state;
	start_server((struct dawn_epoll_options){
		.rx_max = 4096, .tx_max = 5000, .buffers_max = 1 });
	echo_over(AF_INET);
	stop_server();
}

static void slow_reader_is_bounded(void **state)
{
	uint64_t most = 0;
	int fd;

	(void)state;
	source_bytes = 64 << 20;
	start_server((struct dawn_epoll_options){ 0 });
	fd = try_connect(AF_INET, 4096);
	assert_true(fd >= 0);
	say(fd, "s", 1);
	/* The kernel's share fills, then ours; both stop. */
	WAIT_FOR(counts.buffer_bytes > 0);
	for (int start = ticks; ticks < start + 2;) {
		in_loop(copy_counts);
		if (counts.buffer_bytes > most)
			most = counts.buffer_bytes;
	}
	assert_in_range(most, 1, DAWN_EPOLL_TX_DEFAULT);
	assert_int_equal(read_pattern(fd), source_bytes);
	close(fd);
	WAIT_FOR(counts.open == 0);
	stop_server();
}

static void stalled_reader_is_reset(void **state)
{
	int fd;

	(void)state;
	source_bytes = 64 << 20;
	start_server((struct dawn_epoll_options){ .stall_ms = 600 });
	fd = try_connect(AF_INET, 4096);
	say(fd, "s", 1);
	WAIT_FOR(counts.stalled == 1 && counts.open == 0);
	assert_int_equal(last_reason, DAWN_CLOSE_TIMEOUT);
	assert_int_equal(read_pattern(fd), -ECONNRESET);
	close(fd);
	stop_server();
}

static void unread_input_beyond_the_cap_is_reset(void **state)
{
	struct upload u = { .bytes = 4 << 20 };
	char c;

	(void)state;
	start_server((struct dawn_epoll_options){ 0 });
	u.fd = open_client();
	say(u.fd, "h", 1);
	upload(&u); /* meets the reset, here or in the next read */
	assert_true(read_all(u.fd, &c, 1) <= 0);
	close(u.fd);
	WAIT_FOR(counts.open == 0);
	assert_int_equal(counts.overflow, 1);
	assert_int_equal(last_reason, DAWN_CLOSE_ABORTED);
	stop_server();
}

static void abort_resets(void **state)
{
	char c;
	int fd;

	(void)state;
	start_server((struct dawn_epoll_options){ 0 });
	fd = open_client();
	say(fd, "a", 1);
	assert_int_equal(read_all(fd, &c, 1), -ECONNRESET);
	close(fd);
	WAIT_FOR(counts.open == 0);
	assert_int_equal(last_reason, DAWN_CLOSE_ABORTED);
	stop_server();
}

static void refused_open_resets(void **state)
{
	char c;
	int fd;

	(void)state;
	start_server((struct dawn_epoll_options){ 0 });
	refuse_open = true;
	fd = open_client();
	assert_int_equal(read_all(fd, &c, 1), -ECONNRESET);
	close(fd);
	WAIT_FOR(counts.accepted == 1);
	assert_int_equal(counts.open, 0);
	stop_server();
}

static void peer_reset_is_told(void **state)
{
	struct linger rst = { .l_onoff = 1 };
	int fd;

	(void)state;
	start_server((struct dawn_epoll_options){ 0 });
	fd = open_client();
	say(fd, "b", 1);
	WAIT_FOR(counts.open == 1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	close(fd);
	WAIT_FOR(counts.open == 0);
	assert_int_equal(last_reason, DAWN_CLOSE_RESET);
	stop_server();
}

/* The client goes on sending after the last response: it must still get it. */
static void linger_keeps_the_answer(void **state)
{
	struct upload u = { .bytes = 4 << 20, .half_close = true };
	char buf[8];

	(void)state;
	start_server((struct dawn_epoll_options){ 0 });
	u.fd = open_client();
	say(u.fd, "q", 1);
	upload(&u);
	assert_int_equal(read_all(u.fd, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "bye", 3);
	close(u.fd);
	WAIT_FOR(counts.open == 0);
	assert_int_equal(last_reason, DAWN_CLOSE_DONE);
	stop_server();
}

static void linger_ends(void **state)
{
	char buf[8];
	int fd;

	(void)state;
	start_server((struct dawn_epoll_options){ .linger_ms = 100 });
	fd = open_client();
	say(fd, "q", 1);
	assert_int_equal(read_all(fd, buf, sizeof(buf)), 3);
	WAIT_FOR(counts.open == 0); /* though the client never closes */
	assert_int_equal(last_reason, DAWN_CLOSE_DONE);
	close(fd);
	stop_server();
}

static void oldest_idle_is_evicted(void **state)
{
	int fd[5];
	char c;

	(void)state;
	start_server((struct dawn_epoll_options){ .conns_max = 4 });
	for (int i = 0; i < 4; i++) {
		fd[i] = open_client();
		say(fd[i], i == 0 ? "b" : "e", 1);
		WAIT_FOR(counts.open == (uint32_t)i + 1);
	}
	/* 0 is busy, 1 has spoken since: 2 is the oldest idle one. */
	say(fd[1], "x", 1);
	assert_int_equal(read_all(fd[1], &c, 1), 1);
	fd[4] = open_client();
	assert_int_equal(read_all(fd[2], &c, 1), 0);
	say(fd[4], "ey", 2);
	assert_int_equal(read_all(fd[4], &c, 1), 1);
	in_loop(copy_counts);
	assert_int_equal(counts.open, 4);
	assert_int_equal(counts.evicted, 1);
	for (int i = 0; i < 5; i++)
		close(fd[i]);
	stop_server();
}

static void none_idle_makes_clients_wait(void **state)
{
	int fd[5];
	char c;

	(void)state;
	start_server((struct dawn_epoll_options){ .conns_max = 4 });
	for (int i = 0; i < 4; i++) {
		fd[i] = open_client();
		say(fd[i], "b", 1);
		WAIT_FOR(counts.open == (uint32_t)i + 1);
	}
	fd[4] = open_client(); /* the backlog takes it */
	say(fd[4], "ey", 2);
	WAIT_FOR(counts.accept_waits > 0);
	assert_int_equal(counts.accepted, 4);
	close(fd[3]);
	assert_int_equal(read_all(fd[4], &c, 1), 1);
	in_loop(copy_counts);
	assert_int_equal(counts.evicted, 0);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	close(fd[4]);
	stop_server();
}

/* No descriptor left: the connection waits, and is served when one is. */
static void descriptor_exhaustion_is_survived(void **state)
{
	struct rlimit old, few;
	int fd, probe;
	char c;

	(void)state;
	start_server((struct dawn_epoll_options){ 0 });
	fd = open_client();
	say(fd, "b", 1);
	WAIT_FOR(counts.open == 1);
	probe = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(probe >= 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)probe + 2; /* the client's, and no more */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	close(fd);
	close(probe);
	WAIT_FOR(counts.open == 0);
	/* Take everything but one: the client's own. */
	int fill[64], n = 0;

	while (n < 64 && (fill[n] = dup(1)) >= 0)
		n++;
	assert_in_range(n, 1, 63);
	close(fill[--n]);
	fd = open_client();
	say(fd, "ez", 2);
	WAIT_FOR(counts.accept_waits > 0);
	assert_int_equal(counts.open, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(read_all(fd, &c, 1), 1);
	while (n)
		close(fill[--n]);
	close(fd);
	stop_server();
}

static void drain_it(void)
{
	dawn_epoll_drain(tcp);
}

static void reset_it(void)
{
	dawn_epoll_reset_all(tcp);
}

static void drain_finishes_what_is_under_way(void **state)
{
	int busy, idle, fresh;
	char c;

	(void)state;
	source_bytes = 5 << 20;
	start_server((struct dawn_epoll_options){ 0 });
	busy = try_connect(AF_INET, 4096);
	idle = open_client();
	say(idle, "e", 1);
	WAIT_FOR(counts.open == 2);
	fresh = open_client();
	say(fresh, "s", 1); /* perhaps still in the backlog: still served */
	say(busy, "s", 1);
	in_loop(drain_it);
	assert_int_equal(try_connect(AF_INET, 0), -ECONNREFUSED);
	assert_int_equal(read_all(idle, &c, 1), 0);
	assert_int_equal(read_pattern(fresh), source_bytes);
	assert_int_equal(read_pattern(busy), source_bytes);
	close(busy);
	close(idle);
	close(fresh);
	WAIT_FOR(counts.open == 0);
	stop_server();
}

static void reset_all_ends_a_drain(void **state)
{
	int fd;

	(void)state;
	source_bytes = 64 << 20;
	start_server((struct dawn_epoll_options){ 0 });
	fd = try_connect(AF_INET, 4096);
	say(fd, "s", 1);
	WAIT_FOR(counts.buffer_bytes > 0);
	in_loop(drain_it);
	in_loop(reset_it);
	in_loop(copy_counts);
	assert_int_equal(counts.open, 0);
	assert_int_equal(read_pattern(fd), -ECONNRESET);
	close(fd);
	stop_server();
}

static void port_in_use_is_refused(void **state)
{
	struct dawn_epoll_service again;
	struct dawn_epoll *other;
	struct dawn_epoll_options o = { 0 };

	(void)state;
	start_server((struct dawn_epoll_options){ 0 });
	assert_int_equal(dawn_loop_create(&o.loop), 0);
	assert_int_equal(dawn_epoll_create(&other, &o), 0);
	again = service;
	again.port = (uint16_t)port;
	assert_int_equal(dawn_epoll_listen(other, &again), -EADDRINUSE);
	dawn_epoll_destroy(other);
	dawn_loop_destroy(o.loop);
	stop_server();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes_10_mb_and_half_close),
		cmocka_unit_test(echoes_through_small_buffers),
		cmocka_unit_test(slow_reader_is_bounded),
		cmocka_unit_test(stalled_reader_is_reset),
		cmocka_unit_test(unread_input_beyond_the_cap_is_reset),
		cmocka_unit_test(abort_resets),
		cmocka_unit_test(refused_open_resets),
		cmocka_unit_test(peer_reset_is_told),
		cmocka_unit_test(linger_keeps_the_answer),
		cmocka_unit_test(linger_ends),
		cmocka_unit_test(oldest_idle_is_evicted),
		cmocka_unit_test(none_idle_makes_clients_wait),
		cmocka_unit_test(descriptor_exhaustion_is_survived),
		cmocka_unit_test(drain_finishes_what_is_under_way),
		cmocka_unit_test(reset_all_ends_a_drain),
		cmocka_unit_test(port_in_use_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
