// SPDX-License-Identifier: MIT OR Apache-2.0
#include "user/app/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/io/epoll.h"

#ifndef DAWN_VERSION
#define DAWN_VERSION "0.1.0"
#endif

/* Flow sets hold 8 and are filled to 3/4 (DESIGN 3). */
#define FLOWS_MAX   (DAWN_FLOW_SETS_MAX / 4 * 3 * DAWN_FLOW_WAYS)
#define DRAIN_MAX_S 86400
#define IDLE_MAX_S  604800 /* entries note times in ms, which wrap */
#define PROBE_MAX_S 32767  /* MAX_TCP_KEEPIDLE of Linux */
#define PEER_MAX_S  86400

enum kind {
	KIND_FLAG,
	KIND_U32,
	KIND_TEXT,
	KIND_CHOICE,
	KIND_HELP,
	KIND_VERSION
};

struct option_row {
	const char *name;
	enum kind kind;
	size_t offset; /* into struct dawn_options */
	const char *arg;
	const char *help;
	uint32_t min, max;      /* U32 */
	const char *never;      /* U32: a word that means UINT32_MAX */
	const char *choices[4]; /* CHOICE, NULL-terminated */
};

#define AT(field) offsetof(struct dawn_options, field)

static const struct option_row rows[] = {
	{ "dev",
	  KIND_TEXT,
	  AT(ifname),
	  "IF",
	  "interface to serve on; not needed with --io epoll",
	  0,
	  0,
	  NULL,
	  { NULL } },
	{ "http",
	  KIND_U32,
	  AT(http_port),
	  "PORT",
	  "HTTP port (80); 0: off",
	  0,
	  65535,
	  NULL,
	  { NULL } },
	{ "hbtp",
	  KIND_U32,
	  AT(hbtp_port),
	  "PORT",
	  "HBTP port (4860); 0: off",
	  0,
	  65535,
	  NULL,
	  { NULL } },
	{ "root",
	  KIND_TEXT,
	  AT(root),
	  "DIR",
	  "serve the files below DIR; without it every path is 404",
	  0,
	  0,
	  NULL,
	  { NULL } },
	{ "mode",
	  KIND_CHOICE,
	  AT(mode),
	  "MODE",
	  "native, generic or auto (auto): how XDP is attached",
	  0,
	  0,
	  NULL,
	  { "auto", "native", "generic", NULL } },
	{ "io",
	  KIND_CHOICE,
	  AT(io),
	  "IO",
	  "afxdp, epoll (kernel TCP, unprivileged) or auto (auto)",
	  0,
	  0,
	  NULL,
	  { "auto", "afxdp", "epoll", NULL } },
	{ "queues",
	  KIND_U32,
	  AT(queues),
	  "N",
	  "refuse unless the interface has N rx queues (all are served)",
	  1,
	  DAWN_QUEUES_MAX,
	  NULL,
	  { NULL } },
	{ "zero-copy",
	  KIND_FLAG,
	  AT(zero_copy),
	  NULL,
	  "AF_XDP in zero-copy mode; refused if the driver has none",
	  0,
	  0,
	  NULL,
	  { NULL } },
	{ "drain",
	  KIND_U32,
	  AT(drain_s),
	  "SECONDS",
	  "after SIGTERM, requests under way have so long (10)",
	  0,
	  DRAIN_MAX_S,
	  NULL,
	  { NULL } },
	{ "promote-after",
	  KIND_U32,
	  AT(promote_after),
	  "N",
	  "requests until a file stands in the kernel cache (2), or never",
	  1,
	  UINT32_MAX - 1,
	  "never",
	  { NULL } },
	{ "slots",
	  KIND_U32,
	  AT(slots),
	  "N",
	  "responses that fit the kernel cache (1024), 19 kB each",
	  1,
	  DAWN_SLOTS_MAX,
	  NULL,
	  { NULL } },
	{ "flows",
	  KIND_U32,
	  AT(flows),
	  "N",
	  "connections the flow table holds (12288), 182 bytes each",
	  1,
	  FLOWS_MAX,
	  NULL,
	  { NULL } },
	{ "connections",
	  KIND_U32,
	  AT(connections),
	  "N",
	  "connections over kernel TCP (4096)",
	  1,
	  1 << 20,
	  NULL,
	  { NULL } },
	{ "idle-timeout",
	  KIND_U32,
	  AT(idle_s),
	  "SECONDS",
	  "close connections idle between requests for so long (75)",
	  1,
	  IDLE_MAX_S,
	  NULL,
	  { NULL } },
	{ "keep-alive",
	  KIND_U32,
	  AT(keepalive_s),
	  "SECONDS",
	  "probe peers silent for so long, end dead connections; 0: never (0)",
	  0,
	  PROBE_MAX_S,
	  NULL,
	  { NULL } },
	{ "user-timeout",
	  KIND_U32,
	  AT(user_timeout_s),
	  "SECONDS",
	  "end connections whose peers acknowledge nothing for so long (100)",
	  1,
	  PEER_MAX_S,
	  NULL,
	  { NULL } },
	{ "memory",
	  KIND_U32,
	  AT(memory_mb),
	  "MB",
	  "for buffers of connections over AF_XDP, 140 kB each (a quarter of "
	  "what is available, at most 256)",
	  1,
	  1 << 20,
	  NULL,
	  { NULL } },
	{ "ttl",
	  KIND_U32,
	  AT(ttl),
	  "N",
	  "time to live, hop limit of what is sent (64; kernel TCP: its own)",
	  1,
	  255,
	  NULL,
	  { NULL } },
	{ "dscp",
	  KIND_U32,
	  AT(dscp),
	  "N",
	  "differentiated services code point of what is sent (0)",
	  0,
	  63,
	  NULL,
	  { NULL } },
	{ "any-cookie",
	  KIND_FLAG,
	  AT(any_cookie),
	  NULL,
	  "Cookie in a request changes no answer: answer it from XDP, too",
	  0,
	  0,
	  NULL,
	  { NULL } },
	{ "any-authorization",
	  KIND_FLAG,
	  AT(any_authorization),
	  NULL,
	  "the same for Authorization: everything is public",
	  0,
	  0,
	  NULL,
	  { NULL } },
	{ "any-cache-control",
	  KIND_FLAG,
	  AT(any_cache_control),
	  NULL,
	  "the same for Cache-Control and Pragma (a browser's reload)",
	  0,
	  0,
	  NULL,
	  { NULL } },
	{ "ready-fd",
	  KIND_U32,
	  AT(ready_fd),
	  "FD",
	  "write the line \"ready ...\" to FD, too, when serving",
	  0,
	  INT_MAX,
	  NULL,
	  { NULL } },
	{ "version",
	  KIND_VERSION,
	  0,
	  NULL,
	  "print the version and exit",
	  0,
	  0,
	  NULL,
	  { NULL } },
	{ "help",
	  KIND_HELP,
	  0,
	  NULL,
	  "print this and exit",
	  0,
	  0,
	  NULL,
	  { NULL } },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void print_help(void)
{
	printf("Usage: dawnd --dev IF [options]\n"
	       "       dawnd --io epoll [options]\n"
	       "\n"
	       "Serves HTTP and HBTP: what is cached from XDP, the rest through"
	       " AF_XDP\n(or, with --io epoll, through the kernel's TCP"
	       " alone).\n\n");
	for (size_t i = 0; i < ROWS; i++) {
		char left[40];

		snprintf(left, sizeof(left), "--%s %s", rows[i].name,
			 rows[i].arg ? rows[i].arg : "");
		printf("  %-20s %s\n", left, rows[i].help);
	}
	printf("\nSignals: SIGTERM, SIGINT: drain, then exit; again: at once.\n"
	       "Exit status: 0 ended by a signal, 1 failed at run time, 2 wrong"
	       " usage.\n");
}

static bool print(enum kind kind)
{
	if (kind == KIND_HELP)
		print_help();
	else
		printf("dawnd " DAWN_VERSION "\n");
	return false;
}

static bool complain(const struct option_row *row, const char *text)
{
	fprintf(stderr, "dawnd: --%s: '%s' ", row->name, text);
	if (row->kind == KIND_CHOICE) {
		fprintf(stderr, "is not one of");
		for (int i = 0; row->choices[i]; i++)
			fprintf(stderr, " %s", row->choices[i]);
		fprintf(stderr, "\n");
	} else if (row->kind == KIND_TEXT) {
		fprintf(stderr, "must not be empty\n");
	} else {
		fprintf(stderr, "is not a number from %u to %u%s%s\n", row->min,
			row->max, row->never ? ", nor " : "",
			row->never ? row->never : "");
	}
	return false;
}

static bool parse_u32(const struct option_row *row, const char *text,
		      uint32_t *out)
{
	unsigned long v;
	char *end;

	if (row->never && !strcmp(text, row->never)) {
		*out = UINT32_MAX;
		return true;
	}
	/* strtoul() would take a sign or leading blanks. */
	if (text[0] < '0' || text[0] > '9')
		return complain(row, text);
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || v < row->min || v > row->max)
		return complain(row, text);
	*out = (uint32_t)v;
	return true;
}

static bool parse_choice(const struct option_row *row, const char *text,
			 int *out)
{
	for (int i = 0; row->choices[i]; i++) {
		if (!strcmp(text, row->choices[i])) {
			*out = i;
			return true;
		}
	}
	return complain(row, text);
}

static bool take_option(struct dawn_options *o, const struct option_row *row,
			const char *text)
{
	void *field = (char *)o + row->offset;

	switch (row->kind) {
	case KIND_FLAG:
		*(bool *)field = true;
		return true;
	case KIND_U32:
		return parse_u32(row, text, field);
	case KIND_CHOICE:
		return parse_choice(row, text, field);
	case KIND_TEXT:
		if (!*text)
			return complain(row, text);
		*(const char **)field = text;
		return true;
	case KIND_HELP:
	case KIND_VERSION:
		break;
	}
	return true;
}

static bool usage_error(const char *text)
{
	fprintf(stderr, "dawnd: %s\nTry 'dawnd --help'.\n", text);
	return false;
}

/* --io auto never means less than was asked for: with an interface it is
 * afxdp, and if that cannot be had, starting fails and says what to do. */
static bool resolve(struct dawn_options *o)
{
	if (o->io == DAWN_IO_AUTO)
		o->io = o->ifname ? DAWN_IO_AFXDP : DAWN_IO_EPOLL;
	if (o->io == DAWN_IO_AFXDP && !o->ifname)
		return usage_error("--io afxdp needs --dev IF");
	if (o->ifname && strlen(o->ifname) >= IF_NAMESIZE)
		return usage_error("--dev: the name is too long for an"
				   " interface");
	if (o->io == DAWN_IO_EPOLL && o->zero_copy)
		return usage_error("--zero-copy needs --io afxdp");
	if (!o->http_port && !o->hbtp_port)
		return usage_error("--http 0 and --hbtp 0: nothing to serve");
	if (o->ready_fd >= 0 && fcntl(o->ready_fd, F_GETFD) == -1)
		return usage_error("--ready-fd: no such open descriptor");
	return true;
}

static void set_defaults(struct dawn_options *o)
{
	*o = (struct dawn_options){
		.http_port = 80,
		.hbtp_port = 4860,
		.mode = DAWN_XDP_AUTO,
		.io = DAWN_IO_AUTO,
		.drain_s = 10,
		.idle_s = 75,
		.promote_after = 2,
		.ready_fd = -1,
	};
}

/* val is the row's number + 1: 0 would look like a flag, '?' (63) is never
 * reached. */
static void fill_getopt(struct option *table)
{
	_Static_assert(ROWS < '?', "getopt_long() returns '?' for errors");

	memset(table, 0, (ROWS + 1) * sizeof(*table));
	for (size_t i = 0; i < ROWS; i++) {
		table[i].name = rows[i].name;
		table[i].has_arg = rows[i].arg ? required_argument
					       : no_argument;
		table[i].val = (int)i + 1;
	}
}

/* Return: false with *status set, to exit. */
static bool parse_args(struct dawn_options *o, int argc, char **argv,
		       int *status)
{
	struct option table[ROWS + 1];
	int c;

	fill_getopt(table);
	optind = 0; /* a fresh start, also in tests */
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		const struct option_row *row;

		if (c == '?')
			return usage_error("see above");
		row = &rows[c - 1];
		if (row->kind == KIND_HELP || row->kind == KIND_VERSION) {
			*status = DAWN_EXIT_OK;
			return print(row->kind);
		}
		if (!take_option(o, row, optarg))
			return false;
	}
	if (optind < argc)
		return usage_error("arguments without an option's name");
	return true;
}

bool dawn_options_parse(struct dawn_options *o, int argc, char **argv,
			int *status)
{
	set_defaults(o);
	*status = DAWN_EXIT_USAGE;
	return parse_args(o, argc, argv, status) && resolve(o);
}

uint8_t dawn_options_service_flags(const struct dawn_options *o)
{
	return dawn_service_flags(o->any_cookie, o->any_authorization,
				  o->any_cache_control);
}
