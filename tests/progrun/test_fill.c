// SPDX-License-Identifier: MIT OR Apache-2.0
/* flow_table as it fills: a lookup looks at two sets and nowhere else, finds an
 * entry in any of their ways, and what a packet costs, at 1 to 95 % of a table
 * for 131,072 connections.
 *
 * The entries are made by handshakes, from random addresses and ports. Times
 * are printed, not judged, and not taken of a smaller table (FILL_CONNS, for
 * slow machines): "few" goes round 16 flows, so all is warm, "some"
 * round as many flows as 1 % has, "all" round all there are, from the second
 * level on far more than the caches hold.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/progrun/cycle.h"
#include "tests/progrun/rig.h"

#define CONNS  131072
#define WAYS   (rig_sets * DAWN_FLOW_WAYS)
#define ROUNDS 7
#define REPEAT 20000
#define FEW    16

static const uint32_t levels[] = { 1, 25, 50, 75, 95 };
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

enum kind { ACK, HIT, KINDS };
enum among { FEW_FLOWS, SOME_FLOWS, ALL_FLOWS, AMONG };

static struct bpf_object *cycle;
static int cycle_prog, plan_fd, next_fd;
static struct cycle_flow *cycle_flows;
static uint64_t random_state;
static uint32_t used, *order;
static uint32_t cost[LEVELS][KINDS][AMONG];

/* splitmix64 */
static uint32_t draw(void)
{
	uint64_t x = random_state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)(x ^ x >> 31);
}

static int find_map(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(cycle, name);

	assert_true(fd >= 0);
	return fd;
}

static int open_all(void **state)
{
	const char *build = getenv("BUILD"), *conns = getenv("FILL_CONNS");
	char path[512];

	rig_sets = dawn_flow_sets_for(conns ? (uint32_t)strtoul(conns, NULL, 10)
					    : CONNS);
	rig_open(state);
	order = calloc(WAYS, sizeof(*order));
	assert_non_null(order);
	if (conns)
		return 0;
	snprintf(path, sizeof(path), "%s/tests/progrun/cycle.bpf.o",
		 build ? build : "build");
	cycle = bpf_object__open_file(path, NULL);
	if (libbpf_get_error(cycle)) { /* only the program is there */
		cycle = NULL;
		return 0;
	}
	assert_int_equal(bpf_object__load(cycle), 0);
	cycle_prog = bpf_program__fd(
		bpf_object__find_program_by_name(cycle, "cycle"));
	plan_fd = find_map("plan");
	next_fd = find_map("next");
	cycle_flows = mmap(NULL, CYCLE_FLOWS_MAX * sizeof(*cycle_flows),
			   PROT_READ | PROT_WRITE, MAP_SHARED,
			   find_map("flows"), 0);
	assert_true(cycle_flows != MAP_FAILED);
	return 0;
}

static int close_all(void **state)
{
	bpf_object__close(cycle);
	free(order);
	return rig_close(state);
}

/* ---- filling ---- */

static struct dawn_flow *flow(uint32_t index)
{
	return &rig.flows[index / DAWN_FLOW_WAYS].flow[index % DAWN_FLOW_WAYS];
}

static uint32_t *tag(uint32_t index)
{
	return &rig.flows[index / DAWN_FLOW_WAYS].tag[index % DAWN_FLOW_WAYS];
}

static struct pkt segment(const struct cycle_flow *f, uint8_t flags)
{
	struct pkt s = rig_packet(4, IPPROTO_TCP);

	memcpy(s.src + 12, &f->addr, 4);
	s.sport = ntohs(f->port);
	s.dport = RIG_HTTP_PORT;
	s.seq = f->seq;
	s.ack = f->ack;
	s.flags = flags;
	s.wnd = 60000;
	return s;
}

/* A connection from a random place of 10.0.0.0/8. */
static void handshake(void)
{
	struct cycle_flow f = {
		.addr = htonl(0x0a000001U | (draw() & 0xfffffe)),
		.port = htons((uint16_t)(1024 + draw() % 64000)),
		.seq = draw(),
	};
	struct pkt s = segment(&f, PKT_SYN);

	pkt_opt_mss(&s, 1460);
	assert_int_equal(rig_run(&s), XDP_TX);
	assert_int_equal(rig_answer(&s).flags, PKT_SYN | PKT_ACK);
	f.seq++;
	f.ack = pkt_be32(rig.out + 14 + 20 + 4) + 1;
	s = segment(&f, PKT_ACK);
	assert_int_equal(rig_run(&s), XDP_DROP);
}

/* What is in the table, in random order. */
static void list_flows(void)
{
	used = 0;
	for (uint32_t i = 0; i < WAYS; i++) {
		uint32_t j;

		if (!*tag(i))
			continue;
		j = draw() % (used + 1);
		order[used++] = order[j];
		order[j] = i;
	}
}

static void fill(uint32_t percent)
{
	uint64_t want = (uint64_t)WAYS * percent / 100;

	/* Full sets let nobody in, or one for another: so it takes more. */
	for (int i = 0; i < 100; i++) {
		list_flows();
		if (used >= want)
			break;
		for (uint64_t n = want - used; n; n--)
			handshake();
	}
	assert_true(used >= want);
	assert_true(used <= want + want / 100);
}

static struct cycle_flow peer_of(uint32_t index)
{
	const struct dawn_flow *f = flow(index);

	return (struct cycle_flow){
		.addr = f->raddr.w[3],
		.port = f->rport,
		.seq = f->rcv_nxt,
		.ack = f->snd_nxt,
	};
}

/* ---- where an entry may be ---- */

static void sets_of(uint32_t index, uint32_t set[2])
{
	const struct dawn_flow *f = flow(index);
	struct dawn_flow_hash h;

	dawn_flow_hash(&h, &rig.config->flow_key, &f->raddr, f->rport,
		       f->service);
	assert_int_equal(h.tag, *tag(index));
	for (int i = 0; i < 2; i++)
		set[i] = dawn_flow_set_number(&h, i, rig_sets);
}

/* Does an ACK of that peer find an entry? Which one shows in its clock. */
static bool found(const struct cycle_flow *peer, uint32_t index)
{
	struct pkt s = segment(peer, PKT_ACK);
	struct dawn_flow *f = flow(index);

	f->last_seen_ms = 0;
	(void)rig_run(&s);
	return f->last_seen_ms != 0;
}

/* Each is in one of its two sets, and answers; when the table is full, both
 * choices and all ways are in use. */
static void check_all_found(bool full)
{
	uint32_t choice[2] = { 0 }, way[DAWN_FLOW_WAYS] = { 0 };

	for (uint32_t i = 0; i < used; i++) {
		struct cycle_flow peer = peer_of(order[i]);
		uint32_t set[2], at = order[i] / DAWN_FLOW_WAYS;

		sets_of(order[i], set);
		assert_true(at == set[0] || at == set[1]);
		choice[at != set[0]]++;
		way[order[i] % DAWN_FLOW_WAYS]++;
		assert_true(found(&peer, order[i]));
	}
	if (!full)
		return;
	for (int i = 0; i < 2; i++)
		assert_true(choice[i] > used / 4);
	for (uint32_t i = 0; i < DAWN_FLOW_WAYS; i++)
		assert_true(way[i] > used / 16);
}

/* An entry is found in any way of its two sets, full of others. */
static void check_any_way(void)
{
	for (uint32_t i = 0; i < 64 && i < used; i++) {
		uint32_t index = order[i], set[2], mark = *tag(index);
		struct cycle_flow peer = peer_of(index);
		struct dawn_flow entry = *flow(index), other;

		sets_of(index, set);
		*tag(index) = 0;
		for (uint32_t n = 0; n < 2 * DAWN_FLOW_WAYS; n++) {
			uint32_t to = set[n / DAWN_FLOW_WAYS] * DAWN_FLOW_WAYS +
				      n % DAWN_FLOW_WAYS;
			uint32_t other_mark = *tag(to);

			other = *flow(to);
			*flow(to) = entry;
			*tag(to) = mark;
			assert_true(found(&peer, to));
			*flow(to) = other;
			*tag(to) = other_mark;
		}
		*flow(index) = entry;
		*tag(index) = mark;
	}
}

/* Nowhere else is looked: with a copy of the entry in every way of all other
 * sets it still is unknown, and none of the copies is touched. */
static void check_nowhere_else(struct dawn_flow_set *saved)
{
	size_t bytes = rig_sets * sizeof(*saved);

	memcpy(saved, rig.flows, bytes);
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t index = order[i], set[2], mark = *tag(index);
		struct cycle_flow peer = peer_of(index);
		struct dawn_flow entry = *flow(index);
		struct pkt s = segment(&peer, PKT_ACK);

		sets_of(index, set);
		entry.last_seen_ms = 0;
		for (uint32_t to = 0; to < WAYS; to++) {
			uint32_t at = to / DAWN_FLOW_WAYS;

			if (at == set[0] || at == set[1])
				continue;
			*flow(to) = entry;
			*tag(to) = mark;
		}
		assert_true(found(&peer, index));
		*tag(index) = 0;
		s.seq++; /* else it is the ACK that proved the cookie */
		EXPECT(&s, XDP_TX, cookie_bad);
		*tag(index) = mark;
		for (uint32_t to = 0; to < WAYS; to++) {
			uint32_t at = to / DAWN_FLOW_WAYS;

			if (at != set[0] && at != set[1])
				assert_memory_equal(flow(to), &entry,
						    sizeof(entry));
		}
		memcpy(rig.flows, saved, bytes);
	}
}

/* ---- what it costs ---- */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Lowest ns of a run, what disturbs only adds; with the program, or without. */
static uint32_t time_one(const struct cycle *c, bool with)
{
	uint32_t ns[ROUNDS], zero = 0;

	if (with)
		bpf_map_update_elem(next_fd, &zero, &rig.prog, BPF_ANY);
	else
		bpf_map_delete_elem(next_fd, &zero);
	for (int i = 0; i < ROUNDS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = c->packet,
			    .data_size_in = c->len, .repeat = REPEAT);

		assert_int_equal(bpf_prog_test_run_opts(cycle_prog, &o), 0);
		assert_int_not_equal(o.retval, XDP_ABORTED);
		ns[i] = o.duration;
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), compare);
	return ns[0];
}

static uint32_t measure(enum kind kind, uint32_t among)
{
	static const char request[] = REQUEST("/a");
	struct cycle_flow nobody = { 0 };
	struct pkt s = segment(&nobody, PKT_ACK);
	struct cycle c = { .flows = among };
	uint32_t zero = 0, without, with;
	uint16_t csum;

	memset(s.src + 12, 0, 4);
	if (kind == HIT) {
		s.flags |= PKT_PSH;
		s.payload = request;
		s.len = sizeof(request) - 1;
		c.seq_step = (uint32_t)s.len;
		c.ack_step = rig.slots[0].resp_len;
	}
	c.len = (uint32_t)pkt_build(&s, rig.in);
	assert_true(c.len <= CYCLE_PACKET_MAX - 1);
	memcpy(c.packet, rig.in, c.len);
	memcpy(&csum, c.packet + 14 + 20 + 16, 2);
	c.sum = (uint16_t)~csum;
	for (uint32_t i = 0; i < among; i++)
		cycle_flows[i] = peer_of(order[i]);
	assert_int_equal(bpf_map_update_elem(plan_fd, &zero, &c, BPF_ANY), 0);
	without = time_one(&c, false);
	/* Without it, numbers went on which nobody took in. */
	for (uint32_t i = 0; i < among; i++)
		cycle_flows[i] = peer_of(order[i]);
	assert_int_equal(bpf_map_update_elem(plan_fd, &zero, &c, BPF_ANY), 0);
	rig_mark();
	with = time_one(&c, true);
	if (kind == HIT) {
		assert_int_equal(rig_count(http_hit), ROUNDS * REPEAT);
		assert_int_equal(rig_count(tx_total), ROUNDS * REPEAT);
	} else {
		assert_int_equal(rig_count(ack_seen), ROUNDS * REPEAT);
	}
	assert_int_equal(rig_count(csum_bad), 0);
	assert_true(with > without);
	return with - without;
}

static void measure_all(uint32_t level)
{
	uint32_t among[AMONG] = {
		FEW,
		WAYS / 100,
		used < CYCLE_FLOWS_MAX ? used : CYCLE_FLOWS_MAX,
	};

	for (int kind = 0; kind < KINDS; kind++)
		for (int i = 0; i < AMONG; i++)
			cost[level][kind][i] = measure(kind, among[i]);
}

static double ratio(int kind, int i)
{
	const uint32_t *full = cost[LEVELS - 1][kind];

	return (double)full[i] / cost[0][kind][i];
}

static void print_costs(void)
{
	static const char *const names[KINDS] = { "ACK", "short hit" };

	print_message("# ns a packet, table of %u ways: few, some, all flows\n",
		      WAYS);
	for (size_t i = 0; i < LEVELS; i++)
		for (int k = 0; k < KINDS; k++)
			print_message("# %2u %% full, %-9s %5u %5u %5u\n",
				      levels[i], names[k], cost[i][k][0],
				      cost[i][k][1], cost[i][k][2]);
	for (int k = 0; k < KINDS; k++)
		print_message("# ratio 95 %% to 1 %%, %-9s %.2f  %.2f  %.2f\n",
			      names[k], ratio(k, 0), ratio(k, 1), ratio(k, 2));
}

static void set_date(void)
{
	struct dawn_date *d = &rig.config->date[0];

	d->unix_s = 784111777;
	d->mono_s = (uint32_t)(rig_now_ns() / 1000000000) + 100000;
}

static void test_fill(void **state)
{
	struct dawn_flow_set *saved = calloc(rig_sets, sizeof(*saved));

	(void)state;
	assert_non_null(saved);
	set_date();
	rig_cache(0, "/a", 0);
	for (size_t i = 0; i < LEVELS; i++) {
		fill(levels[i]);
		check_all_found(i == LEVELS - 1);
		check_any_way();
		check_nowhere_else(saved);
		if (cycle)
			measure_all((uint32_t)i);
	}
	free(saved);
	if (cycle)
		print_costs();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_fill, rig_reset),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
