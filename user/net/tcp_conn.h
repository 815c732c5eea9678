/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The TCP engine's control block. Private to user/net/tcp*.c and their tests.
 *
 * Files: tcp.c (open, export, the application's calls), tcp_input.c (RFC 9293,
 * 3.10.7), tcp_ack.c (acknowledgments), tcp_recover.c (loss recovery, PRR,
 * undo), tcp_rack.c (RACK-TLP: which segment is lost, and when), tcp_rec.c
 * (records of the segments in flight), tcp_reasm.c (receive ring),
 * tcp_output.c (what goes out, windows), tcp_timer.c, tcp_sack.c (range lists,
 * SACK blocks received), tcp_rtt.c (RFC 6298), tcp_cc.c (congestion control),
 * tcp_grow.c (bigger rings).
 *
 * ## Sequence space
 *
 *   send   snd_una                   snd_nxt  snd_max   snd_end
 *     ──────┼─ rec ┼─ rec ┼─ ... ┼─ rec ─┼────────┼─ unsent ─┼─ (FIN)
 *           └────────────── bytes in the snd ring ──────────┘
 *
 *   recv   rcv_read       rcv_nxt         ooo[0]  ooo[1]   rcv_adv
 *     ──────┼─── unread ─────┼───── hole ───███──────██───────┼──
 *           └──── bytes in the rcv ring ─────────────────────┘
 *
 * snd_nxt is where sending goes on, snd_max the highest number ever sent. They
 * differ only by what has no record although it went out: the byte of a window
 * probe, or the end of the flight when records ran out. The byte of sequence
 * number s is at s & (size - 1) of the snd ring, and at (s + rcv_shift) &
 * (size - 1) of the rcv ring. A FIN takes the number after the last byte:
 * snd_end ours, rcv_fin the peer's.
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

#define TCP_RTO_INIT_US   1000000U    /* RFC 6298, 2.1 */
#define TCP_RTO_MIN_US    200000U     /* below its 2.4, as is usual today */
#define TCP_RTO_MAX_US    60000000U   /* RFC 6298, 2.5 */
#define TCP_DELACK_US     40000U      /* RFC 9293, 3.8.6.3: < 500 ms */
#define TCP_DUPTHRESH     3           /* RFC 5681, 3.2 */
#define TCP_PAWS_AGE_MS   2073600000U /* 24 days; RFC 7323, 5.5 */
#define TCP_MSS_TINY      400
#define TCP_LIES_MAX      2
#define TCP_CHALLENGE_MAX 10        /* a second and connection; RFC 5961, 7 */
#define TCP_CLOCK_US      4000      /* a tick of the coarse clock at 250 Hz */
#define TCP_RTTVAR_MIN_US 100000    /* at least: a peer's delayed ACK */
#define TCP_PTO_MIN_US    10000     /* RFC 8985, 7.2, two ticks and some */
#define TCP_ACK_DELAY_US  200000    /* RFC 8985, 7.2, TLP.max_ack_delay */
#define TCP_MIN_RTT_US    300000000 /* the window of RACK.min_RTT */
#define TCP_REO_PERSIST   16        /* RFC 8985, 6.2, step 4 */
#define TCP_RCV_MSS       1460 /* what we told the peer, or a little more */
#define TCP_MSS_MIN       88   /* leaves room beside 36 bytes of options */

enum tcp_phase {
	TCP_OPEN,     /* no loss known */
	TCP_RECOVERY, /* from the loss found to `recover`: RFC 6675, 6582 */
	TCP_LOSS,     /* after a timeout, until `recover` is acknowledged */
};

enum tcp_rtx_mode {
	TCP_RTX_NONE,
	TCP_RTX_RTO,     /* something is in flight */
	TCP_RTX_PERSIST, /* the peer's window stops us; RFC 9293, 3.8.6.1 */
};

/* What comes earlier than the retransmission timer, RFC 8985. */
enum tcp_early {
	TCP_EARLY_NONE,
	TCP_EARLY_REO, /* 6.2, step 5: the reordering timer */
	TCP_EARLY_TLP, /* 7.2: the probe timeout */
};

/* Flags of a record. One that is neither SACKED nor LOST is in flight, and in
 * the list by time. */
#define REC_SACKED 0x01
#define REC_LOST   0x02 /* to be sent again */
#define REC_RETX   0x04 /* was sent more than once */

struct tcp_cc_ops;

struct dawn_tcp {
	/* Send. */
	uint32_t snd_una, snd_nxt, snd_max, snd_end;
	uint32_t snd_wnd; /* bytes, from snd_una */
	uint32_t snd_wl1; /* SEQ of the last window update */
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

	/* Timers, TCP_NEVER: off. */
	uint64_t rtx_at, early_at, delack_at, life_at;
	uint64_t heard_us;    /* last acceptable segment */
	uint64_t progress_us; /* snd_una rose, or the first byte was sent */
	uint64_t sent_us;     /* last data segment */
	uint32_t ts_offset;
	uint32_t ts_recent, ts_recent_ms;
	uint32_t timeout_ts; /* our TSval at the last timeout; in TCP_LOSS */
	uint32_t recover;    /* snd_max when the loss was found */

	uint8_t rtx_mode; /* enum tcp_rtx_mode */
	uint8_t early;    /* enum tcp_early: what early_at is for */
	uint8_t opt;      /* DAWN_FLOW_TS | SACK | WSCALE */
	uint8_t snd_wscale;
	uint8_t dupacks_due; /* pure ACKs owed for out-of-order segments */
	uint8_t ooo_count, recent_count;
	uint8_t keepalive_count;
	bool ack_now : 1;
	bool rst_due : 1;
	bool rtx_due : 1; /* resend one lost segment whatever cwnd says */
	bool tlp_due : 1; /* send a loss probe */
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
	bool rcv_short : 1;   /* the receive ring should grow */
	bool reord_seen : 1;  /* RACK.reordering_seen */
	bool dsack_round : 1; /* rack_round is valid */
	bool tlp_out : 1;     /* tlp_end is valid: a probe is not answered */
	bool tlp_retx : 1;    /* TLP.is_retrans */
	bool lost_again : 1;  /* in recovery: lost what was sent during it */
	bool undo : 1;        /* undo_* are valid */
	bool undo_sent : 1;   /* undo_ts and undo_end, too */
	uint8_t challenge_count;

	uint32_t rtt_seq;
	uint64_t rtt_us;
	uint32_t srtt_us, rttvar_us, rto_us;
	uint32_t rcv_fin;
	uint32_t rcv_shift;
	uint16_t rcv_mss; /* largest payload seen */
	/* Records, by number, which wraps. Those of [rec_head, rec_tail) cover
	 * [snd_una, snd_nxt). */
	uint16_t rec_head, rec_tail;
	uint16_t rec_oldest, rec_newest; /* the list, if flight_segs */
	uint16_t rec_lost;               /* none below is LOST */
	uint16_t flight_segs, sacked_segs, lost_segs;
	uint32_t in_flight; /* bytes: neither SACKED nor LOST */
	uint32_t sacked;    /* bytes */
	struct dawn_tcp_recs recs;
	uint64_t stamp_us; /* of the latest transmission */
	/* RFC 8985 */
	uint64_t rack_us;    /* RACK.xmit_ts; 0: nothing was delivered yet */
	uint64_t rack_at_us; /* when that was known: RACK.rtt later */
	uint32_t rack_fack;  /* RACK.fack */
	uint32_t rack_round; /* RACK.dsack_round */
	uint32_t min_rtt_us; /* RACK.min_RTT; UINT32_MAX: none */
	uint64_t min_rtt_at;
	uint32_t tlp_end;    /* TLP.end_seq */
	uint8_t reo_mult;    /* RACK.reo_wnd_mult */
	uint8_t reo_persist; /* RACK.reo_wnd_persist */
	uint16_t lies;       /* ACKs, SACK blocks of what was never sent */
	/* RFC 9937 */
	uint32_t prr_delivered, prr_out, prr_flight; /* RecoverFS */
	/* RFC 3522 and 4015: what to go back to */
	uint32_t undo_cwnd, undo_ssthresh;
	uint32_t undo_ts;  /* our TSval at the first retransmission */
	uint32_t undo_end; /* highest number sent again */
	const struct tcp_cc_ops *cc;
	uint32_t cc_acked; /* bytes since cwnd last grew in avoidance */
	uint32_t challenge_ms;
	struct dawn_ring rcv, snd;
	/* Reading, measured over a round trip: tcp_grow.c. */
	uint64_t rate_us;
	uint32_t rate_read;
	uint32_t rcv_rtt_us; /* smallest in this one; UINT32_MAX: none */
	uint32_t keepalive_ms, user_timeout_ms, time_wait_ms, fin_wait_ms;
	struct dawn_tcp_counts counts;

	/* Only while something is out of order. */
	uint32_t recent[DAWN_TCP_SACK_MAX]; /* a number in each newest range */
	struct dawn_tcp_sack seen[DAWN_TCP_SACK_MAX]; /* blocks taken last */
	struct dawn_tcp_sack ooo[DAWN_TCP_OOO_MAX];   /* sorted, disjoint */
};
_Static_assert(sizeof(struct dawn_tcp) <= 832, "keep it small");

/* One acknowledgment on its way through tcp_ack.c, tcp_sack.c, tcp_rack.c and
 * tcp_recover.c. */
struct tcp_ack {
	const struct dawn_tcp_seg *seg;
	uint64_t now_us;
	uint32_t fack;      /* rack_fack before */
	uint32_t flight;    /* before */
	uint32_t acked;     /* bytes snd_una rose by */
	uint32_t delivered; /* bytes newly known to have arrived */
	bool dsack;
	bool dsack_tlp; /* of the loss probe */
	bool dup;       /* RFC 5681, 2 */
	bool restart;   /* the retransmission timer starts anew */
};

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

static inline uint64_t tcp_min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t tcp_max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* a - b, and 0 if b is more. */
static inline uint32_t tcp_minus(uint32_t a, uint32_t b)
{
	return a > b ? a - b : 0;
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

static inline void tcp_note_lie(struct dawn_tcp *c)
{
	if (c->lies < UINT16_MAX)
		c->lies++;
}

static inline bool tcp_uses_sack(const struct dawn_tcp *c)
{
	return c->opt & DAWN_FLOW_SACK;
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

/* tcp_rec.c: records, by number. */
static inline struct dawn_tcp_rec *tcp_rec(const struct dawn_tcp *c, uint16_t k)
{
	return &c->recs.mem[k & (c->recs.size - 1)];
}

static inline uint16_t tcp_recs(const struct dawn_tcp *c)
{
	return c->rec_tail - c->rec_head;
}

static inline uint32_t tcp_rec_start(const struct dawn_tcp *c, uint16_t k)
{
	return k == c->rec_head ? c->snd_una : tcp_rec(c, k - 1)->end;
}

static inline bool tcp_rec_full(const struct dawn_tcp *c)
{
	return tcp_recs(c) >= c->recs.size;
}

/* [snd_nxt, end) goes out now. There is room. */
void dawn_tcp_rec_add(struct dawn_tcp *c, uint32_t end, uint8_t flags,
		      uint64_t now_us);
/* Record k goes out again. */
void dawn_tcp_rec_again(struct dawn_tcp *c, uint16_t k, uint64_t now_us);
/* Cut k, which is not SACKED, in two at seq, which lies inside. Out of records,
 * the end of the flight is taken back: it counts as unsent. */
void dawn_tcp_rec_split(struct dawn_tcp *c, uint16_t k, uint32_t seq);
/* k, which is LOST, and the one behind it become one, if that is LOST too and
 * the last, and both have no more than max bytes: a FIN goes with its data. */
void dawn_tcp_rec_join_last(struct dawn_tcp *c, uint16_t k, uint32_t max);
/* The record that holds seq; rec_tail if none. */
uint16_t dawn_tcp_rec_find(const struct dawn_tcp *c, uint32_t seq);
/* The first that is LOST; there is one. */
uint16_t dawn_tcp_rec_first_lost(struct dawn_tcp *c);
void dawn_tcp_rec_sack(struct dawn_tcp *c, uint16_t k);
void dawn_tcp_rec_lose(struct dawn_tcp *c, uint16_t k);
/* All that was SACKED, and all that is in flight, if it is that too. */
void dawn_tcp_rec_lose_all(struct dawn_tcp *c, bool in_flight);
/* What is LOST and was not sent again was not lost. */
void dawn_tcp_rec_regain(struct dawn_tcp *c);
/* Raise snd_una to seg->ack. */
void dawn_tcp_rec_ack(struct dawn_tcp *c, struct tcp_ack *a);

/* tcp_rack.c: RFC 8985. */
/* A record was acknowledged or SACKed for the first time. */
void dawn_tcp_rack_delivered(struct dawn_tcp *c, uint16_t k, bool cumulative,
			     const struct tcp_ack *a);
/* What the blocks said about duplicates; before dawn_tcp_rack_detect(). */
void dawn_tcp_rack_dsack(struct dawn_tcp *c, const struct tcp_ack *a);
/* Mark what is lost by now, set the reordering timer.
 * Return: whether anything was. */
bool dawn_tcp_rack_detect(struct dawn_tcp *c, uint64_t now_us);
/* A timeout: what is lost, RFC 8985, 6.3. */
void dawn_tcp_rack_timeout(struct dawn_tcp *c, uint64_t now_us);
/* A recovery has ended. */
void dawn_tcp_rack_done(struct dawn_tcp *c);
/* (Re)start the probe timeout if a probe is allowed. */
void dawn_tcp_tlp_start(struct dawn_tcp *c, uint64_t now_us);
bool dawn_tcp_tlp_allowed(const struct dawn_tcp *c);
void dawn_tcp_tlp_ack(struct dawn_tcp *c, const struct tcp_ack *a);

/* tcp_recover.c */
/* Before records and numbers change: was the last loss none? Then undo it. */
void dawn_tcp_undo(struct dawn_tcp *c, const struct tcp_ack *a);
/* The consequences of an ACK for peers with and without SACK. */
void dawn_tcp_recover_sack(struct dawn_tcp *c, struct tcp_ack *a);
void dawn_tcp_recover_plain(struct dawn_tcp *c, struct tcp_ack *a);
/* The reordering timer fired. */
void dawn_tcp_recover_reo(struct dawn_tcp *c, uint64_t now_us);
/* The retransmission timer fired. */
void dawn_tcp_recover_timeout(struct dawn_tcp *c, uint64_t now_us);
/* Something goes out again; first: has undo_* to be set? */
void dawn_tcp_undo_sent(struct dawn_tcp *c, uint32_t end, uint64_t now_us);

/* tcp_reasm.c. The segment passed all checks. Return: events. */
unsigned int dawn_tcp_reasm_input(struct dawn_tcp *c,
				  const struct dawn_tcp_seg *seg,
				  uint64_t now_us);
/* SACK blocks to send, RFC 2018, 4. Return: how many, <= max. */
uint8_t dawn_tcp_reasm_blocks(const struct dawn_tcp *c,
			      struct dawn_tcp_sack *out, uint8_t max);

/* tcp_sack.c: sorted lists of disjoint ranges, and SACK blocks. */
bool dawn_tcp_range_fits(const struct dawn_tcp_sack *r, uint8_t n, uint8_t max,
			 uint32_t start, uint32_t end);
void dawn_tcp_range_add(struct dawn_tcp_sack *r, uint8_t *n, uint32_t start,
			uint32_t end);
/* Take the blocks of an ACK, after snd_una rose. */
void dawn_tcp_sack_input(struct dawn_tcp *c, struct tcp_ack *a);

/* tcp_output.c: after the application read, is a window update due? */
void dawn_tcp_window_check(struct dawn_tcp *c);
/* Largest window that ring and field allow. */
uint32_t dawn_tcp_window_max(const struct dawn_tcp *c);

/* tcp_grow.c: a segment with data came. */
void dawn_tcp_rcv_measure(struct dawn_tcp *c, const struct dawn_tcp_seg *seg,
			  uint64_t now_us);

/* tcp_rtt.c */
void dawn_tcp_rtt_init(struct dawn_tcp *c, uint32_t srtt_us,
		       uint32_t rttvar_us);
void dawn_tcp_rtt_sample(struct dawn_tcp *c, uint64_t us);
uint64_t dawn_tcp_rtt_timeout_us(const struct dawn_tcp *c);

/* tcp_timer.c */
void dawn_tcp_rtx_start(struct dawn_tcp *c, uint8_t mode, uint64_t now_us);
void dawn_tcp_rtx_restart(struct dawn_tcp *c, uint64_t now_us);
void dawn_tcp_rtx_stop(struct dawn_tcp *c);
void dawn_tcp_life_start(struct dawn_tcp *c, uint64_t now_us);

/* tcp_cc.c */
uint32_t dawn_tcp_cc_initial(const struct dawn_tcp *c);

#endif
