/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* segments_2 ... segments_11: DEVMAPs whose n entries all name the interface
 * the program is attached to, each with the egress program dawn_segment.
 *
 * Writer: loader, once, before attaching. Reader: XDP, which broadcasts a
 * frame to one of them and so gets n - 1 clones and the original, in order.
 * Only the clones are sure to have room to grow, so n - 1 segments are sent
 * through segments_n. Memory: a few hundred bytes each.
 */
#ifndef DAWN_MAPS_SEGMENTS_BPF_H
#define DAWN_MAPS_SEGMENTS_BPF_H

#include <linux/bpf.h>

#define DAWN_SEGMENTS_MAP(n)                                       \
	struct {                                                   \
		__uint(type, BPF_MAP_TYPE_DEVMAP);                 \
		__uint(max_entries, n);                            \
		__uint(key_size, sizeof(__u32));                   \
		__uint(value_size, sizeof(struct bpf_devmap_val)); \
	} segments_##n SEC(".maps")

DAWN_SEGMENTS_MAP(2);
DAWN_SEGMENTS_MAP(3);
DAWN_SEGMENTS_MAP(4);
DAWN_SEGMENTS_MAP(5);
DAWN_SEGMENTS_MAP(6);
DAWN_SEGMENTS_MAP(7);
DAWN_SEGMENTS_MAP(8);
DAWN_SEGMENTS_MAP(9);
DAWN_SEGMENTS_MAP(10);
DAWN_SEGMENTS_MAP(11);

#endif
