/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A language for packet exchanges with one TCP engine and a virtual clock.
 *
 * A case is a name, the rule it shows, options and a script. Statements are
 * separated by ';'. Sequence numbers are relative: the peer's from the
 * rcv_nxt, ours from the snd_nxt with which the connection opened, so every
 * script runs several times, with bases that wrap in its middle.
 *
 *   < FLAGS SEQ[+LEN] [aACK] [wFIELD] [tVAL,ECR | -t] [sA-B]...   inject
 *       FLAGS of A F S R P U E C or -; X: payload that disagrees. ack, window and
 *       timestamps stay what they were when left out; tVAL,z: the echo is 0.
 *   <y, <n    the same, and dawn_tcp_would_progress() must say so
 *   > FLAGS SEQ[+LEN] [aACK] [wFIELD] [tVAL,ECR] [sA-B]...        expect next
 *       P must be set if given, N forbids it. Bytes are always compared.
 *   .             nothing more was sent
 *   +N            N ms pass; timers fire when they are due
 *   w N / w N=M   write N bytes, all (or M) of them taken
 *   W N           the same, and all goes out now in full segments and a rest
 *   r N           read (compare, consume) N bytes
 *   fin, abort    dawn_tcp_shutdown(), dawn_tcp_abort()
 *   icmp SEQ MTU HARD
 *   ev LETTERS    events since the last: D S E R T C P, or -; ? any
 *   st STATE      see states[] below
 *   *N STATEMENT  the same N times
 *   rd N, space N, cwnd N, ssth N, rto MS, srtt US, rttvar US, smss N, wnd N,
 *                 dups N, q 0|1, settled 0|1
 *   dl N|never    ms until the deadline
 *   n LETTER N    counter: r(etransmit) t(imeout) f(ast) o(oo) c(hallenge) x(rst)
 *                 l(ost, by RACK) p(robes, TLP) u(ndone)
 *   fl N, ls N, sk N   bytes in flight, records to be sent again, bytes SACKED
 *   waits N       enum dawn_tcp_wait: 0 data, 1 ACK, 2 window, 3 the end
 *   una N, nxt N, recover N   as RFC 9293 and 6582 have them
 *   rackrtt US, minrtt US, fack N, reomult N, reopersist N   RFC 8985, 6.2
 *   recs N        lend other memory for N records
 *   stop, go      do not call output; call it again
 *   grow r|s N    dawn_tcp_grow_rcv(), _snd(); spare r|s N: the ring of N bytes
 *                 is given back, 0: it is not
 *   short r|s 0|1 dawn_tcp_rcv_short(), _snd_short()
 *   reopen        export into a flow entry and open from it
 */
#ifndef DAWN_TEST_TCP_SCRIPT_H
#define DAWN_TEST_TCP_SCRIPT_H

#include "tests/unit/test_tcp_script_base.h"
#include "tests/unit/test_tcp_script_seg.h"
#include "tests/unit/test_tcp_script_value.h"

static void script_write(struct script *s, const char *word)
{
	char *end;
	uint32_t n = (uint32_t)strtoul(word, &end, 0);
	uint32_t want = *end == '=' ? (uint32_t)strtoul(end + 1, NULL, 0) : n;
	uint8_t *buf = malloc(n + 1);
	uint32_t took;

	assert_non_null(buf);
	for (uint32_t i = 0; i < n; i++)
		buf[i] = pattern(s->written + i, SALT_OURS);
	took = dawn_tcp_write(&s->c, buf, n);
	free(buf);
	if (took != want)
		script_fail(s, "took %u", took);
	s->written += took;
	s->checks++;
	script_drain(s);
}

/* Full segments and a rest, from `from` to all that was written. */
static void script_expect_written(struct script *s, uint32_t from)
{
	while (from != s->written) {
		uint32_t len = s->written - from;
		char text[40];

		if (len > s->c.smss)
			len = s->c.smss;
		snprintf(text, sizeof(text), "A %d+%u", (int)from, len);
		script_expect(s, text);
		from += len;
	}
}

static void script_read(struct script *s, uint32_t n)
{
	uint32_t have;
	const uint8_t *p = dawn_tcp_linearize(&s->c, &have);

	if (have < n || have != dawn_tcp_readable(&s->c))
		script_fail(s, "only %u to read", have);
	for (uint32_t i = 0; i < n; i++)
		if (p[i] != pattern(s->read + i, SALT_PEER))
			script_fail(s, "wrong byte at %u", s->read + i);
	dawn_tcp_consume(&s->c, n);
	s->read += n;
	s->checks++;
	script_drain(s);
}

static void script_open(struct script *s)
{
	uint32_t len;

	dawn_tcp_open(&s->c, &s->open);
	len = dawn_tcp_adopt_len(&s->c);
	if (len) {
		uint8_t *buf = malloc(len);
		uint32_t rel = s->flow.snd_una - s->snd_base;

		assert_non_null(buf);
		for (uint32_t i = 0; i < len; i++)
			buf[i] = pattern(rel + i, SALT_OURS);
		assert_int_equal(dawn_tcp_adopt_sent(&s->c, buf, len), 0);
		free(buf);
	}
}

static void script_reopen(struct script *s)
{
	struct dawn_flow again;

	dawn_tcp_export(&s->c, &s->flow);
	s->open.now_us = s->now_us;
	script_open(s);
	again = s->flow;
	dawn_tcp_export(&s->c, &again);
	again.last_seen_ms = s->flow.last_seen_ms;
	if (memcmp(&again, &s->flow, sizeof(again)))
		script_fail(s, "export does not round-trip");
}

static struct dawn_tcp_recs script_recs(const struct script *s, uint32_t size)
{
	struct dawn_tcp_recs recs = { malloc(size * sizeof(*recs.mem)), size };

	assert_non_null(recs.mem);
	/* Two kinds of leftovers. */
	memset(recs.mem, s->run % 2 ? 0 : 0xee, size * sizeof(*recs.mem));
	return recs;
}

static void script_move(struct script *s, uint32_t size)
{
	struct dawn_tcp_recs to = script_recs(s, size), old = s->open.recs;

	if (dawn_tcp_recs_move(&s->c, to))
		script_fail(s, "refused");
	s->open.recs = to;
	free(old.mem);
}

static void script_icmp(struct script *s, char *save)
{
	uint32_t v[3] = { 0 };

	for (int i = 0; i < 3; i++) {
		char *word = strtok_r(NULL, " ", &save);

		v[i] = word ? (uint32_t)strtol(word, NULL, 0) : 0;
	}
	dawn_tcp_icmp_error(&s->c, v[0] + s->snd_base, v[1], v[2], s->now_us);
	script_drain(s);
}

static uint8_t *script_ring(uint32_t size)
{
	uint8_t *mem = malloc(size);

	assert_non_null(mem);
	memset(mem, 0xee, size);
	return mem;
}

/* grow, spare, short */
static void script_rings(struct script *s, const char *what, char *save)
{
	bool rcv = *strtok_r(NULL, " ", &save) == 'r';
	uint32_t n = (uint32_t)strtoul(strtok_r(NULL, " ", &save), NULL, 0);
	struct dawn_ring *ring = rcv ? &s->open.rcv : &s->open.snd;
	struct dawn_ring old, to = { NULL, n };
	uint32_t got = n;

	if (!strcmp(what, "short")) {
		got = rcv ? dawn_tcp_rcv_short(&s->c)
			  : dawn_tcp_snd_short(&s->c);
	} else if (!strcmp(what, "spare")) {
		old = rcv ? dawn_tcp_spare_rcv(&s->c)
			  : dawn_tcp_spare_snd(&s->c);
		got = old.size;
		if (got) {
			free(ring->mem);
			*ring = (struct dawn_ring){ NULL, 0 };
		}
	} else {
		to.mem = script_ring(n);
		old = rcv ? dawn_tcp_grow_rcv(&s->c, to)
			  : dawn_tcp_grow_snd(&s->c, to);
		assert_ptr_equal(old.mem, ring->mem);
		memset(old.mem, 0xee, old.size); /* not used any more */
		free(old.mem);
		*ring = to;
	}
	if (got != n)
		script_fail(s, "it is %u", got);
	s->checks++;
	script_drain(s);
}

static void script_statement(struct script *s, char *text)
{
	char copy[160], *save, *word;

	while (*text == ' ' || *text == '\n')
		text++;
	if (*text == '*') {
		long n = strtol(text + 1, &text, 0);

		while (n-- > 0)
			script_statement(s, text);
		return;
	}
	snprintf(s->stmt, sizeof(s->stmt), "%s", text);
	snprintf(copy, sizeof(copy), "%s", text);
	word = strtok_r(copy, " ", &save);
	if (!word)
		return;
	if (*word == '<')
		script_inject(s, save);
	else if (!strcmp(word, ">"))
		script_expect(s, save);
	else if (!strcmp(word, ".")) {
		if (s->head != s->tail)
			script_fail(
				s, "sent flags %#x seq %d+%u",
				s->queue[s->head % QUEUE_MAX].seg.flags,
				(int)(s->queue[s->head % QUEUE_MAX].seg.seq -
				      s->snd_base),
				s->queue[s->head % QUEUE_MAX].seg.len);
		s->checks++;
	} else if (*word == '+')
		script_advance(s, strtoull(word + 1, NULL, 0));
	else if (!strcmp(word, "w"))
		script_write(s, strtok_r(NULL, " ", &save));
	else if (!strcmp(word, "W")) {
		uint32_t from = s->written;

		script_write(s, strtok_r(NULL, " ", &save));
		script_expect_written(s, from);
	} else if (!strcmp(word, "r"))
		script_read(s, (uint32_t)strtoul(strtok_r(NULL, " ", &save),
						 NULL, 0));
	else if (!strcmp(word, "ev"))
		script_events(s, strtok_r(NULL, " ", &save));
	else if (!strcmp(word, "icmp"))
		script_icmp(s, save);
	else if (!strcmp(word, "grow") || !strcmp(word, "spare") ||
		 !strcmp(word, "short"))
		script_rings(s, word, save);
	else if (!strcmp(word, "recs"))
		script_move(s, (uint32_t)strtoul(strtok_r(NULL, " ", &save),
						 NULL, 0));
	else if (!strcmp(word, "reopen"))
		script_reopen(s);
	else if (!strcmp(word, "stop"))
		s->stopped = true;
	else if (!strcmp(word, "go")) {
		s->stopped = false;
		script_drain(s);
	} else if (!strcmp(word, "fin")) {
		dawn_tcp_shutdown(&s->c);
		script_drain(s);
	} else if (!strcmp(word, "abort")) {
		dawn_tcp_abort(&s->c);
		script_drain(s);
	} else
		script_compare(s, word, save);
}

/* opts: words "name" or "name=value". */
static bool opt_find(const char *opts, const char *name, const char **value)
{
	size_t len = strlen(name);

	for (const char *at = opts; *at; at++) {
		if ((at == opts || at[-1] == ' ') && !strncmp(at, name, len) &&
		    (!at[len] || at[len] == ' ' || at[len] == '=')) {
			*value = at + len + (at[len] == '=');
			return true;
		}
	}
	return false;
}

static uint32_t opt_num(struct script *s, const char *name, uint32_t def)
{
	const char *v;

	return opt_find(s->tcase->opts, name, &v) ? (uint32_t)strtol(v, NULL, 0)
						  : def;
}

static void script_flow(struct script *s)
{
	struct dawn_flow *f = &s->flow;
	const char *v;
	char name[16];

	if (!opt_find(s->tcase->opts, "v6", &v))
		dawn_addr_from_v4(&f->raddr, 1);
	f->state = DAWN_TCP_ESTABLISHED;
	if (opt_find(s->tcase->opts, "state", &v)) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(v, " "), v);
		f->state = state_named(s, name);
	}
	if (opt_find(s->tcase->opts, "ts", &v))
		f->flags |= DAWN_FLOW_TS;
	if (opt_find(s->tcase->opts, "resent", &v))
		f->flags |= DAWN_FLOW_RESENT;
	if (opt_find(s->tcase->opts, "sack", &v))
		f->flags |= DAWN_FLOW_SACK;
	if (opt_find(s->tcase->opts, "ws", &v)) {
		f->flags |= DAWN_FLOW_WSCALE;
		f->snd_wscale = (uint8_t)strtol(v, NULL, 0);
	}
	f->mss = (uint16_t)opt_num(s, "mss",
				   f->flags & DAWN_FLOW_TS ? 1012 : 1000);
	f->rcv_nxt = s->rcv_base;
	f->snd_nxt = s->snd_base;
	f->snd_una = s->snd_base - opt_num(s, "unacked", 0);
	if (opt_find(s->tcase->opts, "resp", &v)) {
		f->resp_kind = DAWN_RESP_GET;
		f->resp_len = opt_num(s, "resp", 0);
		f->resp_seq = s->snd_base - f->resp_len;
	}
	f->snd_wnd = opt_num(s, "wnd", 65535);
	f->rcv_adv =
		f->rcv_nxt +
		opt_num(s, "adv",
			f->flags & DAWN_FLOW_WSCALE ? DAWN_RCV_WND : 65535);
	f->srtt_us = opt_num(s, "srtt", 100000);
	f->rttvar_us = opt_num(s, "rttvar", 25000);
	f->cwnd = opt_num(s, "cwnd", 10000);
	f->ssthresh = opt_num(s, "ssth", 0);
	f->ts_recent = s->peer_ts_base;
	f->ts_recent_ms = tcp_ms(s->now_us);
	f->last_sent_ms = tcp_ms(s->now_us) - opt_num(s, "sent", 0);
	f->last_seen_ms = tcp_ms(s->now_us);
}

/* Bases: in the open; every number wraps within the script; signs change. */
static const struct {
	uint32_t rcv, snd, peer_ts, ts_offset;
	uint64_t start_us;
} bases[] = {
	{ 1000, 500000, 7, 11, 5000000 },
	{ 0xfffffd00, 0xfffffe80, 0xffffffe0, 0xffffff00, 4294967200000ULL },
	{ 0x7ffffd00, 0x7ffffe80, 0x7fffffe0, 0x7fffff00, 2147483600000ULL },
	{ 0xffffffff, 0xffffffff, 0xffffffff, 0, 1ULL << 50 },
};
#define BASES (int)(sizeof(bases) / sizeof(bases[0]))

static int script_run(const struct script_case *tcase, int run)
{
	struct script *s = calloc(1, sizeof(*s));
	const char *at = tcase->script, *broken;
	int checks;

	assert_non_null(s);
	s->tcase = tcase;
	s->run = run;
	s->rcv_base = bases[run].rcv;
	s->snd_base = bases[run].snd;
	s->peer_ts_base = bases[run].peer_ts;
	s->now_us = s->start_us = bases[run].start_us;
	s->last_wnd = (uint16_t)opt_num(s, "field", 65535);
	script_flow(s);
	s->open = (struct dawn_tcp_open){
		.flow = &s->flow,
		.rcv = { .size = opt_num(s, "rcv", 65536) },
		.snd = { .size = opt_num(s, "snd", 65536) },
		.ts_offset = bases[run].ts_offset,
		.now_us = s->now_us,
		.mss_max = (uint16_t)opt_num(s, "mssmax", 0),
		.keepalive_ms = opt_num(s, "ka", 0),
		.user_timeout_ms = opt_num(s, "ut", 0),
		.time_wait_ms = opt_num(s, "tw", 0),
		.fin_wait_ms = opt_num(s, "fw", 0),
	};
	s->open.rcv.mem = script_ring(s->open.rcv.size);
	s->open.snd.mem = script_ring(s->open.snd.size);
	s->open.recs = script_recs(s, opt_num(s, "recs", 128));
	script_open(s);
	while (*at) {
		size_t len = strcspn(at, ";");
		char text[160];

		snprintf(text, sizeof(text), "%.*s", (int)len, at);
		script_statement(s, text);
		broken = tcp_broken(&s->c);
		if (broken)
			script_fail(s, "does not hold: not %s", broken);
		at += len + (at[len] == ';');
	}
	script_statement(s, ".");
	checks = s->checks;
	free(s->open.rcv.mem);
	free(s->open.snd.mem);
	free(s->open.recs.mem);
	free(s);
	return checks;
}

static void script_test(void **state)
{
	for (int run = 0; run < BASES; run++)
		assert_true(script_run(*state, run) > 1);
}

static int script_main(const char *group, const struct script_case *cases,
		       size_t n)
{
	struct CMUnitTest *tests = calloc(n, sizeof(*tests));
	int failed;

	if (!tests || !n)
		return 1;
	for (size_t i = 0; i < n; i++) {
		if (strspn(cases[i].rule, "0123456789") < 3) {
			fprintf(stderr, "%s: no RFC\n", cases[i].name);
			abort();
		}
		tests[i].name = cases[i].name;
		tests[i].test_func = script_test;
		tests[i].initial_state = (void *)(uintptr_t)&cases[i];
	}
	failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
	free(tests);
	return failed;
}

#endif
