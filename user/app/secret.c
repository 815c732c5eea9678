// SPDX-License-Identifier: MIT OR Apache-2.0
#include "user/app/secret.h"

#include <errno.h>
#include <sys/random.h>

int dawn_secret_renew(struct dawn_config *config, uint32_t now_ms)
{
	uint32_t window = now_ms >> DAWN_COOKIE_WINDOW_SHIFT;
	uint64_t *place =
		(uint64_t *)&config
			->cookie_secret[(window + DAWN_COOKIE_SECRETS / 2) %
					DAWN_COOKIE_SECRETS];
	uint64_t fresh;

	if (config->cookie_renewed == window)
		return 0;
	if (getrandom(&fresh, sizeof(fresh), GRND_NONBLOCK) != sizeof(fresh))
		return -EIO;
	__atomic_store_n(place, fresh, __ATOMIC_RELEASE);
	config->cookie_renewed = window;
	return 0;
}
