/* Project: expressions over each row. A plain column passes through without a copy. */
#include "engine/query/exec/exec_internal.h"

typedef struct project_state {
    nq_operator base;
    nq_program *program;
} project_state;

static nq_status project_open(nq_ctx *ctx, nq_operator *op) {
    project_state *state = (project_state *)op;
    return nq__compile(ctx, op, op->plan->project.exprs.items, op->plan->project.exprs.count,
                       &state->program);
}

static nq_status project_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max,
                              nq_batch *out_batch) {
    project_state *state = (project_state *)op;
    nq_batch batch;
    const nq_vector *columns;
    nq_arena_reset(&op->bytes);
    NQ_TRY(nq__pull(ctx, op->inputs[0], rows_max, &batch));
    if (batch.row_count == 0) {
        return NQ_OK;
    }
    NQ_TRY(nq_program_run(ctx, state->program, &op->bytes, &batch, &columns));
    *out_batch = (nq_batch){batch.row_count, op->plan->column_count, columns};
    return NQ_OK;
}

const nq_operator_ops nq__op_project = {sizeof(project_state), project_open, project_next, NULL};
