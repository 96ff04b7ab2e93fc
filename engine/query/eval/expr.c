/* Building bound expressions, and what can be asked of a tree. */
#include "engine/query/eval/expr.h"

#include "engine/query/eval/eval_internal.h"

static nq_expr *new_expr(nq_arena *arena, nq_expr_kind kind, nq_type type) {
    nq_expr *expr = nq_arena_calloc(arena, 1, sizeof *expr);
    if (expr != NULL) {
        expr->kind = kind;
        expr->type = type;
        expr->offset = UINT32_MAX;
    }
    return expr;
}

nq_expr *nq_expr_constant(nq_arena *arena, nq_value value, nq_type type) {
    nq_expr *expr = new_expr(arena, NQ_EXPR_CONSTANT, type);
    if (expr != NULL) {
        expr->value = value;
        expr->value.type = type.id;
        expr->is_constant = true;
    }
    return expr;
}

nq_expr *nq_expr_parameter(nq_arena *arena, uint32_t index, nq_type type) {
    nq_expr *expr = new_expr(arena, NQ_EXPR_PARAMETER, type);
    if (expr != NULL) {
        expr->index = index;
        expr->is_constant = true;
    }
    return expr;
}

nq_expr *nq_expr_column(nq_arena *arena, uint32_t index, nq_type type) {
    nq_expr *expr = new_expr(arena, NQ_EXPR_COLUMN, type);
    if (expr != NULL) {
        expr->index = index;
    }
    return expr;
}

/* Takes in the arguments, and what follows from theirs: failing, volatile, constant. */
static nq_expr *with_args(nq_arena *arena, nq_expr *expr, const nq_expr *const *args,
                          uint32_t arg_count) {
    if (expr == NULL) {
        return NULL;
    }
    const nq_expr **copy = nq_arena_alloc(arena, (arg_count + 1) * sizeof(nq_expr *));
    if (copy == NULL) {
        return NULL;
    }
    expr->is_constant = !expr->is_volatile;
    for (uint32_t i = 0; i < arg_count; i++) {
        if (args[i] == NULL) {
            return NULL;
        }
        copy[i] = args[i];
        expr->may_fail |= args[i]->may_fail;
        expr->is_volatile |= args[i]->is_volatile;
        expr->is_constant &= args[i]->is_constant;
    }
    expr->args = copy;
    expr->arg_count = arg_count;
    return expr;
}

static bool is_null_constant(const nq_expr *expr) {
    return expr != NULL && expr->kind == NQ_EXPR_CONSTANT && expr->value.is_null;
}

/* A strict function of a literal null is null, whatever its other arguments would do. */
nq_expr *nq_expr_call(nq_arena *arena, const nq_function *function, nq_type type,
                      const nq_expr *const *args, uint32_t arg_count) {
    for (uint32_t i = 0; (function->flags & NQ_FUNCTION_STRICT) != 0 && i < arg_count; i++) {
        if (is_null_constant(args[i])) {
            return nq_expr_constant(arena, NQ_VALUE_NULL(type.id), type);
        }
    }
    nq_expr *expr = new_expr(arena, NQ_EXPR_CALL, type);
    if (expr != NULL) {
        expr->function = function;
        expr->may_fail = (function->flags & NQ_FUNCTION_FAILS) != 0;
        expr->is_volatile = (function->flags & NQ_FUNCTION_VOLATILE) != 0;
    }
    return with_args(arena, expr, args, arg_count);
}

nq_expr *nq_expr_cast(nq_arena *arena, const nq_expr *arg, nq_type type) {
    nq_expr *expr = arg == NULL ? NULL : new_expr(arena, NQ_EXPR_CAST, type);
    if (expr != NULL) {
        expr->may_fail = nq__cast_may_fail(arg->type, type);
    }
    return with_args(arena, expr, &arg, 1);
}

nq_expr *nq_expr_form(nq_arena *arena, nq_expr_kind kind, nq_type type, bool is_negated,
                      const nq_expr *const *args, uint32_t arg_count) {
    nq_expr *expr = new_expr(arena, kind, type);
    if (expr != NULL) {
        expr->is_negated = is_negated;
    }
    return with_args(arena, expr, args, arg_count);
}

static bool has_columns(const nq_expr *expr) {
    if (expr->kind == NQ_EXPR_COLUMN) {
        return true;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (has_columns(expr->args[i])) {
            return true;
        }
    }
    return false;
}

const nq_expr *nq_expr_map_columns(nq_arena *arena, const nq_expr *expr, const uint32_t *map) {
    if (!has_columns(expr)) {
        return expr;
    }
    nq_expr *copy = nq_arena_alloc(arena, sizeof *copy);
    if (copy == NULL) {
        return NULL;
    }
    *copy = *expr;
    if (expr->kind == NQ_EXPR_COLUMN) {
        copy->index = map[expr->index];
        return copy;
    }
    const nq_expr **args = nq_arena_alloc(arena, expr->arg_count * sizeof(nq_expr *));
    if (args == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        args[i] = nq_expr_map_columns(arena, expr->args[i], map);
        if (args[i] == NULL) {
            return NULL;
        }
    }
    copy->args = args;
    return copy;
}

void nq_expr_visit_columns(const nq_expr *expr, void (*visit)(void *user, uint32_t index),
                           void *user) {
    if (expr->kind == NQ_EXPR_COLUMN) {
        visit(user, expr->index);
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        nq_expr_visit_columns(expr->args[i], visit, user);
    }
}

static bool types_equal(nq_type left, nq_type right) {
    return left.id == right.id && left.length_max == right.length_max &&
           left.is_padded == right.is_padded;
}

static bool constants_equal(nq_value left, nq_value right) {
    if (left.is_null || right.is_null || left.type != right.type) {
        return left.is_null && right.is_null && left.type == right.type;
    }
    return nq_value_compare(left, right) == 0;
}

bool nq_expr_equal(const nq_expr *left, const nq_expr *right) {
    if (left->kind != right->kind || !types_equal(left->type, right->type) || left->is_volatile ||
        right->is_volatile || left->index != right->index || left->function != right->function ||
        left->is_negated != right->is_negated || left->arg_count != right->arg_count) {
        return false;
    }
    if (left->kind == NQ_EXPR_CONSTANT && !constants_equal(left->value, right->value)) {
        return false;
    }
    for (uint32_t i = 0; i < left->arg_count; i++) {
        if (!nq_expr_equal(left->args[i], right->args[i])) {
            return false;
        }
    }
    return true;
}
