/* Simulate: how often a cache of `capacity` slots has what a trace asks for. */
#ifndef NQ_TESTS_STORAGE_CACHE_SIMULATE_H
#define NQ_TESTS_STORAGE_CACHE_SIMULATE_H

#include "engine/storage/cache/cache.h"
#include "tests/engine/storage/cache/trace.h"

/* Hits of one of the product's policies. */
uint64_t simulate(nq_cache_policy policy, const trace *t, uint32_t capacity);

/* The same, telling which requests hit; `out_hits` has room for all. */
void simulate_each(nq_cache_policy policy, const trace *t, uint32_t capacity, bool *out_hits);

/* Policies that the product does without, for comparison: hits. */
uint64_t simulate_arc(const trace *t, uint32_t capacity);
uint64_t simulate_2q(const trace *t, uint32_t capacity);
/* Belady's: the best that is possible, which knows the future. */
uint64_t simulate_min(const trace *t, uint32_t capacity);

static inline double simulate_percent(uint64_t hits, const trace *t) {
    return 100.0 * (double)hits / (double)t->count;
}

#endif
