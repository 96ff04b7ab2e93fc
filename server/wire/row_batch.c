/* Row batch: one Value per cell, written without any tree of messages. */
#include "server/wire/row_batch.h"

/* Field numbers of Value.kind; value_wire_test checks them against the generated code. */
enum {
    VALUE_NULL = 1,
    VALUE_BOOL = 2,
    VALUE_INT = 3,
    VALUE_DOUBLE = 4,
    VALUE_TEXT = 5,
    VALUE_BYTES = 6,
    VALUE_TIMESTAMP = 7,
    VALUE_DATE = 13,
    VALUE_TIME = 14,
    VALUE_UUID = 15,
    VALUE_FIXED_BYTES_MAX = 16,
    ROW_VALUES = 1,
    ROW_BATCH_ROWS = 1,
};

static uint64_t zigzag(int64_t value) {
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

/* A oneof member is written also when it holds its type's default: it says which kind it is. */
static void put_varint_kind(nq_writer *writer, uint32_t field, uint64_t value) {
    if (nq_writer_reserve(writer, VALUE_FIXED_BYTES_MAX)) {
        *writer->at++ = (uint8_t)(field << 3);
        writer->at = nq_varint_put(writer->at, value);
    }
}

static void put_fixed64_kind(nq_writer *writer, uint32_t field, const void *bits) {
    if (nq_writer_reserve(writer, VALUE_FIXED_BYTES_MAX)) {
        *writer->at++ = (uint8_t)(field << 3 | 1);
        memcpy(writer->at, bits, sizeof(uint64_t));
        writer->at += sizeof(uint64_t);
    }
}

static void put_kind(nq_writer *writer, nq_value value) {
    if (value.is_null) {
        put_varint_kind(writer, VALUE_NULL, 1);
        return;
    }
    switch (value.type) {
    case NQ_TYPE_BOOL:
        put_varint_kind(writer, VALUE_BOOL, value.boolean);
        return;
    case NQ_TYPE_INT16:
    case NQ_TYPE_INT32:
    case NQ_TYPE_INT64:
        put_varint_kind(writer, VALUE_INT, zigzag(value.integer));
        return;
    case NQ_TYPE_FLOAT32:
    case NQ_TYPE_FLOAT64:
        put_fixed64_kind(writer, VALUE_DOUBLE, &value.number);
        return;
    case NQ_TYPE_TIMESTAMP:
        put_fixed64_kind(writer, VALUE_TIMESTAMP, &value.integer);
        return;
    case NQ_TYPE_BYTES:
        nq_writer_put_element(writer, VALUE_BYTES, value.bytes);
        return;
    case NQ_TYPE_DATE:
        put_varint_kind(writer, VALUE_DATE, zigzag(value.integer));
        return;
    case NQ_TYPE_TIME:
        put_varint_kind(writer, VALUE_TIME, zigzag(value.integer));
        return;
    case NQ_TYPE_UUID:
        nq_writer_put_element(writer, VALUE_UUID, value.bytes);
        return;
    default:
        nq_writer_put_element(writer, VALUE_TEXT, value.bytes);
        return;
    }
}

void nq_value_write(nq_writer *writer, uint32_t field, nq_value value) {
    size_t opened = nq_writer_open(writer, field);
    put_kind(writer, value);
    nq_writer_close(writer, opened);
}

void nq_rows_write(nq_writer *writer, const nq_batch *batch) {
    for (uint32_t row = 0; row < batch->row_count && writer->status == NQ_OK; row++) {
        size_t opened = nq_writer_open(writer, ROW_BATCH_ROWS);
        for (uint32_t column = 0; column < batch->column_count; column++) {
            nq_value_write(writer, ROW_VALUES, nq_batch_value(batch, column, row));
        }
        nq_writer_close(writer, opened);
    }
}
