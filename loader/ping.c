// SPDX-License-Identifier: MIT OR Apache-2.0
/* dawn ping: HBTP Pings over UDP, reported as ping(8) does.
 *
 * The payload is random bytes chosen once a run, so that late answers to an
 * earlier run are not taken for ours. Send times stand in a ring by sequence
 * number: an answer older than 4,096 Pings counts as bad.
 *
 * Options are long, and -c -i -s -W as ping(8) has them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "loader/cli.h"
#include "loader/commands.h"
#include "loader/pace.h"

#define HBTP_PORT   "4860"
#define HBTP_PING   0x00
#define HBTP_PONG   0x01
#define HEADER      8
#define PAYLOAD_MAX 64
#define RING        4096 /* Pings under way that can be timed */

struct ping {
	const char *target;
	char host[256];
	char port[8];
	char peer[NI_MAXHOST + 8]; /* "[2001:db8::1]:4860" */
	uint32_t count;            /* 0: until interrupted */
	uint64_t interval_ns;
	uint64_t wait_ns;
	uint32_t size;
	int fd;
	uint8_t payload[PAYLOAD_MAX]; /* of this run, the same in each Ping */
	struct {
		uint64_t at_ns; /* 0: none under way */
		uint16_t seq;
		bool answered;
	} sent[RING];
	uint32_t transmitted, received, duplicates, bad, errors;
	uint64_t start_ns;
	double min, max, sum, sum_of_squares; /* ms */
};

/* ---- where to ---- */

/* HOST, HOST:PORT, [V6]:PORT, or a bare IPv6 address. */
static int split_target(struct ping *p)
{
	const char *host = p->target, *end, *port = HBTP_PORT;
	uint32_t number;

	if (*host == '[') {
		end = strchr(++host, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		port = end[1] ? end + 2 : port;
	} else {
		end = strchr(host, ':');
		if (end && !strchr(end + 1, ':'))
			port = end + 1;
		else
			end = host + strlen(host);
	}
	if (end == host || (size_t)(end - host) >= sizeof(p->host) ||
	    dawn_cli_u32(port, 1, 65535, &number))
		return -EINVAL;
	memcpy(p->host, host, (size_t)(end - host));
	snprintf(p->port, sizeof(p->port), "%u", number);
	return 0;
}

static int open_socket(struct ping *p)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list;
	char numeric[NI_MAXHOST];
	int err;

	err = getaddrinfo(p->host, p->port, &hints, &list);
	if (err)
		return dawn_cli_fail("ping: %s: %s", p->host,
				     gai_strerror(err));
	err = -EADDRNOTAVAIL;
	for (struct addrinfo *a = list; a && err; a = a->ai_next) {
		p->fd = socket(a->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		err = p->fd == -1 ? -errno : 0;
		if (!err && connect(p->fd, a->ai_addr, a->ai_addrlen) == -1) {
			err = -errno;
			close(p->fd);
			p->fd = -1;
		}
		if (!err)
			getnameinfo(a->ai_addr, a->ai_addrlen, numeric,
				    sizeof(numeric), NULL, 0, NI_NUMERICHOST);
	}
	freeaddrinfo(list);
	if (err)
		return dawn_cli_fail("ping: cannot reach %s: %s", p->target,
				     strerror(-err));
	snprintf(p->peer, sizeof(p->peer),
		 strchr(numeric, ':') ? "[%s]:%s" : "%s:%s", numeric, p->port);
	return DAWN_EXIT_OK;
}

/* ---- one Ping, one answer ---- */

static void put_header(uint8_t *out, uint16_t seq, uint32_t len)
{
	out[0] = HBTP_PING;
	out[1] = 0;
	out[2] = (uint8_t)seq;
	out[3] = (uint8_t)(seq >> 8);
	for (int i = 0; i < 4; i++)
		out[4 + i] = (uint8_t)(len >> 8 * i);
}

static void send_one(struct ping *p)
{
	uint16_t seq = (uint16_t)++p->transmitted;
	uint8_t out[HEADER + PAYLOAD_MAX];

	put_header(out, seq, p->size);
	memcpy(out + HEADER, p->payload, p->size);
	p->sent[seq % RING].seq = seq;
	p->sent[seq % RING].answered = false;
	p->sent[seq % RING].at_ns = dawn_now_ns();
	if (send(p->fd, out, HEADER + p->size, 0) != -1)
		return;
	/* A connected UDP socket also tells of ICMP errors here. */
	p->errors++;
	dawn_cli_warn("ping: %s: seq=%u: %s", p->peer, seq, strerror(errno));
}

/* Is it the Pong to one of our Pings? Return: its seq, or -1. */
static int check_pong(const struct ping *p, const uint8_t *in, size_t len)
{
	uint8_t expected[HEADER];
	uint16_t seq;

	if (len != HEADER + p->size)
		return -1;
	seq = (uint16_t)(in[2] | in[3] << 8);
	put_header(expected, seq, p->size);
	expected[0] = HBTP_PONG;
	if (memcmp(in, expected, HEADER) ||
	    memcmp(in + HEADER, p->payload, p->size))
		return -1;
	return p->sent[seq % RING].at_ns && p->sent[seq % RING].seq == seq ? seq
									   : -1;
}

static void count_rtt(struct ping *p, double ms)
{
	p->min = !p->received || ms < p->min ? ms : p->min;
	p->max = ms > p->max ? ms : p->max;
	p->sum += ms;
	p->sum_of_squares += ms * ms;
	p->received++;
}

static void take_answer(struct ping *p, const uint8_t *in, size_t len)
{
	uint64_t now = dawn_now_ns();
	int seq = check_pong(p, in, len);
	double ms;

	if (seq < 0) {
		p->bad++;
		dawn_cli_warn("ping: %s: %zu bytes that are no Pong to us",
			      p->peer, len);
		return;
	}
	ms = (double)(now - p->sent[seq % RING].at_ns) / 1e6;
	printf("%zu bytes from %s: seq=%d time=%.3f ms%s\n", len, p->peer, seq,
	       ms, p->sent[seq % RING].answered ? " (DUP!)" : "");
	fflush(stdout);
	if (p->sent[seq % RING].answered)
		p->duplicates++;
	else
		count_rtt(p, ms);
	p->sent[seq % RING].answered = true;
}

static void receive(struct ping *p)
{
	uint8_t in[HEADER + PAYLOAD_MAX + 1];
	ssize_t n;

	while ((n = recv(p->fd, in, sizeof(in), MSG_DONTWAIT | MSG_TRUNC)) >= 0)
		take_answer(p, in, (size_t)n);
	if (errno == EAGAIN || errno == EINTR)
		return;
	p->errors++;
	dawn_cli_warn("ping: %s: %s", p->peer, strerror(errno));
}

/* ---- the run ---- */

static bool all_answered(const struct ping *p)
{
	return p->count && p->transmitted == p->count &&
	       p->received + p->errors >= p->count;
}

static void wait_until(struct ping *p, uint64_t until_ns)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
	uint64_t now = dawn_now_ns();
	struct timespec t;
	uint64_t left = until_ns > now ? until_ns - now : 0;

	t.tv_sec = (time_t)(left / 1000000000);
	t.tv_nsec = (long)(left % 1000000000);
	if (ppoll(&pfd, 1, &t, NULL) > 0)
		receive(p);
}

static void run(struct ping *p)
{
	uint64_t next = dawn_now_ns(), last = 0;

	p->start_ns = next;
	while (!dawn_interrupted() && !all_answered(p)) {
		bool more = !p->count || p->transmitted < p->count;
		uint64_t now = dawn_now_ns();

		if (more && now >= next) {
			send_one(p);
			last = now;
			next = now + p->interval_ns;
			continue;
		}
		if (!more && now >= last + p->wait_ns)
			break;
		wait_until(p, more ? next : last + p->wait_ns);
	}
}

static int report(const struct ping *p)
{
	double n = p->received, mean = n > 0 ? p->sum / n : 0, var;
	uint64_t ms = (dawn_now_ns() - p->start_ns) / 1000000;

	printf("\n--- %s HBTP ping statistics ---\n", p->target);
	printf("%u packets transmitted, %u received, ", p->transmitted,
	       p->received);
	if (p->duplicates)
		printf("+%u duplicates, ", p->duplicates);
	if (p->bad || p->errors)
		printf("+%u errors, ", p->bad + p->errors);
	printf("%.4g%% packet loss, time %llu ms\n",
	       p->transmitted
		       ? 100.0 * (p->transmitted - p->received) / p->transmitted
		       : 0,
	       (unsigned long long)ms);
	if (p->received) {
		var = p->sum_of_squares / n - mean * mean;
		printf("rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n",
		       p->min, mean, p->max, sqrt(var > 0 ? var : 0));
	}
	return p->received && !fflush(stdout) ? DAWN_EXIT_OK : DAWN_EXIT_FAILED;
}

/* ---- options ---- */

/* "1.5" seconds, at least a millisecond, at most a day. */
static int parse_seconds(const char *option, const char *text, uint64_t *ns)
{
	char *end;
	double s;

	if (!text)
		return 0;
	s = strtod(text, &end);
	if (*text >= '0' && *text <= '9' && !*end && s >= 0.001 && s <= 86400) {
		*ns = (uint64_t)(s * 1e9);
		return 0;
	}
	dawn_cli_usage("ping: %s: '%s' is not a number of seconds from 0.001 "
		       "to 86400",
		       option, text);
	return -EINVAL;
}

/* "-c", "5" and "-c5" become "--count=5": ping's habits, our table. Return:
 * NULL without memory; the words are never freed, the process is short. */
static char **long_options(int *argc, char **argv)
{
	static const struct {
		char letter;
		const char *name;
	} letters[] = { { 'c', "count" },
			{ 'i', "interval" },
			{ 's', "size" },
			{ 'W', "wait" } };
	char **out = calloc((size_t)*argc + 1, sizeof(*out));
	int n = 0;

	for (int i = 0; out && i < *argc; i++) {
		const char *w = argv[i], *name = NULL;

		out[n] = argv[i];
		for (size_t k = 0; w[0] == '-' && k < 4; k++)
			if (i && w[1] == letters[k].letter)
				name = letters[k].name;
		if (name && (w[2] || i + 1 < *argc) &&
		    asprintf(&out[n], "--%s=%s", name,
			     w[2] ? w + 2 : argv[++i]) == -1)
			return NULL;
		n++;
	}
	*argc = n;
	return out;
}

static int parse(struct ping *p, int argc, char **argv, int *status)
{
	const char *interval = NULL, *wait = NULL;
	const struct dawn_opt opts[] = {
		{ .name = "count",
		  .kind = DAWN_OPT_U32,
		  .out = &p->count,
		  .arg = "N",
		  .help = "-c: stop after N Pings (default: on Ctrl-C)",
		  .min = 1,
		  .max = UINT32_MAX },
		{ .name = "interval",
		  .kind = DAWN_OPT_STRING,
		  .out = &interval,
		  .arg = "SEC",
		  .help = "-i: from one to the next (default 1)" },
		{ .name = "size",
		  .kind = DAWN_OPT_U32,
		  .out = &p->size,
		  .arg = "BYTES",
		  .help = "-s: payload, 0 to 64 (default 16)",
		  .max = PAYLOAD_MAX },
		{ .name = "wait",
		  .kind = DAWN_OPT_STRING,
		  .out = &wait,
		  .arg = "SEC",
		  .help = "-W: for the last answers (default 1)" },
		{ 0 },
	};
	const struct dawn_cli cli = {
		.name = "ping",
		.args = "HOST[:PORT]",
		.about =
			"Send HBTP Pings over UDP and time the Pongs. An IPv6 "
			"address with a port stands\nin brackets; the port is " HBTP_PORT
			" unless given.\n"
			"Exit status: 0 any answer, 1 none, 2 wrong usage.\n",
		.opts = opts,
		.args_min = 1,
		.args_max = 1,
	};

	argv = long_options(&argc, argv);
	if (!argv) {
		*status = dawn_cli_fail("out of memory");
		return -1;
	}
	if (dawn_cli_parse(&cli, argc, argv, status) < 0)
		return -1;
	*status = DAWN_EXIT_USAGE;
	p->target = argv[0];
	if (parse_seconds("--interval", interval, &p->interval_ns) ||
	    parse_seconds("--wait", wait, &p->wait_ns))
		return -1;
	if (split_target(p)) {
		dawn_cli_usage("ping: '%s' is no HOST:PORT (an IPv6 address "
			       "with a port stands in brackets)",
			       p->target);
		return -1;
	}
	return 0;
}

int dawn_cmd_ping(int argc, char **argv)
{
	static struct ping p = { .interval_ns = 1000000000,
				 .wait_ns = 1000000000,
				 .size = 16,
				 .fd = -1 };
	int status;

	if (parse(&p, argc, argv, &status))
		return status;
	status = open_socket(&p);
	if (status)
		return status;
	if (getrandom(p.payload, sizeof(p.payload), 0) == -1)
		memset(p.payload, 0x5a, sizeof(p.payload));
	dawn_catch_interrupts();
	printf("HBTP PING %s (%s): %u data bytes\n", p.host, p.peer, p.size);
	fflush(stdout);
	run(&p);
	status = report(&p);
	close(p.fd);
	return status;
}
