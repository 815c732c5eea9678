/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Cookies that have made a flow make no second one; maps/proven.h.
 *
 * Both functions run while the tuple's place in flow_table is locked, so one
 * tuple's marks do not race. Tuples that share a line may: then a mark is lost
 * and counted.
 */
#ifndef DAWN_BPF_PROVEN_H
#define DAWN_BPF_PROVEN_H

#include "bpf/cookie.bpf.h"
#include "bpf/verdict.bpf.h"
#include "maps/proven.bpf.h"

/* Of the cookie that cookie_check() found good. */
static __always_inline struct dawn_proven *
proven_line(const struct work *w, const struct dawn_config *cfg)
{
	__u32 line = (w->proof >> 37) * cfg->proven_lines >> 27;

	return bpf_map_lookup_elem(&proven, &line);
}

/* The mark of the cookie, made in a window. */
static __always_inline __u32 proven_mark(const struct work *w, __u32 window)
{
	__u32 print = w->proof >> 8 & ((1U << DAWN_PROVEN_TAG_SHIFT) - 1);

	return window << DAWN_PROVEN_TAG_SHIFT | (print ?: 1);
}

/* Return: 1 if the cookie was used before. */
dawn_subprog int proven_before(struct work *w)
{
	struct dawn_config *cfg = config_get();
	struct dawn_proven *line;
	__u32 now, last;

	if (!w || !cfg)
		return 0;
	line = proven_line(w, cfg);
	if (!line)
		return 0;
	now = proven_mark(w, cookie_window(w, 0));
	last = proven_mark(w, cookie_window(w, 1));
	for (int i = 0; i < DAWN_PROVEN_MARKS; i++)
		if (line->mark[i] == now || line->mark[i] == last)
			return 1;
	return 0;
}

/* How many windows ago a mark was made: 0 and 1 are alive. */
static __always_inline __u32 mark_age(__u32 mark, __u32 window)
{
	return mark ? (window - (mark >> DAWN_PROVEN_TAG_SHIFT)) & 7 : 7;
}

/* Note that the cookie is used, in place of the oldest mark; of several that
 * are, in place of any. */
dawn_subprog int proven_note(struct work *w)
{
	struct dawn_config *cfg = config_get();
	struct dawn_proven *line;
	__u32 window, i, old;

	if (!w || !cfg)
		return 0;
	line = proven_line(w, cfg);
	if (!line)
		return 0;
	window = cookie_window(w, 0);
	w->oldest = 0;
	for (i = 0; i < DAWN_PROVEN_MARKS; i++) {
		__u32 found = mark_age(line->mark[i], window) << 4 |
			      ((i ^ w->proof) & (DAWN_PROVEN_MARKS - 1));

		if (found > REREAD(w->oldest))
			w->oldest = found;
	}
	i = (REREAD(w->oldest) ^ w->proof) & (DAWN_PROVEN_MARKS - 1);
	old = line->mark[i];
	if (mark_age(old, window) < 2)
		COUNT(cookie_forgotten);
	if (__sync_val_compare_and_swap(&line->mark[i], old,
					proven_mark(w, window)) != old)
		COUNT(cookie_forgotten);
	return 0;
}

#endif
