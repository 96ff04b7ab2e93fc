/* History's run: each operation done to the store and asked of the oracle.
 *
 * One clock, which stands still: what waits for a lock waits until somebody lets go, or until time
 * is made to pass. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/ground/os/sim_clock.h"
#include "tests/engine/storage/support/history_internal.h"

static const int64_t clock_start_ns = INT64_C(1000000000);

/* ---- Calls that may wait ---- */

static void do_put(history_world *w, const history_op *op) {
    history__call(w, op, ORACLE_CALL_PUT);
}

static void do_insert(history_world *w, const history_op *op) {
    history__call(w, op, ORACLE_CALL_INSERT);
}

static void do_remove(history_world *w, const history_op *op) {
    history__call(w, op, ORACLE_CALL_REMOVE);
}

static void do_tree_drop(history_world *w, const history_op *op) {
    history__call(w, op, ORACLE_CALL_DROP);
}

static void do_tree_lock(history_world *w, const history_op *op) {
    history__call(w, op, ORACLE_CALL_LOCK);
}

static void do_time_out(history_world *w, const history_op *op) {
    (void)op;
    history__time_out(w);
}

/* ---- Transactions ---- */

static void do_begin(history_world *w, const history_op *op) {
    history_txn *t = &w->txns[op->txn];
    if (t->txn != NULL) {
        return;
    }
    nq_txn_options options = {.isolation = (nq_isolation)(op->dice % 3),
                              .read_only = op->dice / 4 % 4 == 0,
                              .lock_wait_ns = op->dice / 16 % 4 == 0 ? -1 : HISTORY_LOCK_WAIT_NS};
    nq_status status = nq_txn_begin(&w->ctx, w->store, &options, &t->txn);
    if (history__expect(w, &w->ctx, status, NQ_OK, "begin")) {
        oracle_begin(&w->o, op->txn, &options);
    }
}

static void do_statement(history_world *w, const history_op *op) {
    history_txn *t = &w->txns[op->txn];
    history__scan_close(t);
    nq_status status = nq_txn_statement_begin(&w->ctx, t->txn);
    if (history__expect(w, &w->ctx, status, NQ_OK, "statement")) {
        oracle_statement_begin(&w->o, op->txn);
    }
}

static void do_find(history_world *w, const history_op *op) {
    char room[HISTORY_KEY_BYTES_MAX];
    nq_bytes value;
    bool is_seen = oracle_sees_tree(&w->o, op->txn, op->tree);
    nq_status status =
        nq_txn_find(&w->ctx, w->txns[op->txn].txn, (nq_tree_id){w->tree_ids[op->tree]},
                    history__key(op->key, room), &value);
    if (!history__expect(w, &w->ctx, status, is_seen ? NQ_OK : NQ_TABLE_NOT_FOUND, "find")) {
        return;
    }
    oracle_note_find(&w->o, op->txn, op->tree, op->key);
    uint32_t expected = oracle_sees(&w->o, op->txn, op->tree, op->key);
    uint32_t found = value.data == NULL ? 0 : history__value_number(value);
    if (found != expected || (value.data == NULL) != (expected == 0)) {
        history__fail(w, "txn %u finds value %u of key %u instead of %u", op->txn, found, op->key,
                      expected);
    }
}

static void do_scan_step(history_world *w, const history_op *op) {
    history__scan_step(w, op, 1 + op->dice / 1024 % 8);
}

static void do_scan(history_world *w, const history_op *op) {
    history__scan_open(w, op);
    history__scan_step(w, op, UINT32_MAX);
}

static void do_savepoint(history_world *w, const history_op *op) {
    oracle_txn *expected = &w->o.txns[op->txn];
    if (expected->saved_count == ORACLE_SAVEPOINTS) {
        return;
    }
    history_txn *t = &w->txns[op->txn];
    nq_status status = nq_txn_savepoint(&w->ctx, t->txn, &t->marks[expected->saved_count]);
    if (history__expect(w, &w->ctx, status, NQ_OK, "savepoint")) {
        oracle_savepoint(&w->o, op->txn);
    }
}

static void do_rollback_to(history_world *w, const history_op *op) {
    history_txn *t = &w->txns[op->txn];
    uint32_t count = w->o.txns[op->txn].saved_count;
    if (count == 0) {
        return;
    }
    history__scan_close(t);
    nq_status status = nq_txn_rollback_to(&w->ctx, t->txn, t->marks[op->dice % count]);
    if (history__expect(w, &w->ctx, status, NQ_OK, "roll back to savepoint")) {
        oracle_rollback_to(&w->o, op->txn, op->dice % count);
    }
}

static void do_release(history_world *w, const history_op *op) {
    uint32_t count = w->o.txns[op->txn].saved_count;
    if (count != 0) {
        nq_txn_release(w->txns[op->txn].txn, w->txns[op->txn].marks[op->dice % count]);
        oracle_release(&w->o, op->txn, op->dice % count);
    }
}

static void do_tree_create(history_world *w, const history_op *op) {
    uint32_t tree = 0;
    while (tree < ORACLE_TREES && w->tree_ids[tree] != 0) {
        tree++;
    }
    if (tree == ORACLE_TREES) {
        return;
    }
    nq_tree_id id;
    nq_status expected = w->o.txns[op->txn].options.read_only ? NQ_READ_ONLY_TRANSACTION : NQ_OK;
    nq_status status = nq_txn_tree_create(&w->ctx, w->txns[op->txn].txn, &id);
    if (history__expect(w, &w->ctx, status, expected, "create tree")) {
        w->tree_ids[tree] = id.value;
        oracle_create_tree(&w->o, op->txn, tree);
    }
}

static void do_commit(history_world *w, const history_op *op) {
    static const nq_durability durabilities[] = {NQ_DURABLE, NQ_DURABLE, NQ_PERIODIC, NQ_LAZY};
    history_txn *t = &w->txns[op->txn];
    uint32_t request = op->dice % 5 == 0 ? op->key % ORACLE_REQUESTS : ORACLE_REQUESTS;
    uint32_t result = ++w->value;
    nq_commit_options options = {.durability = durabilities[op->dice / 8 % 4]};
    if (request != ORACLE_REQUESTS) {
        options.request_id = nq_bytes_of(&request, sizeof request);
        options.request_result = nq_bytes_of(&result, sizeof result);
    }
    oracle_state after;
    nq_status expected = oracle_try_commit(&w->o, op->txn, request, result, &after);
    bool has_changed = expected == NQ_OK && memcmp(&after, &w->o.committed, sizeof after) != 0;
    history__scan_close(t);
    nq_status status = nq_txn_commit(&w->ctx, t->txn, &options, NULL);
    t->txn = NULL;
    if (has_changed) {
        history__push_state(w, &after);
    }
    history__count_end(w, status);
    w->counts->commits += status == NQ_OK ? 1 : 0;
    bool is_right = history__expect(w, &w->ctx, status, expected, "commit");
    if (status == NQ_OK && has_changed && options.durability == NQ_DURABLE) {
        history__is_durable(w);
    }
    oracle_end(&w->o, op->txn, is_right ? &after : &w->o.committed);
    history__check_calls(w);
}

static void do_rollback(history_world *w, const history_op *op) {
    history_txn *t = &w->txns[op->txn];
    history__scan_close(t);
    nq_txn_rollback(t->txn);
    t->txn = NULL;
    oracle_end(&w->o, op->txn, &w->o.committed);
    history__check_calls(w);
}

/* ---- The store ---- */

static void do_find_request(history_world *w, const history_op *op) {
    enum { ARENA_BYTES = 1 << 12 };
    nq_arena arena;
    nq_arena_init(&arena, ARENA_BYTES);
    uint32_t request = op->key % ORACLE_REQUESTS;
    uint32_t found = 0;
    nq_bytes result;
    nq_status status = nq_store_find_request(&w->ctx, w->store, &arena,
                                             nq_bytes_of(&request, sizeof request), &result);
    if (result.size == sizeof found) {
        memcpy(&found, result.data, sizeof found);
    }
    if (history__expect(w, &w->ctx, status, NQ_OK, "find request") &&
        found != w->o.committed.requests[request]) {
        history__fail(w, "request %u is answered %u instead of %u", request, found,
                      w->o.committed.requests[request]);
    }
    nq_arena_deinit(&arena);
}

static void do_checkpoint(history_world *w, const history_op *op) {
    (void)op;
    nq_status status = nq_store_checkpoint(&w->ctx, w->store, NULL);
    if (history__expect(w, &w->ctx, status, NQ_OK, "checkpoint")) {
        history__is_durable(w);
    }
}

static void do_keep(history_world *w, const history_op *op) {
    (void)op;
    int64_t next_ns;
    history__expect(w, &w->ctx, nq_store_keep(&w->ctx, w->store, &next_ns), NQ_OK, "keep house");
}

static void do_cut_soon(history_world *w, const history_op *op) {
    enum { WITHIN = 60 };
    nq_sim_vfs_fault_at(w->disk, NQ_SIM_POWER_CUT, 1 + op->dice % WITHIN);
}

static void do_crash(history_world *w, const history_op *op) {
    history__after_power_cut(w, op->dice);
}

static void do_process_end(history_world *w, const history_op *op) {
    history__process_end(w, op->dice);
}

static void do_reopen(history_world *w, const history_op *op) {
    history__reopen(w, op->dice);
}

static void do_verify(history_world *w, const history_op *op) {
    (void)op;
    history__verify(w);
}

/* ---- The whole ---- */

typedef enum needs { NOTHING, A_TXN, A_TREE } needs;

static const struct {
    void (*run)(history_world *w, const history_op *op);
    needs needs;
} runs[HISTORY_KIND_COUNT] = {
    [HISTORY_BEGIN] = {do_begin, NOTHING},
    [HISTORY_STATEMENT] = {do_statement, A_TXN},
    [HISTORY_FIND] = {do_find, A_TREE},
    [HISTORY_PUT] = {do_put, A_TREE},
    [HISTORY_INSERT] = {do_insert, A_TREE},
    [HISTORY_REMOVE] = {do_remove, A_TREE},
    [HISTORY_SCAN] = {do_scan, A_TREE},
    [HISTORY_SCAN_OPEN] = {history__scan_open, A_TREE},
    [HISTORY_SCAN_STEP] = {do_scan_step, A_TXN},
    [HISTORY_SAVEPOINT] = {do_savepoint, A_TXN},
    [HISTORY_ROLLBACK_TO] = {do_rollback_to, A_TXN},
    [HISTORY_RELEASE] = {do_release, A_TXN},
    [HISTORY_TREE_CREATE] = {do_tree_create, A_TXN},
    [HISTORY_TREE_DROP] = {do_tree_drop, A_TREE},
    [HISTORY_TREE_LOCK] = {do_tree_lock, A_TREE},
    [HISTORY_COMMIT] = {do_commit, A_TXN},
    [HISTORY_ROLLBACK] = {do_rollback, A_TXN},
    [HISTORY_FIND_REQUEST] = {do_find_request, NOTHING},
    [HISTORY_TIME_OUT] = {do_time_out, NOTHING},
    [HISTORY_CHECKPOINT] = {do_checkpoint, NOTHING},
    [HISTORY_KEEP] = {do_keep, NOTHING},
    [HISTORY_CUT_SOON] = {do_cut_soon, NOTHING},
    [HISTORY_CRASH] = {do_crash, NOTHING},
    [HISTORY_PROCESS_END] = {do_process_end, NOTHING},
    [HISTORY_REOPEN] = {do_reopen, NOTHING},
    [HISTORY_VERIFY] = {do_verify, NOTHING},
};

static bool can_run(const history_world *w, const history_op *op) {
    bool has_txn = w->txns[op->txn].txn != NULL && !w->o.txns[op->txn].is_calling;
    switch (runs[op->kind].needs) {
    case NOTHING:
        return true;
    case A_TXN:
        return has_txn;
    case A_TREE:
        return has_txn && w->tree_ids[op->tree] != 0;
    }
    return false;
}

static void run_op(history_world *w, const history_op *op) {
    if (can_run(w, op)) {
        w->counts->operations++;
        runs[op->kind].run(w, op);
    }
    if (w->failure[0] == 0 && !nq_sim_vfs_is_on(w->disk)) {
        history__after_power_cut(w, op->dice);
    }
}

static void run_ops(history_world *w, const history *h) {
    for (size_t i = 0; i < h->count && w->failure[0] == 0; i++) {
        run_op(w, &h->ops[i]);
        if (w->failure[0] != 0) {
            size_t bytes = strlen(w->failure);
            snprintf(w->failure + bytes, sizeof w->failure - bytes, " (operation %zu)", i);
        }
    }
}

static void open_world(history_world *w, const history *h) {
    nq_ctx_init(&w->ctx, NULL);
    nq_sim_options sim = {.seed = h->seed, .writeback_ppm = 100000};
    history__push_state(w, &(oracle_state){.exists = {1}});
    w->value = HISTORY_VALUES_SHORT;
    w->tree_ids[0] = NQ_TREE_CATALOG.value;
    w->lanes = lanes_create(ORACLE_TXNS);
    for (uint32_t txn = 0; txn < ORACLE_TXNS; txn++) {
        w->txns[txn].world = w;
    }
    if (nq_sim_vfs_create(&w->ctx, &sim, &w->disk) != NQ_OK) {
        abort();
    }
    history__open(w, 1);
}

static void close_world(history_world *w) {
    history__end_all(w);
    if (w->store != NULL) {
        nq_status status = nq_store_close(&w->ctx, w->store);
        history__expect(w, &w->ctx, status, NQ_OK, "close");
    }
    lanes_destroy(w->lanes);
    nq_sim_vfs_destroy(w->disk);
    free(w->states);
}

const char *history_run(const history *h, history_counts *counts) {
    static history_world w;
    w = (history_world){.counts = counts};
    nq_sim_clock_start(clock_start_ns, clock_start_ns);
    open_world(&w, h);
    run_ops(&w, h);
    close_world(&w);
    nq_sim_clock_stop();
    return w.failure[0] == 0 ? NULL : w.failure;
}
