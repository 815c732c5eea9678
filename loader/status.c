// SPDX-License-Identifier: MIT OR Apache-2.0
/* dawn status: what is loaded where, and who serves it. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/cli.h"
#include "loader/commands.h"
#include "user/io/clock.h"
#include "user/io/xdp_load_record.h"

#define ADDRESSES_MAX 64

static const char *const mode_names[] = { "auto", "native", "generic" };

/* A pin directory and what stands behind it. */
struct entry {
	struct dawn_xdp_pin pin;
	bool loaded; /* `x` is open */
	struct dawn_xdp x;
	struct dawn_error why_not;
};

/* ---- parts ---- */

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* Seconds until --confirm reverts; -1: it will not. */
static int64_t reverts_in_s(const struct dawn_load_record *r)
{
	uint64_t now = dawn_clock_ns(CLOCK_BOOTTIME);

	if (!r || r->confirm != DAWN_CONFIRM_PENDING)
		return -1;
	return r->confirm_by_ns > now
		       ? (int64_t)((r->confirm_by_ns - now) / 1000000000ULL)
		       : 0;
}

static const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmp6";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	default:
		return "?";
	}
}

static const char *kind_name(uint8_t kind)
{
	static const char *const names[] = {
		[DAWN_SERVICE_ECHO] = "echo",
		[DAWN_SERVICE_HTTP] = "http",
		[DAWN_SERVICE_HBTP] = "hbtp",
	};

	if (kind == 0 || kind >= sizeof(names) / sizeof(names[0]))
		return "?";
	return names[kind];
}

struct row {
	struct dawn_service_key key;
	struct dawn_service service;
};

static int by_id(const void *a, const void *b)
{
	return ((const struct row *)a)->service.id -
	       ((const struct row *)b)->service.id;
}

/* The services in the order they were added. Return: how many. */
static int get_services(const struct dawn_xdp *x, struct row *rows)
{
	struct dawn_service_key *at = NULL;
	int count = 0;

	while (count < DAWN_SERVICES_MAX &&
	       !bpf_map_get_next_key(x->map.services, at, &rows[count].key)) {
		at = &rows[count].key;
		if (bpf_map_lookup_elem(x->map.services, at,
					&rows[count].service))
			break; /* removed meanwhile */
		count++;
	}
	qsort(rows, (size_t)count, sizeof(*rows), by_id);
	return count;
}

/* ---- text ---- */

static int text_services(const struct dawn_xdp *x)
{
	static const char *const headers[] = { "  SERVICE", "PROTO", ">PORT",
					       "ADDRESS" };
	struct dawn_table *t = dawn_table_new(headers, 4);
	struct row rows[DAWN_SERVICES_MAX];
	int count = get_services(x, rows);

	for (int i = 0; i < count; i++) {
		char addr[INET6_ADDRSTRLEN];

		dawn_cli_addr(&rows[i].key.addr, addr);
		dawn_table_cell(t, "  %s", kind_name(rows[i].service.kind));
		dawn_table_cell(t, "%s", proto_name(rows[i].key.proto));
		dawn_table_cell(t, "%u", ntohs(rows[i].key.port));
		dawn_table_cell(t, "%s", addr);
	}
	return dawn_table_print(t);
}

static int text_loaded(const struct entry *en)
{
	const struct dawn_xdp *x = &en->x;
	int64_t left = reverts_in_s(x->record);

	printf("%s: %s mode (%s), program id %u, %u queue%s\n", x->ifname,
	       mode_names[x->mode], x->mode_why, program_id(x->prog_fd),
	       x->queues, x->queues == 1 ? "" : "s");
	printf("  pins      %s\n", x->pin_dir);
	printf("  reactor   %s\n", dawn_xdp_reactor_alive(x) ? "alive"
				   : x->config->flags & DAWN_CONFIG_STANDALONE
					   ? "none wanted"
					   : "none alive");
	printf("  tcp       %s\n",
	       x->config->flags & DAWN_CONFIG_TCP ? "on" : "off");
	printf("  tables    %u flows, %u slots\n",
	       x->config->flow_sets * DAWN_FLOW_WAYS, x->config->slots);
	if (left >= 0)
		printf("  reverts   in %lld s unless: dawn confirm --dev %s\n",
		       (long long)left, x->ifname);
	return text_services(x);
}

static int text_entry(const struct entry *en)
{
	if (en->loaded)
		return text_loaded(en);
	if (en->pin.here)
		printf("%s: %s\n", en->pin.ifname, en->why_not.text);
	else
		printf("%s: in another network namespace (%llu), pins %s\n",
		       en->pin.ifname, (unsigned long long)en->pin.netns_inode,
		       en->pin.dir);
	return DAWN_EXIT_OK;
}

/* ---- JSON ---- */

static void put_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

static void put_number(struct json_object *o, const char *name, int64_t n)
{
	json_object_object_add(o, name, json_object_new_int64(n));
}

static void put_bool(struct json_object *o, const char *name, bool b)
{
	json_object_object_add(o, name, json_object_new_boolean(b));
}

static void json_services(struct json_object *o, const struct dawn_xdp *x)
{
	struct json_object *list = json_object_new_array();
	struct row rows[DAWN_SERVICES_MAX];
	int count = get_services(x, rows);

	for (int i = 0; i < count; i++) {
		struct json_object *s = json_object_new_object();
		char addr[INET6_ADDRSTRLEN];

		put_text(s, "kind", kind_name(rows[i].service.kind));
		put_text(s, "proto", proto_name(rows[i].key.proto));
		put_number(s, "port", ntohs(rows[i].key.port));
		put_text(s, "address", dawn_cli_addr(&rows[i].key.addr, addr));
		put_number(s, "id", rows[i].service.id);
		put_number(s, "group", rows[i].service.group);
		json_object_array_add(list, s);
	}
	json_object_object_add(o, "services", list);
}

static void json_addresses(struct json_object *o, const struct dawn_xdp *x)
{
	struct json_object *list = json_object_new_array();
	struct dawn_addr addr[ADDRESSES_MAX];
	int count = dawn_if_addresses(x->ifindex, addr, ADDRESSES_MAX);
	char text[INET6_ADDRSTRLEN];

	for (int i = 0; i < count; i++)
		json_object_array_add(
			list,
			json_object_new_string(dawn_cli_addr(&addr[i], text)));
	json_object_object_add(o, "addresses", list);
}

static void json_reactor(struct json_object *o, const struct dawn_xdp *x)
{
	struct json_object *r = json_object_new_object();
	struct json_object *ages = json_object_new_array();
	uint64_t now = dawn_clock_ns(CLOCK_MONOTONIC_COARSE);

	put_bool(r, "alive", dawn_xdp_reactor_alive(x));
	put_number(r, "incarnation", x->config->incarnation);
	for (uint32_t q = 0; q < x->queues && q < DAWN_QUEUES_MAX; q++) {
		uint64_t beat = __atomic_load_n(
			&x->config->queue[q].heartbeat_ns, __ATOMIC_RELAXED);

		/* null: no socket on that queue */
		json_object_array_add(
			ages,
			!beat ? NULL
			      : json_object_new_int64(
					now > beat ? (int64_t)((now - beat) /
							       1000000)
						   : 0));
	}
	json_object_object_add(r, "heartbeat_ms", ages);
	json_object_object_add(o, "reactor", r);
}

static void json_loaded(struct json_object *o, const struct dawn_xdp *x)
{
	int64_t left = reverts_in_s(x->record);

	put_number(o, "ifindex", x->ifindex);
	put_text(o, "mode", mode_names[x->mode]);
	put_text(o, "mode_why", x->mode_why);
	put_number(o, "program_id", program_id(x->prog_fd));
	put_number(o, "queues", x->queues);
	put_bool(o, "tcp", x->config->flags & DAWN_CONFIG_TCP);
	put_bool(o, "standalone", x->config->flags & DAWN_CONFIG_STANDALONE);
	put_number(o, "flows", x->config->flow_sets * DAWN_FLOW_WAYS);
	put_number(o, "slots", x->config->slots);
	if (left >= 0)
		put_number(o, "reverts_in_s", left);
	json_reactor(o, x);
	json_addresses(o, x);
	json_services(o, x);
}

static struct json_object *json_entry(const struct entry *en)
{
	struct json_object *o = json_object_new_object();

	put_text(o, "dev", en->pin.ifname);
	put_text(o, "state",
		 en->loaded     ? "loaded"
		 : en->pin.here ? "left-over"
				: "elsewhere");
	put_text(o, "pins", en->pin.dir);
	put_number(o, "netns", (int64_t)en->pin.netns_inode);
	if (en->loaded)
		json_loaded(o, &en->x);
	else if (en->pin.here)
		put_text(o, "problem", en->why_not.text);
	return o;
}

/* ---- the command ---- */

static void open_entry(struct entry *en, const struct dawn_xdp_pin *pin)
{
	memset(en, 0, sizeof(*en));
	en->pin = *pin;
	if (pin->here)
		en->loaded = !dawn_xdp_open(&en->x, pin->ifname, &en->why_not);
}

static int show(const struct dawn_xdp_pin *pins, int count, const char *only,
		bool json)
{
	struct json_object *list = json ? json_object_new_array() : NULL;
	struct json_object *top;
	int shown = 0, status = DAWN_EXIT_OK;
	struct entry en;

	for (int i = 0; i < count && !status; i++) {
		if (only && (!pins[i].here || strcmp(pins[i].ifname, only)))
			continue;
		open_entry(&en, &pins[i]);
		shown++;
		if (json)
			json_object_array_add(list, json_entry(&en));
		else
			status = text_entry(&en);
		if (en.loaded)
			dawn_xdp_close(&en.x);
	}
	if (json) {
		top = json_object_new_object();
		json_object_object_add(top, "interfaces", list);
		status = dawn_cli_json(top);
	} else if (!shown && !only) {
		puts("nothing is loaded");
	}
	if (only && !shown && !status)
		return dawn_cli_fail("nothing is loaded on %s", only);
	return status;
}

int dawn_cmd_status(int argc, char **argv)
{
	static struct dawn_xdp_pin pins[DAWN_PINS_MAX];
	const char *only = NULL;
	bool json = false;
	const struct dawn_opt opts[] = {
		{ .name = "dev",
		  .kind = DAWN_OPT_IFNAME,
		  .out = &only,
		  .arg = "IF",
		  .help = "this interface only" },
		DAWN_CLI_JSON(&json, "as JSON"),
		{ 0 },
	};
	const struct dawn_cli cli = {
		.name = "status",
		.opts = opts,
		.about = "What is loaded: mode, reactor, services; and what an "
			 "earlier load left\nbehind.\n",
	};
	int count, status;

	if (dawn_cli_parse(&cli, argc, argv, &status) < 0)
		return status;
	count = dawn_xdp_list(pins, DAWN_PINS_MAX);
	if (count < 0)
		return dawn_cli_fail("cannot look into %s: %s", DAWN_PIN_ROOT,
				     strerror(-count));
	return show(pins, count < DAWN_PINS_MAX ? count : DAWN_PINS_MAX, only,
		    json);
}
