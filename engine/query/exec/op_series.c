/* Series: start, start + step, .. as long as stop is not passed. Any null bound makes it empty. */
#include "engine/query/exec/exec_internal.h"

typedef struct series_state {
    nq_operator base;
    int64_t next;
    int64_t stop;
    int64_t step;
    bool is_over;
    uint32_t ramp;
    uint32_t capacity;
    int64_t *numbers;
    nq_vector vector;
} series_state;

static nq_status series_open(nq_ctx *ctx, nq_operator *op) {
    series_state *state = (series_state *)op;
    const nq_plan_series *plan = &op->plan->series;
    nq_value start;
    nq_value stop;
    nq_value step = NQ_VALUE_INT64(1);
    NQ_TRY(nq__evaluate_constant(ctx, op, plan->start, &start));
    NQ_TRY(nq__evaluate_constant(ctx, op, plan->stop, &stop));
    if (plan->step != NULL) {
        NQ_TRY(nq__evaluate_constant(ctx, op, plan->step, &step));
    }
    state->is_over = start.is_null || stop.is_null || step.is_null;
    if (state->is_over) {
        return NQ_OK;
    }
    if (step.integer == 0) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "step size cannot equal zero");
    }
    state->next = start.integer;
    state->stop = stop.integer;
    state->step = step.integer;
    state->is_over = step.integer > 0 ? state->next > state->stop : state->next < state->stop;
    return NQ_OK;
}

/* How many numbers are left, from `next` on, at most `rows_max`; at least one. */
static uint32_t numbers_left(const series_state *state, uint32_t rows_max) {
    bool is_up = state->step > 0;
    uint64_t span = is_up ? (uint64_t)state->stop - (uint64_t)state->next
                          : (uint64_t)state->next - (uint64_t)state->stop;
    uint64_t stride = is_up ? (uint64_t)state->step : 0 - (uint64_t)state->step;
    uint64_t left = span / stride; /* besides the first */
    return left >= rows_max ? rows_max : (uint32_t)left + 1;
}

static nq_status series_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    series_state *state = (series_state *)op;
    if (state->is_over) {
        return NQ_OK;
    }
    uint32_t count = numbers_left(state, nq__next_ramp(&state->ramp, rows_max));
    if (count > state->capacity) {
        state->capacity = state->ramp;
        state->numbers = nq_arena_alloc(op->execution->statement, state->ramp * sizeof(int64_t));
        if (state->numbers == NULL) {
            return nq__fail_memory(ctx, op);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        state->numbers[i] = (int64_t)((uint64_t)state->next + (uint64_t)state->step * i);
    }
    int64_t last = state->numbers[count - 1];
    state->is_over = __builtin_add_overflow(last, state->step, &state->next) ||
                     (state->step > 0 ? state->next > state->stop : state->next < state->stop);
    state->vector = (nq_vector){.type = op->plan->columns[0].type, .integers = state->numbers};
    *out_batch = (nq_batch){count, 1, &state->vector};
    return NQ_OK;
}

const nq_operator_ops nq__op_series = {sizeof(series_state), series_open, series_next, NULL};
