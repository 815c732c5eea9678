/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sending what stands in a slot of the kernel cache, which another process may
 * take away meanwhile. */
#include <string.h>
#include <time.h>

#include "user/cache/files_int.h"
#include "user/cache/kcache.h"
#include "user/io/clock.h"

static uint64_t slot_word(const struct dawn_slot *s)
{
	uint64_t v;

	__atomic_load((const uint64_t *)(const void *)s, &v, __ATOMIC_SEQ_CST);
	return v;
}

bool dawn_files_slot_live(const struct dawn_slot *s, uint32_t gen)
{
	uint64_t word = slot_word(s);
	uint32_t part[2]; /* state and gen, as they stand in memory */

	memcpy(part, &word, sizeof(part));
	return part[0] == DAWN_SLOT_LIVE && part[1] == gen;
}

static bool slot_expired(const struct dawn_slot *s)
{
	return s->expires_ns &&
	       dawn_clock_ns(CLOCK_MONOTONIC_COARSE) >= s->expires_ns;
}

bool dawn_files_copy_slot(struct dawn_kcache *kc,
			  const struct dawn_files_get *g,
			  const struct dawn_index_value *v,
			  struct dawn_file *out, struct dawn_validators *where)
{
	const struct dawn_slot *s = dawn_kcache_slot(kc, v->slot);
	uint32_t resp_len, head_len, date_off;

	if (!s || !dawn_files_slot_live(s, v->gen) || slot_expired(s))
		return false;
	resp_len = s->resp_len;
	head_len = s->head_len;
	date_off = s->date_off;
	if (resp_len > DAWN_RESP_MAX || head_len > resp_len || head_len < 4 ||
	    (date_off && date_off + DAWN_DATE_LEN > head_len))
		return false;
	memcpy(g->buf, s->data, resp_len);
	*where = (struct dawn_validators){
		.etag_off = s->nm_len ? s->etag_off : 0,
		.etag_len = s->etag_len,
		.modified_off = s->modified_off,
	};
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!dawn_files_slot_live(s, v->gen))
		return false;
	out->status = 200;
	out->whole = true;
	out->in_kernel = true;
	out->slot = v->slot;
	out->gen = v->gen;
	out->head_len = head_len;
	out->resp_len = resp_len;
	out->date_off = date_off;
	return true;
}
