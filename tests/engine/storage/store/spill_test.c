/* Spill: transactions larger than their memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/ground/os/sim_vfs.h"
#include "engine/storage/store/store.h"

enum { KIB = 1 << 10, MEMORY_BYTES = 64 * KIB, ROWS = 4000, VALUE_BYTES = 200 };

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_store_options options;
    nq_store *store;
} fixture;

static void reopen(fixture *f) {
    assert_int_equal(
        nq_store_open(&f->ctx, nq_sim_vfs_as_vfs(f->disk), "db", &f->options, &f->store), NQ_OK);
}

static int set_up(void **state) {
    static fixture shared;
    fixture *f = &shared;
    nq_ctx_init(&f->ctx, NULL);
    nq_sim_options sim = {.seed = 1};
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disk), NQ_OK);
    f->options = (nq_store_options){.cache_bytes = 2048 * KIB,
                                    .txn_bytes_max = MEMORY_BYTES,
                                    .log_segment_bytes = 256 * KIB,
                                    .checkpoint_log_bytes = 1024 * KIB,
                                    .lane_blocks = 1,
                                    .is_manual = true};
    reopen(f);
    *state = f;
    return 0;
}

static void close_whole(fixture *f) {
    assert_int_equal(nq_store_verify(&f->ctx, f->store), NQ_OK);
    assert_int_equal(nq_store_close(&f->ctx, f->store), NQ_OK);
    nq_sim_vfs_destroy(f->disk);
}

static int tear_down(void **state) {
    close_whole(*state);
    return 0;
}

static nq_txn *begin(fixture *f) {
    nq_txn *txn;
    nq_txn_options options = {.lock_wait_ns = -1};
    assert_int_equal(nq_txn_begin(&f->ctx, f->store, &options, &txn), NQ_OK);
    return txn;
}

static void commit(fixture *f, nq_txn *txn) {
    nq_commit_options options = {0};
    assert_int_equal(nq_txn_commit(&f->ctx, txn, &options, NULL), NQ_OK);
}

static nq_bytes key_of(char room[16], uint32_t row) {
    return nq_bytes_of(room, (size_t)snprintf(room, 16, "%08u", row));
}

static nq_bytes value_of(uint8_t room[VALUE_BYTES], char tag) {
    memset(room, tag, VALUE_BYTES);
    return nq_bytes_of(room, VALUE_BYTES);
}

/* Puts every `step`th row of [from, to). */
static void put_rows(fixture *f, nq_txn *txn, uint32_t from, uint32_t to, uint32_t step, char tag) {
    char key[16];
    uint8_t value[VALUE_BYTES];
    for (uint32_t row = from; row < to; row += step) {
        assert_int_equal(
            nq_txn_put(&f->ctx, txn, NQ_TREE_CATALOG, key_of(key, row), value_of(value, tag)),
            NQ_OK);
    }
}

static void remove_rows(fixture *f, nq_txn *txn, uint32_t from, uint32_t to) {
    char key[16];
    for (uint32_t row = from; row < to; row++) {
        bool was_present;
        assert_int_equal(
            nq_txn_remove(&f->ctx, txn, NQ_TREE_CATALOG, key_of(key, row), &was_present), NQ_OK);
        assert_true(was_present);
    }
}

/* The tags of all rows, in order, as runs: "a4000" or "a10 b20". */
static const char *tags(fixture *f, nq_txn *txn, bool is_reverse) {
    static char text[400];
    nq_scan *scan;
    nq_scan_range range = {.is_reverse = is_reverse};
    assert_int_equal(nq_scan_open(&f->ctx, txn, NQ_TREE_CATALOG, &range, &scan), NQ_OK);
    size_t size = 0;
    uint32_t run = 0;
    char tag = 0;
    text[0] = 0;
    for (;;) {
        nq_bytes key;
        nq_bytes value;
        assert_int_equal(nq_scan_next(&f->ctx, scan, &key, &value), NQ_OK);
        char next = key.data == NULL ? 0 : (char)value.data[0];
        if (run != 0 && next != tag) {
            size += (size_t)snprintf(text + size, sizeof text - size, "%s%c%u",
                                     size == 0 ? "" : " ", tag, run);
            run = 0;
        }
        if (key.data == NULL) {
            break;
        }
        tag = next;
        run++;
    }
    nq_scan_close(scan);
    return text;
}

static nq_store_stats stats_of(fixture *f) {
    nq_store_stats stats;
    nq_store_get_stats(f->store, &stats);
    return stats;
}

static void own_writes_are_read_wherever_they_are(void **state) {
    fixture *f = *state;
    nq_txn *txn = begin(f);
    put_rows(f, txn, 0, ROWS, 1, 'a');
    commit(f, txn);
    txn = begin(f);
    put_rows(f, txn, 1000, 2000, 1, 'b');
    remove_rows(f, txn, 1500, 3000);
    put_rows(f, txn, 2900, 2950, 1, 'c');
    assert_true(stats_of(f).spills > 2);
    assert_string_equal(tags(f, txn, false), "a1000 b500 c50 a1000");
    assert_string_equal(tags(f, txn, true), "a1000 c50 b500 a1000");
    char key[16];
    uint8_t room[VALUE_BYTES];
    nq_bytes value;
    assert_int_equal(nq_txn_find(&f->ctx, txn, NQ_TREE_CATALOG, key_of(key, 1200), &value), NQ_OK);
    assert_true(nq_bytes_equal(value, value_of(room, 'b')));
    assert_int_equal(nq_txn_find(&f->ctx, txn, NQ_TREE_CATALOG, key_of(key, 1700), &value), NQ_OK);
    assert_null(value.data);
    bool was_present;
    assert_int_equal(nq_txn_remove(&f->ctx, txn, NQ_TREE_CATALOG, key_of(key, 1700), &was_present),
                     NQ_OK);
    assert_false(was_present);
    assert_int_equal(nq_txn_insert(&f->ctx, txn, NQ_TREE_CATALOG, key_of(key, 1200), value),
                     NQ_UNIQUE_VIOLATION);
    commit(f, txn);
    txn = begin(f);
    assert_string_equal(tags(f, txn, false), "a1000 b500 c50 a1000");
    nq_txn_rollback(txn);
}

static void a_rolled_back_transaction_leaves_neither_rows_nor_pages(void **state) {
    fixture *f = *state;
    nq_txn *txn = begin(f);
    put_rows(f, txn, 0, ROWS, 1, 'a');
    commit(f, txn);
    assert_int_equal(nq_store_checkpoint(&f->ctx, f->store, NULL), NQ_OK);
    uint64_t free_pages = stats_of(f).free_pages;
    for (int round = 0; round < 3; round++) {
        txn = begin(f);
        put_rows(f, txn, 0, ROWS, 1, 'b');
        nq_txn_rollback(txn);
        nq_store_stats stats = stats_of(f);
        /* What the first round added to the file serves the others. */
        assert_true(round == 0 || stats.free_pages == free_pages);
        free_pages = stats.free_pages;
    }
    txn = begin(f);
    assert_string_equal(tags(f, txn, false), "a4000");
    nq_txn_rollback(txn);
}

static void memory_stays_within_its_budget(void **state) {
    fixture *f = *state;
    nq_txn *txn = begin(f);
    put_rows(f, txn, 0, 10 * ROWS, 1, 'a'); /* 8 MB, in a cache of 2 */
    nq_store_stats stats = stats_of(f);
    assert_true(stats.cache_bytes <= stats.cache_budget_bytes);
    commit(f, txn);
    assert_int_equal(nq_store_checkpoint(&f->ctx, f->store, NULL), NQ_OK);
    txn = begin(f);
    assert_string_equal(tags(f, txn, false), "a40000");
    nq_txn_rollback(txn);
}

static void savepoints_are_gone_back_to_across_spills(void **state) {
    fixture *f = *state;
    nq_txn *txn = begin(f);
    nq_savepoint outer;
    nq_savepoint middle;
    nq_savepoint inner;
    put_rows(f, txn, 0, 1000, 1, 'a');
    put_rows(f, txn, 1000, 1010, 1, 'b'); /* in memory when the savepoint is made */
    assert_int_equal(nq_txn_savepoint(&f->ctx, txn, &outer), NQ_OK);
    put_rows(f, txn, 1005, 1020, 1, 'c');
    assert_int_equal(nq_txn_savepoint(&f->ctx, txn, &middle), NQ_OK);
    put_rows(f, txn, 0, 2000, 1, 'd');
    assert_int_equal(nq_txn_savepoint(&f->ctx, txn, &inner), NQ_OK);
    remove_rows(f, txn, 0, 2000);
    assert_string_equal(tags(f, txn, false), "");
    assert_int_equal(nq_txn_rollback_to(&f->ctx, txn, inner), NQ_OK);
    assert_string_equal(tags(f, txn, false), "d2000");
    assert_int_equal(nq_txn_rollback_to(&f->ctx, txn, middle), NQ_OK);
    assert_string_equal(tags(f, txn, false), "a1000 b5 c15");
    put_rows(f, txn, 0, 2000, 1, 'e');
    assert_int_equal(nq_txn_rollback_to(&f->ctx, txn, outer), NQ_OK);
    assert_string_equal(tags(f, txn, false), "a1000 b10");
    assert_int_equal(nq_txn_rollback_to(&f->ctx, txn, middle), NQ_SAVEPOINT_NOT_FOUND);
    nq_txn_release(txn, outer);
    put_rows(f, txn, 1500, 3000, 1, 'f');
    commit(f, txn);
    txn = begin(f);
    assert_string_equal(tags(f, txn, false), "a1000 b10 f1500");
    nq_txn_rollback(txn);
}

static void a_released_savepoint_lets_replaced_pages_be_used_again(void **state) {
    fixture *f = *state;
    nq_txn *txn = begin(f);
    uint64_t file_bytes = 0;
    for (int statement = 0; statement < 40; statement++) {
        nq_savepoint savepoint;
        assert_int_equal(nq_txn_savepoint(&f->ctx, txn, &savepoint), NQ_OK);
        put_rows(f, txn, 0, 1000, 1, (char)('a' + statement % 26));
        nq_txn_release(txn, savepoint);
        if (statement == 9) {
            file_bytes = stats_of(f).data_file_bytes;
        }
    }
    assert_true(stats_of(f).data_file_bytes <= file_bytes + file_bytes / 4);
    nq_txn_rollback(txn);
}

static void a_scan_goes_on_while_its_transaction_spills(void **state) {
    fixture *f = *state;
    nq_txn *txn = begin(f);
    put_rows(f, txn, 0, ROWS, 2, 'a');
    commit(f, txn);
    for (int is_reverse = 0; is_reverse < 2; is_reverse++) {
        txn = begin(f);
        put_rows(f, txn, 1, ROWS, 2, 'b');
        nq_scan *scan;
        nq_scan_range range = {.is_reverse = is_reverse == 1};
        assert_int_equal(nq_scan_open(&f->ctx, txn, NQ_TREE_CATALOG, &range, &scan), NQ_OK);
        uint64_t spills = stats_of(f).spills;
        for (uint32_t i = 0; i < ROWS; i++) {
            char room[16];
            nq_bytes key;
            nq_bytes value;
            assert_int_equal(nq_scan_next(&f->ctx, scan, &key, &value), NQ_OK);
            uint32_t row = is_reverse == 1 ? ROWS - 1 - i : i;
            assert_true(nq_bytes_equal(key, key_of(room, row)));
            /* Behind the scan, so that it cannot meet it; the borrowed key is what is written. */
            uint8_t changed[VALUE_BYTES];
            assert_int_equal(nq_txn_put(&f->ctx, txn, NQ_TREE_CATALOG, key, value_of(changed, 'c')),
                             NQ_OK);
            assert_true(nq_bytes_equal(key, key_of(room, row)));
            if (i % 7 == 0) {
                nq_scan_park(scan);
            }
        }
        nq_bytes key;
        nq_bytes value;
        assert_int_equal(nq_scan_next(&f->ctx, scan, &key, &value), NQ_OK);
        assert_null(key.data);
        nq_scan_close(scan);
        assert_true(stats_of(f).spills > spills + 5);
        assert_string_equal(tags(f, txn, false), "c4000");
        nq_txn_rollback(txn);
    }
}

static void long_values_spill_too(void **state) {
    enum { LONG_BYTES = 100 * KIB };
    static uint8_t bytes[LONG_BYTES];
    fixture *f = *state;
    nq_txn *txn = begin(f);
    for (uint32_t row = 0; row < 20; row++) {
        char key[16];
        memset(bytes, (int)('a' + row), sizeof bytes);
        assert_int_equal(nq_txn_put(&f->ctx, txn, NQ_TREE_CATALOG, key_of(key, row),
                                    nq_bytes_of(bytes, sizeof bytes)),
                         NQ_OK);
    }
    assert_true(stats_of(f).spills >= 20);
    char key[16];
    nq_bytes value;
    assert_int_equal(nq_txn_find(&f->ctx, txn, NQ_TREE_CATALOG, key_of(key, 3), &value), NQ_OK);
    assert_int_equal(value.size, LONG_BYTES);
    assert_int_equal(value.data[LONG_BYTES - 1], 'd');
    commit(f, txn);
    txn = begin(f);
    assert_string_equal(tags(f, txn, false),
                        "a1 b1 c1 d1 e1 f1 g1 h1 i1 j1 k1 l1 m1 n1 o1 p1 q1 r1 s1 t1");
    nq_txn_rollback(txn);
}

static void a_spilled_transaction_has_its_tables_alone(void **state) {
    fixture *f = *state;
    char key[16];
    uint8_t value[VALUE_BYTES];
    nq_txn *large = begin(f);
    nq_txn *small = begin(f);
    put_rows(f, large, 0, 2000, 1, 'a');
    assert_int_equal(
        nq_txn_put(&f->ctx, small, NQ_TREE_CATALOG, key_of(key, 5000), value_of(value, 's')),
        NQ_LOCK_TIMEOUT);
    assert_string_equal(tags(f, small, false), ""); /* readers are not concerned */
    nq_txn_rollback(small);
    commit(f, large);
    /* With another writer in the table it cannot spill, and says so. */
    small = begin(f);
    large = begin(f);
    assert_int_equal(
        nq_txn_put(&f->ctx, small, NQ_TREE_CATALOG, key_of(key, 5000), value_of(value, 's')),
        NQ_OK);
    nq_status status = NQ_OK;
    for (uint32_t row = 0; row < 2000 && status == NQ_OK; row++) {
        status =
            nq_txn_put(&f->ctx, large, NQ_TREE_CATALOG, key_of(key, row), value_of(value, 'b'));
    }
    assert_int_equal(status, NQ_LOCK_TIMEOUT);
    nq_txn_rollback(large);
    commit(f, small);
    nq_txn *txn = begin(f);
    assert_string_equal(tags(f, txn, false), "a2000 s1");
    nq_txn_rollback(txn);
}

static void a_full_disk_fails_the_transaction_and_no_more(void **state) {
    fixture *f = *state;
    nq_txn *txn = begin(f);
    put_rows(f, txn, 0, 100, 1, 'a');
    commit(f, txn);
    nq_sim_vfs_set_capacity(f->disk, 8192 * KIB);
    txn = begin(f);
    char key[16];
    nq_status status = NQ_OK;
    for (uint32_t row = 0; row < 20 * ROWS && status == NQ_OK; row++) {
        uint8_t value[VALUE_BYTES];
        for (uint32_t i = 0; i < VALUE_BYTES; i++) {
            value[i] = (uint8_t)((row * 31 + i * i * 7) * 2654435761u >> 24);
        }
        status = nq_txn_put(&f->ctx, txn, NQ_TREE_CATALOG, key_of(key, row),
                            nq_bytes_of(value, sizeof value));
    }
    assert_int_equal(status, NQ_DISK_FULL);
    nq_txn_rollback(txn);
    assert_int_equal(nq_store_health(f->store), NQ_OK);
    assert_int_equal(nq_store_checkpoint(&f->ctx, f->store, NULL), NQ_OK); /* as the keeper would */
    txn = begin(f);
    put_rows(f, txn, 100, 200, 1, 'b');
    commit(f, txn);
    txn = begin(f);
    assert_string_equal(tags(f, txn, false), "a100 b100");
    nq_txn_rollback(txn);
    nq_sim_vfs_set_capacity(f->disk, 0);
}

static void a_checkpoint_does_not_store_what_is_not_committed(void **state) {
    fixture *f = *state;
    nq_txn *txn = begin(f);
    put_rows(f, txn, 0, 100, 1, 'a');
    commit(f, txn);
    txn = begin(f);
    put_rows(f, txn, 0, 3 * ROWS, 1, 'b');
    assert_int_equal(nq_store_checkpoint(&f->ctx, f->store, NULL), NQ_OK);
    assert_int_equal(nq_store_verify(&f->ctx, f->store), NQ_OK);
    fixture crashed = *f;
    assert_int_equal(nq_sim_vfs_clone(&f->ctx, f->disk, 7, &crashed.disk), NQ_OK);
    nq_sim_vfs_crash(crashed.disk);
    reopen(&crashed);
    nq_txn *reader = begin(&crashed);
    assert_string_equal(tags(&crashed, reader, false), "a100");
    nq_txn_rollback(reader);
    close_whole(&crashed);
    put_rows(f, txn, 3 * ROWS, 3 * ROWS + 10, 1, 'c');
    commit(f, txn);
    txn = begin(f);
    assert_string_equal(tags(f, txn, false), "b12000 c10");
    nq_txn_rollback(txn);
}

static void a_tree_made_and_filled_and_dropped_leaves_nothing(void **state) {
    fixture *f = *state;
    nq_txn *txn = begin(f);
    nq_tree_id kept;
    nq_tree_id dropped;
    assert_int_equal(nq_txn_tree_create(&f->ctx, txn, &kept), NQ_OK);
    assert_int_equal(nq_txn_tree_create(&f->ctx, txn, &dropped), NQ_OK);
    uint8_t value[VALUE_BYTES];
    char key[16];
    for (uint32_t row = 0; row < 1000; row++) {
        nq_tree_id tree = row % 2 == 0 ? kept : dropped;
        assert_int_equal(nq_txn_put(&f->ctx, txn, tree, key_of(key, row), value_of(value, 'a')),
                         NQ_OK);
    }
    assert_int_equal(nq_txn_tree_drop(&f->ctx, txn, dropped), NQ_OK);
    commit(f, txn);
    txn = begin(f);
    nq_tree_stats stats;
    assert_int_equal(nq_txn_tree_stats(&f->ctx, txn, kept, &stats), NQ_OK);
    assert_int_equal(stats.entry_count, 500);
    assert_int_equal(nq_txn_tree_stats(&f->ctx, txn, dropped, &stats), NQ_TABLE_NOT_FOUND);
    nq_txn_rollback(txn);
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(own_writes_are_read_wherever_they_are),
        FIXTURE_TEST(a_rolled_back_transaction_leaves_neither_rows_nor_pages),
        FIXTURE_TEST(memory_stays_within_its_budget),
        FIXTURE_TEST(savepoints_are_gone_back_to_across_spills),
        FIXTURE_TEST(a_released_savepoint_lets_replaced_pages_be_used_again),
        FIXTURE_TEST(a_scan_goes_on_while_its_transaction_spills),
        FIXTURE_TEST(long_values_spill_too),
        FIXTURE_TEST(a_spilled_transaction_has_its_tables_alone),
        FIXTURE_TEST(a_full_disk_fails_the_transaction_and_no_more),
        FIXTURE_TEST(a_checkpoint_does_not_store_what_is_not_committed),
        FIXTURE_TEST(a_tree_made_and_filled_and_dropped_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
