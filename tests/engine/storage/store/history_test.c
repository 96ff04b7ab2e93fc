/* History: interleaved transactions at every level, conflicts, deadlocks and time-outs, savepoints,
 * snapshots and scans held across commits, trees that come and go, requests, checkpoints and
 * crashes, drawn from a seed; whatever the store answers is what the oracle says.
 *
 * A history that fails is made as short as it can be and printed. NQ_HISTORY_SEEDS=n runs n seeds,
 * NQ_HISTORY_FIRST=n begins with seed n. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/engine/storage/support/history.h"

enum { SEEDS_DEFAULT = 300, OPERATIONS = 800 };

static uint64_t number_of(const char *name, uint64_t otherwise) {
    const char *wanted = getenv(name);
    return wanted == NULL ? otherwise : strtoull(wanted, NULL, 10);
}

static void any_history_goes_as_the_oracle_says(void **state) {
    (void)state;
    uint64_t first = number_of("NQ_HISTORY_FIRST", 1);
    uint64_t count = number_of("NQ_HISTORY_SEEDS", SEEDS_DEFAULT);
    history_counts counts = {0};
    for (uint64_t seed = first; seed < first + count; seed++) {
        history h;
        history_init(&h, seed, OPERATIONS);
        const char *failure = history_run(&h, &counts);
        if (failure != NULL) {
            print_error("seed %llu: %s\n", (unsigned long long)seed, failure);
            failure = history_shrink(&h);
            if (failure == NULL) {
                fail_msg("not again: it depends on how threads are scheduled");
            }
            history_print(&h);
            fail_msg("%s", failure);
        }
        history_deinit(&h);
    }
    print_message("%llu operations: %llu commits, %llu waits, %llu conflicts, %llu deadlocks, "
                  "%llu time-outs, %llu power cuts, %llu openings\n",
                  (unsigned long long)counts.operations, (unsigned long long)counts.commits,
                  (unsigned long long)counts.waits, (unsigned long long)counts.conflicts,
                  (unsigned long long)counts.deadlocks, (unsigned long long)counts.timeouts,
                  (unsigned long long)counts.power_cuts, (unsigned long long)counts.openings);
    assert_true(counts.commits > 10 * count);
    assert_true(counts.conflicts > count && counts.timeouts > count);
    assert_true(counts.deadlocks > count / 8 && counts.power_cuts > count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_history_goes_as_the_oracle_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
