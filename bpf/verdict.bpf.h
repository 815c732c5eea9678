/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Verdicts and counters.
 *
 * A phase returns 0, "go on", or a verdict: what becomes of the packet and
 * which counter of maps/stats.h says why. Only conclude() turns a verdict
 * into XDP_*, so no private number reaches the driver, and every packet is
 * counted exactly once in a total and once in the reason beside it.
 */
#ifndef DAWN_BPF_VERDICT_H
#define DAWN_BPF_VERDICT_H

#include "bpf/work.bpf.h"
#include "maps/segments.bpf.h"
#include "maps/stats.bpf.h"

enum dawn_verdict {
	DAWN_VERDICT_NONE = 0,
	DAWN_VERDICT_PASS = 1,
	DAWN_VERDICT_PUNT = 2,
	DAWN_VERDICT_DROP = 3,
	DAWN_VERDICT_TX = 4,
	DAWN_VERDICT_DONE = 5,  /* taken in; nothing to answer */
	DAWN_VERDICT_CLONE = 6, /* low bits: how many segments */
	DAWN_VERDICT_GONE = 7,  /* no verdict yet: the flow is no more */
};

#define STAT(name)  (offsetof(struct dawn_stats, name) / sizeof(__u64))
#define STATS_COUNT (sizeof(struct dawn_stats) / sizeof(__u64))

#define VERDICT(kind, name) ((int)(DAWN_VERDICT_##kind << 16 | STAT(name)))
#define PASS(name)          VERDICT(PASS, name)
#define PUNT(name)          VERDICT(PUNT, name)
#define DROP(name)          VERDICT(DROP, name)
#define TX(name)            VERDICT(TX, name)
#define DONE(name)          VERDICT(DONE, name)
#define CLONE(segments)     ((int)(DAWN_VERDICT_CLONE << 16 | (segments)))
#define GONE                ((int)(DAWN_VERDICT_GONE << 16))

static __always_inline int verdict_kind(int verdict)
{
	return verdict >> 16;
}

static __always_inline void stats_add(__u32 index, __u64 n)
{
	__u32 zero = 0;
	__u64 *counters = bpf_map_lookup_elem(&stats, &zero);

	OPAQUE(index);
	if (counters && index < STATS_COUNT)
		counters[index] += n;
}

#define COUNT(name)  stats_add(STAT(name), 1)
#define ADD(name, n) stats_add(STAT(name), n)

/* Is the heartbeat of this queue younger than that? */
static __always_inline bool
has_beaten(const struct work *w, const struct dawn_config *cfg, __s64 max_ns)
{
	__u64 beat = cfg->queue[w->rxq & (DAWN_QUEUES_MAX - 1)].heartbeat_ns;

	/* Signed: the beat may be newer than our reading of the clock. */
	return beat && (__s64)(w->now_ns - beat) < max_ns;
}

/* Is a reactor serving this queue? */
static __always_inline bool reactor_alive(const struct work *w,
					  const struct dawn_config *cfg)
{
	return has_beaten(w, cfg, DAWN_HEARTBEAT_MAX_NS);
}

/* Is no reactor serving any queue? Then XDP looks after its flows alone. */
static __always_inline bool reactor_silent(const struct work *w,
					   const struct dawn_config *cfg)
{
	return !cfg->reactor_seen_ns ||
	       (__s64)(w->now_ns - cfg->reactor_seen_ns) >=
		       (__s64)DAWN_HEARTBEAT_MAX_NS;
}

/* Silent for so long that cached answers must stop? */
static __always_inline bool orphan_expired(const struct work *w,
					   const struct dawn_config *cfg)
{
	__u64 ttl = cfg->orphan_ttl_ns ?: DAWN_ORPHAN_TTL_NS;

	if (w->flags & DAWN_CONFIG_STANDALONE)
		return false;
	return (__s64)(w->now_ns - cfg->reactor_seen_ns) > (__s64)ttl;
}

/* Can a packet go to the reactor now? Return: 0, or the verdict instead. */
dawn_subprog int punt_refused(struct work *w)
{
	struct dawn_config *cfg = config_get();
	struct dawn_queue *queue;
	__u64 *sent;
	__u32 rxq;

	if (!w || !cfg)
		return DROP(map_missing);
	rxq = w->rxq;
	if (rxq >= DAWN_QUEUES_MAX ||
	    !has_beaten(w, cfg, DAWN_HEARTBEAT_DEAD_NS))
		return DROP(no_socket);
	if (!bpf_map_lookup_elem(&xsks, &rxq))
		return DROP(no_socket);
	sent = bpf_map_lookup_elem(&queue_sent, &rxq);
	queue = &cfg->queue[rxq & (DAWN_QUEUES_MAX - 1)];
	if (!sent)
		return DROP(map_missing);
	if ((__s64)(*sent - queue->taken) > (__s64)(queue->ring_size / 2))
		return DROP(queue_full);
	if (w->frame_len > DAWN_FRAME_MAX)
		return DROP(oversize);
	return 0;
}

static __always_inline int conclude_drop(__u32 reason)
{
	COUNT(drop_total);
	stats_add(reason, 1);
	return XDP_DROP;
}

/* The packet is as it came: whatever punts has not written to it. */
static __always_inline int conclude_punt(struct work *w, __u32 reason)
{
	__u32 rxq = w->rxq;
	int refused = punt_refused(w);
	__u64 *sent;

	if (refused)
		return conclude_drop(refused & 0xffff);
	sent = bpf_map_lookup_elem(&queue_sent, &rxq);
	if (!sent)
		return conclude_drop(STAT(map_missing));
	__sync_fetch_and_add(sent, 1);
	COUNT(punt_total);
	stats_add(reason, 1);
	return bpf_redirect_map(&xsks, rxq, XDP_DROP);
}

#define BROADCAST(map) bpf_redirect_map(&(map), 0, BPF_F_BROADCAST)

/* n segments need n + 1 frames; see maps/segments.bpf.h. */
static __always_inline int conclude_clone(__u32 segments)
{
	COUNT(tx_total);
	switch (segments) {
	case 1:
		return BROADCAST(segments_2);
	case 2:
		return BROADCAST(segments_3);
	case 3:
		return BROADCAST(segments_4);
	case 4:
		return BROADCAST(segments_5);
	case 5:
		return BROADCAST(segments_6);
	case 6:
		return BROADCAST(segments_7);
	case 7:
		return BROADCAST(segments_8);
	case 8:
		return BROADCAST(segments_9);
	case 9:
		return BROADCAST(segments_10);
	case 10:
		return BROADCAST(segments_11);
	}
	return conclude_drop(STAT(map_missing));
}

static __always_inline int conclude(struct work *w, int verdict)
{
	__u32 reason = verdict & 0xffff;

	switch (verdict_kind(verdict)) {
	case DAWN_VERDICT_PASS:
		COUNT(pass_total);
		stats_add(reason, 1);
		return XDP_PASS;
	case DAWN_VERDICT_PUNT:
		return conclude_punt(w, reason);
	case DAWN_VERDICT_TX:
		COUNT(tx_total);
		stats_add(reason, 1);
		return XDP_TX;
	case DAWN_VERDICT_DONE:
		stats_add(reason, 1);
		return XDP_DROP;
	case DAWN_VERDICT_CLONE:
		return conclude_clone(reason);
	case DAWN_VERDICT_DROP:
		return conclude_drop(reason);
	}
	return conclude_drop(STAT(map_missing));
}

#endif
