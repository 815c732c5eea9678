/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Scripts of test_tcp_script.h: their state, output taken, time passing. */
#ifndef DAWN_TEST_TCP_SCRIPT_BASE_H
#define DAWN_TEST_TCP_SCRIPT_BASE_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/tcp_invariants.h"

struct script_case {
	const char *name;
	const char *rule; /* begins with the number of an RFC, and section */
	const char *opts;
	const char *script;
};

#define QUEUE_MAX 256
#define SEG_MAX   65536

struct script_seg {
	struct dawn_tcp_seg seg;
	uint8_t *data;
};

struct script {
	const struct script_case *tcase;
	struct dawn_tcp c;
	struct dawn_tcp_open open;
	struct dawn_flow flow;
	uint32_t rcv_base, snd_base; /* absolute numbers of relative 0 */
	uint32_t peer_ts_base;
	uint64_t now_us, start_us;
	uint32_t written, read; /* relative, next */
	uint32_t last_ack;
	uint16_t last_wnd;
	unsigned int events;
	bool stopped;
	struct script_seg queue[QUEUE_MAX];
	int head, tail;
	char stmt[160];
	int run;
	int checks;
};

static const struct {
	const char *name;
	uint8_t state;
} states[] = {
	{ "closed", DAWN_TCP_CLOSED },
	{ "estab", DAWN_TCP_ESTABLISHED },
	{ "lastack", DAWN_TCP_LAST_ACK },
	{ "closewait", DAWN_TCP_CLOSE_WAIT },
	{ "finwait1", DAWN_TCP_FIN_WAIT_1 },
	{ "finwait2", DAWN_TCP_FIN_WAIT_2 },
	{ "closing", DAWN_TCP_CLOSING },
	{ "timewait", DAWN_TCP_TIME_WAIT },
};

__attribute__((noreturn, format(printf, 2, 3))) static void
script_fail(struct script *s, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	fail_msg("%s (%s), run %d, at \"%s\": %s", s->tcase->name,
		 s->tcase->rule, s->run, s->stmt, why);
	abort(); /* fail_msg does not return */
}

static uint8_t pattern(uint32_t rel, uint8_t salt)
{
	return (uint8_t)(rel * 7 + (rel >> 8) * 13 + salt);
}

#define SALT_PEER 1
#define SALT_OURS 101

static uint8_t state_named(struct script *s, const char *name)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (!strcmp(states[i].name, name))
			return states[i].state;
	script_fail(s, "unknown state");
}

/* Take everything that is due. */
static void script_drain(struct script *s)
{
	struct dawn_tcp_seg out;

	while (!s->stopped) {
		struct script_seg *q = &s->queue[s->tail % QUEUE_MAX];

		memset(&out, 0xa5, sizeof(out));
		if (!dawn_tcp_output(&s->c, s->now_us, &out))
			return;
		if ((!out.len && out.data) || (!out.len2 && out.data2))
			script_fail(s, "no bytes, but a pointer");
		if (s->tail - s->head == QUEUE_MAX)
			script_fail(s, "more than %d segments", QUEUE_MAX);
		q->seg = out;
		q->data = malloc(out.len + out.len2 + 1);
		assert_non_null(q->data);
		if (out.len)
			memcpy(q->data, out.data, out.len);
		if (out.len2)
			memcpy(q->data + out.len, out.data2, out.len2);
		q->seg.len += out.len2;
		s->tail++;
	}
}

static void script_advance(struct script *s, uint64_t ms)
{
	uint64_t end = s->now_us + ms * 1000;
	int turns = 0;

	for (;;) {
		uint64_t at = dawn_tcp_deadline_us(&s->c);

		if (at > end)
			break;
		if (++turns > 100000)
			script_fail(s, "timer does not move");
		if (at > s->now_us)
			s->now_us = at;
		s->events |= dawn_tcp_timer(&s->c, s->now_us);
		script_drain(s);
	}
	s->now_us = end;
}

#endif
