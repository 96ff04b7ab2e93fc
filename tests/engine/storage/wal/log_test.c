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
} fixture;

static void set_up(fixture *f) {
    nq_ctx_init(&f->ctx, NULL);
    nq_sim_options sim = {.seed = 1};
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disk), NQ_OK);
    f->segments = (nq_log_segment_options){
        .vfs = nq_sim_vfs_as_vfs(f->disk), .directory = "log", .segment_bytes = SEGMENT_BYTES};
    assert_int_equal(nq_vfs_make_dir(&f->ctx, f->segments.vfs, "log"), NQ_OK);
    assert_int_equal(nq_vfs_sync_dir(&f->ctx, f->segments.vfs, "."), NQ_OK);
    assert_int_equal(nq_log_segments_create(&f->ctx, &f->segments, (nq_lsn){0}), NQ_OK);
    f->log = NULL;
    f->run = 0;
    f->archive = NULL;
}

static void open_log(fixture *f, nq_lsn start) {
    nq_log_options options = {
        .salt = SALT, .run = f->run, .archive = f->archive, .archive_bytes_max = 2 * SEGMENT_BYTES};
    assert_int_equal(nq_log_segments_open(&f->ctx, &f->segments, start, &options.sink), NQ_OK);
    assert_int_equal(nq_log_open(&f->ctx, &options, start, &f->log), NQ_OK);
}

/* Opens from `start` and reads to the end; returns the number of records but for starts, *out_end
 * behind them. */
static uint64_t reopen(fixture *f, nq_lsn start, nq_lsn *out_end, uint64_t *out_cut) {
    open_log(f, start);
    uint64_t count = 0;
    *out_end = start;
    for (;;) {
        nq_log_record record;
        nq_lsn end;
        bool is_end;
        assert_int_equal(nq_log_read(&f->ctx, f->log, &record, &end, &is_end), NQ_OK);
        if (is_end) {
            break;
        }
        *out_end = end;
        count += record.kind == NQ_RECORD_START ? 0 : 1;
    }
    assert_int_equal(nq_log_start(&f->ctx, f->log, out_cut), NQ_OK);
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
    assert_int_equal(nq_log_append(&f->ctx, f->log, &record, &end), NQ_OK);
    return end;
}

static nq_lsn append_durably(fixture *f, size_t value_bytes) {
    nq_lsn end = append(f, value_bytes);
    assert_int_equal(nq_log_sync(&f->ctx, f->log, end), NQ_OK);
    return end;
}

static void tear_down(fixture *f) {
    nq_log_close(f->log);
    nq_sim_vfs_destroy(f->disk);
}

static void what_was_synced_is_read_back_after_a_crash(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    assert_int_equal(reopen(&f, (nq_lsn){0}, &end, &cut), 0);
    nq_lsn last = {0};
    for (int i = 0; i < 50; i++) {
        last = append_durably(&f, (size_t)i * 100);
    }
    append(&f, 10); /* not synced */
    nq_sim_vfs_cut_power(f.disk);
    nq_log_close(f.log);
    nq_sim_vfs_restart(f.disk);
    assert_int_equal(reopen(&f, (nq_lsn){0}, &end, &cut), 50);
    assert_int_equal(end.value, last.value);
    tear_down(&f);
}

static nq_lsn append_and_write(fixture *f, size_t value_bytes) {
    nq_lsn end = append(f, value_bytes);
    assert_int_equal(nq_log_write(&f->ctx, f->log, end), NQ_OK);
    return end;
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
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    nq_lsn last = {0};
    for (int i = 0; i < 50; i++) {
        last = i % 7 == 0 ? append_durably(&f, 200) : append_and_write(&f, (size_t)i * 100);
    }
    append(&f, 10); /* in the buffer only */
    end_process(&f);
    assert_int_equal(reopen(&f, (nq_lsn){0}, &end, &cut), 50);
    assert_int_equal(end.value, last.value);
    assert_int_equal(cut, 0);
    tear_down(&f);
}

static void small_groups_share_blocks_until_they_are_synced(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    for (int i = 0; i < 10; i++) {
        end = append_and_write(&f, 50);
    }
    nq_lsn before = nq_log_durable_end(f.log);
    assert_true(end.value < before.value + NQ_LOG_BLOCK_BYTES);
    assert_int_equal(nq_log_sync(&f.ctx, f.log, end), NQ_OK);
    assert_int_equal(nq_log_durable_end(f.log).value, before.value + NQ_LOG_BLOCK_BYTES);
    assert_true(append(&f, 1).value > before.value + NQ_LOG_BLOCK_BYTES);
    tear_down(&f);
}

static void the_unsynced_part_of_the_log_is_bounded(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    for (int i = 0; i < 400; i++) {
        end = append_and_write(&f, 50000);
        assert_true(end.value < nq_log_durable_end(f.log).value + (9 << 20));
    }
    tear_down(&f);
}

static void records_larger_than_a_segment_and_the_buffer_survive(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    for (int i = 0; i < 6; i++) {
        append(&f, 700000);
    }
    append(&f, (1 << 21) - 100);
    nq_lsn last = append_durably(&f, 1);
    nq_log_close(f.log);
    assert_int_equal(reopen(&f, (nq_lsn){0}, &end, &cut), 8);
    assert_int_equal(end.value, last.value);
    assert_int_equal(cut, 0);
    tear_down(&f);
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
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    for (int i = 0; i < 5; i++) {
        append_durably(&f, 100);
    }
    nq_log_close(f.log);
    expect_refusal(&f);
    tear_down(&f);
}

static void a_written_group_is_witness_enough(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    for (int i = 0; i < 3; i++) {
        append_durably(&f, 100);
    }
    append_and_write(&f, 100);
    nq_log_close(f.log);
    expect_refusal(&f);
    tear_down(&f);
}

/* A log of segments of a MiB with more than 8 MiB of small groups, each synced before the next. */
static void set_up_long(fixture *f) {
    nq_lsn end;
    uint64_t cut;
    set_up(f);
    f->segments.segment_bytes = 1 << 20;
    f->segments.directory = "long";
    assert_int_equal(nq_vfs_make_dir(&f->ctx, f->segments.vfs, "long"), NQ_OK);
    assert_int_equal(nq_vfs_sync_dir(&f->ctx, f->segments.vfs, "."), NQ_OK);
    assert_int_equal(nq_log_segments_create(&f->ctx, &f->segments, (nq_lsn){0}), NQ_OK);
    assert_int_equal(reopen(f, (nq_lsn){0}, &end, &cut), 0);
    while (nq_log_end(f->log).value < 8 << 20) {
        append_durably(f, 20000);
    }
    nq_log_close(f->log);
}

static void what_a_long_damage_hides_is_refused_for_what_follows(void **state) {
    (void)state;
    enum { FIRST = 2, COUNT = 5 }; /* segments; longer than the search goes on without a sign */
    fixture f;
    nq_lsn end;
    bool is_end = false;
    nq_log_record record;
    set_up_long(&f);
    for (int i = FIRST; i < FIRST + COUNT; i++) {
        char path[64];
        snprintf(path, sizeof path, "long/%016x.log", (unsigned)i);
        assert_true(nq_sim_vfs_wipe(f.disk, path, 0, f.segments.segment_bytes));
    }
    open_log(&f, (nq_lsn){0});
    nq_status status = NQ_OK;
    while (status == NQ_OK && !is_end) {
        status = nq_log_read(&f.ctx, f.log, &record, &end, &is_end);
    }
    assert_int_equal(status, NQ_LOG_CORRUPT);
    tear_down(&f);
}

static void an_open_reads_only_some_of_the_room_behind_the_end(void **state) {
    (void)state;
    enum { ROOM_BYTES = 32 << 20, READ_BYTES_MAX = 8 << 20 };
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up_long(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    nq_lsn last = append_durably(&f, 100);
    assert_int_equal(nq_log_reserve(&f.ctx, f.log, ROOM_BYTES, 100), NQ_OK);
    nq_log_close(f.log);
    uint64_t before = nq_sim_vfs_get_stats(f.disk).read_bytes;
    reopen(&f, (nq_lsn){nq_log_block_align(last.value)}, &end, &cut);
    assert_true(nq_sim_vfs_get_stats(f.disk).read_bytes - before < READ_BYTES_MAX);
    tear_down(&f);
}

static void a_broken_last_group_is_cut_and_reported(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    for (int i = 0; i < 5; i++) {
        append_durably(&f, 100);
    }
    nq_log_close(f.log);
    assert_true(nq_sim_vfs_flip_bit(f.disk, "log/0000000000000000.log", 5 * 4096 + 60, 3));
    assert_int_equal(reopen(&f, (nq_lsn){0}, &end, &cut), 4);
    assert_true(cut != 0);
    /* And the log goes on in its place. */
    append_durably(&f, 100);
    nq_log_close(f.log);
    assert_int_equal(reopen(&f, (nq_lsn){0}, &end, &cut), 5);
    assert_int_equal(cut, 0);
    tear_down(&f);
}

static void a_missing_segment_is_refused(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    for (int i = 0; i < 40; i++) {
        append_durably(&f, 3000);
    }
    nq_log_close(f.log);
    f.log = NULL;
    nq_log_sink *sink;
    assert_int_equal(nq_vfs_unlink(&f.ctx, f.segments.vfs, "log/0000000000000001.log"), NQ_OK);
    assert_int_equal(nq_log_segments_open(&f.ctx, &f.segments, (nq_lsn){0}, &sink), NQ_LOG_CORRUPT);
    assert_int_equal(nq_log_segments_open(&f.ctx, &f.segments, (nq_lsn){SEGMENT_BYTES}, &sink),
                     NQ_LOG_CORRUPT);
    nq_sim_vfs_destroy(f.disk);
}

static void recycled_segments_do_not_speak_of_the_past(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    nq_lsn start = {0};
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 20; i++) {
            append_durably(&f, 3000);
        }
        start = nq_log_durable_end(f.log);
        f.run = nq_log_run(f.log);
        assert_int_equal(nq_log_recycle(&f.ctx, f.log, start, 4 * SEGMENT_BYTES), NQ_OK);
    }
    append_durably(&f, 1);
    nq_log_close(f.log);
    assert_int_equal(reopen(&f, start, &end, &cut), 1);
    tear_down(&f);
}

static void a_failed_sync_ends_the_log(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    append_durably(&f, 100);
    end = append(&f, 100);
    nq_sim_vfs_fault_at(f.disk, NQ_SIM_SYNC_ERROR, 1);
    assert_int_equal(nq_log_sync(&f.ctx, f.log, end), NQ_IO_ERROR);
    assert_int_equal(nq_log_health(f.log), NQ_IO_ERROR);
    assert_int_equal(nq_log_sync(&f.ctx, f.log, end), NQ_READ_ONLY_DATABASE);
    assert_int_equal(nq_log_reserve(&f.ctx, f.log, 1, 1), NQ_READ_ONLY_DATABASE);
    nq_log_record record = {.kind = NQ_RECORD_TREE_CREATE, .tree = 1};
    assert_int_equal(nq_log_append(&f.ctx, f.log, &record, &end), NQ_READ_ONLY_DATABASE);
    nq_log_close(f.log);
    nq_sim_vfs_crash(f.disk);
    assert_true(reopen(&f, (nq_lsn){0}, &end, &cut) >= 1);
    tear_down(&f);
}

static void a_full_disk_is_met_before_the_first_record(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    append_durably(&f, 100);
    nq_sim_vfs_set_capacity(f.disk, 40 << 10);
    assert_int_equal(nq_log_reserve(&f.ctx, f.log, 100000, 1000), NQ_DISK_FULL);
    assert_int_equal(nq_log_health(f.log), NQ_OK);
    append_durably(&f, 100);
    nq_sim_vfs_set_capacity(f.disk, 0);
    append_durably(&f, 100000);
    tear_down(&f);
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

static const nq_log_archive_vtable archive_vtable = {take};
static memory_archive archive;

/* A log that began at position 0, with an archive. */
static void set_up_archived(fixture *f) {
    nq_lsn end;
    uint64_t cut;
    archive = (memory_archive){.archive = {&archive_vtable}};
    set_up(f);
    f->archive = &archive.archive;
    reopen(f, (nq_lsn){0}, &end, &cut);
}

static void offer_all(fixture *f) {
    while (nq_log_wants_archive(f->log)) {
        assert_int_equal(nq_log_archive_next(&f->ctx, f->log), NQ_OK);
    }
}

static void the_archive_and_the_rest_are_the_whole_log(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up_archived(&f);
    for (int i = 0; i < 100; i++) {
        append_durably(&f, 3000);
        offer_all(&f);
        assert_int_equal(nq_log_recycle(&f.ctx, f.log, nq_log_durable_end(f.log), 0), NQ_OK);
    }
    nq_log_close(f.log);
    assert_true(archive.count > 8);
    for (uint64_t i = 0; i < archive.count; i++) {
        char path[64];
        nq_file *file;
        snprintf(path, sizeof path, "log/%016llx.log", (unsigned long long)i);
        assert_int_equal(nq_vfs_open(&f.ctx, f.segments.vfs, path, NQ_OPEN_CREATE, &file), NQ_OK);
        assert_int_equal(nq_file_write_at(&f.ctx, file, 0, archive.segments[i], SEGMENT_BYTES),
                         NQ_OK);
        nq_file_close(file);
    }
    f.archive = NULL;
    assert_int_equal(reopen(&f, (nq_lsn){0}, &end, &cut), 100);
    tear_down(&f);
}

static void nothing_is_recycled_that_the_archive_refuses(void **state) {
    (void)state;
    fixture f;
    nq_log_stats stats;
    set_up_archived(&f);
    archive.is_refusing = true;
    for (int i = 0; i < 30; i++) {
        append_durably(&f, 3000);
    }
    assert_int_equal(nq_log_archive_next(&f.ctx, f.log), NQ_IO_ERROR);
    assert_int_equal(nq_log_recycle(&f.ctx, f.log, nq_log_durable_end(f.log), 0), NQ_OK);
    bool exists;
    assert_int_equal(nq_vfs_exists(&f.ctx, f.segments.vfs, "log/0000000000000000.log", &exists),
                     NQ_OK);
    assert_true(exists);
    nq_log_get_stats(f.log, &stats);
    assert_int_equal(stats.archive_failures, 1);
    assert_true(stats.unarchived_bytes > 2 * SEGMENT_BYTES);
    assert_int_equal(nq_log_check_archive(&f.ctx, f.log), NQ_DISK_FULL);
    assert_non_null(strstr(f.ctx.error.message, "the tape is full"));
    archive.is_refusing = false;
    offer_all(&f);
    assert_int_equal(nq_log_check_archive(&f.ctx, f.log), NQ_OK);
    assert_int_equal(nq_log_recycle(&f.ctx, f.log, nq_log_durable_end(f.log), 0), NQ_OK);
    assert_int_equal(nq_vfs_exists(&f.ctx, f.segments.vfs, "log/0000000000000000.log", &exists),
                     NQ_OK);
    assert_false(exists);
    tear_down(&f);
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
            status = nq_log_append(&ctx, c->f->log, &record, &end);
        }
        nq_mutex_unlock(&c->turn);
        if (status != NQ_OK || nq_log_sync(&ctx, c->f->log, end) != NQ_OK ||
            nq_log_durable_end(c->f->log).value < end.value) {
            atomic_fetch_add(&c->failures, 1);
        }
    }
}

static void many_committers_share_syncs(void **state) {
    (void)state;
    fixture f;
    nq_lsn end;
    uint64_t cut;
    set_up(&f);
    reopen(&f, (nq_lsn){0}, &end, &cut);
    committers c = {.f = &f};
    nq_mutex_init(&c.turn, NQ_LOCK_STORE_COMMIT);
    nq_thread threads[COMMITTERS];
    for (int i = 0; i < COMMITTERS; i++) {
        assert_int_equal(nq_thread_start(&f.ctx, &threads[i], "committer", commit_often, &c),
                         NQ_OK);
    }
    for (int i = 0; i < COMMITTERS; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&c.failures), 0);
    nq_mutex_deinit(&c.turn);
    nq_log_close(f.log);
    assert_int_equal(reopen(&f, (nq_lsn){0}, &end, &cut), COMMITTERS * COMMITS);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_synced_is_read_back_after_a_crash),
        cmocka_unit_test(records_larger_than_a_segment_and_the_buffer_survive),
        cmocka_unit_test(what_was_written_survives_the_end_of_the_process),
        cmocka_unit_test(small_groups_share_blocks_until_they_are_synced),
        cmocka_unit_test(the_unsynced_part_of_the_log_is_bounded),
        cmocka_unit_test(a_broken_group_below_the_durable_end_is_refused_and_named),
        cmocka_unit_test(a_written_group_is_witness_enough),
        cmocka_unit_test(what_a_long_damage_hides_is_refused_for_what_follows),
        cmocka_unit_test(an_open_reads_only_some_of_the_room_behind_the_end),
        cmocka_unit_test(a_broken_last_group_is_cut_and_reported),
        cmocka_unit_test(a_missing_segment_is_refused),
        cmocka_unit_test(recycled_segments_do_not_speak_of_the_past),
        cmocka_unit_test(a_failed_sync_ends_the_log),
        cmocka_unit_test(a_full_disk_is_met_before_the_first_record),
        cmocka_unit_test(the_archive_and_the_rest_are_the_whole_log),
        cmocka_unit_test(nothing_is_recycled_that_the_archive_refuses),
        cmocka_unit_test(many_committers_share_syncs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
