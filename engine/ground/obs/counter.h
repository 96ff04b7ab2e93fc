/* Counters, gauges and histograms of the process, by the ids of metrics.def.
 *
 * Counting is for hot paths: each thread has a block of its own and adds to it with a plain load
 * and store, no locked instruction and no shared cache line (about a nanosecond); reading sums the
 * blocks. Threads beyond NQ_OBS_BLOCKS - 1 share one block and add atomically. A block outlives its
 * thread and is handed to the next, so nothing counted is ever lost.
 *
 * Reading while others count gives each number as it was at some moment during the reading. */
#ifndef NQ_GROUND_OBS_COUNTER_H
#define NQ_GROUND_OBS_COUNTER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/ground/obs/histogram.h"

typedef enum nq_counter {
#define NQ_COUNTER(id, name, labels, unit, help) NQ_COUNTER_##id,
#include "engine/ground/obs/metrics.def"
    NQ_COUNTER_COUNT
} nq_counter;

typedef enum nq_gauge {
#define NQ_GAUGE(id, name, labels, unit, help) NQ_GAUGE_##id,
#include "engine/ground/obs/metrics.def"
    NQ_GAUGE_COUNT
} nq_gauge;

typedef enum nq_histogram_id {
#define NQ_HISTOGRAM(id, name, labels, unit, help) NQ_HISTOGRAM_##id,
#include "engine/ground/obs/metrics.def"
    NQ_HISTOGRAM_COUNT
} nq_histogram_id;

enum { NQ_OBS_BLOCKS = 64 };

/* One thread's part of every counter; padded, so that two never share a cache line. */
typedef struct nq_counter_block {
    _Alignas(128) _Atomic uint64_t counters[NQ_COUNTER_COUNT];
    uint32_t is_shared;
} nq_counter_block;

extern _Thread_local nq_counter_block *nq__counter_block;

/* The first count of a thread: finds it a block. */
nq_counter_block *nq__counter_block_acquire(void);

static inline void nq_counter_add(nq_counter counter, uint64_t amount) {
    nq_counter_block *block = nq__counter_block;
    if (__builtin_expect(block == NULL, 0)) {
        block = nq__counter_block_acquire();
    }
    _Atomic uint64_t *cell = &block->counters[counter];
    if (__builtin_expect(block->is_shared, 0)) {
        atomic_fetch_add_explicit(cell, amount, memory_order_relaxed);
        return;
    }
    /* Only this thread writes the cell: no read-modify-write is needed, only no tearing. */
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

uint64_t nq_counter_read(nq_counter counter);

/* A level that goes up and down; shared by all threads. */
void nq_gauge_add(nq_gauge gauge, int64_t amount);
void nq_gauge_set(nq_gauge gauge, int64_t value);
int64_t nq_gauge_read(nq_gauge gauge);

/* `value` in the histogram's unit, nanoseconds for SECONDS. Any thread; a few nanoseconds. */
void nq_histogram_observe(nq_histogram_id histogram, uint64_t value);
void nq_histogram_read(nq_histogram_id histogram, nq_histogram *out_histogram);

/* Gives the thread's block to the next thread; os/thread.c calls it as a thread ends. Counting
 * afterwards takes a block again. */
void nq_counter_thread_end(void);

#endif
