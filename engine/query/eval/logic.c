/* Three-valued logic over selected rows, and the choice of rows by a boolean.
 *
 * A truth value is a pair (value, null). A result may overwrite its left operand: each row is read
 * before it is written. */
#include "engine/query/eval/eval_internal.h"

static inline uint8_t null_at(const uint8_t *nulls, uint32_t row) {
    return nulls == NULL ? 0 : nulls[row];
}

/* Rows outside the selection keep what they had, so a mask that appears now must say "not null". */
static uint8_t *open_nulls(nq_register *result, const nq_selection *selection) {
    if (result->vector.nulls == NULL && selection->rows != NULL) {
        memset(result->buffer.nulls, 0, selection->batch_row_count);
    }
    result->vector.nulls = result->buffer.nulls;
    return result->buffer.nulls;
}

/* The value that settles the outcome alone: false for AND, true for OR. */
static void run_merge(nq_register *result, const nq_vector *left, const nq_vector *right,
                      const nq_selection *selection, uint8_t settling) {
    const uint8_t *left_nulls = left->nulls;
    const uint8_t *right_nulls = right->nulls;
    const uint8_t *left_values = left->booleans;
    const uint8_t *right_values = right->booleans;
    uint8_t *values = result->buffer.booleans;
    if (left_nulls == NULL && right_nulls == NULL) {
        if (settling != 0) {
            NQ_FOR_EACH_ROW(selection, row, { values[row] = left_values[row] | right_values[row]; })
        } else {
            NQ_FOR_EACH_ROW(selection, row, { values[row] = left_values[row] & right_values[row]; })
        }
        if (left != &result->vector) {
            result->vector.nulls = NULL;
        }
        return;
    }
    uint8_t *nulls = open_nulls(result, selection);
    NQ_FOR_EACH_ROW(selection, row, {
        uint8_t left_null = null_at(left_nulls, row);
        uint8_t right_null = null_at(right_nulls, row);
        bool is_settled = (!left_null && left_values[row] == settling) ||
                          (!right_null && right_values[row] == settling);
        nulls[row] = !is_settled && (left_null || right_null);
        values[row] = is_settled ? settling : !nulls[row] && !settling;
    })
}

void nq__run_and(nq_register *result, const nq_vector *left, const nq_vector *right,
                 const nq_selection *selection) {
    run_merge(result, left, right, selection, 0);
}

void nq__run_or(nq_register *result, const nq_vector *left, const nq_vector *right,
                const nq_selection *selection) {
    run_merge(result, left, right, selection, 1);
}

void nq__run_not(nq_register *result, const nq_vector *arg, const nq_selection *selection) {
    const uint8_t *arg_nulls = arg->nulls;
    NQ_FOR_EACH_ROW(selection, row, { result->buffer.booleans[row] = !arg->booleans[row]; })
    result->vector.nulls = NULL;
    if (arg_nulls != NULL) {
        NQ_FOR_EACH_ROW(selection, row, { result->buffer.nulls[row] = arg_nulls[row]; })
        result->vector.nulls = result->buffer.nulls;
    }
}

void nq__run_is(nq_register *result, const nq_vector *arg, const nq_instruction *instruction,
                const nq_selection *selection) {
    const uint8_t *nulls = arg->nulls;
    uint8_t *values = result->buffer.booleans;
    uint8_t flip = instruction->is_negated;
    result->vector.nulls = NULL;
    switch (instruction->op) {
    case NQ_OP_IS_TRUE:
        NQ_FOR_EACH_ROW(selection, row, {
            values[row] = (uint8_t)((!null_at(nulls, row) & (arg->booleans[row] != 0)) ^ flip);
        })
        break;
    case NQ_OP_IS_FALSE:
        NQ_FOR_EACH_ROW(selection, row, {
            values[row] = (uint8_t)((!null_at(nulls, row) & (arg->booleans[row] == 0)) ^ flip);
        })
        break;
    default: /* NQ_OP_IS_NULL */
        NQ_FOR_EACH_ROW(selection, row, { values[row] = null_at(nulls, row) ^ flip; })
        break;
    }
}

/* Branchless: every row is written, and the end moves on where it passes. */
#define SELECT_WHERE(condition)                \
    NQ_FOR_EACH_ROW(selection, row, {          \
        out_rows[count] = (uint16_t)row;       \
        count += (uint32_t)((condition) != 0); \
    })

uint32_t nq__select_rows(const nq_vector *vector, nq_row_test test, const nq_selection *selection,
                         uint16_t *out_rows) {
    const uint8_t *nulls = vector->nulls;
    const uint8_t *values = vector->booleans;
    uint32_t count = 0;
    switch (test) {
    case NQ_TEST_ALL:
        SELECT_WHERE(true);
        break;
    case NQ_TEST_TRUE:
        if (nulls == NULL) {
            SELECT_WHERE(values[row]);
        } else {
            SELECT_WHERE(values[row] & !nulls[row]);
        }
        break;
    case NQ_TEST_NOT_TRUE:
        SELECT_WHERE((values[row] == 0) | null_at(nulls, row));
        break;
    case NQ_TEST_NOT_FALSE:
        SELECT_WHERE(values[row] | null_at(nulls, row));
        break;
    case NQ_TEST_NULL:
        if (nulls != NULL) {
            SELECT_WHERE(nulls[row]);
        }
        break;
    }
    return count;
}
