/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Hit ratios of the kernel cache's policy as CSV: see heat.sh.
 *
 * usage: heat [TICK_EVERY [PROMOTE_AFTER]]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/trace.h"

#define REQUESTS 12000000
#define EVERY    100000

static uint32_t number(const char *text)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || !v || v > REQUESTS) {
		fprintf(stderr, "heat: not a number in range: %s\n", text);
		exit(2);
	}
	return (uint32_t)v;
}

int main(int argc, char **argv)
{
	static struct trace_point points[REQUESTS / EVERY];
	struct trace_params p = {
		.objects = 1000000,
		.slots = 10000,
		.exponent = 0.99,
		.requests = REQUESTS,
		.shift_at = REQUESTS / 2,
		.tick_every = argc > 1 ? number(argv[1]) : 10000,
		.free_after = 3,
		.point_every = EVERY,
		.promote_after = argc > 2 ? number(argv[2]) : 2,
		.seed = 1,
	};

	if (trace_run(&p, points)) {
		fprintf(stderr, "heat: out of memory\n");
		return 1;
	}
	printf("requests,heat,lru,best\n");
	for (uint32_t i = 0; i < REQUESTS / EVERY; i++)
		printf("%u,%.4f,%.4f,%.4f\n", (i + 1) * EVERY, points[i].heat,
		       points[i].lru, points[i].best);
	return 0;
}
