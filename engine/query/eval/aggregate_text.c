/* The aggregates that keep values of any size: min, max, string_agg. What they keep is copied into
 * the states' arena, in room that doubles, so that a growing value wastes at most as much again. */
#include "engine/query/eval/aggregate_internal.h"
#include "engine/query/eval/kernel_internal.h"

typedef struct kept_bytes {
    uint8_t *data;
    size_t size;
    size_t capacity;
} kept_bytes;

static nq_status reserve(nq_aggregate_call *call, kept_bytes *kept, size_t size) {
    enum { CAPACITY_MIN = 32 };
    if (size <= kept->capacity) {
        return NQ_OK;
    }
    if (size > NQ_EVAL_TEXT_BYTES_MAX) {
        return nq_fail(call->ctx, NQ_LIMIT_EXCEEDED,
                       "an aggregate would make a text longer than %d bytes",
                       NQ_EVAL_TEXT_BYTES_MAX);
    }
    size_t capacity = kept->capacity < CAPACITY_MIN ? CAPACITY_MIN : kept->capacity;
    while (capacity < size) {
        capacity *= 2;
    }
    uint8_t *data = nq_arena_alloc(call->arena, capacity);
    if (data == NULL) {
        return nq_fail(call->ctx, NQ_MEMORY_LIMIT,
                       "out of memory for an aggregate's text: the statement's budget is %zu bytes",
                       call->arena->budget_bytes);
    }
    if (kept->size > 0) {
        memcpy(data, kept->data, kept->size);
    }
    kept->data = data;
    kept->capacity = capacity;
    return NQ_OK;
}

static nq_status append(nq_aggregate_call *call, kept_bytes *kept, nq_bytes bytes) {
    NQ_TRY(reserve(call, kept, kept->size + bytes.size));
    if (bytes.size > 0) {
        memcpy(kept->data + kept->size, bytes.data, bytes.size);
    }
    kept->size += bytes.size;
    return NQ_OK;
}

/* ---- Extremes ---- */

typedef struct extreme {
    bool has_value;
    nq_type_id type;
    union {
        int64_t integer; /* booleans too */
        double number;
        kept_bytes bytes;
    };
} extreme;

static nq_value value_of(const extreme *state) {
    nq_value value = {.type = state->type};
    switch (nq_type_form(state->type)) {
    case NQ_FORM_BOOL:
        value.boolean = state->integer != 0;
        break;
    case NQ_FORM_INT64:
        value.integer = state->integer;
        break;
    case NQ_FORM_FLOAT64:
        value.number = state->number;
        break;
    case NQ_FORM_BYTES:
        value.bytes = nq_bytes_of(state->bytes.data, state->bytes.size);
        break;
    }
    return value;
}

/* NaN is above every number. */
static inline bool is_less_number(double left, double right) {
    return left < right || (left == left && right != right);
}

static inline bool is_less_integer(int64_t left, int64_t right) {
    return left < right;
}

/* The forms that need no copy, each with a loop of its own. `sign` 1 keeps the greatest. */
#define UPDATE_EXTREME(call, sign, member, source, is_less)                                \
    for (uint32_t at = 0; at < (call)->row_count; at++) {                                  \
        uint32_t row = (call)->rows == NULL ? at : (call)->rows[at];                       \
        if (nq__is_null((call)->args[0], row)) {                                           \
            continue;                                                                      \
        }                                                                                  \
        uint8_t *record = (call)->records == NULL ? (call)->record : (call)->records[row]; \
        extreme *state = (extreme *)(record + (call)->state_offset);                       \
        if (!state->has_value || ((sign) > 0 ? is_less(state->member, (source)[row])       \
                                             : is_less((source)[row], state->member))) {   \
            state->has_value = true;                                                       \
            state->type = (call)->args[0]->type.id;                                        \
            state->member = (source)[row];                                                 \
        }                                                                                  \
    }

static nq_status update_extreme_bytes(nq_aggregate_call *call, int sign) {
    const nq_vector *vector = call->args[0];
    for (uint32_t at = 0; at < call->row_count; at++) {
        uint32_t row = call->rows == NULL ? at : call->rows[at];
        if (nq__is_null(vector, row)) {
            continue;
        }
        uint8_t *record = call->records == NULL ? call->record : call->records[row];
        extreme *state = (extreme *)(record + call->state_offset);
        nq_bytes kept = nq_bytes_of(state->bytes.data, state->bytes.size);
        if (!state->has_value || nq_bytes_compare(vector->bytes[row], kept) * sign > 0) {
            state->has_value = true;
            state->type = vector->type.id;
            state->bytes.size = 0;
            NQ_TRY(append(call, &state->bytes, vector->bytes[row]));
        }
    }
    return NQ_OK;
}

static nq_status update_extreme(nq_aggregate_call *call, int sign) {
    const nq_vector *vector = call->args[0];
    switch (nq_type_form(vector->type.id)) {
    case NQ_FORM_BOOL:
        UPDATE_EXTREME(call, sign, integer, vector->booleans, is_less_integer)
        break;
    case NQ_FORM_INT64:
        UPDATE_EXTREME(call, sign, integer, vector->integers, is_less_integer)
        break;
    case NQ_FORM_FLOAT64:
        UPDATE_EXTREME(call, sign, number, vector->numbers, is_less_number)
        break;
    case NQ_FORM_BYTES:
        return update_extreme_bytes(call, sign);
    }
    return NQ_OK;
}

static nq_status update_min(nq_aggregate_call *call) {
    return update_extreme(call, -1);
}

static nq_status update_max(nq_aggregate_call *call) {
    return update_extreme(call, 1);
}

static nq_status finish_extreme(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    (void)ctx;
    const extreme *e = (const extreme *)state;
    *out_value = e->has_value ? value_of(e) : NQ_VALUE_NULL(NQ_TYPE_UNKNOWN);
    return NQ_OK;
}

const nq_aggregate_ops nq__aggregate_min = {sizeof(extreme), update_min, finish_extreme};
const nq_aggregate_ops nq__aggregate_max = {sizeof(extreme), update_max, finish_extreme};

/* ---- Joined text ---- */

typedef struct joined {
    bool has_value;
    kept_bytes text;
} joined;

/* A null delimiter counts as an empty one. */
static nq_status update_string_agg(nq_aggregate_call *call) {
    for (uint32_t at = 0; at < call->row_count; at++) {
        uint32_t row = call->rows == NULL ? at : call->rows[at];
        if (nq__is_null(call->args[0], row)) {
            continue;
        }
        uint8_t *record = call->records == NULL ? call->record : call->records[row];
        joined *state = (joined *)(record + call->state_offset);
        if (state->has_value && !nq__is_null(call->args[1], row)) {
            NQ_TRY(append(call, &state->text, call->args[1]->bytes[row]));
        }
        NQ_TRY(append(call, &state->text, call->args[0]->bytes[row]));
        state->has_value = true;
    }
    return NQ_OK;
}

static nq_status finish_string_agg(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    (void)ctx;
    const joined *j = (const joined *)state;
    *out_value = j->has_value ? NQ_VALUE_TEXT(nq_bytes_of(j->text.data, j->text.size))
                              : NQ_VALUE_NULL(NQ_TYPE_TEXT);
    return NQ_OK;
}

const nq_aggregate_ops nq__aggregate_string_agg = {sizeof(joined), update_string_agg,
                                                   finish_string_agg};
