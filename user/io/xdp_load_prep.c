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
 *   runs NAPI. GRO on does that, and is less than putting a program there.
 * - Generic XDP runs behind GRO and sees merged packets up to 64 kB, which fit
 *   no AF_XDP frame: GRO and LRO off, and on a veth segmentation off at the
 *   peer, whose TCP sends such packets too. (In native mode the kernel does
 *   the latter by itself.)
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/io/xdp_load_priv.h"

#define F(name) (1U << DAWN_FEATURE_##name)

#define RX_VLAN  (F(RX_VLAN) | F(RX_VLAN_STAG))
#define TX_VLAN  (F(TX_VLAN) | F(TX_VLAN_STAG))
#define SEGMENTS (F(TSO) | F(TSO_ECN) | F(TSO_MANGLEID) | F(TSO6) | F(UDP_GSO))

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

static int prep_peer(struct dawn_xdp *x, struct dawn_peer *peer,
		     enum dawn_xdp_mode mode, struct dawn_error *e)
{
	bool native = mode == DAWN_XDP_NATIVE;
	struct turn t = { peer->name, TX_VLAN | (native ? F(GRO) : SEGMENTS),
			  native ? F(GRO) : 0, &x->record->peer };
	int err;

	x->record->peer_netns_inode = peer->netns_inode;
	x->record->peer_ifindex = peer->ifindex;
	err = dawn_netns_call(peer->netns_fd, turn_here, &t);
	if (err)
		return dawn_error_set(
			e, err,
			"cannot set offloads of %s, the other end "
			"of veth %s (VLAN insertion off%s): %s",
			peer->name, x->ifname,
			native ? ", GRO on" : ", segmentation off",
			strerror(-err));
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
		"process's): run there `ethtool -K PEER txvlan off gro on`, "
		"then load with --assume-no-vlan",
		i->name);
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

static int undo_peer(struct dawn_load_record *r)
{
	struct dawn_peer peer;
	struct turn t = { .record = &r->peer };
	int err = dawn_peer_refind(r->peer_netns_inode, r->peer_ifindex, &peer);

	/* A peer that is gone needs nothing. */
	if (err)
		return 0;
	t.ifname = peer.name;
	err = dawn_netns_call(peer.netns_fd, restore_here, &t);
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
	if (r->peer_ifindex && r->peer.mask)
		err2 = undo_peer(r);
	memset(&r->own, 0, sizeof(r->own));
	memset(&r->peer, 0, sizeof(r->peer));
	r->peer_ifindex = 0;
	return err2 ? err2 : err;
}
