/* Batch: reading and building ColumnBatch, ENCODING_PLAIN as neuroquantum/v1/types.proto says.
 *
 * A received batch is checked once, whole; after that a read is an index and a memcpy. */
#include <string.h>

#include "sdk/c/client_internal.h"

/* Bytes of one row in Column.data; 0: one bit (BOOL) or variable width. */
static size_t width_of(nq_data_type type) {
    switch (type) {
    case NQ_DATA_INT16:
        return 2;
    case NQ_DATA_INT32:
    case NQ_DATA_FLOAT32:
    case NQ_DATA_DATE:
        return 4;
    case NQ_DATA_INT64:
    case NQ_DATA_FLOAT64:
    case NQ_DATA_TIMESTAMP:
    case NQ_DATA_TIME:
        return 8;
    case NQ_DATA_UUID:
        return 16;
    default:
        return 0;
    }
}

static int32_t read_offset(const uint8_t *offsets, uint64_t index) {
    int32_t offset;
    memcpy(&offset, offsets + 4 * index, sizeof offset);
    return offset;
}

static bool offsets_are_sound(const Neuroquantum__V1__Column *column, uint32_t row_count) {
    if (column->offsets.len != 4 * ((size_t)row_count + 1) ||
        read_offset(column->offsets.data, 0) != 0) {
        return false;
    }
    int32_t before = 0;
    for (uint32_t row = 1; row <= row_count; row++) {
        int32_t offset = read_offset(column->offsets.data, row);
        if (offset < before) {
            return false;
        }
        before = offset;
    }
    return (size_t)before <= column->data.len;
}

static bool column_is_sound(const Neuroquantum__V1__Column *column, nq_data_type type,
                            uint32_t row_count) {
    size_t bitmap_bytes = ((size_t)row_count + 7) / 8;
    if (column->encoding != NEUROQUANTUM__V1__ENCODING__ENCODING_UNSPECIFIED &&
        column->encoding != NEUROQUANTUM__V1__ENCODING__ENCODING_PLAIN) {
        return false;
    }
    if (column->validity.len != 0 && column->validity.len < bitmap_bytes) {
        return false;
    }
    if (column->validity.len == 0 && column->null_count != 0) {
        return false;
    }
    if (type == NQ_DATA_BOOL) {
        return column->data.len >= bitmap_bytes;
    }
    size_t width = width_of(type);
    return width != 0 ? column->data.len >= width * row_count
                      : offsets_are_sound(column, row_count);
}

nq_code nq__row_batch_check(const nq_row_batch *batch, nq_failure *out_failure) {
    const Neuroquantum__V1__ColumnBatch *message = batch->message;
    if (message->n_columns != batch->column_count) {
        return nq__fail(out_failure, NQ_CODE_INTERNAL, "BAD_RESPONSE",
                        "a batch of %zu columns in a result of %zu", message->n_columns,
                        batch->column_count);
    }
    if (message->compression != NEUROQUANTUM__V1__COMPRESSION__COMPRESSION_UNSPECIFIED &&
        message->compression != NEUROQUANTUM__V1__COMPRESSION__COMPRESSION_NONE) {
        return nq__fail(out_failure, NQ_CODE_INTERNAL, "BAD_RESPONSE",
                        "a compressed batch that was not asked for");
    }
    for (size_t i = 0; i < batch->column_count; i++) {
        if (!column_is_sound(message->columns[i], batch->columns[i].type, batch->row_count)) {
            return nq__fail(out_failure, NQ_CODE_INTERNAL, "BAD_RESPONSE",
                            "column '%s' of a batch is malformed", batch->columns[i].name);
        }
    }
    return NQ_CODE_OK;
}

uint32_t nq_row_batch_count(const nq_row_batch *batch) {
    return batch->row_count;
}

static bool bit_at(const uint8_t *bitmap, uint32_t row) {
    return (bitmap[row >> 3] >> (row & 7) & 1) != 0;
}

static void read_number(nq_datum *datum, const uint8_t *data, uint32_t row) {
    union {
        int16_t int16;
        int32_t int32;
        float float32;
        int64_t int64;
        double float64;
    } raw;
    size_t width = width_of(datum->type);
    memcpy(&raw, data + width * row, width);
    switch (datum->type) {
    case NQ_DATA_INT16:
        datum->integer = raw.int16;
        break;
    case NQ_DATA_INT32:
    case NQ_DATA_DATE:
        datum->integer = raw.int32;
        break;
    case NQ_DATA_FLOAT32:
        datum->number = (double)raw.float32;
        break;
    case NQ_DATA_FLOAT64:
        datum->number = raw.float64;
        break;
    default:
        datum->integer = raw.int64;
        break;
    }
}

nq_datum nq_row_batch_get(const nq_row_batch *batch, size_t column, uint32_t row) {
    const Neuroquantum__V1__Column *source = batch->message->columns[column];
    nq_datum datum = {.type = batch->columns[column].type};
    if (source->validity.len != 0 && !bit_at(source->validity.data, row)) {
        datum.is_null = true;
        return datum;
    }
    if (datum.type == NQ_DATA_BOOL) {
        datum.boolean = bit_at(source->data.data, row);
    } else if (datum.type == NQ_DATA_UUID) {
        datum.text = (const char *)source->data.data + 16 * (size_t)row;
        datum.text_bytes = 16;
    } else if (width_of(datum.type) != 0) {
        read_number(&datum, source->data.data, row);
    } else {
        int32_t from = read_offset(source->offsets.data, row);
        int32_t to = read_offset(source->offsets.data, (uint64_t)row + 1);
        datum.text = (const char *)source->data.data + from;
        datum.text_bytes = (size_t)(to - from);
    }
    return datum;
}
