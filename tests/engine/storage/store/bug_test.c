/* Bugs: every fault planted in the storage rooms (engine/storage/page/bugs.def) is found by one of
 * the campaigns within a few seeds; without a planted bug the same campaigns find nothing.
 *
 * Each bug runs in a process of its own, since finding one may well be an assertion.
 *
 * NQ_BUG=name hunts for that one only. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/storage/page/bug.h"
#include "tests/engine/storage/support/campaign.h"
#include "tests/engine/storage/support/history.h"

nq_bug nq_planted_bug = NQ_BUG_NONE;

enum { SEEDS_MAX = 64, CLEAN_SEEDS = 2, FOUND = 10, NOT_FOUND = 11 };

static const char *const names[] = {
    "NONE",
#define NQ_PLANTED(name, meaning) #name,
#include "engine/storage/page/bugs.def"
#undef NQ_PLANTED
};

static const char *hunt(uint64_t seed) {
    campaign_counts counts = {0};
    const char *failure = seed == 1 ? campaign_isolation() : NULL;
    if (failure == NULL) {
        failure = campaign_log(seed, &counts);
    }
    if (failure == NULL) {
        failure = campaign_crashes(seed, &counts);
    }
    return failure != NULL ? failure : campaign_bit_flips(seed, 60, &counts);
}

/* Random interleavings alone. */
static const char *hunt_in_history(uint64_t seed) {
    enum { OPERATIONS = 800 };
    history_counts counts = {0};
    history h;
    history_init(&h, seed, OPERATIONS);
    const char *failure = history_run(&h, &counts);
    history_deinit(&h);
    return failure;
}

static int hunt_in_child(nq_bug bug, uint64_t seed_count, const char *(*hunt_seed)(uint64_t)) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        nq_planted_bug = bug;
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(1);
        }
        for (uint64_t seed = 1; seed <= seed_count; seed++) {
            if (hunt_seed(seed) != NULL) {
                _exit(FOUND);
            }
        }
        _exit(NOT_FOUND);
    }
    int status = 0;
    waitpid(child, &status, 0);
    bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    return is_killed ? FOUND : WEXITSTATUS(status);
}

static void skip_if_one_is_wanted(void) {
    if (getenv("NQ_BUG") != NULL) {
        skip();
    }
}

/* Those whose effect is that transactions see or do what they must not. */
static void what_transactions_must_not_do_random_histories_find(void **state) {
    (void)state;
    skip_if_one_is_wanted();
    static const nq_bug bugs[] = {
        NQ_BUG_CONFLICT_NOT_SEEN, NQ_BUG_READS_NOT_VALIDATED,   NQ_BUG_ROW_LOCK_NOT_TAKEN,
        NQ_BUG_SAVEPOINT_IGNORED, NQ_BUG_SOLO_ROWS_NOT_ENTERED, NQ_BUG_ONE_HOLDER_SEARCHED,
        NQ_BUG_READER_OVERLOOKED, NQ_BUG_COMMIT_NOT_AWAITED,    NQ_BUG_COMMIT_NOT_WRITTEN,
    };
    assert_int_equal(hunt_in_child(NQ_BUG_NONE, CLEAN_SEEDS, hunt_in_history), NOT_FOUND);
    int missed = 0;
    for (size_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++) {
        if (hunt_in_child(bugs[i], SEEDS_MAX, hunt_in_history) != FOUND) {
            print_error("not found: %s\n", names[bugs[i]]);
            missed++;
        }
    }
    assert_int_equal(missed, 0);
}

static void every_planted_bug_is_found(void **state) {
    (void)state;
    const char *wanted = getenv("NQ_BUG");
    int missed = 0;
    for (int bug = NQ_BUG_NONE + 1; bug < NQ_BUG_COUNT; bug++) {
        if (wanted != NULL && strcmp(wanted, names[bug]) != 0) {
            continue;
        }
        if (hunt_in_child((nq_bug)bug, SEEDS_MAX, hunt) != FOUND) {
            print_error("not found: %s\n", names[bug]);
            missed++;
        }
    }
    assert_int_equal(missed, 0);
}

static void nothing_is_found_where_nothing_was_planted(void **state) {
    (void)state;
    skip_if_one_is_wanted();
    assert_int_equal(hunt_in_child(NQ_BUG_NONE, CLEAN_SEEDS, hunt), NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_found_where_nothing_was_planted),
        cmocka_unit_test(what_transactions_must_not_do_random_histories_find),
        cmocka_unit_test(every_planted_bug_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
