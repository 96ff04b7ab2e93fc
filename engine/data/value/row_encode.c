/* Writing rows. */
#include <string.h>

#include "engine/data/value/row.h"
#include "engine/data/value/row_internal.h"
#include "engine/ground/base/codec.h"
#include "engine/ground/base/heap.h"

void nq_row_buffer_deinit(nq_row_buffer *buffer) {
    nq_heap_free(buffer->data);
    *buffer = (nq_row_buffer){0};
}

static nq_status reserve(nq_ctx *ctx, nq_row_buffer *buffer, size_t size) {
    if (size > NQ_ROW_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a row of %zu bytes is longer than %d", size,
                       NQ_ROW_BYTES_MAX);
    }
    if (size > buffer->capacity) {
        size_t capacity = size < 256 ? 256 : size + size / 2;
        uint8_t *data = nq_heap_realloc(buffer->data, capacity);
        if (data == NULL) {
            return nq_fail_no_memory(ctx, "a row");
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    buffer->size = size;
    return NQ_OK;
}

static bool is_null_at(const nq_vector *column, uint32_t row) {
    return column->nulls != NULL && column->nulls[row] != 0;
}

static void encode_fixed(const nq_row_place *place, const nq_vector *column, uint32_t row,
                         uint8_t *target) {
    switch (place->type) {
    case NQ_TYPE_BOOL:
        *target = column->booleans[row];
        break;
    case NQ_TYPE_INT16:
        nq_store_le16(target, (uint16_t)column->integers[row]);
        break;
    case NQ_TYPE_INT32:
    case NQ_TYPE_DATE:
        nq_store_le32(target, (uint32_t)column->integers[row]);
        break;
    case NQ_TYPE_FLOAT32: {
        float number = (float)column->numbers[row];
        memcpy(target, &number, sizeof number);
        break;
    }
    case NQ_TYPE_FLOAT64:
        memcpy(target, &column->numbers[row], sizeof(double));
        break;
    case NQ_TYPE_UUID:
        memcpy(target, column->bytes[row].data, place->fixed_bytes);
        break;
    default:
        nq_store_le64(target, (uint64_t)column->integers[row]);
        break;
    }
}

static void store_end(uint8_t *ends, uint32_t index, bool is_wide, size_t end) {
    if (is_wide) {
        nq_store_le32(ends + (size_t)index * 4, (uint32_t)end);
    } else {
        nq_store_le16(ends + (size_t)index * 2, (uint16_t)end);
    }
}

static size_t measure_variable(const nq_row_layout *layout, const nq_batch *batch, uint32_t row) {
    size_t size = 0;
    for (uint32_t i = 0; i < layout->column_count && layout->variable_count > 0; i++) {
        const nq_vector *column = &batch->columns[i];
        if (layout->places[i].is_variable && !is_null_at(column, row)) {
            size += column->bytes[row].size;
        }
    }
    return size;
}

nq_status nq_row_encode(nq_ctx *ctx, const nq_row_layout *layout, const nq_batch *batch,
                        uint32_t row, nq_row_buffer *buffer) {
    size_t variable_size = measure_variable(layout, batch, row);
    bool is_wide = variable_size > UINT16_MAX;
    size_t ends_size = (size_t)layout->variable_count * (is_wide ? 4 : 2);
    NQ_TRY(reserve(ctx, buffer, layout->fixed_end + ends_size + variable_size));
    memset(buffer->data, 0, layout->fixed_end);
    buffer->data[0] = is_wide ? NQ__ROW_WIDE : 0;
    uint8_t *ends = buffer->data + layout->fixed_end;
    uint8_t *variable = ends + ends_size;
    size_t end = 0;
    for (uint32_t i = 0; i < layout->column_count; i++) {
        const nq_row_place *place = &layout->places[i];
        const nq_vector *column = &batch->columns[i];
        if (place->is_in_key_only) {
            continue;
        }
        bool is_null = is_null_at(column, row);
        if (is_null) {
            buffer->data[NQ__ROW_NULLS_OFFSET + place->null_bit / 8] |=
                (uint8_t)(1u << (place->null_bit % 8));
        }
        if (place->is_variable) {
            nq_bytes bytes = is_null ? (nq_bytes){NULL, 0} : column->bytes[row];
            if (bytes.size > 0) {
                memcpy(variable + end, bytes.data, bytes.size);
                end += bytes.size;
            }
            store_end(ends, place->index, is_wide, end);
        } else if (!is_null) {
            encode_fixed(place, column, row, buffer->data + place->offset);
        }
    }
    return NQ_OK;
}

nq_status nq_row_encode_key(nq_ctx *ctx, const nq_row_layout *layout, const nq_batch *batch,
                            uint32_t row, nq_key_buffer *key) {
    key->size = 0;
    for (uint32_t i = 0; i < layout->key_column_count; i++) {
        NQ_TRY(nq_key_append(ctx, key, layout->key_columns[i],
                             nq_batch_value(batch, layout->key_places[i], row)));
    }
    return NQ_OK;
}
