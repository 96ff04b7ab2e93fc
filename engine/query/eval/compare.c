/* Comparison operators, and the functions made of them: NULLIF, GREATEST, LEAST.
 *
 * One kernel per operator serves every type: it branches on the operands' form once a batch. The
 * order is nq_value_compare's, so NaN equals itself and is above every number, and text is compared
 * bytewise
 * ("C" collation). */
#include "engine/query/eval/kernel_internal.h"

/* NaN-aware comparisons of doubles, without branches. */
#define NUMBER_EQUAL(l, r) (((l) == (r)) | (((l) != (l)) & ((r) != (r))))
#define NUMBER_LESS(l, r)  (((l) < (r)) | (((l) == (l)) & ((r) != (r))))

#define NUMBER_NOT_EQUAL(l, r)     (!NUMBER_EQUAL(l, r))
#define NUMBER_GREATER(l, r)       NUMBER_LESS(r, l)
#define NUMBER_LESS_EQUAL(l, r)    (!NUMBER_LESS(r, l))
#define NUMBER_GREATER_EQUAL(l, r) (!NUMBER_LESS(l, r))

#define SCALAR_EQUAL(l, r)         ((l) == (r))
#define SCALAR_NOT_EQUAL(l, r)     ((l) != (r))
#define SCALAR_LESS(l, r)          ((l) < (r))
#define SCALAR_LESS_EQUAL(l, r)    ((l) <= (r))
#define SCALAR_GREATER(l, r)       ((l) > (r))
#define SCALAR_GREATER_EQUAL(l, r) ((l) >= (r))

#define BYTES_EQUAL(l, r)         nq_bytes_equal(l, r)
#define BYTES_NOT_EQUAL(l, r)     (!nq_bytes_equal(l, r))
#define BYTES_LESS(l, r)          (nq_bytes_compare(l, r) < 0)
#define BYTES_LESS_EQUAL(l, r)    (nq_bytes_compare(l, r) <= 0)
#define BYTES_GREATER(l, r)       (nq_bytes_compare(l, r) > 0)
#define BYTES_GREATER_EQUAL(l, r) (nq_bytes_compare(l, r) >= 0)

#define COMPARE_LOOP(call, member, TEST) \
    NQ_FOR_EACH_ROW(call, row,           \
                    { result[row] = (uint8_t)TEST(left->member[row], right->member[row]); })

#define COMPARE_KERNEL(name, OPERATOR)                       \
    nq_status nq__kernel_##name(nq_kernel_call *call) {      \
        const nq_vector *left = call->args[0];               \
        const nq_vector *right = call->args[1];              \
        uint8_t *restrict result = call->result.booleans;    \
        switch (nq_type_form(left->type.id)) {               \
        case NQ_FORM_BOOL:                                   \
            COMPARE_LOOP(call, booleans, SCALAR_##OPERATOR); \
            break;                                           \
        case NQ_FORM_INT64:                                  \
            COMPARE_LOOP(call, integers, SCALAR_##OPERATOR); \
            break;                                           \
        case NQ_FORM_FLOAT64:                                \
            COMPARE_LOOP(call, numbers, NUMBER_##OPERATOR);  \
            break;                                           \
        case NQ_FORM_BYTES:                                  \
            COMPARE_LOOP(call, bytes, BYTES_##OPERATOR);     \
            break;                                           \
        }                                                    \
        return NQ_OK;                                        \
    }

COMPARE_KERNEL(equal, EQUAL)
COMPARE_KERNEL(not_equal, NOT_EQUAL)
COMPARE_KERNEL(less, LESS)
COMPARE_KERNEL(less_equal, LESS_EQUAL)
COMPARE_KERNEL(greater, GREATER)
COMPARE_KERNEL(greater_equal, GREATER_EQUAL)

/* Whether both are null, or neither is and they are equal. */
static bool is_same(const nq_vector *left, const nq_vector *right, uint32_t row) {
    bool left_is_null = nq__is_null(left, row);
    if (left_is_null || nq__is_null(right, row)) {
        return left_is_null && nq__is_null(right, row);
    }
    return nq_value_compare(nq__vector_value(left, row), nq__vector_value(right, row)) == 0;
}

nq_status nq__kernel_is_distinct(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        call->result.nulls[row] = 0;
        call->result.booleans[row] = !is_same(call->args[0], call->args[1], row);
    }
    return NQ_OK;
}

nq_status nq__kernel_is_not_distinct(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        call->result.nulls[row] = 0;
        call->result.booleans[row] = is_same(call->args[0], call->args[1], row);
    }
    return NQ_OK;
}

nq_status nq__kernel_nullif(nq_kernel_call *call) {
    nq_value null = NQ_VALUE_NULL(call->result.type.id);
    for (NQ_ROWS(call, row)) {
        bool is_null =
            nq__is_null(call->args[0], row) || is_same(call->args[0], call->args[1], row);
        nq__buffer_set(&call->result, row, is_null ? null : nq__vector_value(call->args[0], row));
    }
    return NQ_OK;
}

/* The extreme of the arguments that are not null; `sign` 1 looks for the greatest. */
static void pick_extreme(nq_kernel_call *call, int sign) {
    for (NQ_ROWS(call, row)) {
        nq_value best = NQ_VALUE_NULL(call->result.type.id);
        for (uint32_t i = 0; i < call->arg_count; i++) {
            if (nq__is_null(call->args[i], row)) {
                continue;
            }
            nq_value candidate = nq__vector_value(call->args[i], row);
            if (best.is_null || nq_value_compare(candidate, best) * sign > 0) {
                best = candidate;
            }
        }
        nq__buffer_set(&call->result, row, best);
    }
}

nq_status nq__kernel_greatest(nq_kernel_call *call) {
    pick_extreme(call, 1);
    return NQ_OK;
}

nq_status nq__kernel_least(nq_kernel_call *call) {
    pick_extreme(call, -1);
    return NQ_OK;
}
