// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What VLAN interfaces do, for kernels that have none: packets from certain
 * source addresses leave with one tag or two, set the way a VLAN interface sets
 * them (in the skb, for the hardware to insert; an inner tag is in the frame);
 * packets to those addresses must arrive with just these tags, which are taken
 * off. One that comes in with others is dropped and counted.
 *
 *   198.18.0.3, 2001:db8::3    VLAN 100
 *   198.18.0.4, 2001:db8::4    VLAN 200 (802.1ad), in it VLAN 30
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct counts {
	__u64 tagged; /* left with tags */
	__u64 right;  /* came with the tags expected */
	__u64 wrong;  /* came with others, or none: an answer in a wrong VLAN */
	__u64 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct counts);
} vlan_counts SEC(".maps");

static __always_inline struct counts *counts_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&vlan_counts, &zero);
}

/* Last byte of the source or destination address if it is one of ours, by the
 * network header at `off`; else 0. */
static __always_inline __u8 host_number(struct __sk_buff *skb, __u32 off,
					__be16 proto, int source)
{
	__u8 last = 0;

	if (proto == bpf_htons(ETH_P_IP))
		off += source ? 15 : 19;
	else if (proto == bpf_htons(ETH_P_IPV6))
		off += source ? 23 : 39;
	else
		return 0;
	if (bpf_skb_load_bytes(skb, off, &last, 1))
		return 0;
	return last == 3 || last == 4 ? last : 0;
}

SEC("tc")
int push(struct __sk_buff *skb)
{
	__u8 host = host_number(skb, ETH_HLEN, skb->protocol, 1);
	struct counts *c = counts_get();

	if (!host || !c)
		return TC_ACT_OK;
	c->tagged++;
	if (host == 3)
		return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 100)
			       ? TC_ACT_SHOT
			       : TC_ACT_OK;
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 30) ||
	    bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), 200))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* At ingress the kernel has moved the outer tag into the skb. */
SEC("tc")
int pop(struct __sk_buff *skb)
{
	__u32 outer = skb->vlan_present ? skb->vlan_tci & 0xfff : 0;
	struct counts *c = counts_get();
	__be16 tag[2] = { skb->protocol, 0 };
	__u32 inner = 0;
	__u8 host;

	if (!c)
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, 12, tag, 2))
		return TC_ACT_OK;
	if (tag[0] == bpf_htons(ETH_P_8021Q)) {
		bpf_skb_load_bytes(skb, 14, tag, sizeof(tag));
		inner = bpf_ntohs(tag[0]) & 0xfff;
		host = host_number(skb, ETH_HLEN + 4, tag[1], 0);
	} else {
		host = host_number(skb, ETH_HLEN, tag[0], 0);
	}
	if (!host)
		return TC_ACT_OK;
	if (outer != (host == 3 ? 100 : 200) || inner != (host == 3 ? 0 : 30)) {
		c->wrong++;
		return TC_ACT_SHOT;
	}
	c->right++;
	if (bpf_skb_vlan_pop(skb) || (inner && bpf_skb_vlan_pop(skb)))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
