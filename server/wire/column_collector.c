/* Column collector: keeps each batch's columns already narrowed, as a list of pieces, and joins the
 * pieces when it is written. Bits stay bytes until then, because pieces need not end on a byte. */
#include "server/wire/column_batch_internal.h"

/* One column of one batch. */
typedef struct piece_column {
    const uint8_t *nulls; /* one byte a row; NULL: no nulls */
    const uint8_t *data;  /* BOOL: one byte a row */
    size_t data_bytes;
    const uint32_t *ends; /* with offsets: where each row's bytes end in data */
} piece_column;

typedef struct piece {
    struct piece *next;
    uint32_t row_count;
    piece_column columns[];
} piece;

struct nq_column_collector {
    nq_arena *arena;
    piece *first;
    piece **last;
    const nq_type_id *types;
    uint32_t column_count;
    uint64_t row_count;
    size_t held_bytes;
    size_t bytes_max;
};

nq_status nq_column_collector_create(nq_ctx *ctx, const nq_column_info *columns,
                                     uint32_t column_count, size_t bytes_max,
                                     nq_column_collector **out_collector) {
    *out_collector = NULL;
    nq_column_collector *collector = nq_arena_calloc(ctx->scratch, 1, sizeof *collector);
    nq_type_id *types = nq_arena_calloc(ctx->scratch, column_count + 1, sizeof *types);
    if (collector == NULL || types == NULL) {
        return nq_fail_no_memory(ctx, "the result's columns");
    }
    collector->arena = ctx->scratch;
    collector->last = &collector->first;
    for (uint32_t i = 0; i < column_count; i++) {
        types[i] = columns[i].type.id;
    }
    collector->types = types;
    collector->column_count = column_count;
    collector->bytes_max = bytes_max;
    *out_collector = collector;
    return NQ_OK;
}

static bool keep_texts(nq_arena *arena, const nq_vector *vector, uint32_t row_count,
                       piece_column *out) {
    uint8_t *data = nq_arena_alloc(arena, out->data_bytes + 1);
    uint32_t *ends = nq_arena_calloc(arena, row_count, sizeof *ends);
    if (data == NULL || ends == NULL) {
        return false;
    }
    uint32_t end = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        nq_bytes value = vector->bytes[i];
        if (value.size > 0) {
            memcpy(data + end, value.data, value.size);
        }
        end += (uint32_t)value.size;
        ends[i] = end;
    }
    out->data = data;
    out->ends = ends;
    return true;
}

static bool keep_column(nq_arena *arena, const nq_vector *vector, uint32_t row_count,
                        piece_column *out) {
    if (vector->nulls != NULL) {
        out->nulls = nq_arena_copy(arena, nq_bytes_of(vector->nulls, row_count)).data;
        if (out->nulls == NULL) {
            return false;
        }
    }
    if (vector->type.id == NQ_TYPE_BOOL) {
        out->data = nq_arena_copy(arena, nq_bytes_of(vector->booleans, row_count)).data;
        out->data_bytes = row_count;
        return out->data != NULL;
    }
    out->data_bytes = (size_t)nq__column_data_bytes(vector, row_count);
    if (nq__column_has_offsets(vector->type.id)) {
        return keep_texts(arena, vector, row_count, out);
    }
    uint8_t *data = nq_arena_alloc(arena, out->data_bytes + 1);
    if (data == NULL) {
        return false;
    }
    nq__column_put_fixed(vector, row_count, data);
    out->data = data;
    return true;
}

nq_status nq_column_collector_append(nq_ctx *ctx, nq_column_collector *collector,
                                     const nq_batch *batch) {
    collector->held_bytes += nq_column_batch_bytes_max(batch);
    if (collector->held_bytes / 2 > collector->bytes_max) {
        /* The bound is generous; twice the limit is certainly too much, the writer checks exactly.
         */
        nq_status status =
            nq_fail(ctx, NQ_RESULT_TOO_LARGE, "the response would be larger than %zu bytes",
                    collector->bytes_max);
        nq_error_set_hint(&ctx->error,
                          "Use StreamService.ExecuteStream, LIMIT, or options.max_rows.");
        return status;
    }
    piece *kept = nq_arena_calloc(collector->arena, 1,
                                  sizeof *kept + batch->column_count * sizeof kept->columns[0]);
    if (kept == NULL) {
        return nq_fail_no_memory(ctx, "the result");
    }
    kept->row_count = batch->row_count;
    for (uint32_t i = 0; i < batch->column_count; i++) {
        if (!keep_column(collector->arena, &batch->columns[i], batch->row_count,
                         &kept->columns[i])) {
            return nq_fail_no_memory(ctx, "the result");
        }
    }
    collector->row_count += batch->row_count;
    *collector->last = kept;
    collector->last = &kept->next;
    return NQ_OK;
}

/* Writes one bit a row for a column of all pieces: validity (`of_nulls`) or booleans. */
static void put_bits(const nq_column_collector *collector, nq_writer *writer, uint32_t column,
                     bool of_nulls, uint32_t *out_ones) {
    uint8_t *bits = writer->at;
    size_t bitmap_bytes = (size_t)(collector->row_count + 7) / 8;
    memset(bits, 0, bitmap_bytes);
    uint64_t row = 0;
    uint32_t ones = 0;
    for (const piece *p = collector->first; p != NULL; p = p->next) {
        const uint8_t *bytes = of_nulls ? p->columns[column].nulls : p->columns[column].data;
        for (uint32_t i = 0; i < p->row_count; i++, row++) {
            uint32_t bit = bytes == NULL ? 1U : (uint32_t)((bytes[i] & 1) ^ of_nulls);
            bits[row / 8] |= (uint8_t)(bit << (row % 8));
            ones += bit;
        }
    }
    writer->at += bitmap_bytes;
    *out_ones = ones;
}

static void put_length(nq_writer *writer, uint32_t field, uint64_t length) {
    *writer->at++ = (uint8_t)(field << 3 | 2);
    writer->at = nq_varint_put(writer->at, length);
}

static void put_offsets(const nq_column_collector *collector, nq_writer *writer, uint32_t column) {
    put_length(writer, NQ_COLUMN_FIELD_OFFSETS, (collector->row_count + 1) * sizeof(uint32_t));
    uint32_t start = 0;
    memcpy(writer->at, &start, sizeof start);
    writer->at += sizeof start;
    for (const piece *p = collector->first; p != NULL; p = p->next) {
        for (uint32_t i = 0; i < p->row_count; i++) {
            uint32_t offset = start + p->columns[column].ends[i];
            memcpy(writer->at, &offset, sizeof offset);
            writer->at += sizeof offset;
        }
        start += (uint32_t)p->columns[column].data_bytes;
    }
}

static void put_column(const nq_column_collector *collector, nq_writer *writer, uint32_t column) {
    size_t bitmap_bytes = (size_t)(collector->row_count + 7) / 8;
    uint64_t data_bytes = 0;
    bool has_nulls = false, has_offsets = nq__column_has_offsets(collector->types[column]);
    for (const piece *p = collector->first; p != NULL; p = p->next) {
        data_bytes += p->columns[column].data_bytes;
        has_nulls |= p->columns[column].nulls != NULL;
    }
    nq_writer_put_uint(writer, NQ_COLUMN_FIELD_ENCODING, NQ_COLUMN_ENCODING_PLAIN);
    if (has_nulls) {
        uint8_t *before = writer->at;
        uint32_t valid_count = 0;
        put_length(writer, NQ_COLUMN_FIELD_VALIDITY, bitmap_bytes);
        put_bits(collector, writer, column, true, &valid_count);
        if (valid_count == collector->row_count) {
            writer->at = before;
        }
        nq_writer_put_uint(writer, NQ_COLUMN_FIELD_NULL_COUNT, collector->row_count - valid_count);
    }
    if (has_offsets) {
        put_offsets(collector, writer, column);
    }
    if (collector->types[column] == NQ_TYPE_BOOL) {
        uint32_t ones = 0;
        put_length(writer, NQ_COLUMN_FIELD_DATA, bitmap_bytes);
        put_bits(collector, writer, column, false, &ones);
        return;
    }
    put_length(writer, NQ_COLUMN_FIELD_DATA, data_bytes);
    for (const piece *p = collector->first; p != NULL; p = p->next) {
        memcpy(writer->at, p->columns[column].data, p->columns[column].data_bytes);
        writer->at += p->columns[column].data_bytes;
    }
}

void nq_column_collector_write(const nq_column_collector *collector, nq_writer *writer,
                               uint32_t field) {
    if (!nq_writer_reserve(writer, collector->held_bytes + 64)) {
        return;
    }
    size_t opened = nq_writer_open(writer, field);
    nq_writer_put_uint(writer, NQ_BATCH_FIELD_ROW_COUNT, collector->row_count);
    for (uint32_t i = 0; i < collector->column_count; i++) {
        size_t column = nq_writer_open(writer, NQ_BATCH_FIELD_COLUMNS);
        put_column(collector, writer, i);
        nq_writer_close(writer, column);
    }
    nq_writer_put_uint(writer, NQ_BATCH_FIELD_COMPRESSION, NQ_COMPRESSION_NONE);
    nq_writer_close(writer, opened);
}

size_t nq_column_collector_bytes(const nq_column_collector *collector) {
    return collector->held_bytes;
}

uint64_t nq_column_collector_rows(const nq_column_collector *collector) {
    return collector->row_count;
}
