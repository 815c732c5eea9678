/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Inside of the reactor: shared by user/net/reactor*.c only.
 *
 * reactor.c (life, turns), reactor_rx.c (from frame to flow), reactor_conn.c
 * (control blocks: made, given back, released), reactor_pool.c (their memory),
 * reactor_room.c (who has to go when it is short), reactor_wait.c (who waits for
 * it), reactor_pump.c (between engine, protocol and tx ring), reactor_sweep.c
 * (flows nobody speaks for), reactor_keepalive.c (whether their peers live),
 * reactor_evict.c (who lost its place in flow_table), reactor_pass.c (frames
 * between threads), reactor_local.c (services, cached responses).
 */
#ifndef DAWN_NET_REACTOR_INT_H
#define DAWN_NET_REACTOR_INT_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "maps/cache.h"
#include "maps/unacked.h"
#include "user/io/clock.h"
#include "user/net/flows.h"
#include "user/net/frame.h"
#include "user/net/reactor.h"
#include "user/net/rings.h"
#include "user/net/tcp.h"
#include "user/net/xsk.h"

/* XDP offers this much before we have seen the connection. */
_Static_assert(DAWN_RING_MIN >= DAWN_RCV_WND, "what is offered must be taken");

/* Where connections come from, and how much they hold: reactor_room.c. */
struct dawn_peer {
	struct dawn_addr source; /* IPv4, or an IPv6 /64 */
	struct dawn_peer *next;  /* of the bucket; free list */
	uint64_t grown;          /* bytes of rings beyond the smallest */
	uint64_t share_us;       /* refused for its share, the last time */
	uint32_t count;          /* connections */
	uint32_t waiting;        /* requests in reactor_wait.c */
};

struct dawn_tally {
	uint32_t *having; /* [n]: sources that have n */
	uint32_t most;    /* the highest n that a source has */
};

struct dawn_peers {
	struct dawn_peer *mem, *free;
	struct dawn_peer **hash; /* as many buckets as connections have */
	struct dawn_tally conns, waits;
};

/* Requests that wait for memory: reactor_wait.c. */
struct dawn_waiter;
struct dawn_waiting {
	struct dawn_waiter *mem;
	TAILQ_HEAD(dawn_waiters, dawn_waiter) queue, free; /* by coming */
	struct dawn_waiter **hash;                         /* by flow */
	uint8_t *frames;
	uint32_t count;
	uint64_t look_us;            /* the last look at all */
	struct dawn_waiter *calling; /* its frame is looked at again */
	bool refused;                /* and there still is no room */
	bool freed;                  /* memory came back since the last look */
};

#define DAWN_WAIT_BYTES (2U << 20) /* of frames, a thread */

enum dawn_conn_class {
	DAWN_CONN_WORKING,
	DAWN_CONN_CLOSING, /* our FIN is sent, all before it acknowledged */
	DAWN_CONN_CLASSES,
};

TAILQ_HEAD(dawn_conn_list, dawn_conn);

/* A connection while it is ours.
 *
 * Unopened: the engine works alone (a retransmission, an ACK, a FIN); the
 * owner word may be CLEAN. Opened (`open`): a protocol is attached, because
 * data or the end came; the word never is CLEAN then, so an opened connection
 * cannot be lost to XDP.
 */
struct dawn_conn {
	struct dawn_stream stream; /* first: operations get its address */
	struct dawn_reactor *r;
	struct dawn_conn *hash_next;
	TAILQ_ENTRY(dawn_conn) of_class; /* or of the free ones */
	TAILQ_ENTRY(dawn_conn) to_pump;
	struct dawn_timer timer;
	uint32_t flow;
	uint64_t word; /* the owner word we hold */
	struct dawn_frame_addr addr;
	struct dawn_tcp *tcp;
	struct dawn_ring rcv, snd; /* as lent to the engine; size 0: none */
	struct dawn_peer *peer;

	/* reactor_room.c */
	uint8_t class;       /* enum dawn_conn_class */
	uint64_t healthy_us; /* last progress worth the name, or made */
	uint64_t worked_us;  /* last progress worth the name; 0: none */
	uint64_t meter_us;   /* since when bytes are counted, and from where */
	uint32_t meter_una, meter_read;
	uint64_t refused_us; /* a bigger ring, the last time */

	unsigned int events; /* DAWN_TCP_EV_*, not yet acted upon */
	uint8_t sums;        /* see dawn_frame_sum_believed() */
	uint8_t crumbs;      /* small segments in a row, of one request */
	bool active;         /* in a list of connections to pump */
	bool doubtful;       /* in that of the doubtful ones */
	bool open;
	bool lost;    /* XDP took it back: forget it */
	bool aborted; /* by us */
	bool eof_told;
	bool want_space; /* the protocol met a full buffer */
	bool show;       /* data() is due */

	/* The request being read, as sequence numbers, and what answered it. */
	uint32_t read_seq; /* of the next byte to be consumed */
	uint32_t req_seq;
	uint32_t req_len;
	uint32_t resp_end; /* of the cached response */
	struct dawn_cached_response resp;
	bool resp_valid;
};

struct dawn_local_service {
	struct dawn_addr addr;
	__be16 port;
	struct dawn_service svc;
};

struct dawn_local {
	struct dawn_local_service list[DAWN_SERVICES_MAX];
	uint32_t count;
	uint32_t last; /* found the last time */
	uint64_t read_us;
};

struct dawn_pass_ring;

struct dawn_reactor {
	struct dawn_source source; /* first two: callbacks get their address */
	struct dawn_turn turn;
	struct dawn_reactor_options o;
	struct dawn_loop *loop;
	struct dawn_xsk *xsk;
	struct dawn_flows flows;
	struct dawn_config *config;
	struct dawn_reactor_stats *stats; /* this thread's */
	const struct dawn_slot *slots;    /* cache_data */
	size_t slots_bytes;
	uint32_t slot_count;
	uint32_t mtu;    /* of the interface, when last looked at */
	uint64_t now_us; /* coarse monotonic */

	/* connections */
	uint8_t *pool;
	size_t pool_bytes;
	uint32_t conn_max; /* control blocks */
	_Atomic uint32_t conn_count;
	struct dawn_conn_list free;
	struct dawn_conn_list list[DAWN_CONN_CLASSES]; /* last progress first */
	struct dawn_rings rings;
	struct dawn_peers peers;
	struct dawn_waiting waiting;
	/* No room for sources with so many connections, found then. */
	uint32_t full_at;
	uint64_t full_us;
	struct dawn_conn **hash;
	uint32_t hash_mask;
	struct dawn_conn_list active, doubtful; /* to be pumped */
	uint32_t doubtful_tokens; /* segments that they may have */
	uint64_t doubtful_us;
	uint64_t sent_us; /* the last turn that had segments for others */

	struct dawn_local local;
	struct dawn_pass_ring *inbox;
	uint8_t resp[DAWN_RESP_MAX]; /* a cached response, put together */

	uint32_t tx_room;     /* free tx buffers, when last looked at */
	uint64_t tx_moved_us; /* when that last changed */

	/* heartbeat */
	uint64_t taken;      /* frames off the queue, lost ones included */
	uint64_t lost;       /* as dawn_xsk_lost() said last */
	uint64_t sent_seen;  /* XDP's count when last looked at */
	uint64_t backlog_us; /* and when that was */

	/* sweeper */
	uint64_t start_us;
	uint64_t scan_us;  /* last scan of `unacked` */
	uint64_t sweep_us; /* last step through flow_table */
	uint64_t tick_us;
	uint32_t sweep_set;
	uint32_t sweep_left; /* own flows seen in this round */
	uint16_t *notes;     /* of flows, see reactor_keepalive.c; NULL: off */

	/* of queue 0 */
	struct ring_buffer *evicted;
	struct dawn_source evicted_source;
	uint32_t evicted_told; /* in this turn */

	uint64_t drain_us;  /* when drain() came; 0: not */
	_Atomic bool swept; /* a round after drain() found no own flow */
	uint32_t rst_tokens;
	uint64_t rst_us;
};

static inline uint64_t dawn_coarse_us(void)
{
	return dawn_clock_ns(CLOCK_MONOTONIC_COARSE) / 1000;
}

/* Both halves' milliseconds of an entry. */
static inline uint32_t dawn_ms(uint64_t us)
{
	return (uint32_t)(us / 1000);
}

/* The interface's MTU, as thread 0 keeps it. */
static inline uint32_t dawn_reactor_mtu(const struct dawn_reactor *r)
{
	uint32_t mtu = __atomic_load_n(&r->config->mtu, __ATOMIC_RELAXED);

	return mtu < 576 ? 1500 : mtu;
}

/* One thread writes a counter, others read it. */
#define COUNT_ADD(r, name, n)                                       \
	__atomic_store_n(&(r)->stats->name, (r)->stats->name + (n), \
			 __ATOMIC_RELAXED)
#define COUNT(r, name) COUNT_ADD(r, name, 1)

/* All connections, one class after the other. The present one may move to the
 * front of its class if the next was taken before. */
static inline struct dawn_conn *dawn_conn_first(const struct dawn_reactor *r)
{
	struct dawn_conn *c = TAILQ_FIRST(&r->list[DAWN_CONN_WORKING]);

	return c ? c : TAILQ_FIRST(&r->list[DAWN_CONN_CLOSING]);
}

static inline struct dawn_conn *dawn_conn_after(const struct dawn_conn *c)
{
	struct dawn_conn *next = TAILQ_NEXT(c, of_class);

	if (next || c->class == DAWN_CONN_CLOSING)
		return next;
	return TAILQ_FIRST(&c->r->list[DAWN_CONN_CLOSING]);
}

/* reactor_pool.c */
int dawn_conn_pool_create(struct dawn_reactor *r, uint64_t memory_bytes);
void dawn_conn_pool_destroy(struct dawn_reactor *r);
/* Memory for the connection of a flow: r, tcp, rings and peer are set, the rest
 * is zero. Return: 0, or as dawn_room_for(). */
int dawn_conn_lend(struct dawn_conn **out, struct dawn_reactor *r,
		   const struct dawn_flow *f, bool evict);
void dawn_conn_return(struct dawn_conn *c);
/* Bigger rings, if they would help and may be had. Return: whether output may
 * be due again. */
bool dawn_conn_grow(struct dawn_conn *c);
/* Give back rings of a half-closed connection that it needs no more. */
void dawn_conn_spare(struct dawn_conn *c);

/* The engine's records lie behind the send ring. */
static inline struct dawn_tcp_recs dawn_conn_recs(const struct dawn_ring *snd)
{
	return (struct dawn_tcp_recs){
		.mem = (void *)(snd->mem + snd->size),
		.size = DAWN_RING_EXTRA(snd->size) /
			sizeof(struct dawn_tcp_rec),
	};
}

/* reactor_room.c */
int dawn_peers_create(struct dawn_reactor *r);
void dawn_peers_destroy(struct dawn_reactor *r);
void dawn_peer_put(struct dawn_reactor *r, struct dawn_peer *p);
/* Connections that a source may have when memory is short. */
uint32_t dawn_peer_share(const struct dawn_reactor *r);
/* Room for a connection from there; evict: make some. *out: its source, counted.
 * Return: 0; -EDQUOT: it has its share; -ENOMEM: there is none. */
int dawn_room_for(struct dawn_peer **out, struct dawn_reactor *r,
		  const struct dawn_addr *raddr, bool evict);
/* Is there room, without an eviction? */
bool dawn_room_free(const struct dawn_reactor *r);
/* Was this source (NULL: one without connections), or one with fewer, refused
 * just now, and has nothing changed since? */
bool dawn_room_refuses(const struct dawn_reactor *r, const struct dawn_peer *p);
/* Memory came back. */
void dawn_room_freed(struct dawn_reactor *r);
/* A source that has or waits for a connection, else NULL. */
struct dawn_peer *dawn_peer_of(const struct dawn_reactor *r,
			       const struct dawn_addr *raddr);
/* A request from there waits; it does no more. */
struct dawn_peer *dawn_peer_wait(struct dawn_reactor *r,
				 const struct dawn_addr *raddr);
void dawn_peer_wait_end(struct dawn_reactor *r, struct dawn_peer *p);
void dawn_conn_link(struct dawn_conn *c);
void dawn_conn_unlink(struct dawn_conn *c);
/* Look at its progress; at most every second it says something new. */
void dawn_conn_meter(struct dawn_conn *c);
/* It may be that only its end is waited for now. */
void dawn_conn_classify(struct dawn_conn *c);

/* reactor_wait.c */
int dawn_wait_create(struct dawn_reactor *r);
void dawn_wait_destroy(struct dawn_reactor *r);
/* How many may wait. */
uint32_t dawn_wait_max(void);
/* No room for this flow of ours (CLEAN), err says why: it goes back to the
 * kernel half, and if the frame is a request, that waits. */
void dawn_wait_refused(struct dawn_reactor *r, uint32_t flow, uint64_t word,
		       int err, const struct dawn_frame *f, const uint8_t *data,
		       uint32_t len);
/* Does a request of this flow wait? */
bool dawn_wait_has(const struct dawn_reactor *r, uint32_t flow);
/* There is a connection for the flow now. */
void dawn_wait_forget(struct dawn_reactor *r, uint32_t flow);
/* Serve who waits, as far as there is room. Return: whether any was. */
bool dawn_wait_serve(struct dawn_reactor *r);

/* reactor_conn.c */
struct dawn_conn *dawn_conn_find(const struct dawn_reactor *r, uint32_t flow);
/* Have the cache fetch what conn_find() will look at, in two steps: the second
 * reads what the first one fetched. */
void dawn_conn_fetch_bucket(const struct dawn_reactor *r, uint32_t flow);
void dawn_conn_fetch(const struct dawn_reactor *r, uint32_t flow);

/* Make the control block of a CLEAN flow we own; evict: another one's may go
 * for it. Return: 0; -ENOMEM, -EDQUOT: no memory, see dawn_room_for(); -EAGAIN:
 * XDP took it back; -ESTALE: its unacknowledged bytes are gone; -ENOENT: service
 * is gone. */
int dawn_conn_make(struct dawn_conn **out, struct dawn_reactor *r,
		   uint32_t flow, uint64_t word, bool evict);

/* CLEAN off. Return: false: it was lost (c->lost is set). */
bool dawn_conn_dirty(struct dawn_conn *c);

/* XDP took the flow back. It may be found again under another word at once, so
 * c leaves the hash now; pump() releases it. */
void dawn_conn_forget(struct dawn_conn *c);

/* Attach the protocol. Return: false: it would not; aborted. */
bool dawn_conn_attach(struct dawn_conn *c);

/* Back to the kernel half if that can be. Return: true: c is gone. */
bool dawn_conn_give(struct dawn_conn *c);

/* TIME_WAIT needs no control block: the entry answers for it, in the kernel
 * half, until the sweeper frees it. The last ACK is out, the protocol gone.
 * Return: true: c is gone. */
bool dawn_conn_retire(struct dawn_conn *c);

/* The end: the flow is freed (unless lost), c is gone. */
void dawn_conn_release(struct dawn_conn *c, enum dawn_close_reason why);

/* dawn_flows_free() and dawn_flows_bury(), counted. */
void dawn_conn_free_flow(struct dawn_reactor *r, uint32_t flow, uint64_t *word);
void dawn_conn_bury(struct dawn_reactor *r, uint32_t flow, uint64_t word);

/* A RST to a connection's peer. Nothing is known of its view but the entry; good
 * enough, the peer accepts it if nothing was lost since. */
void dawn_conn_reset_peer(struct dawn_reactor *r, const struct dawn_flow *e);

/* A keep-alive probe, likewise. Return: whether it was sent. */
bool dawn_conn_probe_peer(struct dawn_reactor *r, const struct dawn_flow *e);

/* Reset and free a flow that has no control block; word is ours. */
void dawn_conn_reset_flow(struct dawn_reactor *r, uint32_t flow, uint64_t word);

/* reactor_pump.c */
extern const struct dawn_stream_ops dawn_reactor_stream_ops;
void dawn_conn_activate(struct dawn_conn *c);
/* Is it one that is served after all others? */
bool dawn_conn_doubtful(const struct dawn_conn *c);
/* A segment came with so many bytes, not all known already. (Of others, which
 * anybody could forge, none counts: they would have the connection served
 * last.) */
void dawn_conn_crumb(struct dawn_conn *c, uint32_t len);
/* It waits for its turn, and there are none left. */
bool dawn_conn_overdone(const struct dawn_conn *c);
/* A doubtful connection leaves its list without being pumped. */
void dawn_conn_deactivate(struct dawn_conn *c);
void dawn_conn_abort(struct dawn_conn *c);
/* Send what is due. Return: whether output is left: quota or ring used up. */
bool dawn_conn_output(struct dawn_conn *c);
void dawn_conn_timer_fire(struct dawn_timer *t, uint64_t now_us);
bool dawn_reactor_pump(struct dawn_reactor *r);
void dawn_reactor_tick(struct dawn_reactor *r);

/* reactor_rx.c. hops: threads that passed it on. */
void dawn_reactor_frame(struct dawn_reactor *r, const uint8_t *data,
			uint32_t len, uint32_t hops);
bool dawn_reactor_rx(struct dawn_reactor *r);
/* A RST that is worth a token. */
void dawn_reactor_send_rst(struct dawn_reactor *r, const struct dawn_frame *f);

/* reactor_sweep.c */
void dawn_reactor_sweep(struct dawn_reactor *r);
void dawn_reactor_reset_flows(struct dawn_reactor *r);

/* reactor_keepalive.c */
enum dawn_keepalive {
	DAWN_KEEPALIVE_WAIT,
	DAWN_KEEPALIVE_PROBE, /* one is due */
	DAWN_KEEPALIVE_DEAD,  /* the last one was not answered */
};

/* Return: 0 or -ENOMEM. */
int dawn_keepalive_create(struct dawn_reactor *r);
void dawn_keepalive_destroy(struct dawn_reactor *r);
/* A kernel-owned flow of our part; word: as seen. */
void dawn_keepalive_sweep(struct dawn_reactor *r, uint32_t flow, uint64_t word);
/* Of what it is made: what is due, by a copy of the entry; a probe was sent. */
enum dawn_keepalive dawn_keepalive_due(const struct dawn_reactor *r,
				       uint32_t flow,
				       const struct dawn_flow *f);
void dawn_keepalive_sent(struct dawn_reactor *r, uint32_t flow,
			 const struct dawn_flow *f);

/* reactor_evict.c: on queue 0 only. Return: 0 or negative errno. */
int dawn_evicted_create(struct dawn_reactor *r);
void dawn_evicted_destroy(struct dawn_reactor *r);
/* RSTs to who was evicted. Return: whether more may be waiting. */
bool dawn_evicted_tell(struct dawn_reactor *r);

/* reactor_pass.c: a bounded ring, many writers, one reader. */
int dawn_pass_create(struct dawn_pass_ring **out);
void dawn_pass_destroy(struct dawn_pass_ring *p);
/* Return: whether it was taken. Wakes the reader's loop. */
bool dawn_pass_put(struct dawn_reactor *to, const uint8_t *data, uint32_t len,
		   uint32_t hops);
/* Work off what is there. Return: whether there was anything. */
bool dawn_pass_get(struct dawn_reactor *r);

/* reactor_local.c */
void dawn_local_refresh(struct dawn_reactor *r, uint64_t max_age_us);
const struct dawn_local_service *dawn_local_find(struct dawn_reactor *r,
						 const struct dawn_addr *addr,
						 __be16 port);
const struct dawn_local_service *dawn_local_by_id(struct dawn_reactor *r,
						  uint16_t id);
/* Is this what the slot holds, for new answers (LIVE) or to send again? */
bool dawn_slot_is(const struct dawn_reactor *r, uint32_t slot, uint32_t gen,
		  bool live);
/* Length of a cached response of a kind; 0: no such slot, or it has none. */
uint32_t dawn_slot_resp_len(const struct dawn_reactor *r, uint32_t slot,
			    uint8_t kind);
/* Bytes [seq, seq + len) of the response that a flow's entry names, Date as it
 * was sent; in r->resp. Return: NULL if they are not to be had any more. */
const uint8_t *dawn_slot_bytes(struct dawn_reactor *r,
			       const struct dawn_flow *f, uint32_t seq,
			       uint32_t len);
#endif
