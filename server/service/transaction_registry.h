/* Transaction registry: transactions that are open between calls, by unguessable id.
 *
 * One call at a time uses a transaction: it checks it out and in again. One that nobody uses for
 * its idle timeout is rolled back by the registry's own thread; its id is remembered for a while,
 * so that its owner learns why it is gone. A statement that failed makes the whole transaction
 * failed, as in PostgreSQL: only a rollback, whole or to a savepoint, is accepted then. */
#ifndef NQ_SERVER_SERVICE_TRANSACTION_REGISTRY_H
#define NQ_SERVER_SERVICE_TRANSACTION_REGISTRY_H

#include "engine/api/database.h"

typedef struct nq_transaction_registry nq_transaction_registry;
typedef struct nq_open_transaction nq_open_transaction;

enum { NQ_TRANSACTION_ID_BYTES = 16 };

/* Starts the thread that ends idle transactions. */
nq_status nq_transaction_registry_create(nq_ctx *ctx, nq_database *database, uint32_t count_max,
                                         int64_t idle_timeout_ns,
                                         nq_transaction_registry **out_registry);
/* Rolls back whatever is open; nothing may be checked out. NULL is allowed. */
void nq_transaction_registry_destroy(nq_transaction_registry *registry);

/* Begins one and checks it out. `idle_timeout_ns` 0, or above the registry's own, means that. Fails
 * with NQ_TRANSACTION_LIMIT. */
nq_status nq_transaction_registry_begin(nq_ctx *ctx, nq_transaction_registry *registry,
                                        const nq_transaction_options *options,
                                        int64_t idle_timeout_ns,
                                        nq_open_transaction **out_transaction);

/* Fails with NQ_TRANSACTION_NOT_FOUND, NQ_TRANSACTION_BUSY, NQ_IDLE_TIMEOUT. */
nq_status nq_transaction_registry_check_out(nq_ctx *ctx, nq_transaction_registry *registry,
                                            nq_bytes id, nq_open_transaction **out_transaction);

/* Back into the registry; its idle time begins. */
void nq_transaction_registry_check_in(nq_transaction_registry *registry,
                                      nq_open_transaction *transaction);

/* Ends a transaction that is checked out. Committing a failed one rolls it back and fails with
 * NQ_TRANSACTION_FAILED. */
nq_status nq_transaction_registry_commit(nq_ctx *ctx, nq_transaction_registry *registry,
                                         nq_open_transaction *transaction, nq_bytes request_id,
                                         uint64_t *out_commit_lsn);
void nq_transaction_registry_rollback(nq_transaction_registry *registry,
                                      nq_open_transaction *transaction);

/* Of one that is checked out. */
nq_transaction *nq_open_transaction_get(const nq_open_transaction *transaction);
nq_bytes nq_open_transaction_id(const nq_open_transaction *transaction);
bool nq_open_transaction_is_failed(const nq_open_transaction *transaction);
void nq_open_transaction_set_failed(nq_open_transaction *transaction, bool is_failed);

uint32_t nq_transaction_registry_count(nq_transaction_registry *registry);

#endif
