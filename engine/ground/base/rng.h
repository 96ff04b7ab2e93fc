/* Rng: a seeded, reproducible stream of numbers (splitmix64, Steele et al., OOPSLA 2014). For
 * tests, simulation and sampling; never for secrets. */
#ifndef NQ_GROUND_BASE_RNG_H
#define NQ_GROUND_BASE_RNG_H

#include <stdint.h>

__extension__ typedef unsigned __int128 nq_uint128;

typedef struct nq_rng {
    uint64_t state;
} nq_rng;

static inline uint64_t nq_rng_next(nq_rng *rng) {
    uint64_t z = (rng->state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/* Uniform in [0, bound); bound > 0. The bias is below bound / 2^64. */
static inline uint64_t nq_rng_below(nq_rng *rng, uint64_t bound) {
    return (uint64_t)(((nq_uint128)nq_rng_next(rng) * bound) >> 64);
}

/* Uniform in [0, 1). */
static inline double nq_rng_unit(nq_rng *rng) {
    return (double)(nq_rng_next(rng) >> 11) * 0x1.0p-53;
}

#endif
