/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel cache of an interface that is loaded. */
#ifndef DAWN_CACHE_KCACHE_XDP_H
#define DAWN_CACHE_KCACHE_XDP_H

#include "user/cache/kcache.h"
#include "user/io/xdp_load.h"

/* Return: as dawn_kcache_open(). */
static inline int dawn_kcache_open_xdp(struct dawn_kcache **out,
				       const struct dawn_xdp *x)
{
	const struct dawn_kcache_fds fds = {
		.index = x->map.cache_index,
		.data = x->map.cache_data,
		.hits = x->map.cache_hits,
		.vhosts = x->map.vhosts,
		.flow_table = x->map.flow_table,
		.unacked = x->map.unacked,
		.config = x->map.config,
	};

	return dawn_kcache_open(out, &fds);
}

#endif
