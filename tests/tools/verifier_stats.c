/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Load a BPF object and print what the verifier counted, a CSV line per
 * program: name, processed instructions, total states, peak states, stack.
 * On failure print the end of the verifier's log on stderr and leave with 1.
 *
 * usage: verifier_stats OBJECT [full]
 *   full: on failure print the whole log, not only its end
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATS_LEVEL   4u
#define STATS_BYTES   (64u << 10)
#define VERBOSE_LEVEL 1u
#define VERBOSE_BYTES (64u << 20) /* more than libbpf would try */
#define TAIL_BYTES    (8u << 10)
#define PROGRAMS_MAX  64

static char *log_buf[PROGRAMS_MAX];

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level != LIBBPF_WARN)
		return 0;
	/* The log itself comes from our own buffers. */
	if (strstr(fmt, "BEGIN PROG LOAD LOG"))
		return 0;
	return vfprintf(stderr, fmt, ap);
}

static int set_logs(struct bpf_object *obj, unsigned int level, size_t bytes)
{
	struct bpf_program *prog;
	int n = 0;

	bpf_object__for_each_program(prog, obj)
	{
		if (n == PROGRAMS_MAX)
			return -E2BIG;
		free(log_buf[n]);
		log_buf[n] = calloc(1, bytes);
		if (!log_buf[n])
			return -ENOMEM;
		bpf_program__set_log_level(prog, level);
		bpf_program__set_log_buf(prog, log_buf[n++], bytes);
	}
	return n;
}

/* The number that follows `word`, summed over a+b+c (stack of subprograms). */
static unsigned long number_after(const char *log, const char *word)
{
	const char *p = strstr(log, word);
	unsigned long sum = 0;
	char *end;

	if (!p)
		return 0;
	for (p += strlen(word);; p = end + 1) {
		sum += strtoul(p, &end, 10);
		if (*end != '+')
			return sum;
	}
}

static void print_stats(struct bpf_object *obj)
{
	struct bpf_program *prog;
	int i = 0;

	puts("program,insns,total_states,peak_states,stack_bytes");
	bpf_object__for_each_program(prog, obj)
	{
		const char *log = log_buf[i++];

		printf("%s,%lu,%lu,%lu,%lu\n", bpf_program__name(prog),
		       number_after(log, "processed "),
		       number_after(log, "total_states "),
		       number_after(log, "peak_states "),
		       number_after(log, "stack depth "));
	}
}

static void print_failure(struct bpf_object *obj, bool full)
{
	struct bpf_program *prog;
	int i = 0;

	bpf_object__for_each_program(prog, obj)
	{
		const char *log = log_buf[i++];
		size_t len = strlen(log);

		if (!len)
			continue;
		fprintf(stderr, "--- %s: verifier log, %zu bytes\n",
			bpf_program__name(prog), len);
		if (!full && len > TAIL_BYTES)
			log += len - TAIL_BYTES;
		fputs(log, stderr);
	}
}

static int load(const char *path, unsigned int level, size_t bytes,
		struct bpf_object **out)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	int err;

	*out = NULL;
	if (!obj)
		return -errno;
	*out = obj;
	err = set_logs(obj, level, bytes);
	if (err < 0)
		return err;
	return bpf_object__load(obj);
}

int main(int argc, char **argv)
{
	bool full = argc == 3 && !strcmp(argv[2], "full");
	struct bpf_object *obj;
	int err;

	if (argc < 2 || (argc == 3 && !full) || argc > 3) {
		fprintf(stderr, "usage: verifier_stats OBJECT [full]\n");
		return 2;
	}
	libbpf_set_print(quiet);
	err = load(argv[1], STATS_LEVEL, STATS_BYTES, &obj);
	if (!err) {
		print_stats(obj);
		bpf_object__close(obj);
		return 0;
	}
	bpf_object__close(obj);
	err = load(argv[1], VERBOSE_LEVEL, VERBOSE_BYTES, &obj);
	if (obj)
		print_failure(obj, full);
	fprintf(stderr, "verifier_stats: cannot load %s: %s\n", argv[1],
		strerror(-err));
	bpf_object__close(obj);
	return 1;
}
