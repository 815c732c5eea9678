/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* What every map header of this folder needs.
 *
 * The folder is the contract between the XDP programs (bpf/) and everything
 * in user space. Each `<name>.h` here is included by both sides and holds
 * types, sizes and pure functions only; `<name>.bpf.h` holds the map itself.
 *
 * Byte order: fields typed __be16/__be32 and `addr` arrays are in wire order,
 * all else is in host order. No field is ever packed; every pad is zero.
 */
#ifndef DAWN_MAPS_ABI_H
#define DAWN_MAPS_ABI_H

#include <linux/types.h>

/* Bumped when any layout in this folder changes. A daemon or command that
 * finds other numbers in `config.abi` refuses to touch the maps. */
#define DAWN_ABI_VERSION 3

#define DAWN_PIN_ROOT "/sys/fs/bpf/dawn"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* An IPv4 address is kept in its IPv4-mapped form (RFC 4291, 2.5.5.2), so
 * that one key layout serves both families. */
struct dawn_addr {
	union {
		__u8 b[16];
		__be32 w[4];
		__u64 q[2]; /* native words of the wire bytes; for compares */
	};
};
_Static_assert(sizeof(struct dawn_addr) == 16, "dawn_addr is ABI");

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define DAWN_V4_PREFIX_BE ((__be32)0xffff0000)
#else
#define DAWN_V4_PREFIX_BE ((__be32)0x0000ffff)
#endif

static __always_inline void dawn_addr_from_v4(struct dawn_addr *a, __be32 v4)
{
	a->w[0] = 0;
	a->w[1] = 0;
	a->w[2] = DAWN_V4_PREFIX_BE;
	a->w[3] = v4;
}

static __always_inline int dawn_addr_is_v4(const struct dawn_addr *a)
{
	return !a->w[0] && !a->w[1] && a->w[2] == DAWN_V4_PREFIX_BE;
}

static __always_inline int dawn_addr_equal(const struct dawn_addr *a,
					   const struct dawn_addr *b)
{
	return a->q[0] == b->q[0] && a->q[1] == b->q[1];
}

#endif
