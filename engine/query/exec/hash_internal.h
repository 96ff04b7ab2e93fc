/* Hash: rows of a store by content. Open addressing over row numbers; the rows stay where they are.
 */
#ifndef NQ_QUERY_EXEC_HASH_INTERNAL_H
#define NQ_QUERY_EXEC_HASH_INTERNAL_H

#include "engine/query/exec/rows_internal.h"

/* A slot is 0 when free, else the upper half of a row's hash and its number + 1. */
typedef struct nq_hash {
    nq_arena *arena;
    uint64_t *slots;
    uint64_t mask; /* slot count - 1 */
    uint32_t used;
} nq_hash;

/* Hashes of rows 0 .. count - 1 over all vectors: nulls alike, equal values alike. */
void nq__hash_vectors(const nq_vector *vectors, uint32_t vector_count, uint32_t count,
                      uint64_t *out_hashes);

bool nq__hash_init(nq_hash *hash, nq_arena *arena, uint32_t rows_expected);

/* The row of `rows` equal to row `at` of the vectors, or NQ_ROW_NONE. */
uint32_t nq__hash_find(const nq_hash *hash, const nq_rows *rows, const nq_vector *vectors,
                       uint32_t at, uint64_t value);

/* Enters row number `row`, known to be absent. False when the arena's budget is spent. */
bool nq__hash_insert(nq_hash *hash, uint64_t value, uint32_t row);

/* Rows by content, each once: what DISTINCT, GROUP BY and set operations are made of. */
typedef struct nq_row_set {
    nq_rows rows;
    nq_hash hash;
    uint64_t *hashes; /* of a batch */
} nq_row_set;

bool nq__row_set_init(nq_row_set *set, nq_arena *arena, const nq_type *types,
                      uint32_t column_count);

/* Numbers each of the rows, entering those that are new: out_ids[i], and the rows (of the batch)
 * that were new. False when the arena's budget is spent. */
bool nq__row_set_enter(nq_row_set *set, const nq_vector *vectors, uint32_t count, uint32_t *out_ids,
                       uint16_t *out_new, uint32_t *out_new_count);

#endif
