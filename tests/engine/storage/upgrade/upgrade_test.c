/* Upgrade: what a server of format 1 left behind becomes a store of format 2 with the same entries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/os/clock.h"
#include "engine/ground/simd/crc32c.h"
#include "engine/storage/upgrade/legacy_file.h"
#include "engine/storage/wal/record.h"
#include "tests/engine/storage/upgrade/old_store.h"

static void a_stopped_store_keeps_every_entry(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    uint32_t before = digest_of_old(&f);
    assert_int_equal(upgrade(&f), NQ_OK);
    assert_true(f.result.was_needed);
    assert_true(f.result.entries > 826); /* its rows, and its catalog */
    assert_int_equal(f.result.commits, 0);
    assert_int_equal(digest_of_new(&f), before);
    tear_down(&f);
}

static void a_killed_stores_log_is_replayed(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &killed);
    uint32_t checkpoint = digest_of_old(&f);
    assert_int_equal(upgrade(&f), NQ_OK);
    assert_int_equal(f.result.commits,
                     13); /* later.sql: 12 statements, and numbers reserved for a key */
    assert_int_not_equal(digest_of_new(&f), checkpoint);
    tear_down(&f);
}

static void the_old_files_are_kept(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &killed);
    assert_int_equal(upgrade(&f), NQ_OK);
    assert_true(has_content(&f, "db/format-1/data.nqdb", &killed.data));
    assert_true(has_content(&f, "db/format-1/log/0000000000000000.log", &killed.log));
    assert_false(exists(&f, "db/upgrade"));
    tear_down(&f);
}

static void an_upgraded_store_is_left_alone(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(upgrade(&f), NQ_OK);
    uint32_t digest = digest_of_new(&f);
    assert_int_equal(upgrade(&f), NQ_OK);
    assert_false(f.result.was_needed);
    assert_int_equal(digest_of_new(&f), digest);
    tear_down(&f);
}

static void tree_ids_are_not_given_out_again(void **state) {
    (void)state;
    fixture f;
    nq_legacy_file *file;
    nq_store *store;
    nq_txn *txn;
    nq_tree_id made;
    const nq_txn_options options = {0};
    set_up(&f, &clean);
    assert_int_equal(nq_legacy_file_open(&f.ctx, f.vfs, DATA_PATH, &file), NQ_OK);
    uint32_t next_tree = nq_legacy_file_superblock(file)->next_tree;
    nq_legacy_file_close(file);
    assert_int_equal(upgrade(&f), NQ_OK);
    assert_int_equal(open_store(&f, &store), NQ_OK);
    assert_int_equal(nq_txn_begin(&f.ctx, store, &options, &txn), NQ_OK);
    assert_int_equal(nq_txn_tree_create(&f.ctx, txn, &made), NQ_OK);
    assert_true(made.value >= next_tree);
    nq_txn_rollback(txn);
    assert_int_equal(nq_store_close(&f.ctx, store), NQ_OK);
    tear_down(&f);
}

/* Puts a group of one commit, of a request, into an old log; returns where the next one goes. */
static uint64_t append_commit(old_store *old, const nq_legacy_superblock *superblock, uint64_t lsn,
                              uint64_t previous, const nq_log_record *commit) {
    const size_t record_bytes = nq_record_bytes(commit);
    uint8_t *header = old->log.bytes + lsn;
    const uint32_t head[4] = {0, 0x474c514e, 1, (uint32_t)record_bytes};
    const uint64_t places[3] = {lsn, previous, superblock->log_salt};
    const uint32_t tail[2] = {1, 0};
    memcpy(header, head, sizeof head);
    memcpy(header + 16, places, sizeof places);
    memcpy(header + 40, tail, sizeof tail);
    uint64_t seed = (lsn ^ superblock->log_salt) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t crc = nq_crc32c((uint32_t)(seed >> 32), header + 4, NQ_LOG_GROUP_HEADER_BYTES - 4);
    memcpy(header, &crc, sizeof crc);
    nq_record_encode(commit, (nq_lsn){lsn + NQ_LOG_GROUP_HEADER_BYTES},
                     nq_log_key_of(superblock->log_salt, 0), header + NQ_LOG_GROUP_HEADER_BYTES);
    return lsn + nq_log_block_align(NQ_LOG_GROUP_HEADER_BYTES + record_bytes);
}

static void requests_in_the_log_are_remembered(void **state) {
    (void)state;
    fixture f;
    nq_legacy_file *file;
    old_store old = copy_of(&clean);
    set_up(&f, &clean);
    assert_int_equal(nq_legacy_file_open(&f.ctx, f.vfs, DATA_PATH, &file), NQ_OK);
    const nq_legacy_superblock superblock = *nq_legacy_file_superblock(file);
    nq_legacy_file_close(file);
    tear_down(&f);
    nq_log_record commit = {.kind = NQ_RECORD_COMMIT,
                            .key = NQ_BYTES_LITERAL("request"),
                            .value = NQ_BYTES_LITERAL("first"),
                            .generation = superblock.generation + 1,
                            .time_us = nq_clock_realtime_us()};
    uint64_t next = append_commit(&old, &superblock, superblock.lsn, 0, &commit);
    commit.value = NQ_BYTES_LITERAL("second");
    commit.generation++;
    commit.time_us++;
    append_commit(&old, &superblock, next, superblock.lsn, &commit);

    nq_store *store;
    nq_arena arena;
    nq_bytes result;
    set_up(&f, &old);
    assert_int_equal(upgrade(&f), NQ_OK);
    assert_int_equal(f.result.commits, 2);
    assert_int_equal(open_store(&f, &store), NQ_OK);
    nq_arena_init(&arena, 4096);
    assert_int_equal(
        nq_store_find_request(&f.ctx, store, &arena, NQ_BYTES_LITERAL("request"), &result), NQ_OK);
    assert_true(nq_bytes_equal(result, NQ_BYTES_LITERAL("second")));
    nq_arena_deinit(&arena);
    nq_txn *txn;
    nq_tree_stats stats;
    const nq_txn_options reading = {.read_only = true};
    assert_int_equal(nq_txn_begin(&f.ctx, store, &reading, &txn), NQ_OK);
    assert_int_equal(
        nq_txn_tree_stats(&f.ctx, txn, (nq_tree_id){NQ_LEGACY_TREE_REQUEST_TIMES}, &stats), NQ_OK);
    assert_int_equal(stats.entry_count, 1); /* the first time is forgotten */
    nq_txn_rollback(txn);
    assert_int_equal(nq_store_close(&f.ctx, store), NQ_OK);
    tear_down(&f);
    free_copy(&old);
}

static void opening_an_old_store_asks_for_the_upgrade(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(nq_upgrade_prepare(&f.ctx, f.vfs, "db"), NQ_UPGRADE_NEEDED);
    assert_non_null(strstr(f.ctx.error.message, DATA_PATH ": format version 1, expected 2"));
    expect_untouched(&f, &clean);
    assert_int_equal(upgrade(&f), NQ_OK);
    assert_int_equal(nq_upgrade_prepare(&f.ctx, f.vfs, "db"), NQ_OK);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_store_keeps_every_entry),
        cmocka_unit_test(a_killed_stores_log_is_replayed),
        cmocka_unit_test(the_old_files_are_kept),
        cmocka_unit_test(an_upgraded_store_is_left_alone),
        cmocka_unit_test(tree_ids_are_not_given_out_again),
        cmocka_unit_test(requests_in_the_log_are_remembered),
        cmocka_unit_test(opening_an_old_store_asks_for_the_upgrade),
    };
    return cmocka_run_group_tests(tests, load_fixtures, free_fixtures);
}
