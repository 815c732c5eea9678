// SPDX-License-Identifier: MIT OR Apache-2.0
/* Random packets of a few connections, most of them nearly right, in every mood
 * of the reactor. After each one must hold what always holds: no lock is left,
 * a verdict and the counters agree, what is sent is well formed and says where
 * the flow stands, what is punted is untouched, and the entry is consistent.
 *
 * RANDOM_CASES=n in the environment runs more of them than the default.
 */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "maps/cache.h"
#include "tests/progrun/rig.h"

#define CASES 60000
#define SETS  64 /* as the object comes */
#define PEERS 4

static uint64_t rng = 0x2545f4914f6cdd1dULL;

static uint32_t roll(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 32) % n;
}

/* Mostly 0, else near it, else anywhere. */
static uint32_t off_by(void)
{
	static const uint32_t far[] = { 65535, DAWN_RCV_WND - 1, DAWN_RCV_WND,
					1U << 31, (1U << 31) - 1 };

	if (roll(4))
		return 0;
	if (roll(3))
		return roll(2) ? roll(3) : 0U - roll(3);
	if (roll(2))
		return roll(2) ? roll(400) : 0U - roll(400);
	return roll(2) ? far[roll(5)] : roll(UINT32_MAX);
}

static uint32_t index_of(const struct dawn_flow *f)
{
	size_t at = (size_t)((const uint8_t *)f - (const uint8_t *)rig.flows);

	return (uint32_t)(at / sizeof(*rig.flows) * DAWN_FLOW_WAYS +
			  (at % sizeof(*rig.flows) -
			   offsetof(struct dawn_flow_set, flow)) /
				  sizeof(*f));
}

static bool unacked(uint32_t index)
{
	return rig.unacked[index / 64] >> (index & 63) & 1;
}

/* ---- what always holds ---- */

static void check_flow(const struct dawn_flow *f, uint32_t index)
{
	uint8_t state = dawn_owner_state(f->owner);
	uint32_t tag =
		rig.flows[index / DAWN_FLOW_WAYS].tag[index % DAWN_FLOW_WAYS];
	uint32_t flight = f->snd_nxt - f->snd_una;

	assert_int_not_equal(state, DAWN_OWNER_LOCKED);
	assert_int_equal(tag != 0, state != DAWN_OWNER_FREE);
	if (state == DAWN_OWNER_FREE) {
		assert_false(unacked(index));
		return;
	}
	assert_true(flight <= DAWN_RESP_MAX + 1);
	assert_int_equal(unacked(index), flight != 0);
	assert_true(f->resp_kind == DAWN_RESP_NONE || flight);
	if (f->state == DAWN_TCP_TIME_WAIT) {
		assert_int_equal(flight, 0);
	} else if (f->state == DAWN_TCP_ESTABLISHED) {
		assert_int_equal(f->resp_kind != DAWN_RESP_NONE, flight != 0);
		assert_true(!flight || f->snd_nxt == f->resp_seq + f->resp_len);
	} else {
		assert_int_equal(f->state, DAWN_TCP_LAST_ACK);
		assert_int_equal(flight, 1);
	}
}

static void check_table(void)
{
	for (uint32_t set = 0; set < SETS; set++) {
		assert_int_equal(rig.flows[set].lock, 0);
		for (uint32_t way = 0; way < DAWN_FLOW_WAYS; way++)
			check_flow(&rig.flows[set].flow[way],
				   set * DAWN_FLOW_WAYS + way);
	}
}

/* One of the totals rose by one, or the packet was only taken in. */
static void check_counters(int verdict)
{
	uint64_t tx = rig_count(tx_total), punt = rig_count(punt_total);
	uint64_t pass = rig_count(pass_total), drop = rig_count(drop_total);
	uint64_t all = tx + punt + pass + drop;

	assert_true(all <= 1);
	assert_int_equal(rig_count(map_missing), 0);
	switch (verdict) {
	case XDP_TX:
		assert_int_equal(tx, 1);
		break;
	case XDP_REDIRECT: /* to the reactor, or clones */
		assert_int_equal(punt + tx, 1);
		assert_int_equal(tx,
				 rig_count(http_hit) + rig_count(http_resend));
		break;
	case XDP_DROP:
		assert_int_equal(pass + punt + tx, 0);
		assert_int_equal(drop || rig_count(ack_seen), 1);
		break;
	default:
		fail_msg("verdict %d", verdict);
	}
}

static void check_answer(const struct pkt *s, const struct peer *p)
{
	const struct dawn_flow *f = peer_flow(p);
	struct pkt got = rig_answer(s);

	if (got.flags & PKT_RST) {
		assert_int_equal(got.seq, s->ack);
		return;
	}
	if (got.flags & PKT_SYN) {
		assert_int_equal(got.ack, s->seq + 1);
		return;
	}
	assert_non_null(f);
	assert_int_equal(got.ack, f->rcv_nxt);
	/* Never beyond what the entry says is sent. */
	assert_true(f->snd_nxt - (got.seq + (uint32_t)got.len) <=
		    DAWN_RESP_MAX + 1);
	if (got.flags & PKT_FIN)
		assert_int_equal(got.seq + 1, f->snd_nxt);
}

/* ---- the packets ---- */

static void random_moods(void)
{
	static const uint32_t flags[] = { 0, DAWN_CONFIG_STANDALONE,
					  DAWN_CONFIG_DRAIN,
					  DAWN_CONFIG_CSUM_STRICT };
	struct dawn_queue *q = &rig.config->queue[0];

	if (roll(20))
		return;
	rig_reactor(roll(3));
	if (!roll(4)) /* this queue's stopped, another's did not */
		q->heartbeat_ns = rig_now_ns() - 1000000000;
	if (!roll(6))
		rig.config->orphan_ttl_ns = roll(2) ? 1 : 0;
	rig.queue_sent[0] = q->taken + (roll(6) ? 0 : q->ring_size);
	rig.config->flags = DAWN_CONFIG_TCP |
			    (roll(3) ? DAWN_CONFIG_CLONES : 0) | flags[roll(4)];
	rig.config->segment_budget = roll(3) ? 1000000 : 5;
}

static void random_options(struct pkt *s)
{
	uint32_t n = roll(40);

	if (roll(12))
		return;
	switch (roll(4)) {
	case 0:
		s->opt_len = 0;
		break;
	case 1:
		pkt_opt_nop(s, 4);
		break;
	case 2:
		pkt_opt_mss(s, (uint16_t)roll(100));
		pkt_opt_wscale(s, (uint8_t)roll(256));
		break;
	default:
		for (uint32_t i = 0; i < n; i++)
			s->opt[i] = (uint8_t)(roll(2) ? roll(9) : roll(256));
		s->opt_len = n & ~3U;
	}
}

static struct pkt random_segment(struct peer *p)
{
	static const uint8_t flags[] = { PKT_ACK,
					 PKT_ACK,
					 PKT_ACK | PKT_PSH,
					 PKT_ACK | PKT_FIN,
					 PKT_RST,
					 PKT_RST | PKT_ACK,
					 PKT_SYN };
	static const char *const texts[] = {
		REQUEST("/a"),
		REQUEST("/a"),
		REQUEST("/big"),
		"HEAD /big HTTP/1.1\r\nHost: h\r\n\r\n",
		REQUEST("/none"),
		"GET /a HT",
		REQUEST("/a") REQUEST("/a"),
		"\r\n"
	};
	const struct dawn_flow *f = peer_flow(p);
	struct pkt s;

	if (f) { /* as a peer that has seen everything, mostly */
		p->snd_nxt = f->rcv_nxt;
		p->rcv_nxt = roll(3) ? f->snd_nxt : f->snd_una;
		p->ts_clock = f->ts_recent + (roll(10) ? roll(2) : 0U - 1);
	}
	p->wnd = (uint16_t)(roll(8) ? 60000 : roll(40));
	s = peer_segment(p, roll(30) ? flags[roll(roll(3) ? 4 : 7)]
				     : (uint8_t)roll(256));
	if (roll(2)) {
		s.payload = texts[roll(8)];
		s.len = strlen(s.payload);
	}
	s.seq += off_by();
	s.ack += off_by();
	if (f && f->resp_kind && !roll(6) && s.len)
		s.seq = f->req_seq; /* asked again */
	random_options(&s);
	s.csum = roll(50) ? PKT_CSUM_FULL : (enum pkt_csum)roll(4);
	s.tos = (uint8_t)(roll(30) ? 0 : roll(256));
	return s;
}

/* The reactor closes a flow and leaves TIME_WAIT to XDP; some time passes. */
static void random_close(struct dawn_flow *f)
{
	uint32_t index = index_of(f);

	f->rcv_nxt++;
	f->snd_nxt++;
	f->snd_una = f->snd_nxt;
	f->state = DAWN_TCP_TIME_WAIT;
	f->resp_kind = DAWN_RESP_NONE;
	f->last_seen_ms -= roll(62000);
	rig.unacked[index / 64] &= ~(1ULL << (index & 63));
}

/* What the reactor would do with a flow that it was given: hand it back, in
 * time or dying. */
static void random_reactor(const struct peer *p)
{
	struct dawn_flow *f = peer_flow(p);
	uint8_t incarnation = roll(3) ? 7 : 6;

	if (!f || dawn_owner_state(f->owner) != DAWN_OWNER_USER || roll(3))
		return;
	if (!roll(8))
		random_close(f);
	if (roll(4))
		f->owner = dawn_owner(DAWN_OWNER_KERNEL, 0, 0, 0,
				      dawn_owner_gen(f->owner) + 1);
	else
		f->owner = dawn_owner(DAWN_OWNER_USER, (uint8_t)roll(2), 0,
				      incarnation,
				      dawn_owner_gen(f->owner) + 1);
	/* It takes what is unacknowledged with it when CLEAN goes. */
	if (dawn_owner_state(f->owner) == DAWN_OWNER_USER &&
	    !dawn_owner_flags(f->owner)) {
		uint32_t index = index_of(f);

		f->owner = dawn_owner(DAWN_OWNER_USER, 0, 0, incarnation,
				      dawn_owner_gen(f->owner));
		f->snd_una = f->snd_nxt;
		f->state = DAWN_TCP_ESTABLISHED;
		f->resp_kind = DAWN_RESP_NONE;
		rig.unacked[index / 64] &= ~(1ULL << (index & 63));
	}
}

static void reconnect(struct peer *p)
{
	if (peer_flow(p) || roll(3))
		return;
	rig_reactor(true);
	rig.config->flags = DAWN_CONFIG_TCP | DAWN_CONFIG_CLONES;
	p->isn = roll(UINT32_MAX);
	p->port = (uint16_t)(p->port + PEERS);
	peer_connect(p);
}

static void one_packet(struct peer *p)
{
	struct pkt s = random_segment(p);
	int verdict;

	rig_mark();
	verdict = rig_run(&s);
	check_counters(verdict);
	check_table();
	if (verdict == XDP_TX)
		check_answer(&s, p);
	if (verdict == XDP_REDIRECT && rig_count(punt_total)) {
		assert_int_equal(rig.out_len, rig.in_len);
		assert_memory_equal(rig.out, rig.in, rig.in_len);
	}
}

static void test_random(void **state)
{
	const char *env = getenv("RANDOM_CASES");
	long cases = env ? strtol(env, NULL, 10) : CASES;
	struct peer peers[PEERS];

	(void)state;
	rig_cache(0, "/a", 10);
	rig_cache(1, "/big", 14000);
	for (int i = 0; i < PEERS; i++) {
		peers[i] = rig_peer(i & 1 ? 6 : 4);
		peers[i].ts = i & 2;
		peers[i].wscale = i != 3;
		peers[i].port = (uint16_t)(20000 + i);
		peer_connect(&peers[i]);
	}
	for (long i = 0; i < cases; i++) {
		struct peer *p = &peers[roll(PEERS)];

		reconnect(p);
		random_moods();
		random_reactor(p);
		one_packet(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random, rig_reset),
	};

	return cmocka_run_group_tests(tests, rig_open, rig_close);
}
