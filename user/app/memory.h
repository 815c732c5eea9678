/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How much memory dawnd takes when nobody said. */
#ifndef DAWN_APP_MEMORY_H
#define DAWN_APP_MEMORY_H

#include <stdint.h>

#define DAWN_MEMORY_DEFAULT (256ULL << 20)

/* Bytes that this process could use: the least of what the system has left, of
 * the limits of its control groups (v1 and v2) and of RLIMIT_AS. */
uint64_t dawn_memory_available(void);

/* Bytes for the buffers of all connections: a quarter of what is available, at
 * most DAWN_MEMORY_DEFAULT, however many queues share it. */
uint64_t dawn_memory_default(void);

/* Frames in each ring of one of `queues` sockets, a power of two: all UMEMs
 * together stay below 128 MB. */
uint32_t dawn_memory_ring(uint32_t queues);

#endif
