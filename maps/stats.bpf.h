/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* Definitions of stats and reactor_stats; see stats.h. */
#ifndef DAWN_MAPS_STATS_BPF_H
#define DAWN_MAPS_STATS_BPF_H

#include "config.h"
#include "stats.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dawn_stats);
} stats SEC(".maps");

/* XDP does not touch it; it stands here so that one object makes all maps. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DAWN_QUEUES_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct dawn_reactor_stats);
} reactor_stats SEC(".maps");

#endif
