/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* HBTP over the kernel's UDP: what XDP passes (anything but one plain Ping),
 * local clients, and everything with `--io epoll`.
 *
 * Answers Pings; every other request is refused with RpcError (PROTOCOL 1.4:
 * code, then text), malformed ones included, if it asked for a response.
 * Replies are never answered, so that two servers cannot keep each other busy.
 *
 * Amplification: for one datagram at most 2 bytes more come back for each
 * message in it (an RpcError without text is 10 bytes, a header 8), in
 * datagrams of at most DAWN_UDP_REPLY_MAX bytes; broadcast and multicast are
 * ignored; errors are limited to 1,000, datagrams to 100,000 a second.
 */
#ifndef DAWN_IO_UDP_H
#define DAWN_IO_UDP_H

#include <stddef.h>
#include <stdint.h>

#include "user/io/loop.h"
#include "user/io/socket.h"

/* IPv6's minimum MTU less IPv6 and UDP headers (RFC 8200, 5). */
#define DAWN_UDP_REPLY_MAX 1232

struct dawn_udp;

struct dawn_udp_counts {
	uint64_t datagrams;
	uint64_t pings;   /* answered */
	uint64_t errors;  /* RpcErrors made */
	uint64_t refused; /* messages that were malformed or not served */
	uint64_t limited; /* not answered: rate */
};

/* Bind 0.0.0.0 and [::], each if the kernel has the family. port: host order;
 * 0: any free one (tests). tuning: NULL, none. Return: 0 or negative errno as
 * dawn_epoll_listen(). */
int dawn_udp_create(struct dawn_udp **out, struct dawn_loop *loop,
		    uint16_t port, const struct dawn_socket_tuning *tuning);
void dawn_udp_destroy(struct dawn_udp *u); /* NULL is fine */
uint16_t dawn_udp_port(const struct dawn_udp *u);
const struct dawn_udp_counts *dawn_udp_counts(const struct dawn_udp *u);

/* The pure half, for tests: answer the first message of a datagram.
 *
 * Return: bytes of the datagram that were used up (0: the rest cannot be
 * understood, stop). *reply_len: 0, or the length of the answer written to
 * `reply`, which has DAWN_UDP_REPLY_MAX bytes. */
size_t dawn_udp_message(const uint8_t *buf, size_t len, uint8_t *reply,
			size_t *reply_len, struct dawn_udp_counts *counts);

#endif
