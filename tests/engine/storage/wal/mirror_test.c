/* Log mirror: a log on two devices, each of which may fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/os/sim_vfs.h"
#include "engine/storage/wal/log.h"
#include "engine/storage/wal/log_mirror.h"
#include "engine/storage/wal/log_segment.h"

enum { SALT = 77, SEGMENT_BYTES = 64 << 10, VALUE_BYTES = 3000 };

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disks[2];
    nq_log *log;
} fixture;

static nq_log_segment_options segments_of(fixture *f, int disk) {
    return (nq_log_segment_options){.vfs = nq_sim_vfs_as_vfs(f->disks[disk]),
                                    .directory = "log",
                                    .segment_bytes = SEGMENT_BYTES};
}

/* Opens the log over both devices and reads it; returns the number of records but for starts. */
static uint64_t open_log(fixture *f) {
    nq_log_options options = {.salt = SALT};
    nq_log_sink *sinks[2];
    nq_log_segment_options first = segments_of(f, 0);
    nq_log_segment_options second = segments_of(f, 1);
    uint64_t count = 0;
    uint64_t cut_bytes;
    bool is_end = false;
    assert_int_equal(nq_log_segments_open(&f->ctx, &first, (nq_lsn){0}, &sinks[0]), NQ_OK);
    assert_int_equal(nq_log_segments_open_copy(&f->ctx, &second, (nq_lsn){0}, &sinks[1]), NQ_OK);
    assert_int_equal(nq_log_mirror_create(&f->ctx, sinks[0], sinks[1], &options.sink), NQ_OK);
    assert_int_equal(nq_log_open(&f->ctx, &options, (nq_lsn){0}, &f->log), NQ_OK);
    while (!is_end) {
        nq_log_record record;
        nq_lsn end;
        assert_int_equal(nq_log_read(&f->ctx, f->log, &record, &end, &is_end), NQ_OK);
        count += !is_end && record.kind != NQ_RECORD_START;
    }
    assert_int_equal(nq_log_start(&f->ctx, f->log, &cut_bytes), NQ_OK);
    return count;
}

static int set_up(void **state) {
    static fixture shared;
    fixture *f = &shared;
    *f = (fixture){0};
    nq_ctx_init(&f->ctx, NULL);
    for (int i = 0; i < 2; i++) {
        const nq_sim_options sim = {.seed = (uint64_t)i + 1};
        assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disks[i]), NQ_OK);
        nq_log_segment_options segments = segments_of(f, i);
        assert_int_equal(nq_vfs_make_dir_durably(&f->ctx, segments.vfs, "log"), NQ_OK);
    }
    nq_log_segment_options first = segments_of(f, 0);
    assert_int_equal(nq_log_segments_create(&f->ctx, &first, (nq_lsn){0}), NQ_OK);
    assert_int_equal(open_log(f), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    nq_log_close(f->log);
    nq_sim_vfs_destroy(f->disks[0]);
    nq_sim_vfs_destroy(f->disks[1]);
    return 0;
}

static nq_status append(fixture *f) {
    static uint8_t value[VALUE_BYTES];
    const nq_log_record record = {.kind = NQ_RECORD_PUT,
                                  .tree = 1,
                                  .key = NQ_BYTES_LITERAL("k"),
                                  .value = nq_bytes_of(value, sizeof value)};
    size_t bytes = nq_record_bytes(&record);
    nq_lsn end;
    NQ_TRY(nq_log_reserve(&f->ctx, f->log, bytes, bytes));
    NQ_TRY(nq_log_append(&f->ctx, f->log, &record, 1, &end));
    return nq_log_sync(&f->ctx, f->log, end);
}

static void append_many(fixture *f, int count) {
    for (int i = 0; i < count; i++) {
        assert_int_equal(append(f), NQ_OK);
    }
}

static nq_log_stats stats_of(fixture *f) {
    nq_log_stats stats;
    nq_log_get_stats(f->log, &stats);
    return stats;
}

static void a_lost_first_device_costs_nothing_that_was_copied(void **state) {
    fixture *f = *state;
    append_many(f, 40);
    append_many(f, 1); /* the write before it has made the copy whole */
    nq_log_close(f->log);
    assert_true(nq_sim_vfs_wipe(f->disks[0], "log/0000000000000000.log", 0, SEGMENT_BYTES));
    assert_int_equal(open_log(f), 41);
}

static void a_copy_whose_device_fails_is_left_behind_and_said_to_be(void **state) {
    fixture *f = *state;
    append_many(f, 5);
    assert_true(stats_of(f).has_copy);
    assert_false(stats_of(f).is_copy_lost);
    nq_sim_vfs_cut_power(f->disks[1]);
    append_many(f, 100); /* several segments: room is made on one device alone */
    assert_int_equal(nq_log_health(f->log), NQ_OK);
    assert_true(stats_of(f).is_copy_lost);
    assert_int_equal(nq_log_recycle(&f->ctx, f->log, (nq_lsn){0}, 0), NQ_OK);
}

static void a_failed_sync_of_the_copy_loses_the_copy_and_no_commit(void **state) {
    fixture *f = *state;
    append_many(f, 5);
    nq_sim_vfs_fault_at(f->disks[1], NQ_SIM_SYNC_ERROR, 1);
    append_many(f, 5);
    assert_true(stats_of(f).is_copy_lost);
    nq_log_close(f->log);
    nq_sim_vfs_crash(f->disks[0]);
    nq_sim_vfs_crash(f->disks[1]);
    assert_int_equal(open_log(f), 10);
}

static void a_copy_that_comes_back_is_brought_up_to_date(void **state) {
    fixture *f = *state;
    append_many(f, 5);
    nq_sim_vfs_cut_power(f->disks[1]);
    append_many(f, 100);
    nq_log_close(f->log);
    nq_sim_vfs_restart(f->disks[1]);
    assert_int_equal(open_log(f), 105);
    assert_false(stats_of(f).is_copy_lost);
    nq_log_close(f->log);
    assert_true(nq_sim_vfs_wipe(f->disks[0], "log/0000000000000001.log", 0, SEGMENT_BYTES));
    assert_int_equal(open_log(f), 105);
}

static void a_first_device_that_fails_still_ends_the_log(void **state) {
    fixture *f = *state;
    append_many(f, 5);
    nq_sim_vfs_cut_power(f->disks[0]);
    assert_int_not_equal(append(f), NQ_OK);
    assert_int_equal(nq_log_health(f->log), NQ_IO_ERROR);
    assert_false(stats_of(f).is_copy_lost);
    nq_log_close(f->log);
    nq_sim_vfs_restart(f->disks[0]);
    assert_int_equal(open_log(f), 5);
}

static void a_full_device_of_the_copy_refuses_and_loses_nothing(void **state) {
    fixture *f = *state;
    append_many(f, 5);
    nq_sim_vfs_set_capacity(f->disks[1], 1);
    nq_status status = NQ_OK;
    for (int i = 0; i < 100 && status == NQ_OK; i++) {
        status = append(f);
    }
    assert_int_equal(status, NQ_DISK_FULL);
    assert_false(stats_of(f).is_copy_lost);
    nq_sim_vfs_set_capacity(f->disks[1], 0);
    assert_int_equal(append(f), NQ_OK);
}

#define MIRROR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        MIRROR_TEST(a_lost_first_device_costs_nothing_that_was_copied),
        MIRROR_TEST(a_copy_whose_device_fails_is_left_behind_and_said_to_be),
        MIRROR_TEST(a_failed_sync_of_the_copy_loses_the_copy_and_no_commit),
        MIRROR_TEST(a_copy_that_comes_back_is_brought_up_to_date),
        MIRROR_TEST(a_first_device_that_fails_still_ends_the_log),
        MIRROR_TEST(a_full_device_of_the_copy_refuses_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
