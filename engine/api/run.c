/* Writes and DDL, run to their end. A write that lost a race under READ COMMITTED is run again from
 * its savepoint on a new snapshot, as often as a bound and the deadline allow. */
#include "engine/api/api_internal.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/entropy.h"
#include "engine/ground/os/thread.h"

/* To the end, keeping what RETURNING returns. */
static nq_status drain(nq_ctx *ctx, nq_execution *execution, const nq__run *run,
                       nq__run_result *result) {
    nq_batch batch;
    do {
        NQ_TRY(nq_exec_next(ctx, execution, 0, &batch));
        if (batch.row_count > 0 && result->column_count > 0) {
            NQ_TRY(nq__rows_keep(ctx, run->arena, &result->rows, &batch));
        }
    } while (batch.row_count > 0);
    nq_exec_get_stats(execution, &result->stats);
    return NQ_OK;
}

static nq_status run_once(nq_ctx *ctx, const nq__run *run, nq_data_txn *txn, bool may_load,
                          nq__run_result *result) {
    nq_value *values;
    nq_execution *execution;
    nq__binding_release(result->binding);
    *result = (nq__run_result){0};
    NQ_TRY(nq__prepared_bind(ctx, run->prepared, txn, &result->binding));
    result->column_count = result->binding->column_count;
    result->columns = result->binding->columns;
    NQ_TRY(nq__parameters_cast(ctx, run->arena, result->binding, run->parameters,
                               run->parameter_count, &values));
    const nq_exec_options options = {
        .txn = txn,
        .parameters = values,
        .now_us = nq_clock_realtime_us(),
        .random_seed = nq_entropy_seed(),
        .memory_bytes_max = run->database->statement_bytes_max,
        .may_load = may_load,
    };
    NQ_TRY(nq_exec_open(ctx, result->binding->plan, &options, &execution));
    uint64_t written_before = nq_data_txn_written_bytes(txn);
    nq_status status = drain(ctx, execution, run, result);
    result->log_bytes = nq_data_txn_written_bytes(txn) - written_before;
    nq_exec_close(execution);
    return status;
}

static nq_status commit(nq_ctx *ctx, const nq__run *run, nq_data_txn *txn, uint64_t hash,
                        nq__run_result *result) {
    nq_commit_options options = {.durability = NQ_DURABLE, .request_id = run->request_id};
    nq_lsn lsn = {0};
    if (run->request_id.size > 0) {
        const nq__reply remembered = {
            .hash = hash,
            .rows_affected = result->stats.rows_affected,
            .column_count = result->column_count,
            .columns = result->columns,
            .rows = result->rows,
        };
        nq_status status = nq__reply_encode(ctx, run->arena, &remembered, &options.request_result);
        if (status != NQ_OK) {
            nq_data_txn_rollback(txn);
            return status;
        }
    }
    nq_status status = nq_data_txn_commit(ctx, txn, &options, &lsn);
    result->commit_lsn = lsn.value;
    return status;
}

/* A loser gives way a little longer each time, so that many who want the same do not starve one. */
static void give_way(uint32_t attempt) {
    enum { ATTEMPTS_AT_ONCE = 3, STEP_NS = 100000, NS_MAX = 5000000 };
    if (attempt >= ATTEMPTS_AT_ONCE) {
        int64_t ns = (int64_t)attempt * STEP_NS;
        nq_thread_sleep_ns(ns < NS_MAX ? ns : NS_MAX);
    }
}

static bool may_retry(nq_ctx *ctx, nq_database *database, uint32_t attempt) {
    if (attempt == NQ__STATEMENT_RETRY_COUNT_MAX) {
        return false;
    }
    nq_error lost = ctx->error;
    if (nq_ctx_poll(ctx) != NQ_OK) {
        return false;
    }
    ctx->error = lost;
    atomic_fetch_add_explicit(&database->statement_retry_count, 1, memory_order_relaxed);
    give_way(attempt);
    return true;
}

/* The status to answer after may_retry said no: the poll's, if it was the reason. */
static nq_status final_status(const nq_ctx *ctx, nq_status status) {
    return status != NQ_OK && ctx->error.code != NQ_OK ? ctx->error.code : status;
}

/* What a statement may do because of the transaction it runs in. */
typedef struct permits {
    bool rerun; /* a new snapshot, when it has lost a race */
    bool load;  /* in bulk, the first time: nothing in the transaction comes after it */
} permits;

/* Runs the statement in `txn`. A lost race rolls back to where it began and tries again on a new
 * snapshot: the locks it won stay, so that it cannot lose the same row twice. */
static nq_status run_attempts(nq_ctx *ctx, const nq__run *run, nq_data_txn *txn, permits may,
                              nq__run_result *result) {
    nq_arena_mark mark = nq_arena_get_mark(run->arena);
    nq_savepoint savepoint;
    NQ_TRY(nq_data_txn_savepoint(ctx, txn, &savepoint));
    for (uint32_t attempt = 0;; attempt++) {
        nq_status status = run_once(ctx, run, txn, may.load && attempt == 0, result);
        result->snapshot_lsn = nq_txn_snapshot(nq_data_txn_store_txn(txn)).value;
        if (status == NQ_OK) {
            nq_data_txn_release(txn, savepoint);
            return NQ_OK;
        }
        if (status != NQ_WRITE_CONFLICT || !may.rerun || !may_retry(ctx, run->database, attempt)) {
            return final_status(ctx, status);
        }
        nq_arena_reset_to(run->arena, mark);
        NQ_TRY(nq_data_txn_rollback_to(ctx, txn, savepoint));
        NQ_TRY(nq_data_txn_statement_begin(ctx, txn));
    }
}

/* A deadlock's victim gives up everything it holds and begins anew. */
static nq_status run_alone(nq_ctx *ctx, const nq__run *run, uint64_t hash, nq__run_result *result) {
    const nq_txn_options options = {.isolation = NQ_READ_COMMITTED};
    nq_arena_mark mark = nq_arena_get_mark(run->arena);
    for (uint32_t attempt = 0;; attempt++) {
        nq_data_txn *txn;
        nq_arena_reset_to(run->arena, mark);
        NQ_TRY(nq_data_txn_begin(ctx, run->database->catalog, &options, &txn));
        const permits may = {.rerun = true, .load = attempt == 0};
        nq_status status = run_attempts(ctx, run, txn, may, result);
        if (status == NQ_OK) {
            status = commit(ctx, run, txn, hash, result);
        } else {
            nq_data_txn_rollback(txn);
        }
        if (status != NQ_DEADLOCK || !may_retry(ctx, run->database, attempt)) {
            return final_status(ctx, status);
        }
    }
}

static nq_status run_inside(nq_ctx *ctx, const nq__run *run, nq_transaction *transaction,
                            nq__run_result *result) {
    if (transaction->is_read_only) {
        return nq_fail(ctx, NQ_READ_ONLY_TRANSACTION, "cannot write in a read-only transaction");
    }
    NQ_TRY(nq_data_txn_statement_begin(ctx, transaction->txn));
    const permits may = {.rerun = transaction->isolation == NQ_ISOLATION_READ_COMMITTED};
    return run_attempts(ctx, run, transaction->txn, may, result);
}

/* Answers what the same request answered before, if it did. */
static nq_status answer_again(nq_ctx *ctx, const nq__run *run, uint64_t hash, bool *out_is_found,
                              nq__run_result *result) {
    nq__reply first;
    NQ_TRY(nq__reply_find(ctx, run->database, run->arena, run->request_id, hash, out_is_found,
                          &first));
    if (!*out_is_found) {
        return NQ_OK;
    }
    const nq__binding *described = run->prepared->first;
    nq_column_info *columns = nq_arena_calloc(run->arena, first.column_count, sizeof *columns);
    if (columns == NULL) {
        return nq_fail_no_memory(ctx, "a reply");
    }
    for (uint32_t i = 0; i < first.column_count; i++) {
        columns[i] = first.columns[i];
        if (i < described->column_count) {
            columns[i].name = described->columns[i].name;
        }
    }
    result->rows = first.rows;
    result->column_count = first.column_count;
    result->columns = columns;
    result->stats.rows_affected = first.rows_affected;
    result->binding = run->prepared->first;
    nq__binding_acquire(result->binding);
    return nq__database_lsn(ctx, run->database, &result->commit_lsn);
}

nq_status nq__run_write(nq_ctx *ctx, const nq__run *run, nq_transaction *transaction,
                        nq__run_result *out_result) {
    *out_result = (nq__run_result){0};
    if (transaction != NULL) {
        return run_inside(ctx, run, transaction, out_result);
    }
    if (run->request_id.size == 0) {
        return run_alone(ctx, run, 0, out_result);
    }
    uint64_t hash = nq__reply_hash(0, run->prepared->first->statement->sql, run->parameters,
                                   run->parameter_count);
    nq__request request;
    bool is_found = false;
    NQ_TRY(nq__reply_begin(ctx, run->database, &request, run->request_id));
    nq_status status = answer_again(ctx, run, hash, &is_found, out_result);
    if (status == NQ_OK && !is_found) {
        status = run_alone(ctx, run, hash, out_result);
    }
    nq__reply_end(run->database, &request);
    return status;
}
