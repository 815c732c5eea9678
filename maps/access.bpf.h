/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* Definition of the access map; see access.h. */
#ifndef DAWN_MAPS_ACCESS_BPF_H
#define DAWN_MAPS_ACCESS_BPF_H

#include "access.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, DAWN_ACCESS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct dawn_access_key);
	__type(value, __u32); /* enum dawn_access_action */
} access SEC(".maps");

#endif
