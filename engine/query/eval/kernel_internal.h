/* Kernel: one function over vectors.
 *
 * A kernel fills result values for the selected rows. For a STRICT function the caller merges the
 * nulls, so the kernel never looks at them; a STRICT function that FAILS is not even shown null
 * rows. Vectors of the other forms may hold anything in rows not selected, so kernels of
 * NQ_FORM_BYTES arguments touch selected rows only. */
#ifndef NQ_QUERY_EVAL_KERNEL_INTERNAL_H
#define NQ_QUERY_EVAL_KERNEL_INTERNAL_H

#include "engine/query/eval/program.h"

/* The longest text a function may make. */
enum { NQ_EVAL_TEXT_BYTES_MAX = 64 << 20 };

/* A column being written. */
typedef struct nq_column_buffer {
    nq_type type;
    uint8_t *nulls; /* always room; the kernel of a function that is not STRICT writes every row */
    union {
        uint8_t *booleans;
        int64_t *integers;
        double *numbers;
        nq_bytes *bytes;
        void *values;
    };
} nq_column_buffer;

struct nq_kernel_call {
    nq_ctx *ctx;
    nq_arena *arena; /* of the result's bytes */
    const nq_eval_env *env;
    const nq_function *function;
    const nq_vector *const *args;
    uint32_t arg_count;
    uint32_t row_count;   /* selected rows */
    const uint16_t *rows; /* their numbers, ascending; NULL: 0 .. row_count - 1 */
    nq_column_buffer result;
};

/* Where a loop over selected rows stands. A copy of what it needs from the call, so that the
 * compiler can see that nothing changes it, and makes a loop of its own, vectorised, for the dense
 * case. */
typedef struct nq_row_cursor {
    const uint16_t *rows;
    uint32_t count;
    uint32_t at;
} nq_row_cursor;

static inline uint32_t nq__cursor_row(const nq_row_cursor *cursor) {
    return cursor->rows == NULL ? cursor->at : cursor->rows[cursor->at];
}

/* Runs the block that follows for each selected row of a call or a selection. For tight loops. */
#define NQ_FOR_EACH_ROW(call, row, ...)                                                            \
    for (nq_row_cursor at_ = {(call)->rows, (call)->row_count, 0}; at_.at < at_.count; at_.at++) { \
        uint32_t row = nq__cursor_row(&at_);                                                       \
        __VA_ARGS__                                                                                \
    }

static inline uint32_t nq__row_at(const nq_kernel_call *call, uint32_t at) {
    return call->rows == NULL ? at : call->rows[at];
}

/* The same as a for statement's header: for (NQ_ROWS(call, row)) { .. }. For bodies with more to do
 * than to count what a loop costs. */
#define NQ_ROWS(call, row)                                              \
    uint32_t at_ = 0, row = 0;                                          \
    at_ < (call)->row_count && ((row) = nq__row_at((call), at_), true); \
    at_++

static inline bool nq__is_null(const nq_vector *vector, uint32_t row) {
    return vector->nulls != NULL && vector->nulls[row] != 0;
}

/* `bytes` from the call's arena, or NULL with the failure written. */
uint8_t *nq__kernel_alloc(nq_kernel_call *call, size_t bytes);

/* "integer out of range" and its kin, naming the type. */
nq_status nq__fail_out_of_range(nq_ctx *ctx, nq_type_id type);

/* The value of one element, and storing one. */
nq_value nq__vector_value(const nq_vector *vector, uint32_t row);
void nq__buffer_set(nq_column_buffer *buffer, uint32_t row, nq_value value);

/* Element-wise casts, args[0] to result.type. Null rows are not shown. */
nq_status nq__kernel_cast(nq_kernel_call *call);
/* Whether that cast only renames: same form, every source value is a target value. */
bool nq__cast_is_free(nq_type source, nq_type target);
bool nq__cast_may_fail(nq_type source, nq_type target);

/* LIKE: `%` any run, `_` one character, `escape` (0: none) makes the next one literal. A pattern
 * that ends in its escape character fails with NQ_INVALID_ESCAPE. */
nq_status nq__like_match(nq_ctx *ctx, nq_bytes text, nq_bytes pattern, uint32_t escape,
                         bool *out_matches);

/* Every kernel function.def names: nq__kernel_abs_int16 and so on. */
#define NQ_FUNCTION(kind, name, kernel, flags, result, args, summary) \
    nq_status nq__kernel_##kernel(nq_kernel_call *call);
#define NQ_AGGREGATE(name, ops, flags, result, args, summary)
#include "engine/query/eval/function.def"
#undef NQ_AGGREGATE
#undef NQ_FUNCTION

#endif
