/* Set operations. UNION ALL hands its inputs on one after the other. INTERSECT and EXCEPT count the
 * right input's rows by content first, then stream the left: each left row uses up one count.
 *
 *                      INTERSECT          INTERSECT ALL       EXCEPT              EXCEPT ALL
 *     left row, count  kept once if > 0   kept while > 0      kept once if 0      kept when used up
 */
#include "engine/query/exec/exec_internal.h"
#include "engine/query/exec/hash_internal.h"

typedef struct set_state {
    nq_operator base;
    uint32_t input; /* UNION ALL: the one being read */
    nq_row_set rows;
    uint32_t *counts;  /* by row of `rows`: right rows not used up */
    uint8_t *returned; /* by row of `rows` */
    uint32_t capacity;
    bool has_right;
    nq_gather gather;
    uint32_t ids[NQ_BATCH_ROWS_MAX];
    uint16_t fresh[NQ_BATCH_ROWS_MAX];
} set_state;

static nq_status set_open(nq_ctx *ctx, nq_operator *op) {
    set_state *state = (set_state *)op;
    const nq_plan_node *plan = op->plan;
    nq_arena *arena = op->execution->statement;
    if (plan->set.kind == NQ_SET_UNION_ALL) {
        return NQ_OK;
    }
    nq_type *types = nq_arena_calloc(arena, plan->column_count + 1, sizeof(nq_type));
    if (types == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < plan->column_count; i++) {
        types[i] = plan->columns[i].type;
    }
    bool is_ready = nq__row_set_init(&state->rows, arena, types, plan->column_count) &&
                    nq__gather_init(&state->gather, arena, types, plan->column_count);
    return is_ready ? NQ_OK : nq__fail_memory(ctx, op);
}

static nq_status union_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    set_state *state = (set_state *)op;
    for (; state->input < op->plan->input_count; state->input++) {
        NQ_TRY(nq__pull(ctx, op->inputs[state->input], rows_max, out_batch));
        if (out_batch->row_count > 0) {
            return NQ_OK;
        }
    }
    return NQ_OK;
}

/* Numbers the batch's rows in `ids`, with counts and marks for the new ones. */
static nq_status enter(nq_ctx *ctx, nq_operator *op, const nq_batch *batch) {
    set_state *state = (set_state *)op;
    nq_arena *arena = op->execution->statement;
    uint32_t known = state->rows.rows.row_count;
    uint32_t fresh_count;
    if (!nq__row_set_enter(&state->rows, batch->columns, batch->row_count, state->ids, state->fresh,
                           &fresh_count)) {
        return nq__fail_memory(ctx, op);
    }
    uint32_t count = state->rows.rows.row_count;
    if (count > state->capacity) {
        uint32_t capacity =
            state->capacity == 0 ? (uint32_t)NQ_BATCH_ROWS_MAX : state->capacity * 2;
        uint32_t *counts = nq_arena_calloc(arena, capacity, sizeof(uint32_t));
        uint8_t *returned = nq_arena_calloc(arena, capacity, 1);
        if (counts == NULL || returned == NULL) {
            return nq__fail_memory(ctx, op);
        }
        if (known > 0) {
            memcpy(counts, state->counts, known * sizeof(uint32_t));
            memcpy(returned, state->returned, known);
        }
        state->counts = counts;
        state->returned = returned;
        state->capacity = capacity;
    }
    return NQ_OK;
}

static nq_status read_right(nq_ctx *ctx, nq_operator *op) {
    set_state *state = (set_state *)op;
    for (;;) {
        nq_batch batch;
        NQ_TRY(nq__pull(ctx, op->inputs[1], NQ_BATCH_ROWS_MAX, &batch));
        if (batch.row_count == 0) {
            state->has_right = true;
            return NQ_OK;
        }
        NQ_TRY(enter(ctx, op, &batch));
        for (uint32_t i = 0; i < batch.row_count; i++) {
            state->counts[state->ids[i]]++;
        }
    }
}

static bool is_kept(set_state *state, nq_set_kind kind, uint32_t id) {
    bool is_right = state->counts[id] > 0;
    bool is_all = kind == NQ_SET_INTERSECT_ALL || kind == NQ_SET_EXCEPT_ALL;
    bool wants_right = kind == NQ_SET_INTERSECT || kind == NQ_SET_INTERSECT_ALL;
    if (is_all) {
        state->counts[id] -= is_right;
        return is_right == wants_right;
    }
    if (is_right != wants_right || state->returned[id] != 0) {
        return false;
    }
    state->returned[id] = 1;
    return true;
}

static nq_status set_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    set_state *state = (set_state *)op;
    if (op->plan->set.kind == NQ_SET_UNION_ALL) {
        return union_next(ctx, op, rows_max, out_batch);
    }
    if (!state->has_right) {
        NQ_TRY(read_right(ctx, op));
    }
    nq_batch batch;
    uint32_t count = 0;
    do {
        NQ_TRY(nq__pull(ctx, op->inputs[0], rows_max, &batch));
        NQ_TRY(enter(ctx, op, &batch));
        for (uint32_t i = 0; i < batch.row_count; i++) {
            state->fresh[count] = (uint16_t)i;
            count += is_kept(state, op->plan->set.kind, state->ids[i]);
        }
    } while (batch.row_count > 0 && count == 0);
    if (!nq__gather_reserve(&state->gather, count)) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t c = 0; c < op->plan->column_count && count > 0; c++) {
        nq__gather_vector(&state->gather, c, &batch.columns[c], state->fresh, count);
    }
    *out_batch = (nq_batch){count, op->plan->column_count, state->gather.vectors};
    return NQ_OK;
}

const nq_operator_ops nq__op_set = {sizeof(set_state), set_open, set_next, NULL};
