/* Memory: every allocation fails once, alone and with all that follow; nothing crashes, nothing is
 * lost, nothing is half there, nothing leaks (under AddressSanitizer). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/os/sim_vfs.h"
#include "tests/engine/storage/support/workload.h"

enum { COMMITS = 24 };

/* Opens, works and closes while the nth allocation fails; then holds the store against the
 * workload. */
static void run_with_failure(uint64_t nth, bool and_all_after) {
    static nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_options sim = {.seed = 5};
    nq_sim_vfs *disk;
    assert_int_equal(nq_sim_vfs_create(&ctx, &sim, &disk), NQ_OK);
    workload w;
    workload_init(&w, 5);
    nq_store_options options = workload_store_options();
    nq_store *store;
    nq_heap_fail_at(nth, and_all_after);
    nq_status status = nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store);
    if (status == NQ_OK) {
        status = workload_run(&ctx, &w, store, COMMITS);
        uint64_t tried = nq_heap_fail_never();
        /* What went wrong was said, and the store works on. */
        assert_true(status == NQ_OK ? true : tried >= nth);
        assert_int_equal(nq_store_health(store), NQ_OK);
        workload_rewind(&w, w.committed);
        size_t found;
        const char *difference = workload_check(store, &w, &found);
        if (difference != NULL) {
            fail_msg("allocation %llu: %s", (unsigned long long)nth, difference);
        }
        if (status != NQ_OK) {
            assert_int_equal(status, NQ_MEMORY_LIMIT);
            assert_int_equal(workload_run(&ctx, &w, store, 2), NQ_OK);
        }
        nq_heap_fail_at(nth > tried ? nth - tried : 1000000, and_all_after);
        (void)nq_store_close(&ctx, store);
    } else {
        assert_int_equal(status, NQ_MEMORY_LIMIT);
    }
    nq_heap_fail_never();
    assert_int_equal(nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store), NQ_OK);
    size_t found;
    const char *difference = workload_check(store, &w, &found);
    if (difference != NULL) {
        fail_msg("allocation %llu, reopened: %s", (unsigned long long)nth, difference);
    }
    assert_int_equal(nq_store_close(&ctx, store), NQ_OK);
    workload_deinit(&w);
    nq_sim_vfs_destroy(disk);
}

/* How many allocations the run makes. */
static uint64_t count_allocations(void) {
    static nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_options sim = {.seed = 5};
    nq_sim_vfs *disk;
    assert_int_equal(nq_sim_vfs_create(&ctx, &sim, &disk), NQ_OK);
    workload w;
    workload_init(&w, 5);
    nq_store_options options = workload_store_options();
    nq_store *store;
    nq_heap_fail_at(UINT64_MAX, false);
    assert_int_equal(nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store), NQ_OK);
    assert_int_equal(workload_run(&ctx, &w, store, COMMITS), NQ_OK);
    assert_int_equal(nq_store_close(&ctx, store), NQ_OK);
    uint64_t count = nq_heap_fail_never();
    workload_deinit(&w);
    nq_sim_vfs_destroy(disk);
    return count;
}

static void every_allocation_may_fail_once(void **state) {
    (void)state;
    uint64_t count = count_allocations();
    assert_true(count > 100);
    for (uint64_t nth = 1; nth <= count; nth++) {
        run_with_failure(nth, false);
    }
}

static void memory_may_run_out_for_good(void **state) {
    (void)state;
    uint64_t count = count_allocations();
    for (uint64_t nth = 1; nth <= count; nth += 3) {
        run_with_failure(nth, true);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail_once),
        cmocka_unit_test(memory_may_run_out_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
