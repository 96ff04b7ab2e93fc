/* Execute: one statement, one answer.
 *
 * Rows go from the cursor's batches straight into the response. The whole answer is built before
 * the transaction is settled, so that an answer too large to send leaves nothing behind. */
#include "engine/ground/os/clock.h"
#include "server/service/query_service_internal.h"
#include "server/wire/query_response.h"

enum {
    RESPONSE_INITIAL_BYTES = 512,
    SHORT_REQUEST_BYTES_MAX = 2048,
    /* Kept free for what follows the rows: once they fit and the write is committed, the rest must.
     */
    RESPONSE_TAIL_BYTES = 1024,
};

/* One Execute under way; lives in its call's state. */
typedef struct execution {
    nq_call *call;
    nq_service *service;
    nq_bytes message;
    int64_t started_ns;
    nq_ctx ctx;
    nq_execute_request request;
    nq_run run;
    bool is_run_open;
    nq_query_entry entry;
    nq_writer writer;
    nq_execute_outcome outcome;
    nq_statement_stats stats;
} execution;

bool nq__is_control(nq_statement_kind kind) {
    switch (kind) {
    case NQ_STATEMENT_BEGIN:
    case NQ_STATEMENT_COMMIT:
    case NQ_STATEMENT_ROLLBACK:
    case NQ_STATEMENT_SAVEPOINT:
    case NQ_STATEMENT_ROLLBACK_TO:
    case NQ_STATEMENT_RELEASE:
        return true;
    default:
        return false;
    }
}

static nq_status begin_open(nq_ctx *ctx, nq_run *run) {
    nq_wire_selector selector = {.kind = NQ_SELECTOR_BEGIN};
    nq_run begun;
    if (run->open != NULL) {
        return nq_fail(ctx, NQ_TRANSACTION_ACTIVE, "BEGIN inside a transaction");
    }
    selector.options.options = nq_prepared_transaction_options(run->prepared);
    NQ_TRY(nq_run_select(ctx, run->service, &selector, &begun));
    begun.prepared = run->prepared;
    begun.sql = run->sql;
    *run = begun;
    return NQ_OK;
}

nq_status nq__run_control(nq_ctx *ctx, nq_run *run) {
    nq_statement_kind kind = nq_prepared_kind(run->prepared);
    nq_bytes name = nq_prepared_savepoint_name(run->prepared);
    if (kind == NQ_STATEMENT_BEGIN) {
        return begin_open(ctx, run);
    }
    if (run->open == NULL) {
        nq_status status =
            nq_fail(ctx, NQ_TRANSACTION_NOT_FOUND, "the statement belongs into a transaction");
        nq_error_set_hint(&ctx->error, "Send BEGIN's transaction_id in `transaction`.");
        return status;
    }
    switch (kind) {
    case NQ_STATEMENT_COMMIT:
        run->commit_after = true;
        return NQ_OK;
    case NQ_STATEMENT_ROLLBACK:
        run->rollback_after = true;
        return NQ_OK;
    case NQ_STATEMENT_SAVEPOINT:
        return nq_transaction_savepoint(ctx, run->transaction, name);
    case NQ_STATEMENT_RELEASE:
        return nq_transaction_release(ctx, run->transaction, name);
    default:
        NQ_TRY(nq_transaction_rollback_to(ctx, run->transaction, name));
        nq_open_transaction_set_failed(run->open, false);
        return NQ_OK;
    }
}

/* The next batch within max_rows; row_count 0 at the end. Learns whether max_rows cut the result.
 */
static nq_status next_batch(execution *ex, nq_cursor *cursor, uint64_t *rows_left,
                            nq_batch *out_batch) {
    if (*rows_left == 0) {
        NQ_TRY(nq_cursor_next(&ex->ctx, cursor, 1, out_batch));
        ex->outcome.truncated = out_batch->row_count > 0;
        out_batch->row_count = 0;
        return NQ_OK;
    }
    uint32_t wanted = *rows_left < NQ_BATCH_ROWS_MAX ? (uint32_t)*rows_left : NQ_BATCH_ROWS_MAX;
    NQ_TRY(nq_cursor_next(&ex->ctx, cursor, wanted, out_batch));
    *rows_left -= out_batch->row_count;
    ex->entry.rows_returned += out_batch->row_count;
    return NQ_OK;
}

static nq_status put_rows(execution *ex, nq_cursor *cursor) {
    uint64_t rows_left = ex->request.options.rows_max;
    nq_batch batch;
    size_t opened = nq_writer_open(&ex->writer, NQ_EXECUTE_RESPONSE_ROWS);
    do {
        NQ_TRY(next_batch(ex, cursor, &rows_left, &batch));
        nq_rows_write(&ex->writer, &batch);
    } while (batch.row_count > 0 && ex->writer.status == NQ_OK);
    nq_writer_close(&ex->writer, opened);
    return NQ_OK;
}

static nq_status put_columns(execution *ex, nq_cursor *cursor) {
    uint64_t rows_left = ex->request.options.rows_max;
    nq_column_collector *collector = NULL;
    nq_batch batch;
    NQ_TRY(nq_column_collector_create(&ex->ctx, nq_cursor_columns(cursor),
                                      nq_cursor_column_count(cursor), ex->writer.bytes_max,
                                      &collector));
    while (true) {
        NQ_TRY(next_batch(ex, cursor, &rows_left, &batch));
        if (batch.row_count == 0) {
            break;
        }
        NQ_TRY(nq_column_collector_append(&ex->ctx, collector, &batch));
    }
    nq_column_collector_write(collector, &ex->writer, NQ_EXECUTE_RESPONSE_COLUMN_BATCH);
    return NQ_OK;
}

static nq_status drop_rows(execution *ex, nq_cursor *cursor) {
    uint64_t rows_left = ex->request.options.rows_max;
    nq_batch batch;
    do {
        NQ_TRY(next_batch(ex, cursor, &rows_left, &batch));
    } while (batch.row_count > 0);
    return NQ_OK;
}

static nq_status put_result(execution *ex, nq_cursor *cursor) {
    uint32_t column_count = nq_cursor_column_count(cursor);
    nq_execute_response_begin(&ex->writer, nq_bytes_of_cstr(ex->entry.id),
                              nq_cursor_columns(cursor), column_count);
    if (column_count == 0) {
        return NQ_OK;
    }
    switch (ex->request.options.format) {
    case NQ_ROW_FORMAT_COLUMNS:
        return put_columns(ex, cursor);
    case NQ_ROW_FORMAT_NONE:
        return drop_rows(ex, cursor);
    default:
        return put_rows(ex, cursor);
    }
}

static nq_status run_cursor(execution *ex) {
    nq_cursor *cursor = NULL;
    nq_run *run = &ex->run;
    bool is_write = nq_prepared_kind(run->prepared) == NQ_STATEMENT_WRITE;
    if (run->open == NULL && is_write && nq_prepared_column_count(run->prepared) > 0) {
        /* RETURNING may not fit the answer: the write must wait until it is known to. */
        NQ_TRY(nq_run_begin(&ex->ctx, run));
    }
    NQ_TRY(nq_cursor_open(&ex->ctx, ex->service->database, run->transaction, run->prepared,
                          ex->request.statement.parameters, ex->request.statement.parameter_count,
                          run->open == NULL ? ex->request.request_id : (nq_bytes){0}, &cursor));
    nq_status status = put_result(ex, cursor);
    uint64_t commit_lsn = nq_cursor_commit_lsn(cursor);
    nq_cursor_get_stats(cursor, &ex->stats);
    ex->outcome.lsn = commit_lsn > 0 ? commit_lsn : nq_cursor_snapshot(cursor);
    ex->outcome.rows_affected = ex->stats.rows_affected;
    nq_cursor_close(cursor);
    return status == NQ_OK ? nq_writer_check(&ex->ctx, &ex->writer) : status;
}

/* With the run open: the statement, its transaction's outcome, and the answer's end. */
static nq_status run_statement(execution *ex) {
    nq_run_end end;
    atomic_store_explicit(&ex->entry.state, "running", memory_order_relaxed);
    nq_writer_init(&ex->writer, RESPONSE_INITIAL_BYTES,
                   ex->service->config->limit_response_bytes - RESPONSE_TAIL_BYTES);
    nq_status status = NQ_OK;
    if (nq__is_control(nq_prepared_kind(ex->run.prepared))) {
        status = nq__run_control(&ex->ctx, &ex->run);
        nq_execute_response_begin(&ex->writer, nq_bytes_of_cstr(ex->entry.id), NULL, 0);
    } else {
        status = run_cursor(ex);
    }
    ex->is_run_open = false;
    status = nq_run_close(&ex->ctx, &ex->run, status, ex->request.request_id, &end);
    if (status == NQ_OK) {
        ex->outcome.stats = ex->request.options.wants_stats ? &ex->stats : NULL;
        ex->outcome.lsn = end.commit_lsn > 0 ? end.commit_lsn : ex->outcome.lsn;
        ex->outcome.transaction_id =
            nq_bytes_of(end.transaction_id, end.is_open ? sizeof end.transaction_id : 0);
        ex->writer.bytes_max += RESPONSE_TAIL_BYTES;
        nq_execute_response_end(&ex->writer, &ex->outcome);
    }
    return status;
}

static nq_status decode(execution *ex) {
    nq_call_init_ctx(ex->call, &ex->ctx, NULL);
    NQ_TRY(nq_execute_request_decode(&ex->ctx, ex->message, &ex->request));
    nq_run_set_timeout(ex->service, ex->request.options.timeout_ns, ex->started_ns, &ex->ctx);
    ex->ctx.wants_timing = ex->request.options.wants_stats;
    return NQ_OK;
}

static nq_status open_run(execution *ex) {
    NQ_TRY(nq_run_open(&ex->ctx, ex->service, &ex->request.statement, &ex->request.selector,
                       &ex->run));
    ex->is_run_open = true;
    nq_query_registry_join(ex->service->queries, &ex->entry, ex->call, ex->run.sql,
                           ex->request.options.tag, ex->started_ns);
    return NQ_OK;
}

/* Answers, or says why not. */
static void end_call(execution *ex, nq_status status) {
    nq_payload *payload = NULL;
    if (status == NQ_OK) {
        status = nq_writer_finish(&ex->ctx, &ex->writer, &payload);
    }
    nq__note_query(ex->service, &ex->entry, status, &ex->stats);
    if (status == NQ_OK) {
        nq_call_reply(ex->call, payload);
    } else {
        nq_run_fail(ex->call, &ex->ctx, &ex->entry);
    }
    nq_query_registry_leave(ex->service->queries, &ex->entry);
}

/* On a worker: what the queue thread left to do. */
static void run_open(nq_call *call) {
    execution *ex = nq_call_state(call);
    end_call(ex, run_statement(ex));
}

static void open_and_run(nq_call *call) {
    execution *ex = nq_call_state(call);
    nq_status status = open_run(ex);
    end_call(ex, status == NQ_OK ? run_statement(ex) : status);
}

static void decode_and_run(nq_call *call) {
    execution *ex = nq_call_state(call);
    nq_status status = decode(ex);
    status = status == NQ_OK ? open_run(ex) : status;
    end_call(ex, status == NQ_OK ? run_statement(ex) : status);
}

/* What ends a transaction does not wait for a worker: see nq__has_idle_worker. */
static bool may_run_here(const execution *ex) {
    return ex->run.open == NULL ? nq_prepared_is_short(ex->run.prepared)
                                : nq__is_control(nq_prepared_kind(ex->run.prepared));
}

/* On the queue thread. */
static void on_message(nq_call *call, nq_bytes message) {
    execution *ex = nq_call_state(call);
    ex->call = call;
    ex->service = nq_call_service(call);
    ex->message = message;
    ex->started_ns = nq_clock_monotonic_ns();
    if (message.size > SHORT_REQUEST_BYTES_MAX) {
        nq_call_run(call, decode_and_run);
        return;
    }
    nq_status status = decode(ex);
    if (status == NQ_OK && ex->request.selector.kind != NQ_SELECTOR_NONE &&
        nq__has_idle_worker(ex->service)) {
        nq_call_run(call, open_and_run);
        return;
    }
    status = status == NQ_OK ? open_run(ex) : status;
    if (status == NQ_OK && !may_run_here(ex)) {
        atomic_store_explicit(&ex->entry.state, "queued", memory_order_relaxed);
        nq_call_run(call, run_open);
        return;
    }
    if (status == NQ_OK && ex->run.open == NULL) {
        /* So short that to notice its deadline some milliseconds late is never to notice it. */
        ex->ctx.now_ns = nq_clock_coarse_ns;
    }
    end_call(ex, status == NQ_OK ? run_statement(ex) : status);
}

static void on_done(nq_call *call) {
    execution *ex = nq_call_state(call);
    nq_run_end end;
    if (ex->is_run_open) {
        /* The call ended before its worker came to it. */
        (void)!nq_run_close(&ex->ctx, &ex->run, NQ_CANCELLED_BY_CLIENT, (nq_bytes){0}, &end);
        nq_query_registry_leave(ex->service->queries, &ex->entry);
    }
    nq_writer_deinit(&ex->writer);
}

const nq_method_handler nq__query_execute_handler = {
    .state_bytes = sizeof(execution),
    .on_message = on_message,
    .on_done = on_done,
};
