/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* inotify watches with reference counts: one kernel watch an inode, shared by
 * all who want to know about it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "user/cache/files_int.h"

#define BUCKETS 256
/* Reads of the queue in one call; level-triggered, so the rest comes again. */
#define READS_MAX 64

#define FILE_EVENTS (IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)
#define DIR_EVENTS                                                         \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | \
	 IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR)

struct dawn_watches {
	int fd;
	struct dawn_watch *buckets[BUCKETS];
};

int dawn_watches_create(struct dawn_watches **out)
{
	struct dawn_watches *ws = calloc(1, sizeof(*ws));

	if (!ws)
		return -ENOMEM;
	ws->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (ws->fd == -1) {
		int err = -errno;

		free(ws);
		return err;
	}
	*out = ws;
	return 0;
}

void dawn_watches_destroy(struct dawn_watches *ws)
{
	if (!ws)
		return;
	for (int i = 0; i < BUCKETS; i++) {
		while (ws->buckets[i]) {
			struct dawn_watch *w = ws->buckets[i];

			ws->buckets[i] = w->next;
			free(w);
		}
	}
	close(ws->fd);
	free(ws);
}

int dawn_watches_fd(const struct dawn_watches *ws)
{
	return ws->fd;
}

static struct dawn_watch **bucket_of(struct dawn_watches *ws, int wd)
{
	return &ws->buckets[(unsigned int)wd % BUCKETS];
}

static struct dawn_watch *find(struct dawn_watches *ws, int wd)
{
	struct dawn_watch *w = *bucket_of(ws, wd);

	while (w && w->wd != wd)
		w = w->next;
	return w;
}

struct dawn_watch *dawn_watches_add(struct dawn_watches *ws, const char *path,
				    bool is_dir)
{
	struct dawn_watch *w;
	int wd = inotify_add_watch(ws->fd, path,
				   is_dir ? DIR_EVENTS : FILE_EVENTS);

	if (wd == -1)
		return NULL;
	w = find(ws, wd);
	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w) {
			inotify_rm_watch(ws->fd, wd);
			return NULL;
		}
		w->wd = wd;
		w->is_dir = is_dir;
		w->next = *bucket_of(ws, wd);
		*bucket_of(ws, wd) = w;
	}
	w->refs++;
	return w;
}

void dawn_watches_release(struct dawn_watches *ws, struct dawn_watch *w)
{
	struct dawn_watch **at;

	if (--w->refs)
		return;
	for (at = bucket_of(ws, w->wd); *at != w; at = &(*at)->next)
		;
	*at = w->next;
	/* Fails if the kernel took it away already: that is fine. */
	inotify_rm_watch(ws->fd, w->wd);
	free(w);
}

static uint8_t marks_of(const struct dawn_watch *w, uint32_t mask)
{
	if (mask & (IN_IGNORED | IN_UNMOUNT) || !w->is_dir)
		return DAWN_WATCH_GONE;
	/* A directory that moved away takes its files along, and the watches
	 * with them: they say nothing about what takes its place. */
	if (mask & (IN_MOVE_SELF | IN_DELETE_SELF))
		return DAWN_WATCH_GONE;
	return DAWN_WATCH_CHECK;
}

bool dawn_watches_read(struct dawn_watches *ws, bool *overflow)
{
	_Alignas(struct inotify_event) char buf[16384];
	const struct inotify_event *ev;
	struct dawn_watch *w;
	bool any = false;
	ssize_t len;

	*overflow = false;
	for (int i = 0; i < READS_MAX; i++) {
		len = read(ws->fd, buf, sizeof(buf));
		if (len == -1 && errno == EINTR)
			continue;
		if (len <= 0)
			break;
		for (ssize_t at = 0; at < len;
		     at += (ssize_t)(sizeof(*ev) + ev->len)) {
			ev = (const void *)(buf + at);
			if (ev->mask & IN_Q_OVERFLOW)
				*overflow = any = true;
			w = ev->wd == -1 ? NULL : find(ws, ev->wd);
			if (!w)
				continue; /* released since */
			w->marks |= marks_of(w, ev->mask);
			any = true;
		}
	}
	return any;
}

void dawn_watches_clear(struct dawn_watches *ws)
{
	for (int i = 0; i < BUCKETS; i++)
		for (struct dawn_watch *w = ws->buckets[i]; w; w = w->next)
			w->marks = 0;
}
