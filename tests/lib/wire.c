// SPDX-License-Identifier: MIT OR Apache-2.0
/* The fates, the queue and the delays of an emulated wire; see wire.h. */
#include "tests/lib/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Frames are short, most of the time: such ones are kept and used again. */
#define SMALL_BYTES 2048
#define HEAP_START  1024

#define ETH_BYTES 14
#define TAG_BYTES 4

/* What is tossed for, so that each has a stream of numbers of its own. */
enum draw {
	DRAW_LOSS,
	DRAW_DUP,
	DRAW_REORDER,
	DRAW_CORRUPT,
	DRAW_BIT,
	DRAW_JITTER,
	DRAWS
};

int wire_init(struct wire *w, const struct wire_options *o, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->o = *o;
	w->seed = seed;
	w->room = HEAP_START;
	w->heap = malloc(w->room * sizeof(struct wire_frame *));
	w->leaves = calloc((size_t)o->queue + 1, sizeof(*w->leaves));
	if (!w->heap || !w->leaves) {
		free(w->heap);
		free(w->leaves);
		return -ENOMEM;
	}
	return 0;
}

void wire_destroy(struct wire *w)
{
	struct wire_frame *f;

	for (uint32_t i = 0; i < w->held; i++)
		free(w->heap[i]);
	while ((f = w->free)) {
		w->free = f->next;
		free(f);
	}
	free(w->heap);
	free(w->leaves);
	memset(w, 0, sizeof(*w));
}

/* A number for frame n and a purpose: two rounds of splitmix64's mixing. */
static uint64_t draw(const struct wire *w, enum draw what, uint64_t n)
{
	uint64_t z = w->seed * 0x9e3779b97f4a7c15ULL + n * DRAWS + what;

	for (int i = 0; i < 2; i++) {
		z += 0x9e3779b97f4a7c15ULL;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
		z ^= z >> 31;
	}
	return z;
}

static bool toss(const struct wire *w, enum draw what, uint64_t n, double p)
{
	return p > 0 && (double)(draw(w, what, n) >> 11) * 0x1p-53 < p;
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* What a TCP, UDP, ICMP header needs. Return: 0 for another protocol. */
static uint32_t l4_min(uint8_t proto)
{
	switch (proto) {
	case 6:
		return 20;
	case 17:
	case 1:
	case 58:
		return 8;
	default:
		return 0;
	}
}

static bool find_v4(const uint8_t *ip, uint32_t len, struct wire_l4 *l4)
{
	uint32_t hdr, total;

	if (len < 20)
		return false;
	hdr = (ip[0] & 15U) * 4;
	total = get16(ip + 2);
	if (hdr < 20 || total < hdr || total > len)
		return false;
	l4->proto = ip[9];
	l4->fragment = get16(ip + 6) & 0x3fff;
	l4->off += hdr;
	l4->len = total - hdr;
	return true;
}

static bool find_v6(const uint8_t *ip, uint32_t len, struct wire_l4 *l4)
{
	if (len < 40 || get16(ip + 4) > len - 40)
		return false;
	l4->proto = ip[6];
	l4->fragment = false;
	l4->off += 40;
	l4->len = get16(ip + 4);
	return true;
}

bool wire_find_l4(const uint8_t *data, uint32_t len, struct wire_l4 *l4)
{
	uint32_t off = ETH_BYTES, doff, min;
	bool found;

	if (len < off)
		return false;
	while ((get16(data + off - 2) == 0x8100 ||
		get16(data + off - 2) == 0x88a8) &&
	       len >= off + TAG_BYTES)
		off += TAG_BYTES;
	l4->off = off;
	l4->payload = 0;
	if (get16(data + off - 2) == 0x0800)
		found = find_v4(data + off, len - off, l4);
	else if (get16(data + off - 2) == 0x86dd)
		found = find_v6(data + off, len - off, l4);
	else
		return false;
	min = found ? l4_min(l4->proto) : 0;
	if (!min || l4->len < min)
		return false;
	if (l4->proto == 6 && !l4->fragment) {
		doff = (data[l4->off + 12] >> 4) * 4U;
		l4->payload = l4->len > doff ? l4->len - doff : 0;
	}
	return true;
}

/* The field holds the pseudo-header's sum: add the rest, as a NIC would. */
static bool complete(uint8_t *data, uint32_t len)
{
	struct wire_l4 l4;
	uint32_t sum = 0;
	uint8_t *field;

	if (!wire_find_l4(data, len, &l4) || (l4.proto != 6 && l4.proto != 17))
		return false;
	for (uint32_t i = 0; i + 1 < l4.len; i += 2)
		sum += get16(data + l4.off + i);
	if (l4.len & 1)
		sum += (uint32_t)data[l4.off + l4.len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	if (!sum && l4.proto == 17)
		sum = 0xffff;
	field = data + l4.off + (l4.proto == 6 ? 16 : 6);
	field[0] = (uint8_t)(sum >> 8);
	field[1] = (uint8_t)sum;
	return true;
}

/* One bit, where a checksum covers it: the receiver must find it. Frames
 * without (ARP) stay whole: nobody could tell that they are wrong. */
static bool corrupt(const struct wire *w, uint64_t n, struct wire_frame *f)
{
	struct wire_l4 l4;
	uint64_t bit;

	if (!wire_find_l4(f->data, f->len, &l4))
		return false;
	bit = draw(w, DRAW_BIT, n) % ((uint64_t)l4.len * 8);
	f->data[l4.off + bit / 8] ^= (uint8_t)(1U << bit % 8);
	return true;
}

static bool earlier(const struct wire_frame *a, const struct wire_frame *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns
				      : a->order < b->order;
}

static bool heap_push(struct wire *w, struct wire_frame *f)
{
	uint32_t i;

	if (w->held == w->room) {
		struct wire_frame **more = realloc(
			w->heap, 2 * w->room * sizeof(struct wire_frame *));

		if (!more)
			return false;
		w->heap = more;
		w->room *= 2;
	}
	for (i = w->held++; i && earlier(f, w->heap[(i - 1) / 2]);
	     i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = f;
	if (w->held > w->n.held_max)
		w->n.held_max = w->held;
	return true;
}

static struct wire_frame *heap_pop(struct wire *w)
{
	struct wire_frame *top = w->heap[0], *last = w->heap[--w->held];
	uint32_t i = 0, child;

	while ((child = 2 * i + 1) < w->held) {
		if (child + 1 < w->held &&
		    earlier(w->heap[child + 1], w->heap[child]))
			child++;
		if (!earlier(w->heap[child], last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return top;
}

static struct wire_frame *take_frame(struct wire *w, uint32_t len)
{
	struct wire_frame *f = w->free;

	if (len > SMALL_BYTES)
		return malloc(sizeof(*f) + len);
	if (!f)
		return malloc(sizeof(*f) + SMALL_BYTES);
	w->free = f->next;
	return f;
}

static void give_frame(struct wire *w, struct wire_frame *f)
{
	if (f->len > SMALL_BYTES) {
		free(f);
		return;
	}
	f->next = w->free;
	w->free = f;
}

/* Get in line. Return: when the frame's last bit is on the cable, or WIRE_NEVER
 * if the queue is full. */
static uint64_t enqueue(struct wire *w, uint32_t len, uint64_t now_ns)
{
	uint64_t start = w->line_free_ns > now_ns ? w->line_free_ns : now_ns;
	uint32_t slots = w->o.queue + 1;

	if (!w->o.rate_bps)
		return now_ns;
	while (w->waiting && w->leaves[w->first] <= now_ns) {
		w->first = (w->first + 1) % slots;
		w->waiting--;
	}
	if (w->waiting >= w->o.queue)
		return WIRE_NEVER;
	w->line_free_ns = start + (uint64_t)len * 8000000000ULL / w->o.rate_bps;
	w->leaves[(w->first + w->waiting++) % slots] = w->line_free_ns;
	if (w->waiting > w->n.queue_max)
		w->n.queue_max = w->waiting;
	return w->line_free_ns;
}

/* A frame that is not lost, or its copy (n differs, its fate is drawn anew). */
static void hold(struct wire *w, uint64_t n, const uint8_t *data, uint32_t len,
		 uint64_t now_ns)
{
	uint64_t due = enqueue(w, len, now_ns);
	struct wire_frame *f = due == WIRE_NEVER ? NULL : take_frame(w, len);

	if (!f) {
		w->n.overflow++;
		return;
	}
	f->len = len;
	f->order = w->order++;
	memcpy(f->data, data, len);
	f->due_ns = due + w->o.delay_ns;
	if (w->o.jitter_ns)
		f->due_ns += draw(w, DRAW_JITTER, n) % w->o.jitter_ns;
	if (toss(w, DRAW_REORDER, n, w->o.reorder)) {
		f->due_ns += w->o.reorder_ns;
		w->n.reorder++;
	}
	if (toss(w, DRAW_CORRUPT, n, w->o.corrupt))
		w->n.corrupt += corrupt(w, n, f);
	if (!heap_push(w, f)) {
		give_frame(w, f);
		w->n.overflow++;
	}
}

/* Is this frame one of those to be lost by number? */
static bool named(struct wire *w, const uint8_t *data, uint32_t len)
{
	struct wire_l4 l4;

	if (!w->o.drop_count || !wire_find_l4(data, len, &l4) || !l4.payload)
		return false;
	w->data_frames++;
	for (uint32_t i = 0; i < w->o.drop_count; i++)
		if (w->o.drop[i] == w->data_frames)
			return true;
	return false;
}

void wire_push(struct wire *w, const uint8_t *data, uint32_t len, bool partial,
	       uint64_t now_ns)
{
	uint64_t n = w->n.received++ * 2; /* odd numbers: the copies */
	uint8_t full[WIRE_FRAME_MAX];

	if (len > WIRE_FRAME_MAX) {
		w->n.oversize++;
		return;
	}
	if (named(w, data, len)) {
		w->n.dropped++;
		return;
	}
	if (toss(w, DRAW_LOSS, n, w->o.loss)) {
		w->n.lost++;
		return;
	}
	if (partial) {
		memcpy(full, data, len);
		w->n.completed += complete(full, len);
		data = full;
	}
	hold(w, n, data, len, now_ns);
	if (toss(w, DRAW_DUP, n, w->o.dup)) {
		w->n.dup++;
		hold(w, n + 1, data, len, now_ns);
	}
}

struct wire_frame *wire_pop(struct wire *w, uint64_t now_ns)
{
	if (!w->held || w->heap[0]->due_ns > now_ns)
		return NULL;
	return heap_pop(w);
}

void wire_done(struct wire *w, struct wire_frame *f, uint64_t now_ns)
{
	uint64_t late = now_ns - f->due_ns;

	w->n.sent++;
	w->n.late_ns += late;
	w->n.late += late > WIRE_LATE_NS;
	if (late > w->n.late_max_ns)
		w->n.late_max_ns = late;
	give_frame(w, f);
}

void wire_again(struct wire *w, struct wire_frame *f)
{
	/* It has just left the heap: there is room. */
	heap_push(w, f);
}

uint64_t wire_next_ns(const struct wire *w)
{
	return w->held ? w->heap[0]->due_ns : WIRE_NEVER;
}
