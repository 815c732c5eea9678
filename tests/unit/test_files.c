/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Static files: what may be opened, and when a response goes into the kernel
 * cache. The kernel cache is the real one, on plain memory; requests come through
 * the HTTP server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <time.h>

#include "tests/unit/test_files_rig.h"

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
	assert_int_equal(last.note.kind, DAWN_RESP_GET);
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
	time_t before;

	(void)state;
	promote(GET("/a.txt"), "/a.txt");
	for (int i = 0; i < 3; i++) {
		before = time(NULL);
		ask(GET("/a.txt"));
		assert_in_range(last.note.date_s, before - 1, time(NULL) + 1);
		dawn_http_date(date, last.note.date_s);
		assert_memory_equal(last.text + DAWN_HTTP_DATE_OFFSET, date,
				    sizeof(date));
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
	assert_int_equal(last.note.kind, DAWN_RESP_HEAD);
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
}

/* The 304 in the slot is the one that the reactor sends. */
static void not_modified(void **state)
{
	const struct dawn_slot *s;

	(void)state;
	promote(GET("/a.txt"), "/a.txt");
	s = in_kernel("/a.txt");
	ask(GET("/a.txt") "If-None-Match: *\r\n");
	assert_int_equal(last.status, 304);
	assert_int_equal(last.len, last.head_len);
	assert_int_equal(last.notes, 1);
	assert_int_equal(last.note.kind, DAWN_RESP_NOT_MODIFIED);
	assert_ptr_equal(dawn_kcache_slot(kc, last.note.slot), s);
	assert_int_equal(s->nm_len, last.len);
	assert_in_range(s->nm_date_off, 1, s->nm_len - DAWN_DATE_LEN);
	memset(last.text + s->nm_date_off, 0, DAWN_DATE_LEN);
	assert_memory_equal(s->nm, last.text, last.len);
	for (size_t i = s->nm_len; i < sizeof(s->nm); i++)
		assert_int_equal(s->nm[i], 0);
	/* Not on a connection that ends with it. */
	ask(GET("/a.txt") "If-None-Match: *\r\nConnection: close\r\n");
	assert_int_equal(last.status, 304);
	assert_int_equal(last.notes, 0);
	/* What XDP compares with: as the head has it. */
	ask(GET("/a.txt"));
	assert_memory_equal(last.text + s->etag_off - 6, "ETag: ", 6);
	assert_memory_equal(last.text + s->etag_off + s->etag_len, "\r\n", 2);
	assert_memory_equal(last.text + s->modified_off - 15,
			    "Last-Modified: ", 15);
	assert_memory_equal(last.text + s->modified_off + DAWN_DATE_LEN, "\r\n",
			    2);
}

/* Who asks changes nothing, says the service: of these fields only. */
static void any_field(void **state)
{
	static const char *const requests[] = {
		GET("/a.txt") "Cookie: a=b\r\n",
		GET("/a.txt") "Authorization: Basic eDp5\r\n",
		GET("/a.txt") "Cookie: a=b\r\nAuthorization: Basic eDp5\r\n",
	};
	static const uint8_t needs[] = {
		DAWN_SERVICE_ANY_COOKIE,
		DAWN_SERVICE_ANY_AUTHORIZATION,
		DAWN_SERVICE_ANY_COOKIE | DAWN_SERVICE_ANY_AUTHORIZATION,
	};

	(void)state;
	for (uint8_t flags = 0; flags < 8; flags++) {
		service_flags = flags;
		for (int i = 0; i < 3; i++) {
			for (int k = 0; k < 3; k++)
				ask(requests[i]);
			assert_int_equal(in_kernel("/a.txt") != NULL,
					 (flags & needs[i]) == needs[i]);
			dawn_kcache_remove(kc, 1, 0, "/a.txt", 6, false);
			ask(GET("/none")); /* the entry is forgotten */
		}
	}
	service_flags = 0;
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

static const struct answer *ask_for(const char *name, int times)
{
	char request[64];

	snprintf(request, sizeof(request), "GET /%s HTTP/1.1\r\nHost: a\r\n",
		 name);
	for (int k = 0; k < times; k++) {
		ask(request);
		assert_int_equal(last.status, 200);
		assert_string_equal(body(&last), name);
	}
	return &last;
}

static void ticks(int count)
{
	for (int i = 0; i < count; i++) {
		machine->now_ns += 100000000;
		dawn_files_tick(files);
		dawn_kcache_sync(kc);
	}
}

/* An operator's entry, and files in all other slots but the one kept free; XDP
 * answers all but /op and /f0, not so often that the sketch ages. */
static void fill_cache(void)
{
	char name[16];

	put(kc, "/op", "op");
	for (int i = 0; i < FAKE_SLOTS - 2; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		write_text(name, name);
		assert_int_equal(ask_for(name, 3)->notes, 1);
		if (i)
			machine->hits[last.note.slot] = 10;
	}
	ticks(1);
}

/* Once the cache is full, what is asked for once or as rarely as the coldest is
 * served, and displaces nothing. */
static void rare_ones_stay_out(void **state)
{
	struct dawn_files_counts n;
	char name[16];

	(void)state;
	fill_cache();
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		write_text(name, name);
		assert_int_equal(ask_for(name, 1 + i % 2)->notes, 0);
		ticks(i % 8 == 0);
	}
	dawn_files_counts(files, &n);
	assert_int_equal(n.promoted, FAKE_SLOTS - 2);
	assert_int_equal(n.promote_failed, 0);
	assert_int_equal(n.evicted, 0);
	assert_non_null(in_kernel("/f0"));
}

/* A hotter one gets in; then the coldest goes, though an operator's is colder. */
static void hotter_one_evicts(void **state)
{
	struct dawn_files_counts n;
	char name[16];

	(void)state;
	fill_cache();
	write_text("hot", "hot");
	assert_int_equal(ask_for("hot", 3)->notes, 1);
	ticks(4);
	dawn_files_counts(files, &n);
	assert_int_equal(n.promoted, FAKE_SLOTS - 1);
	assert_int_equal(n.evicted, 1);
	assert_int_equal(n.demoted, 0);
	assert_null(in_kernel("/f0"));
	assert_non_null(in_kernel("/op"));
	assert_non_null(in_kernel("/hot"));
	for (int i = 1; i < FAKE_SLOTS - 2; i++) {
		snprintf(name, sizeof(name), "/f%d", i);
		assert_non_null(in_kernel(name));
	}
	assert_int_equal(count_state(machine, DAWN_SLOT_FREE), 1);
	assert_int_equal(ask_for("f0", 1)->notes, 0);
	assert_int_equal(ask_for("f0", 1)->notes, 1); /* it has its past */
}

/* Nothing can be evicted: served all the same. */
static void only_operators(void **state)
{
	struct dawn_files_counts n;
	char name[16];

	(void)state;
	for (int i = 0; i < FAKE_SLOTS; i++) {
		snprintf(name, sizeof(name), "/op%d", i);
		put(kc, name, "op");
	}
	ticks(4);
	write_text("hot", "hot");
	assert_int_equal(ask_for("hot", 20)->notes, 0);
	ticks(4);
	dawn_files_counts(files, &n);
	assert_int_equal(n.promoted + n.evicted, 0);
	assert_int_equal(count_state(machine, DAWN_SLOT_LIVE), FAKE_SLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(inside_only),        T(no_root),        T(no_descriptors),
		T(descriptors_closed), T(second_get),     T(date_of_note),
		T(already_promoted),   T(not_promoted),   T(canonical_escapes),
		T(not_modified),       T(index_file),     T(largest),
		T(promote_after),      T(virtual_host),   T(rare_ones_stay_out),
		T(hotter_one_evicts),  T(only_operators), T(any_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
