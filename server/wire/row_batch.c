/* Row batch: one Value per cell, written without any tree of messages. */
#include "server/wire/row_batch.h"

/* Field numbers of Value.kind; query_encode_test checks them against the generated code. */
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
    ROW_VALUES = 1,
    ROW_BATCH_ROWS = 1,
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LENGTH = 2,
    FRAME_BYTES_MAX = 20, /* a tag and a length */
};

/* A member's encoding, known before anything is written: its length decides the Value's. */
typedef struct value_form {
    uint8_t tag;         /* of the member: number and wire type */
    uint8_t fixed_bytes; /* 8: `bits` follow as they are */
    uint64_t bits;       /* a varint, or the eight bytes */
    nq_bytes bytes;      /* after their length, when the wire type is LENGTH */
} value_form;

static value_form varint_form(uint32_t member, uint64_t bits) {
    return (value_form){.tag = (uint8_t)(member << 3 | WIRE_VARINT), .bits = bits};
}

static value_form zigzag_form(uint32_t member, int64_t value) {
    return varint_form(member, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static value_form fixed_form(uint32_t member, const void *eight_bytes) {
    value_form form = {.tag = (uint8_t)(member << 3 | WIRE_FIXED64), .fixed_bytes = 8};
    memcpy(&form.bits, eight_bytes, sizeof form.bits);
    return form;
}

static value_form bytes_form(uint32_t member, nq_bytes bytes) {
    return (value_form){
        .tag = (uint8_t)(member << 3 | WIRE_LENGTH), .bits = bytes.size, .bytes = bytes};
}

/* A oneof member is written also when it holds its type's default: it says which kind it is. */
static value_form form_of(nq_value value) {
    if (value.is_null) {
        return varint_form(VALUE_NULL, 1);
    }
    switch (value.type) {
    case NQ_TYPE_BOOL:
        return varint_form(VALUE_BOOL, value.boolean);
    case NQ_TYPE_INT16:
    case NQ_TYPE_INT32:
    case NQ_TYPE_INT64:
        return zigzag_form(VALUE_INT, value.integer);
    case NQ_TYPE_FLOAT32:
    case NQ_TYPE_FLOAT64:
        return fixed_form(VALUE_DOUBLE, &value.number);
    case NQ_TYPE_TIMESTAMP:
        return fixed_form(VALUE_TIMESTAMP, &value.integer);
    case NQ_TYPE_DATE:
        return zigzag_form(VALUE_DATE, value.integer);
    case NQ_TYPE_TIME:
        return zigzag_form(VALUE_TIME, value.integer);
    case NQ_TYPE_BYTES:
        return bytes_form(VALUE_BYTES, value.bytes);
    case NQ_TYPE_UUID:
        return bytes_form(VALUE_UUID, value.bytes);
    default:
        return bytes_form(VALUE_TEXT, value.bytes);
    }
}

void nq_value_write(nq_writer *writer, uint32_t field, nq_value value) {
    value_form form = form_of(value);
    size_t body_bytes = 1 + form.bytes.size +
                        (form.fixed_bytes > 0 ? form.fixed_bytes : nq_varint_bytes(form.bits));
    if (!nq_writer_reserve(writer, FRAME_BYTES_MAX + body_bytes)) {
        return;
    }
    uint8_t *at = nq_varint_put(writer->at, (uint64_t)field << 3 | WIRE_LENGTH);
    at = nq_varint_put(at, body_bytes);
    *at++ = form.tag;
    if (form.fixed_bytes > 0) {
        memcpy(at, &form.bits, sizeof form.bits);
        at += sizeof form.bits;
    } else {
        at = nq_varint_put(at, form.bits);
    }
    if (form.bytes.size > 0) {
        memcpy(at, form.bytes.data, form.bytes.size);
    }
    writer->at = at + form.bytes.size;
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
