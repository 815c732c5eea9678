/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Files that change, and others who write to the kernel cache: nothing stale stays
 * in it, and what is not ours is left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "tests/unit/test_files_rig.h"

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

/* XDP compares targets as they are; so do we, before they are paths. */
static void others_odd_targets(void **state)
{
	static const char *const odd[] = { "/a%2fb", "/%zz",  "/%",
					   "/%00",   "/../x", "/a/../b",
					   "//",     "/?",    "/%ff" };
	char request[64];

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		snprintf(request, sizeof(request),
			 "GET %s HTTP/1.1\r\nHost: a\r\n", odd[i]);
		ask(request);
		assert_int_not_equal(last.notes, 1);
		put_by_hand(odd[i], "by hand", 0);
		ask(request);
		assert_int_equal(last.status, 200);
		assert_string_equal(body(&last), "by hand");
		assert_int_equal(last.notes, 1);
	}
}

/* As `dawn cache put` does it. */
static void put_with_type(const char *target, const char *type,
			  const char *etag, int64_t mtime_s)
{
	char head[512], nm[DAWN_NM_MAX];
	struct dawn_kcache_put p = {
		.group = 1,
		.target = target,
		.target_len = strlen(target),
		.head = head,
		.date_off = DAWN_HTTP_DATE_OFFSET,
		.body = "by hand",
		.body_len = 7,
	};

	p.head_len = dawn_http_head_file(head, sizeof(head), 0, type, 7,
					 mtime_s, etag, DAWN_HTTP_KEEP);
	dawn_kcache_put_not_modified(&p, etag, nm, sizeof(nm));
	assert_int_equal(dawn_kcache_put(kc, &p, NULL), 0);
}

static void put_with_etag(const char *target, const char *etag, int64_t mtime_s)
{
	put_with_type(target, "text/x-odd", etag, mtime_s);
}

/* What others put says itself how conditional and partial requests end. */
static void others_validators(void **state)
{
	const struct dawn_slot *s;

	(void)state;
	put_with_etag("/x", "\"odd\"", 784111777);
	s = in_kernel("/x");
	ask(GET("/x") "If-None-Match: W/\"odd\"\r\n");
	assert_int_equal(last.status, 304);
	assert_int_equal(last.note.kind, DAWN_RESP_NOT_MODIFIED);
	assert_int_equal(last.len, s->nm_len);
	memset(last.text + s->nm_date_off, 0, DAWN_DATE_LEN);
	assert_memory_equal(last.text, s->nm, last.len);
	ask(GET("/x") "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	assert_int_equal(last.status, 304);
	ask(GET("/x") "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n");
	assert_int_equal(last.status, 200);
	ask(GET("/x") "If-Match: \"even\"\r\n");
	assert_int_equal(last.status, 412);
	ask(GET("/x") "Range: bytes=3-\r\n");
	assert_int_equal(last.status, 206);
	assert_string_equal(body(&last), "hand");
	assert_non_null(strstr(last.text, "Content-Type: text/x-odd\r\n"));
	assert_non_null(strstr(last.text, "Content-Range: bytes 3-6/7\r\n"));
	ask(GET("/x") "Range: bytes=7-\r\n");
	assert_int_equal(last.status, 416);

	put_with_etag("/x", "\"odd\"", DAWN_HTTP_NO_TIME);
	ask(GET("/x") "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	assert_int_equal(last.status, 200);
	ask(GET("/x") "If-None-Match: \"odd\"\r\n");
	assert_int_equal(last.status, 304);
	/* Nothing is known of this one. */
	put_by_hand("/x", "by hand", 0);
	ask(GET("/x") "If-None-Match: *\r\nRange: bytes=3-\r\n");
	assert_int_equal(last.status, 200);
	assert_string_equal(body(&last), "by hand");
}

/* However long the type is that `dawn cache put` takes: XDP sends the 304. */
static void others_long_type(void **state)
{
	char type[DAWN_HTTP_TYPE_MAX + 1];

	(void)state;
	memset(type, 'x', sizeof(type));
	type[4] = '/';
	type[DAWN_HTTP_TYPE_MAX] = '\0';
	put_with_type("/x", type, "\"odd\"", 784111777);
	assert_int_not_equal(in_kernel("/x")->nm_len, 0);
	ask(GET("/x") "If-None-Match: \"odd\"\r\n");
	assert_int_equal(last.status, 304);
	ask(GET("/x") "Range: bytes=3-\r\n");
	assert_int_equal(last.status, 206);
	assert_non_null(strstr(last.text, type));
}

/* And whatever tag XDP compares. */
static void others_long_tag(void **state)
{
	char tag[DAWN_ETAG_MAX + 1], request[256];

	(void)state;
	memset(tag, 't', sizeof(tag));
	tag[0] = tag[DAWN_ETAG_MAX - 1] = '"';
	tag[DAWN_ETAG_MAX] = '\0';
	put_with_etag("/x", tag, 784111777);
	assert_int_equal(in_kernel("/x")->etag_len, DAWN_ETAG_MAX);
	snprintf(request, sizeof(request), GET("/x") "If-None-Match: %s\r\n",
		 tag);
	ask(request);
	assert_int_equal(last.status, 304);
}

static int miss_then_put(void *ctx, const struct dawn_index_key *k,
			 struct dawn_index_value *v)
{
	int err = fake_index_get(ctx, k, v);

	kc->m.ops = &fake_ops;
	put_by_hand("/a.txt", "by hand", 0);
	return err;
}

/* Put by others between the look for it and the promotion of the file: what is
 * known of the file is not of what is sent. */
static void put_while_promoting(void **state)
{
	struct dawn_kcache_ops ops = fake_ops;
	char text[1000];

	(void)state;
	memset(text, 'f', sizeof(text));
	write_file("a.txt", text, sizeof(text));
	ask(GET("/a.txt"));
	ops.index_get = miss_then_put;
	kc->m.ops = &ops;
	ask(GET("/a.txt") "Range: bytes=900-\r\n");
	assert_int_equal(last.status, 200);
	assert_string_equal(body(&last), "by hand");
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
		__atomic_fetch_add(&w->answers, 1, __ATOMIC_SEQ_CST);
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
	for (int i = 0; i < 3; i++)
		while (!__atomic_load_n(&w[i].answers, __ATOMIC_SEQ_CST))
			sched_yield(); /* until it has a CPU */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		T(others_odd_targets),
		T(others_validators),
		T(others_long_type),
		T(others_long_tag),
		T(put_while_promoting),
		T(expired_by_others),
		T(inherited),
		T(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
