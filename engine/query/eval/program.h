/* Program: expressions compiled to a flat list of vector kernels over registers.
 *
 * A register holds one column of up to NQ_BATCH_ROWS_MAX values; an instruction fills one from
 * others, for the rows of the current selection. CASE, COALESCE, IN and the operands of AND and OR
 * that could raise an error narrow the selection first, so that a kernel never sees a row its guard
 * excludes.
 *
 * A program belongs to one execution and one thread at a time. */
#ifndef NQ_QUERY_EVAL_PROGRAM_H
#define NQ_QUERY_EVAL_PROGRAM_H

#include "engine/ground/base/rng.h"
#include "engine/query/eval/expr.h"

typedef struct nq_program nq_program;

/* What an expression may see beside its row; fixed for one execution. */
typedef struct nq_eval_env {
    const nq_value *parameters; /* of their expressions' types */
    uint32_t parameter_count;
    int64_t now_us; /* the statement's time: microseconds since 1970, UTC */
    nq_rng *rng;    /* of random(); NULL: random() fails */
} nq_eval_env;

/* Compiles `exprs`, evaluated together over one input. Everything lives in `arena`, also what
 * running needs; results' bytes live in a batch arena given to nq_program_run. `env` is borrowed.
 */
nq_status nq_program_create(nq_ctx *ctx, nq_arena *arena, const nq_eval_env *env,
                            const nq_expr *const *exprs, uint32_t expr_count,
                            nq_program **out_program);

/* Evaluates every expression for every row of `input`. Result columns are dense, in expression
 * order, valid until the next run and as long as input and `batch_arena` stand. */
nq_status nq_program_run(nq_ctx *ctx, nq_program *program, nq_arena *batch_arena,
                         const nq_batch *input, const nq_vector **out_columns);

/* For a program of one boolean expression: the rows for which it is true, ascending, into
 * `out_rows` (room for input->row_count). */
nq_status nq_program_select(nq_ctx *ctx, nq_program *program, nq_arena *batch_arena,
                            const nq_batch *input, uint16_t *out_rows, uint32_t *out_row_count);

/* One expression, one row, without compiling: keys of point lookups, LIMIT, DEFAULT, constant
 * folding. `row` supplies the columns and may be NULL when there are none; results borrow from
 * `row`, `env` and `arena`. */
nq_status nq_expr_evaluate(nq_ctx *ctx, nq_arena *arena, const nq_eval_env *env,
                           const nq_expr *expr, const nq_value *row, nq_value *out_value);

#endif
