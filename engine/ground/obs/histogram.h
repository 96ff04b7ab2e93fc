/* Histogram: how often which magnitude occurred, from 0 to 2^40 (18 minutes in nanoseconds).
 *
 * Log-linear: each power of two is cut into 16 buckets of equal width, so that a value is known to
 * 1/16 of itself, whatever its size; values below 32 exactly. Recording is an increment; merging
 * is addition and loses nothing. A plain value with one owner; for the process's own see counter.h.
 *
 * Follows HdrHistogram (G. Tene) with 4 bits of precision and a fixed range. */
#ifndef NQ_GROUND_OBS_HISTOGRAM_H
#define NQ_GROUND_OBS_HISTOGRAM_H

#include <stdint.h>

enum {
    NQ_HISTOGRAM_PRECISION_BITS = 4,
    NQ_HISTOGRAM_MAGNITUDE_BITS = 40, /* what is larger is counted in the last bucket */
    NQ_HISTOGRAM_BUCKETS = (NQ_HISTOGRAM_MAGNITUDE_BITS - NQ_HISTOGRAM_PRECISION_BITS + 1)
                           << NQ_HISTOGRAM_PRECISION_BITS,
};

typedef struct nq_histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t buckets[NQ_HISTOGRAM_BUCKETS];
} nq_histogram;

/* The bucket that counts `value`. */
static inline uint32_t nq_histogram_bucket(uint64_t value) {
    if (value < (1u << NQ_HISTOGRAM_PRECISION_BITS)) {
        return (uint32_t)value;
    }
    uint32_t magnitude = 63u - (uint32_t)__builtin_clzll(value); /* index of the highest bit */
    if (magnitude >= NQ_HISTOGRAM_MAGNITUDE_BITS) {
        return NQ_HISTOGRAM_BUCKETS - 1;
    }
    uint32_t shift = magnitude - NQ_HISTOGRAM_PRECISION_BITS;
    /* The bits behind the highest one, and one block of buckets for each magnitude. */
    return (shift << NQ_HISTOGRAM_PRECISION_BITS) + (uint32_t)(value >> shift);
}

/* The smallest and the largest value a bucket counts (the last one's largest is UINT64_MAX). */
uint64_t nq_histogram_bucket_low(uint32_t bucket);
uint64_t nq_histogram_bucket_high(uint32_t bucket);

void nq_histogram_init(nq_histogram *histogram);

static inline void nq_histogram_record(nq_histogram *histogram, uint64_t value) {
    histogram->count++;
    histogram->sum += value;
    histogram->buckets[nq_histogram_bucket(value)]++;
}

/* Adds what `source` counted to `target`. */
void nq_histogram_merge(nq_histogram *target, const nq_histogram *source);

/* The value that `fraction` (0 to 1) of the recorded ones do not exceed, to the width of a bucket:
 * its middle. 0 when nothing was recorded. */
uint64_t nq_histogram_quantile(const nq_histogram *histogram, double fraction);

/* How many recorded values are at most `value`, counting whole buckets: exact when `value` is a
 * bucket's largest. */
uint64_t nq_histogram_count_up_to(const nq_histogram *histogram, uint64_t value);

double nq_histogram_mean(const nq_histogram *histogram);

#endif
