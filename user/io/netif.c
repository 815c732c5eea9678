// SPDX-License-Identifier: MIT OR Apache-2.0
/* What interfaces are: rtnetlink for most, ethtool for driver and queues. */
#include "user/io/netif.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/io/netif_nl.h"
#include "user/io/xdp_load.h"

/* Drivers whose frames come from memory, not from a wire: a local sender
 * leaves the checksum to hardware that is not there. */
static const char *const virtual_drivers[] = {
	"veth",    "virtio_net", "tun",     "bridge",    "dummy",
	"vmxnet3", "vif",        "macvlan", "hv_netvsc", "team",
};

bool dawn_if_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= IF_NAMESIZE)
		return false;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '/' || name[i] == ':' ||
		    isspace((unsigned char)name[i]))
			return false;
	}
	return true;
}

bool dawn_if_is_virtual(const struct dawn_if *i)
{
	for (size_t k = 0; k < sizeof(virtual_drivers) / sizeof(char *); k++) {
		if (!strcmp(i->driver, virtual_drivers[k]) ||
		    !strcmp(i->kind, virtual_drivers[k]))
			return true;
	}
	return false;
}

static void take_xdp(struct dawn_if *i, const struct rtattr *xdp)
{
	const struct rtattr *in = RTA_DATA(xdp);
	size_t len = RTA_PAYLOAD(xdp);

	i->xdp_driver_id =
		dawn_nl_u32(dawn_nl_find(in, len, IFLA_XDP_DRV_PROG_ID));
	i->xdp_generic_id =
		dawn_nl_u32(dawn_nl_find(in, len, IFLA_XDP_SKB_PROG_ID));
	i->xdp_offload_id =
		dawn_nl_u32(dawn_nl_find(in, len, IFLA_XDP_HW_PROG_ID));
}

static int take_link(const struct nlmsghdr *h, void *arg)
{
	struct dawn_if *i = arg;
	const struct ifinfomsg *ifi = NLMSG_DATA(h);
	const struct rtattr *a, *at;
	size_t len;

	at = dawn_nl_attrs(h, sizeof(*ifi), &len);
	i->ifindex = (unsigned int)ifi->ifi_index;
	i->up = ifi->ifi_flags & IFF_UP;
	dawn_nl_str(dawn_nl_find(at, len, IFLA_IFNAME), i->name,
		    sizeof(i->name));
	i->mtu = dawn_nl_u32(dawn_nl_find(at, len, IFLA_MTU));
	i->queues = dawn_nl_u32(dawn_nl_find(at, len, IFLA_NUM_RX_QUEUES));
	i->peer = dawn_nl_u32(dawn_nl_find(at, len, IFLA_LINK));
	a = dawn_nl_find(at, len, IFLA_LINK_NETNSID);
	i->peer_nsid = a ? (int)dawn_nl_u32(a) : -1;
	/* The kernel leaves IFLA_LINK out if both ends have one number. */
	if (a && !i->peer)
		i->peer = i->ifindex;
	a = dawn_nl_find(at, len, IFLA_ADDRESS);
	if (a && RTA_PAYLOAD(a) == sizeof(i->mac))
		memcpy(i->mac, RTA_DATA(a), sizeof(i->mac));
	a = dawn_nl_find(at, len, IFLA_LINKINFO);
	if (a)
		dawn_nl_str(dawn_nl_find(RTA_DATA(a), RTA_PAYLOAD(a),
					 IFLA_INFO_KIND),
			    i->kind, sizeof(i->kind));
	a = dawn_nl_find(at, len, IFLA_XDP);
	if (a)
		take_xdp(i, a);
	return 0;
}

static int ethtool(const char *ifname, void *data)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { .ifr_data = data };
	int err = 0;

	if (fd == -1)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (ioctl(fd, SIOCETHTOOL, &ifr) == -1)
		err = -errno;
	close(fd);
	return err;
}

static void ask_driver(struct dawn_if *i)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_channels ch = { .cmd = ETHTOOL_GCHANNELS };

	if (!ethtool(i->name, &info))
		snprintf(i->driver, sizeof(i->driver), "%.31s", info.driver);
	/* Without channels: the number the device was made with. */
	if (!ethtool(i->name, &ch) && ch.rx_count + ch.combined_count)
		i->queues = ch.rx_count + ch.combined_count;
	if (!i->queues)
		i->queues = 1;
}

int dawn_if_get(struct dawn_if *i, unsigned int ifindex)
{
	struct dawn_nl_request r;
	struct ifinfomsg *ifi;
	int err;

	memset(i, 0, sizeof(*i));
	ifi = dawn_nl_init(&r, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = (int)ifindex;
	err = dawn_nl_ask(NETLINK_ROUTE, &r, take_link, i);
	if (err)
		return err;
	ask_driver(i);
	return 0;
}

/* ---- addresses ---- */

struct addresses {
	unsigned int ifindex;
	struct dawn_addr *out;
	int count, max;
};

static int take_address(const struct nlmsghdr *h, void *arg)
{
	struct addresses *l = arg;
	const struct ifaddrmsg *ifa = NLMSG_DATA(h);
	const struct rtattr *a, *at;
	struct dawn_addr addr;
	size_t len, want;

	if (h->nlmsg_type != RTM_NEWADDR || ifa->ifa_index != l->ifindex)
		return 0;
	at = dawn_nl_attrs(h, sizeof(*ifa), &len);
	/* On a point-to-point link IFA_ADDRESS is the other end's. */
	a = dawn_nl_find(at, len, IFA_LOCAL);
	if (!a)
		a = dawn_nl_find(at, len, IFA_ADDRESS);
	want = ifa->ifa_family == AF_INET ? 4 : 16;
	if (!a || RTA_PAYLOAD(a) != want || l->count >= l->max)
		return 0;
	if (want == 4) {
		__be32 v4;

		memcpy(&v4, RTA_DATA(a), sizeof(v4));
		dawn_addr_from_v4(&addr, v4);
	} else {
		memcpy(addr.b, RTA_DATA(a), sizeof(addr.b));
	}
	l->out[l->count++] = addr;
	return 0;
}

int dawn_if_addresses(unsigned int ifindex, struct dawn_addr *out, int max)
{
	static const unsigned char families[] = { AF_INET, AF_INET6 };
	struct addresses l = { .ifindex = ifindex, .out = out, .max = max };

	for (size_t i = 0; i < sizeof(families); i++) {
		struct dawn_nl_request r;
		struct ifaddrmsg *ifa;
		int err;

		ifa = dawn_nl_init(&r, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));
		ifa->ifa_family = families[i];
		err = dawn_nl_ask(NETLINK_ROUTE, &r, take_address, &l);
		/* A kernel without IPv6 has no addresses of it. */
		if (err && !(families[i] == AF_INET6 && err == -EOPNOTSUPP))
			return err;
	}
	return l.count;
}

/* ---- firewall ---- */

static int count_rule(const struct nlmsghdr *h, void *arg)
{
	int *count = arg;

	(void)h;
	++*count;
	return 0;
}

static int legacy_tables(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[64];
	int count = 0;

	while (f && fgets(line, sizeof(line), f))
		count++;
	if (f)
		fclose(f);
	return count;
}

int dawn_firewall_rules(void)
{
	struct dawn_nl_request r;
	struct nfgenmsg *nf;
	int count = 0;

	nf = dawn_nl_init(&r, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE,
			  NLM_F_DUMP, sizeof(*nf));
	nf->nfgen_family = AF_UNSPEC;
	nf->version = NFNETLINK_V0;
	/* An error means no nftables, or no right to look: then none seen. */
	dawn_nl_ask(NETLINK_NETFILTER, &r, count_rule, &count);
	count += legacy_tables("/proc/self/net/ip_tables_names");
	count += legacy_tables("/proc/self/net/ip6_tables_names");
	return count;
}
