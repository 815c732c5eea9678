/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* evicted: connections that lost their place in flow_table to newer ones, and
 * have not been told.
 *
 * A ring buffer. Writer: XDP, a record each. Reader: the reactor's thread 0,
 * which sends the RST. Full, or with no reactor: the record is dropped and
 * counted (evict_untold); such a peer gets its RST when it speaks.
 * Memory: DAWN_EVICTED_BYTES, 1,365 records.
 */
#ifndef DAWN_MAPS_EVICTED_H
#define DAWN_MAPS_EVICTED_H

#include "abi.h"

#define DAWN_EVICTED_BYTES 65536

/* Names as in struct dawn_flow. */
struct dawn_evicted {
	struct dawn_addr raddr;
	__be16 rport;
	__u16 service;
	__u8 peer_mac[6];
	__be16 vlan_outer;
	__be16 vlan_inner;
	__u8 flags;
	__u8 pad;
	__u32 snd_nxt; /* the RST's SEQ */
	__u32 pad2;
};
_Static_assert(sizeof(struct dawn_evicted) == 40, "dawn_evicted is ABI");

#endif
