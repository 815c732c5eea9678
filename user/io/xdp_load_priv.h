/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Shared by the parts of xdp_load only. */
#ifndef DAWN_IO_XDP_LOAD_PRIV_H
#define DAWN_IO_XDP_LOAD_PRIV_H

#include <bpf/libbpf.h>
#include <stddef.h>
#include <sys/types.h>

#include "user/io/netif.h"
#include "user/io/xdp_load.h"
#include "user/io/xdp_load_record.h"

#define DAWN_BPFFS       "/sys/fs/bpf"
#define DAWN_PROG_NAME   "dawn_xdp"
#define DAWN_EGRESS_NAME "dawn_segment"
#define DAWN_RECORD_NAME "record"

/* Fill e and hand err on. */
int dawn_error_set(struct dawn_error *e, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- xdp_load_pins.c ---- */

/* The pin directory of an interface of this namespace. */
void dawn_pins_dir(const char *ifname, char *out, size_t size);
/* Make sure bpffs is mounted and the root is there, and lock it against other
 * loaders. Return: an fd to close, or negative errno with e filled. */
int dawn_pins_lock(struct dawn_error *e);
/* As above, without mounting or making anything: -ENOENT if not there. */
int dawn_pins_lock_existing(struct dawn_error *e);
/* Unlink everything in the directory, and it. Return: -ENOENT: is not there. */
int dawn_pins_remove(const char *dir);
/* fd of a pinned object, or negative errno. */
int dawn_pins_get(const char *dir, const char *name);
/* Is the program with that id ours: pinned there, or using a map that is? */
bool dawn_pins_own_program(const char *dir, uint32_t prog_id);

/* ---- xdp_load_maps.c ---- */

/* Open the pinned maps of x->pin_dir, check their layout, mmap. */
int dawn_maps_open(struct dawn_xdp *x, struct dawn_error *e);
void dawn_maps_close(struct dawn_xdp *x);
/* mmap all elements of an array. Return: NULL: failed, errno is set. */
void *dawn_map_mmap(int fd);
void dawn_map_munmap(void *at, int fd);

/* ---- xdp_load_prog.c ---- */

/* The object file, as built in. (A file of its own: the skeleton's type has
 * the name of ours.) */
const void *dawn_prog_bytes(size_t *len);

/* Load the programs with sizes and config as the options say, and pin all. */
int dawn_prog_load(struct dawn_xdp *x, const struct dawn_xdp_options *o,
		   const struct dawn_if *i, struct dawn_error *e);
/* Make the record, pinned; x->record is mmapped. */
int dawn_prog_record(struct dawn_xdp *x, const struct dawn_xdp_options *o,
		     struct dawn_error *e);
/* Put the egress program into the DEVMAPs (native), or empty them. */
int dawn_prog_segments(struct dawn_xdp *x, bool native, struct dawn_error *e);
/* What libbpf said last (the kernel's own words); "" if nothing. */
const char *dawn_prog_said(void);
void dawn_prog_said_clear(void);

/* Above this MTU the programs are loaded for frames of several buffers: with a
 * page a frame, drivers take between 3,000 and 3,500 bytes without. */
#define DAWN_PLAIN_MTU_MAX 3000

/* ---- xdp_load_prep.c ---- */

/* Make the interface fit for the mode; what was turned goes to x->record. */
int dawn_prep(struct dawn_xdp *x, const struct dawn_if *i,
	      enum dawn_xdp_mode mode, bool assume_no_vlan,
	      struct dawn_error *e);
/* Turn back what the record names. Return: 0, or what failed last. */
int dawn_prep_undo(struct dawn_load_record *r, const char *ifname,
		   unsigned int ifindex);

#endif
