/* Replay: what recovery makes of a log is what the commits had made of the trees, however many of
 * them go into the trees together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/ground/base/arena.h"
#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/storage/store/store.h"

enum {
    SEEDS = 12,
    COMMITS = 60, /* of each of the runs */
    RUNS = 3,     /* of the store, all of them in the log */
    TREES_MAX = 64,
    CHANGES_MAX = 60,
    MANY_CHANGES = 700, /* more than are gathered of one commit with the least cache */
    KEYS = 300,
    VALUE_BYTES_MAX = 9000, /* long values too */
    REQUESTS = 40,
    COPIES = 8,
};

typedef struct history {
    nq_ctx ctx;
    nq_rng rng;
    nq_sim_vfs *disk;
    nq_store *store;
    nq_tree_id trees[TREES_MAX]; /* every one that ever was */
    bool is_alive[TREES_MAX];
    uint32_t tree_count;
    uint64_t commit_count; /* that are in the log */
    uint32_t request_count;
} history;

/* What can be seen of a store. */
typedef struct sight {
    uint64_t hash; /* of every tree's entries, and of every request's result */
    uint64_t entry_count;
    uint32_t next_tree;
} sight;

static nq_store *open_with(nq_ctx *ctx, nq_sim_vfs *disk, uint64_t cache_bytes, bool has_threads) {
    nq_store *store;
    nq_store_options options = {.cache_bytes = cache_bytes,
                                .log_segment_bytes = 256 << 10,
                                .lane_blocks = 1,
                                .is_manual = !has_threads};
    assert_int_equal(nq_store_open(ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store), NQ_OK);
    return store;
}

static nq_store *open_store(nq_ctx *ctx, nq_sim_vfs *disk, uint64_t cache_bytes) {
    return open_with(ctx, disk, cache_bytes, false);
}

/* ---- Seeing ---- */

static void mix(sight *seen, nq_bytes bytes) {
    for (size_t i = 0; i < bytes.size; i++) {
        seen->hash = (seen->hash ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    }
    seen->hash = (seen->hash ^ bytes.size) * UINT64_C(0x100000001b3);
}

static void see_tree(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, sight *seen) {
    nq_scan *scan;
    nq_scan_range range = {0};
    nq_status status = nq_scan_open(ctx, txn, tree, &range, &scan);
    mix(seen, nq_bytes_of(&status, sizeof status));
    if (status != NQ_OK) {
        return; /* it has been dropped */
    }
    nq_tree_stats stats;
    assert_int_equal(nq_txn_tree_stats(ctx, txn, tree, &stats), NQ_OK);
    mix(seen, nq_bytes_of(&stats.entry_count, sizeof stats.entry_count));
    for (;;) {
        nq_bytes key;
        nq_bytes value;
        assert_int_equal(nq_scan_next(ctx, scan, &key, &value), NQ_OK);
        if (key.data == NULL) {
            break;
        }
        mix(seen, key);
        mix(seen, value);
        seen->entry_count++;
    }
    nq_scan_close(scan);
}

static nq_bytes request_id(char room[16], uint32_t number) {
    return nq_bytes_of(room, (size_t)snprintf(room, 16, "request%u", (unsigned)number));
}

static void see_requests(nq_ctx *ctx, nq_store *store, uint32_t count, sight *seen) {
    nq_arena arena;
    nq_arena_init(&arena, SIZE_MAX);
    for (uint32_t i = 0; i < count; i++) {
        char room[16];
        nq_bytes result;
        assert_int_equal(nq_store_find_request(ctx, store, &arena, request_id(room, i), &result),
                         NQ_OK);
        assert_non_null(result.data);
        mix(seen, result);
    }
    nq_arena_deinit(&arena);
}

static sight see(const history *h, nq_ctx *ctx, nq_store *store) {
    sight seen = {0};
    nq_txn *txn;
    nq_tree_id next;
    assert_int_equal(nq_store_verify(ctx, store), NQ_OK);
    assert_int_equal(nq_txn_begin(ctx, store, &(nq_txn_options){0}, &txn), NQ_OK);
    see_tree(ctx, txn, NQ_TREE_CATALOG, &seen);
    for (uint32_t i = 0; i < h->tree_count; i++) {
        see_tree(ctx, txn, h->trees[i], &seen);
    }
    assert_int_equal(nq_txn_tree_create(ctx, txn, &next), NQ_OK);
    nq_txn_rollback(txn);
    seen.next_tree = next.value;
    see_requests(ctx, store, h->request_count, &seen);
    return seen;
}

/* ---- Writing ---- */

static void change_key(history *h, nq_txn *txn, nq_tree_id tree) {
    static uint8_t value[VALUE_BYTES_MAX];
    char room[32];
    uint64_t number = nq_rng_below(&h->rng, KEYS);
    int shift = number % 7 == 0 ? 20 : 1; /* keys of different lengths */
    nq_bytes key = nq_bytes_of(
        room, (size_t)snprintf(room, sizeof room, "%0*llu", shift, (unsigned long long)number));
    if (nq_rng_below(&h->rng, 4) == 0) {
        bool was_present;
        assert_int_equal(nq_txn_remove(&h->ctx, txn, tree, key, &was_present), NQ_OK);
        return;
    }
    size_t bytes = nq_rng_below(&h->rng, nq_rng_below(&h->rng, 20) == 0 ? VALUE_BYTES_MAX : 80);
    memset(value, (int)nq_rng_below(&h->rng, 256), bytes);
    assert_int_equal(nq_txn_put(&h->ctx, txn, tree, key, nq_bytes_of(value, bytes)), NQ_OK);
}

static void put_row(history *h, nq_txn *txn, uint32_t row, char tag) {
    char key[16];
    char value[100];
    memset(value, tag, sizeof value);
    assert_int_equal(
        nq_txn_put(&h->ctx, txn, h->trees[0],
                   nq_bytes_of(key, (size_t)snprintf(key, sizeof key, "%08u", (unsigned)row)),
                   nq_bytes_of(value, sizeof value)),
        NQ_OK);
}

static void create_tree(history *h, nq_txn *txn) {
    if (h->tree_count < TREES_MAX) {
        assert_int_equal(nq_txn_tree_create(&h->ctx, txn, &h->trees[h->tree_count]), NQ_OK);
        h->is_alive[h->tree_count++] = true;
    }
}

/* One of the trees there are, or none. */
static bool choose_tree(history *h, uint32_t *out_index) {
    *out_index = h->tree_count == 0 ? 0 : (uint32_t)nq_rng_below(&h->rng, h->tree_count);
    return h->tree_count != 0 && h->is_alive[*out_index];
}

static void write_commit(history *h, bool is_long) {
    nq_txn *txn;
    uint32_t tree;
    assert_int_equal(nq_txn_begin(&h->ctx, h->store, &(nq_txn_options){0}, &txn), NQ_OK);
    if (h->tree_count < 3 || nq_rng_below(&h->rng, 8) == 0) {
        create_tree(h, txn);
    }
    uint64_t count = is_long ? MANY_CHANGES : nq_rng_below(&h->rng, CHANGES_MAX);
    for (uint64_t i = 0; i < count; i++) {
        if (choose_tree(h, &tree)) {
            change_key(h, txn, h->trees[tree]);
        }
    }
    if (nq_rng_below(&h->rng, 10) == 0 && choose_tree(h, &tree)) {
        assert_int_equal(nq_txn_tree_drop(&h->ctx, txn, h->trees[tree]), NQ_OK);
        h->is_alive[tree] = false;
    }
    char id[16];
    nq_commit_options options = {.durability = NQ_LAZY};
    if (h->request_count < REQUESTS && nq_rng_below(&h->rng, 4) == 0) {
        options.request_id = request_id(id, h->request_count++);
        options.request_result = options.request_id;
    }
    nq_lsn before = nq_txn_snapshot(txn);
    nq_lsn after;
    assert_int_equal(nq_txn_commit(&h->ctx, txn, &options, &after), NQ_OK);
    h->commit_count += after.value != before.value;
}

/* The process ends here: what it wrote is there, and what it had in memory is gone. */
static void end_process(history *h) {
    nq_sim_vfs *copy;
    assert_int_equal(nq_sim_vfs_clone(&h->ctx, h->disk, 1, &copy), NQ_OK);
    assert_int_equal(nq_store_close(&h->ctx, h->store), NQ_OK);
    nq_sim_vfs_destroy(h->disk);
    h->disk = copy;
}

/* A store that has run RUNS times since its checkpoint, and still does. */
static void write_history(history *h, uint64_t seed) {
    nq_sim_options sim = {.seed = seed};
    *h = (history){.rng = {seed}};
    nq_ctx_init(&h->ctx, NULL);
    assert_int_equal(nq_sim_vfs_create(&h->ctx, &sim, &h->disk), NQ_OK);
    h->store = open_store(&h->ctx, h->disk, 4 << 20);
    for (int i = 0; i < COMMITS; i++) {
        write_commit(h, false);
    }
    assert_int_equal(nq_store_checkpoint(&h->ctx, h->store, NULL), NQ_OK);
    h->commit_count = 0;
    for (int run = 0; run < RUNS; run++) {
        for (int i = 0; i < COMMITS; i++) {
            write_commit(h, i == COMMITS / 2);
        }
        if (run + 1 < RUNS) {
            end_process(h);
            h->store = open_store(&h->ctx, h->disk, 4 << 20);
        }
    }
}

/* One tree of `rows` rows. */
static void fill_tree(history *h, uint32_t rows) {
    nq_txn *txn;
    assert_int_equal(nq_txn_begin(&h->ctx, h->store, &(nq_txn_options){0}, &txn), NQ_OK);
    create_tree(h, txn);
    for (uint32_t row = 0; row < rows; row++) {
        put_row(h, txn, row, 'a');
    }
    assert_int_equal(nq_txn_commit(&h->ctx, txn, &(nq_commit_options){0}, NULL), NQ_OK);
}

/* Changes some of them, half of these among the first few. */
static void change_rows(history *h, uint32_t rows) {
    nq_txn *txn;
    assert_int_equal(nq_txn_begin(&h->ctx, h->store, &(nq_txn_options){0}, &txn), NQ_OK);
    for (int i = 0; i < CHANGES_MAX; i++) {
        put_row(h, txn, (uint32_t)nq_rng_below(&h->rng, i % 2 == 0 ? rows : KEYS), 'b');
    }
    assert_int_equal(nq_txn_commit(&h->ctx, txn, &(nq_commit_options){.durability = NQ_LAZY}, NULL),
                     NQ_OK);
    h->commit_count++;
}

static void end_history(history *h) {
    assert_int_equal(nq_store_close(&h->ctx, h->store), NQ_OK);
    nq_sim_vfs_destroy(h->disk);
}

/* ---- Tests ---- */

/* What a process that follows, with so much cache, finds. */
static sight recover(history *h, uint64_t cache_bytes, bool has_threads) {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_sim_vfs_clone(&ctx, h->disk, 1, &disk), NQ_OK);
    nq_store *store = open_with(&ctx, disk, cache_bytes, has_threads);
    nq_store_stats stats;
    nq_store_get_stats(store, &stats);
    assert_int_equal(stats.recovered_commits, h->commit_count);
    assert_true(stats.cache_bytes <= stats.cache_budget_bytes || cache_bytes == 1);
    sight seen = see(h, &ctx, store);
    assert_int_equal(nq_store_close(&ctx, store), NQ_OK);
    nq_sim_vfs_destroy(disk);
    return seen;
}

static void assert_same(sight left, sight right) {
    assert_int_equal(left.entry_count, right.entry_count);
    assert_int_equal(left.next_tree, right.next_tree);
    assert_int_equal(left.hash, right.hash);
}

/* With the least cache nearly every commit goes into the trees by itself, the long ones in parts;
 * with the most all go together. */
static void commits_replayed_together_come_out_as_they_were_made(void **state) {
    (void)state;
    static const uint64_t caches[] = {1, 256 << 10, 16 << 20};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        history h;
        write_history(&h, seed);
        sight made = see(&h, &h.ctx, h.store);
        for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
            assert_same(recover(&h, caches[i], false), made);
        }
        end_history(&h);
    }
}

/* Copies of a disk before each of the last I/Os of a commit. */
typedef struct copies {
    nq_sim_vfs *disk;
    nq_sim_vfs *taken[COPIES];
    uint32_t count;
} copies;

static void take_copy(void *user, uint64_t io) {
    copies *c = user;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_vfs **taken = &c->taken[c->count++ % COPIES];
    nq_sim_vfs_destroy(*taken);
    assert_int_equal(nq_sim_vfs_clone(&ctx, c->disk, io, taken), NQ_OK);
}

/* Longer than the log's buffer: parts of it are written before its end is known. */
static void write_huge_commit(history *h) {
    enum { ROWS = 500 };
    static uint8_t value[8000];
    nq_txn *txn;
    assert_int_equal(nq_txn_begin(&h->ctx, h->store, &(nq_txn_options){0}, &txn), NQ_OK);
    for (uint32_t row = 0; row < ROWS; row++) {
        assert_int_equal(nq_txn_put(&h->ctx, txn, NQ_TREE_CATALOG, nq_bytes_of(&row, sizeof row),
                                    nq_bytes_of(value, sizeof value)),
                         NQ_OK);
    }
    assert_int_equal(nq_txn_commit(&h->ctx, txn, &(nq_commit_options){.durability = NQ_LAZY}, NULL),
                     NQ_OK);
}

/* It has gone into the trees in parts when its end turns out to be missing, once at the log's end
 * and once behind it, where the next run has written on. */
static void a_long_commit_without_an_end_has_never_happened(void **state) {
    (void)state;
    history h;
    write_history(&h, 1);
    sight before = see(&h, &h.ctx, h.store);
    history without = h; /* its trees and commits, but for the store */
    copies c = {.disk = h.disk};
    nq_sim_vfs_set_observer(h.disk, take_copy, &c);
    write_huge_commit(&h);
    nq_sim_vfs_set_observer(h.disk, NULL, NULL);
    assert_true(c.count >= COPIES);
    for (uint32_t i = 0; i < COPIES; i++) {
        history after = without;
        nq_ctx_init(&after.ctx, NULL);
        after.disk = c.taken[i];
        assert_same(recover(&after, 1, false), before);
        after.store = open_store(&after.ctx, after.disk, 1);
        write_commit(&after, false);
        sight made = see(&after, &after.ctx, after.store);
        assert_same(recover(&after, 1, false), made);
        assert_same(recover(&after, 16 << 20, false), made);
        end_history(&after);
    }
    end_history(&h);
}

static void change_every_row(history *h, uint32_t rows) {
    nq_txn *txn;
    assert_int_equal(nq_txn_begin(&h->ctx, h->store, &(nq_txn_options){0}, &txn), NQ_OK);
    for (uint32_t row = 0; row < rows; row++) {
        put_row(h, txn, row, 'c');
    }
    assert_int_equal(nq_txn_commit(&h->ctx, txn, &(nq_commit_options){.durability = NQ_LAZY}, NULL),
                     NQ_OK);
}

/* The checkpoint's leaves have become those of a version that is forgotten again: they are still
 * what they were. */
static void a_long_commit_without_an_end_leaves_the_rows_that_it_met(void **state) {
    (void)state;
    enum { ROWS = 40000 };
    history h = {.rng = {1}};
    nq_sim_options sim = {.seed = 1};
    nq_ctx_init(&h.ctx, NULL);
    assert_int_equal(nq_sim_vfs_create(&h.ctx, &sim, &h.disk), NQ_OK);
    h.store = open_store(&h.ctx, h.disk, 16 << 20);
    fill_tree(&h, ROWS);
    assert_int_equal(nq_store_checkpoint(&h.ctx, h.store, NULL), NQ_OK);
    sight before = see(&h, &h.ctx, h.store);
    copies c = {.disk = h.disk};
    nq_sim_vfs_set_observer(h.disk, take_copy, &c);
    change_every_row(&h, ROWS);
    nq_sim_vfs_set_observer(h.disk, NULL, NULL);
    assert_true(c.count >= 2);
    for (uint32_t i = 0; i < COPIES && c.taken[i] != NULL; i++) {
        history after = h;
        after.disk = c.taken[i];
        assert_same(recover(&after, 1, false), before);
        assert_same(recover(&after, 1 << 20, true), before);
        nq_sim_vfs_destroy(c.taken[i]);
    }
    end_history(&h);
}

/* Threads read the leaves ahead, in a tree of more of them than they may be ahead, and of which the
 * changes meet some often, some not. */
static void reading_ahead_changes_nothing(void **state) {
    (void)state;
    enum { ROWS = 30000, CHANGED = 4000 };
    history h = {.rng = {1}};
    nq_sim_options sim = {.seed = 1};
    nq_ctx_init(&h.ctx, NULL);
    assert_int_equal(nq_sim_vfs_create(&h.ctx, &sim, &h.disk), NQ_OK);
    h.store = open_store(&h.ctx, h.disk, 16 << 20);
    fill_tree(&h, ROWS);
    assert_int_equal(nq_store_checkpoint(&h.ctx, h.store, NULL), NQ_OK);
    for (int i = 0; i < CHANGED / CHANGES_MAX; i++) {
        change_rows(&h, ROWS);
    }
    sight made = see(&h, &h.ctx, h.store);
    for (uint64_t cache_bytes = 1 << 20; cache_bytes <= 16 << 20; cache_bytes *= 4) {
        assert_same(recover(&h, cache_bytes, true), made);
    }
    end_history(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_replayed_together_come_out_as_they_were_made),
        cmocka_unit_test(a_long_commit_without_an_end_has_never_happened),
        cmocka_unit_test(a_long_commit_without_an_end_leaves_the_rows_that_it_met),
        cmocka_unit_test(reading_ahead_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
