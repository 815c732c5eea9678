// SPDX-License-Identifier: MIT OR Apache-2.0
/* Where things are pinned, and the lock on it. */
#include <bpf/bpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "user/io/xdp_load_priv.h"

#define MAP_IDS_MAX 64

int dawn_error_set(struct dawn_error *e, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return err;
}

/* ---- names ----
 *
 * bpffs refuses names with a dot, '@' separates the namespace: so every byte
 * but letters, digits, '-' and '_' becomes %xx. No two names meet. */

static void escape(const char *name, char *out, size_t size)
{
	size_t n = 0;

	for (const unsigned char *p = (const void *)name; *p && n + 4 <= size;
	     p++) {
		if (isalnum(*p) || *p == '-' || *p == '_')
			out[n++] = (char)*p;
		else
			n += (size_t)sprintf(out + n, "%%%02x", *p);
	}
	out[n] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The opposite; stops at '@'. Return: false: not a name that escape() made. */
static bool unescape(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; *text && *text != '@'; text++) {
		char byte = *text;

		if (n + 1 >= size)
			return false;
		if (byte == '%') {
			int high = hex_digit(text[1]);
			int low = high < 0 ? -1 : hex_digit(text[2]);

			if (low < 0)
				return false;
			byte = (char)(high << 4 | low);
			text += 2;
		}
		out[n++] = byte;
	}
	out[n] = '\0';
	return dawn_if_name_valid(out);
}

void dawn_pins_dir(const char *ifname, char *out, size_t size)
{
	char name[3 * IF_NAMESIZE + 1];

	escape(ifname, name, sizeof(name));
	if (dawn_netns_is_initial())
		snprintf(out, size, DAWN_PIN_ROOT "/%s", name);
	else
		snprintf(out, size, DAWN_PIN_ROOT "/%s@%llu", name,
			 (unsigned long long)dawn_netns_inode());
}

static bool fill_pin(struct dawn_xdp_pin *p, const char *entry, uint64_t here)
{
	const char *at = strchr(entry, '@');
	char *end = NULL;

	memset(p, 0, sizeof(*p));
	if (!unescape(entry, p->ifname, sizeof(p->ifname)))
		return false;
	if (at)
		p->netns_inode = strtoull(at + 1, &end, 10);
	if (end && *end)
		return false;
	p->here = p->netns_inode == here;
	snprintf(p->dir, sizeof(p->dir), DAWN_PIN_ROOT "/%.200s", entry);
	return true;
}

int dawn_xdp_list(struct dawn_xdp_pin *out, int max)
{
	uint64_t here = dawn_netns_is_initial() ? 0 : dawn_netns_inode();
	DIR *d = opendir(DAWN_PIN_ROOT);
	struct dirent *de;
	int count = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((de = readdir(d))) {
		struct dawn_xdp_pin p;

		if (de->d_name[0] == '.' || !fill_pin(&p, de->d_name, here))
			continue;
		if (count < max)
			out[count] = p;
		count++;
	}
	closedir(d);
	return count;
}

/* ---- the file system and its lock ---- */

static bool bpffs_mounted(void)
{
	struct statfs fs;

	return !statfs(DAWN_BPFFS, &fs) && fs.f_type == BPF_FS_MAGIC;
}

static int mount_bpffs(struct dawn_error *e)
{
	int err;

	if (bpffs_mounted() ||
	    !mount("bpf", DAWN_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		   "mode=0700"))
		return 0;
	err = -errno;
	if (err == -ENOENT)
		return dawn_error_set(e, err,
				      "%s is not there: is sysfs mounted, and "
				      "has this kernel BPF?",
				      DAWN_BPFFS);
	return dawn_error_set(e, err,
			      "no BPF file system at %s and cannot mount it: "
			      "%s (needs CAP_SYS_ADMIN); have somebody run "
			      "`mount -t bpf bpf %s`, or in a container give "
			      "it the host's",
			      DAWN_BPFFS, strerror(-err), DAWN_BPFFS);
}

static int lock_root(struct dawn_error *e)
{
	int fd = open(DAWN_PIN_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd == -1) {
		err = -errno;
		if (err == -ENOENT)
			return err;
		return dawn_error_set(e, err,
				      "cannot open %s: %s (it is root's)",
				      DAWN_PIN_ROOT, strerror(-err));
	}
	while (flock(fd, LOCK_EX)) {
		if (errno == EINTR)
			continue;
		err = -errno;
		close(fd);
		return dawn_error_set(e, err, "cannot lock %s: %s",
				      DAWN_PIN_ROOT, strerror(-err));
	}
	return fd;
}

int dawn_pins_lock_existing(struct dawn_error *e)
{
	return bpffs_mounted() ? lock_root(e) : -ENOENT;
}

int dawn_pins_lock(struct dawn_error *e)
{
	int err = mount_bpffs(e);

	if (err)
		return err;
	if (mkdir(DAWN_PIN_ROOT, 0700) && errno != EEXIST) {
		err = -errno;
		return dawn_error_set(e, err, "cannot make %s: %s",
				      DAWN_PIN_ROOT, strerror(-err));
	}
	return lock_root(e);
}

/* ---- pinned objects ---- */

int dawn_pins_get(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return bpf_obj_get(path);
}

int dawn_pins_remove(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int err = 0;

	if (!d)
		return -errno;
	while ((de = readdir(d))) {
		char path[512];

		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		/* bpftool may have pinned programs in a folder. */
		if (de->d_type == DT_DIR)
			err = dawn_pins_remove(path) ?: err;
		else if (unlink(path))
			err = -errno;
	}
	closedir(d);
	if (rmdir(dir))
		err = -errno;
	return err;
}

struct program {
	uint32_t id, map_count;
	uint32_t maps[MAP_IDS_MAX];
};

static int get_program(struct program *p, uint32_t id)
{
	struct bpf_prog_info info = { .nr_map_ids = MAP_IDS_MAX,
				      .map_ids = (uintptr_t)p->maps };
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id), err;

	if (fd < 0)
		return fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	if (err)
		return err;
	p->id = id;
	p->map_count = info.nr_map_ids < MAP_IDS_MAX ? info.nr_map_ids
						     : MAP_IDS_MAX;
	return 0;
}

/* Is the object behind the fd that program, or one of its maps? Programs and
 * maps are numbered apart, and the kernel tells which one an fd is only by the
 * size of what it fills in; so ask for the pinned name's kind first. */
static bool object_matches(int fd, const struct program *p)
{
	struct bpf_map_info map = { 0 };
	char link[64], kind[64] = "";
	__u32 len = sizeof(map);
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/thread-self/fd/%d", fd);
	n = readlink(link, kind, sizeof(kind) - 1);
	if (n > 0 && strstr(kind, "bpf-prog")) {
		struct bpf_prog_info prog = { 0 };

		len = sizeof(prog);
		return !bpf_obj_get_info_by_fd(fd, &prog, &len) &&
		       prog.id == p->id;
	}
	if (n <= 0 || !strstr(kind, "bpf-map") ||
	    bpf_obj_get_info_by_fd(fd, &map, &len))
		return false;
	for (uint32_t i = 0; i < p->map_count; i++) {
		if (p->maps[i] == map.id)
			return true;
	}
	return false;
}

static bool dir_matches(const char *dir, const struct program *p)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	bool found = false;

	while (d && !found && (de = readdir(d))) {
		int fd;

		if (de->d_name[0] == '.')
			continue;
		if (de->d_type == DT_DIR) {
			char path[512];

			snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
			found = dir_matches(path, p);
			continue;
		}
		fd = dawn_pins_get(dir, de->d_name);
		if (fd < 0)
			continue;
		found = object_matches(fd, p);
		close(fd);
	}
	if (d)
		closedir(d);
	return found;
}

bool dawn_pins_own_program(const char *dir, uint32_t prog_id)
{
	struct program p = { 0 };

	return prog_id && !get_program(&p, prog_id) && dir_matches(dir, &p);
}
