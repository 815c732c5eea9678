// SPDX-License-Identifier: MIT OR Apache-2.0
/* dawn: the command. Finds the subcommand and calls it; see commands.h. */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "loader/cli.h"
#include "loader/commands.h"

#ifndef DAWN_VERSION
#define DAWN_VERSION "0.1.0"
#endif

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
#define X(name, summary) { #name, dawn_cmd_##name, summary },
	DAWN_COMMANDS(X)
#undef X
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *to)
{
	fputs("Usage: dawn COMMAND [OPTIONS]\n\n", to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-9s %s\n", commands[i].name,
			commands[i].summary);
	fputs("\n`dawn COMMAND --help` tells more; so does dawn(8).\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage.\n",
	      to);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return DAWN_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		help(stdout);
		return DAWN_EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("dawn %s (maps ABI %u, libbpf %s)\n", DAWN_VERSION,
		       DAWN_ABI_VERSION, libbpf_version_string());
		return DAWN_EXIT_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	}
	return dawn_cli_usage("unknown command '%s'; `dawn --help` lists them",
			      argv[1]);
}
