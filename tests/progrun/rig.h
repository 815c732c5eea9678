/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One loaded dawn_xdp.bpf.o and what the tests need to play a peer with it.
 *
 * Everything runs through bpf_prog_test_run_opts() on lo, queue 0: a packet
 * goes in, verdict and packet come out, nothing is sent. A redirect is only
 * decided, not made. Addresses are fixed: us 198.18.0.1 / 2001:db8::1, the
 * peer .2 / ::2; services: echo, HTTP on port 80, HBTP on port 4860.
 */
#ifndef DAWN_TESTS_PROGRUN_RIG_H
#define DAWN_TESTS_PROGRUN_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/bpf.h>

#include "maps/config.h"
#include "maps/flow_table.h"
#include "maps/proven.h"
#include "maps/services.h"
#include "maps/stats.h"
#include "tests/lib/pkt.h"

#define RIG_HTTP_PORT 80
#define RIG_HBTP_PORT 4860
#define RIG_GROUP     1
#define RIG_LINES     64 /* of proven */
/* Verdicts beside XDP_*: what XDP_TX and others are in <linux/bpf.h>. */

struct bpf_object;

struct rig {
	struct bpf_object *obj;
	int prog;
	int xsk;
	int family, vlans; /* of the wire, see rig_on_wires() */
	struct dawn_config *config;
	struct dawn_flow_set *flows;
	uint64_t *unacked;
	struct dawn_proven *proven;
	uint64_t *queue_sent;
	struct dawn_slot *slots;
	struct dawn_stats before; /* at the latest rig_mark() */
	uint8_t in[PKT_FRAME_MAX];
	size_t in_len;
	uint8_t out[4096];
	size_t out_len;
};

extern struct rig rig;
extern uint32_t rig_sets; /* of flow_table; may be set before rig_open() */

/* Group setup and teardown; setup fails the group if the object does not load.
 */
int rig_open(void **state);
int rig_close(void **state);

/* Test setup: empty tables, a reactor alive on queue 0, counters marked. */
int rig_reset(void **state);

/* Forget the cookies that were used: a peer may connect again as it did. */
void rig_forget_cookies(void);

/* Run a group of tests over IPv4 and IPv6, each with no, one and two VLAN tags:
 * rig.family says which, rig_peer() sets the tags. Setup is rig_reset(). */
int rig_on_wires(const char *group, const struct CMUnitTest *tests, size_t n);
#define RIG_ON_WIRES(group, tests) \
	rig_on_wires(group, tests, sizeof(tests) / sizeof((tests)[0]))

int rig_map(const char *name); /* fd; fails the test if there is none */

/* struct dawn_service.flags of HTTP; they stay. */
void rig_http_flags(uint8_t flags);

/* Is a reactor there? false: its heartbeat stopped a second ago. */
void rig_reactor(bool alive);
uint64_t rig_now_ns(void); /* the coarse clock, as XDP reads it */

void rig_mark(void);
/* Value of a counter since the mark: rig_count(http_hit). */
uint64_t rig_delta(size_t index);
#define rig_count(name) \
	rig_delta(offsetof(struct dawn_stats, name) / sizeof(uint64_t))

/* Run one packet. Return: the verdict, XDP_*; rig.out has the packet. */
int rig_run(const struct pkt *p);
int rig_run_raw(const uint8_t *frame, size_t len);

/* Print which counters rose since the mark. */
void rig_print(void);

/* Run and assert the verdict and one counter that rose by one. */
void rig_expect(const struct pkt *p, int verdict, size_t index,
		const char *what);
#define EXPECT(p, verdict, name)                                         \
	rig_expect(p, verdict,                                           \
		   offsetof(struct dawn_stats, name) / sizeof(uint64_t), \
		   #name)
/* The same, and that the packet was not touched. */
#define EXPECT_SAME(p, verdict, name)                             \
	do {                                                      \
		EXPECT(p, verdict, name);                         \
		assert_int_equal(rig.out_len, rig.in_len);        \
		assert_memory_equal(rig.out, rig.in, rig.in_len); \
	} while (0)

/* Parse rig.out, which must be right in every length and checksum, from us to
 * the peer, with the tags of `to`. */
struct pkt rig_answer(const struct pkt *to);

/* A packet from the peer, of either family. */
struct pkt rig_packet(int family, uint8_t proto);

/* ---- a TCP peer ---- */

struct peer {
	int family;
	bool ts, sack, wscale;
	uint16_t mss; /* 0: no option */
	uint16_t port;
	uint32_t isn;
	uint32_t snd_nxt, rcv_nxt; /* the peer's own */
	uint32_t ts_ours;          /* latest TSval of ours it saw */
	uint32_t ts_clock;
	uint16_t wnd;
	int vlans;
};

struct peer rig_peer(int family);
struct pkt peer_segment(const struct peer *p, uint8_t flags);
void peer_syn(struct peer *p);     /* SYN, checks the SYN-ACK */
void peer_connect(struct peer *p); /* and the ACK that makes the flow */
struct dawn_flow *peer_flow(const struct peer *p); /* or NULL */
struct pkt peer_request(const struct peer *p, const char *text);

/* ---- slots ---- */

/* Put a response of `body_len` bytes at `target` into slot 0 to 3. */
void rig_cache(uint32_t slot, const char *target, size_t body_len);
/* The same with Last-Modified, this ETag, and a 304. */
#define RIG_MODIFIED "Sat, 05 Nov 1994 07:38:26 GMT"
void rig_cache_validators(uint32_t slot, const char *target, size_t body_len,
			  const char *etag);
void rig_uncache(void); /* empties the index */

#define REQUEST(target) "GET " target " HTTP/1.1\r\nHost: 198.18.0.1\r\n\r\n"

#endif
