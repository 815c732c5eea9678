// SPDX-License-Identifier: MIT OR Apache-2.0
/* Windows and lifetimes: what is offered, what is allowed, how long a
 * connection stays. Language: test_tcp_script.h. */
#include "tests/unit/test_tcp_script.h"

static const struct script_case cases[] = {
	/* ---- TIME_WAIT in the flow entry ---- */
	{ "time-wait-goes-on-in-the-entry", "9293 3.6", "tw=1000",
	  "fin; > AF 0; < AF 0 a1; > A 1 a1; +400; reopen; dl 600; +300; reopen;"
	  "dl 300; +299; st timewait; +1; ev SEPC; st closed" },
	{ "time-wait-fin-restarts-in-the-entry", "9293 3.10.7.4", "tw=1000",
	  "fin; > AF 0; < AF 0 a1; > A 1 a1; +400; reopen; < AF 0; > A 1 a1;"
	  "reopen; dl 1000; +1000; st closed" },

	/* ---- closing with data unread, data after the close ---- */
	{ "abort-with-unread-data-resets", "9293 3.10.5, 2525 2.17", "",
	  "< A 0+100; ev DP; abort; > RA 0 a100; st closed; .; < A 100+10; ." },
	{ "abort-after-half-close-resets", "1122 4.2.2.13", "",
	  "w 10; > A 0+10; fin; > AF 10; < A 0 a11; st finwait2; < A 0+100;"
	  "ev SDP; abort; > RA 11 a100; st closed" },
	{ "abort-with-held-data-resets-at-rcv-nxt", "9293 3.10.5", "",
	  "< A 100+50; > A 0 a0; abort; > RA 0 a0; st closed" },

	/* ---- the peer's window shrinks, or never opens ---- */
	{ "shrunk-window-probed-from-una", "9293 3.8.6 SHLD-15, MUST-34", "",
	  "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000; < A 0 a1000 w0;"
	  "+300; > A 1000+1; < A 0 a1001 w0; +600; > A 1001+1; < A 0 a1002 w5000;"
	  "> A 1002+998; > A 2000+1000; < A 0 a3000; ." },
	{ "shrunk-window-takes-what-was-beyond", "9293 3.8.6 MUST-34", "",
	  "w 3000; > A 0+1000; > A 1000+1000; > A 2000+1000; < A 0 a1000 w500;"
	  "< A 0 a3000 w5000; w 500; > A 3000+500; < A 0 a3500" },
	{ "fin-against-a-closed-window-answered", "9293 3.8.6.1 MUST-37",
	  "wnd=0 field=0 ut=1000",
	  "fin; st finwait1; > AF 0; < A 0 a0 w0; +200; > AF 0; < A 0 a0 w0;"
	  "+400; > AF 0; < A 0 a1 w0; st finwait2" },

	/* ---- a receive ring that grows ---- */
	/* 40 ms of round trip, half a window read in it: 64 kB of 128 */
	{ "rcv-grows-if-reader-keeps-up", "7323 2.3, tcp_grow.c",
	  "ts ws=7 rcv=131072 adv=131072",
	  "stop; +40; < A 0+65536 t1,0; r 65536; short r 0; +40;"
	  "< A 65536+10 t2,40; short r 1; grow r 262144; short r 0; r 10; go;"
	  "> A 0 a65546 w2048" },
	{ "rcv-grows-not-for-less-than-half", "7323 1.1, tcp_grow.c",
	  "ts ws=7 rcv=131072 adv=131072",
	  "stop; +40; < A 0+65536 t1,0; r 65535; +40; < A 65536+10 t2,40;"
	  "short r 0; r 11; go; > A 0 a65546 w1024" },
	{ "rcv-measures-each-round-trip-alone", "7323 1.1, tcp_grow.c",
	  "ts ws=7 rcv=131072 adv=131072",
	  "stop; +40; < A 0+40000 t1,0; r 40000; +40; < A 40000+40000 t2,40;"
	  "r 40000; short r 0; +40; < A 80000+10 t3,80; short r 0; r 10; go;"
	  "> A 0 a80010" },
	{ "rcv-not-if-reader-is-slow", "7323 1.1, tcp_grow.c",
	  "ts ws=7 rcv=131072 adv=131072",
	  "stop; < A 0+60000 t1,0; < A 60000+60000 t2,0; r 65000; +40;"
	  "< A 120000+1000 t3,0; +40; < A 121000+1000 t3,40; short r 0; r 57000;"
	  "go; > A 0 a122000" },
	{ "rcv-not-if-sender-is-slow", "7323 1.1, tcp_grow.c",
	  "ts ws=7 rcv=131072 adv=131072",
	  "stop; < A 0+40000 t1,0; r 40000; +4000; < A 40000+40000 t2,3980;"
	  "r 40000; +4000; < A 80000+40000 t3,7980; short r 0; r 40000;"
	  "+4000; < A 120000+10 t4,11980; short r 0; r 10; go; > A 0 a120010" },
	{ "rcv-guesses-without-timestamps", "7323 1.1, tcp_grow.c",
	  "ws=7 rcv=131072 adv=131072 srtt=0",
	  "stop; < A 0+60000; r 60000; < A 60000+60000; r 60000; +99;"
	  "< A 120000+10; short r 0; +1; < A 120010+10; short r 1; r 20; go;"
	  "> A 0 a120020" },
	{ "rcv-not-beyond-the-field", "7323 2.3", "rcv=65536 srtt=1000",
	  "stop; < A 0+60000; r 60000; +1; < A 60000+5000; r 5000; short r 0;"
	  "go; > A 0 a65000 w65535" },
	{ "rcv-grow-keeps-bytes-and-order", "9293 3.8.6 SHLD-14, tcp_grow.c",
	  "ws=7 rcv=4096 adv=4096",
	  "< A 0+3000; +40; > A 0; r 2500; > A 0 a3000; < A 3000+900; < A 4500+300;"
	  "> A 0 a3900; grow r 8192; > A 0 a3900 w53; < A 3900+600; > A 0 a4800;"
	  "< A 4800+2000; +40; > A 0 a6800; rd 4300; r 4300; > A 0 a6800" },
	{ "rcv-grow-edge-never-left", "9293 3.8.6 SHLD-14",
	  "ws=7 rcv=65536 adv=262144",
	  "< A 0+1000; +40; > A 0 a1000 w2040; grow r 131072; < A 1000+1000; +40;"
	  "> A 0 a2000 w2032; r 2000" },
	{ "rcv-offered-in-the-entry-is-taken", "9293 3.8.6 SHLD-14",
	  "ws=7 rcv=1048576 adv=1000000",
	  "stop; < A 0+65535; r 65535; reopen; < A 900000+60000; < A 960000+40000;"
	  "ev DP; go; > A 0 a65535; > A 0 a65535 w8192" },
	{ "rcv-spare-after-fin", "9293 3.6, tcp_grow.c", "",
	  "< A 0+10; spare r 0; < AF 10; > A 0 a11; spare r 0; r 10;"
	  "spare r 65536; rd 0; < AF 10; > A 0 a11; w 10; > A 0+10 a11;"
	  "< A 11 a10; < A 11+10; .; fin; > AF 10 a11; < A 11 a11; st closed" },

	/* ---- a send ring that grows ---- */
	{ "snd-grows-if-all-in-flight", "5681 3.1, tcp_grow.c",
	  "snd=16384 cwnd=30000",
	  "stop; w 20000=16384; short s 0; go; > A 0+1000; > A 1000+1000;"
	  "> A 2000+1000; > A 3000+1000; > A 4000+1000; > A 5000+1000;"
	  "> A 6000+1000; > A 7000+1000; > A 8000+1000; > A 9000+1000;"
	  "> A 10000+1000; > A 11000+1000; > A 12000+1000; > A 13000+1000;"
	  "> A 14000+1000; > A 15000+1000; > A 16000+384; short s 1;"
	  "grow s 32768; short s 0; space 16384; w 1000; > A 16384+1000;"
	  "< A 0 a15000; +300; > A 15000+1000; n t 1; < A 0 a17384" },
	{ "snd-not-if-cwnd-stops-it", "5681 3.1, tcp_grow.c",
	  "snd=16384 cwnd=16384",
	  "stop; w 16384; go; > A 0+1000; > A 1000+1000; > A 2000+1000;"
	  "> A 3000+1000; > A 4000+1000; > A 5000+1000; > A 6000+1000;"
	  "> A 7000+1000; > A 8000+1000; > A 9000+1000; > A 10000+1000;"
	  "> A 11000+1000; > A 12000+1000; > A 13000+1000; > A 14000+1000;"
	  "> A 15000+1000; > A 16000+384; short s 0; < A 0 a16384" },
	{ "snd-not-if-peer-window-stops-it", "5681 3.1, tcp_grow.c",
	  "snd=16384 cwnd=30000 wnd=17000",
	  "stop; w 16384; go; > A 0+1000; > A 1000+1000; > A 2000+1000;"
	  "> A 3000+1000; > A 4000+1000; > A 5000+1000; > A 6000+1000;"
	  "> A 7000+1000; > A 8000+1000; > A 9000+1000; > A 10000+1000;"
	  "> A 11000+1000; > A 12000+1000; > A 13000+1000; > A 14000+1000;"
	  "> A 15000+1000; > A 16000+384; short s 0; < A 0 a16384" },
	{ "snd-grows-if-no-segment-more-fits", "5681 3.1, tcp_grow.c",
	  "snd=16384 cwnd=30000", "W 15384; short s 0; W 1; short s 1" },
	{ "snd-grows-if-records-run-out", "5681 3.1, tcp_grow.c",
	  "recs=16 cwnd=30000", "*15 W 10; short s 0; W 10; short s 1" },
	{ "snd-not-while-a-loss-is-repaired", "5681 3.1, tcp_grow.c",
	  "snd=16384 cwnd=30000",
	  "W 16384; short s 1; +200; > A 0+1000; short s 0; stop" },
	{ "snd-not-after-the-last-byte", "9293 3.6, tcp_grow.c",
	  "snd=16384 cwnd=30000", "W 16384; fin; > AF 16384; short s 0" },
	{ "snd-not-if-not-full", "5681 3.1, tcp_grow.c", "snd=16384",
	  "w 1000; > A 0+1000; short s 0; < A 0 a1000" },
	{ "snd-spare-after-fin-acked", "9293 3.6, tcp_grow.c", "fw=1000",
	  "w 10; > A 0+10; fin; > AF 10; spare s 0; < A 0 a10; spare s 0;"
	  "< A 0 a11; spare s 65536; space 0; < A 0+10; +40; > A 11 a10;"
	  "< AF 10; > A 11 a11; st timewait; r 10" },
};

int main(void)
{
	return script_main("tcp window", cases,
			   sizeof(cases) / sizeof(cases[0]));
}
