/* Requests by id: a commit that carries one is remembered with what it answered, so that the same
 * request sent again — the answer got lost, the server crashed — is answered and not carried out
 * twice.
 *
 *     u8 format | u64 request hash | u64 rows affected | u16 columns | u8 type each
 *     | u32 rows | for each: u16 bytes, the row as data/value encodes it
 */
#include <string.h>

#include "engine/api/api_internal.h"
#include "engine/data/value/row.h"
#include "engine/ground/base/codec.h"
#include "engine/ground/os/clock.h"

enum {
    RECORD_FORMAT = 1,
    HASH_OFFSET = 1,
    ROWS_AFFECTED_OFFSET = 9,
    COLUMN_COUNT_OFFSET = 17,
    TYPES_OFFSET = 19,
};

/* ---- In flight ---- */

static bool is_in_flight(const nq_database *database, nq_bytes id) {
    for (const nq__request *other = database->requests; other != NULL; other = other->next) {
        if (nq_bytes_equal(other->id, id)) {
            return true;
        }
    }
    return false;
}

nq_status nq__reply_begin(nq_ctx *ctx, nq_database *database, nq__request *request, nq_bytes id) {
    enum { NAP_NS = 10000000 };
    if (id.size > NQ__REQUEST_ID_BYTES_MAX) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "a request_id has at most %d bytes",
                       NQ__REQUEST_ID_BYTES_MAX);
    }
    nq_status status = NQ_OK;
    nq_mutex_lock(&database->mutex);
    while (status == NQ_OK && is_in_flight(database, id)) {
        (void)nq_cond_wait_until(&database->requests_changed, &database->mutex,
                                 nq_clock_monotonic_ns() + NAP_NS);
        status = nq_ctx_poll(ctx);
    }
    if (status == NQ_OK) {
        *request = (nq__request){.next = database->requests, .id = id};
        database->requests = request;
    }
    nq_mutex_unlock(&database->mutex);
    return status;
}

void nq__reply_end(nq_database *database, nq__request *request) {
    nq_mutex_lock(&database->mutex);
    nq__request **link = &database->requests;
    while (*link != request) {
        link = &(*link)->next;
    }
    *link = request->next;
    nq_cond_broadcast(&database->requests_changed);
    nq_mutex_unlock(&database->mutex);
}

/* ---- Writing ---- */

static nq_status init_layout(nq_ctx *ctx, nq_arena *arena, const nq_column_info *columns,
                             uint32_t column_count, nq_row_layout *layout, nq_type **out_types) {
    nq_type *types = nq_arena_calloc(arena, column_count, sizeof *types);
    if (types == NULL) {
        return nq_fail_no_memory(ctx, "a reply");
    }
    for (uint32_t i = 0; i < column_count; i++) {
        types[i] = columns[i].type;
    }
    *out_types = types;
    return nq_row_layout_init(ctx, layout, arena, types, column_count, NULL, 0);
}

static nq_status fail_too_large(nq_ctx *ctx) {
    nq_status status =
        nq_fail(ctx, NQ_RESULT_TOO_LARGE,
                "the returned rows are more than a request_id can remember (%d bytes)",
                NQ__REQUEST_RESULT_BYTES_MAX);
    nq_error_set_hint(&ctx->error, "Leave out RETURNING, or write in a transaction.");
    return status;
}

typedef struct record_writer {
    uint8_t data[NQ__REQUEST_RESULT_BYTES_MAX];
    size_t size;
} record_writer;

static nq_status put_rows(nq_ctx *ctx, record_writer *out, const nq_row_layout *layout,
                          const nq_batch *batch) {
    nq_row_buffer buffer = {0};
    nq_status status = NQ_OK;
    for (uint32_t row = 0; row < batch->row_count && status == NQ_OK; row++) {
        status = nq_row_encode(ctx, layout, batch, row, &buffer);
        if (status == NQ_OK && out->size + 2 + buffer.size > sizeof out->data) {
            status = fail_too_large(ctx);
        }
        if (status == NQ_OK) {
            nq_store_le16(out->data + out->size, (uint16_t)buffer.size);
            memcpy(out->data + out->size + 2, buffer.data, buffer.size);
            out->size += 2 + buffer.size;
        }
    }
    nq_row_buffer_deinit(&buffer);
    return status;
}

nq_status nq__reply_encode(nq_ctx *ctx, nq_arena *arena, const nq__reply *result,
                           nq_bytes *out_record) {
    *out_record = (nq_bytes){NULL, 0};
    record_writer *out = nq_arena_alloc(arena, sizeof *out);
    if (out == NULL) {
        return nq_fail_no_memory(ctx, "a reply");
    }
    size_t rows_offset = TYPES_OFFSET + (size_t)result->column_count;
    if (rows_offset + 4 > sizeof out->data) {
        return fail_too_large(ctx);
    }
    out->data[0] = RECORD_FORMAT;
    nq_store_le64(out->data + HASH_OFFSET, result->hash);
    nq_store_le64(out->data + ROWS_AFFECTED_OFFSET, result->rows_affected);
    nq_store_le16(out->data + COLUMN_COUNT_OFFSET, (uint16_t)result->column_count);
    for (uint32_t i = 0; i < result->column_count; i++) {
        out->data[TYPES_OFFSET + i] = (uint8_t)result->columns[i].type.id;
    }
    nq_store_le32(out->data + rows_offset, (uint32_t)result->rows.row_count);
    out->size = rows_offset + 4;
    if (result->column_count > 0) {
        nq_row_layout layout;
        nq_type *types;
        NQ_TRY(init_layout(ctx, arena, result->columns, result->column_count, &layout, &types));
        for (const nq__kept_batch *kept = result->rows.first; kept != NULL; kept = kept->next) {
            NQ_TRY(put_rows(ctx, out, &layout, &kept->batch));
        }
    }
    *out_record = nq_bytes_of(out->data, out->size);
    return NQ_OK;
}

/* ---- Reading ---- */

static nq_status fail_damaged(nq_ctx *ctx) {
    return nq_fail(ctx, NQ_PAGE_CORRUPT, "the remembered result of a request is damaged");
}

static nq_status take_rows(nq_ctx *ctx, nq_arena *arena, nq_bytes record, uint32_t row_count,
                           const nq_column_info *columns, uint32_t column_count,
                           nq__kept_rows *out_rows) {
    nq_row_layout layout;
    nq_row_decoder decoder;
    nq_batch_builder builder;
    nq_type *types;
    uint32_t *selected = nq_arena_calloc(arena, column_count, sizeof *selected);
    if (selected == NULL) {
        return nq_fail_no_memory(ctx, "a reply");
    }
    for (uint32_t i = 0; i < column_count; i++) {
        selected[i] = i;
    }
    NQ_TRY(init_layout(ctx, arena, columns, column_count, &layout, &types));
    NQ_TRY(nq_row_decoder_init(ctx, &decoder, arena, &layout, selected, column_count));
    if (row_count > record.size / 2) {
        return fail_damaged(ctx);
    }
    NQ_TRY(nq_batch_builder_init(ctx, &builder, arena, arena, types, column_count, row_count));
    for (uint32_t row = 0; row < row_count; row++) {
        size_t size = record.size < 2 ? 0 : nq_load_le16(record.data);
        if (record.size < 2 + size) {
            return fail_damaged(ctx);
        }
        NQ_TRY(nq_row_decode(ctx, &decoder, (nq_bytes){NULL, 0}, nq_bytes_of(record.data + 2, size),
                             &builder));
        record = nq_bytes_of(record.data + 2 + size, record.size - 2 - size);
    }
    nq_batch batch = nq_batch_builder_batch(&builder);
    return row_count == 0 ? NQ_OK : nq__rows_keep(ctx, arena, out_rows, &batch);
}

static nq_status decode(nq_ctx *ctx, nq_arena *arena, nq_bytes record, nq__reply *out_result) {
    if (record.size < TYPES_OFFSET + 4 || record.data[0] != RECORD_FORMAT) {
        return fail_damaged(ctx);
    }
    out_result->hash = nq_load_le64(record.data + HASH_OFFSET);
    out_result->rows_affected = nq_load_le64(record.data + ROWS_AFFECTED_OFFSET);
    uint32_t column_count = nq_load_le16(record.data + COLUMN_COUNT_OFFSET);
    size_t rows_offset = TYPES_OFFSET + (size_t)column_count;
    if (record.size < rows_offset + 4) {
        return fail_damaged(ctx);
    }
    nq_column_info *columns = nq_arena_calloc(arena, column_count, sizeof *columns);
    if (columns == NULL) {
        return nq_fail_no_memory(ctx, "a reply");
    }
    for (uint32_t i = 0; i < column_count; i++) {
        columns[i].type = NQ_TYPE((nq_type_id)record.data[TYPES_OFFSET + i]);
        columns[i].is_nullable = true;
    }
    out_result->column_count = column_count;
    out_result->columns = columns;
    uint32_t row_count = nq_load_le32(record.data + rows_offset);
    if (column_count == 0) {
        return NQ_OK;
    }
    return take_rows(ctx, arena,
                     nq_bytes_of(record.data + rows_offset + 4, record.size - rows_offset - 4),
                     row_count, columns, column_count, &out_result->rows);
}

nq_status nq__reply_find(nq_ctx *ctx, nq_database *database, nq_arena *arena, nq_bytes id,
                         uint64_t hash, bool *out_is_found, nq__reply *out_result) {
    *out_is_found = false;
    *out_result = (nq__reply){0};
    nq_bytes record;
    NQ_TRY(nq_store_find_request(ctx, database->store, arena, id, &record));
    if (record.data == NULL) {
        return NQ_OK;
    }
    NQ_TRY(decode(ctx, arena, record, out_result));
    if (out_result->hash != hash) {
        return nq_fail(ctx, NQ_REQUEST_ID_REUSED,
                       "request_id \"%.*s\" was used with another request", NQ_BYTES_FORMAT(id));
    }
    *out_is_found = true;
    return NQ_OK;
}
