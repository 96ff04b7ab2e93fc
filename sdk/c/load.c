/* Load: rows gathered into column buffers, sent as Ingest messages of about a quarter megabyte.
 *
 * One builder per column; the buffers are reused from message to message, so a load allocates only
 * until it has met its largest batch. */
#include <stdlib.h>
#include <string.h>

#include "neuroquantum/v1/query.pb-c.h"
#include "sdk/c/client_internal.h"

#define INGEST "/neuroquantum.v1.QueryService/Ingest"

enum { BATCH_BYTES = 256 * 1024, BATCH_ROWS_MAX = 16384 };

/* A growing buffer. */
typedef struct buffer {
    uint8_t *data;
    size_t bytes;
    size_t capacity;
} buffer;

typedef struct builder {
    nq_data_type type;
    buffer validity;
    buffer data;
    buffer offsets;
    uint32_t null_count;
} builder;

struct nq_loader {
    nq_client_call *call;
    builder *builders;
    Neuroquantum__V1__Column *columns;
    Neuroquantum__V1__Column **column_list;
    size_t column_count;
    uint32_t row_count; /* in the builders */
    size_t batch_bytes; /* in the builders, about */
    uint64_t offset;    /* of the next message's first row */
    uint64_t first_offset;
};

/* ---- Builders ---- */

static bool reserve(buffer *target, size_t bytes) {
    if (target->bytes + bytes <= target->capacity) {
        return true;
    }
    size_t capacity = target->capacity * 2 + bytes + 256;
    uint8_t *data = realloc(target->data, capacity);
    if (data == NULL) {
        return false;
    }
    target->data = data;
    target->capacity = capacity;
    return true;
}

static bool append_bytes(buffer *target, const void *source, size_t bytes) {
    if (!reserve(target, bytes)) {
        return false;
    }
    if (bytes != 0) {
        memcpy(target->data + target->bytes, source, bytes);
    }
    target->bytes += bytes;
    return true;
}

static bool append_bit(buffer *target, uint32_t row, bool bit) {
    static const uint8_t zero = 0;
    if ((row & 7) == 0 && !append_bytes(target, &zero, 1)) {
        return false;
    }
    target->data[row >> 3] = (uint8_t)(target->data[row >> 3] | (bit ? 1u << (row & 7) : 0u));
    return true;
}

static bool append_fixed(builder *column, const nq_datum *datum) {
    int16_t int16 = (int16_t)datum->integer;
    int32_t int32 = (int32_t)datum->integer;
    float float32 = (float)datum->number;
    static const uint8_t no_uuid[16];
    switch (column->type) {
    case NQ_DATA_INT16:
        return append_bytes(&column->data, &int16, 2);
    case NQ_DATA_INT32:
    case NQ_DATA_DATE:
        return append_bytes(&column->data, &int32, 4);
    case NQ_DATA_FLOAT32:
        return append_bytes(&column->data, &float32, 4);
    case NQ_DATA_FLOAT64:
        return append_bytes(&column->data, &datum->number, 8);
    case NQ_DATA_UUID:
        return append_bytes(&column->data, datum->is_null ? (const void *)no_uuid : datum->text,
                            16);
    default:
        return append_bytes(&column->data, &datum->integer, 8);
    }
}

static bool is_variable(nq_data_type type) {
    return type == NQ_DATA_TEXT || type == NQ_DATA_BYTES || type == NQ_DATA_DECIMAL;
}

static bool append_datum(builder *column, uint32_t row, const nq_datum *source) {
    static const nq_datum nothing = {.is_null = true, .text = ""};
    const nq_datum *datum = source->is_null ? &nothing : source;
    column->null_count += datum->is_null ? 1 : 0;
    if (!append_bit(&column->validity, row, !datum->is_null)) {
        return false;
    }
    if (column->type == NQ_DATA_BOOL) {
        return append_bit(&column->data, row, datum->boolean);
    }
    if (!is_variable(column->type)) {
        return append_fixed(column, datum);
    }
    int32_t end = (int32_t)(column->data.bytes + datum->text_bytes);
    return append_bytes(&column->data, datum->text, datum->text_bytes) &&
           append_bytes(&column->offsets, &end, 4);
}

static bool reset_builder(builder *column) {
    static const int32_t zero = 0;
    column->validity.bytes = 0;
    column->data.bytes = 0;
    column->offsets.bytes = 0;
    column->null_count = 0;
    return !is_variable(column->type) || append_bytes(&column->offsets, &zero, 4);
}

static nq_code out_of_memory(nq_failure *out_failure) {
    return nq__fail(out_failure, NQ_CODE_RESOURCE_EXHAUSTED, "MEMORY_LIMIT", "out of memory");
}

static nq_code send_rows(nq_loader *loader, nq_failure *out_failure) {
    if (loader->row_count == 0) {
        return NQ_CODE_OK;
    }
    Neuroquantum__V1__ColumnBatch batch = NEUROQUANTUM__V1__COLUMN_BATCH__INIT;
    Neuroquantum__V1__IngestRequest request = NEUROQUANTUM__V1__INGEST_REQUEST__INIT;
    for (size_t i = 0; i < loader->column_count; i++) {
        builder *source = &loader->builders[i];
        Neuroquantum__V1__Column *column = &loader->columns[i];
        neuroquantum__v1__column__init(column);
        column->encoding = NEUROQUANTUM__V1__ENCODING__ENCODING_PLAIN;
        column->null_count = source->null_count;
        if (source->null_count != 0) {
            column->validity = (ProtobufCBinaryData){source->validity.bytes, source->validity.data};
        }
        column->data = (ProtobufCBinaryData){source->data.bytes, source->data.data};
        column->offsets = (ProtobufCBinaryData){source->offsets.bytes, source->offsets.data};
    }
    batch.row_count = loader->row_count;
    batch.n_columns = loader->column_count;
    batch.columns = loader->column_list;
    request.message_case = NEUROQUANTUM__V1__INGEST_REQUEST__MESSAGE_COLUMN_BATCH;
    request.column_batch = &batch;
    request.offset = loader->offset;
    nq_code code = nq_client_call_send(loader->call, &request.base, out_failure);
    if (code != NQ_CODE_OK) {
        return code;
    }
    loader->offset += loader->row_count;
    loader->row_count = 0;
    loader->batch_bytes = 0;
    for (size_t i = 0; i < loader->column_count; i++) {
        if (!reset_builder(&loader->builders[i])) {
            return out_of_memory(out_failure);
        }
    }
    return NQ_CODE_OK;
}

nq_code nq_loader_append(nq_loader *loader, const nq_datum *row, nq_failure *out_failure) {
    size_t row_bytes = 0;
    for (size_t i = 0; i < loader->column_count; i++) {
        row_bytes += 8 + (row[i].is_null ? 0 : row[i].text_bytes);
    }
    if (loader->row_count >= BATCH_ROWS_MAX ||
        (loader->row_count != 0 && loader->batch_bytes + row_bytes > BATCH_BYTES)) {
        nq_code code = send_rows(loader, out_failure);
        if (code != NQ_CODE_OK) {
            return code;
        }
    }
    for (size_t i = 0; i < loader->column_count; i++) {
        if (!append_datum(&loader->builders[i], loader->row_count, &row[i])) {
            return out_of_memory(out_failure);
        }
    }
    loader->row_count++;
    loader->batch_bytes += row_bytes;
    return NQ_CODE_OK;
}

/* ---- The call ---- */

static nq_code send_header(nq_client_call *call, const nq_load *load, nq_failure *out_failure) {
    size_t count = load->column_count;
    Neuroquantum__V1__ColumnMeta *metas = calloc(count + 1, sizeof *metas);
    Neuroquantum__V1__Type *types = calloc(count + 1, sizeof *types);
    Neuroquantum__V1__ColumnMeta **list = calloc(count + 1, sizeof *list);
    nq_code code;
    if (metas == NULL || types == NULL || list == NULL) {
        code = out_of_memory(out_failure);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        neuroquantum__v1__column_meta__init(&metas[i]);
        neuroquantum__v1__type__init(&types[i]);
        types[i].data_type = (Neuroquantum__V1__DataType)load->column_types[i];
        metas[i].name = (char *)(uintptr_t)load->column_names[i];
        metas[i].type = &types[i];
        list[i] = &metas[i];
    }
    Neuroquantum__V1__IngestHeader header = NEUROQUANTUM__V1__INGEST_HEADER__INIT;
    header.table = (char *)(uintptr_t)load->table;
    header.n_columns = count;
    header.columns = list;
    header.upsert = load->upsert;
    header.rows_per_transaction = load->rows_per_transaction;
    if (load->ingest_id != NULL) {
        header.ingest_id = (char *)(uintptr_t)load->ingest_id;
    }
    Neuroquantum__V1__IngestRequest request = NEUROQUANTUM__V1__INGEST_REQUEST__INIT;
    request.message_case = NEUROQUANTUM__V1__INGEST_REQUEST__MESSAGE_HEADER;
    request.header = &header;
    code = nq_client_call_send(call, &request.base, out_failure);
done:
    free(metas);
    free(types);
    free(list);
    return code;
}

static nq_code finish_call(nq_client_call *call, nq_load_result *out_result,
                           nq_failure *out_failure) {
    nq_failure failure = {.code = NQ_CODE_INTERNAL};
    ProtobufCMessage *message = NULL;
    nq_code code = nq_client_call_half_close(call, &failure);
    if (code == NQ_CODE_OK) {
        nq__fail(&failure, NQ_CODE_INTERNAL, "BAD_RESPONSE", "the server sent no response");
        bool is_answered = false;
        nq_step step = nq_client_call_receive(call, &neuroquantum__v1__ingest_response__descriptor,
                                              -1, &message, &failure);
        if (step == NQ_STEP_ITEM) {
            const Neuroquantum__V1__IngestResponse *response = (void *)message;
            *out_result = (nq_load_result){.rows_committed = response->rows_committed,
                                           .next_offset = response->next_offset,
                                           .rows_skipped = response->rows_skipped_duplicate};
            is_answered = true;
            protobuf_c_message_free_unpacked(message, NULL);
            /* The response is only good together with the status that follows it. */
            step = nq_client_call_receive(call, &neuroquantum__v1__ingest_response__descriptor, -1,
                                          &message, &failure);
        }
        if (step == NQ_STEP_ITEM) {
            protobuf_c_message_free_unpacked(message, NULL);
            nq__fail(&failure, NQ_CODE_INTERNAL, "BAD_RESPONSE", "more than one response");
        }
        code = step == NQ_STEP_END && is_answered ? NQ_CODE_OK : failure.code;
    }
    if (code != NQ_CODE_OK && out_failure != NULL) {
        *out_failure = failure;
    }
    return code;
}

nq_code nq_client_load_offset(nq_client *client, const nq_load *load, uint64_t *out_offset,
                              nq_failure *out_failure) {
    *out_offset = 0;
    nq_client_call *call;
    nq_load_result result = {0};
    nq_code code = nq_client_call_open(client, INGEST, 0, &call, out_failure);
    if (code != NQ_CODE_OK) {
        return code;
    }
    code = send_header(call, load, out_failure);
    if (code == NQ_CODE_OK) {
        code = finish_call(call, &result, out_failure);
    }
    *out_offset = result.next_offset;
    nq_client_call_close(call);
    return code;
}

static nq_code init_builders(nq_loader *loader, const nq_load *load, nq_failure *out_failure) {
    size_t count = load->column_count;
    loader->column_count = count;
    loader->builders = calloc(count, sizeof *loader->builders);
    loader->columns = calloc(count, sizeof *loader->columns);
    loader->column_list = calloc(count, sizeof *loader->column_list);
    if (loader->builders == NULL || loader->columns == NULL || loader->column_list == NULL) {
        loader->column_count = loader->builders != NULL ? count : 0;
        return out_of_memory(out_failure);
    }
    for (size_t i = 0; i < count; i++) {
        loader->builders[i].type = load->column_types[i];
        loader->column_list[i] = &loader->columns[i];
        if (!reset_builder(&loader->builders[i])) {
            return out_of_memory(out_failure);
        }
    }
    return NQ_CODE_OK;
}

nq_code nq_client_load(nq_client *client, const nq_load *load, uint64_t offset,
                       nq_loader **out_loader, nq_failure *out_failure) {
    *out_loader = NULL;
    if (load->column_count == 0) {
        return nq__fail(out_failure, NQ_CODE_INVALID_ARGUMENT, "INVALID_ARGUMENT",
                        "a load needs at least one column");
    }
    nq_loader *loader = calloc(1, sizeof *loader);
    if (loader == NULL) {
        return out_of_memory(out_failure);
    }
    loader->offset = offset;
    loader->first_offset = offset;
    nq_code code = init_builders(loader, load, out_failure);
    if (code == NQ_CODE_OK) {
        code = nq_client_call_open(client, INGEST, 0, &loader->call, out_failure);
    }
    if (code == NQ_CODE_OK) {
        code = send_header(loader->call, load, out_failure);
    }
    if (code != NQ_CODE_OK) {
        nq_loader_close(loader);
        return code;
    }
    *out_loader = loader;
    return NQ_CODE_OK;
}

uint64_t nq_loader_sent(const nq_loader *loader) {
    return loader->offset - loader->first_offset;
}

nq_code nq_loader_finish(nq_loader *loader, nq_load_result *out_result, nq_failure *out_failure) {
    memset(out_result, 0, sizeof *out_result);
    nq_code code = send_rows(loader, out_failure);
    return code == NQ_CODE_OK ? finish_call(loader->call, out_result, out_failure) : code;
}

void nq_loader_close(nq_loader *loader) {
    if (loader == NULL) {
        return;
    }
    nq_client_call_close(loader->call);
    for (size_t i = 0; i < loader->column_count; i++) {
        free(loader->builders[i].validity.data);
        free(loader->builders[i].data.data);
        free(loader->builders[i].offsets.data);
    }
    free(loader->builders);
    free(loader->columns);
    free(loader->column_list);
    free(loader);
}
