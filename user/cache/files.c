/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Static files: from a request target to an open file or a whole response.
 *
 * Theory of operation. The target's path is decoded and its dot segments are
 * resolved as text; then the kernel resolves it below the root (files_open.c).
 * Small responses are made whole in the caller's buffer, larger ones are read
 * by the caller piece by piece. Nothing is mapped: a file that shrinks must
 * not be a SIGBUS.
 *
 * Policy: an absolute symlink is refused, wherever it points (openat2 cannot
 * tell); there are no directory listings (404); what is no regular file does
 * not exist.
 */
#include "user/cache/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maps/cache.h"
#include "user/cache/files_int.h"
#include "user/http/mime.h"
#include "user/http/target.h"

#define PROMOTE_AFTER_DEFAULT 2
#define INDEX_NAME            "index.html"
/* A file that changes while it is read is read again. */
#define READ_TRIES 3

struct dawn_files {
	int root_fd;
	struct dawn_mime *mime;
	struct dawn_promote *promote; /* NULL: no kernel cache */
};

static int status_of(int err)
{
	switch (err) {
	case 0:
		return 200;
	case -EACCES:
	case -EPERM:
		return 403;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -EAGAIN:
	case -EINTR:
	case -EBUSY:
		return 503;
	case -EIO:
		return 500;
	default: /* ENOENT, ENOTDIR, EXDEV, ELOOP, ENAMETOOLONG, ENXIO, ... */
		return 404;
	}
}

/* Open a regular file. Return: its status, 301 for a directory. */
static int open_file(const struct dawn_files *f, const char *rel,
		     struct dawn_opened *o)
{
	struct stat st;
	int fd, status = 404;

	/* Non-blocking: a FIFO must not hold the thread. */
	fd = dawn_files_open_below(f->root_fd, rel,
				   O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return status_of(fd);
	if (fstat(fd, &st) == -1) {
		status = status_of(-errno);
	} else if (S_ISREG(st.st_mode)) {
		o->fd = fd;
		o->rel = rel;
		o->id = dawn_file_id_of(&st);
		o->type = dawn_mime_type(f->mime, rel);
		return 200;
	} else if (S_ISDIR(st.st_mode)) {
		status = 301;
	}
	close(fd);
	return status;
}

/* "/dir" becomes "/dir/", with the query. From the decoded path, so that it
 * can begin with one slash only and never names another host. */
static int redirect(const struct dawn_files_get *g, struct dawn_http_path *path)
{
	char *out = (char *)g->buf;
	size_t n;

	path->directory = true;
	n = dawn_http_path_encode(out, DAWN_FILES_BUF, path);
	if (!n || n + g->query_len + 1 > DAWN_FILES_BUF)
		return 414;
	memcpy(out + n, g->query, g->query_len);
	out[n + g->query_len] = '\0';
	return 301;
}

/* Find what a decoded path names. `path` may get the index file's name. */
static int locate(const struct dawn_files *f, const struct dawn_files_get *g,
		  struct dawn_http_path *path, struct dawn_opened *o)
{
	bool directory = path->directory;
	size_t room = sizeof(path->text) - path->len;
	int status, n;

	if (directory) {
		n = snprintf(path->text + path->len, room, "%s" INDEX_NAME,
			     path->len ? "/" : "");
		if ((size_t)n >= room)
			return 404;
	}
	status = open_file(f, path->text, o);
	if (status != 301)
		return status;
	return directory ? 404 : redirect(g, path);
}

/* Is the target spelled as we would spell it? Only that may be cached, else
 * one file could be asked for under any number of keys. */
static bool is_canonical(const struct dawn_files_get *g,
			 const struct dawn_http_path *path)
{
	char spelled[DAWN_TARGET_MAX + 8];
	size_t n;

	if (g->query_len || g->target_len > DAWN_TARGET_MAX)
		return false;
	n = dawn_http_path_encode(spelled, sizeof(spelled), path);
	return n == g->target_len && !memcmp(spelled, g->target, n);
}

static void describe(struct dawn_file *out, const struct dawn_opened *o,
		     int64_t now_s)
{
	out->meta = true;
	out->size = o->id.size;
	out->type = o->type;
	/* Never later than Date (RFC 9110, 8.8.2.1). */
	out->mtime_s = o->id.mtime_s > now_s ? DAWN_HTTP_NO_TIME
					     : o->id.mtime_s;
	dawn_http_etag(out->etag, o->id.ino, o->id.mtime_s, o->id.mtime_ns,
		       o->id.size);
}

/* Make a small response whole. A file that keeps changing is left to be read
 * piece by piece. */
static void make_whole(const struct dawn_files_get *g, struct dawn_opened *o,
		       struct dawn_file *out)
{
	struct dawn_file_id id;
	struct stat st;
	bool complete;
	size_t n;

	for (int i = 0; i < READ_TRIES; i++) {
		n = dawn_http_head_file((char *)g->buf, DAWN_RESP_MAX, g->now_s,
					out->type, out->size, out->mtime_s,
					out->etag, DAWN_HTTP_KEEP);
		if (!n || out->size > DAWN_RESP_MAX - n)
			return;
		complete = dawn_files_read(o->fd, g->buf + n, out->size);
		if (fstat(o->fd, &st) == -1)
			return;
		id = dawn_file_id_of(&st);
		if (complete && dawn_file_id_equal(&id, &o->id)) {
			out->whole = true;
			out->head_len = (uint32_t)n;
			out->resp_len = (uint32_t)(n + out->size);
			out->date_off = DAWN_HTTP_DATE_OFFSET;
			return;
		}
		o->id = id;
		describe(out, o, g->now_s);
	}
}

static void answer(struct dawn_files *f, const struct dawn_files_get *g,
		   struct dawn_opened *o, bool canonical, struct dawn_file *out)
{
	describe(out, o, g->now_s);
	if (f->promote && canonical && g->kernel && g->group && g->promote &&
	    out->mtime_s != DAWN_HTTP_NO_TIME && out->size < DAWN_RESP_MAX &&
	    dawn_promote_count(f->promote, g, o, out))
		return;
	if (g->head)
		return;
	make_whole(g, o, out);
	if (!out->whole) {
		out->fd = o->fd;
		o->fd = -1;
	}
}

void dawn_files_get(struct dawn_files *f, const struct dawn_files_get *g,
		    struct dawn_file *out)
{
	struct dawn_opened o = { .fd = -1 };
	struct dawn_http_path path;
	bool canonical = false;

	*out = (struct dawn_file){ .fd = -1, .mtime_s = DAWN_HTTP_NO_TIME };
	out->status = dawn_http_path_decode(&path, g->path, g->path_len);
	if (!out->status) {
		canonical = is_canonical(g, &path);
		out->status = locate(f, g, &path, &o);
	}
	/* What others put may be named as no file can be: XDP sends it. */
	if (f->promote && g->kernel && g->group &&
	    g->target_len <= DAWN_TARGET_MAX &&
	    dawn_promote_find(f->promote, g, out->status == 200 ? &o : NULL,
			      out))
		out->status = 200;
	else if (out->status == 200)
		answer(f, g, &o, canonical, out);
	if (o.fd != -1)
		close(o.fd);
}

int dawn_files_create(struct dawn_files **out,
		      const struct dawn_files_options *o)
{
	struct dawn_files *f = calloc(1, sizeof(*f));
	uint32_t after = o->promote_after ? o->promote_after
					  : PROMOTE_AFTER_DEFAULT;
	int err, probe;

	if (!f)
		return -ENOMEM;
	f->root_fd = open(o->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->root_fd == -1) {
		err = -errno;
		goto fail;
	}
	probe = dawn_files_open_below(f->root_fd, ".", O_PATH);
	err = probe < 0 ? probe : 0;
	if (probe >= 0)
		close(probe);
	if (!err)
		err = dawn_mime_open(&f->mime, DAWN_MIME_TYPES_FILE);
	if (!err && o->kcache)
		err = dawn_promote_create(&f->promote, f->root_fd, o->kcache,
					  after);
	if (err)
		goto fail;
	*out = f;
	return 0;
fail:
	dawn_files_destroy(f);
	return err;
}

void dawn_files_destroy(struct dawn_files *f)
{
	if (!f)
		return;
	dawn_promote_destroy(f->promote);
	dawn_mime_close(f->mime);
	if (f->root_fd != -1)
		close(f->root_fd);
	free(f);
}

int dawn_files_fd(const struct dawn_files *f)
{
	return f->promote ? dawn_promote_fd(f->promote) : -1;
}

void dawn_files_changed(struct dawn_files *f)
{
	if (f->promote)
		dawn_promote_changed(f->promote);
}

void dawn_files_tick(struct dawn_files *f)
{
	if (f->promote)
		dawn_promote_tick(f->promote);
}

void dawn_files_counts(const struct dawn_files *f,
		       struct dawn_files_counts *out)
{
	*out = (struct dawn_files_counts){ 0 };
	if (f->promote)
		dawn_promote_counts(f->promote, out);
}
