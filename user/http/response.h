/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Response heads: one builder for everything that sends HTTP from here, so
 * that the kernel half, the reactor and `dawn cache put` produce equal bytes.
 *
 * Every head begins (RFC 9110, 6.6.1; 10.2.4)
 *
 *     HTTP/1.1 200 OK\r\n
 *     Server: binary-dawn\r\n
 *     Date: <29 bytes>\r\n
 *
 * and, for a 200, Date's value stands at DAWN_HTTP_DATE_OFFSET. After it, in
 * this order and only where they apply: Content-Type, Content-Length or
 * Transfer-Encoding, Content-Range, Last-Modified, ETag, Allow, Location,
 * Connection (last).
 */
#ifndef DAWN_HTTP_RESPONSE_H
#define DAWN_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of Date's value in a 200's head; what struct dawn_kcache_put.date_off wants.
 */
#define DAWN_HTTP_DATE_OFFSET 44
#define DAWN_HTTP_DATE_LEN    29
#define DAWN_HTTP_ETAG_MAX    56        /* with quotes and the final NUL */
#define DAWN_HTTP_TYPE_MAX    256       /* of a Content-Type that is given */
#define DAWN_HTTP_NO_TIME     INT64_MIN /* no Last-Modified */

enum dawn_http_connection {
	DAWN_HTTP_KEEP,    /* HTTP/1.1's default: nothing is said */
	DAWN_HTTP_CLOSE,   /* Connection: close */
	DAWN_HTTP_KEEP_10, /* Connection: keep-alive, to an HTTP/1.0 client */
};

/* Zero-initialized is a 200 without body fields; mtime_s must be set. */
struct dawn_http_head {
	int status;               /* 0: 200 */
	int64_t date_s;           /* Unix time of Date */
	const char *content_type; /* not terminated; NULL: no field */
	size_t content_type_len;
	bool has_length;
	bool chunked; /* Transfer-Encoding: chunked */
	uint64_t content_length;
	const char *content_range; /* the value; NULL: none */
	int64_t mtime_s;           /* Last-Modified; DAWN_HTTP_NO_TIME: none */
	const char *etag;          /* with its quotes; NULL: none */
	const char *allow;         /* NULL: none */
	const char *location;      /* NULL: none */
	enum dawn_http_connection connection;
};

/* Write the head with its empty line (no NUL). Return: its length, or 0 if it
 * does not fit `cap`. */
size_t dawn_http_head(char *buf, size_t cap, const struct dawn_http_head *h);

/* The head of a 200 with a whole file, as it goes into the kernel cache.
 * content_type NULL: application/octet-stream. etag NULL, mtime_s
 * DAWN_HTTP_NO_TIME: left out. Return: as dawn_http_head(). */
size_t dawn_http_head_file(char *buf, size_t cap, int64_t date_s,
			   const char *content_type, uint64_t content_length,
			   int64_t mtime_s, const char *etag,
			   enum dawn_http_connection connection);

/* "OK" for 200. Never NULL. */
const char *dawn_http_reason(int status);

/* IMF-fixdate (RFC 9110, 5.6.7), 29 bytes, no NUL. Years outside 1..9999 are
 * clamped: the format has four digits. */
void dawn_http_date(char out[DAWN_HTTP_DATE_LEN], int64_t unix_s);

/* Strong entity tag of a file's state; NUL-terminated, with its quotes. */
void dawn_http_etag(char out[DAWN_HTTP_ETAG_MAX], uint64_t ino, int64_t mtime_s,
		    uint32_t mtime_ns, uint64_t size);

#endif
