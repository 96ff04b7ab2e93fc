/* Statements about tables: done in one call, without rows. */
#include "engine/query/exec/exec_internal.h"

static nq_status create_table(nq_ctx *ctx, nq_operator *op) {
    const nq_plan_create_table *plan = &op->plan->create_table;
    nq_status status = nq_data_txn_create_table(ctx, op->execution->txn, plan->definition);
    return status == NQ_TABLE_EXISTS && plan->if_not_exists ? NQ_OK : status;
}

static nq_status change_table(nq_ctx *ctx, nq_operator *op, nq_bytes name) {
    const nq_plan_tables *plan = &op->plan->tables;
    nq_status status =
        op->plan->kind == NQ_PLAN_DROP_TABLE
            ? nq_data_txn_drop_table(ctx, op->execution->txn, name)
            : nq_data_txn_truncate_table(ctx, op->execution->txn, name, plan->restart_identity);
    return status == NQ_TABLE_NOT_FOUND && plan->if_exists ? NQ_OK : status;
}

static nq_status ddl_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    (void)rows_max;
    *out_batch = (nq_batch){0, 0, NULL};
    if (op->plan->kind == NQ_PLAN_CREATE_TABLE) {
        return create_table(ctx, op);
    }
    for (uint32_t i = 0; i < op->plan->tables.count; i++) {
        NQ_TRY(change_table(ctx, op, op->plan->tables.names[i]));
    }
    return NQ_OK;
}

const nq_operator_ops nq__op_ddl = {sizeof(nq_operator), NULL, ddl_next, NULL};
