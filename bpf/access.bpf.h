/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The access list and the list of services. */
#ifndef DAWN_BPF_ACCESS_H
#define DAWN_BPF_ACCESS_H

#include "bpf/verdict.bpf.h"
#include "maps/access.bpf.h"
#include "maps/services.bpf.h"

/* Return: 0, or DROP. */
static __always_inline int check_access(struct work *w)
{
	struct dawn_access_key key = { .prefix_len = 128 };
	__u32 *action;

	if (!w)
		return DROP(map_missing);
	for (int i = 0; i < 4; i++) /* the key is on the stack, at 4 bytes */
		STORE32(key.addr + 4 * i, w->raddr.w[i]);
	action = bpf_map_lookup_elem(&access, &key);
	if (action && *action == DAWN_ACCESS_DENY)
		return DROP(access_deny);
	return 0;
}

/* Is the packet for one of our services? Then w->service is filled. */
static __always_inline bool find_service(struct work *w, __be16 port)
{
	struct dawn_service_key key = {
		.addr = w->laddr,
		.port = port,
		.proto = w->proto,
	};
	struct dawn_service *service = bpf_map_lookup_elem(&services, &key);

	if (!service)
		return false;
	w->service = *service;
	return true;
}

#endif
