/* Model: random transactions against a store and a sorted array at once; every read, range and
 * direction is compared, inside transactions and after reopening.
 *
 * NQ_MODEL_SEEDS=n runs n seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/ground/os/sim_vfs.h"
#include "tests/engine/storage/support/workload.h"

enum { SEEDS_DEFAULT = 60, TRANSACTIONS = 60, KEYS = 400, VALUE_BYTES_MAX = 12000 };

typedef struct model {
    nq_rng rng;
    nq_ctx ctx;
    nq_store *store;
    nq_tree_id tree;
    reference committed;
} model;

static void must(model *m, nq_status status, const char *what) {
    if (status != NQ_OK) {
        fail_msg("%s: %s", what, m->ctx.error.message);
    }
}

#define MUST(m, call) must((m), (call), #call)

static nq_bytes random_key(model *m, char room[128]) {
    unsigned number = (unsigned)nq_rng_below(&m->rng, KEYS);
    static const char *const forms[] = {"%u", "prefix/that/is/shared/%06u", "%c%060u", "z%03u"};
    const char *form = forms[number % 4];
    int bytes = number % 4 == 2 ? snprintf(room, 128, form, 'a' + (int)(number % 26), number)
                                : snprintf(room, 128, form, number);
    return nq_bytes_of(room, (size_t)bytes);
}

static void change_one(model *m, nq_txn *txn, reference *state) {
    static uint8_t value[VALUE_BYTES_MAX];
    char room[128];
    nq_bytes key = random_key(m, room);
    bool is_there = reference_find(state, m->tree.value, key).data != NULL;
    uint64_t dice = nq_rng_below(&m->rng, 10);
    size_t limit = nq_rng_below(&m->rng, 20) == 0 ? VALUE_BYTES_MAX : 300;
    nq_bytes bytes = nq_bytes_of(value, nq_rng_below(&m->rng, limit));
    memset(value, (int)dice + 'a', bytes.size);
    if (dice < 4) {
        bool was_present;
        MUST(m, nq_txn_remove(&m->ctx, txn, m->tree, key, &was_present));
        assert_int_equal(was_present, is_there);
        reference_remove(state, m->tree.value, key);
    } else if (dice < 6) {
        nq_status status = nq_txn_insert(&m->ctx, txn, m->tree, key, bytes);
        assert_int_equal(status, is_there ? NQ_UNIQUE_VIOLATION : NQ_OK);
        if (!is_there) {
            reference_put(state, m->tree.value, key, bytes);
        }
    } else {
        MUST(m, nq_txn_put(&m->ctx, txn, m->tree, key, bytes));
        reference_put(state, m->tree.value, key, bytes);
    }
}

static void find_one(model *m, nq_txn *txn, const reference *state) {
    char room[128];
    nq_bytes key = random_key(m, room);
    nq_bytes value;
    MUST(m, nq_txn_find(&m->ctx, txn, m->tree, key, &value));
    nq_bytes expected = reference_find(state, m->tree.value, key);
    assert_int_equal(value.data == NULL, expected.data == NULL);
    assert_true(nq_bytes_equal(value, expected));
}

enum { BATCH_MAX = 20 };

/* What the scan gives next, by one call or the other. */
static uint32_t next_entries(model *m, nq_scan *scan, uint32_t count_max, nq_entry *entries) {
    uint32_t count;
    if (nq_rng_below(&m->rng, 3) != 0) {
        MUST(m, nq_scan_next_batch(&m->ctx, scan, entries, count_max, &count));
        return count;
    }
    MUST(m, nq_scan_next(&m->ctx, scan, &entries[0].key, &entries[0].value));
    return entries[0].key.data != NULL ? 1 : 0;
}

/* A range with open or random bounds, left now and then before its end, parked on the way. */
static void scan_one(model *m, nq_txn *txn, const reference *state) {
    char low_room[128];
    char high_room[128];
    nq_scan_range range = {.is_reverse = nq_rng_below(&m->rng, 2) == 0};
    if (nq_rng_below(&m->rng, 4) != 0) {
        range.low = random_key(m, low_room);
    }
    if (nq_rng_below(&m->rng, 4) != 0) {
        range.high = random_key(m, high_room);
    }
    size_t from = reference_seek(state, m->tree.value, range.low);
    size_t to = range.high.data == NULL ? reference_seek(state, m->tree.value + 1, (nq_bytes){0})
                                        : reference_seek(state, m->tree.value, range.high);
    nq_scan *scan;
    MUST(m, nq_scan_open(&m->ctx, txn, m->tree, &range, &scan));
    bool is_cut_short = nq_rng_below(&m->rng, 8) == 0;
    uint32_t batch_max = (uint32_t)nq_rng_below(&m->rng, BATCH_MAX) + 1;
    nq_entry entries[BATCH_MAX];
    for (size_t i = from; i < to && !(is_cut_short && i > from + 3);) {
        uint32_t count = next_entries(m, scan, batch_max, entries);
        assert_true(count != 0 && count <= to - i);
        for (uint32_t k = 0; k < count; k++, i++) {
            size_t at = range.is_reverse ? to - 1 - (i - from) : i;
            assert_true(nq_bytes_equal(entries[k].key, state->entries[at].key));
            assert_true(nq_bytes_equal(entries[k].value, state->entries[at].value));
        }
        if (nq_rng_below(&m->rng, 5) == 0) {
            nq_scan_park(scan);
        }
    }
    if (!is_cut_short) {
        for (int again = 0; again < 2; again++) {
            assert_int_equal(next_entries(m, scan, batch_max, entries), 0);
        }
    }
    nq_scan_close(scan);
}

static void run_transaction(model *m) {
    nq_txn *txn;
    nq_txn_options options = {.isolation = (nq_isolation)nq_rng_below(&m->rng, 3)};
    MUST(m, nq_txn_begin(&m->ctx, m->store, &options, &txn));
    reference state;
    reference saved = {0};
    reference_copy(&m->committed, &state);
    nq_savepoint savepoint = {0};
    bool has_savepoint = false;
    for (uint64_t i = nq_rng_below(&m->rng, 60); i > 0; i--) {
        uint64_t dice = nq_rng_below(&m->rng, 40);
        if (dice == 0 && !has_savepoint) {
            MUST(m, nq_txn_savepoint(&m->ctx, txn, &savepoint));
            reference_copy(&state, &saved);
            has_savepoint = true;
        } else if (dice == 1 && has_savepoint) {
            MUST(m, nq_txn_rollback_to(&m->ctx, txn, savepoint));
            reference_deinit(&state);
            reference_copy(&saved, &state);
        } else if (dice < 30) {
            change_one(m, txn, &state);
        } else if (dice < 36) {
            find_one(m, txn, &state);
        } else {
            scan_one(m, txn, &state);
        }
    }
    reference_deinit(&saved);
    if (nq_rng_below(&m->rng, 6) == 0) {
        nq_txn_rollback(txn);
        reference_deinit(&state);
        return;
    }
    nq_commit_options commit = {0};
    MUST(m, nq_txn_commit(&m->ctx, txn, &commit, NULL));
    reference_deinit(&m->committed);
    m->committed = state;
}

static void compare_all(model *m) {
    nq_txn *txn;
    nq_txn_options options = {.read_only = true};
    MUST(m, nq_txn_begin(&m->ctx, m->store, &options, &txn));
    nq_status status;
    const char *difference = reference_compare(&m->committed, txn, &status);
    nq_txn_rollback(txn);
    if (difference != NULL) {
        fail_msg("%s", difference);
    }
    MUST(m, nq_store_verify(&m->ctx, m->store));
}

static void run_seed(uint64_t seed) {
    model m = {.rng = {seed}};
    nq_ctx_init(&m.ctx, NULL);
    nq_sim_options sim = {.seed = seed};
    nq_sim_vfs *disk;
    MUST(&m, nq_sim_vfs_create(&m.ctx, &sim, &disk));
    nq_store_options options = workload_store_options();
    MUST(&m, nq_store_open(&m.ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &m.store));
    m.tree = NQ_TREE_CATALOG;
    for (int i = 0; i < TRANSACTIONS; i++) {
        run_transaction(&m);
        uint64_t dice = nq_rng_below(&m.rng, 20);
        if (dice == 0) {
            MUST(&m, nq_store_checkpoint(&m.ctx, m.store, NULL));
        } else if (dice == 1) {
            MUST(&m, nq_store_close(&m.ctx, m.store));
            MUST(&m, nq_store_open(&m.ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &m.store));
        }
        if (dice < 4) {
            compare_all(&m);
        }
    }
    compare_all(&m);
    MUST(&m, nq_store_close(&m.ctx, m.store));
    reference_deinit(&m.committed);
    nq_sim_vfs_destroy(disk);
}

static void the_store_is_the_model(void **state) {
    (void)state;
    const char *wanted = getenv("NQ_MODEL_SEEDS");
    uint64_t seed_count = wanted == NULL ? SEEDS_DEFAULT : strtoull(wanted, NULL, 10);
    for (uint64_t seed = 1; seed <= seed_count; seed++) {
        run_seed(seed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_is_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
