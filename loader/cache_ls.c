// SPDX-License-Identifier: MIT OR Apache-2.0
/* dawn cache ls: what stands in the kernel cache. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loader/cache.h"
#include "user/io/clock.h"

struct row {
	uint32_t slot, gen, state, size, flags;
	int64_t ttl_ms; /* -1: for ever */
	uint64_t age_s;
	uint64_t hits;
	struct dawn_cache_key key;
	char host[DAWN_VHOST_NAME_MAX + 8];
};

struct list {
	struct row *rows;
	uint32_t count, slots;
};

static const char *const state_names[] = {
	[DAWN_SLOT_FREE] = "free",
	[DAWN_SLOT_FILLING] = "filling",
	[DAWN_SLOT_LIVE] = "live",
	[DAWN_SLOT_RETIRED] = "retired",
};

static const char *state_name(const struct row *r)
{
	if (r->state == DAWN_SLOT_LIVE && !r->ttl_ms)
		return "expired";
	return r->state <= DAWN_SLOT_RETIRED ? state_names[r->state] : "?";
}

static int64_t ttl_left_ms(uint64_t expires_ns)
{
	uint64_t now;

	if (!expires_ns)
		return -1;
	now = dawn_clock_ns(CLOCK_MONOTONIC_COARSE);
	return expires_ns > now ? (int64_t)((expires_ns - now) / 1000000) : 0;
}

static void name_host(const struct dawn_cache *c, struct row *r)
{
	struct dawn_vhost_key k, *prev = NULL;
	uint32_t id;

	snprintf(r->host, sizeof(r->host), r->key.vhost ? "#%u" : "*",
		 r->key.vhost);
	while (r->key.vhost &&
	       !bpf_map_get_next_key(c->x.map.vhosts, prev, &k)) {
		prev = &k;
		if (!bpf_map_lookup_elem(c->x.map.vhosts, &k, &id) &&
		    id == r->key.vhost)
			snprintf(r->host, sizeof(r->host), "%.64s",
				 (const char *)k.name);
	}
}

/* The slot's head part, seen while it stayed the same. Return: false if it is
 * free or being changed right now. */
static bool read_row(struct dawn_cache *c, uint32_t i, struct row *r)
{
	const struct dawn_slot *s = dawn_kcache_slot(c->kc, i);

	*r = (struct row){ .slot = i };
	r->gen = __atomic_load_n(&s->gen, __ATOMIC_SEQ_CST);
	r->state = __atomic_load_n(&s->state, __ATOMIC_SEQ_CST);
	r->size = s->resp_len;
	r->flags = s->flags;
	r->key = s->key;
	r->ttl_ms = ttl_left_ms(s->expires_ns);
	r->age_s = (uint64_t)time(NULL) - s->stored_s;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&s->gen, __ATOMIC_SEQ_CST) != r->gen ||
	    r->state == DAWN_SLOT_FREE || r->key.target_len > DAWN_TARGET_MAX)
		return false;
	r->hits = dawn_kcache_hits(c->kc, i);
	name_host(c, r);
	return true;
}

static int read_all(struct dawn_cache *c, struct list *l)
{
	while (dawn_kcache_slot(c->kc, l->slots))
		l->slots++;
	l->rows = calloc(l->slots + 1UL, sizeof(*l->rows));
	if (!l->rows)
		return dawn_cli_fail("out of memory");
	for (uint32_t i = 0; i < l->slots; i++)
		l->count += read_row(c, i, &l->rows[l->count]);
	return DAWN_EXIT_OK;
}

static int by_key(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int host = strcmp(x->host, y->host);

	return host ? host
		    : memcmp(x->key.target, y->key.target, DAWN_TARGET_MAX);
}

static int by_hits(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->hits == y->hits)
		return by_key(a, b);
	return x->hits < y->hits ? 1 : -1;
}

static int by_size(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->size == y->size)
		return by_key(a, b);
	return x->size < y->size ? 1 : -1;
}

static int show_table(const struct list *l)
{
	static const char *const headers[] = { "HOST",  "PATH", ">BYTES",
					       ">TTL",  ">AGE", ">HITS",
					       ">SLOT", "STATE" };
	struct dawn_table *t = dawn_table_new(headers, 8);

	for (uint32_t i = 0; i < l->count; i++) {
		const struct row *r = &l->rows[i];

		dawn_table_cell(t, "%s", r->host);
		dawn_table_cell(t, "%.*s", r->key.target_len,
				(const char *)r->key.target);
		dawn_table_cell(t, "%u", r->size);
		if (r->ttl_ms < 0)
			dawn_table_cell(t, "-");
		else
			dawn_table_cell(t, "%.1fs", (double)r->ttl_ms / 1000);
		dawn_table_cell(t, "%llus", (unsigned long long)r->age_s);
		dawn_table_cell(t, "%llu", (unsigned long long)r->hits);
		dawn_table_cell(t, "%u", r->slot);
		dawn_table_cell(t, "%s", state_name(r));
	}
	return dawn_table_print(t);
}

static struct json_object *json_row(const struct row *r)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "host", json_object_new_string(r->host));
	json_object_object_add(
		o, "path",
		json_object_new_string_len((const char *)r->key.target,
					   r->key.target_len));
	json_object_object_add(o, "bytes", json_object_new_int64(r->size));
	json_object_object_add(
		o, "ttl_ms",
		r->ttl_ms < 0 ? NULL : json_object_new_int64(r->ttl_ms));
	json_object_object_add(o, "age_s",
			       json_object_new_int64((int64_t)r->age_s));
	json_object_object_add(o, "hits", json_object_new_uint64(r->hits));
	json_object_object_add(o, "slot", json_object_new_int64(r->slot));
	json_object_object_add(o, "generation", json_object_new_int64(r->gen));
	json_object_object_add(
		o, "varies",
		json_object_new_boolean(!!(r->flags & DAWN_ENTRY_VARIES)));
	json_object_object_add(o, "state",
			       json_object_new_string(state_name(r)));
	return o;
}

static int show_json(const struct list *l)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < l->count; i++)
		json_object_array_add(list, json_row(&l->rows[i]));
	json_object_object_add(o, "slots", json_object_new_int64(l->slots));
	json_object_object_add(o, "free",
			       json_object_new_int64(l->slots - l->count));
	json_object_object_add(o, "entries", list);
	return dawn_cli_json(o);
}

int dawn_cache_ls(int argc, char **argv)
{
	static const char *sorts[] = { "path", "hits", "size", NULL };
	static int (*const compare[])(
		const void *, const void *) = { by_key, by_hits, by_size };
	struct dawn_cache c = { 0 };
	struct list l = { 0 };
	bool json = false;
	int status, sort = 0;
	const struct dawn_opt opts[] = {
		DAWN_CLI_DEV(&c.ifname),
		DAWN_CLI_JSON(&json, "as JSON"),
		{ .name = "sort",
		  .kind = DAWN_OPT_CHOICE,
		  .out = &sort,
		  .arg = "BY",
		  .choices = sorts,
		  .help = "path (default), hits or size" },
		{ 0 },
	};
	const struct dawn_cli cli = {
		.name = "cache ls",
		.about = "What stands in the kernel cache. HITS: answers sent "
			 "by XDP since it was put in.\n",
		.opts = opts,
	};

	if (dawn_cli_parse(&cli, argc, argv, &status) < 0)
		return status;
	status = dawn_cache_open(&c);
	if (status)
		return status;
	status = read_all(&c, &l);
	if (!status) {
		qsort(l.rows, l.count, sizeof(*l.rows), compare[sort]);
		status = json ? show_json(&l) : show_table(&l);
	}
	free(l.rows);
	dawn_cache_close(&c);
	return status;
}
