/* Keeper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/engine/storage/backup/keeper.h"

enum { VALUE_BYTES = 2000, KEY_BYTES = 16 };

void keeper_init(keeper *k, uint64_t seed) {
    *k = (keeper){0};
    nq_ctx_init(&k->ctx, NULL);
    const nq_sim_options sim = {.seed = seed};
    assert_int_equal(nq_sim_vfs_create(&k->ctx, &sim, &k->disk), NQ_OK);
    k->vfs = nq_sim_vfs_as_vfs(k->disk);
    k->options = (nq_store_options){.cache_bytes = 1 << 20,
                                    .log_segment_bytes = KEEPER_SEGMENT_BYTES,
                                    .checkpoint_log_bytes = 2 * KEEPER_SEGMENT_BYTES,
                                    .lane_blocks = KEEPER_LANE_BLOCKS,
                                    .is_manual = true};
}

void keeper_share(keeper *k, const keeper *of) {
    *k = (keeper){.vfs = of->vfs, .options = of->options};
    nq_ctx_init(&k->ctx, NULL);
}

void keeper_deinit(keeper *k) {
    if (k->store != NULL) {
        assert_int_equal(keeper_close(k), NQ_OK);
    }
    nq_archive_directory_destroy(k->archive);
    nq_sim_vfs_destroy(k->disk);
}

nq_status keeper_open(keeper *k, const char *directory, const char *archive) {
    nq_archive_directory_destroy(k->archive);
    k->archive = NULL;
    k->options.log_archive = NULL;
    if (archive != NULL) {
        assert_int_equal(nq_archive_directory_create(&k->ctx, k->vfs, archive, &k->archive), NQ_OK);
        k->options.log_archive = nq_archive_directory_as_archive(k->archive);
    }
    return nq_store_open(&k->ctx, k->vfs, directory, &k->options, &k->store);
}

nq_status keeper_close(keeper *k) {
    nq_status status = nq_store_close(&k->ctx, k->store);
    k->store = NULL;
    nq_archive_directory_destroy(k->archive);
    k->archive = NULL;
    return status;
}

void keeper_crash(keeper *k) {
    nq_sim_vfs_cut_power(k->disk);
    (void)(keeper_close(k) == NQ_OK);
    nq_sim_vfs_restart(k->disk);
}

static void key_of(uint32_t number, char key[KEY_BYTES]) {
    (void)snprintf(key, KEY_BYTES, "%08u", number);
}

nq_lsn keeper_put(keeper *k, uint32_t number) {
    static char value[VALUE_BYTES];
    char key[KEY_BYTES];
    const nq_txn_options options = {0};
    const nq_commit_options durably = {0};
    nq_txn *txn;
    nq_lsn lsn;
    int64_t next_ns;
    key_of(number, key);
    (void)snprintf(value, sizeof value, "%u", number);
    assert_int_equal(nq_txn_begin(&k->ctx, k->store, &options, &txn), NQ_OK);
    assert_int_equal(nq_txn_put(&k->ctx, txn, NQ_TREE_CATALOG, nq_bytes_of_cstr(key),
                                nq_bytes_of(value, sizeof value)),
                     NQ_OK);
    assert_int_equal(nq_txn_commit(&k->ctx, txn, &durably, &lsn), NQ_OK);
    assert_int_equal(nq_store_keep(&k->ctx, k->store, &next_ns), NQ_OK);
    return lsn;
}

void keeper_put_range(keeper *k, uint32_t from, uint32_t to) {
    for (uint32_t number = from; number < to; number++) {
        (void)keeper_put(k, number);
    }
}

uint32_t keeper_count(keeper *k) {
    const nq_txn_options options = {.read_only = true};
    const nq_scan_range all = {0};
    nq_txn *txn;
    nq_scan *scan;
    nq_bytes key, value;
    uint32_t count = 0;
    assert_int_equal(nq_txn_begin(&k->ctx, k->store, &options, &txn), NQ_OK);
    assert_int_equal(nq_scan_open(&k->ctx, txn, NQ_TREE_CATALOG, &all, &scan), NQ_OK);
    assert_int_equal(nq_scan_next(&k->ctx, scan, &key, &value), NQ_OK);
    while (key.data != NULL) {
        char expected[KEY_BYTES];
        key_of(count++, expected);
        assert_true(nq_bytes_equal(key, nq_bytes_of_cstr(expected)));
        assert_int_equal(value.size, VALUE_BYTES);
        assert_int_equal(nq_scan_next(&k->ctx, scan, &key, &value), NQ_OK);
    }
    nq_scan_close(scan);
    nq_txn_rollback(txn);
    return count;
}

void keeper_segment_path(char path[128], const char *directory, uint64_t number) {
    (void)snprintf(path, 128, "%s/%016llx.segment", directory, (unsigned long long)number);
}
