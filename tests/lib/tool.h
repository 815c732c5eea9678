/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the small programs of tests/tools and bench have in common: an error
 * ends them with status 1, and "NAME: what: errno's text". */
#ifndef DAWN_TESTS_LIB_TOOL_H
#define DAWN_TESTS_LIB_TOOL_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/io/clock.h"

__attribute__((noreturn)) static inline void die_errno(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		strerror(errno));
	exit(1);
}

/* An argument: 1 to max, decimal, nothing behind it. */
static inline uint32_t number(const char *text, uint32_t max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *end || !n || n > max) {
		errno = EINVAL;
		die_errno(text);
	}
	return (uint32_t)n;
}

static inline uint64_t now_ns(void)
{
	return dawn_clock_ns(CLOCK_MONOTONIC);
}

#endif
