/* Restore: a base copy and the log since are the database again, to any point, or a typed error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/os/clock.h"
#include "engine/ground/os/sim_clock.h"
#include "engine/storage/backup/restore.h"
#include "tests/engine/storage/backup/keeper.h"

enum { BASE_KEYS = 50, KEYS = 200, SECOND_NS = 1000000000 };

/* What set_up leaves: a base copy of BASE_KEYS, an archive, and a closed store of KEYS. */
typedef struct fixture {
    keeper k;
    nq_lsn lsns[KEYS];      /* behind each key's commit */
    int64_t times_us[KEYS]; /* not before it, and before the next */
    nq_restore_options options;
    nq_restore_result result;
} fixture;

/* ---- Files ---- */

static void copy_file(keeper *k, const char *from, const char *to) {
    nq_file *source, *target;
    uint64_t bytes;
    size_t got;
    assert_int_equal(nq_vfs_open(&k->ctx, k->vfs, from, NQ_OPEN_READ_ONLY, &source), NQ_OK);
    assert_int_equal(nq_file_size(&k->ctx, source, &bytes), NQ_OK);
    uint8_t *content = malloc(bytes);
    assert_int_equal(nq_file_read_at(&k->ctx, source, 0, content, bytes, &got), NQ_OK);
    assert_int_equal(nq_vfs_open(&k->ctx, k->vfs, to, NQ_OPEN_CREATE, &target), NQ_OK);
    assert_int_equal(nq_file_write_at(&k->ctx, target, 0, content, bytes), NQ_OK);
    assert_int_equal(nq_file_sync_data(&k->ctx, target), NQ_OK);
    nq_file_close(source);
    nq_file_close(target);
    free(content);
}

typedef struct copying {
    keeper *k;
    uint32_t count;
    char names[16][64];
} copying;

static void take_name(void *user, const char *name) {
    copying *c = user;
    assert_true(c->count < 16);
    (void)snprintf(c->names[c->count++], 64, "%s", name);
}

/* As an operator would, of a store that is closed. */
static void copy_store(keeper *k, const char *from, const char *to) {
    char source[128], target[128];
    copying logs = {.k = k};
    (void)snprintf(target, sizeof target, "%s/log", to);
    assert_int_equal(nq_vfs_make_dir_durably(&k->ctx, k->vfs, to), NQ_OK);
    assert_int_equal(nq_vfs_make_dir_durably(&k->ctx, k->vfs, target), NQ_OK);
    (void)snprintf(source, sizeof source, "%s/data.nqdb", from);
    (void)snprintf(target, sizeof target, "%s/data.nqdb", to);
    copy_file(k, source, target);
    (void)snprintf(source, sizeof source, "%s/log", from);
    assert_int_equal(nq_vfs_list_dir(&k->ctx, k->vfs, source, take_name, &logs), NQ_OK);
    for (uint32_t i = 0; i < logs.count; i++) {
        (void)snprintf(source, sizeof source, "%s/log/%s", from, logs.names[i]);
        (void)snprintf(target, sizeof target, "%s/log/%s", to, logs.names[i]);
        copy_file(k, source, target);
    }
    (void)snprintf(target, sizeof target, "%s/log", to);
    assert_int_equal(nq_vfs_sync_dir(&k->ctx, k->vfs, target), NQ_OK);
    assert_int_equal(nq_vfs_sync_dir(&k->ctx, k->vfs, to), NQ_OK);
}

/* ---- The fixture ---- */

static void put_range(fixture *f, uint32_t from, uint32_t to) {
    for (uint32_t number = from; number < to; number++) {
        f->lsns[number] = keeper_put(&f->k, number);
        f->times_us[number] = nq_clock_realtime_us();
        nq_sim_clock_advance(SECOND_NS);
    }
}

static int set_up(void **state) {
    static fixture shared;
    fixture *f = &shared;
    *f = (fixture){0};
    keeper_init(&f->k, 1);
    nq_sim_clock_start(1, INT64_C(1700000000000000));
    assert_int_equal(keeper_open(&f->k, "db", "archive"), NQ_OK);
    put_range(f, 0, BASE_KEYS);
    assert_int_equal(keeper_close(&f->k), NQ_OK);
    copy_store(&f->k, "db", "base");
    assert_int_equal(keeper_open(&f->k, "db", "archive"), NQ_OK);
    put_range(f, BASE_KEYS, KEYS);
    f->options = (nq_restore_options){.base = "base",
                                      .archive = "archive",
                                      .log = "db/log",
                                      .target = "new",
                                      .until_us = INT64_MAX,
                                      .cache_bytes = 1 << 20};
    keeper_crash(&f->k);
    nq_sim_clock_stop();
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    keeper_deinit(&f->k);
    return 0;
}

static nq_status restore(fixture *f) {
    return nq_restore_run(&f->k.ctx, f->k.vfs, &f->options, &f->result);
}

/* How many keys the restored store holds; whether it opens at all is asked as a server would. */
static uint32_t count_restored(fixture *f) {
    keeper second;
    keeper_share(&second, &f->k);
    assert_int_equal(nq_restore_check(&f->k.ctx, f->k.vfs, f->options.target), NQ_OK);
    assert_int_equal(keeper_open(&second, f->options.target, NULL), NQ_OK);
    uint32_t count = keeper_count(&second);
    assert_int_equal(nq_store_verify(&second.ctx, second.store), NQ_OK);
    keeper_deinit(&second);
    return count;
}

/* ---- Where it ends ---- */

static void the_base_the_archive_and_the_lost_log_are_everything(void **state) {
    fixture *f = *state;
    assert_int_equal(restore(f), NQ_OK);
    assert_int_equal(f->result.commits, KEYS - BASE_KEYS);
    assert_int_equal(f->result.lsn.value, f->lsns[KEYS - 1].value);
    assert_true(f->result.archived > 2);
    assert_false(f->result.is_cut);
    assert_int_equal(count_restored(f), KEYS);
}

static void the_archive_alone_lacks_less_than_a_segment(void **state) {
    fixture *f = *state;
    f->options.log = NULL;
    assert_int_equal(restore(f), NQ_OK);
    uint32_t count = count_restored(f);
    assert_true(count < KEYS);
    assert_true(f->lsns[KEYS - 1].value - f->lsns[count - 1].value < 2 * KEEPER_SEGMENT_BYTES);
}

static void a_base_copy_alone_is_what_it_was(void **state) {
    fixture *f = *state;
    f->options.log = NULL;
    f->options.archive = NULL;
    assert_int_equal(restore(f), NQ_OK);
    assert_int_equal(f->result.commits, 0);
    assert_int_equal(count_restored(f), BASE_KEYS);
}

static void a_position_is_the_last_commit_that_is_there(void **state) {
    fixture *f = *state;
    for (uint32_t keys = BASE_KEYS + 1; keys < KEYS; keys += 13) {
        char target[32];
        (void)snprintf(target, sizeof target, "until-%u", keys);
        f->options.target = target;
        f->options.until = f->lsns[keys - 1];
        assert_int_equal(restore(f), NQ_OK);
        assert_true(f->result.is_cut);
        assert_int_equal(f->result.lsn.value, f->lsns[keys - 1].value);
        assert_int_equal(count_restored(f), keys);
        assert_int_equal(count_restored(f), keys); /* and nothing comes back later */
    }
}

static void a_position_before_the_first_commit_leaves_the_base(void **state) {
    fixture *f = *state;
    f->options.until.value = f->lsns[BASE_KEYS].value - 1;
    assert_int_equal(restore(f), NQ_OK);
    assert_true(f->result.is_cut);
    assert_int_equal(count_restored(f), BASE_KEYS);
}

static void a_time_is_the_last_commit_not_made_after_it(void **state) {
    fixture *f = *state;
    f->options.until_us = f->times_us[120];
    assert_int_equal(restore(f), NQ_OK);
    assert_int_equal(f->result.time_us, f->times_us[120]);
    assert_int_equal(count_restored(f), 121);
}

/* What an atomic snapshot of the file system is: nothing changes while it is copied. */
static void a_snapshot_of_a_running_store_is_a_base_copy(void **state) {
    fixture *f = *state;
    assert_int_equal(keeper_open(&f->k, "db", "archive"), NQ_OK);
    nq_lsn point = keeper_put(&f->k, KEYS);
    copy_store(&f->k, "db", "snapshot");
    for (uint32_t number = KEYS + 1; number < KEYS + 100; number++) {
        nq_lsn end = keeper_put(&f->k, number);
        point = number < KEYS + 60 ? end : point;
    }
    keeper_crash(&f->k);
    f->options.base = "snapshot";
    f->options.until = point;
    assert_int_equal(restore(f), NQ_OK);
    assert_int_equal(count_restored(f), KEYS + 60);
}

static void a_restored_store_goes_on_from_there(void **state) {
    fixture *f = *state;
    f->options.until = f->lsns[99];
    assert_int_equal(restore(f), NQ_OK);
    assert_int_equal(keeper_open(&f->k, "new", "new-archive"), NQ_OK);
    keeper_put_range(&f->k, 100, 180);
    keeper_crash(&f->k);
    assert_int_equal(keeper_open(&f->k, "new", "new-archive"), NQ_OK);
    assert_int_equal(keeper_count(&f->k), 180);
}

static void the_old_archive_does_not_take_the_new_history(void **state) {
    fixture *f = *state;
    nq_store_stats stats;
    f->options.until = f->lsns[99];
    assert_int_equal(restore(f), NQ_OK);
    assert_int_equal(keeper_open(&f->k, "new", "archive"), NQ_OK);
    keeper_put_range(&f->k, 100, 160);
    nq_store_get_stats(f->k.store, &stats);
    assert_true(stats.log_archive_is_refusing);
    assert_int_equal(keeper_close(&f->k), NQ_OK);
    f->options.target = "again";
    f->options.until = (nq_lsn){0};
    assert_int_equal(restore(f), NQ_OK);
    assert_int_equal(count_restored(f), KEYS);
}

/* ---- What is missing or damaged ---- */

static uint64_t segment_of(nq_lsn lsn) {
    return lsn.value / KEEPER_SEGMENT_BYTES;
}

static void a_gap_in_the_archive_is_named(void **state) {
    fixture *f = *state;
    char path[128];
    f->options.log = NULL;
    keeper_segment_path(path, "archive", segment_of(f->lsns[120]));
    assert_int_equal(nq_vfs_unlink(&f->k.ctx, f->k.vfs, path), NQ_OK);
    assert_int_equal(restore(f), NQ_LOG_CORRUPT);
    assert_non_null(strstr(f->k.ctx.error.message, path));
    f->options.until = f->lsns[90];
    assert_int_equal(restore(f), NQ_OK);
    assert_int_equal(count_restored(f), 91);
}

static void damage_in_the_archive_is_named_with_its_offset(void **state) {
    fixture *f = *state;
    char path[128], expected[200];
    keeper_segment_path(path, "archive", segment_of(f->lsns[120]));
    (void)snprintf(expected, sizeof expected, "%s, offset 8192: ", path);
    assert_true(nq_sim_vfs_flip_bit(f->k.disk, path, 8192 + 77, 5));
    assert_int_equal(restore(f), NQ_LOG_CORRUPT);
    assert_non_null(strstr(f->k.ctx.error.message, expected));
    assert_int_equal(nq_restore_check(&f->k.ctx, f->k.vfs, "new"), NQ_FILE_FOREIGN);
}

static void a_segment_that_is_cut_off_is_named(void **state) {
    fixture *f = *state;
    char path[128];
    nq_file *file;
    keeper_segment_path(path, "archive", segment_of(f->lsns[120]));
    assert_int_equal(nq_vfs_open(&f->k.ctx, f->k.vfs, path, 0, &file), NQ_OK);
    assert_int_equal(nq_file_truncate(&f->k.ctx, file, 20000), NQ_OK);
    nq_file_close(file);
    assert_int_equal(restore(f), NQ_LOG_CORRUPT);
    assert_non_null(strstr(f->k.ctx.error.message, "offset 20000"));
}

static void another_databases_archive_is_refused(void **state) {
    fixture *f = *state;
    assert_int_equal(keeper_open(&f->k, "other", "others"), NQ_OK);
    assert_int_equal(keeper_close(&f->k), NQ_OK);
    f->options.archive = "others";
    assert_int_equal(restore(f), NQ_FILE_FOREIGN);
    f->options.archive = "base";
    assert_int_equal(restore(f), NQ_FILE_FOREIGN);
}

static void a_position_that_cannot_be_met_is_refused(void **state) {
    fixture *f = *state;
    f->options.until = f->lsns[10];
    assert_int_equal(restore(f), NQ_INVALID_ARGUMENT);
    assert_non_null(strstr(f->k.ctx.error.message, "take an older one"));
    f->options.until.value = f->lsns[KEYS - 1].value + 1;
    assert_int_equal(restore(f), NQ_INVALID_ARGUMENT);
    assert_non_null(strstr(f->k.ctx.error.message, "the log ends"));
}

static void a_target_with_a_database_is_left_alone(void **state) {
    fixture *f = *state;
    f->options.target = "db";
    assert_int_equal(restore(f), NQ_INVALID_ARGUMENT);
    assert_int_equal(nq_restore_check(&f->k.ctx, f->k.vfs, "db"), NQ_OK);
    assert_int_equal(count_restored(f), KEYS);
}

static void a_base_that_a_server_has_open_is_refused(void **state) {
    fixture *f = *state;
    f->options.base = "db";
    assert_int_equal(keeper_open(&f->k, "db", NULL), NQ_OK);
    assert_int_equal(restore(f), NQ_DATABASE_LOCKED);
}

/* ---- Crashes ---- */

/* Cuts the power in the nth I/O of a restore on a copy of the disk; false: it had fewer. */
static bool crash_in_restore(fixture *f, uint64_t nth) {
    fixture copy = *f;
    nq_ctx_init(&copy.k.ctx, NULL);
    assert_int_equal(nq_sim_vfs_clone(&copy.k.ctx, f->k.disk, nth, &copy.k.disk), NQ_OK);
    copy.k.vfs = nq_sim_vfs_as_vfs(copy.k.disk);
    nq_sim_vfs_fault_at(copy.k.disk, NQ_SIM_POWER_CUT, nth);
    bool is_whole = restore(&copy) == NQ_OK;
    nq_sim_vfs_fault_at(copy.k.disk, NQ_SIM_POWER_CUT, 0);
    nq_sim_vfs_restart(copy.k.disk);
    bool has_data;
    assert_int_equal(nq_vfs_exists(&copy.k.ctx, copy.k.vfs, "new/data.nqdb", &has_data), NQ_OK);
    bool is_finished = nq_restore_check(&copy.k.ctx, copy.k.vfs, "new") == NQ_OK && has_data;
    assert_true(is_finished || !is_whole);
    if (!is_finished) {
        assert_int_equal(restore(&copy), NQ_OK);
    }
    assert_int_equal(count_restored(&copy), 121);
    nq_sim_vfs_destroy(copy.k.disk);
    return !is_whole;
}

static void a_restore_that_a_crash_cut_short_is_never_opened_and_begins_anew(void **state) {
    fixture *f = *state;
    f->options.until = f->lsns[120];
    uint64_t nth = 1;
    while (crash_in_restore(f, nth)) {
        nth += nth < 40 ? 1 : 7;
    }
    assert_true(nth > 100);
}

#define RESTORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        RESTORE_TEST(the_base_the_archive_and_the_lost_log_are_everything),
        RESTORE_TEST(the_archive_alone_lacks_less_than_a_segment),
        RESTORE_TEST(a_base_copy_alone_is_what_it_was),
        RESTORE_TEST(a_position_is_the_last_commit_that_is_there),
        RESTORE_TEST(a_position_before_the_first_commit_leaves_the_base),
        RESTORE_TEST(a_time_is_the_last_commit_not_made_after_it),
        RESTORE_TEST(a_snapshot_of_a_running_store_is_a_base_copy),
        RESTORE_TEST(a_restored_store_goes_on_from_there),
        RESTORE_TEST(the_old_archive_does_not_take_the_new_history),
        RESTORE_TEST(a_gap_in_the_archive_is_named),
        RESTORE_TEST(damage_in_the_archive_is_named_with_its_offset),
        RESTORE_TEST(a_segment_that_is_cut_off_is_named),
        RESTORE_TEST(another_databases_archive_is_refused),
        RESTORE_TEST(a_position_that_cannot_be_met_is_refused),
        RESTORE_TEST(a_target_with_a_database_is_left_alone),
        RESTORE_TEST(a_base_that_a_server_has_open_is_refused),
        RESTORE_TEST(a_restore_that_a_crash_cut_short_is_never_opened_and_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
