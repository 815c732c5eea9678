/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Preconditions and ranges (RFC 9110, 13 and 14). */
#ifndef DAWN_HTTP_CONDITIONAL_H
#define DAWN_HTTP_CONDITIONAL_H

#include "user/http/request.h"

/* The selected representation. */
struct dawn_http_state {
	const char *etag; /* strong, with its quotes */
	int64_t mtime_s;  /* DAWN_HTTP_NO_TIME: none was ever sent */
	uint64_t size;
	int64_t now_s;
};

struct dawn_http_range {
	uint64_t first; /* byte position */
	uint64_t len;
};

/* For GET and HEAD. Return: 200 (the whole), 206 with *range (GET only), 304,
 * 412, or 416. What is malformed is ignored, as the RFC wants; several ranges
 * in one request are answered with the whole. */
int dawn_http_evaluate(const struct dawn_http_request *r,
		       const struct dawn_http_parser *p, const uint8_t *buf,
		       const struct dawn_http_state *st,
		       struct dawn_http_range *range);

/* HTTP-date in any of its three forms (5.6.7). Two-digit years are taken to be
 * at most 50 years after now_s. Return: false if it is none. */
bool dawn_http_parse_date(const uint8_t *text, size_t len, int64_t now_s,
			  int64_t *unix_s);

#endif
