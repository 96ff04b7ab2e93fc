/* Ingest wire: the messages of an Ingest call.
 *
 * The envelope is taken apart by hand, so that a column batch is read where it lies instead of
 * being copied by the unpacker; the guard has seen all of it before. */
#include <stdio.h>

#include "server/wire/column_batch_internal.h"
#include "server/wire/statement_internal.h"

enum {
    FIELD_HEADER = 1,
    FIELD_COLUMN_BATCH = 2,
    FIELD_ROWS = 3,
    FIELD_OFFSET = 4,
    ROWS_PER_TRANSACTION_MAX = 1 << 20,
    INGEST_COLUMNS_MAX = 4096,
};

/* The oneof member sent last, and the offset. */
typedef struct envelope {
    uint32_t member; /* 0: none */
    nq_bytes body;
    uint64_t offset;
} envelope;

static const uint8_t *read_varint(const uint8_t *at, uint64_t *out_value) {
    uint64_t value = 0;
    uint32_t shift = 0;
    do {
        value |= (uint64_t)(*at & 0x7f) << shift;
        shift += 7;
    } while (*at++ >= 0x80);
    *out_value = value;
    return at;
}

/* The guard has proved that every tag and length below is whole. */
static void open_envelope(nq_bytes message, envelope *out) {
    *out = (envelope){0};
    const uint8_t *at = message.data, *end = message.data + message.size;
    while (at < end) {
        uint64_t tag = 0, value = 0;
        at = read_varint(at, &tag);
        switch (tag & 7) {
        case 0:
            at = read_varint(at, &value);
            break;
        case 1:
            at += 8;
            break;
        case 5:
            at += 4;
            break;
        default:
            at = read_varint(at, &value);
            if (tag >> 3 <= FIELD_ROWS) {
                out->member = (uint32_t)(tag >> 3);
                out->body = nq_bytes_of(at, (size_t)value);
            }
            at += value;
            break;
        }
        if (tag >> 3 == FIELD_OFFSET) {
            out->offset = value;
        }
    }
}

static nq_status read_header(nq_ctx *ctx, nq_bytes body, nq_ingest_header *out) {
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__ingest_header__descriptor, body, &unpacked));
    const Neuroquantum__V1__IngestHeader *header = unpacked;
    out->table = nq__wire_text(header->table);
    out->upsert = header->upsert != 0;
    out->rows_per_transaction = header->rows_per_transaction;
    if (out->table.size == 0) {
        return nq__wire_refuse(ctx, "header.table", "is empty");
    }
    if (header->rows_per_transaction > ROWS_PER_TRANSACTION_MAX) {
        return nq__wire_refuse(ctx, "header.rows_per_transaction", "is above 1048576");
    }
    if (header->n_columns > INGEST_COLUMNS_MAX) {
        return nq__wire_refuse(ctx, "header.columns", "holds more than 4096 columns");
    }
    NQ_TRY(nq__wire_id(ctx, "header.ingest_id", header->ingest_id, &out->ingest_id));
    nq_bytes *names = nq_arena_calloc(ctx->scratch, header->n_columns + 1, sizeof *names);
    nq_type *types = nq_arena_calloc(ctx->scratch, header->n_columns + 1, sizeof *types);
    if (names == NULL || types == NULL) {
        return nq_fail_no_memory(ctx, "the columns");
    }
    for (uint32_t i = 0; i < header->n_columns; i++) {
        char field[40];
        snprintf(field, sizeof field, "header.columns[%u]", i);
        names[i] = nq__wire_text(header->columns[i]->name);
        if (names[i].size == 0) {
            return nq__wire_refuse(ctx, field, "has no name");
        }
        NQ_TRY(nq__wire_type(ctx, field, header->columns[i]->type, &types[i]));
    }
    out->columns = names;
    out->types = types;
    out->column_count = (uint32_t)header->n_columns;
    return NQ_OK;
}

static void set_element(nq_vector *vector, void *values, uint8_t *nulls, uint32_t row,
                        const nq_value *value) {
    nulls[row] = value->is_null;
    if (value->is_null) {
        return;
    }
    switch (nq_type_form(vector->type.id)) {
    case NQ_FORM_BOOL:
        ((uint8_t *)values)[row] = value->boolean;
        return;
    case NQ_FORM_INT64:
        ((int64_t *)values)[row] = value->integer;
        return;
    case NQ_FORM_FLOAT64:
        ((double *)values)[row] = value->number;
        return;
    case NQ_FORM_BYTES:
        ((nq_bytes *)values)[row] = value->bytes;
        return;
    }
}

static nq_status read_row_column(nq_ctx *ctx, const Neuroquantum__V1__RowBatch *rows,
                                 uint32_t column, nq_type type, nq_vector *out) {
    uint32_t row_count = (uint32_t)rows->n_rows;
    void *values =
        nq_arena_calloc(ctx->scratch, row_count + 1U, nq_form_bytes(nq_type_form(type.id)));
    uint8_t *nulls = nq_arena_calloc(ctx->scratch, row_count + 1U, 1);
    if (values == NULL || nulls == NULL) {
        return nq_fail_no_memory(ctx, "the rows");
    }
    *out = (nq_vector){.type = type, .nulls = nulls, .values = values};
    for (uint32_t row = 0; row < row_count; row++) {
        const Neuroquantum__V1__Value *sent = rows->rows[row]->values[column];
        nq_value value;
        if (nq__wire_value(ctx, "rows", sent, type, &value) != NQ_OK) {
            /* Paths are made for errors only: again, to say where. */
            char field[64];
            snprintf(field, sizeof field, "rows.rows[%u].values[%u]", row, column);
            return nq__wire_value(ctx, field, sent, type, &value);
        }
        set_element(out, values, nulls, row, &value);
    }
    return NQ_OK;
}

static nq_status read_rows(nq_ctx *ctx, nq_bytes body, const nq_type *types, uint32_t type_count,
                           nq_batch_list *out) {
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__row_batch__descriptor, body, &unpacked));
    const Neuroquantum__V1__RowBatch *rows = unpacked;
    for (uint32_t row = 0; row < rows->n_rows; row++) {
        if (rows->rows[row]->n_values != type_count) {
            char field[40], why[64];
            snprintf(field, sizeof field, "rows.rows[%u]", row);
            snprintf(why, sizeof why, "has %zu values, %u were expected", rows->rows[row]->n_values,
                     type_count);
            return nq__wire_refuse(ctx, field, why);
        }
    }
    nq_vector *columns = nq_arena_calloc(ctx->scratch, type_count + 1U, sizeof *columns);
    if (columns == NULL) {
        return nq_fail_no_memory(ctx, "the columns");
    }
    for (uint32_t column = 0; column < type_count; column++) {
        NQ_TRY(read_row_column(ctx, rows, column, types[column], &columns[column]));
    }
    return nq__batch_list_cut(ctx, columns, type_count, (uint32_t)rows->n_rows, out);
}

nq_status nq_ingest_message_decode(nq_ctx *ctx, nq_bytes message, const nq_type *types,
                                   uint32_t type_count, nq_ingest_message *out) {
    *out = (nq_ingest_message){0};
    size_t memory_bytes = 0;
    size_t room = ctx->scratch->budget_bytes - ctx->scratch->taken_bytes;
    NQ_TRY(nq__guard_check(ctx, &neuroquantum__v1__ingest_request__descriptor, message, room,
                           &memory_bytes));
    envelope sent;
    open_envelope(message, &sent);
    out->offset = sent.offset;
    if (sent.member == 0) {
        return nq__wire_refuse(ctx, "message", "is missing: a header, a column_batch or rows");
    }
    if (sent.member == FIELD_HEADER) {
        out->kind = NQ_INGEST_HEADER;
        return read_header(ctx, sent.body, &out->header);
    }
    out->kind = NQ_INGEST_BATCH;
    if (type_count == 0) {
        return nq__wire_refuse(ctx, "message", "holds rows before the header");
    }
    return sent.member == FIELD_COLUMN_BATCH
               ? nq_column_batch_read(ctx, sent.body, types, type_count, &out->batches)
               : read_rows(ctx, sent.body, types, type_count, &out->batches);
}
