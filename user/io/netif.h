/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Network interfaces: what they are (rtnetlink), their offloads and queues
 * (ethtool), and, for a veth, the other end wherever it lives.
 *
 * Everything acts in the calling thread's network namespace, unless a function
 * says otherwise. Return: 0 or negative errno.
 */
#ifndef DAWN_IO_NETIF_H
#define DAWN_IO_NETIF_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "maps/abi.h"

struct dawn_error;

struct dawn_if {
	char name[IF_NAMESIZE];
	unsigned int ifindex;
	char kind[24];   /* IFLA_INFO_KIND: "veth", "tun"; "" for hardware */
	char driver[32]; /* as ethtool -i has it; "" if it has none */
	uint8_t mac[6];
	bool up;
	uint32_t mtu;
	uint32_t queues;        /* rx queues in use; >= 1 */
	unsigned int peer;      /* IFLA_LINK: of a veth, the other end; 0 */
	int peer_nsid;          /* IFLA_LINK_NETNSID; -1: same namespace */
	uint32_t xdp_driver_id; /* attached programs; 0: none */
	uint32_t xdp_generic_id;
	uint32_t xdp_offload_id;
};

/* 1..15 bytes, no '/', no space, not "." or "..": what the kernel takes. */
bool dawn_if_name_valid(const char *name);

/* Return: -ENODEV: no such interface. */
int dawn_if_get(struct dawn_if *i, unsigned int ifindex);

/* Is it backed by no wire: partial checksums from local senders are normal. */
bool dawn_if_is_virtual(const struct dawn_if *i);

/* ---- offloads: ethtool's feature names, "tx-vlan-hw-insert" ---- */

/* The features that the loader may turn. They are kept in a bit mask by these
 * numbers, in a pinned map: never renumber. */
enum dawn_feature {
	DAWN_FEATURE_GRO,
	DAWN_FEATURE_GRO_HW,
	DAWN_FEATURE_LRO,
	DAWN_FEATURE_RX_VLAN,
	DAWN_FEATURE_RX_VLAN_STAG,
	DAWN_FEATURE_TX_VLAN,
	DAWN_FEATURE_TX_VLAN_STAG,
	DAWN_FEATURE_TSO,
	DAWN_FEATURE_TSO_ECN,
	DAWN_FEATURE_TSO_MANGLEID,
	DAWN_FEATURE_TSO6,
	DAWN_FEATURE_UDP_GSO,
	DAWN_FEATURE_TSO_ACCECN,
	DAWN_FEATURES
};

/* Which are on, as a mask; one the device does not know is off. */
int dawn_if_features(const char *ifname, uint32_t *on);

/* Turn the features in `mask` to what `on` has; *changed (may be NULL) gets
 * those that differ afterwards from before. Return: -EBUSY: one did not move
 * (fixed, or the kernel wants it so). */
int dawn_if_set_features(const char *ifname, uint32_t mask, uint32_t on,
			 uint32_t *changed);

/* ---- namespaces ---- */

/* Inode of the calling thread's network namespace; 0: /proc is not there. */
uint64_t dawn_netns_inode(void);

/* Is the calling thread in the initial network namespace? Asked of the kernel,
 * so that a container with a /proc/1 of its own does not think so. */
bool dawn_netns_is_initial(void);

/* The other end of a veth. */
struct dawn_peer {
	unsigned int ifindex;
	char name[IF_NAMESIZE];
	uint64_t netns_inode;
	int netns_fd; /* owned; -1: none */
};

/* Find it: own namespace, /run/netns, every process. Return: -ENOENT: its
 * namespace is not to be found from here. */
int dawn_peer_find(const struct dawn_if *i, struct dawn_peer *peer);
/* By what was remembered: namespace inode and ifindex. */
int dawn_peer_refind(uint64_t netns_inode, unsigned int ifindex,
		     struct dawn_peer *peer);
void dawn_peer_close(struct dawn_peer *peer);

/* Call fn in the namespace, in a thread of its own, so that the caller's stays.
 * Return: fn's, or why it was not called. */
int dawn_netns_call(int netns_fd, int (*fn)(void *arg), void *arg);

/* ---- firewall ---- */

/* Rules of nftables (iptables-nft included) plus tables of legacy iptables in
 * this namespace. Return: how many (0: none or not to be seen). */
int dawn_firewall_rules(void);

#endif
