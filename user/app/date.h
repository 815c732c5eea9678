/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The Date that XDP puts into its answers (maps/config.h). */
#ifndef DAWN_APP_DATE_H
#define DAWN_APP_DATE_H

#include "maps/config.h"

/* Fill in *d for a second of Unix time; mono_s: coarse monotonic seconds. */
void dawn_date_fill(struct dawn_date *d, uint32_t unix_s, uint32_t mono_s);

/* Make the present second's date the current one of `config`, and refresh
 * tai_offset_s. One thread does this, each second.
 * Return: microseconds until the next second begins. */
uint32_t dawn_date_update(struct dawn_config *config);

#endif
