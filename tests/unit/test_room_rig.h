/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A reactor without a NIC, for what decides about memory: a flow table in plain
 * memory, 32 connections' worth of rings, a clock that stands, and a tx ring
 * that takes everything. */
#ifndef DAWN_TESTS_ROOM_RIG_H
#define DAWN_TESTS_ROOM_RIG_H

#include <arpa/inet.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "user/net/reactor_int.h"

#define SETS     256
#define BLOCKS   64 /* control blocks, and smallest rings */
#define CONNS    32 /* with two rings each */
#define SHARE    4
#define SECOND   1000000ULL
#define START_US (5000 * SECOND)
#define SERVICE  3
#define RCV_NXT  1000

struct rig {
	struct dawn_reactor r;
	struct dawn_flow_set sets[SETS];
	uint64_t unacked[SETS];
	struct dawn_reactor_stats stats;
	struct dawn_config config;
	struct dawn_xdp xdp;
	uint16_t port; /* of the flow made last */
};

static uint64_t rig_clock_us;
static uint8_t rig_tx[DAWN_XSK_CHUNK];

/* All that reads a clock in this program sees ours. The C library's names are
 * reserved ones.
 * NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	ts->tv_sec = (time_t)(rig_clock_us / SECOND);
	ts->tv_nsec = (long)(rig_clock_us % SECOND * 1000);
	return 0;
}

/* --- no socket ----------------------------------------------------------- */

int dawn_xsk_create(struct dawn_xsk **out, const struct dawn_xsk_options *o)
{
	(void)out;
	(void)o;
	return -1;
}

void dawn_xsk_destroy(struct dawn_xsk *x)
{
	(void)x;
}

int dawn_xsk_fd(const struct dawn_xsk *x)
{
	(void)x;
	return -1;
}

uint32_t dawn_xsk_ring_size(const struct dawn_xsk *x)
{
	(void)x;
	return 0;
}

uint32_t dawn_xsk_rx(struct dawn_xsk *x, const struct dawn_xsk_frame **frames)
{
	(void)x;
	(void)frames;
	return 0;
}

void dawn_xsk_rx_done(struct dawn_xsk *x)
{
	(void)x;
}

uint8_t *dawn_xsk_tx_buffer(struct dawn_xsk *x)
{
	(void)x;
	return rig_tx;
}

void dawn_xsk_tx_commit(struct dawn_xsk *x, uint32_t len)
{
	(void)x;
	(void)len;
}

uint32_t dawn_xsk_tx_free(struct dawn_xsk *x)
{
	(void)x;
	return 1;
}

bool dawn_xsk_flush(struct dawn_xsk *x)
{
	(void)x;
	return false;
}

uint64_t dawn_xsk_lost(const struct dawn_xsk *x)
{
	(void)x;
	return 0;
}

/* --- the reactor --------------------------------------------------------- */

static inline void rig_time(struct rig *t, uint64_t us)
{
	rig_clock_us = us;
	t->r.now_us = us;
}

/* Exactly BLOCKS: what a control block takes is known. */
static inline uint64_t rig_memory(void)
{
	uint64_t block = (sizeof(struct dawn_conn) + 63) / 64 * 64 +
			 (dawn_tcp_sizeof() + 63) / 64 * 64;

	return BLOCKS * (dawn_ring_bytes(DAWN_RING_MIN) + block);
}

static inline int rig_setup(void **state)
{
	struct rig *t = aligned_alloc(64, (sizeof(*t) + 63) / 64 * 64);

	assert_non_null(t);
	memset(t, 0, sizeof(*t));
	t->r.flows = (struct dawn_flows){
		.sets = t->sets,
		.unacked = t->unacked,
		.key = &t->config.flow_key,
		.set_count = SETS,
		.incarnation = 7,
	};
	t->r.stats = &t->stats;
	t->r.config = &t->config;
	t->r.mtu = 1500;
	t->r.o.xdp = &t->xdp;
	t->r.o.threads = 1;
	t->r.o.ring_size = 4096;
	t->r.o.idle_ms = 75000;
	t->r.local.count = 1;
	t->r.local.list[0].port = htons(80);
	t->r.local.list[0].addr.q[1] = 80;
	t->r.local.list[0].svc.id = SERVICE;
	rig_time(t, START_US);
	t->r.start_us = START_US;
	assert_int_equal(dawn_conn_pool_create(&t->r, rig_memory()), 0);
	assert_int_equal(t->r.conn_max, BLOCKS);
	assert_int_equal(dawn_peer_share(&t->r), SHARE);
	*state = t;
	return 0;
}

static inline int rig_teardown(void **state)
{
	struct rig *t = *state;

	dawn_conn_pool_destroy(&t->r);
	free(t);
	return 0;
}

/* A source is an IPv6 /64. */
static inline struct dawn_addr rig_addr(uint32_t source)
{
	struct dawn_addr a = { 0 };

	a.b[0] = 0x20;
	a.b[6] = (uint8_t)(source >> 8);
	a.b[7] = (uint8_t)source;
	a.b[15] = 9;
	return a;
}

/* A flow of that source, idle, XDP's. Return: its index. */
static inline uint32_t rig_flow(struct rig *t, uint32_t source)
{
	struct dawn_tuple tuple = { .raddr = rig_addr(source),
				    .rport = htons(++t->port),
				    .service = SERVICE };
	struct dawn_flow_hash h;
	uint32_t set, way = 0;
	struct dawn_flow *f;

	dawn_flow_hash(&h, t->r.flows.key, &tuple.raddr, tuple.rport, SERVICE);
	set = dawn_flow_set_number(&h, 0, SETS);
	while (way < DAWN_FLOW_WAYS && t->sets[set].tag[way])
		way++;
	if (way == DAWN_FLOW_WAYS)
		return rig_flow(t, source); /* the next port */
	t->sets[set].tag[way] = h.tag;
	f = &t->sets[set].flow[way];
	f->raddr = tuple.raddr;
	f->rport = tuple.rport;
	f->service = SERVICE;
	f->state = DAWN_TCP_ESTABLISHED;
	f->rcv_nxt = RCV_NXT;
	f->rcv_adv = RCV_NXT + 65535;
	f->snd_nxt = f->snd_una = 77000;
	f->snd_wnd = 65535;
	f->mss = 1440;
	f->cwnd = 14400;
	f->ssthresh = INT32_MAX;
	f->last_seen_ms = dawn_ms(t->r.now_us);
	f->owner = dawn_owner(DAWN_OWNER_KERNEL, 0, 0, 0, 5);
	return set * DAWN_FLOW_WAYS + way;
}

static inline uint8_t rig_owner(const struct rig *t, uint32_t flow)
{
	return dawn_owner_state(dawn_flows_owner(&t->r.flows, flow));
}

/* A connection of that flow, now. Return: 0 or why not. */
static inline int rig_make(struct rig *t, uint32_t flow, struct dawn_conn **c)
{
	uint64_t word;
	int err;

	assert_int_equal(dawn_flows_claim(&t->r.flows, flow, NULL, &word),
			 DAWN_CLAIM_TAKEN);
	err = dawn_conn_make(c, &t->r, flow, word, true);
	if (err)
		dawn_flows_give(&t->r.flows, flow, &word);
	return err;
}

/* A segment of the flow's peer, as it would come from the rx ring. */
static inline void rig_frame(struct rig *t, uint32_t flow, uint32_t seq,
			     uint32_t len, uint8_t flags)
{
	static const uint8_t data[4000];
	const struct dawn_flow *f = dawn_flows_at(&t->r.flows, flow);
	struct dawn_frame_addr a = {
		.laddr = f->raddr,
		.lport = f->rport,
		.raddr = t->r.local.list[0].addr,
		.rport = t->r.local.list[0].port,
	};
	struct dawn_tcp_seg seg = {
		.seq = seq,
		.ack = f->snd_nxt,
		.wnd = 65535,
		.flags = flags | DAWN_TCP_ACK,
		.data = data,
		.len = len,
	};
	uint8_t buf[DAWN_XSK_CHUNK];
	uint32_t n = dawn_frame_build(buf, sizeof(buf), &a, &seg);

	assert_int_not_equal(n, 0);
	dawn_reactor_frame(&t->r, buf, n, 0);
}

#define ROOM_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

#endif
