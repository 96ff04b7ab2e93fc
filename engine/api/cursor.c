/* Cursors: a statement being read. A query is live: each next does the work of one batch on the
 * snapshot the cursor owns or borrows, and between two calls it holds memory and nothing else. A
 * write has run to its end before the cursor exists, and hands out the rows it kept. */
#include "engine/api/api_internal.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/entropy.h"

struct nq_cursor {
    nq_database *database;
    nq_transaction *transaction; /* entered until close; NULL: the cursor's own */
    nq_data_txn *own_txn;        /* of a query without a transaction */
    nq_execution *execution;     /* of a query */
    nq__run_result result;
    nq_arena arena;
    nq_status status; /* the first failure ends the cursor */
    bool is_live;
    int64_t execute_ns;
    uint64_t rows_returned;
};

/* A clock costs as much as a short statement's whole plan: it is read for those who ask. */
static int64_t timing_ns(const nq_ctx *ctx) {
    return ctx->wants_timing ? nq_clock_monotonic_ns() : 0;
}

static nq_status open_live(nq_ctx *ctx, nq_cursor *cursor, const nq__run *run) {
    nq_data_txn *txn;
    nq_value *values;
    nq__run_result *result = &cursor->result;
    if (cursor->transaction == NULL) {
        const nq_txn_options options = {.isolation = NQ_REPEATABLE_READ, .read_only = true};
        NQ_TRY(nq_data_txn_begin(ctx, cursor->database->catalog, &options, &cursor->own_txn));
        txn = cursor->own_txn;
    } else {
        txn = cursor->transaction->txn;
        NQ_TRY(nq_data_txn_statement_begin(ctx, txn));
    }
    cursor->is_live = true;
    result->snapshot_lsn = nq_txn_snapshot(nq_data_txn_store_txn(txn)).value;
    NQ_TRY(nq__prepared_bind(ctx, run->prepared, txn, &result->binding));
    result->column_count = result->binding->column_count;
    result->columns = result->binding->columns;
    NQ_TRY(nq__parameters_cast(ctx, &cursor->arena, result->binding, run->parameters,
                               run->parameter_count, &values));
    const nq_exec_options options = {
        .txn = txn,
        .parameters = values,
        .now_us = nq_clock_realtime_us(),
        .random_seed = nq_entropy_seed(),
        .memory_bytes_max = cursor->database->statement_bytes_max,
    };
    return nq_exec_open(ctx, result->binding->plan, &options, &cursor->execution);
}

static nq_status open_by_kind(nq_ctx *ctx, nq_cursor *cursor, const nq__run *run) {
    switch (nq_prepared_kind(run->prepared)) {
    case NQ_STATEMENT_QUERY:
        return open_live(ctx, cursor, run);
    case NQ_STATEMENT_WRITE:
    case NQ_STATEMENT_DDL:
        return nq__run_write(ctx, run, cursor->transaction, &cursor->result);
    case NQ_STATEMENT_EXPLAIN:
        return nq__explain_rows(ctx, run, cursor->transaction, &cursor->result);
    default:
        return nq_fail(ctx, NQ_INVALID_ARGUMENT,
                       "transaction control is carried out by whoever holds the transaction");
    }
}

/* Lets go of everything but the handle and its memory. */
static void finish(nq_cursor *cursor) {
    if (cursor->execution != NULL) {
        nq_exec_get_stats(cursor->execution, &cursor->result.stats);
        nq_exec_close(cursor->execution);
        cursor->execution = NULL;
    }
    if (cursor->own_txn != NULL) {
        nq_data_txn_rollback(cursor->own_txn);
        cursor->own_txn = NULL;
    }
    if (cursor->transaction != NULL) {
        nq__transaction_leave(cursor->transaction, cursor->status);
        cursor->transaction = NULL;
    }
}

static void destroy(nq_cursor *cursor) {
    finish(cursor);
    nq__binding_release(cursor->result.binding);
    nq_arena_deinit(&cursor->arena);
    atomic_fetch_sub_explicit(&cursor->database->open_cursor_count, 1, memory_order_relaxed);
    nq_heap_free(cursor);
}

static nq_status check_request_id(nq_ctx *ctx, const nq_transaction *transaction,
                                  nq_statement_kind kind, nq_bytes request_id) {
    bool is_write = kind == NQ_STATEMENT_WRITE || kind == NQ_STATEMENT_DDL;
    if (request_id.size > 0 && is_write && transaction != NULL) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT,
                       "inside a transaction the request_id belongs to the commit");
    }
    return NQ_OK;
}

nq_status nq_cursor_open(nq_ctx *ctx, nq_database *database, nq_transaction *transaction,
                         nq_prepared *prepared, const nq_parameter *parameters,
                         uint32_t parameter_count, nq_bytes request_id, nq_cursor **out_cursor) {
    *out_cursor = NULL;
    NQ_TRY(check_request_id(ctx, transaction, nq_prepared_kind(prepared), request_id));
    int64_t start_ns = timing_ns(ctx);
    nq_cursor *cursor = nq_heap_calloc(1, sizeof *cursor);
    if (cursor == NULL) {
        return nq_fail_no_memory(ctx, "a cursor");
    }
    cursor->database = database;
    nq_arena_init(&cursor->arena, database->statement_bytes_max);
    atomic_fetch_add_explicit(&database->open_cursor_count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&database->statement_count, 1, memory_order_relaxed);
    const nq__run run = {
        .database = database,
        .prepared = prepared,
        .parameters = parameters,
        .parameter_count = parameter_count,
        .request_id = request_id,
        .arena = &cursor->arena,
    };
    nq_status status = NQ_OK;
    if (transaction != NULL) {
        status = nq__transaction_enter(ctx, transaction);
        if (status == NQ_OK) {
            cursor->transaction = transaction;
            transaction->request_hash =
                nq__reply_hash(transaction->request_hash, prepared->first->statement->sql,
                               parameters, parameter_count);
        }
    }
    if (status == NQ_OK) {
        status = open_by_kind(ctx, cursor, &run);
    }
    cursor->status = status;
    if (status != NQ_OK) {
        atomic_fetch_add_explicit(&database->statement_failure_count, 1, memory_order_relaxed);
        destroy(cursor);
        return status;
    }
    atomic_fetch_add_explicit(&database->rows_affected, cursor->result.stats.rows_affected,
                              memory_order_relaxed);
    if (!cursor->is_live) {
        finish(cursor);
    }
    cursor->execute_ns = timing_ns(ctx) - start_ns;
    *out_cursor = cursor;
    return NQ_OK;
}

uint32_t nq_cursor_column_count(const nq_cursor *cursor) {
    return cursor->result.column_count;
}

const nq_column_info *nq_cursor_columns(const nq_cursor *cursor) {
    return cursor->result.columns;
}

/* A lookup by key returns a row or none: its end need not be looked for. */
static bool may_have_more(const nq_cursor *cursor) {
    return cursor->rows_returned < cursor->result.binding->rows_max;
}

nq_status nq_cursor_next(nq_ctx *ctx, nq_cursor *cursor, uint32_t rows_max, nq_batch *out_batch) {
    *out_batch = (nq_batch){0};
    if (rows_max == 0 || rows_max > NQ_BATCH_ROWS_MAX) {
        rows_max = NQ_BATCH_ROWS_MAX;
    }
    if (cursor->status != NQ_OK) {
        return nq_fail(ctx, cursor->status, "the statement has failed before");
    }
    if (!cursor->is_live) {
        cursor->status =
            nq__rows_next(ctx, &cursor->arena, &cursor->result.rows, rows_max, out_batch);
    } else if (cursor->execution != NULL && may_have_more(cursor)) {
        int64_t start_ns = timing_ns(ctx);
        cursor->status = nq_exec_next(ctx, cursor->execution, rows_max, out_batch);
        cursor->execute_ns += timing_ns(ctx) - start_ns;
    }
    if (cursor->status != NQ_OK) {
        *out_batch = (nq_batch){0};
        atomic_fetch_add_explicit(&cursor->database->statement_failure_count, 1,
                                  memory_order_relaxed);
        finish(cursor);
        return cursor->status;
    }
    cursor->rows_returned += out_batch->row_count;
    atomic_fetch_add_explicit(&cursor->database->rows_returned, out_batch->row_count,
                              memory_order_relaxed);
    return NQ_OK;
}

uint64_t nq_cursor_estimated_rows(const nq_cursor *cursor) {
    if (!cursor->is_live) {
        return cursor->result.rows.row_count;
    }
    double rows = cursor->result.binding->plan->root->estimated_rows;
    return rows >= 0 && rows < 1e18 ? (uint64_t)rows : UINT64_MAX;
}

uint64_t nq_cursor_snapshot(const nq_cursor *cursor) {
    return cursor->result.snapshot_lsn;
}

uint64_t nq_cursor_commit_lsn(const nq_cursor *cursor) {
    return cursor->result.commit_lsn;
}

void nq_cursor_get_stats(const nq_cursor *cursor, nq_statement_stats *out_stats) {
    nq_exec_stats stats = cursor->result.stats;
    if (cursor->execution != NULL) {
        nq_exec_get_stats(cursor->execution, &stats);
    }
    const nq__binding *binding = cursor->result.binding;
    *out_stats = (nq_statement_stats){
        .rows_returned = cursor->rows_returned,
        .rows_examined = stats.rows_examined,
        .rows_affected = stats.rows_affected,
        .parse_ns = binding != NULL ? binding->parse_ns : 0,
        .plan_ns = binding != NULL ? binding->plan_ns : 0,
        .execute_ns = cursor->execute_ns,
        .memory_bytes_max = stats.memory_bytes_max + cursor->arena.taken_bytes_max,
        .log_bytes = cursor->result.log_bytes,
    };
}

void nq_cursor_close(nq_cursor *cursor) {
    if (cursor != NULL) {
        destroy(cursor);
    }
}
