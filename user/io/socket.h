/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sockets of the kernel's own stack, bound to a wildcard address, and who has
 * the port if that fails. */
#ifndef DAWN_IO_SOCKET_H
#define DAWN_IO_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "maps/abi.h"

/* A non-blocking socket bound to the family's wildcard address; an AF_INET6
 * one takes IPv6 only, so that both families can be bound side by side and a
 * kernel without IPv6 just lacks one. SOCK_STREAM sockets listen.
 * port: host order, 0 any.
 * Return: fd, or negative errno; -EAFNOSUPPORT: the kernel has not the family
 * (also where it is there, but switched off). */
int dawn_socket_bind(int family, int type, uint16_t port);

/* What a socket's packets and connections are to have; 0: what the system says.
 * Those that a listening socket accepts inherit it. */
struct dawn_socket_tuning {
	uint8_t ttl;              /* IPv6: hop limit */
	uint8_t dscp;             /* < 64 */
	uint32_t keepalive_s;     /* SOCK_STREAM: silence before a probe, */
	uint32_t keepalive_gap_s; /* before the next, */
	uint8_t keepalive_max;    /* and how many without an answer */
	uint32_t user_timeout_ms; /* likewise: TCP_USER_TIMEOUT */
};

/* Return: 0 or negative errno. */
int dawn_socket_tune(int fd, int family, int type,
		     const struct dawn_socket_tuning *t);

/* Port a socket is bound to, host order; or negative errno. */
int dawn_socket_port(int fd);

/* IPv4 comes out IPv4-mapped. Other families: all zero. */
void dawn_socket_address(const struct sockaddr_storage *ss,
			 struct dawn_addr *addr, uint16_t *port);

/* Who has a port of this machine (of our network namespace): "pid 123
 * (nginx)", or the user's id where /proc hides the rest. type: SOCK_STREAM or
 * SOCK_DGRAM. Always leaves a text. */
void dawn_port_owner(int type, uint16_t port, char *text, size_t size);

#endif
