// SPDX-License-Identifier: MIT OR Apache-2.0
/* Requests that are known byte by byte (bpf/memo.bpf.h): they get what the parser
 * would have found, and nothing else gets it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/progrun/rig.h"

#define TAG "\"2f-17\""

static const char browser[] =
	"GET /a HTTP/1.1\r\nHost: 198.18.0.1\r\nConnection: keep-alive\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 "
	"Firefox/121.0\r\nAccept: text/html,application/xhtml+xml,"
	"application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
	"Accept-Language: en-US,en;q=0.5\r\n"
	"Accept-Encoding: gzip, deflate, br\r\n"
	"Upgrade-Insecure-Requests: 1\r\n\r\n";

static struct peer peer;
static struct dawn_flow saved;

/* The beginning of struct memo. */
struct memo {
	uint64_t hash, next;
	struct dawn_index_value where;
	uint32_t made_ms;
};

static void forget(struct memo *m)
{
	memset(m, 0, sizeof(*m));
}

static void make_older(struct memo *m)
{
	m->made_ms -= rig.config->memo_ms;
}

static void make_older_and_other(struct memo *m)
{
	make_older(m);
	m->hash ^= 2;
}

static void change_memos(void (*change)(struct memo *m))
{
	struct bpf_map *map = bpf_object__find_map_by_name(rig.obj, "memos");
	size_t size = (bpf_map__value_size(map) + 7) / 8 * 8;
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	uint8_t *values = calloc(cpus, size);
	int fd = bpf_map__fd(map);

	assert_non_null(values);
	for (uint32_t i = 0; i < bpf_map__max_entries(map); i++) {
		assert_int_equal(bpf_map_lookup_elem(fd, &i, values), 0);
		for (size_t cpu = 0; cpu < cpus; cpu++)
			change((void *)(values + cpu * size));
		assert_int_equal(bpf_map_update_elem(fd, &i, values, BPF_ANY),
				 0);
	}
	free(values);
}

/* A connection; each request on it is the next one of its own. */
static void begin(void)
{
	change_memos(forget);
	rig_cache_validators(0, "/a", 300, TAG);
	peer = rig_peer(rig.family);
	peer.wnd = 60000;
	peer_connect(&peer);
	saved = *peer_flow(&peer);
}

/* Ask. Return: the verdict; rig_count() tells the rest. */
static int ask_bytes(const char *text, size_t len)
{
	struct pkt req = peer_request(&peer, "");

	req.payload = (const uint8_t *)text;
	req.len = len;
	*peer_flow(&peer) = saved;
	rig.queue_sent[0] = 0;
	rig_mark();
	return rig_run(&req);
}

static int ask(const char *text)
{
	return ask_bytes(text, strlen(text));
}

static void hit(const char *text, uint64_t known)
{
	assert_int_equal(ask(text), XDP_TX);
	assert_int_equal(rig_count(http_hit), 1);
	assert_int_equal(rig_count(memo_hit), known);
}

static void test_again(void **state)
{
	static const char *const texts[] = {
		REQUEST("/a"),
		"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\nIf-None-Match: " TAG "\r\n\r\n",
		browser,
	};
	uint8_t first[4096];
	size_t len;

	(void)state;
	begin();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		hit(texts[i], 0);
		len = rig.out_len;
		memcpy(first, rig.out, len);
		for (int n = 0; n < 3; n++) {
			hit(texts[i], 1);
			assert_int_equal(rig.out_len, len);
			/* Date and what depends on it aside. */
			assert_memory_equal(rig.out + len - 20,
					    first + len - 20, 20);
			assert_int_equal(rig_count(http_304), i == 2);
		}
	}
	/* And all are known now. */
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		hit(texts[i], 1);
}

/* No other bytes are taken for the known ones, wherever they differ. */
static void test_each_byte(void **state)
{
	char text[sizeof(browser) + 1];

	(void)state;
	begin();
	hit(browser, 0);
	hit(browser, 1);
	for (size_t i = 0; i < sizeof(browser) - 1; i++) {
		memcpy(text, browser, sizeof(browser));
		text[i] ^= 1;
		ask(text);
		assert_int_equal(rig_count(memo_hit), 0);
	}
	for (size_t n = 1; n < sizeof(browser) - 1; n++) {
		assert_int_equal(ask_bytes(browser, n), XDP_REDIRECT);
		assert_int_equal(rig_count(memo_hit), 0);
	}
	/* More, the zeros behind it among them. */
	memcpy(text, browser, sizeof(browser));
	assert_int_equal(ask_bytes(text, sizeof(browser)), XDP_REDIRECT);
	assert_int_equal(rig_count(memo_hit), 0);
	hit(browser, 1);
}

/* What the slot may not answer any more, it does not. */
static void test_slot(void **state)
{
	struct dawn_slot *s = &rig.slots[0];
	struct pkt req;

	(void)state;
	begin();
	req = peer_request(&peer, REQUEST("/a"));
	hit(REQUEST("/a"), 0);
	hit(REQUEST("/a"), 1);
	s->state = DAWN_SLOT_RETIRED;
	*peer_flow(&peer) = saved;
	EXPECT_SAME(&req, XDP_REDIRECT, cache_gone);
	s->state = DAWN_SLOT_LIVE;
	hit(REQUEST("/a"), 1);
	s->gen++;
	*peer_flow(&peer) = saved;
	EXPECT_SAME(&req, XDP_REDIRECT, cache_gone);
	s->gen--;
	s->expires_ns = 1;
	*peer_flow(&peer) = saved;
	EXPECT_SAME(&req, XDP_REDIRECT, cache_expired);
	s->expires_ns = rig_now_ns() + 1000000000000ULL;
	hit(REQUEST("/a"), 1);
	/* Replaced, in the same slot and in another one. */
	rig_cache(0, "/a", 77);
	hit(REQUEST("/a"), 0);
	assert_int_equal(rig_answer(&req).len, rig.slots[0].resp_len);
	rig_cache(1, "/a", 99);
	rig.slots[0].state = DAWN_SLOT_RETIRED;
	hit(REQUEST("/a"), 0);
	assert_int_equal(rig_answer(&req).len, rig.slots[1].resp_len);
	hit(REQUEST("/a"), 1);
	assert_int_equal(rig_answer(&req).len, rig.slots[1].resp_len);
}

/* With other virtual hosts the same Host means something else. */
static void test_vhosts(void **state)
{
	(void)state;
	begin();
	hit(REQUEST("/a"), 0);
	hit(REQUEST("/a"), 1);
	rig.config->vhosts = 1;
	assert_int_equal(ask(REQUEST("/a")), XDP_REDIRECT);
	assert_int_equal(rig_count(http_host), 1);
	rig.config->vhosts = 0;
	hit(REQUEST("/a"), 1);
}

static void test_flags(void **state)
{
	const char *text = "GET /a HTTP/1.1\r\nHost: x\r\nCookie: a\r\n\r\n";

	(void)state;
	begin();
	rig_http_flags(DAWN_SERVICE_ANY_COOKIE);
	hit(text, 0);
	hit(text, 1);
	rig_http_flags(DAWN_SERVICE_ANY_CACHE_CONTROL);
	assert_int_equal(ask(text), XDP_REDIRECT);
	assert_int_equal(rig_count(http_header), 1);
	rig_http_flags(DAWN_SERVICE_ANY_COOKIE);
	hit(text, 1);
	rig_http_flags(0);
}

/* Requests that come once do not push out one that comes again and again. */
static void test_flood(void **state)
{
	char text[256];

	(void)state;
	begin();
	hit(REQUEST("/a"), 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text),
			 "GET /a HTTP/1.1\r\nHost: x\r\nUser-Agent: %d\r\n\r\n",
			 i);
		hit(text, 0);
	}
	hit(REQUEST("/a"), 1);
	/* One that comes again gets its place, if only the third time. */
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text),
			 "GET /a HTTP/1.1\r\nHost: x\r\nReferer: %d\r\n\r\n",
			 i);
		assert_int_equal(ask(text), XDP_TX);
		assert_int_equal(ask(text), XDP_TX);
		hit(text, 1);
	}
}

static void test_lengths(void **state)
{
	static char text[2048];
	const char *head = "GET /a HTTP/1.1\r\nHost: x\r\nAccept: ";
	size_t len = strlen(head);

	(void)state;
	begin();
	memset(text, 'x', sizeof(text));
	memcpy(text, head, len);
	for (size_t n = len; n<1400; n += n> 1000 && n < 1050 ? 1 : 13) {
		char was[4];

		memcpy(was, text + n, 4);
		memcpy(text + n, "\r\n\r\n", 4);
		assert_int_equal(ask_bytes(text, n + 4), XDP_TX);
		assert_int_equal(ask_bytes(text, n + 4), XDP_TX);
		assert_int_equal(ask_bytes(text, n + 4), XDP_TX);
		assert_int_equal(rig_count(memo_hit), n + 4 <= 1024);
		memcpy(text + n, was, 4);
	}
}

/* It is parsed again now and then, and each time if the operator wants that. */
static void test_life(void **state)
{
	(void)state;
	begin();
	hit(REQUEST("/a"), 0);
	hit(REQUEST("/a"), 1);
	change_memos(make_older);
	hit(REQUEST("/a"), 0);
	hit(REQUEST("/a"), 1);
	/* An old one has no right to its place: the first other gets it. */
	change_memos(make_older_and_other);
	hit(REQUEST("/a"), 0);
	hit(REQUEST("/a"), 1);
	rig.config->memo_ms = 0;
	hit(REQUEST("/a"), 0);
	hit(REQUEST("/a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again), cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_slot),  cmocka_unit_test(test_vhosts),
		cmocka_unit_test(test_flood), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_life),  cmocka_unit_test(test_flags),
	};

	return RIG_ON_WIRES("memo", tests);
}
