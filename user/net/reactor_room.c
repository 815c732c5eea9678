// SPDX-License-Identifier: MIT OR Apache-2.0
/* Who has to go when memory for connections is short.
 *
 * Nobody, as long as there is room: then a connection may be as slow as it
 * likes, within the time limits of engine and protocol.
 *
 * ## Progress
 *
 * Bytes that the peer acknowledged and bytes that the protocol consumed, in
 * METER_US or more: if they are RATE_MIN a second the connection did real work,
 * and goes to the front of its list. So the end of a list is who has done none
 * for longest, and one byte a second counts as nothing. A new connection begins
 * at the front. A segment costs nothing for all this: connections are looked at
 * every 500 ms (dawn_reactor_tick()).
 *
 * There are two lists: connections that only wait for the end (our FIN is sent,
 * everything before it acknowledged), and all others.
 *
 * ## Policy
 *
 * The one that waits longest goes, first of those that only wait for the end. It
 * gets a RST (RFC 9293, 3.10.5; not where only waiting is left) and is counted
 * by what it waited for.
 *
 *  - No room for a newcomer: one of any peer, if it did no real work, and came,
 *    STALL_US ago or earlier.
 *  - If there is none: one of a source that has more than the newcomer's would
 *    have, however new, unless it works: did so within STALL_US, or came
 *    GRACE_US ago or later, or has RATE_NEW since the meter began. So coming
 *    again and again gains nothing on who is there for the first time. Work of
 *    doubtful ones (reactor_pump.c) is none.
 *  - If there is none: one of a source that has more than twice as many, even if
 *    it works: that sources are equal is all that protects from who has real
 *    work for us and no end of it. This is the one case in which an honest
 *    connection may be reset, of a source that has many.
 *  - More than half of the memory is lent, and the newcomer's source has its
 *    share, an eighth of the connections there could be: one of its own. So
 *    the connections of few sources cannot push out those of others.
 *
 * If there is none, the newcomer is refused, and its request waits
 * (reactor_wait.c).
 *
 * A source is an IPv4 address or an IPv6 /64. Only this thread counts here, so
 * the counts are exact.
 *
 * ## Limits
 *
 * Looking for one of certain sources ends after SCAN_MAX connections; it does
 * not begin if no source has enough. That there is nobody is remembered for
 * FULL_US, or until memory comes back. One that is marked for the pump is passed
 * over; if there is no other it is aborted there, and who waits has its room.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/net/reactor_int.h"

#define METER_US 1000000
#define RATE_MIN 2000    /* bytes a second */
#define STALL_US 3000000 /* more than METER_US and the tick */
#define GRACE_US 200000  /* a new one's time to show something */
#define RATE_NEW 20000   /* bytes a second: and how much */
#define SCAN_MAX 1024
#define FULL_US  20000

/* --- peers --------------------------------------------------------------- */

int dawn_peers_create(struct dawn_reactor *r)
{
	struct dawn_peers *p = &r->peers;
	uint32_t n = r->conn_max + dawn_wait_max();

	p->mem = calloc(n, sizeof(*p->mem));
	p->hash = calloc(r->hash_mask + 1, sizeof(*p->hash));
	p->conns.having = calloc(r->conn_max + 1, sizeof(uint32_t));
	p->waits.having = calloc(dawn_wait_max() + 1, sizeof(uint32_t));
	if (!p->mem || !p->hash || !p->conns.having || !p->waits.having)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		p->mem[i].next = p->free;
		p->free = &p->mem[i];
	}
	return 0;
}

void dawn_peers_destroy(struct dawn_reactor *r)
{
	free(r->peers.mem);
	free(r->peers.hash);
	free(r->peers.conns.having);
	free(r->peers.waits.having);
}

/* Of sources with n there is one more, or less; the highest n moves by one at a
 * time. */
static void tally(struct dawn_tally *t, uint32_t *n, int by)
{
	t->having[*n]--;
	*n += (uint32_t)by;
	t->having[*n]++;
	if (*n > t->most)
		t->most = *n;
	while (t->most && !t->having[t->most])
		t->most--;
}

static struct dawn_addr source_of(const struct dawn_addr *raddr)
{
	struct dawn_addr source = *raddr;

	if (!dawn_addr_is_v4(raddr))
		source.q[1] = 0;
	return source;
}

static struct dawn_peer **peer_bucket(const struct dawn_reactor *r,
				      const struct dawn_addr *source)
{
	struct dawn_sipstate s;

	dawn_sip_init(&s, r->flows.key);
	dawn_sip1_add(&s, source->q[0]);
	dawn_sip1_add(&s, source->q[1]);
	return &r->peers.hash[dawn_sip_end(&s, 3) & r->hash_mask];
}

struct dawn_peer *dawn_peer_of(const struct dawn_reactor *r,
			       const struct dawn_addr *raddr)
{
	struct dawn_addr source = source_of(raddr);
	struct dawn_peer *p = *peer_bucket(r, &source);

	while (p && !dawn_addr_equal(&p->source, &source))
		p = p->next;
	return p;
}

/* There are as many as control blocks and places to wait: one is free. */
static struct dawn_peer *peer_get(struct dawn_reactor *r,
				  const struct dawn_addr *raddr)
{
	struct dawn_peer *p = dawn_peer_of(r, raddr), **b;
	struct dawn_addr source = source_of(raddr);

	if (p)
		return p;
	b = peer_bucket(r, &source);
	p = r->peers.free;
	r->peers.free = p->next;
	*p = (struct dawn_peer){ .source = source, .next = *b };
	*b = p;
	r->peers.conns.having[0]++;
	r->peers.waits.having[0]++;
	return p;
}

static void peer_free(struct dawn_reactor *r, struct dawn_peer *p)
{
	struct dawn_peer **b;

	if (p->count || p->waiting)
		return;
	r->peers.conns.having[0]--;
	r->peers.waits.having[0]--;
	for (b = peer_bucket(r, &p->source); *b != p; b = &(*b)->next)
		;
	*b = p->next;
	p->next = r->peers.free;
	r->peers.free = p;
}

void dawn_peer_put(struct dawn_reactor *r, struct dawn_peer *p)
{
	tally(&r->peers.conns, &p->count, -1);
	peer_free(r, p);
}

struct dawn_peer *dawn_peer_wait(struct dawn_reactor *r,
				 const struct dawn_addr *raddr)
{
	struct dawn_peer *p = peer_get(r, raddr);

	tally(&r->peers.waits, &p->waiting, 1);
	return p;
}

void dawn_peer_wait_end(struct dawn_reactor *r, struct dawn_peer *p)
{
	tally(&r->peers.waits, &p->waiting, -1);
	peer_free(r, p);
}

/* --- progress ------------------------------------------------------------ */

static void list_add(struct dawn_conn *c, enum dawn_conn_class class)
{
	c->class = class;
	c->healthy_us = c->r->now_us;
	TAILQ_INSERT_HEAD(&c->r->list[class], c, of_class);
}

static void list_remove(struct dawn_conn *c)
{
	TAILQ_REMOVE(&c->r->list[c->class], c, of_class);
}

static void meter_restart(struct dawn_conn *c)
{
	c->meter_us = c->r->now_us;
	c->meter_una = dawn_tcp_snd_una(c->tcp);
	c->meter_read = c->read_seq;
}

void dawn_conn_link(struct dawn_conn *c)
{
	meter_restart(c);
	list_add(c, DAWN_CONN_WORKING);
}

void dawn_conn_unlink(struct dawn_conn *c)
{
	list_remove(c);
}

/* Bytes acknowledged and consumed since then. */
static uint64_t metered(const struct dawn_conn *c)
{
	return (uint64_t)(dawn_tcp_snd_una(c->tcp) - c->meter_una) +
	       (c->read_seq - c->meter_read);
}

void dawn_conn_meter(struct dawn_conn *c)
{
	uint64_t span = c->r->now_us - c->meter_us, bytes = metered(c);

	if (span < METER_US)
		return;
	meter_restart(c);
	if (bytes * 1000000 < span * RATE_MIN)
		return;
	list_remove(c);
	list_add(c, c->class);
	c->worked_us = c->healthy_us;
}

void dawn_conn_classify(struct dawn_conn *c)
{
	if (c->class == DAWN_CONN_CLOSING ||
	    dawn_tcp_waits(c->tcp) != DAWN_TCP_WAITS_END)
		return;
	list_remove(c);
	list_add(c, DAWN_CONN_CLOSING);
}

/* --- policy -------------------------------------------------------------- */

static void count_evicted(struct dawn_conn *c)
{
	switch (dawn_tcp_waits(c->tcp)) {
	case DAWN_TCP_WAITS_END:
		COUNT(c->r, evicted_closing);
		break;
	case DAWN_TCP_WAITS_WINDOW:
		COUNT(c->r, evicted_window);
		break;
	case DAWN_TCP_WAITS_ACK:
		COUNT(c->r, evicted_reader);
		break;
	case DAWN_TCP_WAITS_DATA:
		COUNT(c->r, evicted_writer);
		break;
	}
}

/* One that is in the pump's list goes there, which is too late for who asks:
 * noted in *busy, if it is the first. Return: whether its memory is free now. */
static bool evict(struct dawn_conn *c, struct dawn_conn **busy)
{
	if (c->lost || c->aborted)
		return false; /* as good as gone */
	if (c->active && c->doubtful)
		dawn_conn_deactivate(c);
	if (c->active) {
		if (!*busy)
			*busy = c;
		return false;
	}
	if (!dawn_conn_dirty(c)) {
		dawn_conn_abort(c); /* XDP's again */
		return false;
	}
	count_evicted(c);
	c->aborted = true;
	dawn_tcp_abort(c->tcp);
	(void)dawn_conn_output(c);
	dawn_conn_release(c, DAWN_CLOSE_ABORTED);
	return true;
}

/* There was no other: it, and not more of them, as none makes room now. */
static bool evict_busy(struct dawn_conn *c)
{
	if (!c)
		return false;
	count_evicted(c);
	dawn_conn_abort(c);
	return true;
}

/* From the end of a list on, of one peer or (NULL) any. Return: whether one
 * goes. */
static bool evict_one(struct dawn_reactor *r, enum dawn_conn_class class,
		      const struct dawn_peer *peer)
{
	struct dawn_conn *c = TAILQ_LAST(&r->list[class], dawn_conn_list);
	struct dawn_conn *busy = NULL;

	for (int i = 0; c && i < SCAN_MAX; i++) {
		struct dawn_conn *newer =
			TAILQ_PREV(c, dawn_conn_list, of_class);

		if (r->now_us - c->healthy_us < STALL_US)
			break;
		if ((!peer || c->peer == peer) && evict(c, &busy))
			return true;
		c = newer;
	}
	return evict_busy(busy);
}

static bool evict_any(struct dawn_reactor *r, const struct dawn_peer *peer)
{
	return evict_one(r, DAWN_CONN_CLOSING, peer) ||
	       evict_one(r, DAWN_CONN_WORKING, peer);
}

/* At work now: what the meter has so far. */
static bool works(const struct dawn_conn *c)
{
	uint64_t span = c->r->now_us - c->meter_us;

	if (dawn_conn_doubtful(c))
		return false;
	return span < GRACE_US || metered(c) * 1000000 >= span * RATE_NEW ||
	       (c->worked_us && c->r->now_us - c->worked_us < STALL_US);
}

static bool evict_larger_of(struct dawn_reactor *r, enum dawn_conn_class class,
			    uint32_t count, bool working)
{
	struct dawn_conn *c = TAILQ_LAST(&r->list[class], dawn_conn_list);
	struct dawn_conn *busy = NULL;

	for (int i = 0; c && i < SCAN_MAX; i++) {
		struct dawn_conn *newer =
			TAILQ_PREV(c, dawn_conn_list, of_class);

		if (c->peer->count > count + 1 && (working || !works(c)) &&
		    evict(c, &busy))
			return true;
		c = newer;
	}
	return evict_busy(busy);
}

/* One of a source that has more than `count`, itself not counted. */
static bool evict_larger(struct dawn_reactor *r, uint32_t count, bool working)
{
	if (r->peers.conns.most <= count + 1)
		return false;
	return evict_larger_of(r, DAWN_CONN_CLOSING, count, working) ||
	       evict_larger_of(r, DAWN_CONN_WORKING, count, working);
}

uint32_t dawn_peer_share(const struct dawn_reactor *r)
{
	uint32_t share = r->conn_max / 2 / 8; /* two rings a connection */

	return share ? share : 1;
}

bool dawn_room_free(const struct dawn_reactor *r)
{
	return !TAILQ_EMPTY(&r->free) && dawn_rings_room(&r->rings, 2);
}

static uint32_t count_of(const struct dawn_peer *p)
{
	return p ? p->count : 0;
}

void dawn_room_freed(struct dawn_reactor *r)
{
	r->full_at = UINT32_MAX;
	r->waiting.freed = true;
}

static void note_full(struct dawn_reactor *r, uint32_t count)
{
	if (count < r->full_at || r->now_us - r->full_us >= FULL_US)
		r->full_at = count;
	r->full_us = r->now_us;
}

static bool over_share(const struct dawn_reactor *r, const struct dawn_peer *p)
{
	return count_of(p) >= dawn_peer_share(r) &&
	       r->rings.used > r->rings.cap / 2;
}

bool dawn_room_refuses(const struct dawn_reactor *r, const struct dawn_peer *p)
{
	if (over_share(r, p) && r->now_us - p->share_us < FULL_US)
		return true;
	return !dawn_room_free(r) && r->now_us - r->full_us < FULL_US &&
	       count_of(p) >= r->full_at;
}

/* One that waits for its end frees but one ring; one that is aborted in the pump
 * none now, and no second one has to go for it. */
static bool make_room(struct dawn_reactor *r, uint32_t count)
{
	uint64_t used = UINT64_MAX;

	for (int i = 0; !dawn_room_free(r) && i < 2 && r->rings.used < used;
	     i++) {
		used = r->rings.used;
		if (!evict_any(r, NULL) && !evict_larger(r, count, false) &&
		    !evict_larger(r, count * 2 + 1, true))
			break;
	}
	if (dawn_room_free(r))
		return true;
	note_full(r, count);
	return false;
}

/* Whoever is evicted may be the last of this source: it is found again after. */
static int find_room(struct dawn_reactor *r, const struct dawn_addr *raddr)
{
	struct dawn_peer *p = dawn_peer_of(r, raddr);

	if (dawn_room_refuses(r, p))
		return over_share(r, p) ? -EDQUOT : -ENOMEM;
	if (over_share(r, p) && !evict_any(r, p)) {
		p->share_us = r->now_us;
		return -EDQUOT;
	}
	p = dawn_peer_of(r, raddr);
	return make_room(r, count_of(p)) ? 0 : -ENOMEM;
}

int dawn_room_for(struct dawn_peer **out, struct dawn_reactor *r,
		  const struct dawn_addr *raddr, bool evict)
{
	int err = 0;

	if (evict)
		err = find_room(r, raddr);
	else if (!dawn_room_free(r))
		err = -ENOMEM;
	if (err)
		return err;
	*out = peer_get(r, raddr);
	tally(&r->peers.conns, &(*out)->count, 1);
	return 0;
}
