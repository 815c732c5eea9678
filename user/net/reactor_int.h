/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Inside of the reactor: shared by user/net/reactor*.c only.
 *
 * reactor.c (life, turns), reactor_rx.c (from frame to flow), reactor_conn.c
 * (control blocks: made, given back, released), reactor_pump.c (between engine,
 * protocol and tx ring), reactor_sweep.c (flows nobody speaks for),
 * reactor_pass.c (frames between threads), reactor_local.c (services, cached
 * responses).
 */
#ifndef DAWN_NET_REACTOR_INT_H
#define DAWN_NET_REACTOR_INT_H

#include <stdatomic.h>
#include <time.h>

#include "maps/cache.h"
#include "maps/unacked.h"
#include "user/net/flows.h"
#include "user/net/frame.h"
#include "user/net/reactor.h"
#include "user/net/tcp.h"
#include "user/net/xsk.h"

#define CONN_RCV_BYTES DAWN_RCV_WND
#define CONN_SND_BYTES 262144U

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
	struct dawn_conn *prev, *next; /* all of them; free list by `next` */
	struct dawn_conn *active_next;
	struct dawn_timer timer;
	uint32_t flow;
	uint64_t word; /* the owner word we hold */
	struct dawn_frame_addr addr;
	struct dawn_tcp *tcp;
	uint8_t *rings;

	unsigned int events; /* DAWN_TCP_EV_*, not yet acted upon */
	bool active;         /* in the list of connections to pump */
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
	uint32_t mtu;
	uint64_t now_us; /* coarse monotonic */

	/* connections */
	uint8_t *pool;
	size_t pool_bytes;
	uint8_t *rings;
	size_t rings_bytes;
	uint32_t conn_max;
	_Atomic uint32_t conn_count;
	struct dawn_conn *free;
	struct dawn_conn *all; /* newest first */
	struct dawn_conn **hash;
	uint32_t hash_mask;
	struct dawn_conn *active_first, *active_last;

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

	uint64_t drain_us;  /* when drain() came; 0: not */
	_Atomic bool swept; /* a round after drain() found no own flow */
	uint32_t rst_tokens;
	uint64_t rst_us;
};

static inline uint64_t dawn_coarse_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Both halves' milliseconds of an entry. */
static inline uint32_t dawn_ms(uint64_t us)
{
	return (uint32_t)(us / 1000);
}

/* One thread writes a counter, others read it. */
#define COUNT_ADD(r, name, n)                                       \
	__atomic_store_n(&(r)->stats->name, (r)->stats->name + (n), \
			 __ATOMIC_RELAXED)
#define COUNT(r, name) COUNT_ADD(r, name, 1)

/* reactor_conn.c */
int dawn_conn_pool_create(struct dawn_reactor *r, uint64_t memory_bytes);
void dawn_conn_pool_destroy(struct dawn_reactor *r);
struct dawn_conn *dawn_conn_find(const struct dawn_reactor *r, uint32_t flow);
bool dawn_conn_room(struct dawn_reactor *r);

/* Make the control block of a CLEAN flow we own. Return: 0; -ENOMEM: pool is dry; -EAGAIN: XDP
 * took it back; -ESTALE: its unacknowledged bytes are gone; -ENOENT: service
 * is gone. */
int dawn_conn_make(struct dawn_conn **out, struct dawn_reactor *r,
		   uint32_t flow, uint64_t word);

/* CLEAN off. Return: false: it was lost (c->lost is set). */
bool dawn_conn_dirty(struct dawn_conn *c);

/* XDP took the flow back. It may be found again under another word at once, so
 * c leaves the hash now; pump() releases it. */
void dawn_conn_forget(struct dawn_conn *c);

/* Attach the protocol. Return: false: it would not; aborted. */
bool dawn_conn_attach(struct dawn_conn *c);

/* Back to the kernel half if that can be. Return: true: c is gone. */
bool dawn_conn_give(struct dawn_conn *c);

/* The end: the flow is freed (unless lost), c is gone. */
void dawn_conn_release(struct dawn_conn *c, enum dawn_close_reason why);

/* Reset and free a flow that has no control block; word is ours. */
void dawn_conn_reset_flow(struct dawn_reactor *r, uint32_t flow, uint64_t word);

/* reactor_pump.c */
extern const struct dawn_stream_ops dawn_reactor_stream_ops;
void dawn_conn_activate(struct dawn_conn *c);
void dawn_conn_abort(struct dawn_conn *c);
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
/* Length of a cached response; 0: no such slot. */
uint32_t dawn_slot_resp_len(const struct dawn_reactor *r, uint32_t slot,
			    bool head);
/* Bytes [seq, seq + len) of the response that a flow's entry names, Date as it
 * was sent; in r->resp. Return: NULL if they are not to be had any more. */
const uint8_t *dawn_slot_bytes(struct dawn_reactor *r,
			       const struct dawn_flow *f, uint32_t seq,
			       uint32_t len);
#endif
