// SPDX-License-Identifier: MIT OR Apache-2.0
/* flood: packets at a steady rate into whatever is at an interface's other
 * end, by bpf_prog_test_run's live frames.
 *
 * usage: flood [OPTION]... IFNAME DST_MAC SRC_IPV4 DST_IPV4 DST_PORT KIND
 *   KIND: syn   SYNs, each from another address of SRC's /16 and port
 *         ack   ACKs, the same, numbers random
 *         rst   RSTs of one connection (-p), SEQ random
 *         data  100 bytes of one connection (-p), SEQ and ACK random
 *   -r PPS      packets a second (100000)
 *   -s SECONDS  (5)
 *   -p PORT     the connection's port at SRC
 *   -q STEP     SEQ from 0 in steps of STEP instead of random
 * Output, one line: sent= pps=
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/flood.h"
#include "tests/lib/pkt.h"
#include "tests/lib/tool.h"

#define BATCH 32
#define RUNS  4000000 /* each call has some 70 ms without frames around it */

static unsigned long any_number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (!*text || *end) {
		errno = EINVAL;
		die_errno(text);
	}
	return n;
}

static void mapped(uint8_t *out, const char *text)
{
	memset(out, 0, 10);
	out[10] = out[11] = 0xff;
	if (inet_pton(AF_INET, text, out + 12) != 1) {
		errno = EINVAL;
		die_errno(text);
	}
}

static void kind(struct pkt *p, struct flood_config *c, const char *name)
{
	static const char data[100] = "GET /";

	if (!strcmp(name, "syn")) {
		p->flags = PKT_SYN;
		pkt_opt_mss(p, 1460);
		pkt_opt_sackok(p);
		pkt_opt_nop(p, 2);
		c->random = FLOOD_SOURCE | FLOOD_SEQ;
	} else if (!strcmp(name, "ack")) {
		p->flags = PKT_ACK;
		c->random = FLOOD_SOURCE | FLOOD_SEQ | FLOOD_ACK;
	} else if (!strcmp(name, "rst")) {
		p->flags = PKT_RST;
		c->random = FLOOD_SEQ;
	} else if (!strcmp(name, "data")) {
		p->flags = PKT_ACK | PKT_PSH;
		p->payload = data;
		p->len = sizeof(data);
		c->random = FLOOD_SEQ | FLOOD_ACK;
	} else {
		errno = EINVAL;
		die_errno(name);
	}
}

/* Load the program; its config map's fd in *map. Return: its fd. */
static int load(int *map)
{
	const char *path = getenv("FLOOD_OBJECT");
	struct bpf_object *obj =
		bpf_object__open(path ? path : "build/bench/flood.bpf.o");
	struct bpf_program *prog;

	if (!obj || bpf_object__load(obj))
		die_errno("cannot load the program ($FLOOD_OBJECT)");
	prog = bpf_object__find_program_by_name(obj, "flood");
	*map = bpf_object__find_map_fd_by_name(obj, "config");
	return bpf_program__fd(prog);
}

/* Runs come as fast as they can; the program sends at its pace. A call costs
 * some 20 ms before its first run, hence many of them. */
static void run(int prog, int map, unsigned int ifindex, struct flood_config *c)
{
	struct xdp_md ctx = { .data_end = c->len, .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = c->frame,
		    .data_size_in = c->len, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .batch_size = BATCH,
		    .repeat = RUNS, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	uint32_t zero = 0;

	if (bpf_map_update_elem(map, &zero, c, BPF_ANY))
		die_errno("config");
	while (now_ns() < c->end_ns) {
		if (bpf_prog_test_run_opts(prog, &o))
			die_errno("bpf_prog_test_run with live frames");
	}
	if (bpf_map_lookup_elem(map, &zero, c))
		die_errno("config");
}

int main(int argc, char **argv)
{
	struct pkt p = { .family = 4,
			 .ttl = 64,
			 .proto = IPPROTO_TCP,
			 .sport = 1024,
			 .wnd = 1000 };
	unsigned long pps = 100000, seconds = 5;
	struct flood_config c = { 0 };
	struct ether_addr mac;
	unsigned int ifindex;
	uint64_t start;
	int opt, prog, map;

	while ((opt = getopt(argc, argv, "r:s:p:q:")) != -1) {
		switch (opt) {
		case 'r':
			pps = any_number(optarg);
			break;
		case 's':
			seconds = any_number(optarg);
			break;
		case 'p':
			p.sport = (uint16_t)any_number(optarg);
			break;
		case 'q':
			c.step = (uint32_t)any_number(optarg);
			break;
		default:
			argc = 0;
			break;
		}
	}
	argv += optind;
	if (argc - optind != 6 || !ether_aton_r(argv[1], &mac)) {
		fprintf(stderr, "usage: flood [-r PPS] [-s SECONDS] [-p PORT] "
				"[-q STEP] [-n N] IFNAME DST_MAC SRC_IPV4 "
				"DST_IPV4 DST_PORT syn|ack|rst|data\n");
		return 2;
	}
	ifindex = if_nametoindex(argv[0]);
	if (!ifindex)
		die_errno(argv[0]);
	mapped(p.src, argv[2]);
	mapped(p.dst, argv[3]);
	p.dport = (uint16_t)any_number(argv[4]);
	kind(&p, &c, argv[5]);
	memcpy(p.dst_mac, mac.ether_addr_octet, 6);
	p.src_mac[0] = 2;
	prog = load(&map);
	c.len = (uint32_t)pkt_build(&p, c.frame);
	start = now_ns();
	c.interval_ns = 1000000000 / pps;
	c.next_ns = start;
	c.end_ns = start + seconds * 1000000000;
	run(prog, map, ifindex, &c);
	printf("sent=%llu pps=%.0f\n", (unsigned long long)c.sent,
	       (double)c.sent * 1e9 / (double)(c.end_ns - start));
	return 0;
}
