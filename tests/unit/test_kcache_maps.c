/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel cache over real BPF maps: needs CAP_BPF, else skips with 77. The
 * maps are anonymous: nothing is left behind. What XDP makes of the slots is
 * tested with the program itself (tests/progrun). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/cache/kcache.h"
#include "user/cache/kcache_int.h"

#define SLOTS 8
#define SETS  16

static struct dawn_kcache_fds fds;
static struct dawn_config *config;

static int make_array(uint32_t type, uint32_t value, uint32_t entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, o);

	if (type == BPF_MAP_TYPE_ARRAY)
		o.map_flags = BPF_F_MMAPABLE;
	return bpf_map_create(type, "dawn_test", 4, value, entries, &o);
}

static int make_hash(uint32_t key, uint32_t value, uint32_t entries)
{
	return bpf_map_create(BPF_MAP_TYPE_HASH, "dawn_test", key, value,
			      entries, NULL);
}

static int make_maps(void)
{
	fds.index = make_hash(sizeof(struct dawn_index_key),
			      sizeof(struct dawn_index_value), 2 * SLOTS);
	if (fds.index < 0)
		return fds.index;
	fds.data =
		make_array(BPF_MAP_TYPE_ARRAY, sizeof(struct dawn_slot), SLOTS);
	fds.hits = make_array(BPF_MAP_TYPE_PERCPU_ARRAY, 8, SLOTS);
	fds.vhosts =
		make_hash(sizeof(struct dawn_vhost_key), 4, DAWN_VHOSTS_MAX);
	fds.flow_table = make_array(BPF_MAP_TYPE_ARRAY,
				    sizeof(struct dawn_flow_set), SETS);
	fds.unacked =
		make_array(BPF_MAP_TYPE_ARRAY, 8, DAWN_UNACKED_WORDS(SETS));
	fds.config =
		make_array(BPF_MAP_TYPE_ARRAY, sizeof(struct dawn_config), 1);
	config = mmap(NULL, sizeof(*config), PROT_READ | PROT_WRITE, MAP_SHARED,
		      fds.config, 0);
	return config == MAP_FAILED ? -errno : 0;
}

static int put(struct dawn_kcache *kc, const char *target, const char *body,
	       struct dawn_index_value *v)
{
	struct dawn_kcache_put p = {
		.group = 1,
		.target = target,
		.target_len = strlen(target),
		.head = "HTTP/1.1 200 OK\r\n\r\n",
		.head_len = 19,
		.body = body,
		.body_len = strlen(body),
	};

	return dawn_kcache_put(kc, &p, v);
}

static void refuses_other_maps(void **state)
{
	struct dawn_kcache_fds bad = fds;
	struct dawn_kcache *kc;

	(void)state;
	config->abi = 0; /* as bpftool leaves it */
	assert_int_equal(dawn_kcache_open(&kc, &fds), -EPROTO);
	config->abi = DAWN_ABI_VERSION;
	config->flow_sets = SETS;
	bad.data = fds.flow_table;
	assert_int_equal(dawn_kcache_open(&kc, &bad), -EPROTO);
	bad = fds;
	bad.index = -1;
	assert_true(dawn_kcache_open(&kc, &bad) < 0);
}

/* What was put is what other readers of the maps see. */
static void life_in_the_maps(void **state)
{
	struct dawn_kcache *kc, *other;
	struct dawn_index_value v, w;
	struct dawn_slot copy;

	(void)state;
	assert_int_equal(dawn_kcache_open(&kc, &fds), 0);
	assert_int_equal(dawn_kcache_open(&other, &fds), 0);
	assert_int_equal(put(kc, "/a", "one", &v), 0);
	assert_int_equal(bpf_map_lookup_elem(fds.data, &v.slot, &copy), 0);
	assert_int_equal(copy.state, DAWN_SLOT_LIVE);
	assert_int_equal(copy.gen, v.gen);
	assert_memory_equal(copy.data, "HTTP/1.1 200 OK\r\n\r\none", 22);
	assert_int_equal(put(other, "/a", "two", &w), 0);
	assert_int_equal(dawn_kcache_find(kc, 1, 0, "/a", 2, &v), 0);
	assert_memory_equal(&v, &w, sizeof(v));
	assert_int_equal(dawn_kcache_sync(kc), 1); /* retired by the other */
	assert_int_equal(dawn_kcache_remove(kc, 1, 0, "/a", 2, false), 0);
	assert_int_equal(dawn_kcache_find(other, 1, 0, "/a", 2, &v), -ENOENT);
	assert_int_equal(dawn_kcache_sync(kc), 1);
	for (uint32_t i = 0; i < SLOTS; i++)
		assert_int_equal(dawn_kcache_slot(kc, i)->state,
				 DAWN_SLOT_FREE);
	dawn_kcache_close(kc);
	dawn_kcache_close(other);
}

static void hits_start_at_zero(void **state)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t hits[cpus];
	struct dawn_kcache *kc;
	struct dawn_index_value v;

	(void)state;
	for (int i = 0; i < cpus; i++)
		hits[i] = 1000;
	for (uint32_t i = 0; i < SLOTS; i++)
		assert_int_equal(bpf_map_update_elem(fds.hits, &i, hits, 0), 0);
	assert_int_equal(dawn_kcache_open(&kc, &fds), 0);
	assert_int_equal(put(kc, "/h", "x", &v), 0);
	assert_int_equal(dawn_kcache_hits(kc, v.slot), 0);
	for (int i = 0; i < cpus; i++)
		hits[i] = (uint64_t)i + 1;
	assert_int_equal(bpf_map_update_elem(fds.hits, &v.slot, hits, 0), 0);
	assert_int_equal(dawn_kcache_hits(kc, v.slot), cpus * (cpus + 1) / 2);
	assert_int_equal(dawn_kcache_remove(kc, 1, 0, "/h", 2, false), 0);
	dawn_kcache_close(kc);
}

static void full_map_and_vhosts(void **state)
{
	struct dawn_kcache *kc;
	char name[32];
	int id;

	(void)state;
	assert_int_equal(dawn_kcache_open(&kc, &fds), 0);
	for (int i = 0; i < SLOTS; i++) {
		snprintf(name, sizeof(name), "/%d", i);
		/* slots retired above come free by reaping */
		dawn_kcache_sync(kc);
		assert_int_equal(put(kc, name, "x", NULL), 0);
	}
	assert_int_equal(put(kc, "/more", "x", NULL), -ENOSPC);
	for (int i = 1; i <= DAWN_VHOSTS_MAX; i++) {
		snprintf(name, sizeof(name), "h%d.example", i);
		id = dawn_kcache_vhost(kc, name, true);
		assert_int_equal(id, i);
	}
	assert_int_equal(dawn_kcache_vhost(kc, "more", true), -ENOSPC);
	assert_int_equal(dawn_kcache_vhost(kc, "h7.example", false), 7);
	assert_int_equal(config->vhosts, DAWN_VHOSTS_MAX);
	dawn_kcache_close(kc);
}

static void asynchronous_removal(void **state)
{
	struct dawn_kcache *kc;
	int freed = 0;

	(void)state;
	assert_int_equal(dawn_kcache_open(&kc, &fds), 0);
	assert_int_equal(dawn_kcache_remove(kc, 1, 0, "/1", 2, true), 0);
	assert_int_equal(dawn_kcache_find(kc, 1, 0, "/1", 2, NULL), -ENOENT);
	while (!freed) {
		freed = dawn_kcache_reap(kc);
		sched_yield();
	}
	assert_int_equal(freed, 1);
	dawn_kcache_close(kc);
}

/* From here on membarrier() says EPERM, as under a container's filter. */
static int forbid_membarrier(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) ? -errno : 0;
}

/* Return: what the child found wrong, 0 nothing. */
static int without_membarrier_child(void)
{
	struct dawn_kcache *kc;
	struct dawn_index_value v;

	if (forbid_membarrier())
		return 1;
	if (syscall(SYS_membarrier, 0, 0, 0) != -1)
		return 2;
	if (dawn_kcache_open(&kc, &fds))
		return 3;
	if (dawn_kcache_remove(kc, 1, 0, "/2", 2, false))
		return 4;
	if (dawn_kcache_sync(kc) != 1)
		return 5;
	if (put(kc, "/2", "again", &v))
		return 6;
	dawn_kcache_close(kc);
	return 0;
}

static void without_membarrier(void **state)
{
	pid_t pid = fork();
	int status = -1;

	(void)state;
	if (!pid)
		_exit(without_membarrier_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_other_maps),
		cmocka_unit_test(life_in_the_maps),
		cmocka_unit_test(hits_start_at_zero),
		cmocka_unit_test(full_map_and_vhosts),
		cmocka_unit_test(asynchronous_removal),
		cmocka_unit_test(without_membarrier),
	};
	int err = make_maps();

	if (err == -EPERM) {
		printf("SKIP: BPF maps need CAP_BPF\n");
		return 77;
	}
	if (err) {
		fprintf(stderr, "cannot make maps: %s\n", strerror(-err));
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
