// SPDX-License-Identifier: MIT OR Apache-2.0
/* Loss recovery with SACK: RACK, loss probes, proportional rate reduction, the
 * scoreboard, undo. Language: test_tcp_script.h. Segments are 1000 bytes, cwnd
 * is 10,000, SRTT 100 ms and the RTO 200 ms unless a case says otherwise; with
 * FAST the SRTT is 50 ms: a probe after 100 ms.
 *
 * In most cases the round trip is 50 ms, so a segment is lost 12.5 ms after
 * one sent later has arrived (a quarter of it; RFC 8985, 6.2, step 4). */
#include "tests/unit/test_tcp_script.h"

#define FAST "sack srtt=50000 "
#define W2   "w 2000; > A 0+1000; > A 1000+1000;"
#define W3   "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000;"
#define W5                                                  \
	"w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000;" \
	"> A 3000+1000; > A 4000+1000;"
#define W10                                                  \
	"w 10000; > A 0+1000; > A 1000+1000; > A 2000+1000;" \
	"> A 3000+1000; > A 4000+1000; > A 5000+1000;"       \
	"> A 6000+1000; > A 7000+1000; > A 8000+1000; > A 9000+1000;"

static const struct script_case cases[] = {
	/* ---- RACK ---- */
	{ "rack-lost-by-time", "8985 6.2 step 5", FAST,
	  W3 "+50; < A 0 s1000-3000; .; dl 12; +12; .; +1; > A 0+1000; n l 1;"
	     "n f 1; fl 1000; < A 0 a3000; q 1" },
	{ "rack-one-sacked-is-enough", "8985 3.1", FAST,
	  W2 "+50; < A 0 s1000-2000; dl 12; +13; > A 0+1000; n f 1" },
	{ "rack-three-sacked-at-once", "8985 6.2 step 4 DupThresh", FAST,
	  W5 "+50; < A 0 s1000-2000; < A 0 s1000-3000; .; < A 0 s1000-4000;"
	     "> A 0+1000; .; n l 1" },
	{ "rack-three-sacked-by-one-ack", "8985 6.2 step 4 DupThresh", FAST,
	  W5 "+50; < A 0 s1000-4000; > A 0+1000; n l 1" },
	{ "rack-reordered-within-window", "8985 6.2 step 5", FAST,
	  W3 "+50; < A 0 s1000-2000; +12; < A 0 a2000; +200; > A 2000+1000;"
	     "n l 0; n f 0; n p 1; n t 0" },
	{ "rack-timer-for-the-oldest-then-the-next", "8985 6.2 step 5", FAST,
	  "w 1000; > A 0+1000; +5; w 2000; > A 1000+1000; > A 2000+1000; +50;"
	  "< A 0 s2000-3000; dl 7; +8; > A 0+1000; dl 4; n l 1; +4; n l 1; +1;"
	  "n l 2; n f 1; .; +45; < A 0 a1000 s2000-3000; > A 1000+1000" },
	{ "rack-sent-later-is-not-lost", "8985 6.2 step 5", FAST,
	  W3
	  "+20; w 1000; > A 3000+1000; +30; < A 0 s1000-3000; +13; > A 0+1000;"
	  "n l 1; < A 0 s1000-3000; +40; .; n l 1" },
	{ "rack-order-of-sending-within-a-tick", "8985 6.2 RACK_sent_after",
	  FAST,
	  W5 "< A 0 s1000-4000; > A 0+1000; w 1000; < A 0 s1000-5000;"
	     "> A 5000+1000; n l 1; n r 1; < A 0 a6000; q 1" },
	{ "rack-window-is-a-tick-at-least", "8985 6.2 step 4, TCP_CLOCK_US",
	  "sack srtt=1000",
	  W3 "< A 0 s1000-2000; dl 3; +4; > A 0+1000; n l 1" },
	{ "rack-window-is-srtt-at-most", "8985 6.2 step 4", "sack srtt=5000",
	  W3
	  "+10; > A 2000+1000; +90; < A 0 s1000-2000; dl 4; +5; > A 0+1000" },
	{ "rack-reordering-seen-always-waits", "8985 6.2 step 3 and 4", FAST,
	  W5
	  "+50; < A 0 s2000-3000; < A 0 a1000 s2000-3000; < A 0 a5000;"
	  "w 5000; > A 5000+1000; > A 6000+1000; > A 7000+1000; > A 8000+1000;"
	  "> A 9000+1000; +50; < A 0 s6000-10000; .; dl 12; +13; > A 5000+1000" },
	{ "rack-no-reordering-from-lost-acks", "8985 6.2 step 3", FAST,
	  W10 "+50; < A 0 a2000 s3000-10000; > A 2000+1000; n f 1" },
	{ "rack-lost-retransmission", "8985 3.4", FAST,
	  "w 9000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; > A 5000+1000; > A 6000+1000; > A 7000+1000;"
	  "> A 8000+1000; +50; < A 0 s1000-6000; > A 0+1000; .; w 5000;"
	  "< A 0 s1000-7000; > A 9000+1000; < A 0 s1000-9000; > A 10000+1000;"
	  "> A 11000+1000; +50; < A 0 s1000-10000; > A 0+1000; > A 12000+1000;"
	  "n l 2; n t 0; n f 1" },
	{ "rack-retransmission-too-early-says-nothing", "8985 6.2 step 2", FAST,
	  W5 "+50; < A 0 s2000-5000; > A 0+1000; > A 1000+1000; +1;"
	     "< A 0 a1000 s2000-5000; .; +40; n l 2; ." },
	{ "rack-echo-of-the-original-says-nothing", "8985 6.2 step 2",
	  FAST "ts",
	  W5 "+50; < A 0 t50,0 s2000-5000; > A 0+1000; > A 1000+1000; +60;"
	     "< A 0 a1000 t110,0 s2000-5000; .; n l 2" },
	{ "rack-sack-of-a-retransmission-counts", "8985 6.2 step 2", FAST "ts",
	  W5 "+50; < A 0 t50,0 s2000-5000; > A 0+1000; > A 1000+1000; +50;"
	     "< A 0 t100,0 s1000-5000; > A 0+1000; n l 3" },
	{ "rack-not-without-sack", "8985 2", "srtt=50000",
	  W3
	  "+50; < A 0 s1000-3000; .; +149; .; +1; > A 0+1000; n t 1; n p 0" },
	{ "rack-hole-filled-timer-off", "8985 6.2 step 5", FAST,
	  W2 "+50; < A 0 s1000-2000; dl 12; < A 0 a2000; dl never; q 1" },
	{ "rack-timer-not-moved-by-new-data", "8985 7.2", FAST,
	  W3 "+50; < A 0 s1000-2000; w 1000; > A 3000+1000; dl 12; +13;"
	     "> A 0+1000" },

	/* ---- the reordering window adapts ---- */
	{ "reo-window-grows-by-dsack", "8985 6.2 step 4, 2883 4", FAST,
	  W2 "+50; < A 0 s1000-2000; +13; > A 0+1000; +1; < A 0 a2000;"
	     "< A 0 s0-1000; w 2000; > A 2000+1000; > A 3000+1000;"
	     "+50; < A 0 s3000-4000; dl 24; +25; > A 2000+1000" },
	{ "reo-window-grows-once-a-round", "8985 6.2 step 4", FAST,
	  W2 "+50; < A 0 s1000-2000; +13; > A 0+1000; +1; < A 0 a2000;"
	     "w 2000; > A 2000+1000; > A 3000+1000;"
	     "< A 0 s0-1000; < A 0 s0-1000; < A 0 s0-1000;"
	     "+50; < A 0 s3000-4000; dl 24; +25; > A 2000+1000" },
	{ "reo-window-next-round", "8985 6.2 step 4", FAST,
	  W2 "+50; < A 0 s1000-2000; +13; > A 0+1000; +1; < A 0 a2000;"
	     "w 1000; > A 2000+1000; < A 0 s0-1000; +50; < A 0 a3000 s0-1000;"
	     "w 2000; > A 3000+1000; > A 4000+1000; +50; < A 0 s4000-5000;"
	     "dl 37; +38; > A 3000+1000" },
	{ "reo-window-not-by-lies", "2883 4", FAST,
	  W2 "+50; < A 0 a2000; < A 0 s1000-500; < A 0 s-900000--899000;"
	     "w 3000; > A 2000+1000; > A 3000+1000; > A 4000+1000;"
	     "+50; < A 0 a2000 s3000-5000; dl 12; +13; > A 2000+1000" },
	{ "reo-window-dsack-within-second-block", "2883 4.2", FAST,
	  W5 "+50; < A 0 s1000-2000; +1; < A 0 s1000-2000 s1000-3000; +12;"
	     "dl 12; +13; > A 0+1000; n f 1" },

	/* ---- loss probes ---- */
	{ "tlp-last-segment-again", "8985 7.2 and 7.3", FAST,
	  W3 "dl 100; +99; .; +1; > AP 2000+1000; n p 1; n t 0; n r 1; dl 200;"
	     "cwnd 10000; < A 0 a3000; q 1" },
	{ "tlp-new-data-first", "8985 7.3", FAST "cwnd=2000",
	  "w 3000; > A 0+1000; > A 1000+1000; .; +100; > AP 2000+1000; n p 1;"
	  "n r 0" },
	{ "tlp-new-data-within-window", "8985 7.3", FAST "wnd=2000 field=2000",
	  "w 3000; > A 0+1000; > A 1000+1000; .; +100; > A 1000+1000; n r 1" },
	{ "tlp-fin-is-new", "8985 7.3", FAST,
	  W2 "stop; fin; +100; go; > AF 2000; .; n p 1; n r 0" },
	{ "tlp-finds-lost-fin", "8985 7.3", FAST,
	  W2 "fin; > AF 2000; +100; > AF 2000; < A 0 a2001; st finwait2" },
	{ "tlp-one-segment-waits-for-delayed-ack", "8985 7.2",
	  FAST "rttvar=100000",
	  "w 1000; > A 0+1000; dl 300; +300; > A 0+1000; n p 1; n t 0; dl 450" },
	{ "tlp-not-later-than-rto", "8985 7.2", FAST,
	  "w 1000; > A 0+1000; dl 200; +200; > A 0+1000; n p 1; n t 0; +200;"
	  "> A 0+1000; n t 1" },
	{ "tlp-second-without-rtt", "8985 7.2", "sack srtt=0",
	  W2 "dl 1000; +1000; > A 1000+1000; n p 1" },
	{ "tlp-ten-ms-at-least", "8985 7.2, two ticks", "sack srtt=100",
	  W2 "dl 10; +10; > A 1000+1000" },
	{ "tlp-restarts-with-new-data", "8985 7.2", FAST,
	  W2 "+60; w 1000; > A 2000+1000; dl 100" },
	{ "tlp-restarts-with-progress", "8985 7.2", FAST,
	  W3 "+60; < A 0 a1000; dl 102; +60; < A 0 a2000; dl 200; +200;"
	     "> A 2000+1000; n p 1" },
	{ "tlp-not-with-sacked", "8985 7.2", FAST,
	  W5 "+50; < A 0 s1000-2000; +149; n p 0; > A 0+1000; n l 1" },
	{ "tlp-one-at-a-time", "8985 7.3", FAST,
	  W3 "+100; > A 2000+1000; +199; .; +1; > A 0+1000; n p 1; n t 1" },
	{ "tlp-next-after-the-answer", "8985 7.4.2", FAST "cwnd=2000",
	  "w 3000; > A 0+1000; > A 1000+1000; +100; > AP 2000+1000; < A 0 a3000;"
	  "w 2000; > A 3000+1000; > A 4000+1000; +200; > A 4000+1000; n p 2" },
	{ "tlp-not-without-sack", "8985 7.2", "srtt=50000",
	  W2 "+199; .; +1; > A 0+1000; n t 1; n p 0" },
	{ "tlp-not-into-a-closed-window", "8985 7.2", FAST,
	  W2 "+10; < A 0 w0; +190; > A 0+1; n p 0" },
	{ "tlp-off-when-window-shuts", "8985 7.2", FAST,
	  W2 "+10; < A 0 w0; < A 0; dl 190" },
	{ "tlp-all-lost-but-the-probe", "8985 7.1", FAST,
	  W5 "+100; > A 4000+1000; +50; < A 0 s4000-5000; > A 0+1000; .;"
	     "n l 4; n t 0; +50; < A 0 a1000 s4000-5000; > A 1000+1000;"
	     "> A 2000+1000; +50; < A 0 a3000 s4000-5000; > A 3000+1000; +50;"
	     "< A 0 a5000; q 1; n t 0" },
	{ "tlp-repaired-a-loss", "8985 7.4.2", FAST,
	  W5 "+50; < A 0 a4000; +200; > A 4000+1000; +50; < A 0 a5000;"
	     "cwnd 10000; w 1000; > A 5000+1000; +50; < A 0 a6000; ssth 2000;"
	     "n f 0" },
	{ "tlp-dsack-no-loss", "8985 7.4.1, 2883", FAST,
	  W2 "+100; > A 1000+1000; < A 0 a2000; +1; < A 0 a2000 s1000-2000;"
	     "w 1000; > A 2000+1000; +50; < A 0 a3000; cwnd 10000" },
	{ "tlp-dsack-is-no-reordering", "8985 6.2 step 4", FAST,
	  W2
	  "+50; < A 0 a1000; +200; > A 1000+1000; < A 0 a2000; +1;"
	  "< A 0 a2000 s1000-2000; w 3000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; +50; < A 0 s3000-5000; dl 12; +13; > A 2000+1000" },
	{ "tlp-dup-without-sack-no-loss", "8985 7.4.1", FAST,
	  W2 "+100; > A 1000+1000; < A 0 a2000; w 1000; > A 2000+1000; < A 0;"
	     "+50; < A 0 a3000; cwnd 10000" },
	{ "tlp-of-new-data-no-loss", "8985 7.4.2", FAST "cwnd=2000",
	  "w 4000; > A 0+1000; > A 1000+1000; +100; > A 2000+1000; < A 0 a3000;"
	  "> AP 3000+1000; +50; < A 0 a4000; ssth 2147483647" },
	{ "tlp-shortened-by-mss", "8985 7.3, 1191", FAST,
	  W2 "stop; +100; icmp 0 600 0; go; > A 0+560; > A 560+440;"
	     "> A 1000+560; > A 1560+440; n p 0" },
	{ "tlp-adopted", "8985 7.2", FAST "unacked=3968 resp=3968 sent=60",
	  "dl 40; +40; > A -992+992; n p 1; n t 0; +50; < A 0 a-3968 s-992-0;"
	  "> A -3968+992; n l 3" },
	{ "tlp-adopted-late-at-once", "8985 7.2",
	  FAST "unacked=3968 resp=3968 sent=150", "+0; > A -992+992; n p 1" },

	/* Less is delivered than was sent again, and that is lost, too. */
	{ "prr-a-segment-when-nothing-is-in-flight", "9937 6.2, 8985 3.4", FAST,
	  "w 1000; > A 0+1000; w 100; > A 1000+100; w 1000; > A 1100+1000; +50;"
	  "< A 0 s1100-2100; +13; > A 0+1000; .; +50; < A 0 a500 s1100-2100;"
	  "> A 1000+100; .; +50; < A 0 a500 s1000-2100; fl 500; > A 500+500;"
	  "n t 0; < A 0 a2100; q 1" },

	/* ---- the retransmission timer ---- */
	{ "rto-not-what-is-on-its-way", "8985 6.3", FAST,
	  W3 "+50; < A 0 s2000-3000; +13; > A 0+1000; n l 2; +180; w 1000; .;"
	     "+7; .; +14; > A 0+1000; n t 1; ls 1" },
	{ "rto-restarts-with-the-first-repair", "6675 6", FAST,
	  W5 "+50; < A 0 a1000 s2000-5000; +100; < A 0 s2000-5000; n f 1;"
	     "> A 1000+1000; dl 100; n t 0" },
	{ "rto-in-recovery-ssthresh-stays", "5681 3.1", FAST,
	  W5 "+50; < A 0 s1000-4000; > A 0+1000; ssth 2500; +200; > A 0+1000;"
	     "n t 1; ssth 2500; cwnd 1000" },
	{ "rto-not-while-sacks-come", "6675 6", FAST,
	  W10 "+50; < A 0 s1000-4000; > A 0+1000; +150; < A 0 s1000-5000;"
	      "dl 200; n t 0; +199; .; n t 0; +1; > A 0+1000; n t 1" },
	{ "rto-no-recovery-within", "6675 5.1", FAST,
	  W5 "+50; < A 0 s3000-4000; +13; > A 0+1000; n f 1; +200; > A 0+1000;"
	     "n t 1; +50; < A 0 a1000 s3000-4000; > A 1000+1000; > A 2000+1000;"
	     "n f 1; < A 0 a5000; cwnd 3000; ssth 2500; q 1" },

	/* ---- reneging ---- */
	{ "renege-ack-at-a-sacked-one", "2018 8", FAST,
	  W5 "+50; < A 0 s1000-2000; sk 1000; < A 0 a1000; sk 0; n f 1;"
	     "> A 1000+1000; fl 4000" },
	{ "renege-in-recovery", "2018 8", FAST,
	  W5 "+50; < A 0 s2000-5000; > A 0+1000; > A 1000+1000; +50;"
	     "< A 0 a2000; sk 0; > A 2000+1000; > A 3000+1000; .; +50;"
	     "< A 0 a4000; > A 4000+1000; < A 0 a5000; q 1" },

	/* ---- SACK blocks ---- */
	{ "sack-many-holes", "6675 3", FAST "cwnd=40000",
	  "w 24000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; > A 5000+1000; > A 6000+1000; > A 7000+1000;"
	  "> A 8000+1000; > A 9000+1000; > A 10000+1000; > A 11000+1000;"
	  "> A 12000+1000; > A 13000+1000; > A 14000+1000; > A 15000+1000;"
	  "> A 16000+1000; > A 17000+1000; > A 18000+1000; > A 19000+1000;"
	  "> A 20000+1000; > A 21000+1000; > A 22000+1000; > A 23000+1000; stop;"
	  "+50; < A 0 s1000-2000 s3000-4000 s5000-6000 s7000-8000;"
	  "< A 0 s9000-10000 s11000-12000 s13000-14000 s15000-16000;"
	  "< A 0 s17000-18000 s19000-20000 s21000-22000 s23000-24000; sk 12000;"
	  "ls 12; fl 0; go; > A 0+1000; > A 2000+1000; > A 4000+1000;"
	  "> A 6000+1000; > A 8000+1000; > A 10000+1000; > A 12000+1000;"
	  "> A 14000+1000; > A 16000+1000; > A 18000+1000; > A 20000+1000;"
	  "> A 22000+1000; < A 0 a24000; q 1" },
	{ "sack-block-grows-both-ways", "2018 4", FAST,
	  W10 "stop; < A 0 s4000-5000; sk 1000;"
	      "< A 0 s4000-6000; sk 2000; < A 0 s3000-6000; sk 3000;"
	      "< A 0 s8000-9000 s3000-6000; sk 4000; < A 0 s3000-9000; sk 6000;"
	      "< A 0 s1000-10000; sk 9000; < A 0 a10000; sk 0; go; q 1" },
	{ "sack-overlapping-blocks", "2018 4", FAST,
	  W5 "stop; < A 0 s1000-3000 s2000-4000 s1000-4000; sk 3000;"
	     "< A 0 s1000-5000; sk 4000; go; > A 0+1000; < A 0 a5000; q 1" },
	{ "sack-in-part-then-whole", "2018 5", FAST,
	  W5 "stop; < A 0 s1000-2500; sk 1000; < A 0 s1000-3000; sk 2000;"
	     "< A 0 s3500-4000; < A 0 s3000-4000; sk 3000; go; > A 0+1000" },
	{ "sack-lies", "2018 3, 5961 5", FAST,
	  W3 "< A 0 s1000-3001; < A 0 s2000-1000; < A 0 s0-3000;"
	     "< A 0 s-500-2000; < A 0 s-2000--1000; < A 0 s3000-4000;"
	     "< A 0 s2000-2000; sk 0; n l 0; dl 100" },
	{ "sack-old-ack-says-nothing", "9293 3.10.7.4", FAST,
	  W3 "< A 0 a1000; < A 0 a0 s2000-3000; sk 0" },
	{ "sack-with-progress", "6675 5", FAST,
	  W5 "+50; < A 0 a1000 s2000-3000; sk 1000; < A 0 a1000 s2000-5000;"
	     "sk 3000; > A 1000+1000; < A 0 a5000; q 1" },
	{ "sack-block-seen-after-progress", "2018 4", FAST,
	  W5 "stop; < A 0 s1000-3000; sk 2000; < A 0 a3000; sk 0;"
	     "< A 0 a3000 s4000-5000; sk 1000; go; +13; > A 3000+1000" },
	{ "sack-of-what-was-taken-for-lost", "8985 6.2", FAST,
	  W5 "stop; +50; < A 0 s2000-5000; ls 2; < A 0 s1000-5000; ls 1;"
	     "sk 4000; go; > A 0+1000; .; < A 0 a5000; q 1" },

	/* ---- proportional rate reduction ---- */
	{ "prr-one-for-two-down-to-ssthresh", "9937 6.2", FAST,
	  W10 "w 9000; +50; < A 0 s1000-4000; > A 0+1000; .; ssth 5000;"
	      "< A 0 s1000-5000; > A 10000+1000; < A 0 s1000-6000; .;"
	      "< A 0 s1000-7000; .; fl 5000; < A 0 s1000-8000; > A 11000+1000;"
	      "< A 0 s1000-9000; > A 12000+1000; < A 0 s1000-10000;"
	      "> A 13000+1000; fl 5000; +50; < A 0 a10000; cwnd 5000;"
	      "> A 14000+1000; fl 5000" },
	{ "prr-many-lost-slow-start", "9937 6.2 SafeACK", FAST,
	  W10
	  "+50; < A 0 s7000-10000; > A 0+1000; > A 1000+1000; > A 2000+1000;"
	  ".; fl 3000; +50; < A 0 a1000 s7000-10000; > A 3000+1000;"
	  "> A 4000+1000; .; < A 0 a2000 s7000-10000; > A 5000+1000;"
	  "> A 6000+1000; .; fl 5000; < A 0 a10000; cwnd 5000; q 1" },
	{ "prr-fast-retransmit-at-least", "9937 6.2", FAST "cwnd=2000",
	  W2 "+50; < A 0 s1000-2000; +13; > A 0+1000; .; n f 1" },
	{ "prr-loss-of-new-data-is-another", "6675 5, 5681 4.3", FAST,
	  W10 "w 9000; +50; < A 0 s1000-4000; > A 0+1000; < A 0 s1000-10000;"
	      "> A 10000+1000; > A 11000+1000; > A 12000+1000; > A 13000+1000;"
	      "ssth 5000; +50; < A 0 a10000 s11000-14000; n f 2; ssth 2500;"
	      "> A 10000+1000; > A 14000+1000; ." },
	{ "loss-of-new-data-found-early", "6675 5, 5681 4.3", FAST,
	  W10 "w 4000; +50; < A 0 s1000-4000; > A 0+1000; < A 0 s1000-10000;"
	      "> A 10000+1000; > A 11000+1000; > A 12000+1000; > A 13000+1000;"
	      "+50; < A 0 s1000-10000 s11000-14000; > A 0+1000; > A 10000+1000;"
	      "n f 1; +50; < A 0 a10000 s11000-14000; n f 2; ssth 2500;"
	      "< A 0 a14000; q 1" },
	{ "loss-of-the-last-of-the-window", "6675 5, 5681 4.3", FAST,
	  W10
	  "w 4000; +50; < A 0 s1000-9000; > A 0+1000; > A 10000+1000;"
	  "> A 11000+1000; > A 12000+1000; +50; < A 0 s1000-9000 s10000-11000;"
	  "> A 0+1000; > A 9000+1000; > A 13000+1000; +50; < A 0 a13000; n f 1;"
	  "cwnd 5000; < A 0 a14000; q 1" },
	{ "recovery-once-for-a-window", "6675 5", FAST,
	  W10 "+50; < A 0 s1000-4000; > A 0+1000; ssth 5000; < A 0 s1000-4000"
	      " s5000-10000; > A 4000+1000; +50; < A 0 a4000 s5000-10000;"
	      "ssth 5000; n f 1; < A 0 a10000; cwnd 5000" },

	/* ---- undo ---- */
	{ "undo-timeout", "3522 3, 4015 3", "sack ts srtt=50000 ssth=9000",
	  W5 "+100; > A 4000+1000 t100,0; +200; > A 0+1000 t300,0; cwnd 1000;"
	     "+50; < A 0 a1000 t350,0; .; cwnd 10000; ssth 9000; n u 1; ls 0;"
	     "fl 4000; < A 0 a5000 t351,0; .; q 1" },
	{ "undo-timeout-not-if-the-copy-arrived", "3522 3",
	  "sack ts srtt=50000",
	  W5 "+100; > A 4000+1000; +200; > A 0+1000 t300,0; +50;"
	     "< A 0 a1000 t350,300; > A 1000+1000; > A 2000+1000; n u 0;"
	     "cwnd 2000" },
	{ "undo-timeout-first-ack-decides", "3522 3", "sack ts srtt=50000",
	  W5 "+100; > A 4000+1000; +200; > A 0+1000 t300,0; +50;"
	     "< A 0 a1000 t350,300; > A 1000+1000; > A 2000+1000;"
	     "< A 0 a2000 t350,0; n u 0; > A 3000+1000; > A 4000+1000" },
	{ "undo-timeout-without-sack", "3522 3", "ts srtt=50000",
	  W3 "+200; > A 0+1000 t200,0; +50; < A 0 a1000 t250,0; .; n u 1;"
	     "cwnd 10000; < A 0 a3000 t251,0; q 1" },
	{ "undo-not-without-timestamps", "3522 3", "srtt=50000",
	  W3 "+200; > A 0+1000; +50; < A 0 a1000; > A 1000+1000; > A 2000+1000;"
	     "n u 0" },
	{ "undo-recovery-reordered", "3522 3, 4015 3", FAST "ts",
	  W5 "+50; < A 0 t50,0 s1000-4000; > A 0+1000 t50,50; ssth 2500; +5;"
	     "< A 0 a4000 t51,0; n u 1; cwnd 10000; fl 1000; n f 1" },
	{ "undo-recovery-when-all-is-acked", "3522 3", FAST "ts",
	  W5 "+50; < A 0 t50,0 s2000-5000; > A 0+1000; > A 1000+1000; +5;"
	     "< A 0 a1000 t55,0 s2000-5000; n u 0; < A 0 a5000 t56,0; n u 1;"
	     "cwnd 10000; q 1" },
	{ "undo-recovery-not-if-lost", "3522 3", FAST "ts",
	  W5 "+50; < A 0 t50,0 s1000-5000; > A 0+1000 t50,50; +50;"
	     "< A 0 a5000 t100,50; n u 0; cwnd 2500; q 1" },

	/* ---- what is lost ---- */
	{ "lost-fin", "9293 3.8.1", FAST,
	  W2 "fin; > AF 2000; +50; < A 0 a2000; +200; > AF 2000; +50;"
	     "< A 0 a2001; st finwait2; n t 0" },
	{ "lost-fin-by-rack", "8985 6.2", FAST,
	  W5 "fin; > AF 5000; +50; < A 0 s1000-5000; > A 0+1000; +50;"
	     "< A 0 a5000; > AF 5000; n l 2; n p 0; < A 0 a5001; st finwait2" },
	{ "lost-last-segment", "8985 7.1", FAST,
	  W3 "+50; < A 0 a2000; +200; > A 2000+1000; < A 0 a3000; q 1; n t 0" },
	{ "lost-all-but-one", "8985 6.2", FAST,
	  W5 "+50; < A 0 s2000-3000; +13; > A 0+1000; .; n l 2; +50;"
	     "< A 0 a1000 s2000-3000; n l 4; > A 1000+1000; .; +50;"
	     "< A 0 a3000; > A 3000+1000; > A 4000+1000; +50; < A 0 a5000;"
	     "q 1; n t 0" },
	{ "lost-all", "6298 5.4", FAST,
	  W3 "+100; > A 2000+1000; +200; > A 0+1000; +50; < A 0 a1000;"
	     "> A 1000+1000; > A 2000+1000; +50; < A 0 a3000; q 1; n t 1" },

	/* ---- records ---- */
	{ "records-full-then-ack", "6675 3", "sack recs=16",
	  "stop; w 10; go; > A 0+10; stop; go; w 10; > A 10+10; w 10; > A 20+10;"
	  "w 10; > A 30+10; w 10; > A 40+10; w 10; > A 50+10; w 10; > A 60+10;"
	  "w 10; > A 70+10; w 10; > A 80+10; w 10; > A 90+10; w 10; > A 100+10;"
	  "w 10; > A 110+10; w 10; > A 120+10; w 10; > A 130+10; w 10;"
	  "> A 140+10; w 10; > A 150+10; w 10; .; w 10; .; < A 0 a20;"
	  "> A 160+20; w 10; > A 180+10; w 10; ." },
	{ "records-move", "6675 3", FAST "recs=16",
	  W10 "recs 32; +50; < A 0 s1000-4000; recs 64; > A 0+1000; recs 16;"
	      "< A 0 a4000 s5000-10000; > A 4000+1000; < A 0 a10000; q 1" },
	{ "records-split-by-mss", "1191 6.3", FAST,
	  W3 "icmp 0 600 0; > A 0+560; > A 560+440; > A 1000+560;"
	     "> A 1560+440; > A 2000+560; > A 2560+440; fl 3000;"
	     "< A 0 s560-3000; +50; > A 0+560; < A 0 a3000; q 1" },
	{ "records-split-when-full", "1191 6.3", FAST "recs=16 cwnd=16000",
	  "w 16000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; > A 5000+1000; > A 6000+1000; > A 7000+1000;"
	  "> A 8000+1000; > A 9000+1000; > A 10000+1000; > A 11000+1000;"
	  "> A 12000+1000; > A 13000+1000; > A 14000+1000; > A 15000+1000;"
	  "icmp 0 600 0; > A 0+560; > A 560+440; > A 1000+560; > A 1560+440;"
	  "> A 2000+560; > A 2560+440; > A 3000+560; > A 3560+440;"
	  "> A 4000+560; > A 4560+440; > A 5000+560; > A 5560+440;"
	  "> A 6000+560; > A 6560+440; > A 7000+560; > A 7560+440; .;"
	  "< A 0 a8000; > A 8000+560; > A 8560+560; > A 9120+560; > A 9680+560;"
	  "> A 10240+560; > A 10800+560; > A 11360+560; > A 11920+560;"
	  "> A 12480+560; > A 13040+560; > A 13600+560; > A 14160+560;"
	  "> A 14720+560; > A 15280+560; > AP 15840+160; .; < A 0 a16000; q 1" },
	{ "records-adopted-as-they-were-cut", "2018 5, response.bpf.h",
	  FAST "unacked=2000 resp=3968",
	  "< A 0 a-2000 s-992-0; fl 1008; +13; > A -2000+16; .; +50;"
	  "< A 0 a-1984 s-992-0; > A -1984+992" },
	{ "records-adopted-too-many", "6675 3",
	  FAST "unacked=16368 resp=16368 recs=16 cwnd=20000",
	  "fl 15872; < A 0 a-8000; > A -496+496; < A 0 a0; q 1" },
	{ "records-probe-byte-has-none", "9293 3.8.6.1", FAST "wnd=0 field=0",
	  "w 2000; +200; > A 0+1; fl 0; < A 0 a0 w2000; > A 0+1000;"
	  "> A 1000+1000; fl 2000; < A 0 a2000; q 1" },
	{ "records-small-end-joins", "9293 3.8.1", FAST,
	  "w 500; > A 0+500; w 10; > A 500+10; fin; > AF 510; +100; > AF 510;"
	  "+200; > A 0+500; +50; < A 0 a500; > AF 500+10; < A 0 a511;"
	  "st finwait2" },
};

int main(void)
{
	return script_main("tcp rack", cases, sizeof(cases) / sizeof(cases[0]));
}
