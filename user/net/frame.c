// SPDX-License-Identifier: MIT OR Apache-2.0
/* Frames in and out; see frame.h.
 *
 * Parsing works on a cursor that never passes `end`: each step asks for the
 * bytes it is about to read, and once a length field of the IP header is
 * known, `end` moves down to it, so that Ethernet padding is never payload.
 *
 * Two addresses are refused on purpose. An IPv6 packet from ::ffff:a.b.c.d
 * would be taken for the IPv4 peer a.b.c.d, since flow keys hold the mapped
 * form. And a multicast or unspecified sender has no connection, but a RST to
 * it would be an answer to many.
 */
#include "user/net/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "maps/config.h"

#define EXT_HEADERS_MAX 8 /* IPv6; more is nothing that anybody sends */
#define IP4_HEAD        20
#define IP6_HEAD        40
#define TCP_HEAD        20
#define IP4_DF          0x4000
#define IP4_FRAG        0x3fff /* more fragments, or an offset */
#define QUOTED_TCP      8      /* bytes of the segment that an error quotes */

struct cursor {
	const uint8_t *pos;
	const uint8_t *end;
};

static uint32_t left(const struct cursor *cur)
{
	return (uint32_t)(cur->end - cur->pos);
}

/* Step over len bytes. Return: where they are, NULL if they are not there. */
static const uint8_t *take(struct cursor *cur, uint32_t len)
{
	const uint8_t *at = cur->pos;

	if (left(cur) < len)
		return NULL;
	cur->pos += len;
	return at;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

uint64_t dawn_csum_add(uint64_t sum, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	uint64_t a = 0, b = 0, w[4];
	uint16_t tail = 0;

	/* 32-bit words into 64-bit sums: no carry is lost below 16 GB. */
	for (; len >= 32; len -= 32, p += 32) {
		memcpy(w, p, 32);
		a += (w[0] & 0xffffffff) + (w[0] >> 32);
		b += (w[1] & 0xffffffff) + (w[1] >> 32);
		a += (w[2] & 0xffffffff) + (w[2] >> 32);
		b += (w[3] & 0xffffffff) + (w[3] >> 32);
	}
	for (; len >= 2; len -= 2, p += 2) {
		memcpy(&tail, p, 2);
		a += tail;
	}
	if (len) {
		tail = 0;
		memcpy(&tail, p, 1);
		b += tail;
	}
	a += b;
	a = (a & 0xffffffff) + (a >> 32);
	return sum + a;
}

uint16_t dawn_csum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The same for both families: IPv4's pseudo-header and IPv6's add up alike,
 * and the ::ffff: of the mapped form is left out. */
static uint64_t pseudo_sum(const struct dawn_addr *a, const struct dawn_addr *b,
			   uint8_t proto, uint32_t len)
{
	bool v4 = dawn_addr_is_v4(a);
	uint32_t off = v4 ? 12 : 0;
	uint64_t sum = dawn_csum_add(0, a->b + off, 16 - off);

	sum = dawn_csum_add(sum, b->b + off, 16 - off);
	return sum + htons(proto) + htons((uint16_t)len);
}

static enum dawn_frame_kind parse_eth(struct cursor *cur, uint16_t *ethertype,
				      struct dawn_frame_addr *a)
{
	const uint8_t *eth = take(cur, ETH_HLEN);
	const uint8_t *tag;

	if (!eth)
		return DAWN_FRAME_MALFORMED;
	memcpy(a->lmac, eth, 6);
	memcpy(a->rmac, eth + 6, 6);
	*ethertype = get16(eth + 12);
	if (*ethertype != ETH_P_8021Q && *ethertype != ETH_P_8021AD)
		return DAWN_FRAME_TCP;
	a->outer_ad = *ethertype == ETH_P_8021AD;
	tag = take(cur, 4);
	if (!tag)
		return DAWN_FRAME_MALFORMED;
	memcpy(&a->vlan_outer, tag, 2);
	*ethertype = get16(tag + 2);
	if (*ethertype != ETH_P_8021Q)
		return DAWN_FRAME_TCP;
	tag = take(cur, 4);
	if (!tag)
		return DAWN_FRAME_MALFORMED;
	memcpy(&a->vlan_inner, tag, 2);
	*ethertype = get16(tag + 2);
	return DAWN_FRAME_TCP;
}

/* May this address be a peer's? Class E is left alone: people use it. */
static bool v4_unicast(const uint8_t *p)
{
	return p[0] != 0 && p[0] != 127 && (p[0] < 224 || p[0] >= 240) &&
	       (p[0] != 255 || p[1] != 255 || p[2] != 255 || p[3] != 255);
}

static bool v6_unicast(const struct dawn_addr *a)
{
	return a->b[0] != 0xff && (a->q[0] || a->q[1]) && !dawn_addr_is_v4(a);
}

static enum dawn_frame_kind parse_ip4(struct cursor *cur, uint8_t *proto,
				      struct dawn_frame_addr *a)
{
	const uint8_t *iph = cur->pos;
	uint32_t hdr_len, total;
	__be32 v4;

	if (left(cur) < IP4_HEAD)
		return DAWN_FRAME_MALFORMED;
	hdr_len = (iph[0] & 15) * 4U;
	total = get16(iph + 2);
	if (iph[0] >> 4 != 4 || hdr_len < IP4_HEAD || total < hdr_len ||
	    total > left(cur))
		return DAWN_FRAME_MALFORMED;
	if (dawn_csum_fold(dawn_csum_add(0, iph, hdr_len)) != 0xffff)
		return DAWN_FRAME_CSUM;
	if (!v4_unicast(iph + 12))
		return DAWN_FRAME_MALFORMED;
	if (get16(iph + 6) & IP4_FRAG)
		return DAWN_FRAME_FRAGMENT;
	memcpy(&v4, iph + 12, 4);
	dawn_addr_from_v4(&a->raddr, v4);
	memcpy(&v4, iph + 16, 4);
	dawn_addr_from_v4(&a->laddr, v4);
	*proto = iph[9];
	cur->end = iph + total;
	cur->pos = iph + hdr_len;
	return DAWN_FRAME_TCP;
}

/* Step over one extension header of type *proto. */
static enum dawn_frame_kind skip_ext(struct cursor *cur, uint8_t *proto)
{
	const uint8_t *ext = cur->pos;

	if (left(cur) < 8)
		return DAWN_FRAME_MALFORMED;
	if (*proto == IPPROTO_FRAGMENT) {
		/* Offset or M: a fragment; neither: atomic (RFC 6946). */
		if (get16(ext + 2) & 0xfff9)
			return DAWN_FRAME_FRAGMENT;
		cur->pos += 8;
	} else {
		/* With segments left, we are not where it is going. */
		if (*proto == IPPROTO_ROUTING && ext[3])
			return DAWN_FRAME_OTHER;
		if (!take(cur, (ext[1] + 1U) * 8))
			return DAWN_FRAME_MALFORMED;
	}
	*proto = ext[0];
	return DAWN_FRAME_TCP;
}

static enum dawn_frame_kind parse_ip6(struct cursor *cur, uint8_t *proto,
				      struct dawn_frame_addr *a)
{
	const uint8_t *ip6h = take(cur, IP6_HEAD);
	enum dawn_frame_kind kind;
	uint32_t payload;

	if (!ip6h || ip6h[0] >> 4 != 6)
		return DAWN_FRAME_MALFORMED;
	payload = get16(ip6h + 4);
	if (!payload || payload > left(cur)) /* 0: a jumbogram, or a lie */
		return DAWN_FRAME_MALFORMED;
	cur->end = cur->pos + payload;
	memcpy(a->raddr.b, ip6h + 8, 16);
	memcpy(a->laddr.b, ip6h + 24, 16);
	if (!v6_unicast(&a->raddr) || !v6_unicast(&a->laddr))
		return DAWN_FRAME_MALFORMED;
	*proto = ip6h[6];
	for (int i = 0; i < EXT_HEADERS_MAX; i++) {
		if (*proto != IPPROTO_HOPOPTS && *proto != IPPROTO_ROUTING &&
		    *proto != IPPROTO_FRAGMENT && *proto != IPPROTO_DSTOPTS)
			return DAWN_FRAME_TCP;
		kind = skip_ext(cur, proto);
		if (kind != DAWN_FRAME_TCP)
			return kind;
	}
	return DAWN_FRAME_MALFORMED;
}

/* A broken option ends the list, as everywhere; the segment stands. */
static void parse_options(const uint8_t *p, const uint8_t *end,
			  struct dawn_tcp_seg *seg)
{
	while (p < end && p[0] != 0) {
		uint32_t len;

		if (p[0] == 1) { /* padding */
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return;
		len = p[1];
		if (p[0] == 8 && len == 10) {
			seg->has_ts = true;
			seg->tsval = get32(p + 2);
			seg->tsecr = get32(p + 6);
		} else if (p[0] == 5 && len % 8 == 2 &&
			   len <= 2 + 8 * DAWN_TCP_SACK_MAX) {
			seg->sack_count = (uint8_t)(len / 8);
			for (uint32_t i = 0; i < len / 8; i++) {
				seg->sack[i].start = get32(p + 2 + 8 * i);
				seg->sack[i].end = get32(p + 6 + 8 * i);
			}
		}
		p += len;
	}
}

/* Return: 0 wrong, 1 right, 2 only the pseudo-header is summed. */
static int check_tcp_sum(const struct cursor *cur,
			 const struct dawn_frame_addr *a)
{
	uint64_t pseudo =
		pseudo_sum(&a->laddr, &a->raddr, IPPROTO_TCP, left(cur));
	uint16_t stored;

	if (dawn_csum_fold(dawn_csum_add(pseudo, cur->pos, left(cur))) ==
	    0xffff)
		return 1;
	memcpy(&stored, cur->pos + 16, 2);
	return stored == dawn_csum_fold(pseudo) ? 2 : 0;
}

static enum dawn_frame_kind parse_tcp(struct cursor *cur, bool strict,
				      struct dawn_frame *f)
{
	const uint8_t *tcph = cur->pos;
	uint32_t hdr_len;
	int sum;

	if (left(cur) < TCP_HEAD)
		return DAWN_FRAME_MALFORMED;
	hdr_len = (tcph[12] >> 4) * 4U;
	if (hdr_len < TCP_HEAD || hdr_len > left(cur))
		return DAWN_FRAME_MALFORMED;
	sum = check_tcp_sum(cur, &f->addr);
	if (sum == 0 || (sum == 2 && strict))
		return DAWN_FRAME_CSUM;
	f->csum_partial = sum == 2;
	memcpy(&f->addr.rport, tcph, 2);
	memcpy(&f->addr.lport, tcph + 2, 2);
	f->seg.seq = get32(tcph + 4);
	f->seg.ack = get32(tcph + 8);
	f->seg.flags = tcph[13];
	f->seg.wnd = get16(tcph + 14);
	parse_options(tcph + TCP_HEAD, tcph + hdr_len, &f->seg);
	f->seg.data = tcph + hdr_len;
	f->seg.len = left(cur) - hdr_len;
	return DAWN_FRAME_TCP;
}

/* The segment of ours that an ICMP error is about. Our own packets have no
 * options and no extension headers; what has, is not about us. */
static enum dawn_frame_kind parse_quoted(struct cursor *cur, bool v4,
					 struct dawn_frame *f)
{
	const uint8_t *ip = cur->pos, *tcph;
	__be32 addr;

	if (!take(cur, v4 ? IP4_HEAD : IP6_HEAD))
		return DAWN_FRAME_MALFORMED;
	if (v4) {
		if (ip[0] != 0x45 || ip[9] != IPPROTO_TCP ||
		    get16(ip + 6) & IP4_FRAG)
			return DAWN_FRAME_OTHER;
		memcpy(&addr, ip + 12, 4);
		dawn_addr_from_v4(&f->addr.laddr, addr);
		memcpy(&addr, ip + 16, 4);
		dawn_addr_from_v4(&f->addr.raddr, addr);
	} else {
		if (ip[0] >> 4 != 6 || ip[6] != IPPROTO_TCP)
			return DAWN_FRAME_OTHER;
		memcpy(f->addr.laddr.b, ip + 8, 16);
		memcpy(f->addr.raddr.b, ip + 24, 16);
		if (!v6_unicast(&f->addr.raddr))
			return DAWN_FRAME_OTHER;
	}
	tcph = take(cur, QUOTED_TCP);
	if (!tcph)
		return DAWN_FRAME_MALFORMED;
	memcpy(&f->addr.lport, tcph, 2);
	memcpy(&f->addr.rport, tcph + 2, 2);
	f->seg.seq = get32(tcph + 4);
	return DAWN_FRAME_ICMP_ERROR;
}

/* RFC 792: unreachable (code 4: too big, RFC 1191), time exceeded, parameter
 * problem. */
static enum dawn_frame_kind parse_icmp4(struct cursor *cur,
					struct dawn_frame *f)
{
	const uint8_t *icmph = cur->pos;

	if (!take(cur, 8))
		return DAWN_FRAME_MALFORMED;
	if (icmph[0] != 3 && icmph[0] != 11 && icmph[0] != 12)
		return DAWN_FRAME_OTHER;
	if (dawn_csum_fold(dawn_csum_add(0, icmph,
					 (size_t)(cur->end - icmph))) != 0xffff)
		return DAWN_FRAME_CSUM;
	if (icmph[0] == 3) {
		f->hard = icmph[1] == 2 || icmph[1] == 3;
		/* A router from before RFC 1191 says 0: the least there is */
		if (icmph[1] == 4)
			f->mtu = get16(icmph + 6) > 68 ? get16(icmph + 6) : 68;
	}
	return parse_quoted(cur, true, f);
}

/* RFC 4443: unreachable, too big, time exceeded, parameter problem. */
static enum dawn_frame_kind parse_icmp6(struct cursor *cur,
					struct dawn_frame *f)
{
	const uint8_t *icmph = cur->pos;
	uint64_t sum = pseudo_sum(&f->addr.laddr, &f->addr.raddr,
				  IPPROTO_ICMPV6, left(cur));

	if (!take(cur, 8))
		return DAWN_FRAME_MALFORMED;
	if (icmph[0] < 1 || icmph[0] > 4)
		return DAWN_FRAME_OTHER;
	sum = dawn_csum_add(sum, icmph, (size_t)(cur->end - icmph));
	if (dawn_csum_fold(sum) != 0xffff)
		return DAWN_FRAME_CSUM;
	f->hard = icmph[0] == 1 && icmph[1] == 4;
	if (icmph[0] == 2) /* RFC 8200: no link is below 1280 */
		f->mtu = get32(icmph + 4) > 1280 ? get32(icmph + 4) : 1280;
	return parse_quoted(cur, false, f);
}

enum dawn_frame_kind dawn_frame_parse(const uint8_t *frame, uint32_t len,
				      bool strict, struct dawn_frame *out)
{
	struct cursor cur = { frame, frame + len };
	struct dawn_frame f = { .mtu = 0 };
	enum dawn_frame_kind kind;
	const uint8_t *ip;
	uint16_t ethertype = 0;
	uint8_t proto = 0;

	kind = parse_eth(&cur, &ethertype, &f.addr);
	if (kind != DAWN_FRAME_TCP)
		return kind;
	ip = cur.pos;
	if (ethertype == ETH_P_IP)
		kind = parse_ip4(&cur, &proto, &f.addr);
	else if (ethertype == ETH_P_IPV6)
		kind = parse_ip6(&cur, &proto, &f.addr);
	else
		return DAWN_FRAME_OTHER;
	if (kind != DAWN_FRAME_TCP)
		return kind;
	f.odd = cur.pos - ip != (ethertype == ETH_P_IP ? IP4_HEAD : IP6_HEAD);
	if (proto == IPPROTO_TCP)
		kind = parse_tcp(&cur, strict, &f);
	else if (proto == IPPROTO_ICMP && ethertype == ETH_P_IP)
		kind = parse_icmp4(&cur, &f);
	else if (proto == IPPROTO_ICMPV6 && ethertype == ETH_P_IPV6)
		kind = parse_icmp6(&cur, &f);
	else
		return DAWN_FRAME_OTHER;
	if (kind == DAWN_FRAME_TCP || kind == DAWN_FRAME_ICMP_ERROR)
		*out = f;
	return kind;
}

static uint8_t *build_eth(uint8_t *p, const struct dawn_frame_addr *a, bool v4)
{
	memcpy(p, a->rmac, 6);
	memcpy(p + 6, a->lmac, 6);
	p += 12;
	if (a->vlan_outer || a->vlan_inner) {
		put16(p, a->outer_ad ? ETH_P_8021AD : ETH_P_8021Q);
		memcpy(p + 2, &a->vlan_outer, 2);
		p += 4;
	}
	if (a->vlan_inner) {
		put16(p, ETH_P_8021Q);
		memcpy(p + 2, &a->vlan_inner, 2);
		p += 4;
	}
	put16(p, v4 ? ETH_P_IP : ETH_P_IPV6);
	return p + 2;
}

/* Don't-fragment is always set, so that the id may be 0 (RFC 6864). */
static uint8_t *build_ip4(uint8_t *p, const struct dawn_frame_addr *a,
			  uint32_t payload)
{
	uint16_t sum;

	memset(p, 0, IP4_HEAD);
	p[0] = 0x45;
	put16(p + 2, (uint16_t)(IP4_HEAD + payload));
	put16(p + 6, IP4_DF);
	p[1] = a->tos;
	p[8] = a->ttl ? a->ttl : DAWN_TTL;
	p[9] = IPPROTO_TCP;
	memcpy(p + 12, &a->laddr.w[3], 4);
	memcpy(p + 16, &a->raddr.w[3], 4);
	sum = (uint16_t)~dawn_csum_fold(dawn_csum_add(0, p, IP4_HEAD));
	memcpy(p + 10, &sum, 2);
	return p + IP4_HEAD;
}

static uint8_t *build_ip6(uint8_t *p, const struct dawn_frame_addr *a,
			  uint32_t payload)
{
	memset(p, 0, IP6_HEAD);
	p[0] = (uint8_t)(0x60 | a->tos >> 4);
	p[1] = (uint8_t)(a->tos << 4);
	put16(p + 4, (uint16_t)payload);
	p[6] = IPPROTO_TCP;
	p[7] = a->ttl ? a->ttl : DAWN_TTL;
	memcpy(p + 8, a->laddr.b, 16);
	memcpy(p + 24, a->raddr.b, 16);
	return p + IP6_HEAD;
}

/* Blocks that fit into 40 bytes of options. */
static uint32_t sack_fit(const struct dawn_tcp_seg *seg)
{
	uint32_t max = seg->has_ts ? 3 : 4;

	return seg->sack_count < max ? seg->sack_count : max;
}

static uint8_t *build_options(uint8_t *p, const struct dawn_tcp_seg *seg)
{
	uint32_t sacks = sack_fit(seg);

	if (seg->has_ts) {
		put32(p, 0x0101080a); /* two pads, then kind and length */
		put32(p + 4, seg->tsval);
		put32(p + 8, seg->tsecr);
		p += 12;
	}
	if (!sacks)
		return p;
	put32(p, 0x01010500 | (2 + 8 * sacks));
	p += 4;
	for (uint32_t i = 0; i < sacks; i++, p += 8) {
		put32(p, seg->sack[i].start);
		put32(p + 4, seg->sack[i].end);
	}
	return p;
}

static void build_tcp(uint8_t *tcph, const struct dawn_frame_addr *a,
		      const struct dawn_tcp_seg *seg, uint32_t hdr_len)
{
	uint32_t total = hdr_len + seg->len + seg->len2;
	uint64_t sum;
	uint16_t folded;

	memcpy(tcph, &a->lport, 2);
	memcpy(tcph + 2, &a->rport, 2);
	put32(tcph + 4, seg->seq);
	put32(tcph + 8, seg->ack);
	tcph[12] = (uint8_t)(hdr_len / 4 << 4);
	tcph[13] = seg->flags;
	put16(tcph + 14, seg->wnd);
	put32(tcph + 16, 0);
	build_options(tcph + TCP_HEAD, seg);
	if (seg->len)
		memcpy(tcph + hdr_len, seg->data, seg->len);
	if (seg->len2)
		memcpy(tcph + hdr_len + seg->len, seg->data2, seg->len2);
	sum = pseudo_sum(&a->laddr, &a->raddr, IPPROTO_TCP, total);
	folded = (uint16_t)~dawn_csum_fold(dawn_csum_add(sum, tcph, total));
	memcpy(tcph + 16, &folded, 2);
}

uint32_t dawn_frame_build(uint8_t *buf, uint32_t room,
			  const struct dawn_frame_addr *a,
			  const struct dawn_tcp_seg *seg)
{
	bool v4 = dawn_addr_is_v4(&a->raddr);
	uint32_t sacks = sack_fit(seg);
	uint32_t tcp_len =
		TCP_HEAD + (seg->has_ts ? 12 : 0) + (sacks ? 4 + 8 * sacks : 0);
	uint32_t total = tcp_len + seg->len + seg->len2;
	uint32_t frame_len;
	uint8_t *p;

	if (room < DAWN_FRAME_HEAD_MAX || seg->len > room ||
	    seg->len2 > room - seg->len ||
	    seg->len + seg->len2 > room - DAWN_FRAME_HEAD_MAX)
		return 0;
	p = build_eth(buf, a, v4);
	p = v4 ? build_ip4(p, a, total) : build_ip6(p, a, total);
	build_tcp(p, a, seg, tcp_len);
	frame_len = (uint32_t)(p - buf) + total;
	if (frame_len < DAWN_FRAME_MIN) {
		memset(buf + frame_len, 0, DAWN_FRAME_MIN - frame_len);
		frame_len = DAWN_FRAME_MIN;
	}
	return frame_len;
}

uint32_t dawn_frame_build_rst(uint8_t *buf, uint32_t room,
			      const struct dawn_frame *in)
{
	struct dawn_tcp_seg rst = { .flags = DAWN_TCP_RST };
	uint8_t flags = in->seg.flags;

	if (flags & DAWN_TCP_RST)
		return 0;
	if (flags & DAWN_TCP_ACK) {
		rst.seq = in->seg.ack;
	} else {
		rst.flags |= DAWN_TCP_ACK;
		rst.ack = in->seg.seq + in->seg.len + !!(flags & DAWN_TCP_SYN) +
			  !!(flags & DAWN_TCP_FIN);
	}
	return dawn_frame_build(buf, room, &in->addr, &rst);
}
