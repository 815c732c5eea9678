// SPDX-License-Identifier: MIT OR Apache-2.0
/* Files below a root, and whether they are still the same. The kernel resolves
 * their names with openat2 (RESOLVE_BENEATH), so that no symlink, and no rename
 * meanwhile, leads out.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/cache/files_int.h"

/* A rename during the lookup makes openat2 fail with EAGAIN. */
#define OPEN_TRIES 16

struct dawn_file_id dawn_file_id_of(const struct stat *st)
{
	return (struct dawn_file_id){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.mtime_s = st->st_mtim.tv_sec,
		.mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
		.size = (uint64_t)st->st_size,
	};
}

bool dawn_file_id_equal(const struct dawn_file_id *a,
			const struct dawn_file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino &&
	       a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns &&
	       a->size == b->size;
}

int dawn_files_open_below(int root_fd, const char *rel, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < OPEN_TRIES; i++) {
		fd = syscall(SYS_openat2, root_fd, rel, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd >= 0 ? (int)fd : -errno;
}

bool dawn_files_read(int fd, void *buf, size_t len)
{
	size_t at = 0;
	ssize_t n;

	while (at < len) {
		n = pread(fd, (char *)buf + at, len - at, (off_t)at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}
