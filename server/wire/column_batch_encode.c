/* Column batch, written: one tight loop a column, straight into the payload.
 *
 * The bound is computed first, so that nothing inside the loops can fail; lengths that are only
 * known after the data are five-byte padded varints, patched in when the column closes. */
#include "server/wire/column_batch_internal.h"

enum {
    /* Tags and lengths around one column's four parts, and around the batch. */
    COLUMN_FRAME_BYTES_MAX = 64,
    BATCH_FRAME_BYTES_MAX = 32,
};

size_t nq__column_width(nq_type_id type) {
    switch (type) {
    case NQ_TYPE_INT16:
        return 2;
    case NQ_TYPE_INT32:
    case NQ_TYPE_DATE:
    case NQ_TYPE_FLOAT32:
        return 4;
    case NQ_TYPE_UUID:
        return NQ_UUID_BYTES;
    default:
        return 8;
    }
}

uint32_t nq__column_pack_bits(const uint8_t *bytes, uint32_t count, bool inverted,
                              uint8_t *out_bits) {
    const uint64_t lowest = UINT64_C(0x0101010101010101);
    uint64_t flip = inverted ? lowest : 0;
    uint32_t ones = 0, row = 0;
    for (; row + 8 <= count; row += 8) {
        uint64_t eight;
        memcpy(&eight, bytes + row, sizeof eight);
        eight = (eight ^ flip) & lowest;
        /* The product gathers bit 0 of byte i into bit i of the top byte. */
        uint8_t bits = (uint8_t)(eight * UINT64_C(0x0102040810204080) >> 56);
        *out_bits++ = bits;
        ones += (uint32_t)__builtin_popcount(bits);
    }
    if (row < count) {
        uint8_t bits = 0;
        for (uint32_t i = 0; row + i < count; i++) {
            bits |= (uint8_t)((uint32_t)((bytes[row + i] & 1) ^ inverted) << i);
        }
        *out_bits = bits;
        ones += (uint32_t)__builtin_popcount(bits);
    }
    return ones;
}

void nq__column_put_fixed(const nq_vector *vector, uint32_t row_count, uint8_t *restrict out) {
    switch (vector->type.id) {
    case NQ_TYPE_INT16:
        for (uint32_t i = 0; i < row_count; i++) {
            int16_t narrow = (int16_t)vector->integers[i];
            memcpy(out + (size_t)i * sizeof narrow, &narrow, sizeof narrow);
        }
        return;
    case NQ_TYPE_INT32:
    case NQ_TYPE_DATE:
        for (uint32_t i = 0; i < row_count; i++) {
            int32_t narrow = (int32_t)vector->integers[i];
            memcpy(out + (size_t)i * sizeof narrow, &narrow, sizeof narrow);
        }
        return;
    case NQ_TYPE_FLOAT32:
        for (uint32_t i = 0; i < row_count; i++) {
            float narrow = (float)vector->numbers[i];
            memcpy(out + (size_t)i * sizeof narrow, &narrow, sizeof narrow);
        }
        return;
    case NQ_TYPE_UUID:
        for (uint32_t i = 0; i < row_count; i++) {
            uint8_t *slot = out + (size_t)i * NQ_UUID_BYTES;
            if (vector->bytes[i].size == NQ_UUID_BYTES) {
                memcpy(slot, vector->bytes[i].data, NQ_UUID_BYTES);
            } else {
                memset(slot, 0, NQ_UUID_BYTES);
            }
        }
        return;
    default:
        memcpy(out, vector->values, (size_t)row_count * sizeof(int64_t));
        return;
    }
}

uint64_t nq__column_data_bytes(const nq_vector *vector, uint32_t row_count) {
    if (!nq__column_has_offsets(vector->type.id)) {
        return vector->type.id == NQ_TYPE_BOOL
                   ? (row_count + 7) / 8
                   : (uint64_t)row_count * nq__column_width(vector->type.id);
    }
    uint64_t total = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        total += vector->bytes[i].size;
    }
    return total;
}

size_t nq_column_batch_bytes_max(const nq_batch *batch) {
    size_t total = BATCH_FRAME_BYTES_MAX;
    for (uint32_t i = 0; i < batch->column_count; i++) {
        const nq_vector *vector = &batch->columns[i];
        total += COLUMN_FRAME_BYTES_MAX + (batch->row_count + 7) / 8 +
                 (size_t)nq__column_data_bytes(vector, batch->row_count);
        if (nq__column_has_offsets(vector->type.id)) {
            total += ((size_t)batch->row_count + 1) * sizeof(int32_t);
        }
    }
    return total;
}

static uint8_t *put_length(uint8_t *at, uint32_t field, uint64_t length) {
    *at++ = (uint8_t)(field << 3 | 2);
    return nq_varint_put(at, length);
}

/* Offsets before data: they tell the data's length. */
static uint8_t *put_texts(uint8_t *at, const nq_vector *vector, uint32_t row_count) {
    at = put_length(at, NQ_COLUMN_FIELD_OFFSETS, ((uint64_t)row_count + 1) * sizeof(int32_t));
    uint32_t offset = 0;
    memcpy(at, &offset, sizeof offset);
    for (uint32_t i = 0; i < row_count; i++) {
        offset += (uint32_t)vector->bytes[i].size;
        memcpy(at + ((size_t)i + 1) * sizeof offset, &offset, sizeof offset);
    }
    at += ((size_t)row_count + 1) * sizeof offset;
    if (offset == 0) {
        return at;
    }
    at = put_length(at, NQ_COLUMN_FIELD_DATA, offset);
    for (uint32_t i = 0; i < row_count; i++) {
        size_t size = vector->bytes[i].size;
        const uint8_t *data = vector->bytes[i].data;
        if (size <= 16) {
            /* Most texts of real tables are short; a call costs more than this loop. */
            for (size_t j = 0; j < size; j++) {
                at[j] = data[j];
            }
        } else {
            memcpy(at, data, size);
        }
        at += size;
    }
    return at;
}

static uint8_t *put_column(uint8_t *at, const nq_vector *vector, uint32_t row_count) {
    *at++ = NQ_COLUMN_FIELD_ENCODING << 3;
    *at++ = NQ_COLUMN_ENCODING_PLAIN;
    if (vector->nulls != NULL) {
        /* Written in place and taken back when it turns out that no row is null. */
        size_t bitmap_bytes = (row_count + 7) / 8;
        uint8_t *bits = put_length(at, NQ_COLUMN_FIELD_VALIDITY, bitmap_bytes);
        uint32_t null_count =
            row_count - nq__column_pack_bits(vector->nulls, row_count, true, bits);
        if (null_count > 0) {
            at = bits + bitmap_bytes;
            *at++ = NQ_COLUMN_FIELD_NULL_COUNT << 3;
            at = nq_varint_put(at, null_count);
        }
    }
    if (nq__column_has_offsets(vector->type.id)) {
        return put_texts(at, vector, row_count);
    }
    size_t data_bytes = (size_t)nq__column_data_bytes(vector, row_count);
    at = put_length(at, NQ_COLUMN_FIELD_DATA, data_bytes);
    if (vector->type.id == NQ_TYPE_BOOL) {
        (void)nq__column_pack_bits(vector->booleans, row_count, false, at);
    } else {
        nq__column_put_fixed(vector, row_count, at);
    }
    return at + data_bytes;
}

void nq_column_batch_write(nq_writer *writer, uint32_t field, const nq_batch *batch) {
    if (!nq_writer_reserve(writer, nq_column_batch_bytes_max(batch))) {
        return;
    }
    size_t opened = nq_writer_open(writer, field);
    nq_writer_put_uint(writer, NQ_BATCH_FIELD_ROW_COUNT, batch->row_count);
    for (uint32_t i = 0; i < batch->column_count; i++) {
        size_t column = nq_writer_open(writer, NQ_BATCH_FIELD_COLUMNS);
        writer->at = put_column(writer->at, &batch->columns[i], batch->row_count);
        nq_writer_close(writer, column);
    }
    nq_writer_put_uint(writer, NQ_BATCH_FIELD_COMPRESSION, NQ_COMPRESSION_NONE);
    nq_writer_close(writer, opened);
}
