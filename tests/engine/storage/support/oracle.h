/* Oracle: what any number of interleaved transactions may see and do, as the simplest thing that
 * can be right — arrays of numbers.
 *
 * Trees, keys, values and requests are small numbers; whoever asks knows what stands for them in a
 * store. The oracle says of every operation how it ends, and of every lock who gets it and when, so
 * that a store can be held against it step by step:
 *
 *     committed state ──begin, statement──▶ snapshot ┐
 *                                                    ├──▶ what the transaction sees
 *                     its own changes ──────────────┘
 *
 * Two values are equal exactly when their numbers are. Writes that outgrow a transaction's memory
 * are not in it: spilling locks whole trees, which the model test and the schedules see to. */
#ifndef NQ_TESTS_STORAGE_SUPPORT_ORACLE_H
#define NQ_TESTS_STORAGE_SUPPORT_ORACLE_H

#include "engine/storage/store/store.h"

enum {
    ORACLE_TREES = 10, /* tree 0 is the catalog: always there */
    ORACLE_KEYS = 40,
    ORACLE_TXNS = 6,
    ORACLE_REQUESTS = 8,
    ORACLE_SAVEPOINTS = 4,
};

/* What is committed. Number 0: absent. */
typedef struct oracle_state {
    uint32_t exists[ORACLE_TREES];
    uint32_t values[ORACLE_TREES][ORACLE_KEYS];
    uint32_t requests[ORACLE_REQUESTS]; /* their results */
} oracle_state;

typedef enum oracle_change { ORACLE_UNCHANGED, ORACLE_PUT, ORACLE_REMOVED } oracle_change;

typedef struct oracle_changes {
    oracle_change trees[ORACLE_TREES];
    oracle_change rows[ORACLE_TREES][ORACLE_KEYS];
    uint32_t values[ORACLE_TREES][ORACLE_KEYS];
} oracle_changes;

typedef struct oracle_tree_lock {
    nq_tree_access held;
    nq_tree_access wanted; /* more than `held` while it is waited for */
    uint32_t arrival;
} oracle_tree_lock;

typedef struct oracle_row_lock {
    bool is_held;
    bool is_wanted;  /* or held */
    bool is_checked; /* known to be unchanged since the snapshot */
    uint32_t arrival;
} oracle_row_lock;

typedef enum oracle_call_kind {
    ORACLE_CALL_PUT,
    ORACLE_CALL_INSERT,
    ORACLE_CALL_REMOVE,
    ORACLE_CALL_DROP,
    ORACLE_CALL_LOCK,
} oracle_call_kind;

/* A call that may have to wait for locks. */
typedef struct oracle_call {
    oracle_call_kind kind;
    uint32_t tree;
    uint32_t key;
    uint32_t value;
    nq_tree_access access; /* ORACLE_CALL_LOCK's */
} oracle_call;

typedef struct oracle_txn {
    bool is_open;
    nq_txn_options options;
    oracle_state snapshot;
    oracle_changes own;
    oracle_changes saved[ORACLE_SAVEPOINTS];
    uint32_t saved_count;
    oracle_tree_lock tree_locks[ORACLE_TREES];
    oracle_row_lock row_locks[ORACLE_TREES][ORACLE_KEYS];
    bool has_read[ORACLE_TREES];
    bool has_read_key[ORACLE_TREES][ORACLE_KEYS];
    bool is_calling; /* the call has not ended: it waits */
    oracle_call call;
    nq_status status; /* how the last call ended */
    bool was_present; /* ORACLE_CALL_REMOVE's */
} oracle_txn;

typedef struct oracle {
    oracle_state committed;
    oracle_txn txns[ORACLE_TXNS];
    uint32_t arrivals;
} oracle;

void oracle_begin(oracle *o, uint32_t txn, const nq_txn_options *options);
void oracle_statement_begin(oracle *o, uint32_t txn);

/* What the transaction sees; the note of having read it is oracle_note_*'s. */
bool oracle_sees_tree(const oracle *o, uint32_t txn, uint32_t tree);
uint32_t oracle_sees(const oracle *o, uint32_t txn, uint32_t tree, uint32_t key);
void oracle_note_find(oracle *o, uint32_t txn, uint32_t tree, uint32_t key);
void oracle_note_scan(oracle *o, uint32_t txn, uint32_t tree, uint32_t low, uint32_t high);

/* Begins a call and takes it, and all that wait, as far as they come: afterwards each transaction
 * is_calling still, or its `status` says how its call has ended. */
void oracle_call_begin(oracle *o, uint32_t txn, const oracle_call *call);
/* The wait of a transaction has lasted too long. */
void oracle_call_time_out(oracle *o, uint32_t txn);

/* The tree, which nobody has used yet, is the transaction's own. */
nq_status oracle_create_tree(oracle *o, uint32_t txn, uint32_t tree);

void oracle_savepoint(oracle *o, uint32_t txn);
void oracle_rollback_to(oracle *o, uint32_t txn, uint32_t savepoint);
void oracle_release(oracle *o, uint32_t txn, uint32_t savepoint);

/* How a commit would end; on NQ_OK *out_state is what is committed after it. `request` of
 * ORACLE_REQUESTS: none. */
nq_status oracle_try_commit(const oracle *o, uint32_t txn, uint32_t request, uint32_t result,
                            oracle_state *out_state);
/* The transaction has ended; whoever waited for it goes on. */
void oracle_end(oracle *o, uint32_t txn, const oracle_state *committed);

/* Everything that is open is gone. */
void oracle_restart(oracle *o, const oracle_state *committed);

#endif
