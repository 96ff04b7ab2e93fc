/* One expression for one row, straight from the tree: the same kernels over vectors of one. */
#include "engine/query/eval/eval_internal.h"

typedef struct evaluation {
    nq_ctx *ctx;
    nq_arena *arena;
    const nq_eval_env *env;
    const nq_value *row;
} evaluation;

static nq_status evaluate(evaluation *e, const nq_expr *expr, nq_value *out_value);

/* One value, laid out as a vector of one row. */
typedef struct cell {
    uint8_t null;
    union {
        uint8_t boolean;
        int64_t integer;
        double number;
        nq_bytes bytes;
    };
} cell;

static nq_column_buffer buffer_of(cell *c, nq_type type) {
    return (nq_column_buffer){.type = type, .nulls = &c->null, .values = &c->boolean};
}

static nq_vector vector_of(cell *c, nq_type type, nq_value value) {
    nq_column_buffer buffer = buffer_of(c, type);
    nq__buffer_set(&buffer, 0, value);
    return (nq_vector){
        .type = type, .nulls = value.is_null ? &c->null : NULL, .values = buffer.values};
}

static nq_status evaluate_kernel(evaluation *e, const nq_expr *expr, nq_value *out_value) {
    enum { ARGUMENTS_FEW = 8 };
    cell few_cells[ARGUMENTS_FEW];
    nq_vector few_vectors[ARGUMENTS_FEW];
    const nq_vector *few_args[ARGUMENTS_FEW] = {NULL};
    cell *cells = few_cells;
    nq_vector *vectors = few_vectors;
    const nq_vector **args = few_args;
    bool is_cast = expr->kind == NQ_EXPR_CAST;
    bool is_strict = is_cast || (expr->function->flags & NQ_FUNCTION_STRICT) != 0;
    if (expr->arg_count > ARGUMENTS_FEW) {
        cells = nq_arena_calloc(e->arena, expr->arg_count, sizeof(cell));
        vectors = nq_arena_calloc(e->arena, expr->arg_count, sizeof(nq_vector));
        args = nq_arena_calloc(e->arena, expr->arg_count, sizeof(nq_vector *));
        if (cells == NULL || vectors == NULL || args == NULL) {
            return nq_fail(e->ctx, NQ_MEMORY_LIMIT, "out of memory for an expression");
        }
    }
    *out_value = NQ_VALUE_NULL(expr->type.id);
    bool has_null = false;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        nq_value value = NQ_VALUE_NULL(NQ_TYPE_UNKNOWN);
        NQ_TRY(evaluate(e, expr->args[i], &value));
        has_null |= value.is_null;
        vectors[i] = vector_of(&cells[i], expr->args[i]->type, value);
        args[i] = &vectors[i];
    }
    if (is_strict && has_null) {
        return NQ_OK;
    }
    cell result = {.null = 0};
    nq_kernel_call call = {.ctx = e->ctx,
                           .arena = e->arena,
                           .env = e->env,
                           .function = expr->function,
                           .args = args,
                           .arg_count = expr->arg_count,
                           .row_count = 1,
                           .result = buffer_of(&result, expr->type)};
    if (is_cast && nq__cast_is_free(expr->args[0]->type, expr->type)) {
        *out_value = nq__vector_value(args[0], 0);
        out_value->type = expr->type.id;
        return NQ_OK;
    }
    NQ_TRY(is_cast ? nq__kernel_cast(&call) : expr->function->kernel(&call));
    nq_vector vector = {.type = expr->type, .nulls = &result.null, .values = call.result.values};
    *out_value = nq__vector_value(&vector, 0);
    return NQ_OK;
}

static nq_status evaluate_chain(evaluation *e, const nq_expr *expr, nq_value *out_value) {
    bool settling = expr->kind == NQ_EXPR_OR;
    *out_value = NQ_VALUE_BOOL(!settling);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        nq_value value = NQ_VALUE_NULL(NQ_TYPE_UNKNOWN);
        NQ_TRY(evaluate(e, expr->args[i], &value));
        if (value.is_null) {
            *out_value = NQ_VALUE_NULL(NQ_TYPE_BOOL);
        } else if (value.boolean == settling) {
            *out_value = value;
            return NQ_OK;
        }
    }
    return NQ_OK;
}

static nq_status evaluate_is(evaluation *e, const nq_expr *expr, nq_value *out_value) {
    nq_value value = NQ_VALUE_NULL(NQ_TYPE_UNKNOWN);
    NQ_TRY(evaluate(e, expr->args[0], &value));
    bool is_so = value.is_null;
    if (expr->kind != NQ_EXPR_IS_NULL) {
        is_so = !value.is_null && value.boolean == (expr->kind == NQ_EXPR_IS_TRUE);
    }
    *out_value = NQ_VALUE_BOOL(is_so != expr->is_negated);
    return NQ_OK;
}

static nq_status evaluate_case(evaluation *e, const nq_expr *expr, nq_value *out_value) {
    for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
        nq_value condition = NQ_VALUE_NULL(NQ_TYPE_UNKNOWN);
        NQ_TRY(evaluate(e, expr->args[i], &condition));
        if (!condition.is_null && condition.boolean) {
            return evaluate(e, expr->args[i + 1], out_value);
        }
    }
    *out_value = NQ_VALUE_NULL(expr->type.id);
    bool has_else = expr->arg_count % 2 == 1;
    return has_else ? evaluate(e, expr->args[expr->arg_count - 1], out_value) : NQ_OK;
}

static nq_status evaluate_in(evaluation *e, const nq_expr *expr, nq_value *out_value) {
    nq_value value = NQ_VALUE_NULL(NQ_TYPE_UNKNOWN);
    bool has_null = false;
    NQ_TRY(evaluate(e, expr->args[0], &value));
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        nq_value element = NQ_VALUE_NULL(NQ_TYPE_UNKNOWN);
        NQ_TRY(evaluate(e, expr->args[i], &element));
        nq_value answer = nq__in_values(value, &element, 1, false);
        if (!answer.is_null && answer.boolean) {
            *out_value = NQ_VALUE_BOOL(!expr->is_negated);
            return NQ_OK;
        }
        has_null |= answer.is_null;
    }
    *out_value = has_null ? NQ_VALUE_NULL(NQ_TYPE_BOOL) : NQ_VALUE_BOOL(expr->is_negated);
    return NQ_OK;
}

static nq_status evaluate_parameter(evaluation *e, const nq_expr *expr, nq_value *out_value) {
    if (e->env == NULL || expr->index >= e->env->parameter_count) {
        return nq_fail(e->ctx, NQ_PARAMETER_MISSING, "parameter $%u has no value", expr->index + 1);
    }
    *out_value = e->env->parameters[expr->index];
    out_value->type = expr->type.id;
    return NQ_OK;
}

static nq_status evaluate(evaluation *e, const nq_expr *expr, nq_value *out_value) {
    switch (expr->kind) {
    case NQ_EXPR_CONSTANT:
        *out_value = expr->value;
        return NQ_OK;
    case NQ_EXPR_PARAMETER:
        return evaluate_parameter(e, expr, out_value);
    case NQ_EXPR_COLUMN:
        *out_value = e->row[expr->index];
        return NQ_OK;
    case NQ_EXPR_CALL:
    case NQ_EXPR_CAST:
        return evaluate_kernel(e, expr, out_value);
    case NQ_EXPR_AND:
    case NQ_EXPR_OR:
        return evaluate_chain(e, expr, out_value);
    case NQ_EXPR_NOT:
        NQ_TRY(evaluate(e, expr->args[0], out_value));
        out_value->boolean = !out_value->is_null && !out_value->boolean;
        return NQ_OK;
    case NQ_EXPR_IS_NULL:
    case NQ_EXPR_IS_TRUE:
    case NQ_EXPR_IS_FALSE:
        return evaluate_is(e, expr, out_value);
    case NQ_EXPR_IN_LIST:
        return evaluate_in(e, expr, out_value);
    case NQ_EXPR_CASE:
        return evaluate_case(e, expr, out_value);
    case NQ_EXPR_COALESCE:
        break;
    }
    *out_value = NQ_VALUE_NULL(expr->type.id);
    for (uint32_t i = 0; i < expr->arg_count && out_value->is_null; i++) {
        NQ_TRY(evaluate(e, expr->args[i], out_value));
    }
    return NQ_OK;
}

nq_status nq_expr_evaluate(nq_ctx *ctx, nq_arena *arena, const nq_eval_env *env,
                           const nq_expr *expr, const nq_value *row, nq_value *out_value) {
    evaluation e = {.ctx = ctx, .arena = arena, .env = env, .row = row};
    *out_value = NQ_VALUE_NULL(expr->type.id);
    return evaluate(&e, expr, out_value);
}
