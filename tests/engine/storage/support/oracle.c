/* Oracle: see the header. Locks and the calls that wait for them: oracle_locks.c. */
#include "tests/engine/storage/support/oracle.h"

#include "tests/engine/storage/support/oracle_internal.h"

void oracle_begin(oracle *o, uint32_t txn, const nq_txn_options *options) {
    o->txns[txn] = (oracle_txn){.is_open = true, .options = *options, .snapshot = o->committed};
}

void oracle_statement_begin(oracle *o, uint32_t txn) {
    if (o->txns[txn].options.isolation == NQ_READ_COMMITTED) {
        o->txns[txn].snapshot = o->committed;
    }
}

/* ---- Reads ---- */

bool oracle_sees_tree(const oracle *o, uint32_t txn, uint32_t tree) {
    const oracle_txn *t = &o->txns[txn];
    oracle_change own = t->own.trees[tree];
    return own != ORACLE_UNCHANGED ? own == ORACLE_PUT : t->snapshot.exists[tree] != 0;
}

uint32_t oracle_sees(const oracle *o, uint32_t txn, uint32_t tree, uint32_t key) {
    const oracle_txn *t = &o->txns[txn];
    switch (t->own.rows[tree][key]) {
    case ORACLE_PUT:
        return t->own.values[tree][key];
    case ORACLE_REMOVED:
        return 0;
    case ORACLE_UNCHANGED:
        break;
    }
    return t->snapshot.values[tree][key];
}

static bool notes_reads(const oracle_txn *t) {
    return t->options.isolation == NQ_SERIALIZABLE && !t->options.read_only;
}

void oracle_note_find(oracle *o, uint32_t txn, uint32_t tree, uint32_t key) {
    oracle_txn *t = &o->txns[txn];
    if (notes_reads(t) && t->own.rows[tree][key] == ORACLE_UNCHANGED) {
        t->has_read[tree] = true;
        t->has_read_key[tree][key] = true;
    }
}

void oracle_note_scan(oracle *o, uint32_t txn, uint32_t tree, uint32_t low, uint32_t high) {
    oracle_txn *t = &o->txns[txn];
    if (!notes_reads(t)) {
        return;
    }
    t->has_read[tree] = true;
    for (uint32_t key = low; key < high; key++) {
        t->has_read_key[tree][key] = true;
    }
}

/* ---- Trees and savepoints ---- */

nq_status oracle_create_tree(oracle *o, uint32_t txn, uint32_t tree) {
    oracle_txn *t = &o->txns[txn];
    if (t->options.read_only) {
        return NQ_READ_ONLY_TRANSACTION;
    }
    t->own.trees[tree] = ORACLE_PUT;
    t->tree_locks[tree] = (oracle_tree_lock){NQ_TREE_ALONE, NQ_TREE_ALONE, ++o->arrivals};
    return NQ_OK;
}

void oracle_savepoint(oracle *o, uint32_t txn) {
    oracle_txn *t = &o->txns[txn];
    t->saved[t->saved_count++] = t->own;
}

void oracle_rollback_to(oracle *o, uint32_t txn, uint32_t savepoint) {
    oracle_txn *t = &o->txns[txn];
    t->own = t->saved[savepoint];
    t->saved_count = savepoint + 1;
}

void oracle_release(oracle *o, uint32_t txn, uint32_t savepoint) {
    o->txns[txn].saved_count = savepoint;
}

/* ---- Commit ---- */

/* A tree that has come and gone within the transaction is no change, nor are its rows. */
static bool is_moot(const oracle_txn *t, uint32_t tree) {
    return t->own.trees[tree] == ORACLE_REMOVED && t->snapshot.exists[tree] == 0;
}

static bool has_changes(const oracle_txn *t) {
    for (uint32_t tree = 0; tree < ORACLE_TREES; tree++) {
        if (is_moot(t, tree)) {
            continue;
        }
        if (t->own.trees[tree] != ORACLE_UNCHANGED) {
            return true;
        }
        for (uint32_t key = 0; key < ORACLE_KEYS; key++) {
            if (t->own.rows[tree][key] != ORACLE_UNCHANGED) {
                return true;
            }
        }
    }
    return false;
}

/* What a SERIALIZABLE transaction has read is what is committed now. */
static bool are_reads_valid(const oracle *o, const oracle_txn *t) {
    for (uint32_t tree = 0; tree < ORACLE_TREES; tree++) {
        if (t->has_read[tree] && t->snapshot.exists[tree] != o->committed.exists[tree]) {
            return false;
        }
        for (uint32_t key = 0; key < ORACLE_KEYS; key++) {
            if (t->has_read_key[tree][key] &&
                t->snapshot.values[tree][key] != o->committed.values[tree][key]) {
                return false;
            }
        }
    }
    return true;
}

static void apply_tree(const oracle_txn *t, uint32_t tree, oracle_state *state) {
    if (t->own.trees[tree] == ORACLE_REMOVED) {
        state->exists[tree] = 0;
        memset(state->values[tree], 0, sizeof state->values[tree]);
        return;
    }
    if (t->own.trees[tree] == ORACLE_PUT) {
        state->exists[tree] = 1;
    }
    for (uint32_t key = 0; key < ORACLE_KEYS && state->exists[tree] != 0; key++) {
        if (t->own.rows[tree][key] != ORACLE_UNCHANGED) {
            bool is_put = t->own.rows[tree][key] == ORACLE_PUT;
            state->values[tree][key] = is_put ? t->own.values[tree][key] : 0;
        }
    }
}

nq_status oracle_try_commit(const oracle *o, uint32_t txn, uint32_t request, uint32_t result,
                            oracle_state *out_state) {
    const oracle_txn *t = &o->txns[txn];
    *out_state = o->committed;
    if (!has_changes(t) && request == ORACLE_REQUESTS) {
        return NQ_OK;
    }
    if (request != ORACLE_REQUESTS && o->committed.requests[request] != 0) {
        return NQ_REQUEST_ID_REUSED;
    }
    if (!are_reads_valid(o, t)) {
        return NQ_WRITE_CONFLICT;
    }
    for (uint32_t tree = 0; tree < ORACLE_TREES; tree++) {
        apply_tree(t, tree, out_state);
    }
    if (request != ORACLE_REQUESTS) {
        out_state->requests[request] = result;
    }
    return NQ_OK;
}

void oracle_end(oracle *o, uint32_t txn, const oracle_state *committed) {
    o->committed = *committed;
    o->txns[txn] = (oracle_txn){0};
    oracle__settle(o);
}

void oracle_restart(oracle *o, const oracle_state *committed) {
    memset(o->txns, 0, sizeof o->txns);
    o->committed = *committed;
}
