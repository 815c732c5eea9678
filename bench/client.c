/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* User half of the closed-loop XDP client (client.bpf.c): learns the answer's
 * length with an ordinary connection, opens the flows by sending SYNs through a
 * packet socket, asks again for flows that stand still, and samples the rate.
 *
 * usage: client IFNAME SERVER_IPV4 PORT TARGET FLOWS SECONDS
 * Output, one line: rate_min= rate_median= rate_max= (answers a second, over
 * samples of 250 ms, the first second left out) answers= stalls= wrong=
 * out_of_order= reset=
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/client.h"

#define SAMPLE_US  250000
#define STALL_US   300000
#define SAMPLE_MAX 4096
#define WARMUP     4 /* samples */

struct bench {
	const char *ifname;
	int ifindex;
	struct client_config cfg;
	struct client_flow *flows;
	int config_fd, flows_fd, stats_fd;
	int packet;
	uint8_t mac[ETH_ALEN], server_mac[ETH_ALEN];
	uint64_t seen[CLIENT_FLOWS_MAX]; /* answers when last looked at */
	uint64_t stalls;
	double sample[SAMPLE_MAX];
	unsigned int samples;
};

static void die(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void wait_us(uint64_t us)
{
	struct timespec ts = { (time_t)(us / 1000000),
			       (long)(us % 1000000) * 1000 };

	nanosleep(&ts, NULL);
}

static uint64_t sum_bytes(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (uint64_t)p[i] << 8 * (i % 2);
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Length of one answer, by asking thrice on one ordinary connection. */
static uint32_t learn(struct bench *b)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = b->cfg.port,
				  .sin_addr.s_addr = b->cfg.server };
	socklen_t len = sizeof(to);
	uint32_t total = 0;
	char buf[65536];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	for (int i = 0; i < 3; i++) {
		uint32_t want = 0;

		total = 0;
		if (write(fd, b->cfg.request, b->cfg.request_len) == -1)
			die("write");
		while (!want || total < want) {
			ssize_t n =
				read(fd, buf + total, sizeof(buf) - 1 - total);
			const char *body, *field;

			if (n <= 0)
				die("answer");
			total += (uint32_t)n;
			buf[total] = '\0';
			body = strstr(buf, "\r\n\r\n");
			field = strcasestr(buf, "content-length:");
			if (body && field)
				want = (uint32_t)(body + 4 - buf) +
				       (uint32_t)strtoul(field + 15, NULL, 10);
		}
	}
	if (getsockname(fd, (struct sockaddr *)&to, &len))
		die("getsockname");
	b->cfg.client = to.sin_addr.s_addr;
	close(fd);
	return total;
}

static void find_macs(struct bench *b)
{
	struct arpreq arp = { 0 };
	struct ifreq ifr = { 0 };
	struct sockaddr_in *sin = (struct sockaddr_in *)&arp.arp_pa;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(ifr.ifr_name, b->ifname, IFNAMSIZ - 1);
	strncpy(arp.arp_dev, b->ifname, sizeof(arp.arp_dev) - 1);
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = b->cfg.server;
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) || ioctl(fd, SIOCGARP, &arp))
		die("hardware addresses");
	memcpy(b->mac, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
	memcpy(b->server_mac, arp.arp_ha.sa_data, ETH_ALEN);
	close(fd);
}

/* Send a segment of flow i from outside XDP. */
static void inject(struct bench *b, uint32_t i, uint32_t seq, uint32_t ack,
		   bool syn)
{
	uint16_t payload = syn ? 4
			       : b->cfg.request_len; /* a SYN's MSS option */
	uint8_t frame[ETH_HLEN + 40 + CLIENT_REQUEST_MAX] = { 0 };
	struct ethhdr *eth = (void *)frame;
	struct iphdr ip = { .version = 4,
			    .ihl = 5,
			    .ttl = 64,
			    .protocol = IPPROTO_TCP,
			    .frag_off = htons(0x4000),
			    .saddr = b->cfg.client,
			    .daddr = b->cfg.server };
	struct tcphdr tcp = { .source =
				      htons((uint16_t)(CLIENT_PORT_FIRST + i)),
			      .dest = b->cfg.port,
			      .seq = htonl(seq),
			      .ack_seq = htonl(ack),
			      .doff = syn ? 6 : 5,
			      .syn = syn,
			      .ack = !syn,
			      .psh = !syn,
			      .window = htons(65535) };
	static const uint8_t mss[4] = { 2, 4, 1460 >> 8, 1460 & 255 };
	const uint8_t *data = syn ? mss : b->cfg.request;
	size_t len = ETH_HLEN + 40 + payload;

	memcpy(eth->h_dest, b->server_mac, ETH_ALEN);
	memcpy(eth->h_source, b->mac, ETH_ALEN);
	eth->h_proto = htons(ETH_P_IP);
	ip.tot_len = htons((uint16_t)(40 + payload));
	ip.check = (uint16_t)~fold(sum_bytes(&ip, sizeof(ip)));
	tcp.check = (uint16_t)~fold(
		sum_bytes(&tcp, sizeof(tcp)) + sum_bytes(data, payload) +
		sum_bytes(&ip.saddr, 8) + htons(IPPROTO_TCP) +
		htons((uint16_t)(20 + payload)));
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
	memcpy(frame + ETH_HLEN + 20, &tcp, sizeof(tcp));
	memcpy(frame + ETH_HLEN + 40, data, payload);
	if (send(b->packet, frame, len, 0) == -1 && errno != ENOBUFS)
		die("send");
}

static void open_packet_socket(struct bench *b)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET,
				   .sll_ifindex = b->ifindex };

	b->packet = socket(AF_PACKET, SOCK_RAW, 0);
	if (b->packet == -1 ||
	    bind(b->packet, (struct sockaddr *)&sll, sizeof(sll)))
		die("packet socket");
}

static struct bpf_object *attach(struct bench *b, const char *path)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;
	uint32_t zero = 0;

	if (!obj || bpf_object__load(obj))
		die(path);
	prog = bpf_object__find_program_by_name(obj, "client");
	b->config_fd = bpf_object__find_map_fd_by_name(obj, "config");
	b->flows_fd = bpf_object__find_map_fd_by_name(obj, "flows");
	b->stats_fd = bpf_object__find_map_fd_by_name(obj, "stats");
	if (bpf_map_update_elem(b->config_fd, &zero, &b->cfg, 0))
		die("config");
	b->flows = mmap(NULL, sizeof(*b->flows) * CLIENT_FLOWS_MAX,
			PROT_READ | PROT_WRITE, MAP_SHARED, b->flows_fd, 0);
	if (b->flows == MAP_FAILED)
		die("mmap");
	if (bpf_xdp_attach(b->ifindex, bpf_program__fd(prog),
			   XDP_FLAGS_DRV_MODE, NULL))
		die("attach");
	return obj;
}

/* Flows without an answer since the last look ask again. */
static void mend(struct bench *b, uint64_t round)
{
	for (uint32_t i = 0; i < b->cfg.flows; i++) {
		struct client_flow *f = &b->flows[i];

		if (f->answers != b->seen[i] || round == 0) {
			b->seen[i] = f->answers;
			continue;
		}
		b->stalls++;
		if (f->state == CLIENT_WAITING)
			inject(b, i, f->snd_nxt - b->cfg.request_len,
			       f->rcv_nxt, false);
		else
			inject(b, i, f->snd_nxt, 0, true);
	}
}

static void read_stats(const struct bench *b, struct client_stats *out)
{
	int cpus = libbpf_num_possible_cpus();
	struct client_stats per[cpus];
	uint32_t zero = 0;

	memset(out, 0, sizeof(*out));
	if (bpf_map_lookup_elem(b->stats_fd, &zero, per))
		die("stats");
	for (int i = 0; i < cpus; i++) {
		out->answers += per[i].answers;
		out->segments += per[i].segments;
		out->wrong += per[i].wrong;
		out->out_of_order += per[i].out_of_order;
		out->reset += per[i].reset;
	}
}

static void open_flows(struct bench *b)
{
	for (uint32_t i = 0; i < b->cfg.flows; i++) {
		b->flows[i].state = CLIENT_SYN_SENT;
		b->flows[i].snd_nxt = 0x10000 * i + (uint32_t)getpid();
		inject(b, i, b->flows[i].snd_nxt, 0, true);
	}
}

static void measure(struct bench *b, double seconds)
{
	uint64_t end = now_us() + (uint64_t)(seconds * 1e6);
	uint64_t last_us = now_us(), last = 0, mended = last_us, round = 0;
	struct client_stats st;

	while (now_us() < end && b->samples < SAMPLE_MAX) {
		uint64_t now;

		wait_us(SAMPLE_US);
		read_stats(b, &st);
		now = now_us();
		b->sample[b->samples++] = (double)(st.answers - last) * 1e6 /
					  (double)(now - last_us);
		last = st.answers;
		last_us = now;
		if (now - mended > STALL_US) {
			mend(b, round++);
			mended = now;
		}
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_result(struct bench *b)
{
	double *s = b->sample + WARMUP;
	unsigned int n = b->samples - WARMUP;
	struct client_stats st;

	read_stats(b, &st);
	qsort(s, n, sizeof(*s), by_value);
	printf("rate_min=%.0f rate_median=%.0f rate_max=%.0f answers=%" PRIu64
	       " stalls=%" PRIu64 " wrong=%" PRIu64 " out_of_order=%" PRIu64
	       " reset=%" PRIu64 " response=%u\n",
	       s[0], s[n / 2], s[n - 1], (uint64_t)st.answers, b->stalls,
	       (uint64_t)st.wrong, (uint64_t)st.out_of_order,
	       (uint64_t)st.reset, b->cfg.response_len);
}

static void close_flows(struct bench *b)
{
	/* XDP goes first, or it would answer; the server's idle timers end
	 * what is left. */
	bpf_xdp_detach(b->ifindex, XDP_FLAGS_DRV_MODE, NULL);
	close(b->packet);
}

int main(int argc, char **argv)
{
	static struct bench b;
	const char *object = getenv("CLIENT_OBJECT");
	double seconds;

	if (argc != 7) {
		fprintf(stderr, "usage: client IFNAME SERVER_IPV4 PORT TARGET "
				"FLOWS SECONDS\n");
		return 2;
	}
	b.ifname = argv[1];
	b.ifindex = (int)if_nametoindex(argv[1]);
	b.cfg.port = htons((uint16_t)strtoul(argv[3], NULL, 10));
	b.cfg.flows = (uint32_t)strtoul(argv[5], NULL, 10);
	seconds = strtod(argv[6], NULL);
	b.cfg.request_len = (uint16_t)snprintf(
		(char *)b.cfg.request, sizeof(b.cfg.request),
		"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", argv[4], argv[2]);
	if (!b.ifindex || inet_pton(AF_INET, argv[2], &b.cfg.server) != 1 ||
	    !b.cfg.flows || b.cfg.flows > CLIENT_FLOWS_MAX ||
	    b.cfg.request_len >= CLIENT_REQUEST_MAX || seconds < 2) {
		fprintf(stderr, "client: bad arguments\n");
		return 2;
	}
	b.cfg.request_sum =
		(uint32_t)sum_bytes(b.cfg.request, b.cfg.request_len);
	b.cfg.response_len = learn(&b);
	find_macs(&b);
	open_packet_socket(&b);
	attach(&b, object ? object : "build/bench/client.bpf.o");
	open_flows(&b);
	measure(&b, seconds);
	print_result(&b);
	close_flows(&b);
	return 0;
}
