/* Stored rows and keys: any bytes as what a page holds. The first bytes choose the table's columns
 * and its key; the rest is a key and a row. What decodes must encode and decode to the same again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/data/value/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMN_COUNT_MAX = 12, ARENA_BYTES = 64 << 20, HEAD_BYTES = 3 };

static const nq_type_id types_of[] = {
    NQ_TYPE_BOOL, NQ_TYPE_INT16, NQ_TYPE_INT32, NQ_TYPE_INT64,     NQ_TYPE_FLOAT32, NQ_TYPE_FLOAT64,
    NQ_TYPE_TEXT, NQ_TYPE_BYTES, NQ_TYPE_DATE,  NQ_TYPE_TIMESTAMP, NQ_TYPE_TIME,    NQ_TYPE_UUID,
};

typedef struct target {
    nq_ctx ctx;
    nq_arena arena;
    nq_type types[COLUMN_COUNT_MAX + 1];
    uint32_t columns[COLUMN_COUNT_MAX + 1];
    uint32_t column_count;
    nq_row_layout layout;
    nq_row_decoder decoder;
} target;

static void require(bool claim) {
    if (!claim) {
        abort();
    }
}

/* Head: number of columns and of key columns, then where in the list of types to start. */
static void make_target(target *t, const uint8_t *head) {
    uint32_t keys[COLUMN_COUNT_MAX];
    t->column_count = 1 + head[0] % COLUMN_COUNT_MAX;
    uint32_t key_count = head[1] % (t->column_count + 1);
    for (uint32_t i = 0; i < t->column_count; i++) {
        t->types[i] = NQ_TYPE(types_of[(head[2] + i * 5) % 12]);
        t->columns[i] = i;
        keys[i] = (i + head[1]) % t->column_count;
    }
    t->types[t->column_count] = NQ_TYPE(NQ_TYPE_BYTES);
    t->columns[t->column_count] = NQ_COLUMN_ROW_KEY;
    require(nq_row_layout_init(&t->ctx, &t->layout, &t->arena, t->types, t->column_count, keys,
                               key_count) == NQ_OK);
    require(nq_row_decoder_init(&t->ctx, &t->decoder, &t->arena, &t->layout, t->columns,
                                t->column_count + 1) == NQ_OK);
}

static nq_status decode(target *t, nq_bytes key, nq_bytes row, nq_batch_builder *builder) {
    require(nq_batch_builder_init(&t->ctx, builder, &t->arena, &t->arena, t->types,
                                  t->column_count + 1, 1) == NQ_OK);
    return nq_row_decode(&t->ctx, &t->decoder, key, row, builder);
}

static void encode_again(target *t, const nq_batch *batch) {
    nq_row_buffer row = {0};
    nq_key_buffer key;
    nq_batch_builder again;
    if (nq_row_encode_key(&t->ctx, &t->layout, batch, 0, &key) == NQ_OK) {
        require(nq_row_encode(&t->ctx, &t->layout, batch, 0, &row) == NQ_OK);
        require(decode(t, nq_key_bytes(&key), nq_bytes_of(row.data, row.size), &again) == NQ_OK);
        nq_batch second = nq_batch_builder_batch(&again);
        for (uint32_t i = 0; i < t->column_count; i++) {
            nq_value left = nq_batch_value(batch, i, 0), right = nq_batch_value(&second, i, 0);
            require(left.is_null == right.is_null);
            require(left.is_null || nq_value_compare(left, right) == 0);
        }
    }
    nq_row_buffer_deinit(&row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEAD_BYTES + 1) {
        return 0;
    }
    target t = {0};
    nq_batch_builder builder;
    nq_arena_init(&t.arena, ARENA_BYTES);
    nq_ctx_init(&t.ctx, &t.arena);
    make_target(&t, data);
    size_t rest = size - HEAD_BYTES - 1;
    size_t key_size = data[HEAD_BYTES] < rest ? data[HEAD_BYTES] : rest;
    nq_bytes key = nq_bytes_of(data + HEAD_BYTES + 1, key_size);
    nq_bytes row = nq_bytes_of(key.data + key_size, rest - key_size);
    if (decode(&t, key, row, &builder) == NQ_OK) {
        nq_batch batch = nq_batch_builder_batch(&builder);
        encode_again(&t, &batch);
    }
    nq_arena_deinit(&t.arena);
    return 0;
}
