/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* SipHash (Aumasson, Bernstein, 2012) over whole 64-bit words, the same code
 * in the kernel half and in user space. Words are taken in native order: both
 * halves run on one machine, nothing here goes on the wire.
 *
 * Unlike the paper's, a message here is whole words and its length is not
 * appended, so whoever hashes must make sure that no input continues another:
 * flow keys and cookies have one length, a cache key begins with its own.
 */
#ifndef DAWN_MAPS_SIPHASH_H
#define DAWN_MAPS_SIPHASH_H

#include "abi.h"

struct dawn_sipkey {
	__u64 k[2];
};

struct dawn_sipstate {
	__u64 v0, v1, v2, v3;
};

#define DAWN_ROTL64(x, n) (((x) << (n)) | ((x) >> (64 - (n))))

static __always_inline void dawn_sipround(struct dawn_sipstate *s)
{
	s->v0 += s->v1;
	s->v1 = DAWN_ROTL64(s->v1, 13) ^ s->v0;
	s->v0 = DAWN_ROTL64(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = DAWN_ROTL64(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = DAWN_ROTL64(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = DAWN_ROTL64(s->v1, 17) ^ s->v2;
	s->v2 = DAWN_ROTL64(s->v2, 32);
}

static __always_inline void dawn_sip_init(struct dawn_sipstate *s,
					  const struct dawn_sipkey *key)
{
	s->v0 = key->k[0] ^ 0x736f6d6570736575ULL;
	s->v1 = key->k[1] ^ 0x646f72616e646f6dULL;
	s->v2 = key->k[0] ^ 0x6c7967656e657261ULL;
	s->v3 = key->k[1] ^ 0x7465646279746573ULL;
}

/* SipHash-2-x: absorb one word. */
static __always_inline void dawn_sip_add(struct dawn_sipstate *s, __u64 word)
{
	s->v3 ^= word;
	dawn_sipround(s);
	dawn_sipround(s);
	s->v0 ^= word;
}

/* SipHash-1-x: absorb one word; for tables, where a keyed spread is enough. */
static __always_inline void dawn_sip1_add(struct dawn_sipstate *s, __u64 word)
{
	s->v3 ^= word;
	dawn_sipround(s);
	s->v0 ^= word;
}

static __always_inline __u64 dawn_sip_end(struct dawn_sipstate *s, int rounds)
{
	s->v2 ^= 0xff;
	for (int i = 0; i < rounds; i++)
		dawn_sipround(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#endif
