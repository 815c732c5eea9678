// SPDX-License-Identifier: MIT OR Apache-2.0
/* Loading and unloading, as a whole.
 *
 * Theory of operation
 *
 * Order of a load, under a lock on the pin root: check; sweep up what a crash
 * or a vanished interface of that name left; load; pin; turn offloads; attach
 * last. Each change to the interface stands in the pinned record before it is
 * made. So at any moment a kill leaves something that dawn_xdp_unload() finds
 * and undoes, and a failure runs the same undo at once.
 *
 * What is ours is told by numbers, not by names: a program that is pinned in
 * the interface's directory, or uses a map that is. Any other program is left
 * alone, and detaching names the program it expects, so that one attached in
 * between by somebody else stays.
 *
 * Signals wait while the interface is half made.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/io/clock.h"
#include "user/io/xdp_load_priv.h"

static void init(struct dawn_xdp *x, const char *ifname)
{
	memset(x, 0, sizeof(*x));
	memset(&x->map, 0xff, sizeof(x->map)); /* all fds -1 */
	x->prog_fd = -1;
	x->serve_fd = -1;
	snprintf(x->ifname, sizeof(x->ifname), "%s", ifname);
	x->ifindex = if_nametoindex(ifname);
	dawn_pins_dir(ifname, x->pin_dir, sizeof(x->pin_dir));
}

static bool pins_exist(const struct dawn_xdp *x)
{
	struct stat st;

	return !stat(x->pin_dir, &st);
}

void dawn_xdp_close(struct dawn_xdp *x)
{
	dawn_maps_close(x);
	if (x->prog_fd >= 0)
		close(x->prog_fd);
	x->prog_fd = -1;
	if (x->serve_fd >= 0)
		close(x->serve_fd);
	x->serve_fd = -1;
}

bool dawn_xdp_reactor_alive(const struct dawn_xdp *x)
{
	uint64_t ns = dawn_clock_ns(CLOCK_MONOTONIC_COARSE);

	for (int q = 0; q < DAWN_QUEUES_MAX; q++) {
		uint64_t beat = __atomic_load_n(
			&x->config->queue[q].heartbeat_ns, __ATOMIC_RELAXED);

		if (beat && ns < beat + DAWN_HEARTBEAT_MAX_NS)
			return true;
	}
	return false;
}

/* ---- what is attached ---- */

/* Which of an interface's attached programs is ours, and its mode. */
static uint32_t own_program(const char *dir, const struct dawn_if *i,
			    enum dawn_xdp_mode *mode)
{
	if (dawn_pins_own_program(dir, i->xdp_driver_id)) {
		*mode = DAWN_XDP_NATIVE;
		return i->xdp_driver_id;
	}
	if (dawn_pins_own_program(dir, i->xdp_generic_id)) {
		*mode = DAWN_XDP_GENERIC;
		return i->xdp_generic_id;
	}
	return 0;
}

static uint32_t any_program(const struct dawn_if *i)
{
	if (i->xdp_driver_id)
		return i->xdp_driver_id;
	return i->xdp_generic_id ? i->xdp_generic_id : i->xdp_offload_id;
}

static void program_name(uint32_t id, char *out, size_t size)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	out[0] = '\0';
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		snprintf(out, size, "%s", info.name);
	close(fd);
}

static int refuse_foreign(const struct dawn_if *i, struct dawn_error *e)
{
	uint32_t id = any_program(i);
	char name[BPF_OBJ_NAME_LEN];

	program_name(id, name, sizeof(name));
	return dawn_error_set(
		e, -EBUSY,
		"%s has an XDP program already, not loaded here: id %u name "
		"'%s'; stop what attached it, or take it off with `ip link set "
		"dev %s %s off`",
		i->name, id, name, i->name,
		id == i->xdp_driver_id ? "xdpdrv" : "xdpgeneric");
}

static int detach(const struct dawn_if *i, uint32_t id, enum dawn_xdp_mode mode)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts,
		    .old_prog_fd = bpf_prog_get_fd_by_id(id));
	__u32 flags = mode == DAWN_XDP_NATIVE ? XDP_FLAGS_DRV_MODE
					      : XDP_FLAGS_SKB_MODE;
	int err;

	if (opts.old_prog_fd < 0)
		return opts.old_prog_fd == -ENOENT ? 0 : opts.old_prog_fd;
	err = bpf_xdp_detach((int)i->ifindex, flags, &opts);
	close(opts.old_prog_fd);
	return err;
}

/* ---- undo ---- */

static struct dawn_load_record *map_record(const char *dir, int *fd)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	struct dawn_load_record *r = NULL;

	*fd = dawn_pins_get(dir, DAWN_RECORD_NAME);
	if (*fd < 0)
		return NULL;
	if (!bpf_obj_get_info_by_fd(*fd, &info, &len) &&
	    info.value_size == sizeof(*r))
		r = dawn_map_mmap(*fd);
	if (r && r->version == DAWN_RECORD_VERSION)
		return r;
	dawn_map_munmap(r, *fd);
	close(*fd);
	return NULL;
}

bool dawn_xdp_made_by(const char *ifname, uint64_t confirm_token)
{
	struct dawn_load_record *r;
	struct dawn_xdp x;
	bool same;
	int fd;

	init(&x, ifname);
	r = map_record(x.pin_dir, &fd);
	if (!r)
		return false;
	same = r->confirm != DAWN_CONFIRM_NONE &&
	       r->confirm_token == confirm_token;
	dawn_map_munmap(r, fd);
	close(fd);
	return same;
}

static int restore(const char *dir, const char *ifname, unsigned int ifindex,
		   struct dawn_error *e)
{
	struct dawn_load_record *r;
	int fd, err;

	r = map_record(dir, &fd);
	if (!r)
		return 0;
	err = dawn_prep_undo(r, ifname, ifindex);
	dawn_map_munmap(r, fd);
	close(fd);
	if (err)
		dawn_error_set(e, err,
			       "%s is unloaded, but offloads could not be "
			       "turned back: %s",
			       ifname, strerror(-err));
	return err;
}

/* The interface may have got another name since: then it is found by the
 * number in the record, if our program is there. */
static void follow_name(struct dawn_xdp *x)
{
	enum dawn_xdp_mode mode;
	struct dawn_load_record *r;
	unsigned int number;
	struct dawn_if i;
	int fd;

	r = map_record(x->pin_dir, &fd);
	if (!r)
		return;
	number = r->ifindex;
	dawn_map_munmap(r, fd);
	close(fd);
	if (number == x->ifindex || dawn_if_get(&i, number) ||
	    !own_program(x->pin_dir, &i, &mode))
		return;
	x->ifindex = number;
	memcpy(x->ifname, i.name, sizeof(x->ifname));
}

/* The interface may be in another network namespace by now, our program on it:
 * without services it passes everything. Whatever the size of a key. */
static void disarm(const char *dir)
{
	int fd = dawn_pins_get(dir, "services");
	uint8_t key[256];

	if (fd < 0)
		return;
	for (int i = 0; i < 2 * DAWN_SERVICES_MAX; i++) {
		if (bpf_map_get_next_key(fd, NULL, key) ||
		    bpf_map_delete_elem(fd, key))
			break;
	}
	close(fd);
}

static int detach_own(const struct dawn_xdp *x, struct dawn_error *e)
{
	enum dawn_xdp_mode mode = DAWN_XDP_AUTO;
	struct dawn_if i;
	uint32_t id = 0;
	int err;

	if (x->ifindex && !dawn_if_get(&i, x->ifindex))
		id = own_program(x->pin_dir, &i, &mode);
	if (!id) {
		disarm(x->pin_dir);
		return 0;
	}
	err = detach(&i, id, mode);
	if (err)
		return dawn_error_set(e, err, "cannot detach from %s: %s%s",
				      x->ifname, strerror(-err),
				      err == -EPERM ? " (needs CAP_NET_ADMIN)"
						    : "");
	return 0;
}

/* Detach, restore, remove pins. Under the lock. */
static int clear(const struct dawn_xdp *x, struct dawn_error *e)
{
	struct dawn_xdp at = *x;
	int err, err2;

	if (!pins_exist(x))
		return -ENOENT;
	follow_name(&at);
	err = detach_own(&at, e);
	if (err)
		return err;
	err2 = restore(x->pin_dir, at.ifname, at.ifindex, e);
	err = dawn_pins_remove(x->pin_dir);
	if (err)
		return dawn_error_set(e, err, "cannot remove %s: %s",
				      x->pin_dir, strerror(-err));
	return err2;
}

/* The same in an emergency: go on whatever fails, and the pins go before
 * anything that another namespace or a driver could hold up. */
static int clear_anyhow(const struct dawn_xdp *x, struct dawn_error *e)
{
	struct dawn_load_record copy, *r;
	struct dawn_xdp at = *x;
	int err, err2, fd;

	if (!pins_exist(x))
		return -ENOENT;
	follow_name(&at);
	r = map_record(x->pin_dir, &fd);
	if (r) {
		copy = *r;
		dawn_map_munmap(r, fd);
		close(fd);
	}
	err = detach_own(&at, e);
	err2 = dawn_pins_remove(x->pin_dir);
	if (err2 && !err)
		dawn_error_set(e, err2, "cannot remove %s: %s", x->pin_dir,
			       strerror(-err2));
	if (r)
		dawn_prep_undo(&copy, at.ifname, at.ifindex);
	return err ? err : err2;
}

struct held {
	int lock_fd;
	sigset_t signals;
};

static int hold(struct held *h, bool make, struct dawn_error *e)
{
	sigset_t all;
	int fd = make ? dawn_pins_lock(e) : dawn_pins_lock_existing(e);

	if (fd < 0)
		return fd;
	h->lock_fd = fd;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &h->signals);
	return 0;
}

static void release(struct held *h)
{
	close(h->lock_fd);
	pthread_sigmask(SIG_SETMASK, &h->signals, NULL);
}

static int unload(const char *ifname,
		  int (*how)(const struct dawn_xdp *, struct dawn_error *),
		  struct dawn_error *e)
{
	struct dawn_xdp x;
	struct held h;
	int err;

	e->text[0] = '\0';
	init(&x, ifname);
	dawn_prog_said_clear();
	err = hold(&h, false, e);
	if (err)
		return err;
	err = how(&x, e);
	release(&h);
	return err;
}

int dawn_xdp_unload(const char *ifname, struct dawn_error *e)
{
	return unload(ifname, clear, e);
}

int dawn_xdp_off(const char *ifname, struct dawn_error *e)
{
	return unload(ifname, clear_anyhow, e);
}

/* ---- open ---- */

static void take_interface(struct dawn_xdp *x, const struct dawn_if *i)
{
	memcpy(x->mac, i->mac, sizeof(x->mac));
	x->queues = i->queues;
}

static int not_attached(struct dawn_xdp *x, const struct dawn_if *i,
			struct dawn_error *e)
{
	uint32_t id = any_program(i);
	char name[BPF_OBJ_NAME_LEN] = "";

	if (!id)
		return dawn_error_set(e, -ENOENT,
				      "only left-overs of an earlier load are "
				      "there for %s (%s): `dawn unload --dev "
				      "%s` clears them",
				      x->ifname, x->pin_dir, x->ifname);
	program_name(id, name, sizeof(name));
	return dawn_error_set(e, -ENOENT,
			      "another XDP program is attached to %s (id %u "
			      "name '%s'); `dawn unload --dev %s` clears our "
			      "left-overs",
			      x->ifname, id, name, x->ifname);
}

static int open_loaded(struct dawn_xdp *x, struct dawn_error *e)
{
	struct dawn_if i;
	int err;

	if (!pins_exist(x)) {
		if (errno != EACCES)
			return -ENOENT;
		return dawn_error_set(e, -EACCES,
				      "no right to look into %s: run as root",
				      DAWN_PIN_ROOT);
	}
	err = x->ifindex ? dawn_if_get(&i, x->ifindex) : -ENODEV;
	if (err)
		return dawn_error_set(
			e, err == -ENODEV ? -ENOENT : err,
			"no interface %s any more, only its pins: "
			"`dawn unload --dev %s` clears them",
			x->ifname, x->ifname);
	if (!own_program(x->pin_dir, &i, &x->mode))
		return not_attached(x, &i, e);
	err = dawn_maps_open(x, e);
	if (err)
		return err;
	x->prog_fd = dawn_pins_get(x->pin_dir, DAWN_PROG_NAME);
	take_interface(x, &i);
	x->adopted = true;
	snprintf(x->mode_why, sizeof(x->mode_why), "%s",
		 x->record ? x->record->mode_why : "loaded by bpftool");
	return 0;
}

int dawn_xdp_open(struct dawn_xdp *x, const char *ifname, struct dawn_error *e)
{
	int err;

	e->text[0] = '\0';
	init(x, ifname);
	err = open_loaded(x, e);
	if (err)
		dawn_xdp_close(x);
	return err;
}

/* ---- load ---- */

static int check_capabilities(struct dawn_error *e)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { 0 };
	const char *missing = NULL;
	uint64_t have;

	if (syscall(SYS_capget, &head, data))
		return 0; /* the kernel will tell */
	have = (uint64_t)data[1].effective << 32 | data[0].effective;
	if (!(have & 1ULL << CAP_NET_ADMIN))
		missing = "CAP_NET_ADMIN";
	else if (!(have & (1ULL << CAP_BPF | 1ULL << CAP_SYS_ADMIN)))
		missing = "CAP_BPF";
	if (!missing)
		return 0;
	return dawn_error_set(e, -EPERM,
			      "loading an XDP program needs %s: run as root "
			      "(dawnd --io epoll needs no rights)",
			      missing);
}

/* Try to attach in one mode, the interface made fit for it. */
static int attach(struct dawn_xdp *x, const struct dawn_if *i,
		  enum dawn_xdp_mode mode, bool assume_no_vlan,
		  struct dawn_error *e)
{
	bool native = mode == DAWN_XDP_NATIVE;
	__u32 flags = XDP_FLAGS_UPDATE_IF_NOEXIST |
		      (native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	int err = dawn_prep(x, i, mode, assume_no_vlan, e);

	if (err)
		return err;
	err = dawn_prog_segments(x, native, e);
	if (err)
		return err;
	dawn_prog_said_clear();
	err = bpf_xdp_attach((int)x->ifindex, x->prog_fd, flags, NULL);
	if (!err) {
		x->mode = mode;
		x->record->mode = mode;
		return 0;
	}
	dawn_error_set(e, err, "%s mode refused by %s (driver %s, MTU %u): %s",
		       native ? "native" : "generic", i->name,
		       i->driver[0] ? i->driver : "unknown", i->mtu,
		       dawn_prog_said()[0] ? dawn_prog_said() : strerror(-err));
	return err;
}

static void advise(const struct dawn_if *i, struct dawn_error *e)
{
	size_t len = strlen(e->text);

	snprintf(e->text + len, sizeof(e->text) - len,
		 "; try --mode generic%s%s",
		 i->mtu > 1500 ? ", or a smaller MTU: ip link set mtu 1500 dev "
			       : "",
		 i->mtu > 1500 ? i->name : "");
}

/* Native if it can be had, else generic; why goes to mode_why. */
static int attach_some(struct dawn_xdp *x, const struct dawn_if *i,
		       const struct dawn_xdp_options *o, struct dawn_error *e)
{
	int err;

	if (o->mode == DAWN_XDP_GENERIC) {
		snprintf(x->mode_why, sizeof(x->mode_why), "asked for");
		return attach(x, i, DAWN_XDP_GENERIC, o->assume_no_vlan, e);
	}
	err = attach(x, i, DAWN_XDP_NATIVE, o->assume_no_vlan, e);
	if (!err) {
		snprintf(x->mode_why, sizeof(x->mode_why), "%s",
			 o->mode == DAWN_XDP_NATIVE ? "asked for"
						    : "the driver has it");
		return 0;
	}
	if (err == -EHOSTUNREACH || err == -EBUSY || err == -EEXIST)
		return err; /* generic mode would not change that */
	if (o->mode == DAWN_XDP_NATIVE) {
		advise(i, e);
		return err;
	}
	snprintf(x->mode_why, sizeof(x->mode_why), "%.127s", e->text);
	dawn_prep_undo(x->record, i->name, i->ifindex);
	return attach(x, i, DAWN_XDP_GENERIC, o->assume_no_vlan, e);
}

/* From now on: what the verifier took is not the operator's time. */
static void begin_confirm(struct dawn_load_record *r, uint32_t confirm_s)
{
	r->confirm_by_ns =
		dawn_clock_ns(CLOCK_BOOTTIME) + confirm_s * 1000000000ULL;
}

/* Everything after the checks. Whatever fails, the caller clears. */
static int build(struct dawn_xdp *x, const struct dawn_if *i,
		 const struct dawn_xdp_options *o, struct dawn_error *e)
{
	int err;

	if (mkdir(x->pin_dir, 0700)) {
		err = -errno;
		return dawn_error_set(e, err, "cannot make %s: %s", x->pin_dir,
				      strerror(-err));
	}
	err = dawn_prog_record(x, o, e);
	if (!err)
		err = dawn_prog_load(x, o, i, e);
	if (!err)
		err = attach_some(x, i, o, e);
	if (err)
		return err;
	memcpy(x->record->mode_why, x->mode_why, sizeof(x->mode_why));
	if (o->confirm_s)
		begin_confirm(x->record, o->confirm_s);
	x->record->attached = 1;
	return 0;
}

/* Be the only daemon on it: a lock that ends with the process, and holds while
 * that is stopped (heartbeats do not). Then it is neither alone nor draining. */
static int take_over(struct dawn_xdp *x, struct dawn_error *e)
{
	int err;

	x->serve_fd = open(x->pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->serve_fd == -1 || flock(x->serve_fd, LOCK_EX | LOCK_NB)) {
		err = -errno;
		if (err == -EWOULDBLOCK)
			return dawn_error_set(e, -EBUSY,
					      "%s is served by another dawnd "
					      "already: end that one first",
					      x->ifname);
		return dawn_error_set(e, err, "cannot lock %s: %s", x->pin_dir,
				      strerror(-err));
	}
	__atomic_and_fetch(
		&x->config->flags,
		~(uint32_t)(DAWN_CONFIG_STANDALONE | DAWN_CONFIG_DRAIN),
		__ATOMIC_RELEASE);
	return 0;
}

static int load_held(struct dawn_xdp *x, const struct dawn_xdp_options *o,
		     struct dawn_error *e)
{
	struct dawn_error ignored;
	struct dawn_if i;
	int err = open_loaded(x, e);

	if (!err && !x->config->abi)
		return dawn_error_set(
			e, -EEXIST,
			"bpftool loaded the program on %s: it has "
			"no secrets and no egress program, so no "
			"TCP; `dawn unload --dev %s` first",
			x->ifname, x->ifname);
	if (!err && o->serve)
		err = take_over(x, e);
	if (err != -ENOENT)
		return err;
	e->text[0] = '\0';
	err = dawn_if_get(&i, x->ifindex);
	if (err)
		return dawn_error_set(e, err, "no interface %s: %s", x->ifname,
				      strerror(-err));
	if (any_program(&i))
		return refuse_foreign(&i, e);
	take_interface(x, &i);
	/* Left by a crash, or by an interface of that name that is gone. */
	err = clear(x, e);
	if (err && err != -ENOENT)
		return err;
	err = build(x, &i, o, e);
	if (!err && o->serve)
		err = take_over(x, e);
	if (err)
		clear(x, &ignored);
	return err;
}

int dawn_xdp_load(struct dawn_xdp *x, const struct dawn_xdp_options *o,
		  struct dawn_error *e)
{
	struct held h;
	int err;

	e->text[0] = '\0';
	init(x, o->ifname);
	if (!x->ifindex)
		return dawn_error_set(e, -ENODEV,
				      "no interface '%s' in this network "
				      "namespace (`ip link` lists them)",
				      o->ifname);
	err = check_capabilities(e);
	if (!err)
		err = hold(&h, true, e);
	if (err)
		return err;
	err = load_held(x, o, e);
	release(&h);
	if (err)
		dawn_xdp_close(x);
	return err;
}

/* ---- services ---- */

static uint16_t free_id(int fd)
{
	struct dawn_service_key key, *at = NULL;
	bool used[DAWN_SERVICES_MAX + 2] = { false };
	struct dawn_service s;
	uint16_t id = 1;

	while (!bpf_map_get_next_key(fd, at, &key)) {
		at = &key;
		if (!bpf_map_lookup_elem(fd, &key, &s) &&
		    s.id <= DAWN_SERVICES_MAX)
			used[s.id] = true;
	}
	while (id <= DAWN_SERVICES_MAX && used[id])
		id++;
	return id;
}

int dawn_xdp_add_service(struct dawn_xdp *x, const struct dawn_service_key *key,
			 const struct dawn_service *want, struct dawn_error *e)
{
	struct dawn_service s = { 0 }, now = *want;
	int lock = dawn_pins_lock_existing(e), err;

	if (lock < 0)
		return lock;
	if (bpf_map_lookup_elem(x->map.services, key, &s))
		s.id = free_id(x->map.services);
	now.id = s.id;
	err = bpf_map_update_elem(x->map.services, key, &now, BPF_ANY);
	close(lock);
	if (err)
		return dawn_error_set(e, err,
				      "cannot add a service on %s: %s (at "
				      "most %u)",
				      x->ifname, strerror(-err),
				      DAWN_SERVICES_MAX);
	return now.id;
}
