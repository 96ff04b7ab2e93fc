/* Column batch, read: a stranger's buffers as vectors.
 *
 * The bytes are taken apart by hand rather than unpacked, so that the buffers are used where they
 * lie. Nothing is believed: a buffer's length must be exactly what its type and the row count make
 * it, offsets must rise within the data, texts must be UTF-8 and be cut between characters. */
#include <stdio.h>

#include "engine/ground/base/utf8.h"
#include "server/wire/column_batch_internal.h"

enum {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LENGTH = 2,
    WIRE_FIXED32 = 5,
    VARINT_BYTES_MAX = 10,
};

#define TIME_US_MAX INT64_C(86400000000)

/* One field of a message. */
typedef struct wire_field {
    uint32_t number;
    uint32_t wire_type;
    uint64_t value; /* VARINT */
    nq_bytes body;  /* LENGTH */
} wire_field;

/* A Column, as sent. */
typedef struct raw_column {
    uint64_t encoding;
    uint64_t null_count;
    nq_bytes validity;
    nq_bytes data;
    nq_bytes offsets;
    nq_bytes dictionary;
} raw_column;

/* The batch being read: what every check needs for its error. */
typedef struct batch_reader {
    nq_ctx *ctx;
    uint32_t row_count;
    uint32_t column;
    nq_type type;
} batch_reader;

static nq_status refuse(batch_reader *reader, nq_status code, const char *what) {
    char field[40];
    snprintf(field, sizeof field, "column_batch.columns[%u]", reader->column);
    nq_status status = nq_fail(reader->ctx, code, "field %s %s", field, what);
    nq_error_set_object(&reader->ctx->error, field, strlen(field));
    return status;
}

static bool take_varint(nq_bytes *rest, uint64_t *out_value) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < VARINT_BYTES_MAX && i < rest->size; i++) {
        value |= (uint64_t)(rest->data[i] & 0x7f) << (7 * i);
        if (rest->data[i] < 0x80) {
            *out_value = value;
            *rest = nq_bytes_of(rest->data + i + 1, rest->size - i - 1);
            return true;
        }
    }
    return false;
}

static bool take_bytes(nq_bytes *rest, uint64_t size, nq_bytes *out_bytes) {
    if (size > rest->size) {
        return false;
    }
    *out_bytes = nq_bytes_of(rest->data, (size_t)size);
    *rest = nq_bytes_of(rest->data + size, rest->size - (size_t)size);
    return true;
}

static bool take_field(nq_bytes *rest, wire_field *out) {
    uint64_t tag = 0;
    *out = (wire_field){0};
    if (!take_varint(rest, &tag) || tag < 8 || tag > UINT32_MAX) {
        return false;
    }
    out->number = (uint32_t)(tag >> 3);
    out->wire_type = (uint32_t)(tag & 7);
    switch (out->wire_type) {
    case WIRE_VARINT:
        return take_varint(rest, &out->value);
    case WIRE_FIXED64:
        return take_bytes(rest, 8, &out->body);
    case WIRE_FIXED32:
        return take_bytes(rest, 4, &out->body);
    case WIRE_LENGTH:
        return take_varint(rest, &out->value) && take_bytes(rest, out->value, &out->body);
    default:
        return false;
    }
}

static bool parse_column(nq_bytes rest, raw_column *out) {
    static const uint8_t nothing[1];
    /* Absent data is empty, but somewhere: offsets are added to it. */
    *out = (raw_column){.data = {nothing, 0}};
    wire_field field;
    while (rest.size > 0) {
        if (!take_field(&rest, &field)) {
            return false;
        }
        bool is_number = field.number <= NQ_COLUMN_FIELD_NULL_COUNT;
        if (field.number <= NQ_COLUMN_FIELD_DICTIONARY &&
            field.wire_type != (is_number ? WIRE_VARINT : WIRE_LENGTH)) {
            return false;
        }
        switch (field.number) {
        case NQ_COLUMN_FIELD_ENCODING:
            out->encoding = field.value;
            break;
        case NQ_COLUMN_FIELD_NULL_COUNT:
            out->null_count = field.value;
            break;
        case NQ_COLUMN_FIELD_VALIDITY:
            out->validity = field.body;
            break;
        case NQ_COLUMN_FIELD_DATA:
            out->data = field.body;
            break;
        case NQ_COLUMN_FIELD_OFFSETS:
            out->offsets = field.body;
            break;
        case NQ_COLUMN_FIELD_DICTIONARY:
            out->dictionary = field.body;
            break;
        default:
            break;
        }
    }
    return true;
}

static nq_status unpack_bits(batch_reader *reader, nq_bytes bits, bool inverted,
                             const uint8_t **out_bytes, uint64_t *out_ones) {
    uint8_t *bytes = nq_arena_alloc(reader->ctx->scratch, reader->row_count + 1U);
    if (bytes == NULL) {
        return nq_fail_no_memory(reader->ctx, "the rows");
    }
    uint64_t ones = 0;
    for (uint32_t i = 0; i < reader->row_count; i++) {
        bytes[i] = (uint8_t)(((bits.data[i / 8] >> (i % 8)) & 1) ^ (uint32_t)inverted);
        ones += bytes[i];
    }
    *out_bytes = bytes;
    *out_ones = ones;
    return NQ_OK;
}

static nq_status read_validity(batch_reader *reader, const raw_column *raw, nq_vector *out) {
    if (raw->validity.size == 0) {
        return raw->null_count == 0
                   ? NQ_OK
                   : refuse(reader, NQ_INVALID_REQUEST, "counts nulls but has no validity bitmap");
    }
    if (raw->validity.size != ((size_t)reader->row_count + 7) / 8) {
        return refuse(reader, NQ_INVALID_REQUEST, "has a validity bitmap of the wrong length");
    }
    uint64_t null_count = 0;
    NQ_TRY(unpack_bits(reader, raw->validity, true, &out->nulls, &null_count));
    return null_count == raw->null_count
               ? NQ_OK
               : refuse(reader, NQ_INVALID_REQUEST, "has a null_count unlike its validity bitmap");
}

/* Widens each slot of `width` bytes to int64_t, or uses the buffer as it lies. */
static nq_status read_integers(batch_reader *reader, nq_bytes data, size_t width, nq_vector *out) {
    if (width == sizeof(int64_t) && (uintptr_t)data.data % _Alignof(int64_t) == 0) {
        out->values = data.data;
        return NQ_OK;
    }
    int64_t *integers =
        nq_arena_calloc(reader->ctx->scratch, reader->row_count + 1U, sizeof *integers);
    if (integers == NULL) {
        return nq_fail_no_memory(reader->ctx, "the rows");
    }
    for (uint32_t i = 0; i < reader->row_count; i++) {
        const uint8_t *slot = data.data + (size_t)i * width;
        int16_t narrow;
        int32_t middle;
        switch (width) {
        case sizeof narrow:
            memcpy(&narrow, slot, sizeof narrow);
            integers[i] = narrow;
            break;
        case sizeof middle:
            memcpy(&middle, slot, sizeof middle);
            integers[i] = middle;
            break;
        default:
            memcpy(&integers[i], slot, sizeof integers[i]);
            break;
        }
    }
    out->integers = integers;
    return NQ_OK;
}

static nq_status read_floats(batch_reader *reader, nq_bytes data, nq_vector *out) {
    double *numbers =
        nq_arena_calloc(reader->ctx->scratch, reader->row_count + 1U, sizeof *numbers);
    if (numbers == NULL) {
        return nq_fail_no_memory(reader->ctx, "the rows");
    }
    for (uint32_t i = 0; i < reader->row_count; i++) {
        float narrow;
        memcpy(&narrow, data.data + (size_t)i * sizeof narrow, sizeof narrow);
        numbers[i] = (double)narrow;
    }
    out->numbers = numbers;
    return NQ_OK;
}

static nq_status check_times(batch_reader *reader, const nq_vector *vector) {
    for (uint32_t i = 0; i < reader->row_count; i++) {
        if (vector->integers[i] < 0 || vector->integers[i] > TIME_US_MAX) {
            return refuse(reader, NQ_INVALID_REQUEST, "holds what is not a time of the day");
        }
    }
    return NQ_OK;
}

static nq_status read_fixed(batch_reader *reader, const raw_column *raw, nq_vector *out) {
    size_t width = nq__column_width(reader->type.id);
    if (raw->data.size != (size_t)reader->row_count * width) {
        return refuse(reader, NQ_INVALID_REQUEST, "holds data of the wrong length for its type");
    }
    if (reader->type.id == NQ_TYPE_FLOAT32) {
        return read_floats(reader, raw->data, out);
    }
    if (reader->type.id != NQ_TYPE_UUID) {
        NQ_TRY(read_integers(reader, raw->data, width, out));
        return reader->type.id == NQ_TYPE_TIME ? check_times(reader, out) : NQ_OK;
    }
    nq_bytes *ids = nq_arena_calloc(reader->ctx->scratch, reader->row_count + 1U, sizeof *ids);
    if (ids == NULL) {
        return nq_fail_no_memory(reader->ctx, "the rows");
    }
    for (uint32_t i = 0; i < reader->row_count; i++) {
        ids[i] = nq_bytes_of(raw->data.data + (size_t)i * width, width);
    }
    out->bytes = ids;
    return NQ_OK;
}

static nq_status read_bytes(batch_reader *reader, const raw_column *raw, nq_vector *out) {
    bool is_text = reader->type.id == NQ_TYPE_TEXT;
    if (raw->offsets.size != ((size_t)reader->row_count + 1) * sizeof(uint32_t)) {
        return refuse(reader, NQ_INVALID_REQUEST, "holds offsets of the wrong length");
    }
    if (is_text && !nq_utf8_is_text(raw->data)) {
        return refuse(reader, NQ_INVALID_UTF8, "is not valid UTF-8 or holds U+0000");
    }
    nq_bytes *values =
        nq_arena_calloc(reader->ctx->scratch, reader->row_count + 1U, sizeof *values);
    if (values == NULL) {
        return nq_fail_no_memory(reader->ctx, "the rows");
    }
    uint32_t start = 0, end = 0;
    memcpy(&start, raw->offsets.data, sizeof start);
    if (start != 0) {
        return refuse(reader, NQ_INVALID_REQUEST, "has offsets that do not begin at 0");
    }
    for (uint32_t i = 0; i < reader->row_count; i++) {
        memcpy(&end, raw->offsets.data + ((size_t)i + 1) * sizeof end, sizeof end);
        if (end < start || end > raw->data.size) {
            return refuse(reader, NQ_INVALID_REQUEST, "has offsets that leave its data");
        }
        /* A continuation byte cannot begin a text: the whole was checked, so the parts are UTF-8.
         */
        if (is_text && start < raw->data.size && (raw->data.data[start] & 0xc0) == 0x80) {
            return refuse(reader, NQ_INVALID_UTF8, "has offsets that cut a character");
        }
        values[i] = nq_bytes_of(raw->data.data + start, end - start);
        start = end;
    }
    if (start != raw->data.size) {
        return refuse(reader, NQ_INVALID_REQUEST, "has data beyond its last offset");
    }
    out->bytes = values;
    return NQ_OK;
}

static nq_status read_column(batch_reader *reader, nq_bytes body, nq_vector *out) {
    raw_column raw;
    *out = (nq_vector){.type = reader->type};
    if (!parse_column(body, &raw)) {
        return refuse(reader, NQ_INVALID_REQUEST, "is malformed");
    }
    if (raw.encoding > NQ_COLUMN_ENCODING_PLAIN) {
        return refuse(reader, NQ_FEATURE_UNSUPPORTED, "is not PLAIN, the only encoding so far");
    }
    if (raw.dictionary.size > 0) {
        return refuse(reader, NQ_INVALID_REQUEST, "is PLAIN but has a dictionary");
    }
    NQ_TRY(read_validity(reader, &raw, out));
    if (nq__column_has_offsets(reader->type.id)) {
        return read_bytes(reader, &raw, out);
    }
    if (raw.offsets.size > 0) {
        return refuse(reader, NQ_INVALID_REQUEST, "has offsets, which its type does not take");
    }
    if (reader->type.id != NQ_TYPE_BOOL) {
        return read_fixed(reader, &raw, out);
    }
    if (raw.data.size != ((size_t)reader->row_count + 7) / 8) {
        return refuse(reader, NQ_INVALID_REQUEST, "holds data of the wrong length for its type");
    }
    uint64_t ones = 0;
    return unpack_bits(reader, raw.data, false, &out->booleans, &ones);
}

/* Cuts the columns into batches of NQ_BATCH_ROWS_MAX rows without touching a value. */
nq_status nq__batch_list_cut(nq_ctx *ctx, const nq_vector *columns, uint32_t column_count,
                             uint32_t row_count, nq_batch_list *out) {
    uint32_t batch_count = (row_count + NQ_BATCH_ROWS_MAX - 1) / NQ_BATCH_ROWS_MAX;
    nq_batch *batches = nq_arena_calloc(ctx->scratch, batch_count + 1U, sizeof *batches);
    nq_vector *parts =
        nq_arena_calloc(ctx->scratch, (size_t)batch_count * column_count + 1, sizeof *parts);
    if (batches == NULL || parts == NULL) {
        return nq_fail_no_memory(ctx, "the rows");
    }
    for (uint32_t b = 0; b < batch_count; b++) {
        uint32_t first = b * NQ_BATCH_ROWS_MAX;
        nq_vector *part = parts + (size_t)b * column_count;
        for (uint32_t c = 0; c < column_count; c++) {
            const nq_vector *whole = &columns[c];
            size_t element_bytes = nq_form_bytes(nq_type_form(whole->type.id));
            part[c].type = whole->type;
            part[c].nulls = whole->nulls == NULL ? NULL : whole->nulls + first;
            part[c].values = (const uint8_t *)whole->values + first * element_bytes;
        }
        uint32_t rest = row_count - first;
        batches[b] = (nq_batch){
            .row_count = rest < NQ_BATCH_ROWS_MAX ? rest : NQ_BATCH_ROWS_MAX,
            .column_count = column_count,
            .columns = part,
        };
    }
    *out = (nq_batch_list){.batches = batches, .batch_count = batch_count, .row_count = row_count};
    return NQ_OK;
}

/* The scalar fields, and where each column's bytes are. */
static nq_status parse_batch(nq_ctx *ctx, nq_bytes rest, uint32_t type_count, nq_bytes *columns,
                             uint32_t *out_row_count) {
    uint64_t row_count = 0, compression = 0, uncompressed_bytes = 0;
    uint32_t column_count = 0;
    wire_field field;
    while (rest.size > 0) {
        if (!take_field(&rest, &field)) {
            return nq_fail(ctx, NQ_INVALID_REQUEST, "the column batch is malformed");
        }
        bool is_column = field.number == NQ_BATCH_FIELD_COLUMNS;
        if (field.number <= NQ_BATCH_FIELD_UNCOMPRESSED_BYTES &&
            field.wire_type != (is_column ? WIRE_LENGTH : WIRE_VARINT)) {
            return nq_fail(ctx, NQ_INVALID_REQUEST, "the column batch is malformed");
        }
        if (field.number == NQ_BATCH_FIELD_ROW_COUNT) {
            row_count = field.value;
        } else if (field.number == NQ_BATCH_FIELD_COMPRESSION) {
            compression = field.value;
        } else if (field.number == NQ_BATCH_FIELD_UNCOMPRESSED_BYTES) {
            uncompressed_bytes = field.value;
        } else if (is_column && column_count++ < type_count) {
            columns[column_count - 1] = field.body;
        }
    }
    if (compression > NQ_COMPRESSION_NONE || uncompressed_bytes > 0) {
        return nq_fail(ctx, NQ_FEATURE_UNSUPPORTED,
                       "a compressed column batch is not supported by this version");
    }
    if (column_count != type_count || column_count == 0) {
        return nq_fail(ctx, NQ_INVALID_REQUEST, "the column batch has %u columns, %u were expected",
                       column_count, type_count);
    }
    if (row_count > INT32_MAX) {
        return nq_fail(ctx, NQ_INVALID_REQUEST, "the column batch claims too many rows");
    }
    *out_row_count = (uint32_t)row_count;
    return NQ_OK;
}

nq_status nq_column_batch_read(nq_ctx *ctx, nq_bytes message, const nq_type *types,
                               uint32_t type_count, nq_batch_list *out_batches) {
    *out_batches = (nq_batch_list){0};
    nq_bytes *bodies = nq_arena_calloc(ctx->scratch, type_count + 1U, sizeof *bodies);
    nq_vector *columns = nq_arena_calloc(ctx->scratch, type_count + 1U, sizeof *columns);
    if (bodies == NULL || columns == NULL) {
        return nq_fail_no_memory(ctx, "the columns");
    }
    batch_reader reader = {.ctx = ctx};
    NQ_TRY(parse_batch(ctx, message, type_count, bodies, &reader.row_count));
    for (uint32_t i = 0; i < type_count; i++) {
        reader.column = i;
        reader.type = types[i];
        NQ_TRY(read_column(&reader, bodies[i], &columns[i]));
    }
    return nq__batch_list_cut(ctx, columns, type_count, reader.row_count, out_batches);
}
