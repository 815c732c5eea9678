/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Scripts of test_tcp_script.h: what a connection is asked. */
#ifndef DAWN_TEST_TCP_SCRIPT_VALUE_H
#define DAWN_TEST_TCP_SCRIPT_VALUE_H

#include "tests/unit/test_tcp_script_base.h"

static void script_events(struct script *s, const char *word)
{
	static const char letters[] = "DSERTCP";
	unsigned int want = *word == '?' ? s->events : 0;

	for (; *word && !strchr("-?", *word); word++)
		want |= 1U << (strchr(letters, *word) - letters);
	if (s->events != want)
		script_fail(s, "events are %#x", s->events);
	s->events = 0;
	s->checks++;
}

/* What is read in the control block. */
static uint64_t script_field(struct script *s, const char *what)
{
	const struct dawn_tcp *c = &s->c;
	const struct {
		const char *name;
		uint64_t value;
	} fields[] = {
		{ "cwnd", c->cwnd },
		{ "ssth", c->ssthresh },
		{ "srtt", c->srtt_us },
		{ "rttvar", c->rttvar_us },
		{ "smss", c->smss },
		{ "wnd", c->snd_wnd },
		{ "dups", c->dupacks },
		{ "fl", c->in_flight },
		{ "ls", c->lost_segs },
		{ "sk", c->sacked },
		{ "una", c->snd_una - s->snd_base },
		{ "nxt", c->snd_nxt - s->snd_base },
		{ "recover", c->recover - s->snd_base },
		{ "fack", c->rack_fack - s->snd_base },
		{ "rackrtt", c->rack_at_us - c->rack_us },
		{ "minrtt", c->min_rtt_us },
		{ "reomult", c->reo_mult },
		{ "reopersist", c->reo_persist },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!strcmp(fields[i].name, what))
			return fields[i].value;
	script_fail(s, "unknown statement");
}

static uint64_t script_value(struct script *s, const char *what)
{
	uint64_t at = dawn_tcp_deadline_us(&s->c);

	if (!strcmp(what, "rd"))
		return dawn_tcp_readable(&s->c);
	if (!strcmp(what, "space"))
		return dawn_tcp_space(&s->c);
	if (!strcmp(what, "rto"))
		return dawn_tcp_rtt_timeout_us(&s->c) / 1000;
	if (!strcmp(what, "q"))
		return dawn_tcp_quiescent(&s->c);
	if (!strcmp(what, "waits"))
		return dawn_tcp_waits(&s->c);
	if (!strcmp(what, "settled"))
		return dawn_tcp_settled(&s->c);
	if (!strcmp(what, "st"))
		return dawn_tcp_state(&s->c);
	if (!strcmp(what, "dl"))
		return at == TCP_NEVER ? TCP_NEVER : (at - s->now_us) / 1000;
	return script_field(s, what);
}

static uint64_t script_counter(struct script *s, char letter)
{
	const struct dawn_tcp_counts *n = dawn_tcp_counts(&s->c);
	const uint32_t values[] = { n->retransmit,      n->rto,
				    n->fast_retransmit, n->ooo,
				    n->challenge_ack,   n->rst_sent,
				    n->rack_lost,       n->tlp,
				    n->spurious };
	static const char letters[] = "rtfocxlpu";
	const char *at = strchr(letters, letter);

	if (!at)
		script_fail(s, "unknown counter");
	return values[at - letters];
}

static void script_compare(struct script *s, const char *what, char *save)
{
	char *word = strtok_r(NULL, " ", &save);
	uint64_t got, want;

	if (!word)
		script_fail(s, "value missing");
	if (!strcmp(what, "n")) {
		got = script_counter(s, *word);
		want = strtoull(strtok_r(NULL, " ", &save), NULL, 0);
	} else {
		got = script_value(s, what);
		want = !strcmp(what, "st")      ? state_named(s, word)
		       : !strcmp(word, "never") ? TCP_NEVER
						: strtoull(word, NULL, 0);
	}
	if (got != want)
		script_fail(s, "it is %lld", (long long)got);
	s->checks++;
}

#endif
