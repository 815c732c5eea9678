// SPDX-License-Identifier: MIT OR Apache-2.0
/* bulk: move a file through many connections at once, measure, and check it.
 *
 *   get    each connection asks for PATH once: the answer must be FILE
 *   echo   each connection POSTs FILE to PATH, which must send it back
 *   post   each connection POSTs FILE to PATH in requests of POST_BYTES, which
 *          are answered in a few words: what the other side receives alone
 *
 * Requests of one connection are sent one behind the other, without waiting for
 * answers; what comes back is checked by SHA-256 of all bodies together.
 *
 * Progress is watched where the data arrive: for get and echo by each read, for
 * post by what the peer has acknowledged in order (tcpi_bytes_acked, each
 * SAMPLE_MS). A gap is the time between two steps of one connection while
 * something was under way. They are counted above some bounds; --stall-ms makes
 * a longer one an error.
 *
 * Goodput is what a connection-second moved, times the connections: a straggler
 * counts with its own time, not with everybody's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/tool.h"

#define CONNS_MAX  1024
#define READ_BYTES (256U << 10)
#define POST_BYTES (128U << 10) /* read and dropped by any path: < 256 kB */
#define ECHO_BYTES (48U << 20)  /* below what one request may hold */
#define SAMPLE_MS  10
#define HEAD_MAX   4096
#define HASH_BYTES 32

enum mode { MODE_GET, MODE_ECHO, MODE_POST };

struct conn {
	int fd;
	bool connected, done;
	/* out: the body's bytes of FILE so far, the head being sent */
	uint64_t out_at, out_part_end;
	char out_head[512];
	size_t out_head_len, out_head_at;
	bool asked;
	/* in */
	char head[HEAD_MAX];
	size_t head_len;
	uint64_t body_left;
	uint64_t in_bytes; /* of all bodies */
	uint32_t answers, wanted;
	EVP_MD_CTX *sha;
	/* progress */
	uint64_t start_ns, end_ns, step_ns;
	uint64_t acked;
	struct tcp_info info; /* at the end */
};

static struct {
	enum mode mode;
	struct sockaddr_storage to;
	socklen_t to_len;
	const char *host, *path;
	const uint8_t *file;
	uint64_t size;
	uint8_t hash[HASH_BYTES];
	unsigned int conns;
	uint64_t stall_ms, limit_s;
	int fifo; /* priority; 0: as we came */
	struct conn *list;
	int epoll;
	unsigned int left;
	uint64_t gap_max_ns;
	time_t gap_max_at; /* when it was over */
	uint64_t gaps_200ms, gaps_1s, stalls;
} b = { .conns = 1, .limit_s = 3600, .host = "", .path = "/" };

static uint8_t buffer[READ_BYTES];

static void die(const char *what)
{
	fprintf(stderr, "bulk: %s\n", what);
	exit(1);
}

static EVP_MD_CTX *sha_new(void)
{
	EVP_MD_CTX *x = EVP_MD_CTX_new();

	if (!x || EVP_DigestInit_ex(x, EVP_sha256(), NULL) != 1)
		die("no SHA-256");
	return x;
}

static void sha_add(EVP_MD_CTX *x, const void *buf, size_t len)
{
	if (EVP_DigestUpdate(x, buf, len) != 1)
		die("SHA-256 failed");
}

static void sha_end(EVP_MD_CTX *x, uint8_t *out)
{
	if (EVP_DigestFinal_ex(x, out, NULL) != 1)
		die("SHA-256 failed");
	EVP_MD_CTX_free(x);
}

/* Something came: how long after what came before? */
static void step(struct conn *c, uint64_t now)
{
	uint64_t gap = now - c->step_ns;

	if (now < c->step_ns)
		return;
	c->step_ns = now;
	if (gap > b.gap_max_ns) {
		b.gap_max_ns = gap;
		b.gap_max_at = time(NULL);
	}
	b.gaps_200ms += gap > 200000000;
	b.gaps_1s += gap > 1000000000;
	b.stalls += b.stall_ms && gap > b.stall_ms * 1000000;
}

static void watch(struct conn *c, bool out)
{
	struct epoll_event ev = { .events = EPOLLIN | (out ? EPOLLOUT : 0) };

	ev.data.ptr = c;
	if (epoll_ctl(b.epoll, EPOLL_CTL_MOD, c->fd, &ev))
		die_errno("epoll");
}

static void open_conn(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT };

	c->fd = socket(b.to.ss_family,
		       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		die_errno("socket");
	if (connect(c->fd, (struct sockaddr *)&b.to, b.to_len) &&
	    errno != EINPROGRESS)
		die_errno("connect");
	c->start_ns = now_ns();
	c->sha = sha_new();
	ev.data.ptr = c;
	if (epoll_ctl(b.epoll, EPOLL_CTL_ADD, c->fd, &ev))
		die_errno("epoll");
}

/* The next request's head. Return: false if all were sent. */
static bool next_request(struct conn *c)
{
	uint64_t part = b.mode == MODE_POST ? POST_BYTES : ECHO_BYTES;
	uint64_t left = b.size - c->out_at;
	int n;

	if (b.mode == MODE_GET ? c->asked : !left)
		return false;
	c->asked = true;
	c->wanted++;
	c->out_head_at = 0;
	if (left < part)
		part = left;
	if (b.mode == MODE_GET)
		n = snprintf(c->out_head, sizeof(c->out_head),
			     "GET %s HTTP/1.1\r\nHost: bulk\r\n\r\n", b.path);
	else
		n = snprintf(c->out_head, sizeof(c->out_head),
			     "POST %s HTTP/1.1\r\nHost: bulk\r\n"
			     "Content-Length: %llu\r\n\r\n",
			     b.path, (unsigned long long)part);
	c->out_head_len = (size_t)n;
	c->out_part_end = b.mode == MODE_GET ? c->out_at : c->out_at + part;
	return true;
}

/* Return: false if the socket takes no more now. */
static bool send_some(struct conn *c, const void *buf, size_t len, size_t *sent)
{
	ssize_t n = send(c->fd, buf, len, MSG_NOSIGNAL);

	if (n == -1 && errno != EAGAIN && errno != EINTR)
		die_errno("send");
	*sent = n == -1 ? 0 : (size_t)n;
	return n != -1;
}

static void write_out(struct conn *c)
{
	size_t n;

	for (;;) {
		if (c->out_head_at < c->out_head_len) {
			if (!send_some(c, c->out_head + c->out_head_at,
				       c->out_head_len - c->out_head_at, &n))
				return;
			c->out_head_at += n;
		} else if (c->out_at < c->out_part_end) {
			uint64_t left = c->out_part_end - c->out_at;

			if (!send_some(c, b.file + c->out_at,
				       left < READ_BYTES ? left : READ_BYTES,
				       &n))
				return;
			c->out_at += n;
		} else if (!next_request(c)) {
			watch(c, false);
			return;
		}
	}
}

/* An answer's head is complete. */
static void read_head(struct conn *c)
{
	const char *field;

	c->head[c->head_len] = '\0';
	field = strcasestr(c->head, "\r\ncontent-length:");
	if (strncmp(c->head, "HTTP/1.1 ", 9) != 0 || !field)
		die("not an answer we understand");
	if (strncmp(c->head + 9, b.mode == MODE_POST ? "4" : "200", 1) != 0) {
		fprintf(stderr, "bulk: answer: %.60s\n", c->head);
		exit(1);
	}
	c->body_left = strtoull(field + 17, NULL, 10);
	c->head_len = 0;
	c->answers++;
}

/* Bytes of the stream: heads, one byte at a time, and bodies. */
static void take(struct conn *c, const uint8_t *buf, size_t len)
{
	size_t at = 0, n;

	while (at < len) {
		if (c->body_left) {
			n = len - at < c->body_left ? len - at
						    : (size_t)c->body_left;
			if (b.mode != MODE_POST)
				sha_add(c->sha, buf + at, n);
			c->in_bytes += n;
			c->body_left -= n;
			at += n;
			continue;
		}
		if (c->head_len == HEAD_MAX - 1)
			die("the head is too long");
		c->head[c->head_len++] = (char)buf[at++];
		if (c->head_len >= 4 &&
		    !memcmp(c->head + c->head_len - 4, "\r\n\r\n", 4))
			read_head(c);
	}
}

/* All answers are here; for post they come before the bodies have gone. */
static bool answered(const struct conn *c)
{
	if (b.mode == MODE_POST)
		return c->out_at == b.size && c->answers == c->wanted &&
		       !c->body_left && !c->head_len;
	return c->in_bytes == b.size;
}

static void finish(struct conn *c, uint64_t now)
{
	socklen_t len = sizeof(c->info);

	c->end_ns = now;
	c->done = true;
	b.left--;
	getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &c->info, &len);
	close(c->fd);
}

static void read_in(struct conn *c)
{
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), 0);
	uint64_t now = now_ns();

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1)
		die_errno("recv");
	if (!n)
		die("closed too early");
	if (b.mode != MODE_POST)
		step(c, now);
	take(c, buffer, (size_t)n);
	if (b.mode != MODE_POST && answered(c))
		finish(c, now);
}

static void on_event(struct conn *c, uint32_t events)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (!c->connected && (events & (EPOLLOUT | EPOLLERR))) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		errno = err;
		if (err)
			die_errno("connect");
		c->connected = true;
		c->step_ns = now_ns();
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_in(c);
	if (!c->done && (events & EPOLLOUT))
		write_out(c);
}

/* Post: what the peer has acknowledged, and whether that is all. */
static void sample(uint64_t now)
{
	for (unsigned int i = 0; i < b.conns; i++) {
		struct conn *c = &b.list[i];
		struct tcp_info info = { 0 };
		socklen_t len = sizeof(info);

		if (!c->connected || c->done ||
		    getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len))
			continue;
		if (info.tcpi_bytes_acked != c->acked)
			step(c, now);
		else if (!info.tcpi_unacked)
			c->step_ns = now;
		c->acked = info.tcpi_bytes_acked;
		if (answered(c) && !info.tcpi_unacked &&
		    !info.tcpi_notsent_bytes)
			finish(c, now);
	}
}

static void run(void)
{
	struct epoll_event ev[64];
	uint64_t start = now_ns(), sampled = start;

	b.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (b.epoll == -1)
		die_errno("epoll");
	b.left = b.conns;
	for (unsigned int i = 0; i < b.conns; i++)
		open_conn(&b.list[i]);
	while (b.left) {
		int n = epoll_wait(b.epoll, ev, 64, SAMPLE_MS);
		uint64_t now = now_ns();

		for (int i = 0; i < n; i++)
			on_event(ev[i].data.ptr, ev[i].events);
		if (b.mode == MODE_POST &&
		    now - sampled > SAMPLE_MS * 1000000) {
			sample(now);
			sampled = now;
		}
		if (now - start > b.limit_s * 1000000000)
			die("took too long");
	}
}

static int report(void)
{
	uint64_t first = UINT64_MAX, last = 0, sum = 0, retrans = 0, n = 0;
	uint64_t total = b.size * b.conns;
	struct rusage ru;
	uint8_t hash[HASH_BYTES];

	for (unsigned int i = 0; i < b.conns; i++) {
		struct conn *c = &b.list[i];

		if (c->start_ns < first)
			first = c->start_ns;
		if (c->end_ns > last)
			last = c->end_ns;
		sum += c->end_ns - c->start_ns;
		retrans += c->info.tcpi_total_retrans;
		sha_end(c->sha, hash);
		n += b.mode == MODE_POST || !memcmp(hash, b.hash, HASH_BYTES);
	}
	getrusage(RUSAGE_SELF, &ru);
	printf("{\"conns\": %u, \"bytes\": %llu, \"seconds\": %.3f, "
	       "\"goodput_mbit\": %.3f, \"overall_mbit\": %.3f, ",
	       b.conns, (unsigned long long)total, (double)(last - first) / 1e9,
	       (double)total * 8e3 * b.conns / (double)sum,
	       (double)total * 8e3 / (double)(last - first));
	printf("\"gap_max_ms\": %.1f, \"gap_max_at\": %lld, "
	       "\"gaps_200ms\": %llu, "
	       "\"gaps_1s\": %llu, \"stalls\": %llu, ",
	       (double)b.gap_max_ns / 1e6, (long long)b.gap_max_at,
	       (unsigned long long)b.gaps_200ms, (unsigned long long)b.gaps_1s,
	       (unsigned long long)b.stalls);
	printf("\"client_retrans\": %llu, \"sha256_equal\": %llu, "
	       "\"client_cpu_s\": %.2f}\n",
	       (unsigned long long)retrans,
	       (unsigned long long)(b.mode == MODE_POST ? 0 : n),
	       (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) /
			       1e6);
	if (n != b.conns)
		die("SHA-256 differs");
	if (b.stalls)
		die("stalled for longer than allowed");
	return 0;
}

static void map_file(const char *name)
{
	struct stat st;
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	EVP_MD_CTX *x = sha_new();

	if (fd == -1 || fstat(fd, &st))
		die_errno(name);
	b.size = (uint64_t)st.st_size;
	b.file = mmap(NULL, b.size, PROT_READ, MAP_SHARED, fd, 0);
	if (b.file == MAP_FAILED)
		die_errno(name);
	close(fd);
	sha_add(x, b.file, b.size);
	sha_end(x, b.hash);
}

static void resolve(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM };
	struct addrinfo *ai;

	if (getaddrinfo(host, port, &hints, &ai))
		die("not an address");
	memcpy(&b.to, ai->ai_addr, ai->ai_addrlen);
	b.to_len = ai->ai_addrlen;
	freeaddrinfo(ai);
}

/* To hash 1 GB takes a second, which others are not to wait for. */
static void hurry(void)
{
	struct sched_param sp = { .sched_priority = b.fifo };

	if (b.fifo && sched_setscheduler(0, SCHED_FIFO, &sp))
		die_errno("--fifo");
}

static const char usage[] =
	"usage: bulk [options] get|echo|post HOST PORT PATH FILE\n"
	"  --conns N (1)   --stall-ms N (any)   --limit-s N (3600)\n"
	"  --fifo N        be a real-time process, once FILE's hash is known\n"
	"FILE is what each connection moves. Prints one line of JSON.\n";

static const struct option options[] = {
	{ "conns", required_argument, NULL, 'n' },
	{ "stall-ms", required_argument, NULL, 's' },
	{ "limit-s", required_argument, NULL, 'l' },
	{ "fifo", required_argument, NULL, 'f' },
	{ NULL, 0, NULL, 0 },
};

static uint64_t count(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end)
		die("not a number");
	return v;
}

static enum mode mode_of(const char *text)
{
	if (!strcmp(text, "get"))
		return MODE_GET;
	if (!strcmp(text, "echo"))
		return MODE_ECHO;
	if (!strcmp(text, "post"))
		return MODE_POST;
	fputs(usage, stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'n':
			b.conns = (unsigned int)count(optarg);
			break;
		case 's':
			b.stall_ms = count(optarg);
			break;
		case 'l':
			b.limit_s = count(optarg);
			break;
		case 'f':
			b.fifo = (int)count(optarg);
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (argc - optind != 5 || !b.conns || b.conns > CONNS_MAX) {
		fputs(usage, stderr);
		return 2;
	}
	argv += optind;
	b.mode = mode_of(argv[0]);
	resolve(argv[1], argv[2]);
	b.path = argv[3];
	map_file(argv[4]);
	hurry();
	b.list = calloc(b.conns, sizeof(*b.list));
	if (!b.list)
		die("out of memory");
	run();
	return report();
}
