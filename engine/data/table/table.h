/* Table: rows by key. Insert, find, scan, update, delete, with NOT NULL and the primary key
 * enforced.
 *
 * A row's identity is its encoded key: the primary key, or the hidden row id that grows with every
 * insert. Scans and lookups hand it out as the pseudo-column NQ_COLUMN_ROW_KEY (type BYTES), and
 * update and delete take it back. CHECK constraints and defaults are expressions: the caller
 * evaluates them. A scan may or may not see rows written while it is open: collect the row keys
 * first when the writes could move rows ahead of it. */
#ifndef NQ_DATA_TABLE_TABLE_H
#define NQ_DATA_TABLE_TABLE_H

#include "engine/data/catalog/data_txn.h"
#include "engine/data/value/row.h"

/* ---- Reading ---- */

typedef struct nq_table_scan nq_table_scan;

/* A range of the primary key: `low_count` leading key columns have these values as lower bound, and
 * so for `high`. Counts 0: open. Inclusive on a prefix means every key that starts with it. */
typedef struct nq_key_range {
    const nq_value *low;
    uint32_t low_count;
    bool low_is_exclusive;
    const nq_value *high;
    uint32_t high_count;
    bool high_is_exclusive;
    bool is_reverse;
} nq_key_range;

/* Opens a scan of `columns` (any order, each at most once; NQ_COLUMN_ROW_KEY allowed), in key
 * order. `range` NULL: the whole table. Values must have the key columns' types and not be null.
 * The scan's memory comes from `arena`, but for batch text, which comes from the heap and is
 * bounded. */
nq_status nq_table_scan_open(nq_ctx *ctx, nq_arena *arena, nq_data_txn *txn, const nq_table *table,
                             const uint32_t *columns, uint32_t column_count,
                             const nq_key_range *range, nq_table_scan **out_scan);

/* The next rows, at most `rows_max` (≤ NQ_BATCH_ROWS_MAX) and fewer when rows are long; 0 at the
 * end. Column i is columns[i]. Valid until the next call on the scan. Between calls it holds no
 * latch and may move to another thread with its transaction. */
nq_status nq_table_scan_next(nq_ctx *ctx, nq_table_scan *scan, uint32_t rows_max,
                             nq_batch *out_batch);
void nq_table_scan_close(nq_table_scan *scan);

/* Looks up one row by its whole primary key and appends the decoder's columns to `builder`. Values
 * have the key columns' types; a null finds nothing. */
nq_status nq_table_find(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                        const nq_value *key_values, const nq_row_decoder *decoder,
                        nq_batch_builder *builder, bool *out_is_found);

/* The same by row key. */
nq_status nq_table_find_row(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table, nq_bytes row_key,
                            const nq_row_decoder *decoder, nq_batch_builder *builder,
                            bool *out_is_found);

/* ---- Writing ---- */

/* Writes rows of one table for the length of one statement; holds the buffers. */
typedef struct nq_table_writer nq_table_writer;

/* Claims the table. Its memory comes from the heap; close it. Fails with NQ_READ_ONLY_TRANSACTION.
 */
nq_status nq_table_writer_open(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                               nq_table_writer **out_writer);
void nq_table_writer_close(nq_table_writer *writer);

/* Inserts rows `first_row` .. row_count - 1 of a batch that holds every column, in table order and
 * of its types. Stops at the first that fails: *out_count rows before it are in.
 * NQ_UNIQUE_VIOLATION names the constraint and the key ("Key (a, b)=(1, x) already exists."); the
 * caller may go on behind that row, or find the one in its way with nq_table_writer_key.
 * NQ_NOT_NULL_VIOLATION names the column. */
nq_status nq_table_writer_insert(nq_ctx *ctx, nq_table_writer *writer, const nq_batch *batch,
                                 uint32_t first_row, uint32_t *out_count);

/* As insert, but a row whose key exists is replaced. */
nq_status nq_table_writer_upsert(nq_ctx *ctx, nq_table_writer *writer, const nq_batch *batch,
                                 uint32_t first_row, uint32_t *out_count);

/* From here on rows are loaded in bulk, if *out_is_loading says so: nobody else writes to the
 * table, which is empty. Then rows must come in the order of their keys: one that does not fails
 * with NQ_WRITE_CONFLICT, upon which the caller rolls back and inserts them one by one. The
 * transaction cannot read the table, or write to it in another way, until it has committed. */
nq_status nq_table_writer_load(nq_ctx *ctx, nq_table_writer *writer, bool *out_is_loading);

/* There are no more rows to load. */
nq_status nq_table_writer_finish_load(nq_ctx *ctx, nq_table_writer *writer);

/* The key of the row last written or refused. Borrowed until the next call on the writer. */
nq_bytes nq_table_writer_key(const nq_table_writer *writer);

/* Replaces the row `row_key` by row `row` of a batch of whole rows. A changed primary key moves it,
 * and may fail with NQ_UNIQUE_VIOLATION. A row that is no longer there: *out_is_found is false. */
nq_status nq_table_writer_update(nq_ctx *ctx, nq_table_writer *writer, nq_bytes row_key,
                                 const nq_batch *batch, uint32_t row, bool *out_is_found);

nq_status nq_table_writer_delete(nq_ctx *ctx, nq_table_writer *writer, nq_bytes row_key,
                                 bool *out_is_found);

/* ---- Size ---- */

typedef struct nq_table_stats {
    uint64_t row_count;
    uint64_t bytes; /* of its pages */
} nq_table_stats;

nq_status nq_table_get_stats(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                             nq_table_stats *out_stats);

/* For planning: does not wait for recovery, before the end of which it is what the last checkpoint
 * had. */
nq_status nq_table_estimate_rows(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                                 uint64_t *out_rows);

#endif
