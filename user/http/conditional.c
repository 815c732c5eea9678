/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "user/http/conditional.h"

#include <string.h>

#include "user/http/response.h"

/* ---- dates */

/* Days since 1970-01-01; the reverse of what formats Date. */
static int64_t days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400; /* y >= 0 here */
	int64_t yoe = y - era * 400;
	int64_t doy =
		(153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

struct fields {
	int year, month, day, hour, minute, second;
	bool short_year;
};

static int month_number(const char *name)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (!memcmp(months + (ptrdiff_t)i * 3, name, 3))
			return i + 1;
	return 0;
}

static int number(const char *text, int digits)
{
	int n = 0;

	for (int i = 0; i < digits; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + text[i] - '0';
	}
	return n;
}

static bool read_time(struct fields *f, const char *t)
{
	f->hour = number(t, 2);
	f->minute = number(t + 3, 2);
	f->second = number(t + 6, 2);
	return t[2] == ':' && t[5] == ':';
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool read_imf(struct fields *f, const char *t, size_t len)
{
	if (len != 29 || t[3] != ',' || t[4] != ' ' || t[7] != ' ' ||
	    t[11] != ' ' || t[16] != ' ' || memcmp(t + 25, " GMT", 4) != 0)
		return false;
	f->day = number(t + 5, 2);
	f->month = month_number(t + 8);
	f->year = number(t + 12, 4);
	return read_time(f, t + 17);
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool read_rfc850(struct fields *f, const char *t, size_t len)
{
	const char *comma = memchr(t, ',', len);

	if (!comma || comma - t < 6 || len - (size_t)(comma - t) != 24)
		return false;
	t = comma;
	if (t[1] != ' ' || t[4] != '-' || t[8] != '-' || t[11] != ' ' ||
	    memcmp(t + 20, " GMT", 4) != 0)
		return false;
	f->day = number(t + 2, 2);
	f->month = month_number(t + 5);
	f->year = number(t + 9, 2);
	f->short_year = true;
	return read_time(f, t + 12);
}

/* Sun Nov  6 08:49:37 1994 */
static bool read_asctime(struct fields *f, const char *t, size_t len)
{
	if (len != 24 || t[3] != ' ' || t[7] != ' ' || t[10] != ' ' ||
	    t[19] != ' ')
		return false;
	f->month = month_number(t + 4);
	f->day = t[8] == ' ' ? number(t + 9, 1) : number(t + 8, 2);
	f->year = number(t + 20, 4);
	return read_time(f, t + 11);
}

bool dawn_http_parse_date(const uint8_t *text, size_t len, int64_t now_s,
			  int64_t *unix_s)
{
	const char *t = (const char *)text;
	struct fields f = { 0 };
	const int64_t fifty_years = INT64_C(50) * 31556952;

	if (!read_imf(&f, t, len) && !read_rfc850(&f, t, len) &&
	    !read_asctime(&f, t, len))
		return false;
	if (f.year < 0 || f.month < 1 || f.day < 1 || f.day > 31 ||
	    f.hour < 0 || f.hour > 23 || f.minute < 0 || f.minute > 59 ||
	    f.second < 0 || f.second > 60)
		return false;
	if (f.short_year)
		f.year += 2000;
	*unix_s = days_from_civil(f.year, f.month, f.day) * 86400 +
		  f.hour * 3600 + f.minute * 60 + f.second;
	if (f.short_year && *unix_s > now_s + fifty_years)
		*unix_s =
			days_from_civil(f.year - 100, f.month, f.day) * 86400 +
			*unix_s % 86400;
	return true;
}

/* ---- entity tags */

/* Does a list of entity tags hold ours? Ours is strong, so a weak comparison
 * only skips the W/ of theirs, and a strong one refuses it. */
static bool tags_match(const uint8_t *v, size_t len, const char *etag,
		       bool weak)
{
	size_t own = strlen(etag), i = 0;

	if (len == 1 && v[0] == '*')
		return true;
	while (i < len) {
		bool is_weak = false;
		const uint8_t *quote;
		size_t tag_len;

		if (v[i] == ',' || v[i] == ' ' || v[i] == '\t') {
			i++;
			continue;
		}
		if (len - i >= 2 && v[i] == 'W' && v[i + 1] == '/') {
			is_weak = true;
			i += 2;
		}
		if (i == len || v[i] != '"')
			return false;
		quote = memchr(v + i + 1, '"', len - i - 1);
		if (!quote)
			return false;
		tag_len = (size_t)(quote - (v + i)) + 1;
		if (tag_len == own && !memcmp(v + i, etag, own) &&
		    (weak || !is_weak))
			return true;
		i += tag_len;
	}
	return false;
}

/* A list may come in several lines. */
static bool any_tags_match(const struct dawn_http_request *r,
			   const struct dawn_http_parser *p, const uint8_t *buf,
			   enum dawn_http_field_id id, const char *etag,
			   bool weak)
{
	for (unsigned int i = 0; i < p->field_count; i++) {
		struct dawn_span v = p->fields[i].value;

		if (r->ids[i] == id &&
		    tags_match(buf + v.off, v.len, etag, weak))
			return true;
	}
	return false;
}

/* A field that must come once. Return: false if there is none, or several. */
static bool single(const struct dawn_http_request *r,
		   const struct dawn_http_parser *p, const uint8_t *buf,
		   enum dawn_http_field_id id, const uint8_t **value,
		   size_t *len)
{
	unsigned int found = 0;

	if (!dawn_http_has(r, id))
		return false;
	for (unsigned int i = 0; i < p->field_count; i++) {
		if (r->ids[i] != id)
			continue;
		*value = buf + p->fields[i].value.off;
		*len = p->fields[i].value.len;
		found++;
	}
	return found == 1;
}

static bool single_date(const struct dawn_http_request *r,
			const struct dawn_http_parser *p, const uint8_t *buf,
			enum dawn_http_field_id id,
			const struct dawn_http_state *st, int64_t *unix_s)
{
	const uint8_t *v;
	size_t len;

	return st->mtime_s != DAWN_HTTP_NO_TIME &&
	       single(r, p, buf, id, &v, &len) &&
	       dawn_http_parse_date(v, len, st->now_s, unix_s);
}

/* ---- ranges */

static bool read_position(const uint8_t **at, const uint8_t *end, uint64_t *n,
			  bool *any)
{
	*n = 0;
	*any = false;
	while (*at < end && **at >= '0' && **at <= '9') {
		if (__builtin_mul_overflow(*n, 10, n) ||
		    __builtin_add_overflow(*n, **at - '0', n))
			*n = UINT64_MAX / 10; /* beyond any file */
		*any = true;
		(*at)++;
	}
	return *any;
}

/* One range in bytes. Return: 200 (ignore it), 206, or 416. */
static int read_range(const uint8_t *v, size_t len, uint64_t size,
		      struct dawn_http_range *range)
{
	const uint8_t *end = v + len;
	uint64_t first, last;
	bool has_first, has_last;

	if (len < 6 || memcmp(v, "bytes=", 6) != 0)
		return 200;
	v += 6;
	read_position(&v, end, &first, &has_first);
	if (v == end || *v++ != '-')
		return 200;
	read_position(&v, end, &last, &has_last);
	if (v != end || (!has_first && !has_last) ||
	    (has_first && has_last && last < first))
		return 200;
	if (!has_first) { /* the last bytes */
		if (!last || !size)
			return 416;
		range->len = last < size ? last : size;
		range->first = size - range->len;
		return 206;
	}
	if (first >= size)
		return 416;
	if (!has_last || last >= size)
		last = size - 1;
	range->first = first;
	range->len = last - first + 1;
	return 206;
}

/* If-Range: is what the client has a part of still this? A date is a strong
 * validator only some time after the change (RFC 9110, 8.8.2.2). */
static bool range_applies(const struct dawn_http_request *r,
			  const struct dawn_http_parser *p, const uint8_t *buf,
			  const struct dawn_http_state *st)
{
	const uint8_t *v;
	size_t len;
	int64_t date_s;

	if (!dawn_http_has(r, DAWN_HTTP_FIELD_IF_RANGE))
		return true;
	if (!single(r, p, buf, DAWN_HTTP_FIELD_IF_RANGE, &v, &len))
		return false;
	if (len && (v[0] == '"' || v[0] == 'W'))
		return len == strlen(st->etag) && !memcmp(v, st->etag, len);
	return single_date(r, p, buf, DAWN_HTTP_FIELD_IF_RANGE, st, &date_s) &&
	       date_s == st->mtime_s && st->now_s - st->mtime_s >= 60;
}

/* The order is the RFC's (13.2.2). */
static int preconditions(const struct dawn_http_request *r,
			 const struct dawn_http_parser *p, const uint8_t *buf,
			 const struct dawn_http_state *st)
{
	int64_t date_s;

	if (dawn_http_has(r, DAWN_HTTP_FIELD_IF_MATCH)) {
		if (!any_tags_match(r, p, buf, DAWN_HTTP_FIELD_IF_MATCH,
				    st->etag, false))
			return 412;
	} else if (single_date(r, p, buf, DAWN_HTTP_FIELD_IF_UNMODIFIED_SINCE,
			       st, &date_s)) {
		if (st->mtime_s > date_s)
			return 412;
	}
	if (dawn_http_has(r, DAWN_HTTP_FIELD_IF_NONE_MATCH)) {
		if (any_tags_match(r, p, buf, DAWN_HTTP_FIELD_IF_NONE_MATCH,
				   st->etag, true))
			return 304;
	} else if (single_date(r, p, buf, DAWN_HTTP_FIELD_IF_MODIFIED_SINCE, st,
			       &date_s)) {
		if (st->mtime_s <= date_s)
			return 304;
	}
	return 200;
}

int dawn_http_evaluate(const struct dawn_http_request *r,
		       const struct dawn_http_parser *p, const uint8_t *buf,
		       const struct dawn_http_state *st,
		       struct dawn_http_range *range)
{
	const uint8_t *v;
	size_t len;
	int status = preconditions(r, p, buf, st);

	if (status != 200 || r->method != DAWN_HTTP_GET)
		return status;
	if (!single(r, p, buf, DAWN_HTTP_FIELD_RANGE, &v, &len) ||
	    !range_applies(r, p, buf, st))
		return 200;
	return read_range(v, len, st->size, range);
}
