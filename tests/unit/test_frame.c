/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* user/net/frame.c: frames made by scapy are understood and equal ours; every
 * truncation and many mutations of them neither read past the end (a PROT_NONE
 * page stands there) nor pass for what they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/frame_vectors.h"
#include "maps/config.h"
#include "user/net/frame.h"

#define PAGE 4096

struct vector {
	const char *name;
	const uint8_t *data;
	uint32_t len;
	enum dawn_frame_kind kind;
	uint32_t payload; /* TCP */
};

#define V(name, kind, payload)                                        \
	{                                                             \
		#name, name, sizeof(name), DAWN_FRAME_##kind, payload \
	}
static const struct vector vectors[] = {
	V(v4_plain, TCP, 11),
	V(v4_odd_length, TCP, 1),
	V(v4_padded, TCP, 1),
	V(v4_tcp_options, TCP, 11),
	V(v4_ip_options, TCP, 11),
	V(v4_vlan, TCP, 11),
	V(v4_fragment, FRAGMENT, 0),
	V(v4_udp, OTHER, 0),
	V(v6_plain, TCP, 11),
	V(v6_tcp_options, TCP, 11),
	V(v6_ext, TCP, 11),
	V(v6_qinq, TCP, 11),
	V(v6_atomic, TCP, 11),
	V(v6_fragment, FRAGMENT, 0),
	V(v6_routing_left, OTHER, 0),
	V(v6_mapped_source, MALFORMED, 0),
	V(v4_too_big, ICMP_ERROR, 0),
	V(v4_port_unreachable, ICMP_ERROR, 0),
	V(v4_echo, OTHER, 0),
	V(v6_too_big, ICMP_ERROR, 0),
	V(v6_unreachable, ICMP_ERROR, 0),
	V(v6_echo, OTHER, 0),
};
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

/* A page whose end is followed by one that may not be touched. */
static uint8_t *guard_page(void)
{
	uint8_t *mem = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(mem != MAP_FAILED);
	assert_int_equal(mprotect(mem + PAGE, PAGE, PROT_NONE), 0);
	return mem;
}

static enum dawn_frame_kind parse(const struct vector *v, struct dawn_frame *f)
{
	return dawn_frame_parse(v->data, v->len, true, f);
}

static const struct vector *find(const char *name)
{
	for (size_t i = 0; i < VECTORS; i++) {
		if (!strcmp(vectors[i].name, name))
			return &vectors[i];
	}
	fail_msg("no vector %s", name);
	return NULL;
}

static void kinds(void **state)
{
	struct dawn_frame f;

	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		const struct vector *v = &vectors[i];

		if (parse(v, &f) != v->kind)
			fail_msg("%s: kind %d", v->name, parse(v, &f));
		if (v->kind != DAWN_FRAME_TCP)
			continue;
		if (f.seg.len != v->payload || f.seg.seq != 0x01020304 ||
		    f.seg.ack != 0x0a0b0c0d || f.addr.rport != htons(40000) ||
		    f.addr.lport != htons(80) || f.csum_partial)
			fail_msg("%s: fields", v->name);
		if (v->payload == 11)
			assert_memory_equal(f.seg.data, "hello, dawn", 11);
	}
}

static void addresses(void **state)
{
	static const uint8_t peer[6] = { 2, 0, 0, 0, 0, 1 };
	static const uint8_t self[6] = { 2, 0, 0, 0, 0, 2 };
	struct dawn_addr a4, a6;
	struct dawn_frame f;

	(void)state;
	dawn_addr_from_v4(&a4, inet_addr("198.18.0.1"));
	assert_int_equal(parse(find("v4_vlan"), &f), DAWN_FRAME_TCP);
	assert_memory_equal(f.addr.rmac, peer, 6);
	assert_memory_equal(f.addr.lmac, self, 6);
	assert_true(dawn_addr_equal(&f.addr.raddr, &a4));
	assert_int_equal(ntohs(f.addr.vlan_outer), 3 << 13 | 5);
	assert_int_equal(f.addr.vlan_inner, 0);
	assert_false(f.addr.outer_ad);
	assert_false(f.odd);

	assert_int_equal(inet_pton(AF_INET6, "2001:db8::2", &a6), 1);
	assert_int_equal(parse(find("v6_qinq"), &f), DAWN_FRAME_TCP);
	assert_true(dawn_addr_equal(&f.addr.laddr, &a6));
	assert_int_equal(ntohs(f.addr.vlan_outer), 100);
	assert_int_equal(ntohs(f.addr.vlan_inner), 200);
	assert_true(f.addr.outer_ad);

	assert_int_equal(parse(find("v4_ip_options"), &f), DAWN_FRAME_TCP);
	assert_true(f.odd);
	assert_int_equal(parse(find("v6_ext"), &f), DAWN_FRAME_TCP);
	assert_true(f.odd);
}

static void options(void **state)
{
	static const char *const names[] = { "v4_tcp_options",
					     "v6_tcp_options" };
	struct dawn_frame f;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(parse(find(names[i]), &f), DAWN_FRAME_TCP);
		assert_true(f.seg.has_ts);
		assert_int_equal(f.seg.tsval, 1111);
		assert_int_equal(f.seg.tsecr, 2222);
		assert_int_equal(f.seg.sack_count, 2);
		assert_int_equal(f.seg.sack[0].start, 100);
		assert_int_equal(f.seg.sack[1].end, 400);
		assert_int_equal(f.seg.wnd, 502);
		assert_int_equal(f.seg.flags, DAWN_TCP_ACK);
	}
}

/* Checks the quoted side: `l` is who sent the quoted segment, us. */
static void icmp_errors(void **state)
{
	struct dawn_frame f;

	(void)state;
	assert_int_equal(parse(find("v4_too_big"), &f), DAWN_FRAME_ICMP_ERROR);
	assert_int_equal(f.mtu, 1400);
	assert_false(f.hard);
	assert_int_equal(f.seg.seq, 0x11223344);
	assert_int_equal(f.addr.lport, htons(80));
	assert_int_equal(f.addr.rport, htons(40000));
	assert_int_equal(f.addr.raddr.w[3], inet_addr("198.18.0.1"));
	assert_int_equal(parse(find("v4_port_unreachable"), &f),
			 DAWN_FRAME_ICMP_ERROR);
	assert_true(f.hard);
	assert_int_equal(f.mtu, 0);
	assert_int_equal(parse(find("v6_too_big"), &f), DAWN_FRAME_ICMP_ERROR);
	assert_int_equal(f.mtu, 1300);
	assert_int_equal(f.addr.raddr.b[15], 1);
	assert_int_equal(parse(find("v6_unreachable"), &f),
			 DAWN_FRAME_ICMP_ERROR);
	assert_false(f.hard);
}

/* RFC 9293, MUST-55: whatever it quotes, nobody hears of it. */
static void source_quench(void **state)
{
	const struct vector *v = find("v4_port_unreachable");
	uint8_t frame[256];
	struct dawn_frame f;
	uint32_t sum;

	(void)state;
	memcpy(frame, v->data, v->len);
	assert_int_equal(dawn_frame_parse(frame, v->len, true, &f),
			 DAWN_FRAME_ICMP_ERROR);
	frame[34] = 4; /* type, code */
	frame[35] = 0;
	/* RFC 1624: from 0x0303 to 0x0400. */
	sum = ~((uint32_t)frame[36] << 8 | frame[37]) & 0xffff;
	sum += (~0x0303U & 0xffff) + 0x0400;
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	frame[36] = (uint8_t)(sum >> 8);
	frame[37] = (uint8_t)sum;
	assert_int_equal(dawn_frame_parse(frame, v->len, true, &f),
			 DAWN_FRAME_OTHER);
	frame[34] = 12; /* and it was not the checksum */
	frame[36] -= 8;
	assert_int_equal(dawn_frame_parse(frame, v->len, true, &f),
			 DAWN_FRAME_ICMP_ERROR);
}

/* No prefix of a frame is a frame (but for Ethernet padding), or is read past
 * its end. */
static void truncated(void **state)
{
	uint8_t *page = guard_page();
	unsigned int refused = 0;
	struct dawn_frame f;

	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		const struct vector *v = &vectors[i];
		uint32_t pad = !strcmp(v->name, "v4_padded") ? 5 : 0;

		for (uint32_t len = 0; len < v->len - pad; len++) {
			uint8_t *at = page + PAGE - len;
			enum dawn_frame_kind kind;

			memcpy(at, v->data, len);
			kind = dawn_frame_parse(at, len, false, &f);
			if (kind == DAWN_FRAME_TCP ||
			    kind == DAWN_FRAME_ICMP_ERROR)
				fail_msg("%s: %u bytes pass", v->name, len);
			refused++;
		}
	}
	assert_true(refused > 1000);
	munmap(page, 2 * PAGE);
}

/* The sum of everything it covers, in the way that is not the code's own. */
static void fix_checksums(uint8_t *frame)
{
	uint32_t sum = 0;

	frame[24] = frame[25] = 0;
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)(frame[i] << 8 | frame[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
}

static void any_bit_flipped(void **state)
{
	uint8_t buf[512];
	struct dawn_frame f;

	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		const struct vector *v = &vectors[i];
		uint32_t end = v->len;

		if (v->kind != DAWN_FRAME_TCP)
			continue;
		if (!strcmp(v->name, "v4_padded"))
			end -= 5;
		/* The TCP part: all of it is summed. */
		assert_int_equal(parse(v, &f), DAWN_FRAME_TCP);
		for (uint32_t bit = (end - f.seg.len - 20) * 8; bit < end * 8;
		     bit++) {
			memcpy(buf, v->data, v->len);
			buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (dawn_frame_parse(buf, v->len, true, &f) ==
			    DAWN_FRAME_TCP)
				fail_msg("%s: bit %u", v->name, bit);
		}
	}
}

static void lying_lengths(void **state)
{
	uint8_t buf[sizeof(v4_plain)];
	struct dawn_frame f;

	(void)state;
	for (unsigned int total = 0; total < 0x10000; total++) {
		enum dawn_frame_kind kind;

		memcpy(buf, v4_plain, sizeof(buf));
		buf[16] = (uint8_t)(total >> 8);
		buf[17] = (uint8_t)total;
		fix_checksums(buf);
		kind = dawn_frame_parse(buf, sizeof(buf), false, &f);
		if ((kind == DAWN_FRAME_TCP) != (total == sizeof(buf) - 14))
			fail_msg("total length %u: %d", total, kind);
	}
	for (unsigned int ihl = 0; ihl < 16; ihl++) {
		memcpy(buf, v4_plain, sizeof(buf));
		buf[14] = (uint8_t)(0x40 | ihl);
		assert_int_equal(dawn_frame_parse(buf, sizeof(buf), false,
						  &f) == DAWN_FRAME_TCP,
				 ihl == 5);
	}
}

static void random_bytes(void **state)
{
	uint8_t *page = guard_page();
	unsigned int parsed = 0;
	struct dawn_frame f;

	(void)state;
	srandom(1);
	for (int round = 0; round < 200000; round++) {
		const struct vector *v = &vectors[random() % VECTORS];
		uint8_t *at = page + PAGE - v->len;

		memcpy(at, v->data, v->len);
		for (int n = (int)(random() % 4); n >= 0; n--)
			at[14 + random() % (v->len - 14)] = (uint8_t)random();
		if (dawn_frame_parse(at, v->len, false, &f) == DAWN_FRAME_TCP) {
			assert_true(f.seg.sack_count <= DAWN_TCP_SACK_MAX);
			assert_true(f.seg.data + f.seg.len <= page + PAGE);
			parsed++;
		}
	}
	assert_true(parsed > 0);
	munmap(page, 2 * PAGE);
}

/* What a local sender with checksum offload leaves: the sum of the
 * pseudo-header, folded, not complemented. */
static void partial(void **state)
{
	uint8_t buf[sizeof(v4_plain)];
	struct dawn_frame f;
	uint32_t sum = 0;

	(void)state;
	memcpy(buf, v4_plain, sizeof(buf));
	for (int i = 26; i < 34; i += 2)
		sum += (uint32_t)(buf[i] << 8 | buf[i + 1]);
	sum += 6 + 20 + 11;
	sum = (sum & 0xffff) + (sum >> 16);
	buf[50] = (uint8_t)(sum >> 8);
	buf[51] = (uint8_t)sum;
	assert_int_equal(dawn_frame_parse(buf, sizeof(buf), false, &f),
			 DAWN_FRAME_TCP);
	assert_true(f.csum_partial);
	assert_int_equal(dawn_frame_parse(buf, sizeof(buf), true, &f),
			 DAWN_FRAME_CSUM);
	buf[51] ^= 1;
	assert_int_equal(dawn_frame_parse(buf, sizeof(buf), false, &f),
			 DAWN_FRAME_CSUM);
}

static bool believed(uint8_t *seen, bool partial)
{
	bool yes = dawn_frame_sum_believed(*seen, partial);

	dawn_frame_sum_note(seen, partial);
	return yes;
}

/* One frame in 65,536 of a sender that sums everything looks like a partial one,
 * whatever happened to its data. It is not believed where none was before. */
static void partial_once(void **state)
{
	uint8_t seen = DAWN_FRAME_SUMS_NEW;

	(void)state;
	assert_true(believed(&seen, true)); /* unknown yet */
	for (int i = 0; i < 8; i++)
		assert_true(believed(&seen, false));
	assert_false(believed(&seen, true));
	/* But a sender that has begun to leave them to its device is. */
	assert_true(believed(&seen, true));
	/* Nor is it stopped by those that happen to be right. */
	for (int i = 0; i < 7; i++)
		assert_true(believed(&seen, false));
	assert_true(believed(&seen, true));
	/* Those that are not the peer's are asked about, and not noted. */
	for (int i = 0; i < 100; i++)
		assert_true(dawn_frame_sum_believed(seen, false));
	assert_true(dawn_frame_sum_believed(seen, true));
}

static void our_addr(const char *vector, struct dawn_frame_addr *a)
{
	struct dawn_frame f;

	assert_int_equal(parse(find(vector), &f), DAWN_FRAME_TCP);
	*a = f.addr;
}

static void built_as_scapy(void **state)
{
	struct dawn_tcp_seg seg = {
		.seq = 0x11223344,
		.ack = 5,
		.flags = DAWN_TCP_ACK,
		.wnd = 77,
		.data = (const uint8_t *)"hello",
		.len = 5,
		.data2 = (const uint8_t *)", dawn",
		.len2 = 6,
	};
	struct dawn_frame_addr a;
	struct dawn_frame f;
	uint8_t buf[512];

	(void)state;
	our_addr("v4_plain", &a);
	assert_int_equal(dawn_frame_build(buf, sizeof(buf), &a, &seg),
			 sizeof(our_v4));
	assert_memory_equal(buf, our_v4, sizeof(our_v4));

	our_addr("v6_qinq", &a);
	seg.len = seg.len2 = 0;
	seg.has_ts = true;
	seg.tsval = 9;
	seg.tsecr = 8;
	seg.sack_count = 4; /* three fit */
	for (uint32_t i = 0; i < 4; i++)
		seg.sack[i] = (struct dawn_tcp_sack){ 2 * i + 1, 2 * i + 2 };
	assert_int_equal(dawn_frame_build(buf, sizeof(buf), &a, &seg),
			 sizeof(our_v6_sack));
	assert_memory_equal(buf, our_v6_sack, sizeof(our_v6_sack));

	assert_int_equal(parse(find("v4_plain"), &f), DAWN_FRAME_TCP);
	assert_int_equal(dawn_frame_build_rst(buf, sizeof(buf), &f),
			 DAWN_FRAME_MIN);
	assert_memory_equal(buf, our_rst, sizeof(our_rst));
	for (size_t i = sizeof(our_rst); i < DAWN_FRAME_MIN; i++)
		assert_int_equal(buf[i], 0);
}

static void resets(void **state)
{
	struct dawn_frame f, back;
	uint8_t buf[512];
	uint32_t len;

	(void)state;
	assert_int_equal(parse(find("v6_plain"), &f), DAWN_FRAME_TCP);
	f.seg.flags = DAWN_TCP_SYN;
	f.seg.len = 3;
	len = dawn_frame_build_rst(buf, sizeof(buf), &f);
	assert_int_equal(dawn_frame_parse(buf, len, true, &back),
			 DAWN_FRAME_TCP);
	assert_int_equal(back.seg.flags, DAWN_TCP_RST | DAWN_TCP_ACK);
	assert_int_equal(back.seg.seq, 0);
	assert_int_equal(back.seg.ack, f.seg.seq + 4);
	f.seg.flags = DAWN_TCP_RST | DAWN_TCP_ACK;
	assert_int_equal(dawn_frame_build_rst(buf, sizeof(buf), &f), 0);
}

static void swap_ends(struct dawn_frame_addr *a)
{
	struct dawn_frame_addr b = *a;

	memcpy(b.lmac, a->rmac, 6);
	memcpy(b.rmac, a->lmac, 6);
	b.laddr = a->raddr;
	b.raddr = a->laddr;
	b.lport = a->rport;
	b.rport = a->lport;
	*a = b;
}

/* RFC 9293, 3.9: both are the caller's to choose. */
static void ttl_and_dscp(void **state)
{
	struct dawn_tcp_seg seg = { .flags = DAWN_TCP_ACK };
	struct dawn_frame_addr a;
	struct dawn_frame f;
	uint8_t buf[512];
	uint32_t len;

	(void)state;
	our_addr("v4_plain", &a);
	dawn_frame_build(buf, sizeof(buf), &a, &seg);
	assert_int_equal(buf[15], 0);
	assert_int_equal(buf[22], DAWN_TTL);
	a.ttl = 255;
	a.tos = 46 << 2;
	len = dawn_frame_build(buf, sizeof(buf), &a, &seg);
	assert_int_equal(buf[14], 0x45);
	assert_int_equal(buf[15], 46 << 2);
	assert_int_equal(buf[22], 255);
	assert_int_equal(dawn_frame_parse(buf, len, true, &f), DAWN_FRAME_TCP);

	our_addr("v6_plain", &a);
	dawn_frame_build(buf, sizeof(buf), &a, &seg);
	assert_memory_equal(buf + 14, "\x60\0\0\0", 4);
	assert_int_equal(buf[21], DAWN_TTL);
	a.ttl = 1;
	a.tos = 46 << 2;
	len = dawn_frame_build(buf, sizeof(buf), &a, &seg);
	assert_memory_equal(buf + 14, "\x6b\x80\0\0", 4);
	assert_int_equal(buf[21], 1);
	assert_int_equal(dawn_frame_parse(buf, len, true, &f), DAWN_FRAME_TCP);
}

/* Whatever is built is parsed to the same, at every payload length. */
static void round_trips(void **state)
{
	static const char *const from[] = { "v4_plain", "v4_vlan", "v6_plain",
					    "v6_qinq" };
	static uint8_t payload[3000], buf[PAGE];
	unsigned int count = 0;

	(void)state;
	srandom(2);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)random();
	for (uint32_t len = 0; len < 3000; len += 1 + len / 64) {
		uint32_t first = (uint32_t)random() % (len + 1);
		struct dawn_tcp_seg seg = {
			.seq = (uint32_t)random(),
			.ack = (uint32_t)random(),
			.wnd = (uint16_t)random(),
			.flags = DAWN_TCP_ACK | DAWN_TCP_PSH,
			.has_ts = random() & 1,
			.tsval = (uint32_t)random(),
			.sack_count = (uint8_t)(random() % 5),
			.data = payload,
			.len = first,
			.data2 = payload + first,
			.len2 = len - first,
		};
		struct dawn_frame_addr a;
		struct dawn_frame f;
		uint32_t total, sacks = seg.has_ts && seg.sack_count > 3
						? 3
						: seg.sack_count;

		our_addr(from[random() % 4], &a);
		total = dawn_frame_build(buf, sizeof(buf), &a, &seg);
		assert_true(total >= DAWN_FRAME_MIN);
		assert_int_equal(dawn_frame_parse(buf, total, true, &f),
				 DAWN_FRAME_TCP);
		assert_false(f.csum_partial);
		assert_int_equal(f.seg.seq, seg.seq);
		assert_int_equal(f.seg.ack, seg.ack);
		assert_int_equal(f.seg.wnd, seg.wnd);
		assert_int_equal(f.seg.has_ts, seg.has_ts);
		assert_int_equal(f.seg.sack_count, sacks);
		assert_int_equal(f.seg.len, len);
		assert_memory_equal(f.seg.data, payload, len);
		swap_ends(&f.addr);
		assert_memory_equal(&f.addr, &a, sizeof(a));
		count++;
	}
	assert_true(count > 200);
}

static void no_room(void **state)
{
	struct dawn_tcp_seg seg = { .data = (const uint8_t *)"x", .len = 1 };
	struct dawn_frame_addr a;
	uint8_t buf[DAWN_FRAME_HEAD_MAX + 1];

	(void)state;
	our_addr("v4_plain", &a);
	assert_int_not_equal(dawn_frame_build(buf, sizeof(buf), &a, &seg), 0);
	assert_int_equal(dawn_frame_build(buf, sizeof(buf) - 1, &a, &seg), 0);
	seg.len2 = UINT32_MAX;
	assert_int_equal(dawn_frame_build(buf, sizeof(buf), &a, &seg), 0);
}

/* Against the textbook's loop over 16-bit words. */
static void checksums(void **state)
{
	uint8_t buf[2048];

	(void)state;
	srandom(3);
	for (size_t len = 0; len < sizeof(buf); len++) {
		uint32_t sum = 0;
		uint16_t word;

		for (size_t i = 0; i < len; i++)
			buf[i] = len % 7 ? (uint8_t)random() : 0xff;
		for (size_t i = 0; i < len; i += 2) {
			word = buf[i];
			word |= (uint16_t)(i + 1 < len ? buf[i + 1] << 8 : 0);
			sum += word;
			sum = (sum & 0xffff) + (sum >> 16);
		}
		assert_int_equal(dawn_csum_fold(dawn_csum_add(0, buf, len)),
				 __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
					 ? sum
					 : (uint16_t)(sum << 8 | sum >> 8));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(addresses),
		cmocka_unit_test(options),
		cmocka_unit_test(icmp_errors),
		cmocka_unit_test(source_quench),
		cmocka_unit_test(truncated),
		cmocka_unit_test(any_bit_flipped),
		cmocka_unit_test(lying_lengths),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(partial),
		cmocka_unit_test(partial_once),
		cmocka_unit_test(built_as_scapy),
		cmocka_unit_test(ttl_and_dscp),
		cmocka_unit_test(resets),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(no_room),
		cmocka_unit_test(checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
