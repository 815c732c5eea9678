// SPDX-License-Identifier: MIT OR Apache-2.0
/* tear: one target of the kernel cache, replaced and purged as fast as that
 * goes, and clients that look at every byte of what they get meanwhile.
 *
 * usage: tear write [-p PUTS] IFNAME TARGET FILE
 *          puts versions 1, 2, 3, ... and purges the newest after each PUTS of
 *          them (never), until SIGTERM or SIGINT
 *        tear ask [-c CONNECTIONS] [-n HITS] [-s SECONDS] ADDRESS TARGET FILE
 *          asks on 8 kept connections for so many hits, or for so long (10 s)
 *
 * FILE is memory that both share. Its `floor` is the least version that a
 * request sent from now on may get: dawn_kcache_sync() returned after that
 * version's put had, or dawn_kcache_remove() of the version before it did. The
 * writer never waits for a grace period, but when it purges: a second process
 * calls sync() all the time, on a handle of its own.
 *
 * A version describes itself: its ETag is its number, each word of its body that
 * number and the word's place, and its length one of three by the number. So a
 * client builds what it should have got from the first word that it did get.
 * Each fourth request says that the version got last is there already: then it
 * may be a 304 of just that one. Anything else but a 404, which is the reactor's
 * word for a version purged, ends it with status 1.
 *
 * Output: puts= purges= ..., or hits= missed= ... on one line.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/lib/tool.h"
#include "user/cache/kcache_xdp.h"
#include "user/http/response.h"

#define GROUP          1  /* as `dawn cache` has it */
#define REAP_EVERY     64 /* puts: there are 1,024 slots */
#define TRIES_MAX      200
#define CONNS_MAX      256
#define GIVE_UP_MS     30000
#define RESPONSE_MAX   16384
#define NM_DATE_OFFSET 54 /* of a 304 */

/* Response sizes of one segment, two and ten. */
static const uint32_t body_sizes[] = { 80, 2000, 14000 };
#define SIZES (sizeof(body_sizes) / sizeof(body_sizes[0]))

struct shared {
	uint64_t begun; /* highest version that is being put, or was */
	uint64_t put;   /* highest whose put has returned */
	uint64_t floor; /* see above */
	uint64_t syncs;
	uint64_t stop;
};

static struct shared *shared;
static volatile sig_atomic_t stopped;

static uint64_t get(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void set(uint64_t *p, uint64_t to)
{
	__atomic_store_n(p, to, __ATOMIC_SEQ_CST);
}

static void raise_floor(uint64_t to)
{
	uint64_t was = get(&shared->floor);

	while (was < to &&
	       !__atomic_compare_exchange_n(&shared->floor, &was, to, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

__attribute__((noreturn)) static void die(const char *what, uint64_t version)
{
	fprintf(stderr, "tear: %s, version %llu\n", what,
		(unsigned long long)version);
	exit(1);
}

static void open_shared(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd == -1 || ftruncate(fd, sizeof(*shared)))
		die_errno(path);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	if (shared == MAP_FAILED)
		die_errno(path);
	close(fd);
}

/* ---- a version ---- */

struct version {
	uint8_t bytes[RESPONSE_MAX];
	size_t head_len, body_len;
	uint32_t etag_off, etag_len;
	uint8_t nm[DAWN_NM_MAX]; /* its 304 */
	size_t nm_len;
};

static void make_etag(char out[32], uint64_t number)
{
	snprintf(out, 32, "\"%llu\"", (unsigned long long)number);
}

static void make_version(struct version *v, uint64_t number)
{
	char etag[32];
	const uint8_t *at;
	uint64_t word;

	make_etag(etag, number);
	v->body_len = body_sizes[number % SIZES];
	v->head_len = dawn_http_head_file(
		(char *)v->bytes, 1024, 0, "application/octet-stream",
		v->body_len, DAWN_HTTP_NO_TIME, etag, DAWN_HTTP_KEEP);
	at = memmem(v->bytes, v->head_len, etag, strlen(etag));
	if (!at || v->head_len + v->body_len > DAWN_RESP_MAX)
		die("head does not fit", number);
	v->etag_off = (uint32_t)(at - v->bytes);
	v->etag_len = (uint32_t)strlen(etag);
	for (size_t i = 0; i < v->body_len / 8; i++) {
		word = number << 16 | i;
		memcpy(v->bytes + v->head_len + i * 8, &word, 8);
	}
}

static void make_not_modified(struct version *v, uint64_t number)
{
	char etag[32];
	const struct dawn_http_head h = {
		.status = 304,
		.mtime_s = DAWN_HTTP_NO_TIME,
		.etag = etag,
	};

	make_etag(etag, number);
	v->nm_len = dawn_http_head((char *)v->nm, sizeof(v->nm), &h);
	if (!v->nm_len || memcmp(v->nm + NM_DATE_OFFSET - 6, "Date: ", 6))
		die("304 does not fit", number);
}

/* ---- the writer ---- */

struct writer {
	struct dawn_xdp x;
	struct dawn_kcache *kc;
	const char *target;
	struct version v;
	uint64_t purges, full, busy;
};

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static void open_cache(struct writer *w, const char *ifname)
{
	struct dawn_error e = { 0 };
	int err = dawn_xdp_open(&w->x, ifname, &e);

	if (!err)
		err = dawn_kcache_open_xdp(&w->kc, &w->x);
	if (!err)
		return;
	fprintf(stderr, "tear: %s: %s %s\n", ifname, e.text, strerror(-err));
	exit(1);
}

static void put(struct writer *w, uint64_t number)
{
	struct dawn_kcache_put p = {
		.group = GROUP,
		.target = w->target,
		.target_len = strlen(w->target),
		.head = w->v.bytes,
		.date_off = DAWN_HTTP_DATE_OFFSET,
		.nm = w->v.nm,
		.nm_date_off = NM_DATE_OFFSET,
	};
	int err = -EAGAIN;

	make_version(&w->v, number);
	make_not_modified(&w->v, number);
	p.nm_len = w->v.nm_len;
	p.etag_off = w->v.etag_off;
	p.etag_len = w->v.etag_len;
	p.head_len = w->v.head_len;
	p.body = w->v.bytes + w->v.head_len;
	p.body_len = w->v.body_len;
	for (int i = 0; err && i < TRIES_MAX; i++) {
		err = dawn_kcache_put(w->kc, &p, NULL);
		if (err && err != -ENOSPC && err != -EBUSY)
			break;
		w->full += err == -ENOSPC;
		w->busy += err == -EBUSY;
		if (err == -ENOSPC)
			dawn_kcache_sync(w->kc);
	}
	if (err)
		die(strerror(-err), number);
}

static void purge(struct writer *w, uint64_t number)
{
	if (dawn_kcache_remove(w->kc, GROUP, 0, w->target, strlen(w->target),
			       false))
		die("was not there to be purged", number);
	raise_floor(number + 1);
	w->purges++;
}

/* The second process: whatever was put before sync() was called is the oldest
 * that may be met when it has returned. */
static void follow(const char *ifname)
{
	static struct writer w;
	uint64_t number;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_cache(&w, ifname);
	while (!get(&shared->stop)) {
		number = get(&shared->put);
		dawn_kcache_sync(w.kc);
		raise_floor(number);
		__atomic_fetch_add(&shared->syncs, 1, __ATOMIC_SEQ_CST);
	}
	dawn_kcache_close(w.kc);
	dawn_xdp_close(&w.x);
	exit(0);
}

static void write_versions(struct writer *w, uint32_t purge_every)
{
	uint64_t n;

	for (n = 1; !stopped; n++) {
		set(&shared->begun, n);
		put(w, n);
		set(&shared->put, n);
		if (n % REAP_EVERY == 0)
			dawn_kcache_reap(w->kc);
		if (purge_every && n % purge_every == 0)
			purge(w, n);
	}
}

static int run_writer(int argc, char **argv)
{
	static struct writer w;
	uint32_t purge_every = 0;
	int opt, status = 0;
	uint64_t start;
	pid_t pid;

	while ((opt = getopt(argc, argv, "p:")) != -1)
		purge_every = opt == 'p' ? number(optarg, UINT32_MAX) : 0;
	if (argc - optind != 3)
		return 2;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	w.target = argv[optind + 1];
	open_shared(argv[optind + 2]);
	pid = fork();
	if (pid == -1)
		die_errno("fork");
	if (!pid)
		follow(argv[optind]);
	open_cache(&w, argv[optind]);
	start = now_ns();
	write_versions(&w, purge_every);
	set(&shared->stop, 1);
	if (waitpid(pid, &status, 0) != pid || status)
		die("the second process failed", 0);
	dawn_kcache_sync(w.kc);
	printf("puts=%llu purges=%llu syncs=%llu full=%llu busy=%llu seconds=%.1f\n",
	       (unsigned long long)get(&shared->put),
	       (unsigned long long)w.purges,
	       (unsigned long long)get(&shared->syncs),
	       (unsigned long long)w.full, (unsigned long long)w.busy,
	       (double)(now_ns() - start) / 1e9);
	dawn_kcache_close(w.kc);
	dawn_xdp_close(&w.x);
	return 0;
}

/* ---- a client ---- */

struct conn {
	int fd;
	size_t got;
	uint64_t floor; /* when the request was sent */
	uint64_t last;  /* version of the answer before */
	uint64_t named; /* version in the request; 0 none */
	uint32_t requests;
	uint8_t buf[RESPONSE_MAX + 1];
};

static struct {
	struct sockaddr_storage peer;
	socklen_t addr_len;
	char request[400]; /* but for the empty line */
	uint32_t conns, open;
	uint64_t hits_wanted, end_ns;
	int epfd;
	uint64_t hits, not_modified, missed, changes, of_size[SIZES];
} g = { .conns = 8 };

static struct conn list[CONNS_MAX];

static void parse_address(const char *text)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&g.peer;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&g.peer;

	if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(80);
		g.addr_len = sizeof(*sin);
	} else if (inet_pton(AF_INET6, text, &sin6->sin6_addr) == 1) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(80);
		g.addr_len = sizeof(*sin6);
	} else {
		errno = EINVAL;
		die_errno(text);
	}
}

static bool over(void)
{
	return g.hits_wanted ? g.hits >= g.hits_wanted : now_ns() >= g.end_ns;
}

static void ask(struct conn *c)
{
	char text[512], etag[32];
	int len;

	c->got = 0;
	c->named = ++c->requests % 4 ? 0 : c->last;
	make_etag(etag, c->named);
	len = snprintf(text, sizeof(text), "%s%s%s%s\r\n", g.request,
		       c->named ? "If-None-Match: " : "", c->named ? etag : "",
		       c->named ? "\r\n" : "");
	c->floor = get(&shared->floor); /* before the request leaves */
	if (send(c->fd, text, (size_t)len, MSG_NOSIGNAL) != len)
		die_errno("send");
}

static void open_conn(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	c->fd = socket(g.peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd == -1 ||
	    connect(c->fd, (struct sockaddr *)&g.peer, g.addr_len))
		die_errno("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(g.epfd, EPOLL_CTL_ADD, c->fd, &ev))
		die_errno("epoll_ctl");
	g.open++;
	ask(c);
}

__attribute__((noreturn)) static void
wrong(const struct conn *c, const char *what, uint64_t version, size_t at)
{
	fprintf(stderr,
		"tear: %s: version %llu, byte %zu of %zu; floor %llu, the answer "
		"before was %llu\n%.*s\n",
		what, (unsigned long long)version, at, c->got,
		(unsigned long long)c->floor, (unsigned long long)c->last,
		(int)(c->got < 400 ? c->got : 400), (const char *)c->buf);
	exit(1);
}

/* All of it but the 29 bytes of Date, whose frame is looked at. */
static void compare(const struct conn *c, const uint8_t *want, size_t len,
		    size_t date, uint64_t number)
{
	if (number > get(&shared->begun))
		wrong(c, "never written", number, 0);
	if (c->got != len)
		wrong(c, "length", number, len);
	for (size_t i = 0; i < len; i++) {
		if (i == date)
			i += DAWN_HTTP_DATE_LEN;
		if (c->buf[i] != want[i])
			wrong(c, "torn", number, i);
	}
	if (memcmp(c->buf + date + 3, ", ", 2) ||
	    memcmp(c->buf + date + 26, "GMT", 3))
		wrong(c, "Date", number, date);
	if (number < c->floor)
		wrong(c, "old", number, 0);
	g.hits++;
}

static void check_not_modified(const struct conn *c)
{
	static struct version v;

	if (!c->named)
		wrong(c, "304 to a plain request", 0, 0);
	make_not_modified(&v, c->named);
	compare(c, v.nm, v.nm_len, NM_DATE_OFFSET, c->named);
	g.not_modified++;
}

static void check_hit(struct conn *c, size_t head_len)
{
	static struct version v;
	uint64_t number;

	if (c->got < head_len + 8)
		wrong(c, "no body", 0, head_len);
	memcpy(&number, c->buf + head_len, 8);
	number >>= 16;
	make_version(&v, number);
	compare(c, v.bytes, v.head_len + v.body_len, DAWN_HTTP_DATE_OFFSET,
		number);
	g.changes += number != c->last;
	c->last = number;
	g.of_size[number % SIZES]++;
}

/* Return: whether the answer was whole; it then has been checked. */
static bool answered(struct conn *c)
{
	const char *end, *length;
	size_t head_len, len;

	c->buf[c->got] = '\0';
	end = memmem(c->buf, c->got, "\r\n\r\n", 4);
	if (!end)
		return false;
	head_len = (size_t)(end + 4 - (const char *)c->buf);
	if (!memcmp(c->buf, "HTTP/1.1 304 ", 13)) {
		check_not_modified(c);
		return true;
	}
	length = memmem(c->buf, head_len, "\r\nContent-Length: ", 18);
	len = length ? strtoul(length + 18, NULL, 10) : 0;
	if (!length || len > RESPONSE_MAX - head_len)
		wrong(c, "Content-Length", 0, head_len);
	if (c->got < head_len + len)
		return false;
	if (!memcmp(c->buf, "HTTP/1.1 200 ", 13))
		check_hit(c, head_len);
	else if (!memcmp(c->buf, "HTTP/1.1 404 ", 13))
		g.missed++;
	else
		wrong(c, "status", 0, 9);
	return true;
}

static void take(struct conn *c)
{
	ssize_t n = recv(c->fd, c->buf + c->got, RESPONSE_MAX - c->got, 0);

	if (n <= 0)
		wrong(c, n ? strerror(errno) : "closed", 0, c->got);
	c->got += (size_t)n;
	if (!answered(c))
		return;
	if (!over()) {
		ask(c);
		return;
	}
	close(c->fd);
	g.open--;
}

static void run_conns(void)
{
	struct epoll_event ev[64];
	int n;

	for (uint32_t i = 0; i < g.conns; i++)
		open_conn(&list[i]);
	while (g.open) {
		n = epoll_wait(g.epfd, ev, 64, GIVE_UP_MS);
		if (n == 0)
			die("no answer any more", get(&shared->put));
		for (int i = 0; i < n; i++)
			take(ev[i].data.ptr);
	}
}

static int run_client(int argc, char **argv)
{
	uint32_t seconds = 10;
	uint64_t start = now_ns();
	int opt;

	while ((opt = getopt(argc, argv, "c:n:s:")) != -1) {
		if (opt == 'c')
			g.conns = number(optarg, CONNS_MAX);
		else if (opt == 'n')
			g.hits_wanted = number(optarg, UINT32_MAX);
		else if (opt == 's')
			seconds = number(optarg, 86400);
		else
			return 2;
	}
	if (argc - optind != 3)
		return 2;
	g.end_ns = start + seconds * 1000000000ULL;
	parse_address(argv[optind]);
	snprintf(g.request, sizeof(g.request), "GET %s HTTP/1.1\r\nHost: t\r\n",
		 argv[optind + 1]);
	open_shared(argv[optind + 2]);
	g.epfd = epoll_create1(EPOLL_CLOEXEC);
	if (g.epfd == -1)
		die_errno("epoll");
	run_conns();
	printf("hits=%llu not_modified=%llu missed=%llu changes=%llu one=%llu two=%llu ten=%llu seconds=%.1f\n",
	       (unsigned long long)g.hits, (unsigned long long)g.not_modified,
	       (unsigned long long)g.missed, (unsigned long long)g.changes,
	       (unsigned long long)g.of_size[0],
	       (unsigned long long)g.of_size[1],
	       (unsigned long long)g.of_size[2],
	       (double)(now_ns() - start) / 1e9);
	return 0;
}

int main(int argc, char **argv)
{
	int status = 2;

	if (argc > 1 && !strcmp(argv[1], "write"))
		status = run_writer(argc - 1, argv + 1);
	else if (argc > 1 && !strcmp(argv[1], "ask"))
		status = run_client(argc - 1, argv + 1);
	if (status == 2)
		fprintf(stderr,
			"usage: tear write [-p PUTS] IFNAME TARGET FILE\n"
			"       tear ask [-c CONNECTIONS] [-n HITS] "
			"[-s SECONDS] ADDRESS TARGET FILE\n");
	return status;
}
