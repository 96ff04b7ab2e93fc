/* Upgrade: what a server of format 1 left behind becomes a store of format 2 with the same entries;
 * what is damaged, foreign or newer is refused and left alone; and power may fail at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/ground/os/clock.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/simd/crc32c.h"
#include "engine/storage/store/store.h"
#include "engine/storage/upgrade/legacy_cursor.h"
#include "engine/storage/upgrade/upgrade.h"
#include "engine/storage/wal/record.h"

#define DATA_PATH "db/data.nqdb"
#define LOG_PATH  "db/log/0000000000000000.log"

enum {
    LANE_BLOCKS = 3,
    TREES_MAX = 64, /* more than the fixtures have */
    VERSION_AT = 8,
    CRC_AT = 124,
};

static const nq_upgrade_options small_options = {.cache_bytes = 1 << 20,
                                                 .lane_blocks = LANE_BLOCKS};

/* A file as the repository has it. */
typedef struct content {
    uint8_t *bytes;
    size_t size;
} content;

typedef struct old_store {
    content data;
    content log;
} old_store;

static old_store clean; /* its server was stopped */
static old_store killed;

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

static int load_fixtures(void **state) {
    (void)state;
    clean.data = load_host_file("tests/upgrade/clean/data.nqdb");
    clean.log = load_host_file("tests/upgrade/clean/0000000000000000.log");
    killed.data = load_host_file("tests/upgrade/killed/data.nqdb");
    killed.log = load_host_file("tests/upgrade/killed/0000000000000000.log");
    return 0;
}

static int free_fixtures(void **state) {
    (void)state;
    content *all[] = {&clean.data, &clean.log, &killed.data, &killed.log};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        free(all[i]->bytes);
    }
    return 0;
}

static old_store copy_of(const old_store *old) {
    old_store copy = *old;
    copy.data.bytes = malloc(old->data.size);
    copy.log.bytes = malloc(old->log.size);
    memcpy(copy.data.bytes, old->data.bytes, old->data.size);
    memcpy(copy.log.bytes, old->log.bytes, old->log.size);
    return copy;
}

static void free_copy(old_store *copy) {
    free(copy->data.bytes);
    free(copy->log.bytes);
}

/* ---- A disk with an old store on it ---- */

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_vfs *vfs;
    nq_upgrade_result result;
} fixture;

static void write_file(fixture *f, const char *path, const uint8_t *bytes, size_t size) {
    nq_file *file;
    uint32_t flags = NQ_OPEN_CREATE | NQ_OPEN_TRUNCATE;
    assert_int_equal(nq_vfs_open(&f->ctx, f->vfs, path, flags, &file), NQ_OK);
    assert_int_equal(nq_file_write_at(&f->ctx, file, 0, bytes, size), NQ_OK);
    assert_int_equal(nq_file_sync_data(&f->ctx, file), NQ_OK);
    nq_file_close(file);
}

static void set_up(fixture *f, const old_store *old) {
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

static void tear_down(fixture *f) {
    nq_sim_vfs_destroy(f->disk);
}

static bool exists(fixture *f, const char *path) {
    bool is_there;
    assert_int_equal(nq_vfs_exists(&f->ctx, f->vfs, path, &is_there), NQ_OK);
    return is_there;
}

static bool has_content(fixture *f, const char *path, const content *wanted) {
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

static void expect_untouched(fixture *f, const old_store *old) {
    assert_true(has_content(f, DATA_PATH, &old->data));
    assert_true(has_content(f, LOG_PATH, &old->log));
    assert_false(exists(f, "db/upgrade"));
    assert_false(exists(f, "db/format-1"));
}

static nq_status upgrade(fixture *f) {
    return nq_upgrade_run(&f->ctx, f->vfs, "db", &small_options, &f->result);
}

/* ---- What a store holds, as one number ---- */

static uint32_t fold(uint32_t digest, uint32_t tree, nq_bytes key, nq_bytes value) {
    const uint64_t head[3] = {tree, key.size, value.size};
    digest = nq_crc32c(digest, head, sizeof head);
    digest = nq_crc32c(digest, key.data, key.size);
    return nq_crc32c(digest, value.data, value.size);
}

static nq_status open_store(fixture *f, nq_store **out_store) {
    const nq_store_options options = {
        .cache_bytes = 1 << 20, .must_exist = true, .is_manual = true};
    return nq_store_open(&f->ctx, f->vfs, "db", &options, out_store);
}

static uint32_t digest_of_new(fixture *f) {
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

static uint32_t digest_of_old(fixture *f) {
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

/* ---- Upgrading ---- */

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

/* ---- Refusing ---- */

/* The upgrade fails, says this, and has changed nothing of `old`, which is what the disk holds. */
static void expect_refusal(const old_store *old, nq_status wanted, const char *words) {
    fixture f;
    set_up(&f, old);
    assert_int_equal(upgrade(&f), wanted);
    if (strstr(f.ctx.error.message, words) == NULL) {
        print_error("\"%s\" is not in \"%s\"\n", words, f.ctx.error.message);
        fail();
    }
    expect_untouched(&f, old);
    tear_down(&f);
}

static uint8_t *superblock_of(old_store *old, size_t copy) {
    return old->data.bytes + copy * NQ_PAGE_BYTES;
}

static void a_foreign_file_is_refused(void **state) {
    (void)state;
    old_store old = copy_of(&clean);
    for (size_t i = 0; i < NQ_LEGACY_SUPERBLOCK_COUNT; i++) {
        memcpy(superblock_of(&old, i), "SQLite format 3", 16);
    }
    expect_refusal(&old, NQ_FILE_FOREIGN, DATA_PATH ": is no data file");
    free_copy(&old);
}

static void a_newer_file_is_refused(void **state) {
    (void)state;
    old_store old = copy_of(&clean);
    size_t newest = 0;
    uint64_t sequence = 0;
    for (size_t i = 0; i < NQ_LEGACY_SUPERBLOCK_COUNT; i++) {
        nq_legacy_superblock superblock;
        uint32_t version;
        if (nq_legacy_superblock_decode(superblock_of(&old, i), &superblock, &version) ==
                NQ_LEGACY_VALID &&
            superblock.sequence > sequence) {
            sequence = superblock.sequence;
            newest = i;
        }
    }
    uint8_t *bytes = superblock_of(&old, newest);
    bytes[VERSION_AT] = 3;
    uint32_t crc = nq_crc32c(0, bytes, CRC_AT);
    memcpy(bytes + CRC_AT, &crc, sizeof crc);
    expect_refusal(&old, NQ_FILE_FOREIGN, "format version 3");
    free_copy(&old);
}

static void a_truncated_file_is_refused(void **state) {
    (void)state;
    old_store old = clean;
    old.data.size--;
    expect_refusal(&old, NQ_FILE_FOREIGN, DATA_PATH ": truncated at offset");
    old.data.size = 100;
    expect_refusal(&old, NQ_FILE_FOREIGN, DATA_PATH);
    old.data.size = 0;
    expect_refusal(&old, NQ_FILE_FOREIGN, DATA_PATH);
}

static void a_truncated_log_is_refused(void **state) {
    (void)state;
    old_store old = killed;
    old.log.size--;
    expect_refusal(&old, NQ_LOG_CORRUPT, LOG_PATH ": has 4194303 bytes, expected 4194304");
}

static void a_lost_log_is_refused(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(nq_vfs_unlink(&f.ctx, f.vfs, LOG_PATH), NQ_OK);
    assert_int_equal(upgrade(&f), NQ_LOG_CORRUPT);
    assert_non_null(strstr(f.ctx.error.message, LOG_PATH " is missing"));
    assert_true(has_content(&f, DATA_PATH, &clean.data));
    tear_down(&f);
}

static void a_log_broken_before_its_end_is_refused(void **state) {
    (void)state;
    old_store old = copy_of(&killed);
    fixture f;
    nq_legacy_file *file;
    set_up(&f, &killed);
    assert_int_equal(nq_legacy_file_open(&f.ctx, f.vfs, DATA_PATH, &file), NQ_OK);
    uint64_t start = nq_legacy_file_superblock(file)->lsn;
    nq_legacy_file_close(file);
    tear_down(&f);
    old.log.bytes[start + 100] ^= 1;
    expect_refusal(&old, NQ_LOG_CORRUPT, LOG_PATH);
    free_copy(&old);
}

/* One bit of any page: either it is not in use, or of an older checkpoint, and nothing changes; or
 * it is noticed before anything is written. */
static void no_damaged_page_is_copied(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(upgrade(&f), NQ_OK);
    uint32_t digest = digest_of_new(&f);
    tear_down(&f);
    size_t noticed = 0;
    size_t pages = clean.data.size / NQ_PAGE_BYTES;
    for (size_t page = 0; page < pages; page++) {
        old_store old = copy_of(&clean);
        old.data.bytes[page * NQ_PAGE_BYTES + (page * 977) % (page < 4 ? 128 : NQ_PAGE_BYTES)] ^=
            0x10;
        set_up(&f, &old);
        nq_status status = upgrade(&f);
        if (status == NQ_OK) {
            assert_int_equal(digest_of_new(&f), digest);
        } else {
            assert_true(status == NQ_PAGE_CORRUPT || status == NQ_FILE_FOREIGN);
            expect_untouched(&f, &old);
            noticed++;
        }
        tear_down(&f);
        free_copy(&old);
    }
    assert_true(noticed > pages / 2);
}

static void a_directory_in_use_is_refused(void **state) {
    (void)state;
    fixture f;
    nq_file *lock;
    set_up(&f, &clean);
    assert_int_equal(nq_vfs_lock_file(&f.ctx, f.vfs, "db/LOCK", &lock), NQ_OK);
    assert_int_equal(upgrade(&f), NQ_DATABASE_LOCKED);
    nq_file_close(lock);
    expect_untouched(&f, &clean);
    tear_down(&f);
}

static void a_directory_without_a_database_is_refused(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(nq_upgrade_run(&f.ctx, f.vfs, "nowhere", NULL, &f.result), NQ_IO_ERROR);
    assert_false(exists(&f, "nowhere"));
    tear_down(&f);
}

static void old_files_of_an_earlier_upgrade_are_not_replaced(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(nq_vfs_make_dir(&f.ctx, f.vfs, "db/format-1"), NQ_OK);
    write_file(&f, "db/format-1/data.nqdb", (const uint8_t *)"precious", 8);
    assert_int_equal(upgrade(&f), NQ_INVALID_ARGUMENT);
    const content precious = {(uint8_t *)"precious", 8};
    assert_true(has_content(&f, "db/format-1/data.nqdb", &precious));
    assert_true(has_content(&f, DATA_PATH, &clean.data));
    tear_down(&f);
}

static void a_full_disk_changes_nothing(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    nq_sim_vfs_set_capacity(f.disk, clean.data.size + clean.log.size + (1 << 20));
    assert_int_equal(upgrade(&f), NQ_DISK_FULL);
    expect_untouched(&f, &clean);
    nq_sim_vfs_set_capacity(f.disk, 0);
    assert_int_equal(upgrade(&f), NQ_OK);
    tear_down(&f);
}

/* ---- Power cuts ---- */

enum { CUTS_MAX = 4096 };

typedef struct campaign {
    fixture f;
    uint32_t digest; /* of what must come out */
    size_t count, found_old, found_new;
    nq_sim_vfs *disks[CUTS_MAX];
} campaign;

/* What the power cut left: the old store, whole, or the new one, as whoever starts a server finds
 * it. */
static void start_server(campaign *c, fixture *f) {
    nq_status status = nq_upgrade_prepare(&f->ctx, f->vfs, "db");
    if (status == NQ_UPGRADE_NEEDED) {
        assert_true(has_content(f, DATA_PATH, &killed.data));
        assert_true(has_content(f, LOG_PATH, &killed.log));
        c->found_old++;
        return;
    }
    assert_int_equal(status, NQ_OK);
    assert_int_equal(digest_of_new(f), c->digest);
    assert_true(has_content(f, "db/format-1/data.nqdb", &killed.data));
    assert_true(has_content(f, "db/format-1/log/0000000000000000.log", &killed.log));
    c->found_new++;
}

/* The run goes on and holds locks: what is left of its clones is looked at later. */
static void cut_power_before(void *user, uint64_t io) {
    campaign *c = user;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    assert_true(c->count < CUTS_MAX);
    assert_int_equal(nq_sim_vfs_clone(&ctx, c->f.disk, io, &c->disks[c->count]), NQ_OK);
    nq_sim_vfs_crash(c->disks[c->count++]);
}

static void recover(campaign *c, nq_sim_vfs *disk, bool runs_again) {
    fixture f = {.disk = disk, .vfs = nq_sim_vfs_as_vfs(disk)};
    nq_ctx_init(&f.ctx, NULL);
    start_server(c, &f);
    if (runs_again) {
        assert_int_equal(upgrade(&f), NQ_OK);
        assert_int_equal(digest_of_new(&f), c->digest);
        assert_false(exists(&f, "db/upgrade"));
    }
    tear_down(&f);
}

static void a_power_cut_at_any_moment_leaves_the_old_store_or_the_new(void **state) {
    (void)state;
    static campaign c;
    set_up(&c.f, &killed);
    assert_int_equal(upgrade(&c.f), NQ_OK);
    c.digest = digest_of_new(&c.f);
    tear_down(&c.f);
    set_up(&c.f, &killed);
    nq_sim_vfs_set_observer(c.f.disk, cut_power_before, &c);
    assert_int_equal(upgrade(&c.f), NQ_OK);
    nq_sim_vfs_set_observer(c.f.disk, NULL, NULL);
    tear_down(&c.f);
    for (size_t i = 0; i < c.count; i++) {
        recover(&c, c.disks[i], i % 4 == 0); /* to upgrade again takes a while */
    }
    print_message("%zu power cuts: %zu left the old store, %zu the new one\n", c.count, c.found_old,
                  c.found_new);
    assert_true(c.found_old > 0 && c.found_new > 0);
}

/* Power fails in the middle of finishing what a power cut had interrupted, and so on. */
static void a_swap_that_is_always_interrupted_ends(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &killed);
    assert_int_equal(upgrade(&f), NQ_OK);
    uint32_t digest = digest_of_new(&f);
    uint64_t ios = nq_sim_vfs_get_stats(f.disk).ios;
    tear_down(&f);
    set_up(&f, &killed);
    uint64_t before = nq_sim_vfs_get_stats(f.disk).ios;
    nq_sim_vfs_fault_at(f.disk, NQ_SIM_POWER_CUT, (ios - before) / 2);
    for (uint64_t life = 1; upgrade(&f) != NQ_OK; life++) {
        assert_true(life < 10000);
        nq_sim_vfs_restart(f.disk);
        nq_sim_vfs_fault_at(f.disk, NQ_SIM_POWER_CUT, 100 + life * 7);
    }
    nq_sim_vfs_fault_at(f.disk, NQ_SIM_POWER_CUT, 0);
    assert_int_equal(digest_of_new(&f), digest);
    assert_true(has_content(&f, "db/format-1/data.nqdb", &killed.data));
    tear_down(&f);
}

static void rename_file(fixture *f, const char *from, const char *to) {
    assert_int_equal(nq_vfs_rename(&f->ctx, f->vfs, from, to), NQ_OK);
}

/* The new store was decided for, the old one has moved out, and then an old server has begun a
 * store. */
static void a_store_begun_during_the_swap_is_not_replaced(void **state) {
    (void)state;
    const content stray = {(uint8_t *)"stray", 5};
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(upgrade(&f), NQ_OK);
    uint32_t digest = digest_of_new(&f);
    assert_int_equal(nq_vfs_make_dir(&f.ctx, f.vfs, "db/upgrade"), NQ_OK);
    assert_int_equal(nq_vfs_make_dir(&f.ctx, f.vfs, "db/upgrade/log"), NQ_OK);
    rename_file(&f, DATA_PATH, "db/upgrade/data.nqdb");
    write_file(&f, "db/upgrade/verified", NULL, 0);
    write_file(&f, DATA_PATH, stray.bytes, stray.size);
    assert_int_equal(nq_upgrade_prepare(&f.ctx, f.vfs, "db"), NQ_INVALID_ARGUMENT);
    assert_non_null(strstr(f.ctx.error.message, DATA_PATH " was made by another server"));
    assert_true(has_content(&f, DATA_PATH, &stray));
    assert_true(has_content(&f, "db/format-1/data.nqdb", &clean.data));
    rename_file(&f, DATA_PATH, "db/stray");
    assert_int_equal(nq_upgrade_prepare(&f.ctx, f.vfs, "db"), NQ_OK);
    assert_int_equal(digest_of_new(&f), digest);
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
        cmocka_unit_test(a_foreign_file_is_refused),
        cmocka_unit_test(a_newer_file_is_refused),
        cmocka_unit_test(a_truncated_file_is_refused),
        cmocka_unit_test(a_truncated_log_is_refused),
        cmocka_unit_test(a_lost_log_is_refused),
        cmocka_unit_test(a_log_broken_before_its_end_is_refused),
        cmocka_unit_test(no_damaged_page_is_copied),
        cmocka_unit_test(a_directory_in_use_is_refused),
        cmocka_unit_test(a_directory_without_a_database_is_refused),
        cmocka_unit_test(old_files_of_an_earlier_upgrade_are_not_replaced),
        cmocka_unit_test(a_full_disk_changes_nothing),
        cmocka_unit_test(a_store_begun_during_the_swap_is_not_replaced),
        cmocka_unit_test(a_power_cut_at_any_moment_leaves_the_old_store_or_the_new),
        cmocka_unit_test(a_swap_that_is_always_interrupted_ends),
    };
    return cmocka_run_group_tests(tests, load_fixtures, free_fixtures);
}
