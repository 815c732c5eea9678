/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The TCP engine: one connection's state machine, without I/O, clock, random
 * source or allocation of its own.
 *
 *     dawn_tcp_input(c, segment, now)      what arrived
 *     dawn_tcp_timer(c, now)               time passed its deadline
 *     dawn_tcp_output(c, now, &seg)        what to send: call until false
 *
 * So every case is a plain unit test, and the caller decides about frames,
 * rings, and when to stop for lack of room: output that was not asked for is
 * not lost, it is still due.
 *
 * The engine accepts only: a connection begins ESTABLISHED, from the flow
 * entry XDP made when a cookie was proven (struct dawn_tcp_open).
 *
 * Times are microseconds, and never go back. Take them from
 * CLOCK_MONOTONIC_COARSE: XDP makes its TSval from that clock, and if ours ran
 * ahead of it the peer's PAWS would drop what XDP sends after a hand-back.
 * Sequence numbers are compared by dawn_seq_*() only. Sources: RFC 9293, 5681,
 * 6298, 6582, 7323, 2018, 2883, 3522, 5961, 6675, 8985, 9937.
 */
#ifndef DAWN_NET_TCP_H
#define DAWN_NET_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/flow_table.h"

static inline bool dawn_seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0; /* RFC 9293, 3.4: modulo 2^32 */
}

static inline bool dawn_seq_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline bool dawn_seq_gt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static inline bool dawn_seq_ge(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

#define DAWN_TCP_SACK_MAX 4
#define DAWN_TCP_OOO_MAX  32 /* ranges held out of order; beyond: dropped */

#define DAWN_TCP_FIN 0x01 /* as on the wire */
#define DAWN_TCP_SYN 0x02
#define DAWN_TCP_RST 0x04
#define DAWN_TCP_PSH 0x08
#define DAWN_TCP_ACK 0x10
#define DAWN_TCP_URG 0x20
#define DAWN_TCP_ECE 0x40
#define DAWN_TCP_CWR 0x80

struct dawn_tcp_sack {
	uint32_t start, end; /* [start, end) */
};

/* A segment, in or out. Lengths and checksum were checked by who parsed it. */
struct dawn_tcp_seg {
	uint32_t seq;
	uint32_t ack;
	uint16_t wnd; /* the field as on the wire, not scaled */
	uint8_t flags;
	bool has_ts;
	uint32_t tsval;
	uint32_t tsecr;
	uint8_t sack_count;
	struct dawn_tcp_sack sack[DAWN_TCP_SACK_MAX];
	/* Payload: one piece in, at most two out (a ring wraps). Out: points
	 * into the send buffer, valid until the next call on this connection. */
	const uint8_t *data;
	uint32_t len;
	const uint8_t *data2;
	uint32_t len2;
};

/* A byte ring lent by the caller; the engine never frees it. size is a power
 * of two. */
struct dawn_ring {
	uint8_t *mem;
	uint32_t size;
};

/* What is remembered of a segment in flight, see tcp_rec.c. */
struct dawn_tcp_rec {
	uint64_t sent_us : 56; /* the last time; no two alike */
	uint64_t flags : 8;    /* REC_* */
	uint32_t end;          /* it starts where the one before ends */
	uint16_t older, newer; /* records, by time of sending */
};
_Static_assert(sizeof(struct dawn_tcp_rec) == 16, "no holes");

/* Records lent by the caller. size is a power of two, DAWN_TCP_RECS_MIN to
 * DAWN_TCP_RECS_MAX. When all are in use nothing new is sent until an ACK
 * frees one: size / 2 segments should hold what is to be in flight. */
struct dawn_tcp_recs {
	struct dawn_tcp_rec *mem;
	uint32_t size;
};
#define DAWN_TCP_RECS_MIN 16
#define DAWN_TCP_RECS_MAX 32768

struct dawn_tcp_open {
	const struct dawn_flow *flow; /* snapshot, owned by us */
	struct dawn_ring rcv;         /* >= 64 kB; bounds the window we offer */
	struct dawn_ring snd;         /* >= 16 kB */
	struct dawn_tcp_recs recs;
	uint32_t ts_offset; /* config.ts_offset */
	uint64_t now_us;
	/* The rest may be zero, for the defaults below. */
	uint16_t mss_max;         /* what a frame of ours holds; 0: no bound */
	uint32_t keepalive_ms;    /* idle time before a probe; 0: never */
	uint32_t user_timeout_ms; /* give up after no progress for so long */
	uint32_t time_wait_ms;    /* 2 MSL */
	uint32_t fin_wait_ms;     /* silence allowed in FIN_WAIT_2 */
};

/* Keep-alive: probes without an answer before giving up; the time between them
 * (RFC 9293, 3.8.4; as Linux). */
#define DAWN_TCP_KEEPALIVE_MAX    9
#define DAWN_TCP_KEEPALIVE_GAP_MS 75000

static inline uint32_t dawn_tcp_keepalive_gap_ms(uint32_t keepalive_ms)
{
	return keepalive_ms < DAWN_TCP_KEEPALIVE_GAP_MS
		       ? keepalive_ms
		       : DAWN_TCP_KEEPALIVE_GAP_MS;
}

#define DAWN_TCP_USER_TIMEOUT_MS 100000 /* RFC 9293, 3.8.3: R2 */
#define DAWN_TCP_TIME_WAIT_MS    60000
#define DAWN_TCP_FIN_WAIT_MS     60000

/* What changed, for the caller to act on; OR-ed by input and timer. */
#define DAWN_TCP_EV_DATA    0x01 /* more in-order bytes to read */
#define DAWN_TCP_EV_SPACE   0x02 /* send buffer space came free */
#define DAWN_TCP_EV_EOF     0x04 /* peer's FIN is in order (after all data) */
#define DAWN_TCP_EV_RESET   0x08 /* the peer reset; connection is CLOSED */
#define DAWN_TCP_EV_TIMEOUT 0x10 /* gave up; CLOSED, RST is due */
#define DAWN_TCP_EV_CLOSED  0x20 /* ended in order; forget it */
/* Something was received that the flow entry does not say. By then it is too
 * late to win CLEAN -> dirty: ask dawn_tcp_would_progress() before. */
#define DAWN_TCP_EV_PROGRESS 0x40

struct dawn_tcp; /* see tcp_conn.h; size is fixed */

/* Bytes needed for one connection; align to 64. */
size_t dawn_tcp_sizeof(void);

/* Set up from a flow entry. Unacknowledged bytes of the kernel half are put
 * back by dawn_tcp_adopt_sent() before any other call. An entry in CLOSE_WAIT
 * or later has had its EOF: no event repeats it, see dawn_tcp_state(). */
void dawn_tcp_open(struct dawn_tcp *c, const struct dawn_tcp_open *o);

/* Bytes that dawn_tcp_adopt_sent() must be given after open: those of
 * [flow->snd_una, flow->snd_nxt), a FIN not counted. Until then the engine
 * neither sends nor retransmits data. */
uint32_t dawn_tcp_adopt_len(const struct dawn_tcp *c);

/* Give the engine the bytes that were sent already.
 * Return: 0, -EINVAL if len is not dawn_tcp_adopt_len(), -ENOSPC if the ring
 * does not hold them. */
int dawn_tcp_adopt_sent(struct dawn_tcp *c, const void *buf, uint32_t len);

/* Would this segment make the connection something the flow entry cannot say:
 * new data or FIN, the acknowledgment of our FIN, a reset? Then the caller
 * must first take CLEAN off the owner word. Pure; true when in doubt. */
bool dawn_tcp_would_progress(const struct dawn_tcp *c,
			     const struct dawn_tcp_seg *seg);

unsigned int dawn_tcp_input(struct dawn_tcp *c, const struct dawn_tcp_seg *seg,
			    uint64_t now_us);
unsigned int dawn_tcp_timer(struct dawn_tcp *c, uint64_t now_us);

/* Next segment due. Return: false if there is none. */
bool dawn_tcp_output(struct dawn_tcp *c, uint64_t now_us,
		     struct dawn_tcp_seg *out);

/* When dawn_tcp_timer() wants to be called; UINT64_MAX: never. */
uint64_t dawn_tcp_deadline_us(const struct dawn_tcp *c);

/* How long a flight waits for an ACK: before it is retransmitted (RFC 6298), and
 * before a loss probe (RFC 8985, 7.2; `one`: a single segment, whose ACK may be
 * delayed). For entries that have no control block. */
uint32_t dawn_tcp_rto_us(uint32_t srtt_us, uint32_t rttvar_us);
uint32_t dawn_tcp_pto_us(uint32_t srtt_us, bool one);

/* Is this segment an ACK that says nothing to a connection as its entry says
 * it, and asks for nothing? One that was overtaken by what came later. */
bool dawn_tcp_overtaken(const struct dawn_flow *f,
			const struct dawn_tcp_seg *seg);

/* In-order bytes received and not consumed; dawn_tcp_linearize() makes them one
 * piece, valid until the next call on this connection. */
uint32_t dawn_tcp_readable(const struct dawn_tcp *c);
const uint8_t *dawn_tcp_linearize(struct dawn_tcp *c, uint32_t *len);
void dawn_tcp_consume(struct dawn_tcp *c, uint32_t len);

uint32_t dawn_tcp_space(const struct dawn_tcp *c);
uint32_t dawn_tcp_write(struct dawn_tcp *c, const void *buf, uint32_t len);

/* Rings that grow, see tcp_grow.c. Would the connection go faster with a bigger
 * receive ring (its reader keeps up; found anew each round trip), or send ring
 * (it is full of bytes in flight)? */
bool dawn_tcp_rcv_short(const struct dawn_tcp *c);
bool dawn_tcp_snd_short(const struct dawn_tcp *c);

/* Go on with a bigger ring; what is in the present one is copied.
 * Return: the present one, which is the caller's again. */
struct dawn_ring dawn_tcp_grow_rcv(struct dawn_tcp *c, struct dawn_ring ring);
struct dawn_ring dawn_tcp_grow_snd(struct dawn_tcp *c, struct dawn_ring ring);

/* Give back a ring for which no use is left: the peer's FIN is in and all was
 * read; our FIN is acknowledged. Return: it, or one of size 0. */
struct dawn_ring dawn_tcp_spare_rcv(struct dawn_tcp *c);
struct dawn_ring dawn_tcp_spare_snd(struct dawn_tcp *c);

/* Lend other memory for the records, which are copied; the old is free then.
 * Return: 0, -EINVAL if the size is wrong or what is in use does not fit. */
int dawn_tcp_recs_move(struct dawn_tcp *c, struct dawn_tcp_recs to);

/* What the connection waits for. */
enum dawn_tcp_wait {
	DAWN_TCP_WAITS_DATA,   /* of the peer: nothing is left to send */
	DAWN_TCP_WAITS_ACK,    /* sent and not acknowledged, or unsent */
	DAWN_TCP_WAITS_WINDOW, /* the peer's is closed */
	DAWN_TCP_WAITS_END,    /* our FIN is sent, all before acknowledged */
};
enum dawn_tcp_wait dawn_tcp_waits(const struct dawn_tcp *c);

/* Does it make work as honest peers hardly ever do: by acknowledging what was
 * never sent, or by a tiny MSS? Neither is a reason to reset it (RFC 5961, 5;
 * RFC 9293, 3.7.1), but to serve others first. */
bool dawn_tcp_doubtful(const struct dawn_tcp *c);

/* FIN after everything written. */
void dawn_tcp_shutdown(struct dawn_tcp *c);

/* A RST is due, then CLOSED. */
void dawn_tcp_abort(struct dawn_tcp *c);

/* An ICMP error about a segment that starts at `seq`. `mtu` != 0: fragmentation
 * needed / packet too big, our segments must fit it. */
void dawn_tcp_icmp_error(struct dawn_tcp *c, uint32_t seq, uint32_t mtu,
			 bool hard, uint64_t now_us);

/* Our own link takes no more than this: segments must fit it from now on, and
 * what is in flight is sent again. No effect if they do already. */
void dawn_tcp_lower_mtu(struct dawn_tcp *c, uint32_t mtu);

enum dawn_tcp_state dawn_tcp_state(const struct dawn_tcp *c);

/* Nothing is unsent, held or unread, no acknowledgment is owed, no FIN either
 * way, no recovery under way. What is unacknowledged must be a response that
 * the entry can name; then the flow entry can describe the connection. */
bool dawn_tcp_settled(const struct dawn_tcp *c);

/* Settled, and everything sent is acknowledged. */
bool dawn_tcp_quiescent(const struct dawn_tcp *c);

/* Sequence number that the next byte written will have; first one the peer has
 * not acknowledged. */
uint32_t dawn_tcp_write_seq(const struct dawn_tcp *c);
uint32_t dawn_tcp_snd_una(const struct dawn_tcp *c);

/* Write the connection's present state into a flow entry (numbers, window,
 * timestamps, RTT, cwnd; not owner, tuple, MAC, resp_*). */
void dawn_tcp_export(const struct dawn_tcp *c, struct dawn_flow *f);

/* Counters since open, for statistics; the caller reads and clears. */
struct dawn_tcp_counts {
	uint32_t retransmit;
	uint32_t rto;
	uint32_t fast_retransmit; /* recoveries entered */
	uint32_t ooo;
	uint32_t challenge_ack;
	uint32_t rst_sent;
	uint32_t rack_lost; /* segments found lost by RACK */
	uint32_t tlp;       /* loss probes */
	uint32_t spurious;  /* recoveries and timeouts undone */
	uint32_t keepalive; /* probes */
	uint32_t gave_up;   /* 1: the peer did not answer in time */
};
struct dawn_tcp_counts *dawn_tcp_counts(struct dawn_tcp *c);

#endif
