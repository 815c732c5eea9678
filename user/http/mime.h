/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Content types by file name extension: from the system's mime.types, with a
 * built-in list of the commonest where there is none. */
#ifndef DAWN_HTTP_MIME_H
#define DAWN_HTTP_MIME_H

#include <stddef.h>

#define DAWN_MIME_TYPES_FILE "/etc/mime.types"
#define DAWN_MIME_DEFAULT    "application/octet-stream"

struct dawn_mime;

/* Read `path` (mime.types format). A file that is missing or unreadable is no
 * error: the built-in list is used alone. Return: 0 or -ENOMEM. */
int dawn_mime_open(struct dawn_mime **out, const char *path);
void dawn_mime_close(struct dawn_mime *m); /* NULL is fine */

/* Type of a file by its name's extension, compared without case; the longest
 * extension listed wins ("tm.json" before "json"). Never NULL; the string
 * lives as long as `m`. Without an extension, or with an unknown one:
 * DAWN_MIME_DEFAULT. */
const char *dawn_mime_type(const struct dawn_mime *m, const char *name);

#endif
