// SPDX-License-Identifier: MIT OR Apache-2.0
#include "tests/progrun/rig.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_xdp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "maps/unacked.h"
#include "user/cache/kcache.h"

#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#define COUNTERS  (sizeof(struct dawn_stats) / sizeof(uint64_t))
#define ELF_SLOTS 4

struct rig rig;
uint32_t rig_sets = 64;

int rig_map(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(rig.obj, name);

	assert_true(fd >= 0);
	return fd;
}

static void *map_mmap(const char *name, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED,
		       rig_map(name), 0);

	assert_true(p != MAP_FAILED);
	return p;
}

uint64_t rig_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* A socket that XSKMAP takes; it is never bound. */
static int make_xsk(void)
{
	static uint8_t umem[16 * 4096] __attribute__((aligned(4096)));
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)umem,
		.len = sizeof(umem),
		.chunk_size = 4096,
	};
	int fd = socket(AF_XDP, SOCK_RAW, 0), n = 16;

	assert_true(fd >= 0);
	assert_int_equal(
		setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)), 0);
	assert_int_equal(
		setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &n, sizeof(n)), 0);
	assert_int_equal(setsockopt(fd, SOL_XDP, XDP_RX_RING, &n, sizeof(n)),
			 0);
	return fd;
}

static void local_addr(struct dawn_addr *a, int family, uint8_t last)
{
	memset(a, 0, sizeof(*a));
	if (family == 4) {
		dawn_addr_from_v4(a, htonl(0xc6120000U | last));
		return;
	}
	a->b[0] = 0x20;
	a->b[1] = 0x01;
	a->b[2] = 0x0d;
	a->b[3] = 0xb8;
	a->b[15] = last;
}

static void add_service(int family, uint8_t proto, uint16_t port, uint16_t id,
			uint8_t kind)
{
	struct dawn_service_key key = { .port = htons(port), .proto = proto };
	struct dawn_service value = {
		.id = id,
		.kind = kind,
		.group = RIG_GROUP,
	};

	local_addr(&key.addr, family, 1);
	assert_int_equal(
		bpf_map_update_elem(rig_map("services"), &key, &value, BPF_ANY),
		0);
}

void rig_http_flags(uint8_t flags)
{
	for (int family = 4; family <= 6; family += 2) {
		struct dawn_service_key key = { .port = htons(RIG_HTTP_PORT),
						.proto = IPPROTO_TCP };
		struct dawn_service value;
		int fd = rig_map("services");

		local_addr(&key.addr, family, 1);
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &value), 0);
		value.flags = flags;
		assert_int_equal(bpf_map_update_elem(fd, &key, &value, BPF_ANY),
				 0);
	}
}

static void set_entries(const char *map, uint32_t entries)
{
	struct bpf_map *m = bpf_object__find_map_by_name(rig.obj, map);

	assert_int_equal(bpf_map__set_max_entries(m, entries), 0);
}

static void load(void)
{
	char path[512];
	const char *build = getenv("BUILD");

	snprintf(path, sizeof(path), "%s/dawn_xdp.bpf.o",
		 build ? build : "build");
	rig.obj = bpf_object__open_file(path, NULL);
	assert_int_equal(libbpf_get_error(rig.obj), 0);
	set_entries("flow_table", rig_sets);
	set_entries("unacked", DAWN_UNACKED_WORDS(rig_sets));
	assert_int_equal(bpf_object__load(rig.obj), 0);
	rig.prog = bpf_program__fd(
		bpf_object__find_program_by_name(rig.obj, "dawn_xdp"));
	assert_true(rig.prog >= 0);
}

int rig_open(void **state)
{
	cpu_set_t one;

	(void)state;
	/* Budgets and scratch are per CPU: stay on one. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	load();
	rig.config = map_mmap("config", sizeof(*rig.config));
	rig.flows = map_mmap("flow_table", rig_sets * sizeof(*rig.flows));
	rig.unacked = map_mmap("unacked", DAWN_UNACKED_WORDS(rig_sets) * 8);
	rig.proven = map_mmap("proven", RIG_LINES * sizeof(*rig.proven));
	rig.queue_sent = map_mmap("queue_sent", DAWN_QUEUES_MAX * 8);
	rig.slots = map_mmap("cache_data", ELF_SLOTS * sizeof(*rig.slots));
	rig.xsk = make_xsk();
	for (int family = 4; family <= 6; family += 2) {
		uint16_t base = (uint16_t)(family * 10);

		add_service(family, family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
			    0, base, DAWN_SERVICE_ECHO);
		add_service(family, IPPROTO_TCP, RIG_HTTP_PORT,
			    (uint16_t)(base + 1), DAWN_SERVICE_HTTP);
		add_service(family, IPPROTO_UDP, RIG_HBTP_PORT,
			    (uint16_t)(base + 2), DAWN_SERVICE_HBTP);
	}
	return 0;
}

int rig_close(void **state)
{
	(void)state;
	close(rig.xsk);
	bpf_object__close(rig.obj);
	return 0;
}

void rig_reactor(bool alive)
{
	/* The future counts as now, so that a slow test stays alive. */
	uint64_t at =
		rig_now_ns() + (alive ? 3600000000000ULL : -20000000000ULL);

	rig.config->queue[0].heartbeat_ns = at;
	rig.config->reactor_seen_ns = at;
}

static void empty_map(const char *name, size_t key_len)
{
	uint8_t key[128];
	int fd = rig_map(name);

	assert_true(key_len <= sizeof(key));
	while (!bpf_map_get_next_key(fd, NULL, key))
		assert_int_equal(bpf_map_delete_elem(fd, key), 0);
}

void rig_forget_cookies(void)
{
	memset(rig.proven, 0, RIG_LINES * sizeof(*rig.proven));
}

int rig_reset(void **state)
{
	struct dawn_config *c = rig.config;
	uint32_t zero = 0;

	(void)state;
	memset(c, 0, sizeof(*c));
	c->abi = DAWN_ABI_VERSION;
	c->flags = DAWN_CONFIG_TCP | DAWN_CONFIG_CLONES;
	c->flow_sets = rig_sets;
	c->proven_lines = RIG_LINES;
	c->slots = ELF_SLOTS;
	c->incarnation = 7;
	c->segment_budget = 1000000;
	c->memo_ms = 3600000; /* no test is that slow */
	c->ts_offset = 0x12345678;
	c->queue[0].ring_size = 2048;
	for (size_t i = 0; i < 2; i++) {
		c->flow_key.k[i] = 0x1111111111111111ULL * (i + 1);
		c->cookie_key.k[i] = 0x2323232323232323ULL * (i + 1);
		c->cache_key.k[i] = 0x4545454545454545ULL * (i + 1);
	}
	memset(rig.flows, 0, rig_sets * sizeof(*rig.flows));
	memset(rig.unacked, 0, DAWN_UNACKED_WORDS(rig_sets) * 8);
	rig_forget_cookies();
	memset(rig.queue_sent, 0, DAWN_QUEUES_MAX * 8);
	memset(rig.slots, 0, ELF_SLOTS * sizeof(*rig.slots));
	empty_map("access", 20);
	empty_map("vhosts", sizeof(struct dawn_vhost_key));
	rig_uncache();
	bpf_map_update_elem(rig_map("xsks"), &zero, &rig.xsk, BPF_ANY);
	rig_reactor(true);
	rig_mark();
	return 0;
}

struct wire {
	const char *name;
	int family, vlans;
};

static int reset_wire(void **state)
{
	const struct wire *w = *state;

	rig.family = w->family;
	rig.vlans = w->vlans;
	return rig_reset(state);
}

int rig_on_wires(const char *group, const struct CMUnitTest *tests, size_t n)
{
	static struct wire wires[] = {
		{ "", 4, 0 },           { ", IPv6", 6, 0 },
		{ ", a tag", 4, 1 },    { ", IPv6, a tag", 6, 1 },
		{ ", two tags", 4, 2 }, { ", IPv6, two tags", 6, 2 },
	};
	static char names[32 * 6][64];
	struct CMUnitTest all[32 * 6];
	size_t count = 0;

	if (n > 32)
		return 1;
	for (size_t i = 0; i < 6 * n; i++, count++) {
		all[i] = tests[i % n];
		all[i].setup_func = reset_wire;
		all[i].initial_state = &wires[i / n];
		snprintf(names[i], sizeof(names[i]), "%s%s", tests[i % n].name,
			 wires[i / n].name);
		all[i].name = names[i];
	}
	return _cmocka_run_group_tests(group, all, count, rig_open, rig_close);
}

/* ---- counters ---- */

static void read_stats(struct dawn_stats *out)
{
	int cpus = libbpf_num_possible_cpus();
	struct dawn_stats *all = calloc((size_t)cpus, sizeof(*all));
	uint64_t *sum = (uint64_t *)out;
	uint32_t zero = 0;

	assert_non_null(all);
	assert_int_equal(bpf_map_lookup_elem(rig_map("stats"), &zero, all), 0);
	memset(out, 0, sizeof(*out));
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < COUNTERS; i++)
			sum[i] += ((uint64_t *)&all[cpu])[i];
	free(all);
}

void rig_mark(void)
{
	read_stats(&rig.before);
}

uint64_t rig_delta(size_t index)
{
	struct dawn_stats now;

	read_stats(&now);
	return ((uint64_t *)&now)[index] - ((uint64_t *)&rig.before)[index];
}

/* ---- packets ---- */

int rig_run_raw(const uint8_t *frame, size_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		    .data_size_in = (uint32_t)len, .data_out = rig.out,
		    .data_size_out = sizeof(rig.out), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(rig.prog, &opts), 0);
	rig.out_len = opts.data_size_out;
	return (int)opts.retval;
}

int rig_run(const struct pkt *p)
{
	rig.in_len = pkt_build(p, rig.in);
	return rig_run_raw(rig.in, rig.in_len);
}

/* Each packet counts once in a total. */
static void check_totals(int verdict)
{
	assert_int_equal(rig_count(pass_total), verdict == XDP_PASS);
	assert_true(rig_count(tx_total) + rig_count(drop_total) +
			    rig_count(punt_total) + rig_count(pass_total) <=
		    1);
	if (verdict == XDP_TX)
		assert_int_equal(rig_count(tx_total), 1);
}

void rig_print(void)
{
	const uint64_t *before = (const uint64_t *)&rig.before;
	struct dawn_stats now;
	size_t i = 0;

	read_stats(&now);
#define X(name, text)                                                    \
	if (((uint64_t *)&now)[i] != before[i])                          \
		print_error(" %s +%llu", #name,                          \
			    (unsigned long long)(((uint64_t *)&now)[i] - \
						 before[i]));            \
	i++;
	DAWN_STATS_ALL(X)
#undef X
	print_error("\n");
}

void rig_expect(const struct pkt *p, int verdict, size_t index,
		const char *what)
{
	int got;

	rig_mark();
	got = rig_run(p);
	if (got != verdict || rig_delta(index) != 1) {
		print_error("wanted verdict %d and %s, got %d and:", verdict,
			    what, got);
		rig_print();
	}
	assert_int_equal(got, verdict);
	assert_int_equal(rig_delta(index), 1);
	check_totals(verdict);
}

struct pkt rig_packet(int family, uint8_t proto)
{
	struct pkt p = {
		.src_mac = { 2, 0, 0, 0, 0, 2 },
		.dst_mac = { 2, 0, 0, 0, 0, 1 },
		.family = family,
		.ttl = 63,
		.proto = proto,
		.sport = 40000,
	};

	local_addr((struct dawn_addr *)p.src, family, 2);
	local_addr((struct dawn_addr *)p.dst, family, 1);
	p.ip_id = 0x4711;
	return p;
}

struct pkt rig_answer(const struct pkt *to)
{
	struct pkt got;
	const char *wrong = pkt_parse(&got, rig.out, rig.out_len);

	if (wrong)
		fail_msg("answer: %s", wrong);
	assert_memory_equal(got.dst_mac, to->src_mac, 6);
	assert_memory_equal(got.src_mac, to->dst_mac, 6);
	assert_int_equal(got.vlans, to->vlans);
	for (int i = 0; i < got.vlans; i++) {
		assert_int_equal(got.tpid[i], to->tpid[i]);
		assert_int_equal(got.tci[i], to->tci[i]);
	}
	assert_int_equal(got.family, to->family);
	assert_memory_equal(got.src, to->dst, 16);
	assert_memory_equal(got.dst, to->src, 16);
	assert_int_equal(got.ttl, DAWN_TTL);
	assert_int_equal(got.proto, to->proto);
	if (got.family == 4) {
		assert_int_equal(got.ip_id, 0);
		assert_int_equal(got.frag, 0x4000);
	}
	if (to->proto == IPPROTO_TCP || to->proto == IPPROTO_UDP) {
		assert_int_equal(got.sport, to->dport);
		assert_int_equal(got.dport, to->sport);
	}
	return got;
}

/* ---- a TCP peer ---- */

struct peer rig_peer(int family)
{
	return (struct peer){
		.family = family,
		.ts = true,
		.sack = true,
		.wscale = true,
		.mss = family == 4 ? 1460 : 1440,
		.port = 40000,
		.isn = 0xfffffff0, /* wraps soon */
		.ts_clock = 1000,
		.wnd = 500,
		.vlans = rig.vlans,
	};
}

struct pkt peer_segment(const struct peer *p, uint8_t flags)
{
	struct pkt s = rig_packet(p->family, IPPROTO_TCP);

	s.vlans = p->vlans;
	s.tpid[0] = p->vlans == 2 ? 0x88a8 : 0x8100;
	s.tci[0] = 0x2064;
	s.tpid[1] = 0x8100;
	s.tci[1] = 7;
	s.sport = p->port;
	s.dport = RIG_HTTP_PORT;
	s.seq = p->snd_nxt;
	s.ack = p->rcv_nxt;
	s.flags = flags;
	s.wnd = p->wnd;
	if (p->ts && !(flags & PKT_SYN))
		pkt_opt_ts(&s, p->ts_clock, p->ts_ours);
	return s;
}

void peer_syn(struct peer *p)
{
	struct pkt syn, got;
	const uint8_t *o;

	p->snd_nxt = p->isn;
	p->rcv_nxt = 0;
	syn = peer_segment(p, PKT_SYN);
	if (p->mss)
		pkt_opt_mss(&syn, p->mss);
	if (p->sack)
		pkt_opt_sackok(&syn);
	if (p->ts)
		pkt_opt_ts(&syn, p->ts_clock, 0);
	if (p->wscale)
		pkt_opt_wscale(&syn, 9);
	EXPECT(&syn, XDP_TX, syn_cookie);
	got = rig_answer(&syn);
	assert_int_equal(got.flags, PKT_SYN | PKT_ACK);
	assert_int_equal(got.ack, p->isn + 1);
	assert_int_equal(got.len, 0);
	o = pkt_opt_find(&got, 2);
	assert_non_null(o);
	assert_int_equal(pkt_be16(o), p->family == 4 ? 1460 : 1440);
	o = pkt_opt_find(&got, 3);
	assert_int_equal(!!o, p->wscale);
	assert_int_equal(o ? *o : DAWN_RCV_WSCALE, DAWN_RCV_WSCALE);
	assert_int_equal(!!pkt_opt_find(&got, 4), p->sack);
	o = pkt_opt_find(&got, 8);
	assert_int_equal(!!o, p->ts);
	if (o) {
		p->ts_ours = pkt_be32(o);
		assert_int_equal(pkt_be32(o + 4), p->ts_clock);
	}
	p->snd_nxt = p->isn + 1;
	p->rcv_nxt = got.seq + 1;
}

void peer_connect(struct peer *p)
{
	struct pkt ack;

	peer_syn(p);
	ack = peer_segment(p, PKT_ACK);
	EXPECT(&ack, XDP_DROP, flow_new);
	assert_int_equal(rig_count(ack_seen), 1);
	assert_non_null(peer_flow(p));
}

struct dawn_flow *peer_flow(const struct peer *p)
{
	struct pkt s = peer_segment(p, 0);

	for (size_t set = 0; set < rig_sets; set++)
		for (size_t way = 0; way < DAWN_FLOW_WAYS; way++) {
			struct dawn_flow *f = &rig.flows[set].flow[way];

			if (rig.flows[set].tag[way] &&
			    f->rport == htons(p->port) &&
			    !memcmp(&f->raddr, s.src, 16))
				return f;
		}
	return NULL;
}

struct pkt peer_request(const struct peer *p, const char *text)
{
	struct pkt s = peer_segment(p, PKT_ACK | PKT_PSH);

	s.payload = text;
	s.len = strlen(text);
	return s;
}

/* ---- slots ---- */

static void put_slot(uint32_t slot, const char *target, size_t body_len,
		     const char *more)
{
	struct dawn_slot *s = &rig.slots[slot];
	static uint32_t gen = 100; /* as in life, never the same again */
	struct dawn_index_value where = { .slot = slot, .gen = gen++ };
	struct dawn_index_key key;

	memset(s, 0, sizeof(*s));
	s->gen = where.gen;
	s->state = DAWN_SLOT_LIVE;
	s->date_off = 44;
	s->head_len = (uint16_t)snprintf(
		(char *)s->data, sizeof(s->data),
		"HTTP/1.1 200 OK\r\nServer: binary-dawn\r\nDate: %29s\r\n"
		"Content-Length: %zu\r\n%s\r\n",
		"", body_len, more);
	memset(s->data + s->date_off, 0, DAWN_DATE_LEN);
	for (size_t i = 0; i < body_len; i++)
		s->data[s->head_len + i] = (uint8_t)(i * 7 + i / 251);
	s->resp_len = (uint32_t)(s->head_len + body_len);
	assert_true(s->resp_len <= DAWN_RESP_MAX);
	s->key.group = RIG_GROUP;
	s->key.target_len = (uint16_t)strlen(target);
	memcpy(s->key.target, target, s->key.target_len);
	dawn_slot_sums(s);
	dawn_cache_hash(&key, &rig.config->cache_key, &s->key);
	assert_int_equal(bpf_map_update_elem(rig_map("cache_index"), &key,
					     &where, BPF_ANY),
			 0);
}

void rig_cache(uint32_t slot, const char *target, size_t body_len)
{
	put_slot(slot, target, body_len, "");
}

static uint16_t offset_of(const struct dawn_slot *s, const char *text)
{
	const uint8_t *at = memmem(s->data, s->head_len, text, strlen(text));

	assert_non_null(at);
	return (uint16_t)(at - s->data);
}

void rig_cache_validators(uint32_t slot, const char *target, size_t body_len,
			  const char *etag)
{
	struct dawn_slot *s = &rig.slots[slot];
	char more[256];
	uint32_t sum = 0;

	assert_true(snprintf(more, sizeof(more),
			     "Last-Modified: " RIG_MODIFIED "\r\nETag: %s\r\n",
			     etag) < (int)sizeof(more));
	put_slot(slot, target, body_len, more);
	s->modified_off = offset_of(s, RIG_MODIFIED);
	s->etag_off = offset_of(s, etag);
	s->etag_len = (uint16_t)strlen(etag);
	s->nm_len = (uint16_t)snprintf((char *)s->nm, sizeof(s->nm),
				       "HTTP/1.1 304 Not Modified\r\n"
				       "Server: binary-dawn\r\nDate: %29s\r\n"
				       "ETag: %s\r\n\r\n",
				       "", etag);
	assert_true(s->nm_len < sizeof(s->nm));
	s->nm_date_off = 54;
	memset(s->nm + s->nm_date_off, 0, DAWN_DATE_LEN);
	for (size_t i = 0; i < sizeof(s->nm); i += 2)
		sum += (uint32_t)(s->nm[i] | s->nm[i + 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	s->nm_sum = (uint16_t)sum;
}

void rig_uncache(void)
{
	empty_map("cache_index", sizeof(struct dawn_index_key));
}
