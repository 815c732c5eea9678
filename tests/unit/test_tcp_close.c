// SPDX-License-Identifier: MIT OR Apache-2.0
/* Closing, resetting, and going in and out of a flow entry. Language:
 * test_tcp_script.h. */
#include "tests/unit/test_tcp_script.h"

static const struct script_case cases[] = {
	/* ---- the peer closes first ---- */
	{ "passive-close", "9293 3.6", "",
	  "<y AF 0; > A 0 a1; ev EP; st closewait; w 10; > AP 0+10 a1; fin;"
	  "> AF 10 a1; st lastack; <y A 1 a11; ev SCP; st closed; .; dl never" },
	{ "fin-with-data", "9293 3.10.7.4 eighth", "",
	  "< AF 0+100; > A 0 a101; ev DEP; rd 100; r 100; st closewait" },
	{ "fin-out-of-order", "9293 3.10.7.4", "",
	  "<y AF 100; > A 0 a0; ev P; st estab; < A 0+100; > A 0 a101; ev DEP;"
	  "st closewait; r 100" },
	{ "fin-with-data-out-of-order", "9293 3.10.7.4", "",
	  "< AF 100+50; > A 0 a0; < A 0+100; > A 0 a151; ev DEP; r 150; st closewait" },
	{ "fin-partly-old-data", "9293 3.10.7.4", "",
	  "< A 0+100; < AF 50+100; > A 0 a151; r 150; st closewait" },
	{ "fin-duplicate-acked", "9293 3.10.7.4", "",
	  "< AF 0; > A 0 a1; ev EP; <n AF 0; > A 0 a1; ev -; st closewait" },
	{ "fin-late-data-acked-not-taken", "9293 3.10.7.4 seventh", "",
	  "< AF 0+10; > A 0 a11; ev DEP; < A 11+10; .; ev -; rd 10; <n AX 0+10;"
	  "> A 0 a11; r 10" },
	{ "data-beyond-held-fin-cut", "9293 3.10.7.4", "",
	  "< AF 100; > A 0 a0; < A 90+50; > A 0 a0; ev P; < A 0+90; > A 0 a101;"
	  "r 100; st closewait" },
	{ "fin-below-held-data-ignored", "9293 3.10.7.4", "",
	  "< A 100+50; > A 0 a0; < AF 20+80; > A 0 a0; < A 0+20; > A 0 a150; r 150;"
	  "st estab" },
	{ "second-fin-elsewhere-ignored", "9293 3.10.7.4", "",
	  "< AF 100; > A 0; < AF 50; > A 0; < A 0+50; .; < A 50+50;"
	  "> A 0 a101; r 100; st closewait" },
	{ "fin-beyond-window-cut", "9293 3.10.7.4", "rcv=4096 adv=4096",
	  "< AF 0+4097; > A 0 a4096; ev DP; st estab" },
	{ "fin-at-window-edge", "9293 3.10.7.4", "rcv=4096 adv=4096",
	  "< AF 0+4096; > A 0 a4097; ev DEP; st closewait; r 4096; ." },
	{ "fin-needs-ack-bit", "9293 3.10.7.4 fifth", "",
	  "<n F 0; .; ev -; st estab" },
	{ "close-wait-retransmits", "9293 3.6", "",
	  "< AF 0; > A 0 a1; w 10; > A 0+10; +200; > A 0+10 a1; < A 1 a10; ev ESP;"
	  "st closewait" },
	{ "close-wait-no-window-update", "9293 3.8.6", "rcv=4096 adv=4096",
	  "< AF 0+4096; > A 0 a4097; r 4096; ." },
	{ "last-ack-fin-retransmitted", "9293 3.8.1", "",
	  "< AF 0; > A 0 a1; fin; > AF 0 a1; +200; > AF 0 a1; n r 1; +400; > AF 0;"
	  "< A 1 a1; st closed" },
	{ "last-ack-fin-again", "9293 3.10.7.4", "",
	  "< AF 0; > A 0 a1; fin; > AF 0; < AF 0; > A 1 a1; st lastack; < A 1 a1;"
	  "st closed" },
	{ "last-ack-partial", "9293 3.10.7.4", "",
	  "< AF 0; > A 0; w 10; > A 0+10; fin; > AF 10; < A 1 a10; st lastack;"
	  "+400; > AF 10; < A 1 a11; st closed" },
	{ "last-ack-data-and-fin-lost", "9293 3.8.1", "",
	  "< AF 0; > A 0; w 10; > A 0+10; fin; > AF 10; +200; > AF 0+10; < A 1 a11;"
	  "st closed; ev ESCP" },
	{ "close-with-window-closed", "9293 3.10.4", "wnd=0 field=0",
	  "< AF 0; > A 0; w 10; fin; st lastack; .; < A 1 w100; > AFP 0+10;"
	  "< A 1 a11; st closed" },

	/* ---- we close first ---- */
	{ "active-close", "9293 3.6", "",
	  "fin; > AF 0 a0; st finwait1; <y A 0 a1; ev SP; st finwait2; <y AF 0;"
	  "> A 1 a1; ev EP; st timewait; +59999; st timewait; ev -; +1; ev C;"
	  "st closed; ." },
	{ "fin-after-data", "9293 3.10.4", "",
	  "w 1500; fin; > A 0+1000; > A 1000+500; > AF 1500; < A 0 a1501;"
	  "st finwait2" },
	{ "fin-with-last-data", "9293 3.10.4", "",
	  "stop; w 1500; fin; go; > A 0+1000; > AFP 1000+500; < A 0 a1501;"
	  "st finwait2" },
	{ "fin-waits-for-cwnd", "9293 3.10.4", "cwnd=1000",
	  "stop; w 1500; fin; go; > A 0+1000; .; < A 0 a1000; > AFP 1000+500" },
	{ "fin-twice-is-one", "9293 3.10.4", "",
	  "fin; > AF 0; fin; .; < A 0 a1; fin; .; st finwait2" },
	{ "no-write-after-shutdown", "9293 3.10.2", "",
	  "fin; > AF 0; w 10=0; space 0; st finwait1" },
	{ "half-close-receives", "9293 3.6", "",
	  "fin; > AF 0; < A 0 a1; < A 0+1000; < A 1000+1000; > A 1 a2000; r 2000;"
	  "< AF 2000; > A 1 a2001; st timewait" },
	{ "half-close-receives-unacked-fin", "9293 3.6", "",
	  "fin; > AF 0; < A 0+10; ev DP; st finwait1; +40; > A 1 a10; < A 10 a1;"
	  "st finwait2" },
	{ "simultaneous-close", "9293 3.6 fig 13", "",
	  "fin; > AF 0; <y AF 0 a0; > A 1 a1; ev EP; st closing; <y A 1 a1; ev SP;"
	  "st timewait; +60000; ev C; st closed" },
	{ "closing-fin-retransmitted", "9293 3.8.1", "",
	  "fin; > AF 0; < AF 0 a0; > A 1 a1; +200; > AF 0 a1; < A 1 a1; st timewait" },
	{ "fin-and-ack-of-fin", "9293 3.10.7.4", "",
	  "fin; > AF 0; < AF 0 a1; > A 1 a1; ev SEP; st timewait" },
	{ "fin-retransmitted", "9293 3.8.1", "",
	  "fin; > AF 0; +200; > AF 0; +400; > AF 0; < A 0 a1; st finwait2" },
	{ "fin-user-timeout", "9293 3.8.3", "ut=1000",
	  "fin; > AF 0; +200; > AF 0; +400; > AF 0; +800; > RA 1; ev TP; st closed" },
	{ "fin-wait-1-data-acked-only", "9293 3.10.7.4", "",
	  "w 10; > A 0+10; fin; > AF 10; <n A 0 a10; ev S; st finwait1; <y A 0 a11;"
	  "st finwait2" },
	{ "fin-wait-2-ends", "9293 3.6", "fw=5000",
	  "fin; > AF 0; < A 0 a1; ev SP; +4999; st finwait2; +1; > RA 1; ev TP;"
	  "st closed" },
	{ "fin-wait-2-data-prolongs", "9293 3.6", "fw=5000",
	  "fin; > AF 0; < A 0 a1; +4000; < A 0+10; +40; > A 1 a10; +4959; st finwait2;"
	  "+1; > RA 1; st closed" },
	{ "time-wait-fin-restarts", "9293 3.10.7.4", "tw=1000",
	  "fin; > AF 0; < AF 0 a1; > A 1; +900; <n AF 0; > A 1 a1; +900; st timewait;"
	  "+99; st timewait; +1; st closed" },
	{ "time-wait-old-data-does-not-restart", "9293 3.10.7.4", "tw=1000",
	  "fin; > AF 0; < AF 0+10 a1; > A 1; +900; < A 0+10; > A 1 a11; +99;"
	  "st timewait; +1; st closed" },
	{ "time-wait-syn-challenged", "5961 4.2", "tw=1000",
	  "fin; > AF 0; < AF 0 a1; > A 1; < S 5000; > A 1 a1; st timewait" },
	{ "time-wait-unread-readable", "9293 3.6", "",
	  "fin; > AF 0; < AF 0+10 a1; > A 1; rd 10; r 10; st timewait; ." },

	/* ---- reset and abort ---- */
	{ "abort", "9293 3.10.5", "",
	  "w 10; > A 0+10; abort; > RA 10 a0; st closed; .; ev -; n x 1; +1000000; .;"
	  "abort; ." },
	{ "abort-unsent-dropped", "9293 3.10.5", "wnd=0",
	  "w 10; abort; > RA 0; .; w 10=0" },
	{ "abort-close-wait", "9293 3.10.5", "",
	  "< AF 0; > A 0; abort; > RA 0 a1" },
	{ "abort-fin-wait-1", "9293 3.10.5", "", "fin; > AF 0; abort; > RA 1" },
	{ "abort-fin-wait-2", "9293 3.10.5", "",
	  "fin; > AF 0; < A 0 a1; abort; > RA 1" },
	{ "abort-last-ack-silent", "9293 3.10.5", "",
	  "< AF 0; > A 0; fin; > AF 0; abort; .; st closed" },
	{ "abort-closing-silent", "9293 3.10.5", "",
	  "fin; > AF 0; < AF 0 a0; > A 1; abort; .; st closed" },
	{ "abort-time-wait-silent", "9293 3.10.5", "",
	  "fin; > AF 0; < AF 0 a1; > A 1; abort; .; st closed" },
	{ "abort-no-sack-on-rst", "2018 3", "sack",
	  "< A 10+10; > A 0 s10-20; abort; > RA 0" },
	{ "rst-close-wait", "9293 3.10.7.4 second", "",
	  "< AF 0; > A 0; ev EP; < R 1; ev RP; st closed" },
	{ "rst-old-seq-after-fin", "5961 3.2", "",
	  "< AF 0; > A 0; < R 0; .; st closewait" },
	{ "rst-fin-wait-2", "9293 3.10.7.4 second", "",
	  "fin; > AF 0; < A 0 a1; ev SP; < R 0; ev RP; st closed" },
	{ "rst-last-ack-is-closed", "9293 3.10.7.4 second", "",
	  "< AF 0; > A 0; fin; > AF 0; ev EP; < R 1; ev CP; st closed" },
	{ "rst-closing-is-closed", "9293 3.10.7.4 second", "",
	  "fin; > AF 0; < AF 0 a0; > A 1; ev EP; < R 1; ev CP; st closed" },
	{ "rst-time-wait-is-closed", "9293 3.10.7.4 second", "",
	  "fin; > AF 0; < AF 0 a1; > A 1; ev SEP; < R 1; ev CP; st closed" },

	/* ---- flow entry: in, out, and whether it can be handed back ---- */
	{ "fresh-is-quiescent", "9293 3.3.1", "", "q 1; settled 1" },
	{ "unacked-is-settled-only", "9293 3.3.1", "",
	  "w 10; > A 0+10; q 0; settled 1; < A 0 a10; q 1" },
	{ "unsent-is-not-settled", "9293 3.3.1", "wnd=0",
	  "w 1; q 0; settled 0" },
	{ "unread-is-not-settled", "9293 3.3.1", "",
	  "< A 0+10; +40; > A 0; q 0; settled 0; r 10; q 1" },
	{ "ack-owed-is-not-settled", "9293 3.8.6.3", "",
	  "< A 0+10; r 10; q 0; settled 0; +40; > A 0; q 1" },
	{ "held-is-not-settled", "9293 3.10.7.4 SHLD-31", "",
	  "< A 10+10; > A 0; settled 0; < A 0+10; > A 0; r 20; settled 1; q 1" },
	{ "held-fin-is-not-settled", "9293 3.10.7.4 eighth", "",
	  "< AF 10; > A 0; settled 0; q 0" },
	{ "fin-is-not-settled", "9293 3.10.7.4 eighth", "",
	  "< AF 0; > A 0; settled 0; q 0" },
	{ "recovery-is-not-settled", "5681 3.2", "",
	  "w 4000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000; < A 0;"
	  "< A 0; < A 0; > A 0+1000; settled 0; < A 0 a4000; settled 1; q 1" },
	{ "challenge-owed-is-not-settled", "5961 4.2", "",
	  "stop; < S 5; settled 0; go; > A 0; settled 1" },
	{ "reopen-idle", "9293 3.3.1", "ts sack ws=5",
	  "< A 0+10 t5,0; w 20; > AP 0+20 a10 t0,5; +80; < A 10 a20 t80,0; r 10; q 1;"
	  "reopen; q 1; srtt 97500; w 30; > AP 20+30 a10 t80,80; < A 10+5 a50 t90,0;"
	  "+40; > A 50 a15" },
	{ "reopen-unacked", "9293 3.8.1", "",
	  "w 1500; > A 0+1000; > A 1000+500; reopen; +200; > A 0+992; < A 0 a992;"
	  "> AP 992+508" },
	{ "reopen-close-wait", "9293 3.3.2", "",
	  "< AF 0; > A 0; reopen; st closewait; w 10; > AP 0+10 a1; fin; > AF 10;"
	  "< A 1 a11; st closed" },
	{ "reopen-fin-wait-1", "9293 3.3.2", "",
	  "w 10; > A 0+10; fin; > AF 10; reopen; +200; > AF 0+10; < A 0 a11;"
	  "st finwait2" },
	{ "reopen-fin-wait-2", "9293 3.3.2", "fw=1000",
	  "fin; > AF 0; < A 0 a1; reopen; dl 1000; < AF 0; > A 1 a1; st timewait" },
	{ "reopen-closing", "9293 3.3.2", "",
	  "fin; > AF 0; < AF 0 a0; > A 1; reopen; < A 1 a1; st timewait" },
	{ "reopen-time-wait", "9293 3.6.1", "tw=1000",
	  "fin; > AF 0; < AF 0 a1; > A 1; reopen; dl 1000; < AF 0; > A 1 a1; +1000;"
	  "st closed" },
	{ "reopen-window-edge", "9293 3.8.6 SHLD-14", "rcv=16384 adv=16384",
	  "< A 0+3000; > A 0 a3000 w13384; r 3000; reopen; < A 3000+1000;"
	  "< A 4000+1000; > A 0 a5000 w14384" },
	{ "entry-last-ack", "9293 3.10.7.4 fifth", "state=lastack unacked=1",
	  "dl 200; .; < AF -1; > A 0 a0; +200; > AF -1 a0; <y A 0 a0; ev SCP;"
	  "st closed" },
	{ "entry-last-ack-with-data", "9293 3.8.1", "state=lastack unacked=101",
	  "+200; > AFP -101+100 a0; < A 0 a0; st closed" },
	{ "entry-closed", "9293 3.10.7.1", "state=closed",
	  "< A 0+10; .; ev -; dl never; w 1=0; abort; ." },
	{ "entry-no-window-noted", "9293 3.10.7.4 first", "adv=0",
	  "< A 65000+10; > A 0 a0; ev P" },
	{ "entry-dupacks-go-on", "5681 3.2", "",
	  "w 4000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000; < A 0;"
	  "< A 0; reopen; < A 0; > A 0+992; n f 1" },
};

int main(void)
{
	return script_main("tcp close", cases,
			   sizeof(cases) / sizeof(cases[0]));
}
