/* Latency: merging and quantiles. */
#include "bench/peers/latency.h"

enum { WIDTH = 1 << LATENCY_PRECISION_BITS };

static uint64_t bucket_low_ns(uint32_t bucket) {
    if (bucket < 2 * WIDTH) {
        return bucket;
    }
    return (uint64_t)(bucket % WIDTH + WIDTH) << (bucket / WIDTH - 1);
}

void latency_merge(bench_latency *target, const bench_latency *source) {
    target->count += source->count;
    for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
        target->buckets[i] += source->buckets[i];
    }
}

double latency_quantile_us(const bench_latency *latency, double fraction) {
    uint64_t wanted = (uint64_t)(fraction * (double)latency->count);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen > wanted) {
            return (double)bucket_low_ns(i) / 1e3;
        }
    }
    return 0;
}
