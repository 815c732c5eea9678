/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The TCP engine's control block. Private to user/net/tcp*.c and their tests.
 *
 * Files: tcp.c (open, export, the application's calls), tcp_input.c (RFC 9293,
 * 3.10.7), tcp_ack.c (acknowledgments, loss recovery), tcp_reasm.c (receive
 * ring), tcp_output.c (what goes out, windows), tcp_timer.c, tcp_sack.c (range
 * lists), tcp_rtt.c (RFC 6298), tcp_cc.c (congestion control).
 *
 * ## Sequence space
 *
 *   send   snd_una        snd_nxt        snd_max        snd_end
 *     ──────┼──── in flight ─┼─── to resend ─┼─── unsent ────┼─ (FIN)
 *           └────────────── bytes in the snd ring ──────────┘
 *
 *   recv   rcv_read       rcv_nxt         ooo[0]  ooo[1]   rcv_adv
 *     ──────┼─── unread ─────┼───── hole ───███──────██───────┼──
 *           └──── bytes in the rcv ring ─────────────────────┘
 *
 * snd_nxt is where sending goes on; a timeout sets it back to snd_una, snd_max
 * never goes back. The byte of sequence number s is at s & (size - 1) of the
 * snd ring, and at (s + rcv_shift) & (size - 1) of the rcv ring. A FIN takes
 * the number after the last byte: snd_end ours, rcv_fin the peer's.
 *
 * ## States
 *
 *   state        fin_queued  fin_rcvd  new data in  new data out  timers
 *   ESTABLISHED      no         no         yes          yes       all
 *   CLOSE_WAIT       no         yes        no           yes       rtx, life
 *   FIN_WAIT_1       yes        no         yes          queued    rtx, delack
 *   FIN_WAIT_2       acked      no         yes          no        delack, life
 *   CLOSING          yes        yes        no           queued    rtx
 *   LAST_ACK         yes        yes        no           queued    rtx
 *   TIME_WAIT        acked      yes        no           no        life
 *   CLOSED           nothing is valid but counts, unread bytes and rst_due
 *
 * FIN_WAIT_1 and LAST_ACK begin when the application closes, also if bytes
 * before the FIN are still unsent. CLOSED is left by no call.
 */
#ifndef DAWN_NET_TCP_CONN_H
#define DAWN_NET_TCP_CONN_H

#include "user/net/tcp.h"

#define TCP_NEVER UINT64_MAX

#define TCP_RTO_INIT_US      1000000U    /* RFC 6298, 2.1 */
#define TCP_RTO_MIN_US       200000U     /* below its 2.4, as is usual today */
#define TCP_RTO_MAX_US       60000000U   /* RFC 6298, 2.5 */
#define TCP_DELACK_US        40000U      /* RFC 9293, 3.8.6.3: < 500 ms */
#define TCP_DUPTHRESH        3           /* RFC 5681, 3.2 */
#define TCP_PAWS_AGE_MS      2073600000U /* 24 days; RFC 7323, 5.5 */
#define TCP_KEEPALIVE_MAX    9 /* probes unanswered before giving up */
#define TCP_KEEPALIVE_GAP_US 75000000U
#define TCP_CHALLENGE_MAX    10   /* a second and connection; RFC 5961, 7 */
#define TCP_SACKED_MAX       8    /* ranges remembered; more are forgotten */
#define TCP_RCV_MSS          1460 /* what we told the peer, or a little more */
#define TCP_MSS_MIN          88   /* leaves room beside 36 bytes of options */

enum tcp_phase {
	TCP_OPEN,     /* no loss known */
	TCP_RECOVERY, /* RFC 6582: from the third duplicate ACK to `recover` */
	TCP_LOSS,     /* after a timeout, until `recover` is acknowledged */
};

enum tcp_rtx_mode {
	TCP_RTX_NONE,
	TCP_RTX_RTO,     /* something is in flight */
	TCP_RTX_PERSIST, /* the peer's window stops us; RFC 9293, 3.8.6.1 */
};

struct tcp_cc_ops;

struct dawn_tcp {
	/* Send. */
	uint32_t snd_una, snd_nxt, snd_max, snd_end;
	uint32_t snd_wnd;          /* bytes, from snd_una */
	uint32_t snd_wl1, snd_wl2; /* SEQ, ACK of the last window update */
	uint32_t max_snd_wnd;
	/* Receive. */
	uint32_t rcv_nxt, rcv_read;
	uint32_t rcv_adv;   /* right edge of the window, the highest ever */
	uint32_t rcv_acked; /* last ACK sent */
	/* Congestion. */
	uint32_t cwnd, ssthresh;
	uint16_t smss; /* payload of a full segment, without SACK blocks */
	uint16_t mss;  /* smss + the timestamp option */
	uint8_t state; /* enum dawn_tcp_state */
	uint8_t phase; /* enum tcp_phase */
	uint8_t dupacks;
	uint8_t backoff; /* doublings of the RTO; RFC 6298, 5.5 */

	uint64_t rtx_at, delack_at, life_at; /* timers, TCP_NEVER: off */
	uint64_t heard_us;                   /* last acceptable segment */
	uint64_t progress_us; /* snd_una rose, or the first byte was sent */
	uint64_t sent_us;     /* last data segment */
	uint32_t ts_offset;
	uint32_t ts_recent, ts_recent_ms;
	uint32_t timeout_ts; /* our TSval at the last timeout; in TCP_LOSS */
	uint32_t recover;    /* snd_max when the loss was found */

	uint8_t rtx_mode; /* enum tcp_rtx_mode */
	uint8_t opt;      /* DAWN_FLOW_TS | SACK | WSCALE */
	uint8_t snd_wscale;
	uint8_t dupacks_due; /* pure ACKs owed for out-of-order segments */
	uint8_t ooo_count, sacked_count, recent_count;
	uint8_t keepalive_count;
	bool ack_now : 1;
	bool rst_due : 1;
	bool rtx_due : 1; /* resend the first segment (fast retransmit) */
	bool probe_due : 1;
	bool keepalive_due : 1;
	bool fin_queued : 1;
	bool fin_held : 1; /* rcv_fin is known */
	bool fin_rcvd : 1; /* and in order */
	bool timing : 1;   /* rtt_seq, rtt_us are valid */
	bool cwnd_limited : 1;
	bool adopt_due : 1;
	bool unreachable : 1; /* a verified hard ICMP error since progress */
	bool partial_seen : 1;
	bool v4 : 1;
	uint8_t challenge_count;

	uint32_t rtt_seq;
	uint64_t rtt_us;
	uint32_t srtt_us, rttvar_us, rto_us;
	uint32_t rcv_fin;
	uint32_t rcv_shift;
	uint16_t rcv_mss; /* largest payload seen */
	uint16_t pad;
	const struct tcp_cc_ops *cc;
	uint32_t cc_acked; /* bytes since cwnd last grew in avoidance */
	uint32_t challenge_ms;
	struct dawn_ring rcv, snd;
	uint32_t keepalive_ms, user_timeout_ms, time_wait_ms, fin_wait_ms;
	struct dawn_tcp_counts counts;

	/* Only while something is out of order. */
	uint32_t recent[DAWN_TCP_SACK_MAX]; /* a number in each newest range */
	struct dawn_tcp_sack sacked[TCP_SACKED_MAX]; /* by the peer; sorted */
	struct dawn_tcp_sack ooo[DAWN_TCP_OOO_MAX];  /* sorted, disjoint */
};
_Static_assert(sizeof(struct dawn_tcp) <= 704, "keep it small");

/* A congestion control. cwnd and ssthresh belong to it, except that recovery
 * without SACK inflates cwnd (RFC 6582). */
struct tcp_cc_ops {
	const char *name;
	/* New data was acknowledged outside of recovery. */
	void (*acked)(struct dawn_tcp *c, uint32_t bytes, uint64_t now_us);
	/* A loss was found: set ssthresh. Once per window. */
	void (*loss)(struct dawn_tcp *c, uint32_t flight);
	/* Timeout: set cwnd. */
	void (*timeout)(struct dawn_tcp *c);
	/* Nothing was sent for an RTO. */
	void (*idle)(struct dawn_tcp *c);
};
extern const struct tcp_cc_ops dawn_tcp_newreno;

static inline uint32_t tcp_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t tcp_max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline uint32_t tcp_seq_min(uint32_t a, uint32_t b)
{
	return dawn_seq_lt(a, b) ? a : b;
}

static inline uint32_t tcp_seq_max(uint32_t a, uint32_t b)
{
	return dawn_seq_gt(a, b) ? a : b;
}

static inline uint32_t tcp_ms(uint64_t now_us)
{
	return (uint32_t)(now_us / 1000);
}

static inline uint32_t tcp_flight(const struct dawn_tcp *c)
{
	return c->snd_max - c->snd_una;
}

static inline bool tcp_fin_acked(const struct dawn_tcp *c)
{
	return c->fin_queued && dawn_seq_gt(c->snd_una, c->snd_end);
}

/* Bytes of the receive ring that hold unread data, a FIN not counted. */
static inline uint32_t tcp_unread(const struct dawn_tcp *c)
{
	return c->rcv_nxt - (c->fin_rcvd ? 1 : 0) - c->rcv_read;
}

static inline bool tcp_can_receive(const struct dawn_tcp *c)
{
	return c->state == DAWN_TCP_ESTABLISHED ||
	       c->state == DAWN_TCP_FIN_WAIT_1 ||
	       c->state == DAWN_TCP_FIN_WAIT_2;
}

/* tcp.c */
void dawn_tcp_close(struct dawn_tcp *c);
unsigned int dawn_tcp_give_up(struct dawn_tcp *c);
void dawn_tcp_set_mss(struct dawn_tcp *c, uint32_t mss);
void dawn_tcp_ring_put(const struct dawn_ring *r, uint32_t at, const void *buf,
		       uint32_t len);

/* tcp_ack.c. Return: events. */
unsigned int dawn_tcp_ack_input(struct dawn_tcp *c,
				const struct dawn_tcp_seg *seg,
				uint64_t now_us);

/* tcp_reasm.c. The segment passed all checks. Return: events. */
unsigned int dawn_tcp_reasm_input(struct dawn_tcp *c,
				  const struct dawn_tcp_seg *seg,
				  uint64_t now_us);
/* SACK blocks to send, RFC 2018, 4. Return: how many, <= max. */
uint8_t dawn_tcp_reasm_blocks(const struct dawn_tcp *c,
			      struct dawn_tcp_sack *out, uint8_t max);

/* tcp_sack.c: sorted lists of disjoint ranges. */
bool dawn_tcp_range_fits(const struct dawn_tcp_sack *r, uint8_t n, uint8_t max,
			 uint32_t start, uint32_t end);
void dawn_tcp_range_add(struct dawn_tcp_sack *r, uint8_t *n, uint32_t start,
			uint32_t end);
/* Take the blocks of an ACK. Return: whether they said something new. */
bool dawn_tcp_sack_input(struct dawn_tcp *c, const struct dawn_tcp_seg *seg);
/* snd_una rose. */
void dawn_tcp_sack_prune(struct dawn_tcp *c);
/* Bytes of [snd_una, seq) that the peer holds. */
uint32_t dawn_tcp_sack_below(const struct dawn_tcp *c, uint32_t seq);
/* First number >= seq that the peer is not known to hold. */
uint32_t dawn_tcp_sack_skip(const struct dawn_tcp *c, uint32_t seq);
/* Bytes from seq to the next that the peer holds, at most len. */
uint32_t dawn_tcp_sack_gap(const struct dawn_tcp *c, uint32_t seq,
			   uint32_t len);

/* tcp_output.c: after the application read, is a window update due? */
void dawn_tcp_window_check(struct dawn_tcp *c);

/* tcp_rtt.c */
void dawn_tcp_rtt_init(struct dawn_tcp *c, uint32_t srtt_us,
		       uint32_t rttvar_us);
void dawn_tcp_rtt_sample(struct dawn_tcp *c, uint32_t rtt_us);
uint64_t dawn_tcp_rtt_timeout_us(const struct dawn_tcp *c);

/* tcp_timer.c */
void dawn_tcp_rtx_start(struct dawn_tcp *c, uint8_t mode, uint64_t now_us);
void dawn_tcp_rtx_restart(struct dawn_tcp *c, uint64_t now_us);
void dawn_tcp_rtx_stop(struct dawn_tcp *c);
void dawn_tcp_life_start(struct dawn_tcp *c, uint64_t now_us);

/* tcp_cc.c */
uint32_t dawn_tcp_cc_initial(const struct dawn_tcp *c);

#endif
