/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "user/http/response.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof("HTTP/1.1 200 OK\r\nServer: binary-dawn\r\nDate: ") - 1 ==
		       DAWN_HTTP_DATE_OFFSET,
	       "the kernel half fills in Date at this offset");
_Static_assert(DAWN_HTTP_DATE_OFFSET % 4 == 0,
	       "Date's checksum is added without shifting");

const char *dawn_http_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{ 100, "Continue" },
		{ 200, "OK" },
		{ 206, "Partial Content" },
		{ 301, "Moved Permanently" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Unknown";
}

/* A civil date from days since 1970-01-01, Gregorian throughout. Works on
 * eras of 400 years that begin in March, so that the leap day is the last. */
static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468; /* since 0000-03-01 */
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

static void put_digits(char *out, unsigned int value, int digits)
{
	while (digits--) {
		out[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

void dawn_http_date(char out[DAWN_HTTP_DATE_LEN], int64_t unix_s)
{
	static const char days[7][4] = { "Thu", "Fri", "Sat", "Sun",
					 "Mon", "Tue", "Wed" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr",
					    "May", "Jun", "Jul", "Aug",
					    "Sep", "Oct", "Nov", "Dec" };
	const int64_t min_s = -62135596800, max_s = 253402300799;
	int year, month, day;
	int64_t d, rest;

	if (unix_s < min_s)
		unix_s = min_s;
	if (unix_s > max_s)
		unix_s = max_s;
	d = (unix_s >= 0 ? unix_s : unix_s - 86399) / 86400;
	rest = unix_s - d * 86400;
	civil_from_days(d, &year, &month, &day);

	memcpy(out, "Thu, 00 Jan 0000 00:00:00 GMT", DAWN_HTTP_DATE_LEN);
	memcpy(out, days[((d % 7) + 7) % 7], 3);
	put_digits(out + 5, (unsigned int)day, 2);
	memcpy(out + 8, months[month - 1], 3);
	put_digits(out + 12, (unsigned int)year, 4);
	put_digits(out + 17, (unsigned int)(rest / 3600), 2);
	put_digits(out + 20, (unsigned int)(rest / 60 % 60), 2);
	put_digits(out + 23, (unsigned int)(rest % 60), 2);
}

void dawn_http_etag(char out[DAWN_HTTP_ETAG_MAX], uint64_t ino, int64_t mtime_s,
		    uint32_t mtime_ns, uint64_t size)
{
	snprintf(out, DAWN_HTTP_ETAG_MAX,
		 "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"", ino,
		 (uint64_t)mtime_s * UINT64_C(1000000000) + mtime_ns, size);
}

/* Output that remembers an overflow instead of passing the end. */
struct writer {
	char *buf;
	size_t cap;
	size_t len;
	bool full;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
	if (w->full || len > w->cap - w->len) {
		w->full = true;
		return;
	}
	memcpy(w->buf + w->len, bytes, len);
	w->len += len;
}

static void put_text(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void put_number(struct writer *w, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put(w, digits + at, sizeof(digits) - at);
}

static void put_field(struct writer *w, const char *name, const char *value,
		      size_t len)
{
	put_text(w, name);
	put(w, ": ", 2);
	put(w, value, len);
	put(w, "\r\n", 2);
}

static void put_optional(struct writer *w, const char *name, const char *value)
{
	if (value)
		put_field(w, name, value, strlen(value));
}

static void put_date(struct writer *w, const char *name, int64_t unix_s)
{
	char date[DAWN_HTTP_DATE_LEN];

	dawn_http_date(date, unix_s);
	put_field(w, name, date, sizeof(date));
}

static void put_start(struct writer *w, const struct dawn_http_head *h)
{
	int status = h->status ? h->status : 200;

	put_text(w, "HTTP/1.1 ");
	put_number(w, (uint64_t)status);
	put(w, " ", 1);
	put_text(w, dawn_http_reason(status));
	put_text(w, "\r\nServer: binary-dawn\r\n");
	put_date(w, "Date", h->date_s);
}

size_t dawn_http_head(char *buf, size_t cap, const struct dawn_http_head *h)
{
	struct writer w = { .buf = buf, .cap = cap };

	put_start(&w, h);
	if (h->content_type)
		put_field(&w, "Content-Type", h->content_type,
			  h->content_type_len);
	if (h->has_length) {
		put_text(&w, "Content-Length: ");
		put_number(&w, h->content_length);
		put(&w, "\r\n", 2);
	}
	if (h->chunked)
		put_text(&w, "Transfer-Encoding: chunked\r\n");
	put_optional(&w, "Content-Range", h->content_range);
	if (h->mtime_s != DAWN_HTTP_NO_TIME)
		put_date(&w, "Last-Modified", h->mtime_s);
	put_optional(&w, "ETag", h->etag);
	put_optional(&w, "Allow", h->allow);
	put_optional(&w, "Location", h->location);
	if (h->connection == DAWN_HTTP_CLOSE)
		put_text(&w, "Connection: close\r\n");
	else if (h->connection == DAWN_HTTP_KEEP_10)
		put_text(&w, "Connection: keep-alive\r\n");
	put(&w, "\r\n", 2);
	return w.full ? 0 : w.len;
}

size_t dawn_http_head_file(char *buf, size_t cap, int64_t date_s,
			   const char *content_type, uint64_t content_length,
			   int64_t mtime_s, const char *etag,
			   enum dawn_http_connection connection)
{
	struct dawn_http_head h = {
		.status = 200,
		.date_s = date_s,
		.content_type = content_type,
		.has_length = true,
		.content_length = content_length,
		.mtime_s = mtime_s,
		.etag = etag,
		.connection = connection,
	};

	if (!h.content_type)
		h.content_type = "application/octet-stream";
	h.content_type_len = strlen(h.content_type);
	return dawn_http_head(buf, cap, &h);
}
