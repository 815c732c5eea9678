/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* ICMP errors that quote a segment of one of our flows. The kernel knows no
 * such connection; the reactor learns from them the path's MTU, and that a
 * peer is gone. Anybody can send them, so the quoted sequence number must be
 * one that is in flight (RFC 5927, 4).
 */
#ifndef DAWN_BPF_ICMP_ERROR_H
#define DAWN_BPF_ICMP_ERROR_H

#include "bpf/echo.bpf.h"
#include "bpf/tcp.bpf.h"

/* Start of the quoted packet's TCP header. */
struct quoted_tcp {
	__be16 sport;
	__be16 dport;
	__be32 seq;
};

/* Addresses of the quoted packet, which we sent, into *w; peer and local side
 * as in a packet that we receive.
 * Return: offset of its TCP header, or 0: not TCP, truncated, a fragment. */
static __always_inline __u32 parse_quoted(struct xdp_md *ctx, struct work *w)
{
	__u32 off = w->l4_off + sizeof(struct icmp_head);
	struct ipv6hdr *ip6h;
	struct iphdr *iph;

	if (w->is_v6) {
		ip6h = packet_at(ctx, off, sizeof(*ip6h));
		if (!ip6h || ip6h->nexthdr != IPPROTO_TCP)
			return 0;
		copy_bytes(&w->laddr, &ip6h->saddr, sizeof(w->laddr));
		copy_bytes(&w->raddr, &ip6h->daddr, sizeof(w->raddr));
		return off + sizeof(*ip6h);
	}
	iph = packet_at(ctx, off, sizeof(*iph));
	if (!iph || iph->protocol != IPPROTO_TCP || iph->ihl < 5 ||
	    iph->frag_off & bpf_htons(DAWN_IP_OFFSET))
		return 0;
	dawn_addr_from_v4(&w->laddr, iph->saddr);
	dawn_addr_from_v4(&w->raddr, iph->daddr);
	return off + iph->ihl * 4;
}

/* Does the reactor want to know? A flow of XDP's is given up only for bytes in
 * flight. Return: a verdict. */
static __always_inline int error_of_flow(struct work *w, struct dawn_flow *f,
					 __u32 seq)
{
	__u64 owner = f->owner;
	int refused;

	if (dawn_owner_state(owner) == DAWN_OWNER_USER)
		return PUNT(icmp_error);
	if (dawn_owner_state(owner) != DAWN_OWNER_KERNEL ||
	    seq - f->snd_una >= f->snd_nxt - f->snd_una)
		return PASS(pass_icmp_other);
	refused = punt_refused(w);
	if (refused)
		return refused;
	if (!flow_lock(f, owner))
		return PUNT(lock_lost);
	w->release = DAWN_OWNER_USER;
	release(w, f);
	return PUNT(icmp_error);
}

dawn_subprog int handle_icmp_error(struct xdp_md *ctx, struct work *w)
{
	struct dawn_config *cfg = config_get();
	struct quoted_tcp *tcp;
	struct dawn_flow *f;
	__u32 off, seq;
	int index;

	if (!w || !cfg)
		return DROP(map_missing);
	if (w->fragment || w->has_options)
		return PASS(pass_icmp_other);
	read_clocks(w, cfg);
	off = parse_quoted(ctx, w);
	tcp = packet_at(ctx, off, sizeof(*tcp));
	if (!off || !tcp || !(w->flags & DAWN_CONFIG_TCP))
		return PASS(pass_icmp_other);
	w->rport = tcp->dport;
	w->lport = tcp->sport;
	seq = bpf_ntohl(tcp->seq);
	w->proto = IPPROTO_TCP;
	if (!find_service(w, w->lport))
		return PASS(pass_icmp_other);
	index = find_flow(w, cfg);
	f = flow_at(index);
	if (index < 0 || !f)
		return PASS(pass_icmp_other);
	w->flow_index = index;
	return error_of_flow(w, f, seq);
}

#endif
