/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Is a segment exactly one simple request?
 *
 * Simple: GET or HEAD, HTTP/1.1, a target in origin form, one Host, no body,
 * only header fields that cannot change the answer. Everything else punts,
 * whatever is wrong or right about it: the reactor parses as RFC 9112 wants.
 *
 * One pass finds, eight bytes at a time, the next byte that is neither
 * printable ASCII nor a space. In a simple request that is always the CR of a
 * line's end, so the same step splits lines and proves that nothing strange
 * (NUL, bare CR or LF, tabs, bytes above 0x7e) stands between them.
 */
#ifndef DAWN_BPF_HTTP_PARSE_H
#define DAWN_BPF_HTTP_PARSE_H

#include "bpf/checksum.bpf.h"
#include "maps/cache.bpf.h"

#define DAWN_SCAN_STEPS 320 /* 2048 / 8 words and 64 lines */
/* More punt: user/http refuses more than 100. */
#define DAWN_SCAN_FIELDS_MAX 60

#define BYTES(c)  ((c)*0x0101010101010101ULL)
#define HIGH_BITS BYTES(0x80ULL)

/* Words of a string literal, as LOAD*() reads them (little-endian; a
 * big-endian machine would need its own). */
#define CHAR_AT(s, i) ((__u64)(__u8)(s)[i])
#define WORD4(s, i)                                 \
	(CHAR_AT(s, i) | CHAR_AT(s, (i) + 1) << 8 | \
	 CHAR_AT(s, (i) + 2) << 16 | CHAR_AT(s, (i) + 3) << 24)
#define WORD8(s, i) (WORD4(s, i) | WORD4(s, (i) + 4) << 32)

/* Letters become lower case. Of the other characters none that a field name
 * may hold becomes one that stands in a name below. */
#define FOLD4(p) ((__u64)(LOAD32(p) | 0x20202020U))
#define FOLD8(p) (LOAD64(p) | BYTES(0x20ULL))

/* Does the name at p, whose length is the literal's, equal it? The last word
 * overlaps the one before. */
#define NAME_4TO7(p, s)             \
	(FOLD4(p) == WORD4(s, 0) && \
	 FOLD4((p) + sizeof(s) - 5) == WORD4(s, sizeof(s) - 5))
#define NAME_8TO16(p, s)            \
	(FOLD8(p) == WORD8(s, 0) && \
	 FOLD8((p) + sizeof(s) - 9) == WORD8(s, sizeof(s) - 9))
#define NAME_17TO32(p, s)                                            \
	(FOLD8(p) == WORD8(s, 0) && FOLD8((p) + 8) == WORD8(s, 8) && \
	 FOLD8((p) + sizeof(s) - 17) == WORD8(s, sizeof(s) - 17) &&  \
	 FOLD8((p) + sizeof(s) - 9) == WORD8(s, sizeof(s) - 9))

/* Index of the lowest byte whose high bit is set in `mask`, which is not 0. */
static __always_inline __u32 lowest_byte(__u64 mask)
{
	return ((mask & -mask) >> 7) * 0x0001020304050607ULL >> 56;
}

/* High bit of each byte below 0x20 or above 0x7e; exact for the lowest. */
static __always_inline __u64 unprintable(__u64 x)
{
	return (((x - BYTES(0x20ULL)) & ~x) | x | (x + BYTES(1ULL))) &
	       HIGH_BITS;
}

/* High bit of each byte that equals c; exact for the lowest. */
static __always_inline __u64 equal_bytes(__u64 x, __u64 c)
{
	x ^= BYTES(c);
	return (x - BYTES(1ULL)) & ~x & HIGH_BITS;
}

static __always_inline const __u8 *seg_at(const struct work *w, __u32 off)
{
	OPAQUE(off);
	return w->seg + (off & 0x7ff);
}

/* The request line, [line, end) in w->seg. Return: 0, or a verdict. */
static __always_inline int scan_request_line(struct work *w, __u32 line,
					     __u32 end)
{
	const __u8 *p = seg_at(w, line);
	struct dawn_scan *scan = &w->scan;

	if (LOAD32(p) == (__u32)WORD4("GET ", 0))
		scan->head = 0;
	else if (LOAD32(p) == (__u32)WORD4("HEAD", 0) && p[4] == ' ')
		scan->head = 1;
	else
		return PUNT(http_method);
	scan->target = line + 4 + scan->head;
	if (end < scan->target + sizeof("/ HTTP/1.1") - 1)
		return PUNT(http_target);
	if (*seg_at(w, scan->target) != '/')
		return PUNT(http_target);
	p = seg_at(w, end - 9);
	if (LOAD64(p) != WORD8(" HTTP/1.", 0) || p[8] != '1')
		return PUNT(http_version);
	scan->target_len = end - 9 - scan->target;
	return scan->target_len <= DAWN_TARGET_MAX ? 0 : PUNT(http_target);
}

static __always_inline bool is_host_char(__u8 c)
{
	return (__u8)((c | 0x20) - 'a') < 26 || (__u8)(c - '0') < 10 ||
	       c == '.' || c == ':' || c == '-' || c == '_' || c == '[' ||
	       c == ']';
}

/* Return: 0 with the virtual host's id set, or a verdict. */
static __always_inline int lookup_vhost(struct work *w)
{
	struct dawn_vhost_key
		key; /* 6.1 takes no key from memory of an argument */
	__u32 *id;

	copy_bytes(key.name, w->host, sizeof(key.name));
	id = bpf_map_lookup_elem(&vhosts, &key);
	if (!id)
		return PUNT(http_host);
	w->scan.vhost = *id;
	return 0;
}

/* Parts of a Host: uri-host [ ":" port ] (RFC 9110, 7.2). */
enum host_part {
	HOST_NAME,    /* a name or an IPv4 address */
	HOST_LITERAL, /* within [ ] */
	HOST_CLOSED,  /* behind ] */
	HOST_PORT,
	HOST_BAD,
};

/* The part that c, byte `i` of a Host, belongs to. Stricter than RFC 3986 in
 * what a name is made of, never laxer than user/http: what that one refuses
 * must not be answered here. */
static __always_inline enum host_part host_step(enum host_part part, __u8 c,
						__u32 i, __u32 *port)
{
	if (part == HOST_PORT) {
		*port = *port * 10 + (__u8)(c - '0');
		return (__u8)(c - '0') < 10 && *port <= 65535 ? HOST_PORT
							      : HOST_BAD;
	}
	if (!is_host_char(c))
		return HOST_BAD;
	if (part == HOST_LITERAL) {
		if (c == ']')
			return i > 1 ? HOST_CLOSED : HOST_BAD;
		return c == '[' ? HOST_BAD : HOST_LITERAL;
	}
	if (c == ':')
		return i > 0 ? HOST_PORT : HOST_BAD;
	if (c == '[')
		return i == 0 ? HOST_LITERAL : HOST_BAD;
	return part == HOST_CLOSED || c == ']' ? HOST_BAD : HOST_NAME;
}

/* Host: any name while there are no virtual hosts, else one of theirs, without
 * regard to case and port. Return: 0, or a verdict. */
dawn_subprog int scan_host(struct work *w, __u32 value, __u32 len)
{
	struct dawn_config *cfg = config_get();
	enum host_part part = HOST_NAME;
	__u32 port = 0;
	__u8 c;

	if (!w || !cfg || w->scan.hosts++ || len == 0 ||
	    len >= DAWN_VHOST_NAME_MAX)
		return PUNT(http_host);
	if (cfg->vhosts)
		__builtin_memset(w->host, 0, sizeof(w->host));
	for (__u32 i = 0; i < DAWN_VHOST_NAME_MAX; i++) {
		if (i >= len)
			break;
		c = *seg_at(w, value + i);
		part = host_step(part, c, i, &port);
		if (part == HOST_BAD)
			return PUNT(http_host);
		if (part != HOST_PORT)
			w->host[i] = (__u8)(c - 'A') < 26 ? c | 0x20 : c;
	}
	if (part == HOST_LITERAL)
		return PUNT(http_host);
	w->scan.vhost = 0;
	return cfg->vhosts ? lookup_vhost(w) : 0;
}

/* Is the field a listed one that cannot change the answer, whatever its value?
 * `p`: its name, `len` bytes. */
static __always_inline bool is_harmless(const __u8 *p, __u32 len)
{
	switch (len) {
	case 3:
		return (FOLD4(p) & 0xffffff) == (WORD4("dnt:", 0) & 0xffffff);
	case 6:
		return NAME_4TO7(p, "accept");
	case 7:
		return NAME_4TO7(p, "referer") || NAME_4TO7(p, "sec-gpc");
	case 8:
		return NAME_8TO16(p, "priority");
	case 9:
		return NAME_8TO16(p, "sec-ch-ua");
	case 10:
		return NAME_8TO16(p, "user-agent");
	case 14:
		return NAME_8TO16(p, "sec-fetch-site") ||
		       NAME_8TO16(p, "sec-fetch-mode") ||
		       NAME_8TO16(p, "sec-fetch-dest") ||
		       NAME_8TO16(p, "sec-fetch-user");
	case 15:
		return NAME_8TO16(p, "accept-language");
	case 16:
		return NAME_8TO16(p, "sec-ch-ua-mobile");
	case 18:
		return NAME_17TO32(p, "sec-ch-ua-platform");
	case 25:
		return NAME_17TO32(p, "upgrade-insecure-requests");
	}
	return false;
}

/* Is it one that says nothing to this service? */
static __always_inline bool is_ignored(const struct work *w, const __u8 *p,
				       __u32 len)
{
	switch (len) {
	case 6:
		if (NAME_4TO7(p, "cookie"))
			return w->service.flags & DAWN_SERVICE_ANY_COOKIE;
		return NAME_4TO7(p, "pragma") &&
		       w->service.flags & DAWN_SERVICE_ANY_CACHE_CONTROL;
	case 13:
		if (NAME_8TO16(p, "authorization"))
			return w->service.flags &
			       DAWN_SERVICE_ANY_AUTHORIZATION;
		return NAME_8TO16(p, "cache-control") &&
		       w->service.flags & DAWN_SERVICE_ANY_CACHE_CONTROL;
	}
	return false;
}

/* Length of the field name at p, or 32 if it is longer. */
static __always_inline __u32 name_length(const __u8 *p)
{
	__u64 colons;

	for (__u32 i = 0; i < 32; i += 8) {
		colons = equal_bytes(LOAD64(p + i), ':');
		if (colons)
			return i + lowest_byte(colons);
	}
	return 32;
}

/* A field that may come once. Return: 0, or a verdict. */
static __always_inline int scan_once(struct dawn_scan_value *v, __u32 value,
				     __u32 end)
{
	if (v->off)
		return PUNT(http_condition);
	v->off = value;
	v->len = end - value;
	return 0;
}

/* A header line, [line, end) in w->seg. Return: 0, or a verdict. */
static __always_inline int scan_field(struct work *w, __u32 line, __u32 end)
{
	const __u8 *p = seg_at(w, line);
	__u32 len = name_length(p);
	__u32 value = line + len + 1;

	if (value > end || ++w->scan.fields > DAWN_SCAN_FIELDS_MAX)
		return PUNT(http_header);
	if (is_harmless(p, len))
		return 0;
	if (len == 15 && NAME_8TO16(p, "accept-encoding")) {
		w->scan.has_accept_encoding = 1;
		return 0;
	}
	if (value < end && *seg_at(w, value) == ' ')
		value++;
	if (len == 4 && NAME_4TO7(p, "host"))
		return scan_host(w, value, end - value);
	if (len == 13 && NAME_8TO16(p, "if-none-match"))
		return scan_once(&w->scan.none_match, value, end);
	if (len == 17 && NAME_17TO32(p, "if-modified-since"))
		return scan_once(&w->scan.modified_since, value, end);
	if (len != 10 || !NAME_8TO16(p, "connection"))
		return is_ignored(w, p, len) ? 0 : PUNT(http_header);
	p = seg_at(w, value);
	if (end - value != 10 || !NAME_8TO16(p, "keep-alive"))
		return PUNT(http_value);
	return 0;
}

static __always_inline int scan_end(struct work *w, __u32 next)
{
	if (next != w->scan.end)
		return PUNT(http_pipelined);
	return w->scan.hosts == 1 ? 0 : PUNT(http_host);
}

/* `at` is the first unprintable byte from w->scan.line on.
 * Return: where the next line begins, or -1: w->scan.verdict has the result.
 */
dawn_subprog int scan_line(struct work *w, __u32 at)
{
	__u32 line;
	int verdict;

	if (!w)
		return -1;
	line = w->scan.line;
	w->scan.verdict = PUNT(http_incomplete);
	if (at >= w->scan.end || at > 0x7fe)
		return -1;
	w->scan.verdict = PUNT(http_value);
	if (*seg_at(w, at) != '\r')
		return -1;
	if (at + 1 >= w->scan.end) {
		w->scan.verdict = PUNT(http_incomplete);
		return -1;
	}
	if (*seg_at(w, at + 1) != '\n')
		return -1;
	if (w->scan.first_line) {
		w->scan.first_line = 0;
		verdict = scan_request_line(w, line, at);
	} else if (at == line) {
		w->scan.verdict = scan_end(w, at + 2);
		return -1;
	} else {
		verdict = scan_field(w, line, at);
	}
	w->scan.verdict = verdict;
	w->scan.line = at + 2;
	return verdict ? -1 : (int)at + 2;
}

/* Parse the payload of the segment at hand. Return: 0 with w->scan filled, or
 * PUNT(why not). */
dawn_subprog int parse_request(struct xdp_md *ctx, struct work *w)
{
	__u64 mask;
	__u32 pos;
	int next;

	if (!w)
		return DROP(map_missing);
	if (load_segment(ctx, w))
		return PUNT(http_incomplete);
	pos = w->doff;
	__builtin_memset(&w->scan, 0, sizeof(w->scan));
	w->scan.line = pos;
	w->scan.end = w->l4_len;
	w->scan.first_line = 1;
	pos &= 0x7ff;
	for (int i = 0; i < DAWN_SCAN_STEPS; i++) {
		mask = unprintable(LOAD64(w->seg + pos));
		if (!mask) {
			pos += 8;
		} else {
			next = scan_line(w, pos + lowest_byte(mask));
			if (next < 0)
				return w->scan.verdict;
			pos = next;
		}
		OPAQUE(pos);
		pos &= 0x7ff;
	}
	return PUNT(http_incomplete);
}

#endif
