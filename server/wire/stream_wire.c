/* Stream wire: field numbers are those of stream.proto; stream_wire_test unpacks every event with
 * the generated code. */
#include "server/wire/stream_wire.h"

#include <neuroquantum/v1/stream.pb-c.h>

#include "server/wire/query_response.h"
#include "server/wire/statement_internal.h"

#define PROGRESS_INTERVAL_NS_MAX (INT64_C(3600) * 1000000000)

static nq_status read_options(nq_ctx *ctx, const Neuroquantum__V1__StreamOptions *options,
                              nq_stream_options *out) {
    *out = (nq_stream_options){0};
    if (options == NULL) {
        return NQ_OK;
    }
    if (options->detach_ttl != NULL) {
        return nq__wire_unsupported(ctx, "stream.detach_ttl", "resuming a stream");
    }
    if (options->replay_buffer_bytes != 0) {
        return nq__wire_unsupported(ctx, "stream.replay_buffer_bytes", "resuming a stream");
    }
    out->batch_rows = options->batch_rows;
    out->batch_bytes = options->batch_bytes;
    out->progress_rows = options->progress_rows;
    out->initial_grant = options->initial_grant;
    out->manual_grant = options->manual_grant != 0;
    NQ_TRY(nq__wire_duration(ctx, "stream.progress_interval", options->progress_interval,
                             PROGRESS_INTERVAL_NS_MAX, &out->progress_interval_ns));
    return nq_stream_options_check(ctx, out);
}

static nq_status read_start(nq_ctx *ctx, const Neuroquantum__V1__ExecuteStreamRequest *request,
                            nq_stream_request *out) {
    NQ_TRY(nq__wire_statement(ctx, "statement", request->statement, &out->statement));
    NQ_TRY(nq__wire_selector(ctx, request->transaction, &out->selector));
    NQ_TRY(nq__wire_query_options(ctx, request->options, &out->options));
    return read_options(ctx, request->stream, &out->stream);
}

nq_status nq_stream_request_decode(nq_ctx *ctx, nq_bytes message, nq_stream_request *out) {
    *out = (nq_stream_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__execute_stream_request__descriptor, message,
                           &unpacked));
    NQ_TRY(read_start(ctx, unpacked, out));
    /* Grants would have to come by ControlStream. */
    return out->stream.manual_grant
               ? nq__wire_unsupported(ctx, "stream.manual_grant", "granting without Interact")
               : NQ_OK;
}

nq_status nq_interact_request_decode(nq_ctx *ctx, nq_bytes message, nq_interact_request *out) {
    *out = (nq_interact_request){0};
    const void *unpacked = NULL;
    NQ_TRY(
        nq__wire_unpack(ctx, &neuroquantum__v1__interact_request__descriptor, message, &unpacked));
    const Neuroquantum__V1__InteractRequest *request = unpacked;
    switch (request->request_case) {
    case NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_START:
        out->kind = NQ_INTERACT_START;
        return read_start(ctx, request->start, &out->start);
    case NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_FLOW:
        out->kind = NQ_INTERACT_FLOW;
        out->grant_through = request->flow->grant_through;
        return NQ_OK;
    case NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_PAUSE:
        out->kind = NQ_INTERACT_PAUSE;
        out->flag = request->pause != 0;
        return NQ_OK;
    case NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_CANCEL:
        out->kind = NQ_INTERACT_CANCEL;
        out->flag = request->cancel != 0;
        return NQ_OK;
    case NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_UPDATE:
        out->kind = NQ_INTERACT_UPDATE;
        NQ_TRY(read_options(ctx, request->update, &out->update));
        return out->update.manual_grant
                   ? nq__wire_refuse(ctx, "update.manual_grant", "cannot change in a stream")
                   : NQ_OK;
    case NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_RESUME:
        return nq__wire_unsupported(ctx, "resume", "resuming a stream");
    default:
        return nq__wire_refuse(ctx, "request", "is empty");
    }
}

/* ---- Events ---- */

enum { RESPONSE_EVENT = 1 };
enum { EVENT_STARTED = 1, EVENT_BATCH, EVENT_PROGRESS, EVENT_COMPLETED, EVENT_NOTICE };

static nq_open_batch open_event(nq_writer *writer, uint32_t event) {
    nq_open_batch opened;
    opened.response = nq_writer_open(writer, RESPONSE_EVENT);
    opened.event = nq_writer_open(writer, event);
    return opened;
}

static void close_event(nq_writer *writer, nq_open_batch opened) {
    nq_writer_close(writer, opened.event);
    nq_writer_close(writer, opened.response);
}

void nq_stream_started_write(nq_writer *writer, const nq_stream_started *started) {
    enum {
        STREAM_ID = 1,
        COLUMNS = 3,
        ESTIMATED_ROWS,
        SNAPSHOT_LSN,
        BATCH_ROWS = 7,
        BATCH_BYTES,
        TRANSACTION_ID,
        QUERY_ID
    };
    nq_open_batch opened = open_event(writer, EVENT_STARTED);
    nq_writer_put_bytes(writer, STREAM_ID, started->stream_id);
    for (uint32_t i = 0; i < started->column_count; i++) {
        nq_column_info_write(writer, COLUMNS, &started->columns[i], (nq_bytes){0});
    }
    bool is_known = started->rows_expected != UINT64_MAX;
    nq_writer_put_uint(writer, ESTIMATED_ROWS, is_known ? started->rows_expected : 0);
    nq_writer_put_uint(writer, SNAPSHOT_LSN, started->snapshot_lsn);
    nq_writer_put_uint(writer, BATCH_ROWS, started->batch_rows);
    nq_writer_put_uint(writer, BATCH_BYTES, started->batch_bytes);
    nq_writer_put_bytes(writer, TRANSACTION_ID, started->transaction_id);
    nq_writer_put_bytes(writer, QUERY_ID, started->query_id);
    close_event(writer, opened);
}

nq_open_batch nq_stream_batch_open(nq_writer *writer, uint64_t number, uint64_t first_row,
                                   uint32_t row_count) {
    enum { NUMBER = 1, FIRST_ROW, ROW_COUNT };
    nq_open_batch opened = open_event(writer, EVENT_BATCH);
    nq_writer_put_uint(writer, NUMBER, number);
    nq_writer_put_uint(writer, FIRST_ROW, first_row);
    nq_writer_put_uint(writer, ROW_COUNT, row_count);
    return opened;
}

void nq_stream_batch_close(nq_writer *writer, nq_open_batch opened, bool is_last) {
    enum { LAST = 9 };
    nq_writer_put_uint(writer, LAST, is_last);
    close_event(writer, opened);
}

static uint32_t flow_state_of(nq_pacer_verdict state) {
    switch (state) {
    case NQ_PACER_PAUSED:
        return NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_PAUSED;
    case NQ_PACER_WAITING_CREDIT:
        return NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_WAITING_CREDIT;
    case NQ_PACER_SEND:
        break;
    }
    return NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_NORMAL;
}

void nq_stream_progress_write(nq_writer *writer, const nq_stream_progress *progress,
                              uint64_t rows_examined) {
    enum {
        ROWS_SENT = 1,
        ROWS_EXAMINED,
        BYTES_SENT,
        FRACTION,
        ROWS_PER_SECOND,
        ELAPSED,
        REMAINING,
        FLOW_STATE,
        PHASE = 10
    };
    nq_open_batch opened = open_event(writer, EVENT_PROGRESS);
    nq_writer_put_uint(writer, ROWS_SENT, progress->rows_sent);
    nq_writer_put_uint(writer, ROWS_EXAMINED, rows_examined);
    nq_writer_put_uint(writer, BYTES_SENT, progress->bytes_sent);
    nq_writer_put_double(writer, FRACTION, progress->fraction);
    nq_writer_put_double(writer, ROWS_PER_SECOND, progress->rows_per_second);
    nq_writer_put_duration(writer, ELAPSED, progress->elapsed_ns);
    if (progress->remaining_ns >= 0) {
        nq_writer_put_duration(writer, REMAINING, progress->remaining_ns);
    }
    nq_writer_put_uint(writer, FLOW_STATE, flow_state_of(progress->state));
    nq_writer_put_cstr(writer, PHASE, "sending");
    close_event(writer, opened);
}

void nq_stream_notice_write(nq_writer *writer, const char *severity, const char *text) {
    enum { SEVERITY = 1, MESSAGE = 3 };
    nq_open_batch opened = open_event(writer, EVENT_NOTICE);
    nq_writer_put_cstr(writer, SEVERITY, severity);
    nq_writer_put_cstr(writer, MESSAGE, text);
    close_event(writer, opened);
}

void nq_stream_completed_write(nq_writer *writer, const nq_stream_completed *completed) {
    enum { ROWS = 1, BATCHES, STATS, CONSISTENCY_TOKEN };
    nq_open_batch opened = open_event(writer, EVENT_COMPLETED);
    nq_writer_put_uint(writer, ROWS, completed->rows);
    nq_writer_put_uint(writer, BATCHES, completed->batches);
    nq_query_stats_write(writer, STATS, &completed->stats);
    if (completed->lsn > 0) {
        nq_consistency_token_write(writer, CONSISTENCY_TOKEN, completed->lsn);
    }
    close_event(writer, opened);
}
