// SPDX-License-Identifier: MIT OR Apache-2.0
/* Control blocks: how a flow gets one, how it goes back to the kernel half,
 * how it ends. See reactor.c for the theory.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "user/net/reactor_int.h"

/* Control block and the engine's state behind it (reactor_pool.c). */
#define CONN_FETCH_BYTES (sizeof(struct dawn_conn) + 256)

/* Flow indices are spread by a keyed hash already. */
static struct dawn_conn **bucket(const struct dawn_reactor *r, uint32_t flow)
{
	return &r->hash[(flow ^ flow >> 13) & r->hash_mask];
}

void dawn_conn_fetch_bucket(const struct dawn_reactor *r, uint32_t flow)
{
	__builtin_prefetch(bucket(r, flow));
}

/* The lines that input() reads, of the bucket's first one; it is the right one
 * nearly always. */
void dawn_conn_fetch(const struct dawn_reactor *r, uint32_t flow)
{
	const uint8_t *c = (const uint8_t *)*bucket(r, flow);

	if (!c)
		return;
	for (size_t at = 0; at < CONN_FETCH_BYTES; at += 64)
		__builtin_prefetch(c + at);
}

struct dawn_conn *dawn_conn_find(const struct dawn_reactor *r, uint32_t flow)
{
	struct dawn_conn *c = *bucket(r, flow);

	while (c && c->flow != flow)
		c = c->hash_next;
	return c;
}

static void hash_remove(struct dawn_reactor *r, struct dawn_conn *c)
{
	struct dawn_conn **b = bucket(r, c->flow);

	if (c->flow == DAWN_FLOW_NONE)
		return;
	while (*b != c)
		b = &(*b)->hash_next;
	*b = c->hash_next;
	c->flow = DAWN_FLOW_NONE;
}

static void link_conn(struct dawn_reactor *r, struct dawn_conn *c)
{
	struct dawn_conn **b = bucket(r, c->flow);

	c->hash_next = *b;
	*b = c;
	dawn_conn_link(c);
	r->conn_count++;
	COUNT(r, conn_open);
}

static void unlink_conn(struct dawn_reactor *r, struct dawn_conn *c)
{
	hash_remove(r, c);
	dawn_conn_unlink(c);
	r->conn_count--;
	COUNT(r, conn_closed);
}

void dawn_conn_forget(struct dawn_conn *c)
{
	c->lost = true;
	dawn_loop_timer_stop(c->r->loop, &c->timer);
	hash_remove(c->r, c);
	dawn_conn_activate(c);
}

static void set_addr(const struct dawn_reactor *r, const struct dawn_flow *f,
		     const struct dawn_local_service *svc,
		     struct dawn_frame_addr *a)
{
	memset(a, 0, sizeof(*a));
	memcpy(a->lmac, r->o.xdp->mac, 6);
	memcpy(a->rmac, f->peer_mac, 6);
	a->vlan_outer = f->vlan_outer;
	a->vlan_inner = f->vlan_inner;
	a->outer_ad = f->flags & DAWN_FLOW_OUTER_AD;
	a->laddr = svc->addr;
	a->lport = svc->port;
	a->raddr = f->raddr;
	a->rport = f->rport;
	a->ttl = svc->svc.ttl;
	a->tos = (uint8_t)(svc->svc.dscp << 2);
}

/* What a frame, and the interface's MTU, leave for TCP options and payload. */
static uint16_t mss_max(const struct dawn_reactor *r, bool v4)
{
	uint32_t mss = r->mtu - (v4 ? 40 : 60);
	uint32_t room = DAWN_XSK_CHUNK - DAWN_FRAME_HEAD_MAX;

	return (uint16_t)(mss < room ? mss : room);
}

static int start_engine(struct dawn_conn *c, const struct dawn_flow *f)
{
	struct dawn_reactor *r = c->r;
	struct dawn_tcp_open o = {
		.flow = f,
		.rcv = c->rcv,
		.snd = c->snd,
		.recs = dawn_conn_recs(&c->snd),
		.ts_offset = r->config->ts_offset,
		.now_us = r->now_us,
		.mss_max = mss_max(r, dawn_addr_is_v4(&f->raddr)),
		.keepalive_ms = r->o.keepalive_ms,
		.user_timeout_ms = r->o.user_timeout_ms,
	};
	const uint8_t *bytes;
	uint32_t len;

	dawn_tcp_open(c->tcp, &o);
	len = dawn_tcp_adopt_len(c->tcp);
	if (!len)
		return 0;
	bytes = dawn_slot_bytes(r, f, f->snd_una, len);
	if (!bytes || dawn_tcp_adopt_sent(c->tcp, bytes, len))
		return -ESTALE;
	return 0;
}

int dawn_conn_make(struct dawn_conn **out, struct dawn_reactor *r,
		   uint32_t flow, uint64_t word, bool evict)
{
	const struct dawn_local_service *svc;
	struct dawn_conn *c;
	struct dawn_flow f;
	int err;

	if (!dawn_flows_copy(&r->flows, flow, word, &f))
		return -EAGAIN;
	f.dupacks = 0; /* XDP gives up at the first, and we are shown that */
	svc = dawn_local_by_id(r, f.service);
	if (!svc || svc->svc.kind >= 4)
		return -ENOENT;
	err = dawn_conn_lend(&c, r, &f, evict);
	if (err)
		return err;
	c->flow = flow;
	c->word = word;
	c->sums = DAWN_FRAME_SUMS_NEW;
	c->timer.fire = dawn_conn_timer_fire;
	c->stream.ops = &dawn_reactor_stream_ops;
	err = start_engine(c, &f);
	if (err) {
		dawn_conn_return(c);
		return err;
	}
	set_addr(r, &f, svc, &c->addr);
	c->stream.protocol = r->o.protocol[svc->svc.kind].ops;
	c->stream.server = r->o.protocol[svc->svc.kind].server;
	c->stream.raddr = f.raddr;
	c->stream.rport = ntohs(f.rport);
	c->stream.service = f.service;
	c->stream.group = svc->svc.group;
	c->stream.flags = svc->svc.flags;
	c->read_seq = f.rcv_nxt;
	c->req_seq = f.rcv_nxt;
	link_conn(r, c);
	*out = c;
	return 0;
}

/* The bytes of a kernel-sent response were copied when the control block was
 * made, so its slot may be reused from here on. */
bool dawn_conn_dirty(struct dawn_conn *c)
{
	struct dawn_flows *t = &c->r->flows;
	struct dawn_flow *f;

	if (c->lost)
		return false;
	if (!dawn_owner_is_clean(c->word))
		return true;
	if (!dawn_flows_dirty(t, c->flow, &c->word)) {
		c->lost = true;
		return false;
	}
	f = dawn_flows_at(t, c->flow);
	f->resp_kind = DAWN_RESP_NONE;
	dawn_flows_set_unacked(t, c->flow, false);
	return true;
}

bool dawn_conn_attach(struct dawn_conn *c)
{
	if (c->open)
		return true;
	if (!dawn_conn_dirty(c))
		return false;
	c->stream.now_ms = c->r->now_us / 1000;
	if (!c->stream.protocol || c->stream.protocol->open(&c->stream)) {
		dawn_conn_abort(c);
		return false;
	}
	c->open = true;
	return true;
}

static void write_entry(struct dawn_conn *c, struct dawn_flow *f,
			uint32_t resp_len)
{
	dawn_tcp_export(c->tcp, f);
	memcpy(f->peer_mac, c->addr.rmac, 6);
	f->vlan_outer = c->addr.vlan_outer;
	f->vlan_inner = c->addr.vlan_inner;
	f->flags &= (uint8_t)~DAWN_FLOW_OUTER_AD;
	f->flags |= c->addr.outer_ad ? DAWN_FLOW_OUTER_AD : 0;
	f->dupacks = 0;
	if (f->state != DAWN_TCP_TIME_WAIT) /* there it says since when */
		f->last_seen_ms = dawn_ms(c->r->now_us);
	f->resp_kind = DAWN_RESP_NONE;
	if (c->open) { /* also tells XDP that it was of use, if a set is full */
		f->req_seq = c->req_seq;
		f->req_len = c->req_len > UINT16_MAX ? UINT16_MAX
						     : (uint16_t)c->req_len;
	}
	if (!resp_len)
		return;
	f->last_sent_ms = f->last_seen_ms;
	f->resp_kind = c->resp.kind;
	f->resp_seq = c->resp_end - resp_len;
	f->resp_len = resp_len;
	f->resp_slot = c->resp.slot;
	f->resp_gen = c->resp.gen;
	f->resp_date_s = c->resp.date_s;
}

/* May what is unacknowledged be named in the entry?
 * Return: 0 it may not; 1 nothing is; else *resp_len is set. */
static bool nameable(const struct dawn_conn *c, uint32_t *resp_len)
{
	uint32_t una = dawn_tcp_snd_una(c->tcp);
	uint32_t end = dawn_tcp_write_seq(c->tcp);

	*resp_len = 0;
	if (una == end)
		return true;
	if (!c->resp_valid || c->resp_end != end || c->req_len > UINT16_MAX)
		return false;
	*resp_len = dawn_slot_resp_len(c->r, c->resp.slot, c->resp.kind);
	return *resp_len && end - una <= *resp_len &&
	       dawn_slot_is(c->r, c->resp.slot, c->resp.gen, true);
}

/* CLEAN with something unacknowledged stays: we retransmit for XDP. A flow in
 * LAST_ACK is not settled, it stays to its end. */
bool dawn_conn_give(struct dawn_conn *c)
{
	struct dawn_reactor *r = c->r;
	struct dawn_flow *f = dawn_flows_at(&r->flows, c->flow);
	uint32_t resp_len;

	if (r->drain_us || !dawn_tcp_settled(c->tcp) ||
	    (c->open && !c->stream.protocol->idle(&c->stream)) ||
	    !nameable(c, &resp_len))
		return false;
	if (!dawn_conn_dirty(c))
		return false;
	write_entry(c, f, resp_len);
	if (resp_len) {
		/* Bit first, then look, see maps/cache.h. */
		dawn_flows_set_unacked(&r->flows, c->flow, true);
		if (!dawn_slot_is(r, c->resp.slot, c->resp.gen, true)) {
			dawn_flows_set_unacked(&r->flows, c->flow, false);
			f->resp_kind = DAWN_RESP_NONE;
			c->resp_valid = false;
			return false;
		}
	}
	if (!dawn_flows_give(&r->flows, c->flow, &c->word))
		return false; /* never: only we change a dirty word */
	COUNT(r, to_kernel);
	c->lost = true; /* the flow is not ours any more */
	dawn_conn_release(c, DAWN_CLOSE_DONE);
	return true;
}

bool dawn_conn_retire(struct dawn_conn *c)
{
	struct dawn_reactor *r = c->r;

	if (!dawn_conn_dirty(c))
		return false;
	write_entry(c, dawn_flows_at(&r->flows, c->flow), 0);
	if (!dawn_flows_give(&r->flows, c->flow, &c->word))
		return false; /* never, as above */
	COUNT(r, time_wait);
	c->lost = true;
	dawn_conn_release(c, DAWN_CLOSE_DONE);
	return true;
}

void dawn_conn_free_flow(struct dawn_reactor *r, uint32_t flow, uint64_t *word)
{
	if (dawn_flows_free(&r->flows, flow, word))
		COUNT(r, flow_freed);
}

void dawn_conn_bury(struct dawn_reactor *r, uint32_t flow, uint64_t word)
{
	if (dawn_flows_bury(&r->flows, flow, word) &&
	    !dawn_owner_is_clean(word))
		COUNT(r, flow_freed);
}

static void take_counts(struct dawn_conn *c)
{
	struct dawn_tcp_counts *n = dawn_tcp_counts(c->tcp);
	struct dawn_reactor *r = c->r;

	COUNT_ADD(r, tcp_retransmit, n->retransmit);
	COUNT_ADD(r, tcp_rto, n->rto);
	COUNT_ADD(r, tcp_fast_retransmit, n->fast_retransmit);
	COUNT_ADD(r, tcp_ooo, n->ooo);
	COUNT_ADD(r, tcp_challenge_ack, n->challenge_ack);
	COUNT_ADD(r, tcp_rst_sent, n->rst_sent);
	COUNT_ADD(r, tcp_rack_lost, n->rack_lost);
	COUNT_ADD(r, tcp_tlp, n->tlp);
	COUNT_ADD(r, tcp_spurious, n->spurious);
	COUNT_ADD(r, tcp_keepalive, n->keepalive);
	COUNT_ADD(r, tcp_gave_up, n->gave_up);
	memset(n, 0, sizeof(*n));
}

static void tell_closed(struct dawn_conn *c, enum dawn_close_reason why)
{
	const struct dawn_proto_ops *p = c->stream.protocol;

	if (!c->open)
		return;
	/* Calls of a protocol that says good-bye do nothing any more. */
	c->open = false;
	c->aborted = true;
	c->active = true;
	if (c->lost && p->handed_back)
		p->handed_back(&c->stream);
	else
		p->closed(&c->stream, why);
}

void dawn_conn_release(struct dawn_conn *c, enum dawn_close_reason why)
{
	struct dawn_reactor *r = c->r;

	dawn_loop_timer_stop(r->loop, &c->timer);
	take_counts(c);
	tell_closed(c, why);
	if (!c->lost)
		dawn_conn_free_flow(r, c->flow, &c->word);
	unlink_conn(r, c);
	dawn_conn_return(c);
}

void dawn_conn_reset_peer(struct dawn_reactor *r, const struct dawn_flow *e)
{
	const struct dawn_local_service *svc = dawn_local_by_id(r, e->service);
	struct dawn_frame f = { .mtu = 0 };

	/* RFC 9293, 3.10.5: TIME_WAIT only waits, there is nothing to reset. */
	if (!svc || e->state == DAWN_TCP_TIME_WAIT)
		return;
	set_addr(r, e, svc, &f.addr);
	f.seg.flags = DAWN_TCP_ACK;
	f.seg.ack = e->snd_nxt; /* becomes the RST's SEQ */
	dawn_reactor_send_rst(r, &f);
}

/* RFC 9293, 3.8.4: a number that was acknowledged before, no data. */
bool dawn_conn_probe_peer(struct dawn_reactor *r, const struct dawn_flow *e)
{
	const struct dawn_local_service *svc = dawn_local_by_id(r, e->service);
	uint8_t *buf = dawn_xsk_tx_buffer(r->xsk);
	struct dawn_frame_addr addr;
	struct dawn_tcp_seg seg = {
		.flags = DAWN_TCP_ACK,
		.seq = e->snd_nxt - 1,
		.ack = e->rcv_nxt,
		.wnd = dawn_flow_window_field(e),
		.has_ts = e->flags & DAWN_FLOW_TS,
		.tsval = dawn_ms(r->now_us) + r->config->ts_offset,
		.tsecr = e->ts_recent,
	};
	uint32_t len;

	if (!svc || !buf)
		return false;
	set_addr(r, e, svc, &addr);
	len = dawn_frame_build(buf, DAWN_XSK_CHUNK, &addr, &seg);
	if (!len)
		return false;
	dawn_xsk_tx_commit(r->xsk, len);
	COUNT(r, tx_frames);
	return true;
}

void dawn_conn_reset_flow(struct dawn_reactor *r, uint32_t flow, uint64_t word)
{
	struct dawn_flow e;

	if (!dawn_flows_dirty(&r->flows, flow, &word))
		return;
	e = *dawn_flows_at(&r->flows, flow);
	dawn_conn_reset_peer(r, &e);
	dawn_conn_free_flow(r, flow, &word);
}
