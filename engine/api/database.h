/* Database: the engine's front door. Everything the server, the shell and the tests may ask of it.
 *
 * Handles: nq_database is shared by all threads. A transaction runs one statement at a time
 * (NQ_TRANSACTION_BUSY otherwise); a prepared statement is immutable and shared; a cursor belongs
 * to one thread at a time but may move between calls. */
#ifndef NQ_API_DATABASE_H
#define NQ_API_DATABASE_H

#include "engine/data/value/batch.h"
#include "engine/ground/base/ctx.h"
#include "engine/ground/os/vfs.h"

typedef struct nq_database nq_database;
typedef struct nq_transaction nq_transaction;
typedef struct nq_prepared nq_prepared;
typedef struct nq_cursor nq_cursor;

/* Zero means the default in brackets. */
typedef struct nq_database_options {
    uint64_t cache_bytes;           /* [64 MiB] */
    const char *cache_policy;       /* "s3fifo", "clock", "lru" ["s3fifo"] */
    uint64_t checkpoint_log_bytes;  /* [64 MiB] */
    uint64_t statement_bytes_max;   /* memory of one statement: plan, sort, hash tables [256 MiB] */
    uint64_t txn_bytes_max;         /* uncommitted writes of one transaction [64 MiB] */
    const char *log_copy_directory; /* a second copy of the log is kept there [none] */
    const char *log_archive_directory; /* the log is archived there before it is reused [none] */
    uint64_t log_archive_bytes_max;    /* of log that may await it; then commits fail [1 GiB] */
} nq_database_options;

/* `options` and what it points to are borrowed during the call. A directory of an older format
 * fails with NQ_UPGRADE_NEEDED and is left alone (upgrade.h), an unfinished restore with
 * NQ_FILE_FOREIGN (restore.h). */
nq_status nq_database_open(nq_ctx *ctx, nq_vfs *vfs, const char *directory,
                           const nq_database_options *options, nq_database **out_database);
nq_status nq_database_close(nq_ctx *ctx, nq_database *database);

/* ---- Transactions ---- */

typedef enum nq_isolation_level {
    NQ_ISOLATION_READ_COMMITTED,
    NQ_ISOLATION_REPEATABLE_READ,
    NQ_ISOLATION_SERIALIZABLE,
} nq_isolation_level;

typedef struct nq_transaction_options {
    nq_isolation_level isolation;
    bool read_only;
} nq_transaction_options;

nq_status nq_transaction_begin(nq_ctx *ctx, nq_database *database,
                               const nq_transaction_options *options,
                               nq_transaction **out_transaction);
/* Both end the transaction and release the handle, whatever they return. With a non-empty
 * `request_id`, a commit already made under that id answers its first result again and rolls this
 * transaction back. */
nq_status nq_transaction_commit(nq_ctx *ctx, nq_transaction *transaction, nq_bytes request_id,
                                uint64_t *out_commit_lsn);
void nq_transaction_rollback(nq_transaction *transaction);
nq_status nq_transaction_savepoint(nq_ctx *ctx, nq_transaction *transaction, nq_bytes name);
nq_status nq_transaction_rollback_to(nq_ctx *ctx, nq_transaction *transaction, nq_bytes name);
nq_status nq_transaction_release(nq_ctx *ctx, nq_transaction *transaction, nq_bytes name);
uint64_t nq_transaction_snapshot(const nq_transaction *transaction);

/* Whether a commit was made under this request id, for a caller whose transaction is gone:
 * *out_commit_lsn is then a log position not before it. */
nq_status nq_transaction_find_commit(nq_ctx *ctx, nq_database *database, nq_bytes request_id,
                                     bool *out_is_found, uint64_t *out_commit_lsn);

/* ---- Statements ---- */

/* What a statement is, as far as a caller must know before running it. */
typedef enum nq_statement_kind {
    NQ_STATEMENT_QUERY, /* returns rows, writes nothing */
    NQ_STATEMENT_WRITE, /* INSERT, UPDATE, DELETE (with or without RETURNING) */
    NQ_STATEMENT_DDL,
    NQ_STATEMENT_BEGIN, /* transaction control: the caller, who owns transactions, carries it out */
    NQ_STATEMENT_COMMIT,
    NQ_STATEMENT_ROLLBACK,
    NQ_STATEMENT_SAVEPOINT,
    NQ_STATEMENT_ROLLBACK_TO,
    NQ_STATEMENT_RELEASE,
    NQ_STATEMENT_EXPLAIN,
} nq_statement_kind;

typedef struct nq_parameter {
    nq_bytes name;     /* without its colon; empty: positional */
    uint32_t position; /* from 1, for $1; 0: named */
    nq_value value;    /* type UNKNOWN: taken from its place in the statement */
} nq_parameter;

/* Parses one statement (a trailing `;` is allowed, anything after it is not) and finds its result
 * and parameter types. Errors carry a position. Valid until released, across catalog changes: it is
 * prepared anew when the catalog has changed. */
nq_status nq_prepare(nq_ctx *ctx, nq_database *database, nq_transaction *transaction, nq_bytes sql,
                     nq_prepared **out_prepared);
void nq_prepared_acquire(nq_prepared *prepared);
void nq_prepared_release(nq_prepared *prepared);

nq_statement_kind nq_prepared_kind(const nq_prepared *prepared);
/* True for a query that reads at most a few rows by key and computes nothing of unbounded size:
 * microseconds of work, which a thread that must not wait may do itself. */
bool nq_prepared_is_short(const nq_prepared *prepared);
/* BEGIN's options; SAVEPOINT's, ROLLBACK TO's and RELEASE's name. */
nq_transaction_options nq_prepared_transaction_options(const nq_prepared *prepared);
nq_bytes nq_prepared_savepoint_name(const nq_prepared *prepared);
uint32_t nq_prepared_column_count(const nq_prepared *prepared);
const nq_column_info *nq_prepared_columns(const nq_prepared *prepared);
uint32_t nq_prepared_parameter_count(const nq_prepared *prepared);
/* Names are empty for positional parameters, in position order. */
const nq_column_info *nq_prepared_parameters(const nq_prepared *prepared);

typedef struct nq_statement_stats {
    uint64_t rows_returned;
    uint64_t rows_examined;
    uint64_t rows_affected;
    int64_t parse_ns, plan_ns; /* what the plan in use took to make, however often it was used */
    int64_t execute_ns;        /* inside open and next, as far as ctx->wants_timing was set there */
    uint64_t memory_bytes_max;
    uint64_t log_bytes; /* keys and rows handed to the log, its framing aside */
} nq_statement_stats;

/* Runs a prepared statement. `transaction` NULL: its own transaction, committed when a write
 * returns from open (a failed one is rolled back) and when a query's cursor closes. A write runs to
 * its end inside open; a query is live: each next does that batch's work only, on a snapshot kept
 * until close. `ctx` is only used during each call; its deadline and cancel flag stop the work
 * within 1024 rows. */
nq_status nq_cursor_open(nq_ctx *ctx, nq_database *database, nq_transaction *transaction,
                         nq_prepared *prepared, const nq_parameter *parameters,
                         uint32_t parameter_count, nq_bytes request_id, nq_cursor **out_cursor);

uint32_t nq_cursor_column_count(const nq_cursor *cursor);
const nq_column_info *nq_cursor_columns(const nq_cursor *cursor);

/* The next batch of at most `rows_max` rows (≤ NQ_BATCH_ROWS_MAX; 0 means that); row_count 0 at the
 * end. Borrowed until the next call on the cursor. */
nq_status nq_cursor_next(nq_ctx *ctx, nq_cursor *cursor, uint32_t rows_max, nq_batch *out_batch);

/* The planner's estimate of the result's rows, or UINT64_MAX when it has none. */
uint64_t nq_cursor_estimated_rows(const nq_cursor *cursor);
uint64_t nq_cursor_snapshot(const nq_cursor *cursor);
/* The log position of an autocommitted write; 0 otherwise. */
uint64_t nq_cursor_commit_lsn(const nq_cursor *cursor);
void nq_cursor_get_stats(const nq_cursor *cursor, nq_statement_stats *out_stats);
void nq_cursor_close(nq_cursor *cursor);

/* ---- Plans ---- */

typedef struct nq_plan_node_info {
    int32_t parent; /* index, -1 for the root */
    nq_bytes operator_name;
    nq_bytes target;  /* table or index, or empty */
    nq_bytes details; /* "filter: (a > 1)" lines joined by \n, or empty */
    double estimated_rows;
    uint64_t actual_rows; /* with analyze */
    int64_t actual_ns;    /* with analyze: inclusive of its inputs */
    uint64_t loops;
} nq_plan_node_info;

/* The plan, root first, and with `analyze` what running it (to the end, discarding rows; writes are
 * rolled back) measured. Allocated from `arena`. */
nq_status nq_explain(nq_ctx *ctx, nq_database *database, nq_transaction *transaction,
                     nq_prepared *prepared, const nq_parameter *parameters,
                     uint32_t parameter_count, bool analyze, nq_arena *arena,
                     nq_plan_node_info **out_nodes, uint32_t *out_node_count);

/* ---- Bulk load ---- */

typedef struct nq_ingest nq_ingest;

/* Appends batches to a table. `columns` names the target columns in batch order (none: all, in
 * table order). With a non-empty `ingest_id` the offset of the next row is stored in the same
 * transaction as the rows, so that after a crash the caller resumes exactly where the last
 * acknowledged transaction ended. `upsert` replaces rows whose primary key exists. */
nq_status nq_ingest_open(nq_ctx *ctx, nq_database *database, nq_bytes table,
                         const nq_bytes *columns, uint32_t column_count, nq_bytes ingest_id,
                         bool upsert, nq_ingest **out_ingest);
/* The offset, in rows, that the next batch must start at: 0, or where an earlier run ended. */
uint64_t nq_ingest_offset(const nq_ingest *ingest);
/* Column count and order as opened; values are cast as INSERT casts. Nothing is committed yet. */
nq_status nq_ingest_append(nq_ctx *ctx, nq_ingest *ingest, const nq_batch *batch);
/* Makes everything appended so far durable, in one transaction; the next append starts another. */
nq_status nq_ingest_commit(nq_ctx *ctx, nq_ingest *ingest, uint64_t *out_commit_lsn);
/* Drops what was not committed. */
void nq_ingest_close(nq_ingest *ingest);

/* ---- What exists ---- */

typedef struct nq_table_info {
    nq_bytes name;
    uint64_t row_estimate;
    uint64_t bytes;
    int64_t create_time_us; /* since 1970, UTC */
} nq_table_info;

/* Tables whose name is > `after` (empty: from the first) and matches the LIKE `pattern` (empty:
 * all), at most `count_max`, by name. Allocated from `arena`. */
nq_status nq_database_list_tables(nq_ctx *ctx, nq_database *database, nq_bytes after,
                                  nq_bytes pattern, uint32_t count_max, nq_arena *arena,
                                  nq_table_info **out_tables, uint32_t *out_count);

typedef struct nq_table_detail {
    nq_table_info table;
    const nq_column_info *columns;
    const nq_bytes *column_defaults; /* SQL text, or empty */
    uint32_t column_count;
    const uint32_t *key_columns; /* the primary key's columns, in key order */
    uint32_t key_column_count;
    const nq_bytes *constraints; /* as SQL text, for people */
    uint32_t constraint_count;
} nq_table_detail;

/* Fails with NQ_TABLE_NOT_FOUND. Allocated from `arena`. */
nq_status nq_database_get_table(nq_ctx *ctx, nq_database *database, nq_bytes name, nq_arena *arena,
                                nq_table_detail *out_detail);

/* ---- Upkeep ---- */

nq_status nq_database_checkpoint(nq_ctx *ctx, nq_database *database, uint64_t *out_lsn,
                                 uint64_t *out_pages_written);
/* NQ_OK, or why writes are refused. */
nq_status nq_database_health(const nq_database *database);

/* How the log's second home and its archive do; both false where there is none. */
typedef struct nq_log_state {
    bool is_copy_lost;        /* the copy's device has failed: until the next start there is one */
    bool is_archive_refusing; /* the archive did not take what it was offered last */
} nq_log_state;
nq_log_state nq_database_log_state(const nq_database *database);
/* Every engine counter and gauge as (name, value): `visit` is called once each. */
void nq_database_visit_stats(const nq_database *database,
                             void (*visit)(void *user, const char *name, double value), void *user);

#endif
