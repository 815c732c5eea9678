// SPDX-License-Identifier: MIT OR Apache-2.0
/* dawn stats: the counters of maps/stats.h, of all CPUs and threads together.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loader/cli.h"
#include "loader/commands.h"
#include "loader/pace.h"
#include "maps/stats.h"

struct counter {
	const char *name;
	const char *text;
};

#define X(name, text) { #name, text },
static const struct counter xdp_counters[] = { DAWN_STATS_ALL(X) };
static const struct counter reactor_counters[] = { DAWN_REACTOR_STATS(X) };
#undef X

/* How many each heading of the text form covers. */
#define X(name, text) +1
enum {
	ANSWERS = DAWN_STATS_ANSWERS(X),
	PASS = DAWN_STATS_PASS(X),
	PUNT = DAWN_STATS_PUNT(X),
	DROP = DAWN_STATS_DROP(X),
	XDP_COUNTERS = 0 DAWN_STATS_ALL(X),
	REACTOR_COUNTERS = 0 DAWN_REACTOR_STATS(X),
	COUNTERS = XDP_COUNTERS + REACTOR_COUNTERS,
};
#undef X
_Static_assert(sizeof(struct dawn_stats) == 8 * XDP_COUNTERS,
	       "stats is an array of counters");

static const struct {
	const char *title;
	int count;
} groups[] = {
	{ "answered by XDP, flows", ANSWERS },
	{ "passed to the kernel's stack", PASS },
	{ "given to the reactor", PUNT },
	{ "dropped", DROP },
	{ "reactor", REACTOR_COUNTERS },
};

/* All counters in the order of the lists above. */
struct sums {
	uint64_t v[COUNTERS];
};

static const struct counter *counter(int i)
{
	return i < XDP_COUNTERS ? &xdp_counters[i]
				: &reactor_counters[i - XDP_COUNTERS];
}

/* libbpf hands each CPU's value out at a multiple of 8 bytes, which the struct
 * is anyway. */
static int read_xdp(const struct dawn_xdp *x, struct sums *s)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t(*v)[XDP_COUNTERS];
	uint32_t zero = 0;
	int err;

	if (cpus < 0)
		return cpus;
	v = calloc((size_t)cpus, sizeof(*v));
	if (!v)
		return -ENOMEM;
	err = bpf_map_lookup_elem(x->map.stats, &zero, v) ? -errno : 0;
	for (int cpu = 0; !err && cpu < cpus; cpu++)
		for (int i = 0; i < XDP_COUNTERS; i++)
			s->v[i] += v[cpu][i];
	free(v);
	return err;
}

static void read_reactor(const struct dawn_xdp *x, struct sums *s)
{
	for (int thread = 0; thread < DAWN_QUEUES_MAX; thread++) {
		const uint64_t *v = (const void *)&x->reactor_stats[thread];

		for (int i = 0; i < REACTOR_COUNTERS; i++)
			s->v[XDP_COUNTERS + i] +=
				__atomic_load_n(&v[i], __ATOMIC_RELAXED);
	}
}

static int read_all(const struct dawn_xdp *x, struct sums *s)
{
	int err;

	memset(s, 0, sizeof(*s));
	err = read_xdp(x, s);
	if (err)
		return dawn_cli_fail("stats: cannot read the counters of %s: "
				     "%s",
				     x->ifname, strerror(-err));
	if (x->reactor_stats)
		read_reactor(x, s);
	return DAWN_EXIT_OK;
}

/* ---- output ---- */

static struct json_object *json_of(const struct sums *s)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < COUNTERS; i++)
		json_object_object_add(o, counter(i)->name,
				       json_object_new_uint64(s->v[i]));
	return o;
}

/* Counters that are zero say nothing to people; --all shows them too. */
static int show_text(const struct sums *s, bool all, const char *unit)
{
	int i = 0;

	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		const char *title = groups[g].title;

		for (int n = 0; n < groups[g].count; n++, i++) {
			if (!s->v[i] && !all)
				continue;
			if (title)
				printf("%s:\n", title);
			title = NULL;
			printf("  %12" PRIu64 "%s  %-20s %s\n", s->v[i], unit,
			       counter(i)->name, counter(i)->text);
		}
	}
	return fflush(stdout) ? DAWN_EXIT_FAILED : DAWN_EXIT_OK;
}

/* ---- --watch ---- */

static void until_ns(uint64_t at)
{
	struct timespec t = { .tv_sec = (time_t)(at / 1000000000),
			      .tv_nsec = (long)(at % 1000000000) };

	/* Interrupted by a signal: the loop looks whether it was ours. */
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* A counter can go back: the maps were made anew under the same pin. */
static void rates(const struct sums *now, const struct sums *before,
		  uint64_t ns, struct sums *out)
{
	for (int i = 0; i < COUNTERS; i++) {
		uint64_t d = now->v[i] - before->v[i];

		if (now->v[i] < before->v[i])
			d = 0;
		out->v[i] = (uint64_t)((double)d * 1e9 / (double)ns + 0.5);
	}
}

static int watch(const struct dawn_xdp *x, bool json, bool all, uint32_t count)
{
	struct sums before, now, rate;
	uint64_t then = dawn_now_ns(), at;
	int status = read_all(x, &before);

	dawn_catch_interrupts();
	for (uint32_t n = 0; !status && (!count || n < count); n++) {
		until_ns(then + 1000000000);
		if (dawn_interrupted())
			break;
		status = read_all(x, &now);
		if (status)
			break;
		at = dawn_now_ns();
		rates(&now, &before, at - then, &rate);
		before = now;
		then = at;
		if (json) {
			status = dawn_cli_json(json_of(&rate));
			continue;
		}
		printf("%s%s, per second:\n", n ? "\n" : "", x->ifname);
		status = show_text(&rate, all, "/s");
	}
	return status;
}

int dawn_cmd_stats(int argc, char **argv)
{
	const char *ifname = NULL;
	bool json = false, all = false, watching = false;
	uint32_t count = 0;
	const struct dawn_opt opts[] = {
		DAWN_CLI_DEV(&ifname),
		DAWN_CLI_JSON(&json, "one flat object, all counters"),
		{ .name = "all",
		  .kind = DAWN_OPT_FLAG,
		  .out = &all,
		  .help = "counters that are zero, too" },
		{ .name = "watch",
		  .kind = DAWN_OPT_FLAG,
		  .out = &watching,
		  .help = "rates each second, until Ctrl-C" },
		{ .name = "count",
		  .kind = DAWN_OPT_U32,
		  .out = &count,
		  .arg = "N",
		  .min = 1,
		  .max = UINT32_MAX,
		  .help = "with --watch: N times" },
		{ 0 },
	};
	const struct dawn_cli cli = {
		.name = "stats",
		.about = "Counters of the XDP program and of the reactor, all "
			 "CPUs and threads together.\ndocs/COUNTERS.md says "
			 "what each means and what to do when it rises.\n",
		.opts = opts,
	};
	struct dawn_xdp x;
	struct sums s;
	int status;

	if (dawn_cli_parse(&cli, argc, argv, &status) < 0)
		return status;
	if (count && !watching)
		return dawn_cli_usage("stats: --count needs --watch");
	status = dawn_cli_open_default(&x, &ifname);
	if (status)
		return status;
	if (watching) {
		status = watch(&x, json, all, count);
	} else {
		status = read_all(&x, &s);
		if (!status)
			status = json ? dawn_cli_json(json_of(&s))
				      : show_text(&s, all, "");
	}
	dawn_xdp_close(&x);
	return status;
}
