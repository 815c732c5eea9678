// SPDX-License-Identifier: MIT OR Apache-2.0
/* The requests of real clients: heads as they send them, which must be hits on a
 * kernel-owned flow; and those that are left to the reactor, with the reason. In
 * the order and the case that each uses.
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "tests/progrun/rig.h"

#define AT(name) (offsetof(struct dawn_stats, name) / 8), #name
#define GET      "GET /a HTTP/1.1\r\n"
#define HOST     "Host: 198.18.0.1\r\n"
#define TAG      "\"2f0a5-18b3f7a1c2d3e4f5-2a\""

#define CHROME_HINTS                                                     \
	"sec-ch-ua: \"Not_A Brand\";v=\"8\", \"Chromium\";v=\"120\"\r\n" \
	"sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\n"
#define CHROME_AGENT                                                      \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 " \
	"(KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r\n"
#define CHROME_PAGE                                                      \
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9," \
	"image/avif,image/webp,image/apng,*/*;q=0.8,application/"        \
	"signed-exchange;v=b3;q=0.7\r\n"
#define CHROME_LANGUAGE                          \
	"Accept-Encoding: gzip, deflate, br\r\n" \
	"Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n"
#define FIREFOX                                                  \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:121.0) " \
	"Gecko/20100101 Firefox/121.0\r\n"
#define SAFARI                                                         \
	"User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " \
	"AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 "       \
	"Safari/605.1.15\r\n"

static const struct client {
	const char *who;
	const char *head;
	size_t reason;
	const char *name;
} clients[] = {
	{ "curl", GET HOST "User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
	  AT(http_hit) },
	{ "curl --compressed",
	  GET HOST "User-Agent: curl/7.88.1\r\nAccept: */*\r\n"
		   "Accept-Encoding: deflate, gzip, br, zstd\r\n\r\n",
	  AT(http_hit) },
	{ "wget",
	  GET HOST
	  "User-Agent: Wget/1.21.3\r\nAccept: */*\r\n"
	  "Accept-Encoding: identity\r\nConnection: Keep-Alive\r\n\r\n",
	  AT(http_hit) },
	{ "wrk", GET HOST "\r\n", AT(http_hit) },
	{ "h2load", GET HOST "User-Agent: h2load nghttp2/1.52.0\r\n\r\n",
	  AT(http_hit) },
	{ "Go net/http",
	  GET HOST "User-Agent: Go-http-client/1.1\r\n"
		   "Accept-Encoding: gzip\r\n\r\n",
	  AT(http_hit) },
	{ "Python http.client", GET HOST "Accept-Encoding: identity\r\n\r\n",
	  AT(http_hit) },
	{ "Python requests",
	  GET HOST "User-Agent: python-requests/2.28.1\r\n"
		   "Accept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
		   "Connection: keep-alive\r\n\r\n",
	  AT(http_hit) },
	{ "Python aiohttp",
	  GET HOST "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
		   "User-Agent: Python/3.11 aiohttp/3.8.4\r\n\r\n",
	  AT(http_hit) },
	{ "node undici",
	  GET "host: 198.18.0.1\r\nconnection: keep-alive\r\naccept: */*\r\n"
	      "accept-language: *\r\nsec-fetch-mode: cors\r\n"
	      "user-agent: node\r\naccept-encoding: gzip, deflate\r\n\r\n",
	  AT(http_hit) },
	{ "Java HttpURLConnection",
	  GET "User-Agent: Java/17.0.9\r\n" HOST
	      "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\n"
	      "Connection: keep-alive\r\n\r\n",
	  AT(http_hit) },
	{ "Chromium, a page",
	  GET HOST "Connection: keep-alive\r\n" CHROME_HINTS
		   "Upgrade-Insecure-Requests: 1\r\n" CHROME_AGENT CHROME_PAGE
		   "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n"
		   "Sec-Fetch-User: ?1\r\n"
		   "Sec-Fetch-Dest: document\r\n" CHROME_LANGUAGE "\r\n",
	  AT(http_hit) },
	{ "Chromium, an image of it",
	  GET HOST "Connection: keep-alive\r\n" CHROME_HINTS CHROME_AGENT
		   "Accept: image/avif,image/webp,image/apng,image/svg+xml,"
		   "image/*,*/*;q=0.8\r\nSec-Fetch-Site: same-origin\r\n"
		   "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n"
		   "Referer: http://198.18.0.1/index.html\r\n" CHROME_LANGUAGE
		   "\r\n",
	  AT(http_hit) },
	{ "Chromium, the same again",
	  GET HOST "Connection: keep-alive\r\n" CHROME_HINTS CHROME_AGENT
		   "Accept: */*\r\nSec-Fetch-Site: same-origin\r\n"
		   "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script\r\n"
		   "Referer: http://198.18.0.1/index.html\r\n" CHROME_LANGUAGE
		   "If-None-Match: " TAG "\r\nIf-Modified-Since: " RIG_MODIFIED
		   "\r\n\r\n",
	  AT(http_304) },
	{ "Firefox, a page",
	  GET HOST FIREFOX
	  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,"
	  "image/avif,image/webp,*/*;q=0.8\r\n"
	  "Accept-Language: en-US,en;q=0.5\r\n"
	  "Accept-Encoding: gzip, deflate, br\r\nDNT: 1\r\nSec-GPC: 1\r\n"
	  "Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n\r\n",
	  AT(http_hit) },
	{ "Firefox, an image of it",
	  GET HOST FIREFOX
	  "Accept: image/avif,image/webp,*/*\r\n"
	  "Accept-Language: en-US,en;q=0.5\r\n"
	  "Accept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n"
	  "Referer: http://198.18.0.1/index.html\r\nSec-Fetch-Dest: image\r\n"
	  "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: same-origin\r\n"
	  "Priority: u=5, i\r\n\r\n",
	  AT(http_hit) },
	{ "Safari, a page",
	  GET HOST
	  "Upgrade-Insecure-Requests: 1\r\n"
	  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;"
	  "q=0.8\r\n" SAFARI "Accept-Language: en-GB,en;q=0.9\r\n"
	  "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n",
	  AT(http_hit) },
	/* Of GET and HEAD, what the reactor answers. */
	{ "kube-probe",
	  GET HOST "User-Agent: kube-probe/1.28\r\nAccept: */*\r\n"
		   "Connection: close\r\n\r\n",
	  AT(http_value) },
	{ "Python urllib.request",
	  GET "Accept-Encoding: identity\r\n" HOST
	      "User-Agent: Python-urllib/3.11\r\nConnection: close\r\n\r\n",
	  AT(http_value) },
	{ "ab",
	  "GET /a HTTP/1.0\r\n" HOST
	  "User-Agent: ApacheBench/2.3\r\nAccept: */*\r\n\r\n",
	  AT(http_version) },
	{ "Chromium, reload",
	  GET HOST "Connection: keep-alive\r\n"
		   "Cache-Control: max-age=0\r\n" CHROME_AGENT CHROME_PAGE
			   CHROME_LANGUAGE "\r\n",
	  AT(http_header) },
	{ "curl -r",
	  GET HOST "Range: bytes=0-9\r\nUser-Agent: curl/7.88.1\r\n"
		   "Accept: */*\r\n\r\n",
	  AT(http_header) },
	{ "curl -u",
	  GET HOST "Authorization: Basic YTpi\r\nUser-Agent: curl/7.88.1\r\n"
		   "Accept: */*\r\n\r\n",
	  AT(http_header) },
};

static void ask(const struct client *c)
{
	bool left = c->reason != offsetof(struct dawn_stats, http_hit) / 8 &&
		    c->reason != offsetof(struct dawn_stats, http_304) / 8;
	struct peer p = rig_peer(rig.family);
	struct pkt req;

	rig_reset(NULL);
	rig_cache_validators(0, "/a", 1000, TAG);
	p.ts = true; /* as all of them have */
	peer_connect(&p);
	req = peer_request(&p, c->head);
	assert_true(req.len <= 1400);
	rig_expect(&req, left ? XDP_REDIRECT : XDP_TX, c->reason, c->name);
}

static void test_clients(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
		print_message("# %s, %zu bytes: %s\n", clients[i].who,
			      strlen(clients[i].head), clients[i].name);
		ask(&clients[i]);
	}
}

/* Fields that the service says change nothing, and those alone. What was known
 * under other flags is not known under these. */
static void test_any_field(void **state)
{
	static const struct {
		const char *field;
		uint8_t flag;
	} fields[] = {
		{ "Cookie: a=b", DAWN_SERVICE_ANY_COOKIE },
		{ "cookie:", DAWN_SERVICE_ANY_COOKIE },
		{ "Authorization: x", DAWN_SERVICE_ANY_AUTHORIZATION },
		{ "AUTHORIZATION: x", DAWN_SERVICE_ANY_AUTHORIZATION },
		{ "Cache-Control: max-age=0", DAWN_SERVICE_ANY_CACHE_CONTROL },
		{ "Pragma: no-cache", DAWN_SERVICE_ANY_CACHE_CONTROL },
		{ "Cookif: a", 0 },
		{ "Authorizatiom: a", 0 },
		{ "Cache-Contrnl: a", 0 },
		{ "Pragmb: a", 0 },
		{ "Range: bytes=0-1", 0 },
		{ "If-Match: *", 0 },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(text, sizeof(text), GET HOST "%s\r\n\r\n",
			 fields[i].field);
		for (unsigned int n = 0; n < 32; n++) {
			uint8_t flags = (uint8_t)(n / 2 % 8);
			bool any = flags & fields[i].flag;
			struct client c = { "", text, AT(http_header) };

			rig_http_flags(flags);
			if (any)
				c = (struct client){ "", text, AT(http_hit) };
			ask(&c);
		}
	}
	rig_http_flags(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients),
		cmocka_unit_test(test_any_field),
	};

	return RIG_ON_WIRES("clients", tests);
}
