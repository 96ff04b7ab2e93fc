/* Store: opening, refusing, limits, request ids, health and statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_clock.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/simd/crc32c.h"
#include "engine/storage/store/store.h"

/* Segments of 256 KiB; a copy of the superblock at each quarter of the first. */
enum { LANE_BLOCKS = 3, SUPERBLOCKS_APART = 64 << 10 };

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_vfs *vfs;
    nq_store_options options;
    nq_store *store;
} fixture;

static void set_up(fixture *f) {
    nq_ctx_init(&f->ctx, NULL);
    nq_sim_options sim = {.seed = 1};
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disk), NQ_OK);
    f->vfs = nq_sim_vfs_as_vfs(f->disk);
    f->options = (nq_store_options){.cache_bytes = 1 << 20,
                                    .log_segment_bytes = 64 << 10,
                                    .checkpoint_log_bytes = 256 << 10,
                                    .lane_blocks = LANE_BLOCKS,
                                    .is_manual = true};
    assert_int_equal(nq_store_open(&f->ctx, f->vfs, "db", &f->options, &f->store), NQ_OK);
}

static void tear_down(fixture *f) {
    if (f->store != NULL) {
        assert_int_equal(nq_store_close(&f->ctx, f->store), NQ_OK);
    }
    nq_sim_vfs_destroy(f->disk);
}

static void close_store(fixture *f) {
    assert_int_equal(nq_store_close(&f->ctx, f->store), NQ_OK);
    f->store = NULL;
}

static nq_status reopen(fixture *f) {
    return nq_store_open(&f->ctx, f->vfs, "db", &f->options, &f->store);
}

static nq_txn *begin(fixture *f) {
    nq_txn *txn;
    nq_txn_options options = {0};
    assert_int_equal(nq_txn_begin(&f->ctx, f->store, &options, &txn), NQ_OK);
    return txn;
}

static nq_status commit(fixture *f, nq_txn *txn, const char *request, nq_lsn *out_lsn) {
    nq_commit_options options = {0};
    if (request != NULL) {
        options.request_id = nq_bytes_of_cstr(request);
        options.request_result = nq_bytes_of_cstr("done");
    }
    return nq_txn_commit(&f->ctx, txn, &options, out_lsn);
}

static nq_status put_one(fixture *f, const char *key, size_t value_bytes) {
    uint8_t *value = calloc(1, value_bytes + 1);
    nq_txn *txn = begin(f);
    nq_status status = nq_txn_put(&f->ctx, txn, NQ_TREE_CATALOG, nq_bytes_of_cstr(key),
                                  nq_bytes_of(value, value_bytes));
    free(value);
    if (status != NQ_OK) {
        nq_txn_rollback(txn);
        return status;
    }
    return commit(f, txn, NULL, NULL);
}

static void overwrite(fixture *f, const char *path, uint64_t offset, const void *bytes,
                      size_t size) {
    nq_file *file;
    assert_int_equal(nq_vfs_open(&f->ctx, f->vfs, path, 0, &file), NQ_OK);
    assert_int_equal(nq_file_write_at(&f->ctx, file, offset, bytes, size), NQ_OK);
    nq_file_close(file);
}

/* ---- Opening ---- */

static void a_store_is_opened_once(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    nq_store *second;
    assert_int_equal(nq_store_open(&f.ctx, f.vfs, "db", &f.options, &second), NQ_DATABASE_LOCKED);
    assert_null(second);
    tear_down(&f);
}

static void a_missing_store_is_not_made_if_it_must_exist(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    nq_store_options options = {.must_exist = true, .is_manual = true};
    nq_store *other;
    assert_int_equal(nq_store_open(&f.ctx, f.vfs, "other", &options, &other), NQ_IO_ERROR);
    bool exists;
    assert_int_equal(nq_vfs_exists(&f.ctx, f.vfs, "other", &exists), NQ_OK);
    assert_false(exists);
    tear_down(&f);
}

/* Opens a spoilt file, which must be refused and left exactly as it is. */
static void expect_refusal(fixture *f, nq_status expected, const char *words) {
    nq_file *file;
    uint8_t before[4096];
    uint8_t after[4096];
    size_t before_bytes;
    size_t after_bytes;
    assert_int_equal(nq_vfs_open(&f->ctx, f->vfs, "db/data.nqdb", 0, &file), NQ_OK);
    assert_int_equal(nq_file_read_at(&f->ctx, file, 0, before, sizeof before, &before_bytes),
                     NQ_OK);
    uint64_t writes = nq_sim_vfs_get_stats(f->disk).written_bytes;
    assert_int_equal(reopen(f), expected);
    assert_null(f->store);
    if (strstr(f->ctx.error.message, words) == NULL) {
        fail_msg("'%s' does not say '%s'", f->ctx.error.message, words);
    }
    assert_int_equal(nq_sim_vfs_get_stats(f->disk).written_bytes, writes);
    assert_int_equal(nq_file_read_at(&f->ctx, file, 0, after, sizeof after, &after_bytes), NQ_OK);
    assert_int_equal(before_bytes, after_bytes);
    assert_memory_equal(before, after, after_bytes);
    nq_file_close(file);
}

static void a_foreign_file_is_refused_and_left_alone(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    close_store(&f);
    static const uint8_t sqlite[] = "SQLite format 3";
    for (uint64_t copy = 0; copy < 4; copy++) {
        overwrite(&f, "db/data.nqdb", copy * SUPERBLOCKS_APART, sqlite, sizeof sqlite);
    }
    expect_refusal(&f, NQ_FILE_FOREIGN, "db/data.nqdb, offset 0: begins 53 51 4c 69");
    tear_down(&f);
}

static void a_file_of_a_newer_version_is_refused_and_left_alone(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    assert_int_equal(put_one(&f, "k", 10), NQ_OK);
    close_store(&f);
    nq_file *file;
    uint8_t bytes[128];
    size_t read_bytes;
    assert_int_equal(nq_vfs_open(&f.ctx, f.vfs, "db/data.nqdb", 0, &file), NQ_OK);
    assert_int_equal(nq_file_read_at(&f.ctx, file, SUPERBLOCKS_APART, bytes, 128, &read_bytes),
                     NQ_OK);
    nq_file_close(file);
    bytes[8] = 3;
    uint32_t crc = nq_crc32c(0, bytes, 124);
    memcpy(bytes + 124, &crc, 4);
    overwrite(&f, "db/data.nqdb", SUPERBLOCKS_APART, bytes, sizeof bytes);
    expect_refusal(&f, NQ_FILE_FOREIGN, "offset 65544: format version 3, expected 2");
    tear_down(&f);
}

static void a_truncated_file_is_refused_and_left_alone(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    assert_int_equal(put_one(&f, "k", 10), NQ_OK);
    close_store(&f);
    nq_file *file;
    uint64_t bytes;
    assert_int_equal(nq_vfs_open(&f.ctx, f.vfs, "db/data.nqdb", 0, &file), NQ_OK);
    assert_int_equal(nq_file_size(&f.ctx, file, &bytes), NQ_OK);
    assert_int_equal(nq_file_truncate(&f.ctx, file, bytes - 1), NQ_OK);
    expect_refusal(&f, NQ_FILE_FOREIGN, "truncated at offset");
    assert_int_equal(nq_file_truncate(&f.ctx, file, 100), NQ_OK);
    nq_file_close(file);
    expect_refusal(&f, NQ_FILE_FOREIGN, "expected a superblock");
    tear_down(&f);
}

static void a_lost_log_is_refused(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    assert_int_equal(put_one(&f, "k", 10), NQ_OK);
    close_store(&f);
    assert_int_equal(nq_vfs_unlink(&f.ctx, f.vfs, "db/log/0000000000000000.log"), NQ_OK);
    expect_refusal(&f, NQ_LOG_CORRUPT, "is missing");
    tear_down(&f);
}

static void a_log_without_its_data_file_is_refused(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    assert_int_equal(put_one(&f, "k", 10), NQ_OK);
    close_store(&f);
    assert_int_equal(nq_vfs_unlink(&f.ctx, f.vfs, "db/data.nqdb"), NQ_OK);
    assert_int_equal(reopen(&f), NQ_FILE_FOREIGN);
    tear_down(&f);
}

/* ---- Limits ---- */

static void keys_and_values_have_limits(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    char key[NQ_STORE_KEY_BYTES_MAX + 2];
    memset(key, 'k', sizeof key);
    key[NQ_STORE_KEY_BYTES_MAX] = 0;
    assert_int_equal(put_one(&f, key, 10), NQ_OK);
    key[NQ_STORE_KEY_BYTES_MAX] = 'k';
    key[NQ_STORE_KEY_BYTES_MAX + 1] = 0;
    assert_int_equal(put_one(&f, key, 10), NQ_LIMIT_EXCEEDED);
    assert_int_equal(put_one(&f, "", 0), NQ_OK);
    nq_txn *txn = begin(&f);
    nq_bytes value;
    assert_int_equal(nq_txn_find(&f.ctx, txn, NQ_TREE_CATALOG, (nq_bytes){0}, &value), NQ_OK);
    assert_non_null(value.data);
    assert_int_equal(value.size, 0);
    nq_txn_rollback(txn);
    assert_int_equal(put_one(&f, "long", NQ_STORE_VALUE_BYTES_MAX), NQ_OK);
    assert_int_equal(put_one(&f, "too long", (size_t)NQ_STORE_VALUE_BYTES_MAX + 1),
                     NQ_LIMIT_EXCEEDED);
    close_store(&f);
    assert_int_equal(reopen(&f), NQ_OK);
    txn = begin(&f);
    assert_int_equal(nq_txn_find(&f.ctx, txn, NQ_TREE_CATALOG, NQ_BYTES_LITERAL("long"), &value),
                     NQ_OK);
    assert_int_equal(value.size, NQ_STORE_VALUE_BYTES_MAX);
    nq_txn_rollback(txn);
    assert_int_equal(nq_store_verify(&f.ctx, f.store), NQ_OK);
    tear_down(&f);
}

/* Puts until it fails or `bytes` of values are in. */
static nq_status put_bytes(fixture *f, nq_txn *txn, uint32_t bytes) {
    static uint8_t value[1000];
    nq_status status = NQ_OK;
    for (uint32_t i = 0; i < bytes / sizeof value && status == NQ_OK; i++) {
        status = nq_txn_put(&f->ctx, txn, NQ_TREE_CATALOG, nq_bytes_of(&i, sizeof i),
                            nq_bytes_of(value, sizeof value));
    }
    return status;
}

static void changes_not_yet_committed_come_out_of_the_cache(void **state) {
    (void)state;
    enum { MIB = 1 << 20 };
    fixture f;
    set_up(&f);
    close_store(&f);
    f.options.cache_bytes = 16 * MIB;
    assert_int_equal(reopen(&f), NQ_OK);
    nq_txn *txn = begin(&f);
    assert_int_equal(put_bytes(&f, txn, 6 * MIB), NQ_OK);
    assert_int_equal(commit(&f, txn, NULL, NULL), NQ_OK);
    txn = begin(&f);
    assert_int_equal(put_bytes(&f, txn, 6 * MIB), NQ_OK);
    nq_store_stats stats;
    nq_store_get_stats(f.store, &stats);
    assert_true(stats.cache_bytes <= stats.cache_budget_bytes);
    assert_int_equal(stats.spills, 0);
    /* What does not fit the cache goes to the data file. */
    assert_int_equal(put_bytes(&f, txn, 30 * MIB), NQ_OK);
    nq_store_get_stats(f.store, &stats);
    assert_true(stats.cache_bytes <= stats.cache_budget_bytes);
    assert_true(stats.spills > 0);
    nq_txn_rollback(txn);
    nq_store_get_stats(f.store, &stats);
    assert_int_equal(stats.cache_budget_bytes, 16 * MIB);
    assert_int_equal(nq_store_verify(&f.ctx, f.store), NQ_OK);
    tear_down(&f);
}

/* ---- Request ids ---- */

static bool knows_request(fixture *f, const char *id) {
    nq_arena arena;
    nq_arena_init(&arena, 1 << 16);
    nq_bytes result;
    assert_int_equal(
        nq_store_find_request(&f->ctx, f->store, &arena, nq_bytes_of_cstr(id), &result), NQ_OK);
    bool is_known = result.data != NULL;
    assert_true(!is_known || nq_bytes_equal(result, NQ_BYTES_LITERAL("done")));
    nq_arena_deinit(&arena);
    return is_known;
}

static void a_request_is_remembered_for_its_time_and_across_a_crash(void **state) {
    (void)state;
    fixture f;
    nq_sim_clock_start(1, INT64_C(1700000000000000));
    set_up(&f);
    assert_false(knows_request(&f, "r1"));
    assert_int_equal(commit(&f, begin(&f), "r1", NULL), NQ_OK);
    assert_true(knows_request(&f, "r1"));
    assert_int_equal(commit(&f, begin(&f), "r1", NULL), NQ_REQUEST_ID_REUSED);
    nq_sim_vfs *copy;
    assert_int_equal(nq_sim_vfs_clone(&f.ctx, f.disk, 9, &copy), NQ_OK);
    nq_sim_vfs_crash(copy);
    fixture recovered = f;
    recovered.disk = copy;
    recovered.vfs = nq_sim_vfs_as_vfs(copy);
    assert_int_equal(reopen(&recovered), NQ_OK);
    assert_true(knows_request(&recovered, "r1"));
    tear_down(&recovered);
    nq_sim_clock_advance(INT64_C(16) * 60 * 1000000000);
    assert_false(knows_request(&f, "r1"));
    /* The id may be used again, and old ones are forgotten on the way. */
    assert_int_equal(commit(&f, begin(&f), "r1", NULL), NQ_OK);
    assert_true(knows_request(&f, "r1"));
    assert_int_equal(nq_store_verify(&f.ctx, f.store), NQ_OK);
    tear_down(&f);
    nq_sim_clock_stop();
}

/* ---- Health ---- */

static void after_a_failed_sync_writes_are_refused_and_reads_go_on(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    assert_int_equal(put_one(&f, "before", 10), NQ_OK);
    assert_int_equal(nq_store_health(f.store), NQ_OK);
    nq_sim_vfs_fault_at(f.disk, NQ_SIM_SYNC_ERROR, 1);
    assert_int_equal(put_one(&f, "during", 10), NQ_IO_ERROR);
    assert_int_equal(nq_store_health(f.store), NQ_IO_ERROR);
    assert_int_equal(put_one(&f, "after", 10), NQ_READ_ONLY_DATABASE);
    assert_int_equal(nq_store_checkpoint(&f.ctx, f.store, NULL), NQ_READ_ONLY_DATABASE);
    nq_txn *txn = begin(&f);
    nq_bytes value;
    assert_int_equal(nq_txn_find(&f.ctx, txn, NQ_TREE_CATALOG, NQ_BYTES_LITERAL("before"), &value),
                     NQ_OK);
    assert_int_equal(value.size, 10);
    assert_int_equal(nq_txn_find(&f.ctx, txn, NQ_TREE_CATALOG, NQ_BYTES_LITERAL("during"), &value),
                     NQ_OK);
    assert_null(value.data);
    nq_txn_rollback(txn);
    assert_int_equal(nq_store_close(&f.ctx, f.store), NQ_READ_ONLY_DATABASE);
    assert_int_equal(reopen(&f), NQ_OK);
    assert_int_equal(put_one(&f, "again", 10), NQ_OK);
    tear_down(&f);
}

static void a_full_disk_refuses_the_commit_and_no_more(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    assert_int_equal(put_one(&f, "before", 10), NQ_OK);
    nq_sim_vfs_set_capacity(f.disk, 64 << 10);
    assert_int_equal(put_one(&f, "large", 500000), NQ_DISK_FULL);
    assert_int_equal(nq_store_health(f.store), NQ_OK);
    assert_int_equal(put_one(&f, "small", 10), NQ_OK);
    nq_sim_vfs_set_capacity(f.disk, 0);
    assert_int_equal(put_one(&f, "large", 500000), NQ_OK);
    assert_int_equal(nq_store_verify(&f.ctx, f.store), NQ_OK);
    tear_down(&f);
}

/* One transaction that puts (or removes) the rows first, first + step, … below end. */
static nq_status change_rows(fixture *f, uint32_t first, uint32_t end, uint32_t step,
                             bool is_removal) {
    nq_txn *txn = begin(f);
    nq_rng rng = {first};
    nq_status status = NQ_OK;
    for (uint32_t i = first; i < end && status == NQ_OK; i += step) {
        uint8_t noise[1000];
        for (size_t b = 0; b < sizeof noise; b++) {
            noise[b] = (uint8_t)nq_rng_next(&rng);
        }
        uint32_t key = __builtin_bswap32(i);
        bool was_present;
        status = is_removal
                     ? nq_txn_remove(&f->ctx, txn, NQ_TREE_CATALOG, nq_bytes_of(&key, sizeof key),
                                     &was_present)
                     : nq_txn_put(&f->ctx, txn, NQ_TREE_CATALOG, nq_bytes_of(&key, sizeof key),
                                  nq_bytes_of(noise, sizeof noise));
    }
    if (status != NQ_OK) {
        nq_txn_rollback(txn);
        return status;
    }
    return commit(f, txn, NULL, NULL);
}

/* Changes rows; when the disk is full, checkpoints make room, step by step. */
static nq_status change_rows_patiently(fixture *f, uint32_t first, uint32_t end, uint32_t step,
                                       bool is_removal) {
    enum { CHECKPOINTS_MAX = 20 };
    nq_status status = change_rows(f, first, end, step, is_removal);
    for (int i = 0; i < CHECKPOINTS_MAX && status == NQ_DISK_FULL; i++) {
        assert_int_equal(nq_store_checkpoint(&f->ctx, f->store, NULL), NQ_OK);
        status = change_rows(f, first, end, step, is_removal);
    }
    return status;
}

/* Fills the disk with rows from `first` on; returns where they end. */
static uint32_t fill_disk(fixture *f, uint32_t first) {
    enum { ROWS = 50 };
    uint32_t end = first;
    while (change_rows_patiently(f, end, end + ROWS, 1, false) == NQ_OK) {
        end += ROWS;
    }
    return end;
}

static void a_full_disk_can_always_be_checkpointed_and_gives_room_back(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    close_store(&f);
    f.options.cache_bytes = 4 << 20;
    nq_sim_vfs_set_capacity(f.disk, 12 << 20);
    assert_int_equal(reopen(&f), NQ_OK);
    uint32_t end = fill_disk(&f, 0);
    assert_true(end > 2000);
    for (int round = 0; round < 3; round++) {
        /* Two of three rows go, spread over every segment; then as many fit again. */
        for (uint32_t first = 1; first < 3; first++) {
            for (uint32_t at = first; at < end; at += 300) {
                uint32_t stop = at + 300 < end ? at + 300 : end;
                assert_int_equal(change_rows_patiently(&f, at, stop, 3, true), NQ_OK);
            }
        }
        uint32_t more = fill_disk(&f, end) - end;
        assert_true(more > end / 3);
        for (uint32_t at = end; at < end + more; at += 300) {
            uint32_t stop = at + 300 < end + more ? at + 300 : end + more;
            assert_int_equal(change_rows_patiently(&f, at, stop, 1, true), NQ_OK);
        }
        assert_int_equal(nq_store_verify(&f.ctx, f.store), NQ_OK);
        close_store(&f);
        assert_int_equal(reopen(&f), NQ_OK);
        assert_int_equal(nq_store_verify(&f.ctx, f.store), NQ_OK);
    }
    tear_down(&f);
}

/* ---- Space and statistics ---- */

static void replaced_pages_are_used_again(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    for (int i = 0; i < 400; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i % 20);
        assert_int_equal(put_one(&f, key, 5000), NQ_OK);
        if (i % 40 == 0) {
            assert_int_equal(nq_store_checkpoint(&f.ctx, f.store, NULL), NQ_OK);
        }
    }
    nq_store_stats stats;
    nq_store_get_stats(f.store, &stats);
    assert_true(stats.pages < 200);
    assert_true(stats.data_live_bytes < 400 * 5000 / 4);
    assert_int_equal(stats.commits, 400);
    assert_int_equal(stats.open_txns, 0);
    assert_true(stats.log_syncs >= 400 && stats.checkpoints >= 9);
    assert_int_equal(nq_store_verify(&f.ctx, f.store), NQ_OK);
    tear_down(&f);
}

static void a_long_snapshot_keeps_only_its_own_pages(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    assert_int_equal(put_one(&f, "k", 100), NQ_OK);
    nq_txn *reader = begin(&f);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(put_one(&f, "k", 100 + (size_t)i), NQ_OK);
    }
    nq_store_stats stats;
    nq_store_get_stats(f.store, &stats);
    assert_true(stats.pages < 40);
    nq_bytes value;
    assert_int_equal(nq_txn_find(&f.ctx, reader, NQ_TREE_CATALOG, NQ_BYTES_LITERAL("k"), &value),
                     NQ_OK);
    assert_int_equal(value.size, 100);
    nq_txn_rollback(reader);
    tear_down(&f);
}

static void positions_grow_with_every_commit_and_across_restarts(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    nq_lsn last = {0};
    for (int i = 0; i < 30; i++) {
        nq_txn *txn = begin(&f);
        assert_true(nq_txn_snapshot(txn).value >= last.value);
        assert_int_equal(nq_txn_put(&f.ctx, txn, NQ_TREE_CATALOG, NQ_BYTES_LITERAL("k"),
                                    nq_bytes_of(&i, sizeof i)),
                         NQ_OK);
        nq_lsn lsn;
        assert_int_equal(commit(&f, txn, NULL, &lsn), NQ_OK);
        assert_true(lsn.value > last.value);
        last = lsn;
        if (i % 10 == 9) {
            close_store(&f);
            assert_int_equal(reopen(&f), NQ_OK);
        }
    }
    tear_down(&f);
}

static void trees_get_ids_that_are_never_used_again(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    uint32_t last = 0;
    for (int i = 0; i < 6; i++) {
        nq_txn *txn = begin(&f);
        nq_tree_id tree;
        assert_int_equal(nq_txn_tree_create(&f.ctx, txn, &tree), NQ_OK);
        assert_true(tree.value > last);
        last = tree.value;
        assert_int_equal(commit(&f, txn, NULL, NULL), NQ_OK);
        txn = begin(&f);
        assert_int_equal(nq_txn_tree_drop(&f.ctx, txn, tree), NQ_OK);
        assert_int_equal(commit(&f, txn, NULL, NULL), NQ_OK);
        close_store(&f);
        assert_int_equal(reopen(&f), NQ_OK);
    }
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_is_opened_once),
        cmocka_unit_test(a_missing_store_is_not_made_if_it_must_exist),
        cmocka_unit_test(a_foreign_file_is_refused_and_left_alone),
        cmocka_unit_test(a_file_of_a_newer_version_is_refused_and_left_alone),
        cmocka_unit_test(a_truncated_file_is_refused_and_left_alone),
        cmocka_unit_test(a_lost_log_is_refused),
        cmocka_unit_test(a_log_without_its_data_file_is_refused),
        cmocka_unit_test(keys_and_values_have_limits),
        cmocka_unit_test(changes_not_yet_committed_come_out_of_the_cache),
        cmocka_unit_test(a_request_is_remembered_for_its_time_and_across_a_crash),
        cmocka_unit_test(after_a_failed_sync_writes_are_refused_and_reads_go_on),
        cmocka_unit_test(a_full_disk_refuses_the_commit_and_no_more),
        cmocka_unit_test(a_full_disk_can_always_be_checkpointed_and_gives_room_back),
        cmocka_unit_test(replaced_pages_are_used_again),
        cmocka_unit_test(a_long_snapshot_keeps_only_its_own_pages),
        cmocka_unit_test(positions_grow_with_every_commit_and_across_restarts),
        cmocka_unit_test(trees_get_ids_that_are_never_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
