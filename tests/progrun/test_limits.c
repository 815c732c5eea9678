// SPDX-License-Identifier: MIT OR Apache-2.0
/* What XDP sends keeps to the peer's MSS and window and to the congestion
 * window; what it measures is what a coarse clock can tell. Over IPv4 and IPv6,
 * tagged and not.
 */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "maps/cache.h"
#include "tests/progrun/rig.h"

static uint32_t resp_len(void)
{
	return rig.slots[0].resp_len;
}

static uint32_t now_ms(void)
{
	return (uint32_t)(rig_now_ns() / 1000000);
}

/* A connection that may be sent anything. */
static struct peer open_wide(uint16_t mss, bool ts, uint32_t body)
{
	struct peer p = rig_peer(rig.family);

	rig_reset(NULL);
	rig_cache(0, "/a", body);
	p.mss = mss;
	p.ts = ts;
	p.wnd = 0xffff;
	peer_connect(&p);
	return p;
}

static void expect_punt(struct peer *p, const struct pkt *s)
{
	EXPECT_SAME(s, XDP_REDIRECT, tcp_window);
	assert_int_equal(peer_flow(p)->snd_nxt, p->rcv_nxt);
	peer_flow(p)->owner = dawn_owner(DAWN_OWNER_KERNEL, 0, 0, 0, 1);
}

/* ---- the peer's window ---- */

static void test_window(void **state)
{
	static const uint32_t bodies[] = { 10, 1000, 13900 };
	struct peer p;
	struct pkt s;

	(void)state;
	for (int i = 0; i < 3; i++) {
		p = open_wide(1460, true, bodies[i]);
		peer_flow(&p)->snd_wscale = 0;
		s = peer_request(&p, REQUEST("/a"));
		s.wnd = 0;
		expect_punt(&p, &s);
		s.wnd = (uint16_t)(resp_len() - 1);
		expect_punt(&p, &s);
		s.wnd = (uint16_t)resp_len();
		assert_int_equal(rig_run(&s), i == 2 ? XDP_REDIRECT : XDP_TX);
		assert_int_equal(peer_flow(&p)->snd_nxt,
				 p.rcv_nxt + resp_len());
		assert_int_equal(peer_flow(&p)->snd_wnd, resp_len());
	}
}

/* The same by the scale: what counts is the shifted value. */
static void test_window_scale(void **state)
{
	struct peer p;
	struct pkt s;

	(void)state;
	for (uint8_t shift = 0; shift <= 14; shift++) {
		uint32_t field;

		p = open_wide(1460, true, 13900);
		peer_flow(&p)->snd_wscale = shift;
		field = resp_len() >> shift; /* rounded down: too small */
		s = peer_request(&p, REQUEST("/a"));
		s.wnd = (uint16_t)(field << shift == resp_len() ? field - 1
								: field);
		expect_punt(&p, &s);
		assert_int_equal(peer_flow(&p)->snd_wnd,
				 (uint32_t)s.wnd << shift);
		s.wnd++;
		EXPECT(&s, XDP_REDIRECT, http_hit);
		s.wnd = 0xffff; /* a gigabyte at most; MUST-1: unsigned */
		s.ack = p.rcv_nxt + resp_len();
		s.seq += (uint32_t)s.len;
		s.len = 0;
		EXPECT_SAME(&s, XDP_DROP, ack_seen);
		assert_int_equal(peer_flow(&p)->snd_wnd, 0xffffU << shift);
	}
}

/* The shift in a SYN: 0 to 14 as they are, more is 14 (RFC 7323, 2.3). */
static void test_scale_in_syn(void **state)
{
	struct pkt s, got;
	struct peer p;

	(void)state;
	for (int shift = 0; shift < 256; shift = shift < 20 ? shift + 1 : 255) {
		p = rig_peer(rig.family);
		p.ts = false;
		p.port = (uint16_t)(25000 + shift);
		p.snd_nxt = p.isn;
		s = peer_segment(&p, PKT_SYN);
		pkt_opt_wscale(&s, (uint8_t)shift);
		EXPECT(&s, XDP_TX, syn_cookie);
		got = rig_answer(&s);
		p.snd_nxt++;
		p.rcv_nxt = got.seq + 1;
		s = peer_segment(&p, PKT_ACK);
		EXPECT_SAME(&s, XDP_DROP, flow_new);
		assert_int_equal(peer_flow(&p)->snd_wscale,
				 shift > 14 ? 14 : shift);
		if (shift == 255)
			break;
	}
}

/* The window shrinks when a part is acknowledged: nothing more is sent, and
 * what was sent is not sent again beyond it, without a reactor either. */
static void test_window_shrinks(void **state)
{
	struct peer p = open_wide(1460, true, 10);
	struct pkt req = peer_request(&p, REQUEST("/a")), s;

	(void)state;
	rig_reactor(false);
	EXPECT(&req, XDP_TX, http_hit);
	p.snd_nxt += (uint32_t)req.len;
	s = peer_segment(&p, PKT_ACK);
	s.ack += 20;
	s.wnd = 0;
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	assert_int_equal(peer_flow(&p)->snd_wnd, 0);
	EXPECT_SAME(&req, XDP_DROP, no_socket);
	s.wnd = 1;
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	EXPECT(&req, XDP_TX, http_resend);
	/* Pipelined behind it: only after the rest is acknowledged. */
	rig_reactor(true);
	s = peer_request(&p, REQUEST("/a"));
	s.ack += 20;
	EXPECT_SAME(&s, XDP_REDIRECT, tcp_unacked);
}

/* ---- the congestion window ---- */

static void test_cwnd(void **state)
{
	struct peer p;
	struct pkt s;

	(void)state;
	p = open_wide(1400, true, 5000);
	s = peer_request(&p, REQUEST("/a"));
	peer_flow(&p)->cwnd = resp_len() - 1;
	expect_punt(&p, &s);
	peer_flow(&p)->cwnd = resp_len();
	peer_flow(&p)->ssthresh = resp_len(); /* no slow start */
	EXPECT(&s, XDP_REDIRECT, http_hit);
	s = peer_segment(&p, PKT_ACK);
	s.seq += strlen(REQUEST("/a"));
	s.ack += resp_len();
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	assert_int_equal(peer_flow(&p)->cwnd, resp_len());
}

/* Slow start: by at most an MSS for each ACK, and only if it was used up (RFC
 * 5681, 3.1; RFC 7661's reason). */
static void test_slow_start(void **state)
{
	struct peer p = open_wide(1460, true, 5000);
	struct pkt s = peer_request(&p, REQUEST("/a"));
	struct dawn_flow *f = peer_flow(&p);

	(void)state;
	EXPECT(&s, XDP_REDIRECT, http_hit);
	s = peer_segment(&p, PKT_ACK);
	s.seq += strlen(REQUEST("/a"));
	s.ack += resp_len();
	EXPECT_SAME(&s, XDP_DROP, ack_seen); /* ten MSS were not needed */
	assert_int_equal(f->cwnd, 10 * f->mss);
	p.snd_nxt = f->rcv_nxt;
	p.rcv_nxt = f->snd_nxt;
	f->cwnd = resp_len();
	s = peer_request(&p, REQUEST("/a"));
	EXPECT(&s, XDP_REDIRECT, http_hit);
	s = peer_segment(&p, PKT_ACK);
	s.seq += strlen(REQUEST("/a"));
	s.ack += 1; /* a byte: ACK division gains a byte */
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	assert_int_equal(f->cwnd, resp_len() + 1);
	s.ack = p.rcv_nxt + resp_len();
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	assert_int_equal(f->cwnd, resp_len() + 1);
	/* Optimistic: nothing that was not sent counts. */
	s.ack += 100000;
	EXPECT(&s, XDP_TX, challenge_ack);
	assert_int_equal(f->cwnd, resp_len() + 1);
}

/* What XDP sends again, no reactor being there, was lost: at the third duplicate
 * ACK half of it is the window, at the peer's timeout a segment; the threshold
 * falls once for a response (RFC 5681, 3.1 and 3.2). It counts as soon as there
 * is a reactor; until then whole answers, by slow start. */
static void test_resend_lowers(void **state)
{
	struct peer p;
	struct pkt s, req;
	struct dawn_flow *f;
	uint32_t half;

	(void)state;
	p = open_wide(1400, true, 9000);
	f = peer_flow(&p);
	half = resp_len() / 2;
	assert_true(half > 2U * f->mss);
	rig_reactor(false);
	req = peer_request(&p, REQUEST("/a"));
	EXPECT(&req, XDP_REDIRECT, http_hit);
	p.snd_nxt += (uint32_t)req.len;
	s = peer_segment(&p, PKT_ACK);
	for (int i = 0; i < 2; i++)
		EXPECT_SAME(&s, XDP_DROP, ack_seen);
	assert_int_equal(f->cwnd, 10 * f->mss);
	EXPECT(&s, XDP_REDIRECT, http_resend);
	assert_int_equal(f->ssthresh, half);
	assert_int_equal(f->cwnd, half);
	for (int i = 0; i < 2; i++) { /* its timer, twice */
		EXPECT(&req, XDP_REDIRECT, http_resend);
		assert_int_equal(f->ssthresh, half);
		assert_int_equal(f->cwnd, f->mss);
	}
	s.ack += resp_len();
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	assert_int_equal(f->cwnd, 2 * f->mss);
	p.rcv_nxt += resp_len();
	/* Another one: alone whole, with a reactor its. */
	req = peer_request(&p, REQUEST("/a"));
	EXPECT(&req, XDP_REDIRECT, http_hit);
	p.snd_nxt += (uint32_t)req.len;
	p.rcv_nxt += resp_len();
	s = peer_segment(&p, PKT_ACK);
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	rig_reactor(true);
	req = peer_request(&p, REQUEST("/a"));
	EXPECT_SAME(&req, XDP_REDIRECT, tcp_window);
}

/* Two segments are the least threshold. */
static void test_resend_least(void **state)
{
	struct peer p = open_wide(1400, true, 10);
	struct dawn_flow *f = peer_flow(&p);
	struct pkt req = peer_request(&p, REQUEST("/a"));

	(void)state;
	rig_reactor(false);
	EXPECT(&req, XDP_TX, http_hit);
	EXPECT(&req, XDP_TX, http_resend);
	assert_int_equal(f->ssthresh, 2 * f->mss);
	assert_int_equal(f->cwnd, f->mss);
}

/* The MSS that a cookie can hold. */
#define SIZES 8U
static const uint16_t *cookie_sizes(void)
{
	static const uint16_t v4[SIZES] = { 128,  536,  1220, 1300,
					    1360, 1400, 1440, 1460 };
	static const uint16_t v6[SIZES] = { 128,  536,  1220, 1300,
					    1360, 1400, 1420, 1440 };

	return rig.family == 4 ? v4 : v6;
}

/* However large cwnd grew, after a pause XDP sends no more than the initial
 * window (RFC 5681, 4.1; RFC 6928): it never sends more at a time. */
static void test_restart_window(void **state)
{
	const uint16_t *mss = cookie_sizes();
	struct peer p;
	struct pkt s;
	uint32_t most;

	(void)state;
	for (size_t i = 0; i < 2 * SIZES; i++) {
		bool ts = i & 1;
		uint16_t m = mss[i / 2 % SIZES];
		uint32_t iw = 10U * m < 14600 ? 10U * m : 14600;

		most = ((m - (ts ? 12U : 0)) & ~15U) * 10;
		for (int over = 0; over < 2; over++) {
			if (over && most + 97 > DAWN_RESP_MAX)
				continue; /* nothing cached is so large */
			p = open_wide(m, ts, 100);
			rig_cache(0, "/a",
				  most - (resp_len() - 100) - 3 +
					  (over ? 100 : 0));
			peer_flow(&p)->cwnd = 1000000;
			peer_flow(&p)->last_sent_ms -= 600000;
			s = peer_request(&p, REQUEST("/a"));
			if (over) {
				assert_true(resp_len() > most);
				EXPECT_SAME(&s, XDP_REDIRECT, segments_many);
				continue;
			}
			assert_true(resp_len() <= iw);
			EXPECT(&s, XDP_REDIRECT, http_hit);
			assert_int_equal(rig_count(http_hit_segments), 10);
		}
	}
}

/* A response of exactly so many bytes, head included. */
static void cache_exactly(uint32_t len)
{
	rig_cache(0, "/a", len - 100);
	rig_cache(0, "/a", len - rig.slots[0].head_len);
	assert_int_equal(resp_len(), len);
}

/* As many segments as the MSS asks for, timestamps counted in. */
static void test_mss(void **state)
{
	const uint16_t *mss = cookie_sizes();
	struct peer p;
	struct pkt s;
	uint32_t seg;

	(void)state;
	for (uint32_t i = 0; i < 2 * SIZES * 9; i++) {
		uint32_t n = 2 + i / (2 * SIZES);

		seg = (mss[i / 2 % SIZES] - (i & 1 ? 12U : 0)) & ~15U;
		for (uint32_t more = 0; more < 2; more++) {
			p = open_wide(mss[i / 2 % SIZES], i & 1, 100);
			cache_exactly(seg * n - 1 + more);
			s = peer_request(&p, REQUEST("/a"));
			EXPECT(&s, XDP_REDIRECT, http_hit);
			assert_int_equal(rig_count(http_hit_segments), n);
			if (n == 10)
				continue;
			p = open_wide(mss[i / 2 % SIZES], i & 1, 100);
			cache_exactly(seg * n + 1);
			s = peer_request(&p, REQUEST("/a"));
			EXPECT(&s, XDP_REDIRECT, http_hit);
			assert_int_equal(rig_count(http_hit_segments), n + 1);
		}
	}
}

/* ---- round trips ---- */

/* How long the latest sample took at the most: another process may have had the
 * CPU meanwhile. */
static uint32_t took_ms;

static uint32_t sample(struct peer *p, uint32_t ago_ms)
{
	struct pkt s = peer_request(p, REQUEST("/a"));
	struct dawn_flow *f = peer_flow(p);
	uint32_t before = now_ms();

	EXPECT(&s, XDP_TX, http_hit);
	p->snd_nxt += (uint32_t)s.len;
	p->rcv_nxt += resp_len();
	f->last_sent_ms -= ago_ms;
	s = peer_segment(p, PKT_ACK);
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	took_ms = now_ms() - before;
	return f->srtt_us;
}

/* RFC 6298, 2.2 and 2.3, in milliseconds of a clock that ticks coarsely. */
static void test_rtt(void **state)
{
	struct peer p = open_wide(1460, true, 10);
	struct dawn_flow *f = peer_flow(&p);
	struct pkt s;
	uint32_t srtt;

	(void)state;
	f->srtt_us = 0; /* forget the handshake's */
	f->rttvar_us = 0;
	srtt = sample(&p, 100);
	assert_in_range(srtt, 100000, 100000 + took_ms * 1000);
	assert_int_equal(f->rttvar_us, srtt / 2);
	f->srtt_us = 100000;
	f->rttvar_us = 40000;
	srtt = sample(&p, 180);
	assert_in_range(srtt, 110000, 110000 + took_ms * 1000 / 8 + 1);
	assert_in_range(f->rttvar_us, 50000, 50000 + took_ms * 1000 / 4 + 1);
	/* Within a tick: a millisecond, not nothing. */
	f->srtt_us = 0;
	srtt = sample(&p, 0);
	assert_in_range(srtt, 1000, 1000 + took_ms * 1000);
	/* What was sent twice, or long ago, or by a clock ahead: no sample. */
	assert_int_equal(sample(&p, 60001), srtt);
	assert_int_equal(sample(&p, 4294968), srtt);
	assert_int_equal(sample(&p, (uint32_t)-50000), srtt);
	s = peer_request(&p, REQUEST("/a"));
	EXPECT(&s, XDP_TX, http_hit);
	f->flags |= DAWN_FLOW_RESENT;
	f->last_sent_ms = now_ms() - 200;
	s.seq += (uint32_t)s.len;
	s.len = 0;
	s.ack += resp_len();
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	assert_int_equal(f->srtt_us, srtt);
}

/* ---- our own window ---- */

/* The right edge never goes back after the reactor has offered more (SHLD-14),
 * and comes down to what XDP offers as data arrive. */
static void test_own_window(void **state)
{
	struct peer p;
	struct pkt s, got;
	uint32_t edge;

	(void)state;
	for (int scaled = 0; scaled < 2; scaled++) {
		p = open_wide(1460, true, 10);
		if (!scaled)
			peer_flow(&p)->flags &= (uint8_t)~DAWN_FLOW_WSCALE;
		edge = p.snd_nxt + (scaled ? 1000000 : 65535);
		peer_flow(&p)->rcv_adv = edge;
		for (int i = 0; i < 3; i++) {
			s = peer_request(&p, REQUEST("/a"));
			EXPECT(&s, XDP_TX, http_hit);
			got = rig_answer(&s);
			p.snd_nxt += (uint32_t)s.len;
			p.rcv_nxt += resp_len();
			if (scaled)
				assert_in_range(got.ack + (got.wnd * 128U) -
							edge,
						0, 127 * (unsigned)(i + 1));
			else
				assert_int_equal(got.wnd, 0xffff);
			/* The next edge is not below this one. */
			assert_int_equal(peer_flow(&p)->rcv_adv,
					 got.ack + ((uint32_t)got.wnd
						    << (scaled ? 7 : 0)));
			s = peer_segment(&p, PKT_ACK);
			EXPECT_SAME(&s, XDP_DROP, ack_seen);
		}
		peer_flow(&p)->rcv_adv = peer_flow(&p)->rcv_nxt + 10;
		s = peer_segment(&p, PKT_ACK);
		s.seq--;
		EXPECT(&s, XDP_TX, acked_again);
		got = rig_answer(&s);
		assert_int_equal(got.wnd, scaled ? DAWN_RCV_WND >> 7 : 0xffff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_scale),
		cmocka_unit_test(test_scale_in_syn),
		cmocka_unit_test(test_window_shrinks),
		cmocka_unit_test(test_cwnd),
		cmocka_unit_test(test_slow_start),
		cmocka_unit_test(test_resend_lowers),
		cmocka_unit_test(test_resend_least),
		cmocka_unit_test(test_restart_window),
		cmocka_unit_test(test_mss),
		cmocka_unit_test(test_rtt),
		cmocka_unit_test(test_own_window),
	};

	return RIG_ON_WIRES("limits", tests);
}
