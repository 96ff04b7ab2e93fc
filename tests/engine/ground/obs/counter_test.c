/* Nothing counted is lost, however many threads count, come and go. */
#include "engine/ground/obs/counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <string.h>

#include "engine/ground/obs/metrics.h"
#include "engine/ground/os/mutex.h"
#include "engine/ground/os/thread.h"

enum { THREADS = 80, ADDS = 2000 }; /* more threads than there are blocks */

static nq_mutex gate;
static nq_cond gate_opened;
static unsigned arrived;

/* All threads are alive at once, so that the last ones have to share. */
static void count_all(void *argument) {
    (void)argument;
    nq_counter_add(NQ_COUNTER_WORKER_TASKS, 1);
    nq_mutex_lock(&gate);
    arrived++;
    nq_cond_broadcast(&gate_opened);
    while (arrived < THREADS) {
        nq_cond_wait(&gate_opened, &gate);
    }
    nq_mutex_unlock(&gate);
    for (int i = 1; i < ADDS; i++) {
        nq_counter_add(NQ_COUNTER_WORKER_TASKS, 1);
        nq_histogram_observe(NQ_HISTOGRAM_FILE_SYNC_TIME, (uint64_t)i);
        nq_gauge_add(NQ_GAUGE_FILE_OPEN, i % 2 == 0 ? 1 : -1);
    }
}

static void every_thread_counts_even_beyond_the_blocks(void **state) {
    (void)state;
    static nq_thread threads[THREADS];
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_mutex_init(&gate, NQ_LOCK_LOGGER);
    nq_cond_init(&gate_opened);
    uint64_t before = nq_counter_read(NQ_COUNTER_WORKER_TASKS);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(nq_thread_start(&ctx, &threads[i], "count", count_all, NULL), NQ_OK);
    }
    for (int i = 0; i < THREADS; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_int_equal(nq_counter_read(NQ_COUNTER_WORKER_TASKS) - before, THREADS * ADDS);
    nq_histogram histogram;
    nq_histogram_read(NQ_HISTOGRAM_FILE_SYNC_TIME, &histogram);
    assert_int_equal(histogram.count, THREADS * (ADDS - 1));
    assert_int_equal(histogram.sum, (uint64_t)THREADS * ADDS * (ADDS - 1) / 2);
    assert_int_equal(nq_gauge_read(NQ_GAUGE_FILE_OPEN), -THREADS);
    nq_cond_deinit(&gate_opened);
    nq_mutex_deinit(&gate);
}

static void count_once(void *argument) {
    (void)argument;
    nq_counter_add(NQ_COUNTER_FILE_READS, 3);
    assert_int_equal(nq__counter_block->is_shared, 0);
}

static void a_block_outlives_its_thread_and_is_used_again(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    uint64_t before = nq_counter_read(NQ_COUNTER_FILE_READS);
    for (int i = 0; i < 3 * NQ_OBS_BLOCKS; i++) {
        nq_thread thread;
        assert_int_equal(nq_thread_start(&ctx, &thread, "count", count_once, NULL), NQ_OK);
        nq_thread_join(&thread);
    }
    assert_int_equal(nq_counter_read(NQ_COUNTER_FILE_READS) - before, 9 * NQ_OBS_BLOCKS);
}

typedef struct visit_state {
    const char *names[256];
    const char *labels[256];
    size_t count;
} visit_state;

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text);
    return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

static void check_sample(void *user, const nq_metric_sample *sample) {
    visit_state *seen = user;
    assert_int_equal(strncmp(sample->name, "neuroquantum_", 13), 0);
    for (const char *at = sample->name; *at != '\0'; at++) {
        assert_true(islower(*at) || *at == '_');
    }
    assert_int_equal(ends_with(sample->name, "_total"), sample->kind == NQ_METRIC_COUNTER);
    assert_true(ends_with(sample->help, "."));
    assert_true(strlen(nq_metric_unit_name(sample->unit)) > 3);
    assert_int_equal(sample->histogram != NULL, sample->kind == NQ_METRIC_HISTOGRAM);
    for (size_t i = 0; i < seen->count; i++) {
        assert_false(strcmp(seen->names[i], sample->name) == 0 &&
                     strcmp(seen->labels[i], sample->labels) == 0);
    }
    assert_true(seen->count < 256);
    seen->names[seen->count] = sample->name;
    seen->labels[seen->count++] = sample->labels;
}

static void every_metric_is_well_named_and_visited_once(void **state) {
    (void)state;
    visit_state seen = {.count = 0};
    nq_metrics_visit(check_sample, &seen);
    assert_int_equal(seen.count, NQ_COUNTER_COUNT + NQ_GAUGE_COUNT + NQ_HISTOGRAM_COUNT);
}

static void find_open_files(void *user, const nq_metric_sample *sample) {
    if (strcmp(sample->name, "neuroquantum_file_open_files") == 0) {
        *(int64_t *)user = sample->level;
    }
}

static void a_visit_shows_the_level_that_was_set(void **state) {
    (void)state;
    int64_t level = 0;
    nq_gauge_set(NQ_GAUGE_FILE_OPEN, 41);
    nq_gauge_add(NQ_GAUGE_FILE_OPEN, 1);
    nq_metrics_visit(find_open_files, &level);
    assert_int_equal(level, 42);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_thread_counts_even_beyond_the_blocks),
        cmocka_unit_test(a_block_outlives_its_thread_and_is_used_again),
        cmocka_unit_test(every_metric_is_well_named_and_visited_once),
        cmocka_unit_test(a_visit_shows_the_level_that_was_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
