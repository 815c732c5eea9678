// SPDX-License-Identifier: MIT OR Apache-2.0
/* Offloads by name. The names are ethtool's "features" strings, asked of the
 * kernel at run time, because bit numbers differ between kernels. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/io/netif.h"

#define BITS_MAX   256 /* features of any kernel; 6.18 has 64 */
#define BLOCKS_MAX (BITS_MAX / 32)

static const char *const names[DAWN_FEATURES] = {
	[DAWN_FEATURE_GRO] = "rx-gro",
	[DAWN_FEATURE_GRO_HW] = "rx-gro-hw",
	[DAWN_FEATURE_LRO] = "rx-lro",
	[DAWN_FEATURE_RX_VLAN] = "rx-vlan-hw-parse",
	[DAWN_FEATURE_RX_VLAN_STAG] = "rx-vlan-stag-hw-parse",
	[DAWN_FEATURE_TX_VLAN] = "tx-vlan-hw-insert",
	[DAWN_FEATURE_TX_VLAN_STAG] = "tx-vlan-stag-hw-insert",
	[DAWN_FEATURE_TSO] = "tx-tcp-segmentation",
	[DAWN_FEATURE_TSO_ECN] = "tx-tcp-ecn-segmentation",
	[DAWN_FEATURE_TSO_MANGLEID] = "tx-tcp-mangleid-segmentation",
	[DAWN_FEATURE_TSO6] = "tx-tcp6-segmentation",
	[DAWN_FEATURE_UDP_GSO] = "tx-udp-segmentation",
	[DAWN_FEATURE_TSO_ACCECN] = "tx-tcp-accecn-segmentation",
};

/* A device, and where the kernel keeps each of our features. */
struct device {
	int fd;
	char name[IF_NAMESIZE];
	uint32_t bits;          /* how many features the kernel knows */
	int bit[DAWN_FEATURES]; /* -1: unknown to it */
};

static int ask(const struct device *d, void *data)
{
	struct ifreq ifr = { .ifr_data = data };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", d->name);
	return ioctl(d->fd, SIOCETHTOOL, &ifr) == -1 ? -errno : 0;
}

static int feature_count(struct device *d)
{
	union {
		struct ethtool_sset_info info;
		uint8_t room[sizeof(struct ethtool_sset_info) + 4];
	} u = { .info = { .cmd = ETHTOOL_GSSET_INFO,
			  .sset_mask = 1ULL << ETH_SS_FEATURES } };
	int err = ask(d, &u);

	if (err)
		return err;
	if (u.info.sset_mask)
		memcpy(&d->bits, u.info.data, sizeof(d->bits));
	return d->bits > BITS_MAX ? -E2BIG : 0;
}

static int feature_bits(struct device *d)
{
	struct ethtool_gstrings *s;
	int err = feature_count(d);

	for (int f = 0; f < DAWN_FEATURES; f++)
		d->bit[f] = -1;
	if (err || !d->bits)
		return err;
	s = calloc(1, sizeof(*s) + (size_t)d->bits * ETH_GSTRING_LEN);
	if (!s)
		return -ENOMEM;
	s->cmd = ETHTOOL_GSTRINGS;
	s->string_set = ETH_SS_FEATURES;
	s->len = d->bits;
	err = ask(d, s);
	for (uint32_t i = 0; !err && i < d->bits && i < s->len; i++) {
		const char *text =
			(char *)s->data + (size_t)i * ETH_GSTRING_LEN;

		for (int f = 0; f < DAWN_FEATURES; f++) {
			if (!strncmp(text, names[f], ETH_GSTRING_LEN))
				d->bit[f] = (int)i;
		}
	}
	free(s);
	return err;
}

static int device_open(struct device *d, const char *ifname)
{
	int err;

	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%s", ifname);
	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (d->fd == -1)
		return -errno;
	err = feature_bits(d);
	if (err)
		close(d->fd);
	return err;
}

static int device_features(const struct device *d, uint32_t *on)
{
	union {
		struct ethtool_gfeatures g;
		uint8_t room[sizeof(struct ethtool_gfeatures) +
			     BLOCKS_MAX *
				     sizeof(struct ethtool_get_features_block)];
	} u = { .g = { .cmd = ETHTOOL_GFEATURES,
		       .size = (d->bits + 31) / 32 } };
	int err = d->bits ? ask(d, &u) : 0;

	*on = 0;
	for (int f = 0; !err && f < DAWN_FEATURES; f++) {
		int b = d->bit[f];

		if (b >= 0 && u.g.features[b / 32].active & 1U << (b % 32))
			*on |= 1U << f;
	}
	return err;
}

static int device_set(const struct device *d, uint32_t mask, uint32_t on)
{
	union {
		struct ethtool_sfeatures s;
		uint8_t room[sizeof(struct ethtool_sfeatures) +
			     BLOCKS_MAX *
				     sizeof(struct ethtool_set_features_block)];
	} u = { .s = { .cmd = ETHTOOL_SFEATURES,
		       .size = (d->bits + 31) / 32 } };

	for (int f = 0; f < DAWN_FEATURES; f++) {
		struct ethtool_set_features_block *block;
		int b = d->bit[f];

		if (b < 0 || !(mask & 1U << f))
			continue;
		block = &u.s.features[b / 32];
		block->valid |= 1U << (b % 32);
		if (on & 1U << f)
			block->requested |= 1U << (b % 32);
	}
	return ask(d, &u);
}

int dawn_if_features(const char *ifname, uint32_t *on)
{
	struct device d;
	int err = device_open(&d, ifname);

	if (err)
		return err;
	err = device_features(&d, on);
	close(d.fd);
	return err;
}

int dawn_if_set_features(const char *ifname, uint32_t mask, uint32_t on,
			 uint32_t *changed)
{
	uint32_t before = 0, after = 0;
	struct device d;
	int err;

	if (changed)
		*changed = 0;
	err = device_open(&d, ifname);
	if (err)
		return err;
	err = device_features(&d, &before);
	/* Nothing to turn: no question of rights or of fixed features. */
	if (err || !((before ^ on) & mask))
		goto out;
	err = device_set(&d, (before ^ on) & mask, on);
	if (err)
		goto out;
	err = device_features(&d, &after);
	if (!err && changed)
		*changed = (before ^ after) & mask;
	if (!err && (after ^ on) & mask)
		err = -EBUSY;
out:
	close(d.fd);
	return err;
}
