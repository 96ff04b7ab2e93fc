/* Sort and Top N.
 *
 * Rows are stored as they come; what is sorted are small entries: a 64-bit image of the first key
 * that sorts as the key does, and the row's number. Most comparisons end at the image; the rest
 * compare the keys themselves, and at last the numbers, so that equal rows keep their order
 * although the sort itself is not stable (quicksort on medians of three, heapsort when it
 * degenerates).
 *
 * Top N keeps twice what it must return: when it is full it sorts, drops the worse half, and from
 * then on refuses rows behind the worst it kept by their image alone. */
#include "engine/query/exec/exec_internal.h"

typedef struct entry {
    uint64_t image;
    uint32_t row;
} entry;

typedef struct sort_state {
    nq_operator base;
    nq_type *types;
    nq_rows rows;
    nq_arena kept_arena; /* Top N: of `rows`; replaced when the worse half is dropped */
    entry *entries;
    uint32_t entry_count;
    uint32_t entry_capacity;
    uint64_t keep;  /* Top N: rows wanted, offset included; UINT64_MAX: all */
    bool has_worst; /* Top N: rows with an image above `worst` cannot be wanted */
    uint64_t worst;
    uint64_t next; /* entry to be handed out */
    bool is_sorted;
    nq_gather gather;
    uint32_t comparisons; /* since the context was polled */
    uint16_t chosen[NQ_BATCH_ROWS_MAX];
    uint64_t images[NQ_BATCH_ROWS_MAX];
    uint32_t ids[NQ_BATCH_ROWS_MAX];
} sort_state;

static bool is_top_n(const nq_operator *op) {
    return op->plan->kind == NQ_PLAN_TOP_N;
}

static nq_arena *rows_arena(nq_operator *op) {
    return is_top_n(op) ? &((sort_state *)op)->kept_arena : op->execution->statement;
}

static nq_status open_rows(nq_ctx *ctx, nq_operator *op) {
    sort_state *state = (sort_state *)op;
    if (!nq__rows_init(&state->rows, rows_arena(op), state->types,
                       op->inputs[0]->plan->column_count)) {
        return nq__fail_memory(ctx, op);
    }
    return NQ_OK;
}

static nq_status take_count(nq_ctx *ctx, nq_operator *op, const nq_expr *expr, uint64_t absent,
                            uint64_t *out_count) {
    *out_count = absent;
    if (expr == NULL) {
        return NQ_OK;
    }
    nq_value value;
    NQ_TRY(nq__evaluate_constant(ctx, op, expr, &value));
    if (!value.is_null && value.integer < 0) {
        return nq_fail(ctx, NQ_INVALID_LIMIT, "LIMIT and OFFSET must not be negative");
    }
    *out_count = value.is_null ? absent : (uint64_t)value.integer;
    return NQ_OK;
}

static nq_status sort_open(nq_ctx *ctx, nq_operator *op) {
    sort_state *state = (sort_state *)op;
    const nq_plan_node *input = op->inputs[0]->plan;
    nq_arena *arena = op->execution->statement;
    state->keep = UINT64_MAX;
    nq_arena_init(&state->kept_arena, arena->budget_bytes);
    if (is_top_n(op)) {
        NQ_TRY(take_count(ctx, op, op->plan->sort.limit, UINT64_MAX, &state->keep));
        NQ_TRY(take_count(ctx, op, op->plan->sort.offset, 0, &state->next));
        if (__builtin_add_overflow(state->keep, state->next, &state->keep)) {
            state->keep = UINT64_MAX;
        }
    }
    state->types = nq_arena_calloc(arena, input->column_count + 1, sizeof(nq_type));
    if (state->types == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < input->column_count; i++) {
        state->types[i] = input->columns[i].type;
    }
    if (!nq__gather_init(&state->gather, arena, state->types, op->plan->column_count)) {
        return nq__fail_memory(ctx, op);
    }
    return open_rows(ctx, op);
}

/* ---- Images ---- */

static const uint64_t top_bit = UINT64_C(1) << 63;

static uint64_t image_of_number(double number) {
    uint64_t bits;
    double canonical = number != number ? __builtin_nan("") : number + 0.0;
    memcpy(&bits, &canonical, sizeof bits);
    return (bits & top_bit) != 0 ? ~bits : bits | top_bit;
}

static uint64_t image_of_bytes(nq_bytes bytes) {
    uint64_t image = 0;
    size_t size = bytes.size < sizeof image ? bytes.size : sizeof image;
    for (size_t i = 0; i < sizeof image; i++) {
        image = image << 8 | (i < size ? bytes.data[i] : 0);
    }
    return image;
}

static uint64_t image_of_value(const nq_vector *vector, uint32_t row) {
    switch (nq_type_form(vector->type.id)) {
    case NQ_FORM_BOOL:
        return (uint64_t)vector->booleans[row] << 1;
    case NQ_FORM_INT64:
        return (uint64_t)vector->integers[row] ^ top_bit;
    case NQ_FORM_FLOAT64:
        return image_of_number(vector->numbers[row]);
    case NQ_FORM_BYTES:
        break;
    }
    return image_of_bytes(vector->bytes[row]);
}

/* The lowest bit gives way to the nulls, who stand below or above every value. */
static void make_images(const nq_plan_sort_key *key, const nq_vector *vector, uint32_t count,
                        uint64_t *out_images) {
    for (uint32_t row = 0; row < count; row++) {
        if (vector->nulls != NULL && vector->nulls[row] != 0) {
            out_images[row] = key->nulls_first ? 0 : UINT64_MAX;
            continue;
        }
        uint64_t image = image_of_value(vector, row);
        image = (key->is_descending ? ~image : image) >> 1;
        out_images[row] = key->nulls_first ? image | top_bit : image;
    }
}

/* ---- Order ---- */

static int compare_keys(const sort_state *state, uint32_t left, uint32_t right) {
    const nq_plan_sort *plan = &state->base.plan->sort;
    for (uint32_t k = 0; k < plan->key_count; k++) {
        const nq_plan_sort_key *key = &plan->keys[k];
        nq_value a = nq__rows_value(&state->rows, key->column, left);
        nq_value b = nq__rows_value(&state->rows, key->column, right);
        if (a.is_null || b.is_null) {
            if (a.is_null != b.is_null) {
                return a.is_null == key->nulls_first ? -1 : 1;
            }
            continue;
        }
        int order = nq_value_compare(a, b);
        if (order != 0) {
            return key->is_descending ? -order : order;
        }
    }
    return 0;
}

static bool is_before(const sort_state *state, const entry *left, const entry *right) {
    if (left->image != right->image) {
        return left->image < right->image;
    }
    int order = compare_keys(state, left->row, right->row);
    return order != 0 ? order < 0 : left->row < right->row;
}

static void swap_entries(entry *left, entry *right) {
    entry kept = *left;
    *left = *right;
    *right = kept;
}

static void sift_down(const sort_state *state, entry *entries, size_t at, size_t count) {
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) {
            return;
        }
        if (child + 1 < count && is_before(state, &entries[child], &entries[child + 1])) {
            child++;
        }
        if (!is_before(state, &entries[at], &entries[child])) {
            return;
        }
        swap_entries(&entries[at], &entries[child]);
        at = child;
    }
}

static nq_status sort_by_heap(nq_ctx *ctx, const sort_state *state, entry *entries, size_t count) {
    for (size_t i = count / 2; i-- > 0;) {
        sift_down(state, entries, i, count);
    }
    for (size_t end = count; end-- > 1;) {
        if (end % NQ_BATCH_ROWS_MAX == 0) {
            NQ_TRY(nq_ctx_poll(ctx));
        }
        swap_entries(&entries[0], &entries[end]);
        sift_down(state, entries, 0, end);
    }
    return NQ_OK;
}

static void sort_by_insertion(const sort_state *state, entry *entries, size_t count) {
    for (size_t i = 1; i < count; i++) {
        entry moving = entries[i];
        size_t j = i;
        for (; j > 0 && is_before(state, &moving, &entries[j - 1]); j--) {
            entries[j] = entries[j - 1];
        }
        entries[j] = moving;
    }
}

/* Hoare's partition around the median of three; polls, as one pass may take long. */
static nq_status partition(nq_ctx *ctx, sort_state *state, entry *entries, size_t count,
                           size_t *out_split) {
    entry *middle = &entries[count / 2];
    entry *last = &entries[count - 1];
    if (is_before(state, middle, &entries[0])) {
        swap_entries(middle, &entries[0]);
    }
    if (is_before(state, last, middle)) {
        swap_entries(last, middle);
        if (is_before(state, middle, &entries[0])) {
            swap_entries(middle, &entries[0]);
        }
    }
    entry pivot = *middle;
    size_t low = 0;
    size_t high = count - 1;
    for (;;) {
        do {
            low++;
        } while (is_before(state, &entries[low], &pivot));
        do {
            high--;
        } while (is_before(state, &pivot, &entries[high]));
        if (low >= high) {
            *out_split = high + 1;
            return NQ_OK;
        }
        swap_entries(&entries[low], &entries[high]);
        if (++state->comparisons % NQ_BATCH_ROWS_MAX == 0) {
            NQ_TRY(nq_ctx_poll(ctx));
        }
    }
}

/* Recurses into the smaller side only, so the stack stays logarithmic. */
static nq_status sort_entries(nq_ctx *ctx, sort_state *state, entry *entries, size_t count,
                              uint32_t depth_left) {
    enum { INSERTION_MAX = 16 };
    while (count > INSERTION_MAX) {
        if (depth_left-- == 0) {
            return sort_by_heap(ctx, state, entries, count);
        }
        size_t split;
        NQ_TRY(nq_ctx_poll(ctx));
        NQ_TRY(partition(ctx, state, entries, count, &split));
        if (split < count - split) {
            NQ_TRY(sort_entries(ctx, state, entries, split, depth_left));
            entries += split;
            count -= split;
        } else {
            NQ_TRY(sort_entries(ctx, state, entries + split, count - split, depth_left));
            count = split;
        }
    }
    sort_by_insertion(state, entries, count);
    return NQ_OK;
}

static nq_status sort_all(nq_ctx *ctx, sort_state *state) {
    uint32_t depth = 0;
    for (uint32_t n = state->entry_count; n > 0; n >>= 1) {
        depth += 2;
    }
    return sort_entries(ctx, state, state->entries, state->entry_count, depth);
}

/* ---- Taking rows in ---- */

static nq_status reserve_entries(nq_ctx *ctx, nq_operator *op, uint32_t count) {
    sort_state *state = (sort_state *)op;
    uint32_t wanted = state->entry_count + count;
    if (wanted <= state->entry_capacity) {
        return NQ_OK;
    }
    uint32_t capacity = state->entry_capacity == 0 ? 16 : state->entry_capacity;
    while (capacity < wanted) {
        capacity *= 2;
    }
    entry *entries = nq_arena_alloc(op->execution->statement, capacity * sizeof(entry));
    if (entries == NULL) {
        return nq__fail_memory(ctx, op);
    }
    if (state->entry_count > 0) {
        memcpy(entries, state->entries, state->entry_count * sizeof(entry));
    }
    state->entries = entries;
    state->entry_capacity = capacity;
    return NQ_OK;
}

/* Top N is full: moves the better half to a store of its own, in order, and lets the old one go. */
static nq_status drop_worse_half(nq_ctx *ctx, nq_operator *op) {
    sort_state *state = (sort_state *)op;
    NQ_TRY(sort_all(ctx, state));
    uint32_t kept = (uint32_t)state->keep;
    nq_rows old = state->rows;
    nq_arena old_arena = state->kept_arena;
    old.arena = &old_arena;
    nq_arena_init(&state->kept_arena, old_arena.budget_bytes);
    nq_status status = NQ_OK;
    NQ_CHECK(open_rows(ctx, op));
    for (uint32_t first = 0; first < kept; first += NQ_BATCH_ROWS_MAX) {
        uint32_t count =
            kept - first < NQ_BATCH_ROWS_MAX ? kept - first : (uint32_t)NQ_BATCH_ROWS_MAX;
        for (uint32_t i = 0; i < count; i++) {
            state->ids[i] = state->entries[first + i].row;
            state->entries[first + i].row = first + i;
        }
        nq_gather whole; /* every input column, not only those handed on */
        if (!nq__gather_init(&whole, &op->bytes, state->types, state->rows.column_count) ||
            !nq__gather_reserve(&whole, count)) {
            NQ_CHECK(nq__fail_memory(ctx, op));
        }
        for (uint32_t c = 0; c < state->rows.column_count; c++) {
            nq__gather_rows(&whole, c, &old, c, state->ids, count);
        }
        bool has_room = nq__rows_append(&state->rows, whole.vectors, NULL, count);
        nq_arena_reset(&op->bytes);
        if (!has_room) {
            NQ_CHECK(nq__fail_memory(ctx, op));
        }
    }
    state->entry_count = kept;
    state->has_worst = kept > 0;
    state->worst = kept > 0 ? state->entries[kept - 1].image : 0;
done:
    nq_arena_deinit(&old_arena);
    return status;
}

static nq_status take_batch(nq_ctx *ctx, nq_operator *op, const nq_batch *batch) {
    sort_state *state = (sort_state *)op;
    const nq_plan_sort *plan = &op->plan->sort;
    const uint16_t *chosen = NULL;
    uint32_t count = batch->row_count;
    make_images(&plan->keys[0], &batch->columns[plan->keys[0].column], count, state->images);
    if (state->has_worst) {
        uint32_t kept = 0;
        for (uint32_t row = 0; row < count; row++) {
            state->chosen[kept] = (uint16_t)row;
            state->images[kept] = state->images[row];
            kept += state->images[row] <= state->worst;
        }
        chosen = state->chosen;
        count = kept;
    }
    NQ_TRY(reserve_entries(ctx, op, count));
    for (uint32_t i = 0; i < count; i++) {
        state->entries[state->entry_count + i] =
            (entry){.image = state->images[i], .row = state->rows.row_count + i};
    }
    if (!nq__rows_append(&state->rows, batch->columns, chosen, count)) {
        return nq__fail_memory(ctx, op);
    }
    state->entry_count += count;
    bool is_full =
        state->keep < UINT32_MAX / 4 && state->entry_count >= 2 * state->keep + NQ_BATCH_ROWS_MAX;
    return is_full ? drop_worse_half(ctx, op) : NQ_OK;
}

static nq_status fill(nq_ctx *ctx, nq_operator *op) {
    sort_state *state = (sort_state *)op;
    nq_batch batch;
    do {
        NQ_TRY(nq__pull(ctx, op->inputs[0], NQ_BATCH_ROWS_MAX, &batch));
        if (batch.row_count > 0) {
            NQ_TRY(take_batch(ctx, op, &batch));
        }
    } while (batch.row_count > 0);
    return sort_all(ctx, state);
}

static nq_status sort_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    sort_state *state = (sort_state *)op;
    if (!state->is_sorted) {
        if (state->keep > 0) {
            NQ_TRY(fill(ctx, op));
        }
        state->is_sorted = true;
    }
    uint64_t end = state->entry_count < state->keep ? state->entry_count : state->keep;
    if (state->next >= end) {
        return NQ_OK;
    }
    uint32_t count = end - state->next < rows_max ? (uint32_t)(end - state->next) : rows_max;
    for (uint32_t i = 0; i < count; i++) {
        state->ids[i] = state->entries[state->next + i].row;
    }
    state->next += count;
    if (!nq__gather_reserve(&state->gather, count)) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t c = 0; c < op->plan->column_count; c++) {
        nq__gather_rows(&state->gather, c, &state->rows, c, state->ids, count);
    }
    *out_batch = (nq_batch){count, op->plan->column_count, state->gather.vectors};
    return NQ_OK;
}

static void sort_close(nq_operator *op) {
    nq_arena_deinit(&((sort_state *)op)->kept_arena);
}

const nq_operator_ops nq__op_sort = {sizeof(sort_state), sort_open, sort_next, sort_close};
