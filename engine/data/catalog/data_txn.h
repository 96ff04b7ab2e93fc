/* Data transaction: a store transaction, the catalog as it sees it, and the tables it has claimed.
 *
 * Everything above storage runs in one of these. Rows: data/table/table.h. Writing to a table
 * claims it shared until the transaction ends; DROP and TRUNCATE claim it alone, and wait for the
 * writers of others. A claim that comes too late — the table was dropped or emptied since this
 * statement's snapshot — fails with NQ_WRITE_CONFLICT: bind and run the statement again. */
#ifndef NQ_DATA_CATALOG_DATA_TXN_H
#define NQ_DATA_CATALOG_DATA_TXN_H

#include "engine/data/catalog/catalog.h"

typedef struct nq_data_txn nq_data_txn;

nq_status nq_data_txn_begin(nq_ctx *ctx, nq_catalog *catalog, const nq_txn_options *options,
                            nq_data_txn **out_txn);

/* Both end it, as nq_txn_commit and nq_txn_rollback do. */
nq_status nq_data_txn_commit(nq_ctx *ctx, nq_data_txn *txn, const nq_commit_options *options,
                             nq_lsn *out_lsn);
void nq_data_txn_rollback(nq_data_txn *txn);

/* Starts a statement: under READ COMMITTED a new snapshot, of the rows and of the catalog. */
nq_status nq_data_txn_statement_begin(nq_ctx *ctx, nq_data_txn *txn);

nq_status nq_data_txn_savepoint(nq_ctx *ctx, nq_data_txn *txn, nq_savepoint *out_savepoint);
nq_status nq_data_txn_rollback_to(nq_ctx *ctx, nq_data_txn *txn, nq_savepoint savepoint);
void nq_data_txn_release(nq_data_txn *txn, nq_savepoint savepoint);

nq_txn *nq_data_txn_store_txn(const nq_data_txn *txn);
nq_catalog *nq_data_txn_catalog(const nq_data_txn *txn);
bool nq_data_txn_is_read_only(const nq_data_txn *txn);
bool nq_data_txn_has_written(const nq_data_txn *txn);
/* Keys and rows handed to the store so far, in bytes; what is rolled back stays counted. */
uint64_t nq_data_txn_written_bytes(const nq_data_txn *txn);
void nq_data_txn_count_written(nq_data_txn *txn, uint64_t bytes);

/* The catalog as this transaction sees it now, its own DDL included. Borrowed until the next
 * statement begins, DDL, rollback_to, or the end. */
nq_status nq_data_txn_snapshot(nq_ctx *ctx, nq_data_txn *txn,
                               const nq_catalog_snapshot **out_snapshot);

/* Claims a table for writing rows. Idempotent and cheap when claimed already. */
nq_status nq_data_txn_claim(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table);

/* ---- DDL: visible to this transaction at once, to others when it commits ---- */

/* Fails with NQ_TABLE_EXISTS, NQ_INVALID_DEFINITION, NQ_LIMIT_EXCEEDED. */
nq_status nq_data_txn_create_table(nq_ctx *ctx, nq_data_txn *txn,
                                   const nq_table_definition *definition);
/* Fails with NQ_TABLE_NOT_FOUND. */
nq_status nq_data_txn_drop_table(nq_ctx *ctx, nq_data_txn *txn, nq_bytes name);
/* Empties it at once, whatever its size. */
nq_status nq_data_txn_truncate_table(nq_ctx *ctx, nq_data_txn *txn, nq_bytes name,
                                     bool restart_identity);

/* ---- Numbers ---- */

/* The next `count` numbers of a generated column: *out_first and those after it. Like PostgreSQL's,
 * they are not given back by a rollback, and a crash may skip some. Fails with
 * NQ_NUMBER_OUT_OF_RANGE at the end of the column's type. */
nq_status nq_data_txn_next_numbers(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                                   uint32_t column, uint32_t count, int64_t *out_first);

/* The next `count` hidden row ids of a table without a primary key. They grow with every call. */
nq_status nq_data_txn_next_row_ids(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                                   uint32_t count, uint64_t *out_first);

/* ---- Notes: small facts about a table's rows, kept and lost with them ---- */

enum { NQ_NOTE_NAME_BYTES_MAX = 256 };

/* out_value->data is NULL when there is none. Borrowed until the next call on the transaction.
 * Emptying or dropping the table forgets its notes. */
nq_status nq_data_txn_find_note(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table, nq_bytes name,
                                nq_bytes *out_value);
nq_status nq_data_txn_put_note(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table, nq_bytes name,
                               nq_bytes value);

#endif
