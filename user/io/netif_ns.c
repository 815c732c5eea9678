// SPDX-License-Identifier: MIT OR Apache-2.0
/* Network namespaces, and the other end of a veth.
 *
 * Theory of operation: rtnetlink says of a veth which ifindex its peer has and
 * by which number (nsid) *our* namespace knows the peer's. There is no call to
 * open a namespace by its nsid, so every namespace in reach is asked for its
 * nsid until one matches: our own, those with a name, those of processes. What
 * is found is checked: it must be a veth that names us as its peer.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/io/netif.h"
#include "user/io/netif_nl.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* Inode of the initial network namespace, fixed since Linux 6.18
 * (include/uapi/linux/nsfs.h). Older kernels number from 0xf0000000 up. */
#define NETNS_INITIAL_INODE 0xeffffff9U

uint64_t dawn_netns_inode(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) ? 0 : st.st_ino;
}

bool dawn_netns_is_initial(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd == -1)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		cookie = 0;
	close(fd);
	/* Before 6.18 cookies number network namespaces only, and the initial
	 * one is made first; since then they number all kinds. */
	return cookie == 1 || dawn_netns_inode() == NETNS_INITIAL_INODE;
}

/* ---- a call in another namespace ---- */

struct call {
	int netns_fd;
	int (*fn)(void *arg);
	void *arg;
	int result;
};

static void *call_thread(void *p)
{
	struct call *c = p;

	if (setns(c->netns_fd, CLONE_NEWNET))
		c->result = -errno;
	else
		c->result = c->fn(c->arg);
	return NULL;
}

int dawn_netns_call(int netns_fd, int (*fn)(void *arg), void *arg)
{
	struct call c = { netns_fd, fn, arg, 0 };
	pthread_t thread;
	int err = pthread_create(&thread, NULL, call_thread, &c);

	if (err)
		return -err;
	pthread_join(thread, NULL);
	return c.result;
}

/* ---- search ---- */

#define SEEN_MAX 1024

struct search {
	/* Is it this one? Return: 0: yes. */
	int (*try)(struct search *s, int fd, uint64_t inode);
	const struct dawn_if *of; /* whose peer */
	uint64_t inode;           /* or: of this namespace ... */
	unsigned int ifindex;     /* ... this interface */
	struct dawn_peer *peer;
	uint64_t seen[SEEN_MAX];
	size_t seen_count;
};

/* Processes share namespaces: ask each only once. */
static bool seen_before(struct search *s, uint64_t inode)
{
	for (size_t i = 0; i < s->seen_count; i++) {
		if (s->seen[i] == inode)
			return true;
	}
	if (s->seen_count < SEEN_MAX)
		s->seen[s->seen_count++] = inode;
	return false;
}

static int try_path(struct search *s, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd == -1)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    !seen_before(s, st.st_ino) && !s->try(s, fd, st.st_ino)) {
		s->peer->netns_fd = fd;
		s->peer->netns_inode = st.st_ino;
		return 0;
	}
	close(fd);
	return -ENOENT;
}

static int try_dir(struct search *s, const char *dir, const char *below)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int err = -ENOENT;

	while (d && err && (de = readdir(d))) {
		char path[512];

		if (de->d_name[0] == '.')
			continue;
		if (*below && (de->d_name[0] < '0' || de->d_name[0] > '9'))
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", dir, de->d_name, below);
		err = try_path(s, path);
	}
	if (d)
		closedir(d);
	return err ? -ENOENT : 0;
}

static int search_all(struct search *s)
{
	s->peer->netns_fd = -1;
	if (!try_path(s, "/proc/thread-self/ns/net") ||
	    !try_dir(s, "/run/netns", "") ||
	    !try_dir(s, "/run/docker/netns", "") ||
	    !try_dir(s, "/proc", "/ns/net"))
		return 0;
	return -ENOENT;
}

static int take_nsid(const struct nlmsghdr *h, void *arg)
{
	const struct rtattr *a, *at;
	size_t len;

	at = dawn_nl_attrs(h, sizeof(struct rtgenmsg), &len);
	a = dawn_nl_find(at, len, NETNSA_NSID);
	if (a)
		*(int *)arg = (int)dawn_nl_u32(a);
	return 0;
}

/* The number by which our namespace knows that one; -1: not at all. */
static int nsid_of(int fd)
{
	struct dawn_nl_request r;
	struct rtgenmsg *gen;
	uint32_t value = (uint32_t)fd;
	int nsid = -1;

	gen = dawn_nl_init(&r, RTM_GETNSID, 0, sizeof(*gen));
	gen->rtgen_family = AF_UNSPEC;
	dawn_nl_put(&r, NETNSA_FD, &value, sizeof(value));
	if (dawn_nl_ask(NETLINK_ROUTE, &r, take_nsid, &nsid))
		return -1;
	return nsid;
}

struct look {
	unsigned int ifindex;
	struct dawn_if found;
};

static int look_at(void *arg)
{
	struct look *l = arg;

	return dawn_if_get(&l->found, l->ifindex);
}

static int accept_peer(struct search *s, int fd, unsigned int ifindex)
{
	struct look l = { .ifindex = ifindex };
	int err = dawn_netns_call(fd, look_at, &l);

	if (err)
		return err;
	if (strcmp(l.found.kind, "veth") ||
	    (s->of && l.found.peer != s->of->ifindex))
		return -ENOENT;
	s->peer->ifindex = ifindex;
	memcpy(s->peer->name, l.found.name, sizeof(s->peer->name));
	return 0;
}

static int try_peer(struct search *s, int fd, uint64_t inode)
{
	if (s->of->peer_nsid < 0) {
		if (inode != dawn_netns_inode())
			return -ENOENT;
	} else if (nsid_of(fd) != s->of->peer_nsid) {
		return -ENOENT;
	}
	return accept_peer(s, fd, s->of->peer);
}

static int try_inode(struct search *s, int fd, uint64_t inode)
{
	if (inode != s->inode)
		return -ENOENT;
	return accept_peer(s, fd, s->ifindex);
}

static int run_search(const struct search *what, struct dawn_peer *peer)
{
	struct search *s = malloc(sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	*s = *what;
	s->peer = peer;
	err = search_all(s);
	free(s);
	return err;
}

int dawn_peer_find(const struct dawn_if *i, struct dawn_peer *peer)
{
	struct search s = { .try = try_peer, .of = i };

	peer->netns_fd = -1;
	return i->peer ? run_search(&s, peer) : -ENOENT;
}

int dawn_peer_refind(uint64_t netns_inode, unsigned int ifindex,
		     struct dawn_peer *peer)
{
	struct search s = { .try = try_inode,
			    .inode = netns_inode,
			    .ifindex = ifindex };

	return run_search(&s, peer);
}

void dawn_peer_close(struct dawn_peer *peer)
{
	if (peer->netns_fd != -1)
		close(peer->netns_fd);
	peer->netns_fd = -1;
}
