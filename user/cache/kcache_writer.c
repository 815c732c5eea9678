/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which process holds a slot, in 64 bits that can be compared and swapped:
 *
 *   63          32 31       22 21          0
 *   | start time  | pid ns    | pid         |
 *
 * A pid alone would be reused: a daemon in a container is pid 1 each time it
 * starts. The start time (clock ticks since boot, low 32 bits, from
 * /proc/<pid>/stat) tells such processes apart. Another pid namespace (10 bits
 * of its inode) cannot be looked into from here: its writers count as alive,
 * so a slot one of them leaves behind is lost until `dawn unload`, which is
 * better than a slot with two writers.
 */
#include "user/cache/kcache_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_MASK 0x3fffffU /* PID_MAX_LIMIT is 2^22 */

static uint32_t own_pid_ns(void)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) == -1)
		return 0;
	return st.st_ino & 0x3ff;
}

/* The `nth` field of proc(5)'s stat, nth > 3. The name in field 2 may hold
 * anything, so count from the last ')'. */
static const char *stat_field(const char *after_name, int nth)
{
	int field = 2;

	while (*after_name && field < nth)
		field += *after_name++ == ' ';
	return after_name;
}

/* When a process started. Return: 0, -ESRCH: it ended, or another errno: cannot
 * tell. A zombie has ended once its other threads are gone: of a killed
 * process the first thread may be a zombie while another still runs. */
static int start_time(uint32_t pid, uint32_t *out)
{
	char path[32], buf[1024], *p;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = '\0';
	p = n ? strrchr(buf, ')') : NULL;
	if (!p || strlen(p) < 3)
		return -ESRCH;
	if ((p[2] == 'Z' || p[2] == 'X') &&
	    strtol(stat_field(p, 20), NULL, 10) <= 1)
		return -ESRCH;
	*out = (uint32_t)strtoull(stat_field(p, 22), NULL, 10);
	return 0;
}

uint64_t dawn_writer_self(void)
{
	uint32_t pid = (uint32_t)getpid() & PID_MASK;
	uint32_t start = 0;

	/* Without /proc: 0, which no other process claims to know better. */
	(void)start_time(pid, &start);
	return (uint64_t)start << 32 | own_pid_ns() << 22 | pid;
}

bool dawn_writer_alive(uint64_t writer)
{
	uint32_t pid = (uint32_t)writer & PID_MASK;
	uint32_t ns = (uint32_t)writer >> 22;
	uint32_t start = 0;
	int err;

	if (ns != own_pid_ns())
		return true;
	if (kill((pid_t)pid, 0) == -1 && errno == ESRCH)
		return false;
	err = start_time(pid, &start);
	if (err == -ESRCH)
		return false;
	if (err || !(writer >> 32))
		return true;
	return start == writer >> 32;
}
