/* Concurrency: many threads at once, with evictions, checkpoints and lazy syncs going on in the
 * background. Run under ThreadSanitizer as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/store/store.h"

/* A new store, on a disk of its own. */
static nq_store *make_store(nq_ctx *ctx, const nq_store_options *options, nq_sim_vfs **out_disk) {
    const nq_sim_options sim = {.seed = 1};
    nq_store *store;
    assert_int_equal(nq_sim_vfs_create(ctx, &sim, out_disk), NQ_OK);
    assert_int_equal(nq_store_open(ctx, nq_sim_vfs_as_vfs(*out_disk), "db", options, &store),
                     NQ_OK);
    return store;
}

enum {
    ACCOUNTS = 1200,
    THREADS = 4,
    TRANSFERS = 600,
    START_BALANCE = 1000,
    PAYLOAD_BYTES = 700,
    LOADED_ROWS = 300
};

typedef struct bank {
    nq_store *store;
    _Atomic bool is_over;
    _Atomic uint64_t transfers;
    _Atomic uint64_t retries;
    _Atomic uint64_t audits;
    _Atomic uint64_t loads;
    _Atomic int failures;
    _Atomic uint32_t next_seed;
} bank;

static void report(bank *b, const nq_ctx *ctx, const char *what) {
    atomic_fetch_add(&b->failures, 1);
    print_error("%s: %s\n", what, ctx->error.message);
}

static nq_bytes account_key(char room[16], uint64_t account) {
    return nq_bytes_of(room, (size_t)snprintf(room, 16, "account%04u", (unsigned)account));
}

/* The payload makes the tree larger than the cache. */
static nq_bytes account_value(char room[PAYLOAD_BYTES], long balance) {
    memset(room, '.', PAYLOAD_BYTES);
    int bytes = snprintf(room, 24, "%ld", balance);
    room[bytes] = ' ';
    return nq_bytes_of(room, PAYLOAD_BYTES);
}

static nq_status read_balance(nq_ctx *ctx, nq_txn *txn, nq_bytes key, long *out_balance) {
    nq_bytes value;
    NQ_TRY(nq_txn_find(ctx, txn, NQ_TREE_CATALOG, key, &value));
    *out_balance = value.data == NULL ? 0 : strtol((const char *)value.data, NULL, 10);
    return NQ_OK;
}

static nq_status transfer(nq_ctx *ctx, nq_txn *txn, uint64_t from, uint64_t to, long amount) {
    char key_room[16];
    char value_room[PAYLOAD_BYTES];
    nq_bytes key = account_key(key_room, from);
    long balance;
    NQ_TRY(read_balance(ctx, txn, key, &balance));
    NQ_TRY(nq_txn_put(ctx, txn, NQ_TREE_CATALOG, key, account_value(value_room, balance - amount)));
    key = account_key(key_room, to);
    NQ_TRY(read_balance(ctx, txn, key, &balance));
    return nq_txn_put(ctx, txn, NQ_TREE_CATALOG, key, account_value(value_room, balance + amount));
}

static void run_transfers(void *argument) {
    bank *b = argument;
    nq_rng rng = {atomic_fetch_add(&b->next_seed, 1)};
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    for (int i = 0; i < TRANSFERS;) {
        uint64_t from = nq_rng_below(&rng, ACCOUNTS);
        /* Neighbours are often the same few, so that threads meet. */
        from = nq_rng_below(&rng, 3) == 0 ? from % 5 : from;
        uint64_t to = (from + 1 + nq_rng_below(&rng, 4)) % ACCOUNTS;
        if (nq_rng_below(&rng, 2) == 0) {
            uint64_t other = from;
            from = to;
            to = other;
        }
        nq_txn_options options = {.isolation = (nq_isolation)nq_rng_below(&rng, 3)};
        nq_commit_options commit = {.durability = i % 8 == 0 ? NQ_DURABLE : NQ_LAZY};
        nq_txn *txn;
        nq_status status = nq_txn_begin(&ctx, b->store, &options, &txn);
        if (status != NQ_OK) {
            report(b, &ctx, "begin");
            return;
        }
        status = transfer(&ctx, txn, from, to, (long)nq_rng_below(&rng, 50));
        if (status == NQ_OK) {
            status = nq_txn_commit(&ctx, txn, &commit, NULL);
        } else {
            nq_txn_rollback(txn);
        }
        if (status == NQ_OK) {
            atomic_fetch_add(&b->transfers, 1);
            i++;
        } else if (status == NQ_WRITE_CONFLICT || status == NQ_DEADLOCK) {
            atomic_fetch_add(&b->retries, 1);
        } else {
            report(b, &ctx, "transfer");
            return;
        }
    }
}

/* The sum over a snapshot is always the same. */
static void audit(bank *b, nq_ctx *ctx, bool is_reverse) {
    nq_txn *txn;
    nq_scan *scan;
    nq_txn_options options = {.read_only = true};
    nq_scan_range range = {.is_reverse = is_reverse};
    if (nq_txn_begin(ctx, b->store, &options, &txn) != NQ_OK ||
        nq_scan_open(ctx, txn, NQ_TREE_CATALOG, &range, &scan) != NQ_OK) {
        report(b, ctx, "audit");
        return;
    }
    long sum = 0;
    int count = 0;
    nq_bytes key;
    nq_bytes value;
    nq_status status;
    while ((status = nq_scan_next(ctx, scan, &key, &value)) == NQ_OK && key.data != NULL) {
        sum += strtol((const char *)value.data, NULL, 10);
        count++;
        if (count % 50 == 0) {
            nq_scan_park(scan);
        }
    }
    nq_scan_close(scan);
    nq_txn_rollback(txn);
    if (status != NQ_OK || sum != (long)ACCOUNTS * START_BALANCE || count != ACCOUNTS) {
        report(b, ctx, "an audit found another sum");
        return;
    }
    atomic_fetch_add(&b->audits, 1);
}

static void run_audits(void *argument) {
    bank *b = argument;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    bool is_reverse = false;
    while (!atomic_load(&b->is_over) && atomic_load(&b->failures) == 0) {
        audit(b, &ctx, is_reverse);
        is_reverse = !is_reverse;
    }
}

static nq_status load(nq_ctx *ctx, nq_txn *txn, nq_tree_id *out_tree) {
    nq_bulk *bulk;
    NQ_TRY(nq_txn_tree_create(ctx, txn, out_tree));
    NQ_TRY(nq_bulk_begin(ctx, txn, *out_tree, &bulk));
    for (uint64_t i = 0; i < LOADED_ROWS; i++) {
        char key_room[16];
        char value_room[PAYLOAD_BYTES];
        NQ_TRY(nq_bulk_add(ctx, bulk, account_key(key_room, i), account_value(value_room, 1)));
    }
    return nq_bulk_finish(ctx, bulk);
}

/* What was loaded is seen whole by whoever comes next, who takes it away again. */
static nq_status check_and_drop(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree) {
    nq_tree_stats stats;
    char room[16];
    nq_bytes value;
    NQ_TRY(nq_txn_tree_stats(ctx, txn, tree, &stats));
    NQ_TRY(nq_txn_find(ctx, txn, tree, account_key(room, LOADED_ROWS - 1), &value));
    if (stats.entry_count != LOADED_ROWS || value.size != PAYLOAD_BYTES) {
        return nq_fail(ctx, NQ_BUG, "a load is not whole");
    }
    return nq_txn_tree_drop(ctx, txn, tree);
}

static nq_status load_and_drop(nq_ctx *ctx, nq_store *store) {
    const nq_txn_options options = {0};
    const nq_commit_options lazily = {.durability = NQ_LAZY};
    nq_tree_id tree;
    for (int step = 0; step < 2; step++) {
        nq_txn *txn;
        NQ_TRY(nq_txn_begin(ctx, store, &options, &txn));
        nq_status status = step == 0 ? load(ctx, txn, &tree) : check_and_drop(ctx, txn, tree);
        if (status != NQ_OK) {
            nq_txn_rollback(txn);
            return status;
        }
        NQ_TRY(nq_txn_commit(ctx, txn, &lazily, NULL));
    }
    return NQ_OK;
}

static void run_loads(void *argument) {
    bank *b = argument;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    while (!atomic_load(&b->is_over)) {
        if (load_and_drop(&ctx, b->store) != NQ_OK) {
            report(b, &ctx, "load");
            return;
        }
        atomic_fetch_add(&b->loads, 1);
    }
}

static void fill(bank *b) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_txn *txn;
    nq_txn_options options = {0};
    nq_commit_options commit = {0};
    assert_int_equal(nq_txn_begin(&ctx, b->store, &options, &txn), NQ_OK);
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        char key_room[16];
        char value_room[PAYLOAD_BYTES];
        assert_int_equal(nq_txn_put(&ctx, txn, NQ_TREE_CATALOG, account_key(key_room, i),
                                    account_value(value_room, START_BALANCE)),
                         NQ_OK);
    }
    assert_int_equal(nq_txn_commit(&ctx, txn, &commit, NULL), NQ_OK);
}

static void transfers_beside_loads_keep_the_sum(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_options sim = {.seed = 1};
    nq_sim_vfs *disk;
    assert_int_equal(nq_sim_vfs_create(&ctx, &sim, &disk), NQ_OK);
    nq_store_options options = {.cache_bytes = 1,
                                .checkpoint_log_bytes = 128 << 10,
                                .log_segment_bytes = 256 << 10,
                                .lane_blocks = 1,
                                .sync_interval_ms = 2};
    bank b = {.next_seed = 1};
    assert_int_equal(nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &b.store), NQ_OK);
    fill(&b);
    nq_thread workers[THREADS];
    nq_thread auditor;
    nq_thread loader;
    assert_int_equal(nq_thread_start(&ctx, &auditor, "auditor", run_audits, &b), NQ_OK);
    assert_int_equal(nq_thread_start(&ctx, &loader, "loader", run_loads, &b), NQ_OK);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(nq_thread_start(&ctx, &workers[i], "worker", run_transfers, &b), NQ_OK);
    }
    for (int i = 0; i < THREADS; i++) {
        nq_thread_join(&workers[i]);
    }
    atomic_store(&b.is_over, true);
    nq_thread_join(&auditor);
    nq_thread_join(&loader);
    assert_int_equal(atomic_load(&b.failures), 0);
    assert_int_equal(atomic_load(&b.transfers), THREADS * TRANSFERS);
    assert_int_equal(nq_store_verify(&ctx, b.store), NQ_OK);
    nq_store_stats stats;
    nq_store_get_stats(b.store, &stats);
    assert_true(atomic_load(&b.loads) > 0);
    print_message("%llu loads, %llu retries, %llu deadlocks, %llu audits, %llu checkpoints, "
                  "%llu misses\n",
                  (unsigned long long)b.loads, (unsigned long long)b.retries,
                  (unsigned long long)stats.deadlocks, (unsigned long long)b.audits,
                  (unsigned long long)stats.checkpoints, (unsigned long long)stats.cache_misses);
    assert_true(stats.cache_bytes <= stats.cache_budget_bytes);
    nq_sim_vfs_cut_power(disk);
    (void)nq_store_close(&ctx, b.store);
    nq_sim_vfs_restart(disk);
    assert_int_equal(nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &b.store), NQ_OK);
    assert_int_equal(nq_store_verify(&ctx, b.store), NQ_OK);
    audit(&b, &ctx, false);
    assert_int_equal(atomic_load(&b.failures), 0);
    assert_int_equal(nq_store_close(&ctx, b.store), NQ_OK);
    nq_sim_vfs_destroy(disk);
}

/* ---- Deadlock ---- */

typedef struct crossing {
    nq_store *store;
    const char *first;
    const char *second;
    _Atomic int *arrived;
    nq_status status;
} crossing;

static void run_crossing(void *argument) {
    crossing *c = argument;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_txn_options options = {0};
    nq_commit_options commit = {0};
    nq_txn *txn;
    c->status = nq_txn_begin(&ctx, c->store, &options, &txn);
    c->status = nq_txn_put(&ctx, txn, NQ_TREE_CATALOG, nq_bytes_of_cstr(c->first), (nq_bytes){0});
    atomic_fetch_add(c->arrived, 1);
    while (atomic_load(c->arrived) < 2) {
        nq_thread_sleep_ns(100000);
    }
    if (c->status == NQ_OK) {
        c->status =
            nq_txn_put(&ctx, txn, NQ_TREE_CATALOG, nq_bytes_of_cstr(c->second), (nq_bytes){0});
    }
    if (c->status == NQ_OK) {
        c->status = nq_txn_commit(&ctx, txn, &commit, NULL);
    } else {
        nq_txn_rollback(txn);
    }
}

static void a_deadlock_has_one_victim(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_store_options options = {.cache_bytes = 1, .log_segment_bytes = 64 << 10};
    nq_sim_vfs *disk;
    nq_store *store = make_store(&ctx, &options, &disk);
    _Atomic int arrived = 0;
    crossing ways[2] = {{store, "a", "b", &arrived, NQ_OK}, {store, "b", "a", &arrived, NQ_OK}};
    nq_thread threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(nq_thread_start(&ctx, &threads[i], "way", run_crossing, &ways[i]), NQ_OK);
    }
    for (int i = 0; i < 2; i++) {
        nq_thread_join(&threads[i]);
    }
    /* The victim lets go, so the other wins the row, or finds it as it was. */
    assert_true(ways[0].status == NQ_DEADLOCK || ways[1].status == NQ_DEADLOCK);
    assert_true(ways[0].status == NQ_OK || ways[1].status == NQ_OK);
    assert_int_equal(nq_store_close(&ctx, store), NQ_OK);
    nq_sim_vfs_destroy(disk);
}

/* ---- Checkpoints that are asked for ---- */

typedef struct asking {
    nq_store *store;
    const char *key;
    int failures;
} asking;

static nq_status commit_one(nq_ctx *ctx, nq_store *store, const char *key, nq_lsn *out_lsn) {
    nq_txn *txn;
    NQ_TRY(nq_txn_begin(ctx, store, &(nq_txn_options){0}, &txn));
    nq_status status = nq_txn_put(ctx, txn, NQ_TREE_CATALOG, nq_bytes_of_cstr(key), (nq_bytes){0});
    if (status != NQ_OK) {
        nq_txn_rollback(txn);
        return status;
    }
    return nq_txn_commit(ctx, txn, &(nq_commit_options){0}, out_lsn);
}

static void run_asking(void *argument) {
    enum { ROUNDS = 40 };
    asking *a = argument;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        nq_lsn lsn;
        nq_checkpoint_result result;
        bool is_done = commit_one(&ctx, a->store, a->key, &lsn) == NQ_OK &&
                       nq_store_checkpoint(&ctx, a->store, &result) == NQ_OK;
        a->failures += !is_done || result.lsn.value < lsn.value;
    }
}

static void a_checkpoint_holds_what_whoever_asks_has_committed(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_store_options options = {.cache_bytes = 1, .log_segment_bytes = 64 << 10};
    nq_sim_vfs *disk;
    nq_store *store = make_store(&ctx, &options, &disk);
    asking all[] = {{store, "a", 0}, {store, "b", 0}, {store, "c", 0}};
    enum { COUNT = sizeof all / sizeof all[0] };
    nq_thread threads[COUNT];
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(nq_thread_start(&ctx, &threads[i], "asking", run_asking, &all[i]), NQ_OK);
    }
    for (int i = 0; i < COUNT; i++) {
        nq_thread_join(&threads[i]);
        assert_int_equal(all[i].failures, 0);
    }
    assert_int_equal(nq_store_close(&ctx, store), NQ_OK);
    nq_sim_vfs_destroy(disk);
}

static void who_asks_for_a_checkpoint_hears_why_it_failed(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_store_options options = {.cache_bytes = 1, .log_segment_bytes = 64 << 10};
    nq_sim_vfs *disk;
    nq_store *store = make_store(&ctx, &options, &disk);
    assert_int_equal(commit_one(&ctx, store, "key", NULL), NQ_OK);
    nq_sim_vfs_fault_at(disk, NQ_SIM_SYNC_ERROR, 1);
    assert_int_equal(nq_store_checkpoint(&ctx, store, NULL), NQ_IO_ERROR);
    assert_non_null(strstr(ctx.error.message, "injected"));
    assert_int_equal(nq_store_checkpoint(&ctx, store, NULL), NQ_READ_ONLY_DATABASE);
    assert_int_equal(nq_store_close(&ctx, store), NQ_READ_ONLY_DATABASE);
    nq_sim_vfs_destroy(disk);
}

/* ---- Frames at hand ---- */

static uint64_t cache_bytes_of(nq_store *store) {
    nq_store_stats stats;
    nq_store_get_stats(store, &stats);
    return stats.cache_bytes;
}

static void the_background_has_memory_ready_for_commits(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    const nq_store_options options = {.cache_bytes = 64 << 20};
    nq_sim_vfs *disk;
    nq_store *store = make_store(&ctx, &options, &disk);
    uint64_t before = cache_bytes_of(store);
    assert_int_equal(commit_one(&ctx, store, "key", NULL), NQ_OK);
    while (cache_bytes_of(store) < before + (1 << 20)) {
        nq_thread_sleep_ns(1000000);
    }
    assert_int_equal(nq_store_close(&ctx, store), NQ_OK);
    nq_sim_vfs_destroy(disk);
}

/* ---- Checkpoints ---- */

static void take_a_while(void *user, uint64_t io) {
    (void)user;
    (void)io;
    nq_thread_sleep_ns(200000);
}

static void a_long_log_is_checkpointed_once(void **state) {
    (void)state;
    enum { BOUND = 512 << 10, TIMES = 4, KEYS = 100 };
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    const nq_store_options options = {.checkpoint_log_bytes = BOUND};
    nq_sim_vfs *disk;
    nq_store *store = make_store(&ctx, &options, &disk);
    nq_sim_vfs_set_observer(disk, take_a_while, NULL);
    static const uint8_t value[1000];
    for (uint32_t i = 0; i < TIMES * BOUND / sizeof value; i++) {
        uint32_t key = i % KEYS;
        nq_txn *txn;
        assert_int_equal(nq_txn_begin(&ctx, store, &(nq_txn_options){0}, &txn), NQ_OK);
        assert_int_equal(nq_txn_put(&ctx, txn, NQ_TREE_CATALOG, nq_bytes_of(&key, sizeof key),
                                    nq_bytes_of(value, sizeof value)),
                         NQ_OK);
        const nq_commit_options lazily = {.durability = NQ_LAZY};
        assert_int_equal(nq_txn_commit(&ctx, txn, &lazily, NULL), NQ_OK);
    }
    nq_store_stats stats;
    nq_store_get_stats(store, &stats);
    nq_sim_vfs_set_observer(disk, NULL, NULL);
    assert_in_range(stats.checkpoints, 1, TIMES);
    assert_int_equal(nq_store_close(&ctx, store), NQ_OK);
    nq_sim_vfs_destroy(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transfers_beside_loads_keep_the_sum),
        cmocka_unit_test(a_deadlock_has_one_victim),
        cmocka_unit_test(a_checkpoint_holds_what_whoever_asks_has_committed),
        cmocka_unit_test(who_asks_for_a_checkpoint_hears_why_it_failed),
        cmocka_unit_test(the_background_has_memory_ready_for_commits),
        cmocka_unit_test(a_long_log_is_checkpointed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
