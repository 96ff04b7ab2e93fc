/* Casts of whole vectors. Between numbers, and between dates and timestamps, there are kernels;
 * every other pair goes through nq_value_cast, value by value, so the rules stand in one place. */
#include <math.h>

#include "engine/data/value/datetime.h"
#include "engine/query/eval/kernel_internal.h"

static int integer_width(nq_type_id id) {
    return id == NQ_TYPE_INT16 ? 1 : (id == NQ_TYPE_INT32 ? 2 : (id == NQ_TYPE_INT64 ? 3 : 0));
}

static bool is_float(nq_type_id id) {
    return id == NQ_TYPE_FLOAT32 || id == NQ_TYPE_FLOAT64;
}

bool nq__cast_is_free(nq_type source, nq_type target) {
    if (source.id == target.id) {
        return target.length_max == 0 ||
               (target.length_max == source.length_max && target.is_padded == source.is_padded);
    }
    if (integer_width(source.id) != 0) {
        return integer_width(target.id) > integer_width(source.id);
    }
    return source.id == NQ_TYPE_FLOAT32 && target.id == NQ_TYPE_FLOAT64;
}

bool nq__cast_may_fail(nq_type source, nq_type target) {
    bool is_exact = integer_width(source.id) != 0 && is_float(target.id);
    bool is_printed =
        target.id == NQ_TYPE_TEXT && target.length_max == 0 && source.id != NQ_TYPE_BYTES;
    return !nq__cast_is_free(source, target) && !is_exact && !is_printed;
}

static void limits_of(nq_type_id id, int64_t *out_least, int64_t *out_greatest) {
    *out_least = id == NQ_TYPE_INT16 ? INT16_MIN : (id == NQ_TYPE_INT32 ? INT32_MIN : INT64_MIN);
    *out_greatest = id == NQ_TYPE_INT16 ? INT16_MAX : (id == NQ_TYPE_INT32 ? INT32_MAX : INT64_MAX);
}

static nq_status narrow(nq_kernel_call *call) {
    const int64_t *value = call->args[0]->integers;
    int64_t *restrict result = call->result.integers;
    int64_t least;
    int64_t greatest;
    limits_of(call->result.type.id, &least, &greatest);
    bool overflowed = false;
    NQ_FOR_EACH_ROW(call, row, {
        overflowed |= (value[row] < least) | (value[row] > greatest);
        result[row] = value[row];
    })
    return overflowed ? nq__fail_out_of_range(call->ctx, call->result.type.id) : NQ_OK;
}

static nq_status integer_to_float(nq_kernel_call *call) {
    const int64_t *value = call->args[0]->integers;
    double *restrict result = call->result.numbers;
    if (call->result.type.id == NQ_TYPE_FLOAT32) {
        NQ_FOR_EACH_ROW(call, row, { result[row] = (double)(float)value[row]; })
    } else {
        NQ_FOR_EACH_ROW(call, row, { result[row] = (double)value[row]; })
    }
    return NQ_OK;
}

/* Half to even, as PostgreSQL. The bounds are exact doubles: -2^63 fits, 2^63 does not. */
static nq_status float_to_integer(nq_kernel_call *call) {
    int64_t least;
    int64_t greatest;
    limits_of(call->result.type.id, &least, &greatest);
    double low = (double)least;
    double above = greatest == INT64_MAX ? 0x1p63 : (double)greatest + 1;
    for (NQ_ROWS(call, row)) {
        double rounded = rint(call->args[0]->numbers[row]);
        if (!(rounded >= low && rounded < above)) {
            return nq__fail_out_of_range(call->ctx, call->result.type.id);
        }
        call->result.integers[row] = (int64_t)rounded;
    }
    return NQ_OK;
}

static nq_status float_to_real(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        double value = call->args[0]->numbers[row];
        double rounded = (double)(float)value;
        if (isinf(rounded) && !isinf(value)) {
            return nq__fail_out_of_range(call->ctx, NQ_TYPE_FLOAT32);
        }
        call->result.numbers[row] = rounded;
    }
    return NQ_OK;
}

static nq_status date_to_timestamp(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        call->result.integers[row] = call->args[0]->integers[row] * NQ_USEC_PER_DAY;
    }
    return NQ_OK;
}

static nq_status timestamp_to_date(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        call->result.integers[row] = nq_timestamp_day(call->args[0]->integers[row]);
    }
    return NQ_OK;
}

static nq_status by_value(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        nq_value value;
        NQ_TRY(nq_value_cast(call->ctx, call->arena, nq__vector_value(call->args[0], row),
                             call->result.type, false, &value));
        nq__buffer_set(&call->result, row, value);
    }
    return NQ_OK;
}

nq_status nq__kernel_cast(nq_kernel_call *call) {
    nq_type_id source = call->args[0]->type.id;
    nq_type_id target = call->result.type.id;
    if (integer_width(source) != 0 && integer_width(target) != 0) {
        return narrow(call);
    }
    if (integer_width(source) != 0 && is_float(target)) {
        return integer_to_float(call);
    }
    if (is_float(source) && integer_width(target) != 0) {
        return float_to_integer(call);
    }
    if (is_float(source) && target == NQ_TYPE_FLOAT32) {
        return float_to_real(call);
    }
    if (source == NQ_TYPE_DATE && target == NQ_TYPE_TIMESTAMP) {
        return date_to_timestamp(call);
    }
    if (source == NQ_TYPE_TIMESTAMP && target == NQ_TYPE_DATE) {
        return timestamp_to_date(call);
    }
    return by_value(call);
}
