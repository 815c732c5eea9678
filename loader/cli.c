// SPDX-License-Identifier: MIT OR Apache-2.0
#include "loader/cli.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/io/netif.h"

static void say(const char *prefix, const char *fmt, va_list ap)
{
	fflush(stdout); /* so that results and talk stay in order */
	fputs(prefix, stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int dawn_cli_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("dawn: ", fmt, ap);
	va_end(ap);
	return DAWN_EXIT_FAILED;
}

int dawn_cli_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("dawn: ", fmt, ap);
	va_end(ap);
	return DAWN_EXIT_USAGE;
}

void dawn_cli_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("dawn: warning: ", fmt, ap);
	va_end(ap);
}

/* ---- options ---- */

#define OPTIONS_MAX 32

static void print_help(const struct dawn_cli *cli)
{
	printf("Usage: dawn %s", cli->name);
	for (const struct dawn_opt *o = cli->opts; o && o->name; o++) {
		if (o->required)
			printf(" --%s %s", o->name, o->arg);
	}
	printf(" [OPTIONS]%s%s\n\n%s\n", cli->args ? " " : "",
	       cli->args ? cli->args : "", cli->about);
	for (const struct dawn_opt *o = cli->opts; o && o->name; o++) {
		char left[48];

		snprintf(left, sizeof(left), "--%s%s%s", o->name,
			 o->arg ? " " : "", o->arg ? o->arg : "");
		printf("  %-24s %s%s\n", left, o->help,
		       o->required ? " (required)" : "");
	}
	printf("  %-24s %s\n", "--help", "this text");
}

int dawn_cli_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;

	if (!*text)
		return -EINVAL;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > UINT32_MAX)
			return -ERANGE;
	}
	if (v < min || v > max)
		return -ERANGE;
	*out = (uint32_t)v;
	return 0;
}

static int set_choice(const struct dawn_opt *o, const char *value)
{
	char list[128] = "";

	for (int i = 0; o->choices[i]; i++) {
		if (!strcmp(o->choices[i], value)) {
			*(int *)o->out = i;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
			 "%s%s", i ? ", " : "", o->choices[i]);
	}
	dawn_cli_usage("--%s: '%s' is none of: %s", o->name, value, list);
	return -EINVAL;
}

static int set_ifname(const struct dawn_opt *o, const char *value)
{
	if (!dawn_if_name_valid(value)) {
		dawn_cli_usage("--%s: '%s' is no name of an interface", o->name,
			       value);
		return -EINVAL;
	}
	if (o->kind == DAWN_OPT_IFACE && !if_nametoindex(value)) {
		dawn_cli_usage("--%s: no interface '%s' in this network "
			       "namespace (`ip link` lists them)",
			       o->name, value);
		return -ENODEV;
	}
	*(const char **)o->out = value;
	return 0;
}

static int set_u32(const struct dawn_opt *o, const char *value)
{
	if (!dawn_cli_u32(value, o->min, o->max, o->out))
		return 0;
	dawn_cli_usage("--%s: '%s' is not a number from %u to %u", o->name,
		       value, o->min, o->max);
	return -EINVAL;
}

static int set_option(const struct dawn_opt *o, const char *value)
{
	switch (o->kind) {
	case DAWN_OPT_FLAG:
		*(bool *)o->out = true;
		return 0;
	case DAWN_OPT_U32:
		return set_u32(o, value);
	case DAWN_OPT_CHOICE:
		return set_choice(o, value);
	case DAWN_OPT_IFACE:
	case DAWN_OPT_IFNAME:
		return set_ifname(o, value);
	case DAWN_OPT_STRING:
		break;
	}
	if (!*value) {
		dawn_cli_usage("--%s: empty", o->name);
		return -EINVAL;
	}
	*(const char **)o->out = value;
	return 0;
}

/* The row of "--name" or "--name=value". Return: its index or -1. */
static int find_option(const struct dawn_cli *cli, const char *text)
{
	size_t len = strcspn(text, "=");

	for (int i = 0; cli->opts && cli->opts[i].name; i++) {
		const char *name = cli->opts[i].name;

		if (strlen(name) == len && !memcmp(name, text, len))
			return i;
	}
	return -1;
}

/* One option at argv[*at]; *at is moved to its last word. */
static int take_option(const struct dawn_cli *cli, int argc, char **argv,
		       int *at, bool *seen)
{
	const char *text = argv[*at] + 2, *eq = strchr(text, '=');
	int i = strncmp(argv[*at], "--", 2) ? -1 : find_option(cli, text);
	const struct dawn_opt *o = i < 0 ? NULL : &cli->opts[i];
	const char *value = eq ? eq + 1 : NULL;

	if (!o) {
		dawn_cli_usage("%s: unknown option '%s'; try --help", cli->name,
			       argv[*at]);
		return -EINVAL;
	}
	if (seen[i]) {
		dawn_cli_usage("%s: --%s given twice", cli->name, o->name);
		return -EINVAL;
	}
	seen[i] = true;
	if (o->kind == DAWN_OPT_FLAG && value) {
		dawn_cli_usage("%s: --%s takes no value", cli->name, o->name);
		return -EINVAL;
	}
	if (o->kind != DAWN_OPT_FLAG && !value) {
		if (*at + 1 >= argc) {
			dawn_cli_usage("%s: --%s needs a value (%s)", cli->name,
				       o->name, o->arg);
			return -EINVAL;
		}
		value = argv[++*at];
	}
	return set_option(o, value);
}

static int check_complete(const struct dawn_cli *cli, int args,
			  const bool *seen)
{
	for (int i = 0; cli->opts && cli->opts[i].name; i++) {
		if (cli->opts[i].required && !seen[i]) {
			dawn_cli_usage("%s: --%s %s is missing", cli->name,
				       cli->opts[i].name, cli->opts[i].arg);
			return -EINVAL;
		}
	}
	if (args < cli->args_min || args > cli->args_max) {
		dawn_cli_usage("%s: %s; try --help", cli->name,
			       args < cli->args_min ? "argument missing"
						    : "too many arguments");
		return -EINVAL;
	}
	return 0;
}

int dawn_cli_parse(const struct dawn_cli *cli, int argc, char **argv,
		   int *status)
{
	bool seen[OPTIONS_MAX] = { false }, options = true;
	int args = 0;

	for (int i = 1; i < argc; i++) {
		if (options && !strcmp(argv[i], "--")) {
			options = false;
			continue;
		}
		if (options && !strcmp(argv[i], "--help")) {
			print_help(cli);
			*status = DAWN_EXIT_OK;
			return -1;
		}
		/* "-" alone is a file's name. */
		if (!options || argv[i][0] != '-' || !argv[i][1]) {
			argv[args++] = argv[i];
			continue;
		}
		if (take_option(cli, argc, argv, &i, seen)) {
			*status = DAWN_EXIT_USAGE;
			return -1;
		}
	}
	if (check_complete(cli, args, seen)) {
		*status = DAWN_EXIT_USAGE;
		return -1;
	}
	return args;
}

/* ---- addresses ---- */

static bool prefix_clean(const struct dawn_addr *a, uint32_t len)
{
	for (uint32_t bit = len; bit < 128; bit++) {
		if (a->b[bit / 8] & (0x80 >> (bit % 8)))
			return false;
	}
	return true;
}

int dawn_cli_prefix(const char *text, struct dawn_addr *addr,
		    uint32_t *prefix_len)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char host[INET6_ADDRSTRLEN];
	uint32_t bits, base = 0;
	__be32 v4;

	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &v4) == 1) {
		dawn_addr_from_v4(addr, v4);
		base = 96;
	} else if (inet_pton(AF_INET6, host, addr->b) != 1) {
		return -EINVAL;
	}
	bits = 128 - base;
	if (slash && dawn_cli_u32(slash + 1, 0, 128 - base, &bits))
		return -EINVAL;
	if (!prefix_clean(addr, base + bits))
		return -EINVAL;
	*prefix_len = base + bits;
	return 0;
}

const char *dawn_cli_addr(const struct dawn_addr *addr, char *buf)
{
	if (dawn_addr_is_v4(addr))
		return inet_ntop(AF_INET, &addr->w[3], buf, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, addr->b, buf, INET6_ADDRSTRLEN);
}

int dawn_cli_open(struct dawn_xdp *x, const char *ifname)
{
	struct dawn_error e = { "" };
	int err = dawn_xdp_open(x, ifname, &e);

	if (!err)
		return DAWN_EXIT_OK;
	if (err == -ENOENT && !e.text[0])
		return dawn_cli_fail("nothing is loaded on %s; try `dawn load "
				     "--dev %s`",
				     ifname, ifname);
	return dawn_cli_fail("%s", e.text);
}

int dawn_cli_default_dev(const char **ifname)
{
	static struct dawn_xdp_pin pins[DAWN_PINS_MAX];
	int count, here = 0;

	if (*ifname)
		return DAWN_EXIT_OK;
	count = dawn_xdp_list(pins, DAWN_PINS_MAX);
	if (count < 0)
		return dawn_cli_fail("cannot look into %s: %s", DAWN_PIN_ROOT,
				     strerror(-count));
	for (int i = 0; i < count && i < DAWN_PINS_MAX; i++) {
		if (pins[i].here) {
			*ifname = pins[i].ifname;
			here++;
		}
	}
	if (here == 1)
		return DAWN_EXIT_OK;
	*ifname = NULL;
	if (!here)
		return dawn_cli_fail("nothing is loaded in this network "
				     "namespace");
	return dawn_cli_usage("%d interfaces are loaded: say which by --dev",
			      here);
}

int dawn_cli_open_default(struct dawn_xdp *x, const char **ifname)
{
	int status = dawn_cli_default_dev(ifname);

	return status ? status : dawn_cli_open(x, *ifname);
}

/* ---- output ---- */

#define COLUMNS_MAX 16

struct dawn_table {
	int columns, cells, capacity;
	bool failed;
	char **cell; /* headers first; owned */
};

static void add_cell(struct dawn_table *t, char *text)
{
	if (t->cells == t->capacity) {
		int capacity = t->capacity ? 2 * t->capacity : 64;
		char **grown =
			realloc(t->cell, sizeof(*grown) * (size_t)capacity);

		if (!grown) {
			free(text);
			t->failed = true;
			return;
		}
		t->cell = grown;
		t->capacity = capacity;
	}
	t->cell[t->cells++] = text;
}

struct dawn_table *dawn_table_new(const char *const *headers, int columns)
{
	struct dawn_table *t = calloc(1, sizeof(*t));

	assert(columns > 0 && columns <= COLUMNS_MAX);
	if (!t)
		return NULL;
	t->columns = columns;
	for (int i = 0; i < columns; i++)
		dawn_table_cell(t, "%s", headers[i]);
	return t;
}

void dawn_table_cell(struct dawn_table *t, const char *fmt, ...)
{
	char *text;
	va_list ap;

	if (!t)
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		t->failed = true;
	else
		add_cell(t, text);
	va_end(ap);
}

static int column_width(const struct dawn_table *t, int column, bool right)
{
	int width = 0;

	for (int i = column; i < t->cells; i += t->columns) {
		int len = (int)strlen(t->cell[i]) -
			  (right && i < t->columns ? 1 : 0);

		width = len > width ? len : width;
	}
	return width;
}

static void print_cell(const struct dawn_table *t, int i, const int *width)
{
	int column = i % t->columns;
	bool right = t->cell[column][0] == '>';
	bool last = column == t->columns - 1;
	const char *text = t->cell[i] + (right && i < t->columns ? 1 : 0);

	if (right)
		printf("%*s", width[column], text);
	else
		printf("%-*s", last ? 0 : width[column], text);
	fputs(last ? "\n" : "  ", stdout);
}

static void print_cells(const struct dawn_table *t)
{
	int width[COLUMNS_MAX] = { 0 };

	for (int i = 0; i < t->columns; i++)
		width[i] = column_width(t, i, t->cell[i][0] == '>');
	for (int i = 0; i < t->cells; i++)
		print_cell(t, i, width);
}

int dawn_table_print(struct dawn_table *t)
{
	bool failed = !t || t->failed;

	if (!failed && t->cells > t->columns)
		print_cells(t);
	for (int i = 0; t && i < t->cells; i++)
		free(t->cell[i]);
	if (t)
		free(t->cell);
	free(t);
	if (failed)
		return dawn_cli_fail("out of memory");
	return fflush(stdout) ? DAWN_EXIT_FAILED : DAWN_EXIT_OK;
}

int dawn_cli_json(struct json_object *obj)
{
	if (!obj)
		return dawn_cli_fail("out of memory");
	puts(json_object_to_json_string_ext(
		obj, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(obj);
	return fflush(stdout) ? DAWN_EXIT_FAILED : DAWN_EXIT_OK;
}
