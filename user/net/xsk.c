// SPDX-License-Identifier: MIT OR Apache-2.0
/* AF_XDP socket; see xsk.h.
 *
 * Copy mode (the default): sendto() makes the kernel copy frames out of the tx
 * ring, 32 at a time, then it says EAGAIN although nothing is wrong. It also
 * says EAGAIN when the socket's send buffer is full of frames that the device
 * has not freed yet. The two are told apart by whether the ring's consumer
 * moved: no movement means to come back in the next turn.
 *
 * ENOBUFS: the device dropped the frame, which the kernel counts as sent; TCP
 * sends it again. EBUSY: the device's lock was taken. ENETDOWN, ENXIO and
 * EINVAL: the interface is down or gone; frames stay in the ring until it is
 * back, and the flush reports no backlog, so that nobody spins on it.
 *
 * Fill ring: the kernel publishes a received frame before it publishes that it
 * took the chunk off the fill ring (xsk_flush() in net/xdp/xsk.c). On another
 * CPU we may be faster: then the ring has no room yet for what is ours to give
 * back, and those chunks wait in `refill`.
 */
#include "user/net/xsk.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

/* Frames of the send buffer that may wait in the device, in bytes of memory */
#define SEND_BUFFER_BYTES (8 << 20)

struct dawn_xsk {
	struct xsk_ring_cons rx, comp;
	struct xsk_ring_prod tx, fill;
	struct xsk_umem *umem;
	struct xsk_socket *sock;
	uint8_t *area;
	size_t area_bytes;
	uint32_t ring_size;
	bool wakeup; /* zero-copy: ask the rings whether to call */

	struct dawn_xsk_frame frames[DAWN_XSK_BATCH];
	uint32_t rx_count;
	uint64_t *refill; /* chunks on their way back to the fill ring */
	uint32_t refill_count;

	uint64_t *tx_stack; /* free chunks for sending */
	uint32_t tx_count;
	uint32_t tx_queued; /* reserved in the ring, not yet submitted */
};

static int make_umem(struct dawn_xsk *x)
{
	struct xsk_umem_config cfg = {
		.fill_size = x->ring_size,
		.comp_size = x->ring_size,
		.frame_size = DAWN_XSK_CHUNK,
		.frame_headroom = 0,
	};

	x->area_bytes = 2ULL * x->ring_size * DAWN_XSK_CHUNK;
	x->area = mmap(NULL, x->area_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (x->area == MAP_FAILED) {
		x->area = NULL;
		return -errno;
	}
	return xsk_umem__create(&x->umem, x->area, x->area_bytes, &x->fill,
				&x->comp, &cfg);
}

static int make_socket(struct dawn_xsk *x, const struct dawn_xsk_options *o)
{
	struct xsk_socket_config cfg = {
		.rx_size = x->ring_size,
		.tx_size = x->ring_size,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = o->zero_copy ? XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP
					   : XDP_COPY,
	};
	int bytes = SEND_BUFFER_BYTES;
	int err = xsk_socket__create(&x->sock, o->ifname, o->queue, x->umem,
				     &x->rx, &x->tx, &cfg);

	if (err)
		return err;
	x->wakeup = o->zero_copy;
	/* A small send buffer costs speed, not correctness: not checked. */
	if (setsockopt(dawn_xsk_fd(x), SOL_SOCKET, SO_SNDBUFFORCE, &bytes,
		       sizeof(bytes)) == -1)
		(void)setsockopt(dawn_xsk_fd(x), SOL_SOCKET, SO_SNDBUF, &bytes,
				 sizeof(bytes));
	return 0;
}

static int fill_all(struct dawn_xsk *x)
{
	uint32_t idx;

	x->tx_stack = calloc(x->ring_size, sizeof(*x->tx_stack));
	x->refill = calloc(x->ring_size, sizeof(*x->refill));
	if (!x->tx_stack || !x->refill)
		return -ENOMEM;
	for (uint32_t i = 0; i < x->ring_size; i++)
		x->tx_stack[i] = (uint64_t)(x->ring_size + i) * DAWN_XSK_CHUNK;
	x->tx_count = x->ring_size;

	if (xsk_ring_prod__reserve(&x->fill, x->ring_size, &idx) !=
	    x->ring_size)
		return -ENOSPC;
	for (uint32_t i = 0; i < x->ring_size; i++)
		*xsk_ring_prod__fill_addr(&x->fill, idx + i) =
			(uint64_t)i * DAWN_XSK_CHUNK;
	xsk_ring_prod__submit(&x->fill, x->ring_size);
	return 0;
}

int dawn_xsk_create(struct dawn_xsk **out, const struct dawn_xsk_options *o)
{
	struct dawn_xsk *x;
	uint32_t key = o->queue;
	int fd, err;

	if (!o->ring_size || o->ring_size & (o->ring_size - 1))
		return -EINVAL;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->ring_size = o->ring_size;
	err = make_umem(x);
	if (!err)
		err = make_socket(x, o);
	if (!err)
		err = fill_all(x);
	if (!err) {
		fd = dawn_xsk_fd(x);
		if (bpf_map_update_elem(o->xsks_fd, &key, &fd, BPF_ANY))
			err = -errno;
	}
	if (err) {
		dawn_xsk_destroy(x);
		return err;
	}
	*out = x;
	return 0;
}

/* Closing the socket removes it from the XSKMAP. */
void dawn_xsk_destroy(struct dawn_xsk *x)
{
	if (!x)
		return;
	if (x->sock)
		xsk_socket__delete(x->sock);
	if (x->umem)
		(void)xsk_umem__delete(x->umem);
	if (x->area)
		munmap(x->area, x->area_bytes);
	free(x->tx_stack);
	free(x->refill);
	free(x);
}

int dawn_xsk_fd(const struct dawn_xsk *x)
{
	return xsk_socket__fd(x->sock);
}

uint32_t dawn_xsk_ring_size(const struct dawn_xsk *x)
{
	return x->ring_size;
}

/* As many chunks as there is room for; see the top. */
static void refill(struct dawn_xsk *x)
{
	uint32_t n = xsk_prod_nb_free(&x->fill, x->refill_count), idx;

	if (n > x->refill_count)
		n = x->refill_count;
	if (!n || xsk_ring_prod__reserve(&x->fill, n, &idx) != n)
		return;
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&x->fill, idx + i) =
			x->refill[--x->refill_count];
	xsk_ring_prod__submit(&x->fill, n);
}

uint32_t dawn_xsk_rx(struct dawn_xsk *x, const struct dawn_xsk_frame **frames)
{
	uint32_t idx, got = xsk_ring_cons__peek(&x->rx, DAWN_XSK_BATCH, &idx);

	if (!got && x->refill_count)
		refill(x);
	for (uint32_t i = 0; i < got; i++) {
		const struct xdp_desc *d =
			xsk_ring_cons__rx_desc(&x->rx, idx + i);

		/* Not given back before dawn_xsk_rx_done(). */
		x->refill[x->refill_count + i] = d->addr &
						 ~(DAWN_XSK_CHUNK - 1ULL);
		x->frames[i].data = xsk_umem__get_data(x->area, d->addr);
		x->frames[i].len = d->len;
	}
	x->rx_count = got;
	*frames = x->frames;
	return got;
}

void dawn_xsk_rx_done(struct dawn_xsk *x)
{
	if (!x->rx_count)
		return;
	xsk_ring_cons__release(&x->rx, x->rx_count);
	x->refill_count += x->rx_count;
	x->rx_count = 0;
	refill(x);
	if (x->wakeup && xsk_ring_prod__needs_wakeup(&x->fill))
		(void)recvfrom(dawn_xsk_fd(x), NULL, 0, MSG_DONTWAIT, NULL,
			       NULL);
}

static void reap(struct dawn_xsk *x)
{
	uint32_t idx, n = xsk_ring_cons__peek(&x->comp, x->ring_size, &idx);

	for (uint32_t i = 0; i < n; i++)
		x->tx_stack[x->tx_count++] =
			*xsk_ring_cons__comp_addr(&x->comp, idx + i) &
			~(DAWN_XSK_CHUNK - 1ULL);
	if (n)
		xsk_ring_cons__release(&x->comp, n);
}

uint8_t *dawn_xsk_tx_buffer(struct dawn_xsk *x)
{
	if (!x->tx_count)
		reap(x);
	if (!x->tx_count)
		return NULL;
	return xsk_umem__get_data(x->area, x->tx_stack[x->tx_count - 1]);
}

/* The tx ring has as many places as there are chunks, so it has room. */
void dawn_xsk_tx_commit(struct dawn_xsk *x, uint32_t len)
{
	struct xdp_desc *d;
	uint32_t idx;

	if (xsk_ring_prod__reserve(&x->tx, 1, &idx) != 1)
		return;
	d = xsk_ring_prod__tx_desc(&x->tx, idx);
	d->addr = x->tx_stack[--x->tx_count];
	d->len = len;
	d->options = 0;
	x->tx_queued++;
}

uint32_t dawn_xsk_tx_free(struct dawn_xsk *x)
{
	reap(x);
	return x->tx_count;
}

/* Frames submitted that the kernel has not taken out of the ring. */
static uint32_t waiting(const struct dawn_xsk *x)
{
	return x->tx.cached_prod -
	       __atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE);
}

bool dawn_xsk_flush(struct dawn_xsk *x)
{
	uint32_t before, now;

	if (x->tx_queued) {
		xsk_ring_prod__submit(&x->tx, x->tx_queued);
		x->tx_queued = 0;
	}
	now = waiting(x);
	while (now) {
		if (x->wakeup && !xsk_ring_prod__needs_wakeup(&x->tx))
			break; /* the driver is at it */
		before = now;
		if (sendto(dawn_xsk_fd(x), NULL, 0, MSG_DONTWAIT, NULL, 0) ==
			    -1 &&
		    errno != EAGAIN && errno != ENOBUFS && errno != EBUSY &&
		    errno != EINTR)
			return false; /* down or gone */
		now = waiting(x);
		if (now == before)
			break;
	}
	reap(x);
	return now && !x->wakeup;
}

uint64_t dawn_xsk_lost(const struct dawn_xsk *x)
{
	struct xdp_statistics st;
	socklen_t len = sizeof(st);

	memset(&st, 0, sizeof(st));
	if (getsockopt(dawn_xsk_fd(x), SOL_XDP, XDP_STATISTICS, &st, &len) ==
	    -1)
		return 0;
	return st.rx_dropped + st.rx_ring_full;
}
