/* Stream batch: cuts a cursor's rows into batches of a stream, by rows and by bytes.
 *
 * The engine hands out at most NQ_BATCH_ROWS_MAX rows at a time; a stream's batch joins several, or
 * takes a part of one when rows are wide. What is left over waits for the next. */
#ifndef NQ_SERVER_SERVICE_STREAM_BATCH_H
#define NQ_SERVER_SERVICE_STREAM_BATCH_H

#include "engine/api/database.h"
#include "server/wire/row_batch.h"
#include "server/wire/stream_wire.h"

typedef struct nq_stream_source {
    nq_cursor *cursor;
    nq_batch held;       /* the cursor's last batch */
    uint32_t held_taken; /* rows of it that are used up */
    uint64_t rows_left;  /* of max_rows */
    bool is_at_end;
    bool is_truncated; /* max_rows cut the result */
} nq_stream_source;

/* Writes the next batch event of at most `rows_max` rows and about `bytes_max` bytes, numbered
 * `number`; *out_rows is 0, and nothing is written, when there are no more rows. ctx->scratch is
 * reset. */
nq_status nq_stream_batch_write(nq_ctx *ctx, nq_stream_source *source, nq_row_format format,
                                uint32_t rows_max, size_t bytes_max, uint64_t number,
                                uint64_t first_row, nq_writer *writer, uint64_t *out_rows);

/* Whether all rows were written; runs the statement until one more is known, if need be. */
nq_status nq_stream_source_look(nq_ctx *ctx, nq_stream_source *source, bool *out_is_at_end);

#endif
