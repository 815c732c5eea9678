// SPDX-License-Identifier: MIT OR Apache-2.0
/* TCP without HTTP: cookies, flow entries, ACK, FIN, RST and what is strange.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/progrun/rig.h"

/* ---- SYN ---- */

/* Every combination of options, both families; the entry holds what was said.
 */
static void test_handshake(void **state)
{
	struct dawn_flow *f;
	struct peer p;

	(void)state;
	for (int family = 4; family <= 6; family += 2)
		for (unsigned int bits = 0; bits < 8; bits++) {
			p = rig_peer(family);
			p.port = (uint16_t)(40000 + bits);
			p.ts = bits & 1;
			p.sack = bits & 2;
			p.wscale = bits & 4;
			peer_connect(&p);
			f = peer_flow(&p);
			assert_int_equal(f->rcv_nxt, p.snd_nxt);
			assert_int_equal(f->snd_nxt, p.rcv_nxt);
			assert_int_equal(f->snd_una, p.rcv_nxt);
			assert_int_equal(f->state, DAWN_TCP_ESTABLISHED);
			assert_int_equal(f->mss, p.mss);
			assert_int_equal(f->cwnd, 10 * p.mss);
			assert_int_equal(f->snd_wnd,
					 p.wscale ? p.wnd << 9 : p.wnd);
			assert_int_equal(!!(f->flags & DAWN_FLOW_TS), p.ts);
			assert_int_equal(!!(f->flags & DAWN_FLOW_SACK), p.sack);
			assert_int_equal(!!(f->flags & DAWN_FLOW_WSCALE),
					 p.wscale);
			assert_int_equal(f->ts_recent, p.ts ? p.ts_clock : 0);
			/* RFC 6298, 2.2 */
			assert_int_equal(f->srtt_us > 0, p.ts);
			assert_int_equal(f->rttvar_us, f->srtt_us / 2);
			assert_int_equal(dawn_owner_state(f->owner),
					 DAWN_OWNER_KERNEL);
			assert_memory_equal(f->peer_mac, "\2\0\0\0\0\2", 6);
		}
}

static void test_mss(void **state)
{
	static const struct {
		int family;
		uint16_t said, got;
	} cases[] = {
		{ 4, 0, 536 },     { 4, 64, 128 },    { 4, 535, 128 },
		{ 4, 536, 536 },   { 4, 1219, 536 },  { 4, 1220, 1220 },
		{ 4, 1240, 1220 }, { 4, 1299, 1220 }, { 4, 1300, 1300 },
		{ 4, 1359, 1300 }, { 4, 1360, 1360 }, { 4, 1380, 1360 },
		{ 4, 1399, 1360 }, { 4, 1400, 1400 }, { 4, 1439, 1400 },
		{ 4, 1440, 1440 }, { 4, 1452, 1440 }, { 4, 1459, 1440 },
		{ 4, 1460, 1460 }, { 4, 8960, 1460 }, { 4, 65535, 1460 },
		{ 6, 0, 1220 },    { 6, 64, 128 },    { 6, 535, 128 },
		{ 6, 1219, 536 },  { 6, 1220, 1220 }, { 6, 1299, 1220 },
		{ 6, 1300, 1300 }, { 6, 1360, 1360 }, { 6, 1380, 1360 },
		{ 6, 1400, 1400 }, { 6, 1419, 1400 }, { 6, 1420, 1420 },
		{ 6, 1432, 1420 }, { 6, 1440, 1440 }, { 6, 9000, 1440 },
	};
	struct peer p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		p = rig_peer(cases[i].family);
		p.port = (uint16_t)(41000 + i);
		p.mss = cases[i].said;
		peer_connect(&p);
		assert_int_equal(peer_flow(&p)->mss, cases[i].got);
	}
}

static void test_handshake_vlan(void **state)
{
	struct peer p;

	(void)state;
	for (int tags = 1; tags <= 2; tags++) {
		p = rig_peer(4);
		p.port = (uint16_t)(42000 + tags);
		p.vlans = tags;
		peer_connect(&p);
		assert_int_equal(peer_flow(&p)->vlan_outer, htons(0x2064));
		assert_int_equal(peer_flow(&p)->vlan_inner,
				 tags == 2 ? htons(7) : 0);
		assert_int_equal(!!(peer_flow(&p)->flags & DAWN_FLOW_OUTER_AD),
				 tags == 2);
	}
}

/* Data on a SYN is not taken, padding is cut, an option may lie. */
static void test_syn_odd(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt syn, got;

	(void)state;
	p.ts = false;
	p.snd_nxt = p.isn;
	syn = peer_segment(&p, PKT_SYN);
	syn.payload = "early data";
	syn.len = 10;
	EXPECT(&syn, XDP_TX, syn_cookie);
	got = rig_answer(&syn);
	assert_int_equal(got.ack, p.isn + 1);
	syn.len = 0;
	syn.pad_to = 60;
	EXPECT(&syn, XDP_TX, syn_cookie);
	rig_answer(&syn);
	syn.pad_to = 0;
	memcpy(syn.opt, "\2\3\5\264", 4); /* MSS of length 3 */
	syn.opt_len = 4;
	EXPECT_SAME(&syn, XDP_DROP, tcp_malformed);
	memcpy(syn.opt, "\1\1\2\4", 4); /* cut off */
	EXPECT_SAME(&syn, XDP_DROP, tcp_malformed);
	memcpy(syn.opt, "\1\1\1\2", 4); /* no length */
	EXPECT_SAME(&syn, XDP_DROP, tcp_malformed);
	memcpy(syn.opt, "\376\0\0\0", 4); /* length 0 */
	EXPECT_SAME(&syn, XDP_DROP, tcp_malformed);
	memcpy(syn.opt, "\0\2\0\0", 4); /* behind the end: nothing */
	EXPECT(&syn, XDP_TX, syn_cookie);
	rig.config->flags |= DAWN_CONFIG_DRAIN;
	EXPECT_SAME(&syn, XDP_DROP, draining);
}

/* ---- cookies ---- */

static void test_cookie_bad(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt ack, got;

	(void)state;
	peer_syn(&p);
	for (int bit = 0; bit < 32; bit++) {
		ack = peer_segment(&p, PKT_ACK);
		ack.ack ^= 1U << bit;
		EXPECT(&ack, XDP_TX, cookie_bad);
		assert_int_equal(rig_count(rst_sent), 1);
		got = rig_answer(&ack);
		assert_int_equal(got.flags, PKT_RST);
		assert_int_equal(got.seq, ack.ack);
		assert_int_equal(got.len, 0);
		ack = peer_segment(&p, PKT_ACK);
		ack.seq ^= 1U << bit;
		EXPECT(&ack, XDP_TX, cookie_bad);
	}
	ack = peer_segment(&p, PKT_ACK);
	ack.sport++;
	EXPECT(&ack, XDP_TX, cookie_bad);
	ack.sport--;
	ack.src[15]++;
	EXPECT(&ack, XDP_TX, cookie_bad);
	assert_null(peer_flow(&p));
	rig.config->cookie_key.k[0]++;
	ack = peer_segment(&p, PKT_ACK);
	EXPECT(&ack, XDP_TX, cookie_bad);
}

/* The budget of RSTs ends; nothing is sent then. */
static void test_rst_budget(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt ack;
	uint64_t limited;

	(void)state;
	ack = peer_segment(&p, PKT_ACK);
	ack.opt_len = 0;
	rig_mark();
	for (int i = 0; i < 5000; i++)
		rig_run(&ack);
	limited = rig_count(rate_limited);
	assert_true(limited > 0);
	assert_int_equal(rig_count(drop_total), limited);
	assert_int_equal(rig_count(rst_sent), 5000 - limited);
	assert_int_equal(rig_count(cookie_bad), 5000);
}

/* As bpf/tcp_reply.bpf.h has it, a second ago. */
static void refill_budgets(void)
{
	uint32_t old[2] = { 0, (uint32_t)(rig_now_ns() / 1000000) - 2000 };
	int cpus = libbpf_num_possible_cpus();
	uint32_t(*all)[2] = malloc((size_t)cpus * sizeof(*all));
	uint32_t zero = 0;

	assert_non_null(all);
	for (int i = 0; i < cpus; i++)
		memcpy(all[i], old, sizeof(old));
	assert_int_equal(
		bpf_map_update_elem(rig_map("budgets"), &zero, all, BPF_ANY),
		0);
	free(all);
}

/* A budget that all connections share must not tell an attacker, who counts the
 * answers to packets of its own, how many others there were: that shows whether
 * a guessed packet met a connection (CVE-2016-5696). */
static void test_budget_tells_nothing(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt ack;
	uint64_t first = 0, n;
	bool differ = false;

	(void)state;
	ack = peer_segment(&p, PKT_ACK);
	ack.opt_len = 0;
	for (int round = 0; round < 8; round++) {
		refill_budgets();
		rig_mark();
		for (int i = 0; i < 1600; i++)
			rig_run(&ack);
		n = rig_count(rst_sent);
		assert_in_range(n, 500, 1500);
		if (!first)
			first = n;
		differ |= n != first;
	}
	assert_true(differ);
}

/* How often the answers' periods of 1,024 ms have begun. */
static uint64_t period(void)
{
	return rig_now_ns() / 1000000 >> 10;
}

/* What a connection is answered is bounded by nothing but itself (RFC 5961, 7),
 * and what a correct peer may send is always answered. */
static void test_answers_of_a_flow(void **state)
{
	struct peer p = rig_peer(4), other = rig_peer(6);
	struct pkt syn, probe, old, s;
	uint64_t begun, n;

	(void)state;
	peer_connect(&p);
	peer_connect(&other);
	syn = peer_segment(&p, PKT_SYN);
	probe = peer_segment(&p, PKT_ACK);
	probe.seq--;
	old = peer_segment(&p, PKT_ACK);
	old.payload = "old";
	old.len = 3;
	old.seq -= 3;
	begun = period();
	rig_mark();
	for (int i = 0; i < 500; i++)
		rig_run(&syn);
	n = rig_count(challenge_ack);
	assert_in_range(n, 10, 10 * (period() - begun + 1));
	assert_int_equal(rig_count(rate_limited), 500 - n);
	/* No other connection suffers, nor does this one's peer. */
	s = peer_segment(&other, PKT_SYN);
	EXPECT(&s, XDP_TX, challenge_ack);
	EXPECT(&probe, XDP_TX, acked_again);
	rig_mark();
	for (int i = 0; i < 500; i++)
		rig_run(&old);
	assert_int_equal(rig_count(acked_again), 500);
	/* A storm of empty segments ends. */
	begun = period();
	rig_mark();
	for (int i = 0; i < 500; i++)
		rig_run(&probe);
	n = rig_count(acked_again);
	assert_in_range(n, 99, 100 * (period() - begun + 1));
	/* In the next period all begins anew. */
	peer_flow(&p)->limits -= 1U << 16;
	EXPECT(&syn, XDP_TX, challenge_ack);
	peer_flow(&p)->limits -= 1U << 16;
	EXPECT(&probe, XDP_TX, acked_again);
}

/* The first data proves the cookie if the ACK before it was lost. */
static void test_cookie_by_data(void **state)
{
	struct peer p = rig_peer(6);
	struct pkt req;

	(void)state;
	rig_cache(0, "/a", 10);
	peer_syn(&p);
	req = peer_request(&p, REQUEST("/a"));
	EXPECT(&req, XDP_TX, http_hit);
	assert_int_equal(rig_count(flow_new), 1);
	assert_non_null(peer_flow(&p));
}

static void test_no_flow(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt s;

	(void)state;
	s = peer_segment(&p, PKT_RST);
	EXPECT_SAME(&s, XDP_DROP, rst_unproven);
	s = peer_segment(&p, PKT_RST | PKT_ACK);
	EXPECT_SAME(&s, XDP_DROP, rst_unproven);
	s = peer_segment(&p, PKT_SYN | PKT_ACK);
	s.opt_len = 0;
	EXPECT(&s, XDP_TX, rst_sent);
	assert_int_equal(rig_answer(&s).seq, s.ack);
}

static void test_set_lock(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt s;

	(void)state;
	peer_syn(&p);
	for (int i = 0; i < 64; i++)
		rig.flows[i].lock = 1;
	s = peer_segment(&p, PKT_ACK);
	EXPECT_SAME(&s, XDP_REDIRECT, lock_lost);
	assert_null(peer_flow(&p));
}

/* ---- headers ---- */

static void test_malformed(void **state)
{
	static const uint8_t illegal[] = {
		0,
		PKT_FIN,
		PKT_PSH,
		PKT_SYN | PKT_FIN,
		PKT_SYN | PKT_RST,
		PKT_FIN | PKT_RST | PKT_ACK,
		PKT_SYN | PKT_FIN | PKT_ACK,
		PKT_URG | PKT_FIN | PKT_PSH,
		0xff,
	};
	struct peer p = rig_peer(4);
	uint8_t frame[PKT_FRAME_MAX];
	struct pkt s;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(illegal); i++) {
		s = peer_segment(&p, illegal[i]);
		EXPECT_SAME(&s, XDP_DROP, tcp_illegal);
	}
	s = peer_segment(&p, PKT_ACK);
	s.csum = PKT_CSUM_BAD;
	EXPECT_SAME(&s, XDP_DROP, csum_bad);
	s.csum = PKT_CSUM_NONE;
	EXPECT_SAME(&s, XDP_DROP, csum_bad);
	s.csum = PKT_CSUM_FULL;
	len = pkt_build(&s, frame);
	for (int doff = 0; doff < 16; doff++) {
		frame[14 + 20 + 12] = (uint8_t)(doff << 4);
		rig_mark();
		rig_run_raw(frame, len);
		if (doff < 5 || doff > 8)
			assert_int_equal(rig_count(tcp_malformed), 1);
	}
	s = peer_segment(&p, PKT_ACK);
	s.opt_len = 0;
	len = pkt_build(&s, frame);
	for (uint8_t cut = 1; cut < 20; cut++) { /* IP says it is short */
		uint32_t sum = 0;

		frame[14 + 3] = (uint8_t)(40 - cut);
		frame[14 + 10] = frame[14 + 11] = 0;
		for (int i = 0; i < 20; i += 2)
			sum += pkt_be16(frame + 14 + i);
		sum = ~(sum + (sum >> 16)) & 0xffff;
		frame[14 + 10] = (uint8_t)(sum >> 8);
		frame[14 + 11] = (uint8_t)sum;
		rig_mark();
		assert_int_not_equal(rig_run_raw(frame, len), XDP_TX);
		if (cut > 16)
			assert_int_equal(rig_count(pass_malformed), 1);
		else
			assert_int_equal(rig_count(tcp_malformed), 1);
	}
}

static void test_envelope(void **state)
{
	static const uint8_t nops[40] = { 1, 1, 1, 1 };
	static const uint8_t ext[16] = { 0, 1, 1, 12 };
	static const uint8_t types[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING,
					 IPPROTO_DSTOPTS };
	static const uint8_t big[1800];
	struct peer p = rig_peer(4);
	struct pkt s;

	(void)state;
	for (size_t n = 4; n <= 40; n += 4) {
		s = peer_segment(&p, PKT_ACK);
		s.ip_extra = nops;
		s.ip_extra_len = n;
		EXPECT_SAME(&s, XDP_REDIRECT, ip_options);
	}
	s.dport = 22; /* not ours, whatever it carries */
	EXPECT_SAME(&s, XDP_PASS, pass_no_service);
	s = peer_segment(&p, PKT_ACK);
	s.frag = 0x2000;
	EXPECT_SAME(&s, XDP_DROP, frag_drop);
	s.frag = 0x2000 | 40;
	EXPECT_SAME(&s, XDP_PASS, pass_no_service);
	s.frag = 0x4000;
	EXPECT(&s, XDP_TX, cookie_bad);
	p = rig_peer(6);
	for (size_t i = 0; i < sizeof(types); i++) {
		s = peer_segment(&p, PKT_ACK);
		s.ip_extra = ext;
		s.ip_extra_len = 16;
		s.ext_proto = types[i];
		EXPECT_SAME(&s, XDP_REDIRECT, ext_headers);
		s.frag = 1;
		EXPECT_SAME(&s, XDP_DROP, frag_drop);
		s.dport = 22;
		EXPECT_SAME(&s, XDP_PASS, pass_no_service);
	}
	s = peer_segment(&p, PKT_ACK);
	s.frag = 8; /* a later fragment: nobody's */
	EXPECT_SAME(&s, XDP_PASS, pass_no_service);
	s = peer_segment(&p, PKT_ACK);
	s.payload = big;
	s.len = sizeof(big) - 54;
	EXPECT_SAME(&s, XDP_DROP, oversize);
}

static void test_csum_partial(void **state)
{
	struct peer p = rig_peer(6);
	struct pkt s;

	(void)state;
	peer_connect(&p);
	s = peer_segment(&p, PKT_ACK);
	s.csum = PKT_CSUM_PARTIAL;
	EXPECT_SAME(&s, XDP_DROP, csum_partial);
	assert_int_equal(rig_count(ack_seen), 1);
	rig.config->flags |= DAWN_CONFIG_CSUM_STRICT;
	EXPECT_SAME(&s, XDP_DROP, csum_bad);
}

/* ---- a kernel-owned flow ---- */

static void test_fin(void **state)
{
	struct pkt s, got;
	struct peer p;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		p = rig_peer(family);
		peer_connect(&p);
		s = peer_segment(&p, PKT_FIN | PKT_ACK);
		EXPECT(&s, XDP_TX, fin_acked);
		got = rig_answer(&s);
		assert_int_equal(got.flags, PKT_FIN | PKT_ACK);
		assert_int_equal(got.seq, p.rcv_nxt);
		assert_int_equal(got.ack, p.snd_nxt + 1);
		assert_int_equal(peer_flow(&p)->state, DAWN_TCP_LAST_ACK);
		/* Our FIN was lost: the peer repeats its own. */
		EXPECT(&s, XDP_TX, fin_acked);
		got = rig_answer(&s);
		assert_int_equal(got.flags, PKT_FIN | PKT_ACK);
		assert_int_equal(got.seq, p.rcv_nxt);
		assert_int_equal(got.ack, p.snd_nxt + 1);
		p.snd_nxt++;
		p.rcv_nxt++;
		s = peer_segment(&p, PKT_ACK);
		EXPECT_SAME(&s, XDP_DROP, flow_closed);
		assert_null(peer_flow(&p));
		for (int i = 0; i < 8; i++)
			assert_int_equal(rig.unacked[i], 0);
	}
}

static void test_rst(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt s, got;

	(void)state;
	peer_connect(&p);
	s = peer_segment(&p, PKT_RST);
	s.seq += 1;
	EXPECT(&s, XDP_TX, challenge_ack);
	got = rig_answer(&s);
	assert_int_equal(got.flags, PKT_ACK);
	assert_int_equal(got.ack, p.snd_nxt);
	assert_int_equal(got.seq, p.rcv_nxt);
	s.seq = p.snd_nxt + DAWN_RCV_WND - 1;
	EXPECT(&s, XDP_TX, challenge_ack);
	s.seq = p.snd_nxt + DAWN_RCV_WND;
	EXPECT_SAME(&s, XDP_DROP, rst_unproven);
	s.seq = p.snd_nxt - 1;
	EXPECT_SAME(&s, XDP_DROP, rst_unproven);
	s.seq = p.snd_nxt;
	EXPECT_SAME(&s, XDP_DROP, flow_closed);
	assert_null(peer_flow(&p));
}

static void test_syn_of_flow(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt s;

	(void)state;
	peer_connect(&p);
	s = peer_segment(&p, PKT_SYN);
	s.seq = 12345;
	EXPECT(&s, XDP_TX, challenge_ack);
	assert_int_equal(rig_answer(&s).ack, p.snd_nxt);
	s = peer_segment(&p, PKT_SYN | PKT_ACK);
	EXPECT(&s, XDP_TX, challenge_ack);
	assert_non_null(peer_flow(&p));
}

static void test_keep_alive_probe(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt s;

	(void)state;
	peer_connect(&p);
	s = peer_segment(&p, PKT_ACK);
	s.seq--;
	EXPECT(&s, XDP_TX, acked_again);
	assert_int_equal(rig_answer(&s).ack, p.snd_nxt);
	s.payload = "x"; /* the old way, with a byte */
	s.len = 1;
	EXPECT(&s, XDP_TX, acked_again);
	s.len = 0;
	s.seq--;
	EXPECT(&s, XDP_TX, challenge_ack);
	assert_int_equal(rig_answer(&s).ack, p.snd_nxt);
}

static void test_ack_range(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt s;

	(void)state;
	peer_connect(&p);
	s = peer_segment(&p, PKT_ACK);
	s.ack++; /* never sent */
	EXPECT(&s, XDP_TX, challenge_ack);
	s.ack -= 2;
	EXPECT_SAME(&s, XDP_DROP, old_ack);
	s.payload = "GET";
	s.len = 3;
	EXPECT_SAME(&s, XDP_REDIRECT, tcp_ack_range);
}

/* Neither half of a connection may need more than the interface's MTU, however
 * much the peer would take. */
static void test_small_mtu(void **state)
{
	static const uint16_t mtus[] = { 0,    575,  576,  1280,
					 1460, 1499, 1501, 9000 };
	const uint8_t *o;
	struct pkt s, got;
	struct peer p;
	uint32_t want;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(mtus) / sizeof(mtus[0]); i++) {
		uint16_t mtu = mtus[i / 2];

		p = rig_peer(i & 1 ? 6 : 4);
		p.port = (uint16_t)(30000 + i);
		want = (mtu < 576 || mtu > 1500 ? 1500U : mtu) -
		       (i & 1 ? 60 : 40);
		rig.config->mtu = mtu;
		s = peer_segment(&p, PKT_SYN);
		s.seq = p.isn;
		pkt_opt_mss(&s, 8960);
		EXPECT(&s, XDP_TX, syn_cookie);
		got = rig_answer(&s);
		o = pkt_opt_find(&got, 2);
		assert_non_null(o);
		assert_int_equal(pkt_be16(o), want);
		p.ts = false;
		p.snd_nxt = p.isn + 1;
		p.rcv_nxt = got.seq + 1;
		s = peer_segment(&p, PKT_ACK);
		EXPECT(&s, XDP_DROP, flow_new);
		assert_int_equal(peer_flow(&p)->mss, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_handshake, rig_reset),
		cmocka_unit_test_setup(test_mss, rig_reset),
		cmocka_unit_test_setup(test_handshake_vlan, rig_reset),
		cmocka_unit_test_setup(test_syn_odd, rig_reset),
		cmocka_unit_test_setup(test_cookie_bad, rig_reset),
		cmocka_unit_test_setup(test_cookie_by_data, rig_reset),
		cmocka_unit_test_setup(test_no_flow, rig_reset),
		cmocka_unit_test_setup(test_set_lock, rig_reset),
		cmocka_unit_test_setup(test_malformed, rig_reset),
		cmocka_unit_test_setup(test_envelope, rig_reset),
		cmocka_unit_test_setup(test_csum_partial, rig_reset),
		cmocka_unit_test_setup(test_fin, rig_reset),
		cmocka_unit_test_setup(test_rst, rig_reset),
		cmocka_unit_test_setup(test_syn_of_flow, rig_reset),
		cmocka_unit_test_setup(test_keep_alive_probe, rig_reset),
		cmocka_unit_test_setup(test_ack_range, rig_reset),
		cmocka_unit_test_setup(test_answers_of_a_flow, rig_reset),
		/* Last: it uses up a second's RSTs. */
		cmocka_unit_test_setup(test_rst_budget, rig_reset),
		cmocka_unit_test_setup(test_small_mtu, rig_reset),
		cmocka_unit_test_setup(test_budget_tells_nothing, rig_reset),
	};

	return cmocka_run_group_tests(tests, rig_open, rig_close);
}
