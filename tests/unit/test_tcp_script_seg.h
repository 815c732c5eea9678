/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Scripts of test_tcp_script.h: segments, in (<) and out (>). */
#ifndef DAWN_TEST_TCP_SCRIPT_SEG_H
#define DAWN_TEST_TCP_SCRIPT_SEG_H

#include "tests/unit/test_tcp_script_base.h"

static void parse_seq(const char *word, uint32_t *seq, uint32_t *len)
{
	char *end;

	*seq = (uint32_t)strtol(word, &end, 0);
	*len = *end == '+' ? (uint32_t)strtoul(end + 1, NULL, 0) : 0;
}

static uint8_t parse_flags(const char *word)
{
	static const char letters[] = "FSRPAUEC";
	uint8_t flags = 0;

	for (; *word; word++) {
		const char *at = strchr(letters, *word);

		if (at)
			flags |= (uint8_t)(1U << (at - letters));
	}
	return flags;
}

/* Fields after FLAGS, for both directions. Bits of the result: which came. */
enum {
	HAS_SEQ = 1,
	HAS_ACK = 2,
	HAS_WND = 4,
	HAS_TS = 8,
	NO_TS = 16,
	NO_ECHO = 32
};

static int parse_fields(struct script *s, char **save, struct dawn_tcp_seg *seg)
{
	char *word;
	int has = 0;

	while ((word = strtok_r(NULL, " ", save))) {
		char *end;

		switch (*word) {
		case 'a':
			seg->ack = (uint32_t)strtol(word + 1, NULL, 0);
			has |= HAS_ACK;
			break;
		case 'w':
			seg->wnd = (uint16_t)strtoul(word + 1, NULL, 0);
			has |= HAS_WND;
			break;
		case 't':
			seg->tsval = (uint32_t)strtol(word + 1, &end, 0);
			seg->tsecr = (uint32_t)strtol(end + 1, NULL, 0);
			has |= end[1] == 'z' ? HAS_TS | NO_ECHO : HAS_TS;
			break;
		case 's':
			if (seg->sack_count == DAWN_TCP_SACK_MAX)
				script_fail(s, "too many blocks");
			seg->sack[seg->sack_count].start =
				(uint32_t)strtol(word + 1, &end, 0);
			seg->sack[seg->sack_count++].end =
				(uint32_t)strtol(end + 1, NULL, 0);
			break;
		default:
			if (!strcmp(word, "-t")) {
				has |= NO_TS;
				break;
			}
			parse_seq(word, &seg->seq, &seg->len);
			has |= HAS_SEQ;
		}
	}
	return has;
}

static uint32_t script_ms(const struct script *s)
{
	return (uint32_t)((s->now_us - s->start_us) / 1000);
}

static void script_inject(struct script *s, char *save)
{
	static uint8_t buf[SEG_MAX];
	char *kind = s->stmt[1] == 'y' || s->stmt[1] == 'n' ? s->stmt + 1 : "";
	char *flags = strtok_r(NULL, " ", &save);
	struct dawn_tcp_seg seg = { 0 };
	uint8_t xor = strchr(flags, 'X') ? 0xff : 0;
	int has = parse_fields(s, &save, &seg);
	unsigned int ev;
	bool would;

	if (has & HAS_ACK)
		s->last_ack = seg.ack;
	if (has & HAS_WND)
		s->last_wnd = seg.wnd;
	seg.has_ts = s->c.opt & DAWN_FLOW_TS && !(has & NO_TS);
	if (!(has & HAS_TS))
		seg.tsval = script_ms(s);
	seg.tsval += s->peer_ts_base;
	if (has & HAS_TS && !(has & NO_ECHO))
		seg.tsecr += s->open.ts_offset + tcp_ms(s->start_us);
	for (uint32_t i = 0; i < seg.len; i++)
		buf[i] = pattern(seg.seq + i, SALT_PEER) ^ xor;
	seg.data = seg.len ? buf : NULL;
	seg.flags = parse_flags(flags);
	seg.seq += s->rcv_base;
	seg.ack = s->last_ack + s->snd_base;
	seg.wnd = s->last_wnd;
	for (int i = 0; i < seg.sack_count; i++) {
		seg.sack[i].start += s->snd_base;
		seg.sack[i].end += s->snd_base;
	}
	would = dawn_tcp_would_progress(&s->c, &seg);
	if ((*kind == 'y' && !would) || (*kind == 'n' && would))
		script_fail(s, "would_progress is %d", would);
	ev = dawn_tcp_input(&s->c, &seg, s->now_us);
	if (!would && ev & DAWN_TCP_EV_PROGRESS)
		script_fail(s, "progress that was not foretold");
	s->events |= ev;
	script_drain(s);
}

static void check_seg(struct script *s, const struct script_seg *q,
		      const struct dawn_tcp_seg *want, int has, bool psh)
{
	const struct dawn_tcp_seg *got = &q->seg;
	uint32_t seq = got->seq - s->snd_base;
	uint8_t flags = got->flags & (psh ? 0xff : ~DAWN_TCP_PSH) & 0xff;

	if (flags != want->flags || seq != want->seq || got->len != want->len)
		script_fail(s, "got flags %#x seq %d+%u", got->flags, (int)seq,
			    got->len);
	if (has & HAS_ACK && got->ack - s->rcv_base != want->ack)
		script_fail(s, "got ack %d", (int)(got->ack - s->rcv_base));
	if (has & HAS_WND && got->wnd != want->wnd)
		script_fail(s, "got window %u", got->wnd);
	if (got->has_ts != !!(s->c.opt & DAWN_FLOW_TS))
		script_fail(s, "timestamp option %d", got->has_ts);
	if (has & HAS_TS) {
		uint32_t val =
			got->tsval - s->open.ts_offset - tcp_ms(s->start_us);
		uint32_t ecr = got->tsecr - s->peer_ts_base;

		if (val != want->tsval || ecr != want->tsecr)
			script_fail(s, "got timestamps %d,%d", (int)val,
				    (int)ecr);
	}
	if (got->sack_count != want->sack_count)
		script_fail(s, "got %u SACK blocks", got->sack_count);
	for (int i = 0; i < got->sack_count; i++)
		if (got->sack[i].start - s->rcv_base != want->sack[i].start ||
		    got->sack[i].end - s->rcv_base != want->sack[i].end)
			script_fail(s, "block %d is %d-%d", i,
				    (int)(got->sack[i].start - s->rcv_base),
				    (int)(got->sack[i].end - s->rcv_base));
	for (uint32_t i = 0; i < got->len; i++)
		if (q->data[i] != pattern(seq + i, SALT_OURS))
			script_fail(s, "wrong byte at %u", seq + i);
}

static void script_expect(struct script *s, char *save)
{
	char *flags = strtok_r(NULL, " ", &save);
	struct dawn_tcp_seg want = { 0 };
	struct script_seg *q;
	int has = parse_fields(s, &save, &want);

	want.flags = parse_flags(flags);
	if (s->head == s->tail)
		script_fail(s, "nothing was sent");
	q = &s->queue[s->head++ % QUEUE_MAX];
	check_seg(s, q, &want, has,
		  want.flags & DAWN_TCP_PSH || strchr(flags, 'N'));
	free(q->data);
	s->checks++;
}

#endif
