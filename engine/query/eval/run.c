/* Running a program over one batch. */
#include "engine/query/eval/eval_internal.h"

/* Small for point queries; past that, a whole batch. */
enum { CAPACITY_SMALL = 16 };

static nq_status fail_memory(nq_ctx *ctx, const nq_program *p) {
    return nq_fail(ctx, NQ_MEMORY_LIMIT,
                   "out of memory for expressions: the statement's budget is %zu bytes",
                   p->arena->budget_bytes);
}

/* Buffers are zeroed: what a kernel reads in rows that nobody wrote is at least readable. */
static nq_status reserve(nq_ctx *ctx, nq_program *p, uint32_t row_count) {
    if (row_count <= p->capacity) {
        return NQ_OK;
    }
    uint32_t capacity = row_count <= CAPACITY_SMALL ? CAPACITY_SMALL : NQ_BATCH_ROWS_MAX;
    for (uint32_t i = 0; i < p->register_count; i++) {
        nq_register *r = &p->registers[i];
        if (r->kind == NQ_REGISTER_INPUT) {
            continue;
        }
        r->buffer.values = nq_arena_calloc(p->arena, capacity, nq_form_bytes(r->form));
        r->buffer.nulls = nq_arena_calloc(p->arena, capacity, 1);
        if (r->buffer.values == NULL || r->buffer.nulls == NULL) {
            return fail_memory(ctx, p);
        }
        r->vector.values = r->buffer.values;
        r->filled_rows = 0;
    }
    for (uint32_t i = 0; i < p->selection_count; i++) {
        p->selections[i].buffer = nq_arena_alloc(p->arena, capacity * sizeof(uint16_t));
        if (p->selections[i].buffer == NULL) {
            return fail_memory(ctx, p);
        }
    }
    p->not_null_rows = nq_arena_alloc(p->arena, capacity * sizeof(uint16_t));
    if (p->not_null_rows == NULL) {
        return fail_memory(ctx, p);
    }
    p->capacity = capacity;
    return NQ_OK;
}

/* A constant is spread over as many rows as batches have had so far. */
static nq_status run_constant(nq_ctx *ctx, nq_program *p, const nq_instruction *instruction,
                              uint32_t row_count) {
    nq_register *r = &p->registers[instruction->result];
    if (!r->has_value) {
        NQ_TRY(nq_expr_evaluate(ctx, p->arena, p->env, instruction->expr, NULL, &r->value));
        r->has_value = true;
    }
    for (uint32_t row = r->filled_rows; row < row_count; row++) {
        nq__buffer_set(&r->buffer, row, r->value);
    }
    r->filled_rows = row_count > r->filled_rows ? row_count : r->filled_rows;
    r->vector.nulls = r->value.is_null ? r->buffer.nulls : NULL;
    return NQ_OK;
}

/* Marks a row null in every argument-null row; false when no argument has a mask. */
static bool merge_nulls(nq_column_buffer *result, const nq_instruction *instruction,
                        const nq_selection *selection) {
    bool has_any = false;
    for (uint32_t a = 0; a < instruction->arg_count; a++) {
        const uint8_t *nulls = instruction->args[a]->nulls;
        if (nulls == NULL) {
            continue;
        }
        if (selection->rows != NULL) {
            for (uint32_t at = 0; at < selection->row_count; at++) {
                uint32_t row = selection->rows[at];
                result->nulls[row] = has_any ? result->nulls[row] | nulls[row] : nulls[row];
            }
        } else if (has_any) {
            for (uint32_t row = 0; row < selection->row_count; row++) {
                result->nulls[row] |= nulls[row];
            }
        } else {
            memcpy(result->nulls, nulls, selection->row_count);
        }
        has_any = true;
    }
    return has_any;
}

/* Keeps the rows that are not null, and leaves something readable in the others. */
static void skip_nulls(nq_program *p, nq_kernel_call *call, const nq_selection *selection) {
    nq_value null = NQ_VALUE_NULL(call->result.type.id);
    uint32_t count = 0;
    for (uint32_t at = 0; at < selection->row_count; at++) {
        uint32_t row = selection->rows == NULL ? at : selection->rows[at];
        if (call->result.nulls[row] != 0) {
            nq__buffer_set(&call->result, row, null);
        } else {
            p->not_null_rows[count++] = (uint16_t)row;
        }
    }
    if (count < selection->row_count) {
        call->rows = p->not_null_rows;
        call->row_count = count;
    }
}

static nq_status run_kernel(nq_ctx *ctx, nq_program *p, nq_arena *arena,
                            const nq_instruction *instruction, const nq_selection *selection) {
    bool is_cast = instruction->op == NQ_OP_CAST;
    uint32_t flags =
        is_cast ? (uint32_t)(NQ_FUNCTION_STRICT | NQ_FUNCTION_FAILS) : instruction->function->flags;
    nq_register *result = &p->registers[instruction->result];
    result->buffer.type = result->vector.type = instruction->type;
    nq_kernel_call call = {
        .ctx = ctx,
        .arena = arena,
        .env = p->env,
        .function = instruction->function,
        .args = instruction->args,
        .arg_count = instruction->arg_count,
        .row_count = selection->row_count,
        .rows = selection->rows,
        .result = result->buffer,
    };
    bool has_nulls = true;
    if ((flags & NQ_FUNCTION_STRICT) != 0) {
        has_nulls = merge_nulls(&result->buffer, instruction, selection);
        if (has_nulls && (flags & NQ_FUNCTION_FAILS) != 0) {
            skip_nulls(p, &call, selection);
        }
    }
    result->vector.nulls = has_nulls ? result->buffer.nulls : NULL;
    if (call.row_count == 0) {
        return NQ_OK;
    }
    return is_cast ? nq__kernel_cast(&call) : instruction->function->kernel(&call);
}

#define BLEND_ROWS(selection, to, from)                                        \
    do {                                                                       \
        if ((selection)->rows == NULL) {                                       \
            memcpy((to), (from), (selection)->row_count * sizeof *(to));       \
        } else {                                                               \
            for (uint32_t at_ = 0; at_ < (selection)->row_count; at_++) {      \
                (to)[(selection)->rows[at_]] = (from)[(selection)->rows[at_]]; \
            }                                                                  \
        }                                                                      \
    } while (0)

static void run_blend(nq_register *result, const nq_vector *from, const nq_selection *selection) {
    uint8_t *nulls = result->buffer.nulls;
    if (from->nulls != NULL) {
        BLEND_ROWS(selection, nulls, from->nulls);
    } else {
        for (uint32_t at = 0; at < selection->row_count; at++) {
            nulls[selection->rows == NULL ? at : selection->rows[at]] = 0;
        }
    }
    switch (result->form) {
    case NQ_FORM_BOOL:
        BLEND_ROWS(selection, result->buffer.booleans, from->booleans);
        break;
    case NQ_FORM_INT64:
        BLEND_ROWS(selection, result->buffer.integers, from->integers);
        break;
    case NQ_FORM_FLOAT64:
        BLEND_ROWS(selection, result->buffer.numbers, from->numbers);
        break;
    case NQ_FORM_BYTES:
        BLEND_ROWS(selection, result->buffer.bytes, from->bytes);
        break;
    }
}

static void run_blend_null(nq_register *result, const nq_instruction *instruction,
                           const nq_selection *selection) {
    nq_value null = NQ_VALUE_NULL(instruction->type.id);
    for (uint32_t at = 0; at < selection->row_count; at++) {
        nq__buffer_set(&result->buffer, selection->rows == NULL ? at : selection->rows[at], null);
    }
}

static void run_begin(nq_register *result, const nq_instruction *instruction, uint32_t row_count) {
    result->buffer.type = result->vector.type = instruction->type;
    result->vector.nulls = result->buffer.nulls;
    memset(result->buffer.nulls, 0, row_count);
}

/* A selection of every row of the one above stays as it was, so dense stays dense. */
static void select_into(nq_selection *target, const nq_selection *source,
                        const nq_instruction *instruction) {
    uint32_t count =
        nq__select_rows(instruction->args[0], instruction->test, source, target->buffer);
    target->batch_row_count = source->batch_row_count;
    if (count == source->row_count) {
        if (target != source) {
            target->rows = source->rows;
            target->row_count = count;
        }
        return;
    }
    target->rows = target->buffer;
    target->row_count = count;
}

/* Everything that yields a register; selections are run_program's. */
static nq_status run_one(nq_ctx *ctx, nq_program *p, nq_arena *arena, nq_instruction *instruction,
                         const nq_selection *selection, uint32_t row_count) {
    nq_register *result = &p->registers[instruction->result];
    switch (instruction->op) {
    case NQ_OP_CALL:
    case NQ_OP_CAST:
        return run_kernel(ctx, p, arena, instruction, selection);
    case NQ_OP_CONSTANT:
        return run_constant(ctx, p, instruction, row_count);
    case NQ_OP_IN:
        result->vector.type = instruction->type;
        return nq__run_in(ctx, p, instruction, selection);
    case NQ_OP_AND:
        nq__run_and(result, instruction->args[0], instruction->args[1], selection);
        break;
    case NQ_OP_OR:
        nq__run_or(result, instruction->args[0], instruction->args[1], selection);
        break;
    case NQ_OP_NOT:
        result->vector.type = instruction->type;
        nq__run_not(result, instruction->args[0], selection);
        break;
    case NQ_OP_IS_NULL:
    case NQ_OP_IS_TRUE:
    case NQ_OP_IS_FALSE:
        result->vector.type = instruction->type;
        nq__run_is(result, instruction->args[0], instruction, selection);
        break;
    case NQ_OP_BEGIN:
        run_begin(result, instruction, row_count);
        break;
    case NQ_OP_BLEND:
        run_blend(result, instruction->args[0], selection);
        break;
    default: /* NQ_OP_BLEND_NULL */
        run_blend_null(result, instruction, selection);
        break;
    }
    return NQ_OK;
}

static nq_status run_program(nq_ctx *ctx, nq_program *p, nq_arena *arena, uint32_t row_count) {
    uint32_t depth = 0;
    p->selections[0].rows = NULL;
    p->selections[0].row_count = row_count;
    p->selections[0].batch_row_count = row_count;
    for (uint32_t pc = 0; pc < p->instruction_count; pc++) {
        nq_instruction *instruction = &p->instructions[pc];
        nq_selection *selection = &p->selections[depth];
        switch (instruction->op) {
        case NQ_OP_PUSH:
            depth++;
            select_into(&p->selections[depth], selection, instruction);
            if (p->selections[depth].row_count == 0) {
                pc = instruction->target - 1;
            }
            break;
        case NQ_OP_NARROW:
            select_into(selection, selection, instruction);
            if (selection->row_count == 0) {
                pc = instruction->target - 1;
            }
            break;
        case NQ_OP_POP:
            depth--;
            break;
        default:
            NQ_TRY(run_one(ctx, p, arena, instruction, selection, row_count));
            break;
        }
    }
    return NQ_OK;
}

static nq_status run(nq_ctx *ctx, nq_program *p, nq_arena *arena, const nq_batch *input) {
    NQ_TRY(reserve(ctx, p, input->row_count));
    for (uint32_t i = 0; i < p->register_count; i++) {
        if (p->registers[i].kind == NQ_REGISTER_INPUT) {
            p->registers[i].vector = input->columns[p->registers[i].column];
        }
    }
    return input->row_count == 0 ? NQ_OK : run_program(ctx, p, arena, input->row_count);
}

nq_status nq_program_run(nq_ctx *ctx, nq_program *program, nq_arena *batch_arena,
                         const nq_batch *input, const nq_vector **out_columns) {
    *out_columns = NULL;
    NQ_TRY(run(ctx, program, batch_arena, input));
    for (uint32_t i = 0; i < program->result_count; i++) {
        program->results[i] = program->registers[program->result_registers[i]].vector;
        program->results[i].type = program->exprs[i]->type;
    }
    *out_columns = program->results;
    return NQ_OK;
}

nq_status nq_program_select(nq_ctx *ctx, nq_program *program, nq_arena *batch_arena,
                            const nq_batch *input, uint16_t *out_rows, uint32_t *out_row_count) {
    *out_row_count = 0;
    NQ_TRY(run(ctx, program, batch_arena, input));
    if (input->row_count > 0) {
        const nq_vector *condition = &program->registers[program->result_registers[0]].vector;
        *out_row_count =
            nq__select_rows(condition, NQ_TEST_TRUE, &program->selections[0], out_rows);
    }
    return NQ_OK;
}
