/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tells of changes of one network interface (rtnetlink notifications). */
#ifndef DAWN_IO_NETWATCH_H
#define DAWN_IO_NETWATCH_H

#include <stdbool.h>

#include "user/io/loop.h"

struct dawn_netwatch {
	struct dawn_source src; /* private */
	struct dawn_loop *loop; /* private */
	unsigned int ifindex;
	/* The interface is no more, or in another network namespace. */
	void (*gone)(struct dawn_netwatch *w);
	/* It got or lost an address, or the kernel lost track of what it told
	 * us: look again. */
	void (*addresses)(struct dawn_netwatch *w);
	/* Its MTU may have changed: look. */
	void (*mtu)(struct dawn_netwatch *w);
};

/* ifindex and the callbacks are the caller's to set. Return: 0 or negative
 * errno. */
int dawn_netwatch_start(struct dawn_netwatch *w, struct dawn_loop *loop);

/* Fine, too, on one that is all zero. */
void dawn_netwatch_stop(struct dawn_netwatch *w);

#endif
