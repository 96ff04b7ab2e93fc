/* Exec: runs a plan, batch by batch.
 *
 * Operators pull: each call of nq_exec_next does the work of one batch and no more, then returns
 * with no lock, no latch and no thread held; the next call may come from another thread. One
 * snapshot serves the whole execution: a write never sees what it wrote itself.
 *
 * Memory: everything lives in the execution's own arena, bounded by memory_bytes_max; a sort or
 * hash table that outgrows it fails with NQ_MEMORY_LIMIT naming the operator. */
#ifndef NQ_QUERY_EXEC_EXEC_H
#define NQ_QUERY_EXEC_EXEC_H

#include "engine/data/catalog/data_txn.h"
#include "engine/query/eval/program.h"
#include "engine/query/plan/plan.h"

typedef struct nq_execution nq_execution;

typedef struct nq_exec_options {
    nq_data_txn *txn;           /* the statement has begun in it; must outlive the execution; may be
                                   NULL for a plan that touches no table */
    const nq_value *parameters; /* parameter_count of the plan, already of the types the binder
                                   settled; copied */
    int64_t now_us;             /* the statement's time: microseconds since 1970, UTC */
    uint64_t random_seed;       /* of random() */
    uint64_t memory_bytes_max;  /* 0: 256 MiB */
    bool may_load; /* a large INSERT may load an empty table in bulk, which it then cannot read
                      before the commit; NQ_WRITE_CONFLICT: run it again without */
    bool measure;  /* keep nq_exec_node_stats' actual_ns (costs two clock reads a call) */
} nq_exec_options;

typedef struct nq_exec_stats {
    uint64_t rows_returned;
    uint64_t rows_examined; /* read from tables */
    uint64_t rows_affected; /* inserted, updated, deleted */
    uint64_t memory_bytes_max;
} nq_exec_stats;

/* One node of the plan, in the plan's preorder (a node, then its inputs left to right). */
typedef struct nq_exec_node_stats {
    const nq_plan_node *node;
    int32_t parent;   /* index, -1: the root, or the root of a subquery */
    uint64_t rows;    /* handed on, all loops together */
    uint64_t loops;   /* times started */
    int64_t total_ns; /* with its inputs; only with `measure` */
} nq_exec_node_stats;

/* Opens: cheap for every plan; work starts at the first next. `plan` must outlive the execution. */
nq_status nq_exec_open(nq_ctx *ctx, const nq_plan *plan, const nq_exec_options *options,
                       nq_execution **out_execution);

/* At most `rows_max` rows (0: NQ_BATCH_ROWS_MAX); row_count 0 at the end, and from then on. Writes
 * without RETURNING do all their work in the first call. After a failure only close is allowed. */
nq_status nq_exec_next(nq_ctx *ctx, nq_execution *execution, uint32_t rows_max,
                       nq_batch *out_batch);

/* To the end, discarding rows: EXPLAIN ANALYZE, writes. */
nq_status nq_exec_run(nq_ctx *ctx, nq_execution *execution);

void nq_exec_get_stats(const nq_execution *execution, nq_exec_stats *out_stats);
uint32_t nq_exec_node_count(const nq_execution *execution);
void nq_exec_get_node_stats(const nq_execution *execution, uint32_t node,
                            nq_exec_node_stats *out_stats);

/* NULL is allowed. */
void nq_exec_close(nq_execution *execution);

#endif
