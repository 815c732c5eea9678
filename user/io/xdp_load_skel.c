// SPDX-License-Identifier: MIT OR Apache-2.0
/* The BPF object, built into the library. */
#include <stddef.h>

#include "dawn_xdp.skel.h" /* made by bpftool */

const void *dawn_prog_bytes(size_t *len);

const void *dawn_prog_bytes(size_t *len)
{
	return dawn_xdp__elf_bytes(len);
}
