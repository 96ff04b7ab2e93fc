/* History's calls that may wait for locks: each made on its transaction's lane, and held against
 * the oracle when it ends. */
#include <stdio.h>

#include "engine/ground/os/sim_clock.h"
#include "tests/engine/storage/support/history_internal.h"

static void make_call(void *argument) {
    history_txn *t = argument;
    char key_room[HISTORY_KEY_BYTES_MAX];
    uint8_t value_room[HISTORY_VALUE_BYTES_MAX];
    nq_tree_id tree = {t->world->tree_ids[t->call.tree]};
    nq_bytes key = history__key(t->call.key, key_room);
    nq_bytes value = history__value(t->call.value, value_room);
    switch (t->call.kind) {
    case ORACLE_CALL_PUT:
        t->status = nq_txn_put(&t->ctx, t->txn, tree, key, value);
        break;
    case ORACLE_CALL_INSERT:
        t->status = nq_txn_insert(&t->ctx, t->txn, tree, key, value);
        break;
    case ORACLE_CALL_REMOVE:
        t->status = nq_txn_remove(&t->ctx, t->txn, tree, key, &t->was_present);
        break;
    case ORACLE_CALL_DROP:
        t->status = nq_txn_tree_drop(&t->ctx, t->txn, tree);
        break;
    case ORACLE_CALL_LOCK:
        t->status = nq_txn_tree_lock(&t->ctx, t->txn, tree, t->call.access);
        break;
    }
}

void history__count_end(history_world *w, nq_status status) {
    w->counts->conflicts += status == NQ_WRITE_CONFLICT ? 1 : 0;
    w->counts->deadlocks += status == NQ_DEADLOCK ? 1 : 0;
    w->counts->timeouts += status == NQ_LOCK_TIMEOUT ? 1 : 0;
}

static void check_end(history_world *w, uint32_t txn) {
    history_txn *t = &w->txns[txn];
    const oracle_txn *expected = &w->o.txns[txn];
    t->has_call = false;
    history__count_end(w, t->status);
    char what[32];
    snprintf(what, sizeof what, "call of txn %u", txn);
    if (history__expect(w, &t->ctx, t->status, expected->status, what) &&
        t->call.kind == ORACLE_CALL_REMOVE && t->was_present != expected->was_present) {
        history__fail(w, "txn %u: what it removes was %s", txn,
                      t->was_present ? "there" : "absent");
    }
}

void history__check_calls(history_world *w) {
    lanes_await_quiet(w->lanes, w->store);
    for (uint32_t txn = 0; txn < ORACLE_TXNS && nq_sim_vfs_is_on(w->disk); txn++) {
        bool waits = lanes_is_running(w->lanes, txn);
        if (waits != w->o.txns[txn].is_calling) {
            history__fail(w, "txn %u %s", txn, waits ? "waits" : "does not wait");
        } else if (!waits && w->txns[txn].has_call) {
            check_end(w, txn);
        }
    }
}

/* Two that wait for one tree, and then for one row of it, are woken at once: which of them gets the
 * row is anybody's guess. */
static bool is_guesswork(const history_world *w, const oracle_call *call) {
    for (uint32_t txn = 0; txn < ORACLE_TXNS; txn++) {
        const oracle_txn *t = &w->o.txns[txn];
        const oracle_tree_lock *lock = &t->tree_locks[call->tree];
        if (t->is_calling && t->call.tree == call->tree && t->call.key == call->key &&
            lock->held < lock->wanted) {
            return true;
        }
    }
    return false;
}

void history__call(history_world *w, const history_op *op, oracle_call_kind kind) {
    history_txn *t = &w->txns[op->txn];
    bool is_of_row = kind != ORACLE_CALL_DROP && kind != ORACLE_CALL_LOCK;
    oracle_call call = {.kind = kind, .tree = op->tree, .key = is_of_row ? op->key : 0};
    call.access = op->dice % 4 == 0 ? NQ_TREE_ALONE : NQ_TREE_SHARED;
    call.value = op->dice % 4 == 0 ? 1 + op->dice / 4 % HISTORY_VALUES_SHORT : ++w->value;
    if (is_guesswork(w, &call)) {
        return;
    }
    history__scan_close(t);
    nq_ctx_init(&t->ctx, NULL);
    t->call = call;
    t->has_call = true;
    oracle_call_begin(&w->o, op->txn, &call);
    lanes_start(w->lanes, op->txn, make_call, t);
    if (w->o.txns[op->txn].options.lock_wait_ns < 0) {
        lanes_await_end(w->lanes, op->txn); /* the store counts it as waiting for a moment */
    }
    history__check_calls(w);
    w->counts->waits += w->o.txns[op->txn].is_calling ? 1 : 0;
}

/* Of several the first to give up might make way for the second. */
void history__time_out(history_world *w) {
    uint32_t waiting_count = 0;
    uint32_t waiting = 0;
    for (uint32_t txn = 0; txn < ORACLE_TXNS; txn++) {
        waiting_count += w->o.txns[txn].is_calling ? 1 : 0;
        waiting = w->o.txns[txn].is_calling ? txn : waiting;
    }
    if (waiting_count != 1) {
        return;
    }
    oracle_call_time_out(&w->o, waiting);
    nq_sim_clock_advance(2 * HISTORY_LOCK_WAIT_NS);
    lanes_await_end(w->lanes, waiting);
    history__check_calls(w);
}
