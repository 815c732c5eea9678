/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* config: one mmap-able element with everything XDP is told at run time.
 *
 * Writer: loader (all of it, once, before the program is attached), reactor
 * (date, heartbeat, taken, incarnation, flags, cookie secrets). Readers: XDP, the
 * reactor, dawn.
 * All zero (as bpftool leaves it): pings and Pongs work, TCP is passed to the
 * kernel. Memory: two pages.
 */
#ifndef DAWN_MAPS_CONFIG_H
#define DAWN_MAPS_CONFIG_H

#include "abi.h"
#include "cache.h"
#include "siphash.h"

#define DAWN_QUEUES_MAX 64
/* A heartbeat older than this: the reactor is late. XDP looks after its own
 * flows alone and takes back CLEAN ones, but what only the reactor can treat
 * still waits in its ring: a thread that lacks the CPU for a moment must not
 * cost its connections their packets. */
#define DAWN_HEARTBEAT_MAX_NS 100000000ULL
/* Older than this: it hangs, nothing more is queued for it. (One that was
 * killed has no socket any more, which XDP sees at once.) */
#define DAWN_HEARTBEAT_DEAD_NS 10000000000ULL
#define DAWN_ORPHAN_TTL_NS     60000000000ULL /* default */
/* Frames sent in one poll; veth's peer ring holds 256. */
#define DAWN_SEGMENT_BUDGET 200

/* Constants of our side of every connection, in either half. */
#define DAWN_RCV_WSCALE 7
/* The window both halves advertise when idle, bytes: one that can be kept for
 * many (user/net/rings.h); it grows with the connection's use. */
#define DAWN_RCV_WND  65536U
#define DAWN_MSS_IPV4 1460 /* advertised; fits one UMEM frame */
#define DAWN_MSS_IPV6 1440
#define DAWN_TTL      64

/* The clock of SYN cookies: its windows, and how many have a secret of their
 * own. Cookies of this window and the last are good, so the secret of the one
 * after the next is in nobody's use (docs/COOKIES.md). */
#define DAWN_COOKIE_WINDOW_SHIFT 13 /* of ms: 8.2 s */
#define DAWN_COOKIE_SECRETS      4

#define DAWN_CONFIG_TCP    0x01 /* secrets are set, DEVMAPs are filled */
#define DAWN_CONFIG_CLONES 0x02 /* native mode: clone-and-index works */
#define DAWN_CONFIG_CSUM_STRICT \
	0x04 /* partial checksums are errors (a real NIC) */
#define DAWN_CONFIG_STANDALONE 0x08 /* no daemon wanted: orphan_ttl is off */
#define DAWN_CONFIG_DRAIN      0x10 /* no new connections */

/* The current second's Date. The reactor fills the entry that is not current,
 * then stores `date_index`. `mono_s` says when it was true. */
struct dawn_date {
	__u32 unix_s;
	__u32 mono_s; /* coarse monotonic, seconds */
	__u16 sum;    /* folded ones'-complement sum of text */
	__u16 pad;
	__u8 text[32]; /* 29 bytes, then zeros */
	__u32 pad2;
};
_Static_assert(sizeof(struct dawn_date) == 48, "dawn_date is ABI");

#define DAWN_MEMO_MS 1000 /* what the loader sets */

/* Per AF_XDP queue. XDP counts what it redirected (map `queue_sent`); the
 * reactor counts here what arrived or was lost on the way, so that the
 * difference is the backlog. A cache line each: written by one thread. */
struct dawn_queue {
	__u64 heartbeat_ns; /* coarse monotonic; 0: no socket */
	__u64 taken;
	__u32 ring_size; /* descriptors of the rx ring */
	__u32 pad[11];
};
_Static_assert(sizeof(struct dawn_queue) == 64, "dawn_queue is ABI");

struct dawn_config {
	__u32 abi;         /* DAWN_ABI_VERSION; 0: never configured */
	__u32 flags;       /* DAWN_CONFIG_* */
	__u32 flow_sets;   /* sets in flow_table, a multiple of 8 */
	__u32 slots;       /* slots in cache_data */
	__u32 incarnation; /* of the live reactor, 1..255; 0 none ever */
	__u32 vhosts;      /* entries in `vhosts`; 0: the default host only */
	__u32 segment_budget;  /* 0: DAWN_SEGMENT_BUDGET */
	__u32 ts_offset;       /* added to ms of the coarse clock for TSval */
	__u32 tai_offset_s;    /* TAI - UTC as the kernel has it */
	__u32 date_index;      /* 0 or 1: which of `date` is current */
	__u64 orphan_ttl_ns;   /* 0: DAWN_ORPHAN_TTL_NS */
	__u64 reactor_seen_ns; /* latest heartbeat of any queue */
	__u64 cache_writer;    /* user space: lock of cache_index and vhosts */
	struct dawn_sipkey flow_key;   /* flow_table */
	struct dawn_sipkey cookie_key; /* SYN cookies */
	struct dawn_sipkey cache_key;  /* cache_index */
	__u16 mtu; /* of the interface, kept current by dawnd; 0: 1500 */
	__u8 pad2[2];
	__u32 proven_lines;   /* lines in proven */
	__u32 cookie_renewed; /* window in which dawnd last renewed a secret */
	__u32 memo_ms; /* a known request is parsed again after; 0: always */
	struct dawn_date date[2];
	__u64 cookie_secret[DAWN_COOKIE_SECRETS]; /* by window, modulo */
	struct dawn_queue queue[DAWN_QUEUES_MAX];
};
_Static_assert(sizeof(struct dawn_config) == 256 + 64 * DAWN_QUEUES_MAX,
	       "dawn_config is ABI");
_Static_assert(__builtin_offsetof(struct dawn_config, queue) % 64 == 0,
	       "one line a queue");

#endif
