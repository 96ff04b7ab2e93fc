/* Prepared registry: prepared statements by id, kept while they are used.
 *
 * An id is good on any connection. A statement not used for its time to live is forgotten when the
 * registry is next touched. */
#ifndef NQ_SERVER_SERVICE_PREPARED_REGISTRY_H
#define NQ_SERVER_SERVICE_PREPARED_REGISTRY_H

#include "engine/api/database.h"

typedef struct nq_prepared_registry nq_prepared_registry;

enum { NQ_PREPARED_ID_BYTES = 16 };

nq_status nq_prepared_registry_create(nq_ctx *ctx, uint32_t count_max, int64_t ttl_ns,
                                      nq_prepared_registry **out_registry);
void nq_prepared_registry_destroy(nq_prepared_registry *registry);

/* Keeps `prepared` (acquires it) and a copy of its text. `ttl_ns` 0 means the registry's own. Fails
 * with NQ_PREPARED_LIMIT, NQ_MEMORY_LIMIT. */
nq_status nq_prepared_registry_add(nq_ctx *ctx, nq_prepared_registry *registry,
                                   nq_prepared *prepared, nq_bytes sql, int64_t ttl_ns,
                                   uint8_t out_id[NQ_PREPARED_ID_BYTES]);

/* The statement, acquired for the caller, and its text, copied into ctx->scratch; its time to live
 * begins anew. Fails with NQ_PREPARED_NOT_FOUND. */
nq_status nq_prepared_registry_get(nq_ctx *ctx, nq_prepared_registry *registry, nq_bytes id,
                                   nq_prepared **out_prepared, nq_bytes *out_sql);

/* Fails with NQ_PREPARED_NOT_FOUND. */
nq_status nq_prepared_registry_remove(nq_ctx *ctx, nq_prepared_registry *registry, nq_bytes id);

uint32_t nq_prepared_registry_count(nq_prepared_registry *registry);

#endif
