/* Where each column of a table lives in its rows. */
#include <string.h>

#include "engine/data/value/row.h"

enum { HEADER_BYTES = 1 }; /* the flags */

/* Bytes of a column stored in its declared width; 0: variable. */
static uint16_t fixed_width(nq_type_id type) {
    switch (type) {
    case NQ_TYPE_BOOL:
        return 1;
    case NQ_TYPE_INT16:
        return 2;
    case NQ_TYPE_INT32:
    case NQ_TYPE_FLOAT32:
    case NQ_TYPE_DATE:
        return 4;
    case NQ_TYPE_INT64:
    case NQ_TYPE_FLOAT64:
    case NQ_TYPE_TIMESTAMP:
    case NQ_TYPE_TIME:
        return 8;
    case NQ_TYPE_UUID:
        return 16;
    default:
        return 0;
    }
}

static void place_key_columns(nq_row_layout *layout, const nq_type *types) {
    for (uint32_t i = 0; i < layout->key_column_count; i++) {
        uint32_t column = layout->key_places[i];
        layout->key_columns[i] = (nq_key_column){.type = types[column].id};
        if (nq_key_is_lossless(types[column].id)) {
            layout->places[column].is_in_key_only = true;
            layout->places[column].index = i;
        }
    }
}

static void place_row_columns(nq_row_layout *layout) {
    uint16_t stored_count = 0;
    for (uint32_t i = 0; i < layout->column_count; i++) {
        nq_row_place *place = &layout->places[i];
        if (!place->is_in_key_only) {
            place->null_bit = stored_count++;
        }
    }
    uint32_t offset = HEADER_BYTES + (stored_count + 7u) / 8;
    for (uint32_t i = 0; i < layout->column_count; i++) {
        nq_row_place *place = &layout->places[i];
        if (place->is_in_key_only) {
            continue;
        }
        place->fixed_bytes = fixed_width(place->type);
        place->is_variable = place->fixed_bytes == 0;
        if (place->is_variable) {
            place->index = layout->variable_count++;
        } else {
            place->offset = offset;
            offset += place->fixed_bytes;
        }
    }
    layout->fixed_end = offset;
}

nq_status nq_row_layout_init(nq_ctx *ctx, nq_row_layout *layout, nq_arena *arena,
                             const nq_type *types, uint32_t column_count,
                             const uint32_t *key_columns, uint32_t key_column_count) {
    *layout = (nq_row_layout){.column_count = column_count, .key_column_count = key_column_count};
    layout->places = nq_arena_calloc(arena, column_count, sizeof *layout->places);
    layout->key_columns = nq_arena_calloc(arena, key_column_count, sizeof *layout->key_columns);
    layout->key_places = nq_arena_calloc(arena, key_column_count, sizeof *layout->key_places);
    if ((column_count > 0 && layout->places == NULL) ||
        (key_column_count > 0 && (layout->key_columns == NULL || layout->key_places == NULL))) {
        return nq_fail_no_memory(ctx, "a table's layout");
    }
    for (uint32_t i = 0; i < column_count; i++) {
        layout->places[i].type = types[i].id;
    }
    if (key_column_count > 0) {
        memcpy(layout->key_places, key_columns, key_column_count * sizeof *key_columns);
    }
    place_key_columns(layout, types);
    place_row_columns(layout);
    return NQ_OK;
}
