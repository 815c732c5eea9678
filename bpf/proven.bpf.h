/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Cookies that have made a flow make no second one; maps/proven.h.
 *
 * Both functions run while the tuple's place in flow_table is locked, so one
 * tuple's marks do not race. Tuples that share a line may, on two CPUs: then a
 * mark is lost; counted, but in the moment when a line is turned.
 */
#ifndef DAWN_BPF_PROVEN_H
#define DAWN_BPF_PROVEN_H

#include "bpf/cookie.bpf.h"
#include "bpf/verdict.bpf.h"
#include "maps/proven.bpf.h"

#define PROVEN_WINDOWS ((1U << (32 - DAWN_COOKIE_WINDOW_SHIFT)) - 1)

/* The mark of the cookie that cookie_check() found good. */
static __always_inline __u32 proven_mark(const struct work *w)
{
	return DAWN_PROVEN_USED |
	       ((__u32)(w->proof >> (DAWN_COOKIE_BITS - 1)) & 0x7ffffffe) |
	       (w->window & 1);
}

/* One of its two lines. They lie apart by a hash of the fingerprint, so that
 * equal fingerprints have equal lines no more often than others do. */
static __always_inline struct dawn_proven *
proven_line(const struct work *w, const struct dawn_config *cfg, __u32 second)
{
	__u32 lines = cfg->proven_lines;
	__u32 line = (w->proof >> 40) * lines >> 24;

	if (second) {
		__u32 print = w->proof >> DAWN_COOKIE_BITS & 0x3fffffff;

		line += (__u64)(print * 0x9e3779b1U) * lines >> 32;
		if (line >= lines)
			line -= lines;
	}
	return bpf_map_lookup_elem(&proven, &line);
}

static __always_inline __u32 count_marks(const struct dawn_proven *line)
{
	__u32 n = 0;

	for (int i = 0; i < DAWN_PROVEN_MARKS; i++)
		n += line->mark[i] / DAWN_PROVEN_USED;
	return n;
}

/* Return: not 0 if the cookie was used before, or may have been. */
dawn_subprog int proven_before(struct work *w)
{
	struct dawn_config *cfg = config_get();
	struct dawn_proven *line;
	__u32 mark, later, lost = 0;

	if (!w || !cfg)
		return 0;
	mark = proven_mark(w);
	for (__u32 i = 0; i < 2; i++) {
		line = proven_line(w, cfg, i);
		if (!line)
			return 0;
		/* How far the line is ahead of the cookie: else its marks of
		 * this parity are other windows'. */
		later = (line->window - w->window) & PROVEN_WINDOWS;
		if (later > 1)
			continue;
		for (int j = 0; j < DAWN_PROVEN_MARKS; j++)
			if (line->mark[j] == mark) {
				COUNT(cookie_replayed);
				return 1;
			}
		if (later && count_marks(line) == DAWN_PROVEN_MARKS)
			lost = 1;
	}
	if (lost)
		COUNT(cookie_refused);
	return lost;
}

/* Clear what is of neither this window nor the last. A line that is ahead was
 * turned by another CPU, just now. */
static __always_inline void turn_line(struct dawn_proven *line, __u32 window)
{
	__u32 age = (window - line->window) & PROVEN_WINDOWS;
	__u32 last = age == 1; /* may hold marks of the last window */

	if (!age || age == PROVEN_WINDOWS)
		return;
	for (int i = 0; i < DAWN_PROVEN_MARKS; i++)
		line->mark[i] &= -((line->mark[i] ^ window) & last);
	line->window = window;
}

/* Look for the best place for a mark: a free one, in the emptier line; else of
 * a mark of the last window, where there are more of those; of several that are
 * equal, any. */
static __always_inline void rate_places(struct work *w,
					const struct dawn_proven *line,
					__u32 second, __u32 window)
{
	const __u32 *word = (const __u32 *)line;
	__u32 free = DAWN_PROVEN_MARKS - count_marks(line), last = 0;

	for (__u32 i = 1; i <= DAWN_PROVEN_MARKS; i++)
		last += (word[i] ^ window) & 1;
	for (__u32 i = 1; i <= DAWN_PROVEN_MARKS; i++) {
		__u32 rate = (word[i] ^ window) & 1 ? last : 0;

		if (!word[i])
			rate = DAWN_PROVEN_MARKS + free;
		rate = rate << 5 | second << 4 | ((i ^ w->proof) & 15);
		if (rate > REREAD(w->place))
			w->place = rate;
	}
}

/* Note that the cookie is used. */
dawn_subprog int proven_note(struct work *w)
{
	struct dawn_config *cfg = config_get();
	struct dawn_proven *line;
	__u32 window, place, old;
	__u32 *word;

	if (!w || !cfg)
		return 0;
	window = cookie_window(w, 0);
	w->place = 0;
	for (__u32 i = 0; i < 2; i++) {
		line = proven_line(w, cfg, i);
		if (!line)
			return 0;
		turn_line(line, window);
		rate_places(w, line, i, window);
	}
	place = REREAD(w->place);
	line = proven_line(w, cfg, place >> 4 & 1);
	if (!line)
		return 0;
	word = (__u32 *)line + ((place ^ w->proof) & 15);
	old = *word;
	if (__sync_val_compare_and_swap(word, old, proven_mark(w)) != old ||
	    !(place >> 5))
		COUNT(cookie_forgotten);
	return 0;
}

#endif
