/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any bytes from a client: the same answer however they are split and however
 * slowly the answer is taken; nothing is written after the end; a connection
 * is idle, closed, or waits for more, never stuck.
 *
 * Input: one byte that seeds the split, then what the client sends.
 */
#include "tests/unit/fake_stream.h"
#include "user/http/conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dawn_http_server *server;

#define CHECK(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

static void blank_dates(struct fake_stream *f)
{
	uint8_t *at = f->out, *end;

	if (!at)
		return; /* nothing was written */
	end = at + f->out_len;
	while (at < end &&
	       (at = memmem(at, (size_t)(end - at), "\r\nDate: ", 8))) {
		at += 8;
		if (end - at >= DAWN_HTTP_DATE_LEN)
			memset(at, 'D', DAWN_HTTP_DATE_LEN);
	}
}

/* One connection with these bytes. step 0: all at once, unlimited room. */
static void run(struct fake_stream *f, const uint8_t *data, size_t size,
		unsigned int step)
{
	size_t at = 0, n;

	fs_open(f, &dawn_http_protocol, server);
	if (step)
		f->room = step * 3;
	while (at < size && !f->aborted) {
		n = step ? 1 + (at * 7 + step) % (step * 2) : size;
		n = n < size - at ? n : size - at;
		n = fs_feed(f, data + at, n);
		for (int i = 0; f->want_room && i < 1 << 20; i++)
			fs_room(f, step * 3);
		CHECK(!f->want_room);
		CHECK(n || f->aborted);
		at += n;
	}
	fs_eof(f);
	for (int i = 0; f->want_room && i < 1 << 20; i++)
		fs_room(f, step * 3);
	/* After the peer's end there is nothing to wait for. */
	CHECK(f->shut || f->aborted);
	CHECK(!f->wrote_late);
	CHECK(!f->aborted); /* without files no promise can be broken */
	blank_dates(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dawn_http_options o = { .max_body = 1 << 20 };
	struct fake_stream whole, split;

	if (!server)
		CHECK(dawn_http_server_create(&server, &o) == 0);
	if (size < 1 || size > FAKE_IN / 2)
		return 0;
	run(&whole, data + 1, size - 1, 0);
	run(&split, data + 1, size - 1, 1 + data[0] % 64);
	/* An echo's chunks are as the pieces came; all else is the same. */
	if (!whole.out_len ||
	    !memmem(whole.out, whole.out_len,
		    "\r\nTransfer-Encoding: chunked\r\n", 30)) {
		CHECK(whole.out_len == split.out_len);
		CHECK(!whole.out_len ||
		      !memcmp(whole.out, split.out, whole.out_len));
	}
	fs_close(&whole);
	fs_close(&split);
	return 0;
}
