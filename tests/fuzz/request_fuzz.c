/* Request messages: the first byte chooses the method, the rest is what a stranger sends it. Guard,
 * unpacker and the method's decoder run as in the server, on an arena whose budget nothing may
 * pass; an ingested batch that is accepted is read to its last value and written again. */
#include <stdlib.h>

#include "server/wire/admin_wire.h"
#include "server/wire/pubsub_wire.h"
#include "server/wire/query_wire.h"
#include "server/wire/stream_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 4 << 20, TYPE_COUNT = 12, INGEST_COLUMNS = 3 };

static void require(bool claim) {
    if (!claim) {
        abort();
    }
}

/* One decoder: its plain request is dropped, only that it may be made matters. */
#define DECODER(name, type)                                      \
    static nq_status run_##name(nq_ctx *ctx, nq_bytes message) { \
        type request;                                            \
        return nq_##name##_decode(ctx, message, &request);       \
    }

DECODER(execute_request, nq_execute_request)
DECODER(execute_batch_request, nq_execute_batch_request)
DECODER(prepare_request, nq_prepare_request)
DECODER(close_prepared_request, nq_bytes)
DECODER(explain_request, nq_explain_request)
DECODER(begin_request, nq_begin_request)
DECODER(commit_request, nq_commit_request)
DECODER(rollback_request, nq_rollback_request)
DECODER(cancel_query_request, nq_cancel_query_request)
DECODER(list_tables_request, nq_list_tables_request)
DECODER(get_table_request, nq_bytes)
DECODER(get_stats_request, nq_get_stats_request)
DECODER(list_connections_request, nq_list_request)
DECODER(list_queries_request, nq_list_request)
DECODER(close_connection_request, nq_stop_request)
DECODER(kill_query_request, nq_stop_request)
DECODER(drain_request, int64_t)
DECODER(stream_request, nq_stream_request)
DECODER(interact_request, nq_interact_request)
DECODER(publish_request, nq_publish_request)
DECODER(listen_request, nq_subscribe_options)
DECODER(subscribe_request, nq_subscribe_request)
DECODER(acknowledge_request, nq_acknowledge_request)
DECODER(history_request, nq_history_request)
DECODER(create_channel_request, nq_channel_request)
DECODER(update_channel_request, nq_channel_request)
DECODER(get_channel_request, nq_bytes)
DECODER(delete_channel_request, nq_bytes)
DECODER(list_channels_request, nq_list_channels_request)

static nq_status run_get_config_request(nq_ctx *ctx, nq_bytes message) {
    const nq_bytes *keys;
    uint32_t count;
    return nq_get_config_request_decode(ctx, message, &keys, &count);
}

static nq_status run_checkpoint_request(nq_ctx *ctx, nq_bytes message) {
    return nq_empty_request_decode(ctx, NQ_CHECKPOINT_REQUEST, message);
}

static void check_batches(const nq_batch_list *list) {
    uint64_t row_count = 0;
    for (uint32_t b = 0; b < list->batch_count; b++) {
        const nq_batch *batch = &list->batches[b];
        nq_writer writer;
        require(batch->row_count > 0 && batch->row_count <= NQ_BATCH_ROWS_MAX);
        row_count += batch->row_count;
        size_t bytes_max = nq_column_batch_bytes_max(batch);
        nq_writer_init(&writer, bytes_max + 16, bytes_max + 16);
        nq_column_batch_write(&writer, 1, batch);
        require(writer.status == NQ_OK);
        nq_writer_deinit(&writer);
    }
    require(row_count == list->row_count);
}

/* The columns' types are the message's first byte's: three in a row of the list of types. */
static nq_status run_ingest_message(nq_ctx *ctx, nq_bytes message) {
    static const nq_type_id ids[TYPE_COUNT] = {
        NQ_TYPE_BOOL,    NQ_TYPE_INT16,     NQ_TYPE_INT32, NQ_TYPE_INT64,
        NQ_TYPE_FLOAT32, NQ_TYPE_FLOAT64,   NQ_TYPE_TEXT,  NQ_TYPE_BYTES,
        NQ_TYPE_DATE,    NQ_TYPE_TIMESTAMP, NQ_TYPE_TIME,  NQ_TYPE_UUID,
    };
    nq_type types[INGEST_COLUMNS];
    nq_ingest_message decoded;
    if (message.size == 0) {
        return NQ_OK;
    }
    for (uint32_t i = 0; i < INGEST_COLUMNS; i++) {
        types[i] = NQ_TYPE(ids[(message.data[0] + i) % TYPE_COUNT]);
    }
    uint32_t type_count = message.data[0] / TYPE_COUNT % (INGEST_COLUMNS + 1);
    nq_status status = nq_ingest_message_decode(
        ctx, nq_bytes_of(message.data + 1, message.size - 1), types, type_count, &decoded);
    if (status == NQ_OK && decoded.kind == NQ_INGEST_BATCH) {
        check_batches(&decoded.batches);
    }
    return status;
}

static nq_status (*const decoders[])(nq_ctx *ctx, nq_bytes message) = {
    run_execute_request,        run_execute_batch_request,
    run_prepare_request,        run_close_prepared_request,
    run_explain_request,        run_begin_request,
    run_commit_request,         run_rollback_request,
    run_cancel_query_request,   run_ingest_message,
    run_list_tables_request,    run_get_table_request,
    run_get_stats_request,      run_list_connections_request,
    run_list_queries_request,   run_close_connection_request,
    run_kill_query_request,     run_get_config_request,
    run_checkpoint_request,     run_drain_request,
    run_stream_request,         run_interact_request,
    run_publish_request,        run_listen_request,
    run_subscribe_request,      run_acknowledge_request,
    run_history_request,        run_create_channel_request,
    run_update_channel_request, run_get_channel_request,
    run_delete_channel_request, run_list_channels_request,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    nq_arena arena;
    nq_ctx ctx;
    if (size == 0) {
        return 0;
    }
    nq_arena_init(&arena, ARENA_BYTES);
    nq_ctx_init(&ctx, &arena);
    nq_status status = decoders[data[0] % (sizeof decoders / sizeof decoders[0])](
        &ctx, nq_bytes_of(data + 1, size - 1));
    /* A refusal says why, in text that is text. */
    require(status == NQ_OK || (ctx.error.code == status && ctx.error.message[0] != '\0'));
    require(arena.taken_bytes_max <= ARENA_BYTES);
    nq_arena_deinit(&arena);
    return 0;
}
