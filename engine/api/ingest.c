/* Bulk load: batches straight into rows. A column that comes in the table's own type is passed
 * through untouched; others are cast as INSERT casts, columns left out get their defaults, and
 * checks run as compiled vector programs. The offset reached is a note on the table, written in the
 * rows' own transaction. */
#include <string.h>

#include "engine/api/api_internal.h"
#include "engine/api/ingest_internal.h"
#include "engine/data/table/table.h"
#include "engine/ground/base/codec.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/base/utf8.h"

enum { INGEST_BYTES_MAX = 256 << 20 };

struct nq_ingest {
    nq_database *database;
    nq_arena arena;       /* as long as the ingest */
    nq_arena batch_arena; /* reset for each batch */
    const nq_catalog_snapshot *snapshot;
    const nq_table *table;
    nq_bytes id;
    bool upserts;
    uint32_t column_count;
    uint32_t *targets; /* the table's column of each column given */
    nq__ingest_filler *filler;
    nq_data_txn *txn; /* NULL: nothing is pending */
    nq_table_writer *writer;
    uint64_t offset;
    nq_status status; /* the first failure ends it */
};

/* ---- Opening ---- */

static nq_status choose_columns(nq_ctx *ctx, nq_ingest *ingest, const nq_bytes *columns,
                                uint32_t column_count) {
    const nq_table_definition *definition = &ingest->table->definition;
    ingest->column_count = column_count > 0 ? column_count : definition->column_count;
    ingest->targets =
        nq_arena_calloc(&ingest->arena, ingest->column_count, sizeof *ingest->targets);
    if (ingest->targets == NULL) {
        return nq_fail_no_memory(ctx, "a bulk load");
    }
    for (uint32_t i = 0; i < ingest->column_count; i++) {
        uint32_t target = column_count > 0 ? nq_table_find_column(ingest->table, columns[i]) : i;
        if (target == UINT32_MAX) {
            nq_status status =
                nq_fail(ctx, NQ_UNKNOWN_COLUMN, "column \"%.*s\" of table \"%.*s\" does not exist",
                        NQ_BYTES_FORMAT(columns[i]), NQ_BYTES_FORMAT(definition->name));
            nq_error_set_object(&ctx->error, (const char *)columns[i].data, columns[i].size);
            return status;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (ingest->targets[j] == target) {
                return nq_fail(ctx, NQ_DUPLICATE_COLUMN, "column \"%.*s\" is named twice",
                               NQ_BYTES_FORMAT(columns[i]));
            }
        }
        if (definition->columns[target].generation == NQ_GENERATED_ALWAYS) {
            return nq_fail(ctx, NQ_INVALID_COLUMN_REFERENCE,
                           "column \"%.*s\" is generated always: it takes no values",
                           NQ_BYTES_FORMAT(definition->columns[target].name));
        }
        ingest->targets[i] = target;
    }
    return NQ_OK;
}

static nq_status read_offset(nq_ctx *ctx, nq_ingest *ingest, nq_data_txn *txn,
                             uint64_t *out_offset) {
    nq_bytes value;
    *out_offset = 0;
    if (ingest->id.size == 0) {
        return NQ_OK;
    }
    NQ_TRY(nq_data_txn_find_note(ctx, txn, ingest->table, ingest->id, &value));
    if (value.data != NULL && value.size != sizeof *out_offset) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "the offset of a bulk load is damaged");
    }
    *out_offset = value.data == NULL ? 0 : nq_load_le64(value.data);
    return NQ_OK;
}

static nq_status find_table(nq_ctx *ctx, nq_ingest *ingest, nq_data_txn *txn, nq_bytes name) {
    const nq_catalog_snapshot *snapshot;
    NQ_TRY(nq_data_txn_snapshot(ctx, txn, &snapshot));
    ingest->table = nq_catalog_snapshot_find(snapshot, name);
    if (ingest->table == NULL) {
        nq_status status = nq_fail(ctx, NQ_TABLE_NOT_FOUND, "table \"%.*s\" does not exist",
                                   NQ_BYTES_FORMAT(name));
        nq_error_set_object(&ctx->error, (const char *)name.data, name.size);
        return status;
    }
    nq_catalog_snapshot_acquire(snapshot);
    ingest->snapshot = snapshot;
    return NQ_OK;
}

static nq_status open_in(nq_ctx *ctx, nq_ingest *ingest, nq_data_txn *txn, nq_bytes table,
                         const nq_bytes *columns, uint32_t column_count, nq_bytes ingest_id) {
    NQ_TRY(find_table(ctx, ingest, txn, table));
    NQ_TRY(choose_columns(ctx, ingest, columns, column_count));
    ingest->id = nq_arena_copy(&ingest->arena, ingest_id);
    if (ingest->id.data == NULL) {
        return nq_fail_no_memory(ctx, "a bulk load");
    }
    return read_offset(ctx, ingest, txn, &ingest->offset);
}

nq_status nq_ingest_open(nq_ctx *ctx, nq_database *database, nq_bytes table,
                         const nq_bytes *columns, uint32_t column_count, nq_bytes ingest_id,
                         bool upsert, nq_ingest **out_ingest) {
    const nq_txn_options options = {.isolation = NQ_REPEATABLE_READ, .read_only = true};
    nq_data_txn *txn;
    *out_ingest = NULL;
    if (ingest_id.size > NQ__INGEST_ID_BYTES_MAX) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "an ingest_id has at most %d bytes",
                       NQ__INGEST_ID_BYTES_MAX);
    }
    nq_ingest *ingest = nq_heap_calloc(1, sizeof *ingest);
    if (ingest == NULL) {
        return nq_fail_no_memory(ctx, "a bulk load");
    }
    ingest->database = database;
    ingest->upserts = upsert;
    nq_arena_init(&ingest->arena, INGEST_BYTES_MAX);
    nq_arena_init(&ingest->batch_arena, INGEST_BYTES_MAX);
    nq_status status = nq_data_txn_begin(ctx, database->catalog, &options, &txn);
    if (status == NQ_OK) {
        status = open_in(ctx, ingest, txn, table, columns, column_count, ingest_id);
        nq_data_txn_rollback(txn);
    }
    if (status == NQ_OK) {
        status = nq__ingest_filler_create(ctx, database, &ingest->arena, ingest->table,
                                          ingest->targets, ingest->column_count, &ingest->filler);
    }
    if (status != NQ_OK) {
        nq_ingest_close(ingest);
        return status;
    }
    *out_ingest = ingest;
    return NQ_OK;
}

uint64_t nq_ingest_offset(const nq_ingest *ingest) {
    return ingest->offset;
}

/* ---- One transaction ---- */

static nq_status put_offset(nq_ctx *ctx, nq_ingest *ingest) {
    uint8_t value[8];
    if (ingest->id.size == 0) {
        return NQ_OK;
    }
    nq_store_le64(value, ingest->offset);
    return nq_data_txn_put_note(ctx, ingest->txn, ingest->table, ingest->id,
                                nq_bytes_of(value, sizeof value));
}

/* The table must still be the one that was opened, and the offset nobody else's. */
static nq_status check_unchanged(nq_ctx *ctx, nq_ingest *ingest) {
    const nq_catalog_snapshot *snapshot;
    uint64_t offset;
    NQ_TRY(nq_data_txn_snapshot(ctx, ingest->txn, &snapshot));
    const nq_table *now = nq_catalog_snapshot_find(snapshot, ingest->table->definition.name);
    if (now == NULL || now->tree.value != ingest->table->tree.value) {
        return nq_fail(ctx, NQ_WRITE_CONFLICT, "the table was dropped or emptied during the load");
    }
    NQ_TRY(read_offset(ctx, ingest, ingest->txn, &offset));
    if (ingest->id.size > 0 && offset != ingest->offset) {
        return nq_fail(ctx, NQ_WRITE_CONFLICT, "another load of the same ingest_id has moved on");
    }
    return NQ_OK;
}

static nq_status begin(nq_ctx *ctx, nq_ingest *ingest) {
    const nq_txn_options options = {.isolation = NQ_READ_COMMITTED};
    if (ingest->txn != NULL) {
        return nq_data_txn_statement_begin(ctx, ingest->txn);
    }
    NQ_TRY(nq_data_txn_begin(ctx, ingest->database->catalog, &options, &ingest->txn));
    NQ_TRY(check_unchanged(ctx, ingest));
    NQ_TRY(put_offset(ctx, ingest)); /* Locks it: two loads of one id cannot interleave. */
    return nq_table_writer_open(ctx, ingest->txn, ingest->table, &ingest->writer);
}

static void end(nq_ingest *ingest) {
    nq_table_writer_close(ingest->writer);
    ingest->writer = NULL;
    ingest->txn = NULL;
}

static nq_status append(nq_ctx *ctx, nq_ingest *ingest, const nq_batch *batch) {
    if (batch->column_count != ingest->column_count) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "a batch of %u columns where %u were opened",
                       batch->column_count, ingest->column_count);
    }
    NQ_TRY(begin(ctx, ingest));
    nq_arena_reset(&ingest->batch_arena);
    nq_batch rows;
    uint32_t count;
    NQ_TRY(nq__ingest_fill(ctx, ingest->filler, ingest->txn, &ingest->batch_arena, batch, &rows));
    NQ_TRY(ingest->upserts ? nq_table_writer_upsert(ctx, ingest->writer, &rows, 0, &count)
                           : nq_table_writer_insert(ctx, ingest->writer, &rows, 0, &count));
    ingest->offset += batch->row_count;
    return NQ_OK;
}

static nq_status check_usable(nq_ctx *ctx, const nq_ingest *ingest) {
    return ingest->status == NQ_OK ? NQ_OK
                                   : nq_fail(ctx, NQ_TRANSACTION_FAILED,
                                             "the load has failed; open it again to resume");
}

nq_status nq_ingest_append(nq_ctx *ctx, nq_ingest *ingest, const nq_batch *batch) {
    NQ_TRY(check_usable(ctx, ingest));
    if (batch->row_count == 0) {
        return NQ_OK;
    }
    ingest->status = append(ctx, ingest, batch);
    return ingest->status;
}

nq_status nq_ingest_commit(nq_ctx *ctx, nq_ingest *ingest, uint64_t *out_commit_lsn) {
    const nq_commit_options options = {.durability = NQ_DURABLE};
    nq_lsn lsn = {0};
    *out_commit_lsn = 0;
    NQ_TRY(check_usable(ctx, ingest));
    if (ingest->txn == NULL) {
        return nq__database_lsn(ctx, ingest->database, out_commit_lsn);
    }
    ingest->status = put_offset(ctx, ingest);
    if (ingest->status == NQ_OK) {
        ingest->status = nq_data_txn_commit(ctx, ingest->txn, &options, &lsn);
        end(ingest);
    }
    *out_commit_lsn = lsn.value;
    return ingest->status;
}

void nq_ingest_close(nq_ingest *ingest) {
    if (ingest == NULL) {
        return;
    }
    if (ingest->txn != NULL) {
        nq_data_txn_rollback(ingest->txn);
    }
    end(ingest);
    nq__ingest_filler_destroy(ingest->filler);
    nq_catalog_snapshot_release(ingest->snapshot);
    nq_arena_deinit(&ingest->batch_arena);
    nq_arena_deinit(&ingest->arena);
    nq_heap_free(ingest);
}
