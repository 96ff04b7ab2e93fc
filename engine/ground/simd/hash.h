/* Hash: 64 bits of any bytes, fast (XXH3: tens of bytes a nanosecond), the same on every machine
 * and in every version, so that it may be stored.
 *
 * Not for defence: who knows the seed can find collisions. Tables keyed by what strangers send use
 * base/map.h. */
#ifndef NQ_GROUND_SIMD_HASH_H
#define NQ_GROUND_SIMD_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t nq_hash64(const void *data, size_t bytes, uint64_t seed);

/* The same quality for a number, without a loop. */
static inline uint64_t nq_hash64_word(uint64_t word, uint64_t seed) {
    /* Murmur3's finalizer (A. Appleby): each bit of the word changes half of the result's. */
    word ^= seed;
    word = (word ^ (word >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    word = (word ^ (word >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return word ^ (word >> 33);
}

/* One hash of two: the order matters. */
static inline uint64_t nq_hash64_join(uint64_t left, uint64_t right) {
    return nq_hash64_word(left ^ (right + UINT64_C(0x9e3779b97f4a7c15) + (left << 6) + (left >> 2)),
                          0);
}

#endif
