// SPDX-License-Identifier: MIT OR Apache-2.0
/* The kernel-TCP transport: bytes, back-pressure, ends of connections. */
#include "tests/unit/test_epoll_rig.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
