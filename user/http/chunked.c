/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Theory of operation: a state for each place in the grammar; each byte of
 * framing is one step, data is skipped in bulk.
 *
 *   SIZE ─► SIZE_WS ─► EXT ─► SIZE_LF ─► DATA ─► DATA_CR ─► DATA_LF ─► SIZE
 *                                 └─ size 0 ─► LINE ─► END_LF ─► END
 *                                    NAME ─► VALUE ─► VALUE_LF ─► LINE
 */
#include "user/http/chunked.h"

#include <stdbool.h>

#include "user/http/parse.h"

enum {
	SIZE,     /* hex digits */
	SIZE_WS,  /* blanks that only an extension may follow */
	EXT,      /* after ';' up to CR */
	SIZE_LF,  /* the size line's LF */
	DATA,     /* chunk data; left > 0 */
	DATA_CR,  /* CRLF behind the data */
	DATA_LF,  /* */
	LINE,     /* first byte of a trailer line, or the end */
	NAME,     /* trailer field name */
	VALUE,    /* trailer field value */
	VALUE_LF, /* its LF */
	END_LF,   /* the last LF */
	END,      /* */
};

#define BAD   (-1)
#define LARGE (-2)

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A byte that may stand in an extension or a trailer's value. */
static bool is_text(uint8_t b)
{
	return b == '\t' || (b >= 0x20 && b != 0x7f);
}

static int step_size(struct dawn_http_chunked *c, uint8_t b)
{
	int v = hex_value(b);

	if (v >= 0) {
		if (c->digits == 16 || c->left >> 60)
			return BAD; /* would not fit: RFC 9112, 7.1 */
		c->digits++;
		c->left = c->left << 4 | (uint64_t)v;
		return SIZE;
	}
	if (!c->digits)
		return BAD;
	switch (b) {
	case '\r':
		return SIZE_LF;
	case ';':
		return EXT;
	case ' ':
	case '\t':
		return SIZE_WS;
	default:
		return BAD;
	}
}

static int count_overhead(struct dawn_http_chunked *c, uint32_t max, int next)
{
	return ++c->overhead > max ? LARGE : next;
}

static int step_ext(struct dawn_http_chunked *c, uint8_t b)
{
	if (c->state == SIZE_WS && b != ' ' && b != '\t' && b != ';')
		return BAD;
	if (b == '\r')
		return SIZE_LF;
	if (!is_text(b))
		return BAD;
	return count_overhead(c, DAWN_HTTP_EXT_MAX,
			      c->state == EXT || b == ';' ? EXT : SIZE_WS);
}

static int step_size_lf(struct dawn_http_chunked *c, uint8_t b)
{
	if (b != '\n')
		return BAD;
	c->digits = 0;
	if (c->left)
		return DATA;
	c->overhead = 0;
	return LINE;
}

static int step_trailer(struct dawn_http_chunked *c, uint8_t b)
{
	int next;

	if (c->state == LINE && b == '\r')
		return END_LF;
	if (c->state == VALUE) {
		if (b == '\r')
			return VALUE_LF;
		next = is_text(b) ? VALUE : BAD;
	} else if (c->state == NAME && b == ':') {
		next = VALUE;
	} else {
		next = dawn_http_is_token_char(b) ? NAME : BAD;
	}
	return next == BAD ? BAD
			   : count_overhead(c, DAWN_HTTP_TRAILER_MAX, next);
}

static int step(struct dawn_http_chunked *c, uint8_t b)
{
	switch (c->state) {
	case SIZE:
		return step_size(c, b);
	case SIZE_WS:
	case EXT:
		return step_ext(c, b);
	case SIZE_LF:
		return step_size_lf(c, b);
	case DATA_CR:
		return b == '\r' ? DATA_LF : BAD;
	case DATA_LF:
		return b == '\n' ? SIZE : BAD;
	case LINE:
	case NAME:
	case VALUE:
		return step_trailer(c, b);
	case VALUE_LF:
		return b == '\n' ? LINE : BAD;
	case END_LF:
		return b == '\n' ? END : BAD;
	default:
		return BAD;
	}
}

enum dawn_http_chunk dawn_http_chunked_next(struct dawn_http_chunked *c,
					    const uint8_t *buf, size_t len,
					    size_t *used, size_t *data_len)
{
	size_t at = 0;
	int next;

	*data_len = 0;
	while (c->state != END && at < len && c->state != DATA) {
		next = step(c, buf[at]);
		if (next < 0) {
			*used = at;
			return next == LARGE ? DAWN_HTTP_CHUNK_LARGE
					     : DAWN_HTTP_CHUNK_BAD;
		}
		c->state = (uint8_t)next;
		at++;
	}
	*used = at;
	if (c->state == END)
		return DAWN_HTTP_CHUNK_END;
	if (c->state != DATA || at == len)
		return DAWN_HTTP_CHUNK_MORE;
	*data_len = len - at < c->left ? len - at : (size_t)c->left;
	return DAWN_HTTP_CHUNK_DATA;
}

void dawn_http_chunked_take(struct dawn_http_chunked *c, size_t n)
{
	c->left -= n;
	if (!c->left)
		c->state = DATA_CR;
}
