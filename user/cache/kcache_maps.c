/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel cache over real BPF maps.
 *
 * Grace periods: membarrier(MEMBARRIER_CMD_GLOBAL) is synchronize_rcu(). It is
 * missing with nohz_full CPUs or under a seccomp filter; then a map of maps is
 * updated: that system call, too, returns only after the running programs have
 * ended (kernel: maybe_wait_bpf_programs(), since 4.15). With neither, opening
 * fails: a slot must not be reused on a guess.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/cache/kcache_int.h"
#include "user/io/clock.h"

struct maps {
	struct dawn_kcache_fds fd;
	int cpus;
	int inner_fd; /* -1: membarrier works */
	int outer_fd;
	struct {
		void *at;
		size_t len;
	} data, config, flow_table, unacked;
};

static int index_get(void *ctx, const struct dawn_index_key *k,
		     struct dawn_index_value *v)
{
	struct maps *m = ctx;

	return bpf_map_lookup_elem(m->fd.index, k, v) ? -errno : 0;
}

static int index_set(void *ctx, const struct dawn_index_key *k,
		     const struct dawn_index_value *v)
{
	struct maps *m = ctx;

	return bpf_map_update_elem(m->fd.index, k, v, BPF_ANY) ? -errno : 0;
}

static int index_del(void *ctx, const struct dawn_index_key *k)
{
	struct maps *m = ctx;

	return bpf_map_delete_elem(m->fd.index, k) ? -errno : 0;
}

static int vhost_get(void *ctx, const struct dawn_vhost_key *k, uint32_t *id)
{
	struct maps *m = ctx;

	return bpf_map_lookup_elem(m->fd.vhosts, k, id) ? -errno : 0;
}

static int vhost_set(void *ctx, const struct dawn_vhost_key *k, uint32_t id)
{
	struct maps *m = ctx;

	return bpf_map_update_elem(m->fd.vhosts, k, &id, BPF_NOEXIST) ? -errno
								      : 0;
}

static uint32_t vhost_max(void *ctx)
{
	struct maps *m = ctx;
	struct dawn_vhost_key key, *prev = NULL;
	uint32_t id, max = 0;

	while (!bpf_map_get_next_key(m->fd.vhosts, prev, &key)) {
		if (!bpf_map_lookup_elem(m->fd.vhosts, &key, &id) && id > max)
			max = id;
		prev = &key;
	}
	return max;
}

static int hits_reset(void *ctx, uint32_t slot)
{
	struct maps *m = ctx;
	uint64_t zero[m->cpus];

	memset(zero, 0, sizeof(zero));
	return bpf_map_update_elem(m->fd.hits, &slot, zero, BPF_ANY) ? -errno
								     : 0;
}

static uint64_t hits_get(void *ctx, uint32_t slot)
{
	struct maps *m = ctx;
	uint64_t hits[m->cpus], sum = 0;

	if (bpf_map_lookup_elem(m->fd.hits, &slot, hits))
		return 0;
	for (int i = 0; i < m->cpus; i++)
		sum += hits[i];
	return sum;
}

static void grace(void *ctx)
{
	struct maps *m = ctx;
	uint32_t zero = 0;

	if (m->inner_fd == -1)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	else
		bpf_map_update_elem(m->outer_fd, &zero, &m->inner_fd, BPF_ANY);
}

static bool writer_alive(void *ctx, uint64_t writer)
{
	(void)ctx;
	return dawn_writer_alive(writer);
}

static uint64_t now_ns(void *ctx)
{
	(void)ctx;
	return dawn_clock_ns(CLOCK_MONOTONIC_COARSE);
}

static void release(void *ctx)
{
	struct maps *m = ctx;

	if (m->data.at)
		munmap(m->data.at, m->data.len);
	if (m->config.at)
		munmap(m->config.at, m->config.len);
	if (m->flow_table.at)
		munmap(m->flow_table.at, m->flow_table.len);
	if (m->unacked.at)
		munmap(m->unacked.at, m->unacked.len);
	if (m->inner_fd != -1)
		close(m->inner_fd);
	if (m->outer_fd != -1)
		close(m->outer_fd);
	free(m);
}

static const struct dawn_kcache_ops map_ops = {
	.index_get = index_get,
	.index_set = index_set,
	.index_del = index_del,
	.vhost_get = vhost_get,
	.vhost_set = vhost_set,
	.vhost_max = vhost_max,
	.hits_reset = hits_reset,
	.hits_get = hits_get,
	.grace = grace,
	.writer_alive = writer_alive,
	.now_ns = now_ns,
	.release = release,
};

static bool membarrier_works(void)
{
	long cmds = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	/* Ask, then try: a filter may let the question through only. */
	return cmds > 0 && (cmds & MEMBARRIER_CMD_GLOBAL) &&
	       !syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static int open_grace(struct maps *m)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	uint32_t zero = 0;

	if (membarrier_works())
		return 0;
	m->inner_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "dawn_grace_in", 4, 4,
				     1, NULL);
	if (m->inner_fd < 0) {
		m->inner_fd = -1;
		return -EOPNOTSUPP;
	}
	opts.inner_map_fd = (uint32_t)m->inner_fd;
	m->outer_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "dawn_grace",
				     4, 4, 1, &opts);
	if (m->outer_fd < 0) {
		m->outer_fd = -1;
		return -EOPNOTSUPP;
	}
	if (bpf_map_update_elem(m->outer_fd, &zero, &m->inner_fd, BPF_ANY))
		return -EOPNOTSUPP;
	return 0;
}

/* Is this map one of ours? Return: its number of entries or negative errno. */
static int64_t check_map(int fd, uint32_t key_size, uint32_t value_size)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.key_size != key_size || info.value_size != value_size)
		return -EPROTO;
	return info.max_entries;
}

static int map_memory(int fd, size_t len, int prot, void **at, size_t *at_len)
{
	long page = sysconf(_SC_PAGESIZE);
	void *p;

	len = (len + (size_t)page - 1) / (size_t)page * (size_t)page;
	p = mmap(NULL, len, prot, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*at = p;
	*at_len = len;
	return 0;
}

static int map_config(struct maps *m, struct dawn_kcache_mem *mem)
{
	int64_t n = check_map(m->fd.config, 4, sizeof(struct dawn_config));
	int err;

	if (n < 0)
		return (int)n;
	err = map_memory(m->fd.config, sizeof(struct dawn_config),
			 PROT_READ | PROT_WRITE, &m->config.at, &m->config.len);
	if (err)
		return err;
	mem->config = m->config.at;
	return mem->config->abi == DAWN_ABI_VERSION ? 0 : -EPROTO;
}

static int map_slots(struct maps *m, struct dawn_kcache_mem *mem)
{
	int64_t n = check_map(m->fd.data, 4, sizeof(struct dawn_slot));
	int err;

	if (n < 0)
		return (int)n;
	err = map_memory(m->fd.data, (size_t)n * sizeof(struct dawn_slot),
			 PROT_READ | PROT_WRITE, &m->data.at, &m->data.len);
	mem->slots = m->data.at;
	mem->slot_count = (uint32_t)n;
	return err;
}

static int map_flows(struct maps *m, struct dawn_kcache_mem *mem)
{
	int64_t n =
		check_map(m->fd.flow_table, 4, sizeof(struct dawn_flow_set));
	int64_t words = check_map(m->fd.unacked, 4, sizeof(uint64_t));
	int err;

	if (n < 0 || words < 0)
		return (int)(n < 0 ? n : words);
	/* The program uses config's number; the maps may be larger. */
	if (mem->config->flow_sets < n)
		n = mem->config->flow_sets;
	if (words < (int64_t)DAWN_UNACKED_WORDS(n))
		return -EPROTO;
	err = map_memory(m->fd.flow_table,
			 (size_t)n * sizeof(struct dawn_flow_set), PROT_READ,
			 &m->flow_table.at, &m->flow_table.len);
	if (!err)
		err = map_memory(m->fd.unacked,
				 DAWN_UNACKED_WORDS((size_t)n) * 8, PROT_READ,
				 &m->unacked.at, &m->unacked.len);
	mem->flow_table = m->flow_table.at;
	mem->unacked = m->unacked.at;
	mem->flow_sets = (uint32_t)n;
	return err;
}

static int check_small_maps(const struct dawn_kcache_fds *fd)
{
	int64_t n;

	n = check_map(fd->index, sizeof(struct dawn_index_key),
		      sizeof(struct dawn_index_value));
	if (n >= 0)
		n = check_map(fd->hits, 4, sizeof(uint64_t));
	if (n >= 0)
		n = check_map(fd->vhosts, sizeof(struct dawn_vhost_key), 4);
	return n < 0 ? (int)n : 0;
}

int dawn_kcache_open(struct dawn_kcache **out,
		     const struct dawn_kcache_fds *fds)
{
	struct dawn_kcache_mem mem = { .ops = &map_ops };
	struct maps *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->fd = *fds;
	m->inner_fd = m->outer_fd = -1;
	m->cpus = libbpf_num_possible_cpus();
	err = m->cpus < 0 ? m->cpus : check_small_maps(fds);
	if (!err)
		err = map_config(m, &mem);
	if (!err)
		err = map_slots(m, &mem);
	if (!err)
		err = map_flows(m, &mem);
	if (!err)
		err = open_grace(m);
	mem.ctx = m;
	mem.writer = dawn_writer_self();
	if (!err)
		err = dawn_kcache_open_mem(out, &mem);
	if (err)
		release(m);
	return err;
}
