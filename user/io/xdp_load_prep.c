// SPDX-License-Identifier: MIT OR Apache-2.0
/* Making an interface fit for XDP, and back.
 *
 * What is turned, and why (measured on veth, Linux 6.1 and 6.18):
 *
 * - VLAN tags that hardware strips (or, on a veth, that the sending end never
 *   writes into the frame) are invisible to XDP, and its answers would leave
 *   untagged, into another VLAN. So: rx stripping off; on a veth, tx insertion
 *   off at the peer.
 * - Frames that native XDP sends on a veth arrive only if the receiving end
 *   has an XDP program. GRO there, which turns NAPI on too, is not enough: of
 *   100 echo replies by XDP_TX none came, on either kernel. So a program that
 *   passes everything goes to the peer, if it has none. It is loaded without
 *   frags support first: that makes the kernel turn segmentation off at our
 *   end, the path most used; only a large MTU needs the other.
 * - Generic XDP runs behind GRO and sees merged packets up to 64 kB, which fit
 *   no AF_XDP frame: GRO and LRO off, and on a veth segmentation off at the
 *   peer, whose TCP sends such packets too. (In native mode the kernel does
 *   the latter by itself, unless the program takes frames of several buffers,
 *   as it does for a large MTU.)
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/io/xdp_load_priv.h"

#define F(name) (1U << DAWN_FEATURE_##name)

#define RX_VLAN (F(RX_VLAN) | F(RX_VLAN_STAG))
#define TX_VLAN (F(TX_VLAN) | F(TX_VLAN_STAG))
#define SEGMENTS                                                        \
	(F(TSO) | F(TSO_ECN) | F(TSO_MANGLEID) | F(TSO6) | F(UDP_GSO) | \
	 F(TSO_ACCECN))

/* Turn features of one interface in the calling thread's namespace, writing
 * into the record first. */
struct turn {
	const char *ifname;
	uint32_t mask, on;
	struct dawn_turned *record;
};

static int turn_here(void *arg)
{
	const struct turn *t = arg;
	uint32_t now, want;
	int err = dawn_if_features(t->ifname, &now);

	/* No ethtool at all: no offloads that could be in the way. */
	if (err == -EOPNOTSUPP)
		return 0;
	if (err)
		return err;
	want = (now ^ t->on) & t->mask;
	/* What an earlier try turned keeps the value it had before that. */
	t->record->before = (t->record->before & t->record->mask) |
			    (now & want & ~t->record->mask);
	t->record->mask |= want;
	return want ? dawn_if_set_features(t->ifname, want, t->on, NULL) : 0;
}

static int restore_here(void *arg)
{
	const struct turn *t = arg;
	uint32_t now, mask;
	int err = dawn_if_features(t->ifname, &now);

	if (err)
		return err;
	/* What somebody turned since is theirs: it stands as it was already. */
	mask = (now ^ t->record->before) & t->record->mask;
	return dawn_if_set_features(t->ifname, mask, t->record->before, NULL);
}

/* ---- the interface itself ---- */

static int prep_own(struct dawn_xdp *x, const struct dawn_if *i,
		    enum dawn_xdp_mode mode, bool assume_no_vlan,
		    struct dawn_error *e)
{
	struct turn vlan = { i->name, RX_VLAN, 0, &x->record->own };
	struct turn merge = { i->name, F(LRO) | F(GRO_HW), 0, &x->record->own };
	int err;

	if (mode == DAWN_XDP_GENERIC)
		merge.mask |= F(GRO);
	err = turn_here(&merge);
	if (err)
		return dawn_error_set(e, err,
				      "cannot turn receive offloads (GRO, LRO) "
				      "off on %s: %s",
				      i->name, strerror(-err));
	if (!strcmp(i->kind, "veth")) /* strips nothing; see the peer */
		return 0;
	err = turn_here(&vlan);
	if (err && !assume_no_vlan)
		return dawn_error_set(
			e, err,
			"cannot turn VLAN stripping off on %s "
			"(%s): XDP would not see tags and answer "
			"into the wrong VLAN; if no tagged frames "
			"arrive there: --assume-no-vlan",
			i->name, strerror(-err));
	return 0;
}

/* ---- a veth's other end ---- */

/* A program that passes everything. Return: its fd or negative errno. */
static int load_pass(uint32_t flags, uint32_t *id)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = flags);
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "dawn_peer", "GPL", insns,
			       sizeof(insns) / sizeof(insns[0]), &opts);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
		*id = info.id;
	return fd;
}

struct peer_work {
	unsigned int ifindex;
	struct dawn_load_record *record;
	struct turn turn;
	bool wants_program;
};

static int attach_pass(struct peer_work *w, uint32_t prog_flags)
{
	int fd = load_pass(prog_flags, &w->record->peer_prog_id), err;

	if (fd < 0)
		return fd;
	err = bpf_xdp_attach((int)w->ifindex, fd,
			     XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST,
			     NULL);
	close(fd);
	if (err)
		w->record->peer_prog_id = 0;
	return err;
}

static int prep_peer_here(void *arg)
{
	struct peer_work *w = arg;
	struct dawn_if peer;
	int err = turn_here(&w->turn);

	if (err || !w->wants_program)
		return err;
	err = dawn_if_get(&peer, w->ifindex);
	/* One of its own does as well: any verdict comes with NAPI. */
	if (err || peer.xdp_driver_id)
		return err;
	err = attach_pass(w, 0);
	if (err && err != -EBUSY && err != -EEXIST)
		err = attach_pass(w, BPF_F_XDP_HAS_FRAGS);
	return err;
}

static int prep_peer(struct dawn_xdp *x, struct dawn_peer *peer,
		     enum dawn_xdp_mode mode, struct dawn_error *e)
{
	bool native = mode == DAWN_XDP_NATIVE;
	struct peer_work w = {
		.ifindex = peer->ifindex,
		.record = x->record,
		/* A plain native program makes the kernel turn them off. */
		.turn = { peer->name,
			  TX_VLAN | (native && !x->frags ? 0 : SEGMENTS), 0,
			  &x->record->peer },
		.wants_program = native,
	};
	int err;

	x->record->peer_netns_inode = peer->netns_inode;
	x->record->peer_ifindex = peer->ifindex;
	dawn_prog_said_clear();
	err = dawn_netns_call(peer->netns_fd, prep_peer_here, &w);
	if (err)
		return dawn_error_set(
			e, err,
			"cannot make %s, the other end of veth %s, fit for "
			"%s mode: %s",
			peer->name, x->ifname, native ? "native" : "generic",
			dawn_prog_said()[0] ? dawn_prog_said()
					    : strerror(-err));
	return 0;
}

static int prep_veth(struct dawn_xdp *x, const struct dawn_if *i,
		     enum dawn_xdp_mode mode, bool assume_no_vlan,
		     struct dawn_error *e)
{
	struct dawn_peer peer;
	int err = dawn_peer_find(i, &peer);

	if (!err) {
		err = prep_peer(x, &peer, mode, e);
		dawn_peer_close(&peer);
		return err;
	}
	if (assume_no_vlan)
		return 0;
	return dawn_error_set(
		e, -EHOSTUNREACH,
		"the other end of veth %s is in a network namespace that "
		"cannot be reached from here (neither in /run/netns nor any "
		"process's; that needs CAP_SYS_ADMIN): run there `ethtool -K PEER txvlan off`%s, then "
		"load with --assume-no-vlan",
		i->name,
		mode == DAWN_XDP_NATIVE
			? " and put an XDP program on it (or answers from native "
			  "mode never arrive; else --mode generic)"
			: "");
}

int dawn_prep(struct dawn_xdp *x, const struct dawn_if *i,
	      enum dawn_xdp_mode mode, bool assume_no_vlan,
	      struct dawn_error *e)
{
	int err = prep_own(x, i, mode, assume_no_vlan, e);

	if (!err && !strcmp(i->kind, "veth"))
		err = prep_veth(x, i, mode, assume_no_vlan, e);
	return err;
}

static int detach_pass(const struct peer_work *w)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	struct dawn_if peer;
	int err = dawn_if_get(&peer, w->ifindex);

	/* Replaced meanwhile: then it is not ours to take off. */
	if (err || !w->record->peer_prog_id ||
	    peer.xdp_driver_id != w->record->peer_prog_id)
		return err;
	opts.old_prog_fd = bpf_prog_get_fd_by_id(w->record->peer_prog_id);
	if (opts.old_prog_fd < 0)
		return opts.old_prog_fd;
	err = bpf_xdp_detach((int)w->ifindex, XDP_FLAGS_DRV_MODE, &opts);
	close(opts.old_prog_fd);
	return err;
}

static int undo_peer_here(void *arg)
{
	const struct peer_work *w = arg;
	int err = detach_pass(w), err2 = 0;

	if (w->record->peer.mask)
		err2 = restore_here((void *)&w->turn);
	return err ? err : err2;
}

static int undo_peer(struct dawn_load_record *r)
{
	struct dawn_peer peer;
	struct peer_work w = { .record = r, .turn.record = &r->peer };
	int err = dawn_peer_refind(r->peer_netns_inode, r->peer_ifindex, &peer);

	/* A peer that is gone needs nothing. */
	if (err)
		return 0;
	w.ifindex = peer.ifindex;
	w.turn.ifname = peer.name;
	err = dawn_netns_call(peer.netns_fd, undo_peer_here, &w);
	dawn_peer_close(&peer);
	return err;
}

int dawn_prep_undo(struct dawn_load_record *r, const char *ifname,
		   unsigned int ifindex)
{
	struct turn t = { .ifname = ifname, .record = &r->own };
	int err = 0, err2 = 0;

	/* Another number: an interface of that name made since. */
	if (r->own.mask && ifindex && r->ifindex == ifindex)
		err = restore_here(&t);
	if (r->peer_ifindex && (r->peer.mask || r->peer_prog_id))
		err2 = undo_peer(r);
	memset(&r->own, 0, sizeof(r->own));
	memset(&r->peer, 0, sizeof(r->peer));
	r->peer_ifindex = 0;
	r->peer_prog_id = 0;
	return err2 ? err2 : err;
}
