// SPDX-License-Identifier: MIT OR Apache-2.0
/* Between the engine, the protocol and the tx ring.
 *
 * Whatever happens to a connection (a segment, a timer, a call of its
 * protocol) only leaves marks and puts it into the list of active ones. Once a
 * turn each of them is pumped: protocol first, then output, then the question
 * what becomes of it. So a protocol is never called from within one of its
 * own calls, a batch of 64 segments costs one pass, and connections take turns:
 * each gets FEED_MAX calls of data() and SEND_MAX segments, then the next.
 *
 * A flow is given back to XDP before the tx ring is flushed, so XDP's next
 * response might overtake our last segments: reordering, which a peer takes, and
 * seldom (once in some thousand handoffs). After the flush would be in order, but
 * a peer nearby answers within it: its ACK or request comes to us, we take the
 * flow again, and XDP has it seldom (tests/netns/handoff.sh on veth: 30 to 40 %
 * fewer answers from XDP, and nearly twice as many flows handed back).
 *
 * ## Doubtful ones
 *
 * Connections that acknowledge what was never sent, or whose MSS is tiny
 * (dawn_tcp_doubtful()), or that send one request in many small segments
 * (dawn_conn_crumb()), are pumped last, from a list of their own, and have
 * DOUBT_RATE segments a second together, or DOUBT_RATE_BUSY while others are
 * sent to. What arrives for one that already waits for its turn is dropped when
 * the turns are used up (rx_doubtful), but for crumbs: in one turn all that came
 * are read, and one ACK answers them. So a few lying peers cannot take the CPU
 * from others, and an unusual one still gets all it asked for, slowly.
 */
#include <string.h>

#include "user/net/reactor_int.h"

#define FEED_MAX 4
#define SEND_MAX 32

#define DOUBT_RATE      5000
#define DOUBT_RATE_BUSY 1000
#define DOUBT_BUSY_US   20000
#define DOUBT_BURST     100 /* 20 ms */
#define DOUBT_SEND_MAX  8   /* for a connection in its turn */
#define DOUBT_CONNS     64  /* in a turn */

#define CRUMB_BYTES 64 /* less is one */
#define CRUMBS_MAX  16 /* a line of a head each, from a client without Nagle */

bool dawn_conn_doubtful(const struct dawn_conn *c)
{
	return c->crumbs > CRUMBS_MAX || dawn_tcp_doubtful(c->tcp);
}

void dawn_conn_crumb(struct dawn_conn *c, uint32_t len)
{
	if (len >= CRUMB_BYTES)
		c->crumbs = 0;
	else if (len && c->crumbs <= CRUMBS_MAX)
		c->crumbs++;
}

static void doubt_refill(struct dawn_reactor *r)
{
	bool busy = r->now_us - r->sent_us < DOUBT_BUSY_US;
	uint64_t rate = busy ? DOUBT_RATE_BUSY : DOUBT_RATE;
	uint64_t more = (r->now_us - r->doubtful_us) * rate / 1000000;

	if (!more)
		return;
	r->doubtful_us = r->now_us;
	more += r->doubtful_tokens;
	r->doubtful_tokens = more < DOUBT_BURST ? (uint32_t)more : DOUBT_BURST;
}

bool dawn_conn_overdone(const struct dawn_conn *c)
{
	struct dawn_reactor *r = c->r;

	if (!c->active || !c->doubtful || r->drain_us ||
	    !dawn_tcp_doubtful(c->tcp))
		return false;
	doubt_refill(r);
	return !r->doubtful_tokens;
}

void dawn_conn_deactivate(struct dawn_conn *c)
{
	TAILQ_REMOVE(&c->r->doubtful, c, to_pump);
	c->active = false;
}

void dawn_conn_activate(struct dawn_conn *c)
{
	struct dawn_reactor *r = c->r;

	if (c->active)
		return;
	c->active = true;
	c->doubtful = dawn_conn_doubtful(c);
	TAILQ_INSERT_TAIL(c->doubtful ? &r->doubtful : &r->active, c, to_pump);
}

static struct dawn_conn *from_stream(const struct dawn_stream *s)
{
	return (struct dawn_conn *)(uintptr_t)s;
}

static size_t op_space(const struct dawn_stream *s)
{
	struct dawn_conn *c = from_stream(s);
	size_t space = c->aborted ? 0 : dawn_tcp_space(c->tcp);

	if (!space)
		c->want_space = true;
	return space;
}

static size_t op_write(struct dawn_stream *s, const void *buf, size_t len)
{
	struct dawn_conn *c = from_stream(s);
	uint32_t n;

	if (c->aborted)
		return 0;
	if (len > DAWN_RING_MAX)
		n = dawn_tcp_write(c->tcp, buf, DAWN_RING_MAX);
	else
		n = dawn_tcp_write(c->tcp, buf, (uint32_t)len);
	if (n < len)
		c->want_space = true;
	c->resp_valid = false;
	dawn_conn_activate(c);
	return n;
}

static void op_shutdown(struct dawn_stream *s)
{
	struct dawn_conn *c = from_stream(s);

	if (!c->aborted)
		dawn_tcp_shutdown(c->tcp);
	dawn_conn_activate(c);
}

static void op_abort(struct dawn_stream *s)
{
	dawn_conn_abort(from_stream(s));
}

static void op_cached(struct dawn_stream *s,
		      const struct dawn_cached_response *resp)
{
	struct dawn_conn *c = from_stream(s);

	c->resp = *resp;
	c->resp_end = dawn_tcp_write_seq(c->tcp);
	c->resp_valid = true;
}

const struct dawn_stream_ops dawn_reactor_stream_ops = {
	.space = op_space,
	.write = op_write,
	.shutdown = op_shutdown,
	.abort = op_abort,
	.cached = op_cached,
};

void dawn_conn_abort(struct dawn_conn *c)
{
	if (!c->aborted && dawn_conn_dirty(c)) {
		c->aborted = true;
		dawn_tcp_abort(c->tcp);
	}
	dawn_conn_activate(c);
}

/* One data(). Return: whether to call it again. */
static bool show_once(struct dawn_conn *c)
{
	const struct dawn_proto_ops *p = c->stream.protocol;
	bool first = !c->open;
	const uint8_t *buf;
	uint32_t len;
	size_t n;

	buf = dawn_tcp_linearize(c->tcp, &len);
	c->show = false;
	if (!len || !dawn_conn_attach(c))
		return false;
	if (p->idle(&c->stream)) {
		c->req_seq = c->read_seq;
		if (c->crumbs > 1)
			c->crumbs = 1; /* the one that is shown now */
	}
	n = p->data(&c->stream, buf, len);
	if (n > len)
		n = len;
	if (n) {
		dawn_tcp_consume(c->tcp, (uint32_t)n);
		c->read_seq += (uint32_t)n;
		c->req_len = c->read_seq - c->req_seq;
	} else if (len == c->rcv.size &&
		   dawn_tcp_space(c->tcp) == c->snd.size) {
		dawn_conn_abort(c); /* full, and it waits for more */
	}
	/* After it saw the request: it is to finish that one. */
	if (first && c->r->drain_us && !c->aborted)
		p->drain(&c->stream);
	return n && n < len && !c->aborted;
}

/* An unopened connection that only ends needs no protocol. */
static void tell_eof(struct dawn_conn *c)
{
	c->eof_told = true;
	if (c->open)
		c->stream.protocol->eof(&c->stream);
	else if (dawn_conn_dirty(c))
		dawn_tcp_shutdown(c->tcp);
}

/* Closed for idleness: a request that crossed our FIN gets a RST, from which a
 * client knows that it was not served (RFC 9112, 9.3.1). */
static bool closing(const struct dawn_conn *c)
{
	enum dawn_tcp_state state = dawn_tcp_state(c->tcp);

	return state != DAWN_TCP_ESTABLISHED && state != DAWN_TCP_CLOSE_WAIT;
}

static void feed(struct dawn_conn *c)
{
	unsigned int ev = c->events;

	c->stream.now_ms = c->r->now_us / 1000;
	if (ev & DAWN_TCP_EV_DATA)
		c->show = true;
	if (c->show && !c->open && closing(c))
		dawn_conn_abort(c);
	if (c->want_space && c->open && !c->aborted && dawn_tcp_space(c->tcp)) {
		c->want_space = false;
		c->stream.protocol->writable(&c->stream);
		c->show = true;
	}
	for (int i = 0; i < FEED_MAX && c->show && !c->aborted; i++)
		c->show = show_once(c);
	if ((ev & DAWN_TCP_EV_EOF) && !c->eof_told && !c->show && !c->aborted &&
	    !c->lost)
		tell_eof(c);
}

bool dawn_conn_output(struct dawn_conn *c)
{
	struct dawn_reactor *r = c->r;
	struct dawn_tcp_seg seg;
	uint32_t len;
	int max = c->doubtful ? DOUBT_SEND_MAX : SEND_MAX;

	for (int i = 0; i < max; i++) {
		uint8_t *buf = dawn_xsk_tx_buffer(r->xsk);

		if (!buf) {
			COUNT(r, tx_full);
			return true;
		}
		if (!dawn_tcp_output(c->tcp, r->now_us, &seg))
			return false;
		len = dawn_frame_build(buf, DAWN_XSK_CHUNK, &c->addr, &seg);
		if (!len)
			continue; /* never: mss_max */
		dawn_xsk_tx_commit(r->xsk, len);
		COUNT(r, tx_frames);
	}
	return true;
}

static enum dawn_close_reason close_reason(const struct dawn_conn *c)
{
	if (c->aborted)
		return DAWN_CLOSE_ABORTED;
	if (c->events & DAWN_TCP_EV_RESET)
		return DAWN_CLOSE_RESET;
	if (c->events & DAWN_TCP_EV_TIMEOUT)
		return DAWN_CLOSE_TIMEOUT;
	return DAWN_CLOSE_DONE;
}

/* The timer is moved only to be earlier; if it fires too soon it is set again,
 * which is cheaper than moving it with each segment. */
static void set_timer(struct dawn_conn *c)
{
	uint64_t due = dawn_tcp_deadline_us(c->tcp);

	if (due != UINT64_MAX && (!c->timer.pos || due < c->timer.due_us))
		(void)dawn_loop_timer(c->r->loop, &c->timer, due);
}

/* In TIME_WAIT the protocol has nothing left to do, nor have we. A draining
 * daemon does not wait for it. Return: true: c is gone. */
static bool settle_end(struct dawn_conn *c)
{
	enum dawn_tcp_state state = dawn_tcp_state(c->tcp);

	if (state == DAWN_TCP_CLOSED ||
	    (state == DAWN_TCP_TIME_WAIT && c->r->drain_us)) {
		if (c->events & DAWN_TCP_EV_RESET)
			COUNT(c->r, tcp_rst_received);
		dawn_conn_release(c, close_reason(c));
		return true;
	}
	if (state == DAWN_TCP_TIME_WAIT && c->open) {
		c->open = false;
		c->stream.protocol->closed(&c->stream, DAWN_CLOSE_DONE);
	}
	return state == DAWN_TCP_TIME_WAIT && dawn_conn_retire(c);
}

enum pumped {
	PUMP_WAIT,  /* for something to happen */
	PUMP_AGAIN, /* quota used up: another round in the next turn */
	PUMP_GONE,  /* released */
};

static enum pumped pump_one(struct dawn_conn *c)
{
	struct dawn_reactor *r = c->r;
	bool more;

	r->now_us = dawn_coarse_us();
	if (!c->lost && dawn_tcp_state(c->tcp) == DAWN_TCP_CLOSED)
		(void)dawn_conn_dirty(c);
	else if (!c->lost)
		feed(c);
	if (c->lost) {
		dawn_conn_release(c, DAWN_CLOSE_DONE);
		return PUMP_GONE;
	}
	more = dawn_conn_output(c) || dawn_conn_grow(c);
	if (dawn_tcp_state(c->tcp) == DAWN_TCP_CLOSED)
		c->show = false; /* aborted or reset: it is not fed again */
	if (more || c->show) {
		set_timer(c);
		return PUMP_AGAIN;
	}
	if (settle_end(c) || dawn_conn_give(c))
		return PUMP_GONE;
	if (c->lost) {
		dawn_conn_release(c, DAWN_CLOSE_DONE);
		return PUMP_GONE;
	}
	dawn_conn_classify(c);
	dawn_conn_spare(c);
	c->events &= DAWN_TCP_EV_EOF; /* may still have to be told */
	set_timer(c);
	return PUMP_WAIT;
}

/* Each costs a token, and one for each segment. A draining daemon has no
 * others to serve. Return: whether more could be done now. */
static bool pump_doubtful(struct dawn_reactor *r)
{
	uint32_t left = r->drain_us ? r->conn_count : DOUBT_CONNS;

	doubt_refill(r);
	for (; left && !TAILQ_EMPTY(&r->doubtful) &&
	       (r->doubtful_tokens || r->drain_us);
	     left--) {
		struct dawn_conn *c = TAILQ_FIRST(&r->doubtful);
		uint64_t used = r->stats->tx_frames;
		enum pumped what;

		dawn_conn_deactivate(c);
		c->active = true; /* see dawn_reactor_pump() */
		what = pump_one(c);
		if (what != PUMP_GONE)
			c->active = false;
		if (what == PUMP_AGAIN)
			dawn_conn_activate(c);
		used = r->stats->tx_frames - used + 1;
		r->doubtful_tokens -= used < r->doubtful_tokens
					      ? (uint32_t)used
					      : r->doubtful_tokens;
	}
	return !TAILQ_EMPTY(&r->doubtful) &&
	       (r->doubtful_tokens || r->drain_us);
}

/* A connection stays marked while it is pumped, so that calls of its protocol
 * do not put it into the list of the next turn: it may be gone by then. */
bool dawn_reactor_pump(struct dawn_reactor *r)
{
	struct dawn_conn_list turn = TAILQ_HEAD_INITIALIZER(turn);
	struct dawn_conn *c;
	uint64_t sent = r->stats->tx_frames;
	bool more = false;

	TAILQ_CONCAT(&turn, &r->active, to_pump);
	while ((c = TAILQ_FIRST(&turn))) {
		enum pumped what;

		TAILQ_REMOVE(&turn, c, to_pump);
		what = pump_one(c);
		if (what != PUMP_GONE)
			c->active = false;
		if (what == PUMP_AGAIN) {
			dawn_conn_activate(c);
			more = true;
		}
	}
	if (r->stats->tx_frames != sent)
		r->sent_us = r->now_us;
	more |= pump_doubtful(r);
	return more || !TAILQ_EMPTY(&r->active);
}

/* The engine's clock is the coarse one, see reactor.c; the loop's is ahead of
 * it by up to a tick. */
void dawn_conn_timer_fire(struct dawn_timer *t, uint64_t now_us)
{
	struct dawn_conn *c =
		(void *)((uint8_t *)t - offsetof(struct dawn_conn, timer));
	struct dawn_reactor *r = c->r;

	r->now_us = dawn_coarse_us();
	if (!dawn_flows_held(&r->flows, c->flow, c->word)) {
		dawn_conn_forget(c);
		return;
	}
	if (dawn_tcp_deadline_us(c->tcp) > r->now_us) {
		uint64_t due = dawn_tcp_deadline_us(c->tcp);

		if (due != UINT64_MAX)
			(void)dawn_loop_timer(
				r->loop, t, due > now_us ? due : now_us + 1000);
		return;
	}
	c->events |= dawn_tcp_timer(c->tcp, r->now_us);
	dawn_conn_activate(c);
}

/* The interface's MTU fell: what was sent in larger segments since is lost. */
static void follow_mtu(struct dawn_reactor *r)
{
	uint32_t mtu = dawn_reactor_mtu(r), old = r->mtu;

	r->mtu = mtu;
	if (mtu >= old)
		return;
	for (struct dawn_conn *c = dawn_conn_first(r); c;
	     c = dawn_conn_after(c)) {
		if (c->lost)
			continue;
		dawn_tcp_lower_mtu(c->tcp, mtu);
		dawn_conn_activate(c);
	}
}

/* Time limits of protocols, every 500 ms. */
void dawn_reactor_tick(struct dawn_reactor *r)
{
	struct dawn_conn *c = dawn_conn_first(r), *next;

	follow_mtu(r);
	for (; c; c = next) {
		next = dawn_conn_after(c);
		dawn_conn_meter(c);
		if (!c->open || c->lost)
			continue;
		c->stream.now_ms = r->now_us / 1000;
		c->stream.protocol->tick(&c->stream, c->stream.now_ms);
		dawn_conn_activate(c);
	}
}
