/* Rows: an append-only store of rows by column, and the buffers rows are gathered into.
 *
 * Rows are numbered from 0 in the order appended. A store takes all its memory, text included, from
 * one arena and never moves a cell once written — but for the first, small chunk, which grows. */
#ifndef NQ_QUERY_EXEC_ROWS_INTERNAL_H
#define NQ_QUERY_EXEC_ROWS_INTERNAL_H

#include "engine/data/value/batch.h"
#include "engine/query/eval/program.h"

/* No row: gathers as nulls. */
#define NQ_ROW_NONE UINT32_MAX

enum { NQ_ROWS_CHUNK_SHIFT = 10, NQ_ROWS_CHUNK_ROWS = 1 << NQ_ROWS_CHUNK_SHIFT };

typedef struct nq_rows_column {
    nq_type type;
    nq_form form;
    void **values;   /* by chunk */
    uint8_t **nulls; /* by chunk */
} nq_rows_column;

typedef struct nq_rows {
    nq_arena *arena;
    uint32_t column_count;
    nq_rows_column *columns;
    uint32_t row_count;
    uint32_t chunk_count;
    uint32_t chunk_capacity;   /* of the arrays of chunks */
    uint32_t first_chunk_rows; /* room in chunk 0 */
} nq_rows;

bool nq__rows_init(nq_rows *rows, nq_arena *arena, const nq_type *types, uint32_t column_count);

/* Appends `count` rows of the vectors: those numbered `picked`, or 0 .. count - 1 when it is NULL.
 * False when the arena's budget is spent. */
bool nq__rows_append(nq_rows *rows, const nq_vector *vectors, const uint16_t *picked,
                     uint32_t count);

nq_value nq__rows_value(const nq_rows *rows, uint32_t column, uint32_t row);

/* Whether row `row` of the store equals row `at` of the vectors, nulls being equal to each other.
 */
bool nq__rows_equal(const nq_rows *rows, uint32_t row, const nq_vector *vectors, uint32_t at);

/* Buffers for one batch of gathered rows; made at the size first needed, then at full size. */
typedef struct nq_gather {
    nq_arena *arena;
    uint32_t capacity;
    uint32_t column_count;
    nq_type *types;
    void **values;
    uint8_t **nulls;
    nq_vector *vectors;
} nq_gather;

bool nq__gather_init(nq_gather *gather, nq_arena *arena, const nq_type *types,
                     uint32_t column_count);
bool nq__gather_reserve(nq_gather *gather, uint32_t row_count);

/* gather's column `target` = the picked rows of `vector`. The buffers have room. */
void nq__gather_vector(nq_gather *gather, uint32_t target, const nq_vector *vector,
                       const uint16_t *picked, uint32_t count);
/* gather's column `target` = these rows of a store's column; NQ_ROW_NONE gives null. */
void nq__gather_rows(nq_gather *gather, uint32_t target, const nq_rows *rows, uint32_t column,
                     const uint32_t *row_ids, uint32_t count);
/* Consecutive rows of a store need no copy: they are borrowed. Ends at a chunk's end. */
uint32_t nq__rows_window(const nq_rows *rows, uint32_t first, uint32_t count_max,
                         nq_vector *out_vectors);

#endif
