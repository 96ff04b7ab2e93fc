/* Histogram: the arithmetic between values and buckets, and the questions asked of the counts. */
#include "engine/ground/obs/histogram.h"

#include <string.h>

#include "engine/ground/base/assert.h"

enum { WIDTH = 1 << NQ_HISTOGRAM_PRECISION_BITS };

uint64_t nq_histogram_bucket_low(uint32_t bucket) {
    NQ_ASSERT(bucket < NQ_HISTOGRAM_BUCKETS);
    if (bucket < 2 * WIDTH) {
        return bucket;
    }
    uint32_t shift = bucket / WIDTH - 1;
    return (uint64_t)(bucket % WIDTH + WIDTH) << shift;
}

uint64_t nq_histogram_bucket_high(uint32_t bucket) {
    NQ_ASSERT(bucket < NQ_HISTOGRAM_BUCKETS);
    return bucket + 1 == NQ_HISTOGRAM_BUCKETS ? UINT64_MAX
                                              : nq_histogram_bucket_low(bucket + 1) - 1;
}

void nq_histogram_init(nq_histogram *histogram) {
    memset(histogram, 0, sizeof(*histogram));
}

void nq_histogram_merge(nq_histogram *target, const nq_histogram *source) {
    target->count += source->count;
    target->sum += source->sum;
    for (uint32_t i = 0; i < NQ_HISTOGRAM_BUCKETS; i++) {
        target->buckets[i] += source->buckets[i];
    }
}

uint64_t nq_histogram_quantile(const nq_histogram *histogram, double fraction) {
    if (histogram->count == 0) {
        return 0;
    }
    double wanted = fraction * (double)histogram->count;
    uint64_t seen = 0;
    uint32_t last = 0;
    for (uint32_t i = 0; i < NQ_HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] == 0) {
            continue;
        }
        seen += histogram->buckets[i];
        last = i;
        if ((double)seen >= wanted) {
            break;
        }
    }
    uint64_t low = nq_histogram_bucket_low(last);
    /* The last bucket has no upper end worth reporting. */
    return last + 1 == NQ_HISTOGRAM_BUCKETS ? low
                                            : low + (nq_histogram_bucket_high(last) - low) / 2;
}

uint64_t nq_histogram_count_up_to(const nq_histogram *histogram, uint64_t value) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < NQ_HISTOGRAM_BUCKETS && nq_histogram_bucket_high(i) <= value; i++) {
        count += histogram->buckets[i];
    }
    return count;
}

double nq_histogram_mean(const nq_histogram *histogram) {
    return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}
