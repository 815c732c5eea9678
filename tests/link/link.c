/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* link: an emulated wire between two interfaces, for tests and benches.
 *
 *     client ns                 this program's ns                server ns
 *     veth0 ─────────────── a ══ loss, delay, ... ══ b ─────────────── eth0
 *
 * Theory of operation. Each direction has a packet socket to read from, one to
 * write to, and a heap of frames ordered by the time they are due (ties by
 * arrival, so a plain delay never reorders). A frame that is read is first
 * given its fate, all by one seeded generator: lost, duplicated, corrupted (one
 * bit flipped behind the Ethernet header), held longer than its neighbours
 * (reordered); then its due time (delay, jitter, and the serialization time of
 * everything before it if there is a rate). A direction's heap is capped:
 * what arrives at a full one is dropped and counted, as a router would.
 *
 * Runs with equal seeds and equal arrival orders make equal decisions.
 *
 * Frames are forwarded as they are. The ends should have TSO, GSO and tx
 * checksumming off, or a "packet" may be 64 kB: a frame above FRAME_MAX is
 * dropped and counted (`oversize`), never truncated.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 9216
#define BATCH     64
#define TAG_BYTES 4

struct wire {
	double loss, dup, corrupt, reorder; /* probabilities, 0..1 */
	uint64_t delay_us, jitter_us, reorder_us;
	uint64_t rate_bps;  /* 0: unlimited */
	unsigned int queue; /* frames held at most */
};

struct frame {
	uint64_t due_us;
	uint64_t order;
	uint32_t len;
	uint8_t data[];
};

struct direction {
	const char *name;
	int in, out;
	struct frame **heap;
	unsigned int held;
	uint64_t line_free_us; /* when the emulated line is idle again */
	uint64_t order;
	uint64_t received, sent, lost, dup, corrupt, reorder, overflow,
		oversize, failed;
};

struct link {
	struct wire wire;
	struct direction dir[2];
	uint64_t rng;
	bool random_off_dir
		[2]; /* --only: the other direction is a plain wire */
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* splitmix64: small, seeded, good enough to toss coins. */
static uint64_t rng_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static bool toss(uint64_t *rng, double p)
{
	return p > 0 && (double)(rng_next(rng) >> 11) * 0x1p-53 < p;
}

static bool earlier(const struct frame *a, const struct frame *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us
				      : a->order < b->order;
}

static void heap_push(struct direction *d, struct frame *f)
{
	unsigned int i = d->held++;

	for (; i && earlier(f, d->heap[(i - 1) / 2]); i = (i - 1) / 2)
		d->heap[i] = d->heap[(i - 1) / 2];
	d->heap[i] = f;
}

static struct frame *heap_pop(struct direction *d)
{
	struct frame *top = d->heap[0], *last = d->heap[--d->held];
	unsigned int i = 0, child;

	while ((child = 2 * i + 1) < d->held) {
		if (child + 1 < d->held &&
		    earlier(d->heap[child + 1], d->heap[child]))
			child++;
		if (!earlier(d->heap[child], last))
			break;
		d->heap[i] = d->heap[child];
		i = child;
	}
	d->heap[i] = last;
	return top;
}

static void corrupt_bit(uint64_t *rng, struct frame *f)
{
	uint32_t bits = (f->len - ETH_HLEN) * 8;
	uint32_t bit = (uint32_t)(rng_next(rng) % bits);

	f->data[ETH_HLEN + bit / 8] ^= (uint8_t)(1 << bit % 8);
}

/* When a frame handed in at `now` comes out at the far end. */
static uint64_t due_time(struct link *l, struct direction *d, uint32_t len,
			 uint64_t now)
{
	const struct wire *w = &l->wire;
	uint64_t start = d->line_free_us > now ? d->line_free_us : now;
	uint64_t due = start + w->delay_us;

	if (w->rate_bps) {
		d->line_free_us = start + (uint64_t)len * 8000000 / w->rate_bps;
		due = d->line_free_us + w->delay_us;
	}
	if (w->jitter_us)
		due += rng_next(&l->rng) % w->jitter_us;
	return due;
}

static void hold(struct link *l, struct direction *d, const uint8_t *data,
		 uint32_t len, uint64_t now)
{
	struct frame *f;

	if (d->held == l->wire.queue) {
		d->overflow++;
		return;
	}
	f = malloc(sizeof(*f) + len);
	if (!f) {
		d->overflow++;
		return;
	}
	f->len = len;
	f->order = d->order++;
	memcpy(f->data, data, len);
	f->due_us = due_time(l, d, len, now);
	if (toss(&l->rng, l->wire.reorder)) {
		f->due_us += l->wire.reorder_us;
		d->reorder++;
	}
	if (len > ETH_HLEN && toss(&l->rng, l->wire.corrupt)) {
		corrupt_bit(&l->rng, f);
		d->corrupt++;
	}
	heap_push(d, f);
}

/* A tag that the kernel took out of the frame (hardware acceleration) is put
 * back: the wire forwards what was sent. Return: the new length. */
static uint32_t restore_tag(uint8_t *buf, uint32_t len, struct msghdr *msg)
{
	struct cmsghdr *c;
	struct tpacket_auxdata aux;
	uint16_t tag[2];

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_PACKET ||
		    c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (!(aux.tp_status & TP_STATUS_VLAN_VALID) ||
		    len < 2 * ETH_ALEN)
			return len;
		memmove(buf + 2 * ETH_ALEN + TAG_BYTES, buf + 2 * ETH_ALEN,
			len - 2 * ETH_ALEN);
		tag[0] = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID
				       ? aux.tp_vlan_tpid
				       : ETH_P_8021Q);
		tag[1] = htons(aux.tp_vlan_tci);
		memcpy(buf + 2 * ETH_ALEN, tag, sizeof(tag));
		return len + TAG_BYTES;
	}
	return len;
}

static bool receive_one(struct link *l, struct direction *d, uint64_t now)
{
	static uint8_t buf[FRAME_MAX + TAG_BYTES];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec iov = { buf, FRAME_MAX };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(d->in, &msg, MSG_DONTWAIT | MSG_TRUNC);
	bool plain = l->random_off_dir[d - l->dir];
	uint32_t len;

	if (n == -1)
		return false;
	d->received++;
	if (n > FRAME_MAX) {
		d->oversize++;
		return true;
	}
	len = restore_tag(buf, (uint32_t)n, &msg);
	if (!plain && toss(&l->rng, l->wire.loss)) {
		d->lost++;
		return true;
	}
	hold(l, d, buf, len, now);
	if (!plain && toss(&l->rng, l->wire.dup)) {
		hold(l, d, buf, len, now);
		d->dup++;
	}
	return true;
}

static void receive(struct link *l, struct direction *d)
{
	uint64_t now = now_us();

	for (int i = 0; i < BATCH; i++)
		if (!receive_one(l, d, now))
			return;
}

static void deliver(struct direction *d, uint64_t now)
{
	while (d->held && d->heap[0]->due_us <= now) {
		struct frame *f = heap_pop(d);

		if (send(d->out, f->data, f->len, 0) == (ssize_t)f->len)
			d->sent++;
		else
			d->failed++;
		free(f);
	}
}

static int open_packet_socket(const char *ifname)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET,
				   .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq mreq = { .mr_type = PACKET_MR_PROMISC };
	int one = 1, buf = 8 << 20;
	int fd;

	sll.sll_ifindex = (int)if_nametoindex(ifname);
	if (!sll.sll_ifindex) {
		fprintf(stderr, "link: no interface %s\n", ifname);
		return -1;
	}
	mreq.mr_ifindex = sll.sll_ifindex;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd == -1 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
		       sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq,
		       sizeof(mreq)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof(buf)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buf, sizeof(buf)) ||
	    bind(fd, (struct sockaddr *)&sll, sizeof(sll))) {
		fprintf(stderr, "link: packet socket on %s: %s\n", ifname,
			strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	return fd;
}

static void arm(int timer, const struct link *l)
{
	struct itimerspec its = { 0 };
	uint64_t due = UINT64_MAX;

	for (int i = 0; i < 2; i++)
		if (l->dir[i].held && l->dir[i].heap[0]->due_us < due)
			due = l->dir[i].heap[0]->due_us;
	if (due != UINT64_MAX) {
		its.it_value.tv_sec = (time_t)(due / 1000000);
		its.it_value.tv_nsec = (long)(due % 1000000) * 1000 + 1;
	}
	timerfd_settime(timer, TFD_TIMER_ABSTIME, &its, NULL);
}

static void report(const struct link *l)
{
	for (int i = 0; i < 2; i++) {
		const struct direction *d = &l->dir[i];

		printf("%s received=%" PRIu64 " sent=%" PRIu64 " lost=%" PRIu64
		       " dup=%" PRIu64 " corrupt=%" PRIu64 " reorder=%" PRIu64
		       " overflow=%" PRIu64 " oversize=%" PRIu64
		       " failed=%" PRIu64 "\n",
		       d->name, d->received, d->sent, d->lost, d->dup,
		       d->corrupt, d->reorder, d->overflow, d->oversize,
		       d->failed);
	}
	fflush(stdout);
}

static int run(struct link *l)
{
	struct pollfd pfd[4] = { 0 };
	sigset_t set;
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pfd[0].fd = l->dir[0].in;
	pfd[1].fd = l->dir[1].in;
	pfd[2].fd = timer;
	pfd[3].fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (timer == -1 || pfd[3].fd == -1)
		return -errno;
	for (int i = 0; i < 4; i++)
		pfd[i].events = POLLIN;
	puts("ready");
	fflush(stdout);
	while (!(pfd[3].revents & POLLIN)) {
		uint64_t ticks;

		if (poll(pfd, 4, -1) == -1 && errno != EINTR)
			return -errno;
		if (pfd[2].revents & POLLIN)
			(void)!read(timer, &ticks, sizeof(ticks));
		for (int i = 0; i < 2; i++) {
			if (pfd[i].revents & POLLIN)
				receive(l, &l->dir[i]);
			deliver(&l->dir[i], now_us());
		}
		arm(timer, l);
	}
	return 0;
}

static const struct option options[] = {
	{ "loss", required_argument, NULL, 'l' },
	{ "dup", required_argument, NULL, 'd' },
	{ "corrupt", required_argument, NULL, 'c' },
	{ "reorder", required_argument, NULL, 'r' },
	{ "delay-ms", required_argument, NULL, 'D' },
	{ "jitter-ms", required_argument, NULL, 'J' },
	{ "reorder-ms", required_argument, NULL, 'R' },
	{ "rate-mbit", required_argument, NULL, 'b' },
	{ "queue", required_argument, NULL, 'q' },
	{ "seed", required_argument, NULL, 's' },
	{ "only", required_argument, NULL, 'o' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: link [options] IF_A IF_B\n"
	"  --loss --dup --corrupt --reorder PERCENT   of frames, each direction\n"
	"  --delay-ms --jitter-ms --reorder-ms MS     reorder-ms: held longer by it\n"
	"  --rate-mbit N  --queue FRAMES (10000)  --seed N (1)\n"
	"  --only ab|ba   losses and duplicates in this direction only\n"
	"Prints `ready`, runs until SIGTERM, then prints its counters.\n";

static double number(const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (*text == '\0' || *end != '\0' || !(v >= 0)) {
		fprintf(stderr, "link: not a number: %s\n", text);
		exit(2);
	}
	return v;
}

static void set_option(struct link *l, int opt, const char *arg)
{
	struct wire *w = &l->wire;

	if (opt == 'o') {
		l->random_off_dir[0] = !strcmp(arg, "ba");
		l->random_off_dir[1] = !strcmp(arg, "ab");
		return;
	}
	switch (opt) {
	case 'l':
		w->loss = number(arg) / 100;
		break;
	case 'd':
		w->dup = number(arg) / 100;
		break;
	case 'c':
		w->corrupt = number(arg) / 100;
		break;
	case 'r':
		w->reorder = number(arg) / 100;
		break;
	case 'D':
		w->delay_us = (uint64_t)(number(arg) * 1000);
		break;
	case 'J':
		w->jitter_us = (uint64_t)(number(arg) * 1000);
		break;
	case 'R':
		w->reorder_us = (uint64_t)(number(arg) * 1000);
		break;
	case 'b':
		w->rate_bps = (uint64_t)(number(arg) * 1e6);
		break;
	case 'q':
		w->queue = (unsigned int)number(arg);
		break;
	case 's':
		l->rng = (uint64_t)number(arg);
		break;
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static int open_ends(struct link *l, const char *a, const char *b)
{
	int fd_a = open_packet_socket(a), fd_b = open_packet_socket(b);

	if (fd_a == -1 || fd_b == -1)
		return -1;
	l->dir[0] = (struct direction){ .name = "ab", .in = fd_a, .out = fd_b };
	l->dir[1] = (struct direction){ .name = "ba", .in = fd_b, .out = fd_a };
	for (int i = 0; i < 2; i++) {
		l->dir[i].heap =
			calloc(l->wire.queue + 1, sizeof(*l->dir[i].heap));
		if (!l->dir[i].heap)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct link l = { .wire = { .queue = 10000, .reorder_us = 1000 },
				 .rng = 1 };
	int opt, err;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		set_option(&l, opt, optarg);
	if (argc - optind != 2) {
		fputs(usage, stderr);
		return 2;
	}
	if (open_ends(&l, argv[optind], argv[optind + 1]))
		return 1;
	err = run(&l);
	report(&l);
	if (err)
		fprintf(stderr, "link: %s\n", strerror(-err));
	return err ? 1 : 0;
}
