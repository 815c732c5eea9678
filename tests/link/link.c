/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* link: an emulated wire between two interfaces, for tests and benches.
 *
 *     client ns                 this program's ns                server ns
 *     veth0 ─────────────── a ══ loss, delay, ... ══ b ─────────────── eth0
 *
 * Theory of operation. Each direction reads frames from a packet socket, a
 * batch a call, hands them to its wire (tests/lib/wire.h: fate, queue, delay),
 * and sends what is due, again a batch a call. Frames count from when the
 * kernel got them, not from when we read them, so a late wake-up here does not
 * lengthen the delay by itself; what comes out late all the same is told by
 * the counters late_*. A frame that the far interface does not take now (its
 * ring is full) is tried again, for RETRY_NS.
 *
 * A wake-up for each frame costs both ends more than the frame does. With
 * --moderate-us frames come out at the next multiple of so much, several at a
 * time, as from a NIC with interrupt moderation; late_* tell of this too.
 *
 * Runs with one seed give the n-th frame of a direction the same fate.
 *
 * A checksum that the sender left to its NIC is completed, or its receiver
 * would see every frame as corrupted. The ends must have TSO and GSO off, or a
 * "packet" may be 64 kB: a frame above 9216 bytes is dropped and counted
 * (`oversize`), never truncated. `missed` are frames lost before we saw them:
 * if it is not 0, this machine was too slow and the run says nothing.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/wire.h"
#include "user/io/clock.h"

#define BATCH        64
#define TAG_BYTES    4
#define SOCKET_BYTES (32 << 20)
#define RETRY_EACH   50000ULL /* ns */
#define RETRY_NS     1000000000ULL

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(struct tpacket_auxdata)) +
		   CMSG_SPACE(sizeof(struct timespec))];
};

struct direction {
	const char *name;
	int in, out;
	struct wire wire;
	uint64_t last_ns;  /* arrival of the last frame: never goes back */
	uint64_t retry_ns; /* nothing is sent before; 0: not waiting */
	uint64_t busy, failed, missed;
};

struct link {
	struct wire_options options;
	uint64_t
		moderate_ns; /* frames come out at multiples of it; 0: at once */
	struct wire_options plain[2]; /* by direction, after --only, --drop */
	uint64_t seed;
	struct direction dir[2];
};

/* One batch of frames being read. */
static uint8_t buffers[BATCH][WIRE_FRAME_MAX + TAG_BYTES];
static union control controls[BATCH];

/* What the kernel says beside a frame. */
struct beside {
	struct tpacket_auxdata aux;
	uint64_t real_ns; /* when it arrived, by CLOCK_REALTIME; 0: unknown */
};

static struct beside read_beside(struct msghdr *msg)
{
	struct beside b = { 0 };
	struct timespec ts;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_PACKET &&
		    c->cmsg_type == PACKET_AUXDATA)
			memcpy(&b.aux, CMSG_DATA(c), sizeof(b.aux));
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			b.real_ns = (uint64_t)ts.tv_sec * 1000000000 +
				    (uint64_t)ts.tv_nsec;
		}
	}
	return b;
}

/* A tag that the kernel took out of the frame (hardware acceleration) is put
 * back: the wire forwards what was sent. Return: the new length. */
static uint32_t restore_tag(uint8_t *buf, uint32_t len,
			    const struct tpacket_auxdata *aux)
{
	uint16_t tag[2];

	if (!(aux->tp_status & TP_STATUS_VLAN_VALID) || len < 2 * ETH_ALEN)
		return len;
	memmove(buf + 2 * ETH_ALEN + TAG_BYTES, buf + 2 * ETH_ALEN,
		len - 2 * ETH_ALEN);
	tag[0] = htons(aux->tp_status & TP_STATUS_VLAN_TPID_VALID
			       ? aux->tp_vlan_tpid
			       : ETH_P_8021Q);
	tag[1] = htons(aux->tp_vlan_tci);
	memcpy(buf + 2 * ETH_ALEN, tag, sizeof(tag));
	return len + TAG_BYTES;
}

static void take(struct direction *d, struct mmsghdr *m, uint8_t *buf)
{
	uint64_t now = dawn_clock_ns(CLOCK_MONOTONIC);
	uint64_t real = dawn_clock_ns(CLOCK_REALTIME);
	struct beside b = read_beside(&m->msg_hdr);
	uint32_t len = m->msg_len;

	if (len <= WIRE_FRAME_MAX)
		len = restore_tag(buf, len, &b.aux);
	if (b.real_ns && b.real_ns < real && real - b.real_ns < now)
		now -= real - b.real_ns;
	if (now < d->last_ns)
		now = d->last_ns;
	d->last_ns = now;
	wire_push(&d->wire, buf, len, b.aux.tp_status & TP_STATUS_CSUMNOTREADY,
		  now);
}

/* Return: whether there may be more. */
static bool receive(struct direction *d)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ buffers[i], WIRE_FRAME_MAX };
		msgs[i].msg_hdr =
			(struct msghdr){ .msg_iov = &iov[i],
					 .msg_iovlen = 1,
					 .msg_control = &controls[i],
					 .msg_controllen = sizeof(*controls) };
	}
	n = recvmmsg(d->in, msgs, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
	for (int i = 0; i < n; i++)
		take(d, &msgs[i], buffers[i]);
	return n == BATCH;
}

/* The first of these could not be sent. Return: whether it is given up. */
static bool refused(struct direction *d, const struct wire_frame *f, int err,
		    uint64_t now)
{
	if ((err == ENOBUFS || err == EAGAIN) && now < f->due_ns + RETRY_NS) {
		d->retry_ns = now + RETRY_EACH;
		d->busy++;
		return false;
	}
	d->failed++;
	return true;
}

/* Send frames[0..n). Those that must wait go back. */
static void send_batch(struct direction *d, struct wire_frame **frames, int n)
{
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];
	int at = 0, sent;

	for (int i = 0; i < n; i++) {
		iov[i] = (struct iovec){ frames[i]->data, frames[i]->len };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (at < n) {
		uint64_t now;

		sent = sendmmsg(d->out, msgs + at, (unsigned int)(n - at), 0);
		now = dawn_clock_ns(CLOCK_MONOTONIC);
		if (sent < 1) {
			if (!refused(d, frames[at], errno, now))
				break;
			sent = 1; /* failed, and done with */
		}
		for (; sent > 0 && at < n; sent--)
			wire_done(&d->wire, frames[at++], now);
	}
	while (at < n)
		wire_again(&d->wire, frames[at++]);
}

static void deliver(struct direction *d)
{
	struct wire_frame *frames[BATCH];
	uint64_t now = dawn_clock_ns(CLOCK_MONOTONIC);
	int n;

	if (now < d->retry_ns)
		return;
	d->retry_ns = 0;
	do {
		for (n = 0; n < BATCH; n++) {
			frames[n] = wire_pop(&d->wire, now);
			if (!frames[n])
				break;
		}
		send_batch(d, frames, n);
	} while (n == BATCH && !d->retry_ns);
}

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

static int configure(int fd, const struct sockaddr_ll *sll)
{
	struct packet_mreq mreq = { .mr_ifindex = sll->sll_ifindex,
				    .mr_type = PACKET_MR_PROMISC };

	if (set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) ||
	    set(fd, SOL_PACKET, PACKET_AUXDATA, 1) ||
	    set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1) ||
	    set(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BYTES) ||
	    set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BYTES) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq,
		       sizeof(mreq)))
		return -errno;
	if (bind(fd, (const struct sockaddr *)sll, sizeof(*sll)))
		return -errno;
	return 0;
}

static int open_packet_socket(const char *ifname)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET,
				   .sll_protocol = htons(ETH_P_ALL) };
	int fd, err;

	sll.sll_ifindex = (int)if_nametoindex(ifname);
	if (!sll.sll_ifindex) {
		fprintf(stderr, "link: no interface %s\n", ifname);
		return -1;
	}
	/* Protocol 0: nothing is received before it is bound. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	err = fd == -1 ? -errno : configure(fd, &sll);
	if (!err)
		return fd;
	fprintf(stderr, "link: packet socket on %s: %s\n", ifname,
		strerror(-err));
	if (fd != -1)
		close(fd);
	return -1;
}

/* The kernel's own count of what found our socket full, since last asked. */
static uint64_t missed_frames(int fd)
{
	struct tpacket_stats s = { 0 };
	socklen_t len = sizeof(s);

	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &s, &len);
	return s.tp_drops;
}

static void report_one(const struct direction *d)
{
	const struct wire_counts *n = &d->wire.n;
	uint64_t in_wire = d->wire.held;
	uint64_t sent = n->sent - d->failed;

	printf("\"%s\": {\"received\": %" PRIu64 ", \"sent\": %" PRIu64
	       ", \"lost\": %" PRIu64 ", \"dropped\": %" PRIu64
	       ", \"dup\": %" PRIu64 ", \"corrupt\": %" PRIu64
	       ", \"reorder\": %" PRIu64,
	       d->name, n->received, sent, n->lost, n->dropped, n->dup,
	       n->corrupt, n->reorder);
	printf(", \"overflow\": %" PRIu64 ", \"oversize\": %" PRIu64
	       ", \"failed\": %" PRIu64 ", \"missed\": %" PRIu64
	       ", \"held\": %" PRIu64 ", \"completed\": %" PRIu64
	       ", \"busy\": %" PRIu64,
	       n->overflow, n->oversize, d->failed, d->missed, in_wire,
	       n->completed, d->busy);
	printf(", \"queue_max\": %" PRIu32 ", \"held_max\": %" PRIu32
	       ", \"late_5ms\": %" PRIu64
	       ", \"late_mean_us\": %.1f, \"late_max_us\": %.1f}",
	       n->queue_max, n->held_max, n->late,
	       n->sent ? (double)n->late_ns / (double)n->sent / 1000 : 0.0,
	       (double)n->late_max_ns / 1000);
}

static void report(struct link *l)
{
	for (int i = 0; i < 2; i++)
		l->dir[i].missed += missed_frames(l->dir[i].in);
	printf("{\"seed\": %" PRIu64 ", ", l->seed);
	report_one(&l->dir[0]);
	printf(",\n ");
	report_one(&l->dir[1]);
	printf("}\n");
	fflush(stdout);
}

/* When something is due, or WIRE_NEVER. */
static uint64_t next_due(const struct link *l)
{
	uint64_t next = WIRE_NEVER;

	for (int i = 0; i < 2; i++) {
		const struct direction *d = &l->dir[i];
		uint64_t due = wire_next_ns(&d->wire);

		if (due != WIRE_NEVER && due < d->retry_ns)
			due = d->retry_ns;
		if (due < next)
			next = due;
	}
	return next;
}

/* Time until we must look again. With moderation what comes meanwhile is left
 * in the sockets: it is not due within the wire's delay. */
static struct timespec pause_of(const struct link *l, uint64_t next)
{
	uint64_t now = dawn_clock_ns(CLOCK_MONOTONIC), each = l->moderate_ns;

	if (each && next != WIRE_NEVER) {
		next = (next + each - 1) / each * each;
		if (next > now + l->options.delay_ns / 2 + each)
			next = now + l->options.delay_ns / 2 + each;
	}
	if (next > now + 1000000000)
		next = now + 1000000000;
	next = next > now ? next - now : 0;
	return (struct timespec){ (time_t)(next / 1000000000),
				  (long)(next % 1000000000) };
}

/* SIGUSR1: report and go on. Return: whether to end. */
static bool signaled(struct link *l, int fd)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof(si)) != sizeof(si))
		return true;
	if (si.ssi_signo == SIGUSR1)
		report(l);
	return si.ssi_signo != SIGUSR1;
}

static int run(struct link *l)
{
	struct pollfd pfd[3] = { 0 };
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	/* Best effort: no page faults on the way. */
	mlockall(MCL_CURRENT | MCL_FUTURE);
	/* Wake up when asked, not up to 50 us later. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	pfd[2].fd = signalfd(-1, &mask, SFD_CLOEXEC);
	if (pfd[2].fd == -1)
		return -errno;
	for (int i = 0; i < 3; i++)
		pfd[i].events = POLLIN;
	puts("ready");
	fflush(stdout);
	while (!(pfd[2].revents & POLLIN) || !signaled(l, pfd[2].fd)) {
		uint64_t next = next_due(l);
		struct timespec pause = pause_of(l, next);
		bool leave = l->moderate_ns && next != WIRE_NEVER;

		for (int i = 0; i < 2; i++)
			pfd[i].fd = leave ? -1 : l->dir[i].in;
		if (ppoll(pfd, 3, &pause, NULL) == -1 && errno != EINTR)
			return -errno;
		for (int i = 0; i < 2; i++) {
			bool more = leave || pfd[i].revents & POLLIN;

			while (more)
				more = receive(&l->dir[i]) && leave;
			deliver(&l->dir[i]);
		}
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
	{ "moderate-us", required_argument, NULL, 'm' },
	{ "drop", required_argument, NULL, 'x' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: link [options] IF_A IF_B\n"
	"  --loss --dup --corrupt --reorder PERCENT   of frames, each direction\n"
	"  --delay-ms --jitter-ms --reorder-ms MS     reorder-ms: held longer by it\n"
	"  --rate-mbit N  --queue FRAMES (10000)  --seed N (1)\n"
	"  --moderate-us US   frames come out at multiples of it\n"
	"  --only ab|ba   loss, dup, corrupt and reorder in this direction only\n"
	"  --drop ab|ba:N[,N...]   lose the N-th frame with TCP data, from 1 on\n"
	"Prints `ready`, runs until SIGTERM, then prints its counters as JSON (also\n"
	"on SIGUSR1, and goes on).\n";

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

static int direction(const char *text)
{
	if (!strncmp(text, "ab", 2))
		return 0;
	if (!strncmp(text, "ba", 2))
		return 1;
	fprintf(stderr, "link: not a direction: %s\n", text);
	exit(2);
}

static void set_drop(struct link *l, const char *arg)
{
	struct wire_options *o = &l->plain[direction(arg)];
	const char *at = arg + 2;
	char *end;

	while (*at == (o->drop_count ? ',' : ':')) {
		unsigned long v = strtoul(at + 1, &end, 10);

		if (end == at + 1 || !v || v > UINT32_MAX ||
		    o->drop_count == WIRE_DROPS_MAX)
			break;
		o->drop[o->drop_count++] = (uint32_t)v;
		at = end;
	}
	if (*at || !o->drop_count) {
		fprintf(stderr, "link: not DIRECTION:N,...: %s\n", arg);
		exit(2);
	}
}

static void set_option(struct link *l, int opt, const char *arg, int *only)
{
	struct wire_options *o = &l->options;

	switch (opt) {
	case 'l':
		o->loss = number(arg) / 100;
		break;
	case 'd':
		o->dup = number(arg) / 100;
		break;
	case 'c':
		o->corrupt = number(arg) / 100;
		break;
	case 'r':
		o->reorder = number(arg) / 100;
		break;
	case 'D':
		o->delay_ns = (uint64_t)(number(arg) * 1e6);
		break;
	case 'J':
		o->jitter_ns = (uint64_t)(number(arg) * 1e6);
		break;
	case 'R':
		o->reorder_ns = (uint64_t)(number(arg) * 1e6);
		break;
	case 'b':
		o->rate_bps = (uint64_t)(number(arg) * 1e6);
		break;
	case 'q':
		o->queue = (uint32_t)number(arg);
		break;
	case 's':
		l->seed = (uint64_t)number(arg);
		break;
	case 'm':
		l->moderate_ns = (uint64_t)(number(arg) * 1e3);
		break;
	case 'o':
		*only = direction(arg);
		break;
	case 'x':
		set_drop(l, arg);
		break;
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static int open_ends(struct link *l, const char *a, const char *b, int only)
{
	int fd_a = open_packet_socket(a), fd_b = open_packet_socket(b);

	if (fd_a == -1 || fd_b == -1)
		return -1;
	l->dir[0] = (struct direction){ .name = "ab", .in = fd_a, .out = fd_b };
	l->dir[1] = (struct direction){ .name = "ba", .in = fd_b, .out = fd_a };
	for (int i = 0; i < 2; i++) {
		struct wire_options o = l->options;

		memcpy(o.drop, l->plain[i].drop, sizeof(o.drop));
		o.drop_count = l->plain[i].drop_count;
		if (only != -1 && only != i)
			o.loss = o.dup = o.corrupt = o.reorder = 0;
		/* Each direction has random numbers of its own. */
		if (wire_init(&l->dir[i].wire, &o, l->seed * 2 + (uint64_t)i)) {
			fputs("link: out of memory\n", stderr);
			return -1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct link l = {
		.options = { .queue = 10000, .reorder_ns = 1000000 }, .seed = 1
	};
	int opt, err, only = -1;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		set_option(&l, opt, optarg, &only);
	if (argc - optind != 2) {
		fputs(usage, stderr);
		return 2;
	}
	if (open_ends(&l, argv[optind], argv[optind + 1], only))
		return 1;
	err = run(&l);
	report(&l);
	if (err)
		fprintf(stderr, "link: %s\n", strerror(-err));
	for (int i = 0; i < 2; i++)
		wire_destroy(&l.dir[i].wire);
	return err ? 1 : 0;
}
