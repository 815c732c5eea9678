// SPDX-License-Identifier: MIT OR Apache-2.0
/* A byte or a millisecond to either side of each bound that test_tcp_recover.c
 * leaves: acknowledgments, windows, SACK blocks, timers, the end of a ring.
 * Language: test_tcp_script.h. A full segment is 1000 bytes, cwnd 10,000, the RTO
 * 200 ms unless a case says otherwise. */
#include "tests/unit/test_tcp_script.h"

#define FAST "sack srtt=50000 "

static const struct script_case cases[] = {
	/* ---- acknowledgments ---- */
	{ "old-ack-by-a-byte-says-nothing", "9293 3.10.7.4 fifth", "sack",
	  "W 3000; < A 0 a1000; < A 0 a999 w500 s2000-3000; wnd 65535; sk 0;"
	  "una 1000" },
	{ "rtt-not-a-byte-before", "6298 3", "",
	  "W 1000; +180; < A 0 a999; srtt 100000; < A 0 a1000; srtt 110000" },
	{ "rtt-not-from-an-echo-of-nothing", "7323 3.2", "ts",
	  "w 10; > A 0+10; +200; > A 0+10; +50; < A 0 a10 t250,z; srtt 100000" },
	{ "rtt-unmeasured-by-what-came-before", "6298 3 Karn, 5.7", "",
	  "W 2000; +200; > A 0+1000; w 1000; < A 0 a1000; > A 1000+1000;"
	  "> A 2000+1000; < A 0 a2000; rto 400; < A 0 a2999; rto 400;"
	  "< A 0 a3000; rto 262" },
	{ "rtt-unmeasured-by-the-first-copy", "6298 3 Karn, 7323 4.1", "ts",
	  "W 10; +200; > A 0+10; +400; > A 0+10; +50; < A 0 a10 t650,200;"
	  "srtt 100000; rto 800; n u 0" },
	{ "rtt-unmeasured-by-the-future", "6298 3 Karn, 7323 4.1", "ts",
	  "W 10; +200; > A 0+10; +50; < A 0 a10 t250,900; srtt 100000; rto 400" },
	{ "probe-timer-not-moved-by-duplicates", "8985 7.2", FAST,
	  "W 2000; +60; < A 0; dl 40; +40; > A 1000+1000; n p 1" },
	{ "window-of-the-segment-before", "9293 3.10.7.4 fifth", "",
	  "< A 0+100 w5000; < A 100+100 w6000; < A 99+102 w1; wnd 6000;"
	  "< A 100+102 w2; wnd 2" },
	{ "window-less-than-what-is-acked", "9293 3.10.7.4 fifth", "wnd=3000",
	  "W 3000; < A 0+100 a0 w500; < A 100+100 w500; wnd 500;"
	  "< A 50+200 a3000 w9000; wnd 0; +200; > A 3000" },
	{ "duplicate-of-the-window-only", "5681 2", "",
	  "W 5000; *3 < A 0 w65534; dups 2; < A 0 w65535; dups 2; n f 0" },

	/* ---- which block is a D-SACK ---- */
	{ "dsack-up-to-the-ack", "2883 4.1", FAST,
	  "W 2000; +50; < A 0 a2000; < A 0 s1000-2000; reomult 2" },
	{ "dsack-not-beyond-the-ack", "2883 4.1", FAST,
	  "W 3000; +50; < A 0 a2000; < A 0 s1000-2001; reomult 1; sk 0" },
	{ "dsack-is-the-second-block", "2883 4.2", FAST,
	  "W 3000; +50; stop; < A 0 s1000-3000 s1000-3000; reomult 2; sk 2000" },
	{ "dsack-at-the-end-of-the-second", "2883 4.2", FAST,
	  "W 3000; +50; stop; < A 0 s2000-3000 s1000-3000; reomult 2; sk 2000" },
	{ "dsack-not-a-byte-before-the-second", "2883 4.2", FAST,
	  "W 3000; +50; stop; < A 0 s999-2000 s1000-3000; reomult 1; sk 2000" },
	{ "dsack-not-a-byte-behind-the-second", "2883 4.2", FAST,
	  "W 4000; +50; stop; < A 0 s2000-3001 s1000-3000; reomult 1; sk 2000" },
	{ "dsack-not-of-what-was-not-sent", "2883 4", FAST,
	  "W 2000; +50; < A 0 s1000-2001 s1000-2001; reomult 1; sk 0" },
	{ "dsack-a-window-ago", "2883 4", FAST,
	  "< A 0 s-65535--65000; reomult 2" },
	{ "dsack-not-before-that", "2883 4", FAST,
	  "< A 0 s-65536--65000; reomult 1" },
	{ "dsack-not-of-nothing", "2883 4", FAST, "< A 0 s-10--10; reomult 1" },
	{ "one-block-has-no-second", "2883 4.2", FAST,
	  "W 100; W 1000; W 1000; < A 0 s100-1100; sk 1000; reomult 1" },

	/* ---- blocks that grow by a byte ---- */
	{ "block-grows-up-by-a-byte", "2018 4", FAST,
	  "W 1000; W 1000; W 1; W 1000; stop; < A 0 s1000-2000; sk 1000;"
	  "< A 0 s1000-2001; sk 1001" },
	{ "block-grows-down-by-a-byte", "2018 4", FAST,
	  "W 1000; W 1; W 1000; stop; < A 0 s1001-2001; sk 1000;"
	  "< A 0 s1000-2001; sk 1001" },
	{ "block-from-the-second-byte", "2018 5", FAST,
	  "W 3000; stop; < A 0 s1001-2000; sk 0; < A 0 s1001-3000; sk 1000" },
	{ "block-ends-with-one-byte", "2018 5", FAST,
	  "W 1000; W 1000; W 1; stop; < A 0 s1000-2001; sk 1001" },
	{ "block-around-an-older-one", "2018 4", FAST,
	  "W 5000; stop; < A 0 s2000-3000; sk 1000; < A 0 s1000-4000; sk 3000" },
	{ "block-across-the-end-of-an-older-one", "2018 4", FAST,
	  "W 5000; stop; < A 0 s1000-3000; sk 2000; < A 0 s2000-4000; sk 3000;"
	  "< A 0 s1000-4000; sk 3000" },

	/* ---- timers ---- */
	{ "persist-begins-without-backoff", "9293 3.8.6.1, 6298 5.5", "",
	  "W 10; +200; > A 0+10; +400; > A 0+10; < A 0 a10 w0; rto 800; w 10;"
	  "dl 200; +200; > A 10+1" },
	{ "retransmitting-begins-without-probes", "9293 3.8.6.1",
	  "wnd=0 field=0",
	  "w 10; +200; > A 0+1; +400; > A 0+1; < A 0 w100; > A 0+10; dl 200" },
	{ "keepalive-looks-again", "9293 3.8.4", "ka=1000",
	  "+1; < A 0; +999; .; dl 1; +1; > A -1; n t 0" },
	{ "fin-wait-2-to-the-millisecond", "9293 3.6", "fw=5000",
	  "fin; > AF 0; < A 0 a1; +1; < A 0; +4999; .; st finwait2; dl 1; +1;"
	  "> RA 1; ev STP" },
	{ "probing-goes-on-while-heard", "9293 3.8.6.1 MUST-37",
	  "wnd=0 field=0 ut=600",
	  "w 10; +200; > A 0+1; +399; < A 0; +1; > A 0+1; +598; st estab;"
	  "+202; > RA 1; st closed" },

	/* ---- cwnd ---- */
	{ "avoidance-carries-the-rest", "5681 3.1, 3465 2.1",
	  "cwnd=2000 ssth=2000",
	  "w 9000; > A 0+1000; > A 1000+1000; < A 0 a1999; cwnd 2000;"
	  "> A 2000+1000; < A 0 a2000; cwnd 3000; > A 3000+1000; > A 4000+1000" },
	{ "half-of-cwnd-is-not-used", "5681 3.1, 7661 4.1", "",
	  "W 5000; < A 0 a5000; cwnd 10000; W 5001; < A 0 a10001; cwnd 15001" },

	/* ---- sending ---- */
	{ "segment-just-fits-the-window", "9293 3.8.6.2.1 (1)",
	  "wnd=1000 field=1000", "W 1000" },
	{ "half-of-an-odd-window", "9293 3.8.6.2.1 (3)", "wnd=901 field=901",
	  "w 3000; > A 0+901; < A 0 a901 w449; .; < A 0 a901 w450;"
	  "> A 901+450" },
	{ "limited-transmit-each-duplicate", "3042 2", "cwnd=3000",
	  "w 9000; > A 0+1000; > A 1000+1000; > A 2000+1000; .; < A 0;"
	  "> A 3000+1000; .; < A 0; > A 4000+1000; ." },
	{ "limited-transmit-not-with-sack", "6675 5 (4.c)", "sack cwnd=3000",
	  "w 9000; > A 0+1000; > A 1000+1000; > A 2000+1000; < A 0; < A 0; ." },
	{ "probe-is-within-the-segment", "9293 3.8.6.1, 3.7.1",
	  "wnd=2000 field=1500 mssmax=600 cwnd=600",
	  "w 3000; > A 0+600; .; < A 0 a600 w100; .; +263; > A 600+100" },
	{ "probe-that-the-window-overtook", "9293 3.8.6.1", "",
	  "W 1000; < A 0 a0 w0; stop; +200; < A 0 w5000; go; > A 0+1000; .;"
	  "n r 1; < A 0 a1000; q 1" },
	{ "probe-is-what-was-sent-last", "6298 5.1, 9293 3.8.6.1",
	  "wnd=0 field=0", "w 1; +200; > A 0+1; reopen; dl 200" },
	{ "what-was-probed-goes-in-any-size", "9293 3.8.6.2.1 (4)", "",
	  "W 10; < A 0 a10 w0; w 3000; +263; > A 10+1; < A 0 w100; > A 10+100" },
	{ "new-data-behind-what-is-lost", "6298 5.4, 6675 5 (C)", "",
	  "W 400; W 1000; W 1000; +200; > A 0+400; .; fl 400; cwnd 1000; w 100;"
	  ".; < A 0 a400; > A 400+1000; ." },
	{ "lost-up-to-cwnd", "6298 5.4, 5681 3.1", "",
	  "W 400; W 600; W 1000; +200; > A 0+400; > A 400+600; .; cwnd 1000" },
	{ "lost-not-a-byte-more", "6298 5.4, 5681 3.1", "",
	  "W 401; W 600; W 1000; +200; > A 0+401; .; cwnd 1000" },
	{ "window-limited-after-cwnd-limited", "5681 3.1, 7661 4.1",
	  "cwnd=2000 ssth=2000",
	  "w 9000; > A 0+1000; > A 1000+1000; < A 0 a2000 w1500; cwnd 3000;"
	  "> A 2000+1000; < A 0 a3000; > A 3000+1000; < A 0 a4000;"
	  "> A 4000+1000; < A 0 a5000; > A 5000+1000; < A 0 a6000; cwnd 3000;"
	  "> A 6000+1000" },
	{ "probe-beside-owed-blocks", "9293 3.8.6.1, 2018 3", "sack",
	  "W 10; < A 0 a10 w990; w 3000; .; stop; +263; < A 100+10; go;"
	  "> A 10 s100-110; > A 10+988 s100-110" },
	{ "tlp-not-once-something-is-sacked", "8985 7.3", FAST,
	  "W 2000; stop; +100; < A 0 s1000-2000; go; .; n p 0; n f 0" },
	{ "probe-of-a-fin-that-arrived", "9293 3.8.6.1", "wnd=0 field=0",
	  "fin; > AF 0; stop; +200; < A 0 a1; go; .; st finwait2" },
	{ "probe-of-a-byte-that-arrived", "9293 3.8.6.1", "wnd=0 field=0",
	  "w 1; +200; > A 0+1; stop; +400; < A 0 a1; go; .; q 1" },
	{ "loss-used-to-its-end-grows", "5681 3.1", "",
	  "W 4000; +200; > A 0+1000; ssth 2000; < A 0 a1000; > A 1000+1000;"
	  "> A 2000+1000; .; cwnd 2000; < A 0 a4000; cwnd 3000" },
	{ "probe-fin-behind-the-window", "9293 3.8.6.1", "wnd=10 field=10",
	  "W 10; fin; > AF 10; < A 0 a10 w0; +263; > AF 10; < A 0 a11;"
	  "st finwait2" },
	{ "resent-in-what-the-window-leaves", "9293 3.8.6 SHLD-15", "",
	  "W 2000; < A 0 a0 w1001; +200; > A 0+1000; < A 0 a1000 w1;"
	  "> A 1000+1; .; < A 0 a1001 w999; > A 1001+999" },
	{ "not-resent-at-the-closed-edge", "9293 3.8.6 SHLD-15", "",
	  "W 2000; < A 0 a0 w1000; +200; > A 0+1000; < A 0 a1000 w0; .; una 1000" },
	{ "fin-leaves-the-right-edge", "9293 3.10.7.4, 5961 3.2", "",
	  "< AF 0; > A 0 a1; < R 65534; > A 0 a1; n c 1; < R 65535; .; n c 1;"
	  "st closewait" },
	{ "write-wraps-in-the-ring", "9293 3.9.1.2", "snd=4096 cwnd=60000",
	  "W 999; < A 0 a999; W 999; < A 0 a1998; W 999; < A 0 a2997; W 999;"
	  "< A 0 a3996; W 999; < A 0 a4995; W 999; < A 0 a5994; W 999; q 0" },
	{ "keepalive-from-the-number-before", "9293 3.8.4", "ka=1000",
	  "W 5; < A 0 a5; +1000; > A 4 a0; < A 0; ev S" },
};

int main(void)
{
	return script_main("tcp bounds", cases,
			   sizeof(cases) / sizeof(cases[0]));
}
