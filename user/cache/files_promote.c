/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which files stand in the kernel cache.
 *
 * Theory of operation. A request that reaches the reactor is noted by its key
 * in a sketch of how often what was asked for (evict.c), without the lock. When
 * the count is reached, and there is room or the file is hotter than others that
 * stand there, everything happens under the lock:
 *
 *   watch the file and every directory on the way to it
 *   look at the file's state, read it, publish the response
 *   look again, by its name: still the same file in the same state?
 *
 * A change before the watch shows in the state; one after it is in inotify's
 * queue, and that is read under the lock too, so it finds the entry. An event
 * of the file itself drops the entry without another look: equal times and
 * sizes prove nothing for changes within one tick of the clock.
 *
 * Directories are watched from the root down, as named and, where symlinks
 * led elsewhere, as resolved. A link in between (of a chain) is not watched:
 * entries that were reached through symlinks are looked at every tick. So are
 * some of all others in turn, for what inotify cannot see.
 *
 * An entry that was put by `dawn cache put` is not ours: the reactor sends it
 * too (both halves give the same answer), but never removes it.
 *
 * A full cache: each tick evicts some of the least asked for, ahead of need, since
 * their slots are free only some ticks later. A request never waits for that.
 *
 * The lock is held for a read of at most 14 kB and some system calls, once
 * for a promotion; for one map lookup on each request that could be cached; and
 * each tick for some 1,000 hit counters at most.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "user/cache/evict.h"
#include "user/cache/files_int.h"
#include "user/cache/kcache.h"

#define BUCKETS 1024
/* Deeper files are served, but not promoted. */
#define WATCHES_MAX 40
/* Entries looked at in a tick though nothing was reported. */
#define TICK_CHECKS 32

struct entry {
	struct entry *next; /* in its bucket */
	struct dawn_cache_key key;
	struct dawn_file_id id;
	struct dawn_index_value at; /* in the kernel cache */
	char *rel;
	bool linked; /* reached through a symlink */
	bool doomed; /* to be removed, which failed so far */
	/* watch[0] is the file's, the others are directories' */
	struct dawn_watch *watch[WATCHES_MAX];
	unsigned int watch_count;
};

struct dawn_promote {
	pthread_mutex_t lock;
	int root_fd; /* borrowed */
	struct dawn_kcache *kc;
	struct dawn_watches *watches;
	struct dawn_evict *evict;
	uint32_t after;
	uint32_t cursor; /* bucket where the next tick goes on */
	struct dawn_sipkey hash_key;
	struct entry *buckets[BUCKETS];
	_Atomic bool paused; /* no slot or watch: not again before a tick */
	_Atomic uint64_t promoted, failed, demoted, evicted;
};

/* ---- keys */

/* The virtual host that XDP would look the request up under. */
static uint16_t vhost_of(struct dawn_promote *p, const struct dawn_files_get *g)
{
	char name[DAWN_VHOST_NAME_MAX];
	size_t len = 0;
	bool literal = g->host_len && g->host[0] == '[';
	int id;

	while (len < g->host_len && len < sizeof(name)) {
		char c = g->host[len];

		if (c == ':' && !literal)
			break;
		name[len++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
		if (c == ']')
			break;
	}
	if (!len || len == sizeof(name))
		return 0;
	name[len] = '\0';
	id = dawn_kcache_vhost(p->kc, name, false);
	return id > 0 && id <= UINT16_MAX ? (uint16_t)id : 0;
}

static void make_key(struct dawn_cache_key *k, uint16_t group, uint16_t vhost,
		     const char *target, size_t len)
{
	memset(k, 0, sizeof(*k));
	k->group = group;
	k->vhost = vhost;
	k->target_len = (uint16_t)len;
	memcpy(k->target, target, len);
}

/* By what requests are noted. All virtual hosts have the same files, so they
 * share: looking their names up would cost a system call on each request. */
static void heat_hash(const struct dawn_promote *p,
		      const struct dawn_cache_key *key,
		      struct dawn_index_key *hash)
{
	struct dawn_cache_key k = *key;

	k.vhost = 0;
	dawn_cache_hash(hash, &p->hash_key, &k);
}

static struct entry **slot_of(struct dawn_promote *p,
			      const struct dawn_cache_key *k)
{
	struct dawn_index_key h;
	struct entry **at;

	dawn_cache_hash(&h, &p->hash_key, k);
	at = &p->buckets[h.h[0] % BUCKETS];
	while (*at && memcmp(&(*at)->key, k, sizeof(*k)) != 0)
		at = &(*at)->next;
	return at;
}

/* A changed file has to be asked for as often again as a new one: one that
 * changes all the time would be promoted all the time. */
static void forget(struct dawn_promote *p, const struct dawn_cache_key *k)
{
	struct dawn_index_key hash;

	heat_hash(p, k, &hash);
	dawn_evict_forget(p->evict, &hash);
}

/* ---- entries, under the lock */

static void free_entry(struct dawn_promote *p, struct entry *e)
{
	for (unsigned int i = 0; i < e->watch_count; i++)
		dawn_watches_release(p->watches, e->watch[i]);
	free(e->rel);
	free(e);
}

static bool in_kernel(struct dawn_promote *p, const struct dawn_cache_key *k,
		      struct dawn_index_value *v)
{
	return dawn_kcache_find(p->kc, k->group, k->vhost,
				(const char *)k->target, k->target_len, v) == 0;
}

static bool is_ours(const struct entry *e, const struct dawn_index_value *v)
{
	return e->at.slot == v->slot && e->at.gen == v->gen;
}

/* Out of the kernel cache, if it is still ours that stands there. Return:
 * false if that failed for now; then it stays, doomed. */
static bool drop(struct dawn_promote *p, struct entry **at)
{
	struct entry *e = *at;
	struct dawn_index_value v;
	int err = -ENOENT;

	if (in_kernel(p, &e->key, &v) && is_ours(e, &v))
		err = dawn_kcache_remove(p->kc, e->key.group, e->key.vhost,
					 (const char *)e->key.target,
					 e->key.target_len, true);
	if (err && err != -ENOENT) {
		e->doomed = true;
		return false;
	}
	if (!err)
		atomic_fetch_add(&p->demoted, 1);
	forget(p, &e->key);
	*at = e->next;
	free_entry(p, e);
	return true;
}

/* Is it still the same file, by its name? */
static bool is_fresh(const struct dawn_promote *p, const struct entry *e)
{
	int fd = dawn_files_open_below(p->root_fd, e->rel, O_PATH);
	struct dawn_file_id id;
	struct stat st;
	bool same = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		id = dawn_file_id_of(&st);
		same = dawn_file_id_equal(&id, &e->id);
	}
	close(fd);
	return same;
}

enum check {
	CHECK_MARKS,  /* what inotify reported */
	CHECK_LINKED, /* look again if reached through a symlink */
	CHECK_ALL,    /* look again */
	CHECK_NONE,   /* drop all */
};

static bool must_go(const struct dawn_promote *p, const struct entry *e,
		    enum check check)
{
	bool look = check == CHECK_ALL || (check == CHECK_LINKED && e->linked);

	if (e->doomed || check == CHECK_NONE)
		return true;
	for (unsigned int i = 0; i < e->watch_count; i++) {
		if (e->watch[i]->marks & DAWN_WATCH_GONE)
			return true;
		look |= e->watch[i]->marks & DAWN_WATCH_CHECK;
	}
	return look && !is_fresh(p, e);
}

/* Return: how many entries the bucket has kept. */
static unsigned int sweep_bucket(struct dawn_promote *p, uint32_t bucket,
				 enum check check)
{
	struct entry **at = &p->buckets[bucket];
	unsigned int kept = 0;

	while (*at) {
		if (must_go(p, *at, check) && drop(p, at))
			continue;
		at = &(*at)->next;
		kept++;
	}
	return kept;
}

static void sweep(struct dawn_promote *p, enum check check)
{
	for (uint32_t i = 0; i < BUCKETS; i++)
		sweep_bucket(p, i, check);
}

/* ---- what stands there */

/* What preconditions and ranges need to know of our own entry. */
static void describe(const struct dawn_files_get *g,
		     const struct dawn_opened *o, struct dawn_file *out)
{
	out->meta = true;
	out->size = o->id.size;
	out->type = o->type;
	out->mtime_s = o->id.mtime_s > g->now_s ? DAWN_HTTP_NO_TIME
						: o->id.mtime_s;
	dawn_http_etag(out->etag, o->id.ino, o->id.mtime_s, o->id.mtime_ns,
		       o->id.size);
}

/* An entry that others put: what it is, it says itself. */
static bool copy_foreign(struct dawn_promote *p, const struct dawn_files_get *g,
			 const struct dawn_index_value *v,
			 struct dawn_file *out)
{
	struct dawn_validators where;

	if (!dawn_files_copy_slot(p->kc, g, v, out, &where))
		return false;
	dawn_files_describe(g->buf, &where, g->now_s, out);
	return true;
}

static bool find_locked(struct dawn_promote *p, const struct dawn_files_get *g,
			const struct dawn_opened *o, struct dawn_file *out)
{
	struct dawn_cache_key k;
	struct dawn_index_value v;
	struct dawn_validators where;
	struct entry **at;
	bool there;

	make_key(&k, g->group, vhost_of(p, g), g->target, g->target_len);
	at = slot_of(p, &k);
	there = in_kernel(p, &k, &v);
	if (!*at)
		return there && copy_foreign(p, g, &v, out);
	if (!there || !is_ours(*at, &v)) {
		struct entry *e = *at; /* purged or replaced by others */

		forget(p, &k);
		*at = e->next;
		free_entry(p, e);
		return there && copy_foreign(p, g, &v, out);
	}
	if ((*at)->doomed || !o || !dawn_file_id_equal(&o->id, &(*at)->id)) {
		drop(p, at);
		return false;
	}
	if (!dawn_files_copy_slot(p->kc, g, &v, out, &where))
		return false;
	describe(g, o, out);
	return true;
}

bool dawn_promote_find(struct dawn_promote *p, const struct dawn_files_get *g,
		       const struct dawn_opened *o, struct dawn_file *out)
{
	bool found;

	if (!g->target_len)
		return false;
	pthread_mutex_lock(&p->lock);
	found = find_locked(p, g, o, out);
	pthread_mutex_unlock(&p->lock);
	return found;
}

/* ---- promotion */

static bool add_watch(struct dawn_promote *p, struct entry *e, const char *path,
		      bool is_dir)
{
	struct dawn_watch *w;

	if (e->watch_count == WATCHES_MAX)
		return false;
	w = dawn_watches_add(p->watches, path, is_dir);
	if (!w)
		return false;
	e->watch[e->watch_count++] = w;
	return true;
}

/* Every directory from the root down to the one that `rel` stands in. */
static bool watch_way(struct dawn_promote *p, struct entry *e, const char *rel)
{
	char path[PATH_MAX + 64];
	const char *slash = rel;
	int n;

	do {
		n = snprintf(path, sizeof(path), "/proc/self/fd/%d/%.*s",
			     p->root_fd, (int)(slash - rel), rel);
		if ((size_t)n >= sizeof(path) || !add_watch(p, e, path, true))
			return false;
		slash = strchr(slash + (slash != rel), '/');
	} while (slash);
	return true;
}

/* The path that a descriptor was opened by, resolved. Return: false if that
 * cannot be told. */
static bool real_path(int fd, char *out, size_t cap)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, cap);
	if (n <= 0 || (size_t)n >= cap)
		return false;
	out[n] = '\0';
	return out[0] == '/';
}

static bool watch_all(struct dawn_promote *p, struct entry *e,
		      const struct dawn_opened *o)
{
	char root[PATH_MAX], real[PATH_MAX], self[64];
	const char *rel;
	size_t len;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	if (!add_watch(p, e, self, false) || !watch_way(p, e, o->rel) ||
	    !real_path(p->root_fd, root, sizeof(root)) ||
	    !real_path(o->fd, real, sizeof(real)))
		return false;
	len = strlen(root);
	if (len == 1)
		len = 0; /* the root directory has no name */
	if (strncmp(real, root, len) != 0 || real[len] != '/')
		return false;
	rel = real + len + 1;
	e->linked = strcmp(rel, o->rel) != 0;
	return !e->linked || watch_way(p, e, rel);
}

/* Read the file and publish it. Return: 0, or negative errno; -ESTALE: it is
 * being changed. */
static int publish(struct dawn_promote *p, const struct dawn_files_get *g,
		   const struct dawn_opened *o, struct entry *e,
		   struct dawn_file *out)
{
	struct dawn_kcache_put put = {
		.group = e->key.group,
		.vhost = e->key.vhost,
		.target = (const char *)e->key.target,
		.target_len = e->key.target_len,
		.head = g->buf,
		.date_off = DAWN_HTTP_DATE_OFFSET,
		.body_len = o->id.size,
		.flags = DAWN_ENTRY_FILE,
	};
	char nm[DAWN_NM_MAX];
	struct dawn_file_id id;
	struct stat st;

	put.head_len = dawn_http_head_file(
		(char *)g->buf, DAWN_RESP_MAX, g->now_s, o->type, o->id.size,
		out->mtime_s, out->etag, DAWN_HTTP_KEEP);
	if (!put.head_len || o->id.size > DAWN_RESP_MAX - put.head_len)
		return -E2BIG;
	put.body = g->buf + put.head_len;
	dawn_kcache_put_not_modified(&put, out->etag, nm, sizeof(nm));
	if (fstat(o->fd, &st) == -1)
		return -errno;
	id = dawn_file_id_of(&st);
	if (!dawn_file_id_equal(&id, &o->id) ||
	    !dawn_files_read(o->fd, g->buf + put.head_len, o->id.size))
		return -ESTALE;
	return dawn_kcache_put(p->kc, &put, &e->at);
}

static struct entry *new_entry(const struct dawn_cache_key *k,
			       const struct dawn_opened *o)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->key = *k;
	e->id = o->id;
	e->rel = strdup(o->rel);
	if (!e->rel) {
		free(e);
		return NULL;
	}
	return e;
}

static bool promote_locked(struct dawn_promote *p,
			   const struct dawn_files_get *g,
			   const struct dawn_opened *o, struct dawn_file *out)
{
	struct dawn_cache_key k;
	struct dawn_index_value v;
	struct dawn_validators where;
	struct entry *e, **at;
	int err;

	make_key(&k, g->group, vhost_of(p, g), g->target, g->target_len);
	at = slot_of(p, &k);
	if (*at || in_kernel(p, &k, &v)) /* another thread was faster */
		return find_locked(p, g, o, out);
	e = new_entry(&k, o);
	if (!e)
		return false;
	err = watch_all(p, e, o) ? publish(p, g, o, e, out) : -ENOSPC;
	if (err) {
		free_entry(p, e);
		if (err != -E2BIG)
			atomic_fetch_add(&p->failed, 1);
		forget(p, &k);
		if (err != -E2BIG && err != -ESTALE)
			atomic_store(&p->paused, true);
		return false;
	}
	e->next = NULL;
	*at = e;
	dawn_evict_filled(p->evict);
	atomic_fetch_add(&p->promoted, 1);
	if (!is_fresh(p, e)) {
		drop(p, at);
		return false;
	}
	return dawn_files_copy_slot(p->kc, g, &e->at, out, &where);
}

bool dawn_promote_count(struct dawn_promote *p, const struct dawn_files_get *g,
			const struct dawn_opened *o, struct dawn_file *out)
{
	struct dawn_cache_key k;
	struct dawn_index_key h;
	uint32_t heat;
	bool done;

	if (p->after == UINT32_MAX || atomic_load(&p->paused))
		return false;
	make_key(&k, g->group, 0, g->target, g->target_len);
	heat_hash(p, &k, &h);
	heat = dawn_evict_note(p->evict, &h);
	if (heat < p->after || !dawn_evict_admit(p->evict, heat))
		return false;
	pthread_mutex_lock(&p->lock);
	done = promote_locked(p, g, o, out);
	pthread_mutex_unlock(&p->lock);
	return done;
}

/* ---- eviction: what the policy asks of slots, under the lock */

static bool look(void *ctx, uint32_t slot, struct dawn_evict_slot *out)
{
	struct dawn_promote *p = ctx;
	const struct dawn_slot *s = dawn_kcache_slot(p->kc, slot);
	uint32_t gen = s->gen;
	struct dawn_cache_key k;

	if (!dawn_files_slot_live(s, gen))
		return false;
	/* Another process may fill it anew meanwhile: then the hits are noted
	 * for nothing, and the gen is an old one. */
	k = s->key;
	if (k.target_len > DAWN_TARGET_MAX)
		return false;
	heat_hash(p, &k, &out->hash);
	out->hits = dawn_kcache_hits(p->kc, slot);
	out->gen = gen;
	out->evictable = s->flags & DAWN_ENTRY_FILE;
	return true;
}

static bool evict(void *ctx, uint32_t slot, uint32_t gen)
{
	const struct dawn_index_value v = { .slot = slot, .gen = gen };
	struct dawn_promote *p = ctx;
	struct dawn_cache_key k = dawn_kcache_slot(p->kc, slot)->key;
	struct entry *e, **at;

	if (k.target_len > DAWN_TARGET_MAX || !dawn_kcache_evict(p->kc, v))
		return false;
	atomic_fetch_add(&p->evicted, 1);
	at = slot_of(p, &k);
	e = *at;
	if (e && is_ours(e, &v)) {
		*at = e->next;
		free_entry(p, e);
	}
	return true;
}

static void room(void *ctx, uint32_t *free_slots, uint32_t *leaving)
{
	struct dawn_promote *p = ctx;

	dawn_kcache_room(p->kc, free_slots, leaving);
}

static const struct dawn_evict_ops evict_ops = {
	.look = look,
	.evict = evict,
	.room = room,
};

/* ---- changes and time */

void dawn_promote_changed(struct dawn_promote *p)
{
	bool overflow;

	pthread_mutex_lock(&p->lock);
	if (dawn_watches_read(p->watches, &overflow)) {
		sweep(p, overflow ? CHECK_NONE : CHECK_MARKS);
		dawn_watches_clear(p->watches);
	}
	pthread_mutex_unlock(&p->lock);
}

void dawn_promote_tick(struct dawn_promote *p)
{
	unsigned int checked = 0;

	pthread_mutex_lock(&p->lock);
	sweep(p, CHECK_LINKED);
	for (uint32_t i = 0; i < BUCKETS && checked < TICK_CHECKS; i++) {
		checked += sweep_bucket(p, p->cursor, CHECK_ALL);
		p->cursor = (p->cursor + 1) % BUCKETS;
	}
	dawn_kcache_reap(p->kc);
	if (p->after != UINT32_MAX)
		dawn_evict_tick(p->evict);
	atomic_store(&p->paused, false);
	pthread_mutex_unlock(&p->lock);
}

void dawn_promote_counts(const struct dawn_promote *p,
			 struct dawn_files_counts *out)
{
	out->promoted = atomic_load(&p->promoted);
	out->promote_failed = atomic_load(&p->failed);
	out->demoted = atomic_load(&p->demoted);
	out->evicted = atomic_load(&p->evicted);
}

/* What an earlier daemon promoted was watched by nobody since it ended. */
static void remove_inherited(struct dawn_promote *p)
{
	const struct dawn_slot *s;
	struct dawn_cache_key k;
	uint32_t next = 0;

	while ((s = dawn_kcache_next(p->kc, &next))) {
		if (!(s->flags & DAWN_ENTRY_FILE))
			continue;
		k = s->key;
		if (k.target_len <= DAWN_TARGET_MAX)
			dawn_kcache_remove(p->kc, k.group, k.vhost,
					   (const char *)k.target, k.target_len,
					   true);
	}
}

int dawn_promote_create(struct dawn_promote **out, int root_fd,
			struct dawn_kcache *kcache, uint32_t promote_after)
{
	struct dawn_promote *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->root_fd = root_fd;
	p->kc = kcache;
	p->after = promote_after < DAWN_HEAT_MAX || promote_after == UINT32_MAX
			   ? promote_after
			   : DAWN_HEAT_MAX;
	err = dawn_watches_create(&p->watches);
	if (err)
		goto fail;
	if (getrandom(&p->hash_key, sizeof(p->hash_key), 0) !=
	    sizeof(p->hash_key)) {
		err = -EIO;
		goto fail;
	}
	remove_inherited(p);
	err = dawn_evict_create(&p->evict, dawn_kcache_slots(kcache),
				&evict_ops, p);
	if (err)
		goto fail;
	pthread_mutex_init(&p->lock, NULL);
	*out = p;
	return 0;
fail:
	dawn_watches_destroy(p->watches);
	free(p);
	return err;
}

void dawn_promote_destroy(struct dawn_promote *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	sweep(p, CHECK_NONE);
	pthread_mutex_unlock(&p->lock);
	for (uint32_t i = 0; i < BUCKETS; i++) {
		while (p->buckets[i]) { /* removal failed: it stays */
			struct entry *e = p->buckets[i];

			p->buckets[i] = e->next;
			free_entry(p, e);
		}
	}
	dawn_watches_destroy(p->watches);
	dawn_evict_destroy(p->evict);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

int dawn_promote_fd(const struct dawn_promote *p)
{
	return dawn_watches_fd(p->watches);
}
