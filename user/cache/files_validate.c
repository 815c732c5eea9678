/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a promoted file's slot holds for conditional requests. */
#include <string.h>

#include "user/cache/files_int.h"
#include "user/cache/kcache.h"

/* Where a field's value stands in a head that dawn_http_head() made; `name`
 * with the line's end before it and ": ". 0: it is not there. */
static uint32_t value_at(const void *head, size_t len, const char *name)
{
	const uint8_t *at = memmem(head, len, name, strlen(name));

	return at ? (uint32_t)(at - (const uint8_t *)head + strlen(name)) : 0;
}

void dawn_files_put_not_modified(struct dawn_kcache_put *put,
				 const struct dawn_file *file, char *buf,
				 size_t cap)
{
	const struct dawn_http_head h = {
		.status = 304,
		.mtime_s = DAWN_HTTP_NO_TIME,
		.etag = file->etag,
	};

	put->nm_len = dawn_http_head(buf, cap, &h);
	if (!put->nm_len)
		return;
	put->nm = buf;
	put->nm_date_off = value_at(buf, put->nm_len, "\r\nDate: ");
	put->etag_off = value_at(put->head, put->head_len, "\r\nETag: ");
	put->etag_len = (uint32_t)strlen(file->etag);
	put->modified_off =
		value_at(put->head, put->head_len, "\r\nLast-Modified: ");
}
