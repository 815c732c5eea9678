// SPDX-License-Identifier: MIT OR Apache-2.0
/* What the reactor reads from other maps: services and cached responses. */
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "user/http/response.h"
#include "user/net/reactor_int.h"

/* An unknown service may be a new one: look again, but not for each packet. */
#define REFRESH_MISS_US 100000

void dawn_local_refresh(struct dawn_reactor *r, uint64_t max_age_us)
{
	struct dawn_local *l = &r->local;
	struct dawn_service_key key, *prev = NULL;
	int fd = r->o.xdp->map.services;

	if (l->read_us && r->now_us - l->read_us < max_age_us)
		return;
	l->read_us = r->now_us;
	l->count = 0;
	l->last = 0;
	while (l->count < DAWN_SERVICES_MAX &&
	       bpf_map_get_next_key(fd, prev, &key) == 0) {
		struct dawn_local_service *s = &l->list[l->count];

		if (key.proto == IPPROTO_TCP &&
		    bpf_map_lookup_elem(fd, &key, &s->svc) == 0) {
			s->addr = key.addr;
			s->port = key.port;
			l->count++;
		}
		prev = &key;
	}
}

static bool is_at(const struct dawn_local_service *s,
		  const struct dawn_addr *addr, __be16 port)
{
	return s->port == port && dawn_addr_equal(&s->addr, addr);
}

const struct dawn_local_service *dawn_local_find(struct dawn_reactor *r,
						 const struct dawn_addr *addr,
						 __be16 port)
{
	struct dawn_local *l = &r->local;

	if (l->last < l->count && is_at(&l->list[l->last], addr, port))
		return &l->list[l->last];
	for (int look = 0; look < 2; look++) {
		for (uint32_t i = 0; i < l->count; i++) {
			if (is_at(&l->list[i], addr, port)) {
				l->last = i;
				return &l->list[i];
			}
		}
		dawn_local_refresh(r, REFRESH_MISS_US);
	}
	return NULL;
}

const struct dawn_local_service *dawn_local_by_id(struct dawn_reactor *r,
						  uint16_t id)
{
	struct dawn_local *l = &r->local;

	for (int look = 0; look < 2; look++) {
		for (uint32_t i = 0; i < l->count; i++) {
			if (l->list[i].svc.id == id)
				return &l->list[i];
		}
		dawn_local_refresh(r, REFRESH_MISS_US);
	}
	return NULL;
}

/* State and generation are one word, see maps/cache.h. */
bool dawn_slot_is(const struct dawn_reactor *r, uint32_t slot, uint32_t gen,
		  bool live)
{
	const struct dawn_slot *s;
	uint32_t state;

	if (slot >= r->slot_count)
		return false;
	s = (const void *)((const uint8_t *)r->slots +
			   (size_t)slot * DAWN_SLOT_SIZE);
	state = __atomic_load_n(&s->state, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&s->gen, __ATOMIC_SEQ_CST) != gen)
		return false;
	return state == DAWN_SLOT_LIVE || (!live && state == DAWN_SLOT_RETIRED);
}

uint32_t dawn_slot_resp_len(const struct dawn_reactor *r, uint32_t slot,
			    uint8_t kind)
{
	uint32_t len = 0;

	if (slot < r->slot_count)
		len = dawn_slot_len(r->slots + slot, kind);
	return len > (kind == DAWN_RESP_NOT_MODIFIED ? DAWN_NM_MAX
						     : DAWN_RESP_MAX)
		       ? 0
		       : len;
}

const uint8_t *dawn_slot_bytes(struct dawn_reactor *r,
			       const struct dawn_flow *f, uint32_t seq,
			       uint32_t len)
{
	const struct dawn_slot *s;
	uint32_t off = seq - f->resp_seq;
	uint32_t total, date_off;

	if (f->resp_kind == DAWN_RESP_NONE ||
	    !dawn_slot_is(r, f->resp_slot, f->resp_gen, false))
		return NULL;
	s = r->slots + f->resp_slot;
	total = dawn_slot_resp_len(r, f->resp_slot, f->resp_kind);
	date_off = dawn_slot_date_off(s, f->resp_kind);
	if (!total || total != f->resp_len || off > total || len > total - off)
		return NULL;
	memcpy(r->resp,
	       f->resp_kind == DAWN_RESP_NOT_MODIFIED ? s->nm : s->data, total);
	/* A writer changes the generation before any byte. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!dawn_slot_is(r, f->resp_slot, f->resp_gen, false))
		return NULL;
	if (date_off && date_off + DAWN_DATE_LEN <= total)
		dawn_http_date((char *)r->resp + date_off, f->resp_date_s);
	return r->resp + off;
}
