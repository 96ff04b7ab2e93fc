/* Writing rows: each is checked for nulls, encoded once into the writer's buffers and handed to the
 * store under its key. */
#include "engine/data/table/table.h"
#include "engine/ground/base/codec.h"
#include "engine/ground/base/heap.h"

enum { MESSAGE_ARENA_BYTES_MAX = 64 << 10, SHOWN_KEY_BYTES_MAX = 120 };

struct nq_table_writer {
    nq_data_txn *txn;
    nq_txn *store_txn;
    const nq_table *table;
    nq_bulk *bulk; /* NULL: rows are written one by one */
    nq_row_buffer row;
    nq_key_buffer key;
};

nq_status nq_table_writer_open(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                               nq_table_writer **out_writer) {
    *out_writer = NULL;
    NQ_TRY(nq_data_txn_claim(ctx, txn, table));
    nq_table_writer *writer = nq_heap_alloc(sizeof *writer);
    if (writer == NULL) {
        return nq_fail_no_memory(ctx, "a table writer");
    }
    writer->txn = txn;
    writer->store_txn = nq_data_txn_store_txn(txn);
    writer->table = table;
    writer->bulk = NULL;
    writer->row = (nq_row_buffer){0};
    writer->key.size = 0;
    *out_writer = writer;
    return NQ_OK;
}

void nq_table_writer_close(nq_table_writer *writer) {
    if (writer != NULL) {
        nq_row_buffer_deinit(&writer->row);
        nq_heap_free(writer);
    }
}

nq_bytes nq_table_writer_key(const nq_table_writer *writer) {
    return nq_key_bytes(&writer->key);
}

static nq_status check_nulls(nq_ctx *ctx, const nq_table *table, const nq_batch *batch,
                             uint32_t row) {
    for (uint32_t i = 0; i < table->definition.column_count; i++) {
        const nq_vector *vector = &batch->columns[i];
        const nq_column_definition *column = &table->definition.columns[i];
        if (vector->nulls == NULL || vector->nulls[row] == 0 || !column->is_not_null) {
            continue;
        }
        nq_status status =
            nq_fail(ctx, NQ_NOT_NULL_VIOLATION,
                    "null value in column \"%.*s\" of table \"%.*s\" violates not-null constraint",
                    NQ_BYTES_FORMAT(column->name), NQ_BYTES_FORMAT(table->definition.name));
        nq_error_set_object(&ctx->error, (const char *)column->name.data, column->name.size);
        return status;
    }
    return NQ_OK;
}

/* "(a, b)=(1, x)" into `text`, as much as fits. */
static size_t print_key(nq_ctx *ctx, const nq_table *table, const nq_batch *batch, uint32_t row,
                        char *text) {
    size_t size = 0;
    nq_arena arena;
    nq_arena_init(&arena, MESSAGE_ARENA_BYTES_MAX);
    for (uint32_t part = 0; part < 2; part++) {
        for (uint32_t i = 0; i < table->definition.key_column_count; i++) {
            uint32_t column = table->definition.key_columns[i];
            nq_bytes piece = table->definition.columns[column].name;
            if (part == 1 &&
                nq_value_print(ctx, &arena, nq_batch_value(batch, column, row), &piece) != NQ_OK) {
                piece = NQ_BYTES_LITERAL("?");
            }
            nq_bytes lead = i > 0       ? NQ_BYTES_LITERAL(", ")
                            : part == 0 ? NQ_BYTES_LITERAL("(")
                                        : NQ_BYTES_LITERAL(")=(");
            if (size + lead.size + piece.size + 4 > SHOWN_KEY_BYTES_MAX) {
                memcpy(text + size, "..", 2);
                size += 2;
                goto done;
            }
            memcpy(text + size, lead.data, lead.size);
            memcpy(text + size + lead.size, piece.data, piece.size);
            size += lead.size + piece.size;
        }
    }
    text[size++] = ')';
done:
    nq_arena_deinit(&arena);
    return size;
}

static nq_status fail_duplicate(nq_ctx *ctx, const nq_table *table, const nq_batch *batch,
                                uint32_t row) {
    char key[SHOWN_KEY_BYTES_MAX];
    int size = (int)print_key(ctx, table, batch, row, key);
    nq_bytes name = table->definition.key_name;
    nq_status status =
        nq_fail(ctx, NQ_UNIQUE_VIOLATION,
                "duplicate key value violates unique constraint \"%.*s\": key %.*s already exists",
                NQ_BYTES_FORMAT(name), size, key);
    nq_error_set_object(&ctx->error, (const char *)name.data, name.size);
    return status;
}

/* The key of a new row: its primary key, or the next of the row ids taken for this batch. */
static nq_status encode_new_key(nq_ctx *ctx, nq_table_writer *writer, const nq_batch *batch,
                                uint32_t row, uint64_t row_id) {
    if (writer->table->layout.key_column_count > 0) {
        return nq_row_encode_key(ctx, &writer->table->layout, batch, row, &writer->key);
    }
    nq_store_be64(writer->key.data, row_id);
    writer->key.size = sizeof row_id;
    return NQ_OK;
}

/* Under the key and value that were encoded last. */
static nq_status load_row(nq_ctx *ctx, nq_table_writer *writer, nq_bytes key, nq_bytes value) {
    nq_status status = nq_bulk_add(ctx, writer->bulk, key, value);
    return status != NQ_INVALID_ARGUMENT
               ? status
               : nq_fail(ctx, NQ_WRITE_CONFLICT,
                         "rows being loaded do not come in the order of the primary key");
}

static nq_status write_row(nq_ctx *ctx, nq_table_writer *writer, bool replaces) {
    nq_bytes key = nq_key_bytes(&writer->key);
    nq_bytes value = nq_bytes_of(writer->row.data, writer->row.size);
    if (writer->bulk != NULL) {
        return load_row(ctx, writer, key, value);
    }
    nq_tree_id tree = writer->table->tree;
    NQ_TRY(replaces ? nq_txn_put(ctx, writer->store_txn, tree, key, value)
                    : nq_txn_insert(ctx, writer->store_txn, tree, key, value));
    nq_data_txn_count_written(writer->txn, key.size + value.size);
    return NQ_OK;
}

static nq_status write_rows(nq_ctx *ctx, nq_table_writer *writer, const nq_batch *batch,
                            uint32_t first_row, bool replaces, uint32_t *out_count) {
    *out_count = 0;
    const nq_table *table = writer->table;
    uint64_t row_id = 0;
    NQ_TRY(nq_ctx_poll(ctx));
    if (table->layout.key_column_count == 0) {
        NQ_TRY(nq_data_txn_next_row_ids(ctx, writer->txn, table, batch->row_count - first_row,
                                        &row_id));
    }
    for (uint32_t row = first_row; row < batch->row_count; row++) {
        NQ_TRY(check_nulls(ctx, table, batch, row));
        NQ_TRY(encode_new_key(ctx, writer, batch, row, row_id++));
        NQ_TRY(nq_row_encode(ctx, &table->layout, batch, row, &writer->row));
        nq_status status = write_row(ctx, writer, replaces);
        if (status == NQ_UNIQUE_VIOLATION) {
            return fail_duplicate(ctx, table, batch, row);
        }
        NQ_TRY(status);
        ++*out_count;
    }
    return NQ_OK;
}

nq_status nq_table_writer_insert(nq_ctx *ctx, nq_table_writer *writer, const nq_batch *batch,
                                 uint32_t first_row, uint32_t *out_count) {
    return write_rows(ctx, writer, batch, first_row, false, out_count);
}

nq_status nq_table_writer_upsert(nq_ctx *ctx, nq_table_writer *writer, const nq_batch *batch,
                                 uint32_t first_row, uint32_t *out_count) {
    return write_rows(ctx, writer, batch, first_row, true, out_count);
}

/* The first use of a table's row ids reads its last row: while it can be read. */
static nq_status prepare_row_ids(nq_ctx *ctx, nq_table_writer *writer) {
    uint64_t unused;
    return writer->table->layout.key_column_count != 0
               ? NQ_OK
               : nq_data_txn_next_row_ids(ctx, writer->txn, writer->table, 0, &unused);
}

nq_status nq_table_writer_load(nq_ctx *ctx, nq_table_writer *writer, bool *out_is_loading) {
    *out_is_loading = false;
    NQ_TRY(prepare_row_ids(ctx, writer));
    nq_status status = nq_bulk_begin(ctx, writer->store_txn, writer->table->tree, &writer->bulk);
    *out_is_loading = status == NQ_OK;
    switch (status) {
    case NQ_LOCK_TIMEOUT:        /* others write to it, */
    case NQ_WRITE_CONFLICT:      /* or have written to it, */
    case NQ_INVALID_ARGUMENT:    /* or it holds rows */
    case NQ_FEATURE_UNSUPPORTED: /* the log is archived */
        return NQ_OK;
    default:
        return status;
    }
}

nq_status nq_table_writer_finish_load(nq_ctx *ctx, nq_table_writer *writer) {
    return nq_bulk_finish(ctx, writer->bulk);
}

/* The row stays under its key. */
static nq_status replace_row(nq_ctx *ctx, nq_table_writer *writer, nq_bytes row_key, nq_bytes value,
                             bool *out_is_found) {
    nq_bytes old;
    NQ_TRY(nq_txn_find(ctx, writer->store_txn, writer->table->tree, row_key, &old));
    if (old.data == NULL) {
        return NQ_OK;
    }
    *out_is_found = true;
    nq_data_txn_count_written(writer->txn, row_key.size + value.size);
    return nq_txn_put(ctx, writer->store_txn, writer->table->tree, row_key, value);
}

nq_status nq_table_writer_update(nq_ctx *ctx, nq_table_writer *writer, nq_bytes row_key,
                                 const nq_batch *batch, uint32_t row, bool *out_is_found) {
    *out_is_found = false;
    const nq_table *table = writer->table;
    NQ_TRY(check_nulls(ctx, table, batch, row));
    NQ_TRY(nq_row_encode(ctx, &table->layout, batch, row, &writer->row));
    nq_bytes value = nq_bytes_of(writer->row.data, writer->row.size);
    if (table->layout.key_column_count == 0) {
        return replace_row(ctx, writer, row_key, value, out_is_found);
    }
    NQ_TRY(nq_row_encode_key(ctx, &table->layout, batch, row, &writer->key));
    nq_bytes key = nq_key_bytes(&writer->key);
    if (nq_bytes_equal(key, row_key)) {
        return replace_row(ctx, writer, row_key, value, out_is_found);
    }
    NQ_TRY(nq_txn_remove(ctx, writer->store_txn, table->tree, row_key, out_is_found));
    if (!*out_is_found) {
        return NQ_OK;
    }
    nq_data_txn_count_written(writer->txn, row_key.size + key.size + value.size);
    nq_status status = nq_txn_insert(ctx, writer->store_txn, table->tree, key, value);
    return status == NQ_UNIQUE_VIOLATION ? fail_duplicate(ctx, table, batch, row) : status;
}

nq_status nq_table_writer_delete(nq_ctx *ctx, nq_table_writer *writer, nq_bytes row_key,
                                 bool *out_is_found) {
    nq_data_txn_count_written(writer->txn, row_key.size);
    return nq_txn_remove(ctx, writer->store_txn, writer->table->tree, row_key, out_is_found);
}
