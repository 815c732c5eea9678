/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What a packet is while it passes through: struct work, one per CPU.
 *
 * The entry points look it up once and hand the pointer to every phase. The
 * phases are global functions ("subprograms" that the verifier proves once,
 * each on its own): that keeps the state space a sum instead of a product,
 * and 6.1 takes what a newer verifier takes. They know nothing about values
 * in *w but their type, so each index read from it is bounded where it is
 * used.
 *
 * XDP runs with softirqs off and does not nest, so a CPU's work belongs to one
 * packet at a time. Nothing in it outlives the packet, except where said.
 */
#ifndef DAWN_BPF_WORK_H
#define DAWN_BPF_WORK_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps/abi.h"
#include "maps/cache.h"
#include "maps/config.bpf.h"
#include "maps/flow_table.h"
#include "maps/services.h"

/* A function the verifier proves on its own. */
#define dawn_subprog __attribute__((noinline))

/* Wire sizes. */
#define DAWN_L2_MAX  (ETH_HLEN + 8) /* two VLAN tags */
#define DAWN_TS_LEN  12             /* NOP NOP timestamps */
#define DAWN_HDR_MAX (DAWN_L2_MAX + 40 + 20 + 20)

/* Frames to a TCP service beyond this are dropped: an honest peer keeps to the
 * MSS we gave it, and a UMEM frame holds no more in every layout. */
#define DAWN_FRAME_MAX 1792

#define DAWN_TCP_FLAG_FIN 0x01
#define DAWN_TCP_FLAG_SYN 0x02
#define DAWN_TCP_FLAG_RST 0x04
#define DAWN_TCP_FLAG_PSH 0x08
#define DAWN_TCP_FLAG_ACK 0x10
#define DAWN_TCP_FLAG_URG 0x20
#define DAWN_TCP_FLAG_ECE 0x40
#define DAWN_TCP_FLAG_CWR 0x80

enum dawn_fragment {
	DAWN_FRAG_NONE = 0,
	DAWN_FRAG_FIRST = 1, /* has the ports */
	DAWN_FRAG_LATER = 2,
};

/* TCP options seen in a segment. */
#define DAWN_OPT_MSS    0x01
#define DAWN_OPT_WSCALE 0x02
#define DAWN_OPT_SACKOK 0x04
#define DAWN_OPT_TS     0x08
#define DAWN_OPT_SACK   0x10 /* blocks */
#define DAWN_OPT_OTHER  0x20

/* A response on its way: a hit, or one that is sent again. */
struct dawn_response {
	__u32 slot;
	__u32 gen;
	__u32 seq;    /* of its first byte */
	__u32 len;    /* bytes */
	__u32 date_s; /* Unix time in its Date */
	__u32 kind;   /* enum dawn_resp_kind */
};

/* A field value in work.seg. */
struct dawn_scan_value {
	__u16 off; /* 0: the field did not come */
	__u16 len;
};

/* Where the request scan stands; see http_parse.bpf.h. */
struct dawn_scan {
	__u32 pos;        /* next byte to look at, in work.seg */
	__u32 end;        /* end of the payload in work.seg */
	__u32 line;       /* where the present line begins */
	__u32 first_line; /* 1 until the request line is behind us */
	__u32 target;     /* offset of the request target */
	__u32 target_len;
	__u32 fields; /* seen */
	__u32 hosts;  /* Host fields seen */
	__u32 vhost;
	__u32 has_accept_encoding;
	__u32 head;                            /* 1: HEAD, 0: GET */
	struct dawn_scan_value none_match;     /* If-None-Match */
	struct dawn_scan_value modified_since; /* If-Modified-Since */
	__s32 verdict;
};

struct work {
	struct dawn_addr raddr; /* peer */
	struct dawn_addr laddr; /* us */
	__u8 l2[24];            /* link header as received */
	__u32 frame_len;        /* as received, padding included */
	__u32 rxq;
	__u16 l3_off;
	__u16 l4_off;
	__u16 l4_len; /* header and payload, by the IP header */
	__u8 proto;   /* IPPROTO_* behind all extension headers */
	__u8 is_v6;
	__u8 fragment;    /* enum dawn_fragment */
	__u8 has_options; /* IPv4 options or IPv6 extension headers */
	__u8 tos;         /* DSCP and ECN */
	__u8 scanned;     /* seg[] holds the L4 segment */
	__be16 rport;
	__be16 lport;
	__be16 vlan_outer; /* TCI, 0 none */
	__be16 vlan_inner;
	__u8 outer_ad; /* outer tag is 802.1ad */
	__u8 pad[3];
	struct dawn_service service;

	__u64 now_ns; /* coarse monotonic */
	__u32 now_ms;
	__u32 tsnow; /* our TSval */
	__u32 flags; /* config.flags */

	/* TCP header, host order */
	__u32 seq;
	__u32 ack;
	__u32 wnd;
	__u32 tsval;
	__u32 tsecr;
	__u32 payload_len;
	__u16 doff; /* header bytes, 20..60 */
	__u8 tcp_flags;
	__u8 opts;     /* DAWN_OPT_* */
	__u16 mss;     /* if DAWN_OPT_MSS */
	__u8 wscale;   /* if DAWN_OPT_WSCALE; 0..14 */
	__u8 release;  /* enum dawn_owner_state the flow gets when unlocked */
	__u32 opt_pos; /* while options are parsed, as the next */
	__u32 opt_end;
	__u32 flow_index; /* set * DAWN_FLOW_WAYS + way */
	struct dawn_flow_hash hash;

	__u64 memo_hash; /* of the request; 0: it is not to be remembered */
	struct dawn_response resp;
	struct dawn_scan scan;
	__u32 date_sum;     /* folded sum of date_text */
	__u8 date_text[32]; /* DAWN_DATE_LEN bytes, then zeros */

	/* From here on, whole words are copied. */
	__u8 opt[80] __attribute__((aligned(8))); /* TCP options; 40 used, the
						   * rest lets reads run on */
	__u8 hdr[128]; /* reply's headers; DAWN_HDR_MAX used */
	__u8 host[DAWN_VHOST_NAME_MAX];
	struct dawn_cache_key key;
	__u8 seg[2048 + 64]; /* L4 segment; slack for word reads */

	/* Rarely used: behind what each packet touches. */
	__u64 proof;  /* keyed hash of tuple and the peer's ISN, of a cookie */
	__u32 window; /* in which that cookie was made */
	__u32 victim; /* flow index, while one to evict is looked for */
	__u32 victim_score;
	__u32 place; /* while proven_note() looks for one */
};
_Static_assert(DAWN_HDR_MAX <= sizeof(((struct work *)0)->hdr), "headers fit");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} scratch SEC(".maps");

static __always_inline struct work *work_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

static __always_inline struct dawn_config *config_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&config, &zero);
}

/* Word reads from byte buffers in maps; neither is aligned, which the kernel
 * allows where the machine does (x86, arm64). */
typedef __u16 __attribute__((may_alias)) word16;
typedef __u32 __attribute__((may_alias)) word32;
typedef __u64 __attribute__((may_alias)) word64;

#define LOAD16(p)     (*(const word16 *)(p))
#define LOAD32(p)     (*(const word32 *)(p))
#define LOAD64(p)     (*(const word64 *)(p))
#define STORE16(p, v) (*(word16 *)(p) = (v))
#define STORE32(p, v) (*(word32 *)(p) = (v))

/* memcpy() of a constant length in the largest words. clang copies what it does
 * not know to be aligned byte by byte. */
static __always_inline void copy_bytes(void *to, const void *from, __u32 n)
{
	__u32 i = 0;

	for (; i + 8 <= n; i += 8)
		*(word64 *)(to + i) = LOAD64(from + i);
	if (i + 4 <= n) {
		STORE32(to + i, LOAD32(from + i));
		i += 4;
	}
	if (i + 2 <= n) {
		STORE16(to + i, LOAD16(from + i));
		i += 2;
	}
	if (i < n)
		*(__u8 *)(to + i) = *(const __u8 *)(from + i);
}

/* Keeps the compiler from using what it knows about x to drop a bound that
 * the verifier needs to see (clang 16 to 19). */
#define OPAQUE(x) asm volatile("" : "+r"(x))

/* Reads a field of *w from memory, so that the verifier forgets what it knew:
 * a loop whose state lives there is proven turn by turn, not path by path. */
#define REREAD(x) (*(volatile __typeof__(x) *)&(x))

/* A length for a helper that wants proof of 1 <= n <= mask + 1, mask being
 * 2^k - 1. Symptom: 6.1's verifier does not raise a minimum on "n < 1"
 * ("invalid zero-sized read"); may go when 6.1 goes. */
#define BOUND_LEN(n, mask)                          \
	({                                          \
		__u32 bounded_ = (n)-1;             \
		OPAQUE(bounded_);                   \
		bounded_ = (bounded_ & (mask)) + 1; \
		bounded_;                           \
	})

/* n bytes of the packet at an offset of up to 2047, or NULL. n is constant. */
static __always_inline void *packet_at(struct xdp_md *ctx, __u32 off, __u32 n)
{
	void *end = (void *)(long)ctx->data_end;
	void *pos = (void *)(long)ctx->data;

	OPAQUE(off);
	pos += off & 0x7ff;
	if (pos + n > end)
		return NULL;
	return pos;
}

/* May frames have several buffers? The loader says so where the MTU is large,
 * before the verifier looks: elsewhere it costs nothing. */
const volatile __u8 dawn_frags SEC(".rodata.frags") = 0;

/* Of the whole frame: behind data_end there may be further buffers. Headers
 * stand in the first one. */
static __always_inline __u32 frame_length(struct xdp_md *ctx)
{
	return dawn_frags ? bpf_xdp_get_buff_len(ctx)
			  : ctx->data_end - ctx->data;
}

#endif
