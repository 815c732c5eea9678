// SPDX-License-Identifier: MIT OR Apache-2.0
/* A full flow_table: who gets a place, who loses it, who is told.
 *
 * One set, so eight ways; both choices of every tuple are that set.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "maps/evicted.h"
#include "tests/progrun/rig.h"

static struct ring_buffer *ring;
static struct dawn_evicted told[8];
static unsigned int told_count;

static int take(void *arg, void *data, size_t len)
{
	(void)arg;
	assert_int_equal(len, sizeof(told[0]));
	if (told_count < 8)
		memcpy(&told[told_count], data, len);
	told_count++;
	return 0;
}

/* Of all tests; the maps are theirs, too. */
static unsigned int drain_ring(void)
{
	if (!ring)
		ring = ring_buffer__new(rig_map("evicted"), take, NULL, NULL);
	assert_non_null(ring);
	told_count = 0;
	ring_buffer__consume(ring);
	return told_count;
}

/* A full set: each connection was idle for `idle` seconds and asked once. One
 * came with other tags than the rest. */
static struct peer full(uint32_t idle)
{
	struct peer p = rig_peer(rig.family);
	int vlans = p.vlans;

	rig_cache(0, "/a", 10);
	rig.config->flow_sets = 1;
	for (int i = 0; i < 8; i++) {
		p.port = (uint16_t)(43000 + i);
		p.vlans = i == 3 ? 2 - vlans : vlans;
		peer_connect(&p);
		rig.flows[0].flow[i].last_seen_ms -= idle * 1000;
		rig.flows[0].flow[i].req_len = 50;
	}
	drain_ring();
	p.vlans = vlans;
	p.port++;
	peer_syn(&p);
	return p;
}

static struct dawn_flow *way(int i)
{
	return &rig.flows[0].flow[i];
}

/* The bare ACK makes no entry, unless `ack_too`; the request takes the way. */
static void expect_victim(struct peer *p, int victim, bool ack_too)
{
	struct dawn_flow old = *way(victim);
	struct pkt s = peer_segment(p, PKT_ACK);

	assert_int_equal(old.rport, htons((uint16_t)(43000 + victim)));
	if (ack_too) {
		EXPECT_SAME(&s, XDP_DROP, flow_evicted);
		assert_int_equal(rig_count(flow_new), 1);
	} else {
		EXPECT_SAME(&s, XDP_DROP, flow_deferred);
		assert_null(peer_flow(p));
		s = peer_request(p, REQUEST("/a"));
		EXPECT(&s, XDP_TX, flow_evicted);
		assert_int_equal(rig_count(http_hit), 1);
	}
	assert_ptr_equal(peer_flow(p), way(victim));
	assert_int_equal(rig.flows[0].lock, 0);
	if (old.state == DAWN_TCP_TIME_WAIT) {
		assert_int_equal(drain_ring(), 0);
		return;
	}
	assert_int_equal(rig_count(evict_untold), 0);
	assert_int_equal(drain_ring(), 1);
	assert_memory_equal(&told[0].raddr, &old.raddr, 16);
	assert_int_equal(told[0].rport, old.rport);
	assert_int_equal(told[0].service, old.service);
	assert_memory_equal(told[0].peer_mac, old.peer_mac, 6);
	assert_int_equal(told[0].vlan_outer, old.vlan_outer);
	assert_int_equal(told[0].vlan_inner, old.vlan_inner);
	assert_int_equal(told[0].flags, old.flags);
	assert_int_equal(told[0].snd_nxt, old.snd_nxt);
}

static void test_oldest_idle(void **state)
{
	struct peer p;

	(void)state;
	for (int i = 0; i < 8; i++) {
		rig_reset(NULL);
		p = full(2);
		way(i)->last_seen_ms -= 500;
		expect_victim(&p, i, false);
	}
}

/* Who is useless goes before who was served, however long that one is idle. */
static void test_useless_first(void **state)
{
	struct peer p;

	(void)state;
	p = full(100);
	way(5)->last_seen_ms += 98000; /* never asked */
	way(5)->req_len = 0;
	expect_victim(&p, 5, true);
	rig_reset(NULL);
	p = full(100);
	way(6)->last_seen_ms += 98000;
	way(6)->state = DAWN_TCP_LAST_ACK;
	way(6)->snd_nxt++;
	rig.unacked[0] = 1 << 6;
	expect_victim(&p, 6, true);
	assert_int_equal(rig.unacked[0], 0);
}

static void test_time_wait_first(void **state)
{
	struct peer p = full(100);

	(void)state;
	way(2)->req_len = 0;
	way(7)->state = DAWN_TCP_TIME_WAIT;
	way(7)->last_seen_ms += 100000; /* at once */
	expect_victim(&p, 7, true);
}

/* A response on its way is not cut off, unless its client is dead. */
static void test_unacked(void **state)
{
	struct peer p = full(5);
	struct pkt s;

	(void)state;
	for (int i = 0; i < 8; i++) {
		way(i)->snd_nxt += 100;
		way(i)->resp_kind = DAWN_RESP_GET;
		rig.unacked[0] |= 1U << i;
	}
	s = peer_request(&p, REQUEST("/a"));
	EXPECT_SAME(&s, XDP_DROP, flow_full);
	way(4)->last_seen_ms -= 6000;
	expect_victim(&p, 4, false);
	assert_int_equal(rig.unacked[0] & 0xef, 0xef); /* 4: the new answer */
}

/* All spoke within a second: data take the place of who was silent for longest,
 * by whatever CPU's clock; a bare ACK takes none. */
static void test_busy(void **state)
{
	struct peer p;
	struct pkt s;

	(void)state;
	for (int i = 0; i < 8; i++) {
		rig_reset(NULL);
		p = full(0);
		for (int j = 0; j < 8; j++)
			way(j)->req_len = (uint16_t)(j & 1);
		way((i + 1) % 8)->last_seen_ms += 500; /* ahead */
		way(i)->last_seen_ms -= 300;
		expect_victim(&p, i, false);
	}
	/* All at the very same time; a FIN says as much as data. */
	rig_reset(NULL);
	p = full(0);
	for (int i = 0; i < 8; i++)
		way(i)->last_seen_ms = (uint32_t)(rig_now_ns() / 1000000) + 500;
	s = peer_segment(&p, PKT_ACK);
	EXPECT_SAME(&s, XDP_DROP, flow_deferred);
	s = peer_segment(&p, PKT_ACK | PKT_FIN);
	EXPECT(&s, XDP_TX, fin_acked);
	assert_int_equal(rig_count(flow_evicted), 1);
}

/* Who was silent for a second goes before who was not; so does a dead client
 * before one that is there. */
static void test_busy_last(void **state)
{
	struct peer p = full(0);

	(void)state;
	for (int i = 0; i < 8; i++)
		way(i)->last_seen_ms -= 900;
	way(5)->last_seen_ms -= 10000;
	way(5)->snd_nxt += 100;
	way(5)->resp_kind = DAWN_RESP_GET;
	expect_victim(&p, 5, false);
}

/* Answers on their way, and flows that are not XDP's, have their time: then
 * there is no place, and the data come again. */
static void test_busy_all(void **state)
{
	struct peer p = full(0);
	struct pkt s = peer_request(&p, REQUEST("/a"));

	(void)state;
	for (int i = 0; i < 8; i++) {
		way(i)->last_seen_ms -= 900;
		if (i & 1)
			way(i)->owner = dawn_owner(DAWN_OWNER_USER, 0, 0, 7, 1);
		else
			way(i)->snd_nxt += 100;
	}
	EXPECT_SAME(&s, XDP_DROP, flow_full);
	assert_int_equal(drain_ring(), 0);
	way(6)->snd_una = way(6)->snd_nxt;
	expect_victim(&p, 6, false);
}

/* Flows that are not XDP's stay. */
static void test_owned(void **state)
{
	struct peer p = full(1000);
	struct pkt s = peer_request(&p, REQUEST("/a"));

	(void)state;
	for (int i = 0; i < 8; i++)
		way(i)->owner =
			dawn_owner(i & 1 ? DAWN_OWNER_USER : DAWN_OWNER_LOCKED,
				   0, 0, 7, 1);
	EXPECT_SAME(&s, XDP_DROP, flow_full);
	way(3)->owner = dawn_owner(DAWN_OWNER_KERNEL, 0, 0, 0, 1);
	expect_victim(&p, 3, false);
}

/* Both of a tuple's sets are looked at. */
static void test_both_sets(void **state)
{
	struct peer p = rig_peer(rig.family);
	struct pkt s;
	int ports = 0;

	(void)state;
	rig_cache(0, "/a", 10);
	rig.config->flow_sets = 2;
	for (int i = 0; i < 400 && ports < 16; i++) {
		p.port = (uint16_t)(43000 + i);
		peer_syn(&p);
		s = peer_segment(&p, PKT_ACK);
		rig_run(&s);
		ports = 0;
		for (int j = 0; j < 16; j++)
			ports += !!rig.flows[j / 8].tag[j % 8];
	}
	assert_int_equal(ports, 16);
	for (int set = 0; set < 2; set++) {
		struct dawn_flow *f = &rig.flows[set].flow[3];
		bool both = false;

		for (int j = 0; j < 16; j++)
			rig.flows[j / 8].flow[j % 8].last_seen_ms =
				(uint32_t)(rig_now_ns() / 1000000) - 2000;
		f->last_seen_ms -= 1000;
		/* Half of all tuples choose both. */
		for (int i = 0; i < 64 && !both; i++) {
			p.port++;
			p.isn += 1000;
			peer_syn(&p);
			s = peer_request(&p, REQUEST("/a"));
			rig_run(&s);
			both = peer_flow(&p) == f;
		}
		assert_true(both);
	}
	drain_ring();
}

/* With nobody to read, the ring fills; that is counted, and nothing else. */
static void test_untold(void **state)
{
	struct peer p = full(2);
	size_t tcp = 14 + (size_t)p.vlans * 4 + (rig.family == 4 ? 20 : 40);
	struct pkt s;
	unsigned int n;

	(void)state;
	rig_mark();
	for (n = 0; n < 3000 && !rig_count(evict_untold); n++) {
		for (int i = 0; i < 8; i++)
			way(i)->last_seen_ms -= 2000;
		p.port++;
		p.isn += 1000;
		p.snd_nxt = p.isn;
		p.rcv_nxt = 0;
		s = peer_segment(&p, PKT_SYN);
		pkt_opt_ts(&s, p.ts_clock, 0);
		assert_int_equal(rig_run(&s), XDP_TX);
		p.snd_nxt++;
		p.rcv_nxt = pkt_be32(rig.out + tcp + 4) + 1;
		s = peer_request(&p, REQUEST("/a"));
		assert_int_equal(rig_run(&s), XDP_TX);
	}
	assert_in_range(n, 1000, 2000);
	assert_int_equal(rig_count(flow_evicted), n);
	assert_int_equal(drain_ring(), n - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oldest_idle),
		cmocka_unit_test(test_useless_first),
		cmocka_unit_test(test_time_wait_first),
		cmocka_unit_test(test_unacked),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_busy_last),
		cmocka_unit_test(test_busy_all),
		cmocka_unit_test(test_owned),
		cmocka_unit_test(test_both_sets),
		cmocka_unit_test(test_untold),
	};
	int failed = RIG_ON_WIRES("evict", tests);

	ring_buffer__free(ring);
	return failed;
}
