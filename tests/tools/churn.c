// SPDX-License-Identifier: MIT OR Apache-2.0
/* churn: new connections at a steady rate, by a TCP of its own over AF_XDP,
 * which costs a third of what sockets do. Each has a pair of address and port
 * that no other had, asks once, and every byte of the answer is compared with
 * what the kernel's TCP got for the same request.
 *
 * usage: churn [OPTION]... IFNAME DST_MAC DST_IPV4 PORT TARGET
 *   -r RATE     connections a second (20000)
 *   -s SECONDS  (5)
 *   -m PERMILLE of the requests are for the reactor: they have a cookie (100)
 *   -v PERMILLE vanish (2): half of them after the handshake, half after the
 *               answer
 *   -e PERMILLE end by our RST (10)
 *   -c PERMILLE ask for "Connection: close": the server ends first (10)
 *   -f PERMILLE acknowledge the answer with their FIN (100); all others before
 *   -t SECONDS  a line of what was done so far, so often (never)
 *   -x SEED     of what each does, its numbers, and the first port (the clock)
 *
 * Sources are 198.19.0.0 to 198.19.0.255, from port 1025 on: 16 million
 * connections, then the first pair comes again. Half of the connections have
 * timestamps, SACK and window scaling; a quarter send the request with the
 * handshake's ACK.
 * What is not acknowledged, or not answered, is sent again after 200 ms, then
 * twice that, and so on. A connection fails by a RST, a wrong byte, an answer
 * cut short by a FIN, or if it is not over after 20 s. One that is over is forgotten: as in TIME_WAIT, a
 * repeated FIN is answered; segments for one that vanished are not, for one
 * that was reset by a RST.
 *
 * Output: begun= done= failed= reset= wrong= timeout= resent= ... ; the rate is
 * that of what was begun, late_ms how far behind the clock it was at most.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <getopt.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/answer.h"
#include "tests/lib/pkt.h"
#include "tests/lib/tool.h"
#include "user/net/xsk.h"

#define SOURCES    256
#define PORT_FIRST 1025
#define PORTS      64000
#define IDS        (SOURCES * PORTS)
#define SLOTS      (1U << 19) /* of connections: for GIVE_UP at any rate */
#define GIVE_UP_NS 20000000000ULL
#define RTO_NS     200000000ULL
#define LEVELS     8
#define NO_SLOT    UINT32_MAX
#define TURN_NS    250000
#define MIN_FRAME  64 /* shorter ones may be padded */

/* What a connection does; a function of its number. */
enum ask { HIT, MISS, CLOSE, ASKS };
enum end { FIN, ACK_FIN, RST, VANISH, VANISH_EARLY };

struct plan {
	enum ask ask;
	enum end end;
	bool ts, together;
};

enum state { FREE, SYN_SENT, ASKED, FIN_SENT };

struct conn {
	uint32_t id;
	uint8_t state, level;
	bool fin_came;
	uint32_t isn, una; /* una: acknowledged by the server */
	uint32_t rcv_nxt;
	uint32_t got; /* of the answer */
	uint32_t ts_recent;
	uint32_t prev, next; /* slots, in order of sent_ns, of one level */
	uint64_t start_ns, sent_ns;
};

struct list {
	uint32_t first, last;
};

static struct {
	struct pkt base;
	struct dawn_xsk *xsk;
	struct conn conn[SLOTS];
	struct list level[LEVELS];
	struct answer answer[ASKS];
	uint32_t rate, seconds, seed, tell_s;
	uint32_t miss, vanish, rst, close, fin; /* permille */
	uint64_t now, late_ns;
	uint64_t begun, over, alive, skipped;
	uint64_t finished, reset_sent, vanished, early; /* how they ended */
	uint64_t asked[ASKS];
	uint64_t reset, wrong, cut, timeout; /* failed */
	uint64_t resent, stray, no_buffer;
} g = {
	.rate = 20000,
	.seconds = 5,
	.miss = 100,
	.vanish = 2,
	.rst = 10,
	.close = 10,
	.fin = 100,
};

static uint32_t mix(uint32_t x)
{
	x ^= g.seed;
	x = (x ^ x >> 16) * 0x7feb352dU;
	x = (x ^ x >> 15) * 0x846ca68bU;
	return x ^ x >> 16;
}

/* One of several with shares in permille; the rest is 0. */
static bool share(uint32_t *draw, uint32_t permille)
{
	bool in = *draw < permille;

	*draw -= in ? 0 : permille;
	return in;
}

static struct plan plan_of(uint32_t id)
{
	uint32_t bits = mix(id), draw = mix(~id) % 1000, end = bits % 1000;
	struct plan p = {
		.ask = HIT,
		.end = ACK_FIN,
		.ts = bits >> 30 & 1,
		.together = (bits >> 28 & 3) == 0,
	};

	if (share(&draw, g.miss))
		p.ask = MISS;
	else if (share(&draw, g.close))
		p.ask = CLOSE; /* how it ends is the server's choice */
	if (p.ask == CLOSE)
		return p;
	if (share(&end, g.vanish))
		p.end = end & 1 ? VANISH : VANISH_EARLY;
	else if (share(&end, g.rst))
		p.end = RST;
	else if (share(&end, g.fin))
		p.end = FIN;
	if (p.end == VANISH_EARLY)
		p.together = false;
	return p;
}

/* ---- timers: one list for each length, so each is in order ---- */

static void unlink_conn(struct conn *c)
{
	struct list *l = &g.level[c->level];

	if (c->prev == NO_SLOT)
		l->first = c->next;
	else
		g.conn[c->prev].next = c->next;
	if (c->next == NO_SLOT)
		l->last = c->prev;
	else
		g.conn[c->next].prev = c->prev;
}

static void link_conn(struct conn *c)
{
	struct list *l = &g.level[c->level];
	uint32_t slot = (uint32_t)(c - g.conn);

	c->sent_ns = g.now;
	c->next = NO_SLOT;
	c->prev = l->last;
	if (l->last == NO_SLOT)
		l->first = slot;
	else
		g.conn[l->last].next = slot;
	l->last = slot;
}

/* There was progress: the first timeout again. */
static void restart(struct conn *c, uint8_t level)
{
	unlink_conn(c);
	c->level = level;
	link_conn(c);
}

/* ---- out ---- */

static uint32_t clock_ms(void)
{
	return (uint32_t)(g.now / 1000000);
}

static void transmit(uint32_t id, const struct pkt *p)
{
	uint8_t *frame = dawn_xsk_tx_buffer(g.xsk);
	struct pkt out = *p;

	if (!frame) {
		(void)dawn_xsk_flush(g.xsk);
		frame = dawn_xsk_tx_buffer(g.xsk);
	}
	if (!frame) { /* as lost on a wire */
		g.no_buffer++;
		return;
	}
	out.src[15] = (uint8_t)(id % SOURCES);
	out.sport = (uint16_t)(PORT_FIRST + id / SOURCES);
	dawn_xsk_tx_commit(g.xsk, (uint32_t)pkt_build(&out, frame));
}

static void segment(const struct conn *c, uint32_t seq, uint8_t flags,
		    const void *data, uint32_t len)
{
	struct pkt p = g.base;

	p.seq = seq;
	p.ack = c->rcv_nxt;
	p.flags = flags | PKT_ACK;
	p.payload = data;
	p.len = len;
	if (plan_of(c->id).ts)
		pkt_opt_ts(&p, clock_ms(), c->ts_recent);
	transmit(c->id, &p);
}

static void send_syn(const struct conn *c)
{
	struct pkt p = g.base;

	p.seq = c->isn;
	p.flags = PKT_SYN;
	pkt_opt_mss(&p, 1460);
	if (plan_of(c->id).ts) {
		pkt_opt_sackok(&p);
		pkt_opt_ts(&p, clock_ms(), 0);
		pkt_opt_wscale(&p, 7);
	}
	transmit(c->id, &p);
}

static const struct answer *wanted(const struct conn *c)
{
	return &g.answer[plan_of(c->id).ask];
}

static void send_request(const struct conn *c)
{
	const struct answer *a = wanted(c);

	segment(c, c->isn + 1, PKT_PSH, a->request, a->request_len);
}

/* Behind our request; behind our FIN, too, if it is sent. */
static uint32_t snd_nxt(const struct conn *c)
{
	uint32_t asked = c->state >= ASKED ? wanted(c)->request_len : 0;

	return c->isn + 1 + asked + (c->state == FIN_SENT);
}

static void send_ack(const struct conn *c)
{
	segment(c, snd_nxt(c), 0, NULL, 0);
}

static void send_fin(struct conn *c)
{
	c->state = FIN_SENT;
	restart(c, 0);
	segment(c, snd_nxt(c) - 1, PKT_FIN, NULL, 0);
}

/* ---- the end of a connection ---- */

static void forget(struct conn *c, uint64_t *count)
{
	unlink_conn(c);
	c->state = FREE;
	g.alive--;
	++*count;
}

static void finish(struct conn *c, uint64_t *count)
{
	g.over++;
	forget(c, count);
}

/* ---- in ---- */

static bool whole(const struct conn *c)
{
	return c->got == wanted(c)->len;
}

/* Data in order. Return: false: the connection has failed. */
static bool take_data(struct conn *c, const struct pkt *p)
{
	if (c->state != ASKED ||
	    !answer_right(wanted(c), c->got, p->payload, p->len)) {
		segment(c, snd_nxt(c), PKT_RST, NULL, 0);
		forget(c, &g.wrong);
		return false;
	}
	c->got += (uint32_t)p->len;
	c->rcv_nxt += (uint32_t)p->len;
	restart(c, 0);
	if (whole(c))
		g.asked[plan_of(c->id).ask]++;
	return true;
}

/* Data came, and no FIN. */
static void go_on(struct conn *c)
{
	struct plan plan = plan_of(c->id);

	if (!whole(c) || plan.ask == CLOSE) {
		send_ack(c);
	} else if (plan.end == RST) {
		segment(c, snd_nxt(c), PKT_RST, NULL, 0);
		finish(c, &g.reset_sent);
	} else if (plan.end == VANISH) {
		send_ack(c);
		finish(c, &g.vanished);
	} else {
		if (plan.end == ACK_FIN)
			send_ack(c);
		send_fin(c);
	}
}

/* Acknowledge the server's FIN; it is over when ours is acknowledged too. */
static void take_fin(struct conn *c)
{
	if (!whole(c)) {
		forget(c, &g.cut);
		return;
	}
	c->fin_came = true;
	c->rcv_nxt++;
	if (c->state == FIN_SENT)
		send_ack(c);
	else
		send_fin(c);
}

static void opened(struct conn *c, const struct pkt *p)
{
	struct plan plan = plan_of(c->id);

	c->rcv_nxt = p->seq + 1;
	c->una = p->ack;
	if (!plan.together)
		send_ack(c);
	if (plan.end == VANISH_EARLY) {
		g.early++;
		finish(c, &g.vanished);
		return;
	}
	c->state = ASKED;
	restart(c, 0);
	send_request(c);
}

static void take_ack(struct conn *c, uint32_t ack)
{
	if ((int32_t)(ack - c->una) > 0 && (int32_t)(snd_nxt(c) - ack) >= 0)
		c->una = ack;
}

static void take(struct conn *c, const struct pkt *p)
{
	bool fin = p->flags & PKT_FIN;

	if (p->flags & PKT_RST) {
		if (p->seq == c->rcv_nxt || c->state == SYN_SENT)
			forget(c, &g.reset);
		return;
	}
	if (c->state == SYN_SENT) {
		if (p->flags == (PKT_SYN | PKT_ACK) && p->ack == c->isn + 1)
			opened(c, p);
		return;
	}
	if (p->flags & PKT_SYN || !(p->flags & PKT_ACK))
		return;
	take_ack(c, p->ack);
	if (p->seq != c->rcv_nxt) {
		if (p->len || fin)
			send_ack(c);
		return;
	}
	if (p->len && !take_data(c, p))
		return;
	if (fin)
		take_fin(c);
	else if (p->len)
		go_on(c);
	if (c->state == FIN_SENT && c->fin_came && c->una == snd_nxt(c))
		finish(c, &g.finished);
}

/* A segment of a connection that is over. */
static void take_stray(uint32_t id, const struct pkt *p)
{
	enum end end = plan_of(id).end;
	const uint8_t *ts = pkt_opt_find(p, 8);
	struct pkt out = g.base;

	g.stray++;
	if (p->flags & PKT_RST || end == VANISH || end == VANISH_EARLY)
		return;
	out.seq = p->ack;
	if (end == RST) {
		out.flags = PKT_RST;
	} else if (p->flags & PKT_FIN) {
		out.flags = PKT_ACK;
		out.ack = p->seq + (uint32_t)p->len + 1;
		if (ts)
			pkt_opt_ts(&out, clock_ms(), pkt_be32(ts));
	} else {
		return;
	}
	transmit(id, &out);
}

static void receive(const uint8_t *frame, uint32_t len)
{
	const char *bad;
	const uint8_t *ts;
	struct conn *c;
	struct pkt p;
	uint32_t id;

	if (len <= MIN_FRAME) {
		uint32_t end = 14U + (frame[16] << 8 | frame[17]);

		len = end < len ? end : len;
	}
	bad = pkt_parse(&p, frame, len);
	if (bad || p.proto != IPPROTO_TCP) {
		fprintf(stderr, "churn: a bad frame: %s\n", bad ? bad : "?");
		exit(1);
	}
	id = (uint32_t)(p.dport - PORT_FIRST) * SOURCES + p.dst[15];
	c = &g.conn[id % SLOTS];
	if (c->state == FREE || c->id != id) {
		take_stray(id, &p);
		return;
	}
	ts = pkt_opt_find(&p, 8);
	if (ts && (c->state == SYN_SENT ||
		   (int32_t)(pkt_be32(ts) - c->ts_recent) > 0))
		c->ts_recent = pkt_be32(ts);
	take(c, &p);
}

/* ---- turns ---- */

static void begin(uint32_t id)
{
	struct conn *c = &g.conn[id % SLOTS];

	if (c->state != FREE) { /* never, unless it is stuck */
		g.skipped++;
		return;
	}
	*c = (struct conn){
		.id = id,
		.state = SYN_SENT,
		.isn = mix(id * 2654435761U),
		.start_ns = g.now,
	};
	c->una = c->isn;
	link_conn(c);
	g.begun++;
	g.alive++;
	send_syn(c);
}

static void resend(struct conn *c)
{
	if (g.now - c->start_ns > GIVE_UP_NS) {
		forget(c, &g.timeout);
		return;
	}
	g.resent++;
	restart(c, c->level < LEVELS - 1 ? c->level + 1 : c->level);
	if (c->state == SYN_SENT)
		send_syn(c);
	else if (c->una == snd_nxt(c))
		send_ack(c); /* the server may have missed the last one */
	else if (c->una == c->isn + 1)
		send_request(c);
	if (c->state == FIN_SENT && c->una != snd_nxt(c))
		segment(c, snd_nxt(c) - 1, PKT_FIN, NULL, 0);
}

static void look_at_timers(void)
{
	for (uint32_t i = 0; i < LEVELS; i++) {
		while (g.level[i].first != NO_SLOT) {
			struct conn *c = &g.conn[g.level[i].first];

			if (g.now - c->sent_ns < RTO_NS << i)
				break;
			resend(c);
		}
	}
}

/* All that came, and what comes in answer to what we send: XDP's answers are
 * there when a flush returns. */
static void receive_all(void)
{
	const struct dawn_xsk_frame *f;
	uint32_t n;

	(void)dawn_xsk_flush(g.xsk);
	while ((n = dawn_xsk_rx(g.xsk, &f))) {
		g.now = now_ns();
		for (uint32_t i = 0; i < n; i++)
			receive(f[i].data, f[i].len);
		dawn_xsk_rx_done(g.xsk);
		(void)dawn_xsk_flush(g.xsk);
	}
}

static void report(const char *what, uint64_t start)
{
	uint64_t end = start + g.seconds * 1000000000ULL;
	double passed = (double)((g.now < end ? g.now : end) - start) / 1e9;
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("%s seconds=%.1f begun=%lu rate=%.0f done=%lu failed=%lu reset=%lu wrong=%lu cut=%lu timeout=%lu skipped=%lu hits=%lu misses=%lu closes=%lu fins=%lu rsts=%lu vanished=%lu early=%lu alive=%lu resent=%lu stray=%lu no_buffer=%lu lost=%lu late_ms=%lu cpu=%.2f\n",
	       what, (double)(g.now - start) / 1e9, g.begun,
	       (double)g.begun / passed, g.over,
	       g.reset + g.wrong + g.cut + g.timeout, g.reset, g.wrong, g.cut,
	       g.timeout, g.skipped, g.asked[HIT], g.asked[MISS],
	       g.asked[CLOSE], g.finished, g.reset_sent, g.vanished, g.early,
	       g.alive, g.resent, g.stray, g.no_buffer, dawn_xsk_lost(g.xsk),
	       g.late_ns / 1000000,
	       ((double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6) *
		       1e9 / (double)(g.now - start));
	fflush(stdout);
}

static void run(void)
{
	uint64_t total = (uint64_t)g.rate * g.seconds, tries = 0, due, start;
	uint64_t told_s = 0;

	g.now = start = now_ns();
	while (tries < total || g.alive) {
		due = (g.now - start) * g.rate / 1000000000;
		for (; tries < total && tries < due; tries++) {
			uint64_t at = start + tries * 1000000000 / g.rate;

			if (g.now > at && g.now - at > g.late_ns)
				g.late_ns = g.now - at;
			begin((uint32_t)((g.seed + tries) % IDS));
			if (tries % DAWN_XSK_BATCH == 0)
				receive_all();
		}
		receive_all();
		look_at_timers();
		receive_all();
		g.now = now_ns();
		if (g.tell_s &&
		    (g.now - start) / 1000000000 >= told_s + g.tell_s) {
			told_s += g.tell_s;
			report("so far", start);
		}
		if (tries == total ||
		    (g.now - start) * g.rate / 1000000000 <= due)
			nanosleep(&(struct timespec){ .tv_nsec = TURN_NS },
				  NULL);
		g.now = now_ns();
	}
	report("churned", start);
}

/* ---- start ---- */

static void learn(const char *target)
{
	static const char *const fields[ASKS] = {
		[HIT] = "",
		[MISS] = "Cookie: a=b\r\n",
		[CLOSE] = "Connection: close\r\n"
	};
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(g.base.dport) };

	memcpy(&to.sin_addr, g.base.dst + 12, 4);
	for (int i = 0; i < ASKS; i++)
		answer_learn(&g.answer[i], &to, target, fields[i]);
}

static void attach(const char *ifname)
{
	const char *path = getenv("CHURN_OBJECT");
	struct bpf_object *obj = bpf_object__open_file(
		path ? path : "build/tests/netns/churn.bpf.o", NULL);
	struct dawn_xsk_options o = { .ifname = ifname, .ring_size = 4096 };
	struct bpf_program *prog;
	int err;

	if (!obj || bpf_object__load(obj))
		die_errno("cannot load the program ($CHURN_OBJECT)");
	prog = bpf_object__find_program_by_name(obj, "churn");
	o.xsks_fd = bpf_object__find_map_fd_by_name(obj, "xsks");
	if (bpf_xdp_attach((int)if_nametoindex(ifname), bpf_program__fd(prog),
			   XDP_FLAGS_DRV_MODE, NULL))
		die_errno("attach");
	err = dawn_xsk_create(&g.xsk, &o);
	if (err) {
		errno = -err;
		die_errno("AF_XDP socket");
	}
}

static void set_up(char **arg)
{
	struct ether_addr mac;

	g.base = (struct pkt){ .src_mac = { 2, 0, 0, 0, 0, 1 },
			       .family = 4,
			       .ttl = 64,
			       .proto = IPPROTO_TCP,
			       .wnd = 65535 };
	memcpy(g.base.src,
	       (uint8_t[]){ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 19,
			    0, 0 },
	       16);
	memcpy(g.base.dst, g.base.src, 12);
	errno = EINVAL;
	if (!ether_aton_r(arg[1], &mac))
		die_errno(arg[1]);
	if (inet_pton(AF_INET, arg[2], g.base.dst + 12) != 1)
		die_errno(arg[2]);
	memcpy(g.base.dst_mac, mac.ether_addr_octet, 6);
	g.base.dport = (uint16_t)number(arg[3], UINT16_MAX);
	for (int i = 0; i < LEVELS; i++)
		g.level[i] = (struct list){ NO_SLOT, NO_SLOT };
	learn(arg[4]);
	attach(arg[0]);
	prctl(PR_SET_TIMERSLACK, 1);
}

int main(int argc, char **argv)
{
	int opt;

	g.seed = (uint32_t)now_ns();
	while ((opt = getopt(argc, argv, "r:s:m:v:e:c:f:t:x:")) != -1) {
		uint32_t *to = opt == 'm'   ? &g.miss
			       : opt == 'v' ? &g.vanish
			       : opt == 'e' ? &g.rst
			       : opt == 'c' ? &g.close
			       : opt == 'f' ? &g.fin
					    : NULL;

		if (to)
			*to = strcmp(optarg, "0") ? number(optarg, 1000) : 0;
		else if (opt == 'r')
			g.rate = number(optarg, 1000000);
		else if (opt == 's')
			g.seconds = number(optarg, 100000);
		else if (opt == 't')
			g.tell_s = number(optarg, 100000);
		else if (opt == 'x')
			g.seed = number(optarg, UINT32_MAX);
		else
			argc = 0;
	}
	if (argc - optind != 5) {
		fprintf(stderr, "usage: churn [OPTION]... IFNAME DST_MAC "
				"DST_IPV4 PORT TARGET\n");
		return 2;
	}
	set_up(argv + optind);
	run();
	return 0;
}
