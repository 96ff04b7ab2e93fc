/* Buckets tile the numbers without gap or overlap; merging and quantiles lose no more than a width.
 */
#include "engine/ground/obs/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "engine/ground/base/rng.h"

static void buckets_tile_the_numbers(void **state) {
    (void)state;
    assert_true(nq_histogram_bucket_low(0) == 0);
    for (uint32_t i = 0; i < NQ_HISTOGRAM_BUCKETS; i++) {
        uint64_t low = nq_histogram_bucket_low(i);
        uint64_t high = nq_histogram_bucket_high(i);
        assert_true(low <= high);
        assert_int_equal(nq_histogram_bucket(low), i);
        assert_int_equal(nq_histogram_bucket(high), i);
        if (i + 1 < NQ_HISTOGRAM_BUCKETS) {
            assert_true(nq_histogram_bucket_low(i + 1) == high + 1);
            assert_true(high - low <= low / 16);
        }
    }
    assert_true(nq_histogram_bucket_high(NQ_HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
    assert_int_equal(nq_histogram_bucket(UINT64_C(1) << 40), NQ_HISTOGRAM_BUCKETS - 1);
}

static int compare(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void quantiles_are_within_a_bucket_of_the_sorted_values(void **state) {
    (void)state;
    enum { COUNT = 10001 };
    static uint64_t values[COUNT];
    nq_rng rng = {2};
    nq_histogram histogram;
    nq_histogram_init(&histogram);
    for (int i = 0; i < COUNT; i++) {
        values[i] = nq_rng_next(&rng) >> (24 + nq_rng_below(&rng, 40));
        nq_histogram_record(&histogram, values[i]);
    }
    qsort(values, COUNT, sizeof(values[0]), compare);
    static const double FRACTIONS[] = {0, 0.01, 0.5, 0.9, 0.99, 0.999, 1};
    for (int i = 0; i < 7; i++) {
        uint64_t got = nq_histogram_quantile(&histogram, FRACTIONS[i]);
        double rank = FRACTIONS[i] * COUNT;
        uint64_t want = values[rank < 1 ? 0 : (int)(rank + 0.999999) - 1];
        assert_int_equal(nq_histogram_bucket(got), nq_histogram_bucket(want));
    }
}

static void merging_is_the_same_as_recording_all_in_one(void **state) {
    (void)state;
    static nq_histogram parts[3];
    static nq_histogram all;
    nq_rng rng = {3};
    nq_histogram_init(&all);
    for (int i = 0; i < 3; i++) {
        nq_histogram_init(&parts[i]);
        for (int k = 0; k < 1000; k++) {
            uint64_t value = nq_rng_below(&rng, 1000000);
            nq_histogram_record(&parts[i], value);
            nq_histogram_record(&all, value);
        }
    }
    nq_histogram_merge(&parts[0], &parts[1]);
    nq_histogram_merge(&parts[0], &parts[2]);
    assert_memory_equal(&parts[0], &all, sizeof(all));
    assert_true(nq_histogram_mean(&all) == (double)all.sum / 3000);
    assert_int_equal(nq_histogram_count_up_to(&all, UINT64_MAX), 3000);
}

static void an_empty_histogram_answers_zero_and_a_huge_value_its_bucket(void **state) {
    (void)state;
    nq_histogram histogram;
    nq_histogram_init(&histogram);
    assert_int_equal(nq_histogram_quantile(&histogram, 0.5), 0);
    assert_true(nq_histogram_mean(&histogram) == 0);
    nq_histogram_record(&histogram, UINT64_MAX);
    assert_true(nq_histogram_quantile(&histogram, 0.5) ==
                nq_histogram_bucket_low(NQ_HISTOGRAM_BUCKETS - 1));
    nq_histogram_record(&histogram, 31);
    assert_int_equal(nq_histogram_count_up_to(&histogram, 31), 1);
    assert_int_equal(nq_histogram_count_up_to(&histogram, 30), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_tile_the_numbers),
        cmocka_unit_test(quantiles_are_within_a_bucket_of_the_sorted_values),
        cmocka_unit_test(merging_is_the_same_as_recording_all_in_one),
        cmocka_unit_test(an_empty_histogram_answers_zero_and_a_huge_value_its_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
