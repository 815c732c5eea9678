/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What tests of the HTTP server share: a root directory, a server over a transport
 * in memory, and the words that exchanges are written in.
 *
 * In expected output Date and ETag stand as D and E; see mask().
 */
#ifndef DAWN_TEST_HTTP_RIG_H
#define DAWN_TEST_HTTP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/fake_stream.h"
#include "user/http/conn.h"

#define BIG_SIZE 100000

static char root[] = "/tmp/dawn_http_XXXXXX";
static struct dawn_files *files;
static struct dawn_http_server *server;
static uint8_t big[BIG_SIZE];

static inline void write_file(const char *name, const void *text, size_t len)
{
	struct timespec times[2] = { { 784111777, 0 }, { 784111777, 0 } };
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd != -1);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static inline int setup(void **state)
{
	struct dawn_files_options fo = { .root = root };
	struct dawn_http_options ho = { .max_body = 1000000 };
	char path[128];

	(void)state;
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof(path), "%s/dir", root);
	if (mkdir(path, 0755))
		return -1;
	for (size_t i = 0; i < BIG_SIZE; i++)
		big[i] = (uint8_t)(i * 7 + i / 251);
	write_file("a.txt", "hello\n", 6);
	write_file("empty.css", "", 0);
	write_file("dir/index.html", "<p>dir", 6);
	write_file("big.png", big, BIG_SIZE);
	if (dawn_files_create(&files, &fo))
		return -1;
	ho.files = files;
	return dawn_http_server_create(&server, &ho);
}

static inline int teardown(void **state)
{
	static const char *const names[] = { "a.txt",          "empty.css",
					     "dir/index.html", "dir",
					     "big.png",        "." };
	char path[128];

	(void)state;
	dawn_http_server_destroy(server);
	dawn_files_destroy(files);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, names[i]);
		if (remove(path) && i < 5)
			return -1;
	}
	return rmdir(root) && access(root, F_OK) == 0 ? -1 : 0;
}

/* Replace the value of each `field` by one letter, NUL-terminate. */
static inline size_t mask_field(char *out, size_t len, const char *field,
				char letter)
{
	char *at = out, *value, *end;

	while ((at = memmem(at, len - (size_t)(at - out), field,
			    strlen(field)))) {
		value = at + strlen(field);
		end = memmem(value, len - (size_t)(value - out), "\r\n", 2);
		if (!end)
			break;
		*value = letter;
		memmove(value + 1, end, len - (size_t)(end - out));
		len -= (size_t)(end - value) - 1;
		at = value;
	}
	return len;
}

static inline void mask(struct fake_stream *f)
{
	void *grown = realloc(f->out, f->out_len + 1);

	assert_non_null(grown);
	f->out = grown;
	f->out_len = mask_field((char *)f->out, f->out_len, "\r\nDate: ", 'D');
	f->out_len = mask_field((char *)f->out, f->out_len, "\r\nETag: ", 'E');
	f->out[f->out_len] = '\0';
}

#define TOP(status) "HTTP/1.1 " status "\r\nServer: binary-dawn\r\nDate: D\r\n"
#define TEXT(status, len, more)                                        \
	TOP(status)                                                    \
	"Content-Type: text/plain\r\nContent-Length: " len "\r\n" more \
	"\r\n" status "\n"
#define CLOSE "Connection: close\r\n"
#define LAST  "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nETag: E\r\n"
#define A_HEAD(more)  \
	TOP("200 OK") \
	"Content-Type: text/plain\r\nContent-Length: 6\r\n" LAST more "\r\n"
#define A_TXT A_HEAD("") "hello\n"
#define ECHO(len, more)                                                  \
	TOP("200 OK")                                                    \
	"Content-Type: application/octet-stream\r\nContent-Length: " len \
	"\r\n" more "\r\n"
#define ECHO_CHUNKED                                 \
	TOP("200 OK")                                \
	"Content-Type: application/octet-stream\r\n" \
	"Transfer-Encoding: chunked\r\n\r\n"
#define BAD            TEXT("400 Bad Request", "16", CLOSE)
#define H              "Host: a\r\n"
#define G(t)           "GET " t " HTTP/1.1\r\n" H
#define P(t)           "POST " t " HTTP/1.1\r\n" H
#define TE             "Transfer-Encoding: chunked\r\n"
#define ALLOW(methods) "Allow: " methods "\r\n"
#define ALLOW_FILE     ALLOW("GET, HEAD, OPTIONS")
#define ALLOW_ECHO     ALLOW("POST, OPTIONS")

struct exchange {
	const char *request;
	const char *response;
	bool shut; /* the server closes */
};

/* Give room in drops until nothing is asked for any more. */
static inline void drip(struct fake_stream *f, size_t room)
{
	for (int i = 0; f->want_room && i < 1000000; i++)
		fs_room(f, room);
	assert_false(f->want_room);
}

static inline void feed_text(struct fake_stream *f, const char *text)
{
	fs_feed(f, text, strlen(text));
}

#endif
