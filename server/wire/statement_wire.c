/* Statement wire: statement, parameters, transaction selector, query options. */
#include <stdio.h>

#include "server/wire/statement_internal.h"

enum { FIELD_BYTES = 96 };

nq_status nq__wire_id(nq_ctx *ctx, const char *field, const char *text, nq_bytes *out_id) {
    *out_id = nq__wire_text(text);
    return out_id->size <= NQ_WIRE_ID_BYTES_MAX
               ? NQ_OK
               : nq__wire_refuse(ctx, field, "is longer than 64 bytes");
}

static nq_status read_parameter(nq_ctx *ctx, const char *field, uint32_t index,
                                const Neuroquantum__V1__Parameter *parameter, nq_parameter *out) {
    nq_type type;
    out->name = nq__wire_text(parameter->name);
    out->position = parameter->position;
    if (out->name.size > 0 && out->position > 0) {
        return nq__wire_refuse(ctx, field,
                               "has a name and a position; it can be found by one only");
    }
    if (out->name.size == 0 && out->position == 0) {
        out->position = index + 1;
    }
    if (out->position > NQ_WIRE_PARAMETERS_MAX) {
        return nq__wire_refuse(ctx, field, "has a position above 65535");
    }
    NQ_TRY(nq__wire_type(ctx, field, parameter->type, &type));
    return nq__wire_value(ctx, field, parameter->value, type, &out->value);
}

static nq_status read_parameters(nq_ctx *ctx, const char *field,
                                 const Neuroquantum__V1__Statement *statement,
                                 nq_wire_statement *out) {
    nq_parameter *parameters =
        nq_arena_calloc(ctx->scratch, statement->n_parameters, sizeof *parameters);
    if (parameters == NULL) {
        return nq_fail_no_memory(ctx, "the parameters");
    }
    for (uint32_t i = 0; i < statement->n_parameters; i++) {
        const Neuroquantum__V1__Parameter *sent = statement->parameters[i];
        if (read_parameter(ctx, field, i, sent, &parameters[i]) != NQ_OK) {
            /* Paths are made for errors only: again, to say where. */
            char path[FIELD_BYTES];
            snprintf(path, sizeof path, "%s.parameters[%u]", field, i);
            return read_parameter(ctx, path, i, sent, &parameters[i]);
        }
    }
    out->parameters = parameters;
    out->parameter_count = (uint32_t)statement->n_parameters;
    return NQ_OK;
}

nq_status nq__wire_statement(nq_ctx *ctx, const char *field,
                             const Neuroquantum__V1__Statement *statement, nq_wire_statement *out) {
    *out = (nq_wire_statement){0};
    if (statement != NULL &&
        statement->source_case == NEUROQUANTUM__V1__STATEMENT__SOURCE_PREPARED_ID) {
        out->prepared_id = nq__wire_bytes(statement->prepared_id);
    } else if (statement != NULL &&
               statement->source_case == NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL) {
        out->sql = nq__wire_text(statement->sql);
    }
    if (out->prepared_id.size == 0 && out->sql.size == 0) {
        return nq__wire_refuse(ctx, field, "holds neither sql nor prepared_id");
    }
    if (statement->n_parameters > NQ_WIRE_PARAMETERS_MAX) {
        return nq__wire_refuse(ctx, field, "holds more than 65535 parameters");
    }
    return statement->n_parameters == 0 ? NQ_OK : read_parameters(ctx, field, statement, out);
}

nq_status nq__wire_transaction_options(nq_ctx *ctx, const char *field,
                                       const Neuroquantum__V1__TransactionOptions *options,
                                       nq_wire_transaction_options *out) {
    *out = (nq_wire_transaction_options){0};
    if (options == NULL) {
        return NQ_OK;
    }
    char path[FIELD_BYTES];
    out->options.read_only = options->read_only != 0;
    out->has_isolation = true;
    switch (options->isolation) {
    case NEUROQUANTUM__V1__ISOLATION_LEVEL__ISOLATION_LEVEL_UNSPECIFIED:
        out->has_isolation = false;
        break;
    case NEUROQUANTUM__V1__ISOLATION_LEVEL__ISOLATION_LEVEL_READ_COMMITTED:
        out->options.isolation = NQ_ISOLATION_READ_COMMITTED;
        break;
    case NEUROQUANTUM__V1__ISOLATION_LEVEL__ISOLATION_LEVEL_REPEATABLE_READ:
        out->options.isolation = NQ_ISOLATION_REPEATABLE_READ;
        break;
    case NEUROQUANTUM__V1__ISOLATION_LEVEL__ISOLATION_LEVEL_SERIALIZABLE:
        out->options.isolation = NQ_ISOLATION_SERIALIZABLE;
        break;
    default:
        snprintf(path, sizeof path, "%s.isolation", field);
        return nq__wire_refuse(ctx, path, "is not an isolation level");
    }
    snprintf(path, sizeof path, "%s.idle_timeout", field);
    return nq__wire_duration(ctx, path, options->idle_timeout, NQ_WIRE_DURATION_NS_MAX,
                             &out->idle_timeout_ns);
}

nq_status nq__wire_selector(nq_ctx *ctx, const Neuroquantum__V1__TransactionSelector *selector,
                            nq_wire_selector *out) {
    *out = (nq_wire_selector){0};
    if (selector == NULL) {
        return NQ_OK;
    }
    out->commit = selector->commit != 0;
    switch (selector->selector_case) {
    case NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_TRANSACTION_ID:
        out->kind = NQ_SELECTOR_ID;
        out->transaction_id = nq__wire_bytes(selector->transaction_id);
        return out->transaction_id.size > 0
                   ? NQ_OK
                   : nq__wire_refuse(ctx, "transaction.transaction_id", "is empty");
    case NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_BEGIN:
        out->kind = NQ_SELECTOR_BEGIN;
        return nq__wire_transaction_options(ctx, "transaction.begin", selector->begin,
                                            &out->options);
    case NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_SINGLE_USE:
        out->kind = NQ_SELECTOR_SINGLE_USE;
        NQ_TRY(nq__wire_transaction_options(ctx, "transaction.single_use", selector->single_use,
                                            &out->options));
        return out->options.idle_timeout_ns == 0
                   ? NQ_OK
                   : nq__wire_refuse(ctx, "transaction.single_use.idle_timeout",
                                     "has no meaning for a single statement");
    default:
        return out->commit ? nq__wire_refuse(ctx, "transaction.commit",
                                             "is set, but no transaction is selected")
                           : NQ_OK;
    }
}

static nq_status read_format(nq_ctx *ctx, Neuroquantum__V1__ResultFormat format,
                             nq_row_format *out_format) {
    switch (format) {
    case NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_UNSPECIFIED:
        *out_format = NQ_ROW_FORMAT_UNSPECIFIED;
        return NQ_OK;
    case NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_ROWS:
        *out_format = NQ_ROW_FORMAT_ROWS;
        return NQ_OK;
    case NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_COLUMNS:
        *out_format = NQ_ROW_FORMAT_COLUMNS;
        return NQ_OK;
    case NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_NONE:
        *out_format = NQ_ROW_FORMAT_NONE;
        return NQ_OK;
    case NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_ARROW_IPC:
        return nq__wire_unsupported(ctx, "options.format", "ARROW_IPC");
    default:
        return nq__wire_refuse(ctx, "options.format", "is not a result format");
    }
}

/* One node reads its own latest state, which is at least what any of its tokens saw. */
static nq_status read_consistency(nq_ctx *ctx, const Neuroquantum__V1__Consistency *consistency) {
    if (consistency == NULL) {
        return NQ_OK;
    }
    switch (consistency->requirement_case) {
    case NEUROQUANTUM__V1__CONSISTENCY__REQUIREMENT_AT_LEAST_TOKEN:
        if (consistency->at_least_token.len != NQ_CONSISTENCY_TOKEN_BYTES) {
            nq_status status =
                nq_fail(ctx, NQ_BAD_TOKEN, "the consistency token is not one of ours");
            nq_error_set_object(&ctx->error, "options.consistency", 19);
            return status;
        }
        return NQ_OK;
    case NEUROQUANTUM__V1__CONSISTENCY__REQUIREMENT_AT_EXACT_TOKEN:
        return nq__wire_unsupported(ctx, "options.consistency", "reading at an exact token");
    default:
        return NQ_OK;
    }
}

nq_status nq__wire_query_options(nq_ctx *ctx, const Neuroquantum__V1__QueryOptions *options,
                                 nq_wire_query_options *out) {
    *out = (nq_wire_query_options){.rows_max = UINT64_MAX};
    if (options == NULL) {
        return NQ_OK;
    }
    NQ_TRY(read_format(ctx, options->format, &out->format));
    if (options->priority != NEUROQUANTUM__V1__PRIORITY__PRIORITY_UNSPECIFIED &&
        options->priority != NEUROQUANTUM__V1__PRIORITY__PRIORITY_NORMAL) {
        return nq__wire_unsupported(ctx, "options.priority", "a priority other than NORMAL");
    }
    NQ_TRY(read_consistency(ctx, options->consistency));
    /* accept_compression and accept_encodings permit, they do not ask: answers are plain. */
    out->rows_max = options->max_rows == 0 ? UINT64_MAX : options->max_rows;
    out->wants_stats = options->collect_stats != 0;
    NQ_TRY(nq__wire_id(ctx, "options.tag", options->tag, &out->tag));
    return nq__wire_duration(ctx, "options.timeout", options->timeout, NQ_WIRE_DURATION_NS_MAX,
                             &out->timeout_ns);
}
