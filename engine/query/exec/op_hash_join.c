/* Hash join: the right input goes into a hash table by its keys, the left looks its own up.
 *
 * Distinct keys stand in a row set; the rows of one key form a chain in the order in which they
 * came. A key with a null is equal to nothing: its row is kept only where FULL must return it. */
#include "engine/query/exec/hash_internal.h"
#include "engine/query/exec/join_internal.h"

typedef struct hash_join_state {
    nq_operator base;
    nq_join join;
    nq_rows right;
    nq_row_set keys;
    uint32_t *first_row; /* by key */
    uint32_t *last_row;  /* by key */
    uint32_t *next_row;  /* by right row: the next with the same key, or NQ_ROW_NONE */
    uint32_t key_capacity;
    uint32_t row_capacity;
    nq_program *left_keys;
    nq_program *right_keys;
    nq_arena left_bytes; /* text of left's keys: as long as its batch */
    const nq_vector *left_key_vectors;
    bool has_right;
    bool right_has_null; /* ANTI_IN: then no left row is certain to be absent */
    bool is_left_over;
    uint32_t left_row;
    uint32_t right_row; /* the next of left_row's chain; NQ_ROW_NONE: close it */
    bool in_chain;
    uint32_t unmatched;
    uint64_t hashes[NQ_BATCH_ROWS_MAX];
    uint16_t keyed[NQ_BATCH_ROWS_MAX]; /* rows without a null key */
} hash_join_state;

static nq_status hash_join_open(nq_ctx *ctx, nq_operator *op) {
    hash_join_state *state = (hash_join_state *)op;
    const nq_plan_join *plan = &op->plan->join;
    const nq_plan_node *right = op->inputs[1]->plan;
    nq_arena *arena = op->execution->statement;
    nq_arena_init(&state->left_bytes, arena->budget_bytes);
    uint32_t key_count = plan->right_keys.count;
    nq_type *types = nq_arena_calloc(arena, right->column_count + 1, sizeof(nq_type));
    nq_type *key_types = nq_arena_calloc(arena, key_count + 1, sizeof(nq_type));
    if (types == NULL || key_types == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < right->column_count; i++) {
        types[i] = right->columns[i].type;
    }
    for (uint32_t i = 0; i < key_count; i++) {
        key_types[i] = plan->right_keys.items[i]->type;
    }
    if (!nq__rows_init(&state->right, arena, types, right->column_count) ||
        !nq__row_set_init(&state->keys, arena, key_types, key_count)) {
        return nq__fail_memory(ctx, op);
    }
    state->join.right = &state->right;
    NQ_TRY(nq__compile(ctx, op, plan->left_keys.items, key_count, &state->left_keys));
    NQ_TRY(nq__compile(ctx, op, plan->right_keys.items, key_count, &state->right_keys));
    return nq__join_open(ctx, op, &state->join, plan->kind, right->columns, right->column_count,
                         plan->condition);
}

/* ---- Building ---- */

static nq_status grow(nq_ctx *ctx, nq_operator *op, uint32_t **array, uint32_t used,
                      uint32_t capacity) {
    uint32_t *bigger = nq_arena_alloc(op->execution->statement, capacity * sizeof(uint32_t));
    if (bigger == NULL) {
        return nq__fail_memory(ctx, op);
    }
    if (used > 0) {
        memcpy(bigger, *array, used * sizeof(uint32_t));
    }
    *array = bigger;
    return NQ_OK;
}

static uint32_t capacity_for(uint32_t capacity, uint32_t wanted) {
    capacity = capacity == 0 ? 64 : capacity;
    while (capacity < wanted) {
        capacity *= 2;
    }
    return capacity;
}

static nq_status reserve(nq_ctx *ctx, nq_operator *op, uint32_t keys, uint32_t rows,
                         uint32_t old_keys, uint32_t old_rows) {
    hash_join_state *state = (hash_join_state *)op;
    if (keys > state->key_capacity) {
        state->key_capacity = capacity_for(state->key_capacity, keys);
        NQ_TRY(grow(ctx, op, &state->first_row, old_keys, state->key_capacity));
        NQ_TRY(grow(ctx, op, &state->last_row, old_keys, state->key_capacity));
    }
    if (rows > state->row_capacity) {
        state->row_capacity = capacity_for(state->row_capacity, rows);
        NQ_TRY(grow(ctx, op, &state->next_row, old_rows, state->row_capacity));
    }
    return NQ_OK;
}

/* The rows of a batch whose keys hold no null. */
static uint32_t find_keyed(const nq_vector *keys, uint32_t key_count, uint32_t row_count,
                           uint16_t *out_rows) {
    uint32_t count = 0;
    for (uint32_t row = 0; row < row_count; row++) {
        uint8_t has_null = 0;
        for (uint32_t k = 0; k < key_count; k++) {
            has_null |= keys[k].nulls == NULL ? 0 : keys[k].nulls[row];
        }
        out_rows[count] = (uint16_t)row;
        count += has_null == 0;
    }
    return count;
}

/* Numbers the key of one row, entering it if it is new. */
static nq_status enter_key(nq_ctx *ctx, nq_operator *op, const nq_vector *keys, uint16_t row,
                           uint64_t hash, uint32_t *out_id) {
    nq_row_set *set = &((hash_join_state *)op)->keys;
    *out_id = nq__hash_find(&set->hash, &set->rows, keys, row, hash);
    if (*out_id != NQ_ROW_NONE) {
        return NQ_OK;
    }
    *out_id = set->rows.row_count;
    bool has_room =
        nq__rows_append(&set->rows, keys, &row, 1) && nq__hash_insert(&set->hash, hash, *out_id);
    return has_room ? NQ_OK : nq__fail_memory(ctx, op);
}

static nq_status build_batch(nq_ctx *ctx, nq_operator *op, const nq_batch *batch) {
    hash_join_state *state = (hash_join_state *)op;
    uint32_t key_count = op->plan->join.right_keys.count;
    const nq_vector *keys;
    nq_arena_reset(&op->bytes);
    NQ_TRY(nq_program_run(ctx, state->right_keys, &op->bytes, batch, &keys));
    uint32_t keyed_count = find_keyed(keys, key_count, batch->row_count, state->keyed);
    state->right_has_null |= keyed_count < batch->row_count;
    bool keeps_all = state->join.kind == NQ_JOIN_FULL;
    uint32_t first = state->right.row_count;
    uint32_t stored = keeps_all ? batch->row_count : keyed_count;
    uint32_t old_keys = state->keys.rows.row_count;
    if (!nq__rows_append(&state->right, batch->columns, keeps_all ? NULL : state->keyed, stored)) {
        return nq__fail_memory(ctx, op);
    }
    NQ_TRY(reserve(ctx, op, old_keys + keyed_count, first + stored, old_keys, first));
    nq__hash_vectors(keys, key_count, batch->row_count, state->hashes);
    for (uint32_t i = 0; i < keyed_count; i++) {
        uint16_t row = state->keyed[i];
        uint32_t right_row = first + (keeps_all ? row : i);
        uint32_t known = state->keys.rows.row_count;
        uint32_t id;
        NQ_TRY(enter_key(ctx, op, keys, row, state->hashes[row], &id));
        if (id == known) {
            state->first_row[id] = right_row;
        } else {
            state->next_row[state->last_row[id]] = right_row;
        }
        state->last_row[id] = right_row;
        state->next_row[right_row] = NQ_ROW_NONE;
    }
    return NQ_OK;
}

static nq_status build(nq_ctx *ctx, nq_operator *op) {
    hash_join_state *state = (hash_join_state *)op;
    nq_batch batch;
    do {
        NQ_TRY(nq__pull(ctx, op->inputs[1], NQ_BATCH_ROWS_MAX, &batch));
        if (batch.row_count > 0) {
            NQ_TRY(build_batch(ctx, op, &batch));
        }
    } while (batch.row_count > 0);
    if (state->join.kind == NQ_JOIN_FULL) {
        state->join.right_matched =
            nq_arena_calloc(op->execution->statement, state->right.row_count + 1, 1);
        if (state->join.right_matched == NULL) {
            return nq__fail_memory(ctx, op);
        }
    }
    state->has_right = true;
    return NQ_OK;
}

/* ---- Probing ---- */

static nq_status start_left(nq_ctx *ctx, nq_operator *op) {
    hash_join_state *state = (hash_join_state *)op;
    uint32_t key_count = op->plan->join.left_keys.count;
    nq_batch left;
    NQ_TRY(nq__pull(ctx, op->inputs[0], NQ_BATCH_ROWS_MAX, &left));
    state->is_left_over = left.row_count == 0;
    state->left_row = 0;
    state->in_chain = false;
    nq__join_start(&state->join, &left);
    if (left.row_count == 0) {
        return NQ_OK;
    }
    nq_arena_reset(&state->left_bytes);
    NQ_TRY(
        nq_program_run(ctx, state->left_keys, &state->left_bytes, &left, &state->left_key_vectors));
    nq__hash_vectors(state->left_key_vectors, key_count, left.row_count, state->hashes);
    return NQ_OK;
}

static bool has_null_key(const hash_join_state *state, uint32_t row) {
    for (uint32_t k = 0; k < state->keys.rows.column_count; k++) {
        const nq_vector *key = &state->left_key_vectors[k];
        if (key->nulls != NULL && key->nulls[row] != 0) {
            return true;
        }
    }
    return false;
}

static uint32_t first_match(const hash_join_state *state, uint32_t row) {
    if (has_null_key(state, row)) {
        return NQ_ROW_NONE;
    }
    uint32_t id = nq__hash_find(&state->keys.hash, &state->keys.rows, state->left_key_vectors, row,
                                state->hashes[row]);
    return id == NQ_ROW_NONE ? NQ_ROW_NONE : state->first_row[id];
}

/* NOT IN is unknown, and so not true, when a null stands on either side of a comparison. */
static bool is_unknown(const hash_join_state *state, uint32_t row) {
    bool right_is_empty = state->right.row_count == 0 && !state->right_has_null;
    return state->join.kind == NQ_JOIN_ANTI_IN && !right_is_empty &&
           (state->right_has_null || has_null_key(state, row));
}

static void propose(hash_join_state *state, uint32_t rows_max) {
    nq_join *join = &state->join;
    while (state->left_row < join->left.row_count && join->candidate_count < rows_max) {
        if (!state->in_chain) {
            if (is_unknown(state, state->left_row)) {
                state->left_row++;
                continue;
            }
            state->right_row = first_match(state, state->left_row);
            state->in_chain = true;
        }
        nq__join_propose(join, state->left_row, state->right_row);
        if (state->right_row == NQ_ROW_NONE) {
            state->left_row++;
            state->in_chain = false;
        } else {
            state->right_row = state->next_row[state->right_row];
        }
    }
}

static nq_status hash_join_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max,
                                nq_batch *out_batch) {
    hash_join_state *state = (hash_join_state *)op;
    if (!state->has_right) {
        NQ_TRY(build(ctx, op));
    }
    while (!state->is_left_over) {
        if (state->left_row >= state->join.left.row_count) {
            NQ_TRY(start_left(ctx, op));
        }
        NQ_TRY(nq_ctx_poll(ctx));
        propose(state, rows_max);
        NQ_TRY(nq__join_emit(ctx, op, &state->join, out_batch));
        if (out_batch->row_count > 0) {
            return NQ_OK;
        }
    }
    if (state->join.kind != NQ_JOIN_FULL) {
        return NQ_OK;
    }
    return nq__join_emit_unmatched(ctx, op, &state->join, &state->unmatched, rows_max, out_batch);
}

static void hash_join_close(nq_operator *op) {
    nq_arena_deinit(&((hash_join_state *)op)->left_bytes);
}

const nq_operator_ops nq__op_hash_join = {sizeof(hash_join_state), hash_join_open, hash_join_next,
                                          hash_join_close};
