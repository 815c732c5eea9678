/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What tests of files share: a root directory, a kernel cache on plain memory and
 * an HTTP server, new for every test; requests, and what stands in the cache.
 */
#ifndef DAWN_TEST_FILES_RIG_H
#define DAWN_TEST_FILES_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maps/services.h"
#include "tests/unit/fake_kcache.h"
#include "tests/unit/fake_stream.h"
#include "user/cache/files.h"
#include "user/http/conn.h"

#define ME     0x100000001ULL
#define GET(t) "GET " t " HTTP/1.1\r\nHost: a\r\n"

/* ---- a root directory, a kernel cache, a server: new for every test */

static char base[64], root[80];
static struct fake *machine;
static struct dawn_kcache *kc;
static struct dawn_files *files;
static struct dawn_http_server *server;

static inline const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

/* Write in place; the modification time is left to the system, in the past. */
static inline void write_file(const char *name, const void *text, size_t len)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd != -1);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static inline void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static inline void start(uint32_t promote_after)
{
	struct dawn_files_options fo = { .root = root,
					 .kcache = kc,
					 .promote_after = promote_after };
	struct dawn_http_options ho = { 0 };

	assert_int_equal(dawn_files_create(&files, &fo), 0);
	ho.files = files;
	assert_int_equal(dawn_http_server_create(&server, &ho), 0);
}

static inline void stop(void)
{
	dawn_http_server_destroy(server);
	dawn_files_destroy(files);
}

static inline int setup(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/dawn_files_XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(root, sizeof(root), "%s/root", base);
	if (mkdir(root, 0755) || mkdir(path_of("dir"), 0755))
		return -1;
	write_text("../secret", "secret");
	write_text("a.txt", "hello\n");
	write_text("dir/b.txt", "bee");
	machine = fake_new();
	kc = fake_open(machine, ME);
	start(0);
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int what,
			     struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

static inline int teardown(void **state)
{
	(void)state;
	stop();
	dawn_kcache_close(kc);
	fake_free(machine);
	return nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- requests */

struct answer {
	int status;
	int notes; /* calls of cached() */
	struct dawn_cached_response note;
	size_t head_len, len;
	char text[64 * 1024];
};

static struct answer last;

static uint8_t service_flags; /* DAWN_SERVICE_* */

static inline const struct answer *ask_group(const char *request,
					     uint16_t group)
{
	struct fake_stream f;
	const char *end;

	fs_open(&f, &dawn_http_protocol, server);
	f.s.group = group;
	f.s.flags = service_flags;
	fs_feed(&f, request, strlen(request));
	fs_feed(&f, "\r\n", 2);
	memset(&last, 0, sizeof(last));
	assert_true(f.out_len > 13 && f.out_len < sizeof(last.text));
	memcpy(last.text, f.out, f.out_len);
	last.len = f.out_len;
	last.status = (int)strtol(last.text + 9, NULL, 10);
	end = strstr(last.text, "\r\n\r\n");
	assert_non_null(end);
	last.head_len = (size_t)(end + 4 - last.text);
	last.notes = f.notes;
	last.note = f.note;
	if (f.notes)
		assert_int_equal(f.note_at, f.out_len);
	fs_close(&f);
	return &last;
}

static inline const struct answer *ask(const char *request)
{
	return ask_group(request, 1);
}

static inline const char *body(const struct answer *a)
{
	return a->text + a->head_len;
}

static inline const struct dawn_slot *in_kernel(const char *target)
{
	struct dawn_index_value v;

	if (dawn_kcache_find(kc, 1, 0, target, strlen(target), &v))
		return NULL;
	return dawn_kcache_slot(kc, v.slot);
}

static inline bool kernel_body_is(const char *target, const char *text)
{
	const struct dawn_slot *s = in_kernel(target);

	return s && s->resp_len - s->head_len == strlen(text) &&
	       !memcmp(s->data + s->head_len, text, strlen(text));
}

/* Ask until it stands in the kernel cache: twice. */
static inline void promote(const char *request, const char *target)
{
	ask(request);
	ask(request);
	assert_int_equal(last.notes, 1);
	assert_non_null(in_kernel(target));
}

/* Wait for inotify, and let it be acted on. */
static inline void changed(void)
{
	struct pollfd p = { .fd = dawn_files_fd(files), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 5000), 1);
	while (poll(&p, 1, 0) == 1)
		dawn_files_changed(files);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
