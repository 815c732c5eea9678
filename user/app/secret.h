/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The secrets of SYN cookies (maps/config.h, docs/COOKIES.md). */
#ifndef DAWN_APP_SECRET_H
#define DAWN_APP_SECRET_H

#include <stdint.h>

#include "maps/config.h"

/* Once in each window of the cookie clock: a new secret for the window after
 * the next. Cookies of that place's old one are dead. One thread does this,
 * each second or so; a window left out keeps the secret it had four before.
 * now_ms: coarse monotonic, as XDP cuts it to 32 bits.
 * Return: 0, or a negative errno: nothing is changed then. */
int dawn_secret_renew(struct dawn_config *config, uint32_t now_ms);

#endif
