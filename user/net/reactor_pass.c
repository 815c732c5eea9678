// SPDX-License-Identifier: MIT OR Apache-2.0
/* Frames that reached the wrong thread, on their way to the right one.
 *
 * A bounded ring with a turn number in each slot: writers win a position by
 * compare-and-swap of `head`, copy, and publish by raising the slot's number;
 * the one reader waits for that number. A full ring drops the frame: the peer
 * sends it again, and nobody waits.
 *
 *   slot.turn == pos          free for the writer of position pos
 *   slot.turn == pos + 1      filled, for the reader of position pos
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/net/reactor_int.h"

#define PASS_SLOTS 256 /* 1 MB; touched only if frames change threads */

struct pass_slot {
	_Atomic uint32_t turn;
	uint32_t len;
	uint32_t hops;
	uint8_t data[DAWN_XSK_CHUNK];
};

struct dawn_pass_ring {
	_Alignas(64) _Atomic uint32_t head; /* writers */
	_Alignas(64) uint32_t tail;         /* the reader's */
	_Alignas(64) _Atomic bool woken;
	struct pass_slot slot[PASS_SLOTS];
};

int dawn_pass_create(struct dawn_pass_ring **out)
{
	struct dawn_pass_ring *p = aligned_alloc(64, sizeof(*p));

	if (!p)
		return -ENOMEM;
	atomic_init(&p->head, 0);
	p->tail = 0;
	atomic_init(&p->woken, false);
	for (uint32_t i = 0; i < PASS_SLOTS; i++)
		atomic_init(&p->slot[i].turn, i);
	*out = p;
	return 0;
}

void dawn_pass_destroy(struct dawn_pass_ring *p)
{
	free(p);
}

static struct pass_slot *reserve(struct dawn_pass_ring *p, uint32_t *pos)
{
	*pos = atomic_load_explicit(&p->head, memory_order_relaxed);
	for (;;) {
		struct pass_slot *s = &p->slot[*pos % PASS_SLOTS];
		int32_t ahead =
			(int32_t)(atomic_load_explicit(&s->turn,
						       memory_order_acquire) -
				  *pos);

		if (ahead < 0)
			return NULL; /* full */
		if (ahead > 0)
			*pos = atomic_load_explicit(&p->head,
						    memory_order_relaxed);
		else if (atomic_compare_exchange_weak(&p->head, pos, *pos + 1))
			return s;
	}
}

/* Being woken is all: the turn looks into the ring. */
static void woken(void *arg)
{
	(void)arg;
}

bool dawn_pass_put(struct dawn_reactor *to, const uint8_t *data, uint32_t len,
		   uint32_t hops)
{
	struct dawn_pass_ring *p = to->inbox;
	struct pass_slot *s;
	uint32_t pos;

	if (len > DAWN_XSK_CHUNK)
		return false;
	s = reserve(p, &pos);
	if (!s)
		return false;
	memcpy(s->data, data, len);
	s->len = len;
	s->hops = hops;
	atomic_store_explicit(&s->turn, pos + 1, memory_order_release);
	/* Not posted: the reader looks at least every 20 ms anyway. */
	if (!atomic_exchange(&p->woken, true) &&
	    dawn_loop_post(to->loop, woken, to))
		atomic_store(&p->woken, false);
	return true;
}

/* `woken` goes first: what is put after it wakes us again. */
bool dawn_pass_get(struct dawn_reactor *r)
{
	struct dawn_pass_ring *p = r->inbox;
	uint32_t n;

	atomic_store(&p->woken, false);
	for (n = 0; n < PASS_SLOTS; n++) {
		struct pass_slot *s = &p->slot[p->tail % PASS_SLOTS];

		if (atomic_load_explicit(&s->turn, memory_order_acquire) !=
		    p->tail + 1)
			break;
		dawn_reactor_frame(r, s->data, s->len, s->hops);
		atomic_store_explicit(&s->turn, p->tail + PASS_SLOTS,
				      memory_order_release);
		p->tail++;
	}
	return n > 0;
}
