// SPDX-License-Identifier: MIT OR Apache-2.0
/* From a frame to the connection it belongs to.
 *
 * A frame in our rx ring says nothing sure about its flow: between XDP's
 * redirect and now the flow may have been handed back, closed, opened anew,
 * taken by another thread. So everything is looked up again, and if the owner
 * word changes under our hands, looked up once more (LOOKS_MAX times; after
 * that the frame is dropped, the peer sends it again).
 *
 * A segment of no flow is dropped, not reset: it may be the ACK that proves a
 * cookie, sent to us only because XDP lost the lock of a set; the peer's next
 * one makes the flow. Resets for those are XDP's, which can tell. The one case
 * where nobody else would ever answer is a SYN with IP options or extension
 * headers: XDP leaves those to us, and we do not open connections.
 */
#include <errno.h>
#include <string.h>

#include "user/net/reactor_int.h"

#define LOOKS_MAX   4
#define BATCHES_MAX 4
#define HOPS_MAX    3
#define RST_BURST   500 /* a second */
#define TOGETHER    16  /* more would push one another out of the cache */

/* A frame, and where it belongs. */
struct arrival {
	struct dawn_frame f;
	struct dawn_tuple tuple;
	struct dawn_flow_hash hash;
	const uint8_t *data;
	uint32_t len;
	bool icmp; /* an error about a segment of ours */
};

void dawn_reactor_send_rst(struct dawn_reactor *r, const struct dawn_frame *f)
{
	uint8_t *buf;
	uint32_t len;

	if (r->now_us - r->rst_us >= 1000000) {
		r->rst_us = r->now_us;
		r->rst_tokens = RST_BURST;
	}
	if (!r->rst_tokens)
		return;
	buf = dawn_xsk_tx_buffer(r->xsk);
	if (!buf)
		return;
	len = dawn_frame_build_rst(buf, DAWN_XSK_CHUNK, f);
	if (!len)
		return;
	r->rst_tokens--;
	dawn_xsk_tx_commit(r->xsk, len);
	COUNT(r, tx_frames);
	COUNT(r, tcp_rst_sent);
}

static void pass_on(struct dawn_reactor *r, uint32_t thread,
		    const uint8_t *data, uint32_t len, uint32_t hops)
{
	struct dawn_reactor *to = thread < r->o.threads ? r->o.peers[thread]
							: NULL;

	if (to && hops < HOPS_MAX && dawn_pass_put(to, data, len, hops + 1))
		COUNT(r, passed_thread);
	else
		COUNT(r, pass_full);
}

/* The control block of a flow that is ours under `word`.
 * Return: 0 or a negative errno; -EAGAIN: look the flow up again; -ENOMEM,
 * -EDQUOT: no room for one, the flow still is ours. */
static int conn_for(struct dawn_reactor *r, uint32_t flow, uint64_t word,
		    struct dawn_conn **c)
{
	int err;

	*c = dawn_conn_find(r, flow);
	if (*c && (*c)->word == word)
		return 0;
	if (*c)
		dawn_conn_forget(*c);
	if (!dawn_owner_is_clean(word)) {
		/* Never: dirty flows of ours have a control block. */
		dawn_conn_reset_flow(r, flow, word);
		return -ESTALE;
	}
	err = dawn_conn_make(c, r, flow, word, true);
	if (!err)
		dawn_wait_forget(r, flow);
	else if (err == -ESTALE || err == -ENOENT)
		dawn_conn_reset_flow(r, flow, word);
	return err;
}

/* A sender in order may have moved to another port of the switch. */
static void learn_mac(struct dawn_conn *c, const struct dawn_frame *f)
{
	if (f->seg.seq != c->read_seq + dawn_tcp_readable(c->tcp))
		return;
	memcpy(c->addr.rmac, f->addr.rmac, 6);
	c->addr.vlan_outer = f->addr.vlan_outer;
	c->addr.vlan_inner = f->addr.vlan_inner;
	c->addr.outer_ad = f->addr.outer_ad;
}

/* What the peer has sent and acknowledged, in one number that only grows. */
static uint32_t progress(const struct dawn_conn *c)
{
	return c->read_seq + dawn_tcp_readable(c->tcp) +
	       dawn_tcp_snd_una(c->tcp);
}

static int input(struct dawn_conn *c, const struct dawn_frame *f)
{
	struct dawn_reactor *r = c->r;
	uint32_t before = progress(c);
	unsigned int events;

	if (!dawn_frame_sum_believed(c->sums, f->csum_partial)) {
		dawn_frame_sum_note(&c->sums, true);
		COUNT(r, rx_bad);
		return 0;
	}
	/* Its end is heard in any case. */
	if (!(f->seg.flags & (DAWN_TCP_FIN | DAWN_TCP_RST)) &&
	    dawn_conn_overdone(c)) {
		COUNT(r, rx_doubtful);
		return 0;
	}
	if (dawn_owner_is_clean(c->word) &&
	    dawn_tcp_would_progress(c->tcp, &f->seg) && !dawn_conn_dirty(c)) {
		dawn_conn_forget(c);
		return -EAGAIN;
	}
	learn_mac(c, f);
	events = dawn_tcp_input(c->tcp, &f->seg, r->now_us);
	c->events |= events;
	if (events & DAWN_TCP_EV_PROGRESS)
		dawn_conn_crumb(c, f->seg.len);
	if (progress(c) != before)
		dawn_frame_sum_note(&c->sums, f->csum_partial);
	dawn_conn_activate(c);
	return 0;
}

static int icmp_input(struct dawn_conn *c, const struct dawn_frame *f)
{
	/* Another MSS is not what the entry says. */
	if (f->mtu && !dawn_conn_dirty(c)) {
		dawn_conn_forget(c);
		return -EAGAIN;
	}
	dawn_tcp_icmp_error(c->tcp, f->seg.seq, f->mtu, f->hard, c->r->now_us);
	COUNT(c->r, icmp_errors);
	dawn_conn_activate(c);
	return 0;
}

/* An ICMP error is worth taking a flow for only if it says "too big" about
 * something that is on its way; a forged one has to guess the number. */
static bool icmp_matters(const struct dawn_reactor *r, uint32_t flow,
			 const struct dawn_frame *f)
{
	const struct dawn_flow *e = dawn_flows_at(&r->flows, flow);
	uint64_t word = dawn_flows_owner(&r->flows, flow);

	if (dawn_owner_state(word) == DAWN_OWNER_USER)
		return true;
	return f->mtu && dawn_seq_ge(f->seg.seq, e->snd_una) &&
	       dawn_seq_lt(f->seg.seq, e->snd_nxt);
}

/* We gave the flow back while ACKs of it lay in our ring, and XDP went on with
 * later ones: such an ACK is no reason to take it again, and the engine would
 * answer it as if it were forged. */
static bool overtaken(const struct dawn_reactor *r, uint32_t flow,
		      const struct dawn_frame *f)
{
	uint64_t word = dawn_flows_owner(&r->flows, flow);
	struct dawn_flow e;

	return dawn_owner_state(word) == DAWN_OWNER_KERNEL &&
	       dawn_flows_copy(&r->flows, flow, word, &e) &&
	       dawn_tcp_overtaken(&e, &f->seg);
}

/* One look. Return: 0 done with; -EAGAIN: look again. */
static int deliver(struct dawn_reactor *r, const struct arrival *a,
		   uint32_t hops)
{
	uint32_t flow = dawn_flows_find(&r->flows, &a->tuple, &a->hash);
	const struct dawn_frame *f = &a->f;
	bool icmp = a->icmp;
	struct dawn_conn *c;
	uint64_t word;
	int err;

	if (flow == DAWN_FLOW_NONE) {
		if (!icmp && f->odd && f->seg.flags & DAWN_TCP_SYN)
			dawn_reactor_send_rst(r, f);
		return 0;
	}
	if (icmp && !icmp_matters(r, flow, f))
		return 0;
	if (!icmp && overtaken(r, flow, f)) {
		COUNT(r, rx_overtaken);
		return 0;
	}
	switch (dawn_flows_claim(&r->flows, flow, &a->tuple, &word)) {
	case DAWN_CLAIM_GONE:
		return -EAGAIN;
	case DAWN_CLAIM_OTHER:
		pass_on(r, dawn_owner_thread(word), a->data, a->len, hops);
		return 0;
	case DAWN_CLAIM_DEAD:
		if (!icmp)
			dawn_reactor_send_rst(r, f);
		dawn_conn_bury(r, flow, word);
		return 0;
	case DAWN_CLAIM_BUSY:
		return 0;
	case DAWN_CLAIM_TAKEN:
		COUNT(r, flow_taken);
		break;
	case DAWN_CLAIM_OURS:
		break;
	}
	r->now_us = dawn_coarse_us();
	err = conn_for(r, flow, word, &c);
	if (err == -ENOMEM || err == -EDQUOT)
		dawn_wait_refused(r, flow, word, err, f, a->data, a->len);
	if (err)
		return err;
	return icmp ? icmp_input(c, f) : input(c, f);
}

static void deliver_now(struct dawn_reactor *r, const struct arrival *a,
			uint32_t hops)
{
	for (int i = 0; i < LOOKS_MAX; i++) {
		if (deliver(r, a, hops) != -EAGAIN)
			break;
	}
}

/* Take a frame apart. Return: whether it is one for us. */
static bool arrives(struct dawn_reactor *r, struct arrival *a,
		    const uint8_t *data, uint32_t len)
{
	bool strict = r->config->flags & DAWN_CONFIG_CSUM_STRICT;
	enum dawn_frame_kind kind = dawn_frame_parse(data, len, strict, &a->f);
	const struct dawn_local_service *svc = NULL;

	if (kind == DAWN_FRAME_TCP || kind == DAWN_FRAME_ICMP_ERROR)
		svc = dawn_local_find(r, &a->f.addr.laddr, a->f.addr.lport);
	if (!svc) {
		COUNT(r, rx_bad);
		return false;
	}
	a->icmp = kind == DAWN_FRAME_ICMP_ERROR;
	a->tuple.raddr = a->f.addr.raddr;
	a->tuple.rport = a->f.addr.rport;
	a->tuple.service = svc->svc.id;
	dawn_flows_hash(&r->flows, &a->tuple, &a->hash);
	a->data = data;
	a->len = len;
	return true;
}

void dawn_reactor_frame(struct dawn_reactor *r, const uint8_t *data,
			uint32_t len, uint32_t hops)
{
	struct arrival a;

	if (arrives(r, &a, data, len))
		deliver_now(r, &a, hops);
}

/* A frame's way to its connection is five looks into memory, each at what the
 * one before named: frame, tags, entry, bucket, control block. With thousands
 * of connections none of it is cached, so a few frames go that way together,
 * step by step. */
static void deliver_together(struct dawn_reactor *r,
			     const struct dawn_xsk_frame *frames, uint32_t n)
{
	struct arrival a[TOGETHER];
	uint32_t flow[TOGETHER];
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++) {
		__builtin_prefetch(frames[i].data);
		__builtin_prefetch(frames[i].data + 64);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!arrives(r, &a[count], frames[i].data, frames[i].len))
			continue;
		dawn_flows_fetch_sets(&r->flows, &a[count].hash);
		count++;
	}
	for (uint32_t i = 0; i < count; i++) {
		flow[i] = dawn_flows_fetch_entry(&r->flows, &a[i].hash);
		dawn_conn_fetch_bucket(r, flow[i]);
	}
	for (uint32_t i = 0; i < count; i++)
		dawn_conn_fetch(r, flow[i]);
	for (uint32_t i = 0; i < count; i++)
		deliver_now(r, &a[i], 0);
}

/* Return: whether more may be waiting. */
bool dawn_reactor_rx(struct dawn_reactor *r)
{
	const struct dawn_xsk_frame *frames;
	uint32_t n = 0;

	for (int batch = 0; batch < BATCHES_MAX; batch++) {
		n = dawn_xsk_rx(r->xsk, &frames);
		if (!n)
			return false;
		for (uint32_t i = 0; i < n; i += TOGETHER)
			deliver_together(r, frames + i,
					 n - i < TOGETHER ? n - i : TOGETHER);
		dawn_xsk_rx_done(r->xsk);
		r->taken += n;
		COUNT_ADD(r, rx_frames, n);
	}
	return n == DAWN_XSK_BATCH;
}
