// SPDX-License-Identifier: MIT OR Apache-2.0
#include "user/io/netwatch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct changes {
	bool gone;
	bool addresses;
	bool link;
};

static void note(const struct dawn_netwatch *w, const struct nlmsghdr *nh,
		 struct changes *c)
{
	const struct ifinfomsg *link = NLMSG_DATA(nh);
	const struct ifaddrmsg *addr = NLMSG_DATA(nh);

	switch (nh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (nh->nlmsg_len < NLMSG_LENGTH(sizeof(*link)) ||
		    link->ifi_index != (int)w->ifindex)
			break;
		if (nh->nlmsg_type == RTM_DELLINK)
			c->gone = true;
		else
			c->link = true;
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (nh->nlmsg_len >= NLMSG_LENGTH(sizeof(*addr)) &&
		    addr->ifa_index == w->ifindex)
			c->addresses = true;
		break;
	default:
		break;
	}
}

/* The kernel's messages were more than the socket held: ask instead. */
static void note_overflow(const struct dawn_netwatch *w, struct changes *c)
{
	char name[IF_NAMESIZE];

	c->addresses = true;
	c->link = true;
	if (!if_indextoname(w->ifindex, name) && errno == ENXIO)
		c->gone = true;
}

static void watch_ready(struct dawn_source *src, uint32_t events)
{
	struct dawn_netwatch *w = (struct dawn_netwatch *)src;
	_Alignas(struct nlmsghdr) char buf[16384];
	struct changes c = { 0 };

	(void)events;
	for (;;) {
		ssize_t n = recv(src->fd, buf, sizeof(buf), MSG_DONTWAIT);
		struct nlmsghdr *nh = (struct nlmsghdr *)buf;
		unsigned int left = (unsigned int)n;

		if (n == -1 && errno == ENOBUFS)
			note_overflow(w, &c);
		else if (n <= 0)
			break;
		else
			for (; NLMSG_OK(nh, left); nh = NLMSG_NEXT(nh, left))
				note(w, nh, &c);
	}
	if (c.gone) {
		w->gone(w);
		return;
	}
	if (c.addresses)
		w->addresses(w);
	if (c.link)
		w->mtu(w);
}

int dawn_netwatch_start(struct dawn_netwatch *w, struct dawn_loop *loop)
{
	struct sockaddr_nl sa = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
			     RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_ROUTE);
	int err;

	if (fd == -1)
		return -errno;
	w->src = (struct dawn_source){ .fd = fd, .ready = watch_ready };
	err = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1 ? -errno : 0;
	if (!err)
		err = dawn_loop_add(loop, &w->src, EPOLLIN);
	if (err) {
		close(fd);
		return err;
	}
	w->loop = loop;
	return 0;
}

void dawn_netwatch_stop(struct dawn_netwatch *w)
{
	if (!w->loop)
		return;
	dawn_loop_remove(w->loop, &w->src);
	close(w->src.fd);
	w->loop = NULL;
}
