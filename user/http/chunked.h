/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Chunked transfer coding, decoded in place (RFC 9112, 7.1).
 *
 * The decoder owns no buffer: it steps over framing and shows the data between.
 * Chunk extensions and trailer fields are checked for syntax and dropped.
 * Strict as the head's parser: CRLF only, no control characters, nothing
 * between the size and CRLF but extensions.
 */
#ifndef DAWN_HTTP_CHUNKED_H
#define DAWN_HTTP_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

#define DAWN_HTTP_EXT_MAX     16384 /* bytes of extensions in one body */
#define DAWN_HTTP_TRAILER_MAX 8192  /* bytes of the trailer section */

/* Zero-initialized is the start of a body. */
struct dawn_http_chunked {
	uint64_t left;     /* of the present chunk's size */
	uint32_t overhead; /* extension or trailer bytes so far */
	uint8_t state;
	uint8_t digits;
};

enum dawn_http_chunk {
	DAWN_HTTP_CHUNK_MORE,  /* all was used, no data: wait */
	DAWN_HTTP_CHUNK_DATA,  /* data is next: use some, then _take() it */
	DAWN_HTTP_CHUNK_END,   /* the body's last byte is behind us */
	DAWN_HTTP_CHUNK_BAD,   /* malformed: 400 */
	DAWN_HTTP_CHUNK_LARGE, /* extensions or trailers: 431 */
};

/* Step over framing at the start of buf. *used: bytes stepped over, in each
 * case. With DATA, buf[*used .. *used + *data_len) is data; not taken is
 * shown again. */
enum dawn_http_chunk dawn_http_chunked_next(struct dawn_http_chunked *c,
					    const uint8_t *buf, size_t len,
					    size_t *used, size_t *data_len);

/* n <= *data_len bytes of data are used. */
void dawn_http_chunked_take(struct dawn_http_chunked *c, size_t n);

#endif
