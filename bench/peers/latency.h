/* Latency: how long each of many operations took.
 *
 * Log-linear like the engine's own nq_histogram, but sixteen times as fine: gates compare two
 * quantiles as a ratio, and a sixteenth of error in each would decide some of them. */
#ifndef NQ_BENCH_PEERS_LATENCY_H
#define NQ_BENCH_PEERS_LATENCY_H

#include <stdint.h>

enum {
    LATENCY_PRECISION_BITS = 8, /* a value is known to 1/256 of itself */
    LATENCY_MAGNITUDE_BITS = 40,
    LATENCY_BUCKETS = (LATENCY_MAGNITUDE_BITS - LATENCY_PRECISION_BITS + 1)
                      << LATENCY_PRECISION_BITS,
};

typedef struct bench_latency {
    uint64_t count;
    uint64_t buckets[LATENCY_BUCKETS];
} bench_latency;

static inline void latency_record(bench_latency *latency, uint64_t duration_ns) {
    uint32_t bucket = (uint32_t)duration_ns;
    if (duration_ns >= (1u << LATENCY_PRECISION_BITS)) {
        uint32_t shift = 63u - (uint32_t)__builtin_clzll(duration_ns) - LATENCY_PRECISION_BITS;
        bucket = (shift << LATENCY_PRECISION_BITS) + (uint32_t)(duration_ns >> shift);
    }
    latency->count++;
    latency->buckets[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1]++;
}

void latency_merge(bench_latency *target, const bench_latency *source);

/* In microseconds; 0 when nothing was recorded. */
double latency_quantile_us(const bench_latency *latency, double fraction);

#endif
