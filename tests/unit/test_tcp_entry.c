// SPDX-License-Identifier: MIT OR Apache-2.0
/* What a connection takes over from its flow entry, and what must be so before it
 * may go back; ICMP; what it waits for. Language: test_tcp_script.h. A full
 * segment is 1000 bytes, cwnd 10,000, the RTO 200 ms unless a case says
 * otherwise. */
#include "tests/unit/test_tcp_script.h"

#define FAST "sack srtt=50000 "

static const struct script_case cases[] = {
	/* ---- taken over ---- */
	{ "entry-of-a-clock-that-is-ahead", "6298 5.1", "unacked=500 sent=-5",
	  "dl 200; +200; > A -500+500" },
	{ "entry-user-timeout-from-now-on", "9293 3.8.3",
	  "unacked=500 sent=900 ut=1000",
	  "+0; > A -500+500; +400; > A -500+500; +799; .; st estab; +1; > RA 0" },
	{ "entry-resent-is-no-sample", "8985 6.2 step 1",
	  FAST "unacked=500 sent=50 resent", "< A 0 a0; minrtt 4294967295" },
	{ "entry-sent-once-is-one", "8985 6.2 step 1",
	  FAST "unacked=500 sent=50", "< A 0 a0; minrtt 50000" },
	{ "entry-fin-is-probed-too", "8985 7.2", FAST "state=lastack unacked=1",
	  "dl 200; +200; > AF -1 a0; n p 1; n t 0; < A 0 a0; st closed" },
	{ "entry-cwnd-of-a-segment", "5681 3.1", "cwnd=500", "cwnd 1000" },
	{ "entry-cwnd-as-it-is", "5681 3.1", "cwnd=1001", "cwnd 1001" },
	{ "entry-window-of-a-gigabyte-at-most", "7323 2.3",
	  "ws=14 wnd=4294967295", "wnd 1073741824" },
	{ "entry-window-of-an-older-segment", "9293 3.10.7.4 fifth",
	  "wnd=0 field=0", "< A -2+3 w1000; wnd 0; < A -1+3 w900; wnd 900" },
	{ "entry-edge-of-a-gigabyte", "7323 2.3", "ws=7 adv=1073741824",
	  "< R 1073741823; > A 0; < R 1073741824; .; st estab" },
	{ "entry-edge-of-more-is-none", "7323 2.3", "adv=1073741825",
	  "< R 65534; > A 0; < R 65535; .; st estab; n c 1" },
	{ "entry-round-trip-of-a-minute", "6298 2.5", "srtt=99000000",
	  "srtt 60000000; rto 60000" },
	{ "entry-records-of-a-response", "2018 5, response.bpf.h",
	  FAST "unacked=2976 resp=2976",
	  "stop; < A 0 a-2976 s-1984--992; sk 992; < A 0 a-2976 s-992-0; sk 1984" },

	{ "entry-records-of-an-odd-mss", "2018 5, response.bpf.h",
	  FAST "mss=1001 unacked=2000 resp=2000",
	  "stop; < A 0 a-2000 s-1008--16; sk 992; < A 0 a-2000 s-16-0; sk 1008" },

	/* ---- before it may go back ---- */
	{ "probe-out-is-not-settled", "8985 7.4", FAST,
	  "W 2000; settled 1; stop; +100; settled 0; go; > A 1000+1000;"
	  "settled 0; < A 0 a2000; settled 1; q 1" },
	{ "sacked-is-not-settled", "2018 8", FAST,
	  "W 2000; < A 0 s1000-2000; settled 0; < A 0 a2000; settled 1" },
	{ "lost-is-not-settled", "1191 6.3", "",
	  "W 2000; stop; icmp 0 600 0; settled 0; go; > A 0+560; > A 560+440;"
	  "> A 1000+560; > A 1560+440; settled 1" },
	{ "timeout-is-not-settled", "6298 5.4", "",
	  "W 1000; +200; > A 0+1000; settled 0; < A 0 a1000; settled 1" },
	{ "probe-byte-is-not-settled", "9293 3.8.6.1", "wnd=0 field=0",
	  "w 1; +200; > A 0+1; settled 0; < A 0 a1; settled 1" },
	{ "ack-at-once-is-not-settled", "9293 3.10.7.4 first", "",
	  "stop; < A -5+2; settled 0; go; > A 0; settled 1" },
	{ "half-closed-is-not-settled", "9293 3.6", "",
	  "fin; > AF 0; < A 0 a1; settled 0; q 0" },

	/* ---- what it waits for ---- */
	{ "waits", "9293 3.3.2", "",
	  "waits 0; W 10; waits 1; < A 0 a9; waits 1; < A 0 w0; waits 2;"
	  "< A 0 a10; waits 0; fin; waits 3; > AF 10; waits 3; < A 0 a11;"
	  "waits 3; < R 0; waits 3" },
	{ "waits-for-a-window", "9293 3.8.6.1", "wnd=0 field=0",
	  "waits 0; w 1; waits 2; fin; waits 2; < A 0 w1; > AF 0+1; waits 1" },
	{ "waits-reset", "9293 3.10.7.4 second", "", "W 10; < R 0; waits 1" },

	/* ---- ICMP ---- */
	{ "icmp-of-what-is-sacked", "2018 5, 1191 6.3", FAST,
	  "W 500; W 500; W 500; < A 0 s500-1000; icmp 500 600 0; smss 560;"
	  "sk 500; ls 0; .; < A 0 a1500" },
	{ "icmp-of-a-probe-byte", "9293 3.8.6.1, 1191 6.3", "wnd=0 field=0",
	  "w 100; +200; > A 0+1; icmp 0 600 0; smss 560; ls 0; fl 0" },
	{ "icmp-of-the-size-that-is", "1191 6.3", "",
	  "W 1000; icmp 0 1040 0; ls 0; icmp 0 1039 0; smss 999; > A 0+999;"
	  "> A 999+1" },
	{ "icmp-leaves-what-fits", "1191 6.3", "",
	  "W 1000; W 860; W 861; icmp 0 900 0; > A 0+860; > A 860+140;"
	  "> A 1860+860; > A 2720+1; ." },

	/* ---- sending, beside what is received ---- */
	{ "three-blocks-beside-data-and-ts", "2018 3", "sack ts",
	  "< A 100+10; > A 0 s100-110; < A 200+10; > A 0 s200-210 s100-110;"
	  "< A 300+10; > A 0 s300-310 s200-210 s100-110; w 973;"
	  "> A 0+972 s300-310 s200-210 s100-110;"
	  "> A 972+1 s300-310 s200-210 s100-110; < A 400+10;"
	  "> A 973 s400-410 s300-310 s200-210; w 973;"
	  "> A 973+972 s400-410 s300-310 s200-210;"
	  "> A 1945+1 s400-410 s300-310 s200-210" },
	{ "four-blocks-beside-data", "2018 3", "sack",
	  "< A 100+10; > A 0 s100-110; < A 200+10; > A 0 s200-210 s100-110;"
	  "< A 300+10; > A 0 s300-310 s200-210 s100-110; < A 400+10;"
	  "> A 0 s400-410 s300-310 s200-210 s100-110; < A 500+10;"
	  "> A 0 s500-510 s400-410 s300-310 s200-210; w 965;"
	  "> A 0+964 s500-510 s400-410 s300-310 s200-210;"
	  "> A 964+1 s500-510 s400-410 s300-310 s200-210" },
	{ "held-without-sack-takes-no-room", "2018 2", "",
	  "< A 100+10; > A 0; W 1000" },
	{ "no-update-with-half-the-window-left", "9293 3.8.6.2.2",
	  "rcv=4096 adv=4096",
	  "< A 0+2048; +40; > A 0 a2048 w2048; r 2048; ." },
	{ "update-with-a-byte-less", "9293 3.8.6.2.2", "rcv=4096 adv=4096",
	  "< A 0+2049; +40; > A 0 a2049 w2047; r 2049; > A 0 a2049 w4096" },
	{ "resent-probe-byte-is-no-sample", "8985 6.2 step 1, 6298 3",
	  FAST "wnd=0 field=0",
	  "w 2000; +200; > A 0+1; < A 0 a0 w2000; > A 0+1000; > A 1000+1000;"
	  "n r 1; +30; < A 0 a1000; minrtt 4294967295; srtt 50000;"
	  "< A 0 a2000; minrtt 29999" },
	{ "tlp-new-data-just-within-the-window", "8985 7.3",
	  FAST "cwnd=2000 wnd=3000 field=3000",
	  "w 3000; > A 0+1000; > A 1000+1000; +100; > A 2000+1000; n r 0" },
	{ "tlp-new-data-a-byte-beyond", "8985 7.3",
	  FAST "cwnd=2000 wnd=2999 field=2999",
	  "w 3000; > A 0+1000; > A 1000+1000; +100; > A 1000+1000; n r 1" },
	{ "lost-goes-up-to-cwnd", "5681 3.1, 6298 5.4", "cwnd=2000 ssth=2000",
	  "W 2000; +200; > A 0+1000; .; cwnd 1000; < A 0 a500; cwnd 1500;"
	  "> A 1000+1000; fl 1500" },
};

int main(void)
{
	return script_main("tcp entry", cases,
			   sizeof(cases) / sizeof(cases[0]));
}
