/* Backlog: what a store that is open already says while its log is still going into the trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/store/store.h"

enum {
    ROWS = 12000, /* in the trees; of these, in the log: */
    EVERY_CHANGED = 2,
    EVERY_REMOVED = 10,
    LONG_ROW = ROWS, /* in the log alone */
    LONG_BYTES = 6000,
    ROW_BYTES = 100,
    CACHE_BYTES = 16 << 20,
    SMALL_CACHE_BYTES = 2 << 20, /* the first half of the log does not wait, for lack of room */
    READERS = 4,
    FINDS = 4000, /* of each */
};

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_store *store;
    nq_tree_id tree;
    nq_tree_id new_tree;  /* made in the log, with one row */
    uint32_t main_thread; /* whose I/O goes on when all others' is held up */
    _Atomic bool is_held;
    _Atomic int32_t passing; /* I/Os of others that go on all the same */
    _Atomic bool has_committed;
} fixture;

static nq_bytes key_of(char room[16], uint32_t row) {
    return nq_bytes_of(room, (size_t)snprintf(room, 16, "%08u", (unsigned)row));
}

static void put(fixture *f, nq_txn *txn, nq_tree_id tree, uint32_t row, char tag, size_t bytes) {
    static char value[LONG_BYTES];
    char key[16];
    memset(value, tag, bytes);
    assert_int_equal(nq_txn_put(&f->ctx, txn, tree, key_of(key, row), nq_bytes_of(value, bytes)),
                     NQ_OK);
}

static nq_txn *begin(nq_ctx *ctx, nq_store *store, bool is_read_only) {
    nq_txn *txn;
    const nq_txn_options options = {.isolation = NQ_REPEATABLE_READ, .read_only = is_read_only};
    assert_int_equal(nq_txn_begin(ctx, store, &options, &txn), NQ_OK);
    return txn;
}

static void commit(fixture *f, nq_txn *txn) {
    assert_int_equal(nq_txn_commit(&f->ctx, txn, &(nq_commit_options){0}, NULL), NQ_OK);
}

static void open_store(fixture *f, uint64_t cache_bytes, bool has_threads) {
    const nq_store_options options = {
        .cache_bytes = cache_bytes, .lane_blocks = 1, .is_manual = !has_threads};
    assert_int_equal(nq_store_open(&f->ctx, nq_sim_vfs_as_vfs(f->disk), "db", &options, &f->store),
                     NQ_OK);
}

static void fill(fixture *f) {
    nq_txn *txn = begin(&f->ctx, f->store, false);
    assert_int_equal(nq_txn_tree_create(&f->ctx, txn, &f->tree), NQ_OK);
    for (uint32_t row = 0; row < ROWS; row++) {
        put(f, txn, f->tree, row, 'a', ROW_BYTES);
    }
    commit(f, txn);
    assert_int_equal(nq_store_checkpoint(&f->ctx, f->store, NULL), NQ_OK);
}

/* Gives every row that is to be changed a tag, some in each commit. */
static void tag_rows(fixture *f, char tag) {
    enum { COMMITS = 20 };
    for (uint32_t i = 0; i < COMMITS; i++) {
        nq_txn *txn = begin(&f->ctx, f->store, false);
        for (uint32_t row = i * EVERY_CHANGED; row < ROWS; row += COMMITS * EVERY_CHANGED) {
            put(f, txn, f->tree, row, tag, ROW_BYTES);
        }
        commit(f, txn);
    }
}

/* Only the last change of a row counts. */
static void change(fixture *f) {
    tag_rows(f, '-');
    tag_rows(f, 'b');
    nq_txn *txn = begin(&f->ctx, f->store, false);
    for (uint32_t row = 1; row < ROWS; row += EVERY_REMOVED) {
        char key[16];
        bool was_present;
        assert_int_equal(nq_txn_remove(&f->ctx, txn, f->tree, key_of(key, row), &was_present),
                         NQ_OK);
    }
    put(f, txn, f->tree, LONG_ROW, 'c', LONG_BYTES);
    assert_int_equal(nq_txn_tree_create(&f->ctx, txn, &f->new_tree), NQ_OK);
    put(f, txn, f->new_tree, 0, 'd', ROW_BYTES);
    commit(f, txn);
}

/* Whoever is not the test's thread waits with its next I/O, when `passing` is used up. */
static void hold_others(void *user, uint64_t io) {
    fixture *f = user;
    (void)io;
    if (nq_thread_ordinal() == f->main_thread || atomic_fetch_sub(&f->passing, 1) > 0) {
        return;
    }
    while (atomic_load(&f->is_held)) {
        nq_thread_sleep_ns(100000);
    }
}

/* A process that was killed; the next one has opened its store, and of what is in the log nothing
 * can come into the trees as long as is_held. */
static void set_up_with(fixture *f, uint64_t cache_bytes, bool is_held, int32_t passing) {
    nq_sim_options sim = {.seed = 1};
    nq_sim_vfs *killed;
    *f = (fixture){.main_thread = nq_thread_ordinal(), .is_held = is_held, .passing = passing};
    nq_ctx_init(&f->ctx, NULL);
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disk), NQ_OK);
    open_store(f, CACHE_BYTES, false);
    fill(f);
    change(f);
    assert_int_equal(nq_sim_vfs_clone(&f->ctx, f->disk, 1, &killed), NQ_OK);
    assert_int_equal(nq_store_close(&f->ctx, f->store), NQ_OK);
    nq_sim_vfs_destroy(f->disk);
    f->disk = killed;
    nq_sim_vfs_set_observer(f->disk, hold_others, f);
    open_store(f, cache_bytes, true);
}

static void set_up(fixture *f, bool is_held) {
    set_up_with(f, CACHE_BYTES, is_held, 0);
}

static void tear_down(fixture *f) {
    assert_int_equal(nq_store_close(&f->ctx, f->store), NQ_OK);
    nq_sim_vfs_destroy(f->disk);
}

/* What the row holds; 0: it is absent. */
static char tag_of(uint32_t row) {
    if (row >= LONG_ROW) {
        return row == LONG_ROW ? 'c' : 0;
    }
    if (row % EVERY_CHANGED == 0) {
        return 'b';
    }
    return row % EVERY_REMOVED == 1 ? 0 : 'a';
}

static bool is_right(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, uint32_t row, char tag) {
    char key[16];
    nq_bytes value;
    if (nq_txn_find(ctx, txn, tree, key_of(key, row), &value) != NQ_OK) {
        return false;
    }
    size_t bytes = tag == 'c' ? LONG_BYTES : ROW_BYTES;
    return tag == 0 ? value.data == NULL
                    : value.size == bytes && value.data[0] == tag && value.data[bytes - 1] == tag;
}

static void assert_logged_rows(fixture *f, nq_txn *txn) {
    for (uint32_t row = 0; row <= LONG_ROW; row++) {
        if (tag_of(row) != 'a') {
            assert_true(is_right(&f->ctx, txn, f->tree, row, tag_of(row)));
        }
    }
}

static void assert_all_rows(fixture *f, nq_txn *txn) {
    for (uint32_t row = 0; row <= LONG_ROW; row++) {
        assert_true(is_right(&f->ctx, txn, f->tree, row, tag_of(row)));
    }
    assert_true(is_right(&f->ctx, txn, f->new_tree, 0, 'd'));
}

/* ---- Scanning ---- */

/* A scan, and the row that it must come to next. */
typedef struct walk {
    nq_scan *scan;
    bool is_reverse;
    int64_t next, end; /* in its direction */
} walk;

/* Over rows [low, high). */
static walk begin_walk(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, uint32_t low, uint32_t high,
                       bool is_reverse) {
    char low_room[16];
    char high_room[16];
    const nq_scan_range range = {
        .low = key_of(low_room, low), .high = key_of(high_room, high), .is_reverse = is_reverse};
    walk w = {.is_reverse = is_reverse,
              .next = is_reverse ? (int64_t)high - 1 : low,
              .end = is_reverse ? (int64_t)low - 1 : high};
    assert_int_equal(nq_scan_open(ctx, txn, tree, &range, &w.scan), NQ_OK);
    return w;
}

/* To the next row that there is. */
static void pass_absent(walk *w) {
    while (w->next != w->end && tag_of((uint32_t)w->next) == 0) {
        w->next += w->is_reverse ? -1 : 1;
    }
}

static bool is_next(walk *w, nq_bytes key, nq_bytes value) {
    char room[16];
    pass_absent(w);
    if (w->next == w->end) {
        return key.data == NULL;
    }
    uint32_t row = (uint32_t)w->next;
    w->next += w->is_reverse ? -1 : 1;
    return key.data != NULL && nq_bytes_equal(key, key_of(room, row)) &&
           value.size == (row == LONG_ROW ? LONG_BYTES : ROW_BYTES) &&
           value.data[0] == tag_of(row) && value.data[value.size - 1] == tag_of(row);
}

/* Whether the next `rows` rows, or all to the end, are what they should be. */
static bool walk_on(nq_ctx *ctx, walk *w, uint32_t rows) {
    for (; rows > 0; rows--) {
        nq_bytes key;
        nq_bytes value;
        if (nq_scan_next(ctx, w->scan, &key, &value) != NQ_OK || !is_next(w, key, value)) {
            return false;
        }
        if (key.data == NULL) {
            break;
        }
    }
    return true;
}

static bool walk_on_in_batches(nq_ctx *ctx, walk *w) {
    enum { BATCH = 64 };
    nq_entry entries[BATCH];
    uint32_t count;
    do {
        if (nq_scan_next_batch(ctx, w->scan, entries, BATCH, &count) != NQ_OK) {
            return false;
        }
        for (uint32_t i = 0; i < count; i++) {
            if (!is_next(w, entries[i].key, entries[i].value)) {
                return false;
            }
        }
    } while (count != 0);
    pass_absent(w);
    return w->next == w->end;
}

/* ---- Tests ---- */

static void keys_are_found_before_the_log_is_in_the_trees(void **state) {
    (void)state;
    fixture f;
    set_up(&f, true);
    nq_txn *writer = begin(&f.ctx, f.store, false);
    nq_txn *reader = begin(&f.ctx, f.store, true);
    assert_int_equal(nq_txn_snapshot(writer).value, nq_txn_snapshot(reader).value);
    assert_logged_rows(&f, writer);
    assert_logged_rows(&f, reader);
    atomic_store(&f.is_held, false);
    assert_all_rows(&f, writer);
    assert_all_rows(&f, reader);
    nq_txn_rollback(writer);
    nq_txn_rollback(reader);
    assert_int_equal(nq_store_verify(&f.ctx, f.store), NQ_OK);
    tear_down(&f);
}

static void commit_a_row(void *argument) {
    fixture *f = argument;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    char key[16];
    nq_txn *txn = begin(&ctx, f->store, false);
    assert_int_equal(
        nq_txn_put(&ctx, txn, f->tree, key_of(key, 0), nq_bytes_of("new", sizeof "new")), NQ_OK);
    assert_int_equal(nq_txn_commit(&ctx, txn, &(nq_commit_options){0}, NULL), NQ_OK);
    atomic_store(&f->has_committed, true);
}

static void who_writes_waits_and_who_began_before_does_not_see_it(void **state) {
    (void)state;
    fixture f;
    nq_thread thread;
    set_up(&f, true);
    nq_txn *before = begin(&f.ctx, f.store, true);
    assert_int_equal(nq_thread_start(&f.ctx, &thread, "writer", commit_a_row, &f), NQ_OK);
    assert_logged_rows(&f, before);
    assert_false(atomic_load(&f.has_committed));
    atomic_store(&f.is_held, false);
    nq_thread_join(&thread);
    assert_all_rows(&f, before);
    nq_txn *after = begin(&f.ctx, f.store, true);
    assert_false(is_right(&f.ctx, after, f.tree, 0, tag_of(0)));
    nq_txn_rollback(before);
    nq_txn_rollback(after);
    tear_down(&f);
}

static void a_scan_that_began_before_goes_on_as_it_began(void **state) {
    (void)state;
    for (int is_reverse = 0; is_reverse <= 1; is_reverse++) {
        fixture f;
        nq_thread thread;
        set_up(&f, true);
        nq_txn *txn = begin(&f.ctx, f.store, false);
        atomic_store(&f.is_held, false);
        walk one = begin_walk(&f.ctx, txn, f.tree, 0, LONG_ROW + 1, is_reverse);
        walk batches = begin_walk(&f.ctx, txn, f.tree, 5, LONG_ROW, is_reverse);
        assert_true(walk_on(&f.ctx, &one, ROWS / 3));
        assert_int_equal(nq_thread_start(&f.ctx, &thread, "writer", commit_a_row, &f), NQ_OK);
        nq_thread_join(&thread);
        put(&f, txn, f.new_tree, 1, 'e', ROW_BYTES);
        assert_true(walk_on(&f.ctx, &one, UINT32_MAX));
        assert_true(walk_on_in_batches(&f.ctx, &batches));
        nq_scan_close(one.scan);
        nq_scan_close(batches.scan);
        nq_txn_rollback(txn);
        tear_down(&f);
    }
}

static void what_waits_finds_what_the_log_has_made_of_the_trees(void **state) {
    (void)state;
    enum { KINDS = 5 };
    for (int kind = 0; kind < KINDS; kind++) {
        fixture f;
        nq_tree_stats stats;
        set_up(&f, false);
        nq_txn *txn = begin(&f.ctx, f.store, false);
        switch (kind) {
        case 0:
            assert_int_equal(nq_txn_tree_stats(&f.ctx, txn, f.new_tree, &stats), NQ_OK);
            assert_int_equal(stats.entry_count, 1);
            break;
        case 1:
            assert_int_equal(nq_txn_tree_stats(&f.ctx, txn, f.tree, &stats), NQ_OK);
            assert_int_equal(stats.entry_count, ROWS - ROWS / EVERY_REMOVED + 1);
            break;
        case 2:
            assert_int_equal(nq_store_checkpoint(&f.ctx, f.store, NULL), NQ_OK);
            break;
        case 3:
            assert_int_equal(nq_store_verify(&f.ctx, f.store), NQ_OK);
            break;
        default: /* closes at once */
            break;
        }
        nq_txn_rollback(txn);
        tear_down(&f);
    }
}

static void the_next_crash_meets_the_log_again(void **state) {
    (void)state;
    fixture f;
    set_up(&f, true);
    fixture next = {.tree = f.tree, .new_tree = f.new_tree};
    nq_ctx_init(&next.ctx, NULL);
    assert_int_equal(nq_sim_vfs_clone(&next.ctx, f.disk, 1, &next.disk), NQ_OK);
    nq_sim_vfs_crash(next.disk);
    open_store(&next, CACHE_BYTES, false);
    nq_txn *txn = begin(&next.ctx, next.store, true);
    assert_all_rows(&next, txn);
    nq_txn_rollback(txn);
    tear_down(&next);
    atomic_store(&f.is_held, false);
    tear_down(&f);
}

static void an_estimate_is_of_the_checkpoint_where_the_log_does_not_say_more(void **state) {
    (void)state;
    enum { TO_THE_TREE = 4 }; /* the page of the directory is everybody's, and is read first */
    fixture f;
    nq_tree_stats stats;
    set_up_with(&f, CACHE_BYTES, true, TO_THE_TREE);
    nq_txn *txn = begin(&f.ctx, f.store, false);
    assert_int_equal(nq_txn_tree_estimate(&f.ctx, txn, f.tree, &stats), NQ_OK);
    assert_int_equal(stats.entry_count, ROWS);
    atomic_store(&f.is_held, false);
    assert_int_equal(nq_txn_tree_estimate(&f.ctx, txn, f.new_tree, &stats), NQ_OK);
    assert_int_equal(stats.entry_count, 1);
    nq_txn_rollback(txn);
    tear_down(&f);
}

/* Beyond repair. */
static void damage_that_the_log_meets_leaves_what_it_says_itself(void **state) {
    (void)state;
    fixture f;
    char key[16];
    nq_bytes value;
    nq_tree_stats tree_stats;
    set_up(&f, true);
    nq_store_stats stats;
    nq_store_get_stats(f.store, &stats);
    assert_true(nq_sim_vfs_wipe(f.disk, "db/data.nqdb", 0, stats.data_file_bytes));
    atomic_store(&f.is_held, false);
    nq_txn *txn = begin(&f.ctx, f.store, false);
    assert_int_equal(nq_txn_tree_stats(&f.ctx, txn, f.tree, &tree_stats), NQ_PAGE_CORRUPT);
    assert_int_equal(nq_txn_put(&f.ctx, txn, f.tree, key_of(key, 0), nq_bytes_of("", 0)),
                     NQ_PAGE_CORRUPT);
    assert_int_equal(nq_store_health(f.store), NQ_PAGE_CORRUPT);
    assert_logged_rows(&f, txn);
    assert_int_equal(nq_txn_find(&f.ctx, txn, f.tree, key_of(key, 3), &value), NQ_PAGE_CORRUPT);
    nq_txn_rollback(txn);
    assert_int_equal(nq_store_close(&f.ctx, f.store), NQ_READ_ONLY_DATABASE);
    nq_sim_vfs_destroy(f.disk);
}

typedef struct reader {
    fixture *f;
    uint64_t seed;
    uint32_t wrong;
    nq_thread thread;
} reader;

static void read_often(void *argument) {
    reader *r = argument;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_rng rng = {r->seed};
    for (int i = 0; i < FINDS;) {
        nq_txn *txn = begin(&ctx, r->f->store, nq_rng_below(&rng, 2) == 0);
        uint32_t low = (uint32_t)nq_rng_below(&rng, ROWS);
        walk w = begin_walk(&ctx, txn, r->f->tree, low, low + 100, nq_rng_below(&rng, 2) == 0);
        r->wrong += !walk_on(&ctx, &w, (uint32_t)nq_rng_below(&rng, 100));
        for (uint64_t finds = nq_rng_below(&rng, 100); finds > 0; finds--, i++) {
            uint32_t row = (uint32_t)nq_rng_below(&rng, ROWS + 1);
            r->wrong += !is_right(&ctx, txn, r->f->tree, row, tag_of(row));
        }
        r->wrong += !walk_on(&ctx, &w, UINT32_MAX);
        nq_scan_close(w.scan);
        nq_txn_rollback(txn);
    }
}

static void read_beside_recovery(uint64_t cache_bytes) {
    fixture f;
    reader readers[READERS];
    set_up_with(&f, cache_bytes, false, 0);
    for (uint32_t i = 0; i < READERS; i++) {
        readers[i] = (reader){.f = &f, .seed = i + 1};
        assert_int_equal(
            nq_thread_start(&f.ctx, &readers[i].thread, "reader", read_often, &readers[i]), NQ_OK);
    }
    for (uint32_t i = 0; i < READERS; i++) {
        nq_thread_join(&readers[i].thread);
        assert_int_equal(readers[i].wrong, 0);
    }
    assert_int_equal(nq_store_verify(&f.ctx, f.store), NQ_OK);
    tear_down(&f);
}

static void readers_all_the_while_see_one_state(void **state) {
    (void)state;
    read_beside_recovery(CACHE_BYTES);
    read_beside_recovery(SMALL_CACHE_BYTES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_before_the_log_is_in_the_trees),
        cmocka_unit_test(who_writes_waits_and_who_began_before_does_not_see_it),
        cmocka_unit_test(a_scan_that_began_before_goes_on_as_it_began),
        cmocka_unit_test(what_waits_finds_what_the_log_has_made_of_the_trees),
        cmocka_unit_test(the_next_crash_meets_the_log_again),
        cmocka_unit_test(an_estimate_is_of_the_checkpoint_where_the_log_does_not_say_more),
        cmocka_unit_test(damage_that_the_log_meets_leaves_what_it_says_itself),
        cmocka_unit_test(readers_all_the_while_see_one_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
