/* Vector builder: the writable side of a batch — columns of fixed capacity, filled row by row or
 * column by column, then handed on as an nq_batch.
 *
 * Cells live in an arena that outlives the builder; the bytes of text cells live in a second arena
 * that is reset with the batch, so a scan costs the same memory however long it runs. */
#ifndef NQ_DATA_VALUE_VECTOR_BUILDER_H
#define NQ_DATA_VALUE_VECTOR_BUILDER_H

#include "engine/data/value/batch.h"

/* One column being filled. Every cell below the batch's row count is set in `nulls` and, when it is
 * not null, in the values; a null cell's value must be left 0 or empty (set_null does so). */
typedef struct nq_vector_builder {
    nq_type type;
    nq_form form;
    bool has_nulls; /* some cell of this batch is null */
    uint8_t *nulls;
    union {
        uint8_t *booleans;
        int64_t *integers;
        double *numbers;
        nq_bytes *bytes;
        void *values;
    };
} nq_vector_builder;

typedef struct nq_batch_builder {
    uint32_t capacity;
    uint32_t row_count;
    uint32_t column_count;
    nq_vector_builder *columns;
    nq_vector *vectors; /* what nq_batch_builder_batch answers with */
    nq_arena *bytes;    /* text of the current batch; NULL: cells borrow what they are given */
} nq_batch_builder;

/* `capacity` ≤ NQ_BATCH_ROWS_MAX rows of these types, allocated from `arena`. */
nq_status nq_batch_builder_init(nq_ctx *ctx, nq_batch_builder *builder, nq_arena *arena,
                                nq_arena *bytes, const nq_type *types, uint32_t column_count,
                                uint32_t capacity);

/* Empties it, and resets `bytes`: batches handed out before are void. */
void nq_batch_builder_reset(nq_batch_builder *builder);

/* The rows so far; valid until reset or the next append. */
nq_batch nq_batch_builder_batch(nq_batch_builder *builder);

/* Sets one cell of the row being built. `value` has the column's form, or is null. Copies text. */
nq_status nq_batch_builder_set(nq_ctx *ctx, nq_batch_builder *builder, uint32_t column,
                               nq_value value);

static inline bool nq_batch_builder_is_full(const nq_batch_builder *builder) {
    return builder->row_count == builder->capacity;
}

static inline void nq_vector_builder_set_null(nq_vector_builder *column, uint32_t row) {
    column->nulls[row] = 1;
    column->has_nulls = true;
    switch (column->form) {
    case NQ_FORM_BOOL:
        column->booleans[row] = 0;
        break;
    case NQ_FORM_INT64:
    case NQ_FORM_FLOAT64:
        column->integers[row] = 0;
        break;
    case NQ_FORM_BYTES:
        column->bytes[row] = (nq_bytes){NULL, 0};
        break;
    }
}

#endif
