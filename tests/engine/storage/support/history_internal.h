/* What runs a history: the store, the oracle beside it, and what stands for what. */
#ifndef NQ_TESTS_STORAGE_SUPPORT_HISTORY_INTERNAL_H
#define NQ_TESTS_STORAGE_SUPPORT_HISTORY_INTERNAL_H

#include "engine/ground/os/sim_vfs.h"
#include "tests/engine/storage/support/history.h"
#include "tests/engine/storage/support/lanes.h"
#include "tests/engine/storage/support/oracle.h"

#define HISTORY_LOCK_WAIT_NS INT64_C(1000000000)

enum { HISTORY_KEY_BYTES_MAX = 48, HISTORY_VALUE_BYTES_MAX = 24000, HISTORY_VALUES_SHORT = 6 };

typedef struct history_world history_world;

/* A scan under way, and what it must still return: the view when it was opened. */
typedef struct history_scan {
    nq_scan *scan; /* NULL: none */
    bool is_reverse;
    uint32_t low; /* keys left: [low, high) */
    uint32_t high;
    uint32_t values[ORACLE_KEYS];
} history_scan;

typedef struct history_txn {
    nq_txn *txn; /* NULL: none is open */
    nq_savepoint marks[ORACLE_SAVEPOINTS];
    history_scan scan;
    history_world *world;
    nq_ctx ctx; /* the call's, which a lane makes */
    bool has_call;
    oracle_call call;
    nq_status status;
    bool was_present;
} history_txn;

struct history_world {
    oracle o;
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_store *store; /* NULL: it could not be opened */
    lanes *lanes;
    history_txn txns[ORACLE_TXNS];
    uint32_t tree_ids[ORACLE_TREES]; /* 0: not in use */
    uint32_t value;                  /* the newest number of a value */
    oracle_state *states;            /* what may be found after a power cut, oldest first: */
    size_t state_count;              /* the first is durable, the last was committed or begun */
    size_t state_capacity;
    history_counts *counts;
    char failure[500]; /* the first; empty: none */
};

/* ---- history_world.c ---- */

void history__fail(history_world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A status that is not the expected one is a failure, unless the power is off. */
bool history__expect(history_world *w, const nq_ctx *ctx, nq_status status, nq_status expected,
                     const char *what);

nq_bytes history__key(uint32_t key, char room[HISTORY_KEY_BYTES_MAX]);
nq_bytes history__value(uint32_t number, uint8_t room[HISTORY_VALUE_BYTES_MAX]);
/* 0: these are no key's, or no value's, bytes. A key's number is one more than the key. */
uint32_t history__key_number(nq_bytes key);
uint32_t history__value_number(nq_bytes value);

/* What is committed is another state now. */
void history__push_state(history_world *w, const oracle_state *state);
/* Nothing before the newest state can be found any more. */
void history__is_durable(history_world *w);

/* ---- history_scan.c ---- */

void history__scan_open(history_world *w, const history_op *op);
/* Compares the next `count` entries, or all that are left. */
void history__scan_step(history_world *w, const history_op *op, uint32_t count);
void history__scan_close(history_txn *t);

/* ---- history_calls.c ---- */

void history__call(history_world *w, const history_op *op, oracle_call_kind kind);
/* Whoever waits alone gives up. */
void history__time_out(history_world *w);
/* Those who the oracle says wait do, the others have ended, as it says. */
void history__check_calls(history_world *w);
void history__count_end(history_world *w, nq_status status);

/* ---- history_life.c: the store as a whole ---- */

/* Opens what the disk holds, which must be one of the states, and goes on from that. `dice` may cut
 * the power in the midst of it. */
void history__open(history_world *w, uint32_t dice);
/* Ends every transaction, also those that wait. */
void history__end_all(history_world *w);
void history__after_power_cut(history_world *w, uint32_t dice);
void history__process_end(history_world *w, uint32_t dice);
void history__reopen(history_world *w, uint32_t dice);
void history__verify(history_world *w);

#endif
