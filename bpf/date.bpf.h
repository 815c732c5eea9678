/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The Date of an answer (IMF-fixdate, RFC 9110, 5.6.7).
 *
 * The reactor writes the present second's text into config. When it is silent,
 * or when a response must be sent again with the Date it had, XDP formats the
 * text itself, once a second and CPU.
 */
#ifndef DAWN_BPF_DATE_H
#define DAWN_BPF_DATE_H

#include "bpf/checksum.bpf.h"

#define DAWN_DATE_STALE_S 2
#define SECONDS_A_DAY     86400

/* Private; lives on between packets: the second formatted last. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dawn_date);
} date_cache SEC(".maps");

struct civil {
	__u32 year, month, day; /* month 1..12, day 1..31 */
};

/* Day of the proleptic Gregorian calendar from days since 1970-01-01. Years
 * are counted from March, so that the leap day is the last of a year; eras
 * are 400 years, 146,097 days. */
static __always_inline struct civil civil_from_days(__u32 days)
{
	__u32 z = days + 719468; /* since 0000-03-01 */
	__u32 era = z / 146097, doe = z % 146097;
	__u32 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	__u32 doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	__u32 mp = (5 * doy + 2) / 153; /* 0: March */
	struct civil c;

	c.day = doy - (153 * mp + 2) / 5 + 1;
	c.month = mp < 10 ? mp + 3 : mp - 9;
	c.year = yoe + era * 400 + (c.month <= 2);
	return c;
}

static __always_inline void put_two(__u8 *p, __u32 n)
{
	p[0] = '0' + n / 10 % 10;
	p[1] = '0' + n % 10;
}

static __always_inline void put_three(__u8 *p, __u32 word)
{
	p[0] = word;
	p[1] = word >> 8;
	p[2] = word >> 16;
}

#define NAME3(a, b, c) ((a) | (b) << 8 | (c) << 16)

static __always_inline __u32 weekday_name(__u32 days)
{
	switch (days % 7) { /* 1970-01-01 was a Thursday */
	case 0:
		return NAME3('T', 'h', 'u');
	case 1:
		return NAME3('F', 'r', 'i');
	case 2:
		return NAME3('S', 'a', 't');
	case 3:
		return NAME3('S', 'u', 'n');
	case 4:
		return NAME3('M', 'o', 'n');
	case 5:
		return NAME3('T', 'u', 'e');
	}
	return NAME3('W', 'e', 'd');
}

static __always_inline __u32 month_name(__u32 month)
{
	switch (month) {
	case 1:
		return NAME3('J', 'a', 'n');
	case 2:
		return NAME3('F', 'e', 'b');
	case 3:
		return NAME3('M', 'a', 'r');
	case 4:
		return NAME3('A', 'p', 'r');
	case 5:
		return NAME3('M', 'a', 'y');
	case 6:
		return NAME3('J', 'u', 'n');
	case 7:
		return NAME3('J', 'u', 'l');
	case 8:
		return NAME3('A', 'u', 'g');
	case 9:
		return NAME3('S', 'e', 'p');
	case 10:
		return NAME3('O', 'c', 't');
	case 11:
		return NAME3('N', 'o', 'v');
	}
	return NAME3('D', 'e', 'c');
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" and its sum into *d. */
dawn_subprog int format_date(struct dawn_date *d, __u32 unix_s)
{
	__u32 days = unix_s / SECONDS_A_DAY, s = unix_s % SECONDS_A_DAY;
	struct civil c = civil_from_days(days);
	__u64 sum = 0;

	if (!d)
		return -1;
	d->unix_s = unix_s;
	put_three(d->text, weekday_name(days));
	d->text[3] = ',';
	d->text[4] = ' ';
	put_two(d->text + 5, c.day);
	d->text[7] = ' ';
	put_three(d->text + 8, month_name(c.month));
	d->text[11] = ' ';
	put_two(d->text + 12, c.year / 100);
	put_two(d->text + 14, c.year % 100);
	d->text[16] = ' ';
	put_two(d->text + 17, s / 3600);
	d->text[19] = ':';
	put_two(d->text + 20, s / 60 % 60);
	d->text[22] = ':';
	put_two(d->text + 23, s % 60);
	d->text[25] = ' ';
	put_three(d->text + 26, NAME3('G', 'M', 'T'));
	d->text[29] = 0;
	d->text[30] = 0;
	d->text[31] = 0;
	for (int i = 0; i < 8; i++)
		sum += LOAD32(d->text + 4 * i);
	d->sum = csum_fold(sum);
	return 0;
}

/* Copy a text that may be rewritten meanwhile. Return: true if it is whole and
 * of that second. */
static __always_inline bool copy_date(struct work *w, const struct dawn_date *d,
				      __u32 unix_s)
{
	if (*(volatile const __u32 *)&d->unix_s != unix_s)
		return false;
	copy_bytes(w->date_text, d->text, sizeof(w->date_text));
	w->date_sum = d->sum;
	asm volatile("" ::: "memory");
	return *(volatile const __u32 *)&d->unix_s == unix_s;
}

/* Text and sum of a second into *w. Return: 0 or -1. */
static __always_inline int date_of(struct work *w, __u32 unix_s)
{
	struct dawn_config *cfg = config_get();
	__u32 zero = 0;
	struct dawn_date *own;

	if (!w || !cfg)
		return -1;
	if (copy_date(w, &cfg->date[cfg->date_index & 1], unix_s) ||
	    copy_date(w, &cfg->date[~cfg->date_index & 1], unix_s))
		return 0;
	own = bpf_map_lookup_elem(&date_cache, &zero);
	if (!own)
		return -1;
	if (own->unix_s != unix_s)
		format_date(own, unix_s);
	return copy_date(w, own, unix_s) ? 0 : -1;
}

/* The second an answer is dated with now. */
static __always_inline __u32 date_now(const struct work *w,
				      const struct dawn_config *cfg)
{
	const struct dawn_date *d = &cfg->date[cfg->date_index & 1];
	__u64 stale_ns = (d->mono_s + DAWN_DATE_STALE_S + 1ULL) * 1000000000;

	if (d->unix_s && w->now_ns < stale_ns)
		return d->unix_s;
	return bpf_ktime_get_tai_ns() / 1000000000 - cfg->tai_offset_s;
}

#endif
