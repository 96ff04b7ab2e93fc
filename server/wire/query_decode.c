/* Query decode: the requests of QueryService, but Ingest's. */
#include <stdio.h>

#include "server/wire/statement_internal.h"

enum { TRANSACTION_ID_BYTES_MAX = 64, PAGE_SIZE_DEFAULT = 100, PAGE_SIZE_MAX = 1000 };

nq_status nq_execute_request_decode(nq_ctx *ctx, nq_bytes message, nq_execute_request *out) {
    *out = (nq_execute_request){0};
    const void *unpacked = NULL;
    NQ_TRY(
        nq__wire_unpack(ctx, &neuroquantum__v1__execute_request__descriptor, message, &unpacked));
    const Neuroquantum__V1__ExecuteRequest *request = unpacked;
    NQ_TRY(nq__wire_statement(ctx, "statement", request->statement, &out->statement));
    NQ_TRY(nq__wire_selector(ctx, request->transaction, &out->selector));
    NQ_TRY(nq__wire_query_options(ctx, request->options, &out->options));
    return nq__wire_id(ctx, "request_id", request->request_id, &out->request_id);
}

nq_status nq_execute_batch_request_decode(nq_ctx *ctx, nq_bytes message,
                                          nq_execute_batch_request *out) {
    *out = (nq_execute_batch_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__execute_batch_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__ExecuteBatchRequest *request = unpacked;
    if (request->n_statements == 0) {
        return nq__wire_refuse(ctx, "statements", "is empty");
    }
    if (request->n_statements > NQ_WIRE_STATEMENTS_MAX) {
        return nq__wire_refuse(ctx, "statements", "holds more than 10000 statements");
    }
    nq_wire_statement *statements =
        nq_arena_calloc(ctx->scratch, request->n_statements, sizeof *statements);
    if (statements == NULL) {
        return nq_fail_no_memory(ctx, "the statements");
    }
    for (uint32_t i = 0; i < request->n_statements; i++) {
        char field[32];
        snprintf(field, sizeof field, "statements[%u]", i);
        NQ_TRY(nq__wire_statement(ctx, field, request->statements[i], &statements[i]));
    }
    out->statements = statements;
    out->statement_count = (uint32_t)request->n_statements;
    out->continue_on_error = request->continue_on_error != 0;
    NQ_TRY(nq__wire_selector(ctx, request->transaction, &out->selector));
    NQ_TRY(nq__wire_query_options(ctx, request->options, &out->options));
    return nq__wire_id(ctx, "request_id", request->request_id, &out->request_id);
}

nq_status nq_prepare_request_decode(nq_ctx *ctx, nq_bytes message, nq_prepare_request *out) {
    *out = (nq_prepare_request){0};
    const void *unpacked = NULL;
    NQ_TRY(
        nq__wire_unpack(ctx, &neuroquantum__v1__prepare_request__descriptor, message, &unpacked));
    const Neuroquantum__V1__PrepareRequest *request = unpacked;
    out->sql = nq__wire_text(request->sql);
    if (out->sql.size == 0) {
        return nq__wire_refuse(ctx, "sql", "is empty");
    }
    return nq__wire_duration(ctx, "ttl", request->ttl, NQ_WIRE_DURATION_NS_MAX, &out->ttl_ns);
}

nq_status nq_close_prepared_request_decode(nq_ctx *ctx, nq_bytes message, nq_bytes *out_id) {
    *out_id = (nq_bytes){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__close_prepared_request__descriptor, message,
                           &unpacked));
    *out_id =
        nq__wire_bytes(((const Neuroquantum__V1__ClosePreparedRequest *)unpacked)->prepared_id);
    return out_id->size > 0 ? NQ_OK : nq__wire_refuse(ctx, "prepared_id", "is empty");
}

nq_status nq_explain_request_decode(nq_ctx *ctx, nq_bytes message, nq_explain_request *out) {
    *out = (nq_explain_request){0};
    const void *unpacked = NULL;
    NQ_TRY(
        nq__wire_unpack(ctx, &neuroquantum__v1__explain_request__descriptor, message, &unpacked));
    const Neuroquantum__V1__ExplainRequest *request = unpacked;
    out->analyze = request->analyze != 0;
    if (request->buffers) {
        return nq__wire_unsupported(ctx, "buffers", "counting buffers");
    }
    NQ_TRY(nq__wire_statement(ctx, "statement", request->statement, &out->statement));
    NQ_TRY(nq__wire_selector(ctx, request->transaction, &out->selector));
    if (out->selector.kind != NQ_SELECTOR_NONE && out->selector.kind != NQ_SELECTOR_ID) {
        return nq__wire_unsupported(ctx, "transaction", "beginning a transaction by Explain");
    }
    return out->selector.commit
               ? nq__wire_unsupported(ctx, "transaction.commit", "committing by Explain")
               : NQ_OK;
}

nq_status nq_begin_request_decode(nq_ctx *ctx, nq_bytes message, nq_begin_request *out) {
    *out = (nq_begin_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__begin_transaction_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__BeginTransactionRequest *request = unpacked;
    NQ_TRY(nq__wire_transaction_options(ctx, "options", request->options, &out->options));
    return nq__wire_id(ctx, "request_id", request->request_id, &out->request_id);
}

static nq_status read_transaction_id(nq_ctx *ctx, ProtobufCBinaryData id, nq_bytes *out_id) {
    *out_id = nq__wire_bytes(id);
    return out_id->size > 0 && out_id->size <= TRANSACTION_ID_BYTES_MAX
               ? NQ_OK
               : nq__wire_refuse(ctx, "transaction_id", "is empty or too long");
}

nq_status nq_commit_request_decode(nq_ctx *ctx, nq_bytes message, nq_commit_request *out) {
    *out = (nq_commit_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__commit_transaction_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__CommitTransactionRequest *request = unpacked;
    NQ_TRY(read_transaction_id(ctx, request->transaction_id, &out->transaction_id));
    return nq__wire_id(ctx, "request_id", request->request_id, &out->request_id);
}

nq_status nq_rollback_request_decode(nq_ctx *ctx, nq_bytes message, nq_rollback_request *out) {
    *out = (nq_rollback_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__rollback_transaction_request__descriptor,
                           message, &unpacked));
    const Neuroquantum__V1__RollbackTransactionRequest *request = unpacked;
    out->to_savepoint = nq__wire_text(request->to_savepoint);
    return read_transaction_id(ctx, request->transaction_id, &out->transaction_id);
}

nq_status nq_cancel_query_request_decode(nq_ctx *ctx, nq_bytes message,
                                         nq_cancel_query_request *out) {
    *out = (nq_cancel_query_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__cancel_query_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__CancelQueryRequest *request = unpacked;
    out->query_id = nq__wire_text(request->query_id);
    out->reason = nq__wire_text(request->reason);
    return out->query_id.size > 0 ? NQ_OK : nq__wire_refuse(ctx, "query_id", "is empty");
}

uint32_t nq__wire_page_size(uint32_t asked) {
    uint32_t size = asked == 0 ? PAGE_SIZE_DEFAULT : asked;
    return size < PAGE_SIZE_MAX ? size : PAGE_SIZE_MAX;
}

nq_status nq_list_tables_request_decode(nq_ctx *ctx, nq_bytes message,
                                        nq_list_tables_request *out) {
    *out = (nq_list_tables_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__list_tables_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__ListTablesRequest *request = unpacked;
    /* include_system adds nothing: there are no system tables. */
    out->page_size = nq__wire_page_size(request->page_size);
    out->after = nq__wire_text(request->page_token);
    out->name_pattern = nq__wire_text(request->name_pattern);
    return NQ_OK;
}

nq_status nq_get_table_request_decode(nq_ctx *ctx, nq_bytes message, nq_bytes *out_name) {
    *out_name = (nq_bytes){0};
    const void *unpacked = NULL;
    NQ_TRY(
        nq__wire_unpack(ctx, &neuroquantum__v1__get_table_request__descriptor, message, &unpacked));
    *out_name = nq__wire_text(((const Neuroquantum__V1__GetTableRequest *)unpacked)->name);
    return out_name->size > 0 ? NQ_OK : nq__wire_refuse(ctx, "name", "is empty");
}
