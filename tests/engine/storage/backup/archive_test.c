/* Archive directory: every full segment of the log is in it, whole, and it is nobody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/engine/storage/backup/keeper.h"

static int set_up(void **state) {
    static keeper k;
    keeper_init(&k, 1);
    *state = &k;
    return 0;
}

static int tear_down(void **state) {
    keeper_deinit(*state);
    return 0;
}

/* A directory where the first segment would be written. */
#define IN_THE_WAY "archive/0000000000000000.segment.new"

static bool exists(keeper *k, const char *path) {
    bool is_there;
    assert_int_equal(nq_vfs_exists(&k->ctx, k->vfs, path, &is_there), NQ_OK);
    return is_there;
}

static bool is_archived(keeper *k, const char *directory, uint64_t number) {
    char path[128];
    keeper_segment_path(path, directory, number);
    return exists(k, path);
}

static uint64_t failures_of(keeper *k) {
    nq_store_stats stats;
    nq_store_get_stats(k->store, &stats);
    return stats.log_archive_failures;
}

static bool is_refusing(keeper *k) {
    nq_store_stats stats;
    nq_store_get_stats(k->store, &stats);
    return stats.log_archive_is_refusing;
}

static void full_segments_are_archived_durably(void **state) {
    keeper *k = *state;
    char path[128];
    assert_int_equal(keeper_open(k, "db", "archive"), NQ_OK);
    keeper_put_range(k, 0, 100);
    for (uint64_t number = 0; number < 3; number++) {
        assert_true(is_archived(k, "archive", number));
    }
    keeper_segment_path(path, "archive", 0);
    assert_true(nq_sim_vfs_is_durable(k->disk, path));
    assert_false(is_refusing(k));
}

static void a_segment_offered_again_is_compared_and_kept(void **state) {
    keeper *k = *state;
    assert_int_equal(keeper_open(k, "db", "archive"), NQ_OK);
    keeper_put_range(k, 0, 100);
    keeper_crash(k);
    assert_int_equal(keeper_open(k, "db", "archive"), NQ_OK);
    keeper_put_range(k, 100, 110);
    assert_int_equal(failures_of(k), 0);
}

static void a_damaged_segment_that_is_offered_again_is_replaced(void **state) {
    keeper *k = *state;
    char path[128];
    assert_int_equal(keeper_open(k, "db", "archive"), NQ_OK);
    keeper_put_range(k, 0, 40);
    keeper_segment_path(path, "archive", 0);
    keeper_crash(k);
    assert_true(nq_sim_vfs_flip_bit(k->disk, path, 5000, 3));
    assert_int_equal(keeper_open(k, "db", "archive"), NQ_OK);
    keeper_put_range(k, 40, 80);
    assert_int_equal(failures_of(k), 0);
}

static void an_archive_that_fails_holds_the_log_back_and_catches_up(void **state) {
    keeper *k = *state;
    assert_int_equal(keeper_open(k, "db", "archive"), NQ_OK);
    assert_int_equal(nq_vfs_make_dir(&k->ctx, k->vfs, IN_THE_WAY), NQ_OK);
    keeper_put_range(k, 0, 40);
    assert_true(failures_of(k) > 0);
    assert_true(is_refusing(k));
    assert_int_equal(nq_store_checkpoint(&k->ctx, k->store, NULL), NQ_OK);
    assert_true(exists(k, "db/log/0000000000000000.log"));
    assert_int_equal(nq_vfs_remove_dir(&k->ctx, k->vfs, IN_THE_WAY), NQ_OK);
    keeper_put_range(k, 40, 80);
    assert_false(is_refusing(k));
    assert_true(is_archived(k, "archive", 0));
    assert_int_equal(nq_store_checkpoint(&k->ctx, k->store, NULL), NQ_OK);
    assert_false(exists(k, "db/log/0000000000000000.log"));
}

static void another_stores_archive_is_refused(void **state) {
    keeper *k = *state;
    assert_int_equal(keeper_open(k, "db", "archive"), NQ_OK);
    assert_int_equal(keeper_close(k), NQ_OK);
    assert_int_equal(keeper_open(k, "other", "archive"), NQ_FILE_FOREIGN);
    assert_non_null(strstr(k->ctx.error.message, "archive/OWNER"));
}

static void an_archive_in_use_is_refused(void **state) {
    keeper *k = *state;
    keeper second;
    keeper_share(&second, k);
    assert_int_equal(keeper_open(k, "db", "archive"), NQ_OK);
    assert_int_equal(keeper_open(&second, "other", "archive"), NQ_DATABASE_LOCKED);
    keeper_deinit(&second);
}

static void the_data_directory_and_the_log_are_no_archive(void **state) {
    keeper *k = *state;
    assert_int_equal(keeper_open(k, "db", "db"), NQ_INVALID_ARGUMENT);
    assert_int_equal(keeper_open(k, "db", "db/."), NQ_INVALID_ARGUMENT);
    assert_int_equal(keeper_open(k, "db", "db/log"), NQ_FILE_FOREIGN);
    assert_int_equal(keeper_open(k, "db", "missing/archive"), NQ_IO_ERROR);
    assert_non_null(strstr(k->ctx.error.message, "missing/archive"));
}

static void the_log_copy_has_a_directory_of_its_own_as_well(void **state) {
    keeper *k = *state;
    nq_store_stats stats;
    k->options.log_copy_directory = "db";
    assert_int_equal(keeper_open(k, "db", NULL), NQ_INVALID_ARGUMENT);
    k->options.log_copy_directory = "db/log";
    assert_int_equal(keeper_open(k, "db", NULL), NQ_FILE_FOREIGN);
    k->options.log_copy_directory = "copy";
    assert_int_equal(keeper_open(k, "db", "copy"), NQ_DATABASE_LOCKED);
    assert_int_equal(keeper_open(k, "db", NULL), NQ_OK);
    nq_store_get_stats(k->store, &stats);
    assert_true(stats.log_has_copy);
    assert_int_equal(keeper_close(k), NQ_OK);
    assert_int_equal(keeper_open(k, "other", NULL), NQ_FILE_FOREIGN);
    k->options.log_copy_directory = "elsewhere";
    assert_int_equal(keeper_open(k, "db", "copy"), NQ_FILE_FOREIGN);
}

static void a_copy_elsewhere_stands_in_for_a_lost_log(void **state) {
    keeper *k = *state;
    k->options.log_copy_directory = "copy";
    assert_int_equal(keeper_open(k, "db", NULL), NQ_OK);
    keeper_put_range(k, 0, 10);
    keeper_crash(k);
    assert_true(nq_sim_vfs_wipe(k->disk, "db/log/0000000000000000.log", 0, KEEPER_SEGMENT_BYTES));
    assert_int_equal(keeper_open(k, "db", NULL), NQ_OK);
    /* The last commit may be on the first device alone: the copy is written before the next. */
    assert_in_range(keeper_count(k), 9, 10);
}

#define ARCHIVE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ARCHIVE_TEST(full_segments_are_archived_durably),
        ARCHIVE_TEST(a_segment_offered_again_is_compared_and_kept),
        ARCHIVE_TEST(a_damaged_segment_that_is_offered_again_is_replaced),
        ARCHIVE_TEST(an_archive_that_fails_holds_the_log_back_and_catches_up),
        ARCHIVE_TEST(another_stores_archive_is_refused),
        ARCHIVE_TEST(an_archive_in_use_is_refused),
        ARCHIVE_TEST(the_data_directory_and_the_log_are_no_archive),
        ARCHIVE_TEST(the_log_copy_has_a_directory_of_its_own_as_well),
        ARCHIVE_TEST(a_copy_elsewhere_stands_in_for_a_lost_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
