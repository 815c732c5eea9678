/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a load did, for whoever undoes it: another process, after a crash.
 *
 * It stands in a pinned one-element mmap-able array `record` beside the other
 * maps, because bpffs holds no plain files; XDP never sees it. Each change is
 * written here before it is made (under the lock of the pin root).
 */
#ifndef DAWN_IO_XDP_LOAD_RECORD_H
#define DAWN_IO_XDP_LOAD_RECORD_H

#include <stdint.h>

#define DAWN_RECORD_VERSION 1

enum dawn_confirm {
	DAWN_CONFIRM_NONE = 0,
	DAWN_CONFIRM_PENDING = 1,
	DAWN_CONFIRM_DONE = 2,      /* somebody confirmed */
	DAWN_CONFIRM_REVERTING = 3, /* too late */
};

/* Offloads turned on one interface: masks of 1 << enum dawn_feature. */
struct dawn_turned {
	uint32_t mask;   /* which were turned */
	uint32_t before; /* their values before */
};

struct dawn_load_record {
	uint32_t version;
	uint32_t ifindex;
	uint32_t mode;    /* enum dawn_xdp_mode: what was got */
	uint32_t confirm; /* enum dawn_confirm; by compare-and-swap */
	uint64_t confirm_token;
	uint64_t confirm_by_ns; /* CLOCK_BOOTTIME */
	struct dawn_turned own;
	struct dawn_turned peer; /* of a veth */
	uint64_t peer_netns_inode;
	uint32_t peer_ifindex; /* 0: no peer was touched */
	uint32_t attached;     /* 1: load reached its end */
	uint32_t peer_prog_id; /* put on the peer; 0: none */
	uint32_t pad;
	uint64_t loaded_unix_s;
	char mode_why[128];
};
_Static_assert(sizeof(struct dawn_load_record) == 208, "record is ABI");

#endif
