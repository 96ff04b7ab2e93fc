/* Log: append, group commit, reading back, the torn tail, the broken middle, recycling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/ground/os/mutex.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/wal/log.h"
#include "engine/storage/wal/log_segment.h"

enum { SEGMENT_BYTES = 32 << 10, SALT = 5 };

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_log_segment_options segments;
    nq_log *log;
    uint32_t run;
    nq_log_archive *archive;
    nq_lsn end;   /* behind the last record that reopen found, */
    uint64_t cut; /* and what it cut off */
} fixture;

/* A new log in a directory of a new disk. */
static fixture *make_log_on(const nq_sim_options *sim, const char *directory,
                            uint32_t segment_bytes) {
    static fixture shared;
    fixture *f = &shared;
    *f = (fixture){0};
    nq_ctx_init(&f->ctx, NULL);
    assert_int_equal(nq_sim_vfs_create(&f->ctx, sim, &f->disk), NQ_OK);
    f->segments = (nq_log_segment_options){
        .vfs = nq_sim_vfs_as_vfs(f->disk), .directory = directory, .segment_bytes = segment_bytes};
    assert_int_equal(nq_vfs_make_dir(&f->ctx, f->segments.vfs, directory), NQ_OK);
    assert_int_equal(nq_vfs_sync_dir(&f->ctx, f->segments.vfs, "."), NQ_OK);
    assert_int_equal(nq_log_segments_create(&f->ctx, &f->segments, (nq_lsn){0}), NQ_OK);
    return f;
}

static fixture *make_log(const char *directory, uint32_t segment_bytes) {
    return make_log_on(&(nq_sim_options){.seed = 1}, directory, segment_bytes);
}

static void open_log(fixture *f, nq_lsn start) {
    nq_log_options options = {
        .salt = SALT, .run = f->run, .archive = f->archive, .archive_bytes_max = 2 * SEGMENT_BYTES};
    assert_int_equal(nq_log_segments_open(&f->ctx, &f->segments, start, &options.sink), NQ_OK);
    assert_int_equal(nq_log_open(&f->ctx, &options, start, &f->log), NQ_OK);
}

/* Opens from `start` and reads to the end; returns the number of records but for starts. */
static uint64_t reopen(fixture *f, nq_lsn start) {
    open_log(f, start);
    uint64_t count = 0;
    f->end = start;
    for (;;) {
        nq_log_record record;
        nq_lsn end;
        bool is_end;
        assert_int_equal(nq_log_read(&f->ctx, f->log, &record, &end, &is_end), NQ_OK);
        if (is_end) {
            break;
        }
        f->end = end;
        count += record.kind == NQ_RECORD_START ? 0 : 1;
    }
    assert_int_equal(nq_log_start(&f->ctx, f->log, &f->cut), NQ_OK);
    return count;
}

static nq_lsn append(fixture *f, size_t value_bytes) {
    static uint8_t value[1 << 21];
    nq_log_record record = {.kind = NQ_RECORD_PUT,
                            .tree = 1,
                            .key = NQ_BYTES_LITERAL("k"),
                            .value = nq_bytes_of(value, value_bytes)};
    nq_lsn end;
    size_t bytes = nq_record_bytes(&record);
    assert_int_equal(nq_log_reserve(&f->ctx, f->log, bytes, bytes), NQ_OK);
    assert_int_equal(nq_log_append(&f->ctx, f->log, &record, 1, &end), NQ_OK);
    return end;
}

static nq_lsn append_durably(fixture *f, size_t value_bytes) {
    nq_lsn end = append(f, value_bytes);
    assert_int_equal(nq_log_sync(&f->ctx, f->log, end), NQ_OK);
    return end;
}

static int set_up(void **state) {
    fixture *f = make_log("log", SEGMENT_BYTES);
    *state = f;
    assert_int_equal(reopen(f, (nq_lsn){0}), 0);
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    nq_log_close(f->log);
    nq_sim_vfs_destroy(f->disk);
    return 0;
}

static void what_was_synced_is_read_back_after_a_crash(void **state) {
    fixture *f = *state;
    nq_lsn last = {0};
    for (int i = 0; i < 50; i++) {
        last = append_durably(f, (size_t)i * 100);
    }
    append(f, 10); /* not synced */
    nq_sim_vfs_cut_power(f->disk);
    nq_log_close(f->log);
    nq_sim_vfs_restart(f->disk);
    assert_int_equal(reopen(f, (nq_lsn){0}), 50);
    assert_int_equal(f->end.value, last.value);
}

static nq_lsn append_and_write(fixture *f, size_t value_bytes) {
    nq_lsn end = append(f, value_bytes);
    assert_int_equal(nq_log_write(&f->ctx, f->log, end), NQ_OK);
    return end;
}

static void records_appended_together_are_read_back_one_by_one(void **state) {
    fixture *f = *state;
    enum { RECORDS = 9, VALUE_BYTES = 300 << 10 }; /* more than a buffer holds */
    static uint8_t value[VALUE_BYTES];
    nq_log_record records[RECORDS];
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < RECORDS; i++) {
        records[i] = (nq_log_record){.kind = NQ_RECORD_PUT,
                                     .tree = 1 + i,
                                     .key = NQ_BYTES_LITERAL("k"),
                                     .value = nq_bytes_of(value, VALUE_BYTES)};
        bytes += nq_record_bytes(&records[i]);
    }
    nq_log_stats before;
    nq_log_stats after;
    nq_log_get_stats(f->log, &before);
    assert_int_equal(nq_log_reserve(&f->ctx, f->log, bytes, nq_record_bytes(&records[0])), NQ_OK);
    nq_lsn end;
    assert_int_equal(nq_log_append(&f->ctx, f->log, records, RECORDS, &end), NQ_OK);
    assert_int_equal(nq_log_end(f->log).value, end.value);
    nq_log_get_stats(f->log, &after);
    assert_int_equal(after.bytes_appended - before.bytes_appended, bytes);
    assert_int_equal(nq_log_sync(&f->ctx, f->log, end), NQ_OK);
    nq_sim_vfs_cut_power(f->disk);
    nq_log_close(f->log);
    nq_sim_vfs_restart(f->disk);
    assert_int_equal(reopen(f, (nq_lsn){0}), RECORDS);
    assert_int_equal(f->end.value, end.value);
}

/* Puts a copy of the disk in its place as it is, page cache included: the process has ended. */
static void end_process(fixture *f) {
    nq_sim_vfs *copy;
    assert_int_equal(nq_sim_vfs_clone(&f->ctx, f->disk, 2, &copy), NQ_OK);
    nq_sim_vfs_cut_power(f->disk);
    nq_log_close(f->log);
    nq_sim_vfs_destroy(f->disk);
    f->disk = copy;
    f->segments.vfs = nq_sim_vfs_as_vfs(copy);
}

static void what_was_written_survives_the_end_of_the_process(void **state) {
    fixture *f = *state;
    nq_lsn last = {0};
    for (int i = 0; i < 50; i++) {
        last = i % 7 == 0 ? append_durably(f, 200) : append_and_write(f, (size_t)i * 100);
    }
    append(f, 10); /* in the buffer only */
    end_process(f);
    assert_int_equal(reopen(f, (nq_lsn){0}), 50);
    assert_int_equal(f->end.value, last.value);
    assert_int_equal(f->cut, 0);
}

static void small_groups_share_blocks_until_they_are_synced(void **state) {
    fixture *f = *state;
    nq_lsn end;
    for (int i = 0; i < 10; i++) {
        end = append_and_write(f, 50);
    }
    nq_lsn before = nq_log_durable_end(f->log);
    assert_true(end.value < before.value + NQ_LOG_BLOCK_BYTES);
    assert_int_equal(nq_log_sync(&f->ctx, f->log, end), NQ_OK);
    assert_int_equal(nq_log_durable_end(f->log).value, before.value + NQ_LOG_BLOCK_BYTES);
    assert_true(append(f, 1).value > before.value + NQ_LOG_BLOCK_BYTES);
}

static void the_unsynced_part_of_the_log_is_bounded(void **state) {
    fixture *f = *state;
    nq_lsn end;
    for (int i = 0; i < 400; i++) {
        end = append_and_write(f, 50000);
        assert_true(end.value < nq_log_durable_end(f->log).value + (9 << 20));
    }
}

static void records_larger_than_a_segment_and_the_buffer_survive(void **state) {
    fixture *f = *state;
    for (int i = 0; i < 6; i++) {
        append(f, 700000);
    }
    append(f, (1 << 21) - 100);
    nq_lsn last = append_durably(f, 1);
    nq_log_close(f->log);
    assert_int_equal(reopen(f, (nq_lsn){0}), 8);
    assert_int_equal(f->end.value, last.value);
    assert_int_equal(f->cut, 0);
}

/* Flips a bit of the third group and expects to be told where, after the start and a record. */
static void expect_refusal(fixture *f) {
    nq_lsn end;
    assert_true(nq_sim_vfs_flip_bit(f->disk, "log/0000000000000000.log", 2 * 4096 + 60, 3));
    open_log(f, (nq_lsn){0});
    nq_status status = NQ_OK;
    int count = -1;
    while (status == NQ_OK) {
        nq_log_record record;
        bool is_end;
        status = nq_log_read(&f->ctx, f->log, &record, &end, &is_end);
        assert_false(status == NQ_OK && is_end);
        count++;
    }
    assert_int_equal(status, NQ_LOG_CORRUPT);
    assert_int_equal(count, 2);
    assert_non_null(strstr(f->ctx.error.message, "log/0000000000000000.log, offset 8192"));
    assert_non_null(strstr(f->ctx.error.message, "log/0000000000000000.log, offset 12288"));
}

static void a_broken_group_below_the_durable_end_is_refused_and_named(void **state) {
    fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        append_durably(f, 100);
    }
    nq_log_close(f->log);
    expect_refusal(f);
}

static void a_written_group_is_witness_enough(void **state) {
    fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        append_durably(f, 100);
    }
    append_and_write(f, 100);
    nq_log_close(f->log);
    expect_refusal(f);
}

/* A log of segments of a MiB with more than 8 MiB of small groups, each synced before the next. */
static int set_up_long(void **state) {
    fixture *f = make_log("long", 1 << 20);
    *state = f;
    assert_int_equal(reopen(f, (nq_lsn){0}), 0);
    while (nq_log_end(f->log).value < 8 << 20) {
        append_durably(f, 20000);
    }
    nq_log_close(f->log);
    f->log = NULL;
    return 0;
}

static void what_a_long_damage_hides_is_refused_for_what_follows(void **state) {
    enum { FIRST = 2, COUNT = 5 }; /* segments; longer than the search goes on without a sign */
    fixture *f = *state;
    nq_lsn end;
    bool is_end = false;
    nq_log_record record;
    for (int i = FIRST; i < FIRST + COUNT; i++) {
        char path[64];
        snprintf(path, sizeof path, "long/%016x.log", (unsigned)i);
        assert_true(nq_sim_vfs_wipe(f->disk, path, 0, f->segments.segment_bytes));
    }
    open_log(f, (nq_lsn){0});
    nq_status status = NQ_OK;
    while (status == NQ_OK && !is_end) {
        status = nq_log_read(&f->ctx, f->log, &record, &end, &is_end);
    }
    assert_int_equal(status, NQ_LOG_CORRUPT);
}

static void an_open_reads_only_some_of_the_room_behind_the_end(void **state) {
    enum { ROOM_BYTES = 32 << 20, READ_BYTES_MAX = 8 << 20 };
    fixture *f = *state;
    reopen(f, (nq_lsn){0});
    nq_lsn last = append_durably(f, 100);
    assert_int_equal(nq_log_reserve(&f->ctx, f->log, ROOM_BYTES, 100), NQ_OK);
    nq_log_close(f->log);
    uint64_t before = nq_sim_vfs_get_stats(f->disk).read_bytes;
    reopen(f, (nq_lsn){nq_log_block_align(last.value)});
    assert_true(nq_sim_vfs_get_stats(f->disk).read_bytes - before < READ_BYTES_MAX);
}

static void a_broken_last_group_is_cut_and_reported(void **state) {
    fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        append_durably(f, 100);
    }
    nq_log_close(f->log);
    assert_true(nq_sim_vfs_flip_bit(f->disk, "log/0000000000000000.log", 5 * 4096 + 60, 3));
    assert_int_equal(reopen(f, (nq_lsn){0}), 4);
    assert_true(f->cut != 0);
    /* And the log goes on in its place. */
    append_durably(f, 100);
    nq_log_close(f->log);
    assert_int_equal(reopen(f, (nq_lsn){0}), 5);
    assert_int_equal(f->cut, 0);
}

/* Appends and syncs `bytes_each` time and again; what the device got that is not the log's. */
static uint64_t bytes_beside_the_log(fixture *f, size_t bytes_each, int count) {
    nq_log_stats log_before;
    nq_log_stats log_after;
    uint64_t before = nq_sim_vfs_get_stats(f->disk).written_bytes;
    nq_log_get_stats(f->log, &log_before);
    for (int i = 0; i < count; i++) {
        append_durably(f, bytes_each);
    }
    nq_log_get_stats(f->log, &log_after);
    return nq_sim_vfs_get_stats(f->disk).written_bytes - before -
           (log_after.bytes_written - log_before.bytes_written);
}

enum { LARGE_SEGMENT_BYTES = 1 << 20 };

static int set_up_large(void **state) {
    fixture *f = make_log("log", LARGE_SEGMENT_BYTES);
    *state = f;
    return (int)reopen(f, (nq_lsn){0});
}

static int set_up_without_reservations(void **state) {
    fixture *f = make_log_on(&(nq_sim_options){.seed = 1, .cannot_reserve = true}, "log",
                             LARGE_SEGMENT_BYTES);
    *state = f;
    return (int)reopen(f, (nq_lsn){0});
}

static void a_log_synced_seldom_writes_nothing_but_itself(void **state) {
    fixture *f = *state;
    assert_int_equal(bytes_beside_the_log(f, 300 << 10, 20), 0);
    nq_sim_vfs_cut_power(f->disk);
    nq_log_close(f->log);
    nq_sim_vfs_restart(f->disk);
    assert_int_equal(reopen(f, (nq_lsn){0}), 20);
}

static void a_log_synced_often_finds_its_segments_written(void **state) {
    fixture *f = *state;
    enum { SYNCS = 3 * LARGE_SEGMENT_BYTES / NQ_LOG_BLOCK_BYTES };
    assert_int_equal(bytes_beside_the_log(f, 100, SYNCS), 3 * LARGE_SEGMENT_BYTES);
}

static void a_log_whose_habits_change_makes_other_segments(void **state) {
    fixture *f = *state;
    assert_int_equal(bytes_beside_the_log(f, 300 << 10, 20), 0);
    assert_true(bytes_beside_the_log(f, 100, 1000) >= 2 * LARGE_SEGMENT_BYTES);
    assert_true(bytes_beside_the_log(f, 300 << 10, 20) <= LARGE_SEGMENT_BYTES);
}

static void where_nothing_is_reserved_segments_are_written_first(void **state) {
    fixture *f = *state;
    assert_int_equal(bytes_beside_the_log(f, 300 << 10, 4), LARGE_SEGMENT_BYTES);
}

static void a_missing_segment_is_refused(void **state) {
    fixture *f = *state;
    for (int i = 0; i < 40; i++) {
        append_durably(f, 3000);
    }
    nq_log_close(f->log);
    f->log = NULL;
    nq_log_sink *sink;
    assert_int_equal(nq_vfs_unlink(&f->ctx, f->segments.vfs, "log/0000000000000001.log"), NQ_OK);
    assert_int_equal(nq_log_segments_open(&f->ctx, &f->segments, (nq_lsn){0}, &sink),
                     NQ_LOG_CORRUPT);
    assert_int_equal(nq_log_segments_open(&f->ctx, &f->segments, (nq_lsn){SEGMENT_BYTES}, &sink),
                     NQ_LOG_CORRUPT);
}

static void recycled_segments_do_not_speak_of_the_past(void **state) {
    fixture *f = *state;
    nq_lsn start = {0};
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 20; i++) {
            append_durably(f, 3000);
        }
        start = nq_log_durable_end(f->log);
        f->run = nq_log_run(f->log);
        assert_int_equal(nq_log_recycle(&f->ctx, f->log, start, 4 * SEGMENT_BYTES), NQ_OK);
    }
    append_durably(f, 1);
    nq_log_close(f->log);
    assert_int_equal(reopen(f, start), 1);
}

static void a_log_that_is_trimmed_goes_on_where_it_ended(void **state) {
    fixture *f = *state;
    append_durably(f, 100);
    assert_int_equal(nq_log_reserve(&f->ctx, f->log, 4 * SEGMENT_BYTES, 3000), NQ_OK);
    f->run = nq_log_run(f->log);
    assert_int_equal(nq_log_trim(&f->ctx, f->log), NQ_OK);
    bool exists;
    assert_int_equal(nq_vfs_exists(&f->ctx, f->segments.vfs, "log/0000000000000001.log", &exists),
                     NQ_OK);
    assert_false(exists);
    nq_log_close(f->log);
    assert_int_equal(reopen(f, (nq_lsn){0}), 1);
    append_durably(f, 3 * SEGMENT_BYTES / 2);
    nq_log_close(f->log);
    assert_int_equal(reopen(f, (nq_lsn){0}), 2);
}

static void a_trimmed_log_keeps_the_segment_that_its_durable_end_begins(void **state) {
    fixture *f = *state;
    do {
        append_durably(f, 100);
    } while (nq_log_durable_end(f->log).value % SEGMENT_BYTES != 0);
    nq_lsn start = nq_log_durable_end(f->log);
    f->run = nq_log_run(f->log);
    assert_int_equal(nq_log_reserve(&f->ctx, f->log, 4 * SEGMENT_BYTES, 3000), NQ_OK);
    assert_int_equal(nq_log_trim(&f->ctx, f->log), NQ_OK);
    nq_log_close(f->log);
    assert_int_equal(reopen(f, start), 0);
    append_durably(f, 100);
}

static void a_failed_sync_ends_the_log(void **state) {
    fixture *f = *state;
    nq_lsn end;
    append_durably(f, 100);
    end = append(f, 100);
    nq_sim_vfs_fault_at(f->disk, NQ_SIM_SYNC_ERROR, 1);
    assert_int_equal(nq_log_sync(&f->ctx, f->log, end), NQ_IO_ERROR);
    assert_int_equal(nq_log_health(f->log), NQ_IO_ERROR);
    assert_int_equal(nq_log_sync(&f->ctx, f->log, end), NQ_READ_ONLY_DATABASE);
    assert_int_equal(nq_log_reserve(&f->ctx, f->log, 1, 1), NQ_READ_ONLY_DATABASE);
    nq_log_record record = {.kind = NQ_RECORD_TREE_CREATE, .tree = 1};
    assert_int_equal(nq_log_append(&f->ctx, f->log, &record, 1, &end), NQ_READ_ONLY_DATABASE);
    nq_log_close(f->log);
    nq_sim_vfs_crash(f->disk);
    assert_true(reopen(f, (nq_lsn){0}) >= 1);
}

static void a_full_disk_is_met_before_the_first_record(void **state) {
    fixture *f = *state;
    append_durably(f, 100);
    nq_sim_vfs_set_capacity(f->disk, 40 << 10);
    assert_int_equal(nq_log_reserve(&f->ctx, f->log, 100000, 1000), NQ_DISK_FULL);
    assert_int_equal(nq_log_health(f->log), NQ_OK);
    append_durably(f, 100);
    nq_sim_vfs_set_capacity(f->disk, 0);
    append_durably(f, 100000);
}

/* ---- The archive ---- */

enum { ARCHIVED_MAX = 40 };

typedef struct memory_archive {
    nq_log_archive archive;
    bool is_refusing;
    uint64_t count; /* segments 0 to count - 1 */
    uint8_t segments[ARCHIVED_MAX][SEGMENT_BYTES];
} memory_archive;

static nq_status take(nq_ctx *ctx, nq_log_archive *base, const nq_log_segment_view *segment) {
    memory_archive *archive = (memory_archive *)base;
    if (archive->is_refusing) {
        return nq_fail(ctx, NQ_IO_ERROR, "the tape is full");
    }
    assert_int_equal(segment->number, archive->count);
    assert_int_equal(segment->bytes, SEGMENT_BYTES);
    NQ_TRY(nq_log_segment_view_read(ctx, segment, 0, archive->segments[archive->count],
                                    SEGMENT_BYTES));
    archive->count++;
    return NQ_OK;
}

static const nq_log_archive_vtable archive_vtable = {.take = take};
static memory_archive archive;

/* A log that began at position 0, with an archive. */
static int set_up_archived(void **state) {
    fixture *f = make_log("log", SEGMENT_BYTES);
    *state = f;
    archive = (memory_archive){.archive = {&archive_vtable}};
    f->archive = &archive.archive;
    return (int)reopen(f, (nq_lsn){0});
}

static void offer_all(fixture *f) {
    while (nq_log_wants_archive(f->log)) {
        assert_int_equal(nq_log_archive_next(&f->ctx, f->log), NQ_OK);
    }
}

static void the_archive_and_the_rest_are_the_whole_log(void **state) {
    fixture *f = *state;
    for (int i = 0; i < 100; i++) {
        append_durably(f, 3000);
        offer_all(f);
        assert_int_equal(nq_log_recycle(&f->ctx, f->log, nq_log_durable_end(f->log), 0), NQ_OK);
    }
    nq_log_close(f->log);
    assert_true(archive.count > 8);
    for (uint64_t i = 0; i < archive.count; i++) {
        char path[64];
        nq_file *file;
        snprintf(path, sizeof path, "log/%016llx.log", (unsigned long long)i);
        assert_int_equal(nq_vfs_open(&f->ctx, f->segments.vfs, path, NQ_OPEN_CREATE, &file), NQ_OK);
        assert_int_equal(nq_file_write_at(&f->ctx, file, 0, archive.segments[i], SEGMENT_BYTES),
                         NQ_OK);
        nq_file_close(file);
    }
    f->archive = NULL;
    assert_int_equal(reopen(f, (nq_lsn){0}), 100);
}

static void nothing_is_recycled_that_the_archive_refuses(void **state) {
    fixture *f = *state;
    nq_log_stats stats;
    archive.is_refusing = true;
    for (int i = 0; i < 30; i++) {
        append_durably(f, 3000);
    }
    assert_int_equal(nq_log_archive_next(&f->ctx, f->log), NQ_IO_ERROR);
    assert_int_equal(nq_log_recycle(&f->ctx, f->log, nq_log_durable_end(f->log), 0), NQ_OK);
    bool exists;
    assert_int_equal(nq_vfs_exists(&f->ctx, f->segments.vfs, "log/0000000000000000.log", &exists),
                     NQ_OK);
    assert_true(exists);
    nq_log_get_stats(f->log, &stats);
    assert_int_equal(stats.archive_failures, 1);
    assert_true(stats.unarchived_bytes > 2 * SEGMENT_BYTES);
    assert_int_equal(nq_log_check_archive(&f->ctx, f->log), NQ_DISK_FULL);
    assert_non_null(strstr(f->ctx.error.message, "the tape is full"));
    archive.is_refusing = false;
    offer_all(f);
    assert_int_equal(nq_log_check_archive(&f->ctx, f->log), NQ_OK);
    assert_int_equal(nq_log_recycle(&f->ctx, f->log, nq_log_durable_end(f->log), 0), NQ_OK);
    assert_int_equal(nq_vfs_exists(&f->ctx, f->segments.vfs, "log/0000000000000000.log", &exists),
                     NQ_OK);
    assert_false(exists);
}

/* ---- Many at once ---- */

typedef struct committers {
    fixture *f;
    nq_mutex turn;
    _Atomic int failures;
} committers;

enum { COMMITTERS = 6, COMMITS = 150 };

static void commit_often(void *argument) {
    committers *c = argument;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    for (int i = 0; i < COMMITS; i++) {
        nq_log_record record = {.kind = NQ_RECORD_TREE_CREATE, .tree = (uint32_t)i};
        nq_lsn end;
        nq_mutex_lock(&c->turn);
        nq_status status = nq_log_reserve(&ctx, c->f->log, 100, 100);
        if (status == NQ_OK) {
            status = nq_log_append(&ctx, c->f->log, &record, 1, &end);
        }
        nq_mutex_unlock(&c->turn);
        if (status != NQ_OK || nq_log_sync(&ctx, c->f->log, end) != NQ_OK ||
            nq_log_durable_end(c->f->log).value < end.value) {
            atomic_fetch_add(&c->failures, 1);
        }
    }
}

static void many_committers_share_syncs(void **state) {
    fixture *f = *state;
    committers c = {.f = f};
    nq_mutex_init(&c.turn, NQ_LOCK_STORE_COMMIT);
    nq_thread threads[COMMITTERS];
    for (int i = 0; i < COMMITTERS; i++) {
        assert_int_equal(nq_thread_start(&f->ctx, &threads[i], "committer", commit_often, &c),
                         NQ_OK);
    }
    for (int i = 0; i < COMMITTERS; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&c.failures), 0);
    nq_mutex_deinit(&c.turn);
    nq_log_close(f->log);
    assert_int_equal(reopen(f, (nq_lsn){0}), COMMITTERS * COMMITS);
}

#define LOG_TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        LOG_TEST(what_was_synced_is_read_back_after_a_crash, set_up),
        LOG_TEST(records_appended_together_are_read_back_one_by_one, set_up),
        LOG_TEST(records_larger_than_a_segment_and_the_buffer_survive, set_up),
        LOG_TEST(what_was_written_survives_the_end_of_the_process, set_up),
        LOG_TEST(small_groups_share_blocks_until_they_are_synced, set_up),
        LOG_TEST(the_unsynced_part_of_the_log_is_bounded, set_up),
        LOG_TEST(a_broken_group_below_the_durable_end_is_refused_and_named, set_up),
        LOG_TEST(a_written_group_is_witness_enough, set_up),
        LOG_TEST(what_a_long_damage_hides_is_refused_for_what_follows, set_up_long),
        LOG_TEST(an_open_reads_only_some_of_the_room_behind_the_end, set_up_long),
        LOG_TEST(a_broken_last_group_is_cut_and_reported, set_up),
        LOG_TEST(a_log_synced_seldom_writes_nothing_but_itself, set_up_large),
        LOG_TEST(a_log_synced_often_finds_its_segments_written, set_up_large),
        LOG_TEST(a_log_whose_habits_change_makes_other_segments, set_up_large),
        LOG_TEST(where_nothing_is_reserved_segments_are_written_first, set_up_without_reservations),
        LOG_TEST(a_missing_segment_is_refused, set_up),
        LOG_TEST(recycled_segments_do_not_speak_of_the_past, set_up),
        LOG_TEST(a_log_that_is_trimmed_goes_on_where_it_ended, set_up),
        LOG_TEST(a_trimmed_log_keeps_the_segment_that_its_durable_end_begins, set_up),
        LOG_TEST(a_failed_sync_ends_the_log, set_up),
        LOG_TEST(a_full_disk_is_met_before_the_first_record, set_up),
        LOG_TEST(the_archive_and_the_rest_are_the_whole_log, set_up_archived),
        LOG_TEST(nothing_is_recycled_that_the_archive_refuses, set_up_archived),
        LOG_TEST(many_committers_share_syncs, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
