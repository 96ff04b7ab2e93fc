/* Values as text, the way psql prints them. */
#include <string.h>

#include "engine/data/value/datetime.h"
#include "engine/data/value/text.h"
#include "engine/data/value/value.h"

static size_t print_fixed(nq_value value, char *text) {
    switch (value.type) {
    case NQ_TYPE_BOOL:
        memcpy(text, value.boolean ? "true" : "false", 5);
        return value.boolean ? 4 : 5;
    case NQ_TYPE_FLOAT32:
        return nq_float32_print(value.number, text);
    case NQ_TYPE_FLOAT64:
        return nq_float64_print(value.number, text);
    case NQ_TYPE_TIMESTAMP:
        return nq_timestamp_print(value.integer, text);
    case NQ_TYPE_DATE:
        return nq_date_print(value.integer, text);
    case NQ_TYPE_TIME:
        return nq_time_print(value.integer, text);
    default:
        return nq_int64_print(value.integer, text);
    }
}

nq_status nq_value_print(nq_ctx *ctx, nq_arena *arena, nq_value value, nq_bytes *out_text) {
    *out_text = (nq_bytes){NULL, 0};
    if (value.type == NQ_TYPE_TEXT || value.type == NQ_TYPE_UNKNOWN) {
        *out_text = value.bytes;
        return NQ_OK;
    }
    size_t text_bytes_max = NQ_TEXT_BYTES_MAX;
    if (value.type == NQ_TYPE_BYTES) {
        text_bytes_max = 2 + 2 * value.bytes.size;
    }
    char *text = nq_arena_alloc(arena, text_bytes_max);
    if (text == NULL) {
        return nq_fail_no_memory(ctx, "text of a value");
    }
    size_t size;
    if (value.type == NQ_TYPE_BYTES) {
        size = nq_bytes_print(value.bytes, text);
    } else if (value.type == NQ_TYPE_UUID) {
        size = nq_uuid_print(value.bytes.data, text);
    } else {
        size = print_fixed(value, text);
    }
    *out_text = nq_bytes_of(text, size);
    return NQ_OK;
}
