/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A transport in memory, for protocols: what is fed is shown as the contract
 * in user/io/stream.h says, always ending right at a page that faults, and
 * what is written is kept. Room for output is given out by the test.
 */
#ifndef DAWN_TESTS_FAKE_STREAM_H
#define DAWN_TESTS_FAKE_STREAM_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "user/io/stream.h"

#define FAKE_IN (1U << 17) /* as large as a transport's receive buffer */

struct fake_stream {
	struct dawn_stream s; /* first: the protocol's pointer is ours */
	uint8_t *out;
	size_t out_len, out_cap;
	size_t room;     /* bytes that write() still takes */
	bool want_room;  /* space() was 0 or a write was short */
	uint8_t *in;     /* FAKE_IN bytes, then a page that faults */
	size_t in_len;   /* unconsumed, at the end of `in` */
	bool shut;       /* shutdown() was called */
	bool aborted;    /* abort() was called */
	bool wrote_late; /* a write after shutdown() */
	int notes;       /* calls of cached() */
	struct dawn_cached_response note;
	size_t note_at; /* out_len when it came */
};

static inline size_t fs_space(const struct dawn_stream *s)
{
	struct fake_stream *f = (struct fake_stream *)(uintptr_t)s;

	f->want_room |= !f->room;
	return f->room;
}

static inline size_t fs_write(struct dawn_stream *s, const void *buf,
			      size_t len)
{
	struct fake_stream *f = (struct fake_stream *)s;
	size_t n = len < f->room ? len : f->room;

	f->wrote_late |= f->shut || f->aborted;
	f->want_room |= n < len;
	f->room -= n;
	if (f->out_len + n > f->out_cap) {
		f->out_cap = (f->out_len + n) * 2;
		void *grown = realloc(f->out, f->out_cap);

		if (!grown)
			abort();
		f->out = grown;
	}
	memcpy(f->out + f->out_len, buf, n);
	f->out_len += n;
	return n;
}

static inline void fs_shutdown(struct dawn_stream *s)
{
	((struct fake_stream *)s)->shut = true;
}

static inline void fs_abort(struct dawn_stream *s)
{
	((struct fake_stream *)s)->aborted = true;
}

static inline void fs_cached(struct dawn_stream *s,
			     const struct dawn_cached_response *r)
{
	struct fake_stream *f = (struct fake_stream *)s;

	f->notes++;
	f->note = *r;
	f->note_at = f->out_len;
}

static const struct dawn_stream_ops fs_ops = {
	.space = fs_space,
	.write = fs_write,
	.shutdown = fs_shutdown,
	.abort = fs_abort,
	.cached = fs_cached,
};

static inline void fs_open(struct fake_stream *f,
			   const struct dawn_proto_ops *protocol, void *server)
{
	memset(f, 0, sizeof(*f));
	f->in = mmap(NULL, FAKE_IN + 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->in == MAP_FAILED || mprotect(f->in + FAKE_IN, 4096, PROT_NONE))
		abort();
	f->s.ops = &fs_ops;
	f->s.protocol = protocol;
	f->s.server = server;
	f->s.group = 1;
	f->s.now_ms = 1000000;
	f->room = SIZE_MAX;
	if (protocol->open(&f->s))
		abort();
}

static inline void fs_close(struct fake_stream *f)
{
	f->s.protocol->closed(&f->s, DAWN_CLOSE_DONE);
	munmap(f->in, FAKE_IN + 4096);
	free(f->out);
}

/* Show what is unconsumed. */
static inline void fs_show(struct fake_stream *f)
{
	size_t used;

	if (!f->in_len || f->aborted)
		return;
	used = f->s.protocol->data(&f->s, f->in + FAKE_IN - f->in_len,
				   f->in_len);
	if (used > f->in_len)
		abort();
	/* What is left already stands at the end. */
	f->in_len -= used;
}

/* Bytes arrive. Return: how many the receive buffer took. */
static inline size_t fs_feed(struct fake_stream *f, const void *buf, size_t len)
{
	if (len > FAKE_IN - f->in_len)
		len = FAKE_IN - f->in_len;
	memmove(f->in + FAKE_IN - f->in_len - len, f->in + FAKE_IN - f->in_len,
		f->in_len);
	memcpy(f->in + FAKE_IN - len, buf, len);
	f->in_len += len;
	fs_show(f);
	return len;
}

/* The peer takes some bytes: there is room for so many more. */
static inline void fs_room(struct fake_stream *f, size_t more)
{
	bool wanted = f->want_room;

	f->room = more;
	if (!wanted || f->aborted)
		return;
	f->want_room = false;
	f->s.protocol->writable(&f->s);
	fs_show(f);
}

static inline void fs_eof(struct fake_stream *f)
{
	if (!f->aborted)
		f->s.protocol->eof(&f->s);
}

static inline void fs_tick(struct fake_stream *f, uint64_t later_ms)
{
	f->s.now_ms += later_ms;
	if (!f->aborted)
		f->s.protocol->tick(&f->s, f->s.now_ms);
}

#endif
