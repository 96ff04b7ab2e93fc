/* Pacer: how far a query's stream may go — credits, pause, batch sizes, progress. Pure bookkeeping:
 * it knows no thread, no clock and no wire; its owner tells it what happens and asks what to do.
 *
 *            next() == SEND                    grant, unpause
 *   ┌────────┐ ───────────▶ batch, note_sent ┌───────────────┐
 *   │ RUNNING │ ◀──────────────────────────── │ WAITING_CREDIT │  sent == granted, manual
 *   └────────┘ ◀─────────── pause(false) ──── │ PAUSED         │  pause(true)
 *                                             └───────────────┘
 * I1  A batch is only sent when next() said SEND.
 * I2  With manual grants sent ≤ granted_through; both, and the acknowledged number, only grow. */
#ifndef NQ_LIVE_STREAM_PACER_H
#define NQ_LIVE_STREAM_PACER_H

#include "engine/ground/base/ctx.h"

enum {
    NQ_STREAM_BATCH_ROWS_DEFAULT = 8192,
    NQ_STREAM_BATCH_ROWS_MAX = 65536,
    NQ_STREAM_BATCH_BYTES_DEFAULT = 128 << 10,
    NQ_STREAM_BATCH_BYTES_MIN = 1 << 10,
    NQ_STREAM_BATCH_BYTES_MAX = 1 << 20,
    NQ_STREAM_GRANT_DEFAULT = 8,
};

/* Zero means the default; in an update, "as it was". */
typedef struct nq_stream_options {
    uint32_t batch_rows;
    uint32_t batch_bytes;
    int64_t progress_interval_ns; /* [500 ms], at least 10 ms */
    uint64_t progress_rows;       /* [never by rows] */
    uint64_t initial_grant;       /* [8], with manual_grant */
    bool manual_grant;
} nq_stream_options;

/* Fails with NQ_INVALID_ARGUMENT, naming the field. */
nq_status nq_stream_options_check(nq_ctx *ctx, const nq_stream_options *options);

typedef enum nq_pacer_verdict {
    NQ_PACER_SEND,
    NQ_PACER_PAUSED,
    NQ_PACER_WAITING_CREDIT,
} nq_pacer_verdict;

typedef struct nq_pacer {
    nq_stream_options options; /* defaults filled in */
    int64_t started_ns;
    uint64_t batches_sent;
    uint64_t rows_sent;
    uint64_t bytes_sent;
    uint64_t granted_through;
    bool is_paused;
    int64_t last_progress_ns;
    uint64_t last_progress_rows;
} nq_pacer;

/* The options have been checked. */
void nq_pacer_init(nq_pacer *pacer, const nq_stream_options *options, int64_t now_ns);

nq_pacer_verdict nq_pacer_next(const nq_pacer *pacer);

void nq_pacer_note_sent(nq_pacer *pacer, uint64_t rows, uint64_t bytes);

/* Cumulative: a smaller number than before is ignored. */
void nq_pacer_grant(nq_pacer *pacer, uint64_t grant_through);
void nq_pacer_pause(nq_pacer *pacer, bool is_paused);
/* Takes the options that are set, from the next batch on; manual_grant and initial_grant stay. */
void nq_pacer_update(nq_pacer *pacer, const nq_stream_options *options);

/* Whether a progress report is due; asking when it is starts the next interval. */
bool nq_pacer_progress_is_due(nq_pacer *pacer, int64_t now_ns);

typedef struct nq_stream_progress {
    uint64_t rows_sent;
    uint64_t bytes_sent;
    double fraction; /* 0 when unknown */
    double rows_per_second;
    int64_t elapsed_ns;
    int64_t remaining_ns; /* -1 when unknown */
    nq_pacer_verdict state;
} nq_stream_progress;

/* `rows_expected` is UINT64_MAX when nobody knows. */
void nq_pacer_describe(const nq_pacer *pacer, uint64_t rows_expected, int64_t now_ns,
                       nq_stream_progress *out_progress);

#endif
