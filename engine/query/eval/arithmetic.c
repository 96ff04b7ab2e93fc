/* Arithmetic operators: integers of three widths, checked; reals of two, with PostgreSQL's rule
 * that a finite operation never yields an infinity.
 *
 * Each kernel is a template over width and operation. A dense loop does not branch on a failure: it
 * collects one flag, so it vectorises, and the error is the same whichever row it came from. */
#include <math.h>

#include "engine/query/eval/kernel_internal.h"

#define ADD(x, y, z)      __builtin_add_overflow((x), (y), (z))
#define SUBTRACT(x, y, z) __builtin_sub_overflow((x), (y), (z))
#define MULTIPLY(x, y, z) __builtin_mul_overflow((x), (y), (z))

/* Operands fit their declared width, so a narrow result is checked by one comparison after
 * widening. */
#define INTEGER_KERNEL(name, type_id, narrow, OVERFLOWS)                       \
    nq_status nq__kernel_##name(nq_kernel_call *call) {                        \
        const int64_t *left = call->args[0]->integers;                         \
        const int64_t *right = call->args[1]->integers;                        \
        int64_t *restrict result = call->result.integers;                      \
        bool overflowed = false;                                               \
        NQ_FOR_EACH_ROW(call, row, {                                           \
            int64_t wide;                                                      \
            bool over = OVERFLOWS(left[row], right[row], &wide);               \
            overflowed |= over | (wide != (int64_t)(narrow)wide);              \
            result[row] = wide;                                                \
        })                                                                     \
        return overflowed ? nq__fail_out_of_range(call->ctx, type_id) : NQ_OK; \
    }

INTEGER_KERNEL(add_int16, NQ_TYPE_INT16, int16_t, ADD)
INTEGER_KERNEL(add_int32, NQ_TYPE_INT32, int32_t, ADD)
INTEGER_KERNEL(add_int64, NQ_TYPE_INT64, int64_t, ADD)
INTEGER_KERNEL(subtract_int16, NQ_TYPE_INT16, int16_t, SUBTRACT)
INTEGER_KERNEL(subtract_int32, NQ_TYPE_INT32, int32_t, SUBTRACT)
INTEGER_KERNEL(subtract_int64, NQ_TYPE_INT64, int64_t, SUBTRACT)
INTEGER_KERNEL(multiply_int16, NQ_TYPE_INT16, int16_t, MULTIPLY)
INTEGER_KERNEL(multiply_int32, NQ_TYPE_INT32, int32_t, MULTIPLY)
INTEGER_KERNEL(multiply_int64, NQ_TYPE_INT64, int64_t, MULTIPLY)

static nq_status fail_division(nq_ctx *ctx) {
    return nq_fail(ctx, NQ_DIVISION_BY_ZERO, "division by zero");
}

/* Truncates towards zero. The one overflow is the least number over -1. */
static nq_status divide(nq_kernel_call *call, int64_t least, nq_type_id type) {
    const int64_t *left = call->args[0]->integers;
    const int64_t *right = call->args[1]->integers;
    int64_t *result = call->result.integers;
    NQ_FOR_EACH_ROW(call, row, {
        if (right[row] == 0) {
            return fail_division(call->ctx);
        }
        if (right[row] == -1 && left[row] == least) {
            return nq__fail_out_of_range(call->ctx, type);
        }
        result[row] = left[row] / right[row];
    })
    return NQ_OK;
}

nq_status nq__kernel_divide_int16(nq_kernel_call *call) {
    return divide(call, INT16_MIN, NQ_TYPE_INT16);
}

nq_status nq__kernel_divide_int32(nq_kernel_call *call) {
    return divide(call, INT32_MIN, NQ_TYPE_INT32);
}

nq_status nq__kernel_divide_int64(nq_kernel_call *call) {
    return divide(call, INT64_MIN, NQ_TYPE_INT64);
}

nq_status nq__kernel_modulo_int(nq_kernel_call *call) {
    const int64_t *left = call->args[0]->integers;
    const int64_t *right = call->args[1]->integers;
    int64_t *result = call->result.integers;
    NQ_FOR_EACH_ROW(call, row, {
        if (right[row] == 0) {
            return fail_division(call->ctx);
        }
        result[row] = right[row] == -1 ? 0 : left[row] % right[row];
    })
    return NQ_OK;
}

nq_status nq__kernel_modulo_float64(nq_kernel_call *call) {
    const double *left = call->args[0]->numbers;
    const double *right = call->args[1]->numbers;
    double *result = call->result.numbers;
    NQ_FOR_EACH_ROW(call, row, {
        if (right[row] == 0) {
            return fail_division(call->ctx);
        }
        result[row] = fmod(left[row], right[row]);
    })
    return NQ_OK;
}

#define ROUND_FLOAT32(x) ((double)(float)(x))
#define ROUND_FLOAT64(x) (x)

/* x - x is 0 for finite x and NaN otherwise: a comparison that vectorises. */
#define IS_FINITE(x) ((x) - (x) == 0)

/* Only a result that is infinite though no operand is, is an overflow; NaN and infinities pass. */
#define REAL_KERNEL(name, type_id, ROUND, sign)                                             \
    nq_status nq__kernel_##name(nq_kernel_call *call) {                                     \
        const double *left = call->args[0]->numbers;                                        \
        const double *right = call->args[1]->numbers;                                       \
        double *restrict result = call->result.numbers;                                     \
        bool overflowed = false;                                                            \
        NQ_FOR_EACH_ROW(call, row, {                                                        \
            double value = ROUND(left[row] sign right[row]);                                \
            overflowed |= !IS_FINITE(value) & IS_FINITE(left[row]) & IS_FINITE(right[row]); \
            result[row] = value;                                                            \
        })                                                                                  \
        return overflowed ? nq__fail_out_of_range(call->ctx, type_id) : NQ_OK;              \
    }

REAL_KERNEL(add_float32, NQ_TYPE_FLOAT32, ROUND_FLOAT32, +)
REAL_KERNEL(add_float64, NQ_TYPE_FLOAT64, ROUND_FLOAT64, +)
REAL_KERNEL(subtract_float32, NQ_TYPE_FLOAT32, ROUND_FLOAT32, -)
REAL_KERNEL(subtract_float64, NQ_TYPE_FLOAT64, ROUND_FLOAT64, -)
REAL_KERNEL(multiply_float32, NQ_TYPE_FLOAT32, ROUND_FLOAT32, *)
REAL_KERNEL(multiply_float64, NQ_TYPE_FLOAT64, ROUND_FLOAT64, *)

#define REAL_DIVIDE(name, type_id, ROUND)                                                   \
    nq_status nq__kernel_##name(nq_kernel_call *call) {                                     \
        const double *left = call->args[0]->numbers;                                        \
        const double *right = call->args[1]->numbers;                                       \
        double *restrict result = call->result.numbers;                                     \
        bool overflowed = false;                                                            \
        bool divided_by_zero = false;                                                       \
        NQ_FOR_EACH_ROW(call, row, {                                                        \
            double value = ROUND(left[row] / right[row]);                                   \
            divided_by_zero |= (right[row] == 0) & (left[row] == left[row]);                \
            overflowed |= !IS_FINITE(value) & IS_FINITE(left[row]) & IS_FINITE(right[row]); \
            result[row] = value;                                                            \
        })                                                                                  \
        if (divided_by_zero) {                                                              \
            return fail_division(call->ctx);                                                \
        }                                                                                   \
        return overflowed ? nq__fail_out_of_range(call->ctx, type_id) : NQ_OK;              \
    }

REAL_DIVIDE(divide_float32, NQ_TYPE_FLOAT32, ROUND_FLOAT32)
REAL_DIVIDE(divide_float64, NQ_TYPE_FLOAT64, ROUND_FLOAT64)

#define NEGATE_KERNEL(name, type_id, least)                                    \
    nq_status nq__kernel_##name(nq_kernel_call *call) {                        \
        const int64_t *value = call->args[0]->integers;                        \
        int64_t *restrict result = call->result.integers;                      \
        bool overflowed = false;                                               \
        NQ_FOR_EACH_ROW(call, row, {                                           \
            overflowed |= value[row] == (least);                               \
            result[row] = (int64_t)(0 - (uint64_t)value[row]);                 \
        })                                                                     \
        return overflowed ? nq__fail_out_of_range(call->ctx, type_id) : NQ_OK; \
    }

NEGATE_KERNEL(negate_int16, NQ_TYPE_INT16, INT16_MIN)
NEGATE_KERNEL(negate_int32, NQ_TYPE_INT32, INT32_MIN)
NEGATE_KERNEL(negate_int64, NQ_TYPE_INT64, INT64_MIN)

nq_status nq__kernel_negate_float(nq_kernel_call *call) {
    const double *value = call->args[0]->numbers;
    double *restrict result = call->result.numbers;
    NQ_FOR_EACH_ROW(call, row, { result[row] = -value[row]; })
    return NQ_OK;
}

/* Unary plus, and functions that are the identity on integers (ceil, floor). */
nq_status nq__kernel_same_int(nq_kernel_call *call) {
    const int64_t *value = call->args[0]->integers;
    int64_t *restrict result = call->result.integers;
    NQ_FOR_EACH_ROW(call, row, { result[row] = value[row]; })
    return NQ_OK;
}

nq_status nq__kernel_same_float(nq_kernel_call *call) {
    const double *value = call->args[0]->numbers;
    double *restrict result = call->result.numbers;
    NQ_FOR_EACH_ROW(call, row, { result[row] = value[row]; })
    return NQ_OK;
}

#define BIT_KERNEL(name, sign)                                                   \
    nq_status nq__kernel_##name(nq_kernel_call *call) {                          \
        const int64_t *left = call->args[0]->integers;                           \
        const int64_t *right = call->args[1]->integers;                          \
        int64_t *restrict result = call->result.integers;                        \
        NQ_FOR_EACH_ROW(call, row, { result[row] = left[row] sign right[row]; }) \
        return NQ_OK;                                                            \
    }

BIT_KERNEL(bit_and, &)
BIT_KERNEL(bit_or, |)
BIT_KERNEL(bit_xor, ^)

nq_status nq__kernel_bit_not(nq_kernel_call *call) {
    const int64_t *value = call->args[0]->integers;
    int64_t *restrict result = call->result.integers;
    NQ_FOR_EACH_ROW(call, row, { result[row] = ~value[row]; })
    return NQ_OK;
}

static int64_t wrap_to(int64_t value, nq_type_id type) {
    switch (type) {
    case NQ_TYPE_INT16:
        return (int16_t)value;
    case NQ_TYPE_INT32:
        return (int32_t)value;
    default:
        return value;
    }
}

/* As PostgreSQL on x86-64: the count is taken modulo the width of the type (at least 32). */
static uint32_t shift_count(int64_t count, nq_type_id type) {
    return (uint32_t)count & (type == NQ_TYPE_INT64 ? 63U : 31U);
}

nq_status nq__kernel_shift_left(nq_kernel_call *call) {
    nq_type_id type = call->result.type.id;
    const int64_t *value = call->args[0]->integers;
    const int64_t *count = call->args[1]->integers;
    NQ_FOR_EACH_ROW(call, row, {
        uint64_t bits = (uint64_t)value[row] << shift_count(count[row], type);
        call->result.integers[row] = wrap_to((int64_t)bits, type);
    })
    return NQ_OK;
}

nq_status nq__kernel_shift_right(nq_kernel_call *call) {
    nq_type_id type = call->result.type.id;
    const int64_t *value = call->args[0]->integers;
    const int64_t *count = call->args[1]->integers;
    NQ_FOR_EACH_ROW(call, row,
                    { call->result.integers[row] = value[row] >> shift_count(count[row], type); })
    return NQ_OK;
}
