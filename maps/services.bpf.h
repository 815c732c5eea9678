/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* Definition of the services map; see services.h. */
#ifndef DAWN_MAPS_SERVICES_BPF_H
#define DAWN_MAPS_SERVICES_BPF_H

#include "services.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DAWN_SERVICES_MAX);
	__type(key, struct dawn_service_key);
	__type(value, struct dawn_service);
} services SEC(".maps");

#endif
