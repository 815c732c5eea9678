/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The subcommands of `dawn`, in the order `dawn --help` shows them. A row
 * X(name, "summary") makes main() call
 *
 *     int dawn_cmd_<name>(int argc, char **argv);
 *
 * with argv[0] the subcommand's name. Return: the exit status, DAWN_EXIT_*.
 */
#ifndef DAWN_LOADER_COMMANDS_H
#define DAWN_LOADER_COMMANDS_H

#define DAWN_COMMANDS(X)                                        \
	X(load, "put the XDP program on an interface")          \
	X(confirm, "keep what `load --confirm` would revert")   \
	X(off, "emergency stop: detach, remove pins")           \
	X(unload, "detach, restore the interface, remove pins") \
	X(status, "what is loaded where")                       \
	X(allow, "access list: let a prefix in")                \
	X(deny, "access list: drop everything from a prefix")   \
	X(stats, "counters of both halves")                     \
	X(cache, "the kernel cache: put, get, ls, purge")       \
	X(flows, "TCP connections, and who has them")           \
	X(ping, "HBTP Pings over UDP, timed")

#define X(name, summary) int dawn_cmd_##name(int argc, char **argv);
DAWN_COMMANDS(X)
#undef X

#endif
