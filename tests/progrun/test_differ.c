// SPDX-License-Identifier: MIT OR Apache-2.0
/* Two parsers, one answer: mutated requests go through dawn_xdp on a kernel-owned
 * flow whose target is cached. Each that XDP answers must be, to the parser
 * behind the reactor, one whole request for that target that gets the same
 * plain 200, or the same 304, on a connection that stays open. XDP may always
 * punt.
 *
 * DIFFER_CASES=n in the environment runs more of them than the default.
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/progrun/rig.h"
#include "user/http/conditional.h"
#include "user/http/parse.h"
#include "user/http/request.h"

#define CASES   200000
#define REQ_MAX 1400
#define TAG     "\"x-1\""

static uint64_t rng = 0x9e3779b97f4a7c15ULL;

static uint32_t roll(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 32) % n;
}

struct text {
	char b[REQ_MAX + 64];
	size_t len;
};

static void add(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (t->len + n > REQ_MAX)
		n = REQ_MAX - t->len;
	memcpy(t->b + t->len, s, n);
	t->len += n;
}

static const char *const first_lines[] = {
	"GET /a HTTP/1.1",    "GET /a HTTP/1.1",   "HEAD /a HTTP/1.1",
	"GET //a HTTP/1.1",   "GET /%61 HTTP/1.1", "GET /a  HTTP/1.1",
	"GET  /a HTTP/1.1",   "GET /a HTTP/1.0",   "get /a HTTP/1.1",
	"GET /a? HTTP/1.1",   "GET /a# HTTP/1.1",  "GET http://h/a HTTP/1.1",
	"HEADER /a HTTP/1.1",
};

static const char *const hosts[] = {
	"h",
	"198.18.0.1",
	"h:80",
	"h:",
	"h:65535",
	"h:65536",
	"h:123456",
	"h:00080",
	":80",
	"",
	"a:b",
	"a:b:c",
	"h:80:80",
	"[::1]",
	"[::1]:80",
	"[::1",
	"::1",
	"[]",
	"]",
	"[::1]x",
	"[::1]:",
	"[::1]:x",
	"a[b]",
	"[[::1]]",
	"h]",
	" h",
	"h ",
	"h\t",
	"h,h",
	"h h",
	"h@h",
	"h/",
	"%41",
	"-",
	"_.",
	"[2001:db8::1]:8080",
	"A.Example.ORG",
};

static const char *const names[] = {
	"Accept",
	"Referer",
	"DNT",
	"User-Agent",
	"Accept-Language",
	"Accept-Encoding",
	"Connection",
	"Sec-Fetch-Site",
	"Priority",
	"Sec-CH-UA-Platform",
	"sec-ch-ua-mobile",
	"Upgrade-Insecure-Requests",
	"Host",
	"Host ",
	" Host",
	"Hos",
	"Hostt",
	"Content-Length",
	"Transfer-Encoding",
	"Cookie",
	"Authorization",
	"If-None-Match",
	"If-Modified-Since",
	"Range",
	"Expect",
	"Upgrade",
	"TE",
	"X",
	"",
	"Accep`",
	"aCCEPT",
	"Accept\1",
	"User\rAgent",
	"User-agenT:",
	"Upgrade-Insecure-Request",
	"Sec-Fetch-Sitf",
	"Keep-Alive",
};

static const char *const values[] = {
	"",           "keep-alive",   "close",
	"Keep-Alive", "keep-alive ",  "keep-alive, close",
	"0",          "chunked",      "*/*",
	"a\tb",       "a: b",         ":",
	"5",          "\"x\"",        "text/html,*/*;q=0.1",
	"x\x7f",      "x\x80y",       "@EEP-ALIVE",
	"keep\rlive", "  keep-alive", "bytes=0-1",
	TAG,          ("W/" TAG),     RIG_MODIFIED,
};

#define PICK(list) (list[roll(sizeof(list) / sizeof(list[0]))])

static const char *const conditions[] = {
	"If-None-Match: " TAG,
	"If-None-Match:W/" TAG,
	"if-none-match: \"x-1, \"",
	"If-None-Match: \"y\", " TAG,
	"If-Modified-Since: " RIG_MODIFIED,
	"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
	"If-Modified-Since: Fri, 04 Nov 1994 07:38:26 GMT",
};

static void add_field(struct text *t)
{
	static const char *const colons[] = { ": ",  ": ",  ": ",  ":",
					      ":  ", ":\t", " : ", "" };

	if (!roll(6)) {
		add(t, PICK(conditions));
	} else {
		/* 12: harmless */
		add(t, roll(4) ? names[roll(12)] : PICK(names));
		add(t, PICK(colons));
		add(t, PICK(values));
	}
	add(t, "\r\n");
}

static void generate(struct text *t)
{
	t->len = 0;
	add(t, roll(3) ? first_lines[0] : PICK(first_lines));
	add(t, "\r\n");
	for (uint32_t i = roll(4); i; i--)
		add_field(t);
	if (roll(30)) {
		add(t, roll(2) ? "Host: " : "hOST:");
		add(t, roll(2) ? "h" : PICK(hosts));
		add(t, "\r\n");
	}
	for (uint32_t i = roll(40) ? roll(4) : roll(250); i; i--) {
		if (i > 4)
			add(t, "DNT:\r\n");
		else
			add_field(t);
	}
	add(t, "\r\n");
	if (!roll(40))
		add(t, "x");
}

static void mutate(struct text *t)
{
	static const char bytes[] = "\r\n\t :/?#%\0\x7f\x80\xff@[`{aHh09-.";
	size_t at = roll((uint32_t)t->len);
	char c = roll(3) ? bytes[roll(sizeof(bytes))] : (char)roll(256);

	switch (roll(5)) {
	case 0:
		t->b[at] = c;
		break;
	case 1:
		t->b[at] ^= (char)(1U << roll(8));
		break;
	case 2:
		memmove(t->b + at + 1, t->b + at, t->len - at);
		t->b[at] = c;
		t->len += t->len < REQ_MAX;
		break;
	case 3:
		memmove(t->b + at, t->b + at + 1, t->len - at - 1);
		t->len -= t->len > 1;
		break;
	default:
		if (!roll(8))
			t->len = at + 1;
	}
}

/* The status that preconditions and Range make of it. */
static int evaluate(const struct dawn_http_request *r,
		    const struct dawn_http_parser *p, const uint8_t *buf)
{
	struct dawn_http_state st = { .etag = TAG, .size = 10 };
	struct dawn_http_range range;
	const char *modified = RIG_MODIFIED;

	assert_true(dawn_http_parse_date((const uint8_t *)modified,
					 strlen(modified), 0, &st.mtime_s));
	st.now_s = st.mtime_s + 1000000;
	return dawn_http_evaluate(r, p, buf, &st, &range);
}

/* What the reactor's parser makes of it. Return: NULL, if it is one whole
 * simple request for /a, and *status; or what it is instead. */
static const char *refuse(const struct text *t, int *status)
{
	static struct dawn_http_parser p;
	const uint32_t others = ~(
		1U << DAWN_HTTP_FIELD_HOST | 1U << DAWN_HTTP_FIELD_CONNECTION |
		1U << DAWN_HTTP_FIELD_IF_NONE_MATCH |
		1U << DAWN_HTTP_FIELD_IF_MODIFIED_SINCE | 1U << 0);
	const uint8_t *buf = (const uint8_t *)t->b;
	struct dawn_http_request r;

	memset(&p, 0, sizeof(p));
	if (dawn_http_parse(&p, buf, t->len) != DAWN_HTTP_COMPLETE)
		return "not a whole head, or an error";
	if (p.head_len != t->len)
		return "bytes behind it";
	if (dawn_http_request_read(&r, &p, buf))
		return "an error";
	if (r.method != DAWN_HTTP_GET && r.method != DAWN_HTTP_HEAD)
		return "another method";
	if (!r.keep_alive || r.minor != 1)
		return "the last on its connection";
	if (r.target.len != 2 || memcmp(buf + r.target.off, "/a", 2) != 0)
		return "another target";
	*status = evaluate(&r, &p, buf);
	return r.fields & others ? "a field that may change the answer" : NULL;
}

static void print_request(const struct text *t, const char *why)
{
	print_error("XDP answers, but it is %s:\n", why);
	for (size_t i = 0; i < t->len; i++) {
		unsigned char c = (unsigned char)t->b[i];

		if (c == '\n' || (c >= ' ' && c < 0x7f))
			print_error("%c", c);
		else
			print_error("\\x%02x", c);
	}
	print_error("\n");
}

/* What XDP answered. */
static int status_of(const struct pkt *req)
{
	struct pkt got = rig_answer(req);
	char text[4] = { 0 };

	assert_true(got.len > 12);
	memcpy(text, got.payload + 9, 3);
	return (int)strtol(text, NULL, 10);
}

static void test_differ(void **state)
{
	const char *env = getenv("DIFFER_CASES");
	long cases = env ? strtol(env, NULL, 10) : CASES;
	long hits = 0, plain = 0, wrong = 0, same = 0;
	struct peer p = rig_peer(4);
	struct dawn_flow saved, *f;
	static struct text t;
	struct pkt req;

	(void)state;
	rig_cache_validators(0, "/a", 10, TAG);
	p.wnd = 60000;
	peer_connect(&p);
	f = peer_flow(&p);
	saved = *f;
	for (long i = 0; i < cases; i++) {
		const char *why;
		int status = 0;
		bool hit;

		generate(&t);
		for (uint32_t n = roll(2) ? roll(3) : 0; n; n--)
			mutate(&t);
		req = peer_request(&p, "");
		req.payload = t.b;
		req.len = t.len;
		hit = rig_run(&req) == XDP_TX;
		*f = saved;
		/* What is known from the first time gets the same. */
		if (hit)
			assert_int_equal(rig_run(&req), XDP_TX);
		*f = saved;
		why = refuse(&t, &status);
		if (hit && !why && status != status_of(&req))
			why = "to get another status";
		same += hit && status == 304;
		hits += hit;
		plain += !why;
		if (hit && why && wrong++ < 20)
			print_request(&t, why);
	}
	print_message(
		"%ld cases, %ld answered by XDP, %ld with 304, %ld plain\n",
		cases, hits, same, plain);
	assert_int_equal(wrong, 0);
	/* Both were met: requests that XDP knows, and that only it leaves. */
	assert_true(hits > cases / 50);
	assert_true(same > cases / 200);
	assert_true(plain >= hits);
	assert_true(hits > plain / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_differ, rig_reset),
	};

	return cmocka_run_group_tests(tests, rig_open, rig_close);
}
