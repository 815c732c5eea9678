/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One direction of an emulated wire: what becomes of each frame, and when it
 * comes out. No I/O and no clock of its own; tests/link/link.c puts two of them
 * between interfaces.
 *
 *   push ─► fate ─► queue ═ line of rate_bps ═► delay, jitter ─► pop
 *            │        └ full: overflow
 *            └ lost
 *
 * The fate of frame n is a function of the seed and n alone, not of the time,
 * nor of what the other direction does, nor of the probabilities of other
 * fates: runs with one seed lose the same frames.
 *
 * The queue holds frames that wait for the line, the one on it included; what
 * has left it and is delayed does not count, as with a router before a long
 * cable. Without a rate nothing ever waits.
 */
#ifndef DAWN_TESTS_LIB_WIRE_H
#define DAWN_TESTS_LIB_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_FRAME_MAX 9216
#define WIRE_DROPS_MAX 64
#define WIRE_NEVER     UINT64_MAX
#define WIRE_LATE_NS   5000000

struct wire_options {
	double loss, dup, corrupt, reorder; /* probabilities, 0..1 */
	uint64_t delay_ns, jitter_ns;
	uint64_t reorder_ns; /* so much longer is a reordered frame held */
	uint64_t rate_bps;   /* 0: unlimited */
	uint32_t queue;      /* frames */
	/* Frames with TCP data to be lost, counted from 1; for tests that want
	 * one certain segment to be lost. */
	uint32_t drop[WIRE_DROPS_MAX];
	uint32_t drop_count;
};

struct wire_counts {
	uint64_t received;      /* handed in; the sum of all fates but dup */
	uint64_t sent;          /* handed out, copies included */
	uint64_t lost, dropped; /* by chance, by number */
	uint64_t overflow;      /* the queue was full, copies included */
	uint64_t oversize;      /* above WIRE_FRAME_MAX */
	uint64_t dup, corrupt, reorder;
	uint64_t completed; /* checksums that the sender left to its NIC */
	uint32_t queue_max, held_max;  /* frames; held: queued and delayed */
	uint64_t late_ns, late_max_ns; /* came out after they were due */
	uint64_t late;                 /* by more than WIRE_LATE_NS */
};

struct wire_frame {
	uint64_t due_ns;
	uint64_t order; /* ties: first in, first out */
	uint32_t len;
	struct wire_frame *next; /* in the free list */
	uint8_t data[];
};

struct wire {
	struct wire_options o;
	struct wire_counts n;
	uint64_t seed;
	uint64_t order;
	uint32_t data_frames;
	uint64_t line_free_ns;    /* when the line has sent all of the queue */
	uint64_t *leaves;         /* ring: when each queued frame leaves it */
	uint32_t first, waiting;  /* of that ring */
	struct wire_frame **heap; /* by due time */
	uint32_t held, room;
	struct wire_frame *free;
};

/* Return: 0 or -ENOMEM. */
int wire_init(struct wire *w, const struct wire_options *o, uint64_t seed);
void wire_destroy(struct wire *w);

/* A frame arrived at now_ns, which must not go back. `partial`: its TCP or UDP
 * checksum is the pseudo-header's only. A frame above WIRE_FRAME_MAX is only
 * counted. */
void wire_push(struct wire *w, const uint8_t *data, uint32_t len, bool partial,
	       uint64_t now_ns);

/* The next frame that is due, to be given to wire_done() or wire_again().
 * Return: NULL if none is. */
struct wire_frame *wire_pop(struct wire *w, uint64_t now_ns);
void wire_done(struct wire *w, struct wire_frame *f, uint64_t now_ns);
/* It could not be sent: keep it. Frames stay in order. */
void wire_again(struct wire *w, struct wire_frame *f);

/* When the next one is due, or WIRE_NEVER. */
uint64_t wire_next_ns(const struct wire *w);

/* Where the bytes lie that a TCP, UDP or ICMP checksum covers. */
struct wire_l4 {
	uint32_t off, len;
	uint8_t proto;
	uint32_t payload; /* of TCP: bytes of data */
	bool fragment;    /* IPv4: not the whole of it */
};

/* Return: false if the frame has none that we know. */
bool wire_find_l4(const uint8_t *data, uint32_t len, struct wire_l4 *l4);

#endif
