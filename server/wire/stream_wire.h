/* Stream wire: StreamService's messages as plain values. Same rules as query_wire.h.
 *
 * ExecuteStreamResponse and InteractResponse have the same layout, so events are written once for
 * both. */
#ifndef NQ_WIRE_STREAM_WIRE_H
#define NQ_WIRE_STREAM_WIRE_H

#include "engine/live/stream/pacer.h"
#include "server/wire/query_wire.h"

typedef struct nq_stream_request {
    nq_wire_statement statement;
    nq_wire_selector selector;
    nq_wire_query_options options;
    nq_stream_options stream;
} nq_stream_request;

nq_status nq_stream_request_decode(nq_ctx *ctx, nq_bytes message, nq_stream_request *out);

typedef enum nq_interact_kind {
    NQ_INTERACT_START,
    NQ_INTERACT_FLOW,
    NQ_INTERACT_PAUSE,
    NQ_INTERACT_CANCEL,
    NQ_INTERACT_UPDATE,
} nq_interact_kind;

typedef struct nq_interact_request {
    nq_interact_kind kind;
    nq_stream_request start;
    uint64_t grant_through;   /* FLOW */
    bool flag;                /* PAUSE, CANCEL */
    nq_stream_options update; /* UPDATE */
} nq_interact_request;

nq_status nq_interact_request_decode(nq_ctx *ctx, nq_bytes message, nq_interact_request *out);

/* ---- Events ---- */

typedef struct nq_stream_started {
    nq_bytes stream_id;
    const nq_column_info *columns;
    uint32_t column_count;
    uint64_t rows_expected; /* UINT64_MAX: unknown */
    uint64_t snapshot_lsn;
    uint32_t batch_rows;
    uint32_t batch_bytes;
    nq_bytes transaction_id; /* empty: none stays open */
    nq_bytes query_id;
} nq_stream_started;

void nq_stream_started_write(nq_writer *writer, const nq_stream_started *started);

/* A batch event, open: between the two goes its payload, NQ_STREAM_BATCH_COLUMNS or _ROWS. */
enum { NQ_STREAM_BATCH_COLUMNS = 4, NQ_STREAM_BATCH_ROWS = 5 };
typedef struct nq_open_batch {
    size_t response;
    size_t event;
} nq_open_batch;
nq_open_batch nq_stream_batch_open(nq_writer *writer, uint64_t number, uint64_t first_row,
                                   uint32_t row_count);
void nq_stream_batch_close(nq_writer *writer, nq_open_batch opened, bool is_last);

void nq_stream_progress_write(nq_writer *writer, const nq_stream_progress *progress,
                              uint64_t rows_examined);

void nq_stream_notice_write(nq_writer *writer, const char *severity, const char *text);

typedef struct nq_stream_completed {
    uint64_t rows;
    uint64_t batches;
    nq_statement_stats stats;
    uint64_t lsn; /* written or seen; 0: neither */
} nq_stream_completed;

void nq_stream_completed_write(nq_writer *writer, const nq_stream_completed *completed);

#endif
