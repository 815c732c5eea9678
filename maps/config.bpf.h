/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* Definitions of config, queue_sent and xsks; see config.h.
 *
 * queue_sent: packets XDP redirected to each AF_XDP queue, since load. Writer:
 * XDP, by atomic add. Reader: XDP and the reactor (backlog = sent - taken).
 * xsks: one AF_XDP socket a queue. Writer: reactor.
 */
#ifndef DAWN_MAPS_CONFIG_BPF_H
#define DAWN_MAPS_CONFIG_BPF_H

#include "config.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct dawn_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DAWN_QUEUES_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} queue_sent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, DAWN_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

#endif
