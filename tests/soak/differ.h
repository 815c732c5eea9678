/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Differential fuzzing of TCP: the same segments and calls into our engine and
 * into the kernel's TCP, step by step, compared after each.
 *
 * A stream is options and symbolic steps ("data after the second hole", "ACK
 * half of what is in flight"). A step becomes a concrete segment only when it
 * is run, from what both sides have said so far (differ_pick.c); so a stream
 * still means something after a step was taken out or changed, and where the
 * two sides may rightly differ (how far they open a window, how much they have
 * sent) a segment is chosen on which they must agree.
 *
 * Numbers in dseg and dview are relative: the peer's to its ISN + 1, ours (the
 * server's) to its ISN + 1, on each side; TSvals of the peer to the first one.
 *
 * ## Where the kernel differs, and what is done about it
 *
 * A rule here is a step bent (counted, shown by -v) or a comparison left out,
 * never more than named. "RFC" says with whom we are.
 *
 *  edge     Data beyond the window: since 6.17 the kernel drops the segment, or
 *           takes all of it if nothing is unread; before that it takes all. We
 *           cut it (RFC 9293, 3.10.7.4: trim). Data end at the nearer edge, or
 *           begin past the farther one.
 *  overlap  Copies that disagree before they are in order: the kernel keeps the
 *           piece that starts lower, or the longer one; we keep what came
 *           first. No RFC says which. Such bytes may be of either copy, all
 *           others and all that are in order already may not.
 *  fin      A FIN below data that came before it, or data past a FIN that is
 *           not in order yet: a peer that contradicts itself; the kernel
 *           believes the lower piece, we what came first. Not sent.
 *           Data that begin before a received FIN and end after it: the kernel
 *           resets, we ignore them (RFC 9293, 3.10.7.4, seventh). Not sent.
 *  rst-ext  RST at RCV.NXT - 1 after a FIN, and at the end of the highest range
 *           held: the kernel resets; RFC 5961 knows neither. Not sent. (It goes
 *           by its four SACK blocks; with more ranges than that a copy of old
 *           bytes is one of its own. Then such a RST is at RCV.NXT + 1.)
 *  rst-edge RST at the right edge itself: not in the window, so ignored by us
 *           (RFC 5961, 3.2); the kernel answers. Not sent.
 *  no-ts    A segment without the timestamp option that was agreed: the kernel
 *           takes it, we drop it (RFC 7323, 3.2). It is followed by its copy
 *           with the option, and the comparison comes after that one, without
 *           answers.
 *  paws     The kernel forgives one tick, and believes that a recent timestamp
 *           of 0 is none. Old ones are older; an echo of 0 is not compared.
 *  paws-ack An old timestamp on a pure ACK: the kernel may take it for
 *           reordered and say nothing, we answer. Answers are not compared.
 *  wnd      Window updates: the kernel takes any that comes with a new ACK and
 *           none that shrinks (but to 0) without; we follow SND.WL1 and WL2
 *           (RFC 9293, 3.10.7.4). Windows are not compared from a segment on
 *           which the rules differ to the next on which they agree.
 *  old-ack  How old an ACK may be (RFC 5961, 5.2): the kernel's bound is also
 *           what was ever acknowledged; ACKs are clearly inside or outside. Its
 *           fast path takes data in order whatever their ACK: then there are
 *           none. Its old ACKs bring no timestamp (RFC 7323, 5.3, R3: they do).
 *  future   An ACK of what was not sent, in ESTABLISHED: the kernel is silent,
 *           we answer (RFC 9293, 3.10.7.4). Answers are not compared. In
 *           TIME_WAIT the kernel looks at no ACK at all; not sent there.
 *  dup-ack  A duplicate that ends at RCV.NXT: the kernel uses its ACK, window
 *           and timestamp, we do not (it is not acceptable; RFC 7323, 5.3, R2
 *           comes before R3). Sent without news.
 *  no-ack   A segment without ACK: the kernel drops it first of all, we look at
 *           its sequence number first. Answers are not compared. (In TIME_WAIT
 *           the kernel takes it; not sent there.)
 *  sws      Less window than a segment: the kernel waits, we send from half of
 *           the largest window on (RFC 9293, 3.8.6.2.1), and a FIN does not
 *           wait for a place. What was sent is compared only if all of it fits.
 *  cwnd     Loss recovery is not the same (RACK, PRR, packets or bytes). After
 *           a duplicate ACK or SACK blocks how far each has sent is not
 *           compared any more; the bytes always are. Of timers: after a wait
 *           what is unacknowledged was sent again, a closed window was probed,
 *           and nothing else was sent. In such streams answers are not compared
 *           (the limit of challenge ACKs).
 *  rtt      After a timeout the kernel measures every segment that was sent only
 *           once, and a wait lies between; we measure one of a flight, and not
 *           one sent while the rest was repaired. Both obey Karn (RFC 6298, 3),
 *           but the kernel's timeout may come to be longer than a wait. There it
 *           may be silent where we send again: once, and once as a probe.
 *  sack     Blocks are compared while there are at most three ranges; D-SACK
 *           blocks (RFC 2883) are set apart first. The kernel counts a held
 *           FIN as a byte of a block, we do not.
 *  abort    With unread bytes the kernel resets also from CLOSING and LAST_ACK;
 *           RFC 9293, 3.10.5, does not. Not compared.
 *           Over a window that was taken back its RST begins at the edge,
 *           ours at SND.NXT (3.10.5). Compared otherwise.
 *  urgent   Read in line on both sides (SO_OOBINLINE).
 *  limits   The kernel's rate limits on answers are switched off by sysctl, ours
 *           (10 challenge ACKs a second) by time that passes between them.
 *  delack   The kernel's route says quickack; ours are flushed after each step.
 */
#ifndef DAWN_TESTS_SOAK_DIFFER_H
#define DAWN_TESTS_SOAK_DIFFER_H

#include <stdio.h>

#include "user/net/tcp_conn.h"

#define D_STEPS   64
#define D_OUTS    96
#define D_LEN_MAX 1800   /* of a segment */
#define D_REL_MAX 120000 /* the peer sends no byte beyond */

enum d_kind { D_SEG, D_WRITE, D_READ, D_SHUT, D_ABORT, D_WAIT, D_KINDS };

enum d_pos {
	D_POS_NXT,    /* RCV.NXT + off */
	D_POS_HI,     /* the end of what was sent + off */
	D_POS_START,  /* the start, */
	D_POS_END,    /* the end of a held range, + off */
	D_POS_EDGE,   /* the window's right edge - off */
	D_POS_BEYOND, /* past it */
	D_POS_FAR,    /* a quarter of the space away */
	D_POS_FIN,    /* the peer's FIN + off */
	D_POS_COUNT,
};

enum d_ack {
	D_ACK_SAME,
	D_ACK_ALL,
	D_ACK_PART,
	D_ACK_OLD,
	D_ACK_FUTURE,
	D_ACK_FAR,
	D_ACK_COUNT
};

enum d_wnd { D_WND_SAME, D_WND_SET, D_WND_ZERO, D_WND_COUNT };

enum d_ts {
	D_TS_SAME,
	D_TS_NEWER,
	D_TS_OLD,
	D_TS_RECENT,
	D_TS_NONE,
	D_TS_COUNT,
};

enum d_sack {
	D_SACK_NONE,
	D_SACK_VALID,
	D_SACK_DSACK,
	D_SACK_BEYOND,
	D_SACK_REVERSED,
	D_SACK_MIXED,
	D_SACK_COUNT,
};

/* A D_WAIT: longer than the smallest RTO, shorter than the next one after it. */
#define D_WAIT_MS 450

#define D_FLAG_X 0x40 /* the payload disagrees; in the place of ECE */

struct dstep {
	uint8_t kind, flags, pos, ack, wnd, ts, sack, pick;
	int16_t off;
	uint16_t len, ackoff, wndval, tsoff, sackoff;
};

struct dopts {
	uint32_t isn, ts;
	uint16_t mss, wnd;
	uint8_t wscale; /* > 14: none */
	uint8_t sack_ok, ts_ok, v6, small;
	uint8_t slow; /* time passes in it, see D_WAIT_MS */
	uint8_t pad[2];
};

struct dstream {
	struct dopts opts;
	uint32_t count;
	struct dstep step[D_STEPS];
};

struct dseg {
	int32_t seq, ack;
	uint32_t len;
	uint16_t wnd;
	uint8_t flags;
	bool odd; /* payload that disagrees */
	bool has_ts;
	int32_t tsval, tsecr;
	uint8_t sacks;
	struct {
		int32_t start, end;
	} sack[DAWN_TCP_SACK_MAX];
	uint8_t data[D_LEN_MAX + 1];
};

/* What a side shows. Of an output segment `data` is not kept. */
struct dview {
	uint8_t state; /* enum dawn_tcp_state; TIME_WAIT reads CLOSED */
	bool reset;
	bool cwnd_full;
	int32_t rcv_nxt, snd_una, snd_max;
	int32_t edge; /* right edge of the window offered */
	uint32_t readable, snd_wnd;
	unsigned int outs; /* segments of this step */
	struct dseg *out;  /* D_OUTS */
	char *bad;         /* a wrong byte or segment, or NULL */
};

/* A byte at a relative number: from the peer, and from us. */
static inline uint8_t d_peer_byte(int32_t rel, bool odd)
{
	uint32_t u = (uint32_t)rel;

	return (uint8_t)(u * 7 + (u >> 8) * 13 + 1) ^ (odd ? 0xff : 0);
}

static inline uint8_t d_our_byte(int32_t rel)
{
	uint32_t u = (uint32_t)rel;

	return (uint8_t)(u * 7 + (u >> 8) * 13 + 101);
}

/* differ_kernel.c: the kernel's TCP behind a TUN device, in a network namespace
 * that this process enters. Return: 0 or -errno; -1 and `bad` for a stream
 * that cannot begin. */
int kernel_setup(void);
int kernel_open(struct dview *v, const struct dopts *o);
void kernel_inject(struct dview *v, const struct dseg *g);
uint32_t kernel_write(struct dview *v, uint32_t len);
uint32_t kernel_read(struct dview *v, uint8_t *buf, uint32_t len);
void kernel_shutdown(struct dview *v);
void kernel_abort(struct dview *v);
void kernel_wait(struct dview *v);
void kernel_observe(struct dview *v);
void kernel_end(struct dview *v);

/* differ_engine.c: ours, with a virtual clock. The kernel has been opened. */
void engine_open(struct dview *v, const struct dopts *o, int32_t edge);
void engine_inject(struct dview *v, const struct dseg *g);
uint32_t engine_write(struct dview *v, uint32_t len);
uint32_t engine_read(struct dview *v, uint8_t *buf, uint32_t len);
void engine_shutdown(struct dview *v);
void engine_abort(struct dview *v);
void engine_wait(struct dview *v);
void engine_observe(struct dview *v);
/* Relative, for the choice of segments. */
struct engine_inside {
	uint8_t state;
	int32_t ts_recent;
	uint8_t ranges;
	struct {
		int32_t start, end;
	} range[DAWN_TCP_OOO_MAX];
	bool fin_rcvd, fin_held;
};
void engine_look(struct engine_inside *in);

/* differ_stream.c */
uint64_t d_random(uint64_t *state);
void stream_generate(struct dstream *s, uint64_t seed);
/* Put waits into a stream. */
void stream_slow(struct dstream *s, uint64_t *rng);
void stream_mutate(struct dstream *s, const struct dstream *other,
		   uint64_t *rng);
int stream_parse(struct dstream *s, const char *line);
void stream_print(FILE *to, const struct dstream *s); /* one line of hex */
void opts_print(FILE *to, const struct dopts *o);
void seg_print(FILE *to, char direction, const struct dseg *g);

/* differ_run.c, differ_pick.c */
struct drun {
	char why[512];    /* the first difference, or empty */
	uint32_t steps;   /* run */
	uint32_t novelty; /* pairs of states not seen before by this process */
	FILE *trace;      /* readable script, or NULL */
};
/* Return: false if the two sides differ. */
bool stream_run(const struct dstream *s, struct drun *r);
/* How often each rule of the list above bent a step. */
void rules_print(FILE *to);

#endif
