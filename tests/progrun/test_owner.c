// SPDX-License-Identifier: MIT OR Apache-2.0
/* Who owns a flow: giving up, the reactor's flows, dead reactors, orphan mode,
 * and ICMP errors.
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/progrun/rig.h"

#define ORPHAN_NS 61000000000ULL

static int setup(void **state)
{
	rig_reset(state);
	rig_cache(0, "/a", 10);
	return 0;
}

static struct peer connected(int family)
{
	struct peer p = rig_peer(family);

	rig_forget_cookies();
	peer_connect(&p);
	return p;
}

static void set_owner(const struct peer *p, uint8_t state, uint8_t flags,
		      uint8_t incarnation)
{
	peer_flow(p)->owner = dawn_owner(state, flags, 0, incarnation, 55);
}

static void check_owner(const struct peer *p, uint8_t state, uint8_t flags,
			uint64_t gen)
{
	uint64_t owner = peer_flow(p)->owner;

	assert_int_equal(dawn_owner_state(owner), state);
	assert_int_equal(dawn_owner_flags(owner), flags);
	assert_int_equal(dawn_owner_gen(owner), gen);
}

/* ---- giving up ---- */

static void expect_given_up(struct peer *p, const struct pkt *s, size_t reason,
			    const char *name)
{
	uint64_t gen = dawn_owner_gen(peer_flow(p)->owner);

	rig_expect(s, XDP_REDIRECT, reason, name);
	assert_int_equal(rig.out_len, rig.in_len);
	assert_memory_equal(rig.out, rig.in, rig.in_len);
	assert_int_equal(rig_count(to_user), 1);
	check_owner(p, DAWN_OWNER_USER, DAWN_OWNER_CLEAN, gen + 2);
	assert_int_equal(dawn_owner_incarnation(peer_flow(p)->owner), 7);
	assert_int_equal(dawn_owner_thread(peer_flow(p)->owner), 0);
	/* The next one goes the same way without another change. */
	rig_expect(s, XDP_REDIRECT, offsetof(struct dawn_stats, user_owned) / 8,
		   "user_owned");
	check_owner(p, DAWN_OWNER_USER, DAWN_OWNER_CLEAN, gen + 2);
	/* Back to XDP, for the next case. */
	set_owner(p, DAWN_OWNER_KERNEL, 0, 0);
}

#define GIVEN_UP(p, s, name) \
	expect_given_up(p, s, offsetof(struct dawn_stats, name) / 8, #name)

#define SACK_OPT "\1\1\5\12\0\0\0\1\0\0\0\2"

static void test_give_up(void **state)
{
	struct peer p;
	struct pkt s;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		p = connected(family);
		s = peer_segment(&p, PKT_ACK | PKT_URG);
		GIVEN_UP(&p, &s, tcp_flags);
		s = peer_segment(&p, PKT_ACK | PKT_ECE);
		GIVEN_UP(&p, &s, tcp_flags);
		s = peer_segment(&p, PKT_ACK);
		s.tos = 3;
		GIVEN_UP(&p, &s, tcp_ce);
		s.tos = 2; /* ECT alone is nothing */
		EXPECT_SAME(&s, XDP_DROP, ack_seen);
		s = peer_segment(&p, PKT_ACK);
		s.opt_len = 0; /* timestamps were agreed on */
		GIVEN_UP(&p, &s, tcp_options);
		s = peer_segment(&p, PKT_ACK);
		pkt_opt_nop(&s, 4);
		GIVEN_UP(&p, &s, tcp_options);
		s = peer_segment(&p, PKT_ACK);
		memcpy(s.opt + 12, "\36\4\0\0", 4); /* unknown */
		s.opt_len = 16;
		GIVEN_UP(&p, &s, tcp_options);
		s = peer_segment(&p, PKT_ACK);
		memcpy(s.opt + 12, SACK_OPT, 12);
		s.opt_len = 24;
		EXPECT_SAME(&s, XDP_DROP, ack_seen); /* of what? */
		pkt_opt_nop(&s, 4);
		memcpy(s.opt + 24, "\36\4\0\0", 4);
		GIVEN_UP(&p, &s, tcp_sack);
		s = peer_request(&p, REQUEST("/a"));
		memcpy(s.opt + 12, SACK_OPT, 12);
		s.opt_len = 24;
		GIVEN_UP(&p, &s, tcp_sack);
		p.ts_clock--;
		s = peer_segment(&p, PKT_ACK);
		GIVEN_UP(&p, &s, tcp_paws);
		p.ts_clock++;
		s = peer_segment(&p, PKT_ACK);
		s.seq++;
		GIVEN_UP(&p, &s, tcp_out_of_order);
		s = peer_request(&p, "late");
		s.seq -= 2; /* half of it is old */
		GIVEN_UP(&p, &s, tcp_out_of_order);
		s = peer_request(&p, REQUEST("/a"));
		s.flags |= PKT_FIN;
		GIVEN_UP(&p, &s, tcp_fin_data);
	}
}

/* While a response is on its way. */
static void test_give_up_unacked(void **state)
{
	struct peer p = connected(4);
	struct dawn_flow *f = peer_flow(&p);
	struct pkt req, s;

	(void)state;
	req = peer_request(&p, REQUEST("/a"));
	EXPECT(&req, XDP_TX, http_hit);
	p.snd_nxt += (uint32_t)req.len;
	s = peer_request(&p, REQUEST("/a"));
	GIVEN_UP(&p, &s, tcp_unacked);
	s = peer_segment(&p, PKT_FIN | PKT_ACK);
	GIVEN_UP(&p, &s, tcp_fin_data);
	GIVEN_UP(&p, &req, tcp_out_of_order); /* asked again */
	s = peer_segment(&p, PKT_ACK);
	memcpy(s.opt + 12, SACK_OPT, 12);
	s.opt_len = 24;
	GIVEN_UP(&p, &s, tcp_sack);
	s = peer_segment(&p, PKT_ACK);
	GIVEN_UP(&p, &s, tcp_dup_ack);
	/* What the reactor needs stands in the entry. */
	assert_int_equal(f->resp_kind, DAWN_RESP_GET);
	assert_int_equal(f->resp_slot, 0);
	assert_int_equal(f->resp_gen, rig.slots[0].gen);
	assert_int_equal(f->resp_seq, p.rcv_nxt);
	assert_int_equal(f->resp_len, rig.slots[0].resp_len);
	assert_int_equal(f->snd_una, p.rcv_nxt);
	assert_int_equal(f->snd_nxt, p.rcv_nxt + rig.slots[0].resp_len);
	assert_int_equal(f->rcv_nxt, p.snd_nxt);
	s.wnd++; /* another window is no duplicate */
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	assert_int_equal(f->snd_wnd, s.wnd << 9);
	/* An ACK of half of it is progress. */
	s.ack += 5;
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	assert_int_equal(f->snd_una, p.rcv_nxt + 5);
	assert_int_equal(f->resp_kind, DAWN_RESP_GET);
}

static void test_no_reactor(void **state)
{
	struct peer p = connected(4);
	struct pkt s = peer_request(&p, REQUEST("/miss"));
	uint32_t zero = 0;

	(void)state;
	rig_reactor(false);
	EXPECT_SAME(&s, XDP_DROP, no_socket);
	assert_int_equal(dawn_owner_state(peer_flow(&p)->owner),
			 DAWN_OWNER_KERNEL);
	rig_reactor(true);
	bpf_map_delete_elem(rig_map("xsks"), &zero);
	EXPECT_SAME(&s, XDP_DROP, no_socket);
	assert_int_equal(dawn_owner_state(peer_flow(&p)->owner),
			 DAWN_OWNER_KERNEL);
	bpf_map_update_elem(rig_map("xsks"), &zero, &rig.xsk, BPF_ANY);
	rig.config->queue[0].taken = 1000;
	rig.queue_sent[0] = 1000 + 1025;
	EXPECT_SAME(&s, XDP_DROP, queue_full);
	assert_int_equal(dawn_owner_state(peer_flow(&p)->owner),
			 DAWN_OWNER_KERNEL);
	rig.queue_sent[0] -= 2;
	GIVEN_UP(&p, &s, cache_miss);
	/* Nothing of it was taken in. */
	assert_int_equal(peer_flow(&p)->rcv_nxt, p.snd_nxt);
}

/* Without a daemon, and none wanted, a miss is refused at once. */
static void test_standalone(void **state)
{
	struct peer p = connected(4);
	struct pkt s = peer_request(&p, REQUEST("/miss")), got;

	(void)state;
	rig_reactor(false);
	rig.config->flags |= DAWN_CONFIG_STANDALONE;
	rig.config->reactor_seen_ns = 0;
	EXPECT(&s, XDP_TX, rst_sent);
	assert_int_equal(rig_count(cache_miss), 1);
	assert_int_equal(rig_count(flow_closed), 1);
	got = rig_answer(&s);
	assert_int_equal(got.flags, PKT_RST);
	assert_int_equal(got.seq, p.rcv_nxt);
	assert_null(peer_flow(&p));
	p = connected(4);
	s = peer_request(&p, REQUEST("/a"));
	EXPECT(&s, XDP_TX, http_hit);
	EXPECT(&s, XDP_TX, http_resend);
}

/* ---- locks ---- */

static void test_locked(void **state)
{
	struct peer p = connected(4);
	struct pkt s = peer_request(&p, REQUEST("/a"));

	(void)state;
	set_owner(&p, DAWN_OWNER_LOCKED, 0, 0);
	EXPECT_SAME(&s, XDP_REDIRECT, lock_lost);
	check_owner(&p, DAWN_OWNER_LOCKED, 0, 55);
	rig_reactor(false);
	EXPECT_SAME(&s, XDP_DROP, no_socket);
}

/* Every packet leaves the flow unlocked, the generation two further. */
static void test_generation(void **state)
{
	struct peer p = connected(4);
	struct pkt s = peer_segment(&p, PKT_ACK);

	(void)state;
	peer_flow(&p)->owner =
		dawn_owner(DAWN_OWNER_KERNEL, 0, 0, 0, DAWN_OWNER_GEN_MASK);
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	check_owner(&p, DAWN_OWNER_KERNEL, 0, 1);
}

/* A tag or way that belongs to another tuple by now. */
static void test_not_this_flow(void **state)
{
	struct peer p = connected(4);
	struct pkt s = peer_request(&p, REQUEST("/a"));

	(void)state;
	peer_flow(&p)->service++;
	rig_forget_cookies();
	EXPECT(&s, XDP_TX, flow_new); /* the cookie is still good */
	assert_int_equal(rig_count(http_hit), 1);
}

/* ---- the reactor's flows ---- */

static void test_user_owned(void **state)
{
	struct peer p = connected(6);
	struct pkt s = peer_request(&p, REQUEST("/a"));

	(void)state;
	set_owner(&p, DAWN_OWNER_USER, 0, 7);
	EXPECT_SAME(&s, XDP_REDIRECT, user_owned);
	rig_reactor(false); /* it may come back: nothing is known of the flow */
	EXPECT_SAME(&s, XDP_DROP, no_socket);
	check_owner(&p, DAWN_OWNER_USER, 0, 55);
	s = peer_segment(&p, PKT_SYN);
	rig_reactor(true);
	EXPECT_SAME(&s, XDP_REDIRECT, user_owned);
	s = peer_segment(&p, PKT_RST);
	EXPECT_SAME(&s, XDP_REDIRECT, user_owned);
}

static void test_reclaim(void **state)
{
	struct peer p = connected(4);
	struct pkt s = peer_request(&p, REQUEST("/a"));

	(void)state;
	set_owner(&p, DAWN_OWNER_USER, DAWN_OWNER_CLEAN, 7);
	EXPECT_SAME(&s, XDP_REDIRECT, user_owned);
	rig_reactor(false);
	EXPECT(&s, XDP_TX, reclaimed);
	assert_int_equal(rig_count(http_hit), 1);
	check_owner(&p, DAWN_OWNER_KERNEL, 0, 57);
	/* By another incarnation, alive. */
	p.port++;
	peer_connect(&p);
	s = peer_request(&p, REQUEST("/a"));
	rig_reactor(true);
	set_owner(&p, DAWN_OWNER_USER, DAWN_OWNER_CLEAN, 6);
	EXPECT(&s, XDP_TX, reclaimed);
	check_owner(&p, DAWN_OWNER_KERNEL, 0, 57);
}

/* A reactor that is late, not dead: what only it can treat waits for it. */
static void test_late_reactor(void **state)
{
	struct peer p = connected(4);
	struct pkt miss = peer_request(&p, REQUEST("/miss"));
	struct pkt hit = peer_request(&p, REQUEST("/a"));
	uint64_t late = rig_now_ns() - 5000000000ULL;
	uint32_t zero = 0;

	(void)state;
	rig.config->queue[0].heartbeat_ns = late;
	rig.config->reactor_seen_ns = late;
	EXPECT_SAME(&miss, XDP_REDIRECT, cache_miss);
	set_owner(&p, DAWN_OWNER_USER, 0, 7);
	EXPECT_SAME(&miss, XDP_REDIRECT, user_owned);
	set_owner(&p, DAWN_OWNER_LOCKED, 0, 0);
	EXPECT_SAME(&miss, XDP_REDIRECT, lock_lost);
	set_owner(&p, DAWN_OWNER_USER, DAWN_OWNER_CLEAN, 7);
	EXPECT(&hit, XDP_TX, reclaimed);
	assert_int_equal(rig_count(http_hit), 1);
	/* Killed, it has no socket. */
	set_owner(&p, DAWN_OWNER_USER, 0, 7);
	bpf_map_delete_elem(rig_map("xsks"), &zero);
	EXPECT_SAME(&miss, XDP_DROP, no_socket);
	bpf_map_update_elem(rig_map("xsks"), &zero, &rig.xsk, BPF_ANY);
}

static void test_stale_incarnation(void **state)
{
	struct peer p = connected(4);
	struct pkt s = peer_request(&p, REQUEST("/a")), got;

	(void)state;
	set_owner(&p, DAWN_OWNER_USER, 0, 6);
	rig_reactor(false);
	EXPECT_SAME(&s, XDP_DROP, no_socket);
	rig_reactor(true);
	s.ack += 100; /* what the peer waits for, the entry does not know */
	EXPECT(&s, XDP_TX, stale_incarnation);
	got = rig_answer(&s);
	assert_int_equal(got.flags, PKT_RST);
	assert_int_equal(got.seq, s.ack);
	assert_null(peer_flow(&p));
	/* A peer that has forgotten it too begins anew. */
	p = connected(4);
	set_owner(&p, DAWN_OWNER_USER, 0, 6);
	peer_syn(&p);
	assert_int_equal(rig_count(stale_incarnation), 1);
	assert_null(peer_flow(&p));
	rig_forget_cookies();
	peer_connect(&p);
}

/* ---- orphan mode ---- */

static void test_orphan(void **state)
{
	struct peer p = connected(4);
	struct pkt req = peer_request(&p, REQUEST("/a")), first, again, s;
	uint8_t answer[512];

	(void)state;
	rig_reactor(false);
	EXPECT(&req, XDP_TX, http_hit);
	first = rig_answer(&req);
	memcpy(answer, first.payload, first.len);
	/* The same bytes, also when another second has begun. */
	EXPECT(&req, XDP_TX, http_resend);
	again = rig_answer(&req);
	assert_int_equal(again.seq, first.seq);
	assert_int_equal(again.ack, first.ack);
	assert_int_equal(again.len, first.len);
	assert_memory_equal(again.payload, answer, first.len);
	/* A third duplicate ACK, on a frame without payload. */
	p.snd_nxt += (uint32_t)req.len;
	s = peer_segment(&p, PKT_ACK);
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	EXPECT_SAME(&s, XDP_DROP, ack_seen);
	EXPECT(&s, XDP_TX, http_resend);
	again = rig_answer(&s);
	assert_int_equal(again.seq, first.seq);
	assert_memory_equal(again.payload, answer, first.len);
	/* The slot may be retired by then, but not used again. */
	rig.slots[0].state = DAWN_SLOT_RETIRED;
	EXPECT(&req, XDP_TX, http_resend);
	rig.slots[0].gen++;
	EXPECT_SAME(&req, XDP_DROP, no_socket);
	assert_int_equal(dawn_owner_state(peer_flow(&p)->owner),
			 DAWN_OWNER_KERNEL);
}

static void test_orphan_stop(void **state)
{
	struct peer p = connected(4);
	struct pkt req = peer_request(&p, REQUEST("/a")), syn;

	(void)state;
	rig_reactor(false);
	rig.config->reactor_seen_ns = rig_now_ns() - ORPHAN_NS;
	EXPECT_SAME(&req, XDP_DROP, orphan_stop);
	p.port++;
	syn = peer_segment(&p, PKT_SYN);
	EXPECT_SAME(&syn, XDP_DROP, orphan_stop);
	rig.config->orphan_ttl_ns = 2 * ORPHAN_NS;
	EXPECT(&req, XDP_TX, http_hit);
	rig.config->orphan_ttl_ns = 0;
	EXPECT_SAME(&req, XDP_DROP, orphan_stop); /* and no resend either */
	rig.config->flags |= DAWN_CONFIG_STANDALONE;
	EXPECT(&req, XDP_TX, http_resend);
}

/* ---- ICMP errors ---- */

/* An error from a router about a segment of ours with that number. */
static struct pkt error_about(const struct peer *p, uint32_t seq)
{
	static uint8_t frame[PKT_FRAME_MAX];
	struct pkt quoted = peer_segment(p, PKT_ACK), e;
	uint8_t swap[16];
	size_t len;

	memcpy(swap, quoted.src, 16);
	memcpy(quoted.src, quoted.dst, 16);
	memcpy(quoted.dst, swap, 16);
	quoted.sport = RIG_HTTP_PORT;
	quoted.dport = p->port;
	quoted.seq = seq;
	len = pkt_build(&quoted, frame);
	e = rig_packet(p->family,
		       p->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	e.src[15] = 99;
	e.icmp_type = p->family == 4 ? 3 : 2;
	e.icmp_code = p->family == 4 ? 4 : 0;
	e.icmp_rest = 1400;
	e.payload = frame + 14;
	e.len = len - 14;
	return e;
}

static void test_icmp_errors(void **state)
{
	struct pkt req, e;
	struct peer p;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		p = connected(family);
		e = error_about(&p, p.rcv_nxt); /* nothing is in flight */
		EXPECT_SAME(&e, XDP_PASS, pass_icmp_other);
		req = peer_request(&p, REQUEST("/a"));
		EXPECT(&req, XDP_TX, http_hit);
		e = error_about(&p, p.rcv_nxt - 1);
		EXPECT_SAME(&e, XDP_PASS, pass_icmp_other);
		e = error_about(&p, p.rcv_nxt + rig.slots[0].resp_len);
		EXPECT_SAME(&e, XDP_PASS, pass_icmp_other);
		e = error_about(&p, p.rcv_nxt);
		e.len = family == 4 ? 27 : 47; /* a byte short */
		EXPECT_SAME(&e, XDP_PASS, pass_icmp_other);
		e.len++; /* all that must be quoted */
		EXPECT_SAME(&e, XDP_REDIRECT, icmp_error);
		assert_int_equal(rig_count(to_user), 1);
		assert_int_equal(dawn_owner_flags(peer_flow(&p)->owner),
				 DAWN_OWNER_CLEAN);
		set_owner(&p, DAWN_OWNER_USER, 0, 7);
		e = error_about(&p, 12345); /* the reactor knows better */
		EXPECT_SAME(&e, XDP_REDIRECT, icmp_error);
		p.port++;
		e = error_about(&p, p.rcv_nxt);
		EXPECT_SAME(&e, XDP_PASS, pass_icmp_other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_give_up, setup),
		cmocka_unit_test_setup(test_give_up_unacked, setup),
		cmocka_unit_test_setup(test_no_reactor, setup),
		cmocka_unit_test_setup(test_standalone, setup),
		cmocka_unit_test_setup(test_locked, setup),
		cmocka_unit_test_setup(test_generation, setup),
		cmocka_unit_test_setup(test_not_this_flow, setup),
		cmocka_unit_test_setup(test_user_owned, setup),
		cmocka_unit_test_setup(test_reclaim, setup),
		cmocka_unit_test_setup(test_late_reactor, setup),
		cmocka_unit_test_setup(test_stale_incarnation, setup),
		cmocka_unit_test_setup(test_orphan, setup),
		cmocka_unit_test_setup(test_orphan_stop, setup),
		cmocka_unit_test_setup(test_icmp_errors, setup),
	};

	return cmocka_run_group_tests(tests, rig_open, rig_close);
}
