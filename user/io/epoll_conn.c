// SPDX-License-Identifier: MIT OR Apache-2.0
/* Bytes of one connection: kernel, buffers, protocol. See epoll.c for how it
 * fits together. */
#include "user/io/epoll_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RECV_BATCH  4  /* reads of rx_max for each readiness */
#define PUMP_ROUNDS 16 /* fairness: then the other connections */
#define BUFFER_MIN  4096
#define BUFFER_FREE (16U << 10) /* granted beyond buffers_max, too */

/* --- buffers ------------------------------------------------------------- */

static void buffer_free(struct dawn_epoll *t, struct buffer *b)
{
	t->counts.buffer_bytes -= b->size;
	free(b->mem);
	*b = (struct buffer){ 0 };
}

/* Largest capacity the buffer may have now: `max`, less when memory is short. */
static uint32_t buffer_limit(const struct dawn_epoll *t, const struct buffer *b,
			     uint32_t max)
{
	uint64_t others = t->counts.buffer_bytes - b->size;
	uint64_t left = others < t->o.buffers_max ? t->o.buffers_max - others
						  : 0;

	if (left < BUFFER_FREE)
		left = BUFFER_FREE;
	if (left < b->size)
		left = b->size;
	return left < max ? (uint32_t)left : max;
}

/* Move what is there into a bigger piece of memory, at its start. */
static int buffer_resize(struct dawn_epoll *t, struct buffer *b, uint32_t size)
{
	uint8_t *mem = malloc(size);

	if (!mem)
		return -ENOMEM;
	if (b->len)
		memcpy(mem, b->mem + b->start, b->len);
	free(b->mem);
	t->counts.buffer_bytes += size - b->size;
	b->mem = mem;
	b->size = size;
	b->start = 0;
	return 0;
}

/* Make room behind the bytes in use. Return: how much there is, at most
 * `want`; 0 if memory ran out. */
static uint32_t buffer_room(struct dawn_epoll *t, struct buffer *b,
			    uint32_t want, uint32_t max)
{
	uint32_t limit = buffer_limit(t, b, max);
	uint32_t size = b->size ? b->size : BUFFER_MIN;

	if (want > limit - b->len)
		want = limit - b->len;
	if (b->start && b->start + b->len + want > b->size) {
		memmove(b->mem, b->mem + b->start, b->len);
		b->start = 0;
	}
	if (b->len + want <= b->size)
		return want;
	while (size < b->len + want)
		size *= 2;
	if (size > limit)
		size = limit;
	return buffer_resize(t, b, size) ? b->size - b->len : want;
}

static void buffer_take(struct dawn_epoll *t, struct buffer *b, uint32_t len)
{
	b->start += len;
	b->len -= len;
	if (!b->len)
		buffer_free(t, b);
}

/* --- what protocols call ------------------------------------------------- */

static size_t conn_space(const struct dawn_stream *s)
{
	const struct conn *c = (const struct conn *)s;

	if (c->fin || c->dead)
		return 0;
	return buffer_limit(c->t, &c->tx, c->t->o.tx_max) - c->tx.len;
}

/* More than half of what tx may hold now is in use. */
static bool low_space(const struct conn *c)
{
	return c->tx.len > buffer_limit(c->t, &c->tx, c->t->o.tx_max) / 2;
}

static size_t conn_write(struct dawn_stream *s, const void *buf, size_t len)
{
	struct conn *c = (struct conn *)s;
	uint32_t max = c->t->o.tx_max;
	uint32_t n;

	if (c->fin || c->dead)
		return 0;
	n = buffer_room(c->t, &c->tx, len > max ? max : (uint32_t)len, max);
	if (n)
		memcpy(c->tx.mem + c->tx.start + c->tx.len, buf, n);
	c->tx.len += n;
	if (n < len)
		c->starved = true;
	return n;
}

static void conn_shutdown(struct dawn_stream *s)
{
	((struct conn *)s)->fin = true;
}

void dawn_epoll_kill(struct conn *c, enum dawn_close_reason why, bool reset)
{
	if (c->dead)
		return;
	c->dead = true;
	c->why = why;
	c->reset = reset;
}

static void conn_abort(struct dawn_stream *s)
{
	dawn_epoll_kill((struct conn *)s, DAWN_CLOSE_ABORTED, true);
}

const struct dawn_stream_ops dawn_epoll_stream_ops = {
	.space = conn_space,
	.write = conn_write,
	.shutdown = conn_shutdown,
	.abort = conn_abort,
};

/* --- moving bytes -------------------------------------------------------- */

const struct dawn_proto_ops *dawn_epoll_enter(struct conn *c)
{
	c->stream.now_ms = now_ms(c->t);
	return c->stream.protocol;
}

void dawn_epoll_io_error(struct conn *c, int err)
{
	dawn_epoll_kill(
		c, err == ETIMEDOUT ? DAWN_CLOSE_TIMEOUT : DAWN_CLOSE_RESET,
		false);
}

/* tx -> kernel. Return: whether anything moved. */
static bool flush(struct conn *c)
{
	bool moved = false;

	while (c->tx.len && !c->dead) {
		ssize_t n = send(c->src.fd, c->tx.mem + c->tx.start, c->tx.len,
				 MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == ENOBUFS))
			break;
		if (n == -1) {
			dawn_epoll_io_error(c, errno);
			break;
		}
		buffer_take(c->t, &c->tx, (uint32_t)n);
		c->progress_ms = now_ms(c->t);
		moved = true;
	}
	if (c->fin && !c->tx.len && !c->fin_sent && !c->dead) {
		shutdown(c->src.fd, SHUT_WR);
		c->fin_sent = true;
		c->progress_ms = now_ms(c->t);
	}
	return moved;
}

/* Show bytes as long as the protocol takes some. Return: how many it took. */
static uint32_t show(struct conn *c, const uint8_t *buf, uint32_t len)
{
	uint32_t off = 0;

	while (off < len && !c->dead && !c->starved && !c->fin) {
		size_t n = dawn_epoll_enter(c)->data(&c->stream, buf + off,
						     len - off);

		assert(n <= len - off);
		if (!n)
			break;
		off += (uint32_t)n;
		c->starved |= low_space(c);
	}
	return c->fin ? len : off;
}

/* Keep what the protocol left of a piece that was not in rx. */
static void keep(struct conn *c, const uint8_t *buf, uint32_t len)
{
	if (!len || c->dead)
		return;
	if (buffer_room(c->t, &c->rx, len, c->t->o.rx_max) < len) {
		dawn_epoll_kill(c, DAWN_CLOSE_ABORTED, true);
		return;
	}
	memcpy(c->rx.mem + c->rx.start + c->rx.len, buf, len);
	c->rx.len += len;
}

static bool show_rx(struct conn *c)
{
	uint32_t n;

	if (!c->rx.len)
		return false;
	n = show(c, c->rx.mem + c->rx.start, c->rx.len);
	if (n)
		buffer_take(c->t, &c->rx, n);
	return n;
}

bool dawn_epoll_may_read(const struct conn *c)
{
	if (c->eof || c->dead)
		return false;
	return c->fin || (!c->starved && c->rx.len < c->t->o.rx_max);
}

static ssize_t receive_some(struct conn *c, uint8_t *buf, uint32_t len)
{
	ssize_t n;

	do {
		n = recv(c->src.fd, buf, len, 0);
	} while (n == -1 && errno == EINTR);
	if (n == 0)
		c->eof = true;
	if (n == -1 && errno != EAGAIN)
		dawn_epoll_io_error(c, errno);
	return n;
}

/* Usually nothing is left over and the bytes never leave the scratch buffer.
 * Return: whether there may be more to read. */
static bool receive_once(struct conn *c)
{
	struct dawn_epoll *t = c->t;
	bool direct = !c->rx.len;
	uint32_t room = buffer_limit(t, &c->rx, t->o.rx_max);
	uint8_t *buf = t->scratch;
	ssize_t n;

	if (!direct) {
		room = buffer_room(t, &c->rx, c->rx.len + BUFFER_MIN,
				   t->o.rx_max);
		if (!room) {
			dawn_epoll_kill(c, DAWN_CLOSE_ABORTED, true);
			return false;
		}
		buf = c->rx.mem + c->rx.start + c->rx.len;
	}
	n = receive_some(c, buf, room);
	if (n <= 0)
		return false;
	if (direct) {
		uint32_t used = show(c, buf, (uint32_t)n);

		keep(c, buf + used, (uint32_t)n - used);
	} else {
		c->rx.len += (uint32_t)n;
		show_rx(c);
	}
	return (uint32_t)n == room;
}

void dawn_epoll_receive(struct conn *c)
{
	for (int i = 0; i < RECV_BATCH && dawn_epoll_may_read(c); i++) {
		if (!receive_once(c))
			break;
	}
	TAILQ_REMOVE(&c->t->conns, c, link);
	TAILQ_INSERT_TAIL(&c->t->conns, c, link);
}

/* tx has room again. Return: whether the protocol was told. */
static bool feed(struct conn *c)
{
	if (!c->starved || c->fin || c->dead || low_space(c))
		return false;
	c->starved = false;
	dawn_epoll_enter(c)->writable(&c->stream);
	c->starved |= low_space(c);
	return true;
}

static bool show_eof(struct conn *c)
{
	if (!c->eof || c->eof_shown || c->starved || c->fin || c->dead)
		return false;
	c->eof_shown = true;
	dawn_epoll_enter(c)->eof(&c->stream);
	return true;
}

void dawn_epoll_pump(struct conn *c)
{
	bool moved = true;

	for (int i = 0; i < PUMP_ROUNDS && moved && !c->dead; i++) {
		moved = flush(c);
		moved |= feed(c);
		moved |= show_rx(c);
		moved |= show_eof(c);
	}
	c->again = moved && !c->dead;
	if (c->fin && c->rx.len)
		buffer_free(c->t, &c->rx);
	if (!c->fin && !c->starved && c->rx.len >= c->t->o.rx_max && !c->dead) {
		c->t->counts.overflow++;
		dawn_epoll_kill(c, DAWN_CLOSE_ABORTED, true);
	}
	if (c->fin_sent && c->eof)
		dawn_epoll_kill(c, DAWN_CLOSE_DONE, false);
}

void dawn_epoll_free_buffers(struct conn *c)
{
	buffer_free(c->t, &c->rx);
	buffer_free(c->t, &c->tx);
}
