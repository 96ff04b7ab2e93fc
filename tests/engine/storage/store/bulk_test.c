/* Bulk: loads of rows in order — all of them or none, whatever happens meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"
#include "tests/engine/storage/support/reference.h"

enum { KIB = 1 << 10, ROWS = 2000, VALUE_BYTES = 200, LONG_BYTES = 30000 };

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_store_options options;
    nq_store *store;
    nq_tree_id tree; /* there, and empty */
} fixture;

static void reopen(fixture *f) {
    assert_int_equal(
        nq_store_open(&f->ctx, nq_sim_vfs_as_vfs(f->disk), "db", &f->options, &f->store), NQ_OK);
}

static nq_txn *begin(fixture *f, nq_isolation isolation) {
    nq_txn *txn;
    nq_txn_options options = {.isolation = isolation, .lock_wait_ns = -1};
    assert_int_equal(nq_txn_begin(&f->ctx, f->store, &options, &txn), NQ_OK);
    return txn;
}

static nq_status commit(fixture *f, nq_txn *txn) {
    return nq_txn_commit(&f->ctx, txn, &(nq_commit_options){.durability = NQ_LAZY}, NULL);
}

static void set_up(fixture *f) {
    *f = (fixture){0};
    nq_ctx_init(&f->ctx, NULL);
    nq_sim_options sim = {.seed = 1};
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disk), NQ_OK);
    f->options = (nq_store_options){.cache_bytes = 1, /* the least there can be */
                                    .log_segment_bytes = 256 * KIB,
                                    .checkpoint_log_bytes = 1024 * KIB,
                                    .lane_blocks = 1,
                                    .is_manual = true};
    reopen(f);
    nq_txn *txn = begin(f, NQ_READ_COMMITTED);
    assert_int_equal(nq_txn_tree_create(&f->ctx, txn, &f->tree), NQ_OK);
    const nq_commit_options durably = {.durability = NQ_DURABLE};
    assert_int_equal(nq_txn_commit(&f->ctx, txn, &durably, NULL), NQ_OK);
}

static void tear_down(fixture *f) {
    assert_int_equal(nq_store_verify(&f->ctx, f->store), NQ_OK);
    assert_int_equal(nq_store_close(&f->ctx, f->store), NQ_OK);
    nq_sim_vfs_destroy(f->disk);
}

/* The power fails, and the store is opened again. */
static void cut_power(fixture *f) {
    nq_sim_vfs_cut_power(f->disk);
    (void)nq_store_close(&f->ctx, f->store);
    nq_sim_vfs_restart(f->disk);
    reopen(f);
    assert_int_equal(nq_store_verify(&f->ctx, f->store), NQ_OK);
}

static nq_bytes key_of(char room[16], uint32_t row) {
    return nq_bytes_of(room, (size_t)snprintf(room, 16, "%08u", row));
}

/* Every fiftieth is long. */
static nq_bytes value_of(uint32_t row) {
    static uint8_t bytes[LONG_BYTES];
    size_t size = row % 50 == 49 ? LONG_BYTES - row % 7 : VALUE_BYTES;
    nq_rng rng = {row + 1};
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i % 3 == 0 ? nq_rng_next(&rng) : row);
    }
    return nq_bytes_of(bytes, size);
}

static nq_bulk *begin_load(fixture *f, nq_txn *txn) {
    nq_bulk *bulk;
    assert_int_equal(nq_bulk_begin(&f->ctx, txn, f->tree, &bulk), NQ_OK);
    return bulk;
}

static nq_status add_rows(fixture *f, nq_bulk *bulk, uint32_t from, uint32_t to) {
    for (uint32_t row = from; row < to; row++) {
        char room[16];
        NQ_TRY(nq_bulk_add(&f->ctx, bulk, key_of(room, row), value_of(row)));
    }
    return NQ_OK;
}

/* All of it in one transaction. */
static nq_status load(fixture *f, uint32_t rows) {
    nq_txn *txn = begin(f, NQ_READ_COMMITTED);
    nq_bulk *bulk;
    nq_status status = nq_bulk_begin(&f->ctx, txn, f->tree, &bulk);
    status = status == NQ_OK ? add_rows(f, bulk, 0, rows) : status;
    status = status == NQ_OK ? nq_bulk_finish(&f->ctx, bulk) : status;
    if (status != NQ_OK) {
        nq_txn_rollback(txn);
        return status;
    }
    return commit(f, txn);
}

static void put(fixture *f, nq_txn *txn, nq_tree_id tree, const char *key) {
    nq_bytes bytes = nq_bytes_of(key, strlen(key));
    assert_int_equal(nq_txn_put(&f->ctx, txn, tree, bytes, bytes), NQ_OK);
}

static bool has(fixture *f, nq_tree_id tree, const char *key) {
    nq_txn *txn = begin(f, NQ_READ_COMMITTED);
    nq_bytes value;
    assert_int_equal(nq_txn_find(&f->ctx, txn, tree, nq_bytes_of(key, strlen(key)), &value), NQ_OK);
    bool is_there = value.data != NULL;
    nq_txn_rollback(txn);
    return is_there;
}

/* The rows that the transaction sees in the tree, checked, from 0 on. */
static uint32_t rows_seen(fixture *f, nq_txn *txn) {
    nq_scan *scan;
    nq_scan_range range = {0};
    uint32_t rows = 0;
    assert_int_equal(nq_scan_open(&f->ctx, txn, f->tree, &range, &scan), NQ_OK);
    for (;;) {
        char room[16];
        nq_bytes key;
        nq_bytes value;
        assert_int_equal(nq_scan_next(&f->ctx, scan, &key, &value), NQ_OK);
        if (key.data == NULL) {
            break;
        }
        assert_true(nq_bytes_equal(key, key_of(room, rows)));
        assert_true(nq_bytes_equal(value, value_of(rows)));
        rows++;
    }
    nq_scan_close(scan);
    return rows;
}

static uint32_t rows_now(fixture *f) {
    nq_txn *txn = begin(f, NQ_READ_COMMITTED);
    uint32_t rows = rows_seen(f, txn);
    nq_txn_rollback(txn);
    return rows;
}

static nq_store_stats stats_of(fixture *f) {
    nq_store_stats stats;
    nq_store_get_stats(f->store, &stats);
    return stats;
}

/* ---- What is loaded ---- */

static void a_load_is_seen_and_durable_when_its_commit_returns(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    uint64_t logged = stats_of(&f).log_bytes;
    assert_int_equal(load(&f, ROWS), NQ_OK);
    assert_int_equal(rows_now(&f), ROWS);
    assert_true(stats_of(&f).log_bytes - logged < 64 * KIB); /* nothing of the rows */
    cut_power(&f);
    assert_int_equal(rows_now(&f), ROWS);
    assert_int_equal(stats_of(&f).recovered_commits, 0);
    tear_down(&f);
}

static void a_load_larger_than_the_cache_stays_within_its_budget(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    nq_bulk *bulk = begin_load(&f, txn);
    enum { MANY_ROWS = 10 * ROWS };
    for (uint32_t row = 0; row < MANY_ROWS; row += ROWS / 10) {
        assert_int_equal(add_rows(&f, bulk, row, row + ROWS / 10), NQ_OK);
        nq_store_stats stats = stats_of(&f);
        assert_true(stats.cache_bytes <= stats.cache_budget_bytes);
    }
    assert_int_equal(nq_bulk_finish(&f.ctx, bulk), NQ_OK);
    assert_int_equal(commit(&f, txn), NQ_OK);
    nq_store_stats stats = stats_of(&f);
    assert_true(stats.pages * 8192 > 2 * stats.cache_budget_bytes);
    assert_int_equal(rows_now(&f), MANY_ROWS);
    tear_down(&f);
}

static void a_loaded_tree_is_a_tree_like_any_other(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    assert_int_equal(load(&f, ROWS), NQ_OK);
    nq_txn *before = begin(&f, NQ_REPEATABLE_READ);
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    for (uint32_t row = 0; row < ROWS; row += 2) {
        char room[16];
        bool was_present;
        assert_int_equal(nq_txn_remove(&f.ctx, txn, f.tree, key_of(room, row), &was_present),
                         NQ_OK);
        assert_true(was_present);
    }
    assert_int_equal(commit(&f, txn), NQ_OK);
    assert_int_equal(rows_seen(&f, before), ROWS);
    nq_txn_rollback(before);
    txn = begin(&f, NQ_READ_COMMITTED);
    nq_tree_stats stats;
    assert_int_equal(nq_txn_tree_stats(&f.ctx, txn, f.tree, &stats), NQ_OK);
    assert_int_equal(stats.entry_count, ROWS / 2);
    assert_int_equal(nq_txn_tree_drop(&f.ctx, txn, f.tree), NQ_OK);
    assert_int_equal(commit(&f, txn), NQ_OK);
    assert_int_equal(nq_store_checkpoint(&f.ctx, f.store, NULL), NQ_OK);
    /* Every page came back. */
    assert_true(stats_of(&f).pages - stats_of(&f).free_pages < 8);
    tear_down(&f);
}

static void a_transaction_may_make_the_tree_that_it_loads_and_write_to_others(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_txn *txn = begin(&f, NQ_SERIALIZABLE);
    nq_tree_id other = f.tree;
    assert_int_equal(nq_txn_tree_create(&f.ctx, txn, &f.tree), NQ_OK);
    put(&f, txn, NQ_TREE_CATALOG, "table");
    nq_bulk *bulk = begin_load(&f, txn);
    assert_int_equal(add_rows(&f, bulk, 0, 100), NQ_OK);
    put(&f, txn, other, "row");
    assert_int_equal(nq_bulk_finish(&f.ctx, bulk), NQ_OK);
    const nq_commit_options options = {.durability = NQ_LAZY,
                                       .request_id = NQ_BYTES_LITERAL("request"),
                                       .request_result = NQ_BYTES_LITERAL("result")};
    assert_int_equal(nq_txn_commit(&f.ctx, txn, &options, NULL), NQ_OK);
    cut_power(&f);
    assert_int_equal(rows_now(&f), 100);
    assert_true(has(&f, NQ_TREE_CATALOG, "table"));
    assert_true(has(&f, other, "row"));
    nq_arena arena;
    nq_bytes result;
    nq_arena_init(&arena, 4 * KIB);
    assert_int_equal(nq_store_find_request(&f.ctx, f.store, &arena, options.request_id, &result),
                     NQ_OK);
    assert_true(nq_bytes_equal(result, options.request_result));
    nq_arena_deinit(&arena);
    tear_down(&f);
}

static void one_transaction_may_load_several_trees(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_tree_id first = f.tree;
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    nq_bulk *bulks[2];
    bulks[0] = begin_load(&f, txn);
    assert_int_equal(nq_txn_tree_create(&f.ctx, txn, &f.tree), NQ_OK);
    bulks[1] = begin_load(&f, txn);
    for (uint32_t row = 0; row < 300; row++) { /* by turns */
        assert_int_equal(add_rows(&f, bulks[row % 2], row / 2, row / 2 + 1), NQ_OK);
    }
    assert_int_equal(nq_bulk_finish(&f.ctx, bulks[1]), NQ_OK);
    assert_int_equal(nq_bulk_finish(&f.ctx, bulks[0]), NQ_OK);
    assert_int_equal(commit(&f, txn), NQ_OK);
    assert_int_equal(rows_now(&f), 150);
    f.tree = first;
    assert_int_equal(rows_now(&f), 150);
    tear_down(&f);
}

static void a_load_of_no_rows_commits_like_any_transaction(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    uint64_t checkpoints = stats_of(&f).checkpoints;
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    nq_bulk *bulk = begin_load(&f, txn);
    assert_int_equal(nq_bulk_finish(&f.ctx, bulk), NQ_OK);
    put(&f, txn, f.tree, "x");
    assert_int_equal(commit(&f, txn), NQ_OK);
    assert_true(has(&f, f.tree, "x"));
    assert_int_equal(stats_of(&f).checkpoints, checkpoints);
    tear_down(&f);
}

static void commits_before_and_after_a_load_survive_with_it(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    put(&f, txn, NQ_TREE_CATALOG, "before"); /* lazily */
    assert_int_equal(commit(&f, txn), NQ_OK);
    txn = begin(&f, NQ_READ_COMMITTED);
    nq_bulk *bulk = begin_load(&f, txn);
    assert_int_equal(add_rows(&f, bulk, 0, ROWS / 2), NQ_OK);
    nq_txn *other = begin(&f, NQ_READ_COMMITTED);
    put(&f, other, NQ_TREE_CATALOG, "meanwhile");
    assert_int_equal(commit(&f, other), NQ_OK);
    assert_int_equal(nq_store_checkpoint(&f.ctx, f.store, NULL), NQ_OK);
    assert_int_equal(add_rows(&f, bulk, ROWS / 2, ROWS), NQ_OK);
    assert_int_equal(nq_bulk_finish(&f.ctx, bulk), NQ_OK);
    assert_int_equal(commit(&f, txn), NQ_OK);
    other = begin(&f, NQ_READ_COMMITTED);
    put(&f, other, f.tree, "9 after");
    assert_int_equal(
        nq_txn_commit(&f.ctx, other, &(nq_commit_options){.durability = NQ_DURABLE}, NULL), NQ_OK);
    cut_power(&f);
    assert_true(has(&f, NQ_TREE_CATALOG, "before"));
    assert_true(has(&f, NQ_TREE_CATALOG, "meanwhile"));
    assert_true(has(&f, f.tree, "00001999"));
    assert_true(has(&f, f.tree, "9 after"));
    tear_down(&f);
}

/* ---- What is refused ---- */

static void a_refused_row_changes_nothing_and_the_load_goes_on(void **state) {
    (void)state;
    static fixture f;
    static uint8_t bytes[NQ_STORE_VALUE_BYTES_MAX + 1];
    set_up(&f);
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    nq_bulk *bulk = begin_load(&f, txn);
    char room[16];
    nq_bytes too_long = nq_bytes_of(bytes, sizeof bytes);
    nq_bytes long_key = nq_bytes_of(bytes, NQ_STORE_KEY_BYTES_MAX + 1);
    assert_int_equal(add_rows(&f, bulk, 0, 10), NQ_OK);
    assert_int_equal(nq_bulk_add(&f.ctx, bulk, key_of(room, 9), value_of(9)), NQ_UNIQUE_VIOLATION);
    assert_non_null(strstr(f.ctx.error.message, "row 11"));
    assert_int_equal(nq_bulk_add(&f.ctx, bulk, key_of(room, 8), value_of(8)), NQ_INVALID_ARGUMENT);
    assert_non_null(strstr(f.ctx.error.message, "ascending order"));
    assert_int_equal(nq_bulk_add(&f.ctx, bulk, key_of(room, 10), too_long), NQ_LIMIT_EXCEEDED);
    assert_non_null(strstr(f.ctx.error.message, "16777216"));
    assert_int_equal(nq_bulk_add(&f.ctx, bulk, long_key, value_of(8)), NQ_LIMIT_EXCEEDED);
    assert_non_null(strstr(f.ctx.error.message, "1024"));
    assert_int_equal(add_rows(&f, bulk, 10, 20), NQ_OK);
    assert_int_equal(nq_bulk_finish(&f.ctx, bulk), NQ_OK);
    assert_int_equal(commit(&f, txn), NQ_OK);
    assert_int_equal(rows_now(&f), 20);
    tear_down(&f);
}

static void only_an_empty_tree_is_loaded(void **state) {
    (void)state;
    static fixture f;
    nq_bulk *bulk;
    set_up(&f);
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    put(&f, txn, f.tree, "own");
    assert_int_equal(nq_bulk_begin(&f.ctx, txn, f.tree, &bulk), NQ_INVALID_ARGUMENT);
    nq_txn *stale = begin(&f, NQ_REPEATABLE_READ);
    assert_int_equal(commit(&f, txn), NQ_OK);
    assert_int_equal(nq_bulk_begin(&f.ctx, stale, f.tree, &bulk), NQ_WRITE_CONFLICT);
    nq_txn_rollback(stale);
    txn = begin(&f, NQ_READ_COMMITTED);
    assert_int_equal(nq_bulk_begin(&f.ctx, txn, f.tree, &bulk), NQ_INVALID_ARGUMENT);
    assert_int_equal(nq_bulk_begin(&f.ctx, txn, (nq_tree_id){9999}, &bulk), NQ_TABLE_NOT_FOUND);
    nq_txn_rollback(txn);
    tear_down(&f);
}

static void a_tree_being_loaded_is_nobody_elses_and_not_yet_its_transactions(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    nq_bulk *bulk = begin_load(&f, txn);
    nq_bulk *again;
    nq_bytes value;
    nq_bytes key = NQ_BYTES_LITERAL("k");
    assert_int_equal(nq_bulk_begin(&f.ctx, txn, f.tree, &again), NQ_TRANSACTION_ACTIVE);
    assert_int_equal(nq_txn_find(&f.ctx, txn, f.tree, key, &value), NQ_TRANSACTION_ACTIVE);
    assert_int_equal(nq_txn_put(&f.ctx, txn, f.tree, key, key), NQ_TRANSACTION_ACTIVE);
    nq_txn *other = begin(&f, NQ_READ_COMMITTED);
    assert_int_equal(nq_txn_put(&f.ctx, other, f.tree, key, key), NQ_LOCK_TIMEOUT);
    assert_int_equal(rows_seen(&f, other), 0);
    nq_txn_rollback(other);
    assert_int_equal(add_rows(&f, bulk, 0, 5), NQ_OK);
    assert_int_equal(nq_bulk_finish(&f.ctx, bulk), NQ_OK);
    assert_int_equal(nq_txn_find(&f.ctx, txn, f.tree, key, &value), NQ_TRANSACTION_ACTIVE);
    assert_int_equal(commit(&f, txn), NQ_OK);
    assert_int_equal(rows_now(&f), 5);
    tear_down(&f);
}

static void a_load_that_was_not_finished_does_not_commit(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    nq_bulk *bulk = begin_load(&f, txn);
    put(&f, txn, NQ_TREE_CATALOG, "with it");
    assert_int_equal(add_rows(&f, bulk, 0, ROWS), NQ_OK);
    assert_int_equal(commit(&f, txn), NQ_TRANSACTION_FAILED);
    assert_int_equal(rows_now(&f), 0);
    assert_false(has(&f, NQ_TREE_CATALOG, "with it"));
    tear_down(&f);
}

/* ---- What is taken back ---- */

static void rolling_back_gives_every_page_back(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    uint64_t used = stats_of(&f).pages - stats_of(&f).free_pages;
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    nq_bulk *bulk = begin_load(&f, txn);
    assert_int_equal(add_rows(&f, bulk, 0, ROWS), NQ_OK);
    assert_int_equal(nq_store_checkpoint(&f.ctx, f.store, NULL), NQ_OK);
    assert_int_equal(nq_bulk_finish(&f.ctx, bulk), NQ_OK);
    nq_txn_rollback(txn);
    assert_int_equal(stats_of(&f).pages - stats_of(&f).free_pages, used);
    assert_int_equal(nq_store_verify(&f.ctx, f.store), NQ_OK);
    assert_int_equal(load(&f, ROWS), NQ_OK);
    assert_int_equal(rows_now(&f), ROWS);
    tear_down(&f);
}

static void a_savepoint_takes_back_the_loads_begun_since(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    nq_savepoint outer;
    nq_savepoint inner;
    assert_int_equal(nq_txn_savepoint(&f.ctx, txn, &outer), NQ_OK);
    nq_bulk *bulk = begin_load(&f, txn);
    assert_int_equal(add_rows(&f, bulk, 0, 100), NQ_OK);
    assert_int_equal(nq_txn_savepoint(&f.ctx, txn, &inner), NQ_OK);
    assert_int_equal(add_rows(&f, bulk, 100, 200), NQ_OK);
    assert_int_equal(nq_txn_rollback_to(&f.ctx, txn, inner), NQ_OK);
    assert_int_equal(add_rows(&f, bulk, 200, 300), NQ_OK); /* begun before: it goes on */
    assert_int_equal(nq_txn_rollback_to(&f.ctx, txn, outer), NQ_OK);
    bulk = begin_load(&f, txn);
    assert_int_equal(add_rows(&f, bulk, 0, 50), NQ_OK);
    assert_int_equal(nq_bulk_finish(&f.ctx, bulk), NQ_OK);
    assert_int_equal(commit(&f, txn), NQ_OK);
    assert_int_equal(rows_now(&f), 50);
    tear_down(&f);
}

static void a_power_cut_in_the_midst_of_a_load_leaves_the_tree_empty(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
    nq_bulk *bulk = begin_load(&f, txn);
    assert_int_equal(add_rows(&f, bulk, 0, ROWS / 2), NQ_OK);
    assert_int_equal(nq_store_checkpoint(&f.ctx, f.store, NULL), NQ_OK);
    assert_int_equal(add_rows(&f, bulk, ROWS / 2, ROWS), NQ_OK);
    nq_sim_vfs_cut_power(f.disk);
    nq_txn_rollback(txn);
    cut_power(&f);
    assert_int_equal(rows_now(&f), 0);
    assert_int_equal(load(&f, ROWS), NQ_OK);
    assert_int_equal(rows_now(&f), ROWS);
    tear_down(&f);
}

/* ---- What fails ---- */

/* Loads while something fails, in the store and after a restart: all of it or nothing. */
static void check_after_failure(fixture *f, nq_status status) {
    bool is_known = nq_store_health(f->store) == NQ_OK;
    uint32_t rows = rows_now(f);
    assert_int_equal(rows, status == NQ_OK ? ROWS : 0);
    if (is_known) {
        assert_int_equal(nq_store_verify(&f->ctx, f->store), NQ_OK);
    }
    cut_power(f);
    uint32_t found = rows_now(f);
    assert_true(found == rows || (!is_known && found == ROWS));
    if (found == 0) {
        assert_int_equal(load(f, ROWS), NQ_OK);
        assert_int_equal(rows_now(f), ROWS);
    }
}

static void whatever_io_fails_it_is_all_of_it_or_nothing(void **state) {
    (void)state;
    static fixture f;
    static const nq_sim_fault faults[] = {NQ_SIM_WRITE_ERROR, NQ_SIM_SYNC_ERROR, NQ_SIM_READ_ERROR};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        bool is_hit = true;
        for (uint64_t nth = 1; is_hit; nth += faults[i] == NQ_SIM_SYNC_ERROR ? 1 : 7) {
            set_up(&f);
            nq_sim_vfs_fault_at(f.disk, faults[i], nth);
            nq_status status = load(&f, ROWS);
            is_hit = nq_sim_vfs_get_stats(f.disk).faults[faults[i]] != 0;
            nq_sim_vfs_fault_at(f.disk, faults[i], 0);
            check_after_failure(&f, status);
            tear_down(&f);
        }
    }
}

static void a_full_disk_in_the_midst_of_a_load_gives_everything_back(void **state) {
    (void)state;
    static fixture f;
    bool is_hit = true;
    for (uint64_t nth = 1; is_hit; nth += 5) {
        set_up(&f);
        uint64_t used = stats_of(&f).pages - stats_of(&f).free_pages;
        nq_sim_vfs_fault_at(f.disk, NQ_SIM_WRITE_FULL, nth);
        nq_status status = load(&f, ROWS);
        is_hit = nq_sim_vfs_get_stats(f.disk).faults[NQ_SIM_WRITE_FULL] != 0;
        nq_sim_vfs_fault_at(f.disk, NQ_SIM_WRITE_FULL, 0);
        if (status != NQ_OK) {
            assert_int_equal(status, NQ_DISK_FULL);
            /* After a superblock that failed nobody knows whose they are. */
            assert_true(nq_store_health(f.store) != NQ_OK ||
                        stats_of(&f).pages - stats_of(&f).free_pages == used);
        }
        check_after_failure(&f, status);
        tear_down(&f);
    }
}

static void every_allocation_of_a_load_may_fail(void **state) {
    (void)state;
    static fixture f;
    bool is_hit = true;
    for (uint64_t nth = 1; is_hit; nth++) {
        set_up(&f);
        nq_heap_fail_at(nth, nth % 3 == 0);
        nq_txn *txn;
        nq_txn_options options = {.lock_wait_ns = -1};
        nq_status status = nq_txn_begin(&f.ctx, f.store, &options, &txn);
        nq_bulk *bulk;
        if (status == NQ_OK) {
            status = nq_bulk_begin(&f.ctx, txn, f.tree, &bulk);
            status = status == NQ_OK ? add_rows(&f, bulk, 0, ROWS) : status;
            status = status == NQ_OK ? nq_bulk_finish(&f.ctx, bulk) : status;
            if (status == NQ_OK) {
                status = commit(&f, txn);
            } else {
                nq_txn_rollback(txn);
            }
        }
        is_hit = nq_heap_fail_never() >= nth;
        /* Some can be done without. */
        assert_true(status == NQ_OK || (is_hit && status == NQ_MEMORY_LIMIT));
        assert_int_equal(nq_store_health(f.store), NQ_OK);
        check_after_failure(&f, status);
        tear_down(&f);
    }
}

/* ---- Against transactions ---- */

/* The same random rows, loaded in bulk and put by transactions, are the same to every reader. */
static void a_load_holds_what_transactions_would_have_put(void **state) {
    (void)state;
    enum { SEEDS = 40, ROWS_MAX = 600, VALUE_MAX = 3000 };
    static uint8_t bytes[LONG_BYTES];
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        static fixture f;
        set_up(&f);
        nq_rng rng = {seed};
        reference rows = {0};
        for (uint64_t i = nq_rng_below(&rng, ROWS_MAX); i > 0; i--) {
            char key[200];
            int key_bytes =
                snprintf(key, sizeof key, "%.*s%0*u", (int)nq_rng_below(&rng, 4) * 20,
                         "a/prefix/that/many/keys/share/and/some/longer/than/others/x",
                         1 + (int)nq_rng_below(&rng, 40), (unsigned)nq_rng_below(&rng, 100000));
            size_t limit = nq_rng_below(&rng, 30) == 0 ? LONG_BYTES : VALUE_MAX;
            size_t value_bytes = nq_rng_below(&rng, nq_rng_below(&rng, 2) == 0 ? 40 : limit);
            memset(bytes, (int)nq_rng_below(&rng, 256), value_bytes);
            reference_put(&rows, f.tree.value, nq_bytes_of(key, (size_t)key_bytes),
                          nq_bytes_of(bytes, value_bytes));
        }
        nq_txn *txn = begin(&f, NQ_READ_COMMITTED);
        nq_bulk *bulk = begin_load(&f, txn);
        for (size_t i = 0; i < rows.count; i++) {
            assert_int_equal(nq_bulk_add(&f.ctx, bulk, rows.entries[i].key, rows.entries[i].value),
                             NQ_OK);
        }
        assert_int_equal(nq_bulk_finish(&f.ctx, bulk), NQ_OK);
        assert_int_equal(commit(&f, txn), NQ_OK);
        txn = begin(&f, NQ_READ_COMMITTED);
        nq_status status;
        const char *difference = reference_compare(&rows, txn, &status);
        if (difference != NULL) {
            fail_msg("seed %llu: %s", (unsigned long long)seed, difference);
        }
        nq_txn_rollback(txn);
        reference_deinit(&rows);
        tear_down(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_is_seen_and_durable_when_its_commit_returns),
        cmocka_unit_test(a_load_larger_than_the_cache_stays_within_its_budget),
        cmocka_unit_test(a_loaded_tree_is_a_tree_like_any_other),
        cmocka_unit_test(a_transaction_may_make_the_tree_that_it_loads_and_write_to_others),
        cmocka_unit_test(one_transaction_may_load_several_trees),
        cmocka_unit_test(a_load_of_no_rows_commits_like_any_transaction),
        cmocka_unit_test(commits_before_and_after_a_load_survive_with_it),
        cmocka_unit_test(a_refused_row_changes_nothing_and_the_load_goes_on),
        cmocka_unit_test(only_an_empty_tree_is_loaded),
        cmocka_unit_test(a_tree_being_loaded_is_nobody_elses_and_not_yet_its_transactions),
        cmocka_unit_test(a_load_that_was_not_finished_does_not_commit),
        cmocka_unit_test(rolling_back_gives_every_page_back),
        cmocka_unit_test(a_savepoint_takes_back_the_loads_begun_since),
        cmocka_unit_test(a_power_cut_in_the_midst_of_a_load_leaves_the_tree_empty),
        cmocka_unit_test(whatever_io_fails_it_is_all_of_it_or_nothing),
        cmocka_unit_test(a_full_disk_in_the_midst_of_a_load_gives_everything_back),
        cmocka_unit_test(every_allocation_of_a_load_may_fail),
        cmocka_unit_test(a_load_holds_what_transactions_would_have_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
