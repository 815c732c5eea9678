// SPDX-License-Identifier: MIT OR Apache-2.0
/* dawn cache: responses in the kernel cache, put in and taken out by hand. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "loader/cache.h"
#include "loader/cli.h"
#include "loader/commands.h"
#include "user/http/mime.h"
#include "user/http/response.h"

/* ---- what the subcommands share ---- */

int dawn_cache_open(struct dawn_cache *c)
{
	int err, status = dawn_cli_open_default(&c->x, &c->ifname);

	if (status)
		return status;
	err = dawn_kcache_open_xdp(&c->kc, &c->x);
	if (!err)
		return DAWN_EXIT_OK;
	dawn_xdp_close(&c->x);
	if (err == -EPROTO)
		return dawn_cli_fail("cache: %s was not set up by this "
				     "version; try `dawn unload --dev %s` and "
				     "load again",
				     c->ifname, c->ifname);
	return dawn_cli_fail("cache: cannot open the kernel cache of %s: %s",
			     c->ifname, strerror(-err));
}

void dawn_cache_close(struct dawn_cache *c)
{
	dawn_kcache_close(c->kc);
	dawn_xdp_close(&c->x);
}

/* A Host field's value as XDP looks it up: lower case, without the port. */
static int plain_host(const char *host, char *out, size_t size)
{
	size_t len = strlen(host);
	const char *colon = strrchr(host, ':');

	/* [v6]:port, name:port; the colons of a bracketed address stay. */
	if (colon && (host[0] != '[' || colon[-1] == ']'))
		len = (size_t)(colon - host);
	if (!len || len >= size)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower((unsigned char)host[i]);
	out[len] = '\0';
	return 0;
}

int dawn_cache_vhost(struct dawn_cache *c, const char *host, bool create,
		     uint16_t *id)
{
	bool first = !c->x.config->vhosts;
	char name[DAWN_VHOST_NAME_MAX];
	int got;

	*id = 0;
	if (!host && first)
		return DAWN_EXIT_OK;
	if (!host)
		return dawn_cli_usage("cache: %s has virtual hosts: say which "
				      "one with --host",
				      c->ifname);
	if (plain_host(host, name, sizeof(name)))
		return dawn_cli_usage("cache: '%s' is no host name", host);
	got = dawn_kcache_vhost(c->kc, name, create);
	if (got == -EINVAL)
		return dawn_cli_usage("cache: '%s' is no host name", host);
	if (got == -ENOENT)
		return dawn_cli_fail("cache: no virtual host '%s' on %s", name,
				     c->ifname);
	if (got < 0)
		return dawn_cli_fail("cache: cannot add virtual host '%s': %s",
				     name,
				     got == -ENOSPC ? "there are 256 already"
						    : strerror(-got));
	if (first)
		dawn_cli_warn("cache: from now on %s answers from the kernel "
			      "cache only for virtual hosts named so",
			      c->ifname);
	*id = (uint16_t)got;
	return DAWN_EXIT_OK;
}

/* As it may stand on a request line, and be cached. */
static int check_target(const char *target)
{
	size_t len = strlen(target);

	for (size_t i = 0; i < len; i++)
		if (target[i] <= 0x20 || target[i] >= 0x7f || target[i] == '#')
			return dawn_cli_usage("cache: '%s': a path is visible "
					      "ASCII without '#'; encode the "
					      "rest as %%XX",
					      target);
	if (target[0] != '/')
		return dawn_cli_usage("cache: '%s' does not begin with '/'",
				      target);
	if (len > DAWN_TARGET_MAX)
		return dawn_cli_usage(
			"cache: the path has %zu bytes; more than "
			"%d are never cached",
			len, DAWN_TARGET_MAX);
	return DAWN_EXIT_OK;
}

/* ---- put ---- */

struct put {
	struct dawn_cache c;
	const char *host, *type, *ttl, *tags, *target, *file;
	uint64_t ttl_ms, tag[DAWN_TAGS_MAX];
	uint8_t body[DAWN_RESP_MAX + 1];
	size_t body_len;
	struct stat st;
	bool steady; /* the body is a file as `st` says, and stayed it */
	char head[1024], nm[DAWN_NM_MAX];
	size_t head_len;
	char etag[DAWN_HTTP_ETAG_MAX]; /* empty: none */
};

/* "500ms", "30s", "5m", "1h". A bare number says too little. */
static int parse_ttl(struct put *p)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }
	};
	size_t digits = p->ttl ? strspn(p->ttl, "0123456789") : 0;
	char number[11] = "";
	uint32_t n;

	if (!p->ttl)
		return DAWN_EXIT_OK;
	memcpy(number, p->ttl, digits < 10 ? digits : 10);
	for (size_t i = 0; i < 4; i++) {
		if (digits > 10 || strcmp(p->ttl + digits, units[i].unit) ||
		    dawn_cli_u32(number, 1, UINT32_MAX, &n))
			continue;
		p->ttl_ms = n * units[i].ms;
		return DAWN_EXIT_OK;
	}
	return dawn_cli_usage("cache put: --ttl: '%s' is no time: a number, "
			      "then ms, s, m or h",
			      p->ttl);
}

/* Is what was read from fd the file that *st tells of? Else its validators say
 * nothing: it was being written, or has no size (/proc). */
static bool is_steady(const struct put *p, int fd)
{
	const struct stat *was = &p->st;
	struct stat st;

	return S_ISREG(was->st_mode) && fstat(fd, &st) == 0 &&
	       (uint64_t)st.st_size == p->body_len &&
	       st.st_mtim.tv_sec == was->st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == was->st_mtim.tv_nsec &&
	       st.st_ctim.tv_sec == was->st_ctim.tv_sec &&
	       st.st_ctim.tv_nsec == was->st_ctim.tv_nsec;
}

static int read_body(struct put *p)
{
	bool is_stdin = !strcmp(p->file, "-");
	int fd = is_stdin ? STDIN_FILENO
			  : open(p->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = 1;

	if (fd == -1 || fstat(fd, &p->st) == -1)
		n = -1;
	if (n == 1 && !is_stdin && !S_ISREG(p->st.st_mode)) {
		close(fd);
		return dawn_cli_fail("cache put: %s is no regular file",
				     p->file);
	}
	while (n > 0 && p->body_len < sizeof(p->body)) {
		n = read(fd, p->body + p->body_len,
			 sizeof(p->body) - p->body_len);
		if (n == -1 && errno == EINTR)
			n = 1;
		else if (n > 0)
			p->body_len += (size_t)n;
	}
	if (n == -1)
		dawn_cli_fail("cache put: cannot read %s: %s", p->file,
			      strerror(errno));
	else
		p->steady = is_steady(p, fd);
	if (fd > 0)
		close(fd);
	return n == -1 ? DAWN_EXIT_FAILED : DAWN_EXIT_OK;
}

/* It becomes a header field: no control bytes, no line ends. */
static int check_type(const char *type)
{
	size_t len = strlen(type), good = 0;

	while (good < len && type[good] >= 0x20 && type[good] < 0x7f)
		good++;
	if (good == len && len <= DAWN_HTTP_TYPE_MAX && strchr(type, '/'))
		return DAWN_EXIT_OK;
	return dawn_cli_usage("cache put: --content-type: '%s' is no media "
			      "type (text/html; charset=utf-8)",
			      type);
}

/* The head that dawnd would send for this file: same bytes. */
static int build_head(struct put *p)
{
	bool file = S_ISREG(p->st.st_mode);
	struct dawn_mime *mime = NULL;
	const char *type = p->type;

	if (!type && !dawn_mime_open(&mime, DAWN_MIME_TYPES_FILE))
		type = dawn_mime_type(mime, file ? p->file : p->target);
	if (p->steady)
		dawn_http_etag(p->etag, p->st.st_ino, p->st.st_mtim.tv_sec,
			       (uint32_t)p->st.st_mtim.tv_nsec, p->body_len);
	p->head_len = dawn_http_head_file(
		p->head, sizeof(p->head), 0, type, p->body_len,
		p->steady ? p->st.st_mtim.tv_sec : DAWN_HTTP_NO_TIME,
		p->steady ? p->etag : NULL, DAWN_HTTP_KEEP);
	dawn_mime_close(mime);
	if (p->head_len && p->head_len + p->body_len <= DAWN_RESP_MAX)
		return DAWN_EXIT_OK;
	return dawn_cli_fail("cache put: %s is too large: the kernel half "
			     "answers with %d bytes at most, and %zu of them "
			     "are the header section",
			     p->file, DAWN_RESP_MAX, p->head_len);
}

/* Names between commas. They are hashed with the maps' key. */
static int parse_tags(struct put *p)
{
	const char *at = p->tags, *end;
	size_t n = 0;

	for (; at; at = *end ? end + 1 : NULL) {
		end = strchrnul(at, ',');
		if (end == at || n == DAWN_TAGS_MAX)
			return dawn_cli_usage(
				"cache put: --tags: '%s' is not 1 "
				"to %d names with commas between",
				p->tags, DAWN_TAGS_MAX);
		p->tag[n++] = dawn_kcache_tag(p->c.kc, at, (size_t)(end - at));
	}
	return DAWN_EXIT_OK;
}

static int store(struct put *p)
{
	struct dawn_kcache_put put = {
		.group = DAWN_CACHE_GROUP,
		.target = p->target,
		.target_len = strlen(p->target),
		.head = p->head,
		.head_len = p->head_len,
		.date_off = DAWN_HTTP_DATE_OFFSET,
		.body = p->body,
		.body_len = p->body_len,
		.ttl_ms = p->ttl_ms,
	};
	struct dawn_index_value v;
	int err = dawn_cache_vhost(&p->c, p->host, true, &put.vhost);

	if (err)
		return err;
	memcpy(put.tags, p->tag, sizeof(put.tags));
	if (*p->etag)
		dawn_kcache_put_not_modified(&put, p->etag, p->nm,
					     sizeof(p->nm));
	err = dawn_kcache_put(p->c.kc, &put, &v);
	/* Slots that wait for a grace period come free by waiting for one. */
	if (err == -ENOSPC && dawn_kcache_sync(p->c.kc) > 0)
		err = dawn_kcache_put(p->c.kc, &put, &v);
	if (err == -ENOSPC)
		return dawn_cli_fail("cache put: all %u slots are taken; "
				     "`dawn cache purge` some, or load with "
				     "more --slots",
				     p->c.x.config->slots);
	if (err)
		return dawn_cli_fail("cache put: %s: %s", p->target,
				     strerror(-err));
	dawn_kcache_sync(p->c.kc);
	printf("%s: %zu bytes, slot %u\n", p->target, p->head_len + p->body_len,
	       v.slot);
	return fflush(stdout) ? DAWN_EXIT_FAILED : DAWN_EXIT_OK;
}

static int cache_put(int argc, char **argv)
{
	static struct put p;
	const struct dawn_opt opts[] = {
		DAWN_CLI_DEV(&p.c.ifname),
		DAWN_CACHE_HOST(&p.host),
		{ .name = "ttl",
		  .kind = DAWN_OPT_STRING,
		  .out = &p.ttl,
		  .arg = "TIME",
		  .help = "500ms, 30s, 5m, 1h (default: until purged)" },
		{ .name = "content-type",
		  .kind = DAWN_OPT_STRING,
		  .out = &p.type,
		  .arg = "TYPE",
		  .help = "default: by the file's name and mime.types" },
		{ .name = "tags",
		  .kind = DAWN_OPT_STRING,
		  .out = &p.tags,
		  .arg = "T,...",
		  .help = "up to 4 names, for `dawn cache purge --tag T`" },
		{ 0 },
	};
	const struct dawn_cli cli = {
		.name = "cache put",
		.args = "PATH FILE",
		.about = "Answer GET PATH with FILE's contents from the kernel "
			 "(FILE -: standard input).\nReplaces what is there; "
			 "returns when no packet gets the old any more.\n",
		.opts = opts,
		.args_min = 2,
		.args_max = 2,
	};
	int status;

	if (dawn_cli_parse(&cli, argc, argv, &status) < 0)
		return status;
	p.target = argv[0];
	p.file = argv[1];
	status = check_target(p.target);
	if (!status)
		status = parse_ttl(&p);
	if (!status && p.type)
		status = check_type(p.type);
	if (!status)
		status = read_body(&p);
	if (!status)
		status = build_head(&p);
	if (!status)
		status = dawn_cache_open(&p.c);
	if (status)
		return status;
	status = parse_tags(&p);
	if (!status)
		status = store(&p);
	dawn_cache_close(&p.c);
	return status;
}

/* ---- get ---- */

/* A whole slot, copied while it stayed what it was. */
static bool snapshot(struct dawn_cache *c, struct dawn_index_value v,
		     struct dawn_slot *out)
{
	const struct dawn_slot *s = dawn_kcache_slot(c->kc, v.slot);

	memcpy(out, s, sizeof(*out));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&s->gen, __ATOMIC_SEQ_CST) == v.gen &&
	       out->gen == v.gen && out->resp_len <= DAWN_RESP_MAX &&
	       out->date_off <= DAWN_RESP_MAX;
}

static int print_entry(struct dawn_cache *c, const char *target, uint16_t vhost)
{
	static struct dawn_slot s;
	struct dawn_index_value v;
	int tries = 0;

	do {
		if (tries++ == 100 ||
		    dawn_kcache_find(c->kc, DAWN_CACHE_GROUP, vhost, target,
				     strlen(target), &v))
			return dawn_cli_fail("cache get: %s is not in the "
					     "kernel cache of %s",
					     target, c->ifname);
	} while (!snapshot(c, v, &s));
	if (s.date_off)
		dawn_http_date((char *)s.data + s.date_off, time(NULL));
	fwrite(s.data, 1, s.resp_len, stdout);
	return fflush(stdout) ? DAWN_EXIT_FAILED : DAWN_EXIT_OK;
}

static int cache_get(int argc, char **argv)
{
	struct dawn_cache c = { 0 };
	const char *host = NULL;
	const struct dawn_opt opts[] = {
		DAWN_CLI_DEV(&c.ifname),
		DAWN_CACHE_HOST(&host),
		{ 0 },
	};
	const struct dawn_cli cli = {
		.name = "cache get",
		.args = "PATH",
		.about = "Print the response that the kernel half would send "
			 "now, head and body.\n",
		.opts = opts,
		.args_min = 1,
		.args_max = 1,
	};
	uint16_t vhost;
	int status;

	if (dawn_cli_parse(&cli, argc, argv, &status) < 0)
		return status;
	status = check_target(argv[0]);
	if (!status)
		status = dawn_cache_open(&c);
	if (status)
		return status;
	status = dawn_cache_vhost(&c, host, false, &vhost);
	if (!status)
		status = print_entry(&c, argv[0], vhost);
	dawn_cache_close(&c);
	return status;
}

/* ---- purge ---- */

struct purge {
	struct dawn_cache c;
	const char *host, *prefix, *tag, *target;
	bool all;
};

/* Take out all that match, then wait once. Return: how many. */
static uint32_t purge_matching(struct purge *p, bool one_host, uint16_t vhost)
{
	size_t len = p->prefix ? strlen(p->prefix) : 0;
	uint64_t tag = 0;
	const struct dawn_slot *s;
	struct dawn_cache_key k;
	uint32_t next = 0, n = 0;

	if (p->tag)
		tag = dawn_kcache_tag(p->c.kc, p->tag, strlen(p->tag));

	while ((s = dawn_kcache_next(p->c.kc, &next))) {
		k = s->key;
		if (k.target_len > DAWN_TARGET_MAX || k.target_len < len ||
		    memcmp(k.target, p->prefix ? p->prefix : "", len) ||
		    (one_host && k.vhost != vhost) ||
		    (tag && !dawn_slot_has_tag(s, tag)))
			continue;
		n += !dawn_kcache_remove(p->c.kc, k.group, k.vhost,
					 (const char *)k.target, k.target_len,
					 true);
	}
	dawn_kcache_sync(p->c.kc);
	return n;
}

static int purge(struct purge *p)
{
	bool one_host = p->host || p->target;
	uint16_t vhost = 0;
	uint32_t n = 0;
	int status = DAWN_EXIT_OK;

	if (one_host)
		status = dawn_cache_vhost(&p->c, p->host, false, &vhost);
	if (status)
		return status;
	if (!p->target) {
		n = purge_matching(p, one_host, vhost);
	} else {
		if (dawn_kcache_remove(p->c.kc, DAWN_CACHE_GROUP, vhost,
				       p->target, strlen(p->target), false))
			return dawn_cli_fail("cache purge: %s is not in the "
					     "kernel cache of %s",
					     p->target, p->c.ifname);
		dawn_kcache_sync(p->c.kc);
		n = 1;
	}
	printf("purged %u\n", n);
	return fflush(stdout) ? DAWN_EXIT_FAILED : DAWN_EXIT_OK;
}

static int cache_purge(int argc, char **argv)
{
	struct purge p = { 0 };
	const struct dawn_opt opts[] = {
		DAWN_CLI_DEV(&p.c.ifname),
		DAWN_CACHE_HOST(&p.host),
		{ .name = "all",
		  .kind = DAWN_OPT_FLAG,
		  .out = &p.all,
		  .help = "everything (with --host: of that host)" },
		{ .name = "prefix",
		  .kind = DAWN_OPT_STRING,
		  .out = &p.prefix,
		  .arg = "P",
		  .help = "every path that begins with P" },
		{ .name = "tag",
		  .kind = DAWN_OPT_STRING,
		  .out = &p.tag,
		  .arg = "T",
		  .help = "every entry that was put with this tag" },
		{ 0 },
	};
	const struct dawn_cli cli = {
		.name = "cache purge",
		.args = "[PATH]",
		.about = "Take responses out of the kernel cache. When it "
			 "returns, no packet gets them.\ndawnd may promote a "
			 "file again when it is asked for.\n",
		.opts = opts,
		.args_max = 1,
	};
	int status, args = dawn_cli_parse(&cli, argc, argv, &status);

	if (args < 0)
		return status;
	if (args + p.all + !!p.prefix + !!p.tag != 1)
		return dawn_cli_usage("cache purge: give one of PATH, --all, "
				      "--prefix P, --tag T");
	p.target = args ? argv[0] : NULL;
	if (args && check_target(argv[0]))
		return DAWN_EXIT_USAGE;
	status = dawn_cache_open(&p.c);
	if (status)
		return status;
	status = purge(&p);
	dawn_cache_close(&p.c);
	return status;
}

/* ---- dawn cache ---- */

int dawn_cmd_cache(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} subs[] = {
		{ "put", cache_put },
		{ "get", cache_get },
		{ "ls", dawn_cache_ls },
		{ "purge", cache_purge },
	};
	static const char help[] =
		"Usage: dawn cache put|get|ls|purge [OPTIONS]\n\n"
		"Responses that XDP sends by itself. `dawn cache put --help` "
		"and so on tell more.\n";

	if (argc >= 2 && !strcmp(argv[1], "--help")) {
		fputs(help, stdout);
		return DAWN_EXIT_OK;
	}
	for (size_t i = 0; argc >= 2 && i < sizeof(subs) / sizeof(*subs); i++)
		if (!strcmp(argv[1], subs[i].name))
			return subs[i].run(argc - 1, argv + 1);
	return dawn_cli_usage("cache: say put, get, ls or purge; try --help");
}
