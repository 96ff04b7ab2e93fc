/* Run: how a statement finds its transaction, and what its outcome does to it. */
#include "server/service/run.h"

#include "engine/ground/os/clock.h"
#include "server/wire/status_wire.h"

void nq_run_set_timeout(const nq_service *service, int64_t timeout_ns, int64_t now_ns,
                        nq_ctx *ctx) {
    int64_t most_ns = (int64_t)service->config->statement_timeout_us * 1000;
    if (timeout_ns == 0 || (most_ns > 0 && timeout_ns > most_ns)) {
        timeout_ns = most_ns;
    }
    if (timeout_ns > 0) {
        int64_t deadline_ns = now_ns + timeout_ns;
        ctx->deadline_ns = deadline_ns < ctx->deadline_ns ? deadline_ns : ctx->deadline_ns;
    }
}

void nq_run_init_ctx(nq_call *call, nq_service *service, int64_t timeout_ns, nq_ctx *out_ctx) {
    nq_call_init_ctx(call, out_ctx, NULL);
    nq_run_set_timeout(service, timeout_ns, nq_clock_monotonic_ns(), out_ctx);
}

/* What may still run in a failed transaction: what ends it, and the way back to a savepoint. */
static bool is_rollback(const nq_prepared *prepared) {
    nq_statement_kind kind = nq_prepared_kind(prepared);
    return kind == NQ_STATEMENT_ROLLBACK || kind == NQ_STATEMENT_ROLLBACK_TO ||
           kind == NQ_STATEMENT_COMMIT;
}

nq_status nq_run_select(nq_ctx *ctx, nq_service *service, const nq_wire_selector *selector,
                        nq_run *out_run) {
    *out_run = (nq_run){.service = service, .commit_after = selector->commit};
    switch (selector->kind) {
    case NQ_SELECTOR_NONE:
        return NQ_OK;
    case NQ_SELECTOR_ID:
        NQ_TRY(nq_transaction_registry_check_out(ctx, service->transactions,
                                                 selector->transaction_id, &out_run->open));
        break;
    case NQ_SELECTOR_SINGLE_USE:
        out_run->commit_after = true;
        /* fallthrough */
    case NQ_SELECTOR_BEGIN:
        NQ_TRY(nq_transaction_registry_begin(ctx, service->transactions, &selector->options.options,
                                             selector->options.idle_timeout_ns, &out_run->open));
        out_run->began_here = true;
        break;
    }
    out_run->transaction = nq_open_transaction_get(out_run->open);
    return NQ_OK;
}

nq_status nq_run_begin(nq_ctx *ctx, nq_run *run) {
    nq_wire_selector own = {.kind = NQ_SELECTOR_SINGLE_USE};
    nq_run begun;
    NQ_TRY(nq_run_select(ctx, run->service, &own, &begun));
    begun.prepared = run->prepared;
    begun.sql = run->sql;
    *run = begun;
    return NQ_OK;
}

nq_status nq_run_find(nq_ctx *ctx, nq_run *run, const nq_wire_statement *statement) {
    if (run->prepared != NULL) {
        nq_prepared_release(run->prepared);
        run->prepared = NULL;
    }
    if (statement->prepared_id.size > 0) {
        NQ_TRY(nq_prepared_registry_get(ctx, run->service->prepared, statement->prepared_id,
                                        &run->prepared, &run->sql));
    } else {
        run->sql = statement->sql;
        NQ_TRY(nq_prepare(ctx, run->service->database, run->transaction, statement->sql,
                          &run->prepared));
    }
    if (run->open == NULL || !nq_open_transaction_is_failed(run->open) ||
        is_rollback(run->prepared)) {
        return NQ_OK;
    }
    nq_status status =
        nq_fail(ctx, NQ_TRANSACTION_FAILED, "an earlier statement of the transaction failed");
    nq_error_set_hint(&ctx->error, "ROLLBACK, or ROLLBACK TO a savepoint.");
    return status;
}

nq_status nq_run_open(nq_ctx *ctx, nq_service *service, const nq_wire_statement *statement,
                      const nq_wire_selector *selector, nq_run *out_run) {
    nq_run_end end;
    NQ_TRY(nq_run_select(ctx, service, selector, out_run));
    nq_status status = nq_run_find(ctx, out_run, statement);
    return status == NQ_OK ? NQ_OK : nq_run_close(ctx, out_run, status, (nq_bytes){0}, &end);
}

nq_status nq_run_close(nq_ctx *ctx, nq_run *run, nq_status outcome, nq_bytes request_id,
                       nq_run_end *out_end) {
    *out_end = (nq_run_end){0};
    nq_transaction_registry *registry = run->service->transactions;
    if (outcome != NQ_OK) {
        nq_error_show_place(&ctx->error, run->sql);
    }
    if (run->prepared != NULL) {
        nq_prepared_release(run->prepared);
    }
    nq_open_transaction *open = run->open;
    bool commits = outcome == NQ_OK && run->commit_after;
    bool rolls_back = outcome == NQ_OK ? run->rollback_after : run->began_here;
    *run = (nq_run){.service = run->service};
    if (open == NULL) {
        return outcome;
    }
    if (rolls_back) {
        nq_transaction_registry_rollback(registry, open);
        return outcome;
    }
    if (commits) {
        return nq_transaction_registry_commit(ctx, registry, open, request_id,
                                              &out_end->commit_lsn);
    }
    if (outcome != NQ_OK) {
        nq_open_transaction_set_failed(open, true);
    }
    out_end->is_open = true;
    memcpy(out_end->transaction_id, nq_open_transaction_id(open).data,
           sizeof out_end->transaction_id);
    nq_transaction_registry_check_in(registry, open);
    return outcome;
}

void nq_run_fail(nq_call *call, nq_ctx *ctx, const nq_query_entry *entry) {
    if (entry != NULL && entry->id[0] != '\0') {
        (void)nq_call_add_trailer(call, "x-query-id", nq_bytes_of_cstr(entry->id));
    }
    nq_call_fail(call, &ctx->error);
}
