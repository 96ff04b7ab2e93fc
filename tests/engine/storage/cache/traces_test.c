/* Hit ratios: made-up requests always, the public traces when NQ_CORPORA has them. The recorded
 * figures are Megiddo and Modha's (FAST 2003, table IV): who matches them drives its lists right.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/engine/storage/cache/simulate.h"

enum { ZIPF_IDS = 20000, ZIPF_REQUESTS = 400000, ZIPF_CAPACITY = ZIPF_IDS / 10 };

static void skewed_requests_hit_more_often_than_with_lru(void **state) {
    (void)state;
    trace t = trace_zipf(ZIPF_IDS, 0.99, ZIPF_REQUESTS, 1);
    double lru = simulate_percent(simulate(NQ_CACHE_LRU, &t, ZIPF_CAPACITY), &t);
    double ours = simulate_percent(simulate(NQ_CACHE_S3FIFO, &t, ZIPF_CAPACITY), &t);
    double best = simulate_percent(simulate_min(&t, ZIPF_CAPACITY), &t);
    assert_true(ours >= lru + 2 && ours <= best);
    trace_free(&t);
}

/* `t` with every id once, in order, after the first half. */
static trace with_a_scan(const trace *t) {
    size_t half = t->count / 2;
    trace s = {.count = t->count + t->id_count, .id_count = t->id_count};
    s.ids = malloc(s.count * sizeof *s.ids);
    assert_non_null(s.ids);
    memcpy(s.ids, t->ids, half * sizeof *s.ids);
    for (uint32_t i = 0; i < t->id_count; i++) {
        s.ids[half + i] = i + 1;
    }
    memcpy(s.ids + half + t->id_count, t->ids + half, (t->count - half) * sizeof *s.ids);
    return s;
}

static void a_full_scan_in_between_costs_a_point_at_most(void **state) {
    (void)state;
    trace plain = trace_zipf(ZIPF_IDS, 0.99, ZIPF_REQUESTS, 2);
    trace scanned = with_a_scan(&plain);
    bool *plain_hits = malloc(plain.count);
    bool *scanned_hits = malloc(scanned.count);
    assert_true(plain_hits != NULL && scanned_hits != NULL);
    simulate_each(NQ_CACHE_S3FIFO, &plain, ZIPF_CAPACITY, plain_hits);
    simulate_each(NQ_CACHE_S3FIFO, &scanned, ZIPF_CAPACITY, scanned_hits);
    /* As many requests as the cache has slots, right behind the scan: where LRU would suffer most.
     */
    int64_t lost = 0;
    for (size_t i = plain.count / 2; i < plain.count / 2 + ZIPF_CAPACITY; i++) {
        lost += (int64_t)plain_hits[i] - (int64_t)scanned_hits[i + plain.id_count];
    }
    assert_true(lost <= ZIPF_CAPACITY / 100);
    free(plain_hits);
    free(scanned_hits);
    trace_free(&plain);
    trace_free(&scanned);
}

static void the_published_ratios_are_met(void **state) {
    (void)state;
    static const struct {
        uint32_t capacity;
        double lru, arc;
    } published[] = {
        {1000, 32.83, 38.93},  {2000, 42.47, 46.08},  {5000, 53.65, 55.25},
        {10000, 60.70, 61.87}, {15000, 64.63, 65.40},
    };
    trace t;
    if (!trace_load(&trace_files[0], &t)) {
        trace_say_missing();
        return;
    }
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        uint32_t capacity = published[i].capacity;
        double lru = simulate_percent(simulate(NQ_CACHE_LRU, &t, capacity), &t);
        double arc = simulate_percent(simulate_arc(&t, capacity), &t);
        assert_true(fabs(lru - published[i].lru) <= 0.01);
        assert_true(fabs(arc - published[i].arc) <= 0.03);
    }
    trace_free(&t);
}

static void the_refractory_period_never_costs_much_and_pays_on_average(void **state) {
    (void)state;
    static const uint32_t percents[] = {1, 5, 10, 20};
    double ours = 0;
    double plain = 0;
    double lru = 0;
    double clock = 0;
    double arc = 0;
    for (size_t i = 0; i < trace_file_count; i++) {
        trace t;
        if (!trace_load(&trace_files[i], &t)) {
            trace_say_missing();
            return;
        }
        for (size_t p = 0; p < sizeof percents / sizeof percents[0]; p++) {
            uint32_t capacity = (uint32_t)((uint64_t)t.id_count * percents[p] / 100);
            double here = simulate_percent(simulate(NQ_CACHE_S3FIFO, &t, capacity), &t);
            double there = simulate_percent(simulate(NQ_CACHE_S3FIFO_PLAIN, &t, capacity), &t);
            assert_true(here >= there - 0.3);
            ours += here;
            plain += there;
            lru += simulate_percent(simulate(NQ_CACHE_LRU, &t, capacity), &t);
            clock += simulate_percent(simulate(NQ_CACHE_CLOCK, &t, capacity), &t);
            arc += simulate_percent(simulate_arc(&t, capacity), &t);
        }
        trace_free(&t);
    }
    assert_true(ours >= plain && ours > arc && ours > clock && ours > lru);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skewed_requests_hit_more_often_than_with_lru),
        cmocka_unit_test(a_full_scan_in_between_costs_a_point_at_most),
        cmocka_unit_test(the_published_ratios_are_met),
        cmocka_unit_test(the_refractory_period_never_costs_much_and_pays_on_average),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
