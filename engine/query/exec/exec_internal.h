/* What the operators share: their common head, pulling, and the table of what each can do.
 *
 * An operator's state is its own struct led by nq_operator, zeroed, from the execution's arena.
 * `open` prepares it once, right before the first `next`; `close` gives back what is not arena
 * memory and must bear a state that was never opened. */
#ifndef NQ_QUERY_EXEC_EXEC_INTERNAL_H
#define NQ_QUERY_EXEC_EXEC_INTERNAL_H

#include "engine/query/exec/exec.h"
#include "engine/query/exec/rows_internal.h"

typedef struct nq_operator nq_operator;

typedef struct nq_operator_ops {
    size_t state_bytes;
    nq_status (*open)(nq_ctx *ctx, nq_operator *op); /* NULL: nothing to do */
    /* At most rows_max rows; none only at the end, from then on always. */
    nq_status (*next)(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch);
    void (*close)(nq_operator *op); /* NULL: nothing to do */
} nq_operator_ops;

struct nq_operator {
    const nq_plan_node *plan;
    const nq_operator_ops *ops;
    nq_execution *execution;
    nq_operator **inputs;
    nq_arena bytes; /* text of the batch handed out last */
    int32_t parent;
    bool is_open;
    bool is_done;
    uint64_t rows;
    int64_t total_ns;
};

struct nq_execution {
    nq_arena arena;
    nq_arena *statement; /* = &arena: what operators allocate from */
    const nq_plan *plan;
    nq_operator *root;
    nq_operator **subquery_roots;
    nq_operator **operators; /* preorder */
    uint32_t operator_count;
    nq_eval_env env;
    nq_value *parameters; /* the statement's, then the subqueries' */
    nq_rng rng;
    nq_data_txn *txn;
    bool may_load;
    bool measure;
    bool has_subquery_values;
    bool is_done;
    nq_exec_stats stats;
};

extern const nq_operator_ops nq__op_scan, nq__op_values, nq__op_series, nq__op_filter,
    nq__op_project, nq__op_sort, nq__op_limit, nq__op_distinct, nq__op_aggregate,
    nq__op_nested_loop, nq__op_hash_join, nq__op_key_join, nq__op_set, nq__op_insert, nq__op_modify,
    nq__op_ddl;

/* The next batch of an input: polls the context, opens at the first call, counts and measures. */
nq_status nq__pull(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch);

/* Fails with NQ_MEMORY_LIMIT in the words a user can act on. */
nq_status nq__fail_memory(nq_ctx *ctx, const nq_operator *op);

/* A program over the operator's input. */
nq_status nq__compile(nq_ctx *ctx, nq_operator *op, const nq_expr *const *exprs, uint32_t count,
                      nq_program **out_program);

/* An INT64 constant of the plan: LIMIT, OFFSET, the bounds of a series. */
nq_status nq__evaluate_constant(nq_ctx *ctx, nq_operator *op, const nq_expr *expr,
                                nq_value *out_value);

/* How many rows a source makes in its next batch: few at first, so that LIMIT 1 and point queries
 * are quick, then all that fit. `ramp` is 0 at first. */
uint32_t nq__next_ramp(uint32_t *ramp, uint32_t rows_max);

/* The columns of a vector from `first` on. */
nq_vector nq__vector_slice(nq_vector vector, uint32_t first);

/* Reads an input to its end into `rows`. */
nq_status nq__collect(nq_ctx *ctx, nq_operator *op, nq_operator *input, nq_rows *rows);

/* Rows `rows[0 ..)` of a batch, as a batch of their own: a filter, with the buffers it gathers in.
 */
typedef struct nq_selector {
    nq_program *condition; /* NULL: everything passes */
    nq_gather gather;
    uint16_t rows[NQ_BATCH_ROWS_MAX];
} nq_selector;

nq_status nq__selector_init(nq_ctx *ctx, nq_operator *op, nq_selector *selector,
                            const nq_expr *condition, const nq_column_info *columns,
                            uint32_t column_count);
/* The rows of `batch` for which the condition is true; `batch` itself when all are. */
nq_status nq__selector_run(nq_ctx *ctx, nq_operator *op, nq_selector *selector,
                           const nq_batch *batch, nq_batch *out_batch);

#endif
