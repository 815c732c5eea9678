// SPDX-License-Identifier: MIT OR Apache-2.0
#include "user/io/socket.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel caps it at net.core.somaxconn */

static socklen_t wildcard(struct sockaddr_storage *ss, int family,
			  uint16_t port)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		in4->sin_port = htons(port);
		return sizeof(*in4);
	}
	in6->sin6_addr = in6addr_any;
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

static int bind_socket(int fd, int family, int type, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = wildcard(&ss, family, port);
	int one = 1;

	/* On UDP it would let two daemons share a port. */
	if (type == SOCK_STREAM &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1)
		return -errno;
	if (family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == -1)
		return -errno;
	if (bind(fd, (struct sockaddr *)&ss, len) == -1)
		return errno == EADDRNOTAVAIL ? -EAFNOSUPPORT : -errno;
	if (type == SOCK_STREAM && listen(fd, BACKLOG) == -1)
		return -errno;
	return 0;
}

int dawn_socket_bind(int family, int type, uint16_t port)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd == -1)
		return -errno;
	err = bind_socket(fd, family, type, port);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* 0 is not set. */
static int set(int fd, int level, int name, uint32_t value)
{
	int v = (int)value;

	if (v && setsockopt(fd, level, name, &v, sizeof(v)) == -1)
		return -errno;
	return 0;
}

static int tune_tcp(int fd, const struct dawn_socket_tuning *t)
{
	int err = set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, t->user_timeout_ms);

	if (err || !t->keepalive_s)
		return err;
	err = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, t->keepalive_s);
	if (!err)
		err = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, t->keepalive_gap_s);
	if (!err)
		err = set(fd, IPPROTO_TCP, TCP_KEEPCNT, t->keepalive_max);
	if (!err)
		err = set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	return err;
}

int dawn_socket_tune(int fd, int family, int type,
		     const struct dawn_socket_tuning *t)
{
	bool v4 = family == AF_INET;
	int err = v4 ? set(fd, IPPROTO_IP, IP_TTL, t->ttl)
		     : set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, t->ttl);

	if (!err)
		err = v4 ? set(fd, IPPROTO_IP, IP_TOS, t->dscp << 2)
			 : set(fd, IPPROTO_IPV6, IPV6_TCLASS, t->dscp << 2);
	if (!err && type == SOCK_STREAM)
		err = tune_tcp(fd, t);
	return err;
}

int dawn_socket_port(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	struct dawn_addr addr;
	uint16_t port;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return -errno;
	dawn_socket_address(&ss, &addr, &port);
	return port;
}

void dawn_socket_address(const struct sockaddr_storage *ss,
			 struct dawn_addr *addr, uint16_t *port)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

	memset(addr, 0, sizeof(*addr));
	*port = 0;
	if (ss->ss_family == AF_INET) {
		dawn_addr_from_v4(addr, in4->sin_addr.s_addr);
		*port = ntohs(in4->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		memcpy(addr->b, &in6->sin6_addr, sizeof(addr->b));
		*port = ntohs(in6->sin6_port);
	}
}

/* --- who has the port ---------------------------------------------------- */

struct owner {
	unsigned long inode;
	unsigned int uid;
};

/* One line of /proc/net/{tcp,udp}{,6}, by blanks: number, local and remote
 * address:port in hex, state in hex, queues, timer, retransmits, uid, timeout,
 * inode. */
enum {
	FIELD_LOCAL = 1,
	FIELD_STATE = 3,
	FIELD_UID = 7,
	FIELD_INODE = 9,
	FIELDS
};

static bool line_matches(char *line, bool tcp, uint16_t port, struct owner *o)
{
	char *field[FIELDS], *save, *colon;

	for (int i = 0; i < FIELDS; i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return false;
	}
	colon = strchr(field[FIELD_LOCAL], ':');
	if (!colon || strtoul(colon + 1, NULL, 16) != port)
		return false;
	/* 0x0a: TCP_LISTEN of the kernel's tcp_states.h */
	if (tcp && strtoul(field[FIELD_STATE], NULL, 16) != 0x0a)
		return false;
	o->uid = (unsigned int)strtoul(field[FIELD_UID], NULL, 10);
	o->inode = strtoul(field[FIELD_INODE], NULL, 10);
	return true;
}

static bool search_table(const char *path, bool tcp, uint16_t port,
			 struct owner *o)
{
	FILE *f = fopen(path, "re");
	char line[512];
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = line_matches(line, tcp, port, o);
	fclose(f);
	return found;
}

static bool has_socket(const char *pid, unsigned long inode)
{
	char path[300], want[64], link[64];
	struct dirent *d;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	snprintf(want, sizeof(want), "socket:[%lu]", inode);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (d = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, link,
				       sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		found = !strcmp(link, want);
	}
	closedir(dir);
	return found;
}

static void read_comm(const char *pid, char *comm, size_t size)
{
	char path[300];
	FILE *f;

	snprintf(comm, size, "?");
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(comm, (int)size, f))
		comm[strcspn(comm, "\n")] = '\0';
	fclose(f);
}

static bool find_process(unsigned long inode, char *text, size_t size)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	char comm[64];
	bool found = false;

	if (!proc)
		return false;
	while (!found && (d = readdir(proc))) {
		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		found = has_socket(d->d_name, inode);
		if (!found)
			continue;
		read_comm(d->d_name, comm, sizeof(comm));
		snprintf(text, size, "pid %s (%s)", d->d_name, comm);
	}
	closedir(proc);
	return found;
}

void dawn_port_owner(int type, uint16_t port, char *text, size_t size)
{
	bool tcp = type == SOCK_STREAM;
	struct owner o;

	if (!search_table(tcp ? "/proc/net/tcp" : "/proc/net/udp", tcp, port,
			  &o) &&
	    !search_table(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", tcp, port,
			  &o)) {
		snprintf(text, size, "a socket that /proc does not show");
		return;
	}
	if (!find_process(o.inode, text, size))
		snprintf(text, size, "a process of user id %u", o.uid);
}
