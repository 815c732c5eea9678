// SPDX-License-Identifier: MIT OR Apache-2.0
/* What a packet costs: nanoseconds for each kind, on this machine, now. Prints
 * numbers; fails only where one cannot be true. They are the program's time
 * alone, with warm caches: no driver, no interrupt, no allocation.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/progrun/replay.h"
#include "tests/progrun/rig.h"

#define ROUNDS 25
#define REPEAT 1000

static struct bpf_object *replay;
static int replay_prog;
static int saved, next;

static int find_map(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(replay, name);

	assert_true(fd >= 0);
	return fd;
}

static int open_all(void **state)
{
	char path[512];
	const char *build = getenv("BUILD");
	struct bpf_map *flows, *unacked;

	rig_open(state);
	snprintf(path, sizeof(path), "%s/tests/progrun/replay.bpf.o",
		 build ? build : "build");
	replay = bpf_object__open_file(path, NULL);
	if (libbpf_get_error(replay)) {
		print_message("# no %s\n", path);
		replay = NULL; /* where only the program is, e.g. in a guest */
		return 0;
	}
	flows = bpf_object__find_map_by_name(replay, "flow_table");
	unacked = bpf_object__find_map_by_name(replay, "unacked");
	assert_int_equal(bpf_map__reuse_fd(flows, rig_map("flow_table")), 0);
	assert_int_equal(bpf_map__reuse_fd(unacked, rig_map("unacked")), 0);
	assert_int_equal(bpf_object__load(replay), 0);
	replay_prog = bpf_program__fd(
		bpf_object__find_program_by_name(replay, "replay"));
	saved = find_map("saved");
	next = find_map("next");
	return 0;
}

static int close_all(void **state)
{
	bpf_object__close(replay);
	return rig_close(state);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Lowest ns of a run (what disturbs only adds), with the program under test or without it. */
static uint32_t time_one(const uint8_t *frame, size_t len, int verdict)
{
	uint32_t ns[ROUNDS], zero = 0;

	for (int i = 0; i < ROUNDS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
			    .data_size_in = (uint32_t)len, .repeat = REPEAT);

		if (verdict == XDP_PASS)
			bpf_map_delete_elem(next, &zero);
		else
			bpf_map_update_elem(next, &zero, &rig.prog, BPF_ANY);
		assert_int_equal(bpf_prog_test_run_opts(replay_prog, &opts), 0);
		assert_int_equal(opts.retval, verdict);
		ns[i] = opts.duration;
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), compare);
	return ns[0];
}

static void measure(const char *what, const struct pkt *p, struct dawn_flow *f,
		    int verdict)
{
	struct replay r = { 0 };
	const char *only = getenv("COST_ONLY"); /* for a profiler */
	uint32_t zero = 0, with, without;
	size_t at;

	if (only && strcmp(only, what))
		return;
	r.len = (uint32_t)pkt_build(p, rig.in);
	memcpy(r.packet, rig.in, r.len);
	if (f) {
		at = (size_t)((uint8_t *)f - (uint8_t *)rig.flows);
		r.restore_flow = 1;
		r.set = (uint32_t)(at / sizeof(*rig.flows));
		r.way = (uint32_t)(f - rig.flows[r.set].flow);
		r.flow = *f;
	}
	assert_int_equal(bpf_map_update_elem(saved, &zero, &r, BPF_ANY), 0);
	without = time_one(rig.in, r.len, XDP_PASS);
	rig_mark();
	with = time_one(rig.in, r.len, verdict);
	print_message("# %-34s %5u ns  (%u with replay)\n", what,
		      with - without, with);
	assert_true(with > without);
	assert_true(rig_count(tx_total) + rig_count(ack_seen) >=
		    (uint64_t)ROUNDS * REPEAT);
	if (f) /* the next packet finds it as this one did */
		*f = r.flow;
}

/* A request that is known, and one that is parsed. */
static void measure_hit(const char *what, const struct pkt *p,
			struct dawn_flow *f)
{
	uint32_t life = rig.config->memo_ms;

	measure(what, p, f, XDP_TX);
	rig.config->memo_ms = 0;
	measure("  parsed", p, f, XDP_TX);
	rig.config->memo_ms = life;
}

static void set_date(void)
{
	struct dawn_date *d = &rig.config->date[0];

	d->unix_s = 784111777;
	d->mono_s = (uint32_t)(rig_now_ns() / 1000000000) + 100000;
}

static const char browser[] =
	"GET /a HTTP/1.1\r\nHost: 198.18.0.1\r\nConnection: keep-alive\r\n"
	"sec-ch-ua: \"Chromium\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\n"
	"sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\n"
	"Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux "
	"x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 "
	"Safari/537.36\r\nAccept: text/html,application/xhtml+xml,"
	"application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n"
	"Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n"
	"Sec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n"
	"Accept-Encoding: gzip, deflate, br, zstd\r\n"
	"Accept-Language: en-US,en;q=0.9\r\n\r\n";

static void test_cost(void **state)
{
	static const uint8_t data[56], ping[8];
	struct peer peer = rig_peer(4);
	struct dawn_flow *f;
	struct pkt p;

	(void)state;
	if (!replay)
		skip();
	set_date();
	p = rig_packet(4, IPPROTO_ICMP);
	p.icmp_type = 8;
	p.payload = data;
	p.len = sizeof(data);
	measure("ICMP echo, 56 bytes", &p, NULL, XDP_TX);
	p = rig_packet(4, IPPROTO_UDP);
	p.dport = RIG_HBTP_PORT;
	p.payload = ping;
	p.len = sizeof(ping);
	measure("HBTP Ping", &p, NULL, XDP_TX);
	p = rig_packet(4, IPPROTO_TCP);
	p.dport = RIG_HTTP_PORT;
	p.flags = PKT_SYN;
	pkt_opt_mss(&p, 1460);
	pkt_opt_sackok(&p);
	pkt_opt_ts(&p, 1, 0);
	pkt_opt_wscale(&p, 7);
	measure("SYN", &p, NULL, XDP_TX);
	rig_cache(0, "/a", 0);
	peer_connect(&peer);
	f = peer_flow(&peer);
	p = peer_segment(&peer, PKT_ACK);
	measure("ACK of a flow", &p, f, XDP_DROP);
	p = peer_request(&peer, REQUEST("/a"));
	measure_hit("hit, 88 bytes, short request", &p, f);
	p.csum = PKT_CSUM_PARTIAL;
	measure_hit("the same, partial checksum", &p, f);
	p = peer_request(&peer, browser);
	measure_hit("hit, a browser's request", &p, f);
	rig_cache(0, "/a", 1300);
	p = peer_request(&peer, REQUEST("/a"));
	measure_hit("hit, 1.4 kB, short request", &p, f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_cost, rig_reset),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
