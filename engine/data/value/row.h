/* Row: the bytes of one stored row, and how selected columns come back out of them.
 *
 *     flags(1) | null bits | fixed columns, declared width | end offsets (2 or 4 each) | variable
 * bytes
 *
 * Fixed columns have the same place in every row of a layout, so reading one costs one load.
 * Columns that the key gives back (nq_key_is_lossless) are not repeated in the row. Little-endian
 * throughout. docs/format/catalog.md has the byte table. */
#ifndef NQ_DATA_VALUE_ROW_H
#define NQ_DATA_VALUE_ROW_H

#include "engine/data/value/key.h"
#include "engine/data/value/vector_builder.h"

enum { NQ_ROW_BYTES_MAX = 16 << 20 };

/* Where a column of the table lives. */
typedef struct nq_row_place {
    nq_type_id type;
    bool is_in_key_only; /* decoded from the key: `index` is its position there */
    bool is_variable;    /* `index` counts the variable columns */
    uint16_t null_bit;
    uint16_t fixed_bytes;
    uint32_t index;
    uint32_t offset; /* fixed: from the row's start */
} nq_row_place;

/* How rows of one table are laid out; immutable. */
typedef struct nq_row_layout {
    uint32_t column_count;
    nq_row_place *places; /* one per column of the table */
    uint32_t key_column_count;
    nq_key_column *key_columns;
    uint32_t *key_places; /* the table's column of each key column */
    uint32_t fixed_end;   /* where the end offsets start */
    uint32_t variable_count;
} nq_row_layout;

/* Lays out columns of these types; `key_columns` index into them. `key_column_count` 0: the key is
 * a hidden row id that no column shows. Allocated from `arena`. */
nq_status nq_row_layout_init(nq_ctx *ctx, nq_row_layout *layout, nq_arena *arena,
                             const nq_type *types, uint32_t column_count,
                             const uint32_t *key_columns, uint32_t key_column_count);

/* A growable buffer that rows are encoded into; reused from row to row. */
typedef struct nq_row_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
} nq_row_buffer;

void nq_row_buffer_deinit(nq_row_buffer *buffer);

/* Encodes row `row` of a batch that has every column of the layout, in table order and of its
 * types. Fails with NQ_LIMIT_EXCEEDED, NQ_MEMORY_LIMIT. */
nq_status nq_row_encode(nq_ctx *ctx, const nq_row_layout *layout, const nq_batch *batch,
                        uint32_t row, nq_row_buffer *buffer);

/* The key of that row. Fails as nq_key_append does. */
nq_status nq_row_encode_key(nq_ctx *ctx, const nq_row_layout *layout, const nq_batch *batch,
                            uint32_t row, nq_key_buffer *key);

/* Selects this column of the output: the whole key, as bytes — the row's identity. */
#define NQ_COLUMN_ROW_KEY UINT32_MAX

/* One step of decoding: prepared once, run for each row. */
typedef struct nq_row_step {
    uint8_t op;
    uint16_t null_bit;
    uint32_t source; /* fixed: offset in the row; variable: its index */
    uint32_t column; /* of the builder; UINT32_MAX: step over a key column nobody wants */
} nq_row_step;

typedef struct nq_row_decoder {
    const nq_row_layout *layout;
    nq_row_step *row_steps;
    uint32_t row_step_count;
    nq_row_step *key_steps; /* one for each key column, up to the last that is wanted */
    uint32_t key_step_count;
    uint32_t row_key_column; /* of the builder; UINT32_MAX: not wanted */
    uint32_t column_count;
} nq_row_decoder;

/* Decodes `columns` (indexes into the table, or NQ_COLUMN_ROW_KEY; each at most once) into columns
 * 0, 1, .. of a builder. Allocated from `arena`. */
nq_status nq_row_decoder_init(nq_ctx *ctx, nq_row_decoder *decoder, nq_arena *arena,
                              const nq_row_layout *layout, const uint32_t *columns,
                              uint32_t column_count);

/* Appends one row to the builder, whose columns must start with the decoder's and which must have
 * an arena for text: it is copied there. Rows come from disk: anything malformed fails with
 * NQ_PAGE_CORRUPT, and the builder is as before. */
nq_status nq_row_decode(nq_ctx *ctx, const nq_row_decoder *decoder, nq_bytes key, nq_bytes row,
                        nq_batch_builder *builder);

#endif
