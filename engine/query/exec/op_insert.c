/* Insert: numbers serial columns, checks, stores, and deals with rows whose key exists.
 *
 * Rows for an empty table are gathered until it is known that they are many; then they are loaded
 * in bulk, those gathered first. Few are inserted one by one: a load costs a checkpoint.
 *
 * When the input reads the table itself it is read to its end first, so that no row is inserted
 * because another one was. ON CONFLICT DO UPDATE remembers the keys it has written: a second row
 * for one of them is an error, as its outcome would depend on the order. */
#include "engine/query/exec/hash_internal.h"
#include "engine/query/exec/write_internal.h"

enum {
    GATHERED_BYTES_MAX = 4 << 20,
    MEMORY_BYTES_MIN = 4 * GATHERED_BYTES_MAX, /* of a statement, to gather at all */
};

typedef struct insert_state {
    nq_operator base;
    nq_write write;
    bool reads_itself;
    bool gathers; /* to find out whether to load */
    bool is_loading;
    bool is_input_done;
    nq_rows collected; /* of one that reads itself, or gathers */
    nq_batch pulled;   /* comes after these; row_count 0: nothing */
    uint32_t next_collected;
    nq_vector *columns; /* the batch being inserted */
    int64_t **numbers;  /* of generated columns */
    /* ON CONFLICT DO UPDATE */
    nq_assigner assigner;
    nq_program *where;
    nq_row_decoder decoder;
    nq_batch_builder existing; /* the row in the way, its key last */
    nq_vector *both;           /* existing row, then the refused one */
    nq_vector *one_row;
    nq_row_set written; /* keys this statement has written */
} insert_state;

static bool reads_table(const nq_plan_node *node, const nq_table *table) {
    bool is_scan = node->kind == NQ_PLAN_SEQ_SCAN || node->kind == NQ_PLAN_KEY_LOOKUP ||
                   node->kind == NQ_PLAN_KEY_RANGE;
    if ((is_scan && node->scan.table == table) ||
        (node->kind == NQ_PLAN_KEY_JOIN && node->key_join.table == table)) {
        return true;
    }
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (reads_table(node->inputs[i], table)) {
            return true;
        }
    }
    return false;
}

static nq_status open_upsert(nq_ctx *ctx, nq_operator *op) {
    insert_state *state = (insert_state *)op;
    const nq_plan_insert *plan = &op->plan->insert;
    nq_arena *arena = op->execution->statement;
    uint32_t width = plan->table->definition.column_count;
    uint32_t *columns = nq_arena_calloc(arena, width + 1, sizeof(uint32_t));
    nq_type *types = nq_arena_calloc(arena, width + 1, sizeof(nq_type));
    const nq_expr **where = nq_arena_alloc(arena, sizeof(nq_expr *));
    state->both = nq_arena_calloc(arena, 2 * width + 1, sizeof(nq_vector));
    if (columns == NULL || types == NULL || where == NULL || state->both == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < width; i++) {
        columns[i] = i;
        types[i] = plan->table->column_types[i];
    }
    columns[width] = NQ_COLUMN_ROW_KEY;
    types[width] = NQ_TYPE(NQ_TYPE_BYTES);
    if (!nq__row_set_init(&state->written, arena, &types[width], 1)) {
        return nq__fail_memory(ctx, op);
    }
    NQ_TRY(
        nq_row_decoder_init(ctx, &state->decoder, arena, &plan->table->layout, columns, width + 1));
    NQ_TRY(nq_batch_builder_init(ctx, &state->existing, arena, &op->bytes, types, width + 1, 1));
    if (plan->conflict_where != NULL) {
        where[0] = plan->conflict_where;
        NQ_TRY(nq__compile(ctx, op, where, 1, &state->where));
    }
    return nq__assigner_open(ctx, op, &state->assigner, plan->table, plan->assignments,
                             plan->assignment_count);
}

static nq_status choose_gathering(nq_ctx *ctx, nq_operator *op) {
    insert_state *state = (insert_state *)op;
    const nq_plan_insert *plan = &op->plan->insert;
    if (!op->execution->may_load || state->reads_itself || plan->conflict != NQ_CONFLICT_FAIL ||
        op->execution->statement->budget_bytes < MEMORY_BYTES_MIN) {
        return NQ_OK;
    }
    nq_table_stats stats;
    NQ_TRY(nq_table_get_stats(ctx, op->execution->txn, plan->table, &stats));
    state->gathers = stats.row_count == 0;
    return NQ_OK;
}

static nq_status insert_open(nq_ctx *ctx, nq_operator *op) {
    insert_state *state = (insert_state *)op;
    const nq_plan_insert *plan = &op->plan->insert;
    nq_arena *arena = op->execution->statement;
    uint32_t width = plan->table->definition.column_count;
    state->columns = nq_arena_calloc(arena, width + 1, sizeof(nq_vector));
    state->one_row = nq_arena_calloc(arena, width + 1, sizeof(nq_vector));
    state->numbers = nq_arena_calloc(arena, plan->generated_column_count + 1, sizeof(int64_t *));
    if (state->columns == NULL || state->one_row == NULL || state->numbers == NULL) {
        return nq__fail_memory(ctx, op);
    }
    state->reads_itself = reads_table(op->inputs[0]->plan, plan->table);
    NQ_TRY(nq__write_open(ctx, op, &state->write, plan->table, plan->checks, plan->check_count,
                          &plan->returning));
    NQ_TRY(choose_gathering(ctx, op));
    if ((state->reads_itself || state->gathers) &&
        !nq__rows_init(&state->collected, arena, plan->table->column_types, width)) {
        return nq__fail_memory(ctx, op);
    }
    return plan->conflict == NQ_CONFLICT_UPDATE ? open_upsert(ctx, op) : NQ_OK;
}

/* ---- One batch ---- */

static nq_status pull_input(nq_ctx *ctx, nq_operator *op) {
    insert_state *state = (insert_state *)op;
    NQ_TRY(nq__pull(ctx, op->inputs[0], NQ_BATCH_ROWS_MAX, &state->pulled));
    state->is_input_done = state->pulled.row_count == 0;
    return NQ_OK;
}

static size_t bytes_of(const nq_batch *batch) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < batch->column_count; i++) {
        const nq_vector *vector = &batch->columns[i];
        nq_form form = nq_type_form(vector->type.id);
        bytes += batch->row_count * nq_form_bytes(form);
        for (uint32_t row = 0; form == NQ_FORM_BYTES && row < batch->row_count; row++) {
            bool is_null = vector->nulls != NULL && vector->nulls[row] != 0;
            bytes += is_null ? 0 : vector->bytes[row].size;
        }
    }
    return bytes;
}

/* Gathers rows until there are none, or so many that they are loaded if that can be. */
static nq_status gather(nq_ctx *ctx, nq_operator *op) {
    insert_state *state = (insert_state *)op;
    state->gathers = false;
    for (size_t bytes = 0;;) {
        NQ_TRY(pull_input(ctx, op));
        if (state->is_input_done) {
            return NQ_OK;
        }
        bytes += bytes_of(&state->pulled);
        if (bytes > GATHERED_BYTES_MAX) {
            return nq_table_writer_load(ctx, state->write.writer, &state->is_loading);
        }
        if (!nq__rows_append(&state->collected, state->pulled.columns, NULL,
                             state->pulled.row_count)) {
            return nq__fail_memory(ctx, op);
        }
    }
}

static nq_status fill_collected(nq_ctx *ctx, nq_operator *op) {
    insert_state *state = (insert_state *)op;
    if (state->gathers) {
        return gather(ctx, op);
    }
    if (state->reads_itself && !state->is_input_done) {
        state->is_input_done = true;
        return nq__collect(ctx, op, op->inputs[0], &state->collected);
    }
    return NQ_OK;
}

/* What was collected, then what was pulled already, then what the input still has. */
static nq_status next_batch(nq_ctx *ctx, nq_operator *op, nq_batch *out_batch) {
    insert_state *state = (insert_state *)op;
    uint32_t width = op->plan->insert.table->definition.column_count;
    *out_batch = (nq_batch){0, width, state->columns};
    NQ_TRY(nq_ctx_poll(ctx));
    NQ_TRY(fill_collected(ctx, op));
    if (state->next_collected < state->collected.row_count) {
        out_batch->row_count = nq__rows_window(&state->collected, state->next_collected,
                                               NQ_BATCH_ROWS_MAX, state->columns);
        state->next_collected += out_batch->row_count;
        return NQ_OK;
    }
    if (state->pulled.row_count == 0 && !state->is_input_done) {
        NQ_TRY(pull_input(ctx, op));
    }
    out_batch->row_count = state->pulled.row_count;
    if (out_batch->row_count > 0) {
        memcpy(state->columns, state->pulled.columns, width * sizeof(nq_vector));
        state->pulled.row_count = 0;
    }
    return NQ_OK;
}

/* Numbers the nulls of one generated column. */
static nq_status number_column(nq_ctx *ctx, nq_operator *op, uint32_t index, uint32_t row_count) {
    insert_state *state = (insert_state *)op;
    const nq_plan_insert *plan = &op->plan->insert;
    uint32_t column = plan->generated_columns[index];
    nq_vector *vector = &state->columns[column];
    uint32_t missing = 0;
    for (uint32_t row = 0; vector->nulls != NULL && row < row_count; row++) {
        missing += vector->nulls[row];
    }
    if (missing == 0) {
        return NQ_OK;
    }
    int64_t next;
    NQ_TRY(nq_data_txn_next_numbers(ctx, op->execution->txn, plan->table, column, missing, &next));
    if (state->numbers[index] == NULL) {
        state->numbers[index] =
            nq_arena_alloc(op->execution->statement, NQ_BATCH_ROWS_MAX * sizeof(int64_t));
        if (state->numbers[index] == NULL) {
            return nq__fail_memory(ctx, op);
        }
    }
    int64_t *numbers = state->numbers[index];
    for (uint32_t row = 0; row < row_count; row++) {
        numbers[row] = vector->nulls[row] != 0 ? next++ : vector->integers[row];
    }
    *vector = (nq_vector){.type = vector->type, .integers = numbers};
    return NQ_OK;
}

/* The rows first .. first + count of the batch, as stored, go to RETURNING. */
static nq_status return_rows(nq_ctx *ctx, nq_operator *op, const nq_batch *batch, uint32_t first,
                             uint32_t count) {
    insert_state *state = (insert_state *)op;
    op->execution->stats.rows_affected += count;
    if (state->write.returning_program == NULL || count == 0) {
        return NQ_OK;
    }
    nq_batch part = nq__write_one_row(batch, first, state->one_row);
    part.row_count = count;
    return nq__write_return(ctx, op, &state->write, &part);
}

static nq_status remember_key(nq_ctx *ctx, nq_operator *op, nq_bytes key, bool *out_is_new) {
    insert_state *state = (insert_state *)op;
    nq_vector vector = {.type = NQ_TYPE(NQ_TYPE_BYTES), .bytes = &key};
    uint32_t id;
    uint16_t fresh;
    uint32_t fresh_count;
    if (!nq__row_set_enter(&state->written, &vector, 1, &id, &fresh, &fresh_count)) {
        return nq__fail_memory(ctx, op);
    }
    *out_is_new = fresh_count == 1;
    return NQ_OK;
}

static nq_status passes_where(nq_ctx *ctx, nq_operator *op, const nq_batch *both,
                              bool *out_passes) {
    insert_state *state = (insert_state *)op;
    *out_passes = true;
    if (state->where == NULL) {
        return NQ_OK;
    }
    uint16_t row;
    uint32_t count;
    NQ_TRY(nq_program_select(ctx, state->where, &op->bytes, both, &row, &count));
    *out_passes = count == 1;
    return NQ_OK;
}

/* DO UPDATE: the row in the way takes the assigned values. */
static nq_status update_existing(nq_ctx *ctx, nq_operator *op, const nq_batch *batch,
                                 uint32_t row) {
    insert_state *state = (insert_state *)op;
    const nq_plan_insert *plan = &op->plan->insert;
    uint32_t width = plan->table->definition.column_count;
    bool is_found = false;
    bool is_new = false;
    bool passes = false;
    nq_bytes key = nq_table_writer_key(state->write.writer);
    nq_batch_builder_reset(&state->existing);
    NQ_TRY(nq_table_find_row(ctx, op->execution->txn, plan->table, key, &state->decoder,
                             &state->existing, &is_found));
    if (!is_found) { /* committed after this statement's snapshot */
        return nq_fail(ctx, NQ_WRITE_CONFLICT, "a concurrent transaction inserted the same key");
    }
    nq_batch existing = nq_batch_builder_batch(&state->existing);
    nq_bytes row_key = existing.columns[width].bytes[0];
    memcpy(state->both, existing.columns, width * sizeof(nq_vector));
    for (uint32_t c = 0; c < width; c++) {
        state->both[width + c] = nq__vector_slice(batch->columns[c], row);
    }
    nq_batch both = {1, 2 * width, state->both};
    NQ_TRY(remember_key(ctx, op, row_key, &is_new));
    if (!is_new) {
        return nq_fail(ctx, NQ_CARDINALITY_VIOLATION,
                       "ON CONFLICT DO UPDATE cannot affect a row a second time");
    }
    NQ_TRY(passes_where(ctx, op, &both, &passes));
    if (!passes) {
        return NQ_OK;
    }
    nq_batch changed;
    NQ_TRY(nq__assigner_run(ctx, op, &state->assigner, plan->table, &both, &changed));
    NQ_TRY(nq__write_check(ctx, op, &state->write, &changed));
    NQ_TRY(nq_table_writer_update(ctx, state->write.writer, row_key, &changed, 0, &is_found));
    return return_rows(ctx, op, &changed, 0, 1);
}

/* Row by row, so that each key is known. */
static nq_status upsert_batch(nq_ctx *ctx, nq_operator *op, const nq_batch *batch) {
    insert_state *state = (insert_state *)op;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        nq_batch upto = {row + 1, batch->column_count, batch->columns};
        uint32_t count;
        bool is_new;
        nq_status status = nq_table_writer_insert(ctx, state->write.writer, &upto, row, &count);
        if (status == NQ_UNIQUE_VIOLATION) {
            NQ_TRY(update_existing(ctx, op, batch, row));
            continue;
        }
        NQ_TRY(status);
        NQ_TRY(remember_key(ctx, op, nq_table_writer_key(state->write.writer), &is_new));
        NQ_TRY(return_rows(ctx, op, batch, row, 1));
    }
    return NQ_OK;
}

static nq_status insert_batch(nq_ctx *ctx, nq_operator *op, const nq_batch *batch) {
    insert_state *state = (insert_state *)op;
    const nq_plan_insert *plan = &op->plan->insert;
    if (plan->conflict == NQ_CONFLICT_UPDATE) {
        return upsert_batch(ctx, op, batch);
    }
    for (uint32_t first = 0; first < batch->row_count;) {
        uint32_t count;
        nq_status status = nq_table_writer_insert(ctx, state->write.writer, batch, first, &count);
        bool is_skipped = status == NQ_UNIQUE_VIOLATION && plan->conflict == NQ_CONFLICT_NOTHING;
        if (!is_skipped) {
            NQ_TRY(status);
        }
        NQ_TRY(return_rows(ctx, op, batch, first, count));
        first += count + is_skipped;
    }
    return NQ_OK;
}

static nq_status insert_all(nq_ctx *ctx, nq_operator *op) {
    insert_state *state = (insert_state *)op;
    for (;;) {
        nq_batch batch;
        nq_arena_reset(&op->bytes);
        NQ_TRY(next_batch(ctx, op, &batch));
        if (batch.row_count == 0) {
            return state->is_loading ? nq_table_writer_finish_load(ctx, state->write.writer)
                                     : NQ_OK;
        }
        for (uint32_t i = 0; i < op->plan->insert.generated_column_count; i++) {
            NQ_TRY(number_column(ctx, op, i, batch.row_count));
        }
        NQ_TRY(nq__write_check(ctx, op, &state->write, &batch));
        NQ_TRY(insert_batch(ctx, op, &batch));
    }
}

static nq_status insert_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    insert_state *state = (insert_state *)op;
    if (!state->write.is_finished) {
        NQ_TRY(insert_all(ctx, op));
        state->write.is_finished = true;
    }
    return nq__write_next(op, &state->write, rows_max, out_batch);
}

static void insert_close(nq_operator *op) {
    nq__write_close(&((insert_state *)op)->write);
}

const nq_operator_ops nq__op_insert = {sizeof(insert_state), insert_open, insert_next,
                                       insert_close};
