// SPDX-License-Identifier: MIT OR Apache-2.0
/* Every state after the handshake times every kind of segment: RFC 9293,
 * 3.10.7.4, as changed by RFC 5961. Cases are made by joining a state's way in,
 * the segment, and what must follow; each runs with and without the options of
 * RFC 7323. Language: test_tcp_script.h.
 *
 * The ways in end alike: the peer's next number is 1, ours is 11, and what we
 * sent (eleven numbers, a FIN among them where there is one) is not
 * acknowledged, unless the state says otherwise:
 *
 *                   unacknowledged   peer's FIN
 *     estab         0..10            no
 *     finwait1      0..10            no
 *     finwait2      -                no
 *     closewait     0..10            was 0
 *     closing       10, the FIN      was 0
 *     lastack       0..10            was 0
 *     timewait      -                was 0
 */
#include "tests/unit/test_tcp_script.h"

#define STATES 7

static const struct {
	const char *name, *way;
} ways[STATES] = {
	{ "estab", "< A 0+1; r 1; +40; > A 0 a1; w 11; > A 0+11; ev ?;" },
	{ "finwait1", "< A 0+1; r 1; +40; > A 0 a1; w 10; > A 0+10; fin;"
		      "> AF 10; ev ?;" },
	{ "finwait2", "< A 0+1; r 1; +40; > A 0 a1; w 10; > A 0+10; fin;"
		      "> AF 10; < A 1 a11; ev ?;" },
	{ "closewait", "< AF 0; > A 0 a1; w 11; > A 0+11; ev ?;" },
	{ "closing", "w 10; > A 0+10; fin; > AF 10; < AF 0 a10; > A 11 a1;"
		     "ev ?;" },
	{ "lastack", "< AF 0; > A 0 a1; w 10; > A 0+10; fin; > AF 10; ev ?;" },
	{ "timewait", "w 10; > A 0+10; fin; > AF 10; < AF 0 a11; > A 11 a1;"
		      "ev ?;" },
};

/* What follows, in the order of `ways`. Without a new state it is the old. */
#define ALL(x)                      \
	{                           \
		x, x, x, x, x, x, x \
	}
#define OPEN(x, rest)                           \
	{                                       \
		x, x, x, rest, rest, rest, rest \
	} /* no FIN came yet */

#define ACKED_2MSL "; > A 11 a1; .; ev -; rd 0; n c 0; dl 60000"
#define NOTHING    "; .; ev -; rd 0; n c 0"
#define ACKED      "; > A 11 a1; .; ev -; rd 0; n c 0"
#define CHALL      "; > A 11 a1; .; ev -; rd 0; n c 1"
#define TAKEN      "; .; ev DP; rd 10; dl 40; +40; > A 11 a11; r 10"

static const struct kind {
	const char *name;
	const char *rule;
	const char *segment;
	const char *then[STATES];
} kinds[] = {
	/* ---- RST ---- */
	{ "rst-exact",
	  "9293 3.10.7.4 second, 5961 3.2",
	  "<y R 1",
	  { "; .; ev RP; st closed; dl never",
	    "; .; ev RP; st closed; dl never",
	    "; .; ev RP; st closed; dl never",
	    "; .; ev RP; st closed; dl never",
	    "; .; ev CP; st closed; dl never",
	    "; .; ev CP; st closed; dl never",
	    "; .; ev CP; st closed; dl never" } },
	{ "rst-in-window", "5961 3.2", "<n R 2", ALL(CHALL) },
	{ "rst-just-before", "5961 3.2", "<n R 0", ALL(NOTHING) },
	{ "rst-beyond-window", "5961 3.2", "<n R 300000", ALL(NOTHING) },
	{ "rst-half-the-space-away", "5961 3.2", "<n R 2147483649",
	  ALL(NOTHING) },
	{ "rst-with-ack-and-data",
	  "9293 3.10.7.4 second",
	  "<y RA 1+5 a11",
	  { "; .; ev RP; st closed; rd 0", "; .; ev RP; st closed; rd 0",
	    "; .; ev RP; st closed; rd 0", "; .; ev RP; st closed; rd 0",
	    "; .; ev CP; st closed; rd 0", "; .; ev CP; st closed; rd 0",
	    "; .; ev CP; st closed; rd 0" } },

	/* ---- SYN ---- */
	{ "syn-exact", "5961 4.2", "<n S 1", ALL(CHALL) },
	{ "syn-in-window", "5961 4.2", "<n S 2", ALL(CHALL) },
	{ "syn-old", "5961 4.2", "<n S -100", ALL(CHALL) },
	{ "syn-far", "5961 4.2", "<n S 300000", ALL(CHALL) },
	{ "syn-ack", "5961 4.2", "<n SA 1 a11", ALL(CHALL) },
	{ "syn-with-data", "5961 4.2", "<n SA 1+10 a11", ALL(CHALL) },
	{ "syn-fin", "5961 4.2", "<n SFA 1 a11", ALL(CHALL) },

	/* ---- no ACK bit ---- */
	{ "no-flags", "9293 3.10.7.4 fifth", "<n - 1", ALL(NOTHING) },
	{ "data-without-ack", "9293 3.10.7.4 fifth", "<n P 1+10",
	  ALL(NOTHING) },
	{ "fin-without-ack", "9293 3.10.7.4 fifth", "<n F 1", ALL(NOTHING) },

	/* ---- ACK ---- */
	{ "ack-of-the-future", "9293 3.10.7.4 fifth", "<n A 1 a12",
	  ALL(CHALL) },
	{ "data-with-ack-of-the-future", "9293 3.10.7.4 fifth", "<n A 1+10 a12",
	  ALL(CHALL) },
	{ "ack-too-old", "5961 5.2", "<n A 1 a-2000000000", ALL(CHALL) },
	{ "data-with-ack-too-old", "5961 5.2", "<n A 1+10 a-2000000000",
	  ALL(CHALL) },
	{ "ack-old", "9293 3.10.7.4 fifth", "<n A 1 a-5", ALL(NOTHING) },
	{ "data-with-ack-old", "5961 5.2", "< A 1+10 a-5",
	  OPEN(TAKEN, NOTHING) },
	{ "ack-of-part",
	  "9293 3.10.7.4 fifth",
	  "<n A 1 a5",
	  { "; .; ev S", "; .; ev S", "; .; ev -", "; .; ev S", "; .; ev -",
	    "; .; ev S", "; .; ev -" } },
	{ "ack-of-all",
	  "9293 3.10.7.4 fifth",
	  "< A 1 a11",
	  { "; .; ev S; dl never", "; .; ev SP; st finwait2; dl 60000",
	    "; .; ev -; dl 60000", "; .; ev S; dl never",
	    "; .; ev SP; st timewait; dl 60000",
	    "; .; ev SCP; st closed; dl never", "; .; ev -; dl 60000" } },
	{ "ack-again", "9293 3.10.7.4 fifth", "<n A 1", ALL(NOTHING) },

	/* ---- text ---- */
	{ "data", "9293 3.10.7.4 seventh", "< A 1+10", OPEN(TAKEN, NOTHING) },
	{ "data-seen-before", "9293 3.10.7.4 first", "<n A -9+10", ALL(ACKED) },
	{ "data-half-seen", "9293 3.10.7.4 first", "< A -9+20",
	  OPEN(TAKEN, NOTHING) },
	{ "data-ahead", "9293 3.10.7.4 seventh", "< A 11+10",
	  OPEN("; > A 11 a1; .; ev P; rd 0; n o 1", NOTHING) },
	{ "data-beyond-window", "9293 3.10.7.4 first", "<n A 300000+10",
	  ALL(CHALL) },
	{ "data-half-the-space-away", "9293 3.10.7.4 first",
	  "<n A 2147483648+10", ALL(CHALL) },
	{ "ack-beyond-window", "9293 3.10.7.4 first", "<n A 300000 a11",
	  ALL(CHALL) },
	{ "ack-seen-before", "9293 3.10.7.4 first", "<n A -5 a11", ALL(CHALL) },
	{ "keep-alive", "9293 3.8.4", "<n A 0", ALL(ACKED) },
	{ "keep-alive-with-byte", "9293 3.8.4", "<n A 0+1", ALL(ACKED) },

	/* ---- FIN ---- */
	{ "fin",
	  "9293 3.10.7.4 eighth",
	  "< AF 1",
	  { "; > A 11 a2; ev EP; st closewait",
	    "; > A 11 a2; ev EP; st closing",
	    "; > A 11 a2; ev EP; st timewait; dl 60000", NOTHING, NOTHING,
	    NOTHING, NOTHING } },
	{ "fin-seen-before",
	  "9293 3.10.7.4 eighth",
	  "<n AF 0",
	  { ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED_2MSL } },
	{ "fin-ahead", "9293 3.10.7.4 eighth", "< AF 11",
	  OPEN("; > A 11 a1; .; ev P", NOTHING) },
	{ "fin-beyond-window", "9293 3.10.7.4 first", "<n AF 300000",
	  ALL(CHALL) },
	{ "fin-with-data",
	  "9293 3.10.7.4 eighth",
	  "< AF 1+10",
	  { "; > A 11 a12; ev DEP; st closewait; r 10",
	    "; > A 11 a12; ev DEP; st closing; r 10",
	    "; > A 11 a12; ev DEP; st timewait; r 10", NOTHING, NOTHING,
	    NOTHING, NOTHING } },
	{ "fin-with-ack-of-all",
	  "9293 3.10.7.4 eighth",
	  "< AF 1 a11",
	  { "; > A 11 a2; ev SEP; st closewait",
	    "; > A 11 a2; ev SEP; st timewait",
	    "; > A 11 a2; ev EP; st timewait", "; .; ev S",
	    "; .; ev SP; st timewait", "; .; ev SCP; st closed",
	    "; .; ev -" } },

	/* ---- URG, PSH ---- */
	{ "urgent-data", "9293 3.10.7.4 sixth", "< AU 1+10",
	  OPEN(TAKEN, NOTHING) },
	{ "urgent-alone", "9293 3.10.7.4 sixth", "<n AU 1", ALL(NOTHING) },
	{ "push-alone", "9293 3.10.7.4 seventh", "<n AP 1", ALL(NOTHING) },
	{ "ecn-flags-alone", "3168 6.1", "<n AEC 1", ALL(NOTHING) },

	/* ---- ours again: what the timer does ---- */
	{ "timeout",
	  "9293 3.8.1, 6298 5",
	  "+300",
	  { "; > A 0+11 a1", "; > AF 0+10 a1", "; .", "; > A 0+11 a1",
	    "; > AF 10 a1", "; > AF 0+10 a1", "; ." } },

	/* ---- ours: calls, RFC 9293, 3.10.2 to 3.10.5 ---- */
	{ "write",
	  "9293 3.10.2",
	  "q 0",
	  { "; w 5; > AP 11+5 a1", "; w 5=0; .", "; w 5=0; .",
	    "; w 5; > AP 11+5 a1", "; w 5=0; .", "; w 5=0; .", "; w 5=0; ." } },
	{ "close",
	  "9293 3.10.4",
	  "fin",
	  { "; > AF 11 a1; st finwait1", "; .", "; .",
	    "; > AF 11 a1; st lastack", "; .", "; .", "; ." } },
	{ "abort",
	  "9293 3.10.5",
	  "abort",
	  { "; > RA 11 a1; st closed; n x 1", "; > RA 11 a1; st closed",
	    "; > RA 11 a1; st closed", "; > RA 11 a1; st closed",
	    "; .; st closed; n x 0", "; .; st closed; n x 0",
	    "; .; st closed; n x 0" } },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Beside the matrix. */
static const struct script_case others[] = {
	{ "window-field-is-unsigned", "9293 3.1 MUST-1",
	  "wnd=0 field=0 cwnd=99999",
	  "stop; w 40000; < A 0 a0 w40000; go; > A 0+1000; > A 1000+1000;"
	  "> A 2000+1000; > A 3000+1000; > A 4000+1000; > A 5000+1000;"
	  "> A 6000+1000; > A 7000+1000; > A 8000+1000; > A 9000+1000;"
	  "> A 10000+1000; > A 11000+1000; > A 12000+1000; > A 13000+1000;"
	  "> A 14000+1000; > A 15000+1000; > A 16000+1000; > A 17000+1000;"
	  "> A 18000+1000; > A 19000+1000; > A 20000+1000; > A 21000+1000;"
	  "> A 22000+1000; > A 23000+1000; > A 24000+1000; > A 25000+1000;"
	  "> A 26000+1000; > A 27000+1000; > A 28000+1000; > A 29000+1000;"
	  "> A 30000+1000; > A 31000+1000; > A 32000+1000; > A 33000+1000;"
	  "> A 34000+1000; > A 35000+1000; > A 36000+1000; > A 37000+1000;"
	  "> A 38000+1000; > AP 39000+1000" },
	{ "urgent-to-the-end-of-the-window", "9293 3.8.5 MUST-31",
	  "rcv=4096 adv=4096",
	  "< AU 0+2000; +40; > A 0 a2000; < AU 2000+2096; +40; > A 0 a4096 w0;"
	  "r 4096; > A 0 a4096 w4096; < AU 4096+10; ev DP; r 10; +40;"
	  "> A 0 a4106" },
};

#define OTHERS (sizeof(others) / sizeof(others[0]))

static const char *const option_sets[][2] = {
	{ "", "" },
	{ "-ts", "ts ws=7 rcv=262144" },
};

static char *joined(const char *a, const char *b, const char *c, const char *d)
{
	size_t len = strlen(a) + strlen(b) + strlen(c) + strlen(d) + 16;
	char *out = malloc(len);

	if (!out)
		abort();
	snprintf(out, len, "%s%s%s%s", a, b, c, d);
	return out;
}

int main(void)
{
	enum { N = KINDS * STATES * 2 + OTHERS };
	static struct script_case cases[N];
	size_t n = 0;
	int failed;

	for (size_t k = 0; k < KINDS; k++)
		for (size_t s = 0; s < STATES; s++)
			for (int o = 0; o < 2; o++) {
				const char *then = kinds[k].then[s];
				char *st =
					joined("; st ", ways[s].name, "", "");

				cases[n].name = joined(kinds[k].name, "-in-",
						       ways[s].name,
						       option_sets[o][0]);
				cases[n].rule = kinds[k].rule;
				cases[n].opts = option_sets[o][1];
				cases[n++].script = joined(
					ways[s].way, kinds[k].segment, then,
					strstr(then, "; st ") ? "" : st);
				free(st);
			}
	for (size_t i = 0; i < OTHERS; i++)
		cases[n++] = others[i];
	failed = script_main("tcp states", cases, n);
	for (size_t i = 0; i < KINDS * STATES * 2; i++) {
		free((void *)(uintptr_t)cases[i].name);
		free((void *)(uintptr_t)cases[i].script);
	}
	return failed;
}
