/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For commands that go on by the clock until they are interrupted. */
#ifndef DAWN_LOADER_PACE_H
#define DAWN_LOADER_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* From here on SIGINT and SIGTERM do not end the process: system calls return
 * EINTR, and dawn_interrupted() is true. */
void dawn_catch_interrupts(void);
bool dawn_interrupted(void);

uint64_t dawn_now_ns(void); /* monotonic */

#endif
