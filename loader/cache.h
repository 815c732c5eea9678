/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the subcommands of `dawn cache` share. */
#ifndef DAWN_LOADER_CACHE_H
#define DAWN_LOADER_CACHE_H

#include "loader/cli.h"
#include "user/cache/kcache_xdp.h"

/* All addresses of an HTTP port are one group: struct dawn_service. */
#define DAWN_CACHE_GROUP 1

struct dawn_cache {
	const char *ifname; /* NULL: the only one loaded */
	struct dawn_xdp x;
	struct dawn_kcache *kc;
};

/* Return: DAWN_EXIT_OK, or the exit status after saying why. */
int dawn_cache_open(struct dawn_cache *c);
void dawn_cache_close(struct dawn_cache *c);

/* Id of a virtual host; host NULL: the default one, an error if there are
 * named ones. Return: as above. */
int dawn_cache_vhost(struct dawn_cache *c, const char *host, bool create,
		     uint16_t *id);

int dawn_cache_ls(int argc, char **argv);

/* A row of option tables. */
#define DAWN_CACHE_HOST(to)                                            \
	{                                                              \
		.name = "host", .kind = DAWN_OPT_STRING, .out = (to),  \
		.arg = "H",                                            \
		.help = "virtual host (default: any, while there are " \
			"none)",                                       \
	}

#endif
