/* Compiling: a tree becomes instructions in the order in which it is evaluated.
 *
 * Registers are taken and given back like a stack, so a long expression needs few. Selections nest:
 * PUSH narrows to the rows that need an operand, POP returns to those before. A conjunct that
 * cannot fail is evaluated for all rows at once, which is cheaper than choosing them. */
#include "engine/query/eval/eval_internal.h"

typedef struct compiler {
    nq_ctx *ctx;
    nq_arena *arena;
    nq_program *program;
    uint32_t register_capacity;
    uint32_t instruction_capacity;
    uint32_t depth; /* of selections now */
} compiler;

static nq_status compile(compiler *c, const nq_expr *expr, uint32_t *out_register);

static nq_status fail_memory(compiler *c) {
    return nq_fail(c->ctx, NQ_MEMORY_LIMIT,
                   "out of memory for expressions: the statement's budget is %zu bytes",
                   c->arena->budget_bytes);
}

/* Doubles an array that is full; the old one stays in the arena. */
static nq_status grow(compiler *c, void **array, uint32_t count, uint32_t *capacity, size_t bytes) {
    enum { CAPACITY_MIN = 8 };
    if (count < *capacity) {
        return NQ_OK;
    }
    uint32_t wanted = *capacity == 0 ? CAPACITY_MIN : *capacity * 2;
    void *bigger = nq_arena_calloc(c->arena, wanted, bytes);
    if (bigger == NULL) {
        return fail_memory(c);
    }
    if (count > 0) {
        memcpy(bigger, *array, count * bytes);
    }
    *array = bigger;
    *capacity = wanted;
    return NQ_OK;
}

static nq_status new_register(compiler *c, nq_register_kind kind, nq_type type,
                              uint32_t *out_register) {
    nq_program *p = c->program;
    void *registers = p->registers;
    NQ_TRY(grow(c, &registers, p->register_count, &c->register_capacity, sizeof(nq_register)));
    p->registers = registers;
    *out_register = p->register_count++;
    p->registers[*out_register] = (nq_register){
        .kind = kind, .form = nq_type_form(type.id), .vector.type = type, .buffer.type = type};
    return NQ_OK;
}

static nq_status take_temporary(compiler *c, nq_type type, uint32_t *out_register) {
    nq_form form = nq_type_form(type.id);
    for (uint32_t i = 0; i < c->program->register_count; i++) {
        nq_register *r = &c->program->registers[i];
        if (r->is_free && r->form == form) {
            r->is_free = false;
            *out_register = i;
            return NQ_OK;
        }
    }
    return new_register(c, NQ_REGISTER_TEMPORARY, type, out_register);
}

static void give_back(compiler *c, uint32_t index) {
    nq_register *r = &c->program->registers[index];
    r->is_free = r->kind == NQ_REGISTER_TEMPORARY;
}

static nq_status emit(compiler *c, nq_instruction instruction, const uint32_t *args,
                      uint32_t arg_count, uint32_t *out_index) {
    nq_program *p = c->program;
    void *instructions = p->instructions;
    NQ_TRY(grow(c, &instructions, p->instruction_count, &c->instruction_capacity,
                sizeof(nq_instruction)));
    p->instructions = instructions;
    instruction.arg_count = arg_count;
    if (arg_count > 0) {
        instruction.arg_registers = nq_arena_alloc(c->arena, arg_count * sizeof(uint32_t));
        instruction.args = nq_arena_alloc(c->arena, arg_count * sizeof(nq_vector *));
        if (instruction.arg_registers == NULL || instruction.args == NULL) {
            return fail_memory(c);
        }
        memcpy(instruction.arg_registers, args, arg_count * sizeof(uint32_t));
    }
    if (out_index != NULL) {
        *out_index = p->instruction_count;
    }
    p->instructions[p->instruction_count++] = instruction;
    return NQ_OK;
}

static nq_status push(compiler *c, nq_row_test test, uint32_t on, uint32_t *out_index) {
    c->depth++;
    if (c->depth >= c->program->selection_count) {
        c->program->selection_count = c->depth + 1;
    }
    return emit(c, (nq_instruction){.op = NQ_OP_PUSH, .test = test}, &on, 1, out_index);
}

/* Jumps of `from` come here, to the POP that undoes their selection. */
static nq_status pop(compiler *c, uint32_t from) {
    c->depth--;
    c->program->instructions[from].target = c->program->instruction_count;
    return emit(c, (nq_instruction){.op = NQ_OP_POP}, NULL, 0, NULL);
}

static nq_status compile_column(compiler *c, const nq_expr *expr, uint32_t *out_register) {
    for (uint32_t i = 0; i < c->program->register_count; i++) {
        nq_register *r = &c->program->registers[i];
        if (r->kind == NQ_REGISTER_INPUT && r->column == expr->index) {
            *out_register = i;
            return NQ_OK;
        }
    }
    NQ_TRY(new_register(c, NQ_REGISTER_INPUT, expr->type, out_register));
    c->program->registers[*out_register].column = expr->index;
    return NQ_OK;
}

static nq_status compile_constant(compiler *c, const nq_expr *expr, uint32_t *out_register) {
    NQ_TRY(new_register(c, NQ_REGISTER_CONSTANT, expr->type, out_register));
    return emit(
        c,
        (nq_instruction){
            .op = NQ_OP_CONSTANT, .type = expr->type, .result = *out_register, .expr = expr},
        NULL, 0, NULL);
}

static nq_status compile_args(compiler *c, const nq_expr *expr, nq_instruction instruction,
                              uint32_t *out_register) {
    uint32_t args[NQ_FUNCTION_ARGUMENTS_MAX];
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        NQ_TRY(compile(c, expr->args[i], &args[i]));
    }
    NQ_TRY(take_temporary(c, expr->type, out_register));
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        give_back(c, args[i]);
    }
    instruction.result = *out_register;
    instruction.type = expr->type;
    instruction.expr = expr;
    return emit(c, instruction, args, expr->arg_count, NULL);
}

static nq_status compile_cast(compiler *c, const nq_expr *expr, uint32_t *out_register) {
    if (nq__cast_is_free(expr->args[0]->type, expr->type)) {
        return compile(c, expr->args[0], out_register);
    }
    return compile_args(c, expr, (nq_instruction){.op = NQ_OP_CAST}, out_register);
}

/* Choosing rows costs about as much as two cheap operations over all of them. */
static bool needs_guard(const nq_expr *expr) {
    if (expr->may_fail || expr->is_volatile || nq_type_form(expr->type.id) == NQ_FORM_BYTES ||
        expr->arg_count > 3) {
        return true;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (needs_guard(expr->args[i])) {
            return true;
        }
    }
    return false;
}

/* A register of our own that holds operand `from`, so that it can be written piecemeal. */
static nq_status own(compiler *c, uint32_t from, nq_type type, uint32_t *out_register) {
    if (c->program->registers[from].kind == NQ_REGISTER_TEMPORARY) {
        *out_register = from;
        return NQ_OK;
    }
    NQ_TRY(take_temporary(c, type, out_register));
    NQ_TRY(emit(c, (nq_instruction){.op = NQ_OP_BEGIN, .type = type, .result = *out_register}, NULL,
                0, NULL));
    return emit(c, (nq_instruction){.op = NQ_OP_BLEND, .type = type, .result = *out_register},
                &from, 1, NULL);
}

/* AND and OR: operand i + 1 is evaluated where the ones before have not settled the result. */
static nq_status compile_chain(compiler *c, const nq_expr *expr, uint32_t *out_register) {
    bool is_and = expr->kind == NQ_EXPR_AND;
    nq_row_test open = is_and ? NQ_TEST_NOT_FALSE : NQ_TEST_NOT_TRUE;
    nq_instruction merge = {.op = is_and ? NQ_OP_AND : NQ_OP_OR, .type = expr->type};
    uint32_t first = 0;
    NQ_TRY(compile(c, expr->args[0], &first));
    NQ_TRY(own(c, first, expr->type, &merge.result));
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        bool is_guarded = needs_guard(expr->args[i]);
        uint32_t guard = 0;
        uint32_t operand = 0;
        if (is_guarded) {
            NQ_TRY(push(c, open, merge.result, &guard));
        }
        NQ_TRY(compile(c, expr->args[i], &operand));
        NQ_TRY(emit(c, merge, (uint32_t[]){merge.result, operand}, 2, NULL));
        give_back(c, operand);
        if (is_guarded) {
            NQ_TRY(pop(c, guard));
        }
    }
    *out_register = merge.result;
    return NQ_OK;
}

static nq_status blend(compiler *c, const nq_expr *value, uint32_t result, nq_type type) {
    nq_instruction instruction = {.op = NQ_OP_BLEND_NULL, .type = type, .result = result};
    if (value == NULL) {
        return emit(c, instruction, NULL, 0, NULL);
    }
    uint32_t from = 0;
    NQ_TRY(compile(c, value, &from));
    instruction.op = NQ_OP_BLEND;
    NQ_TRY(emit(c, instruction, &from, 1, NULL));
    give_back(c, from);
    return NQ_OK;
}

/* One selection holds the rows still without a branch; each WHEN takes its rows out of it. The
 * jumps of the narrowings all lead to its POP, and are chained through `target` until it stands. */
static nq_status compile_case(compiler *c, const nq_expr *expr, uint32_t *out_register) {
    nq_instruction begin = {.op = NQ_OP_BEGIN, .type = expr->type};
    NQ_TRY(take_temporary(c, expr->type, &begin.result));
    NQ_TRY(emit(c, begin, NULL, 0, NULL));
    uint32_t outer;
    uint32_t chain = UINT32_MAX;
    NQ_TRY(push(c, NQ_TEST_ALL, begin.result, &outer));
    for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
        uint32_t condition = 0;
        uint32_t branch = 0;
        NQ_TRY(compile(c, expr->args[i], &condition));
        NQ_TRY(push(c, NQ_TEST_TRUE, condition, &branch));
        NQ_TRY(blend(c, expr->args[i + 1], begin.result, expr->type));
        NQ_TRY(pop(c, branch));
        nq_instruction narrow = {.op = NQ_OP_NARROW, .test = NQ_TEST_NOT_TRUE, .target = chain};
        NQ_TRY(emit(c, narrow, &condition, 1, &chain));
        give_back(c, condition);
    }
    bool has_else = expr->arg_count % 2 == 1;
    NQ_TRY(blend(c, has_else ? expr->args[expr->arg_count - 1] : NULL, begin.result, expr->type));
    while (chain != UINT32_MAX) {
        uint32_t next = c->program->instructions[chain].target;
        c->program->instructions[chain].target = c->program->instruction_count;
        chain = next;
    }
    *out_register = begin.result;
    return pop(c, outer);
}

/* The rows that are still null go on to the next argument. */
static nq_status compile_coalesce(compiler *c, const nq_expr *expr, uint32_t *out_register) {
    uint32_t first = 0;
    uint32_t result = 0;
    NQ_TRY(compile(c, expr->args[0], &first));
    if (expr->arg_count == 1) {
        *out_register = first;
        return NQ_OK;
    }
    NQ_TRY(own(c, first, expr->type, &result));
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        uint32_t guard = 0;
        NQ_TRY(push(c, NQ_TEST_NULL, result, &guard));
        NQ_TRY(blend(c, expr->args[i], result, expr->type));
        NQ_TRY(pop(c, guard));
    }
    *out_register = result;
    return NQ_OK;
}

static const nq_function *equality(void) {
    for (uint32_t i = 0; i < nq_function_count; i++) {
        if (nq_functions[i].name[0] == '=') {
            return &nq_functions[i];
        }
    }
    return NULL;
}

/* x IN (a, b) is x = a OR x = b, x being evaluated once. */
static nq_status compile_in(compiler *c, const nq_expr *expr, uint32_t *out_register) {
    uint32_t value = 0;
    NQ_TRY(compile(c, expr->args[0], &value));
    if (nq__in_list_is_constant(expr)) {
        NQ_TRY(take_temporary(c, expr->type, out_register));
        give_back(c, value);
        return emit(c,
                    (nq_instruction){.op = NQ_OP_IN,
                                     .is_negated = expr->is_negated,
                                     .type = expr->type,
                                     .result = *out_register,
                                     .expr = expr},
                    &value, 1, NULL);
    }
    nq_instruction equal = {.op = NQ_OP_CALL, .type = expr->type, .function = equality()};
    nq_instruction merge = {.op = NQ_OP_OR, .type = expr->type};
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        uint32_t guard = 0;
        uint32_t element = 0;
        if (i > 1) {
            NQ_TRY(push(c, NQ_TEST_NOT_TRUE, merge.result, &guard));
        }
        NQ_TRY(compile(c, expr->args[i], &element));
        NQ_TRY(take_temporary(c, expr->type, &equal.result));
        NQ_TRY(emit(c, equal, (uint32_t[]){value, element}, 2, NULL));
        give_back(c, element);
        if (i == 1) {
            merge.result = equal.result;
            continue;
        }
        NQ_TRY(emit(c, merge, (uint32_t[]){merge.result, equal.result}, 2, NULL));
        give_back(c, equal.result);
        NQ_TRY(pop(c, guard));
    }
    give_back(c, value);
    *out_register = merge.result;
    if (!expr->is_negated) {
        return NQ_OK;
    }
    return emit(c, (nq_instruction){.op = NQ_OP_NOT, .type = expr->type, .result = merge.result},
                &merge.result, 1, NULL);
}

static nq_status compile(compiler *c, const nq_expr *expr, uint32_t *out_register) {
    if (expr->is_constant) {
        return compile_constant(c, expr, out_register);
    }
    nq_instruction instruction = {.is_negated = expr->is_negated};
    switch (expr->kind) {
    case NQ_EXPR_CONSTANT:
    case NQ_EXPR_PARAMETER:
        return compile_constant(c, expr, out_register);
    case NQ_EXPR_COLUMN:
        return compile_column(c, expr, out_register);
    case NQ_EXPR_CALL:
        instruction.op = NQ_OP_CALL;
        instruction.function = expr->function;
        break;
    case NQ_EXPR_CAST:
        return compile_cast(c, expr, out_register);
    case NQ_EXPR_AND:
    case NQ_EXPR_OR:
        return compile_chain(c, expr, out_register);
    case NQ_EXPR_NOT:
        instruction.op = NQ_OP_NOT;
        break;
    case NQ_EXPR_IS_NULL:
        instruction.op = NQ_OP_IS_NULL;
        break;
    case NQ_EXPR_IS_TRUE:
        instruction.op = NQ_OP_IS_TRUE;
        break;
    case NQ_EXPR_IS_FALSE:
        instruction.op = NQ_OP_IS_FALSE;
        break;
    case NQ_EXPR_IN_LIST:
        return compile_in(c, expr, out_register);
    case NQ_EXPR_CASE:
        return compile_case(c, expr, out_register);
    case NQ_EXPR_COALESCE:
        return compile_coalesce(c, expr, out_register);
    }
    return compile_args(c, expr, instruction, out_register);
}

/* Registers stand still from now on: arguments become pointers. */
static void resolve(nq_program *p) {
    for (uint32_t i = 0; i < p->instruction_count; i++) {
        nq_instruction *instruction = &p->instructions[i];
        for (uint32_t a = 0; a < instruction->arg_count; a++) {
            instruction->args[a] = &p->registers[instruction->arg_registers[a]].vector;
        }
    }
}

nq_status nq_program_create(nq_ctx *ctx, nq_arena *arena, const nq_eval_env *env,
                            const nq_expr *const *exprs, uint32_t expr_count,
                            nq_program **out_program) {
    *out_program = NULL;
    nq_program *program = nq_arena_calloc(arena, 1, sizeof *program);
    compiler c = {.ctx = ctx, .arena = arena, .program = program};
    if (program == NULL) {
        return fail_memory(&c);
    }
    program->arena = arena;
    program->env = env;
    program->exprs = exprs;
    program->result_count = expr_count;
    program->selection_count = 1;
    program->result_registers = nq_arena_calloc(arena, expr_count + 1, sizeof(uint32_t));
    program->results = nq_arena_calloc(arena, expr_count + 1, sizeof(nq_vector));
    if (program->result_registers == NULL || program->results == NULL) {
        return fail_memory(&c);
    }
    for (uint32_t i = 0; i < expr_count; i++) {
        NQ_TRY(compile(&c, exprs[i], &program->result_registers[i]));
    }
    program->selections = nq_arena_calloc(arena, program->selection_count, sizeof(nq_selection));
    if (program->selections == NULL) {
        return fail_memory(&c);
    }
    resolve(program);
    *out_program = program;
    return NQ_OK;
}
