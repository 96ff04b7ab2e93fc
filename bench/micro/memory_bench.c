/* Memory: how far the process grows beyond the budget it was given, with far more data than that
 * and a thousand readers at once, each with its own snapshot and a scan left waiting.
 *
 *     memory_bench DIRECTORY [GIGABYTES [BUDGET_MEGABYTES]]
 *
 * Loads the directory if it is empty (16-byte keys, 100-byte values of which half compresses); a
 * directory loaded before is used as it is. The readers are sessions of one thread: a thousand
 * stacks would be measured otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/cpu.h"
#include "engine/storage/store/store.h"

enum {
    READERS = 1000,
    ROUNDS = 20,
    SCAN_ROWS = 100,
    LOAD_ROWS = 10000, /* a transaction */
    KEY_BYTES = 16,
    VALUE_BYTES = 100,
    ALLOWED_BYTES = 8 << 20,
};

typedef struct reader {
    nq_txn *txn;
    nq_scan *scan;
} reader;

static nq_ctx ctx;
static nq_store *store;
static uint64_t row_count;

static void must(nq_status status) {
    if (status != NQ_OK) {
        fprintf(stderr, "%s\n", ctx.error.message);
        exit(1);
    }
}

static nq_bytes key_of(uint64_t row, char room[KEY_BYTES + 1]) {
    return nq_bytes_of(room,
                       (size_t)snprintf(room, KEY_BYTES + 1, "%016llu", (unsigned long long)row));
}

static nq_bytes value_of(uint64_t row, uint8_t room[VALUE_BYTES]) {
    nq_rng rng = {row};
    memset(room, 'v', VALUE_BYTES);
    for (int i = 0; i < VALUE_BYTES / 2; i++) {
        room[i] = (uint8_t)nq_rng_next(&rng);
    }
    return nq_bytes_of(room, VALUE_BYTES);
}

/* ---- Loading ---- */

static void load_some(uint64_t from, uint64_t to) {
    nq_txn *txn;
    must(nq_txn_begin(&ctx, store, &(nq_txn_options){0}, &txn));
    for (uint64_t row = from; row < to; row++) {
        char key[KEY_BYTES + 1];
        uint8_t value[VALUE_BYTES];
        must(nq_txn_put(&ctx, txn, NQ_TREE_CATALOG, key_of(row, key), value_of(row, value)));
    }
    must(nq_txn_commit(&ctx, txn, &(nq_commit_options){.durability = NQ_LAZY}, NULL));
}

static uint64_t count_rows(void) {
    nq_txn *txn;
    nq_tree_stats stats;
    must(nq_txn_begin(&ctx, store, &(nq_txn_options){.read_only = true}, &txn));
    must(nq_txn_tree_stats(&ctx, txn, NQ_TREE_CATALOG, &stats));
    nq_txn_rollback(txn);
    return stats.entry_count;
}

static void load(uint64_t wanted) {
    row_count = count_rows();
    if (row_count != 0) {
        return;
    }
    for (; row_count < wanted; row_count += LOAD_ROWS) {
        load_some(row_count, row_count + LOAD_ROWS);
    }
}

/* ---- Reading ---- */

static void open_reader(reader *r) {
    nq_txn_options options = {.isolation = NQ_REPEATABLE_READ, .read_only = true};
    must(nq_txn_begin(&ctx, store, &options, &r->txn));
    must(nq_scan_open(&ctx, r->txn, NQ_TREE_CATALOG, &(nq_scan_range){0}, &r->scan));
}

static void close_reader(reader *r) {
    nq_scan_close(r->scan);
    nq_txn_rollback(r->txn);
}

static void read_some(reader *r, nq_rng *rng) {
    nq_bytes key;
    nq_bytes value;
    for (int i = 0; i < SCAN_ROWS; i++) {
        must(nq_scan_next(&ctx, r->scan, &key, &value));
    }
    nq_scan_park(r->scan);
    char room[KEY_BYTES + 1];
    uint64_t row = nq_rng_below(rng, row_count);
    must(nq_txn_find(&ctx, r->txn, NQ_TREE_CATALOG, key_of(row, room), &value));
    uint8_t expected[VALUE_BYTES];
    if (!nq_bytes_equal(value, value_of(row, expected))) {
        fprintf(stderr, "row %llu is wrong\n", (unsigned long long)row);
        exit(1);
    }
}

/* The most the process has held. */
static uint64_t run_readers(void) {
    static reader readers[READERS];
    nq_rng rng = {1};
    uint64_t most = nq_cpu_resident_bytes();
    for (int i = 0; i < READERS; i++) {
        open_reader(&readers[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < READERS; i++) {
            read_some(&readers[i], &rng);
        }
        uint64_t now = nq_cpu_resident_bytes();
        most = now > most ? now : most;
    }
    for (int i = 0; i < READERS; i++) {
        close_reader(&readers[i]);
    }
    return most;
}

static void open_store(const char *directory, uint64_t budget) {
    nq_store_options options = {.cache_bytes = budget};
    must(nq_store_open(&ctx, nq_vfs_posix(), directory, &options, &store));
}

int main(int argument_count, char **arguments) {
    if (argument_count < 2 || argument_count > 4) {
        fprintf(stderr, "memory_bench DIRECTORY [GIGABYTES [BUDGET_MEGABYTES]]\n");
        return 2;
    }
    double gigabytes = argument_count > 2 ? atof(arguments[2]) : 10;
    uint64_t budget = (uint64_t)((argument_count > 3 ? atof(arguments[3]) : 100) * 1e6);
    nq_ctx_init(&ctx, NULL);
    uint64_t start = nq_cpu_resident_bytes();
    open_store(arguments[1], budget);
    load((uint64_t)(gigabytes * 1e9) / (KEY_BYTES + VALUE_BYTES));
    printf("%.1f GB of rows, a budget of %.0f MB, %d readers; after loading %+.1f MB\n",
           (double)row_count * (KEY_BYTES + VALUE_BYTES) / 1e9, (double)budget / 1e6, READERS,
           ((double)(nq_cpu_resident_bytes() - start) - (double)budget) / 1e6);
    must(nq_store_close(&ctx, store));
    open_store(arguments[1], budget);
    int64_t over = (int64_t)(run_readers() - start) - (int64_t)budget;
    nq_store_stats stats;
    nq_store_get_stats(store, &stats);
    printf("hits %llu, misses %llu, evictions %llu, bytes %llu of %llu\n",
           (unsigned long long)stats.cache_hits, (unsigned long long)stats.cache_misses,
           (unsigned long long)stats.cache_evictions, (unsigned long long)stats.cache_bytes,
           (unsigned long long)stats.cache_budget_bytes);
    printf("BENCH memory-beyond-budget ours=%.1fMB peer=%.1fMB ratio=%.2f gate=<=1 %s\n",
           (double)over / 1e6, ALLOWED_BYTES / 1e6, (double)over / ALLOWED_BYTES,
           over <= ALLOWED_BYTES ? "ok" : "short");
    must(nq_store_close(&ctx, store));
    return 0;
}
