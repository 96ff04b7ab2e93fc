/* From the columns a load gives to whole rows of its table. */
#ifndef NQ_API_INGEST_INTERNAL_H
#define NQ_API_INGEST_INTERNAL_H

#include "engine/api/api_internal.h"

typedef struct nq__ingest_filler nq__ingest_filler;

/* `targets` says which of the table's columns each given one is. Allocated from `arena`; destroy
 * lets go of what is not (NULL is allowed). */
nq_status nq__ingest_filler_create(nq_ctx *ctx, nq_database *database, nq_arena *arena,
                                   const nq_table *table, const uint32_t *targets,
                                   uint32_t target_count, nq__ingest_filler **out_filler);
void nq__ingest_filler_destroy(nq__ingest_filler *filler);

/* Whole rows for `given`, valid as long as both and `arena` stand; CHECKs are satisfied. */
nq_status nq__ingest_fill(nq_ctx *ctx, nq__ingest_filler *filler, nq_data_txn *txn, nq_arena *arena,
                          const nq_batch *given, nq_batch *out_rows);

#endif
