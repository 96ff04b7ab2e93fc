/* Campaign: isolation. Schedules of two transactions, step by step on one thread (nobody waits: a
 * lock that is held fails at once), each named after the anomaly it would show (Adya; Berenson et
 * al., "A Critique of ANSI SQL Isolation Levels"). */
#include <stdio.h>

#include "engine/ground/os/sim_vfs.h"
#include "tests/engine/storage/support/campaign.h"
#include "tests/engine/storage/support/workload.h"

static char failure[800];
static nq_ctx ctx;
static nq_store *store;
static nq_tree_id tree;

#define EXPECT(claim)                                                                             \
    do {                                                                                          \
        if (!(claim)) {                                                                           \
            snprintf(failure, sizeof failure, "%s, line %d: %s (%s)", __func__, __LINE__, #claim, \
                     ctx.error.message);                                                          \
            return;                                                                               \
        }                                                                                         \
    } while (0)

static nq_txn *begin(nq_isolation isolation) {
    nq_txn *txn = NULL;
    nq_txn_options options = {.isolation = isolation, .lock_wait_ns = -1};
    return nq_txn_begin(&ctx, store, &options, &txn) == NQ_OK ? txn : NULL;
}

static nq_status put(nq_txn *txn, const char *key, const char *value) {
    return nq_txn_put(&ctx, txn, tree, nq_bytes_of_cstr(key), nq_bytes_of_cstr(value));
}

static nq_status commit(nq_txn *txn) {
    nq_commit_options options = {0};
    return nq_txn_commit(&ctx, txn, &options, NULL);
}

/* Whether the transaction reads `value`; NULL: absent. */
static bool reads(nq_txn *txn, const char *key, const char *value) {
    nq_bytes found;
    if (nq_txn_find(&ctx, txn, tree, nq_bytes_of_cstr(key), &found) != NQ_OK) {
        return false;
    }
    return value == NULL ? found.data == NULL
                         : found.data != NULL && nq_bytes_equal(found, nq_bytes_of_cstr(value));
}

static int count(nq_txn *txn) {
    nq_scan *scan;
    nq_scan_range range = {0};
    int entries = -1;
    if (nq_scan_open(&ctx, txn, tree, &range, &scan) != NQ_OK) {
        return -1;
    }
    nq_bytes key;
    nq_bytes value;
    nq_status status;
    do {
        status = nq_scan_next(&ctx, scan, &key, &value);
        entries++;
    } while (status == NQ_OK && key.data != NULL);
    nq_scan_close(scan);
    return status == NQ_OK ? entries : -1;
}

/* x = "1" and y = "1", committed. */
static void reset(void) {
    nq_txn *txn = begin(NQ_READ_COMMITTED);
    EXPECT(nq_txn_tree_create(&ctx, txn, &tree) == NQ_OK);
    EXPECT(put(txn, "x", "1") == NQ_OK && put(txn, "y", "1") == NQ_OK);
    EXPECT(commit(txn) == NQ_OK);
}

static void dirty_read(void) {
    nq_txn *writer = begin(NQ_READ_COMMITTED);
    nq_txn *reader = begin(NQ_READ_COMMITTED);
    EXPECT(put(writer, "x", "2") == NQ_OK && reads(writer, "x", "2"));
    EXPECT(nq_txn_statement_begin(&ctx, reader) == NQ_OK);
    EXPECT(reads(reader, "x", "1"));
    nq_txn_rollback(writer);
    EXPECT(nq_txn_statement_begin(&ctx, reader) == NQ_OK);
    EXPECT(reads(reader, "x", "1"));
    nq_txn_rollback(reader);
}

static void non_repeatable_read(void) {
    nq_txn *committed = begin(NQ_READ_COMMITTED);
    nq_txn *repeatable = begin(NQ_REPEATABLE_READ);
    EXPECT(reads(committed, "x", "1") && reads(repeatable, "x", "1"));
    nq_txn *writer = begin(NQ_READ_COMMITTED);
    EXPECT(put(writer, "x", "2") == NQ_OK && commit(writer) == NQ_OK);
    EXPECT(reads(committed, "x", "1")); /* still the same statement */
    EXPECT(nq_txn_statement_begin(&ctx, committed) == NQ_OK);
    EXPECT(nq_txn_statement_begin(&ctx, repeatable) == NQ_OK);
    EXPECT(reads(committed, "x", "2") && reads(repeatable, "x", "1"));
    nq_txn_rollback(committed);
    nq_txn_rollback(repeatable);
}

static void phantom(void) {
    nq_txn *repeatable = begin(NQ_REPEATABLE_READ);
    nq_txn *serializable = begin(NQ_SERIALIZABLE);
    EXPECT(count(repeatable) == 2 && count(serializable) == 2);
    nq_txn *writer = begin(NQ_READ_COMMITTED);
    EXPECT(put(writer, "z", "new") == NQ_OK && commit(writer) == NQ_OK);
    EXPECT(count(repeatable) == 2 && count(serializable) == 2);
    EXPECT(put(repeatable, "count", "2") == NQ_OK && commit(repeatable) == NQ_OK);
    EXPECT(put(serializable, "sum", "2") == NQ_OK && commit(serializable) == NQ_WRITE_CONFLICT);
}

static void lost_update(void) {
    for (int level = NQ_READ_COMMITTED; level <= NQ_SERIALIZABLE; level++) {
        nq_txn *first = begin((nq_isolation)level);
        nq_txn *second = begin((nq_isolation)level);
        EXPECT(reads(first, "x", "1") && reads(second, "x", "1"));
        EXPECT(put(first, "x", "2") == NQ_OK);
        EXPECT(put(second, "x", "3") == NQ_LOCK_TIMEOUT);
        EXPECT(commit(first) == NQ_OK);
        EXPECT(put(second, "x", "3") == NQ_WRITE_CONFLICT);
        EXPECT(put(second, "x", "3") == NQ_WRITE_CONFLICT); /* nor the second time */
        EXPECT(nq_txn_statement_begin(&ctx, second) == NQ_OK);
        nq_status again = put(second, "x", "1");
        EXPECT(again == (level == NQ_READ_COMMITTED ? NQ_OK : NQ_WRITE_CONFLICT));
        if (again == NQ_OK) {
            EXPECT(commit(second) == NQ_OK);
        } else {
            nq_txn_rollback(second);
            nq_txn *repair = begin(NQ_READ_COMMITTED);
            EXPECT(put(repair, "x", "1") == NQ_OK && commit(repair) == NQ_OK);
        }
    }
}

/* A lost update in which the winner's whole life falls between two steps of the loser. */
static void lost_update_unlocked(void) {
    nq_txn *loser = begin(NQ_REPEATABLE_READ);
    EXPECT(reads(loser, "x", "1"));
    nq_txn *winner = begin(NQ_REPEATABLE_READ);
    bool was_present;
    EXPECT(nq_txn_remove(&ctx, winner, tree, nq_bytes_of_cstr("x"), &was_present) == NQ_OK);
    EXPECT(was_present && commit(winner) == NQ_OK);
    EXPECT(put(loser, "x", "3") == NQ_WRITE_CONFLICT);
    nq_txn_rollback(loser);
}

static void write_skew(void) {
    nq_txn *first = begin(NQ_SERIALIZABLE);
    nq_txn *second = begin(NQ_SERIALIZABLE);
    EXPECT(reads(first, "x", "1") && reads(first, "y", "1"));
    EXPECT(reads(second, "x", "1") && reads(second, "y", "1"));
    EXPECT(put(first, "x", "0") == NQ_OK && put(second, "y", "0") == NQ_OK);
    EXPECT(commit(first) == NQ_OK);
    EXPECT(commit(second) == NQ_WRITE_CONFLICT);
}

static void disjoint_serializable(void) {
    nq_txn *first = begin(NQ_SERIALIZABLE);
    nq_txn *second = begin(NQ_SERIALIZABLE);
    EXPECT(reads(first, "x", "1") && put(first, "x", "2") == NQ_OK);
    EXPECT(reads(second, "y", "1") && put(second, "y", "2") == NQ_OK);
    EXPECT(commit(first) == NQ_OK && commit(second) == NQ_OK);
}

static void insert_twice(void) {
    nq_txn *first = begin(NQ_READ_COMMITTED);
    nq_txn *second = begin(NQ_READ_COMMITTED);
    nq_bytes key = nq_bytes_of_cstr("new");
    EXPECT(nq_txn_insert(&ctx, first, tree, nq_bytes_of_cstr("x"), key) == NQ_UNIQUE_VIOLATION);
    EXPECT(nq_txn_insert(&ctx, first, tree, key, key) == NQ_OK);
    EXPECT(nq_txn_insert(&ctx, first, tree, key, key) == NQ_UNIQUE_VIOLATION);
    EXPECT(nq_txn_insert(&ctx, second, tree, key, key) == NQ_LOCK_TIMEOUT);
    EXPECT(commit(first) == NQ_OK);
    EXPECT(nq_txn_insert(&ctx, second, tree, key, key) == NQ_WRITE_CONFLICT);
    EXPECT(nq_txn_statement_begin(&ctx, second) == NQ_OK);
    EXPECT(nq_txn_insert(&ctx, second, tree, key, key) == NQ_UNIQUE_VIOLATION);
    nq_txn_rollback(second);
}

static void drop_and_write(void) {
    nq_txn *writer = begin(NQ_READ_COMMITTED);
    nq_txn *old = begin(NQ_REPEATABLE_READ);
    nq_txn *dropper = begin(NQ_READ_COMMITTED);
    EXPECT(put(writer, "x", "2") == NQ_OK);
    EXPECT(nq_txn_tree_drop(&ctx, dropper, tree) == NQ_LOCK_TIMEOUT);
    EXPECT(commit(writer) == NQ_OK);
    EXPECT(nq_txn_tree_drop(&ctx, dropper, tree) == NQ_OK);
    EXPECT(put(dropper, "x", "3") == NQ_TABLE_NOT_FOUND);
    EXPECT(put(old, "y", "3") == NQ_LOCK_TIMEOUT);
    EXPECT(commit(dropper) == NQ_OK);
    EXPECT(reads(old, "x", "1") && count(old) == 2); /* its snapshot stays whole */
    EXPECT(put(old, "y", "3") == NQ_WRITE_CONFLICT);
    nq_txn_rollback(old);
    nq_txn *late = begin(NQ_READ_COMMITTED);
    EXPECT(put(late, "x", "1") == NQ_TABLE_NOT_FOUND);
    nq_txn_rollback(late);
}

static void savepoints(void) {
    nq_txn *txn = begin(NQ_READ_COMMITTED);
    nq_savepoint first;
    nq_savepoint second;
    EXPECT(put(txn, "x", "2") == NQ_OK);
    EXPECT(nq_txn_savepoint(&ctx, txn, &first) == NQ_OK);
    EXPECT(put(txn, "x", "3") == NQ_OK && put(txn, "z", "3") == NQ_OK);
    EXPECT(nq_txn_savepoint(&ctx, txn, &second) == NQ_OK);
    EXPECT(nq_txn_remove(&ctx, txn, tree, nq_bytes_of_cstr("y"), NULL) == NQ_OK);
    EXPECT(nq_txn_rollback_to(&ctx, txn, second) == NQ_OK);
    EXPECT(reads(txn, "y", "1") && reads(txn, "x", "3") && count(txn) == 3);
    EXPECT(nq_txn_rollback_to(&ctx, txn, first) == NQ_OK);
    EXPECT(reads(txn, "x", "2") && reads(txn, "z", NULL) && count(txn) == 2);
    nq_txn *other = begin(NQ_READ_COMMITTED);
    EXPECT(put(other, "z", "4") == NQ_LOCK_TIMEOUT); /* rolling back keeps the locks */
    nq_txn_rollback(other);
    EXPECT(commit(txn) == NQ_OK);
    txn = begin(NQ_READ_COMMITTED);
    EXPECT(reads(txn, "x", "2") && reads(txn, "z", NULL));
    nq_txn_rollback(txn);
}

static void read_only(void) {
    nq_txn *txn;
    nq_txn_options options = {.read_only = true};
    EXPECT(nq_txn_begin(&ctx, store, &options, &txn) == NQ_OK);
    EXPECT(put(txn, "x", "2") == NQ_READ_ONLY_TRANSACTION && reads(txn, "x", "1"));
    nq_txn_rollback(txn);
}

const char *campaign_isolation(void) {
    static void (*const schedules[])(void) = {
        dirty_read,           non_repeatable_read, phantom,
        lost_update,          write_skew,          disjoint_serializable,
        lost_update_unlocked, insert_twice,        drop_and_write,
        savepoints,           read_only,
    };
    nq_ctx_init(&ctx, NULL);
    failure[0] = 0;
    nq_sim_options sim = {.seed = 1};
    nq_store_options options = workload_store_options();
    nq_sim_vfs *disk;
    if (nq_sim_vfs_create(&ctx, &sim, &disk) != NQ_OK ||
        nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store) != NQ_OK) {
        return "no store";
    }
    for (size_t i = 0; i < sizeof schedules / sizeof schedules[0]; i++) {
        reset();
        if (failure[0] == 0) {
            schedules[i]();
        }
        if (failure[0] != 0) {
            return failure; /* with transactions left open; the caller is about to end */
        }
    }
    const char *result = nq_store_close(&ctx, store) == NQ_OK ? NULL : "close failed";
    nq_sim_vfs_destroy(disk);
    return result;
}
