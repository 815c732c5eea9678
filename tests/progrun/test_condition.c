// SPDX-License-Identifier: MIT OR Apache-2.0
/* Conditional requests (RFC 9110, 13) of kernel-owned flows: which get a 304
 * from XDP, and that all others are the reactor's.
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "tests/progrun/rig.h"

#define TAG   "\"2f-17\""
#define GET   "GET /a HTTP/1.1\r\nHost: x\r\n"
#define HEAD  "HEAD /a HTTP/1.1\r\nHost: x\r\n"
#define NONE  "If-None-Match: "
#define SINCE "If-Modified-Since: "
#define END   "\r\n\r\n"

/* rig.out is the 304 of slot 0 with the Date that the flow says. */
static void check_not_modified(const struct peer *p, const struct pkt *req)
{
	const struct dawn_slot *s = &rig.slots[0];
	const struct dawn_flow *f = peer_flow(p);
	struct pkt got = rig_answer(req);
	uint8_t want[DAWN_NM_MAX], date[DAWN_DATE_LEN];

	assert_int_equal(got.len, s->nm_len);
	memcpy(want, s->nm, sizeof(want));
	memcpy(date, got.payload + s->nm_date_off, sizeof(date));
	assert_memory_equal(date + 25, " GMT", 4);
	memcpy(want + s->nm_date_off, date, sizeof(date));
	assert_memory_equal(got.payload, want, got.len);
	assert_int_equal(got.flags, PKT_ACK | PKT_PSH);
	assert_int_equal(rig_count(http_304), 1);
	assert_int_equal(rig_count(http_hit_segments), 1);
	assert_int_equal(f->resp_kind, DAWN_RESP_NOT_MODIFIED);
	assert_int_equal(f->resp_len, s->nm_len);
	assert_int_equal(f->snd_nxt - f->resp_seq, s->nm_len);
}

static const char *const same[] = {
	GET NONE TAG END,
	GET NONE "W/" TAG END,
	GET "if-none-match:" TAG END,
	GET "Accept: */*\r\n" NONE TAG "\r\nAccept-Encoding: gzip" END,
	HEAD NONE TAG END,
	GET SINCE RIG_MODIFIED END,
	HEAD SINCE RIG_MODIFIED END,
	/* the tag decides (RFC 9110, 13.1.3) */
	GET NONE TAG "\r\n" SINCE RIG_MODIFIED END,
	GET SINCE "Sun, 06 Nov 1994 08:49:37 GMT\r\n" NONE TAG END,
	GET SINCE "x\r\n" NONE TAG END,
};

static void test_same(void **state)
{
	struct pkt req, ack;
	struct peer p;

	(void)state;
	rig_cache_validators(0, "/a", 100, TAG);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		p = rig_peer(rig.family);
		p.ts = i % 2;
		p.port = (uint16_t)(40000 + i);
		peer_connect(&p);
		rig_mark();
		req = peer_request(&p, same[i]);
		EXPECT(&req, XDP_TX, http_hit);
		check_not_modified(&p, &req);
		/* And the connection goes on here. */
		p.snd_nxt += (uint32_t)req.len;
		p.rcv_nxt += rig.slots[0].nm_len;
		p.ts_clock++;
		ack = peer_segment(&p, PKT_ACK);
		EXPECT_SAME(&ack, XDP_DROP, ack_seen);
		assert_int_equal(peer_flow(&p)->resp_kind, DAWN_RESP_NONE);
		req = peer_request(&p, REQUEST("/a"));
		EXPECT(&req, XDP_TX, http_hit);
		assert_int_equal(rig_answer(&req).len, rig.slots[0].resp_len);
	}
}

static const char *const others[] = {
	GET NONE "*" END,
	GET NONE "\"2f-18\"" END,
	GET NONE "\"2f-1\"" END,
	GET NONE "\"2f-177\"" END,
	GET NONE "2f-17" END,
	GET NONE "\"2f-17" END,
	GET NONE "w/" TAG END,
	GET NONE "W/W/" TAG END,
	GET NONE "W/" END,
	GET NONE END,
	GET NONE " " TAG END,
	GET NONE TAG " " END,
	GET NONE TAG "," END,
	GET NONE TAG ", \"x\"" END,
	GET NONE "\"x\", " TAG END,
	GET NONE TAG "\r\n" NONE TAG END,
	GET NONE "\"x\"\r\n" SINCE RIG_MODIFIED END,
	GET SINCE "Sat, 05 Nov 1994 07:38:27 GMT" END,
	GET SINCE "Sat, 05 Nov 1994 07:38:25 GMT" END,
	GET SINCE "Saturday, 05-Nov-94 07:38:26 GMT" END,
	GET SINCE RIG_MODIFIED " " END,
	GET SINCE "Sat, 05 Nov 1994 07:38:26 GM" END,
	GET SINCE END,
	GET SINCE RIG_MODIFIED "\r\n" SINCE RIG_MODIFIED END,
};

static void test_others(void **state)
{
	struct pkt req;
	struct peer p;

	(void)state;
	rig_cache_validators(0, "/a", 100, TAG);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		p = rig_peer(rig.family);
		p.port = (uint16_t)(40000 + i);
		peer_connect(&p);
		rig_mark();
		req = peer_request(&p, others[i]);
		EXPECT_SAME(&req, XDP_REDIRECT, http_condition);
		assert_int_equal(rig_count(http_304), 0);
	}
}

/* Without what they are compared with, or a 304 to send. */
static void test_missing(void **state)
{
	struct dawn_slot *s = &rig.slots[0];
	struct pkt req;
	struct peer p;

	(void)state;
	for (int i = 0; i < 5; i++) {
		rig_cache_validators(0, "/a", 100, TAG);
		s->etag_off = i == 0 ? 0 : s->etag_off;
		s->modified_off = i == 1 ? 0 : s->modified_off;
		s->nm_len = i == 2 || i == 3 ? 0 : s->nm_len;
		if (i == 4) /* never by our writer */
			s->nm_len = DAWN_NM_MAX + 1;
		p = rig_peer(rig.family);
		p.port = (uint16_t)(40000 + i);
		peer_connect(&p);
		rig_mark();
		req = peer_request(&p, i % 2 ? same[5] : same[0]);
		EXPECT_SAME(&req, XDP_REDIRECT, http_condition);
	}
}

/* Tags of every length that is compared, each differing in each byte. */
static void test_lengths(void **state)
{
	char tag[DAWN_ETAG_MAX + 1], text[512];
	struct dawn_flow saved;
	struct pkt req;
	struct peer p;

	(void)state;
	for (size_t n = 2; n <= DAWN_ETAG_MAX; n++) {
		memset(tag, 'x', n);
		tag[0] = tag[n - 1] = '"';
		tag[n] = '\0';
		rig_cache_validators(0, "/a", 10, tag);
		p = rig_peer(rig.family);
		p.port = (uint16_t)(40000 + n);
		p.wnd = 60000;
		peer_connect(&p);
		rig_mark();
		saved = *peer_flow(&p);
		snprintf(text, sizeof(text), GET NONE "%s" END, tag);
		req = peer_request(&p, text);
		EXPECT(&req, XDP_TX, http_hit);
		assert_int_equal(rig_count(http_304), 1);
		for (size_t i = 0; i < n; i++) {
			char *at = strchr(text, '"') + i;

			*peer_flow(&p) = saved;
			rig.queue_sent[0] = 0; /* its queue never is full */
			*at ^= 1;
			req = peer_request(&p, text);
			assert_int_equal(rig_run(&req), XDP_REDIRECT);
			*at ^= 1;
		}
	}
}

/* While no reactor is alive XDP sends it again itself: the same bytes. */
static void test_again(void **state)
{
	struct pkt req, first;
	uint8_t bytes[2048];
	struct peer p;

	(void)state;
	rig_cache_validators(0, "/a", 100, TAG);
	p = rig_peer(rig.family);
	peer_connect(&p);
	rig_reactor(false);
	req = peer_request(&p, same[0]);
	EXPECT(&req, XDP_TX, http_hit);
	first = rig_answer(&req);
	memcpy(bytes, first.payload, first.len);
	EXPECT(&req, XDP_TX, http_resend);
	assert_int_equal(rig_answer(&req).len, first.len);
	assert_memory_equal(rig_answer(&req).payload, bytes, first.len);
}

/* It has no sums of its parts: one that needs two segments is the reactor's. */
static void test_small_mss(void **state)
{
	const struct dawn_slot *s = &rig.slots[0];
	struct pkt req;
	struct peer p;

	(void)state;
	rig_cache_validators(0, "/a", 100, TAG);
	p = rig_peer(rig.family);
	for (uint16_t mss = 88; mss < 300; mss++) {
		uint32_t room = (mss - 12U * (mss % 2)) & ~15U;

		p.port++;
		p.ts = mss % 2;
		peer_connect(&p);
		peer_flow(&p)->mss = mss;
		rig_mark();
		req = peer_request(&p, same[0]);
		if (s->nm_len > room) {
			EXPECT_SAME(&req, XDP_REDIRECT, segments_many);
		} else {
			EXPECT(&req, XDP_TX, http_hit);
			check_not_modified(&p, &req);
		}
		rig.queue_sent[0] = 0; /* its queue never is full */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_small_mss),
	};

	return RIG_ON_WIRES("condition", tests);
}
