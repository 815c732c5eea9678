// SPDX-License-Identifier: MIT OR Apache-2.0
/* Receiving: acceptability, reassembly, acknowledgments, the window we offer,
 * timestamps. Language: test_tcp_script.h. */
#include "tests/unit/test_tcp_script.h"

static const struct script_case cases[] = {
	/* ---- in order, delayed ACK ---- */
	{ "data-in-order", "9293 3.10.7.4", "",
	  "<y A 0+100; ev DP; rd 100; r 100; rd 0; ." },
	{ "delayed-ack-40ms", "9293 3.8.6.3", "",
	  "< A 0+100; .; dl 40; +39; .; +1; > A 0 a100" },
	{ "delayed-ack-every-second", "5681 4.2", "",
	  "< A 0+1000; .; < A 1000+1000; > A 0 a2000; dl never" },
	{ "delayed-ack-third-waits", "5681 4.2", "",
	  "< A 0+1000; < A 1000+1000; > A 0 a2000; < A 2000+1000; .; +40;"
	  "> A 0 a3000" },
	{ "delayed-ack-small-segments-wait", "5681 4.2", "",
	  "< A 0+10; < A 10+10; < A 20+10; .; +40; > A 0 a30" },
	{ "delayed-ack-first-starts-timer", "9293 3.8.6.3", "",
	  "< A 0+10; +30; < A 10+10; +9; .; +1; > A 0 a20" },
	{ "delayed-ack-carried-by-data", "9293 3.8.6.3", "",
	  "< A 0+100; w 50; > AP 0+50 a100; dl 200; +100; ." },
	{ "psh-without-data", "9293 3.9.1", "", "<n AP 0; .; ev -" },
	{ "pure-ack-no-answer", "9293 3.10.7.4", "",
	  "<n A 0; .; ev -; dl never" },

	/* ---- acceptability ---- */
	{ "old-duplicate-acked", "9293 3.10.7.4 first", "",
	  "< A 0+100; r 100; +40; > A 0 a100; ev DP; <n A 0+100; > A 0 a100;"
	  "ev -; rd 0" },
	{ "old-duplicates-never-silenced", "5961 7", "",
	  "< A 0+1; +40; > A 0 a1; < A 0+1; > A 0; < A 0+1; > A 0; < A 0+1; > A 0;"
	  "< A 0+1; > A 0; < A 0+1; > A 0; < A 0+1; > A 0; < A 0+1; > A 0;"
	  "< A 0+1; > A 0; < A 0+1; > A 0; < A 0+1; > A 0; < A 0+1; > A 0;"
	  "< A 0+1; > A 0; < A 0+1; > A 0 a1; n c 0" },
	{ "left-overlap-trimmed", "9293 3.10.7.4", "",
	  "< A 0+100; < A 50+100; rd 150; r 150; +40; > A 0 a150" },
	{ "before-window-far", "9293 3.10.7.4", "",
	  "<n A -5000+100; > A 0 a0; rd 0; ev -" },
	{ "beyond-window-challenged", "9293 3.10.7.4", "",
	  "<n A 70000+100; > A 0 a0; rd 0; ev -; n c 1" },
	{ "beyond-window-limited", "5961 7", "",
	  "stop; < A 70000+1; < A 70000+1; < A 70000+1; < A 70000+1;"
	  "< A 70000+1; < A 70000+1; < A 70000+1; < A 70000+1; < A 70000+1;"
	  "< A 70000+1; n c 10; < A 70000+1; n c 10; go; > A 0; +999;"
	  "< A 70000+1; .; +1; < A 70000+1; > A 0; n c 11" },
	{ "limited-but-data-answered", "5961 7", "",
	  "stop; < A 70000+1; < A 70000+1; < A 70000+1; < A 70000+1;"
	  "< A 70000+1; < A 70000+1; < A 70000+1; < A 70000+1; < A 70000+1;"
	  "< A 70000+1; < A 70000+1; go; > A 0; < A -5+2; > A 0; < A -1; > A 0;"
	  "< A 5+1; > A 0" },
	{ "right-edge-last-byte", "9293 3.10.7.4", "adv=1000",
	  "< A 999+1; > A 0 a0; ev P; < A 0+999; > A 0 a1000; r 1000" },
	{ "right-edge-cut", "9293 3.10.7.4", "adv=1000",
	  "< A 0+1200; ev DP; rd 1000; > A 0 a1000" },
	{ "at-right-edge-ack-taken", "9293 3.10.7.4", "",
	  "w 100; > A 0+100; <n A 65535 a100; ev S; .; <y A 65535+1; > A 100 a0;"
	  "rd 0; ev -" },
	{ "past-right-edge-ack-not-taken", "9293 3.10.7.4", "",
	  "w 100; > A 0+100; < A 65536 a100; > A 100; ev -" },
	{ "keepalive-answered", "9293 3.8.4", "",
	  "<n A -1; > A 0 a0; < A -1+1; > A 0 a0; ev -" },
	{ "old-pure-ack-limited", "9293 3.10.7.4", "", "< A -2; > A 0; n c 1" },
	{ "no-ack-bit-dropped", "9293 3.10.7.4 fifth", "",
	  "<n P 0+10; .; ev -; rd 0" },
	{ "syn-challenged", "5961 4.2", "",
	  "<n S 0; > A 0 a0; n c 1; <n SA -1; > A 0 a0; <n S 100000; > A 0; ev -;"
	  "st estab" },
	{ "syn-fin-challenged", "5961 4.2", "",
	  "<n SF 0; > A 0 a0; ev -; st estab" },
	{ "urgent-is-data", "9293 3.8.5", "",
	  "< AU 0+10; rd 10; +40; > A 0 a10" },

	/* ---- reset ---- */
	{ "rst-exact", "5961 3.2", "", "<y R 0; .; ev RP; st closed" },
	{ "rst-in-window-challenged", "5961 3.2", "",
	  "<n R 1; > A 0 a0; ev -; st estab; n c 1" },
	{ "rst-last-in-window", "5961 3.2", "",
	  "< R 65534; > A 0; < R 65535; .; st estab" },
	{ "rst-out-of-window-silent", "5961 3.2", "",
	  "<n R -1; .; <n R 70000; .; st estab; n c 0" },
	{ "rst-no-paws", "7323 5.2", "ts",
	  "< A 0+10 t50,0; < R 10 t1,0; st closed" },
	{ "rst-without-ts", "7323 3.2", "ts", "< R 0 -t; st closed" },
	{ "rst-with-data-exact", "5961 3.2", "", "< RA 0+5; st closed; rd 0" },
	{ "after-reset-nothing", "9293 3.10.7.1", "",
	  "< R 0; ev RP; <n A 0+10; .; ev -; rd 0; space 0" },
	{ "rst-keeps-unread", "9293 3.10.7.4", "",
	  "< A 0+100; < R 100; ev DRP; rd 100; r 100" },
	{ "rst-at-zero-window", "5961 3.2", "rcv=4096 adv=4096",
	  "< A 0+4096; > A 0 a4096 w0; < R 4096; st closed" },

	/* ---- out of order ---- */
	{ "hole-then-filled", "9293 3.10.7.4", "",
	  "<y A 100+100; > A 0 a0; ev P; rd 0; < A 0+100; > A 0 a200; ev DP;"
	  "r 200" },
	{ "hole-each-segment-acked", "5681 4.2", "",
	  "< A 100+100; > A 0 a0; < A 200+100; > A 0 a0; < A 300+100; > A 0 a0;"
	  "< A 0+100; > A 0 a400; r 400" },
	{ "hole-batch-keeps-dupacks", "5681 3.2", "",
	  "stop; < A 100+100; < A 200+100; < A 300+100; go; > A 0 a0; > A 0 a0;"
	  "> A 0 a0" },
	{ "filled-batch-one-ack", "5681 4.2", "",
	  "stop; < A 100+100; < A 200+100; < A 0+100; go; > A 0 a300; ." },
	{ "partial-fill-acks-at-once", "5681 4.2", "",
	  "< A 200+100; > A 0 a0; < A 0+100; > A 0 a100; < A 100+100; > A 0 a300;"
	  "r 300" },
	{ "overlap-first-bytes-win", "9293 3.10.7.4", "",
	  "< A 100+100; > A 0; < AX 150+100; > A 0; < A 0+100; > A 0 a250;"
	  "r 200; rd 50" },
	{ "overlap-covering-keeps-first", "9293 3.10.7.4", "",
	  "< A 20+10; > A 0; < A 50+10; > A 0; < A 0+100; > A 0 a100; r 100" },
	{ "disagreeing-copy-held", "9293 3.10.7.4", "",
	  "< A 10+10; > A 0; < AX 10+10; > A 0; < A 0+10; > A 0 a20; r 20" },
	{ "disagreeing-over-two", "9293 3.10.7.4", "",
	  "< A 10+10; > A 0; < A 30+10; > A 0; < AX 10+30; > A 0; < A 0+10;"
	  "> A 0 a40; r 20" },
	{ "disagreeing-old-ignored", "9293 3.10.7.4", "",
	  "< A 0+20; < AX 0+20; > A 0 a20; < AX 10+10; > A 0 a20; r 20" },
	{ "sack-block-sent", "2018 4", "sack",
	  "< A 100+100; > A 0 a0 s100-200; < A 300+100; > A 0 a0 s300-400 s100-200;"
	  "< A 200+100; > A 0 a0 s100-400; < A 0+100; > A 0 a400" },
	{ "sack-newest-first", "2018 4", "sack",
	  "< A 100+10; > A 0 s100-110; < A 300+10; > A 0 s300-310 s100-110;"
	  "< A 200+10; > A 0 s200-210 s300-310 s100-110;"
	  "< A 110+10; > A 0 s100-120 s200-210 s300-310" },
	{ "sack-newest-first-after-partial-fill", "2018 4", "sack",
	  "< A 100+10; > A 0 s100-110; < A 200+10; > A 0 s200-210 s100-110;"
	  "< A 300+10; > A 0 s300-310 s200-210 s100-110;"
	  "< A 0+100; > A 0 a110 s300-310 s200-210" },
	{ "sack-at-most-four", "2018 3", "sack",
	  "< A 100+10; > A 0 s100-110; < A 200+10; > A 0 s200-210 s100-110;"
	  "< A 300+10; > A 0 s300-310 s200-210 s100-110;"
	  "< A 400+10; > A 0 s400-410 s300-310 s200-210 s100-110;"
	  "< A 500+10; > A 0 s500-510 s400-410 s300-310 s200-210" },
	{ "sack-three-beside-ts", "2018 3", "sack ts",
	  "< A 100+10; > A 0 s100-110; < A 200+10; > A 0 s200-210 s100-110;"
	  "< A 300+10; > A 0 s300-310 s200-210 s100-110;"
	  "< A 400+10; > A 0 s400-410 s300-310 s200-210" },
	{ "dupacks-not-forgotten-in-a-burst", "5681 4.2", "",
	  "stop; < A 10+1; < A 10+1; < A 10+1; < A 10+1; < A 10+1; go; > A 0; > A 0;"
	  "> A 0; > A 0; > A 0; ." },
	{ "duplicates-owed-up-to-255", "5681 4.2", "",
	  "stop; *300 < A 10+1; go; *255 > A 0 a0; ." },
	{ "sack-not-permitted", "2018 2", "", "< A 100+10; > A 0 a0" },
	{ "sack-with-data-fits", "2018 4", "sack",
	  "< A 100+10; > A 0 s100-110; w 1000; > A 0+988 a0 s100-110;"
	  "> AP 988+12 a0 s100-110" },
	{ "sack-two-with-data-fits", "2018 4", "sack",
	  "< A 100+10; > A 0 s100-110; < A 200+10; > A 0 s200-210 s100-110;"
	  "w 980; > AP 0+980 s200-210 s100-110; w 981; > A 980+980 s200-210 s100-110;"
	  "> AP 1960+1 s200-210 s100-110" },
	{ "ooo-cut-at-window", "9293 3.10.7.4", "adv=1000",
	  "stop; < A 900+200; < A 0+900; go; > A 0 a1000; r 1000" },
	{ "ooo-full-list-drops", "9293 3.10.7.4 SHLD-31", "sack",
	  "stop; < A 10+1; < A 20+1; < A 30+1; < A 40+1; < A 50+1; < A 60+1;"
	  "< A 70+1; < A 80+1; < A 90+1; < A 100+1; < A 110+1; < A 120+1;"
	  "< A 130+1; < A 140+1; < A 150+1; < A 160+1; < A 170+1; < A 180+1;"
	  "< A 190+1; < A 200+1; < A 210+1; < A 220+1; < A 230+1; < A 240+1;"
	  "< A 250+1; < A 260+1; < A 270+1; < A 280+1; < A 290+1; < A 300+1;"
	  "< A 310+1; < A 320+1; ev P; < A 330+1; ev -; < A 321+2; ev P; n o 34;"
	  "< A 0+322; go; > A 0 a323; r 323" },

	/* ---- window we offer ---- */
	{ "window-idle", "9293 3.8.6", "", "< A 0+1; +40; > A 0 a1 w65534" },
	{ "window-idle-scaled", "7323 2.3", "ws=7 rcv=262144",
	  "< A 0+1; r 1; +40; > A 0 a1 w2048" },
	{ "window-scale-bounded-by-ring", "7323 2.3",
	  "ws=7 rcv=65536 adv=65536",
	  "< A 0+1000; +40; > A 0 a1000 w504; r 1000" },
	{ "window-grows-by-segments", "9293 3.8.6.2.2", "",
	  "< A 0+1000; r 1000; < A 1000+400; r 400; +40; > A 0 a1400 w64135;"
	  "< A 1400+100; r 100; +40; > A 0 a1500 w65535" },
	{ "window-grows-by-exactly-one", "9293 3.8.6.2.2", "",
	  "< A 0+1000; r 1000; < A 1000+459; r 459; +40; > A 0 a1459 w64076;"
	  "< A 1459+1; r 1; +40; > A 0 a1460 w65535" },
	{ "window-never-shrinks", "9293 3.8.6", "rcv=65536 adv=65535",
	  "< A 0+1000; < A 1000+1000; > A 0 a2000 w63535; < A 2000+1000;"
	  "< A 3000+1000; > A 0 a4000 w61535" },
	{ "window-closes", "9293 3.8.6", "rcv=4096 adv=4096",
	  "< A 0+2000; +40; > A 0 a2000 w2096; < A 2000+2096; +40; > A 0 a4096 w0;"
	  "rd 4096" },
	{ "window-probe-answered", "9293 3.8.6.1", "rcv=4096 adv=4096",
	  "< A 0+4096; > A 0 a4096 w0; < A 4096+1; > A 0 a4096 w0; < A 4096+1;"
	  "> A 0 a4096 w0; rd 4096" },
	{ "window-probe-ack-taken", "9293 3.10.7.4 first", "rcv=4096 adv=4096",
	  "w 10; > A 0+10; < A 0+4096; > A 10 a4096 w0; ev DP; < A 4096+1 a10;"
	  "ev S; > A 10 a4096 w0" },
	{ "window-update-after-read", "9293 3.8.6.2.2", "rcv=4096 adv=4096",
	  "< A 0+4096; > A 0 a4096 w0; r 2047; .; r 1; > A 0 a4096 w2048; r 2048;"
	  "." },
	{ "window-no-update-if-plenty", "9293 3.8.6.2.2", "",
	  "< A 0+1000; < A 1000+1000; > A 0; r 2000; ." },
	{ "window-no-update-for-crumbs", "9293 3.8.6.2.2",
	  "rcv=16384 adv=16384",
	  "< A 0+16384; > A 0 a16384 w0; r 2919; .; r 1; > A 0 a16384 w2920" },
	{ "window-data-beyond-ring-dropped", "9293 3.8.6", "rcv=4096 adv=65535",
	  "< A 0+4096; > A 0 a4096 w61439; < A 4096+100; > A 0 a4096 w61439;"
	  "rd 4096; r 4096; ." },
	{ "window-scale-rounds-up-with-room", "7323 2.4", "ws=7 rcv=262144",
	  "< A 0+10; +40; > A 0 a10 w2047" },
	{ "window-scale-rounds-down-when-full", "7323 2.4",
	  "ws=7 rcv=4096 adv=4096",
	  "< A 0+4050; > A 0 a4050 w0; < A 4050+46; +40;"
	  "> A 0 a4096 w0; r 4096; > A 0 a4096 w32" },
	{ "fin-at-zero-window", "9293 3.10.7.4", "rcv=4096 adv=4096",
	  "< A 0+4096; > A 0 a4096 w0; < AF 4096; > A 0 a4097; st closewait" },
	{ "ring-wraps", "9293 3.9.1.3", "rcv=4096 adv=65535",
	  "< A 0+3000; > A 0; r 2000; < A 3000+2000; +40; > A 0 a5000; r 3000;"
	  "< A 5000+4000; > A 0 a9000; r 1; r 3999" },
	{ "ring-turns-with-ooo", "9293 3.9.1.3", "rcv=4096 adv=65535",
	  "< A 0+3000; > A 0; r 2000; < A 3000+2000; +40; > A 0; < A 5500+100; > A 0;"
	  "r 100; < A 5000+500; > A 0 a5600; r 3500" },

	/* ---- timestamps ---- */
	{ "ts-echoed", "7323 3.2", "ts",
	  "< A 0+10 t5,0; +40; > A 0 a10 t40,5" },
	{ "ts-first-of-two-echoed", "7323 4.3", "ts",
	  "< A 0+1000 t5,0; < A 1000+1000 t6,0; > A 0 a2000 t0,5" },
	{ "ts-hole-echoes-last-in-order", "7323 4.3", "ts",
	  "< A 0+10 t5,0; +40; > A 0 t40,5; < A 20+10 t7,0; > A 0 a10 t40,5;"
	  "< A 10+10 t8,0; > A 0 a30 t40,8" },
	{ "ts-equal-accepted", "7323 5.3", "ts",
	  "< A 0+10 t5,0; < A 10+10 t5,0; ev DP; rd 20; +40; > A 0 a20" },
	{ "paws-old-dropped-acked", "7323 5.3 R1", "ts",
	  "< A 0+10 t5,0; +40; > A 0; ev DP; < A 10+10 t4,0; > A 0 a10; ev -; rd 10" },
	{ "paws-pure-ack-limited", "7323 5.3 R1", "ts",
	  "< A 0 t5,0; w 10; > A 0+10; < A 0 a10 t4,0; > A 10; ev -; n c 1" },
	{ "paws-24-days", "7323 5.5", "ts",
	  "< A 0+10 t100,0; +2073600000; > A 0; ev DP; < A 10+10 t4,0; > A 0 a10;"
	  "ev -; +1; < A 10+10 t4,0; ev DP; +40; > A 0 a20 t2073600041,4" },
	{ "paws-age-from-last-timestamp", "7323 5.5", "ts",
	  "+1728000000; < A 0+10 t100,0; +40; > A 0 a10; ev DP; +432000000;"
	  "< A 10+10 t4,0; > A 0 a10; ev -; rd 10" },
	{ "ts-missing-dropped", "7323 3.2", "ts",
	  "< A 0+10 -t; .; ev -; rd 0" },
	{ "ts-not-negotiated-ignored", "7323 3.2", "",
	  "< A 0+10; +40; > A 0 a10" },
	{ "ts-old-segment-does-not-update", "7323 4.3", "ts",
	  "< A 0+10 t5,0; +40; > A 0 t40,5; < A 0+10 t9,0; > A 0 t40,5;"
	  "< A 10+10 t10,0; +40; > A 0 t80,10" },

	/* ---- ACK field ---- */
	{ "ack-beyond-sent-challenged", "9293 3.10.7.4 fifth", "",
	  "w 10; > A 0+10; <n A 0+5 a11; > A 10 a0; ev -; rd 0; n c 1" },
	{ "ack-all-sent-fine", "9293 3.10.7.4 fifth", "",
	  "w 10; > A 0+10; < A 0+5 a10; ev DSP; rd 5; +40; > A 10" },
	{ "ack-too-old-challenged", "5961 5.2", "",
	  "<n A 0+5 a-65536; > A 0; ev -; n c 1" },
	{ "ack-old-within-window-data-taken", "5961 5.2", "",
	  "<y A 0+5 a-65535; ev DP; rd 5; +40; > A 0 a5" },
	{ "ack-lies-do-not-silence-data", "5961 7", "",
	  "stop; < A 0 a1; < A 0 a1; < A 0 a1; < A 0 a1; < A 0 a1; < A 0 a1;"
	  "< A 0 a1; < A 0 a1; < A 0 a1; < A 0 a1; < A 0 a1; n c 10; go; > A 0;"
	  "< A 0+1000 a0; < A 1000+1000; > A 0 a2000" },
};

int main(void)
{
	return script_main("tcp receive", cases,
			   sizeof(cases) / sizeof(cases[0]));
}
