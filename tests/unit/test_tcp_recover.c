// SPDX-License-Identifier: MIT OR Apache-2.0
/* Loss recovery to the byte and to the tick: what is acknowledged ends just
 * before, at or behind a bound, flights are odd, segments of one byte. Language:
 * test_tcp_script.h. Segments are 1000 bytes, cwnd is 10,000, SRTT 100 ms and
 * the RTO 200 ms unless a case says otherwise; with FAST the SRTT is 50 ms. */
#include "tests/unit/test_tcp_script.h"

#define FAST "sack srtt=50000 "
#define DUPS "*3 < A 0;"

static const struct script_case cases[] = {
	/* ---- without SACK ---- */
	{ "partial-a-byte-below-recover", "6582 3.2 step 3", "",
	  "W 5000;" DUPS "> A 0+1000; < A 0 a4999; > A 4999+1; n f 1;"
	  "< A 0 a5000; q 1" },
	{ "loss-lasts-to-the-last-byte", "6582 4, 3042 2", "",
	  "W 3000; +200; > A 0+1000; < A 0 a2999; > A 2999+1; w 3000;"
	  "> A 3000+1000; .; < A 0; .; < A 0; ." },
	{ "partial-acks-leave-a-segment", "6582 3.2 step 3", "",
	  "W 5000;" DUPS "> A 0+1000; cwnd 5500; < A 0 a900; > A 900+100;"
	  "< A 0 a1800; > A 1800+200; < A 0 a2700; > A 2700+300; < A 0 a3600;"
	  "> A 3600+400; < A 0 a4500; > A 4500+500; cwnd 1000; < A 0 a4999;"
	  "> A 4999+1; cwnd 1000" },
	{ "ssthresh-not-of-limited-transmit", "5681 3.2 step 2", "cwnd=5001",
	  "w 9000; > A 0+1000; > A 1000+1000; > A 2000+1000; > A 3000+1000;"
	  "> A 4000+1000;" DUPS "> A 5000+1000; > A 6000+1000; > A 0+1000;"
	  "ssth 2500" },
	{ "ssthresh-of-an-odd-flight-plain", "5681 3.1 eq 4", "",
	  "W 4999;" DUPS "> A 0+1000; ssth 2499" },
	{ "fast-retransmit-whatever-cwnd-says", "5681 3.2 step 2", "",
	  "W 10000;" DUPS "> A 0+1000; .; ssth 5000; cwnd 8000; fl 10000" },
	{ "duplicates-are-counted-to-255", "5681 3.2", "",
	  "W 3000;" DUPS "> A 0+1000; < A 0 a3000; W 2000; *300 < A 0; .;"
	  "dups 255; n f 1" },
	{ "slow-start-a-byte-below-ssthresh", "5681 3.1",
	  "cwnd=10000 ssth=10001", "W 6000; < A 0 a6000; cwnd 11000" },
	{ "undone-timeout-recover-stays", "6582 3.2 step 1", "ts srtt=50000",
	  "W 5000; +200; > A 0+1000; +50; < A 0 a1000 t250,0; n u 1;" DUPS
	  ".; < A 0 a2000 t250,0; recover 5000;" DUPS ".; < A 0 a5000 t250,0;"
	  "recover 5000; w 4000; > A 5000+1000; > A 6000+1000; > A 7000+1000;"
	  "> A 8000+1000;" DUPS ".; n f 0; < A 0 a6000 t250,0;" DUPS
	  "> A 6000+1000; n f 1" },
	/* Output was refused when the timer fired; by now it is no more urgent
	 * than all else that is lost. */
	{ "resending-is-not-owed-after-an-ack", "5681 3.2, 6298 5.4",
	  "cwnd=2000",
	  "W 2000; stop; +200; n t 1; < A 0 a2000; go; .; cwnd 2000; W 500;"
	  "W 500; W 500; W 500; w 2000; .; < A 0; > A 4000+1000; < A 0;"
	  "> A 5000+1000; icmp 5000 900 0; ls 2; .; fl 2000" },

	/* ---- the end of a phase, with SACK ---- */
	{ "recovery-lasts-to-the-last-byte", "6675 5", FAST,
	  "W 5000; +50; < A 0 s1000-4000; > A 0+1000; < A 0 a4999; settled 0;"
	  "< A 0 a5000; settled 1; cwnd 2500" },
	{ "loss-ends-as-the-next-begins", "6675 5, 5681 3.1", FAST,
	  "W 6000; +100; > A 5000+1000; +200; > A 0+1000; n t 1; < A 0 a1000;"
	  "> A 1000+1000; > A 2000+1000; < A 0 a5000; > A 5000+1000; W 2000; +50;"
	  "< A 0 a6000 s7000-8000; > A 6000+1000; n f 1; < A 0 a8000; q 1" },
	{ "loss-of-one-byte-behind-recover", "6675 5, 5681 4.3", FAST,
	  "W 10000; +50; < A 0 s1000-4000; > A 0+1000; recover 10000;"
	  "< A 0 s1000-10000; W 1; W 3000; +50; < A 0 s1000-10000"
	  " s10001-13001; > A 0+1000; > A 10000+1; n f 1; +50; < A 0 a10000"
	  " s10001-13001; n f 2" },
	{ "window-persists-for-recoveries", "8985 6.2 step 4", FAST,
	  "W 2000; +50; < A 0 s1000-2000; +13; > A 0+1000; +1; < A 0 a2000;"
	  "reopersist 0; < A 0 s0-1000; reomult 2; reopersist 16; W 2000; +50;"
	  "< A 0 s3000-4000; +26; > A 2000+1000; < A 0 a4000; reopersist 15;"
	  "reomult 2" },
	{ "window-persists-for-undone-ones", "8985 6.2 step 4", FAST "ts",
	  "W 2000; +50; < A 0 t50,0 s1000-2000; +13; > A 0+1000; +1;"
	  "< A 0 a2000 t64,63; < A 0 t64,63 s0-1000; reopersist 16; n u 0;"
	  "W 2000; +50; < A 0 t114,64 s3000-4000; +26; > A 2000+1000;"
	  "< A 0 a4000 t141,64; n u 1; reopersist 15" },

	/* ---- PRR, to the byte ---- */
	/* RecoverFS 9999, ssthresh 5000: two bytes are a share of two. */
	{ "prr-share-is-rounded-up", "9937 6.2", FAST,
	  "W 1; W 1; W 2; W 9996; +50; < A 0 s1-2; +13; > A 0+1; ssth 5000;"
	  "< A 0 s1-4; fl 9997; cwnd 9998" },
	/* RecoverFS 10,000: 3000 bytes are a share of 1500. */
	{ "prr-share-of-what-divides", "9937 6.2", FAST,
	  "W 1; W 9999; stop; +50; < A 0 s1-3001; fl 6999; cwnd 8499; ssth 5000" },
	{ "prr-nothing-if-more-is-out", "9937 6.2", FAST,
	  "W 10000; +50; < A 0 s1000-2000; +13; > A 0+1000; < A 0 s1000-3000;"
	  "fl 8000; cwnd 8000" },
	{ "prr-counts-what-is-new", "9937 6.2", FAST,
	  "W 1; W 9999; w 3000; +50; < A 0 s1-3001; > A 0+1; > A 10000+1000; .;"
	  "fl 8000; < A 0 s1-4001; fl 7000; cwnd 7999" },
	/* Records ran out: [9560, 16000) counts as unsent. What of it arrives is
	 * delivered all the same. */
	{ "prr-delivered-without-a-record", "9937 6.2",
	  FAST "recs=16 cwnd=16000",
	  "W 16000; +50; < A 0 s1000-4000; > A 0+1000; ssth 8000;"
	  "icmp 4000 600 0; > A 0+560; > A 560+440; > A 4000+560; > A 4560+440;"
	  "> A 5000+560; > A 5560+440; > A 6000+560; > A 6560+440;"
	  "> A 7000+560; > A 7560+440; > A 8000+560; > A 8560+440;"
	  "> A 9000+560; .; nxt 9560; stop; < A 0 a9560; cwnd 7120;"
	  "< A 0 a10560; cwnd 3560" },

	/* ---- undo ---- */
	{ "undo-by-the-time-of-this-recovery", "3522 3", FAST "ts",
	  "W 5000; +50; < A 0 t50,0 s1000-4000; > A 0+1000; +50;"
	  "< A 0 a5000 t100,50; n u 0; W 2000; +50; < A 0 t150,100 s6000-7000;"
	  "+13; > A 5000+1000; +5; < A 0 a7000 t168,100; n u 1" },
	{ "undo-not-a-byte-before", "3522 3", FAST "ts",
	  "W 5000; +50; < A 0 t50,0 s1000-4000; > A 0+1000; +5; < A 0 a999 t51,0"
	  " s1000-4000; n u 0; < A 0 a4000 t52,0; n u 1" },
	{ "undo-not-by-an-echo-of-nothing", "3522 3, 7323 3.2", FAST "ts",
	  "W 3000; +100; > A 2000+1000; +200; > A 0+1000; +50; < A 0 a1000 t350,z;"
	  "n u 0; > A 1000+1000; > A 2000+1000" },

	/* ---- RACK ---- */
	{ "reordering-timer-for-nothing", "8985 6.2 step 5", FAST,
	  "W 3000; +50; < A 0 s1000-2000; dl 12; icmp 0 600 0; > A 0+560;"
	  "> A 560+440; > A 2000+560; > A 2560+440; +13; n f 0; cwnd 10000" },
	{ "timeout-first-lost-whatever-its-age", "8985 6.3, 6298 5.4", "sack",
	  "W 6000; +190; stop; < A 0 s1000-4000; +190; < A 0 s1000-5000; go;"
	  "> A 0+1000; rackrtt 379996; +200; > A 0+1000; n t 1; ls 1" },
	{ "timeout-what-is-just-old-enough", "8985 6.3", FAST,
	  "W 1000; +50; < A 0 a1000; rackrtt 50000; W 1000; +200; > A 1000+1000;"
	  "n p 1; +150; W 1000; +50; > A 1000+1000; n t 1; ls 1" },
	{ "echo-of-a-millisecond-before-counts", "8985 6.2 step 2", FAST "ts",
	  "W 5000; +50; < A 0 t50,0 s2000-5000; > A 0+1000; > A 1000+1000;"
	  "rackrtt 49996; +60; < A 0 a1000 t110,49 s2000-5000; rackrtt 60000" },
	{ "echo-of-before-that-does-not", "8985 6.2 step 2", FAST "ts",
	  "W 5000; +50; < A 0 t50,0 s2000-5000; > A 0+1000; > A 1000+1000;"
	  "+60; < A 0 a1000 t110,48 s2000-5000; rackrtt 49996" },
	{ "echo-matters-for-copies-only", "8985 6.2 step 2, 7323 4.3",
	  FAST "ts",
	  "W 1000; +10; W 1000; +50; < A 0 a2000 t60,0; rackrtt 50000" },
	{ "reordered-by-one-byte", "8985 6.2 step 3", FAST,
	  "W 1000; W 1; +50; < A 0 s1000-1001; +5; < A 0 a1001; fack 1001;"
	  "W 4000; +50; < A 0 s2001-5001; .; dl 12; n f 0" },
	{ "min-rtt-seen-again-stays", "8985 6.2 step 1", FAST,
	  "W 1000; +50; < A 0 a1000; minrtt 50000; +200000; W 1000; +50;"
	  "< A 0 a2000; +150000; W 1000; +60; < A 0 a3000; minrtt 50000" },

	/* ---- the loss probe's answer ---- */
	{ "probe-answer-is-exact", "8985 7.4.2", FAST,
	  "W 2000; +100; > A 1000+1000; < A 0 a1999; ssth 2147483647;"
	  "< A 0 a2000; W 1000; < A 0 a3000; ssth 2000" },
	{ "probe-repaired-ssthresh-of-the-flight", "8985 7.4.2, 5681 3.1", FAST,
	  "W 9999; +100; > A 9000+999; +50; < A 0 a9999; W 7999; < A 0 a17998;"
	  "ssth 3999; cwnd 3999" },
	{ "probe-of-before-a-timeout", "8985 7.4.2", FAST,
	  "W 10000; +100; > A 9000+1000; +200; > A 0+1000; n t 1; ssth 5000;"
	  "< A 0 a10000; W 2000; < A 0 a12000; ssth 5000" },

	/* ---- records ---- */
	{ "fin-out-of-records-joins-again", "9293 3.8.1, 1191 6.3", "recs=16",
	  "W 100; W 100; W 100; W 100; W 100; W 100; W 100; W 100; W 100; W 100;"
	  "W 100; W 100; W 100; W 100; W 1000; fin; > AF 2400; icmp 1400 600 0;"
	  "> A 1400+560; > AF 1960+440; .; nxt 2401; < A 0 a2401; st finwait2" },
	{ "icmp-only-what-it-names", "1191 6.3", "",
	  "W 500; W 500; W 500; icmp 500 600 0; ls 0; > A 500+500; .; smss 560" },
	/* What is cut was not sent last, nor first. */
	{ "probe-cuts-what-others-followed", "8985 7.3, 2018 3", FAST,
	  "W 100; W 1000; W 560; icmp 100 600 0; > A 100+560; > A 660+440;"
	  "< A 10+10; > A 1660 a0 s10-20; +100; > A 1112+548 s10-20; n p 1;"
	  "< A 0 a1660; q 0" },
	{ "undo-of-what-was-cut", "3522 3, 1191 6.3", FAST "ts",
	  "W 3000; stop; icmp 0 600 0; +200; n t 1; go; > A 0+548; .; +50;"
	  "< A 0 a548 t250,0; n u 1; fl 2452; ls 0; < A 0 a3000 t250,0; q 1" },
	{ "fin-joins-a-segment-it-just-fits", "9293 3.7.1, 3.8.1", "",
	  "W 999; fin; > AF 999; +200; > AF 0+999; < A 0 a1000; st finwait2" },
	{ "fin-joins-not-what-is-full", "9293 3.7.1, 3.8.1", "",
	  "W 1000; fin; > AF 1000; +200; > A 0+1000; > AF 1000; ." },
};

int main(void)
{
	return script_main("tcp recover", cases,
			   sizeof(cases) / sizeof(cases[0]));
}
