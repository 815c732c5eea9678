// SPDX-License-Identifier: MIT OR Apache-2.0
/* TIME_WAIT, which the reactor leaves to XDP: what is answered for 2 MSL, and
 * which SYN may follow (RFC 9293, 3.6.1 and 3.10.7.4; RFC 6191); over IPv4 and
 * IPv6, tagged and not.
 */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/progrun/rig.h"

/* Sequence numbers of the old connection's end: plain, and at the wrap. */
static const uint32_t bases[] = { 1000000, 0x7ffffffe, 0xfffffffe, 0 };
#define BASES (sizeof(bases) / sizeof(bases[0]))

static uint32_t now_ms(void)
{
	return (uint32_t)(rig_now_ns() / 1000000);
}

/* A connection that the reactor has closed: both FINs are acknowledged. */
static struct peer in_time_wait(uint32_t base, bool ts)
{
	static uint16_t port = 21000;
	struct peer p = rig_peer(rig.family);
	struct dawn_flow *f;

	p.ts = ts;
	p.isn = base - 100;
	p.port = port++;
	peer_connect(&p);
	f = peer_flow(&p);
	p.snd_nxt = base;
	p.rcv_nxt += 500;
	f->state = DAWN_TCP_TIME_WAIT;
	f->rcv_nxt = p.snd_nxt;
	f->rcv_adv = p.snd_nxt + DAWN_RCV_WND;
	f->snd_nxt = p.rcv_nxt;
	f->snd_una = p.rcv_nxt;
	f->last_seen_ms = now_ms() - 1000;
	return p;
}

static void check_state(const struct peer *p, uint8_t state)
{
	assert_non_null(peer_flow(p));
	assert_int_equal(peer_flow(p)->state, state);
	assert_int_equal(dawn_owner_state(peer_flow(p)->owner),
			 DAWN_OWNER_KERNEL);
}

static struct pkt answered(const struct peer *p, const struct pkt *s)
{
	struct pkt got = rig_answer(s);

	assert_int_equal(got.flags, PKT_ACK);
	assert_int_equal(got.seq, p->rcv_nxt);
	assert_int_equal(got.ack, p->snd_nxt);
	assert_int_equal(got.len, 0);
	return got;
}

/* 2 MSL began at `ms` or later. */
static bool began_since(const struct peer *p, uint32_t ms)
{
	return peer_flow(p)->last_seen_ms - ms < 1U << 31;
}

/* Our last ACK was lost: the FIN comes again, and 2 MSL begin anew. */
static void test_fin_again(void **state)
{
	struct peer p;
	struct pkt s;
	uint32_t before;

	(void)state;
	for (size_t i = 0; i < 2 * BASES; i++) {
		p = in_time_wait(bases[i / 2], i & 1);
		s = peer_segment(&p, PKT_FIN | PKT_ACK);
		s.seq -= 1;
		before = now_ms();
		EXPECT(&s, XDP_TX, acked_again);
		answered(&p, &s);
		assert_true(began_since(&p, before));
		/* With the data before it. */
		peer_flow(&p)->last_seen_ms = now_ms() - 1000;
		s.payload = "bye";
		s.len = 3;
		s.seq -= 3;
		EXPECT(&s, XDP_TX, acked_again);
		answered(&p, &s);
		assert_true(began_since(&p, before));
		check_state(&p, DAWN_TCP_TIME_WAIT);
		/* Another FIN is not that one. */
		peer_flow(&p)->last_seen_ms = now_ms() - 1000;
		s.seq -= 1;
		EXPECT(&s, XDP_TX, acked_again);
		s.seq = p.snd_nxt;
		EXPECT(&s, XDP_TX, challenge_ack);
		assert_true(now_ms() - peer_flow(&p)->last_seen_ms >= 1000);
	}
}

static void test_old_segments(void **state)
{
	struct peer p;
	struct pkt s;

	(void)state;
	for (size_t i = 0; i < 2 * BASES; i++) {
		p = in_time_wait(bases[i / 2], i & 1);
		s = peer_segment(&p, PKT_ACK); /* all is well */
		EXPECT_SAME(&s, XDP_DROP, ack_seen);
		s.seq -= 1; /* a probe */
		EXPECT(&s, XDP_TX, acked_again);
		answered(&p, &s);
		s = peer_request(&p, "old");
		s.seq -= 4;
		EXPECT(&s, XDP_TX, acked_again);
		answered(&p, &s);
		s.seq = p.snd_nxt; /* data behind the FIN */
		EXPECT(&s, XDP_TX, challenge_ack);
		answered(&p, &s);
		s.seq += 1U << 31;
		EXPECT(&s, XDP_TX, challenge_ack);
		s = peer_segment(&p, PKT_ACK); /* never sent */
		s.ack += 1;
		EXPECT(&s, XDP_TX, challenge_ack);
		answered(&p, &s);
		s = peer_segment(&p, PKT_SYN | PKT_ACK);
		EXPECT(&s, XDP_TX, challenge_ack);
		answered(&p, &s);
		check_state(&p, DAWN_TCP_TIME_WAIT);
		assert_true(now_ms() - peer_flow(&p)->last_seen_ms >= 1000);
	}
}

static void test_rst(void **state)
{
	struct peer p;
	struct pkt s;

	(void)state;
	for (size_t i = 0; i < BASES; i++) {
		p = in_time_wait(bases[i], true);
		s = peer_segment(&p, PKT_RST);
		s.seq += 1;
		EXPECT(&s, XDP_TX, challenge_ack);
		answered(&p, &s);
		s.seq -= 2;
		EXPECT_SAME(&s, XDP_DROP, rst_unproven);
		check_state(&p, DAWN_TCP_TIME_WAIT);
		s.seq += 1;
		EXPECT_SAME(&s, XDP_DROP, flow_closed);
		assert_null(peer_flow(&p));
	}
}

/* ---- a new connection ---- */

/* The SYN of a new connection with these numbers. */
static struct pkt new_syn(const struct peer *p, uint32_t isn, bool ts,
			  uint32_t tsval)
{
	struct pkt s;

	s = peer_segment(p, PKT_SYN);
	s.seq = isn;
	s.ack = 0;
	s.opt_len = 0;
	pkt_opt_mss(&s, 1400);
	if (ts)
		pkt_opt_ts(&s, tsval, 0);
	return s;
}

/* RFC 6191, 2, line by line. `later`: TSval against the last one seen. */
static void test_which_syn(void **state)
{
	static const struct {
		bool old_ts, new_ts;
		int32_t later, beyond;
		bool allowed;
	} cases[] = {
		{ true, true, 1, -1000, true },
		{ true, true, 1, 1000, true },
		{ true, true, 0x7fffffff, 0, true },
		{ true, true, 0, 1, true },
		{ true, true, 0, 0, false },
		{ true, true, 0, -1, false },
		{ true, true, -1, 1000, false },
		{ true, false, 0, 0, false },
		{ true, false, 0, -1, false },
		{ false, true, 0, -1000, true },
		{ false, true, 0, 1000, true },
		{ false, true, INT32_MIN, -1000, true }, /* none to compare */
		{ false, false, 0, 0, false },
		{ false, false, 0, -1, false },
		{ false, false, 0, INT32_MIN, false },
	};
	struct peer p;
	struct pkt s;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t j = 0; j < BASES; j++) {
			rig_reset(NULL);
			p = in_time_wait(bases[j], cases[i].old_ts);
			s = new_syn(&p, p.snd_nxt + (uint32_t)cases[i].beyond,
				    cases[i].new_ts,
				    p.ts_clock + (uint32_t)cases[i].later);
			if (cases[i].allowed) {
				EXPECT(&s, XDP_TX, syn_cookie);
				assert_int_equal(rig_answer(&s).ack, s.seq + 1);
			} else {
				EXPECT(&s, XDP_TX, challenge_ack);
				answered(&p, &s);
			}
			/* It may be an old one: nothing has changed. */
			check_state(&p, DAWN_TCP_TIME_WAIT);
			assert_int_equal(peer_flow(&p)->rcv_nxt, p.snd_nxt);
			assert_true(now_ms() - peer_flow(&p)->last_seen_ms >=
				    1000);
		}
}

/* Without timestamps our ISN must be beyond what was used as well (RFC 9293,
 * MAY-2); a cookie is anywhere, so about half of the SYNs are allowed. */
static void test_isn_beyond(void **state)
{
	int allowed = 0, not_allowed = 0;
	struct peer p;
	struct pkt s, got;

	(void)state;
	p = in_time_wait(1000000, false);
	for (uint32_t i = 0; i < 64; i++) {
		s = new_syn(&p, p.snd_nxt + 1 + i, false, 0);
		peer_flow(&p)->limits = 0;
		assert_int_equal(rig_run(&s), XDP_TX);
		got = rig_answer(&s);
		if (!(got.flags & PKT_SYN)) {
			not_allowed++;
			continue;
		}
		allowed++;
		assert_true((int32_t)(got.seq - p.rcv_nxt) > 0);
	}
	assert_true(allowed > 5 && not_allowed > 5);
}

/* The whole way: SYN, SYN-ACK, ACK, request; in the same entry. */
static void test_reopened(void **state)
{
	struct dawn_flow *f;
	struct peer p, q;
	struct pkt s;

	(void)state;
	rig_cache(0, "/a", 10);
	for (size_t i = 0; i < 2 * BASES; i++) {
		p = in_time_wait(bases[i / 2], true);
		f = peer_flow(&p);
		q = p;
		q.isn = p.snd_nxt - 12345; /* the timestamp decides */
		q.ts_clock++;
		q.mss = 536;
		q.sack = false;
		peer_syn(&q);
		check_state(&p, DAWN_TCP_TIME_WAIT);
		if (i & 1) { /* that ACK is lost */
			s = peer_segment(&q, PKT_ACK);
			EXPECT_SAME(&s, XDP_DROP, time_wait_reused);
			assert_int_equal(rig_count(flow_new), 1);
		}
		s = peer_request(&q, REQUEST("/a"));
		EXPECT(&s, XDP_TX, http_hit);
		assert_int_equal(rig_count(time_wait_reused), !(i & 1));
		assert_ptr_equal(peer_flow(&q), f);
		check_state(&q, DAWN_TCP_ESTABLISHED);
		assert_int_equal(f->rcv_nxt, q.snd_nxt + s.len);
		assert_int_equal(f->snd_una, q.rcv_nxt);
		assert_true(f->mss <= 536);
		assert_false(f->flags & DAWN_FLOW_SACK);
	}
}

/* What comes late of the old connection's own handshake, or proves a cookie of
 * one that may not follow, opens nothing. */
static void test_not_reopened(void **state)
{
	struct peer p, q;
	struct pkt s;

	(void)state;
	p = in_time_wait(1000000, true);
	q = p;
	peer_flow(&p)->rport++; /* as if it were not there, for a cookie */
	q.isn = p.snd_nxt + 5;
	q.ts_clock--;
	peer_syn(&q);
	for (size_t i = 0; i < 64; i++)
		for (size_t way = 0; way < 8; way++)
			if (rig.flows[i].tag[way])
				rig.flows[i].flow[way].rport = htons(p.port);
	s = peer_segment(&q, PKT_ACK);
	EXPECT(&s, XDP_TX, challenge_ack);
	check_state(&p, DAWN_TCP_TIME_WAIT);
	/* A guess that proves nothing. */
	q.ts_clock += 2;
	q.rcv_nxt ^= 0x100;
	s = peer_segment(&q, PKT_ACK);
	EXPECT(&s, XDP_TX, challenge_ack);
	check_state(&p, DAWN_TCP_TIME_WAIT);
}

/* 2 MSL are over: as if there were no entry. */
static void test_expired(void **state)
{
	struct peer p, q;
	struct pkt s;

	(void)state;
	for (int i = 0; i < 3; i++) {
		p = in_time_wait(1000000, true);
		peer_flow(&p)->last_seen_ms = now_ms() - 55000;
		s = peer_segment(&p, PKT_ACK);
		EXPECT_SAME(&s, XDP_DROP, ack_seen);
		peer_flow(&p)->last_seen_ms = now_ms() - 60000;
		switch (i) {
		case 0:
			EXPECT(&s, XDP_TX, cookie_bad);
			assert_int_equal(rig_answer(&s).flags, PKT_RST);
			assert_int_equal(rig_count(flow_closed), 1);
			break;
		case 1: /* the oldest numbers will do */
			q = p;
			q.isn = p.snd_nxt - 1;
			q.ts_clock--;
			peer_connect(&q);
			check_state(&q, DAWN_TCP_ESTABLISHED);
			continue;
		default:
			s = peer_segment(&p, PKT_RST);
			EXPECT_SAME(&s, XDP_DROP, rst_unproven);
		}
		assert_null(peer_flow(&p));
	}
}

static void test_drain(void **state)
{
	struct peer p = in_time_wait(1000000, true);
	struct pkt s = new_syn(&p, p.snd_nxt, true, p.ts_clock + 1);

	(void)state;
	rig.config->flags |= DAWN_CONFIG_DRAIN;
	EXPECT_SAME(&s, XDP_DROP, draining);
	s = peer_segment(&p, PKT_FIN | PKT_ACK);
	s.seq--;
	EXPECT(&s, XDP_TX, acked_again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fin_again),
		cmocka_unit_test(test_old_segments),
		cmocka_unit_test(test_rst),
		cmocka_unit_test(test_which_syn),
		cmocka_unit_test(test_isn_beyond),
		cmocka_unit_test(test_reopened),
		cmocka_unit_test(test_not_reopened),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_drain),
	};

	return RIG_ON_WIRES("timewait", tests);
}
