/* Entropy: getrandom(2). */
#define _GNU_SOURCE
#include "engine/ground/os/entropy.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/random.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/rng.h"

void nq_entropy_fill(void *target, size_t bytes) {
    uint8_t *at = target;
    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);
        NQ_ASSERT(got > 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            bytes -= (size_t)got;
        }
    }
}

uint64_t nq_entropy_u64(void) {
    uint64_t value;
    nq_entropy_fill(&value, sizeof(value));
    return value;
}

uint64_t nq_entropy_seed(void) {
    static _Thread_local nq_rng rng;
    static _Thread_local bool is_seeded;
    if (!is_seeded) {
        rng.state = nq_entropy_u64();
        is_seeded = true;
    }
    return nq_rng_next(&rng);
}
