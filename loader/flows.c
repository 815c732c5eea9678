// SPDX-License-Identifier: MIT OR Apache-2.0
/* dawn flows: the connections in flow_table.
 *
 * Nothing is locked: an entry is copied and taken as read if its owner word is
 * the same before and after. Numbers of a connection that the reactor has are
 * stale in the entry unless CLEAN says otherwise, and are shown as unknown.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/cli.h"
#include "loader/commands.h"
#include "user/io/clock.h"

struct service {
	struct dawn_service_key key;
	struct dawn_service value;
};

struct view {
	const struct dawn_xdp *x;
	struct service services[DAWN_SERVICES_MAX];
	uint32_t service_count;
	uint32_t now_ms; /* coarse monotonic; wraps, as in the entries */
};

static const char *const tcp_states[] = {
	[DAWN_TCP_CLOSED] = "CLOSED",
	[DAWN_TCP_ESTABLISHED] = "ESTABLISHED",
	[DAWN_TCP_LAST_ACK] = "LAST-ACK",
	[DAWN_TCP_CLOSE_WAIT] = "CLOSE-WAIT",
	[DAWN_TCP_FIN_WAIT_1] = "FIN-WAIT-1",
	[DAWN_TCP_FIN_WAIT_2] = "FIN-WAIT-2",
	[DAWN_TCP_CLOSING] = "CLOSING",
	[DAWN_TCP_TIME_WAIT] = "TIME-WAIT",
};
_Static_assert(sizeof(tcp_states) / sizeof(*tcp_states) ==
		       DAWN_TCP_TIME_WAIT + 1,
	       "a name for each state");

static const char *const owners[] = {
	[DAWN_OWNER_FREE] = "free",
	[DAWN_OWNER_KERNEL] = "kernel",
	[DAWN_OWNER_LOCKED] = "locked",
	[DAWN_OWNER_USER] = "user",
};

static const char *owner_name(uint64_t owner)
{
	uint8_t state = dawn_owner_state(owner);

	return state <= DAWN_OWNER_USER ? owners[state] : "?";
}

static const char *state_name(const struct dawn_flow *f)
{
	return f->state <= DAWN_TCP_TIME_WAIT ? tcp_states[f->state] : "?";
}

/* Does the entry describe the connection? */
static bool is_known(const struct dawn_flow *f)
{
	return dawn_owner_state(f->owner) != DAWN_OWNER_USER ||
	       (dawn_owner_flags(f->owner) & DAWN_OWNER_CLEAN);
}

static void read_services(struct view *v)
{
	struct dawn_service_key *prev = NULL;
	struct service *s = v->services;

	while (v->service_count < DAWN_SERVICES_MAX &&
	       !bpf_map_get_next_key(v->x->map.services, prev, &s->key)) {
		prev = &s->key;
		if (bpf_map_lookup_elem(v->x->map.services, &s->key, &s->value))
			memset(&s->value, 0, sizeof(s->value));
		v->service_count++;
		s++;
	}
}

/* Room for "[" address "]:" port. */
#define ENDPOINT_MAX (INET6_ADDRSTRLEN + 9)

static void endpoint(char *out, const struct dawn_addr *a, __be16 port)
{
	char text[INET6_ADDRSTRLEN];

	snprintf(out, ENDPOINT_MAX, dawn_addr_is_v4(a) ? "%s:%u" : "[%s]:%u",
		 dawn_cli_addr(a, text), ntohs(port));
}

static void local_endpoint(const struct view *v, uint16_t id, char *out)
{
	const struct service *s = v->services;

	for (uint32_t i = 0; i < v->service_count; i++, s++)
		if (s->value.id == id) {
			endpoint(out, &s->key.addr, s->key.port);
			return;
		}
	snprintf(out, ENDPOINT_MAX, "service %u", id); /* removed meanwhile */
}

/* Copy the flow if it is there and holds still. */
static bool snapshot(const struct dawn_flow_set *set, int way,
		     struct dawn_flow *out)
{
	const struct dawn_flow *f = &set->flow[way];
	uint64_t owner;

	for (int tries = 0; tries < 100; tries++) {
		owner = __atomic_load_n(&f->owner, __ATOMIC_ACQUIRE);
		if (dawn_owner_state(owner) == DAWN_OWNER_FREE)
			return false;
		memcpy(out, f, sizeof(*out));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&f->owner, __ATOMIC_RELAXED) == owner &&
		    dawn_owner_state(owner) != DAWN_OWNER_LOCKED)
			break;
	}
	return true; /* a busy one is shown as it was caught */
}

static bool has_unacked(const struct dawn_xdp *x, uint32_t flow)
{
	return __atomic_load_n(&x->unacked[flow / 64], __ATOMIC_RELAXED) >>
		       flow % 64 &
	       1;
}

static void add_number(struct json_object *o, const char *name, int64_t n)
{
	json_object_object_add(o, name, json_object_new_int64(n));
}

static void add_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

static void add_numbers(struct json_object *o, const struct dawn_flow *f)
{
	add_number(o, "unacked_bytes", f->snd_nxt - f->snd_una);
	add_number(o, "rcv_nxt", f->rcv_nxt);
	add_number(o, "snd_nxt", f->snd_nxt);
	add_number(o, "snd_wnd", f->snd_wnd);
	add_number(o, "cwnd", f->cwnd);
	if (f->resp_kind != DAWN_RESP_NONE) {
		add_number(o, "resp_slot", f->resp_slot);
		add_number(o, "resp_gen", f->resp_gen);
	}
}

static struct json_object *json_flow(const struct view *v, uint32_t flow,
				     const struct dawn_flow *f)
{
	struct json_object *o = json_object_new_object();
	char text[ENDPOINT_MAX];

	endpoint(text, &f->raddr, f->rport);
	add_text(o, "peer", text);
	local_endpoint(v, f->service, text);
	add_text(o, "local", text);
	add_number(o, "service", f->service);
	add_text(o, "state", state_name(f));
	add_text(o, "owner", owner_name(f->owner));
	if (dawn_owner_state(f->owner) == DAWN_OWNER_USER) {
		add_number(o, "thread", dawn_owner_thread(f->owner));
		add_number(o, "incarnation", dawn_owner_incarnation(f->owner));
		json_object_object_add(o, "clean",
				       json_object_new_boolean(is_known(f)));
	}
	add_number(o, "idle_ms", (int32_t)(v->now_ms - f->last_seen_ms));
	if (f->srtt_us)
		add_number(o, "rtt_us", f->srtt_us);
	add_number(o, "mss", f->mss);
	json_object_object_add(
		o, "unacked", json_object_new_boolean(has_unacked(v->x, flow)));
	if (is_known(f))
		add_numbers(o, f);
	return o;
}

static void table_flow(const struct view *v, struct dawn_table *t,
		       const struct dawn_flow *f)
{
	int32_t idle = (int32_t)(v->now_ms - f->last_seen_ms);
	bool user = dawn_owner_state(f->owner) == DAWN_OWNER_USER;
	char text[ENDPOINT_MAX];

	endpoint(text, &f->raddr, f->rport);
	dawn_table_cell(t, "%s", text);
	local_endpoint(v, f->service, text);
	dawn_table_cell(t, "%s", text);
	dawn_table_cell(t, "%s", state_name(f));
	dawn_table_cell(t, "%s%s", owner_name(f->owner),
			user && is_known(f) ? "+clean" : "");
	if (user)
		dawn_table_cell(t, "%u", dawn_owner_thread(f->owner));
	else
		dawn_table_cell(t, "-");
	dawn_table_cell(t, "%.1fs", idle > 0 ? idle / 1000.0 : 0);
	if (f->srtt_us)
		dawn_table_cell(t, "%.2fms", f->srtt_us / 1000.0);
	else
		dawn_table_cell(t, "-");
	if (is_known(f))
		dawn_table_cell(t, "%u", f->snd_nxt - f->snd_una);
	else
		dawn_table_cell(t, "?");
}

/* One of `list` and `t` is NULL. */
static void walk(const struct view *v, struct json_object *list,
		 struct dawn_table *t)
{
	uint32_t sets = v->x->config->flow_sets;
	struct dawn_flow f;

	for (uint32_t set = 0; set < sets; set++)
		for (int way = 0; way < DAWN_FLOW_WAYS; way++) {
			if (!snapshot(&v->x->flow_table[set], way, &f))
				continue;
			if (list)
				json_object_array_add(
					list, json_flow(v,
							set * DAWN_FLOW_WAYS +
								(uint32_t)way,
							&f));
			else
				table_flow(v, t, &f);
		}
}

static int show(struct view *v, bool json)
{
	static const char *const headers[] = { "PEER",  "LOCAL",   "STATE",
					       "OWNER", ">THREAD", ">IDLE",
					       ">RTT",  ">UNACKED" };
	struct json_object *list;
	struct dawn_table *t;

	v->now_ms = (uint32_t)(dawn_clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000);
	read_services(v);
	if (json) {
		list = json_object_new_array();
		walk(v, list, NULL);
		return dawn_cli_json(list);
	}
	t = dawn_table_new(headers, 8);
	walk(v, NULL, t);
	return dawn_table_print(t);
}

int dawn_cmd_flows(int argc, char **argv)
{
	struct view *v;
	const char *ifname = NULL;
	bool json = false;
	const struct dawn_opt opts[] = {
		DAWN_CLI_DEV(&ifname),
		DAWN_CLI_JSON(&json, "an array of objects"),
		{ 0 },
	};
	const struct dawn_cli cli = {
		.name = "flows",
		.about =
			"TCP connections accepted by XDP. OWNER: which half "
			"has it now; UNACKED: bytes of\na kernel-sent response "
			"still to be acknowledged, ? while the reactor has it.\n",
		.opts = opts,
	};
	struct dawn_xdp x;
	int status;

	if (dawn_cli_parse(&cli, argc, argv, &status) < 0)
		return status;
	status = dawn_cli_open_default(&x, &ifname);
	if (status)
		return status;
	v = calloc(1, sizeof(*v));
	if (v) {
		v->x = &x;
		status = show(v, json);
	} else {
		status = dawn_cli_fail("out of memory");
	}
	free(v);
	dawn_xdp_close(&x);
	return status;
}
