/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* Definition of evicted; see evicted.h. */
#ifndef DAWN_MAPS_EVICTED_BPF_H
#define DAWN_MAPS_EVICTED_BPF_H

#include "evicted.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, DAWN_EVICTED_BYTES);
} evicted SEC(".maps");

#endif
