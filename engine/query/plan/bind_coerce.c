/* Coerce: giving expressions the types their places want, and folding what is constant. */
#include "engine/query/eval/program.h"
#include "engine/query/plan/bind_internal.h"

/* ---- Folding ---- */

static bool is_foldable(const nq_expr *expr) {
    if (expr->is_volatile ||
        (expr->kind == NQ_EXPR_CALL &&
         (expr->function->flags & (NQ_FUNCTION_VOLATILE | NQ_FUNCTION_STABLE)) != 0)) {
        return false;
    }
    for (uint32_t i = 0; i < expr->arg_count; ++i) {
        if (expr->args[i]->kind != NQ_EXPR_CONSTANT || expr->args[i]->type.id == NQ_TYPE_UNKNOWN) {
            return false;
        }
    }
    return true;
}

const nq_expr *nq__fold(nq__binder *b, nq_expr *expr) {
    if (expr == NULL || !is_foldable(expr)) {
        return expr;
    }
    nq_error kept = b->ctx->error;
    nq_eval_env env = {0};
    nq_value value;
    nq_status status = nq_expr_evaluate(b->ctx, b->arena, &env, expr, NULL, &value);
    if (status != NQ_OK) {
        b->ctx->error = kept;
        return expr;
    }
    nq_expr *constant = nq_expr_constant(b->arena, value, expr->type);
    if (constant != NULL) {
        constant->offset = expr->offset;
    }
    return constant;
}

/* ---- Coercion ---- */

static nq_status coerce_literal(nq__binder *b, const nq_expr *literal, nq_type target,
                                nq_cast_level level, const nq_expr **out_expr) {
    nq_value value = NQ_VALUE_NULL(target.id);
    if (!literal->value.is_null) {
        bool is_assignment = level == NQ_CAST_ASSIGNMENT;
        NQ_TRY(nq__bind_at(
            b, literal->offset,
            nq_value_cast(b->ctx, b->arena, literal->value, target, is_assignment, &value)));
    }
    nq_expr *constant = nq_expr_constant(b->arena, value, target);
    if (constant == NULL) {
        return nq__bind_no_memory(b);
    }
    constant->offset = literal->offset;
    *out_expr = constant;
    return NQ_OK;
}

/* The first place that wants a type of a parameter settles it; later ones cast from it. */
static nq_status settle_parameter(nq__binder *b, const nq_expr *parameter, nq_type target,
                                  const nq_expr **out_expr) {
    nq_type *settled = &b->parameter_types[parameter->index];
    if (settled->id == NQ_TYPE_UNKNOWN) {
        *settled = NQ_TYPE(target.id);
    }
    nq_expr *typed = nq_expr_parameter(b->arena, parameter->index, *settled);
    if (typed == NULL) {
        return nq__bind_no_memory(b);
    }
    typed->offset = parameter->offset;
    *out_expr = typed;
    return NQ_OK;
}

static nq_status fail_mismatch(nq__binder *b, const nq_expr *expr, nq_type target,
                               const char *what) {
    nq_status status = nq__bind_fail(b, expr->offset, NQ_TYPE_MISMATCH,
                                     "%s must be of type %s, but this is of type %s", what,
                                     nq_type_name(target.id), nq_type_name(expr->type.id));
    if (nq_cast_level_of(expr->type.id, target.id) > NQ_CAST_NONE) {
        nq_error_set_hint(&b->ctx->error, "CAST(.. AS %s) converts it.", nq_type_name(target.id));
    }
    return status;
}

nq_status nq__coerce(nq__binder *b, const nq_expr *expr, nq_type target, nq_cast_level level,
                     const char *what, const nq_expr **out_expr) {
    *out_expr = expr;
    if (target.id == NQ_TYPE_UNKNOWN) { /* the place takes any type */
        if (expr->type.id != NQ_TYPE_UNKNOWN) {
            return NQ_OK;
        }
        target = NQ_TYPE(NQ_TYPE_TEXT);
    }
    if (expr->type.id == NQ_TYPE_UNKNOWN && expr->kind == NQ_EXPR_CONSTANT) {
        return coerce_literal(b, expr, target, level, out_expr);
    }
    if (expr->type.id == NQ_TYPE_UNKNOWN && expr->kind == NQ_EXPR_PARAMETER) {
        NQ_TRY(settle_parameter(b, expr, target, out_expr));
        expr = *out_expr;
    }
    bool is_same = expr->type.id == target.id &&
                   (target.length_max == 0 || (expr->type.length_max == target.length_max &&
                                               expr->type.is_padded == target.is_padded));
    if (is_same) {
        return NQ_OK;
    }
    if (expr->type.id != target.id && nq_cast_level_of(expr->type.id, target.id) < level) {
        return fail_mismatch(b, expr, target, what);
    }
    nq_expr *cast = nq_expr_cast(b->arena, expr, target);
    if (cast == NULL) {
        return nq__bind_no_memory(b);
    }
    cast->offset = expr->offset;
    cast->is_assignment = level == NQ_CAST_ASSIGNMENT;
    *out_expr = nq__fold(b, cast);
    return *out_expr == NULL ? nq__bind_no_memory(b) : NQ_OK;
}

nq_status nq__coerce_unknown(nq__binder *b, const nq_expr *expr, const nq_expr **out_expr) {
    *out_expr = expr;
    if (expr->type.id != NQ_TYPE_UNKNOWN) {
        return NQ_OK;
    }
    return nq__coerce(b, expr, NQ_TYPE(NQ_TYPE_TEXT), NQ_CAST_IMPLICIT, "a text", out_expr);
}

nq_status nq__coerce_common(nq__binder *b, uint32_t offset, const char *where,
                            const nq_expr **in_out_exprs, uint32_t count, nq_type *out_type) {
    nq_type *types = nq__bind_alloc(b, count, sizeof(*types));
    if (types == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < count; ++i) {
        const nq_expr *expr = in_out_exprs[i];
        bool is_parameter = expr->kind == NQ_EXPR_PARAMETER && expr->type.id == NQ_TYPE_UNKNOWN;
        types[i] = is_parameter ? b->parameter_types[expr->index] : expr->type;
    }
    NQ_TRY(nq__bind_at(b, offset, nq_type_common(b->ctx, where, types, count, out_type)));
    for (uint32_t i = 0; i < count; ++i) {
        NQ_TRY(
            nq__coerce(b, in_out_exprs[i], *out_type, NQ_CAST_IMPLICIT, where, &in_out_exprs[i]));
    }
    return NQ_OK;
}

/* ---- Calls and forms ---- */

nq_status nq__bind_call(nq__binder *b, uint32_t offset, nq_bytes name, bool is_operator,
                        const nq_expr *const *args, uint32_t arg_count, const nq_expr **out_expr) {
    *out_expr = NULL;
    if (arg_count > NQ_FUNCTION_ARGUMENTS_MAX) {
        return nq__bind_fail(b, offset, NQ_LIMIT_EXCEEDED, "a function takes at most %d arguments",
                             NQ_FUNCTION_ARGUMENTS_MAX);
    }
    nq_type types[NQ_FUNCTION_ARGUMENTS_MAX] = {NQ_TYPE(NQ_TYPE_UNKNOWN)};
    const nq_expr *coerced[NQ_FUNCTION_ARGUMENTS_MAX];
    for (uint32_t i = 0; i < arg_count; ++i) {
        bool is_parameter =
            args[i]->kind == NQ_EXPR_PARAMETER && args[i]->type.id == NQ_TYPE_UNKNOWN;
        types[i] = is_parameter ? b->parameter_types[args[i]->index] : args[i]->type;
    }
    nq_resolution found; /* large, but no recursion stands on it */
    NQ_TRY(nq__bind_at(b, offset,
                       nq_function_find(b->ctx, name, is_operator, types, arg_count, &found)));
    for (uint32_t i = 0; i < arg_count; ++i) {
        NQ_TRY(nq__coerce(b, args[i], found.arg_types[i], NQ_CAST_IMPLICIT, "the argument",
                          &coerced[i]));
    }
    nq_expr *call = nq_expr_call(b->arena, found.function, found.result, coerced, arg_count);
    if (call == NULL) {
        return nq__bind_no_memory(b);
    }
    call->offset = offset;
    *out_expr = nq__fold(b, call);
    return *out_expr == NULL ? nq__bind_no_memory(b) : NQ_OK;
}

nq_status nq__bind_form(nq__binder *b, uint32_t offset, nq_expr_kind kind, nq_type type,
                        bool is_negated, const nq_expr *const *args, uint32_t arg_count,
                        const nq_expr **out_expr) {
    nq_expr *form = nq_expr_form(b->arena, kind, type, is_negated, args, arg_count);
    if (form == NULL) {
        return nq__bind_no_memory(b);
    }
    form->offset = offset;
    *out_expr = nq__fold(b, form);
    return *out_expr == NULL ? nq__bind_no_memory(b) : NQ_OK;
}

/* ---- Rewriting ---- */

static nq_expr *rebuild(nq_arena *arena, const nq_expr *expr, const nq_expr *const *args) {
    switch (expr->kind) {
    case NQ_EXPR_CALL:
        return nq_expr_call(arena, expr->function, expr->type, args, expr->arg_count);
    case NQ_EXPR_CAST: {
        nq_expr *cast = nq_expr_cast(arena, args[0], expr->type);
        if (cast != NULL) {
            cast->is_assignment = expr->is_assignment;
        }
        return cast;
    }
    default:
        return nq_expr_form(arena, expr->kind, expr->type, expr->is_negated, args, expr->arg_count);
    }
}

const nq_expr *nq__rewrite(nq__rewriter *rewriter, const nq_expr *expr) {
    const nq_expr *replaced = NULL;
    if (!rewriter->replace(rewriter, expr, &replaced)) {
        return NULL;
    }
    if (replaced != NULL || expr->arg_count == 0) {
        return replaced != NULL ? replaced : expr;
    }
    const nq_expr **args = nq__bind_alloc(rewriter->b, expr->arg_count, sizeof(*args));
    bool is_changed = false;
    for (uint32_t i = 0; args != NULL && i < expr->arg_count; ++i) {
        args[i] = nq__rewrite(rewriter, expr->args[i]);
        if (args[i] == NULL) {
            return NULL;
        }
        is_changed |= args[i] != expr->args[i];
    }
    if (args != NULL && !is_changed) {
        return expr;
    }
    nq_expr *copy = args == NULL ? NULL : rebuild(rewriter->b->arena, expr, args);
    if (copy == NULL) {
        rewriter->status = nq__bind_no_memory(rewriter->b);
        return NULL;
    }
    copy->offset = expr->offset;
    return copy;
}
