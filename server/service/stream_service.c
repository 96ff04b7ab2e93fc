/* StreamService: a statement's rows as a paced stream. ExecuteStream and Interact share everything
 * but the controls.
 *
 *   NEW ──start──▶ STARTING ──▶ FLOWING ──rows end──▶ NOTICING ──▶ COMPLETING ──▶ ENDED
 *    │                │            │ ▲ pause, credit, a full transport: it just sits
 *    └────────────────┴────────────┴─┴── failure, cancel, deadline ─────────────▶ ENDED
 *
 * I1  pump() is the only place that writes; every callback that may make a write possible ends in
 * it. I2  A stream that may not send holds its cursor's snapshot and its call's memory: no thread,
 * no lock. I3  The transaction is settled before StreamCompleted is written: that event means it
 * all happened. */
#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "server/service/query_service_internal.h"
#include "server/service/stream_batch.h"

enum {
    /* Collected columns plus the engine's scratch for one batch. */
    BATCH_MEMORY_BYTES = 64 << 20,
    EVENT_BYTES = 512,
    MESSAGE_BYTES_MAX = 64 << 20,
    /* Batches made in one go before other calls of the pool get their turn. */
    BATCHES_PER_TURN = 8,
};

typedef enum stream_phase {
    PHASE_NEW,
    PHASE_STARTING,
    PHASE_FLOWING,
    PHASE_NOTICING,
    PHASE_COMPLETING,
    PHASE_ENDED,
} stream_phase;

/* State of one call. */
typedef struct stream_call {
    nq_call *call;
    nq_service *service;
    nq_ctx ctx;
    nq_arena batch_arena;
    nq_stream_request request;
    nq_run run;
    nq_query_entry entry;
    nq_stream_source source;
    nq_pacer pacer;
    nq_stream_completed completed;
    nq_alarm alarm; /* at the deadline: a stream that sits must end too */
    stream_phase phase;
} stream_call;

static void on_open(nq_call *call) {
    stream_call *stream = nq_call_state(call);
    stream->call = call;
    stream->service = nq_call_service(call);
    nq_arena_init(&stream->batch_arena, BATCH_MEMORY_BYTES);
}

/* ---- Ending ---- */

/* Closes the cursor and settles the transaction; completed tells what there was. */
static nq_status settle(stream_call *stream, nq_status outcome) {
    nq_cursor *cursor = stream->source.cursor;
    nq_run_end end;
    if (cursor != NULL) {
        uint64_t commit_lsn = nq_cursor_commit_lsn(cursor);
        nq_cursor_get_stats(cursor, &stream->completed.stats);
        stream->completed.lsn = commit_lsn > 0 ? commit_lsn : nq_cursor_snapshot(cursor);
        stream->source.cursor = NULL;
        nq_cursor_close(cursor);
    }
    nq_status status = nq_run_close(&stream->ctx, &stream->run, outcome, (nq_bytes){0}, &end);
    stream->completed.rows = stream->pacer.rows_sent;
    stream->completed.batches = stream->pacer.batches_sent;
    if (end.commit_lsn > 0) {
        stream->completed.lsn = end.commit_lsn;
    }
    nq__note_query(stream->service, &stream->entry, status, &stream->completed.stats);
    nq_query_registry_leave(stream->service->queries, &stream->entry);
    nq_alarm_clear(stream->service->alarms, &stream->alarm);
    return status;
}

/* Ends the stream with a failure that is in the context. */
static void fail(stream_call *stream, nq_status status) {
    if (stream->phase == PHASE_STARTING || stream->phase == PHASE_FLOWING) {
        (void)settle(stream, status);
    }
    stream->phase = PHASE_ENDED;
    nq_run_fail(stream->call, &stream->ctx, &stream->entry);
}

/* ---- Sending ---- */

static nq_status send(stream_call *stream, nq_writer *writer, bool more_follows) {
    nq_payload *payload = NULL;
    NQ_TRY(nq_writer_finish(&stream->ctx, writer, &payload));
    if (!nq_call_write(stream->call, payload, more_follows)) {
        return nq_fail(&stream->ctx, NQ_CANCELLED_BY_CLIENT, "the client is gone");
    }
    return NQ_OK;
}

static nq_status send_started(stream_call *stream) {
    nq_cursor *cursor = stream->source.cursor;
    nq_writer writer;
    nq_writer_init(&writer, EVENT_BYTES, MESSAGE_BYTES_MAX);
    nq_stream_started started = {
        .stream_id = nq_bytes_of_cstr(stream->entry.stream_id),
        .columns = cursor == NULL ? NULL : nq_cursor_columns(cursor),
        .column_count = cursor == NULL ? 0 : nq_cursor_column_count(cursor),
        .rows_expected = cursor == NULL ? 0 : nq_cursor_estimated_rows(cursor),
        .snapshot_lsn = cursor == NULL ? 0 : nq_cursor_snapshot(cursor),
        .batch_rows = stream->pacer.options.batch_rows,
        .batch_bytes = stream->pacer.options.batch_bytes,
        .query_id = nq_bytes_of_cstr(stream->entry.id),
    };
    /* A transaction that the end of the stream settles is nobody's to use. */
    if (stream->run.open != NULL && !stream->run.commit_after && !stream->run.rollback_after) {
        started.transaction_id = nq_open_transaction_id(stream->run.open);
    }
    nq_stream_started_write(&writer, &started);
    return send(stream, &writer, true);
}

static nq_status send_progress(stream_call *stream, int64_t now_ns) {
    nq_statement_stats stats;
    nq_stream_progress progress;
    nq_writer writer;
    nq_cursor_get_stats(stream->source.cursor, &stats);
    nq_pacer_describe(&stream->pacer, nq_cursor_estimated_rows(stream->source.cursor), now_ns,
                      &progress);
    nq_writer_init(&writer, EVENT_BYTES, MESSAGE_BYTES_MAX);
    nq_stream_progress_write(&writer, &progress, stats.rows_examined);
    return send(stream, &writer, true);
}

static nq_status send_notice(stream_call *stream) {
    nq_writer writer;
    nq_writer_init(&writer, EVENT_BYTES, MESSAGE_BYTES_MAX);
    nq_stream_notice_write(&writer, "NOTICE", "max_rows cut the result");
    return send(stream, &writer, true);
}

static nq_status send_completed(stream_call *stream) {
    nq_writer writer;
    nq_writer_init(&writer, EVENT_BYTES, MESSAGE_BYTES_MAX);
    nq_stream_completed_write(&writer, &stream->completed);
    return send(stream, &writer, true);
}

/* One batch, or the end of the rows: *out_is_end. */
static nq_status send_batch(stream_call *stream, bool *out_is_end) {
    nq_pacer *pacer = &stream->pacer;
    nq_ctx *ctx = &stream->ctx;
    nq_arena *lasting = ctx->scratch;
    nq_writer writer;
    uint64_t rows = 0;
    nq_writer_init(&writer, pacer->options.batch_bytes + EVENT_BYTES, MESSAGE_BYTES_MAX);
    ctx->scratch = &stream->batch_arena;
    nq_status status = nq_stream_batch_write(
        ctx, &stream->source, stream->request.options.format, pacer->options.batch_rows,
        pacer->options.batch_bytes, pacer->batches_sent + 1, pacer->rows_sent, &writer, &rows);
    ctx->scratch = lasting;
    *out_is_end = rows == 0;
    if (status != NQ_OK || rows == 0) {
        nq_writer_deinit(&writer);
        return status;
    }
    nq_pacer_note_sent(pacer, rows, nq_writer_size(&writer));
    stream->entry.rows_returned = pacer->rows_sent;
    return send(stream, &writer, false);
}

/* ---- The pump ---- */

static void say_state(stream_call *stream, nq_pacer_verdict verdict) {
    stream->entry.state = verdict == NQ_PACER_PAUSED           ? "paused"
                          : verdict == NQ_PACER_WAITING_CREDIT ? "waiting_credit"
                                                               : "streaming";
}

/* Sends what the verdict allows. The end of the rows needs no credit: only batches do. */
static nq_status send_rows(stream_call *stream, nq_pacer_verdict verdict, bool *out_is_end,
                           bool *out_may_go_on) {
    int64_t now_ns = nq_clock_monotonic_ns();
    *out_is_end = false;
    switch (verdict) {
    case NQ_PACER_PAUSED:
        *out_may_go_on = false;
        return NQ_OK;
    case NQ_PACER_WAITING_CREDIT:
        NQ_TRY(nq_stream_source_look(&stream->ctx, &stream->source, out_is_end));
        *out_may_go_on = *out_is_end;
        return NQ_OK;
    case NQ_PACER_SEND:
        break;
    }
    return nq_pacer_progress_is_due(&stream->pacer, now_ns) ? send_progress(stream, now_ns)
                                                            : send_batch(stream, out_is_end);
}

/* One step of a flowing stream; *out_may_go_on false when it has to wait. */
static nq_status flow(stream_call *stream, bool *out_may_go_on) {
    nq_pacer_verdict verdict = nq_pacer_next(&stream->pacer);
    bool is_end = true;
    say_state(stream, verdict);
    if (stream->source.cursor != NULL && nq_cursor_column_count(stream->source.cursor) > 0) {
        NQ_TRY(send_rows(stream, verdict, &is_end, out_may_go_on));
    }
    if (!is_end) {
        return NQ_OK;
    }
    nq_status status = settle(stream, NQ_OK);
    stream->phase = stream->source.is_truncated ? PHASE_NOTICING : PHASE_COMPLETING;
    return status;
}

static nq_status step(stream_call *stream, bool *out_may_go_on) {
    *out_may_go_on = true;
    switch (stream->phase) {
    case PHASE_STARTING:
        NQ_TRY(send_started(stream));
        stream->phase = PHASE_FLOWING;
        return NQ_OK;
    case PHASE_FLOWING:
        NQ_TRY(nq_ctx_poll(&stream->ctx));
        return flow(stream, out_may_go_on);
    case PHASE_NOTICING:
        NQ_TRY(send_notice(stream));
        stream->phase = PHASE_COMPLETING;
        return NQ_OK;
    case PHASE_COMPLETING:
        NQ_TRY(send_completed(stream));
        stream->phase = PHASE_ENDED;
        nq_call_finish(stream->call, NQ_RPC_OK, "", (nq_bytes){0});
        return NQ_OK;
    case PHASE_NEW:
    case PHASE_ENDED:
        break;
    }
    *out_may_go_on = false;
    return NQ_OK;
}

/* Everything that can be sent now (I1), for at most a turn. */
static void pump(stream_call *stream) {
    bool may_go_on = true;
    uint64_t turn_ends = stream->pacer.batches_sent + BATCHES_PER_TURN;
    /* A stream that sits must notice its deadline although it cannot write. */
    if (stream->phase == PHASE_FLOWING) {
        nq_status status = nq_ctx_poll(&stream->ctx);
        if (status != NQ_OK) {
            fail(stream, status);
            return;
        }
    }
    while (may_go_on && nq_call_can_write(stream->call)) {
        if (stream->pacer.batches_sent >= turn_ends) {
            nq_call_wake(stream->call);
            return;
        }
        nq_status status = step(stream, &may_go_on);
        if (status != NQ_OK) {
            fail(stream, status);
            return;
        }
    }
    if (!may_go_on) {
        nq_arena_deinit(&stream->batch_arena); /* I2: whoever sits for long keeps little */
        nq_arena_init(&stream->batch_arena, BATCH_MEMORY_BYTES);
    }
}

/* ---- Starting ---- */

static nq_status open_cursor(stream_call *stream) {
    nq_run *run = &stream->run;
    const nq_wire_statement *statement = &stream->request.statement;
    if (nq__is_control(nq_prepared_kind(run->prepared))) {
        return nq__run_control(&stream->ctx, run);
    }
    return nq_cursor_open(&stream->ctx, stream->service->database, run->transaction, run->prepared,
                          statement->parameters, statement->parameter_count, (nq_bytes){0},
                          &stream->source.cursor);
}

/* With the request decoded: the statement runs from here on. */
static nq_status start(stream_call *stream) {
    if (stream->request.options.format == NQ_ROW_FORMAT_UNSPECIFIED) {
        stream->request.options.format = NQ_ROW_FORMAT_COLUMNS;
    }
    nq_run_init_ctx(stream->call, stream->service, stream->request.options.timeout_ns,
                    &stream->ctx);
    stream->ctx.wants_timing = true;
    NQ_TRY(nq_run_open(&stream->ctx, stream->service, &stream->request.statement,
                       &stream->request.selector, &stream->run));
    stream->phase = PHASE_STARTING;
    nq_query_registry_join(stream->service->queries, &stream->entry, stream->call, stream->run.sql,
                           stream->request.options.tag, nq_clock_monotonic_ns());
    memcpy(stream->entry.stream_id, stream->entry.id, sizeof stream->entry.stream_id);
    stream->source.rows_left = stream->request.options.rows_max;
    nq_pacer_init(&stream->pacer, &stream->request.stream, nq_clock_monotonic_ns());
    if (stream->ctx.deadline_ns != NQ_NO_DEADLINE) {
        (void)nq_alarm_set(stream->service->alarms, &stream->alarm, stream->call,
                           stream->ctx.deadline_ns);
    }
    return open_cursor(stream);
}

static void on_execute_stream(nq_call *call, nq_bytes message) {
    stream_call *stream = nq_call_state(call);
    nq_call_init_ctx(call, &stream->ctx, NULL);
    nq_status status = nq_stream_request_decode(&stream->ctx, message, &stream->request);
    if (status == NQ_OK) {
        status = start(stream);
    }
    if (status != NQ_OK) {
        fail(stream, status);
        return;
    }
    pump(stream);
}

/* ---- Interact's controls ---- */

static nq_status control(stream_call *stream, nq_bytes message) {
    nq_interact_request request;
    nq_ctx ctx = stream->ctx;
    ctx.scratch = &stream->batch_arena;
    nq_arena_reset(ctx.scratch);
    nq_status status = nq_interact_request_decode(&ctx, message, &request);
    if (status != NQ_OK) {
        stream->ctx.error = ctx.error;
        return status;
    }
    switch (request.kind) {
    case NQ_INTERACT_FLOW:
        nq_pacer_grant(&stream->pacer, request.grant_through);
        break;
    case NQ_INTERACT_PAUSE:
        nq_pacer_pause(&stream->pacer, request.flag);
        break;
    case NQ_INTERACT_UPDATE:
        nq_pacer_update(&stream->pacer, &request.update);
        break;
    case NQ_INTERACT_CANCEL:
        return !request.flag ? NQ_OK
                             : nq_fail(&stream->ctx, NQ_CANCELLED_BY_CLIENT, "stopped by `cancel`");
    case NQ_INTERACT_START:
        return nq_fail(&stream->ctx, NQ_INVALID_ARGUMENT,
                       "the stream has started: `start` is for "
                       "the first message");
    }
    return NQ_OK;
}

static nq_status first_message(stream_call *stream, nq_bytes message) {
    nq_interact_request request;
    nq_call_init_ctx(stream->call, &stream->ctx, NULL);
    NQ_TRY(nq_interact_request_decode(&stream->ctx, message, &request));
    if (request.kind != NQ_INTERACT_START) {
        return nq_fail(&stream->ctx, NQ_INVALID_ARGUMENT, "the first message must be `start`");
    }
    stream->request = request.start;
    return start(stream);
}

static void on_interact(nq_call *call, nq_bytes message) {
    stream_call *stream = nq_call_state(call);
    if (stream->phase == PHASE_ENDED) {
        return;
    }
    nq_status status =
        stream->phase == PHASE_NEW ? first_message(stream, message) : control(stream, message);
    if (status != NQ_OK) {
        fail(stream, status);
        return;
    }
    nq_call_want_message(call);
    pump(stream);
}

static void on_interact_open(nq_call *call) {
    on_open(call);
    nq_call_want_message(call);
}

/* Ends the controls, not the stream: nobody could end a pause any more. */
static void on_half_close(nq_call *call) {
    stream_call *stream = nq_call_state(call);
    if (stream->phase == PHASE_NEW) {
        nq_call_init_ctx(call, &stream->ctx, NULL);
        fail(stream,
             nq_fail(&stream->ctx, NQ_INVALID_ARGUMENT, "the first message must be `start`"));
        return;
    }
    nq_pacer_pause(&stream->pacer, false);
    pump(stream);
}

/* ---- The rest of a call's life ---- */

static void on_ready(nq_call *call) {
    pump(nq_call_state(call));
}

static void on_cancel(nq_call *call) {
    stream_call *stream = nq_call_state(call);
    nq_status status = stream->phase == PHASE_NEW ? NQ_OK : nq_ctx_poll(&stream->ctx);
    if (status == NQ_OK) {
        status = nq_fail(&stream->ctx, NQ_CANCELLED_BY_CLIENT, "the client is gone");
    }
    fail(stream, status);
}

static void on_done(nq_call *call) {
    stream_call *stream = nq_call_state(call);
    if (stream->phase == PHASE_STARTING || stream->phase == PHASE_FLOWING) {
        (void)settle(stream, nq_fail(&stream->ctx, NQ_CANCELLED_BY_CLIENT, "the client is gone"));
    }
    nq_arena_deinit(&stream->batch_arena);
}

static const nq_method_handler execute_stream_handler = {
    .state_bytes = sizeof(stream_call),
    .on_open = on_open,
    .on_message = on_execute_stream,
    .on_writable = on_ready,
    .on_wake = on_ready,
    .on_cancel = on_cancel,
    .on_done = on_done,
};

static const nq_method_handler interact_handler = {
    .state_bytes = sizeof(stream_call),
    .on_open = on_interact_open,
    .on_message = on_interact,
    .on_half_close = on_half_close,
    .on_writable = on_ready,
    .on_wake = on_ready,
    .on_cancel = on_cancel,
    .on_done = on_done,
};

#define STREAM_SERVICE "/neuroquantum.v1.StreamService/"

const nq_method *nq_stream_service_methods(size_t *out_count) {
    static const nq_method methods[] = {
        {STREAM_SERVICE "ExecuteStream", NQ_METHOD_SERVER_STREAM, 0, &execute_stream_handler, 0},
        {STREAM_SERVICE "Interact", NQ_METHOD_BIDI, 0, &interact_handler, 0},
        {STREAM_SERVICE "ControlStream", NQ_METHOD_UNARY, 0, NULL, 0},
        {STREAM_SERVICE "ResumeStream", NQ_METHOD_SERVER_STREAM, 0, NULL, 0},
        {STREAM_SERVICE "GetStream", NQ_METHOD_UNARY, 0, NULL, 0},
        {STREAM_SERVICE "WatchQuery", NQ_METHOD_SERVER_STREAM, 0, NULL, 0},
    };
    *out_count = sizeof methods / sizeof methods[0];
    return methods;
}
