// SPDX-License-Identifier: MIT OR Apache-2.0
/* Requests of kernel-owned flows: which are answered, with what bytes, and why
 * the others are not.
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "maps/cache.h"
#include "tests/progrun/rig.h"

static const char date_text[] = "Sun, 06 Nov 1994 08:49:37 GMT";

/* The reactor's Date of now. */
static void set_date(void)
{
	struct dawn_date *d = &rig.config->date[1];
	uint32_t sum = 0;

	memset(d, 0, sizeof(*d));
	d->unix_s = 784111777;
	/* Of the future, so that it is current on a slow machine too. */
	d->mono_s = (uint32_t)(rig_now_ns() / 1000000000) + 100000;
	memcpy(d->text, date_text, DAWN_DATE_LEN);
	for (size_t i = 0; i < sizeof(d->text); i += 2)
		sum += (uint32_t)(d->text[i] | d->text[i + 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	d->sum = (uint16_t)sum;
	rig.config->date_index = 1;
}

static int setup(void **state)
{
	rig_reset(state);
	set_date();
	rig_cache(0, "/a", 10);
	return 0;
}

/* rig.out is a whole response from `slot`, with that Date. Its payload. */
static void check_response(const struct pkt *req, uint32_t slot,
			   const char *date, bool head)
{
	static uint8_t want[DAWN_SLOT_DATA];
	const struct dawn_slot *s = &rig.slots[slot];
	struct pkt got = rig_answer(req);

	memcpy(want, s->data, sizeof(want));
	memcpy(want + s->date_off, date, DAWN_DATE_LEN);
	assert_int_equal(got.len, head ? s->head_len : s->resp_len);
	assert_memory_equal(got.payload, want, got.len);
	assert_int_equal(got.flags, PKT_ACK | PKT_PSH);
	assert_int_equal(got.seq, req->ack);
	assert_int_equal(got.ack, (uint32_t)(req->seq + req->len));
}

/* Sizes around every word, both families, with and without timestamps. */
static void test_hit(void **state)
{
	struct dawn_flow *f;
	struct peer p;
	struct pkt req, ack;

	(void)state;
	for (int bits = 0; bits < 4; bits++) {
		p = rig_peer(bits & 1 ? 6 : 4);
		p.ts = bits & 2;
		p.port = (uint16_t)(40000 + bits);
		p.wnd = 60000;
		peer_connect(&p);
		f = peer_flow(&p);
		for (size_t n = 0; n < 1300; n += n < 70 ? 1 : 61) {
			rig_cache(0, "/a", n);
			req = peer_request(&p, REQUEST("/a"));
			EXPECT(&req, XDP_TX, http_hit);
			assert_int_equal(rig_count(http_hit_segments), 1);
			check_response(&req, 0, date_text, false);
			assert_int_equal(f->resp_kind, DAWN_RESP_GET);
			assert_int_equal(f->req_seq, req.seq);
			assert_int_equal(f->req_len, req.len);
			assert_int_equal(f->resp_date_s, 784111777);
			p.snd_nxt += (uint32_t)req.len;
			p.rcv_nxt += rig.slots[0].resp_len;
			p.ts_clock++;
			ack = peer_segment(&p, PKT_ACK);
			EXPECT_SAME(&ack, XDP_DROP, ack_seen);
			assert_int_equal(f->snd_una, p.rcv_nxt);
			assert_int_equal(f->resp_kind, DAWN_RESP_NONE);
			assert_true(f->srtt_us > 0);
		}
	}
}

static void test_unacked_bit(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt req, ack;
	size_t index;

	(void)state;
	peer_connect(&p);
	index = (size_t)((uint8_t *)peer_flow(&p) - (uint8_t *)rig.flows);
	index = index / sizeof(*rig.flows) * 8 +
		(index % sizeof(*rig.flows) - 64) / 128;
	req = peer_request(&p, REQUEST("/a"));
	EXPECT(&req, XDP_TX, http_hit);
	assert_int_equal(rig.unacked[index / 64], 1ULL << (index & 63));
	p.snd_nxt += (uint32_t)req.len;
	p.rcv_nxt += rig.slots[0].resp_len - 1;
	ack = peer_segment(&p, PKT_ACK);
	EXPECT_SAME(&ack, XDP_DROP, ack_seen);
	assert_int_equal(rig.unacked[index / 64], 1ULL << (index & 63));
	assert_int_equal(peer_flow(&p)->resp_kind, DAWN_RESP_GET);
	p.rcv_nxt++;
	ack = peer_segment(&p, PKT_ACK);
	EXPECT_SAME(&ack, XDP_DROP, ack_seen);
	assert_int_equal(rig.unacked[index / 64], 0);
}

static void test_head(void **state)
{
	struct peer p = rig_peer(6);
	struct pkt req;

	(void)state;
	rig_cache(1, "/big", 14000);
	peer_connect(&p);
	req = peer_request(&p, "HEAD /big HTTP/1.1\r\nHost: x\r\n\r\n");
	EXPECT(&req, XDP_TX, http_hit);
	check_response(&req, 1, date_text, true);
	assert_int_equal(peer_flow(&p)->resp_kind, DAWN_RESP_HEAD);
}

/* The same request next on the same flow, and with tags. */
static void test_keep_alive(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt req;

	(void)state;
	p.vlans = 2;
	peer_connect(&p);
	for (int i = 0; i < 100; i++) {
		req = peer_request(&p, REQUEST("/a"));
		EXPECT(&req, XDP_TX, http_hit);
		check_response(&req, 0, date_text, false);
		p.snd_nxt += (uint32_t)req.len;
		p.rcv_nxt += rig.slots[0].resp_len;
	}
	req = peer_request(&p, REQUEST("/a"));
	req.pad_to = 400; /* what a trailer would look like */
	EXPECT(&req, XDP_TX, http_hit);
	check_response(&req, 0, date_text, false);
}

/* ---- which requests ---- */

struct request_case {
	const char *text;
	size_t reason; /* counter index */
	const char *name;
};

#define AT(n) offsetof(struct dawn_stats, n) / sizeof(uint64_t), #n
#define H     "GET /a HTTP/1.1\r\nHost: x\r\n"

static const struct request_case cases[] = {
	/* answered */
	{ REQUEST("/a"), AT(http_hit) },
	{ "GET /a HTTP/1.1\r\nhOsT:x\r\n\r\n", AT(http_hit) },
	{ "GET /a HTTP/1.1\r\nHOST: [2001:db8::1]:80\r\n\r\n", AT(http_hit) },
	{ H "User-Agent: wrk/4.1.0\r\nAccept: */*\r\n\r\n", AT(http_hit) },
	{ H "Connection: keep-alive\r\n\r\n", AT(http_hit) },
	{ H "CONNECTION:Keep-Alive\r\n\r\n", AT(http_hit) },
	{ H "Accept-Encoding: gzip, deflate\r\n\r\n", AT(http_hit) },
	{ H "Accept-Language: de\r\nReferer: http://x/\r\nDNT: 1\r\n\r\n",
	  AT(http_hit) },
	{ H "Upgrade-Insecure-Requests: 1\r\nSec-GPC: 1\r\nPriority: u=0\r\n"
	    "\r\n",
	  AT(http_hit) },
	{ H "sec-ch-ua: \"x\"\r\nsec-ch-ua-mobile: ?0\r\n"
	    "sec-ch-ua-platform: \"Linux\"\r\nSec-Fetch-Site: none\r\n"
	    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\n"
	    "Sec-Fetch-Dest: document\r\n\r\n",
	  AT(http_hit) },
	{ H "User-Agent:\r\n\r\n", AT(http_hit) },
	/* method, target, version */
	{ "POST /a HTTP/1.1\r\nHost: x\r\n\r\n", AT(http_method) },
	{ "get /a HTTP/1.1\r\nHost: x\r\n\r\n", AT(http_method) },
	{ "GETS /a HTTP/1.1\r\nHost: x\r\n\r\n", AT(http_method) },
	{ "HEADS /a HTTP/1.1\r\nHost: x\r\n\r\n", AT(http_method) },
	{ "\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n", AT(http_method) },
	{ "GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n", AT(http_target) },
	{ "GET * HTTP/1.1\r\nHost: x\r\n\r\n", AT(http_target) },
	{ "GET  /a HTTP/1.1\r\nHost: x\r\n\r\n", AT(http_target) },
	{ "GET / HTTP/1.\r\nHost: x\r\n\r\n", AT(http_target) },
	{ "GET /a HTTP/1.0\r\nHost: x\r\n\r\n", AT(http_version) },
	{ "GET /a HTTP/1.2\r\nHost: x\r\n\r\n", AT(http_version) },
	{ "GET /a http/1.1\r\nHost: x\r\n\r\n", AT(http_version) },
	{ "GET /a HTTP/1.1 \r\nHost: x\r\n\r\n", AT(http_version) },
	{ "GET /a\r\nHost: x\r\n\r\n", AT(http_target) },
	/* Host */
	{ "GET /a HTTP/1.1\r\nAccept: x\r\n\r\n", AT(http_host) },
	{ "GET /a HTTP/1.1\r\n\r\n", AT(http_host) },
	{ H "Host: x\r\n\r\n", AT(http_host) },
	{ "GET /a HTTP/1.1\r\nHost:\r\n\r\n", AT(http_host) },
	{ "GET /a HTTP/1.1\r\nHost: \r\n\r\n", AT(http_host) },
	{ "GET /a HTTP/1.1\r\nHost:  x\r\n\r\n", AT(http_host) },
	{ "GET /a HTTP/1.1\r\nHost: x \r\n\r\n", AT(http_host) },
	{ "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", AT(http_host) },
	{ "GET /a HTTP/1.1\r\nHost: a@b\r\n\r\n", AT(http_host) },
	{ "GET /a HTTP/1.1\r\nHost: "
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "\r\n\r\n",
	  AT(http_host) },
	/* fields that may change the answer */
	{ H "Range: bytes=0-1\r\n\r\n", AT(http_header) },
	{ H "Authorization: x\r\n\r\n", AT(http_header) },
	{ H "Cookie: x\r\n\r\n", AT(http_header) },
	{ H "Upgrade: x\r\n\r\n", AT(http_header) },
	{ H "Expect: 100-continue\r\n\r\n", AT(http_header) },
	{ H "Transfer-Encoding: chunked\r\n\r\n", AT(http_header) },
	{ H "Content-Length: 0\r\n\r\n", AT(http_header) },
	{ H "If-None-Match: x\r\n\r\n", AT(http_condition) },
	{ H "If-Modified-Since: x\r\n\r\n", AT(http_condition) },
	{ H "If-Match: x\r\n\r\n", AT(http_header) },
	{ H "If-Unmodified-Since: x\r\n\r\n", AT(http_header) },
	{ H "If-Range: x\r\n\r\n", AT(http_header) },
	{ H "Cache-Control: no-cache\r\n\r\n", AT(http_header) },
	{ H "Pragma: no-cache\r\n\r\n", AT(http_header) },
	{ H "TE: trailers\r\n\r\n", AT(http_header) },
	{ H "X: y\r\n\r\n", AT(http_header) },
	{ H ": y\r\n\r\n", AT(http_header) },
	{ H "Connection: close\r\n\r\n", AT(http_value) },
	{ H "Connection: keep-alive, x\r\n\r\n", AT(http_value) },
	{ H "Connection:  keep-alive\r\n\r\n", AT(http_value) },
	{ H "Connection:\r\n\r\n", AT(http_value) },
	/* near the listed names */
	{ H "Accepu: x\r\n\r\n", AT(http_header) },
	{ H "Bccept: x\r\n\r\n", AT(http_header) },
	{ H "Accept : x\r\n\r\n", AT(http_header) },
	{ H " Accept: x\r\n\r\n", AT(http_header) },
	{ H "User_Agent: x\r\n\r\n", AT(http_header) },
	{ H "Sec-Fetch-Sitf: x\r\n\r\n", AT(http_header) },
	{ H "Sec-Fetdh-Site: x\r\n\r\n", AT(http_header) },
	{ H "Upgrade-Insecure-Requestt: x\r\n\r\n", AT(http_header) },
	{ H "Upgrade-Insedure-Requests: x\r\n\r\n", AT(http_header) },
	{ H "sec-ch-ua-platforn: x\r\n\r\n", AT(http_header) },
	{ H "Accept\r\n\r\n", AT(http_header) },
	{ H "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: x\r\n\r\n",
	  AT(http_header) },
	/* bytes that no simple request has */
	{ H "Accept: \001\r\n\r\n", AT(http_value) },
	{ H "Accept: \t\r\n\r\n", AT(http_value) },
	{ H "Accept: \177\r\n\r\n", AT(http_value) },
	{ H "Accept: \200\r\n\r\n", AT(http_value) },
	{ H "Accept: \377\r\n\r\n", AT(http_value) },
	{ H "Accept: x\n\r\n", AT(http_value) },
	{ H "Accept: x\rb\r\n\r\n", AT(http_value) },
	{ H "Accept: x\r\r\n\r\n", AT(http_value) },
	{ "GET /a\037 HTTP/1.1\r\nHost: x\r\n\r\n", AT(http_value) },
	{ "GET /a HTTP/1.1\nHost: x\n\n", AT(http_value) },
	/* more or less than a request */
	{ H "\r\nG", AT(http_pipelined) },
	{ REQUEST("/a") REQUEST("/a"), AT(http_pipelined) },
	{ H "\r", AT(http_incomplete) },
	{ H, AT(http_incomplete) },
	{ "GET /a HTTP/1.1\r\nHost: x\r", AT(http_incomplete) },
	{ "G", AT(http_incomplete) },
	/* the cache */
	{ REQUEST("/b"), AT(cache_miss) },
	{ REQUEST("/a?"), AT(cache_miss) },
	{ REQUEST("/"), AT(cache_miss) },
	{ REQUEST("/a b"), AT(cache_miss) },
};

static void run_case(const struct request_case *c, int family)
{
	struct peer p = rig_peer(family);
	bool hit = c->reason == offsetof(struct dawn_stats, http_hit) / 8;
	struct pkt req;

	peer_connect(&p);
	req = peer_request(&p, c->text);
	rig_expect(&req, hit ? XDP_TX : XDP_REDIRECT, c->reason, c->name);
	if (hit) {
		check_response(&req, 0, date_text, false);
		return;
	}
	assert_int_equal(rig.out_len, rig.in_len);
	assert_memory_equal(rig.out, rig.in, rig.in_len);
	assert_int_equal(rig_count(to_user), 1);
	assert_int_equal(rig.queue_sent[0], 1);
	assert_int_equal(
		peer_flow(&p)->owner >> 24,
		dawn_owner(DAWN_OWNER_USER, DAWN_OWNER_CLEAN, 0, 7, 0) >> 24);
	assert_int_equal(peer_flow(&p)->rcv_nxt, p.snd_nxt);
}

static void test_requests(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int family = 4; family <= 6; family += 2) {
			setup(state);
			run_case(&cases[i], family);
		}
}

/* Each cut of a request is incomplete, whatever its length does to words. */
static void test_prefixes(void **state)
{
	static const char text[] = H
		"User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";
	struct peer p;
	struct pkt req;

	for (size_t n = 1; n < sizeof(text) - 1; n++) {
		setup(state);
		p = rig_peer(4);
		peer_connect(&p);
		req = peer_request(&p, text);
		req.len = n;
		EXPECT_SAME(&req, XDP_REDIRECT, http_incomplete);
	}
}

/* Targets of every length, and one too many. */
static void test_targets(void **state)
{
	char target[DAWN_TARGET_MAX + 2], text[512];
	struct peer p = rig_peer(4);
	struct pkt req;

	(void)state;
	peer_connect(&p);
	memset(target, 'x', sizeof(target));
	target[0] = '/';
	for (size_t n = 1; n <= DAWN_TARGET_MAX + 1; n++) {
		target[n] = '\0';
		rig_uncache();
		if (n <= DAWN_TARGET_MAX)
			rig_cache(0, target, n);
		snprintf(text, sizeof(text), REQUEST("%s"), target);
		req = peer_request(&p, text);
		if (n > DAWN_TARGET_MAX) {
			EXPECT_SAME(&req, XDP_REDIRECT, http_target);
			break;
		}
		EXPECT(&req, XDP_TX, http_hit);
		check_response(&req, 0, date_text, false);
		p.snd_nxt += (uint32_t)req.len;
		p.rcv_nxt += rig.slots[0].resp_len;
		target[n] = 'x';
	}
}

static void add_vhost(const char *name, uint32_t id)
{
	struct dawn_vhost_key key = { 0 };

	memcpy(key.name, name, strlen(name));
	assert_int_equal(
		bpf_map_update_elem(rig_map("vhosts"), &key, &id, BPF_ANY), 0);
	rig.config->vhosts++;
}

static void test_vhosts(void **state)
{
	static const struct {
		const char *host;
		bool hit;
	} hosts[] = {
		{ "example.org", true },     { "EXAMPLE.org", true },
		{ "example.org:80", true },  { "example.org:", true },
		{ "example.or", false },     { "example.org.", false },
		{ "xample.org", false },     { "[2001:db8::1]", true },
		{ "[2001:DB8::1]:8", true }, { "2001:db8::1", false },
		{ "other.org", false },
	};
	struct peer p;
	struct pkt req;
	char text[128];

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		setup(state);
		p = rig_peer(4);
		peer_connect(&p);
		add_vhost("example.org", 5);
		add_vhost("[2001:db8::1]", 5);
		add_vhost("other.org", 6); /* known, but nothing is cached */
		rig.slots[0].key.vhost = 5;
		struct dawn_index_value where = { .slot = 0,
						  .gen = rig.slots[0].gen };
		struct dawn_index_key key;

		dawn_cache_hash(&key, &rig.config->cache_key,
				&rig.slots[0].key);
		bpf_map_update_elem(rig_map("cache_index"), &key, &where,
				    BPF_ANY);
		snprintf(text, sizeof(text),
			 "GET /a HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i].host);
		req = peer_request(&p, text);
		if (hosts[i].hit)
			EXPECT(&req, XDP_TX, http_hit);
		else if (!strcmp(hosts[i].host, "other.org"))
			EXPECT_SAME(&req, XDP_REDIRECT, cache_miss);
		else
			EXPECT_SAME(&req, XDP_REDIRECT, http_host);
	}
}

/* ---- which slots ---- */

static void expect_slot(void **state, void (*spoil)(struct dawn_slot *),
			const char *text, size_t reason, const char *name)
{
	struct peer p = rig_peer(4);
	struct pkt req;

	setup(state);
	peer_connect(&p);
	spoil(&rig.slots[0]);
	req = peer_request(&p, text);
	rig_expect(&req, XDP_REDIRECT, reason, name);
}

static void slot_retired(struct dawn_slot *s)
{
	s->state = DAWN_SLOT_RETIRED;
}

static void slot_reused(struct dawn_slot *s)
{
	s->gen++;
}

static void slot_other_target(struct dawn_slot *s)
{
	s->key.target[1] = 'b';
}

static void slot_other_group(struct dawn_slot *s)
{
	s->key.group++;
}

static void slot_other_vhost(struct dawn_slot *s)
{
	s->key.vhost++;
}

static void slot_longer_target(struct dawn_slot *s)
{
	s->key.target_len++;
}

static void slot_expired(struct dawn_slot *s)
{
	s->expires_ns = 1;
}

static void slot_varies(struct dawn_slot *s)
{
	s->flags = DAWN_ENTRY_VARIES;
}

static void slot_huge(struct dawn_slot *s)
{
	s->resp_len = 1U << 31;
}

static void slot_late_date(struct dawn_slot *s)
{
	s->date_off = (uint16_t)(s->resp_len & ~3U);
}

static void test_slots(void **state)
{
	static const char enc[] = H "Accept-Encoding: gzip\r\n\r\n";
	struct peer p = rig_peer(4);
	struct pkt req;

	expect_slot(state, slot_retired, REQUEST("/a"), AT(cache_gone));
	expect_slot(state, slot_reused, REQUEST("/a"), AT(cache_gone));
	expect_slot(state, slot_other_target, REQUEST("/a"),
		    AT(cache_key_differs));
	expect_slot(state, slot_other_group, REQUEST("/a"),
		    AT(cache_key_differs));
	expect_slot(state, slot_other_vhost, REQUEST("/a"),
		    AT(cache_key_differs));
	expect_slot(state, slot_longer_target, REQUEST("/a"),
		    AT(cache_key_differs));
	expect_slot(state, slot_expired, REQUEST("/a"), AT(cache_expired));
	expect_slot(state, slot_varies, enc, AT(cache_varies));
	expect_slot(state, slot_huge, REQUEST("/a"), AT(tcp_window));
	expect_slot(state, slot_late_date, REQUEST("/a"), AT(segments_many));
	setup(state);
	peer_connect(&p);
	rig.slots[0].flags = DAWN_ENTRY_VARIES;
	rig.slots[0].expires_ns = rig_now_ns() + 3600000000000ULL;
	req = peer_request(&p, REQUEST("/a"));
	EXPECT(&req, XDP_TX, http_hit);
}

/* ---- Date ---- */

static void test_own_date(void **state)
{
	struct peer p = rig_peer(4);
	time_t before = time(NULL);
	char text[32];
	struct pkt req, got;
	struct tm tm;
	bool found = false;

	(void)state;
	peer_connect(&p);
	rig.config->date[1].mono_s -= 100000 + 3; /* no reactor writes it */
	req = peer_request(&p, REQUEST("/a"));
	EXPECT(&req, XDP_TX, http_hit);
	got = rig_answer(&req);
	for (time_t t = before; t <= time(NULL); t++) {
		gmtime_r(&t, &tm);
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		found |= !memcmp((const uint8_t *)got.payload + 44, text,
				 DAWN_DATE_LEN);
	}
	assert_true(found);
}

/* Days around every kind of year's end, through a response sent again. */
static void test_dates(void **state)
{
	static const uint32_t days[] = { 0,     1,     58,    59,    60,
					 364,   365,   789,   790,   11015,
					 11016, 11322, 16494, 20000, 24855,
					 47481, 47540, 47541, 49709 };
	struct peer p = rig_peer(4);
	struct pkt req;
	char text[32];
	struct tm tm;

	(void)state;
	peer_connect(&p);
	req = peer_request(&p, REQUEST("/a"));
	EXPECT(&req, XDP_TX, http_hit);
	rig_reactor(false);
	for (size_t i = 0; i < 2 * sizeof(days) / sizeof(days[0]); i++) {
		time_t t = (time_t)days[i / 2] * 86400 + (i & 1 ? 86399 : 3661);

		peer_flow(&p)->resp_date_s = (uint32_t)t;
		EXPECT(&req, XDP_TX, http_resend);
		gmtime_r(&t, &tm);
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		check_response(&req, 0, text, false);
	}
}

/* ---- more than one segment ---- */

static void test_clones(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt req;
	size_t seg = (1460 - 12) & ~15U, n;

	(void)state;
	p.wnd = 60000;
	peer_connect(&p);
	for (n = 2; n <= 10; n++) {
		rig_cache(1, "/n", n * seg - 200);
		assert_int_equal((rig.slots[1].resp_len + seg - 1) / seg, n);
		req = peer_request(&p, REQUEST("/n"));
		EXPECT(&req, XDP_REDIRECT, http_hit);
		assert_int_equal(rig_count(http_hit_segments), n);
		assert_int_equal(rig_count(tx_total), 1);
		p.snd_nxt += (uint32_t)req.len;
		p.rcv_nxt += rig.slots[1].resp_len;
	}
}

static void expect_no_clones(void **state, size_t body, size_t reason,
			     const char *name, void (*spoil)(struct peer *))
{
	struct peer p = rig_peer(4);
	struct pkt req;

	setup(state);
	p.wnd = 60000;
	rig_cache(1, "/n", body);
	peer_connect(&p);
	spoil(&p);
	req = peer_request(&p, REQUEST("/n"));
	req.wnd = p.wnd;
	rig_expect(&req, XDP_REDIRECT, reason, name);
	assert_int_equal(rig.out_len, rig.in_len);
	assert_memory_equal(rig.out, rig.in, rig.in_len);
	assert_int_equal(peer_flow(&p)->resp_kind, DAWN_RESP_NONE);
	assert_int_equal(peer_flow(&p)->snd_nxt, p.rcv_nxt);
	assert_int_equal(peer_flow(&p)->rcv_nxt, p.snd_nxt);
}

static void no_clones(struct peer *p)
{
	(void)p;
	rig.config->flags &= ~(uint32_t)DAWN_CONFIG_CLONES;
}

static void small_budget(struct peer *p)
{
	(void)p;
	rig.config->segment_budget = 2;
}

static void small_window(struct peer *p)
{
	p->wnd = 2; /* << 9 */
}

static void small_cwnd(struct peer *p)
{
	peer_flow(p)->cwnd = 3000;
}

static void small_mss(struct peer *p)
{
	peer_flow(p)->mss = 536;
}

static void test_no_clones(void **state)
{
	expect_no_clones(state, 4000, AT(no_room), no_clones);
	expect_no_clones(state, 4000, AT(tcp_window), small_window);
	expect_no_clones(state, 4000, AT(tcp_window), small_cwnd);
	expect_no_clones(state, 14000, AT(segments_many), small_mss);
}

/* 16 ms after the last order its frames count as lost, and a poll begins. */
static void wait_for_new_poll(void)
{
	uint64_t until = rig_now_ns() + 25000000;

	while (rig_now_ns() < until)
		;
}

/* Segments queued in a poll are bounded. Nothing leaves here, so the queue
 * looks full until 16 ms are over. */
static void test_budget(void **state)
{
	struct peer p = rig_peer(4);
	struct pkt req;
	int hits = 0;

	(void)state;
	p.wnd = 60000;
	rig_cache(1, "/n", 14000);
	peer_connect(&p);
	rig.config->segment_budget = 30;
	wait_for_new_poll();
	rig_mark();
	while (!rig_count(segment_budget)) {
		req = peer_request(&p, REQUEST("/n"));
		rig_run(&req);
		p.snd_nxt += (uint32_t)req.len;
		p.rcv_nxt += rig.slots[1].resp_len;
		assert_true(++hits < 100);
	}
	assert_true(hits >= 4);
	assert_int_equal(rig_count(http_hit), hits - 1);
	wait_for_new_poll();
	expect_no_clones(state, 4000, AT(segment_budget), small_budget);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_hit, setup),
		cmocka_unit_test_setup(test_unacked_bit, setup),
		cmocka_unit_test_setup(test_head, setup),
		cmocka_unit_test_setup(test_keep_alive, setup),
		cmocka_unit_test_setup(test_requests, setup),
		cmocka_unit_test_setup(test_prefixes, setup),
		cmocka_unit_test_setup(test_targets, setup),
		cmocka_unit_test_setup(test_vhosts, setup),
		cmocka_unit_test_setup(test_slots, setup),
		cmocka_unit_test_setup(test_own_date, setup),
		cmocka_unit_test_setup(test_dates, setup),
		cmocka_unit_test_setup(test_clones, setup),
		cmocka_unit_test_setup(test_no_clones, setup),
		cmocka_unit_test_setup(test_budget, setup),
	};

	return cmocka_run_group_tests(tests, rig_open, rig_close);
}
