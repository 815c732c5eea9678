// SPDX-License-Identifier: MIT OR Apache-2.0
/* The kernel's side of the comparison. A TUN device is the wire: what we write
 * to it the kernel has processed when write() comes back, and what it answered
 * can be read. So a step costs microseconds of real time, and no timer of the
 * kernel's has run; where the machine was slow one has, and stream_run()'s
 * caller runs the stream again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/pkt.h"
#include "tests/soak/differ.h"

#define PORT       8080
#define ETH_HEADER 14 /* pkt.h works on frames; TUN has none */

static struct {
	int tun, listener[2], fd;
	uint32_t stream;
	bool v6, ts_ok, sack_ok;
	struct pkt to; /* addresses and ports */
	uint32_t rcv_base, snd_base, ts_base, last_tsval;
	int shift; /* of the windows it offers */
	uint64_t acked_before;
	int32_t written, sent, acked, edge;
	bool reset, closed;
	char bad[160];
} k;

static int put_sysctl(const char *name, const char *value)
{
	char path[128];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Nothing by chance, nothing remembered, no limits on answers. */
static int put_sysctls(void)
{
	static const char *const sysctls[][2] = {
		{ "tcp_congestion_control", "reno" },
		{ "tcp_syncookies", "0" },
		{ "tcp_no_metrics_save", "1" },
		{ "tcp_invalid_ratelimit", "0" },
		{ "tcp_challenge_ack_limit", "2147483647" },
		{ "tcp_comp_sack_nr", "0" },
		{ "tcp_autocorking", "0" },
		{ "tcp_moderate_rcvbuf", "0" },
		{ "tcp_early_retrans", "0" },
		{ "tcp_window_scaling", "1" },
		{ "tcp_timestamps", "1" },
		{ "tcp_sack", "1" },
		{ "tcp_ecn", "0" },
		{ "tcp_rfc1337", "0" },
	};

	for (size_t i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]); i++) {
		int err = put_sysctl(sysctls[i][0], sysctls[i][1]);

		if (err) {
			fprintf(stderr, "%s: %s\n", sysctls[i][0],
				strerror(-err));
			return err;
		}
	}
	return 0;
}

static int open_tun(void)
{
	static const char commands[] =
		"ip link set dawn0 up txqueuelen 5000 gso_max_segs 1 && "
		"ip addr add 198.18.0.1/32 dev dawn0 && "
		"ip route add 198.18.0.0/15 dev dawn0 quickack 1 && "
		"ip addr add 2001:db8::1/128 dev dawn0 nodad && "
		"ip route add 2001:db8::/32 dev dawn0 quickack 1";
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	k.tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (k.tun < 0)
		return -errno;
	strcpy(ifr.ifr_name, "dawn0");
	if (ioctl(k.tun, TUNSETIFF, &ifr) < 0)
		return -errno;
	/* NOLINTNEXTLINE(cert-env33-c): nothing in it comes from outside. */
	return system(commands) ? -EIO : 0;
}

static int open_listener(bool v6)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(PORT) };
	struct sockaddr_in a4 = { .sin_family = AF_INET,
				  .sin_port = htons(PORT) };
	int one = 1, fd;

	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_IPV6, 26 /* IPV6_V6ONLY */, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	if (bind(fd, v6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4,
		 v6 ? sizeof(a6) : sizeof(a4)) ||
	    listen(fd, 16))
		return -errno;
	return fd;
}

static void complain(struct dview *v, const char *what)
{
	snprintf(k.bad, sizeof(k.bad), "%s", what);
	v->bad = k.bad;
}

/* ---- what it sends ---- */

static void note_options(struct dseg *g, const struct pkt *p)
{
	const uint8_t *o = pkt_opt_find(p, 8);

	g->has_ts = o;
	if (o) {
		k.last_tsval = pkt_be32(o);
		g->tsval = (int32_t)pkt_be32(o);
		g->tsecr = (int32_t)(pkt_be32(o + 4) - k.ts_base);
	}
	g->sacks = 0;
	o = pkt_opt_find(p, 5);
	if (!o)
		return;
	g->sacks = (uint8_t)((o[-1] - 2) / 8);
	if (g->sacks > DAWN_TCP_SACK_MAX)
		g->sacks = DAWN_TCP_SACK_MAX;
	for (int i = 0; i < g->sacks; i++) {
		g->sack[i].start = (int32_t)(pkt_be32(o + 8 * i) - k.rcv_base);
		g->sack[i].end =
			(int32_t)(pkt_be32(o + 8 * i + 4) - k.rcv_base);
	}
}

static void note_out(struct dview *v, const struct pkt *p)
{
	struct dseg *g = &v->out[v->outs];
	const uint8_t *data = p->payload;
	int32_t end;

	if (v->outs == D_OUTS) {
		complain(v, "the kernel does not stop sending");
		return;
	}
	v->outs++;
	g->seq = (int32_t)(p->seq - k.snd_base);
	g->ack = (int32_t)(p->ack - k.rcv_base);
	g->len = (uint32_t)p->len;
	g->flags = p->flags;
	g->wnd = p->wnd;
	note_options(g, p);
	for (uint32_t i = 0; i < g->len; i++)
		if (data[i] != d_our_byte(g->seq + (int32_t)i)) {
			complain(v, "the kernel sent a wrong byte");
			break;
		}
	if (g->flags & DAWN_TCP_RST)
		return;
	end = g->seq + (int32_t)g->len + (g->flags & DAWN_TCP_FIN ? 1 : 0);
	if (end > k.sent)
		k.sent = end;
	if (g->ack > k.acked)
		k.acked = g->ack;
	if (g->ack + (g->wnd << k.shift) > k.edge)
		k.edge = g->ack + (g->wnd << k.shift);
}

/* Next packet of this stream. Return: false if there is none. */
static bool next_packet(struct pkt *p)
{
	static uint8_t frame[ETH_HEADER + 65536];
	ssize_t n;

	while ((n = read(k.tun, frame + ETH_HEADER, 65536)) > 0) {
		bool v6 = frame[ETH_HEADER] >> 4 == 6;

		frame[12] = v6 ? 0x86 : 0x08;
		frame[13] = v6 ? 0xdd : 0x00;
		if (pkt_parse(p, frame, ETH_HEADER + (size_t)n))
			continue; /* neighbour discovery and the like */
		if (p->proto == IPPROTO_TCP && p->dport == k.to.sport &&
		    !memcmp(p->dst, k.to.src, 16))
			return true;
	}
	return false;
}

static void drain(struct dview *v)
{
	struct pkt p;

	while (next_packet(&p))
		note_out(v, &p);
}

/* ---- what it gets ---- */

static void send_packet(const struct pkt *p)
{
	uint8_t frame[PKT_FRAME_MAX];
	size_t n = pkt_build(p, frame);

	if (write(k.tun, frame + ETH_HEADER, n - ETH_HEADER) < 0)
		perror("tun");
}

static void address(bool v6)
{
	uint32_t n = k.stream++;
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(&k.to, 0, sizeof(k.to));
	k.to.family = v6 ? 6 : 4;
	k.to.ethertype = v6 ? 0x86dd : 0x0800;
	k.to.proto = IPPROTO_TCP;
	k.to.ttl = 64;
	k.to.sport = (uint16_t)(1024 + n % 60000);
	k.to.dport = PORT;
	n = n / 60000 % 0x10000;
	if (v6) {
		inet_pton(AF_INET6, "2001:db8::1", k.to.dst);
		inet_pton(AF_INET6, "2001:db8:1::", k.to.src);
	} else {
		memcpy(k.to.dst, mapped, 12);
		memcpy(k.to.src, mapped, 12);
		inet_pton(AF_INET, "198.18.0.1", k.to.dst + 12);
		inet_pton(AF_INET, "198.19.0.0", k.to.src + 12);
	}
	k.to.src[14] = (uint8_t)(n >> 8);
	k.to.src[15] = (uint8_t)n;
}

static void send_syn(const struct dopts *o)
{
	struct pkt p = k.to;

	p.seq = o->isn;
	p.flags = DAWN_TCP_SYN;
	p.wnd = o->wnd;
	pkt_opt_mss(&p, o->mss);
	if (o->wscale <= 14)
		pkt_opt_wscale(&p, o->wscale);
	if (o->sack_ok)
		pkt_opt_sackok(&p);
	if (o->ts_ok)
		pkt_opt_ts(&p, o->ts, 0);
	send_packet(&p);
}

static int handshake(const struct dopts *o)
{
	const uint8_t *opt;
	struct pkt p;

	send_syn(o);
	if (!next_packet(&p) || !(p.flags & DAWN_TCP_SYN))
		return -1;
	k.snd_base = p.seq + 1;
	k.edge = p.wnd;
	opt = pkt_opt_find(&p, 3);
	k.shift = opt ? opt[0] : 0;
	opt = pkt_opt_find(&p, 8);
	k.last_tsval = opt ? pkt_be32(opt) : 0;
	p = k.to;
	p.flags = DAWN_TCP_ACK;
	p.seq = k.rcv_base;
	p.ack = k.snd_base;
	p.wnd = o->wnd;
	if (o->ts_ok)
		pkt_opt_ts(&p, o->ts, k.last_tsval);
	send_packet(&p);
	k.fd = accept4(k.listener[o->v6], NULL, NULL, SOCK_NONBLOCK);
	return k.fd < 0 ? -1 : 0;
}

static void info(struct tcp_info *ti)
{
	socklen_t len = sizeof(*ti);

	memset(ti, 0, sizeof(*ti));
	if (k.fd >= 0)
		getsockopt(k.fd, IPPROTO_TCP, TCP_INFO, ti, &len);
}

int kernel_open(struct dview *v, const struct dopts *o)
{
	/* Small: a window of about 8 kB, so that unread bytes close it. */
	int rcvbuf = o->small ? 16384 : 1 << 20;
	struct tcp_info ti;

	v->outs = 0;
	v->bad = NULL;
	k.v6 = o->v6;
	k.ts_ok = o->ts_ok;
	k.sack_ok = o->sack_ok;
	k.rcv_base = o->isn + 1;
	k.ts_base = o->ts;
	k.written = k.sent = k.acked = 0;
	k.reset = k.closed = false;
	setsockopt(k.listener[o->v6], SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf,
		   sizeof(rcvbuf));
	address(o->v6);
	if (handshake(o)) {
		complain(v, "the kernel did not accept");
		return -1;
	}
	drain(v);
	v->outs = 0;
	info(&ti);
	k.acked_before = ti.tcpi_bytes_acked;
	return 0;
}

/* An IPv6 address is there some time after the command that adds it. */
static int wait_until_up(void)
{
	static const struct dopts o = {
		.mss = 1000, .wnd = 1000, .wscale = 255, .v6 = 1
	};
	struct timespec ms = { .tv_nsec = 10000000 };
	struct dview v = { 0 };
	struct dseg outs[D_OUTS];

	v.out = outs;
	for (int i = 0; i < 1000; i++) {
		int err = kernel_open(&v, &o);

		v.outs = 0;
		kernel_end(&v);
		if (!err)
			return 0;
		nanosleep(&ms, NULL);
	}
	return -ENETUNREACH;
}

int kernel_setup(void)
{
	int err;

	if (unshare(CLONE_NEWNET))
		return -errno;
	err = put_sysctls();
	if (!err)
		err = open_tun();
	if (err)
		return err;
	for (int i = 0; i < 2; i++) {
		k.listener[i] = open_listener(i);
		if (k.listener[i] < 0)
			return k.listener[i];
	}
	k.fd = -1;
	k.stream = (uint32_t)getpid() * 7919;
	return wait_until_up();
}

void kernel_inject(struct dview *v, const struct dseg *g)
{
	struct pkt p = k.to;

	p.seq = k.rcv_base + (uint32_t)g->seq;
	p.ack = k.snd_base + (uint32_t)g->ack;
	p.flags = g->flags;
	p.wnd = g->wnd;
	if (g->has_ts)
		pkt_opt_ts(&p, k.ts_base + (uint32_t)g->tsval, k.last_tsval);
	if (g->sacks) {
		uint8_t *o;

		pkt_opt_nop(&p, 2);
		o = p.opt + p.opt_len;
		o[0] = 5;
		o[1] = (uint8_t)(2 + 8 * g->sacks);
		for (int i = 0; i < g->sacks; i++) {
			uint32_t edge[2] = {
				htonl(k.snd_base + (uint32_t)g->sack[i].start),
				htonl(k.snd_base + (uint32_t)g->sack[i].end),
			};

			memcpy(o + 2 + 8 * i, edge, 8);
		}
		p.opt_len += o[1];
	}
	p.payload = g->data;
	p.len = g->len;
	send_packet(&p);
	drain(v);
}

/* ---- the application ---- */

uint32_t kernel_write(struct dview *v, uint32_t len)
{
	uint8_t buf[8192];
	ssize_t n;

	for (uint32_t i = 0; i < len; i++)
		buf[i] = d_our_byte(k.written + (int32_t)i);
	n = len ? send(k.fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
	if (n < 0) {
		k.reset |= errno == ECONNRESET;
		n = 0;
	}
	k.written += (int32_t)n;
	drain(v);
	return (uint32_t)n;
}

/* Reads stop at an urgent mark, so again until nothing comes. */
uint32_t kernel_read(struct dview *v, uint8_t *buf, uint32_t len)
{
	uint32_t got = 0;
	ssize_t n;

	while (got < len) {
		n = recv(k.fd, buf + got, len - got, MSG_DONTWAIT);
		if (n < 0 && (errno == ECONNRESET || errno == EPIPE))
			k.reset = true;
		if (n <= 0)
			break;
		got += (uint32_t)n;
	}
	drain(v);
	return got;
}

void kernel_shutdown(struct dview *v)
{
	shutdown(k.fd, SHUT_WR);
	drain(v);
}

void kernel_abort(struct dview *v)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(k.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(k.fd);
	k.fd = -1;
	k.closed = true;
	drain(v);
}

void kernel_wait(struct dview *v)
{
	struct timespec ms = { .tv_nsec = D_WAIT_MS * 1000000L };

	nanosleep(&ms, NULL);
	drain(v);
}

static uint8_t our_state(uint8_t state)
{
	static const uint8_t states[] = {
		[1] = DAWN_TCP_ESTABLISHED, [4] = DAWN_TCP_FIN_WAIT_1,
		[5] = DAWN_TCP_FIN_WAIT_2,  [8] = DAWN_TCP_CLOSE_WAIT,
		[9] = DAWN_TCP_LAST_ACK,    [11] = DAWN_TCP_CLOSING,
	};

	return state < sizeof(states) ? states[state] : DAWN_TCP_CLOSED;
}

void kernel_observe(struct dview *v)
{
	struct tcp_info ti;
	socklen_t len = sizeof(int);
	int err = 0, unread = 0;

	drain(v);
	info(&ti);
	v->state = k.closed ? DAWN_TCP_CLOSED : our_state(ti.tcpi_state);
	if (v->state == DAWN_TCP_CLOSED && !k.closed) {
		getsockopt(k.fd, SOL_SOCKET, SO_ERROR, &err, &len);
		k.reset |= err == ECONNRESET || err == EPIPE;
	}
	if (k.fd >= 0)
		ioctl(k.fd, SIOCINQ, &unread);
	v->reset = k.reset;
	v->cwnd_full = ti.tcpi_unacked >= ti.tcpi_snd_cwnd;
	v->rcv_nxt = k.acked;
	v->snd_una = (int32_t)(ti.tcpi_bytes_acked - k.acked_before);
	v->snd_max = k.sent;
	v->edge = k.edge;
	v->readable = (uint32_t)unread;
	v->snd_wnd = ti.tcpi_snd_wnd;
}

/* Leave nothing behind: also not TIME_WAIT. */
void kernel_end(struct dview *v)
{
	struct pkt p = k.to;

	if (k.fd >= 0)
		kernel_abort(v);
	p.flags = DAWN_TCP_RST;
	p.seq = k.rcv_base + (uint32_t)k.acked;
	send_packet(&p);
	drain(v);
}
