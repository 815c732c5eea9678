// SPDX-License-Identifier: MIT OR Apache-2.0
/* SYN cookies: what they carry, what completes a handshake, what is refused,
 * and whether our ISNs look like chance.
 *
 * Cookies of other windows are made here, by docs/COOKIES.md and apart from the
 * program's code; that they agree is checked first.
 */
#include <linux/bpf.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "maps/siphash.h"
#include "tests/progrun/rig.h"

#define WINDOW_MS   8192
#define WINDOW_MASK (UINT32_MAX / WINDOW_MS)
#define MSS_BEST    7U /* index of 1460 or 1440 */

static uint32_t now_ms(void)
{
	return (uint32_t)(rig_now_ns() / 1000000);
}

/* With a secret for each window. */
static int reset(void **state)
{
	rig_reset(state);
	for (uint64_t i = 0; i < DAWN_COOKIE_SECRETS; i++)
		rig.config->cookie_secret[i] = 0x8787878787878787ULL * (i + 1);
	return 0;
}

/* The ISN for this peer's SYN in a window, which may be before the clock's first.
 */
static uint32_t mint(const struct peer *p, uint32_t window, uint32_t mss_index)
{
	struct pkt s = peer_segment(p, PKT_SYN);
	uint32_t options = mss_index | (p->wscale ? 9U : 15U) << 3 |
			   (p->sack ? 1U << 7 : 0) | (window & 1) << 8;
	uint16_t service = (uint16_t)(p->family * 10 + 1);
	struct dawn_sipstate a, b;
	uint64_t q[2];

	memcpy(q, s.src, 16);
	dawn_sip_init(&a, &rig.config->cookie_key);
	dawn_sip_add(&a, q[0]);
	dawn_sip_add(&a, q[1]);
	dawn_sip_add(&a, (uint64_t)p->isn << 32 |
				 (uint64_t)htons(p->port) << 16 | service);
	b = a;
	dawn_sip_add(&b, ((uint64_t)(window & WINDOW_MASK) << 32 | options) ^
				 rig.config->cookie_secret[window & 3]);
	return (uint32_t)(dawn_sip_end(&b, 4) & 0xfffffe00) |
	       ((options ^ (uint32_t)dawn_sip_end(&a, 4)) & 0x1ff);
}

static void use_cookie(struct peer *p, uint32_t cookie)
{
	p->snd_nxt = p->isn + 1;
	p->rcv_nxt = cookie + 1;
}

/* The window we are in, which lasts for so long at least. */
static uint32_t steady_window(uint32_t ms)
{
	while (now_ms() % WINDOW_MS > WINDOW_MS - ms)
		;
	return now_ms() / WINDOW_MS;
}

static struct peer combination(unsigned int bits)
{
	struct peer p = rig_peer(bits & 1 ? 6 : 4);

	p.ts = bits & 2;
	p.sack = bits & 4;
	p.wscale = bits & 8;
	p.mss = (uint16_t)(bits & 16 ? 536 : p.family == 4 ? 1460 : 1440);
	p.port = (uint16_t)(33000 + bits);
	return p;
}

/* Every option with every way to complete the handshake. */
static void test_completed(void **state)
{
	static const char text[] = REQUEST("/a");
	struct dawn_flow *f;
	struct peer p;
	struct pkt s, got;

	(void)state;
	rig_cache(0, "/a", 10);
	for (unsigned int i = 0; i < 4 * 32; i++) {
		if (i % 32 == 0)
			reset(NULL), rig_cache(0, "/a", 10);
		p = combination(i % 32);
		peer_syn(&p);
		s = peer_segment(&p, PKT_ACK);
		switch (i / 32) {
		case 0: /* ACK */
			EXPECT_SAME(&s, XDP_DROP, flow_new);
			break;
		case 1: /* ACK and data */
			s = peer_request(&p, text);
			EXPECT(&s, XDP_TX, http_hit);
			got = rig_answer(&s);
			assert_int_equal(got.ack,
					 (uint32_t)(p.snd_nxt + s.len));
			assert_int_equal(got.seq, p.rcv_nxt);
			break;
		case 2: /* ACK and FIN */
			s = peer_segment(&p, PKT_ACK | PKT_FIN);
			EXPECT(&s, XDP_TX, fin_acked);
			got = rig_answer(&s);
			assert_int_equal(got.flags, PKT_ACK | PKT_FIN);
			assert_int_equal(got.ack, p.snd_nxt + 1);
			break;
		default: /* ACK, data and FIN: the reactor's */
			s = peer_request(&p, text);
			s.flags |= PKT_FIN;
			EXPECT_SAME(&s, XDP_REDIRECT, tcp_fin_data);
		}
		assert_int_equal(rig_count(flow_new), 1);
		f = peer_flow(&p);
		assert_non_null(f);
		assert_int_equal(!!(f->flags & DAWN_FLOW_TS), p.ts);
		assert_int_equal(!!(f->flags & DAWN_FLOW_SACK), p.sack);
		assert_int_equal(!!(f->flags & DAWN_FLOW_WSCALE), p.wscale);
		assert_int_equal(f->snd_wscale, p.wscale ? 9 : 0);
		assert_int_equal(f->mss, p.mss);
	}
}

/* One bit wrong anywhere: no flow, a RST (the 23 bits of proof; see the page).
 */
static void test_forged(void **state)
{
	struct peer p, q;
	struct pkt s;

	(void)state;
	for (unsigned int i = 0; i < 32; i++) {
		p = combination(i);
		peer_syn(&p);
		for (int bit = 0; bit < 32; bit++) {
			q = p;
			q.rcv_nxt = ((p.rcv_nxt - 1) ^ 1U << bit) + 1;
			s = peer_segment(&q, PKT_ACK);
			rig_mark();
			rig_run(&s); /* a RST, or the budget of them is used */
			assert_int_equal(rig_count(cookie_bad), 1);
			assert_int_equal(rig_count(flow_new), 0);
		}
		assert_null(peer_flow(&p));
	}
}

/* What was sent behind the first data and comes before it is no stranger's: it
 * waits for its turn, as long as its echo of our timestamp is young. */
static void test_ahead(void **state)
{
	static const char text[] = REQUEST("/a");
	struct pkt s, first;
	struct peer p;

	(void)state;
	rig_cache(0, "/a", 10);
	for (int family = 4; family <= 6; family += 2) {
		p = rig_peer(family);
		peer_syn(&p);
		first = peer_request(&p, text);
		s = peer_request(&p, text);
		s.seq += (uint32_t)s.len;
		EXPECT_SAME(&s, XDP_DROP, cookie_ahead);
		s = peer_segment(&p, PKT_ACK); /* no data: a stranger's */
		s.seq += (uint32_t)first.len;
		EXPECT(&s, XDP_TX, cookie_bad);
		EXPECT(&first, XDP_TX, http_hit);
		assert_non_null(peer_flow(&p));
		/* Too old, from the future, and without timestamps */
		for (int i = 0; i < 3; i++) {
			p = rig_peer(family);
			p.port = (uint16_t)(36000 + i);
			p.ts = i < 2;
			peer_syn(&p);
			p.ts_ours += (uint32_t[]){ -3100U, 1000, 0 }[i];
			s = peer_request(&p, text);
			s.seq += (uint32_t)s.len;
			EXPECT(&s, XDP_TX, cookie_bad);
		}
	}
}

/* Good in its window and the next, neither before nor after. */
static void test_expired(void **state)
{
	uint32_t window = steady_window(1000);
	struct peer p, seen;
	struct pkt s;

	(void)state;
	for (int ago = -2; ago <= 70; ago++) {
		p = rig_peer(ago & 1 ? 6 : 4);
		p.port = (uint16_t)(34000 + ago);
		if (!ago) {
			seen = p;
			peer_syn(&seen);
			assert_int_equal(seen.rcv_nxt,
					 mint(&p, window, MSS_BEST) + 1);
		}
		use_cookie(&p, mint(&p, window - (uint32_t)ago, MSS_BEST));
		s = peer_segment(&p, PKT_ACK);
		rig_mark();
		rig_run(&s);
		assert_int_equal(rig_count(flow_new), ago == 0 || ago == 1);
		assert_int_equal(rig_count(cookie_bad), ago != 0 && ago != 1);
	}
	assert_int_equal(window, now_ms() / WINDOW_MS);
}

/* Each window has a secret of its own. dawnd renews those that no cookie of
 * this window, the last or the next needs. */
static void test_secrets(void **state)
{
	uint32_t window = steady_window(1000);
	struct peer p = rig_peer(4);
	struct pkt s;

	(void)state;
	for (uint32_t ago = 0; ago < 2; ago++)
		for (uint32_t i = 0; i < DAWN_COOKIE_SECRETS; i++) {
			bool used = (window - ago - i) % DAWN_COOKIE_SECRETS ==
				    0;

			p.port++;
			use_cookie(&p, mint(&p, window - ago, MSS_BEST));
			rig.config->cookie_secret[i] ^= 1;
			s = peer_segment(&p, PKT_ACK);
			rig_mark();
			rig_run(&s);
			assert_int_equal(rig_count(flow_new), !used);
			assert_int_equal(rig_count(cookie_bad), used);
		}
	assert_int_equal(window, now_ms() / WINDOW_MS);
}

/* ---- used cookies ---- */

/* After the end of a connection nothing of its handshake opens it again. */
static void test_replayed(void **state)
{
	struct peer p, end;
	struct pkt ack, req, s;

	(void)state;
	rig_cache(0, "/a", 10);
	for (unsigned int i = 0; i < 2 * 32; i++) {
		if (i % 32 == 0)
			reset(NULL), rig_cache(0, "/a", 10);
		p = combination(i % 32);
		peer_connect(&p);
		ack = peer_segment(&p, PKT_ACK);
		req = peer_request(&p, REQUEST("/a"));
		end = p;
		if (i < 32) { /* closed by XDP */
			s = peer_segment(&end, PKT_ACK | PKT_FIN);
			EXPECT(&s, XDP_TX, fin_acked);
			end.snd_nxt++;
			end.rcv_nxt++;
			s = peer_segment(&end, PKT_ACK);
			EXPECT_SAME(&s, XDP_DROP, flow_closed);
		} else { /* by a RST */
			s = peer_segment(&end, PKT_RST);
			EXPECT_SAME(&s, XDP_DROP, flow_closed);
		}
		EXPECT(&ack, XDP_TX, cookie_replayed);
		assert_int_equal(rig_answer(&ack).flags, PKT_RST);
		assert_int_equal(rig_answer(&ack).seq, ack.ack);
		EXPECT(&req, XDP_TX, cookie_replayed);
		assert_int_equal(rig_count(http_hit), 0);
		s = req;
		s.flags |= PKT_FIN;
		EXPECT(&s, XDP_TX, cookie_replayed);
		assert_null(peer_flow(&p));
		/* A new connection has another ISN. */
		p.isn += 77;
		peer_connect(&p);
	}
}

/* Closed by the reactor it is the same: the mark is as old as the flow. */
static void test_replayed_after_user(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt ack;
	uint32_t set;

	(void)state;
	peer_connect(&p);
	ack = peer_segment(&p, PKT_ACK);
	set = (uint32_t)((uint8_t *)peer_flow(&p) - (uint8_t *)rig.flows) /
	      sizeof(*rig.flows);
	peer_flow(&p)->owner = dawn_owner(DAWN_OWNER_FREE, 0, 0, 0, 9);
	memset(rig.flows[set].tag, 0, sizeof(rig.flows[set].tag));
	EXPECT(&ack, XDP_TX, cookie_replayed);
	assert_null(peer_flow(&p));
}

/* Nor does it out of TIME_WAIT, where its numbers would do. */
static void test_replayed_in_time_wait(void **state)
{
	struct peer p = rig_peer(4);
	struct dawn_flow *f;
	struct pkt ack;

	(void)state;
	peer_connect(&p);
	ack = peer_segment(&p, PKT_ACK);
	f = peer_flow(&p);
	f->state = DAWN_TCP_TIME_WAIT;
	f->rcv_nxt -= 100; /* as if the handshake were a later one */
	f->ts_recent -= 100;
	f->snd_nxt += 5;
	f->snd_una = f->snd_nxt;
	EXPECT(&ack, XDP_TX, cookie_replayed);
	assert_int_equal(rig_count(challenge_ack), 1);
	assert_int_equal(f->state, DAWN_TCP_TIME_WAIT);
}

static void close_by_rst(const struct peer *p)
{
	struct pkt s = peer_segment(p, PKT_RST);

	EXPECT_SAME(&s, XDP_DROP, flow_closed);
}

/* Complete a handshake by a cookie of that window, and close. Return: was a
 * mark forgotten for it? */
static uint64_t use_once(struct peer *p, uint32_t window)
{
	uint64_t forgotten;
	struct pkt s;

	use_cookie(p, mint(p, window, MSS_BEST));
	s = peer_segment(p, PKT_ACK);
	EXPECT_SAME(&s, XDP_DROP, flow_new);
	forgotten = rig_count(cookie_forgotten);
	close_by_rst(p);
	return forgotten;
}

/* Marks die with the cookies: in a line of this window or the last they count,
 * in an older one, or one of the same parity, they do not. */
static void test_marks_expire(void **state)
{
	uint32_t window = steady_window(1000);
	struct peer p = rig_peer(4);
	struct pkt s;

	(void)state;
	for (uint32_t made = 0; made < 2; made++)
		for (uint32_t turned = 0; turned < 8; turned++) {
			bool good = turned <= 1 - made;

			rig_forget_cookies();
			p.port++;
			use_once(&p, window - 1 + made);
			for (size_t i = 0; i < RIG_LINES; i++)
				rig.proven[i].window = window - turned;
			s = peer_segment(&p, PKT_ACK);
			rig_mark();
			rig_run(&s);
			assert_int_equal(rig_count(cookie_replayed), good);
			assert_int_equal(rig_count(flow_new), !good);
			if (!good)
				close_by_rst(&p);
		}
	assert_int_equal(window, now_ms() / WINDOW_MS);
}

/* Marks in all lines of the parity of a window. */
static uint32_t count_marks(uint32_t window)
{
	uint32_t n = 0;

	for (size_t i = 0; i < RIG_LINES; i++)
		for (size_t j = 0; j < DAWN_PROVEN_MARKS; j++)
			n += rig.proven[i].mark[j] &&
			     !((rig.proven[i].mark[j] ^ window) & 1);
	return n;
}

/* A line that is written in a new window keeps the last one's marks only. */
static void test_marks_turned(void **state)
{
	uint32_t window = steady_window(1000);
	struct peer p = rig_peer(6);

	(void)state;
	rig.config->proven_lines = 1;
	for (uint32_t turned = 0; turned < 6; turned++) {
		rig_forget_cookies();
		for (uint32_t i = 0; i < 6; i++) {
			p.port++;
			use_once(&p, window - 1 + (i & 1));
		}
		assert_int_equal(rig.proven[0].window, window);
		assert_int_equal(count_marks(window), 3);
		assert_int_equal(count_marks(window - 1), 3);
		rig.proven[0].window = window - turned;
		p.port++;
		use_once(&p, window);
		assert_int_equal(rig.proven[0].window, window);
		/* One turn ago: those of this parity are of two windows ago. */
		assert_int_equal(count_marks(window), turned ? 1 : 4);
		assert_int_equal(count_marks(window - 1), turned > 1 ? 0 : 3);
	}
	/* Turned by another CPU, while this one looked at the clock. */
	rig.proven[0].window = window + 1;
	p.port++;
	assert_int_equal(use_once(&p, window), 0);
	assert_int_equal(rig.proven[0].window, window + 1);
	assert_int_equal(count_marks(window), 2);
	assert_int_equal(window, now_ms() / WINDOW_MS);
}

/* A full line gives up the last window's marks, and refuses whom it can not
 * tell from those; then its own, and says so. */
static void test_marks_full(void **state)
{
	enum { MARKS = DAWN_PROVEN_MARKS, OLD = 6 };
	uint32_t window = steady_window(1000);
	struct peer p = rig_peer(4), late = p;
	struct pkt s;

	(void)state;
	rig.config->proven_lines = 1;
	for (uint32_t i = 0; i < OLD; i++) {
		p.port++;
		use_once(&p, window - 1);
	}
	for (uint32_t i = 0; i < MARKS; i++) {
		use_cookie(&late, mint(&late, window - 1, MSS_BEST));
		s = peer_segment(&late, PKT_ACK);
		if (i == MARKS - OLD) { /* full; none is lost yet */
			EXPECT(&s, XDP_TX, cookie_refused);
			assert_int_equal(rig_answer(&s).flags, PKT_RST);
			assert_null(peer_flow(&late));
		}
		p.port++;
		assert_int_equal(use_once(&p, window), 0);
	}
	assert_int_equal(count_marks(window - 1), 0);
	for (uint32_t i = 0; i < 2 * MARKS; i++) {
		p.port++;
		assert_int_equal(use_once(&p, window), 1);
	}
	/* If the line was not written in this window, nothing is lost. */
	for (uint32_t j = 0; j < MARKS; j++)
		rig.proven[0].mark[j] ^= 1;
	rig.proven[0].window = window - 1;
	use_once(&late, window - 1);
	assert_int_equal(window, now_ms() / WINDOW_MS);
}

/* All marks, as if they had been made so many windows later. */
static void shift_marks(uint32_t windows)
{
	for (size_t i = 0; i < RIG_LINES; i++) {
		rig.proven[i].window += windows;
		for (size_t j = 0; j < DAWN_PROVEN_MARKS; j++)
			if (rig.proven[i].mark[j])
				rig.proven[i].mark[j] ^= windows & 1;
	}
}

/* The ACKs of n closed connections that were made with cookies of that window:
 * none opens one again. Return: of how many that was not known for sure. */
static uint64_t replay(uint32_t isn, uint32_t window, uint32_t n)
{
	struct peer p = rig_peer(4);
	struct pkt s;

	p.isn = isn;
	rig_mark();
	for (uint32_t i = 0; i < n; i++) {
		p.port++;
		use_cookie(&p, mint(&p, window, MSS_BEST));
		s = peer_segment(&p, PKT_ACK);
		rig_run(&s);
	}
	assert_int_equal(rig_count(flow_new), 0);
	assert_int_equal(rig_count(cookie_replayed) + rig_count(cookie_refused),
			 n);
	return rig_count(cookie_refused);
}

/* As many connections for each line as 20,000 a second make in a window, if
 * there are no more lines than the fewest: nothing of this window is forgotten,
 * and what is forgotten of the last opens nothing. */
static void test_marks_rate(void **state)
{
	enum { LINES = RIG_LINES / 2 };
	const uint32_t n =
		20000ULL * WINDOW_MS / 1000 * LINES / DAWN_PROVEN_LINES_MIN;
	uint32_t window = now_ms() / WINDOW_MS, now;
	uint64_t refused;
	struct peer p;

	(void)state;
	assert_int_equal(n, 320);
	rig.config->proven_lines = LINES;
	for (uint32_t turn = 0; turn < 6; turn++) {
		now = steady_window(1500);
		shift_marks(now - window); /* this turn's is the real one */
		window = now;
		p = rig_peer(4);
		p.isn = turn;
		for (uint32_t i = 0; i < n; i++) {
			p.port++;
			assert_int_equal(use_once(&p, window), 0);
		}
		assert_int_equal(count_marks(window), n);
		assert_int_equal(replay(turn, window, n), 0);
		if (turn) {
			refused = replay(turn - 1, window - 1, n);
			assert_in_range(refused, n / 10, n - 1);
		}
		assert_int_equal(window, now_ms() / WINDOW_MS);
		shift_marks(-1U);
		assert_int_equal(replay(turn, window - 1, n), 0);
	}
}

/* ---- statistics ---- */

#define ISNS 100000

/* For n fair coins, |heads - n/2| stays below this but for 1 in 10^9. */
static double bound(double n)
{
	return 6.1 * sqrt(n) / 2;
}

struct isn_stats {
	uint32_t bits[32];  /* how often each was set */
	uint32_t flips[32]; /* and differed from the one before */
	uint32_t bytes[4][256];
	uint32_t n, last;
	double sum, square, product; /* of the values as [0, 1) */
};

static void take_isn(struct isn_stats *t, uint32_t isn)
{
	double x = isn / 4294967296.0, y = t->last / 4294967296.0;

	for (int bit = 0; bit < 32; bit++) {
		t->bits[bit] += isn >> bit & 1;
		t->flips[bit] += (isn ^ t->last) >> bit & 1;
	}
	for (int i = 0; i < 4; i++)
		t->bytes[i][isn >> 8 * i & 255]++;
	if (t->n++)
		t->product += x * y;
	t->sum += x;
	t->square += x * x;
	t->last = isn;
}

/* Each test's bound is passed by chance once in about 10^9, and the keys and
 * tuples are fixed; only the windows differ from run to run. */
static void check_isns(const struct isn_stats *t)
{
	double n = t->n, expect = n / 256, chi, r;

	for (int bit = 0; bit < 32; bit++) {
		assert_true(fabs(t->bits[bit] - n / 2) < bound(n));
		assert_true(fabs(t->flips[bit] - n / 2) < bound(n));
	}
	for (int i = 0; i < 4; i++) {
		chi = 0;
		for (int v = 0; v < 256; v++)
			chi += (t->bytes[i][v] - expect) *
			       (t->bytes[i][v] - expect) / expect;
		/* chi-square, 255 degrees of freedom, 10^-9 at each end */
		assert_true(chi > 138 && chi < 409);
	}
	r = (n * t->product - t->sum * t->sum) /
	    (n * t->square - t->sum * t->sum);
	assert_true(fabs(r) * sqrt(n) < 6.1);
}

static uint32_t isn_for(struct pkt *syn)
{
	assert_int_equal(rig_run(syn), XDP_TX);
	return pkt_be32(rig.out + 14 + (syn->family == 4 ? 20 : 40) + 4);
}

/* Over many peers that all offer the same; over one peer that counts its ISN
 * up; over one that repeats itself from many ports. */
static void test_isns(void **state)
{
	struct isn_stats t;
	struct peer p;
	struct pkt syn;

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		p = rig_peer(kind == 3 ? 6 : 4);
		memset(&t, 0, sizeof(t));
		syn = peer_segment(&p, PKT_SYN);
		pkt_opt_mss(&syn, p.mss);
		for (uint32_t i = 0; i < ISNS; i++) {
			if (kind == 0) {
				syn.src[14] = (uint8_t)(i >> 16);
				syn.src[15] = (uint8_t)(i >> 8);
				syn.sport = (uint16_t)(1024 + (i & 255));
				syn.seq = 1;
			} else if (kind == 1) {
				syn.seq = i;
			} else if (kind == 2) {
				syn.seq = i * 64000; /* RFC 6528's clock */
			} else {
				syn.sport = (uint16_t)i;
				syn.src[15] = (uint8_t)(i >> 16 | 2);
			}
			take_isn(&t, isn_for(&syn));
		}
		check_isns(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_completed, reset),
		cmocka_unit_test_setup(test_ahead, reset),
		cmocka_unit_test_setup(test_expired, reset),
		cmocka_unit_test_setup(test_secrets, reset),
		cmocka_unit_test_setup(test_replayed, reset),
		cmocka_unit_test_setup(test_replayed_after_user, reset),
		cmocka_unit_test_setup(test_replayed_in_time_wait, reset),
		cmocka_unit_test_setup(test_marks_expire, reset),
		cmocka_unit_test_setup(test_marks_turned, reset),
		cmocka_unit_test_setup(test_marks_full, reset),
		cmocka_unit_test_setup(test_marks_rate, reset),
		cmocka_unit_test_setup(test_isns, reset),
		/* Last: it uses up a second's RSTs. */
		cmocka_unit_test_setup(test_forged, reset),
	};

	return cmocka_run_group_tests(tests, rig_open, rig_close);
}
