/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The little of netlink that netif needs: one request, its answers. */
#ifndef DAWN_IO_NETIF_NL_H
#define DAWN_IO_NETIF_NL_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

/* A request being built; `h` is complete at any time. */
struct dawn_nl_request {
	struct nlmsghdr h;
	uint8_t body[240];
};

/* Start a request; returns where its `fixed_len` zeroed bytes stand. */
void *dawn_nl_init(struct dawn_nl_request *r, uint16_t type, uint16_t flags,
		   size_t fixed_len);
void dawn_nl_put(struct dawn_nl_request *r, uint16_t type, const void *data,
		 size_t len);

typedef int (*dawn_nl_each)(const struct nlmsghdr *h, void *arg);

/* Send it to a fresh socket of that NETLINK_* protocol and call `each` for
 * every answer, until the last one or until it returns something else than 0.
 * Return: 0, that, or negative errno (the kernel's or the socket's). */
int dawn_nl_ask(int protocol, struct dawn_nl_request *r, dawn_nl_each each,
		void *arg);

/* The attribute of that type among `len` bytes at `first`, or NULL. */
const struct rtattr *dawn_nl_find(const struct rtattr *first, size_t len,
				  uint16_t type);
/* Its value; 0 if the attribute is missing or short. */
uint32_t dawn_nl_u32(const struct rtattr *a);
/* Copy a string that may lack its NUL. */
void dawn_nl_str(const struct rtattr *a, char *out, size_t size);

/* The attributes behind the fixed part of a message. */
static inline const struct rtattr *dawn_nl_attrs(const struct nlmsghdr *h,
						 size_t fixed_len, size_t *len)
{
	size_t head = NLMSG_LENGTH(NLMSG_ALIGN(fixed_len));

	*len = h->nlmsg_len > head ? h->nlmsg_len - head : 0;
	return (const struct rtattr *)((const char *)h + head);
}

#endif
