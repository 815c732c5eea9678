// SPDX-License-Identifier: MIT OR Apache-2.0
#include "user/app/afxdp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/proven.h"
#include "user/app/date.h"
#include "user/app/memory.h"
#include "user/app/secret.h"
#include "user/cache/kcache_xdp.h"
#include "user/io/clock.h"
#include "user/io/netif.h"

#define ADDRESSES_MAX 64

struct dawn_afxdp {
	const struct dawn_options *o;
	struct dawn_xdp xdp;
	struct dawn_kcache *kcache;
	uint8_t incarnation;   /* 0: no reactor yet */
	uint64_t memory_bytes; /* of the reactors */
	struct dawn_reactor *reactor[DAWN_QUEUES_MAX];
};

/* --- opening ------------------------------------------------------------- */

static int open_kcache(struct dawn_afxdp *a, struct dawn_error *e)
{
	int err = dawn_kcache_open_xdp(&a->kcache, &a->xdp);

	if (err)
		snprintf(e->text, sizeof(e->text),
			 "%s: cannot use the kernel cache: %s", a->xdp.ifname,
			 strerror(-err));
	return err;
}

static int check_queues(const struct dawn_afxdp *a, struct dawn_error *e)
{
	uint32_t have = a->xdp.queues;
	uint32_t want = a->o->queues ? a->o->queues : have;

	if (have <= DAWN_QUEUES_MAX && want == have)
		return 0;
	if (want > DAWN_QUEUES_MAX)
		want = DAWN_QUEUES_MAX;
	snprintf(e->text, sizeof(e->text),
		 "%s has %u rx queues, not %u, and a queue that nobody serves "
		 "loses its packets: try 'ethtool -L %s combined %u' (or rx)",
		 a->xdp.ifname, have, want, a->xdp.ifname, want);
	return -EINVAL;
}

static int open_xdp(struct dawn_afxdp *a, struct dawn_error *e)
{
	const struct dawn_xdp_options xo = {
		.ifname = a->o->ifname,
		.mode = (enum dawn_xdp_mode)a->o->mode,
		.flow_sets = a->o->flows ? dawn_flow_sets_for(a->o->flows) : 0,
		.slots = a->o->slots,
		.serve = true,
	};

	return dawn_xdp_load(&a->xdp, &xo, e);
}

int dawn_afxdp_open(struct dawn_afxdp **out, const struct dawn_options *o,
		    struct dawn_error *e)
{
	struct dawn_afxdp *a = calloc(1, sizeof(*a));
	int err;

	if (!a) {
		snprintf(e->text, sizeof(e->text), "out of memory");
		return -ENOMEM;
	}
	a->o = o;
	err = open_xdp(a, e);
	if (err) {
		free(a);
		return err;
	}
	err = check_queues(a, e);
	if (!err)
		err = open_kcache(a, e);
	if (err) {
		dawn_afxdp_cancel(a);
		return err;
	}
	*out = a;
	return 0;
}

static void release(struct dawn_afxdp *a)
{
	dawn_kcache_close(a->kcache);
	dawn_xdp_close(&a->xdp);
	free(a);
}

void dawn_afxdp_cancel(struct dawn_afxdp *a)
{
	struct dawn_error ignored;

	if (!a)
		return;
	dawn_afxdp_stop(a);
	if (!a->xdp.adopted)
		dawn_xdp_unload(a->xdp.ifname, &ignored);
	release(a);
}

void dawn_afxdp_stop(struct dawn_afxdp *a)
{
	for (uint32_t q = 0; q < DAWN_QUEUES_MAX; q++) {
		dawn_reactor_destroy(a->reactor[q]);
		a->reactor[q] = NULL;
	}
}

int dawn_afxdp_close(struct dawn_afxdp *a, struct dawn_error *e)
{
	int err;

	if (!a)
		return 0;
	err = dawn_xdp_unload(a->xdp.ifname, e);
	release(a);
	return err == -ENOENT ? 0 : err;
}

/* --- reactors ------------------------------------------------------------ */

/* What one reactor may take for connections: its part of --memory. */
static uint64_t reactor_memory(const struct dawn_afxdp *a)
{
	uint64_t all = (uint64_t)a->o->memory_mb << 20;

	if (!all)
		all = dawn_memory_default();
	return all / a->xdp.queues;
}

int dawn_afxdp_start(struct dawn_afxdp *a, uint32_t queue,
		     struct dawn_loop *loop,
		     const struct dawn_reactor_protocol *http,
		     struct dawn_error *e)
{
	struct dawn_reactor_options ro = {
		.xdp = &a->xdp,
		.loop = loop,
		.queue = queue,
		.threads = a->xdp.queues,
		.peers = a->reactor,
		.protocol[DAWN_SERVICE_HTTP] = *http,
		.zero_copy = a->o->zero_copy,
		.ring_size = dawn_memory_ring(a->xdp.queues),
		.memory_bytes = reactor_memory(a),
		.idle_ms = a->o->idle_s * 1000,
		.keepalive_ms = a->o->keepalive_s * 1000,
		.user_timeout_ms = a->o->user_timeout_s * 1000,
	};

	if (!a->incarnation) {
		dawn_afxdp_second(a);
		a->incarnation = dawn_reactor_incarnation(&a->xdp);
	}
	ro.incarnation = a->incarnation;
	a->memory_bytes += dawn_reactor_memory(&ro);
	return dawn_reactor_create(&a->reactor[queue], &ro, e);
}

struct dawn_reactor *dawn_afxdp_reactor(struct dawn_afxdp *a, uint32_t queue)
{
	return a->reactor[queue];
}

struct dawn_kcache *dawn_afxdp_kcache(struct dawn_afxdp *a)
{
	return a->kcache;
}

unsigned int dawn_afxdp_ifindex(const struct dawn_afxdp *a)
{
	return a->xdp.ifindex;
}

struct dawn_reactor_stats *dawn_afxdp_stats(struct dawn_afxdp *a,
					    uint32_t queue)
{
	return &a->xdp.reactor_stats[queue];
}

uint32_t dawn_afxdp_queues(const struct dawn_afxdp *a)
{
	return a->xdp.queues;
}

void dawn_afxdp_refuse_new(struct dawn_afxdp *a)
{
	__atomic_or_fetch(&a->xdp.config->flags, DAWN_CONFIG_DRAIN,
			  __ATOMIC_RELEASE);
}

uint32_t dawn_afxdp_second(struct dawn_afxdp *a)
{
	uint64_t now_ms = dawn_clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000;

	/* If it fails, it does with the next second. */
	(void)dawn_secret_renew(a->xdp.config, (uint32_t)now_ms);
	return dawn_date_update(a->xdp.config);
}

/* --- services ------------------------------------------------------------ */

static int add(struct dawn_afxdp *a, const struct dawn_addr *addr,
	       uint32_t port, uint8_t proto, enum dawn_service_kind kind,
	       uint16_t group, struct dawn_error *e)
{
	struct dawn_service_key key = {
		.addr = *addr,
		.port = htons((uint16_t)port),
		.proto = proto,
	};
	struct dawn_service want = {
		.kind = (uint8_t)kind,
		.group = group,
		.ttl = (uint8_t)a->o->ttl,
		.dscp = (uint8_t)a->o->dscp,
		.flags = kind == DAWN_SERVICE_HTTP
				 ? dawn_options_service_flags(a->o)
				 : 0,
	};
	int id = dawn_xdp_add_service(&a->xdp, &key, &want, e);

	return id < 0 ? id : 0;
}

static int add_address(struct dawn_afxdp *a, const struct dawn_addr *addr,
		       struct dawn_error *e)
{
	uint8_t echo = dawn_addr_is_v4(addr) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int err = add(a, addr, 0, echo, DAWN_SERVICE_ECHO, DAWN_GROUP_ECHO, e);

	if (!err && a->o->http_port)
		err = add(a, addr, a->o->http_port, IPPROTO_TCP,
			  DAWN_SERVICE_HTTP, DAWN_GROUP_HTTP, e);
	if (!err && a->o->hbtp_port)
		err = add(a, addr, a->o->hbtp_port, IPPROTO_UDP,
			  DAWN_SERVICE_HBTP, DAWN_GROUP_HBTP, e);
	return err;
}

int dawn_afxdp_register(struct dawn_afxdp *a, struct dawn_error *e)
{
	struct dawn_addr addr[ADDRESSES_MAX];
	int n = dawn_if_addresses(a->xdp.ifindex, addr, ADDRESSES_MAX);

	if (n < 0) {
		snprintf(e->text, sizeof(e->text),
			 "%s: cannot read its addresses: %s", a->xdp.ifname,
			 strerror(-n));
		return n;
	}
	for (int i = 0; i < n; i++) {
		int err = add_address(a, &addr[i], e);

		if (err)
			return err;
	}
	return 0;
}

void dawn_afxdp_mtu(struct dawn_afxdp *a)
{
	struct dawn_if i;
	uint32_t mtu;

	if (dawn_if_get(&i, a->xdp.ifindex))
		return; /* it is gone, which is told by other ways */
	mtu = i.mtu < UINT16_MAX ? i.mtu : UINT16_MAX;
	__atomic_store_n(&a->xdp.config->mtu, (uint16_t)mtu, __ATOMIC_RELAXED);
}

/* --- the start line ------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) static void
append(char *text, size_t size, const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + len, size - len, fmt, ap);
	va_end(ap);
}

static void append_addresses(const struct dawn_afxdp *a, char *text,
			     size_t size)
{
	struct dawn_addr addr[ADDRESSES_MAX];
	int n = dawn_if_addresses(a->xdp.ifindex, addr, ADDRESSES_MAX);
	char buf[INET6_ADDRSTRLEN];

	for (int i = 0; i < n; i++) {
		bool v4 = dawn_addr_is_v4(&addr[i]);

		inet_ntop(v4 ? AF_INET : AF_INET6,
			  v4 ? (void *)&addr[i].w[3] : (void *)&addr[i], buf,
			  sizeof(buf));
		append(text, size, "%s%s", i ? " " : "", buf);
	}
	if (n <= 0)
		append(text, size, "no address yet");
}

void dawn_afxdp_describe(const struct dawn_afxdp *a, char *text, size_t size)
{
	const struct dawn_config *c = a->xdp.config;
	uint64_t maps = (uint64_t)c->flow_sets * DAWN_FLOW_SET_SIZE +
			c->proven_lines * sizeof(struct dawn_proven) +
			(uint64_t)c->slots * DAWN_SLOT_SIZE;

	text[0] = '\0';
	append(text, size, "%s: %s mode (%s), ", a->xdp.ifname,
	       a->xdp.mode == DAWN_XDP_NATIVE ? "native" : "generic",
	       a->xdp.mode_why);
	append_addresses(a, text, size);
	append(text, size,
	       ", %u queue%s, %s, maps %llu MB, reactors at most %llu MB%s",
	       a->xdp.queues, a->xdp.queues == 1 ? "" : "s",
	       a->o->zero_copy ? "zero-copy" : "copy",
	       (unsigned long long)(maps >> 20),
	       (unsigned long long)(a->memory_bytes >> 20),
	       a->xdp.adopted ? ", adopted" : "");
}
