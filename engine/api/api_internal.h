/* What the files of this room share: the objects behind the handles of database.h.
 *
 * A statement's text becomes a prepared handle; a handle bound to one catalog version is a binding,
 * which holds the plan. Handles are shared through the plan cache, bindings through handles; both
 * are counted. database->mutex (NQ_LOCK_DATABASE) guards the cache, every handle's `current` and
 * the requests in flight. */
#ifndef NQ_API_API_INTERNAL_H
#define NQ_API_API_INTERNAL_H

#include <stdatomic.h>

#include "engine/api/database.h"
#include "engine/data/catalog/data_txn.h"
#include "engine/ground/os/mutex.h"
#include "engine/query/exec/exec.h"
#include "engine/query/sql/parse.h"
#include "engine/storage/backup/archive_directory.h"

enum {
    NQ__PLAN_CACHE_COUNT_MAX = 512,
    NQ__PLAN_CACHE_BUCKET_COUNT = 1024,  /* a power of two */
    NQ__PLAN_CACHE_BYTES_MAX = 32 << 20, /* of all plans together */
    NQ__PLAN_CACHE_SQL_BYTES_MAX = 16 << 10,
    NQ__PLAN_BYTES_MAX = 64 << 20, /* of one statement's tree and plan */
    NQ__STATEMENT_RETRY_COUNT_MAX = 200,
    NQ__REQUEST_ID_BYTES_MAX = 64,
    NQ__REQUEST_RESULT_BYTES_MAX = 1024,
    NQ__INGEST_ID_BYTES_MAX = 256,
};

/* A statement bound to one version of the catalog. Immutable. */
typedef struct nq__binding {
    _Atomic uint32_t reference_count;
    nq_arena arena;
    const nq_catalog_snapshot *snapshot; /* NULL: transaction control */
    const nq_ast_statement *statement;
    const nq_plan *plan; /* NULL: transaction control */
    nq_statement_kind kind;
    bool is_analyze; /* EXPLAIN ANALYZE */
    uint32_t column_count;
    const nq_column_info *columns;
    uint32_t parameter_count;
    const nq_column_info *parameters;
    bool is_short;     /* see nq_prepared_is_short */
    uint64_t rows_max; /* that a query can return */
    int64_t parse_ns, plan_ns;
} nq__binding;

struct nq_prepared {
    _Atomic uint32_t reference_count;
    nq_database *database;
    nq__binding *first;   /* answers every question about the handle, and owns its text */
    nq__binding *current; /* what runs; under the mutex */
    /* In the plan cache, under the mutex: */
    bool is_cached;
    uint64_t hash;
    nq_prepared *bucket_next;
    nq_prepared *newer, *older;
};

typedef struct nq__plan_cache {
    nq_prepared *buckets[NQ__PLAN_CACHE_BUCKET_COUNT];
    nq_prepared *newest, *oldest;
    uint32_t count;
    uint64_t bytes;
    uint64_t hits, misses;
} nq__plan_cache;

/* A request id being worked on; lives on its thread's stack. */
typedef struct nq__request {
    struct nq__request *next;
    nq_bytes id;
} nq__request;

struct nq_database {
    nq_store *store;
    nq_archive_directory *log_archive; /* the store's; NULL: none */
    nq_catalog *catalog;
    uint64_t statement_bytes_max;
    nq_mutex mutex;
    nq__plan_cache plans;
    nq__request *requests;
    nq_cond requests_changed;
    _Atomic uint64_t statement_count, statement_retry_count, statement_failure_count;
    _Atomic uint64_t rows_returned, rows_affected, open_cursor_count, open_transaction_count;
};

typedef struct nq__named_savepoint {
    struct nq__named_savepoint *older;
    nq_savepoint mark;
    nq_bytes name;
} nq__named_savepoint;

struct nq_transaction {
    nq_database *database;
    nq_data_txn *txn;
    nq_isolation_level isolation;
    bool is_read_only;
    bool has_failed; /* only rollback, to a savepoint or altogether, is accepted */
    atomic_flag is_busy;
    uint64_t request_hash; /* of everything run in it */
    nq__named_savepoint *newest;
    nq_arena arena; /* savepoint names */
};

/* ---- binding.c ---- */

nq_status nq__binding_create(nq_ctx *ctx, nq_bytes sql, nq_data_txn *txn,
                             nq__binding **out_binding);
void nq__binding_acquire(nq__binding *binding);
void nq__binding_release(nq__binding *binding);

/* The handle's binding for the catalog that `txn` sees, acquired. */
nq_status nq__prepared_bind(nq_ctx *ctx, nq_prepared *prepared, nq_data_txn *txn,
                            nq__binding **out_binding);

/* ---- weight.c ---- */

/* Of the plan of a query. */
bool nq__plan_is_short(const nq_plan *plan, nq_bytes sql);
uint64_t nq__plan_rows_max(const nq_plan *plan);

/* ---- plan_cache.c, all under the mutex ---- */

uint64_t nq__sql_hash(nq_bytes sql);
/* Acquired, or NULL. Answers only a handle that describes this version of the catalog. */
nq_prepared *nq__plan_cache_find(nq__plan_cache *cache, nq_bytes sql, uint64_t hash,
                                 uint64_t snapshot_id);
/* Takes a reference of its own; answers what fell out, chained by `older`, for the caller to
 * release. */
nq_prepared *nq__plan_cache_add(nq__plan_cache *cache, nq_prepared *prepared);
nq_prepared *nq__plan_cache_pop(nq__plan_cache *cache);

/* ---- transaction.c ---- */

nq_isolation nq__store_isolation(nq_isolation_level level);
/* Claims the transaction for one statement; it leaves with the statement's outcome. */
nq_status nq__transaction_enter(nq_ctx *ctx, nq_transaction *transaction);
void nq__transaction_leave(nq_transaction *transaction, nq_status status);
nq_status nq__fail_transaction_failed(nq_ctx *ctx);

/* ---- parameter.c ---- */

/* The values in the binding's order, cast to its types. */
nq_status nq__parameters_cast(nq_ctx *ctx, nq_arena *arena, const nq__binding *binding,
                              const nq_parameter *parameters, uint32_t parameter_count,
                              nq_value **out_values);
uint64_t nq__reply_hash(uint64_t seed, nq_bytes sql, const nq_parameter *parameters,
                        uint32_t parameter_count);

/* ---- rows.c: rows kept after the execution that made them ---- */

typedef struct nq__kept_batch {
    struct nq__kept_batch *next;
    nq_batch batch;
} nq__kept_batch;

typedef struct nq__kept_rows {
    nq__kept_batch *first, *last;
    uint64_t row_count;
    uint32_t row; /* of `first`, the next to hand out */
} nq__kept_rows;

nq_status nq__rows_keep(nq_ctx *ctx, nq_arena *arena, nq__kept_rows *rows, const nq_batch *batch);
nq_status nq__rows_next(nq_ctx *ctx, nq_arena *arena, nq__kept_rows *rows, uint32_t rows_max,
                        nq_batch *out_batch);

/* ---- reply.c ---- */

/* What is remembered of a request: how many rows it wrote, and what it returned. */
typedef struct nq__reply {
    uint64_t hash;
    uint64_t rows_affected;
    uint32_t column_count;
    const nq_column_info *columns;
    nq__kept_rows rows;
} nq__reply;

/* Waits while the same id is being worked on; then registers it. */
nq_status nq__reply_begin(nq_ctx *ctx, nq_database *database, nq__request *request, nq_bytes id);
void nq__reply_end(nq_database *database, nq__request *request);

/* Looks for the id; fails with NQ_REQUEST_ID_REUSED when it was another request's. */
nq_status nq__reply_find(nq_ctx *ctx, nq_database *database, nq_arena *arena, nq_bytes id,
                         uint64_t hash, bool *out_is_found, nq__reply *out_result);
/* Fails with NQ_RESULT_TOO_LARGE when returned rows do not fit what can be remembered. */
nq_status nq__reply_encode(nq_ctx *ctx, nq_arena *arena, const nq__reply *result,
                           nq_bytes *out_record);
/* A log position not before any commit that has returned. */
nq_status nq__database_lsn(nq_ctx *ctx, nq_database *database, uint64_t *out_lsn);

/* ---- run.c ---- */

typedef struct nq__run {
    nq_database *database;
    nq_prepared *prepared;
    const nq_parameter *parameters;
    uint32_t parameter_count;
    nq_bytes request_id;
    nq_arena *arena; /* for kept rows */
} nq__run;

typedef struct nq__run_result {
    nq__binding *binding; /* acquired */
    nq__kept_rows rows;
    uint32_t column_count;
    const nq_column_info *columns;
    nq_exec_stats stats;
    uint64_t log_bytes;
    uint64_t snapshot_lsn;
    uint64_t commit_lsn;
} nq__run_result;

/* Runs a write or DDL to its end: in a transaction of its own, or in `transaction` (entered). */
nq_status nq__run_write(nq_ctx *ctx, const nq__run *run, nq_transaction *transaction,
                        nq__run_result *out_result);

/* explain.c: EXPLAIN's rows, one line of text each. */
nq_status nq__explain_rows(nq_ctx *ctx, const nq__run *run, nq_transaction *transaction,
                           nq__run_result *out_result);

extern const nq_column_info nq__explain_column;

#endif
