/* Creating, dropping and emptying tables.
 *
 * Every change writes the version first: its lock lets one transaction at a time change what
 * exists. */
#include <stdio.h>
#include <string.h>

#include "engine/data/catalog/catalog_internal.h"
#include "engine/ground/base/codec.h"
#include "engine/ground/base/heap.h"

enum { NAME_BYTES_MAX = 63, DEFINITION_ARENA_BYTES_MAX = 16 << 20 };

typedef struct table_key {
    uint8_t data[1 + NAME_BYTES_MAX];
    size_t size;
} table_key;

static nq_bytes table_key_of(nq_bytes name, table_key *key) {
    key->data[0] = NQ__KEY_TABLE;
    key->size = 1 + (name.size < NAME_BYTES_MAX ? name.size : NAME_BYTES_MAX);
    memcpy(key->data + 1, name.data, key->size - 1);
    return nq_bytes_of(key->data, key->size);
}

static nq_status bump_version(nq_ctx *ctx, nq_data_txn *txn) {
    const uint8_t key = NQ__KEY_VERSION;
    uint64_t version;
    uint8_t value[8];
    if (txn->is_read_only) {
        return nq_fail(ctx, NQ_READ_ONLY_TRANSACTION, "cannot write in a read-only transaction");
    }
    NQ_TRY(nq__catalog_read_version(ctx, txn->txn, &version));
    nq_store_le64(value, version + 1);
    NQ_TRY(nq_txn_put(ctx, txn->txn, NQ_TREE_CATALOG, nq_bytes_of(&key, 1),
                      nq_bytes_of(value, sizeof value)));
    txn->has_written = txn->has_ddl = true;
    return NQ_OK;
}

/* The transaction sees the catalog with `added` in and `removed` out from now on. */
static nq_status change_seen(nq_ctx *ctx, nq_data_txn *txn, const nq_table *added,
                             const nq_table *removed) {
    uint64_t version;
    nq_status status = nq__catalog_read_version(ctx, txn->txn, &version);
    nq_catalog_snapshot *edited = NULL;
    if (status == NQ_OK) {
        edited = nq__snapshot_edit(txn->seen, nq__catalog_next_private_id(txn->catalog), version,
                                   added, removed);
        status = edited == NULL ? nq_fail_no_memory(ctx, "the catalog") : NQ_OK;
    }
    if (status != NQ_OK) {
        if (added != NULL) {
            nq__table_release(added);
        }
        return status;
    }
    nq_catalog_snapshot_release(txn->seen);
    txn->seen = edited;
    return NQ_OK;
}

static nq_status check_column(nq_ctx *ctx, const nq_column_definition *column) {
    switch (column->type.id) {
    case NQ_TYPE_UNKNOWN:
    case NQ_TYPE_DECIMAL:
    case NQ_TYPE_INTERVAL:
    case NQ_TYPE_JSON:
    case NQ_TYPE_ID_COUNT:
        return nq_fail(ctx, NQ_FEATURE_UNSUPPORTED, "column \"%.*s\" cannot be of type %s yet",
                       NQ_BYTES_FORMAT(column->name), nq_type_name(column->type.id));
    default:
        break;
    }
    if (column->generation != NQ_GENERATED_NEVER && !nq_type_is_integer(column->type.id)) {
        return nq_fail(ctx, NQ_INVALID_DEFINITION,
                       "identity column \"%.*s\" must be smallint, integer, or bigint",
                       NQ_BYTES_FORMAT(column->name));
    }
    return NQ_OK;
}

static nq_status check_definition(nq_ctx *ctx, const nq_table_definition *definition) {
    if (definition->name.size == 0 || definition->name.size > NAME_BYTES_MAX) {
        return nq_fail(ctx, NQ_NAME_TOO_LONG, "a table's name has 1 to %d bytes", NAME_BYTES_MAX);
    }
    if (definition->column_count == 0 || definition->column_count > NQ_TABLE_COLUMN_COUNT_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a table has 1 to %d columns",
                       NQ_TABLE_COLUMN_COUNT_MAX);
    }
    if (definition->key_column_count > NQ_TABLE_KEY_COLUMN_COUNT_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a primary key has at most %d columns",
                       NQ_TABLE_KEY_COLUMN_COUNT_MAX);
    }
    for (uint32_t i = 0; i < definition->column_count; i++) {
        NQ_TRY(check_column(ctx, &definition->columns[i]));
    }
    for (uint32_t i = 0; i < definition->key_column_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (definition->key_columns[i] == definition->key_columns[j]) {
                return nq_fail(ctx, NQ_DUPLICATE_COLUMN,
                               "a column appears twice in the primary key");
            }
        }
    }
    return NQ_OK;
}

/* The definition as it is stored: key and generated columns are not null, the key has a name. */
static nq_status complete_definition(nq_ctx *ctx, nq_arena *arena,
                                     nq_table_definition *definition) {
    nq_column_definition *columns =
        nq_arena_calloc(arena, definition->column_count, sizeof *columns);
    char *key_name = nq_arena_alloc(arena, NAME_BYTES_MAX + sizeof "_pkey");
    if (columns == NULL || key_name == NULL) {
        return nq_fail_no_memory(ctx, "a table definition");
    }
    memcpy(columns, definition->columns, definition->column_count * sizeof *columns);
    for (uint32_t i = 0; i < definition->column_count; i++) {
        columns[i].is_not_null |= columns[i].generation != NQ_GENERATED_NEVER;
    }
    for (uint32_t i = 0; i < definition->key_column_count; i++) {
        columns[definition->key_columns[i]].is_not_null = true;
    }
    definition->columns = columns;
    if (definition->key_column_count > 0 && definition->key_name.size == 0) {
        int size = snprintf(key_name, NAME_BYTES_MAX + sizeof "_pkey", "%.*s_pkey",
                            NQ_BYTES_FORMAT(definition->name));
        definition->key_name = nq_bytes_of(key_name, (size_t)size);
    }
    return NQ_OK;
}

/* Writes the record and makes the object; the transaction sees it in place of `replaced`. */
static nq_status store_table(nq_ctx *ctx, nq_data_txn *txn, nq_arena *arena, const nq_table *table,
                             const nq_table *replaced) {
    table_key key;
    nq_bytes record;
    const nq_table *object;
    NQ_TRY(nq__table_record_encode(ctx, arena, table, &record));
    NQ_TRY(nq_txn_put(ctx, txn->txn, NQ_TREE_CATALOG, table_key_of(table->definition.name, &key),
                      record));
    NQ_TRY(nq__table_record_decode(ctx, txn->catalog, table->definition.name, record, &object));
    return change_seen(ctx, txn, object, replaced);
}

static nq_status create_in(nq_ctx *ctx, nq_data_txn *txn, nq_arena *arena,
                           const nq_table_definition *definition) {
    nq_table table = {.definition = *definition, .create_time_us = txn->catalog->wall_us()};
    NQ_TRY(complete_definition(ctx, arena, &table.definition));
    NQ_TRY(bump_version(ctx, txn));
    NQ_TRY(nq_txn_tree_create(ctx, txn->txn, &table.tree));
    table.sequence_id = table.tree.value;
    return store_table(ctx, txn, arena, &table, NULL);
}

nq_status nq_data_txn_create_table(nq_ctx *ctx, nq_data_txn *txn,
                                   const nq_table_definition *definition) {
    const nq_catalog_snapshot *seen;
    NQ_TRY(check_definition(ctx, definition));
    NQ_TRY(nq_data_txn_snapshot(ctx, txn, &seen));
    if (nq_catalog_snapshot_find(seen, definition->name) != NULL) {
        nq_status status = nq_fail(ctx, NQ_TABLE_EXISTS, "table \"%.*s\" already exists",
                                   NQ_BYTES_FORMAT(definition->name));
        nq_error_set_object(&ctx->error, (const char *)definition->name.data,
                            definition->name.size);
        return status;
    }
    if (seen->table_count >= NQ_TABLE_COUNT_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a database has at most %d tables",
                       NQ_TABLE_COUNT_MAX);
    }
    nq_arena arena;
    nq_arena_init(&arena, DEFINITION_ARENA_BYTES_MAX);
    nq_status status = create_in(ctx, txn, &arena, definition);
    nq_arena_deinit(&arena);
    return status;
}

/* Finds a table and makes sure that nobody else writes to it. */
static nq_status take_table(nq_ctx *ctx, nq_data_txn *txn, nq_bytes name,
                            const nq_table **out_table) {
    const nq_catalog_snapshot *seen;
    NQ_TRY(nq_data_txn_snapshot(ctx, txn, &seen));
    *out_table = nq_catalog_snapshot_find(seen, name);
    if (*out_table == NULL) {
        nq_status status = nq_fail(ctx, NQ_TABLE_NOT_FOUND, "table \"%.*s\" does not exist",
                                   NQ_BYTES_FORMAT(name));
        nq_error_set_object(&ctx->error, (const char *)name.data, name.size);
        return status;
    }
    NQ_TRY(bump_version(ctx, txn));
    return nq__claim_alone(ctx, txn, *out_table);
}

nq_status nq_data_txn_drop_table(nq_ctx *ctx, nq_data_txn *txn, nq_bytes name) {
    const nq_table *table;
    table_key key;
    bool was_present;
    NQ_TRY(take_table(ctx, txn, name, &table));
    NQ_TRY(nq_txn_tree_drop(ctx, txn->txn, table->tree));
    NQ_TRY(nq_txn_remove(ctx, txn->txn, NQ_TREE_CATALOG, table_key_of(name, &key), &was_present));
    return change_seen(ctx, txn, NULL, table);
}

nq_status nq_data_txn_truncate_table(nq_ctx *ctx, nq_data_txn *txn, nq_bytes name,
                                     bool restart_identity) {
    const nq_table *table;
    NQ_TRY(take_table(ctx, txn, name, &table));
    NQ_TRY(nq_txn_tree_drop(ctx, txn->txn, table->tree));
    nq_table empty = *table;
    NQ_TRY(nq_txn_tree_create(ctx, txn->txn, &empty.tree));
    if (restart_identity) {
        empty.sequence_id = empty.tree.value;
    }
    nq_arena arena;
    nq_arena_init(&arena, DEFINITION_ARENA_BYTES_MAX);
    nq_status status = store_table(ctx, txn, &arena, &empty, table);
    nq_arena_deinit(&arena);
    return status;
}
