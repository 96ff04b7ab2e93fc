/* Pacer: see the header. */
#include "engine/live/stream/pacer.h"

enum { PROGRESS_INTERVAL_DEFAULT_MS = 500, PROGRESS_INTERVAL_MIN_MS = 10, NS_PER_MS = 1000000 };

static nq_status refuse(nq_ctx *ctx, const char *field, const char *rule) {
    nq_status status = nq_fail(ctx, NQ_INVALID_ARGUMENT, "field stream.%s %s", field, rule);
    nq_error_set_object(&ctx->error, field, strlen(field));
    return status;
}

nq_status nq_stream_options_check(nq_ctx *ctx, const nq_stream_options *options) {
    if (options->batch_rows > NQ_STREAM_BATCH_ROWS_MAX) {
        return refuse(ctx, "batch_rows", "is at most 65,536");
    }
    if (options->batch_bytes != 0 && (options->batch_bytes < NQ_STREAM_BATCH_BYTES_MIN ||
                                      options->batch_bytes > NQ_STREAM_BATCH_BYTES_MAX)) {
        return refuse(ctx, "batch_bytes", "is 1,024 to 1,048,576");
    }
    if (options->progress_interval_ns != 0 &&
        options->progress_interval_ns < PROGRESS_INTERVAL_MIN_MS * NS_PER_MS) {
        return refuse(ctx, "progress_interval", "is at least 10 ms");
    }
    if (options->initial_grant != 0 && !options->manual_grant) {
        return refuse(ctx, "initial_grant", "needs manual_grant");
    }
    return NQ_OK;
}

void nq_pacer_init(nq_pacer *pacer, const nq_stream_options *options, int64_t now_ns) {
    *pacer = (nq_pacer){
        .options = {.batch_rows = NQ_STREAM_BATCH_ROWS_DEFAULT,
                    .batch_bytes = NQ_STREAM_BATCH_BYTES_DEFAULT,
                    .progress_interval_ns = (int64_t)PROGRESS_INTERVAL_DEFAULT_MS * NS_PER_MS,
                    .manual_grant = options->manual_grant},
        .started_ns = now_ns,
        .last_progress_ns = now_ns,
        .granted_through =
            options->initial_grant == 0 ? NQ_STREAM_GRANT_DEFAULT : options->initial_grant,
    };
    nq_pacer_update(pacer, options);
}

nq_pacer_verdict nq_pacer_next(const nq_pacer *pacer) {
    if (pacer->is_paused) {
        return NQ_PACER_PAUSED;
    }
    bool is_out = pacer->options.manual_grant && pacer->batches_sent >= pacer->granted_through;
    return is_out ? NQ_PACER_WAITING_CREDIT : NQ_PACER_SEND;
}

void nq_pacer_note_sent(nq_pacer *pacer, uint64_t rows, uint64_t bytes) {
    pacer->batches_sent++;
    pacer->rows_sent += rows;
    pacer->bytes_sent += bytes;
}

void nq_pacer_grant(nq_pacer *pacer, uint64_t grant_through) {
    if (grant_through > pacer->granted_through) {
        pacer->granted_through = grant_through;
    }
}

void nq_pacer_pause(nq_pacer *pacer, bool is_paused) {
    pacer->is_paused = is_paused;
}

void nq_pacer_update(nq_pacer *pacer, const nq_stream_options *options) {
    nq_stream_options *own = &pacer->options;
    own->batch_rows = options->batch_rows != 0 ? options->batch_rows : own->batch_rows;
    own->batch_bytes = options->batch_bytes != 0 ? options->batch_bytes : own->batch_bytes;
    own->progress_interval_ns = options->progress_interval_ns != 0 ? options->progress_interval_ns
                                                                   : own->progress_interval_ns;
    own->progress_rows = options->progress_rows != 0 ? options->progress_rows : own->progress_rows;
}

bool nq_pacer_progress_is_due(nq_pacer *pacer, int64_t now_ns) {
    bool by_time = now_ns - pacer->last_progress_ns >= pacer->options.progress_interval_ns;
    bool by_rows = pacer->options.progress_rows > 0 &&
                   pacer->rows_sent - pacer->last_progress_rows >= pacer->options.progress_rows;
    if (!by_time && !by_rows) {
        return false;
    }
    pacer->last_progress_ns = now_ns;
    pacer->last_progress_rows = pacer->rows_sent;
    return true;
}

void nq_pacer_describe(const nq_pacer *pacer, uint64_t rows_expected, int64_t now_ns,
                       nq_stream_progress *out_progress) {
    int64_t elapsed_ns = now_ns - pacer->started_ns;
    double seconds = (double)elapsed_ns / 1e9;
    double rate = seconds > 0 ? (double)pacer->rows_sent / seconds : 0;
    bool is_known = rows_expected != UINT64_MAX && rows_expected > 0;
    /* An estimate that was passed says nothing any more, but that it was too low. */
    bool is_below = is_known && pacer->rows_sent <= rows_expected;
    *out_progress = (nq_stream_progress){
        .rows_sent = pacer->rows_sent,
        .bytes_sent = pacer->bytes_sent,
        .fraction = is_below ? (double)pacer->rows_sent / (double)rows_expected : 0,
        .rows_per_second = rate,
        .elapsed_ns = elapsed_ns,
        .remaining_ns = is_below && rate > 0
                            ? (int64_t)((double)(rows_expected - pacer->rows_sent) / rate * 1e9)
                            : -1,
        .state = nq_pacer_next(pacer),
    };
}
