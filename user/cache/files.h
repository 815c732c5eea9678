/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Static files below a root directory, and which of them stand in the kernel
 * cache. One object for all threads; thread safe. */
#ifndef DAWN_CACHE_FILES_H
#define DAWN_CACHE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/io/stream.h"

struct dawn_files;
struct dawn_kcache;

struct dawn_files_options {
	const char *root;
	struct dawn_kcache *kcache; /* NULL: nothing is promoted. Borrowed; used
				     * under a lock of its own */
	uint32_t promote_after; /* requests; 0: default 2; UINT32_MAX: never */
};

/* Return: 0 or negative errno (root missing, not a directory). */
int dawn_files_create(struct dawn_files **out,
		      const struct dawn_files_options *o);
void dawn_files_destroy(struct dawn_files *f);

/* inotify: watch `dawn_files_fd()` for EPOLLIN in one loop and call
 * dawn_files_changed(): a changed or deleted file leaves the kernel cache. */
int dawn_files_fd(const struct dawn_files *f);
void dawn_files_changed(struct dawn_files *f);

/* Now and then (100 ms): retired slots, expiry. */
void dawn_files_tick(struct dawn_files *f);

#endif
