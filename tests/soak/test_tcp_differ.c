// SPDX-License-Identifier: MIT OR Apache-2.0
/* Differential fuzzing: our TCP engine against this machine's kernel (differ.h
 * says how, and lists the known differences). Needs root: a network namespace
 * of its own with a TUN device.
 *
 * usage: test_tcp_differ [-v] [-t SECONDS] [-s SEED] [-w N] [-c CORPUS]
 *                        [-k KEEP] [FILE]
 *
 *   -t  how long; default SOAK_S, or 15
 *   -s  seed; default: the time
 *   -w  processes beside this one whose streams wait for timers; default 8
 *   -c  streams that are run first, one a line; default tests/soak/corpus/tcp
 *   -k  append streams that reached something new to this file
 *   FILE: run its streams, print them as readable scripts, nothing more
 *
 * The last line is "N passed, N failed", a stream being a check.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/soak/differ.h"

#define POOL      4096 /* streams kept in memory to be changed */
#define TRIES     3    /* a difference must show each time */
#define KEEP_MIN  20   /* new pairs of states, to be written down */
#define FAILS_MAX 10
#define REPORT_S  60
#define WAITERS   64
#define CUT_S     60 /* for cutting down a stream */

static struct {
	struct dstream pool[POOL];
	uint32_t pooled;
	uint64_t rng;
	unsigned long long streams, steps, late, kept;
	unsigned int failed;
	FILE *keep;
	bool verbose;
} t;

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A timer of the kernel's may have run in between: it must differ each time. */
static bool same_again(const struct dstream *s, struct drun *r)
{
	for (int i = 0; i < TRIES; i++)
		if (stream_run(s, r))
			return true;
	return false;
}

/* Take out whatever is not needed for the two to differ. */
static void minimise(struct dstream *s)
{
	double end = now_s() + CUT_S;
	struct drun r = { 0 };
	bool less = true;

	while (less) {
		less = false;
		for (uint32_t i = s->count; i-- > 0 && now_s() < end;) {
			struct dstream cut = *s;

			cut.count--;
			memmove(&cut.step[i], &cut.step[i + 1],
				(cut.count - i) * sizeof(cut.step[0]));
			if (!same_again(&cut, &r)) {
				*s = cut;
				less = true;
			}
		}
	}
}

static void report(const struct dstream *found)
{
	struct dstream s = *found;
	struct drun r = { 0 };

	t.failed++;
	minimise(&s);
	r.trace = stdout;
	printf("not ok - the two differ:\n");
	if (stream_run(&s, &r))
		printf("# not again\n");
	printf("# %s\n# stream: ", r.why);
	stream_print(stdout, &s);
	fflush(stdout);
}

static void pool_add(const struct dstream *s)
{
	uint32_t at = t.pooled < POOL ? t.pooled++
				      : (uint32_t)(d_random(&t.rng) % POOL);

	t.pool[at] = *s;
}

static void run_one(const struct dstream *s, bool corpus)
{
	struct drun r = { 0 };
	uint32_t novelty;

	t.streams++;
	if (!stream_run(s, &r)) {
		if (!same_again(s, &r)) {
			report(s);
			return;
		}
		t.late++;
	}
	t.steps += r.steps;
	novelty = r.novelty;
	if (!novelty && !corpus)
		return;
	pool_add(s);
	if (corpus || !t.keep || novelty < KEEP_MIN)
		return;
	stream_print(t.keep, s);
	t.kept++;
}

static int run_file(const char *path, bool readable)
{
	char line[D_STEPS * 64];
	struct dstream s;
	FILE *f = fopen(path, "r");

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while (fgets(line, sizeof(line), f)) {
		if (*line == '#' || *line == '\n')
			continue;
		if (stream_parse(&s, line)) {
			fprintf(stderr, "%s: not a stream: %.40s\n", path,
				line);
			t.failed++;
			continue;
		}
		if (readable) {
			struct drun r = { .trace = stdout };

			t.streams++;
			t.failed += !stream_run(&s, &r);
			printf("# %s\n\n", r.why[0] ? r.why : "the same");
		} else {
			run_one(&s, true);
		}
	}
	fclose(f);
	return 0;
}

static void fuzz(double seconds)
{
	double end = now_s() + seconds, report = now_s() + REPORT_S;
	struct dstream s;

	while (t.failed < FAILS_MAX && now_s() < end) {
		if (now_s() >= report) {
			report += REPORT_S;
			printf("# %llu streams, %llu steps, %u differences\n",
			       t.streams, t.steps, t.failed);
			fflush(stdout);
		}
		if (t.pooled && d_random(&t.rng) % 2) {
			uint32_t a = (uint32_t)(d_random(&t.rng) % t.pooled);
			uint32_t b = (uint32_t)(d_random(&t.rng) % t.pooled);

			s = t.pool[a];
			for (int n = 1 + (int)(d_random(&t.rng) % 4); n; n--)
				stream_mutate(&s, &t.pool[b], &t.rng);
		} else {
			stream_generate(&s, d_random(&t.rng));
		}
		run_one(&s, false);
	}
}

/* ---- streams that wait ---- */

struct sums {
	unsigned long long streams, steps, late;
	unsigned int failed;
};

static void wait_and_fuzz(double seconds, uint64_t seed, int result)
{
	double end = now_s() + seconds;
	struct sums sums;
	struct dstream s;

	memset(&t, 0, sizeof(t));
	t.rng = seed;
	if (kernel_setup())
		t.failed++;
	while (t.failed < FAILS_MAX && now_s() < end) {
		stream_generate(&s, d_random(&t.rng));
		stream_slow(&s, &t.rng);
		run_one(&s, true);
	}
	sums = (struct sums){ t.streams, t.steps, t.late, t.failed };
	if (write(result, &sums, sizeof(sums)) != sizeof(sums))
		_exit(1);
	_exit(0);
}

/* Return: where their sums will come from. */
static int start_waiters(int n, double seconds, uint64_t seed)
{
	int fd[2];

	if (pipe(fd))
		return -1;
	fflush(stdout);
	for (int i = 0; i < n; i++)
		if (!fork())
			wait_and_fuzz(seconds, seed + (uint64_t)i + 1, fd[1]);
	close(fd[1]);
	return fd[0];
}

static void end_waiters(int n, int from)
{
	unsigned long long streams = 0, late = 0;
	struct sums sums;
	int heard = 0;

	while (read(from, &sums, sizeof(sums)) == sizeof(sums)) {
		t.streams += sums.streams;
		t.steps += sums.steps;
		t.late += sums.late;
		t.failed += sums.failed;
		streams += sums.streams;
		late += sums.late;
		heard++;
	}
	while (wait(NULL) > 0)
		;
	printf("# %d processes waited for timers: %llu streams, %llu of them "
	       "run again\n",
	       heard, streams, late);
	if (heard != n)
		t.failed++;
}

static double seconds_wanted(void)
{
	const char *s = getenv("SOAK_S");

	return s && *s ? strtod(s, NULL) : 15;
}

static int setup(void)
{
	int err = kernel_setup();

	if (!err)
		return 0;
	printf("no namespace with a TUN device: %s\n", strerror(-err));
	return err == -EPERM || err == -ENOENT || err == -EACCES ? 77 : 1;
}

int main(int argc, char **argv)
{
	const char *corpus = "tests/soak/corpus/tcp";
	double seconds = seconds_wanted(), start;
	uint64_t seed = (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
	int opt, rc, waiters = 8, sums = -1;

	while ((opt = getopt(argc, argv, "vt:s:w:c:k:")) != -1) {
		switch (opt) {
		case 'v':
			t.verbose = true;
			break;
		case 't':
			seconds = strtod(optarg, NULL);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'w':
			waiters = (int)strtol(optarg, NULL, 10);
			if (waiters < 0 || waiters > WAITERS)
				return 2;
			break;
		case 'c':
			corpus = optarg;
			break;
		case 'k':
			t.keep = fopen(optarg, "a");
			break;
		default:
			return 2;
		}
	}
	if (optind < argc)
		waiters = 0;
	if (waiters)
		sums = start_waiters(waiters, seconds, seed);
	rc = setup();
	if (rc)
		return rc;
	t.rng = seed;
	start = now_s();
	printf("# engine against this kernel, %.0f s, seed %#llx\n", seconds,
	       (unsigned long long)seed);
	if (optind < argc) {
		run_file(argv[optind], true);
	} else if (run_file(corpus, false)) {
		t.failed++;
	} else {
		printf("# corpus: %llu streams\n", t.streams);
		fuzz(seconds);
	}
	if (waiters)
		end_waiters(waiters, sums);
	printf("# %llu streams, %llu steps, %.0f s; %u differences, "
	       "%llu streams run again (a timer of the kernel's ran)\n",
	       t.streams, t.steps, now_s() - start, t.failed, t.late);
	if (t.verbose)
		rules_print(stdout);
	if (t.keep)
		fclose(t.keep);
	printf("%llu passed, %u failed\n", t.streams - t.failed, t.failed);
	return t.failed != 0;
}
