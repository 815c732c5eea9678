/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Loading, attaching, finding and removing the XDP program and its pins: what
 * `dawn load` and `dawnd` share.
 *
 * Everything lives under DAWN_PIN_ROOT/<name>/, <name> being the interface's,
 * escaped, plus "@<inode of the network namespace>" where that is not the
 * initial one. Whatever was attached can be found and undone from there by
 * another process, after a crash too.
 */
#ifndef DAWN_IO_XDP_LOAD_H
#define DAWN_IO_XDP_LOAD_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "maps/config.h"
#include "maps/flow_table.h"
#include "maps/services.h"
#include "maps/stats.h"

enum dawn_xdp_mode { DAWN_XDP_AUTO, DAWN_XDP_NATIVE, DAWN_XDP_GENERIC };

struct dawn_xdp_options {
	const char *ifname;
	enum dawn_xdp_mode mode;
	uint32_t flow_sets;  /* 0: default */
	uint32_t slots;      /* 0: default */
	bool standalone;     /* no daemon: orphan_ttl is off */
	bool serve;          /* for a daemon: be the only one until close() or
			      * death; -EBUSY if there is one. What is adopted
			      * stops being standalone and draining */
	bool assume_no_vlan; /* skip the refusal if tags may be hidden */
	/* Not 0: somebody reverts at that time unless confirmed. The token is
	 * any number that tells this load from another. */
	uint32_t confirm_s;
	uint64_t confirm_token;
};

/* An interface with our program on it, and its maps. fds are owned. */
struct dawn_xdp {
	char ifname[IF_NAMESIZE];
	unsigned int ifindex;
	enum dawn_xdp_mode mode; /* what was got: NATIVE or GENERIC */
	char mode_why[128];      /* for the start line */
	char pin_dir[256];
	bool adopted;    /* was there already */
	bool frags;      /* loaded for frames of several buffers */
	uint32_t queues; /* rx queues of the interface */
	uint8_t mac[6];
	int prog_fd;
	int serve_fd; /* pin_dir, locked; -1 */
	struct {
		int access, services, flow_table, unacked, cache_index,
			cache_data, cache_hits, vhosts, stats, reactor_stats,
			config, queue_sent, xsks, evicted;
	} map;
	/* What load did, mmapped; NULL if bpftool loaded it. */
	struct dawn_load_record *record;
	/* mmapped, shared with XDP */
	struct dawn_config *config;
	struct dawn_flow_set *flow_table;
	uint64_t *unacked;
	struct dawn_reactor_stats *reactor_stats; /* DAWN_QUEUES_MAX of them */
	uint64_t *queue_sent;                     /* DAWN_QUEUES_MAX of them */
};

/* A message for people: what failed, on what, why, what to try. */
struct dawn_error {
	char text[512];
};

/* Find what is loaded on an interface. Return: 0; -ENOENT: nothing (e->text
 * then is empty, or tells of left-overs). */
int dawn_xdp_open(struct dawn_xdp *x, const char *ifname, struct dawn_error *e);

/* Adopt what is there, or: mount bpffs if needed, load, fill config and DEVMAPs,
 * pin, prepare the interface (offloads, veth peer), attach. On failure nothing
 * is left behind. Return: 0 or negative errno with e->text filled. */
int dawn_xdp_load(struct dawn_xdp *x, const struct dawn_xdp_options *o,
		  struct dawn_error *e);

/* Detach, undo what load changed on the interface, remove the pins. Works on
 * half-made and crashed set-ups. Return: 0, -ENOENT if there was nothing. */
int dawn_xdp_unload(const char *ifname, struct dawn_error *e);

/* The same in an emergency: none of XDP's maps is read, so it works if layouts
 * differ or something hangs; pins go first, then offloads are turned back if
 * they can be. Return: as dawn_xdp_unload(), failed offloads aside. */
int dawn_xdp_off(const char *ifname, struct dawn_error *e);

/* Close fds and mappings; the program stays attached. */
void dawn_xdp_close(struct dawn_xdp *x);

/* Register a service; the same (address, port, proto) keeps its id, and want->id
 * is not looked at. Return: the id (>= 1) or negative errno. */
int dawn_xdp_add_service(struct dawn_xdp *x, const struct dawn_service_key *key,
			 const struct dawn_service *want, struct dawn_error *e);

/* Is what stands there (half-made or not) of the load with that token? */
bool dawn_xdp_made_by(const char *ifname, uint64_t confirm_token);

/* Does a reactor serve it: did any queue's heartbeat come lately? */
bool dawn_xdp_reactor_alive(const struct dawn_xdp *x);

/* What is pinned, in whatever network namespace. */
struct dawn_xdp_pin {
	char ifname[IF_NAMESIZE];
	uint64_t netns_inode; /* 0: the initial namespace's */
	bool here;            /* made in the calling thread's namespace */
	char dir[256];
};

#define DAWN_PINS_MAX 256 /* as many as anybody lists */

/* Return: how many there are (up to max filled in) or negative errno. */
int dawn_xdp_list(struct dawn_xdp_pin *out, int max);

/* All unicast addresses of the interface, IPv4-mapped; link-local too.
 * Return: how many (up to max) or negative errno. */
int dawn_if_addresses(unsigned int ifindex, struct dawn_addr *out, int max);

#endif
