/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Request heads, incrementally and without copying (RFC 9112, 2 to 5).
 *
 * The caller shows all bytes of the head received so far, always from its
 * first byte on, at any address; the parser remembers how far it looked, so
 * each byte is looked at once however the input is split. Results are offsets
 * into those bytes.
 *
 * Strictness, where the RFC leaves a choice:
 * - Lines end in CRLF. A bare LF and a bare CR are errors (2.2), as any other
 *   control character but HTAB: proxies disagree about them, and that is how
 *   requests are smuggled.
 * - One space between the parts of the request line (3); no white space
 *   before a colon and no obs-fold (5.1, 5.2).
 * - A method longer than the longest known one is not cut short: 501 comes
 *   from whoever looks it up; only where the line never ends it comes from
 *   here.
 */
#ifndef DAWN_HTTP_PARSE_H
#define DAWN_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAWN_HTTP_LINE_MAX   8192  /* request line without CRLF; then 414 */
#define DAWN_HTTP_HEAD_MAX   16384 /* with its empty line; then 431 */
#define DAWN_HTTP_FIELDS_MAX 100   /* then 431 */

struct dawn_span {
	uint16_t off; /* from the head's first byte */
	uint16_t len;
};

struct dawn_http_field {
	struct dawn_span name;
	struct dawn_span value; /* without white space around it */
};

/* Zero-initialized is a new head. `scanned` is 0 until a byte was seen. */
struct dawn_http_parser {
	uint16_t scanned;  /* bytes that need not be looked at again */
	uint16_t line;     /* where the present line begins */
	uint16_t head_len; /* once complete */
	uint8_t in_fields; /* past the request line */
	uint8_t minor;     /* version: HTTP/1.<minor> */
	uint16_t field_count;
	struct dawn_span method;
	struct dawn_span target;
	struct dawn_http_field fields[DAWN_HTTP_FIELDS_MAX];
};

#define DAWN_HTTP_MORE     0 /* incomplete: call again with more */
#define DAWN_HTTP_COMPLETE 1

/* Return: DAWN_HTTP_MORE, DAWN_HTTP_COMPLETE, or the status of the error to
 * answer with: 400, 414, 431, 501 or 505. */
int dawn_http_parse(struct dawn_http_parser *p, const uint8_t *buf, size_t len);

/* tchar (RFC 9110, 5.6.2). */
bool dawn_http_is_token_char(uint8_t c);

/* Index of the first control character (0x00..0x1f, 0x7f) at or after `at`, or
 * `len`. Reads nothing beyond `len`. */
size_t dawn_http_find_control(const uint8_t *buf, size_t at, size_t len);

#endif
