/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Internal to user/cache/files*.c: opening below the root (files_open.c), and
 * which files stand in the kernel cache (files_promote.c, files_slot.c,
 * validators.c, files_watch.c). */
#ifndef DAWN_CACHE_FILES_INT_H
#define DAWN_CACHE_FILES_INT_H

#include <sys/stat.h>

#include "user/cache/files.h"

/* The state of a file; equal states are taken for equal content. */
struct dawn_file_id {
	uint64_t dev;
	uint64_t ino;
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint64_t size;
};

struct dawn_file_id dawn_file_id_of(const struct stat *st);
bool dawn_file_id_equal(const struct dawn_file_id *a,
			const struct dawn_file_id *b);

/* Open `rel` below the root, symlinks that stay below it followed. Return: the
 * descriptor or negative errno. */
int dawn_files_open_below(int root_fd, const char *rel, int flags);

/* Read exactly `len` bytes from the file's start. Return: false if it has
 * fewer, or on error. */
bool dawn_files_read(int fd, void *buf, size_t len);

/* A regular file that a request named. */
struct dawn_opened {
	int fd;
	struct dawn_file_id id;
	const char *rel;  /* below the root */
	const char *type; /* content type */
};

/* ---- files_promote.c: all calls are thread safe */

struct dawn_promote;

int dawn_promote_create(struct dawn_promote **out, int root_fd,
			struct dawn_kcache *kcache, uint32_t promote_after);
void dawn_promote_destroy(struct dawn_promote *p); /* NULL is fine */
int dawn_promote_fd(const struct dawn_promote *p);
void dawn_promote_changed(struct dawn_promote *p);
void dawn_promote_tick(struct dawn_promote *p);
void dawn_promote_counts(const struct dawn_promote *p,
			 struct dawn_files_counts *out);

/* Does the target stand in the kernel cache, and if it came from a file, is
 * that file (o; NULL: it does not exist) still the same? Then g->buf holds the
 * response and `out` describes it. What is stale leaves the kernel cache. */
bool dawn_promote_find(struct dawn_promote *p, const struct dawn_files_get *g,
		       const struct dawn_opened *o, struct dawn_file *out);

/* Count a request; when it was asked for often enough, put the response into
 * the kernel cache. Return: true if it stands there now, as above. */
bool dawn_promote_count(struct dawn_promote *p, const struct dawn_files_get *g,
			const struct dawn_opened *o, struct dawn_file *out);

/* ---- files_slot.c */

struct dawn_index_value;
struct dawn_slot;
struct dawn_validators;

/* Is the slot live, with that generation? */
bool dawn_files_slot_live(const struct dawn_slot *s, uint32_t gen);

/* Copy a slot's response to g->buf. Another process may take the slot away
 * meanwhile: then false. *where: where its validators stand, if it has a 304. */
bool dawn_files_copy_slot(struct dawn_kcache *kc,
			  const struct dawn_files_get *g,
			  const struct dawn_index_value *v,
			  struct dawn_file *out, struct dawn_validators *where);

/* ---- validators.c */

/* As in struct dawn_slot. */
struct dawn_validators {
	uint32_t etag_off, etag_len, modified_off;
};

/* What preconditions and ranges need to know of a whole response (`resp`, lengths
 * in `file`), by its own head. Without an ETag, or if something is odd,
 * file->meta stays false: then it is sent as it is, whatever was asked. */
void dawn_files_describe(const uint8_t *resp,
			 const struct dawn_validators *where, int64_t now_s,
			 struct dawn_file *file);

/* ---- files_watch.c: not thread safe; used under the promoter's lock */

struct dawn_watches;

#define DAWN_WATCH_CHECK 0x01 /* a name in the directory changed: look again */
#define DAWN_WATCH_GONE  0x02 /* content, place or watch is no longer valid */

struct dawn_watch {
	struct dawn_watch *next;
	int wd;
	uint32_t refs;
	uint8_t marks; /* DAWN_WATCH_*; set by _read(), cleared by _clear() */
	bool is_dir;
};

int dawn_watches_create(struct dawn_watches **out);
void dawn_watches_destroy(struct dawn_watches *ws); /* NULL is fine */
int dawn_watches_fd(const struct dawn_watches *ws);

/* Watch what `path` names. Return: NULL if that fails. */
struct dawn_watch *dawn_watches_add(struct dawn_watches *ws, const char *path,
				    bool is_dir);
void dawn_watches_release(struct dawn_watches *ws, struct dawn_watch *w);

/* Read what happened into the marks. Return: true if there was anything;
 * *overflow: something was lost. */
bool dawn_watches_read(struct dawn_watches *ws, bool *overflow);
void dawn_watches_clear(struct dawn_watches *ws);

#endif
