/* QueryService: its method table and the handlers short enough to stand here. */
#include "engine/ground/os/clock.h"
#include "engine/ground/os/worker_pool.h"
#include "server/observe/slow_query_log.h"
#include "server/service/query_service_internal.h"
#include "server/wire/query_response.h"
#include "server/wire/status_wire.h"

enum { SMALL_RESPONSE_BYTES = 128 };

void nq__reply(nq_call *call, nq_ctx *ctx, nq_writer *writer) {
    nq_payload *payload = NULL;
    if (nq_writer_finish(ctx, writer, &payload) == NQ_OK) {
        nq_call_reply(call, payload);
    } else {
        nq_call_fail(call, &ctx->error);
    }
}

void nq__note_query(const nq_service *service, const nq_query_entry *entry, nq_status outcome,
                    const nq_statement_stats *stats) {
    uint64_t threshold_us = service->config->log_slow_query_us;
    if (threshold_us == 0 || entry->number == 0) {
        return;
    }
    int64_t duration_ns = nq_clock_monotonic_ns() - entry->started_ns;
    if (duration_ns < (int64_t)threshold_us * 1000) {
        return;
    }
    nq_query_record record = {
        .query_id = entry->id,
        .sql = entry->sql,
        .tag = entry->tag,
        .outcome = outcome,
        .duration_ns = duration_ns,
        .rows_returned = entry->rows_returned,
        .rows_examined = stats == NULL ? 0 : stats->rows_examined,
        .rows_affected = stats == NULL ? 0 : stats->rows_affected,
    };
    nq_slow_query_log_write(threshold_us, &record);
}

static nq_status prepare(nq_ctx *ctx, nq_service *service, const nq_prepare_request *request,
                         nq_writer *writer) {
    nq_prepared *prepared = NULL;
    uint8_t id[NQ_PREPARED_ID_BYTES];
    nq_status status = nq_prepare(ctx, service->database, NULL, request->sql, &prepared);
    if (status != NQ_OK) {
        nq_error_show_place(&ctx->error, request->sql);
        return status;
    }
    int64_t ttl_ns =
        request->ttl_ns > 0 ? request->ttl_ns : (int64_t)service->config->prepared_ttl_us * 1000;
    status = nq_prepared_registry_add(ctx, service->prepared, prepared, request->sql, ttl_ns, id);
    if (status == NQ_OK) {
        nq_prepare_response_write(writer, nq_bytes_of(id, sizeof id), prepared,
                                  nq_clock_realtime_us() + ttl_ns / 1000);
    }
    nq_prepared_release(prepared);
    return status;
}

static void on_prepare(nq_call *call, nq_bytes message) {
    nq_service *service = nq_call_service(call);
    nq_ctx ctx;
    nq_writer writer;
    nq_prepare_request request;
    nq_run_init_ctx(call, service, 0, &ctx);
    nq_writer_init(&writer, SMALL_RESPONSE_BYTES, service->config->limit_response_bytes);
    if (nq_prepare_request_decode(&ctx, message, &request) == NQ_OK &&
        prepare(&ctx, service, &request, &writer) == NQ_OK) {
        nq__reply(call, &ctx, &writer);
        return;
    }
    nq_writer_deinit(&writer);
    nq_call_fail(call, &ctx.error);
}

static void on_close_prepared(nq_call *call, nq_bytes message) {
    nq_service *service = nq_call_service(call);
    nq_ctx ctx;
    nq_bytes id;
    nq_call_init_ctx(call, &ctx, NULL);
    if (nq_close_prepared_request_decode(&ctx, message, &id) == NQ_OK &&
        nq_prepared_registry_remove(&ctx, service->prepared, id) == NQ_OK) {
        nq_call_reply(call, nq_payload_copy((nq_bytes){0}));
    } else {
        nq_call_fail(call, &ctx.error);
    }
}

static void on_begin(nq_call *call, nq_bytes message) {
    nq_service *service = nq_call_service(call);
    nq_ctx ctx;
    nq_writer writer;
    nq_begin_request request;
    nq_open_transaction *open = NULL;
    nq_run_init_ctx(call, service, 0, &ctx);
    if (nq_begin_request_decode(&ctx, message, &request) != NQ_OK ||
        nq_transaction_registry_begin(&ctx, service->transactions, &request.options.options,
                                      request.options.idle_timeout_ns, &open) != NQ_OK) {
        nq_call_fail(call, &ctx.error);
        return;
    }
    nq_writer_init(&writer, SMALL_RESPONSE_BYTES, service->config->limit_response_bytes);
    nq_begin_response_write(&writer, nq_open_transaction_id(open),
                            nq_transaction_snapshot(nq_open_transaction_get(open)));
    nq_transaction_registry_check_in(service->transactions, open);
    nq__reply(call, &ctx, &writer);
}

/* CommitTransaction and RollbackTransaction: the request, kept until a worker comes to it. */
typedef struct settlement {
    nq_bytes message;
} settlement;

bool nq__has_idle_worker(const nq_service *service) {
    nq_worker_pool_stats stats;
    if (service->workers == NULL) {
        return true;
    }
    nq_worker_pool_get_stats(service->workers, &stats);
    return stats.busy_count + stats.waiting_count < stats.thread_count;
}

static void settle(nq_call *call, nq_bytes message, void (*run)(nq_call *call)) {
    settlement *state = nq_call_state(call);
    state->message = message;
    if (nq__has_idle_worker(nq_call_service(call))) {
        nq_call_run(call, run);
    } else {
        run(call);
    }
}

/* A commit whose answer was lost, perhaps with the server: its transaction is gone, but the request
 * id remembers it. */
static nq_status find_commit(nq_ctx *ctx, nq_service *service, nq_bytes request_id,
                             uint64_t *out_lsn) {
    const nq_error unknown_transaction = ctx->error;
    bool is_found = false;
    if (request_id.size > 0) {
        NQ_TRY(nq_transaction_find_commit(ctx, service->database, request_id, &is_found, out_lsn));
    }
    ctx->error = unknown_transaction;
    return is_found ? NQ_OK : NQ_TRANSACTION_NOT_FOUND;
}

static nq_status commit_once(nq_ctx *ctx, nq_service *service, const nq_commit_request *request,
                             uint64_t *out_lsn) {
    nq_open_transaction *open = NULL;
    nq_status status = nq_transaction_registry_check_out(ctx, service->transactions,
                                                         request->transaction_id, &open);
    if (status == NQ_TRANSACTION_NOT_FOUND) {
        return find_commit(ctx, service, request->request_id, out_lsn);
    }
    return status != NQ_OK ? status
                           : nq_transaction_registry_commit(ctx, service->transactions, open,
                                                            request->request_id, out_lsn);
}

static void commit(nq_call *call) {
    nq_service *service = nq_call_service(call);
    settlement *state = nq_call_state(call);
    nq_ctx ctx;
    nq_writer writer;
    nq_commit_request request;
    uint64_t lsn = 0;
    nq_run_init_ctx(call, service, 0, &ctx);
    if (nq_commit_request_decode(&ctx, state->message, &request) != NQ_OK ||
        commit_once(&ctx, service, &request, &lsn) != NQ_OK) {
        nq_call_fail(call, &ctx.error);
        return;
    }
    nq_writer_init(&writer, SMALL_RESPONSE_BYTES, service->config->limit_response_bytes);
    nq_commit_response_write(&writer, lsn, nq_clock_realtime_us());
    nq__reply(call, &ctx, &writer);
}

static void on_commit(nq_call *call, nq_bytes message) {
    settle(call, message, commit);
}

static nq_status roll_back(nq_ctx *ctx, nq_service *service, const nq_rollback_request *request) {
    nq_open_transaction *open = NULL;
    NQ_TRY(nq_transaction_registry_check_out(ctx, service->transactions, request->transaction_id,
                                             &open));
    if (request->to_savepoint.size == 0) {
        nq_transaction_registry_rollback(service->transactions, open);
        return NQ_OK;
    }
    nq_status status =
        nq_transaction_rollback_to(ctx, nq_open_transaction_get(open), request->to_savepoint);
    if (status == NQ_OK) {
        nq_open_transaction_set_failed(open, false);
    }
    nq_transaction_registry_check_in(service->transactions, open);
    return status;
}

static void rollback(nq_call *call) {
    nq_service *service = nq_call_service(call);
    settlement *state = nq_call_state(call);
    nq_ctx ctx;
    nq_rollback_request request;
    nq_run_init_ctx(call, service, 0, &ctx);
    if (nq_rollback_request_decode(&ctx, state->message, &request) == NQ_OK &&
        roll_back(&ctx, service, &request) == NQ_OK) {
        nq_call_reply(call, nq_payload_copy((nq_bytes){0}));
    } else {
        nq_call_fail(call, &ctx.error);
    }
}

static void on_rollback(nq_call *call, nq_bytes message) {
    settle(call, message, rollback);
}

static void on_cancel_query(nq_call *call, nq_bytes message) {
    nq_service *service = nq_call_service(call);
    nq_ctx ctx;
    nq_writer writer;
    nq_cancel_query_request request;
    nq_call_init_ctx(call, &ctx, NULL);
    if (nq_cancel_query_request_decode(&ctx, message, &request) != NQ_OK) {
        nq_call_fail(call, &ctx.error);
        return;
    }
    nq_writer_init(&writer, SMALL_RESPONSE_BYTES, service->config->limit_response_bytes);
    nq_cancel_query_response_write(
        &writer,
        nq_query_registry_cancel(service->queries, request.query_id, NQ_CANCELLED_BY_CLIENT));
    nq__reply(call, &ctx, &writer);
}

static nq_status list_tables(nq_ctx *ctx, nq_service *service,
                             const nq_list_tables_request *request, nq_writer *writer) {
    nq_table_info *tables = NULL;
    uint32_t count = 0;
    /* One more than the page, to know whether another page follows. */
    NQ_TRY(nq_database_list_tables(ctx, service->database, request->after, request->name_pattern,
                                   request->page_size + 1, ctx->scratch, &tables, &count));
    bool has_more = count > request->page_size;
    count = has_more ? request->page_size : count;
    nq_list_tables_response_write(writer, tables, count,
                                  has_more ? tables[count - 1].name : (nq_bytes){0});
    return NQ_OK;
}

static void on_list_tables(nq_call *call, nq_bytes message) {
    nq_service *service = nq_call_service(call);
    nq_ctx ctx;
    nq_writer writer;
    nq_list_tables_request request;
    nq_run_init_ctx(call, service, 0, &ctx);
    nq_writer_init(&writer, 1024, service->config->limit_response_bytes);
    if (nq_list_tables_request_decode(&ctx, message, &request) == NQ_OK &&
        list_tables(&ctx, service, &request, &writer) == NQ_OK) {
        nq__reply(call, &ctx, &writer);
        return;
    }
    nq_writer_deinit(&writer);
    nq_call_fail(call, &ctx.error);
}

static void on_get_table(nq_call *call, nq_bytes message) {
    nq_service *service = nq_call_service(call);
    nq_ctx ctx;
    nq_writer writer;
    nq_bytes name;
    nq_table_detail detail;
    nq_run_init_ctx(call, service, 0, &ctx);
    if (nq_get_table_request_decode(&ctx, message, &name) != NQ_OK ||
        nq_database_get_table(&ctx, service->database, name, ctx.scratch, &detail) != NQ_OK) {
        nq_call_fail(call, &ctx.error);
        return;
    }
    nq_writer_init(&writer, 1024, service->config->limit_response_bytes);
    nq_get_table_response_write(&writer, &detail);
    nq__reply(call, &ctx, &writer);
}

static const nq_method_handler execute_batch_handler = {.on_message = nq__query_execute_batch};
static const nq_method_handler prepare_handler = {.on_message = on_prepare};
static const nq_method_handler close_prepared_handler = {.on_message = on_close_prepared};
static const nq_method_handler explain_handler = {.on_message = nq__query_explain};
static const nq_method_handler begin_handler = {.on_message = on_begin};
static const nq_method_handler commit_handler = {.state_bytes = sizeof(settlement),
                                                 .on_message = on_commit};
static const nq_method_handler rollback_handler = {.state_bytes = sizeof(settlement),
                                                   .on_message = on_rollback};
static const nq_method_handler cancel_query_handler = {.on_message = on_cancel_query};
static const nq_method_handler list_tables_handler = {.on_message = on_list_tables};
static const nq_method_handler get_table_handler = {.on_message = on_get_table};

#define UNARY(name, method_flags, method_handler)                                \
    {                                                                            \
        .path = "/neuroquantum.v1.QueryService/" name, .shape = NQ_METHOD_UNARY, \
        .flags = (method_flags), .handler = &(method_handler),                   \
    }

/* CancelQuery must get through when every worker is busy: it runs on the queue and is not counted.
 */
static const nq_method methods[] = {
    UNARY("Execute", NQ_METHOD_INLINE | NQ_METHOD_PREFETCH, nq__query_execute_handler),
    UNARY("ExecuteBatch", 0, execute_batch_handler),
    UNARY("Prepare", 0, prepare_handler),
    UNARY("ClosePrepared", 0, close_prepared_handler),
    UNARY("Explain", 0, explain_handler),
    UNARY("BeginTransaction", 0, begin_handler),
    UNARY("CommitTransaction", NQ_METHOD_INLINE, commit_handler),
    UNARY("RollbackTransaction", NQ_METHOD_INLINE, rollback_handler),
    UNARY("CancelQuery", NQ_METHOD_INLINE | NQ_METHOD_UNLIMITED, cancel_query_handler),
    UNARY("ListTables", 0, list_tables_handler),
    UNARY("GetTable", 0, get_table_handler),
    {
        .path = "/neuroquantum.v1.QueryService/Ingest",
        .shape = NQ_METHOD_CLIENT_STREAM,
        .handler = &nq__query_ingest_handler,
        .message_bytes_max = NQ_INGEST_MESSAGE_BYTES_MAX,
    },
};

const nq_method *nq_query_service_methods(size_t *out_count) {
    *out_count = sizeof methods / sizeof methods[0];
    return methods;
}
