// SPDX-License-Identifier: MIT OR Apache-2.0
/* dawn allow, deny: the access list in front of everything. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loader/cli.h"
#include "loader/commands.h"
#include "maps/access.h"

struct request {
	const char *ifname;
	bool remove, list;
	enum dawn_access_action action;
	const char *word; /* "allow" */
};

static void show_prefix(const struct dawn_access_key *key, char *out,
			size_t size)
{
	char text[INET6_ADDRSTRLEN];
	struct dawn_addr a;
	bool v4;

	memcpy(a.b, key->addr, sizeof(a.b));
	v4 = dawn_addr_is_v4(&a) && key->prefix_len >= 96;
	snprintf(out, size, "%s/%u", dawn_cli_addr(&a, text),
		 v4 ? key->prefix_len - 96 : key->prefix_len);
}

/* Both words list everything: which rule wins depends on all of them. */
static int list(const struct dawn_xdp *x)
{
	static const char *const headers[] = { "ACTION", "PREFIX" };
	struct dawn_table *t = dawn_table_new(headers, 2);
	struct dawn_access_key key, *at = NULL;
	uint32_t action;

	while (!bpf_map_get_next_key(x->map.access, at, &key)) {
		char prefix[64];

		at = &key;
		if (bpf_map_lookup_elem(x->map.access, &key, &action))
			continue; /* removed meanwhile */
		show_prefix(&key, prefix, sizeof(prefix));
		dawn_table_cell(t, "%s",
				action == DAWN_ACCESS_DENY ? "deny" : "allow");
		dawn_table_cell(t, "%s", prefix);
	}
	return dawn_table_print(t);
}

/* An LPM trie's lookup finds the longest prefix, not this very one: whether
 * it is there has to be looked for. */
static bool present(const struct dawn_xdp *x, const struct dawn_access_key *k)
{
	struct dawn_access_key key, *at = NULL;

	while (!bpf_map_get_next_key(x->map.access, at, &key)) {
		at = &key;
		if (!memcmp(&key, k, sizeof(key)))
			return true;
	}
	return false;
}

static int change(const struct dawn_xdp *x, const struct request *r,
		  const struct dawn_access_key *key, const char *text)
{
	uint32_t action = r->action, found = 0;
	int err;

	if (!r->remove) {
		err = bpf_map_update_elem(x->map.access, key, &action, BPF_ANY);
		if (err)
			return dawn_cli_fail("cannot %s %s on %s: %s", r->word,
					     text, r->ifname,
					     err == -ENOSPC ? "the list is full"
							    : strerror(-err));
		return DAWN_EXIT_OK;
	}
	if (!present(x, key) ||
	    bpf_map_lookup_elem(x->map.access, key, &found) || found != action)
		return dawn_cli_fail("%s: no '%s %s' is there to remove",
				     r->ifname, r->word, text);
	err = bpf_map_delete_elem(x->map.access, key);
	if (err)
		return dawn_cli_fail("cannot remove %s on %s: %s", text,
				     r->ifname, strerror(-err));
	return DAWN_EXIT_OK;
}

static int run(struct request *r, const struct dawn_cli *cli, int argc,
	       char **argv)
{
	struct dawn_access_key key = { 0 };
	struct dawn_addr addr;
	struct dawn_xdp x;
	int status, args = dawn_cli_parse(cli, argc, argv, &status);

	if (args < 0)
		return status;
	if (r->list ? args || r->remove : !args)
		return dawn_cli_usage("%s: give a PREFIX, or --list alone",
				      r->word);
	if (args && dawn_cli_prefix(argv[0], &addr, &key.prefix_len))
		return dawn_cli_usage("%s: '%s' is no address or prefix "
				      "(198.18.0.0/15, 2001:db8::/32; bits "
				      "behind the prefix must be 0)",
				      r->word, argv[0]);
	status = dawn_cli_open_default(&x, &r->ifname);
	if (status)
		return status;
	if (r->list) {
		status = list(&x);
	} else {
		memcpy(key.addr, addr.b, sizeof(key.addr));
		status = change(&x, r, &key, argv[0]);
	}
	dawn_xdp_close(&x);
	return status;
}

static int command(struct request *r, const char *about, int argc, char **argv)
{
	const struct dawn_opt opts[] = {
		DAWN_CLI_DEV(&r->ifname),
		{ .name = "remove",
		  .kind = DAWN_OPT_FLAG,
		  .out = &r->remove,
		  .help = "take this entry out again" },
		{ .name = "list",
		  .kind = DAWN_OPT_FLAG,
		  .out = &r->list,
		  .help = "show all entries, allow and deny" },
		{ 0 },
	};
	const struct dawn_cli cli = {
		.name = r->word,
		.args = "[PREFIX]",
		.about = about,
		.opts = opts,
		.args_max = 1,
	};

	return run(r, &cli, argc, argv);
}

int dawn_cmd_allow(int argc, char **argv)
{
	struct request r = { .action = DAWN_ACCESS_ALLOW, .word = "allow" };

	return command(&r,
		       "Let a source prefix in that a shorter one denies. The "
		       "longest prefix wins;\nwithout any match a source is "
		       "allowed.\n",
		       argc, argv);
}

int dawn_cmd_deny(int argc, char **argv)
{
	struct request r = { .action = DAWN_ACCESS_DENY, .word = "deny" };

	return command(
		&r,
		"Drop every packet from a source prefix, before anything "
		"else looks at it.\nBeware: that includes your own SSH. "
		"The longest prefix wins.\n",
		argc, argv);
}
