/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Static files and their promotion: what may be opened, when a response goes
 * into the kernel cache, and that nothing stale stays there. The kernel cache
 * is the real one, on plain memory; requests come through the HTTP server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

/* Write in place; the modification time is left to the system, in the past. */
static void write_file(const char *name, const void *text, size_t len)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd != -1);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static void start(uint32_t promote_after)
{
	struct dawn_files_options fo = { .root = root,
					 .kcache = kc,
					 .promote_after = promote_after };
	struct dawn_http_options ho = { 0 };

	assert_int_equal(dawn_files_create(&files, &fo), 0);
	ho.files = files;
	assert_int_equal(dawn_http_server_create(&server, &ho), 0);
}

static void stop(void)
{
	dawn_http_server_destroy(server);
	dawn_files_destroy(files);
}

static int setup(void **state)
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

static int remove_one(const char *path, const struct stat *st, int what,
		      struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
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

static const struct answer *ask_group(const char *request, uint16_t group)
{
	struct fake_stream f;
	const char *end;

	fs_open(&f, &dawn_http_protocol, server);
	f.s.group = group;
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

static const struct answer *ask(const char *request)
{
	return ask_group(request, 1);
}

static const char *body(const struct answer *a)
{
	return a->text + a->head_len;
}

static const struct dawn_slot *in_kernel(const char *target)
{
	struct dawn_index_value v;

	if (dawn_kcache_find(kc, 1, 0, target, strlen(target), &v))
		return NULL;
	return dawn_kcache_slot(kc, v.slot);
}

static bool kernel_body_is(const char *target, const char *text)
{
	const struct dawn_slot *s = in_kernel(target);

	return s && s->resp_len - s->head_len == strlen(text) &&
	       !memcmp(s->data + s->head_len, text, strlen(text));
}

/* Ask until it stands in the kernel cache: twice. */
static void promote(const char *request, const char *target)
{
	ask(request);
	ask(request);
	assert_int_equal(last.notes, 1);
	assert_non_null(in_kernel(target));
}

/* Wait for inotify, and let it be acted on. */
static void changed(void)
{
	struct pollfd p = { .fd = dawn_files_fd(files), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 5000), 1);
	while (poll(&p, 1, 0) == 1)
		dawn_files_changed(files);
}

/* ---- what may be opened */

static void inside_only(void **state)
{
	static const struct {
		const char *request;
		int status;
	} cases[] = {
		{ GET("/a.txt"), 200 },
		{ GET("/dir/b.txt"), 200 },
		{ GET("/in"), 200 },
		{ GET("/dir/up"), 200 },
		{ GET("/out"), 404 },
		{ GET("/outdir/secret"), 404 },
		{ GET("/abs"), 404 },
		{ GET("/loop"), 404 },
		{ GET("/dangling"), 404 },
		{ GET("/magic/root"), 404 },
		{ GET("/fifo"), 404 },
		{ GET("/dir"), 301 },
		{ GET("/dir/"), 404 },
		{ GET("/"), 404 },
		{ GET("/a.txt/"), 404 },
		{ GET("/a.txt/x"), 404 },
		{ GET("/../secret"), 400 },
		{ GET("/dir/../../secret"), 400 },
		{ GET("/%2e%2e/secret"), 400 },
		{ GET("/..%2fsecret"), 404 },
		{ GET("/dir/..%2f..%2fsecret"), 404 },
		{ GET("/a.txt%00"), 400 },
		{ GET("/a.txt%0a"), 404 },
	};
	char name[512];

	(void)state;
	assert_int_equal(symlink("a.txt", path_of("in")), 0);
	assert_int_equal(symlink("../a.txt", path_of("dir/up")), 0);
	assert_int_equal(symlink("../secret", path_of("out")), 0);
	assert_int_equal(symlink("..", path_of("outdir")), 0);
	assert_int_equal(symlink("loop", path_of("loop")), 0);
	assert_int_equal(symlink("none", path_of("dangling")), 0);
	assert_int_equal(symlink("/proc/self", path_of("magic")), 0);
	snprintf(name, sizeof(name), "%s/a.txt", root);
	assert_int_equal(symlink(name, path_of("abs")), 0);
	assert_int_equal(mkfifo(path_of("fifo"), 0644), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int n = 0; n < 3; n++) { /* promoted or not */
			ask(cases[i].request);
			if (last.status != cases[i].status)
				print_error("%s", cases[i].request);
			assert_int_equal(last.status, cases[i].status);
			assert_null(strstr(last.text, "secret\n"));
		}
	}
	memset(name, 'x', 300);
	memcpy(name, "GET /", 5);
	snprintf(name + 300, sizeof(name) - 300, " HTTP/1.1\r\nHost: a\r\n");
	assert_int_equal(ask(name)->status, 404);
}

static void no_root(void **state)
{
	struct dawn_files_options o = { .root = "/nonexistent/x" };
	struct dawn_files *f = NULL;

	(void)state;
	assert_int_equal(dawn_files_create(&f, &o), -ENOENT);
	o.root = path_of("a.txt");
	assert_int_equal(dawn_files_create(&f, &o), -ENOTDIR);
	assert_null(f);
	o.root = root;
	assert_int_equal(dawn_files_create(&f, &o), 0);
	assert_int_equal(dawn_files_fd(f), -1); /* no kernel cache */
	dawn_files_tick(f);
	dawn_files_changed(f);
	dawn_files_destroy(f);
	dawn_files_destroy(NULL);
}

/* The lowest descriptor that is free. */
static rlim_t next_fd(void)
{
	int fd = dup(0);

	assert_true(fd != -1);
	close(fd);
	return (rlim_t)fd;
}

static void no_descriptors(void **state)
{
	struct rlimit was, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = next_fd();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	ask(GET("/a.txt"));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(last.status, 503);
	assert_int_equal(ask(GET("/a.txt"))->status, 200);
}

static void descriptors_closed(void **state)
{
	static const char *const requests[] = {
		GET("/a.txt"),
		GET("/dir"),
		GET("/none"),
		GET("/big"),
		GET("/dir/b.txt"),
		"HEAD /big HTTP/1.1\r\nHost: a\r\n",
		GET("/big") "Range: bytes=90000000-\r\n",
		GET("/big") "If-None-Match: *\r\n",
		GET("/big") "If-Match: \"x\"\r\n",
	};
	rlim_t before;

	(void)state;
	write_file("big", last.text, 20000);
	promote(GET("/a.txt"), "/a.txt");
	before = next_fd();
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		ask(requests[i]);
		ask(requests[i]);
		assert_int_equal(next_fd(), before);
	}
}

/* ---- promotion */

static void second_get(void **state)
{
	static struct answer first;
	const struct dawn_slot *s;
	struct dawn_files_counts n;

	(void)state;
	first = *ask(GET("/a.txt"));
	assert_int_equal(first.notes, 0);
	assert_null(in_kernel("/a.txt"));
	ask(GET("/a.txt"));
	s = in_kernel("/a.txt");
	assert_non_null(s);
	assert_int_equal(last.notes, 1);
	assert_false(last.note.head);
	assert_ptr_equal(dawn_kcache_slot(kc, last.note.slot), s);
	assert_int_equal(last.note.gen, s->gen);
	assert_int_equal(s->flags, DAWN_ENTRY_FILE);
	assert_int_equal(s->date_off, DAWN_HTTP_DATE_OFFSET);

	/* Date aside, all three are the same bytes. */
	assert_int_equal(s->resp_len, last.len);
	assert_int_equal(s->head_len, last.head_len);
	memset(last.text + s->date_off, 0, DAWN_DATE_LEN);
	assert_memory_equal(s->data, last.text, last.len);
	assert_int_equal(first.len, last.len);
	memset(first.text + s->date_off, 0, DAWN_DATE_LEN);
	assert_memory_equal(first.text, last.text, first.len);

	dawn_files_counts(files, &n);
	assert_int_equal(n.promoted, 1);
	assert_int_equal(n.promote_failed, 0);
}

/* The Date sent is the one that the transport is told of. */
static void date_of_note(void **state)
{
	char date[DAWN_HTTP_DATE_LEN];

	(void)state;
	promote(GET("/a.txt"), "/a.txt");
	for (int i = 0; i < 3; i++) {
		ask(GET("/a.txt"));
		dawn_http_date(date, last.note.date_s);
		assert_memory_equal(last.text + DAWN_HTTP_DATE_OFFSET, date,
				    sizeof(date));
		assert_true(time(NULL) - (time_t)last.note.date_s <= 1);
	}
}

static void already_promoted(void **state)
{
	static struct answer get;

	(void)state;
	promote(GET("/a.txt"), "/a.txt");
	get = *ask(GET("/a.txt"));
	assert_int_equal(get.notes, 1);
	assert_string_equal(body(&get), "hello\n");

	ask("HEAD /a.txt HTTP/1.1\r\nHost: a\r\n");
	assert_int_equal(last.notes, 1);
	assert_true(last.note.head);
	assert_int_equal(last.len, get.head_len);

	/* The same bytes, but not these alone. */
	ask(GET("/a.txt") "Connection: close\r\n");
	assert_int_equal(last.notes, 0);
	assert_string_equal(body(&last), "hello\n");
	assert_non_null(strstr(last.text, "\r\nConnection: close\r\n\r\n"));
	ask(GET("/a.txt") "Range: bytes=1-2\r\n");
	assert_int_equal(last.status, 206);
	assert_int_equal(last.notes, 0);
	assert_string_equal(body(&last), "el");
	ask(GET("/a.txt") "If-None-Match: *\r\n");
	assert_int_equal(last.status, 304);
	assert_int_equal(last.notes, 0);
	assert_int_equal(last.len, last.head_len);
}

static void not_promoted(void **state)
{
	static const char *const requests[] = {
		GET("/a.txt?x"),
		GET("/%61.txt"),
		GET("//a.txt"),
		GET("/./a.txt"),
		GET("/dir/../a.txt"),
		GET("http://a/a.txt"),
		GET("/a.txt") "Cookie: a=b\r\n",
		GET("/a.txt") "Authorization: Basic eDp5\r\n",
		GET("/a.txt") "Connection: close\r\n",
		"GET /a.txt HTTP/1.0\r\n",
		"GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n",
		"HEAD /a.txt HTTP/1.1\r\nHost: a\r\n",
		GET("/future"),
		GET("/none"),
	};
	struct timespec future[2] = { { time(NULL) + 1000, 0 },
				      { time(NULL) + 1000, 0 } };
	struct dawn_files_counts n;

	(void)state;
	write_text("future", "x");
	assert_int_equal(utimensat(AT_FDCWD, path_of("future"), future, 0), 0);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		for (int k = 0; k < 4; k++) {
			ask(requests[i]);
			assert_int_equal(last.notes, 0);
		}
	}
	assert_int_equal(ask(GET("/future"))->status, 200);
	assert_null(strstr(last.text, "Last-Modified"));
	for (int k = 0; k < 4; k++)
		assert_int_equal(ask_group(GET("/a.txt"), 0)->notes, 0);
	dawn_files_counts(files, &n);
	assert_int_equal(n.promoted, 0);
	assert_null(in_kernel("/a.txt"));
}

static void canonical_escapes(void **state)
{
	(void)state;
	write_text("a b%.txt", "x");
	promote(GET("/a%20b%25.txt"), "/a%20b%25.txt");
	ask(GET("/a%20b%25%2Etxt"));
	ask(GET("/a%20b%25%2Etxt"));
	assert_int_equal(last.status, 200);
	assert_int_equal(last.notes, 0);
}

static void index_file(void **state)
{
	(void)state;
	write_text("dir/index.html", "<p>");
	write_text("index.html", "<h1>");
	promote(GET("/dir/"), "/dir/");
	promote(GET("/"), "/");
	assert_true(kernel_body_is("/dir/", "<p>"));
	assert_true(kernel_body_is("/", "<h1>"));
	write_text("dir/index.html", "<i>");
	changed();
	assert_null(in_kernel("/dir/"));
	assert_non_null(in_kernel("/"));
}

/* One byte decides. */
static void largest(void **state)
{
	static char text[DAWN_RESP_MAX];
	size_t head;

	(void)state;
	memset(text, 'x', sizeof(text));
	write_file("fit.txt", text, 14000);
	head = ask(GET("/fit.txt"))->head_len;
	write_file("fit.txt", text, DAWN_RESP_MAX - head);
	write_file("big.txt", text, DAWN_RESP_MAX - head + 1);
	ask(GET("/fit.txt"));
	ask(GET("/fit.txt"));
	assert_int_equal(last.len, DAWN_RESP_MAX);
	assert_int_equal(last.notes, 1);
	for (int i = 0; i < 4; i++) {
		ask(GET("/big.txt"));
		assert_int_equal(last.len, DAWN_RESP_MAX + 1);
		assert_int_equal(last.notes, 0);
	}
}

static void promote_after(void **state)
{
	(void)state;
	stop();
	start(5);
	for (int i = 1; i < 5; i++)
		assert_int_equal(ask(GET("/a.txt"))->notes, 0);
	assert_int_equal(ask(GET("/a.txt"))->notes, 1);
	stop();
	start(1);
	assert_int_equal(ask(GET("/a.txt"))->notes, 1);
	stop();
	start(UINT32_MAX);
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask(GET("/a.txt"))->notes, 0);
}

static void virtual_host(void **state)
{
	struct dawn_index_value v;
	int id = dawn_kcache_vhost(kc, "www.example", true);

	(void)state;
	assert_true(id > 0);
	ask("GET /a.txt HTTP/1.1\r\nHost: WWW.Example:80\r\n");
	ask("GET /a.txt HTTP/1.1\r\nHost: WWW.Example:80\r\n");
	assert_int_equal(last.notes, 1);
	assert_null(in_kernel("/a.txt"));
	assert_int_equal(dawn_kcache_find(kc, 1, (uint16_t)id, "/a.txt", 6, &v),
			 0);
}

/* No slot is free: it is served all the same, and tried again after a tick. */
static void no_slots(void **state)
{
	struct dawn_files_counts n;
	char request[64], name[16];

	(void)state;
	for (int i = 0; i < FAKE_SLOTS + 4; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		write_text(name, name);
		snprintf(request, sizeof(request),
			 "GET /%s HTTP/1.1\r\nHost: a\r\n", name);
		for (int k = 0; k < 3; k++) {
			ask(request);
			assert_int_equal(last.status, 200);
			assert_string_equal(body(&last), name);
		}
		assert_int_equal(last.notes, i < FAKE_SLOTS);
	}
	dawn_files_counts(files, &n);
	assert_int_equal(n.promoted, FAKE_SLOTS);
	assert_int_equal(n.promote_failed, 1); /* then it paused */
	unlink(path_of("f0"));
	changed();
	assert_null(in_kernel("/f0"));
	dawn_kcache_sync(kc);
	machine->now_ns += 1000000000;
	dawn_files_tick(files);
	for (int k = 0; k < 2; k++)
		ask(request);
	assert_int_equal(last.notes, 1);
}

/* ---- change */

static void c_write(void)
{
	write_text("a.txt", "HELLO\n"); /* same size */
}

static void c_write_same_mtime(void)
{
	struct stat st;
	struct timespec t[2];

	assert_int_equal(stat(path_of("a.txt"), &st), 0);
	t[0] = st.st_atim;
	t[1] = st.st_mtim;
	write_text("a.txt", "HELLO\n");
	assert_int_equal(utimensat(AT_FDCWD, path_of("a.txt"), t, 0), 0);
}

static void c_append(void)
{
	int fd = open(path_of("a.txt"), O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void c_truncate(void)
{
	assert_int_equal(truncate(path_of("a.txt"), 3), 0);
}

static void c_unlink(void)
{
	assert_int_equal(unlink(path_of("a.txt")), 0);
}

static void c_rename_over(void)
{
	char tmp[512];

	write_text("tmp", "HELLO\n");
	snprintf(tmp, sizeof(tmp), "%s", path_of("tmp"));
	assert_int_equal(rename(tmp, path_of("a.txt")), 0);
}

static void c_rename_away(void)
{
	char old[512];

	snprintf(old, sizeof(old), "%s", path_of("a.txt"));
	assert_int_equal(rename(old, path_of("z.txt")), 0);
}

static void c_chmod(void)
{
	assert_int_equal(chmod(path_of("a.txt"), 0600), 0);
}

static void c_touch(void)
{
	assert_int_equal(utimensat(AT_FDCWD, path_of("a.txt"), NULL, 0), 0);
}

static void any_change(void **state)
{
	static void (*const changes[])(void) = {
		c_write,       c_write_same_mtime, c_append, c_truncate,
		c_rename_over, c_rename_away,      c_unlink, c_chmod,
		c_touch,
	};
	struct dawn_files_counts n;
	const uint64_t count = sizeof(changes) / sizeof(changes[0]);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		write_text("a.txt", "hello\n");
		promote(GET("/a.txt"), "/a.txt");
		changes[i]();
		changed();
		assert_null(in_kernel("/a.txt"));
		dawn_kcache_sync(kc);
	}
	dawn_files_counts(files, &n);
	assert_int_equal(n.demoted, count);
}

static void promoted_again(void **state)
{
	(void)state;
	promote(GET("/a.txt"), "/a.txt");
	c_write();
	changed();
	promote(GET("/a.txt"), "/a.txt");
	assert_string_equal(body(&last), "HELLO\n");
	assert_true(kernel_body_is("/a.txt", "HELLO\n"));
}

/* A request that comes before inotify is read never gets the old bytes. */
static void change_seen_by_request(void **state)
{
	(void)state;
	promote(GET("/a.txt"), "/a.txt");
	write_text("a.txt", "longer than before\n");
	ask(GET("/a.txt"));
	assert_string_equal(body(&last), "longer than before\n");
	assert_int_equal(last.notes, 0);
	assert_null(in_kernel("/a.txt"));
	changed();
	promote(GET("/a.txt"), "/a.txt");
	unlink(path_of("a.txt"));
	assert_int_equal(ask(GET("/a.txt"))->status, 404);
	assert_null(in_kernel("/a.txt"));
}

static void move(const char *from, const char *to)
{
	char old[512];

	snprintf(old, sizeof(old), "%s", path_of(from));
	assert_int_equal(rename(old, path_of(to)), 0);
}

/* A directory on the way is replaced by another one with the same names. */
static void directory_replaced(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("dir/sub"), 0755), 0);
	assert_int_equal(mkdir(path_of("new"), 0755), 0);
	assert_int_equal(mkdir(path_of("new/sub"), 0755), 0);
	write_text("dir/sub/c.txt", "old");
	write_text("new/sub/c.txt", "new");
	promote(GET("/dir/sub/c.txt"), "/dir/sub/c.txt");
	promote(GET("/a.txt"), "/a.txt");
	move("dir", "was");
	changed();
	assert_null(in_kernel("/dir/sub/c.txt"));
	assert_non_null(in_kernel("/a.txt"));
	move("new", "dir");
	promote(GET("/dir/sub/c.txt"), "/dir/sub/c.txt");
	assert_true(kernel_body_is("/dir/sub/c.txt", "new"));
}

static void swap_link(const char *to, const char *name)
{
	assert_int_equal(symlink(to, path_of("link.tmp")), 0);
	move("link.tmp", name);
}

/* A release is switched by a symlink, the last in a chain even. */
static void link_replaced(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("r1"), 0755), 0);
	assert_int_equal(mkdir(path_of("r2"), 0755), 0);
	assert_int_equal(mkdir(path_of("links"), 0755), 0);
	write_text("r1/x", "one");
	write_text("r2/x", "two");
	swap_link("r1", "current");
	promote(GET("/current/x"), "/current/x");
	swap_link("r2", "current");
	changed();
	assert_null(in_kernel("/current/x"));
	promote(GET("/current/x"), "/current/x");
	assert_true(kernel_body_is("/current/x", "two"));

	/* outer -> links/inner -> r1: links/ is on neither path. */
	swap_link("../r1", "links/inner");
	swap_link("links/inner", "outer");
	promote(GET("/outer/x"), "/outer/x");
	assert_true(kernel_body_is("/outer/x", "one"));
	swap_link("../r2", "links/inner");
	dawn_files_tick(files);
	assert_null(in_kernel("/outer/x"));
}

/* Two names of one file: both go, and neither takes the other's watch along. */
static void hard_links(void **state)
{
	char old[512];

	(void)state;
	snprintf(old, sizeof(old), "%s", path_of("a.txt"));
	assert_int_equal(link(old, path_of("b.txt")), 0);
	promote(GET("/a.txt"), "/a.txt");
	promote(GET("/b.txt"), "/b.txt");
	c_write();
	changed();
	assert_null(in_kernel("/a.txt"));
	assert_null(in_kernel("/b.txt"));
	promote(GET("/a.txt"), "/a.txt");
	promote(GET("/b.txt"), "/b.txt");
	unlink(path_of("a.txt")); /* an event of the shared file: both go */
	changed();
	assert_null(in_kernel("/a.txt"));
	assert_null(in_kernel("/b.txt"));
	promote(GET("/b.txt"), "/b.txt");
	write_text("b.txt", "other");
	changed();
	assert_null(in_kernel("/b.txt"));
}

static void others_stay(void **state)
{
	(void)state;
	promote(GET("/a.txt"), "/a.txt");
	promote(GET("/dir/b.txt"), "/dir/b.txt");
	write_text("new.txt", "x"); /* an event of the same directory */
	changed();
	assert_non_null(in_kernel("/a.txt"));
	assert_non_null(in_kernel("/dir/b.txt"));
	for (int i = 0; i < 100; i++)
		dawn_files_tick(files);
	assert_non_null(in_kernel("/a.txt"));
	assert_non_null(in_kernel("/dir/b.txt"));
}

static int queue_max(void)
{
	FILE *in = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	char line[32];

	assert_non_null(in);
	assert_non_null(fgets(line, sizeof(line), in));
	fclose(in);
	return (int)strtol(line, NULL, 10);
}

static void queue_overflow(void **state)
{
	int max = queue_max();

	(void)state;
	promote(GET("/dir/b.txt"), "/dir/b.txt");
	promote(GET("/a.txt"), "/a.txt");
	if (max > 200000)
		skip();
	for (int i = 0; i <= max / 2; i++) { /* two events each */
		write_text("noise", "");
		unlink(path_of("noise"));
	}
	changed();
	assert_null(in_kernel("/a.txt"));
	assert_null(in_kernel("/dir/b.txt"));
	promote(GET("/a.txt"), "/a.txt");
}

/* ---- entries of others */

static struct dawn_index_value put_by_hand(const char *target, const char *text,
					   uint32_t flags)
{
	static const char head[] =
		"HTTP/1.1 200 OK\r\nServer: binary-dawn\r\n"
		"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nX: y\r\n\r\n";
	struct dawn_kcache_put p = {
		.group = 1,
		.target = target,
		.target_len = strlen(target),
		.head = head,
		.head_len = sizeof(head) - 1,
		.date_off = DAWN_HTTP_DATE_OFFSET,
		.body = text,
		.body_len = strlen(text),
		.flags = flags,
	};
	struct dawn_index_value v;

	assert_int_equal(dawn_kcache_put(kc, &p, &v), 0);
	return v;
}

static void put_by_others(void **state)
{
	struct dawn_index_value v = put_by_hand("/none?q", "by hand", 0);

	(void)state;
	ask(GET("/none?q"));
	assert_int_equal(last.status, 200);
	assert_string_equal(body(&last), "by hand");
	assert_int_equal(last.notes, 1);
	assert_int_equal(last.note.slot, v.slot);
	assert_int_equal(last.note.gen, v.gen);
	assert_memory_not_equal(last.text + DAWN_HTTP_DATE_OFFSET, "Sun, 06",
				7);
	ask(GET("/none?q") "Connection: close\r\n");
	assert_non_null(strstr(last.text, "\r\nX: y\r\nConnection: close\r\n"
					  "\r\nby hand"));
	assert_int_equal(last.notes, 0);
	assert_int_equal(ask(GET("/none"))->status, 404);

	/* It stands before a file, and changes of that are not its. */
	put_by_hand("/a.txt", "instead", 0);
	for (int i = 0; i < 4; i++)
		assert_string_equal(body(ask(GET("/a.txt"))), "instead");
	c_write();
	dawn_files_changed(files);
	dawn_files_tick(files);
	assert_true(kernel_body_is("/a.txt", "instead"));
}

/* Someone replaces, or removes, what was promoted. */
static void replaced_by_others(void **state)
{
	(void)state;
	promote(GET("/a.txt"), "/a.txt");
	put_by_hand("/a.txt", "instead", 0);
	c_write();
	changed();
	assert_true(kernel_body_is("/a.txt", "instead"));
	assert_string_equal(body(ask(GET("/a.txt"))), "instead");
	assert_int_equal(dawn_kcache_remove(kc, 1, 0, "/a.txt", 6, true), 0);
	promote(GET("/a.txt"), "/a.txt");
	assert_int_equal(dawn_kcache_remove(kc, 1, 0, "/a.txt", 6, true), 0);
	assert_string_equal(body(ask(GET("/a.txt"))), "HELLO\n");
	promote(GET("/a.txt"), "/a.txt");
	assert_true(kernel_body_is("/a.txt", "HELLO\n"));
}

static void expired_by_others(void **state)
{
	struct dawn_index_value v = put_by_hand("/none", "old", 0);

	(void)state;
	machine->slots[v.slot].expires_ns = 1;
	assert_int_equal(ask(GET("/none"))->status, 404);
}

/* What an earlier daemon promoted goes; what an operator put stays. */
static void inherited(void **state)
{
	(void)state;
	put_by_hand("/a.txt", "stale", DAWN_ENTRY_FILE);
	put_by_hand("/x", "by hand", 0);
	stop();
	assert_non_null(in_kernel("/a.txt"));
	start(0);
	assert_null(in_kernel("/a.txt"));
	assert_non_null(in_kernel("/x"));
	promote(GET("/dir/b.txt"), "/dir/b.txt");
	stop();
	assert_null(in_kernel("/dir/b.txt")); /* nobody would watch it */
	assert_non_null(in_kernel("/x"));
	start(0);
}

/* ---- several threads, while files change */

struct worker {
	pthread_t thread;
	struct dawn_http_server *server;
	int wrong;
	int answers;
};

static bool stopping;

/* Every answer is one whole version: a digit repeated. */
static void *work(void *arg)
{
	static const char *const requests[] = { GET("/v0") "\r\n",
						GET("/v1") "\r\n",
						GET("/v2") "\r\n" };
	struct worker *w = arg;
	int i = 0;

	while (!__atomic_load_n(&stopping, __ATOMIC_SEQ_CST)) {
		const char *r = requests[i++ % 3];
		struct fake_stream f;
		const uint8_t *b;

		fs_open(&f, &dawn_http_protocol, w->server);
		fs_feed(&f, r, strlen(r));
		b = memmem(f.out, f.out_len, "\r\n\r\n", 4);
		b = b ? b + 4 : f.out;
		for (const uint8_t *p = b; p < f.out + f.out_len; p++)
			w->wrong += *p != *b;
		w->wrong += f.out + f.out_len - b != 1000;
		w->answers++;
		fs_close(&f);
	}
	return NULL;
}

static void replace_file(int file, int version)
{
	char text[1000], name[8];

	memset(text, '0' + version % 10, sizeof(text));
	snprintf(name, sizeof(name), "v%d", file);
	write_file("tmp", text, sizeof(text));
	move("tmp", name);
}

static void threads(void **state)
{
	struct worker w[3] = { 0 };
	struct dawn_http_options ho = { .files = files };
	char target[8], text[1001];

	(void)state;
	__atomic_store_n(&stopping, false, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 3; i++)
		replace_file(i, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(dawn_http_server_create(&w[i].server, &ho), 0);
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (int v = 1; v <= 300; v++) {
		replace_file(v % 3, v);
		if (v % 4 == 0)
			dawn_files_changed(files);
		if (v % 16 == 0)
			dawn_files_tick(files);
	}
	dawn_files_changed(files);
	__atomic_store_n(&stopping, true, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 3; i++) {
		pthread_join(w[i].thread, NULL);
		dawn_http_server_destroy(w[i].server);
		assert_true(w[i].answers > 0);
		assert_int_equal(w[i].wrong, 0);
	}
	dawn_files_changed(files);
	for (int i = 0; i < 3; i++) {
		/* 298, 299, 300 were the last of 1, 2, 0. */
		memset(text, '0' + (i ? 297 + i : 300) % 10, 1000);
		text[1000] = '\0';
		snprintf(target, sizeof(target), "/v%d", i);
		if (in_kernel(target))
			assert_true(kernel_body_is(target, text));
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(inside_only),
		T(no_root),
		T(no_descriptors),
		T(descriptors_closed),
		T(second_get),
		T(date_of_note),
		T(already_promoted),
		T(not_promoted),
		T(canonical_escapes),
		T(index_file),
		T(largest),
		T(promote_after),
		T(virtual_host),
		T(no_slots),
		T(any_change),
		T(promoted_again),
		T(change_seen_by_request),
		T(directory_replaced),
		T(link_replaced),
		T(hard_links),
		T(others_stay),
		T(queue_overflow),
		T(put_by_others),
		T(replaced_by_others),
		T(expired_by_others),
		T(inherited),
		T(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
