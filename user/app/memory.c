// SPDX-License-Identifier: MIT OR Apache-2.0
#include "user/app/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "user/net/reactor.h"

/* 8 kB of UMEM a frame: one for each direction. */
#define FRAMES_MAX 16384U
#define RING_MIN   64U

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The number a file begins with; "max" and what cannot be read: no limit. */
static uint64_t read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	uint64_t v = UINT64_MAX;
	char line[32], *end;

	if (!f)
		return v;
	if (fgets(line, sizeof(line), f)) {
		v = strtoull(line, &end, 10);
		if (end == line)
			v = UINT64_MAX;
	}
	fclose(f);
	return v;
}

static uint64_t system_left(void)
{
	static const char name[] = "MemAvailable:";
	FILE *f = fopen("/proc/meminfo", "re");
	uint64_t kb = UINT64_MAX >> 10;
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, sizeof(name) - 1))
			continue;
		kb = strtoull(line + sizeof(name) - 1, NULL, 10);
		break;
	}
	if (f)
		fclose(f);
	return kb << 10;
}

/* The limits of a group and of those it is in. In a container the path may not
 * be there; then the mount shows the container's own group at its top. */
static uint64_t group_limit(const char *mount, char *group, const char *file)
{
	uint64_t limit = UINT64_MAX;
	char path[1024];

	for (;;) {
		char *slash = strrchr(group, '/');

		snprintf(path, sizeof(path), "%s%s/%s", mount, group, file);
		limit = least(limit, read_number(path));
		if (!slash)
			return limit;
		*slash = '\0';
	}
}

/* Lines are "number:controllers:/path"; version 2 has no controllers. */
static uint64_t groups_limit(void)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	uint64_t limit = UINT64_MAX;
	char line[768];

	while (f && fgets(line, sizeof(line), f)) {
		char *kind = strchr(line, ':');
		char *group = kind ? strchr(kind + 1, ':') : NULL;

		if (!group)
			continue;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		if (!kind[1])
			limit = least(limit, group_limit("/sys/fs/cgroup",
							 group, "memory.max"));
		else if (!strcmp(kind + 1, "memory"))
			limit = least(limit,
				      group_limit("/sys/fs/cgroup/memory",
						  group,
						  "memory.limit_in_bytes"));
	}
	if (f)
		fclose(f);
	return limit;
}

uint64_t dawn_memory_available(void)
{
	uint64_t bytes = least(system_left(), groups_limit());
	struct rlimit rl;

	if (!getrlimit(RLIMIT_AS, &rl) && rl.rlim_cur != RLIM_INFINITY)
		bytes = least(bytes, rl.rlim_cur);
	return bytes;
}

uint64_t dawn_memory_default(void)
{
	return least(dawn_memory_available() / 4, DAWN_MEMORY_DEFAULT);
}

uint32_t dawn_memory_ring(uint32_t queues)
{
	uint32_t ring = DAWN_REACTOR_RING_DEFAULT;

	while (ring > RING_MIN && ring * queues > FRAMES_MAX)
		ring /= 2;
	return ring;
}
