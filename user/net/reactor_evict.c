// SPDX-License-Identifier: MIT OR Apache-2.0
/* Telling connections that lost their place in a full flow_table. XDP cannot
 * send a frame of its own beside the answer at hand, so it leaves a record
 * (maps/evicted.h) and queue 0's reactor sends the RST. At most EVICTED_MAX in
 * a turn: who is served comes first.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "maps/evicted.h"
#include "user/net/reactor_int.h"

#define EVICTED_MAX 64

static int tell(void *arg, void *data, size_t len)
{
	struct dawn_reactor *r = arg;
	const struct dawn_evicted *e = data;
	struct dawn_flow f = { .state = DAWN_TCP_ESTABLISHED };

	if (len < sizeof(*e))
		return 0;
	f.raddr = e->raddr;
	f.rport = e->rport;
	f.service = e->service;
	memcpy(f.peer_mac, e->peer_mac, sizeof(f.peer_mac));
	f.vlan_outer = e->vlan_outer;
	f.vlan_inner = e->vlan_inner;
	f.flags = e->flags;
	f.snd_nxt = e->snd_nxt;
	if (!r->rst_tokens) /* it is due, whatever strangers were sent */
		r->rst_tokens = 1;
	dawn_conn_reset_peer(r, &f);
	/* An error ends the round; the record is taken all the same. */
	return ++r->evicted_told % EVICTED_MAX ? 0 : -EAGAIN;
}

bool dawn_evicted_tell(struct dawn_reactor *r)
{
	if (!r->evicted)
		return false;
	r->evicted_told = 0;
	return ring_buffer__consume(r->evicted) == -EAGAIN;
}

/* Waking up is all: the turn looks into the ring. */
static void ready(struct dawn_source *src, uint32_t events)
{
	(void)src;
	(void)events;
}

int dawn_evicted_create(struct dawn_reactor *r)
{
	int err;

	r->evicted_source.fd = -1;
	if (r->o.queue)
		return 0;
	r->evicted = ring_buffer__new(r->o.xdp->map.evicted, tell, r, NULL);
	if (!r->evicted)
		return -errno;
	r->evicted_source.fd = ring_buffer__epoll_fd(r->evicted);
	r->evicted_source.ready = ready;
	err = dawn_loop_add(r->loop, &r->evicted_source, EPOLLIN);
	if (err)
		r->evicted_source.fd = -1;
	return err;
}

void dawn_evicted_destroy(struct dawn_reactor *r)
{
	if (r->evicted && r->evicted_source.fd != -1)
		dawn_loop_remove(r->loop, &r->evicted_source);
	ring_buffer__free(r->evicted); /* NULL is fine */
}
