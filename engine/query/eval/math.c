/* Mathematical functions. Where a result does not exist the call fails, as in PostgreSQL; it never
 * answers NaN for a number. round() rounds half away from zero, for reals too: without an exact
 * decimal type that is what 2.5 written in a statement should do. */
#include <math.h>

#include "engine/query/eval/kernel_internal.h"

#define ABSOLUTE_KERNEL(name, type_id, least)                                         \
    nq_status nq__kernel_##name(nq_kernel_call *call) {                               \
        const int64_t *value = call->args[0]->integers;                               \
        bool overflowed = false;                                                      \
        for (NQ_ROWS(call, row)) {                                                    \
            overflowed |= value[row] == (least);                                      \
            uint64_t bits = (uint64_t)value[row];                                     \
            call->result.integers[row] = (int64_t)(value[row] < 0 ? 0 - bits : bits); \
        }                                                                             \
        return overflowed ? nq__fail_out_of_range(call->ctx, type_id) : NQ_OK;        \
    }

ABSOLUTE_KERNEL(abs_int16, NQ_TYPE_INT16, INT16_MIN)
ABSOLUTE_KERNEL(abs_int32, NQ_TYPE_INT32, INT32_MIN)
ABSOLUTE_KERNEL(abs_int64, NQ_TYPE_INT64, INT64_MIN)

/* Functions that exist for every number. */
#define TOTAL_KERNEL(name, expression)                  \
    nq_status nq__kernel_##name(nq_kernel_call *call) { \
        const double *value = call->args[0]->numbers;   \
        double *restrict result = call->result.numbers; \
        for (NQ_ROWS(call, row)) {                      \
            double x = value[row];                      \
            result[row] = (expression);                 \
        }                                               \
        return NQ_OK;                                   \
    }

static const double pi = 3.14159265358979323846;
static const double degrees_per_half_turn = 180.0;

/* The library's is off by one unit here and there; a perfect cube has its root. */
static double cube_root(double x) {
    double root = cbrt(x);
    double whole = rint(root);
    return whole * whole * whole == x ? whole : root;
}

TOTAL_KERNEL(abs_float, fabs(x))
TOTAL_KERNEL(round_float, round(x))
TOTAL_KERNEL(ceil_float, ceil(x))
TOTAL_KERNEL(floor_float, floor(x))
TOTAL_KERNEL(trunc_float, trunc(x))
TOTAL_KERNEL(sign_float, x > 0 ? 1.0 : (x < 0 ? -1.0 : x))
TOTAL_KERNEL(cbrt, cube_root(x))
TOTAL_KERNEL(radians, x / degrees_per_half_turn * pi)
TOTAL_KERNEL(atan, atan(x))
TOTAL_KERNEL(tanh, tanh(x))

nq_status nq__kernel_sign_int(nq_kernel_call *call) {
    const int64_t *value = call->args[0]->integers;
    NQ_FOR_EACH_ROW(call, row,
                    { call->result.integers[row] = (value[row] > 0) - (value[row] < 0); })
    return NQ_OK;
}

/* Functions of one number that overflow, or are defined on part of the line only. `refuses` is the
 * condition under which `x` has no result, `words` what is then said. */
#define PARTIAL_KERNEL(name, expression, refuses, words)                       \
    nq_status nq__kernel_##name(nq_kernel_call *call) {                        \
        const double *value = call->args[0]->numbers;                          \
        for (NQ_ROWS(call, row)) {                                             \
            double x = value[row];                                             \
            if (refuses) {                                                     \
                return nq_fail(call->ctx, NQ_INVALID_ARGUMENT, "%s", (words)); \
            }                                                                  \
            double y = (expression);                                           \
            if (isinf(y) && !isinf(x)) {                                       \
                return nq__fail_out_of_range(call->ctx, NQ_TYPE_FLOAT64);      \
            }                                                                  \
            call->result.numbers[row] = y;                                     \
        }                                                                      \
        return NQ_OK;                                                          \
    }

PARTIAL_KERNEL(sqrt, sqrt(x), x < 0, "cannot take the square root of a negative number")
PARTIAL_KERNEL(exp, exp(x), false, "")
PARTIAL_KERNEL(ln, log(x), x <= 0, "cannot take the logarithm of zero or a negative number")
PARTIAL_KERNEL(log10, log10(x), x <= 0, "cannot take the logarithm of zero or a negative number")
PARTIAL_KERNEL(log2, log2(x), x <= 0, "cannot take the logarithm of zero or a negative number")
PARTIAL_KERNEL(degrees, x / pi * degrees_per_half_turn, false, "")
PARTIAL_KERNEL(sin, sin(x), isinf(x), "input is out of range")
PARTIAL_KERNEL(cos, cos(x), isinf(x), "input is out of range")
PARTIAL_KERNEL(tan, tan(x), isinf(x), "input is out of range")
PARTIAL_KERNEL(asin, asin(x), x<-1 || x> 1, "input is out of range")
PARTIAL_KERNEL(acos, acos(x), x<-1 || x> 1, "input is out of range")
PARTIAL_KERNEL(sinh, sinh(x), false, "")
PARTIAL_KERNEL(cosh, cosh(x), false, "")

nq_status nq__kernel_atan2(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        call->result.numbers[row] = atan2(call->args[0]->numbers[row], call->args[1]->numbers[row]);
    }
    return NQ_OK;
}

nq_status nq__kernel_log_base(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        double base = call->args[0]->numbers[row];
        double value = call->args[1]->numbers[row];
        if (base <= 0 || value <= 0) {
            return nq_fail(call->ctx, NQ_INVALID_ARGUMENT,
                           "cannot take the logarithm of zero or a negative number");
        }
        if (base == 1) {
            return nq_fail(call->ctx, NQ_DIVISION_BY_ZERO, "division by zero");
        }
        call->result.numbers[row] = log(value) / log(base);
    }
    return NQ_OK;
}

nq_status nq__kernel_power(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        double base = call->args[0]->numbers[row];
        double exponent = call->args[1]->numbers[row];
        if (base == 0 && exponent < 0) {
            return nq_fail(call->ctx, NQ_INVALID_ARGUMENT,
                           "zero raised to a negative power is undefined");
        }
        if (base < 0 && !isinf(base) && !isinf(exponent) && exponent != floor(exponent)) {
            return nq_fail(
                call->ctx, NQ_INVALID_ARGUMENT,
                "a negative number raised to a non-integer power yields a complex result");
        }
        double value = pow(base, exponent);
        if (isinf(value) && !isinf(base) && !isinf(exponent)) {
            return nq__fail_out_of_range(call->ctx, NQ_TYPE_FLOAT64);
        }
        call->result.numbers[row] = value;
    }
    return NQ_OK;
}

enum { DIGITS_MAX = 308 }; /* of a double's decimal exponent */

/* `x` to `digits` decimals (negative: tens, hundreds ..) by `to_integer`. */
static double to_digits(double x, int64_t digits, double (*to_integer)(double)) {
    if (digits > DIGITS_MAX || !isfinite(x)) {
        return x;
    }
    if (digits < -DIGITS_MAX) {
        return 0;
    }
    double scale = pow(10, (double)(digits < 0 ? -digits : digits));
    double scaled = digits < 0 ? x / scale : x * scale;
    if (!isfinite(scaled)) {
        return x; /* more digits than a double has */
    }
    return digits < 0 ? to_integer(scaled) * scale : to_integer(scaled) / scale;
}

nq_status nq__kernel_round_digits(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        call->result.numbers[row] =
            to_digits(call->args[0]->numbers[row], call->args[1]->integers[row], round);
    }
    return NQ_OK;
}

nq_status nq__kernel_trunc_digits(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        call->result.numbers[row] =
            to_digits(call->args[0]->numbers[row], call->args[1]->integers[row], trunc);
    }
    return NQ_OK;
}

static uint64_t magnitude(int64_t value) {
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static uint64_t common_divisor(uint64_t left, uint64_t right) {
    while (right != 0) {
        uint64_t rest = left % right;
        left = right;
        right = rest;
    }
    return left;
}

nq_status nq__kernel_gcd(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        uint64_t divisor = common_divisor(magnitude(call->args[0]->integers[row]),
                                          magnitude(call->args[1]->integers[row]));
        if (divisor > INT64_MAX) {
            return nq__fail_out_of_range(call->ctx, NQ_TYPE_INT64);
        }
        call->result.integers[row] = (int64_t)divisor;
    }
    return NQ_OK;
}

nq_status nq__kernel_lcm(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        uint64_t left = magnitude(call->args[0]->integers[row]);
        uint64_t right = magnitude(call->args[1]->integers[row]);
        uint64_t multiple = 0;
        if (left != 0 && right != 0) {
            left /= common_divisor(left, right);
            if (__builtin_mul_overflow(left, right, &multiple) || multiple > INT64_MAX) {
                return nq__fail_out_of_range(call->ctx, NQ_TYPE_INT64);
            }
        }
        call->result.integers[row] = (int64_t)multiple;
    }
    return NQ_OK;
}

nq_status nq__kernel_pi(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        call->result.numbers[row] = pi;
    }
    return NQ_OK;
}
