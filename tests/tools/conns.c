// SPDX-License-Identifier: MIT OR Apache-2.0
/* conns: many connections from one process, by the kernel's TCP; every answer
 * is compared with the file it should be.
 *
 * usage: conns [OPTION]... ADDRESS PORT TARGET FILE
 *   -n N    hold N connections, each asked once when it is made (1000)
 *   -w W    at most W under way at one time (256)
 *   -a A    source addresses: the first one, and A - 1 that follow it (1)
 *   -f IP   the first source address (the kernel's choice)
 *   -c R    no held ones: R new connections a second, each for one request,
 *           closed by us; as many as that makes in the seconds of -s
 *   -s S    (10)
 *
 * Held connections: after "opened" and each "asked" a line of stdin says what
 * is next: "ask" asks on every one, in random order; "close", or its end, ends.
 * A connection that fails is counted by what failed, and not tried again.
 * Times are those of the client: from send (or connect) to the last byte.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/tool.h"

#define RESPONSE_MAX 4096
#define GIVE_UP_NS   20000000000ULL

struct conn {
	int fd;
	bool busy;
	uint32_t got;
	uint64_t start_ns;
	char *buf; /* while an answer is read; RESPONSE_MAX */
};

enum failure {
	FAIL_CONNECT,
	FAIL_RESET,
	FAIL_EOF,
	FAIL_WRONG,
	FAIL_TIME,
	FAIL_COUNT
};
static const char *const failure_names[FAIL_COUNT] = {
	"connect", "reset", "eof", "wrong", "timeout",
};

#define CONNS_MAX 65536
static struct conn list[CONNS_MAX];

/* Log-linear: 16 steps each power of two, of microseconds. */
#define STEPS 16
#define CELLS (40 * STEPS)

static struct {
	struct sockaddr_storage peer, source;
	socklen_t addr_len;
	uint32_t conns, window, sources, rate, seconds;
	char request[512];
	size_t request_len;
	char body[RESPONSE_MAX];
	size_t body_len;
	int epfd;
	uint32_t busy;
	uint64_t done, failed[FAIL_COUNT];
	uint64_t cell[CELLS], sum_us, max_us;
} g = { .conns = 1000, .window = 256, .sources = 1, .seconds = 10 };

/* ---- times ---- */

static uint32_t cell_of(uint64_t us)
{
	uint32_t shift = 0;

	while (us >= 2 * STEPS) {
		us >>= 1;
		shift++;
	}
	return shift * STEPS + (uint32_t)us;
}

static uint64_t cell_us(uint32_t cell)
{
	return cell < 2 * STEPS
		       ? cell
		       : (uint64_t)(cell % STEPS + STEPS) << (cell / STEPS - 1);
}

static void note_time(uint64_t us)
{
	uint32_t cell = cell_of(us);

	g.cell[cell < CELLS ? cell : CELLS - 1]++;
	g.sum_us += us;
	if (us > g.max_us)
		g.max_us = us;
}

static uint64_t percentile(uint64_t count, double p)
{
	uint64_t left = (uint64_t)((double)count * p);

	for (uint32_t i = 0; i < CELLS; i++) {
		if (left < g.cell[i])
			return cell_us(i);
		left -= g.cell[i];
	}
	return g.max_us;
}

static uint64_t failures(void)
{
	uint64_t n = 0;

	for (int i = 0; i < FAIL_COUNT; i++)
		n += g.failed[i];
	return n;
}

/* One line: what, how many, how they failed, how long they took. */
static void report(const char *what, uint64_t since_ns)
{
	double seconds = (double)(now_ns() - since_ns) / 1e9;

	printf("%s done=%llu failed=%llu", what, (unsigned long long)g.done,
	       (unsigned long long)failures());
	for (int i = 0; i < FAIL_COUNT; i++)
		printf(" %s=%llu", failure_names[i],
		       (unsigned long long)g.failed[i]);
	printf(" seconds=%.1f rate=%.0f p50_us=%llu p99_us=%llu p999_us=%llu max_us=%llu\n",
	       seconds, (double)g.done / seconds,
	       (unsigned long long)percentile(g.done, 0.5),
	       (unsigned long long)percentile(g.done, 0.99),
	       (unsigned long long)percentile(g.done, 0.999),
	       (unsigned long long)g.max_us);
	fflush(stdout);
	g.done = g.sum_us = g.max_us = 0;
	memset(g.failed, 0, sizeof(g.failed));
	memset(g.cell, 0, sizeof(g.cell));
}

/* ---- one connection ---- */

static void finish(struct conn *c)
{
	free(c->buf);
	c->buf = NULL;
	c->busy = false;
	g.busy--;
}

static void drop(struct conn *c, enum failure why)
{
	g.failed[why]++;
	finish(c);
	close(c->fd);
	c->fd = -1;
}

static void begin(struct conn *c)
{
	c->busy = true;
	c->got = 0;
	c->start_ns = now_ns();
	c->buf = malloc(RESPONSE_MAX);
	if (!c->buf)
		die_errno("memory");
	g.busy++;
}

static void bind_source(int fd)
{
	static uint32_t turn;
	struct sockaddr_storage from = g.source;
	uint32_t step = turn++ % g.sources;
	int one = 1;

	if (from.ss_family == AF_INET) {
		struct sockaddr_in *sin = (struct sockaddr_in *)&from;

		sin->sin_addr.s_addr =
			htonl(ntohl(sin->sin_addr.s_addr) + step);
	} else if (from.ss_family == AF_INET6) {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&from;

		sin6->sin6_addr.s6_addr[14] += (uint8_t)(step >> 8);
		sin6->sin6_addr.s6_addr[15] += (uint8_t)step;
	} else {
		return;
	}
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&from, g.addr_len))
		die_errno("bind");
}

static void open_conn(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = c };
	int one = 1;

	c->fd = socket(g.peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd == -1)
		die_errno("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	bind_source(c->fd);
	begin(c);
	if (connect(c->fd, (struct sockaddr *)&g.peer, g.addr_len) &&
	    errno != EINPROGRESS) {
		drop(c, FAIL_CONNECT);
		return;
	}
	if (epoll_ctl(g.epfd, EPOLL_CTL_ADD, c->fd, &ev))
		die_errno("epoll_ctl");
}

static void ask(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	if (send(c->fd, g.request, g.request_len, MSG_NOSIGNAL) !=
	    (ssize_t)g.request_len) {
		drop(c, errno == ECONNRESET || errno == EPIPE ? FAIL_RESET
							      : FAIL_CONNECT);
		return;
	}
	if (epoll_ctl(g.epfd, EPOLL_CTL_MOD, c->fd, &ev))
		die_errno("epoll_ctl");
}

/* Return: whether the answer is whole; *right: and what it should be. */
static bool whole(const struct conn *c, bool *right)
{
	const char *end = memmem(c->buf, c->got, "\r\n\r\n", 4);
	size_t have;

	if (!end)
		return false;
	end += 4;
	have = c->got - (size_t)(end - c->buf);
	*right = !memcmp(c->buf, "HTTP/1.1 200 ", 13) && have == g.body_len &&
		 !memcmp(end, g.body, g.body_len);
	return have >= g.body_len;
}

static void answer(struct conn *c)
{
	ssize_t n = recv(c->fd, c->buf + c->got, RESPONSE_MAX - c->got, 0);
	bool right = false;

	if (n <= 0) {
		if (n == -1 && errno == EAGAIN)
			return;
		drop(c, n ? FAIL_RESET : FAIL_EOF);
		return;
	}
	c->got += (uint32_t)n;
	if (!whole(c, &right) && c->got < RESPONSE_MAX)
		return;
	if (!right) {
		drop(c, FAIL_WRONG);
		return;
	}
	note_time((now_ns() - c->start_ns) / 1000);
	g.done++;
	finish(c);
	if (g.rate) {
		close(c->fd);
		c->fd = -1;
	}
}

static void handle(struct conn *c, uint32_t events)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (c->fd == -1)
		return;
	if (!c->busy) { /* held, and something came: it can only be the end */
		g.failed[events & EPOLLERR ? FAIL_RESET : FAIL_EOF]++;
		close(c->fd);
		c->fd = -1;
	} else if (events & EPOLLOUT) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err)
			drop(c, FAIL_CONNECT);
		else
			ask(c);
	} else {
		answer(c);
	}
}

/* Wait for events up to a millisecond; now and then look for dead ones. */
static void turn(void)
{
	static uint64_t looked_ns;
	struct epoll_event ev[256];
	int n = epoll_wait(g.epfd, ev, 256, 1);
	uint64_t now = now_ns();

	for (int i = 0; i < n; i++)
		handle(ev[i].data.ptr, ev[i].events);
	if (now - looked_ns < 1000000000)
		return;
	looked_ns = now;
	for (uint32_t i = 0; i < g.conns; i++)
		if (list[i].busy && now - list[i].start_ns > GIVE_UP_NS)
			drop(&list[i], FAIL_TIME);
}

/* ---- what is asked for ---- */

static void open_all(void)
{
	uint64_t start = now_ns();

	for (uint32_t next = 0; next < g.conns || g.busy;) {
		while (next < g.conns && g.busy < g.window)
			open_conn(&list[next++]);
		turn();
	}
	report("opened", start);
}

static void ask_all(void)
{
	uint32_t *order = calloc(g.conns, sizeof(*order));
	uint64_t start = now_ns();

	if (!order)
		die_errno("memory");
	for (uint32_t i = 0; i < g.conns; i++) {
		uint32_t j = (uint32_t)random() % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (uint32_t next = 0; next < g.conns || g.busy;) {
		for (; next < g.conns && g.busy < g.window; next++) {
			struct conn *c = &list[order[next]];

			if (c->fd == -1)
				continue;
			begin(c);
			ask(c);
		}
		turn();
	}
	report("asked", start);
	free(order);
}

static void hold(void)
{
	char line[64];

	open_all();
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "close\n"))
			break;
		ask_all();
	}
	for (uint32_t i = 0; i < g.conns; i++)
		if (list[i].fd != -1)
			close(list[i].fd);
}

/* rate * seconds new connections at a steady rate; what the machine cannot do
 * in time is begun later, and shows in the reported rate. */
static void churn(void)
{
	uint64_t start = now_ns(), begun = 0;
	uint64_t total = (uint64_t)g.rate * g.seconds;
	uint32_t next = 0;

	while (begun < total || g.busy) {
		uint64_t due = (now_ns() - start) / 1000 * g.rate / 1000000;

		if (due > total)
			due = total;
		for (uint32_t i = 0;
		     begun < due && g.busy < g.window && i < g.conns; i++) {
			struct conn *c = &list[next++ % g.conns];

			if (c->busy)
				continue;
			open_conn(c);
			begun++;
		}
		turn();
	}
	report("churned", start);
}

/* ---- start ---- */

static void parse_address(const char *text, uint16_t port,
			  struct sockaddr_storage *out)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)out;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		g.addr_len = sizeof(*sin);
	} else if (inet_pton(AF_INET6, text, &sin6->sin6_addr) == 1) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(port);
		g.addr_len = sizeof(*sin6);
	} else {
		errno = EINVAL;
		die_errno(text);
	}
}

static void set_up(char **arg)
{
	struct rlimit rl = { g.conns + 64, g.conns + 64 };
	FILE *f;

	parse_address(arg[0], (uint16_t)number(arg[1], UINT16_MAX), &g.peer);
	g.request_len = (size_t)snprintf(g.request, sizeof(g.request),
					 "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
					 arg[2]);
	f = fopen(arg[3], "re");
	if (!f)
		die_errno(arg[3]);
	g.body_len = fread(g.body, 1, sizeof(g.body), f);
	fclose(f);
	if (setrlimit(RLIMIT_NOFILE, &rl))
		die_errno("too many for the limit of open files");
	g.epfd = epoll_create1(EPOLL_CLOEXEC);
	if (g.epfd == -1)
		die_errno("start");
	for (uint32_t i = 0; i < g.conns; i++)
		list[i].fd = -1;
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "n:w:a:f:c:s:")) != -1) {
		switch (opt) {
		case 'n':
			g.conns = number(optarg, CONNS_MAX);
			break;
		case 'w':
			g.window = number(optarg, 10000000);
			break;
		case 'a':
			g.sources = number(optarg, 10000000);
			break;
		case 'f':
			parse_address(optarg, 0, &g.source);
			break;
		case 'c':
			g.rate = number(optarg, 10000000);
			break;
		case 's':
			g.seconds = number(optarg, 10000000);
			break;
		default:
			argc = 0;
			break;
		}
	}
	if (argc - optind != 4) {
		fprintf(stderr, "usage: conns [-n N] [-w W] [-a A] [-f IP] "
				"[-c R] [-s S] ADDRESS PORT TARGET FILE\n");
		return 2;
	}
	set_up(argv + optind);
	if (g.rate)
		churn();
	else
		hold();
	return 0;
}
