/* Reading rows: a list of steps made once, walked for each row, so that a scan touches only the
 * columns it wants and each row once. */
#include <string.h>

#include "engine/data/value/row.h"
#include "engine/data/value/row_internal.h"
#include "engine/ground/base/codec.h"

enum row_op { OP_BOOL, OP_INT16, OP_INT32, OP_INT64, OP_FLOAT32, OP_FLOAT64, OP_UUID, OP_VARIABLE };

static uint8_t op_of(const nq_row_place *place) {
    switch (place->type) {
    case NQ_TYPE_BOOL:
        return OP_BOOL;
    case NQ_TYPE_INT16:
        return OP_INT16;
    case NQ_TYPE_INT32:
    case NQ_TYPE_DATE:
        return OP_INT32;
    case NQ_TYPE_INT64:
    case NQ_TYPE_TIMESTAMP:
    case NQ_TYPE_TIME:
        return OP_INT64;
    case NQ_TYPE_FLOAT32:
        return OP_FLOAT32;
    case NQ_TYPE_FLOAT64:
        return OP_FLOAT64;
    case NQ_TYPE_UUID:
        return OP_UUID;
    default:
        return OP_VARIABLE;
    }
}

static void add_key_step(nq_row_decoder *decoder, uint32_t key_column, uint32_t column) {
    for (uint32_t i = decoder->key_step_count; i <= key_column; i++) {
        decoder->key_steps[i].column = UINT32_MAX;
    }
    if (decoder->key_step_count <= key_column) {
        decoder->key_step_count = key_column + 1;
    }
    decoder->key_steps[key_column].column = column;
}

nq_status nq_row_decoder_init(nq_ctx *ctx, nq_row_decoder *decoder, nq_arena *arena,
                              const nq_row_layout *layout, const uint32_t *columns,
                              uint32_t column_count) {
    *decoder = (nq_row_decoder){
        .layout = layout, .row_key_column = UINT32_MAX, .column_count = column_count};
    decoder->row_steps = nq_arena_calloc(arena, column_count, sizeof *decoder->row_steps);
    decoder->key_steps =
        nq_arena_calloc(arena, layout->key_column_count, sizeof *decoder->key_steps);
    if ((column_count > 0 && decoder->row_steps == NULL) ||
        (layout->key_column_count > 0 && decoder->key_steps == NULL)) {
        return nq_fail_no_memory(ctx, "a row decoder");
    }
    for (uint32_t i = 0; i < column_count; i++) {
        if (columns[i] == NQ_COLUMN_ROW_KEY) {
            decoder->row_key_column = i;
            continue;
        }
        const nq_row_place *place = &layout->places[columns[i]];
        if (place->is_in_key_only) {
            add_key_step(decoder, place->index, i);
            continue;
        }
        decoder->row_steps[decoder->row_step_count++] = (nq_row_step){
            .op = op_of(place),
            .null_bit = place->null_bit,
            .source = place->is_variable ? place->index : place->offset,
            .column = i,
        };
    }
    return NQ_OK;
}

/* A row being read; its size has been checked up to the variable bytes. */
typedef struct row_view {
    const uint8_t *data;
    const uint8_t *ends;
    bool is_wide;
    const uint8_t *variable;
    size_t variable_size;
} row_view;

static nq_status fail_malformed(nq_ctx *ctx) {
    return nq_fail(ctx, NQ_PAGE_CORRUPT, "a stored row does not follow its table's columns");
}

static nq_status view_row(nq_ctx *ctx, const nq_row_layout *layout, nq_bytes row,
                          row_view *out_view) {
    *out_view = (row_view){0};
    if (row.size < layout->fixed_end || (row.data[0] & ~NQ__ROW_WIDE) != 0) {
        return fail_malformed(ctx);
    }
    bool is_wide = (row.data[0] & NQ__ROW_WIDE) != 0;
    size_t ends_size = (size_t)layout->variable_count * (is_wide ? 4 : 2);
    size_t rest = row.size - layout->fixed_end;
    if (rest < ends_size) {
        return fail_malformed(ctx);
    }
    *out_view = (row_view){
        .data = row.data,
        .ends = row.data + layout->fixed_end,
        .is_wide = is_wide,
        .variable = row.data + layout->fixed_end + ends_size,
        .variable_size = rest - ends_size,
    };
    return NQ_OK;
}

static nq_status copy_bytes(nq_ctx *ctx, nq_arena *arena, nq_bytes bytes, nq_bytes *out_bytes) {
    uint8_t *copy = nq_arena_alloc(arena, bytes.size);
    if (copy == NULL) {
        return nq_fail_no_memory(ctx, "a batch's text");
    }
    memcpy(copy, bytes.data, bytes.size);
    *out_bytes = nq_bytes_of(copy, bytes.size);
    return NQ_OK;
}

/* The end of variable column `index`, within the variable bytes; -1 is the start of the first. */
static uint32_t load_end(const row_view *view, int64_t index) {
    if (index < 0) {
        return 0;
    }
    return view->is_wide ? nq_load_le32(view->ends + index * 4)
                         : nq_load_le16(view->ends + index * 2);
}

static nq_status decode_variable(nq_ctx *ctx, const row_view *view, uint32_t index, nq_arena *arena,
                                 nq_bytes *out_bytes) {
    uint32_t start = load_end(view, (int64_t)index - 1), end = load_end(view, index);
    if (start > end || end > view->variable_size) {
        return fail_malformed(ctx);
    }
    if (start == end) {
        *out_bytes = nq_bytes_of("", 0);
        return NQ_OK;
    }
    return copy_bytes(ctx, arena, nq_bytes_of(view->variable + start, end - start), out_bytes);
}

static nq_status decode_step(nq_ctx *ctx, const row_view *view, const nq_row_step *step,
                             nq_batch_builder *builder) {
    nq_vector_builder *column = &builder->columns[step->column];
    uint32_t row = builder->row_count;
    const uint8_t *source = view->data + step->source;
    switch ((enum row_op)step->op) {
    case OP_BOOL:
        column->booleans[row] = *source != 0;
        break;
    case OP_INT16:
        column->integers[row] = (int16_t)nq_load_le16(source);
        break;
    case OP_INT32:
        column->integers[row] = (int32_t)nq_load_le32(source);
        break;
    case OP_INT64:
    case OP_FLOAT64: /* The same eight bytes, whichever member names them. */
        column->integers[row] = (int64_t)nq_load_le64(source);
        break;
    case OP_FLOAT32: {
        float number;
        memcpy(&number, source, sizeof number);
        column->numbers[row] = (double)number;
        break;
    }
    case OP_UUID:
        return copy_bytes(ctx, builder->bytes, nq_bytes_of(source, 16), &column->bytes[row]);
    case OP_VARIABLE:
        return decode_variable(ctx, view, step->source, builder->bytes, &column->bytes[row]);
    }
    return NQ_OK;
}

static nq_status decode_key(nq_ctx *ctx, const nq_row_decoder *decoder, nq_bytes key,
                            nq_batch_builder *builder) {
    if (decoder->row_key_column != UINT32_MAX) {
        NQ_TRY(nq_batch_builder_set(ctx, builder, decoder->row_key_column,
                                    (nq_value){.type = NQ_TYPE_BYTES, .bytes = key}));
    }
    for (uint32_t i = 0; i < decoder->key_step_count; i++) {
        nq_key_column column = decoder->layout->key_columns[i];
        if (decoder->key_steps[i].column == UINT32_MAX) {
            NQ_TRY(nq_key_skip(ctx, &key, column));
            continue;
        }
        nq_value value;
        NQ_TRY(nq_key_take(ctx, builder->bytes, &key, column, &value));
        NQ_TRY(nq_batch_builder_set(ctx, builder, decoder->key_steps[i].column, value));
    }
    return NQ_OK;
}

nq_status nq_row_decode(nq_ctx *ctx, const nq_row_decoder *decoder, nq_bytes key, nq_bytes row,
                        nq_batch_builder *builder) {
    row_view view;
    NQ_TRY(view_row(ctx, decoder->layout, row, &view));
    const uint8_t *nulls = row.data + NQ__ROW_NULLS_OFFSET;
    for (uint32_t i = 0; i < decoder->row_step_count; i++) {
        const nq_row_step *step = &decoder->row_steps[i];
        nq_vector_builder *column = &builder->columns[step->column];
        if ((nulls[step->null_bit / 8] >> (step->null_bit % 8) & 1) != 0) {
            nq_vector_builder_set_null(column, builder->row_count);
            continue;
        }
        column->nulls[builder->row_count] = 0;
        NQ_TRY(decode_step(ctx, &view, step, builder));
    }
    if (decoder->key_step_count > 0 || decoder->row_key_column != UINT32_MAX) {
        NQ_TRY(decode_key(ctx, decoder, key, builder));
    }
    builder->row_count++;
    return NQ_OK;
}
