// SPDX-License-Identifier: MIT OR Apache-2.0
#include "tests/lib/pkt.h"

#include <netinet/in.h>
#include <string.h>

uint16_t pkt_be16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

uint32_t pkt_be32(const uint8_t *b)
{
	return (uint32_t)pkt_be16(b) << 16 | pkt_be16(b + 2);
}

static void put16(uint8_t *b, uint16_t v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static void put32(uint8_t *b, uint32_t v)
{
	put16(b, (uint16_t)(v >> 16));
	put16(b + 2, (uint16_t)v);
}

/* RFC 1071, big-endian words, folded but not complemented. */
static uint32_t sum(uint32_t acc, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		acc += pkt_be16(b + i);
	if (n & 1)
		acc += (uint32_t)b[n - 1] << 8;
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return acc;
}

static uint32_t pseudo(const struct pkt *p, size_t l4_len)
{
	size_t from = p->family == 4 ? 12 : 0;
	uint8_t tail[4];

	put16(tail, (uint16_t)l4_len);
	put16(tail + 2, p->proto);
	return sum(
		sum(sum(0, p->src + from, 16 - from), p->dst + from, 16 - from),
		tail, 4);
}

static void add_option(struct pkt *p, const void *bytes, size_t n)
{
	memcpy(p->opt + p->opt_len, bytes, n);
	p->opt_len += n;
}

void pkt_opt_mss(struct pkt *p, uint16_t mss)
{
	uint8_t o[4] = { 2, 4 };

	put16(o + 2, mss);
	add_option(p, o, sizeof(o));
}

void pkt_opt_wscale(struct pkt *p, uint8_t shift)
{
	const uint8_t o[4] = { 1, 3, 3, shift };

	add_option(p, o, sizeof(o));
}

void pkt_opt_sackok(struct pkt *p)
{
	const uint8_t o[4] = { 1, 1, 4, 2 };

	add_option(p, o, sizeof(o));
}

void pkt_opt_ts(struct pkt *p, uint32_t val, uint32_t ecr)
{
	uint8_t o[12] = { 1, 1, 8, 10 };

	put32(o + 4, val);
	put32(o + 8, ecr);
	add_option(p, o, sizeof(o));
}

void pkt_opt_nop(struct pkt *p, int n)
{
	while (n--)
		add_option(p, "\1", 1);
}

const uint8_t *pkt_opt_find(const struct pkt *p, uint8_t kind)
{
	for (size_t i = 0; i < p->opt_len;) {
		if (p->opt[i] == 0)
			break;
		if (p->opt[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= p->opt_len || p->opt[i + 1] < 2)
			break;
		if (p->opt[i] == kind)
			return p->opt + i + 2;
		i += p->opt[i + 1];
	}
	return NULL;
}

/* ---- building ---- */

/* L4 header without checksum. Return: its length; *at: where the sum goes. */
static size_t build_l4(const struct pkt *p, uint8_t *b, size_t *at)
{
	size_t opt = (p->opt_len + 3) & ~(size_t)3;

	*at = 0;
	switch (p->proto) {
	case IPPROTO_TCP:
		put16(b, p->sport);
		put16(b + 2, p->dport);
		put32(b + 4, p->seq);
		put32(b + 8, p->ack);
		b[12] = (uint8_t)((20 + opt) << 2);
		b[13] = p->flags;
		put16(b + 14, p->wnd);
		memset(b + 16, 0, 4 + opt);
		memcpy(b + 20, p->opt, p->opt_len);
		*at = 16;
		return 20 + opt;
	case IPPROTO_UDP:
		put16(b, p->sport);
		put16(b + 2, p->dport);
		put16(b + 4, (uint16_t)(8 + p->len));
		put16(b + 6, 0);
		*at = 6;
		return 8;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		b[0] = p->icmp_type;
		b[1] = p->icmp_code;
		put16(b + 2, 0);
		put32(b + 4, p->icmp_rest);
		*at = 2;
		return 8;
	}
	return 0;
}

static void build_sum(const struct pkt *p, uint8_t *l4, size_t len, size_t at)
{
	uint32_t acc = p->proto == IPPROTO_ICMP ? 0 : pseudo(p, len);

	if (!at || p->csum == PKT_CSUM_NONE)
		return;
	if (p->csum == PKT_CSUM_PARTIAL) {
		put16(l4 + at, (uint16_t)acc);
		return;
	}
	acc = ~sum(acc, l4, len) & 0xffff;
	if (p->csum == PKT_CSUM_BAD)
		acc ^= 0x5555;
	else if (p->proto == IPPROTO_UDP && !acc)
		acc = 0xffff;
	put16(l4 + at, (uint16_t)acc);
}

static size_t build_ipv4(const struct pkt *p, uint8_t *b, size_t l4_len)
{
	size_t hdr = 20 + p->ip_extra_len;

	b[0] = (uint8_t)(0x40 | hdr / 4);
	b[1] = p->tos;
	put16(b + 2, (uint16_t)(hdr + l4_len));
	put16(b + 4, p->ip_id);
	put16(b + 6, p->frag);
	b[8] = p->ttl;
	b[9] = p->proto;
	put16(b + 10, 0);
	memcpy(b + 12, p->src + 12, 4);
	memcpy(b + 16, p->dst + 12, 4);
	if (p->ip_extra_len)
		memcpy(b + 20, p->ip_extra, p->ip_extra_len);
	put16(b + 10, (uint16_t)~sum(0, b, hdr));
	return hdr;
}

static size_t build_ipv6(const struct pkt *p, uint8_t *b, size_t l4_len)
{
	size_t extra = p->ip_extra_len, frag = p->frag ? 8 : 0;
	uint8_t next = frag ? IPPROTO_FRAGMENT : p->proto;
	uint8_t *f = b + 40 + extra;

	put32(b, 6U << 28 | (uint32_t)p->tos << 20);
	put16(b + 4, (uint16_t)(extra + frag + l4_len));
	b[6] = extra ? p->ext_proto : next;
	b[7] = p->ttl;
	memcpy(b + 8, p->src, 16);
	memcpy(b + 24, p->dst, 16);
	if (extra) {
		memcpy(b + 40, p->ip_extra, extra);
		b[40] = next; /* of the first, and we build only one */
	}
	if (frag) {
		memset(f, 0, 8);
		f[0] = p->proto;
		put16(f + 2, p->frag);
	}
	return 40 + extra + frag;
}

size_t pkt_build(const struct pkt *p, uint8_t *out)
{
	uint8_t l4[PKT_FRAME_MAX];
	size_t n = 12, at, l4_len;

	memset(out, 0, PKT_FRAME_MAX);
	memcpy(out, p->dst_mac, 6);
	memcpy(out + 6, p->src_mac, 6);
	for (int i = 0; i < p->vlans; i++, n += 4) {
		put16(out + n, p->tpid[i]);
		put16(out + n + 2, p->tci[i]);
	}
	put16(out + n, p->family == 4   ? 0x0800
		       : p->family == 6 ? 0x86dd
					: p->ethertype);
	n += 2;
	l4_len = p->family ? build_l4(p, l4, &at) : 0;
	if (p->len)
		memcpy(l4 + l4_len, p->payload, p->len);
	l4_len += p->len;
	if (p->family) {
		build_sum(p, l4, l4_len, at);
		n += p->family == 4 ? build_ipv4(p, out + n, l4_len)
				    : build_ipv6(p, out + n, l4_len);
	}
	memcpy(out + n, l4, l4_len);
	n += l4_len;
	n -= (size_t)p->cut;
	return n < p->pad_to ? p->pad_to : n;
}

/* ---- taking apart ---- */

static const char *parse_tcp(struct pkt *p, const uint8_t *b, size_t len)
{
	size_t hdr;

	if (len < 20)
		return "TCP header truncated";
	hdr = (size_t)(b[12] >> 4) * 4;
	if (hdr < 20 || hdr > len)
		return "TCP data offset lies";
	if (b[12] & 15)
		return "reserved TCP bits set";
	p->seq = pkt_be32(b + 4);
	p->ack = pkt_be32(b + 8);
	p->flags = b[13];
	p->wnd = pkt_be16(b + 14);
	if (pkt_be16(b + 18))
		return "urgent pointer set";
	p->opt_len = hdr - 20;
	memcpy(p->opt, b + 20, p->opt_len);
	p->payload = b + hdr;
	p->len = len - hdr;
	return NULL;
}

static const char *parse_l4(struct pkt *p, const uint8_t *b, size_t len)
{
	uint32_t acc = p->proto == IPPROTO_ICMP ? 0 : pseudo(p, len);

	if (len < 8)
		return "L4 header truncated";
	if (sum(acc, b, len) != 0xffff)
		return "L4 checksum wrong";
	p->sport = pkt_be16(b);
	p->dport = pkt_be16(b + 2);
	p->payload = b + 8;
	p->len = len - 8;
	switch (p->proto) {
	case IPPROTO_TCP:
		return parse_tcp(p, b, len);
	case IPPROTO_UDP:
		return pkt_be16(b + 4) == len ? NULL : "UDP length lies";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		p->icmp_type = b[0];
		p->icmp_code = b[1];
		p->icmp_rest = pkt_be32(b + 4);
		return NULL;
	}
	return "neither TCP, UDP nor ICMP";
}

static const char *parse_ipv4(struct pkt *p, const uint8_t *b, size_t len)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (len < 20 || b[0] != 0x45)
		return "IPv4 header is not a plain one";
	if (pkt_be16(b + 2) != len)
		return "IPv4 total length is not the frame's";
	if (sum(0, b, 20) != 0xffff)
		return "IPv4 checksum wrong";
	p->family = 4;
	p->tos = b[1];
	p->ip_id = pkt_be16(b + 4);
	p->frag = pkt_be16(b + 6);
	p->ttl = b[8];
	p->proto = b[9];
	memcpy(p->src, mapped, 12);
	memcpy(p->dst, mapped, 12);
	memcpy(p->src + 12, b + 12, 4);
	memcpy(p->dst + 12, b + 16, 4);
	return parse_l4(p, b + 20, len - 20);
}

static const char *parse_ipv6(struct pkt *p, const uint8_t *b, size_t len)
{
	if (len < 40 || b[0] >> 4 != 6)
		return "IPv6 header truncated or not IPv6";
	if (pkt_be16(b + 4) + 40U != len)
		return "IPv6 payload length is not the frame's";
	p->family = 6;
	p->tos = (uint8_t)(pkt_be16(b) >> 4);
	p->proto = b[6];
	p->ttl = b[7];
	memcpy(p->src, b + 8, 16);
	memcpy(p->dst, b + 24, 16);
	return parse_l4(p, b + 40, len - 40);
}

const char *pkt_parse(struct pkt *p, const uint8_t *frame, size_t len)
{
	size_t n = 12;

	memset(p, 0, sizeof(*p));
	if (len < 14)
		return "frame shorter than its header";
	memcpy(p->dst_mac, frame, 6);
	memcpy(p->src_mac, frame + 6, 6);
	for (; p->vlans < 2 && n + 6 <= len; n += 4, p->vlans++) {
		uint16_t tpid = pkt_be16(frame + n);

		if (tpid != 0x8100 && tpid != 0x88a8)
			break;
		p->tpid[p->vlans] = tpid;
		p->tci[p->vlans] = pkt_be16(frame + n + 2);
	}
	p->ethertype = pkt_be16(frame + n);
	n += 2;
	if (p->ethertype == 0x0800)
		return parse_ipv4(p, frame + n, len - n);
	if (p->ethertype == 0x86dd)
		return parse_ipv6(p, frame + n, len - n);
	return "neither IPv4 nor IPv6";
}
