/* The aggregates. Every one but count(*) passes over nulls, and all but the counts answer null when
 * there was no value.
 *
 * Integers are summed in 128 bits and so never overflow on the way; sum() fails only if the total
 * does not fit a bigint. Variances are Welford's (Technometrics, 1962). */
#include <math.h>

#include "engine/query/eval/aggregate_internal.h"
#include "engine/query/eval/kernel_internal.h"

__extension__ typedef __int128 int128;

/* Runs the statement for each row whose first argument is not null; `state` is its group's. */
#define FOR_EACH_VALUE(call, state_type, row, state, ...)                  \
    do {                                                                   \
        const nq_vector *vector_ = (call)->args[0];                        \
        for (uint32_t at_ = 0; at_ < (call)->row_count; at_++) {           \
            uint32_t row = (call)->rows == NULL ? at_ : (call)->rows[at_]; \
            if (vector_->nulls != NULL && vector_->nulls[row] != 0) {      \
                continue;                                                  \
            }                                                              \
            state_type *state = state_of((call), row);                     \
            __VA_ARGS__                                                    \
        }                                                                  \
    } while (0)

static inline void *state_of(const nq_aggregate_call *call, uint32_t row) {
    uint8_t *record = call->records == NULL ? call->record : call->records[row];
    return record + call->state_offset;
}

/* ---- Counts ---- */

static nq_status update_count_rows(nq_aggregate_call *call) {
    if (call->records == NULL) {
        *(int64_t *)state_of(call, 0) += call->row_count;
        return NQ_OK;
    }
    for (uint32_t at = 0; at < call->row_count; at++) {
        *(int64_t *)state_of(call, call->rows == NULL ? at : call->rows[at]) += 1;
    }
    return NQ_OK;
}

static nq_status update_count(nq_aggregate_call *call) {
    if (call->args[0]->nulls == NULL) {
        return update_count_rows(call);
    }
    FOR_EACH_VALUE(call, int64_t, row, state, { *state += 1; });
    return NQ_OK;
}

static nq_status finish_count(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    (void)ctx;
    *out_value = NQ_VALUE_INT64(*(const int64_t *)state);
    return NQ_OK;
}

const nq_aggregate_ops nq__aggregate_count_rows = {sizeof(int64_t), update_count_rows,
                                                   finish_count};
const nq_aggregate_ops nq__aggregate_count = {sizeof(int64_t), update_count, finish_count};

/* ---- Sums and means ---- */

typedef struct int_sum {
    int128 sum;
    int64_t count;
} int_sum;

/* A batch's sum fits 74 bits, so it is gathered in one 128-bit register. */
static nq_status update_int_sum(nq_aggregate_call *call) {
    const int64_t *values = call->args[0]->integers;
    if (call->records == NULL && call->rows == NULL && call->args[0]->nulls == NULL) {
        int_sum *state = state_of(call, 0);
        int128 sum = 0;
        for (uint32_t row = 0; row < call->row_count; row++) {
            sum += values[row];
        }
        state->sum += sum;
        state->count += call->row_count;
        return NQ_OK;
    }
    FOR_EACH_VALUE(call, int_sum, row, state, {
        state->sum += values[row];
        state->count++;
    });
    return NQ_OK;
}

static nq_status finish_int_sum(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    const int_sum *sum = (const int_sum *)state;
    *out_value = NQ_VALUE_NULL(NQ_TYPE_INT64);
    if (sum->count == 0) {
        return NQ_OK;
    }
    if (sum->sum < INT64_MIN || sum->sum > INT64_MAX) {
        return nq_fail(ctx, NQ_NUMBER_OUT_OF_RANGE, "sum is out of range of bigint");
    }
    *out_value = NQ_VALUE_INT64((int64_t)sum->sum);
    return NQ_OK;
}

static nq_status finish_int_avg(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    (void)ctx;
    const int_sum *sum = (const int_sum *)state;
    *out_value = sum->count == 0 ? NQ_VALUE_NULL(NQ_TYPE_FLOAT64)
                                 : NQ_VALUE_FLOAT64((double)sum->sum / (double)sum->count);
    return NQ_OK;
}

const nq_aggregate_ops nq__aggregate_sum_int = {sizeof(int_sum), update_int_sum, finish_int_sum};
const nq_aggregate_ops nq__aggregate_avg_int = {sizeof(int_sum), update_int_sum, finish_int_avg};

typedef struct float_sum {
    double sum;
    int64_t count;
    bool has_infinity; /* among the values: then an infinite sum is right */
} float_sum;

static nq_status update_float_sum(nq_aggregate_call *call) {
    const double *values = call->args[0]->numbers;
    FOR_EACH_VALUE(call, float_sum, row, state, {
        state->sum += values[row];
        state->count++;
        state->has_infinity |= isinf(values[row]) != 0;
    });
    return NQ_OK;
}

static nq_status finish_float(nq_ctx *ctx, const float_sum *sum, double result,
                              nq_value *out_value) {
    *out_value = NQ_VALUE_NULL(NQ_TYPE_FLOAT64);
    if (sum->count == 0) {
        return NQ_OK;
    }
    if (isinf(result) && !sum->has_infinity) {
        return nq__fail_out_of_range(ctx, NQ_TYPE_FLOAT64);
    }
    *out_value = NQ_VALUE_FLOAT64(result);
    return NQ_OK;
}

static nq_status finish_float_sum(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    const float_sum *sum = (const float_sum *)state;
    return finish_float(ctx, sum, sum->sum, out_value);
}

static nq_status finish_float_avg(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    const float_sum *sum = (const float_sum *)state;
    return finish_float(ctx, sum, sum->sum / (double)sum->count, out_value);
}

const nq_aggregate_ops nq__aggregate_sum_float = {sizeof(float_sum), update_float_sum,
                                                  finish_float_sum};
const nq_aggregate_ops nq__aggregate_avg_float = {sizeof(float_sum), update_float_sum,
                                                  finish_float_avg};

/* ---- Spread ---- */

typedef struct spread {
    int64_t count;
    double mean;
    double squares; /* of the differences from the mean */
} spread;

static nq_status update_spread(nq_aggregate_call *call) {
    FOR_EACH_VALUE(call, spread, row, state, {
        double value = call->args[0]->numbers[row];
        double from_old = value - state->mean;
        state->count++;
        state->mean += from_old / (double)state->count;
        state->squares += from_old * (value - state->mean);
    });
    return NQ_OK;
}

/* `fewer` is what the count is lessened by: 1 for a sample. */
static nq_value variance(const uint8_t *state, int64_t fewer) {
    const spread *s = (const spread *)state;
    if (s->count <= fewer) {
        return NQ_VALUE_NULL(NQ_TYPE_FLOAT64);
    }
    return NQ_VALUE_FLOAT64(s->squares / (double)(s->count - fewer));
}

static nq_value root(nq_value value) {
    return value.is_null ? value : NQ_VALUE_FLOAT64(sqrt(value.number));
}

static nq_status finish_var_pop(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    (void)ctx;
    *out_value = variance(state, 0);
    return NQ_OK;
}

static nq_status finish_var_samp(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    (void)ctx;
    *out_value = variance(state, 1);
    return NQ_OK;
}

static nq_status finish_stddev_pop(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    (void)ctx;
    *out_value = root(variance(state, 0));
    return NQ_OK;
}

static nq_status finish_stddev_samp(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    (void)ctx;
    *out_value = root(variance(state, 1));
    return NQ_OK;
}

const nq_aggregate_ops nq__aggregate_var_pop = {sizeof(spread), update_spread, finish_var_pop};
const nq_aggregate_ops nq__aggregate_var_samp = {sizeof(spread), update_spread, finish_var_samp};
const nq_aggregate_ops nq__aggregate_stddev_pop = {sizeof(spread), update_spread,
                                                   finish_stddev_pop};
const nq_aggregate_ops nq__aggregate_stddev_samp = {sizeof(spread), update_spread,
                                                    finish_stddev_samp};

/* ---- Truth ---- */

typedef struct truth {
    bool has_value;
    bool value;
} truth;

static nq_status update_bool_and(nq_aggregate_call *call) {
    FOR_EACH_VALUE(call, truth, row, state, {
        bool is_true = call->args[0]->booleans[row] != 0;
        state->value = (!state->has_value || state->value) && is_true;
        state->has_value = true;
    });
    return NQ_OK;
}

static nq_status update_bool_or(nq_aggregate_call *call) {
    FOR_EACH_VALUE(call, truth, row, state, {
        state->value |= call->args[0]->booleans[row] != 0;
        state->has_value = true;
    });
    return NQ_OK;
}

static nq_status finish_truth(nq_ctx *ctx, const uint8_t *state, nq_value *out_value) {
    (void)ctx;
    const truth *t = (const truth *)state;
    *out_value = t->has_value ? NQ_VALUE_BOOL(t->value) : NQ_VALUE_NULL(NQ_TYPE_BOOL);
    return NQ_OK;
}

const nq_aggregate_ops nq__aggregate_bool_and = {sizeof(truth), update_bool_and, finish_truth};
const nq_aggregate_ops nq__aggregate_bool_or = {sizeof(truth), update_bool_or, finish_truth};
