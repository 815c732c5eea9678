// SPDX-License-Identifier: MIT OR Apache-2.0
#include <stdint.h>

#include "user/app/date.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

/* IMF-fixdate (RFC 9110, 5.6.7); not strftime(), whose names are the locale's. */
static void format_date(char *text, size_t size, time_t unix_s)
{
	static const char day[7][4] = { "Sun", "Mon", "Tue", "Wed",
					"Thu", "Fri", "Sat" };
	static const char month[12][4] = { "Jan", "Feb", "Mar", "Apr",
					   "May", "Jun", "Jul", "Aug",
					   "Sep", "Oct", "Nov", "Dec" };
	struct tm tm;

	gmtime_r(&unix_s, &tm);
	snprintf(text, size, "%s, %02d %s %04d %02d:%02d:%02d GMT",
		 day[tm.tm_wday], tm.tm_mday, month[tm.tm_mon],
		 (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* RFC 1071, over native 16-bit words. */
static uint16_t fold_sum(const uint8_t *buf, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		uint16_t word;

		memcpy(&word, buf + i, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* XDP looks at unix_s before and after it copies: while the rest changes it is
 * 0, for the compiler's stores too. */
void dawn_date_fill(struct dawn_date *d, uint32_t unix_s, uint32_t mono_s)
{
	char text[64];

	format_date(text, sizeof(text), (time_t)unix_s);
	__atomic_store_n(&d->unix_s, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	memset(d->text, 0, sizeof(d->text));
	memcpy(d->text, text, DAWN_DATE_LEN);
	d->mono_s = mono_s;
	d->sum = fold_sum(d->text, sizeof(d->text));
	d->pad = 0;
	d->pad2 = 0;
	__atomic_store_n(&d->unix_s, unix_s, __ATOMIC_RELEASE);
}

static uint32_t tai_offset(void)
{
	struct timex tx = { .modes = 0 };

	return adjtimex(&tx) == -1 || tx.tai < 0 ? 0 : (uint32_t)tx.tai;
}

/* The entry not in use is filled first, so a reader always finds one that is
 * whole; it was current a second ago at the earliest. */
uint32_t dawn_date_update(struct dawn_config *config)
{
	uint32_t next = !(config->date_index & 1);
	struct timespec real, mono;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &mono);
	config->tai_offset_s = tai_offset();
	dawn_date_fill(&config->date[next], (uint32_t)real.tv_sec,
		       (uint32_t)mono.tv_sec);
	__atomic_store_n(&config->date_index, next, __ATOMIC_RELEASE);
	return (uint32_t)(1000000 - real.tv_nsec / 1000);
}
