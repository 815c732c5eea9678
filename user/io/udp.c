// SPDX-License-Identifier: MIT OR Apache-2.0
/* Theory of operation
 *
 * A socket for each family, non-blocking, read in batches. The local address a
 * datagram came to is taken from its control message and used as the answer's
 * source, or a client with several routes to us would see a stranger answer.
 *
 * A datagram's messages are answered in order into one reply; when that is
 * full it is sent and the next begun. The first message that does not fit its
 * datagram ends it: what follows cannot be framed.
 */
#include "user/io/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/io/socket.h"

#define DATAGRAM_MAX  65536
#define RECV_BATCH    64
#define RATE_ERRORS   1000   /* a second */
#define RATE_MESSAGES 100000 /* a second */

/* PROTOCOL 1.1 - 1.4; the codec proper is user/hbtp's job. */
#define HEADER_LEN       8
#define PING_PAYLOAD_MAX 64
#define OP_PING          0x00
#define OP_PONG          0x01
#define OP_CLOSE         0x02
#define OP_RPC_RESPONSE  0x31
#define OP_RPC_ERROR     0x32
#define FLAG_EXPECTS     0x04
#define FLAG_FINAL       0x08
#define FLAGS_DEFINED    0x1f
#define ERR_MALFORMED    1
#define ERR_OPCODE       2
#define ERR_FLAG         4

struct bucket {
	uint32_t tokens;
	uint32_t per_second; /* and its depth */
	uint64_t filled_us;
};

struct endpoint {
	struct dawn_source src;
	struct dawn_udp *u;
};

struct dawn_udp {
	struct dawn_loop *loop;
	struct endpoint endpoint[2];
	int endpoints;
	uint16_t port;
	struct dawn_socket_tuning tuning;
	struct bucket errors;
	struct bucket messages;
	struct dawn_udp_counts counts;
	uint8_t datagram[DATAGRAM_MAX];
};

/* One datagram and where its answer goes. */
struct exchange {
	struct sockaddr_storage peer;
	struct msghdr msg;
	struct iovec iov;
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		     CMSG_SPACE(sizeof(struct in_pktinfo))];
	uint8_t reply[DAWN_UDP_REPLY_MAX];
	size_t reply_len;
};

/* --- messages ------------------------------------------------------------ */

struct header {
	uint8_t opcode;
	uint8_t flags;
	uint8_t sequence[2]; /* as on the wire; echoed */
	uint32_t length;
};

static struct header parse_header(const uint8_t *buf)
{
	return (struct header){
		.opcode = buf[0],
		.flags = buf[1],
		.sequence = { buf[2], buf[3] },
		.length = (uint32_t)buf[4] | (uint32_t)buf[5] << 8 |
			  (uint32_t)buf[6] << 16 | (uint32_t)buf[7] << 24,
	};
}

static void put_header(uint8_t *out, uint8_t opcode, const struct header *h,
		       uint8_t length)
{
	out[0] = opcode;
	out[1] = 0;
	out[2] = h->sequence[0];
	out[3] = h->sequence[1];
	out[4] = length;
	out[5] = 0;
	out[6] = 0;
	out[7] = 0;
}

static size_t pong(const struct header *h, const uint8_t *payload,
		   uint8_t *reply)
{
	put_header(reply, OP_PONG, h, (uint8_t)h->length);
	memcpy(reply + HEADER_LEN, payload, h->length);
	return HEADER_LEN + h->length;
}

/* Text only as far as the request paid for it. */
static size_t rpc_error(const struct header *h, size_t request_len,
			uint8_t code, uint8_t *reply)
{
	static const char *const text[] = {
		[ERR_MALFORMED] = "malformed",
		[ERR_OPCODE] = "unknown opcode",
		[ERR_FLAG] = "unsupported flag",
	};
	size_t len = strlen(text[code]);

	if (HEADER_LEN + 2 + len > request_len)
		len = 0;
	put_header(reply, OP_RPC_ERROR, h, (uint8_t)(2 + len));
	reply[HEADER_LEN] = code;
	reply[HEADER_LEN + 1] = 0;
	memcpy(reply + HEADER_LEN + 2, text[code], len);
	return HEADER_LEN + 2 + len;
}

static bool is_reply(uint8_t opcode)
{
	return opcode == OP_PONG || opcode == OP_CLOSE ||
	       opcode == OP_RPC_RESPONSE || opcode == OP_RPC_ERROR;
}

/* Return: 0, or the RpcError code that refuses it. */
static uint8_t check(const struct header *h, size_t left)
{
	if (h->flags & ~FLAGS_DEFINED)
		return ERR_FLAG;
	if (h->length > left)
		return ERR_MALFORMED;
	if (h->opcode != OP_PING)
		return ERR_OPCODE;
	if (h->flags & ~(FLAG_EXPECTS | FLAG_FINAL))
		return ERR_FLAG;
	if (h->length > PING_PAYLOAD_MAX)
		return ERR_MALFORMED;
	return 0;
}

size_t dawn_udp_message(const uint8_t *buf, size_t len, uint8_t *reply,
			size_t *reply_len, struct dawn_udp_counts *counts)
{
	struct header h;
	uint8_t code;
	size_t used;

	*reply_len = 0;
	if (len < HEADER_LEN) {
		counts->refused++;
		return 0;
	}
	h = parse_header(buf);
	code = check(&h, len - HEADER_LEN);
	used = h.length > len - HEADER_LEN ? 0 : HEADER_LEN + h.length;
	if (!code) {
		counts->pings++;
		*reply_len = pong(&h, buf + HEADER_LEN, reply);
		return used;
	}
	counts->refused++;
	if (is_reply(h.opcode) || !(h.flags & FLAG_EXPECTS))
		return used;
	counts->errors++;
	*reply_len = rpc_error(&h, used ? used : len, code, reply);
	return used;
}

/* --- datagrams ----------------------------------------------------------- */

static bool bucket_take(struct bucket *b, uint64_t now_us)
{
	uint64_t gained = (now_us - b->filled_us) * b->per_second / 1000000;

	if (gained) {
		b->tokens = gained + b->tokens > b->per_second
				    ? b->per_second
				    : (uint32_t)(gained + b->tokens);
		b->filled_us = now_us;
	}
	if (!b->tokens)
		return false;
	b->tokens--;
	return true;
}

/* Point msg_control at the same local address and interface, as a source.
 * Return: false if it was no unicast, or is unknown. */
static bool answer_from(struct exchange *x)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(&x->msg);

	if (!cm)
		return false;
	if (cm->cmsg_level == IPPROTO_IP && cm->cmsg_type == IP_PKTINFO) {
		struct in_pktinfo pi;

		memcpy(&pi, CMSG_DATA(cm), sizeof(pi));
		if (pi.ipi_addr.s_addr != pi.ipi_spec_dst.s_addr)
			return false;
		x->msg.msg_controllen = CMSG_SPACE(sizeof(pi));
		return true;
	}
	if (cm->cmsg_level == IPPROTO_IPV6 && cm->cmsg_type == IPV6_PKTINFO) {
		struct in6_pktinfo pi;

		memcpy(&pi, CMSG_DATA(cm), sizeof(pi));
		x->msg.msg_controllen = CMSG_SPACE(sizeof(pi));
		return !IN6_IS_ADDR_MULTICAST(&pi.ipi6_addr);
	}
	return false;
}

/* A full send buffer loses the answer, as the network might. */
static void send_reply(struct exchange *x, int fd)
{
	x->iov.iov_base = x->reply;
	x->iov.iov_len = x->reply_len;
	if (x->reply_len)
		sendmsg(fd, &x->msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	x->reply_len = 0;
}

static bool allowed(struct dawn_udp *u, bool error)
{
	uint64_t now = dawn_loop_now_us(u->loop);

	if (bucket_take(&u->messages, now) &&
	    (!error || bucket_take(&u->errors, now)))
		return true;
	u->counts.limited++;
	return false;
}

static void answer(struct endpoint *e, struct exchange *x, size_t len)
{
	struct dawn_udp *u = e->u;
	uint8_t reply[DAWN_UDP_REPLY_MAX];
	size_t off = 0, used, n;

	do {
		uint64_t errors = u->counts.errors;

		used = dawn_udp_message(u->datagram + off, len - off, reply, &n,
					&u->counts);
		off += used;
		if (!n || !allowed(u, u->counts.errors != errors))
			continue;
		if (x->reply_len + n > sizeof(x->reply))
			send_reply(x, e->src.fd);
		memcpy(x->reply + x->reply_len, reply, n);
		x->reply_len += n;
	} while (used && off < len);
	send_reply(x, e->src.fd);
}

static uint16_t peer_port(const struct exchange *x)
{
	struct dawn_addr addr;
	uint16_t port;

	dawn_socket_address(&x->peer, &addr, &port);
	return port;
}

static ssize_t receive(struct endpoint *e, struct exchange *x)
{
	x->iov.iov_base = e->u->datagram;
	x->iov.iov_len = sizeof(e->u->datagram);
	x->msg = (struct msghdr){
		.msg_name = &x->peer,
		.msg_namelen = sizeof(x->peer),
		.msg_iov = &x->iov,
		.msg_iovlen = 1,
		.msg_control = x->control,
		.msg_controllen = sizeof(x->control),
	};
	return recvmsg(e->src.fd, &x->msg, MSG_DONTWAIT);
}

static void endpoint_ready(struct dawn_source *src, uint32_t events)
{
	struct endpoint *e = (struct endpoint *)src;
	struct exchange x;

	(void)events;
	for (int i = 0; i < RECV_BATCH; i++) {
		ssize_t n = receive(e, &x);

		/* Errors are ICMP's about earlier answers: nobody's. */
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n == -1)
			continue;
		x.reply_len = 0;
		e->u->counts.datagrams++;
		if (answer_from(&x) && peer_port(&x))
			answer(e, &x, (size_t)n);
	}
}

/* --- the object ---------------------------------------------------------- */

static int ask_for_address(int fd, int family)
{
	int one = 1;
	int r = family == AF_INET
			? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one,
				     sizeof(one))
			: setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one,
				     sizeof(one));

	return r == -1 ? -errno : 0;
}

static int add_endpoint(struct dawn_udp *u, int family)
{
	struct endpoint *e = &u->endpoint[u->endpoints];
	int fd = dawn_socket_bind(family, SOCK_DGRAM, u->port);
	int err;

	if (fd < 0)
		return fd;
	*e = (struct endpoint){
		.src = { .fd = fd, .ready = endpoint_ready },
		.u = u,
	};
	err = ask_for_address(fd, family);
	if (!err)
		err = dawn_socket_tune(fd, family, SOCK_DGRAM, &u->tuning);
	if (!err)
		err = dawn_loop_add(u->loop, &e->src, EPOLLIN);
	if (err) {
		close(fd);
		return err;
	}
	u->port = (uint16_t)dawn_socket_port(fd);
	u->endpoints++;
	return 0;
}

int dawn_udp_create(struct dawn_udp **out, struct dawn_loop *loop,
		    uint16_t port, const struct dawn_socket_tuning *tuning)
{
	struct dawn_udp *u = calloc(1, sizeof(*u));
	int err4, err6;

	if (!u)
		return -ENOMEM;
	u->loop = loop;
	u->port = port;
	if (tuning)
		u->tuning = *tuning;
	u->errors.per_second = RATE_ERRORS;
	u->messages.per_second = RATE_MESSAGES;
	err4 = add_endpoint(u, AF_INET);
	err6 = err4 && err4 != -EAFNOSUPPORT ? 0 : add_endpoint(u, AF_INET6);
	if ((err4 && err4 != -EAFNOSUPPORT) ||
	    (err6 && err6 != -EAFNOSUPPORT) || !u->endpoints) {
		dawn_udp_destroy(u);
		return err4 && err4 != -EAFNOSUPPORT ? err4 : err6;
	}
	*out = u;
	return 0;
}

void dawn_udp_destroy(struct dawn_udp *u)
{
	if (!u)
		return;
	while (u->endpoints) {
		struct endpoint *e = &u->endpoint[--u->endpoints];

		dawn_loop_remove(u->loop, &e->src);
		close(e->src.fd);
	}
	free(u);
}

uint16_t dawn_udp_port(const struct dawn_udp *u)
{
	return u->port;
}

const struct dawn_udp_counts *dawn_udp_counts(const struct dawn_udp *u)
{
	return &u->counts;
}
