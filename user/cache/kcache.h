/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* User side of the kernel cache: puts whole responses into cache_data and
 * cache_index, and takes them out again. Used by dawnd (promotion) and by
 * `dawn cache`; both may run at once (see maps/cache.h for how slots are
 * claimed). Not thread safe on one handle: each thread opens its own, or locks.
 */
#ifndef DAWN_CACHE_KCACHE_H
#define DAWN_CACHE_KCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/cache.h"
#include "maps/config.h"

struct dawn_kcache;

/* fds of cache_index, cache_data, flow_table, unacked, cache_hits, vhosts and
 * config; they are borrowed and must outlive the handle. */
struct dawn_kcache_fds {
	int index, data, hits, vhosts, flow_table, unacked, config;
};

/* Return: 0; -EPROTO: the maps are not ours, of another version, or not
 * configured yet; -EOPNOTSUPP: no way to wait for a grace period here; or
 * another negative errno. */
int dawn_kcache_open(struct dawn_kcache **out,
		     const struct dawn_kcache_fds *fds);
void dawn_kcache_close(struct dawn_kcache *kc); /* NULL is fine */

struct dawn_kcache_put {
	uint16_t group;
	uint16_t vhost;
	const char *target; /* request target, origin form */
	size_t target_len;  /* 1..DAWN_TARGET_MAX */
	const void *head;   /* header section with its empty line. The
					 * Date field's 29 bytes are zeroed here */
	size_t head_len;
	uint32_t date_off; /* of Date in head, multiple of 4; 0 none */
	const void *body;
	size_t body_len;
	uint64_t ttl_ms; /* 0: for ever */
	uint32_t flags;  /* DAWN_ENTRY_* */
	/* The 304 that says the client has this already, whole; its Date is
	 * zeroed here. NULL, or longer than DAWN_NM_MAX: conditional requests
	 * are the reactor's. What they are compared with stands in `head`, from
	 * its beginning; offset 0: not there. */
	const void *nm;
	size_t nm_len;
	uint32_t nm_date_off; /* even; 0 none */
	uint32_t etag_off, etag_len;
	uint32_t modified_off;        /* Last-Modified, DAWN_DATE_LEN bytes */
	uint64_t tags[DAWN_TAGS_MAX]; /* dawn_kcache_tag(); 0: none */
};

/* Add to `put`, whose head dawn_http_head() made for a 200 with that ETag: the
 * 304 as the reactor sends it, made in `buf`, and where the validators stand. */
void dawn_kcache_put_not_modified(struct dawn_kcache_put *put, const char *etag,
				  char *buf, size_t cap);

/* Put or replace. Replacing is atomic: XDP sends the old or the new response.
 * Return: 0 and where it stands; -E2BIG: more than DAWN_RESP_MAX or target too
 * long; -ENOSPC: no free slot; -EINVAL: an offset; -EBUSY: another process holds
 * the index for too long (20 ms), nothing changed. */
int dawn_kcache_put(struct dawn_kcache *kc, const struct dawn_kcache_put *p,
		    struct dawn_index_value *where);

/* What a tag's name stands as in a slot. Two names may share it, once in 2^64;
 * then a purge of one takes the other's entries, too. Return: never 0. */
uint64_t dawn_kcache_tag(const struct dawn_kcache *kc, const char *name,
			 size_t len);

/* Has the slot's entry that tag? */
bool dawn_slot_has_tag(const struct dawn_slot *s, uint64_t tag);

/* Unpublish. When it returns, no packet that arrives later gets the response
 * (a grace period is waited for: 8-16 ms; with `async` it is not waited for
 * and dawn_kcache_reap() ends the job). Return: 0, or -ENOENT. */
int dawn_kcache_remove(struct dawn_kcache *kc, uint16_t group, uint16_t vhost,
		       const char *target, size_t target_len, bool async);

/* Free retired slots that no flow needs any more, and expired ones. Call it
 * now and then; it never waits, looks at a part of the slots each time, and a
 * slot takes two calls or more. Return: how many slots came free. */
int dawn_kcache_reap(struct dawn_kcache *kc);

/* Wait a grace period, then free what can be freed: after asynchronous
 * removals, and before a command exits that put or removed something. When it
 * returns, no packet that arrives later gets what was replaced or removed
 * before the call. Return: as dawn_kcache_reap(). */
int dawn_kcache_sync(struct dawn_kcache *kc);

/* Is this the entry of that target now (there, live, not expired)? 0 or
 * -ENOENT. */
int dawn_kcache_find(struct dawn_kcache *kc, uint16_t group, uint16_t vhost,
		     const char *target, size_t target_len,
		     struct dawn_index_value *where);

/* Retire that entry, if it is still there and was promoted from a file: what an
 * operator put is never evicted. Never waits; its index entry goes with
 * dawn_kcache_reap(). Return: whether it was there. */
bool dawn_kcache_evict(struct dawn_kcache *kc, struct dawn_index_value where);

uint32_t dawn_kcache_slots(const struct dawn_kcache *kc); /* how many */

/* How many slots are free, as far as this handle has seen (reap() looks at them
 * in turn), and how many it waits for, to free them. */
void dawn_kcache_room(const struct dawn_kcache *kc, uint32_t *free_slots,
		      uint32_t *leaving);

/* Walk live slots: `next` starts at 0 and is advanced. NULL at the end. The
 * pointer is into the map: bytes may change under the reader. */
const struct dawn_slot *dawn_kcache_next(struct dawn_kcache *kc,
					 uint32_t *next);

/* Any slot by number, whatever its state; NULL past the last. */
const struct dawn_slot *dawn_kcache_slot(struct dawn_kcache *kc, uint32_t slot);

/* XDP answers sent from a slot since it was filled. */
uint64_t dawn_kcache_hits(struct dawn_kcache *kc, uint32_t slot);

/* Virtual hosts: id of a name (lower case, no port), made if `create`. From the
 * first one on, XDP answers for hosts in the list only.
 * Return: id >= 1; -ENOENT, -ENOSPC, -EINVAL: no host name, -EBUSY. */
int dawn_kcache_vhost(struct dawn_kcache *kc, const char *name, bool create);

/* Fill prefix sums; for whoever builds a slot by hand (tests). */
void dawn_slot_sums(struct dawn_slot *s);

#endif
