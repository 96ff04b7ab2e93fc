/* Write: what INSERT, UPDATE and DELETE share: checks, RETURNING, and the rows a statement changed.
 */
#ifndef NQ_QUERY_EXEC_WRITE_INTERNAL_H
#define NQ_QUERY_EXEC_WRITE_INTERNAL_H

#include "engine/data/table/table.h"
#include "engine/query/exec/exec_internal.h"

typedef struct nq_write {
    const nq_table *table;
    nq_table_writer *writer;
    const nq_plan_check *checks;
    uint32_t check_count;
    nq_program *check_program;
    nq_program *returning_program;
    nq_rows returned; /* results of RETURNING: handed out when everything is written */
    uint32_t next_returned;
    nq_vector *window;
    bool is_finished;
} nq_write;

nq_status nq__write_open(nq_ctx *ctx, nq_operator *op, nq_write *write, const nq_table *table,
                         const nq_plan_check *checks, uint32_t check_count,
                         const nq_plan_exprs *returning);
void nq__write_close(nq_write *write);

/* Fails with NQ_CHECK_VIOLATION for the first row for which a condition is false. */
nq_status nq__write_check(nq_ctx *ctx, nq_operator *op, nq_write *write, const nq_batch *rows);

/* Evaluates RETURNING over rows as stored, and keeps the results. */
nq_status nq__write_return(nq_ctx *ctx, nq_operator *op, nq_write *write, const nq_batch *rows);

/* Hands out what was kept; without RETURNING nothing. */
nq_status nq__write_next(nq_operator *op, nq_write *write, uint32_t rows_max, nq_batch *out_batch);

/* One row of a batch, as a batch. `vectors` has room for its columns. */
nq_batch nq__write_one_row(const nq_batch *batch, uint32_t row, nq_vector *vectors);

/* New rows made of old ones: assigned columns are computed, the others stay. */
typedef struct nq_assigner {
    const nq_plan_assignment *assignments;
    uint32_t count;
    nq_program *program;
    nq_vector *columns; /* the table's */
} nq_assigner;

nq_status nq__assigner_open(nq_ctx *ctx, nq_operator *op, nq_assigner *assigner,
                            const nq_table *table, const nq_plan_assignment *assignments,
                            uint32_t count);
/* `input` starts with the table's old rows. The new rows are valid until the next run. */
nq_status nq__assigner_run(nq_ctx *ctx, nq_operator *op, nq_assigner *assigner,
                           const nq_table *table, const nq_batch *input, nq_batch *out_rows);

#endif
