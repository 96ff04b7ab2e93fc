/* ExecuteBatch: statements in order, in one transaction. With continue_on_error each runs behind a
 * savepoint, so that a failure undoes it alone. */
#include <stdio.h>

#include "engine/ground/os/clock.h"
#include "server/service/query_service_internal.h"
#include "server/wire/query_response.h"
#include "server/wire/status_wire.h"

/* No SQL text can spell this name. */
#define BATCH_SAVEPOINT NQ_BYTES_LITERAL("\001batch")

typedef struct batch_execution {
    nq_service *service;
    nq_ctx ctx;
    nq_execute_batch_request request;
    nq_run run;
    nq_writer writer;
    nq_statement_stats stats; /* summed */
    uint32_t index;           /* the statement under way */
} batch_execution;

static nq_status run_to_end(batch_execution *ex, const nq_wire_statement *statement,
                            uint64_t *out_rows_affected) {
    nq_cursor *cursor = NULL;
    nq_statement_stats stats;
    nq_batch batch;
    nq_status status = NQ_OK;
    NQ_TRY(nq_cursor_open(&ex->ctx, ex->service->database, ex->run.transaction, ex->run.prepared,
                          statement->parameters, statement->parameter_count, (nq_bytes){0},
                          &cursor));
    do {
        status = nq_cursor_next(&ex->ctx, cursor, 0, &batch);
    } while (status == NQ_OK && batch.row_count > 0);
    nq_cursor_get_stats(cursor, &stats);
    nq_cursor_close(cursor);
    ex->stats.rows_examined += stats.rows_examined;
    ex->stats.rows_affected += stats.rows_affected;
    *out_rows_affected = stats.rows_affected;
    return status;
}

static nq_status run_one(batch_execution *ex, const nq_wire_statement *statement,
                         uint64_t *out_rows_affected) {
    *out_rows_affected = 0;
    NQ_TRY(nq_run_find(&ex->ctx, &ex->run, statement));
    nq_statement_kind kind = nq_prepared_kind(ex->run.prepared);
    if (kind == NQ_STATEMENT_BEGIN || kind == NQ_STATEMENT_COMMIT ||
        kind == NQ_STATEMENT_ROLLBACK) {
        return nq_fail(&ex->ctx, NQ_TRANSACTION_ACTIVE,
                       "a batch is one transaction; it cannot begin or end one");
    }
    return nq__is_control(kind) ? nq__run_control(&ex->ctx, &ex->run)
                                : run_to_end(ex, statement, out_rows_affected);
}

/* One statement of a batch that goes on after errors. Fails only when going on is impossible. */
static nq_status run_guarded(batch_execution *ex, const nq_wire_statement *statement) {
    uint64_t rows_affected = 0;
    nq_error failure;
    NQ_TRY(nq_transaction_savepoint(&ex->ctx, ex->run.transaction, BATCH_SAVEPOINT));
    nq_status status = run_one(ex, statement, &rows_affected);
    NQ_TRY(nq_ctx_poll(&ex->ctx));
    if (status == NQ_OK) {
        nq_batch_result_write(&ex->writer, rows_affected, NULL, ex->index);
    } else {
        nq_error_show_place(&ex->ctx.error, ex->run.sql);
        failure = ex->ctx.error;
        nq_batch_result_write(&ex->writer, 0, &failure, ex->index);
        NQ_TRY(nq_transaction_rollback_to(&ex->ctx, ex->run.transaction, BATCH_SAVEPOINT));
    }
    return nq_transaction_release(&ex->ctx, ex->run.transaction, BATCH_SAVEPOINT);
}

static nq_status run_statements(batch_execution *ex) {
    for (ex->index = 0; ex->index < ex->request.statement_count; ex->index++) {
        const nq_wire_statement *statement = &ex->request.statements[ex->index];
        uint64_t rows_affected = 0;
        if (ex->request.continue_on_error) {
            NQ_TRY(run_guarded(ex, statement));
            continue;
        }
        NQ_TRY(run_one(ex, statement, &rows_affected));
        nq_batch_result_write(&ex->writer, rows_affected, NULL, ex->index);
    }
    return nq_writer_check(&ex->ctx, &ex->writer);
}

static nq_status run_batch(batch_execution *ex) {
    nq_run_end end;
    nq_wire_selector selector = ex->request.selector;
    if (selector.kind == NQ_SELECTOR_NONE) {
        selector.kind = NQ_SELECTOR_SINGLE_USE;
    }
    NQ_TRY(nq_run_select(&ex->ctx, ex->service, &selector, &ex->run));
    nq_status status = run_statements(ex);
    status = nq_run_close(&ex->ctx, &ex->run, status, ex->request.request_id, &end);
    nq_execute_batch_response_end(
        &ex->writer, nq_bytes_of(end.transaction_id, end.is_open ? sizeof end.transaction_id : 0),
        end.commit_lsn);
    return status;
}

/* The failure with the statement's number in its text and its details. */
static void fail_at_statement(nq_call *call, batch_execution *ex) {
    nq_error *error = &ex->ctx.error;
    char text[NQ_ERROR_MESSAGE_BYTES + 32];
    (void)snprintf(text, sizeof text, "statement %u: %s", ex->index + 1, error->message);
    nq_bytes details = nq_status_details_encode_at(nq_call_arena(call), error, ex->index);
    nq_call_finish(call, nq_status_rpc_code(error->code), text, details);
}

void nq__query_execute_batch(nq_call *call, nq_bytes message) {
    batch_execution ex = {.service = nq_call_service(call)};
    nq_query_entry entry = {0};
    nq_payload *payload = NULL;
    nq_call_init_ctx(call, &ex.ctx, NULL);
    if (nq_execute_batch_request_decode(&ex.ctx, message, &ex.request) != NQ_OK) {
        nq_call_fail(call, &ex.ctx.error);
        return;
    }
    nq_run_init_ctx(call, ex.service, ex.request.options.timeout_ns, &ex.ctx);
    nq_query_registry_join(ex.service->queries, &entry, call, ex.request.statements[0].sql,
                           ex.request.options.tag, nq_clock_monotonic_ns());
    nq_writer_init(&ex.writer, 512, ex.service->config->limit_response_bytes);
    nq_status status = run_batch(&ex);
    if (status == NQ_OK) {
        status = nq_writer_finish(&ex.ctx, &ex.writer, &payload);
    }
    nq__note_query(ex.service, &entry, status, &ex.stats);
    if (status == NQ_OK) {
        nq_call_reply(call, payload);
    } else {
        fail_at_statement(call, &ex);
    }
    nq_writer_deinit(&ex.writer);
    nq_query_registry_leave(ex.service->queries, &entry);
}
