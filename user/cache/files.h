/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Static files below a root directory, and which of them stand in the kernel
 * cache. One object for all threads; thread safe. */
#ifndef DAWN_CACHE_FILES_H
#define DAWN_CACHE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/http/response.h"
#include "user/io/stream.h"

struct dawn_files;
struct dawn_kcache;

struct dawn_files_options {
	const char *root;
	struct dawn_kcache *kcache; /* NULL: nothing is promoted. Borrowed; used
				     * under a lock of its own */
	uint32_t promote_after;     /* requests; 0: default 2; at most 255;
				     * UINT32_MAX: never */
};

/* Return: 0 or negative errno (root missing, not a directory; -ENOSYS: no
 * openat2). What an earlier daemon promoted is taken out of the kernel cache:
 * nobody watched those files since. */
int dawn_files_create(struct dawn_files **out,
		      const struct dawn_files_options *o);

/* Takes what was promoted out of the kernel cache. NULL is fine. */
void dawn_files_destroy(struct dawn_files *f);

/* inotify: watch `dawn_files_fd()` for EPOLLIN in one loop and call
 * dawn_files_changed(): a changed or deleted file leaves the kernel cache.
 * -1 if there is no kernel cache: nothing to watch. */
int dawn_files_fd(const struct dawn_files *f);
void dawn_files_changed(struct dawn_files *f);

/* Now and then (100 ms): retired slots, expiry, and what inotify cannot see
 * (network file systems, stores into shared mappings). */
void dawn_files_tick(struct dawn_files *f);

struct dawn_files_counts {
	uint64_t promoted;
	uint64_t promote_failed; /* no slot, no watch, or changed meanwhile */
	uint64_t demoted;
	uint64_t evicted; /* for hotter ones; not among the demoted */
};
void dawn_files_counts(const struct dawn_files *f,
		       struct dawn_files_counts *out);

/* Room that dawn_files_get() wants for a whole response. */
#define DAWN_FILES_BUF (16U << 10)

#define DAWN_FILES_TYPE_MAX (DAWN_HTTP_TYPE_MAX + 1)
#define DAWN_FILES_ETAG_MAX 65 /* any that XDP compares, and NUL */

/* What the HTTP server asks. */
struct dawn_files_get {
	const char *target; /* request target as received */
	size_t target_len;
	const char *path; /* its path, still percent-encoded; starts with '/' or
			   * is empty */
	size_t path_len;
	const char *query; /* with its '?', for redirects; len 0: none */
	size_t query_len;
	const char *host; /* with port; len 0: none */
	size_t host_len;
	uint16_t group; /* of the stream; 0: the kernel half is not asked */
	bool kernel;    /* origin form: may stand in the kernel cache */
	bool promote;   /* a GET that counts and may promote */
	bool head;      /* only the head is wanted */
	int64_t now_s;  /* Unix time */
	uint8_t *buf;   /* DAWN_FILES_BUF bytes, for a whole response */
};

/* The answer. */
struct dawn_file {
	int status; /* 200, 301 (buf holds the Location, NUL-terminated), 400,
		     * 403, 404, 500 or 503 */
	bool meta;  /* etag, mtime_s, size and type are known */
	char etag[DAWN_FILES_ETAG_MAX];
	int64_t mtime_s; /* DAWN_HTTP_NO_TIME: not to be sent */
	uint64_t size;
	const char *type; /* lives as long as the files object, or this one */

	/* Status 200: either the whole response in buf ... */
	bool whole;
	bool in_kernel; /* ... which then stands in this slot too */
	uint32_t slot, gen;
	uint32_t head_len; /* head in buf; its Date is to be filled in */
	uint32_t resp_len; /* head and body */
	uint32_t date_off; /* 0: it has no Date */
	char slot_type[DAWN_FILES_TYPE_MAX]; /* `type` may point here */

	/* ... or the open file; the caller closes it. -1: none. */
	int fd;
};

/* Find the file, promote it if its time has come. */
void dawn_files_get(struct dawn_files *f, const struct dawn_files_get *g,
		    struct dawn_file *out);

#endif
