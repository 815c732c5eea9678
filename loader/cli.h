/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the subcommands of `dawn` share: options as a table, tables of text,
 * JSON, messages.
 *
 * Results go to stdout, talk goes to stderr.
 */
#ifndef DAWN_LOADER_CLI_H
#define DAWN_LOADER_CLI_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "user/io/xdp_load.h"

enum dawn_exit {
	DAWN_EXIT_OK = 0,
	DAWN_EXIT_FAILED = 1, /* at run time */
	DAWN_EXIT_USAGE = 2,
};

enum dawn_opt_kind {
	DAWN_OPT_FLAG,   /* bool *: set by being there */
	DAWN_OPT_U32,    /* uint32_t *: decimal, min..max */
	DAWN_OPT_STRING, /* const char **: anything, not empty */
	DAWN_OPT_CHOICE, /* int *: index into `choices` */
	DAWN_OPT_IFACE,  /* const char **: an interface that exists */
	DAWN_OPT_IFNAME, /* const char **: a valid name; it may be gone */
};

/* A table of these ends with an all-zero row. Long options only, as
 * "--name value" or "--name=value"; given twice is a usage error. */
struct dawn_opt {
	const char *name; /* without the dashes */
	enum dawn_opt_kind kind;
	void *out;            /* left alone if the option is absent */
	const char *arg;      /* for --help: "IF"; NULL with FLAG */
	const char *help;     /* one line */
	uint32_t min, max;    /* U32 */
	const char **choices; /* CHOICE: NULL-terminated */
	bool required;
};

/* Rows that many tables have. */
#define DAWN_CLI_DEV(to)                                             \
	{                                                            \
		.name = "dev", .kind = DAWN_OPT_IFNAME, .out = (to), \
		.arg = "IF",                                         \
		.help = "interface (default: the only one loaded)",  \
	}
#define DAWN_CLI_JSON(to, text)                                     \
	{                                                           \
		.name = "json", .kind = DAWN_OPT_FLAG, .out = (to), \
		.help = (text),                                     \
	}

struct dawn_cli {
	const char *name;  /* "load", or "cache put" */
	const char *args;  /* "PREFIX", for the usage line; may be NULL */
	const char *about; /* --help: a few whole lines, each ends in \n */
	const struct dawn_opt *opts;
	int args_min, args_max; /* positional arguments */
};

/* Parse argv[1..]. Positional arguments are moved to argv[0], argv[1], ...
 * "--" ends the options. Says on stderr what is wrong; --help goes to stdout.
 * Return: how many positional arguments, or -1 with the exit status to return
 * in *status. */
int dawn_cli_parse(const struct dawn_cli *cli, int argc, char **argv,
		   int *status);

/* A decimal number in min..max with nothing around it. Return: 0, -EINVAL or
 * -ERANGE. */
int dawn_cli_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out);

/* "ADDRESS" or "ADDRESS/LENGTH", IPv4 as ::ffff:a.b.c.d with length 96 + n.
 * Bits behind the prefix must be zero. Return: 0 or -EINVAL. */
int dawn_cli_prefix(const char *text, struct dawn_addr *addr,
		    uint32_t *prefix_len);

/* Text of an address, IPv4 without its mapping; buf has INET6_ADDRSTRLEN. */
const char *dawn_cli_addr(const struct dawn_addr *addr, char *buf);

/* "dawn: text\n" on stderr; returns DAWN_EXIT_FAILED, _USAGE. */
int dawn_cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int dawn_cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void dawn_cli_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Open what is loaded on an interface, or say why not and what to do.
 * Return: DAWN_EXIT_OK (dawn_xdp_close() it) or the exit status. */
int dawn_cli_open(struct dawn_xdp *x, const char *ifname);

/* Where --dev is optional: leaves a given name alone, else takes the only
 * interface of this network namespace that has pins. Return: DAWN_EXIT_OK or
 * the exit status, after saying why. */
int dawn_cli_default_dev(const char **ifname);

/* The two above: open what is loaded on *ifname, or on the only interface. */
int dawn_cli_open_default(struct dawn_xdp *x, const char **ifname);

/* A table of text: columns are as wide as their widest cell; a header that
 * starts with '>' makes its column flush right. Cells are copied. */
struct dawn_table;

/* Return: NULL without memory; the calls below take NULL. */
struct dawn_table *dawn_table_new(const char *const *headers, int columns);
/* printf-like, fills cells left to right, top to bottom. */
void dawn_table_cell(struct dawn_table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Print to stdout and free. Nothing is printed without rows. Return: exit
 * status: FAILED if memory ran out or stdout is gone. */
int dawn_table_print(struct dawn_table *t);

/* Print to stdout with a newline, and put. NULL: out of memory. Return: exit
 * status. */
int dawn_cli_json(struct json_object *obj);

#endif
