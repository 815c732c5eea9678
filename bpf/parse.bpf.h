/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Ethernet, VLAN, IPv4, IPv6, ports.
 *
 * Every length comes from the IP header, never from the frame: Ethernet pads
 * short frames. What is not understood passes to the kernel.
 */
#ifndef DAWN_BPF_PARSE_H
#define DAWN_BPF_PARSE_H

#include "bpf/checksum.bpf.h"

#define DAWN_IP_MF     0x2000
#define DAWN_IP_OFFSET 0x1fff

struct cursor {
	void *start;
	void *pos;
	void *end;
};

struct vlan_tag {
	__be16 tci;
	__be16 ethertype; /* of what follows */
};

static __always_inline bool is_vlan(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) ||
	       ethertype == bpf_htons(ETH_P_8021AD);
}

/* One VLAN tag, if there is one. Return: 0, or -1 if truncated. */
static __always_inline int parse_vlan(struct cursor *cur, __be16 *ethertype,
				      __be16 *tci)
{
	struct vlan_tag *tag = cur->pos;

	*tci = 0;
	if (!is_vlan(*ethertype))
		return 0;
	if ((void *)(tag + 1) > cur->end)
		return -1;
	cur->pos = tag + 1;
	*tci = tag->tci;
	*ethertype = tag->ethertype;
	return 0;
}

/* Link header. Return: 0 with the ethertype set, or a verdict. */
static __always_inline int parse_link(struct cursor *cur, struct work *w,
				      __be16 *ethertype)
{
	struct ethhdr *eth = cur->pos;

	if ((void *)(eth + 1) > cur->end)
		return PASS(pass_malformed);
	cur->pos = eth + 1;
	*ethertype = eth->h_proto;
	w->outer_ad = eth->h_proto == bpf_htons(ETH_P_8021AD);
	w->vlan_inner = 0;
	if (parse_vlan(cur, ethertype, &w->vlan_outer))
		return PASS(pass_malformed);
	/* Within a tag only 802.1Q, which is all that an entry can say. */
	if (*ethertype == bpf_htons(ETH_P_8021Q) &&
	    parse_vlan(cur, ethertype, &w->vlan_inner))
		return PASS(pass_malformed);
	w->l3_off = cur->pos - cur->start;
	if (*ethertype != bpf_htons(ETH_P_IP) &&
	    *ethertype != bpf_htons(ETH_P_IPV6))
		return PASS(pass_ethertype);
	return 0;
}

/* 0/8, 127/8, multicast, reserved, broadcast: no peer of ours. */
static __always_inline bool martian_v4(__be32 addr)
{
	__u32 first = bpf_ntohl(addr) >> 24;

	return first == 0 || first == 127 || first >= 224;
}

static __always_inline bool martian_v6(const struct dawn_addr *a)
{
	return a->b[0] == 0xff ||
	       (!a->w[0] && !a->w[1] && (!a->w[2] || dawn_addr_is_v4(a)));
}

/* Is the header's checksum right? Of one with options only the reactor or the
 * kernel asks, which get it whole. */
static __always_inline bool ipv4_csum_valid(const struct iphdr *iph)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < sizeof(*iph); i += 4)
		sum += LOAD32((const void *)iph + i);
	return csum_fold(sum) == 0xffff;
}

static __always_inline int parse_ipv4(struct cursor *cur, struct work *w)
{
	struct iphdr *iph = cur->pos;
	__u32 hdr_len, total;
	__u16 frag;

	if ((void *)(iph + 1) > cur->end)
		return PASS(pass_malformed);
	hdr_len = iph->ihl * 4;
	total = bpf_ntohs(iph->tot_len);
	if (iph->version != 4 || hdr_len < sizeof(*iph) || total < hdr_len ||
	    w->l3_off + total > w->frame_len || martian_v4(iph->saddr))
		return PASS(pass_malformed);
	frag = bpf_ntohs(iph->frag_off);
	w->fragment = frag & DAWN_IP_OFFSET ? DAWN_FRAG_LATER
		      : frag & DAWN_IP_MF   ? DAWN_FRAG_FIRST
					    : DAWN_FRAG_NONE;
	w->is_v6 = 0;
	w->has_options = hdr_len > sizeof(*iph);
	if (!w->has_options && !ipv4_csum_valid(iph))
		return PASS(pass_malformed);
	w->tos = iph->tos;
	w->proto = iph->protocol;
	w->l4_off = w->l3_off + hdr_len;
	w->l4_len = total - hdr_len;
	dawn_addr_from_v4(&w->raddr, iph->saddr);
	dawn_addr_from_v4(&w->laddr, iph->daddr);
	return 0;
}

static __always_inline int parse_ipv6(struct cursor *cur, struct work *w)
{
	struct ipv6hdr *ip6h = cur->pos;
	__u32 len;

	if ((void *)(ip6h + 1) > cur->end)
		return PASS(pass_malformed);
	len = bpf_ntohs(ip6h->payload_len);
	if (ip6h->version != 6 ||
	    w->l3_off + sizeof(*ip6h) + len > w->frame_len)
		return PASS(pass_malformed);
	w->fragment = DAWN_FRAG_NONE;
	w->is_v6 = 1;
	w->has_options = 0;
	w->tos = ip6h->priority << 4 | ip6h->flow_lbl[0] >> 4;
	w->proto = ip6h->nexthdr;
	w->l4_off = w->l3_off + sizeof(*ip6h);
	w->l4_len = len;
	copy_bytes(&w->raddr, &ip6h->saddr, sizeof(w->raddr));
	copy_bytes(&w->laddr, &ip6h->daddr, sizeof(w->laddr));
	if (martian_v6(&w->raddr) || dawn_addr_is_v4(&w->laddr))
		return PASS(pass_malformed);
	return 0;
}

static __always_inline bool is_ext_header(__u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING ||
	       proto == IPPROTO_DSTOPTS || proto == IPPROTO_FRAGMENT;
}

/* Walk IPv6 extension headers: what is behind them decides whose packet it is.
 * AH and ESP end the walk, as any other protocol does.
 * Return: 0, or a verdict.
 */
dawn_subprog int skip_ext_headers(struct xdp_md *ctx, struct work *w)
{
	struct {
		__u8 next;
		__u8 len; /* in 8 bytes, not counting the first 8 */
		__be16 frag;
		__u32 id;
	} ext;
	__u32 len;

	if (!w)
		return DROP(map_missing);
	w->has_options = 1;
	for (int i = 0; i < 8; i++) {
		if (!is_ext_header(w->proto) || w->fragment == DAWN_FRAG_LATER)
			return 0;
		if (w->l4_len < sizeof(ext) ||
		    bpf_xdp_load_bytes(ctx, w->l4_off, &ext, sizeof(ext)))
			return PASS(pass_malformed);
		len = sizeof(ext);
		if (w->proto == IPPROTO_FRAGMENT)
			w->fragment =
				ext.frag & bpf_htons(0xfff8) ? DAWN_FRAG_LATER
				: ext.frag & bpf_htons(1)    ? DAWN_FRAG_FIRST
							     : DAWN_FRAG_NONE;
		else
			len += ext.len * 8;
		if (len > w->l4_len)
			return PASS(pass_malformed);
		w->proto = ext.next;
		w->l4_off += len;
		w->l4_len -= len;
	}
	return PASS(pass_no_service); /* longer chains are nobody's client */
}

/* Fill what *w says about the link and IP layers, IPv6 extension headers left
 * aside. Return: 0, or a verdict: not IP, or malformed.
 */
static __always_inline int parse_frame(struct xdp_md *ctx, struct work *w)
{
	struct cursor cur = {
		.start = (void *)(long)ctx->data,
		.pos = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	struct dawn_config *cfg = config_get();
	__be16 ethertype;
	int verdict;

	if (!w || !cfg)
		return DROP(map_missing);
	w->flags = cfg->flags;
	w->frame_len = frame_length(ctx);
	w->rxq = ctx->rx_queue_index;
	w->scanned = 0;
	verdict = parse_link(&cur, w, &ethertype);
	if (verdict)
		return verdict;
	/* 22 bytes whatever the tags: both IP headers are longer than 8. */
	if (cur.start + DAWN_L2_MAX > cur.end)
		return PASS(pass_malformed);
	copy_bytes(w->l2, cur.start, DAWN_L2_MAX);
	return ethertype == bpf_htons(ETH_P_IP) ? parse_ipv4(&cur, w)
						: parse_ipv6(&cur, w);
}

/* Find the transport header. Return: 0, or a verdict: not for one host, or
 * nobody's client. */
static __always_inline int parse_transport(struct xdp_md *ctx, struct work *w)
{
	if (w->l2[0] & 1) /* to a group: never a service's packet */
		return PASS(pass_no_service);
	if (!w->is_v6 || !is_ext_header(w->proto))
		return 0;
	return skip_ext_headers(ctx, w);
}

/* Ports of a TCP or UDP packet. Return: 0, or a verdict. */
static __always_inline int parse_ports(struct xdp_md *ctx, struct work *w)
{
	__be16 *ports;

	if (w->fragment == DAWN_FRAG_LATER)
		return PASS(pass_no_service); /* its first part decides */
	ports = packet_at(ctx, w->l4_off, 4);
	if (!ports || w->l4_len < 4)
		return PASS(pass_malformed);
	w->rport = ports[0];
	w->lport = ports[1];
	return 0;
}

#endif
