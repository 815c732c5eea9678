// SPDX-License-Identifier: MIT OR Apache-2.0
/* Sending: segments, the peer's window, timers, loss recovery, congestion
 * window, ICMP, keep-alive. Language: test_tcp_script.h. Unless a case says
 * otherwise a full segment is 1000 bytes, cwnd 10,000, the RTO 200 ms. */
#include "tests/unit/test_tcp_script.h"

#define DUP "< A 0;"

static const struct script_case cases[] = {
	/* ---- segments ---- */
	{ "write-one-segment", "9293 3.9.1.2", "",
	  "w 500; > AP 0+500 a0; .; dl 200; space 65036" },
	{ "write-cut-at-smss", "9293 3.7.1", "",
	  "w 2500; > A 0+1000; > A 1000+1000; > AP 2000+500" },
	{ "psh-only-on-the-last", "9293 3.9.1.2 MUST-61", "",
	  "w 2500; > AN 0+1000; > AN 1000+1000; > AP 2000+500; fin; > AFN 2500" },
	{ "smss-leaves-room-for-ts", "9293 3.7.1", "ts",
	  "smss 1000; w 1001; > A 0+1000; > AP 1000+1" },
	{ "smss-bounded-by-frame", "9293 3.7.1 MUST-16", "mssmax=600",
	  "w 700; > A 0+600; > AP 600+100" },
	{ "smss-floor", "9293 3.7.1", "mss=10", "smss 88" },
	{ "no-nagle", "9293 3.7.4", "",
	  "w 10; > AP 0+10; w 10; > AP 10+10; w 10; > AP 20+10" },
	{ "ring-full-then-space", "9293 3.9.1.2", "snd=16384 cwnd=100000",
	  "stop; w 20000=16384; space 0; w 1=0; go; > A 0+1000; > A 1000+1000;"
	  "> A 2000+1000; > A 3000+1000; > A 4000+1000; > A 5000+1000; > A 6000+1000;"
	  "> A 7000+1000; > A 8000+1000; > A 9000+1000; > A 10000+1000;"
	  "> A 11000+1000; > A 12000+1000; > A 13000+1000; > A 14000+1000;"
	  "> A 15000+1000; > AP 16000+384; < A 0 a5000; ev S; space 5000; w 5000;"
	  "> A 16384+1000; > A 17384+1000; > A 18384+1000; > A 19384+1000;"
	  "> AP 20384+1000" },
	{ "output-refused-stays-due", "9293 3.9.1.2", "",
	  "stop; w 10; < A 0+1; +40; .; go; > AP 0+10 a1; ." },

	/* ---- the peer's window ---- */
	{ "window-limits", "9293 3.8.6", "wnd=2000 field=2000",
	  "w 5000; > A 0+1000; > A 1000+1000; .; < A 0 a1000; > A 2000+1000; .;"
	  "< A 0 a3000 w2000; > A 3000+1000; > AP 4000+1000" },
	{ "window-scaled", "7323 2.3", "ws=4 wnd=1000 field=1000",
	  "w 2000; > A 0+1000; < A 0 a0 w125; > AP 1000+1000" },
	{ "window-scale-max-14", "7323 2.3", "ws=15 wnd=0",
	  "w 1000; < A 0 a0 w1; > AP 0+1000; < A 0 a1000 w0; w 1; ." },
	{ "window-unscaled-without-option", "7323 2.2", "wnd=1000 field=1000",
	  "w 1500; > A 0+1000; < A 0 a1000 w499; .; < A 0 a1000 w500; > AP 1000+500" },
	{ "sws-no-crumbs", "9293 3.8.6.2.1", "wnd=2500 field=2500",
	  "w 5000; > A 0+1000; > A 1000+1000; .; < A 0 a1000; > A 2000+1000; ." },
	{ "sws-half-of-largest", "9293 3.8.6.2.1 (3)", "wnd=900 field=900",
	  "w 3000; > A 0+900; < A 0 a900 w449; .; < A 0 a900 w450; > A 900+450" },
	{ "sws-override-timer", "9293 3.8.6.2.1 (4)", "wnd=900 field=900",
	  "w 3000; > A 0+900; +100; < A 0 a900 w100; .; +199; .; +1; > A 900+100;"
	  "< A 0 a1000 w900; > A 1000+900" },
	{ "sws-everything-fits", "9293 3.8.6.2.1 (2)", "wnd=5000 field=5000",
	  "w 3010; > A 0+1000; > A 1000+1000; > A 2000+1000; > AP 3000+10" },
	{ "window-update-sends", "9293 3.10.7.4", "wnd=0",
	  "w 100; .; <n A 0 a0 w1000; > AP 0+100; dl 200" },
	{ "window-old-segment-ignored", "9293 3.10.7.4 WL1", "wnd=1000",
	  "< A 0+100 w5000; < A 100+100 w6000; < A 50+200 w1; w 3000; > A 0+1000;"
	  "> A 1000+1000; > AP 2000+1000" },
	{ "window-same-seq-newer-ack", "9293 3.10.7.4 WL2", "",
	  "w 10; > A 0+10; < A 0 a10 w5; w 10; .; < A 0 a10 w10; > AP 10+10" },
	{ "window-shrinks-resend-within", "9293 3.8.6 SHLD-15", "",
	  "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000; < A 0 a0 w500; .;"
	  "+200; > A 0+500; .; < A 0 a500 w2500; > A 500+500;"
	  "> A 1000+1000" },
	{ "window-shrinks-no-new", "9293 3.8.6 SHLD-16", "",
	  "w 2000; > A 0+1000; > A 1000+1000; < A 0 a0 w1500; w 1000; .;"
	  "< A 0 a2000 w1000; > AP 2000+1000" },

	/* ---- persist ---- */
	{ "persist-probes-back-off", "9293 3.8.6.1", "wnd=0 field=0",
	  "w 100; .; +199; .; +1; > A 0+1; +399; .; +1; > A 0+1; +799; .; +1;"
	  "> A 0+1; n t 0; cwnd 10000" },
	{ "persist-forever-if-answered", "9293 3.8.6.1 MUST-37",
	  "wnd=0 field=0 ut=1000",
	  "w 100; +200; > A 0+1; < A 0; +400; > A 0+1; < A 0; +800; > A 0+1; < A 0;"
	  "+1000; < A 0; +600; > A 0+1; +500; < A 0; st estab; < A 0 w100; > AP 0+100" },
	{ "persist-gives-up-unanswered", "9293 3.8.3", "wnd=0 field=0 ut=1000",
	  "w 100; +200; > A 0+1; +400; > A 0+1; +799; .; +1; > RA 1; ev TP;"
	  "st closed; n x 1" },
	{ "persist-probe-taken", "9293 3.8.6.1", "wnd=0 field=0",
	  "w 100; +200; > A 0+1; <n A 0 a1 w0; ev S; +200; .; +200; > A 1+1;"
	  "< A 0 a2 w0; +799; .; +1; > A 2+1; < A 0 a3 w200; > AP 3+97; dl 200" },
	{ "persist-backoff-and-timestamps", "9293 3.8.6.1, 6298 3",
	  "ts wnd=0 field=0",
	  "w 100; +200; > A 0+1; +100; < A 0 a1 w0 t300,200; rto 400; dl 400; +400;"
	  "> A 1+1; < A 0 w100 t700,200; > AP 1+99; rto 200; dl 200" },
	{ "persist-ends-with-what-there-is", "9293 3.8.6.1", "wnd=0 field=0",
	  "w 1; +200; > A 0+1; +400; > A 0+1; < A 0 a1 w0; dl never;"
	  "w 10; dl 200; < A 0 w100; > AP 1+10; dl 200" },
	/* Closed no more: what fits in it goes when the override timeout says so,
	 * not when the next probe would have. */
	{ "persist-a-little-window", "9293 3.8.6.2.1, (4)", "",
	  "w 100; > A 0+100; +100; < A 0 a100 w0; w 2000; dl 200; +200;"
	  "> A 100+1; +400; > A 100+1; +800; > A 100+1; < A 0 a101 w500; .;"
	  "dl 200; +199; .; < A 0; +1; > A 101+500; dl 200;"
	  "< A 0 a601 w5000; > A 601+1000; > AP 1601+499" },
	/* More than a probe's byte is no probe's byte: the peer took data. */
	{ "persist-anew-after-data", "9293 3.8.6.1", "",
	  "W 1000; < A 0 a0 w0; w 500; +200; > A 0+1; dl 400; < A 0 a1000 w0;"
	  "dl 200; +200; > A 1000+1; dl 400" },
	{ "persist-answer-is-no-dupack", "5681 2", "wnd=0 field=0",
	  "w 5000; +200; > A 0+1; < A 0; < A 0; < A 0; < A 0; .; n f 0" },
	{ "persist-opens", "9293 3.8.6.1", "wnd=0 field=0",
	  "w 3000; +200; > A 0+1; < A 0 w2000; > A 0+1000; > A 1000+1000; dl 200;"
	  "< A 0 a2000 w2000; > AP 2000+1000" },
	{ "persist-after-flight", "9293 3.8.6.1", "",
	  "w 100; > A 0+100; < A 0 a0 w0; +200; > A 0+1; < A 0; n t 0; cwnd 10000;"
	  "< A 0 w1000; > AP 0+100" },
	{ "persist-not-put-off-by-writes", "9293 3.8.6.1", "wnd=0 field=0",
	  "w 100; +100; w 1; +99; w 1; .; +1; > A 0+1" },
	{ "window-edge-stays-and-is-used", "9293 3.10.7.4", "wnd=3000",
	  "< A 0+100 a0 w3000; < A 100+100 w3000; w 2000; > A 0+1000;"
	  "> A 1000+1000; < A 50+200 a1000 w9000; w 1000; > A 2000+1000; w 1000;"
	  ".; < A 250 a1000 w3000; > A 3000+1000" },
	{ "persist-after-flight-no-dupacks", "5681 2", "",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; < A 0 a0 w0; +200; > A 0+1;" DUP DUP DUP ".; n f 0" },
	{ "persist-probe-not-timed", "6298 3 Karn", "",
	  "w 1; > A 0+1; < A 0 a0 w0; +200; > A 0+1; < A 0 a1 w1000; srtt 100000" },
	{ "persist-restarts-when-acked", "9293 3.8.6.1", "",
	  "w 100; > A 0+100; +100; < A 0 a100 w0; w 50; .; dl 200; +200; > A 100+1" },
	{ "persist-fin-only", "9293 3.8.6.1", "wnd=0 field=0",
	  "fin; > AF 0; +200; > AF 0; n t 0; < A 0 a1; st finwait2" },
	{ "persist-data-then-fin", "9293 3.8.6.1", "wnd=0 field=0",
	  "w 1; fin; .; +200; > A 0+1; < A 0 a1; > AF 1; < A 0 a2; st finwait2" },
	{ "persist-caps-at-60s", "6298 2.5",
	  "wnd=0 field=0 srtt=20000000 ut=999000",
	  "w 9; +40000; > A 0+1; +40000; > A 0+1; +60000; > A 0+1; +60000; > A 0+1" },

	/* ---- RTO ---- */
	{ "rto-resends", "6298 5.4", "",
	  "w 1000; > A 0+1000; +199; .; +1; > AP 0+1000; n t 1; n r 1" },
	{ "rto-forgets-fast-retransmit", "6582 4", "",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; stop;" DUP DUP DUP "+200; go; > A 0+1000; ." },
	{ "rto-doubles", "6298 5.5", "",
	  "w 10; > A 0+10; +200; > A 0+10; +399; .; +1; > A 0+10; +799; .; +1;"
	  "> A 0+10" },
	{ "rto-initial-1s", "6298 2.1", "srtt=0",
	  "rto 1000; w 10; > A 0+10; +999; .; +1; > A 0+10" },
	{ "rto-min-200ms", "6298 2.4", "srtt=1000 rttvar=1", "rto 200" },
	{ "rto-from-entry", "6298 2.3", "srtt=300000 rttvar=50000", "rto 500" },
	{ "rto-max-60s", "6298 2.5", "srtt=19900000 rttvar=0 ut=9999000",
	  "w 9; > A 0+9; +20000; > A 0+9; +40000; > A 0+9; +59999; .; +1; > A 0+9;"
	  "+60000; > A 0+9" },
	{ "rtt-first-sample", "6298 2.2", "srtt=0",
	  "w 10; > A 0+10; +80; < A 0 a10; srtt 80000; rto 240" },
	{ "rtt-next-sample", "6298 2.3", "",
	  "w 10; > A 0+10; +180; < A 0 a10; srtt 110000; rto 265" },
	{ "rtt-one-timed-at-a-time", "6298 3", "",
	  "w 10; > A 0+10; +20; w 10; > A 10+10; +80; < A 0 a20; srtt 100000" },
	{ "rtt-partial-ack-keeps-timing", "6298 3", "",
	  "w 2000; > A 0+1000; > A 1000+1000; +100; < A 0 a500; srtt 100000; +80;"
	  "< A 0 a1000; srtt 110000" },
	{ "rtt-each-segment-once", "6298 3", "",
	  "w 10; > A 0+10; +100; < A 0 a10; +50; w 10; > A 10+10; +100; < A 0 a20;"
	  "srtt 100000" },
	{ "rtt-karn", "6298 3", "",
	  "w 10; > A 0+10; +200; > A 0+10; +10; < A 0 a10; srtt 100000; rto 400" },
	{ "rtt-from-timestamps", "7323 4.1", "ts",
	  "w 10; > A 0+10 t0,0; +200; > A 0+10 t200,0; +50; < A 0 a10 t250,200;"
	  "srtt 93750" },
	{ "rtt-timestamp-of-the-future-ignored", "7323 4.1", "ts",
	  "w 10; > A 0+10; +200; > A 0+10; < A 0 a10 t250,900; srtt 100000" },
	{ "rto-restarts-on-ack", "6298 5.3", "",
	  "w 2000; > A 0+1000; > A 1000+1000; +100; < A 0 a1000; dl 200; +199; .;"
	  "+1; > A 1000+1000" },
	{ "rto-stops-when-all-acked", "6298 5.2", "",
	  "w 10; > A 0+10; < A 0 a10; ev S; dl never; q 1" },
	{ "rto-backoff-stays-unmeasured", "6298 3 Karn", "",
	  "w 2000; > A 0+1000; > A 1000+1000; +200; > A 0+1000; +400; > A 0+1000;"
	  "< A 0 a1000; > A 1000+1000; dl 800; < A 0 a2000; rto 800; w 10;"
	  "> A 2000+10; +100; < A 0 a2010; rto 200" },
	{ "rto-backoff-ends-when-measured", "6298 5.7", "ts",
	  "w 2000; > A 0+1000; > A 1000+1000; +200; > A 0+1000; +400; > A 0+1000;"
	  "+100; < A 0 a1000 t700,600; > A 1000+1000; dl 200" },
	{ "rto-go-back", "5681 3.1", "",
	  "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000; +200; > A 0+1000; .;"
	  "cwnd 1000; ssth 2000; < A 0 a1000; > A 1000+1000; > A 2000+1000; cwnd 2000" },
	{ "rtt-echo-from-before-timeout", "3522 and 6298 2.3", "ts",
	  "w 10; > A 0+10; +200; > A 0+10; +100; < A 0 a10 t300,0; srtt 125000;"
	  "rto 400; n u 1" },
	{ "rto-variance-has-a-floor", "6298 2.3 G", "srtt=300000 rttvar=1000",
	  "rto 400" },
	{ "rtt-new-data-after-timeout", "6298 3", "",
	  "w 2000; > A 0+1000; > A 1000+1000; +200; > A 0+1000; w 1000; < A 0 a1000;"
	  "> A 1000+1000; > A 2000+1000; +100; < A 0 a3000; srtt 100000; rto 200" },
	{ "window-edge-stays-on-ack", "9293 3.10.7.4", "wnd=2000",
	  "< A 0+100 a0 w2000; < A 100+100 a0 w2000; w 3000; > A 0+1000;"
	  "> A 1000+1000; < A 50+200 a1000 w9000; .; < A 250 a1000 w2000;"
	  "> AP 2000+1000" },
	{ "rto-ssthresh-once-for-a-segment", "5681 3.1", "cwnd=8000",
	  "w 8000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; > A 5000+1000; > A 6000+1000; > A 7000+1000; +200;"
	  "> A 0+1000; ssth 4000; < A 0 a1000; > A 1000+1000; > A 2000+1000; +400;"
	  "ssth 3500; > A 1000+1000; +800; > A 1000+1000; ssth 3500" },
	{ "rto-ssthresh-half-flight", "5681 eq 4", "",
	  "w 10000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; > A 5000+1000; > A 6000+1000; > A 7000+1000; > A 8000+1000;"
	  "> A 9000+1000; +200; > A 0+1000; ssth 5000; +400; > A 0+1000; ssth 5000" },
	{ "rto-later-ack-skips", "5681 3.1", "",
	  "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000; +200; > A 0+1000;"
	  "< A 0 a3000; .; ev S; q 1" },
	{ "user-timeout", "9293 3.8.3", "ut=1000",
	  "w 10; > A 0+10; +200; > A 0+10; +400; > A 0+10; +799; .; +1; > RA 10 a0;"
	  "ev TP; st closed; dl never; +100000; ." },
	{ "user-timeout-exact", "9293 3.8.3", "ut=1400",
	  "w 10; > A 0+10; +200; > A 0+10; +400; > A 0+10; +799; .; +1; > RA 10" },
	{ "user-timeout-from-later-progress", "9293 3.8.3", "ut=1000",
	  "w 2000; > A 0+1000; > A 1000+1000; +200; > A 0+1000; +400; > A 0+1000;"
	  "+100; < A 0 a1000; > A 1000+1000; +800; > A 1000+1000; st estab" },
	{ "user-timeout-default-100s", "9293 3.8.3", "srtt=11900000 rttvar=0",
	  "w 9; > A 0+9; +12000; > A 0+9; +24000; > A 0+9; +48000; > A 0+9; +59999;"
	  "st estab; +1; > RA 9; st closed" },
	{ "user-timeout-counts-from-progress", "9293 3.8.3", "ut=1000",
	  "w 2000; > A 0+1000; > A 1000+1000; +200; > A 0+1000; +390;"
	  "< A 0 a1000; > A 1000+1000; +400; > A 1000+1000; st estab; +799;"
	  "st estab; +1; > RA 2000; st closed" },
	{ "adopted-resent", "6298 5.4", "unacked=500 sent=150",
	  "dl 50; +49; .; +1; > AP -500+500; n t 1" },
	{ "adopted-fills-the-ring", "9293 3.9.1.2", "unacked=16384 snd=16384",
	  "space 0; < A 0 a0; space 16384; q 1" },
	{ "adopted-late-at-once", "6298 5.4", "unacked=500 sent=5000",
	  "+0; > AP -500+500" },
	{ "adopted-acked", "9293 3.10.7.4 fifth", "unacked=1500",
	  "< A 0 a-1000; ev S; .; < A 0 a0; ev S; q 1" },
	{ "adopted-then-written", "9293 3.9.1.2", "unacked=1500",
	  "w 100; > AP 0+100; +200; > A -1500+992; < A 0 a-508; > A -508+608" },
	{ "adopted-dupacks", "5681 3.2", "unacked=5000",
	  "< A 0 a-5000;" DUP DUP "> A -5000+992; n f 1" },

	/* ---- fast retransmit, NewReno ---- */
	{ "fast-retransmit", "5681 3.2", "",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000;" DUP DUP ".;" DUP
	  "> A 0+1000; .; ssth 2500; cwnd 5500;"
	  "n f 1; n t 0" },
	{ "limited-transmit", "3042", "cwnd=5000",
	  "w 9000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000;" DUP "> A 5000+1000; .;" DUP "> A 6000+1000; .;" DUP
	  "> A 0+1000; .; ssth 2500; cwnd 5500;" DUP DUP ".;" DUP
	  "> A 7000+1000;" },
	{ "recovery-ends", "6582 3.2 step 3", "cwnd=5000",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000;" DUP DUP DUP
	  "> A 0+1000; < A 0 a5000; cwnd 2000; ev S" },
	{ "recovery-ends-with-flight", "6582 3.2 step 3", "cwnd=8000",
	  "w 9000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; > A 5000+1000; > A 6000+1000; > A 7000+1000;" DUP
	  "> A 8000+1000;" DUP DUP
	  "> A 0+1000; ssth 4000; cwnd 7000; w 2000;" DUP DUP DUP
	  "> A 9000+1000;" DUP "> AP 10000+1000; < A 0 a9000; cwnd 3000" },
	{ "partial-ack-resends-next", "6582 3.2 step 3", "",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000;" DUP DUP DUP "> A 0+1000; < A 0 a2000; > A 2000+1000;"
	  "cwnd 4500; n f 1; < A 0 a5000; cwnd 2000; dl never" },
	{ "partial-ack-one-smss-credit", "6582 3.2 step 3", "",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000;" DUP DUP DUP "> A 0+1000; < A 0 a1000; > A 1000+1000;"
	  "cwnd 5500" },
	{ "partial-ack-small-no-credit", "6582 3.2 step 3", "",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000;" DUP DUP DUP "> A 0+1000; < A 0 a999; > A 999+1;"
	  "cwnd 4501" },
	{ "partial-ack-timer-once", "6582 3.2 impatient", "",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000;" DUP DUP DUP
	  "> A 0+1000; +100; < A 0 a1000; > A 1000+1000;"
	  "dl 200; +100; < A 0 a2000; > A 2000+1000; dl 100" },
	{ "recovery-inflates", "5681 3.2 step 4", "cwnd=5000",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000;" DUP DUP DUP "> A 0+1000; cwnd 5500; w 1000; .;" DUP
	  "> AP 5000+1000; cwnd 6500" },
	{ "recovery-not-timed", "6298 3", "",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000;" DUP DUP DUP "> A 0+1000;" DUP DUP DUP "w 1000;"
	  "> A 5000+1000; +150; < A 0 a6000; srtt 100000" },
	{ "recovery-fin-joins-once", "5681 3.2", "",
	  "w 1000; > A 0+1000; stop; fin;" DUP DUP DUP "go; > AF 0+1000; .;"
	  "< A 0 a1001; st finwait2" },
	{ "recovery-lost-again-rto", "6582 3.2", "",
	  "w 4000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;" DUP
		  DUP DUP
	  "> A 0+1000; +200; > A 0+1000; cwnd 1000; n t 1; < A 0 a4000; q 1" },
	{ "dupack-needs-outstanding", "5681 2 (a)", "",
	  DUP DUP DUP DUP "w 10; > A 0+10; .; n f 0" },
	{ "dupack-not-with-data", "5681 2 (b)", "",
	  "w 2000; > A 0+1000; > A 1000+1000; < A 0+1; < A 1+1; < A 2+1; < A 3+1;"
	  "n f 0; +40; > A 2000 a4" },
	{ "dupack-not-with-fin", "5681 2 (c)", "",
	  "w 2000; > A 0+1000; > A 1000+1000;" DUP DUP
	  "< AF 0; > A 2000 a1; n f 0" },
	{ "dupack-not-if-window-changes", "5681 2 (e)", "",
	  "w 2000; > A 0+1000; > A 1000+1000; < A 0 w1; < A 0 w2; < A 0 w3; < A 0 w4;"
	  "n f 0; ." },
	{ "no-second-fast-retransmit", "6582 3.2 step 1", "",
	  "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000;" DUP DUP DUP
	  "> A 0+1000; < A 0 a3000; w 2000; > A 3000+1000; > A 4000+1000;" DUP
		  DUP DUP ".; n f 1; < A 0 a4000; w 3000; > A 5000+1000; .;" DUP
	  "> A 6000+1000;" DUP "> A 7000+1000;" DUP "> A 4000+1000; n f 2" },
	{ "limited-transmit-two-only", "3042 2", "",
	  "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000;" DUP DUP DUP
	  "> A 0+1000; < A 0 a3000; w 9000; > A 3000+1000; > A 4000+1000;" DUP
	  "> A 5000+1000;" DUP "> A 6000+1000;" DUP DUP DUP ".; n f 1" },
	{ "no-fast-retransmit-after-rto", "6582 4", "",
	  "w 4000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000; +200;"
	  "> A 0+1000; < A 0 a1000; > A 1000+1000; > A 2000+1000;" DUP DUP DUP
		  DUP ".; n f 0" },
	{ "fast-retransmit-within-window", "9293 3.8.6", "",
	  "w 4000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "< A 0 w600;" DUP DUP DUP "> A 0+600" },
	{ "fast-retransmit-fin", "5681 3.2", "",
	  "w 1000; > A 0+1000; w 1000; > A 1000+1000; fin; > AF 2000; +100; < A 0 a2000;"
	  "+200; > AF 2000; < A 0 a2001; st finwait2" },

	/* ---- SACK received ---- */
	{ "sack-three-blocks-recover", "6675 4", "sack",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; < A 0 a0 s1000-2000; < A 0 s1000-3000; .;"
	  "< A 0 s1000-4000; > A 0+1000; n f 1; ssth 2500; cwnd 2000" },
	{ "sack-one-large-block-recovers", "6675 4 IsLost", "sack",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; < A 0 s1000-3000; .; < A 0 s1000-3001; .;"
	  "< A 0 s1000-4000; > A 0+1000; n f 1" },
	{ "sack-nothing-new-is-no-dup", "6675 2", "sack",
	  "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000; < A 0 s1000-2000;"
	  "< A 0 s1000-2000; < A 0 s1000-2000; < A 0; < A 0; < A 0; n f 0; ." },
	{ "sack-lies-ignored", "2018 5", "sack",
	  "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000; < A 0 s1000-3001;"
	  "< A 0 s2000-1000; < A 0 s0-3000; < A 0 s-500-2000; n f 0; ." },
	{ "sack-not-permitted-ignored", "2018 2", "",
	  "w 4000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "< A 0 s1000-4000; n f 0; ." },
	{ "sack-dsack-no-dup", "2883 4", "sack",
	  "w 2000; > A 0+1000; > A 1000+1000; < A 0 a1000; < A 0 s0-1000;"
	  "< A 0 s0-500; < A 0 s500-1000; n f 0; ." },
	{ "sack-with-data-counts", "6675 2", "sack",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; < A 0+1 s1000-2000; < A 1+1 s1000-3000; < A 2+1 s1000-4000;"
	  "> A 0+1000 a3; n f 1" },
	{ "sack-partial-resends-next-hole", "6582 with 2018", "sack",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; < A 0 s1000-2000 s3000-5000; > A 0+1000;"
	  "< A 0 a2000 s3000-5000; > A 2000+1000; < A 0 a5000; q 1" },
	{ "sack-in-part-is-not-sacked", "2018 5", "sack",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; < A 0 s1500-5000; > A 0+1000; > A 1000+1000; sk 3000" },
	{ "sack-frees-room", "6675 4 pipe", "sack cwnd=3000",
	  "w 6000; > A 0+1000; > A 1000+1000; > A 2000+1000; < A 0 s1000-2000;"
	  "> A 3000+1000; < A 0 s1000-3000; > A 4000+1000; ." },
	{ "sack-not-resent-after-rto", "2018 5", "sack",
	  "w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> AP 4000+1000; +200; > AP 4000+1000; +200; > A 0+1000; n t 1;"
	  "< A 0 a1000 s2000-4000; > A 1000+1000; > A 4000+1000; ." },
	{ "sack-kept-at-rto", "6675 5.1", "sack",
	  "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000; < A 0 s1000-2000;"
	  "+4; > A 0+1000; +200; > A 0+1000; n t 1; sk 1000; < A 0 a2000;"
	  "> A 2000+1000" },
	{ "sack-pruned-by-ack", "2018 5", "sack cwnd=4000",
	  "w 9000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "< A 0 s1000-2000; > A 4000+1000; < A 0 a2000; > A 5000+1000;"
	  "> A 6000+1000; > A 7000+1000; .; < A 0 a3000; > A 8000+1000" },
	{ "sack-fills-all-holes", "6675 5", "sack",
	  "w 9000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; > A 5000+1000; > A 6000+1000; > A 7000+1000; > A 8000+1000;"
	  "< A 0 s1000-2000 s3000-4000 s5000-6000 s7000-9000; > A 0+1000;"
	  "> A 2000+1000; > A 4000+1000; > A 6000+1000; fl 4000; < A 0 a9000; q 1" },

	/* ---- congestion window ---- */
	{ "initial-window-ten", "6928 2", "cwnd=0",
	  "cwnd 10000; w 12000; > A 0+1000; > A 1000+1000; > A 2000+1000;"
	  "> A 3000+1000; > A 4000+1000; > A 5000+1000; > A 6000+1000; > A 7000+1000;"
	  "> A 8000+1000; > A 9000+1000; ." },
	{ "initial-window-1460", "6928 2", "cwnd=0 mss=1460", "cwnd 14600" },
	{ "initial-window-large-mss", "6928 2", "cwnd=0 mss=4000",
	  "cwnd 14600" },
	{ "initial-window-two-jumbo", "6928 2", "cwnd=0 mss=8960",
	  "cwnd 17920" },
	{ "slow-start", "5681 3.1", "cwnd=2000",
	  "w 9000; > A 0+1000; > A 1000+1000; .; < A 0 a1000; cwnd 3000;"
	  "> A 2000+1000; > A 3000+1000; ." },
	{ "slow-start-what-was-acked", "9406 4.2, 3465 2.2", "cwnd=2000",
	  "w 9000; > A 0+1000; > A 1000+1000; < A 0 a2000; cwnd 4000; > A 2000+1000;"
	  "> A 3000+1000; > A 4000+1000; > A 5000+1000" },
	{ "slow-start-eight-smss-at-most", "9406 4.2 L", "",
	  "w 10000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; > A 5000+1000; > A 6000+1000; > A 7000+1000; > A 8000+1000;"
	  "> A 9000+1000; < A 0 a9000; cwnd 18000" },
	{ "slow-start-ends-at-ssthresh", "5681 3.1", "cwnd=4000 ssth=5500",
	  "w 9000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "< A 0 a4000; cwnd 5500; > A 4000+1000; > A 5000+1000; > A 6000+1000;"
	  "> A 7000+1000; > AP 8000+1000" },
	{ "slow-start-small-ack", "5681 3.1 eq 2", "cwnd=2000",
	  "w 9000; > A 0+1000; > A 1000+1000; < A 0 a10; cwnd 2010; ." },
	{ "avoidance", "5681 3.1", "cwnd=4000 ssth=4000",
	  "w 20000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "< A 0 a1000; > A 4000+1000; < A 0 a2000; > A 5000+1000; < A 0 a3000;"
	  "> A 6000+1000; cwnd 4000; < A 0 a4000; cwnd 5000; > A 7000+1000;"
	  "> A 8000+1000; < A 0 a8999; cwnd 5000; > A 9000+1000; > A 10000+1000;"
	  "> A 11000+1000; > A 12000+1000; < A 0 a9000; cwnd 6000; > A 13000+1000;"
	  "> A 14000+1000" },
	{ "unused-window-does-not-grow", "5681 3.1", "",
	  "w 1000; > A 0+1000; < A 0 a1000; cwnd 10000; w 5000; > A 1000+1000;"
	  "> A 2000+1000; > A 3000+1000; > A 4000+1000; > A 5000+1000; < A 0 a6000;"
	  "cwnd 10000" },
	{ "unused-avoidance-does-not-grow", "5681 3.1", "cwnd=4000 ssth=4000",
	  "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000; < A 0 a3000; w 3000;"
	  "> A 3000+1000; > A 4000+1000; > A 5000+1000; < A 0 a6000; cwnd 4000" },
	{ "limit-gone-no-growth", "5681 3.1", "cwnd=2000 ssth=2000",
	  "w 2500; > A 0+1000; > A 1000+1000; < A 0 a1000; > A 2000+500;"
	  "< A 0 a2500; cwnd 2000" },
	{ "used-window-grows", "5681 3.1", "",
	  "w 5001; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; > A 5000+1; < A 0 a5001; cwnd 15001" },
	{ "idle-restart", "5681 4.1", "cwnd=30000 sent=201",
	  "w 10; > A 0+10; cwnd 10000" },
	{ "idle-short-keeps", "5681 4.1", "cwnd=30000 sent=200",
	  "w 10; > A 0+10; cwnd 30000" },
	{ "idle-from-last-send", "5681 4.1", "cwnd=30000",
	  "w 10; > A 0+10; +100; < A 0 a10; +50; w 10; > A 10+10; +100; < A 0 a20;"
	  "+50; w 10; > A 20+10; cwnd 30000" },
	{ "idle-restart-never-raises", "5681 4.1", "cwnd=5000 sent=900",
	  "w 10; > A 0+10; cwnd 5000" },
	{ "idle-with-flight-keeps", "5681 4.1", "cwnd=30000 srtt=400000",
	  "w 10; > A 0+10; +350; w 10; > A 10+10; cwnd 30000" },
	{ "cwnd-whole-segments-only", "5681 3.1", "cwnd=2500",
	  "w 5000; > A 0+1000; > A 1000+1000; ." },

	/* ---- ICMP ---- */
	{ "icmp-mtu-lowers", "1191 6.3", "",
	  "w 1000; > A 0+1000; icmp 0 900 0; > A 0+860; > AP 860+140; smss 860;"
	  "cwnd 10000; n t 0" },
	{ "icmp-mtu-v6", "8201 4", "v6 mss=1400",
	  "w 1400; > A 0+1400; icmp 0 1300 0; > A 0+1240; > AP 1240+160" },
	{ "icmp-mtu-floor-v4", "1191 3", "",
	  "w 1000; > A 0+1000; icmp 0 68 0; > A 0+512; > A 512+488; smss 512" },
	{ "icmp-mtu-floor-v6", "8200 5", "v6 mss=1400",
	  "w 10; > A 0+10; icmp 0 600 0; > A 0+10; smss 1220" },
	{ "icmp-mtu-with-ts", "1191 6.3", "ts mss=1012",
	  "w 1000; > A 0+1000; icmp 0 900 0; > A 0+848; > A 848+152; smss 848" },
	{ "icmp-mtu-never-raises", "1191 6.3", "",
	  "w 10; > A 0+10; icmp 0 1040 0; .; icmp 0 1500 0; .; smss 1000" },
	{ "icmp-not-in-flight-ignored", "5927 4.1", "",
	  "w 10; > A 0+10; icmp 10 600 0; .; icmp -1 600 0; .; smss 1000; icmp 9 600 0;"
	  "> A 0+10; smss 560" },
	{ "icmp-nothing-in-flight-ignored", "5927 4.1", "",
	  "icmp 0 600 0; .; smss 1000" },
	{ "icmp-soft-not-fatal", "9293 3.9.2.2", "ut=10000",
	  "w 10; > A 0+10; icmp 0 0 0; +3000; > A 0+10; > A 0+10; > A 0+10; > A 0+10;"
	  "st estab" },
	{ "icmp-hard-not-at-once", "5927 5.2", "",
	  "w 10; > A 0+10; icmp 0 0 1; st estab; ev -; +200; > A 0+10; +400; > A 0+10;"
	  "+800; > A 0+10; +1599; .; +1; > RA 10; ev TP" },
	{ "icmp-hard-forged-ignored", "5927 4.1", "ut=10000",
	  "w 10; > A 0+10; icmp 10 0 1; icmp -1 0 1; +3000; > A 0+10; > A 0+10;"
	  "> A 0+10; > A 0+10; st estab" },
	{ "icmp-hard-forgotten", "5927 5.2", "ut=10000",
	  "w 10; > A 0+10; icmp 0 0 1; +100; < A 0 a10; w 10; > A 10+10; +3000; > A 10+10;"
	  "> A 10+10; > A 10+10; > A 10+10; st estab" },

	/* ---- keep-alive ---- */
	{ "keepalive-off", "9293 3.8.4 MUST-25", "", "dl never; +9000000; ." },
	{ "keepalive-probe", "9293 3.8.4", "ka=1000",
	  "+999; .; +1; > A -1 a0; < A 0; +999; .; +1; > A -1" },
	{ "keepalive-any-segment-counts", "9293 3.8.4", "ka=1000",
	  "+600; < A 0; +999; .; +1; > A -1" },
	{ "keepalive-gives-up-after-nine", "9293 3.8.4", "ka=1000",
	  "+9999; > A -1; > A -1; > A -1; > A -1; > A -1; > A -1; > A -1; > A -1;"
	  "> A -1; .; st estab; +1; > RA 0; ev TP; st closed" },
	{ "keepalive-answer-resets-count", "9293 3.8.4", "ka=1000",
	  "+5000; > A -1; > A -1; > A -1; > A -1; > A -1; < A 0; +5000; > A -1;"
	  "> A -1; > A -1; > A -1; > A -1; < A 0; st estab" },
	{ "keepalive-gap-75s", "1122 4.2.3.6", "ka=7200000",
	  "+7200000; > A -1; +74999; .; +1; > A -1" },
	{ "keepalive-not-with-flight", "9293 3.8.4",
	  "ka=1000 srtt=1900000 rttvar=0",
	  "w 10; > A 0+10; +1999; .; +1; > A 0+10" },
	{ "keepalive-old-peer-answer", "9293 3.8.4", "ka=1000",
	  "w 10; > A 0+10; < A 0 a10; +1000; > A 9 a0; < A 0; ev S; q 1" },
};

int main(void)
{
	return script_main("tcp send", cases, sizeof(cases) / sizeof(cases[0]));
}
