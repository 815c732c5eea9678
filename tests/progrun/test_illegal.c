// SPDX-License-Identifier: MIT OR Apache-2.0
/* What no correct peer sends, or not now: the right answer, counted. Every
 * case in IPv4 and IPv6, and at the places where sequence numbers wrap.
 */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "tests/progrun/rig.h"

#define STAT_OF(name) (offsetof(struct dawn_stats, name) / sizeof(uint64_t))

/* Where the window, a response, or both lie across the wrap. */
static const uint32_t bases[] = { 0,          1,          0xffffffff,
				  0xffffffce, 0x7fffffff, 0x80000000,
				  0xfffc0000, 0x12345678 };
#define BASES (sizeof(bases) / sizeof(bases[0]))

static void age(struct dawn_flow *f, uint32_t rcv, uint32_t snd)
{
	f->rcv_nxt = rcv;
	f->rcv_adv = rcv + DAWN_RCV_WND;
	f->snd_nxt = snd;
	f->snd_una = snd;
}

/* A connection whose next numbers are these. */
static struct peer at(int family, uint32_t rcv, uint32_t snd, bool ts)
{
	struct peer p = rig_peer(family);

	rig_reset(NULL);
	rig_cache(0, "/a", 10);
	p.ts = ts;
	peer_connect(&p);
	age(peer_flow(&p), rcv, snd);
	p.snd_nxt = rcv;
	p.rcv_nxt = snd;
	return p;
}

/* ---- the table ---- */

#define WND  ((int64_t)DAWN_RCV_WND)
#define HALF ((int64_t)1 << 31)

enum answer { NOTHING, ACK, UNTOUCHED };

static const struct {
	const char *what;
	uint8_t flags;
	int64_t seq, ack; /* against rcv_nxt and snd_nxt */
	uint32_t len;
	int verdict;
	size_t counter;
	enum answer answer;
} cases[] = {
#define C(what, flags, seq, ack, len, verdict, counter, answer)               \
	{                                                                     \
		what, flags, seq, ack, len, verdict, STAT_OF(counter), answer \
	}
	/* RFC 9293, 3.10.7.4, first: is it in the window? */
	C("next byte", PKT_ACK, 0, 0, 3, XDP_REDIRECT, http_incomplete,
	  UNTOUCHED),
	C("one ahead", PKT_ACK, 1, 0, 3, XDP_REDIRECT, tcp_out_of_order,
	  UNTOUCHED),
	C("last byte of the window", PKT_ACK, WND - 1, 0, 1, XDP_REDIRECT,
	  tcp_out_of_order, UNTOUCHED),
	C("behind the window", PKT_ACK, WND, 0, 3, XDP_TX, challenge_ack, ACK),
	C("far behind it", PKT_ACK, HALF - 1, 0, 3, XDP_TX, challenge_ack, ACK),
	C("nothing, behind the window", PKT_ACK, WND, 0, 0, XDP_TX,
	  challenge_ack, ACK),
	C("FIN behind the window", PKT_ACK | PKT_FIN, WND, 0, 0, XDP_TX,
	  challenge_ack, ACK),
	C("all old", PKT_ACK, -3, 0, 3, XDP_TX, acked_again, ACK),
	C("all old, long ago", PKT_ACK, 1 - HALF, 0, 3, XDP_TX, acked_again,
	  ACK),
	C("nothing, old", PKT_ACK, -2, 0, 0, XDP_TX, challenge_ack, ACK),
	C("a probe", PKT_ACK, -1, 0, 0, XDP_TX, acked_again, ACK),
	C("a probe with a byte", PKT_ACK, -1, 0, 1, XDP_TX, acked_again, ACK),
	C("half old", PKT_ACK, -2, 0, 3, XDP_REDIRECT, tcp_out_of_order,
	  UNTOUCHED),
	C("an old FIN", PKT_ACK | PKT_FIN, -4, 0, 3, XDP_TX, acked_again, ACK),
	/* Second: RST (RFC 5961, 3.2). */
	C("RST, exact", PKT_RST, 0, 0, 0, XDP_DROP, flow_closed, NOTHING),
	C("RST with ACK, exact", PKT_RST | PKT_ACK, 0, 0, 0, XDP_DROP,
	  flow_closed, NOTHING),
	C("RST, exact, never mind its ACK", PKT_RST | PKT_ACK, 0, 99999, 0,
	  XDP_DROP, flow_closed, NOTHING),
	C("RST, one ahead", PKT_RST, 1, 0, 0, XDP_TX, challenge_ack, ACK),
	C("RST at the window's end", PKT_RST, WND - 1, 0, 0, XDP_TX,
	  challenge_ack, ACK),
	C("RST behind the window", PKT_RST, WND, 0, 0, XDP_DROP, rst_unproven,
	  NOTHING),
	C("RST, old", PKT_RST, -1, 0, 0, XDP_DROP, rst_unproven, NOTHING),
	C("RST far away", PKT_RST, HALF, 0, 0, XDP_DROP, rst_unproven, NOTHING),
	/* Fourth: SYN (RFC 5961, 4.2), wherever it is. */
	C("SYN", PKT_SYN, 5000, 0, 0, XDP_TX, challenge_ack, ACK),
	C("SYN, exact", PKT_SYN, 0, 0, 0, XDP_TX, challenge_ack, ACK),
	C("SYN, old", PKT_SYN, -1, 0, 0, XDP_TX, challenge_ack, ACK),
	C("SYN with data", PKT_SYN, 0, 0, 9, XDP_TX, challenge_ack, ACK),
	C("SYN-ACK", PKT_SYN | PKT_ACK, 0, 0, 0, XDP_TX, challenge_ack, ACK),
	/* Fifth: ACK (RFC 5961, 5.2). */
	C("ACK of what was not sent", PKT_ACK, 0, 1, 0, XDP_TX, challenge_ack,
	  ACK),
	C("the same with data", PKT_ACK, 0, 1, 3, XDP_TX, challenge_ack, ACK),
	C("the same, far away", PKT_ACK, 0, HALF - 1, 3, XDP_TX, challenge_ack,
	  ACK),
	C("an old ACK", PKT_ACK, 0, -1, 0, XDP_DROP, old_ack, NOTHING),
	C("an old ACK with data", PKT_ACK, 0, -1, 3, XDP_REDIRECT,
	  tcp_ack_range, UNTOUCHED),
	C("the oldest ACK that may be", PKT_ACK, 0, -256000, 0, XDP_DROP,
	  old_ack, NOTHING),
	C("an older one", PKT_ACK, 0, -256001, 0, XDP_TX, challenge_ack, ACK),
	C("an older one with data", PKT_ACK, 0, -256001, 3, XDP_TX,
	  challenge_ack, ACK),
	C("an ACK from the other side", PKT_ACK, 0, HALF, 3, XDP_TX,
	  challenge_ack, ACK),
	/* Flags. */
	C("nothing at all", 0, 0, 0, 0, XDP_DROP, tcp_illegal, NOTHING),
	C("data without ACK", PKT_PSH, 0, 0, 3, XDP_DROP, tcp_illegal, NOTHING),
	C("FIN without ACK", PKT_FIN, 0, 0, 0, XDP_DROP, tcp_illegal, NOTHING),
	C("SYN and FIN", PKT_SYN | PKT_FIN, 0, 0, 0, XDP_DROP, tcp_illegal,
	  NOTHING),
	C("SYN and RST", PKT_SYN | PKT_RST, 0, 0, 0, XDP_DROP, tcp_illegal,
	  NOTHING),
	C("FIN and RST", PKT_FIN | PKT_RST | PKT_ACK, 0, 0, 0, XDP_DROP,
	  tcp_illegal, NOTHING),
	C("a Christmas tree", PKT_FIN | PKT_PSH | PKT_URG, 0, 0, 0, XDP_DROP,
	  tcp_illegal, NOTHING),
	C("all flags", 0xff, 0, 0, 0, XDP_DROP, tcp_illegal, NOTHING),
	C("urgent", PKT_ACK | PKT_URG, 0, 0, 3, XDP_REDIRECT, tcp_flags,
	  UNTOUCHED),
	C("urgent, far away", PKT_ACK | PKT_URG, WND, 0, 3, XDP_TX,
	  challenge_ack, ACK),
#undef C
};

static void run_case(size_t i, struct peer *p)
{
	static const char data[16] = "0123456789abcdef";
	struct dawn_flow before = *peer_flow(p), *f;
	struct pkt s = peer_segment(p, cases[i].flags), got;
	int verdict;

	s.seq = p->snd_nxt + (uint32_t)cases[i].seq;
	s.ack = p->rcv_nxt + (uint32_t)cases[i].ack;
	s.payload = data;
	s.len = cases[i].len;
	rig_mark();
	verdict = rig_run(&s);
	if (verdict != cases[i].verdict || rig_delta(cases[i].counter) != 1) {
		print_error("%s, IPv%d, at %#x and %#x: verdict %d and",
			    cases[i].what, p->family, p->snd_nxt, p->rcv_nxt,
			    verdict);
		rig_print();
	}
	assert_int_equal(verdict, cases[i].verdict);
	assert_int_equal(rig_delta(cases[i].counter), 1);
	f = peer_flow(p);
	if (cases[i].answer == ACK) {
		got = rig_answer(&s);
		assert_int_equal(got.flags, PKT_ACK);
		assert_int_equal(got.seq, p->rcv_nxt);
		assert_int_equal(got.ack, p->snd_nxt);
		assert_int_equal(got.len, 0);
	} else {
		assert_int_equal(rig.out_len, rig.in_len);
		assert_memory_equal(rig.out, rig.in, rig.in_len);
	}
	if (cases[i].counter == STAT_OF(flow_closed)) {
		assert_null(f);
		return;
	}
	/* Nothing of it was taken in. */
	assert_int_equal(f->rcv_nxt, before.rcv_nxt);
	assert_int_equal(f->snd_nxt, before.snd_nxt);
	assert_int_equal(f->snd_una, before.snd_una);
	assert_int_equal(f->state, before.state);
}

static void test_table(void **state)
{
	struct peer p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t j = 0; j < 2 * BASES * 2; j++) {
			p = at(j & 1 ? 6 : 4, bases[j / 4],
			       bases[(j / 4 + i) % BASES], j & 2);
			run_case(i, &p);
		}
}

/* ---- a response across the wrap ---- */

/* Sent, acknowledged bit by bit, asked for again, the window's numbers. */
static void test_response_wraps(void **state)
{
	struct dawn_flow *f;
	struct peer p;
	struct pkt req, s, got;
	uint32_t len;

	(void)state;
	for (size_t j = 0; j < 2 * BASES; j++) {
		p = at(j & 1 ? 6 : 4, bases[j / 2] - 20, bases[j / 2] - 50,
		       true);
		f = peer_flow(&p);
		len = rig.slots[0].resp_len;
		req = peer_request(&p, REQUEST("/a"));
		EXPECT(&req, XDP_TX, http_hit);
		got = rig_answer(&req);
		assert_int_equal(got.seq, p.rcv_nxt);
		assert_int_equal(got.ack, (uint32_t)(p.snd_nxt + req.len));
		p.snd_nxt += (uint32_t)req.len;
		s = peer_segment(&p, PKT_ACK);
		for (uint32_t n = 1; n < len; n++) {
			s.ack = p.rcv_nxt + n;
			EXPECT_SAME(&s, XDP_DROP, ack_seen);
			assert_int_equal(f->snd_una, s.ack);
			assert_int_equal(f->resp_kind, DAWN_RESP_GET);
		}
		s.ack = p.rcv_nxt + len + 1;
		EXPECT(&s, XDP_TX, challenge_ack);
		s.ack = p.rcv_nxt + len;
		EXPECT_SAME(&s, XDP_DROP, ack_seen);
		assert_int_equal(f->resp_kind, DAWN_RESP_NONE);
		assert_int_equal(f->snd_una, f->snd_nxt);
		/* The request again: it was answered and acknowledged. */
		req.ack = s.ack;
		EXPECT(&req, XDP_TX, acked_again);
		p.rcv_nxt += len;
		s = peer_request(&p, REQUEST("/a"));
		EXPECT(&s, XDP_TX, http_hit);
	}
}

/* FIN and its acknowledgment across the wrap. */
static void test_fin_wraps(void **state)
{
	struct peer p;
	struct pkt s, got;

	(void)state;
	for (size_t j = 0; j < 2 * BASES; j++) {
		p = at(j & 1 ? 6 : 4, bases[j / 2], bases[j / 2], true);
		s = peer_segment(&p, PKT_FIN | PKT_ACK);
		EXPECT(&s, XDP_TX, fin_acked);
		got = rig_answer(&s);
		assert_int_equal(got.ack, p.snd_nxt + 1);
		EXPECT(&s, XDP_TX, fin_acked); /* again */
		got = rig_answer(&s);
		assert_int_equal(got.flags, PKT_FIN | PKT_ACK);
		assert_int_equal(got.seq, p.rcv_nxt);
		p.snd_nxt++;
		p.rcv_nxt++;
		s = peer_segment(&p, PKT_ACK);
		s.ack++;
		EXPECT(&s, XDP_TX, challenge_ack);
		s.ack--;
		EXPECT_SAME(&s, XDP_DROP, flow_closed);
	}
}

/* PAWS (RFC 7323, 5) where timestamps wrap. */
static void test_paws(void **state)
{
	struct peer p;
	struct pkt s;

	(void)state;
	for (size_t j = 0; j < 2 * BASES; j++) {
		p = at(j & 1 ? 6 : 4, 100, 100, true);
		peer_flow(&p)->ts_recent = bases[j / 2];
		p.ts_clock = bases[j / 2];
		s = peer_segment(&p, PKT_ACK);
		EXPECT_SAME(&s, XDP_DROP, ack_seen);
		p.ts_clock += 1;
		s = peer_segment(&p, PKT_ACK);
		EXPECT_SAME(&s, XDP_DROP, ack_seen);
		assert_int_equal(peer_flow(&p)->ts_recent, p.ts_clock);
		p.ts_clock -= 1;
		s = peer_segment(&p, PKT_ACK);
		EXPECT_SAME(&s, XDP_REDIRECT, tcp_paws);
		peer_flow(&p)->owner =
			dawn_owner(DAWN_OWNER_KERNEL, 0, 0, 0, 1);
		s.seq += DAWN_RCV_WND; /* and far away: not the reactor's */
		EXPECT(&s, XDP_TX, challenge_ack);
		assert_int_equal(peer_flow(&p)->ts_recent, p.ts_clock + 1);
		/* A RST needs no timestamp. */
		s = peer_segment(&p, PKT_RST);
		EXPECT_SAME(&s, XDP_DROP, flow_closed);
	}
}

/* ---- headers ---- */

/* A RST that says its window is shut; what reserved bits and an urgent pointer
 * without URG say is ignored (RFC 9293, 3.1). */
static void test_ignored(void **state)
{
	uint8_t frame[PKT_FRAME_MAX];
	struct peer p;
	struct pkt s;
	size_t len, tcp;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		p = at(family, 100, 100, true);
		p.wnd = 0;
		s = peer_segment(&p, PKT_RST);
		EXPECT_SAME(&s, XDP_DROP, flow_closed);
		for (int reserved = 0; reserved < 16; reserved++) {
			p = at(family, 100, 100, true);
			s = peer_request(&p, REQUEST("/a"));
			s.csum = PKT_CSUM_FULL;
			len = pkt_build(&s, frame);
			tcp = 14 + (family == 4 ? 20 : 40);
			frame[tcp + 12] |= (uint8_t)reserved;
			frame[tcp + 18] = 0x77; /* urgent pointer */
			/* Both words are summed as they stand. */
			uint32_t sum = (uint32_t)(frame[tcp + 16] << 8 |
						  frame[tcp + 17]);
			sum += 0xffffU - ((uint32_t)reserved << 8);
			sum += 0xffffU - 0x7700;
			sum = (sum & 0xffff) + (sum >> 16);
			sum = (sum & 0xffff) + (sum >> 16);
			frame[tcp + 16] = (uint8_t)(sum >> 8);
			frame[tcp + 17] = (uint8_t)sum;
			rig_mark();
			assert_int_equal(rig_run_raw(frame, len), XDP_TX);
			assert_int_equal(rig_count(http_hit), 1);
		}
	}
}

/* Options that lie, in a SYN and within a connection: dropped, counted. */
static void test_options(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} lies[] = {
		{ "\2\0\0\0", 4 },
		{ "\2\1\0\0", 4 },
		{ "\2\3\5\264", 4 },
		{ "\2\5\5\264\1\1\1\1", 8 },
		{ "\1\2\4\5", 4 },
		{ "\1\1\1\2", 4 },
		{ "\3\2\1\1", 4 },
		{ "\3\4\7\1", 4 },
		{ "\4\3\0\1", 4 },
		{ "\4\1\1\1", 4 },
		{ "\10\11\0\0\0\0\0\0\0\0\1\1", 12 },
		{ "\10\12\0\0\0\0\0\0", 8 },
		{ "\5\2\1\1", 4 },
		{ "\5\11\0\0\0\0\0\0\0\1\1\1", 12 },
		{ "\5\22\0\0\0\1\0\0\0\2\1\1", 12 },
		{ "\376\0\1\1", 4 },
		{ "\376\1\1\1", 4 },
		{ "\376\5\1\1", 4 },
		{ "\36\377\1\1", 4 },
		{ "\1\1\1\376", 4 },
	};
	struct peer p;
	struct pkt s;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(lies) / sizeof(lies[0]); i++) {
		p = at(i & 1 ? 6 : 4, 100, 100, false);
		for (int kind = 0; kind < 3; kind++) {
			s = kind == 2 ? peer_request(&p, REQUEST("/a"))
				      : peer_segment(&p,
						     kind ? PKT_ACK : PKT_SYN);
			if (!kind)
				s.sport++;
			memcpy(s.opt, lies[i / 2].bytes, lies[i / 2].len);
			s.opt_len = lies[i / 2].len;
			EXPECT_SAME(&s, XDP_DROP, tcp_malformed);
		}
	}
}

/* Header length below 5 words, and beyond the packet. */
static void test_doff(void **state)
{
	uint8_t frame[PKT_FRAME_MAX];
	struct peer p;
	struct pkt s;
	size_t len, tcp;

	(void)state;
	for (int family = 4; family <= 6; family += 2)
		for (int kind = 0; kind < 2; kind++)
			for (int doff = 0; doff < 16; doff++) {
				p = at(family, 100, 100, false);
				s = peer_segment(&p, kind ? PKT_ACK : PKT_SYN);
				len = pkt_build(&s, frame);
				tcp = 14 + (family == 4 ? 20 : 40);
				frame[tcp + 12] = (uint8_t)(doff << 4);
				rig_mark();
				rig_run_raw(frame, len);
				assert_int_equal(rig_count(tcp_malformed),
						 doff != 5);
				assert_int_equal(rig_count(drop_total),
						 doff != 5);
			}
}

/* ---- no connection ---- */

static void test_listener(void **state)
{
	static const struct {
		uint8_t flags;
		uint32_t len;
		int verdict;
		size_t counter;
		uint8_t answer;
	} strays[] = {
		{ PKT_RST, 0, XDP_DROP, STAT_OF(rst_unproven), 0 },
		{ PKT_RST | PKT_ACK, 0, XDP_DROP, STAT_OF(rst_unproven), 0 },
		{ PKT_ACK, 0, XDP_TX, STAT_OF(rst_sent), PKT_RST },
		{ PKT_ACK, 5, XDP_TX, STAT_OF(rst_sent), PKT_RST },
		{ PKT_ACK | PKT_FIN, 5, XDP_TX, STAT_OF(rst_sent), PKT_RST },
		{ PKT_SYN | PKT_ACK, 0, XDP_TX, STAT_OF(rst_sent), PKT_RST },
		{ PKT_SYN, 5, XDP_TX, STAT_OF(syn_cookie), PKT_SYN | PKT_ACK },
		{ PKT_SYN | PKT_PSH | PKT_URG, 5, XDP_TX, STAT_OF(syn_cookie),
		  PKT_SYN | PKT_ACK },
		{ PKT_SYN | PKT_RST, 0, XDP_DROP, STAT_OF(tcp_illegal), 0 },
		{ PKT_SYN | PKT_FIN, 0, XDP_DROP, STAT_OF(tcp_illegal), 0 },
		{ 0, 0, XDP_DROP, STAT_OF(tcp_illegal), 0 },
		{ PKT_FIN, 0, XDP_DROP, STAT_OF(tcp_illegal), 0 },
		{ PKT_FIN | PKT_PSH | PKT_URG, 0, XDP_DROP,
		  STAT_OF(tcp_illegal), 0 },
	};
	struct peer p;
	struct pkt s, got;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(strays) / sizeof(strays[0]); i++) {
		p = rig_peer(i & 1 ? 6 : 4);
		p.ts = false;
		p.snd_nxt = 0xfffffffe;
		p.rcv_nxt = 77;
		s = peer_segment(&p, strays[i / 2].flags);
		s.payload = "early";
		s.len = strays[i / 2].len;
		rig_expect(&s, strays[i / 2].verdict, strays[i / 2].counter,
			   "as the table says");
		assert_null(peer_flow(&p));
		if (strays[i / 2].verdict != XDP_TX)
			continue;
		got = rig_answer(&s);
		assert_int_equal(got.flags, strays[i / 2].answer);
		if (got.flags & PKT_RST)
			assert_int_equal(got.seq, s.ack);
		else
			assert_int_equal(got.ack, s.seq + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_table, rig_reset),
		cmocka_unit_test_setup(test_response_wraps, rig_reset),
		cmocka_unit_test_setup(test_fin_wraps, rig_reset),
		cmocka_unit_test_setup(test_paws, rig_reset),
		cmocka_unit_test_setup(test_ignored, rig_reset),
		cmocka_unit_test_setup(test_options, rig_reset),
		cmocka_unit_test_setup(test_doff, rig_reset),
		cmocka_unit_test_setup(test_listener, rig_reset),
	};

	return cmocka_run_group_tests(tests, rig_open, rig_close);
}
