// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* A closed-loop HTTP client in XDP: each whole answer is turned, in place,
 * into the next request of the same flow. It never opens a flow (user space
 * sends the SYNs) and never retransmits (user space does, for a flow that
 * stands still): it only keeps every flow's one request under way.
 *
 * One IPv4 server, no TCP options, answers of one known length, checked to
 * begin with a 200 status line. Everything else is XDP_PASS.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench/client.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct client_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CLIENT_FLOWS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct client_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct client_stats);
} stats SEC(".maps");

struct headers {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

#define HEADERS_LEN 54

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline void turn_around(struct headers *h)
{
	__u8 mac[ETH_ALEN];
	__be32 addr = h->ip.saddr;
	__be16 port = h->tcp.source;

	__builtin_memcpy(mac, h->eth.h_source, ETH_ALEN);
	__builtin_memcpy(h->eth.h_source, h->eth.h_dest, ETH_ALEN);
	__builtin_memcpy(h->eth.h_dest, mac, ETH_ALEN);
	h->ip.saddr = h->ip.daddr;
	h->ip.daddr = addr;
	h->tcp.source = h->tcp.dest;
	h->tcp.dest = port;
}

static __always_inline void finish(struct headers *h,
				   const struct client_flow *f,
				   const struct client_config *c)
{
	__u16 tcp_len = sizeof(struct tcphdr) + c->request_len;
	__u64 sum;

	h->ip.version = 4;
	h->ip.ihl = 5;
	h->ip.tos = 0;
	h->ip.tot_len = bpf_htons(sizeof(struct iphdr) + tcp_len);
	h->ip.id = 0;
	h->ip.frag_off = bpf_htons(0x4000);
	h->ip.ttl = 64;
	h->ip.protocol = IPPROTO_TCP;
	h->ip.check = 0;
	h->ip.check =
		~fold(bpf_csum_diff(0, 0, (void *)&h->ip, sizeof(h->ip), 0));
	h->tcp.seq = bpf_htonl(f->snd_nxt - c->request_len);
	h->tcp.ack_seq = bpf_htonl(f->rcv_nxt);
	h->tcp.doff = 5;
	h->tcp.ack = 1;
	h->tcp.psh = 1;
	h->tcp.syn = 0;
	h->tcp.fin = 0;
	h->tcp.ece = 0;
	h->tcp.cwr = 0;
	h->tcp.urg = 0;
	h->tcp.rst = 0;
	h->tcp.res1 = 0;
	h->tcp.window = bpf_htons(65535);
	h->tcp.check = 0;
	h->tcp.urg_ptr = 0;
	sum = bpf_csum_diff(0, 0, (void *)&h->tcp, sizeof(h->tcp), 0);
	sum += (__u64)h->ip.saddr + h->ip.daddr + bpf_htons(IPPROTO_TCP) +
	       bpf_htons(tcp_len) + c->request_sum;
	h->tcp.check = ~fold(sum);
}

/* The frame becomes headers + request. Bytes are added in front, where there
 * always is room, so that a tight frame can grow too. */
static __always_inline int send_request(struct xdp_md *ctx,
					const struct client_flow *f,
					const struct client_config *c,
					const struct headers *from)
{
	__u32 want = HEADERS_LEN + c->request_len;
	int have = ctx->data_end - ctx->data;
	struct headers *h;

	if (have > (int)want) {
		if (bpf_xdp_adjust_tail(ctx, (int)want - have))
			return XDP_DROP;
	} else if (have < (int)want &&
		   bpf_xdp_adjust_head(ctx, have - (int)want)) {
		return XDP_DROP;
	}
	h = (void *)(long)ctx->data;
	if ((void *)(h + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	*h = *from;
	turn_around(h);
	finish(h, f, c);
	want = c->request_len;
	if (want == 0 || want > CLIENT_REQUEST_MAX)
		return XDP_DROP;
	if (bpf_xdp_store_bytes(ctx, HEADERS_LEN, (void *)c->request, want))
		return XDP_DROP;
	return XDP_TX;
}

static __always_inline int status_ok(const struct headers *h, void *end)
{
	const __u8 *p = (const __u8 *)(h + 1);

	return (void *)(p + 12) <= end && p[9] == '2' && p[10] == '0' &&
	       p[11] == '0';
}

static __always_inline int answer(struct xdp_md *ctx, struct client_flow *f,
				  const struct client_config *c,
				  struct client_stats *st, struct headers *h,
				  __u32 len)
{
	struct headers copy;

	if (bpf_ntohl(h->tcp.seq) != f->rcv_nxt) {
		st->out_of_order++;
		return XDP_DROP;
	}
	if (f->got == 0 && !status_ok(h, (void *)(long)ctx->data_end))
		st->wrong++;
	st->segments++;
	f->rcv_nxt += len;
	f->got += len;
	if (f->got < c->response_len)
		return XDP_DROP;
	f->got = 0;
	f->answers++;
	st->answers++;
	f->snd_nxt += c->request_len;
	copy = *h;
	return send_request(ctx, f, c, &copy);
}

static __always_inline int open_flow(struct xdp_md *ctx, struct client_flow *f,
				     const struct client_config *c,
				     struct headers *h)
{
	struct headers copy = *h;

	if (f->state != CLIENT_SYN_SENT)
		return XDP_DROP;
	f->state = CLIENT_WAITING;
	f->rcv_nxt = bpf_ntohl(h->tcp.seq) + 1;
	f->snd_nxt = bpf_ntohl(h->tcp.ack_seq) + c->request_len;
	f->got = 0;
	return send_request(ctx, f, c, &copy);
}

SEC("xdp")
int client(struct xdp_md *ctx)
{
	struct headers *h = (void *)(long)ctx->data;
	struct client_config *c;
	struct client_stats *st;
	struct client_flow *f;
	__u32 zero = 0, index, len;

	if ((void *)(h + 1) > (void *)(long)ctx->data_end ||
	    h->eth.h_proto != bpf_htons(ETH_P_IP) || h->ip.ihl != 5 ||
	    h->ip.protocol != IPPROTO_TCP)
		return XDP_PASS;
	c = bpf_map_lookup_elem(&config, &zero);
	st = bpf_map_lookup_elem(&stats, &zero);
	if (!c || !st || h->ip.saddr != c->server || h->tcp.source != c->port)
		return XDP_PASS;
	index = bpf_ntohs(h->tcp.dest) - CLIENT_PORT_FIRST;
	f = bpf_map_lookup_elem(&flows, &index);
	if (!f)
		return XDP_PASS;
	if (h->tcp.rst) {
		st->reset++;
		f->state = CLIENT_CLOSED;
		return XDP_DROP;
	}
	if (h->tcp.syn)
		return open_flow(ctx, f, c, h);
	len = bpf_ntohs(h->ip.tot_len) - sizeof(struct iphdr) - h->tcp.doff * 4;
	if (len == 0 || h->tcp.doff != 5 || f->state != CLIENT_WAITING)
		return XDP_DROP;
	return answer(ctx, f, c, st, h, len);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
