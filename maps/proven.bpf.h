/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* Definition of proven; see proven.h. The loader sets the size and says it in
 * config.proven_lines. Only an mmap-able array begins at a page, so that its
 * lines are cache lines.
 */
#ifndef DAWN_MAPS_PROVEN_BPF_H
#define DAWN_MAPS_PROVEN_BPF_H

#include "proven.h"

#define DAWN_PROVEN_LINES_ELF 64

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DAWN_PROVEN_LINES_ELF);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct dawn_proven);
} proven SEC(".maps");

#endif
