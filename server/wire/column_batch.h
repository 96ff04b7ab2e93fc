/* Column batch: rows as Arrow lays them out, inside one ColumnBatch message.
 *
 * Per column, ENCODING_PLAIN, little-endian:
 *   validity  bit i (least significant first) is 1 when row i is not null; absent when none is null
 *   data      BOOL               one bit a row, as validity
 *             SMALLINT           2 bytes a row     INTEGER, DATE          4 bytes a row
 *             REAL               4 bytes a row     DOUBLE                 8 bytes a row
 *             BIGINT, TIME, TIMESTAMP              8 bytes a row
 *             UUID               16 bytes a row    TEXT, BYTES            the values, end to end
 *   offsets   TEXT and BYTES: row_count + 1 int32; row i is data[offsets[i] .. offsets[i + 1])
 * The slot of a null holds zero bytes, or nothing where offsets exist.
 * Paper: Apache Arrow columnar format 1.0, "Physical memory layout". */
#ifndef NQ_WIRE_COLUMN_BATCH_H
#define NQ_WIRE_COLUMN_BATCH_H

#include "engine/data/value/batch.h"
#include "server/wire/writer.h"

/* No less than what nq_column_batch_write will add: one reserve is enough for it. */
size_t nq_column_batch_bytes_max(const nq_batch *batch);

/* Appends `batch` as the ColumnBatch submessage `field`. One pass a column, a few ns a row. */
void nq_column_batch_write(nq_writer *writer, uint32_t field, const nq_batch *batch);

/* Collector: many batches of one result as one ColumnBatch, for answers that are one message. Lives
 * in the scratch arena it was created with. */
typedef struct nq_column_collector nq_column_collector;

/* `bytes_max` bounds the data it may hold: what does not fit one response need not be collected. */
nq_status nq_column_collector_create(nq_ctx *ctx, const nq_column_info *columns,
                                     uint32_t column_count, size_t bytes_max,
                                     nq_column_collector **out_collector);

/* Copies the batch. Fails with NQ_RESULT_TOO_LARGE or NQ_MEMORY_LIMIT. */
nq_status nq_column_collector_append(nq_ctx *ctx, nq_column_collector *collector,
                                     const nq_batch *batch);
void nq_column_collector_write(const nq_column_collector *collector, nq_writer *writer,
                               uint32_t field);
/* No less than what the write will add; and the rows held. */
size_t nq_column_collector_bytes(const nq_column_collector *collector);
uint64_t nq_column_collector_rows(const nq_column_collector *collector);

/* Batches that came in one message, in row order. Vectors point into the message where its layout
 * allows, into ctx->scratch otherwise. */
typedef struct nq_batch_list {
    const nq_batch *batches; /* each of at most NQ_BATCH_ROWS_MAX rows */
    uint32_t batch_count;
    uint64_t row_count;
} nq_batch_list;

/* Reads a serialized ColumnBatch from a stranger: every length, offset and text is checked against
 * `types`, one a column. Fails with NQ_INVALID_REQUEST, NQ_INVALID_UTF8, NQ_MEMORY_LIMIT,
 * NQ_FEATURE_UNSUPPORTED (another encoding or compression). */
nq_status nq_column_batch_read(nq_ctx *ctx, nq_bytes message, const nq_type *types,
                               uint32_t type_count, nq_batch_list *out_batches);

#endif
