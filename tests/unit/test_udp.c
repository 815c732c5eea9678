// SPDX-License-Identifier: MIT OR Apache-2.0
/* HBTP over UDP: the pure half against a table, with every message also one
 * byte short against a guard page; then the sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/io/udp.h"

#define NONE 0xff /* no answer */

struct message_case {
	const char *name;
	uint8_t opcode, flags;
	uint32_t length;  /* in the header */
	uint32_t payload; /* bytes that are there */
	uint8_t reply;    /* opcode, or NONE */
	uint8_t code;     /* of RpcError */
	bool framed;      /* what follows can be read */
};

static const struct message_case cases[] = {
	{ "ping", 0x00, 0x00, 0, 0, 0x01, 0, true },
	{ "ping expects", 0x00, 0x04, 0, 0, 0x01, 0, true },
	{ "ping final", 0x00, 0x08, 0, 0, 0x01, 0, true },
	{ "ping with payload", 0x00, 0x00, 5, 5, 0x01, 0, true },
	{ "longest ping", 0x00, 0x00, 64, 64, 0x01, 0, true },
	{ "ping too long", 0x00, 0x04, 65, 65, 0x32, 1, true },
	{ "ping too long, silent", 0x00, 0x00, 65, 65, NONE, 0, true },
	{ "ping, lying length", 0x00, 0x04, 6, 5, 0x32, 1, false },
	{ "ping, huge length", 0x00, 0x04, 0xffffffff, 0, 0x32, 1, false },
	{ "compressed ping", 0x00, 0x05, 0, 0, 0x32, 4, true },
	{ "encrypted ping", 0x00, 0x06, 0, 0, 0x32, 4, true },
	{ "ping with checksum", 0x00, 0x14, 4, 4, 0x32, 4, true },
	{ "undefined flag 0x20", 0x00, 0x24, 0, 0, 0x32, 4, true },
	{ "undefined flag 0x40", 0x00, 0x44, 0, 0, 0x32, 4, true },
	{ "undefined flag 0x80", 0x00, 0x84, 0, 0, 0x32, 4, true },
	{ "undefined flag, silent", 0x00, 0x80, 0, 0, NONE, 0, true },
	{ "rpc call", 0x30, 0x04, 9, 9, 0x32, 2, true },
	{ "rpc call, silent", 0x30, 0x00, 9, 9, NONE, 0, true },
	{ "unknown opcode", 0x77, 0x04, 0, 0, 0x32, 2, true },
	{ "extended", 0xff, 0x04, 1, 1, 0x32, 2, true },
	{ "pong is never answered", 0x01, 0x04, 0, 0, NONE, 0, true },
	{ "close is never answered", 0x02, 0x04, 2, 2, NONE, 0, true },
	{ "response is never answered", 0x31, 0x84, 0, 0, NONE, 0, true },
	{ "error is never answered", 0x32, 0x04, 9, 2, NONE, 0, false },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static uint8_t *guard; /* a page that ends where touching is fatal */
static long page;

static int setup(void **state)
{
	(void)state;
	page = sysconf(_SC_PAGESIZE);
	guard = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (guard == MAP_FAILED)
		return -1;
	return mprotect(guard + page, (size_t)page, PROT_NONE);
}

static size_t build(const struct message_case *c, uint8_t *buf)
{
	const uint8_t head[8] = {
		c->opcode,
		c->flags,
		0xab,
		0xcd,
		(uint8_t)c->length,
		(uint8_t)(c->length >> 8),
		(uint8_t)(c->length >> 16),
		(uint8_t)(c->length >> 24),
	};

	memcpy(buf, head, sizeof(head));
	for (uint32_t i = 0; i < c->payload; i++)
		buf[8 + i] = (uint8_t)(i + 1);
	return 8 + c->payload;
}

static void check_reply(const struct message_case *c, const uint8_t *in,
			size_t in_len, const uint8_t *out, size_t out_len)
{
	if (c->reply == NONE) {
		assert_int_equal(out_len, 0);
		return;
	}
	assert_true(out_len >= 8);
	assert_int_equal(out[0], c->reply);
	assert_int_equal(out[1], 0);
	assert_memory_equal(out + 2, "\xab\xcd", 2);
	assert_int_equal(out[4] + 8, out_len);
	assert_memory_equal(out + 5, "\0\0\0", 3);
	assert_true(out_len <= in_len + 2);
	if (c->reply == 0x01) {
		assert_int_equal(out_len, in_len);
		assert_memory_equal(out + 8, in + 8, in_len - 8);
	} else {
		assert_true(out_len >= 10);
		assert_int_equal(out[8], c->code);
		assert_int_equal(out[9], 0);
	}
}

static void messages_are_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		const struct message_case *c = &cases[i];
		struct dawn_udp_counts counts = { 0 };
		uint8_t out[DAWN_UDP_REPLY_MAX];
		uint8_t in[256];
		size_t len = build(c, in), n, used;
		uint8_t *at = guard + page - len;

		print_message("%s\n", c->name);
		memcpy(at, in, len);
		used = dawn_udp_message(at, len, out, &n, &counts);
		assert_int_equal(used, c->framed ? len : 0);
		check_reply(c, at, len, out, n);
		assert_int_equal(counts.pings, c->reply == 0x01);
		assert_int_equal(counts.errors, c->reply == 0x32);
		assert_int_equal(counts.refused, c->reply != 0x01);
	}
}

static void every_prefix_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		uint8_t in[256], out[DAWN_UDP_REPLY_MAX];
		size_t len = build(&cases[i], in);

		for (size_t cut = 0; cut < len; cut++) {
			struct dawn_udp_counts counts = { 0 };
			uint8_t *at = guard + page - cut;
			size_t n;

			memcpy(at, in, cut);
			assert_int_equal(
				dawn_udp_message(at, cut, out, &n, &counts), 0);
			assert_int_equal(counts.pings, 0);
			if (cut < 8)
				assert_int_equal(n, 0);
			else
				assert_true(n <= cut + 2);
		}
	}
}

/* --- sockets ------------------------------------------------------------- */

static struct dawn_loop *loop;
static struct dawn_udp *udp;
static pthread_t thread;

static void *serve(void *arg)
{
	(void)arg;
	dawn_loop_run(loop);
	return NULL;
}

static int start(void **state)
{
	(void)state;
	if (dawn_loop_create(&loop) || dawn_udp_create(&udp, loop, 0, NULL))
		return -1;
	return pthread_create(&thread, NULL, serve, NULL);
}

static int stop(void **state)
{
	(void)state;
	dawn_loop_stop(loop);
	pthread_join(thread, NULL);
	dawn_udp_destroy(udp);
	dawn_loop_destroy(loop);
	return 0;
}

static int client(int family)
{
	struct sockaddr_in in4 = {
		.sin_family = AF_INET,
		.sin_port = htons(dawn_udp_port(udp)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 4),
	};
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(dawn_udp_port(udp)),
		.sin6_addr = in6addr_loopback,
	};
	int fd = socket(family, SOCK_DGRAM, 0);
	struct timeval tv = { .tv_sec = 10 };
	int r;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	/* Connected: an answer from any other address would not arrive. */
	r = family == AF_INET
		    ? connect(fd, (struct sockaddr *)&in4, sizeof(in4))
		    : connect(fd, (struct sockaddr *)&in6, sizeof(in6));
	if (r == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static void ping_over(int family)
{
	static const uint8_t ping[] = "\x00\x00\x34\x12\x03\0\0\0abc";
	static const uint8_t pong[] = "\x01\x00\x34\x12\x03\0\0\0abc";
	uint8_t buf[64];
	int fd = client(family);

	if (fd == -1 && family == AF_INET6)
		return; /* no IPv6 on this machine */
	assert_true(fd >= 0);
	assert_int_equal(send(fd, ping, 11, 0), 11);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 11);
	assert_memory_equal(buf, pong, 11);
	close(fd);
}

static void pings_are_answered(void **state)
{
	(void)state;
	ping_over(AF_INET);
	ping_over(AF_INET6);
}

/* 100 Pings of 24 bytes in one datagram: as many Pongs, in datagrams that any
 * path carries. */
static void many_messages_many_answers(void **state)
{
	uint8_t in[2400] = { 0 }, buf[4096];
	size_t total = 0;
	int fd = client(AF_INET);

	(void)state;
	for (int i = 0; i < 100; i++) {
		in[i * 24 + 2] = (uint8_t)i;
		in[i * 24 + 4] = 16;
	}
	assert_int_equal(send(fd, in, sizeof(in), 0), sizeof(in));
	while (total < sizeof(in)) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		assert_in_range(n, 24, DAWN_UDP_REPLY_MAX);
		assert_int_equal(n % 24, 0);
		for (ssize_t off = 0; off < n; off += 24) {
			assert_int_equal(buf[off], 0x01);
			assert_int_equal(buf[off + 2], total / 24);
			total += 24;
		}
	}
	close(fd);
}

/* A flood of errors is cut off; Pings go on being answered. */
static void errors_are_limited(void **state)
{
	static const uint8_t bad[] = "\x30\x04\x01\x00\x00\0\0\0";
	uint8_t in[8 * 150], buf[4096];
	int fd = client(AF_INET);
	size_t errors = 0;
	ssize_t n;

	(void)state;
	for (int i = 0; i < 150; i++)
		memcpy(in + i * 8, bad, 8);
	for (int i = 0; i < 20; i++) /* 3,000 of 1,000 a second */
		assert_int_equal(send(fd, in, sizeof(in), 0), sizeof(in));
	assert_int_equal(send(fd, "\0\0\0\0\0\0\0\0", 8, 0), 8);
	do {
		n = recv(fd, buf, sizeof(buf), 0);
		assert_true(n >= 8);
		errors += buf[0] == 0x32 ? (size_t)n / 10 : 0;
	} while (buf[0] != 0x01);
	assert_in_range(errors, 1, 2500);
	close(fd);
}

static void port_in_use_is_refused(void **state)
{
	struct dawn_udp *other;
	struct dawn_loop *l;

	(void)state;
	assert_int_equal(dawn_loop_create(&l), 0);
	assert_int_equal(dawn_udp_create(&other, l, dawn_udp_port(udp), NULL),
			 -EADDRINUSE);
	dawn_loop_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_answered),
		cmocka_unit_test(every_prefix_is_refused),
		cmocka_unit_test_setup_teardown(pings_are_answered, start,
						stop),
		cmocka_unit_test_setup_teardown(many_messages_many_answers,
						start, stop),
		cmocka_unit_test_setup_teardown(errors_are_limited, start,
						stop),
		cmocka_unit_test_setup_teardown(port_in_use_is_refused, start,
						stop),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
