/* Hash: XXH3 of libxxhash, which chooses its own kernels for the baseline it was built for. */
#include "engine/ground/simd/hash.h"

#include <xxhash.h>

uint64_t nq_hash64(const void *data, size_t bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(data, bytes, seed);
}
