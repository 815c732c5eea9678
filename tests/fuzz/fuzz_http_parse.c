/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Heads, preconditions, chunks, paths and dates from any bytes, each at the
 * end of an allocation of its own; what is split gives the same result.
 *
 * Input: one byte that seeds the split, then the bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "user/http/chunked.h"
#include "user/http/conditional.h"
#include "user/http/response.h"
#include "user/http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

static bool inside(struct dawn_span s, size_t len)
{
	return (size_t)s.off + s.len <= len;
}

static void check_request(const struct dawn_http_parser *p, const uint8_t *b)
{
	struct dawn_http_state st = { .etag = "\"e\"",
				      .mtime_s = 784111777,
				      .size = 1000,
				      .now_s = 1795000000 };
	struct dawn_http_range range = { 0 };
	struct dawn_http_request r;
	int status = dawn_http_request_read(&r, p, b);

	CHECK(inside(p->method, p->head_len) && inside(p->target, p->head_len));
	for (unsigned int i = 0; i < p->field_count; i++)
		CHECK(inside(p->fields[i].name, p->head_len) &&
		      inside(p->fields[i].value, p->head_len));
	CHECK(status == 0 || status == 400 || status == 417 || status == 501);
	CHECK(inside(r.path, p->head_len) && inside(r.host, p->head_len));
	if (status)
		return;
	CHECK(!(r.chunked && r.has_length));
	if (dawn_http_evaluate(&r, p, b, &st, &range) == 206)
		CHECK(range.len >= 1 && range.first < st.size &&
		      range.len <= st.size - range.first);
}

static void heads(const uint8_t *b, size_t len, size_t step)
{
	static struct dawn_http_parser whole, split;
	int what, again = DAWN_HTTP_MORE;

	memset(&whole, 0, sizeof(whole));
	memset(&split, 0, sizeof(split));
	what = dawn_http_parse(&whole, b, len);
	for (size_t n = 0; n < len && again == DAWN_HTTP_MORE;) {
		n = len - n < step ? len : n + step;
		again = dawn_http_parse(&split, b, n);
	}
	CHECK(again == what);
	if (what == DAWN_HTTP_COMPLETE) {
		CHECK(!memcmp(&whole, &split, sizeof(whole)));
		check_request(&whole, b);
	}
}

/* Decode; the data into `out`. Return: the last word, *n: data bytes. */
static enum dawn_http_chunk decode(const uint8_t *b, size_t len, size_t step,
				   uint8_t *out, size_t *n)
{
	struct dawn_http_chunked c = { 0 };
	size_t at = 0, have = 0, used, data_len;

	*n = 0;
	for (;;) {
		enum dawn_http_chunk what = dawn_http_chunked_next(
			&c, b + at, have - at, &used, &data_len);

		CHECK(used <= have - at && data_len <= have - at - used);
		at += used;
		if (what == DAWN_HTTP_CHUNK_DATA) {
			memcpy(out + *n, b + at, data_len);
			*n += data_len;
			at += data_len;
			dawn_http_chunked_take(&c, data_len);
		} else if (what != DAWN_HTTP_CHUNK_MORE || have == len) {
			return what;
		} else {
			have = len - have < step ? len : have + step;
		}
	}
}

static void chunks(const uint8_t *b, size_t len, size_t step)
{
	uint8_t *one = malloc(len + 1), *two = malloc(len + 1);
	size_t n = 0, m = 0;

	if (one && two) {
		CHECK(decode(b, len, len ? len : 1, one, &n) ==
		      decode(b, len, step, two, &m));
		CHECK(n == m && !memcmp(one, two, n));
	}
	free(one);
	free(two);
}

/* A decoded path stays below the root, and its spelling means itself. */
static void paths(const uint8_t *b, size_t len)
{
	static struct dawn_http_path p, again;
	static char spelled[3 * DAWN_HTTP_PATH_MAX + 8];
	size_t n;

	if ((len && b[0] != '/') ||
	    dawn_http_path_decode(&p, (const char *)b, len))
		return;
	CHECK(p.len < sizeof(p.text) && strlen(p.text) == p.len);
	CHECK(p.text[0] != '/' && !strstr(p.text, "//"));
	CHECK(strcmp(p.text, "..") != 0 && strncmp(p.text, "../", 3) != 0 &&
	      !strstr(p.text, "/../"));
	CHECK(p.len < 3 || strcmp(p.text + p.len - 3, "/..") != 0);
	n = dawn_http_path_encode(spelled, sizeof(spelled), &p);
	CHECK(n && spelled[0] == '/' && spelled[1] != '/');
	CHECK(dawn_http_path_decode(&again, spelled, n) == 0);
	CHECK(again.len == p.len && !memcmp(again.text, p.text, p.len) &&
	      again.directory == p.directory);
}

static void date(const uint8_t *b, size_t len)
{
	int64_t unix_s;

	dawn_http_parse_date(b, len, 1795000000, &unix_s);
	(void)dawn_http_host_valid(b, len);
	(void)dawn_http_list_has(b, len, "close");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *b;

	if (size < 2)
		return 0;
	size--;
	b = malloc(size);
	if (!b)
		return 0;
	memcpy(b, data + 1, size);
	heads(b, size, 1 + data[0] % 32);
	chunks(b, size, 1 + data[0] % 32);
	paths(b, size);
	date(b, size);
	free(b);
	return 0;
}
