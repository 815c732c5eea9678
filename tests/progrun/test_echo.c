// SPDX-License-Identifier: MIT OR Apache-2.0
/* Everything below TCP: link layer, IP, access list, echo, HBTP Pings. */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "maps/access.h"
#include "tests/progrun/rig.h"

static const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789";

static struct pkt echo(int family)
{
	struct pkt p =
		rig_packet(family, family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);

	p.icmp_type = family == 4 ? 8 : 128;
	p.icmp_rest = 0xbeef0001;
	p.payload = text;
	p.len = sizeof(text);
	return p;
}

static void expect_echo(const struct pkt *p)
{
	struct pkt got;

	if (p->family == 4)
		EXPECT(p, XDP_TX, icmp_echo);
	else
		EXPECT(p, XDP_TX, icmp6_echo);
	got = rig_answer(p);
	assert_int_equal(got.icmp_type, p->family == 4 ? 0 : 129);
	assert_int_equal(got.icmp_rest, p->icmp_rest);
	assert_int_equal(got.len, p->len);
	assert_memory_equal(got.payload, p->payload, p->len);
	assert_int_equal(got.tos, p->tos & ~3);
}

static void test_echo(void **state)
{
	static uint8_t big[1472];
	struct pkt p;

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 13);
	for (int family = 4; family <= 6; family += 2) {
		p = echo(family);
		expect_echo(&p);
		p.tos = 0xb9; /* DSCP EF; ECN is not echoed */
		expect_echo(&p);
		p.payload = big;
		for (p.len = 0; p.len < 40; p.len++)
			expect_echo(&p);
		p.len = family == 4 ? 1472 : 1452;
		expect_echo(&p);
		p.len = 3;
		p.pad_to = 60;
		expect_echo(&p);
	}
}

static void test_echo_vlan(void **state)
{
	struct pkt p;

	(void)state;
	for (int family = 4; family <= 6; family += 2)
		for (int tags = 1; tags <= 2; tags++) {
			p = echo(family);
			p.vlans = tags;
			p.tpid[0] = tags == 2 ? 0x88a8 : 0x8100;
			p.tci[0] = 0x6123;
			p.tpid[1] = 0x8100;
			p.tci[1] = 0x0fff;
			expect_echo(&p);
		}
}

/* A damaged request must not become a right answer. */
static void test_echo_damage(void **state)
{
	struct pkt p = echo(4), got;

	(void)state;
	p.csum = PKT_CSUM_BAD;
	assert_int_equal(rig_run(&p), XDP_TX);
	assert_string_equal(pkt_parse(&got, rig.out, rig.out_len),
			    "L4 checksum wrong");
}

static void test_echo_not_ours(void **state)
{
	static const uint8_t nops[4] = { 1, 1, 1, 0 };
	static const uint8_t dest_opts[8] = { 0, 0, 1, 4 };
	struct pkt p;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		p = echo(family);
		p.dst[15]++;
		EXPECT_SAME(&p, XDP_PASS, pass_no_service);
		p = echo(family);
		p.dst_mac[0] = 0x33;
		EXPECT_SAME(&p, XDP_PASS, pass_no_service);
		p = echo(family);
		p.icmp_type = family == 4 ? 13 : 135;
		EXPECT_SAME(&p, XDP_PASS, pass_icmp_other);
		p = echo(family);
		p.icmp_type = family == 4 ? 0 : 129;
		EXPECT_SAME(&p, XDP_PASS, pass_icmp_other);
		p = echo(family);
		p.icmp_code = 1;
		EXPECT_SAME(&p, XDP_PASS, pass_malformed);
		p = echo(family);
		p.frag = family == 4 ? 0x2000 : 1;
		EXPECT_SAME(&p, XDP_PASS, pass_echo_unsuitable);
		p = echo(family);
		p.ip_extra = family == 4 ? nops : dest_opts;
		p.ip_extra_len = family == 4 ? 4 : 8;
		p.ext_proto = IPPROTO_DSTOPTS;
		EXPECT_SAME(&p, XDP_PASS, pass_echo_unsuitable);
	}
}

/* Every cut of a good packet passes, untouched. */
static void test_truncated(void **state)
{
	struct pkt p;
	uint8_t frame[PKT_FRAME_MAX];
	size_t len;

	(void)state;
	for (int family = 4; family <= 6; family += 2)
		for (int tags = 0; tags <= 2; tags++) {
			p = echo(family);
			p.vlans = tags;
			p.tpid[0] = p.tpid[1] = 0x8100;
			len = pkt_build(&p, frame);
			for (size_t n = 14; n < len; n++) {
				rig_mark();
				assert_int_equal(rig_run_raw(frame, n),
						 XDP_PASS);
				assert_int_equal(rig_count(pass_malformed), 1);
				assert_int_equal(rig.out_len, n);
				assert_memory_equal(rig.out, frame, n);
			}
		}
}

/* So that a lie is found, and not its checksum. */
static void fix_ipv4_sum(uint8_t *b)
{
	uint32_t sum = 0;

	b[10] = b[11] = 0;
	for (int i = 0; i < 20; i += 2)
		sum += pkt_be16(b + i);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	b[10] = (uint8_t)(sum >> 8);
	b[11] = (uint8_t)sum;
}

/* Headers that lie. */
static void test_lies(void **state)
{
	static const struct {
		int family;
		size_t at;
		uint8_t value;
	} lies[] = {
		{ 4, 14, 0x55 }, /* version 5 */
		{ 4, 14, 0x44 }, /* ihl below 5 */
		{ 4, 14, 0x4f }, /* ihl behind the end of a short packet */
		{ 4, 16, 0x40 }, /* total length beyond the frame */
		{ 4, 17, 0x08 }, /* total length below the header */
		{ 4, 24, 0x99 }, /* checksum */
		{ 4, 26, 127 },  /* from loopback */
		{ 4, 26, 0 },    /* from nowhere */
		{ 4, 26, 224 },  /* from a group */
		{ 4, 26, 255 },  /* from all */
		{ 6, 14, 0x40 }, /* version 4 */
		{ 6, 18, 0x40 }, /* payload beyond the frame */
		{ 6, 22, 0xff }, /* from a group */
	};
	uint8_t frame[PKT_FRAME_MAX];
	struct pkt p;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		p = echo(lies[i].family);
		p.len = 2;
		len = pkt_build(&p, frame);
		frame[lies[i].at] = lies[i].value;
		if (lies[i].at == 17)
			frame[16] = 0;
		if (lies[i].family == 4 && lies[i].at != 24)
			fix_ipv4_sum(frame + 14);
		rig_mark();
		assert_int_equal(rig_run_raw(frame, len), XDP_PASS);
		assert_int_equal(rig_count(pass_malformed), 1);
	}
	p = echo(6); /* a mapped address on the wire is no IPv4 service's */
	memset(p.dst, 0, 16);
	memcpy(p.dst + 10, "\377\377\306\022\0\1", 6);
	EXPECT_SAME(&p, XDP_PASS, pass_malformed);
	p = echo(6);
	memset(p.src, 0, 16);
	memcpy(p.src + 10, "\377\377\306\022\0\2", 6);
	EXPECT_SAME(&p, XDP_PASS, pass_malformed);
	p = echo(4);
	p.family = 0;
	p.ethertype = 0x0806;
	EXPECT_SAME(&p, XDP_PASS, pass_ethertype);
}

/* An inner 802.1ad tag is more than a flow entry and the reactor can say. */
static void test_inner_ad(void **state)
{
	struct pkt p = echo(4);

	(void)state;
	p.vlans = 2;
	p.tpid[0] = 0x88a8;
	p.tpid[1] = 0x8100;
	expect_echo(&p);
	p.tpid[1] = 0x88a8;
	EXPECT_SAME(&p, XDP_PASS, pass_ethertype);
}

static void set_access(const struct pkt *p, uint32_t len, uint32_t action)
{
	struct dawn_access_key key = { .prefix_len = len };

	memcpy(key.addr, p->src, 16);
	assert_int_equal(
		bpf_map_update_elem(rig_map("access"), &key, &action, BPF_ANY),
		0);
}

/* Whatever else is odd about a packet that goes to the kernel. */
static void test_access_odd(void **state)
{
	static uint8_t chain[9 * 8];
	struct pkt p;

	(void)state;
	for (size_t i = 0; i < sizeof(chain); i += 8)
		memcpy(chain + i, "\x3c\0\1\4\0\0\0\0", 8);
	chain[sizeof(chain) - 8] = IPPROTO_UDP;
	for (int family = 4; family <= 6; family += 2) {
		p = rig_packet(family, IPPROTO_UDP);
		p.dport = 53;
		p.dst_mac[0] |= 1; /* the kernel takes such UDP */
		EXPECT_SAME(&p, XDP_PASS, pass_no_service);
		set_access(&p, 128, DAWN_ACCESS_DENY);
		EXPECT_SAME(&p, XDP_DROP, access_deny);
	}
	p.dst_mac[0] &= ~1;
	p.ip_extra = chain;
	p.ip_extra_len = sizeof(chain);
	p.ext_proto = IPPROTO_DSTOPTS;
	EXPECT_SAME(&p, XDP_DROP, access_deny);
	set_access(&p, 128, DAWN_ACCESS_ALLOW);
	EXPECT_SAME(&p, XDP_PASS, pass_no_service);
}

static void test_access(void **state)
{
	struct pkt p;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		p = echo(family);
		set_access(&p, family == 4 ? 96 + 15 : 32, DAWN_ACCESS_DENY);
		EXPECT_SAME(&p, XDP_DROP, access_deny);
		set_access(&p, 128, DAWN_ACCESS_ALLOW);
		expect_echo(&p);
		p.src[15]++;
		EXPECT_SAME(&p, XDP_DROP, access_deny);
		/* Also what is not for a service. */
		p.dst[15]++;
		EXPECT_SAME(&p, XDP_DROP, access_deny);
	}
}

/* ---- HBTP ---- */

struct ping {
	uint8_t bytes[128];
	size_t len;
};

static struct ping ping_of(uint8_t opcode, uint8_t flags, uint32_t payload)
{
	struct ping g = { .len = 8 + payload };

	g.bytes[0] = opcode;
	g.bytes[1] = flags;
	g.bytes[2] = 0x34;
	g.bytes[3] = 0x12;
	g.bytes[4] = (uint8_t)payload;
	for (uint32_t i = 0; i < payload; i++)
		g.bytes[8 + i] = (uint8_t)(i + 1);
	return g;
}

static struct pkt datagram(int family, const struct ping *g)
{
	struct pkt p = rig_packet(family, IPPROTO_UDP);

	p.dport = RIG_HBTP_PORT;
	p.payload = g->bytes;
	p.len = g->len;
	return p;
}

static void expect_pong(const struct pkt *p)
{
	struct pkt got;
	const uint8_t *in = p->payload, *out;

	EXPECT(p, XDP_TX, hbtp_pong);
	got = rig_answer(p);
	assert_int_equal(got.len, p->len);
	out = got.payload;
	assert_int_equal(out[0], 1);
	assert_int_equal(out[1], 0);
	assert_memory_equal(out + 2, in + 2, p->len - 2);
}

static void test_ping(void **state)
{
	struct ping g;
	struct pkt p;

	(void)state;
	for (int family = 4; family <= 6; family += 2)
		for (uint32_t n = 0; n <= 64; n++) {
			g = ping_of(0, n & 1 ? 4 : 0, n);
			p = datagram(family, &g);
			expect_pong(&p);
			p.csum = PKT_CSUM_PARTIAL;
			expect_pong(&p);
			assert_int_equal(rig_count(csum_partial), 1);
			p.pad_to = 120;
			p.vlans = 1;
			p.tpid[0] = 0x8100;
			p.tci[0] = 100;
			expect_pong(&p);
		}
	p = datagram(4, &g);
	p.csum = PKT_CSUM_NONE;
	expect_pong(&p);
}

static void test_ping_near_misses(void **state)
{
	static const uint8_t nops[4] = { 1, 1, 1, 0 };
	struct ping g;
	struct pkt p;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		g = ping_of(1, 0, 4); /* a Pong */
		p = datagram(family, &g);
		EXPECT_SAME(&p, XDP_PASS, pass_hbtp_other);
		for (int bit = 0; bit < 8; bit++) {
			g = ping_of(0, (uint8_t)(1 << bit), 4);
			p = datagram(family, &g);
			if (bit != 2)
				EXPECT_SAME(&p, XDP_PASS, pass_hbtp_other);
		}
		g = ping_of(0, 0, 65);
		p = datagram(family, &g);
		EXPECT_SAME(&p, XDP_PASS, pass_hbtp_other);
		g = ping_of(0, 0, 8);
		g.len--; /* a byte short of what it says */
		p = datagram(family, &g);
		EXPECT_SAME(&p, XDP_PASS, pass_hbtp_other);
		g.len += 2; /* a byte more */
		p = datagram(family, &g);
		EXPECT_SAME(&p, XDP_PASS, pass_hbtp_other);
		g.len = 7;
		p = datagram(family, &g);
		EXPECT_SAME(&p, XDP_PASS, pass_hbtp_other);
		g = ping_of(0, 0, 0);
		g.bytes[7] = 1; /* length 2^24 */
		p = datagram(family, &g);
		EXPECT_SAME(&p, XDP_PASS, pass_hbtp_other);
		g = ping_of(0, 0, 8);
		p = datagram(family, &g);
		p.csum = PKT_CSUM_BAD;
		EXPECT_SAME(&p, XDP_PASS, pass_udp_bad);
		p.csum = PKT_CSUM_FULL;
		p.frag = family == 4 ? 0x2000 : 1;
		EXPECT_SAME(&p, XDP_PASS, pass_hbtp_other);
		p.frag = family == 4 ? 100 : 800;
		EXPECT_SAME(&p, XDP_PASS, pass_no_service);
		p.frag = 0;
		p.dport++;
		EXPECT_SAME(&p, XDP_PASS, pass_no_service);
	}
	g = ping_of(0, 0, 8);
	p = datagram(6, &g);
	p.csum = PKT_CSUM_NONE; /* not allowed over IPv6 */
	EXPECT_SAME(&p, XDP_PASS, pass_udp_bad);
	p = datagram(4, &g);
	p.ip_extra = nops;
	p.ip_extra_len = 4;
	EXPECT_SAME(&p, XDP_PASS, pass_hbtp_other);
	rig.config->flags |= DAWN_CONFIG_CSUM_STRICT;
	p = datagram(4, &g);
	p.csum = PKT_CSUM_PARTIAL;
	EXPECT_SAME(&p, XDP_PASS, pass_udp_bad);
}

/* All zero, as bpftool leaves config: echo and Pongs work, TCP passes. */
static void test_unconfigured(void **state)
{
	struct ping g = ping_of(0, 0, 8);
	struct pkt p = echo(4);

	(void)state;
	memset(rig.config, 0, sizeof(*rig.config));
	expect_echo(&p);
	p = datagram(6, &g);
	expect_pong(&p);
	p = rig_packet(4, IPPROTO_TCP);
	p.dport = RIG_HTTP_PORT;
	p.flags = PKT_SYN;
	EXPECT_SAME(&p, XDP_PASS, pass_tcp_off);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_echo, rig_reset),
		cmocka_unit_test_setup(test_echo_vlan, rig_reset),
		cmocka_unit_test_setup(test_echo_damage, rig_reset),
		cmocka_unit_test_setup(test_echo_not_ours, rig_reset),
		cmocka_unit_test_setup(test_truncated, rig_reset),
		cmocka_unit_test_setup(test_lies, rig_reset),
		cmocka_unit_test_setup(test_inner_ad, rig_reset),
		cmocka_unit_test_setup(test_access, rig_reset),
		cmocka_unit_test_setup(test_access_odd, rig_reset),
		cmocka_unit_test_setup(test_ping, rig_reset),
		cmocka_unit_test_setup(test_ping_near_misses, rig_reset),
		cmocka_unit_test_setup(test_unconfigured, rig_reset),
	};

	return cmocka_run_group_tests(tests, rig_open, rig_close);
}
