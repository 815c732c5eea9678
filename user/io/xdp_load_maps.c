// SPDX-License-Identifier: MIT OR Apache-2.0
/* Opening pinned maps: fds, their layout against this build's, mmap. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "maps/access.h"
#include "maps/cache.h"
#include "user/io/xdp_load_priv.h"

/* Every map x->map has, and the size of its values (of one CPU's). */
static const struct {
	const char *name;
	size_t fd_offset;
	uint32_t value_size;
} maps[] = {
#define M(name, size)                                            \
	{                                                        \
		#name, offsetof(struct dawn_xdp, map.name), size \
	}
	M(access, 0), /* any: only `dawn allow|deny` touches it */
	M(services, sizeof(struct dawn_service)),
	M(flow_table, sizeof(struct dawn_flow_set)),
	M(unacked, sizeof(uint64_t)),
	M(cache_index, sizeof(struct dawn_index_value)),
	M(cache_data, sizeof(struct dawn_slot)),
	M(cache_hits, sizeof(uint64_t)),
	M(vhosts, sizeof(uint32_t)),
	M(stats, sizeof(struct dawn_stats)),
	M(reactor_stats, sizeof(struct dawn_reactor_stats)),
	M(config, sizeof(struct dawn_config)),
	M(queue_sent, sizeof(uint64_t)),
	M(xsks, sizeof(uint32_t)),
	M(evicted, 0), /* a ring has no values */
#undef M
};

#define MAPS (sizeof(maps) / sizeof(maps[0]))

static int *map_fd(struct dawn_xdp *x, size_t i)
{
	return (int *)((char *)x + maps[i].fd_offset);
}

static size_t mmap_size(int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return 0;
	return ((size_t)info.max_entries * ((info.value_size + 7U) & ~7U) +
		page - 1) &
	       ~(page - 1);
}

void *dawn_map_mmap(int fd)
{
	size_t size = mmap_size(fd);
	void *at;

	if (!size)
		return NULL;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

void dawn_map_munmap(void *at, int fd)
{
	if (at)
		munmap(at, mmap_size(fd));
}

static int open_map(struct dawn_xdp *x, size_t i, struct dawn_error *e)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = dawn_pins_get(x->pin_dir, maps[i].name), err = 0;

	if (fd < 0)
		return dawn_error_set(e, fd,
				      "cannot open %s/%s: %s; `dawn off --dev "
				      "%s` removes what is there",
				      x->pin_dir, maps[i].name, strerror(-fd),
				      x->ifname);
	*map_fd(x, i) = fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		return dawn_error_set(e, err, "cannot look at %s/%s: %s",
				      x->pin_dir, maps[i].name, strerror(-err));
	if (maps[i].value_size && info.value_size != maps[i].value_size)
		return dawn_error_set(e, -EPROTO,
				      "%s/%s has another layout: it was loaded "
				      "by another version; `dawn off --dev %s` "
				      "and load again",
				      x->pin_dir, maps[i].name, x->ifname);
	return 0;
}

static int check_abi(const struct dawn_xdp *x, struct dawn_error *e)
{
	uint32_t abi = x->config->abi;

	/* 0: bpftool loaded it, nobody has configured it. */
	if (abi == DAWN_ABI_VERSION || abi == 0)
		return 0;
	return dawn_error_set(e, -EPROTO,
			      "what is loaded on %s has maps ABI %u, this "
			      "is %u; `dawn off --dev %s` and load again",
			      x->ifname, abi, DAWN_ABI_VERSION, x->ifname);
}

/* The record is missing where bpftool pinned the maps. */
static int open_record(struct dawn_xdp *x)
{
	int fd = dawn_pins_get(x->pin_dir, DAWN_RECORD_NAME);
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) &&
	    info.value_size == sizeof(*x->record))
		x->record = dawn_map_mmap(fd);
	close(fd); /* the mapping holds the map */
	return 0;
}

static int map_all(struct dawn_xdp *x, struct dawn_error *e)
{
	x->config = dawn_map_mmap(x->map.config);
	x->flow_table = dawn_map_mmap(x->map.flow_table);
	x->unacked = dawn_map_mmap(x->map.unacked);
	x->reactor_stats = dawn_map_mmap(x->map.reactor_stats);
	x->queue_sent = dawn_map_mmap(x->map.queue_sent);
	if (x->config && x->flow_table && x->unacked && x->reactor_stats &&
	    x->queue_sent)
		return 0;
	return dawn_error_set(e, -errno, "cannot mmap the maps of %s: %s",
			      x->ifname, strerror(errno));
}

int dawn_maps_open(struct dawn_xdp *x, struct dawn_error *e)
{
	int err;

	for (size_t i = 0; i < MAPS; i++) {
		err = open_map(x, i, e);
		if (err)
			return err;
	}
	err = map_all(x, e);
	if (!err)
		err = check_abi(x, e);
	if (!err && !x->record)
		err = open_record(x);
	return err;
}

void dawn_maps_close(struct dawn_xdp *x)
{
	dawn_map_munmap(x->config, x->map.config);
	dawn_map_munmap(x->flow_table, x->map.flow_table);
	dawn_map_munmap(x->unacked, x->map.unacked);
	dawn_map_munmap(x->reactor_stats, x->map.reactor_stats);
	dawn_map_munmap(x->queue_sent, x->map.queue_sent);
	if (x->record)
		munmap(x->record, (size_t)sysconf(_SC_PAGESIZE));
	x->config = NULL;
	x->flow_table = NULL;
	x->unacked = NULL;
	x->reactor_stats = NULL;
	x->queue_sent = NULL;
	x->record = NULL;
	for (size_t i = 0; i < MAPS; i++) {
		if (*map_fd(x, i) >= 0)
			close(*map_fd(x, i));
		*map_fd(x, i) = -1;
	}
}
