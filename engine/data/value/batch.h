/* Batch: rows by column, the unit in which operators, cursors and streams hand rows on. */
#ifndef NQ_DATA_VALUE_BATCH_H
#define NQ_DATA_VALUE_BATCH_H

#include "engine/data/value/type.h"
#include "engine/data/value/value.h"

/* The most rows a batch holds: a multiple of 64, small enough that a batch's columns stay in cache.
 */
enum { NQ_BATCH_ROWS_MAX = 1024 };

/* One column of a batch. Element i is null when nulls != NULL and nulls[i] != 0; `values[i]` is
 * then unspecified but readable (0 or an empty nq_bytes). */
typedef struct nq_vector {
    nq_type type;
    const uint8_t *nulls; /* one byte a row, 0 or 1; NULL: no row is null */
    union {
        const uint8_t *booleans; /* NQ_FORM_BOOL */
        const int64_t *integers; /* NQ_FORM_INT64 */
        const double *numbers;   /* NQ_FORM_FLOAT64 */
        const nq_bytes *bytes;   /* NQ_FORM_BYTES */
        const void *values;
    };
} nq_vector;

/* Dense: every row below row_count counts. Everything it points to is valid until the producer is
 * asked for its next batch or closed. */
typedef struct nq_batch {
    uint32_t row_count;
    uint32_t column_count;
    const nq_vector *columns;
} nq_batch;

/* One cell as a value; bytes stay borrowed from the batch. */
nq_value nq_batch_value(const nq_batch *batch, uint32_t column, uint32_t row);

/* What a result column is called and holds. Names are UTF-8, as written or as derived. */
typedef struct nq_column_info {
    nq_bytes name;
    nq_type type;
    nq_bytes table; /* the base table it comes straight from, or empty */
    bool is_nullable;
    bool is_primary_key;
} nq_column_info;

#endif
