/* Ingest: rows as fast as the log takes them, in transactions of bounded size.
 *
 *     header ──▶ table known ──▶ batch ──▶ … ──▶ half-close: commit what is left, answer
 *                                  │ every rows_per_transaction rows: commit
 *                                  └ next message is asked for only now: HTTP/2 holds the sender
 *
 * I1: `offset` is the number of rows of the load before the next row expected; with an ingest id
 * the engine keeps the durable part of it in the same transaction as the rows. I2: rows below the
 * stored offset are dropped and counted, never written twice. I3: whatever ends the call, what was
 * committed stays and what was not is dropped (on_done). */
#include "engine/ground/os/clock.h"
#include "server/service/query_service_internal.h"
#include "server/wire/query_response.h"

enum {
    ROWS_PER_TRANSACTION = 65536,
    /* A transaction also ends when it holds this part of what one may hold. */
    TRANSACTION_BYTES_SHARE = 4,
};

typedef struct ingest_call {
    nq_arena arena; /* of one message */
    nq_ingest *ingest;
    const nq_type *types;
    uint32_t type_count;
    uint64_t offset;        /* I1 */
    uint64_t stored_offset; /* where an earlier call ended */
    bool has_rows;          /* a message with rows has come */
    uint32_t rows_per_transaction;
    uint32_t rows_pending; /* appended, not committed */
    uint64_t bytes_pending;
    nq_ingest_outcome outcome;
    nq_query_entry entry;
} ingest_call;

static nq_status find_types(nq_ctx *ctx, nq_call *call, const nq_ingest_header *header,
                            const nq_table_detail *detail, ingest_call *state) {
    uint32_t count = header->column_count > 0 ? header->column_count : detail->column_count;
    nq_type *types = nq_arena_calloc(nq_call_arena(call), count, sizeof *types);
    if (types == NULL) {
        return nq_fail_no_memory(ctx, "the columns");
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t column = i;
        if (header->column_count > 0) {
            column = 0;
            while (column < detail->column_count &&
                   !nq_bytes_equal(detail->columns[column].name, header->columns[i])) {
                column++;
            }
        }
        if (column == detail->column_count) {
            nq_status status =
                nq_fail(ctx, NQ_UNKNOWN_COLUMN, "column \"%.*s\" of table \"%.*s\" does not exist",
                        NQ_BYTES_FORMAT(header->columns[i]), NQ_BYTES_FORMAT(header->table));
            nq_error_set_object(&ctx->error, (const char *)header->columns[i].data,
                                header->columns[i].size);
            return status;
        }
        types[i] = header->column_count > 0 && header->types[i].id != NQ_TYPE_UNKNOWN
                       ? header->types[i]
                       : detail->columns[column].type;
    }
    state->types = types;
    state->type_count = count;
    return NQ_OK;
}

static nq_status open_table(nq_ctx *ctx, nq_call *call, ingest_call *state,
                            const nq_ingest_header *header) {
    nq_service *service = nq_call_service(call);
    nq_table_detail detail;
    if (state->ingest != NULL) {
        return nq_fail(ctx, NQ_INVALID_REQUEST, "the header may only be the first message");
    }
    NQ_TRY(nq_database_get_table(ctx, service->database, header->table, ctx->scratch, &detail));
    NQ_TRY(find_types(ctx, call, header, &detail, state));
    NQ_TRY(nq_ingest_open(ctx, service->database, header->table, header->columns,
                          header->column_count, header->ingest_id, header->upsert, &state->ingest));
    nq_bytes table = nq_arena_copy(nq_call_arena(call), header->table);
    nq_query_registry_join(service->queries, &state->entry, call, table, (nq_bytes){0},
                           nq_clock_monotonic_ns());
    atomic_store(&state->entry.state, "ingesting");
    state->stored_offset = nq_ingest_offset(state->ingest);
    state->offset = state->stored_offset;
    state->outcome.next_offset = state->stored_offset;
    state->rows_per_transaction =
        header->rows_per_transaction > 0 ? header->rows_per_transaction : ROWS_PER_TRANSACTION;
    return NQ_OK;
}

static nq_status commit(nq_ctx *ctx, ingest_call *state) {
    if (state->rows_pending == 0) {
        return NQ_OK;
    }
    NQ_TRY(nq_ingest_commit(ctx, state->ingest, &state->outcome.commit_lsn));
    state->outcome.rows_committed += state->rows_pending;
    state->outcome.next_offset = state->offset;
    state->rows_pending = 0;
    state->bytes_pending = 0;
    return NQ_OK;
}

/* Rows [first, first + count) of a batch, without copying. */
static nq_status slice(nq_ctx *ctx, const nq_batch *batch, uint32_t first, uint32_t count,
                       nq_batch *out) {
    nq_vector *columns = nq_arena_calloc(ctx->scratch, batch->column_count, sizeof *columns);
    if (columns == NULL) {
        return nq_fail_no_memory(ctx, "a slice of the rows");
    }
    for (uint32_t i = 0; i < batch->column_count; i++) {
        const nq_vector *whole = &batch->columns[i];
        size_t element_bytes = nq_form_bytes(nq_type_form(whole->type.id));
        columns[i].type = whole->type;
        columns[i].nulls = whole->nulls == NULL ? NULL : whole->nulls + first;
        columns[i].values = (const uint8_t *)whole->values + first * element_bytes;
    }
    *out = (nq_batch){.row_count = count, .column_count = batch->column_count, .columns = columns};
    return NQ_OK;
}

static nq_status append_rows(nq_ctx *ctx, ingest_call *state, const nq_batch *batch,
                             uint32_t first) {
    while (first < batch->row_count) {
        uint32_t room = state->rows_per_transaction - state->rows_pending;
        uint32_t rest = batch->row_count - first;
        uint32_t count = rest < room ? rest : room;
        nq_batch part = *batch;
        if (count < batch->row_count) {
            NQ_TRY(slice(ctx, batch, first, count, &part));
        }
        NQ_TRY(nq_ingest_append(ctx, state->ingest, &part));
        first += count;
        state->offset += count;
        state->rows_pending += count;
        state->entry.rows_returned += count;
        if (state->rows_pending == state->rows_per_transaction) {
            NQ_TRY(commit(ctx, state));
        }
    }
    return NQ_OK;
}

/* How many rows of a message that starts at `offset` an earlier call has committed, by I1 and I2.
 */
static nq_status check_offset(nq_ctx *ctx, ingest_call *state, uint64_t offset, uint64_t row_count,
                              uint64_t *out_skip) {
    bool is_first = !state->has_rows;
    state->has_rows = true;
    *out_skip = 0;
    if (offset == state->offset) {
        return NQ_OK;
    }
    if (offset < state->offset && (is_first || state->offset == state->stored_offset)) {
        uint64_t behind = state->offset - offset;
        *out_skip = behind < row_count ? behind : row_count;
        return NQ_OK;
    }
    nq_status status =
        nq_fail(ctx, NQ_INVALID_ARGUMENT, "field offset is %llu, but the next row expected is %llu",
                (unsigned long long)offset, (unsigned long long)state->offset);
    nq_error_set_object(&ctx->error, "offset", 6);
    return status;
}

static nq_status take_batches(nq_ctx *ctx, nq_call *call, ingest_call *state,
                              const nq_ingest_message *message, size_t message_bytes) {
    const nq_service *service = nq_call_service(call);
    uint64_t skip = 0;
    NQ_TRY(check_offset(ctx, state, message->offset, message->batches.row_count, &skip));
    state->outcome.rows_skipped_duplicate += skip;
    for (uint32_t i = 0; i < message->batches.batch_count; i++) {
        const nq_batch *batch = &message->batches.batches[i];
        uint32_t dropped = skip < batch->row_count ? (uint32_t)skip : batch->row_count;
        skip -= dropped;
        NQ_TRY(append_rows(ctx, state, batch, dropped));
    }
    state->bytes_pending += message_bytes;
    return state->bytes_pending >=
                   service->config->limit_transaction_bytes / TRANSACTION_BYTES_SHARE
               ? commit(ctx, state)
               : NQ_OK;
}

static nq_status take_message(nq_ctx *ctx, nq_call *call, nq_bytes message) {
    ingest_call *state = nq_call_state(call);
    nq_ingest_message decoded;
    NQ_TRY(nq_ingest_message_decode(ctx, message, state->types, state->type_count, &decoded));
    return decoded.kind == NQ_INGEST_HEADER
               ? open_table(ctx, call, state, &decoded.header)
               : take_batches(ctx, call, state, &decoded, message.size);
}

static void on_open(nq_call *call) {
    ingest_call *state = nq_call_state(call);
    const nq_service *service = nq_call_service(call);
    nq_arena_init(&state->arena, service->config->limit_request_memory_bytes);
    nq_call_want_message(call);
}

static void on_message(nq_call *call, nq_bytes message) {
    ingest_call *state = nq_call_state(call);
    nq_ctx ctx;
    nq_arena_reset(&state->arena);
    nq_call_init_ctx(call, &ctx, &state->arena);
    if (take_message(&ctx, call, message) == NQ_OK) {
        nq_call_want_message(call);
    } else {
        nq_call_fail(call, &ctx.error);
    }
}

static void on_half_close(nq_call *call) {
    ingest_call *state = nq_call_state(call);
    nq_ctx ctx;
    nq_writer writer;
    nq_arena_reset(&state->arena);
    nq_call_init_ctx(call, &ctx, &state->arena);
    /* A client that vanished may look as if it had half-closed: what it did not hear of is dropped.
     */
    nq_status status = nq_ctx_poll(&ctx);
    if (status == NQ_OK) {
        status = state->ingest == NULL
                     ? nq_fail(&ctx, NQ_INVALID_ARGUMENT, "the call ended without a header")
                     : commit(&ctx, state);
    }
    if (status != NQ_OK) {
        nq_call_fail(call, &ctx.error);
    } else {
        nq_writer_init(&writer, 64, 64);
        nq_ingest_response_write(&writer, &state->outcome);
        nq__reply(call, &ctx, &writer);
    }
}

static void on_done(nq_call *call) {
    ingest_call *state = nq_call_state(call);
    const nq_service *service = nq_call_service(call);
    nq_query_registry_leave(service->queries, &state->entry);
    if (state->ingest != NULL) {
        nq_ingest_close(state->ingest);
    }
    nq_arena_deinit(&state->arena);
}

const nq_method_handler nq__query_ingest_handler = {
    .state_bytes = sizeof(ingest_call),
    .on_open = on_open,
    .on_message = on_message,
    .on_half_close = on_half_close,
    .on_done = on_done,
};
