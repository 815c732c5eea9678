/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* Definitions of flow_table and unacked; see flow_table.h and unacked.h. The
 * sizes here are the smallest that work; the loader sets the real ones, both
 * together, and says so in config.flow_sets.
 */
#ifndef DAWN_MAPS_FLOW_TABLE_BPF_H
#define DAWN_MAPS_FLOW_TABLE_BPF_H

#include "flow_table.h"
#include "unacked.h"

#define DAWN_FLOW_SETS_ELF 64

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DAWN_FLOW_SETS_ELF);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct dawn_flow_set);
} flow_table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DAWN_UNACKED_WORDS(DAWN_FLOW_SETS_ELF));
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} unacked SEC(".maps");

#endif
