/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Packets for tests: a builder that fills every length and checksum, and a
 * checker that takes a frame apart again and believes nothing in it.
 *
 * Written apart from the code under test: plain byte loops, no shared helper.
 * Numbers are in host order; addresses are IPv4-mapped where the family is 4.
 */
#ifndef DAWN_TESTS_LIB_PKT_H
#define DAWN_TESTS_LIB_PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PKT_FRAME_MAX 2048

#define PKT_FIN 0x01
#define PKT_SYN 0x02
#define PKT_RST 0x04
#define PKT_PSH 0x08
#define PKT_ACK 0x10
#define PKT_URG 0x20
#define PKT_ECE 0x40

enum pkt_csum {
	PKT_CSUM_FULL,
	PKT_CSUM_PARTIAL, /* only the pseudo-header, as a local sender leaves
			   * it */
	PKT_CSUM_BAD,
	PKT_CSUM_NONE, /* zero */
};

struct pkt {
	uint8_t src_mac[6], dst_mac[6];
	int vlans; /* 0 to 2 */
	uint16_t tpid[2], tci[2];
	int family; /* 4 or 6; 0: no IP, `ethertype` and payload only */
	uint16_t ethertype;
	uint8_t src[16], dst[16];
	uint8_t tos, ttl;
	uint16_t ip_id;
	uint16_t frag;        /* IPv4: flags and offset field; IPv6: offset << 3
				 * and M, in a fragment header if it is not 0 */
	const void *ip_extra; /* IPv4 options, or IPv6 extension headers */
	size_t ip_extra_len;  /* multiple of 4, or of 8 */
	uint8_t ext_proto;    /* IPv6: type of the first of them */
	uint8_t proto;        /* IPPROTO_* */
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t wnd;
	uint8_t opt[40]; /* TCP options, padded to 4 */
	size_t opt_len;
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_rest;
	const void *payload;
	size_t len;
	enum pkt_csum csum;
	int cut;       /* bytes taken off the frame's end, lengths as if not */
	size_t pad_to; /* zero padding behind the packet */
};

/* Build into out[PKT_FRAME_MAX]. Return: the frame's length. */
size_t pkt_build(const struct pkt *p, uint8_t *out);

/* Take apart. Every length and checksum is verified, and that no byte follows
 * the packet. `payload` points into the frame. Return: NULL, or what is wrong.
 */
const char *pkt_parse(struct pkt *p, const uint8_t *frame, size_t len);

/* TCP options, appended to p->opt. */
void pkt_opt_mss(struct pkt *p, uint16_t mss);
void pkt_opt_wscale(struct pkt *p, uint8_t shift);
void pkt_opt_sackok(struct pkt *p);
void pkt_opt_ts(struct pkt *p, uint32_t val, uint32_t ecr); /* NOP NOP TS */
void pkt_opt_nop(struct pkt *p, int n);

/* Find an option of a parsed segment. Return: its bytes after kind and length,
 * or NULL. */
const uint8_t *pkt_opt_find(const struct pkt *p, uint8_t kind);
uint32_t pkt_be32(const uint8_t *b);
uint16_t pkt_be16(const uint8_t *b);

#endif
