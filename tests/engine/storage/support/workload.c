/* Workload: see the header. */
#include "tests/engine/storage/support/workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/ground/os/clock.h"
#include "engine/ground/os/sim_clock.h"

enum { KEYS = 160, OPS_MAX = 12, FIRST_LOAD = 4, VALUE_BYTES_MAX = 30000, SYNC_INTERVAL_MS = 100 };

nq_store_options workload_store_options(void) {
    return (nq_store_options){.cache_bytes = 1,
                              .checkpoint_log_bytes = 256 << 10,
                              .txn_bytes_max = 32 << 10,
                              .log_segment_bytes = 64 << 10,
                              .lane_blocks = 1,
                              .sync_interval_ms = SYNC_INTERVAL_MS,
                              .is_manual = true};
}

static void reserve_states(workload *w, size_t capacity) {
    w->state_capacity = capacity;
    w->states = realloc(w->states, capacity * sizeof *w->states);
    w->has_request = realloc(w->has_request, capacity * sizeof *w->has_request);
    w->periodic_ns = realloc(w->periodic_ns, capacity * sizeof *w->periodic_ns);
    if (w->states == NULL || w->has_request == NULL || w->periodic_ns == NULL) {
        abort();
    }
}

/* Takes the reference over. */
static void push_state(workload *w, const reference *state, bool has_request) {
    if (w->state_count == w->state_capacity) {
        reserve_states(w, w->state_capacity * 2);
    }
    w->has_request[w->state_count] = has_request;
    w->periodic_ns[w->state_count] = INT64_MAX;
    w->states[w->state_count++] = *state;
}

void workload_init(workload *w, uint64_t seed) {
    *w = (workload){.rng = {seed}};
    reserve_states(w, 1);
    push_state(w, &(reference){0}, false);
}

void workload_deinit(workload *w) {
    for (size_t i = 0; i < w->state_count; i++) {
        reference_deinit(&w->states[i]);
    }
    free(w->states);
    free(w->has_request);
    free(w->periodic_ns);
}

void workload_rewind(workload *w, size_t state) {
    while (w->state_count > state + 1) {
        reference_deinit(&w->states[--w->state_count]);
    }
    w->committed = state;
    w->acknowledged = state;
}

void workload_fork(const workload *w, size_t state, uint64_t seed, workload *out_fork) {
    *out_fork = *w;
    out_fork->rng = (nq_rng){seed};
    out_fork->states = NULL;
    out_fork->has_request = NULL;
    out_fork->periodic_ns = NULL;
    out_fork->state_count = 0;
    reserve_states(out_fork, state + 1);
    for (size_t i = 0; i <= state; i++) {
        reference copy;
        reference_copy(&w->states[i], &copy);
        push_state(out_fork, &copy, w->has_request[i]);
    }
    workload_rewind(out_fork, state);
}

/* ---- Names ---- */

static nq_bytes number_bytes(char room[24], char letter, uint64_t number) {
    return nq_bytes_of(room,
                       (size_t)snprintf(room, 24, "%c%llu", letter, (unsigned long long)number));
}

/* A catalog entry for each tree that exists, as the catalog keeps one for each table. */
static nq_bytes tree_entry(char room[24], uint32_t tree) {
    return number_bytes(room, 't', tree);
}

static bool tree_exists(const reference *state, uint32_t tree) {
    char room[24];
    return reference_find(state, NQ_TREE_CATALOG.value, tree_entry(room, tree)).data != NULL;
}

/* Keys share long prefixes now and then. */
static nq_bytes random_key(nq_rng *rng, char room[80]) {
    uint64_t number = nq_rng_below(rng, KEYS);
    int bytes = number % 3 == 0 ? snprintf(room, 80, "a-rather-long-common-prefix/of-keys/%04u",
                                           (unsigned)number)
                                : snprintf(room, 80, "%u", (unsigned)number);
    return nq_bytes_of(room, (size_t)bytes);
}

static size_t random_size(nq_rng *rng) {
    uint64_t dice = nq_rng_below(rng, 100);
    if (dice < 4) {
        return 8000 + nq_rng_below(rng, VALUE_BYTES_MAX - 8000);
    }
    return nq_rng_below(rng, dice < 16 ? 3000 : 150);
}

/* ---- One transaction ---- */

static uint32_t random_tree(workload *w, const reference *state) {
    uint32_t tree = NQ_TREE_CATALOG.value;
    for (int tries = 0; tries < 4 && w->tree_count != 0; tries++) {
        uint32_t candidate = w->trees[nq_rng_below(&w->rng, w->tree_count)];
        if (tree_exists(state, candidate)) {
            return candidate;
        }
    }
    return tree;
}

/* Every fourth value compresses. */
static void fill(nq_rng *rng, uint8_t *value, size_t bytes) {
    if (nq_rng_below(rng, 4) == 0) {
        memset(value, (int)(nq_rng_next(rng) & 0xff), bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i++) {
        value[i] = (uint8_t)nq_rng_next(rng);
    }
}

static nq_status write_once(nq_ctx *ctx, workload *w, nq_txn *txn, reference *state) {
    static _Thread_local uint8_t value[VALUE_BYTES_MAX]; /* a recovery may run in the midst of it */
    char room[80];
    uint32_t tree = random_tree(w, state);
    nq_bytes key = random_key(&w->rng, room);
    if (nq_rng_below(&w->rng, 4) == 0) {
        bool was_present;
        NQ_TRY(nq_txn_remove(ctx, txn, (nq_tree_id){tree}, key, &was_present));
        if (reference_remove(state, tree, key) != was_present) {
            return nq_fail(ctx, NQ_BUG, "remove saw another state");
        }
        return NQ_OK;
    }
    size_t bytes = random_size(&w->rng);
    fill(&w->rng, value, bytes);
    NQ_TRY(nq_txn_put(ctx, txn, (nq_tree_id){tree}, key, nq_bytes_of(value, bytes)));
    reference_put(state, tree, key, nq_bytes_of(value, bytes));
    return NQ_OK;
}

static nq_status change_trees(nq_ctx *ctx, workload *w, nq_txn *txn, reference *state) {
    char room[24];
    uint64_t dice = nq_rng_below(&w->rng, 16);
    if (dice < 2 && w->tree_count < WORKLOAD_TREES_MAX) {
        nq_tree_id tree;
        NQ_TRY(nq_txn_tree_create(ctx, txn, &tree));
        w->trees[w->tree_count++] = tree.value;
        nq_bytes key = tree_entry(room, tree.value);
        NQ_TRY(nq_txn_put(ctx, txn, NQ_TREE_CATALOG, key, key));
        reference_put(state, NQ_TREE_CATALOG.value, key, key);
    } else if (dice == 2 && w->tree_count != 0) {
        uint32_t tree = random_tree(w, state);
        if (tree == NQ_TREE_CATALOG.value) {
            return NQ_OK;
        }
        nq_bytes key = tree_entry(room, tree);
        NQ_TRY(nq_txn_tree_drop(ctx, txn, (nq_tree_id){tree}));
        NQ_TRY(nq_txn_remove(ctx, txn, NQ_TREE_CATALOG, key, NULL));
        reference_remove(state, NQ_TREE_CATALOG.value, key);
        reference_remove_tree(state, tree);
    }
    return NQ_OK;
}

/* ---- Bulk loads ---- */

static nq_status load_rows(nq_ctx *ctx, workload *w, nq_bulk *bulk, uint32_t tree,
                           reference *state) {
    enum { ROWS_MAX = 120, STEP_MAX = 9 };
    static _Thread_local uint8_t value[VALUE_BYTES_MAX]; /* a recovery may run in the midst of it */
    uint32_t number = 0;
    for (uint64_t rows = nq_rng_below(&w->rng, ROWS_MAX); rows > 0; rows--) {
        char room[24];
        number += 1 + (uint32_t)nq_rng_below(&w->rng, STEP_MAX);
        nq_bytes key = nq_bytes_of(room, (size_t)snprintf(room, sizeof room, "%06u", number));
        nq_bytes bytes = nq_bytes_of(value, random_size(&w->rng));
        fill(&w->rng, value, bytes.size);
        NQ_TRY(nq_bulk_add(ctx, bulk, key, bytes));
        reference_put(state, tree, key, bytes);
    }
    return nq_bulk_finish(ctx, bulk);
}

/* A tree that has stood empty since an earlier commit, or a new one. */
static nq_status pick_empty_tree(nq_ctx *ctx, workload *w, nq_txn *txn, reference *state,
                                 uint32_t *out_tree) {
    const reference *before = &w->states[w->state_count - 1];
    *out_tree = random_tree(w, before);
    size_t first = reference_seek(before, *out_tree, (nq_bytes){0});
    size_t end = reference_seek(before, *out_tree + 1, (nq_bytes){0});
    bool was_empty = *out_tree != NQ_TREE_CATALOG.value && first == end;
    if (was_empty && tree_exists(state, *out_tree)) {
        return NQ_OK;
    }
    char room[24];
    nq_tree_id created;
    NQ_TRY(nq_txn_tree_create(ctx, txn, &created));
    *out_tree = created.value;
    w->trees[w->tree_count++] = created.value;
    nq_bytes key = tree_entry(room, created.value);
    NQ_TRY(nq_txn_put(ctx, txn, NQ_TREE_CATALOG, key, key));
    reference_put(state, NQ_TREE_CATALOG.value, key, key);
    return NQ_OK;
}

/* *out_has_loaded: the commit will write a checkpoint. */
static nq_status load(nq_ctx *ctx, workload *w, nq_txn *txn, reference *state,
                      bool *out_has_loaded) {
    *out_has_loaded = false;
    if (w->tree_count == WORKLOAD_TREES_MAX) {
        return NQ_OK;
    }
    uint32_t tree;
    nq_bulk *bulk;
    NQ_TRY(pick_empty_tree(ctx, w, txn, state, &tree));
    nq_status status = nq_bulk_begin(ctx, txn, (nq_tree_id){tree}, &bulk);
    if (status == NQ_INVALID_ARGUMENT) {
        return NQ_OK; /* this transaction has written to it */
    }
    NQ_TRY(status);
    size_t rows_before = state->count;
    status = load_rows(ctx, w, bulk, tree, state);
    *out_has_loaded = state->count != rows_before;
    return status;
}

/* Writes that a savepoint takes back. */
static nq_status write_and_regret(nq_ctx *ctx, workload *w, nq_txn *txn, reference *state) {
    nq_savepoint savepoint;
    reference before;
    reference_copy(state, &before);
    nq_status status = nq_txn_savepoint(ctx, txn, &savepoint);
    for (uint64_t i = nq_rng_below(&w->rng, 4); i > 0 && status == NQ_OK; i--) {
        status = write_once(ctx, w, txn, state);
    }
    if (status == NQ_OK && nq_rng_below(&w->rng, 4) == 0) {
        bool has_loaded;
        status = load(ctx, w, txn, state, &has_loaded);
    }
    if (status == NQ_OK) {
        status = nq_txn_rollback_to(ctx, txn, savepoint);
    }
    reference_deinit(state);
    *state = before;
    return status;
}

/* More than the log's buffer holds, so that the transaction is written as several groups, and much
 * more than it may keep in memory. In the midst of it is a checkpoint. */
static nq_status write_much(nq_ctx *ctx, nq_store *store, nq_txn *txn, reference *state) {
    static _Thread_local uint8_t value[VALUE_BYTES_MAX]; /* a recovery may run in the midst of it */
    enum { BIG_VALUES = 40 };
    for (uint64_t i = 0; i < BIG_VALUES; i++) {
        char room[24];
        nq_bytes key = number_bytes(room, 'b', i);
        memset(value, (int)(state->count + i), sizeof value);
        nq_bytes bytes = nq_bytes_of(value, sizeof value);
        if (i == BIG_VALUES / 2) {
            NQ_TRY(nq_store_checkpoint(ctx, store, NULL));
        }
        NQ_TRY(nq_txn_put(ctx, txn, NQ_TREE_CATALOG, key, bytes));
        reference_put(state, NQ_TREE_CATALOG.value, key, bytes);
    }
    return NQ_OK;
}

static nq_status write_all(nq_ctx *ctx, workload *w, nq_store *store, nq_txn *txn, reference *state,
                           bool *out_has_loaded) {
    NQ_TRY(change_trees(ctx, w, txn, state));
    for (uint64_t i = 1 + nq_rng_below(&w->rng, OPS_MAX); i > 0; i--) {
        NQ_TRY(write_once(ctx, w, txn, state));
    }
    if (nq_rng_below(&w->rng, 4) == 0) {
        NQ_TRY(write_and_regret(ctx, w, txn, state));
    }
    if (nq_rng_below(&w->rng, 120) == 0) {
        NQ_TRY(write_much(ctx, store, txn, state));
    }
    *out_has_loaded = false;
    if (w->state_count > FIRST_LOAD && nq_rng_below(&w->rng, 8) == 0) {
        NQ_TRY(load(ctx, w, txn, state, out_has_loaded));
    }
    char room[24];
    nq_bytes number = number_bytes(room, 'n', w->state_count);
    NQ_TRY(nq_txn_put(ctx, txn, NQ_TREE_CATALOG, NQ_BYTES_LITERAL("number"), number));
    reference_put(state, NQ_TREE_CATALOG.value, NQ_BYTES_LITERAL("number"), number);
    return NQ_OK;
}

static nq_durability random_durability(workload *w) {
    uint64_t dice = nq_rng_below(&w->rng, 10);
    if (dice < 6 || w->is_durable_only) {
        return NQ_DURABLE;
    }
    return dice < 8 ? NQ_PERIODIC : NQ_LAZY;
}

static nq_status run_transaction(nq_ctx *ctx, workload *w, nq_store *store) {
    nq_txn *txn;
    nq_txn_options options = {.isolation = (nq_isolation)nq_rng_below(&w->rng, 3)};
    NQ_TRY(nq_txn_begin(ctx, store, &options, &txn));
    reference state;
    reference_copy(&w->states[w->state_count - 1], &state);
    bool has_loaded;
    nq_status status = write_all(ctx, w, store, txn, &state, &has_loaded);
    if (status != NQ_OK || nq_rng_below(&w->rng, 10) == 0) {
        nq_txn_rollback(txn);
        reference_deinit(&state);
        return status;
    }
    char id_room[24];
    nq_bytes id = number_bytes(id_room, 'r', w->state_count);
    bool has_request = nq_rng_below(&w->rng, 5) == 0;
    nq_commit_options commit = {
        .durability = random_durability(w),
        .request_id = has_request ? id : (nq_bytes){0},
        .request_result = has_request ? id : (nq_bytes){0},
    };
    push_state(w, &state, has_request);
    status = nq_txn_commit(ctx, txn, &commit, NULL);
    if (status == NQ_OK) {
        w->committed = w->state_count - 1;
        if (commit.durability == NQ_DURABLE || has_loaded) {
            w->acknowledged = w->committed;
        }
        if (commit.durability == NQ_PERIODIC) {
            w->periodic_ns[w->committed] = nq_clock_monotonic_ns();
        }
    }
    return status;
}

/* Some time passes, then the store does its housekeeping: periodic commits an interval old are
 * durable now. */
static nq_status wait_and_keep(nq_ctx *ctx, workload *w, nq_store *store) {
    const int64_t interval_ns = INT64_C(1000000) * SYNC_INTERVAL_MS;
    nq_sim_clock_advance((int64_t)nq_rng_below(&w->rng, 2 * (uint64_t)interval_ns));
    int64_t now = nq_clock_monotonic_ns();
    int64_t next_ns;
    NQ_TRY(nq_store_keep(ctx, store, &next_ns));
    for (size_t i = w->acknowledged; i <= w->committed; i++) {
        if (w->periodic_ns[i] <= now - interval_ns) {
            w->acknowledged = i;
        }
    }
    return NQ_OK;
}

nq_status workload_run(nq_ctx *ctx, workload *w, nq_store *store, size_t commit_count) {
    size_t end = w->state_count + commit_count;
    nq_txn *reader = NULL;
    size_t reader_state = 0;
    nq_status status = NQ_OK;
    while (w->state_count < end && status == NQ_OK) {
        uint64_t dice = nq_rng_below(&w->rng, 100);
        if (dice < 8) {
            status = nq_store_checkpoint(ctx, store, NULL);
            w->acknowledged = status == NQ_OK ? w->committed : w->acknowledged;
        } else if (dice < 20 && dice >= 16) {
            status = wait_and_keep(ctx, w, store);
        } else if (dice < 12 && reader == NULL) {
            nq_txn_options options = {.isolation = NQ_REPEATABLE_READ, .read_only = true};
            reader_state = w->committed;
            status = nq_txn_begin(ctx, store, &options, &reader);
        } else if (dice < 16 && reader != NULL) {
            nq_status read_status;
            const char *difference =
                reference_compare(&w->states[reader_state], reader, &read_status);
            nq_txn_rollback(reader);
            reader = NULL;
            if (difference != NULL) {
                status = nq_fail(ctx, read_status == NQ_OK ? NQ_BUG : read_status,
                                 "a snapshot changed: %s", difference);
            }
        } else {
            status = run_transaction(ctx, w, store);
        }
    }
    if (reader != NULL) {
        nq_txn_rollback(reader);
    }
    return status;
}

/* ---- Checking ---- */

static char words[600];
nq_status workload_check_status;

static const char *check_trees(nq_ctx *ctx, nq_txn *txn, const workload *w,
                               const reference *state) {
    for (size_t i = 0; i < w->tree_count; i++) {
        nq_tree_stats stats;
        uint32_t tree = w->trees[i];
        nq_status status = nq_txn_tree_stats(ctx, txn, (nq_tree_id){tree}, &stats);
        size_t count = reference_seek(state, tree + 1, (nq_bytes){0}) -
                       reference_seek(state, tree, (nq_bytes){0});
        if (tree_exists(state, tree) ? status != NQ_OK || stats.entry_count != count
                                     : status != NQ_TABLE_NOT_FOUND) {
            workload_check_status = status;
            snprintf(words, sizeof words, "tree %u: status %s, %llu entries where %zu belong", tree,
                     nq_status_name(status), (unsigned long long)stats.entry_count, count);
            return words;
        }
    }
    return NULL;
}

static const char *check_requests(nq_ctx *ctx, nq_store *store, const workload *w, size_t state) {
    nq_arena arena;
    nq_arena_init(&arena, 1 << 20);
    const char *difference = NULL;
    for (size_t i = 1; i < w->state_count && difference == NULL; i++) {
        char room[24];
        nq_bytes id = number_bytes(room, 'r', i);
        nq_bytes result;
        nq_status status = nq_store_find_request(ctx, store, &arena, id, &result);
        bool is_expected = w->has_request[i] && i <= state;
        if (status != NQ_OK || (result.data != NULL) != is_expected ||
            (is_expected && !nq_bytes_equal(result, id))) {
            workload_check_status = status;
            snprintf(words, sizeof words, "request %zu is %s", i,
                     is_expected ? "forgotten" : "remembered");
            difference = words;
        }
    }
    nq_arena_deinit(&arena);
    return difference;
}

static const char *check_content(nq_store *store, nq_txn *txn, const workload *w,
                                 size_t *out_state) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_bytes number;
    workload_check_status =
        nq_txn_find(&ctx, txn, NQ_TREE_CATALOG, NQ_BYTES_LITERAL("number"), &number);
    if (workload_check_status != NQ_OK) {
        snprintf(words, sizeof words, "find: %s", ctx.error.message);
        return words;
    }
    size_t state = 0;
    for (size_t i = 1; i < number.size; i++) {
        state = state * 10 + (size_t)(number.data[i] - '0');
    }
    *out_state = state;
    if (state < w->acknowledged || state >= w->state_count) {
        snprintf(words, sizeof words, "commit %zu found; %zu was acknowledged, %zu begun", state,
                 w->acknowledged, w->state_count - 1);
        return words;
    }
    const char *difference = reference_compare(&w->states[state], txn, &workload_check_status);
    if (difference == NULL) {
        difference = check_trees(&ctx, txn, w, &w->states[state]);
    }
    return difference != NULL ? difference : check_requests(&ctx, store, w, state);
}

const char *workload_check(nq_store *store, const workload *w, size_t *out_state) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    *out_state = 0;
    nq_txn *txn;
    nq_txn_options options = {.isolation = NQ_REPEATABLE_READ, .read_only = true};
    if (nq_txn_begin(&ctx, store, &options, &txn) != NQ_OK) {
        return "begin failed";
    }
    const char *difference = check_content(store, txn, w, out_state);
    nq_txn_rollback(txn);
    if (difference == NULL) {
        workload_check_status = nq_store_verify(&ctx, store);
    }
    if (difference == NULL && workload_check_status != NQ_OK) {
        snprintf(words, sizeof words, "verify: %s", ctx.error.message);
        difference = words;
    }
    return difference;
}
