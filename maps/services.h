/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* services: which (address, port, protocol) belongs to us.
 *
 * Writer: loader, dawnd, or an operator with bpftool. Reader: XDP, reactor.
 * A packet to anything not in here is XDP_PASS. Entries stay until removed.
 * Full: the update fails with E2BIG. Memory at full size: 256 x ~100 bytes.
 *
 * Echo: an entry with `proto` IPPROTO_ICMP or IPPROTO_ICMPV6 and port 0
 * says that echo requests to this address are answered.
 */
#ifndef DAWN_MAPS_SERVICES_H
#define DAWN_MAPS_SERVICES_H

#include "abi.h"

#define DAWN_SERVICES_MAX 256

struct dawn_service_key {
	struct dawn_addr addr; /* local address */
	__be16 port;           /* local port; 0 for echo */
	__u8 proto;            /* IPPROTO_* */
	__u8 pad[5];
};
_Static_assert(sizeof(struct dawn_service_key) == 24, "service key is ABI");

enum dawn_service_kind {
	DAWN_SERVICE_ECHO = 1, /* ICMP/ICMPv6 echo */
	DAWN_SERVICE_HTTP = 2, /* TCP */
	DAWN_SERVICE_HBTP = 3, /* UDP (and, later, TCP) */
};

/* HTTP: request fields that change no answer of the service, whatever their
 * value. Without the flag XDP leaves requests that have them to the reactor, and
 * nothing is cached because of one with Cookie or Authorization. */
#define DAWN_SERVICE_ANY_COOKIE        0x01
#define DAWN_SERVICE_ANY_AUTHORIZATION 0x02
#define DAWN_SERVICE_ANY_CACHE_CONTROL 0x04 /* and Pragma */

static __always_inline __u8 dawn_service_flags(int cookie, int authorization,
					       int cache_control)
{
	return (cookie ? DAWN_SERVICE_ANY_COOKIE : 0) |
	       (authorization ? DAWN_SERVICE_ANY_AUTHORIZATION : 0) |
	       (cache_control ? DAWN_SERVICE_ANY_CACHE_CONTROL : 0);
}

struct dawn_service {
	__u16 id;   /* unique; stands for (address, port) in a flow */
	__u8 kind;  /* enum dawn_service_kind */
	__u8 flags; /* DAWN_SERVICE_ANY_* */
	__u16 group; /* services of one group serve the same content: it is part of
		      * the cache key; >= 1 */
	/* Of its packets, RFC 9293, 3.9: hop limit, 0: DAWN_TTL; and DSCP (an echo
	 * has that of the request). */
	__u8 ttl;
	__u8 dscp; /* 0..63 */
};
_Static_assert(sizeof(struct dawn_service) == 8, "service is ABI");

#endif
