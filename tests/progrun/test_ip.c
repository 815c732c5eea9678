// SPDX-License-Identifier: MIT OR Apache-2.0
/* The IP header of what XDP sends. */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/progrun/rig.h"

/* RFC 9293, 3.9: what a service says of its packets. */
static void set_ttl_and_dscp(int family, uint8_t ttl, uint8_t dscp)
{
	struct dawn_service_key key, *prev = NULL;
	struct dawn_service s;
	int fd = rig_map("services"), found = 0;

	for (; !bpf_map_get_next_key(fd, prev, &key); prev = &key) {
		if (key.proto != IPPROTO_TCP ||
		    dawn_addr_is_v4(&key.addr) != (family == 4))
			continue;
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &s), 0);
		s.ttl = ttl;
		s.dscp = dscp;
		assert_int_equal(bpf_map_update_elem(fd, &key, &s, BPF_ANY), 0);
		found++;
	}
	assert_true(found);
}

static void expect_ip(uint8_t ttl, uint8_t tos)
{
	struct pkt got;
	const char *wrong = pkt_parse(&got, rig.out, rig.out_len);

	if (wrong)
		fail_msg("answer: %s", wrong);
	assert_int_equal(got.ttl, ttl);
	assert_int_equal(got.tos, tos);
}

static void test_ttl_and_dscp(void **state)
{
	struct pkt s;
	struct peer p;

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		rig_cache(0, "/a", 300);
		p = rig_peer(family);
		peer_connect(&p);
		s = peer_request(&p, REQUEST("/a"));
		s.tos = 0xb8; /* the peer's is not ours */
		EXPECT(&s, XDP_TX, http_hit);
		expect_ip(DAWN_TTL, 0);
		p.snd_nxt += (uint32_t)s.len;
		p.rcv_nxt += rig.slots[0].resp_len;
		set_ttl_and_dscp(family, 255, 46);
		s = peer_request(&p, REQUEST("/a"));
		EXPECT(&s, XDP_TX, http_hit);
		expect_ip(255, 46 << 2);
		p.port++;
		s = peer_segment(&p, PKT_SYN);
		EXPECT(&s, XDP_TX, syn_cookie);
		expect_ip(255, 46 << 2);
		set_ttl_and_dscp(family, 1, 63);
		s = peer_segment(&p, PKT_ACK);
		EXPECT(&s, XDP_TX, cookie_bad);
		expect_ip(1, 63 << 2);
		set_ttl_and_dscp(family, 0, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ttl_and_dscp, rig_reset),
	};

	return cmocka_run_group_tests(tests, rig_open, rig_close);
}
