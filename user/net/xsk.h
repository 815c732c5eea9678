/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One AF_XDP socket and its UMEM: frames in, frames out.
 *
 * UMEM is 2 x ring_size chunks of DAWN_XSK_CHUNK bytes: the first half goes
 * round between fill ring and rx ring, the second between tx ring and
 * completion ring, so that neither direction can starve the other.
 *
 * Not thread safe; no call blocks.
 */
#ifndef DAWN_NET_XSK_H
#define DAWN_NET_XSK_H

#include <stdbool.h>
#include <stdint.h>

#define DAWN_XSK_CHUNK 4096
/* Frames that dawn_xsk_rx() hands out at once. */
#define DAWN_XSK_BATCH 64

struct dawn_xsk;

struct dawn_xsk_options {
	const char *ifname;
	uint32_t queue;
	uint32_t ring_size; /* frames, a power of two */
	bool zero_copy;
	int xsks_fd; /* the XSKMAP; the socket goes to [queue] */
};

struct dawn_xsk_frame {
	const uint8_t *data;
	uint32_t len;
};

/* Bind the socket, fill the fill ring, enter it into the map. Return: 0 or
 * negative errno; nothing is left behind then. */
int dawn_xsk_create(struct dawn_xsk **out, const struct dawn_xsk_options *o);
void dawn_xsk_destroy(struct dawn_xsk *x); /* NULL is fine */

int dawn_xsk_fd(const struct dawn_xsk *x);
uint32_t dawn_xsk_ring_size(const struct dawn_xsk *x);

/* Frames that arrived, at most DAWN_XSK_BATCH; valid until they are all given
 * back by dawn_xsk_rx_done(), which must come before the next call.
 * Return: how many. */
uint32_t dawn_xsk_rx(struct dawn_xsk *x, const struct dawn_xsk_frame **frames);
void dawn_xsk_rx_done(struct dawn_xsk *x);

/* A buffer of DAWN_XSK_CHUNK bytes to build a frame in; NULL: all are under
 * way, try after the next flush. Asking twice returns the same one. */
uint8_t *dawn_xsk_tx_buffer(struct dawn_xsk *x);

/* Queue the buffer's first len bytes as a frame. */
void dawn_xsk_tx_commit(struct dawn_xsk *x, uint32_t len);

/* Buffers there are now. */
uint32_t dawn_xsk_tx_free(struct dawn_xsk *x);

/* Give queued frames to the kernel and take back what it has sent.
 * Return: whether frames are left that it would not take now. */
bool dawn_xsk_flush(struct dawn_xsk *x);

/* Frames redirected to this socket that never reached the rx ring, since it
 * was made: rings full, or larger than a chunk. A system call. */
uint64_t dawn_xsk_lost(const struct dawn_xsk *x);

#endif
