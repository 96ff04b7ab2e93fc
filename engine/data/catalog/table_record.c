/* A table's definition as the bytes kept in the catalog tree (docs/format/catalog.md), and the
 * object made from them. Creating a table goes through the same bytes as reading one back. */
#include <string.h>

#include "engine/data/catalog/catalog_internal.h"
#include "engine/ground/base/codec.h"
#include "engine/ground/base/heap.h"

enum {
    RECORD_FORMAT = 1,
    FLAG_PADDED = 1,
    FLAG_NOT_NULL = 2,
    TABLE_ARENA_BYTES_MAX = 64 << 20,
    TREE_OFFSET = 1,
    SEQUENCE_OFFSET = 5,
    RECORD_BYTES_MIN = 17,
};

/* ---- Writing: run once without memory to measure, once with ---- */

typedef struct writer {
    uint8_t *data; /* NULL: only count */
    size_t size;
} writer;

static void put(writer *out, const void *source, size_t size) {
    if (out->data != NULL && size > 0) {
        memcpy(out->data + out->size, source, size);
    }
    out->size += size;
}

static void put_u8(writer *out, uint32_t value) {
    uint8_t byte = (uint8_t)value;
    put(out, &byte, 1);
}

static void put_u16(writer *out, uint32_t value) {
    uint8_t bytes[2];
    nq_store_le16(bytes, (uint16_t)value);
    put(out, bytes, sizeof bytes);
}

static void put_u32(writer *out, uint32_t value) {
    uint8_t bytes[4];
    nq_store_le32(bytes, value);
    put(out, bytes, sizeof bytes);
}

static void put_u64(writer *out, uint64_t value) {
    uint8_t bytes[8];
    nq_store_le64(bytes, value);
    put(out, bytes, sizeof bytes);
}

static void put_text(writer *out, nq_bytes text) {
    put_u32(out, (uint32_t)text.size);
    put(out, text.data, text.size);
}

static void put_table(writer *out, const nq_table *table) {
    const nq_table_definition *definition = &table->definition;
    put_u8(out, RECORD_FORMAT);
    put_u32(out, table->tree.value);
    put_u32(out, table->sequence_id);
    put_u64(out, (uint64_t)table->create_time_us);
    put_u16(out, definition->column_count);
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const nq_column_definition *column = &definition->columns[i];
        put_text(out, column->name);
        put_u8(out, (uint32_t)column->type.id);
        put_u32(out, column->type.length_max);
        put_u8(out, (column->type.is_padded ? FLAG_PADDED : 0u) |
                        (column->is_not_null ? FLAG_NOT_NULL : 0u));
        put_u8(out, (uint32_t)column->generation);
        put_text(out, column->default_sql);
    }
    put_u16(out, definition->key_column_count);
    for (uint32_t i = 0; i < definition->key_column_count; i++) {
        put_u16(out, definition->key_columns[i]);
    }
    put_text(out, definition->key_name);
    put_u16(out, definition->check_count);
    for (uint32_t i = 0; i < definition->check_count; i++) {
        put_text(out, definition->checks[i].name);
        put_text(out, definition->checks[i].condition_sql);
    }
}

nq_status nq__table_record_encode(nq_ctx *ctx, nq_arena *arena, const nq_table *table,
                                  nq_bytes *out_record) {
    *out_record = (nq_bytes){NULL, 0};
    writer out = {NULL, 0};
    put_table(&out, table);
    out = (writer){nq_arena_alloc(arena, out.size), 0};
    if (out.data == NULL) {
        return nq_fail_no_memory(ctx, "a table definition");
    }
    put_table(&out, table);
    *out_record = nq_bytes_of(out.data, out.size);
    return NQ_OK;
}

/* ---- Reading: every take checks; the first failure sticks ---- */

typedef struct reader {
    const uint8_t *at;
    const uint8_t *end;
    nq_arena *arena;
    bool has_failed;
    bool lacks_memory; /* why, when it was not the record */
} reader;

static void note_memory(reader *in, const void *memory) {
    in->lacks_memory |= memory == NULL;
    in->has_failed |= memory == NULL;
}

static const uint8_t *take(reader *in, size_t size) {
    static const uint8_t zeros[8];
    if ((size_t)(in->end - in->at) < size) {
        in->has_failed = true;
        return zeros;
    }
    in->at += size;
    return in->at - size;
}

static uint32_t take_u8(reader *in) {
    return *take(in, 1);
}

static uint32_t take_u16(reader *in) {
    return nq_load_le16(take(in, 2));
}

static uint32_t take_u32(reader *in) {
    return nq_load_le32(take(in, 4));
}

static nq_bytes take_text(reader *in) {
    size_t size = take_u32(in);
    if (size > (size_t)(in->end - in->at)) {
        in->has_failed = true;
        return (nq_bytes){NULL, 0};
    }
    nq_bytes text = nq_arena_copy(in->arena, nq_bytes_of(take(in, size), size));
    note_memory(in, text.data);
    return text;
}

static void *take_array(reader *in, size_t count, size_t element_bytes) {
    void *array = nq_arena_calloc(in->arena, count, element_bytes);
    note_memory(in, array);
    return array;
}

static void take_columns(reader *in, nq_table *table) {
    uint32_t count = take_u16(in);
    nq_column_definition *columns = take_array(in, count, sizeof *columns);
    table->column_types = take_array(in, count, sizeof *table->column_types);
    for (uint32_t i = 0; i < count && !in->has_failed; i++) {
        columns[i].name = take_text(in);
        uint32_t id = take_u8(in);
        in->has_failed |= id == NQ_TYPE_UNKNOWN || id >= NQ_TYPE_ID_COUNT;
        columns[i].type = (nq_type){.id = (nq_type_id)id, .length_max = take_u32(in)};
        uint32_t flags = take_u8(in);
        columns[i].type.is_padded = (flags & FLAG_PADDED) != 0;
        columns[i].is_not_null = (flags & FLAG_NOT_NULL) != 0;
        columns[i].generation = (nq_generation)take_u8(in);
        columns[i].default_sql = take_text(in);
        if (!in->has_failed) {
            table->column_types[i] = columns[i].type;
        }
    }
    table->definition.column_count = count;
    table->definition.columns = columns;
}

static void take_key(reader *in, nq_table *table) {
    uint32_t count = take_u16(in);
    uint32_t *key_columns = take_array(in, count, sizeof *key_columns);
    for (uint32_t i = 0; i < count && !in->has_failed; i++) {
        key_columns[i] = take_u16(in);
        in->has_failed |= key_columns[i] >= table->definition.column_count;
    }
    table->definition.key_column_count = count;
    table->definition.key_columns = key_columns;
    table->definition.key_name = take_text(in);
}

static void take_checks(reader *in, nq_table *table) {
    uint32_t count = take_u16(in);
    nq_check_definition *checks = take_array(in, count, sizeof *checks);
    for (uint32_t i = 0; i < count && !in->has_failed; i++) {
        checks[i].name = take_text(in);
        checks[i].condition_sql = take_text(in);
    }
    table->definition.check_count = count;
    table->definition.checks = checks;
}

static void take_table(reader *in, nq_table *table) {
    in->has_failed |= take_u8(in) != RECORD_FORMAT;
    table->tree.value = take_u32(in);
    table->sequence_id = take_u32(in);
    table->create_time_us = (int64_t)nq_load_le64(take(in, 8));
    take_columns(in, table);
    if (!in->has_failed) {
        take_key(in, table);
    }
    if (!in->has_failed) {
        take_checks(in, table);
    }
    in->has_failed |= in->at != in->end;
}

nq_status nq__table_record_decode(nq_ctx *ctx, nq_catalog *catalog, nq_bytes name, nq_bytes record,
                                  const nq_table **out_table) {
    *out_table = NULL;
    nq_status status = NQ_OK;
    nq__table_object *object = nq_heap_calloc(1, sizeof *object);
    if (object == NULL) {
        return nq_fail_no_memory(ctx, "a table");
    }
    atomic_init(&object->reference_count, 1);
    nq_arena_init(&object->arena, TABLE_ARENA_BYTES_MAX);
    nq_table *table = &object->table;
    table->definition.name = nq_arena_copy(&object->arena, name);
    reader in = {record.data, record.data + record.size, &object->arena, false, false};
    note_memory(&in, table->definition.name.data);
    take_table(&in, table);
    if (in.lacks_memory) {
        status = nq_fail_no_memory(ctx, "a table");
        goto done;
    }
    if (in.has_failed) {
        status = nq_fail(ctx, NQ_PAGE_CORRUPT, "the catalog's record of table \"%.*s\" is damaged",
                         NQ_BYTES_FORMAT(name));
        goto done;
    }
    NQ_CHECK(nq_row_layout_init(ctx, &table->layout, &object->arena, table->column_types,
                                table->definition.column_count, table->definition.key_columns,
                                table->definition.key_column_count));
    table->state = nq__table_state_acquire(catalog, table->tree);
    if (table->state == NULL) {
        status = nq_fail_no_memory(ctx, "a table");
        goto done;
    }
    *out_table = table;
    object = NULL;
done:
    if (object != NULL) {
        nq__table_release(&object->table);
    }
    return status;
}

bool nq__table_record_is(const nq_table *table, nq_bytes record) {
    return record.size >= RECORD_BYTES_MIN &&
           nq_load_le32(record.data + TREE_OFFSET) == table->tree.value &&
           nq_load_le32(record.data + SEQUENCE_OFFSET) == table->sequence_id;
}

void nq__table_acquire(const nq_table *table) {
    nq__table_object *object = (nq__table_object *)(uintptr_t)table;
    (void)atomic_fetch_add_explicit(&object->reference_count, 1, memory_order_relaxed);
}

void nq__table_release(const nq_table *table) {
    nq__table_object *object = (nq__table_object *)(uintptr_t)table;
    if (atomic_fetch_sub_explicit(&object->reference_count, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (table->state != NULL) {
        nq__table_state_release(table->state);
    }
    nq_arena_deinit(&object->arena);
    nq_heap_free(object);
}

uint32_t nq_table_find_column(const nq_table *table, nq_bytes name) {
    for (uint32_t i = 0; i < table->definition.column_count; i++) {
        if (nq_bytes_equal(table->definition.columns[i].name, name)) {
            return i;
        }
    }
    return UINT32_MAX;
}
