/* Counters: the blocks, who owns which, and the sums.
 *
 * Block 0 is the shared one. `owned` has a bit for each other block; taking one with acquire after
 * the last owner's release makes its plain stores visible to the next owner. */
#include "engine/ground/obs/counter.h"

#include <string.h>

_Static_assert(NQ_OBS_BLOCKS == 64, "one word says which blocks have an owner");

enum { HISTOGRAM_SHARDS = 4 };

/* The process's own histograms are written by every thread, spread over a few copies. */
typedef struct shared_histogram {
    _Alignas(128) _Atomic uint64_t sum;
    _Atomic uint64_t buckets[NQ_HISTOGRAM_BUCKETS];
} shared_histogram;

_Thread_local nq_counter_block *nq__counter_block;

static nq_counter_block blocks[NQ_OBS_BLOCKS] = {[0] = {.is_shared = 1}};
static _Atomic uint64_t owned = 1;
static _Atomic int64_t gauges[NQ_GAUGE_COUNT];
static shared_histogram histograms[NQ_HISTOGRAM_COUNT][HISTOGRAM_SHARDS];

nq_counter_block *nq__counter_block_acquire(void) {
    uint64_t seen = atomic_load_explicit(&owned, memory_order_relaxed);
    while (seen != UINT64_MAX) {
        uint32_t index = (uint32_t)__builtin_ctzll(~seen);
        if (atomic_compare_exchange_weak_explicit(&owned, &seen, seen | UINT64_C(1) << index,
                                                  memory_order_acquire, memory_order_relaxed)) {
            nq__counter_block = &blocks[index];
            return nq__counter_block;
        }
    }
    nq__counter_block = &blocks[0];
    return nq__counter_block;
}

void nq_counter_thread_end(void) {
    nq_counter_block *block = nq__counter_block;
    nq__counter_block = NULL;
    if (block != NULL && block != &blocks[0]) {
        uint32_t index = (uint32_t)(block - blocks);
        atomic_fetch_and_explicit(&owned, ~(UINT64_C(1) << index), memory_order_release);
    }
}

uint64_t nq_counter_read(nq_counter counter) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < NQ_OBS_BLOCKS; i++) {
        sum += atomic_load_explicit(&blocks[i].counters[counter], memory_order_relaxed);
    }
    return sum;
}

void nq_gauge_add(nq_gauge gauge, int64_t amount) {
    atomic_fetch_add_explicit(&gauges[gauge], amount, memory_order_relaxed);
}

void nq_gauge_set(nq_gauge gauge, int64_t value) {
    atomic_store_explicit(&gauges[gauge], value, memory_order_relaxed);
}

int64_t nq_gauge_read(nq_gauge gauge) {
    return atomic_load_explicit(&gauges[gauge], memory_order_relaxed);
}

void nq_histogram_observe(nq_histogram_id histogram, uint64_t value) {
    nq_counter_block *block =
        nq__counter_block != NULL ? nq__counter_block : nq__counter_block_acquire();
    shared_histogram *shard = &histograms[histogram][(size_t)(block - blocks) % HISTOGRAM_SHARDS];
    atomic_fetch_add_explicit(&shard->sum, value, memory_order_relaxed);
    atomic_fetch_add_explicit(&shard->buckets[nq_histogram_bucket(value)], 1, memory_order_relaxed);
}

void nq_histogram_read(nq_histogram_id histogram, nq_histogram *out_histogram) {
    nq_histogram_init(out_histogram);
    for (uint32_t i = 0; i < HISTOGRAM_SHARDS; i++) {
        shared_histogram *shard = &histograms[histogram][i];
        out_histogram->sum += atomic_load_explicit(&shard->sum, memory_order_relaxed);
        for (uint32_t bucket = 0; bucket < NQ_HISTOGRAM_BUCKETS; bucket++) {
            /* The count is the buckets' sum, so that the two agree whatever happens meanwhile. */
            uint64_t count = atomic_load_explicit(&shard->buckets[bucket], memory_order_relaxed);
            out_histogram->buckets[bucket] += count;
            out_histogram->count += count;
        }
    }
}
