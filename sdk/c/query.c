/* Query: one statement and its rows, in any of three deliveries behind one way of reading them. */
#include <stdlib.h>
#include <string.h>

#include "neuroquantum/v1/query.pb-c.h"
#include "neuroquantum/v1/stream.pb-c.h"
#include "sdk/c/client_internal.h"

#define QUERY  "/neuroquantum.v1.QueryService/"
#define STREAM "/neuroquantum.v1.StreamService/"

enum { WINDOW_DEFAULT = 8 };

struct nq_rows {
    nq_delivery_mode mode;
    nq_client_call *call;      /* STREAM, PACED */
    ProtobufCMessage *first;   /* owns the columns: the response (WHOLE) or the started event */
    ProtobufCMessage *current; /* owns the batch */
    nq_column *columns;
    size_t column_count;
    nq_row_batch batch;
    nq_rows_summary summary;
    uint64_t window;
    uint64_t granted;
    bool is_delivered; /* WHOLE: the one batch was handed out */
};

/* ---- The request ---- */

void nq__value_from_datum(Neuroquantum__V1__Value *value, const nq_datum *datum) {
    neuroquantum__v1__value__init(value);
    if (datum->is_null) {
        value->kind_case = NEUROQUANTUM__V1__VALUE__KIND_NULL_VALUE;
        value->null_value = NEUROQUANTUM__V1__NULL_VALUE__NULL_VALUE_NULL;
        return;
    }
    ProtobufCBinaryData bytes = {datum->text_bytes, (uint8_t *)(uintptr_t)datum->text};
    switch (datum->type) {
    case NQ_DATA_BOOL:
        value->kind_case = NEUROQUANTUM__V1__VALUE__KIND_BOOL_VALUE;
        value->bool_value = datum->boolean;
        break;
    case NQ_DATA_INT16:
    case NQ_DATA_INT32:
    case NQ_DATA_INT64:
        value->kind_case = NEUROQUANTUM__V1__VALUE__KIND_INT_VALUE;
        value->int_value = datum->integer;
        break;
    case NQ_DATA_FLOAT32:
    case NQ_DATA_FLOAT64:
        value->kind_case = NEUROQUANTUM__V1__VALUE__KIND_DOUBLE_VALUE;
        value->double_value = datum->number;
        break;
    case NQ_DATA_TIMESTAMP:
        value->kind_case = NEUROQUANTUM__V1__VALUE__KIND_TIMESTAMP_US;
        value->timestamp_us = datum->integer;
        break;
    case NQ_DATA_DATE:
        value->kind_case = NEUROQUANTUM__V1__VALUE__KIND_DATE_DAYS;
        value->date_days = (int32_t)datum->integer;
        break;
    case NQ_DATA_TIME:
        value->kind_case = NEUROQUANTUM__V1__VALUE__KIND_TIME_US;
        value->time_us = datum->integer;
        break;
    case NQ_DATA_BYTES:
        value->kind_case = NEUROQUANTUM__V1__VALUE__KIND_BYTES_VALUE;
        value->bytes_value = bytes;
        break;
    case NQ_DATA_UUID:
        value->kind_case = NEUROQUANTUM__V1__VALUE__KIND_UUID_VALUE;
        value->uuid_value = bytes;
        break;
    default:
        value->kind_case = NEUROQUANTUM__V1__VALUE__KIND_TEXT_VALUE;
        value->text_value = (char *)(uintptr_t)datum->text;
        break;
    }
}

/* Everything a request needs, in one place, wired up by pointers. */
typedef struct request_parts {
    Neuroquantum__V1__Statement statement;
    Neuroquantum__V1__TransactionSelector transaction;
    Neuroquantum__V1__QueryOptions options;
    Neuroquantum__V1__StreamOptions stream;
    Neuroquantum__V1__Parameter *parameters;
    Neuroquantum__V1__Parameter **parameter_list;
    Neuroquantum__V1__Value *values;
    char **texts; /* copies of text parameters, terminated as protobuf-c wants them */
    size_t parameter_count;
} request_parts;

static void deinit_parts(request_parts *parts) {
    for (size_t i = 0; parts->texts != NULL && i < parts->parameter_count; i++) {
        free(parts->texts[i]);
    }
    free(parts->texts);
    free(parts->parameters);
    free(parts->parameter_list);
    free(parts->values);
}

static bool add_parameter(request_parts *parts, const nq_query *query, size_t i) {
    nq_datum datum = query->parameters[i];
    nq_data_type type = datum.type;
    if (!datum.is_null &&
        (type == NQ_DATA_TEXT || type == NQ_DATA_UNKNOWN || type == NQ_DATA_DECIMAL)) {
        parts->texts[i] = malloc(datum.text_bytes + 1);
        if (parts->texts[i] == NULL) {
            return false;
        }
        memcpy(parts->texts[i], datum.text, datum.text_bytes);
        parts->texts[i][datum.text_bytes] = '\0';
        datum.text = parts->texts[i];
    }
    Neuroquantum__V1__Parameter *parameter = &parts->parameters[i];
    neuroquantum__v1__parameter__init(parameter);
    nq__value_from_datum(&parts->values[i], &datum);
    parameter->value = &parts->values[i];
    if (query->parameter_names != NULL) {
        parameter->name = (char *)(uintptr_t)query->parameter_names[i];
    } else {
        parameter->position = (uint32_t)i + 1;
    }
    parts->parameter_list[i] = parameter;
    return true;
}

static nq_code init_parameters(request_parts *parts, const nq_query *query,
                               nq_failure *out_failure) {
    size_t count = query->parameter_count;
    parts->parameter_count = count;
    if (count == 0) {
        return NQ_CODE_OK;
    }
    parts->parameters = calloc(count, sizeof *parts->parameters);
    parts->parameter_list = calloc(count, sizeof *parts->parameter_list);
    parts->values = calloc(count, sizeof *parts->values);
    parts->texts = calloc(count, sizeof *parts->texts);
    bool good = parts->parameters != NULL && parts->parameter_list != NULL &&
                parts->values != NULL && parts->texts != NULL;
    for (size_t i = 0; good && i < count; i++) {
        good = add_parameter(parts, query, i);
    }
    if (!good) {
        return nq__fail(out_failure, NQ_CODE_RESOURCE_EXHAUSTED, "MEMORY_LIMIT", "out of memory");
    }
    parts->statement.n_parameters = count;
    parts->statement.parameters = parts->parameter_list;
    return NQ_CODE_OK;
}

/* Fails only for want of memory; the parts must be deinitialised either way. */
static nq_code init_parts(request_parts *parts, const nq_query *query, nq_failure *out_failure) {
    memset(parts, 0, sizeof *parts);
    neuroquantum__v1__statement__init(&parts->statement);
    neuroquantum__v1__transaction_selector__init(&parts->transaction);
    neuroquantum__v1__query_options__init(&parts->options);
    neuroquantum__v1__stream_options__init(&parts->stream);
    parts->statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    parts->statement.sql = (char *)(uintptr_t)query->sql;
    if (query->transaction_id_bytes != 0) {
        parts->transaction.selector_case =
            NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_TRANSACTION_ID;
        parts->transaction.transaction_id.data = (uint8_t *)(uintptr_t)query->transaction_id;
        parts->transaction.transaction_id.len = query->transaction_id_bytes;
    }
    parts->options.format = NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_COLUMNS;
    parts->stream.batch_rows = query->batch_rows;
    if (query->mode == NQ_DELIVERY_PACED) {
        parts->stream.manual_grant = true;
        parts->stream.initial_grant = query->window != 0 ? query->window : WINDOW_DEFAULT;
    }
    return init_parameters(parts, query, out_failure);
}

static Neuroquantum__V1__TransactionSelector *selector_of(request_parts *parts) {
    return parts->transaction.selector_case != 0 ? &parts->transaction : NULL;
}

/* ---- The response ---- */

static nq_code take_columns(nq_rows *rows, Neuroquantum__V1__ColumnMeta **columns, size_t count,
                            nq_failure *out_failure) {
    rows->columns = count != 0 ? calloc(count, sizeof *rows->columns) : NULL;
    if (count != 0 && rows->columns == NULL) {
        return nq__fail(out_failure, NQ_CODE_RESOURCE_EXHAUSTED, "MEMORY_LIMIT", "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        const Neuroquantum__V1__Type *type = columns[i]->type;
        rows->columns[i] = (nq_column){
            .name = columns[i]->name,
            .type = type != NULL ? (nq_data_type)type->data_type : NQ_DATA_UNKNOWN,
            .table = columns[i]->table,
            .is_not_null = type != NULL && type->not_null,
            .is_primary_key = columns[i]->primary_key,
        };
    }
    rows->column_count = count;
    return NQ_CODE_OK;
}

static nq_code take_batch(nq_rows *rows, Neuroquantum__V1__ColumnBatch *message,
                          nq_failure *out_failure) {
    rows->batch = (nq_row_batch){.row_count = message->row_count,
                                 .column_count = rows->column_count,
                                 .columns = rows->columns,
                                 .message = message};
    return nq__row_batch_check(&rows->batch, out_failure);
}

static nq_code run_whole(nq_client *client, nq_rows *rows, const nq_query *query,
                         request_parts *parts, nq_failure *out_failure) {
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    request.statement = &parts->statement;
    request.transaction = selector_of(parts);
    request.options = &parts->options;
    if (query->request_id != NULL) {
        request.request_id = (char *)(uintptr_t)query->request_id;
    }
    nq_code code = nq_client_call_unary(client, QUERY "Execute", &request.base,
                                        &neuroquantum__v1__execute_response__descriptor,
                                        query->timeout_ms, &rows->first, out_failure);
    if (code != NQ_CODE_OK) {
        return code;
    }
    Neuroquantum__V1__ExecuteResponse *response = (void *)rows->first;
    rows->summary = (nq_rows_summary){.rows_affected = response->rows_affected,
                                      .query_id = response->query_id,
                                      .transaction_id = response->transaction_id.data,
                                      .transaction_id_bytes = response->transaction_id.len};
    code = take_columns(rows, response->columns, response->n_columns, out_failure);
    if (code == NQ_CODE_OK &&
        response->result_case == NEUROQUANTUM__V1__EXECUTE_RESPONSE__RESULT_COLUMN_BATCH) {
        rows->summary.row_count = response->column_batch->row_count;
        code = take_batch(rows, response->column_batch, out_failure);
    }
    return code;
}

static Neuroquantum__V1__StreamEvent *event_of(const nq_rows *rows, ProtobufCMessage *message) {
    return rows->mode == NQ_DELIVERY_PACED
               ? ((Neuroquantum__V1__InteractResponse *)(void *)message)->event
               : ((Neuroquantum__V1__ExecuteStreamResponse *)(void *)message)->event;
}

/* The next event; `*out_message` owns it. */
static nq_step next_event(nq_rows *rows, ProtobufCMessage **out_message,
                          Neuroquantum__V1__StreamEvent **out_event, nq_failure *out_failure) {
    const ProtobufCMessageDescriptor *type =
        rows->mode == NQ_DELIVERY_PACED ? &neuroquantum__v1__interact_response__descriptor
                                        : &neuroquantum__v1__execute_stream_response__descriptor;
    nq_step step = nq_client_call_receive(rows->call, type, -1, out_message, out_failure);
    *out_event = step == NQ_STEP_ITEM ? event_of(rows, *out_message) : NULL;
    if (step == NQ_STEP_ITEM && *out_event == NULL) {
        protobuf_c_message_free_unpacked(*out_message, NULL);
        *out_message = NULL;
        nq__fail(out_failure, NQ_CODE_INTERNAL, "BAD_RESPONSE", "an event without content");
        return NQ_STEP_FAILED;
    }
    return step;
}

static nq_code take_started(nq_rows *rows, nq_failure *out_failure) {
    Neuroquantum__V1__StreamEvent *event;
    nq_failure failure = {.code = NQ_CODE_INTERNAL};
    nq_step step = next_event(rows, &rows->first, &event, &failure);
    if (step == NQ_STEP_FAILED) {
        if (out_failure != NULL) {
            *out_failure = failure;
        }
        return failure.code;
    }
    if (step != NQ_STEP_ITEM ||
        event->event_case != NEUROQUANTUM__V1__STREAM_EVENT__EVENT_STARTED) {
        return nq__fail(out_failure, NQ_CODE_INTERNAL, "BAD_RESPONSE",
                        "the stream did not begin with its columns");
    }
    rows->summary.query_id = event->started->query_id;
    rows->summary.estimated_rows = event->started->estimated_rows;
    rows->summary.transaction_id = event->started->transaction_id.data;
    rows->summary.transaction_id_bytes = event->started->transaction_id.len;
    return take_columns(rows, event->started->columns, event->started->n_columns, out_failure);
}

static nq_code start_stream(nq_client *client, nq_rows *rows, const nq_query *query,
                            request_parts *parts, nq_failure *out_failure) {
    Neuroquantum__V1__ExecuteStreamRequest request = NEUROQUANTUM__V1__EXECUTE_STREAM_REQUEST__INIT;
    request.statement = &parts->statement;
    request.transaction = selector_of(parts);
    request.options = &parts->options;
    request.stream = &parts->stream;
    bool is_paced = query->mode == NQ_DELIVERY_PACED;
    nq_code code =
        nq_client_call_open(client, is_paced ? STREAM "Interact" : STREAM "ExecuteStream",
                            query->timeout_ms, &rows->call, out_failure);
    if (code != NQ_CODE_OK) {
        return code;
    }
    if (is_paced) {
        Neuroquantum__V1__InteractRequest wrapped = NEUROQUANTUM__V1__INTERACT_REQUEST__INIT;
        wrapped.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_START;
        wrapped.start = &request;
        rows->window = parts->stream.initial_grant;
        rows->granted = parts->stream.initial_grant;
        code = nq_client_call_send(rows->call, &wrapped.base, out_failure);
    } else {
        code = nq_client_call_send(rows->call, &request.base, out_failure);
        if (code == NQ_CODE_OK) {
            code = nq_client_call_half_close(rows->call, out_failure);
        }
    }
    return code == NQ_CODE_OK ? take_started(rows, out_failure) : code;
}

nq_code nq_client_query(nq_client *client, const nq_query *query, nq_rows **out_rows,
                        nq_failure *out_failure) {
    *out_rows = NULL;
    nq_rows *rows = calloc(1, sizeof *rows);
    if (rows == NULL) {
        return nq__fail(out_failure, NQ_CODE_RESOURCE_EXHAUSTED, "MEMORY_LIMIT", "out of memory");
    }
    rows->mode = query->mode;
    rows->summary.query_id = "";
    request_parts parts;
    nq_code code = init_parts(&parts, query, out_failure);
    if (code == NQ_CODE_OK) {
        code = query->mode == NQ_DELIVERY_WHOLE
                   ? run_whole(client, rows, query, &parts, out_failure)
                   : start_stream(client, rows, query, &parts, out_failure);
    }
    deinit_parts(&parts);
    if (code != NQ_CODE_OK) {
        nq_rows_close(rows);
        return code;
    }
    *out_rows = rows;
    return NQ_CODE_OK;
}

/* ---- Reading ---- */

const nq_column *nq_rows_columns(const nq_rows *rows, size_t *out_count) {
    *out_count = rows->column_count;
    return rows->columns;
}

/* PACED: keeps the server `window` batches ahead, telling it in steps of half a window. */
static void grant_more(nq_rows *rows, uint64_t consumed) {
    uint64_t wanted = consumed + rows->window;
    if (rows->window == 0 || wanted < rows->granted + (rows->window + 1) / 2) {
        return;
    }
    Neuroquantum__V1__Flow flow = NEUROQUANTUM__V1__FLOW__INIT;
    flow.grant_through = wanted;
    flow.ack_through = consumed;
    Neuroquantum__V1__InteractRequest request = NEUROQUANTUM__V1__INTERACT_REQUEST__INIT;
    request.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_FLOW;
    request.flow = &flow;
    rows->granted = wanted;
    /* The server may have sent everything and ended; then there is nothing to grant. */
    (void)nq__call_try_send(rows->call, &request.base);
}

static nq_step take_stream_batch(nq_rows *rows, Neuroquantum__V1__Batch *batch,
                                 const nq_row_batch **out_batch, nq_failure *out_failure) {
    if (batch->payload_case != NEUROQUANTUM__V1__BATCH__PAYLOAD_COLUMN_BATCH) {
        nq__fail(out_failure, NQ_CODE_INTERNAL, "BAD_RESPONSE", "a batch of another format");
        return NQ_STEP_FAILED;
    }
    if (take_batch(rows, batch->column_batch, out_failure) != NQ_CODE_OK) {
        return NQ_STEP_FAILED;
    }
    if (rows->mode == NQ_DELIVERY_PACED) {
        grant_more(rows, batch->number);
    }
    rows->summary.row_count += rows->batch.row_count;
    *out_batch = &rows->batch;
    return NQ_STEP_ITEM;
}

static nq_step next_streamed(nq_rows *rows, const nq_row_batch **out_batch,
                             nq_failure *out_failure) {
    for (;;) {
        Neuroquantum__V1__StreamEvent *event;
        if (rows->current != NULL) {
            protobuf_c_message_free_unpacked(rows->current, NULL);
        }
        nq_step step = next_event(rows, &rows->current, &event, out_failure);
        if (step != NQ_STEP_ITEM) {
            return step;
        }
        if (event->event_case == NEUROQUANTUM__V1__STREAM_EVENT__EVENT_BATCH) {
            step = take_stream_batch(rows, event->batch, out_batch, out_failure);
            if (step == NQ_STEP_FAILED || rows->batch.row_count != 0) {
                return step;
            }
            *out_batch = NULL;
        } else if (event->event_case == NEUROQUANTUM__V1__STREAM_EVENT__EVENT_COMPLETED) {
            rows->summary.row_count = event->completed->rows;
            if (event->completed->stats != NULL) {
                rows->summary.rows_affected = event->completed->stats->rows_affected;
            }
        }
    }
}

nq_step nq_rows_next(nq_rows *rows, const nq_row_batch **out_batch, nq_failure *out_failure) {
    *out_batch = NULL;
    if (rows->mode != NQ_DELIVERY_WHOLE) {
        return next_streamed(rows, out_batch, out_failure);
    }
    if (rows->is_delivered || rows->batch.row_count == 0) {
        return NQ_STEP_END;
    }
    rows->is_delivered = true;
    *out_batch = &rows->batch;
    return NQ_STEP_ITEM;
}

static nq_code send_pause(nq_rows *rows, bool pause, nq_failure *out_failure) {
    if (rows->mode != NQ_DELIVERY_PACED) {
        return nq__fail(out_failure, NQ_CODE_FAILED_PRECONDITION, "NOT_PACED",
                        "only rows opened with NQ_DELIVERY_PACED can be paused");
    }
    Neuroquantum__V1__InteractRequest request = NEUROQUANTUM__V1__INTERACT_REQUEST__INIT;
    request.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_PAUSE;
    request.pause = pause;
    (void)nq__call_try_send(rows->call, &request.base);
    return NQ_CODE_OK;
}

nq_code nq_rows_pause(nq_rows *rows, nq_failure *out_failure) {
    return send_pause(rows, true, out_failure);
}

nq_code nq_rows_resume(nq_rows *rows, nq_failure *out_failure) {
    return send_pause(rows, false, out_failure);
}

nq_rows_summary nq_rows_get_summary(const nq_rows *rows) {
    return rows->summary;
}

void nq_rows_close(nq_rows *rows) {
    if (rows == NULL) {
        return;
    }
    nq_client_call_close(rows->call);
    if (rows->current != NULL) {
        protobuf_c_message_free_unpacked(rows->current, NULL);
    }
    if (rows->first != NULL) {
        protobuf_c_message_free_unpacked(rows->first, NULL);
    }
    free(rows->columns);
    free(rows);
}
