// SPDX-License-Identifier: MIT OR Apache-2.0
/* Loading the object: sizes first, then config, DEVMAPs and pins. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "maps/cache.h"
#include "maps/proven.h"
#include "maps/unacked.h"
#include "user/io/clock.h"
#include "user/io/xdp_load_priv.h"

/* ---- what libbpf and the kernel say ---- */

static char said[256];

/* Keep the last warning for the message to come: the kernel's own words (its
 * extended acknowledgement) come this way only. */
static int keep_warning(enum libbpf_print_level level, const char *fmt,
			va_list ap)
{
	static const char kernel[] = "Kernel error message: ";
	char line[256];
	const char *text = line;

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	if (!strncmp(line, "libbpf: ", 8))
		text = line + 8;
	if (!strncmp(text, kernel, sizeof(kernel) - 1))
		text += sizeof(kernel) - 1;
	snprintf(said, sizeof(said), "%s", text);
	return 0;
}

const char *dawn_prog_said(void)
{
	return said;
}

void dawn_prog_said_clear(void)
{
	libbpf_set_print(keep_warning);
	said[0] = '\0';
}

/* The capabilities were looked for before. */
static const char *not_permitted(int err)
{
	return err == -EPERM ? ", though the capabilities are there: in a "
			       "container they must hold in the host's user "
			       "namespace"
			     : "";
}

/* ---- sizes ---- */

static int set_sizes(struct bpf_object *obj, uint32_t sets, uint32_t slots)
{
	const struct {
		const char *map;
		uint32_t entries;
	} sizes[] = {
		{ "flow_table", sets },
		{ "unacked", DAWN_UNACKED_WORDS(sets) },
		{ "proven", dawn_proven_lines(sets) },
		{ "cache_data", slots },
		{ "cache_index", 2 * slots }, /* a replaced entry overlaps */
		{ "cache_hits", slots },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct bpf_map *m =
			bpf_object__find_map_by_name(obj, sizes[i].map);
		int err = m ? bpf_map__set_max_entries(m, sizes[i].entries)
			    : -ENOENT;

		if (err)
			return err;
	}
	return 0;
}

/* ---- config ---- */

static int random_bytes(void *out, size_t len)
{
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : -EIO;
}

static int fill_config(struct dawn_config *c, const struct dawn_xdp_options *o,
		       const struct dawn_if *i, uint32_t sets, uint32_t slots)
{
	struct timex tx = { 0 };
	int err;

	c->flow_sets = sets;
	c->proven_lines = dawn_proven_lines(sets);
	c->slots = slots;
	c->mtu = i->mtu < UINT16_MAX ? (uint16_t)i->mtu : UINT16_MAX;
	err = random_bytes(&c->flow_key, sizeof(c->flow_key));
	err = err ?: random_bytes(&c->cookie_key, sizeof(c->cookie_key));
	err = err ?: random_bytes(c->cookie_secret, sizeof(c->cookie_secret));
	err = err ?: random_bytes(&c->cache_key, sizeof(c->cache_key));
	err = err ?: random_bytes(&c->ts_offset, sizeof(c->ts_offset));
	if (err)
		return err;
	if (adjtimex(&tx) != -1 && tx.tai > 0)
		c->tai_offset_s = (uint32_t)tx.tai;
	if (!dawn_if_is_virtual(i))
		c->flags |= DAWN_CONFIG_CSUM_STRICT;
	if (o->standalone)
		c->flags |= DAWN_CONFIG_STANDALONE;
	c->memo_ms = DAWN_MEMO_MS;
	c->abi = DAWN_ABI_VERSION;
	return 0;
}

/* ---- segments ---- */

static int set_segments(const char *dir, uint32_t count,
			const struct bpf_devmap_val *val)
{
	char name[32];
	int fd, err = 0;

	snprintf(name, sizeof(name), "segments_%u", count);
	fd = dawn_pins_get(dir, name);
	if (fd < 0)
		return fd;
	for (uint32_t key = 0; key < count && !err; key++) {
		if (val)
			err = bpf_map_update_elem(fd, &key, val, BPF_ANY);
		else if (bpf_map_delete_elem(fd, &key) && errno != ENOENT)
			err = -errno;
	}
	close(fd);
	return err;
}

int dawn_prog_segments(struct dawn_xdp *x, bool native, struct dawn_error *e)
{
	int fd = dawn_pins_get(x->pin_dir, DAWN_EGRESS_NAME);
	struct bpf_devmap_val val = { .ifindex = x->ifindex,
				      .bpf_prog.fd = fd };
	int err = fd < 0 ? fd : 0;

	for (uint32_t n = 2; n <= DAWN_SEGMENTS_MAX + 1 && !err; n++)
		err = set_segments(x->pin_dir, n, native ? &val : NULL);
	if (fd >= 0)
		close(fd);
	if (err)
		return dawn_error_set(e, err,
				      "cannot fill the segments maps of %s: %s",
				      x->ifname, strerror(-err));
	x->config->flags &= ~(uint32_t)DAWN_CONFIG_CLONES;
	x->config->flags |= DAWN_CONFIG_TCP | (native ? DAWN_CONFIG_CLONES : 0);
	return 0;
}

/* ---- pins ---- */

static int pin(const char *dir, const char *name, int fd)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

static int pin_all(struct dawn_xdp *x, struct bpf_object *obj)
{
	struct bpf_map *map;
	struct bpf_program *prog;
	int err;

	bpf_object__for_each_map(map, obj)
	{
		const char *name = bpf_map__name(map);

		/* .rodata and its like: internal, and no name for bpffs */
		if (strchr(name, '.'))
			continue;
		err = pin(x->pin_dir, name, bpf_map__fd(map));
		if (err)
			return err;
	}
	bpf_object__for_each_program(prog, obj)
	{
		bool egress = bpf_program__expected_attach_type(prog) ==
			      BPF_XDP_DEVMAP;

		err = pin(x->pin_dir,
			  egress ? DAWN_EGRESS_NAME : DAWN_PROG_NAME,
			  bpf_program__fd(prog));
		if (err)
			return err;
	}
	return 0;
}

static void fill_record(struct dawn_load_record *r, unsigned int ifindex,
			const struct dawn_xdp_options *o)
{
	r->version = DAWN_RECORD_VERSION;
	r->ifindex = ifindex;
	r->loaded_unix_s = (uint64_t)time(NULL);
	if (!o->confirm_s)
		return;
	r->confirm_token = o->confirm_token;
	r->confirm_by_ns =
		dawn_clock_ns(CLOCK_BOOTTIME) + o->confirm_s * 1000000000ULL;
	r->confirm = DAWN_CONFIRM_PENDING;
}

int dawn_prog_record(struct dawn_xdp *x, const struct dawn_xdp_options *o,
		     struct dawn_error *e)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "dawn_record",
				sizeof(uint32_t), sizeof(*x->record), 1, &opts);
	int err = fd < 0 ? fd : 0;

	if (!err) {
		x->record = dawn_map_mmap(fd);
		err = x->record ? 0 : -errno;
	}
	if (x->record) {
		fill_record(x->record, x->ifindex, o);
		err = pin(x->pin_dir, DAWN_RECORD_NAME, fd);
	}
	if (fd >= 0)
		close(fd);
	if (err)
		return dawn_error_set(e, err, "cannot make %s/%s: %s%s",
				      x->pin_dir, DAWN_RECORD_NAME,
				      strerror(-err), not_permitted(err));
	return 0;
}

/* ---- the object ---- */

static int load_failed(int err, uint32_t sets, uint32_t slots,
		       struct dawn_error *e)
{
	if (err == -EPERM)
		return dawn_error_set(e, err,
				      "the kernel refused the program: %s%s",
				      strerror(-err), not_permitted(err));
	if (err == -ENOMEM || err == -E2BIG)
		return dawn_error_set(e, err,
				      "no memory for %u flows and %u slots "
				      "(%s): try smaller --flows, --slots",
				      sets * DAWN_FLOW_WAYS, slots,
				      strerror(-err));
	return dawn_error_set(e, err, "cannot load the XDP program: %s%s%s",
			      strerror(-err), said[0] ? ": " : "", said);
}

static int make_pins(struct dawn_xdp *x, struct bpf_object *obj,
		     struct dawn_error *e)
{
	int err = pin_all(x, obj);

	if (err)
		return dawn_error_set(e, err, "cannot pin in %s: %s",
				      x->pin_dir, strerror(-err));
	x->prog_fd = dawn_pins_get(x->pin_dir, DAWN_PROG_NAME);
	if (x->prog_fd < 0)
		return dawn_error_set(e, x->prog_fd, "cannot open %s/%s: %s",
				      x->pin_dir, DAWN_PROG_NAME,
				      strerror(-x->prog_fd));
	return dawn_maps_open(x, e);
}

/* Return: an opened object, or NULL with errno set. */
static struct bpf_object *open_object(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = DAWN_PROG_NAME);
	size_t len;
	const void *bytes = dawn_prog_bytes(&len);

	return bpf_object__open_mem(bytes, len, &opts);
}

/* A driver gives a program that does not know frames of several buffers only
 * one of each frame, so a large MTU refuses it. The maps' programs must be of
 * one kind. */
static int set_frags(struct bpf_object *obj)
{
	struct bpf_map *m = bpf_object__find_map_by_name(obj, ".rodata.frags");
	const __u8 on = 1;
	struct bpf_program *prog;
	int err = m ? bpf_map__set_initial_value(m, &on, sizeof(on)) : -ENOENT;

	bpf_object__for_each_program(prog, obj)
	{
		err = err
			      ?: bpf_program__set_flags(
					 prog, bpf_program__flags(prog) |
						       BPF_F_XDP_HAS_FRAGS);
	}
	return err;
}

int dawn_prog_load(struct dawn_xdp *x, const struct dawn_xdp_options *o,
		   const struct dawn_if *i, struct dawn_error *e)
{
	uint32_t sets = o->flow_sets ?: DAWN_FLOW_SETS_DEFAULT;
	uint32_t slots = o->slots ?: DAWN_SLOTS_DEFAULT;
	struct bpf_object *obj;
	int err;

	dawn_prog_said_clear();
	obj = open_object();
	err = obj ? set_sizes(obj, sets, slots) : -errno;
	x->frags = o->mode != DAWN_XDP_GENERIC && i->mtu > DAWN_PLAIN_MTU_MAX;
	if (!err && x->frags)
		err = set_frags(obj);
	if (!err)
		err = bpf_object__load(obj);
	if (err) {
		load_failed(err, sets, slots, e);
		goto out;
	}
	err = make_pins(x, obj, e);
	if (err)
		goto out;
	err = fill_config(x->config, o, i, sets, slots);
	if (err)
		dawn_error_set(e, err, "no random numbers for the secrets: %s",
			       strerror(-err));
out:
	bpf_object__close(obj); /* accepts NULL */
	return err;
}
