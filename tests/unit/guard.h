/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Bytes that end where reading faults: what a parser is given, it must not look
 * behind.
 */
#ifndef DAWN_TESTS_GUARD_H
#define DAWN_TESTS_GUARD_H

#include <string.h>
#include <sys/mman.h>

#define GUARD_BYTES (1U << 17)
static uint8_t *guard;

static inline int guard_setup(void **state)
{
	(void)state;
	guard = mmap(NULL, GUARD_BYTES + 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return guard == MAP_FAILED ||
	       mprotect(guard + GUARD_BYTES, 4096, PROT_NONE);
}

static inline const uint8_t *at_guard(const void *buf, size_t len)
{
	return memcpy(guard + GUARD_BYTES - len, buf, len);
}

#endif
