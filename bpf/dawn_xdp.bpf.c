// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Entry points of the kernel half.
 *
 * dawn_xdp sees every packet the interface receives: it answers echo requests,
 * HBTP Pings and cached GETs of our services itself, gives what else belongs
 * to them to the reactor, and passes the rest to the kernel untouched.
 * dawn_segment sees only frames that dawn_xdp cloned, and makes each of them
 * one segment of a response. Neither ever waits, and neither passes a TCP
 * segment of a connection it accepted to the kernel.
 */
#include "bpf/access.bpf.h"
#include "bpf/echo.bpf.h"
#include "bpf/hbtp.bpf.h"
#include "bpf/icmp_error.bpf.h"
#include "bpf/parse.bpf.h"
#include "bpf/segment.bpf.h"
#include "bpf/tcp.bpf.h"
#include "bpf/verdict.bpf.h"

static __always_inline int handle_icmp(struct xdp_md *ctx, struct work *w)
{
	__u8 *type = packet_at(ctx, w->l4_off, sizeof(struct icmp_head));

	if (!type || w->l4_len < sizeof(struct icmp_head))
		return PASS(pass_malformed);
	if (is_icmp_error(w, *type))
		return handle_icmp_error(ctx, w);
	if (*type != (w->is_v6 ? DAWN_ICMP6_ECHO : DAWN_ICMP_ECHO))
		return PASS(pass_icmp_other);
	if (!find_service(w, 0))
		return PASS(pass_no_service);
	return answer_echo(ctx, w);
}

static __always_inline int handle_udp(struct xdp_md *ctx, struct work *w)
{
	int verdict = parse_ports(ctx, w);

	if (verdict)
		return verdict;
	if (!find_service(w, w->lport))
		return PASS(pass_no_service);
	return answer_ping(ctx, w);
}

static __always_inline int handle_packet(struct xdp_md *ctx, struct work *w)
{
	int verdict = parse_frame(ctx, w);

	/* Before anything may pass to the kernel that is not broken: it would
	 * take it from a peer that is denied. */
	if (!verdict)
		verdict = check_access(w);
	if (!verdict)
		verdict = parse_transport(ctx, w);
	if (verdict)
		return verdict;
	switch (w->proto) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return handle_icmp(ctx, w);
	case IPPROTO_UDP:
		return handle_udp(ctx, w);
	case IPPROTO_TCP:
		return handle_tcp(ctx, w);
	}
	return PASS(pass_no_service);
}

SEC("xdp")
int dawn_xdp(struct xdp_md *ctx)
{
	struct work *w = work_get();

	if (!w)
		return XDP_PASS;
	return conclude(w, handle_packet(ctx, w));
}

SEC("xdp/devmap")
int dawn_segment(struct xdp_md *ctx)
{
	struct work *w = work_get();

	return w ? make_segment(ctx, w) : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
