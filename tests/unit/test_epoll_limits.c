// SPDX-License-Identifier: MIT OR Apache-2.0
/* The kernel-TCP transport: too many connections, no descriptors, the end. */
#include "tests/unit/test_epoll_rig.h"

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
	int fill[64] = { 0 }, n = 0;

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
		cmocka_unit_test(oldest_idle_is_evicted),
		cmocka_unit_test(none_idle_makes_clients_wait),
		cmocka_unit_test(descriptor_exhaustion_is_survived),
		cmocka_unit_test(drain_finishes_what_is_under_way),
		cmocka_unit_test(reset_all_ends_a_drain),
		cmocka_unit_test(port_in_use_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
