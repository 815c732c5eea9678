// SPDX-License-Identifier: MIT OR Apache-2.0
/* Edges that the other lists of cases leave open, found by reading the RFCs
 * beside them and by mutants of the engine that they let live. Language:
 * test_tcp_script.h. */
#include "tests/unit/test_tcp_script.h"

#define FAST "sack srtt=50000 "
#define W5                                                  \
	"w 5000; > A 0+1000; > A 1000+1000; > A 2000+1000;" \
	"> A 3000+1000; > A 4000+1000;"
#define F5                                                     \
	"w 5000; > A 1000+1000; > A 2000+1000; > A 3000+1000;" \
	"> A 4000+1000; > A 5000+1000;"
#define W10                                                           \
	"w 10000; > A 0+1000; > A 1000+1000; > A 2000+1000;"          \
	"> A 3000+1000; > A 4000+1000; > A 5000+1000; > A 6000+1000;" \
	"> A 7000+1000; > A 8000+1000; > A 9000+1000;"
#define W3 "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000;"
#define W16                                                               \
	"w 16000; > A 0+1000; > A 1000+1000; > A 2000+1000;"              \
	"> A 3000+1000; > A 4000+1000; > A 5000+1000; > A 6000+1000;"     \
	"> A 7000+1000; > A 8000+1000; > A 9000+1000; > A 10000+1000;"    \
	"> A 11000+1000; > A 12000+1000; > A 13000+1000; > A 14000+1000;" \
	"> A 15000+1000;"
#define HALVES                                                    \
	"> A 0+560; > A 560+440; > A 1000+560; > A 1560+440;"     \
	"> A 2000+560; > A 2560+440; > A 3000+560; > A 3560+440;" \
	"> A 4000+560; > A 4560+440; > A 5000+560; > A 5560+440;" \
	"> A 6000+560; > A 6560+440; > A 7000+560; > A 7560+440; .;"
#define W16384                                            \
	"stop; w 16384; go; > A 0+1000; > A 1000+1000;"   \
	"> A 2000+1000; > A 3000+1000; > A 4000+1000;"    \
	"> A 5000+1000; > A 6000+1000; > A 7000+1000;"    \
	"> A 8000+1000; > A 9000+1000; > A 10000+1000;"   \
	"> A 11000+1000; > A 12000+1000; > A 13000+1000;" \
	"> A 14000+1000; > A 15000+1000; > A 16000+384;"

static const struct script_case cases[] = {
	/* ---- acceptability, RST, the ACK field ---- */
	{ "rst-at-the-last-number", "5961 3.2", "rcv=4096 adv=4096",
	  "< R 4095; > A 0 a0; n c 1; < R 4096; .; < R 4097; .; n c 1; st estab" },
	{ "after-reset-no-events", "9293 3.10.7.1", "",
	  "w 10; > A 0+10; < R 0; ev RP; <n A 0 a10; .; ev -; <n A 0+5 a10; ev -;"
	  "<n R 0; ev -; <n S 7; .; n c 0" },
	{ "ack-old-within-scaled-window", "5961 5.2", "ws=7 field=2000",
	  "< A 0 a0 w2000; < A 0+5 a-255999; ev DP; < A 5+5 a-256001; > A 0 a5;"
	  "ev -; n c 1" },
	{ "ack-old-window-only-grows", "5961 5.2", "wnd=200000 ws=7",
	  "< A 0 a0 w10; < A 0+5 a-200000; ev DP; < A 5+5 a-200001; > A 0 a5;"
	  "ev -; n c 1" },
	{ "challenges-begin-anew-each-second", "5961 7", "",
	  "+5000; stop; < S 1; < S 1; < S 1; < S 1; < S 1; < S 1; < S 1; < S 1;"
	  "< S 1; < S 1; < S 1; n c 10; +999; < S 1; n c 10; +1; < S 1; < S 1;"
	  "n c 12; go; > A 0; ." },
	{ "one-old-byte-before-the-new", "9293 3.10.7.4", "",
	  "< A 0+10; r 10; < A 9+2; rd 1; r 1; +40; > A 0 a11" },

	/* ---- timestamps ---- */
	{ "ts-hole-of-one", "7323 4.3", "ts",
	  "< A 0+10 t5,0; +40; > A 0 a10 t40,5; < A 11+10 t7,0;"
	  "> A 0 a10 t40,5; < A 10+1 t6,0; > A 0 a21 t40,6" },
	{ "ts-straddling-segment-updates", "7323 4.3", "ts",
	  "< A 0+10 t5,0; +40; > A 0 a10 t40,5; < A 5+10 t9,0; r 15; +40;"
	  "> A 0 a15 t80,9" },
	{ "ts-goes-by-the-last-ack-sent", "7323 4.3", "ts",
	  "< A 0+10 t5,0; < A 10+10 t6,0; < A 20+10 t7,0; +40; > A 0 a30 t40,5" },
	{ "ts-on-every-kind", "7323 3.2", "ts",
	  "w 10; > A 0+10 t0,0; < A 0+10 t5,0; < S 1; > A 10 a10 t0,5; fin;"
	  "> AF 10 a10 t0,5; abort; > RA 11 a10 t0,5" },
	{ "paws-fin", "7323 5.3 R1", "ts",
	  "< A 0+10 t50,0; +40; > A 0 a10; ev DP; <y AF 10 t49,0; > A 0 a10; ev -;"
	  "st estab; < AF 10 t50,0; > A 0 a11; st closewait" },
	{ "paws-ack-frees-nothing", "7323 5.3 R1", "ts",
	  "< A 0 t50,0; w 10; > A 0+10; < A 0+1 a10 t49,0; > A 10 a0; ev -; q 0" },
	{ "paws-before-the-window", "7323 5.3", "ts",
	  "< A 0 t50,0; < A 300000+10 t49,0; > A 0 a0; n c 0; ev -;"
	  "< A 300000+10 t51,0; > A 0 a0; n c 1" },
	{ "paws-half-the-clock", "7323 5.2", "ts",
	  "< A 0 t1,0; < A 0+10 t-2147483646,0; > A 0 a0; ev -;"
	  "< A 0+10 t2147483647,0; ev DP" },
	{ "ts-syn-ignores-its-timestamp", "5961 4.2", "ts",
	  "< A 0 t50,0; < S 0 t99,0; > A 0 t0,50; < S 0 t1,0; > A 0 t0,50; n c 2" },
	{ "ts-age-survives-the-entry", "7323 5.5", "ts",
	  "+1728000000; < A 0+10 t100,0; +40; > A 0 a10; r 10; ev DP; reopen;"
	  "+432000000; < A 10+10 t4,0; > A 0 a10; ev -; rd 0" },

	/* ---- window scale ---- */
	{ "scale-zero-is-an-option-too", "7323 2.2", "ws=0 wnd=1000 field=1000",
	  "w 1500; > A 0+1000; < A 0 a1000 w499; .; < A 0 a1000 w500;"
	  "> AP 1000+500" },
	{ "scale-fourteen-at-most", "7323 2.3", "ws=15 wnd=0 cwnd=65536",
	  "stop; w 30000; < A 0 a0 w1; go; > A 0+1000; > A 1000+1000;"
	  "> A 2000+1000; > A 3000+1000; > A 4000+1000; > A 5000+1000;"
	  "> A 6000+1000; > A 7000+1000; > A 8000+1000; > A 9000+1000;"
	  "> A 10000+1000; > A 11000+1000; > A 12000+1000; > A 13000+1000;"
	  "> A 14000+1000; > A 15000+1000; ." },
	{ "scale-fourteen-gigabyte", "7323 2.3", "ws=14 wnd=0",
	  "< A 0 a0 w65535; w 1000; > AP 0+1000; < A 0 a1000 w65535;"
	  "< A 0+5 a-1073000000; ev DSP" },
	{ "window-from-a-straddling-segment", "9293 3.10.7.4 fifth",
	  "wnd=0 field=0", "w 10; .; < A -1+2 w1000; > AP 0+10 a1" },

	/* ---- SACK sent, reassembly ---- */
	{ "sack-block-of-one-byte", "2018 4", "sack",
	  "< A 10+1; > A 0 a0 s10-11; < A 20+1; > A 0 s20-21 s10-11;"
	  "< A 11+1; > A 0 s10-12 s20-21; < A 22+1; > A 0 s22-23 s10-12 s20-21" },
	{ "sack-oldest-told-when-there-is-room", "2018 4", "sack",
	  "< A 100+10; > A 0 s100-110; < A 200+10; > A 0 s200-210 s100-110;"
	  "< A 300+10; > A 0 s300-310 s200-210 s100-110;"
	  "< A 400+10; > A 0 s400-410 s300-310 s200-210 s100-110;"
	  "< A 500+10; > A 0 s500-510 s400-410 s300-310 s200-210;"
	  "< A 410+90; > A 0 s400-510 s300-310 s200-210 s100-110" },
	{ "sack-highest-told-when-others-are-gone", "2018 4", "sack",
	  "< A 500+10; > A 0 s500-510; < A 400+10; > A 0 s400-410 s500-510;"
	  "< A 300+10; > A 0 s300-310 s400-410 s500-510;"
	  "< A 200+10; > A 0 s200-210 s300-310 s400-410 s500-510;"
	  "< A 100+10; > A 0 s100-110 s200-210 s300-310 s400-410;"
	  "< A 0+100; > A 0 a110 s200-210 s300-310 s400-410 s500-510" },
	{ "ooo-full-list-almost-touching", "9293 3.10.7.4 SHLD-31", "",
	  "stop; < A 10+1; < A 20+1; < A 30+1; < A 40+1; < A 50+1; < A 60+1;"
	  "< A 70+1; < A 80+1; < A 90+1; < A 100+1; < A 110+1; < A 120+1;"
	  "< A 130+1; < A 140+1; < A 150+1; < A 160+1; < A 170+1; < A 180+1;"
	  "< A 190+1; < A 200+1; < A 210+1; < A 220+1; < A 230+1; < A 240+1;"
	  "< A 250+1; < A 260+1; < A 270+1; < A 280+1; < A 290+1; < A 300+1;"
	  "< A 310+1; < A 320+1; ev P; < A 18+1; ev -; < A 12+1; ev -;"
	  "< A 19+1; ev P; < A 21+1; ev P; < A 0+10; ev DP; rd 11; go;"
	  "> A 0 a11" },
	{ "second-fin-says-nothing", "9293 3.10.7.4 eighth", "",
	  "< AF 100; > A 0 a0; ev P; < AF 50; > A 0 a0; ev -; < AF 150; > A 0 a0;"
	  "ev -; < A 0+100; > A 0 a101; ev DEP" },
	{ "fin-below-held-data-says-nothing", "9293 3.10.7.4 eighth", "",
	  "< A 100+50; > A 0 a0; ev P; < AF 80; > A 0 a0; ev -; < AF 150; > A 0 a0;"
	  "ev P; < A 0+100; > A 0 a151; ev DEP" },
	{ "fin-alone-beyond-the-window-cut", "9293 3.10.7.4",
	  "rcv=4096 adv=4096",
	  "< AF 4096; > A 0 a0; ev P; < AF 4097; > A 0 a0; ev -; n c 1" },

	/* ---- delayed ACK ---- */
	{ "delayed-ack-two-least-segments", "5681 4.2", "",
	  "< A 0+536; .; < A 536+536; > A 0 a1072" },
	{ "delayed-ack-a-byte-short-of-two", "5681 4.2", "",
	  "< A 0+536; .; < A 536+535; .; < A 1071+1; > A 0 a1072" },
	{ "delayed-ack-goes-by-the-largest-seen", "5681 4.2", "",
	  "< A 0+1000; .; < A 1000+536; .; < A 1536+463; .; < A 1999+1;"
	  "> A 0 a2000" },
	{ "delayed-ack-segment-worth-two", "5681 4.2", "",
	  "< A 0+2919; .; < A 2919+1; > A 0 a2920; < A 2920+2920; > A 0 a5840" },
	{ "delayed-ack-from-the-first", "9293 3.8.6.3 MUST-40", "",
	  "< A 0+10; +39; < A 10+10; +1; > A 0 a20; dl never" },
	{ "delayed-ack-not-for-an-old-fin", "9293 3.10.7.4", "",
	  "< AF 0+10; > A 0 a11; <n AF 5+5; > A 0 a11" },

	/* ---- RTT and RTO ---- */
	{ "rtt-of-nothing", "6298 2.2", "srtt=0",
	  "w 10; > A 0+10; < A 0 a10; srtt 1; rto 200" },
	{ "rtt-of-an-hour", "6298 2.5", "srtt=0 ut=99999000",
	  "w 10; > A 0+10; stop; +4294968; < A 0 a10; srtt 60000000; rto 60000" },
	{ "rto-not-moved-by-sending", "6298 5.1", "",
	  "w 10; > A 0+10; +150; w 10; > A 10+10; dl 50; +49; .; +1; > A 0+20" },
	{ "rto-variance-first", "6298 2.3", "",
	  "w 10; > A 0+10; +20; < A 0 a10; srtt 90000; rto 245; w 10; > A 10+10;"
	  "+90; < A 0 a20; srtt 90000; rto 206" },
	{ "rto-backs-off-for-hours", "6298 5.5", "ut=99999000",
	  "w 10; > A 0+10; stop; +20000000; n t 340; dl 22200; go; > A 0+10" },

	/* ---- congestion window ---- */
	{ "slow-start-to-the-last-byte", "5681 3.1", "cwnd=2000 ssth=2001",
	  "w 9000; > A 0+1000; > A 1000+1000; < A 0 a1000; cwnd 3000;"
	  "> A 2000+1000; > A 3000+1000" },
	{ "avoidance-at-the-threshold", "5681 3.1", "cwnd=2000 ssth=2000",
	  "w 9000; > A 0+1000; > A 1000+1000; < A 0 a1000; cwnd 2000;"
	  "> A 2000+1000; < A 0 a2000; cwnd 3000;"
	  "> A 3000+1000; > A 4000+1000" },
	{ "cwnd-a-byte-short", "5681 3.1", "cwnd=1999",
	  "w 5000; > A 0+1000; .; < A 0 a1000; cwnd 2999; > A 1000+1000;"
	  "> A 2000+1000; ." },

	/* ---- adopted ---- */
	{ "adopted-ring-right-bytes", "9293 3.8.1",
	  "unacked=16384 snd=16384 sent=500", "+0; > A -16384+992" },
	{ "reopened-close-wait-reads-nothing", "9293 3.9.1.3", "",
	  "< AF 0+10; > A 0 a11; r 10; reopen; rd 0; space 65536; <n AF 0+10;"
	  "> A 0 a11; rd 0; <n A 11+5; .; rd 0; ev DEP" },

	/* ---- keep-alive, life ---- */
	{ "keepalive-due-in-time", "9293 3.8.4", "ka=1000",
	  "dl 1000; +400; < A 0; dl 600; +600; .; dl 400; ev -; +400; > A -1;"
	  "ev -" },
	{ "keepalive-nine-after-an-answer", "9293 3.8.4 MUST-29", "ka=1000",
	  "+1000; > A -1; < A 0; +9999; > A -1; > A -1; > A -1; > A -1; > A -1;"
	  "> A -1; > A -1; > A -1; > A -1; .; st estab; +1; > RA 0; ev TP" },
	{ "keepalive-in-close-wait", "9293 3.8.4", "ka=1000",
	  "< AF 0; > A 0 a1; +999; .; +1; > A -1 a1; < A 1; st closewait" },
	{ "fin-wait-2-prolonged-without-events", "9293 3.6", "fw=5000",
	  "fin; > AF 0; < A 0 a1; ev SP; +4000; < A 0; +1000; ev -; st finwait2;"
	  "+4000; > RA 1; ev TP" },

	/* ---- loss recovery ---- */
	{ "loss-during-recovery-is-another", "9937 6, 6675 5", FAST,
	  W5 "+50; < A 0 s1000-5000; > A 0+1000; n f 1; ssth 2500; w 1000;"
	     "> A 5000+1000; w 400; > A 6000+400; +50;"
	     "< A 0 s6000-6400 s1000-5000; > A 0+1000; n l 3; n f 1; +50;"
	     "< A 0 a5000 s6000-6400; > A 5000+1000; n f 2; ssth 2000;"
	     "< A 0 a6400; q 1" },
	{ "undo-puts-back-in-order-of-sending", "3522, 1191", FAST "ts",
	  "w 1000; > A 0+1000; w 100; > A 1000+100; w 100; > A 1100+100; w 100;"
	  "> A 1200+100; +5; w 100; > A 1300+100; w 100; > A 1400+100; w 1000;"
	  "> A 1500+1000; +50; < A 0 t55,0 s1000-1300; > A 0+1000; n f 1; stop;"
	  "icmp 1500 900 0; ls 2; < A 0 a1300 t60,0; n u 1; ls 0;"
	  "fl 1200" },

	/* ---- the send ring ---- */
	{ "snd-grows-if-window-has-a-segment-more", "5681 3.1, tcp_grow.c",
	  "snd=16384 cwnd=17384 wnd=17384", W16384 "short s 1; < A 0 a16384" },
	{ "snd-grows-not-for-a-byte-less-of-window", "5681 3.1, tcp_grow.c",
	  "snd=16384 cwnd=17384 wnd=17383", W16384 "short s 0; < A 0 a16384" },
	{ "snd-grows-not-for-a-byte-less-of-cwnd", "5681 3.1, tcp_grow.c",
	  "snd=16384 cwnd=17383 wnd=17384", W16384 "short s 0; < A 0 a16384" },

	/* ---- what only records, blocks and windows together show ---- */
	{ "dup-acks-when-no-record-is-left", "5681 3.2", "recs=16 cwnd=16000",
	  W16 "icmp 0 600 0;" HALVES "stop; < A 0 a8000; ls 0; < A 0; < A 0;"
	      "< A 0; ls 0" },
	{ "sack-of-what-counts-as-unsent", "2018 4, tcp.h recs",
	  FAST "recs=16 cwnd=16000",
	  W16 "icmp 0 600 0; " HALVES "< A 0 s8000-16000; sk 0; ls 0; stop;"
	      "< A 0 a8000 s8000-16000; sk 0" },
	{ "sack-block-of-before-the-cut", "2018 4, 1191", FAST,
	  W3 "< A 0 s1000-1560; sk 0; icmp 0 600 0; > A 0+560; > A 560+440;"
	     "> A 1000+560; > A 1560+440; > A 2000+560; > A 2560+440; stop;"
	     "< A 0 s1000-2000; sk 1000" },
	{ "sack-a-byte-short-of-the-segment", "2018 5", FAST,
	  W3 "< A 0 s1000-1999; sk 0; stop; < A 0 s1000-2000; sk 1000" },
	{ "sack-order-of-ranges-that-grow-by-a-byte", "2018 4", "sack",
	  "< A 100+10; > A 0 s100-110; < A 200+10; > A 0 s200-210 s100-110;"
	  "< A 300+10; > A 0 s300-310 s200-210 s100-110;"
	  "< A 400+1; > A 0 s400-401 s300-310 s200-210 s100-110;"
	  "< A 401+1; > A 0 s400-402 s300-310 s200-210 s100-110;"
	  "< A 402+1; > A 0 s400-403 s300-310 s200-210 s100-110;"
	  "< A 403+1; > A 0 s400-404 s300-310 s200-210 s100-110" },
	{ "tlp-cut-beside-owed-blocks", "8985 7.3, 2018 3",
	  FAST "recs=16 cwnd=20000",
	  "w 15000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; > A 5000+1000; > A 6000+1000; > A 7000+1000;"
	  "> A 8000+1000; > A 9000+1000; > A 10000+1000; > A 11000+1000;"
	  "> A 12000+1000; > A 13000+1000; > A 14000+1000; < A 10+10;"
	  "> A 15000 a0 s10-20; +100; > A 14012+988 s10-20; n p 1; fl 15000;"
	  "< A 0 a15000; q 0" },
	{ "fin-at-the-right-edge", "9293 3.10.7.4", "rcv=4096 adv=4096",
	  "< A 0+4096; > A 0 a4096 w0; <y AF 4096; > A 0 a4097; st closewait" },
	{ "spare-after-reopening", "9293 3.6, tcp_grow.c", "",
	  "< AF 0; > A 0 a1; reopen; spare r 65536" },
	{ "abort-keeps-the-reset-that-is-due", "9293 3.10.5", "fw=5000",
	  "fin; > AF 0; < A 0 a1; stop; +5000; st closed; abort; go; > RA 1" },

	/* ---- RACK's times, to the tick ---- */
	{ "min-rtt-of-five-minutes", "8985 6.2 step 1", FAST,
	  "w 1000; > A 0+1000; +50; < A 0 a1000; +299940; w 3000; > A 1000+1000;"
	  "> A 2000+1000; > A 3000+1000; +60; < A 0 s3000-4000; dl 14" },
	{ "min-rtt-a-moment-before", "8985 6.2 step 1", FAST,
	  "w 1000; > A 0+1000; +50; < A 0 a1000; +299939; w 3000; > A 1000+1000;"
	  "> A 2000+1000; > A 3000+1000; +60; < A 0 s3000-4000; dl 12" },
	{ "retransmission-a-tick-below-the-least", "8985 6.2 step 2", FAST,
	  "w 1000; > A 0+1000; +50; < A 0 a1000; " F5 "+20; w 1000;"
	  "> A 6000+1000; +31; < A 0 s3000-6000; > A 1000+1000; > A 2000+1000;"
	  "n l 2; stop; +46; < A 0 a2000 s3000-6000; n l 3" },
	{ "retransmission-below-that-says-nothing", "8985 6.2 step 2", FAST,
	  "w 1000; > A 0+1000; +50; < A 0 a1000; " F5 "+20; w 1000;"
	  "> A 6000+1000; +31; < A 0 s3000-6000; > A 1000+1000; > A 2000+1000;"
	  "n l 2; stop; +45; < A 0 a2000 s3000-6000; n l 2" },
	{ "reo-window-round-to-its-last-byte", "8985 6.2 step 4", FAST,
	  "w 2000; > A 0+1000; > A 1000+1000; +50; < A 0 s1000-2000; +13;"
	  "> A 0+1000; +1; < A 0 a2000; w 1000; > A 2000+1000; < A 0 s0-1000;"
	  "+50; < A 0 a2999 s0-1000; < A 0 a3000; w 2000; > A 3000+1000;"
	  "> A 4000+1000; +50; < A 0 s4000-5000; dl 24" },
	{ "undo-of-a-recovery-is-reordering", "8985 6.2 step 3", FAST "ts",
	  W5 "+50; < A 0 t50,0 s1000-4000; > A 0+1000; +5; < A 0 a4000 t55,0;"
	     "n u 1; < A 0 a5000 t56,0; w 4000; > A 5000+1000; > A 6000+1000;"
	     "> A 7000+1000; > A 8000+1000; +50; < A 0 t105,0 s6000-9000; .;"
	     "n f 1" },
	{ "undo-of-a-timeout-is-none", "8985 6.2 step 3", FAST "ts",
	  W5 "+100; > A 4000+1000; +200; > A 0+1000; +50; < A 0 a1000 t350,0;"
	     "n u 1; < A 0 a5000 t351,0; w 4000; > A 5000+1000; > A 6000+1000;"
	     "> A 7000+1000; > A 8000+1000; +50; < A 0 t400,351 s6000-9000;"
	     "> A 5000+1000; n f 1" },

	/* ---- how much goes out ---- */
	{ "prr-of-nothing-delivered", "9937 6.2", FAST,
	  W10 "+50; < A 0 s1000-2000; stop; +13; fl 8000; cwnd 9000" },
	{ "timeout-sends-beside-what-is-on-its-way", "8985 6.3, 6298 5.4", FAST,
	  W5
	  "+50; < A 0 s1000-4000; > A 0+1000; +190; w 400; > A 5000+400; +10;"
	  "> A 0+1000; n t 1; fl 1400; ." },
	{ "window-limited-does-not-grow", "5681 3.1, 2861",
	  "cwnd=9000 ssth=5000"
	  " wnd=3000 field=3000",
	  "w 15000; > A 0+1000; > A 1000+1000; > A 2000+1000; < A 0 a3000;"
	  "> A 3000+1000; > A 4000+1000; > A 5000+1000; < A 0 a6000;"
	  "> A 6000+1000; > A 7000+1000; > A 8000+1000; < A 0 a9000;"
	  "> A 9000+1000; > A 10000+1000; > A 11000+1000; stop;< A 0 a12000;"
	  "cwnd 9000" },
	{ "writer-limited-does-not-grow", "5681 3.1, 2861",
	  "cwnd=5000 ssth=3000",
	  "w 6000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000; < A 0 a5000; cwnd 6000; > A 5000+1000; < A 0 a6000;"
	  "w 3000; > A 6000+1000; > A 7000+1000; > A 8000+1000; < A 0 a9000;"
	  "w 3000; > A 9000+1000; > A 10000+1000; > A 11000+1000; < A 0 a12000;"
	  "cwnd 6000" },
	{ "our-window-rounded-up-into-room", "7323 2.4", "ws=7 adv=65409",
	  "< A 0+128; +40; > A 0 a128 w511" },
	{ "our-window-rounded-up-from-one-more", "7323 2.4", "ws=7 adv=65410",
	  "< A 0+128; +40; > A 0 a128 w511" },
	{ "our-window-rounded-down-if-it-must", "7323 2.4", "ws=7 adv=65410",
	  "< A 0+129; +40; > A 0 a129 w510" },

	{ "our-window-grows-by-half-the-ring", "9293 3.8.6.2.2",
	  "rcv=2048 adv=2048",
	  "< A 0+1000; +40; > A 0 a1000 w1048; r 700; < A 1000+10; +40;"
	  "> A 0 a1010 w1038" },
	{ "fin-moves-the-right-edge", "9293 3.10.7.4", "rcv=4096 adv=4096",
	  "< A 0+4096; > A 0 a4096 w0; stop; < AF 4096; st closewait" },
	{ "adopted-one-byte", "6298 5.4", "unacked=1 sent=5000",
	  "+0; > AP -1+1" },
	{ "tlp-cut-when-records-are-full", "8985 7.3, tcp.h recs",
	  FAST "recs=16 cwnd=20000",
	  W16 "< A 10+10; > A 16000 a0 s10-20; stop; +100; go;"
	      "> A 15000+12 s10-20; fl 15012; stop" },
	{ "reo-window-grows-beside-a-probe", "8985 6.2 step 4, 7.4.1", FAST,
	  "w 1000; > A 0+1000; +50; < A 0 a1000; w 2000; > A 1000+1000;"
	  "> A 2000+1000; +100; > A 2000+1000; < A 0 a1000 s0-1000;"
	  "< A 0 a3000; w 2000; > A 3000+1000; > A 4000+1000; +50;"
	  "< A 0 s4000-5000; dl 24" },
	{ "undo-when-just-what-was-resent-is-acked", "3522 3", FAST "ts",
	  W10
	  "+50; < A 0 t50,0 s7000-10000; > A 0+1000; > A 1000+1000;"
	  "> A 2000+1000; .; stop; +5; < A 0 a3000 t55,0 s7000-10000; n u 1" },
	{ "undo-when-the-only-one-resent-is-acked", "3522 3", FAST "ts",
	  W5 "+50; < A 0 t50,0 s4000-5000; +13; > A 0+1000; .; stop; +5;"
	     "< A 0 a1000 t55,0 s4000-5000; n u 1" },
	{ "undo-not-before-anything-was-resent", "3522 3", FAST "ts",
	  W5 "+50; stop; < A 0 t50,0 s1000-4000; < A 0 t51,0 s1000-4000; n u 0;"
	     "go; > A 0+1000; +5; < A 0 a4000 t55,0; n u 1" },
	{ "ssthresh-of-an-odd-flight", "5681 3.1", FAST,
	  "w 4999; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+999; +50; < A 0 s1000-4000; > A 0+1000; ssth 2499" },

	/* ---- ICMP ---- */
	{ "icmp-mtu-with-a-fin-out", "1191 6.3", "",
	  "stop; w 1000; fin; go; > AF 0+1000; icmp 0 900 0; > A 0+860;"
	  "> AF 860+140; < A 0 a1001; st finwait2" },
	{ "icmp-mtu-twice", "1191 6.3", "",
	  "w 1000; > A 0+1000; icmp 0 900 0; > A 0+860; > A 860+140; icmp 0 800 0;"
	  "> A 0+760; > A 760+100; .; smss 760; icmp 0 900 0; .; smss 760" },
	{ "icmp-after-the-end", "9293 3.9.2.2", "",
	  "w 10; > A 0+10; < R 0; icmp 0 600 0; .; icmp 0 0 1; .; smss 1000;"
	  "ev RP" },
	{ "icmp-last-byte-in-flight", "5927 4.1", "",
	  "w 10; > A 0+10; < A 0 a5; icmp 4 600 0; smss 1000; icmp 10 600 0;"
	  "smss 1000; icmp 5 600 0; smss 560; > A 5+5" },
};

int main(void)
{
	return script_main("tcp edges", cases,
			   sizeof(cases) / sizeof(cases[0]));
}
