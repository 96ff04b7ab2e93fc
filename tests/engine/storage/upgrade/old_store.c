/* Old store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/ground/simd/crc32c.h"
#include "engine/storage/upgrade/legacy_cursor.h"
#include "tests/engine/storage/upgrade/old_store.h"

enum { TREES_MAX = 64 /* more than the fixtures have */ };

const nq_upgrade_options small_options = {.cache_bytes = 1 << 20, .lane_blocks = LANE_BLOCKS};

/* A file as the repository has it. */

old_store clean;
old_store killed;

static content load_host_file(const char *path) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    content all = {.size = (size_t)ftell(file)};
    rewind(file);
    all.bytes = malloc(all.size);
    assert_int_equal(fread(all.bytes, 1, all.size, file), all.size);
    fclose(file);
    return all;
}

int load_fixtures(void **state) {
    (void)state;
    clean.data = load_host_file("tests/upgrade/clean/data.nqdb");
    clean.log = load_host_file("tests/upgrade/clean/0000000000000000.log");
    killed.data = load_host_file("tests/upgrade/killed/data.nqdb");
    killed.log = load_host_file("tests/upgrade/killed/0000000000000000.log");
    return 0;
}

int free_fixtures(void **state) {
    (void)state;
    content *all[] = {&clean.data, &clean.log, &killed.data, &killed.log};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        free(all[i]->bytes);
    }
    return 0;
}

old_store copy_of(const old_store *old) {
    old_store copy = *old;
    copy.data.bytes = malloc(old->data.size);
    copy.log.bytes = malloc(old->log.size);
    memcpy(copy.data.bytes, old->data.bytes, old->data.size);
    memcpy(copy.log.bytes, old->log.bytes, old->log.size);
    return copy;
}

void free_copy(old_store *copy) {
    free(copy->data.bytes);
    free(copy->log.bytes);
}

/* ---- A disk with an old store on it ---- */

void write_file(fixture *f, const char *path, const uint8_t *bytes, size_t size) {
    nq_file *file;
    uint32_t flags = NQ_OPEN_CREATE | NQ_OPEN_TRUNCATE;
    assert_int_equal(nq_vfs_open(&f->ctx, f->vfs, path, flags, &file), NQ_OK);
    assert_int_equal(nq_file_write_at(&f->ctx, file, 0, bytes, size), NQ_OK);
    assert_int_equal(nq_file_sync_data(&f->ctx, file), NQ_OK);
    nq_file_close(file);
}

void set_up(fixture *f, const old_store *old) {
    nq_ctx_init(&f->ctx, NULL);
    nq_sim_options sim = {.seed = 7};
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disk), NQ_OK);
    f->vfs = nq_sim_vfs_as_vfs(f->disk);
    assert_int_equal(nq_vfs_make_dir(&f->ctx, f->vfs, "db"), NQ_OK);
    assert_int_equal(nq_vfs_make_dir(&f->ctx, f->vfs, "db/log"), NQ_OK);
    write_file(f, DATA_PATH, old->data.bytes, old->data.size);
    write_file(f, LOG_PATH, old->log.bytes, old->log.size);
    write_file(f, "db/LOCK", NULL, 0);
    assert_int_equal(nq_vfs_sync_dir(&f->ctx, f->vfs, "db/log"), NQ_OK);
    assert_int_equal(nq_vfs_sync_dir(&f->ctx, f->vfs, "db"), NQ_OK);
    assert_int_equal(nq_vfs_sync_dir(&f->ctx, f->vfs, "."), NQ_OK);
}

void tear_down(fixture *f) {
    nq_sim_vfs_destroy(f->disk);
}

bool exists(fixture *f, const char *path) {
    bool is_there;
    assert_int_equal(nq_vfs_exists(&f->ctx, f->vfs, path, &is_there), NQ_OK);
    return is_there;
}

bool has_content(fixture *f, const char *path, const content *wanted) {
    nq_file *file;
    uint64_t size;
    size_t read_bytes;
    if (!exists(f, path)) {
        return false;
    }
    assert_int_equal(nq_vfs_open(&f->ctx, f->vfs, path, NQ_OPEN_READ_ONLY, &file), NQ_OK);
    assert_int_equal(nq_file_size(&f->ctx, file, &size), NQ_OK);
    uint8_t *bytes = malloc(size + 1);
    assert_int_equal(nq_file_read_at(&f->ctx, file, 0, bytes, size, &read_bytes), NQ_OK);
    nq_file_close(file);
    bool is_same = size == wanted->size && memcmp(bytes, wanted->bytes, size) == 0;
    free(bytes);
    return is_same;
}

void expect_untouched(fixture *f, const old_store *old) {
    assert_true(has_content(f, DATA_PATH, &old->data));
    assert_true(has_content(f, LOG_PATH, &old->log));
    assert_false(exists(f, "db/upgrade"));
    assert_false(exists(f, "db/format-1"));
}

nq_status upgrade(fixture *f) {
    return nq_upgrade_run(&f->ctx, f->vfs, "db", &small_options, &f->result);
}

/* ---- What a store holds, as one number ---- */

static uint32_t fold(uint32_t digest, uint32_t tree, nq_bytes key, nq_bytes value) {
    const uint64_t head[3] = {tree, key.size, value.size};
    digest = nq_crc32c(digest, head, sizeof head);
    digest = nq_crc32c(digest, key.data, key.size);
    return nq_crc32c(digest, value.data, value.size);
}

nq_status open_store(fixture *f, nq_store **out_store) {
    const nq_store_options options = {
        .cache_bytes = 1 << 20, .must_exist = true, .is_manual = true};
    return nq_store_open(&f->ctx, f->vfs, "db", &options, out_store);
}

uint32_t digest_of_new(fixture *f) {
    nq_store *store;
    nq_txn *txn;
    const nq_txn_options reading = {.read_only = true};
    const nq_scan_range everything = {0};
    uint32_t digest = 0;
    assert_int_equal(open_store(f, &store), NQ_OK);
    assert_int_equal(nq_store_verify(&f->ctx, store), NQ_OK);
    assert_int_equal(nq_txn_begin(&f->ctx, store, &reading, &txn), NQ_OK);
    for (uint32_t tree = 1; tree < TREES_MAX; tree++) {
        nq_scan *scan;
        nq_bytes key;
        nq_bytes value;
        if (nq_scan_open(&f->ctx, txn, (nq_tree_id){tree}, &everything, &scan) != NQ_OK) {
            continue;
        }
        assert_int_equal(nq_scan_next(&f->ctx, scan, &key, &value), NQ_OK);
        for (; key.data != NULL;
             assert_int_equal(nq_scan_next(&f->ctx, scan, &key, &value), NQ_OK)) {
            digest = fold(digest, tree, key, value);
        }
        nq_scan_close(scan);
    }
    nq_txn_rollback(txn);
    assert_int_equal(nq_store_close(&f->ctx, store), NQ_OK);
    return digest;
}

uint32_t digest_of_old(fixture *f) {
    nq_legacy_file *file;
    nq_legacy_trees trees;
    uint32_t digest = 0;
    assert_int_equal(nq_legacy_file_open(&f->ctx, f->vfs, DATA_PATH, &file), NQ_OK);
    assert_int_equal(nq_legacy_trees_read(&f->ctx, file, &trees), NQ_OK);
    for (size_t i = 0; i < trees.count; i++) {
        nq_legacy_cursor *cursor;
        nq_bytes key;
        nq_bytes value;
        assert_int_equal(nq_legacy_cursor_open(&f->ctx, file, &trees.items[i].tree, &cursor),
                         NQ_OK);
        assert_int_equal(nq_legacy_cursor_next(&f->ctx, cursor, &key, &value), NQ_OK);
        for (; key.data != NULL;
             assert_int_equal(nq_legacy_cursor_next(&f->ctx, cursor, &key, &value), NQ_OK)) {
            digest = fold(digest, trees.items[i].id, key, value);
        }
        nq_legacy_cursor_close(cursor);
    }
    nq_legacy_trees_deinit(&trees);
    nq_legacy_file_close(file);
    return digest;
}
