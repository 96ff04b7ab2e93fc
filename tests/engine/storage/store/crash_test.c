/* Crash: the power fails at every I/O of a seeded run, and again inside the recovery from it.
 *
 * NQ_CRASH_SEEDS=n runs n seeds instead of the few that fit an ordinary test run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/engine/storage/support/campaign.h"

enum { SEEDS_DEFAULT = 6 };

static uint64_t seeds(void) {
    const char *wanted = getenv("NQ_CRASH_SEEDS");
    return wanted == NULL ? SEEDS_DEFAULT : strtoull(wanted, NULL, 10);
}

static void no_crash_loses_an_acknowledged_commit_or_shows_a_partial_one(void **state) {
    (void)state;
    campaign_counts counts = {0};
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        const char *failure = campaign_crashes(seed, &counts);
        if (failure != NULL) {
            fail_msg("%s", failure);
        }
    }
    print_message("%llu crashes, %llu again inside recovery; %llu power cuts\n",
                  (unsigned long long)counts.crashes, (unsigned long long)counts.cuts_in_recovery,
                  (unsigned long long)counts.power_cuts);
    assert_true(counts.crashes > 100 * seeds());
    assert_true(counts.cuts_in_recovery > 50 * seeds());
}

static void with_a_copy_of_the_log_damage_near_a_write_loses_nothing(void **state) {
    (void)state;
    campaign_counts counts = {0};
    for (uint64_t seed = 1; seed <= seeds(); seed += 2) {
        const char *failure = campaign_damage(seed, &counts);
        if (failure != NULL) {
            fail_msg("%s", failure);
        }
    }
    print_message("%llu crashes with damage; %llu power cuts\n", (unsigned long long)counts.crashes,
                  (unsigned long long)counts.power_cuts);
    assert_true(counts.crashes > 50 * seeds());
}

static void in_segments_of_full_size_damage_near_a_write_loses_nothing(void **state) {
    (void)state;
    enum { EVERY = 3 }; /* seeds: these take longer */
    campaign_counts counts = {0};
    for (uint64_t seed = 1; seed <= seeds(); seed += EVERY) {
        const char *failure = campaign_neighbours(seed, &counts);
        if (failure != NULL) {
            fail_msg("%s", failure);
        }
    }
    print_message("%llu crashes with damage in segments of full size; %llu power cuts\n",
                  (unsigned long long)counts.crashes, (unsigned long long)counts.power_cuts);
    assert_true(counts.crashes > 20 * (seeds() / EVERY));
}

static void no_interruption_of_the_log_loses_or_resurrects_a_record(void **state) {
    (void)state;
    campaign_counts counts = {0};
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        const char *failure = campaign_log(seed, &counts);
        if (failure != NULL) {
            fail_msg("%s", failure);
        }
    }
    print_message("%llu interruptions of the log\n", (unsigned long long)counts.log_crashes);
    assert_true(counts.log_crashes > 300 * seeds());
}

static void flipped_bits_never_become_wrong_rows(void **state) {
    (void)state;
    campaign_counts counts = {0};
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        const char *failure = campaign_bit_flips(seed, 60, &counts);
        if (failure != NULL) {
            fail_msg("%s", failure);
        }
    }
    print_message("%llu flips, %llu noticed, %llu repaired; the others hit bytes nobody reads\n",
                  (unsigned long long)counts.flips, (unsigned long long)counts.flips_noticed,
                  (unsigned long long)counts.flips_repaired);
    assert_true(counts.flips_noticed * 15 > counts.flips);
    assert_true(counts.flips_repaired * 15 > counts.flips);
}

static void faults_of_the_disk_lose_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        const char *failure = campaign_faults(seed);
        if (failure != NULL) {
            fail_msg("%s", failure);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_crash_loses_an_acknowledged_commit_or_shows_a_partial_one),
        cmocka_unit_test(with_a_copy_of_the_log_damage_near_a_write_loses_nothing),
        cmocka_unit_test(in_segments_of_full_size_damage_near_a_write_loses_nothing),
        cmocka_unit_test(no_interruption_of_the_log_loses_or_resurrects_a_record),
        cmocka_unit_test(flipped_bits_never_become_wrong_rows),
        cmocka_unit_test(faults_of_the_disk_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
