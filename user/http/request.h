/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a parsed head means: method, target, framing of the body, connection
 * (RFC 9110, 7; RFC 9112, 3, 6, 9). Spans are offsets into the head. */
#ifndef DAWN_HTTP_REQUEST_H
#define DAWN_HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "user/http/parse.h"

enum dawn_http_method {
	DAWN_HTTP_UNKNOWN,
	DAWN_HTTP_GET,
	DAWN_HTTP_HEAD,
	DAWN_HTTP_POST,
	DAWN_HTTP_PUT,
	DAWN_HTTP_DELETE,
	DAWN_HTTP_OPTIONS,
	DAWN_HTTP_PATCH,
	DAWN_HTTP_TRACE,
	DAWN_HTTP_CONNECT,
};

enum dawn_http_form {
	DAWN_HTTP_FORM_ORIGIN,    /* /path?query */
	DAWN_HTTP_FORM_ABSOLUTE,  /* http://host/path?query */
	DAWN_HTTP_FORM_AUTHORITY, /* host:port, CONNECT only */
	DAWN_HTTP_FORM_ASTERISK,  /* *, OPTIONS only */
};

/* Fields this server looks at. */
enum dawn_http_field_id {
	DAWN_HTTP_FIELD_OTHER,
	DAWN_HTTP_FIELD_HOST,
	DAWN_HTTP_FIELD_CONNECTION,
	DAWN_HTTP_FIELD_CONTENT_LENGTH,
	DAWN_HTTP_FIELD_TRANSFER_ENCODING,
	DAWN_HTTP_FIELD_CONTENT_TYPE,
	DAWN_HTTP_FIELD_EXPECT,
	DAWN_HTTP_FIELD_AUTHORIZATION,
	DAWN_HTTP_FIELD_COOKIE,
	DAWN_HTTP_FIELD_IF_MATCH,
	DAWN_HTTP_FIELD_IF_NONE_MATCH,
	DAWN_HTTP_FIELD_IF_MODIFIED_SINCE,
	DAWN_HTTP_FIELD_IF_UNMODIFIED_SINCE,
	DAWN_HTTP_FIELD_IF_RANGE,
	DAWN_HTTP_FIELD_RANGE,
	DAWN_HTTP_FIELD_COUNT_,
};

struct dawn_http_request {
	enum dawn_http_method method;
	enum dawn_http_form form;
	uint8_t minor;        /* HTTP/1.<minor> */
	bool keep_alive;      /* what the client wants or defaults to */
	bool has_length;      /* Content-Length was there */
	bool chunked;         /* the body is chunked */
	bool expect_continue; /* Expect: 100-continue, HTTP/1.1 */
	bool framed;          /* it is known where the request ends */
	uint64_t
		content_length; /* saturated: beyond any limit if it overflows */
	struct dawn_span target; /* as on the request line */
	struct dawn_span path;   /* of it; len 0: absolute-form without one */
	struct dawn_span host;   /* with its port; len 0: none (HTTP/1.0) */
	struct dawn_span content_type; /* len 0: none */
	uint32_t fields;               /* bit n: enum dawn_http_field_id n */
	/* The id of each of the parser's fields. */
	uint8_t ids[DAWN_HTTP_FIELDS_MAX];
};

static inline bool dawn_http_has(const struct dawn_http_request *r,
				 enum dawn_http_field_id id)
{
	return r->fields >> id & 1;
}

/* Read a complete head. Return: 0, or the status to answer with: 400, 417 or
 * 501. `r` is filled as far as it was understood: method and minor always. */
int dawn_http_request_read(struct dawn_http_request *r,
			   const struct dawn_http_parser *p,
			   const uint8_t *buf);

/* Is it host [":" port] of RFC 3986, not empty? */
bool dawn_http_host_valid(const uint8_t *host, size_t len);

/* Does the comma-separated list hold this token (case-insensitive)? */
bool dawn_http_list_has(const uint8_t *list, size_t len, const char *token);

#endif
