/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* Definitions of cache_index, cache_data, cache_hits and vhosts; see cache.h.
 * The loader sizes the first three together and says so in config.slots; the
 * index gets twice the slots, so that a replacement always finds room.
 */
#ifndef DAWN_MAPS_CACHE_BPF_H
#define DAWN_MAPS_CACHE_BPF_H

#include "cache.h"

#define DAWN_SLOTS_ELF 4

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * DAWN_SLOTS_ELF);
	__type(key, struct dawn_index_key);
	__type(value, struct dawn_index_value);
} cache_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DAWN_SLOTS_ELF);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct dawn_slot);
} cache_data SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DAWN_SLOTS_ELF);
	__type(key, __u32);
	__type(value, __u64);
} cache_hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DAWN_VHOSTS_MAX);
	__type(key, struct dawn_vhost_key);
	__type(value, __u32); /* vhost id, >= 1 */
} vhosts SEC(".maps");

#endif
