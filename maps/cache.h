/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* cache_index, cache_data, cache_hits, vhosts: the responses XDP may send.
 *
 * Writer: reactor and `dawn cache` (one slot is filled by one writer, see
 * `state`). Reader: XDP.
 *
 * A request's key is (service group, virtual host id, request
 * target). The index
 * maps a 128-bit keyed hash of it to slot and generation; the slot holds the
 * key itself, and XDP compares it in full, so a forced collision is a miss.
 *
 * cache_data: an mmap-able array of slots, DAWN_SLOT_SIZE bytes each, sized at
 * load time (default 1,024 slots: 19 MB). Full: files that are asked for more often
 * take the place of those that are least; the others are served by the reactor.
 *
 * ## Life of a slot
 *
 *   FREE ──writer, compare-and-swap──► FILLING ──► LIVE (then indexed)
 *   LIVE ──► RETIRED (no longer indexed, then an RCU grace period)
 *   RETIRED ──► FREE, once no flow's unacknowledged response names its gen
 *
 * `gen` rises by one each time a writer claims the slot (FREE -> FILLING), so
 * that an index value or flow that outlived it never matches. `state` and
 * `gen` are one 64-bit word, changed by compare-and-swap in user space. A new
 * answer needs a slot that is LIVE and whose `gen` is the index value's: both,
 * since an index entry may outlive its slot for a while. To send one again,
 * LIVE or RETIRED will do.
 *
 * The reactor names a slot in a flow that it hands back only so: store resp_*,
 * set the `unacked` bit, full barrier, then look: not LIVE with that gen any
 * more? Then keep the flow. It clears the bit of a flow it takes only after it
 * copied the bytes.
 *
 * `writer` is who fills the slot, from before FILLING until it is indexed; 0
 * nobody. A slot whose writer died is anyone's. Theory: user/cache/kcache.c.
 */
#ifndef DAWN_MAPS_CACHE_H
#define DAWN_MAPS_CACHE_H

#include "abi.h"
#include "siphash.h"

#define DAWN_SLOTS_DEFAULT 1024
#define DAWN_SLOTS_MAX     65536

#define DAWN_SEGMENTS_MAX 10 /* RFC 6928: an initial window of ten */
/* Segments are a multiple of it, but the last. */
#define DAWN_SEGMENT_ALIGN 16
/* Payload of a segment; <= 1460, a multiple of the above. */
#define DAWN_SEGMENT_BYTES_MAX 1456
/* Header section and body: 10 x 1456. */
#define DAWN_RESP_MAX 14560
/* DAWN_RESP_MAX, then zeros: XDP may copy a full segment from any offset. */
#define DAWN_SLOT_DATA  16384
#define DAWN_TARGET_MAX 240 /* longer request targets are never cached */
#define DAWN_PSUMS      (DAWN_RESP_MAX / DAWN_SEGMENT_ALIGN + 1)
#define DAWN_DATE_LEN   29  /* IMF-fixdate, RFC 9110, 5.6.7 */
#define DAWN_NM_MAX     256 /* a 304 is a segment always */
#define DAWN_TAGS_MAX   4   /* names by which entries are purged together */
#define DAWN_ETAG_MAX   64  /* longer ones are compared by the reactor */

enum dawn_slot_state {
	DAWN_SLOT_FREE = 0,
	DAWN_SLOT_FILLING = 1,
	DAWN_SLOT_LIVE = 2,
	DAWN_SLOT_RETIRED = 3,
};

/* The key as it stands in a slot and as it is hashed: zero padded to the next
 * multiple of 8 after `target_len` bytes of target. */
struct dawn_cache_key {
	__u16 group;      /* struct dawn_service.group */
	__u16 vhost;      /* 0: the default host */
	__u16 target_len; /* 1..DAWN_TARGET_MAX */
	__u16 pad;
	__u8 target[DAWN_TARGET_MAX]; /* as on the request line */
	__u8 pad2[8];                 /* lets readers take whole words */
};
_Static_assert(sizeof(struct dawn_cache_key) == 256, "cache key is ABI");

/* Vary: Accept-Encoding: XDP punts a request that has Accept-Encoding. */
#define DAWN_ENTRY_VARIES 0x01
/* User space only: promoted from a file by a daemon, which watches that file
 * as long as it lives; the next daemon starts without such entries. */
#define DAWN_ENTRY_FILE 0x02

struct dawn_slot {
	__u32 state; /* enum dawn_slot_state */
	__u32 gen;
	__u64 writer;     /* user space only: process, or 0; 64-bit atomics */
	__u64 expires_ns; /* coarse monotonic; 0 never */
	__u64 stored_s;   /* Unix time */
	__u32 resp_len;   /* header section + body */
	__u16 head_len;   /* header section, its empty line included */
	__u16 date_off;   /* of the 29 Date bytes; a multiple of 4, all in
					 * the first segment; 0: no Date */
	__u32 flags;      /* DAWN_ENTRY_* */
	/* For preconditions (RFC 9110, 13). Values that stand in the header
	 * section in `data`, from its beginning: */
	__u16 etag_off;     /* ETag, quotes included; 0: none */
	__u16 etag_len;     /* <= DAWN_ETAG_MAX */
	__u16 modified_off; /* Last-Modified, DAWN_DATE_LEN bytes; 0: none */
	__u16 nm_len;       /* of the 304 in `nm`; 0: there is none */
	__u16 nm_date_off;  /* even; 0: no Date */
	__u16 nm_sum;       /* as psum, of all of it */
	__u8 pad[8];
	struct dawn_cache_key key;
	/* psum[i]: folded ones'-complement sum (native order, as the checksum
	 * field is summed) of data[0 .. 16 i). The Date bytes are zero in
	 * data, so a sender adds the sum of the Date it fills in. */
	__u16 psum[DAWN_PSUMS];
	__u16 pad2;
	__u64 tags[DAWN_TAGS_MAX]; /* user space only: keyed hashes; 0: none */
	__u8 nm[DAWN_NM_MAX];      /* the 304, Date zero; then zeros */
	__u8 data[DAWN_SLOT_DATA];
};
#define DAWN_SLOT_SIZE \
	(320 + 2 * (DAWN_PSUMS + 1) + 32 + DAWN_NM_MAX + DAWN_SLOT_DATA)
_Static_assert(sizeof(struct dawn_slot) == DAWN_SLOT_SIZE, "slot is ABI");
_Static_assert(DAWN_SLOT_SIZE % 8 == 0, "slots are 8-byte aligned");
_Static_assert(__builtin_offsetof(struct dawn_slot, data) % 8 == 0,
	       "data is 8-byte aligned");
_Static_assert(DAWN_RESP_MAX + DAWN_SEGMENT_BYTES_MAX <= DAWN_SLOT_DATA,
	       "a full segment can be copied from any offset");

/* What of a slot was sent: struct dawn_flow.resp_kind. */
enum dawn_resp_kind {
	DAWN_RESP_NONE = 0, /* nothing of the kernel half is unacknowledged */
	DAWN_RESP_GET = 1,  /* whole slot */
	DAWN_RESP_HEAD = 2, /* the slot's header section only */
	DAWN_RESP_NOT_MODIFIED = 3, /* the slot's 304 */
};

/* Length of an answer of a kind (enum dawn_resp_kind); 0: the slot has none.
 * GET and HEAD are the beginning of `data`, the 304 that of `nm`. */
static __always_inline __u32 dawn_slot_len(const struct dawn_slot *s,
					   __u32 kind)
{
	if (kind == DAWN_RESP_GET)
		return s->resp_len;
	if (kind == DAWN_RESP_HEAD)
		return s->head_len;
	return kind == DAWN_RESP_NOT_MODIFIED ? s->nm_len : 0;
}

static __always_inline __u32 dawn_slot_date_off(const struct dawn_slot *s,
						__u32 kind)
{
	return kind == DAWN_RESP_NOT_MODIFIED ? s->nm_date_off : s->date_off;
}

struct dawn_index_key {
	__u64 h[2];
};

struct dawn_index_value {
	__u32 slot;
	__u32 gen;
};

/* cache_hits: per-CPU array, one u64 a slot: answers sent from XDP since the
 * slot was filled. */

/* Keyed 128-bit hash of a key, over its zero-padded words. */
static __always_inline void dawn_cache_hash(struct dawn_index_key *out,
					    const struct dawn_sipkey *key,
					    const struct dawn_cache_key *ck)
{
	const __u64 *w = (const __u64 *)(const void *)ck;
	__u32 words = (ck->target_len + 8U + 7U) / 8U;
	struct dawn_sipstate s;

	dawn_sip_init(&s, key);
	s.v1 ^= 0xee; /* as SipHash's 128-bit variant does */
	for (__u32 i = 0; i < sizeof(*ck) / 8; i++) {
		if (i >= words)
			break;
		dawn_sip_add(&s, w[i]);
	}
	out->h[0] = dawn_sip_end(&s, 4);
	s.v1 ^= 0xdd;
	for (int i = 0; i < 4; i++)
		dawn_sipround(&s);
	out->h[1] = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* vhosts: virtual hosts by name; hash map. Without an entry there is one host,
 * id 0. With entries, a Host that is not among them punts. Host is matched
 * without its port, in lower case, zero padded. */
#define DAWN_VHOSTS_MAX     256
#define DAWN_VHOST_NAME_MAX 64

struct dawn_vhost_key {
	__u8 name[DAWN_VHOST_NAME_MAX];
};

#endif
