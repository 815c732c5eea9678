/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* access: who may reach anything behind this interface.
 *
 * Writer: `dawn allow|deny`, bpftool. Reader: XDP, before anything else.
 * One trie for both families (IPv4 as ::ffff:a.b.c.d, so prefix length
 * 96 + n); the longest prefix wins; no match means allow. XDP runs before
 * nftables, so this list is the only filter in front of the fast path.
 * Entries stay until removed. Full (ACCESS_MAX): the update fails with
 * ENOSPC, nothing else changes. Memory: 64 bytes an entry, made on demand.
 */
#ifndef DAWN_MAPS_ACCESS_H
#define DAWN_MAPS_ACCESS_H

#include "abi.h"

#define DAWN_ACCESS_MAX 65536

struct dawn_access_key {
	__u32 prefix_len; /* 0..128; IPv4: 96..128 */
	__u8 addr[16];    /* wire order; bytes, so no hole above */
};
_Static_assert(sizeof(struct dawn_access_key) == 20, "access key is ABI");

enum dawn_access_action {
	DAWN_ACCESS_ALLOW = 1,
	DAWN_ACCESS_DENY = 2,
};

#endif
