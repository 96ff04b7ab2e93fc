/* Aggregate: groups in a hash table, or, without keys, one row.
 *
 * One program yields the keys and every call's filter and arguments. Each row's group number leads
 * to its record, where the calls keep their states one after the other. Groups come out in the
 * order in which they first appeared; their number is that of their key's row in the store. */
#include "engine/query/eval/aggregate.h"
#include "engine/query/exec/exec_internal.h"
#include "engine/query/exec/hash_internal.h"

enum { STATE_ALIGNMENT = 16 };

typedef struct call_state {
    const nq_plan_aggregate_call *plan;
    size_t state_offset;
    uint32_t filter_column;   /* of the program's results; UINT32_MAX: none */
    uint32_t argument_column; /* the first */
    const nq_vector **args;
    nq_row_set *seen; /* DISTINCT: group number and arguments */
    nq_vector *seen_vectors;
} call_state;

typedef struct aggregate_state {
    nq_operator base;
    nq_program *program;
    call_state *calls;
    size_t record_bytes;
    uint8_t **slabs; /* of NQ_ROWS_CHUNK_ROWS records */
    uint32_t slab_count;
    uint32_t slab_capacity;
    uint32_t group_count;
    nq_row_set groups;
    nq_batch_builder builder;
    uint32_t next_group; /* to be handed out */
    bool is_filled;
    uint32_t ids[NQ_BATCH_ROWS_MAX];
    int64_t wide_ids[NQ_BATCH_ROWS_MAX];
    uint8_t *records[NQ_BATCH_ROWS_MAX];
    uint16_t fresh[NQ_BATCH_ROWS_MAX];
    uint16_t chosen[NQ_BATCH_ROWS_MAX];
} aggregate_state;

static bool has_keys(const nq_operator *op) {
    return op->plan->aggregate.keys.count > 0;
}

/* ---- Opening ---- */

/* An argument that may fail is evaluated only where the filter is true, as PostgreSQL does. */
static const nq_expr *guarded(nq_arena *arena, const nq_expr *filter, const nq_expr *arg) {
    if (filter == NULL || !arg->may_fail) {
        return arg;
    }
    return nq_expr_form(arena, NQ_EXPR_CASE, arg->type, false, (const nq_expr *[]){filter, arg}, 2);
}

static nq_status open_distinct(nq_ctx *ctx, nq_operator *op, call_state *call) {
    nq_arena *arena = op->execution->statement;
    uint32_t count = call->plan->args.count;
    nq_type *types = nq_arena_calloc(arena, count + 1, sizeof(nq_type));
    call->seen = nq_arena_calloc(arena, 1, sizeof(nq_row_set));
    call->seen_vectors = nq_arena_calloc(arena, count + 1, sizeof(nq_vector));
    if (types == NULL || call->seen == NULL || call->seen_vectors == NULL) {
        return nq__fail_memory(ctx, op);
    }
    types[0] = NQ_TYPE(NQ_TYPE_INT64);
    for (uint32_t i = 0; i < count; i++) {
        types[i + 1] = call->plan->args.items[i]->type;
    }
    return nq__row_set_init(call->seen, arena, types, count + 1) ? NQ_OK : nq__fail_memory(ctx, op);
}

/* Lays the call's state out in the record and its expressions in the program. */
static nq_status open_call(nq_ctx *ctx, nq_operator *op, call_state *call, const nq_expr **exprs,
                           uint32_t *expr_count) {
    aggregate_state *state = (aggregate_state *)op;
    nq_arena *arena = op->execution->statement;
    call->state_offset = state->record_bytes;
    size_t bytes = call->plan->function->aggregate->state_bytes;
    state->record_bytes += (bytes + STATE_ALIGNMENT - 1) / STATE_ALIGNMENT * STATE_ALIGNMENT;
    call->filter_column = UINT32_MAX;
    if (call->plan->filter != NULL) {
        call->filter_column = *expr_count;
        exprs[(*expr_count)++] = call->plan->filter;
    }
    call->argument_column = *expr_count;
    call->args = nq_arena_calloc(arena, call->plan->args.count + 1, sizeof(nq_vector *));
    for (uint32_t i = 0; i < call->plan->args.count; i++) {
        const nq_expr *arg = guarded(arena, call->plan->filter, call->plan->args.items[i]);
        if (arg == NULL) {
            return nq__fail_memory(ctx, op);
        }
        exprs[(*expr_count)++] = arg;
    }
    if (call->args == NULL) {
        return nq__fail_memory(ctx, op);
    }
    return call->plan->is_distinct ? open_distinct(ctx, op, call) : NQ_OK;
}

static nq_status open_program(nq_ctx *ctx, nq_operator *op) {
    aggregate_state *state = (aggregate_state *)op;
    const nq_plan_aggregate *plan = &op->plan->aggregate;
    nq_arena *arena = op->execution->statement;
    uint32_t room = plan->keys.count;
    for (uint32_t i = 0; i < plan->call_count; i++) {
        room += plan->calls[i].args.count + 1;
    }
    const nq_expr **exprs = nq_arena_calloc(arena, room + 1, sizeof(nq_expr *));
    state->calls = nq_arena_calloc(arena, plan->call_count + 1, sizeof(call_state));
    if (exprs == NULL || state->calls == NULL) {
        return nq__fail_memory(ctx, op);
    }
    uint32_t expr_count = plan->keys.count;
    if (expr_count > 0) {
        memcpy(exprs, plan->keys.items, expr_count * sizeof(nq_expr *));
    }
    for (uint32_t i = 0; i < plan->call_count; i++) {
        state->calls[i].plan = &plan->calls[i];
        NQ_TRY(open_call(ctx, op, &state->calls[i], exprs, &expr_count));
    }
    return nq__compile(ctx, op, exprs, expr_count, &state->program);
}

static nq_status add_slab(nq_ctx *ctx, nq_operator *op, uint32_t record_count) {
    aggregate_state *state = (aggregate_state *)op;
    nq_arena *arena = op->execution->statement;
    if (state->slab_count == state->slab_capacity) {
        uint32_t capacity = state->slab_capacity == 0 ? 4 : state->slab_capacity * 2;
        uint8_t **slabs = nq_arena_calloc(arena, capacity, sizeof(uint8_t *));
        if (slabs == NULL) {
            return nq__fail_memory(ctx, op);
        }
        if (state->slab_count > 0) {
            memcpy(slabs, state->slabs, state->slab_count * sizeof(uint8_t *));
        }
        state->slabs = slabs;
        state->slab_capacity = capacity;
    }
    uint8_t *slab = nq_arena_calloc(arena, record_count, state->record_bytes + 1);
    if (slab == NULL) {
        return nq__fail_memory(ctx, op);
    }
    state->slabs[state->slab_count++] = slab;
    return NQ_OK;
}

static nq_status aggregate_open(nq_ctx *ctx, nq_operator *op) {
    aggregate_state *state = (aggregate_state *)op;
    const nq_plan_node *plan = op->plan;
    nq_arena *arena = op->execution->statement;
    nq_type *types = nq_arena_calloc(arena, plan->column_count + 1, sizeof(nq_type));
    if (types == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < plan->column_count; i++) {
        types[i] = plan->columns[i].type;
    }
    NQ_TRY(open_program(ctx, op));
    if (has_keys(op)) {
        if (!nq__row_set_init(&state->groups, arena, types, plan->aggregate.keys.count)) {
            return nq__fail_memory(ctx, op);
        }
    } else {
        NQ_TRY(add_slab(ctx, op, 1));
        state->group_count = 1;
    }
    uint32_t capacity = has_keys(op) ? (uint32_t)NQ_BATCH_ROWS_MAX : 1;
    return nq_batch_builder_init(ctx, &state->builder, arena, NULL, types, plan->column_count,
                                 capacity);
}

/* ---- Taking rows in ---- */

static uint8_t *record_of(const aggregate_state *state, uint32_t group) {
    return state->slabs[group >> NQ_ROWS_CHUNK_SHIFT] +
           (size_t)(group & (NQ_ROWS_CHUNK_ROWS - 1)) * state->record_bytes;
}

static nq_status find_groups(nq_ctx *ctx, nq_operator *op, const nq_vector *keys, uint32_t count) {
    aggregate_state *state = (aggregate_state *)op;
    uint32_t fresh_count;
    if (!nq__row_set_enter(&state->groups, keys, count, state->ids, state->fresh, &fresh_count)) {
        return nq__fail_memory(ctx, op);
    }
    state->group_count = state->groups.rows.row_count;
    while (state->slab_count * NQ_ROWS_CHUNK_ROWS < state->group_count) {
        NQ_TRY(add_slab(ctx, op, NQ_ROWS_CHUNK_ROWS));
    }
    for (uint32_t i = 0; i < count; i++) {
        state->records[i] = record_of(state, state->ids[i]);
    }
    return NQ_OK;
}

/* Narrows the chosen rows to those whose group has not met these arguments. */
static nq_status choose_distinct(nq_ctx *ctx, nq_operator *op, call_state *call, uint32_t count,
                                 const uint16_t **rows, uint32_t *row_count) {
    aggregate_state *state = (aggregate_state *)op;
    for (uint32_t i = 0; i < count; i++) {
        state->wide_ids[i] = has_keys(op) ? state->ids[i] : 0;
    }
    call->seen_vectors[0] =
        (nq_vector){.type = NQ_TYPE(NQ_TYPE_INT64), .integers = state->wide_ids};
    for (uint32_t i = 0; i < call->plan->args.count; i++) {
        call->seen_vectors[i + 1] = *call->args[i];
    }
    nq_row_set *seen = call->seen;
    uint32_t kept = 0;
    nq__hash_vectors(call->seen_vectors, seen->rows.column_count, count, seen->hashes);
    for (uint32_t at = 0; at < *row_count; at++) {
        uint16_t row = *rows == NULL ? (uint16_t)at : (*rows)[at];
        uint64_t hash = seen->hashes[row];
        if (nq__hash_find(&seen->hash, &seen->rows, call->seen_vectors, row, hash) != NQ_ROW_NONE) {
            continue;
        }
        uint32_t id = seen->rows.row_count;
        if (!nq__rows_append(&seen->rows, call->seen_vectors, &row, 1) ||
            !nq__hash_insert(&seen->hash, hash, id)) {
            return nq__fail_memory(ctx, op);
        }
        state->chosen[kept++] = row; /* never ahead of `at`: may share the buffer */
    }
    *rows = state->chosen;
    *row_count = kept;
    return NQ_OK;
}

static uint32_t choose_filtered(const nq_vector *filter, uint32_t count, uint16_t *out_rows) {
    uint32_t kept = 0;
    for (uint32_t row = 0; row < count; row++) {
        bool is_null = filter->nulls != NULL && filter->nulls[row] != 0;
        out_rows[kept] = (uint16_t)row;
        kept += !is_null && filter->booleans[row] != 0;
    }
    return kept;
}

static nq_status update_call(nq_ctx *ctx, nq_operator *op, call_state *call,
                             const nq_vector *columns, uint32_t count) {
    aggregate_state *state = (aggregate_state *)op;
    const uint16_t *rows = NULL;
    uint32_t row_count = count;
    for (uint32_t i = 0; i < call->plan->args.count; i++) {
        call->args[i] = &columns[call->argument_column + i];
    }
    if (call->filter_column != UINT32_MAX) {
        row_count = choose_filtered(&columns[call->filter_column], count, state->chosen);
        rows = state->chosen;
    }
    if (call->plan->is_distinct) {
        NQ_TRY(choose_distinct(ctx, op, call, count, &rows, &row_count));
    }
    if (row_count == 0) {
        return NQ_OK;
    }
    nq_aggregate_call update = {
        .ctx = ctx,
        .arena = op->execution->statement,
        .args = call->args,
        .row_count = row_count,
        .rows = rows,
        .records = has_keys(op) ? state->records : NULL,
        .record = has_keys(op) ? NULL : state->slabs[0],
        .state_offset = call->state_offset,
    };
    return call->plan->function->aggregate->update(&update);
}

static nq_status fill(nq_ctx *ctx, nq_operator *op) {
    aggregate_state *state = (aggregate_state *)op;
    for (;;) {
        nq_batch batch;
        const nq_vector *columns;
        nq_arena_reset(&op->bytes);
        NQ_TRY(nq__pull(ctx, op->inputs[0], NQ_BATCH_ROWS_MAX, &batch));
        if (batch.row_count == 0) {
            return NQ_OK;
        }
        NQ_TRY(nq_program_run(ctx, state->program, &op->bytes, &batch, &columns));
        if (has_keys(op)) {
            NQ_TRY(find_groups(ctx, op, columns, batch.row_count));
        }
        for (uint32_t i = 0; i < op->plan->aggregate.call_count; i++) {
            NQ_TRY(update_call(ctx, op, &state->calls[i], columns, batch.row_count));
        }
    }
}

/* ---- Handing groups out ---- */

static nq_status finish_group(nq_ctx *ctx, nq_operator *op, uint32_t group) {
    aggregate_state *state = (aggregate_state *)op;
    uint32_t key_count = op->plan->aggregate.keys.count;
    for (uint32_t k = 0; k < key_count; k++) {
        nq_value key = nq__rows_value(&state->groups.rows, k, group);
        NQ_TRY(nq_batch_builder_set(ctx, &state->builder, k, key));
    }
    for (uint32_t i = 0; i < op->plan->aggregate.call_count; i++) {
        const call_state *call = &state->calls[i];
        const uint8_t *record = record_of(state, group);
        nq_value value;
        NQ_TRY(call->plan->function->aggregate->finish(ctx, record + call->state_offset, &value));
        value.type = call->plan->type.id;
        NQ_TRY(nq_batch_builder_set(ctx, &state->builder, key_count + i, value));
    }
    state->builder.row_count++;
    return NQ_OK;
}

static nq_status aggregate_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max,
                                nq_batch *out_batch) {
    aggregate_state *state = (aggregate_state *)op;
    if (!state->is_filled) {
        NQ_TRY(fill(ctx, op));
        state->is_filled = true;
    }
    nq_batch_builder_reset(&state->builder);
    while (state->next_group < state->group_count && state->builder.row_count < rows_max &&
           !nq_batch_builder_is_full(&state->builder)) {
        NQ_TRY(finish_group(ctx, op, state->next_group));
        state->next_group++;
    }
    *out_batch = nq_batch_builder_batch(&state->builder);
    return NQ_OK;
}

const nq_operator_ops nq__op_aggregate = {sizeof(aggregate_state), aggregate_open, aggregate_next,
                                          NULL};
