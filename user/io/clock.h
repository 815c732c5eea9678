/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel's clocks as one number. What XDP compares its own times with is
 * CLOCK_MONOTONIC_COARSE, a tick of 1 to 10 ms (bpf_ktime_get_coarse_ns()). */
#ifndef DAWN_IO_CLOCK_H
#define DAWN_IO_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds. */
static inline uint64_t dawn_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

#endif
