/* History: a list of operations on one store — transactions interleaved in any way, checkpoints,
 * crashes — drawn from a seed, and made shorter when it fails.
 *
 * Every operation is meaningful after any others: what cannot be done at its turn is left out. So
 * any part of a history is a history. */
#ifndef NQ_TESTS_STORAGE_SUPPORT_HISTORY_H
#define NQ_TESTS_STORAGE_SUPPORT_HISTORY_H

#include <stddef.h>
#include <stdint.h>

typedef enum history_kind {
#define HISTORY_OP(name, word, weight) HISTORY_##name,
#include "tests/engine/storage/support/history_ops.def"
#undef HISTORY_OP
    HISTORY_KIND_COUNT
} history_kind;

typedef struct history_op {
    history_kind kind;
    uint32_t txn; /* below ORACLE_TXNS, as the others below what they name */
    uint32_t tree;
    uint32_t key;
    uint32_t high; /* another key */
    uint32_t dice; /* everything else is drawn from it */
} history_op;

typedef struct history {
    uint64_t seed; /* the disk's */
    history_op *ops;
    size_t count;
} history;

/* What has happened in histories that were run: they are worth nothing without. */
typedef struct history_counts {
    uint64_t operations; /* that were not left out */
    uint64_t commits;
    uint64_t waits;
    uint64_t conflicts;
    uint64_t deadlocks;
    uint64_t timeouts;
    uint64_t power_cuts;
    uint64_t openings;
} history_counts;

/* Aborts the program on lack of memory. */
void history_init(history *h, uint64_t seed, size_t count);
void history_deinit(history *h);

/* Runs it against a store and the oracle at once, and adds to the counts. NULL, or where they
 * differ (static storage). */
const char *history_run(const history *h, history_counts *counts);

/* Takes out whatever is not needed for it to fail; returns how it fails then. */
const char *history_shrink(history *h);

void history_print(const history *h);

#endif
