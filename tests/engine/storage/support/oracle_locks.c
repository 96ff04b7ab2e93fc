/* Oracle: who gets a lock, who waits for whom, and what the calls do that take them. The rules are
 * those of engine/storage/store/lock_internal.h: first come, first served; who holds a tree and
 * wants more of it passes those who wait for it; whoever closes a circle of waiters gives way. */
#include "tests/engine/storage/support/oracle_internal.h"

/* ---- Who is in the way ---- */

static bool do_conflict(nq_tree_access one, nq_tree_access other) {
    return one != NQ_TREE_UNLOCKED && other != NQ_TREE_UNLOCKED &&
           (one == NQ_TREE_ALONE || other == NQ_TREE_ALONE);
}

static bool is_in_trees_way(const oracle_tree_lock *other, const oracle_tree_lock *lock) {
    if (do_conflict(other->held, lock->wanted)) {
        return true;
    }
    bool is_before = other->arrival < lock->arrival || other->held != NQ_TREE_UNLOCKED;
    return lock->held == NQ_TREE_UNLOCKED && is_before && do_conflict(other->wanted, lock->wanted);
}

static bool is_in_rows_way(const oracle_row_lock *other, const oracle_row_lock *lock) {
    return other->is_wanted && (other->is_held || other->arrival < lock->arrival);
}

static bool is_in_the_way(const oracle *o, uint32_t other, uint32_t txn) {
    if (other == txn) {
        return false;
    }
    const oracle_txn *t = &o->txns[txn];
    const oracle_txn *u = &o->txns[other];
    uint32_t tree = t->call.tree;
    if (t->tree_locks[tree].held < t->tree_locks[tree].wanted) {
        return is_in_trees_way(&u->tree_locks[tree], &t->tree_locks[tree]);
    }
    uint32_t key = t->call.key;
    return is_in_rows_way(&u->row_locks[tree][key], &t->row_locks[tree][key]);
}

static bool is_blocked(const oracle *o, uint32_t txn) {
    for (uint32_t other = 0; other < ORACLE_TXNS; other++) {
        if (is_in_the_way(o, other, txn)) {
            return true;
        }
    }
    return false;
}

/* Whether `from` waits, over any number of others, for `origin`. */
static bool does_wait_for(const oracle *o, uint32_t from, uint32_t origin,
                          bool visited[ORACLE_TXNS]) {
    visited[from] = true;
    for (uint32_t other = 0; other < ORACLE_TXNS; other++) {
        if (!is_in_the_way(o, other, from)) {
            continue;
        }
        if (other == origin || (o->txns[other].is_calling && !visited[other] &&
                                does_wait_for(o, other, origin, visited))) {
            return true;
        }
    }
    return false;
}

/* ---- Waiting ---- */

/* NQ_OK: granted, or not yet: *out_waits. */
static nq_status take_turn(const oracle *o, uint32_t txn, bool *out_waits) {
    bool visited[ORACLE_TXNS] = {false};
    *out_waits = false;
    if (!is_blocked(o, txn)) {
        return NQ_OK;
    }
    if (does_wait_for(o, txn, txn, visited)) {
        return NQ_DEADLOCK;
    }
    *out_waits = o->txns[txn].options.lock_wait_ns >= 0;
    return *out_waits ? NQ_OK : NQ_LOCK_TIMEOUT;
}

static void withdraw(oracle_txn *t) {
    oracle_tree_lock *tree = &t->tree_locks[t->call.tree];
    oracle_row_lock *row = &t->row_locks[t->call.tree][t->call.key];
    if (tree->held < tree->wanted) {
        tree->wanted = tree->held;
        return;
    }
    row->is_wanted = row->is_held;
}

static nq_status lock_tree(oracle *o, uint32_t txn, nq_tree_access access, bool *out_waits) {
    oracle_txn *t = &o->txns[txn];
    oracle_tree_lock *lock = &t->tree_locks[t->call.tree];
    *out_waits = false;
    if (lock->held >= access) {
        return NQ_OK;
    }
    if (lock->wanted == NQ_TREE_UNLOCKED) {
        lock->arrival = ++o->arrivals;
    }
    lock->wanted = access;
    NQ_TRY(take_turn(o, txn, out_waits));
    if (!*out_waits) {
        lock->held = access;
    }
    return NQ_OK;
}

static nq_status lock_row(oracle *o, uint32_t txn, bool *out_waits) {
    oracle_txn *t = &o->txns[txn];
    oracle_row_lock *lock = &t->row_locks[t->call.tree][t->call.key];
    *out_waits = false;
    if (lock->is_held) {
        return NQ_OK;
    }
    if (!lock->is_wanted) {
        lock->is_wanted = true;
        lock->arrival = ++o->arrivals;
    }
    NQ_TRY(take_turn(o, txn, out_waits));
    lock->is_held = !*out_waits;
    return NQ_OK;
}

/* ---- Calls ---- */

static nq_status check_tree_conflict(const oracle *o, const oracle_txn *t) {
    uint32_t tree = t->call.tree;
    bool is_gone = t->snapshot.exists[tree] != 0 && o->committed.exists[tree] == 0;
    return is_gone ? NQ_WRITE_CONFLICT : NQ_OK;
}

static nq_status check_row_conflict(const oracle *o, oracle_txn *t) {
    uint32_t tree = t->call.tree;
    uint32_t key = t->call.key;
    oracle_row_lock *lock = &t->row_locks[tree][key];
    if (!lock->is_checked && t->snapshot.values[tree][key] != o->committed.values[tree][key]) {
        return NQ_WRITE_CONFLICT;
    }
    lock->is_checked = true;
    return NQ_OK;
}

static nq_status change_row(oracle *o, uint32_t txn) {
    oracle_txn *t = &o->txns[txn];
    const oracle_call *call = &t->call;
    bool is_present = oracle_sees(o, txn, call->tree, call->key) != 0;
    t->was_present = is_present;
    if (call->kind == ORACLE_CALL_INSERT && is_present) {
        return NQ_UNIQUE_VIOLATION;
    }
    if (call->kind == ORACLE_CALL_REMOVE && !is_present) {
        return NQ_OK;
    }
    bool is_removal = call->kind == ORACLE_CALL_REMOVE;
    t->own.rows[call->tree][call->key] = is_removal ? ORACLE_REMOVED : ORACLE_PUT;
    t->own.values[call->tree][call->key] = is_removal ? 0 : call->value;
    return NQ_OK;
}

static nq_tree_access access_of(const oracle_call *call) {
    switch (call->kind) {
    case ORACLE_CALL_DROP:
        return NQ_TREE_ALONE;
    case ORACLE_CALL_LOCK:
        return call->access;
    default:
        return NQ_TREE_SHARED;
    }
}

/* Takes the call as far as it comes. */
static nq_status go_on(oracle *o, uint32_t txn, bool *out_waits) {
    oracle_txn *t = &o->txns[txn];
    NQ_TRY(lock_tree(o, txn, access_of(&t->call), out_waits));
    if (*out_waits) {
        return NQ_OK;
    }
    NQ_TRY(check_tree_conflict(o, t));
    if (t->call.kind == ORACLE_CALL_LOCK) {
        return NQ_OK;
    }
    if (t->call.kind == ORACLE_CALL_DROP) {
        t->own.trees[t->call.tree] = ORACLE_REMOVED;
        return NQ_OK;
    }
    NQ_TRY(lock_row(o, txn, out_waits));
    if (*out_waits) {
        return NQ_OK;
    }
    NQ_TRY(check_row_conflict(o, t));
    return change_row(o, txn);
}

static void end_call(oracle_txn *t, nq_status status) {
    if (status == NQ_DEADLOCK || status == NQ_LOCK_TIMEOUT) {
        withdraw(t);
    }
    t->is_calling = false;
    t->status = status;
}

void oracle__settle(oracle *o) {
    bool has_moved = true;
    while (has_moved) {
        has_moved = false;
        for (uint32_t txn = 0; txn < ORACLE_TXNS; txn++) {
            if (!o->txns[txn].is_calling || is_blocked(o, txn)) {
                continue;
            }
            bool waits;
            nq_status status = go_on(o, txn, &waits);
            if (!waits) {
                end_call(&o->txns[txn], status);
            }
            has_moved = true;
        }
    }
}

/* What is refused before anybody is asked for a lock. */
static nq_status check_call(const oracle *o, uint32_t txn, const oracle_call *call) {
    if (call->kind == ORACLE_CALL_DROP && call->tree == 0) {
        return NQ_INVALID_ARGUMENT;
    }
    if (o->txns[txn].options.read_only) {
        return NQ_READ_ONLY_TRANSACTION;
    }
    return oracle_sees_tree(o, txn, call->tree) ? NQ_OK : NQ_TABLE_NOT_FOUND;
}

void oracle_call_begin(oracle *o, uint32_t txn, const oracle_call *call) {
    oracle_txn *t = &o->txns[txn];
    t->call = *call;
    t->was_present = false;
    bool waits = false;
    nq_status status = check_call(o, txn, call);
    if (status == NQ_OK) {
        status = go_on(o, txn, &waits);
    }
    t->is_calling = waits;
    if (!waits) {
        end_call(t, status);
    }
    oracle__settle(o);
}

void oracle_call_time_out(oracle *o, uint32_t txn) {
    end_call(&o->txns[txn], NQ_LOCK_TIMEOUT);
    oracle__settle(o);
}
