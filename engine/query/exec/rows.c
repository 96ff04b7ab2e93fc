/* Rows: storing them by column, reading them back in any order. */
#include "engine/query/exec/rows_internal.h"

enum { FIRST_CHUNK_ROWS = 16, CHUNK_MASK = NQ_ROWS_CHUNK_ROWS - 1, CHUNK_ARRAY_MIN = 4 };

bool nq__rows_init(nq_rows *rows, nq_arena *arena, const nq_type *types, uint32_t column_count) {
    *rows = (nq_rows){.arena = arena, .column_count = column_count};
    rows->columns = nq_arena_calloc(arena, column_count + 1, sizeof(nq_rows_column));
    if (rows->columns == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < column_count; i++) {
        rows->columns[i].type = types[i];
        rows->columns[i].form = nq_type_form(types[i].id);
    }
    return true;
}

static bool grow_chunk_arrays(nq_rows *rows) {
    uint32_t capacity = rows->chunk_capacity == 0 ? CHUNK_ARRAY_MIN : rows->chunk_capacity * 2;
    for (uint32_t i = 0; i < rows->column_count; i++) {
        nq_rows_column *column = &rows->columns[i];
        void **values = nq_arena_calloc(rows->arena, capacity, sizeof(void *));
        uint8_t **nulls = nq_arena_calloc(rows->arena, capacity, sizeof(uint8_t *));
        if (values == NULL || nulls == NULL) {
            return false;
        }
        if (rows->chunk_count > 0) {
            memcpy(values, column->values, rows->chunk_count * sizeof(void *));
            memcpy(nulls, column->nulls, rows->chunk_count * sizeof(uint8_t *));
        }
        column->values = values;
        column->nulls = nulls;
    }
    rows->chunk_capacity = capacity;
    return true;
}

/* Chunk `chunk` with room for `row_count` rows, the first `kept` of which it had before. */
static bool make_chunk(nq_rows *rows, uint32_t chunk, uint32_t row_count, uint32_t kept) {
    for (uint32_t i = 0; i < rows->column_count; i++) {
        nq_rows_column *column = &rows->columns[i];
        size_t cell_bytes = nq_form_bytes(column->form);
        void *values = nq_arena_alloc(rows->arena, row_count * cell_bytes);
        uint8_t *nulls = nq_arena_alloc(rows->arena, row_count);
        if (values == NULL || nulls == NULL) {
            return false;
        }
        if (kept > 0) {
            memcpy(values, column->values[chunk], kept * cell_bytes);
            memcpy(nulls, column->nulls[chunk], kept);
        }
        column->values[chunk] = values;
        column->nulls[chunk] = nulls;
    }
    return true;
}

/* Room for `count` more rows behind row_count, within its chunk. */
static bool reserve(nq_rows *rows, uint32_t count) {
    uint32_t chunk = rows->row_count >> NQ_ROWS_CHUNK_SHIFT;
    if (chunk == rows->chunk_count) {
        if (chunk == rows->chunk_capacity && !grow_chunk_arrays(rows)) {
            return false;
        }
        uint32_t room = chunk == 0 && count <= FIRST_CHUNK_ROWS ? (uint32_t)FIRST_CHUNK_ROWS
                                                                : (uint32_t)NQ_ROWS_CHUNK_ROWS;
        if (!make_chunk(rows, chunk, room, 0)) {
            return false;
        }
        rows->chunk_count++;
        rows->first_chunk_rows = chunk == 0 ? room : rows->first_chunk_rows;
    }
    if (chunk == 0 && rows->row_count + count > rows->first_chunk_rows) {
        rows->first_chunk_rows = NQ_ROWS_CHUNK_ROWS;
        return make_chunk(rows, 0, NQ_ROWS_CHUNK_ROWS, rows->row_count);
    }
    return true;
}

#define PICK_CELLS(to, from)               \
    for (uint32_t i = 0; i < count; i++) { \
        (to)[i] = (from)[picked[i]];       \
    }

/* The picked cells of `vector`, dense, into `out_cells` of its form. */
static void pick_cells(const nq_vector *vector, const uint16_t *picked, uint32_t count,
                       void *out_cells) {
    uint8_t *booleans = out_cells;
    int64_t *integers = out_cells;
    double *numbers = out_cells;
    nq_bytes *bytes = out_cells;
    switch (nq_type_form(vector->type.id)) {
    case NQ_FORM_BOOL:
        PICK_CELLS(booleans, vector->booleans)
        break;
    case NQ_FORM_INT64:
        PICK_CELLS(integers, vector->integers)
        break;
    case NQ_FORM_FLOAT64:
        PICK_CELLS(numbers, vector->numbers)
        break;
    case NQ_FORM_BYTES:
        PICK_CELLS(bytes, vector->bytes)
        break;
    }
}

static void pick_nulls(const nq_vector *vector, const uint16_t *picked, uint32_t count,
                       uint8_t *out_nulls) {
    if (vector->nulls == NULL) {
        memset(out_nulls, 0, count);
        return;
    }
    PICK_CELLS(out_nulls, vector->nulls)
}

static bool copy_texts(nq_arena *arena, nq_bytes *cells, const uint8_t *nulls, uint32_t count) {
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += nulls[i] != 0 ? 0 : cells[i].size;
    }
    uint8_t *at = nq_arena_alloc(arena, total);
    if (at == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (nulls[i] != 0) {
            cells[i] = nq_bytes_of(NULL, 0);
        } else if (cells[i].size > 0) {
            memcpy(at, cells[i].data, cells[i].size);
            cells[i].data = at;
            at += cells[i].size;
        }
    }
    return true;
}

/* `count` rows of the vectors, those picked or those from `first` on, into the chunk with room. */
static bool append_some(nq_rows *rows, const nq_vector *vectors, const uint16_t *picked,
                        uint32_t first, uint32_t count) {
    if (!reserve(rows, count)) {
        return false;
    }
    uint32_t chunk = rows->row_count >> NQ_ROWS_CHUNK_SHIFT;
    uint32_t start = rows->row_count & CHUNK_MASK;
    for (uint32_t c = 0; c < rows->column_count; c++) {
        const nq_vector *vector = &vectors[c];
        nq_form form = rows->columns[c].form;
        size_t cell_bytes = nq_form_bytes(form);
        uint8_t *nulls = rows->columns[c].nulls[chunk] + start;
        uint8_t *cells = (uint8_t *)rows->columns[c].values[chunk] + start * cell_bytes;
        if (picked != NULL) {
            pick_nulls(vector, picked + first, count, nulls);
            pick_cells(vector, picked + first, count, cells);
        } else {
            nq_vector from = *vector;
            memcpy(cells, (const uint8_t *)from.values + first * cell_bytes, count * cell_bytes);
            if (from.nulls == NULL) {
                memset(nulls, 0, count);
            } else {
                memcpy(nulls, from.nulls + first, count);
            }
        }
        if (form == NQ_FORM_BYTES && !copy_texts(rows->arena, (nq_bytes *)cells, nulls, count)) {
            return false;
        }
    }
    rows->row_count += count;
    return true;
}

bool nq__rows_append(nq_rows *rows, const nq_vector *vectors, const uint16_t *picked,
                     uint32_t count) {
    for (uint32_t first = 0; first < count;) {
        uint32_t room = NQ_ROWS_CHUNK_ROWS - (rows->row_count & CHUNK_MASK);
        uint32_t some = count - first < room ? count - first : room;
        if (rows->row_count > UINT32_MAX - 1 - some ||
            !append_some(rows, vectors, picked, first, some)) {
            return false;
        }
        first += some;
    }
    return true;
}

nq_value nq__rows_value(const nq_rows *rows, uint32_t column, uint32_t row) {
    const nq_rows_column *from = &rows->columns[column];
    uint32_t chunk = row >> NQ_ROWS_CHUNK_SHIFT;
    uint32_t at = row & CHUNK_MASK;
    nq_value value = {.type = from->type.id, .is_null = from->nulls[chunk][at] != 0};
    switch (from->form) {
    case NQ_FORM_BOOL:
        value.boolean = ((const uint8_t *)from->values[chunk])[at] != 0;
        break;
    case NQ_FORM_INT64:
        value.integer = ((const int64_t *)from->values[chunk])[at];
        break;
    case NQ_FORM_FLOAT64:
        value.number = ((const double *)from->values[chunk])[at];
        break;
    case NQ_FORM_BYTES:
        value.bytes = ((const nq_bytes *)from->values[chunk])[at];
        break;
    }
    return value;
}

static bool numbers_equal(double left, double right) {
    return left == right || (left != left && right != right);
}

bool nq__rows_equal(const nq_rows *rows, uint32_t row, const nq_vector *vectors, uint32_t at) {
    uint32_t chunk = row >> NQ_ROWS_CHUNK_SHIFT;
    uint32_t place = row & CHUNK_MASK;
    for (uint32_t c = 0; c < rows->column_count; c++) {
        const nq_rows_column *column = &rows->columns[c];
        const nq_vector *vector = &vectors[c];
        bool is_null = vector->nulls != NULL && vector->nulls[at] != 0;
        if (is_null || column->nulls[chunk][place] != 0) {
            if (is_null != (column->nulls[chunk][place] != 0)) {
                return false;
            }
            continue;
        }
        const void *cells = column->values[chunk];
        bool is_equal = false;
        switch (column->form) {
        case NQ_FORM_BOOL:
            is_equal = ((const uint8_t *)cells)[place] == vector->booleans[at];
            break;
        case NQ_FORM_INT64:
            is_equal = ((const int64_t *)cells)[place] == vector->integers[at];
            break;
        case NQ_FORM_FLOAT64:
            is_equal = numbers_equal(((const double *)cells)[place], vector->numbers[at]);
            break;
        case NQ_FORM_BYTES:
            is_equal = nq_bytes_equal(((const nq_bytes *)cells)[place], vector->bytes[at]);
            break;
        }
        if (!is_equal) {
            return false;
        }
    }
    return true;
}

uint32_t nq__rows_window(const nq_rows *rows, uint32_t first, uint32_t count_max,
                         nq_vector *out_vectors) {
    if (first >= rows->row_count) {
        return 0;
    }
    uint32_t chunk = first >> NQ_ROWS_CHUNK_SHIFT;
    uint32_t at = first & CHUNK_MASK;
    uint32_t count = NQ_ROWS_CHUNK_ROWS - at;
    count = count > rows->row_count - first ? rows->row_count - first : count;
    count = count > count_max ? count_max : count;
    for (uint32_t c = 0; c < rows->column_count; c++) {
        const nq_rows_column *column = &rows->columns[c];
        out_vectors[c] = (nq_vector){.type = column->type,
                                     .nulls = column->nulls[chunk] + at,
                                     .values = (const uint8_t *)column->values[chunk] +
                                               at * nq_form_bytes(column->form)};
    }
    return count;
}

/* ---- Gathering ---- */

bool nq__gather_init(nq_gather *gather, nq_arena *arena, const nq_type *types,
                     uint32_t column_count) {
    *gather = (nq_gather){.arena = arena, .column_count = column_count};
    gather->types = nq_arena_calloc(arena, column_count + 1, sizeof(nq_type));
    gather->values = nq_arena_calloc(arena, column_count + 1, sizeof(void *));
    gather->nulls = nq_arena_calloc(arena, column_count + 1, sizeof(uint8_t *));
    gather->vectors = nq_arena_calloc(arena, column_count + 1, sizeof(nq_vector));
    if (gather->types == NULL || gather->values == NULL || gather->nulls == NULL ||
        gather->vectors == NULL) {
        return false;
    }
    if (column_count > 0) {
        memcpy(gather->types, types, column_count * sizeof(nq_type));
    }
    return true;
}

bool nq__gather_reserve(nq_gather *gather, uint32_t row_count) {
    if (row_count <= gather->capacity) {
        return true;
    }
    uint32_t capacity =
        row_count <= FIRST_CHUNK_ROWS ? (uint32_t)FIRST_CHUNK_ROWS : (uint32_t)NQ_BATCH_ROWS_MAX;
    for (uint32_t c = 0; c < gather->column_count; c++) {
        size_t cell_bytes = nq_form_bytes(nq_type_form(gather->types[c].id));
        gather->values[c] = nq_arena_alloc(gather->arena, capacity * cell_bytes);
        gather->nulls[c] = nq_arena_alloc(gather->arena, capacity);
        if (gather->values[c] == NULL || gather->nulls[c] == NULL) {
            return false;
        }
    }
    gather->capacity = capacity;
    return true;
}

void nq__gather_vector(nq_gather *gather, uint32_t target, const nq_vector *vector,
                       const uint16_t *picked, uint32_t count) {
    uint8_t *nulls = gather->nulls[target];
    if (vector->nulls != NULL) {
        pick_nulls(vector, picked, count, nulls);
    }
    pick_cells(vector, picked, count, gather->values[target]);
    gather->vectors[target] = (nq_vector){.type = gather->types[target],
                                          .nulls = vector->nulls == NULL ? NULL : nulls,
                                          .values = gather->values[target]};
}

/* Cells and nulls of one form; leaves in has_nulls whether there was a null. */
#define FETCH_CELLS(to, chunks, zero)                                   \
    for (uint32_t i = 0; i < count; i++) {                              \
        uint32_t row = row_ids[i];                                      \
        bool is_none = row == NQ_ROW_NONE;                              \
        uint32_t chunk = is_none ? 0 : row >> NQ_ROWS_CHUNK_SHIFT;      \
        nulls[i] = is_none ? 1 : from->nulls[chunk][row & CHUNK_MASK];  \
        (to)[i] = is_none ? (zero) : (chunks)[chunk][row & CHUNK_MASK]; \
        has_nulls |= nulls[i];                                          \
    }

void nq__gather_rows(nq_gather *gather, uint32_t target, const nq_rows *rows, uint32_t column,
                     const uint32_t *row_ids, uint32_t count) {
    static const nq_bytes nothing = {NULL, 0};
    const nq_rows_column *from = &rows->columns[column];
    void *cells = gather->values[target];
    uint8_t *nulls = gather->nulls[target];
    uint8_t has_nulls = 0;
    switch (from->form) {
    case NQ_FORM_BOOL:
        FETCH_CELLS((uint8_t *)cells, (uint8_t **)from->values, 0)
        break;
    case NQ_FORM_INT64:
        FETCH_CELLS((int64_t *)cells, (int64_t **)from->values, 0)
        break;
    case NQ_FORM_FLOAT64:
        FETCH_CELLS((double *)cells, (double **)from->values, 0)
        break;
    case NQ_FORM_BYTES:
        FETCH_CELLS((nq_bytes *)cells, (nq_bytes **)from->values, nothing)
        break;
    }
    gather->vectors[target] = (nq_vector){.type = gather->types[target],
                                          .nulls = has_nulls != 0 ? nulls : NULL,
                                          .values = gather->values[target]};
}
