/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a slot holds for conditional requests, and what it says of its entry. */
#include <string.h>

#include "user/cache/files_int.h"
#include "user/cache/kcache.h"
#include "user/http/conditional.h"

_Static_assert(DAWN_FILES_ETAG_MAX > DAWN_ETAG_MAX &&
		       DAWN_FILES_ETAG_MAX >= DAWN_HTTP_ETAG_MAX,
	       "one for which XDP sends 304 fits");

/* Where a field's value stands in a head that dawn_http_head() made; `name`
 * with the line's end before it and ": ". 0: it is not there. */
static uint32_t value_at(const void *head, size_t len, const char *name)
{
	const uint8_t *at = memmem(head, len, name, strlen(name));

	return at ? (uint32_t)(at - (const uint8_t *)head + strlen(name)) : 0;
}

void dawn_kcache_put_not_modified(struct dawn_kcache_put *put, const char *etag,
				  char *buf, size_t cap)
{
	const struct dawn_http_head h = {
		.status = 304,
		.mtime_s = DAWN_HTTP_NO_TIME,
		.etag = etag,
	};

	put->nm_len = dawn_http_head(buf, cap, &h);
	if (!put->nm_len)
		return;
	put->nm = buf;
	put->nm_date_off = value_at(buf, put->nm_len, "\r\nDate: ");
	put->etag_off = value_at(put->head, put->head_len, "\r\nETag: ");
	put->etag_len = (uint32_t)strlen(etag);
	put->modified_off =
		value_at(put->head, put->head_len, "\r\nLast-Modified: ");
}

static bool copy_type(const uint8_t *resp, struct dawn_file *file)
{
	uint32_t at = value_at(resp, file->head_len, "\r\nContent-Type: ");
	const uint8_t *end;
	size_t len;

	if (!at)
		return false;
	end = memchr(resp + at, '\r', file->head_len - at);
	len = end ? (size_t)(end - (resp + at)) : sizeof(file->slot_type);
	if (len >= sizeof(file->slot_type))
		return false;
	memcpy(file->slot_type, resp + at, len);
	file->slot_type[len] = '\0';
	file->type = file->slot_type;
	return true;
}

void dawn_files_describe(const uint8_t *resp,
			 const struct dawn_validators *where, int64_t now_s,
			 struct dawn_file *file)
{
	uint32_t end = file->head_len;

	file->meta = false; /* it may have been told of a file that lost */
	if (!where->etag_off || where->etag_len >= sizeof(file->etag) ||
	    where->etag_off > end || where->etag_len > end - where->etag_off ||
	    !copy_type(resp, file))
		return;
	memcpy(file->etag, resp + where->etag_off, where->etag_len);
	file->etag[where->etag_len] = '\0';
	file->mtime_s = DAWN_HTTP_NO_TIME;
	if (where->modified_off && where->modified_off <= end &&
	    end - where->modified_off >= DAWN_DATE_LEN &&
	    !dawn_http_parse_date(resp + where->modified_off, DAWN_DATE_LEN,
				  now_s, &file->mtime_s))
		return;
	file->size = file->resp_len - file->head_len;
	file->meta = true;
}
