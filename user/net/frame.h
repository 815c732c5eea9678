/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Ethernet frames: taking them apart and putting them together.
 *
 * Parsing copies nothing: the payload of the resulting segment points into the
 * frame. Every length that a frame states is checked against what is there,
 * and checksums are verified. Neither direction allocates, keeps state, or
 * does I/O.
 *
 *   | eth 14 | 802.1ad/Q 4 | 802.1Q 4 | IPv4 20.. or IPv6 40.. | TCP 20.. |
 *
 * Sources: RFC 791, 8200, 9293, 7323, 2018, 792, 4443; IEEE 802.1Q.
 */
#ifndef DAWN_NET_FRAME_H
#define DAWN_NET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/abi.h"
#include "user/net/tcp.h"

/* Longest head that build() makes: 14 + 8 + 40 + 60. */
#define DAWN_FRAME_HEAD_MAX 122
/* Shortest Ethernet frame, without its check sequence; we pad to it. */
#define DAWN_FRAME_MIN 60

/* Both ends of a connection and the way to the peer; "l" is our side, "r" the
 * peer's, whatever the direction of a frame. */
struct dawn_frame_addr {
	uint8_t lmac[6];
	uint8_t rmac[6];
	__be16 vlan_outer; /* TCI; 0: untagged */
	__be16 vlan_inner; /* TCI; 0: not more than one tag */
	bool outer_ad;     /* outer tag is 802.1ad */
	struct dawn_addr laddr;
	struct dawn_addr raddr;
	__be16 lport;
	__be16 rport;
	uint8_t ttl; /* of what we send; 0: DAWN_TTL */
	uint8_t tos; /* likewise */
};

enum dawn_frame_kind {
	DAWN_FRAME_TCP,
	DAWN_FRAME_ICMP_ERROR, /* quotes a TCP segment that `l` sent to `r` */
	DAWN_FRAME_OTHER,      /* some other protocol or message */
	DAWN_FRAME_FRAGMENT,   /* a fragment; never reassembled */
	DAWN_FRAME_MALFORMED,  /* truncated, or lies about a length */
	DAWN_FRAME_CSUM,       /* a wrong checksum */
};

struct dawn_frame {
	struct dawn_frame_addr addr; /* MACs are those of the frame itself */
	struct dawn_tcp_seg seg;     /* TCP; ICMP_ERROR: `seq` as quoted */
	bool csum_partial;           /* only the pseudo-header was summed */
	bool odd;                    /* had IPv4 options or extension headers */
	bool hard;                   /* ICMP: peer says it will never work */
	uint32_t mtu;                /* ICMP: too big, this fits; else 0 */
};

/* Is the sum of this segment to be believed? A partial one says nothing of the
 * data, and where all data are summed one in 65,536 looks partial by chance,
 * broken or not. So it must be a connection whose sender leaves sums to its
 * device: where the last eight segments were all summed, a partial one is
 * refused, and believed the next time. `seen`: of one connection, in the
 * beginning DAWN_FRAME_SUMS_NEW.
 *
 * Only what the sender is known to have sent is noted: a refused one, and what
 * brought the connection forward. Else who guesses at it from outside, with
 * segments that are summed, would have the peer's own refused. */
#define DAWN_FRAME_SUMS_NEW 1
static inline bool dawn_frame_sum_believed(uint8_t seen, bool partial)
{
	return !partial || seen;
}

static inline void dawn_frame_sum_note(uint8_t *seen, bool partial)
{
	*seen = (uint8_t)(*seen << 1 | partial);
}

/* Take a frame apart that was sent to us. `strict`: a segment with only the
 * pseudo-header summed (local senders, DAWN_CONFIG_CSUM_STRICT) is an error.
 * Return: the kind; *out is filled for the first two only. */
enum dawn_frame_kind dawn_frame_parse(const uint8_t *frame, uint32_t len,
				      bool strict, struct dawn_frame *out);

/* Put together a segment from `l` to `r`, checksums and padding included. SACK
 * blocks that do not fit beside timestamps are left out.
 * Return: its length; 0: `room` is too small. */
uint32_t dawn_frame_build(uint8_t *buf, uint32_t room,
			  const struct dawn_frame_addr *a,
			  const struct dawn_tcp_seg *seg);

/* The RST that answers a segment of no connection (RFC 9293, 3.10.7.1).
 * Return: its length; 0: none is due (it is a RST itself) or no room. */
uint32_t dawn_frame_build_rst(uint8_t *buf, uint32_t room,
			      const struct dawn_frame *in);

/* Internet checksum (RFC 1071): add bytes that start at an even offset to an
 * unfolded sum; fold it to 16 bits, native order, not complemented. */
uint64_t dawn_csum_add(uint64_t sum, const void *buf, size_t len);
uint16_t dawn_csum_fold(uint64_t sum);

#endif
