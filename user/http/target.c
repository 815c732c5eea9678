/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "user/http/target.h"

#include <string.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One segment, [at, end), decoded behind out->text. Return: 0 or a status. */
static int decode_segment(struct dawn_http_path *out, const char *at,
			  const char *end)
{
	bool slash = false;

	while (at < end) {
		int c = (unsigned char)*at++;

		if (c == '%') {
			int hi, lo;

			if (end - at < 2)
				return 400;
			hi = hex_value(at[0]);
			lo = hex_value(at[1]);
			if (hi < 0 || lo < 0)
				return 400;
			c = hi << 4 | lo;
			at += 2;
			slash |= c == '/';
		}
		if (c == 0)
			return 400;
		if (out->len == sizeof(out->text) - 1)
			return 414;
		out->text[out->len++] = (char)c;
	}
	return slash ? 404 : 0;
}

/* Take the last segment off. Return: false if there is none. */
static bool drop_segment(struct dawn_http_path *p)
{
	if (!p->len)
		return false;
	while (p->len && p->text[p->len - 1] != '/')
		p->len--;
	if (p->len)
		p->len--; /* its slash */
	return true;
}

/* Add [at, end) to the path. *failed keeps the first error that does not stop
 * the reading. Return: 0, or a status at once. */
static int add_segment(struct dawn_http_path *out, const char *at,
		       const char *end, int *failed)
{
	size_t before = out->len;
	const char *seg;
	size_t len;
	int status;

	if (before) {
		if (before == sizeof(out->text) - 1)
			return 414;
		out->text[out->len++] = '/';
	}
	seg = out->text + out->len;
	status = decode_segment(out, at, end);
	if (status == 404)
		*failed = status; /* a bad escape may still follow */
	else if (status)
		return status;
	len = (size_t)(out->text + out->len - seg);
	out->directory = true;
	if (len == 0 || (len == 1 && seg[0] == '.')) {
		out->len = before;
	} else if (len == 2 && seg[0] == '.' && seg[1] == '.') {
		out->len = before;
		return drop_segment(out) ? 0 : 400;
	} else {
		out->directory = false;
	}
	return 0;
}

int dawn_http_path_decode(struct dawn_http_path *out, const char *path,
			  size_t len)
{
	const char *at = path, *end = path + len, *slash;
	int failed = 0;
	int status;

	out->len = 0;
	out->directory = true;
	while (at < end) {
		at++; /* '/' */
		slash = memchr(at, '/', (size_t)(end - at));
		if (!slash)
			slash = end;
		status = add_segment(out, at, slash, &failed);
		if (status)
			return status;
		at = slash;
	}
	out->text[out->len] = '\0';
	return failed;
}

static bool is_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || (c && strchr("-._~!$&'()*+,;=:@/", c));
}

size_t dawn_http_path_encode(char *buf, size_t cap,
			     const struct dawn_http_path *path)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	/* Longest step, final slash and NUL. */
	if (cap < 6)
		return 0;
	buf[n++] = '/';
	for (size_t i = 0; i < path->len; i++) {
		unsigned char c = (unsigned char)path->text[i];

		if (n + 5 > cap)
			return 0;
		if (is_plain(c)) {
			buf[n++] = (char)c;
		} else {
			buf[n++] = '%';
			buf[n++] = hex[c >> 4];
			buf[n++] = hex[c & 15];
		}
	}
	if (path->directory && path->len)
		buf[n++] = '/';
	buf[n] = '\0';
	return n;
}
