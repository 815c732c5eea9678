// SPDX-License-Identifier: MIT OR Apache-2.0
#include "user/io/netif_nl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX 65536

void *dawn_nl_init(struct dawn_nl_request *r, uint16_t type, uint16_t flags,
		   size_t fixed_len)
{
	assert(fixed_len <= sizeof(r->body));
	memset(r, 0, sizeof(*r));
	r->h.nlmsg_type = type;
	r->h.nlmsg_flags = NLM_F_REQUEST | flags;
	r->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(NLMSG_ALIGN(fixed_len));
	return r->body;
}

void dawn_nl_put(struct dawn_nl_request *r, uint16_t type, const void *data,
		 size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)r + r->h.nlmsg_len);

	assert(r->h.nlmsg_len + RTA_SPACE(len) <= sizeof(*r));
	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len += (uint32_t)RTA_SPACE(len);
}

/* One message of an answer. Return: 0: go on, 1: that was the last. */
static int take_message(const struct nlmsghdr *h, dawn_nl_each each, void *arg,
			int *result)
{
	const struct nlmsgerr *err = NLMSG_DATA(h);

	if (h->nlmsg_type == NLMSG_DONE)
		return 1;
	if (h->nlmsg_type == NLMSG_ERROR) {
		if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*err)))
			*result = -EBADMSG;
		else
			*result = err->error;
		return 1;
	}
	*result = each ? each(h, arg) : 0;
	return *result != 0;
}

static int take_answers(int fd, char *buf, dawn_nl_each each, void *arg)
{
	int result = 0;

	for (;;) {
		ssize_t len = recv(fd, buf, ANSWER_BYTES_MAX, MSG_TRUNC);
		const struct nlmsghdr *h = (const void *)buf;

		if (len == -1 && errno == EINTR)
			continue;
		if (len == -1)
			return -errno;
		if (len > ANSWER_BYTES_MAX)
			return -EMSGSIZE;
		for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
			if (take_message(h, each, arg, &result))
				return result;
		}
	}
}

int dawn_nl_ask(int protocol, struct dawn_nl_request *r, dawn_nl_each each,
		void *arg)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	char *buf = malloc(ANSWER_BYTES_MAX);
	int err;

	if (!(r->h.nlmsg_flags & NLM_F_DUMP))
		r->h.nlmsg_flags |= NLM_F_ACK;
	if (fd == -1 || send(fd, r, r->h.nlmsg_len, 0) == -1)
		err = -errno;
	else if (!buf)
		err = -ENOMEM;
	else
		err = take_answers(fd, buf, each, arg);
	free(buf);
	if (fd != -1)
		close(fd);
	return err;
}

const struct rtattr *dawn_nl_find(const struct rtattr *first, size_t len,
				  uint16_t type)
{
	const struct rtattr *a = first;

	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	}
	return NULL;
}

uint32_t dawn_nl_u32(const struct rtattr *a)
{
	uint32_t v = 0;

	if (a && RTA_PAYLOAD(a) >= sizeof(v))
		memcpy(&v, RTA_DATA(a), sizeof(v));
	return v;
}

void dawn_nl_str(const struct rtattr *a, char *out, size_t size)
{
	size_t len;

	out[0] = '\0';
	if (!a)
		return;
	len = strnlen(RTA_DATA(a), RTA_PAYLOAD(a));
	if (len >= size)
		len = size - 1;
	memcpy(out, RTA_DATA(a), len);
	out[len] = '\0';
}
