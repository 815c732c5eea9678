/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* TCP to one of our services: whose packet is it? Looks up the flow first,
 * whatever the flags; the owner word decides (maps/owner.h).
 */
#ifndef DAWN_BPF_TCP_H
#define DAWN_BPF_TCP_H

#include "bpf/access.bpf.h"
#include "bpf/parse.bpf.h"
#include "bpf/syn.bpf.h"
#include "bpf/tcp_input.bpf.h"

/* May XDP take a flow of the reactor's back? Only if the entry says all there
 * is to know of the connection, and its reactor does not look at it now. */
static __always_inline bool
reclaimable(const struct work *w, const struct dawn_config *cfg, __u64 owner)
{
	return dawn_owner_flags(owner) & DAWN_OWNER_CLEAN &&
	       (dawn_owner_incarnation(owner) != (__u8)cfg->incarnation ||
		!reactor_alive(w, cfg));
}

/* A flow of a reactor that died, while another one is alive: the entry is
 * stale, only the packet knows a number the peer accepts. A SYN says that the
 * peer has forgotten it too, and gets its new connection. */
static __always_inline int reset_stale(struct xdp_md *ctx, struct work *w,
				       struct dawn_flow *f, __u64 owner)
{
	if (!flow_lock(f, owner))
		return PUNT(lock_lost);
	COUNT(stale_incarnation);
	set_unacked(w, false); /* it may have died before it did that */
	flow_free(f, w->flow_index);
	if (w->tcp_flags & DAWN_TCP_FLAG_RST)
		return DROP(rst_unproven);
	if ((w->tcp_flags & (DAWN_TCP_FLAG_SYN | DAWN_TCP_FLAG_ACK)) ==
	    DAWN_TCP_FLAG_SYN)
		return answer_syn(ctx, w);
	return answer_rst(ctx, w);
}

/* Lock the flow for this packet. Return: 0, or a verdict. */
static __always_inline int acquire(struct xdp_md *ctx, struct work *w,
				   struct dawn_flow *f)
{
	struct dawn_config *cfg = config_get();
	__u64 owner = *(volatile __u64 *)&f->owner;

	if (!cfg)
		return DROP(map_missing);
	switch (dawn_owner_state(owner)) {
	case DAWN_OWNER_KERNEL:
		return flow_lock(f, owner) ? 0 : PUNT(lock_lost);
	case DAWN_OWNER_USER:
		break;
	default:
		return PUNT(lock_lost);
	}
	if (reclaimable(w, cfg, owner)) {
		if (!flow_lock(f, owner))
			return PUNT(lock_lost);
		COUNT(reclaimed);
		return 0;
	}
	if (reactor_alive(w, cfg) &&
	    dawn_owner_incarnation(owner) != (__u8)cfg->incarnation)
		return reset_stale(ctx, w, f, owner);
	return PUNT(user_owned);
}

/* Unlock as w->release says. */
static __always_inline void release(struct work *w, struct dawn_flow *f)
{
	struct dawn_config *cfg = config_get();
	__u64 gen = dawn_owner_gen(f->owner) + 1;

	switch (w->release) {
	case DAWN_OWNER_FREE:
		set_unacked(w, false);
		flow_free(f, w->flow_index);
		return;
	case DAWN_OWNER_USER:
		COUNT(to_user);
		flow_unlock(f, dawn_owner(DAWN_OWNER_USER, DAWN_OWNER_CLEAN,
					  w->rxq, cfg ? cfg->incarnation : 0,
					  gen));
		return;
	}
	flow_unlock(f, dawn_owner(DAWN_OWNER_KERNEL, 0, 0, 0, gen));
}

/* A packet of the flow at w->flow_index. Return: a verdict, or GONE: then it is
 * one of no flow. */
dawn_subprog int known_flow(struct xdp_md *ctx, struct work *w)
{
	struct dawn_flow *f;
	int verdict;

	if (!w)
		return DROP(map_missing);
	f = flow_at(w->flow_index);
	if (!f)
		return DROP(map_missing);
	verdict = acquire(ctx, w, f);
	if (verdict)
		return verdict;
	if (dawn_flow_match(f, &w->raddr, w->rport, w->service.id)) {
		verdict = tcp_input(ctx, w, f);
	} else { /* the way was used again between lookup and lock */
		w->release = DAWN_OWNER_KERNEL;
		verdict = PUNT(lock_lost);
	}
	release(w, f);
	return verdict;
}

/* Only the handshake's ACK and the first data prove the cookie. If both are
 * late or lost, what was sent behind them comes first, and must not be reset:
 * the proof comes again. Its echo of our SYN-ACK's timestamp is young; that of
 * a connection which is gone is, too, for as long as it was quiet no more than
 * this: it is reset that much later. */
#define DAWN_AHEAD_MS 3000

static __always_inline bool ahead_of_proof(const struct work *w)
{
	return w->payload_len && w->opts & DAWN_OPT_TS &&
	       w->tsnow - w->tsecr < DAWN_AHEAD_MS;
}

/* An ACK of no flow: does it prove a cookie? Then it makes one. */
static __always_inline int unknown_ack(struct xdp_md *ctx, struct work *w,
				       struct dawn_config *cfg)
{
	int options = cookie_check(w, cfg);
	struct dawn_flow *f;
	int index, verdict;

	if (options < 0 && ahead_of_proof(w))
		return DROP(cookie_ahead);
	if (options < 0) {
		COUNT(cookie_bad);
		return answer_rst(ctx, w);
	}
	index = make_flow(w, options);
	if (index == DAWN_FLOW_BUSY)
		return PUNT(lock_lost);
	if (index == DAWN_FLOW_SPENT)
		return answer_rst(ctx, w);
	if (index == DAWN_FLOW_DEFERRED)
		return DONE(flow_deferred);
	if (index < 0)
		return DROP(flow_full);
	w->flow_index = index & ~DAWN_FLOW_FOUND;
	if (index & DAWN_FLOW_FOUND) {
		verdict = known_flow(ctx, w);
		return verdict == GONE ? PUNT(lock_lost) : verdict;
	}
	f = flow_at(w->flow_index);
	if (!f)
		return DROP(map_missing);
	COUNT(flow_new);
	verdict = tcp_input(ctx, w, f);
	release(w, f);
	return verdict;
}

static __always_inline int unknown_flow(struct xdp_md *ctx, struct work *w,
					struct dawn_config *cfg)
{
	if (w->tcp_flags & DAWN_TCP_FLAG_RST)
		return DROP(rst_unproven);
	if (!(w->tcp_flags & DAWN_TCP_FLAG_SYN))
		return unknown_ack(ctx, w, cfg);
	if (w->tcp_flags & DAWN_TCP_FLAG_ACK) /* we never connect */
		return answer_rst(ctx, w);
	return answer_syn(ctx, w);
}

static __always_inline void read_clocks(struct work *w,
					const struct dawn_config *cfg)
{
	w->now_ns = bpf_ktime_get_coarse_ns();
	w->now_ms = w->now_ns / 1000000;
	w->tsnow = w->now_ms + cfg->ts_offset;
}

/* Packets that are ours but not for us to read. Return: 0, or a verdict. */
static __always_inline int check_envelope(const struct work *w)
{
	if (!(w->flags & DAWN_CONFIG_TCP))
		return PASS(pass_tcp_off);
	if (w->fragment)
		return DROP(frag_drop);
	if (w->frame_len > DAWN_FRAME_MAX)
		return DROP(oversize);
	if (w->has_options)
		return w->is_v6 ? PUNT(ext_headers) : PUNT(ip_options);
	return 0;
}

static __always_inline int handle_tcp(struct xdp_md *ctx, struct work *w)
{
	struct dawn_config *cfg = config_get();
	int verdict, index;

	if (!w || !cfg)
		return DROP(map_missing);
	verdict = parse_ports(ctx, w);
	if (verdict)
		return verdict;
	if (!find_service(w, w->lport))
		return PASS(pass_no_service);
	read_clocks(w, cfg);
	verdict = check_envelope(w);
	if (!verdict)
		verdict = parse_tcp(ctx, w);
	if (verdict)
		return verdict;
	index = find_flow(w, cfg);
	if (index >= 0) {
		w->flow_index = index;
		verdict = known_flow(ctx, w);
		if (verdict != GONE)
			return verdict;
	}
	return unknown_flow(ctx, w, cfg);
}

#endif
